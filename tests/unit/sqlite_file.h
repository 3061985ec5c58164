#ifndef IM_TESTS_UNIT_SQLITE_FILE_H
#define IM_TESTS_UNIT_SQLITE_FILE_H

#include <sqlite3.h>

#include "tests/conform/store_act.h"

/* A store's database seen from outside, by a connection of its own. */

void file_run(const char *path, const char *sql);
int64_t file_ask(const char *path, const char *sql); /* the first column of the only row; NULL is 0 */
/* The first column of all rows, one on a line; free it. */
char *file_list(const char *path, const char *sql);

/* Is what is noted twice the same in both places, and do all references lead somewhere? */
void file_check(const char *path);

/* A database as version 1 of the schema had it: ann, bob and 小明; `count` messages that ann and bob wrote in turn,
 * "old 1", "old 2" and so on, bob having read half; one of 小明 to ann, "今天下午开会吗", with a cid; ann was here on
 * her phone. */
void file_make_v1(const char *path, unsigned count);

#endif
