#include "tools/imd/trial.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "transports/loop.h"

#define SAID_BYTES 16384 /* of what it says; the rest is not kept */

/* Said beforehand, in words: what exec() would say is the same for all of it. */
static enum im_reason check_binary(const char *path, struct im_error *error)
{
    struct stat st;
    if (stat(path, &st) != 0)
        return im_fail(error, IM_SYSTEM, "%.200s: %s", path, strerror(errno));
    if (!S_ISREG(st.st_mode))
        return im_fail(error, IM_SYSTEM, "%.200s: not a file", path);
    if (access(path, X_OK) != 0)
        return im_fail(error, IM_SYSTEM, "%.200s may not be executed by this server: %s", path, strerror(errno));
    return IM_OK;
}

static int add_files(posix_spawn_file_actions_t *files, const struct imd_handover *h, int dir, int out)
{
    int failed = posix_spawn_file_actions_addopen(files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    if (failed == 0)
        failed = posix_spawn_file_actions_adddup2(files, out, STDOUT_FILENO);
    if (failed == 0)
        failed = posix_spawn_file_actions_adddup2(files, out, STDERR_FILENO);
    if (failed == 0)
        failed = posix_spawn_file_actions_addfchdir_np(files, dir);
    for (size_t i = 0; i < h->count && failed == 0; i++) /* onto itself: stays open */
        failed = posix_spawn_file_actions_adddup2(files, h->sockets[i].fd, h->sockets[i].fd);
    return failed;
}

/* Signals as a program expects them. */
static int set_signals(posix_spawnattr_t *attributes)
{
    sigset_t set;
    sigemptyset(&set);
    int failed = posix_spawnattr_setsigmask(attributes, &set);
    sigfillset(&set);
    if (failed == 0)
        failed = posix_spawnattr_setsigdefault(attributes, &set);
    if (failed == 0)
        failed = posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    return failed;
}

/* 0, or an errno. */
static int spawn(struct imd_trial *t, const struct imd_handover *h, const struct imd_start *start, bool rehearsal,
                 int out)
{
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attributes;
    struct imd_invocation i;
    imd_handover_invoke(h, rehearsal, &i);
    posix_spawn_file_actions_init(&files);
    posix_spawnattr_init(&attributes);
    int failed = add_files(&files, h, start->dir, out);
    if (failed == 0)
        failed = set_signals(&attributes);
    if (failed == 0)
        failed = posix_spawn(&t->pid, h->binary, &files, &attributes, i.argv, i.envp);
    if (failed != 0)
        t->pid = 0;
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&files);
    imd_invocation_clear(&i);
    return failed;
}

enum im_reason imd_trial_start(struct imd_trial *t, const struct imd_handover *h, const struct imd_start *start,
                               bool rehearsal, uint64_t patience_ms, struct im_error *error)
{
    int pipes[2];
    *t = (struct imd_trial){.out = -1, .until_ms = im_loop_now_ms() + patience_ms};
    enum im_reason r = check_binary(h->binary, error);
    if (r != IM_OK)
        return r;
    if (pipe2(pipes, O_CLOEXEC) != 0)
        return im_fail(error, IM_SYSTEM, "no pipe: %s", strerror(errno));
    t->out = pipes[0];
    fcntl(t->out, F_SETFL, O_NONBLOCK);
    int failed = spawn(t, h, start, rehearsal, pipes[1]);
    close(pipes[1]);
    return failed == 0 ? IM_OK : im_fail(error, IM_SYSTEM, "%.200s: %s", h->binary, strerror(failed));
}

static void listen_to(struct imd_trial *t)
{
    char text[4096];
    ssize_t got;
    while ((got = read(t->out, text, sizeof text)) > 0) {
        size_t room = SAID_BYTES - t->said.len;
        im_out_put(&t->said, text, (size_t)got < room ? (size_t)got : room);
    }
}

bool imd_trial_look(struct imd_trial *t)
{
    if (t->pid == 0)
        return true;
    listen_to(t);
    if (!t->killed && im_loop_now_ms() >= t->until_ms) {
        t->killed = true;
        kill(t->pid, SIGKILL);
    }
    if (waitpid(t->pid, &t->status, WNOHANG) != t->pid)
        return false;
    t->pid = 0;
    listen_to(t);
    return true;
}

enum im_reason imd_trial_verdict(const struct imd_trial *t, struct im_error *error)
{
    struct im_str said = {im_out_data(&t->said), t->said.len};
    while (said.len > 0 && said.p[said.len - 1] == '\n')
        said.len--;
    int said_len = said.len < 200 ? (int)said.len : 200, code = WEXITSTATUS(t->status);
    const char *before = said.len ? ": " : "";
    if (t->killed)
        return im_fail(error, IM_SYSTEM, "it did not start in time%s%.*s", before, said_len, said.p);
    if (WIFSIGNALED(t->status))
        return im_fail(error, IM_SYSTEM, "it ended by signal %d (%s)%s%.*s", WTERMSIG(t->status),
                       strsignal(WTERMSIG(t->status)), before, said_len, said.p);
    if (code == EX_CONFIG)
        return im_fail(error, IM_CONFIG, "the configuration is not good for it%s%.*s", before, said_len, said.p);
    if (code != EX_OK)
        return im_fail(error, IM_SYSTEM, "it exited with %d%s%.*s", code, before, said_len, said.p);
    return IM_OK;
}

void imd_trial_clear(struct imd_trial *t)
{
    if (t->pid > 0) {
        kill(t->pid, SIGKILL);
        waitpid(t->pid, &t->status, 0);
        t->pid = 0;
    }
    if (t->out >= 0)
        close(t->out);
    t->out = -1;
    im_out_clear(&t->said);
}
