#include "stores/stores.h"

const struct im_store_row im_store_rows[] = {
    [IM_STORE_MEMORY] = {"memory", im_store_memory_open},
    [IM_STORE_SQLITE] = {"sqlite", im_store_sqlite_open},
};
const size_t im_store_row_count = sizeof im_store_rows / sizeof *im_store_rows;
