#include <assert.h>
#include <stdlib.h>

#include "core/request.h"

/* What clients ask: one handler per row of core/tbl/ops.def. A handler answers at once, or submits a store operation
 * whose completion answers; a reason other than IM_OK becomes the err reply. */

static const struct {
    enum im_who who;
    uint64_t required;
    im_op_handler *run;
} ops[IM_OP_COUNT] = {
#define IM_OP(sym, name, who, required, optional, function) [IM_OP_##sym] = {who, required, im_op_##function},
#include "core/tbl/ops.def"
#undef IM_OP
};

void im_op_run(struct im_core *core, struct im_session *s, struct im_command *cmd)
{
    struct im_error error;
    enum im_reason reason;
    error.detail[0] = '\0';
    assert((cmd->have & ops[cmd->op].required) == ops[cmd->op].required);
    if (ops[cmd->op].who == IM_WHO_USER && s->user == NULL)
        reason = IM_LOGIN_FIRST;
    else if (ops[cmd->op].who == IM_WHO_USER && s->seat == IM_SEAT_SENDER && cmd->op != IM_OP_SEND)
        reason = IM_FORBIDDEN;
    else if (ops[cmd->op].who == IM_WHO_NEW && s->state != IM_SESSION_OPEN)
        reason = IM_LOGGED_IN;
    else
        reason = ops[cmd->op].run(core, s, cmd, &error);
    if (reason == IM_OK)
        return;
    im_session_err(core, s, cmd->op, cmd->id, reason, error.detail, reason == IM_BUSY ? IM_BUSY_AFTER_MS : 0);
    if (cmd->or_close)
        im_session_end(core, s, reason, false);
}

static void keep(char **slot, struct im_str s)
{
    free(*slot);
    *slot = im_strndup(s.p, s.len);
}

enum im_reason im_op_hello(struct im_core *core, struct im_session *s, const struct im_command *cmd,
                           struct im_error *error)
{
    if (im_command_has(cmd, IM_F_v) && cmd->v != 1)
        return im_fail(error, IM_BAD_FIELD, "v: this server speaks version 1");
    if (im_command_has(cmd, IM_F_device)) {
        if (s->state != IM_SESSION_OPEN)
            return im_fail(error, IM_LOGGED_IN, "device: must be named before login");
        if (cmd->device.len == 0 || im_str_control(cmd->device))
            return im_fail(error, IM_BAD_FIELD, "device: must not be empty or have control characters");
        if (im_device_is_hook(cmd->device) && !cmd->trusted)
            return im_fail(error, IM_BAD_FIELD, "device: names that begin with \"hook:\" are the server's own");
        keep(&s->device, cmd->device);
    }
    if (im_command_has(cmd, IM_F_agent))
        keep(&s->agent, cmd->agent);
    if (im_command_has(cmd, IM_F_lang))
        s->link->lang = cmd->lang.len >= 2 && memcmp(cmd->lang.p, "zh", 2) == 0 ? IM_ZH : IM_EN;
    im_reply(s, &(struct im_reply){.op = cmd->op,
                                   .id = cmd->id,
                                   .hello = {.epoch = im_str(core->store->epoch), .config = core->config}});
    return IM_OK;
}

enum im_reason im_op_ping(struct im_core *core, struct im_session *s, const struct im_command *cmd,
                          struct im_error *error)
{
    (void)core, (void)error;
    im_reply_ok(s, cmd);
    return IM_OK;
}

enum im_reason im_op_bye(struct im_core *core, struct im_session *s, const struct im_command *cmd,
                         struct im_error *error)
{
    (void)error;
    if (im_command_has(cmd, IM_F_forget) && cmd->forget)
        im_login_forget(core, s, cmd);
    else
        im_reply_ok(s, cmd);
    im_session_end(core, s, IM_BYE, true);
    return IM_OK;
}
