#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "core/mem.h"
#include "transports/parcel.h"
#include "transports/worker_private.h"

/* The core's side of a worker: a stand-in for each of its links, which is what the core sees. Down-calls become
 * letters; letters that came up become calls of the core. All here runs on the core's thread.
 *
 * The core may hold a link while its requests are on their way already: these wait here, and come when it is let go;
 * and so does the link's end, if the peer said goodbye after them. */
struct im_remote {
    struct im_link link;
    struct im_worker *worker;
    uint32_t slot, generation;
    bool held, closing;
    bool refused;           /* the core does not know it */
    bool ended;             /* there is no link any more, and the core has not heard of that */
    bool gone;              /* only its work is still queued */
    bool dropped;           /* an event came when it was closing already */
    enum im_lang lang;      /* as the worker knows it */
    uint64_t posted, given; /* weight of what was sent, and of that what the link has been given */
    size_t queued;          /* as the worker saw it last */
    unsigned taken;         /* inputs that the worker does not know to be done */
    size_t taken_bytes;
    struct im_waiting *waiting, **waiting_end;
    struct im_later later;
};

/* A letter that came too early, or what is left of it. */
struct im_waiting {
    struct im_waiting *next;
    _Alignas(8) char letter[]; /* struct im_up */
};

#define OWNER(type, entry, member) ((struct type *)(void *)((char *)(entry)-offsetof(struct type, member)))

static struct im_loop *core_loop(const struct im_worker *w)
{
    return im_loop_of(w->core_env);
}

static void tell_time(const struct im_worker *w)
{
    if (w->core_env->turn)
        w->core_env->turn(w->core_env);
}

/* Letters. */

static void post(struct im_later *later)
{
    struct im_worker *w = OWNER(im_worker, later, core_post);
    if (w->core_out.letters > 0 || w->core_spent.first)
        im_mailbox_post(w->down, &w->core_out, &w->core_spent, 0);
    w->core_run = NULL;
}

void *im_down_write(struct im_worker *w, enum im_down_kind kind, size_t size)
{
    struct im_down *d = im_mail_write(&w->core_out, &w->core_spare, size);
    d->kind = kind;
    d->slot = d->generation = 0;
    w->core_run = NULL;
    im_soon_add(core_loop(w), &w->core_post, post);
    return d;
}

static void *write_to(struct im_remote *r, enum im_down_kind kind, size_t size)
{
    struct im_down *d = im_down_write(r->worker, kind, size);
    d->slot = r->slot;
    d->generation = r->generation;
    return d;
}

void im_down_clear(struct im_mail *spare, struct im_mail *downs)
{
    struct im_mail read = {0};
    struct im_down *d;
    while ((d = im_mail_read(downs, &read))) {
        if (d->kind == IM_DOWN_SEND)
            im_event_drop(&((struct im_down_send *)(void *)d)->event);
        else if (d->kind == IM_DOWN_BAN)
            free(((struct im_down_ban *)(void *)d)->ban);
        else if (d->kind == IM_DOWN_UNBAN)
            free(((struct im_down_ban *)(void *)d)->key);
    }
    im_mail_keep(spare, &read);
}

/* The core's down-calls. */

static size_t on_its_way(const struct im_remote *r)
{
    return (size_t)(r->posted - r->given);
}

static void give_waiting(struct im_later *later);

static void give_later(struct im_remote *r)
{
    if (r->waiting)
        im_later_add(core_loop(r->worker), &r->later, give_waiting);
}

static void remote_close(struct im_link *link, enum im_reason reason)
{
    struct im_remote *r = OWNER(im_remote, link, link);
    if (r->closing)
        return;
    r->closing = true;
    give_later(r);
    if (r->ended)
        return;
    struct im_down_close *d = write_to(r, IM_DOWN_CLOSE, sizeof *d);
    d->reason = reason;
}

/* May something be sent? It counts as dropped if not. */
static bool takes(struct im_remote *r)
{
    if (!r->closing && on_its_way(r) > r->worker->core_env->config->queue_hard_bytes)
        remote_close(&r->link, IM_TOO_SLOW);
    r->dropped |= r->closing || r->ended;
    return !r->closing && !r->ended;
}

static void *write_say(struct im_remote *r, enum im_down_kind kind, bool own, size_t weight, size_t size)
{
    struct im_down_say *d = write_to(r, kind, size);
    enum im_lang lang = r->link.lang;
    d->own = own;
    d->weight = weight;
    d->lang = lang == r->lang ? -1 : (int8_t)lang;
    r->lang = lang;
    r->posted += weight;
    return d;
}

/* A fan-out: the letter before says the same to another link of this worker, and takes this one too. */
static bool join_run(struct im_remote *r, const struct im_event *event, bool own)
{
    struct im_down_send *run = r->worker->core_run;
    if (!run || run->event != event || run->say.own != own || run->say.lang >= 0 || r->link.lang != r->lang)
        return false;
    struct im_target *more = im_mail_grow(&r->worker->core_out, &run->say.down.letter, sizeof *more);
    if (!more)
        return false;
    *more = (struct im_target){r->slot, r->generation};
    r->posted += run->say.weight;
    return true;
}

/* A message for few goes as a copy: shorter than what its event would take from one cache to the other and back, and
 * the event can be freed at once. False: it does not. */
static bool write_msg(struct im_remote *r, const struct im_event *event, bool own)
{
    size_t size = event->type == IM_EV_MSG && im_event_for_few(event) ? im_slip_size(&event->msg, false) : 0;
    if (size == 0)
        return false;
    struct im_down_msg *d = write_say(r, IM_DOWN_MSG, own, im_event_weight(event), sizeof *d + size);
    im_slip_pack((struct im_slip *)(void *)d->slip, &event->msg, false);
    return true;
}

static void say(struct im_remote *r, struct im_event *event, bool own)
{
    if (!takes(r) || join_run(r, event, own) || write_msg(r, event, own))
        return;
    struct im_down_send *d = write_say(r, IM_DOWN_SEND, own, im_event_weight(event), sizeof *d);
    d->event = im_event_hold(event);
    r->worker->core_run = d;
}

static void remote_send(struct im_link *link, struct im_event *event, bool own)
{
    say(OWNER(im_remote, link, link), event, own);
    im_event_drop(&event);
}

/* The answer to a send, which nearly every message has, needs no event of its own. */
static void send_ok(struct im_remote *r, const struct im_reply *reply)
{
    if (!takes(r))
        return;
    const struct im_msg *sent = &reply->send.msg->msg;
    size_t size = im_slip_size(sent, true); /* names always fit */
    assert(size > 0);
    struct im_down_ok *d = write_say(r, IM_DOWN_OK, false, sizeof(struct im_event), sizeof *d + size + reply->id.len);
    im_slip_pack((struct im_slip *)(void *)d->slip, sent, true);
    d->online = reply->send.online;
    d->dup = reply->send.dup;
    d->id = (uint16_t)size;
    d->id_len = (uint8_t)reply->id.len;
    if (reply->id.len > 0)
        memcpy(d->slip + size, reply->id.p, reply->id.len);
}

static void remote_tell(struct im_link *link, struct im_event *event, bool own)
{
    struct im_remote *r = OWNER(im_remote, link, link);
    struct im_reply reply;
    if (event->type != IM_EV_OK) {
        say(r, event, own);
    } else if (event->reply.id.len <= IM_DOWN_ID) {
        send_ok(r, &event->reply);
    } else {
        reply = event->reply;
        im_event_hold(reply.send.msg);
        remote_send(link, im_event_reply(&reply), own);
    }
}

static size_t remote_queued(const struct im_link *link)
{
    const struct im_remote *r = OWNER(im_remote, link, link);
    size_t queued = on_its_way(r) + r->queued;
    return queued > 0 ? queued : r->dropped;
}

static void remote_hold(struct im_link *link, bool on)
{
    struct im_remote *r = OWNER(im_remote, link, link);
    if (r->held == on || r->closing)
        return;
    r->held = on;
    if (!on)
        give_later(r);
    if (r->ended)
        return;
    struct im_down_hold *d = write_to(r, IM_DOWN_HOLD, sizeof *d);
    d->on = on;
}

static const struct im_link_ops remote_ops = {
    .send = remote_send,
    .tell = remote_tell,
    .queued = remote_queued,
    .hold = remote_hold,
    .close = remote_close,
};

/* What came up. */

static struct im_remote *find(const struct im_worker *w, uint32_t slot)
{
    assert(slot < w->remote_count && w->remotes[slot]);
    return w->remotes[slot];
}

static void make_room(struct im_worker *w, uint32_t slot)
{
    if (slot < w->remote_count)
        return;
    uint32_t count = w->remote_count ? w->remote_count * 2 : 64;
    while (count <= slot)
        count *= 2;
    w->remotes = im_realloc(w->remotes, count * sizeof(struct im_remote *));
    for (uint32_t i = w->remote_count; i < count; i++)
        w->remotes[i] = NULL;
    w->remote_count = count;
}

static void on_opened(struct im_worker *w, struct im_up *up)
{
    struct im_up_opened *opened = (struct im_up_opened *)(void *)up;
    struct im_remote *r = im_zalloc(sizeof *r);
    make_room(w, up->slot);
    assert(!w->remotes[up->slot]);
    w->remotes[up->slot] = r;
    w->remote_links++;
    r->worker = w;
    r->slot = up->slot;
    r->generation = up->generation;
    r->waiting_end = &r->waiting;
    r->link.ops = &remote_ops;
    r->link.dialect = opened->dialect;
    opened->info.address.p = opened->address;
    enum im_reason reason = im_core_opened(w->core_env->core, &r->link, &opened->info);
    r->lang = r->link.lang;
    r->refused = reason != IM_OK;
    if (r->refused)
        remote_close(&r->link, reason);
}

static void tell_taken(struct im_remote *r)
{
    struct im_down_taken *d = write_to(r, IM_DOWN_TAKEN, sizeof *d);
    d->inputs = r->taken;
    d->bytes = r->taken_bytes;
    r->taken = 0;
    r->taken_bytes = 0;
}

void im_remotes_tell_taken(struct im_worker *w)
{
    for (uint32_t i = 0; i < w->remote_count; i++)
        if (w->remotes[i] && w->remotes[i]->taken > 0)
            tell_taken(w->remotes[i]);
}

/* The worker reads on when enough of what it has under way is done. */
static void take(struct im_remote *r, size_t bytes)
{
    uint64_t window = r->link.dialect == &im_dialect_human ? 1 : r->worker->core_env->config->inflight;
    r->taken++;
    r->taken_bytes += bytes;
    if (r->taken * 2 >= window || r->taken_bytes * 2 >= IM_PORT_BYTES)
        tell_taken(r);
}

static void on_input(struct im_remote *r, struct im_up_input *in)
{
    struct im_command cmd;
    r->link.dialect = in->dialect;
    if (!r->closing) {
        im_parcel_open((struct im_parcel *)(void *)in->parcel, &cmd);
        im_core_decoded(r->worker->core_env->core, &r->link, &cmd, in->reason, in->parcel + in->detail);
    }
    take(r, in->bytes);
}

static void let_wait(struct im_remote *r, const struct im_up *up)
{
    struct im_waiting *waiting = im_alloc(sizeof *waiting + up->letter.size);
    memcpy(waiting->letter, up, up->letter.size);
    waiting->next = NULL;
    *r->waiting_end = waiting;
    r->waiting_end = &waiting->next;
}

static struct im_waiting *next_waiting(struct im_remote *r)
{
    struct im_waiting *waiting = r->waiting;
    r->waiting = waiting->next;
    if (!r->waiting)
        r->waiting_end = &r->waiting;
    return waiting;
}

static void on_closed(struct im_remote *r, enum im_reason reason)
{
    r->closing = true;
    while (r->waiting) /* the core closed it, and its peer went, before it could be let go */
        free(next_waiting(r));
    if (r->refused)
        im_count(&r->worker->core_env->counters->closed[reason], 1);
    else
        im_core_closed(r->worker->core_env->core, &r->link, reason);
    r->gone = true;
    if (!r->later.queued)
        free(r);
}

/* False: that was the last one. */
static bool give(struct im_remote *r, struct im_up *up)
{
    if (up->kind == IM_UP_CLOSED) {
        on_closed(r, ((struct im_up_closed *)(void *)up)->reason);
        return false;
    }
    if (up->kind == IM_UP_INPUT)
        on_input(r, (struct im_up_input *)(void *)up);
    else if (!r->closing)
        im_core_input_end(r->worker->core_env->core, &r->link);
    return true;
}

static void give_waiting(struct im_later *later)
{
    struct im_remote *r = OWNER(im_remote, later, later);
    if (r->gone) {
        free(r);
        return;
    }
    tell_time(r->worker);
    for (bool more = true; more && r->waiting && (!r->held || r->closing);) {
        struct im_waiting *waiting = next_waiting(r);
        more = give(r, (struct im_up *)(void *)waiting->letter);
        free(waiting);
    }
}

/* What the link was sent has not left and will not; that is no reason to hold it any more. */
static void end_behind(struct im_remote *r)
{
    r->ended = r->dropped = r->link.lost = true;
    r->queued = 0;
    r->given = r->posted;
    im_core_writable(r->worker->core_env->core, &r->link);
}

static void give_or_keep(struct im_remote *r, struct im_up *up)
{
    bool end = up->kind == IM_UP_CLOSED;
    if (end) {
        r->worker->remotes[r->slot] = NULL;
        r->worker->remote_links--;
    }
    if (r->closing || !(r->waiting || (r->held && !end))) {
        give(r, up);
        return;
    }
    let_wait(r, up);
    if (end)
        end_behind(r);
}

static void on_left(struct im_worker *w, const struct im_up_left *left)
{
    size_t count = (left->up.letter.size - sizeof *left) / sizeof left->rows[0];
    for (size_t i = 0; i < count; i++) {
        struct im_remote *r = find(w, left->rows[i].slot);
        r->given = left->rows[i].weight;
        r->queued = left->rows[i].queued;
        if (!r->closing)
            im_core_writable(w->core_env->core, &r->link);
    }
}

static void on_up(struct im_worker *w, struct im_up *up)
{
    switch (up->kind) {
    case IM_UP_INPUT:
    case IM_UP_INPUT_END:
    case IM_UP_CLOSED:
        give_or_keep(find(w, up->slot), up);
        break;
    case IM_UP_OPENED:
        on_opened(w, up);
        break;
    case IM_UP_LEFT:
        on_left(w, (struct im_up_left *)(void *)up);
        break;
    case IM_UP_DONE: {
        struct im_done done = ((struct im_up_done *)(void *)up)->done;
        done.call(done.arg);
        break;
    }
    case IM_UP_STOPPED:
        w->stopped = true;
        break;
    }
}

/* Events come back to the thread that made them. */
static void take_mail(struct im_worker *w)
{
    struct im_mail back = {0};
    im_mailbox_take(w->up, &w->core_in, &back);
    im_down_clear(&w->core_spare, &back);
    im_soon_add(core_loop(w), &w->core_post, post); /* if only for the empty bags */
}

static uint32_t ticket_of(const struct im_worker *w)
{
    return im_mail_first(&w->core_in)->ticket;
}

static bool before(uint32_t ticket, uint32_t other)
{
    return (int32_t)(ticket - other) < 0;
}

static struct im_worker *with_oldest(const struct im_post_office *office)
{
    struct im_worker *oldest = NULL;
    for (struct im_worker *w = office->workers; w; w = w->next_in_office)
        if (im_mail_first(&w->core_in) && (!oldest || before(ticket_of(w), ticket_of(oldest))))
            oldest = w;
    return oldest;
}

static void read_batch(struct im_worker *w)
{
    const struct im_letter *next;
    do
        on_up(w, im_mail_read(&w->core_in, &w->core_spent));
    while ((next = im_mail_first(&w->core_in)) && next->ticket == 0);
}

/* Batches that are posted meanwhile may follow from some that were not taken. `woken`: whose mailbox called, or NULL.
 */
static void read_mail(struct im_post_office *office, const struct im_worker *woken)
{
    uint32_t last = atomic_load(&office->tickets);
    struct im_worker *w;
    for (w = office->workers; w; w = w->next_in_office)
        if (w == woken || !im_mailbox_empty(w->up))
            take_mail(w);
    while ((w = with_oldest(office)) && !before(last, ticket_of(w)))
        read_batch(w);
    if (w)
        evtimer_add(office->again, &(struct timeval){0});
}

void im_office_read(struct im_post_office *office)
{
    read_mail(office, NULL);
}

static void read_again(evutil_socket_t fd, short what, void *arg)
{
    struct im_post_office *office = arg;
    (void)fd, (void)what;
    tell_time(office->workers);
    read_mail(office, NULL);
}

static void on_mail(evutil_socket_t fd, short what, void *arg)
{
    const struct im_worker *w = arg;
    (void)fd, (void)what;
    tell_time(w);
    read_mail(w->office, w);
}

void im_remotes_enter(struct im_worker *w)
{
    if (!w->core_env->office) {
        w->core_env->office = im_zalloc(sizeof *w->office);
        w->core_env->office->again = evtimer_new(w->core_env->base, read_again, w->core_env->office);
    }
    w->office = w->core_env->office;
    w->next_in_office = w->office->workers;
    w->office->workers = w;
}

static void leave_office(struct im_worker *w)
{
    struct im_worker **at = &w->office->workers;
    while (*at != w)
        at = &(*at)->next_in_office;
    *at = w->next_in_office;
    if (w->office->workers)
        return;
    event_free(w->office->again);
    free(w->office);
    w->core_env->office = NULL;
}

bool im_remotes_open(struct im_worker *w)
{
    w->core_mail = event_new(w->core_env->base, im_mailbox_fd(w->up), EV_READ | EV_PERSIST, on_mail, w);
    return w->core_mail && event_add(w->core_mail, NULL) == 0;
}

void im_remotes_close(struct im_worker *w)
{
    for (uint32_t i = 0; i < w->remote_count; i++)
        assert(!w->remotes[i]);
    if (w->core_mail)
        event_free(w->core_mail);
    leave_office(w);
    im_down_clear(&w->core_spare, &w->core_out);
    im_mail_free(&w->core_in);
    im_mail_free(&w->core_spent);
    im_mail_free(&w->core_spare);
    free(w->remotes);
}
