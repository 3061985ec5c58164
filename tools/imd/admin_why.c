#include <inttypes.h>
#include <stdlib.h>

#include "core/inspect.h"
#include "core/mem.h"
#include "tools/imd/admin.h"
#include "tools/imd/job.h"
#include "tools/safe_json.h"
#include "transports/hook.h"

/* why: what has become of an event, from its commit to every device that it is for. job->result has "event", "devices"
 * and, until the end, "readers": the users that are still to be looked at, from job->step on. */

#define MEMBERS_MAX 100
#define CONVS_MAX   2000

static json_t *describe(const struct im_event *e)
{
    const struct im_msg *m = &e->msg;
    json_t *event = json_object();
    im_json_set_number(event, "pos", m->pos);
    im_json_set_number(event, "seq", m->seq);
    im_json_set_text(event, "type", im_str(im_hook_event_name(e->type)));
    json_object_set_new(event, "from", im_json_text(m->from));
    json_object_set_new(event, "to", im_json_text(m->to));
    json_object_set_new(event, "cid", m->cid.p ? im_json_text(m->cid) : json_null());
    im_json_set_number(event, "bytes", m->body.len);
    imd_job_time(event, "committed", m->ts_ms);
    json_object_set_new(event, "hidden", json_boolean(m->hidden));
    return event;
}

static struct im_str text(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    return (struct im_str){json_string_value(value), json_string_length(value)};
}

static uint64_t number(const json_t *object, const char *key)
{
    return (uint64_t)json_integer_value(json_object_get(object, key));
}

static const json_t *event_of(const struct imd_job *job)
{
    return json_object_get(job->result, "event");
}

/* Where it is on its way to this device. */
static const char *stage(const struct im_device_here *here, uint64_t cursor, uint64_t pos)
{
    if (cursor >= pos)
        return "received";
    if (!here->here)
        return "waiting";
    if (here->sent < pos)
        return "behind";
    return here->queued > 0 ? "queued" : "written";
}

static json_t *device_row(const struct imd_job *job, const struct im_device_row *d)
{
    struct im_device_here here = im_core_device(job->imd->core, im_name_key(&job->name), d->name);
    json_t *row = json_object();
    im_json_set_text(row, "user", text(json_array_get(json_object_get(job->result, "readers"), job->step), "user"));
    json_object_set_new(row, "device", im_json_text(d->name));
    json_object_set_new(row, "state", json_string(stage(&here, d->cursor, number(event_of(job), "pos"))));
    json_object_set_new(row, "session", here.here ? im_json_number(here.session) : json_null());
    im_json_set_number(row, "cursor", d->cursor);
    imd_job_time(row, "seen", d->seen_ms);
    return row;
}

static void next_reader(struct imd_job *job);

/* A read mark is its user's, not one device's: all that have received it are told to have read it. */
static void mark_read(struct imd_job *job, size_t first)
{
    json_t *rows = json_object_get(job->result, "devices");
    for (size_t i = first; i < json_array_size(rows); i++) {
        json_t *row = json_array_get(rows, i);
        if (im_str_eq(text(row, "state"), IM_STR("received")))
            json_object_set_new(row, "state", json_string("read"));
    }
}

static void conversations_found(struct imd_job *job)
{
    struct im_store_conversations *c = &job->op.conversations;
    json_t *reader = json_array_get(json_object_get(job->result, "readers"), job->step++);
    struct im_name name;
    for (size_t i = 0; i < c->count; i++) {
        if (im_conv_parse(c->rows[i].name, &name, NULL) == IM_OK &&
            im_str_eq(im_name_key(&name), im_name_key(&job->other)) &&
            c->rows[i].read_seq >= number(event_of(job), "seq"))
            mark_read(job, (size_t)number(reader, "first"));
        im_event_drop(&c->rows[i].last);
    }
    free(c->rows);
    next_reader(job);
}

static void devices_found(struct imd_job *job)
{
    struct im_store_devices *d = &job->op.devices;
    json_t *rows = json_object_get(job->result, "devices");
    json_t *reader = json_array_get(json_object_get(job->result, "readers"), job->step);
    im_json_set_number(reader, "first", json_array_size(rows));
    for (size_t i = 0; i < d->count; i++)
        json_array_append_new(rows, device_row(job, &d->rows[i]));
    if (d->count == 0)
        json_array_append_new(rows, json_pack("{s:O, s:n, s:s, s:n, s:i, s:n}", "user", json_object_get(reader, "user"),
                                              "device", "state", "never here", "session", "cursor", 0, "seen"));
    free(d->rows);
    job->op.conversations =
        (struct im_store_conversations){.key = im_name_key(&job->name), .limit = CONVS_MAX, .bytes = 1};
    imd_job_run(job, IM_STORE_CONVERSATIONS, conversations_found);
}

static void next_reader(struct imd_job *job)
{
    const json_t *reader = json_array_get(json_object_get(job->result, "readers"), job->step);
    if (reader == NULL) {
        json_object_del(job->result, "readers");
        imd_job_end(job, NULL);
        return;
    }
    im_name_parse(text(reader, "user"), &job->name, NULL);
    im_conv_parse(text(reader, "conv"), &job->other, NULL);
    job->op.devices = (struct im_store_devices){.key = im_name_key(&job->name)};
    imd_job_run(job, IM_STORE_DEVICES, devices_found);
}

/* The user, and what the conversation is called on that side. */
static void add_reader(struct imd_job *job, struct im_str user, struct im_str conv)
{
    json_t *reader = json_object();
    im_json_set_text(reader, "user", user);
    im_json_set_text(reader, "conv", conv);
    json_array_append_new(json_object_get(job->result, "readers"), reader);
}

static void members_found(struct imd_job *job)
{
    struct im_store_members *m = &job->op.members;
    if (job->status == IM_OK) {
        for (size_t i = 0; i < m->count; i++)
            if (im_role_member(m->rows[i].role))
                add_reader(job, m->rows[i].name, im_name_text(&job->other));
        json_object_set_new(job->result, "more", json_boolean(m->more));
        free(m->rows);
    }
    next_reader(job);
}

static void found(struct imd_job *job)
{
    struct im_event *e = job->op.find.event;
    if (e == NULL) {
        imd_job_fail(job, IM_NOT_FOUND, "no such event: it was never committed, or has been erased");
        return;
    }
    const struct im_msg *m = &e->msg;
    job->result = json_pack("{s:o, s:[], s:[]}", "event", describe(e), "devices", "readers");
    if (m->kind == IM_CONV_GROUP) {
        im_conv_parse(m->to, &job->other, NULL);
        job->may_fail = true;
        job->op.members = (struct im_store_members){.group = im_name_key(&job->other), .limit = MEMBERS_MAX};
        imd_job_run(job, IM_STORE_MEMBERS, members_found);
    } else {
        if (m->kind == IM_CONV_DIRECT && !m->hidden && !im_str_eq(m->to_key, m->from_key))
            add_reader(job, m->to, m->from);
        add_reader(job, m->from, m->to);
        next_reader(job);
    }
    im_event_drop(&e);
}

static void why(struct im_rpc_call *call)
{
    struct im_str what = im_rpc_string(call, "what");
    bool by_cid = im_rpc_string(call, "user").p != NULL;
    uint64_t pos = 0;
    if (!by_cid && (!im_str_u64(what, &pos) || pos == 0)) {
        im_rpc_fail(call, IM_BAD_FIELD, "why needs a position in the log, or a cid and the user that sent it");
        return;
    }
    struct imd_job *job = imd_job_new(call);
    if (by_cid && !imd_job_user(job, "user"))
        return;
    imd_clock(job->imd);
    job->op.find = (struct im_store_find){.pos = pos, .from = im_name_key(&job->name), .cid = what};
    imd_job_run(job, IM_STORE_FIND, found);
}

const struct im_rpc_command imd_why_commands[] = {
    {
        .name = "why",
        .section = IM_RPC_SEE,
        .access = IM_RPC_PEOPLE,
        .args = {{"what", IM_RPC_STRING, true, NULL, "A position in the log (pos); or, with USER, a cid."},
                 {"user", IM_RPC_USER, false, NULL, "Who sent the cid."}},
        .help = "What has become of an event: when it was committed, and how far it is for each device of everybody it "
                "is for. waiting: the device is away; behind: here, and still reading what was before; queued: waits "
                "to leave; written: has left, and is not acknowledged; received; read. Of a group, up to 100 members "
                "as they are now. What was written is not shown.",
        .usage = "POS | CID USER",
        .example = "why 4711",
        .show = "report devices user device state session cursor seen",
        .run = why,
    },
    {.name = NULL},
};
