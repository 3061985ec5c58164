#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "core/mem.h"
#include "tools/imctl/own.h"
#include "tools/imctl/run.h"
#include "tools/imctl/sample.h"
#include "tools/imctl/screen.h"
#include "tools/imctl/top.h"
#include "tools/safe_json.h"

#define SESSIONS_MAX   10000
#define INTERVAL_USUAL 2
#define INTERVAL_MAX   3600
#define PATIENCE_S     2 /* keys are not looked at meanwhile */

/* Looking. */

/* What the look before has shown; of the newest, what is needed beside the next one is kept. */
static void forget(struct top *t)
{
    json_decref(t->status_before);
    json_decref(t->latency_before);
    json_decref(t->sessions);
    free(t->rows);
    t->status_before = t->status;
    t->latency_before = t->latency;
    t->status = t->latency = t->sessions = NULL;
    t->rows = NULL;
    t->row_count = 0;
}

static int compare_values(const json_t *a, const json_t *b)
{
    if (json_is_number(a) && json_is_number(b)) {
        double x = json_number_value(a), y = json_number_value(b);
        return (x > y) - (x < y);
    }
    if (json_is_string(a) && json_is_string(b))
        return strcmp(json_string_value(a), json_string_value(b));
    return (json_is_string(a) || json_is_number(a)) - (json_is_string(b) || json_is_number(b));
}

/* What is the same comes in the order of numbers, so that rows do not dance. */
static int compare(const void *a, const void *b, void *arg)
{
    const struct top *t = arg;
    const json_t *x = *(const json_t *const *)a, *y = *(const json_t *const *)b;
    const char *field = top_columns[t->sort].field;
    int order = compare_values(json_object_get(x, field), json_object_get(y, field));
    if (order == 0)
        return compare_values(json_object_get(x, "id"), json_object_get(y, "id"));
    return t->down ? -order : order;
}

static void sort(struct top *t)
{
    if (t->row_count > 1)
        qsort_r(t->rows, t->row_count, sizeof(json_t *), compare, t);
}

static void take_rows(struct top *t)
{
    const json_t *list = json_object_get(t->sessions, "sessions");
    json_t *row;
    size_t i;
    t->rows = im_zalloc((json_array_size(list) + 1) * sizeof *t->rows);
    json_array_foreach(list, i, row)
    {
        t->rows[t->row_count++] = row;
    }
    sort(t);
}

/* What each session asks and gets in a second, since the look before; rows of both are in the order of numbers. */
static void put_rates(const json_t *list, const json_t *before, double elapsed_s)
{
    static const char *const names[][2] = {{"commands", "commands_per_second"}, {"sent", "sent_per_second"}};
    json_t *row;
    size_t i, k = 0;
    json_array_foreach(list, i, row)
    {
        const json_t *old;
        json_int_t id = json_integer_value(json_object_get(row, "id"));
        while ((old = json_array_get(before, k)) && json_integer_value(json_object_get(old, "id")) < id)
            k++;
        if (!old || json_integer_value(json_object_get(old, "id")) != id || elapsed_s <= 0)
            continue;
        for (size_t n = 0; n < 2; n++) {
            double more = json_number_value(json_object_get(row, names[n][0])) -
                          json_number_value(json_object_get(old, names[n][0]));
            json_object_set_new(row, names[n][1], json_real((double)(int64_t)(more / elapsed_s * 10 + 0.5) / 10));
        }
    }
}

static json_t *ask_sessions(struct top *t, int *status)
{
    json_t *params = json_pack("{s:i, s:s*}", "limit", SESSIONS_MAX, "filter", t->filter);
    return run_ask(t->client, "sessions", params, status);
}

static int look(struct top *t)
{
    struct sample now = {0};
    int status = sample_take(t->client, &now);
    if (status != EX_OK)
        return status;
    json_t *before = t->sessions;
    t->sessions = NULL;
    forget(t);
    t->status = run_ask(t->client, "status", json_object(), &status);
    if (status == EX_OK)
        t->latency = run_ask(t->client, "latency", json_object(), &status);
    if (status == EX_OK)
        t->sessions = ask_sessions(t, &status);
    sample_drop(&t->before);
    t->before = t->now;
    t->now = now;
    if (t->before.counters && sample_restarted(&t->now, &t->before))
        sample_drop(&t->before);
    if (t->before.counters)
        put_rates(json_object_get(t->sessions, "sessions"), json_object_get(before, "sessions"),
                  t->now.at_s - t->before.at_s);
    json_decref(before);
    take_rows(t);
    return status;
}

/* A server that goes away comes back, perhaps. */
static void look_again(struct top *t)
{
    if (t->client->fd < 0 && client_connect(t->client, t->options->socket) == EX_OK)
        client_patience(t->client, PATIENCE_S);
    t->gone = t->client->fd < 0 || look(t) != EX_OK;
    if (t->gone)
        client_close(t->client);
}

/* On a full screen. */

/* Rows of the list that fit below what has been written and the heading. */
static size_t room_below(const struct im_out *head, size_t lines)
{
    size_t used = 1;
    for (size_t i = 0; i < head->len; i++)
        used += im_out_data(head)[i] == '\n';
    return lines > used ? lines - used : 1;
}

static void draw(struct top *t)
{
    struct im_out out = {0};
    struct screen_size size = screen_size();
    struct show_style style = {.bold = screen_may_style(), .width = size.columns};
    t->width = size.columns;
    top_put_head(&out, t, &style);
    t->page = room_below(&out, size.lines);
    if (t->scroll + t->page > t->row_count)
        t->scroll = t->row_count > t->page ? t->row_count - t->page : 0;
    if (t->help)
        top_put_help(&out, style.width);
    else
        top_put_sessions(&out, t, t->page, &style);
    screen_draw(&out);
    im_out_clear(&out);
}

static void choose(struct top *t, size_t column)
{
    t->sort = column;
    t->down = top_columns[column].down;
    sort(t);
}

/* The next column that is shown, or with step -1 the one before. */
static void choose_beside(struct top *t, int step)
{
    size_t column = t->sort;
    do
        column = (column + top_column_count + (size_t)step) % top_column_count;
    while (!top_shows(t, column));
    choose(t, column);
}

static void move(struct top *t, int lines)
{
    if (lines < 0 && t->scroll < (size_t)-lines)
        t->scroll = 0;
    else
        t->scroll += (size_t)lines; /* draw() knows where the end is */
}

static void change_order(struct top *t, int key)
{
    if (key == 's' || key == SCREEN_RIGHT || key == '>')
        choose_beside(t, 1);
    else if (key == 'S' || key == SCREEN_LEFT || key == '<')
        choose_beside(t, -1);
    else if (key == 'r')
        t->down = !t->down, sort(t);
}

static void change_view(struct top *t, int key)
{
    int page = (int)t->page;
    if (key == SCREEN_DOWN || key == 'j')
        move(t, 1);
    else if (key == SCREEN_UP || key == 'k')
        move(t, -1);
    else if (key == SCREEN_PAGE_DOWN)
        move(t, page);
    else if (key == SCREEN_PAGE_UP)
        move(t, -page);
    else if (key == SCREEN_HOME)
        t->scroll = 0;
    else if (key == '+' && t->interval < INTERVAL_MAX)
        t->interval++;
    else if (key == '-' && t->interval > 1)
        t->interval--;
    else if (key == 'p')
        t->paused = !t->paused;
}

/* What a key does; false: end. */
static bool take_key(struct top *t, int key)
{
    bool was_help = t->help;
    t->help = !was_help && (key == 'h' || key == '?');
    if (key == 'q')
        return false;
    if (was_help && key >= 0)
        return true;
    t->help = t->help || (was_help && key < 0);
    change_order(t, key);
    change_view(t, key);
    return true;
}

static int ms_until(double at_s)
{
    double left = at_s - sample_now_s();
    return left <= 0 ? 0 : (int)(left * 1000) + 1;
}

static int run_screen(struct top *t, unsigned count)
{
    struct screen screen;
    double next_s = sample_now_s();
    int key = SCREEN_TIME;
    t->client->quiet = true;
    screen_open(&screen);
    for (unsigned n = 0;;) {
        bool due = sample_now_s() >= next_s;
        if (key == ' ' || (due && !t->paused)) {
            look_again(t);
            n++;
        }
        if (due || key == ' ')
            next_s = sample_now_s() + t->interval;
        draw(t);
        if (count && n > count)
            break;
        key = screen_wait(&screen, ms_until(next_s));
        if (key == SCREEN_END || !take_key(t, key))
            break;
    }
    screen_close(&screen);
    screen_die(&screen);
    return EX_OK;
}

/* One look after another. */

static void put_records(struct im_out *out, const struct top *t, bool first, enum show_format format)
{
    const char *names[SHOW_COLUMNS_MAX];
    for (size_t i = 0; i < top_column_count; i++)
        names[i] = top_columns[i].field;
    if (format == SHOW_JSON) {
        json_t *look = sample_rates(&t->now, &t->before);
        json_object_set(look, "list", json_object_get(t->sessions, "sessions"));
        show_record(look, names, top_column_count, format, out);
        json_decref(look);
        return;
    }
    if (first)
        show_names(names, top_column_count, format, out);
    for (size_t n = 0; n < t->row_count; n++)
        show_record(t->rows[n], names, top_column_count, format, out);
}

static int print_look(const struct top *t, bool first)
{
    struct im_out out = {0};
    struct show_style style = run_style(t->options);
    if (t->options->format != SHOW_PEOPLE) {
        put_records(&out, t, first, t->options->format);
    } else {
        im_out_str(&out, first ? "" : "\n");
        top_put_head(&out, t, &style);
        top_put_sessions(&out, t, SIZE_MAX, &style);
    }
    int status = run_print(&out);
    im_out_clear(&out);
    return status;
}

static int run_batch(struct top *t, unsigned count)
{
    int status = look(t);
    for (unsigned n = 0; status == EX_OK && (count == 0 || n < count); n++) {
        sleep(t->interval);
        status = look(t);
        if (status == EX_OK)
            status = print_look(t, n == 0);
    }
    return status;
}

/* The busiest first, unless told otherwise. */
static size_t column_of(const json_t *params)
{
    const char *name = json_string_value(json_object_get(params, "sort"));
    for (size_t i = 0; i < top_column_count; i++)
        if (strcmp(top_columns[i].name, name ? name : "in") == 0)
            return i;
    return 0;
}

int own_top(struct client *client, const struct options *options, const json_t *params)
{
    struct top t = {.options = options, .client = client, .interval = own_number(params, "interval", INTERVAL_USUAL)};
    t.filter = json_string_value(json_object_get(params, "filter"));
    unsigned count = own_number(params, "count", 0);
    bool batch = json_object_get(params, "batch") || options->format != SHOW_PEOPLE || !isatty(STDOUT_FILENO);
    if (t.interval > INTERVAL_MAX)
        t.interval = INTERVAL_MAX;
    choose(&t, column_of(params));
    int status = batch ? run_batch(&t, count) : run_screen(&t, count);
    forget(&t);
    forget(&t); /* what the first one kept */
    sample_drop(&t.before);
    sample_drop(&t.now);
    return status;
}
