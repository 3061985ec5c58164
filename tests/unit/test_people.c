#include <stdio.h>
#include <stdlib.h>

#include "tests/unit/world.h"

/* Receipts, presence, blocks, profiles, devices and reports. */

struct two {
    struct wire a, b;
};

static void enter(struct world *w, struct two *t)
{
    wire_open(w, &t->a, &im_dialect_json);
    wire_open(w, &t->b, &im_dialect_json);
    wire_login(&t->a, "ann");
    wire_login(&t->b, "bob");
}

static void leave(struct two *t)
{
    wire_close_now(&t->a);
    wire_close_now(&t->b);
}

/* From when a receipt waits for nothing any more. */
static uint64_t receipt_ms(const struct world *w)
{
    return w->config->receipt_interval_ms + w->config->receipt_wait_ms;
}

static void soon(struct world *w, struct two *t)
{
    wire_settle(&t->a);
    wire_settle(&t->b);
    world_time(w, receipt_ms(w) + 1);
    wire_settle(&t->a);
    wire_settle(&t->b);
}

static void the_sender_learns_what_has_arrived_once_for_many(void **state)
{
    struct two t;
    enter(*state, &t);
    wire_say(&t.a, "{\"op\":\"send\",\"to\":\"bob\",\"text\":\"1\"}");
    wire_say(&t.a, "{\"op\":\"send\",\"to\":\"bob\",\"text\":\"2\"}");
    wire_settle(&t.b);
    assert_heard(&t.a, "");
    soon(*state, &t);
    assert_heard(&t.a, "{\"op\":\"receipt\",\"conv\":\"bob\",\"user\":\"bob\",\"received\":2}\n");
    leave(&t);
}

static size_t count_receipts(struct wire *x)
{
    size_t n = 0;
    for (const char *at = wire_heard(x); (at = strstr(at, "\"op\":\"receipt\"")); at++)
        n++;
    return n;
}

static void a_receipt_goes_along_with_an_answer(void **state)
{
    struct world *w = *state;
    struct two t;
    enter(w, &t);
    wire_say(&t.a, "{\"op\":\"send\",\"to\":\"bob\",\"text\":\"1\"}");
    wire_say(&t.a, "{\"op\":\"send\",\"to\":\"bob\",\"text\":\"2\"}");
    wire_settle(&t.b);
    world_time(w, w->config->receipt_interval_ms - 1);
    wire_say(&t.b, "{\"op\":\"send\",\"to\":\"ann\",\"text\":\"too soon\"}");
    assert_non_null(strstr(wire_heard(&t.a), "too soon"));
    world_time(w, 1);
    assert_heard(&t.a, "");
    wire_say(&t.b, "{\"op\":\"send\",\"to\":\"ann\",\"text\":\"yes\"}");
    const char *heard = wire_heard(&t.a), *receipt = strstr(heard, "\"received\":2");
    assert_non_null(receipt);
    assert_true(strstr(heard, "yes") < receipt);
    wire_settle(&t.a);
    (void)wire_heard(&t.b);
    soon(w, &t);
    assert_heard(&t.a, "");
    assert_heard(&t.b, "{\"op\":\"receipt\",\"conv\":\"ann\",\"user\":\"ann\",\"received\":4}\n");
    leave(&t);
}

static void is_told_before_the_end(struct world *w, bool one_by_one)
{
    struct two t;
    enter(w, &t);
    wire_say(&t.a, "{\"op\":\"send\",\"to\":\"bob\",\"text\":\"1\"}");
    wire_settle(&t.b);
    if (one_by_one)
        im_core_drain_slowly(w->core, 1000);
    else
        im_core_drain(w->core, 0);
    world_time(w, 100);
    const char *heard = wire_heard(&t.a), *receipt = strstr(heard, "\"received\":1"), *bye = strstr(heard, "\"bye\"");
    assert_true(receipt && bye && receipt < bye);
    leave(&t);
}

static void no_receipt_waits_when_everybody_is_sent_away(void **state)
{
    is_told_before_the_end(*state, false);
}

static void no_receipt_waits_when_people_are_sent_away_one_by_one(void **state)
{
    is_told_before_the_end(*state, true);
}

/* Whoever waits for an answer that does not come changes nothing for those who get theirs. */
static void receipts_that_go_along_are_gathered_too(void **state)
{
    enum { ROUNDS = 200, ROUND_MS = 12 };
    struct world *w = *state;
    struct two t;
    struct wire c;
    size_t receipts = 0;
    enter(w, &t);
    wire_open(w, &c, &im_dialect_json);
    wire_login(&c, "cat");
    for (unsigned i = 0; i < ROUNDS; i++) {
        if (i % 50 == 0)
            wire_say(&c, "{\"op\":\"send\",\"to\":\"bob\",\"text\":\"hey\"}");
        wire_say(&t.a, "{\"op\":\"send\",\"to\":\"bob\",\"text\":\"ping\"}");
        wire_settle(&t.b);
        wire_say(&t.b, "{\"op\":\"send\",\"to\":\"ann\",\"text\":\"pong\"}");
        wire_settle(&t.a);
        world_time(w, ROUND_MS);
        receipts += count_receipts(&t.a);
    }
    uint64_t most = ROUNDS * ROUND_MS / w->config->receipt_interval_ms;
    assert_in_range(receipts, most / 2, most);
    wire_close_now(&c);
    leave(&t);
}

static void an_answer_takes_nobody_else_s_receipt_along(void **state)
{
    struct world *w = *state;
    struct two t;
    struct wire c;
    enter(w, &t);
    wire_open(w, &c, &im_dialect_json);
    wire_login(&c, "cat");
    wire_say(&t.a, "{\"op\":\"send\",\"to\":\"bob\",\"text\":\"1\"}");
    wire_say(&c, "{\"op\":\"send\",\"to\":\"bob\",\"text\":\"1\"}");
    wire_settle(&t.b);
    world_time(w, w->config->receipt_interval_ms);
    wire_say(&t.b, "{\"op\":\"send\",\"to\":\"ann\",\"text\":\"2\"}");
    assert_non_null(strstr(wire_heard(&t.a), "\"received\":1"));
    assert_heard(&c, "");
    world_time(w, w->config->receipt_wait_ms);
    assert_heard(&t.a, "");
    assert_heard(&c, "{\"op\":\"receipt\",\"conv\":\"bob\",\"user\":\"bob\",\"received\":1}\n");
    wire_close_now(&c);
    leave(&t);
}

static void next_turn(struct world *w, uint64_t ms)
{
    w->now += ms;
    im_core_time(w->core, 1700000000000 + (int64_t)w->now, w->now, 0);
}

enum { RECEIVERS = 200 };

/* One has written to each of the others, and it is time to tell her that all of it has arrived. */
struct written_to {
    struct wire sender, receivers[RECEIVERS];
};

static struct written_to *write_to_many(struct world *w)
{
    struct written_to *t = im_zalloc(sizeof *t);
    char name[32], line[100];
    wire_open(w, &t->sender, &im_dialect_json);
    wire_login(&t->sender, "ann");
    for (unsigned i = 0; i < RECEIVERS; i++) {
        snprintf(name, sizeof name, "bob%u", i);
        wire_open(w, &t->receivers[i], &im_dialect_json);
        wire_login(&t->receivers[i], name);
        snprintf(line, sizeof line, "{\"op\":\"send\",\"to\":\"%s\",\"text\":\"1\"}", name);
        wire_say(&t->sender, line);
        wire_settle(&t->receivers[i]);
    }
    next_turn(w, 1);
    assert_int_equal(count_receipts(&t->sender), 0);
    next_turn(w, receipt_ms(w));
    return t;
}

static void close_many(struct written_to *t)
{
    for (unsigned i = 0; i < RECEIVERS; i++)
        wire_close_now(&t->receivers[i]);
    wire_close_now(&t->sender);
    free(t);
}

/* A message that comes meanwhile waits for all that a turn sends. */
static void receipts_that_fall_due_together_are_spread_over_turns(void **state)
{
    struct written_to *t = write_to_many(*state);
    size_t came = 0;
    while (came < RECEIVERS) {
        size_t n = count_receipts(&t->sender);
        assert_in_range(n, 1, RECEIVERS / 10);
        came += n;
        next_turn(*state, 0);
    }
    assert_int_equal(came, RECEIVERS);
    assert_int_equal(count_receipts(&t->sender), 0);
    close_many(t);
}

static void receipts_leave_on_ticks_where_there_are_no_turns(void **state)
{
    struct world *w = *state;
    struct written_to *t = write_to_many(w);
    size_t came = count_receipts(&t->sender);
    for (unsigned ticks = 0; ticks < 5; ticks++) {
        im_core_tick(w->core);
        came += count_receipts(&t->sender);
    }
    assert_int_equal(came, RECEIVERS);
    close_many(t);
}

/* More than are remembered, before any of them is due. */
static void of_many_senders_each_gets_one_receipt(void **state)
{
    struct world *w = *state;
    struct written_to *t = im_zalloc(sizeof *t);
    char name[32];
    wire_open(w, &t->sender, &im_dialect_json);
    wire_login(&t->sender, "bob");
    for (unsigned i = 0; i < RECEIVERS; i++) {
        snprintf(name, sizeof name, "ann%u", i);
        wire_open(w, &t->receivers[i], &im_dialect_json);
        wire_login(&t->receivers[i], name);
        wire_say(&t->receivers[i], "{\"op\":\"send\",\"to\":\"bob\",\"text\":\"1\"}");
        wire_settle(&t->sender);
    }
    for (unsigned i = 0; i < RECEIVERS; i++)
        world_time(w, receipt_ms(w) + 1);
    for (unsigned i = 0; i < RECEIVERS; i++)
        assert_int_equal(count_receipts(&t->receivers[i]), 1);
    close_many(t);
}

static void a_named_device_says_itself_what_has_arrived(void **state)
{
    struct world *w = *state;
    struct two t;
    wire_open(w, &t.a, &im_dialect_json);
    wire_open(w, &t.b, &im_dialect_json);
    wire_login(&t.a, "ann");
    wire_say(&t.b, "{\"op\":\"hello\",\"device\":\"phone\"}");
    wire_login(&t.b, "bob");
    wire_say(&t.a, "{\"op\":\"send\",\"to\":\"bob\",\"text\":\"1\"}");
    wire_say(&t.a, "{\"op\":\"send\",\"to\":\"bob\",\"text\":\"2\"}");
    soon(w, &t);
    assert_heard(&t.a, "");
    wire_say(&t.b, "{\"op\":\"ack\",\"pos\":\"1\"}");
    soon(w, &t);
    assert_heard_part(&t.a, "\"received\":1}");
    wire_say(&t.b, "{\"op\":\"ack\",\"pos\":\"2\"}");
    soon(w, &t);
    assert_heard_part(&t.a, "\"received\":2}");
    leave(&t);
}

static void a_read_mark_reaches_the_peer_and_own_devices_and_never_goes_back(void **state)
{
    struct world *w = *state;
    struct two t;
    struct wire other;
    enter(w, &t);
    wire_open(w, &other, &im_dialect_json);
    wire_login(&other, "bob");
    wire_say(&t.a, "{\"op\":\"send\",\"to\":\"bob\",\"text\":\"1\"}");
    wire_say(&t.a, "{\"op\":\"send\",\"to\":\"bob\",\"text\":\"2\"}");
    soon(w, &t);
    wire_heard(&t.a), wire_heard(&other);
    wire_say(&t.b, "{\"op\":\"read\",\"conv\":\"ann\",\"seq\":1}");
    wire_say(&t.b, "{\"op\":\"read\",\"conv\":\"ann\",\"seq\":2}");
    wire_say(&t.b, "{\"op\":\"read\",\"conv\":\"ann\",\"seq\":1}");
    soon(w, &t);
    assert_heard(&t.a, "{\"op\":\"receipt\",\"conv\":\"bob\",\"user\":\"bob\",\"read\":2}\n");
    assert_heard(&other, "{\"op\":\"receipt\",\"conv\":\"ann\",\"user\":\"bob\",\"read\":2}\n");
    wire_say(&t.b, "{\"op\":\"read\",\"conv\":\"ann\",\"seq\":1}");
    soon(w, &t);
    assert_heard(&t.a, "");
    wire_close_now(&other);
    leave(&t);
}

static void an_edit_does_not_count_as_unread(void **state)
{
    struct two t;
    enter(*state, &t);
    wire_say(&t.a, "{\"op\":\"send\",\"to\":\"bob\",\"text\":\"1\"}");
    wire_say(&t.a, "{\"op\":\"edit\",\"id\":1,\"conv\":\"bob\",\"seq\":1,\"text\":\"one\"}");
    assert_heard_part(&t.a, "\"seq\":2");
    assert_heard_part(&t.b, "{\"op\":\"edit\",\"conv\":\"ann\",\"seq\":2");
    wire_say(&t.b, "{\"op\":\"conversations\",\"id\":1}");
    assert_heard_part(&t.b, "\"unread\":1");
    wire_say(&t.b, "{\"op\":\"history\",\"id\":1,\"conv\":\"ann\"}");
    assert_heard_part(&t.b, "\"text\":\"one\"");
    leave(&t);
}

static void deleting_for_oneself_shows_to_own_devices_alone(void **state)
{
    struct world *w = *state;
    struct two t;
    struct wire other;
    enter(w, &t);
    wire_open(w, &other, &im_dialect_json);
    wire_login(&other, "bob");
    wire_say(&t.a, "{\"op\":\"send\",\"to\":\"bob\",\"text\":\"1\"}");
    wire_heard(&t.a), wire_heard(&t.b), wire_heard(&other);
    wire_say(&t.b, "{\"op\":\"delete\",\"id\":1,\"conv\":\"ann\",\"seq\":1,\"for\":\"me\"}");
    assert_heard_part(&t.b, "\"op\":\"ok\",\"id\":1");
    assert_heard_part(&other, "{\"op\":\"delete\",\"conv\":\"ann\"");
    assert_heard(&t.a, "");
    leave(&t);
    wire_close_now(&other);
}

static void a_short_absence_is_none(void **state)
{
    struct world *w = *state;
    struct two t;
    enter(w, &t);
    wire_say(&t.a, "{\"op\":\"presence\",\"id\":1,\"users\":[\"bob\"]}");
    assert_heard_part(&t.a, "\"state\":\"online\"");
    wire_close_now(&t.b);
    world_time(w, w->config->linger_ms / 2);
    assert_heard(&t.a, "");
    wire_open(w, &t.b, &im_dialect_json);
    wire_login(&t.b, "bob");
    world_time(w, w->config->linger_ms);
    assert_heard(&t.a, "");
    wire_close_now(&t.b);
    world_time(w, w->config->linger_ms);
    assert_heard_part(&t.a, "{\"op\":\"presence\",\"user\":\"bob\",\"state\":\"offline\"");
    wire_open(w, &t.b, &im_dialect_json);
    leave(&t);
}

static void a_state_and_its_text_show_to_watchers(void **state)
{
    struct two t;
    enter(*state, &t);
    wire_say(&t.a, "{\"op\":\"presence\",\"users\":[\"bob\"]}");
    wire_say(&t.b, "{\"op\":\"presence\",\"id\":1,\"state\":\"dnd\",\"text\":\"开会\"}");
    assert_heard_part(&t.b, "\"op\":\"ok\"");
    assert_heard(&t.a, "{\"op\":\"presence\",\"user\":\"bob\",\"state\":\"dnd\",\"text\":\"开会\"}\n");
    wire_say(&t.b, "{\"op\":\"presence\",\"id\":1,\"state\":\"invisible\"}");
    assert_heard_part(&t.b, "bad_field");
    leave(&t);
}

static void the_blocked_learn_nothing(void **state)
{
    struct world *w = *state;
    struct two t;
    enter(w, &t);
    wire_say(&t.a, "{\"op\":\"presence\",\"users\":[\"bob\"]}");
    wire_say(&t.b, "{\"op\":\"block\",\"id\":1,\"user\":\"ann\"}");
    assert_heard_part(&t.b, "\"op\":\"ok\"");
    assert_heard(&t.a, "{\"op\":\"presence\",\"user\":\"bob\",\"state\":\"offline\"}\n");
    wire_say(&t.a, "{\"op\":\"send\",\"id\":2,\"to\":\"bob\",\"text\":\"please\"}");
    assert_heard_part(&t.a, "\"online\":false");
    wire_say(&t.a, "{\"op\":\"typing\",\"conv\":\"bob\"}");
    assert_heard(&t.b, "");
    soon(w, &t);
    assert_heard(&t.a, "");
    wire_say(&t.b, "{\"op\":\"block\",\"id\":2}");
    assert_heard_part(&t.b, "\"users\":[\"ann\"]");
    wire_say(&t.b, "{\"op\":\"history\",\"id\":3,\"conv\":\"ann\"}");
    assert_heard_part(&t.b, "\"messages\":[]");
    wire_say(&t.b, "{\"op\":\"block\",\"id\":4,\"user\":\"ann\",\"on\":false}");
    wire_say(&t.a, "{\"op\":\"send\",\"id\":2,\"to\":\"bob\",\"text\":\"again\"}");
    assert_heard_part(&t.b, "again");
    leave(&t);
}

static void a_profile_tells_what_its_owner_wants(void **state)
{
    struct world *w = *state;
    struct two t;
    enter(w, &t);
    wire_say(&t.b, "{\"op\":\"profile\",\"id\":1,\"name\":\"Bob der Baumeister\"}");
    assert_heard_part(&t.b, "\"op\":\"ok\"");
    wire_say(&t.b, "{\"op\":\"profile\",\"id\":1,\"avatar\":\"https://example.org/b.png\"}");
    wire_say(&t.a, "{\"op\":\"profile\",\"id\":2,\"user\":\"BOB\"}");
    const char *heard = wire_heard(&t.a);
    assert_non_null(strstr(heard, "\"name\":\"Bob der Baumeister\""));
    assert_non_null(strstr(heard, "b.png"));
    wire_close_now(&t.b);
    world_time(w, w->config->linger_ms);
    wire_say(&t.a, "{\"op\":\"profile\",\"id\":3,\"user\":\"bob\"}");
    assert_heard_part(&t.a, "\"seen\":1700");
    wire_open(w, &t.b, &im_dialect_json);
    wire_login(&t.b, "bob");
    wire_say(&t.b, "{\"op\":\"profile\",\"id\":1,\"seen\":false}");
    wire_close_now(&t.b);
    world_time(w, w->config->linger_ms);
    wire_heard(&t.a);
    wire_say(&t.a, "{\"op\":\"profile\",\"id\":4,\"user\":\"bob\"}");
    assert_null(strstr(wire_heard(&t.a), "seen"));
    wire_open(w, &t.b, &im_dialect_json);
    leave(&t);
}

static void a_forgotten_device_is_signed_out(void **state)
{
    struct world *w = *state;
    struct wire a, b;
    wire_open(w, &a, &im_dialect_json);
    wire_open(w, &b, &im_dialect_json);
    wire_say(&a, "{\"op\":\"hello\",\"device\":\"phone\"}");
    wire_say(&b, "{\"op\":\"hello\",\"device\":\"laptop\"}");
    wire_login(&a, "ann");
    wire_login(&b, "ann");
    wire_say(&a, "{\"op\":\"devices\",\"id\":1}");
    const char *heard = wire_heard(&a);
    assert_non_null(strstr(heard, "\"device\":\"laptop\""));
    assert_non_null(strstr(heard, "\"current\":true"));
    wire_say(&a, "{\"op\":\"devices\",\"id\":2,\"device\":\"laptop\",\"forget\":true}");
    assert_heard_part(&a, "\"op\":\"ok\"");
    assert_heard_part(&b, "\"name\":\"revoked\"");
    assert_true(b.closed);
    wire_say(&a, "{\"op\":\"devices\",\"id\":3,\"device\":\"phone\",\"forget\":true}");
    assert_heard_part(&a, "bad_field");
    wire_say(&a, "{\"op\":\"devices\",\"id\":4,\"device\":\"tv\",\"forget\":true}");
    assert_heard_part(&a, "no_such_device");
    wire_close_now(&a);
    wire_close_now(&b);
}

static void a_report_gets_a_ticket(void **state)
{
    struct two t;
    enter(*state, &t);
    wire_say(&t.a, "{\"op\":\"report\",\"id\":1,\"user\":\"bob\",\"text\":\"rude\"}");
    assert_heard_part(&t.a, "\"ticket\":\"");
    wire_say(&t.a, "{\"op\":\"report\",\"id\":1,\"text\":\"rude\"}");
    assert_heard_part(&t.a, "bad_field");
    leave(&t);
}

static void stored(struct im_store_op *op)
{
    *(bool *)op->owner = true;
}

/* The only report there is, as stored. */
static char *report_value(struct world *w)
{
    bool done = false;
    struct im_store_records op = {
        .op = {.kind = IM_STORE_RECORDS, .done = stored, .owner = &done}, .kind = IM_RECORD_REPORT, .limit = 2};
    im_store_submit(w->store, &op.op);
    while (w->store->ops->drain(w->store) > 0)
        ;
    assert_true(done);
    assert_int_equal(op.count, 1);
    char *value = im_strndup(op.rows->value.p, op.rows->value.len);
    free(op.rows);
    return value;
}

static void a_report_of_a_message_tells_what_it_said(void **state)
{
    struct two t;
    enter(*state, &t);
    wire_say(&t.b, "{\"op\":\"send\",\"to\":\"ann\",\"text\":\"you \\\"fool\\\"\"}");
    wire_heard(&t.a);
    wire_say(&t.a, "{\"op\":\"report\",\"id\":1,\"conv\":\"bob\",\"seq\":1,\"text\":\"rude\"}");
    assert_heard_part(&t.a, "\"ticket\":\"");
    char *value = report_value(*state);
    assert_non_null(strstr(value, ",\"from\":\"bob\",\"message\":\"you \\\"fool\\\"\"}"));
    free(value);
    wire_say(&t.a, "{\"op\":\"report\",\"id\":1,\"conv\":\"bob\",\"seq\":2,\"text\":\"rude\"}");
    assert_heard_part(&t.a, "no_such_message");
    wire_say(&t.a, "{\"op\":\"report\",\"id\":1,\"user\":\"bob\",\"seq\":1}");
    assert_heard_part(&t.a, "bad_field");
    leave(&t);
}

static void reports_are_bounded(void **state)
{
    struct world *w = *state;
    struct two t;
    enter(w, &t);
    for (uint64_t i = 0; i < w->config->reports_max; i++) {
        wire_say(&t.a, "{\"op\":\"report\",\"id\":1,\"user\":\"bob\",\"text\":\"rude\"}");
        assert_heard_part(&t.a, "\"ticket\":\"");
    }
    wire_say(&t.a, "{\"op\":\"report\",\"id\":1,\"user\":\"bob\",\"text\":\"rude\"}");
    assert_heard_part(&t.a, "too_many");
    leave(&t);
}

static void a_reaction_is_one_symbol(void **state)
{
    static const char *const good[] = {"👍", "❤️", "👨‍👩‍👧", "🇨🇳", "1️⃣", "👍🏽"};
    static const char *const bad[] = {"a", "ab", "你好", "👍👍", "\\u202e", "\\u200b", "\\u2028", " ", "\\u0085", ""};
    char line[200];
    struct two t;
    enter(*state, &t);
    wire_say(&t.a, "{\"op\":\"send\",\"to\":\"bob\",\"text\":\"1\"}");
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        snprintf(line, sizeof line, "{\"op\":\"react\",\"id\":1,\"conv\":\"ann\",\"seq\":1,\"emoji\":\"%s\"}", good[i]);
        wire_say(&t.b, line);
        assert_heard_part(&t.b, "\"op\":\"ok\"");
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        snprintf(line, sizeof line, "{\"op\":\"react\",\"id\":1,\"conv\":\"ann\",\"seq\":1,\"emoji\":\"%s\"}", bad[i]);
        wire_heard(&t.b);
        wire_say(&t.b, line);
        assert_heard_part(&t.b, "bad_field");
    }
    leave(&t);
}

static void nobody_may_take_the_name_of_a_webhooks_device(void **state)
{
    struct wire a;
    wire_open(*state, &a, &im_dialect_json);
    wire_say(&a, "{\"op\":\"hello\",\"id\":1,\"device\":\"hook:x\"}");
    assert_heard_part(&a, "bad_field");
    wire_close_now(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        world_test(the_sender_learns_what_has_arrived_once_for_many),
        world_test(a_receipt_goes_along_with_an_answer),
        world_test(no_receipt_waits_when_everybody_is_sent_away),
        world_test(no_receipt_waits_when_people_are_sent_away_one_by_one),
        world_test(receipts_that_go_along_are_gathered_too),
        world_test(an_answer_takes_nobody_else_s_receipt_along),
        world_test(receipts_that_fall_due_together_are_spread_over_turns),
        world_test(receipts_leave_on_ticks_where_there_are_no_turns),
        world_test(of_many_senders_each_gets_one_receipt),
        world_test(a_named_device_says_itself_what_has_arrived),
        world_test(a_read_mark_reaches_the_peer_and_own_devices_and_never_goes_back),
        world_test(an_edit_does_not_count_as_unread),
        world_test(deleting_for_oneself_shows_to_own_devices_alone),
        world_test(a_short_absence_is_none),
        world_test(a_state_and_its_text_show_to_watchers),
        world_test(the_blocked_learn_nothing),
        world_test(a_profile_tells_what_its_owner_wants),
        world_test(a_forgotten_device_is_signed_out),
        world_test(a_report_gets_a_ticket),
        world_test(a_report_of_a_message_tells_what_it_said),
        world_test(reports_are_bounded),
        world_test(a_reaction_is_one_symbol),
        world_test(nobody_may_take_the_name_of_a_webhooks_device),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
