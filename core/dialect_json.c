#include <assert.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>

#include "core/dialect_json.h"
#include "core/json_scan.h"
#include "core/mem.h"

/* im.v1: one JSON object per message. The usual ones are read in place (json_scan.c), all others, and what is wrong,
 * through jansson; writing is by hand (dialect_json_write.c). */

#define DEPTH_MAX  32
#define VALUES_MAX 2048 /* bounds what the parser may allocate, whatever the message's size */

#define AT_STR(name)  offsetof(struct im_command, name), 0
#define AT_U64(name)  offsetof(struct im_command, name), 0
#define AT_POS(name)  offsetof(struct im_command, name), 0
#define AT_BOOL(name) offsetof(struct im_command, name), 0
#define AT_STRS(name) offsetof(struct im_command, name), offsetof(struct im_command, name##_count)

#define LITERAL(s)                                                                                                     \
    {                                                                                                                  \
        s, sizeof(s) - 1                                                                                               \
    }

const struct im_json_field im_json_fields[IM_FIELD_COUNT] = {
#define IM_FIELD(member, name, type, max) {LITERAL(name), IM_JSON_##type, max, AT_##type(member)},
#include "core/tbl/fields.def"
#undef IM_FIELD
};

const struct im_json_op im_json_ops[IM_OP_COUNT] = {
#define IM_OP(sym, name, who, required, optional, handler) [IM_OP_##sym] = {LITERAL(name), required, optional},
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
    else if (json_is_string(id) && json_string_length(id) <= IM_JSON_ID_MAX &&
             strlen(json_string_value(id)) == json_string_length(id))
        im_out_json(&d->id, (struct im_str){json_string_value(id), json_string_length(id)});
    else
        return im_fail(error, IM_BAD_FIELD, "id: must be an integer or a string of at most %d bytes, without NUL",
                       IM_JSON_ID_MAX);
    cmd->id = (struct im_str){im_out_data(&d->id), d->id.len};
    return IM_OK;
}

static enum im_reason read_op(struct im_command *cmd, const json_t *root, struct im_error *error)
{
    const json_t *op = json_object_get(root, "op");
    if (!json_is_string(op))
        return im_fail(error, IM_BAD_FIELD, "op: must be a string");
    struct im_str name = {json_string_value(op), json_string_length(op)};
    for (enum im_op i = IM_OP_NONE + 1; i < IM_OP_COUNT; i++)
        if (im_str_eq(name, im_str(im_json_ops[i].name.text))) {
            cmd->op = i;
            return IM_OK;
        }
    return im_fail(error, IM_BAD_OP, "op: '%.32s' is not known", name.p);
}

/* index: of what in an array, as text; or "". */
static enum im_reason read_str(const json_t *v, const struct im_json_field *f, const char *index, struct im_str *out,
                               struct im_error *error)
{
    if (!json_is_string(v))
        return im_fail(error, IM_BAD_FIELD, "%s%s: must be a string", f->name.text, index);
    *out = (struct im_str){json_string_value(v), json_string_length(v)};
    if (memchr(out->p, '\0', out->len))
        return im_fail(error, IM_BAD_FIELD, "%s%s: NUL is not allowed", f->name.text, index);
    if (f->type == IM_JSON_STR && out->len > f->max)
        return im_fail(error, IM_TOO_LONG, "%s: at most %" PRIu64 " bytes", f->name.text, f->max);
    return IM_OK;
}

static enum im_reason read_pos(const json_t *v, const struct im_json_field *f, uint64_t *out, struct im_error *error)
{
    struct im_str s;
    if (!json_is_string(v) || read_str(v, f, "", &s, error) != IM_OK || !im_str_u64(s, out) || *out > f->max)
        return im_fail(error, IM_BAD_FIELD, "%s: must be a position as the server gave it (a string)", f->name.text);
    return IM_OK;
}

static enum im_reason read_u64(const json_t *v, const struct im_json_field *f, uint64_t *out, struct im_error *error)
{
    json_int_t n = json_is_integer(v) ? json_integer_value(v) : -1;
    if (n < 0 || (uint64_t)n > f->max)
        return im_fail(error, IM_BAD_FIELD, "%s: must be an integer from 0 to %" PRIu64, f->name.text, f->max);
    *out = (uint64_t)n;
    return IM_OK;
}

static enum im_reason read_strs(const json_t *v, const struct im_json_field *f, struct im_command *cmd,
                                struct im_error *error)
{
    size_t n = json_array_size(v);
    if (!json_is_array(v) || n > f->max)
        return im_fail(error, IM_BAD_FIELD, "%s: must be an array of at most %" PRIu64 " strings", f->name.text,
                       f->max);
    struct decoded *d = cmd->memory;
    assert(d->strings == NULL);
    d->strings = im_alloc((n + 1) * sizeof *d->strings);
    for (size_t i = 0; i < n; i++) {
        char index[24];
        snprintf(index, sizeof index, "[%zu]", i);
        enum im_reason reason = read_str(json_array_get(v, i), f, index, &d->strings[i], error);
        if (reason != IM_OK)
            return reason;
    }
    *(struct im_str **)((char *)cmd + f->offset) = d->strings;
    *(size_t *)((char *)cmd + f->count_offset) = n;
    return IM_OK;
}

static enum im_reason read_field(const json_t *v, const struct im_json_field *f, struct im_command *cmd,
                                 struct im_error *error)
{
    void *at = (char *)cmd + f->offset;
    switch (f->type) {
    case IM_JSON_STR:
        return read_str(v, f, "", at, error);
    case IM_JSON_POS:
        return read_pos(v, f, at, error);
    case IM_JSON_U64:
        return read_u64(v, f, at, error);
    case IM_JSON_STRS:
        return read_strs(v, f, cmd, error);
    case IM_JSON_BOOL:
        if (!json_is_boolean(v))
            return im_fail(error, IM_BAD_FIELD, "%s: must be true or false", f->name.text);
        *(bool *)at = json_is_true(v);
        return IM_OK;
    }
    return IM_OK;
}

static enum im_reason read_fields(struct im_command *cmd, const json_t *root, struct im_error *error)
{
    uint64_t wanted = im_json_ops[cmd->op].required | im_json_ops[cmd->op].optional;
    for (unsigned i = 0; i < IM_FIELD_COUNT; i++) {
        const json_t *v = wanted >> i & 1 ? json_object_get(root, im_json_fields[i].name.text) : NULL;
        if (v == NULL || json_is_null(v)) {
            if (im_json_ops[cmd->op].required >> i & 1)
                return im_fail(error, IM_BAD_FIELD, "%s: is missing", im_json_fields[i].name.text);
            continue;
        }
        enum im_reason reason = read_field(v, &im_json_fields[i], cmd, error);
        if (reason != IM_OK)
            return reason;
        cmd->have |= (uint64_t)1 << i;
    }
    return IM_OK;
}

static enum im_reason read_object(struct im_command *cmd, struct decoded *d, struct im_error *error)
{
    enum im_reason reason = IM_OK;
    if (!json_is_object(d->root))
        return im_fail(error, IM_BAD_JSON, "must be an object");
    if (cmd->op == IM_OP_NONE && (reason = read_id(cmd, d, error)) == IM_OK)
        reason = read_op(cmd, d->root, error);
    return reason == IM_OK ? read_fields(cmd, d->root, error) : reason;
}

enum im_reason im_json_parse(struct im_str message, struct im_command *cmd, struct im_error *error)
{
    enum im_reason reason = prescan(message, error);
    if (reason != IM_OK)
        return reason;
    json_error_t failure;
    json_t *root =
        json_loadb(message.p ? message.p : "", message.len, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &failure);
    if (root == NULL)
        return parse_failed(error, &failure);
    struct decoded *d = im_zalloc(sizeof *d);
    d->root = root;
    cmd->memory = d;
    cmd->release = release;
    return read_object(cmd, d, error);
}

static enum im_reason decode(struct im_link *link, struct im_str message, struct im_command *cmd,
                             struct im_error *error)
{
    if ((link->utf8 || im_str_utf8(message)) && im_json_scan(message, cmd))
        return IM_OK;
    return im_json_parse(message, cmd, error);
}

const struct im_dialect im_dialect_json = {"im.v1", decode, im_json_encode, im_json_write};
