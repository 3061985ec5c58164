#ifndef IM_CORE_ACCOUNT_H
#define IM_CORE_ACCOUNT_H

#include "core/bytes.h"
#include "core/hasher.h"
#include "core/name.h"
#include "core/store.h"

/* What the values of account, token, invitation and profile records say. Written as JSON; unknown members are ignored.
 */

struct im_account {
    char password[IM_HASH_TEXT_MAX]; /* encoded hash; "": no password logs in (a bot) */
    bool disabled, deleted, bot;
    int64_t created_ms;
};
/* False: not an account's value. */
bool im_account_read(struct im_str value, struct im_account *out);
void im_account_write(const struct im_account *, struct im_out *out);

enum im_token_use {
    IM_TOKEN_SESSION, /* of a device that logged in with a password; dropped when the device is */
    IM_TOKEN_API,     /* made by imctl: for bots and scripts */
    IM_TOKEN_HOOK,    /* an incoming webhook: sends to one conversation, reads nothing */
};
#define IM_TOKEN_LABEL_MAX 65 /* with its NUL */
struct im_token {
    enum im_token_use use;
    struct im_name user;
    struct im_name to;              /* HOOK */
    char label[IM_TOKEN_LABEL_MAX]; /* API and HOOK: what the operator calls it; their records have no name, for names
                                       are devices' */
    int64_t created_ms;
};
bool im_token_read(struct im_str value, struct im_token *out);
void im_token_write(const struct im_token *, struct im_out *out);

struct im_invite {
    uint32_t uses; /* left */
    int64_t created_ms;
};
bool im_invite_read(struct im_str value, struct im_invite *out);
void im_invite_write(const struct im_invite *, struct im_out *out);

/* A secret for tokens and invitation codes: 32 random bytes as URL-safe base64 without padding, 43 characters; and the
 * key of its record, the hex of its hash: what the store holds cannot be used to log in. */
#define IM_SECRET_MAX 44
#define IM_SECRET_KEY 65
void im_secret_write(const uint8_t random[32], char out[IM_SECRET_MAX]);
void im_secret_key(struct im_str secret, char out[IM_SECRET_KEY]);

/* An element of auth.unix_users: "SYSTEM-USER:ID", or "*", which leaves *user absent. IM_CONFIG and a detail. */
enum im_reason im_unix_user_spec(const char *spec, struct im_str *user, struct im_name *id, struct im_error *);

#endif
