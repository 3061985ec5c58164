#ifndef IM_CORE_HASHER_H
#define IM_CORE_HASHER_H

#include <stdbool.h>

#include "core/reason.h"
#include "core/str.h"

/* Password hashing, which takes long on purpose and so happens elsewhere; the core sees this contract alone. */

#define IM_HASH_TEXT_MAX 128 /* an encoded hash, with its NUL */

struct im_hash_job {
    struct im_str password;         /* the submitter's, until done() */
    bool verify;                    /* against `encoded`; else make a new hash */
    char encoded[IM_HASH_TEXT_MAX]; /* verify: in; "" takes the same time and fails. Out when `stale` or !verify: new */
    enum im_reason status;          /* out: IM_OK, IM_BAD_LOGIN, IM_SYSTEM */
    bool stale; /* out: right, but made with other parameters than today's; `encoded` is a new one */
    void (*done)(struct im_hash_job *); /* on the core's thread, once */
    void *owner;
    struct im_hash_job *next; /* the hasher's */
};

struct im_hasher {
    /* IM_OK, or IM_BUSY and the job is not taken. */
    enum im_reason (*submit)(struct im_hasher *, struct im_hash_job *);
};

#endif
