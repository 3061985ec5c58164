#include <string.h>

#include "tools/imd/rpc.h"

#define USAGE_WIDTH 26
#define LINE_WIDTH  78

static json_t *describe_arg(const struct im_rpc_arg *arg)
{
    return json_pack("{s:s, s:s, s:b, s:s*, s:s}", "name", arg->name, "type",
                     arg->type == IM_RPC_UINT     ? "uint"
                     : arg->type == IM_RPC_SECRET ? "secret"
                                                  : "string",
                     "required", (int)arg->required, "choices", arg->choices, "help", arg->help);
}

static json_t *describe_command(const struct im_rpc_command *command)
{
    json_t *args = json_array();
    for (const struct im_rpc_arg *arg = command->args; arg->name; arg++)
        json_array_append_new(args, describe_arg(arg));
    return json_pack("{s:s, s:s, s:o, s:s, s:s*, s:s*, s:s}", "name", command->name, "access",
                     command->access == IM_RPC_READ ? "read" : "write", "args", args, "help", command->help, "usage",
                     command->usage, "example", command->example, "show", command->show);
}

json_t *im_rpc_describe(const struct im_rpc *rpc)
{
    json_t *list = json_array();
    struct im_rpc_place at = {0};
    for (const struct im_rpc_command *c; (c = im_rpc_next(rpc, &at));)
        json_array_append_new(list, describe_command(c));
    return list;
}

/* "log level [LEVEL]"; returns its width. */
static size_t put_usage(const struct im_rpc_command *command, struct im_out *out)
{
    size_t start = out->len;
    for (const char *p = command->name; *p; p++)
        im_out_char(out, *p == '.' ? ' ' : *p);
    if (command->usage)
        im_out_printf(out, " %s", command->usage);
    for (const struct im_rpc_arg *arg = command->args; arg->name && !command->usage; arg++) {
        im_out_str(out, arg->required ? " " : " [");
        for (const char *p = arg->name; *p; p++)
            im_out_char(out, *p >= 'a' && *p <= 'z' ? *p & ~0x20 : *p);
        im_out_str(out, arg->required ? "" : "]");
    }
    return out->len - start;
}

/* Breaks text into lines at spaces, with `indent` columns before the second and further ones; bytes are taken for
 * columns, so that some lines are shorter than need be. */
static void put_wrapped(struct im_str text, size_t indent, struct im_out *out)
{
    size_t column = indent;
    for (size_t at = 0, n; at < text.len; at += n + 1) {
        const char *space = memchr(text.p + at, ' ', text.len - at);
        n = space ? (size_t)(space - text.p) - at : text.len - at;
        bool fits = column + 1 + n <= LINE_WIDTH;
        if (at > 0 && fits)
            im_out_char(out, ' ');
        else if (at > 0)
            im_out_printf(out, "\n%*s", (int)indent, "");
        column = fits ? column + 1 + n : indent + n;
        im_out_put(out, text.p + at, n);
    }
}

/* The first sentence. */
static struct im_str summary(const char *help)
{
    const char *end = strstr(help, ". ");
    return (struct im_str){help, end ? (size_t)(end - help) + 1 : strlen(help)};
}

static void help_all(const struct im_rpc *rpc, struct im_out *out)
{
    struct im_rpc_place at = {0};
    im_out_str(out, "Commands:\n");
    for (const struct im_rpc_command *c; (c = im_rpc_next(rpc, &at));) {
        im_out_str(out, "  ");
        size_t width = put_usage(c, out);
        im_out_printf(out, "%*s  ", width < USAGE_WIDTH ? (int)(USAGE_WIDTH - width) : 0, "");
        put_wrapped(summary(c->help), USAGE_WIDTH + 4, out);
        im_out_char(out, '\n');
    }
    im_out_str(out, "\nhelp COMMAND tells more. Arguments stand in order, or as NAME=VALUE.\n");
}

static void help_one(const struct im_rpc_command *command, struct im_out *out)
{
    put_usage(command, out);
    im_out_str(out, "\n\n");
    put_wrapped(im_str(command->help), 0, out);
    im_out_str(out, command->args[0].name ? "\n\nArguments:\n" : "\n");
    for (const struct im_rpc_arg *arg = command->args; arg->name; arg++)
        im_out_printf(out, "  %-10s  %s%s%s%s\n", arg->name, arg->help, arg->choices ? " One of " : "",
                      arg->choices ? arg->choices : "", arg->choices ? "." : "");
    if (command->example)
        im_out_printf(out, "\nExample:\n  imctl %s\n", command->example);
    im_out_printf(out, "\nMethod \"%s\"; %s.\n", command->name,
                  command->access == IM_RPC_READ ? "on the read-only socket too" : "not on the read-only socket");
}

void im_rpc_help(const struct im_rpc *rpc, const struct im_rpc_command *command, struct im_out *out)
{
    if (command)
        help_one(command, out);
    else
        help_all(rpc, out);
}
