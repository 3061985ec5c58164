/* The floor of what is durable: the rows that messages become, put into the same tables by the same statement, so many
 * in a transaction, and nothing else: nobody is looked up, no conversation moves on, nothing waits for anything.
 *
 * usage: durable_floor FILE SECONDS BATCH SIZE     prints one line of JSON; FILE must not be there */

#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>
#include <unistd.h>

#include "core/mem.h"
#include "stores/sqlite_boot.h"
#include "tests/bench/clock.h"
#include "tools/imbench/hist.h"
#include "tools/imbench/proc.h"

enum { CONVERSATIONS = 100, CHECKPOINT_PAGES = 1000 };

struct work {
    struct im_db db;
    char *body;
    size_t size;
    uint64_t rows, batch;
    struct hist commits;
};

static int insert(struct work *w, uint64_t n)
{
    char cid[40];
    sqlite3_stmt *s = im_db_use(&w->db, IM_SQL_EVENT_ADD);
    uint64_t conv = n % CONVERSATIONS + 1, seq = n / CONVERSATIONS + 1;
    snprintf(cid, sizeof cid, "b%08x-%u-%lu", 0x5eed5eedu, (unsigned)conv, (unsigned long)seq);
    im_db_bind_u64(s, 1, n + 1);
    im_db_bind_u64(s, 2, conv);
    im_db_bind_u64(s, 3, seq);
    sqlite3_bind_int(s, 4, IM_EV_MSG);
    im_db_bind_u64(s, 5, conv);
    im_db_bind_u64(s, 6, now_ns() / 1000000u);
    im_db_bind_str(s, 7, im_str(cid));
    im_db_bind_str(s, 8, (struct im_str){0});
    im_db_bind_str(s, 9, (struct im_str){w->body, w->size});
    im_db_bind_u64(s, 10, 0);
    sqlite3_bind_int(s, 11, 0);
    im_db_bind_id(s, 12, 0);
    im_db_bind_str(s, 13, (struct im_str){0});
    return im_db_run(s);
}

static int insert_batch(struct work *w)
{
    uint64_t start = now_ns();
    int rc = im_db_run(im_db_use(&w->db, IM_SQL_BEGIN_WRITE));
    for (uint64_t i = 0; i < w->batch && rc == SQLITE_OK; i++)
        rc = insert(w, w->rows++);
    if (rc == SQLITE_OK)
        rc = im_db_run(im_db_use(&w->db, IM_SQL_COMMIT));
    hist_add(&w->commits, now_ns() - start);
    return rc;
}

static double cpu_us(void)
{
    return (double)clock_ns(CLOCK_PROCESS_CPUTIME_ID) / 1e3;
}

static int work(struct work *w, double seconds)
{
    uint64_t start = now_ns(), end = start + (uint64_t)(seconds * 1e9);
    int rc = SQLITE_OK;
    sqlite3_wal_autocheckpoint(w->db.sqlite, CHECKPOINT_PAGES);
    while (now_ns() < end && rc == SQLITE_OK)
        rc = insert_batch(w);
    if (rc != SQLITE_OK) {
        fprintf(stderr, "durable_floor: %s\n", sqlite3_errmsg(w->db.sqlite));
        return EX_IOERR;
    }
    printf(
        "{\"rows\":%lu,\"per_second\":%.0f,\"batch\":%lu,\"cpu_us\":%.2f,\"commit_us\":{\"p50\":%.1f,\"p99\":%.1f}}\n",
        (unsigned long)w->rows, (double)w->rows * 1e9 / (double)(now_ns() - start), (unsigned long)w->batch,
        cpu_us() / (double)w->rows, (double)hist_at(&w->commits, 50) / 1e3, (double)hist_at(&w->commits, 99) / 1e3);
    return EX_OK;
}

int main(int argc, char **argv)
{
    struct im_error error;
    if (argc != 5 || access(argv[1], F_OK) == 0) {
        fputs("usage: durable_floor FILE SECONDS BATCH SIZE, FILE a new one\n", stderr);
        return EX_USAGE;
    }
    struct im_store_options options = {.path = argv[1], .sync_full = true};
    struct work *w = im_zalloc(sizeof *w);
    w->batch = strtoull(argv[3], NULL, 10);
    w->size = strtoull(argv[4], NULL, 10);
    w->body = im_alloc(w->size);
    memset(w->body, 'x', w->size);
    int status = EX_IOERR;
    if (im_boot_writer(&options, &w->db, &error) == IM_OK)
        status = work(w, strtod(argv[2], NULL));
    else
        fprintf(stderr, "durable_floor: %s\n", error.detail);
    im_db_close(&w->db);
    free(w->body);
    free(w);
    return status;
}
