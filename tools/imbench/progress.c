#include "tools/imbench/progress.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "tools/imbench/run.h"
#include "tools/imbench/scenario.h"

#define CLEAR_LINE "\r\033[K"

static bool wanted(const struct run *r)
{
    return !r->options->quiet && isatty(STDERR_FILENO);
}

/* Over the last second or so: what was long ago does not hide what is now. */
static void show_rates(const struct run *r)
{
    if (r->sample_count < 2)
        return;
    const struct sample *now = &r->samples[r->sample_count - 1];
    const struct sample *then = &r->samples[r->sample_count > 20 ? r->sample_count - 20 : 0];
    double ns = (double)(now->at_ns - then->at_ns);
    fprintf(stderr, "  %.0f %s/s", (double)(now->done - then->done) * 1e9 / ns, r->options->scenario->unit);
    if (r->latency.count > 0)
        fprintf(stderr, "  p99 %.0f us", (double)hist_at(&r->latency, 99) / 1e3);
    if (r->options->pid)
        fprintf(stderr, "  server %.0f %%", (double)(now->server_ns - then->server_ns) * 100 / ns);
    fprintf(stderr, "  imbench %.0f %%", (double)(now->own_ns - then->own_ns) * 100 / ns);
}

void progress_show(const struct run *r, uint64_t now)
{
    if (!wanted(r))
        return;
    fprintf(stderr, CLEAR_LINE "%s: %s", r->options->scenario->name, r->phase);
    if (r->measuring) {
        fprintf(stderr, " %.1f of %.1f s", (double)(now - r->start) / 1e9, (double)r->options->time_ns / 1e9);
        show_rates(r);
    } else {
        fprintf(stderr, ", %u of %u are in", r->in, r->count);
    }
    fflush(stderr);
}

void progress_clear(const struct run *r)
{
    if (wanted(r))
        fputs(CLEAR_LINE, stderr);
}
