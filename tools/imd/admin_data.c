#include <stdlib.h>

#include "core/dialect_json.h"
#include "core/mem.h"
#include "tools/imd/admin.h"
#include "tools/imd/job.h"
#include "tools/safe_json.h"

/* What is stored of one user: taken out, erased, or no longer delivered. */

enum {
    EXPORT_PAGE = 500,
    EXPORT_BYTES = 1 << 20,
    ERASE_PAGE = 200,
    COUNT_MAX = 10000,
    COUNT_BYTES = 16 << 20,
    MEMBERS_MAX = 100000
};

static void drop_events(struct im_event **events, size_t count)
{
    for (size_t i = 0; i < count; i++)
        im_event_drop(&events[i]);
    free(events);
}

static bool is_by(const struct im_event *e, const struct im_name *user)
{
    return im_str_eq(e->msg.from_key, im_name_key(user));
}

/* history.export */

static json_t *as_json(struct im_event *e, bool own)
{
    struct im_bytes *bytes = im_json_encode(NULL, e, own);
    json_t *json = json_loadb((const char *)bytes->data, bytes->len, 0, NULL);
    im_bytes_drop(&bytes);
    return json;
}

static void export_read(struct imd_job *job)
{
    struct im_store_since *since = &job->op.since;
    bool own_only = im_rpc_string(job->call, "own").p != NULL;
    json_t *rows = json_array(), *result = json_object();
    for (size_t i = 0; i < since->count; i++) {
        bool own = is_by(since->events[i], &job->name);
        if (own || !own_only)
            json_array_append_new(rows, as_json(since->events[i], own));
    }
    bool any = since->count > 0;
    drop_events(since->events, since->count);
    json_object_set_new(result, "events", rows);
    if (any)
        im_json_set_number(result, "next", since->upto);
    if (!any && since->after == 0) {
        json_decref(result);
        imd_job_fail(job, IM_NOT_FOUND, "there is nothing of %s", job->name.bytes);
        return;
    }
    imd_job_end(job, result);
}

static void history_export(struct im_rpc_call *call)
{
    uint64_t after = 0;
    struct imd_job *job = imd_job_new(call);
    if (!imd_job_user(job, "user"))
        return;
    im_rpc_uint(call, "after", &after);
    job->op.since = (struct im_store_since){
        .key = im_name_key(&job->name), .after = after, .limit = EXPORT_PAGE, .bytes = EXPORT_BYTES};
    imd_job_run(job, IM_STORE_SINCE, export_read);
}

/* history.delete: each message is deleted for all, as its writer could do it; where the writer has left the group, in
 * the name of an owner. So that those who have it on their screens learn of it, too. */

struct erasing {
    struct im_event **events; /* the page being gone through */
    size_t count, at;
    uint64_t upto;
    uint64_t found, erased, kept;
};

static void erase_next(struct imd_job *job);

static struct erasing *erasing_of(struct imd_job *job)
{
    return job->own;
}

static void erase_end(struct imd_job *job)
{
    const struct erasing *e = erasing_of(job);
    json_t *result = json_object();
    im_json_set_text(result, "user", im_name_text(&job->name));
    im_json_set_number(result, "messages", e->found);
    im_json_set_number(result, "erased", e->erased);
    im_json_set_number(result, "kept", e->kept);
    imd_job_end(job, result);
}

static void erase_page_read(struct imd_job *job)
{
    struct erasing *e = erasing_of(job);
    const struct im_store_since *since = &job->op.since;
    drop_events(e->events, e->count);
    e->events = since->events;
    e->count = since->count;
    e->at = 0;
    e->upto = since->upto;
    if (e->count == 0)
        erase_end(job);
    else
        erase_next(job);
}

static void erase_page(struct imd_job *job)
{
    job->op.since = (struct im_store_since){
        .key = im_name_key(&job->name), .after = erasing_of(job)->upto, .limit = ERASE_PAGE, .bytes = EXPORT_BYTES};
    imd_job_run(job, IM_STORE_SINCE, erase_page_read);
}

static void erase_as(struct imd_job *job, const struct im_name *who, void (*next)(struct imd_job *))
{
    const struct erasing *e = erasing_of(job);
    const struct im_msg *m = &e->events[e->at]->msg;
    struct im_msg msg = {.kind = m->kind,
                         .from = im_name_text(who),
                         .from_key = im_name_key(who),
                         .to = m->to,
                         .to_key = m->to_key,
                         .ref = m->seq};
    imd_clock(job->imd);
    job->may_fail = true;
    imd_job_append(job, IM_EV_DELETE, &msg, next);
}

static void erased_by_owner(struct imd_job *job)
{
    struct erasing *e = erasing_of(job);
    e->erased += job->status == IM_OK;
    e->kept += job->status != IM_OK;
    e->at++;
    erase_next(job);
}

static void owners_listed(struct imd_job *job)
{
    struct im_store_members *m = &job->op.members;
    struct erasing *e = erasing_of(job);
    bool found = false;
    for (size_t i = 0; i < m->count && !found; i++)
        found = m->rows[i].role == IM_ROLE_OWNER && im_name_parse(m->rows[i].name, &job->other, NULL) == IM_OK;
    free(m->rows);
    if (found) {
        erase_as(job, &job->other, erased_by_owner);
        return;
    }
    e->kept++;
    e->at++;
    erase_next(job);
}

static void erased_by_writer(struct imd_job *job)
{
    struct erasing *e = erasing_of(job);
    const struct im_msg *m = &e->events[e->at]->msg;
    if (job->status != IM_OK && m->kind == IM_CONV_GROUP) {
        job->may_fail = true;
        job->op.members = (struct im_store_members){.group = m->to_key, .limit = MEMBERS_MAX};
        imd_job_run(job, IM_STORE_MEMBERS, owners_listed);
        return;
    }
    erased_by_owner(job);
}

static bool to_be_erased(const struct imd_job *job, const struct im_event *e)
{
    return e->type == IM_EV_MSG && e->msg.kind != IM_CONV_SELF && !e->msg.deleted && is_by(e, &job->name);
}

static void erase_next(struct imd_job *job)
{
    struct erasing *e = erasing_of(job);
    bool dry = imd_is_dry(job->call);
    if (atomic_load(&job->imd->stop_care)) {
        drop_events(e->events, e->count);
        imd_job_fail(job, IM_DRAIN, "the server stops; %llu messages are erased, and not all",
                     (unsigned long long)e->erased);
        return;
    }
    for (; e->at < e->count; e->at++) {
        if (!to_be_erased(job, e->events[e->at]))
            continue;
        e->found++;
        if (!dry) {
            erase_as(job, &job->name, erased_by_writer);
            return;
        }
    }
    erase_page(job);
}

static void history_delete(struct im_rpc_call *call)
{
    struct imd_job *job = imd_job_new(call);
    if (!imd_job_user(job, "user"))
        return;
    job->own = im_zalloc(sizeof(struct erasing));
    erase_page(job);
}

/* queue.purge */

static bool is_chosen(const struct imd_job *job, struct im_str device)
{
    struct im_str wanted = im_rpc_string(job->call, "device");
    return !wanted.p || im_str_eq(wanted, device);
}

static void purge_told(struct imd_job *job)
{
    json_t *result = job->result;
    json_t *devices = json_object_get(result, "names");
    const json_t *name;
    size_t i;
    uint64_t head = (uint64_t)json_integer_value(json_object_get(result, "head")), sessions = 0;
    imd_clock(job->imd);
    json_array_foreach(devices, i, name)
    {
        sessions += im_core_skip(job->imd->core, im_name_key(&job->name), im_str(json_string_value(name)), head);
    }
    json_object_del(result, "names");
    json_object_del(result, "head");
    im_json_set_number(result, "sessions", sessions);
    imd_job_end(job, NULL);
}

static void purge_now(struct imd_job *job)
{
    const json_t *names = json_object_get(job->result, "names"), *name;
    uint64_t head = (uint64_t)json_integer_value(json_object_get(job->result, "head"));
    struct im_store_cursor *rows = im_zalloc((json_array_size(names) + 1) * sizeof *rows);
    size_t i;
    json_array_foreach(names, i, name)
    {
        rows[i] = (struct im_store_cursor){
            .key = im_name_key(&job->name), .device = im_str(json_string_value(name)), .pos = head};
    }
    job->own = rows;
    job->op.cursors = (struct im_store_cursors){.rows = rows, .count = i, .ts_ms = 0};
    imd_job_run(job, IM_STORE_CURSORS, purge_told);
}

/* What waits there: of the device that is the furthest behind. */
static void purge_counted(struct imd_job *job)
{
    struct im_store_since *since = &job->op.since;
    im_json_set_number(job->result, "events", since->count);
    drop_events(since->events, since->count);
    if (!imd_is_dry(job->call)) {
        purge_now(job);
        return;
    }
    json_object_del(job->result, "names");
    json_object_del(job->result, "head");
    imd_job_end(job, NULL);
}

static void purge_measured(struct imd_job *job)
{
    uint64_t after = (uint64_t)json_integer_value(json_object_get(job->result, "after"));
    im_json_set_number(job->result, "head", job->op.stats.head);
    json_object_del(job->result, "after");
    job->op.since = (struct im_store_since){
        .key = im_name_key(&job->name), .after = after, .limit = COUNT_MAX, .bytes = COUNT_BYTES};
    imd_job_run(job, IM_STORE_SINCE, purge_counted);
}

static void purge_found(struct imd_job *job)
{
    struct im_store_devices *d = &job->op.devices;
    json_t *names = json_array();
    uint64_t after = UINT64_MAX;
    for (size_t i = 0; i < d->count; i++) {
        if (!is_chosen(job, d->rows[i].name) || im_device_is_hook(d->rows[i].name))
            continue;
        json_array_append_new(names, json_stringn(d->rows[i].name.p, d->rows[i].name.len));
        if (d->rows[i].cursor < after)
            after = d->rows[i].cursor;
    }
    free(d->rows);
    if (json_array_size(names) == 0) {
        json_decref(names);
        imd_job_fail(job, IM_NOT_FOUND, "%s has no %s; see: imctl user show %s", job->name.bytes,
                     im_rpc_string(job->call, "device").p ? "such device" : "device: nobody has come as that yet",
                     job->name.bytes);
        return;
    }
    job->result = json_object();
    im_json_set_text(job->result, "user", im_name_text(&job->name));
    im_json_set_number(job->result, "devices", json_array_size(names));
    json_object_set_new(job->result, "names", names);
    im_json_set_number(job->result, "after", after);
    job->op.stats = (struct im_store_stats){0};
    imd_job_run(job, IM_STORE_STATS, purge_measured);
}

static void queue_purge(struct im_rpc_call *call)
{
    struct imd_job *job = imd_job_new(call);
    if (!imd_job_user(job, "user"))
        return;
    job->op.devices = (struct im_store_devices){.key = im_name_key(&job->name)};
    imd_job_run(job, IM_STORE_DEVICES, purge_found);
}

#define USER_ARG                                                                                                       \
    {                                                                                                                  \
        "user", IM_RPC_USER, true, NULL, "The user's id."                                                              \
    }

const struct im_rpc_command imd_data_commands[] = {
    {
        .name = "history.export",
        .section = IM_RPC_DATA,
        .access = IM_RPC_WRITE, /* other people's words: not for whoever may only look */
        .args = {USER_ARG,
                 {"own", IM_RPC_STRING, false, "yes", "Only what the user has written."},
                 {"after", IM_RPC_UINT, false, NULL, "Only what came after this position; imctl uses it for pages."}},
        .help = "All that a user may see, oldest first, a line of JSON for each event as the protocol has it. What was "
                "deleted is not in it.",
        .usage = "USER [own=yes]",
        .example = "history export 小明 > xiaoming.ndjson",
        .show = "ndjson events",
        .patient = true,
        .run = history_export,
    },
    {
        .name = "history.delete",
        .section = IM_RPC_DATA,
        .access = IM_RPC_WRITE,
        .args = {USER_ARG, IMD_DRY_ARG},
        .help =
            "Erase every message that a user has written, for all, as if the user had deleted them. What others have "
            "written stays, and so does the account: see user delete. Messages in groups that are gone are kept, and "
            "counted.",
        .usage = "USER",
        .example = "history delete 小明 -n",
        .show = "fields",
        .asks = "Erase these messages for good?",
        .patient = true,
        .run = history_delete,
    },
    {
        .name = "queue.purge",
        .access = IM_RPC_WRITE,
        .args = {USER_ARG,
                 {"device", IM_RPC_STRING, false, NULL, "Only this device's; an empty name is the shared default."},
                 IMD_DRY_ARG},
        .help = "Let what waits for a user's devices wait no more: they go on with what comes from now on. It stays in "
                "the history.",
        .usage = "USER [DEVICE]",
        .example = "queue purge 小明 phone",
        .show = "fields",
        .asks = "Deliver none of these?",
        .patient = true,
        .run = queue_purge,
    },
    {.name = NULL},
};
