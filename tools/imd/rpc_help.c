#include <string.h>

#include "tools/imd/rpc.h"

#define NAME_WIDTH 15
#define LINE_WIDTH 78

/* What JSON calls it, and which commands list what there is: "METHOD KEY COLUMN", the columns of the objects in
 * result.KEY, several with '|'; after it another column that tells what is meant. */
static const struct {
    const char *type, *from;
} types[] = {
    [IM_RPC_STRING] = {"string", NULL},
    [IM_RPC_UINT] = {"uint", NULL},
    [IM_RPC_SECRET] = {"secret", NULL},
    [IM_RPC_USER] = {"string", "user.list users user|sessions sessions user"},
    [IM_RPC_ONLINE] = {"string", "sessions sessions user"},
    [IM_RPC_SESSION] = {"uint", "sessions sessions id user"},
    [IM_RPC_WHO] = {"string", "sessions sessions user|sessions sessions id user"},
    [IM_RPC_GROUP] = {"string", "group.list groups group"},
    [IM_RPC_TARGET] = {"string", "user.list users user|group.list groups group"},
    [IM_RPC_REPORT] = {"string", "report.list reports ticket user"},
    [IM_RPC_TOKEN] = {"string", "token.list tokens id user"},
    [IM_RPC_INVITE] = {"string", "invite.list invites id"},
    [IM_RPC_HOOK] = {"string", "hook.list hooks name user"},
    [IM_RPC_COMMAND] = {"string", "commands commands name"},
    [IM_RPC_FILE] = {"file", NULL},
    [IM_RPC_PRIVATE] = {"string", NULL},
};

static const struct {
    const char *name, *where;
} accesses[] = {
    [IM_RPC_READ] = {"read", "on the read-only socket too"},
    [IM_RPC_PEOPLE] = {"people", "not on the read-only socket, for it shows what people do"},
    [IM_RPC_WRITE] = {"write", "not on the read-only socket"},
};

static const struct {
    const char *name, *heading;
} sections[] = {
    [IM_RPC_STEER] = {"steer", "Steer the server"},
    [IM_RPC_SEE] = {"see", "See what goes on"},
    [IM_RPC_JUDGE] = {"judge", "Is all well?"},
    [IM_RPC_ACCOUNTS] = {"accounts", "Accounts, and what logs in to them"},
    [IM_RPC_GROUPS] = {"groups", "Groups, reports"},
    [IM_RPC_HOOKS] = {"hooks", "Webhooks"},
    [IM_RPC_DATA] = {"data", "What is stored"},
    [IM_RPC_HELP] = {"help", "Help"},
};

/* As help lists them. */
static const enum im_rpc_section order[IM_RPC_SECTIONS] = {IM_RPC_SEE,    IM_RPC_JUDGE, IM_RPC_STEER, IM_RPC_ACCOUNTS,
                                                           IM_RPC_GROUPS, IM_RPC_HOOKS, IM_RPC_DATA,  IM_RPC_HELP};

bool im_rpc_is_number(enum im_rpc_type type)
{
    return type == IM_RPC_UINT || type == IM_RPC_SESSION;
}

static json_t *describe_arg(const struct im_rpc_arg *arg)
{
    return json_pack("{s:s, s:s, s:b, s:s*, s:s*, s:s}", "name", arg->name, "type", types[arg->type].type, "required",
                     (int)arg->required, "choices", arg->choices, "from", types[arg->type].from, "help", arg->help);
}

static json_t *describe_command(const struct im_rpc_command *command)
{
    json_t *args = json_array();
    for (const struct im_rpc_arg *arg = command->args; arg->name; arg++)
        json_array_append_new(args, describe_arg(arg));
    return json_pack("{s:s, s:s, s:s, s:o, s:s, s:s*, s:s*, s:s, s:s*, s:s*, s:b}", "name", command->name, "section",
                     sections[command->section].name, "access", accesses[command->access].name, "args", args, "help",
                     command->help, "usage", command->usage, "example", command->example, "show", command->show, "none",
                     command->none, "asks", command->asks, "patient", (int)command->patient);
}

json_t *im_rpc_describe(const struct im_rpc *rpc)
{
    json_t *list = json_array();
    struct im_rpc_place at = {0};
    for (const struct im_rpc_command *c; (c = im_rpc_next(rpc, &at));)
        json_array_append_new(list, describe_command(c));
    return list;
}

static void put_name(const struct im_rpc_command *command, struct im_out *out)
{
    for (const char *p = command->name; *p; p++)
        im_out_char(out, *p == '.' ? ' ' : *p);
}

/* "log level [LEVEL]" */
static void put_usage(const struct im_rpc_command *command, struct im_out *out)
{
    put_name(command, out);
    if (command->usage)
        im_out_printf(out, " %s", command->usage);
    for (const struct im_rpc_arg *arg = command->args; arg->name && !command->usage; arg++) {
        if (strcmp(arg->name, "dry") == 0)
            continue;
        im_out_str(out, arg->required ? " " : " [");
        for (const char *p = arg->name; *p; p++)
            im_out_char(out, *p >= 'a' && *p <= 'z' ? *p & ~0x20 : *p);
        im_out_str(out, arg->required ? "" : "]");
    }
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

/* The first sentence, up to a colon. */
static struct im_str summary(const char *help)
{
    size_t n = 0;
    while (help[n] && !((help[n] == '.' || help[n] == ':' || help[n] == ';') && (help[n + 1] == ' ' || !help[n + 1])))
        n++;
    return (struct im_str){help, n};
}

/* "  kick            Close one session, or all of a user." */
static void put_line(const struct im_rpc_command *command, struct im_out *out)
{
    size_t start = out->len + 2;
    im_out_str(out, "  ");
    put_name(command, out);
    size_t width = out->len - start;
    im_out_printf(out, "%*s  ", width < NAME_WIDTH ? (int)(NAME_WIDTH - width) : 0, "");
    put_wrapped(summary(command->help), NAME_WIDTH + 4, out);
    im_out_char(out, '\n');
}

static void help_section(const struct im_rpc *rpc, enum im_rpc_section section, struct im_out *out)
{
    struct im_rpc_place at = {0};
    bool any = false;
    for (const struct im_rpc_command *c; (c = im_rpc_next(rpc, &at));) {
        if (c->section != section)
            continue;
        if (!any)
            im_out_printf(out, "%s%s\n", out->len ? "\n" : "", sections[section].heading);
        any = true;
        put_line(c, out);
    }
}

static void help_all(const struct im_rpc *rpc, struct im_out *out)
{
    for (size_t i = 0; i < IM_RPC_SECTIONS; i++)
        help_section(rpc, order[i], out);
    im_out_str(out, "\n\"help COMMAND\" tells all about one. Arguments stand in order, as NAME=VALUE,\n"
                    "or as --NAME VALUE.\n");
}

static void help_one(const struct im_rpc_command *command, struct im_out *out)
{
    put_usage(command, out);
    im_out_str(out, "\n\n");
    put_wrapped(im_str(command->help), 0, out);
    im_out_str(out, command->args[0].name ? "\n\nArguments:\n" : "\n");
    for (const struct im_rpc_arg *arg = command->args; arg->name; arg++) {
        im_out_printf(out, "  %-10s  ", arg->name);
        put_wrapped(im_str(arg->help), 14, out);
        if (arg->choices && strchr(arg->choices, '|'))
            im_out_printf(out, "\n%14sOne of %s.", "", arg->choices + (*arg->choices == '|'));
        im_out_char(out, '\n');
    }
    if (command->example)
        im_out_printf(out, "\nExample:\n  imctl %s\n", command->example);
    if (command->asks)
        im_out_str(out, "\nIt asks before it does anything: -y answers, and -n only shows what would be done.\n");
    im_out_printf(out, "\nMethod \"%s\"; %s.\n", command->name, accesses[command->access].where);
}

void im_rpc_help(const struct im_rpc *rpc, const struct im_rpc_command *command, struct im_out *out)
{
    if (command)
        help_one(command, out);
    else
        help_all(rpc, out);
}

/* The manual page. */

/* A line for each sentence, and nothing that mdoc would take for its own. */
static void put_mdoc(const char *text, struct im_out *out)
{
    bool begins = true;
    for (const char *p = text; *p; p++) {
        if (begins && (*p == '.' || *p == '\''))
            im_out_str(out, "\\&");
        begins = *p == '.' && p[1] == ' ';
        if (*p == '\\')
            im_out_str(out, "\\e");
        else
            im_out_char(out, *p);
        if (begins) {
            im_out_char(out, '\n');
            p++;
        }
    }
    im_out_char(out, '\n');
}

/* Words of a usage or an example: dashes are those that are typed. */
static void put_typed(const char *text, struct im_out *out)
{
    for (; *text; text++) {
        if (*text == '-')
            im_out_str(out, "\\-");
        else if (*text == '"')
            im_out_str(out, "\\(dq");
        else if (*text == '\'')
            im_out_str(out, "\\(aq");
        else if (*text == '|' && (text[1] == ' ' || text[-1] == ' '))
            im_out_str(out, "\\&|\\&");
        else
            im_out_char(out, *text);
    }
}

static void put_arguments(const struct im_rpc_command *command, struct im_out *out)
{
    im_out_str(out, command->args[0].name ? ".Bl -tag -width \"interval\" -compact\n" : "");
    for (const struct im_rpc_arg *arg = command->args; arg->name; arg++) {
        im_out_printf(out, ".It Ar %s\n", arg->name);
        put_mdoc(arg->help, out);
        if (arg->choices && strchr(arg->choices, '|')) {
            im_out_str(out, "One of\n.Li ");
            put_typed(arg->choices + (*arg->choices == '|'), out);
            im_out_str(out, " .\n");
        }
    }
    im_out_str(out, command->args[0].name ? ".El\n" : "");
}

static void put_entry(const struct im_rpc_command *command, struct im_out *out)
{
    struct im_out usage = {0};
    put_usage(command, &usage);
    im_out_char(&usage, '\0');
    im_out_str(out, ".It Ic ");
    put_name(command, out);
    const char *rest = im_out_data(&usage) + strlen(command->name);
    if (*rest) {
        im_out_str(out, " No");
        put_typed(rest, out);
    }
    im_out_char(out, '\n');
    put_mdoc(command->help, out);
    if (command->asks)
        im_out_str(out, "It asks before.\n");
    put_arguments(command, out);
    if (command->example) {
        im_out_str(out, ".Dl $ imctl ");
        put_typed(command->example, out);
        im_out_char(out, '\n');
    }
    im_out_clear(&usage);
}

void im_rpc_manual(const struct im_rpc *rpc, struct im_out *out)
{
    for (size_t i = 0; i < IM_RPC_SECTIONS; i++) {
        struct im_rpc_place at = {0};
        im_out_printf(out, ".Ss %s\n.Bl -tag -width Ds\n", sections[order[i]].heading);
        for (const struct im_rpc_command *c; (c = im_rpc_next(rpc, &at));)
            if (c->section == order[i])
                put_entry(c, out);
        im_out_str(out, ".El\n");
    }
}
