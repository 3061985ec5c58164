#ifndef IM_STORES_STORES_H
#define IM_STORES_STORES_H

#include "core/config.h"
#include "core/store.h"

/* Opens a store. On IM_OK *out is it, to be ended by its ops->close(); otherwise *out is NULL and error says what is
 * wrong and where. options and the strings in it need not outlive the call; log, counters and wake_arg must outlive
 * the store. */
typedef enum im_reason im_store_open(const struct im_store_options *options, struct im_store **out,
                                     struct im_error *error);

im_store_open im_store_memory_open;
im_store_open im_store_sqlite_open;

/* Which version the database's schema has (0: there is none yet), and which one this program writes: an older one is
 * brought to it when the store is opened, a newer one is IM_STORE_NEWER. Only reads; others may have it open. */
enum im_reason im_store_sqlite_look(const char *path, int64_t *version, int64_t *known, struct im_error *);

/* Puts a copy of the backup `from`, checked, in the place of the database at path, which nobody may have open. What was
 * there is kept as PATH.replaced. The log gets the epoch of this seed: clients that have seen more than the copy knows
 * start over. */
enum im_reason im_store_sqlite_restore(const char *path, const char *from, const uint8_t epoch_seed[16],
                                       struct im_error *);

struct im_store_row {
    const char *name; /* as `store.kind` has it */
    im_store_open *open;
};
/* Indexed by enum im_store_kind. */
extern const struct im_store_row im_store_rows[];
extern const size_t im_store_row_count;

#endif
