#include "tools/imd/config_file.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <yaml.h>

#include "core/mem.h"
#include "core/suggest.h"

#define LISTENERS_MAX  256
#define PATH_MAX_SHOWN 128

#define DROP_INS_MAX 256

/* A key that was seen, and where: to find duplicates and to place what im_config_check() finds. */
struct place {
    char path[PATH_MAX_SHOWN];
    size_t file;
    yaml_mark_t mark;
};

struct im_config_places {
    struct im_strings files;
    struct place *v;
    size_t n;
};

struct loader {
    yaml_parser_t parser;
    yaml_event_t event; /* the current one */
    const char *name;   /* the current file's; the last of places.files */
    struct im_str text;
    struct im_config *config;
    struct im_out *errors;
    unsigned error_count;
    bool stop;   /* the text cannot be read further */
    bool listed; /* it has a list of listeners, be it an empty one */
    struct im_config_places places;
};

/* A level of the file: the rows that may stand here are those whose path begins with prefix. */
struct scope {
    const struct im_config_row *rows;
    size_t row_count;
    void *base;
    char prefix[PATH_MAX_SHOWN]; /* "" or "limits." */
    char shown[PATH_MAX_SHOWN];  /* what stands before the key in messages: "limits.", "listen[0].tls." */
};

/* Problems. */

static void put_problem(struct im_out *out, const char *path, const char *problem)
{
    im_out_str(out, ": ");
    im_out_safe(out, im_str(path), false);
    im_out_str(out, ": ");
    im_out_safe(out, im_str(problem), false);
    im_out_char(out, '\n');
}

static void report(struct loader *l, size_t line, size_t column, const char *path, const char *problem)
{
    if (l->error_count++ >= IM_CONFIG_ERRORS_MAX) {
        l->stop = true;
        return;
    }
    im_out_safe(l->errors, im_str(l->name), false);
    im_out_printf(l->errors, ":%zu:%zu", line, column);
    put_problem(l->errors, path, problem);
}

static void report_at(struct loader *l, const yaml_mark_t *mark, const char *path, const char *problem)
{
    report(l, mark->line + 1, mark->column + 1, path, problem);
}

/* The line and column (in characters) of a byte. */
static void locate(struct im_str text, size_t offset, size_t *line, size_t *column)
{
    *line = *column = 1;
    for (size_t i = 0; i < offset && i < text.len; i++) {
        if (text.p[i] == '\n') {
            ++*line;
            *column = 1;
        } else if (((unsigned char)text.p[i] & 0xc0) != 0x80) {
            ++*column;
        }
    }
}

/* The byte at a line and column, both from 0; NUL when there is none. */
static char byte_at(struct im_str text, size_t line, size_t column)
{
    size_t i = 0;
    for (; i < text.len && line > 0; i++)
        line -= text.p[i] == '\n';
    for (; i < text.len && column > 0; i++)
        column -= i + 1 == text.len || ((unsigned char)text.p[i + 1] & 0xc0) != 0x80;
    return i < text.len ? text.p[i] : '\0';
}

static void report_syntax(struct loader *l)
{
    const yaml_parser_t *p = &l->parser;
    size_t line, column;
    char problem[300];
    if (p->error == YAML_READER_ERROR) {
        locate(l->text, p->problem_offset, &line, &column);
        snprintf(problem, sizeof problem, "%s", p->problem);
    } else {
        line = p->problem_mark.line + 1;
        column = p->problem_mark.column + 1;
        bool tab = byte_at(l->text, p->problem_mark.line, p->problem_mark.column) == '\t';
        snprintf(problem, sizeof problem, "%s%s%s%s", p->problem ? p->problem : "cannot be read", p->context ? " " : "",
                 p->context ? p->context : "", tab ? " (indent with spaces, not tabs)" : "");
    }
    report(l, line, column, "YAML", problem);
    l->stop = true;
}

/* Events. */

static const char *anchor_of(const yaml_event_t *e)
{
    switch (e->type) {
    case YAML_ALIAS_EVENT:
        return (const char *)e->data.alias.anchor;
    case YAML_SCALAR_EVENT:
        return (const char *)e->data.scalar.anchor;
    case YAML_SEQUENCE_START_EVENT:
        return (const char *)e->data.sequence_start.anchor;
    case YAML_MAPPING_START_EVENT:
        return (const char *)e->data.mapping_start.anchor;
    default:
        return NULL;
    }
}

static const char *tag_of(const yaml_event_t *e)
{
    switch (e->type) {
    case YAML_SCALAR_EVENT:
        return (const char *)e->data.scalar.tag;
    case YAML_SEQUENCE_START_EVENT:
        return (const char *)e->data.sequence_start.tag;
    case YAML_MAPPING_START_EVENT:
        return (const char *)e->data.mapping_start.tag;
    default:
        return NULL;
    }
}

static bool next(struct loader *l)
{
    if (l->stop)
        return false;
    yaml_event_delete(&l->event);
    if (!yaml_parser_parse(&l->parser, &l->event)) {
        report_syntax(l);
        return false;
    }
    if (anchor_of(&l->event))
        report_at(l, &l->event.start_mark, "YAML", "anchors and aliases (& and *) are not accepted here");
    else if (tag_of(&l->event))
        report_at(l, &l->event.start_mark, "YAML", "tags (!) are not accepted here");
    return !l->stop;
}

static bool opens(const yaml_event_t *e)
{
    return e->type == YAML_MAPPING_START_EVENT || e->type == YAML_SEQUENCE_START_EVENT;
}

static bool closes(const yaml_event_t *e)
{
    return e->type == YAML_MAPPING_END_EVENT || e->type == YAML_SEQUENCE_END_EVENT;
}

/* Passes over the rest of the node whose first event is the current one. */
static void skip(struct loader *l)
{
    size_t depth = opens(&l->event);
    while (depth > 0 && next(l)) {
        if (opens(&l->event))
            depth++;
        else if (closes(&l->event))
            depth--;
    }
}

static struct im_str scalar(const yaml_event_t *e)
{
    return (struct im_str){(const char *)e->data.scalar.value, e->data.scalar.length};
}

static bool is_null(const yaml_event_t *e)
{
    if (e->type != YAML_SCALAR_EVENT || e->data.scalar.style != YAML_PLAIN_SCALAR_STYLE)
        return false;
    struct im_str s = scalar(e);
    return s.len == 0 || im_str_eq(s, IM_STR("~")) || im_str_eq(s, IM_STR("null"));
}

/* Places. */

static struct place *find_place(const struct im_config_places *places, const char *path)
{
    for (size_t i = 0; i < places->n; i++)
        if (strcmp(places->v[i].path, path) == 0)
            return &places->v[i];
    return NULL;
}

/* Notes the current event as the place of path. False (reported): it has one already in this file. */
static bool note_place(struct loader *l, const char *path)
{
    struct place *earlier = find_place(&l->places, path);
    size_t file = l->places.files.n - 1;
    if (earlier && earlier->file != file) {
        earlier->file = file;
        earlier->mark = l->event.start_mark;
        return true;
    }
    if (earlier) {
        char problem[80];
        snprintf(problem, sizeof problem, "is given twice; first in line %zu", earlier->mark.line + 1);
        report_at(l, &l->event.start_mark, path, problem);
        return false;
    }
    l->places.v = im_realloc(l->places.v, (l->places.n + 1) * sizeof *l->places.v);
    struct place *place = &l->places.v[l->places.n++];
    snprintf(place->path, sizeof place->path, "%s", path);
    place->file = file;
    place->mark = l->event.start_mark;
    return true;
}

/* The place of the nearest thing around path that the files have; otherwise the beginning of the first. */
static struct place nearest_place(const struct im_config_places *places, const char *path)
{
    char around[PATH_MAX_SHOWN];
    snprintf(around, sizeof around, "%s", path);
    for (;;) {
        const struct place *place = find_place(places, around);
        if (place)
            return *place;
        size_t len = strlen(around);
        while (len > 0 && around[len] != '.' && around[len] != '[')
            len--;
        if (len == 0)
            return (struct place){0};
        around[len] = '\0';
    }
}

/* Keys that are not in the table. */

/* The part of a row's path that stands at this level; absent when the row is elsewhere. */
static struct im_str key_at(const struct scope *scope, const struct im_config_row *row)
{
    size_t skipped = strlen(scope->prefix);
    if (strncmp(row->path, scope->prefix, skipped) != 0)
        return (struct im_str){0};
    return (struct im_str){row->path + skipped, strcspn(row->path + skipped, ".")};
}

/* A key of that name in another section, as its whole path. */
static const char *elsewhere(const struct scope *scope, struct im_str key)
{
    for (size_t i = 0; i < scope->row_count; i++) {
        const char *dot = strrchr(scope->rows[i].path, '.');
        if (im_str_eq(im_str(dot ? dot + 1 : scope->rows[i].path), key))
            return scope->rows[i].path;
    }
    return NULL;
}

static void unknown_key(struct loader *l, const struct scope *scope, const char *path, struct im_str key)
{
    struct im_suggest near = {.word = key};
    for (size_t i = 0; i < scope->row_count; i++) {
        struct im_str candidate = key_at(scope, &scope->rows[i]);
        if (candidate.p)
            im_suggest_offer(&near, candidate);
    }
    if (scope->base == l->config && !*scope->prefix)
        im_suggest_offer(&near, IM_STR("listen"));
    struct im_str best = im_suggest_best(&near);
    const char *other = elsewhere(scope, key);
    char problem[160];
    if (best.p)
        snprintf(problem, sizeof problem, "unknown key; did you mean \"%.*s\"?", (int)best.len, best.p);
    else if (other)
        snprintf(problem, sizeof problem, "unknown key; did you mean \"%s\"?", other);
    else
        snprintf(problem, sizeof problem, "unknown key");
    report_at(l, &l->event.start_mark, path, problem);
}

/* Values. */

static const char *kind_of(const yaml_event_t *e)
{
    switch (e->type) {
    case YAML_MAPPING_START_EVENT:
        return "a mapping";
    case YAML_SEQUENCE_START_EVENT:
        return "a list";
    case YAML_ALIAS_EVENT:
        return "an alias";
    default:
        return "a single value";
    }
}

/* The current node is not what the key needs. */
static void wrong_kind(struct loader *l, const char *path, const char *needed)
{
    char problem[80];
    if (l->event.type != YAML_ALIAS_EVENT) {
        snprintf(problem, sizeof problem, "must be %s, not %s", needed, kind_of(&l->event));
        report_at(l, &l->event.start_mark, path, problem);
    }
    skip(l);
}

static void check_value(struct loader *l, const char *path, enum im_reason r, const struct im_error *error)
{
    if (r != IM_OK)
        report_at(l, &l->event.start_mark, path, error->detail);
}

static void read_strings(struct loader *l, const struct im_config_row *row, void *base, const char *path)
{
    im_config_unset(row, base, NULL); /* what an earlier file said */
    while (next(l) && l->event.type != YAML_SEQUENCE_END_EVENT) {
        struct im_error error;
        if (l->event.type == YAML_SCALAR_EVENT)
            check_value(l, path, im_config_append(row, base, scalar(&l->event), &error), &error);
        else
            wrong_kind(l, path, "a list of single values");
    }
}

static void read_value(struct loader *l, const struct im_config_row *row, void *base, const char *path)
{
    struct im_error error;
    bool list = row->type == IM_T_STRINGS;
    if (is_null(&l->event))
        check_value(l, path, im_config_unset(row, base, &error), &error);
    else if (list && l->event.type == YAML_SEQUENCE_START_EVENT)
        read_strings(l, row, base, path);
    else if (!list && l->event.type == YAML_SCALAR_EVENT)
        check_value(l, path, im_config_set(row, base, scalar(&l->event), &error), &error);
    else
        wrong_kind(l, path, list ? "a list" : "a single value");
}

static void read_mapping(struct loader *l, const struct scope *scope);

static void read_listener(struct loader *l, size_t n)
{
    struct scope scope = {.rows = im_listen_rows, .row_count = im_listen_row_count};
    char path[32];
    snprintf(path, sizeof path, "listen[%zu]", n);
    snprintf(scope.shown, sizeof scope.shown, "%s.", path);
    note_place(l, path);
    if (l->event.type != YAML_MAPPING_START_EVENT) {
        wrong_kind(l, path, "a mapping");
    } else if (n >= LISTENERS_MAX) {
        report_at(l, &l->event.start_mark, path, "too many listeners");
        skip(l);
    } else {
        scope.base = im_config_add_listener(l->config);
        read_mapping(l, &scope);
    }
}

static void read_listeners(struct loader *l)
{
    if (l->event.type != YAML_SEQUENCE_START_EVENT) {
        wrong_kind(l, "listen", "a list");
        return;
    }
    static const struct im_config none;
    im_config_copy_listeners(l->config, &none); /* what an earlier file said */
    l->listed = true;
    for (size_t n = 0; next(l) && l->event.type != YAML_SEQUENCE_END_EVENT; n++)
        read_listener(l, n);
}

/* The section named by `path` at this level, if the table has one. */
static bool find_section(const struct scope *scope, struct im_str key, struct scope *section)
{
    *section = *scope;
    size_t len = strlen(scope->prefix);
    if (key.len == 0 || memchr(key.p, '.', key.len) || len + key.len + 2 > sizeof section->prefix)
        return false;
    snprintf(section->prefix + len, sizeof section->prefix - len, "%.*s.", (int)key.len, key.p);
    for (size_t i = 0; i < scope->row_count; i++)
        if (strncmp(scope->rows[i].path, section->prefix, strlen(section->prefix)) == 0)
            return true;
    return false;
}

static void read_section(struct loader *l, struct scope *section, const char *path)
{
    snprintf(section->shown, sizeof section->shown, "%.60s.", path);
    if (l->event.type == YAML_MAPPING_START_EVENT)
        read_mapping(l, section);
    else if (!is_null(&l->event))
        wrong_kind(l, path, "a mapping");
}

static const struct im_config_row *find_row(const struct scope *scope, struct im_str key)
{
    for (size_t i = 0; i < scope->row_count; i++) {
        struct im_str at = key_at(scope, &scope->rows[i]);
        if (at.p && at.p[at.len] == '\0' && im_str_eq(at, key))
            return &scope->rows[i];
    }
    return NULL;
}

/* One key and its value; the current event is the key. */
static void read_pair(struct loader *l, const struct scope *scope)
{
    char path[PATH_MAX_SHOWN];
    struct im_str key = scalar(&l->event);
    snprintf(path, sizeof path, "%.60s%.*s", scope->shown, (int)(key.len > 60 ? 60 : key.len), key.p);
    const struct im_config_row *row = find_row(scope, key);
    bool top = scope->base == l->config && !*scope->prefix;
    bool listen = top && im_str_eq(key, IM_STR("listen"));
    struct scope section;
    bool is_section = !row && !listen && find_section(scope, key, &section);
    bool known = row || listen || is_section;
    if (!known)
        unknown_key(l, scope, path, key);
    bool wanted = known && note_place(l, path);
    if (!next(l))
        return;
    if (!wanted)
        skip(l);
    else if (row)
        read_value(l, row, scope->base, path);
    else if (is_section)
        read_section(l, &section, path);
    else if (!is_null(&l->event))
        read_listeners(l);
}

/* Everything up to the end of a mapping whose start is the current event. */
static void read_mapping(struct loader *l, const struct scope *scope)
{
    while (next(l) && l->event.type != YAML_MAPPING_END_EVENT) {
        if (l->event.type == YAML_SCALAR_EVENT) {
            read_pair(l, scope);
            continue;
        }
        report_at(l, &l->event.start_mark, *scope->shown ? scope->shown : "YAML", "a key must be a word");
        skip(l);
        if (next(l))
            skip(l);
    }
}

/* Files. */

static void read_document(struct loader *l)
{
    struct scope top = {.rows = im_config_rows, .row_count = im_config_row_count, .base = l->config};
    next(l); /* stream start */
    if (!next(l) || l->event.type == YAML_STREAM_END_EVENT || !next(l))
        return;
    if (l->event.type == YAML_MAPPING_START_EVENT)
        read_mapping(l, &top);
    else if (!is_null(&l->event))
        wrong_kind(l, "YAML", "a mapping at the top");
    if (next(l) && next(l) && l->event.type != YAML_STREAM_END_EVENT)
        report_at(l, &l->event.start_mark, "YAML", "only one document is accepted");
}

static void check_whole(struct loader *l)
{
    char path[64];
    struct im_error error;
    if (!l->listed)
        im_config_default_listeners(l->config);
    if (im_config_check(l->config, path, &error) != IM_OK) {
        struct place place = nearest_place(&l->places, path);
        l->name = l->places.files.v[place.file];
        report_at(l, &place.mark, path, error.detail);
    }
}

static size_t first_bad_byte(struct im_str text)
{
    size_t i = 0;
    while (i < text.len) {
        unsigned char c = (unsigned char)text.p[i];
        size_t n = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
        if (n > text.len - i || !im_str_utf8((struct im_str){text.p + i, n}))
            break;
        i += n;
    }
    return i;
}

static void parse(struct loader *l, const char *name, struct im_str text)
{
    struct im_strings *files = &l->places.files;
    files->v = im_realloc(files->v, (files->n + 1) * sizeof *files->v);
    files->v[files->n++] = im_strndup(name, strlen(name));
    if (text.len >= 3 && memcmp(text.p, "\xef\xbb\xbf", 3) == 0)
        text = (struct im_str){text.p + 3, text.len - 3};
    l->name = files->v[files->n - 1];
    l->text = text;
    if (!im_str_utf8(l->text)) {
        size_t line, column;
        locate(l->text, first_bad_byte(l->text), &line, &column);
        report(l, line, column, "YAML", "not UTF-8");
        return;
    }
    yaml_parser_initialize(&l->parser);
    yaml_parser_set_encoding(&l->parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&l->parser, (const unsigned char *)l->text.p, l->text.len);
    read_document(l);
    yaml_event_delete(&l->event);
    yaml_parser_delete(&l->parser);
    memset(&l->event, 0, sizeof l->event);
}

static void clear_places(struct im_config_places *places)
{
    for (size_t i = 0; i < places->files.n; i++)
        free(places->files.v[i]);
    free(places->files.v);
    free(places->v);
}

/* After the last file. places may be NULL: not wanted. */
static struct im_config *finish(struct loader *l, struct im_config_places **places)
{
    if (l->error_count == 0)
        check_whole(l);
    if (l->error_count > IM_CONFIG_ERRORS_MAX)
        im_out_printf(l->errors, "%s: more than %d problems; the rest is not shown\n", l->name, IM_CONFIG_ERRORS_MAX);
    if (l->error_count > 0)
        im_config_free(&l->config);
    if (l->config && places) {
        *places = im_alloc(sizeof **places);
        **places = l->places;
    } else {
        clear_places(&l->places);
    }
    return l->config;
}

struct im_config *im_config_parse(const char *name, struct im_str text, struct im_out *errors)
{
    struct loader l = {.errors = errors, .config = im_config_new()};
    parse(&l, name, text);
    return finish(&l, NULL);
}

void im_config_places_free(struct im_config_places **places)
{
    if (!*places)
        return;
    clear_places(*places);
    free(*places);
    *places = NULL;
}

const char *im_config_file(const struct im_config_places *places, size_t n)
{
    return places && n < places->files.n ? places->files.v[n] : NULL;
}

void im_config_report(const struct im_config_places *places, const char *key, const char *problem,
                      struct im_out *errors)
{
    struct place place = places ? nearest_place(places, key) : (struct place){0};
    im_out_safe(errors, im_str(places ? places->files.v[place.file] : "built-in defaults"), false);
    if (places)
        im_out_printf(errors, ":%zu:%zu", place.mark.line + 1, place.mark.column + 1);
    put_problem(errors, key, problem);
}

/* Reads all of fd, up to cap bytes; returns the length or -1 with errno. */
static ssize_t read_all(int fd, char *out, size_t cap)
{
    size_t n = 0;
    while (n < cap) {
        ssize_t got = read(fd, out + n, cap - n);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -1;
        if (got == 0)
            break;
        n += (size_t)got;
    }
    return (ssize_t)n;
}

static void file_error(struct loader *l, const char *path, const char *problem)
{
    l->error_count++;
    im_out_safe(l->errors, im_str(path), false);
    im_out_printf(l->errors, ": %s\n", problem);
}

static void load_file(struct loader *l, const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0) {
        file_error(l, path, strerror(errno));
        return;
    }
    char *text = im_alloc(IM_CONFIG_FILE_MAX + 1);
    ssize_t n = read_all(fd, text, IM_CONFIG_FILE_MAX + 1);
    if (n < 0)
        file_error(l, path, strerror(errno));
    else if (n > IM_CONFIG_FILE_MAX)
        file_error(l, path, "larger than 1 MiB; this is no configuration");
    else
        parse(l, path, (struct im_str){text, (size_t)n});
    free(text);
    close(fd);
}

/* Drop-ins. What an editor or a package manager leaves behind (.imd.yaml.swp, a.yaml~, a.yaml.dpkg-old) is none. */

static int is_drop_in(const struct dirent *entry)
{
    const char *dot = strrchr(entry->d_name, '.');
    return entry->d_name[0] != '.' && dot && strcmp(dot, ".yaml") == 0;
}

static int by_bytes(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static char *joined(const char *path, const char *between, const char *name)
{
    size_t size = strlen(path) + strlen(between) + strlen(name) + 1;
    char *whole = im_alloc(size);
    snprintf(whole, size, "%s%s%s", path, between, name);
    return whole;
}

static void load_drop_in(struct loader *l, const char *folder, const char *name)
{
    char *path = joined(folder, "/", name);
    load_file(l, path);
    free(path);
}

static void load_drop_ins(struct loader *l, const char *folder)
{
    struct dirent **entries;
    int n = scandir(folder, &entries, is_drop_in, by_bytes);
    if (n < 0 && errno != ENOENT)
        file_error(l, folder, strerror(errno));
    if (n > DROP_INS_MAX)
        file_error(l, folder, "too many files");
    for (int i = 0; i < n; i++) {
        if (n <= DROP_INS_MAX && !l->stop)
            load_drop_in(l, folder, entries[i]->d_name);
        free(entries[i]);
    }
    if (n >= 0)
        free(entries);
}

struct im_config *im_config_load(const char *path, struct im_config_places **places, struct im_out *errors)
{
    struct loader l = {.name = path, .errors = errors, .config = im_config_new()};
    char *folder = joined(path, ".d", "");
    *places = NULL;
    load_file(&l, path);
    if (!l.stop)
        load_drop_ins(&l, folder);
    struct im_config *config = finish(&l, places);
    free(folder);
    return config;
}
