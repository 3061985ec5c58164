#include "core/search.h"

#include <assert.h>
#include <stdlib.h>
#include <utf8proc.h>

#include "core/mem.h"

/* Scripts written without spaces, as they are after NFKC; sorted. */
static const struct {
    int32_t first, last;
} alone[] = {
    {0x0E00, 0x0EFF},   /* Thai, Lao */
    {0x1000, 0x109F},   /* Myanmar */
    {0x1100, 0x11FF},   /* Hangul letters */
    {0x1780, 0x17FF},   /* Khmer */
    {0x1950, 0x19DF},   /* Tai Le, New Tai Lue */
    {0x1A20, 0x1AAF},   /* Tai Tham */
    {0x2E80, 0x2FDF},   /* radicals */
    {0x3005, 0x3007},   /* iteration mark, closing mark, zero */
    {0x3021, 0x3035},   /* Hangzhou numerals, kana repeat marks */
    {0x3038, 0x303C},   /* Hangzhou numerals, iteration marks */
    {0x3041, 0x31FF},   /* kana, Bopomofo, Hangul letters, strokes */
    {0x3400, 0x4DBF},   /* Han */
    {0x4E00, 0x9FFF},   /* Han */
    {0xA000, 0xA4CF},   /* Yi */
    {0xA960, 0xA97F},   /* Hangul letters */
    {0xA9E0, 0xA9FF},   /* Myanmar */
    {0xAA60, 0xAA7F},   /* Myanmar */
    {0xAC00, 0xD7FF},   /* Hangul */
    {0xF900, 0xFAFF},   /* Han */
    {0x16FE0, 0x18DFF}, /* Tangut, Khitan */
    {0x1AFF0, 0x1B2FF}, /* kana, Nüshu */
    {0x20000, 0x3FFFF}, /* Han */
};

static bool is_alone(int32_t point)
{
    size_t low = 0, high = sizeof alone / sizeof *alone;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (alone[middle].last < point)
            low = middle + 1;
        else
            high = middle;
    }
    return low < sizeof alone / sizeof *alone && alone[low].first <= point;
}

enum im_char im_char(int32_t point)
{
    switch (utf8proc_category(point)) {
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_MC:
    case UTF8PROC_CATEGORY_ME:
        return IM_CHAR_MARK;
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NL:
    case UTF8PROC_CATEGORY_NO:
        return is_alone(point) ? IM_CHAR_ALONE : IM_CHAR_WORD;
    default:
        return IM_CHAR_OTHER;
    }
}

/* A character with its marks: where it is, and what. OTHER at the end. */
struct piece {
    struct im_str text;
    enum im_char what;
};

/* Most of what is written is ASCII somewhere, and this much is known of it without asking. */
static bool is_ascii(char byte)
{
    return (unsigned char)byte < 0x80;
}

static enum im_char ascii_char(char c)
{
    char lower = c | 0x20; /* of what is not ASCII: no letter */
    return (lower >= 'a' && lower <= 'z') || (c >= '0' && c <= '9') ? IM_CHAR_WORD : IM_CHAR_OTHER;
}

static enum im_char char_at(struct im_str text, size_t at, size_t *len)
{
    if (is_ascii(text.p[at])) {
        *len = 1;
        return ascii_char(text.p[at]);
    }
    utf8proc_int32_t point;
    utf8proc_ssize_t n = utf8proc_iterate((const uint8_t *)text.p + at, (utf8proc_ssize_t)(text.len - at), &point);
    assert(n > 0);
    *len = (size_t)n;
    /* emoji and the like are looked for, too */
    return utf8proc_category(point) == UTF8PROC_CATEGORY_SO ? IM_CHAR_ALONE : im_char(point);
}

static struct piece piece_at(struct im_str text, size_t at)
{
    if (at == text.len)
        return (struct piece){{text.p + at, 0}, IM_CHAR_OTHER};
    size_t len, mark;
    enum im_char what = char_at(text, at, &len);
    while (at + len < text.len && char_at(text, at + len, &mark) == IM_CHAR_MARK)
        len += mark;
    return (struct piece){{text.p + at, len}, what == IM_CHAR_MARK ? IM_CHAR_OTHER : what};
}

/* The longest beginning of s that is no longer than max and cuts no character in two. */
static struct im_str cut(struct im_str s, size_t max)
{
    if (s.len <= max)
        return s;
    s.len = max;
    while (s.len > 0 && ((unsigned char)s.p[s.len] & 0xC0) == 0x80)
        s.len--;
    return s;
}

/* Accents are written or left out (café, cafe); other marks make other letters. */
static bool is_accent(int32_t point)
{
    return point >= 0x300 && point <= 0x36F;
}

static bool all_ascii(struct im_str text)
{
    size_t at = 0;
    while (at < text.len && is_ascii(text.p[at]))
        at++;
    return at == text.len;
}

/* All that there is to do in ASCII. */
static struct im_str fold_ascii(struct im_str text)
{
    char *folded = im_strndup(text.p, text.len);
    for (size_t i = 0; i < text.len; i++)
        if (text.p[i] >= 'A' && text.p[i] <= 'Z')
            folded[i] |= 0x20;
    return (struct im_str){folded, text.len};
}

/* Case, width, accents and composition made alike; to be freed. */
static struct im_str fold(struct im_str text)
{
    static const utf8proc_option_t how =
        UTF8PROC_STABLE | UTF8PROC_COMPAT | UTF8PROC_COMPOSE | UTF8PROC_CASEFOLD | UTF8PROC_IGNORE;
    text = cut(text, IM_SEARCH_TEXT_MAX);
    if (text.len > 0 && all_ascii(text))
        return fold_ascii(text);
    const uint8_t *bytes = (const uint8_t *)text.p;
    utf8proc_ssize_t len = (utf8proc_ssize_t)text.len, kept = 0;
    utf8proc_ssize_t n = len > 0 ? utf8proc_decompose(bytes, len, NULL, 0, how) : 0;
    if (n <= 0)
        return (struct im_str){0};
    int32_t *points = im_alloc(((size_t)n + 1) * sizeof *points);
    n = utf8proc_decompose(bytes, len, points, n, how);
    for (utf8proc_ssize_t i = 0; i < n; i++)
        if (!is_accent(points[i]))
            points[kept++] = points[i];
    n = utf8proc_reencode(points, kept, how);
    return (struct im_str){(char *)points, n > 0 ? (size_t)n : 0};
}

/* A walk over the terms of a folded text. */
struct walk {
    struct im_str text;
    size_t at;
    bool in_run; /* the character at `at` has one of its run before it */
};

struct term {
    struct im_str text;
    bool single; /* the last character of a run */
    bool first;  /* a word, or the first term of a run */
    bool word;
};

/* Over characters of a word that have no marks, as ASCII follows. */
static void skip_ascii(struct walk *w)
{
    const char *p = w->text.p;
    while (w->at + 1 < w->text.len && ascii_char(p[w->at]) == IM_CHAR_WORD && is_ascii(p[w->at + 1]))
        w->at++;
}

static struct term take_word(struct walk *w, struct piece piece)
{
    const char *start = piece.text.p;
    while (piece.what == IM_CHAR_WORD) {
        w->at += piece.text.len;
        skip_ascii(w);
        piece = piece_at(w->text, w->at);
    }
    struct im_str word = {start, (size_t)(w->text.p + w->at - start)};
    return (struct term){.text = cut(word, IM_SEARCH_TERM_MAX), .first = true, .word = true};
}

static struct term take_pair(struct walk *w, struct piece piece)
{
    static const size_t half = IM_SEARCH_TERM_MAX / 2;
    w->at += piece.text.len;
    struct piece next = piece_at(w->text, w->at);
    bool single = next.what != IM_CHAR_ALONE;
    struct im_str text = cut(piece.text, half);
    /* a character with too many marks stands for itself */
    if (!single && text.len == piece.text.len)
        text.len += cut(next.text, half).len;
    struct term term = {.text = text, .single = single, .first = !w->in_run};
    w->in_run = !single;
    return term;
}

static bool take(struct walk *w, struct term *out)
{
    while (w->at < w->text.len) {
        struct piece piece = piece_at(w->text, w->at);
        if (piece.what == IM_CHAR_OTHER) {
            w->at += piece.text.len;
            continue;
        }
        *out = piece.what == IM_CHAR_WORD ? take_word(w, piece) : take_pair(w, piece);
        return true;
    }
    return false;
}

void im_search_terms(struct im_str text, bool (*each)(void *arg, struct im_str term, size_t at), void *arg)
{
    struct walk walk = {.text = fold(text)};
    struct term term;
    for (size_t at = 0; take(&walk, &term) && each(arg, term.text, at);)
        at++;
    free((char *)walk.text.p);
}

void im_search_wants(struct im_str query, bool (*each)(void *arg, const struct im_search_want *), void *arg)
{
    struct walk walk = {.text = fold(query)};
    struct term term, next;
    bool more = take(&walk, &term);
    for (size_t count = 0; more && count < IM_SEARCH_WANTED_MAX; term = next) {
        more = take(&walk, &next);
        if (term.single && !term.first)
            continue; /* the pair before has it */
        struct im_search_want want = {term.text, term.word ? !more : term.single, !term.first};
        if (!each(arg, &want))
            break;
        count++;
    }
    free((char *)walk.text.p);
}

/* Matching: bit i of a mask is about the query's i-th term. */
struct match {
    struct im_search_want wants[IM_SEARCH_WANTED_MAX];
    char bytes[IM_SEARCH_WANTED_MAX][IM_SEARCH_TERM_MAX];
    size_t count;
    uint32_t follows;
    uint32_t here;  /* the text's terms up to the last one end with this term and those it follows */
    uint32_t found; /* … did at any time */
};

static bool add_want(void *arg, const struct im_search_want *want)
{
    struct match *m = arg;
    memcpy(m->bytes[m->count], want->term.p, want->term.len);
    m->wants[m->count] = *want;
    m->wants[m->count].term.p = m->bytes[m->count];
    m->follows |= (uint32_t)want->follows << m->count;
    m->count++;
    return true;
}

static bool is_wanted(const struct im_search_want *want, struct im_str term)
{
    if (want->prefix && term.len > want->term.len)
        term.len = want->term.len;
    return im_str_eq(term, want->term);
}

static uint32_t all_wants(const struct match *m)
{
    return m->count == 0 ? 0 : UINT32_MAX >> (IM_SEARCH_WANTED_MAX - m->count);
}

static bool match_term(void *arg, struct im_str term, size_t at)
{
    struct match *m = arg;
    uint32_t possible = (m->here << 1 & m->follows) | ~m->follows, here = 0;
    (void)at;
    for (size_t i = 0; i < m->count; i++)
        if (possible >> i & 1 && is_wanted(&m->wants[i], term))
            here |= (uint32_t)1 << i;
    m->here = here;
    m->found |= here;
    return m->found != all_wants(m);
}

bool im_search_match(struct im_str text, struct im_str query)
{
    struct match m;
    m.count = 0;
    m.follows = m.here = m.found = 0;
    im_search_wants(query, add_want, &m);
    if (m.count == 0)
        return false;
    im_search_terms(text, match_term, &m);
    return m.found == all_wants(&m);
}
