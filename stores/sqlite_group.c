#include "stores/sqlite_write.h"

/* Groups: what changes of membership do to roles, and to what is seen of the group. */

struct change {
    struct im_db *db;
    const struct im_msg *m;
    int64_t conv, seq, pos;
    unsigned settings;
};

static struct im_str member_key(const struct change *c)
{
    return c->m->user_key.p ? c->m->user_key : c->m->from_key;
}

static int open_span(const struct change *c, int64_t user)
{
    int64_t from = c->seq;
    int rc = SQLITE_OK;
    if (c->settings & IM_GROUP_PAST) {
        from = 0;
        rc = IM_DB_RUN(c->db, SPANS_DROP, user, c->conv);
    }
    return rc == SQLITE_OK ? IM_DB_RUN(c->db, SPAN_ADD, user, c->conv, from, IM_SPAN_OPEN, IM_SPAN_OPEN) : rc;
}

static int save_role(const struct change *c, int64_t user, enum im_role before, enum im_role now)
{
    if (now == IM_ROLE_NONE)
        return IM_DB_RUN(c->db, MEMBER_DROP, user, c->conv);
    if (before != IM_ROLE_NONE)
        return IM_DB_RUN(c->db, MEMBER_ROLE, user, c->conv, now);
    sqlite3_stmt *s = im_db_use(c->db, IM_SQL_MEMBER_ADD);
    sqlite3_bind_int64(s, 1, user);
    sqlite3_bind_int64(s, 2, c->conv);
    sqlite3_bind_int(s, 3, (int)now);
    im_db_bind_str(s, 4, member_key(c));
    return im_db_run(s);
}

static int set_role(const struct change *c, int64_t user, enum im_role before, enum im_role now)
{
    bool was = im_role_member(before), is = im_role_member(now);
    int members = is - was, owners = (now == IM_ROLE_OWNER) - (before == IM_ROLE_OWNER);
    if (before == now)
        return SQLITE_OK;
    int rc = save_role(c, user, before, now);
    if (rc == SQLITE_OK && is && !was)
        rc = open_span(c, user);
    if (rc == SQLITE_OK && was && !is)
        rc = IM_DB_RUN(c->db, SPAN_END, user, c->conv, c->seq, c->pos, IM_SPAN_OPEN);
    return rc == SQLITE_OK && (members || owners) ? IM_DB_RUN(c->db, GROUP_COUNT, c->conv, members, owners) : rc;
}

static int set_topic(const struct change *c)
{
    sqlite3_stmt *s = im_db_use(c->db, IM_SQL_GROUP_TOPIC);
    sqlite3_bind_int64(s, 1, c->conv);
    im_db_bind_str(s, 2, c->m->body.p ? c->m->body : IM_STR(""));
    return im_db_run(s);
}

static int end_group(const struct change *c)
{
    int rc = IM_DB_RUN(c->db, GROUP_SPANS, c->conv, c->seq, c->pos, IM_SPAN_OPEN);
    if (rc == SQLITE_OK)
        rc = IM_DB_RUN(c->db, GROUP_MEMBERS, c->conv);
    return rc == SQLITE_OK ? IM_DB_RUN(c->db, GROUP_GONE, c->conv) : rc;
}

int im_write_change(struct im_writer *w, const struct im_msg *m, int64_t conv, unsigned settings, int64_t concerned,
                    enum im_role before, bool ends)
{
    struct change c = {&w->db, m, conv, (int64_t)m->seq, (int64_t)m->pos, settings};
    int rc = SQLITE_OK;
    if (m->change == IM_CHANGE_TOPIC)
        rc = set_topic(&c);
    else if (m->change == IM_CHANGE_SET)
        rc = IM_DB_RUN(c.db, GROUP_SET, conv, m->settings);
    else if (m->change == IM_CHANGE_INVITE && !m->hidden)
        rc = IM_DB_RUN(c.db, SPAN_ADD, concerned, conv, c.seq, c.seq, c.pos);
    if (rc == SQLITE_OK && !ends)
        rc = set_role(&c, concerned, before, m->role);
    if (rc != SQLITE_OK || !ends)
        return rc;
    w->tally.groups--;
    return end_group(&c);
}
