#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "core/mem.h"
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
    struct im_letters waiting;
    struct im_later later;
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
    if (w->core_out.first || w->core_spent.first)
        im_mailbox_post(w->down, &w->core_out, &w->core_spent, 0);
}

struct im_down *im_down_new(struct im_worker *w, enum im_down_kind kind)
{
    struct im_down *d = (struct im_down *)(void *)im_letters_next(&w->core_empty);
    if (!d)
        d = im_alloc(sizeof *d);
    *d = (struct im_down){.kind = kind};
    return d;
}

void im_down_add(struct im_worker *w, struct im_down *d)
{
    im_letters_add(&w->core_out, &d->letter);
    im_soon_add(core_loop(w), &w->core_post, post);
}

static struct im_down *write_to(struct im_remote *r, enum im_down_kind kind)
{
    struct im_down *d = im_down_new(r->worker, kind);
    d->slot = r->slot;
    d->generation = r->generation;
    return d;
}

/* The core's down-calls. */

static size_t on_its_way(const struct im_remote *r)
{
    return (size_t)(r->posted - r->given);
}

static void give_waiting(struct im_later *later);

static void give_later(struct im_remote *r)
{
    if (r->waiting.first)
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
    struct im_down *d = write_to(r, IM_DOWN_CLOSE);
    d->reason = reason;
    im_down_add(r->worker, d);
}

/* May something be sent? It counts as dropped if not. */
static bool takes(struct im_remote *r)
{
    if (!r->closing && on_its_way(r) > r->worker->core_env->config->queue_hard_bytes)
        remote_close(&r->link, IM_TOO_SLOW);
    r->dropped |= r->closing || r->ended;
    return !r->closing && !r->ended;
}

static void send_letter(struct im_remote *r, struct im_down *d, size_t weight)
{
    enum im_lang lang = r->link.lang;
    d->send.weight = weight;
    d->send.lang = lang == r->lang ? -1 : (int8_t)lang;
    r->lang = lang;
    r->posted += weight;
    im_down_add(r->worker, d);
}

static void remote_send(struct im_link *link, struct im_event *event, bool own)
{
    struct im_remote *r = OWNER(im_remote, link, link);
    if (!takes(r)) {
        im_event_drop(&event);
        return;
    }
    struct im_down *d = write_to(r, IM_DOWN_SEND);
    d->send.event = event;
    d->send.own = own;
    send_letter(r, d, im_event_weight(event));
}

/* The answer to a send, which nearly every message has, needs no event of its own. */
static void send_ok(struct im_remote *r, const struct im_reply *reply)
{
    if (!takes(r))
        return;
    struct im_down *d = write_to(r, IM_DOWN_OK);
    d->send.event = im_event_hold(reply->send.msg);
    d->send.online = reply->send.online;
    d->send.dup = reply->send.dup;
    d->send.id_len = (uint8_t)reply->id.len;
    memcpy(d->send.id, reply->id.p, reply->id.len);
    send_letter(r, d, sizeof(struct im_event));
}

static void remote_tell(struct im_link *link, struct im_event *event, bool own)
{
    struct im_remote *r = OWNER(im_remote, link, link);
    struct im_reply reply;
    if (event->type != IM_EV_OK) {
        remote_send(link, im_event_hold(event), own);
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
    struct im_down *d = write_to(r, IM_DOWN_HOLD);
    d->on = on;
    im_down_add(r->worker, d);
}

static const struct im_link_ops remote_ops = {
    .send = remote_send,
    .tell = remote_tell,
    .queued = remote_queued,
    .hold = remote_hold,
    .close = remote_close,
};

/* What came up. Each of these says whether the letter is done with: the others wait. */

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
    struct im_remote *r = im_zalloc(sizeof *r);
    make_room(w, up->slot);
    assert(!w->remotes[up->slot]);
    w->remotes[up->slot] = r;
    r->worker = w;
    r->slot = up->slot;
    r->generation = up->generation;
    r->link.ops = &remote_ops;
    r->link.dialect = up->opened.dialect;
    enum im_reason reason = im_core_opened(w->core_env->core, &r->link, &up->opened.info);
    r->lang = r->link.lang;
    r->refused = reason != IM_OK;
    if (r->refused)
        remote_close(&r->link, reason);
}

static void tell_taken(struct im_remote *r)
{
    struct im_down *d = write_to(r, IM_DOWN_TAKEN);
    d->taken.inputs = r->taken;
    d->taken.bytes = r->taken_bytes;
    r->taken = 0;
    r->taken_bytes = 0;
    im_down_add(r->worker, d);
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

static void clear_input(struct im_up_input *in)
{
    im_command_release(&in->cmd);
    free(in->more);
    in->more = NULL;
}

static void on_input(struct im_remote *r, struct im_up_input *in)
{
    r->link.dialect = in->dialect;
    if (!r->closing) /* clears the command */
        im_core_decoded(r->worker->core_env->core, &r->link, &in->cmd, in->reason, in->detail);
    clear_input(in);
    take(r, in->bytes);
}

/* The core closed it, and its peer went, before it could be let go. */
static void drop_waiting(struct im_remote *r)
{
    struct im_letter *letter;
    while ((letter = im_letters_next(&r->waiting))) {
        if (((struct im_up *)(void *)letter)->kind == IM_UP_INPUT)
            clear_input((struct im_up_input *)(void *)letter);
        im_letters_add(&r->worker->core_spent, letter);
    }
}

static void on_closed(struct im_remote *r, enum im_reason reason)
{
    r->closing = true;
    drop_waiting(r);
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
    im_letters_add(&r->worker->core_spent, &up->letter);
    if (up->kind == IM_UP_CLOSED) {
        on_closed(r, up->reason);
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
    struct im_letter *letter;
    if (r->gone) {
        free(r);
        return;
    }
    tell_time(r->worker);
    while ((!r->held || r->closing) && (letter = im_letters_next(&r->waiting)))
        if (!give(r, (struct im_up *)(void *)letter))
            return;
}

/* What the link was sent has not left and will not; that is no reason to hold it any more. */
static void end_behind(struct im_remote *r)
{
    r->ended = r->dropped = true;
    r->queued = 0;
    r->given = r->posted;
    im_core_writable(r->worker->core_env->core, &r->link);
}

static void give_or_keep(struct im_remote *r, struct im_up *up)
{
    bool end = up->kind == IM_UP_CLOSED;
    if (end)
        r->worker->remotes[r->slot] = NULL;
    if (r->closing || !(r->waiting.first || (r->held && !end))) {
        give(r, up);
        return;
    }
    im_letters_add(&r->waiting, &up->letter);
    if (end)
        end_behind(r);
}

static void on_left(struct im_remote *r, const struct im_up *up)
{
    r->given = up->left.weight;
    r->queued = up->left.queued;
    if (!r->closing)
        im_core_writable(r->worker->core_env->core, &r->link);
}

/* Those that may wait for their link are spent later. */
static void on_up(struct im_worker *w, struct im_up *up)
{
    if (up->kind == IM_UP_INPUT || up->kind == IM_UP_INPUT_END || up->kind == IM_UP_CLOSED) {
        give_or_keep(find(w, up->slot), up);
        return;
    }
    if (up->kind == IM_UP_OPENED)
        on_opened(w, up);
    else if (up->kind == IM_UP_LEFT)
        on_left(find(w, up->slot), up);
    else if (up->kind == IM_UP_DONE)
        up->done.call(up->done.arg);
    else
        w->stopped = true;
    im_letters_add(&w->core_spent, &up->letter);
}

/* Events come back to the thread that made them. */
static void empty(struct im_worker *w, struct im_letters *empties)
{
    struct im_letter *letter;
    while ((letter = im_letters_next(empties))) {
        struct im_down *d = (struct im_down *)(void *)letter;
        if (im_down_has_event(d))
            im_event_drop(&d->send.event);
        d->kind = IM_DOWN_NOTHING;
        im_letters_keep(&w->core_empty, letter);
    }
}

static void take_mail(struct im_worker *w)
{
    struct im_letters empties = {0};
    im_mailbox_take(w->up, &w->core_in, &empties);
    empty(w, &empties);
    im_soon_add(core_loop(w), &w->core_post, post); /* if only for the empty ones */
}

static struct im_worker *with_oldest(const struct im_post_office *office)
{
    struct im_worker *oldest = NULL;
    for (struct im_worker *w = office->workers; w; w = w->next_in_office)
        if (w->core_in.first && (!oldest || w->core_in.first->ticket < oldest->core_in.first->ticket))
            oldest = w;
    return oldest;
}

static void read_batch(struct im_worker *w)
{
    do
        on_up(w, (struct im_up *)(void *)im_letters_next(&w->core_in));
    while (w->core_in.first && w->core_in.first->ticket == 0);
}

/* Batches that are posted meanwhile may follow from some that were not taken. `woken`: whose mailbox called, or NULL.
 */
static void read_mail(struct im_post_office *office, const struct im_worker *woken)
{
    unsigned long long last = atomic_load(&office->tickets);
    struct im_worker *w;
    for (w = office->workers; w; w = w->next_in_office)
        if (w == woken || !im_mailbox_empty(w->up))
            take_mail(w);
    while ((w = with_oldest(office)) && w->core_in.first->ticket <= last)
        read_batch(w);
    if (w)
        evtimer_add(office->again, &(struct timeval){0});
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
    im_up_free(&w->core_in);
    im_down_free(&w->core_out);
    im_down_free(&w->core_empty);
    im_up_free(&w->core_spent);
    free(w->remotes);
}
