#include "core/inspect.h"

#include "core/backoff.h"
#include "core/private.h"

#define KEY_SHOWN 8 /* bytes of a token's key: enough to tell it from others in a list, not to use it */

static struct im_str beginning(struct im_str key)
{
    return (struct im_str){key.p, key.len < KEY_SHOWN ? key.len : KEY_SHOWN};
}

/* Why the session's requests are not read now; NULL: they are. */
static const char *held_for(const struct im_core *core, const struct im_session *s)
{
    if (!s->held)
        return NULL;
    if (s->ending)
        return "ending";
    if (s->state == IM_SESSION_LOGGING_IN)
        return "login";
    if (s->out_of_rate)
        return "rate";
    if (s->link->ops->queued(s->link) > core->config->queue_soft_bytes)
        return "queue";
    return s->reads > 0 ? "read" : "inflight";
}

/* The end of what the session is to get, as far as it is known: one that logs in reads to the log's end. */
static uint64_t head_of(const struct im_session *s)
{
    uint64_t head = s->user ? s->user->head_pos : 0;
    return s->state == IM_SESSION_BEHIND && s->goal_pos > head ? s->goal_pos : head;
}

struct im_session_view im_session_view(const struct im_core *core, const struct im_session *s)
{
    uint64_t cursor = s->cursor ? s->cursor->pos : 0, head = s->cursor ? head_of(s) : 0;
    return (struct im_session_view){
        .id = s->id,
        .user = s->user ? im_name_text(s->user->name) : (struct im_str){0},
        .device = im_str(s->device ? s->device : ""),
        .transport = s->transport,
        .state = im_session_state_name(s->state),
        .dialect = s->link->dialect->name,
        .held = held_for(core, s),
        .address = im_str(s->address),
        .agent = im_str(s->agent ? s->agent : ""),
        .tls = s->tls,
        .throttled = s->out_of_rate,
        .age_ms = core->mono_ms - s->opened_ms,
        .idle_ms = core->mono_ms - s->active_ms,
        .state_ms = core->mono_ms - im_session_since(s),
        .pos = s->sent_pos,
        .cursor = cursor,
        .behind = head > cursor ? head - cursor : 0,
        .queued = s->link->ops->queued(s->link),
        .commands = s->commands,
        .sent = s->sent,
    };
}

static void put_history(const struct im_core *core, const struct im_session *s, struct im_session_detail *d)
{
    unsigned count = s->step_count < IM_STEPS_MAX ? s->step_count : IM_STEPS_MAX;
    for (unsigned i = s->step_count - count; i < s->step_count; i++) {
        const struct im_step *step = &s->steps[i % IM_STEPS_MAX];
        d->history[d->history_count++] = (struct im_state_step){
            .state = im_session_state_name((enum im_session_state)step->state),
            .ago_ms = core->mono_ms - s->opened_ms - step->after_ms,
        };
    }
}

bool im_core_session(const struct im_core *core, uint64_t id, struct im_session_detail *d)
{
    static const char *const seats[] = {
        [IM_SEAT_CHAT] = "chat", [IM_SEAT_QUIET] = "quiet", [IM_SEAT_SENDER] = "sender"};
    struct im_session *s = im_session_find((struct im_core *)core, id);
    if (s == NULL)
        return false;
    struct im_bucket bucket = s->bucket;
    im_bucket_fill(&bucket, core->config, core->mono_ms);
    *d = (struct im_session_detail){
        .view = im_session_view(core, s),
        .tls_version = s->tls_version,
        .tls_cipher = s->tls_cipher,
        .seat = seats[s->seat],
        .by = s->token_key ? beginning(im_str(s->token_key)) : (struct im_str){0},
        .tokens = core->config->rate > 0 ? bucket.milli / 1000 : 0,
        .burst = core->config->rate > 0 ? core->config->burst : 0,
        .flood_ms = s->flood_ms > 0 ? core->mono_ms - s->flood_ms : 0,
        .inflight = s->inflight,
        .reads = s->reads,
        .watches = s->watch_count,
        .head = head_of(s),
        .stored = s->cursor ? s->cursor->written : 0,
    };
    put_history(core, s, d);
    return true;
}

static bool is_in(const struct im_core *core, struct im_str user_key, struct im_str group_key)
{
    const struct im_group *group = im_group_find((struct im_core *)core, group_key);
    return im_seat_find(group, im_user_find((struct im_core *)core, user_key)) != NULL;
}

bool im_core_concerns(const struct im_core *core, struct im_str user_key, const struct im_msg *m)
{
    if (im_str_eq(m->from_key, user_key) || (m->user_key.p && im_str_eq(m->user_key, user_key)))
        return true;
    if (m->kind == IM_CONV_GROUP)
        return is_in(core, user_key, m->to_key);
    return m->kind == IM_CONV_DIRECT && im_str_eq(m->to_key, user_key);
}

uint32_t im_core_group_online(const struct im_core *core, struct im_str group_key)
{
    const struct im_group *group = im_group_find((struct im_core *)core, group_key);
    return group ? im_group_online(group) : 0;
}

struct im_device_here im_core_device(const struct im_core *core, struct im_str user_key, struct im_str device)
{
    const struct im_user *user = im_user_find((struct im_core *)core, user_key);
    struct im_device_here out = {0};
    const struct im_session *s;
    if (user == NULL)
        return out;
    DL_FOREACH2(user->sessions, s, user_next)
    {
        if (!im_str_eq(im_str(s->device ? s->device : ""), device) || (out.here && s->sent_pos <= out.sent))
            continue;
        out = (struct im_device_here){.here = true,
                                      .live = s->state == IM_SESSION_LIVE,
                                      .session = s->id,
                                      .sent = s->sent_pos,
                                      .queued = s->link->ops->queued(s->link)};
    }
    return out;
}

struct waits {
    bool (*each)(void *arg, const struct im_wait_view *);
    void *arg;
};

/* Its key is an 'a' and an address, or a 'u' and a user's key (auth.c). */
static bool failed_login(void *arg, struct im_str who, uint64_t wait_ms, unsigned failures)
{
    const struct waits *w = arg;
    return w->each(w->arg, &(struct im_wait_view){.what = who.p[0] == 'a' ? "address" : "account",
                                                  .who = {who.p + 1, who.len - 1},
                                                  .wait_ms = wait_ms,
                                                  .failures = failures});
}

static bool slowed_hook(void *arg, struct im_str key, uint64_t wait_ms)
{
    const struct waits *w = arg;
    return w->each(w->arg, &(struct im_wait_view){.what = "webhook", .who = beginning(key), .wait_ms = wait_ms});
}

void im_core_draining(const struct im_core *core, struct im_drain_view *view)
{
    *view = (struct im_drain_view){
        .told = core->drained, .left = HASH_COUNT(core->sessions), .per_second = core->drain_rate};
    for (const struct im_session *s = core->sessions; s; s = s->hh.next)
        view->untold += !s->ending && !im_session_closing(s);
}

void im_core_waits(const struct im_core *core, bool (*each)(void *arg, const struct im_wait_view *), void *arg)
{
    struct waits waits = {each, arg};
    im_backoff_each(core->backoff, core->mono_ms, failed_login, &waits);
    im_rates_each(core->hook_rates, core->config, core->mono_ms, slowed_hook, &waits);
}

void im_core_tap(struct im_core *core, void (*tap)(void *arg, const struct im_event *, uint64_t origin), void *arg)
{
    core->tap = tap;
    core->tap_arg = arg;
}
