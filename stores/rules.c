#include "stores/rules.h"

#include "core/account.h"

#include <assert.h>

static bool in_group(const struct im_rules_in *in)
{
    return in->event->msg.kind == IM_CONV_GROUP;
}

/* May the actor do this here, if here is a group? To others or not is judged where it is known. */
static enum im_reason may(const struct im_rules_in *in, enum im_action action)
{
    return in_group(in) ? im_may(in->actor, action, IM_ROLE_NONE) : IM_OK;
}

static bool at_limit(uint32_t now, uint32_t most)
{
    return most > 0 && now >= most;
}

static bool ref_message(const struct im_rules_in *in)
{
    return in->ref_exists && in->ref_type == IM_EV_MSG;
}

static bool too_late(const struct im_rules_in *in, uint64_t window_ms)
{
    int64_t age = in->event->msg.ts_ms - in->ref_ts_ms;
    return window_ms > 0 && age > 0 && (uint64_t)age > window_ms;
}

static bool unknown_peer(const struct im_rules_in *in)
{
    return in->policy->accounts && !in->peer_known;
}

static enum im_reason judge_message(const struct im_rules_in *in, struct im_rules_out *out)
{
    enum im_reason reason = may(in, IM_MAY_SEND);
    if (reason != IM_OK)
        return reason;
    if (!in_group(in) && unknown_peer(in))
        return IM_NO_SUCH_USER;
    if (in->event->msg.ref != 0 && !ref_message(in))
        return IM_NO_SUCH_MESSAGE;
    out->may_all = in_group(in) && may(in, IM_MAY_MENTION_ALL) == IM_OK;
    return IM_OK;
}

static enum im_reason judge_edit(const struct im_rules_in *in, struct im_rules_out *out)
{
    enum im_reason reason = may(in, IM_MAY_SEND);
    if (reason != IM_OK)
        return reason;
    if (!ref_message(in) || in->ref_deleted)
        return IM_NO_SUCH_MESSAGE;
    if (!in->ref_own)
        return IM_FORBIDDEN;
    if (too_late(in, in->policy->edit_ms))
        return IM_TOO_LATE;
    out->nothing = in->ref_mime.p == NULL && im_str_eq(in->ref_body, in->event->msg.body);
    out->may_all = in_group(in) && may(in, IM_MAY_MENTION_ALL) == IM_OK;
    return IM_OK;
}

/* Those who may delete anybody's messages may do so at any time. */
static enum im_reason judge_delete(const struct im_rules_in *in, struct im_rules_out *out)
{
    enum im_reason reason = may(in, IM_MAY_DELETE_OWN);
    if (reason != IM_OK)
        return reason;
    if (!ref_message(in))
        return IM_NO_SUCH_MESSAGE;
    bool any = in_group(in) && may(in, IM_MAY_DELETE_ANY) == IM_OK;
    if (!in->ref_own && !any)
        return IM_FORBIDDEN;
    out->nothing = in->ref_deleted;
    return !out->nothing && !any && too_late(in, in->policy->delete_ms) ? IM_TOO_LATE : IM_OK;
}

static enum im_reason judge_delete_for_me(const struct im_rules_in *in, struct im_rules_out *out)
{
    out->nothing = in->hidden_already;
    return ref_message(in) ? IM_OK : IM_NO_SUCH_MESSAGE;
}

static enum im_reason judge_reaction(const struct im_rules_in *in, struct im_rules_out *out)
{
    bool on = in->event->msg.on;
    enum im_reason reason = may(in, IM_MAY_SEND);
    if (reason != IM_OK)
        return reason;
    if (!ref_message(in) || in->ref_deleted)
        return IM_NO_SUCH_MESSAGE;
    out->nothing = on == in->reacted;
    return on && !in->reacted && !in->emoji_there && at_limit(in->reactions, in->policy->reactions) ? IM_TOO_MANY
                                                                                                    : IM_OK;
}

static enum im_reason judge_create(const struct im_rules_in *in, struct im_rules_out *out)
{
    if (in->group_exists)
        return IM_GROUP_EXISTS;
    out->role = IM_ROLE_OWNER;
    out->settings = in->event->msg.settings;
    return at_limit(in->actor_groups, in->policy->groups_per_user) ? IM_TOO_MANY : IM_OK;
}

static enum im_reason judge_join(const struct im_rules_in *in, struct im_rules_out *out)
{
    if (im_role_member(in->actor)) {
        out->nothing = true;
        out->role = in->actor;
        return IM_OK;
    }
    enum im_reason reason = may(in, in->settings & IM_GROUP_PUBLIC ? IM_MAY_JOIN : IM_MAY_JOIN_PRIVATE);
    if (reason != IM_OK)
        return reason;
    out->role = in->actor == IM_ROLE_SILENCED ? IM_ROLE_MUTED : IM_ROLE_MEMBER;
    if (at_limit(in->members, in->policy->group_members))
        return IM_GROUP_FULL;
    return at_limit(in->actor_groups, in->policy->groups_per_user) ? IM_TOO_MANY : IM_OK;
}

/* What is left of a member who goes, or is made to go. */
static enum im_role role_outside(enum im_role member)
{
    return member == IM_ROLE_MUTED ? IM_ROLE_SILENCED : IM_ROLE_NONE;
}

static enum im_reason judge_leave(const struct im_rules_in *in, struct im_rules_out *out)
{
    enum im_reason reason = may(in, IM_MAY_LEAVE);
    if (reason != IM_OK)
        return reason;
    out->role = role_outside(in->actor);
    out->ends = im_role_member(in->actor) && in->members == 1;
    return in->actor == IM_ROLE_OWNER && in->owners == 1 && !out->ends ? IM_LAST_OWNER : IM_OK;
}

/* A ban is not got around by an invitation: it must be lifted first; nor is a mute, but by who could end it. */
static enum im_reason judge_invite(const struct im_rules_in *in, struct im_rules_out *out)
{
    enum im_reason reason = may(in, IM_MAY_INVITE);
    if (reason != IM_OK)
        return reason;
    out->nothing = in->target >= IM_ROLE_INVITED;
    out->role = out->nothing ? in->target : IM_ROLE_INVITED;
    if (in->target == IM_ROLE_BANNED)
        return IM_FORBIDDEN;
    if (in->target == IM_ROLE_SILENCED && may(in, IM_MAY_ROLE) != IM_OK)
        return IM_FORBIDDEN;
    return unknown_peer(in) ? IM_NO_SUCH_USER : IM_OK;
}

/* What takes somebody out of the group: kick, which withdraws an invitation, or what is left of a
 * mute, too; ban; and the ban's end. */
static enum im_reason judge_removal(const struct im_rules_in *in, struct im_rules_out *out)
{
    enum im_change change = in->event->msg.change;
    enum im_reason reason = im_may(in->actor, im_change_info(change)->action, in->target);
    if (reason != IM_OK)
        return reason;
    bool banned = in->target == IM_ROLE_BANNED;
    if (change == IM_CHANGE_KICK)
        out->nothing = banned || in->target == IM_ROLE_NONE;
    else
        out->nothing = banned == (change == IM_CHANGE_BAN);
    out->role = change == IM_CHANGE_BAN ? IM_ROLE_BANNED : role_outside(in->target);
    if (out->nothing)
        out->role = in->target;
    return change == IM_CHANGE_BAN && !out->nothing && unknown_peer(in) ? IM_NO_SUCH_USER : IM_OK;
}

/* Only an owner makes others what they are themselves. */
static enum im_reason judge_role(const struct im_rules_in *in, struct im_rules_out *out)
{
    enum im_role role = in->event->msg.role;
    enum im_reason reason = im_may(in->actor, IM_MAY_ROLE, in->target);
    if (reason != IM_OK)
        return reason;
    if (!im_role_member(role))
        return IM_BAD_FIELD;
    if (!im_role_member(in->target))
        return IM_NOT_MEMBER;
    out->role = role;
    out->nothing = role == in->target;
    return role >= in->actor && in->actor != IM_ROLE_OWNER ? IM_FORBIDDEN : IM_OK;
}

/* What changes the group and nobody's role: topic, settings; and its end. */
static enum im_reason judge_group(const struct im_rules_in *in, struct im_rules_out *out)
{
    const struct im_msg *m = &in->event->msg;
    out->role = m->change == IM_CHANGE_DESTROY ? IM_ROLE_NONE : in->actor;
    out->ends = m->change == IM_CHANGE_DESTROY;
    out->settings = (m->settings & ~m->keeps) | (in->settings & m->keeps);
    out->nothing = (m->change == IM_CHANGE_TOPIC && im_str_eq(m->body, in->topic)) ||
                   (m->change == IM_CHANGE_SET && out->settings == in->settings);
    return may(in, im_change_info(m->change)->action);
}

static enum im_reason judge_change(const struct im_rules_in *in, struct im_rules_out *out)
{
    out->concerns_other = im_change_info(in->event->msg.change)->needs_user;
    switch (in->event->msg.change) {
    case IM_CHANGE_CREATE:
        return judge_create(in, out);
    case IM_CHANGE_JOIN:
        return judge_join(in, out);
    case IM_CHANGE_LEAVE:
        return judge_leave(in, out);
    case IM_CHANGE_INVITE:
        return judge_invite(in, out);
    case IM_CHANGE_KICK:
    case IM_CHANGE_BAN:
    case IM_CHANGE_UNBAN:
        return judge_removal(in, out);
    case IM_CHANGE_ROLE:
        return judge_role(in, out);
    default:
        return judge_group(in, out);
    }
}

static enum im_reason judge(const struct im_rules_in *in, struct im_rules_out *out)
{
    switch (in->event->type) {
    case IM_EV_MSG:
        return judge_message(in, out);
    case IM_EV_EDIT:
        return judge_edit(in, out);
    case IM_EV_DELETE:
        return in->event->msg.kind == IM_CONV_SELF ? judge_delete_for_me(in, out) : judge_delete(in, out);
    case IM_EV_REACT:
        return judge_reaction(in, out);
    default:
        return judge_change(in, out);
    }
}

/* What the blocked one said before was seen, so that its deletion must be, too. */
static bool hidden(const struct im_rules_in *in)
{
    const struct im_event *e = in->event;
    if (e->type == IM_EV_MEMBER)
        return e->msg.change == IM_CHANGE_INVITE && in->blocked;
    if (e->msg.kind != IM_CONV_DIRECT)
        return false;
    return (in->blocked && e->type != IM_EV_DELETE) || (in->ref_hidden && e->type != IM_EV_MSG);
}

/* Who writes has read what was there; who comes starts from here. */
static bool reads(const struct im_event *e)
{
    return e->type == IM_EV_MSG ||
           (e->type == IM_EV_MEMBER && (e->msg.change == IM_CHANGE_CREATE || e->msg.change == IM_CHANGE_JOIN));
}

enum im_reason im_rules_judge(const struct im_rules_in *in, struct im_rules_out *out)
{
    const struct im_event *e = in->event;
    bool create = e->type == IM_EV_MEMBER && e->msg.change == IM_CHANGE_CREATE;
    assert(im_event_durable(e) && (e->type != IM_EV_MEMBER || e->msg.kind == IM_CONV_GROUP) &&
           (e->msg.kind != IM_CONV_SELF || e->type == IM_EV_DELETE));
    struct im_rules_out verdict = {0};
    enum im_reason reason = IM_NO_SUCH_GROUP;
    if (!in_group(in) || in->group_exists || create)
        reason = judge(in, &verdict);
    /* a private group is not there for those who have nothing to do with it */
    if (reason == IM_NOT_MEMBER && in->actor < IM_ROLE_INVITED && !(in->settings & IM_GROUP_PUBLIC))
        reason = IM_NO_SUCH_GROUP;
    verdict.hidden = hidden(in);
    verdict.read = reads(e);
    *out = reason == IM_OK ? verdict : (struct im_rules_out){0};
    return reason;
}

bool im_rules_account(struct im_str value)
{
    struct im_account account;
    return value.p && im_account_read(value, &account) && !account.deleted;
}

bool im_retention_older(const struct im_store_sweep *op, int64_t ts_ms, uint64_t most_ms)
{
    int64_t age = op->now_ms - ts_ms;
    return most_ms > 0 && age > 0 && (uint64_t)age > most_ms;
}

bool im_retention_surplus(const struct im_store_sweep *op, uint64_t messages, uint64_t events)
{
    uint64_t count = op->retention_count;
    return count > 0 && (messages >= count || events >= count * IM_RETENTION_EVENTS);
}
