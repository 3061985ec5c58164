#include <stdlib.h>

#include "core/private.h"

struct im_user *im_user_find(struct im_core *core, struct im_str key)
{
    struct im_user *user;
    unsigned hash = im_hash(core->hash_key, key.p, key.len);
    HASH_FIND_BYHASHVALUE(hh, core->users, key.p, (unsigned)key.len, hash, user);
    return user;
}

struct im_user *im_user_get(struct im_core *core, const struct im_name *name)
{
    struct im_user *user;
    unsigned hash = im_hash(core->hash_key, name->key, name->key_len);
    HASH_FIND_BYHASHVALUE(hh, core->users, name->key, name->key_len, hash, user);
    if (user)
        return user;
    user = im_zalloc(sizeof *user);
    user->name = *name;
    user->cursor.user = user;
    user->cursor.device = "";
    HASH_ADD_KEYPTR_BYHASHVALUE(hh, core->users, user->name.key, user->name.key_len, hash, user);
    return user;
}

void im_user_release(struct im_core *core, struct im_user *user)
{
    if (user->sessions || user->watchers)
        return;
    im_cursor_flush(core, &user->cursor);
    HASH_DEL(core->users, user);
    free(user);
}

bool im_user_online(const struct im_user *user)
{
    return user && user->session_count > 0;
}

static void tell_watchers(struct im_core *core, struct im_user *user, enum im_presence state)
{
    if (user->watchers == NULL)
        return;
    struct im_event *e = im_event_presence(im_name_text(&user->name), state);
    struct im_watch *watch;
    DL_FOREACH(user->watchers, watch)
    {
        struct im_session *s = watch->session;
        if (im_session_closing(s))
            continue;
        if (s->link->ops->queued(s->link) > core->config->queue_soft_bytes)
            core->counters->n[IM_C_DROPPED]++;
        else
            im_session_send(s, im_event_hold(e), false);
    }
    im_event_drop(&e);
}

void im_user_join(struct im_core *core, struct im_user *user, struct im_session *s)
{
    s->user = user;
    DL_APPEND2(user->sessions, s, user_prev, user_next);
    if (++user->session_count == 1)
        tell_watchers(core, user, IM_ONLINE);
}

void im_user_leave(struct im_core *core, struct im_session *s)
{
    struct im_user *user = s->user;
    DL_DELETE2(user->sessions, s, user_prev, user_next);
    s->user = NULL;
    if (--user->session_count == 0)
        tell_watchers(core, user, IM_OFFLINE);
    im_user_release(core, user);
}

static void unwatch(struct im_core *core, struct im_watch *watch)
{
    struct im_user *user = watch->user;
    DL_DELETE(user->watchers, watch);
    DL_DELETE2(watch->session->watches, watch, session_prev, session_next);
    watch->session->watch_count--;
    free(watch);
    im_user_release(core, user);
}

static bool watches(const struct im_session *s, const struct im_user *user)
{
    const struct im_watch *watch;
    DL_FOREACH2(s->watches, watch, session_next)
    {
        if (watch->user == user)
            return true;
    }
    return false;
}

void im_watch_set(struct im_core *core, struct im_session *s, const struct im_name *names, size_t count)
{
    while (s->watches)
        unwatch(core, s->watches);
    for (size_t i = 0; i < count; i++) {
        struct im_user *user = im_user_get(core, &names[i]);
        if (watches(s, user))
            continue;
        struct im_watch *watch = im_zalloc(sizeof *watch);
        watch->session = s;
        watch->user = user;
        DL_APPEND(user->watchers, watch);
        DL_APPEND2(s->watches, watch, session_prev, session_next);
        s->watch_count++;
    }
}
