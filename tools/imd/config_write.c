#include <stdlib.h>

#include "core/mem.h"
#include "tools/imd/config_file.h"

struct writer {
    struct im_out *out;
    bool help;
    int indent;
    char first; /* '-' when the next key begins an element of a list */
};

static void indent(struct writer *w, int more)
{
    int n = w->indent + more;
    if (w->first && n >= 2) {
        im_out_printf(w->out, "%*s- ", n - 2, "");
        w->first = '\0';
    } else {
        im_out_printf(w->out, "%*s", n, "");
    }
}

static void write_strings(struct writer *w, const struct im_strings *list)
{
    im_out_char(w->out, '[');
    for (size_t i = 0; i < list->n; i++) {
        if (i)
            im_out_str(w->out, ", ");
        im_out_json(w->out, im_str(list->v[i]));
    }
    im_out_char(w->out, ']');
}

static void write_value(struct writer *w, const struct im_config_row *row, const void *base)
{
    char *text = im_config_get(row, base);
    if (row->type == IM_T_STRINGS)
        write_strings(w, (const struct im_strings *)((const char *)base + row->offset));
    else if (!*text)
        im_out_str(w->out, "null");
    else if (row->type == IM_T_STRING)
        im_out_json(w->out, im_str(text));
    else
        im_out_str(w->out, text);
    im_out_char(w->out, '\n');
    free(text);
}

static void write_help(struct writer *w, int more, const struct im_config_row *row)
{
    char allowed[200];
    im_config_allowed(row, allowed, sizeof allowed);
    if (allowed[0] >= 'a' && allowed[0] <= 'z')
        allowed[0] = (char)(allowed[0] - 'a' + 'A');
    im_out_printf(w->out, "\n%*s# %s\n", w->indent + more, "", row->help);
    im_out_printf(w->out, "%*s# %s.%s\n", w->indent + more, "", allowed,
                  row->reload ? "" : " Changing it needs a restart.");
}

static void write_rows(struct writer *w, const struct im_config_row *rows, size_t count, const void *base)
{
    struct im_str section = {0};
    for (size_t i = 0; i < count; i++) {
        const char *dot = strchr(rows[i].path, '.');
        struct im_str mine = {dot ? rows[i].path : NULL, dot ? (size_t)(dot - rows[i].path) : 0};
        if (dot && !im_str_eq(mine, section)) {
            if (w->help)
                im_out_char(w->out, '\n');
            indent(w, 0);
            im_out_put(w->out, mine.p, mine.len);
            im_out_str(w->out, ":\n");
        }
        section = mine;
        if (w->help)
            write_help(w, dot ? 2 : 0, &rows[i]);
        indent(w, dot ? 2 : 0);
        im_out_printf(w->out, "%s: ", dot ? dot + 1 : rows[i].path);
        write_value(w, &rows[i], base);
    }
}

static void write_listeners(struct writer *w, const struct im_config *config)
{
    im_out_str(w->out, "listen:\n");
    w->indent += 4;
    for (size_t i = 0; i < config->listen_count; i++) {
        w->first = '-';
        write_rows(w, im_listen_rows, im_listen_row_count, &config->listen[i]);
    }
    w->indent -= 4;
}

void im_config_write(const struct im_config *config, struct im_out *out)
{
    struct writer w = {.out = out};
    write_listeners(&w, config);
    write_rows(&w, im_config_rows, im_config_row_count, config);
}

/* One short element for each usual listener; what else an element takes is told in a comment. */
static void write_default_listeners(struct writer *w, const struct im_config *config)
{
    im_out_str(w->out, "# Where clients come in. Keys of an element:\n");
    for (size_t k = 0; k < im_listen_row_count; k++)
        im_out_printf(w->out, "#   %-9s  %s\n", im_listen_rows[k].path, im_listen_rows[k].help);
    im_out_str(w->out, "# Changing the list needs a restart; the certificates are read again on reload.\nlisten:\n");
    const struct im_config_row *row = im_config_find(im_listen_rows, im_listen_row_count, IM_STR("transport"));
    for (size_t i = 0; i < config->listen_count; i++) {
        char *transport = im_config_get(row, &config->listen[i]);
        im_out_printf(w->out, "  - { transport: %s, address: ", transport);
        im_out_json(w->out, im_str(config->listen[i].address));
        im_out_str(w->out, " }\n");
        free(transport);
    }
}

void im_config_write_default(struct im_out *out)
{
    struct im_config *config = im_config_new();
    im_config_default_listeners(config);
    struct writer w = {.out = out, .help = true};
    im_out_str(out, "# The configuration of imd with all its defaults; see imd.yaml(5).\n"
                    "# Every key may be left out. null: unset.\n\n");
    write_default_listeners(&w, config);
    write_rows(&w, im_config_rows, im_config_row_count, config);
    im_config_free(&config);
}
