#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sysexits.h>

#include "core/mem.h"
#include "tools/imbench/report.h"
#include "tools/imbench/run.h"

enum { OWN_DESCRIPTORS = 16 };

/* A connection is a descriptor. */
static bool raise_descriptors(unsigned connections)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return true;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    if (limit.rlim_cur >= connections + OWN_DESCRIPTORS)
        return true;
    fprintf(stderr, "imbench: %u connections need more than the %lu descriptors there are: ulimit -n\n", connections,
            (unsigned long)limit.rlim_cur);
    return false;
}

static int report(const struct run *r)
{
    const struct options *o = r->options;
    if (o->json)
        report_json(r);
    else
        report_table(r);
    if (fflush(stdout) != 0) {
        fprintf(stderr, "imbench: standard output: %s\n", strerror(errno));
        return EX_IOERR;
    }
    if (o->svg && !report_svg(r, o->svg)) {
        fprintf(stderr, "imbench: %s: %s\n", o->svg, strerror(errno));
        return EX_CANTCREAT;
    }
    return EX_OK;
}

static int verdict(const struct run *r)
{
    if (r->status != EX_OK) {
        fprintf(stderr, "imbench: %s\n", im_out_data(&r->problem));
        return r->status;
    }
    if (!run_good(r)) {
        fputs("imbench: not every message came once and in order\n", stderr);
        return EX_DATAERR;
    }
    return EX_OK;
}

int main(int argc, char **argv)
{
    struct options options;
    bool done;
    signal(SIGPIPE, SIG_IGN);
    int status = options_parse(&options, argc, argv, &done);
    if (status != EX_OK || done)
        return status;
    if (!raise_descriptors(options.connections))
        return EX_OSERR;
    struct run *run = im_zalloc(sizeof *run);
    run_all(run, &options);
    status = report(run);
    if (status == EX_OK)
        status = verdict(run);
    run_free(run);
    free(run);
    return status;
}
