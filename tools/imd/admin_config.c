#include <stdlib.h>

#include "core/mem.h"
#include "tools/imd/admin.h"
#include "tools/imd/daemon.h"
#include "tools/safe_json.h"

/* config.diff: the configuration in force against the defaults, and against what the file says by now. */

struct diff {
    const struct im_config *now, *defaults, *file; /* file NULL: it cannot be used */
    json_t *rows;
};

static void add(const struct diff *d, const char *key, json_t *now, json_t *def, json_t *file, bool reload)
{
    json_t *row = json_object();
    im_json_set_text(row, "key", im_str(key));
    json_object_set_new(row, "value", now);
    json_object_set_new(row, "default", def);
    json_object_set_new(row, "file", file ? file : json_null());
    json_object_set_new(row, "needs", !file ? json_null() : json_string(reload ? "reload" : "restart"));
    json_array_append_new(d->rows, row);
}

static void compare_row(const struct diff *d, const struct im_config_row *row)
{
    bool pending = d->file && !im_config_same(row, d->now, d->file);
    if (!pending && im_config_same(row, d->now, d->defaults))
        return;
    add(d, row->path, imd_config_value(row, d->now), imd_config_value(row, d->defaults),
        pending ? imd_config_value(row, d->file) : NULL, row->reload);
}

json_t *imd_config_listeners(const struct im_config *config)
{
    const struct im_config_row *transport = im_config_find(im_listen_rows, im_listen_row_count, IM_STR("transport"));
    json_t *list = json_array();
    for (size_t i = 0; i < config->listen_count; i++) {
        struct im_out out = {0};
        char *name = im_config_get(transport, &config->listen[i]);
        im_out_printf(&out, "%s %s", name, config->listen[i].address);
        json_array_append_new(list, im_json_text((struct im_str){im_out_data(&out), out.len}));
        im_out_clear(&out);
        free(name);
    }
    return list;
}

static void compare_listeners(const struct diff *d)
{
    bool pending = d->file && !im_config_same_listeners(d->now, d->file);
    if (pending || !im_config_same_listeners(d->now, d->defaults))
        add(d, "listen", imd_config_listeners(d->now), imd_config_listeners(d->defaults),
            pending ? imd_config_listeners(d->file) : NULL, false);
}

static void config_diff(struct im_rpc_call *call)
{
    const struct imd *imd = call->rpc->host;
    struct im_config_places *places = NULL;
    struct im_out problems = {0};
    struct im_config *defaults = im_config_new(), *file = imd_read_config(imd, &places, &problems);
    struct diff d = {imd->config, defaults, file, json_array()};
    im_config_default_listeners(defaults);
    for (size_t i = 0; i < im_config_row_count; i++)
        compare_row(&d, &im_config_rows[i]);
    compare_listeners(&d);
    json_t *result = json_object();
    json_object_set_new(result, "differences", d.rows);
    json_object_set_new(result, "problems", imd_lines(&problems));
    im_config_free(&defaults);
    im_config_free(&file);
    im_config_places_free(&places);
    im_out_clear(&problems);
    im_rpc_result(call, result);
}

const struct im_rpc_command imd_config_commands[] = {
    {
        .name = "config.diff",
        .section = IM_RPC_SEE,
        .help = "What differs from the defaults; and what the file says that is not in effect yet, with what that "
                "needs: a reload, or a restart. Of a listener only the transport and the address are told.",
        .example = "config diff",
        .show = "table differences key value default file needs",
        .run = config_diff,
    },
    {.name = NULL},
};
