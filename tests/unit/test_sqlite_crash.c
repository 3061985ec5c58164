#include "tests/unit/sqlite_file.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* A server killed at any moment: what it acknowledged is there, once, and all that is noted fits together. */

enum { IN_FLIGHT = 16, ROUNDS = 8 };

struct note { /* what the child tells the parent: fits in a pipe's atomic write */
    uint64_t number, pos, seq;
    bool append;
};

/* One operation after the other of every kind, by its number. */
enum kind { TO_BOB, TO_GROUP, EDIT, REACT, FORGET, ERASE, COME_AND_GO, RECORD, MARK, BLOCK, KINDS };

struct flight {
    union {
        struct im_store_append append;
        struct im_store_record_put record;
        struct im_store_marks marks;
        struct im_store_block block;
        struct im_store_op op;
    };
    struct im_store_mark row;
    char cid[32];
};

static const char *sender_of(uint64_t number)
{
    return number % 3 ? "ann" : "cat";
}

/* seq: of a message from the sender to bob, or 0. */
static void write_act(struct flight *f, uint64_t number, uint64_t seq)
{
    struct act a = {.from = sender_of(number), .to = "bob", .text = f->cid, .cid = f->cid, .ref = seq};
    switch (number % KINDS) {
    case TO_GROUP:
        a.to = "#cats";
        a.ref = 0;
        break;
    case EDIT:
        a.type = seq ? IM_EV_EDIT : IM_EV_MSG;
        break;
    case REACT:
        a.type = seq ? IM_EV_REACT : IM_EV_MSG;
        break;
    case FORGET:
    case ERASE:
        a.type = seq ? IM_EV_DELETE : IM_EV_MSG;
        a.for_me = seq && number % KINDS == FORGET;
        a.text = seq ? NULL : f->cid;
        break;
    case COME_AND_GO:
        a = (struct act){.type = IM_EV_MEMBER, .from = "dan", .to = "#cats", .cid = f->cid};
        a.change = number / KINDS % 2 ? IM_CHANGE_JOIN : IM_CHANGE_LEAVE;
        break;
    default:
        a.ref = 0;
    }
    f->append = op_act(&a);
}

static void write_flight(struct flight *f, uint64_t number, uint64_t seq)
{
    snprintf(f->cid, sizeof f->cid, "cid-%llu", (unsigned long long)number);
    if (number % KINDS == RECORD) {
        struct im_record r = {
            .kind = IM_RECORD_HOOK, .key = IM_STR("k"), .owner = IM_STR("ann"), .value = im_str(f->cid)};
        f->record = (struct im_store_record_put){.op.kind = IM_STORE_RECORD_PUT, .record = r};
    } else if (number % KINDS == MARK) {
        f->row = (struct im_store_mark){.key = key_of("bob"), .peer = key_of("ann"), .seq = number};
        f->marks = (struct im_store_marks){.op.kind = IM_STORE_MARKS, .rows = &f->row, .count = 1};
    } else if (number % KINDS == BLOCK) {
        f->block = (struct im_store_block){.op.kind = IM_STORE_BLOCK,
                                           .key = key_of("bob"),
                                           .other = key_of("eve"),
                                           .other_text = IM_STR("eve"),
                                           .on = number / KINDS % 2};
    } else {
        write_act(f, number, seq);
    }
}

static void land(struct box *b, struct flight *f, uint64_t number, int pipe_end)
{
    box_wait(b, &f->op);
    bool append = f->op.kind == IM_STORE_APPEND;
    struct note note = {number, 0, 0, append};
    if (append) {
        note.pos = f->append.event->msg.pos;
        note.seq = f->append.event->msg.seq;
        im_event_drop(&f->append.event);
    }
    if (f->op.kind == IM_STORE_MARKS)
        note.seq = f->row.seq;
    /* what was refused, or had nothing to change, was never there */
    bool stored = f->op.status == IM_OK && (!append || note.pos);
    if (stored && write(pipe_end, &note, sizeof note) != sizeof note)
        _exit(1);
    if (f->op.status == IM_STORE_FAILED || f->op.status == IM_STORE_FULL)
        _exit(1);
}

/* Writes without end, and tells of each thing acknowledged. */
static void write_until_killed(struct box *b, int pipe_end, uint64_t first)
{
    static struct flight flights[IN_FLIGHT];
    uint64_t seqs[2] = {0, 0}; /* of ann's and cat's newest message to bob */
    box_open(b);
    for (uint64_t i = first;; i++) {
        struct flight *f = &flights[i % IN_FLIGHT];
        if (i >= first + IN_FLIGHT) {
            uint64_t landed = i - IN_FLIGHT;
            uint64_t *seq = landed % KINDS == TO_BOB ? &seqs[landed % 3 == 0] : NULL;
            struct im_event *e = seq ? im_event_hold(f->append.event) : NULL;
            land(b, f, landed, pipe_end);
            if (seq)
                *seq = e->msg.seq;
            im_event_drop(&e);
        }
        write_flight(f, i, seqs[i % 3 == 0]);
        box_submit(b, &f->op);
    }
}

/* Lets a child write until it has told of `enough`, kills it, and returns everything it told. */
static size_t run_and_kill(struct box *b, uint64_t first, size_t enough, struct note *notes, size_t room)
{
    int ends[2];
    size_t count = 0;
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        close(ends[0]);
        write_until_killed(b, ends[1], first);
    }
    close(ends[1]);
    while (count < room && read(ends[0], &notes[count], sizeof *notes) == sizeof *notes)
        if (++count == enough)
            assert_int_equal(kill(child, SIGKILL), 0);
    close(ends[0]);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    assert_true(count >= enough && count < room);
    return count;
}

/* What was appended under a cid is told to who appends with it again. */
static void assert_appended(struct box *b, const struct note *note)
{
    struct flight again;
    write_flight(&again, note->number, 1);
    assert_int_equal(box_do(b, &again.op), IM_OK);
    assert_non_null(again.append.earlier);
    assert_int_equal(again.append.earlier->msg.pos, note->pos);
    assert_int_equal(again.append.earlier->msg.seq, note->seq);
    im_event_drop(&again.append.earlier);
    im_event_drop(&again.append.event);
}

/* The record has the newest value that was acknowledged, or one that was on its way. */
static void assert_recorded(struct box *b, uint64_t number)
{
    struct im_store_records op = {.op.kind = IM_STORE_RECORDS, .kind = IM_RECORD_HOOK, .key = IM_STR("k")};
    unsigned long long stored;
    assert_int_equal(box_do(b, &op.op), IM_OK);
    assert_int_equal(op.count, 1);
    assert_int_equal(sscanf(text_printf("%.*s", (int)op.rows[0].value.len, op.rows[0].value.p), "cid-%llu", &stored),
                     1);
    assert_in_range(stored, number, number + 2 * IN_FLIGHT);
    free(op.rows);
}

static void assert_kept(struct box *b, const struct note *notes, size_t count)
{
    uint64_t recorded = 0, marked = 0, appended = 0;
    for (size_t i = 0; i < count; i++) {
        if (notes[i].append)
            assert_appended(b, &notes[i]);
        else if (notes[i].number % KINDS == RECORD)
            recorded = notes[i].number;
        else if (notes[i].number % KINDS == MARK)
            marked = notes[i].seq;
        appended += notes[i].append;
    }
    if (recorded)
        assert_recorded(b, recorded);
    assert_true(mark(b, "bob", "ann", 0) >= marked);
    assert_true(box_stats(b).events >= appended);
}

static void assert_dense(struct box *b)
{
    static const char *const senders[] = {"ann", "cat"};
    for (unsigned i = 0; i < 2; i++) {
        struct im_store_history h = op_after("bob", senders[i], 0, 1000000);
        h.bytes = 1 << 30;
        assert_int_equal(box_do(b, &h.op), IM_OK);
        for (size_t at = 1; at < h.count; at++)
            assert_true(h.events[at]->msg.seq > h.events[at - 1]->msg.seq);
        drop_events(&h.events, &h.count);
    }
}

static void killed_in_full_traffic_keeps_what_was_acknowledged(void **state)
{
    static struct note notes[100000];
    for (int full = 0; full <= 1; full++) {
        struct box *b = box_new(&im_store_rows[IM_STORE_SQLITE]);
        size_t count = 0;
        b->sync_full = full;
        box_open(b);
        create(b, "ann", "#cats", IM_GROUP_PUBLIC);
        change(b, "cat", "#cats", IM_CHANGE_JOIN, NULL);
        box_close(b);
        for (unsigned round = 0; round < ROUNDS; round++) {
            uint64_t first = (uint64_t)round * 1000000;
            count += run_and_kill(b, first, 1 + round * round * 9, notes + count, 100000 - count);
            box_open(b);
            assert_kept(b, notes, count);
            assert_dense(b);
            box_close(b);
            file_check(b->path);
        }
        assert_int_equal(file_ask(b->path, "SELECT count(DISTINCT type) FROM events"), IM_EV_LAST_DURABLE + 1);
        box_free(&b);
    }
    (void)state;
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(killed_in_full_traffic_keeps_what_was_acknowledged)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
