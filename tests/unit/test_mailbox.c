#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <poll.h>

#include "transports/mailbox.h"

struct note {
    struct im_letter letter;
    uint32_t number;
    size_t fill;
    unsigned char data[];
};

struct fixture {
    struct im_mailbox *box;
    struct im_mail out, spare, spent;
};

static int set_up(void **state)
{
    static struct fixture f;
    f = (struct fixture){.box = im_mailbox_new(NULL)};
    *state = &f;
    return f.box ? 0 : -1;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    struct im_mail mail = {0}, back = {0};
    im_mailbox_take(f->box, &mail, &back);
    im_mail_free(&mail);
    im_mail_free(&back);
    im_mail_free(&f->out);
    im_mail_free(&f->spare);
    im_mail_free(&f->spent);
    im_mailbox_free(&f->box);
    return 0;
}

static void write_note(struct im_mail *mail, struct im_mail *spare, uint32_t number, size_t fill)
{
    struct note *note = im_mail_write(mail, spare, sizeof *note + fill);
    assert_int_equal((uintptr_t)note % 8, 0);
    note->number = number;
    note->fill = fill;
    memset(note->data, (int)number & 0xff, fill);
}

static void read_note(struct im_mail *mail, struct im_mail *spent, uint32_t number, size_t fill)
{
    const struct note *note = im_mail_read(mail, spent);
    assert_non_null(note);
    assert_int_equal(note->number, number);
    assert_int_equal(note->fill, fill);
    for (size_t i = 0; i < fill; i++)
        assert_int_equal(note->data[i], number & 0xff);
}

static bool readable(const struct im_mailbox *box)
{
    return poll(&(struct pollfd){.fd = im_mailbox_fd(box), .events = POLLIN}, 1, 0) == 1;
}

/* Small ones, one as long as a bag, and one that no bag holds. */
static size_t fill_of(uint32_t number)
{
    return number % 10 == 7 ? 16000 : number % 10 == 8 ? 100000 : number * 13 % 500;
}

static void test_letters_of_any_size_come_in_order(void **state)
{
    struct fixture *f = *state;
    struct im_mail mail = {0}, back = {0};
    for (uint32_t i = 0; i < 100; i++)
        write_note(&f->out, &f->spare, i, fill_of(i));
    assert_int_equal(f->out.letters, 100);
    im_mailbox_post(f->box, &f->out, &f->spent, 0);
    assert_int_equal(f->out.letters, 0);
    im_mailbox_take(f->box, &mail, &back);
    assert_int_equal(mail.letters, 100);
    for (uint32_t i = 0; i < 100; i++)
        read_note(&mail, &f->spent, i, fill_of(i));
    assert_null(im_mail_read(&mail, &f->spent));
    assert_null(back.first);
}

static void test_the_receiver_is_woken_once(void **state)
{
    struct fixture *f = *state;
    struct im_mail mail = {0}, back = {0};
    struct im_mailbox_stats stats;
    assert_false(readable(f->box));
    for (uint32_t i = 0; i < 3; i++) {
        write_note(&f->out, &f->spare, i, 8);
        im_mailbox_post(f->box, &f->out, &f->spent, 0);
        assert_true(readable(f->box));
    }
    im_mailbox_take(f->box, &mail, &back);
    assert_false(readable(f->box));
    for (uint32_t i = 0; i < 3; i++)
        read_note(&mail, &f->spent, i, 8);
    assert_null(im_mail_read(&mail, &f->spent));
    im_mailbox_post(f->box, &f->out, &f->spent, 0); /* nothing but a bag that goes back */
    assert_false(readable(f->box));
    im_mailbox_look(f->box, &stats);
    assert_int_equal(stats.posted, 3);
    assert_int_equal(stats.batches, 3);
    assert_int_equal(stats.most, 3);
    assert_int_equal(stats.waiting, 0);
}

/* Otherwise each of ten thousand small batches would take 16 KiB while their receiver is busy. */
static void test_small_batches_share_a_bag(void **state)
{
    struct fixture *f = *state;
    struct im_mail mail = {0}, back = {0};
    for (uint32_t i = 0; i < 1000; i++) {
        write_note(&f->out, &f->spare, i, 0);
        im_mailbox_post(f->box, &f->out, &f->spent, 0);
    }
    im_mailbox_take(f->box, &mail, &back);
    assert_true(mail.bags <= 1000 * sizeof(struct note) / 16000 + 2);
    for (uint32_t i = 0; i < 1000; i++)
        read_note(&mail, &f->spent, i, 0);
    assert_null(im_mail_read(&mail, &f->spent));
}

static void test_bags_can_be_read_again_and_used_again(void **state)
{
    struct fixture *f = *state;
    struct im_mail mail = {0}, back = {0}, read = {0};
    for (uint32_t i = 0; i < 20; i++)
        write_note(&f->out, &f->spare, i, fill_of(i));
    im_mailbox_post(f->box, &f->out, &f->spent, 0);
    im_mailbox_take(f->box, &mail, &back);
    while (im_mail_read(&mail, &f->spent))
        continue;
    im_mailbox_post(f->box, &f->out, &f->spent, 0);
    im_mailbox_take(f->box, &mail, &back);
    assert_null(mail.first);
    for (uint32_t i = 0; i < 20; i++)
        read_note(&back, &read, i, fill_of(i));
    assert_null(im_mail_read(&back, &read));
    im_mail_keep(&f->spare, &read);
    assert_null(read.first);
    size_t spare = f->spare.bags;
    assert_true(spare > 0);
    write_note(&f->out, &f->spare, 1, 0);
    assert_int_equal(f->spare.bags, spare - 1);
}

/* … and is copied whole where a batch is put behind another. */
static void test_the_last_letter_can_grow(void **state)
{
    struct fixture *f = *state;
    struct im_mail mail = {0}, back = {0};
    write_note(&f->out, &f->spare, 0, 40);
    im_mailbox_post(f->box, &f->out, &f->spent, 0);
    for (uint32_t i = 1; i < 4; i++) {
        struct note *note = im_mail_write(&f->out, &f->spare, sizeof *note);
        unsigned char *more;
        note->number = i;
        note->fill = 0;
        while ((note->fill < 800 || i == 2) && (more = im_mail_grow(&f->out, &note->letter, 16))) {
            assert_ptr_equal(more, note->data + note->fill);
            memset(more, (int)i, 16);
            note->fill += 16;
        }
        assert_int_equal(note->letter.size, sizeof *note + note->fill);
        if (i == 2) /* the bag is full */
            assert_in_range(note->fill, 14000, 16384);
    }
    write_note(&f->out, &f->spare, 4, 3);
    assert_int_equal(f->out.letters, 4);
    im_mailbox_post(f->box, &f->out, &f->spent, 0);
    struct note *note = im_mail_write(&f->out, &f->spare, sizeof *note);
    note->number = 5;
    note->fill = 16;
    memset(im_mail_grow(&f->out, &note->letter, 16), 5, 16);
    im_mailbox_post(f->box, &f->out, &f->spent, 0);
    im_mailbox_take(f->box, &mail, &back);
    read_note(&mail, &f->spent, 0, 40);
    read_note(&mail, &f->spent, 1, 800);
    const struct im_letter *full = im_mail_first(&mail);
    read_note(&mail, &f->spent, 2, full->size - sizeof(struct note));
    read_note(&mail, &f->spent, 3, 800);
    read_note(&mail, &f->spent, 4, 3);
    read_note(&mail, &f->spent, 5, 16);
    assert_null(im_mail_read(&mail, &f->spent));
}

static void check_ticket(struct im_mail *mail, struct im_mail *spent, uint32_t ticket, uint32_t number)
{
    assert_int_equal(im_mail_first(mail)->ticket, ticket);
    read_note(mail, spent, number, 0);
}

static void test_batches_have_tickets_in_the_order_of_posting(void **state)
{
    struct fixture *f = *state;
    static im_tickets tickets;
    struct im_mailbox *boxes[2] = {im_mailbox_new(&tickets), im_mailbox_new(&tickets)};
    struct im_mail mail[2] = {{0}, {0}}, back = {0};
    atomic_store(&tickets, UINT32_MAX - 1); /* they come round, and 0 is none */
    for (uint32_t i = 0; i < 6; i += 2) {
        write_note(&f->out, &f->spare, i, 0);
        write_note(&f->out, &f->spare, i + 1, 0);
        im_mailbox_post(boxes[i == 2], &f->out, &f->spent, 0);
    }
    for (size_t i = 0; i < 2; i++)
        im_mailbox_take(boxes[i], &mail[i], &back);
    check_ticket(&mail[0], &f->spent, UINT32_MAX, 0);
    check_ticket(&mail[0], &f->spent, 0, 1);
    check_ticket(&mail[1], &f->spent, 1, 2);
    check_ticket(&mail[1], &f->spent, 0, 3);
    check_ticket(&mail[0], &f->spent, 2, 4);
    check_ticket(&mail[0], &f->spent, 0, 5);
    for (size_t i = 0; i < 2; i++) {
        assert_null(im_mail_first(&mail[i]));
        assert_null(im_mail_read(&mail[i], &f->spent));
        im_mailbox_free(&boxes[i]);
    }
}

static void *post_many(void *arg)
{
    struct fixture *f = arg;
    for (uint32_t i = 0; i < 50000; i++) {
        write_note(&f->out, &f->spare, i, i % 64);
        if (i % 7 == 0)
            im_mailbox_post(f->box, &f->out, &f->spent, 100);
    }
    im_mailbox_post(f->box, &f->out, &f->spent, 100);
    return NULL;
}

static void test_two_threads(void **state)
{
    struct fixture *f = *state;
    struct im_mail mail = {0}, back = {0}, spent = {0};
    struct im_mailbox_stats stats;
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, post_many, f), 0);
    for (uint32_t i = 0; i < 50000;) {
        poll(&(struct pollfd){.fd = im_mailbox_fd(f->box), .events = POLLIN}, 1, -1);
        im_mailbox_take(f->box, &mail, &back);
        for (size_t n = mail.letters; n > 0; n--, i++)
            read_note(&mail, &spent, i, i % 64);
        assert_null(im_mail_read(&mail, &spent));
        im_mail_free(&spent);
    }
    pthread_join(thread, NULL);
    im_mailbox_look(f->box, &stats);
    assert_int_equal(stats.posted, 50000);
    assert_true(stats.most <= 100 + 7);
    assert_null(back.first);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_letters_of_any_size_come_in_order, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_the_receiver_is_woken_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_small_batches_share_a_bag, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_bags_can_be_read_again_and_used_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_the_last_letter_can_grow, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_batches_have_tickets_in_the_order_of_posting, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_two_threads, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
