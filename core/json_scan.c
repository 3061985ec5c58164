#include "core/json_scan.h"

#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

#include "core/mem.h"

enum { MEMBERS_MAX = 16, DIGITS_MAX = 18 };

enum kind { STRING, NUMBER, TRUE, FALSE };

struct member {
    struct im_str name, value; /* value: without quotes */
    enum kind kind;
    bool escaped;
};

struct scan {
    const char *end;
    size_t count, op_at;
    bool escaped; /* one of the values at least */
    struct member members[MEMBERS_MAX];
};

/* Each of these takes something at p: it returns where it ends, or NULL. */

static const char *skip_space(const char *p, const char *end)
{
    while (p < end && (*p == ' ' || *p == '\t' || *p == '\n' || *p == '\r'))
        p++;
    return p;
}

static inline const char *take(const char *p, const char *end, char c)
{
    if (p == end || *p != c) /* programs write no space */
        p = skip_space(p, end);
    return p < end && *p == c ? p + 1 : NULL;
}

static const char *take_word(const char *p, const char *end, const char *word, size_t len)
{
    return (size_t)(end - p) >= len && memcmp(p, word, len) == 0 ? p + len : NULL;
}

/* The next byte that a string cannot have as it is, or the end. */
static inline const char *plain_end(const char *p, const char *end)
{
    uint64_t found = 0;
    while (end - p >= 32 && !im_json_special_32(p))
        p += 32;
    while (end - p >= (ptrdiff_t)sizeof found && (found = im_json_special(im_str_eight(p))) == 0)
        p += sizeof found;
    return found ? p + __builtin_ctzll(found) / 8 : p + im_str_json_plain((struct im_str){p, (size_t)(end - p)});
}

/* From after the opening quote to after the closing one. A string at the very end would be no object. */
static const char *take_string(const char *p, const char *end, struct im_str *out, bool *escaped)
{
    const char *start = p;
    *escaped = false;
    for (p = plain_end(p, end); end - p >= 2 && *p == '\\'; p = plain_end(p + 2, end))
        *escaped = true;
    if (end - p < 2 || *p != '"')
        return NULL;
    *out = (struct im_str){start, (size_t)(p - start)};
    return p + 1;
}

/* A whole number that is no more than 18 digits. */
static const char *take_number(const char *p, const char *end, struct im_str *out)
{
    const char *start = p;
    while (p < end && *p >= '0' && *p <= '9')
        p++;
    *out = (struct im_str){start, (size_t)(p - start)};
    return out->len > 0 && out->len <= DIGITS_MAX && (*start != '0' || out->len == 1) ? p : NULL;
}

static const char *take_value(const char *p, const char *end, struct member *m)
{
    const char *string = take(p, end, '"');
    if (string) {
        m->kind = STRING;
        return take_string(string, end, &m->value, &m->escaped);
    }
    m->escaped = false;
    p = skip_space(p, end);
    if (p < end && *p == 't') {
        m->kind = TRUE;
        return take_word(p, end, "true", 4);
    }
    if (p < end && *p == 'f') {
        m->kind = FALSE;
        return take_word(p, end, "false", 5);
    }
    m->kind = NUMBER;
    return take_number(p, end, &m->value);
}

static const char *take_member(const char *p, const char *end, struct member *m)
{
    bool escaped;
    if ((p = take(p, end, '"')) == NULL || (p = take_string(p, end, &m->name, &escaped)) == NULL || escaped ||
        (p = take(p, end, ':')) == NULL)
        return NULL;
    return take_value(p, end, m);
}

static bool take_object(struct scan *s, const char *p)
{
    const char *next = take(p, s->end, '{');
    while (next) {
        struct member *m = &s->members[s->count];
        if (s->count++ == MEMBERS_MAX || (p = take_member(next, s->end, m)) == NULL)
            return false;
        s->escaped = s->escaped || m->escaped;
        next = take(p, s->end, ',');
    }
    return s->count > 0 && (p = take(p, s->end, '}')) != NULL && skip_space(p, s->end) == s->end;
}

/* Most names differ in length or in the first letter. */
static bool is_name(struct im_str name, struct im_str known)
{
    return name.len == known.len && *name.p == *known.p && memcmp(name.p, known.p, name.len) == 0;
}

static bool find_op(struct scan *s, enum im_op *op)
{
    for (size_t i = 0; i < s->count; i++) {
        const struct member *m = &s->members[i];
        if (!is_name(m->name, IM_STR("op")))
            continue;
        s->op_at = i;
        for (*op = IM_OP_NONE + 1; m->kind == STRING && *op < IM_OP_COUNT; ++*op)
            if (is_name(m->value, im_json_ops[*op].name))
                return true;
        return false;
    }
    return false;
}

/* RFC 8259, 7. \u only of what is in the basic plane and neither NUL nor half a character. */
static bool unescape(struct im_str in, char *out, struct im_str *result)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    char *start = out;
    for (size_t i = 0; i < in.len; i++) {
        if (in.p[i] != '\\') {
            *out++ = in.p[i];
            continue;
        }
        const char *simple = strchr(from, in.p[++i]);
        if (simple && *simple) {
            *out++ = to[simple - from];
            continue;
        }
        int32_t point = 0;
        if (in.p[i] != 'u' || in.len - i < 5)
            return false;
        for (size_t end = i + 4; i < end;) {
            const char *digits = "0123456789abcdefABCDEF", *digit = strchr(digits, in.p[++i]);
            if (digit == NULL || *digit == '\0')
                return false;
            point = point * 16 + (int32_t)(digit - digits < 16 ? digit - digits : digit - digits - 6);
        }
        if (point == 0 || (point >= 0xD800 && point < 0xE000))
            return false;
        out += utf8proc_encode_char(point, (uint8_t *)out);
    }
    *result = (struct im_str){start, (size_t)(out - start)};
    return true;
}

/* The id as JSON text: as it stands, where writing it again would make no difference. */
static bool set_id(const struct member *m, struct im_command *cmd)
{
    if (cmd->id.p || m->escaped || (m->kind != NUMBER && (m->kind != STRING || m->value.len > IM_JSON_ID_MAX)))
        return false;
    cmd->id = m->kind == NUMBER ? m->value : (struct im_str){m->value.p - 1, m->value.len + 2};
    return true;
}

static bool set_field(struct member *m, const struct im_json_field *f, struct im_command *cmd, char **room)
{
    void *at = (char *)cmd + f->offset;
    uint64_t number;
    switch (f->type) {
    case IM_JSON_STR:
        if (m->kind != STRING || (m->escaped && !unescape(m->value, *room, &m->value)) || m->value.len > f->max)
            return false;
        if (m->escaped)
            *room += m->value.len;
        *(struct im_str *)at = m->value;
        return true;
    case IM_JSON_POS:
    case IM_JSON_U64:
        if (m->kind != (f->type == IM_JSON_POS ? STRING : NUMBER) || m->escaped || !im_str_u64(m->value, &number) ||
            number > f->max)
            return false;
        *(uint64_t *)at = number;
        return true;
    case IM_JSON_BOOL:
        *(bool *)at = m->kind == TRUE;
        return m->kind == TRUE || m->kind == FALSE;
    case IM_JSON_STRS:
        break;
    }
    return false;
}

static bool set_member(struct member *m, struct im_command *cmd, char **room)
{
    uint64_t wanted = im_json_ops[cmd->op].required | im_json_ops[cmd->op].optional;
    if (is_name(m->name, IM_STR("id")))
        return set_id(m, cmd);
    for (; wanted; wanted &= wanted - 1) {
        unsigned i = (unsigned)__builtin_ctzll(wanted);
        if (!is_name(m->name, im_json_fields[i].name))
            continue;
        bool again = cmd->have >> i & 1;
        cmd->have |= (uint64_t)1 << i;
        return !again && set_field(m, &im_json_fields[i], cmd, room);
    }
    return false;
}

static void release(struct im_command *cmd)
{
    free(cmd->memory);
}

static bool set_members(struct scan *s, struct im_command *cmd)
{
    if (s->escaped) { /* what an escape stands for is never longer */
        cmd->memory = im_alloc((size_t)(s->end - s->members[0].name.p));
        cmd->release = release;
    }
    char *room = cmd->memory;
    for (size_t i = 0; i < s->count; i++)
        if (i != s->op_at && !set_member(&s->members[i], cmd, &room)) /* nor does another `op` pass */
            return false;
    return (cmd->have & im_json_ops[cmd->op].required) == im_json_ops[cmd->op].required;
}

bool im_json_scan(struct im_str message, struct im_command *cmd)
{
    struct scan s; /* its members are as they come, and not looked at before */
    enum im_op op;
    s.end = message.p + message.len;
    s.count = 0;
    s.escaped = false;
    if (message.len == 0 || !take_object(&s, message.p) || !find_op(&s, &op) || !im_str_utf8(message))
        return false;
    cmd->op = op;
    if (set_members(&s, cmd))
        return true;
    im_command_clear(cmd);
    return false;
}
