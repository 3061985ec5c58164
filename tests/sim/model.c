#include "tests/sim/model.h"

#include <string.h>

#include "core/name.h"

const char *const sim_names[PLACES] = {"ann", "Bob", "小明", "翠花", "#tea", "#红"};

unsigned model_place(struct im_str key)
{
    for (unsigned i = 0; i < PLACES; i++) {
        struct im_name name;
        if (im_conv_parse(im_str(sim_names[i]), &name, NULL) == IM_OK && im_str_eq(key, im_name_key(&name)))
            return i;
    }
    return PLACES;
}

static unsigned members(const struct model *m, unsigned group)
{
    unsigned mask = 0;
    for (unsigned i = 0; i < USERS; i++)
        if (im_role_member(m->roles[group][i]))
            mask |= 1u << i;
    return mask;
}

/* What the change makes of whom it concerns. */
static enum im_role role_after(const struct im_msg *msg, enum im_role before)
{
    switch (msg->change) {
    case IM_CHANGE_CREATE:
        return IM_ROLE_OWNER;
    case IM_CHANGE_JOIN:
        return before == IM_ROLE_SILENCED ? IM_ROLE_MUTED : IM_ROLE_MEMBER;
    case IM_CHANGE_INVITE:
        return IM_ROLE_INVITED;
    case IM_CHANGE_BAN:
        return IM_ROLE_BANNED;
    case IM_CHANGE_ROLE:
        return msg->role;
    case IM_CHANGE_LEAVE:
    case IM_CHANGE_KICK:
        return before == IM_ROLE_MUTED ? IM_ROLE_SILENCED : IM_ROLE_NONE;
    default:
        return IM_ROLE_NONE;
    }
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

static const char *change(struct model *m, const struct im_msg *msg, unsigned group, struct entry *e)
{
    unsigned user = msg->user_key.p ? model_place(msg->user_key) : e->from;
    enum im_role actor = m->roles[group][e->from], target = msg->user_key.p ? m->roles[group][user] : IM_ROLE_NONE;
    enum im_action action = im_change_info(msg->change)->action;
    if (msg->change == IM_CHANGE_CREATE) {
        if (m->group_exists[group])
            return "a group was made twice";
        m->group_exists[group] = true;
        m->incarnation[group]++;
    } else if (!m->group_exists[group]) {
        return "a change of a group that is not there";
    } else {
        if (msg->change == IM_CHANGE_JOIN && !(m->settings[group] & IM_GROUP_PUBLIC))
            action = IM_MAY_JOIN_PRIVATE;
        if (im_may(actor, action, target) != IM_OK)
            return "a change that was not allowed";
    }
    if (msg->change == IM_CHANGE_CREATE || msg->change == IM_CHANGE_SET)
        m->settings[group] = msg->settings;
    unsigned before = members(m, group);
    if (msg->change != IM_CHANGE_TOPIC && msg->change != IM_CHANGE_SET && msg->change != IM_CHANGE_DESTROY)
        m->roles[group][user] = role_after(msg, m->roles[group][user]);
    e->must = before | members(m, group);
    if (msg->change == IM_CHANGE_INVITE && !msg->hidden)
        e->must |= 1u << user;
    e->conv = 100 + group + GROUPS * m->incarnation[group];
    if (msg->change == IM_CHANGE_JOIN && m->settings[group] & IM_GROUP_PAST)
        open_past(m, e->conv, user);
    if (msg->change == IM_CHANGE_DESTROY || members(m, group) == 0)
        return destroy(m, group);
    for (unsigned i = 0; i < USERS; i++)
        if (m->roles[group][i] == IM_ROLE_OWNER)
            return NULL;
    return "a group without an owner";
}

/* What is about a message that somebody does not see is not for their eyes either. */
static bool hides(const struct model *m, unsigned conv, uint64_t seq)
{
    for (size_t i = 0; i < m->count; i++)
        if (m->log[i].conv == conv && m->log[i].seq == seq)
            return m->log[i].hidden;
    return false;
}

static const char *judge(struct model *m, const struct im_event *event, struct entry *e)
{
    const struct im_msg *msg = &event->msg;
    if (msg->kind == IM_CONV_SELF) {
        e->must = 1u << e->from;
        e->conv = 50 + e->from;
        return NULL;
    }
    if (msg->kind == IM_CONV_DIRECT) {
        e->conv = e->from < e->to ? e->from * USERS + e->to : e->to * USERS + e->from;
        bool blocked = m->blocked[e->to][e->from] && event->type != IM_EV_DELETE;
        if (msg->hidden != (blocked || (event->type != IM_EV_MSG && hides(m, e->conv, msg->ref))))
            return "hidden, or not, against the block";
        e->hidden = msg->hidden;
        e->must = 1u << e->from | (msg->hidden ? 0 : 1u << e->to);
        return NULL;
    }
    unsigned group = e->to - USERS;
    if (event->type == IM_EV_MEMBER)
        return change(m, msg, group, e);
    enum im_action least = event->type == IM_EV_DELETE ? IM_MAY_DELETE_OWN : IM_MAY_SEND;
    if (!m->group_exists[group] || im_may(m->roles[group][e->from], least, IM_ROLE_NONE) != IM_OK)
        return "written in a group by somebody who may not";
    e->must = members(m, group);
    e->conv = 100 + group + GROUPS * m->incarnation[group];
    return NULL;
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

const char *model_append(struct model *m, const struct im_store_append *a)
{
    const struct im_msg *msg = &a->event->msg;
    if (a->op.status != IM_OK || a->earlier || msg->pos == 0)
        return NULL;
    if (msg->pos != m->count + 1 || m->count == LOG_MAX)
        return "a pos that is not the next";
    struct entry *e = &m->log[m->count];
    *e = (struct entry){.type = a->event->type, .from = model_place(msg->from_key), .to = model_place(msg->to_key)};
    if (e->from >= USERS || e->to >= PLACES)
        return "an event names a stranger";
    copy(e->cid, sizeof e->cid, msg->cid);
    copy(e->body, sizeof e->body, msg->body);
    const char *wrong = judge(m, a->event, e);
    if (wrong)
        return wrong;
    e->may |= e->must;
    e->seq = msg->seq;
    e->ref = msg->ref;
    if (e->type == IM_EV_DELETE && msg->kind != IM_CONV_SELF)
        erase(m, e);
    if (e->seq != ++m->last_seq[e->conv])
        return "a seq that is not the next of its conversation";
    for (size_t i = 0; e->cid[0] && i < m->count; i++)
        if (m->log[i].from == e->from && !m->log[i].erasable && strcmp(m->log[i].cid, e->cid) == 0)
            return "a cid is in the log twice";
    m->count++;
    return NULL;
}

const char *model_block(struct model *m, const struct im_store_block *b)
{
    unsigned by = model_place(b->key), whom = model_place(b->other);
    if (by >= USERS || whom >= USERS)
        return "a block names a stranger";
    m->blocked[by][whom] = b->on;
    return NULL;
}

/* How many messages of its conversation are newer than this event. */
static uint64_t newer(const struct model *m, size_t at)
{
    uint64_t count = 0;
    for (size_t i = at + 1; i < m->count; i++)
        count += m->log[i].conv == m->log[at].conv && m->log[i].type == IM_EV_MSG && !m->log[i].hidden;
    return count;
}

void model_sweep(struct model *m, const struct im_store_sweep *s)
{
    for (size_t i = 0; i < m->count && s->retention_count > 0; i++)
        m->log[i].erasable = m->log[i].erasable || newer(m, i) >= s->retention_count;
}
