#ifndef IM_TOOLS_IMCTL_SAMPLE_H
#define IM_TOOLS_IMCTL_SAMPLE_H

#include <jansson.h>

#include "tools/imctl/client.h"

/* What the server's counters say at one moment; two of them make rates. */
struct sample {
    double at_s; /* monotonic */
    json_t *online, *counters;
};

/* An exit status of sysexits.h. What `s` held before is dropped; on failure it holds nothing. */
int sample_take(struct client *, struct sample *s);
void sample_drop(struct sample *);
/* An object: time (UTC), users, sessions, and of everything counted how much each second since `before`. Fields are
 * those of sample_columns. */
json_t *sample_rates(const struct sample *now, const struct sample *before);
/* Has the server been another one since? Its counters begin again. */
bool sample_restarted(const struct sample *now, const struct sample *before);

struct sample_column {
    const char *name;
    const char *counter; /* NULL: not a rate */
    const char *title;   /* a heading */
    int width;
};
extern const struct sample_column sample_columns[]; /* ends with name NULL; what matters most comes first */
double sample_now_s(void);

#endif
