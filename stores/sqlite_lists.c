#include "stores/sqlite_read.h"

/* Groups and their members, users and their devices. */

/* Finds who asks; 0: administration, or nobody that is known. */
static int find_asker(struct im_reader *r, struct im_str key, int64_t *user)
{
    *user = 0;
    return key.p ? im_db_user(&r->db, key, user, NULL) : SQLITE_OK;
}

static bool knows(struct im_str key, unsigned settings, enum im_role role)
{
    return key.p == NULL || settings & IM_GROUP_PUBLIC || role >= IM_ROLE_INVITED;
}

static int one_group(struct im_reader *r, struct im_store_groups *op, int64_t user, struct im_block *block,
                     enum im_reason *status)
{
    struct im_db_conv c;
    sqlite3_stmt *s;
    enum im_role role;
    int rc = im_db_group(&r->db, op->group, &c, &s);
    if (rc != SQLITE_OK || c.conv == 0) {
        *status = IM_NO_SUCH_GROUP;
        return rc;
    }
    rc = im_db_member(&r->db, user, c.conv, &role);
    struct im_group_row row = {.name = im_db_str(s, 7),
                               .topic = im_db_str(s, 6),
                               .settings = (unsigned)im_db_u64(s, 5),
                               .members = (uint32_t)im_db_u64(s, 3),
                               .role = role,
                               .created_ms = sqlite3_column_int64(s, 8)};
    if (knows(op->key, row.settings, role))
        im_block_add(block, &row);
    else
        *status = IM_NO_SUCH_GROUP;
    im_db_done(s, SQLITE_ROW);
    return rc;
}

static int all_groups(struct im_reader *r, struct im_store_groups *op, int64_t user, struct im_block *block)
{
    sqlite3_stmt *s = im_db_use(&r->db, op->key.p ? IM_SQL_GROUPS_PUBLIC : IM_SQL_GROUPS);
    im_db_bind_str(s, 1, op->after.p ? op->after : IM_STR(""));
    sqlite3_bind_int64(s, 2, (int64_t)op->limit + 1);
    int rc, finding = SQLITE_OK;
    while (finding == SQLITE_OK && (rc = sqlite3_step(s)) == SQLITE_ROW) {
        enum im_role role;
        op->more = block->count >= op->limit;
        if (op->more)
            break;
        finding = im_db_member(&r->db, user, sqlite3_column_int64(s, 0), &role);
        im_block_add(block, &(struct im_group_row){.name = im_db_str(s, 1),
                                                   .topic = im_db_str(s, 2),
                                                   .settings = (unsigned)im_db_u64(s, 3),
                                                   .members = (uint32_t)im_db_u64(s, 4),
                                                   .role = role,
                                                   .created_ms = sqlite3_column_int64(s, 5)});
    }
    rc = im_db_done(s, rc);
    return rc == SQLITE_OK ? finding : rc;
}

int im_read_groups(struct im_reader *r, struct im_store_groups *op, enum im_reason *status)
{
    struct im_block block = {.kind = IM_ROW_GROUP};
    int64_t user;
    int rc = find_asker(r, op->key, &user);
    if (rc == SQLITE_OK)
        rc = op->group.p ? one_group(r, op, user, &block, status) : all_groups(r, op, user, &block);
    op->rows = im_block_finish(&block, &op->count);
    return rc;
}

static int list_members(struct im_reader *r, struct im_store_members *op, int64_t conv, enum im_role least)
{
    struct im_block block = {.kind = IM_ROW_MEMBER};
    sqlite3_stmt *s = im_db_use(&r->db, IM_SQL_MEMBERS);
    sqlite3_bind_int64(s, 1, conv);
    im_db_bind_str(s, 2, op->after.p ? op->after : IM_STR(""));
    sqlite3_bind_int(s, 3, (int)least);
    sqlite3_bind_int64(s, 4, (int64_t)op->limit + 1);
    int rc;
    while ((rc = sqlite3_step(s)) == SQLITE_ROW) {
        op->more = block.count >= op->limit;
        if (op->more)
            break;
        im_block_add(&block, &(struct im_member_row){.name = im_db_str(s, 0), .role = im_db_role(s, 1)});
    }
    op->rows = im_block_finish(&block, &op->count);
    return im_db_done(s, rc);
}

int im_read_members(struct im_reader *r, struct im_store_members *op, enum im_reason *status)
{
    struct im_db_conv c = {0};
    int64_t user;
    sqlite3_stmt *s;
    enum im_role role = IM_ROLE_OWNER;
    unsigned settings = 0;
    int rc = find_asker(r, op->key, &user);
    if (rc == SQLITE_OK)
        rc = im_db_group(&r->db, op->group, &c, &s);
    if (rc == SQLITE_OK && c.conv) {
        settings = (unsigned)im_db_u64(s, 5);
        im_db_done(s, SQLITE_ROW);
        rc = op->key.p ? im_db_member(&r->db, user, c.conv, &role) : SQLITE_OK;
    }
    if (rc != SQLITE_OK)
        return rc;
    if (c.conv == 0 || !knows(op->key, settings, role))
        *status = IM_NO_SUCH_GROUP;
    else if (im_may(role, IM_MAY_READ, IM_ROLE_NONE) != IM_OK)
        *status = IM_NOT_MEMBER;
    bool bans = im_may(role, IM_MAY_BAN, IM_ROLE_NONE) == IM_OK;
    return *status == IM_OK ? list_members(r, op, c.conv, bans ? IM_ROLE_BANNED : IM_ROLE_MUTED) : SQLITE_OK;
}

int im_read_devices(struct im_reader *r, struct im_store_devices *op)
{
    struct im_block block = {.kind = IM_ROW_DEVICE};
    int64_t user;
    int rc = im_db_user(&r->db, op->key, &user, NULL);
    sqlite3_stmt *s = im_db_use(&r->db, IM_SQL_DEVICES);
    sqlite3_bind_int64(s, 1, user);
    while (rc == SQLITE_OK && (rc = sqlite3_step(s)) == SQLITE_ROW) {
        im_block_add(&block, &(struct im_device_row){.name = im_db_str(s, 0),
                                                     .cursor = im_db_u64(s, 1),
                                                     .seen_ms = sqlite3_column_int64(s, 2)});
        rc = SQLITE_OK;
    }
    op->rows = im_block_finish(&block, &op->count);
    return im_db_done(s, rc);
}

/* Those whom one user has blocked. */
static int list_blocked(struct im_reader *r, struct im_store_users *op, struct im_block *block)
{
    int64_t user;
    int rc = im_db_user(&r->db, op->blocked_by, &user, NULL);
    if (rc != SQLITE_OK)
        return rc;
    sqlite3_stmt *s = im_db_use(&r->db, IM_SQL_BLOCKS);
    sqlite3_bind_int64(s, 1, user);
    while ((rc = sqlite3_step(s)) == SQLITE_ROW)
        im_block_add(block, &(struct im_user_row){im_db_str(s, 0), im_db_str(s, 1), sqlite3_column_int(s, 2)});
    return im_db_done(s, rc);
}

static int list_users(struct im_reader *r, struct im_store_users *op, struct im_block *block)
{
    sqlite3_stmt *s = im_db_use(&r->db, IM_SQL_USERS);
    im_db_bind_str(s, 1, op->after.p ? op->after : IM_STR(""));
    sqlite3_bind_int64(s, 2, (int64_t)op->limit + 1);
    int rc;
    while ((rc = sqlite3_step(s)) == SQLITE_ROW) {
        op->more = block->count >= op->limit;
        if (op->more)
            break;
        im_block_add(block, &(struct im_user_row){im_db_str(s, 0), im_db_str(s, 1), sqlite3_column_int(s, 2)});
    }
    return im_db_done(s, rc);
}

int im_read_users(struct im_reader *r, struct im_store_users *op)
{
    struct im_block block = {.kind = IM_ROW_USER};
    int rc = op->blocked_by.p ? list_blocked(r, op, &block) : list_users(r, op, &block);
    op->rows = im_block_finish(&block, &op->count);
    return rc;
}
