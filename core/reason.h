#ifndef IM_CORE_REASON_H
#define IM_CORE_REASON_H

#include <stdbool.h>
#include <stdint.h>

/* Why something was refused or closed. One table, core/tbl/reasons.def, gives each reason its name, protocol error
 * code, WebSocket close code (RFC 6455, 7.4), texts, and (by its position) its counter. IM_OK is 0: success. */
enum im_reason {
#define IM_REASON(sym, name, code, ws, retry, en, zh) IM_##sym,
#include "core/tbl/reasons.def"
#undef IM_REASON
    IM_REASON_COUNT
};

enum im_lang { IM_EN, IM_ZH, IM_LANG_COUNT };

struct im_reason_info {
    const char *name; /* stable identifier: `name` in an err reply, a label in metrics */
    uint16_t code;    /* `code` in an err reply, after HTTP's */
    uint16_t ws;      /* WebSocket close code; also when the session survives the refusal */
    bool retry;       /* may the same request succeed later? */
    const char *text[IM_LANG_COUNT];
};

const struct im_reason_info *im_reason_info(enum im_reason reason);
static inline const char *im_reason_name(enum im_reason reason)
{
    return im_reason_info(reason)->name;
}

/* A reason with detail for a person: what was wrong, and where. */
struct im_error {
    enum im_reason reason;
    char detail[256]; /* English, NUL-terminated, may be empty */
};

/* Fills *error (which may be NULL) and returns reason. */
enum im_reason im_fail(struct im_error *error, enum im_reason reason, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
