#ifndef IM_TESTS_WORLD_H
#define IM_TESTS_WORLD_H

#include "core/core.h"
#include "core/mem.h"
#include "stores/stores.h"
#include "tests/unit/unit.h"

/* A core over the memory store, and links whose output is text to look at: each message on a line. */

struct world {
    struct im_config *config;
    struct im_store *store;
    struct im_counters counters;
    struct im_core *core;
    uint64_t now;
    uint8_t randoms;
};

struct wire {
    struct im_link link;
    struct world *world;
    struct im_out out; /* what was said since the last look */
    size_t queued;
    bool stuck; /* what is sent stays queued */
    bool held, closed;
    enum im_reason reason;
    char *line;
};

static void wire_send(struct im_link *link, struct im_event *e, bool own)
{
    struct wire *w = (struct wire *)link;
    struct im_bytes *b = link->dialect->encode(link, e, own);
    if (b) {
        im_out_put(&w->out, b->data, b->len);
        im_out_char(&w->out, '\n');
        w->queued += b->len;
    }
    im_bytes_drop(&b);
    im_event_drop(&e);
}

static size_t wire_queued(const struct im_link *link)
{
    return ((const struct wire *)link)->queued;
}

static void wire_hold(struct im_link *link, bool on)
{
    ((struct wire *)link)->held = on;
}

static void wire_close(struct im_link *link, enum im_reason reason)
{
    struct wire *w = (struct wire *)link;
    if (!w->closed)
        w->reason = reason;
    w->closed = true;
}

static const struct im_link_ops wire_ops = {
    .send = wire_send, .queued = wire_queued, .hold = wire_hold, .close = wire_close};

static inline void world_wake(void *arg)
{
    (void)arg;
}

static inline void world_time(struct world *w, uint64_t ms)
{
    w->now += ms;
    im_core_time(w->core, 1700000000000 + (int64_t)w->now, w->now, 0);
    im_core_tick(w->core);
}

/* Different every time, and the same in every run. */
static inline void world_random(void *arg, void *out, size_t len)
{
    memset(out, ++((struct world *)arg)->randoms, len);
}

/* `options` has what the world does not set itself. */
static inline struct world *world_make(struct im_core_options options)
{
    struct world *w = im_zalloc(sizeof *w);
    struct im_store_options store = {.epoch_seed = {0xab}, .wake = world_wake};
    struct im_error error;
    w->config = im_config_new();
    assert_int_equal(im_store_memory_open(&store, &w->store, &error), IM_OK);
    options.config = w->config;
    w->store->prompt = false; /* it answers when the test says so, as one with a disk does */
    options.store = w->store;
    options.counters = &w->counters;
    memcpy(options.hash_key, (uint8_t[IM_HASH_KEY_BYTES]){1, 2, 3}, sizeof options.hash_key);
    if (options.random == NULL) {
        options.random = world_random;
        options.random_arg = w;
    }
    w->core = im_core_new(&options);
    world_time(w, 1);
    return w;
}

static inline int world_new(void **state)
{
    *state = world_make((struct im_core_options){0});
    return 0;
}

static inline int world_free(void **state)
{
    struct world *w = *state;
    while (w->store->ops->drain(w->store) > 0)
        ;
    im_core_check(w->core);
    im_core_free(&w->core);
    w->store->ops->close(&w->store);
    im_config_free(&w->config);
    free(w);
    return 0;
}

#define world_test(name) cmocka_unit_test_setup_teardown(name, world_new, world_free)

static inline void wire_open(struct world *w, struct wire *x, const struct im_dialect *dialect)
{
    *x = (struct wire){.world = w};
    x->link.ops = &wire_ops;
    x->link.dialect = dialect;
    struct im_link_info info = {.transport = "test", .address = IM_STR("here")};
    assert_int_equal(im_core_opened(w->core, &x->link, &info), IM_OK);
}

static inline void wire_close_now(struct wire *x)
{
    im_core_closed(x->world->core, &x->link, x->closed ? x->reason : IM_GONE);
    while (x->world->store->ops->drain(x->world->store) > 0)
        ;
    im_out_clear(&x->out);
    im_link_clear(&x->link);
    free(x->line);
}

/* Lets the store answer and, unless the wire is stuck, the bytes leave. */
static inline void wire_settle(struct wire *x)
{
    do {
        while (x->world->store->ops->drain(x->world->store) > 0)
            ;
        if (x->queued > 0 && !x->stuck) {
            x->queued = 0;
            im_core_writable(x->world->core, &x->link);
        }
    } while (x->queued > 0 && !x->stuck);
    while (x->world->store->ops->drain(x->world->store) > 0)
        ;
    im_core_check(x->world->core);
}

static inline void wire_say(struct wire *x, const char *text)
{
    im_core_input(x->world->core, &x->link, im_str(text));
    wire_settle(x);
}

/* What the link said since the last look. */
static inline const char *wire_heard(struct wire *x)
{
    wire_settle(x);
    free(x->line);
    x->line = im_strndup(im_out_data(&x->out), x->out.len);
    im_out_clear(&x->out);
    return x->line;
}

#define assert_heard(wire, text) assert_string_equal(wire_heard(wire), text)
#define assert_heard_part(wire, part)                                                                                  \
    do {                                                                                                               \
        const char *heard_ = wire_heard(wire);                                                                         \
        if (strstr(heard_, part) == NULL)                                                                              \
            fail_msg("heard: %s", heard_);                                                                             \
    } while (0)

static inline void wire_login(struct wire *x, const char *user)
{
    char text[200];
    snprintf(text, sizeof text, "{\"op\":\"login\",\"id\":1,\"user\":\"%s\"}", user);
    wire_say(x, text);
    wire_heard(x);
}

#endif
