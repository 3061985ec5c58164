#include "core/core.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/address.h"
#include "core/backoff.h"
#include "core/private.h"

struct im_core *im_core_new(const struct im_core_options *options)
{
    struct im_core *core = im_zalloc(sizeof *core);
    core->store = options->store;
    core->counters = options->counters;
    core->log = options->log;
    memcpy(core->hash_key, options->hash_key, sizeof core->hash_key);
    core->hasher = options->hasher;
    core->keys = options->keys;
    core->random = options->random;
    core->random_arg = options->random_arg;
    core->unix_user = options->unix_user;
    core->unix_user_arg = options->unix_user_arg;
    core->backoff = im_backoff_new(core->hash_key);
    core->hook_rates = im_rates_new(core->hash_key);
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
    while (old->leaving) { /* nobody is left to be told */
        struct im_user *user = old->leaving;
        DL_DELETE2(old->leaving, user, leave_prev, leave_next);
        user->leaves_ms = 0;
        im_user_release(old, user);
    }
    assert(old->users == NULL && old->groups == NULL && old->dirty == NULL && old->marks == NULL);
    im_backoff_free(&old->backoff);
    im_rates_free(&old->hook_rates);
    im_bans_clear(&old->bans);
    im_appends_clear(old);
    free(old);
}

void im_core_configure(struct im_core *core, const struct im_config *config)
{
    core->config = config;
    core->policy = im_policy_of(config);
    core->env.config = config;
}

void im_core_time(struct im_core *core, int64_t wall_ms, uint64_t mono_ms, int utc_offset_s)
{
    core->wall_ms = wall_ms;
    if (mono_ms > core->mono_ms)
        core->mono_ms = mono_ms;
    core->env.utc_offset_s = utc_offset_s;
    im_receipts_turn(core);
}

void im_core_online(const struct im_core *core, struct im_online *online)
{
    *online = (struct im_online){0};
    for (const struct im_user *user = core->users; user; user = user->hh.next) {
        online->users += user->chat_count > 0;
        online->sessions += user->chat_count;
    }
}

void im_core_sessions(const struct im_core *core, bool (*each)(void *arg, const struct im_session_view *), void *arg)
{
    for (const struct im_session *s = core->sessions; s; s = s->hh.next) {
        struct im_session_view v = im_session_view(core, s);
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

static size_t end_banned(struct im_core *core, const struct im_ban *ban)
{
    size_t n = 0;
    uint8_t ip[16];
    for (struct im_session *s = core->sessions, *next; s; s = next) {
        next = s->hh.next;
        bool hit = ban->kind == IM_BAN_NET ? im_address_peer(s->address, ip) && im_ban_hits(ban, ip)
                                           : s->user && im_str_eq(im_name_key(s->user->name), im_name_key(&ban->user));
        if (!hit || im_session_closing(s))
            continue;
        im_session_end(core, s, IM_BANNED, false);
        n++;
    }
    return n;
}

bool im_core_ban(struct im_core *core, const struct im_ban *ban, size_t *closed)
{
    *closed = 0;
    if (!im_bans_put(&core->bans, ban, core->wall_ms))
        return false;
    if (ban->kind != IM_BAN_MUTE)
        *closed = end_banned(core, ban);
    return true;
}

bool im_core_unban(struct im_core *core, struct im_str key)
{
    return im_bans_drop(&core->bans, key);
}

const struct im_bans *im_core_bans(const struct im_core *core)
{
    return &core->bans;
}

bool im_core_banned(const struct im_core *core, const char *peer)
{
    return im_bans_peer(&core->bans, peer, core->wall_ms) != NULL;
}

static bool is_audience(struct im_core *core, const struct im_core_audience *who, const struct im_session *s)
{
    if (s->user == NULL || s->seat != IM_SEAT_CHAT || im_session_closing(s))
        return false;
    if (who->user.p && !im_str_eq(who->user, im_name_key(s->user->name)))
        return false;
    if (who->transport && strcmp(who->transport, s->transport) != 0)
        return false;
    if (who->group.p && !im_seat_find(im_group_find(core, who->group), s->user))
        return false;
    struct im_session_view view = im_session_view(core, s);
    return !who->match || who->match(who->arg, &view);
}

size_t im_core_broadcast(struct im_core *core, const struct im_core_audience *who, struct im_str text, bool dry)
{
    struct im_event *notice = im_event_notice(IM_OK, text);
    size_t n = 0;
    for (struct im_session *s = core->sessions; s; s = s->hh.next) {
        if (!is_audience(core, who, s))
            continue;
        n++;
        if (!dry)
            im_session_send(s, im_event_hold(notice), false);
    }
    im_event_drop(&notice);
    return n;
}

size_t im_core_skip(struct im_core *core, struct im_str user_key, struct im_str device, uint64_t pos)
{
    struct im_user *user = im_user_find(core, user_key);
    struct im_session *s;
    size_t n = 0;
    if (user == NULL)
        return 0;
    DL_FOREACH2(user->sessions, s, user_next)
    {
        if (device.p && !im_str_eq(device, im_str(s->device ? s->device : "")))
            continue;
        n++;
        im_session_skip(core, s, pos);
    }
    return n;
}

size_t im_core_revoke(struct im_core *core, struct im_str user_key, struct im_str device)
{
    struct im_user *user = im_user_find(core, user_key);
    struct im_session *s, *next;
    size_t n = 0;
    im_auth_overtake(core, user_key, device);
    if (user == NULL)
        return 0;
    DL_FOREACH_SAFE2(user->sessions, s, next, user_next)
    {
        if (device.p && !im_str_eq(device, im_str(s->device ? s->device : "")))
            continue;
        n++;
        im_session_end(core, s, IM_REVOKED, false); /* may be the user's end */
    }
    return n;
}

size_t im_core_revoke_token(struct im_core *core, struct im_str token_key)
{
    size_t n = 0;
    for (struct im_session *s = core->sessions, *next; s; s = next) {
        next = s->hh.next;
        if (s->token_key == NULL || im_session_closing(s) || !im_str_eq(im_str(s->token_key), token_key))
            continue;
        im_session_end(core, s, IM_REVOKED, false);
        n++;
    }
    return n;
}

bool im_core_online_user(const struct im_core *core, struct im_str key)
{
    return im_user_online(im_user_find((struct im_core *)core, key));
}

void im_core_drain(struct im_core *core, uint64_t spread_ms)
{
    core->draining = true;
    core->drain_rate = 0;
    core->drain_spread_ms = spread_ms;
    core->drained = HASH_COUNT(core->sessions);
    im_presence_tick(core, true);
    im_receipts_flush(core);
    for (struct im_session *s = core->sessions; s; s = s->hh.next)
        im_session_end(core, s, IM_DRAIN, true);
}

void im_core_drain_slowly(struct im_core *core, uint64_t per_second)
{
    core->draining = true;
    core->drain_rate = per_second;
    core->drain_mono_ms = core->mono_ms;
    core->drained = 0;
    im_presence_tick(core, true);
}

void im_drain_tick(struct im_core *core)
{
    im_receipts_flush(core);
    uint64_t due = core->drain_rate * (core->mono_ms - core->drain_mono_ms) / 1000;
    for (struct im_session *s = core->sessions; s && core->drained < due; s = s->hh.next) {
        if (s->ending || im_session_closing(s))
            continue;
        im_session_end(core, s, IM_DRAIN, true);
        core->drained++;
    }
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
    bool hears = s->seat != IM_SEAT_SENDER;
    MUST(s->link->session == s);
    MUST(seated == (s->user != NULL) && (seated && hears) == (s->cursor != NULL));
    if (seated)
        MUST(im_user_find((struct im_core *)core, im_name_key(s->user->name)) == s->user);
    if (seated && hears) {
        MUST(s->cursor->pos >= s->cursor->written);
        MUST(s->state != IM_SESSION_LIVE || s->sent_pos >= s->user->head_pos);
    }
    size_t watches = 0;
    for (const struct im_watch *w = s->watches; w; w = w->session_next, watches++)
        MUST(w->session == s && (w->user == NULL) != (w->group == NULL));
    MUST(watches == s->watch_count);
}

static size_t check_user(const struct im_user *user)
{
    size_t sessions = 0, chats = 0, watchers = 0;
    for (const struct im_session *s = user->sessions; s; s = s->user_next, sessions++) {
        MUST(s->user == user);
        chats += s->seat == IM_SEAT_CHAT;
    }
    MUST(sessions == user->session_count && chats == user->chat_count);
    MUST(sessions + user->sender_count > 0 || user->watchers || user->leaves_ms > 0);
    MUST(sessions > 0 || (user->seats == NULL && user->fresh == NULL));
    MUST(user->fresh_count <= user->fresh_room && user->fresh_room <= IM_FRESH_MAX);
    MUST((user->fresh_count > 0) == (user->fresh != NULL));
    MUST(!user->receipts_due || user->fresh_count > 0);
    MUST(!(chats > 0 && user->leaves_ms > 0));
    for (const struct im_watch *w = user->watchers; w; w = w->next, watchers++)
        MUST(w->user == user);
    return watchers;
}

static size_t check_group(const struct im_group *group)
{
    size_t watchers = 0;
    MUST(group->seats || group->watchers);
    for (const struct im_seat *seat = group->seats; seat; seat = seat->next)
        MUST(seat->group == group && im_seat_find(group, seat->user) == seat && im_role_member(seat->role));
    for (const struct im_watch *w = group->watchers; w; w = w->next, watchers++)
        MUST(w->group == group && im_seat_find(group, w->session->user));
    return watchers;
}

void im_core_check(const struct im_core *core)
{
    struct im_online online;
    uint64_t chats = 0, held = 0, watchers = 0;
    for (const struct im_session *s = core->sessions; s; s = s->hh.next) {
        check_session(core, s);
        chats += s->user != NULL && s->seat == IM_SEAT_CHAT;
        held += s->watch_count;
    }
    for (const struct im_user *user = core->users; user; user = user->hh.next)
        watchers += check_user(user);
    for (const struct im_group *group = core->groups; group; group = group->hh.next)
        watchers += check_group(group);
    MUST(held == watchers);
    im_core_online(core, &online);
    MUST(online.sessions == chats && online.users <= online.sessions);
    for (const struct im_cursor *c = core->dirty; c; c = c->next)
        MUST(c->pos > c->written);
    size_t receivers = 0;
    for (const struct im_user *user = core->receivers; user; user = user->receipt_next, receivers++)
        MUST(user->receipts_due);
    MUST(receivers == core->receiver_count);
}
