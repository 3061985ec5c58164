#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "tools/imbench/report.h"
#include "tools/imbench/run.h"
#include "tools/imbench/scenario.h"

/* Two plots side by side: latency over the share of all that took at most so long, and throughput over time. */

enum { WIDTH = 420, HEIGHT = 240, LEFT = 70, TOP = 50, GAP = 110, STEPS = 4 };

struct plot {
    FILE *f;
    double x; /* of its left edge */
    double most_x, most_y;
};

static double at_x(const struct plot *p, double value)
{
    return p->x + value / p->most_x * WIDTH;
}

static double at_y(const struct plot *p, double value)
{
    return TOP + HEIGHT - value / p->most_y * HEIGHT;
}

/* The next of 1, 2, 5, 10 … that is not below. */
static double round_up(double value)
{
    double unit = pow(10, floor(log10(value > 0 ? value : 1)));
    double lead = value / unit;
    return unit * (lead <= 1 ? 1 : lead <= 2 ? 2 : lead <= 5 ? 5 : 10);
}

static void put_text(const struct plot *p, double x, double y, const char *anchor, const char *text)
{
    fprintf(p->f, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\">%s</text>\n", x, y, anchor, text);
}

static void draw_frame(const struct plot *p, const char *title)
{
    char label[32];
    put_text(p, p->x, TOP - 10, "start", title);
    for (int i = 0; i <= STEPS; i++) {
        double value = p->most_y * i / STEPS, y = at_y(p, value);
        fprintf(p->f, "<path class=\"grid\" d=\"M%.1f %.1fh%d\"/>\n", p->x, y, WIDTH);
        snprintf(label, sizeof label, "%g", value);
        put_text(p, p->x - 6, y + 4, "end", label);
    }
}

static void draw_latency(const struct run *r, struct plot *p)
{
    char label[32];
    double nines = r->latency.count > 0 ? ceil(log10((double)r->latency.count)) : 1;
    p->most_x = nines < 1 ? 1 : nines > 6 ? 6 : nines;
    p->most_y = round_up((double)r->latency.max / 1e3);
    draw_frame(p, "latency in microseconds, by percentile");
    for (int i = 0; i <= (int)p->most_x; i++) {
        snprintf(label, sizeof label, "%.*f", i > 2 ? i - 2 : 0, 100 - 100 * pow(10, -i));
        put_text(p, at_x(p, i), TOP + HEIGHT + 18, "middle", label);
    }
    fputs("<path class=\"line\" d=\"", p->f);
    for (int i = 0; i <= 100; i++) {
        double x = p->most_x * i / 100, percent = 100 - 100 * pow(10, -x);
        fprintf(p->f, "%c%.1f %.1f", i ? 'L' : 'M', at_x(p, x), at_y(p, (double)hist_at(&r->latency, percent) / 1e3));
    }
    fputs("\"/>\n", p->f);
}

static double speed(const struct run *r, unsigned i)
{
    const struct sample zero = {0}, *from = i ? &r->samples[i - 1] : &zero, *to = &r->samples[i];
    return to->at_ns > from->at_ns ? (double)(to->done - from->done) * 1e9 / (double)(to->at_ns - from->at_ns) : 0;
}

static void draw_speed(const struct run *r, struct plot *p)
{
    char title[64], label[32];
    double most = 0;
    for (unsigned i = 0; i < r->sample_count; i++)
        most = fmax(most, speed(r, i));
    p->most_x = (double)r->elapsed_ns;
    p->most_y = round_up(most);
    snprintf(title, sizeof title, "%s per second, over seconds", r->options->scenario->unit);
    draw_frame(p, title);
    for (int i = 0; i <= STEPS; i++) {
        snprintf(label, sizeof label, "%.3g", p->most_x * i / STEPS / 1e9);
        put_text(p, at_x(p, p->most_x * i / STEPS), TOP + HEIGHT + 18, "middle", label);
    }
    fputs("<path class=\"line\" d=\"", p->f);
    for (unsigned i = 0; i < r->sample_count; i++)
        fprintf(p->f, "%c%.1f %.1f", i ? 'L' : 'M', at_x(p, (double)r->samples[i].at_ns), at_y(p, speed(r, i)));
    fputs("\"/>\n", p->f);
}

static void draw(const struct run *r, FILE *f)
{
    const struct options *o = r->options;
    struct plot latency = {.f = f, .x = LEFT}, throughput = {.f = f, .x = LEFT + WIDTH + GAP};
    fprintf(f,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" font-family=\"sans-serif\" "
            "font-size=\"12\">\n",
            LEFT + 2 * WIDTH + GAP + 30, TOP + HEIGHT + 40);
    fputs("<style>text{fill:#222}.back{fill:#fff}.grid{stroke:#ccc;fill:none}.line{stroke:#06c;stroke-width:2;fill:"
          "none}\n"
          "@media (prefers-color-scheme:dark){text{fill:#e6e6e6}.back{fill:#161b22}.grid{stroke:#3a414b}"
          ".line{stroke:#6cb0ff}}</style>\n"
          "<rect class=\"back\" width=\"100%\" height=\"100%\"/>\n",
          f);
    fprintf(f, "<text x=\"%d\" y=\"20\" font-weight=\"bold\">%s: %u connections, %u under way, %u bytes</text>\n", LEFT,
            o->scenario->name, o->connections, o->window, o->size);
    draw_latency(r, &latency);
    draw_speed(r, &throughput);
    fputs("</svg>\n", f);
}

bool report_svg(const struct run *r, const char *path)
{
    FILE *f = fopen(path, "we");
    if (!f)
        return false;
    draw(r, f);
    bool good = !ferror(f);
    return fclose(f) == 0 && good;
}
