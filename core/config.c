#include "core/config.h"

#include <assert.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "core/account.h"
#include "core/address.h"
#include "core/bytes.h"
#include "core/jwt.h"
#include "core/mem.h"
#include "core/suggest.h"

/* The table. */

const struct im_config_row im_config_rows[] = {
#define IM_CONFIG_KEY(path, type, field, min, max, def, choices, reload, help)                                         \
    {path, IM_T_##type, offsetof(struct im_config, field), min, max, def, choices, reload, help},
#include "core/tbl/config.def"
#undef IM_CONFIG_KEY
};
const size_t im_config_row_count = sizeof im_config_rows / sizeof *im_config_rows;

const struct im_config_row im_listen_rows[] = {
#define IM_LISTEN_KEY(path, type, field, min, max, def, choices, help)                                                 \
    {path, IM_T_##type, offsetof(struct im_listen_config, field), min, max, def, choices, false, help},
#include "core/tbl/listen.def"
#undef IM_LISTEN_KEY
};
const size_t im_listen_row_count = sizeof im_listen_rows / sizeof *im_listen_rows;

const char *const im_subsystems[] = {
#define IM_SUBSYSTEM(name, help) name,
#include "core/tbl/subsystems.def"
#undef IM_SUBSYSTEM
};
const size_t im_subsystem_count = sizeof im_subsystems / sizeof *im_subsystems;

#define NO_CHOICE UINT_MAX /* a choice without a default, not yet made */

struct unit {
    const char *name;
    uint64_t factor;
};
/* The largest first, so that a value is written with the largest unit that divides it. */
static const struct unit sizes[] = {{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"", 1}, {NULL, 0}};
static const struct unit times[] = {{"d", 86400000}, {"h", 3600000}, {"m", 60000}, {"s", 1000}, {"ms", 1}, {NULL, 0}};

static void *member(const struct im_config_row *row, void *base)
{
    return (char *)base + row->offset;
}

static const void *member_const(const struct im_config_row *row, const void *base)
{
    return (const char *)base + row->offset;
}

/* Construction. */

static void init_rows(const struct im_config_row *rows, size_t count, void *base)
{
    for (size_t i = 0; i < count; i++) {
        if (rows[i].def) {
            enum im_reason r = im_config_set(&rows[i], base, im_str(rows[i].def), NULL);
            assert(r == IM_OK);
            (void)r;
        } else if (rows[i].type == IM_T_CHOICE) {
            *(unsigned *)member(&rows[i], base) = NO_CHOICE;
        }
    }
}

static void free_strings(struct im_strings *list)
{
    for (size_t i = 0; i < list->n; i++)
        free(list->v[i]);
    free(list->v);
    *list = (struct im_strings){0};
}

static void free_rows(const struct im_config_row *rows, size_t count, void *base)
{
    for (size_t i = 0; i < count; i++) {
        if (rows[i].type == IM_T_STRING)
            free(*(char **)member(&rows[i], base));
        else if (rows[i].type == IM_T_STRINGS)
            free_strings(member(&rows[i], base));
    }
}

static void free_listeners(struct im_config *config)
{
    for (size_t i = 0; i < config->listen_count; i++)
        free_rows(im_listen_rows, im_listen_row_count, &config->listen[i]);
    free(config->listen);
    config->listen = NULL;
    config->listen_count = 0;
}

struct im_config *im_config_new(void)
{
    struct im_config *config = im_zalloc(sizeof *config);
    init_rows(im_config_rows, im_config_row_count, config);
    return config;
}

void im_config_free(struct im_config **config)
{
    if (!*config)
        return;
    free_listeners(*config);
    free_rows(im_config_rows, im_config_row_count, *config);
    free(*config);
    *config = NULL;
}

struct im_listen_config *im_config_add_listener(struct im_config *config)
{
    config->listen = im_realloc(config->listen, (config->listen_count + 1) * sizeof *config->listen);
    struct im_listen_config *listen = &config->listen[config->listen_count++];
    memset(listen, 0, sizeof *listen);
    init_rows(im_listen_rows, im_listen_row_count, listen);
    return listen;
}

static void set_listener(struct im_listen_config *listen, const char *key, const char *value)
{
    const struct im_config_row *row = im_config_find(im_listen_rows, im_listen_row_count, im_str(key));
    enum im_reason r = im_config_set(row, listen, im_str(value), NULL);
    assert(r == IM_OK);
    (void)r;
}

void im_config_default_listeners(struct im_config *config)
{
    static const char *const usual[][2] = {
        {"websocket", "127.0.0.1:3688"},
        {"line", "127.0.0.1:3689"},
        {"unix", "imd.sock"},
    };
    for (size_t i = 0; i < sizeof usual / sizeof *usual; i++) {
        struct im_listen_config *listen = im_config_add_listener(config);
        set_listener(listen, "transport", usual[i][0]);
        set_listener(listen, "address", usual[i][1]);
    }
}

const struct im_config_row *im_config_find(const struct im_config_row *rows, size_t count, struct im_str path)
{
    for (size_t i = 0; i < count; i++)
        if (im_str_eq(im_str(rows[i].path), path))
            return &rows[i];
    return NULL;
}

/* Values as text. */

struct im_str im_choice(const char *choices, unsigned n)
{
    for (const char *p = choices;; p++) {
        size_t len = strcspn(p, "|");
        if (n-- == 0)
            return (struct im_str){p, len};
        p += len;
        if (!*p)
            return (struct im_str){0};
    }
}

/* Enough of a wrong value to recognise it, not cut inside a character. */
static int shown(struct im_str s)
{
    size_t n = s.len > 60 ? 60 : s.len;
    while (n < s.len && n > 0 && ((unsigned char)s.p[n] & 0xc0) == 0x80)
        n--;
    return (int)n;
}
#define SHOWN(s) shown(s), (s).p

static enum im_reason set_bool(bool *out, struct im_str text, struct im_error *error)
{
    bool yes = im_str_eq(text, IM_STR("true"));
    if (!yes && !im_str_eq(text, IM_STR("false")))
        return im_fail(error, IM_CONFIG, "must be true or false, not \"%.*s\"", SHOWN(text));
    *out = yes;
    return IM_OK;
}

static void write_units(char *out, size_t cap, const struct unit *units, uint64_t value)
{
    while (units[1].name && (value == 0 || value % units->factor))
        units++;
    snprintf(out, cap, "%" PRIu64 "%s", value / units->factor, value == 0 ? "" : units->name);
}

static const struct unit plain[] = {{"", 1}, {NULL, 0}};

static const struct unit *units_of(enum im_config_type type)
{
    return type == IM_T_SIZE ? sizes : type == IM_T_MS ? times : plain;
}

/* "1 to 64", "100ms to 10m" */
static void write_range(const struct im_config_row *row, char *out, size_t cap)
{
    char min[32], max[32];
    write_units(min, sizeof min, units_of(row->type), row->min);
    write_units(max, sizeof max, units_of(row->type), row->max);
    snprintf(out, cap, row->min == row->max ? "%s" : "%s to %s", min, max);
}

static enum im_reason check_range(const struct im_config_row *row, uint64_t value, struct im_str text,
                                  struct im_error *error)
{
    if (value >= row->min && value <= row->max)
        return IM_OK;
    char range[80];
    write_range(row, range, sizeof range);
    return im_fail(error, IM_CONFIG, "must be %s, not %.*s", range, SHOWN(text));
}

static const char *wanted(enum im_config_type type)
{
    switch (type) {
    case IM_T_SIZE:
        return "a size such as 65536, 64KiB or 1MiB";
    case IM_T_MS:
        return "a time with its unit, such as 500ms, 30s, 5m, 2h or 1d";
    default:
        return "a whole number";
    }
}

static const struct unit *find_unit(const struct unit *units, struct im_str name)
{
    for (; units->name; units++)
        if (im_str_eq(im_str(units->name), name))
            return units;
    return NULL;
}

/* A number and its unit. Zero needs none. */
static enum im_reason set_number(const struct im_config_row *row, uint64_t *out, struct im_str text,
                                 struct im_error *error)
{
    size_t digits = 0;
    while (digits < text.len && text.p[digits] >= '0' && text.p[digits] <= '9')
        digits++;
    uint64_t n = 0;
    bool ok = im_str_u64((struct im_str){text.p, digits}, &n);
    const struct unit *units = units_of(row->type);
    const struct unit *unit = find_unit(units, (struct im_str){text.p + digits, text.len - digits});
    if (!unit && n == 0 && digits == text.len)
        unit = plain;
    if (digits == 0 || !unit)
        return im_fail(error, IM_CONFIG, "must be %s, not \"%.*s\"", wanted(row->type), SHOWN(text));
    if (!ok || n > UINT64_MAX / unit->factor)
        n = UINT64_MAX;
    else
        n *= unit->factor;
    enum im_reason r = check_range(row, n, text, error);
    if (r == IM_OK)
        *out = n;
    return r;
}

static bool has_control(struct im_str text)
{
    for (size_t i = 0; i < text.len; i++)
        if ((unsigned char)text.p[i] < 0x20 || text.p[i] == 0x7f)
            return true;
    return false;
}

static enum im_reason check_string(struct im_str text, uint64_t min, uint64_t max, struct im_error *error)
{
    if (has_control(text))
        return im_fail(error, IM_CONFIG, "must not contain control characters");
    if (!im_str_utf8(text))
        return im_fail(error, IM_CONFIG, "must be UTF-8");
    if (text.len < min)
        return im_fail(error, IM_CONFIG, text.len ? "is too short" : "must not be empty");
    if (text.len > max)
        return im_fail(error, IM_CONFIG, "must be at most %" PRIu64 " bytes long, not %zu", max, text.len);
    return IM_OK;
}

static enum im_reason set_string(const struct im_config_row *row, char **out, struct im_str text,
                                 struct im_error *error)
{
    enum im_reason r = check_string(text, row->min, row->max, error);
    if (r != IM_OK)
        return r;
    free(*out);
    *out = im_strndup(text.p, text.len);
    return IM_OK;
}

static void list_choices(const char *choices, char *out, size_t cap)
{
    size_t n = 0;
    for (const char *p = choices; *p && n + 3 < cap; p++) {
        out[n++] = *p == '|' ? ',' : *p;
        if (*p == '|')
            out[n++] = ' ';
    }
    out[n] = '\0';
}

static enum im_reason set_choice(const struct im_config_row *row, unsigned *out, struct im_str text,
                                 struct im_error *error)
{
    struct im_suggest near = {.word = text};
    for (unsigned i = 0;; i++) {
        struct im_str choice = im_choice(row->choices, i);
        if (!choice.p)
            break;
        if (im_str_eq(choice, text)) {
            *out = i;
            return IM_OK;
        }
        im_suggest_offer(&near, choice);
    }
    char all[100];
    list_choices(row->choices, all, sizeof all);
    const char *how = strchr(row->choices, '|') ? "one of " : "";
    struct im_str best = im_suggest_best(&near);
    if (best.p)
        return im_fail(error, IM_CONFIG, "must be %s%s, not \"%.*s\"; did you mean \"%.*s\"?", how, all, SHOWN(text),
                       (int)best.len, best.p);
    return im_fail(error, IM_CONFIG, "must be %s%s, not \"%.*s\"", how, all, SHOWN(text));
}

/* A list as one text: its elements with commas between, so no element has one. */
static enum im_reason set_strings(const struct im_config_row *row, void *base, struct im_str text,
                                  struct im_error *error)
{
    struct im_strings *list = member(row, base), old = *list;
    *list = (struct im_strings){0};
    enum im_reason r = IM_OK;
    while (r == IM_OK && text.len) {
        const char *comma = memchr(text.p, ',', text.len);
        size_t len = comma ? (size_t)(comma - text.p) : text.len;
        r = im_config_append(row, base, (struct im_str){text.p, len}, error);
        text.p += len + (comma != NULL);
        text.len -= len + (comma != NULL);
    }
    free_strings(r == IM_OK ? &old : list);
    if (r != IM_OK)
        *list = old;
    return r;
}

enum im_reason im_config_append(const struct im_config_row *row, void *base, struct im_str text, struct im_error *error)
{
    assert(row->type == IM_T_STRINGS);
    struct im_strings *list = member(row, base);
    enum im_reason r = check_string(text, 1, 1000, error);
    if (r != IM_OK)
        return r;
    if (memchr(text.p, ',', text.len))
        return im_fail(error, IM_CONFIG, "must be a list, one element each, without commas");
    if (list->n >= row->max)
        return im_fail(error, IM_CONFIG, "must have at most %" PRIu64 " elements", row->max);
    list->v = im_realloc(list->v, (list->n + 1) * sizeof *list->v);
    list->v[list->n++] = im_strndup(text.p, text.len);
    return IM_OK;
}

enum im_reason im_config_set(const struct im_config_row *row, void *base, struct im_str text, struct im_error *error)
{
    void *out = member(row, base);
    switch (row->type) {
    case IM_T_BOOL:
        return set_bool(out, text, error);
    case IM_T_UINT:
    case IM_T_SIZE:
    case IM_T_MS:
        return set_number(row, out, text, error);
    case IM_T_STRING:
        return set_string(row, out, text, error);
    case IM_T_CHOICE:
        return set_choice(row, out, text, error);
    case IM_T_STRINGS:
        return set_strings(row, base, text, error);
    }
    return IM_CONFIG;
}

enum im_reason im_config_unset(const struct im_config_row *row, void *base, struct im_error *error)
{
    if (row->def || (row->type != IM_T_STRING && row->type != IM_T_STRINGS))
        return im_fail(error, IM_CONFIG, "needs a value");
    if (row->type == IM_T_STRINGS) {
        free_strings(member(row, base));
    } else {
        char **s = member(row, base);
        free(*s);
        *s = NULL;
    }
    return IM_OK;
}

static char *join(const struct im_strings *list)
{
    struct im_out out = {0};
    for (size_t i = 0; i < list->n; i++) {
        if (i)
            im_out_char(&out, ',');
        im_out_str(&out, list->v[i]);
    }
    char *text = im_strndup(im_out_data(&out), out.len);
    im_out_clear(&out);
    return text;
}

char *im_config_get(const struct im_config_row *row, const void *base)
{
    const void *in = member_const(row, base);
    char number[40];
    switch (row->type) {
    case IM_T_BOOL:
        return *(const bool *)in ? im_strndup("true", 4) : im_strndup("false", 5);
    case IM_T_UINT:
    case IM_T_SIZE:
    case IM_T_MS:
        write_units(number, sizeof number, units_of(row->type), *(const uint64_t *)in);
        return im_strndup(number, strlen(number));
    case IM_T_STRING: {
        const char *s = *(char *const *)in;
        return s ? im_strndup(s, strlen(s)) : im_strndup("", 0);
    }
    case IM_T_CHOICE: {
        unsigned n = *(const unsigned *)in;
        struct im_str name = n == NO_CHOICE ? IM_STR("") : im_choice(row->choices, n);
        return im_strndup(name.p, name.len);
    }
    case IM_T_STRINGS:
        return join(in);
    }
    return NULL;
}

void im_config_allowed(const struct im_config_row *row, char *out, size_t cap)
{
    char choices[100];
    switch (row->type) {
    case IM_T_BOOL:
        snprintf(out, cap, "true or false");
        break;
    case IM_T_UINT:
    case IM_T_SIZE:
    case IM_T_MS:
        write_range(row, out, cap);
        break;
    case IM_T_CHOICE:
        list_choices(row->choices, choices, sizeof choices);
        snprintf(out, cap, "%s%s", strchr(row->choices, '|') ? "one of " : "", choices);
        break;
    case IM_T_STRING:
        snprintf(out, cap, "text");
        break;
    case IM_T_STRINGS:
        snprintf(out, cap, "a list of text");
        break;
    }
}

/* Comparing and copying. */

bool im_config_same(const struct im_config_row *row, const void *a, const void *b)
{
    char *x = im_config_get(row, a), *y = im_config_get(row, b);
    bool same = strcmp(x, y) == 0;
    free(x);
    free(y);
    return same;
}

void im_config_copy(const struct im_config_row *row, void *dst, const void *src)
{
    char *text = im_config_get(row, src);
    enum im_reason r = *text ? im_config_set(row, dst, im_str(text), NULL) : im_config_unset(row, dst, NULL);
    assert(r == IM_OK);
    (void)r;
    free(text);
}

bool im_config_same_listeners(const struct im_config *a, const struct im_config *b)
{
    if (a->listen_count != b->listen_count)
        return false;
    for (size_t i = 0; i < a->listen_count; i++)
        for (size_t k = 0; k < im_listen_row_count; k++)
            if (!im_config_same(&im_listen_rows[k], &a->listen[i], &b->listen[i]))
                return false;
    return true;
}

void im_config_copy_listeners(struct im_config *dst, const struct im_config *src)
{
    free_listeners(dst);
    for (size_t i = 0; i < src->listen_count; i++) {
        struct im_listen_config *listen = im_config_add_listener(dst);
        for (size_t k = 0; k < im_listen_row_count; k++)
            im_config_copy(&im_listen_rows[k], listen, &src->listen[i]);
    }
}

/* What no single row can tell. */

static bool is_unix(const struct im_listen_config *listen)
{
    const struct im_config_row *row = im_config_find(im_listen_rows, im_listen_row_count, IM_STR("transport"));
    return im_str_eq(im_choice(row->choices, listen->transport), IM_STR("unix"));
}

/* Splits "HOST:PORT" or "[IPv6]:PORT". */
static bool split_address(const char *address, char host[64], uint64_t *port)
{
    const char *colon = strrchr(address, ':');
    if (!colon || !im_str_u64(im_str(colon + 1), port) || *port > 65535)
        return false;
    struct im_str h = {address, (size_t)(colon - address)};
    bool bracketed = h.len >= 2 && h.p[0] == '[' && h.p[h.len - 1] == ']';
    if (bracketed)
        h = (struct im_str){h.p + 1, h.len - 2};
    if (h.len == 0 || h.len >= 64 || (!bracketed && memchr(h.p, ':', h.len)))
        return false;
    memcpy(host, h.p, h.len);
    host[h.len] = '\0';
    uint8_t ip[16];
    bool four = false;
    return !bracketed || (im_address_read(host, ip, &four) && !four);
}

static bool is_loopback(const char *host)
{
    uint8_t ip[16];
    return im_address_read(host, ip, NULL) ? im_address_is_loopback(ip) : strcasecmp(host, "localhost") == 0;
}

struct finding {
    char *path; /* of 64 bytes */
    struct im_error *error;
};

static enum im_reason at(const struct finding *f, const char *path)
{
    snprintf(f->path, 64, "%s", path);
    return IM_CONFIG;
}

static enum im_reason at_listener(const struct finding *f, size_t i, const char *key)
{
    snprintf(f->path, 64, "listen[%zu].%s", i, key);
    return IM_CONFIG;
}

static enum im_reason check_octal(const char *mode, struct im_error *error)
{
    if (strspn(mode, "01234567") != strlen(mode) || strtoul(mode, NULL, 8) > 0777)
        return im_fail(error, IM_CONFIG, "must be octal permissions such as \"0660\", not \"%s\"", mode);
    return IM_OK;
}

/* Whatever the service manager has bound; the rest of the address is the socket's name. */
static bool is_passed(const char *address)
{
    return strncmp(address, "systemd:", 8) == 0 && address[8];
}

/* What Linux takes (sun_path, less its NUL); the core knows no sockets that could tell. */
#define SOCKET_PATH_MAX 107

static enum im_reason check_socket_path(const char *path, struct im_error *error)
{
    if (path && strlen(path) > SOCKET_PATH_MAX)
        return im_fail(error, IM_CONFIG, "a Unix socket's path may have %d bytes, not %zu", SOCKET_PATH_MAX,
                       strlen(path));
    return IM_OK;
}

static enum im_reason check_tcp(const struct im_config *config, const char *address, struct im_error *error)
{
    char host[64];
    uint64_t port;
    if (is_passed(address))
        return IM_OK; /* judged when it is known */
    if (!split_address(address, host, &port))
        return im_fail(error, IM_CONFIG, "must be HOST:PORT, [IPv6]:PORT or systemd:NAME, not \"%s\"", address);
    if (config->auth_mode == IM_AUTH_OPEN && !config->public_open && !is_loopback(host))
        return im_fail(error, IM_CONFIG,
                       "\"%.50s\" is not loopback and auth.mode is open, so anybody could log in as anybody; "
                       "listen on 127.0.0.1 or [::1], or set public_open: true",
                       address);
    return IM_OK;
}

static enum im_reason check_tls(const struct im_config *config, size_t i, const struct finding *f)
{
    const struct im_listen_config *listen = &config->listen[i];
    if (is_unix(listen) && (listen->tls_cert || listen->tls_key)) {
        im_fail(f->error, IM_CONFIG, "a Unix socket has no TLS");
        return at_listener(f, i, listen->tls_cert ? "tls.cert" : "tls.key");
    }
    if (listen->tls_cert && !listen->tls_key) {
        im_fail(f->error, IM_CONFIG, "needs tls.key as well");
        return at_listener(f, i, "tls.cert");
    }
    if (listen->tls_key && !listen->tls_cert) {
        im_fail(f->error, IM_CONFIG, "needs tls.cert as well");
        return at_listener(f, i, "tls.key");
    }
    return IM_OK;
}

static enum im_reason check_listener(const struct im_config *config, size_t i, const struct finding *f)
{
    const struct im_listen_config *listen = &config->listen[i];
    if (listen->transport == NO_CHOICE) {
        im_fail(f->error, IM_CONFIG, "is missing");
        return at_listener(f, i, "transport");
    }
    if (!listen->address) {
        im_fail(f->error, IM_CONFIG, "is missing");
        return at_listener(f, i, "address");
    }
    if (!is_unix(listen) && check_tcp(config, listen->address, f->error) != IM_OK)
        return at_listener(f, i, "address");
    if (is_unix(listen) && check_socket_path(listen->address, f->error) != IM_OK)
        return at_listener(f, i, "address");
    if (is_unix(listen) && check_octal(listen->mode, f->error) != IM_OK)
        return at_listener(f, i, "mode");
    return check_tls(config, i, f);
}

/* May stand for several addresses. */
static bool any_port(const char *address)
{
    size_t len = strlen(address);
    return is_passed(address) || (len >= 2 && strcmp(address + len - 2, ":0") == 0);
}

/* Is this address used by something named before it? */
static enum im_reason check_taken(const char *mine, const char *path, const char *other, const char *other_path,
                                  const struct finding *f)
{
    if (!mine || !other || any_port(mine) || strcmp(mine, other) != 0)
        return IM_OK;
    im_fail(f->error, IM_CONFIG, "\"%s\" is the address of %s too", mine, other_path);
    return at(f, path);
}

static enum im_reason check_addresses(const struct im_config *config, const struct finding *f)
{
    size_t n = 0, count = config->listen_count + 3;
    struct {
        const char *address;
        char path[64];
    } *all = im_zalloc(count * sizeof *all);
    for (; n < config->listen_count; n++) {
        all[n].address = config->listen[n].address;
        snprintf(all[n].path, sizeof all[n].path, "listen[%zu].address", n);
    }
    all[n].address = config->admin_address;
    strcpy(all[n++].path, "admin.address");
    all[n].address = config->admin_read_address;
    strcpy(all[n++].path, "admin.read_address");
    all[n].address = config->metrics_address;
    strcpy(all[n++].path, "metrics.address");
    enum im_reason r = IM_OK;
    for (size_t i = 1; i < count && r == IM_OK; i++)
        for (size_t k = 0; k < i && r == IM_OK; k++)
            r = check_taken(all[i].address, all[i].path, all[k].address, all[k].path, f);
    free(all);
    return r;
}

static enum im_reason check_listeners(const struct im_config *config, const struct finding *f)
{
    if (config->listen_count == 0) {
        im_fail(f->error, IM_CONFIG, "needs at least one listener");
        return at(f, "listen");
    }
    for (size_t i = 0; i < config->listen_count; i++) {
        enum im_reason r = check_listener(config, i, f);
        if (r != IM_OK)
            return r;
    }
    return check_addresses(config, f);
}

static enum im_reason check_limits(const struct im_config *config, const struct finding *f)
{
    const struct {
        bool ok;
        const char *path, *problem;
    } rules[] = {
        {config->text_bytes <= config->message_bytes, "limits.text", "must not be larger than limits.message"},
        {config->queue_soft_bytes < config->queue_hard_bytes, "limits.queue_soft",
         "must be smaller than limits.queue_hard"},
        {config->message_bytes <= config->queue_hard_bytes, "limits.message",
         "must not be larger than limits.queue_hard"},
        {config->pong_ms > config->ping_ms, "websocket.pong_timeout", "must be longer than websocket.ping"},
    };
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
        if (!rules[i].ok) {
            im_fail(f->error, IM_CONFIG, "%s", rules[i].problem);
            return at(f, rules[i].path);
        }
    }
    return IM_OK;
}

static enum im_reason check_service(const struct im_config *config, const struct finding *f)
{
    char host[64];
    uint64_t port;
    if (check_socket_path(config->admin_address, f->error) != IM_OK)
        return at(f, "admin.address");
    if (check_socket_path(config->admin_read_address, f->error) != IM_OK)
        return at(f, "admin.read_address");
    if (check_octal(config->admin_mode, f->error) != IM_OK)
        return at(f, "admin.mode");
    if (check_octal(config->admin_read_mode, f->error) != IM_OK)
        return at(f, "admin.read_mode");
    const char *metrics = config->metrics_address;
    if (metrics && !is_passed(metrics) && !split_address(metrics, host, &port)) {
        im_fail(f->error, IM_CONFIG, "must be HOST:PORT, [IPv6]:PORT or systemd:NAME, not \"%s\"", metrics);
        return at(f, "metrics.address");
    }
    return IM_OK;
}

static enum im_reason check_jwt_keys(const struct im_config *config, struct im_error *error)
{
    enum im_jwt_alg alg;
    for (size_t i = 0; i < config->jwt_keys.n; i++)
        if (!im_jwt_key_spec(config->jwt_keys.v[i], &alg))
            return im_fail(error, IM_CONFIG, "\"%.100s\" is not HS256:FILE or EdDSA:FILE", config->jwt_keys.v[i]);
    return IM_OK;
}

/* Names one system user twice? */
static bool named_before(const struct im_strings *list, size_t i, struct im_str user)
{
    struct im_str other;
    struct im_name id;
    for (size_t k = 0; k < i; k++)
        if (im_unix_user_spec(list->v[k], &other, &id, NULL) == IM_OK && im_str_eq(user, other))
            return true;
    return false;
}

static enum im_reason check_unix_users(const struct im_config *config, struct im_error *error)
{
    const struct im_strings *list = &config->unix_users;
    struct im_str user;
    struct im_name id;
    for (size_t i = 0; i < list->n; i++) {
        enum im_reason r = im_unix_user_spec(list->v[i], &user, &id, error);
        if (r != IM_OK)
            return r;
        if (named_before(list, i, user))
            return im_fail(error, IM_CONFIG, "\"%.100s\": this system user has an id already", list->v[i]);
    }
    return IM_OK;
}

static enum im_reason check_auth(const struct im_config *config, const struct finding *f)
{
    if (check_jwt_keys(config, f->error) != IM_OK)
        return at(f, "auth.jwt_keys");
    if (check_unix_users(config, f->error) != IM_OK)
        return at(f, "auth.unix_users");
    if (config->backoff_start_ms > config->backoff_most_ms) {
        im_fail(f->error, IM_CONFIG, "must not be longer than auth.backoff_most");
        return at(f, "auth.backoff_start");
    }
    return IM_OK;
}

static enum im_reason unknown_part(struct im_str name, struct im_error *error)
{
    struct im_suggest near = {.word = name};
    for (size_t i = 0; i < im_subsystem_count; i++)
        im_suggest_offer(&near, im_str(im_subsystems[i]));
    struct im_str best = im_suggest_best(&near);
    if (best.p)
        return im_fail(error, IM_CONFIG, "no part \"%.*s\" logs; did you mean \"%.*s\"?", SHOWN(name), (int)best.len,
                       best.p);
    return im_fail(error, IM_CONFIG, "no part \"%.*s\" logs; imctl log level lists them", SHOWN(name));
}

enum im_reason im_log_part(struct im_str text, size_t *subsystem, unsigned *level, struct im_error *error)
{
    const struct im_config_row *row = im_config_find(im_config_rows, im_config_row_count, IM_STR("log.level"));
    const char *colon = memchr(text.p, ':', text.len);
    if (!colon)
        return im_fail(error, IM_CONFIG, "must be PART:LEVEL, such as store:debug, not \"%.*s\"", SHOWN(text));
    struct im_str name = {text.p, (size_t)(colon - text.p)};
    for (*subsystem = 0; *subsystem < im_subsystem_count; ++*subsystem)
        if (im_str_eq(im_str(im_subsystems[*subsystem]), name))
            return set_choice(row, level, (struct im_str){colon + 1, text.len - name.len - 1}, error);
    return unknown_part(name, error);
}

static enum im_reason check_log(const struct im_config *config, const struct finding *f)
{
    size_t subsystem;
    unsigned level;
    for (size_t i = 0; i < config->log_parts.n; i++)
        if (im_log_part(im_str(config->log_parts.v[i]), &subsystem, &level, f->error) != IM_OK)
            return at(f, "log.parts");
    return IM_OK;
}

enum im_reason im_config_check(const struct im_config *config, char path[64], struct im_error *error)
{
    const struct finding f = {path, error};
    enum im_reason r = check_limits(config, &f);
    if (r == IM_OK)
        r = check_service(config, &f);
    if (r == IM_OK)
        r = check_auth(config, &f);
    if (r == IM_OK)
        r = check_log(config, &f);
    if (r == IM_OK)
        r = check_listeners(config, &f);
    return r;
}
