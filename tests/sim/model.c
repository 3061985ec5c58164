#include "tests/sim/model.h"

#include <string.h>

const char *const sim_names[PLACES] = {"ann", "Bob", "小明", "翠花", "#tea", "#红"};
const char *const sim_keys[PLACES] = {"ann", "bob", "小明", "翠花", "#tea", "#红"};
const char *const sim_devices[DEVICES + 1] = {"", "phone", "laptop"};

unsigned model_place(struct im_str key)
{
    unsigned i = 0;
    while (i < PLACES && !im_str_eq(key, im_str(sim_keys[i])))
        i++;
    return i;
}

unsigned model_device(struct im_str name)
{
    unsigned i = 0;
    while (i <= DEVICES && !im_str_eq(name, im_str(sim_devices[i])))
        i++;
    return i;
}

static unsigned members(const struct model *m, unsigned group)
{
    unsigned mask = 0;
    for (unsigned i = 0; i < USERS; i++)
        if (im_role_member(m->roles[group][i]))
            mask |= 1u << i;
    return mask;
}

static unsigned heads(unsigned mask)
{
    return (unsigned)__builtin_popcount(mask);
}

static unsigned owners(const struct model *m, unsigned group)
{
    unsigned n = 0;
    for (unsigned i = 0; i < USERS; i++)
        n += m->roles[group][i] == IM_ROLE_OWNER;
    return n;
}

static unsigned groups_of(const struct model *m, unsigned user)
{
    unsigned n = 0;
    for (unsigned i = 0; i < GROUPS; i++)
        n += im_role_member(m->roles[i][user]);
    return n;
}

/* The conversation that users know by this name now. */
static unsigned conv_of(const struct model *m, unsigned from, unsigned to)
{
    if (to >= USERS)
        return 100 + (to - USERS) + GROUPS * m->incarnation[to - USERS];
    return from < to ? from * USERS + to : to * USERS + from;
}

static const struct entry *find(const struct model *m, unsigned conv, uint64_t seq)
{
    for (size_t i = 0; i < m->count; i++)
        if (m->log[i].conv == conv && m->log[i].seq == seq)
            return &m->log[i];
    return NULL;
}

/* Somebody, or what somebody does, in a group. */
struct deed {
    const struct im_msg *msg;
    unsigned from, group, user; /* user: whom it concerns */
    enum im_role actor, target; /* as they were */
};

static struct deed deed_of(const struct model *m, const struct im_msg *msg, unsigned from, unsigned group)
{
    struct deed d = {.msg = msg, .from = from, .group = group, .user = from, .actor = m->roles[group][from]};
    if (msg->user_key.p)
        d.user = model_place(msg->user_key);
    d.target = d.user < USERS ? m->roles[group][d.user] : IM_ROLE_NONE;
    return d;
}

/* What the change makes of whom it concerns. */
static enum im_role role_after(const struct model *m, const struct deed *d)
{
    switch (d->msg->change) {
    case IM_CHANGE_CREATE:
        return IM_ROLE_OWNER;
    case IM_CHANGE_JOIN:
        return d->target == IM_ROLE_SILENCED ? IM_ROLE_MUTED : IM_ROLE_MEMBER;
    case IM_CHANGE_INVITE:
        return IM_ROLE_INVITED;
    case IM_CHANGE_BAN:
        return IM_ROLE_BANNED;
    case IM_CHANGE_ROLE:
        return m->wanted.role;
    case IM_CHANGE_LEAVE:
    case IM_CHANGE_KICK:
        return d->target == IM_ROLE_MUTED ? IM_ROLE_SILENCED : IM_ROLE_NONE;
    case IM_CHANGE_TOPIC:
    case IM_CHANGE_SET:
        return d->target;
    default:
        return IM_ROLE_NONE;
    }
}

static unsigned settings_after(const struct model *m, const struct deed *d)
{
    if (d->msg->change == IM_CHANGE_CREATE)
        return m->wanted.settings;
    return (m->wanted.settings & ~m->wanted.keeps) | (m->settings[d->group] & m->wanted.keeps);
}

static bool changes_nothing(const struct model *m, const struct deed *d)
{
    switch (d->msg->change) {
    case IM_CHANGE_JOIN:
        return im_role_member(d->target);
    case IM_CHANGE_INVITE:
        return d->target >= IM_ROLE_INVITED;
    case IM_CHANGE_KICK:
        return d->target == IM_ROLE_NONE || d->target == IM_ROLE_BANNED;
    case IM_CHANGE_BAN:
        return d->target == IM_ROLE_BANNED;
    case IM_CHANGE_UNBAN:
        return d->target != IM_ROLE_BANNED;
    case IM_CHANGE_ROLE:
        return d->target == m->wanted.role;
    case IM_CHANGE_SET:
        return settings_after(m, d) == m->settings[d->group];
    default:
        return false;
    }
}

static bool allowed(const struct model *m, const struct deed *d)
{
    enum im_action action = im_change_info(d->msg->change)->action;
    if (d->msg->change == IM_CHANGE_JOIN && !(m->settings[d->group] & IM_GROUP_PUBLIC))
        action = IM_MAY_JOIN_PRIVATE;
    bool done_to = d->msg->user_key.p && d->msg->change != IM_CHANGE_INVITE; /* which members need not be */
    if (im_may(d->actor, action, done_to ? d->target : IM_ROLE_NONE) != IM_OK)
        return false;
    if (d->msg->change == IM_CHANGE_ROLE)
        return im_role_member(d->target) && im_role_member(m->wanted.role) &&
               (m->wanted.role < d->actor || d->actor == IM_ROLE_OWNER);
    if (d->msg->change == IM_CHANGE_INVITE)
        return d->target != IM_ROLE_BANNED && (d->target != IM_ROLE_SILENCED || d->actor >= IM_ROLE_ADMIN);
    return true;
}

static bool full(const struct model *m, const struct deed *d, const struct im_policy *policy)
{
    bool joins = d->msg->change == IM_CHANGE_JOIN, comes = joins || d->msg->change == IM_CHANGE_CREATE;
    return (comes && policy->groups_per_user > 0 && groups_of(m, d->from) >= policy->groups_per_user) ||
           (joins && policy->group_members > 0 && heads(members(m, d->group)) >= policy->group_members);
}

static const char *destroy(struct model *m, unsigned group)
{
    m->group_exists[group] = false;
    for (unsigned i = 0; i < USERS; i++)
        m->roles[group][i] = IM_ROLE_NONE;
    return NULL;
}

static void open_past(struct model *m, unsigned conv, unsigned user)
{
    for (size_t i = 0; i < m->count; i++)
        if (m->log[i].conv == conv)
            m->log[i].may |= 1u << user;
}

static const char *judge_change(const struct model *m, const struct deed *d, const struct im_policy *policy)
{
    enum im_change change = d->msg->change;
    if (change == IM_CHANGE_CREATE && m->group_exists[d->group])
        return "a group was made twice";
    if (change != IM_CHANGE_CREATE && !m->group_exists[d->group])
        return "a change of a group that is not there";
    if (change != IM_CHANGE_CREATE && !allowed(m, d))
        return "a change that was not allowed";
    if (changes_nothing(m, d))
        return "a change that changes nothing";
    if (full(m, d, policy))
        return "too many groups, or members";
    if (d->msg->role != role_after(m, d))
        return "a change makes somebody something else";
    if ((change == IM_CHANGE_CREATE || change == IM_CHANGE_SET) && d->msg->settings != settings_after(m, d))
        return "other settings than were asked for";
    if (d->msg->hidden != (change == IM_CHANGE_INVITE && m->blocked[d->user][d->from]))
        return "an invitation hidden, or not, against the block";
    return NULL;
}

static const char *change(struct model *m, const struct im_store_append *a, struct entry *e)
{
    const struct im_msg *msg = &a->event->msg;
    unsigned group = e->to - USERS, before = members(m, group);
    struct deed d = deed_of(m, msg, e->from, group);
    if (d.user >= USERS)
        return "a change concerns a stranger";
    const char *wrong = judge_change(m, &d, &a->policy);
    if (wrong)
        return wrong;
    if (msg->change == IM_CHANGE_CREATE) {
        m->group_exists[group] = true;
        m->incarnation[group]++;
    }
    e->before = m->settings[group];
    if (msg->change == IM_CHANGE_CREATE || msg->change == IM_CHANGE_SET)
        m->settings[group] = msg->settings;
    e->settings = m->settings[group];
    e->change = msg->change;
    e->role = m->roles[group][d.user] = msg->role;
    e->user = msg->user_key.p ? d.user : USERS;
    e->must = before | members(m, group);
    if (msg->change == IM_CHANGE_INVITE && !msg->hidden)
        e->must |= 1u << d.user;
    e->conv = conv_of(m, e->from, e->to);
    if (msg->change == IM_CHANGE_JOIN && m->settings[group] & IM_GROUP_PAST)
        open_past(m, e->conv, d.user);
    if (msg->change == IM_CHANGE_DESTROY || members(m, group) == 0)
        return destroy(m, group);
    return owners(m, group) > 0 ? NULL : "a group without an owner";
}

static const char *judge_direct(const struct model *m, const struct im_event *event, struct entry *e)
{
    const struct im_msg *msg = &event->msg;
    e->conv = conv_of(m, e->from, e->to);
    /* what is about a message that somebody does not see is not for their eyes either */
    const struct entry *ref = event->type != IM_EV_MSG ? find(m, e->conv, msg->ref) : NULL;
    bool blocked = m->blocked[e->to][e->from] && event->type != IM_EV_DELETE;
    if (msg->hidden != (blocked || (ref && ref->hidden)))
        return "hidden, or not, against the block";
    e->hidden = msg->hidden;
    e->must = 1u << e->from | (msg->hidden ? 0 : 1u << e->to);
    return NULL;
}

static const char *judge_group(const struct model *m, const struct im_event *event, struct entry *e)
{
    enum im_action least = event->type == IM_EV_DELETE ? IM_MAY_DELETE_OWN : IM_MAY_SEND;
    unsigned group = e->to - USERS;
    if (!m->group_exists[group] || im_may(m->roles[group][e->from], least, IM_ROLE_NONE) != IM_OK)
        return "written in a group by somebody who may not";
    e->must = members(m, group);
    e->conv = conv_of(m, e->from, e->to);
    return NULL;
}

static bool late(const struct im_msg *msg, const struct entry *ref, uint64_t window_ms)
{
    return window_ms > 0 && msg->ts_ms > ref->ts_ms && (uint64_t)(msg->ts_ms - ref->ts_ms) > window_ms;
}

static bool deletes_any(const struct model *m, const struct entry *e)
{
    return e->to >= USERS && im_may(m->roles[e->to - USERS][e->from], IM_MAY_DELETE_ANY, IM_ROLE_NONE) == IM_OK;
}

/* What is about a message: is it there, and may it be done to it? */
static const char *judge_ref(const struct model *m, const struct im_store_append *a, const struct entry *e)
{
    const struct im_msg *msg = &a->event->msg;
    if (e->type == IM_EV_MEMBER || (e->type == IM_EV_MSG && msg->ref == 0))
        return NULL;
    const struct entry *ref = find(m, conv_of(m, e->from, e->to), msg->ref);
    if (ref == NULL || ref->type != IM_EV_MSG || !(ref->may >> e->from & 1))
        return "about a message that is not there";
    if (ref->erased && (e->type == IM_EV_EDIT || e->type == IM_EV_REACT))
        return "about a message that was deleted";
    if (e->type == IM_EV_EDIT && (ref->from != e->from || late(msg, ref, a->policy.edit_ms)))
        return "an edit of others, or too late";
    if (e->type == IM_EV_DELETE && msg->kind != IM_CONV_SELF && !deletes_any(m, e) &&
        (ref->from != e->from || late(msg, ref, a->policy.delete_ms)))
        return "a deletion of others, or too late";
    return NULL;
}

static const char *judge(struct model *m, const struct im_store_append *a, struct entry *e)
{
    const char *wrong = judge_ref(m, a, e);
    if (wrong)
        return wrong;
    if (e->kind == IM_CONV_SELF) {
        e->must = 1u << e->from;
        e->conv = 50 + e->from;
        return NULL;
    }
    if ((e->kind == IM_CONV_GROUP) != (e->to >= USERS))
        return "a user's name for a group, or the other way round";
    if (e->kind == IM_CONV_DIRECT)
        return judge_direct(m, a->event, e);
    return e->type == IM_EV_MEMBER ? change(m, a, e) : judge_group(m, a->event, e);
}

/* A message, and what it was edited to. */
static void erase(struct model *m, const struct entry *e)
{
    for (size_t i = 0; i < m->count; i++) {
        struct entry *other = &m->log[i];
        if (other->conv == e->conv && (other->seq == e->ref || (other->type == IM_EV_EDIT && other->ref == e->ref)))
            other->erased = true;
    }
}

static void copy(char *to, size_t cap, struct im_str s)
{
    size_t n = s.len < cap ? s.len : cap - 1;
    memcpy(to, s.p ? s.p : "", n);
    to[n] = '\0';
}

static const char *commit(struct model *m, const struct im_store_append *a, unsigned from, unsigned to)
{
    const struct im_msg *msg = &a->event->msg;
    if (msg->pos != m->count + 1 || m->count == LOG_MAX)
        return "a pos that is not the next";
    struct entry *e = &m->log[m->count];
    *e = (struct entry){.type = a->event->type, .kind = msg->kind, .from = from, .to = to};
    copy(e->cid, sizeof e->cid, msg->cid);
    copy(e->body, sizeof e->body, msg->body);
    const char *wrong = judge(m, a, e);
    if (wrong)
        return wrong;
    e->may |= e->must;
    e->seq = msg->seq;
    e->ref = msg->ref;
    e->ts_ms = msg->ts_ms;
    if (e->type == IM_EV_DELETE && e->kind != IM_CONV_SELF)
        erase(m, e);
    if (e->seq != ++m->last_seq[e->conv])
        return "a seq that is not the next of its conversation";
    if (e->type == IM_EV_MSG ||
        (e->type == IM_EV_MEMBER && (msg->change == IM_CHANGE_CREATE || msg->change == IM_CHANGE_JOIN)))
        m->read[from][e->conv] = e->seq;
    for (size_t i = 0; e->cid[0] && i < m->count; i++)
        if (m->log[i].from == e->from && !m->log[i].erasable && strcmp(m->log[i].cid, e->cid) == 0)
            return "a cid is in the log twice";
    m->count++;
    return NULL;
}

static const char *repeated(const struct model *m, const struct im_msg *msg, const struct im_msg *earlier,
                            unsigned from)
{
    if (earlier->pos == 0 || earlier->pos > m->count)
        return "a repeat of what is not in the log";
    const struct entry *e = &m->log[earlier->pos - 1];
    return e->from == from && im_str_eq(msg->cid, im_str(e->cid)) ? NULL : "a repeat of another cid";
}

static const char *nothing(const struct model *m, const struct im_event *event, unsigned from, unsigned to)
{
    if (event->type == IM_EV_MSG)
        return "a message changed nothing";
    if (event->type != IM_EV_MEMBER || event->msg.change == IM_CHANGE_TOPIC)
        return NULL;
    struct deed d = deed_of(m, &event->msg, from, to - USERS);
    return changes_nothing(m, &d) && allowed(m, &d) ? NULL : "a change was taken for none";
}

static const char *refused_ref(const struct model *m, const struct im_store_append *a, unsigned from, unsigned to)
{
    const struct im_msg *msg = &a->event->msg;
    if (to >= PLACES || (to >= USERS && !m->group_exists[to - USERS]))
        return NULL;
    const struct entry *ref = find(m, conv_of(m, from, to), msg->ref);
    if (ref == NULL || ref->type != IM_EV_MSG || !model_must(ref, from))
        return NULL;
    bool gone = ref->erased && (a->event->type == IM_EV_EDIT || a->event->type == IM_EV_REACT);
    if (a->op.status == IM_NO_SUCH_MESSAGE && !gone)
        return "a message that is there was not found";
    uint64_t window = a->event->type == IM_EV_EDIT ? a->policy.edit_ms : a->policy.delete_ms;
    return a->op.status == IM_TOO_LATE && !late(msg, ref, window) ? "too late before its time" : NULL;
}

/* Is there the ground for the refusal that it names? */
static const char *refused(const struct model *m, const struct im_store_append *a, unsigned from, unsigned to)
{
    if (a->op.status == IM_NO_SUCH_MESSAGE || a->op.status == IM_TOO_LATE)
        return refused_ref(m, a, from, to);
    if (from >= USERS || to < USERS || to >= PLACES)
        return NULL;
    unsigned group = to - USERS;
    struct deed d = deed_of(m, &a->event->msg, from, group);
    bool exists = m->group_exists[group], true_ground = true;
    bool known = m->settings[group] & IM_GROUP_PUBLIC || d.actor >= IM_ROLE_INVITED;
    if (a->op.status == IM_NO_SUCH_GROUP)
        true_ground = !exists || !known;
    else if (a->op.status == IM_GROUP_EXISTS)
        true_ground = exists;
    else if (a->op.status == IM_NOT_MEMBER)
        true_ground = exists && known && (!im_role_member(d.actor) || !im_role_member(d.target));
    else if (a->op.status == IM_MUTED)
        true_ground = d.actor == IM_ROLE_MUTED;
    else if (a->op.status == IM_BANNED)
        true_ground = d.actor == IM_ROLE_BANNED;
    else if (a->op.status == IM_FORBIDDEN && a->event->type == IM_EV_MEMBER)
        true_ground = !allowed(m, &d);
    else if (a->op.status == IM_FORBIDDEN)
        true_ground = a->event->type == IM_EV_EDIT || a->event->type == IM_EV_DELETE;
    else if (a->op.status == IM_LAST_OWNER)
        true_ground = d.actor == IM_ROLE_OWNER && owners(m, group) == 1 && heads(members(m, group)) > 1;
    else if (a->op.status == IM_GROUP_FULL || (a->op.status == IM_TOO_MANY && a->event->type == IM_EV_MEMBER))
        true_ground = full(m, &d, &a->policy);
    return true_ground ? NULL : "refused for a reason that is none";
}

static const char *appended(struct model *m, const struct im_store_append *a)
{
    const struct im_msg *msg = &a->event->msg;
    unsigned from = model_place(msg->from_key), to = model_place(msg->to_key);
    if (a->op.status != IM_OK)
        return refused(m, a, from, to);
    if (from >= USERS || to >= PLACES)
        return "an event names a stranger";
    if (a->earlier)
        return repeated(m, msg, &a->earlier->msg, from);
    return msg->pos > 0 ? commit(m, a, from, to) : nothing(m, a->event, from, to);
}

static const char *blocked(struct model *m, const struct im_store_block *b)
{
    unsigned by = model_place(b->key), whom = model_place(b->other);
    if (by >= USERS || whom >= USERS)
        return "a block names a stranger";
    m->blocked[by][whom] = b->on;
    return NULL;
}

static const char *compare_seat(const struct model *m, unsigned user, const struct im_seat_row *seat)
{
    unsigned to = model_place(seat->key);
    if (!model_member(m, to, user) || seat->role != m->roles[to - USERS][user] ||
        seat->members != heads(members(m, to - USERS)))
        return "a seat that is not, or is another";
    return NULL;
}

static const char *logged_in(struct model *m, const struct im_store_login *l)
{
    unsigned user = model_place(l->key), device = model_device(l->device), blocks = 0;
    uint64_t furthest = 0;
    if (user >= USERS || device > DEVICES)
        return "a login of a stranger";
    for (unsigned i = 0; i <= DEVICES; i++)
        furthest = m->cursor[user][i] > furthest ? m->cursor[user][i] : furthest;
    if (!m->known[user][device])
        m->cursor[user][device] = furthest;
    m->known[user][device] = true;
    if (l->cursor != m->cursor[user][device] || l->furthest != furthest || l->head != m->count)
        return "a login with another cursor, or head";
    for (unsigned i = 0; i < USERS; i++)
        blocks += m->blocked[user][i];
    if (l->blocked_count != blocks || l->seat_count != groups_of(m, user))
        return "a login with other blocks, or seats";
    const char *wrong = NULL;
    for (size_t i = 0; i < l->seat_count && !wrong; i++)
        wrong = compare_seat(m, user, &l->seats[i]);
    return wrong;
}

static const char *moved(struct model *m, const struct im_store_cursors *c)
{
    for (size_t i = 0; i < c->count; i++) {
        unsigned user = model_place(c->rows[i].key), device = model_device(c->rows[i].device);
        if (user >= USERS || device > DEVICES || !m->known[user][device] || c->rows[i].pos > m->count)
            return "a cursor of nobody, or beyond the log";
        if (c->rows[i].pos > m->cursor[user][device])
            m->cursor[user][device] = c->rows[i].pos;
    }
    return NULL;
}

static const char *marked(struct model *m, const struct im_store_marks *s)
{
    for (size_t i = 0; i < s->count; i++) {
        const struct im_store_mark *mark = &s->rows[i];
        unsigned user = model_place(mark->key), to = model_place(mark->peer);
        bool there = user < USERS && to < PLACES && (to < USERS || model_member(m, to, user));
        uint64_t *read = there ? &m->read[user][conv_of(m, user, to)] : NULL;
        if (read == NULL && (mark->seq > 0 || mark->moved))
            return "a read mark in a conversation that is not there";
        if (read && (mark->seq < *read || mark->seq > m->last_seq[conv_of(m, user, to)]))
            return "a read mark went back, or beyond the end";
        if (read && mark->moved != (mark->seq > *read))
            return "a read mark moved, or not, against its word";
        if (read)
            *read = mark->seq;
    }
    return NULL;
}

/* Is it older than what retention keeps of its conversation? */
static bool surplus(const struct model *m, size_t at, const struct im_store_sweep *s)
{
    uint64_t messages = 0, events = 0;
    for (size_t i = at + 1; i < m->count; i++) {
        bool there = m->log[i].conv == m->log[at].conv;
        events += there;
        messages += there && m->log[i].type == IM_EV_MSG && !m->log[i].hidden;
    }
    return messages >= s->retention_count || events >= s->retention_count * IM_RETENTION_EVENTS;
}

static const char *swept(struct model *m, const struct im_store_sweep *s)
{
    for (size_t i = 0; i < m->count && s->retention_count > 0; i++)
        m->log[i].erasable = m->log[i].erasable || surplus(m, i, s);
    return NULL;
}

void model_before(struct model *m, const struct im_store_op *op)
{
    if (op->kind != IM_STORE_APPEND)
        return;
    const struct im_msg *msg = &((const struct im_store_append *)op)->event->msg;
    m->wanted.role = msg->role;
    m->wanted.settings = msg->settings;
    m->wanted.keeps = msg->change == IM_CHANGE_SET ? msg->keeps : 0;
}

const char *model_after(struct model *m, const struct im_store_op *op)
{
    if (op->kind == IM_STORE_APPEND)
        return appended(m, (const struct im_store_append *)op);
    if (op->status != IM_OK)
        return NULL;
    switch (op->kind) {
    case IM_STORE_LOGIN:
        return logged_in(m, (const struct im_store_login *)op);
    case IM_STORE_CURSORS:
        return moved(m, (const struct im_store_cursors *)op);
    case IM_STORE_MARKS:
        return marked(m, (const struct im_store_marks *)op);
    case IM_STORE_BLOCK:
        return blocked(m, (const struct im_store_block *)op);
    case IM_STORE_SWEEP:
        return swept(m, (const struct im_store_sweep *)op);
    default:
        return NULL;
    }
}

bool model_text_gone(const struct model *m, const struct entry *e)
{
    const struct entry *ref = e->type == IM_EV_EDIT ? find(m, e->conv, e->ref) : NULL;
    return e->erased || (ref && ref->erasable);
}

static bool same(const struct model *m, const struct entry *e, const struct im_event *event)
{
    const struct im_msg *msg = &event->msg;
    if (event->type != e->type || model_place(msg->from_key) != e->from || model_place(msg->to_key) != e->to ||
        msg->seq != e->seq || msg->ref != e->ref || !im_str_eq(msg->cid, im_str(e->cid)))
        return false;
    if (e->erased && msg->body.len > 0)
        return false;
    return im_str_eq(msg->body, im_str(e->body)) || (model_text_gone(m, e) && msg->body.len == 0);
}

const char *model_compare(const struct model *m, unsigned user, struct im_event *const *events, size_t count)
{
    size_t at = 0;
    for (size_t i = 0; i < m->count; i++) {
        const struct entry *e = &m->log[i];
        bool here = at < count && events[at]->msg.pos == i + 1;
        if (!here && model_must(e, user))
            return "an event is gone from the log";
        if (here && !(e->may >> user & 1))
            return "the log shows somebody events of others";
        if (here && !same(m, e, events[at]))
            return "an event is another than it was";
        at += here;
    }
    return at == count ? NULL : "the log is out of order, or goes on beyond its end";
}
