#include <fcntl.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/mem.h"
#include "tests/conform/peer.h"
#include "transports/loop.h"
#include "transports/stream.h"
#include "transports/stream_queue.h"
#include "transports/tls.h"
#include "transports/transports.h"

/* Every test runs over a plain and over a TLS connection: nobody above may be able to tell. */

struct world {
    struct stage stage;
    struct im_transport_env env;
    struct im_config *config;
    struct im_counters counters;
    struct im_tls *tls;
    bool secure;
    struct im_stream *stream;
    struct peer *peer;
    int fd; /* the stream's */
    /* what the receiver does */
    size_t take;         /* most bytes per call, then it holds; 0: all */
    bool leave_end_open; /* does not finish at the peer's end */
    /* what it saw */
    struct buffer got;
    unsigned ready, ends, drained, ended, released;
    bool nested;  /* inside a call of the test's into the stream */
    bool fd_open; /* when released */
    enum im_reason reason;
    size_t queued_when_drained, queued_when_ended;
};

static size_t take_bytes(void *ctx, const uint8_t *p, size_t n)
{
    struct world *w = ctx;
    assert_false(w->nested);
    assert_int_equal(w->ended, 0);
    if (w->take && n > w->take) {
        n = w->take;
        im_stream_hold(w->stream, true);
    }
    buffer_put(&w->got, p, n);
    return n;
}

static void see_end(void *ctx)
{
    struct world *w = ctx;
    assert_false(w->nested);
    w->ends++;
    if (!w->leave_end_open)
        im_stream_finish(w->stream, IM_BYE, 1000);
}

static void see_drained(void *ctx)
{
    struct world *w = ctx;
    assert_false(w->nested);
    w->drained++;
    w->queued_when_drained = im_stream_queued(w->stream);
}

static void see_ended(void *ctx, enum im_reason reason)
{
    struct world *w = ctx;
    assert_false(w->nested);
    w->ended++;
    w->reason = reason;
    w->queued_when_ended = im_stream_queued(w->stream);
    w->stream = NULL;
}

static const struct im_stream_ops receiver = {take_bytes, see_end, see_drained, see_ended};

static void see_ready(void *arg, struct im_stream *stream)
{
    struct world *w = arg;
    assert_false(w->nested);
    w->ready++;
    im_stream_attach(stream, &receiver, w);
}

static void see_released(void *arg)
{
    struct world *w = arg;
    assert_false(w->nested);
    w->released++;
    w->fd_open = fcntl(w->fd, F_GETFD) >= 0;
}

/* Small buffers in the kernel, so that a few megabytes are more than it takes. */
static int small_socket(void)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0), bytes = 65536;
    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
    return fd;
}

static void socket_pair(int fds[2])
{
    struct sockaddr_in sa = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof sa;
    int listener = small_socket();
    assert_int_equal(bind(listener, (struct sockaddr *)(void *)&sa, len), 0);
    assert_int_equal(listen(listener, 1), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)(void *)&sa, &len), 0);
    fds[0] = small_socket();
    assert_int_equal(connect(fds[0], (struct sockaddr *)(void *)&sa, len), 0);
    fds[1] = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
    assert_true(fds[1] >= 0);
    close(listener);
}

static void open_streams(struct world *w, const int fds[2])
{
    w->fd = fds[1];
    w->peer = peer_new(&w->stage, fds[0], w->secure);
    im_stream_open(&(struct im_stream_open){.env = &w->env,
                                            .fd = fds[1],
                                            .tls = w->secure ? w->tls : NULL,
                                            .peer = "test",
                                            .ready = see_ready,
                                            .ready_arg = w,
                                            .release = see_released,
                                            .release_arg = w});
    w->stream = im_loop_streams(w->env.loop)->first;
}

static void make_tls(struct world *w)
{
    char dir[] = "/tmp/imd-stream-XXXXXX", cert[64], key[64];
    struct im_error error;
    assert_non_null(mkdtemp(dir));
    snprintf(cert, sizeof cert, "%s/cert.pem", dir);
    snprintf(key, sizeof key, "%s/key.pem", dir);
    make_certificate(cert, key, "test");
    assert_int_equal(im_tls_new(&w->tls, cert, key, &error), IM_OK);
    unlink(cert);
    unlink(key);
    rmdir(dir);
}

static int set_up(void **state, bool secure)
{
    struct world *w = im_zalloc(sizeof *w);
    int fds[2];
    *state = w;
    stage_open(&w->stage);
    w->config = im_config_new();
    w->env = (struct im_transport_env){.base = w->stage.base, .config = w->config, .counters = &w->counters};
    w->config->tls_handshake_ms = 2000;
    w->secure = secure;
    if (secure)
        make_tls(w);
    socket_pair(fds);
    open_streams(w, fds);
    return 0;
}

static int set_up_plain(void **state)
{
    return set_up(state, false);
}

static int set_up_tls(void **state)
{
    return set_up(state, true);
}

static int tear_down(void **state)
{
    struct world *w = *state;
    im_streams_abort(&w->env, IM_DRAIN);
    while (im_streams_count(&w->env) > 0)
        stage_step(&w->stage);
    assert_int_equal(w->released, 1);
    assert_false(w->fd_open);
    im_loop_free(&w->env.loop);
    im_tls_free(&w->tls);
    stage_close(&w->stage);
    im_config_free(&w->config);
    buffer_clear(&w->got);
    free(w);
    return 0;
}

static void until_ready(struct world *w)
{
    UNTIL(&w->stage, w->ready && (!w->secure || w->peer->secure));
}

/* Steps that are enough for anything that could still happen to happen. */
static void settle(struct world *w)
{
    for (int i = 0; i < 30; i++)
        stage_step(&w->stage);
}

static char *pattern(size_t len)
{
    char *p = im_alloc(len);
    for (size_t i = 0; i < len; i++)
        p[i] = (char)(i * 7 + i / 251);
    return p;
}

static void bytes_pass_both_ways(void **state)
{
    struct world *w = *state;
    until_ready(w);
    peer_say(w->peer, "hello");
    UNTIL(&w->stage, w->got.len == 5);
    assert_memory_equal(w->got.p, "hello", 5);
    im_stream_write(w->stream, "good", 4);
    im_stream_write(w->stream, " day", 4);
    assert_int_equal(im_stream_queued(w->stream), 8);
    UNTIL(&w->stage, w->peer->in.len == 8);
    assert_memory_equal(w->peer->in.p, "good day", 8);
    assert_int_equal(w->counters.n[IM_C_BYTES_IN], 5);
    assert_int_equal(w->counters.n[IM_C_BYTES_OUT], 8);
    assert_int_equal(w->counters.n[IM_C_TLS_HANDSHAKES], w->secure);
    assert_int_equal(im_stream_tls(w->stream), w->secure);
    assert_string_equal(im_stream_peer(w->stream), "test");
}

static void megabytes_arrive_whole(void **state)
{
    struct world *w = *state;
    size_t len = 3 << 20;
    char *data = pattern(len);
    struct im_bytes *shared = im_bytes_new(data, len);
    until_ready(w);
    buffer_put(&w->peer->out, data, len);
    im_stream_write_bytes(w->stream, shared, 100);
    assert_true(shared->refs > 1); /* queued, not copied */
    UNTIL(&w->stage, w->got.len == len && w->peer->in.len == len - 100);
    assert_memory_equal(w->got.p, data, len);
    assert_memory_equal(w->peer->in.p, data + 100, len - 100);
    assert_int_equal(shared->refs, 1);
    im_bytes_drop(&shared);
    free(data);
}

/* Pieces of all sizes and kinds, from a reader that sleeps first: they wait in many blocks. */
static void pieces_of_all_kinds_arrive_in_order(void **state)
{
    static const size_t sizes[] = {1, 4000, 7, 1023, 1024, 2, 30000, 2015, 2016, 2017, 300};
    struct world *w = *state;
    size_t len = 2 << 20, at = 0, n;
    char *data = pattern(len);
    struct im_bytes *shared = im_bytes_new(data, len);
    until_ready(w);
    w->peer->deaf = true;
    for (size_t i = 0; at < len; i++, at += n) {
        n = sizes[i % 11] < len - at ? sizes[i % 11] : len - at;
        if (i % 3 == 0)
            im_stream_write_static(w->stream, data + at, n);
        else
            im_stream_write(w->stream, data + at, n);
    }
    im_stream_write_bytes(w->stream, shared, 0);
    assert_int_equal(im_stream_queued(w->stream), 2 * len);
    settle(w);
    w->peer->deaf = false;
    UNTIL(&w->stage, w->peer->in.len == 2 * len);
    assert_memory_equal(w->peer->in.p, data, len);
    assert_memory_equal(w->peer->in.p + len, data, len);
    assert_int_equal(im_stream_queued(w->stream), 0);
    assert_int_equal(shared->refs, 1);
    im_bytes_drop(&shared);
    free(data);
}

static void queued_references_are_dropped_at_the_end(void **state)
{
    struct world *w = *state;
    char *data = pattern(1 << 20);
    struct im_bytes *shared = im_bytes_new(data, 1 << 20);
    until_ready(w);
    w->peer->deaf = true;
    for (int i = 0; i < 3; i++)
        im_stream_write_bytes(w->stream, shared, 0);
    settle(w);
    w->nested = true;
    im_stream_abort(w->stream, IM_KICKED);
    w->nested = false;
    UNTIL(&w->stage, w->released);
    settle(w);
    assert_int_equal(shared->refs, 1);
    im_bytes_drop(&shared);
    free(data);
}

static void input_comes_byte_by_byte(void **state)
{
    struct world *w = *state;
    until_ready(w);
    w->peer->chunk = 1;
    peer_say(w->peer, "one at a time");
    UNTIL(&w->stage, w->got.len == 13);
    assert_memory_equal(w->got.p, "one at a time", 13);
}

static void a_held_stream_keeps_what_is_not_taken(void **state)
{
    struct world *w = *state;
    until_ready(w);
    w->take = 4;
    peer_say(w->peer, "0123456789");
    UNTIL(&w->stage, w->got.len == 4);
    settle(w);
    assert_int_equal(w->got.len, 4);
    w->nested = true; /* the rest comes on a later turn, not from inside */
    im_stream_hold(w->stream, false);
    w->nested = false;
    UNTIL(&w->stage, w->got.len == 8);
    settle(w);
    assert_int_equal(w->got.len, 8);
    im_stream_hold(w->stream, false);
    UNTIL(&w->stage, w->got.len == 10);
    assert_memory_equal(w->got.p, "0123456789", 10);
}

static void holding_reaches_the_peer(void **state)
{
    struct world *w = *state;
    size_t len = 8 << 20;
    char *data = pattern(len);
    until_ready(w);
    im_stream_hold(w->stream, true);
    buffer_put(&w->peer->out, data, len);
    UNTIL(&w->stage, w->peer->blocked > 50);
    assert_int_equal(w->got.len, 0);
    assert_true(w->peer->out.len > 0);
    im_stream_hold(w->stream, false);
    UNTIL(&w->stage, w->got.len == len);
    assert_memory_equal(w->got.p, data, len);
    free(data);
}

static void the_end_comes_after_what_was_held(void **state)
{
    struct world *w = *state;
    until_ready(w);
    w->take = 4;
    peer_say(w->peer, "0123456789");
    UNTIL(&w->stage, w->peer->out.len == 0);
    peer_finish(w->peer);
    for (size_t len = 4; len <= 8; len += 4) {
        UNTIL(&w->stage, w->got.len == len);
        settle(w);
        assert_int_equal(w->ends, 0);
        im_stream_hold(w->stream, false);
    }
    UNTIL(&w->stage, w->ended);
    assert_int_equal(w->got.len, 10);
    assert_int_equal(w->ends, 1);
    assert_int_equal(w->reason, IM_BYE);
    UNTIL(&w->stage, w->peer->ended);
}

static void a_stream_can_be_written_to_after_the_peers_end(void **state)
{
    struct world *w = *state;
    size_t len = 2 << 20;
    char *data = pattern(len);
    until_ready(w);
    w->leave_end_open = true;
    w->peer->deaf = true;
    im_stream_write(w->stream, data, len);
    settle(w);
    assert_true(im_stream_queued(w->stream) > 0);
    peer_finish(w->peer);
    UNTIL(&w->stage, w->ends == 1);
    im_stream_write(w->stream, "last", 4);
    im_stream_finish(w->stream, IM_BYE, 1000);
    w->peer->deaf = false;
    UNTIL(&w->stage, w->peer->ended);
    assert_int_equal(w->peer->in.len, len + 4);
    assert_memory_equal(w->peer->in.p, data, len);
    assert_memory_equal(w->peer->in.p + len, "last", 4);
    UNTIL(&w->stage, w->ended);
    free(data);
}

static void finishing_flushes_and_waits_for_the_peer(void **state)
{
    struct world *w = *state;
    size_t len = 2 << 20;
    char *data = pattern(len);
    until_ready(w);
    im_stream_write(w->stream, data, len);
    im_stream_finish(w->stream, IM_KICKED, 10000);
    im_stream_finish(w->stream, IM_BYE, 0);
    im_stream_write(w->stream, "too late", 8);
    UNTIL(&w->stage, w->peer->ended);
    assert_int_equal(w->peer->in.len, len);
    assert_memory_equal(w->peer->in.p, data, len);
    peer_say(w->peer, "is read and forgotten");
    settle(w);
    assert_int_equal(w->got.len, 0);
    assert_int_equal(w->ended, 0);
    peer_finish(w->peer);
    UNTIL(&w->stage, w->ended);
    assert_int_equal(w->reason, IM_KICKED); /* the first one given */
    free(data);
}

static void finishing_ends_by_a_deadline(void **state)
{
    struct world *w = *state;
    until_ready(w);
    im_stream_write(w->stream, "bye", 3);
    uint64_t start = now_ms();
    im_stream_finish(w->stream, IM_DRAIN, 200);
    UNTIL(&w->stage, w->ended);
    assert_in_range(now_ms() - start, 200, 2000);
    assert_int_equal(w->reason, IM_DRAIN);
    assert_memory_equal(w->peer->in.p, "bye", 3);
}

static void finishing_does_not_wait_for_a_deaf_peer(void **state)
{
    struct world *w = *state;
    char *data = pattern(4 << 20);
    until_ready(w);
    w->peer->deaf = true;
    w->config->close_ms = 200;
    im_stream_write(w->stream, data, 4 << 20);
    uint64_t start = now_ms();
    im_stream_finish(w->stream, IM_KICKED, 100);
    UNTIL(&w->stage, w->ended);
    assert_in_range(now_ms() - start, 200, 2000);
    free(data);
}

static void aborting_is_told_later_and_once(void **state)
{
    struct world *w = *state;
    until_ready(w);
    w->nested = true;
    im_stream_abort(w->stream, IM_FLOOD);
    im_stream_abort(w->stream, IM_BYE);
    im_stream_finish(w->stream, IM_BYE, 100);
    im_stream_hold(w->stream, true);
    im_stream_hold(w->stream, false);
    im_stream_deadline(w->stream, 1, IM_BYE);
    w->nested = false;
    UNTIL(&w->stage, w->released);
    settle(w);
    assert_int_equal(w->ended, 1);
    assert_int_equal(w->reason, IM_FLOOD);
}

static void what_is_aborted_never_counts_as_having_left(void **state)
{
    struct world *w = *state;
    until_ready(w);
    im_stream_write(w->stream, "0123456789", 10);
    im_stream_abort(w->stream, IM_KICKED);
    assert_int_equal(im_stream_queued(w->stream), 10);
    im_stream_write(w->stream, "too late", 8);
    assert_int_equal(im_stream_queued(w->stream), 10);
    UNTIL(&w->stage, w->released);
    settle(w);
    assert_int_equal(w->queued_when_ended, 10);
    assert_int_equal(w->drained, 0);
}

static void what_is_written_to_an_aborted_stream_counts_though_nothing_waited(void **state)
{
    struct world *w = *state;
    until_ready(w);
    im_stream_abort(w->stream, IM_KICKED);
    assert_int_equal(im_stream_queued(w->stream), 0);
    im_stream_write_static(w->stream, "lost", 4);
    assert_int_equal(im_stream_queued(w->stream), 1);
}

static void static_bytes_are_sent_from_where_they_are(void **state)
{
    static char data[100000];
    struct world *w = *state;
    until_ready(w);
    memset(data, 'x', sizeof data);
    im_stream_write_static(w->stream, data, sizeof data);
    assert_int_equal(im_stream_queued(w->stream), sizeof data);
    data[50000] = 'y'; /* not copied */
    UNTIL(&w->stage, w->peer->in.len == sizeof data);
    assert_memory_equal(w->peer->in.p, data, sizeof data);
    assert_int_equal(im_stream_queued(w->stream), 0);
    assert_int_equal(im_stream_sent(w->stream), sizeof data);
}

static void a_peer_that_vanishes_is_gone(void **state)
{
    struct world *w = *state;
    struct linger reset = {.l_onoff = 1};
    until_ready(w);
    setsockopt(w->peer->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    peer_free(&w->stage, &w->peer);
    UNTIL(&w->stage, w->ended);
    assert_int_equal(w->reason, IM_GONE);
    assert_int_equal(w->ends, 0);
}

/* A TLS peer that goes without close_notify is as good as one that says goodbye. */
static void a_peer_that_just_closes_has_ended(void **state)
{
    struct world *w = *state;
    until_ready(w);
    peer_say(w->peer, "last words");
    UNTIL(&w->stage, w->peer->out.len == 0 && w->got.len == 10);
    peer_free(&w->stage, &w->peer);
    UNTIL(&w->stage, w->ended);
    assert_int_equal(w->ends, 1);
    assert_int_equal(w->reason, IM_BYE);
}

static void drained_comes_when_the_queue_is_low(void **state)
{
    struct world *w = *state;
    size_t len = 3 << 20;
    char *data = pattern(len);
    until_ready(w);
    im_stream_low_water(w->stream, 256 << 10);
    w->peer->deaf = true;
    im_stream_write(w->stream, data, len);
    settle(w);
    assert_int_equal(w->drained, 0);
    w->peer->deaf = false;
    UNTIL(&w->stage, w->drained == 1);
    assert_in_range(w->queued_when_drained, 1, 256 << 10);
    UNTIL(&w->stage, w->peer->in.len == len);
    UNTIL(&w->stage, w->drained == 2);
    assert_int_equal(w->queued_when_drained, 0);
    settle(w);
    assert_int_equal(w->drained, 2);
    free(data);
}

static void what_never_rose_over_low_water_is_told_when_it_has_left(void **state)
{
    struct world *w = *state;
    until_ready(w);
    im_stream_low_water(w->stream, 256 << 10);
    im_stream_write(w->stream, "little", 6);
    UNTIL(&w->stage, w->drained == 1);
    assert_int_equal(w->queued_when_drained, 0);
}

static void drained_means_empty_by_default(void **state)
{
    struct world *w = *state;
    until_ready(w);
    im_stream_write(w->stream, "a", 1);
    UNTIL(&w->stage, w->drained == 1);
    assert_int_equal(w->queued_when_drained, 0);
    im_stream_write(w->stream, "b", 1);
    UNTIL(&w->stage, w->drained == 2);
}

static void a_queue_over_the_limit_ends_the_stream(void **state)
{
    struct world *w = *state;
    char *data = pattern(1 << 20);
    until_ready(w);
    w->peer->deaf = true;
    for (int i = 0; i < 100 && !w->ended; i++) {
        im_stream_write(w->stream, data, 1 << 20);
        assert_true(im_stream_queued(w->stream) <= w->config->queue_hard_bytes + (1 << 20));
        stage_step(&w->stage);
    }
    UNTIL(&w->stage, w->ended);
    assert_int_equal(w->reason, IM_TOO_SLOW);
    free(data);
}

static void a_streams_own_limit_goes_first(void **state)
{
    struct world *w = *state;
    char *data = pattern(1 << 20);
    until_ready(w);
    im_stream_queue_limit(w->stream, 20 << 20);
    for (int i = 0; i < 16; i++)
        im_stream_write(w->stream, data, 1 << 20);
    UNTIL(&w->stage, w->peer->in.len == 16 << 20);
    free(data);
}

static void a_stalled_reader_ends_the_stream(void **state)
{
    struct world *w = *state;
    char *data = pattern(4 << 20);
    until_ready(w);
    w->config->stall_ms = 300;
    w->peer->deaf = true;
    im_stream_write(w->stream, data, 4 << 20);
    uint64_t start = now_ms();
    UNTIL(&w->stage, w->ended);
    assert_in_range(now_ms() - start, 300, 3000);
    assert_int_equal(w->reason, IM_TOO_SLOW);
    free(data);
}

static ssize_t read_piece(struct peer *p, char piece[2048])
{
    return p->ssl ? SSL_read(p->ssl, piece, 2048) : read(p->fd, piece, 2048);
}

/* Two bytes a microsecond: the whole takes much longer than a stall may, but something leaves all the time. */
static void a_slow_but_steady_reader_lives(void **state)
{
    struct world *w = *state;
    size_t len = 4 << 20, got = 0;
    char *data = pattern(len), piece[2048];
    until_ready(w);
    w->config->stall_ms = 700;
    w->peer->deaf = true;
    im_stream_write(w->stream, data, len);
    uint64_t start = now_ms();
    while (got < len && !w->ended) {
        ssize_t n = got < (now_ms() - start) * 2048 ? read_piece(w->peer, piece) : 0;
        if (n > 0)
            assert_memory_equal(piece, data + got, n);
        got += n > 0 ? (size_t)n : 0;
        if (n <= 0)
            stage_step(&w->stage);
    }
    assert_int_equal(w->reason, IM_OK);
    assert_true(now_ms() - start > 2 * w->config->stall_ms);
    free(data);
}

static void a_deadline_is_not_moved_by_traffic(void **state)
{
    struct world *w = *state;
    until_ready(w);
    uint64_t start = now_ms();
    im_stream_deadline(w->stream, 300, IM_UPGRADE_TIMEOUT);
    while (!w->ended && now_ms() < start + 3000) {
        if (w->peer->out.len == 0)
            peer_say(w->peer, ".");
        stage_step(&w->stage);
    }
    assert_in_range(now_ms() - start, 300, 1500);
    assert_int_equal(w->reason, IM_UPGRADE_TIMEOUT);
}

static void a_deadline_can_be_replaced_and_cleared(void **state)
{
    struct world *w = *state;
    until_ready(w);
    im_stream_deadline(w->stream, 100, IM_UPGRADE_TIMEOUT);
    im_stream_deadline(w->stream, 0, IM_OK);
    for (uint64_t end = now_ms() + 300; now_ms() < end;)
        stage_step(&w->stage);
    assert_int_equal(w->ended, 0);
    im_stream_deadline(w->stream, 60000, IM_UPGRADE_TIMEOUT);
    im_stream_deadline(w->stream, 100, IM_LOGIN_TIMEOUT);
    UNTIL(&w->stage, w->ended);
    assert_int_equal(w->reason, IM_LOGIN_TIMEOUT);
}

/* What an upgrade does: the new receiver gets the bytes that the old one left. */
struct upgrade {
    struct world *w;
    char first[3];
};

static size_t take_three(void *ctx, const uint8_t *p, size_t n)
{
    struct upgrade *u = ctx;
    assert_true(n >= 3);
    memcpy(u->first, p, 3);
    im_stream_attach(u->w->stream, &receiver, u->w);
    return 3;
}

static void a_new_receiver_gets_the_rest(void **state)
{
    static const struct im_stream_ops first = {take_three, NULL, NULL, see_ended};
    struct world *w = *state;
    struct upgrade upgrade = {.w = w};
    until_ready(w);
    im_stream_attach(w->stream, &first, &upgrade);
    peer_say(w->peer, "abcdefgh");
    UNTIL(&w->stage, w->got.len == 5);
    assert_memory_equal(upgrade.first, "abc", 3);
    assert_memory_equal(w->got.p, "defgh", 5);
}

/* The receiver may still look at what it was given, though it came from what was put by. */
static size_t finish_amid(void *ctx, const uint8_t *p, size_t n)
{
    struct world *w = ctx;
    if (w->got.len >= 4)
        im_stream_finish(w->stream, IM_KICKED, 0);
    else
        im_stream_hold(w->stream, true);
    buffer_put(&w->got, p, 4);
    return n < 4 ? n : 4;
}

static void bytes_stay_while_the_stream_finishes(void **state)
{
    static const struct im_stream_ops finisher = {finish_amid, NULL, NULL, see_ended};
    struct world *w = *state;
    until_ready(w);
    im_stream_attach(w->stream, &finisher, w);
    peer_say(w->peer, "0123456789");
    UNTIL(&w->stage, w->got.len == 4);
    im_stream_hold(w->stream, false);
    UNTIL(&w->stage, w->ended);
    assert_memory_equal(w->got.p, "01234567", 8);
    assert_int_equal(w->got.len, 8);
    assert_int_equal(w->counters.n[IM_C_BYTES_IN], 10);
}

/* Plain streams: each turn reads a bounded piece, and writes at most once. */

static void turn_once(struct world *w)
{
    event_base_loop(w->stage.base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
}

/* Another stream in place of the first: over a socket that keeps the bounds of what was sent at once. */
static int packets(struct world *w)
{
    int fds[2];
    until_ready(w);
    im_stream_abort(w->stream, IM_BYE);
    UNTIL(&w->stage, w->released);
    w->ready = w->ended = w->released = 0;
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, fds), 0);
    open_streams(w, fds);
    w->peer->deaf = true;
    until_ready(w);
    return fds[0];
}

static size_t answer_in_pieces(void *ctx, const uint8_t *p, size_t n)
{
    static const char large[3000];
    struct world *w = ctx;
    struct im_bytes *b = im_bytes_new(large, sizeof large);
    (void)p;
    im_stream_write(w->stream, "a", 1);
    im_stream_write_bytes(w->stream, b, 0);
    im_stream_write(w->stream, "bc", 2);
    im_stream_write_static(w->stream, large, 1000);
    im_bytes_drop(&b);
    return n;
}

static void what_a_turn_gathers_leaves_in_one_piece(void **state)
{
    static const struct im_stream_ops answerer = {answer_in_pieces, NULL, NULL, see_ended};
    struct world *w = *state;
    char answer[5000];
    int fd = packets(w);
    im_stream_attach(w->stream, &answerer, w);
    peer_say(w->peer, "?");
    UNTIL(&w->stage, im_stream_sent(w->stream) > 0);
    assert_int_equal(recv(fd, answer, sizeof answer, 0), 1 + 3000 + 2 + 1000);
    assert_int_equal(im_stream_queued(w->stream), 0);
    assert_int_equal(recv(fd, answer, sizeof answer, 0), -1);
}

/* "?" is answered by what may wait, anything else by what may not. */
static size_t answer_patiently(void *ctx, const uint8_t *p, size_t n)
{
    struct world *w = ctx;
    im_stream_patient(w->stream, p[0] == '?');
    im_stream_write(w->stream, p, n);
    im_stream_patient(w->stream, false);
    return n;
}

static void what_may_wait_leaves_with_what_comes_in_the_next_turn(void **state)
{
    static const struct im_stream_ops answerer = {answer_patiently, NULL, NULL, see_ended};
    struct world *w = *state;
    char answer[8];
    int fd = packets(w);
    im_stream_attach(w->stream, &answerer, w);
    for (int other = 0; other < 2; other++) {
        assert_int_equal(send(fd, "?", 1, 0), 1);
        turn_once(w);
        assert_int_equal(im_stream_queued(w->stream), 1);
        if (other)
            assert_int_equal(send(fd, "!", 1, 0), 1);
        turn_once(w);
        assert_int_equal(im_stream_queued(w->stream), 0);
        assert_int_equal(recv(fd, answer, sizeof answer, 0), 1 + other);
        assert_memory_equal(answer, "?!", 1 + (size_t)other);
    }
    assert_int_equal(send(fd, "?", 1, 0), 1);
    assert_int_equal(send(fd, "!", 1, 0), 1);
    turn_once(w);
    im_stream_abort(w->stream, IM_BYE); /* while something waits */
}

/* As if somebody else's bytes came. */
static void come(evutil_socket_t fd, short what, void *arg)
{
    struct world *w = arg;
    (void)fd, (void)what;
    im_loop_new_turn(im_loop_of(&w->env));
}

static void what_may_wait_waits_a_few_turns_of_a_busy_loop(void **state)
{
    static const struct im_stream_ops answerer = {answer_patiently, NULL, NULL, see_ended};
    struct world *w = *state;
    char answer[8];
    int fd = packets(w);
    struct event *others = event_new(w->stage.base, -1, 0, come, w);
    im_stream_attach(w->stream, &answerer, w);
    for (int busy = 1; busy <= 5; busy++) { /* turns in which something comes */
        assert_int_equal(send(fd, "?", 1, 0), 1);
        turn_once(w);
        for (int turn = 1; turn < busy && turn < 4; turn++) {
            event_active(others, EV_TIMEOUT, 0);
            turn_once(w);
            assert_int_equal(im_stream_queued(w->stream), 1);
        }
        if (busy == 5)
            event_active(others, EV_TIMEOUT, 0);
        turn_once(w);
        assert_int_equal(im_stream_queued(w->stream), 0);
        assert_int_equal(recv(fd, answer, sizeof answer, 0), 1);
    }
    event_free(others);
}

static void what_may_wait_waits_for_nothing_where_that_is_configured(void **state)
{
    static const struct im_stream_ops answerer = {answer_patiently, NULL, NULL, see_ended};
    struct world *w = *state;
    char answer[8];
    int fd = packets(w);
    w->config->answer_turns = 0;
    im_stream_attach(w->stream, &answerer, w);
    assert_int_equal(send(fd, "?", 1, 0), 1);
    turn_once(w);
    assert_int_equal(recv(fd, answer, sizeof answer, 0), 1);
}

static void use_blocks(struct im_queue_pool *pool, size_t count)
{
    static const uint8_t data[16 * 1024];
    struct im_queue q = {0};
    for (size_t i = 0; i < count; i++)
        im_queue_copy(&q, pool, data, sizeof data);
    im_queue_clear(&q, pool);
}

static size_t spare(const struct im_queue_pool *pool)
{
    return pool->count[0] + pool->count[1];
}

static void blocks_stay_as_long_as_they_are_needed(void **state)
{
    struct im_queue_pool pool = {0};
    (void)state;
    use_blocks(&pool, 10);
    assert_int_equal(spare(&pool), 10);
    assert_true(im_queue_pool_trim(&pool));
    assert_int_equal(spare(&pool), 10); /* all were needed since */
    use_blocks(&pool, 4);
    assert_true(im_queue_pool_trim(&pool));
    assert_int_equal(spare(&pool), 4);
    assert_false(im_queue_pool_trim(&pool));
    assert_int_equal(spare(&pool), 0);
}

static void an_idle_loop_has_no_blocks(void **state)
{
    struct world *w = *state;
    w->config->spare_buffers_ms = 3600000; /* until it is reloaded */
    until_ready(w);
    im_stream_write(w->stream, "a", 1);
    UNTIL(&w->stage, im_stream_queued(w->stream) == 0);
    const struct im_queue_pool *pool = im_loop_blocks(im_loop_of(&w->env), 3600000);
    assert_int_equal(spare(pool), 1);
    w->config->spare_buffers_ms = 100;
    im_stream_write(w->stream, "b", 1);
    UNTIL(&w->stage, im_stream_queued(w->stream) == 0);
    UNTIL(&w->stage, spare(pool) == 0);
}

static void what_a_turn_gathers_leaves_as_one_record(void **state)
{
    struct world *w = *state;
    uint8_t record[6000] = {0};
    struct im_bytes *b = im_bytes_new(record, 3000);
    until_ready(w);
    settle(w);
    w->peer->deaf = true;
    settle(w);
    im_stream_write(w->stream, "a", 1);
    im_stream_write_bytes(w->stream, b, 0);
    im_stream_write(w->stream, "bc", 2);
    im_stream_write_static(w->stream, "static", 6);
    im_bytes_drop(&b);
    turn_once(w);
    turn_once(w);
    assert_int_equal(im_stream_sent(w->stream), 1 + 3000 + 2 + 6);
    ssize_t n = recv(w->peer->fd, record, sizeof record, MSG_PEEK | MSG_DONTWAIT);
    assert_in_range(n, 3009, 3100);
    assert_int_equal(record[3] << 8 | record[4], n - 5);
    w->peer->deaf = false;
    UNTIL(&w->stage, w->peer->in.len == 3009);
    assert_memory_equal(w->peer->in.p + 3001, "bcstatic", 8);
}

/* What the socket did not take is repeated by somebody else, from another place. */
/* A reader that is slow with large messages must not cost a large block for the few bytes before each of them. */
static void few_bytes_between_references_take_small_blocks(void **state)
{
    (void)state;
    enum { MESSAGES = 8 };
    static const uint8_t text[2000];
    struct im_queue queue = {0};
    struct im_queue_pool pool = {0};
    for (int i = 0; i < MESSAGES; i++) {
        im_queue_copy(&queue, &pool, text, 4);
        im_queue_refer(&queue, text, sizeof text, NULL);
    }
    im_queue_clear(&queue, &pool);
    assert_int_equal(pool.count[0], MESSAGES);
    assert_int_equal(pool.count[1], 0);
    im_queue_pool_clear(&pool);
}

static void what_waits_for_the_socket_arrives_whole(void **state)
{
    struct world *w = *state;
    size_t sum = 0, len = 1 << 20;
    char *data = pattern(len);
    until_ready(w);
    w->peer->deaf = true;
    settle(w);
    w->config->queue_hard_bytes = 2 * len;
    for (size_t n = 1; sum + n <= len; sum += n, n = (n * 5 + 1) % 20000) {
        struct im_bytes *b = im_bytes_new(data + sum, n);
        im_stream_write_bytes(w->stream, b, 0);
        im_bytes_drop(&b);
        turn_once(w);
    }
    assert_in_range(im_stream_queued(w->stream), 1, sum);
    w->peer->deaf = false;
    UNTIL(&w->stage, w->peer->in.len == sum);
    assert_memory_equal(w->peer->in.p, data, sum);
    assert_int_equal(im_stream_queued(w->stream), 0);
    im_stream_write(w->stream, "more", 4);
    UNTIL(&w->stage, w->peer->in.len == sum + 4);
    free(data);
}

static void what_a_turn_brings_is_answered_in_that_turn(void **state)
{
    static const struct im_stream_ops answerer = {answer_in_pieces, NULL, NULL, see_ended};
    struct world *w = *state;
    int fd = packets(w);
    im_stream_attach(w->stream, &answerer, w);
    turn_once(w);
    assert_int_equal(send(fd, "?", 1, MSG_NOSIGNAL), 1);
    turn_once(w);
    assert_int_equal(im_stream_sent(w->stream), 1 + 3000 + 2 + 1000);
}

static void a_flood_is_read_in_bounded_pieces(void **state)
{
    struct world *w = *state;
    size_t len = 1 << 20, before;
    char *data = pattern(len);
    until_ready(w);
    im_stream_hold(w->stream, true);
    buffer_put(&w->peer->out, data, len);
    UNTIL(&w->stage, w->peer->blocked > 5);
    im_stream_hold(w->stream, false);
    do {
        before = w->got.len;
        turn_once(w);
        assert_true(w->got.len - before <= IM_LOOP_BUFFER);
    } while (w->got.len > before || before == 0);
    assert_true(before > IM_LOOP_BUFFER);
    UNTIL(&w->stage, w->got.len == len);
    free(data);
}

static void a_broken_pipe_raises_no_signal(void **state)
{
    struct world *w = *state;
    until_ready(w);
    im_stream_hold(w->stream, true); /* so that writing meets it first */
    peer_free(&w->stage, &w->peer);
    signal(SIGPIPE, SIG_DFL);
    for (int i = 0; i < 1000 && !w->ended; i++) {
        im_stream_write(w->stream, "x", 1);
        turn_once(w);
    }
    signal(SIGPIPE, SIG_IGN);
    assert_int_equal(w->ended, 1);
    assert_int_equal(w->reason, IM_GONE);
}

static void a_reset_ends_a_held_stream_that_has_output_waiting(void **state)
{
    struct world *w = *state;
    struct linger reset = {.l_onoff = 1};
    char *data = pattern(4 << 20);
    until_ready(w);
    w->peer->deaf = true;
    im_stream_hold(w->stream, true);
    im_stream_write(w->stream, data, 4 << 20);
    settle(w);
    assert_true(im_stream_queued(w->stream) > 0);
    setsockopt(w->peer->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    peer_free(&w->stage, &w->peer);
    UNTIL(&w->stage, w->ended);
    assert_int_equal(w->reason, IM_GONE);
    free(data);
}

static void write_packet(struct world *w)
{
    static const char packet[1000];
    im_stream_write(w->stream, packet, sizeof packet);
    turn_once(w);
}

/* The timer of the first wait still runs when the second begins, and nothing leaves after that. */
static void each_wait_may_take_the_whole_stall_time(void **state)
{
    struct world *w = *state;
    char packet[1000];
    unsigned fit = 0;
    int fd = packets(w);
    w->config->stall_ms = 1000;
    for (write_packet(w); im_stream_queued(w->stream) == 0; write_packet(w))
        fit++;
    uint64_t start = now_ms();
    for (unsigned i = 0; i < fit; i++)
        assert_int_equal(recv(fd, packet, sizeof packet, 0), sizeof packet);
    UNTIL(&w->stage, im_stream_queued(w->stream) == 0);
    for (unsigned i = 1; i < fit; i++)
        write_packet(w);
    assert_int_equal(im_stream_queued(w->stream), 0);
    UNTIL(&w->stage, now_ms() - start > 700);
    start = now_ms();
    write_packet(w);
    assert_int_equal(im_stream_queued(w->stream), sizeof packet);
    UNTIL(&w->stage, w->ended);
    assert_true(now_ms() - start >= 1000);
    assert_int_equal(w->reason, IM_TOO_SLOW);
}

static void nothing(struct im_later *later)
{
    (void)later;
}

static size_t write_and_abort(void *ctx, const uint8_t *p, size_t n)
{
    struct world *w = ctx;
    (void)p;
    im_stream_write(w->stream, "x", 1);
    im_stream_abort(w->stream, IM_KICKED);
    return n;
}

/* Work for this turn waits already when the stream's end joins it: it comes before the write that is due. */
static void an_abort_in_the_turn_of_a_write_outlives_it(void **state)
{
    static const struct im_stream_ops aborter = {write_and_abort, NULL, NULL, see_ended};
    struct world *w = *state;
    struct im_later other = {0};
    int fd = packets(w);
    im_stream_attach(w->stream, &aborter, w);
    turn_once(w);
    assert_int_equal(send(fd, "?", 1, MSG_NOSIGNAL), 1);
    im_later_add(im_loop_of(&w->env), &other, nothing);
    turn_once(w);
    assert_false(other.queued);
    UNTIL(&w->stage, w->released);
    assert_int_equal(w->reason, IM_KICKED);
}

static void an_end_nobody_asks_about_ends_the_stream(void **state)
{
    static const struct im_stream_ops plain = {take_bytes, NULL, NULL, see_ended};
    struct world *w = *state;
    until_ready(w);
    im_stream_attach(w->stream, &plain, w);
    UNTIL(&w->stage, w->ready);
    peer_finish(w->peer);
    UNTIL(&w->stage, w->ended);
    assert_int_equal(w->reason, IM_GONE);
}

static void ending_before_it_is_ready_counts_and_vanishes(void **state)
{
    struct world *w = *state;
    im_streams_abort(&w->env, IM_DRAIN);
    UNTIL(&w->stage, w->released);
    assert_int_equal(w->ready, 0);
    assert_int_equal(w->ended, 0);
    assert_int_equal(w->counters.closed[IM_DRAIN], 1);
    assert_int_equal(im_streams_count(&w->env), 0);
}

/* The beginning of a ClientHello, a byte at a time: an inactivity timer would wait forever. */
static void the_handshake_has_a_deadline(void **state)
{
    static const char hello[] = "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03";
    struct world *w = *state;
    uint64_t start = now_ms();
    size_t sent = 0;
    w->peer->broken = true; /* the bytes are sent here */
    while (!w->released && now_ms() < start + 5000) {
        if (now_ms() - start > sent * 20) {
            send(w->peer->fd, sent < sizeof hello ? hello + sent : "x", 1, MSG_NOSIGNAL);
            sent++;
        }
        stage_step(&w->stage);
    }
    assert_int_equal(w->counters.closed[IM_TLS_TIMEOUT], 1);
    assert_in_range(now_ms() - start, w->config->tls_handshake_ms, 2 * w->config->tls_handshake_ms);
}

static void garbage_instead_of_tls_is_refused(void **state)
{
    struct world *w = *state;
    static const char garbage[] = "GET / HTTP/1.1\r\n\r\n";
    w->peer->broken = true;
    assert_true(send(w->peer->fd, garbage, sizeof garbage, MSG_NOSIGNAL) > 0);
    UNTIL(&w->stage, w->released);
    assert_int_equal(w->counters.closed[IM_TLS_FAILED], 1);
    assert_int_equal(w->ready, 0);
}

static void old_tls_is_refused(void **state)
{
    struct world *w = *state;
    SSL_set_security_level(w->peer->ssl, 0);
    SSL_set_min_proto_version(w->peer->ssl, TLS1_1_VERSION);
    SSL_set_max_proto_version(w->peer->ssl, TLS1_1_VERSION);
    UNTIL(&w->stage, w->released);
    assert_int_equal(w->counters.closed[IM_TLS_FAILED], 1);
}

static void renegotiation_is_refused(void **state)
{
    struct world *w = *state;
    SSL_set_max_proto_version(w->peer->ssl, TLS1_2_VERSION);
    until_ready(w);
    assert_int_equal(SSL_renegotiate(w->peer->ssl), 1);
    SSL_do_handshake(w->peer->ssl);
    UNTIL(&w->stage, w->peer->broken); /* told no */
    assert_int_equal(w->counters.n[IM_C_TLS_HANDSHAKES], 1);
}

static void credentials_are_known_for_unix_peers_only(void **state)
{
    struct world *w = *state;
    unsigned uid = 12345;
    int fds[2];
    until_ready(w);
    assert_false(im_stream_peer_uid(w->stream, &uid));
    im_stream_abort(w->stream, IM_BYE);
    UNTIL(&w->stage, w->released);
    w->ready = w->ended = w->released = 0;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
    open_streams(w, fds);
    until_ready(w);
    assert_true(im_stream_peer_uid(w->stream, &uid));
    assert_int_equal(uid, getuid());
}

/* Timers and later work, on which streams stand. */

struct alarm {
    struct im_timer timer;
    struct im_later later;
    struct im_loop *loop;
    struct alarm *stops;
    uint64_t fired_ms;
    unsigned count, again;
};

static void ring(struct im_timer *timer)
{
    struct alarm *a = (struct alarm *)(void *)timer;
    a->fired_ms = now_ms();
    a->count++;
    if (a->stops)
        im_timer_stop(a->loop, &a->stops->timer);
    if (a->again && a->again--)
        im_timer_start(a->loop, &a->timer, 60, ring);
}

static void timers_fire_in_time_or_not_at_all(void **state)
{
    struct world *w = *state;
    struct im_loop *loop = im_loop_of(&w->env);
    struct alarm alarms[40] = {0};
    uint64_t start = now_ms();
    for (size_t i = 0; i < 40; i++) {
        alarms[i].loop = loop;
        im_timer_start(loop, &alarms[i].timer, i * 20, ring);
    }
    alarms[0].again = 3;
    alarms[3].stops = &alarms[38];
    im_timer_stop(loop, &alarms[39].timer);
    im_timer_stop(loop, &alarms[39].timer);
    UNTIL(&w->stage, alarms[37].count > 0);
    for (size_t i = 1; i < 38; i++) {
        assert_int_equal(alarms[i].count, 1);
        assert_in_range(alarms[i].fired_ms - start, i * 20, i * 20 + IM_TIMER_GRAIN_MS + 500);
    }
    assert_int_equal(alarms[0].count, 4);
    for (uint64_t end = now_ms() + 150; now_ms() < end;)
        stage_step(&w->stage);
    assert_int_equal(alarms[38].count + alarms[39].count, 0);
}

static void work_again(struct im_later *later)
{
    struct alarm *a = (struct alarm *)(void *)((char *)later - offsetof(struct alarm, later));
    a->count++;
    if (a->count == 10)
        return;
    im_later_add(a->loop, later, work_again);
    im_later_add(a->loop, later, work_again);
}

static void later_work_runs_once_a_turn(void **state)
{
    struct world *w = *state;
    struct alarm *a = im_zalloc(sizeof *a);
    until_ready(w);
    a->loop = im_loop_of(&w->env);
    im_later_add(a->loop, &a->later, work_again);
    assert_int_equal(a->count, 0);
    for (unsigned i = 1; a->count < 10; i++) {
        event_base_loop(w->stage.base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
        assert_true(a->count <= i);
    }
    settle(w);
    assert_int_equal(a->count, 10);
    free(a);
}

static void soon(struct im_later *later)
{
    struct alarm *a = (struct alarm *)(void *)((char *)later - offsetof(struct alarm, later));
    if (++a->count < 3)
        im_soon_add(a->loop, later, soon);
}

static void add_soon(struct im_later *later)
{
    struct alarm *a = (struct alarm *)(void *)((char *)later - offsetof(struct alarm, later));
    im_soon_add(a->loop, later, soon);
    im_soon_add(a->loop, later, soon);
}

static void soon_work_runs_in_the_same_turn_but_once(void **state)
{
    struct world *w = *state;
    struct alarm *a = im_zalloc(sizeof *a);
    until_ready(w);
    a->loop = im_loop_of(&w->env);
    im_later_add(a->loop, &a->later, add_soon);
    for (unsigned turns = 1; turns <= 3; turns++) {
        turn_once(w);
        assert_int_equal(a->count, turns);
    }
    settle(w);
    assert_int_equal(a->count, 3);
    free(a);
}

#define PLAIN(function) cmocka_unit_test_setup_teardown(function, set_up_plain, tear_down)
#define TLS(function)                                                                                                  \
    {                                                                                                                  \
#function "_tls", function, set_up_tls, tear_down, NULL                                                        \
    }
#define BOTH(function) PLAIN(function), TLS(function)

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(bytes_pass_both_ways),
        BOTH(megabytes_arrive_whole),
        BOTH(pieces_of_all_kinds_arrive_in_order),
        BOTH(queued_references_are_dropped_at_the_end),
        BOTH(input_comes_byte_by_byte),
        BOTH(a_held_stream_keeps_what_is_not_taken),
        BOTH(holding_reaches_the_peer),
        BOTH(the_end_comes_after_what_was_held),
        BOTH(a_stream_can_be_written_to_after_the_peers_end),
        BOTH(finishing_flushes_and_waits_for_the_peer),
        BOTH(finishing_ends_by_a_deadline),
        BOTH(finishing_does_not_wait_for_a_deaf_peer),
        BOTH(aborting_is_told_later_and_once),
        BOTH(what_is_aborted_never_counts_as_having_left),
        BOTH(what_is_written_to_an_aborted_stream_counts_though_nothing_waited),
        BOTH(static_bytes_are_sent_from_where_they_are),
        BOTH(a_peer_that_vanishes_is_gone),
        BOTH(a_peer_that_just_closes_has_ended),
        BOTH(drained_comes_when_the_queue_is_low),
        BOTH(what_never_rose_over_low_water_is_told_when_it_has_left),
        BOTH(drained_means_empty_by_default),
        BOTH(a_queue_over_the_limit_ends_the_stream),
        BOTH(a_streams_own_limit_goes_first),
        BOTH(a_stalled_reader_ends_the_stream),
        BOTH(a_slow_but_steady_reader_lives),
        BOTH(a_deadline_is_not_moved_by_traffic),
        BOTH(a_deadline_can_be_replaced_and_cleared),
        BOTH(a_new_receiver_gets_the_rest),
        BOTH(bytes_stay_while_the_stream_finishes),
        BOTH(what_waits_for_the_socket_arrives_whole),
        cmocka_unit_test(few_bytes_between_references_take_small_blocks),
        BOTH(an_end_nobody_asks_about_ends_the_stream),
        BOTH(ending_before_it_is_ready_counts_and_vanishes),
        TLS(the_handshake_has_a_deadline),
        TLS(garbage_instead_of_tls_is_refused),
        TLS(old_tls_is_refused),
        TLS(renegotiation_is_refused),
        PLAIN(credentials_are_known_for_unix_peers_only),
        PLAIN(what_a_turn_gathers_leaves_in_one_piece),
        PLAIN(what_may_wait_leaves_with_what_comes_in_the_next_turn),
        PLAIN(what_may_wait_waits_a_few_turns_of_a_busy_loop),
        PLAIN(what_may_wait_waits_for_nothing_where_that_is_configured),
        cmocka_unit_test(blocks_stay_as_long_as_they_are_needed),
        PLAIN(an_idle_loop_has_no_blocks),
        TLS(what_a_turn_gathers_leaves_as_one_record),
        PLAIN(what_a_turn_brings_is_answered_in_that_turn),
        PLAIN(a_flood_is_read_in_bounded_pieces),
        PLAIN(a_broken_pipe_raises_no_signal),
        PLAIN(a_reset_ends_a_held_stream_that_has_output_waiting),
        PLAIN(each_wait_may_take_the_whole_stall_time),
        PLAIN(an_abort_in_the_turn_of_a_write_outlives_it),
        PLAIN(timers_fire_in_time_or_not_at_all),
        PLAIN(later_work_runs_once_a_turn),
        PLAIN(soon_work_runs_in_the_same_turn_but_once),
    };
    return cmocka_run_group_tests_name("stream", tests, NULL, NULL);
}
