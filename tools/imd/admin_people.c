#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/mem.h"
#include "core/name.h"
#include "tools/imd/admin.h"
#include "tools/imd/job.h"
#include "tools/safe_json.h"

/* users: who there is, and how each is here: sessions and devices, how far behind, when last seen. */

#define PAGE_DEFAULT 200
#define PAGE_MAX     2000

/* While it is put together, job->result has "people", rows by the user's key; then "users", a list of them. */

static json_t *row_for(json_t *people, struct im_str name, struct im_str key)
{
    json_t *row = json_object_getn(people, key.p, key.len);
    if (row)
        return row;
    row = json_object();
    im_json_set_text(row, "user", name);
    im_json_set_number(row, "sessions", 0);
    im_json_set_number(row, "devices", 0);
    json_object_set_new(row, "behind", json_null());
    json_object_set_new(row, "idle_ms", json_null());
    json_object_set_new(row, "seen", json_null());
    json_object_setn_new(people, key.p, key.len, row);
    return row;
}

/* Only those who are here: the sessions tell. */
static bool collect(void *arg, const struct im_session_view *v)
{
    struct im_name name;
    if (v->user.p && im_name_parse(v->user, &name, NULL) == IM_OK)
        row_for(arg, v->user, im_name_key(&name));
    return true;
}

static int by_key(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Of those, the ones after `after`, in order, and no more than limit; *more: there are. A new reference. */
static json_t *choose(json_t *all, const char *after, size_t limit, bool *more)
{
    const char **keys = im_zalloc((json_object_size(all) + 1) * sizeof *keys), *key;
    json_t *chosen = json_object(), *row;
    size_t n = 0;
    json_object_foreach(all, key, row)
    {
        if (!after || strcmp(key, after) > 0)
            keys[n++] = key;
    }
    if (n > 1)
        qsort(keys, n, sizeof *keys, by_key);
    *more = n > limit;
    for (size_t i = 0; i < n && i < limit; i++)
        json_object_set(chosen, keys[i], json_object_get(all, keys[i]));
    free(keys);
    return chosen;
}

static void set_if(json_t *row, const char *key, uint64_t value, bool lower)
{
    const json_t *old = json_object_get(row, key);
    uint64_t before = (uint64_t)json_integer_value(old);
    if (!json_is_integer(old) || (lower ? value < before : value > before))
        im_json_set_number(row, key, value);
}

static bool count(void *arg, const struct im_session_view *v)
{
    struct im_name name;
    if (!v->user.p || im_name_parse(v->user, &name, NULL) != IM_OK)
        return true;
    json_t *row = json_object_getn(arg, im_name_key(&name).p, im_name_key(&name).len);
    if (!row)
        return true;
    im_json_set_number(row, "sessions", (uint64_t)json_integer_value(json_object_get(row, "sessions")) + 1);
    set_if(row, "idle_ms", v->idle_ms, true);
    set_if(row, "behind", v->behind, false);
    return true;
}

static void next_person(struct imd_job *job);

static void devices_found(struct imd_job *job)
{
    const struct im_store_devices *d = &job->op.devices;
    json_t *people = json_object_get(job->result, "people"), *row = json_object_get(people, job->text);
    int64_t seen_ms = 0;
    for (size_t i = 0; i < d->count; i++)
        seen_ms = d->rows[i].seen_ms > seen_ms ? d->rows[i].seen_ms : seen_ms;
    im_json_set_number(row, "devices", d->count);
    imd_job_time(row, "seen", seen_ms);
    free(d->rows);
    json_array_append(json_object_get(job->result, "users"), row);
    json_object_del(people, job->text);
    next_person(job);
}

static void next_person(struct imd_job *job)
{
    json_t *people = json_object_get(job->result, "people");
    const char *key = json_object_iter_key(json_object_iter(people));
    if (!key) {
        json_object_del(job->result, "people");
        imd_job_end(job, NULL);
        return;
    }
    imd_job_text(job, im_str(key));
    job->op.devices = (struct im_store_devices){.key = im_str(job->text)};
    imd_job_run(job, IM_STORE_DEVICES, devices_found);
}

/* next: the last key, if there are more. */
static void look_at_each(struct imd_job *job, json_t *people, struct im_str next)
{
    job->result = json_pack("{s:[], s:o}", "users", "people", people);
    if (next.p)
        im_json_set_text(job->result, "next", next);
    imd_clock(job->imd);
    im_core_sessions(job->imd->core, count, people);
    next_person(job);
}

static void users_listed(struct imd_job *job)
{
    struct im_store_users *u = &job->op.users;
    json_t *people = json_object();
    char last[IM_KEY_BYTES_MAX + 2] = "";
    for (size_t i = 0; i < u->count; i++)
        row_for(people, u->rows[i].name, u->rows[i].key);
    bool more = u->more && u->count > 0;
    if (more)
        snprintf(last, sizeof last, "%.*s", (int)u->rows[u->count - 1].key.len, u->rows[u->count - 1].key.p);
    free(u->rows);
    look_at_each(job, people, more ? im_str(last) : (struct im_str){0});
}

static void online_users(struct imd_job *job, size_t limit)
{
    json_t *here = json_object(), *chosen;
    const char *key, *last = NULL;
    json_t *row;
    bool more;
    im_core_sessions(job->imd->core, collect, here);
    chosen = choose(here, im_rpc_string(job->call, "after").p, limit, &more);
    json_object_foreach(chosen, key, row)
    {
        last = key;
    }
    json_decref(here);
    look_at_each(job, chosen, more ? im_str(last) : (struct im_str){0});
}

static void users(struct im_rpc_call *call)
{
    uint64_t limit = PAGE_DEFAULT;
    im_rpc_uint(call, "limit", &limit);
    if (limit == 0 || limit > PAGE_MAX) {
        im_rpc_fail(call, IM_BAD_FIELD, "limit must be from 1 to %d", PAGE_MAX);
        return;
    }
    struct imd_job *job = imd_job_new(call);
    if (im_rpc_string(call, "online").p) {
        online_users(job, limit);
        return;
    }
    job->op.users = (struct im_store_users){.after = im_rpc_string(call, "after"), .limit = (uint32_t)limit};
    imd_job_run(job, IM_STORE_USERS, users_listed);
}

const struct im_rpc_command imd_people_commands[] = {
    {
        .name = "users",
        .section = IM_RPC_SEE,
        .args = {{"after", IM_RPC_USER, false, NULL, "Go on after this one: `next` of the answer before."},
                 {"limit", IM_RPC_UINT, false, NULL, "At most so many, 200 unless told otherwise."},
                 {"online", IM_RPC_STRING, false, "yes", "Only those who are here now."}},
        .help = "Who there is, by id: sessions and devices, how far the slowest session is behind, when last seen.",
        .usage = "[--online] [after=ID] [limit=N]",
        .example = "users --online",
        .show = "table users user sessions devices behind idle_ms seen",
        .run = users,
    },
    {.name = NULL},
};
