#include "tools/imctl/wait.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "core/config.h"
#include "tools/imctl/client.h"

#define NAP_MS      50
#define PROGRESS_MS 1000

struct watch {
    const char *socket;
    pid_t pid; /* of the server, once it was seen */
    char state[32];
    int64_t sessions;
};

static uint64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static void nap(void)
{
    nanosleep(&(struct timespec){.tv_nsec = NAP_MS * 1000000}, NULL);
}

/* Without a word when nobody listens, which is what is waited for, or a matter of time. */
static bool listens(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    bool yes = fd >= 0 && connect(fd, (const struct sockaddr *)(const void *)&address, sizeof address) == 0;
    if (fd >= 0)
        close(fd);
    return yes || errno == EACCES || errno == EPERM;
}

static int ask(struct watch *w)
{
    struct client client;
    json_t *response = NULL;
    int status = client_connect(&client, w->socket);
    if (status == EX_OK)
        status = client_call(&client, "status", json_object(), &response);
    if (status == EX_OK) {
        const json_t *result = json_object_get(response, "result");
        const char *state = json_string_value(json_object_get(result, "state"));
        snprintf(w->state, sizeof w->state, "%s", state ? state : "");
        w->pid = (pid_t)json_integer_value(json_object_get(result, "pid"));
        w->sessions = json_integer_value(json_object_get(result, "sessions"));
    }
    json_decref(response);
    client_close(&client);
    return status;
}

/* One that nobody has collected yet is gone, too. */
static bool gone(const struct watch *w)
{
    int fd = w->pid > 0 ? (int)syscall(SYS_pidfd_open, w->pid, 0) : -1;
    if (fd < 0)
        return w->pid <= 0 || (kill(w->pid, 0) != 0 && errno == ESRCH);
    bool ended = poll(&(struct pollfd){.fd = fd, .events = POLLIN}, 1, 0) == 1;
    close(fd);
    return ended;
}

static void tell_progress(const struct watch *w, uint64_t *told_ms)
{
    if (now_ms() - *told_ms < PROGRESS_MS)
        return;
    *told_ms = now_ms();
    if (strcmp(w->state, "draining") == 0)
        fprintf(stderr, "draining: %" PRId64 " sessions left\n", w->sessions);
}

static int wait_until(struct watch *w, bool ready, uint64_t for_ms)
{
    uint64_t end_ms = now_ms() + for_ms, told_ms = 0;
    for (;; nap()) {
        bool there = listens(w->socket);
        bool due = ready || w->pid == 0 || now_ms() - told_ms >= PROGRESS_MS;
        int status = there && due ? ask(w) : EX_OK;
        if (status == EX_NOPERM)
            return status;
        if (ready && there && status == EX_OK && strcmp(w->state, "running") == 0)
            return EX_OK;
        if (!ready && !there && gone(w))
            return EX_OK;
        if (now_ms() >= end_ms)
            break;
        tell_progress(w, &told_ms);
    }
    complain("%s: not %s in time.", w->socket, ready ? "ready" : "stopped");
    return EX_TEMPFAIL;
}

int wait_for(const char *socket, char **words, int count)
{
    static const struct im_config_row row = {.type = IM_T_MS, .min = 0, .max = 86400000};
    uint64_t for_ms = 60000;
    struct im_error error = {0};
    struct watch w = {.socket = socket};
    bool ready = count > 0 && strcmp(words[0], "ready") == 0;
    if (count < 1 || count > 2 || (!ready && strcmp(words[0], "stopped") != 0)) {
        complain("usage: imctl wait ready|stopped [TIME]");
        return EX_USAGE;
    }
    if (count == 2 && im_config_set(&row, &for_ms, im_str(words[1]), &error) != IM_OK) {
        complain("%s: %s", words[1], error.detail);
        return EX_USAGE;
    }
    return wait_until(&w, ready, for_ms);
}
