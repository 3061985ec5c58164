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
    jam(w, seen, w->config->queue_soft_bytes + 1);
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
    jam(w, seen, w->config->queue_soft_bytes + 1);
    uint64_t before = w->counters.n[IM_C_BYTES_IN];
    say_ping(p, 1);
    UNTIL(&w->stage, w->counters.n[IM_C_BYTES_IN] > before);
    peer_free(&w->stage, &p);
    UNTIL(&w->stage, seen->closes == 1);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(each_ping_is_answered_while_the_peer_reads),
        T(only_the_latest_pong_waits_for_a_peer_that_does_not_read),
        T(a_pong_that_waits_is_dropped_with_the_link),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
