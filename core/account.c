#include "core/account.h"

#include <jansson.h>
#include <sodium/crypto_hash_sha256.h>
#include <sodium/utils.h>

/* Reading. */

static json_t *parse(struct im_str value)
{
    json_t *root = json_loadb(value.p ? value.p : "", value.len, JSON_REJECT_DUPLICATES, NULL);
    if (json_is_object(root))
        return root;
    json_decref(root);
    return NULL;
}

static struct im_str text(const json_t *root, const char *key)
{
    const json_t *v = json_object_get(root, key);
    return json_is_string(v) ? (struct im_str){json_string_value(v), json_string_length(v)} : (struct im_str){0};
}

static int64_t number(const json_t *root, const char *key)
{
    return json_integer_value(json_object_get(root, key));
}

bool im_account_read(struct im_str value, struct im_account *out)
{
    json_t *root = parse(value);
    struct im_str password = text(root, "password");
    bool ok = password.p && password.len < sizeof out->password && !memchr(password.p, '\0', password.len);
    *out = (struct im_account){0};
    if (ok) {
        memcpy(out->password, password.p, password.len);
        out->disabled = json_is_true(json_object_get(root, "disabled"));
        out->deleted = json_is_true(json_object_get(root, "deleted"));
        out->bot = json_is_true(json_object_get(root, "bot"));
        out->created_ms = number(root, "created");
    }
    json_decref(root);
    return ok;
}

static const char *const uses[] = {[IM_TOKEN_SESSION] = "session", [IM_TOKEN_API] = "api", [IM_TOKEN_HOOK] = "hook"};

static bool find_use(struct im_str name, enum im_token_use *out)
{
    for (size_t i = 0; i < sizeof uses / sizeof *uses; i++) {
        if (im_str_eq(name, im_str(uses[i]))) {
            *out = (enum im_token_use)i;
            return true;
        }
    }
    return false;
}

bool im_token_read(struct im_str value, struct im_token *out)
{
    json_t *root = parse(value);
    *out = (struct im_token){0};
    bool ok = find_use(text(root, "use"), &out->use) && im_name_parse(text(root, "user"), &out->user, NULL) == IM_OK;
    if (ok && out->use == IM_TOKEN_HOOK)
        ok = im_conv_parse(text(root, "to"), &out->to, NULL) == IM_OK;
    struct im_str label = text(root, "label");
    if (label.p && label.len < sizeof out->label)
        memcpy(out->label, label.p, label.len);
    out->created_ms = number(root, "created");
    json_decref(root);
    return ok;
}

bool im_invite_read(struct im_str value, struct im_invite *out)
{
    json_t *root = parse(value);
    json_int_t n = number(root, "uses");
    bool ok = json_is_integer(json_object_get(root, "uses")) && n >= 0 && n <= UINT32_MAX;
    *out = (struct im_invite){0};
    if (ok)
        *out = (struct im_invite){.uses = (uint32_t)n, .created_ms = number(root, "created")};
    json_decref(root);
    return ok;
}

/* Writing: an object whose last member is when it was made. */

static void put_text(struct im_out *out, const char *key, struct im_str value)
{
    im_out_printf(out, "\"%s\":", key);
    im_out_json(out, value);
    im_out_char(out, ',');
}

static void put_flag(struct im_out *out, const char *key, bool on)
{
    if (on)
        im_out_printf(out, "\"%s\":true,", key);
}

static void put_created(struct im_out *out, int64_t ms)
{
    im_out_str(out, "\"created\":");
    im_out_i64(out, ms);
    im_out_char(out, '}');
}

void im_account_write(const struct im_account *a, struct im_out *out)
{
    im_out_char(out, '{');
    put_text(out, "password", im_str(a->password));
    put_flag(out, "disabled", a->disabled);
    put_flag(out, "deleted", a->deleted);
    put_flag(out, "bot", a->bot);
    put_created(out, a->created_ms);
}

void im_token_write(const struct im_token *t, struct im_out *out)
{
    im_out_char(out, '{');
    put_text(out, "use", im_str(uses[t->use]));
    put_text(out, "user", im_name_text(&t->user));
    if (t->use == IM_TOKEN_HOOK)
        put_text(out, "to", im_name_text(&t->to));
    if (*t->label)
        put_text(out, "label", im_str(t->label));
    put_created(out, t->created_ms);
}

void im_invite_write(const struct im_invite *i, struct im_out *out)
{
    im_out_printf(out, "{\"uses\":%u,", i->uses);
    put_created(out, i->created_ms);
}

/* Secrets. They are random and long, so one round of a fast hash is enough to keep what is stored from logging in. */

void im_secret_write(const uint8_t random[32], char out[IM_SECRET_MAX])
{
    sodium_bin2base64(out, IM_SECRET_MAX, random, 32, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
}

void im_secret_key(struct im_str secret, char out[IM_SECRET_KEY])
{
    uint8_t hash[crypto_hash_sha256_BYTES];
    crypto_hash_sha256(hash, (const uint8_t *)(secret.p ? secret.p : ""), secret.len);
    sodium_bin2hex(out, IM_SECRET_KEY, hash, sizeof hash);
}

enum im_reason im_unix_user_spec(const char *spec, struct im_str *user, struct im_name *id, struct im_error *error)
{
    const char *colon = strchr(spec, ':');
    struct im_error why = {0};
    *user = (struct im_str){0};
    if (strcmp(spec, "*") == 0)
        return IM_OK;
    if (!colon || colon == spec)
        return im_fail(error, IM_CONFIG, "\"%.100s\" is not SYSTEM-USER:ID or \"*\"", spec);
    if (im_name_parse(im_str(colon + 1), id, &why) != IM_OK)
        return im_fail(error, IM_CONFIG, "\"%.100s\" does not name an id: %.100s", spec, why.detail);
    *user = (struct im_str){spec, (size_t)(colon - spec)};
    return IM_OK;
}
