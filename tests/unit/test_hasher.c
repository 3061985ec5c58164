#include <assert.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "core/mem.h"
#include "tests/unit/unit.h"
#include "tools/imd/hasher.h"

struct world {
    struct im_config *config;
    struct imd_hasher *hasher;
    int wake;
};

static void wake(void *arg)
{
    assert(write(((struct world *)arg)->wake, &(uint64_t){1}, sizeof(uint64_t)) == sizeof(uint64_t));
}

static int set_up(void **state)
{
    struct world *w = im_zalloc(sizeof *w);
    struct im_error error = {0};
    w->config = im_config_new();
    w->config->argon2_ops = 1;
    w->config->argon2_bytes = 8192;
    w->config->hash_threads = 2;
    w->wake = eventfd(0, EFD_CLOEXEC);
    assert_true(w->wake >= 0);
    w->hasher = imd_hasher_new(w->config, wake, w, &error);
    assert_non_null(w->hasher);
    *state = w;
    return 0;
}

static int tear_down(void **state)
{
    struct world *w = *state;
    imd_hasher_free(&w->hasher);
    assert_null(w->hasher);
    im_config_free(&w->config);
    close(w->wake);
    free(w);
    return 0;
}

static void job_done(struct im_hash_job *job)
{
    ++*(unsigned *)job->owner;
}

static enum im_reason submit(struct world *w, struct im_hash_job *job)
{
    struct im_hasher *hasher = imd_hasher_core(w->hasher);
    job->done = job_done;
    return hasher->submit(hasher, job);
}

static void await(struct world *w, const unsigned *done, unsigned count)
{
    struct pollfd poll_fd = {.fd = w->wake, .events = POLLIN};
    uint64_t n;
    while (*done < count) {
        assert_int_equal(poll(&poll_fd, 1, 60000), 1);
        assert_int_equal(read(w->wake, &n, sizeof n), sizeof n);
        imd_hasher_drain(w->hasher);
    }
}

/* One job, start to end. */
static struct im_hash_job hash(struct world *w, const char *password, const char *against)
{
    unsigned done = 0;
    struct im_hash_job job = {.password = im_str(password), .verify = against != NULL, .owner = &done};
    if (against)
        snprintf(job.encoded, sizeof job.encoded, "%s", against);
    assert_int_equal(submit(w, &job), IM_OK);
    await(w, &done, 1);
    assert_int_equal(done, 1);
    return job;
}

static void a_hash_verifies_its_password_and_no_other(void **state)
{
    struct im_hash_job made = hash(*state, "秘密 secret", NULL);
    assert_int_equal(made.status, IM_OK);
    assert_memory_equal(made.encoded, "$argon2id$v=19$m=8,t=1,p=1$", 27);
    struct im_hash_job right = hash(*state, "秘密 secret", made.encoded);
    assert_int_equal(right.status, IM_OK);
    assert_false(right.stale);
    assert_int_equal(hash(*state, "秘密 secreT", made.encoded).status, IM_BAD_LOGIN);
    assert_int_equal(hash(*state, "", made.encoded).status, IM_BAD_LOGIN);
}

/* With a salt of another length than ours: from the tests of Argon2's reference implementation. */
static void a_hash_made_elsewhere_verifies(void **state)
{
    static const char made[] = "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4";
    struct im_hash_job right = hash(*state, "password", made);
    assert_int_equal(right.status, IM_OK);
    assert_true(right.stale);
    assert_int_equal(hash(*state, "passwore", made).status, IM_BAD_LOGIN);
}

static void the_same_password_gives_another_hash_each_time(void **state)
{
    struct im_hash_job one = hash(*state, "secret", NULL), other = hash(*state, "secret", NULL);
    assert_string_not_equal(one.encoded, other.encoded);
}

static void nobodys_password_is_wrong(void **state)
{
    assert_int_equal(hash(*state, "secret", "").status, IM_BAD_LOGIN);
    assert_int_equal(hash(*state, "", "").status, IM_BAD_LOGIN);
    assert_int_equal(hash(*state, "secret", "not a hash").status, IM_BAD_LOGIN);
}

static void a_right_password_with_old_parameters_comes_back_with_a_new_hash(void **state)
{
    struct world *w = *state;
    struct im_hash_job made = hash(w, "secret", NULL);
    w->config->argon2_ops = 2;
    w->config->argon2_bytes = 16384;
    imd_hasher_configure(w->hasher, w->config);
    assert_false(hash(w, "wrong", made.encoded).stale);
    struct im_hash_job renewed = hash(w, "secret", made.encoded);
    assert_int_equal(renewed.status, IM_OK);
    assert_true(renewed.stale);
    assert_memory_equal(renewed.encoded, "$argon2id$v=19$m=16,t=2,p=1$", 28);
    struct im_hash_job again = hash(w, "secret", renewed.encoded);
    assert_int_equal(again.status, IM_OK);
    assert_false(again.stale);
}

static void the_queue_is_bounded_and_every_job_is_done_once(void **state)
{
    struct world *w = *state;
    enum { MOST = 8 };
    struct im_hash_job jobs[MOST + 1];
    unsigned done = 0;
    w->config->hash_queue = MOST;
    imd_hasher_configure(w->hasher, w->config);
    for (unsigned round = 0; round < 3; round++) {
        done = 0;
        for (unsigned i = 0; i <= MOST; i++) { /* nothing leaves before it is drained */
            jobs[i] = (struct im_hash_job){.password = IM_STR("secret"), .owner = &done};
            assert_int_equal(submit(w, &jobs[i]), i < MOST ? IM_OK : IM_BUSY);
        }
        await(w, &done, MOST);
        for (unsigned i = 0; i < MOST; i++)
            assert_int_equal(jobs[i].status, IM_OK);
    }
}

static void it_ends_with_work_waiting(void **state)
{
    struct world *w = *state;
    struct im_hash_job jobs[32];
    unsigned done = 0;
    struct im_error error;
    for (unsigned i = 0; i < 32; i++) {
        jobs[i] = (struct im_hash_job){.password = IM_STR("secret"), .owner = &done};
        assert_int_equal(submit(w, &jobs[i]), IM_OK);
    }
    imd_hasher_free(&w->hasher);
    assert_int_equal(done, 0);
    w->hasher = imd_hasher_new(w->config, wake, w, &error);
    assert_non_null(w->hasher);
}

static void what_cannot_be_computed_is_a_failure_and_not_a_wrong_password(void **state)
{
    struct world *w = *state;
    struct im_hash_job made = hash(w, "secret", NULL);
    char *passes = strstr(made.encoded, "t=1");
    passes[2] = '0'; /* refused like memory that is not there */
    assert_int_equal(hash(w, "secret", made.encoded).status, IM_SYSTEM);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_hash_verifies_its_password_and_no_other, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_hash_made_elsewhere_verifies, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_same_password_gives_another_hash_each_time, set_up, tear_down),
        cmocka_unit_test_setup_teardown(nobodys_password_is_wrong, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_right_password_with_old_parameters_comes_back_with_a_new_hash, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(the_queue_is_bounded_and_every_job_is_done_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(it_ends_with_work_waiting, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_cannot_be_computed_is_a_failure_and_not_a_wrong_password, set_up,
                                        tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
