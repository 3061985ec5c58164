/* Does it cost more when there is more? A store is filled, with the same for each user however many there are: messages
 * with four peers and in one group of a hundred. Then all that people do is done, and timed, one thread and no network.
 *
 * usage: size fill FILE USERS          USERS in hundreds; a hundred messages for each
 *        size work FILE USERS ACTIVE COUNT    prints one line of JSON: microseconds of CPU for each of COUNT, done by
 *                                             so many of the users
 *        size boot FILE                … how long opening takes, in seconds */

#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>

#include "core/config.h"
#include "core/mem.h"
#include "stores/result.h"
#include "stores/sqlite_boot.h"
#include "stores/sqlite_read.h"
#include "stores/sqlite_write.h"
#include "stores/stores.h"
#include "tests/bench/clock.h"
#include "tools/imbench/proc.h"

enum { MESSAGES_EACH = 100, PEERS = 4, GROUP_SIZE = 100, BATCH = 100, PAGE = 50 };
#define TIME_MS 1700000000000

struct work {
    struct im_writer writer;
    struct im_reader reader;
    uint64_t random, users, active, count, number;
    uint64_t head; /* pos of the newest event when it began */
};

static void fatal(const char *what, struct im_db *db)
{
    fprintf(stderr, "size: %s: %s\n", what, db->sqlite ? sqlite3_errmsg(db->sqlite) : "?");
    exit(EX_IOERR);
}

static uint64_t pick(struct work *w, uint64_t below)
{
    w->random = w->random * 6364136223846793005 + 1442695040888963407;
    return (w->random >> 33) % below;
}

/* One of those who are active, who are all over the store. */
static uint64_t somebody(struct work *w)
{
    return pick(w, w->active) * (w->users / w->active);
}

/* Who and where. A name lives as long as its buffer. */

struct name {
    char text[24];
};

static struct im_str person(struct name *n, uint64_t number)
{
    snprintf(n->text, sizeof n->text, "u%lu", (unsigned long)number);
    return im_str(n->text);
}

static uint64_t groups(const struct work *w)
{
    return w->users / GROUP_SIZE;
}

static struct im_str group(struct name *n, uint64_t number)
{
    snprintf(n->text, sizeof n->text, "#g%lu", (unsigned long)number);
    return im_str(n->text);
}

/* Sixty-four bytes, and words to look for. */
static struct im_str text(char out[96], uint64_t number)
{
    static const char *const words[] = {"breakfast", "lunchtime", "afternoon", "yesterday"};
    snprintf(out, 96, "message %010lu is about the %s and says that much!!!!", (unsigned long)number,
             words[number % 4]);
    return im_str(out);
}

/* Messages. */

static struct im_event *event(enum im_event_type type, struct im_msg m)
{
    m.ts_ms = TIME_MS;
    m.from_key = m.from;
    m.to_key = m.to;
    m.kind = m.to.p[0] == '#' ? IM_CONV_GROUP : IM_CONV_DIRECT;
    return im_event_new(type, &m);
}

static struct im_event *direct(struct work *w, struct im_msg m)
{
    struct name from, to;
    uint64_t a = somebody(w), b = (a + 1 + pick(w, PEERS)) % w->users;
    bool back = pick(w, 2);
    m.from = person(&from, back ? b : a);
    m.to = person(&to, back ? a : b);
    return event(IM_EV_MSG, m);
}

static struct im_event *to_group(struct work *w, struct im_msg m)
{
    struct name from, to;
    uint64_t user = somebody(w);
    m.from = person(&from, user);
    m.to = group(&to, user % groups(w));
    return event(IM_EV_MSG, m);
}

static struct im_event *message(struct work *w, bool in_group)
{
    char body[96], cid[24];
    snprintf(cid, sizeof cid, "c%lu", (unsigned long)++w->number);
    struct im_msg m = {.body = text(body, w->number), .cid = im_str(cid)};
    return in_group ? to_group(w, m) : direct(w, m);
}

/* Filling: the real appends, but all in one transaction that needs no journal. */

static void append(struct work *w, struct im_event *e)
{
    struct im_store_append op = {.op.kind = IM_STORE_APPEND, .event = e};
    enum im_reason status = IM_OK;
    if (im_write_append(&w->writer, &op, &status) != SQLITE_OK || status != IM_OK || op.earlier)
        fatal("append", &w->writer.db);
    im_event_drop(&op.event);
}

static void come(struct work *w, uint64_t user)
{
    struct name name;
    struct im_store_login op = {.op.kind = IM_STORE_LOGIN, .text = person(&name, user), .ts_ms = TIME_MS};
    op.key = op.text;
    if (im_write_login(&w->writer, &op) != SQLITE_OK)
        fatal("login", &w->writer.db);
    im_result_clear(&op.op);
}

static void join(struct work *w, uint64_t user)
{
    struct name from, to;
    bool first = user < groups(w);
    append(w, event(IM_EV_MEMBER, (struct im_msg){.from = person(&from, user),
                                                  .to = group(&to, user % groups(w)),
                                                  .change = first ? IM_CHANGE_CREATE : IM_CHANGE_JOIN,
                                                  .settings = first ? IM_GROUP_PUBLIC : 0}));
}

static void fill_rows(struct work *w)
{
    for (uint64_t i = 0; i < w->users; i++) {
        come(w, i);
        join(w, i);
    }
    for (uint64_t i = 0; i < w->users * MESSAGES_EACH; i++) {
        append(w, message(w, i % 5 < 2));
        if (i % 1000000 == 0)
            fprintf(stderr, "size: %lu million messages\n", (unsigned long)(i / 1000000));
    }
}

static void run_sql(struct work *w, const char *sql)
{
    if (im_db_exec(&w->writer.db, sql) != SQLITE_OK)
        fatal(sql, &w->writer.db);
}

/* As much as a server has that nobody has told otherwise. */
static void set_cache(struct im_db *db)
{
    struct im_config *config = im_config_new();
    const char *mib = getenv("SIZE_CACHE");
    if (im_db_cache(db, mib ? strtoull(mib, NULL, 10) << 20 : config->store_cache_bytes) != SQLITE_OK)
        fatal("cache", db);
    im_config_free(&config);
}

/* Opens without the checks of a start. */
static void open_writer(struct work *w, const char *path)
{
    char epoch[33];
    if (im_db_open(&w->writer.db, path, IM_DB_WRITER) != SQLITE_OK ||
        im_db_prepare(&w->writer.db, IM_DB_WRITER) != SQLITE_OK ||
        im_writer_start(&w->writer, NULL, epoch) != SQLITE_OK)
        fatal(path, &w->writer.db);
    run_sql(w, "PRAGMA synchronous = OFF");
    set_cache(&w->writer.db);
    w->head = w->writer.committed.head;
    w->number = w->writer.committed.events;
}

static void batch(struct work *w)
{
    im_writer_batch(&w->writer);
    im_writer_checkpoint(&w->writer, true);
    for (size_t i = 0; i < w->writer.count; i++) {
        if (w->writer.status[i] != IM_OK)
            fatal(im_reason_info(w->writer.status[i])->name, &w->writer.db);
        im_result_clear(w->writer.ops[i]);
    }
}

static void save_totals(struct work *w)
{
    const struct im_tally *t = &w->writer.tally;
    if (im_cache_flush(w->writer.cache, &w->writer.db) != SQLITE_OK ||
        IM_DB_RUN(&w->writer.db, LOG_SET, (int64_t)t->head, (int64_t)t->events, (int64_t)t->users, (int64_t)t->convs,
                  (int64_t)t->groups) != SQLITE_OK)
        fatal("totals", &w->writer.db);
}

static void make_filters(struct work *w, const char *path)
{
    for (open_writer(w, path); w->writer.chores > 0 && !w->writer.failed;) {
        im_writer_idle(&w->writer);
        im_writer_checkpoint(&w->writer, true);
    }
}

static int fill(struct work *w, const char *path)
{
    struct im_store_options o = {.path = path};
    struct im_error error;
    if (im_boot_writer(&o, &w->writer.db, &error) != IM_OK) {
        fprintf(stderr, "size: %s\n", error.detail);
        return EX_IOERR;
    }
    im_db_close(&w->writer.db);
    open_writer(w, path);
    run_sql(w, "PRAGMA journal_mode = MEMORY; PRAGMA cache_size = -4000000; BEGIN IMMEDIATE");
    fill_rows(w);
    save_totals(w);
    run_sql(w, "COMMIT; PRAGMA journal_mode = WAL");
    im_writer_close(&w->writer);
    w->writer = (struct im_writer){0};
    make_filters(w, path);
    printf("{\"events\":%lu,\"users\":%lu,\"conversations\":%lu,\"groups\":%lu}\n",
           (unsigned long)w->writer.committed.events, (unsigned long)w->writer.committed.users,
           (unsigned long)w->writer.committed.convs, (unsigned long)w->writer.committed.groups);
    return EX_OK;
}

/* What people do. Each is a function of its own, so that a profile tells them apart. */

static void send_batch(struct work *w, bool in_group)
{
    static struct im_store_append ops[BATCH];
    w->writer.count = BATCH;
    for (size_t i = 0; i < BATCH; i++) {
        ops[i] = (struct im_store_append){.op.kind = IM_STORE_APPEND, .event = message(w, in_group)};
        w->writer.ops[i] = &ops[i].op;
    }
    batch(w);
    for (size_t i = 0; i < BATCH; i++)
        im_event_drop(&ops[i].event);
}

static void case_send(struct work *w)
{
    for (uint64_t i = 0; i < w->count; i += BATCH)
        send_batch(w, false);
}

static void case_send_group(struct work *w)
{
    for (uint64_t i = 0; i < w->count; i += BATCH)
        send_batch(w, true);
}

static void case_login(struct work *w)
{
    for (uint64_t i = 0; i < w->count; i++) {
        struct name name;
        struct im_store_login op = {
            .op.kind = IM_STORE_LOGIN, .text = person(&name, somebody(w)), .ts_ms = TIME_MS + (int64_t)i};
        op.key = op.text;
        w->writer.ops[0] = &op.op;
        w->writer.count = 1;
        batch(w);
    }
}

static void case_mark(struct work *w)
{
    for (uint64_t i = 0; i < w->count; i++) {
        struct name user, peer;
        uint64_t n = somebody(w);
        struct im_store_mark row = {
            .key = person(&user, n), .kind = IM_CONV_GROUP, .peer = group(&peer, n % groups(w)), .seq = INT64_MAX};
        struct im_store_marks op = {.op.kind = IM_STORE_MARKS, .rows = &row, .count = 1};
        w->writer.ops[0] = &op.op;
        w->writer.count = 1;
        im_writer_batch(&w->writer); /* false of a mark that stays where it is */
        im_writer_checkpoint(&w->writer, true);
    }
}

static void sweep_all(struct work *w)
{
    struct im_store_sweep op = {
        .op.kind = IM_STORE_SWEEP, .now_ms = TIME_MS, .retention_ms = 1000000000, .limit = 1000, .more = true};
    for (w->writer.count = 1; op.more;) {
        op.more = false;
        w->writer.ops[0] = &op.op;
        im_writer_batch(&w->writer);
    }
}

static void case_read(struct work *w, struct im_store_op *op)
{
    if (im_reader_perform(&w->reader, op) != IM_OK)
        fatal("read", &w->reader.db);
    im_result_clear(op);
}

static void since(struct work *w, uint64_t after)
{
    for (uint64_t i = 0; i < w->count; i++) {
        struct name user;
        case_read(w, &(struct im_store_since){.op.kind = IM_STORE_SINCE,
                                              .key = person(&user, somebody(w)),
                                              .after = after,
                                              .limit = PAGE,
                                              .bytes = 1 << 20}
                          .op);
    }
}

static void case_since_nothing(struct work *w)
{
    since(w, w->writer.committed.head);
}

/* One who has been away for half of the log. */
static void case_since_page(struct work *w)
{
    since(w, w->head / 2);
}

static void case_history(struct work *w)
{
    for (uint64_t i = 0; i < w->count; i++) {
        struct name user, peer;
        uint64_t n = somebody(w);
        case_read(w, &(struct im_store_history){.op.kind = IM_STORE_HISTORY,
                                                .key = person(&user, n),
                                                .kind = IM_CONV_GROUP,
                                                .peer = group(&peer, n % groups(w)),
                                                .before = 200 + pick(w, 3000),
                                                .limit = PAGE,
                                                .bytes = 1 << 20}
                          .op);
    }
}

static void case_conversations(struct work *w)
{
    for (uint64_t i = 0; i < w->count; i++) {
        struct name user;
        case_read(w, &(struct im_store_conversations){.op.kind = IM_STORE_CONVERSATIONS,
                                                      .key = person(&user, somebody(w)),
                                                      .limit = PAGE,
                                                      .bytes = 1 << 20}
                          .op);
    }
}

static void case_search(struct work *w)
{
    for (uint64_t i = 0; i < w->count; i++) {
        struct name user;
        case_read(w, &(struct im_store_search){.op.kind = IM_STORE_SEARCH,
                                               .key = person(&user, somebody(w)),
                                               .text = IM_STR("breakfast"),
                                               .limit = 20,
                                               .bytes = 1 << 20}
                          .op);
    }
}

static void case_stats(struct work *w)
{
    for (uint64_t i = 0; i < w->count; i++)
        case_read(w, &(struct im_store_stats){.op.kind = IM_STORE_STATS}.op);
}

/* What is done to all of it, by and by. */
static void case_sweep(struct work *w)
{
    sweep_all(w);
}

static const struct {
    const char *name;
    void (*run)(struct work *);
} cases[] = {
    {"send", case_send},
    {"send_group", case_send_group},
    {"login", case_login},
    {"mark", case_mark},
    {"since_nothing", case_since_nothing},
    {"since_page", case_since_page},
    {"history", case_history},
    {"conversations", case_conversations},
    {"search", case_search},
    {"stats", case_stats},
    {"sweep", case_sweep},
};

static double cpu_us(void)
{
    return (double)clock_ns(CLOCK_PROCESS_CPUTIME_ID) / 1e3;
}

/* Pages that a connection read because they were not in its cache, or wrote, since it was asked last. */
static int pages(struct im_db *db, int kind)
{
    int now = 0, most;
    sqlite3_db_status(db->sqlite, kind, &now, &most, 1);
    return now;
}

static int work(struct work *w, const char *path)
{
    open_writer(w, path);
    w->reader.path = path;
    if (im_db_open(&w->reader.db, path, IM_DB_READER) != SQLITE_OK ||
        im_db_prepare(&w->reader.db, IM_DB_READER) != SQLITE_OK)
        fatal(path, &w->reader.db);
    set_cache(&w->reader.db);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        double start = cpu_us(), count = (double)w->count;
        cases[i].run(w);
        double took = cpu_us() - start;
        int read = pages(&w->writer.db, SQLITE_DBSTATUS_CACHE_MISS) + pages(&w->reader.db, SQLITE_DBSTATUS_CACHE_MISS);
        int written = pages(&w->writer.db, SQLITE_DBSTATUS_CACHE_WRITE);
        printf("%s\"%s\":{\"us\":%.2f,\"read\":%.2f,\"written\":%.2f}", i ? "," : "{", cases[i].name, took / count,
               read / count, written / count);
    }
    puts("}");
    im_db_close(&w->reader.db);
    return EX_OK;
}

static int boot(const char *path)
{
    struct im_store_options o = {.path = path};
    struct im_error error;
    struct im_db db = {0};
    uint64_t start = now_ns();
    if (im_boot_writer(&o, &db, &error) != IM_OK) {
        fprintf(stderr, "size: %s\n", error.detail);
        return EX_IOERR;
    }
    printf("%.3f\n", (double)(now_ns() - start) / 1e9);
    im_db_close(&db);
    return EX_OK;
}

int main(int argc, char **argv)
{
    struct work *w = im_zalloc(sizeof *w);
    int status = EX_USAGE;
    w->users = argc > 3 ? strtoull(argv[3], NULL, 10) / GROUP_SIZE * GROUP_SIZE : 0;
    w->active = argc > 4 ? strtoull(argv[4], NULL, 10) : w->users;
    w->count = argc > 5 ? strtoull(argv[5], NULL, 10) : 0;
    if (argc == 4 && strcmp(argv[1], "fill") == 0 && w->users > 0)
        status = fill(w, argv[2]);
    else if (argc == 6 && strcmp(argv[1], "work") == 0 && w->active > 0 && w->active <= w->users && w->count > 0)
        status = work(w, argv[2]);
    else if (argc == 3 && strcmp(argv[1], "boot") == 0)
        status = boot(argv[2]);
    else
        fputs("usage: size fill FILE USERS | size work FILE USERS ACTIVE COUNT | size boot FILE\n", stderr);
    im_writer_close(&w->writer);
    free(w);
    return status;
}
