#include <stdlib.h>

#include "core/mention.h"
#include "stores/memory.h"
#include "stores/result.h"
#include "stores/rules.h"

/* An event on its way into the log: whom and what it is about. NULL: not there, or not yet. */
struct append {
    struct im_memory *m;
    struct im_event *event;
    struct im_mem_user *from, *to, *user;    /* to: not of groups; user: whom a change concerns */
    struct im_mem_conv *conv;                /* what it is about; of a SELF event, not where it goes */
    struct im_mem_view *from_view, *to_view; /* of conv; to_view: of direct ones */
    struct im_mem_slot *ref;
    uint32_t sent_hash; /* of from and the cid, if sent_hashed */
    bool sent_hashed;
    struct im_rules_out verdict;
};

/* Of each of these, what an append touches. */
enum { HOT_BYTES = 128 };

/* False: the hint does not hold. Users stay for good, and conversations while hints_valid says so. */
static bool take_hint(struct append *a, const struct im_store_hint *hint)
{
    if (hint->valid != a->m->hints_valid)
        return false;
    a->from = hint->found[0];
    a->to = hint->found[1];
    a->conv = hint->found[2];
    a->from_view = hint->found[3];
    a->to_view = hint->found[4];
    for (size_t i = 0; i < sizeof hint->found / sizeof hint->found[0]; i++)
        im_warm(hint->found[i], HOT_BYTES); /* all at once, not one after the other as they are needed */
    return true;
}

static void give_hint(const struct append *a, struct im_store_hint *hint)
{
    if (a->event->msg.kind == IM_CONV_DIRECT)
        *hint = (struct im_store_hint){.valid = a->m->hints_valid,
                                       .found = {a->from, a->to, a->conv, a->from_view, a->to_view}};
}

static void look_up(struct append *a)
{
    const struct im_msg *msg = &a->event->msg;
    bool group = im_conv_is_group(msg->to_key);
    a->from = im_mem_user_find(a->m, msg->from_key);
    a->to = group ? NULL : im_mem_user_find(a->m, msg->to_key);
    a->user = msg->user_key.p ? im_mem_user_find(a->m, msg->user_key) : NULL;
    if (group)
        a->conv = im_mem_group_find(a->m, msg->to_key);
    else if (a->from && a->to)
        a->conv = im_mem_direct_find(a->m, a->from, a->to);
    a->from_view = im_mem_view_find(a->m, a->conv, a->from);
    a->to_view = im_mem_view_find(a->m, a->conv, a->to);
}

static void look_up_ref(struct append *a, struct im_rules_in *in)
{
    const struct im_msg *msg = &a->event->msg;
    const struct im_mem_view *view = a->from_view;
    size_t at;
    if (msg->ref == 0 || view == NULL || !im_mem_at(a->conv, msg->ref, &at) || !im_mem_sees(a->m, view, at))
        return;
    a->ref = im_mem_slot(a->conv, at);
    const struct im_mem_record *r = im_mem_record(a->m, a->ref->pos);
    struct im_msg now = im_mem_stand(a->m, view, a->ref);
    in->ref_exists = true;
    in->ref_type = im_mem_type(a->m, a->ref->pos);
    in->ref_own = r->from == a->from;
    in->ref_deleted = now.deleted;
    in->ref_hidden = now.hidden;
    in->ref_ts_ms = now.ts_ms;
    in->ref_body = now.body;
    in->ref_mime = now.mime;
    in->hidden_already = im_mem_seqs_has(&view->gone, msg->ref);
    if (a->event->type == IM_EV_REACT) {
        in->reacted = im_mem_reacted(a->ref->state, a->from, msg->body);
        in->reactions = im_mem_emoji(a->ref->state, msg->body, &in->emoji_there);
    }
}

static void look_up_group(const struct append *a, struct im_rules_in *in)
{
    const struct im_mem_view *actor = a->from_view;
    const struct im_mem_view *target = im_mem_view_find(a->m, a->conv, a->user);
    in->actor_groups = a->from ? a->from->groups : 0;
    if (a->conv == NULL)
        return;
    in->group_exists = true;
    in->members = a->conv->members;
    in->owners = a->conv->owners;
    in->settings = a->conv->settings;
    in->topic = (struct im_str){a->conv->topic, a->conv->topic_len};
    in->actor = actor ? actor->role : IM_ROLE_NONE;
    in->target = target ? target->role : IM_ROLE_NONE;
}

static enum im_reason judge(struct append *a, const struct im_policy *policy)
{
    const struct im_msg *msg = &a->event->msg;
    bool group = msg->kind == IM_CONV_GROUP;
    const struct im_mem_user *peer = group ? a->user : a->to;
    struct im_rules_in in = {.event = a->event, .policy = policy};
    if (group)
        look_up_group(a, &in);
    if (policy->accounts)
        in.peer_known =
            im_rules_account(im_mem_record_value(a->m, IM_RECORD_ACCOUNT, group ? msg->user_key : msg->to_key));
    in.blocked = peer && a->from && im_mem_blocks(peer, a->from);
    look_up_ref(a, &in);
    return im_rules_judge(&in, &a->verdict);
}

static struct im_str member_id(void *arg, struct im_str key)
{
    const struct append *a = arg;
    const struct im_mem_user *u = im_mem_user_find(a->m, key);
    const struct im_mem_view *v = im_mem_view_find(a->m, a->conv, u);
    bool member = v && (v->conv->kind == IM_CONV_DIRECT || im_role_member(v->role));
    return member ? im_mem_name(u) : (struct im_str){0};
}

static void mention(struct append *a)
{
    const struct im_msg *msg = &a->event->msg;
    if (a->event->type != IM_EV_MSG && a->event->type != IM_EV_EDIT)
        return;
    struct im_str text = im_msg_searched(msg) ? msg->body : IM_STR("");
    im_event_mention(a->event, im_mentions(text, msg->mentions, a->verdict.may_all, member_id, a));
}

/* Those whom the event names come to be, and the conversation with them. */
static void need(struct append *a)
{
    const struct im_msg *msg = &a->event->msg;
    if (a->from == NULL)
        a->from = im_mem_user_need(a->m, msg->from_key, msg->from);
    if (a->to == NULL && !im_conv_is_group(msg->to_key))
        a->to = im_mem_user_need(a->m, msg->to_key, msg->to);
    if (a->user == NULL && msg->user_key.p)
        a->user = im_mem_user_need(a->m, msg->user_key, msg->user);
    if (a->conv)
        return;
    if (msg->kind == IM_CONV_DIRECT)
        a->conv = im_mem_direct_need(a->m, a->from, a->to);
    else
        a->conv = im_mem_group_new(a->m, msg->to_key, msg->to);
    a->from_view = im_mem_view_find(a->m, a->conv, a->from);
    a->to_view = im_mem_view_find(a->m, a->conv, a->to);
}

/* The event as the log keeps it: a group that it is about, but not in, could be gone when it is read. */
static struct im_mem_kept *keep(const struct append *a)
{
    struct im_msg msg = a->event->msg;
    bool named = msg.kind == IM_CONV_SELF && a->to == NULL;
    if (named)
        msg.to = im_mem_group_name(a->conv);
    return im_mem_keep(a->m, a->event->type, &msg, named);
}

/* Puts the event at the end of the log and of its conversation. */
static void put(struct append *a, struct im_mem_conv *conv)
{
    struct im_msg *msg = &a->event->msg;
    uint64_t messages = conv->base_messages;
    if (conv->slots.count > 0)
        messages = im_mem_slot(conv, conv->slots.count - 1)->messages;
    struct im_mem_record *record = im_mem_log_push(a->m);
    struct im_mem_slot *slot = im_mem_queue_push(&conv->slots, sizeof *slot);
    slot->pos = msg->pos = conv->last_pos = im_mem_head(a->m);
    slot->messages = messages + (a->event->type == IM_EV_MSG && !msg->hidden);
    msg->seq = im_mem_last_seq(conv);
    *record = (struct im_mem_record){keep(a), conv, a->from, a->to, a->user};
    if (msg->cid.p && !a->sent_hashed) /* the sender was not there yet */
        a->sent_hash = im_mem_sent_hash(a->m, a->from, msg->cid);
    if (msg->cid.p)
        im_mem_sent_add(a->m, msg->pos, a->sent_hash);
}

static void erase_message(struct append *a)
{
    im_mem_erase_message(a->m, a->ref);
    if (!im_mem_hidden(a->m, a->ref->pos))
        im_mem_seqs_add(&a->conv->deleted, a->event->msg.ref);
}

/* What the event does to the message that it is about. */
static void change_message(struct append *a)
{
    const struct im_msg *msg = &a->event->msg;
    if (msg->mentions.p)
        im_mem_seqs_add(&a->conv->mentions, a->event->type == IM_EV_EDIT ? msg->ref : msg->seq);
    if (a->event->type == IM_EV_EDIT)
        im_mem_seqs_add(&im_mem_state_need(a->ref)->edits, msg->pos);
    else if (a->event->type == IM_EV_REACT)
        im_mem_react(a->ref, a->from, msg);
    else if (a->event->type == IM_EV_DELETE && msg->kind == IM_CONV_SELF)
        im_mem_seqs_add(&a->from_view->gone, msg->ref);
    else if (a->event->type == IM_EV_DELETE)
        erase_message(a);
}

static void note_seen(const struct append *a, struct im_mem_view *v)
{
    v->last_seq = a->event->msg.seq;
    v->last_pos = a->event->msg.pos;
}

static void commit(struct append *a)
{
    struct im_msg *msg = &a->event->msg;
    bool self = msg->kind == IM_CONV_SELF;
    need(a);
    msg->hidden = a->verdict.hidden;
    if (a->event->type == IM_EV_MEMBER) {
        msg->role = a->verdict.role;
        msg->settings = a->verdict.settings;
    }
    mention(a);
    size_t ref_at = 0;
    bool ref = a->ref && im_mem_at(a->conv, msg->ref, &ref_at);
    put(a, self ? im_mem_self_need(a->m, a->from) : a->conv);
    a->ref = ref ? im_mem_slot(a->conv, ref_at) : NULL; /* putting may have moved it */
    change_message(a);
    if (a->event->type == IM_EV_MEMBER)
        im_mem_group_change(a->m, a->conv, msg, a->verdict.concerns_other ? a->user : a->from, a->verdict.ends);
    if (a->from_view == NULL) /* it has come to be */
        a->from_view = im_mem_view_find(a->m, a->conv, a->from);
    if (msg->kind == IM_CONV_DIRECT) {
        note_seen(a, a->from_view);
        if (!msg->hidden)
            note_seen(a, a->to_view);
    }
    if (a->verdict.read)
        a->from_view->read_seq = msg->seq;
}

enum im_reason im_mem_append(struct im_memory *m, struct im_store_append *op)
{
    struct append a = {.m = m, .event = op->event};
    const struct im_msg *msg = &op->event->msg;
    if (!take_hint(&a, &op->hint))
        look_up(&a);
    a.sent_hashed = a.from && msg->cid.p;
    if (a.sent_hashed)
        a.sent_hash = im_mem_sent_hash(m, a.from, msg->cid);
    enum im_reason reason = judge(&a, &op->policy); /* meanwhile the place of the hash comes from memory */
    uint64_t earlier = a.sent_hashed ? im_mem_sent_find(m, a.from, msg->cid, a.sent_hash) : 0;
    if (earlier) {
        op->earlier = im_mem_event(m, earlier);
        return IM_OK;
    }
    if (reason == IM_OK && !a.verdict.nothing) {
        commit(&a);
        give_hint(&a, &op->hint);
    }
    return reason;
}
