#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/unit.h"
#include "tools/imd/keys.h"
#include "tools/imd/unix_users.h"

/* RFC 8410, 10.1, and its 32 bytes */
static const char pem[] = "-----BEGIN PUBLIC KEY-----\n"
                          "MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n"
                          "-----END PUBLIC KEY-----\n";
static const uint8_t point[32] = {0x19, 0xbf, 0x44, 0x09, 0x69, 0x84, 0xcd, 0xfe, 0x85, 0x41, 0xba,
                                  0xc1, 0x67, 0xdc, 0x3b, 0x96, 0xc8, 0x50, 0x86, 0xaa, 0x30, 0xb6,
                                  0xb6, 0xcb, 0x0c, 0x5c, 0x38, 0xad, 0x70, 0x31, 0x66, 0xe1};

static void expect_public(struct im_str bytes)
{
    struct im_key key;
    struct im_error error = {0};
    if (imd_key_read(IM_JWT_EDDSA, bytes, &key, &error) != IM_OK)
        fail_msg("%s", error.detail);
    assert_int_equal(key.alg, IM_JWT_EDDSA);
    assert_int_equal(key.len, sizeof point);
    assert_memory_equal(key.bytes, point, sizeof point);
    free(key.bytes);
}

static void a_public_key_is_read_as_pem_and_raw(void **state)
{
    (void)state;
    char text[400];
    expect_public(im_str(pem));
    expect_public((struct im_str){(const char *)point, sizeof point});
    snprintf(text, sizeof text, "a comment before\r\n%s", pem);
    expect_public(im_str(text));
}

static void refuse(enum im_jwt_alg alg, struct im_str bytes, const char *problem)
{
    struct im_key key;
    struct im_error error = {0};
    assert_int_equal(imd_key_read(alg, bytes, &key, &error), IM_CONFIG);
    if (!strstr(error.detail, problem))
        fail_msg("%s", error.detail);
}

static void what_is_no_public_key_is_refused(void **state)
{
    (void)state;
    refuse(IM_JWT_EDDSA, IM_STR(""), "neither a PEM public key nor");
    refuse(IM_JWT_EDDSA, (struct im_str){(const char *)point, 31}, "neither a PEM public key nor");
    refuse(IM_JWT_EDDSA, IM_STR("-----BEGIN PRIVATE KEY-----\nMC4C\n-----END PRIVATE KEY-----\n"), "private key");
    refuse(IM_JWT_EDDSA, IM_STR("-----BEGIN PUBLIC KEY-----\nMCow\n-----END PUBLIC KEY-----\n"), "Ed25519");
    refuse(IM_JWT_EDDSA, IM_STR("-----BEGIN PUBLIC KEY-----\n%%%%\n-----END PUBLIC KEY-----\n"), "Ed25519");
    char other[sizeof pem]; /* an X25519 key differs in its object identifier alone */
    memcpy(other, pem, sizeof pem);
    *strstr(other, "K2Vw") = 'L';
    refuse(IM_JWT_EDDSA, im_str(other), "Ed25519");
    for (size_t len = 0; len < sizeof pem - 1 - strlen("\n"); len++)
        if (len != 32)
            refuse(IM_JWT_EDDSA, (struct im_str){pem, len}, "");
}

static void a_secret_is_the_files_bytes_without_the_line_end_of_text(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t len, kept;
    } cases[] = {
        {"0123456789abcdef0123456789abcdef", 32, 32},
        {"0123456789abcdef0123456789abcdef\n", 33, 32},
        {"0123456789abcdef0123456789abcdef\r\n", 34, 32},
        {"0123456789abcdef0123456789abcdef\n\n", 34, 34}, /* not a text of one line */
        {"\x01"
         "123456789abcdef0123456789abcdef\n",
         33, 33},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct im_key key;
        struct im_error error;
        assert_int_equal(imd_key_read(IM_JWT_HS256, (struct im_str){cases[i].bytes, cases[i].len}, &key, &error),
                         IM_OK);
        assert_int_equal(key.len, cases[i].kept);
        assert_memory_equal(key.bytes, cases[i].bytes, key.len);
        free(key.bytes);
    }
    refuse(IM_JWT_HS256, IM_STR("0123456789abcdef0123456789abcde\n"), "has 31 bytes");
}

static void append(struct im_config *config, const char *path, const char *text)
{
    struct im_error error;
    const struct im_config_row *row = im_config_find(im_config_rows, im_config_row_count, im_str(path));
    assert_int_equal(im_config_append(row, config, im_str(text), &error), IM_OK);
}

static void write_file(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    assert_int_equal(fclose(f), 0);
}

static void keys_are_files_of_the_data_directory(void **state)
{
    (void)state;
    char dir[] = "/tmp/imd-keys-XXXXXX", path[60];
    struct im_config *config = im_config_new();
    struct im_keys keys;
    struct im_error error = {0};
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/site.pem", dir);
    write_file(path, pem);
    append(config, "auth.jwt_keys", "EdDSA:site.pem");
    append(config, "auth.jwt_keys", "HS256:shop.secret");
    assert_int_equal(imd_keys_load(config, dir, &keys, &error), IM_CONFIG);
    assert_string_equal(error.detail, "shop.secret: No such file or directory");
    assert_int_equal(keys.count, 0);
    snprintf(path, sizeof path, "%s/shop.secret", dir);
    write_file(path, "too short\n");
    assert_int_equal(imd_keys_load(config, dir, &keys, &error), IM_CONFIG);
    assert_non_null(strstr(error.detail, "shop.secret has 9 bytes"));
    write_file(path, "0123456789abcdef0123456789abcdef\n");
    assert_int_equal(imd_keys_load(config, dir, &keys, &error), IM_OK);
    assert_int_equal(keys.count, 2);
    assert_int_equal(keys.v[1].alg, IM_JWT_HS256);
    imd_keys_clear(&keys);
    im_config_free(&config);
    unlink(path);
    snprintf(path, sizeof path, "%s/site.pem", dir);
    unlink(path);
    rmdir(dir);
}

static void system_users_have_the_ids_they_are_given(void **state)
{
    (void)state;
    struct im_config *config = im_config_new();
    struct imd_unix_users users;
    struct im_error error;
    struct im_name id;
    append(config, "auth.unix_users", "root:管理员");
    assert_int_equal(imd_unix_users_load(config, &users, &error), IM_OK);
    assert_true(imd_unix_user(&users, 0, &id));
    assert_str(im_name_text(&id), "管理员");
    const struct passwd *daemon = getpwnam("daemon");
    assert_non_null(daemon);
    uint32_t uid = daemon->pw_uid;
    assert_false(imd_unix_user(&users, uid, &id));
    imd_unix_users_clear(&users);
    append(config, "auth.unix_users", "*");
    assert_int_equal(imd_unix_users_load(config, &users, &error), IM_OK);
    assert_true(imd_unix_user(&users, uid, &id));
    assert_str(im_name_text(&id), "daemon");
    assert_true(imd_unix_user(&users, 0, &id));
    assert_str(im_name_text(&id), "管理员");
    assert_false(imd_unix_user(&users, 3999999999u, &id));
    imd_unix_users_clear(&users);
    append(config, "auth.unix_users", "no-such-user:x");
    assert_int_equal(imd_unix_users_load(config, &users, &error), IM_CONFIG);
    assert_string_equal(error.detail, "no user \"no-such-user\" on this system");
    im_config_free(&config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_public_key_is_read_as_pem_and_raw),
        cmocka_unit_test(what_is_no_public_key_is_refused),
        cmocka_unit_test(a_secret_is_the_files_bytes_without_the_line_end_of_text),
        cmocka_unit_test(keys_are_files_of_the_data_directory),
        cmocka_unit_test(system_users_have_the_ids_they_are_given),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
