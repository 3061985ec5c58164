#include <stdlib.h>

#include "core/inspect.h"
#include "core/mem.h"
#include "tools/imd/admin.h"
#include "tools/imd/job.h"
#include "tools/safe_json.h"

/* Groups, and what users have reported. */

#define LIST_MAX 2000

static json_t *group_row(const struct imd_job *job, const struct im_group_row *g)
{
    struct im_name name;
    bool known = im_conv_parse(g->name, &name, NULL) == IM_OK;
    json_t *row = json_object();
    im_json_set_text(row, "group", g->name);
    im_json_set_text(row, "topic", g->topic);
    json_object_set_new(row, "public", json_boolean(g->settings & IM_GROUP_PUBLIC));
    json_object_set_new(row, "history", json_string(g->settings & IM_GROUP_PAST ? "all" : "joined"));
    im_json_set_number(row, "members", g->members);
    im_json_set_number(row, "online", known ? im_core_group_online(job->imd->core, im_name_key(&name)) : 0);
    imd_job_time(row, "created", g->created_ms);
    return row;
}

/* group.list, group.show */

static void groups_listed(struct imd_job *job)
{
    struct im_store_groups *g = &job->op.groups;
    json_t *result = json_object(), *rows = json_array();
    for (size_t i = 0; i < g->count; i++)
        json_array_append_new(rows, group_row(job, &g->rows[i]));
    json_object_set_new(result, "groups", rows);
    if (g->more)
        im_json_set_text(result, "next", g->rows[g->count - 1].name);
    free(g->rows);
    imd_job_end(job, result);
}

static void group_list(struct im_rpc_call *call)
{
    struct imd_job *job = imd_job_new(call);
    if (im_rpc_string(call, "after").p && !imd_job_group(job, "after"))
        return;
    uint64_t limit = 200;
    im_rpc_uint(call, "limit", &limit);
    job->op.groups =
        (struct im_store_groups){.after = job->name.key_len > 0 ? im_name_key(&job->name) : (struct im_str){0},
                                 .limit = (uint32_t)(limit > 0 && limit < LIST_MAX ? limit : LIST_MAX)};
    imd_job_run(job, IM_STORE_GROUPS, groups_listed);
}

static void group_found(struct imd_job *job)
{
    json_t *result = group_row(job, job->op.groups.rows);
    free(job->op.groups.rows);
    imd_job_end(job, result);
}

static void group_show(struct im_rpc_call *call)
{
    struct imd_job *job = imd_job_new(call);
    if (!imd_job_group(job, "group"))
        return;
    job->op.groups = (struct im_store_groups){.group = im_name_key(&job->name), .limit = 1};
    imd_job_run(job, IM_STORE_GROUPS, group_found);
}

/* group.members */

static void members_listed(struct imd_job *job)
{
    struct im_store_members *m = &job->op.members;
    json_t *result = json_object(), *rows = json_array();
    for (size_t i = 0; i < m->count; i++) {
        struct im_name name;
        json_t *row = json_object();
        im_json_set_text(row, "user", m->rows[i].name);
        json_object_set_new(row, "role", json_string(im_role_info(m->rows[i].role)->name));
        json_object_set_new(row, "online",
                            json_boolean(im_name_parse(m->rows[i].name, &name, NULL) == IM_OK &&
                                         im_core_online_user(job->imd->core, im_name_key(&name))));
        json_array_append_new(rows, row);
    }
    json_object_set_new(result, "members", rows);
    json_object_set_new(result, "more", json_boolean(m->more));
    free(m->rows);
    imd_job_end(job, result);
}

static void ask_members(struct imd_job *job, void (*next)(struct imd_job *))
{
    job->op.members = (struct im_store_members){.group = im_name_key(&job->name), .limit = LIST_MAX};
    imd_job_run(job, IM_STORE_MEMBERS, next);
}

static void group_members(struct im_rpc_call *call)
{
    struct imd_job *job = imd_job_new(call);
    if (imd_job_group(job, "group"))
        ask_members(job, members_listed);
}

/* group.delete: in the name of an owner, so that the log says what its rules allow. */

static void group_deleted(struct imd_job *job)
{
    json_t *result = json_object();
    im_json_set_text(result, "group", im_name_text(&job->name));
    imd_job_end(job, result);
}

static void owner_found(struct imd_job *job)
{
    struct im_store_members *m = &job->op.members;
    bool found = false;
    for (size_t i = 0; i < m->count && !found; i++)
        found = m->rows[i].role == IM_ROLE_OWNER && im_name_parse(m->rows[i].name, &job->other, NULL) == IM_OK;
    free(m->rows);
    if (!found) {
        imd_job_fail(job, IM_SYSTEM, "%s has no owner among its first %d members", im_name_text(&job->name).p,
                     LIST_MAX);
        return;
    }
    if (imd_is_dry(job->call)) {
        group_deleted(job);
        return;
    }
    struct im_msg msg = {.kind = IM_CONV_GROUP,
                         .from = im_name_text(&job->other),
                         .from_key = im_name_key(&job->other),
                         .to = im_name_text(&job->name),
                         .to_key = im_name_key(&job->name),
                         .change = IM_CHANGE_DESTROY};
    imd_job_append(job, IM_EV_MEMBER, &msg, group_deleted);
}

static void group_delete(struct im_rpc_call *call)
{
    struct imd_job *job = imd_job_new(call);
    if (imd_job_group(job, "group"))
        ask_members(job, owner_found);
}

/* Reports. */

static json_t *report_row(const struct im_record *record)
{
    json_t *row = json_loadb(record->value.p, record->value.len, 0, NULL);
    if (!json_is_object(row)) {
        json_decref(row);
        row = json_object();
    }
    im_json_set_text(row, "ticket", record->key);
    imd_job_time(row, "time", json_integer_value(json_object_get(row, "ts")));
    json_object_del(row, "ts");
    return row;
}

static int64_t report_time(const struct im_record *record)
{
    json_t *row = json_loadb(record->value.p, record->value.len, 0, NULL);
    int64_t ms = json_integer_value(json_object_get(row, "ts"));
    json_decref(row);
    return ms;
}

static int by_time(const void *a, const void *b)
{
    int64_t x = report_time(a), y = report_time(b);
    return (x > y) - (x < y);
}

static void reports_listed(struct imd_job *job)
{
    struct im_store_records *records = &job->op.records;
    json_t *result = json_object(), *rows = json_array();
    if (records->count > 1)
        qsort(records->rows, records->count, sizeof *records->rows, by_time);
    for (size_t i = 0; i < records->count; i++)
        json_array_append_new(rows, report_row(&records->rows[i]));
    json_object_set_new(result, "reports", rows);
    json_object_set_new(result, "more", json_boolean(records->more));
    free(records->rows);
    imd_job_end(job, result);
}

static void report_list(struct im_rpc_call *call)
{
    struct imd_job *job = imd_job_new(call);
    job->op.records = (struct im_store_records){.kind = IM_RECORD_REPORT, .limit = LIST_MAX};
    imd_job_run(job, IM_STORE_RECORDS, reports_listed);
}

static void report_found(struct imd_job *job)
{
    struct im_store_records *records = &job->op.records;
    json_t *row = records->count > 0 ? report_row(records->rows) : NULL;
    free(records->rows);
    if (row)
        imd_job_end(job, row);
    else
        imd_job_fail(job, IM_NOT_FOUND, "no report of that ticket; see: imctl report list");
}

static void report_show(struct im_rpc_call *call)
{
    struct imd_job *job = imd_job_new(call);
    imd_job_find(job, IM_RECORD_REPORT, im_rpc_string(call, "ticket"), report_found);
}

static void report_closed(struct imd_job *job)
{
    if (job->op.drop.count == 0) {
        imd_job_fail(job, IM_NOT_FOUND, "no report of that ticket; see: imctl report list");
        return;
    }
    json_t *result = json_object();
    im_json_set_text(result, "ticket", im_rpc_string(job->call, "ticket"));
    imd_job_end(job, result);
}

static void report_close(struct im_rpc_call *call)
{
    struct imd_job *job = imd_job_new(call);
    job->op.drop = (struct im_store_record_drop){.kind = IM_RECORD_REPORT, .key = im_rpc_string(call, "ticket")};
    imd_job_run(job, IM_STORE_RECORD_DROP, report_closed);
}

#define GROUP_ARG                                                                                                      \
    {                                                                                                                  \
        "group", IM_RPC_GROUP, true, NULL, "The group, with its #."                                                    \
    }
#define TICKET_ARG                                                                                                     \
    {                                                                                                                  \
        "ticket", IM_RPC_REPORT, true, NULL, "The report's ticket."                                                    \
    }

const struct im_rpc_command imd_group_commands[] = {
    {
        .name = "group.list",
        .section = IM_RPC_GROUPS,
        .args = {{"after", IM_RPC_GROUP, false, NULL, "Go on after this one: `next` of the answer before."},
                 {"limit", IM_RPC_UINT, false, NULL, "At most so many, 200 unless told otherwise."}},
        .help = "The groups there are, by name.",
        .usage = "[after=GROUP] [limit=N]",
        .example = "group list",
        .show = "table groups group members online public history topic created",
        .run = group_list,
    },
    {
        .name = "groups",
        .section = IM_RPC_SEE,
        .args = {{"after", IM_RPC_GROUP, false, NULL, "Go on after this one: `next` of the answer before."},
                 {"limit", IM_RPC_UINT, false, NULL, "At most so many, 200 unless told otherwise."}},
        .help = "The groups there are, and how many members each has and how many of these are here.",
        .usage = "[after=GROUP] [limit=N]",
        .example = "groups",
        .show = "table groups group members online topic",
        .run = group_list,
    },
    {
        .name = "group.show",
        .section = IM_RPC_GROUPS,
        .args = {GROUP_ARG},
        .help = "One group: topic, settings, how many members.",
        .example = "group show '#tea'",
        .show = "fields",
        .run = group_show,
    },
    {
        .name = "group.members",
        .section = IM_RPC_GROUPS,
        .access = IM_RPC_PEOPLE,
        .args = {GROUP_ARG},
        .help = "Who is in a group, was invited or banned.",
        .example = "group members '#tea'",
        .show = "table members user role online",
        .run = group_members,
    },
    {
        .name = "group.delete",
        .section = IM_RPC_GROUPS,
        .access = IM_RPC_WRITE,
        .args = {GROUP_ARG, IMD_DRY_ARG},
        .help = "Delete a group. Its members learn it as if an owner had done it, and keep their history.",
        .example = "group delete '#tea'",
        .show = "fields",
        .asks = "Delete this group?",
        .run = group_delete,
    },
    {
        .name = "report.list",
        .section = IM_RPC_GROUPS,
        .access = IM_RPC_PEOPLE,
        .help = "What users have reported and nobody has closed.",
        .example = "report list",
        .show = "table reports ticket time by user conv seq text",
        .run = report_list,
    },
    {
        .name = "report.show",
        .section = IM_RPC_GROUPS,
        .access = IM_RPC_PEOPLE,
        .args = {TICKET_ARG},
        .help = "One report.",
        .example = "report show 5d1f0a9be2c4",
        .show = "fields",
        .run = report_show,
    },
    {
        .name = "report.close",
        .section = IM_RPC_GROUPS,
        .access = IM_RPC_WRITE,
        .args = {TICKET_ARG},
        .help = "Take a report off the list.",
        .example = "report close 5d1f0a9be2c4",
        .show = "fields",
        .run = report_close,
    },
    {.name = NULL},
};
