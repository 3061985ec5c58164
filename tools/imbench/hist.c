#include "tools/imbench/hist.h"

#include <math.h>

/* Values below 2 << HIST_BITS have a slot each; above, each doubling has 1 << HIST_BITS slots. */

static unsigned slot_of(uint64_t value)
{
    unsigned shift = value >> HIST_BITS ? 63 - HIST_BITS - (unsigned)__builtin_clzll(value) : 0;
    return (shift << HIST_BITS) + (unsigned)(value >> shift);
}

static uint64_t slot_most(unsigned slot)
{
    unsigned shift = slot >> HIST_BITS ? (slot >> HIST_BITS) - 1 : 0;
    uint64_t mantissa = slot - (shift << HIST_BITS);
    return (mantissa << shift) + ((uint64_t)1 << shift) - 1;
}

void hist_add(struct hist *h, uint64_t value)
{
    h->n[slot_of(value)]++;
    h->count++;
    h->sum += value;
    if (value > h->max)
        h->max = value;
}

uint64_t hist_at(const struct hist *h, double percent)
{
    uint64_t goal = (uint64_t)ceil((double)h->count * percent / 100), seen = 0;
    for (unsigned slot = 0; slot < HIST_SLOTS; slot++) {
        seen += h->n[slot];
        if (seen > 0 && seen >= goal)
            return slot_most(slot) < h->max ? slot_most(slot) : h->max;
    }
    return h->max;
}
