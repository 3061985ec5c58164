#ifndef IM_CORE_BAN_H
#define IM_CORE_BAN_H

#include "core/bytes.h"
#include "core/name.h"
#include "core/store.h"

/* Who may not come (a user, or a network), or not send (a muted user), for a time or for good. Rests in the store as
 * records of IM_RECORD_BAN; the core knows all of them. */

enum im_ban_kind { IM_BAN_USER, IM_BAN_NET, IM_BAN_MUTE };
const char *im_ban_kind_name(enum im_ban_kind);

#define IM_BAN_WHY_MAX 200 /* bytes of the reason */
#define IM_BAN_KEY_MAX (8 + IM_KEY_BYTES_MAX)
#define IM_BANS_MAX    10000

struct im_ban {
    enum im_ban_kind kind;
    struct im_name user; /* USER and MUTE */
    uint8_t ip[16];      /* NET: IPv6, or an IPv4 address mapped into it */
    unsigned bits;       /* NET: how many of these count */
    char why[IM_BAN_WHY_MAX + 1];
    int64_t since_ms, until_ms; /* until 0: for good */
    unsigned by_uid;
};

/* "192.0.2.7", "192.0.2.0/24", "2001:db8::/32"; beyond its bits an address must be 0. IM_BAD_FIELD and a detail. */
enum im_reason im_ban_net(struct im_str text, struct im_ban *, struct im_error *);
bool im_ban_hits(const struct im_ban *, const uint8_t ip[16]);

/* The key of its record, "user/…", "net/…" or "mute/…"; for a network also how people write it, after the slash. */
struct im_str im_ban_key(const struct im_ban *, char out[IM_BAN_KEY_MAX]);
bool im_ban_read(struct im_str key, struct im_str value, struct im_ban *out);
void im_ban_write(const struct im_ban *, struct im_out *value);

/* All there are, by key. Zero-initialise. */
struct im_bans {
    struct im_ban *rows; /* in the order of their keys, so that those of a kind stand together */
    size_t count, room;
};
/* In place of the one with its key. False: there are IM_BANS_MAX. */
bool im_bans_put(struct im_bans *, const struct im_ban *, int64_t now_ms);
bool im_bans_drop(struct im_bans *, struct im_str key);
/* The one that holds now; NULL: none. */
const struct im_ban *im_bans_user(const struct im_bans *, enum im_ban_kind, struct im_str user_key, int64_t now_ms);
const struct im_ban *im_bans_peer(const struct im_bans *, const char *peer, int64_t now_ms);
void im_bans_clear(struct im_bans *);

#endif
