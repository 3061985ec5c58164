#include <stdlib.h>

#include "core/request.h"

/* What others may know of a reader: how far direct messages have reached a device of theirs, which follows from the
 * cursors, and how far a conversation was read. Both only grow, and many steps become one: senders are told, and marks
 * written, at intervals. */

enum { TURN_RECEIPTS = 4, TICK_RECEIPTS = 64 }; /* users, of whom each has received something */

static void drop_oldest(struct im_user *user, size_t n)
{
    if (user->fresh == NULL)
        return;
    for (size_t i = 0; i < n; i++)
        im_bytes_drop(&user->fresh[i].from);
    user->fresh_count -= n;
    memmove(user->fresh, user->fresh + n, user->fresh_count * sizeof *user->fresh);
    if (user->fresh_count > 0)
        return;
    free(user->fresh);
    user->fresh = NULL;
    user->fresh_room = 0;
}

static bool is_from(const struct im_fresh *f, struct im_str key)
{
    return im_str_eq(im_bytes_str(f->from), key);
}

static bool same_sender(const struct im_fresh *f, const struct im_fresh *other)
{
    return f->from == other->from || is_from(f, im_bytes_str(other->from));
}

/* Of those that were received already, the last of a row of one sender's speaks for the row. */
static void merge_received(struct im_user *user)
{
    size_t kept = 0;
    for (size_t i = 1; i < user->fresh_count; i++) {
        struct im_fresh *before = &user->fresh[kept], *f = &user->fresh[i];
        if (before->pos <= f->pos && f->pos <= user->received_pos && same_sender(before, f)) {
            im_bytes_drop(&f->from);
            before->pos = f->pos;
            before->seq = f->seq;
        } else {
            user->fresh[++kept] = *f;
        }
    }
    user->fresh_count = kept + 1;
}

static void make_room(struct im_user *user)
{
    if (user->fresh_count < user->fresh_room)
        return;
    user->fresh_room = user->fresh_room > 0 ? user->fresh_room * 4 : IM_FRESH_FEW;
    user->fresh = im_realloc(user->fresh, user->fresh_room * sizeof *user->fresh);
}

static void add_fresh(struct im_user *user, const struct im_msg *m)
{
    make_room(user);
    struct im_fresh *last = user->fresh_count > 0 ? &user->fresh[user->fresh_count - 1] : NULL;
    struct im_bytes *from =
        last && is_from(last, m->from_key) ? im_bytes_hold(last->from) : im_bytes_new(m->from_key.p, m->from_key.len);
    user->fresh[user->fresh_count++] = (struct im_fresh){.pos = m->pos, .seq = m->seq, .from = from};
}

void im_receipt_advance(struct im_core *core, struct im_user *user, uint64_t pos)
{
    if (pos <= user->received_pos)
        return;
    user->received_pos = pos;
    if (user->fresh_count == 0 || user->receipts_due)
        return;
    user->receipts_due = true;
    user->receipts_ms = core->mono_ms;
    DL_APPEND2(core->receivers, user, receipt_prev, receipt_next);
    core->receiver_count++;
    core->receivers_new++;
}

static void tell(struct im_core *core, struct im_user *to, const struct im_user *reader, uint64_t received,
                 uint64_t read)
{
    if (to == NULL || im_user_blocks(reader, im_name_key(to->name)) || im_user_blocks(to, im_name_key(reader->name)))
        return;
    struct im_event *e =
        im_event_receipt(IM_CONV_DIRECT, im_name_text(reader->name), im_name_text(reader->name), received, read);
    im_user_tell(core, to, e, 0);
    im_event_drop(&e);
}

/* to: tells only this one; NULL: all. */
static bool to_tell(const struct im_user *user, const struct im_fresh *f, const struct im_user *to)
{
    return f->pos <= user->received_pos && (to == NULL || is_from(f, im_name_key(to->name)));
}

/* The newest of each sender's; the earlier ones are said with it. */
static bool is_last_of_sender(const struct im_user *user, size_t i)
{
    for (size_t k = i + 1; k < user->fresh_count; k++) {
        const struct im_fresh *later = &user->fresh[k];
        if (later->pos <= user->received_pos && same_sender(later, &user->fresh[i]))
            return false;
    }
    return true;
}

/* Kept in the order they came, which is that of the log but for a session that reads it from further back. */
static void flush_user(struct im_core *core, struct im_user *user, struct im_user *to)
{
    size_t kept = 0;
    for (size_t i = 0; i < user->fresh_count; i++) {
        const struct im_fresh *f = &user->fresh[i];
        if (to_tell(user, f, to) && is_last_of_sender(user, i))
            tell(core, to ? to : im_user_find(core, im_bytes_str(f->from)), user, f->seq, 0);
    }
    for (size_t i = 0; i < user->fresh_count; i++) {
        if (to_tell(user, &user->fresh[i], to))
            im_bytes_drop(&user->fresh[i].from);
        else
            user->fresh[kept++] = user->fresh[i];
    }
    user->fresh_count = kept;
    drop_oldest(user, 0);
}

static void not_due(struct im_core *core, struct im_user *user)
{
    if (!user->receipts_due)
        return;
    user->receipts_due = false;
    DL_DELETE2(core->receivers, user, receipt_prev, receipt_next);
    core->receiver_count--;
}

static void tell_now(struct im_core *core, struct im_user *user)
{
    not_due(core, user);
    flush_user(core, user, NULL);
}

/* There is no room for more: what was received already is told now, and the oldest of what was not is forgotten. */
static void tell_or_drop(struct im_core *core, struct im_user *user)
{
    if (user->fresh[0].pos <= user->received_pos)
        tell_now(core, user);
    else
        drop_oldest(user, 1);
}

void im_receipt_fresh(struct im_core *core, struct im_user *user, const struct im_event *e)
{
    const struct im_msg *m = &e->msg;
    if (e->type != IM_EV_MSG || m->kind != IM_CONV_DIRECT || m->pos <= user->received_pos ||
        im_str_eq(m->from_key, im_name_key(user->name)))
        return;
    for (size_t i = m->pos > user->fresh_pos ? 0 : user->fresh_count; i > 0; i--)
        if (user->fresh[i - 1].pos == m->pos)
            return;
    if (user->fresh_count > 1 && user->fresh[user->fresh_count - 1].pos <= user->received_pos)
        merge_received(user);
    if (user->fresh_count == IM_FRESH_MAX)
        tell_or_drop(core, user);
    add_fresh(user, m);
    if (user->fresh_pos < m->pos)
        user->fresh_pos = m->pos;
}

void im_receipt_along(struct im_core *core, struct im_user *user, struct im_user *to)
{
    uint64_t gathered_ms = user->receipts_ms < user->along_ms ? user->along_ms : user->receipts_ms;
    if (!user->receipts_due || core->mono_ms - gathered_ms < core->config->receipt_interval_ms)
        return;
    user->along_ms = core->mono_ms;
    flush_user(core, user, to);
    for (size_t i = 0; i < user->fresh_count; i++)
        if (to_tell(user, &user->fresh[i], NULL))
            return;
    not_due(core, user);
}

static void flush_some(struct im_core *core, size_t most)
{
    uint64_t wait_ms = core->config->receipt_interval_ms + core->config->receipt_wait_ms;
    for (struct im_user *user; most > 0 && (user = core->receivers); most--) {
        if (core->mono_ms - user->receipts_ms < wait_ms)
            return;
        tell_now(core, user);
    }
}

/* Each receipt is a write to somebody's socket, and a message that comes meanwhile waits for all of them. So no turn
 * sends many more than have fallen due in its time. */
void im_receipts_turn(struct im_core *core)
{
    size_t more = core->receivers_new;
    core->receivers_new = 0;
    flush_some(core, more + TURN_RECEIPTS);
}

/* What the turns have left, or where there were none. */
void im_receipts_tick(struct im_core *core)
{
    flush_some(core, core->receiver_count / 4 + TICK_RECEIPTS);
}

void im_receipts_flush(struct im_core *core)
{
    while (core->receivers)
        tell_now(core, core->receivers);
}

void im_receipts_forget(struct im_core *core, struct im_user *user)
{
    if (user->receipts_due)
        tell_now(core, user);
    drop_oldest(user, user->fresh_count);
}

void im_mark_read(struct im_core *core, struct im_session *s, const struct im_name *conv, uint64_t seq)
{
    struct im_user *user = s->user;
    struct im_mark *mark = user->marks;
    while (mark && !im_str_eq(im_name_key(&mark->conv), im_name_key(conv)))
        mark = mark->of_user;
    if (mark && mark->seq < seq) {
        mark->seq = seq;
        mark->session = s->id;
    }
    if (mark)
        return;
    mark = im_alloc(sizeof *mark);
    *mark = (struct im_mark){.seq = seq, .session = s->id, .of_user = user->marks};
    im_name_copy(&mark->user, user->name);
    im_name_copy(&mark->conv, conv);
    user->marks = mark;
    DL_APPEND(core->marks, mark);
}

/* One write of some marks. */
struct marks_request {
    struct im_store_marks op;
    struct im_core *core;
    struct im_mark *marks; /* a list */
    struct im_store_mark rows[];
};

static void told_group(struct im_core *core, const struct im_user *reader, const struct im_mark *mark, uint64_t seq)
{
    struct im_group *group = im_group_find(core, im_name_key(&mark->conv));
    struct im_seat *seat;
    if (group == NULL)
        return;
    struct im_event *e = im_event_receipt(IM_CONV_GROUP, im_name_text(&group->name), im_name_text(&mark->user), 0, seq);
    DL_FOREACH(group->seats, seat)
    {
        if (seat->user != reader)
            im_user_tell(core, seat->user, e, 0);
    }
    im_event_drop(&e);
}

static void told_own(struct im_core *core, struct im_user *reader, const struct im_mark *mark, uint64_t seq)
{
    enum im_conv_kind kind = im_conv_is_group(im_name_key(&mark->conv)) ? IM_CONV_GROUP : IM_CONV_DIRECT;
    struct im_event *e = im_event_receipt(kind, im_conv_text(core, &mark->conv), im_name_text(reader->name), 0, seq);
    im_user_tell(core, reader, e, mark->session);
    im_event_drop(&e);
}

static void marked(struct im_core *core, const struct im_mark *mark, uint64_t seq)
{
    struct im_user *reader = im_user_find(core, im_name_key(&mark->user));
    if (reader)
        told_own(core, reader, mark, seq);
    if (im_conv_is_group(im_name_key(&mark->conv))) {
        const struct im_group *group = im_group_find(core, im_name_key(&mark->conv));
        if (group && group->members <= core->config->receipt_members)
            told_group(core, reader, mark, seq);
    } else if (reader && !im_str_eq(im_name_key(&mark->conv), im_name_key(&mark->user))) {
        tell(core, im_user_find(core, im_name_key(&mark->conv)), reader, 0, seq);
    }
}

static void written(struct im_store_op *op)
{
    struct marks_request *r = op->owner;
    struct im_mark *mark, *next;
    size_t i = 0;
    r->core->pending_ops--;
    if (op->status != IM_OK)
        IM_LOG(r->core->log, IM_LOG_WARN, "core", "read marks not written",
               IM_KS("reason", im_reason_name(op->status)));
    DL_FOREACH_SAFE(r->marks, mark, next)
    {
        if (op->status == IM_OK && r->rows[i].moved)
            marked(r->core, mark, r->rows[i].seq);
        i++;
        free(mark);
    }
    free(r);
}

void im_marks_flush(struct im_core *core)
{
    size_t count = 0, i = 0;
    struct im_mark *mark;
    if (core->marks == NULL)
        return;
    DL_COUNT(core->marks, mark, count);
    struct marks_request *r = im_zalloc(sizeof *r + count * sizeof *r->rows);
    r->core = core;
    r->marks = core->marks;
    core->marks = NULL;
    DL_FOREACH(r->marks, mark)
    {
        bool group = im_conv_is_group(im_name_key(&mark->conv));
        struct im_user *user = im_user_find(core, im_name_key(&mark->user));
        if (user)
            user->marks = NULL;
        r->rows[i++] = (struct im_store_mark){.key = im_name_key(&mark->user),
                                              .kind = group ? IM_CONV_GROUP : IM_CONV_DIRECT,
                                              .peer = im_name_key(&mark->conv),
                                              .seq = mark->seq};
    }
    r->op = (struct im_store_marks){
        .op = {.kind = IM_STORE_MARKS, .done = written, .owner = r}, .rows = r->rows, .count = count};
    core->pending_ops++;
    im_store_submit(core->store, &r->op.op);
}
