#include "transports/hook.h"

#include <assert.h>
#include <inttypes.h>
#include <sodium/crypto_auth_hmacsha256.h>
#include <sodium/randombytes.h>
#include <sodium/utils.h>
#include <stdlib.h>
#include <time.h>

#include "core/mem.h"
#include "transports/dial.h"
#include "transports/http_client.h"
#include "transports/loop.h"
#include "transports/transports.h"

/* An event that waits. */
struct entry {
    struct entry *next;
    uint64_t pos;
    enum im_event_type type;
    struct im_bytes *json; /* NULL: passed over, and only to be acknowledged in its turn */
};

/* The core's down-calls only take notes; what follows from them is done on the next turn.
 *
 *      closed ──► opening ──► up ──► closing ──► closed, and again after a while
 *                    └──────────────────▲                                           */
enum state { CLOSED, OPENING, UP, CLOSING };

struct im_hook {
    struct im_link link;
    struct im_dialer *dialer;
    struct im_counters *counters;
    const struct im_hook_rule *rule;
    char *name;
    void (*gone)(void *arg, struct im_hook *);
    void *arg;
    enum state state;
    enum im_reason reason; /* why it closes */
    bool held;
    bool stopped; /* for good: freed as soon as nothing calls back any more */
    struct im_later later;
    struct im_timer again; /* the next attempt: at posting, or at opening */
    struct entry *first, **last;
    uint64_t waiting, bytes;
    uint64_t done_pos, acked_pos; /* done with up to here; and the core knows */
    struct im_http_client *client;
    bool posting;
    uint64_t delivered, failed, skipped, failures;
    int last_status;
    int64_t last_ms;
    char problem[160];
};

#define OWNER(entry, member) ((struct im_hook *)(void *)((char *)(entry)-offsetof(struct im_hook, member)))

/* Rules. */

void im_hook_rule_clear(struct im_hook_rule *rule)
{
    free(rule->url);
    free(rule->secret);
    free(rule->conversations);
    *rule = (struct im_hook_rule){0};
}

void im_hook_rule_copy(struct im_hook_rule *rule, const struct im_hook_rule *from)
{
    size_t bytes = from->conversation_count * sizeof *from->conversations;
    *rule = *from;
    rule->url = im_strndup(from->url, strlen(from->url));
    rule->secret = im_strndup(from->secret, strlen(from->secret));
    rule->conversations = bytes ? im_alloc(bytes) : NULL;
    if (bytes)
        memcpy(rule->conversations, from->conversations, bytes);
}

const char *im_hook_event_name(enum im_event_type type)
{
    static const char *const names[] = {
        [IM_EV_MSG] = "msg",     [IM_EV_EDIT] = "edit",     [IM_EV_DELETE] = "delete",
        [IM_EV_REACT] = "react", [IM_EV_MEMBER] = "member",
    };
    assert(type <= IM_EV_LAST_DURABLE);
    return names[type];
}

/* The conversation as its reader knows it. */
static struct im_str conversation_key(const struct im_msg *m, bool own)
{
    return m->kind == IM_CONV_DIRECT && !own ? m->from_key : m->to_key;
}

bool im_hook_wants(const struct im_hook_rule *rule, const struct im_event *e, bool own)
{
    if (e->msg.pos <= rule->since || !(rule->events >> e->type & 1) || (own && (rule->away || !rule->own)))
        return false;
    for (size_t i = 0; i < rule->conversation_count; i++)
        if (im_str_eq(im_name_key(&rule->conversations[i]), conversation_key(&e->msg, own)))
            return true;
    return rule->conversation_count == 0;
}

void im_hook_fields(const struct im_hook_stamp *stamp, struct im_str body, struct im_out *out)
{
    crypto_auth_hmacsha256_state hmac;
    unsigned char digest[crypto_auth_hmacsha256_BYTES];
    char hex[2 * sizeof digest + 1], signed_time[32];
    int n = snprintf(signed_time, sizeof signed_time, "%" PRId64 ".", stamp->wall_ms / 1000);
    crypto_auth_hmacsha256_init(&hmac, (const unsigned char *)stamp->secret, strlen(stamp->secret));
    crypto_auth_hmacsha256_update(&hmac, (const unsigned char *)signed_time, (unsigned long long)n);
    crypto_auth_hmacsha256_update(&hmac, (const unsigned char *)body.p, body.len);
    crypto_auth_hmacsha256_final(&hmac, digest);
    sodium_bin2hex(hex, sizeof hex, digest, sizeof digest);
    im_out_printf(out, "Content-Type: application/json\r\nX-IM-Hook: %s\r\nX-IM-Event: %s\r\n", stamp->name,
                  stamp->event);
    im_out_printf(out, "X-IM-Delivery: %" PRIu64 "\r\nX-IM-Timestamp: %.*s\r\n", stamp->delivery, n - 1, signed_time);
    im_out_printf(out, "X-IM-Signature: sha256=%s\r\n", hex);
}

/* The loop. */

static struct im_transport_env *env(const struct im_hook *hook)
{
    return im_dialer_env(hook->dialer);
}

static void run(struct im_later *);

static void later(struct im_hook *hook)
{
    im_later_add(im_loop_of(env(hook)), &hook->later, run);
}

static void tell_time(struct im_hook *hook)
{
    if (env(hook)->turn)
        env(hook)->turn(env(hook));
}

static int64_t wall_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Waiting. */

static void try_again(struct im_timer *timer)
{
    later(OWNER(timer, again));
}

/* Twice as long with each failure, and not all hooks of a receiver at once. */
static uint64_t back_off_ms(const struct im_hook *hook)
{
    const struct im_config *config = env(hook)->config;
    uint64_t ms = config->hook_retry_ms, most = config->hook_retry_most_ms;
    for (uint64_t i = 1; i < hook->failures && ms < most; i++)
        ms *= 2;
    if (ms > most)
        ms = most;
    return ms - randombytes_uniform((uint32_t)(ms / 4 + 1));
}

static void wait_again(struct im_hook *hook, uint64_t least_ms)
{
    uint64_t ms = back_off_ms(hook), most = env(hook)->config->hook_retry_most_ms;
    if (least_ms > most)
        least_ms = most;
    im_timer_start(im_loop_of(env(hook)), &hook->again, ms > least_ms ? ms : least_ms, try_again);
}

static void note_failure(struct im_hook *hook, int status, const char *problem)
{
    hook->failures++;
    hook->last_status = status;
    snprintf(hook->problem, sizeof hook->problem, "%s", problem);
    IM_LOG(env(hook)->log, IM_LOG_WARN, "hook", "failed", IM_KS("hook", hook->name), IM_KN("status", status),
           IM_KS("problem", problem), IM_KN("failures", (int64_t)hook->failures));
}

/* The queue. */

static void push(struct im_hook *hook, const struct im_msg *m, enum im_event_type type, struct im_bytes *json)
{
    struct entry *e = im_alloc(sizeof *e);
    *e = (struct entry){.pos = m->pos, .type = type, .json = json};
    *hook->last = e;
    hook->last = &e->next;
    hook->waiting += json != NULL;
    hook->bytes += json ? json->len : 0;
}

static void pop(struct im_hook *hook)
{
    struct entry *e = hook->first;
    hook->first = e->next;
    if (!hook->first)
        hook->last = &hook->first;
    hook->waiting -= e->json != NULL;
    hook->bytes -= e->json ? e->json->len : 0;
    hook->done_pos = e->pos;
    im_bytes_drop(&e->json);
    free(e);
}

static void clear_queue(struct im_hook *hook)
{
    uint64_t done = hook->done_pos;
    while (hook->first)
        pop(hook);
    hook->done_pos = done;
}

static bool is_unneeded(const struct im_hook *hook)
{
    return hook->rule->away && im_core_online_user(env(hook)->core, im_name_key(&hook->rule->owner));
}

static void take_event(struct im_hook *hook, struct im_event *e, bool own)
{
    bool wanted = im_hook_wants(hook->rule, e, own) && !is_unneeded(hook);
    push(hook, &e->msg, e->type, wanted ? hook->link.dialect->encode(&hook->link, e, own) : NULL);
    later(hook);
}

/* Down-calls. */

static void hook_send(struct im_link *link, struct im_event *event, bool own)
{
    struct im_hook *hook = OWNER(link, link);
    assert(event->type != IM_EV_ERR || event->reply.op != IM_OP_HELLO); /* without its device it would be another's */
    if (hook->state == UP && im_event_durable(event)) {
        take_event(hook, event, own);
    } else if (event->type == IM_EV_OK && event->reply.op == IM_OP_LOGIN && hook->state == OPENING) {
        hook->state = UP;
        hook->failures = 0;
        hook->problem[0] = '\0';
        hook->done_pos = hook->acked_pos = event->reply.login.pos;
        later(hook);
    }
    im_event_drop(&event);
}

static size_t hook_queued(const struct im_link *link)
{
    return (size_t)OWNER(link, link)->bytes;
}

static void hook_hold(struct im_link *link, bool on)
{
    struct im_hook *hook = OWNER(link, link);
    hook->held = on;
    if (!on)
        later(hook);
}

static void hook_close(struct im_link *link, enum im_reason reason)
{
    struct im_hook *hook = OWNER(link, link);
    if (hook->state == CLOSING)
        return;
    hook->state = CLOSING;
    hook->reason = reason;
    later(hook);
}

static const struct im_link_ops link_ops = {
    .send = hook_send,
    .queued = hook_queued,
    .hold = hook_hold,
    .close = hook_close,
};

/* Posting. */

static void post(struct im_hook *hook)
{
    const struct entry *e = hook->first;
    struct im_str body = {(const char *)e->json->data, e->json->len};
    struct im_hook_stamp stamp = {.name = hook->name,
                                  .event = im_hook_event_name(e->type),
                                  .secret = hook->rule->secret,
                                  .delivery = e->pos,
                                  .wall_ms = wall_ms()};
    struct im_out fields = {0};
    im_hook_fields(&stamp, body, &fields);
    hook->posting = true;
    im_http_client_post(hook->client, (struct im_str){im_out_data(&fields), fields.len}, e->json,
                        env(hook)->config->hook_timeout_ms);
    im_out_clear(&fields);
}

static void skip(struct im_hook *hook)
{
    hook->skipped++;
    hook->counters->n[IM_C_HOOK_SKIPPED]++;
    pop(hook);
}

/* Passes over what need not be posted, and posts what comes then. */
static void go_on(struct im_hook *hook)
{
    uint64_t before = hook->bytes;
    if (hook->state != UP)
        return;
    while (hook->first && !hook->posting && (!hook->first->json || is_unneeded(hook)))
        skip(hook);
    if (hook->bytes < before)
        im_core_writable(env(hook)->core, &hook->link);
    if (hook->state == UP && hook->first && !hook->posting && !hook->again.link)
        post(hook);
    if (hook->state != UP || hook->held || hook->acked_pos >= hook->done_pos)
        return;
    hook->acked_pos = hook->done_pos;
    im_core_command(env(hook)->core, &hook->link,
                    &(struct im_command){.op = IM_OP_ACK, .have = IM_BIT(pos), .pos = hook->acked_pos});
}

static void accepted(struct im_hook *hook)
{
    hook->delivered++;
    hook->failures = 0;
    hook->problem[0] = '\0';
    hook->counters->n[IM_C_HOOK_DELIVERED]++;
    pop(hook);
    im_core_writable(env(hook)->core, &hook->link);
    go_on(hook);
}

static void on_posted(void *arg, const struct im_http_outcome *outcome)
{
    struct im_hook *hook = arg;
    char problem[40];
    hook->posting = false;
    hook->last_status = outcome->status;
    if (outcome->reason == IM_OK)
        hook->last_ms = wall_ms();
    tell_time(hook);
    if (outcome->status >= 200 && outcome->status < 300) {
        accepted(hook);
        return;
    }
    hook->failed++;
    hook->counters->n[IM_C_HOOK_FAILED]++;
    snprintf(problem, sizeof problem, "answered %d", outcome->status);
    note_failure(hook, outcome->status, outcome->status ? problem : outcome->problem);
    if (outcome->status == 410)
        hook->gone(hook->arg, hook);
    else
        wait_again(hook, outcome->retry_after_ms);
}

/* The session. */

static void open_session(struct im_hook *hook)
{
    struct im_core *core = env(hook)->core;
    struct im_out device = {0};
    im_timer_stop(im_loop_of(env(hook)), &hook->again);
    hook->reason = im_core_opened(
        core, &hook->link,
        &(struct im_link_info){.transport = "hook", .address = im_http_url_origin(im_str(hook->rule->url))});
    if (hook->reason != IM_OK) {
        note_failure(hook, 0, im_reason_info(hook->reason)->text[IM_EN]);
        wait_again(hook, 0);
        return;
    }
    hook->state = OPENING;
    hook->held = false;
    im_out_printf(&device, "%s%s", IM_HOOK_DEVICE, hook->name);
    im_core_command(core, &hook->link,
                    &(struct im_command){.op = IM_OP_HELLO,
                                         .have = IM_BIT(v) | IM_BIT(device),
                                         .v = 1,
                                         .device = {im_out_data(&device), device.len},
                                         .trusted = true});
    im_out_clear(&device);
    if (hook->state == OPENING)
        im_core_command(core, &hook->link,
                        &(struct im_command){.op = IM_OP_LOGIN,
                                             .have = IM_BIT(user),
                                             .user = im_name_text(&hook->rule->owner),
                                             .trusted = true,
                                             .seat = IM_SEAT_QUIET,
                                             .or_close = true});
}

/* Without the session nothing is posted: what was, and is not acknowledged, comes again. */
static void let_go(struct im_hook *hook)
{
    im_timer_stop(im_loop_of(env(hook)), &hook->again);
    im_http_client_free(&hook->client);
    hook->posting = false;
    clear_queue(hook);
    if (hook->state != CLOSED)
        im_core_closed(env(hook)->core, &hook->link, hook->reason == IM_OK ? IM_BYE : hook->reason);
    hook->state = CLOSED;
}

static struct im_http_client *new_client(struct im_hook *hook)
{
    return im_http_client_new(&(struct im_http_client_options){
        .dialer = hook->dialer, .url = im_str(hook->rule->url), .done = on_posted, .arg = hook});
}

static void close_session(struct im_hook *hook)
{
    let_go(hook);
    note_failure(hook, 0, im_reason_info(hook->reason)->text[IM_EN]);
    hook->client = new_client(hook);
    wait_again(hook, 0);
}

static void free_hook(struct im_hook *hook)
{
    im_dialer_drop(hook->dialer);
    free(hook->name);
    free(hook);
}

static void run(struct im_later *entry)
{
    struct im_hook *hook = OWNER(entry, later);
    if (hook->stopped) {
        free_hook(hook);
        return;
    }
    tell_time(hook);
    if (hook->state == CLOSING)
        close_session(hook);
    else if (hook->state == CLOSED)
        open_session(hook);
    else if (hook->state == UP)
        go_on(hook);
}

struct im_hook *im_hook_start(const struct im_hook_options *o)
{
    struct im_hook *hook = im_zalloc(sizeof *hook);
    hook->link.ops = &link_ops;
    hook->link.dialect = &im_dialect_json;
    hook->dialer = o->dialer;
    im_dialer_hold(hook->dialer);
    hook->counters = o->counters;
    hook->rule = o->rule;
    hook->name = im_strndup(o->name, strlen(o->name));
    hook->gone = o->gone;
    hook->arg = o->arg;
    hook->last = &hook->first;
    hook->client = new_client(hook);
    later(hook);
    return hook;
}

void im_hook_stop(struct im_hook **stopped)
{
    struct im_hook *hook = *stopped;
    *stopped = NULL;
    if (!hook)
        return;
    tell_time(hook);
    let_go(hook);
    hook->stopped = true;
    later(hook);
}

static const char *state_name(const struct im_hook *hook)
{
    if (hook->again.link)
        return "retrying";
    if (hook->posting)
        return "posting";
    return hook->state == UP ? "idle" : "starting";
}

void im_hook_look(const struct im_hook *hook, struct im_hook_view *view)
{
    uint64_t now = im_loop_now_ms();
    *view = (struct im_hook_view){
        .state = state_name(hook),
        .up = hook->state == UP,
        .waiting = hook->waiting,
        .acked_pos = hook->acked_pos,
        .delivered = hook->delivered,
        .failed = hook->failed,
        .skipped = hook->skipped,
        .failures = hook->failures,
        .last_status = hook->last_status,
        .problem = hook->problem,
        .next_ms = hook->again.link && hook->again.due_ms > now ? hook->again.due_ms - now : 0,
        .last_ms = hook->last_ms,
    };
}
