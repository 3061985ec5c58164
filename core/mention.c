#include "core/mention.h"

#include <stdlib.h>
#include <utf8proc.h>

#include "core/command.h"
#include "core/mem.h"
#include "core/name.h"
#include "core/search.h"

#define LOOKUPS_MAX 1024                     /* in one text */
#define POINTS_MAX  (2 * IM_NAME_POINTS_MAX) /* of a name that is not composed yet */

struct finder {
    bool all;
    struct im_str (*member)(void *arg, struct im_str key);
    void *arg;
    char *list; /* malloc'd */
    size_t len;
    unsigned count, lookups;
};

/* Is id in the list? */
static bool listed(const struct finder *f, struct im_str id)
{
    for (size_t start = 0; start < f->len;) {
        size_t end = start;
        while (end < f->len && f->list[end] != ' ')
            end++;
        if (im_str_eq(id, (struct im_str){f->list + start, end - start}))
            return true;
        start = end + 1;
    }
    return false;
}

static void add(struct finder *f, struct im_str id)
{
    if (f->count == IM_MENTIONS_MAX || listed(f, id))
        return;
    f->list = im_realloc(f->list, f->len + 1 + id.len + 1);
    if (f->count++ > 0)
        f->list[f->len++] = ' ';
    memcpy(f->list + f->len, id.p, id.len);
    f->len += id.len;
    f->list[f->len] = '\0';
}

/* Adds whom the name names, if that is anybody. */
static bool add_name(struct finder *f, struct im_str name)
{
    struct im_name parsed;
    if (im_name_parse(name, &parsed, NULL) != IM_OK)
        return false;
    struct im_str key = im_name_key(&parsed);
    bool everybody = f->all && (im_str_eq(key, IM_STR("all")) || im_str_eq(key, IM_STR("所有人")));
    struct im_str id = everybody ? IM_STR("*") : f->member(f->arg, key);
    if (id.p)
        add(f, id);
    return id.p != NULL;
}

static void find_named(struct finder *f, struct im_str named)
{
    for (size_t start = 0; start < named.len && f->count < IM_MENTIONS_MAX;) {
        size_t end = start;
        while (end < named.len && named.p[end] != ' ')
            end++;
        struct im_str name = {named.p + start, end - start};
        if (!im_str_eq(name, IM_STR("*")))
            add_name(f, name);
        else if (f->all)
            add(f, name);
        start = end + 1;
    }
}

static int32_t point_at(struct im_str text, size_t at, size_t *len)
{
    utf8proc_int32_t point;
    utf8proc_ssize_t n = utf8proc_iterate((const uint8_t *)text.p + at, (utf8proc_ssize_t)(text.len - at), &point);
    *len = n > 0 ? (size_t)n : 1;
    return n > 0 ? point : -1;
}

static enum im_char what_is(int32_t point)
{
    return point < 0 ? IM_CHAR_OTHER : point == '_' ? IM_CHAR_WORD : im_char(point);
}

/* Can a word neither end before nor begin with what follows? */
static bool one_word(enum im_char before, enum im_char after)
{
    return after == IM_CHAR_MARK || (before == IM_CHAR_WORD && after == IM_CHAR_WORD);
}

/* Where names that begin at `at` may end, the nearest first. */
static unsigned name_ends(struct im_str text, size_t at, size_t ends[POINTS_MAX])
{
    unsigned count = 0;
    enum im_char before = IM_CHAR_OTHER;
    for (unsigned points = 0; points <= POINTS_MAX; points++) {
        size_t len = 0;
        int32_t point = at < text.len ? point_at(text, at, &len) : -1;
        enum im_char what = what_is(point);
        if (points > 0 && !one_word(before, what))
            ends[count++] = at;
        if ((what == IM_CHAR_OTHER && point != '.' && point != '-') || count == POINTS_MAX)
            break;
        before = what == IM_CHAR_MARK ? before : what;
        at += len;
    }
    return count;
}

/* The name that begins at `at`; returns where it ends, or `at` if nobody has it. */
static size_t find_at(struct finder *f, struct im_str text, size_t at)
{
    size_t ends[POINTS_MAX];
    for (unsigned i = name_ends(text, at, ends); i > 0 && f->lookups < LOOKUPS_MAX; i--, f->lookups++) {
        struct im_str name = {text.p + at, ends[i - 1] - at};
        if (add_name(f, name))
            return ends[i - 1];
    }
    return at;
}

static bool has_at(struct im_str text)
{
    return text.len > 0 &&
           (memchr(text.p, '@', text.len) || (memchr(text.p, 0xEF, text.len) && memmem(text.p, text.len, "\uFF20", 3)));
}

char *im_mentions(struct im_str text, struct im_str named, bool all,
                  struct im_str (*member)(void *arg, struct im_str key), void *arg)
{
    struct finder f = {.all = all, .member = member, .arg = arg};
    enum im_char before = IM_CHAR_OTHER;
    find_named(&f, named);
    if (!has_at(text)) /* most texts: no need to look at each character */
        return f.list;
    for (size_t at = 0, len; at < text.len && f.count < IM_MENTIONS_MAX && f.lookups < LOOKUPS_MAX; at += len) {
        int32_t point = point_at(text, at, &len);
        enum im_char what = what_is(point);
        if ((point == '@' || point == 0xFF20) && before != IM_CHAR_WORD)
            len = find_at(&f, text, at + len) - at;
        before = what == IM_CHAR_MARK ? before : what;
    }
    return f.list;
}
