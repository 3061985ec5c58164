#include <stdlib.h>

#include "core/account.h"
#include "core/private.h"

/* Who is here, as others see it. A user whose last session has gone lingers for a moment: who comes back within it was
 * never away. */

static bool here(const struct im_user *user)
{
    return user && (user->chat_count > 0 || user->leaves_ms > 0);
}

struct im_presence_row im_presence_of(const struct im_user *user, struct im_str id, struct im_str viewer_key)
{
    struct im_presence_row row = {.user = user ? im_name_text(user->name) : id};
    if (!here(user) || im_user_blocks(user, viewer_key))
        return row;
    row.state = user->state == IM_OFFLINE ? IM_ONLINE : user->state;
    row.text = im_str(user->status);
    return row;
}

static void send(struct im_core *core, struct im_session *s, struct im_event *e)
{
    if (im_session_closing(s))
        return;
    if (s->link->ops->queued(s->link) > core->config->queue_soft_bytes)
        core->counters->n[IM_C_DROPPED]++;
    else
        im_session_send(s, im_event_hold(e), false);
}

/* One event for all who may see it, made once. */
void im_presence_changed(struct im_core *core, struct im_user *user)
{
    struct im_watch *watch;
    if (user->watchers == NULL)
        return;
    struct im_presence_row row = im_presence_of(user, IM_STR(""), IM_STR(""));
    struct im_event *e = im_event_presence(&row);
    DL_FOREACH(user->watchers, watch)
    {
        if (!im_user_blocks(user, im_name_key(watch->session->user->name)))
            send(core, watch->session, e);
    }
    im_event_drop(&e);
}

static void stop_leaving(struct im_core *core, struct im_user *user)
{
    if (user->leaves_ms > 0)
        DL_DELETE2(core->leaving, user, leave_prev, leave_next);
    user->leaves_ms = 0;
}

void im_presence_came(struct im_core *core, struct im_user *user)
{
    bool lingered = user->leaves_ms > 0;
    stop_leaving(core, user);
    if (!lingered)
        im_presence_changed(core, user);
}

struct seen_request {
    struct im_store_record_put op;
    struct im_core *core;
    struct im_name name;
    char value[32];
};

static void seen_written(struct im_store_op *op)
{
    struct seen_request *r = op->owner;
    r->core->pending_ops--;
    free(r);
}

static void write_seen(struct im_core *core, const struct im_user *user)
{
    struct seen_request *r = im_zalloc(sizeof *r);
    struct im_out out = {0};
    im_out_i64(&out, user->left_ms);
    memcpy(r->value, im_out_data(&out), out.len);
    r->core = core;
    im_name_copy(&r->name, user->name);
    r->op = (struct im_store_record_put){
        .op = {.kind = IM_STORE_RECORD_PUT, .done = seen_written, .owner = r},
        .record = {.kind = IM_RECORD_SEEN, .key = im_name_key(&r->name), .value = {r->value, out.len}}};
    im_out_clear(&out);
    core->pending_ops++;
    im_store_submit(core->store, &r->op.op);
}

static void gone(struct im_core *core, struct im_user *user)
{
    stop_leaving(core, user);
    write_seen(core, user);
    free(user->status);
    user->status = NULL;
    user->state = IM_OFFLINE;
    im_presence_changed(core, user);
}

void im_presence_left(struct im_core *core, struct im_user *user)
{
    user->left_ms = core->wall_ms;
    if (core->draining || core->config->linger_ms == 0) {
        gone(core, user);
        return;
    }
    user->leaves_ms = core->mono_ms + core->config->linger_ms;
    DL_APPEND2(core->leaving, user, leave_prev, leave_next);
}

static void tell_group(struct im_core *core, struct im_group *group)
{
    struct im_presence_row row = {
        .user = im_name_text(&group->name), .state = IM_ONLINE, .online = im_group_online(group)};
    struct im_watch *watch;
    if (row.online == group->told)
        return;
    group->told = row.online;
    struct im_event *e = im_event_presence(&row);
    DL_FOREACH(group->watchers, watch)
    {
        send(core, watch->session, e);
    }
    im_event_drop(&e);
}

void im_presence_tick(struct im_core *core, bool all)
{
    struct im_user *user, *next;
    DL_FOREACH_SAFE2(core->leaving, user, next, leave_next)
    {
        if (!all && user->leaves_ms > core->mono_ms)
            continue;
        gone(core, user);
        im_user_release(core, user);
    }
    if (core->mono_ms - core->groups_ms < core->config->group_presence_ms)
        return;
    core->groups_ms = core->mono_ms;
    for (struct im_group *group = core->groups; group; group = group->hh.next)
        if (group->watchers)
            tell_group(core, group);
}

static void unwatch(struct im_core *core, struct im_watch *watch)
{
    struct im_user *user = watch->user;
    struct im_group *group = watch->group;
    if (user)
        DL_DELETE(user->watchers, watch);
    else
        DL_DELETE(group->watchers, watch);
    DL_DELETE2(watch->session->watches, watch, session_prev, session_next);
    watch->session->watch_count--;
    free(watch);
    if (user)
        im_user_release(core, user);
    else
        im_group_release(core, group);
}

static bool watches(const struct im_session *s, const struct im_user *user, const struct im_group *group)
{
    const struct im_watch *watch;
    DL_FOREACH2(s->watches, watch, session_next)
    {
        if (watch->user == user && watch->group == group)
            return true;
    }
    return false;
}

static void watch_one(struct im_core *core, struct im_session *s, const struct im_name *name)
{
    struct im_user *user = NULL;
    struct im_group *group = NULL;
    if (im_conv_is_group(im_name_key(name))) {
        group = im_group_find(core, im_name_key(name));
        if (im_seat_find(group, s->user) == NULL)
            return;
    } else {
        user = im_user_get(core, name);
    }
    if (watches(s, user, group))
        return;
    struct im_watch *watch = im_zalloc(sizeof *watch);
    watch->session = s;
    watch->user = user;
    watch->group = group;
    if (user)
        DL_APPEND(user->watchers, watch);
    else
        DL_APPEND(group->watchers, watch);
    DL_APPEND2(s->watches, watch, session_prev, session_next);
    s->watch_count++;
}

void im_watch_set(struct im_core *core, struct im_session *s, const struct im_name *names, size_t count)
{
    while (s->watches)
        unwatch(core, s->watches);
    for (size_t i = 0; i < count; i++)
        watch_one(core, s, &names[i]);
}

void im_watch_lost(struct im_core *core, struct im_user *user, struct im_group *group)
{
    struct im_session *s;
    struct im_watch *watch, *next;
    DL_FOREACH2(user->sessions, s, user_next)
    {
        DL_FOREACH_SAFE2(s->watches, watch, next, session_next)
        {
            if (watch->group == group)
                unwatch(core, watch);
        }
    }
}
