#ifndef IM_TRANSPORTS_LOOP_H
#define IM_TRANSPORTS_LOOP_H

#include <event2/event.h>
#include <stdbool.h>
#include <stdint.h>

/* What everything on one event loop shares: work for a later turn, and many coarse timers for the price of one. Both
 * kinds of entry are embedded in their owner's struct (zero-initialised), cost no allocation, and never call back
 * before the function that registered them has returned to the loop. */
struct im_loop;
struct im_queue_pool;
struct im_stream;
struct im_transport_env;

/* What libevent needs to be for all this; NULL: the system refuses. Ends with event_base_free(). */
struct event_base *im_loop_base_new(void);
/* The environment's loop, made at the first use. */
struct im_loop *im_loop_of(struct im_transport_env *);
/* Before event_base_free(), when no stream, listener or timer is left. *loop may be NULL. */
void im_loop_free(struct im_loop **);
/* Milliseconds on a clock that never goes back. */
uint64_t im_loop_now_ms(void);
uint64_t im_loop_now_us(void);

/* Work for the next turn of the loop. It cannot be cancelled: run() looks at its owner's state, and only run() may free
 * an owner whose work is queued. */
struct im_later {
    void (*run)(struct im_later *);
    struct im_later *next;
    bool queued;
};
/* Again while queued: stays as it is. */
void im_later_add(struct im_loop *, struct im_later *, void (*run)(struct im_later *));

/* Work for the end of this very turn: after all that is ready now has been read. From within such work: for the next.
 */
void im_soon_add(struct im_loop *, struct im_later *, void (*run)(struct im_later *));
/* The same, after all of that. */
void im_last_add(struct im_loop *, struct im_later *, void (*run)(struct im_later *));

/* Is this the first time in this turn that this is asked? */
bool im_loop_new_turn(struct im_loop *);
/* Has it been asked in this turn: has anything come? */
bool im_loop_turn_known(const struct im_loop *);
/* When that was, by im_loop_now_ms(); or now. For what a turn more or less does not matter to. */
uint64_t im_loop_turn_ms(const struct im_loop *);

/* What every plain stream of the loop reads into; its content lasts until the next of them reads. */
#define IM_LOOP_BUFFER (16 * 1024)
uint8_t *im_loop_buffer(struct im_loop *);
/* And the blocks in which they gather what they write; transports/stream_queue.h. Those that were not needed
 * for so long are freed. */
struct im_queue_pool *im_loop_blocks(struct im_loop *, uint64_t spare_ms);

/* A coarse one-shot timer: fires up to IM_TIMER_GRAIN_MS late, never early. Start and stop cost O(1). */
#define IM_TIMER_GRAIN_MS 50
struct im_timer {
    void (*fire)(struct im_timer *);
    struct im_timer *next, **link; /* link NULL: not running */
    uint64_t due_ms;
};
void im_timer_start(struct im_loop *, struct im_timer *, uint64_t ms, void (*fire)(struct im_timer *)); /* or restart */
void im_timer_stop(struct im_loop *, struct im_timer *);                                                /* idempotent */

/* Every stream of the loop, for stream.c and for the end of the program. */
struct im_stream_list {
    struct im_stream *first;
    size_t count;
};
struct im_stream_list *im_loop_streams(struct im_loop *);

#endif
