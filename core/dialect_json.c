#include <assert.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>

#include "core/config.h"
#include "core/dialect.h"
#include "core/mem.h"

/* im.v1: one JSON object per message. Reading goes through jansson; writing is by hand, `op` first. */

#define DEPTH_MAX  32
#define VALUES_MAX 2048 /* bounds what the parser may allocate, whatever the message's size */
#define ID_MAX     64

enum field_type { FIELD_STR, FIELD_U64, FIELD_POS, FIELD_BOOL, FIELD_STRS };

struct field {
    const char *name;
    enum field_type type;
    uint64_t max;
    size_t offset, count_offset;
};

#define AT_STR(name)  offsetof(struct im_command, name), 0
#define AT_U64(name)  offsetof(struct im_command, name), 0
#define AT_POS(name)  offsetof(struct im_command, name), 0
#define AT_BOOL(name) offsetof(struct im_command, name), 0
#define AT_STRS(name) offsetof(struct im_command, name), offsetof(struct im_command, name##_count)

static const struct field fields[IM_FIELD_COUNT] = {
#define IM_FIELD(name, type, max) {#name, FIELD_##type, max, AT_##type(name)},
#include "core/tbl/fields.def"
#undef IM_FIELD
};

static const struct {
    uint32_t required, optional;
} op_fields[IM_OP_COUNT] = {
#define IM_OP(sym, name, who, required, optional, handler) [IM_OP_##sym] = {required, optional},
#include "core/tbl/ops.def"
#undef IM_OP
};

struct decoded {
    json_t *root;
    struct im_str *strings; /* of the one STRS field */
    struct im_out id;
};

static void release(struct im_command *cmd)
{
    struct decoded *d = cmd->memory;
    json_decref(d->root);
    free(d->strings);
    im_out_clear(&d->id);
    free(d);
}

/* Refuses what would make the parser work or allocate out of proportion, before it sees it. */
static enum im_reason prescan(struct im_str s, struct im_error *error)
{
    size_t depth = 0, values = 1;
    bool quoted = false;
    for (size_t i = 0; i < s.len; i++) {
        char c = s.p[i];
        if (quoted) {
            if (c == '\\')
                i++;
            else if (c == '"')
                quoted = false;
        } else if (c == '"') {
            quoted = true;
        } else if (c == '{' || c == '[') {
            values++;
            if (++depth > DEPTH_MAX)
                return im_fail(error, IM_BAD_JSON, "column %zu: nested deeper than %d", i + 1, DEPTH_MAX);
        } else if (c == '}' || c == ']') {
            depth -= depth > 0;
        } else if (c == ',' && ++values > VALUES_MAX) {
            return im_fail(error, IM_BAD_JSON, "column %zu: more than %d values", i + 1, VALUES_MAX);
        }
    }
    return IM_OK;
}

/* jansson quotes the input after " near "; that may cut a character in half, so it stays out. */
static enum im_reason parse_failed(struct im_error *error, const json_error_t *e)
{
    const char *near = strstr(e->text, " near ");
    int len = near ? (int)(near - e->text) : (int)strlen(e->text);
    return im_fail(error, IM_BAD_JSON, "column %d: %.*s", e->column, len, e->text);
}

static enum im_reason read_id(struct im_command *cmd, struct decoded *d, struct im_error *error)
{
    json_t *id = json_object_get(d->root, "id");
    if (id == NULL)
        return IM_OK;
    if (json_is_integer(id))
        im_out_i64(&d->id, json_integer_value(id));
    else if (json_is_string(id) && json_string_length(id) <= ID_MAX)
        im_out_json(&d->id, (struct im_str){json_string_value(id), json_string_length(id)});
    else
        return im_fail(error, IM_BAD_FIELD, "id: must be an integer or a string of at most %d bytes", ID_MAX);
    cmd->id = (struct im_str){im_out_data(&d->id), d->id.len};
    return IM_OK;
}

static enum im_reason read_op(struct im_command *cmd, const json_t *root, struct im_error *error)
{
    const json_t *op = json_object_get(root, "op");
    if (!json_is_string(op))
        return im_fail(error, IM_BAD_FIELD, "op: must be a string");
    for (enum im_op i = IM_OP_NONE + 1; i < IM_OP_COUNT; i++)
        if (strcmp(json_string_value(op), im_op_name(i)) == 0) {
            cmd->op = i;
            return IM_OK;
        }
    return im_fail(error, IM_BAD_OP, "op: '%.32s' is not known", json_string_value(op));
}

static enum im_reason read_str(const json_t *v, const struct field *f, struct im_str *out, struct im_error *error)
{
    if (!json_is_string(v))
        return im_fail(error, IM_BAD_FIELD, "%s: must be a string", f->name);
    *out = (struct im_str){json_string_value(v), json_string_length(v)};
    if (f->type == FIELD_STR && out->len > f->max)
        return im_fail(error, IM_TOO_LONG, "%s: at most %" PRIu64 " bytes", f->name, f->max);
    return IM_OK;
}

static enum im_reason read_pos(const json_t *v, const struct field *f, uint64_t *out, struct im_error *error)
{
    struct im_str s;
    if (!json_is_string(v) || read_str(v, f, &s, error) != IM_OK || !im_str_u64(s, out) || *out > f->max)
        return im_fail(error, IM_BAD_FIELD, "%s: must be a position as the server gave it (a string)", f->name);
    return IM_OK;
}

static enum im_reason read_u64(const json_t *v, const struct field *f, uint64_t *out, struct im_error *error)
{
    json_int_t n = json_is_integer(v) ? json_integer_value(v) : -1;
    if (n < 0 || (uint64_t)n > f->max)
        return im_fail(error, IM_BAD_FIELD, "%s: must be an integer from 0 to %" PRIu64, f->name, f->max);
    *out = (uint64_t)n;
    return IM_OK;
}

static enum im_reason read_strs(const json_t *v, const struct field *f, struct im_command *cmd, struct im_error *error)
{
    size_t n = json_array_size(v);
    if (!json_is_array(v) || n > f->max)
        return im_fail(error, IM_BAD_FIELD, "%s: must be an array of at most %" PRIu64 " strings", f->name, f->max);
    struct decoded *d = cmd->memory;
    assert(d->strings == NULL);
    d->strings = im_alloc((n + 1) * sizeof *d->strings);
    for (size_t i = 0; i < n; i++) {
        enum im_reason reason = read_str(json_array_get(v, i), f, &d->strings[i], error);
        if (reason != IM_OK)
            return reason;
    }
    *(struct im_str **)((char *)cmd + f->offset) = d->strings;
    *(size_t *)((char *)cmd + f->count_offset) = n;
    return IM_OK;
}

static enum im_reason read_field(const json_t *v, const struct field *f, struct im_command *cmd, struct im_error *error)
{
    void *at = (char *)cmd + f->offset;
    switch (f->type) {
    case FIELD_STR:
        return read_str(v, f, at, error);
    case FIELD_POS:
        return read_pos(v, f, at, error);
    case FIELD_U64:
        return read_u64(v, f, at, error);
    case FIELD_STRS:
        return read_strs(v, f, cmd, error);
    case FIELD_BOOL:
        if (!json_is_boolean(v))
            return im_fail(error, IM_BAD_FIELD, "%s: must be true or false", f->name);
        *(bool *)at = json_is_true(v);
        return IM_OK;
    }
    return IM_OK;
}

static enum im_reason read_fields(struct im_command *cmd, const json_t *root, struct im_error *error)
{
    uint32_t wanted = op_fields[cmd->op].required | op_fields[cmd->op].optional;
    for (unsigned i = 0; i < IM_FIELD_COUNT; i++) {
        const json_t *v = wanted >> i & 1 ? json_object_get(root, fields[i].name) : NULL;
        if (v == NULL || json_is_null(v)) {
            if (op_fields[cmd->op].required >> i & 1)
                return im_fail(error, IM_BAD_FIELD, "%s: is missing", fields[i].name);
            continue;
        }
        enum im_reason reason = read_field(v, &fields[i], cmd, error);
        if (reason != IM_OK)
            return reason;
        cmd->have |= 1u << i;
    }
    return IM_OK;
}

static enum im_reason decode(struct im_link *link, struct im_str message, struct im_command *cmd,
                             struct im_error *error)
{
    (void)link;
    enum im_reason reason = prescan(message, error);
    if (reason != IM_OK)
        return reason;
    json_error_t failure;
    json_t *root = json_loadb(message.p ? message.p : "", message.len, JSON_REJECT_DUPLICATES, &failure);
    if (root == NULL)
        return parse_failed(error, &failure);
    struct decoded *d = im_zalloc(sizeof *d);
    d->root = root;
    cmd->memory = d;
    cmd->release = release;
    if (!json_is_object(root))
        return im_fail(error, IM_BAD_JSON, "must be an object");
    if ((reason = read_id(cmd, d, error)) == IM_OK && (reason = read_op(cmd, root, error)) == IM_OK)
        reason = read_fields(cmd, root, error);
    return reason;
}

static void put_str(struct im_out *out, const char *key, struct im_str s)
{
    if (s.p == NULL)
        return;
    im_out_str(out, key);
    im_out_json(out, s);
}

static void put_u64(struct im_out *out, const char *key, uint64_t n)
{
    im_out_str(out, key);
    im_out_u64(out, n);
}

static void put_pos(struct im_out *out, uint64_t pos)
{
    put_u64(out, ",\"pos\":\"", pos);
    im_out_char(out, '"');
}

static void put_bool(struct im_out *out, const char *key, bool on)
{
    im_out_str(out, key);
    im_out_str(out, on ? "true" : "false");
}

static void make_msg(struct im_out *out, const struct im_event *e, bool own, const void *arg)
{
    (void)arg;
    const struct im_msg *m = &e->msg;
    put_str(out, "{\"op\":\"msg\",\"conv\":", im_msg_conv(m, own));
    put_u64(out, ",\"seq\":", m->seq);
    put_pos(out, m->pos);
    put_str(out, ",\"from\":", m->from);
    put_str(out, ",\"to\":", m->to);
    im_out_str(out, ",\"ts\":");
    im_out_i64(out, m->ts_ms);
    put_str(out, m->mime.p ? ",\"body\":" : ",\"text\":", m->body);
    put_str(out, ",\"mime\":", m->mime);
    put_str(out, ",\"cid\":", m->cid);
    im_out_char(out, '}');
}

static void put_msg(struct im_out *out, struct im_event *e, bool own)
{
    struct im_bytes *b = im_dialect_cached(e, IM_FORM_JSON, own, make_msg, NULL);
    im_out_put(out, b->data, b->len);
    im_bytes_drop(&b);
}

static void put_hello(struct im_out *out, const struct im_reply *r)
{
    const struct im_config *c = r->hello.config;
    put_str(out, ",\"v\":1,\"epoch\":", r->hello.epoch);
    im_out_str(out, ",\"auth\":[\"open\"]");
    put_u64(out, ",\"limits\":{\"message\":", c->message_bytes);
    put_u64(out, ",\"text\":", c->text_bytes);
    put_u64(out, ",\"cid\":", fields[IM_F_cid].max);
    put_u64(out, ",\"inflight\":", c->inflight);
    put_u64(out, ",\"rate\":", c->rate);
    put_u64(out, ",\"burst\":", c->burst);
    put_u64(out, ",\"history\":", c->history);
    put_u64(out, ",\"watch\":", c->watch);
    put_u64(out, "},\"ping\":", c->ping_ms);
}

static void put_send(struct im_out *out, const struct im_reply *r)
{
    const struct im_msg *m = &r->send.msg->msg;
    put_str(out, ",\"conv\":", im_msg_conv(m, true));
    put_u64(out, ",\"seq\":", m->seq);
    put_pos(out, m->pos);
    im_out_str(out, ",\"ts\":");
    im_out_i64(out, m->ts_ms);
    put_bool(out, ",\"online\":", r->send.online);
    if (r->send.dup)
        put_bool(out, ",\"dup\":", true);
}

static void put_history(struct im_out *out, const struct im_reply *r)
{
    put_str(out, ",\"conv\":", r->history.conv);
    im_out_str(out, ",\"messages\":[");
    for (size_t i = 0; i < r->history.count; i++) {
        struct im_event *e = r->history.events[i];
        if (i > 0)
            im_out_char(out, ',');
        put_msg(out, e, im_str_eq(e->msg.from_key, r->self));
    }
    put_bool(out, "],\"more\":", r->history.more);
}

static void put_conversations(struct im_out *out, const struct im_reply *r)
{
    im_out_str(out, ",\"conversations\":[");
    for (size_t i = 0; i < r->conversations.count; i++) {
        const struct im_conv_row *row = &r->conversations.rows[i];
        put_str(out, i > 0 ? ",{\"conv\":" : "{\"conv\":", row->name);
        if (row->last) {
            im_out_str(out, ",\"last\":");
            put_msg(out, row->last, im_str_eq(row->last->msg.from_key, r->self));
        }
        put_u64(out, ",\"seq\":", row->last_seq);
        put_u64(out, ",\"unread\":", row->unread);
        put_u64(out, ",\"read\":", row->read_seq);
        im_out_char(out, '}');
    }
    im_out_char(out, ']');
}

static void put_presence(struct im_out *out, const struct im_presence_row *row)
{
    put_str(out, "\"user\":", row->user);
    im_out_str(out, row->state == IM_ONLINE ? ",\"state\":\"online\"" : ",\"state\":\"offline\"");
}

static void put_presences(struct im_out *out, const struct im_reply *r)
{
    im_out_str(out, ",\"users\":[");
    for (size_t i = 0; i < r->presence.count; i++) {
        im_out_str(out, i > 0 ? ",{" : "{");
        put_presence(out, &r->presence.rows[i]);
        im_out_char(out, '}');
    }
    im_out_char(out, ']');
}

static void put_ok(struct im_out *out, const struct im_reply *r)
{
    im_out_str(out, "{\"op\":\"ok\"");
    if (r->id.p) {
        im_out_str(out, ",\"id\":");
        im_out_put(out, r->id.p, r->id.len);
    }
    switch (r->op) {
    case IM_OP_HELLO:
        put_hello(out, r);
        break;
    case IM_OP_LOGIN:
        put_str(out, ",\"user\":", r->login.user);
        put_u64(out, ",\"session\":\"", r->login.session);
        im_out_char(out, '"');
        put_pos(out, r->login.pos);
        break;
    case IM_OP_SEND:
        put_send(out, r);
        break;
    case IM_OP_HISTORY:
        put_history(out, r);
        break;
    case IM_OP_CONVERSATIONS:
        put_conversations(out, r);
        break;
    case IM_OP_PRESENCE:
        put_presences(out, r);
        break;
    default:
        break;
    }
    im_out_char(out, '}');
}

static void put_reason(struct im_out *out, enum im_reason reason, enum im_lang lang)
{
    const struct im_reason_info *info = im_reason_info(reason);
    put_u64(out, ",\"code\":", info->code);
    put_str(out, ",\"name\":", im_str(info->name));
    put_str(out, ",\"text\":", im_str(info->text[lang]));
}

static void put_err(struct im_out *out, const struct im_reply *r, enum im_lang lang)
{
    im_out_str(out, "{\"op\":\"err\"");
    if (r->id.p) {
        im_out_str(out, ",\"id\":");
        im_out_put(out, r->id.p, r->id.len);
    }
    put_reason(out, r->err.reason, lang);
    if (r->err.detail.len > 0)
        put_str(out, ",\"detail\":", r->err.detail);
    put_bool(out, ",\"retry\":", im_reason_info(r->err.reason)->retry);
    if (r->err.after_ms > 0)
        put_u64(out, ",\"after\":", r->err.after_ms);
    im_out_char(out, '}');
}

static void put_notice(struct im_out *out, const struct im_event *e, enum im_lang lang)
{
    im_out_str(out, "{\"op\":\"notice\"");
    if (e->notice.text.len > 0) {
        put_u64(out, ",\"code\":", im_reason_info(e->notice.reason)->code);
        put_str(out, ",\"text\":", e->notice.text);
    } else {
        put_reason(out, e->notice.reason, lang);
    }
    im_out_char(out, '}');
}

static void put_bye(struct im_out *out, const struct im_event *e, enum im_lang lang)
{
    im_out_str(out, "{\"op\":\"bye\"");
    put_reason(out, e->bye.reason, lang);
    put_bool(out, ",\"reconnect\":", e->bye.reconnect);
    if (e->bye.reconnect)
        put_u64(out, ",\"after\":", e->bye.after_ms);
    im_out_char(out, '}');
}

static struct im_bytes *encode(struct im_link *link, struct im_event *e, bool own)
{
    struct im_out out = {0};
    switch (e->type) {
    case IM_EV_MSG:
        return im_dialect_cached(e, IM_FORM_JSON, own, make_msg, NULL);
    case IM_EV_OK:
        put_ok(&out, &e->reply);
        break;
    case IM_EV_ERR:
        put_err(&out, &e->reply, link->lang);
        break;
    case IM_EV_NOTICE:
        put_notice(&out, e, link->lang);
        break;
    case IM_EV_PRESENCE:
        im_out_str(&out, "{\"op\":\"presence\",");
        put_presence(&out, &e->presence);
        im_out_char(&out, '}');
        break;
    case IM_EV_RESET:
        im_out_str(&out, "{\"op\":\"reset\"");
        put_pos(&out, e->reset.pos);
        im_out_char(&out, '}');
        break;
    case IM_EV_BYE:
        put_bye(&out, e, link->lang);
        break;
    }
    return im_out_take(&out);
}

const struct im_dialect im_dialect_json = {"im.v1", decode, encode};
