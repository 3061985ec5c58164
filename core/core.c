#include "core/core.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/private.h"

struct im_core *im_core_new(const struct im_core_options *options)
{
    struct im_core *core = im_zalloc(sizeof *core);
    core->store = options->store;
    core->counters = options->counters;
    core->log = options->log;
    memcpy(core->hash_key, options->hash_key, sizeof core->hash_key);
    im_core_configure(core, options->config);
    return core;
}

void im_core_free(struct im_core **core)
{
    struct im_core *old = *core;
    *core = NULL;
    if (old == NULL)
        return;
    assert(im_core_idle(old));
    assert(old->users == NULL && old->dirty == NULL);
    free(old);
}

void im_core_configure(struct im_core *core, const struct im_config *config)
{
    core->config = config;
    core->env.config = config;
}

void im_core_time(struct im_core *core, int64_t wall_ms, uint64_t mono_ms, int utc_offset_s)
{
    core->wall_ms = wall_ms;
    if (mono_ms > core->mono_ms)
        core->mono_ms = mono_ms;
    core->env.utc_offset_s = utc_offset_s;
}

void im_core_online(const struct im_core *core, struct im_online *online)
{
    *online = (struct im_online){0};
    for (const struct im_user *user = core->users; user; user = user->hh.next) {
        online->users += user->session_count > 0;
        online->sessions += user->session_count;
    }
}

static struct im_session_view view(const struct im_core *core, const struct im_session *s)
{
    return (struct im_session_view){
        .id = s->id,
        .user = s->user ? im_name_text(&s->user->name) : (struct im_str){0},
        .device = im_str(s->device ? s->device : ""),
        .transport = s->transport,
        .state = im_session_state_name(s->state),
        .dialect = s->link->dialect->name,
        .address = im_str(s->address),
        .agent = im_str(s->agent ? s->agent : ""),
        .tls = s->tls,
        .age_ms = core->mono_ms - s->opened_ms,
        .idle_ms = core->mono_ms - s->active_ms,
        .pos = s->sent_pos,
        .cursor = s->cursor ? s->cursor->pos : 0,
        .queued = s->link->ops->queued(s->link),
    };
}

void im_core_sessions(const struct im_core *core, bool (*each)(void *arg, const struct im_session_view *), void *arg)
{
    for (const struct im_session *s = core->sessions; s; s = s->hh.next) {
        struct im_session_view v = view(core, s);
        if (!each(arg, &v))
            return;
    }
}

size_t im_core_kick_session(struct im_core *core, uint64_t id)
{
    struct im_session *s = im_session_find(core, id);
    if (s == NULL || im_session_closing(s))
        return 0;
    im_session_end(core, s, IM_KICKED, false);
    return 1;
}

size_t im_core_kick_user(struct im_core *core, struct im_str id)
{
    struct im_name name;
    size_t n = 0;
    if (im_name_parse(id, &name, NULL) != IM_OK)
        return 0;
    for (struct im_user *user; (user = im_user_find(core, im_name_key(&name))) && user->sessions; n++)
        im_session_end(core, user->sessions, IM_KICKED, false);
    return n;
}

void im_core_drain(struct im_core *core, uint64_t spread_ms)
{
    core->draining = true;
    core->drain_spread_ms = spread_ms;
    for (struct im_session *s = core->sessions; s; s = s->hh.next)
        im_session_end(core, s, IM_DRAIN, true);
}

bool im_core_idle(const struct im_core *core)
{
    return core->sessions == NULL && core->pending_ops == 0;
}

#define MUST(condition)                                                                                                \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            fprintf(stderr, "%s:%d: %s does not hold\n", __FILE__, __LINE__, #condition);                              \
            abort();                                                                                                   \
        }                                                                                                              \
    } while (0)

static void check_session(const struct im_core *core, const struct im_session *s)
{
    bool seated = s->state == IM_SESSION_BEHIND || s->state == IM_SESSION_LIVE;
    MUST(s->link->session == s);
    MUST(seated == (s->user != NULL) && seated == (s->cursor != NULL));
    if (seated) {
        MUST(im_user_find((struct im_core *)core, im_name_key(&s->user->name)) == s->user);
        MUST(s->cursor->pos >= s->cursor->written);
        MUST(s->state != IM_SESSION_LIVE || s->sent_pos >= s->user->head_pos);
    }
    size_t watches = 0;
    for (const struct im_watch *w = s->watches; w; w = w->session_next, watches++)
        MUST(w->session == s);
    MUST(watches == s->watch_count);
}

void im_core_check(const struct im_core *core)
{
    struct im_online online;
    uint64_t seated = 0, held = 0, watchers = 0;
    for (const struct im_session *s = core->sessions; s; s = s->hh.next) {
        check_session(core, s);
        seated += s->user != NULL;
        held += s->watch_count;
    }
    for (const struct im_user *user = core->users; user; user = user->hh.next) {
        size_t n = 0;
        for (const struct im_session *s = user->sessions; s; s = s->user_next, n++)
            MUST(s->user == user);
        MUST(n == user->session_count);
        MUST(n > 0 || user->watchers);
        for (const struct im_watch *w = user->watchers; w; w = w->next, watchers++)
            MUST(w->user == user);
    }
    MUST(held == watchers);
    im_core_online(core, &online);
    MUST(online.sessions == seated && online.users <= online.sessions);
    for (const struct im_cursor *c = core->dirty; c; c = c->next)
        MUST(c->pos > c->written);
}
