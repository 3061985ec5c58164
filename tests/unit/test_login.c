#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/account.h"
#include "core/jwt.h"
#include "core/private.h"
#include "tests/unit/world.h"

/* A hasher whose hash of "x" is "1:x", 1 being the parameters; at once, or late, when the test lets it. */
struct fake_hasher {
    struct im_hasher hasher;
    unsigned parameters, made, verified, for_nobody;
    bool late, busy;
    struct im_hash_job *waiting[64];
    size_t count;
};

static void fake_hash(struct fake_hasher *h, struct im_hash_job *job)
{
    char fresh[IM_HASH_TEXT_MAX];
    snprintf(fresh, sizeof fresh, "%u:%.*s", h->parameters, (int)job->password.len, job->password.p);
    job->status = IM_OK;
    if (job->verify) {
        h->verified++;
        h->for_nobody += *job->encoded == '\0';
        const char *right = strchr(job->encoded, ':');
        if (right == NULL || !im_str_eq(im_str(right + 1), job->password))
            job->status = IM_BAD_LOGIN;
        job->stale = job->status == IM_OK && strcmp(job->encoded, fresh) != 0;
    } else {
        h->made++;
    }
    if (!job->verify || job->stale)
        memcpy(job->encoded, fresh, sizeof fresh);
    job->done(job);
}

static enum im_reason fake_submit(struct im_hasher *hasher, struct im_hash_job *job)
{
    struct fake_hasher *h = (struct fake_hasher *)(void *)hasher;
    if (h->busy)
        return IM_BUSY;
    if (h->late)
        h->waiting[h->count++] = job;
    else
        fake_hash(h, job);
    return IM_OK;
}

struct stage {
    struct world *w;
    struct fake_hasher hasher;
    struct im_keys keys;
    uint8_t next_random;
    char token[IM_SECRET_MAX];
};

static void fake_random(void *arg, void *out, size_t len)
{
    memset(out, ++((struct stage *)arg)->next_random, len);
}

static bool fake_unix_user(void *arg, uint32_t uid, struct im_name *out)
{
    (void)arg;
    return uid == 1000 && im_name_parse(IM_STR("Ann"), out, NULL) == IM_OK;
}

static uint8_t jwt_secret[32] = "0123456789abcdef0123456789abcde";

static int stage_new(void **state)
{
    struct stage *t = im_zalloc(sizeof *t);
    t->hasher.hasher.submit = fake_submit;
    t->hasher.parameters = 1;
    t->keys = (struct im_keys){.count = 1, .v = {{IM_JWT_HS256, jwt_secret, sizeof jwt_secret}}};
    t->w = world_make((struct im_core_options){.hasher = &t->hasher.hasher,
                                               .keys = &t->keys,
                                               .random = fake_random,
                                               .random_arg = t,
                                               .unix_user = fake_unix_user});
    t->w->config->auth_mode = IM_AUTH_PASSWORD;
    *state = t;
    return 0;
}

static int stage_free(void **state)
{
    struct stage *t = *state;
    void *world = t->w;
    assert_int_equal(t->hasher.count, 0);
    world_free(&world);
    free(t);
    return 0;
}

static void settle(struct stage *t)
{
    while (t->w->store->ops->drain(t->w->store) > 0)
        ;
}

/* Lets the hasher do what waits, the first one first. */
static void hash_one(struct stage *t)
{
    assert_true(t->hasher.count > 0);
    struct im_hash_job *job = t->hasher.waiting[0];
    memmove(t->hasher.waiting, t->hasher.waiting + 1, --t->hasher.count * sizeof *t->hasher.waiting);
    fake_hash(&t->hasher, job);
    settle(t);
}

/* What is in the store. */

static void stored(struct im_store_op *op)
{
    *(bool *)op->owner = true;
}

static void put_record(struct stage *t, struct im_record record)
{
    bool done = false;
    struct im_store_record_put put = {.op = {.kind = IM_STORE_RECORD_PUT, .done = stored, .owner = &done},
                                      .record = record};
    im_store_submit(t->w->store, &put.op);
    settle(t);
    assert_true(done);
    assert_int_equal(put.op.status, IM_OK);
}

/* The value of a record as text in *out, which the next call replaces; NULL: there is none. */
static const char *record_value(struct stage *t, enum im_record_kind kind, const char *key)
{
    static char value[400];
    bool done = false;
    struct im_store_records op = {
        .op = {.kind = IM_STORE_RECORDS, .done = stored, .owner = &done}, .kind = kind, .key = im_str(key), .limit = 1};
    im_store_submit(t->w->store, &op.op);
    settle(t);
    assert_true(done);
    if (op.count > 0)
        snprintf(value, sizeof value, "%.*s", (int)op.rows[0].value.len, op.rows[0].value.p);
    bool found = op.count > 0;
    free(op.rows);
    return found ? value : NULL;
}

static size_t count_tokens(struct stage *t, const char *owner)
{
    bool done = false;
    struct im_store_records op = {.op = {.kind = IM_STORE_RECORDS, .done = stored, .owner = &done},
                                  .kind = IM_RECORD_TOKEN,
                                  .owner = im_str(owner),
                                  .limit = 100};
    im_store_submit(t->w->store, &op.op);
    settle(t);
    assert_true(done);
    free(op.rows);
    return op.count;
}

static void account(struct stage *t, const char *key, const char *value)
{
    put_record(t, (struct im_record){.kind = IM_RECORD_ACCOUNT, .key = im_str(key), .value = im_str(value)});
}

static struct im_name named(const char *id)
{
    struct im_name name;
    assert_int_equal(im_conv_parse(im_str(id), &name, NULL), IM_OK);
    return name;
}

static void token(struct stage *t, const char *secret, enum im_token_use use, const char *user, const char *device)
{
    char key[IM_SECRET_KEY];
    struct im_out value = {0};
    struct im_token made = {.use = use, .user = named(user)};
    if (use == IM_TOKEN_HOOK)
        made.to = named("bob");
    im_token_write(&made, &value);
    im_secret_key(im_str(secret), key);
    put_record(t, (struct im_record){.kind = IM_RECORD_TOKEN,
                                     .key = im_str(key),
                                     .owner = im_name_key(&made.user),
                                     .name = im_str(device),
                                     .value = {im_out_data(&value), value.len}});
    im_out_clear(&value);
}

static void invite(struct stage *t, const char *code, const char *value, int64_t expires_ms)
{
    char key[IM_SECRET_KEY];
    im_secret_key(im_str(code), key);
    put_record(t, (struct im_record){
                      .kind = IM_RECORD_INVITE, .key = im_str(key), .value = im_str(value), .expires_ms = expires_ms});
}

#define ANN "{\"password\":\"1:secret88\",\"created\":1}"

/* Somebody comes, on a device or on none, and asks something. */

static void come(struct stage *t, struct wire *x, const char *device)
{
    char hello[100];
    wire_open(t->w, x, &im_dialect_json);
    free(x->link.session->address);
    x->link.session->address = im_strndup("192.0.2.1:5000", 14);
    if (device) {
        snprintf(hello, sizeof hello, "{\"op\":\"hello\",\"device\":\"%s\"}", device);
        wire_say(x, hello);
        wire_heard(x);
    }
}

static const char *ask(struct wire *x, const char *op, const char *fields)
{
    char text[2000];
    snprintf(text, sizeof text, "{\"op\":\"%s\",\"id\":1%s%s}", op, *fields ? "," : "", fields);
    wire_say(x, text);
    return wire_heard(x);
}

#define assert_part(heard, part)                                                                                       \
    do {                                                                                                               \
        const char *heard_ = (heard);                                                                                  \
        if (strstr(heard_, part) == NULL)                                                                              \
            fail_msg("heard: %s", heard_);                                                                             \
    } while (0)

/* One who comes, logs in and goes. */
static const char *try_login(struct stage *t, const char *device, const char *fields)
{
    static char heard[2000];
    struct wire x;
    come(t, &x, device);
    snprintf(heard, sizeof heard, "%s", ask(&x, "login", fields));
    wire_close_now(&x);
    return heard;
}

/* The token in an answer. */
static const char *token_in(struct stage *t, const char *heard)
{
    const char *at = strstr(heard, "\"token\":\"");
    if (at == NULL)
        fail_msg("heard: %s", heard);
    snprintf(t->token, sizeof t->token, "%.43s", at + 9);
    return t->token;
}

static const char *with_token(const char *token)
{
    static char fields[3000];
    snprintf(fields, sizeof fields, "\"token\":\"%s\"", token);
    return fields;
}

#define ANN_LOGIN "\"user\":\"ann\",\"password\":\"secret88\""
#define ANN_WRONG "\"user\":\"ann\",\"password\":\"wrong\""

/* Open mode. */

static void in_open_mode_an_id_without_account_logs_in_by_itself(void **state)
{
    struct stage *t = *state;
    t->w->config->auth_mode = IM_AUTH_OPEN;
    assert_part(try_login(t, NULL, "\"user\":\"小明\""), "\"user\":\"小明\"");
    assert_part(try_login(t, NULL, "\"user\":\"小明\",\"password\":\"x\""), "bad_login");
    assert_part(try_login(t, NULL, ""), "give user, or token");
}

static void in_open_mode_a_registered_id_needs_its_password(void **state)
{
    struct stage *t = *state;
    t->w->config->auth_mode = IM_AUTH_OPEN;
    account(t, "ann", ANN);
    assert_part(try_login(t, NULL, "\"user\":\"Ann\""), "password_needed");
    assert_part(try_login(t, NULL, ANN_WRONG), "bad_login");
    assert_part(try_login(t, NULL, ANN_LOGIN), "\"user\":\"ann\"");
}

/* Passwords. */

static void where_everybody_has_an_account_no_id_comes_without(void **state)
{
    struct stage *t = *state;
    account(t, "ann", ANN);
    assert_part(try_login(t, NULL, "\"user\":\"ann\""), "password_needed");
    assert_part(try_login(t, NULL, "\"user\":\"nobody\""), "password_needed");
    assert_part(try_login(t, NULL, ANN_LOGIN), "\"op\":\"ok\"");
}

static void a_wrong_password_and_an_unknown_user_get_the_same_answer_for_the_same_work(void **state)
{
    struct stage *t = *state;
    account(t, "ann", ANN);
    account(t, "off", "{\"password\":\"1:secret88\",\"disabled\":true}");
    account(t, "gone", "{\"password\":\"1:secret88\",\"deleted\":true}");
    account(t, "bot", "{\"password\":\"\",\"bot\":true}");
    char *wrong = strdup(try_login(t, NULL, ANN_WRONG));
    assert_part(wrong, "\"name\":\"bad_login\"");
    static const char *const others[] = {"nobody", "off", "gone", "bot"};
    for (unsigned i = 0; i < sizeof others / sizeof *others; i++) {
        char fields[100];
        snprintf(fields, sizeof fields, "\"user\":\"%s\",\"password\":\"secret88\"", others[i]);
        assert_string_equal(try_login(t, NULL, fields), wrong);
        assert_int_equal(t->hasher.verified, i + 2);
        assert_int_equal(t->hasher.for_nobody, i + 1);
    }
    free(wrong);
    assert_int_equal(t->w->counters.n[IM_C_LOGINS_FAILED], 5);
    assert_int_equal(t->w->counters.n[IM_C_PASSWORDS], 5);
}

static void a_hash_with_old_parameters_is_renewed(void **state)
{
    struct stage *t = *state;
    account(t, "ann", ANN);
    t->hasher.parameters = 2;
    assert_part(try_login(t, NULL, ANN_WRONG), "bad_login");
    assert_non_null(strstr(record_value(t, IM_RECORD_ACCOUNT, "ann"), "1:secret88"));
    assert_part(try_login(t, NULL, ANN_LOGIN), "\"op\":\"ok\"");
    assert_string_equal(record_value(t, IM_RECORD_ACCOUNT, "ann"), "{\"password\":\"2:secret88\",\"created\":1}");
}

static void with_too_many_passwords_to_hash_a_login_is_asked_to_wait(void **state)
{
    struct stage *t = *state;
    struct wire x;
    account(t, "ann", ANN);
    t->hasher.busy = true;
    come(t, &x, NULL);
    assert_part(ask(&x, "login", ANN_LOGIN), "\"name\":\"busy\"");
    t->hasher.busy = false;
    assert_part(ask(&x, "login", ANN_LOGIN), "\"op\":\"ok\""); /* the same session may try again */
    wire_close_now(&x);
}

static void a_session_that_goes_while_its_password_is_hashed_does_no_harm(void **state)
{
    struct stage *t = *state;
    struct wire x;
    account(t, "ann", ANN);
    t->hasher.late = true;
    come(t, &x, "phone");
    ask(&x, "login", ANN_LOGIN);
    wire_close_now(&x);
    assert_false(im_core_idle(t->w->core));
    hash_one(t);
    assert_true(im_core_idle(t->w->core));
    assert_int_equal(count_tokens(t, "ann"), 0);
}

static void while_a_password_is_hashed_nothing_else_is_read(void **state)
{
    struct stage *t = *state;
    struct wire x;
    account(t, "ann", ANN);
    t->hasher.late = true;
    come(t, &x, NULL);
    assert_string_equal(ask(&x, "login", ANN_LOGIN), "");
    assert_true(x.held);
    hash_one(t);
    assert_false(x.held);
    assert_heard_part(&x, "\"user\":\"ann\"");
    wire_close_now(&x);
}

static void a_refused_login_from_an_address_ends_the_session(void **state)
{
    struct stage *t = *state;
    struct wire x;
    come(t, &x, NULL);
    im_core_command(t->w->core, &x.link,
                    &(struct im_command){.op = IM_OP_LOGIN,
                                         .or_close = true,
                                         .have = IM_BIT(user) | IM_BIT(token),
                                         .user = IM_STR("ann"),
                                         .token = IM_STR("x")});
    wire_settle(&x);
    assert_true(x.closed);
    assert_int_equal(x.reason, IM_BAD_TOKEN);
    wire_close_now(&x);
}

/* Back-off. */

static void guesses_at_one_account_cost_more_and_more_time(void **state)
{
    struct stage *t = *state;
    struct wire x;
    account(t, "ann", ANN);
    t->w->config->backoff_start_ms = 1000;
    come(t, &x, NULL);
    for (unsigned i = 0; i < 5; i++)
        assert_part(ask(&x, "login", ANN_WRONG), "bad_login");
    free(x.link.session->address); /* from wherever */
    x.link.session->address = im_strndup("[2001:db8::1]:9", 15);
    assert_part(ask(&x, "login", ANN_LOGIN), "\"name\":\"back_off\"");
    assert_part(ask(&x, "login", ANN_LOGIN), "\"after\":1000");
    assert_int_equal(t->hasher.verified, 5);
    world_time(t->w, 1000);
    assert_part(ask(&x, "login", ANN_LOGIN), "\"op\":\"ok\"");
    wire_close_now(&x);
    assert_part(try_login(t, NULL, ANN_WRONG), "bad_login");
    assert_part(try_login(t, NULL, ANN_WRONG), "\"after\":2000"); /* the address was not forgiven */
}

static void guesses_from_one_address_cost_more_and_more_time(void **state)
{
    struct stage *t = *state;
    char fields[100];
    account(t, "ann", ANN);
    for (unsigned i = 0; i < 5; i++) {
        snprintf(fields, sizeof fields, "\"user\":\"user%u\",\"password\":\"secret88\"", i);
        assert_part(try_login(t, NULL, fields), "bad_login");
    }
    assert_part(try_login(t, NULL, ANN_LOGIN), "back_off");
    assert_part(try_login(t, NULL, "\"token\":\"any\""), "back_off");
    world_time(t->w, 1000);
    assert_part(try_login(t, NULL, ANN_LOGIN), "\"op\":\"ok\"");
}

static void an_ipv6_network_is_one_address(void **state)
{
    struct stage *t = *state;
    struct wire x;
    char address[60];
    come(t, &x, NULL);
    for (unsigned i = 0; i < 6; i++) {
        free(x.link.session->address);
        snprintf(address, sizeof address, "[2001:db8:0:1::%x]:%u", i + 1, i);
        x.link.session->address = im_strndup(address, strlen(address));
        assert_part(ask(&x, "login", "\"token\":\"any\""), i < 5 ? "bad_token" : "back_off");
    }
    free(x.link.session->address);
    x.link.session->address = im_strndup("[2001:db8:0:2::1]:1", 19);
    assert_part(ask(&x, "login", "\"token\":\"any\""), "bad_token");
    wire_close_now(&x);
}

static void loopback_is_everybody_behind_a_proxy_and_counts_only_if_asked_to(void **state)
{
    struct stage *t = *state;
    struct wire x;
    come(t, &x, NULL);
    free(x.link.session->address);
    x.link.session->address = im_strndup("127.0.0.1:5000", 14);
    for (unsigned i = 0; i < 6; i++)
        assert_part(ask(&x, "login", "\"token\":\"any\""), "bad_token");
    t->w->config->count_loopback = true;
    for (unsigned i = 0; i < 6; i++)
        assert_part(ask(&x, "login", "\"token\":\"any\""), i < 5 ? "bad_token" : "back_off");
    wire_close_now(&x);
}

static void of_many_guesses_at_once_only_the_first_are_answered(void **state)
{
    struct stage *t = *state;
    struct wire x[7];
    account(t, "ann", ANN);
    t->hasher.late = true;
    for (unsigned i = 0; i < 7; i++) {
        come(t, &x[i], NULL);
        ask(&x[i], "login", i < 6 ? ANN_WRONG : ANN_LOGIN);
    }
    for (unsigned i = 0; i < 7; i++) {
        hash_one(t);
        assert_heard_part(&x[i], i < 5 ? "bad_login" : "back_off");
        wire_close_now(&x[i]);
    }
}

/* Tokens. */

static void a_named_device_gets_a_token_and_logs_in_with_it(void **state)
{
    struct stage *t = *state;
    account(t, "ann", ANN);
    const char *heard = try_login(t, "phone", ANN_LOGIN);
    assert_part(heard, "\"expires\":1702592000001");
    token_in(t, heard);
    unsigned hashed = t->hasher.verified;
    assert_part(try_login(t, "phone", with_token(t->token)), "\"user\":\"ann\"");
    assert_part(try_login(t, NULL, with_token(t->token)), "\"user\":\"ann\""); /* it says which device it is of */
    assert_part(try_login(t, "laptop", with_token(t->token)), "bad_token");
    assert_int_equal(t->hasher.verified, hashed);
    char fields[200];
    snprintf(fields, sizeof fields, "\"user\":\"bob\",\"token\":\"%s\"", t->token);
    assert_part(try_login(t, "phone", fields), "bad_token");
    world_time(t->w, t->w->config->token_ms);
    assert_part(try_login(t, "phone", with_token(t->token)), "bad_token");
}

static void a_session_without_a_device_gets_no_token(void **state)
{
    struct stage *t = *state;
    account(t, "ann", ANN);
    assert_null(strstr(try_login(t, NULL, ANN_LOGIN), "token"));
    assert_int_equal(count_tokens(t, "ann"), 0);
}

static void the_store_keeps_nothing_that_logs_in(void **state)
{
    struct stage *t = *state;
    char key[IM_SECRET_KEY];
    account(t, "ann", ANN);
    token_in(t, try_login(t, "phone", ANN_LOGIN));
    im_secret_key(im_str(t->token), key);
    assert_non_null(record_value(t, IM_RECORD_TOKEN, key));
    assert_null(strstr(record_value(t, IM_RECORD_TOKEN, key), t->token));
    assert_part(try_login(t, "phone", with_token(key)), "bad_token");
}

static void each_device_has_one_token_and_there_are_no_more_than_devices(void **state)
{
    struct stage *t = *state;
    char first[IM_SECRET_MAX];
    account(t, "ann", ANN);
    t->w->config->devices_max = 2;
    snprintf(first, sizeof first, "%s", token_in(t, try_login(t, "a", ANN_LOGIN)));
    token_in(t, try_login(t, "a", ANN_LOGIN));
    assert_part(try_login(t, "a", with_token(first)), "bad_token");
    assert_part(try_login(t, "a", with_token(t->token)), "\"op\":\"ok\"");
    snprintf(first, sizeof first, "%s", t->token);
    for (unsigned i = 0; i < 3; i++) {
        world_time(t->w, 1000);
        try_login(t, i == 0 ? "b" : i == 1 ? "c" : "d", ANN_LOGIN);
        assert_true(count_tokens(t, "ann") <= 2);
    }
    assert_part(try_login(t, "a", with_token(first)), "bad_token");
}

static void bye_may_revoke_the_token(void **state)
{
    struct stage *t = *state;
    struct wire x;
    account(t, "ann", ANN);
    come(t, &x, "phone");
    token_in(t, ask(&x, "login", ANN_LOGIN));
    assert_part(ask(&x, "bye", "\"forget\":true"), "\"op\":\"ok\"");
    wire_close_now(&x);
    assert_part(try_login(t, "phone", with_token(t->token)), "bad_token");
}

static void a_bot_logs_in_with_a_token_made_for_it(void **state)
{
    struct stage *t = *state;
    struct wire x;
    account(t, "bot", "{\"password\":\"\",\"bot\":true}");
    token(t, "bot-token", IM_TOKEN_API, "bot", NULL);
    come(t, &x, "any");
    assert_part(ask(&x, "login", with_token("bot-token")), "\"user\":\"bot\"");
    assert_part(ask(&x, "password", "\"new\":\"secret99\""), "forbidden");
    assert_part(ask(&x, "bye", "\"forget\":true"), "\"op\":\"ok\"");
    wire_close_now(&x);
    assert_part(try_login(t, NULL, with_token("bot-token")), "\"user\":\"bot\""); /* bye forgets the device's only */
}

static void the_token_of_a_closed_account_does_not_log_in(void **state)
{
    struct stage *t = *state;
    token(t, "off-token", IM_TOKEN_API, "off", NULL);
    assert_part(try_login(t, NULL, with_token("off-token")), "bad_token"); /* no account at all */
    account(t, "off", "{\"password\":\"\",\"disabled\":true}");
    assert_part(try_login(t, NULL, with_token("off-token")), "bad_token");
    account(t, "off", "{\"password\":\"\",\"deleted\":true}");
    assert_part(try_login(t, NULL, with_token("off-token")), "bad_token");
}

static const char *login_as(struct wire *x, enum im_seat_kind seat, const char *token)
{
    im_core_command(
        x->world->core, &x->link,
        &(struct im_command){
            .op = IM_OP_LOGIN, .id = IM_STR("1"), .have = IM_BIT(token), .token = im_str(token), .seat = seat});
    return wire_heard(x);
}

static void a_webhooks_token_is_for_webhooks_and_no_other_is(void **state)
{
    struct stage *t = *state;
    struct wire x;
    account(t, "ann", ANN);
    token(t, "hook-token", IM_TOKEN_HOOK, "ann", NULL);
    token(t, "bot-token", IM_TOKEN_API, "ann", NULL);
    assert_part(try_login(t, NULL, with_token("hook-token")), "bad_token");
    come(t, &x, NULL);
    assert_part(login_as(&x, IM_SEAT_SENDER, "bot-token"), "bad_token");
    assert_part(login_as(&x, IM_SEAT_SENDER, "hook-token"), "\"user\":\"ann\"");
    assert_int_equal(x.link.session->seat, IM_SEAT_SENDER);
    assert_str(im_name_text(x.link.session->hook_to), "bob");
    wire_close_now(&x);
}

/* Signed tokens. */

static const char *signed_token(const char *claims)
{
    static char text[1000];
    static const char header[] = "{\"alg\":\"HS256\"}";
    uint8_t mac[32];
    size_t n;
    sodium_bin2base64(text, sizeof text, (const uint8_t *)header, strlen(header),
                      sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    strcat(text, ".");
    n = strlen(text);
    sodium_bin2base64(text + n, sizeof text - n, (const uint8_t *)claims, strlen(claims),
                      sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    crypto_auth_hmacsha256(mac, (const uint8_t *)text, strlen(text), jwt_secret);
    strcat(text, ".");
    n = strlen(text);
    sodium_bin2base64(text + n, sizeof text - n, mac, sizeof mac, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    return with_token(text);
}

#define GUEST "{\"sub\":\"Guest\",\"aud\":\"imd\",\"exp\":1700000060}"

static void whom_another_system_vouches_for_gets_an_account(void **state)
{
    struct stage *t = *state;
    t->w->config->auth_mode = IM_AUTH_TOKEN;
    assert_part(try_login(t, "web", signed_token(GUEST)), "\"user\":\"Guest\"");
    assert_string_equal(record_value(t, IM_RECORD_ACCOUNT, "guest"), "{\"password\":\"\",\"created\":1700000000001}");
    assert_part(try_login(t, "web", signed_token(GUEST)), "\"user\":\"Guest\"");
    assert_int_equal(count_tokens(t, "guest"), 0);
    account(t, "guest", "{\"password\":\"\",\"disabled\":true}");
    assert_part(try_login(t, "web", signed_token(GUEST)), "bad_token");
}

static void in_open_mode_a_signed_token_makes_no_account(void **state)
{
    struct stage *t = *state;
    t->w->config->auth_mode = IM_AUTH_OPEN;
    assert_part(try_login(t, NULL, signed_token(GUEST)), "\"user\":\"Guest\"");
    assert_null(record_value(t, IM_RECORD_ACCOUNT, "guest"));
    assert_part(try_login(t, NULL, "\"user\":\"guest\""), "\"op\":\"ok\"");
}

static void a_bad_signed_token_is_refused_without_saying_why(void **state)
{
    struct stage *t = *state;
    char fields[1200];
    assert_part(try_login(t, NULL, signed_token("{\"sub\":\"Guest\",\"aud\":\"imd\",\"exp\":1600000000}")),
                "\"name\":\"bad_token\",\"text\":\"The token is not valid, or no longer.\",");
    snprintf(fields, sizeof fields, "\"user\":\"ann\",%s", signed_token(GUEST));
    assert_part(try_login(t, NULL, fields), "bad_token");
    assert_part(try_login(t, NULL, with_token("a.b.c")), "bad_token");
    assert_null(record_value(t, IM_RECORD_ACCOUNT, "guest"));
}

static void where_only_tokens_log_in_passwords_do_not(void **state)
{
    struct stage *t = *state;
    t->w->config->auth_mode = IM_AUTH_TOKEN;
    t->w->config->auth_register = IM_REGISTRATION_ON;
    account(t, "ann", ANN);
    assert_part(try_login(t, NULL, ANN_LOGIN), "only tokens log in here");
    assert_part(try_login(t, NULL, "\"user\":\"ann\""), "only tokens log in here");
    struct wire x;
    come(t, &x, NULL);
    assert_part(ask(&x, "register", "\"user\":\"bob\",\"password\":\"secret88\""), "register_off");
    wire_close_now(&x);
    assert_int_equal(t->hasher.verified, 0);
}

/* Unix sockets, and the server itself. */

static void come_by_unix(struct stage *t, struct wire *x, uint32_t uid)
{
    *x = (struct wire){.world = t->w};
    x->link.ops = &wire_ops;
    x->link.dialect = &im_dialect_json;
    struct im_link_info info = {.transport = "unix", .address = IM_STR("unix:uid=1"), .has_uid = true, .uid = uid};
    assert_int_equal(im_core_opened(t->w->core, &x->link, &info), IM_OK);
}

static void a_process_of_a_mapped_system_user_needs_nothing(void **state)
{
    struct stage *t = *state;
    struct wire x;
    static const struct {
        uint32_t uid;
        const char *fields, *heard;
    } cases[] = {
        {1000, "", "\"user\":\"Ann\""},
        {1000, "\"user\":\"ANN\"", "\"user\":\"Ann\""},
        {1000, "\"user\":\"bob\"", "password_needed"},
        {1001, "", "give user, or token"},
        {1001, "\"user\":\"ann\"", "password_needed"},
    };
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        come_by_unix(t, &x, cases[i].uid);
        assert_part(ask(&x, "login", cases[i].fields), cases[i].heard);
        wire_close_now(&x);
    }
    assert_non_null(record_value(t, IM_RECORD_ACCOUNT, "ann"));
    account(t, "ann", "{\"password\":\"\",\"disabled\":true}");
    come_by_unix(t, &x, 1000);
    assert_part(ask(&x, "login", ""), "bad_login");
    wire_close_now(&x);
}

static void the_server_itself_needs_nothing_either(void **state)
{
    struct stage *t = *state;
    struct wire x;
    account(t, "ann", ANN);
    come(t, &x, NULL);
    im_core_command(t->w->core, &x.link,
                    &(struct im_command){.op = IM_OP_LOGIN,
                                         .id = IM_STR("1"),
                                         .have = IM_BIT(user),
                                         .user = IM_STR("ann"),
                                         .trusted = true,
                                         .seat = IM_SEAT_QUIET});
    assert_heard_part(&x, "\"user\":\"ann\"");
    assert_false(im_core_online_user(t->w->core, IM_STR("ann")));
    wire_close_now(&x);
}

/* Devices. */

static void a_device_that_is_in_use_may_be_refused(void **state)
{
    struct stage *t = *state;
    struct wire a, b;
    account(t, "ann", ANN);
    t->w->config->device_duplicate = IM_DUPLICATE_REFUSE;
    come(t, &a, "phone");
    token_in(t, ask(&a, "login", ANN_LOGIN));
    come(t, &b, "phone");
    assert_part(ask(&b, "login", ANN_LOGIN), "\"name\":\"device_in_use\"");
    assert_part(ask(&b, "login", with_token(t->token)), "device_in_use"); /* which is as good as before */
    wire_close_now(&a);
    assert_part(ask(&b, "login", with_token(t->token)), "\"op\":\"ok\"");
    wire_close_now(&b);
}

static void a_user_has_so_many_sessions(void **state)
{
    struct stage *t = *state;
    struct wire a, b;
    account(t, "ann", ANN);
    t->w->config->sessions_per_user = 1;
    come(t, &a, NULL);
    assert_part(ask(&a, "login", ANN_LOGIN), "\"op\":\"ok\"");
    come(t, &b, NULL);
    assert_part(ask(&b, "login", ANN_LOGIN), "too_many");
    wire_close_now(&a);
    assert_part(ask(&b, "login", ANN_LOGIN), "\"op\":\"ok\"");
    wire_close_now(&b);
}

static void a_login_under_way_does_not_outlive_what_it_rests_on(void **state)
{
    struct stage *t = *state;
    struct wire x, y;
    account(t, "ann", ANN);
    account(t, "bob", "{\"password\":\"1:secret88\"}");
    t->hasher.late = true;
    come(t, &x, NULL);
    ask(&x, "login", ANN_LOGIN);
    come(t, &y, NULL);
    ask(&y, "login", "\"user\":\"bob\",\"password\":\"secret88\"");
    im_core_revoke(t->w->core, IM_STR("ann"), (struct im_str){0});
    hash_one(t);
    assert_heard_part(&x, "\"name\":\"conflict\"");
    hash_one(t);
    assert_heard_part(&y, "\"user\":\"bob\"");
    wire_close_now(&x);
    wire_close_now(&y);
}

/* Registering. */

#define BOB "\"user\":\"Bob\",\"password\":\"secret88\""

static void whoever_registers_is_logged_in(void **state)
{
    struct stage *t = *state;
    struct wire x;
    t->w->config->auth_register = IM_REGISTRATION_ON;
    come(t, &x, "phone");
    const char *heard = ask(&x, "register", BOB);
    assert_part(heard, "\"user\":\"Bob\"");
    token_in(t, heard);
    assert_string_equal(record_value(t, IM_RECORD_ACCOUNT, "bob"),
                        "{\"password\":\"1:secret88\",\"created\":1700000000001}");
    wire_close_now(&x);
    assert_part(try_login(t, NULL, BOB), "\"op\":\"ok\"");
    assert_part(try_login(t, "phone", with_token(t->token)), "\"op\":\"ok\"");
}

static void registration_is_refused_with_its_reason(void **state)
{
    struct stage *t = *state;
    struct wire x;
    account(t, "ann", ANN);
    account(t, "gone", "{\"password\":\"\",\"deleted\":true}");
    come(t, &x, NULL);
    assert_part(ask(&x, "register", BOB), "register_off");
    t->w->config->auth_register = IM_REGISTRATION_INVITE;
    assert_part(ask(&x, "register", BOB), "bad_invite");
    t->w->config->auth_register = IM_REGISTRATION_ON;
    assert_part(ask(&x, "register", "\"user\":\"Bob\",\"password\":\"short77\""), "weak_password");
    assert_part(ask(&x, "register", "\"user\":\"Bob\",\"password\":\"七个字也太短了\""), "weak_password");
    assert_part(ask(&x, "register", "\"user\":\"a b\",\"password\":\"secret88\""), "bad_id");
    assert_part(ask(&x, "register", ANN_LOGIN), "user_exists");
    assert_part(ask(&x, "register", "\"user\":\"gone\",\"password\":\"secret88\""), "user_exists");
    assert_int_equal(t->hasher.made, 0);
    t->hasher.busy = true;
    assert_part(ask(&x, "register", BOB), "busy");
    t->hasher.busy = false;
    assert_part(ask(&x, "register", "\"user\":\"Bob\",\"password\":\"八个字就足够长了\""), "\"op\":\"ok\"");
    wire_close_now(&x);
}

static void of_two_who_want_an_id_one_gets_it(void **state)
{
    struct stage *t = *state;
    struct wire x, y;
    t->w->config->auth_register = IM_REGISTRATION_ON;
    t->hasher.late = true;
    come(t, &x, NULL);
    come(t, &y, NULL);
    ask(&x, "register", BOB);
    ask(&y, "register", "\"user\":\"bob\",\"password\":\"another88\"");
    hash_one(t);
    hash_one(t);
    assert_heard_part(&x, "\"op\":\"ok\"");
    assert_heard_part(&y, "user_exists");
    wire_close_now(&x);
    wire_close_now(&y);
}

static const char *try_register(struct stage *t, const char *fields)
{
    static char heard[1000];
    struct wire x;
    come(t, &x, NULL);
    snprintf(heard, sizeof heard, "%s", ask(&x, "register", fields));
    wire_close_now(&x);
    return heard;
}

#define INVITED "\"password\":\"secret88\",\"invite\":\"welcome\""

static void an_invitation_is_good_for_so_many(void **state)
{
    struct stage *t = *state;
    char key[IM_SECRET_KEY];
    t->w->config->auth_register = IM_REGISTRATION_INVITE;
    im_secret_key(IM_STR("welcome"), key);
    assert_part(try_register(t, "\"user\":\"a\"," INVITED), "bad_invite");
    invite(t, "welcome", "{\"uses\":2}", 0);
    account(t, "ann", ANN);
    assert_part(try_register(t, "\"user\":\"ann\"," INVITED), "user_exists"); /* which costs no use */
    assert_part(try_register(t, "\"user\":\"a\"," INVITED), "\"op\":\"ok\"");
    assert_non_null(strstr(record_value(t, IM_RECORD_INVITE, key), "\"uses\":1"));
    assert_part(try_register(t, "\"user\":\"b\"," INVITED), "\"op\":\"ok\"");
    assert_part(try_register(t, "\"user\":\"c\"," INVITED), "bad_invite");
    assert_null(record_value(t, IM_RECORD_ACCOUNT, "c"));
    assert_non_null(strstr(record_value(t, IM_RECORD_INVITE, key), "\"uses\":0")); /* until it is swept */
    invite(t, "welcome", "{\"uses\":2}", 1700000000000);
    assert_part(try_register(t, "\"user\":\"c\"," INVITED), "bad_invite"); /* expired */
}

static void who_comes_together_with_one_invitation_shares_its_uses(void **state)
{
    struct stage *t = *state;
    struct wire x[3];
    unsigned in = 0;
    t->w->config->auth_register = IM_REGISTRATION_INVITE;
    t->hasher.late = true;
    invite(t, "welcome", "{\"uses\":2}", 0);
    for (unsigned i = 0; i < 3; i++) {
        char fields[100];
        come(t, &x[i], NULL);
        snprintf(fields, sizeof fields, "\"user\":\"user%u\"," INVITED, i);
        ask(&x[i], "register", fields);
    }
    assert_int_equal(t->hasher.count, 3);
    for (unsigned i = 0; i < 3; i++) /* all have read it before any has used it */
        fake_hash(&t->hasher, t->hasher.waiting[i]);
    t->hasher.count = 0;
    for (unsigned i = 0; i < 3; i++) {
        in += strstr(wire_heard(&x[i]), "\"op\":\"ok\"") != NULL;
        wire_close_now(&x[i]);
    }
    assert_int_equal(in, 2);
}

static void who_loses_a_race_for_an_id_keeps_the_invitation(void **state)
{
    static const char *const users[] = {"ann", "ann", "bob"};
    struct stage *t = *state;
    struct wire x[3];
    char key[IM_SECRET_KEY];
    unsigned in = 0, there = 0;
    t->w->config->auth_register = IM_REGISTRATION_INVITE;
    t->hasher.late = true;
    invite(t, "welcome", "{\"uses\":3}", 1800000000000);
    im_secret_key(IM_STR("welcome"), key);
    for (unsigned i = 0; i < 3; i++) {
        char fields[100];
        come(t, &x[i], NULL);
        snprintf(fields, sizeof fields, "\"user\":\"%s\"," INVITED, users[i]);
        ask(&x[i], "register", fields);
    }
    assert_int_equal(t->hasher.count, 3);
    for (unsigned i = 0; i < 3; i++)
        fake_hash(&t->hasher, t->hasher.waiting[i]);
    t->hasher.count = 0;
    for (unsigned i = 0; i < 3; i++) {
        const char *heard = wire_heard(&x[i]);
        in += strstr(heard, "\"op\":\"ok\"") != NULL;
        there += strstr(heard, "user_exists") != NULL;
        wire_close_now(&x[i]);
    }
    assert_true(in == 2 && there == 1);
    assert_non_null(strstr(record_value(t, IM_RECORD_INVITE, key), "\"uses\":1"));
    t->hasher.late = false;
    assert_part(try_register(t, "\"user\":\"cat\"," INVITED), "\"op\":\"ok\"");
    assert_part(try_register(t, "\"user\":\"dan\"," INVITED), "bad_invite");
}

static void invitations_cannot_be_guessed_fast(void **state)
{
    struct stage *t = *state;
    t->w->config->auth_register = IM_REGISTRATION_INVITE;
    for (unsigned i = 0; i < 6; i++)
        assert_part(try_register(t, "\"user\":\"a\"," INVITED), i < 5 ? "bad_invite" : "back_off");
    assert_int_equal(t->hasher.made, 0);
}

static void who_sat_on_an_id_in_open_mode_goes_when_it_is_registered(void **state)
{
    struct stage *t = *state;
    struct wire x, y;
    t->w->config->auth_mode = IM_AUTH_OPEN;
    t->w->config->auth_register = IM_REGISTRATION_ON;
    come(t, &x, NULL);
    assert_part(ask(&x, "login", "\"user\":\"bob\""), "\"op\":\"ok\"");
    come(t, &y, NULL);
    assert_part(ask(&y, "register", BOB), "\"op\":\"ok\"");
    assert_true(x.closed);
    assert_int_equal(x.reason, IM_REVOKED);
    wire_close_now(&x);
    wire_close_now(&y);
}

/* Changing the password. */

static void a_new_password_needs_the_old_one(void **state)
{
    struct stage *t = *state;
    struct wire x;
    account(t, "ann", ANN);
    come(t, &x, NULL);
    ask(&x, "login", ANN_LOGIN);
    assert_part(ask(&x, "password", "\"new\":\"better888\""), "password_needed");
    assert_part(ask(&x, "password", "\"new\":\"short\",\"password\":\"secret88\""), "weak_password");
    assert_part(ask(&x, "password", "\"new\":\"better888\",\"password\":\"wrong\""), "bad_login");
    assert_string_equal(record_value(t, IM_RECORD_ACCOUNT, "ann"), ANN);
    assert_string_equal(ask(&x, "password", "\"new\":\"better888\",\"password\":\"secret88\""),
                        "{\"op\":\"ok\",\"id\":1}\n");
    wire_close_now(&x);
    assert_part(try_login(t, NULL, ANN_LOGIN), "bad_login");
    assert_part(try_login(t, NULL, "\"user\":\"ann\",\"password\":\"better888\""), "\"op\":\"ok\"");
}

static void a_new_password_ends_what_rested_on_the_old_one(void **state)
{
    struct stage *t = *state;
    struct wire mine, other, bare, bot;
    char first[IM_SECRET_MAX];
    account(t, "ann", ANN);
    token(t, "bot-token", IM_TOKEN_API, "ann", NULL);
    come(t, &mine, "phone");
    snprintf(first, sizeof first, "%s", token_in(t, ask(&mine, "login", ANN_LOGIN)));
    come(t, &other, "laptop");
    token_in(t, ask(&other, "login", ANN_LOGIN));
    come(t, &bare, NULL);
    ask(&bare, "login", ANN_LOGIN);
    come(t, &bot, NULL);
    ask(&bot, "login", with_token("bot-token"));
    assert_part(ask(&mine, "password", "\"new\":\"better888\",\"password\":\"secret88\""), "\"op\":\"ok\"");
    assert_true(other.closed && bare.closed && !bot.closed && !mine.closed);
    assert_int_equal(other.reason, IM_REVOKED);
    wire_close_now(&mine);
    wire_close_now(&other);
    wire_close_now(&bare);
    wire_close_now(&bot);
    assert_part(try_login(t, "laptop", with_token(t->token)), "bad_token");
    assert_part(try_login(t, "phone", with_token(first)), "\"op\":\"ok\"");
    assert_part(try_login(t, NULL, with_token("bot-token")), "\"op\":\"ok\"");
}

static void a_change_of_password_goes_on_without_its_session(void **state)
{
    struct stage *t = *state;
    struct wire mine, other;
    account(t, "ann", ANN);
    come(t, &mine, "phone");
    ask(&mine, "login", ANN_LOGIN);
    come(t, &other, "laptop");
    token_in(t, ask(&other, "login", ANN_LOGIN));
    t->hasher.late = true;
    ask(&mine, "password", "\"new\":\"better888\",\"password\":\"secret88\"");
    hash_one(t);
    struct im_hash_job *job = t->hasher.waiting[--t->hasher.count];
    fake_hash(&t->hasher, job); /* the new account is on its way to the store */
    im_core_closed(t->w->core, &mine.link, IM_GONE);
    settle(t);
    im_out_clear(&mine.out);
    im_link_clear(&mine.link);
    free(mine.line);
    t->hasher.late = false;
    assert_true(other.closed);
    wire_close_now(&other);
    assert_int_equal(count_tokens(t, "ann"), 1); /* its own */
    assert_part(try_login(t, "laptop", with_token(t->token)), "bad_token");
}

static void who_has_no_password_may_set_one(void **state)
{
    struct stage *t = *state;
    struct wire x;
    come(t, &x, NULL);
    ask(&x, "login", signed_token(GUEST));
    assert_part(ask(&x, "password", "\"new\":\"secret88\""), "\"op\":\"ok\"");
    wire_close_now(&x);
    assert_part(try_login(t, NULL, "\"user\":\"guest\",\"password\":\"secret88\""), "\"op\":\"ok\"");
}

static void an_id_that_is_not_registered_has_no_password(void **state)
{
    struct stage *t = *state;
    struct wire x;
    t->w->config->auth_mode = IM_AUTH_OPEN;
    come(t, &x, NULL);
    ask(&x, "login", "\"user\":\"bob\"");
    assert_part(ask(&x, "password", "\"new\":\"secret88\""), "this id is not registered");
    wire_close_now(&x);
}

static void without_a_hasher_passwords_are_busy(void **state)
{
    struct world *w = *state;
    struct wire x;
    w->config->auth_mode = IM_AUTH_PASSWORD;
    wire_open(w, &x, &im_dialect_json);
    assert_part(ask(&x, "login", ANN_LOGIN), "busy");
    wire_close_now(&x);
}

#define stage_test(name) cmocka_unit_test_setup_teardown(name, stage_new, stage_free)

int main(void)
{
    const struct CMUnitTest tests[] = {
        stage_test(in_open_mode_an_id_without_account_logs_in_by_itself),
        stage_test(in_open_mode_a_registered_id_needs_its_password),
        stage_test(where_everybody_has_an_account_no_id_comes_without),
        stage_test(a_wrong_password_and_an_unknown_user_get_the_same_answer_for_the_same_work),
        stage_test(a_hash_with_old_parameters_is_renewed),
        stage_test(with_too_many_passwords_to_hash_a_login_is_asked_to_wait),
        stage_test(a_session_that_goes_while_its_password_is_hashed_does_no_harm),
        stage_test(while_a_password_is_hashed_nothing_else_is_read),
        stage_test(a_refused_login_from_an_address_ends_the_session),
        stage_test(guesses_at_one_account_cost_more_and_more_time),
        stage_test(guesses_from_one_address_cost_more_and_more_time),
        stage_test(an_ipv6_network_is_one_address),
        stage_test(loopback_is_everybody_behind_a_proxy_and_counts_only_if_asked_to),
        stage_test(of_many_guesses_at_once_only_the_first_are_answered),
        stage_test(a_named_device_gets_a_token_and_logs_in_with_it),
        stage_test(a_session_without_a_device_gets_no_token),
        stage_test(the_store_keeps_nothing_that_logs_in),
        stage_test(each_device_has_one_token_and_there_are_no_more_than_devices),
        stage_test(bye_may_revoke_the_token),
        stage_test(a_bot_logs_in_with_a_token_made_for_it),
        stage_test(the_token_of_a_closed_account_does_not_log_in),
        stage_test(a_webhooks_token_is_for_webhooks_and_no_other_is),
        stage_test(whom_another_system_vouches_for_gets_an_account),
        stage_test(in_open_mode_a_signed_token_makes_no_account),
        stage_test(a_bad_signed_token_is_refused_without_saying_why),
        stage_test(where_only_tokens_log_in_passwords_do_not),
        stage_test(a_process_of_a_mapped_system_user_needs_nothing),
        stage_test(the_server_itself_needs_nothing_either),
        stage_test(a_device_that_is_in_use_may_be_refused),
        stage_test(a_user_has_so_many_sessions),
        stage_test(a_login_under_way_does_not_outlive_what_it_rests_on),
        stage_test(whoever_registers_is_logged_in),
        stage_test(registration_is_refused_with_its_reason),
        stage_test(of_two_who_want_an_id_one_gets_it),
        stage_test(an_invitation_is_good_for_so_many),
        stage_test(who_comes_together_with_one_invitation_shares_its_uses),
        stage_test(who_loses_a_race_for_an_id_keeps_the_invitation),
        stage_test(invitations_cannot_be_guessed_fast),
        stage_test(who_sat_on_an_id_in_open_mode_goes_when_it_is_registered),
        stage_test(a_new_password_needs_the_old_one),
        stage_test(a_new_password_ends_what_rested_on_the_old_one),
        stage_test(a_change_of_password_goes_on_without_its_session),
        stage_test(who_has_no_password_may_set_one),
        stage_test(an_id_that_is_not_registered_has_no_password),
        world_test(without_a_hasher_passwords_are_busy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
