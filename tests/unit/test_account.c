#include <stdio.h>
#include <stdlib.h>

#include "core/account.h"
#include "tests/unit/unit.h"

static struct im_str view(const struct im_out *out)
{
    return (struct im_str){im_out_data(out), out->len};
}

static void an_account_reads_as_it_was_written(void **state)
{
    (void)state;
    struct im_account in = {
        .password = "$argon2id$v=19$…\"\\", .disabled = true, .bot = true, .created_ms = 1700000000001};
    struct im_account out;
    struct im_out text = {0};
    im_account_write(&in, &text);
    assert_true(im_account_read(view(&text), &out));
    assert_string_equal(out.password, in.password);
    assert_true(out.disabled && out.bot && !out.deleted);
    assert_int_equal(out.created_ms, in.created_ms);
    im_out_clear(&text);
}

static void unknown_members_are_ignored(void **state)
{
    (void)state;
    struct im_account out;
    assert_true(im_account_read(IM_STR("{\"password\":\"\",\"deleted\":true,\"colour\":[\"red\"]}"), &out));
    assert_true(out.deleted && !out.disabled && *out.password == '\0');
}

static void what_is_not_an_account_is_not_read(void **state)
{
    (void)state;
    char text[400];
    struct im_account out;
    static const char *const bad[] = {"",
                                      "null",
                                      "[]",
                                      "{}",
                                      "{\"password\":1}",
                                      "{\"password\":\"a\",\"password\":\"b\"}",
                                      "{\"password\":\"a\"",
                                      "{\"password\":\"a\\u0000b\"}"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(im_account_read(im_str(bad[i]), &out));
    assert_false(im_account_read((struct im_str){0}, &out));
    snprintf(text, sizeof text, "{\"password\":\"%0*d\"}", IM_HASH_TEXT_MAX - 1, 0);
    assert_true(im_account_read(im_str(text), &out));
    snprintf(text, sizeof text, "{\"password\":\"%0*d\"}", IM_HASH_TEXT_MAX, 0);
    assert_false(im_account_read(im_str(text), &out)); /* would not fit */
}

static struct im_name name(const char *s)
{
    struct im_name n;
    assert_int_equal(im_conv_parse(im_str(s), &n, NULL), IM_OK);
    return n;
}

static void tokens_of_each_use_read_as_they_were_written(void **state)
{
    (void)state;
    for (enum im_token_use use = IM_TOKEN_SESSION; use <= IM_TOKEN_HOOK; use++) {
        struct im_token in = {.use = use, .user = name("小明"), .to = name("#Lab"), .label = "ci", .created_ms = 5},
                        out;
        struct im_out text = {0};
        im_token_write(&in, &text);
        assert_true(im_token_read(view(&text), &out));
        assert_int_equal(out.use, use);
        assert_str(im_name_text(&out.user), "小明");
        assert_str(im_name_key(&out.to), use == IM_TOKEN_HOOK ? "#lab" : "");
        assert_string_equal(out.label, "ci");
        assert_int_equal(out.created_ms, 5);
        im_out_clear(&text);
    }
}

static void what_is_not_a_token_is_not_read(void **state)
{
    (void)state;
    struct im_token out;
    static const char *const bad[] = {"{}",
                                      "{\"use\":\"session\"}",
                                      "{\"use\":\"root\",\"user\":\"a\"}",
                                      "{\"use\":\"api\",\"user\":\"a b\"}",
                                      "{\"use\":\"hook\",\"user\":\"a\"}",
                                      "{\"use\":\"hook\",\"user\":\"a\",\"to\":\"#\"}"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(im_token_read(im_str(bad[i]), &out));
}

static void an_invitation_reads_as_it_was_written(void **state)
{
    (void)state;
    struct im_invite in = {.uses = UINT32_MAX, .created_ms = 7}, out;
    struct im_out text = {0};
    im_invite_write(&in, &text);
    assert_true(im_invite_read(view(&text), &out));
    assert_int_equal(out.uses, UINT32_MAX);
    assert_int_equal(out.created_ms, 7);
    im_out_clear(&text);
    static const char *const bad[] = {"{}", "{\"uses\":-1}", "{\"uses\":4294967296}", "{\"uses\":\"1\"}",
                                      "{\"uses\":1.5}"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(im_invite_read(im_str(bad[i]), &out));
}

static void a_secret_is_43_characters_that_need_no_escape(void **state)
{
    (void)state;
    uint8_t random[32];
    char secret[IM_SECRET_MAX], key[IM_SECRET_KEY];
    memset(random, 0xfb, sizeof random);
    im_secret_write(random, secret);
    assert_int_equal(strlen(secret), 43);
    assert_int_equal(strspn(secret, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"), 43);
    im_secret_key(IM_STR("abc"), key); /* FIPS 180-2, B.1 */
    assert_string_equal(key, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

static void unix_users_are_system_user_and_id(void **state)
{
    (void)state;
    struct im_str user;
    struct im_name id;
    struct im_error error;
    assert_int_equal(im_unix_user_spec("www-data:小明", &user, &id, &error), IM_OK);
    assert_str(user, "www-data");
    assert_str(im_name_text(&id), "小明");
    assert_int_equal(im_unix_user_spec("*", &user, &id, &error), IM_OK);
    assert_null(user.p);
    static const char *const bad[] = {"", "www-data", ":a", "a:", "a:b c", "a:#g"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(im_unix_user_spec(bad[i], &user, &id, &error), IM_CONFIG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_account_reads_as_it_was_written),
        cmocka_unit_test(unknown_members_are_ignored),
        cmocka_unit_test(what_is_not_an_account_is_not_read),
        cmocka_unit_test(tokens_of_each_use_read_as_they_were_written),
        cmocka_unit_test(what_is_not_a_token_is_not_read),
        cmocka_unit_test(an_invitation_reads_as_it_was_written),
        cmocka_unit_test(a_secret_is_43_characters_that_need_no_escape),
        cmocka_unit_test(unix_users_are_system_user_and_id),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
