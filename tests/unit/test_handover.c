#include "tools/imd/handover.h"

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/unit/unit.h"

static int listening(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_return_code(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_return_code(listen(fd, 1), 0);
    return fd;
}

static char *text(const char *s)
{
    return strdup(s);
}

/* What `from` leaves, as a program would find it that runs in this process. */
static struct imd_handover *leave(const struct imd_handover *from)
{
    struct imd_invocation i;
    imd_handover_invoke(from, false, &i);
    char *value = strchr(i.envp[0], '=') + 1;
    assert_return_code(setenv("IMD_HANDOVER", value, 1), 0);
    imd_invocation_clear(&i);
    return imd_handover_read();
}

static void what_is_left_is_found_as_it_was(void **state)
{
    struct im_error error = {0};
    struct imd_handover *from = imd_handover_new();
    int fd = listening();
    (void)state;
    from->from = text("1.2");
    from->binary = text("/opt/\"new\"/imd");
    from->config = text("/etc/imd.yaml");
    from->sound = true;
    from->since_us = 77;
    assert_int_equal(imd_handover_add(from, fd, &(struct im_passed_origin){"127.0.0.1:0", true, 0, 0}, &error), IM_OK);
    assert_int_not_equal(from->sockets[0].fd, fd);
    struct imd_handover *to = leave(from);
    assert_non_null(to);
    assert_string_equal(to->from, "1.2");
    assert_string_equal(to->binary, "/opt/\"new\"/imd");
    assert_string_equal(to->config, "/etc/imd.yaml");
    assert_true(to->sound && !to->trial);
    assert_int_equal(to->since_us, 77);
    assert_null(to->problem);
    assert_int_equal(to->back_fd, -1);
    assert_int_equal(to->count, 1);
    assert_string_equal(to->sockets[0].origin.name, "127.0.0.1:0");
    assert_null(getenv("IMD_HANDOVER"));
    to->sockets[0].fd = -1; /* it is from's, as both are in one process */
    imd_handover_free(&to);
    imd_handover_free(&from);
    close(fd);
}

static void what_is_for_another_process_or_no_sense_is_not_taken(void **state)
{
    static const char *const wrong[] = {"", "{", "[]", "{\"pid\":1,\"trial\":false}", "null", "{\"pid\":1,\"pid\":2}"};
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        setenv("IMD_HANDOVER", wrong[i], 1);
        assert_null(imd_handover_read());
        assert_null(getenv("IMD_HANDOVER"));
    }
}

static void a_listener_takes_a_copy_and_what_is_left_over_is_known(void **state)
{
    struct im_error error = {0};
    struct im_passed *passed = NULL;
    struct imd_handover *h = imd_handover_new();
    int fd = listening();
    size_t at = 0;
    (void)state;
    imd_handover_add(h, fd, &(struct im_passed_origin){"a:1", true, 0, 0}, &error);
    imd_handover_add(h, fd, &(struct im_passed_origin){"a:1", true, 0, 0}, &error);
    imd_handover_add(h, fd, &(struct im_passed_origin){"b:2", true, 0, 0}, &error);
    assert_int_equal(imd_handover_pass(h, &passed, &error), IM_OK);
    int first = im_passed_take_name(passed, "a:1"), second = im_passed_take_name(passed, "a:1");
    assert_true(first >= 0 && second >= 0 && first != second && first != h->sockets[0].fd);
    assert_int_equal(im_passed_take_name(passed, "a:1"), -1);
    assert_true(im_passed_origin(passed, first)->ours);
    const struct im_passed_origin *left = im_passed_left(passed, &at);
    assert_string_equal(left->name, "b:2");
    imd_handover_leave(h, left);
    assert_null(im_passed_left(passed, &at));
    assert_true(!h->sockets[0].left && h->sockets[2].left);
    im_passed_free(&passed);
    imd_handover_free(&h);
    close(first);
    close(second);
    close(fd);
}

static void only_our_own_file_is_removed(void **state)
{
    char path[64];
    struct stat st;
    struct im_error error = {0};
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    (void)state;
    snprintf(path, sizeof path, "/tmp/imd-test-%ld.sock", (long)getpid());
    strcpy(address.sun_path, path);
    assert_return_code(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_return_code(lstat(path, &st), 0);
    for (int mine = 0; mine < 2; mine++) {
        struct imd_handover *h = imd_handover_new();
        struct im_passed_origin origin = {path, true, st.st_dev, st.st_ino + !mine};
        imd_handover_add(h, fd, &origin, &error);
        imd_handover_leave(h, &h->sockets[0].origin);
        imd_handover_done(h);
        assert_int_equal(access(path, F_OK), mine ? -1 : 0);
        assert_true(h->done && h->sockets[0].fd == -1);
        imd_handover_free(&h);
    }
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_left_is_found_as_it_was),
        cmocka_unit_test(what_is_for_another_process_or_no_sense_is_not_taken),
        cmocka_unit_test(a_listener_takes_a_copy_and_what_is_left_over_is_known),
        cmocka_unit_test(only_our_own_file_is_removed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
