#ifndef IM_TOOLS_IMBENCH_DEFLATE_H
#define IM_TOOLS_IMBENCH_DEFLATE_H

#include "core/bytes.h"

/* permessage-deflate (RFC 7692) on the client's side. No window is kept, in either direction, so that one of these does
 * for all connections. */
#define DEFLATE_OFFER "permessage-deflate; server_no_context_takeover; client_no_context_takeover"

struct deflate;
struct deflate *deflate_new(void);
void deflate_free(struct deflate **); /* *d may be NULL */
/* A message compressed, or as it was before; valid until the next call of the same. unpack: p is NULL if that is no
 * compressed message. */
struct im_str deflate_pack(struct deflate *, struct im_str plain);
struct im_str deflate_unpack(struct deflate *, struct im_str packed);

#endif
