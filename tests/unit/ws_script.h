#ifndef IM_TESTS_UNIT_WS_SCRIPT_H
#define IM_TESTS_UNIT_WS_SCRIPT_H

#include "core/bytes.h"
#include "transports/ws_frame.h"

/* A script of frames, and what a parser makes of it, written out as text: "text(hello) ping() error(ws_protocol)". */

struct ws_script {
    struct im_out bytes;
    struct im_ws_deflate deflate;
    struct im_ws_limits limits;
};

void ws_script_init(struct ws_script *);
void ws_script_clear(struct ws_script *);
/* A masked frame. */
void ws_script_frame(struct ws_script *, uint8_t first, const void *payload, size_t len);
void ws_script_text(struct ws_script *, uint8_t first, const char *payload);
void ws_script_raw(struct ws_script *, const void *bytes, size_t len);

/* Feeds the script in pieces of `step` bytes (the first of `begin`; 0: whole), each from a block of exactly its size,
 * and returns what came of it. Malloc'd. */
char *ws_script_run(const struct ws_script *, size_t begin, size_t step);
/* Runs it whole, byte by byte, and cut in two everywhere: it must always come to the same. */
void ws_script_expect(struct ws_script *, const char *transcript);

#endif
