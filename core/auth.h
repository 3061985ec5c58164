#ifndef IM_CORE_AUTH_H
#define IM_CORE_AUTH_H

#include "core/account.h"
#include "core/request.h"

/* Who somebody is: what login, register and password share. Each is a chain of steps, store operations and password
 * hashes, that belong to one request; `then` is the step to take when what was asked for is there. */

struct im_auth;

/* status: how the operation ended; found: the first of the records read, or NULL. The session is there, unless
 * `alone` is set. A step ends by asking for the next operation, or with im_auth_fail() or im_auth_end(). */
typedef void im_auth_step(struct im_request *, struct im_session *, enum im_reason status,
                          const struct im_record *found);

struct im_auth {
    struct im_auth *prev, *next; /* in core->auths */
    const struct im_request *request;
    im_auth_step *then;
    bool alone; /* go on even if the session has gone */
    struct im_hash_job job;
    struct im_account account;
    struct im_out account_value;    /* the account's record as it was read; empty: there is none */
    struct im_out value;            /* of the record that is being written */
    char *password, *fresh;         /* malloc'd or NULL; wiped */
    char *device;                   /* malloc'd; NULL: the shared default */
    enum im_seat_kind seat;         /* login */
    struct im_name *hook_to;        /* login: of a webhook's token; malloc'd or NULL */
    char token_key[IM_SECRET_KEY];  /* of the token it came with or gets; "": none */
    char secret[IM_SECRET_MAX];     /* of the token it gets; "": none */
    int64_t expires_ms;             /* of either */
    enum im_reason wrong;           /* login: the answer to a wrong secret, and to a right one of a closed account */
    bool overtaken;                 /* what it rests on has been revoked meanwhile */
    bool vouched;                   /* somebody we trust says who it is: an account may be made */
    bool by_password;               /* as in struct im_session */
    char own_key[IM_SECRET_KEY];    /* password: of the session's own token; "": none */
    char invite_key[IM_SECRET_KEY]; /* register: of the invitation; "": none is needed */
    struct im_out invite_value;     /* its record as it was read */
    int64_t invite_expires_ms;      /* as it was before */
    bool written;                   /* password: the new one is; tokens got meanwhile for the old one go, too */
    uint64_t wait_ms;               /* login: until the webhook may send again */
};

static inline struct im_auth *im_auth_of(const struct im_request *r)
{
    return r->more;
}

/* Keys of tokens are what im_secret_key() makes. */
void im_auth_note_token(struct im_auth *, struct im_str key);

/* A request about the user r->name, which is for the caller to set. Copies passwords and the session's device. */
struct im_request *im_auth_new(struct im_core *, struct im_session *, const struct im_command *);
/* Answers with err, lets the session try again (or ends it, if the command says so), and ends the request. */
void im_auth_fail(struct im_request *, struct im_session *, enum im_reason, const char *detail);
/* The same for what an attacker would try many times: counts against the address, and the account if `account`. */
void im_auth_failed(struct im_request *, struct im_session *, enum im_reason, bool account, const char *why);
void im_auth_end(struct im_request *, struct im_session *);

/* How long the session's address, or the account if `account`, still has to wait. */
uint64_t im_auth_wait(const struct im_request *, const struct im_session *, bool account);
/* The account's owner has shown up. */
void im_auth_forgive(const struct im_request *);

/* Operations. */
void im_auth_read(struct im_request *, enum im_record_kind, struct im_str key, im_auth_step *then);
/* Records of the user, after a key. */
void im_auth_list(struct im_request *, enum im_record_kind, struct im_str after, uint32_t limit, im_auth_step *then);
/* expect absent: there must be none; IM_CONFLICT otherwise. Takes the value over. */
void im_auth_replace(struct im_request *, const struct im_record *, struct im_str expect, im_auth_step *then);
void im_auth_put(struct im_request *, const struct im_record *, im_auth_step *then);
void im_auth_drop(struct im_request *, enum im_record_kind, struct im_str key, im_auth_step *then);
/* Against `encoded` (see struct im_hash_job); NULL: makes a new hash of the password. */
void im_auth_hash(struct im_request *, const char *password, const char *encoded, im_auth_step *then);

/* Keeps the account record that was read; false: it cannot be understood. found NULL: there is none. */
bool im_auth_keep_account(struct im_request *, const struct im_record *found);
/* Writes a->account in place of what was read. */
void im_auth_write_account(struct im_request *, im_auth_step *then);

/* login.c: the rest of a login, once it is known who it is: a token for a device that has a name, and the seat. */
void im_login_issue(struct im_request *, struct im_session *);

#endif
