#include <stdlib.h>

#include "core/private.h"

struct im_user *im_user_find(struct im_core *core, struct im_str key)
{
    struct im_user *user;
    unsigned hash = im_hash(core->hash_key, key.p, key.len);
    HASH_FIND_BYHASHVALUE(hh, core->users, key.p, (unsigned)key.len, hash, user);
    return user;
}

static void add(struct im_core *core, struct im_user *user)
{
    struct im_str key = im_name_key(user->name);
    core->users_change++;
    HASH_ADD_KEYPTR_BYHASHVALUE(hh, core->users, key.p, (unsigned)key.len, im_hash(core->hash_key, key.p, key.len),
                                user);
}

struct im_user *im_user_get(struct im_core *core, const struct im_name *name)
{
    struct im_user *user = im_user_find(core, im_name_key(name));
    if (user)
        return user;
    user = im_zalloc(sizeof *user);
    user->name = im_name_dup(name);
    user->cursor.user = user;
    user->cursor.device = "";
    add(core, user);
    return user;
}

void im_user_spell(struct im_core *core, struct im_user *user, const struct im_name *name)
{
    if (im_str_eq(im_name_text(user->name), im_name_text(name)))
        return;
    HASH_DEL(core->users, user);
    free(user->name);
    user->name = im_name_dup(name);
    add(core, user);
}

void im_user_release(struct im_core *core, struct im_user *user)
{
    if (user->sessions || user->sender_count > 0 || user->watchers || user->leaves_ms > 0)
        return;
    im_cursor_flush(core, &user->cursor);
    core->users_change++;
    HASH_DEL(core->users, user);
    free(user->name);
    free(user->status);
    free(user->blocked);
    free(user);
}

bool im_user_online(const struct im_user *user)
{
    return user && user->chat_count > 0;
}

bool im_user_blocks(const struct im_user *user, struct im_str key)
{
    for (size_t i = 0; user && i < user->blocked_count; i++)
        if (im_str_eq(user->blocked[i], key))
            return true;
    return false;
}

/* The list with `key` in it or not, in a new block. */
void im_user_block(struct im_user *user, struct im_str key, bool on)
{
    size_t count = 0, bytes = key.len;
    for (size_t i = 0; i < user->blocked_count; i++)
        bytes += user->blocked[i].len;
    struct im_str *rows = im_alloc((user->blocked_count + 1) * sizeof *rows + bytes);
    char *at = (char *)&rows[user->blocked_count + 1];
    for (size_t i = 0; i <= user->blocked_count; i++) {
        struct im_str one = i < user->blocked_count ? user->blocked[i] : key;
        if (i < user->blocked_count ? im_str_eq(one, key) : !on)
            continue;
        memcpy(at, one.p, one.len);
        rows[count++] = (struct im_str){at, one.len};
        at += one.len;
    }
    free(user->blocked);
    user->blocked = rows;
    user->blocked_count = count;
}

void im_user_tell(struct im_core *core, struct im_user *user, struct im_event *e, uint64_t but)
{
    struct im_session *s;
    DL_FOREACH2(user->sessions, s, user_next)
    {
        if (s->seat != IM_SEAT_CHAT || s->id == but)
            continue;
        if (s->link->ops->queued(s->link) > core->config->queue_soft_bytes)
            core->counters->n[IM_C_DROPPED]++;
        else
            im_session_tell(s, e, false);
    }
}

/* From here on the user's seats follow the membership events as they are committed. */
static void settle(struct im_core *core, struct im_user *user, struct im_store_login *login)
{
    for (size_t i = 0; i < login->seat_count; i++)
        im_seat_add(core, user, login->seats[i].name, login->seats[i].key, login->seats[i].role,
                    login->seats[i].members);
    free(user->blocked);
    user->blocked = login->blocked;
    user->blocked_count = login->blocked_count;
    user->received_pos = login->furthest;
    login->blocked = NULL;
}

void im_user_join(struct im_core *core, struct im_user *user, struct im_session *s, struct im_store_login *login)
{
    s->user = user;
    if (s->seat == IM_SEAT_SENDER) {
        user->sender_count++;
    } else {
        if (user->session_count == 0)
            settle(core, user, login);
        DL_APPEND2(user->sessions, s, user_prev, user_next);
        user->session_count++;
        if (s->seat == IM_SEAT_CHAT && user->chat_count++ == 0)
            im_presence_came(core, user);
    }
    free(login->seats);
    free(login->blocked);
    login->seats = NULL;
    login->blocked = NULL;
}

static void unsettle(struct im_core *core, struct im_user *user)
{
    while (user->seats)
        im_seat_drop(core, user->seats);
    im_receipts_forget(core, user);
    im_marks_flush(core);
}

void im_user_leave(struct im_core *core, struct im_session *s)
{
    struct im_user *user = s->user;
    s->user = NULL;
    if (s->seat == IM_SEAT_SENDER) {
        user->sender_count--;
    } else {
        DL_DELETE2(user->sessions, s, user_prev, user_next);
        if (--user->session_count == 0)
            unsettle(core, user);
        if (s->seat == IM_SEAT_CHAT && --user->chat_count == 0)
            im_presence_left(core, user);
    }
    im_user_release(core, user);
}
