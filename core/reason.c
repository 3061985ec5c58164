#include "core/reason.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <utf8proc.h>

static const struct im_reason_info reasons[IM_REASON_COUNT] = {
#define IM_REASON(sym, name, code, ws, retry, en, zh) {name, code, ws, retry, {en, zh}},
#include "core/tbl/reasons.def"
#undef IM_REASON
};

const struct im_reason_info *im_reason_info(enum im_reason reason)
{
    assert((unsigned)reason < IM_REASON_COUNT);
    return &reasons[reason];
}

/* A detail may quote what a peer sent, and the buffer may cut a character: keep it valid UTF-8. */
static void mend_utf8(char *s)
{
    size_t len = strlen(s);
    for (size_t i = 0; i < len;) {
        utf8proc_int32_t point;
        utf8proc_ssize_t n = utf8proc_iterate((const uint8_t *)s + i, (utf8proc_ssize_t)(len - i), &point);
        if (n <= 0)
            s[i] = '?', n = 1;
        i += (size_t)n;
    }
}

enum im_reason im_fail(struct im_error *error, enum im_reason reason, const char *format, ...)
{
    if (error) {
        va_list args;
        va_start(args, format);
        error->reason = reason;
        vsnprintf(error->detail, sizeof error->detail, format, args);
        va_end(args);
        mend_utf8(error->detail);
    }
    return reason;
}
