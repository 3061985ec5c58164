#include "tests/conform/store_box.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "core/mem.h"

static const unsigned patience_s = 60; /* before a test that waits is declared stuck */

static void on_wake(void *arg)
{
    struct box *b = arg;
    pthread_mutex_lock(&b->lock);
    b->wake = true;
    b->wakes++;
    pthread_cond_signal(&b->woken);
    pthread_mutex_unlock(&b->lock);
}

static void on_log(struct im_log *log, enum im_log_level level, const char *subsystem, const char *event,
                   const struct im_kv *fields)
{
    struct box *b = (struct box *)((char *)log - offsetof(struct box, log));
    (void)level;
    (void)fields;
    assert_string_equal(subsystem, "store");
    pthread_mutex_lock(&b->lock);
    snprintf(b->logged, sizeof b->logged, "%s", event);
    pthread_mutex_unlock(&b->lock);
}

struct box *box_new(const struct im_store_row *row)
{
    struct box *b = im_zalloc(sizeof *b);
    b->row = row;
    b->log = (struct im_log){.level = IM_LOG_DEBUG, .write = on_log};
    b->sync_full = true;
    b->readers = 2;
    pthread_mutex_init(&b->lock, NULL);
    pthread_cond_init(&b->woken, NULL);
    snprintf(b->folder, sizeof b->folder, "/tmp/imd-store-XXXXXX");
    assert_non_null(mkdtemp(b->folder));
    snprintf(b->path, sizeof b->path, "%s/log.db", b->folder);
    return b;
}

static void remove_folder(const char *folder)
{
    DIR *dir = opendir(folder);
    for (struct dirent *e; dir && (e = readdir(dir));) {
        char path[400];
        snprintf(path, sizeof path, "%s/%s", folder, e->d_name);
        if (e->d_name[0] != '.')
            unlink(path);
    }
    if (dir)
        closedir(dir);
    rmdir(folder);
}

void box_free(struct box **box)
{
    struct box *b = *box;
    *box = NULL;
    if (b->store)
        box_close(b);
    remove_folder(b->folder);
    pthread_mutex_destroy(&b->lock);
    pthread_cond_destroy(&b->woken);
    free(b);
}

enum im_reason box_try_open(struct box *b, struct im_error *error)
{
    struct im_store_options o = {.path = b->path,
                                 .sync_full = b->sync_full,
                                 .readers = b->readers,
                                 .epoch_seed = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 255},
                                 .wake = on_wake,
                                 .wake_arg = b,
                                 .log = &b->log,
                                 .counters = &b->counters};
    enum im_reason reason = b->row->open(&o, &b->store, error);
    assert_true((reason == IM_OK) == (b->store != NULL));
    return reason;
}

void box_open(struct box *b)
{
    struct im_error error = {.detail = ""};
    if (box_try_open(b, &error) != IM_OK)
        fail_msg("%s: %s", im_reason_name(error.reason), error.detail);
}

void box_close(struct box *b)
{
    b->store->ops->close(&b->store);
    assert_null(b->store);
    b->wake = false;
}

bool box_keeps(const struct box *b)
{
    return b->row == &im_store_rows[IM_STORE_SQLITE];
}

size_t box_turn(struct box *b)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += patience_s;
    pthread_mutex_lock(&b->lock);
    int rc = 0;
    while (!b->wake && rc != ETIMEDOUT)
        rc = pthread_cond_timedwait(&b->woken, &b->lock, &until);
    bool woken = b->wake;
    b->wake = false;
    pthread_mutex_unlock(&b->lock);
    if (!woken)
        fail_msg("nothing was completed in %u seconds", patience_s);
    return b->store->ops->drain(b->store);
}

static void on_done(struct im_store_op *op)
{
    assert_null(op->owner);
    op->owner = op;
}

void box_submit(struct box *b, struct im_store_op *op)
{
    op->done = on_done;
    op->owner = NULL;
    im_store_submit(b->store, op);
}

void box_wait(struct box *b, struct im_store_op *op)
{
    while (op->owner == NULL)
        box_turn(b);
}

enum im_reason box_do(struct box *b, struct im_store_op *op)
{
    box_submit(b, op);
    box_wait(b, op);
    return op->status;
}

struct im_str key_of(const char *user)
{
    static char keys[2048][IM_KEY_BYTES_MAX + 1];
    static size_t count;
    char key[IM_KEY_BYTES_MAX + 1];
    size_t n = 0;
    for (; user[n]; n++)
        key[n] = (unsigned char)user[n] < 128 ? (char)tolower((unsigned char)user[n]) : user[n];
    key[n] = '\0';
    for (size_t i = 0; i < count; i++)
        if (strcmp(keys[i], key) == 0)
            return im_str(keys[i]);
    assert_true(count < sizeof keys / sizeof *keys);
    return im_str(strcpy(keys[count++], key));
}

struct im_store_append op_append(const char *from, const char *to, const char *cid, const char *text)
{
    struct im_msg m = {.ts_ms = 1700000000000,
                       .from = im_str(from),
                       .from_key = key_of(from),
                       .to = im_str(to),
                       .to_key = key_of(to),
                       .cid = im_str(cid),
                       .body = im_str(text)};
    return (struct im_store_append){.op.kind = IM_STORE_APPEND, .event = im_event_new(IM_EV_MSG, &m)};
}

struct im_store_login op_login(const char *text, const char *device)
{
    return (struct im_store_login){.op.kind = IM_STORE_LOGIN,
                                   .key = key_of(text),
                                   .text = im_str(text),
                                   .device = im_str(device),
                                   .ts_ms = 1700000000000,
                                   .max_devices = 100};
}

struct im_store_since op_since(const char *user, uint64_t after, uint32_t limit, uint32_t bytes)
{
    return (struct im_store_since){
        .op.kind = IM_STORE_SINCE, .key = key_of(user), .after = after, .limit = limit, .bytes = bytes};
}

struct im_store_history op_before(const char *user, const char *peer, uint64_t before, uint32_t limit)
{
    return (struct im_store_history){.op.kind = IM_STORE_HISTORY,
                                     .key = key_of(user),
                                     .kind = peer[0] == '#' ? IM_CONV_GROUP : IM_CONV_DIRECT,
                                     .peer = key_of(peer),
                                     .before = before,
                                     .limit = limit,
                                     .bytes = 1 << 20};
}

struct im_store_history op_after(const char *user, const char *peer, uint64_t after, uint32_t limit)
{
    struct im_store_history op = op_before(user, peer, 0, limit);
    op.has_after = true;
    op.after = after;
    return op;
}

struct im_store_conversations op_conversations(const char *user, uint32_t limit)
{
    return (struct im_store_conversations){
        .op.kind = IM_STORE_CONVERSATIONS, .key = key_of(user), .limit = limit, .bytes = UINT32_MAX};
}

struct im_store_search op_search(const char *user, const char *conv, const char *text, uint32_t limit, uint32_t context)
{
    return (struct im_store_search){.op.kind = IM_STORE_SEARCH,
                                    .key = key_of(user),
                                    .text = im_str(text),
                                    .kind = conv && conv[0] == '#' ? IM_CONV_GROUP : IM_CONV_DIRECT,
                                    .peer = conv ? key_of(conv) : (struct im_str){0},
                                    .limit = limit,
                                    .context = context,
                                    .bytes = 1 << 20};
}

void drop_events(struct im_event ***events, size_t *count)
{
    for (size_t i = 0; i < *count; i++)
        im_event_drop(&(*events)[i]);
    free(*events);
    *events = NULL;
    *count = 0;
}

void drop_rows(struct im_store_conversations *op)
{
    for (size_t i = 0; i < op->count; i++)
        im_event_drop(&op->rows[i].last);
    free(op->rows);
    op->rows = NULL;
    op->count = 0;
}

void drop_hits(struct im_store_search *op)
{
    for (size_t i = 0; i < op->count; i++)
        drop_events(&op->hits[i].events, &op->hits[i].count);
    free(op->hits);
    op->hits = NULL;
    op->count = 0;
}

void drop_login(struct im_store_login *op)
{
    free(op->seats);
    free(op->blocked);
    op->seats = NULL;
    op->blocked = NULL;
    op->seat_count = op->blocked_count = 0;
}

struct im_event *box_append(struct box *b, const char *from, const char *to, const char *cid, const char *text)
{
    struct im_store_append op = op_append(from, to, cid, text);
    assert_int_equal(box_do(b, &op.op), IM_OK);
    assert_null(op.earlier);
    return op.event;
}

void box_send(struct box *b, const char *from, const char *to, const char *text)
{
    struct im_event *e = box_append(b, from, to, NULL, text);
    im_event_drop(&e);
}

struct im_store_login box_login(struct box *b, const char *text, const char *device)
{
    struct im_store_login op = op_login(text, device);
    assert_int_equal(box_do(b, &op.op), IM_OK);
    drop_login(&op);
    return op;
}

void box_cursor(struct box *b, const char *user, const char *device, uint64_t pos)
{
    struct im_store_cursor row = {key_of(user), im_str(device), pos};
    struct im_store_cursors op = {.op.kind = IM_STORE_CURSORS, .rows = &row, .count = 1, .ts_ms = 1700000000000};
    assert_int_equal(box_do(b, &op.op), IM_OK);
}

struct im_store_stats box_stats(struct box *b)
{
    struct im_store_stats op = {.op.kind = IM_STORE_STATS};
    assert_int_equal(box_do(b, &op.op), IM_OK);
    return op;
}

bool str_is(struct im_str s, const char *expected)
{
    return s.p && im_str_eq(s, im_str(expected));
}

const char *texts_of(struct im_event *const *events, size_t count)
{
    static char out[4096];
    size_t len = 0;
    out[0] = '\0';
    for (size_t i = 0; i < count; i++) {
        struct im_str body = events[i]->msg.body;
        len += (size_t)snprintf(out + len, sizeof out - len, "%s%.*s", i ? " " : "", (int)body.len, body.p);
        assert_true(len < sizeof out);
    }
    return out;
}
