#ifndef IM_CORE_COMMAND_H
#define IM_CORE_COMMAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/name.h"
#include "core/str.h"

/* What a client can ask. One row per op in core/tbl/ops.def; one row per field in core/tbl/fields.def. */
enum im_op {
    IM_OP_NONE, /* nothing to do: a blank line, or a command the dialect answered itself */
#define IM_OP(sym, name, who, required, optional, handler) IM_OP_##sym,
#include "core/tbl/ops.def"
#undef IM_OP
    IM_OP_COUNT
};

enum im_field {
#define IM_FIELD(member, name, type, max) IM_F_##member,
#include "core/tbl/fields.def"
#undef IM_FIELD
    IM_FIELD_COUNT
};
#define IM_BIT(field) ((uint64_t)1 << IM_F_##field)

#define IM_WATCH_MAX    256 /* users in one presence request */
#define IM_MENTIONS_MAX 32  /* users mentioned in one message */

/* How a session sits with its user. Only transports and the daemon choose another than IM_SEAT_CHAT. */
enum im_seat_kind {
    IM_SEAT_CHAT,   /* gets what the user gets; the user is online */
    IM_SEAT_QUIET,  /* the same, but the user is not online by it: an outgoing webhook */
    IM_SEAT_SENDER, /* sends and gets only the answers: an incoming webhook. The token says where to */
};

/* A decoded request. String views belong to `memory` (or to the dialect's input) and live until im_command_clear(). */
struct im_command {
    enum im_op op;
    uint64_t have;    /* IM_BIT mask of the fields present */
    struct im_str id; /* the request's id as JSON text, or absent */
#define IM_FIELD_STR(name)  struct im_str name;
#define IM_FIELD_U64(name)  uint64_t name;
#define IM_FIELD_POS(name)  uint64_t name;
#define IM_FIELD_BOOL(name) bool name;
#define IM_FIELD_STRS(name)                                                                                            \
    struct im_str *name;                                                                                               \
    size_t name##_count;
#define IM_FIELD(member, name, type, max) IM_FIELD_##type(member)
#include "core/tbl/fields.def"
#undef IM_FIELD
#undef IM_FIELD_STR
#undef IM_FIELD_U64
#undef IM_FIELD_POS
#undef IM_FIELD_BOOL
#undef IM_FIELD_STRS
    const struct im_name *to_name; /* send: whom `to` names, where the dialect knows already */
    bool or_close;                 /* the transport's own request: if it is refused, the session ends */
    bool trusted;                  /* login without a password: the server's own */
    enum im_seat_kind seat;
    void *memory; /* what the views point into; the decoder's business */
    void (*release)(struct im_command *);
};

static inline bool im_command_has(const struct im_command *c, enum im_field f)
{
    return c->have >> f & 1;
}
void im_command_clear(struct im_command *c);   /* empty again */
void im_command_release(struct im_command *c); /* the views are gone; for one that is not used again */
const char *im_op_name(enum im_op op);

#endif
