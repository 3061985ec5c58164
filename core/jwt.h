#ifndef IM_CORE_JWT_H
#define IM_CORE_JWT_H

#include "core/name.h"
#include "core/reason.h"

/* Signed tokens of other systems (RFC 7519, compact JWS of RFC 7515): HS256 (RFC 7518, 3.2) and EdDSA with Ed25519
 * (RFC 8037). Each key is pinned to one algorithm; the header's `alg` must name it, and never chooses a key of another.
 */

enum im_jwt_alg { IM_JWT_HS256, IM_JWT_EDDSA };

struct im_key {
    enum im_jwt_alg alg;
    uint8_t *bytes; /* HS256: the secret; EdDSA: 32 bytes */
    size_t len;
};
struct im_keys {
    struct im_key v[16];
    size_t count;
};

/* An element of auth.jwt_keys, "ALGORITHM:FILE": the algorithm, and the view of the file's name; NULL: not one. */
const char *im_jwt_key_spec(const char *spec, enum im_jwt_alg *alg);

struct im_jwt {
    struct im_name user; /* `sub` */
    int64_t expires_ms;  /* `exp`, which must be there */
};

/* Looks like a signed token, not like one of ours? */
bool im_jwt_is(struct im_str token);
/* IM_OK, or IM_BAD_TOKEN with what is wrong for the log (never for the peer): signature, `exp`, `nbf`, `aud`, `sub`. */
enum im_reason im_jwt_verify(struct im_str token, const struct im_keys *, struct im_str audience, int64_t now_ms,
                             int64_t leeway_ms, struct im_jwt *out, struct im_error *);

#endif
