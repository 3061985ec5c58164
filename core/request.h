#ifndef IM_CORE_REQUEST_H
#define IM_CORE_REQUEST_H

#include "core/private.h"

/* What clients ask: one handler per row of core/tbl/ops.def. A handler answers at once, or submits a store operation
 * whose completion answers; a reason other than IM_OK becomes the err reply. */

enum im_who { IM_WHO_ANY, IM_WHO_NEW, IM_WHO_USER };

typedef enum im_reason im_op_handler(struct im_core *, struct im_session *, const struct im_command *,
                                     struct im_error *);

#define IM_OP(sym, name, who, required, optional, function) im_op_handler im_op_##function;
#include "core/tbl/ops.def"
#undef IM_OP

#define IM_BUSY_AFTER_MS 500

/* A request the store will answer. */
struct im_request {
    struct im_core *core;
    uint64_t session;
    enum im_op op;
    struct im_out id; /* the client's, kept; absent when empty */
    union {
        struct im_store_op head;
        struct im_store_login login;
        struct im_store_history history;
        struct im_store_search search;
        struct im_store_conversations conversations;
        struct im_store_groups groups;
        struct im_store_members members;
        struct im_store_block block;
        struct im_store_users users;
        struct im_store_devices devices;
        struct im_store_device_drop device_drop;
        struct im_store_records records;
        struct im_store_record_put record_put;
        struct im_store_record_drop record_drop;
    } store;
    struct im_name name; /* login: who; otherwise the conversation or the user it is about */
    struct im_out self;  /* key of the user who asks */
    struct im_out text;  /* kept for the store operation */
    uint64_t since;
    uint32_t limit;
    bool has_since, wrong_epoch;
    bool alone;    /* the session asks nothing else until it is answered: what comes after must not overtake it */
    bool or_close; /* of the command */
    void *more;    /* the handler's; freed with free() */
};

/* Submits what the session asks of the store; in its done(), the session (NULL: gone) if it is still to be answered. */
void im_store_ask(struct im_core *, struct im_session *, struct im_store_op *);
struct im_session *im_store_answered(struct im_core *, struct im_session *, enum im_store_op_kind);

struct im_request *im_request_new(struct im_core *, struct im_session *, const struct im_command *,
                                  enum im_store_op_kind, void (*done)(struct im_store_op *));
void im_request_submit(struct im_request *, struct im_session *);
/* The session that asked, if it is still there to be answered. */
struct im_session *im_request_answered(struct im_request *);
/* Ends the request; session may be NULL. */
void im_request_finish(struct im_request *, struct im_session *);

void im_request_fail(struct im_request *, struct im_session *, enum im_reason); /* session may be NULL */
/* The plain ok, for those who gave an id; or why not. */
void im_request_tell(struct im_request *, struct im_session *, enum im_reason);
/* The completion of what has no more to tell than that. */
void im_request_done(struct im_store_op *);
/* A line of text that others are shown: neither long nor with control characters. */
enum im_reason im_check_line(const struct im_core *, const char *name, struct im_str text, struct im_error *);

void im_reply(struct im_session *, const struct im_reply *);
/* The plain ok, for those who gave an id. */
void im_reply_ok(struct im_session *, const struct im_command *);

static inline enum im_conv_kind im_conv_kind(const struct im_name *conv)
{
    return im_conv_is_group(im_name_key(conv)) ? IM_CONV_GROUP : IM_CONV_DIRECT;
}

/* Appends the event that msg says, from the session's user, and answers when it is committed. msg's kind, to, to_key
 * and what is special to the type are set. IM_BUSY when too much waits for the store. The talk is whom it goes to, with
 * what the session remembers of them; NULL: nothing. */
enum im_reason im_append(struct im_core *, struct im_session *, const struct im_command *, enum im_event_type,
                         struct im_msg *msg, struct im_talk *, struct im_error *);
/* The conversation's name as it is known here, or as it was given. */
struct im_str im_conv_text(struct im_core *, const struct im_name *conv);

static inline struct im_str im_out_view(const struct im_out *out)
{
    return (struct im_str){out->bytes ? im_out_data(out) : NULL, out->len};
}

#endif
