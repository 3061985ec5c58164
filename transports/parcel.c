#include "transports/parcel.h"

#include <string.h>

/* Behind the head, each at a multiple of 8: the id and to_name where there are, then the fields in their order. A
 * string is its length and its bytes; several are their number, an im_str for each whose pointer is set when it is
 * opened, and the bytes of all. */
struct im_parcel {
    uint64_t have;
    uint16_t op;
    uint8_t seat;
    bool has_id, has_name, or_close, trusted;
    _Alignas(8) char data[];
};

enum type { STR, STRS, U64, BOOL };

static const struct {
    uint16_t at, count_at;
    uint8_t type;
} fields[IM_FIELD_COUNT] = {
#define IM_FIELD_STR(name)                {offsetof(struct im_command, name), 0, STR},
#define IM_FIELD_STRS(name)               {offsetof(struct im_command, name), offsetof(struct im_command, name##_count), STRS},
#define IM_FIELD_U64(name)                {offsetof(struct im_command, name), 0, U64},
#define IM_FIELD_POS(name)                {offsetof(struct im_command, name), 0, U64},
#define IM_FIELD_BOOL(name)               {offsetof(struct im_command, name), 0, BOOL},
#define IM_FIELD(member, name, type, max) IM_FIELD_##type(member)
#include "core/tbl/fields.def"
#undef IM_FIELD
#undef IM_FIELD_STR
#undef IM_FIELD_STRS
#undef IM_FIELD_U64
#undef IM_FIELD_POS
#undef IM_FIELD_BOOL
};

static size_t padded(size_t size)
{
    return (size + 7) / 8 * 8;
}

static size_t name_bytes(const struct im_name *name)
{
    return offsetof(struct im_name, bytes) + name->text_len + name->key_len + 2u;
}

static size_t bytes_of(const struct im_str *strings, size_t count)
{
    size_t sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += strings[i].len;
    return sum;
}

static size_t field_size(const struct im_command *cmd, unsigned field)
{
    const char *at = (const char *)cmd + fields[field].at;
    if (fields[field].type == STR)
        return sizeof(uint64_t) + padded(((const struct im_str *)(const void *)at)->len);
    if (fields[field].type != STRS)
        return sizeof(uint64_t);
    size_t count = *(const size_t *)(const void *)((const char *)cmd + fields[field].count_at);
    return sizeof(uint64_t) + count * sizeof(struct im_str) +
           padded(bytes_of(*(struct im_str *const *)(const void *)at, count));
}

size_t im_parcel_size(const struct im_command *cmd)
{
    size_t size = sizeof(struct im_parcel);
    if (cmd->id.p)
        size += sizeof(uint64_t) + padded(cmd->id.len);
    if (cmd->to_name)
        size += padded(name_bytes(cmd->to_name));
    for (uint64_t left = cmd->have; left; left &= left - 1)
        size += field_size(cmd, (unsigned)__builtin_ctzll(left));
    return size;
}

static char *put_number(char *at, uint64_t n)
{
    memcpy(at, &n, sizeof n);
    return at + sizeof n;
}

static char *put_bytes(char *at, const void *bytes, size_t size)
{
    if (size > 0)
        memcpy(at, bytes, size);
    return at + padded(size);
}

static char *put_strings(char *at, const struct im_str *strings, size_t count)
{
    at = put_number(at, count);
    char *bytes = at + count * sizeof *strings;
    at = bytes + padded(bytes_of(strings, count));
    if (count > 0)
        memcpy(bytes - count * sizeof *strings, strings, count * sizeof *strings);
    for (size_t i = 0; i < count; bytes += strings[i++].len)
        if (strings[i].len > 0)
            memcpy(bytes, strings[i].p, strings[i].len);
    return at;
}

static char *put_field(char *at, const struct im_command *cmd, unsigned field)
{
    const void *value = (const char *)cmd + fields[field].at;
    const struct im_str *string = value;
    switch ((enum type)fields[field].type) {
    case STR:
        return put_bytes(put_number(at, string->len), string->p, string->len);
    case STRS:
        return put_strings(at, *(struct im_str *const *)value,
                           *(const size_t *)(const void *)((const char *)cmd + fields[field].count_at));
    case U64:
        return put_number(at, *(const uint64_t *)value);
    case BOOL:
        break;
    }
    return put_number(at, *(const bool *)value);
}

void im_parcel_pack(struct im_parcel *p, const struct im_command *cmd)
{
    *p = (struct im_parcel){
        .have = cmd->have,
        .op = (uint16_t)cmd->op,
        .seat = (uint8_t)cmd->seat,
        .has_id = cmd->id.p != NULL,
        .has_name = cmd->to_name != NULL,
        .or_close = cmd->or_close,
        .trusted = cmd->trusted,
    };
    char *at = p->data;
    if (p->has_id)
        at = put_bytes(put_number(at, cmd->id.len), cmd->id.p, cmd->id.len);
    if (p->has_name)
        at = put_bytes(at, cmd->to_name, name_bytes(cmd->to_name));
    for (uint64_t left = cmd->have; left; left &= left - 1)
        at = put_field(at, cmd, (unsigned)__builtin_ctzll(left));
}

static uint64_t get_number(char **at)
{
    uint64_t n;
    memcpy(&n, *at, sizeof n);
    *at += sizeof n;
    return n;
}

static struct im_str get_string(char **at)
{
    size_t len = get_number(at);
    struct im_str s = {*at, len};
    *at += padded(len);
    return s;
}

static struct im_str *get_strings(char **at, size_t *count)
{
    *count = get_number(at);
    struct im_str *strings = (struct im_str *)(void *)*at;
    char *bytes = *at + *count * sizeof *strings;
    *at = bytes + padded(bytes_of(strings, *count));
    for (size_t i = 0; i < *count; bytes += strings[i++].len)
        strings[i].p = bytes;
    return strings;
}

static void get_field(char **at, struct im_command *cmd, unsigned field)
{
    void *value = (char *)cmd + fields[field].at;
    switch ((enum type)fields[field].type) {
    case STR:
        *(struct im_str *)value = get_string(at);
        break;
    case STRS:
        *(struct im_str **)value = get_strings(at, (size_t *)(void *)((char *)cmd + fields[field].count_at));
        break;
    case U64:
        *(uint64_t *)value = get_number(at);
        break;
    case BOOL:
        *(bool *)value = get_number(at) != 0;
        break;
    }
}

void im_parcel_open(struct im_parcel *p, struct im_command *cmd)
{
    char *at = p->data;
    *cmd = (struct im_command){
        .op = (enum im_op)p->op,
        .have = p->have,
        .seat = (enum im_seat_kind)p->seat,
        .or_close = p->or_close,
        .trusted = p->trusted,
    };
    if (p->has_id)
        cmd->id = get_string(&at);
    if (p->has_name) {
        cmd->to_name = (const struct im_name *)(void *)at;
        at += padded(name_bytes(cmd->to_name));
    }
    for (uint64_t left = p->have; left; left &= left - 1)
        get_field(&at, cmd, (unsigned)__builtin_ctzll(left));
}

/* The strings stand one behind the other; those first that are in a brief one, too. */
struct im_slip {
    uint64_t pos, seq, ref;
    int64_t ts_ms;
    uint8_t kind, have; /* have: a bit for each string */
    bool bot, hidden;
    uint16_t len[8];
    char data[];
};

static const uint16_t strings[] = {
    offsetof(struct im_msg, to),       offsetof(struct im_msg, to_key),   offsetof(struct im_msg, from),
    offsetof(struct im_msg, from_key), offsetof(struct im_msg, cid),      offsetof(struct im_msg, mime),
    offsetof(struct im_msg, body),     offsetof(struct im_msg, mentions),
};
enum { STRINGS = sizeof strings / sizeof *strings, STRINGS_BRIEF = 2 };
_Static_assert(STRINGS == sizeof((struct im_slip *)NULL)->len / sizeof(uint16_t), "each string has a length");

static const struct im_str *string_of(const struct im_msg *m, size_t i)
{
    return (const struct im_str *)(const void *)((const char *)m + strings[i]);
}

static size_t strings_of(bool brief)
{
    return brief ? STRINGS_BRIEF : STRINGS;
}

/* How it stands now, and whom it concerns, is said of other things than a message that is just sent. */
static bool packs(const struct im_msg *m)
{
    return !m->deleted && m->edited_ms == 0 && m->reactions.len == 0 && m->user.len == 0;
}

size_t im_slip_size(const struct im_msg *m, bool brief)
{
    size_t size = offsetof(struct im_slip, data);
    if (!brief && !packs(m))
        return 0;
    for (size_t i = 0; i < strings_of(brief); i++) {
        size_t len = string_of(m, i)->len;
        if (len > UINT16_MAX)
            return 0;
        size += len;
    }
    return padded(size);
}

void im_slip_pack(struct im_slip *slip, const struct im_msg *m, bool brief)
{
    char *at = slip->data;
    slip->pos = m->pos;
    slip->seq = m->seq;
    slip->ref = m->ref;
    slip->ts_ms = m->ts_ms;
    slip->kind = (uint8_t)m->kind;
    slip->bot = m->bot;
    slip->hidden = m->hidden;
    slip->have = 0;
    for (size_t i = 0; i < strings_of(brief); i++) {
        const struct im_str *s = string_of(m, i);
        if (!s->p)
            continue;
        slip->have |= (uint8_t)(1u << i);
        slip->len[i] = (uint16_t)s->len;
        memcpy(at, s->p, s->len);
        at += s->len;
    }
}

void im_slip_open(const struct im_slip *slip, struct im_msg *m)
{
    const char *at = slip->data;
    *m = (struct im_msg){
        .kind = (enum im_conv_kind)slip->kind,
        .pos = slip->pos,
        .seq = slip->seq,
        .ts_ms = slip->ts_ms,
        .ref = slip->ref,
        .bot = slip->bot,
        .hidden = slip->hidden,
    };
    for (size_t i = 0; i < STRINGS; i++) {
        if (!(slip->have & 1u << i))
            continue;
        *(struct im_str *)(void *)((char *)m + strings[i]) = (struct im_str){at, slip->len[i]};
        at += slip->len[i];
    }
}
