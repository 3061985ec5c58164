#include "tools/imctl/history.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/bytes.h"
#include "core/mem.h"

#define LINES_KEPT 1000
#define LINES_MAX  (2 * LINES_KEPT) /* from then on the file is cut */

char *history_path(void)
{
    const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
    char *path = NULL;
    int n = -1;
    if (state && *state == '/')
        n = asprintf(&path, "%s/imctl/history", state);
    else if (home && *home == '/')
        n = asprintf(&path, "%s/.local/state/imctl/history", home);
    return n < 0 ? NULL : path;
}

static void make_folders(const char *path)
{
    char *copy = im_strndup(path, strlen(path));
    for (char *slash = strchr(copy + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        mkdir(copy, 0700);
        *slash = '/';
    }
    free(copy);
}

static FILE *open_file(const char *path, const char *mode, int flags)
{
    int fd = open(path, flags | O_CLOEXEC | O_NOFOLLOW, 0600);
    FILE *file = fd < 0 ? NULL : fdopen(fd, mode);
    if (!file && fd >= 0)
        close(fd);
    return file;
}

static void write_last(const char *path, char **lines, size_t count)
{
    struct im_out name = {0};
    im_out_printf(&name, "%s.%ld", path, (long)getpid());
    const char *temporary = im_out_data(&name);
    FILE *file = open_file(temporary, "w", O_WRONLY | O_CREAT | O_EXCL);
    for (size_t i = count - LINES_KEPT; file && i < count; i++)
        fprintf(file, "%s\n", lines[i]);
    if (file && (fclose(file) != 0 || rename(temporary, path) != 0))
        unlink(temporary);
    im_out_clear(&name);
}

void history_load(const char *path, void (*each)(void *arg, const char *line), void *arg)
{
    FILE *file = path ? open_file(path, "r", O_RDONLY) : NULL;
    char **lines = NULL, *line = NULL;
    size_t count = 0, size = 0;
    ssize_t n;
    while (file && (n = getline(&line, &size, file)) > 0) {
        if (count % LINES_KEPT == 0)
            lines = im_realloc(lines, (count + LINES_KEPT) * sizeof *lines);
        lines[count++] = im_strndup(line, line[n - 1] == '\n' ? (size_t)n - 1 : (size_t)n);
    }
    if (count > LINES_MAX)
        write_last(path, lines, count);
    for (size_t i = 0; i < count; i++) {
        if (count - i <= LINES_KEPT)
            each(arg, lines[i]);
        free(lines[i]);
    }
    free(lines);
    free(line);
    if (file)
        fclose(file);
}

void history_append(const char *path, const char *line)
{
    if (!path)
        return;
    make_folders(path);
    FILE *file = open_file(path, "a", O_WRONLY | O_CREAT | O_APPEND);
    if (!file)
        return;
    fprintf(file, "%s\n", line);
    fclose(file);
}
