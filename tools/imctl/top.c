#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "core/mem.h"
#include "tools/imctl/own.h"
#include "tools/imctl/run.h"
#include "tools/imctl/sample.h"
#include "tools/imctl/screen.h"
#include "tools/imctl/table.h"
#include "tools/safe_json.h"

#define SESSIONS_MAX   10000
#define INTERVAL_USUAL 2
#define INTERVAL_MAX   3600
#define PATIENCE_S     2 /* keys are not looked at meanwhile */

static const struct column {
    const char *name, *field;
} columns[] = {
    {"id", "id"},           {"user", "user"},  {"device", "device"}, {"transport", "transport"}, {"state", "state"},
    {"address", "address"}, {"age", "age_ms"}, {"idle", "idle_ms"},  {"queued", "queued_bytes"},
};
#define COLUMNS (sizeof columns / sizeof *columns)

struct top {
    const struct options *options;
    struct client *client;
    struct sample before, now;
    json_t *status, *sessions; /* NULL before the first look */
    json_t **rows;             /* of sessions, in order; borrowed */
    size_t row_count, sort, scroll, page;
    unsigned interval;
    bool down, help, paused, gone;
};

/* Looking. */

static void forget(struct top *t)
{
    json_decref(t->status);
    json_decref(t->sessions);
    free(t->rows);
    t->status = t->sessions = NULL;
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
    return json_is_string(a) - json_is_string(b);
}

/* What is the same comes in the order of numbers, so that rows do not dance. */
static int compare(const void *a, const void *b, void *arg)
{
    const struct top *t = arg;
    const json_t *x = *(const json_t *const *)a, *y = *(const json_t *const *)b;
    const char *field = columns[t->sort].field;
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

static int look(struct top *t)
{
    struct sample now = {0};
    int status = sample_take(t->client, &now);
    if (status != EX_OK)
        return status;
    forget(t);
    t->status = run_ask(t->client, "status", json_object(), &status);
    if (status == EX_OK)
        t->sessions = run_ask(t->client, "sessions", json_pack("{s:i}", "limit", SESSIONS_MAX), &status);
    sample_drop(&t->before);
    t->before = t->now;
    t->now = now;
    if (t->before.counters && sample_restarted(&t->now, &t->before))
        sample_drop(&t->before);
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

/* Writing. */

static void put_clipped(struct im_out *out, const struct im_out *line, size_t width, bool bold)
{
    struct im_out safe = {0};
    im_out_safe(&safe, (struct im_str){im_out_data(line), line->len}, false);
    struct im_str text = {im_out_data(&safe), safe.len};
    if (width)
        text = text_cut(text, width);
    im_out_str(out, bold ? "\033[1m" : "");
    im_out_put(out, text.p, text.len);
    im_out_str(out, bold ? "\033[0m\n" : "\n");
    im_out_clear(&safe);
}

static void put_text(struct im_out *out, const char *text, size_t width, bool bold)
{
    struct im_out line = {0};
    im_out_str(&line, text);
    put_clipped(out, &line, width, bold);
    im_out_clear(&line);
}

static void put_named(struct im_out *line, const json_t *object, const char *name, const char *shown)
{
    im_out_printf(line, "%s%s ", line->len ? "  " : "", shown);
    show_value(line, name, json_object_get(object, name));
}

static void put_title(struct im_out *out, const struct top *t, size_t width, bool bold)
{
    struct im_out line = {0};
    char clock[16];
    time_t now = time(NULL);
    struct tm parts;
    strftime(clock, sizeof clock, "%H:%M:%S", localtime_r(&now, &parts));
    im_out_printf(&line, "imd %s", clock);
    if (t->gone) {
        im_out_str(&line, "  the server is not there; trying again");
    } else {
        put_named(&line, t->status, "version", "version");
        put_named(&line, t->status, "state", "state");
        put_named(&line, t->status, "uptime_ms", "up");
    }
    im_out_printf(&line, "  every %us%s", t->interval, t->paused ? "  PAUSED" : "");
    put_clipped(out, &line, width, bold);
    im_out_clear(&line);
}

static void put_totals(struct im_out *out, const struct top *t, size_t width)
{
    struct im_out line = {0};
    const json_t *store = json_object_get(t->status, "store");
    put_named(&line, t->status, "users", "users");
    put_named(&line, t->status, "sessions", "sessions");
    put_named(&line, t->status, "connections", "connections");
    put_named(&line, store, "events", "events");
    put_named(&line, store, "bytes", "store");
    if (json_is_true(json_object_get(store, "failed")) || json_is_true(json_object_get(store, "full")))
        im_out_str(&line, json_is_true(json_object_get(store, "full")) ? "  DISK FULL" : "  STORE FAILED");
    put_clipped(out, &line, width, false);
    im_out_clear(&line);
}

static void put_rate(struct im_out *out, const struct sample_column *c, const json_t *rates)
{
    double n = json_number_value(json_object_get(rates, c->name));
    im_out_printf(out, "  %s ", c->name);
    if (!rates) {
        im_out_char(out, '-');
    } else if (strncmp(c->name, "bytes", 5) == 0) {
        json_t *bytes = json_integer((json_int_t)n);
        show_value(out, "bytes", bytes);
        json_decref(bytes);
    } else {
        im_out_printf(out, "%.1f", n);
    }
}

/* On as many lines as it takes. */
static void put_rates(struct im_out *out, const struct top *t, size_t width)
{
    struct im_out line = {0};
    json_t *rates = t->before.counters ? sample_rates(&t->now, &t->before) : NULL;
    im_out_str(&line, "per second");
    for (const struct sample_column *c = sample_columns; c->name; c++) {
        struct im_out rate = {0};
        if (!c->counter)
            continue;
        put_rate(&rate, c, rates);
        if (width && line.len + rate.len > width) {
            put_clipped(out, &line, width, false);
            im_out_clear(&line);
            im_out_str(&line, "          ");
        }
        im_out_put(&line, im_out_data(&rate), rate.len);
        im_out_clear(&rate);
    }
    put_clipped(out, &line, width, false);
    json_decref(rates);
    im_out_clear(&line);
}

static void add_cell(struct table *table, size_t column, const json_t *row)
{
    const json_t *value = json_object_get(row, columns[column].field);
    struct im_out text = {0};
    show_value(&text, columns[column].field, value);
    if (json_is_number(value))
        table_right(table, column);
    table_add(table, (struct im_str){im_out_data(&text), text.len});
    im_out_clear(&text);
}

static void add_heading(struct table *table, const struct top *t, size_t column)
{
    struct im_out name = {0};
    for (const char *p = columns[column].name; *p; p++)
        im_out_char(&name, (char)(*p & ~0x20));
    if (column == t->sort)
        im_out_str(&name, t->down ? "↓" : "↑");
    table_add(table, (struct im_str){im_out_data(&name), name.len});
    im_out_clear(&name);
}

static void put_sessions(struct im_out *out, const struct top *t, size_t room, const struct show_style *style)
{
    struct table table;
    table_init(&table, COLUMNS);
    for (size_t i = 0; i < COLUMNS; i++)
        add_heading(&table, t, i);
    for (size_t n = t->scroll; n < t->row_count && n - t->scroll < room; n++)
        for (size_t i = 0; i < COLUMNS; i++)
            add_cell(&table, i, t->rows[n]);
    table_write(&table, style->bold, style->width, out);
    table_free(&table);
}

static void put_help(struct im_out *out, size_t width)
{
    static const char *const lines[] = {
        "  q              end",
        "  h ?            this help; any key ends it",
        "  s →   S ←      order by the next column, by the one before",
        "  r              the other way round",
        "  ↑ ↓ k j        move in the list; also Page Up, Page Down, Home",
        "  + -            look less often, more often",
        "  space          look now",
        "  p              pause, and go on",
    };
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        put_text(out, lines[i], width, false);
}

static void put_head(struct im_out *out, const struct top *t, const struct show_style *style)
{
    put_title(out, t, style->width, style->bold);
    put_totals(out, t, style->width);
    put_rates(out, t, style->width);
    im_out_char(out, '\n');
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
    put_head(&out, t, &style);
    t->page = room_below(&out, size.lines);
    if (t->scroll + t->page > t->row_count)
        t->scroll = t->row_count > t->page ? t->row_count - t->page : 0;
    if (t->help)
        put_help(&out, style.width);
    else
        put_sessions(&out, t, t->page, &style);
    screen_draw(&out);
    im_out_clear(&out);
}

static void choose(struct top *t, size_t column)
{
    t->sort = column % COLUMNS;
    t->down = strcmp(columns[t->sort].name, "queued") == 0 || strcmp(columns[t->sort].name, "age") == 0;
    sort(t);
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
        choose(t, t->sort + 1);
    else if (key == 'S' || key == SCREEN_LEFT || key == '<')
        choose(t, t->sort + COLUMNS - 1);
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
    const char *names[COLUMNS];
    for (size_t i = 0; i < COLUMNS; i++)
        names[i] = columns[i].field;
    if (format == SHOW_JSON) {
        json_t *look = sample_rates(&t->now, &t->before);
        json_object_set(look, "list", json_object_get(t->sessions, "sessions"));
        show_record(look, names, COLUMNS, format, out);
        json_decref(look);
        return;
    }
    if (first)
        show_names(names, COLUMNS, format, out);
    for (size_t n = 0; n < t->row_count; n++)
        show_record(t->rows[n], names, COLUMNS, format, out);
}

static int print_look(const struct top *t, bool first)
{
    struct im_out out = {0};
    struct show_style style = run_style(t->options);
    if (t->options->format != SHOW_PEOPLE) {
        put_records(&out, t, first, t->options->format);
    } else {
        im_out_str(&out, first ? "" : "\n");
        put_head(&out, t, &style);
        put_sessions(&out, t, SIZE_MAX, &style);
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

static size_t column_of(const json_t *params)
{
    const char *name = json_string_value(json_object_get(params, "sort"));
    for (size_t i = 0; name && i < COLUMNS; i++)
        if (strcmp(columns[i].name, name) == 0)
            return i;
    return COLUMNS - 1;
}

int own_top(struct client *client, const struct options *options, const json_t *params)
{
    struct top t = {.options = options, .client = client, .interval = own_number(params, "interval", INTERVAL_USUAL)};
    unsigned count = own_number(params, "count", 0);
    bool batch = json_object_get(params, "batch") || options->format != SHOW_PEOPLE || !isatty(STDOUT_FILENO);
    if (t.interval > INTERVAL_MAX)
        t.interval = INTERVAL_MAX;
    choose(&t, column_of(params));
    int status = batch ? run_batch(&t, count) : run_screen(&t, count);
    forget(&t);
    sample_drop(&t.before);
    sample_drop(&t.now);
    return status;
}
