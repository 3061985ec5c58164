#ifndef IM_TOOLS_IMD_KEYS_H
#define IM_TOOLS_IMD_KEYS_H

#include "core/config.h"
#include "core/jwt.h"

/* Reads the files of auth.jwt_keys. Relative paths begin at `base`. IM_OK, and *keys (with no key in it when none is
 * configured) is to be cleared; or the first problem, "FILE: what is wrong". */
enum im_reason imd_keys_load(const struct im_config *, const char *base, struct im_keys *, struct im_error *);
void imd_keys_clear(struct im_keys *);

/* The key in a file's bytes: EdDSA: PEM (SubjectPublicKeyInfo, RFC 8410) or the 32 bytes; HS256: the bytes, without the
 * line end of a file that is text. The key's bytes are malloc'd. IM_CONFIG and a detail. */
enum im_reason imd_key_read(enum im_jwt_alg, struct im_str bytes, struct im_key *out, struct im_error *);

#endif
