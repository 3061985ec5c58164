#include "tools/imd/hooks.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/mem.h"
#include "tools/imd/hook_record.h"
#include "transports/dial.h"
#include "transports/loop.h"

struct imd_hooks {
    struct imd *imd;
    struct imd_service service; /* connections that go out are not clients' */
    struct im_dialer *dialer;
    struct imd_hook *first, **last;
    struct trial *trials;
    size_t pending; /* store operations */
    bool stopped;
};

static void on_turn(struct im_transport_env *env)
{
    imd_clock(((struct imd_hooks *)(void *)((char *)env - offsetof(struct imd_hooks, service.env)))->imd);
}

/* The list. */

struct imd_hook *imd_hooks_first(struct imd_hooks *hooks)
{
    return hooks->first;
}

struct imd_hook *imd_hooks_find(struct imd_hooks *hooks, struct im_str name)
{
    struct imd_hook *hook = hooks->first;
    while (hook && !im_str_eq(im_str(hook->name), name))
        hook = hook->next;
    return hook;
}

size_t imd_hooks_count(const struct imd_hooks *hooks)
{
    size_t n = 0;
    for (const struct imd_hook *hook = hooks->first; hook; hook = hook->next)
        n++;
    return n;
}

struct im_dialer *imd_hooks_dialer(struct imd_hooks *hooks)
{
    return hooks->dialer;
}

void imd_hooks_pending(struct imd_hooks *hooks, int change)
{
    hooks->pending += (size_t)change;
}

static void on_gone(void *arg, struct im_hook *);

static void start(struct imd_hook *hook)
{
    if (hook->rule.enabled && !hook->hooks->stopped)
        hook->running = im_hook_start(&(struct im_hook_options){.dialer = hook->hooks->dialer,
                                                                .counters = &hook->hooks->imd->counters,
                                                                .name = hook->name,
                                                                .rule = &hook->rule,
                                                                .gone = on_gone,
                                                                .arg = hook});
}

static struct imd_hook *add(struct imd_hooks *hooks, struct im_str name)
{
    struct imd_hook *hook = im_zalloc(sizeof *hook);
    assert(name.len < sizeof hook->name);
    memcpy(hook->name, name.p, name.len);
    hook->hooks = hooks;
    *hooks->last = hook;
    hooks->last = &hook->next;
    return hook;
}

/* The rule in force from now on; takes over what is in it. */
static void set(struct imd_hooks *hooks, struct im_str name, struct im_hook_rule *rule)
{
    struct imd_hook *hook = imd_hooks_find(hooks, name);
    if (!hook)
        hook = add(hooks, name);
    im_hook_stop(&hook->running);
    im_hook_rule_clear(&hook->rule);
    hook->rule = *rule;
    *rule = (struct im_hook_rule){0};
    start(hook);
}

static void unlist(struct imd_hooks *hooks, struct imd_hook *hook)
{
    struct imd_hook **link = &hooks->first;
    while (*link != hook)
        link = &(*link)->next;
    *link = hook->next;
    if (hooks->last == &hook->next)
        hooks->last = link;
    im_hook_stop(&hook->running);
    im_hook_rule_clear(&hook->rule);
    free(hook);
}

/* Changes. */

struct change {
    struct imd_hooks *hooks;
    imd_hooks_done *done;
    void *arg;
    char name[IM_HOOK_NAME_MAX + 1];
    struct im_hook_rule rule;
    struct im_out value, device;
    union {
        struct im_store_op op;
        struct im_store_record_put put;
        struct im_store_record_drop drop;
        struct im_store_device_drop device_drop;
    } store;
};

static void submit(struct change *c)
{
    imd_hooks_pending(c->hooks, 1);
    im_store_submit(c->hooks->imd->store, &c->store.op);
}

static struct change *new_change(struct imd_hooks *hooks, const char *name, imd_hooks_done *done, void *arg)
{
    struct change *c = im_zalloc(sizeof *c);
    c->hooks = hooks;
    c->done = done;
    c->arg = arg;
    snprintf(c->name, sizeof c->name, "%s", name);
    return c;
}

static void end(struct change *c, enum im_reason reason)
{
    if (reason != IM_OK)
        IM_LOG(c->hooks->imd->log, IM_LOG_WARN, "hook", "not changed", IM_KS("hook", c->name),
               IM_KS("reason", im_reason_name(reason)));
    if (c->done)
        c->done(c->arg, reason);
    im_hook_rule_clear(&c->rule);
    im_out_clear(&c->value);
    im_out_clear(&c->device);
    free(c);
}

static void put_done(struct im_store_op *op)
{
    struct change *c = op->owner;
    enum im_reason reason = op->status;
    imd_hooks_pending(c->hooks, -1);
    if (reason == IM_OK)
        set(c->hooks, im_str(c->name), &c->rule);
    end(c, reason);
}

static void put(struct change *c, bool fresh)
{
    im_hook_record_write(&c->rule, &c->value);
    c->store.put = (struct im_store_record_put){
        .op = {.kind = IM_STORE_RECORD_PUT, .done = put_done, .owner = c},
        .record = {.kind = IM_RECORD_HOOK,
                   .key = im_str(c->name),
                   .owner = im_name_key(&c->rule.owner),
                   .value = {im_out_data(&c->value), c->value.len}},
        .check = fresh,
    };
    submit(c);
}

static void put_fresh(void *arg, const struct im_store_stats *stats)
{
    struct change *c = arg;
    c->rule.since = stats->head;
    put(c, true);
}

void imd_hooks_put(struct imd_hooks *hooks, const char *name, struct im_hook_rule *rule, bool fresh,
                   imd_hooks_done *done, void *arg)
{
    struct change *c = new_change(hooks, name, done, arg);
    c->rule = *rule;
    *rule = (struct im_hook_rule){0};
    if (fresh)
        imd_stats_ask(hooks->imd, put_fresh, c);
    else
        put(c, false);
}

static void device_dropped(struct im_store_op *op)
{
    struct change *c = op->owner;
    imd_hooks_pending(c->hooks, -1);
    end(c, op->status == IM_NO_SUCH_DEVICE ? IM_OK : op->status);
}

static void record_dropped(struct im_store_op *op)
{
    struct change *c = op->owner;
    struct imd_hook *hook = imd_hooks_find(c->hooks, im_str(c->name));
    imd_hooks_pending(c->hooks, -1);
    if (op->status != IM_OK || !hook) {
        end(c, op->status);
        return;
    }
    c->rule.owner = hook->rule.owner;
    unlist(c->hooks, hook); /* its session ends, and its cursor is written, before the device goes */
    im_out_printf(&c->device, "%s%s", IM_HOOK_DEVICE, c->name);
    c->store.device_drop = (struct im_store_device_drop){
        .op = {.kind = IM_STORE_DEVICE_DROP, .done = device_dropped, .owner = c},
        .key = im_name_key(&c->rule.owner),
        .device = {im_out_data(&c->device), c->device.len},
    };
    submit(c);
}

void imd_hooks_drop(struct imd_hooks *hooks, const char *name, imd_hooks_done *done, void *arg)
{
    struct change *c = new_change(hooks, name, done, arg);
    c->store.drop =
        (struct im_store_record_drop){.op = {.kind = IM_STORE_RECORD_DROP, .done = record_dropped, .owner = c},
                                      .kind = IM_RECORD_HOOK,
                                      .key = im_str(c->name)};
    submit(c);
}

/* The receiver wants no more. */
static void on_gone(void *arg, struct im_hook *running)
{
    struct imd_hook *hook = arg;
    struct im_hook_rule off = {0};
    (void)running;
    IM_LOG(hook->hooks->imd->log, IM_LOG_WARN, "hook", "disabled: its receiver is gone", IM_KS("hook", hook->name));
    im_hook_stop(&hook->running);
    im_hook_rule_copy(&off, &hook->rule);
    off.enabled = hook->rule.enabled = false;
    off.gone = hook->rule.gone = true;
    imd_hooks_put(hook->hooks, hook->name, &off, false, NULL, NULL);
}

/* Tests. */

struct trial {
    struct trial *next, **link;
    struct im_http_client *client;
    imd_hooks_tried *done;
    void *arg;
};

static void end_trial(void *arg, const struct im_http_outcome *outcome)
{
    struct trial *t = arg;
    *t->link = t->next;
    if (t->next)
        t->next->link = t->link;
    t->done(t->arg, outcome);
    im_http_client_free(&t->client);
    free(t);
}

static void enlist(struct imd_hooks *hooks, struct trial *t)
{
    t->next = hooks->trials;
    t->link = &hooks->trials;
    if (t->next)
        t->next->link = &t->next;
    hooks->trials = t;
}

void imd_hooks_test(struct imd_hook *hook, imd_hooks_tried *done, void *arg)
{
    struct im_hook_stamp stamp = {
        .name = hook->name, .event = "test", .secret = hook->rule.secret, .wall_ms = im_log_wall_ms()};
    struct im_out body = {0}, fields = {0};
    struct trial *t = im_zalloc(sizeof *t);
    *t = (struct trial){.done = done, .arg = arg};
    enlist(hook->hooks, t);
    im_out_printf(&body, "{\"op\":\"test\",\"hook\":\"%s\",\"ts\":%lld}", hook->name, (long long)stamp.wall_ms);
    struct im_bytes *bytes = im_out_take(&body);
    im_hook_fields(&stamp, (struct im_str){(const char *)bytes->data, bytes->len}, &fields);
    t->client = im_http_client_new(&(struct im_http_client_options){
        .dialer = hook->hooks->dialer, .url = im_str(hook->rule.url), .done = end_trial, .arg = t});
    im_http_client_post(t->client, (struct im_str){im_out_data(&fields), fields.len}, bytes,
                        hook->hooks->imd->config->hook_timeout_ms);
    im_bytes_drop(&bytes);
    im_out_clear(&fields);
}

/* Reading. */

struct reading {
    struct im_store_records op;
    struct imd_hooks *hooks;
    char after[IM_HOOK_NAME_MAX + 1];
};

static void read_on(struct reading *);

static void take_record(struct imd_hooks *hooks, const struct im_record *record)
{
    struct im_hook_rule rule;
    if (im_hook_check_name(record->key, NULL) == IM_OK && im_hook_record_read(record->value, &rule))
        set(hooks, record->key, &rule);
    else
        IM_LOG(hooks->imd->log, IM_LOG_ERROR, "hook", "record not understood", IM_KV("hook", record->key));
}

static void read_done(struct im_store_op *op)
{
    struct reading *r = op->owner;
    struct imd_hooks *hooks = r->hooks;
    bool more = op->status == IM_OK && r->op.more && r->op.count > 0;
    imd_hooks_pending(hooks, -1);
    if (op->status != IM_OK)
        IM_LOG(hooks->imd->log, IM_LOG_ERROR, "hook", "hooks not read", IM_KS("reason", im_reason_name(op->status)));
    for (size_t i = 0; op->status == IM_OK && i < r->op.count && !hooks->stopped; i++)
        if (!imd_hooks_find(hooks, r->op.rows[i].key)) /* or it was changed meanwhile */
            take_record(hooks, &r->op.rows[i]);
    if (more) {
        struct im_str last = r->op.rows[r->op.count - 1].key;
        snprintf(r->after, sizeof r->after, "%.*s", (int)last.len, last.p);
    }
    free(r->op.rows);
    if (more && !hooks->stopped)
        read_on(r);
    else
        free(r);
}

static void read_on(struct reading *r)
{
    r->op = (struct im_store_records){.op = {.kind = IM_STORE_RECORDS, .done = read_done, .owner = r},
                                      .kind = IM_RECORD_HOOK,
                                      .after = im_str(r->after),
                                      .limit = 100};
    imd_hooks_pending(r->hooks, 1);
    im_store_submit(r->hooks->imd->store, &r->op.op);
}

/* Life. */

void imd_hooks_configure(struct imd_hooks *hooks, const struct im_config *config)
{
    imd_service_configure(&hooks->service, config, 0);
    if (hooks->dialer)
        im_dialer_renew(hooks->dialer);
}

struct imd_hooks *imd_hooks_open(struct imd *imd)
{
    struct imd_hooks *hooks = im_zalloc(sizeof *hooks);
    hooks->imd = imd;
    hooks->last = &hooks->first;
    imd_hooks_configure(hooks, imd->config);
    hooks->service.env = (struct im_transport_env){
        .base = imd->base,
        .core = imd->core,
        .config = hooks->service.config,
        .counters = &hooks->service.counters,
        .log = imd->log,
        .turn = on_turn,
    };
    hooks->dialer = im_dialer_new(&hooks->service.env);
    struct reading *r = im_zalloc(sizeof *r);
    r->hooks = hooks;
    read_on(r);
    return hooks;
}

void imd_hooks_stop(struct imd_hooks *hooks)
{
    if (!hooks)
        return;
    hooks->stopped = true;
    for (struct imd_hook *hook = hooks->first; hook; hook = hook->next)
        im_hook_stop(&hook->running);
    while (hooks->trials)
        end_trial(hooks->trials,
                  &(struct im_http_outcome){.reason = IM_DRAIN, .problem = im_reason_info(IM_DRAIN)->text[IM_EN]});
}

bool imd_hooks_busy(const struct imd_hooks *hooks)
{
    return hooks && (hooks->pending > 0 || im_dialer_count(hooks->dialer) > 0);
}

void imd_hooks_free(struct imd_hooks **hooks)
{
    struct imd_hooks *old = *hooks;
    *hooks = NULL;
    if (!old)
        return;
    while (old->first)
        unlist(old, old->first);
    im_dialer_free(&old->dialer);
    im_loop_free(&old->service.env.loop);
    im_config_free(&old->service.config);
    free(old);
}
