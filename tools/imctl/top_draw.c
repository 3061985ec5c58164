#include <string.h>
#include <time.h>

#include "tools/imctl/table.h"
#include "tools/imctl/top.h"

const struct top_column top_columns[] = {
    {"id", "id", 0, false},
    {"user", "user", 0, false},
    {"device", "device", 0, false},
    {"transport", "transport", 100, false},
    {"state", "state", 0, false},
    {"address", "address", 120, false},
    {"age", "age_ms", 130, true},
    {"idle", "idle_ms", 0, false},
    {"behind", "behind", 0, true},
    {"queued", "queued_bytes", 0, true},
    {"in", "commands_per_second", 0, true},
    {"out", "sent_per_second", 0, true},
    {"agent", "agent", 150, false},
};
const size_t top_column_count = sizeof top_columns / sizeof *top_columns;

bool top_shows(const struct top *t, size_t column)
{
    return t->width == 0 || t->width >= top_columns[column].from_width;
}

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

/* Who is there, and who does not get on. */
static void put_totals(struct im_out *out, const struct top *t, size_t width)
{
    struct im_out line = {0};
    put_named(&line, t->status, "users", "users");
    put_named(&line, t->status, "sessions", "sessions");
    put_named(&line, t->status, "connections", "connections");
    im_out_str(&line, " of ");
    show_value(&line, "", json_object_get(t->status, "connections_max"));
    put_named(&line, t->status, "sessions_held", "held");
    put_named(&line, t->status, "sessions_behind", "behind");
    put_clipped(out, &line, width, false);
    im_out_clear(&line);
}

static double number(const json_t *object, const char *name)
{
    return json_number_value(json_object_get(object, name));
}

/* What it costs. */
static void put_costs(struct im_out *out, const struct top *t, size_t width)
{
    struct im_out line = {0};
    const json_t *store = json_object_get(t->status, "store");
    double elapsed = t->now.at_s - t->before.at_s;
    im_out_str(&line, "cpu ");
    if (t->before.counters && t->status_before && elapsed > 0)
        im_out_printf(&line, "%.1f%%",
                      (number(t->status, "cpu_ms") - number(t->status_before, "cpu_ms")) / elapsed / 10);
    else
        im_out_char(&line, '-');
    put_named(&line, t->status, "memory_bytes", "memory");
    put_named(&line, store, "events", "log");
    put_named(&line, store, "bytes", "store");
    put_named(&line, t->status, "disk_free_bytes", "disk free");
    if (json_is_true(json_object_get(store, "failed")) || json_is_true(json_object_get(store, "full")))
        im_out_str(&line, json_is_true(json_object_get(store, "full")) ? "  DISK FULL" : "  STORE FAILED");
    put_clipped(out, &line, width, false);
    im_out_clear(&line);
}

static const json_t *latency_of(const json_t *latency, const char *what)
{
    const json_t *row;
    size_t i;
    json_array_foreach(json_object_get(latency, "latency"), i, row)
    {
        const char *name = json_string_value(json_object_get(row, "what"));
        if (name && strcmp(name, what) == 0)
            return row;
    }
    return NULL;
}

/* How long each took between the two looks, in the middle. */
static void put_latency(struct im_out *out, const struct top *t, size_t width)
{
    struct im_out line = {0};
    const json_t *row;
    size_t i;
    im_out_str(&line, "on average");
    json_array_foreach(json_object_get(t->latency, "latency"), i, row)
    {
        const char *what = json_string_value(json_object_get(row, "what"));
        const json_t *before = t->before.counters && what ? latency_of(t->latency_before, what) : NULL;
        double n = number(row, "count") - number(before, "count"),
               sum = number(row, "sum_us") - number(before, "sum_us");
        json_t *mean = before && n > 0 ? json_integer((json_int_t)(sum / n)) : NULL;
        im_out_str(&line, "  ");
        for (const char *p = what ? what : ""; *p; p++)
            im_out_char(&line, *p == '_' ? ' ' : *p);
        im_out_char(&line, ' ');
        show_value(&line, "mean_us", mean);
        json_decref(mean);
    }
    put_clipped(out, &line, width, false);
    im_out_clear(&line);
}

static void put_rate(struct im_out *out, const struct sample_column *c, const json_t *rates)
{
    double n = json_number_value(json_object_get(rates, c->name));
    im_out_str(out, "  ");
    for (const char *p = c->name; *p; p++)
        im_out_char(out, *p == '_' ? ' ' : *p);
    im_out_char(out, ' ');
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

void top_put_head(struct im_out *out, const struct top *t, const struct show_style *style)
{
    put_title(out, t, style->width, style->bold);
    put_totals(out, t, style->width);
    put_costs(out, t, style->width);
    put_rates(out, t, style->width);
    put_latency(out, t, style->width);
    im_out_char(out, '\n');
}

static void add_cell(struct table *table, size_t column, size_t at, const json_t *row)
{
    const json_t *value = json_object_get(row, top_columns[column].field);
    struct im_out text = {0};
    if (json_is_real(value))
        im_out_printf(&text, "%.1f", json_real_value(value));
    else
        show_value(&text, top_columns[column].field, value);
    if (json_is_number(value))
        table_right(table, at);
    table_add(table, (struct im_str){im_out_data(&text), text.len});
    im_out_clear(&text);
}

static void add_heading(struct table *table, const struct top *t, size_t column)
{
    struct im_out name = {0};
    for (const char *p = top_columns[column].name; *p; p++)
        im_out_char(&name, (char)(*p & ~0x20));
    if (strcmp(top_columns[column].name, "in") == 0 || strcmp(top_columns[column].name, "out") == 0)
        im_out_str(&name, "/s");
    if (column == t->sort)
        im_out_str(&name, t->down ? "↓" : "↑");
    table_add(table, (struct im_str){im_out_data(&name), name.len});
    im_out_clear(&name);
}

void top_put_sessions(struct im_out *out, const struct top *t, size_t room, const struct show_style *style)
{
    struct table table;
    size_t shown[32], count = 0;
    for (size_t i = 0; i < top_column_count; i++)
        if (top_shows(t, i))
            shown[count++] = i;
    table_init(&table, count);
    for (size_t i = 0; i < count; i++)
        add_heading(&table, t, shown[i]);
    for (size_t n = t->scroll; n < t->row_count && n - t->scroll < room; n++)
        for (size_t i = 0; i < count; i++)
            add_cell(&table, shown[i], i, t->rows[n]);
    table_write(&table, style->bold, style->width, out);
    table_free(&table);
}

void top_put_help(struct im_out *out, size_t width)
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
        "  IN/s, OUT/s    what a session asks, and is given; a wider screen shows more columns",
    };
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        put_text(out, lines[i], width, false);
}
