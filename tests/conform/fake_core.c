#include "tests/conform/fake_core.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/mem.h"

static struct seen *up(struct im_core *core, struct im_link *link)
{
    struct seen *s = (struct seen *)(void *)link->session;
    assert_false(core->down);
    assert_non_null(s);
    assert_ptr_equal(s->link, link);
    return s;
}

enum im_reason im_core_opened(struct im_core *core, struct im_link *link, const struct im_link_info *info)
{
    assert_false(core->down);
    assert_non_null(link->ops);
    assert_non_null(link->dialect);
    assert_null(link->session);
    if (core->refuse != IM_OK)
        return core->refuse;
    assert_true(core->opened < sizeof core->seen / sizeof *core->seen);
    struct seen *s = im_zalloc(sizeof *s);
    core->seen[core->opened++] = s;
    s->core = core;
    s->link = link;
    s->tls = info->tls;
    snprintf(s->transport, sizeof s->transport, "%s", info->transport);
    snprintf(s->address, sizeof s->address, "%.*s", (int)info->address.len, info->address.p);
    link->session = (struct im_session *)(void *)s;
    link->env = &core->dialect_env;
    return IM_OK;
}

void im_core_input(struct im_core *core, struct im_link *link, struct im_str message)
{
    struct seen *s = up(core, link);
    s->messages = im_realloc(s->messages, (s->count + 1) * sizeof *s->messages);
    s->messages[s->count++] = im_strndup(message.p, message.len);
    s->bytes += message.len;
    if (core->hold_after && s->count % core->hold_after == 0)
        link->ops->hold(link, true);
    if (core->close_after && s->count == core->close_after)
        link->ops->close(link, IM_KICKED);
    if (core->heard)
        core->heard(s);
}

void im_core_command(struct im_core *core, struct im_link *link, struct im_command *cmd)
{
    struct seen *s = up(core, link);
    if (core->commanded)
        core->commanded(s, cmd);
    im_command_clear(cmd);
}

/* From a worker: whatever is said, the classroom's dialect makes a `send` of it. */
void im_core_decoded(struct im_core *core, struct im_link *link, struct im_command *cmd, enum im_reason reason,
                     const char *detail)
{
    (void)detail;
    assert_int_equal(reason, IM_OK);
    if (cmd->op != IM_OP_SEND) {
        im_core_command(core, link, cmd);
        return;
    }
    im_core_input(core, link, cmd->text);
    im_command_clear(cmd);
}

bool im_core_banned(const struct im_core *core, const char *peer)
{
    (void)core, (void)peer;
    return false;
}

bool im_core_online_user(const struct im_core *core, struct im_str key)
{
    (void)key;
    return core->online;
}

void im_core_input_end(struct im_core *core, struct im_link *link)
{
    struct seen *s = up(core, link);
    assert_int_equal(s->input_ends, 0);
    s->input_ends++;
    if (!core->keep_open_at_input_end)
        link->ops->close(link, IM_BYE);
}

void im_core_writable(struct im_core *core, struct im_link *link)
{
    struct seen *s = up(core, link);
    s->writables++;
    s->emptied += link->ops->queued(link) == 0;
}

void im_core_closed(struct im_core *core, struct im_link *link, enum im_reason reason)
{
    struct seen *s = up(core, link);
    assert_int_equal(s->closes, 0);
    s->closes++;
    s->reason = reason;
    s->link = NULL;
    link->session = NULL;
}

void fake_core_clear(struct im_core *core)
{
    for (size_t i = 0; i < core->opened; i++) {
        struct seen *s = core->seen[i];
        for (size_t k = 0; k < s->count; k++)
            free(s->messages[k]);
        free(s->messages);
        free(s);
    }
    core->opened = 0;
}

void seen_send_event(struct seen *s, struct im_event *e, bool own)
{
    s->core->down = true;
    s->link->ops->send(s->link, e, own);
    s->core->down = false;
}

void seen_tell_event(struct seen *s, struct im_event *e, bool own)
{
    if (!s->link->ops->tell) {
        seen_send_event(s, im_event_hold(e), own);
        return;
    }
    s->core->down = true;
    s->link->ops->tell(s->link, e, own);
    s->core->down = false;
}

void seen_send(struct seen *s, const char *text)
{
    seen_send_event(s, im_event_notice(IM_OK, im_str(text)), false);
}

void seen_hold(struct seen *s, bool on)
{
    s->core->down = true;
    s->link->ops->hold(s->link, on);
    s->core->down = false;
}

void seen_close(struct seen *s, enum im_reason reason)
{
    s->core->down = true;
    s->link->ops->close(s->link, reason);
    s->core->down = false;
}

size_t seen_queued(struct seen *s)
{
    return s->link->ops->queued(s->link);
}
