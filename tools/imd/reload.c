#include <stdlib.h>

#include "core/mem.h"
#include "tools/imd/admin.h"
#include "tools/imd/config_file.h"
#include "tools/imd/daemon.h"
#include "tools/imd/hooks.h"
#include "tools/imd/notify.h"
#include "tools/imd/outside.h"
#include "tools/safe_json.h"

/* Everything that can fail happens before anything changes: reading, then the certificates, then the log file. */

static struct im_str taken(const struct im_out *out)
{
    return (struct im_str){im_out_data(out), out->len};
}

static void add_problem(struct imd_reload *reload, const char *problem)
{
    im_out_safe(&reload->problems, im_str(problem), false);
    im_out_char(&reload->problems, '\n');
}

struct im_config *imd_read_config(const struct imd *imd, struct im_config_places **places, struct im_out *problems)
{
    struct im_config *config;
    if (imd->config_path) {
        config = im_config_load(imd->config_path, places, problems);
    } else {
        config = im_config_new();
        im_config_default_listeners(config);
    }
    if (config && imd_outside_check(config, *places, true, problems) != IM_OK)
        im_config_free(&config);
    return config;
}

static void tell_change(struct imd_reload *reload, const char *key, json_t *before, json_t *now, bool at_once)
{
    json_t *change = json_object();
    im_json_set_text(change, "key", im_str(key));
    json_object_set_new(change, "before", before);
    json_object_set_new(change, "now", now);
    im_json_set_text(change, "effect", im_str(at_once ? "at once" : "after a restart"));
    if (!reload->changes)
        reload->changes = json_array();
    json_array_append_new(reload->changes, change);
}

/* What needs a restart keeps its value; the rest is compared. */
static void merge(const struct im_config *old, struct im_config *new, struct imd_reload *reload)
{
    for (size_t i = 0; i < im_config_row_count; i++) {
        const struct im_config_row *row = &im_config_rows[i];
        if (im_config_same(row, old, new))
            continue;
        im_out_printf(row->reload ? &reload->changed : &reload->restart, "%s\n", row->path);
        tell_change(reload, row->path, imd_config_value(row, old), imd_config_value(row, new), row->reload);
        if (!row->reload)
            im_config_copy(row, new, old);
    }
    if (!im_config_same_listeners(old, new)) {
        im_out_str(&reload->restart, "listen\n");
        tell_change(reload, "listen", imd_config_listeners(old), imd_config_listeners(new), false);
        im_config_copy_listeners(new, old);
    }
}

/* Keys that stay may not fit those that came. */
static bool check(const struct im_config *config, struct imd_reload *reload)
{
    char path[64], problem[400];
    struct im_error error;
    if (im_config_check(config, path, &error) == IM_OK)
        return true;
    snprintf(problem, sizeof problem, "with what stays until a restart, %s: %s", path, error.detail);
    add_problem(reload, problem);
    return false;
}

static bool apply_outside(struct imd *imd, const struct im_config *config, struct imd_reload *reload)
{
    struct im_error error = {0};
    struct im_listener **all = im_alloc(imd->listener_count * sizeof *all);
    size_t count = 0;
    for (size_t i = 0; i < imd->listener_count; i++)
        if (imd->listeners[i].listener)
            all[count++] = imd->listeners[i].listener;
    enum im_reason r = im_listeners_load_tls(all, count, &error);
    if (r == IM_OK)
        r = im_log_file_configure(imd->log_file, config, &error);
    if (r == IM_OK)
        im_listeners_commit_tls(all, count);
    else
        add_problem(reload, error.detail);
    free(all);
    return r == IM_OK;
}

static void adopt(struct imd *imd, struct im_config *config, struct im_config_places **places)
{
    struct im_config *old = imd->config;
    struct im_config_places *old_places = imd->places;
    imd->config = config;
    imd->places = *places;
    *places = old_places;
    imd->env.config = config;
    im_core_configure(imd->core, config);
    imd_hasher_configure(imd->hasher, config);
    imd_service_configure(&imd->metrics_service, config, imd->metrics_service.config->connections);
    imd_service_configure(&imd->admin_service, config, config->admin_connections);
    imd_hooks_configure(imd->hooks, config);
    imd_workers_configure(imd, old);
}

static void log_lines(struct im_log *log, enum im_log_level level, const char *event, const char *key,
                      const struct im_out *lines)
{
    struct im_str rest = taken(lines);
    while (rest.len > 0) {
        const char *end = memchr(rest.p, '\n', rest.len);
        size_t n = end ? (size_t)(end - rest.p) : rest.len;
        IM_LOG(log, level, "reload", event, IM_KV(key, ((struct im_str){rest.p, n})));
        n += end != NULL;
        rest = (struct im_str){rest.p + n, rest.len - n};
    }
}

bool imd_reload(struct imd *imd, struct imd_reload *reload)
{
    imd_notify_reloading();
    struct im_config_places *places = NULL;
    struct im_config *config = imd_read_config(imd, &places, &reload->problems);
    bool ok = config != NULL;
    if (ok) {
        merge(imd->config, config, reload);
        ok = check(config, reload) && apply_outside(imd, config, reload);
    }
    if (ok) {
        adopt(imd, config, &places);
        log_lines(imd->log, IM_LOG_INFO, "changed", "key", &reload->changed);
        log_lines(imd->log, IM_LOG_WARN, "needs a restart", "key", &reload->restart);
        IM_LOG(imd->log, IM_LOG_INFO, "reload", "done");
    } else {
        im_config_free(&config);
        log_lines(imd->log, IM_LOG_ERROR, "refused", "problem", &reload->problems);
        IM_LOG(imd->log, IM_LOG_ERROR, "reload", "the old configuration stays");
    }
    im_config_places_free(&places);
    imd_notify("READY=1");
    return ok;
}

void imd_reload_clear(struct imd_reload *reload)
{
    im_out_clear(&reload->changed);
    im_out_clear(&reload->restart);
    im_out_clear(&reload->problems);
    json_decref(reload->changes);
    reload->changes = NULL;
}
