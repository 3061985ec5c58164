/* Splices the tables of core/tbl into documentation, so that no page repeats them by hand. Copies standard input to
 * standard output; a line "@@name@@" becomes that table, as mdoc or as markdown. */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/command.h"
#include "core/group.h"
#include "core/reason.h"

#define COLUMNS_MAX 6

struct table;

/* How a table is written. In every table the first cell names the row and the last one explains it. */
struct format {
    const char *name;
    void (*begin)(const struct table *);
    void (*row)(const struct table *, const char *const *cells);
    void (*end)(void);
};

struct table {
    const char *name;
    int columns;
    const char *heads[COLUMNS_MAX];
    void (*rows)(const struct format *, const struct table *);
};

/* mdoc */

static void mdoc_text(const char *s)
{
    if (*s == '.' || *s == '\'')
        fputs("\\&", stdout);
    for (; *s; s++)
        if (*s == '\\')
            fputs("\\e", stdout);
        else
            putchar(*s);
}

static void mdoc_begin(const struct table *table)
{
    (void)table;
    puts(".Bl -tag -width 6n");
}

/* Each sentence on a line of its own, as mdoc wants it. */
static void mdoc_sentences(const char *s)
{
    const char *stop;
    while ((stop = strstr(s, ". "))) {
        char line[1024];
        snprintf(line, sizeof(line), "%.*s", (int)(stop + 1 - s), s);
        mdoc_text(line);
        putchar('\n');
        s = stop + 2;
    }
    mdoc_text(s);
    putchar('\n');
}

static void mdoc_row(const struct table *table, const char *const *cells)
{
    printf(".It Ic %s\n", cells[0]);
    mdoc_sentences(cells[table->columns - 1]);
    bool first = true;
    for (int i = 1; i < table->columns - 1; i++) {
        if (!*cells[i])
            continue;
        printf("%s%s: ", first ? ".br\n" : ";\n", table->heads[i]);
        mdoc_text(cells[i]);
        first = false;
    }
    if (!first)
        puts(".");
}

static void mdoc_end(void)
{
    puts(".El");
}

/* markdown */

static void markdown_begin(const struct table *table)
{
    for (int i = 0; i < table->columns; i++)
        printf("| %s ", table->heads[i]);
    puts("|");
    for (int i = 0; i < table->columns; i++)
        fputs("|---", stdout);
    puts("|");
}

static void markdown_row(const struct table *table, const char *const *cells)
{
    for (int i = 0; i < table->columns; i++) {
        fputs(i == 0 ? "| `" : "| ", stdout);
        for (const char *s = cells[i]; *s; s++)
            printf(*s == '|' || *s == '*' ? "\\%c" : "%c", *s);
        fputs(i == 0 ? "` " : " ", stdout);
    }
    puts("|");
}

static void markdown_end(void)
{
}

static const struct format formats[] = {
    {"mdoc", mdoc_begin, mdoc_row, mdoc_end},
    {"markdown", markdown_begin, markdown_row, markdown_end},
};

/* Values as the configuration file writes them */

struct unit {
    uint64_t factor;
    const char *suffix;
};
static const struct unit sizes[] = {{1 << 30, "GiB"}, {1 << 20, "MiB"}, {1 << 10, "KiB"}, {1, ""}};
static const struct unit times[] = {{86400000, "d"}, {3600000, "h"}, {60000, "m"}, {1000, "s"}, {1, "ms"}};

static void quantity(char out[static 32], const struct unit *units, uint64_t n)
{
    while (n % units->factor != 0 || (n == 0 && units->factor != 1))
        units++;
    snprintf(out, 32, "%" PRIu64 "%s", n / units->factor, n == 0 ? "" : units->suffix);
}

static void range(char out[static 100], const char *type, uint64_t min, uint64_t max)
{
    static const struct unit plain[] = {{1, ""}};
    const struct unit *units = strcmp(type, "SIZE") == 0 ? sizes : strcmp(type, "MS") == 0 ? times : plain;
    const char *of = strcmp(type, "STRING") == 0 ? " bytes" : strcmp(type, "STRINGS") == 0 ? " elements" : "";
    char low[32], high[32];
    quantity(low, units, min);
    quantity(high, units, max);
    snprintf(out, 100, min == max ? "%s%s%s" : "%s to %s%s", low, min == max ? "" : high, of);
}

/* "a|b|c" as "a, b or c" */
static void choices_text(char out[static 100], const char *choices)
{
    size_t n = 0;
    for (const char *s = choices; *s && n < 90; s++)
        if (*s != '|')
            out[n++] = *s;
        else
            n += (size_t)snprintf(out + n, 100 - n, "%s", strchr(s + 1, '|') ? ", " : " or ");
    out[n] = '\0';
}

static const char *type_text(const char *type)
{
    static const char *const words[][2] = {
        {"BOOL", "true or false"},      {"UINT", "number"}, {"SIZE", "size"}, {"MS", "time"}, {"STRING", "string"},
        {"STRINGS", "list of strings"},
    };
    for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
        if (strcmp(words[i][0], type) == 0)
            return words[i][1];
    return "";
}

/* Type and range in one cell: "number, 1 to 64", "memory or sqlite" */
static void value_text(char out[static 200], const char *type, uint64_t min, uint64_t max, const char *choices)
{
    char bounds[100];
    if (choices) {
        choices_text(bounds, choices);
        snprintf(out, 200, "%s", bounds);
    } else if (strcmp(type, "BOOL") == 0) {
        snprintf(out, 200, "%s", type_text(type));
    } else {
        range(bounds, type, min, max);
        snprintf(out, 200, "%s, %s", type_text(type), bounds);
    }
}

/* The tables */

static void config_row(const struct format *f, const struct table *t, const char *path, const char *type, uint64_t min,
                       uint64_t max, const char *def, const char *choices, bool reload, const char *help)
{
    char value[200];
    value_text(value, type, min, max, choices);
    f->row(t, (const char *[]){path, value, def ? def : "unset", reload ? "on reload" : "at start", help});
}

static void config_rows(const struct format *f, const struct table *t)
{
#define IM_CONFIG_KEY(path, type, field, min, max, def, choices, reload, help)                                         \
    config_row(f, t, path, #type, min, max, def, choices, reload, help);
#include "core/tbl/config.def"
#undef IM_CONFIG_KEY
}

static void listen_row(const struct format *f, const struct table *t, const char *path, const char *type, uint64_t min,
                       uint64_t max, const char *def, const char *choices, const char *help)
{
    char value[200];
    value_text(value, type, min, max, choices);
    f->row(t, (const char *[]){path, value, def ? def : "unset", help});
}

static void listen_rows(const struct format *f, const struct table *t)
{
#define IM_LISTEN_KEY(path, type, field, min, max, def, choices, help)                                                 \
    listen_row(f, t, path, #type, min, max, def, choices, help);
#include "core/tbl/listen.def"
#undef IM_LISTEN_KEY
}

static void reason_row(const struct format *f, const struct table *t, const char *name, int code, int ws, bool retry,
                       const char *en, const char *zh)
{
    char code_text[16], ws_text[16], both[300];
    snprintf(code_text, sizeof(code_text), "%d", code);
    snprintf(ws_text, sizeof(ws_text), "%d", ws);
    snprintf(both, sizeof(both), "%s %s", en, zh);
    f->row(t, (const char *[]){name, code_text, ws_text, retry ? "yes" : "no", both});
}

static void reason_rows(const struct format *f, const struct table *t)
{
#define IM_REASON(sym, name, code, ws, retry, en, zh) reason_row(f, t, name, code, ws, retry, en, zh);
#include "core/tbl/reasons.def"
#undef IM_REASON
}

static void counter_rows(const struct format *f, const struct table *t)
{
#define IM_COUNTER(sym, name, help) f->row(t, (const char *[]){"imd_" name, help});
#include "core/tbl/counters.def"
#undef IM_COUNTER
}

static void histogram_rows(const struct format *f, const struct table *t)
{
#define IM_HISTOGRAM(sym, name, help) f->row(t, (const char *[]){"imd_" name "_seconds", help});
#include "core/tbl/histograms.def"
#undef IM_HISTOGRAM
}

static const char *const field_names[] = {
#define IM_FIELD(member, name, type, max) name,
#include "core/tbl/fields.def"
#undef IM_FIELD
};

static void field_list(char out[static 200], uint64_t mask)
{
    size_t n = 0;
    out[0] = '\0';
    for (int i = 0; i < IM_FIELD_COUNT; i++)
        if (mask >> i & 1)
            n += (size_t)snprintf(out + n, 200 - n, "%s%s", n ? ", " : "", field_names[i]);
}

static void op_row(const struct format *f, const struct table *t, const char *name, const char *who, uint64_t required,
                   uint64_t optional)
{
    char need[200], may[200];
    field_list(need, required);
    field_list(may, optional);
    const char *when = strcmp(who, "IM_WHO_NEW") == 0    ? "Before login."
                       : strcmp(who, "IM_WHO_USER") == 0 ? "After login."
                                                         : "At any time.";
    f->row(t, (const char *[]){name, need, may, when});
}

static void op_rows(const struct format *f, const struct table *t)
{
#define IM_OP(sym, name, who, required, optional, handler) op_row(f, t, name, #who, required, optional);
#include "core/tbl/ops.def"
#undef IM_OP
}

static void field_row(const struct format *f, const struct table *t, const char *name, const char *type, uint64_t max)
{
    char text[100];
    if (strcmp(type, "STR") == 0 && max >= UINT32_MAX)
        snprintf(text, sizeof(text), "A string, bounded by limits.text.");
    else if (strcmp(type, "STR") == 0)
        snprintf(text, sizeof(text), "A string of at most %" PRIu64 " bytes.", max);
    else if (strcmp(type, "STRS") == 0)
        snprintf(text, sizeof(text), "An array of at most %" PRIu64 " strings.", max);
    else if (strcmp(type, "BOOL") == 0)
        snprintf(text, sizeof(text), "true or false.");
    else if (strcmp(type, "POS") == 0)
        snprintf(text, sizeof(text), "A position: what the server gave, unchanged. A decimal number in a string.");
    else if (max == INT64_MAX)
        snprintf(text, sizeof(text), "A number from 0.");
    else
        snprintf(text, sizeof(text), "A number from 0 to %" PRIu64 ".", max);
    f->row(t, (const char *[]){name, text});
}

static void field_rows(const struct format *f, const struct table *t)
{
#define IM_FIELD(member, name, type, max) field_row(f, t, name, #type, max);
#include "core/tbl/fields.def"
#undef IM_FIELD
}

static void slash_row(const struct format *f, const struct table *t, const char *name, const char *aliases,
                      const char *arguments, const char *help)
{
    char usage[100], also[100];
    size_t n = 0;
    snprintf(usage, sizeof(usage), "/%s%s%s", name, *arguments ? " " : "", arguments);
    for (const char *s = aliases; *s && n < 90; s++)
        n += (size_t)snprintf(also + n, 3, *s == ' ' ? ", " : "%c", *s);
    also[n] = '\0';
    f->row(t, (const char *[]){usage, also, help});
}

static void slash_rows(const struct format *f, const struct table *t)
{
#define IM_SLASH(name, aliases, arguments, least, en, zh, function)                                                    \
    slash_row(f, t, name, aliases, arguments, en " · " zh);
#include "core/tbl/slash.def"
#undef IM_SLASH
}

/* What the server says */

enum shape_kind { DURABLE, PASSING, REPLY, ERR, PART };

static const struct shape {
    enum shape_kind kind;
    const char *name, *always, *maybe, *help;
} shapes[] = {
#define IM_SHAPE(kind, name, always, maybe, help) {kind, name, always, maybe, help},
#include "core/tbl/shapes.def"
#undef IM_SHAPE
};

static const struct said {
    const char *key, *name, *type, *of, *help;
} said[] = {
#define IM_SAID(key, name, type, of, help) {#key, name, #type, of, help},
#include "core/tbl/said.def"
#undef IM_SAID
};

/* "a b c" as the names of those members */
static void said_list(char out[static 200], const char *keys)
{
    size_t n = 0;
    out[0] = '\0';
    while (*keys) {
        size_t len = strcspn(keys, " ");
        for (size_t i = 0; i < sizeof(said) / sizeof(*said); i++)
            if (strlen(said[i].key) == len && memcmp(said[i].key, keys, len) == 0)
                n += (size_t)snprintf(out + n, 200 - n, "%s%s", n ? ", " : "", said[i].name);
        keys += len + (keys[len] != '\0');
    }
}

static void shape_rows(const struct format *f, const struct table *t, enum shape_kind first, enum shape_kind last)
{
    for (size_t i = 0; i < sizeof(shapes) / sizeof(*shapes); i++) {
        char always[200], maybe[200];
        if (shapes[i].kind < first || shapes[i].kind > last)
            continue;
        said_list(always, shapes[i].always);
        said_list(maybe, shapes[i].maybe);
        f->row(t, (const char *[]){shapes[i].name, always, maybe, shapes[i].help});
    }
}

static void event_rows(const struct format *f, const struct table *t)
{
    shape_rows(f, t, DURABLE, PASSING);
}

static void reply_rows(const struct format *f, const struct table *t)
{
    shape_rows(f, t, REPLY, ERR);
}

static void part_rows(const struct format *f, const struct table *t)
{
    shape_rows(f, t, PART, PART);
}

static bool has_key(const char *keys, const char *key)
{
    size_t n = strlen(key);
    for (const char *at = keys; (at = strstr(at, key)); at += n)
        if ((at == keys || at[-1] == ' ') && (at[n] == ' ' || at[n] == '\0'))
            return true;
    return false;
}

/* The shapes that have the member. */
static void users_of(char out[static 200], const char *key)
{
    size_t n = 0;
    const char *before = "";
    out[0] = '\0';
    for (size_t i = 0; i < sizeof(shapes) / sizeof(*shapes); i++) {
        if ((!has_key(shapes[i].always, key) && !has_key(shapes[i].maybe, key)) || strcmp(before, shapes[i].name) == 0)
            continue;
        before = shapes[i].name;
        n += (size_t)snprintf(out + n, 200 - n, "%s%s", n ? ", " : "", before);
    }
}

static void said_value(char out[static 100], const struct said *s)
{
    static const char *const kinds[][2] = {
        {"STR", "a string"},     {"USER", "an id"},      {"CONV", "an id, or #group"},  {"NUM", "a number"},
        {"MS", "ms since 1970"}, {"POS", "a position"},  {"BOOL", "true or false"},     {"TRUE", "true"},
        {"ROLE", "a role"},      {"CHANGE", "a change"}, {"REASON", "a reason's name"}, {"STRS", "a list of strings"},
        {"ONE", "an object: "},  {"LIST", "a list of "},
    };
    if (strcmp(s->type, "WORD") == 0)
        choices_text(out, s->of);
    for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
        if (strcmp(kinds[i][0], s->type) == 0)
            snprintf(out, 100, "%s%s", kinds[i][1], s->of);
}

static void said_rows(const struct format *f, const struct table *t)
{
    for (size_t i = 0; i < sizeof(said) / sizeof(*said); i++) {
        char value[100], in[200];
        said_value(value, &said[i]);
        users_of(in, said[i].key);
        f->row(t, (const char *[]){said[i].name, in, value, said[i].help});
    }
}

static void limit_rows(const struct format *f, const struct table *t)
{
#define IM_LIMIT(name, value, help) f->row(t, (const char *[]){name, help});
#include "core/tbl/limits.def"
#undef IM_LIMIT
}

/* Groups */

static const char *const role_names[] = {
#define IM_ROLE(sym, name, en, zh) name,
#include "core/tbl/roles.def"
#undef IM_ROLE
};

static void permission_rows(const struct format *f, const struct table *t)
{
#define IM_ACTION(sym, name, least, outranks, help)                                                                    \
    f->row(t, (const char *[]){name, role_names[IM_ROLE_##least], outranks ? "yes" : "", help});
#include "core/tbl/permissions.def"
#undef IM_ACTION
}

/* "%1 made %2 %3" as "WHO made USER WHAT" */
static void change_row(const struct format *f, const struct table *t, const char *name, bool needs_user,
                       const char *shown)
{
    static const char *const stand[] = {"WHO", "USER", "WHAT"};
    char text[200];
    size_t n = 0;
    for (const char *s = shown; *s && n < 180; s++)
        if (*s == '%')
            n += (size_t)snprintf(text + n, 200 - n, "%s", stand[*++s - '1']);
        else
            text[n++] = *s;
    text[n] = '\0';
    f->row(t, (const char *[]){name, needs_user ? "yes" : "", text});
}

static void change_rows(const struct format *f, const struct table *t)
{
#define IM_CHANGE(sym, name, action, needs_user, en, zh) change_row(f, t, name, needs_user, en);
#include "core/tbl/changes.def"
#undef IM_CHANGE
}

static const struct table tables[] = {
    {"config", 5, {"Key", "Value", "Default", "Takes effect", "Meaning"}, config_rows},
    {"listen", 4, {"Key", "Value", "Default", "Meaning"}, listen_rows},
    {"reasons", 5, {"Name", "Code", "Close code", "Retry", "Text"}, reason_rows},
    {"counters", 2, {"Counter", "Meaning"}, counter_rows},
    {"histograms", 2, {"Histogram", "Meaning"}, histogram_rows},
    {"ops", 4, {"Op", "Needs", "May have", "When"}, op_rows},
    {"fields", 2, {"Field", "Value"}, field_rows},
    {"events", 4, {"Event", "Has", "May have", "Meaning"}, event_rows},
    {"replies", 4, {"To", "Has", "May have", "Meaning"}, reply_rows},
    {"parts", 4, {"Object", "Has", "May have", "Meaning"}, part_rows},
    {"said", 4, {"Member", "In", "Value", "Meaning"}, said_rows},
    {"limits", 2, {"Limit", "Meaning"}, limit_rows},
    {"changes", 3, {"Change", "Needs a user", "What it says"}, change_rows},
    {"permissions", 4, {"Action", "Role at least", "Only to lower roles", "Meaning"}, permission_rows},
    {"slash", 3, {"Command", "Also", "Meaning"}, slash_rows},
};

/* The table a line "@@name@@\n" asks for; NULL for any other line. */
static const struct table *table_of(const char *line)
{
    char name[32];
    int end = 0;
    if (sscanf(line, "@@%31[a-z]@@%n", name, &end) != 1 || end == 0 || line[end] != '\n')
        return NULL;
    for (size_t i = 0; i < sizeof(tables) / sizeof(*tables); i++)
        if (strcmp(tables[i].name, name) == 0)
            return &tables[i];
    fprintf(stderr, "gen_tables: no table '%s'\n", name);
    exit(1);
}

static const struct format *format_of(const char *name)
{
    for (size_t i = 0; name && i < sizeof(formats) / sizeof(*formats); i++)
        if (strcmp(formats[i].name, name) == 0)
            return &formats[i];
    fprintf(stderr, "usage: gen_tables mdoc|markdown <page.in >page\n");
    exit(64);
}

int main(int argc, char **argv)
{
    const struct format *format = format_of(argc == 2 ? argv[1] : NULL);
    char line[4096];
    while (fgets(line, sizeof(line), stdin)) {
        const struct table *table = table_of(line);
        if (!table) {
            fputs(line, stdout);
            continue;
        }
        format->begin(table);
        table->rows(format, table);
        format->end();
    }
    return ferror(stdin) || fflush(stdout) ? 1 : 0;
}
