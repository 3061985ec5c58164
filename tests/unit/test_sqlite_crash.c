#include "tests/conform/store_box.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* A server killed at any moment: what it acknowledged is there, once. */

enum { IN_FLIGHT = 16, ROUNDS = 8 };

struct note { /* what the child tells the parent: fits in a pipe's atomic write */
    uint64_t number, pos, seq;
};

static const char *cid_of(uint64_t number)
{
    static char cid[32];
    snprintf(cid, sizeof cid, "cid-%llu", (unsigned long long)number);
    return cid;
}

static struct im_store_append numbered(uint64_t number)
{
    return op_append(number % 3 ? "ann" : "cat", "bob", cid_of(number), cid_of(number));
}

/* Appends without end, and tells of each one acknowledged. */
static void write_until_killed(struct box *b, int pipe_end, uint64_t first)
{
    struct im_store_append ops[IN_FLIGHT];
    box_open(b);
    for (uint64_t i = first;; i++) {
        struct im_store_append *op = &ops[i % IN_FLIGHT];
        if (i >= first + IN_FLIGHT) {
            box_wait(b, &op->op);
            struct note note = {i - IN_FLIGHT, op->event->msg.pos, op->event->msg.seq};
            if (op->op.status != IM_OK || write(pipe_end, &note, sizeof note) != sizeof note)
                _exit(1);
            im_event_drop(&op->event);
        }
        *op = numbered(i);
        box_submit(b, &op->op);
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

static void assert_stored(struct box *b, const struct note *note)
{
    struct im_store_append again = numbered(note->number);
    assert_int_equal(box_do(b, &again.op), IM_OK);
    assert_non_null(again.earlier);
    assert_int_equal(again.earlier->msg.pos, note->pos);
    assert_int_equal(again.earlier->msg.seq, note->seq);
    assert_true(str_is(again.earlier->msg.body, cid_of(note->number)));
    im_event_drop(&again.earlier);
    im_event_drop(&again.event);
}

static void assert_dense(struct box *b)
{
    static const char *const senders[] = {"ann", "cat"};
    for (unsigned i = 0; i < 2; i++) {
        struct im_store_history h = op_after("bob", senders[i], 0, 1000000);
        h.bytes = 1 << 30;
        assert_int_equal(box_do(b, &h.op), IM_OK);
        for (size_t at = 0; at < h.count; at++)
            assert_int_equal(h.events[at]->msg.seq, at + 1);
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
        for (unsigned round = 0; round < ROUNDS; round++) {
            uint64_t first = (uint64_t)round * 1000000;
            count += run_and_kill(b, first, 1 + round * round * 7, notes + count, 100000 - count);
            box_open(b);
            for (size_t i = 0; i < count; i++)
                assert_stored(b, &notes[i]);
            assert_dense(b);
            assert_in_range(box_stats(b).events, count, count + (round + 1) * IN_FLIGHT);
            box_close(b);
        }
        box_free(&b);
    }
    (void)state;
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(killed_in_full_traffic_keeps_what_was_acknowledged)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
