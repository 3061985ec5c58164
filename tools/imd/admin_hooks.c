#include <sodium/randombytes.h>
#include <stdlib.h>

#include "core/account.h"
#include "core/mem.h"
#include "tools/imd/admin.h"
#include "tools/imd/hook_record.h"
#include "tools/imd/hooks.h"
#include "tools/imd/log.h"
#include "tools/safe_json.h"
#include "transports/http_client.h"
#include "transports/http_hook.h"

static struct imd *host(const struct im_rpc_call *call)
{
    return call->rpc->host;
}

static struct imd_hooks *hooks_of(const struct im_rpc_call *call)
{
    return host(call)->hooks;
}

static void set_flag(json_t *object, const char *key, bool on)
{
    json_object_set_new(object, key, json_boolean(on));
}

/* The hook that a command is about; NULL: there is none, and the call has failed. */
static struct imd_hook *find(struct im_rpc_call *call)
{
    struct im_str name = im_rpc_string(call, "name");
    struct imd_hook *hook = imd_hooks_find(hooks_of(call), name);
    if (!hook)
        im_rpc_fail(call, IM_NOT_FOUND, "no hook \"%.*s\"; see: imctl hook list", (int)name.len, name.p);
    return hook;
}

/* Does whoever is named have an account, where one is needed? */

struct lookup {
    struct im_store_records op;
    struct im_rpc_call *call;
    struct im_name user;
    void (*next)(struct im_rpc_call *, const struct im_name *user);
};

static void looked_up(struct im_store_op *op)
{
    struct lookup *l = op->owner;
    struct im_account account;
    bool open = host(l->call)->config->auth_mode == IM_AUTH_OPEN;
    bool found = op->status == IM_OK && l->op.count > 0 && im_account_read(l->op.rows[0].value, &account);
    imd_hooks_pending(hooks_of(l->call), -1);
    if (op->status != IM_OK)
        im_rpc_fail(l->call, op->status, "%s", im_reason_info(op->status)->text[IM_EN]);
    else if ((found && (account.disabled || account.deleted)) || (!found && !open))
        im_rpc_fail(l->call, IM_NO_SUCH_USER, "%s has no account", im_name_text(&l->user).p);
    else
        l->next(l->call, &l->user);
    free(l->op.rows);
    free(l);
}

static void with_user(struct im_rpc_call *call, void (*next)(struct im_rpc_call *, const struct im_name *user))
{
    struct lookup *l = im_zalloc(sizeof *l);
    struct im_error error;
    if (im_name_parse(im_rpc_string(call, "user"), &l->user, &error) != IM_OK) {
        im_rpc_fail(call, IM_BAD_ID, "user: %s", error.detail);
        free(l);
        return;
    }
    l->call = call;
    l->next = next;
    l->op = (struct im_store_records){.op = {.kind = IM_STORE_RECORDS, .done = looked_up, .owner = l},
                                      .kind = IM_RECORD_ACCOUNT,
                                      .key = im_name_key(&l->user),
                                      .limit = 1};
    imd_hooks_pending(hooks_of(call), 1);
    im_store_submit(host(call)->store, &l->op.op);
}

/* What a hook is. */

static json_t *event_list(const struct im_hook_rule *rule)
{
    json_t *list = json_array();
    for (enum im_event_type type = 0; type <= IM_EV_LAST_DURABLE; type++)
        if (rule->events >> type & 1)
            json_array_append_new(list, json_string(im_hook_event_name(type)));
    return list;
}

static json_t *conversation_list(const struct im_hook_rule *rule)
{
    json_t *list = json_array();
    for (size_t i = 0; i < rule->conversation_count; i++)
        json_array_append_new(list, im_json_text(im_name_text(&rule->conversations[i])));
    return list;
}

static void describe_state(json_t *row, const struct imd_hook *hook)
{
    struct im_hook_view v = {.state = "disabled", .problem = ""};
    if (hook->running)
        im_hook_look(hook->running, &v);
    else if (hook->rule.gone)
        v.problem = "the receiver answered 410: it wants no more";
    im_json_set_text(row, "state", im_str(v.state));
    im_json_set_number(row, "waiting", v.waiting);
    im_json_set_number(row, "delivered", v.delivered);
    im_json_set_number(row, "skipped", v.skipped);
    im_json_set_number(row, "failed", v.failed);
    im_json_set_number(row, "failures_in_a_row", v.failures);
    json_object_set_new(row, "last_status", v.last_status ? json_integer(v.last_status) : json_null());
    im_json_set_text(row, "problem", im_str(v.problem));
    json_object_set_new(row, "next_ms", v.next_ms ? json_integer((json_int_t)v.next_ms) : json_null());
    if (v.last_ms)
        im_json_set_number(row, "answered_ago_ms", (uint64_t)(im_log_wall_ms() - v.last_ms));
}

/* A URL may be a secret: whoever may only look sees where it leads, and no more. */
static json_t *describe(const struct im_rpc_call *call, const struct imd_hook *hook)
{
    const struct im_hook_rule *rule = &hook->rule;
    struct im_str url = im_str(rule->url);
    json_t *row = json_object();
    im_json_set_text(row, "name", im_str(hook->name));
    im_json_set_text(row, "user", im_name_text(&rule->owner));
    im_json_set_text(row, "url", call->peer.may_write ? url : im_http_url_origin(url));
    set_flag(row, "enabled", rule->enabled);
    im_json_set_text(row, "when", im_str(rule->away ? "away" : "always"));
    set_flag(row, "own", rule->own);
    json_object_set_new(row, "events", event_list(rule));
    json_object_set_new(row, "conversations", conversation_list(rule));
    describe_state(row, hook);
    return row;
}

/* hook.list */

static void hook_list(struct im_rpc_call *call)
{
    json_t *rows = json_array(), *result = json_object();
    for (const struct imd_hook *hook = imd_hooks_first(hooks_of(call)); hook; hook = hook->next)
        json_array_append_new(rows, describe(call, hook));
    json_object_set_new(result, "hooks", rows);
    im_rpc_result(call, result);
}

/* hook.show: with how much of the log is still to be gone through. */

#define BEHIND_MAX 1000

struct showing {
    struct im_store_since op;
    struct im_rpc_call *call;
    struct im_name owner;
    char name[IM_HOOK_NAME_MAX + 1];
};

static void shown(struct im_store_op *op)
{
    struct showing *s = op->owner;
    const struct imd_hook *hook = imd_hooks_find(hooks_of(s->call), im_str(s->name));
    imd_hooks_pending(hooks_of(s->call), -1);
    if (op->status != IM_OK) {
        im_rpc_fail(s->call, op->status, "%s", im_reason_info(op->status)->text[IM_EN]);
    } else if (!hook) {
        im_rpc_fail(s->call, IM_NOT_FOUND, "no hook \"%s\" any more", s->name);
    } else {
        json_t *result = describe(s->call, hook);
        im_json_set_number(result, "behind", s->op.count);
        set_flag(result, "behind_more", s->op.count >= BEHIND_MAX); /* and no further was counted */
        im_rpc_result(s->call, result);
    }
    for (size_t i = 0; op->status == IM_OK && i < s->op.count; i++)
        im_event_drop(&s->op.events[i]);
    free(s->op.events);
    free(s);
}

static void hook_show(struct im_rpc_call *call)
{
    struct im_hook_view view = {0};
    const struct imd_hook *hook = find(call);
    if (!hook)
        return;
    if (hook->running)
        im_hook_look(hook->running, &view);
    if (!view.up) { /* where it stands is known when it runs */
        json_t *result = describe(call, hook);
        json_object_set_new(result, "behind", json_null());
        im_rpc_result(call, result);
        return;
    }
    struct showing *s = im_zalloc(sizeof *s);
    s->call = call;
    s->owner = hook->rule.owner;
    memcpy(s->name, hook->name, sizeof s->name);
    s->op = (struct im_store_since){.op = {.kind = IM_STORE_SINCE, .done = shown, .owner = s},
                                    .key = im_name_key(&s->owner),
                                    .after = view.acked_pos,
                                    .limit = BEHIND_MAX,
                                    .bytes = UINT32_MAX};
    imd_hooks_pending(hooks_of(call), 1);
    im_store_submit(host(call)->store, &s->op.op);
}

/* hook.add */

static void fresh_secret(struct im_hook_rule *rule)
{
    uint8_t random[32];
    char secret[IM_SECRET_MAX];
    randombytes_buf(random, sizeof random);
    im_secret_write(random, secret);
    im_hook_set_secret(rule, im_str(secret), NULL);
}

static bool is_word(const struct im_rpc_call *call, const char *arg, const char *word)
{
    return im_str_eq(im_rpc_string(call, arg), im_str(word));
}

static enum im_reason read_rule(const struct im_rpc_call *call, struct im_hook_rule *rule, struct im_error *error)
{
    struct im_str secret = im_rpc_string(call, "secret");
    rule->away = is_word(call, "when", "away");
    rule->own = is_word(call, "own", "yes");
    rule->enabled = true;
    rule->created_ms = im_log_wall_ms();
    enum im_reason r = im_hook_check_name(im_rpc_string(call, "name"), error);
    if (r == IM_OK)
        r = im_hook_set_url(rule, im_rpc_string(call, "url"), error);
    if (r == IM_OK)
        r = im_hook_set_events(rule, im_rpc_string(call, "events"), error);
    if (r == IM_OK)
        r = im_hook_set_conversations(rule, im_rpc_string(call, "conversations"), error);
    if (r == IM_OK && secret.p)
        r = im_hook_set_secret(rule, secret, error);
    else if (r == IM_OK)
        fresh_secret(rule);
    return r;
}

static void added(void *arg, enum im_reason reason)
{
    struct im_rpc_call *call = arg;
    struct im_str name = im_rpc_string(call, "name");
    const struct imd_hook *hook = reason == IM_OK ? imd_hooks_find(hooks_of(call), name) : NULL;
    if (reason == IM_CONFLICT) {
        im_rpc_fail(call, IM_CONFLICT, "there is a hook \"%.*s\" already", (int)name.len, name.p);
    } else if (!hook) {
        im_rpc_fail(call, reason == IM_OK ? IM_NOT_FOUND : reason, "the hook could not be kept");
    } else {
        json_t *result = describe(call, hook);
        im_json_set_text(result, "secret", im_str(hook->rule.secret)); /* this once */
        im_rpc_result(call, result);
    }
}

static void add_for(struct im_rpc_call *call, const struct im_name *user)
{
    struct im_hook_rule rule = {0};
    struct im_error error = {0};
    enum im_reason reason = read_rule(call, &rule, &error);
    rule.owner = *user;
    if (reason != IM_OK)
        im_rpc_fail(call, reason, "%s", error.detail);
    else if (imd_hooks_count(hooks_of(call)) >= IMD_HOOKS_MAX)
        im_rpc_fail(call, IM_TOO_MANY, "there are %d hooks already", IMD_HOOKS_MAX);
    else
        imd_hooks_put(hooks_of(call), json_string_value(json_object_get(call->args, "name")), &rule, true, added, call);
    im_hook_rule_clear(&rule);
}

static void hook_add(struct im_rpc_call *call)
{
    with_user(call, add_for);
}

/* hook.enable, hook.disable, hook.del */

static void changed(void *arg, enum im_reason reason)
{
    struct im_rpc_call *call = arg;
    struct im_str name = im_rpc_string(call, "name");
    const struct imd_hook *hook = imd_hooks_find(hooks_of(call), name);
    if (reason != IM_OK) {
        im_rpc_fail(call, reason, "nothing was changed: %s", im_reason_info(reason)->text[IM_EN]);
        return;
    }
    json_t *result = json_object();
    im_json_set_text(result, "name", name);
    if (hook)
        set_flag(result, "enabled", hook->rule.enabled);
    else
        set_flag(result, "deleted", true);
    im_rpc_result(call, result);
}

static void enable(struct im_rpc_call *call, bool on)
{
    const struct imd_hook *hook = find(call);
    struct im_hook_rule rule;
    if (!hook)
        return;
    im_hook_rule_copy(&rule, &hook->rule);
    rule.enabled = on;
    rule.gone = false;
    imd_hooks_put(hooks_of(call), hook->name, &rule, false, changed, call);
}

static void hook_enable(struct im_rpc_call *call)
{
    enable(call, true);
}

static void hook_disable(struct im_rpc_call *call)
{
    enable(call, false);
}

static void hook_del(struct im_rpc_call *call)
{
    const struct imd_hook *hook = find(call);
    if (hook)
        imd_hooks_drop(hooks_of(call), hook->name, changed, call);
}

/* hook.test */

static void tried(void *arg, const struct im_http_outcome *outcome)
{
    struct im_rpc_call *call = arg;
    json_t *result = json_object();
    bool accepted = outcome->status >= 200 && outcome->status < 300;
    im_json_set_text(result, "name", im_rpc_string(call, "name"));
    set_flag(result, "accepted", accepted);
    json_object_set_new(result, "status", outcome->status ? json_integer(outcome->status) : json_null());
    im_json_set_text(result, "problem", im_str(outcome->problem));
    if (!accepted)
        imd_exits(result, 1);
    im_rpc_result(call, result);
}

static void hook_test(struct im_rpc_call *call)
{
    struct imd_hook *hook = find(call);
    if (hook)
        imd_hooks_test(hook, tried, call);
}

/* hook.in */

struct making {
    struct im_store_record_put op;
    struct im_rpc_call *call;
    struct im_token token;
    struct im_out value;
    char secret[IM_SECRET_MAX], key[IM_SECRET_KEY];
};

static void made(struct im_store_op *op)
{
    struct making *m = op->owner;
    struct im_rpc_call *call = m->call;
    imd_hooks_pending(hooks_of(call), -1);
    if (op->status != IM_OK) {
        im_rpc_fail(call, op->status, "%s", im_reason_info(op->status)->text[IM_EN]);
    } else {
        json_t *result = json_object();
        struct im_out path = {0};
        im_out_printf(&path, "%s%s", IM_HTTP_HOOK_PATH, m->secret);
        im_json_set_text(result, "user", im_name_text(&m->token.user));
        im_json_set_text(result, "to", im_name_text(&m->token.to));
        im_json_set_text(result, "path", (struct im_str){im_out_data(&path), path.len}); /* this once */
        im_json_set_text(result, "id", (struct im_str){m->key, 12});
        im_out_clear(&path);
        im_rpc_result(call, result);
    }
    im_out_clear(&m->value);
    free(m);
}

static void make_for(struct im_rpc_call *call, const struct im_name *user)
{
    struct making *m = im_zalloc(sizeof *m);
    struct im_str label = im_rpc_string(call, "label");
    uint8_t random[32];
    struct im_error error = {0};
    enum im_reason reason = im_conv_parse(im_rpc_string(call, "to"), &m->token.to, &error);
    if (reason == IM_OK && (label.len >= sizeof m->token.label || im_str_control(label)))
        reason =
            im_fail(&error, IM_BAD_FIELD, "label: at most %d bytes, no control characters", IM_TOKEN_LABEL_MAX - 1);
    if (reason != IM_OK) {
        im_rpc_fail(call, reason, "%s", error.detail);
        free(m);
        return;
    }
    m->call = call;
    m->token.use = IM_TOKEN_HOOK;
    m->token.user = *user;
    m->token.created_ms = im_log_wall_ms();
    memcpy(m->token.label, label.p ? label.p : "", label.len);
    randombytes_buf(random, sizeof random);
    im_secret_write(random, m->secret);
    im_secret_key(im_str(m->secret), m->key);
    im_token_write(&m->token, &m->value);
    m->op = (struct im_store_record_put){.op = {.kind = IM_STORE_RECORD_PUT, .done = made, .owner = m},
                                         .record = {.kind = IM_RECORD_TOKEN,
                                                    .key = im_str(m->key),
                                                    .owner = im_name_key(&m->token.user),
                                                    .value = {im_out_data(&m->value), m->value.len}}};
    imd_hooks_pending(hooks_of(call), 1);
    im_store_submit(host(call)->store, &m->op.op);
}

static void hook_in(struct im_rpc_call *call)
{
    with_user(call, make_for);
}

/* The table. */

#define NAME_ARG(required)                                                                                             \
    {                                                                                                                  \
        "name", IM_RPC_HOOK, required, NULL, "The hook's name."                                                        \
    }

const struct im_rpc_command imd_hook_commands[] = {
    {
        .name = "hook.list",
        .section = IM_RPC_HOOKS,
        .help = "The outgoing webhooks, and how each is doing.",
        .example = "hook list",
        .show = "table hooks name user url when state waiting delivered failed last_status problem next_ms",
        .run = hook_list,
    },
    {
        .name = "hook.show",
        .section = IM_RPC_HOOKS,
        .args = {NAME_ARG(true)},
        .help = "One outgoing webhook: what it is told of, how it is doing, and how many events of the log it is "
                "behind. The secret is not shown.",
        .example = "hook show archive",
        .show = "fields",
        .run = hook_show,
    },
    {
        .name = "hook.add",
        .section = IM_RPC_HOOKS,
        .access = IM_RPC_WRITE,
        .args = {{"name", IM_RPC_STRING, true, NULL, "A name for it: a-z, 0-9, '.', '_' and '-'."},
                 {"user", IM_RPC_USER, true, NULL, "Whose events it gets: a user's id, often a bot's."},
                 {"url", IM_RPC_PRIVATE, true, NULL, "Where they are posted to: http:// or https://."},
                 {"events", IM_RPC_STRING, false, NULL, "Some of msg,edit,delete,react,member; all unless given."},
                 {"when", IM_RPC_STRING, false, "always|away", "away: only while the user is not here."},
                 {"conversations", IM_RPC_STRING, false, NULL, "Some of them: ids and #groups, with commas."},
                 {"own", IM_RPC_STRING, false, "yes|no", "Also what the user sends; no unless given."},
                 {"secret", IM_RPC_SECRET, false, NULL,
                  "What signs the deliveries; made up unless named, then asked for."}},
        .help = "Post what happens in a user's conversations to a URL: each event as JSON, signed, in order, again "
                "until it is accepted. The answer tells the secret this once.",
        .usage = "NAME USER URL [events=LIST] [when=away] [conversations=LIST] [own=yes] [secret=]",
        .example = "hook add archive bot https://example.org/chat events=msg,edit",
        .show = "fields",
        .run = hook_add,
    },
    {
        .name = "hook.del",
        .section = IM_RPC_HOOKS,
        .access = IM_RPC_WRITE,
        .args = {NAME_ARG(true)},
        .help = "Delete an outgoing webhook, and forget how far it was.",
        .example = "hook del archive",
        .show = "fields",
        .run = hook_del,
    },
    {
        .name = "hook.enable",
        .section = IM_RPC_HOOKS,
        .access = IM_RPC_WRITE,
        .args = {NAME_ARG(true)},
        .help = "Let a webhook go on where it was. One that was enabled tries again at once.",
        .example = "hook enable archive",
        .show = "fields",
        .run = hook_enable,
    },
    {
        .name = "hook.disable",
        .section = IM_RPC_HOOKS,
        .access = IM_RPC_WRITE,
        .args = {NAME_ARG(true)},
        .help = "Stop a webhook. What happens meanwhile waits for it in the log.",
        .example = "hook disable archive",
        .show = "fields",
        .run = hook_disable,
    },
    {
        .name = "hook.test",
        .section = IM_RPC_HOOKS,
        .access = IM_RPC_WRITE,
        .args = {NAME_ARG(true)},
        .help = "Post a test event to a webhook's URL, beside the queue, and tell how it was answered.",
        .example = "hook test archive",
        .show = "fields",
        .run = hook_test,
    },
    {
        .name = "hook.in",
        .section = IM_RPC_HOOKS,
        .access = IM_RPC_WRITE,
        .args = {{"user", IM_RPC_USER, true, NULL, "Who the messages are from: a user's id, often a bot's."},
                 {"to", IM_RPC_TARGET, true, NULL, "Where they go: an id, or a #group that the user is in."},
                 {"label", IM_RPC_STRING, false, NULL, "What you call it, in lists of tokens."}},
        .help = "Make an incoming webhook: a path on the HTTP address. Whoever knows it can post messages from the "
                "user to that one conversation. It is told this once.",
        .example = "hook in bot '#alerts'",
        .show = "fields",
        .run = hook_in,
    },
    {.name = NULL},
};
