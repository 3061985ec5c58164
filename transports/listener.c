#include "transports/listener.h"

#include <arpa/inet.h>
#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "core/mem.h"
#include "transports/gate.h"
#include "transports/loop.h"
#include "transports/passed.h"
#include "transports/tls.h"
#include "transports/up.h"

enum {
    ACCEPT_BATCH = 64, /* connections taken in one turn: a flood must not starve those already here */
    STARVED_MS = 100,  /* pause when descriptors or memory have run out */
    ADDRESS_BYTES = INET6_ADDRSTRLEN + sizeof "[]:65535",
};

struct im_listener {
    struct im_listener_options o;
    struct im_listen_config config;
    size_t refs; /* the owner, and every stream accepted here */
    bool paused, starved, complained, closed, loopback, passed;
    bool shared;               /* the socket is another listener's too, which answers for it */
    struct im_listener *first; /* whose more this is; NULL: nobody's. Its arg is ours, so it outlives us */
    struct im_listener *more;  /* another socket of the same address */
    int fd;
    struct event *readable;
    struct im_timer retry;
    struct im_tls *tls;
    struct im_passed_origin origin; /* of one that was passed; its name is malloc'd */
    dev_t dev;                      /* of the Unix socket made here; ino 0: none, shared, or no longer ours */
    ino_t ino;
    char *address;
};

/* A connection in the house: gives back its place when its descriptor is closed. */
struct visit {
    struct im_listener *listener;
    void *ticket;
};

/* The configuration's copy. */

static void copy_strings(struct im_strings *list)
{
    char **from = list->v;
    list->v = im_zalloc(list->n * sizeof *list->v + 1);
    for (size_t i = 0; i < list->n; i++)
        list->v[i] = im_strndup(from[i], strlen(from[i]));
}

static void copy_config(struct im_listen_config *to, const struct im_listen_config *from)
{
    *to = *from;
    for (size_t i = 0; i < im_listen_row_count; i++) {
        void *member = (char *)to + im_listen_rows[i].offset;
        char **string = member;
        if (im_listen_rows[i].type == IM_T_STRINGS)
            copy_strings(member);
        else if (im_listen_rows[i].type == IM_T_STRING && *string)
            *string = im_strndup(*string, strlen(*string));
    }
}

static void clear_config(struct im_listen_config *config)
{
    for (size_t i = 0; i < im_listen_row_count; i++) {
        void *member = (char *)config + im_listen_rows[i].offset;
        struct im_strings *list = member;
        if (im_listen_rows[i].type == IM_T_STRING)
            free(*(char **)member);
        if (im_listen_rows[i].type != IM_T_STRINGS)
            continue;
        for (size_t k = 0; k < list->n; k++)
            free(list->v[k]);
        free(list->v);
    }
}

/* Life. */

static void drop(struct im_listener *l)
{
    if (--l->refs > 0)
        return;
    if (l->first)
        drop(l->first);
    else if (l->o.release)
        l->o.release(l->o.arg);
    clear_config(&l->config);
    free((char *)l->origin.name);
    free(l->address);
    free(l);
}

static void update(struct im_listener *l)
{
    if (l->paused || l->starved)
        event_del(l->readable);
    else
        event_add(l->readable, NULL);
}

static void try_again(struct im_timer *timer)
{
    struct im_listener *l = (struct im_listener *)(void *)((char *)timer - offsetof(struct im_listener, retry));
    l->starved = false;
    update(l);
}

void im_listener_pause(struct im_listener *l, bool on)
{
    for (; l; l = l->more) {
        l->paused = on;
        update(l);
    }
}

static bool has_file(const struct im_listener *l, dev_t dev, ino_t ino)
{
    struct stat st;
    return l->o.unix_socket && ino != 0 && lstat(l->address, &st) == 0 && st.st_dev == dev && st.st_ino == ino;
}

static void unlink_socket(const struct im_listener *l)
{
    if (has_file(l, l->dev, l->ino))
        unlink(l->address);
}

void im_listener_close(struct im_listener **listener)
{
    struct im_listener *l = *listener;
    *listener = NULL;
    if (!l)
        return;
    im_listener_close(&l->more);
    l->closed = true;
    im_timer_stop(im_loop_of(l->o.env), &l->retry);
    event_free(l->readable);
    unlink_socket(l);
    close(l->fd);
    im_tls_free(&l->tls);
    drop(l);
}

/* Accepting. */

static void format_ip(const struct sockaddr_storage *sa, char out[ADDRESS_BYTES])
{
    char host[INET6_ADDRSTRLEN] = "";
    const struct sockaddr_in *v4 = (const void *)sa;
    const struct sockaddr_in6 *v6 = (const void *)sa;
    if (sa->ss_family == AF_INET) {
        inet_ntop(AF_INET, &v4->sin_addr, host, sizeof host);
        snprintf(out, ADDRESS_BYTES, "%s:%u", host, ntohs(v4->sin_port));
    } else {
        inet_ntop(AF_INET6, &v6->sin6_addr, host, sizeof host);
        snprintf(out, ADDRESS_BYTES, "[%s]:%u", host, ntohs(v6->sin6_port));
    }
}

static void format_peer(int fd, const struct sockaddr_storage *sa, char out[ADDRESS_BYTES])
{
    struct ucred cred = {.uid = (uid_t)-1};
    socklen_t len = sizeof cred;
    if (sa->ss_family != AF_UNIX) {
        format_ip(sa, out);
        return;
    }
    getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len);
    snprintf(out, ADDRESS_BYTES, "unix:uid=%u", cred.uid);
}

static void set_option(int fd, int level, int name, int value)
{
    setsockopt(fd, level, name, &value, sizeof value);
}

/* Small messages leave at once, and a peer that vanished is noticed by the kernel within the time a WebSocket peer has
 * for a sign of life. */
static void tune(int fd, const struct im_config *config)
{
    int idle_s = (int)(config->ping_ms / 1000), gone_s = (int)(config->pong_ms / 1000);
    int interval_s = (gone_s - idle_s) / 3;
    set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
    set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, idle_s > 0 ? idle_s : 1);
    set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, interval_s > 0 ? interval_s : 1);
    set_option(fd, IPPROTO_TCP, TCP_KEEPCNT, 3);
    set_option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, (int)config->pong_ms);
}

static void on_ready(void *arg, struct im_stream *stream)
{
    struct im_listener *l = ((struct visit *)arg)->listener;
    if (l->closed)
        im_stream_abort(stream, IM_DRAIN);
    else
        l->o.ready(l->o.arg ? l->o.arg : l, stream);
}

static void on_release(void *arg)
{
    struct visit *visit = arg;
    if (visit->listener->o.env->gate)
        im_gate_leave(visit->listener->o.env->gate, visit->ticket);
    drop(visit->listener);
    free(visit);
}

static enum im_reason enter(struct im_listener *l, const struct sockaddr_storage *sa, void **ticket)
{
    struct im_transport_env *env = l->o.env;
    *ticket = NULL;
    if (!env->gate)
        return IM_OK;
    return im_gate_enter(env->gate, env->config, (const struct sockaddr *)(const void *)sa, ticket);
}

static void admit(struct im_listener *l, int fd, const struct sockaddr_storage *sa)
{
    struct im_transport_env *env = l->o.env;
    char peer[ADDRESS_BYTES];
    void *ticket;
    format_peer(fd, sa, peer);
    enum im_reason reason = env->bans && im_up_banned(env, peer) ? IM_BANNED : enter(l, sa, &ticket);
    if (reason != IM_OK) {
        im_count(&env->counters->refused[reason], 1);
        IM_LOG(env->log, IM_LOG_DEBUG, "listener", "refused", IM_KS("peer", peer),
               IM_KS("reason", im_reason_name(reason)));
        close(fd);
        return;
    }
    im_count(&env->counters->n[IM_C_ACCEPTED], 1);
    if (!l->o.unix_socket)
        tune(fd, env->config);
    struct visit *visit = im_alloc(sizeof *visit);
    *visit = (struct visit){.listener = l, .ticket = ticket};
    l->refs++;
    im_stream_open(&(struct im_stream_open){.env = env,
                                            .fd = fd,
                                            .tls = l->tls,
                                            .peer = peer,
                                            .ready = on_ready,
                                            .ready_arg = visit,
                                            .release = on_release,
                                            .release_arg = visit});
}

/* Out of descriptors or memory, or worse: the socket stays readable, and asking again at once would spin. Those who
 * wait in the backlog are taken when things are better. */
static void starve(struct im_listener *l, int error)
{
    struct im_transport_env *env = l->o.env;
    im_count(&env->counters->n[IM_C_ACCEPT_PAUSED], 1);
    if (!l->complained)
        IM_LOG(env->log, IM_LOG_WARN, "listener", "accept_paused", IM_KS("address", l->address),
               IM_KS("problem", strerror(error)));
    l->complained = l->starved = true;
    update(l);
    im_timer_start(im_loop_of(env), &l->retry, STARVED_MS, try_again);
}

static bool accept_one(struct im_listener *l)
{
    struct sockaddr_storage sa = {0};
    socklen_t len = sizeof sa;
    int fd = accept4(l->fd, (struct sockaddr *)(void *)&sa, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) {
        l->complained = false;
        admit(l, fd, &sa);
        return true;
    }
    if (errno == ECONNABORTED || errno == EINTR || errno == EPROTO)
        return true;
    if (errno != EAGAIN)
        starve(l, errno);
    return false;
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    for (int i = 0; i < ACCEPT_BATCH && accept_one(arg); i++)
        continue;
}

/* Opening. */

static enum im_reason system_failed(const struct im_listener *l, struct im_error *error)
{
    return im_fail(error, IM_SYSTEM, "%s: %s", l->config.address, strerror(errno));
}

static bool split_address(char *text, char **host, char **port)
{
    char *colon = strrchr(text, ':'), *end = colon;
    uint64_t number;
    if (!colon)
        return false;
    *colon = '\0';
    *host = text;
    *port = colon + 1;
    if (*text == '[' && end > text + 1 && end[-1] == ']') {
        end[-1] = '\0';
        *host = text + 1;
    } else if (strchr(text, ':')) {
        return false; /* an IPv6 address without brackets */
    }
    return **host && im_str_u64(im_str(*port), &number) && number <= 65535;
}

static bool bind_ip(struct im_listener *l, const struct addrinfo *ai)
{
    l->fd = socket(ai->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (l->fd < 0)
        return false;
    set_option(l->fd, SOL_SOCKET, SO_REUSEADDR, 1);
    if (ai->ai_family == AF_INET6)
        set_option(l->fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
    if (bind(l->fd, ai->ai_addr, ai->ai_addrlen) == 0)
        return true;
    int error = errno;
    close(l->fd);
    l->fd = -1;
    errno = error;
    return false;
}

/* A name may stand for several addresses: the first that can be had, IPv4 before IPv6 because that is what people who
 * write "localhost" expect to reach. */
static bool bind_first(struct im_listener *l, const struct addrinfo *list)
{
    static const int families[] = {AF_INET, AF_INET6};
    for (size_t i = 0; i < 2; i++)
        for (const struct addrinfo *ai = list; ai; ai = ai->ai_next)
            if (ai->ai_family == families[i] && bind_ip(l, ai))
                return true;
    return false;
}

/* Somebody else's socket: it stays when we go, and so does a path it is bound to. */
static bool take_passed(struct im_listener *l, int fd)
{
    l->passed = fd >= 0;
    if (!l->passed)
        return false;
    l->fd = fd;
    l->origin = *im_passed_origin(l->o.env->passed, fd);
    l->origin.name = im_strndup(l->origin.name, strlen(l->origin.name));
    return true;
}

/* One that was made for this very address: port 0 is another number by now. */
static bool take_same(struct im_listener *l)
{
    return take_passed(l, im_passed_take_name(l->o.env->passed, l->config.address));
}

static enum im_reason take_named(struct im_listener *l, struct im_error *error)
{
    const char *name = l->config.address + strlen(IM_PASSED_PREFIX);
    struct sockaddr_storage sa = {0};
    socklen_t len = sizeof sa;
    if (!take_passed(l, im_passed_take_name(l->o.env->passed, name)))
        return im_fail(error, IM_CONFIG, "%s: no socket of that name was passed by the service manager",
                       l->config.address);
    if (getsockname(l->fd, (struct sockaddr *)(void *)&sa, &len) != 0)
        return system_failed(l, error);
    if ((sa.ss_family == AF_UNIX) != l->o.unix_socket)
        return im_fail(error, IM_CONFIG, "%s: is %s Unix socket", l->config.address, l->o.unix_socket ? "not a" : "a");
    return IM_OK;
}

static enum im_reason bind_tcp(struct im_listener *l, struct im_error *error)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    char *text = im_strndup(l->config.address, strlen(l->config.address));
    char *host = NULL, *port = NULL;
    struct addrinfo *list = NULL;
    enum im_reason reason = IM_OK;
    if (!split_address(text, &host, &port))
        reason = im_fail(error, IM_CONFIG, "%s: not HOST:PORT or [IPv6]:PORT", l->config.address);
    int failed = reason == IM_OK ? getaddrinfo(host, port, &hints, &list) : 0;
    if (failed)
        reason = im_fail(error, IM_SYSTEM, "%s: %s", l->config.address, gai_strerror(failed));
    else if (reason == IM_OK && !take_same(l) && !take_passed(l, im_passed_take_ip(l->o.env->passed, list)) &&
             !bind_first(l, list))
        reason = system_failed(l, error);
    if (list)
        freeaddrinfo(list);
    free(text);
    return reason;
}

/* A socket file nobody listens on is left over from a server that was killed. Anything else is not ours to remove. */
static enum im_reason remove_stale(const struct im_listener *l, const struct sockaddr_un *sun, struct im_error *error)
{
    struct stat st;
    if (lstat(sun->sun_path, &st) != 0)
        return errno == ENOENT ? IM_OK : system_failed(l, error);
    if (!S_ISSOCK(st.st_mode))
        return im_fail(error, IM_SYSTEM, "%s: exists and is not a socket", l->config.address);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return system_failed(l, error);
    bool refused = connect(fd, (const struct sockaddr *)(const void *)sun, sizeof *sun) != 0 && errno == ECONNREFUSED;
    close(fd);
    if (!refused)
        return im_fail(error, IM_SYSTEM, "%s: in use by another process", l->config.address);
    return unlink(sun->sun_path) == 0 ? IM_OK : system_failed(l, error);
}

/* Nobody can connect before listen(), and until then the file is its owner's alone. */
static enum im_reason bind_unix_at(struct im_listener *l, const struct sockaddr_un *sun, mode_t mode,
                                   struct im_error *error)
{
    struct stat st;
    l->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (l->fd < 0 || fchmod(l->fd, 0600) != 0)
        return system_failed(l, error);
    if (bind(l->fd, (const struct sockaddr *)(const void *)sun, sizeof *sun) != 0)
        return system_failed(l, error);
    if (chmod(sun->sun_path, mode) != 0 || lstat(sun->sun_path, &st) != 0) {
        enum im_reason reason = system_failed(l, error);
        unlink(sun->sun_path);
        return reason;
    }
    l->dev = st.st_dev;
    l->ino = st.st_ino;
    return IM_OK;
}

static mode_t mode_of(const struct im_listener *l)
{
    return (mode_t)strtoul(l->config.mode ? l->config.mode : "0660", NULL, 8) & 0777;
}

static enum im_reason bind_unix(struct im_listener *l, struct im_error *error)
{
    struct sockaddr_un sun = {.sun_family = AF_UNIX};
    const char *path = l->config.address, *mode = l->config.mode ? l->config.mode : "0660";
    size_t len = strlen(path);
    if (len >= sizeof sun.sun_path)
        return im_fail(error, IM_CONFIG, "a Unix socket's path may have %zu bytes, not %zu: %s",
                       sizeof sun.sun_path - 1, len, path);
    memcpy(sun.sun_path, path, len);
    if (mode[strspn(mode, "01234567")] || !*mode)
        return im_fail(error, IM_CONFIG, "mode: not an octal number: %s", mode);
    if (take_passed(l, im_passed_take_path(l->o.env->passed, path)))
        return IM_OK;
    enum im_reason reason = remove_stale(l, &sun, error);
    return reason == IM_OK ? bind_unix_at(l, &sun, mode_of(l), error) : reason;
}

static bool is_loopback(const struct sockaddr_storage *sa)
{
    if (sa->ss_family == AF_INET)
        return ntohl(((const struct sockaddr_in *)(const void *)sa)->sin_addr.s_addr) >> 24 == 127;
    return sa->ss_family == AF_INET6 &&
           IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *)(const void *)sa)->sin6_addr);
}

static void remember_address(struct im_listener *l)
{
    struct sockaddr_storage sa;
    socklen_t len = sizeof sa;
    char text[ADDRESS_BYTES];
    free(l->address);
    l->address = im_strndup(l->config.address, strlen(l->config.address));
    if (l->o.unix_socket || getsockname(l->fd, (struct sockaddr *)(void *)&sa, &len) != 0)
        return;
    format_ip(&sa, text);
    l->loopback = is_loopback(&sa);
    free(l->address);
    l->address = im_strndup(text, strlen(text));
}

/* The kernel spreads connections over all sockets of an address, one for each thread. The first of them is bound before
 * it may share, so that a server that runs already is noticed; what cannot have twins is shared itself. */

static bool may_share(const struct im_listener *l)
{
    return l->o.env->spread && !l->o.unix_socket && (!l->passed || l->origin.ours);
}

static bool bind_beside(struct im_listener *l, const struct im_listener *twin)
{
    struct sockaddr_storage sa = {0};
    socklen_t len = sizeof sa;
    if (getsockname(twin->fd, (struct sockaddr *)(void *)&sa, &len) != 0)
        return false;
    l->fd = socket(sa.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (l->fd < 0)
        return false;
    set_option(l->fd, SOL_SOCKET, SO_REUSEADDR, 1);
    set_option(l->fd, SOL_SOCKET, SO_REUSEPORT, 1);
    if (sa.ss_family == AF_INET6)
        set_option(l->fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
    return bind(l->fd, (const struct sockaddr *)(const void *)&sa, len) == 0;
}

static enum im_reason join_twin(struct im_listener *l, const struct im_listener *twin, struct im_error *error)
{
    bool beside = may_share(twin);
    l->shared = !beside;
    if (!beside)
        l->fd = fcntl(twin->fd, F_DUPFD_CLOEXEC, 3);
    if (beside ? !take_same(l) && !bind_beside(l, twin) : l->fd < 0)
        return system_failed(l, error);
    l->tls = twin->tls ? im_tls_hold(twin->tls) : NULL;
    return IM_OK;
}

static enum im_reason open_socket(struct im_listener *l, struct im_error *error)
{
    enum im_reason reason = IM_OK;
    const char *key = l->config.tls_key ? l->config.tls_key : l->config.tls_cert;
    if (l->config.tls_cert)
        reason = im_tls_new(&l->tls, l->config.tls_cert, key, error);
    if (reason == IM_OK && im_passed_is_name(l->config.address))
        reason = take_named(l, error);
    else if (reason == IM_OK)
        reason = l->o.unix_socket ? bind_unix(l, error) : bind_tcp(l, error);
    if (reason == IM_OK && may_share(l))
        set_option(l->fd, SOL_SOCKET, SO_REUSEPORT, 1);
    return reason;
}

static enum im_reason prepare(struct im_listener *l, struct im_error *error)
{
    const struct im_listener *twin = l->o.env->twin;
    enum im_reason reason = twin ? join_twin(l, twin, error) : open_socket(l, error);
    if (reason != IM_OK)
        return reason;
    remember_address(l);
    if (l->passed || l->shared)
        return IM_OK;
    return listen(l->fd, (int)l->config.backlog) == 0 ? IM_OK : system_failed(l, error);
}

enum im_reason im_listener_open(struct im_listener **out, const struct im_listener_options *o, struct im_error *error)
{
    struct im_listener *l = im_zalloc(sizeof *l);
    l->o = *o;
    l->o.config = &l->config;
    l->refs = 1;
    l->fd = -1;
    copy_config(&l->config, o->config);
    enum im_reason reason = prepare(l, error);
    if (reason != IM_OK) {
        if (l->ino)
            unlink_socket(l);
        if (l->fd >= 0)
            close(l->fd);
        im_tls_free(&l->tls);
        drop(l);
        return reason;
    }
    l->readable = event_new(o->env->base, l->fd, EV_READ | EV_PERSIST, on_readable, l);
    update(l);
    if (!o->env->twin)
        IM_LOG(o->env->log, IM_LOG_INFO, "listener", "listening", IM_KS("address", l->address));
    *out = l;
    return IM_OK;
}

static void add_more(struct im_listener *first, int fd)
{
    struct im_listener *l = im_zalloc(sizeof *l);
    *l = (struct im_listener){.o = first->o, .refs = 1, .first = first, .more = first->more};
    first->refs++;
    first->more = l;
    l->o.config = &l->config;
    copy_config(&l->config, &first->config);
    l->tls = first->tls ? im_tls_hold(first->tls) : NULL;
    take_passed(l, fd);
    remember_address(l);
    l->readable = event_new(l->o.env->base, l->fd, EV_READ | EV_PERSIST, on_readable, l);
    update(l);
}

bool im_listener_take_more(struct im_listener *first)
{
    struct sockaddr_storage sa = {0};
    socklen_t len = sizeof sa;
    struct addrinfo ai = {.ai_addr = (struct sockaddr *)(void *)&sa};
    if (first->o.unix_socket || getsockname(first->fd, ai.ai_addr, &len) != 0)
        return false;
    ai.ai_family = sa.ss_family;
    int fd = im_passed_take_ip(first->o.env->passed, &ai);
    if (fd < 0)
        return false;
    add_more(first, fd);
    return true;
}

struct im_listener *im_listener_more(const struct im_listener *l)
{
    return l->more;
}

const struct im_listen_config *im_listener_config(const struct im_listener *l)
{
    return &l->config;
}

struct im_transport_env *im_listener_env(const struct im_listener *l)
{
    return l->o.env;
}

int64_t im_listener_tls_ends(const struct im_listener *l)
{
    return l->tls ? im_tls_ends(l->tls) : 0;
}

struct im_listener_socket im_listener_socket(const struct im_listener *l)
{
    if (l->shared)
        return (struct im_listener_socket){.fd = -1};
    if (l->passed)
        return (struct im_listener_socket){l->fd, l->origin};
    return (struct im_listener_socket){l->fd, {l->config.address, true, l->dev, l->ino}};
}

void im_listener_let_go(struct im_listener *l)
{
    l->ino = 0;
}

static void set_mode(const struct im_listener *l)
{
    struct stat st;
    if (lstat(l->address, &st) != 0 || (st.st_mode & 0777) == mode_of(l) || chmod(l->address, mode_of(l)) == 0)
        return;
    IM_LOG(l->o.env->log, IM_LOG_WARN, "listener", "the mode stays", IM_KS("address", l->address),
           IM_KS("problem", strerror(errno)));
}

bool im_listener_adopt(struct im_listener *l)
{
    if (!l->passed || !l->origin.ours)
        return false;
    l->passed = false;
    listen(l->fd, (int)l->config.backlog);
    if (has_file(l, l->origin.dev, l->origin.ino)) {
        l->dev = l->origin.dev;
        l->ino = l->origin.ino;
        set_mode(l);
    }
    return true;
}

bool im_listener_is_passed(const struct im_listener *l)
{
    return l->passed;
}

bool im_listener_is_loopback(const struct im_listener *l)
{
    return l->loopback;
}

const char *im_listener_address(const struct im_listener *l)
{
    return l->address;
}

enum im_reason im_listeners_load_tls(struct im_listener *const *listeners, size_t count, struct im_error *error)
{
    for (size_t i = 0; i < count; i++) {
        enum im_reason reason = listeners[i]->tls ? im_tls_load(listeners[i]->tls, error) : IM_OK;
        if (reason != IM_OK)
            return reason;
    }
    return IM_OK;
}

void im_listeners_commit_tls(struct im_listener *const *listeners, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (listeners[i]->tls)
            im_tls_commit(listeners[i]->tls);
}
