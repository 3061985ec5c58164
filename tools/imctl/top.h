#ifndef IM_TOOLS_IMCTL_TOP_H
#define IM_TOOLS_IMCTL_TOP_H

#include "tools/imctl/options.h"
#include "tools/imctl/sample.h"
#include "tools/imctl/show.h"

/* `top`: what it knows, and how it looks. */

struct top {
    const struct options *options;
    struct client *client;
    const char *filter;             /* of sessions; NULL: all */
    struct sample before, now;      /* of the two looks, and what goes with each: */
    json_t *status_before, *status; /* NULL before the first look */
    json_t *latency_before, *latency;
    json_t *sessions;
    json_t **rows; /* of sessions, in order; borrowed */
    size_t row_count, sort, scroll, page;
    size_t width; /* of the screen; 0: none */
    unsigned interval;
    bool down, help, paused, gone;
};

/* A column of the list of sessions. */
struct top_column {
    const char *name, *field;
    size_t from_width; /* of the screen: on a narrower one there is no room for it */
    bool down;         /* the interesting end of its order is the large one */
};
extern const struct top_column top_columns[];
extern const size_t top_column_count;
bool top_shows(const struct top *, size_t column);

void top_put_head(struct im_out *, const struct top *, const struct show_style *);
void top_put_sessions(struct im_out *, const struct top *, size_t room, const struct show_style *);
void top_put_help(struct im_out *, size_t width);

#endif
