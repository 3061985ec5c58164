#ifndef IM_TOOLS_IMD_FILTER_H
#define IM_TOOLS_IMD_FILTER_H

#include "core/core.h"

/* Which sessions are meant: comparisons joined by "and", such as "user=小明 and queue>64KiB". */

#define IMD_FILTER_MAX 8

#define IMD_FILTER_HELP                                                                                                \
    "user, device, transport, dialect, state, held, address, agent with = or !=, where a * at the end stands for any " \
    "rest; tls and throttled, which are yes or no; id, queue (bytes), behind (events of the log), age and idle (as "   \
    "30s) with =, !=, <, <=, > or >=."

struct imd_filter_term {
    const struct imd_filter_key *key;
    enum { IMD_EQ, IMD_NE, IMD_LT, IMD_LE, IMD_GT, IMD_GE } op;
    struct im_str text; /* a part of what was parsed */
    bool prefix;
    uint64_t number;
    struct im_name name; /* of a user, unless it is a prefix */
};
/* Zero-initialised: every session. */
struct imd_filter {
    struct imd_filter_term terms[IMD_FILTER_MAX];
    size_t count;
};
/* text must outlive the filter; absent: every session. IM_BAD_FIELD, with what is wrong. */
enum im_reason imd_filter_parse(struct im_str text, struct imd_filter *, struct im_error *);
bool imd_filter_match(const struct imd_filter *, const struct im_session_view *);

#endif
