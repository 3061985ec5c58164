#include <stdio.h>
#include <stdlib.h>

#include "core/account.h"
#include "core/profile.h"
#include "core/request.h"

/* People: who is here, who they are, whom one does not want to hear from; one's own devices. */

static struct im_presence_row row_of(struct im_core *core, const struct im_session *s, const struct im_name *name)
{
    struct im_str key = im_name_key(name);
    if (!im_conv_is_group(key))
        return im_presence_of(im_user_find(core, key), im_name_text(name), im_name_key(s->user->name));
    const struct im_group *group = im_group_find(core, key);
    struct im_presence_row row = {.user = im_name_text(group ? &group->name : name)};
    if (im_seat_find(group, s->user)) {
        row.state = IM_ONLINE;
        row.online = im_group_online(group);
    }
    return row;
}

static struct im_str put(char **at, struct im_str s)
{
    struct im_str copy = {s.p ? *at : NULL, s.len};
    if (s.len > 0)
        memcpy(*at, s.p, s.len);
    *at += s.len;
    return copy;
}

/* Rows and their strings in one block, as the reply owns them. */
static struct im_presence_row *presence_rows(struct im_core *core, const struct im_session *s,
                                             const struct im_name *names, size_t count)
{
    size_t bytes = 0;
    for (size_t i = 0; i < count; i++) {
        struct im_presence_row row = row_of(core, s, &names[i]);
        bytes += row.user.len + row.text.len;
    }
    struct im_presence_row *rows = im_alloc(count * sizeof *rows + bytes + 1);
    char *at = (char *)&rows[count];
    for (size_t i = 0; i < count; i++) {
        rows[i] = row_of(core, s, &names[i]);
        rows[i].user = put(&at, rows[i].user);
        rows[i].text = put(&at, rows[i].text);
    }
    return rows;
}

static enum im_reason set_state(struct im_core *core, struct im_session *s, const struct im_command *cmd,
                                struct im_error *error)
{
    struct im_user *user = s->user;
    enum im_presence state = IM_ONLINE;
    if (im_command_has(cmd, IM_F_state) && !im_presence_find(cmd->state, &state))
        return im_fail(error, IM_BAD_FIELD, "state: must be one of online, away, dnd");
    if (im_command_has(cmd, IM_F_text)) {
        enum im_reason reason = im_check_line(core, "text", cmd->text, error);
        if (reason != IM_OK)
            return reason;
    }
    if (im_command_has(cmd, IM_F_state))
        user->state = state;
    free(user->status);
    user->status = cmd->text.len > 0 ? im_strndup(cmd->text.p, cmd->text.len) : NULL;
    im_presence_changed(core, user);
    return IM_OK;
}

static enum im_reason watch(struct im_core *core, struct im_session *s, const struct im_command *cmd,
                            struct im_error *error)
{
    if (cmd->users_count > core->config->watch)
        return im_fail(error, IM_TOO_MANY, "users: at most %llu", (unsigned long long)core->config->watch);
    struct im_name *names = im_alloc((cmd->users_count + 1) * sizeof *names);
    enum im_reason reason = IM_OK;
    for (size_t i = 0; i < cmd->users_count && reason == IM_OK; i++)
        reason = im_conv_parse(cmd->users[i], &names[i], error);
    if (reason == IM_OK) {
        im_watch_set(core, s, names, cmd->users_count);
        if (cmd->id.p)
            im_reply(s, &(struct im_reply){.op = cmd->op,
                                           .id = cmd->id,
                                           .presence = {.rows = presence_rows(core, s, names, cmd->users_count),
                                                        .count = cmd->users_count}});
    }
    free(names);
    return reason;
}

enum im_reason im_op_presence(struct im_core *core, struct im_session *s, const struct im_command *cmd,
                              struct im_error *error)
{
    bool own = im_command_has(cmd, IM_F_state) || im_command_has(cmd, IM_F_text);
    enum im_reason reason = IM_OK;
    if (!own && !im_command_has(cmd, IM_F_users))
        return im_fail(error, IM_BAD_FIELD, "give users to watch, or an own state or text");
    if (own)
        reason = set_state(core, s, cmd, error);
    if (reason == IM_OK && im_command_has(cmd, IM_F_users))
        return watch(core, s, cmd, error);
    if (reason == IM_OK)
        im_reply_ok(s, cmd);
    return reason;
}

/* To the one concerned, the one who blocks has just gone away; or is here again. */
static void show_to(struct im_user *user, struct im_str viewer_key)
{
    struct im_watch *w;
    DL_FOREACH(user->watchers, w)
    {
        struct im_session *s = w->session;
        if (im_session_closing(s) || !im_str_eq(im_name_key(s->user->name), viewer_key))
            continue;
        struct im_presence_row row = im_presence_of(user, IM_STR(""), viewer_key);
        im_session_send(s, im_event_presence(&row), false);
    }
}

static void blocked(struct im_store_op *op)
{
    struct im_request *r = op->owner;
    struct im_core *core = r->core;
    struct im_session *s = im_request_answered(r);
    if (op->status == IM_OK) {
        struct im_user *user = im_user_find(core, im_out_view(&r->self));
        if (user && user->session_count > 0) {
            im_user_block(user, im_name_key(&r->name), r->store.block.on);
            show_to(user, im_name_key(&r->name));
        }
    }
    im_request_tell(r, s, op->status);
    im_request_finish(r, s);
}

static void block_list(struct im_store_op *op)
{
    struct im_request *r = op->owner;
    struct im_session *s = im_request_answered(r);
    const struct im_store_users *u = &r->store.users;
    if (op->status == IM_OK && s && r->id.len > 0) {
        size_t bytes = 1;
        for (size_t i = 0; i < u->count; i++)
            bytes += u->rows[i].name.len;
        struct im_str *users = im_alloc(u->count * sizeof *users + bytes);
        char *at = (char *)&users[u->count];
        for (size_t i = 0; i < u->count; i++)
            users[i] = put(&at, u->rows[i].name);
        im_reply(s, &(struct im_reply){.op = r->op,
                                       .id = im_out_view(&r->id),
                                       .block = {.users = users, .count = u->count, .list = true}});
    } else if (op->status != IM_OK) {
        im_request_fail(r, s, op->status);
    }
    free(u->rows);
    im_request_finish(r, s);
}

enum im_reason im_op_block(struct im_core *core, struct im_session *s, const struct im_command *cmd,
                           struct im_error *error)
{
    struct im_name other;
    if (!im_command_has(cmd, IM_F_user)) {
        struct im_request *r = im_request_new(core, s, cmd, IM_STORE_USERS, block_list);
        r->store.users.blocked_by = im_out_view(&r->self);
        r->store.users.limit = (uint32_t)core->config->blocked_max;
        im_request_submit(r, s);
        return IM_OK;
    }
    enum im_reason reason = im_name_parse(cmd->user, &other, error);
    if (reason != IM_OK)
        return reason;
    if (im_str_eq(im_name_key(&other), im_name_key(s->user->name)))
        return im_fail(error, IM_BAD_FIELD, "user: nobody can block themselves");
    struct im_request *r = im_request_new(core, s, cmd, IM_STORE_BLOCK, blocked);
    struct im_store_block *b = &r->store.block;
    r->name = other;
    b->key = im_out_view(&r->self);
    b->other = im_name_key(&r->name);
    b->other_text = im_name_text(&r->name);
    b->on = !im_command_has(cmd, IM_F_on) || cmd->on;
    b->max = (uint32_t)core->config->blocked_max;
    im_request_submit(r, s);
    return IM_OK;
}

/* A profile comes from three records, read one after the other: account, profile, seen. */
struct profile {
    struct im_account account;
    struct im_profile_value value;
    bool found, set_name, set_avatar, set_seen, hide_seen;
    struct im_str name, avatar; /* to be set; in request->text */
    struct im_out written, before;
    unsigned tries;
};
enum { TRIES = 100 }; /* each time somebody else's came through */

static void profile_read(struct im_store_op *op);

static void read_record(struct im_request *r, struct im_session *s, enum im_record_kind kind)
{
    r->store.records = (struct im_store_records){.op = {.kind = IM_STORE_RECORDS, .done = profile_read, .owner = r},
                                                 .kind = kind,
                                                 .key = im_name_key(&r->name),
                                                 .limit = 1};
    im_request_submit(r, s);
}

static void profile_end(struct im_request *r, struct im_session *s)
{
    struct profile *p = r->more;
    im_profile_clear(&p->value);
    im_out_clear(&p->written);
    im_out_clear(&p->before);
    im_request_finish(r, s);
}

static void profile_answer(struct im_request *r, struct im_session *s, int64_t seen_ms)
{
    const struct profile *p = r->more;
    struct im_user *user = im_user_find(r->core, im_name_key(&r->name));
    struct im_presence_row presence = im_presence_of(user, im_name_text(&r->name), im_out_view(&r->self));
    bool own = im_str_eq(im_out_view(&r->self), im_name_key(&r->name));
    size_t bytes = presence.user.len + presence.text.len + p->value.name.len + p->value.avatar.len;
    struct im_profile *out = im_zalloc(sizeof *out + bytes + 1);
    char *at = (char *)(out + 1);
    out->presence = presence;
    out->user = out->presence.user = put(&at, presence.user);
    out->presence.text = put(&at, presence.text);
    out->name = put(&at, p->value.name);
    out->avatar = put(&at, p->value.avatar);
    out->bot = p->account.bot;
    if (presence.state == IM_OFFLINE && (own || (!p->value.hide_seen && !im_user_blocks(user, im_out_view(&r->self)))))
        out->presence.seen_ms = seen_ms;
    im_reply(s, &(struct im_reply){.op = r->op, .id = im_out_view(&r->id), .profile = {.profile = out}});
}

static void profile_written(struct im_store_op *op)
{
    struct im_request *r = op->owner;
    struct im_session *s = im_request_answered(r);
    struct profile *p = r->more;
    if (op->status == IM_CONFLICT && s && p->tries++ < TRIES) { /* another of the user's requests was faster */
        im_profile_clear(&p->value);
        im_out_clear(&p->written);
        im_out_clear(&p->before);
        read_record(r, s, IM_RECORD_PROFILE);
        return;
    }
    im_request_tell(r, s, op->status);
    profile_end(r, s);
}

/* Somebody else's device may be setting the same profile: then one of the two is told so. */
static void profile_write(struct im_request *r, struct im_session *s)
{
    struct profile *p = r->more;
    struct im_profile_value value = p->value;
    if (p->set_name)
        value.name = p->name;
    if (p->set_avatar)
        value.avatar = p->avatar;
    if (p->set_seen)
        value.hide_seen = p->hide_seen;
    im_profile_write(&value, &p->written);
    r->store.record_put = (struct im_store_record_put){
        .op = {.kind = IM_STORE_RECORD_PUT, .done = profile_written, .owner = r},
        .record = {.kind = IM_RECORD_PROFILE, .key = im_name_key(&r->name), .value = im_out_view(&p->written)},
        .check = true,
        .expect = im_out_view(&p->before)};
    im_request_submit(r, s);
}

static void profile_step(struct im_request *r, struct im_session *s, const struct im_record *record)
{
    struct profile *p = r->more;
    uint64_t seen = 0;
    switch (r->store.records.kind) {
    case IM_RECORD_ACCOUNT:
        p->found = record && im_account_read(record->value, &p->account) && !p->account.deleted;
        if (!p->found && r->core->config->auth_mode != IM_AUTH_OPEN) {
            im_request_fail(r, s, IM_NO_SUCH_USER);
            profile_end(r, s);
        } else {
            read_record(r, s, IM_RECORD_PROFILE);
        }
        return;
    case IM_RECORD_PROFILE:
        im_profile_read(record ? record->value : (struct im_str){0}, &p->value);
        if (record)
            im_out_put(&p->before, record->value.p, record->value.len);
        if (p->set_name || p->set_avatar || p->set_seen)
            profile_write(r, s);
        else
            read_record(r, s, IM_RECORD_SEEN);
        return;
    default:
        if (record)
            im_str_u64(record->value, &seen);
        profile_answer(r, s, (int64_t)seen);
        profile_end(r, s);
    }
}

static void profile_read(struct im_store_op *op)
{
    struct im_request *r = op->owner;
    struct im_session *s = im_request_answered(r);
    struct im_record *rows = r->store.records.rows;
    if (op->status == IM_OK && s) {
        profile_step(r, s, r->store.records.count > 0 ? rows : NULL);
    } else {
        im_request_fail(r, s, op->status);
        profile_end(r, s);
    }
    free(rows);
}

static enum im_reason check_profile(const struct im_core *core, const struct im_command *cmd, struct im_error *error)
{
    enum { NAME_MAX_BYTES = 128 };
    bool sets = im_command_has(cmd, IM_F_name) || im_command_has(cmd, IM_F_avatar) || im_command_has(cmd, IM_F_seen);
    if (sets && im_command_has(cmd, IM_F_user))
        return im_fail(error, IM_BAD_FIELD, "user: only one's own profile can be set");
    if (cmd->name.len > NAME_MAX_BYTES)
        return im_fail(error, IM_TOO_LONG, "name: at most %d bytes", NAME_MAX_BYTES);
    enum im_reason reason = im_check_line(core, "name", cmd->name, error);
    return reason == IM_OK && im_str_control(cmd->avatar)
               ? im_fail(error, IM_BAD_FIELD, "avatar: must not have control characters")
               : reason;
}

enum im_reason im_op_profile(struct im_core *core, struct im_session *s, const struct im_command *cmd,
                             struct im_error *error)
{
    struct im_name who;
    im_name_copy(&who, s->user->name);
    enum im_reason reason = check_profile(core, cmd, error);
    if (reason == IM_OK && im_command_has(cmd, IM_F_user))
        reason = im_name_parse(cmd->user, &who, error);
    if (reason != IM_OK)
        return reason;
    struct im_request *r = im_request_new(core, s, cmd, IM_STORE_RECORDS, profile_read);
    struct profile *p = r->more = im_zalloc(sizeof *p);
    r->name = who;
    im_out_put(&r->text, cmd->name.p, cmd->name.len);
    im_out_put(&r->text, cmd->avatar.p, cmd->avatar.len);
    p->set_name = im_command_has(cmd, IM_F_name);
    p->set_avatar = im_command_has(cmd, IM_F_avatar);
    p->set_seen = im_command_has(cmd, IM_F_seen);
    p->hide_seen = p->set_seen && !cmd->seen;
    r->alone = p->set_name || p->set_avatar || p->set_seen; /* it is read first, and perhaps again */
    p->name = (struct im_str){im_out_data(&r->text), cmd->name.len};
    p->avatar = (struct im_str){im_out_data(&r->text) + cmd->name.len, cmd->avatar.len};
    read_record(r, s, IM_RECORD_ACCOUNT);
    return IM_OK;
}

/* Reports go to whoever runs the server: as records, which imctl lists. */

static void reported(struct im_store_op *op)
{
    struct im_request *r = op->owner;
    struct im_session *s = im_request_answered(r);
    if (op->status != IM_OK)
        im_request_fail(r, s, op->status);
    else if (s && r->id.len > 0)
        im_reply(s, &(struct im_reply){
                        .op = r->op, .id = im_out_view(&r->id), .report = {.ticket = r->store.record_put.record.key}});
    im_request_finish(r, s);
}

static void member(struct im_out *out, const char *key, struct im_str s)
{
    if (s.p == NULL)
        return;
    im_out_str(out, key);
    im_out_json(out, s);
}

static void put_report(struct im_request *r, struct im_session *s)
{
    im_out_char(&r->text, '}');
    r->store.record_put =
        (struct im_store_record_put){.op = {.kind = IM_STORE_RECORD_PUT, .done = reported, .owner = r},
                                     .record = {.kind = IM_RECORD_REPORT,
                                                .key = im_str(r->more),
                                                .owner = im_out_view(&r->self),
                                                .value = im_out_view(&r->text)},
                                     .check = true}; /* a ticket is given once */
    im_request_submit(r, s);
}

/* The message, as the one who reports it sees it now: it may be edited or deleted before anybody looks. */
static void message_found(struct im_store_op *op)
{
    struct im_request *r = op->owner;
    struct im_session *s = im_request_answered(r);
    struct im_store_history *h = &r->store.history;
    struct im_event *e = h->count > 0 ? h->events[0] : NULL;
    bool found = e && e->type == IM_EV_MSG && e->msg.seq == r->since;
    if (found) {
        member(&r->text, ",\"from\":", e->msg.from);
        member(&r->text, ",\"message\":", e->msg.body);
    }
    im_event_drop(&e);
    free(h->events);
    if (op->status == IM_OK && s && found) {
        put_report(r, s);
    } else {
        im_request_fail(r, s, op->status == IM_OK ? IM_NO_SUCH_MESSAGE : op->status);
        im_request_finish(r, s);
    }
}

static void find_message(struct im_request *r, struct im_session *s)
{
    r->store.history = (struct im_store_history){.op = {.kind = IM_STORE_HISTORY, .done = message_found, .owner = r},
                                                 .key = im_out_view(&r->self),
                                                 .kind = im_conv_kind(&r->name),
                                                 .peer = im_name_key(&r->name),
                                                 .after = r->since - 1,
                                                 .has_after = true,
                                                 .limit = 1,
                                                 .bytes = UINT32_MAX};
    im_request_submit(r, s);
}

/* How many of this user's are open is known: there is room for one more, or not. */
static void reports_counted(struct im_store_op *op)
{
    struct im_request *r = op->owner;
    struct im_session *s = im_request_answered(r);
    size_t count = r->store.records.count;
    free(r->store.records.rows);
    if (op->status != IM_OK || s == NULL || count >= r->core->config->reports_max) {
        im_request_fail(r, s, op->status == IM_OK ? IM_TOO_MANY : op->status);
        im_request_finish(r, s);
    } else if (r->since > 0) {
        find_message(r, s);
    } else {
        put_report(r, s);
    }
}

static void write_report(const struct im_core *core, const struct im_session *s, const struct im_command *cmd,
                         struct im_out *out)
{
    member(out, "{\"by\":", im_name_text(s->user->name));
    im_out_str(out, ",\"ts\":");
    im_out_i64(out, core->wall_ms);
    member(out, ",\"user\":", im_command_has(cmd, IM_F_user) ? cmd->user : (struct im_str){0});
    member(out, ",\"conv\":", im_command_has(cmd, IM_F_conv) ? cmd->conv : (struct im_str){0});
    if (im_command_has(cmd, IM_F_seq)) {
        im_out_str(out, ",\"seq\":");
        im_out_u64(out, cmd->seq);
    }
    member(out, ",\"text\":", cmd->text);
}

enum im_reason im_op_report(struct im_core *core, struct im_session *s, const struct im_command *cmd,
                            struct im_error *error)
{
    enum { TICKET_HEX = 12 };
    struct im_name name;
    enum im_reason reason = im_check_line(core, "text", cmd->text, error);
    if (reason == IM_OK && !im_command_has(cmd, IM_F_user) && !im_command_has(cmd, IM_F_conv))
        reason = im_fail(error, IM_BAD_FIELD, "give the user, or the conv and seq, that the report is about");
    if (reason == IM_OK && im_command_has(cmd, IM_F_seq) && (cmd->seq == 0 || !im_command_has(cmd, IM_F_conv)))
        reason = im_fail(error, IM_BAD_FIELD, "seq: must be that of a message in conv");
    if (reason == IM_OK && im_command_has(cmd, IM_F_user))
        reason = im_name_parse(cmd->user, &name, error);
    if (reason == IM_OK && im_command_has(cmd, IM_F_conv))
        reason = im_conv_parse(cmd->conv, &name, error);
    if (reason != IM_OK)
        return reason;
    uint8_t random[TICKET_HEX / 2] = {0};
    if (core->random)
        core->random(core->random_arg, random, sizeof random);
    struct im_request *r = im_request_new(core, s, cmd, IM_STORE_RECORDS, reports_counted);
    char *ticket = r->more = im_alloc(TICKET_HEX + 1);
    for (size_t i = 0; i < sizeof random; i++)
        snprintf(ticket + 2 * i, 3, "%02x", random[i]);
    write_report(core, s, cmd, &r->text);
    r->name = name;
    r->since = cmd->seq;
    r->store.records.kind = IM_RECORD_REPORT;
    r->store.records.owner = im_out_view(&r->self);
    r->store.records.limit = (uint32_t)core->config->reports_max;
    im_request_submit(r, s);
    return IM_OK;
}

static void devices_done(struct im_store_op *op)
{
    struct im_request *r = op->owner;
    struct im_session *s = im_request_answered(r), *other;
    struct im_store_devices *d = &r->store.devices;
    if (op->status != IM_OK || s == NULL || r->id.len == 0) {
        if (op->status != IM_OK)
            im_request_fail(r, s, op->status);
        free(d->rows);
        im_request_finish(r, s);
        return;
    }
    size_t count = 0;
    for (size_t i = 0; i < d->count; i++) {
        struct im_device_row row = d->rows[i];
        if (im_device_is_hook(row.name))
            continue;
        DL_FOREACH2(s->user->sessions, other, user_next)
        {
            bool same = im_str_eq(row.name, im_str(other->device ? other->device : ""));
            row.online = row.online || same;
            row.current = row.current || (same && other == s);
        }
        d->rows[count++] = row;
    }
    im_reply(s, &(struct im_reply){.op = r->op,
                                   .id = im_out_view(&r->id),
                                   .devices = {.rows = d->rows, .count = count, .list = true}});
    im_request_finish(r, s);
}

static void device_dropped(struct im_store_op *op)
{
    struct im_request *r = op->owner;
    struct im_session *s = im_request_answered(r);
    if (op->status == IM_OK)
        im_core_revoke(r->core, im_out_view(&r->self), im_out_view(&r->text));
    im_request_tell(r, s, op->status);
    im_request_finish(r, s);
}

/* First what the device could log in with, then the device: whatever comes between, it can be asked for again. */
static void device_token_dropped(struct im_store_op *op)
{
    struct im_request *r = op->owner;
    struct im_session *s = im_request_answered(r);
    if (op->status != IM_OK || s == NULL) {
        im_request_fail(r, s, op->status);
        im_request_finish(r, s);
        return;
    }
    r->store.device_drop =
        (struct im_store_device_drop){.op = {.kind = IM_STORE_DEVICE_DROP, .done = device_dropped, .owner = r},
                                      .key = im_out_view(&r->self),
                                      .device = im_out_view(&r->text)};
    im_request_submit(r, s);
}

enum im_reason im_op_devices(struct im_core *core, struct im_session *s, const struct im_command *cmd,
                             struct im_error *error)
{
    bool forget = im_command_has(cmd, IM_F_forget) && cmd->forget;
    if (!forget) {
        struct im_request *r = im_request_new(core, s, cmd, IM_STORE_DEVICES, devices_done);
        r->store.devices.key = im_out_view(&r->self);
        im_request_submit(r, s);
        return IM_OK;
    }
    if (!im_command_has(cmd, IM_F_device) || cmd->device.len == 0)
        return im_fail(error, IM_BAD_FIELD, "device: which one is to be forgotten?");
    if (s->device && im_str_eq(cmd->device, im_str(s->device)))
        return im_fail(error, IM_BAD_FIELD, "device: this is the one you are on; say bye with forget");
    if (im_device_is_hook(cmd->device))
        return IM_NO_SUCH_DEVICE;
    struct im_request *r = im_request_new(core, s, cmd, IM_STORE_RECORD_DROP, device_token_dropped);
    im_out_put(&r->text, cmd->device.p, cmd->device.len);
    r->store.record_drop.kind = IM_RECORD_TOKEN;
    r->store.record_drop.owner = im_out_view(&r->self);
    r->store.record_drop.name = im_out_view(&r->text);
    im_request_submit(r, s);
    return IM_OK;
}
