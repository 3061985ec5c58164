#include "tools/imd/filter.h"

#include <string.h>

#include "core/suggest.h"

enum value { TEXT, NAME, YES_NO, NUMBER, SIZE, TIME };

struct imd_filter_key {
    const char *name;
    enum value value;
    size_t offset; /* in the view */
};

#define KEY(name, value, member)                                                                                       \
    {                                                                                                                  \
        name, value, offsetof(struct im_session_view, member)                                                          \
    }
static const struct imd_filter_key keys[] = {
    KEY("id", NUMBER, id),
    KEY("user", NAME, user),
    KEY("device", TEXT, device),
    KEY("transport", TEXT, transport),
    KEY("dialect", TEXT, dialect),
    KEY("state", TEXT, state),
    KEY("held", TEXT, held),
    KEY("address", TEXT, address),
    KEY("agent", TEXT, agent),
    KEY("tls", YES_NO, tls),
    KEY("throttled", YES_NO, throttled),
    KEY("queue", SIZE, queued),
    KEY("behind", NUMBER, behind),
    KEY("age", TIME, age_ms),
    KEY("idle", TIME, idle_ms),
};
#undef KEY

/* Views hold text as a struct im_str or, where it is a word of the program, as a C string. */
static bool is_word(const struct imd_filter_key *key)
{
    return key->offset == offsetof(struct im_session_view, transport) ||
           key->offset == offsetof(struct im_session_view, dialect) ||
           key->offset == offsetof(struct im_session_view, state) ||
           key->offset == offsetof(struct im_session_view, held);
}

static struct im_str trim(struct im_str s)
{
    while (s.len > 0 && (*s.p == ' ' || *s.p == '\t'))
        s = (struct im_str){s.p + 1, s.len - 1};
    while (s.len > 0 && (s.p[s.len - 1] == ' ' || s.p[s.len - 1] == '\t'))
        s.len--;
    return s;
}

/* The next term, up to " and " or the end; cuts it off *rest. */
static struct im_str next_term(struct im_str *rest)
{
    static const char joint[] = " and ";
    const char *end = memmem(rest->p, rest->len, joint, sizeof joint - 1);
    struct im_str term = {rest->p, end ? (size_t)(end - rest->p) : rest->len};
    size_t used = term.len + (end ? sizeof joint - 1 : 0);
    *rest = end ? (struct im_str){rest->p + used, rest->len - used} : (struct im_str){0};
    return trim(term);
}

static enum im_reason find_key(struct im_str name, const struct imd_filter_key **out, struct im_error *error)
{
    struct im_suggest near = {.word = name};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        *out = &keys[i];
        if (im_str_eq(im_str(keys[i].name), name))
            return IM_OK;
        im_suggest_offer(&near, im_str(keys[i].name));
    }
    struct im_str best = im_suggest_best(&near);
    return im_fail(error, IM_BAD_FIELD, "no \"%.*s\" to compare%s%.*s%s", (int)(name.len < 40 ? name.len : 40), name.p,
                   best.p ? "; did you mean \"" : "", (int)best.len, best.p ? best.p : "", best.p ? "\"?" : "");
}

static size_t read_op(struct im_str s, struct imd_filter_term *term)
{
    static const struct {
        const char *text;
        int op;
    } ops[] = {{"!=", IMD_NE}, {"<=", IMD_LE}, {">=", IMD_GE}, {"=", IMD_EQ}, {"<", IMD_LT}, {">", IMD_GT}};
    for (size_t i = 0; i < sizeof ops / sizeof *ops; i++) {
        size_t len = strlen(ops[i].text);
        if (s.len < len || memcmp(s.p, ops[i].text, len) != 0)
            continue;
        term->op = ops[i].op;
        return len;
    }
    return 0;
}

static enum im_reason read_number(struct imd_filter_term *term, struct im_str value, struct im_error *error)
{
    static const struct im_config_row rows[] = {[NUMBER] = {.type = IM_T_UINT, .max = INT64_MAX},
                                                [SIZE] = {.type = IM_T_SIZE, .max = INT64_MAX},
                                                [TIME] = {.type = IM_T_MS, .max = INT64_MAX}};
    struct im_error why = {0};
    if (im_config_set(&rows[term->key->value], &term->number, value, &why) == IM_OK)
        return IM_OK;
    return im_fail(error, IM_BAD_FIELD, "%s: %.200s", term->key->name, why.detail);
}

static enum im_reason read_value(struct imd_filter_term *term, struct im_str value, struct im_error *error)
{
    enum value kind = term->key->value;
    bool ordered = kind >= NUMBER;
    if (!ordered && term->op > IMD_NE)
        return im_fail(error, IM_BAD_FIELD, "%s can only be compared with = and !=", term->key->name);
    if (ordered)
        return read_number(term, value, error);
    term->number = im_str_eq(value, IM_STR("yes"));
    if (kind == YES_NO && !term->number && !im_str_eq(value, IM_STR("no")))
        return im_fail(error, IM_BAD_FIELD, "%s is yes or no", term->key->name);
    term->prefix = value.len > 0 && value.p[value.len - 1] == '*';
    term->text = (struct im_str){value.p, value.len - term->prefix};
    if (kind == NAME && !term->prefix && value.len > 0)
        return im_name_parse(value, &term->name, error) == IM_OK ? IM_OK : IM_BAD_FIELD;
    return IM_OK;
}

static enum im_reason read_term(struct im_str text, struct imd_filter_term *term, struct im_error *error)
{
    size_t name = 0;
    while (name < text.len && !memchr("=!<>", text.p[name], 4))
        name++;
    enum im_reason r = find_key(trim((struct im_str){text.p, name}), &term->key, error);
    if (r != IM_OK)
        return r;
    size_t op = read_op((struct im_str){text.p + name, text.len - name}, term);
    if (op == 0)
        return im_fail(error, IM_BAD_FIELD, "%s needs a comparison, such as %s=…", term->key->name, term->key->name);
    return read_value(term, trim((struct im_str){text.p + name + op, text.len - name - op}), error);
}

enum im_reason imd_filter_parse(struct im_str text, struct imd_filter *filter, struct im_error *error)
{
    *filter = (struct imd_filter){0};
    while (text.p) {
        if (filter->count == IMD_FILTER_MAX)
            return im_fail(error, IM_BAD_FIELD, "at most %d comparisons", IMD_FILTER_MAX);
        enum im_reason r = read_term(next_term(&text), &filter->terms[filter->count++], error);
        if (r != IM_OK)
            return r;
    }
    return IM_OK;
}

static bool compare(uint64_t a, int op, uint64_t b)
{
    switch (op) {
    case IMD_EQ:
        return a == b;
    case IMD_NE:
        return a != b;
    case IMD_LT:
        return a < b;
    case IMD_LE:
        return a <= b;
    case IMD_GT:
        return a > b;
    default:
        return a >= b;
    }
}

static bool same_text(const struct imd_filter_term *term, struct im_str value)
{
    struct im_name name;
    if (term->prefix)
        return value.len >= term->text.len && memcmp(value.p ? value.p : "", term->text.p, term->text.len) == 0;
    if (term->key->value != NAME || term->text.len == 0)
        return value.len == term->text.len && memcmp(value.p ? value.p : "", term->text.p, value.len) == 0;
    return value.p && im_name_parse(value, &name, NULL) == IM_OK &&
           im_str_eq(im_name_key(&name), im_name_key(&term->name));
}

static bool match_term(const struct imd_filter_term *term, const struct im_session_view *view)
{
    const char *member = (const char *)view + term->key->offset;
    struct im_str text;
    switch (term->key->value) {
    case TEXT:
    case NAME:
        if (is_word(term->key))
            text = im_str(*(const char *const *)(const void *)member);
        else
            text = *(const struct im_str *)(const void *)member;
        return same_text(term, text) == (term->op == IMD_EQ);
    case YES_NO:
        return compare(*(const bool *)(const void *)member, term->op, term->number);
    default:
        return compare(*(const uint64_t *)(const void *)member, term->op, term->number);
    }
}

bool imd_filter_match(const struct imd_filter *filter, const struct im_session_view *view)
{
    for (size_t i = 0; i < filter->count; i++)
        if (!match_term(&filter->terms[i], view))
            return false;
    return true;
}
