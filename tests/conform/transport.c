#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/mem.h"
#include "tests/conform/fake_core.h"
#include "tests/conform/speech.h"
#include "transports/gate.h"
#include "transports/listener.h"
#include "transports/loop.h"
#include "transports/transports.h"
#include "transports/worker.h"

/* What every transport owes the core and its clients, whatever it is made of. One test per promise, run for each
 * variant; a new transport is one more row. */

struct variant {
    const char *name, *transport;
    bool tls;
    const struct speech *speech;
    bool worker; /* its loop is not the core's */
};

static const struct variant variants[] = {
    {"line", "line", false, &speech_line, false},
    {"line_tls", "line", true, &speech_line, false},
    {"unix", "unix", false, &speech_line, false},
    {"websocket", "websocket", false, &speech_websocket, false},
    {"websocket_tls", "websocket", true, &speech_websocket, false},
    {"worker", "websocket", false, &speech_classroom, true},
    {"worker_tls", "websocket", true, &speech_classroom, true},
};

struct world {
    const struct variant *variant;
    const struct im_transport *transport;
    struct stage stage;
    struct im_config *config;
    struct im_counters counters;
    struct im_core core;
    struct im_transport_env env;
    struct im_listener *listener;
    struct im_worker *worker; /* NULL: none */
    bool running;             /* … and started: after what a test says in the configuration */
    char dir[32], cert[64], key[64], address[64];
};

static enum im_reason listen_with(struct world *w, struct im_listener **listener, const struct im_listen_config *listen,
                                  struct im_error *error)
{
    if (!w->worker)
        return w->transport->listen(listener, &w->env, listen, error);
    enum im_reason reason = im_worker_listen(w->worker, w->transport, listen, NULL, error);
    *listener = im_worker_listener(w->worker, 0);
    return reason;
}

static struct im_listener *listen_here(struct world *w)
{
    struct im_listener *listener = NULL;
    struct im_error error = {0};
    bool on_unix = strcmp(w->variant->transport, "unix") == 0;
    char path[64], port[] = "127.0.0.1:0", mode[] = "0600";
    snprintf(path, sizeof path, "%s/sock", w->dir);
    struct im_listen_config listen = {.address = on_unix ? path : port, .mode = mode, .backlog = 100};
    if (w->variant->tls) {
        listen.tls_cert = w->cert;
        listen.tls_key = w->key;
    }
    if (listen_with(w, &listener, &listen, &error) != IM_OK)
        fail_msg("%s", error.detail);
    return listener;
}

static int set_up(void **state)
{
    static const struct im_http_route no_routes[] = {{0}};
    struct im_error error;
    static const uint8_t hash_key[IM_HASH_KEY_BYTES] = {1};
    struct world *w = im_zalloc(sizeof *w);
    w->variant = *state;
    w->transport = im_transport_find(w->variant->transport);
    *state = w;
    assert_non_null(w->transport);
    stage_open(&w->stage);
    strcpy(w->dir, "/tmp/imd-conform-XXXXXX");
    assert_non_null(mkdtemp(w->dir));
    snprintf(w->cert, sizeof w->cert, "%s/cert.pem", w->dir);
    snprintf(w->key, sizeof w->key, "%s/key.pem", w->dir);
    make_certificate(w->cert, w->key, "first");
    w->config = im_config_new();
    w->config->message_bytes = 2 << 20;
    w->config->text_bytes = 1 << 20;
    w->config->close_ms = 2000;
    w->core.dialect_env.config = w->config;
    w->env = (struct im_transport_env){.base = w->stage.base,
                                       .core = &w->core,
                                       .config = w->config,
                                       .counters = &w->counters,
                                       .routes = no_routes,
                                       .gate = im_gate_new(hash_key)};
    if (w->variant->worker)
        assert_int_equal(im_worker_new(&w->worker, &w->env, &error), IM_OK);
    w->listener = listen_here(w);
    snprintf(w->address, sizeof w->address, "%s", im_listener_address(w->listener));
    return 0;
}

static void end_worker(struct world *w)
{
    im_worker_stop(w->worker);
    UNTIL(&w->stage, im_worker_stopped(w->worker));
    im_worker_free(&w->worker);
}

static int tear_down(void **state)
{
    struct world *w = *state;
    if (w->worker)
        end_worker(w);
    else
        w->transport->close(&w->listener);
    im_streams_abort(&w->env, IM_DRAIN);
    while (im_streams_count(&w->env) > 0)
        stage_step(&w->stage);
    for (size_t i = 0; i < w->core.opened; i++)
        assert_int_equal(w->core.seen[i]->closes, 1);
    assert_int_equal(im_gate_count(w->env.gate), 0);
    im_loop_free(&w->env.loop);
    im_gate_free(&w->env.gate);
    fake_core_clear(&w->core);
    stage_close(&w->stage);
    im_config_free(&w->config);
    unlink(w->cert);
    unlink(w->key);
    assert_int_equal(rmdir(w->dir), 0); /* a Unix socket is unlinked by its listener */
    *state = (void *)(uintptr_t)w->variant;
    free(w);
    return 0;
}

/* Helpers. */

static void settle(struct world *w)
{
    for (int i = 0; i < 30; i++)
        stage_step(&w->stage);
}

static void wait_ms(struct world *w, uint64_t ms)
{
    for (uint64_t end = now_ms() + ms; now_ms() < end;)
        stage_step(&w->stage);
}

/* What the listener and its links have counted. */
static struct im_counters counted(const struct world *w)
{
    struct im_counters sum = {0};
    im_counters_add(&sum, &w->counters);
    if (w->worker)
        im_worker_count(w->worker, &sum);
    return sum;
}

static void start(struct world *w)
{
    struct im_error error;
    if (w->worker && !w->running)
        assert_int_equal(im_worker_start(w->worker, 1, &error), IM_OK);
    w->running = true;
}

static struct peer *knock(struct world *w)
{
    start(w);
    struct peer *p = peer_connect(&w->stage, w->address, w->variant->tls);
    w->variant->speech->greet(p);
    return p;
}

static struct peer *enter(struct world *w, struct seen **seen)
{
    size_t before = w->core.opened;
    struct peer *p = knock(w);
    UNTIL(&w->stage, w->core.opened > before && w->variant->speech->greeted(p));
    *seen = w->core.seen[before];
    return p;
}

static void say(struct world *w, struct peer *p, const char *text)
{
    w->variant->speech->say(p, text, strlen(text));
}

/* The next text; pings are passed over. */
static struct heard hear(struct world *w, struct peer *p)
{
    struct heard heard = {.kind = HEARD_PING};
    while (heard.kind == HEARD_PING) {
        free(heard.text);
        UNTIL(&w->stage, w->variant->speech->hear(p, &heard));
    }
    return heard;
}

static void expect_text(struct world *w, struct peer *p, const char *text)
{
    struct heard heard = hear(w, p);
    assert_int_equal(heard.kind, HEARD_TEXT);
    if (!memmem(heard.text, heard.len, text, strlen(text)))
        fail_msg("expected '%.80s', got '%.80s'", text, heard.text);
    free(heard.text);
}

/* The end as a client should see it: with frames, a close frame with the code, which is answered; then the bytes' end.
 */
static void expect_close(struct world *w, struct peer *p, enum im_reason reason)
{
    unsigned code = im_reason_info(reason)->ws;
    if (w->variant->speech->frames) {
        struct heard heard = hear(w, p);
        assert_int_equal(heard.kind, HEARD_CLOSE);
        assert_int_equal(heard.code, code == 1006 ? 1001 : code); /* 1006 is never sent (RFC 6455, 7.4.1) */
        free(heard.text);
        w->variant->speech->say_close(p);
    }
    UNTIL(&w->stage, p->ended);
    assert_int_equal(p->in.len, 0);
}

static char *long_text(size_t len)
{
    char *text = im_alloc(len + 1);
    for (size_t i = 0; i < len; i++)
        text[i] = (char)('a' + i * 7 % 26);
    text[len] = '\0';
    return text;
}

static void say_numbers(struct world *w, struct peer *p, unsigned from, unsigned to, int width)
{
    char text[2048];
    for (unsigned i = from; i < to; i++) {
        snprintf(text, sizeof text, "%0*u", width, i);
        say(w, p, text);
    }
}

static void expect_numbers(const struct seen *seen, size_t count)
{
    assert_int_equal(seen->count, count);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(strtoul(seen->messages[i], NULL, 10), i);
}

/* Sends until the peer, who does not read, has brought some to a halt here. Returns how many. */
static unsigned jam(struct world *w, struct seen *seen, const char *text)
{
    unsigned n = 0;
    for (unsigned idle = 0; idle < 20 && !seen->closes;) {
        size_t before = seen_queued(seen);
        if (before == 0) {
            seen_send(seen, text);
            n++;
        }
        wait_ms(w, w->worker ? 5 : 0);
        stage_step(&w->stage);
        idle = before > 0 && !seen->closes && seen_queued(seen) == before ? idle + 1 : 0;
    }
    return n;
}

/* Opening. */

static void opening_tells_who_comes(void **state)
{
    struct world *w = *state;
    struct seen *seen;
    enter(w, &seen);
    assert_string_equal(seen->transport, w->variant->transport);
    assert_int_equal(seen->tls, w->variant->tls);
    char uid[32];
    snprintf(uid, sizeof uid, "unix:uid=%u", getuid());
    if (strcmp(w->variant->transport, "unix") == 0)
        assert_string_equal(seen->address, uid);
    else
        assert_memory_equal(seen->address, "127.0.0.1:", 10);
    assert_int_equal(counted(w).n[IM_C_ACCEPTED], 1);
    assert_int_equal(counted(w).n[IM_C_TLS_HANDSHAKES], w->variant->tls);
    assert_int_equal(im_gate_count(w->env.gate), 1);
}

static void a_refusal_is_told_with_its_reason(void **state)
{
    struct world *w = *state;
    w->core.refuse = IM_DRAIN;
    struct peer *p = knock(w);
    UNTIL(&w->stage, w->variant->speech->greeted(p));
    if (!w->variant->speech->frames)
        expect_text(w, p, im_reason_info(IM_DRAIN)->text[IM_EN]);
    expect_close(w, p, IM_DRAIN);
    peer_free(&w->stage, &p);
    UNTIL(&w->stage, im_gate_count(w->env.gate) == 0 && counted(w).closed[IM_DRAIN] == 1);
    assert_int_equal(w->core.opened, 0);
}

static void more_than_the_cap_are_turned_away(void **state)
{
    struct world *w = *state;
    struct seen *first, *third;
    w->config->connections = 1;
    struct peer *a = enter(w, &first);
    struct peer *b = knock(w);
    UNTIL(&w->stage, b->ended || b->broken);
    assert_int_equal(counted(w).refused[IM_FULL], 1);
    assert_int_equal(w->core.opened, 1);
    peer_free(&w->stage, &a);
    UNTIL(&w->stage, im_gate_count(w->env.gate) == 0);
    enter(w, &third);
}

static void paused_accepting_resumes(void **state)
{
    struct world *w = *state;
    struct seen *seen;
    struct peer *a = enter(w, &seen);
    w->transport->pause(w->listener, true);
    struct peer *b = knock(w);
    wait_ms(w, 100);
    assert_int_equal(w->core.opened, 1);
    say(w, a, "still here");
    UNTIL(&w->stage, seen->count == 1);
    w->transport->pause(w->listener, false);
    UNTIL(&w->stage, w->core.opened == 2 && w->variant->speech->greeted(b));
}

static void running_out_of_descriptors_is_survived(void **state)
{
    struct world *w = *state;
    struct seen *seen;
    struct rlimit old, low;
    struct peer *a = enter(w, &seen);
    struct peer *b = knock(w);
    int free_fd = dup(STDOUT_FILENO);
    close(free_fd);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
    low = (struct rlimit){.rlim_cur = (rlim_t)free_fd, .rlim_max = old.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
    wait_ms(w, 350);
    say(w, a, "the others do not notice");
    UNTIL(&w->stage, seen->count == 1);
    assert_int_equal(w->core.opened, 1);
    assert_in_range(counted(w).n[IM_C_ACCEPT_PAUSED], 1, 6); /* it waits rather than spins */
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
    UNTIL(&w->stage, w->core.opened == 2 && w->variant->speech->greeted(b));
}

static void links_outlive_their_listener(void **state)
{
    struct world *w = *state;
    struct seen *seen;
    struct peer *p = enter(w, &seen);
    w->transport->close(&w->listener);
    assert_null(w->listener);
    say(w, p, "hello");
    UNTIL(&w->stage, seen->count == 1);
    seen_send(seen, "hello yourself");
    expect_text(w, p, "hello yourself");
}

/* Exchange. */

static void messages_pass_both_ways(void **state)
{
    struct world *w = *state;
    struct seen *seen;
    struct peer *p = enter(w, &seen);
    for (int i = 0; i < 3; i++) {
        say(w, p, "你好, 翠花");
        UNTIL(&w->stage, seen->count == (size_t)i + 1);
        assert_string_equal(seen->messages[i], "你好, 翠花");
        seen_send(seen, "你好, 小明");
        expect_text(w, p, "你好, 小明");
    }
    assert_true(counted(w).n[IM_C_BYTES_IN] >= 3 * strlen("你好, 翠花"));
    assert_true(counted(w).n[IM_C_BYTES_OUT] >= 3 * strlen("你好, 小明"));
}

static void large_messages_pass(void **state)
{
    struct world *w = *state;
    struct seen *seen;
    struct peer *p = enter(w, &seen);
    char *text = long_text(1 << 20);
    say(w, p, text);
    seen_send(seen, text);
    UNTIL(&w->stage, seen->count == 1);
    assert_string_equal(seen->messages[0], text);
    expect_text(w, p, text);
    free(text);
}

static void many_messages_in_one_segment_keep_their_order(void **state)
{
    struct world *w = *state;
    struct seen *seen;
    struct peer *p = enter(w, &seen);
    char text[16];
    say_numbers(w, p, 0, 2000, 1);
    UNTIL(&w->stage, seen->count == 2000);
    expect_numbers(seen, 2000);
    for (int i = 0; i < 2000; i++) {
        snprintf(text, sizeof text, "<%d>", i);
        seen_send(seen, text);
    }
    for (int i = 0; i < 2000; i++) {
        snprintf(text, sizeof text, "<%d>", i);
        expect_text(w, p, text);
    }
}

static void messages_may_come_a_byte_at_a_time(void **state)
{
    struct world *w = *state;
    struct seen *seen;
    struct peer *p = enter(w, &seen);
    p->chunk = 1;
    say_numbers(w, p, 0, 10, 3);
    UNTIL(&w->stage, seen->count == 10);
    expect_numbers(seen, 10);
}

static void a_message_may_be_as_long_as_the_limit(void **state)
{
    struct world *w = *state;
    struct seen *seen;
    w->config->message_bytes = 1000;
    struct peer *p = enter(w, &seen);
    char *text = long_text(1000);
    say(w, p, text);
    UNTIL(&w->stage, seen->count == 1);
    assert_string_equal(seen->messages[0], text);
    free(text);
}

static void a_longer_message_closes(void **state)
{
    struct world *w = *state;
    struct seen *seen;
    w->config->message_bytes = 1000;
    struct peer *p = enter(w, &seen);
    char *text = long_text(1001);
    enum im_reason reason = w->variant->speech->frames ? IM_WS_TOO_BIG : IM_TOO_LONG;
    say(w, p, text);
    if (!w->variant->speech->frames)
        expect_text(w, p, im_reason_info(reason)->text[IM_EN]);
    expect_close(w, p, reason);
    peer_free(&w->stage, &p);
    UNTIL(&w->stage, seen->closes);
    assert_int_equal(seen->reason, reason);
    assert_int_equal(seen->count, 0);
    free(text);
}

/* Backpressure. */

static void holding_stops_the_peer_and_loses_nothing(void **state)
{
    struct world *w = *state;
    struct seen *seen;
    struct peer *p = enter(w, &seen);
    seen_hold(seen, true);
    say_numbers(w, p, 0, 16000, 1000);
    UNTIL(&w->stage, p->blocked > 50);
    assert_true(p->out.len > 0);
    assert_int_equal(seen->count, 0);
    seen_hold(seen, false);
    UNTIL(&w->stage, seen->count == 16000);
    expect_numbers(seen, 16000);
}

static void close_it(evutil_socket_t fd, short what, void *seen)
{
    (void)fd, (void)what;
    seen_close(seen, IM_KICKED);
}

static size_t links_of(struct world *w)
{
    struct im_worker_stats stats;
    im_worker_look(w->worker, &stats);
    return stats.links;
}

/* The core closes it in the turn that brings its end, while what it said before waits to be let go. */
static void what_waits_on_a_held_link_ends_with_it(void **state)
{
    struct world *w = *state;
    struct seen *seen;
    struct peer *p = enter(w, &seen);
    w->core.hold_after = 1;
    for (int i = 0; i < 10; i++)
        say(w, p, "one of many");
    UNTIL(&w->stage, seen->count == 1);
    peer_free(&w->stage, &p);
    while (links_of(w) > 0) {
        seen_send(seen, "are you there?");
        stage_step(&w->stage);
        usleep(20000);
    }
    struct event *now = event_new(w->stage.base, -1, 0, close_it, seen);
    event_active(now, EV_TIMEOUT, 0);
    UNTIL(&w->stage, seen->closes == 1);
    assert_int_equal(seen->count, 1);
    event_free(now);
}

static size_t threads(void)
{
    size_t count = 0;
    DIR *tasks = opendir("/proc/self/task");
    assert_non_null(tasks);
    for (struct dirent *entry; (entry = readdir(tasks));)
        count += entry->d_name[0] != '.';
    closedir(tasks);
    return count;
}

/* The core does not take its letters, until it waits for room for them. */
static unsigned jam_worker(struct world *w, struct peer *p)
{
    struct im_worker_stats before, now;
    unsigned n = 0;
    im_worker_look(w->worker, &before);
    do {
        say_numbers(w, p, n, n + 1, 1);
        n++;
        im_worker_look(w->worker, &now);
        uint64_t give_up = now_ms() + WAIT_MS;
        for (unsigned long long posted = now.up.posted; now.up.posted == posted && now.up.waits == before.up.waits;) {
            assert_true(now_ms() < give_up);
            stage_step_peers(&w->stage);
            im_worker_look(w->worker, &now);
        }
    } while (now.up.waits == before.up.waits);
    return n;
}

static void a_worker_that_waits_for_the_core_can_be_halted(void **state)
{
    struct world *w = *state;
    struct seen *seen;
    struct im_error error;
    w->config->mailbox = 1;
    struct peer *p = enter(w, &seen);
    size_t running = threads();
    unsigned said = jam_worker(w, p);
    alarm(WAIT_MS / 1000);
    im_worker_halt(w->worker);
    alarm(0);
    UNTIL(&w->stage, threads() == running - 1);
    assert_int_equal(im_worker_start(w->worker, 1, &error), IM_OK);
    UNTIL(&w->stage, seen->count == said);
    expect_numbers(seen, said);
}

/* Two workers, a peer at each, and what the core hears of them. */
struct pair {
    struct world *w;
    struct im_worker *workers[2];
    struct peer *peers[2];
    struct seen *seen[2];
    char heard[4];
    size_t count;
};

static void say_and_post(struct pair *two, size_t which, const char *text)
{
    struct im_worker_stats before, now;
    uint64_t give_up = now_ms() + WAIT_MS;
    im_worker_look(two->workers[which], &before);
    say(two->w, two->peers[which], text);
    do {
        assert_true(now_ms() < give_up);
        stage_step_peers(&two->w->stage);
        im_worker_look(two->workers[which], &now);
    } while (now.up.posted == before.up.posted);
}

/* While the first is read, its peer says more, and then the other's. */
static void on_heard(struct seen *s)
{
    struct pair *two = s->core->arg;
    size_t which = s == two->seen[1];
    assert_true(two->count < sizeof two->heard);
    two->heard[two->count++] = *s->messages[s->count - 1];
    if (two->count > 1)
        return;
    say_and_post(two, which, "cause");
    say_and_post(two, !which, "effect");
}

static void letters_of_all_workers_come_in_order(void **state)
{
    struct world *w = *state;
    struct pair two = {.w = w, .workers = {w->worker}};
    struct im_error error;
    char port[] = "127.0.0.1:0";
    struct im_listen_config listen = {.address = port, .backlog = 10};
    two.peers[0] = enter(w, &two.seen[0]);
    assert_int_equal(im_worker_new(&two.workers[1], &w->env, &error), IM_OK);
    assert_int_equal(im_worker_listen(two.workers[1], w->transport, &listen, NULL, &error), IM_OK);
    snprintf(w->address, sizeof w->address, "%s", im_listener_address(im_worker_listener(two.workers[1], 0)));
    assert_int_equal(im_worker_start(two.workers[1], 2, &error), IM_OK);
    two.peers[1] = enter(w, &two.seen[1]);
    settle(w);
    w->core.heard = on_heard;
    w->core.arg = &two;
    say_and_post(&two, 0, "one");
    say_and_post(&two, 1, "other");
    UNTIL(&w->stage, two.count == 4);
    assert_true(memchr(two.heard, 'c', 4) < memchr(two.heard, 'e', 4));
    im_worker_stop(two.workers[1]);
    UNTIL(&w->stage, im_worker_stopped(two.workers[1]));
    im_worker_free(&two.workers[1]);
}

/* The same event to one after the other, as a group's message goes. */
static void fan_out(struct seen *const *to, size_t count, const char *text)
{
    struct im_event *event = im_event_notice(IM_OK, im_str(text));
    for (size_t i = 0; i < count; i++)
        seen_tell_event(to[i], event, false);
    im_event_drop(&event);
}

static void what_goes_to_many_keeps_its_place(void **state)
{
    enum { MANY = 5 };
    struct world *w = *state;
    struct peer *peers[MANY];
    struct seen *seen[MANY];
    for (size_t i = 0; i < MANY; i++)
        peers[i] = enter(w, &seen[i]);
    seen_send(seen[0], "before");
    fan_out(seen, MANY, "one for all");
    seen_send(seen[2], "between");
    fan_out(seen, MANY, "another for all");
    fan_out(seen, MANY, "a third");
    seen_send(seen[4], "behind");
    expect_text(w, peers[0], "before");
    for (size_t i = 0; i < MANY; i++) {
        expect_text(w, peers[i], "one for all");
        if (i == 2)
            expect_text(w, peers[i], "between");
        expect_text(w, peers[i], "another for all");
        expect_text(w, peers[i], "a third");
    }
    expect_text(w, peers[4], "behind");
    for (size_t i = 0; i < MANY; i++)
        UNTIL(&w->stage, seen_queued(seen[i]) == 0);
}

/* One is closed between two of them, and one ends at the worker before the core can know. */
static void what_goes_to_many_passes_over_who_has_left(void **state)
{
    enum { MANY = 5 };
    struct world *w = *state;
    struct peer *peers[MANY];
    struct seen *seen[MANY];
    struct im_worker_stats before, now;
    for (size_t i = 0; i < MANY; i++)
        peers[i] = enter(w, &seen[i]);
    settle(w);
    im_worker_look(w->worker, &before);
    peer_free(&w->stage, &peers[1]);
    uint64_t give_up = now_ms() + WAIT_MS;
    do {
        assert_true(now_ms() < give_up);
        stage_step_peers(&w->stage);
        im_worker_look(w->worker, &now);
    } while (now.up.posted == before.up.posted);
    assert_int_equal(now.links, MANY);
    fan_out(seen, MANY, "one for all");
    seen_close(seen[3], IM_KICKED);
    fan_out(seen, MANY, "another for all");
    for (size_t i = 0; i < MANY; i += 2) {
        expect_text(w, peers[i], "one for all");
        expect_text(w, peers[i], "another for all");
    }
    expect_text(w, peers[3], "one for all");
    expect_close(w, peers[3], IM_KICKED);
    UNTIL(&w->stage, seen[1]->closes == 1 && seen[3]->closes == 1);
    for (size_t i = 0; i < MANY; i += 2)
        UNTIL(&w->stage, seen_queued(seen[i]) == 0);
}

/* … and takes few letters, though more than one bag. */
static void one_event_can_go_to_very_many(void **state)
{
    enum { TIMES = 3000 };
    struct world *w = *state;
    struct peer *peers[2];
    struct seen *seen[2], *all[2 * TIMES];
    struct im_worker_stats before, now;
    for (size_t i = 0; i < 2; i++)
        peers[i] = enter(w, &seen[i]);
    for (size_t i = 0; i < 2 * TIMES; i++)
        all[i] = seen[i % 2];
    im_worker_look(w->worker, &before);
    fan_out(all, 2 * TIMES, "again");
    seen_send(seen[1], "the end");
    for (size_t i = 0; i < TIMES; i++) {
        expect_text(w, peers[0], "again");
        expect_text(w, peers[1], "again");
    }
    expect_text(w, peers[1], "the end");
    im_worker_look(w->worker, &now);
    assert_true(now.down.posted - before.down.posted <= 10);
    for (size_t i = 0; i < 2; i++)
        UNTIL(&w->stage, seen_queued(seen[i]) == 0);
}

static void holding_takes_effect_between_two_messages(void **state)
{
    struct world *w = *state;
    struct seen *seen;
    struct peer *p = enter(w, &seen);
    w->core.hold_after = 1;
    say_numbers(w, p, 0, 5, 1);
    for (size_t i = 1; i <= 5; i++) {
        UNTIL(&w->stage, seen->count == i);
        settle(w);
        assert_int_equal(seen->count, i);
        seen_hold(seen, false);
    }
    expect_numbers(seen, 5);
}

static void writable_comes_when_all_has_left(void **state)
{
    struct world *w = *state;
    struct seen *seen;
    struct peer *p = enter(w, &seen);
    settle(w); /* a greeting may have to leave first */
    unsigned before = seen->writables;
    seen_send(seen, "a");
    assert_true(seen_queued(seen) > 0);
    UNTIL(&w->stage, seen->writables > before && seen_queued(seen) == 0);
    expect_text(w, p, "a");
}

static void writable_comes_when_a_slow_reader_reads_on(void **state)
{
    struct world *w = *state;
    struct seen *seen;
    struct peer *p = enter(w, &seen);
    char *text = long_text(1 << 20);
    p->deaf = true;
    unsigned n = jam(w, seen, text), before = seen->writables;
    p->deaf = false;
    UNTIL(&w->stage, seen->writables > before && seen_queued(seen) == 0);
    for (unsigned i = 0; i < n; i++)
        expect_text(w, p, text);
    free(text);
}

static void a_queue_is_bounded(void **state)
{
    struct world *w = *state;
    struct seen *seen;
    w->config->queue_hard_bytes = 1 << 20;
    struct peer *p = enter(w, &seen);
    char *text = long_text(256 << 10);
    p->deaf = true;
    while (!seen->closes) {
        seen_send(seen, text);
        assert_true(seen_queued(seen) < w->config->queue_hard_bytes + (257 << 10));
        stage_step(&w->stage);
    }
    assert_int_equal(seen->reason, IM_TOO_SLOW);
    free(text);
}

static void a_stalled_reader_is_closed(void **state)
{
    struct world *w = *state;
    struct seen *seen;
    char *text = long_text(1 << 20);
    w->config->stall_ms = 500;
    struct peer *p = enter(w, &seen);
    p->deaf = true;
    jam(w, seen, text);
    UNTIL(&w->stage, seen->closes);
    assert_int_equal(seen->reason, IM_TOO_SLOW);
    free(text);
}

/* Closing. */

static void every_reason_is_told(void **state)
{
    struct world *w = *state;
    struct seen *seen;
    for (enum im_reason reason = IM_OK + 1; reason < IM_REASON_COUNT; reason++) {
        struct peer *p = enter(w, &seen);
        seen_send(seen, "parting words");
        seen_close(seen, reason);
        seen_close(seen, IM_BYE);
        seen_send(seen, "too late");
        expect_text(w, p, "parting words");
        expect_close(w, p, reason);
        assert_int_equal(seen->closes, 0); /* the peer has not ended yet */
        peer_free(&w->stage, &p);
        UNTIL(&w->stage, seen->closes);
        assert_int_equal(seen->reason, reason);
    }
}

static void closing_waits_for_what_is_queued(void **state)
{
    struct world *w = *state;
    struct seen *seen;
    struct peer *p = enter(w, &seen);
    char *text = long_text(1 << 20);
    p->deaf = true;
    unsigned n = jam(w, seen, text);
    seen_close(seen, IM_KICKED);
    settle(w);
    p->deaf = false;
    for (unsigned i = 0; i < n; i++)
        expect_text(w, p, text);
    expect_close(w, p, IM_KICKED);
    free(text);
}

static void closing_does_not_wait_forever(void **state)
{
    struct world *w = *state;
    struct seen *seen;
    w->config->close_ms = 300;
    struct peer *p = enter(w, &seen);
    char *text = long_text(1 << 20);
    p->deaf = true;
    jam(w, seen, text);
    uint64_t start = now_ms();
    seen_close(seen, IM_KICKED);
    UNTIL(&w->stage, seen->closes);
    assert_in_range(now_ms() - start, 250, 3000);
    assert_int_equal(seen->reason, IM_KICKED);
    free(text);
}

static void nothing_comes_up_after_closing(void **state)
{
    struct world *w = *state;
    struct seen *seen;
    struct peer *p = enter(w, &seen);
    w->core.close_after = 2;
    say_numbers(w, p, 0, 5, 1);
    expect_close(w, p, IM_KICKED);
    say_numbers(w, p, 5, 9, 1);
    settle(w);
    assert_int_equal(seen->count, 2);
    peer_free(&w->stage, &p);
    UNTIL(&w->stage, seen->closes);
    assert_int_equal(seen->reason, IM_KICKED);
}

static void closing_works_while_held(void **state)
{
    struct world *w = *state;
    struct seen *seen;
    struct peer *p = enter(w, &seen);
    w->core.hold_after = 1;
    say_numbers(w, p, 0, 5, 1);
    UNTIL(&w->stage, seen->count == 1);
    seen_close(seen, IM_FLOOD);
    expect_close(w, p, IM_FLOOD);
    peer_free(&w->stage, &p);
    UNTIL(&w->stage, seen->closes);
    assert_int_equal(seen->count, 1);
}

/* The core takes a queue that has emptied for delivered. */
static void what_is_aborted_never_counts_as_having_left(void **state)
{
    struct world *w = *state;
    struct seen *seen;
    enter(w, &seen);
    settle(w); /* a greeting may have to leave first */
    unsigned before = seen->writables;
    seen_send(seen, "one");
    assert_true(seen_queued(seen) > 0);
    size_t queued = seen_queued(seen);
    im_streams_abort(&w->env, IM_DRAIN);
    assert_int_equal(seen_queued(seen), queued);
    seen_send(seen, "two");
    assert_int_equal(seen_queued(seen), queued);
    UNTIL(&w->stage, seen->closes);
    assert_int_equal(seen->writables, before);
}

/* The transport knows before the core does that nobody listens any more. */
static void what_comes_after_a_goodbye_never_counts_as_having_left(void **state)
{
    struct world *w = *state;
    struct seen *seen;
    struct peer *p = enter(w, &seen);
    w->variant->speech->say_close(p);
    if (w->variant->speech->frames)
        UNTIL(&w->stage, p->out.len == 0 && p->in.len > 0);
    else
        seen_close(seen, IM_BYE);
    seen_send(seen, "too late");
    settle(w);
    if (!seen->closes)
        assert_true(seen_queued(seen) > 0);
}

static void note_heard(struct seen *s)
{
    struct pair *two = s->core->arg;
    assert_true(two->count < sizeof two->heard);
    two->heard[two->count++] = *s->messages[s->count - 1];
}

/* Its socket is ready before the worker's letter is there, and has two messages: the second followed from the letter.
 */
static void letters_come_before_what_the_cores_own_links_bring(void **state)
{
    struct world *w = *state;
    struct pair two = {.w = w, .workers = {w->worker}};
    struct im_error error;
    struct im_listener *own;
    char port[] = "127.0.0.1:0";
    struct im_listen_config listen = {.address = port, .backlog = 10};
    two.peers[0] = enter(w, &two.seen[0]);
    assert_int_equal(w->transport->listen(&own, &w->env, &listen, &error), IM_OK);
    snprintf(w->address, sizeof w->address, "%s", im_listener_address(own));
    two.peers[1] = enter(w, &two.seen[1]);
    settle(w);
    w->core.heard = note_heard;
    w->core.arg = &two;
    say(w, two.peers[1], "first");
    stage_step_peers(&w->stage);
    say_and_post(&two, 0, "cause");
    say(w, two.peers[1], "effect");
    stage_step_peers(&w->stage);
    assert_int_equal(two.peers[1]->out.len, 0);
    UNTIL(&w->stage, two.count == 3);
    assert_true(memchr(two.heard, 'c', 3) < memchr(two.heard, 'e', 3));
    w->transport->close(&own);
}

static void done(void *flag)
{
    *(bool *)flag = true;
}

/* Its goodbye is there when the message leaves, and read in the turn after that. */
static void what_has_left_counts_though_the_peer_leaves(void **state)
{
    struct world *w = *state;
    struct seen *seen;
    bool held = !w->worker;
    struct peer *p = enter(w, &seen);
    settle(w);
    seen_hold(seen, true);
    if (w->worker)
        im_worker_pause(w->worker, done, &held);
    UNTIL(&w->stage, held);
    w->variant->speech->say_close(p);
    UNTIL(&w->stage, p->out.len == 0);
    unsigned before = seen->emptied;
    seen_send(seen, "one");
    seen_hold(seen, false);
    UNTIL(&w->stage, seen->closes);
    assert_true(seen->emptied > before);
}

/* The peer's end. */

static void a_peers_goodbye_is_answered(void **state)
{
    struct world *w = *state;
    struct seen *seen;
    struct peer *p = enter(w, &seen);
    say(w, p, "last words");
    w->variant->speech->say_close(p);
    UNTIL(&w->stage, seen->count == 1 && p->out.len == 0);
    if (!w->variant->speech->frames)
        peer_finish(p);
    expect_close(w, p, IM_BYE);
    peer_free(&w->stage, &p);
    UNTIL(&w->stage, seen->closes);
    assert_int_equal(seen->reason, IM_BYE);
}

static void an_answer_reaches_a_peer_that_has_ended(void **state)
{
    struct world *w = *state;
    struct seen *seen;
    struct peer *p = enter(w, &seen);
    w->core.keep_open_at_input_end = true;
    peer_say(p, "a line\nanother without its end");
    UNTIL(&w->stage, seen->count == 1 && p->out.len == 0);
    peer_finish(p);
    UNTIL(&w->stage, seen->input_ends);
    assert_int_equal(seen->count, 2);
    assert_string_equal(seen->messages[1], "another without its end");
    seen_send(seen, "the answer");
    expect_text(w, p, "the answer");
    seen_close(seen, IM_BYE);
    expect_close(w, p, IM_BYE);
    UNTIL(&w->stage, seen->closes);
}

static void an_abrupt_end_is_normal(void **state)
{
    struct world *w = *state;
    struct seen *seen;
    struct peer *p = enter(w, &seen);
    peer_free(&w->stage, &p);
    UNTIL(&w->stage, seen->closes);
    assert_int_equal(seen->reason, w->variant->speech->frames ? IM_GONE : IM_BYE);
}

static void a_reset_is_survived(void **state)
{
    struct world *w = *state;
    struct seen *seen;
    struct linger reset = {.l_onoff = 1};
    struct peer *p = enter(w, &seen);
    setsockopt(p->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    seen_send(seen, "unread"); /* makes a Unix socket reset as well */
    settle(w);
    p->deaf = true;
    seen_send(seen, "unread");
    settle(w);
    peer_free(&w->stage, &p);
    UNTIL(&w->stage, seen->closes);
    assert_int_equal(seen->reason, IM_GONE);
}

/* The server's end of a peer's TCP connection. */
static int server_side(const struct peer *p)
{
    struct sockaddr_in client, other;
    socklen_t len = sizeof client;
    assert_int_equal(getsockname(p->fd, (struct sockaddr *)(void *)&client, &len), 0);
    for (int fd = 3; fd < 256; fd++) {
        len = sizeof other;
        if (fd != p->fd && getpeername(fd, (struct sockaddr *)(void *)&other, &len) == 0 && len == sizeof other &&
            other.sin_family == AF_INET && other.sin_port == client.sin_port)
            return fd;
    }
    fail_msg("no descriptor");
    return -1;
}

static int option(int fd, int level, int name)
{
    int value = -1;
    socklen_t len = sizeof value;
    getsockopt(fd, level, name, &value, &len);
    return value;
}

static void the_kernel_looks_for_half_open_peers(void **state)
{
    struct world *w = *state;
    struct seen *seen;
    int fd = server_side(enter(w, &seen));
    assert_int_equal(option(fd, SOL_SOCKET, SO_KEEPALIVE), 1);
    assert_int_equal(option(fd, IPPROTO_TCP, TCP_KEEPIDLE), 30);
    assert_int_equal(option(fd, IPPROTO_TCP, TCP_KEEPINTVL), 15);
    assert_int_equal(option(fd, IPPROTO_TCP, TCP_KEEPCNT), 3);
    assert_int_equal(option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT), 75000);
    assert_int_equal(option(fd, IPPROTO_TCP, TCP_NODELAY), 1);
}

static void a_peer_without_a_sign_of_life_is_closed(void **state)
{
    struct world *w = *state;
    struct seen *seen;
    struct heard heard;
    w->config->ping_ms = 100;
    w->config->pong_ms = 400;
    struct peer *p = enter(w, &seen);
    uint64_t start = now_ms();
    UNTIL(&w->stage, w->variant->speech->hear(p, &heard));
    assert_int_equal(heard.kind, HEARD_PING);
    free(heard.text);
    UNTIL(&w->stage, seen->closes);
    assert_int_equal(seen->reason, IM_PING_TIMEOUT);
    assert_in_range(now_ms() - start, 300, 3000);
}

/* Deadlines. */

/* Sends a byte now and then, which would move a timer of inactivity, until the server has had enough. */
static void dribble(struct world *w, struct peer *p, const char *text)
{
    uint64_t start = now_ms();
    size_t sent = 0, len = strlen(text);
    while (im_gate_count(w->env.gate) > 0) {
        const char *byte = sent < len ? text + sent : "x";
        if (now_ms() - start > WAIT_MS)
            fail_msg("the connection outlived its deadline");
        if (now_ms() - start >= sent * 50) {
            if (p->ssl)
                SSL_write(p->ssl, byte, 1);
            else
                send(p->fd, byte, 1, MSG_NOSIGNAL);
            sent++;
        }
        stage_step(&w->stage);
    }
    assert_in_range(now_ms() - start, 200, 5000);
}

static void a_slow_tls_handshake_is_cut_off(void **state)
{
    struct world *w = *state;
    w->config->tls_handshake_ms = 300;
    start(w);
    struct peer *p = peer_connect(&w->stage, w->address, false);
    UNTIL(&w->stage, im_gate_count(w->env.gate) == 1);
    dribble(w, p, "\x16\x03\x01\x02");
    assert_int_equal(counted(w).closed[IM_TLS_TIMEOUT], 1);
    assert_int_equal(w->core.opened, 0);
}

static void a_slow_upgrade_is_cut_off(void **state)
{
    struct world *w = *state;
    w->config->http_head_ms = 300;
    w->config->close_ms = 300;
    start(w);
    struct peer *p = peer_connect(&w->stage, w->address, w->variant->tls);
    UNTIL(&w->stage, im_gate_count(w->env.gate) == 1 && (!p->ssl || p->secure));
    dribble(w, p, "GET /ws HTTP/1.1\r\n");
    assert_int_equal(w->core.opened, 0);
}

/* Certificates. */

static void expect_certificate(struct world *w, const char *name)
{
    struct seen *seen;
    char shown[64];
    peer_certificate_name(enter(w, &seen), shown);
    assert_string_equal(shown, name);
}

static void certificates_reload_without_dropping_anybody(void **state)
{
    struct world *w = *state;
    struct im_error error = {0};
    struct seen *seen;
    struct peer *p = enter(w, &seen);
    expect_certificate(w, "first");
    make_certificate(w->cert, w->key, "second");
    expect_certificate(w, "first");
    assert_int_equal(im_listeners_load_tls(&w->listener, 1, &error), IM_OK);
    expect_certificate(w, "first");
    im_listeners_commit_tls(&w->listener, 1);
    expect_certificate(w, "second");
    say(w, p, "still here");
    UNTIL(&w->stage, seen->count == 1);
}

static void a_failed_reload_keeps_every_certificate(void **state)
{
    struct world *w = *state;
    struct im_error error = {0};
    char good_cert[80], good_key[80];
    snprintf(good_cert, sizeof good_cert, "%s.good", w->cert);
    snprintf(good_key, sizeof good_key, "%s.good", w->key);
    make_certificate(good_cert, good_key, "unused");
    struct im_listener *both[2] = {w->listener, listen_here(w)};
    make_certificate(w->cert, w->key, "second");
    assert_int_equal(rename(good_key, w->key), 0); /* does not match */
    assert_int_equal(im_listeners_load_tls(both, 2, &error), IM_CONFIG);
    assert_non_null(strstr(error.detail, "tls.key"));
    expect_certificate(w, "first");
    unlink(w->cert);
    assert_int_equal(im_listeners_load_tls(both, 2, &error), IM_CONFIG);
    assert_non_null(strstr(error.detail, "tls.cert: No such file"));
    expect_certificate(w, "first");
    w->transport->close(&both[1]);
    unlink(good_cert);
}

/* What a promise needs to make sense. */
static bool any(const struct variant *v)
{
    (void)v;
    return true;
}

/* These reach into the loop. */
static bool own_loop(const struct variant *v)
{
    return !v->worker;
}

static bool with_worker(const struct variant *v)
{
    return v->worker;
}

static bool plain_worker(const struct variant *v)
{
    return v->worker && !v->tls;
}

static bool tls(const struct variant *v)
{
    return v->tls;
}

static bool tls_own_loop(const struct variant *v)
{
    return v->tls && !v->worker;
}

/* A peer can vanish without the kernel's knowing. */
static bool network(const struct variant *v)
{
    return strcmp(v->transport, "unix") != 0;
}

static bool frames(const struct variant *v)
{
    return v->speech->frames;
}

static bool no_frames(const struct variant *v)
{
    return !v->speech->frames;
}

static const struct promise {
    const char *name;
    CMUnitTestFunction test;
    bool (*applies)(const struct variant *);
} promises[] = {
    {"opening_tells_who_comes", opening_tells_who_comes, any},
    {"a_refusal_is_told_with_its_reason", a_refusal_is_told_with_its_reason, any},
    {"more_than_the_cap_are_turned_away", more_than_the_cap_are_turned_away, any},
    {"paused_accepting_resumes", paused_accepting_resumes, own_loop},
    {"running_out_of_descriptors_is_survived", running_out_of_descriptors_is_survived, own_loop},
    {"links_outlive_their_listener", links_outlive_their_listener, own_loop},
    {"messages_pass_both_ways", messages_pass_both_ways, any},
    {"large_messages_pass", large_messages_pass, any},
    {"many_messages_in_one_segment_keep_their_order", many_messages_in_one_segment_keep_their_order, any},
    {"messages_may_come_a_byte_at_a_time", messages_may_come_a_byte_at_a_time, any},
    {"a_message_may_be_as_long_as_the_limit", a_message_may_be_as_long_as_the_limit, any},
    {"a_longer_message_closes", a_longer_message_closes, any},
    {"holding_stops_the_peer_and_loses_nothing", holding_stops_the_peer_and_loses_nothing, any},
    {"what_waits_on_a_held_link_ends_with_it", what_waits_on_a_held_link_ends_with_it, with_worker},
    {"a_worker_that_waits_for_the_core_can_be_halted", a_worker_that_waits_for_the_core_can_be_halted, with_worker},
    {"letters_of_all_workers_come_in_order", letters_of_all_workers_come_in_order, plain_worker},
    {"letters_come_before_what_the_cores_own_links_bring", letters_come_before_what_the_cores_own_links_bring,
     plain_worker},
    {"what_goes_to_many_keeps_its_place", what_goes_to_many_keeps_its_place, any},
    {"what_goes_to_many_passes_over_who_has_left", what_goes_to_many_passes_over_who_has_left, with_worker},
    {"one_event_can_go_to_very_many", one_event_can_go_to_very_many, with_worker},
    {"holding_takes_effect_between_two_messages", holding_takes_effect_between_two_messages, any},
    {"writable_comes_when_all_has_left", writable_comes_when_all_has_left, any},
    {"writable_comes_when_a_slow_reader_reads_on", writable_comes_when_a_slow_reader_reads_on, any},
    {"a_queue_is_bounded", a_queue_is_bounded, any},
    {"a_stalled_reader_is_closed", a_stalled_reader_is_closed, any},
    {"every_reason_is_told", every_reason_is_told, any},
    {"closing_waits_for_what_is_queued", closing_waits_for_what_is_queued, any},
    {"closing_does_not_wait_forever", closing_does_not_wait_forever, any},
    {"nothing_comes_up_after_closing", nothing_comes_up_after_closing, any},
    {"closing_works_while_held", closing_works_while_held, any},
    {"what_is_aborted_never_counts_as_having_left", what_is_aborted_never_counts_as_having_left, own_loop},
    {"what_comes_after_a_goodbye_never_counts_as_having_left", what_comes_after_a_goodbye_never_counts_as_having_left,
     any},
    {"what_has_left_counts_though_the_peer_leaves", what_has_left_counts_though_the_peer_leaves, frames},
    {"a_peers_goodbye_is_answered", a_peers_goodbye_is_answered, any},
    {"an_answer_reaches_a_peer_that_has_ended", an_answer_reaches_a_peer_that_has_ended, no_frames},
    {"an_abrupt_end_is_normal", an_abrupt_end_is_normal, any},
    {"a_reset_is_survived", a_reset_is_survived, any},
    {"the_kernel_looks_for_half_open_peers", the_kernel_looks_for_half_open_peers, network},
    {"a_peer_without_a_sign_of_life_is_closed", a_peer_without_a_sign_of_life_is_closed, frames},
    {"a_slow_tls_handshake_is_cut_off", a_slow_tls_handshake_is_cut_off, tls},
    {"a_slow_upgrade_is_cut_off", a_slow_upgrade_is_cut_off, frames},
    {"certificates_reload_without_dropping_anybody", certificates_reload_without_dropping_anybody, tls},
    {"a_failed_reload_keeps_every_certificate", a_failed_reload_keeps_every_certificate, tls_own_loop},
};
enum { PROMISES = sizeof promises / sizeof *promises, VARIANTS = sizeof variants / sizeof *variants };

/* All, or those of one variant, or the one promise of it: transport [VARIANT [PROMISE]] */
int main(int argc, char **argv)
{
    static struct CMUnitTest tests[VARIANTS * PROMISES];
    static char names[VARIANTS * PROMISES][96];
    size_t n = 0;
    for (size_t v = 0; v < VARIANTS; v++)
        for (size_t i = 0; i < PROMISES; i++) {
            if (!promises[i].applies(&variants[v]) || (argc > 1 && strcmp(argv[1], variants[v].name) != 0) ||
                (argc > 2 && strcmp(argv[2], promises[i].name) != 0))
                continue;
            snprintf(names[n], sizeof names[n], "%s: %s", variants[v].name, promises[i].name);
            tests[n] =
                (struct CMUnitTest){names[n], promises[i].test, set_up, tear_down, (void *)(uintptr_t)&variants[v]};
            n++;
        }
    return _cmocka_run_group_tests("transports", tests, n, NULL, NULL);
}
