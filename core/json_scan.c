#include "core/json_scan.h"

#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

#include "core/mem.h"

enum { MEMBERS_MAX = 16, DIGITS_MAX = 18 };

enum kind { STRING, NUMBER, TRUE, FALSE };

struct string {
    struct im_str text; /* without quotes */
    uint64_t start;     /* its first eight bytes, up to an escape; 0 after its end: most names differ in that */
    bool escaped;
};

struct member {
    struct string name, value;
    enum kind kind;
};

struct scan {
    const char *end; /* at least eight bytes after the beginning; the last of them is a '}' */
    size_t count, op_at;
    bool escaped; /* one of the values at least */
    struct member members[MEMBERS_MAX];
};

/* Each of these takes something at p, which is before the end: it returns where it ends, or NULL. Nothing goes on past
 * the last '}' but strings, so only they look for the end. */

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static const char *skip_space(const char *p)
{
    while (is_space(*p))
        p++;
    return p;
}

static inline const char *take(const char *p, char c)
{
    if (*p == c) /* programs write no space */
        return p + 1;
    p = skip_space(p);
    return *p == c ? p + 1 : NULL;
}

static const char *take_word(const char *p, const char *end, const char *word, size_t len)
{
    return (size_t)(end - p) >= len && memcmp(p, word, len) == 0 ? p + len : NULL;
}

/* The next byte that a string cannot have as it is, or the end. */
static const char *plain_end(const char *p, const char *end)
{
    uint64_t special = im_json_special(im_str_eight_until(p, end));
    if (special == 0) { /* a long one */
        p += sizeof special;
        while (end - p >= 32 && !im_json_special_32(p))
            p += 32;
        while ((special = im_json_special(im_str_eight_until(p, end))) == 0)
            p += sizeof special;
    }
    return p + __builtin_ctzll(special) / 8;
}

/* The rest of a string, from p on. */
static const char *take_rest(const char *p, const char *end, struct string *out)
{
    for (p = plain_end(p, end); end - p >= 2 && *p == '\\'; p = plain_end(p + 2, end))
        out->escaped = true;
    if (p == end || *p != '"')
        return NULL;
    out->text.len = (size_t)(p - out->text.p);
    return p + 1;
}

/* From after the opening quote to after the closing one. */
static inline const char *take_string(const char *p, const char *end, struct string *out)
{
    uint64_t eight = im_str_eight_until(p, end), special = im_json_special(eight);
    out->text.p = p;
    out->escaped = false;
    out->start = eight;
    if (special == 0)
        return take_rest(p + sizeof eight, end, out);
    unsigned bits = (unsigned)__builtin_ctzll(special) - 7;
    out->start &= ((uint64_t)1 << bits) - 1;
    if ((eight >> bits & 0xff) != '"')
        return take_rest(p + bits / 8, end, out);
    out->text.len = bits / 8;
    return p + out->text.len + 1;
}

/* A whole number that is no more than 18 digits. */
static const char *take_number(const char *p, struct im_str *out)
{
    const char *start = p;
    while (*p >= '0' && *p <= '9')
        p++;
    *out = (struct im_str){start, (size_t)(p - start)};
    return out->len > 0 && out->len <= DIGITS_MAX && (*start != '0' || out->len == 1) ? p : NULL;
}

static const char *take_value(const char *p, const char *end, struct member *m)
{
    const char *string = take(p, '"');
    if (string) {
        m->kind = STRING;
        return take_string(string, end, &m->value);
    }
    m->value.escaped = false;
    p = skip_space(p);
    if (*p == 't') {
        m->kind = TRUE;
        return take_word(p, end, "true", 4);
    }
    if (*p == 'f') {
        m->kind = FALSE;
        return take_word(p, end, "false", 5);
    }
    m->kind = NUMBER;
    return take_number(p, &m->value.text);
}

static const char *take_member(const char *p, const char *end, struct member *m)
{
    if ((p = take(p, '"')) == NULL || (p = take_string(p, end, &m->name)) == NULL || m->name.escaped ||
        (p = take(p, ':')) == NULL)
        return NULL;
    return take_value(p, end, m);
}

static bool take_object(struct scan *s, const char *p)
{
    const char *next = take(p, '{');
    while (next) {
        struct member *m = &s->members[s->count];
        if (s->count++ == MEMBERS_MAX || (p = take_member(next, s->end, m)) == NULL)
            return false;
        s->escaped |= m->value.escaped;
        next = take(p, ',');
    }
    return s->count > 0 && take(p, '}') == s->end;
}

/* Whether it has escapes need not be asked: no name has a backslash. */
static inline bool is_name(const struct string *s, const struct im_json_name *name)
{
    return s->start == im_str_eight(name->text) && s->text.len == name->len &&
           (name->len <= 8 || memcmp(s->text.p + 8, name->text + 8, name->len - 8) == 0);
}

static bool find_op(struct scan *s, enum im_op *op)
{
    static const struct im_json_name name = {"op", 2};
    for (size_t i = 0; i < s->count; i++) {
        const struct member *m = &s->members[i];
        if (!is_name(&m->name, &name))
            continue;
        s->op_at = i;
        for (*op = IM_OP_NONE + 1; m->kind == STRING && *op < IM_OP_COUNT; ++*op)
            if (is_name(&m->value, &im_json_ops[*op].name))
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
    struct im_str text = m->value.text;
    if (cmd->id.p || m->value.escaped || (m->kind != NUMBER && (m->kind != STRING || text.len > IM_JSON_ID_MAX)))
        return false;
    cmd->id = m->kind == NUMBER ? text : (struct im_str){text.p - 1, text.len + 2};
    return true;
}

static bool set_field(struct member *m, const struct im_json_field *f, struct im_command *cmd, char **room)
{
    void *at = (char *)cmd + f->offset;
    struct im_str *text = &m->value.text;
    uint64_t number;
    switch (f->type) {
    case IM_JSON_STR:
        if (m->kind != STRING || (m->value.escaped && !unescape(*text, *room, text)) || text->len > f->max)
            return false;
        if (m->value.escaped)
            *room += text->len;
        *(struct im_str *)at = *text;
        return true;
    case IM_JSON_POS:
    case IM_JSON_U64:
        if (m->kind != (f->type == IM_JSON_POS ? STRING : NUMBER) || m->value.escaped || !im_str_u64(*text, &number) ||
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
    static const struct im_json_name id = {"id", 2};
    uint64_t wanted = im_json_ops[cmd->op].required | im_json_ops[cmd->op].optional;
    if (is_name(&m->name, &id))
        return set_id(m, cmd);
    for (; wanted; wanted &= wanted - 1) {
        unsigned i = (unsigned)__builtin_ctzll(wanted);
        if (!is_name(&m->name, &im_json_fields[i].name))
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
        cmd->memory = im_alloc((size_t)(s->end - s->members[0].name.text.p));
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
    while (message.len > 0 && is_space(message.p[message.len - 1]))
        message.len--;
    if (message.len < sizeof(uint64_t) || message.p[message.len - 1] != '}')
        return false;
    s.end = message.p + message.len;
    s.count = 0;
    s.escaped = false;
    if (!take_object(&s, message.p) || !find_op(&s, &op))
        return false;
    cmd->op = op;
    if (set_members(&s, cmd))
        return true;
    im_command_clear(cmd);
    return false;
}
