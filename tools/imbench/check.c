#include "tools/imbench/check.h"

/* Text: 6 hex digits of sender, 10 of n, 16 of stamp, then padding. */

enum { SENDER_DIGITS = 6, N_DIGITS = 10, STAMP_DIGITS = 16 };

static char *put_hex(char *at, unsigned digits, uint64_t value)
{
    for (unsigned i = digits; i-- > 0; value >>= 4)
        at[i] = "0123456789abcdef"[value & 15];
    return at + digits;
}

static bool get_hex(const char **at, unsigned digits, uint64_t *value)
{
    *value = 0;
    for (unsigned i = 0; i < digits; i++) {
        char c = *(*at)++;
        unsigned digit = c >= '0' && c <= '9'   ? (unsigned)(c - '0')
                         : c >= 'a' && c <= 'f' ? (unsigned)(c - 'a') + 10
                                                : 16;
        if (digit == 16)
            return false;
        *value = *value << 4 | digit;
    }
    return true;
}

/* Words as people write them, so that what compressing costs and gains is told as it is. */
static const char padding[] =
    " the cat that sat at the window this morning has not come back, so I went out with a bowl of milk and called; "
    "nobody answered but the old man from number 12, who says that he saw her near the bakery at about half past nine. "
    "Could you look behind the school when you pass there today? She is grey, quite small, and answers to Pepper if "
    "she "
    "feels like it. I shall be at home until four, and after that at the market, where Anna wants help with the plums, "
    "the last ones of this year; keep an eye on the weather too, they say it may rain. By the way, your umbrella still "
    "stands in our hall, next to the blue bicycle that Jonas promised to repair in May. See you tonight, perhaps with "
    "better news; if not, we will print 50 leaflets and put one on every tree between here and the river.";

void text_put(struct im_out *out, size_t size, const struct text *t)
{
    char head[TEXT_MIN];
    put_hex(put_hex(put_hex(head, SENDER_DIGITS, t->sender), N_DIGITS, t->n), STAMP_DIGITS, t->stamp);
    im_out_put(out, head, sizeof head);
    for (size_t left = size - sizeof head; left > 0;) {
        size_t step = left < sizeof padding - 1 ? left : sizeof padding - 1;
        im_out_put(out, padding, step);
        left -= step;
    }
}

bool text_get(struct im_str s, size_t size, struct text *t)
{
    uint64_t sender;
    const char *at = s.p;
    if (s.len != size || s.len < TEXT_MIN || !get_hex(&at, SENDER_DIGITS, &sender) || !get_hex(&at, N_DIGITS, &t->n) ||
        !get_hex(&at, STAMP_DIGITS, &t->stamp))
        return false;
    for (; at < s.p + s.len; at += sizeof padding - 1) {
        size_t left = (size_t)(s.p + s.len - at);
        if (memcmp(at, padding, left < sizeof padding - 1 ? left : sizeof padding - 1) != 0)
            return false;
        if (left < sizeof padding - 1)
            break;
    }
    t->sender = (uint32_t)sender;
    return true;
}

static void take_newest(struct flow *f, uint64_t n)
{
    uint64_t skipped = n - f->next;
    f->missing += skipped;
    f->recent = skipped >= 63 ? 1 : f->recent << (skipped + 1) | 1;
    f->next = n + 1;
}

/* Farther back than is remembered, one that comes is taken for a missing one as long as any is. */
static void take_older(struct flow *f, uint64_t n, struct tally *tally)
{
    uint64_t back = f->next - 1 - n, bit = back < 64 ? (uint64_t)1 << back : 0;
    bool came = bit ? (f->recent & bit) != 0 : f->missing == 0;
    if (came) {
        tally->duplicated++;
        return;
    }
    f->recent |= bit;
    f->missing--;
    tally->misordered++;
}

void flow_take(struct flow *f, uint64_t n, struct tally *tally)
{
    tally->got++;
    if (n >= f->next)
        take_newest(f, n);
    else
        take_older(f, n, tally);
}

uint64_t tally_lost(const struct tally *t)
{
    uint64_t distinct = t->got - t->duplicated;
    return t->expected > distinct ? t->expected - distinct : 0;
}
