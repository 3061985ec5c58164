#include "core/suggest.h"

#include <ctype.h>

#define WORD_MAX 48

static size_t least(size_t a, size_t b, size_t c)
{
    size_t m = a < b ? a : b;
    return m < c ? m : c;
}

static bool same(char a, char b)
{
    return tolower((unsigned char)a) == tolower((unsigned char)b);
}

/* Insertions, deletions, replacements and swaps of neighbours between two words (optimal string alignment). */
static size_t distance(struct im_str a, struct im_str b)
{
    size_t rows[3][WORD_MAX + 1];
    size_t *before = rows[0], *last = rows[1], *row = rows[2];
    for (size_t j = 0; j <= b.len; j++)
        last[j] = j;
    for (size_t i = 1; i <= a.len; i++) {
        row[0] = i;
        for (size_t j = 1; j <= b.len; j++) {
            row[j] = least(last[j] + 1, row[j - 1] + 1, last[j - 1] + !same(a.p[i - 1], b.p[j - 1]));
            if (i > 1 && j > 1 && same(a.p[i - 1], b.p[j - 2]) && same(a.p[i - 2], b.p[j - 1]))
                row[j] = least(row[j], before[j - 2] + 1, row[j]);
        }
        size_t *spare = before;
        before = last;
        last = row;
        row = spare;
    }
    return last[b.len];
}

void im_suggest_offer(struct im_suggest *s, struct im_str candidate)
{
    if (s->word.len > WORD_MAX || candidate.len > WORD_MAX)
        return;
    size_t d = distance(s->word, candidate);
    if (!s->best.p || d < s->distance) {
        s->best = candidate;
        s->distance = d;
    }
}

struct im_str im_suggest_best(const struct im_suggest *s)
{
    size_t longer = s->word.len > s->best.len ? s->word.len : s->best.len;
    if (s->best.p && s->distance * 5 <= longer * 2)
        return s->best;
    return (struct im_str){0};
}
