#ifndef IM_TOOLS_IMBENCH_BENCH_H
#define IM_TOOLS_IMBENCH_BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* imbench drives a server the way many clients do, on one thread and one epoll set, and holds every message against
 * what was sent. Its own part must be small: it says how busy it was. */

enum bench_proto { BENCH_CLASSROOM, BENCH_JSON };

struct bench_options {
    const char *url;      /* ws://HOST:PORT, tcp://HOST:PORT or unix:PATH */
    const char *scenario; /* pairs, fanout or idle */
    enum bench_proto proto;
    unsigned connections, window, size, seconds, warmup;
    pid_t pid; /* the server's, whose CPU and memory are measured; 0: not */
    bool json;
};

/* Latencies in nanoseconds: 1 % exact, 100 ns to 100 s. */
#define HIST_BUCKETS 2400
struct hist {
    uint64_t n[HIST_BUCKETS];
    uint64_t count, max;
};
void hist_add(struct hist *, uint64_t ns);
uint64_t hist_percentile(const struct hist *, double percent);

/* A process: CPU time of all its threads in nanoseconds, resident memory in bytes. 0 when it cannot be seen. */
uint64_t proc_cpu_ns(pid_t);
uint64_t proc_rss(pid_t);
uint64_t now_ns(void);

/* A connection that sends and receives messages, whatever the framing. */
struct conn;
struct conn_ops {
    void (*message)(struct conn *, const char *text, size_t len); /* valid during the call */
};
struct conn {
    int fd;
    unsigned number;
    bool websocket, upgraded, want_write, dirty;
    const struct conn_ops *ops;
    void *owner;
    uint8_t *in, *out;
    size_t in_len, in_cap, out_len, out_cap;
    struct conn *next_dirty;
};

struct load {
    int epoll;
    struct conn *dirty;
    uint64_t reads, writes;
};
void load_open(struct load *);
void load_close(struct load *);
/* Connects (and upgrades at path, with subprotocol im.v1 if json). Ends the program with a message when it cannot. */
void conn_open(struct load *, struct conn *, const struct bench_options *, const char *path, bool json);
void conn_send(struct load *, struct conn *, const char *text, size_t len); /* leaves with the next turn */
void conn_close(struct load *, struct conn *);
/* Waits up to ms for something to happen, and handles all of it. */
void load_turn(struct load *, int ms);

struct result {
    uint64_t delivered, sent, elapsed_ns, cpu_ns, own_cpu_ns, wrong;
    uint64_t rss_before, rss_after;
    unsigned connections;
    struct hist latency;
};
void run_pairs(const struct bench_options *, struct result *);
void run_fanout(const struct bench_options *, struct result *);
void run_idle(const struct bench_options *, struct result *);

void report(const struct bench_options *, const struct result *);
void die(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));

#endif
