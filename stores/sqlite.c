#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "core/counters.h"
#include "core/histogram.h"
#include "core/mem.h"
#include "core/thread.h"
#include "stores/lane.h"
#include "stores/result.h"
#include "stores/sqlite_boot.h"
#include "stores/sqlite_care.h"
#include "stores/sqlite_read.h"
#include "stores/sqlite_write.h"
#include "stores/stores.h"

/* The log in an SQLite database: one thread writes, others read, the core's submits and drains. The lock guards what is
 * shared between them, and nothing is done under it that takes time. See doc/why/sqlite.md and store-lanes.md. */

/* What can wait begins when nobody has come for so long after a batch: who acknowledges, and then sends again, is not
 * to find the writer at it. */
#define REST_MS 10

struct reader_thread {
    struct im_reader reader;
    struct sqlite_store *store;
    pthread_t thread;
};

struct sqlite_store {
    struct im_store base;
    void (*wake)(void *arg);
    void *wake_arg;
    struct im_log *log;
    struct im_counters *counters;
    struct im_histogram *commit_us;
    char *path;
    int lock_file;

    struct im_writer writer;
    pthread_t writer_thread;
    uint64_t cache_bytes; /* of each connection */
    struct reader_thread *readers;
    size_t reader_count, running; /* running: threads started: the writer, the carer, the readers */
    pthread_t carer_thread;
    atomic_bool failed, full; /* the writer's, for other threads */

    pthread_mutex_t lock;
    pthread_cond_t may_write, may_read, may_care;
    struct im_lane writes, reads, cares;
    atomic_bool stop_care;
    uint64_t commits; /* since the last drain */
    bool woken;       /* the core was told to drain, and has not yet */
    bool closing;
};

/* Under the lock, so that nobody is woken once close() has set `closing`. */
static void wake_core(struct sqlite_store *st)
{
    if (st->closing || st->woken ||
        (!im_lane_ready(&st->writes) && !im_lane_ready(&st->reads) && !im_lane_ready(&st->cares)))
        return;
    st->woken = true;
    st->wake(st->wake_arg);
}

/* Under the lock. Returns whether the time is over. */
static bool wait_at_most(struct sqlite_store *st, const struct timespec *until)
{
    return pthread_cond_timedwait(&st->may_write, &st->lock, until) == ETIMEDOUT;
}

static struct timespec rest(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    t.tv_nsec += REST_MS * 1000000;
    t.tv_sec += t.tv_nsec / 1000000000;
    t.tv_nsec %= 1000000000;
    return t;
}

/* Waits for work; false: there will be none any more. A batch of none: there is time for what can wait. Takes and
 * leaves the lock. */
static bool next_batch(struct sqlite_store *st)
{
    struct im_writer *w = &st->writer;
    bool idle = im_writer_idle_work(w), rested = w->count == 0;
    struct timespec until = rest();
    pthread_mutex_lock(&st->lock);
    while ((w->count = im_lane_take(&st->writes, w->ops, IM_BATCH_MAX)) == 0 && !(idle && rested) && !st->closing) {
        if (idle)
            rested = wait_at_most(st, &until);
        else
            pthread_cond_wait(&st->may_write, &st->lock);
    }
    bool closing = st->closing;
    pthread_mutex_unlock(&st->lock);
    return w->count > 0 || !closing;
}

/* Returns whether nobody is waiting. */
static bool finish_batch(struct sqlite_store *st, bool committed)
{
    struct im_writer *w = &st->writer;
    pthread_mutex_lock(&st->lock);
    st->commits += committed;
    for (size_t i = 0; i < w->count; i++)
        im_lane_finish(&st->writes, w->ops[i], w->status[i]);
    wake_core(st);
    bool quiet = st->writes.take == NULL;
    pthread_mutex_unlock(&st->lock);
    return quiet;
}

static void show_state(struct sqlite_store *st)
{
    atomic_store(&st->failed, st->writer.failed);
    atomic_store(&st->full, st->writer.full);
}

static uint64_t now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static bool write_batch(struct sqlite_store *st)
{
    uint64_t start = now_us();
    bool committed = im_writer_batch(&st->writer);
    if (committed && st->commit_us)
        im_histogram_add(st->commit_us, now_us() - start);
    return committed;
}

static void *write_forever(void *arg)
{
    struct sqlite_store *st = arg;
    while (next_batch(st)) {
        bool idle = st->writer.count == 0;
        bool committed = !idle && write_batch(st);
        if (idle)
            im_writer_idle(&st->writer);
        show_state(st);
        bool quiet = finish_batch(st, committed);
        im_writer_checkpoint(&st->writer, quiet);
        show_state(st);
    }
    return NULL;
}

static void *care_forever(void *arg)
{
    struct sqlite_store *st = arg;
    struct im_store_op *op;
    pthread_mutex_lock(&st->lock);
    while (!st->closing) {
        if (im_lane_take(&st->cares, &op, 1) == 0) {
            pthread_cond_wait(&st->may_care, &st->lock);
            continue;
        }
        pthread_mutex_unlock(&st->lock);
        enum im_reason status = im_care_perform(st->path, (struct im_store_care *)op, &st->stop_care);
        pthread_mutex_lock(&st->lock);
        im_lane_finish(&st->cares, op, status);
        wake_core(st);
    }
    pthread_mutex_unlock(&st->lock);
    return NULL;
}

static void *read_forever(void *arg)
{
    struct reader_thread *t = arg;
    struct sqlite_store *st = t->store;
    struct im_store_op *op;
    pthread_mutex_lock(&st->lock);
    while (!st->closing) {
        if (im_lane_take(&st->reads, &op, 1) == 0) {
            pthread_cond_wait(&st->may_read, &st->lock);
            continue;
        }
        pthread_mutex_unlock(&st->lock);
        enum im_reason status = im_reader_perform(&t->reader, op);
        pthread_mutex_lock(&st->lock);
        im_lane_finish(&st->reads, op, status);
        wake_core(st);
    }
    pthread_mutex_unlock(&st->lock);
    return NULL;
}

static void sqlite_submit(struct im_store *store, struct im_store_op *op)
{
    struct sqlite_store *st = (struct sqlite_store *)store;
    bool write = op->kind < IM_STORE_FIRST_READ, care = op->kind >= IM_STORE_FIRST_CARE;
    im_result_start(op);
    pthread_mutex_lock(&st->lock);
    im_lane_put(write ? &st->writes : care ? &st->cares : &st->reads, op);
    pthread_cond_signal(write ? &st->may_write : care ? &st->may_care : &st->may_read);
    pthread_mutex_unlock(&st->lock);
}

static size_t deliver(struct sqlite_store *st, struct im_store_op *op)
{
    size_t count = 0;
    for (struct im_store_op *next; op; op = next, count++) {
        next = op->next;
        if (st->counters && (op->status == IM_STORE_FULL || op->status == IM_STORE_FAILED))
            st->counters->n[IM_C_STORE_FAILURES]++;
        op->done(op);
    }
    return count;
}

/* Writes first, since a read may show what one of them has done. What done() submits is left for the next drain. */
static size_t sqlite_drain(struct im_store *store)
{
    struct sqlite_store *st = (struct sqlite_store *)store;
    pthread_mutex_lock(&st->lock);
    struct im_store_op *writes = im_lane_drain(&st->writes), *reads = im_lane_drain(&st->reads),
                       *cares = im_lane_drain(&st->cares);
    if (st->counters)
        st->counters->n[IM_C_STORE_COMMITS] += st->commits;
    st->commits = 0;
    st->woken = false;
    pthread_mutex_unlock(&st->lock);
    size_t count = deliver(st, writes);
    count += deliver(st, reads);
    return count + deliver(st, cares);
}

static bool sqlite_failed(const struct im_store *store)
{
    return atomic_load(&((const struct sqlite_store *)store)->failed);
}

static bool sqlite_full(const struct im_store *store)
{
    return atomic_load(&((const struct sqlite_store *)store)->full);
}

static void join_threads(struct sqlite_store *st)
{
    pthread_mutex_lock(&st->lock);
    st->closing = true;
    atomic_store(&st->stop_care, true);
    pthread_cond_broadcast(&st->may_write);
    pthread_cond_broadcast(&st->may_read);
    pthread_cond_broadcast(&st->may_care);
    pthread_mutex_unlock(&st->lock);
    if (st->running > 0)
        pthread_join(st->writer_thread, NULL);
    if (st->running > 1)
        pthread_join(st->carer_thread, NULL);
    for (size_t i = 2; i < st->running; i++)
        pthread_join(st->readers[i - 2].thread, NULL);
}

static void abandon(struct im_lane *lane)
{
    for (struct im_store_op *op = lane->head, *next; op; op = next) {
        next = op->next;
        im_result_clear(op);
    }
}

/* Also for a store that did not get to open in full. */
static void sqlite_close(struct im_store **store)
{
    struct sqlite_store *st = (struct sqlite_store *)*store;
    *store = NULL;
    join_threads(st);
    abandon(&st->writes);
    abandon(&st->reads);
    abandon(&st->cares);
    for (size_t i = 0; i < st->reader_count; i++)
        im_db_close(&st->readers[i].reader.db);
    im_writer_close(&st->writer);
    if (st->lock_file >= 0)
        close(st->lock_file);
    pthread_cond_destroy(&st->may_write);
    pthread_cond_destroy(&st->may_read);
    pthread_cond_destroy(&st->may_care);
    pthread_mutex_destroy(&st->lock);
    free(st->readers);
    free(st->path);
    free(st);
}

static const struct im_store_ops sqlite_ops = {"sqlite", sqlite_submit, sqlite_drain, sqlite_close};

static struct sqlite_store *store_new(const struct im_store_options *o)
{
    pthread_condattr_t monotonic;
    struct sqlite_store *st = im_zalloc(sizeof *st);
    st->base.ops = &sqlite_ops;
    st->base.failed = sqlite_failed;
    st->base.full = sqlite_full;
    st->wake = o->wake;
    st->wake_arg = o->wake_arg;
    st->log = o->log;
    st->counters = o->counters;
    st->commit_us = o->commit_us;
    st->path = im_strndup(o->path, strlen(o->path));
    st->lock_file = -1;
    st->cache_bytes = o->cache_bytes;
    st->reader_count = o->readers > 0 ? o->readers : 1;
    st->readers = im_zalloc(st->reader_count * sizeof *st->readers);
    pthread_mutex_init(&st->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&st->may_write, &monotonic);
    pthread_condattr_destroy(&monotonic);
    pthread_cond_init(&st->may_read, NULL);
    pthread_cond_init(&st->may_care, NULL);
    return st;
}

static enum im_reason open_reader(struct sqlite_store *st, struct reader_thread *t, struct im_error *error)
{
    t->store = st;
    t->reader.log = st->log;
    t->reader.path = st->path;
    int rc = im_db_open(&t->reader.db, st->path, IM_DB_READER);
    if (rc == SQLITE_OK)
        rc = im_db_cache(&t->reader.db, st->cache_bytes);
    if (rc == SQLITE_OK)
        rc = im_db_prepare(&t->reader.db, IM_DB_READER);
    if (rc == SQLITE_OK)
        return IM_OK;
    return im_fail(error, im_db_reason(rc), "%s: %s", st->path, sqlite3_errmsg(t->reader.db.sqlite));
}

static enum im_reason start_threads(struct sqlite_store *st, struct im_error *error)
{
    int failure = im_thread_start(&st->writer_thread, "imd-writer", write_forever, st);
    st->running += failure == 0;
    if (failure == 0)
        failure = im_thread_start(&st->carer_thread, "imd-care", care_forever, st);
    st->running += st->running == 1 && failure == 0;
    for (size_t i = 0; i < st->reader_count && failure == 0; i++) {
        failure = im_thread_start(&st->readers[i].thread, "imd-reader", read_forever, &st->readers[i]);
        st->running += failure == 0;
    }
    return failure == 0 ? IM_OK : im_fail(error, IM_SYSTEM, "cannot start a thread: %s", strerror(failure));
}

static enum im_reason store_open(struct sqlite_store *st, const struct im_store_options *o, struct im_error *error)
{
    enum im_reason reason = im_boot_lock(st->path, &st->lock_file, error);
    if (reason == IM_OK)
        reason = im_boot_writer(o, &st->writer.db, error);
    if (reason == IM_OK && im_writer_start(&st->writer, o->log, st->base.epoch) != SQLITE_OK)
        reason = im_fail(error, IM_STORE_CORRUPT, "%s: the table log does not fit the table events", st->path);
    for (size_t i = 0; i < st->reader_count && reason == IM_OK; i++)
        reason = open_reader(st, &st->readers[i], error);
    return reason == IM_OK ? start_threads(st, error) : reason;
}

enum im_reason im_store_sqlite_open(const struct im_store_options *options, struct im_store **out,
                                    struct im_error *error)
{
    struct sqlite_store *st = store_new(options);
    enum im_reason reason = store_open(st, options, error);
    *out = &st->base;
    if (reason != IM_OK)
        sqlite_close(out);
    else
        IM_LOG(options->log, IM_LOG_INFO, "store", "opened", IM_KS("path", options->path),
               IM_KN("head", (int64_t)st->writer.committed.head),
               IM_KN("events", (int64_t)st->writer.committed.events));
    return reason;
}
