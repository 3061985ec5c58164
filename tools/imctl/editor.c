#include "tools/imctl/editor.h"

#include <langinfo.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/mem.h"
#include "tools/imctl/screen.h"
#include "tools/imctl/split.h"
#include "tools/imctl/table.h"

#ifdef HAVE_LIBEDIT

#include <histedit.h>

#define REMEMBERED    1000
#define LISTED_MAX    200 /* candidates shown at most */
#define EXPLAINED_MAX 24  /* so many are shown with what they are */

struct editor {
    EditLine *el;
    History *history;
    const char *prompt;
    char *line;
    bool interrupted;
    editor_offer *offer;
    void *arg;
};

static struct editor *editor_of(EditLine *el)
{
    struct editor *e = NULL;
    el_get(el, EL_CLIENTDATA, &e);
    return e;
}

static char *prompt(EditLine *el)
{
    return (char *)(uintptr_t)editor_of(el)->prompt;
}

/* Keys. */

static unsigned char interrupt(EditLine *el, int c)
{
    (void)c;
    editor_of(el)->interrupted = true;
    return CC_NEWLINE;
}

static unsigned char suspend(EditLine *el, int c)
{
    (void)c;
    el_set(el, EL_PREP_TERM, 0);
    raise(SIGSTOP);
    el_set(el, EL_PREP_TERM, 1);
    return CC_REDISPLAY;
}

/* Completion. */

static struct im_str candidate_of(struct im_str line)
{
    const char *tab = memchr(line.p, '\t', line.len);
    return tab ? (struct im_str){line.p, (size_t)(tab - line.p)} : line;
}

/* Takes the next line off *rest. */
static bool next_line(struct im_str *rest, struct im_str *line)
{
    const char *lf = rest->len ? memchr(rest->p, '\n', rest->len) : NULL;
    if (!lf)
        return false;
    *line = (struct im_str){rest->p, (size_t)(lf - rest->p)};
    *rest = (struct im_str){lf + 1, rest->len - line->len - 1};
    return true;
}

/* What all candidates begin with, in whole characters; *count is how many they are. */
static struct im_str common(struct im_str rest, size_t *count)
{
    struct im_str line, begin = {NULL, 0};
    for (*count = 0; next_line(&rest, &line); ++*count) {
        struct im_str word = candidate_of(line);
        size_t n = 0;
        if (*count == 0) {
            begin = word;
            continue;
        }
        while (n < begin.len && n < word.len && begin.p[n] == word.p[n])
            n++;
        while (n > 0 && n < begin.len && ((unsigned char)begin.p[n] & 0xc0) == 0x80)
            n--;
        begin.len = n;
    }
    return begin;
}

static void list_explained(struct im_str rest, struct im_out *out)
{
    struct im_str line;
    struct table t;
    table_init(&t, 2);
    while (next_line(&rest, &line)) {
        struct im_str word = candidate_of(line);
        size_t help = word.len < line.len ? word.len + 1 : line.len;
        table_add(&t, word);
        table_add(&t, (struct im_str){line.p + help, line.len - help});
    }
    table_write(&t, false, screen_size().columns - 1, out);
    table_free(&t);
}

static size_t widest(struct im_str rest)
{
    struct im_str line;
    size_t width = 1;
    while (next_line(&rest, &line)) {
        size_t mine = text_width(candidate_of(line));
        width = mine > width ? mine : width;
    }
    return width;
}

static void list_names(struct im_str rest, size_t count, struct im_out *out)
{
    struct im_str line;
    size_t width = widest(rest) + 2, columns = screen_size().columns / width, n = 0;
    columns = columns ? columns : 1;
    for (; n < LISTED_MAX && next_line(&rest, &line); n++) {
        struct im_str word = candidate_of(line);
        bool last = n + 1 == count || n + 1 == LISTED_MAX || (n + 1) % columns == 0;
        im_out_put(out, word.p, word.len);
        im_out_printf(out, "%*s%s", last ? 0 : (int)(width - text_width(word)), "", last ? "\n" : "");
    }
    if (n < count)
        im_out_printf(out, "… and %zu more\n", count - n);
}

static void list(struct im_str candidates, size_t count)
{
    struct im_out out = {0};
    im_out_char(&out, '\n');
    if (count <= EXPLAINED_MAX && memchr(candidates.p, '\t', candidates.len))
        list_explained(candidates, &out);
    else
        list_names(candidates, count, &out);
    fwrite(im_out_data(&out), 1, out.len, stdout);
    fflush(stdout);
    im_out_clear(&out);
}

static int characters(struct im_str s)
{
    int n = 0;
    for (size_t i = 0; i < s.len; i++)
        n += ((unsigned char)s.p[i] & 0xc0) != 0x80;
    return n;
}

/* Puts a word in the place of what was typed of it. */
static void replace(EditLine *el, struct im_str typed, struct im_str word, bool finished)
{
    struct im_out text = {0};
    bool wants_value = word.len > 0 && word.p[word.len - 1] == '=';
    split_quote(&text, word, finished);
    im_out_str(&text, finished && !wants_value ? " " : "");
    el_deletestr(el, characters(typed));
    el_insertstr(el, im_out_data(&text));
    im_out_clear(&text);
}

static unsigned char complete(EditLine *el, int c)
{
    struct editor *e = editor_of(el);
    const LineInfo *info = el_line(el);
    struct im_str before = {info->buffer, (size_t)(info->cursor - info->buffer)};
    char *copy = im_strndup(before.p, before.len); /* libedit's own goes with the next change */
    struct im_out out = {0};
    struct split split;
    size_t count;
    unsigned char result = CC_REFRESH;
    (void)c;
    before.p = copy;
    split_line(&split, before, true);
    e->offer(e->arg, split.words, split.count, &out);
    struct im_str candidates = {im_out_data(&out), out.len}, begin = common(candidates, &count);
    struct im_str typed = {copy + split.last_at, before.len - split.last_at};
    if (count == 0) {
        result = CC_REFRESH_BEEP;
    } else if (count == 1 || begin.len > strlen(split.words[split.count - 1])) {
        replace(el, typed, begin, count == 1);
    } else {
        list(candidates, count);
        result = CC_REDISPLAY;
    }
    split_free(&split);
    im_out_clear(&out);
    free(copy);
    return result;
}

/* Lines. */

/* Names come in any script, and the bytes are UTF-8 whatever the environment says. */
static void speak_utf8(void)
{
    setlocale(LC_CTYPE, "");
    if (strcmp(nl_langinfo(CODESET), "UTF-8") != 0)
        setlocale(LC_CTYPE, "C.UTF-8");
}

static void bind_keys(EditLine *el)
{
    el_set(el, EL_EDITOR, "emacs");
    el_source(el, NULL);
    el_set(el, EL_SETTY, "-d", "-isig", NULL); /* Ctrl-C is a key like others while a line is typed */
    /* Wide, for these strings are not copied, and what a narrow call makes of them is never freed. */
    el_wset(el, EL_ADDFN, L"imctl-complete", L"Complete a word", complete);
    el_wset(el, EL_ADDFN, L"imctl-interrupt", L"Drop the line", interrupt);
    el_wset(el, EL_ADDFN, L"imctl-suspend", L"Stop the program", suspend);
    el_set(el, EL_BIND, "^I", "imctl-complete", NULL);
    el_set(el, EL_BIND, "^C", "imctl-interrupt", NULL);
    el_set(el, EL_BIND, "^Z", "imctl-suspend", NULL);
    el_set(el, EL_BIND, "^R", "em-inc-search-prev", NULL);
}

struct editor *editor_open(const char *text, editor_offer *offer, void *arg)
{
    struct editor *e = im_zalloc(sizeof *e);
    HistEvent event;
    speak_utf8();
    *e = (struct editor){.prompt = text, .offer = offer, .arg = arg};
    e->el = el_init("imctl", stdin, stdout, stderr);
    e->history = history_init();
    history(e->history, &event, H_SETSIZE, REMEMBERED);
    history(e->history, &event, H_SETUNIQUE, 1);
    el_set(e->el, EL_CLIENTDATA, e);
    el_set(e->el, EL_SIGNAL, 1);
    el_set(e->el, EL_PROMPT, prompt);
    el_set(e->el, EL_HIST, history, e->history);
    bind_keys(e->el);
    return e;
}

void editor_close(struct editor *e)
{
    history_end(e->history);
    el_end(e->el);
    free(e->line);
    free(e);
}

const char *editor_read(struct editor *e)
{
    int count = 0;
    e->interrupted = false;
    el_set(e->el, EL_PREP_TERM, 1); /* before the prompt: whoever sees that may press Ctrl-C */
    const char *line = el_gets(e->el, &count);
    free(e->line);
    e->line = NULL;
    if (!line || count < 0 || (count == 0 && !e->interrupted))
        return NULL;
    if (e->interrupted) {
        fputc('\n', stdout);
        return "";
    }
    e->line = im_strndup(line, strcspn(line, "\r\n"));
    return e->line;
}

void editor_remember(struct editor *e, const char *line)
{
    HistEvent event;
    history(e->history, &event, H_ENTER, line);
}

#else

struct editor {
    const char *prompt;
    char *line;
    size_t size;
};

struct editor *editor_open(const char *prompt, editor_offer *offer, void *arg)
{
    struct editor *e = im_zalloc(sizeof *e);
    (void)offer;
    (void)arg;
    e->prompt = prompt;
    return e;
}

void editor_close(struct editor *e)
{
    free(e->line);
    free(e);
}

const char *editor_read(struct editor *e)
{
    fputs(e->prompt, stdout);
    fflush(stdout);
    if (getline(&e->line, &e->size, stdin) < 0)
        return NULL;
    e->line[strcspn(e->line, "\r\n")] = '\0';
    return e->line;
}

void editor_remember(struct editor *e, const char *line)
{
    (void)e;
    (void)line;
}

#endif
