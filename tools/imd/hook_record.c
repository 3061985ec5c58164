#include "tools/imd/hook_record.h"

#include <jansson.h>
#include <stdlib.h>

#include "core/mem.h"
#include "transports/http_client.h"

/* Parts. */

enum im_reason im_hook_check_name(struct im_str name, struct im_error *error)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyz0123456789._-";
    bool ok = name.len > 0 && name.len <= IM_HOOK_NAME_MAX;
    for (size_t i = 0; ok && i < name.len; i++)
        ok = name.p[i] != '\0' && strchr(allowed, name.p[i]);
    if (ok)
        return IM_OK;
    return im_fail(error, IM_BAD_FIELD, "name: 1 to %d of a-z, 0-9, '.', '_' and '-'", IM_HOOK_NAME_MAX);
}

static void keep(char **slot, struct im_str s)
{
    free(*slot);
    *slot = im_strndup(s.p, s.len);
}

enum im_reason im_hook_set_url(struct im_hook_rule *rule, struct im_str text, struct im_error *error)
{
    struct im_http_url url;
    enum im_reason reason = im_http_url_parse(text, &url, error);
    if (reason == IM_OK)
        keep(&rule->url, text);
    return reason;
}

enum im_reason im_hook_set_secret(struct im_hook_rule *rule, struct im_str secret, struct im_error *error)
{
    bool ok = secret.len >= 8 && secret.len <= IM_HOOK_SECRET_MAX;
    for (size_t i = 0; ok && i < secret.len; i++)
        ok = secret.p[i] > 0x20 && secret.p[i] < 0x7f;
    if (!ok)
        return im_fail(error, IM_BAD_FIELD, "secret: 8 to %d visible ASCII characters", IM_HOOK_SECRET_MAX);
    keep(&rule->secret, secret);
    return IM_OK;
}

static bool add_event(struct im_hook_rule *rule, struct im_str name)
{
    for (enum im_event_type type = 0; type <= IM_EV_LAST_DURABLE; type++) {
        if (!im_str_eq(name, im_str(im_hook_event_name(type))))
            continue;
        rule->events |= 1u << type;
        return true;
    }
    return false;
}

static enum im_reason add_conversation(struct im_hook_rule *rule, struct im_str text, struct im_error *error)
{
    if (rule->conversation_count == IM_HOOK_CONVERSATIONS_MAX)
        return im_fail(error, IM_BAD_FIELD, "conversations: at most %d", IM_HOOK_CONVERSATIONS_MAX);
    size_t n = rule->conversation_count + 1;
    rule->conversations = im_realloc(rule->conversations, n * sizeof *rule->conversations);
    enum im_reason reason = im_conv_parse(text, &rule->conversations[n - 1], error);
    if (reason == IM_OK)
        rule->conversation_count = n;
    return reason;
}

static bool cut(struct im_str *rest, struct im_str *element)
{
    if (rest->p == NULL)
        return false;
    const char *comma = memchr(rest->p, ',', rest->len);
    *element = (struct im_str){rest->p, comma ? (size_t)(comma - rest->p) : rest->len};
    *rest = comma ? (struct im_str){comma + 1, rest->len - element->len - 1} : (struct im_str){0};
    return true;
}

enum im_reason im_hook_set_events(struct im_hook_rule *rule, struct im_str list, struct im_error *error)
{
    struct im_str name;
    rule->events = list.p ? 0 : IM_HOOK_ALL_EVENTS;
    while (cut(&list, &name))
        if (!add_event(rule, name))
            return im_fail(error, IM_BAD_FIELD, "events: \"%.*s\" is none of msg, edit, delete, react, member",
                           name.len < 40 ? (int)name.len : 40, name.p);
    return IM_OK;
}

enum im_reason im_hook_set_conversations(struct im_hook_rule *rule, struct im_str list, struct im_error *error)
{
    struct im_str text;
    enum im_reason reason = IM_OK;
    rule->conversation_count = 0;
    while (reason == IM_OK && cut(&list, &text))
        reason = add_conversation(rule, text, error);
    return reason;
}

/* Reading. */

static struct im_str text_of(const json_t *v)
{
    return json_is_string(v) ? (struct im_str){json_string_value(v), json_string_length(v)} : (struct im_str){0};
}

static bool read_events(struct im_hook_rule *rule, const json_t *list)
{
    const json_t *v;
    size_t i;
    rule->events = list ? 0 : IM_HOOK_ALL_EVENTS;
    json_array_foreach(list, i, v)
    {
        if (!add_event(rule, text_of(v)))
            return false;
    }
    return true;
}

static bool read_conversations(struct im_hook_rule *rule, const json_t *list)
{
    const json_t *v;
    size_t i;
    json_array_foreach(list, i, v)
    {
        if (add_conversation(rule, text_of(v), NULL) != IM_OK)
            return false;
    }
    return true;
}

static bool read_rule(struct im_hook_rule *rule, const json_t *root)
{
    struct im_str when = text_of(json_object_get(root, "when"));
    rule->away = im_str_eq(when, IM_STR("away"));
    rule->own = json_is_true(json_object_get(root, "own"));
    rule->enabled = json_is_true(json_object_get(root, "enabled"));
    rule->gone = json_is_true(json_object_get(root, "gone"));
    json_int_t since = json_integer_value(json_object_get(root, "since"));
    rule->since = since > 0 ? (uint64_t)since : 0;
    rule->created_ms = json_integer_value(json_object_get(root, "created"));
    return im_name_parse(text_of(json_object_get(root, "user")), &rule->owner, NULL) == IM_OK &&
           im_hook_set_url(rule, text_of(json_object_get(root, "url")), NULL) == IM_OK &&
           im_hook_set_secret(rule, text_of(json_object_get(root, "secret")), NULL) == IM_OK &&
           read_events(rule, json_object_get(root, "events")) &&
           read_conversations(rule, json_object_get(root, "conversations"));
}

bool im_hook_record_read(struct im_str value, struct im_hook_rule *out)
{
    json_t *root = json_loadb(value.p ? value.p : "", value.len, JSON_REJECT_DUPLICATES, NULL);
    *out = (struct im_hook_rule){0};
    bool ok = json_is_object(root) && read_rule(out, root);
    json_decref(root);
    return ok;
}

/* Writing. */

static void put_text(struct im_out *out, const char *key, struct im_str s)
{
    im_out_str(out, key);
    im_out_json(out, s);
}

static void put_events(struct im_out *out, unsigned events)
{
    const char *before = "";
    im_out_str(out, ",\"events\":[");
    for (enum im_event_type type = 0; type <= IM_EV_LAST_DURABLE; type++) {
        if (!(events >> type & 1))
            continue;
        put_text(out, before, im_str(im_hook_event_name(type)));
        before = ",";
    }
    im_out_char(out, ']');
}

void im_hook_record_write(const struct im_hook_rule *rule, struct im_out *out)
{
    put_text(out, "{\"user\":", im_name_text(&rule->owner));
    put_text(out, ",\"url\":", im_str(rule->url));
    put_text(out, ",\"secret\":", im_str(rule->secret));
    if (rule->events != IM_HOOK_ALL_EVENTS)
        put_events(out, rule->events);
    for (size_t i = 0; i < rule->conversation_count; i++)
        put_text(out, i == 0 ? ",\"conversations\":[" : ",", im_name_text(&rule->conversations[i]));
    if (rule->conversation_count > 0)
        im_out_char(out, ']');
    put_text(out, ",\"when\":", rule->away ? IM_STR("away") : IM_STR("always"));
    im_out_str(out, rule->own ? ",\"own\":true" : "");
    im_out_str(out, rule->enabled ? ",\"enabled\":true" : "");
    im_out_str(out, rule->gone ? ",\"gone\":true" : "");
    if (rule->since > 0)
        im_out_printf(out, ",\"since\":%llu", (unsigned long long)rule->since);
    im_out_printf(out, ",\"created\":%lld}", (long long)rule->created_ms);
}
