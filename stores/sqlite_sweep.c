#include "stores/rules.h"
#include "stores/sqlite_filter.h"
#include "stores/sqlite_write.h"

/* Clearing up, a little at a time: conversation by conversation, then devices, then records. What no index leads to is
 * gone through by steps, too. */

#define LOOK_MOST 1000 /* conversations, or devices, that one step looks at */

struct sweep {
    struct im_writer *w;
    struct im_store_sweep *op;
    uint32_t look; /* may still be looked at */
};

/* May one more row go? If not, there is more to do. */
static bool room(struct sweep *s)
{
    s->op->more = s->op->more || s->op->erased >= s->op->limit;
    return !s->op->more;
}

static bool look(struct sweep *s)
{
    s->op->more = s->op->more || s->look == 0;
    s->look -= s->look > 0;
    return !s->op->more;
}

/* An event that may have to go. */
struct old {
    int64_t pos, conv, seq, type, ts, flags, uncounted;
};

static int find_oldest(struct im_writer *w, int64_t conv, int64_t seq, struct old *out)
{
    sqlite3_stmt *s = im_db_use(&w->db, IM_SQL_OLDEST);
    sqlite3_bind_int64(s, 1, conv);
    sqlite3_bind_int64(s, 2, seq);
    int rc = sqlite3_step(s);
    int64_t n[7] = {0};
    for (int i = 0; rc == SQLITE_ROW && i < 7; i++)
        n[i] = sqlite3_column_int64(s, i);
    *out = (struct old){n[0], n[1], n[2], n[3], n[4], n[5], n[6]};
    return im_db_done(s, rc);
}

static int erase_message(struct im_writer *w, const struct old *e)
{
    int rc = e->flags & IM_ROW_EDITED ? IM_DB_RUN(&w->db, EDITS_BLANK, e->pos) : SQLITE_OK;
    if (rc == SQLITE_OK && e->flags & IM_ROW_REACTED)
        rc = IM_DB_RUN(&w->db, REACTIONS_DROP, e->pos);
    if (rc == SQLITE_OK)
        rc = IM_DB_RUN(&w->db, HIDES_DROP, e->pos);
    if (rc == SQLITE_OK)
        rc = IM_DB_RUN(&w->db, MENTIONS_DROP, e->conv, e->seq);
    return rc == SQLITE_OK ? im_chunk_changed(w, e->conv, (uint64_t)e->seq, false) : rc;
}

static int erase(struct sweep *s, const struct old *e)
{
    struct im_db *db = &s->w->db;
    int rc = e->type == IM_EV_MSG ? erase_message(s->w, e) : SQLITE_OK;
    if (rc == SQLITE_OK)
        rc = IM_DB_RUN(db, EVENT_DROP, e->pos);
    if (rc == SQLITE_OK)
        rc = IM_DB_RUN(db, CONV_ERASED, e->conv, e->seq + 1, e->seq - e->uncounted);
    s->w->tally.events--;
    s->op->erased++;
    return rc;
}

static int sweep_conv(struct sweep *s, int64_t conv, int64_t first, int64_t last, int64_t messages)
{
    int rc = SQLITE_OK;
    for (struct old e; rc == SQLITE_OK && first <= last; first = e.seq + 1) {
        rc = find_oldest(s->w, conv, first, &e);
        if (rc != SQLITE_OK || e.pos == 0 ||
            !(im_retention_surplus(s->op, (uint64_t)(messages - (e.seq - e.uncounted)), (uint64_t)(last - e.seq)) ||
              im_retention_older(s->op, e.ts, s->op->retention_ms)) ||
            !room(s))
            break;
        rc = erase(s, &e);
    }
    return rc;
}

static int sweep_convs(struct sweep *s)
{
    struct im_writer *w = s->w;
    int rc = SQLITE_OK;
    for (bool found = true; found && rc == SQLITE_OK && look(s);) {
        sqlite3_stmt *next = im_db_use(&w->db, IM_SQL_CONV_NEXT);
        sqlite3_bind_int64(next, 1, w->sweep.conv);
        rc = sqlite3_step(next);
        found = rc == SQLITE_ROW;
        int64_t conv = sqlite3_column_int64(next, 0), first = sqlite3_column_int64(next, 1),
                last = sqlite3_column_int64(next, 2), messages = sqlite3_column_int64(next, 3);
        rc = im_db_done(next, rc);
        if (rc == SQLITE_OK && found)
            rc = sweep_conv(s, conv, first, last, messages);
        if (s->op->more)
            break;
        w->sweep.conv = found ? conv : 0;
    }
    return rc;
}

/* The device of a user that was unseen for longest goes, if that is too long. */
static int drop_oldest(struct sweep *s, int64_t user, bool *dropped)
{
    sqlite3_stmt *find = im_db_use(&s->w->db, IM_SQL_DEVICE_OLDEST);
    sqlite3_bind_int64(find, 1, user);
    int rc = sqlite3_step(find);
    *dropped =
        rc == SQLITE_ROW && im_retention_older(s->op, sqlite3_column_int64(find, 0), s->op->device_ms) && room(s);
    int dropping = *dropped ? im_write_forget(s->w, user, im_db_str(find, 1)) : SQLITE_OK;
    s->op->erased += *dropped;
    rc = im_db_done(find, rc);
    return rc == SQLITE_OK ? dropping : rc;
}

static int sweep_devices(struct sweep *s)
{
    struct im_writer *w = s->w;
    int64_t user = 1;
    int rc = SQLITE_OK;
    while (user && rc == SQLITE_OK && look(s)) {
        rc = IM_DB_ASK(&w->db, CURSOR_NEXT, &user, w->sweep.user);
        for (bool dropped = user; dropped && rc == SQLITE_OK;)
            rc = drop_oldest(s, user, &dropped);
        if (s->op->more)
            break;
        w->sweep.user = user;
    }
    return rc;
}

static int sweep_records(struct sweep *s)
{
    int64_t id;
    int rc = SQLITE_OK;
    while (rc == SQLITE_OK) {
        rc = IM_DB_ASK(&s->w->db, RECORD_EXPIRED, &id, s->op->now_ms);
        if (rc != SQLITE_OK || id == 0 || !room(s))
            break;
        s->op->erased++;
        rc = IM_DB_RUN(&s->w->db, RECORD_ERASE, id);
    }
    return rc;
}

int im_write_sweep(struct im_writer *w, struct im_store_sweep *op)
{
    struct sweep s = {w, op, LOOK_MOST};
    int rc = op->retention_ms || op->retention_count ? sweep_convs(&s) : SQLITE_OK;
    if (rc == SQLITE_OK && op->device_ms && !op->more)
        rc = sweep_devices(&s);
    if (rc == SQLITE_OK && !op->more)
        rc = sweep_records(&s);
    return rc;
}
