#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "tests/sim/world.h"

/* What peers do: mostly what makes sense where they are, sometimes what does not. */

static bool one_in(struct world *w, unsigned n)
{
    return sim_pick(w, n) == 0;
}

static void act_login(struct world *w, struct peer *p)
{
    unsigned at = (unsigned)(p - w->peers);
    if (p->seated) {
        sim_say(w, p, "{\"op\":\"login\",\"id\":0,\"user\":\"%s\"}", sim_names[sim_pick(w, USERS)]);
        return;
    }
    p->user = one_in(w, 6) ? sim_pick(w, USERS) : at % USERS;
    if (p->device > 0 && !p->greeted)
        sim_say(w, p, "{\"op\":\"hello\",\"id\":\"h\",\"v\":1,\"device\":\"%s\",\"lang\":\"zh\"}",
                sim_devices[p->device]);
    p->greeted = true;
    sim_flush(w, p);
    const char *name = sim_names[p->user];
    uint64_t cursor = w->model.cursor[p->user][p->device];
    if (one_in(w, 12) && w->model.count > 0 && p->device > 0) /* a foreign epoch: told to start over */
        sim_say(w, p, "{\"op\":\"login\",\"id\":0,\"user\":\"%s\",\"epoch\":\"other\",\"since\":\"%u\"}", name,
                1 + sim_pick(w, (unsigned)w->model.count));
    else if (one_in(w, 12) && cursor > 0) /* to be told again */
        sim_say(w, p, "{\"op\":\"login\",\"id\":0,\"user\":\"%s\",\"epoch\":\"%s\",\"since\":\"%u\"}", name,
                w->store.epoch, sim_pick(w, (unsigned)cursor));
    else
        sim_say(w, p, "{\"op\":\"login\",\"id\":0,\"user\":\"%s\"}", name);
}

static void submit(struct world *w, struct peer *p, const struct said *s)
{
    p->asked[p->asked_count++] = s->asked;
    sim_say(w, p, "{\"op\":\"%s\",\"id\":%u,%s}", s->op, p->asked_count, s->rest);
}

/* Most requests have a cid of their own; some one that was used before. */
static void __attribute__((format(printf, 5, 6)))
request(struct world *w, struct peer *p, struct asked asked, const char *op, const char *format, ...)
{
    unsigned *count = &w->said_count[p->user];
    struct said *s = &w->said[p->user][*count % SAID];
    const struct said *before = &w->said[p->user][sim_pick(w, SAID)];
    bool again = before->op && one_in(w, 25);
    char cid[sizeof asked.cid] = "";
    if (again)
        strcpy(cid, before->asked.cid);
    else if (!one_in(w, 5))
        snprintf(cid, sizeof cid, "c%u", w->cids++);
    *s = (struct said){.asked = asked, .op = op};
    strcpy(s->asked.cid, cid);
    va_list args;
    va_start(args, format);
    int n = vsnprintf(s->rest, sizeof s->rest, format, args);
    va_end(args);
    if (*cid)
        snprintf(s->rest + n, sizeof s->rest - (size_t)n, ",\"cid\":\"%s\"", cid);
    submit(w, p, s);
    if (*cid)
        ++*count;
    else
        s->op = NULL;
}

static void act_repeat(struct world *w, struct peer *p)
{
    const struct said *s = &w->said[p->user][sim_pick(w, SAID)];
    if (s->op)
        submit(w, p, s);
}

/* Where to: groups that one is in, mostly. */
static unsigned pick_place(struct world *w, unsigned user)
{
    unsigned to = sim_pick(w, PLACES);
    for (unsigned i = 0; i < 4 && !model_member(&w->model, to, user) && !one_in(w, 4); i++)
        to = sim_pick(w, PLACES);
    return to;
}

/* A message that is there for this user; by who wrote it, mostly; of the newest, mostly. NULL: none was found. */
static const struct entry *pick_message(struct world *w, unsigned user)
{
    const struct model *m = &w->model;
    const struct entry *found = NULL;
    for (unsigned i = 0; i < 8 && m->count > 0; i++) {
        unsigned span = one_in(w, 3) || m->count < 30 ? (unsigned)m->count : 30;
        const struct entry *e = &m->log[m->count - 1 - sim_pick(w, span)];
        bool there = e->type == IM_EV_MSG && (e->may >> user & 1);
        if (there && (e->from == user || (found == NULL && one_in(w, 2))))
            found = e;
    }
    return found;
}

static void act_send(struct world *w, struct peer *p)
{
    const struct entry *e = one_in(w, 6) ? pick_message(w, p->user) : NULL;
    struct asked a = {
        .type = IM_EV_MSG, .to = e ? model_peer(e, p->user) : pick_place(w, p->user), .ref = e ? e->seq : 0};
    a.kind = a.to >= USERS ? IM_CONV_GROUP : IM_CONV_DIRECT;
    char reply[40] = "";
    if (e)
        snprintf(reply, sizeof reply, ",\"reply\":%" PRIu64, e->seq);
    snprintf(a.body, sizeof a.body, "m%u", w->cids++);
    request(w, p, a, "send", "\"to\":\"%s\",\"text\":\"%s\"%s", sim_names[a.to], a.body, reply);
}

/* Does something to a message that is there, or not. */
static void act_change(struct world *w, struct peer *p)
{
    const struct model *m = &w->model;
    const struct entry *e = one_in(w, 12) ? NULL : pick_message(w, p->user);
    if (e == NULL && m->count > 0)
        e = &m->log[sim_pick(w, (unsigned)m->count)];
    if (e == NULL)
        return;
    struct asked a = {.to = model_peer(e, p->user), .ref = e->seq};
    const char *conv = sim_names[a.to];
    a.kind = a.to >= USERS ? IM_CONV_GROUP : IM_CONV_DIRECT;
    bool all = !one_in(w, 3), on = !one_in(w, 3);
    switch (sim_pick(w, 8)) {
    case 0:
    case 1:
    case 2:
        a.type = IM_EV_EDIT;
        snprintf(a.body, sizeof a.body, "e%u", w->cids++);
        request(w, p, a, "edit", "\"conv\":\"%s\",\"seq\":%" PRIu64 ",\"text\":\"%s\"", conv, a.ref, a.body);
        break;
    case 3:
        a.type = IM_EV_DELETE;
        a.kind = all ? a.kind : IM_CONV_SELF;
        request(w, p, a, "delete", "\"conv\":\"%s\",\"seq\":%" PRIu64 ",\"for\":\"%s\"", conv, a.ref,
                all ? "all" : "me");
        break;
    default:
        a.type = IM_EV_REACT;
        strcpy(a.body, one_in(w, 2) ? "👍" : "❤");
        request(w, p, a, "react", "\"conv\":\"%s\",\"seq\":%" PRIu64 ",\"emoji\":\"%s\",\"on\":%s", conv, a.ref, a.body,
                on ? "true" : "false");
    }
}

/* What somebody of this role would do in a group. */
static enum im_change likely_change(struct world *w, enum im_role role)
{
    static const enum im_change rulers[] = {IM_CHANGE_ROLE,  IM_CHANGE_ROLE,   IM_CHANGE_ROLE,  IM_CHANGE_ROLE,
                                            IM_CHANGE_ROLE,  IM_CHANGE_ROLE,   IM_CHANGE_KICK,  IM_CHANGE_KICK,
                                            IM_CHANGE_BAN,   IM_CHANGE_UNBAN,  IM_CHANGE_SET,   IM_CHANGE_SET,
                                            IM_CHANGE_TOPIC, IM_CHANGE_INVITE, IM_CHANGE_INVITE};
    static const enum im_change guests[] = {IM_CHANGE_LEAVE, IM_CHANGE_INVITE, IM_CHANGE_INVITE};
    if (one_in(w, 60))
        return IM_CHANGE_DESTROY;
    if (one_in(w, 10))
        return (enum im_change)sim_pick(w, IM_CHANGE_DESTROY);
    if (!im_role_member(role))
        return one_in(w, 8) ? IM_CHANGE_LEAVE : IM_CHANGE_JOIN;
    return role >= IM_ROLE_ADMIN ? rulers[sim_pick(w, sizeof rulers / sizeof *rulers)] : guests[sim_pick(w, 3)];
}

/* Whom a change would concern: members, outsiders, or the banned. */
static unsigned pick_target(struct world *w, enum im_change change, unsigned group, unsigned self)
{
    unsigned user = sim_pick(w, USERS);
    for (unsigned i = 0; i < 4; i++, user = sim_pick(w, USERS)) {
        enum im_role role = w->model.roles[group][user];
        bool fits = change == IM_CHANGE_UNBAN    ? role == IM_ROLE_BANNED
                    : change == IM_CHANGE_INVITE ? role < IM_ROLE_INVITED
                    : change == IM_CHANGE_KICK   ? role > IM_ROLE_BANNED
                    : change == IM_CHANGE_BAN    ? role != IM_ROLE_BANNED
                                                 : im_role_member(role);
        if (fits && user != self)
            break;
    }
    return user;
}

/* One of the settings, or both. */
static void name_settings(struct world *w, struct asked *a, char *out, size_t cap)
{
    bool open = !one_in(w, 4), past = one_in(w, 2);
    a->named = a->change == IM_CHANGE_CREATE ? IM_GROUP_PUBLIC | IM_GROUP_PAST : 1 + sim_pick(w, 3);
    a->settings = a->named & ((open ? IM_GROUP_PUBLIC : 0) | (past ? IM_GROUP_PAST : 0));
    snprintf(out, cap, "%s%s", a->named & IM_GROUP_PUBLIC ? open ? ",\"public\":true" : ",\"public\":false" : "",
             a->named & IM_GROUP_PAST ? past ? ",\"history\":\"all\"" : ",\"history\":\"joined\"" : "");
}

static void act_group(struct world *w, struct peer *p)
{
    unsigned group = sim_pick(w, GROUPS);
    enum im_role own = w->model.roles[group][p->user];
    struct asked a = {.type = IM_EV_MEMBER, .kind = IM_CONV_GROUP, .to = USERS + group, .user = USERS};
    a.change = likely_change(w, own);
    if (!w->model.group_exists[group] && !one_in(w, 8))
        a.change = IM_CHANGE_CREATE;
    char more[120] = "";
    if (im_change_info(a.change)->needs_user) {
        a.user = pick_target(w, a.change, group, p->user);
        if (w->model.roles[group][a.user] == IM_ROLE_BANNED && one_in(w, 2))
            a.change = IM_CHANGE_UNBAN;
        else if (a.change == IM_CHANGE_UNBAN && !one_in(w, 4))
            a.change = IM_CHANGE_ROLE;
        a.role = IM_ROLE_MUTED + sim_pick(w, IM_ROLE_COUNT - IM_ROLE_MUTED);
        snprintf(more, sizeof more, ",\"user\":\"%s\",\"role\":\"%s\"", sim_names[a.user], im_role_info(a.role)->name);
    }
    if (a.change == IM_CHANGE_TOPIC) {
        snprintf(a.body, sizeof a.body, "t%u", w->cids++);
        snprintf(more, sizeof more, ",\"text\":\"%s\"", a.body);
    }
    if (a.change == IM_CHANGE_CREATE || a.change == IM_CHANGE_SET)
        name_settings(w, &a, more, sizeof more);
    request(w, p, a, "group", "\"do\":\"%s\",\"conv\":\"%s\"%s", im_change_info(a.change)->name, sim_names[a.to], more);
}

/* A device acknowledges what it has read. */
static void act_ack(struct world *w, struct peer *p)
{
    sim_flush(w, p);
    if (p->last > 0 && p->link.session && !p->closing && !p->hold)
        sim_say(w, p, "{\"op\":\"ack\",\"pos\":\"%" PRIu64 "\"}", p->last);
}

static void act_read(struct world *w, struct peer *p)
{
    const struct entry *e = pick_message(w, p->user);
    if (e)
        sim_say(w, p, "{\"op\":\"read\",\"conv\":\"%s\",\"seq\":%" PRIu64 "}", sim_names[model_peer(e, p->user)],
                e->seq + one_in(w, 4));
}

static void act_block(struct world *w, struct peer *p)
{
    sim_say(w, p, "{\"op\":\"block\",\"id\":\"x\",\"user\":\"%s\",\"on\":%s}", sim_names[sim_pick(w, USERS)],
            one_in(w, 3) ? "true" : "false");
}

static void act_ask(struct world *w, struct peer *p)
{
    static const char *const asks[] = {
        "{\"op\":\"history\",\"id\":\"x\",\"conv\":\"bob\",\"limit\":3}",
        "{\"op\":\"history\",\"id\":\"x\",\"conv\":\"小明\",\"around\":2}",
        "{\"op\":\"history\",\"id\":\"x\",\"conv\":\"#tea\",\"limit\":5}",
        "{\"op\":\"search\",\"id\":\"x\",\"text\":\"m1\",\"context\":1}",
        "{\"op\":\"conversations\",\"id\":\"x\"}",
        "{\"op\":\"presence\",\"id\":\"x\",\"users\":[\"ann\",\"BOB\",\"bob\",\"#tea\",\"#红\"]}",
        "{\"op\":\"presence\",\"users\":[]}",
        "{\"op\":\"presence\",\"id\":\"x\",\"state\":\"away\",\"text\":\"饭\"}",
        "{\"op\":\"read\",\"conv\":\"ann\",\"seq\":3}",
        "{\"op\":\"read\",\"id\":\"x\",\"conv\":\"#tea\",\"seq\":99}",
        "{\"op\":\"typing\",\"conv\":\"#tea\"}",
        "{\"op\":\"typing\",\"conv\":\"翠花\"}",
        "{\"op\":\"block\",\"id\":\"x\"}",
        "{\"op\":\"profile\",\"id\":\"x\",\"name\":\"A\"}",
        "{\"op\":\"profile\",\"id\":\"x\",\"user\":\"bob\"}",
        "{\"op\":\"devices\",\"id\":\"x\"}",
        "{\"op\":\"group\",\"id\":\"x\",\"do\":\"members\",\"conv\":\"#tea\"}",
        "{\"op\":\"group\",\"id\":\"x\",\"do\":\"info\",\"conv\":\"#tea\"}",
        "{\"op\":\"group\",\"id\":\"x\",\"do\":\"list\"}",
        "{\"op\":\"ping\",\"id\":\"x\"}",
        "{\"op\":\"send\",\"id\":\"x\",\"to\":\"#nowhere\",\"text\":\"t\"}",
        "{\"op\":\"send\",\"id\":\"x\",\"to\":\"b b\",\"text\":\"t\"}",
        "{\"op\":\"fly\",\"id\":\"x\"}",
        "{\"op\":",
        "nonsense",
        "",
        "{\"op\":\"ack\",\"pos\":\"999999\"}",
    };
    sim_say(w, p, "%s", asks[sim_pick(w, sizeof asks / sizeof *asks)]);
}

/* Few go, so that those who stay have somebody to talk to. */
static void act_end(struct world *w, struct peer *p)
{
    switch (sim_pick(w, 5)) {
    case 0:
        sim_close(w, p);
        break;
    case 1:
        sim_say(w, p, "{\"op\":\"bye\",\"id\":\"x\"}");
        break;
    case 2:
        p->ended = true;
        im_core_input_end(w->core, &p->link);
        break;
    case 3:
        im_core_kick_user(w->core, im_str(sim_names[sim_pick(w, USERS)]));
        break;
    default:
        act_login(w, p);
    }
}

static void act_seated(struct world *w, struct peer *p)
{
    static const struct {
        unsigned share;
        void (*act)(struct world *, struct peer *);
    } acts[] = {{32, act_send}, {20, act_change}, {24, act_group}, {4, act_repeat}, {8, act_ack},
                {3, act_read},  {2, act_block},   {5, act_ask},    {2, act_end}};
    unsigned what = sim_pick(w, 100);
    for (size_t i = 0; i < sizeof acts / sizeof *acts; what -= acts[i++].share)
        if (what < acts[i].share) {
            acts[i].act(w, p);
            return;
        }
}

/* Is there something that this one could do now? */
static bool awake(const struct peer *p)
{
    return !p->open || p->closing || p->queued > 0 || !(p->hold || p->ended);
}

void people_act(struct world *w)
{
    struct peer *p = &w->peers[sim_pick(w, LINKS)];
    for (unsigned i = 0; i < LINKS && !awake(p); i++)
        p = &w->peers[sim_pick(w, LINKS)];
    if (!p->open)
        sim_open(w, p);
    else if (p->closing)
        sim_close(w, p);
    else if (p->hold || p->ended)
        one_in(w, 40) ? sim_close(w, p) : p->slow && !one_in(w, 4) ? (void)0 : sim_flush(w, p);
    else if (p->queued > 0 && one_in(w, p->slow ? 12 : 3))
        sim_flush(w, p);
    else if (p->seated)
        act_seated(w, p);
    else if (one_in(w, 12))
        act_ask(w, p);
    else
        act_login(w, p);
}
