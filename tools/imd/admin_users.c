#include <stdlib.h>

#include "core/mem.h"
#include "core/profile.h"
#include "tools/imd/admin.h"
#include "tools/imd/hooks.h"
#include "tools/imd/job.h"
#include "tools/safe_json.h"

/* Accounts. A user is whoever has written or been written to; an account is what a password or a token opens. */

#define PAGE_DEFAULT 200
#define PAGE_MAX     2000

static bool check_password(struct imd_job *job, struct im_str password)
{
    size_t points = 0;
    for (size_t i = 0; i < password.len; i++)
        points += ((unsigned char)password.p[i] & 0xc0) != 0x80;
    if (points >= job->imd->config->password_min && password.len <= 1024)
        return true;
    imd_job_fail(job, IM_WEAK_PASSWORD, "the password must have %llu characters or more",
                 (unsigned long long)job->imd->config->password_min);
    return false;
}

static void tell_user(struct imd_job *job)
{
    json_t *result = json_object();
    im_json_set_text(result, "user", im_name_text(&job->name));
    imd_job_end(job, result);
}

static void tell_ended(struct imd_job *job)
{
    json_t *result = json_object();
    im_json_set_text(result, "user", im_name_text(&job->name));
    im_json_set_number(result, "closed", job->closed);
    im_json_set_number(result, "tokens", job->tokens);
    imd_job_end(job, result);
}

static void write_account(struct imd_job *job, void (*next)(struct imd_job *))
{
    im_out_clear(&job->value);
    im_account_write(&job->account, &job->value);
    imd_job_put(job, IM_RECORD_ACCOUNT, im_name_key(&job->name), 0, next);
}

/* The account as it is; false: there is none, and the job has failed. */
static bool read_account(struct imd_job *job)
{
    struct im_record *row = job->op.records.rows;
    bool found = job->op.records.count > 0 && im_account_read(row->value, &job->account) && !job->account.deleted;
    im_out_clear(&job->before);
    if (job->op.records.count > 0)
        im_out_put(&job->before, row->value.p, row->value.len);
    free(row);
    if (!found)
        imd_job_fail(job, IM_NO_SUCH_USER, "%s has no account", im_name_text(&job->name).p);
    return found;
}

/* user.add, user.passwd */

static void password_hashed(struct imd_job *job)
{
    memcpy(job->account.password, job->hash.encoded, sizeof job->account.password);
    write_account(job, tell_user);
}

static void add_found(struct imd_job *job)
{
    struct im_record *row = job->op.records.rows;
    struct im_account old = {0};
    bool taken = job->op.records.count > 0;
    bool deleted = taken && im_account_read(row->value, &old) && old.deleted;
    free(row);
    if (taken) {
        imd_job_fail(job, IM_USER_EXISTS, deleted ? "%s was deleted; an id is not given twice" : "%s has an account",
                     im_name_text(&job->name).p);
        return;
    }
    job->account.created_ms = imd_job_now_ms();
    if (job->account.bot)
        write_account(job, tell_user);
    else
        imd_job_hash(job, im_rpc_string(job->call, "password"), password_hashed);
}

static void user_add(struct im_rpc_call *call)
{
    struct imd_job *job = imd_job_new(call);
    if (!imd_job_user(job, "name"))
        return;
    if (!check_password(job, im_rpc_string(call, "password")))
        return;
    imd_job_find(job, IM_RECORD_ACCOUNT, im_name_key(&job->name), add_found);
}

static void user_add_bot(struct im_rpc_call *call)
{
    struct imd_job *job = imd_job_new(call);
    if (!imd_job_user(job, "name"))
        return;
    job->account.bot = true;
    imd_job_find(job, IM_RECORD_ACCOUNT, im_name_key(&job->name), add_found);
}

/* A new password is a new start: whoever came in with the old one comes in again. */
static void tokens_dropped(struct imd_job *job)
{
    job->tokens = job->op.drop.count;
    job->closed = im_core_revoke(job->imd->core, im_name_key(&job->name), (struct im_str){0});
    tell_ended(job);
}

static void drop_tokens(struct imd_job *job)
{
    job->op.drop = (struct im_store_record_drop){.kind = IM_RECORD_TOKEN, .owner = im_name_key(&job->name)};
    imd_job_run(job, IM_STORE_RECORD_DROP, tokens_dropped);
}

static void new_password_hashed(struct imd_job *job)
{
    memcpy(job->account.password, job->hash.encoded, sizeof job->account.password);
    write_account(job, drop_tokens);
}

static void passwd_found(struct imd_job *job)
{
    if (read_account(job))
        imd_job_hash(job, im_rpc_string(job->call, "password"), new_password_hashed);
}

static void user_passwd(struct im_rpc_call *call)
{
    struct imd_job *job = imd_job_new(call);
    if (!imd_job_user(job, "name"))
        return;
    if (!check_password(job, im_rpc_string(call, "password")))
        return;
    imd_job_find(job, IM_RECORD_ACCOUNT, im_name_key(&job->name), passwd_found);
}

/* user.disable, user.enable */

static void disable_found(struct imd_job *job)
{
    if (!read_account(job))
        return;
    job->account.disabled = true;
    write_account(job, drop_tokens);
}

static void enable_found(struct imd_job *job)
{
    if (!read_account(job))
        return;
    job->account.disabled = false;
    write_account(job, tell_user);
}

static void change_account(struct im_rpc_call *call, void (*found)(struct imd_job *))
{
    struct imd_job *job = imd_job_new(call);
    if (imd_job_user(job, "name"))
        imd_job_find(job, IM_RECORD_ACCOUNT, im_name_key(&job->name), found);
}

static void user_disable(struct im_rpc_call *call)
{
    change_account(call, disable_found);
}

static void user_enable(struct im_rpc_call *call)
{
    change_account(call, enable_found);
}

/* user.delete: the account becomes a gravestone, so that nobody else becomes who has written what is there; then the
 * records go, and the user leaves every group, passing on what only an owner can do. */

static void leave_next(struct imd_job *job);

static void left(struct imd_job *job)
{
    leave_next(job);
}

static struct im_msg about_group(struct imd_job *job, enum im_change change)
{
    return (struct im_msg){.kind = IM_CONV_GROUP,
                           .from = im_name_text(&job->name),
                           .from_key = im_name_key(&job->name),
                           .to = im_name_text(&job->other),
                           .to_key = im_name_key(&job->other),
                           .change = change};
}

static void leave_now(struct imd_job *job)
{
    struct im_msg msg = about_group(job, IM_CHANGE_LEAVE);
    imd_job_append(job, IM_EV_MEMBER, &msg, left);
}

/* Whoever has the most say of the others is the owner from now on. */
static void heirs_listed(struct imd_job *job)
{
    struct im_store_members *m = &job->op.members;
    struct im_name heir = {0}, name;
    enum im_role best = IM_ROLE_NONE;
    for (size_t i = 0; i < m->count; i++) {
        if (im_role_member(m->rows[i].role) && m->rows[i].role > best &&
            im_name_parse(m->rows[i].name, &name, NULL) == IM_OK &&
            !im_str_eq(im_name_key(&name), im_name_key(&job->name))) {
            best = m->rows[i].role;
            heir = name;
        }
    }
    free(m->rows);
    if (best == IM_ROLE_NONE || best == IM_ROLE_OWNER) {
        leave_now(job);
        return;
    }
    struct im_msg msg = about_group(job, IM_CHANGE_ROLE);
    msg.user = im_name_text(&heir);
    msg.user_key = im_name_key(&heir);
    msg.role = IM_ROLE_OWNER;
    imd_job_append(job, IM_EV_MEMBER, &msg, leave_now);
}

static void owner_leaves(struct imd_job *job)
{
    if (job->status != IM_LAST_OWNER) {
        leave_next(job);
        return;
    }
    job->op.members = (struct im_store_members){.group = im_name_key(&job->other), .limit = PAGE_MAX};
    imd_job_run(job, IM_STORE_MEMBERS, heirs_listed);
}

static void groups_listed(struct imd_job *job)
{
    struct im_store_conversations *c = &job->op.conversations;
    job->result = json_array();
    for (size_t i = 0; i < c->count; i++) {
        if (im_conv_is_group(c->rows[i].name))
            json_array_append_new(job->result, json_stringn(c->rows[i].name.p, c->rows[i].name.len));
        im_event_drop(&c->rows[i].last);
    }
    free(c->rows);
    leave_next(job);
}

static void leave_next(struct imd_job *job)
{
    const char *name = json_string_value(json_array_get(job->result, job->step++));
    if (name == NULL) {
        tell_ended(job);
        return;
    }
    if (im_conv_parse(im_str(name), &job->other, NULL) != IM_OK) {
        leave_next(job);
        return;
    }
    struct im_msg msg = about_group(job, IM_CHANGE_LEAVE);
    job->may_fail = true;
    imd_job_append(job, IM_EV_MEMBER, &msg, owner_leaves);
}

static void hook_ended(void *arg, enum im_reason reason)
{
    (void)arg, (void)reason;
}

static void end_hooks(struct imd_job *job)
{
    struct imd_hooks *hooks = job->imd->hooks;
    for (struct imd_hook *hook = imd_hooks_first(hooks), *next; hook; hook = next) {
        next = hook->next;
        if (im_str_eq(im_name_key(&hook->rule.owner), im_name_key(&job->name)))
            imd_hooks_drop(hooks, hook->name, hook_ended, NULL);
    }
}

static void show_account(struct imd_job *job);

static void records_dropped(struct imd_job *job)
{
    static const enum im_record_kind owned[] = {IM_RECORD_TOKEN};
    static const enum im_record_kind keyed[] = {IM_RECORD_PROFILE, IM_RECORD_SEEN};
    if (job->step == 1) /* the tokens are what went first */
        job->tokens = job->op.drop.count;
    const unsigned owned_count = sizeof owned / sizeof *owned, keyed_count = sizeof keyed / sizeof *keyed;
    if (job->step < owned_count) {
        job->op.drop = (struct im_store_record_drop){.kind = owned[job->step], .owner = im_name_key(&job->name)};
    } else if (job->step < owned_count + keyed_count) {
        job->op.drop =
            (struct im_store_record_drop){.kind = keyed[job->step - owned_count], .key = im_name_key(&job->name)};
    } else {
        end_hooks(job);
        job->closed = im_core_revoke(job->imd->core, im_name_key(&job->name), (struct im_str){0});
        job->step = 0;
        job->op.conversations =
            (struct im_store_conversations){.key = im_name_key(&job->name), .limit = UINT32_MAX, .bytes = 1};
        imd_job_run(job, IM_STORE_CONVERSATIONS, groups_listed);
        return;
    }
    job->step++;
    imd_job_run(job, IM_STORE_RECORD_DROP, records_dropped);
}

static void delete_found(struct imd_job *job)
{
    if (!read_account(job))
        return;
    if (imd_is_dry(job->call)) { /* that is what would go */
        imd_job_find(job, IM_RECORD_ACCOUNT, im_name_key(&job->name), show_account);
        return;
    }
    job->account = (struct im_account){.deleted = true, .created_ms = job->account.created_ms};
    write_account(job, records_dropped);
}

static void user_delete(struct im_rpc_call *call)
{
    change_account(call, delete_found);
}

/* user.list: the users that there are and the accounts, both in the order of their keys, merged. */

static json_t *list_row(struct im_str name, struct im_str value)
{
    struct im_account account = {0};
    json_t *row = json_object();
    bool has = value.p && im_account_read(value, &account);
    im_json_set_text(row, "user", name);
    json_object_set_new(row, "account",
                        json_string(!has               ? "none"
                                    : account.deleted  ? "deleted"
                                    : account.disabled ? "disabled"
                                    : account.bot      ? "bot"
                                                       : "active"));
    imd_job_time(row, "created", account.created_ms);
    return row;
}

static int compare(struct im_str a, struct im_str b)
{
    int order = memcmp(a.p, b.p, a.len < b.len ? a.len : b.len);
    return order ? order : (a.len > b.len) - (a.len < b.len);
}

struct merge {
    const struct im_user_row *users;
    const struct im_record *accounts;
    size_t user_count, account_count, limit;
    bool user_more, account_more;
};

/* True: cut short, and *last is where to go on. */
static bool merge(const struct merge *m, json_t *rows, struct im_str *last)
{
    size_t u = 0, a = 0;
    while (u < m->user_count || a < m->account_count) {
        int order = u == m->user_count ? 1 : a == m->account_count ? -1 : compare(m->users[u].key, m->accounts[a].key);
        struct im_str name = order <= 0 ? m->users[u].name : m->accounts[a].key;
        *last = order <= 0 ? m->users[u].key : m->accounts[a].key;
        json_array_append_new(rows, list_row(name, order >= 0 ? m->accounts[a].value : (struct im_str){0}));
        u += order <= 0;
        a += order >= 0;
        if (json_array_size(rows) >= m->limit || (u == m->user_count && m->user_more) ||
            (a == m->account_count && m->account_more))
            return u < m->user_count || a < m->account_count || m->user_more || m->account_more;
    }
    return false;
}

static uint64_t page_size(const struct im_rpc_call *call)
{
    uint64_t limit = PAGE_DEFAULT;
    im_rpc_uint(call, "limit", &limit);
    return limit == 0 ? 1 : limit > PAGE_MAX ? PAGE_MAX : limit;
}

static void accounts_listed(struct imd_job *job)
{
    struct im_store_records *records = &job->op.records;
    const struct im_store_users *u = &job->users;
    struct merge m = {u->rows, records->rows, u->count, records->count, page_size(job->call), u->more, records->more};
    struct im_str last = {0};
    json_t *result = json_object(), *rows = json_array();
    bool more = merge(&m, rows, &last);
    json_object_set_new(result, "users", rows);
    if (more)
        im_json_set_text(result, "next", last);
    free(records->rows);
    imd_job_end(job, result);
}

static void users_listed(struct imd_job *job)
{
    job->users = job->op.users;
    job->op.records = (struct im_store_records){
        .kind = IM_RECORD_ACCOUNT, .after = im_rpc_string(job->call, "after"), .limit = (uint32_t)page_size(job->call)};
    imd_job_run(job, IM_STORE_RECORDS, accounts_listed);
}

static void user_list(struct im_rpc_call *call)
{
    struct imd_job *job = imd_job_new(call);
    job->op.users = (struct im_store_users){.after = im_rpc_string(call, "after"), .limit = (uint32_t)page_size(call)};
    imd_job_run(job, IM_STORE_USERS, users_listed);
}

/* user.show: of somebody who has an account, or has been here, or was written to. job->step counts what is known. */

static void show_groups(struct imd_job *job)
{
    struct im_store_conversations *c = &job->op.conversations;
    json_t *groups = json_array();
    for (size_t i = 0; i < c->count; i++) {
        if (im_conv_is_group(c->rows[i].name)) {
            struct im_out text = {0};
            im_out_put(&text, c->rows[i].name.p, c->rows[i].name.len);
            im_out_printf(&text, " (%s)", im_role_info(c->rows[i].role)->name);
            json_array_append_new(groups, json_stringn(im_out_data(&text), text.len));
            im_out_clear(&text);
        }
        im_event_drop(&c->rows[i].last);
    }
    free(c->rows);
    job->step += c->count > 0;
    json_object_set_new(job->result, "groups", groups);
    if (job->step == 0)
        imd_job_fail(job, IM_NOT_FOUND, "nobody has that id, or ever had; see: imctl user list");
    else
        imd_job_end(job, NULL);
}

static void show_devices(struct imd_job *job)
{
    struct im_store_devices *d = &job->op.devices;
    json_t *devices = json_array();
    for (size_t i = 0; i < d->count; i++)
        json_array_append_new(devices, json_stringn(d->rows[i].name.p, d->rows[i].name.len));
    free(d->rows);
    job->step += d->count > 0;
    json_object_set_new(job->result, "devices", devices);
    job->op.conversations =
        (struct im_store_conversations){.key = im_name_key(&job->name), .limit = PAGE_MAX, .bytes = 1};
    imd_job_run(job, IM_STORE_CONVERSATIONS, show_groups);
}

static void show_seen(struct imd_job *job)
{
    uint64_t ms = 0;
    if (job->op.records.count > 0)
        im_str_u64(job->op.records.rows[0].value, &ms);
    free(job->op.records.rows);
    imd_job_time(job->result, "seen", (int64_t)ms);
    job->op.devices = (struct im_store_devices){.key = im_name_key(&job->name)};
    imd_job_run(job, IM_STORE_DEVICES, show_devices);
}

static void show_profile(struct imd_job *job)
{
    struct im_profile_value profile;
    im_profile_read(job->op.records.count > 0 ? job->op.records.rows[0].value : (struct im_str){0}, &profile);
    im_json_set_text(job->result, "name", profile.name);
    im_profile_clear(&profile);
    free(job->op.records.rows);
    imd_job_find(job, IM_RECORD_SEEN, im_name_key(&job->name), show_seen);
}

static void show_account(struct imd_job *job)
{
    struct im_record *row = job->op.records.rows;
    job->step = job->op.records.count > 0;
    job->result = list_row(im_name_text(&job->name), job->op.records.count > 0 ? row->value : (struct im_str){0});
    json_object_set_new(job->result, "online",
                        json_boolean(im_core_online_user(job->imd->core, im_name_key(&job->name))));
    free(row);
    imd_job_find(job, IM_RECORD_PROFILE, im_name_key(&job->name), show_profile);
}

static void user_show(struct im_rpc_call *call)
{
    change_account(call, show_account);
}

#define NAME_ARG                                                                                                       \
    {                                                                                                                  \
        "name", IM_RPC_USER, true, NULL, "The user's id."                                                              \
    }
#define NEW_NAME_ARG                                                                                                   \
    {                                                                                                                  \
        "name", IM_RPC_STRING, true, NULL, "The new id."                                                               \
    }

const struct im_rpc_command imd_user_commands[] = {
    {
        .name = "user.add",
        .section = IM_RPC_ACCOUNTS,
        .access = IM_RPC_WRITE,
        .args = {NEW_NAME_ARG,
                 {"password", IM_RPC_SECRET, true, NULL, "Asked for, or the first line of standard input."}},
        .help = "Make an account: from now on the id needs its password.",
        .usage = "NAME",
        .example = "user add 小明",
        .show = "fields",
        .run = user_add,
    },
    {
        .name = "user.add.bot",
        .section = IM_RPC_ACCOUNTS,
        .access = IM_RPC_WRITE,
        .args = {NEW_NAME_ARG},
        .help = "Make an account for a program: it has no password and logs in with a token (token create), and others "
                "see that it is a bot.",
        .example = "user add bot weather",
        .show = "fields",
        .run = user_add_bot,
    },
    {
        .name = "user.passwd",
        .section = IM_RPC_ACCOUNTS,
        .access = IM_RPC_WRITE,
        .args = {NAME_ARG, {"password", IM_RPC_SECRET, true, NULL, "Asked for, or the first line of standard input."}},
        .help = "Give an account another password. Its sessions and tokens end.",
        .usage = "NAME",
        .example = "user passwd 小明",
        .show = "fields",
        .run = user_passwd,
    },
    {
        .name = "user.list",
        .section = IM_RPC_ACCOUNTS,
        .args = {{"after", IM_RPC_USER, false, NULL, "Go on after this one: `next` of the answer before."},
                 {"limit", IM_RPC_UINT, false, NULL, "At most so many, 200 unless told otherwise."}},
        .help = "Users and accounts, by id.",
        .usage = "[after=ID] [limit=N]",
        .example = "user list",
        .show = "table users user account created",
        .run = user_list,
    },
    {
        .name = "user.show",
        .section = IM_RPC_ACCOUNTS,
        .access = IM_RPC_PEOPLE,
        .args = {NAME_ARG},
        .help = "All about one user: account, when last here, devices, groups.",
        .example = "user show 小明",
        .show = "fields",
        .run = user_show,
    },
    {
        .name = "user.disable",
        .section = IM_RPC_ACCOUNTS,
        .access = IM_RPC_WRITE,
        .args = {NAME_ARG},
        .help = "Let nobody log in to an account. Its sessions and tokens end, and it is told how many.",
        .example = "user disable 小明",
        .show = "fields",
        .run = user_disable,
    },
    {
        .name = "user.enable",
        .section = IM_RPC_ACCOUNTS,
        .access = IM_RPC_WRITE,
        .args = {NAME_ARG},
        .help = "Open a disabled account again.",
        .example = "user enable 小明",
        .show = "fields",
        .run = user_enable,
    },
    {
        .name = "user.delete",
        .section = IM_RPC_ACCOUNTS,
        .access = IM_RPC_WRITE,
        .args = {NAME_ARG, IMD_DRY_ARG},
        .help = "Delete an account for good: sessions, tokens, webhooks, profile; the user leaves every group. What "
                "was written stays, and nobody gets the id again.",
        .example = "user delete 小明",
        .show = "fields",
        .asks = "Delete this account for good?",
        .run = user_delete,
    },
    {.name = NULL},
};
