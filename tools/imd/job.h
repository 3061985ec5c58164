#ifndef IM_TOOLS_IMD_JOB_H
#define IM_TOOLS_IMD_JOB_H

#include "core/account.h"
#include "tools/imd/daemon.h"
#include "tools/imd/rpc.h"

/* An admin command that takes several steps, each a store operation, a password to hash, or an event to append. A step
 * that fails ends the command with its reason. The server waits for jobs before it stops. */
struct imd_job {
    struct imd *imd;
    struct im_rpc_call *call;
    void (*next)(struct imd_job *);
    union {
        struct im_store_op head;
        struct im_store_records records;
        struct im_store_record_put put;
        struct im_store_record_drop drop;
        struct im_store_users users;
        struct im_store_devices devices;
        struct im_store_device_drop device_drop;
        struct im_store_groups groups;
        struct im_store_members members;
        struct im_store_conversations conversations;
        struct im_store_history history;
        struct im_store_since since;
        struct im_store_find find;
        struct im_store_stats stats;
        struct im_store_cursors cursors;
        struct im_store_care care;
    } op;                    /* each step's own; rows it has got are freed before the next one */
    struct im_hash_job hash; /* its password is the job's own copy */
    enum im_reason status;   /* of the last step, where it may fail */
    bool may_fail;           /* the next step's failure is not the command's */
    struct im_name name, other;
    struct im_account account;
    struct im_out value, before; /* of the record to be written; as it was */
    char key[IM_SECRET_KEY];
    json_t *result;
    void *own;  /* a command's memory over its steps; malloc'd or NULL */
    char *text; /* what the steps share; malloc'd or NULL */
    unsigned step;
    uint64_t pos, seq;           /* of the event that was appended last */
    size_t closed, tokens;       /* sessions and tokens that a change of an account has ended */
    struct im_store_users users; /* an answer kept over the next steps; its rows are freed in the end */
};

struct imd_job *imd_job_new(struct im_rpc_call *);
void imd_job_text(struct imd_job *, struct im_str); /* sets job->text */
/* The name parameter as a user's id, or a conversation's name; false: the call has failed and the job is over. */
bool imd_job_user(struct imd_job *, const char *arg);
bool imd_job_group(struct imd_job *, const char *arg);
/* Submits job->op, with everything but its head set. */
void imd_job_run(struct imd_job *, enum im_store_op_kind, void (*next)(struct imd_job *));
void imd_job_hash(struct imd_job *, struct im_str password, void (*next)(struct imd_job *)); /* to job->hash.encoded */
void imd_job_append(struct imd_job *, enum im_event_type, const struct im_msg *, void (*next)(struct imd_job *));
/* The record of this key; job->op.records has it, or count 0. */
void imd_job_find(struct imd_job *, enum im_record_kind, struct im_str key, void (*next)(struct imd_job *));
/* Writes job->value in place of job->before (absent: of nothing). */
void imd_job_put(struct imd_job *, enum im_record_kind, struct im_str key, int64_t expires_ms,
                 void (*next)(struct imd_job *));
/* Ends the command. */
void imd_job_end(struct imd_job *, json_t *result); /* takes the reference; NULL: job->result, or an empty object */
void imd_job_fail(struct imd_job *, enum im_reason, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* A time from now, such as "30d", from the argument; false: the job has failed. Absent: *ms = otherwise. */
bool imd_job_period(struct imd_job *, const char *arg, uint64_t otherwise, uint64_t *ms);
int64_t imd_job_now_ms(void);
void imd_job_time(json_t *object, const char *key, int64_t ms); /* ISO 8601; 0: null */

#endif
