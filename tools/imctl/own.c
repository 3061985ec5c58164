#include "tools/imctl/own.h"

#include <string.h>
#include <sysexits.h>

#include "tools/imd/admin.h"

static const struct own {
    const char *name;
    bool needs_no_server;
    int (*run)(struct client *, const struct options *, const json_t *params);
} rows[] = {
    {"top", false, own_top},
    {"stat", false, own_stat},
    {"upgrade", false, own_upgrade},
    {"wait", true, own_wait},
};

static const struct own *find(const char *name)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (strcmp(rows[i].name, name) == 0)
            return &rows[i];
    return NULL;
}

bool own_needs_no_server(const char *name)
{
    const struct own *own = find(name);
    return own && own->needs_no_server;
}

int own_run(const char *name, struct client *client, const struct options *options, const json_t *params)
{
    const struct own *own = find(name);
    if (own)
        return own->run(client, options, params);
    complain("%s is to be done by imctl, but not by one of version %s.", name, PACKAGE_VERSION);
    return EX_UNAVAILABLE;
}

json_t *own_table(void)
{
    const struct im_rpc_command *const tables[] = {imd_imctl_commands, NULL};
    struct im_rpc rpc = {.tables = tables};
    return im_rpc_describe(&rpc);
}

unsigned own_number(const json_t *params, const char *name, unsigned otherwise)
{
    const json_t *value = json_object_get(params, name);
    json_int_t n = json_integer_value(value);
    if (!value)
        return otherwise;
    return n < 1 ? 1 : n > UINT32_MAX ? UINT32_MAX : (unsigned)n;
}
