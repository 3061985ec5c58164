#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/mem.h"
#include "tests/conform/fake_core.h"
#include "tests/conform/speech.h"
#include "transports/listener.h"
#include "transports/loop.h"
#include "transports/transports.h"

/* What is peculiar to WebSocket links; what every transport promises is in tests/conform/transport.c. */

struct world {
    struct stage stage;
    struct im_config *config;
    struct im_counters counters;
    struct im_core core;
    struct im_transport_env env;
    struct im_listener *listener;
};

static int set_up(void **state)
{
    struct world *w = im_zalloc(sizeof *w);
    char address[] = "127.0.0.1:0";
    struct im_error error = {0};
    stage_open(&w->stage);
    w->config = im_config_new();
    w->core.dialect_env.config = w->config;
    w->env = (struct im_transport_env){
        .base = w->stage.base, .core = &w->core, .config = w->config, .counters = &w->counters};
    struct im_listen_config listen = {.address = address, .backlog = 10};
    if (im_transport_websocket.listen(&w->listener, &w->env, &listen, &error) != IM_OK)
        fail_msg("%s", error.detail);
    *state = w;
    return 0;
}

static int tear_down(void **state)
{
    struct world *w = *state;
    im_transport_websocket.close(&w->listener);
    im_streams_abort(&w->env, IM_DRAIN);
    while (im_streams_count(&w->env) > 0)
        stage_step(&w->stage);
    assert_null(w->env.websocket); /* what the links shared went with the last of them */
    im_loop_free(&w->env.loop);
    fake_core_clear(&w->core);
    stage_close(&w->stage);
    im_config_free(&w->config);
    free(w);
    return 0;
}

static struct peer *enter(struct world *w, struct seen **seen)
{
    struct peer *p = peer_connect(&w->stage, im_listener_address(w->listener), false);
    speech_websocket.greet(p);
    UNTIL(&w->stage, w->core.opened > 0 && speech_websocket.greeted(p));
    *seen = w->core.seen[0];
    return p;
}

static char *notice_text(size_t len)
{
    char *text = im_alloc(len + 1);
    memset(text, 'x', len);
    text[len] = '\0';
    return text;
}

/* Fills the queue of a peer that does not read until nothing moves any more. */
static void jam(struct world *w, struct seen *seen, size_t least)
{
    char *text = notice_text(100000);
    size_t before;
    do {
        if ((before = seen_queued(seen)) < least)
            seen_send(seen, text);
        for (int i = 0; i < 20; i++)
            stage_step(&w->stage);
    } while (seen_queued(seen) < least || seen_queued(seen) != before);
    free(text);
}

static void say_ping(struct peer *p, unsigned char number)
{
    unsigned char frame[] = {0x89, 0x81, 0, 0, 0, 0, number};
    buffer_put(&p->out, frame, sizeof frame);
}

/* Counts pongs among what has come; *last is the latest one's payload. */
static size_t take_pongs(struct peer *p, unsigned char *last)
{
    size_t count = 0;
    for (;;) {
        const unsigned char *in = (const unsigned char *)p->in.p;
        struct heard heard;
        if (p->in.len >= 3 && in[0] == 0x8a) {
            assert_int_equal(in[1], 1);
            *last = in[2];
            count++;
            buffer_eat(&p->in, 3);
        } else if (p->in.len > 0 && in[0] != 0x8a && speech_websocket.hear(p, &heard)) {
            free(heard.text);
        } else {
            return count;
        }
    }
}

static void each_ping_is_answered_while_the_peer_reads(void **state)
{
    struct world *w = *state;
    struct seen *seen;
    struct peer *p = enter(w, &seen);
    unsigned char last = 0;
    size_t count = 0;
    for (unsigned char i = 1; i <= 20; i++)
        say_ping(p, i);
    UNTIL(&w->stage, (count += take_pongs(p, &last)) > 0 && last == 20);
    assert_int_equal(count, 20);
    peer_free(&w->stage, &p);
}

static void only_the_latest_pong_waits_for_a_peer_that_does_not_read(void **state)
{
    struct world *w = *state;
    struct seen *seen;
    struct peer *p = enter(w, &seen);
    unsigned char last = 0;
    size_t count = 0;
    p->deaf = true;
    w->config->queue_soft_bytes = 64 << 10;
    w->config->queue_hard_bytes = 64 << 20;
    jam(w, seen, 12 << 20); /* whatever the kernel's buffers still take of it, it stays jammed */
    uint64_t before = w->counters.n[IM_C_BYTES_IN];
    for (unsigned char i = 1; i <= 20; i++)
        say_ping(p, i);
    UNTIL(&w->stage, w->counters.n[IM_C_BYTES_IN] == before + 20 * 7);
    p->deaf = false;
    UNTIL(&w->stage, (count += take_pongs(p, &last)) > 0);
    assert_int_equal(count, 1);
    assert_int_equal(last, 20);
    say_ping(p, 21);
    UNTIL(&w->stage, (count += take_pongs(p, &last)) > 1);
    assert_int_equal(last, 21);
    peer_free(&w->stage, &p);
}

static void a_pong_that_waits_is_dropped_with_the_link(void **state)
{
    struct world *w = *state;
    struct seen *seen;
    struct peer *p = enter(w, &seen);
    p->deaf = true;
    w->config->queue_soft_bytes = 64 << 10;
    w->config->queue_hard_bytes = 64 << 20;
    jam(w, seen, 12 << 20); /* whatever the kernel's buffers still take of it, it stays jammed */
    uint64_t before = w->counters.n[IM_C_BYTES_IN];
    say_ping(p, 1);
    UNTIL(&w->stage, w->counters.n[IM_C_BYTES_IN] > before);
    peer_free(&w->stage, &p);
    UNTIL(&w->stage, seen->closes == 1);
}

static void say_pong(struct peer *p)
{
    static const unsigned char frame[] = {0x8a, 0x80, 0, 0, 0, 0};
    buffer_put(&p->out, frame, sizeof frame);
}

/* Reads all that comes and says nothing. */
static void a_mute_peer_is_given_up_though_messages_reach_it(void **state)
{
    struct world *w = *state;
    struct seen *seen;
    w->config->ping_ms = 300;
    w->config->pong_ms = 900;
    w->config->stall_ms = 3600000;
    struct peer *p = enter(w, &seen);
    uint64_t start = now_ms();
    while (!seen->closes && now_ms() - start < WAIT_MS) {
        seen_send(seen, "are you there?");
        stage_step(&w->stage);
        p->in.len = 0;
    }
    assert_int_equal(seen->closes, 1);
    assert_int_equal(seen->reason, IM_PING_TIMEOUT);
    assert_true(now_ms() - start >= 800);
    peer_free(&w->stage, &p);
}

static void a_ping_that_could_not_leave_is_not_held_against_the_peer(void **state)
{
    struct world *w = *state;
    struct seen *seen;
    w->config->ping_ms = 200;
    w->config->stall_ms = 2500;
    struct peer *p = enter(w, &seen);
    w->config->pong_ms = 1000; /* only now: the kernel's own patience with the socket was set from it */
    char *text = notice_text(100000);
    const size_t least = 16 << 20; /* more than a kernel takes in the end */
    w->config->queue_hard_bytes = 2 * least;
    p->deaf = true;
    for (size_t before = 0; before <= least || seen_queued(seen) != before;) {
        say_pong(p); /* so that the next ping comes behind what is stuck */
        while ((before = seen_queued(seen)) <= least)
            seen_send(seen, text);
        for (uint64_t end = now_ms() + 150; now_ms() < end;)
            stage_step(&w->stage);
    }
    free(text);
    assert_int_equal(seen->closes, 0);
    UNTIL(&w->stage, seen->closes);
    assert_int_equal(seen->reason, IM_TOO_SLOW);
    peer_free(&w->stage, &p);
}

static void time_in_which_a_link_is_held_is_no_silence(void **state)
{
    struct world *w = *state;
    struct seen *seen;
    w->config->ping_ms = 200;
    w->config->pong_ms = 600;
    struct peer *p = enter(w, &seen);
    seen_hold(seen, true);
    for (uint64_t end = now_ms() + 1500; now_ms() < end;)
        stage_step(&w->stage);
    assert_int_equal(seen->closes, 0);
    speech_websocket.say(p, "still here", 10);
    seen_hold(seen, false);
    UNTIL(&w->stage, seen->count == 1);
    UNTIL(&w->stage, seen->closes); /* and afterwards it is watched again */
    assert_int_equal(seen->reason, IM_PING_TIMEOUT);
    peer_free(&w->stage, &p);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(each_ping_is_answered_while_the_peer_reads),
        T(only_the_latest_pong_waits_for_a_peer_that_does_not_read),
        T(a_pong_that_waits_is_dropped_with_the_link),
        T(a_mute_peer_is_given_up_though_messages_reach_it),
        T(a_ping_that_could_not_leave_is_not_held_against_the_peer),
        T(time_in_which_a_link_is_held_is_no_silence),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
