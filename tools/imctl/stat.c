#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "tools/imctl/own.h"
#include "tools/imctl/run.h"
#include "tools/imctl/sample.h"
#include "tools/imctl/screen.h"

#define HEADING_EVERY 20 /* lines, where nothing tells how high the terminal is */

/* 7 columns wide at most: 999.9, 12345, 3.4M. */
static void put_rate(struct im_out *out, const struct sample_column *column, const json_t *value)
{
    static const char units[] = "kMGT";
    double n = json_number_value(value);
    size_t unit = 0;
    if (json_is_integer(value) || n == 0) {
        im_out_printf(out, "%*.0f", column->width, n);
        return;
    }
    if (n < 100000) {
        im_out_printf(out, "%*.*f", column->width, n < 1000 ? 1 : 0, n);
        return;
    }
    for (n /= 1000; n >= 1000 && unit < 3; unit++)
        n /= 1000;
    im_out_printf(out, "%*.1f%c", column->width - 1, n, units[unit]);
}

/* The columns that fit, with a space before each; width 0: all. */
static size_t columns_in(size_t width)
{
    size_t n = 0, used = 0;
    for (; sample_columns[n].name; n++) {
        used += (size_t)sample_columns[n].width + (n > 0);
        if (width && used > width)
            break;
    }
    return n;
}

static void put_heading(struct im_out *out, size_t columns, bool bold)
{
    im_out_str(out, bold ? "\033[1m" : "");
    for (size_t i = 0; i < columns; i++)
        im_out_printf(out, "%s%*s", i ? " " : "", sample_columns[i].width, sample_columns[i].title);
    im_out_str(out, bold ? "\033[0m\n" : "\n");
}

static void put_line(struct im_out *out, const json_t *row, size_t columns)
{
    char clock[16];
    time_t now = time(NULL);
    struct tm parts;
    strftime(clock, sizeof clock, "%H:%M:%S", localtime_r(&now, &parts));
    im_out_str(out, clock);
    for (size_t i = 1; i < columns; i++) {
        im_out_char(out, ' ');
        put_rate(out, &sample_columns[i], json_object_get(row, sample_columns[i].name));
    }
    im_out_char(out, '\n');
}

/* The n-th line, and before it what belongs there. */
static int print_row(const json_t *row, unsigned n, const struct options *options)
{
    const char *names[SHOW_COLUMNS_MAX];
    size_t count = 0;
    struct show_style style = run_style(options);
    unsigned every = style.width && screen_size().lines > 3 ? (unsigned)screen_size().lines - 2 : HEADING_EVERY;
    struct im_out out = {0};
    for (const struct sample_column *c = sample_columns; c->name; c++)
        names[count++] = c->name;
    if (options->format == SHOW_PEOPLE) {
        if (n % every == 0)
            put_heading(&out, columns_in(style.width), style.bold);
        put_line(&out, row, columns_in(style.width));
    } else {
        if (n == 0)
            show_names(names, count, options->format, &out);
        show_record(row, names, count, options->format, &out);
    }
    int status = run_print(&out);
    im_out_clear(&out);
    return status;
}

/* At whole intervals from the start, however long an answer took. */
static void sleep_until(double at_s)
{
    struct timespec at = {(time_t)at_s, (long)((at_s - (double)(time_t)at_s) * 1e9)};
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL);
}

int own_stat(struct client *client, const struct options *options, const json_t *params)
{
    unsigned interval = own_number(params, "interval", 1), count = own_number(params, "count", 0);
    struct sample before = {0}, now = {0};
    int status = sample_take(client, &before);
    double start = before.at_s;
    for (unsigned n = 0; status == EX_OK && (count == 0 || n < count); n++) {
        sleep_until(start + (double)(n + 1) * interval);
        status = sample_take(client, &now);
        if (status != EX_OK)
            break;
        json_t *row = sample_rates(&now, &before);
        status = print_row(row, n, options);
        json_decref(row);
        sample_drop(&before);
        before = now;
        now = (struct sample){0};
    }
    sample_drop(&before);
    sample_drop(&now);
    return status;
}
