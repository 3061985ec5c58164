#include "transports/loop.h"

#include <assert.h>
#include <stdlib.h>
#include <time.h>

#include "core/mem.h"
#include "transports/stream_queue.h"
#include "transports/transports.h"

/* A hashed wheel: a timer waits in the slot of the tick at which it falls due, a whole number of rounds ahead. One turn
 * of the wheel looks at one slot, so a hundred thousand idle connections cost a few hundred looks each tick. */
enum { SLOTS = 256 };

struct work {
    struct event *event; /* pending or active while there is any */
    struct im_later *first, **last;
    bool running;
};

struct im_loop {
    struct event *tick_event; /* pending while any timer runs */
    struct work later, soon;
    struct work last; /* runs behind soon, by its event */
    struct im_later turn_ends;
    bool turn_known;
    uint64_t turn_ms; /* when it began, while it is known */
    struct im_queue_pool blocks;
    struct im_timer trim; /* runs while there may be spare blocks */
    uint64_t spare_ms;
    struct im_timer *slots[SLOTS];
    uint64_t tick; /* the last one looked at */
    size_t running;
    struct im_stream_list streams;
    uint8_t buffer[IM_LOOP_BUFFER];
};

/* Not with epoll's change list: it would tell the kernel at the next turn that a descriptor is not waited for any more,
 * when that is closed and its number perhaps another thread's connection. And it would save nothing, as what waits is
 * armed once and stays. */
struct event_base *im_loop_base_new(void)
{
    return event_base_new();
}

uint64_t im_loop_now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

uint64_t im_loop_now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

struct im_stream_list *im_loop_streams(struct im_loop *loop)
{
    return &loop->streams;
}

/* What a work list runs may put work into it: that comes at the next time. */
static void run_work(struct work *work)
{
    struct im_later *later = work->first;
    work->first = NULL;
    work->last = &work->first;
    while (later) {
        struct im_later *next = later->next;
        later->queued = false;
        later->run(later);
        later = next;
    }
}

static void add_work(struct work *work, struct im_later *later, void (*run)(struct im_later *))
{
    *later = (struct im_later){.run = run, .queued = true};
    *work->last = later;
    work->last = &later->next;
}

/* An event that times out waits for the next turn. */
static void run_next_turn(struct event *event)
{
    evtimer_add(event, &(struct timeval){0});
}

static void run_later(evutil_socket_t fd, short what, void *arg)
{
    struct im_loop *loop = arg;
    (void)fd, (void)what;
    run_work(&loop->later);
}

void im_later_add(struct im_loop *loop, struct im_later *later, void (*run)(struct im_later *))
{
    if (later->queued)
        return;
    if (!loop->later.first)
        run_next_turn(loop->later.event);
    add_work(&loop->later, later, run);
}

/* What is added meanwhile waits for the next turn, so that every turn ends. */
static void run_soon(evutil_socket_t fd, short what, void *arg)
{
    struct im_loop *loop = arg;
    (void)fd, (void)what;
    loop->soon.running = true;
    run_work(&loop->soon);
    run_work(&loop->last);
    loop->soon.running = false;
    if (loop->soon.first || loop->last.first)
        run_next_turn(loop->soon.event);
}

/* An event made active runs in this turn, after all that are active already. */
static void run_this_turn(struct im_loop *loop)
{
    if (!loop->soon.first && !loop->last.first && !loop->soon.running)
        event_active(loop->soon.event, EV_TIMEOUT, 0);
}

void im_soon_add(struct im_loop *loop, struct im_later *later, void (*run)(struct im_later *))
{
    if (later->queued)
        return;
    run_this_turn(loop);
    add_work(&loop->soon, later, run);
}

void im_last_add(struct im_loop *loop, struct im_later *later, void (*run)(struct im_later *))
{
    if (later->queued)
        return;
    run_this_turn(loop);
    add_work(&loop->last, later, run);
}

static void forget_turn(struct im_later *later)
{
    struct im_loop *loop = (struct im_loop *)(void *)((char *)later - offsetof(struct im_loop, turn_ends));
    loop->turn_known = false;
}

bool im_loop_new_turn(struct im_loop *loop)
{
    if (loop->turn_known)
        return false;
    im_soon_add(loop, &loop->turn_ends, forget_turn);
    loop->turn_known = !loop->soon.running; /* what runs then is the turn's last */
    loop->turn_ms = im_loop_now_ms();
    return true;
}

bool im_loop_turn_known(const struct im_loop *loop)
{
    return loop->turn_known;
}

uint64_t im_loop_turn_ms(const struct im_loop *loop)
{
    return loop->turn_known ? loop->turn_ms : im_loop_now_ms();
}

uint8_t *im_loop_buffer(struct im_loop *loop)
{
    return loop->buffer;
}

static void link_timer(struct im_timer **head, struct im_timer *timer)
{
    timer->next = *head;
    timer->link = head;
    if (timer->next)
        timer->next->link = &timer->next;
    *head = timer;
}

static void unlink_timer(struct im_timer *timer)
{
    *timer->link = timer->next;
    if (timer->next)
        timer->next->link = timer->link;
    timer->next = NULL;
    timer->link = NULL;
}

void im_timer_stop(struct im_loop *loop, struct im_timer *timer)
{
    if (!timer->link)
        return;
    unlink_timer(timer);
    if (--loop->running == 0)
        event_del(loop->tick_event);
}

void im_timer_start(struct im_loop *loop, struct im_timer *timer, uint64_t ms, void (*fire)(struct im_timer *))
{
    uint64_t now = im_loop_now_ms();
    im_timer_stop(loop, timer);
    if (loop->running++ == 0) {
        loop->tick = now / IM_TIMER_GRAIN_MS;
        event_add(loop->tick_event, &(struct timeval){.tv_usec = IM_TIMER_GRAIN_MS * 1000});
    }
    timer->fire = fire;
    timer->due_ms = now + ms;
    uint64_t tick = (timer->due_ms + IM_TIMER_GRAIN_MS - 1) / IM_TIMER_GRAIN_MS;
    if (tick <= loop->tick)
        tick = loop->tick + 1;
    link_timer(&loop->slots[tick % SLOTS], timer);
}

static void trim_blocks(struct im_timer *timer)
{
    struct im_loop *loop = (struct im_loop *)(void *)((char *)timer - offsetof(struct im_loop, trim));
    if (im_queue_pool_trim(&loop->blocks))
        im_timer_start(loop, &loop->trim, loop->spare_ms, trim_blocks);
}

struct im_queue_pool *im_loop_blocks(struct im_loop *loop, uint64_t spare_ms)
{
    if (!loop->trim.link || loop->spare_ms != spare_ms) {
        loop->spare_ms = spare_ms;
        im_timer_start(loop, &loop->trim, spare_ms, trim_blocks);
    }
    return &loop->blocks;
}

static void collect_due(struct im_timer *slot, uint64_t now, struct im_timer **due)
{
    while (slot) {
        struct im_timer *next = slot->next;
        if (slot->due_ms <= now) {
            unlink_timer(slot);
            link_timer(due, slot);
        }
        slot = next;
    }
}

static void run_tick(evutil_socket_t fd, short what, void *arg)
{
    struct im_loop *loop = arg;
    (void)fd, (void)what;
    uint64_t now = im_loop_now_ms(), tick = now / IM_TIMER_GRAIN_MS;
    struct im_timer *due = NULL;
    if (tick - loop->tick > SLOTS)
        loop->tick = tick - SLOTS;
    while (loop->tick < tick)
        collect_due(loop->slots[++loop->tick % SLOTS], now, &due);
    while (due) { /* whatever fires may stop or start others */
        struct im_timer *timer = due;
        im_timer_stop(loop, timer);
        timer->fire(timer);
    }
}

struct im_loop *im_loop_of(struct im_transport_env *env)
{
    if (!env->loop) {
        struct im_loop *loop = im_zalloc(sizeof *loop);
        loop->tick_event = event_new(env->base, -1, EV_PERSIST, run_tick, loop);
        loop->later = (struct work){.event = evtimer_new(env->base, run_later, loop), .last = &loop->later.first};
        loop->soon = (struct work){.event = evtimer_new(env->base, run_soon, loop), .last = &loop->soon.first};
        loop->last.last = &loop->last.first;
        env->loop = loop;
    }
    return env->loop;
}

void im_loop_free(struct im_loop **loop)
{
    if (!*loop)
        return;
    im_timer_stop(*loop, &(*loop)->trim);
    assert((*loop)->running == 0 && !(*loop)->later.first && (*loop)->streams.count == 0);
    event_free((*loop)->tick_event);
    event_free((*loop)->later.event);
    event_free((*loop)->soon.event);
    im_queue_pool_clear(&(*loop)->blocks);
    free(*loop);
    *loop = NULL;
}
