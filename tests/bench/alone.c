#include "tests/bench/alone.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/mem.h"
#include "tests/bench/clock.h"

/* What takes the place of a store. */

static void elsewhere_submit(struct im_store *store, struct im_store_op *op)
{
    struct elsewhere *e = (struct elsewhere *)store;
    if (op->kind != IM_STORE_APPEND || ((struct im_store_append *)op)->event->type != IM_EV_MSG) {
        im_store_submit(e->behind, op);
        return;
    }
    if (!e->first)
        e->wake(e->wake_arg);
    op->next = NULL;
    *e->last = op;
    e->last = &op->next;
}

static size_t elsewhere_drain(struct im_store *store)
{
    struct elsewhere *e = (struct elsewhere *)store;
    struct im_store_op *op = e->first, *next;
    size_t count = e->behind->ops->drain(e->behind);
    e->first = NULL;
    e->last = &e->first;
    for (; op; op = next, count++) {
        struct im_msg *m = &((struct im_store_append *)op)->event->msg;
        next = op->next;
        m->pos = m->seq = ++e->pos;
        op->status = IM_OK;
        op->done(op);
    }
    return count;
}

static const struct im_store_ops elsewhere_ops = {"elsewhere", elsewhere_submit, elsewhere_drain, NULL};

/* The beginning and the end. */

/* Is it `yes`, or at least `no`? */
static bool choose(const char *text, const char *no, const char *yes, bool *choice)
{
    *choice = strcmp(text, yes) == 0;
    return *choice || strcmp(text, no) == 0;
}

bool alone_parse(struct alone_arguments *a, int argc, char **argv)
{
    uint64_t users = 0;
    bool good = argc == 5 && choose(argv[1], "pairs", "group", &a->group) &&
                choose(argv[2], "memory", "elsewhere", &a->elsewhere) && im_str_u64(im_str(argv[3]), &users) &&
                im_str_u64(im_str(argv[4]), &a->messages) && users >= 2 && users <= 1000000 && a->messages > 0;
    a->users = (unsigned)users & ~1u;
    if (!good)
        fprintf(stderr, "usage: %s pairs|group memory|elsewhere USERS MESSAGES\n", argv[0]);
    return good;
}

void alone_open(struct alone *a, const struct alone_arguments *arguments, void (*wake)(void *arg), void *arg)
{
    struct im_store_options store = {.epoch_seed = {1}, .wake = wake, .wake_arg = arg};
    struct im_error error;
    a->config = im_config_new();
    a->config->rate = 0;
    a->config->group_members = arguments->users;
    if (im_store_memory_open(&store, &a->memory, &error) != IM_OK)
        abort();
    a->elsewhere = (struct elsewhere){.store.ops = &elsewhere_ops,
                                      .behind = a->memory,
                                      .last = &a->elsewhere.first,
                                      .pos = 1000000000, /* beyond what is behind */
                                      .wake = wake,
                                      .wake_arg = arg};
    a->store = arguments->elsewhere ? &a->elsewhere.store : a->memory;
    a->core = im_core_new(&(struct im_core_options){.config = a->config, .store = a->store, .counters = &a->counters});
    alone_drain(a);
    alone_tell_time(a);
}

void alone_drain(struct alone *a)
{
    while (a->store->ops->drain(a->store) > 0)
        ;
}

void alone_tell_time(struct alone *a)
{
    uint64_t now = clock_ns(CLOCK_MONOTONIC);
    im_core_time(a->core, 1700000000000 + (int64_t)(now / 1000000), now / 1000000, 0);
}

void alone_close(struct alone *a)
{
    alone_drain(a);
    im_core_free(&a->core);
    a->memory->ops->close(&a->memory);
    im_config_free(&a->config);
}

uint64_t alone_deliveries(const struct alone_arguments *a)
{
    return a->group ? a->users - 1 : 1;
}

/* Commands. */

struct alone_name alone_user(unsigned n)
{
    struct alone_name name;
    snprintf(name.text, sizeof name.text, "u%u", n);
    return name;
}

struct alone_name alone_target(bool group, unsigned n)
{
    return group ? (struct alone_name){"#all"} : alone_user(n ^ 1);
}

struct im_command alone_login(const struct alone_name *user)
{
    return (struct im_command){.op = IM_OP_LOGIN, .have = IM_BIT(user), .user = im_str(user->text)};
}

struct im_command alone_join(const struct alone_name *group, bool create)
{
    return (struct im_command){.op = IM_OP_GROUP,
                               .id = IM_STR("1"), /* or there is no answer */
                               .have = IM_BIT(act) | IM_BIT(conv) | IM_BIT(open),
                               .act = create ? IM_STR("create") : IM_STR("join"),
                               .conv = im_str(group->text),
                               .open = true};
}

struct im_command alone_say(const struct alone_name *to, uint64_t n, struct alone_text *t)
{
    int cid = snprintf(t->cid, sizeof t->cid, "c%llu", (unsigned long long)n);
    int id = snprintf(t->id, sizeof t->id, "%llu", (unsigned long long)n);
    memset(t->text, 'x', sizeof t->text);
    return (struct im_command){.op = IM_OP_SEND,
                               .have = IM_BIT(to) | IM_BIT(text) | IM_BIT(cid),
                               .id = {t->id, (size_t)id},
                               .to = im_str(to->text),
                               .text = {t->text, sizeof t->text},
                               .cid = {t->cid, (size_t)cid}};
}
