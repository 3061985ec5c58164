#include "stores/sqlite_cache.h"

#include <stdlib.h>

#include "core/mem.h"
#include "stores/rules.h"

/* Each kind is a table of slots, where what is looked up has one place that it may be in, and takes it from whoever was
 * there before. Powers of two. All together are 5 MB, of which only what is used is ever touched. */
#define USERS  16384
#define PAIRS  16384
#define GROUPS 4096
#define HEADS  16384
#define SEATS  32768

#define KEY_MAX 96   /* bytes; longer keys are looked up by SQL */
#define PUT_OFF 2048 /* rows whose writing may be put off at a time */

/* A slot is empty unless its `of` is its table's generation. */
struct user_slot {
    uint64_t of;
    int64_t id, blocks;
    enum { UNKNOWN, ABSENT, PRESENT } account;
    unsigned len;
    char key[KEY_MAX];
};

struct pair_slot {
    uint64_t of;
    int64_t x, y, conv;
};

struct group_slot {
    uint64_t of;
    int64_t conv;
    unsigned settings, len;
    char key[KEY_MAX];
};

struct head_slot {
    uint64_t of;
    struct im_db_conv at;
    uint64_t pos; /* of the newest event, if that is yet to be written */
};

struct seat_slot {
    uint64_t of;
    int64_t user, conv;
    enum im_role role;
    bool has_role;
    uint64_t seq, count; /* how far it was read, if that is yet to be written */
};

struct im_cache {
    uint64_t users_of, groups_of, heads_of, seats_of; /* generations */
    struct user_slot users[USERS];
    struct pair_slot pairs[PAIRS];
    struct group_slot groups[GROUPS];
    struct head_slot heads[HEADS];
    struct seat_slot seats[SEATS];
    struct head_slot *said[PUT_OFF];
    struct seat_slot *read[PUT_OFF];
    size_t said_count, read_count;
};

struct im_cache *im_cache_new(void)
{
    struct im_cache *c = im_zalloc(sizeof *c);
    c->users_of = c->groups_of = c->heads_of = c->seats_of = 1;
    return c;
}

void im_cache_free(struct im_cache **c)
{
    free(*c);
    *c = NULL;
}

void im_cache_forget_all(struct im_cache *c)
{
    c->users_of++;
    c->groups_of++;
    c->heads_of++;
    c->seats_of++;
    c->said_count = c->read_count = 0;
}

/* What is put off. */

static int write_head(struct im_db *db, struct head_slot *h)
{
    int64_t pos = (int64_t)h->pos;
    h->pos = 0;
    return IM_DB_RUN(db, CONV_SAID, h->at.conv, (int64_t)h->at.last_seq, pos, (int64_t)h->at.uncounted);
}

static int write_seat(struct im_db *db, struct seat_slot *s)
{
    int64_t seq = (int64_t)s->seq;
    s->seq = 0;
    return IM_DB_RUN(db, MEMBER_READ, s->user, s->conv, seq, (int64_t)s->count);
}

int im_cache_flush(struct im_cache *c, struct im_db *db)
{
    int rc = SQLITE_OK;
    for (size_t i = 0; i < c->said_count && rc == SQLITE_OK; i++)
        if (c->said[i]->pos)
            rc = write_head(db, c->said[i]);
    for (size_t i = 0; i < c->read_count && rc == SQLITE_OK; i++)
        if (c->read[i]->seq)
            rc = write_seat(db, c->read[i]);
    c->said_count = c->read_count = 0;
    return rc;
}

/* Places. */

static uint64_t mixed(uint64_t h)
{
    h = (h ^ h >> 32) * 0xd6e8feb86659fd93;
    return h ^ h >> 32;
}

static uint64_t hash_key(struct im_str s)
{
    uint64_t h = 0xcbf29ce484222325;
    for (size_t i = 0; i < s.len; i++)
        h = (h ^ (unsigned char)s.p[i]) * 0x100000001b3;
    return mixed(h);
}

static uint64_t hash_pair(int64_t x, int64_t y)
{
    return mixed((uint64_t)x * 0x9e3779b97f4a7c15 + (uint64_t)y);
}

static bool is_key(const char *key, unsigned len, struct im_str s)
{
    return len == s.len && memcmp(key, s.p, len) == 0;
}

static struct user_slot *user_at(struct im_cache *c, struct im_str key, bool *found)
{
    struct user_slot *u = &c->users[hash_key(key) % USERS];
    *found = u->of == c->users_of && is_key(u->key, u->len, key);
    return u;
}

static struct group_slot *group_at(struct im_cache *c, struct im_str key, bool *found)
{
    struct group_slot *g = &c->groups[hash_key(key) % GROUPS];
    *found = g->of == c->groups_of && is_key(g->key, g->len, key);
    return g;
}

static struct head_slot *head_at(struct im_cache *c, int64_t conv, bool *found)
{
    struct head_slot *h = &c->heads[mixed((uint64_t)conv) % HEADS];
    *found = h->of == c->heads_of && h->at.conv == conv;
    return h;
}

static struct seat_slot *seat_at(struct im_cache *c, int64_t user, int64_t conv, bool *found)
{
    struct seat_slot *s = &c->seats[hash_pair(user, conv) % SEATS];
    *found = s->of == c->seats_of && s->user == user && s->conv == conv;
    return s;
}

/* Users. */

int im_cache_user(struct im_cache *c, struct im_db *db, struct im_str key, struct im_cache_user *out)
{
    bool found;
    struct user_slot *u = user_at(c, key, &found);
    if (found) {
        *out = (struct im_cache_user){u->id, u->blocks};
        return SQLITE_OK;
    }
    int rc = im_db_user(db, key, &out->id, &out->blocks);
    if (rc != SQLITE_OK || out->id == 0 || key.len > KEY_MAX)
        return rc;
    *u = (struct user_slot){.of = c->users_of, .id = out->id, .blocks = out->blocks, .len = (unsigned)key.len};
    memcpy(u->key, key.p, key.len);
    return SQLITE_OK;
}

static int find_account(struct im_db *db, struct im_str key, bool *out)
{
    sqlite3_stmt *s = im_db_use(db, IM_SQL_RECORD);
    sqlite3_bind_int64(s, 1, IM_RECORD_ACCOUNT);
    im_db_bind_str(s, 2, key);
    int rc = sqlite3_step(s);
    *out = rc == SQLITE_ROW && im_rules_account(im_db_str(s, 3));
    return im_db_done(s, rc);
}

int im_cache_account(struct im_cache *c, struct im_db *db, struct im_str key, bool *out)
{
    bool found;
    struct user_slot *u = user_at(c, key, &found);
    if (found && u->account != UNKNOWN) {
        *out = u->account == PRESENT;
        return SQLITE_OK;
    }
    int rc = find_account(db, key, out);
    if (rc == SQLITE_OK && found)
        u->account = *out ? PRESENT : ABSENT;
    return rc;
}

void im_cache_forget_user(struct im_cache *c, struct im_str key)
{
    bool found;
    struct user_slot *u = user_at(c, key, &found);
    if (found)
        u->of = 0;
}

void im_cache_forget_users(struct im_cache *c)
{
    c->users_of++;
}

/* Conversations. */

/* Gives what is put off in the slot its row, before somebody else takes the place. */
static int vacate_head(struct im_cache *c, struct im_db *db, struct head_slot *h)
{
    return h->of == c->heads_of && h->pos ? write_head(db, h) : SQLITE_OK;
}

/* What is noted of the conversation is newer than its row. */
static int take_head(struct im_cache *c, struct im_db *db, struct im_db_conv *conv)
{
    bool found;
    struct head_slot *h = head_at(c, conv->conv, &found);
    if (found) {
        *conv = h->at;
        return SQLITE_OK;
    }
    int rc = vacate_head(c, db, h);
    *h = (struct head_slot){.of = c->heads_of, .at = *conv};
    return rc;
}

static int find_head(struct im_cache *c, struct im_db *db, int64_t conv, struct im_db_conv *out)
{
    bool found;
    struct head_slot *h = head_at(c, conv, &found);
    if (found) {
        *out = h->at;
        return SQLITE_OK;
    }
    int rc = im_db_conv(db, conv, out);
    return rc == SQLITE_OK && out->conv ? take_head(c, db, out) : rc;
}

/* Who a direct conversation is between never changes. */
int im_cache_direct(struct im_cache *c, struct im_db *db, int64_t x, int64_t y, struct im_db_conv *out)
{
    int64_t low = x < y ? x : y, high = x < y ? y : x;
    struct pair_slot *p = &c->pairs[hash_pair(low, high) % PAIRS];
    if (p->of == c->heads_of && p->x == low && p->y == high)
        return find_head(c, db, p->conv, out);
    int rc = im_db_direct(db, low, high, out);
    if (rc != SQLITE_OK || out->conv == 0)
        return rc;
    *p = (struct pair_slot){c->heads_of, low, high, out->conv};
    return take_head(c, db, out);
}

int im_cache_group(struct im_cache *c, struct im_db *db, struct im_str key, struct im_db_conv *out, unsigned *settings)
{
    bool found;
    sqlite3_stmt *row;
    struct group_slot *g = group_at(c, key, &found);
    if (found) {
        *settings = g->settings;
        return find_head(c, db, g->conv, out);
    }
    int rc = im_db_group(db, key, out, &row);
    if (rc != SQLITE_OK || out->conv == 0)
        return rc;
    *settings = (unsigned)im_db_u64(row, 5);
    im_db_done(row, SQLITE_ROW);
    if (key.len <= KEY_MAX) {
        *g = (struct group_slot){c->groups_of, out->conv, *settings, (unsigned)key.len, ""};
        memcpy(g->key, key.p, key.len);
    }
    return take_head(c, db, out);
}

void im_cache_forget_group(struct im_cache *c, struct im_str key)
{
    bool found;
    struct group_slot *g = group_at(c, key, &found);
    if (found)
        g->of = 0;
}

void im_cache_forget_conv(struct im_cache *c, int64_t conv)
{
    bool found;
    struct head_slot *h = head_at(c, conv, &found);
    if (found)
        *h = (struct head_slot){0};
}

int im_cache_said(struct im_cache *c, struct im_db *db, const struct im_db_conv *conv, uint64_t pos)
{
    bool found;
    struct head_slot *h = head_at(c, conv->conv, &found);
    int rc = found ? SQLITE_OK : vacate_head(c, db, h);
    if (rc == SQLITE_OK && c->said_count == PUT_OFF)
        rc = im_cache_flush(c, db);
    if (rc != SQLITE_OK)
        return rc;
    if (!found || h->pos == 0)
        c->said[c->said_count++] = h;
    *h = (struct head_slot){c->heads_of, *conv, pos};
    return SQLITE_OK;
}

/* Roles, and what was read. */

static int vacate_seat(struct im_cache *c, struct im_db *db, struct seat_slot *s)
{
    return s->of == c->seats_of && s->seq ? write_seat(db, s) : SQLITE_OK;
}

static int need_seat(struct im_cache *c, struct im_db *db, int64_t user, int64_t conv, struct seat_slot **out)
{
    bool found;
    struct seat_slot *s = *out = seat_at(c, user, conv, &found);
    int rc = found ? SQLITE_OK : vacate_seat(c, db, s);
    if (!found)
        *s = (struct seat_slot){.of = c->seats_of, .user = user, .conv = conv};
    return rc;
}

int im_cache_role(struct im_cache *c, struct im_db *db, int64_t user, int64_t conv, enum im_role *out)
{
    struct seat_slot *s;
    *out = IM_ROLE_NONE;
    if (user == 0)
        return SQLITE_OK;
    int rc = need_seat(c, db, user, conv, &s);
    if (rc == SQLITE_OK && !s->has_role) {
        rc = im_db_member(db, user, conv, &s->role);
        s->has_role = rc == SQLITE_OK;
    }
    *out = s->role;
    return rc;
}

void im_cache_forget_roles(struct im_cache *c)
{
    c->seats_of++;
}

int im_cache_read(struct im_cache *c, struct im_db *db, int64_t user, int64_t conv, uint64_t seq, uint64_t count)
{
    struct seat_slot *s;
    int rc = need_seat(c, db, user, conv, &s);
    if (rc == SQLITE_OK && c->read_count == PUT_OFF)
        rc = im_cache_flush(c, db);
    if (rc != SQLITE_OK)
        return rc;
    if (s->seq == 0)
        c->read[c->read_count++] = s;
    s->seq = seq;
    s->count = count;
    return SQLITE_OK;
}
