#ifndef IM_CORE_LOG_H
#define IM_CORE_LOG_H

#include <stdint.h>

#include "core/str.h"

enum im_log_level { IM_LOG_ERROR, IM_LOG_WARN, IM_LOG_INFO, IM_LOG_DEBUG };

struct im_kv {
    const char *key; /* NULL ends the list */
    struct im_str str;
    int64_t num;
    bool is_num;
};
#define IM_KS(k, s) ((struct im_kv){.key = (k), .str = im_str(s)}) /* a C string */
#define IM_KV(k, s) ((struct im_kv){.key = (k), .str = (s)})       /* a struct im_str */
#define IM_KN(k, n) ((struct im_kv){.key = (k), .num = (n), .is_num = true})

/* Where log lines go. The owner implements write(); it must be callable on any thread, escape what peers control,
 * and not block for long. */
struct im_log {
    _Atomic enum im_log_level level; /* changed while other threads log */
    void (*write)(struct im_log *, enum im_log_level, const char *subsystem, const char *event,
                  const struct im_kv *fields);
};

/* log may be NULL. Usage: IM_LOG(log, IM_LOG_INFO, "session", "closed", IM_KN("session", id), IM_KS("reason", r)) */
#define IM_LOG(log_, level_, subsystem_, ...)                                                                          \
    do {                                                                                                               \
        struct im_log *im_log_to = (log_);                                                                             \
        if (im_log_to && (level_) <= im_log_to->level)                                                                 \
            IM_LOG_WRITE(im_log_to, level_, subsystem_, __VA_ARGS__, {0});                                             \
    } while (0)
#define IM_LOG_WRITE(log_, level_, subsystem_, event_, ...)                                                            \
    (log_)->write((log_), (level_), (subsystem_), (event_), (struct im_kv[]){__VA_ARGS__})

#endif
