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
    const char *p, *end;
    size_t count, op_at;
    bool escaped; /* one of the values at least */
    struct member members[MEMBERS_MAX];
};

static void skip_space(struct scan *s)
{
    while (s->p < s->end && (*s->p == ' ' || *s->p == '\t' || *s->p == '\n' || *s->p == '\r'))
        s->p++;
}

static inline bool take(struct scan *s, char c)
{
    if (s->p == s->end || *s->p != c) /* programs write no space */
        skip_space(s);
    if (s->p == s->end || *s->p != c)
        return false;
    s->p++;
    return true;
}

static bool take_word(struct scan *s, const char *word, size_t len)
{
    if ((size_t)(s->end - s->p) < len || memcmp(s->p, word, len) != 0)
        return false;
    s->p += len;
    return true;
}

/* The next byte that a string cannot have as it is, or the end. */
static const char *plain_end(const char *p, const char *end)
{
    uint64_t found = 0;
    while (end - p >= 32 && !im_json_special_32(p))
        p += 32;
    while (end - p >= (ptrdiff_t)sizeof found && (found = im_json_special(im_str_eight(p))) == 0)
        p += sizeof found;
    return found ? p + __builtin_ctzll(found) / 8 : p + im_str_json_plain((struct im_str){p, (size_t)(end - p)});
}

/* From after the opening quote to after the closing one. */
static bool take_string(struct scan *s, struct im_str *out, bool *escaped)
{
    const char *start = s->p, *p = start;
    *escaped = false;
    for (;;) {
        p = plain_end(p, s->end);
        if (s->end - p < 2 || (*p != '"' && *p != '\\'))
            return false; /* a string at the very end would be no object */
        if (*p == '"')
            break;
        *escaped = true;
        p += 2;
    }
    *out = (struct im_str){start, (size_t)(p - start)};
    s->p = p + 1;
    return true;
}

/* A whole number that is no more than 18 digits. */
static bool take_number(struct scan *s, struct im_str *out)
{
    const char *start = s->p;
    while (s->p < s->end && *s->p >= '0' && *s->p <= '9')
        s->p++;
    *out = (struct im_str){start, (size_t)(s->p - start)};
    return out->len > 0 && out->len <= DIGITS_MAX && (*start != '0' || out->len == 1);
}

static bool take_value(struct scan *s, struct member *m)
{
    if (take(s, '"')) {
        m->kind = STRING;
        return take_string(s, &m->value, &m->escaped);
    }
    m->escaped = false;
    if (s->p < s->end && *s->p == 't') {
        m->kind = TRUE;
        return take_word(s, "true", 4);
    }
    if (s->p < s->end && *s->p == 'f') {
        m->kind = FALSE;
        return take_word(s, "false", 5);
    }
    m->kind = NUMBER;
    return take_number(s, &m->value);
}

static bool take_object(struct scan *s)
{
    bool escaped;
    if (!take(s, '{'))
        return false;
    do {
        struct member *m = &s->members[s->count];
        if (s->count++ == MEMBERS_MAX || !take(s, '"') || !take_string(s, &m->name, &escaped) || escaped ||
            !take(s, ':') || !take_value(s, m))
            return false;
        s->escaped = s->escaped || m->escaped;
    } while (take(s, ','));
    if (!take(s, '}'))
        return false;
    skip_space(s);
    return s->p == s->end;
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
    s.p = message.p;
    s.end = message.p + message.len;
    s.count = 0;
    s.escaped = false;
    if (message.len == 0 || !take_object(&s) || !find_op(&s, &op) || !im_str_utf8(message))
        return false;
    cmd->op = op;
    if (set_members(&s, cmd))
        return true;
    im_command_clear(cmd);
    return false;
}
