#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/mem.h"
#include "core/name.h"
#include "stores/stores.h"
#include "tools/imd/admin.h"
#include "tools/imd/daemon.h"
#include "tools/imd/filter.h"
#include "tools/imd/upgrade.h"
#include "tools/imd/usage.h"
#include "tools/safe_json.h"
#include "transports/gate.h"
#include "transports/listener.h"
#include "transports/loop.h"

#define SESSIONS_DEFAULT 1000
#define SESSIONS_MAX     10000

static struct imd *host(const struct im_rpc_call *call)
{
    return call->rpc->host;
}

/* status */

static json_t *listening(const struct imd *imd)
{
    json_t *list = json_array();
    for (size_t i = 0; i < imd->listener_count; i++) {
        const struct imd_listener *l = &imd->listeners[i];
        if (!l->listener)
            continue;
        json_t *one = json_object();
        im_json_set_text(one, "transport", im_str(l->transport->name));
        im_json_set_text(one, "address", im_str(im_listener_address(l->listener)));
        json_object_set_new(one, "tls", json_boolean(im_listener_config(l->listener)->tls_cert));
        json_array_append_new(list, one);
    }
    return list;
}

static json_t *store_status(const struct imd *imd, const struct im_store_stats *stats)
{
    json_t *store = json_object();
    im_json_set_text(store, "kind", im_str(im_store_rows[imd->config->store_kind].name));
    im_json_set_text(store, "epoch", im_str(imd->store->epoch));
    json_object_set_new(store, "failed", json_boolean(imd_store_failed(imd)));
    json_object_set_new(store, "full", json_boolean(imd_store_full(imd)));
    im_json_set_number(store, "events", stats->events);
    im_json_set_number(store, "users", stats->users);
    im_json_set_number(store, "conversations", stats->conversations);
    im_json_set_number(store, "head", stats->head);
    im_json_set_number(store, "bytes", stats->bytes);
    return store;
}

static bool count_load(void *arg, const struct im_session_view *view)
{
    uint64_t *counts = arg;
    counts[0] += view->held != NULL;
    counts[1] += view->behind > 0;
    return true;
}

/* What it costs, and who does not get on. */
static void put_load(json_t *status, const struct imd *imd)
{
    uint64_t counts[2] = {0};
    struct imd_usage usage;
    imd_usage_look(&usage);
    im_core_sessions(imd->core, count_load, counts);
    im_json_set_number(status, "connections_max", imd->config->connections);
    im_json_set_number(status, "sessions_held", counts[0]);
    im_json_set_number(status, "sessions_behind", counts[1]);
    im_json_set_number(status, "memory_bytes", usage.resident_bytes);
    im_json_set_number(status, "cpu_ms", usage.cpu_us / 1000);
    im_json_set_number(status, "descriptors_max", usage.descriptors_max);
    im_json_set_number(status, "disk_free_bytes", usage.disk_free_bytes);
}

static void status_ready(void *arg, const struct im_store_stats *stats)
{
    struct im_rpc_call *call = arg;
    const struct imd *imd = host(call);
    struct im_online online;
    json_t *status = json_object();
    im_core_online(imd->core, &online);
    im_json_set_text(status, "state", im_str(imd_state_name(imd)));
    im_json_set_text(status, "version", im_str(PACKAGE_VERSION));
    im_json_set_number(status, "pid", (uint64_t)getpid());
    im_json_set_number(status, "uptime_ms", im_loop_now_ms() - imd->started_mono_ms);
    im_json_set_text(status, "binary", im_str(imd->start->binary));
    im_json_set_text(status, "config", im_str(imd->config_path));
    im_json_set_text(status, "log_level", im_str(im_log_level_name(im_log_file_level(imd->log_file, NULL))));
    im_json_set_number(status, "users", online.users);
    im_json_set_number(status, "sessions", online.sessions);
    im_json_set_number(status, "connections", im_gate_count(imd->env.gate));
    put_load(status, imd);
    json_object_set_new(status, "listen", listening(imd));
    im_json_set_text(status, "metrics",
                     im_str(imd->metrics_listener ? im_listener_address(imd->metrics_listener) : NULL));
    json_object_set_new(status, "store", store_status(imd, stats));
    json_object_set_new(status, "upgrade", imd_upgrade_describe(imd));
    im_rpc_result(call, status);
}

static void status(struct im_rpc_call *call)
{
    imd_stats_ask(host(call), status_ready, call);
}

/* online */

static void online(struct im_rpc_call *call)
{
    const struct imd *imd = host(call);
    uint64_t counts[IMD_TRANSPORTS_MAX];
    struct im_online now;
    json_t *result = json_object(), *transports = json_object();
    im_core_online(imd->core, &now);
    imd_count_sessions(imd, counts);
    for (size_t i = 0; im_transports[i]; i++)
        im_json_set_number(transports, im_transports[i]->name, counts[i]);
    im_json_set_number(result, "users", now.users);
    im_json_set_number(result, "sessions", now.sessions);
    json_object_set_new(result, "transports", transports);
    im_rpc_result(call, result);
}

/* sessions */

struct listing {
    struct im_name user;
    bool one_user;
    struct imd_filter filter;
    uint64_t limit, count;
    json_t *rows;
};

static bool is_user(const struct im_name *wanted, struct im_str user)
{
    struct im_name name;
    return user.p && im_name_parse(user, &name, NULL) == IM_OK && im_str_eq(im_name_key(&name), im_name_key(wanted));
}

json_t *imd_describe_session(const struct im_session_view *v)
{
    json_t *row = json_object();
    im_json_set_number(row, "id", v->id);
    json_object_set_new(row, "user", v->user.p ? im_json_text(v->user) : json_null());
    json_object_set_new(row, "device", im_json_text(v->device));
    im_json_set_text(row, "transport", im_str(v->transport));
    json_object_set_new(row, "tls", json_boolean(v->tls));
    im_json_set_text(row, "dialect", im_str(v->dialect));
    im_json_set_text(row, "state", im_str(v->state));
    im_json_set_text(row, "held", im_str(v->held));
    json_object_set_new(row, "address", im_json_text(v->address));
    json_object_set_new(row, "agent", im_json_text(v->agent));
    im_json_set_number(row, "age_ms", v->age_ms);
    im_json_set_number(row, "idle_ms", v->idle_ms);
    im_json_set_number(row, "pos", v->pos);
    im_json_set_number(row, "cursor", v->cursor);
    im_json_set_number(row, "behind", v->behind);
    im_json_set_number(row, "queued_bytes", v->queued);
    im_json_set_number(row, "commands", v->commands);
    im_json_set_number(row, "sent", v->sent);
    return row;
}

static bool list_session(void *arg, const struct im_session_view *view)
{
    struct listing *listing = arg;
    if (listing->one_user && !is_user(&listing->user, view->user))
        return true;
    if (!imd_filter_match(&listing->filter, view))
        return true;
    if (listing->count++ < listing->limit)
        json_array_append_new(listing->rows, imd_describe_session(view));
    return true;
}

static void sessions(struct im_rpc_call *call)
{
    struct listing listing = {.limit = SESSIONS_DEFAULT};
    struct im_str user = im_rpc_string(call, "user");
    struct im_error error = {0};
    listing.one_user = user.p != NULL;
    if (user.p && im_name_parse(user, &listing.user, &error) != IM_OK) {
        im_rpc_fail(call, IM_BAD_ID, "user: %s", error.detail);
        return;
    }
    if (im_rpc_uint(call, "limit", &listing.limit) && listing.limit > SESSIONS_MAX) {
        im_rpc_fail(call, IM_BAD_FIELD, "limit must be at most %d", SESSIONS_MAX);
        return;
    }
    if (imd_filter_parse(im_rpc_string(call, "filter"), &listing.filter, &error) != IM_OK) {
        im_rpc_fail(call, IM_BAD_FIELD, "filter: %s", error.detail);
        return;
    }
    imd_clock(host(call));
    listing.rows = json_array();
    im_core_sessions(host(call)->core, list_session, &listing);
    json_t *result = json_object();
    json_object_set_new(result, "sessions", listing.rows);
    im_json_set_number(result, "total", listing.count);
    im_rpc_result(call, result);
}

/* kick */

static void kicked(struct im_rpc_call *call, uint64_t closed, json_t *what)
{
    json_t *result = json_object();
    im_json_set_number(result, "closed", closed);
    json_object_update(result, what);
    json_decref(what);
    im_rpc_result(call, result);
}

struct search {
    uint64_t id;
    bool found;
};

static bool match_session(void *arg, const struct im_session_view *view)
{
    struct search *search = arg;
    search->found = view->id == search->id;
    return !search->found;
}

static bool has_session(const struct im_core *core, uint64_t id)
{
    struct search search = {.id = id};
    im_core_sessions(core, match_session, &search);
    return search.found;
}

static bool has_user(const struct im_core *core, struct im_str user)
{
    struct listing listing = {.one_user = true};
    if (im_name_parse(user, &listing.user, NULL) != IM_OK)
        return false;
    im_core_sessions(core, list_session, &listing);
    return listing.count > 0;
}

static void kick_session(struct im_rpc_call *call, uint64_t id)
{
    const struct imd *imd = host(call);
    size_t closed = im_core_kick_session(imd->core, id);
    if (closed == 0) {
        im_rpc_fail(call, IM_NO_SUCH_SESSION, "no session %" PRIu64 "; see: imctl sessions", id);
        return;
    }
    kicked(call, closed, json_pack("{s:I}", "session", (json_int_t)id));
}

static void kick_user(struct im_rpc_call *call, struct im_str user)
{
    const struct imd *imd = host(call);
    size_t closed = im_core_kick_user(imd->core, user);
    uint64_t digits;
    if (closed == 0) {
        im_rpc_fail(call, IM_NO_SUCH_USER, "%.*s is not online%s; see: imctl sessions", (int)user.len, user.p,
                    im_str_u64(user, &digits) ? ", nor is there a session of that number" : "");
        return;
    }
    kicked(call, closed, json_pack("{s:o}", "user", im_json_text(user)));
}

/* Digits may be a user's id as well as a session's number. */
static void kick(struct im_rpc_call *call)
{
    const struct im_core *core = host(call)->core;
    struct im_str who = im_rpc_string(call, "who"), user = im_rpc_string(call, "user");
    uint64_t session = 0;
    bool has_number = im_rpc_uint(call, "session", &session);
    if ((who.p != NULL) + (user.p != NULL) + has_number != 1) {
        im_rpc_fail(call, IM_BAD_FIELD, "kick needs one of: a user or a session, user=NAME, session=NUMBER");
        return;
    }
    imd_clock(host(call));
    bool by_session = has_number || (who.p && im_str_u64(who, &session) && has_session(core, session));
    if (by_session && who.p && has_user(core, who))
        im_rpc_fail(call, IM_BAD_FIELD, "%.*s is a user and a session; say user=%.*s or session=%.*s", (int)who.len,
                    who.p, (int)who.len, who.p, (int)who.len, who.p);
    else if (by_session)
        kick_session(call, session);
    else
        kick_user(call, who.p ? who : user);
}

/* counters */

static json_t *reasons(const uint64_t *counts)
{
    json_t *object = json_object();
    for (enum im_reason r = 0; r < IM_REASON_COUNT; r++)
        if (counts[r] > 0)
            im_json_set_number(object, im_reason_name(r), counts[r]);
    return object;
}

static void counters(struct im_rpc_call *call)
{
    const struct imd *imd = host(call);
    struct im_counters sum = {0};
    imd_count(imd, &sum);
    json_t *result = json_object();
    for (enum im_counter c = 0; c < IM_COUNTER_COUNT; c++)
        im_json_set_number(result, im_counter_info(c)->name, sum.n[c]);
    im_json_set_number(result, "admin_requests_total", imd->admin_requests);
    im_json_set_number(result, "admin_refused_total", imd->admin_refused);
    json_object_set_new(result, "refused_total", reasons(sum.refused));
    json_object_set_new(result, "closed_total", reasons(sum.closed));
    im_rpc_result(call, result);
}

/* config */

static json_t *strings(const struct im_strings *list)
{
    json_t *array = json_array();
    for (size_t i = 0; i < list->n; i++)
        json_array_append_new(array, im_json_text(im_str(list->v[i])));
    return array;
}

json_t *imd_config_value(const struct im_config_row *row, const void *base)
{
    const void *member = (const char *)base + row->offset;
    if (row->type == IM_T_BOOL)
        return json_boolean(*(const bool *)member);
    if (row->type == IM_T_UINT)
        return im_json_number(*(const uint64_t *)member);
    if (row->type == IM_T_STRINGS)
        return strings(member);
    char *s = im_config_get(row, base);
    json_t *json = *s ? im_json_text(im_str(s)) : json_null();
    free(s);
    return json;
}

static void set_value(json_t *object, const char *path, json_t *json)
{
    const char *dot = strchr(path, '.');
    if (!dot) {
        json_object_set_new(object, path, json);
        return;
    }
    char *name = im_strndup(path, (size_t)(dot - path));
    json_t *section = json_object_get(object, name);
    if (!section) {
        section = json_object();
        json_object_set_new(object, name, section);
    }
    set_value(section, dot + 1, json);
    free(name);
}

static json_t *rows(const struct im_config_row *table, size_t count, const void *base)
{
    json_t *object = json_object();
    for (size_t i = 0; i < count; i++)
        set_value(object, table[i].path, imd_config_value(&table[i], base));
    return object;
}

static void config(struct im_rpc_call *call)
{
    const struct im_config *c = host(call)->config;
    json_t *listen = json_array(), *files = json_array();
    const char *file;
    for (size_t i = 0; (file = im_config_file(host(call)->places, i)); i++)
        json_array_append_new(files, im_json_text(im_str(file)));
    for (size_t i = 0; i < c->listen_count; i++)
        json_array_append_new(listen, rows(im_listen_rows, im_listen_row_count, &c->listen[i]));
    json_t *result = rows(im_config_rows, im_config_row_count, c);
    json_object_set_new(result, "listen", listen);
    json_object_set_new(result, "files", files);
    im_rpc_result(call, result);
}

/* reload */

json_t *imd_lines(const struct im_out *out)
{
    json_t *array = json_array();
    const char *p = im_out_data(out), *end = p + out->len;
    while (p < end) {
        const char *lf = memchr(p, '\n', (size_t)(end - p));
        size_t n = (size_t)((lf ? lf : end) - p);
        json_array_append_new(array, json_stringn(p, n));
        p += n + 1;
    }
    return array;
}

static void reload(struct im_rpc_call *call)
{
    struct imd_reload done = {0};
    if (imd_reload(host(call), &done)) {
        json_t *result = json_object();
        json_object_set_new(result, "changed", imd_lines(&done.changed));
        json_object_set_new(result, "needs_restart", imd_lines(&done.restart));
        json_object_set_new(result, "changes", done.changes ? json_incref(done.changes) : json_array());
        im_rpc_result(call, result);
    } else {
        size_t n = done.problems.len;
        im_rpc_fail(call, IM_CONFIG, "nothing was changed:\n%.*s", (int)(n ? n - 1 : 0), im_out_data(&done.problems));
    }
    imd_reload_clear(&done);
}

/* log.level */

/* "|admin|core|…" */
static const char log_parts[] =
#define IM_SUBSYSTEM(name, help) "|" name
#include "core/tbl/subsystems.def"
#undef IM_SUBSYSTEM
    ;

static json_t *log_levels(struct imd *imd)
{
    json_t *result = json_object(), *parts = json_object();
    im_json_set_text(result, "level", im_str(im_log_level_name(im_log_file_level(imd->log_file, NULL))));
    for (size_t i = 0; i < im_subsystem_count; i++)
        im_json_set_text(parts, im_subsystems[i],
                         im_str(im_log_level_name(im_log_file_level(imd->log_file, im_subsystems[i]))));
    if (imd->log_levels_end_ms)
        im_json_set_number(result, "back_in_ms", imd->log_levels_end_ms - im_loop_now_ms());
    else
        json_object_set_new(result, "back_in_ms", json_null());
    json_object_set_new(result, "parts", parts);
    return result;
}

static void log_level(struct im_rpc_call *call)
{
    struct imd *imd = host(call);
    struct im_str wanted = im_rpc_string(call, "level"), part = im_rpc_string(call, "part");
    if (wanted.p && !call->peer.may_write) {
        im_rpc_fail(call, IM_FORBIDDEN, "log.level LEVEL changes something, and this socket is for reading only");
        return;
    }
    uint64_t for_ms = 0;
    if (!imd_read_period(call, "for", 0, &for_ms))
        return;
    if (wanted.p) {
        im_rpc_audit(call);
        imd->log_levels_end_ms = for_ms ? im_loop_now_ms() + for_ms : 0;
    }
    for (enum im_log_level level = IM_LOG_ERROR; wanted.p && level <= IM_LOG_DEBUG; level++)
        if (im_str_eq(im_str(im_log_level_name(level)), wanted))
            im_log_file_set_level(imd->log_file, part.p, level);
    im_rpc_result(call, log_levels(imd));
}

void imd_log_levels_tick(struct imd *imd)
{
    struct im_error error = {0};
    if (imd->log_levels_end_ms == 0 || im_loop_now_ms() < imd->log_levels_end_ms)
        return;
    imd->log_levels_end_ms = 0;
    if (im_log_file_configure(imd->log_file, imd->config, &error) == IM_OK)
        IM_LOG(imd->log, IM_LOG_INFO, "log", "the levels of the configuration are back");
    else
        IM_LOG(imd->log, IM_LOG_ERROR, "log", "the levels stay", IM_KS("problem", error.detail));
}

/* help, commands */

static void help(struct im_rpc_call *call)
{
    struct im_str name = im_rpc_string(call, "command");
    const struct im_rpc_command *command = name.p ? im_rpc_find(call->rpc, name) : NULL;
    if (name.p && !command) {
        im_rpc_fail(call, IM_BAD_COMMAND, "no command \"%.*s\"; help lists them", (int)name.len, name.p);
        return;
    }
    struct im_out out = {0};
    im_rpc_help(call->rpc, command, &out);
    im_rpc_result(call, json_pack("{s:s%}", "text", im_out_data(&out), out.len));
    im_out_clear(&out);
}

static void commands(struct im_rpc_call *call)
{
    im_rpc_result(call, json_pack("{s:s, s:o}", "version", PACKAGE_VERSION, "commands", im_rpc_describe(call->rpc)));
}

/* The table. */

const struct im_rpc_command imd_admin_commands[] = {
    {
        .name = "status",
        .section = IM_RPC_SEE,
        .help = "How the server is: version, uptime, listeners, who is connected, the store.",
        .example = "status",
        .show = "fields",
        .run = status,
    },
    {
        .name = "online",
        .section = IM_RPC_SEE,
        .help = "How many users and sessions there are, and over which transports. Counted now, not remembered.",
        .example = "online",
        .show = "fields",
        .run = online,
    },
    {
        .name = "sessions",
        .section = IM_RPC_SEE,
        .args = {{"user", IM_RPC_ONLINE, false, NULL, "Only this user's sessions."},
                 {"limit", IM_RPC_UINT, false, NULL, "At most so many, 1000 unless told otherwise."},
                 {"filter", IM_RPC_STRING, false, NULL, "Only those of which all of it is true."}},
        .help = "Every connection of a client, logged in or not. A filter is comparisons joined by "
                "\"and\": " IMD_FILTER_HELP,
        .usage = "[USER] [limit=N] [--filter EXPR]",
        .example = "sessions --filter 'transport=websocket and queue>64KiB'",
        .show = "table sessions id user device transport dialect state address age_ms idle_ms queued_bytes",
        .run = sessions,
    },
    {
        .name = "kick",
        .access = IM_RPC_WRITE,
        .args = {{"who", IM_RPC_WHO, false, NULL, "A user's id, or a session's number."},
                 {"user", IM_RPC_ONLINE, false, NULL, "A user's id, and nothing else."},
                 {"session", IM_RPC_SESSION, false, NULL, "A session's number, and nothing else."}},
        .help =
            "Close one session, or all of a user. A word of digits that is both somebody's id and a session's number "
            "is refused: say user=… or session=….",
        .usage = "USER | SESSION",
        .example = "kick 小明",
        .show = "fields",
        .run = kick,
    },
    {
        .name = "counters",
        .section = IM_RPC_SEE,
        .help = "All counters since the start; the same as in /metrics. Reasons that never came up are left out.",
        .example = "counters",
        .show = "fields",
        .run = counters,
    },
    {
        .name = "config",
        .section = IM_RPC_SEE,
        .help = "The configuration in force, defaults included, and the files it was read from.",
        .example = "config",
        .show = "fields",
        .run = config,
    },
    {
        .name = "reload",
        .access = IM_RPC_WRITE,
        .help =
            "Read the configuration and the TLS certificates again, as SIGHUP does. If anything is wrong with them, "
            "the old ones stay and the answer says why; otherwise it says what changed, and what of it needs a "
            "restart.",
        .example = "reload",
        .show = "table changes key before now effect",
        .none = "Read again; nothing is different.",
        .run = reload,
    },
    {
        .name = "log.level",
        .args = {{"level", IM_RPC_STRING, false, "error|warn|info|debug", "The new level, until the next reload."},
                 {"part", IM_RPC_STRING, false, log_parts + 1, "Only of this part; all that have none of their own."},
                 {"for", IM_RPC_STRING, false, NULL, "Then the configuration's levels are back, such as 10m."}},
        .help = "Show how much is logged, by part of the server, or change it.",
        .usage = "[LEVEL [PART]] [--for TIME]",
        .example = "log level debug store --for 10m",
        .show = "fields",
        .run = log_level,
    },
    {
        .name = "help",
        .section = IM_RPC_HELP,
        .args = {{"command", IM_RPC_COMMAND, false, NULL, "Only about this command."}},
        .help = "The commands, or all about one.",
        .example = "help kick",
        .show = "text",
        .run = help,
    },
    {
        .name = "commands",
        .section = IM_RPC_HELP,
        .help = "This table, for programs.",
        .example = "--json commands",
        .show = "table commands name access help",
        .run = commands,
    },
    {.name = NULL},
};
