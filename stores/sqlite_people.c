#include <stdio.h>

#include "stores/result.h"
#include "stores/sqlite_write.h"

/* Users, their devices, what they have read, and whom they block. */

static int add_user(struct im_writer *w, struct im_str key, struct im_str name, bool claimed, int64_t *id)
{
    sqlite3_stmt *s = im_db_use(&w->db, IM_SQL_USER_ADD);
    im_db_bind_str(s, 1, key);
    im_db_bind_str(s, 2, name);
    sqlite3_bind_int(s, 3, claimed);
    int rc = im_db_run(s);
    *id = sqlite3_last_insert_rowid(w->db.sqlite);
    w->tally.users++;
    return rc;
}

int im_write_user(struct im_writer *w, struct im_str key, struct im_str name, int64_t *id)
{
    int rc = im_db_user(&w->db, key, id, NULL);
    return rc == SQLITE_OK && *id == 0 ? add_user(w, key, name, false, id) : rc;
}

/* The first to log in with an id is its owner, and its name is what the owner writes. */
static int login_user(struct im_writer *w, struct im_store_login *op, int64_t *id, bool *blocks)
{
    sqlite3_stmt *s = im_db_use(&w->db, IM_SQL_USER);
    im_db_bind_str(s, 1, op->key);
    int rc = sqlite3_step(s);
    *id = rc == SQLITE_ROW ? sqlite3_column_int64(s, 0) : 0;
    *blocks = rc == SQLITE_ROW && sqlite3_column_int64(s, 3) > 0;
    bool claimed = rc == SQLITE_ROW && sqlite3_column_int(s, 2);
    struct im_str name = claimed ? im_db_str(s, 1) : op->text;
    snprintf(op->name, sizeof op->name, "%.*s", (int)name.len, name.p ? name.p : "");
    rc = im_db_done(s, rc);
    if (rc != SQLITE_OK || claimed)
        return rc;
    if (*id == 0)
        return add_user(w, op->key, op->text, true, id);
    s = im_db_use(&w->db, IM_SQL_USER_CLAIM);
    sqlite3_bind_int64(s, 1, *id);
    im_db_bind_str(s, 2, op->text);
    return im_db_run(s);
}

static struct im_str device_name(struct im_str device)
{
    return device.p ? device : IM_STR("");
}

static int find_cursor(struct im_writer *w, int64_t user, struct im_str device, bool *found, uint64_t *pos)
{
    sqlite3_stmt *s = im_db_use(&w->db, IM_SQL_CURSOR);
    sqlite3_bind_int64(s, 1, user);
    im_db_bind_str(s, 2, device);
    int rc = sqlite3_step(s);
    *found = rc == SQLITE_ROW;
    *pos = *found ? im_db_u64(s, 0) : 0;
    return im_db_done(s, rc);
}

int im_write_forget(struct im_writer *w, int64_t user, struct im_str device)
{
    sqlite3_stmt *s = im_db_use(&w->db, IM_SQL_CURSOR_DROP);
    sqlite3_bind_int64(s, 1, user);
    im_db_bind_str(s, 2, device);
    return im_db_run(s);
}

/* Of the named devices but this one, those beyond the limit go that were unseen for longest. */
static int make_room(struct im_writer *w, int64_t user, struct im_str keep, uint32_t most)
{
    int64_t named;
    int rc = IM_DB_ASK(&w->db, DEVICES_NAMED, &named, user);
    for (; named > most && rc == SQLITE_OK; named--) {
        sqlite3_stmt *s = im_db_use(&w->db, IM_SQL_DEVICE_OTHER);
        sqlite3_bind_int64(s, 1, user);
        im_db_bind_str(s, 2, keep);
        int found = sqlite3_step(s);
        struct im_str oldest = im_db_str(s, 1);
        if (oldest.p)
            rc = im_write_forget(w, user, oldest);
        found = im_db_done(s, found);
        rc = rc == SQLITE_OK ? found : rc;
    }
    return rc;
}

static int add_device(struct im_writer *w, const struct im_store_login *op, int64_t user, struct im_str device,
                      uint64_t cursor)
{
    sqlite3_stmt *s = im_db_use(&w->db, IM_SQL_CURSOR_ADD);
    sqlite3_bind_int64(s, 1, user);
    im_db_bind_str(s, 2, device);
    im_db_bind_u64(s, 3, cursor);
    sqlite3_bind_int64(s, 4, op->ts_ms);
    int rc = im_db_run(s);
    return rc == SQLITE_OK && op->max_devices > 0 ? make_room(w, user, device, op->max_devices) : rc;
}

static int saw_device(struct im_writer *w, const struct im_store_login *op, int64_t user, struct im_str device)
{
    sqlite3_stmt *s = im_db_use(&w->db, IM_SQL_CURSOR_SEEN);
    sqlite3_bind_int64(s, 1, user);
    im_db_bind_str(s, 2, device);
    sqlite3_bind_int64(s, 3, op->ts_ms);
    return im_db_run(s);
}

/* On a full disk those who are known may come nevertheless, and read: when the device was seen is not worth more. */
static int login_device(struct im_writer *w, struct im_store_login *op, int64_t user)
{
    bool known;
    int64_t furthest;
    struct im_str device = device_name(op->device);
    int rc = find_cursor(w, user, device, &known, &op->cursor);
    if (rc == SQLITE_OK && known && !w->full)
        rc = saw_device(w, op, user, device);
    if (rc == SQLITE_OK)
        rc = IM_DB_ASK(&w->db, CURSOR_FURTHEST, &furthest, user);
    if (rc != SQLITE_OK)
        return rc;
    op->furthest = (uint64_t)furthest;
    if (known)
        return SQLITE_OK;
    op->cursor = op->furthest;
    return add_device(w, op, user, device, op->cursor);
}

static int list_seats(struct im_writer *w, struct im_store_login *op, int64_t user)
{
    struct im_block block = {.kind = IM_ROW_SEAT};
    sqlite3_stmt *s = im_db_use(&w->db, IM_SQL_SEATS);
    sqlite3_bind_int64(s, 1, user);
    sqlite3_bind_int(s, 2, IM_ROLE_MUTED);
    int rc;
    while ((rc = sqlite3_step(s)) == SQLITE_ROW)
        im_block_add(&block, &(struct im_seat_row){im_db_str(s, 0), im_db_str(s, 1), im_db_role(s, 2),
                                                   (uint32_t)im_db_u64(s, 3)});
    op->seats = im_block_finish(&block, &op->seat_count);
    return im_db_done(s, rc);
}

static int list_blocked(struct im_writer *w, struct im_store_login *op, int64_t user)
{
    struct im_block block = {.kind = IM_ROW_KEY};
    sqlite3_stmt *s = im_db_use(&w->db, IM_SQL_BLOCKS);
    sqlite3_bind_int64(s, 1, user);
    int rc;
    while ((rc = sqlite3_step(s)) == SQLITE_ROW) {
        struct im_str key = im_db_str(s, 1);
        im_block_add(&block, &key);
    }
    op->blocked = im_block_finish(&block, &op->blocked_count);
    return im_db_done(s, rc);
}

int im_write_login(struct im_writer *w, struct im_store_login *op)
{
    int64_t user;
    bool blocks;
    op->head = w->tally.head;
    int rc = login_user(w, op, &user, &blocks);
    if (rc == SQLITE_OK)
        rc = login_device(w, op, user);
    if (rc == SQLITE_OK)
        rc = list_seats(w, op, user);
    return rc == SQLITE_OK && blocks ? list_blocked(w, op, user) : rc;
}

int im_write_cursors(struct im_writer *w, const struct im_store_cursors *op)
{
    sqlite3_stmt *s = im_db_use(&w->db, IM_SQL_CURSOR_MOVE);
    int rc = SQLITE_OK;
    for (size_t i = 0; i < op->count && rc == SQLITE_OK; i++) {
        im_db_bind_str(s, 1, op->rows[i].key);
        im_db_bind_str(s, 2, device_name(op->rows[i].device));
        im_db_bind_u64(s, 3, op->rows[i].pos);
        sqlite3_bind_int64(s, 4, op->ts_ms);
        rc = im_db_run(s);
    }
    return rc;
}

int im_write_device_drop(struct im_writer *w, const struct im_store_device_drop *op, enum im_reason *status)
{
    int64_t user;
    int rc = im_db_user(&w->db, op->key, &user, NULL);
    if (rc == SQLITE_OK)
        rc = im_write_forget(w, user, device_name(op->device));
    if (rc == SQLITE_OK && (user == 0 || sqlite3_changes(w->db.sqlite) == 0))
        *status = IM_NO_SUCH_DEVICE;
    return rc;
}

/* The conversation that a mark is in; conv is 0 if there is none. */
static int mark_conv(struct im_writer *w, const struct im_store_mark *mark, int64_t user, struct im_db_conv *out)
{
    int64_t peer = 0;
    *out = (struct im_db_conv){0};
    if (mark->kind == IM_CONV_GROUP)
        return im_db_group(&w->db, mark->peer, out, NULL);
    int rc = user ? im_db_user(&w->db, mark->peer, &peer, NULL) : SQLITE_OK;
    return rc == SQLITE_OK && peer ? im_db_direct(&w->db, user, peer, out) : rc;
}

/* Where the mark is; false: the user is not in that conversation. */
static int find_mark(struct im_writer *w, const struct im_store_mark *mark, int64_t user, int64_t conv, bool *found,
                     uint64_t *seq)
{
    sqlite3_stmt *s = im_db_use(&w->db, IM_SQL_MEMBER);
    sqlite3_bind_int64(s, 1, user);
    sqlite3_bind_int64(s, 2, conv);
    int rc = sqlite3_step(s);
    *found = rc == SQLITE_ROW && (mark->kind == IM_CONV_DIRECT || im_role_member(im_db_role(s, 0)));
    *seq = *found ? im_db_u64(s, 1) : 0;
    return im_db_done(s, rc);
}

static int move_mark(struct im_writer *w, struct im_store_mark *mark, int64_t user, const struct im_db_conv *c,
                     uint64_t before)
{
    uint64_t wanted = mark->seq < c->last_seq ? mark->seq : c->last_seq;
    int64_t count;
    mark->seq = before;
    mark->moved = wanted > before;
    if (!mark->moved)
        return SQLITE_OK;
    mark->seq = wanted;
    int rc = IM_DB_ASK(&w->db, COUNT_AT, &count, c->conv, (int64_t)wanted);
    return rc == SQLITE_OK ? IM_DB_RUN(&w->db, MEMBER_READ, user, c->conv, (int64_t)wanted, count) : rc;
}

static int do_mark(struct im_writer *w, struct im_store_mark *mark)
{
    struct im_db_conv c = {0};
    int64_t user;
    bool found = false;
    uint64_t before = 0;
    int rc = im_db_user(&w->db, mark->key, &user, NULL);
    if (rc == SQLITE_OK)
        rc = mark_conv(w, mark, user, &c);
    if (rc == SQLITE_OK && user && c.conv)
        rc = find_mark(w, mark, user, c.conv, &found, &before);
    if (rc == SQLITE_OK && found)
        return move_mark(w, mark, user, &c, before);
    mark->seq = 0;
    mark->moved = false;
    return rc;
}

int im_write_marks(struct im_writer *w, struct im_store_marks *op)
{
    int rc = SQLITE_OK;
    for (size_t i = 0; i < op->count && rc == SQLITE_OK; i++)
        rc = do_mark(w, &op->rows[i]);
    return rc;
}

static int change_block(struct im_writer *w, enum im_sql sql, int64_t user, struct im_str other, int by)
{
    sqlite3_stmt *s = im_db_use(&w->db, sql);
    sqlite3_bind_int64(s, 1, user);
    im_db_bind_str(s, 2, other);
    int rc = im_db_run(s);
    im_cache_forget_users(w->cache);
    return rc == SQLITE_OK ? IM_DB_RUN(&w->db, USER_BLOCKS, user, by) : rc;
}

int im_write_block(struct im_writer *w, const struct im_store_block *op, enum im_reason *status)
{
    int64_t user, other, blocks;
    int rc = im_db_user(&w->db, op->key, &user, &blocks);
    sqlite3_stmt *s = im_db_use(&w->db, IM_SQL_BLOCKED);
    sqlite3_bind_int64(s, 1, user);
    im_db_bind_str(s, 2, op->other);
    int found = rc == SQLITE_OK ? sqlite3_step(s) : SQLITE_DONE;
    rc = rc == SQLITE_OK ? im_db_done(s, found) : rc;
    if (rc != SQLITE_OK || op->on == (found == SQLITE_ROW))
        return rc;
    if (!op->on)
        return change_block(w, IM_SQL_BLOCK_DROP, user, op->other, -1);
    if (op->max > 0 && blocks >= op->max) {
        *status = IM_TOO_MANY;
        return SQLITE_OK;
    }
    rc = im_write_user(w, op->key, op->key, &user);
    if (rc == SQLITE_OK)
        rc = im_write_user(w, op->other, op->other_text, &other);
    return rc == SQLITE_OK ? change_block(w, IM_SQL_BLOCK_ADD, user, op->other, 1) : rc;
}
