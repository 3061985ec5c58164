#ifndef IM_TOOLS_IMD_ADMIN_H
#define IM_TOOLS_IMD_ADMIN_H

#include "core/core.h"
#include "core/reason.h"
#include "tools/imd/rpc.h"

/* The admin sockets: JSON-RPC by lines, for imctl and for `nc -U`. Who may come: root, the server's own user, and
 * members of admin.group; to the read-only socket whoever its permissions let in. */

struct im_listener;
struct imd;
struct imd_admin;

#define IMD_ADMIN_LINE_MAX (64 * 1024)

enum im_reason imd_admin_open(struct imd *, struct imd_admin **out, struct im_error *);
void imd_admin_each_listener(const struct imd_admin *, void (*each)(void *arg, struct im_listener *), void *arg);
/* Takes over the sockets of the program before this one, and gives them to the group. */
void imd_admin_adopt(struct imd_admin *);
/* Stops listening; connections live on. admin may be NULL. */
void imd_admin_close(struct imd_admin *);
/* Once no connection and no command is left. */
void imd_admin_free(struct imd_admin **);

/* Of a command that asks. */
#define IMD_DRY_ARG                                                                                                    \
    {                                                                                                                  \
        "dry", IM_RPC_STRING, false, "yes", "Only tell what would be done: imctl -n."                                  \
    }
static inline bool imd_is_dry(const struct im_rpc_call *call)
{
    return im_rpc_string(call, "dry").p != NULL;
}
/* A time such as "30d" from the argument; false: the call has failed. Absent: *ms = otherwise. */
bool imd_read_period(struct im_rpc_call *, const char *arg, uint64_t otherwise, uint64_t *ms);

/* Lets imctl exit with this status; returns result. */
static inline json_t *imd_exits(json_t *result, int status)
{
    json_object_set_new(result, "exit", json_integer(status));
    return result;
}

/* The commands, in tables that end with name NULL. Their host is the struct imd. */
extern const struct im_rpc_command imd_admin_commands[], imd_user_commands[], imd_token_commands[],
    imd_group_commands[], imd_hook_commands[], imd_latency_commands[], imd_session_commands[], imd_tail_commands[],
    imd_config_commands[], imd_why_commands[], imd_imctl_commands[], imd_store_commands[], imd_ban_commands[],
    imd_say_commands[], imd_data_commands[], imd_judge_commands[], imd_doctor_commands[], imd_people_commands[],
    imd_drain_commands[], imd_worker_commands[];
/* A session as a JSON object, as `sessions` lists it. */
json_t *imd_describe_session(const struct im_session_view *);
/* A value of the configuration as JSON. */
json_t *imd_config_value(const struct im_config_row *, const void *base);
/* The listeners' transports and addresses, an array of strings. */
json_t *imd_config_listeners(const struct im_config *);
/* Lines of text as an array of strings. */
json_t *imd_lines(const struct im_out *);

extern const struct im_rpc_command *const imd_admin_tables[]; /* all of them; ends with NULL */

#endif
