#ifndef IM_TOOLS_IMD_RPC_H
#define IM_TOOLS_IMD_RPC_H

#include <jansson.h>

#include "core/bytes.h"
#include "core/reason.h"

/* JSON-RPC 2.0 over tables of commands: one request per line in, one response per line out. Parameters by name or by
 * position; batches are not accepted. This part does no I/O. */

/* On the read-only socket, which is for monitoring, is only what READ commands tell: how the server is. PEOPLE: what
 * people have to do with each other, or say; changes nothing all the same. */
enum im_rpc_access { IM_RPC_READ, IM_RPC_PEOPLE, IM_RPC_WRITE };
/* Under which heading help lists it. */
enum im_rpc_section {
    IM_RPC_STEER,
    IM_RPC_SEE,
    IM_RPC_JUDGE,
    IM_RPC_ACCOUNTS,
    IM_RPC_GROUPS,
    IM_RPC_HOOKS,
    IM_RPC_DATA,
    IM_RPC_HELP,
    IM_RPC_SECTIONS
};
/* SECRET: a string that imctl asks for; never a word on its command line. From USER on: what the argument names, so
 * that a shell can offer what there is; a string, or for SESSION a number. */
enum im_rpc_type {
    IM_RPC_STRING,
    IM_RPC_UINT,
    IM_RPC_SECRET,
    IM_RPC_USER,
    IM_RPC_ONLINE,  /* a user with a session */
    IM_RPC_SESSION, /* its number */
    IM_RPC_WHO,     /* a user with a session, or a session's number */
    IM_RPC_GROUP,
    IM_RPC_TARGET, /* a user or a group */
    IM_RPC_REPORT,
    IM_RPC_TOKEN,
    IM_RPC_INVITE,
    IM_RPC_HOOK,
    IM_RPC_COMMAND,
    IM_RPC_FILE,    /* a path on the server's machine; imctl makes it absolute */
    IM_RPC_PRIVATE, /* not for the log: what is said to people, or what may hold a secret */
};
bool im_rpc_is_number(enum im_rpc_type);

#define IM_RPC_ARGS_MAX 8

struct im_rpc_arg {
    const char *name; /* NULL ends the list */
    enum im_rpc_type type;
    bool required;
    const char *choices; /* "a|b|c", or NULL: any */
    const char *help;
};

struct im_rpc_call;

/* One command; everything that anybody needs to know about it. */
struct im_rpc_command {
    const char *name; /* the method; words are joined by dots: "log.level" */
    enum im_rpc_section section;
    enum im_rpc_access access;
    struct im_rpc_arg args[IM_RPC_ARGS_MAX + 1];
    const char *help;    /* first sentence: what it does; more may follow */
    const char *usage;   /* after the name, when the arguments in their order do not tell; or NULL */
    const char *example; /* as typed after "imctl ", or NULL */
    /* How people like to see the result: "text" (result.text as it is), "fields" (one line for each), or
     * "table KEY COLUMN…" (the objects in result.KEY), "report KEY COLUMN…" (fields, and then that table), "findings
     * KEY STATE WHAT FOUND ADVICE" (what an examination found, with what to do), "ndjson KEY" (these objects, each as a
     * line of JSON; while there is a result.next, the command is called again with it as argument "after"); of a
     * stream, "line KEY…": a line for each item, these values first and then the others with their names. */
    const char *show;
    const char *none; /* for people, of a table without rows; NULL: "no KEY" */
    /* What imctl asks before it, "Erase it?": it destroys something. Such a command has an argument "dry": with it, it
     * only tells what it would do. NULL: it is simply done. */
    const char *asks;
    bool patient;                      /* takes as long as it takes, as a stream does: the asker should not give up */
    void (*run)(struct im_rpc_call *); /* ends the call now or later */
};

struct im_rpc {
    const struct im_rpc_command *const *tables; /* each ends with name NULL, and the list of them with NULL */
    void *host;
    /* At the end of every call of a command that may change something, or was marked by im_rpc_audit(); may be NULL. */
    void (*audit)(const struct im_rpc_call *, enum im_reason);
};
/* Walks all commands: *at starts as {0}; NULL at the end. */
struct im_rpc_place {
    size_t table, row;
};
const struct im_rpc_command *im_rpc_next(const struct im_rpc *, struct im_rpc_place *at);

/* Who asks. */
struct im_rpc_peer {
    bool may_write;
    unsigned uid; /* for the log */
};

/* Where an answer goes. What is handed over is JSON and a LF, safe for a terminal; the reference is the receiver's. */
struct im_rpc_sink {
    /* At most once, and last. NULL instead of bytes when a notification is over, which is not answered. */
    void (*answer)(void *arg, struct im_bytes *);
    /* One item of a stream; false: it was lost, the asker does not read fast enough. NULL: takes no streams. */
    bool (*item)(void *arg, struct im_bytes *);
    void *arg;
};

/* A request that is being answered. Ended by exactly one of im_rpc_result() and im_rpc_fail(). */
struct im_rpc_call {
    const struct im_rpc *rpc;
    const struct im_rpc_command *command;
    struct im_rpc_peer peer;
    json_t *args;                       /* object, checked against the command's table */
    json_t *id;                         /* NULL: a notification, which gets no answer */
    struct im_rpc_sink sink;            /* answer NULL: nobody listens any more */
    void (*stop)(struct im_rpc_call *); /* of a stream; NULL: none */
    void *state;                        /* of a stream: the command's own */
    bool *over;                         /* rpc.c's: set when the call ends inside run() */
    bool audited;
};

/* Takes one line, without its end. Answers before this returns NULL, or later, and then the call is returned. */
struct im_rpc_call *im_rpc_line(const struct im_rpc *, struct im_str line, struct im_rpc_peer,
                                const struct im_rpc_sink *);
/* The asker has gone: the call goes on, unless it is a stream, and its answer is dropped. */
void im_rpc_abandon(struct im_rpc_call *);

/* Streams: notifications before the answer, {"method":COMMAND,"params":{"id":the request's,"item":…}}. */

/* The call is a stream from now on. stop() ends the call before it returns; it is called when the asker wants no more,
 * or has gone. False: nobody would hear it, and the call has failed. */
bool im_rpc_stream(struct im_rpc_call *, void (*stop)(struct im_rpc_call *));
/* Takes the reference. False: it was lost. */
bool im_rpc_item(struct im_rpc_call *, json_t *item);
/* The asker wants no more of a stream. */
void im_rpc_stop(struct im_rpc_call *);

void im_rpc_result(struct im_rpc_call *, json_t *result); /* takes the reference */
/* The reason's name goes into error.data; the message is the format. */
void im_rpc_fail(struct im_rpc_call *, enum im_reason, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* This reading is one that others should be able to know of. */
static inline void im_rpc_audit(struct im_rpc_call *call)
{
    call->audited = true;
}
/* The call as a line for people, "kick who=小明": without what is secret or said to people. */
void im_rpc_put_call(const struct im_rpc_call *, struct im_out *);

/* Arguments; absent: {NULL, 0} and false. */
struct im_str im_rpc_string(const struct im_rpc_call *, const char *name);
bool im_rpc_uint(const struct im_rpc_call *, const char *name, uint64_t *out);

/* NULL if there is none. */
const struct im_rpc_command *im_rpc_find(const struct im_rpc *, struct im_str name);
/* The tables as JSON; a new reference. */
json_t *im_rpc_describe(const struct im_rpc *);
/* Help as text: all commands, or one. */
void im_rpc_help(const struct im_rpc *, const struct im_rpc_command *, struct im_out *);
/* The commands as a part of a manual page, in mdoc(7). */
void im_rpc_manual(const struct im_rpc *, struct im_out *);
/* An error without a call: what comes before or instead of a request. id null. */
struct im_bytes *im_rpc_refusal(enum im_reason, const char *message);

#endif
