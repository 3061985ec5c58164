#include <sodium.h>
#include <stdlib.h>

#include "core/bytes.h"
#include "core/jwt.h"
#include "tests/unit/unit.h"

/* 2023-11-14T22:13:20Z */
#define NOW 1700000000
#define AUD IM_STR("imd")

static const char secret[] = "0123456789abcdef0123456789abcdef";
static uint8_t public_key[32], private_key[64];

static int make_keys(void **state)
{
    static const uint8_t seed[32] = {7};
    (void)state;
    return crypto_sign_seed_keypair(public_key, private_key, seed);
}

static struct im_keys both_keys(void)
{
    return (struct im_keys){.count = 2,
                            .v = {{IM_JWT_HS256, (uint8_t *)(uintptr_t)secret, sizeof secret - 1},
                                  {IM_JWT_EDDSA, public_key, sizeof public_key}}};
}

static void put_base64(struct im_out *out, const void *data, size_t len)
{
    char text[4096];
    sodium_bin2base64(text, sizeof text, data, len, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    im_out_str(out, text);
}

static void sign(enum im_jwt_alg alg, const char *key, size_t key_len, const struct im_out *text, struct im_out *out)
{
    uint8_t signature[64];
    if (alg == IM_JWT_EDDSA) {
        crypto_sign_detached(signature, NULL, (const uint8_t *)im_out_data(text), text->len, private_key);
        put_base64(out, signature, 64);
        return;
    }
    crypto_auth_hmacsha256_state state;
    crypto_auth_hmacsha256_init(&state, (const uint8_t *)key, key_len);
    crypto_auth_hmacsha256_update(&state, (const uint8_t *)im_out_data(text), text->len);
    crypto_auth_hmacsha256_final(&state, signature);
    put_base64(out, signature, 32);
}

/* header.claims, signed with the secret or with the private key. */
static struct im_out token_of(const char *header, const char *claims, enum im_jwt_alg alg)
{
    struct im_out out = {0}, signature = {0};
    put_base64(&out, header, strlen(header));
    im_out_char(&out, '.');
    put_base64(&out, claims, strlen(claims));
    sign(alg, secret, sizeof secret - 1, &out, &signature);
    im_out_char(&out, '.');
    im_out_put(&out, im_out_data(&signature), signature.len);
    im_out_clear(&signature);
    return out;
}

static enum im_reason verify_with(struct im_str token, const struct im_keys *keys, struct im_jwt *jwt,
                                  struct im_error *error)
{
    *error = (struct im_error){0};
    return im_jwt_verify(token, keys, AUD, NOW * (int64_t)1000, 30000, jwt, error);
}

static void expect(const char *header, const char *claims, enum im_jwt_alg alg, const char *problem)
{
    struct im_jwt jwt;
    struct im_error error;
    struct im_keys keys = both_keys();
    struct im_out token = token_of(header, claims, alg);
    enum im_reason reason = verify_with((struct im_str){im_out_data(&token), token.len}, &keys, &jwt, &error);
    if (problem == NULL && reason != IM_OK)
        fail_msg("%s %s: %s", header, claims, error.detail);
    if (problem && (reason != IM_BAD_TOKEN || !strstr(error.detail, problem)))
        fail_msg("%s %s: %s, not %s", header, claims, error.detail, problem);
    im_out_clear(&token);
}

#define HS256  "{\"alg\":\"HS256\",\"typ\":\"JWT\"}"
#define EDDSA  "{\"alg\":\"EdDSA\"}"
#define CLAIMS "{\"sub\":\"小明\",\"aud\":\"imd\",\"exp\":1700000060}"

static void a_good_token_tells_user_and_end(void **state)
{
    (void)state;
    struct im_jwt jwt;
    struct im_error error;
    struct im_keys keys = both_keys();
    struct im_out token = token_of(EDDSA, CLAIMS, IM_JWT_EDDSA);
    struct im_str view = {im_out_data(&token), token.len};
    assert_true(im_jwt_is(view));
    assert_int_equal(verify_with(view, &keys, &jwt, &error), IM_OK);
    assert_str(im_name_text(&jwt.user), "小明");
    assert_int_equal(jwt.expires_ms, 1700000060000);
    im_out_clear(&token);
    expect(HS256, CLAIMS, IM_JWT_HS256, NULL);
}

/* RFC 7515, A.1: the signature is right; the claims lack what we ask for. */
static void the_example_of_rfc_7515_verifies(void **state)
{
    (void)state;
    static const char k[] = "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow";
    char token[] = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9"
                   ".eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
                   ".dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    uint8_t bytes[64];
    size_t len;
    assert_int_equal(sodium_base642bin(bytes, sizeof bytes, k, strlen(k), NULL, &len, NULL,
                                       sodium_base64_VARIANT_URLSAFE_NO_PADDING),
                     0);
    struct im_keys keys = {.count = 1, .v = {{IM_JWT_HS256, bytes, len}}};
    struct im_jwt jwt;
    struct im_error error = {0};
    im_jwt_verify(im_str(token), &keys, AUD, 1300819379000, 0, &jwt, &error);
    assert_non_null(strstr(error.detail, "aud:"));
    im_jwt_verify(im_str(token), &keys, AUD, 1300819380000, 0, &jwt, &error);
    assert_non_null(strstr(error.detail, "exp: is past"));
    token[strlen(token) - 5] ^= 1;
    im_jwt_verify(im_str(token), &keys, AUD, 1300819379000, 0, &jwt, &error);
    assert_non_null(strstr(error.detail, "of none of the keys"));
}

/* RFC 8037, A.4: the signature is right; what is signed is not JSON. */
static void the_example_of_rfc_8037_verifies(void **state)
{
    (void)state;
    static const char x[] = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
    char token[] = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc"
                   ".hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";
    uint8_t bytes[32];
    size_t len;
    assert_int_equal(sodium_base642bin(bytes, sizeof bytes, x, strlen(x), NULL, &len, NULL,
                                       sodium_base64_VARIANT_URLSAFE_NO_PADDING),
                     0);
    struct im_keys keys = {.count = 1, .v = {{IM_JWT_EDDSA, bytes, len}}};
    struct im_jwt jwt;
    struct im_error error;
    verify_with(im_str(token), &keys, &jwt, &error);
    assert_non_null(strstr(error.detail, "claims are not"));
    token[strlen(token) - 5] ^= 1;
    verify_with(im_str(token), &keys, &jwt, &error);
    assert_non_null(strstr(error.detail, "of none of the keys"));
}

static void a_token_without_signature_is_refused(void **state)
{
    (void)state;
    struct im_jwt jwt;
    struct im_error error;
    struct im_keys keys = both_keys();
    for (int with_key = 0; with_key < 2; with_key++) {
        struct im_out token = {0};
        put_base64(&token, with_key ? HS256 : "{\"alg\":\"none\"}", strlen(with_key ? HS256 : "{\"alg\":\"none\"}"));
        im_out_char(&token, '.');
        put_base64(&token, CLAIMS, strlen(CLAIMS));
        im_out_char(&token, '.');
        assert_int_equal(verify_with((struct im_str){im_out_data(&token), token.len}, &keys, &jwt, &error),
                         IM_BAD_TOKEN);
        im_out_clear(&token);
    }
    expect("{\"alg\":\"none\"}", CLAIMS, IM_JWT_HS256, "alg:");
    expect("{\"alg\":\"None\"}", CLAIMS, IM_JWT_HS256, "alg:");
    expect("{}", CLAIMS, IM_JWT_HS256, "alg:");
    expect("{\"alg\":[\"HS256\"]}", CLAIMS, IM_JWT_HS256, "alg:");
    expect("{\"alg\":\"HS512\"}", CLAIMS, IM_JWT_HS256, "alg:");
}

/* Somebody who knows the public key signs with it as if it were a secret. */
static void a_public_key_is_no_secret(void **state)
{
    (void)state;
    struct im_jwt jwt;
    struct im_error error;
    struct im_keys keys = {.count = 1, .v = {{IM_JWT_EDDSA, public_key, sizeof public_key}}};
    struct im_out token = {0}, signature = {0};
    put_base64(&token, HS256, strlen(HS256));
    im_out_char(&token, '.');
    put_base64(&token, CLAIMS, strlen(CLAIMS));
    sign(IM_JWT_HS256, (const char *)public_key, sizeof public_key, &token, &signature);
    im_out_char(&token, '.');
    im_out_put(&token, im_out_data(&signature), signature.len);
    assert_int_equal(verify_with((struct im_str){im_out_data(&token), token.len}, &keys, &jwt, &error), IM_BAD_TOKEN);
    assert_non_null(strstr(error.detail, "of none of the keys"));
    im_out_clear(&token);
    im_out_clear(&signature);
}

static void the_header_does_not_choose_a_key_of_another_algorithm(void **state)
{
    (void)state;
    expect(HS256, CLAIMS, IM_JWT_EDDSA, "of none of the keys");
    expect(EDDSA, CLAIMS, IM_JWT_HS256, "of none of the keys");
    expect("{\"alg\":\"HS256\",\"jwk\":{\"kty\":\"oct\",\"k\":\"AA\"}}", CLAIMS, IM_JWT_EDDSA, "of none of the keys");
    expect("{\"alg\":\"HS256\",\"crit\":[\"b64\"],\"b64\":false}", CLAIMS, IM_JWT_HS256, "crit:");
}

static void times_are_checked_with_leeway(void **state)
{
    (void)state;
    static const struct {
        const char *claims, *problem;
    } cases[] = {
        {"{\"sub\":\"a\",\"aud\":\"imd\"}", "exp: is missing"},
        {"{\"sub\":\"a\",\"aud\":\"imd\",\"exp\":\"1700000060\"}", "exp: is missing"},
        {"{\"sub\":\"a\",\"aud\":\"imd\",\"exp\":1e300}", "exp: is missing"},
        {"{\"sub\":\"a\",\"aud\":\"imd\",\"exp\":1699999970}", "exp: is past"},
        {"{\"sub\":\"a\",\"aud\":\"imd\",\"exp\":1699999970.5}", NULL},
        {"{\"sub\":\"a\",\"aud\":\"imd\",\"exp\":1699999971}", NULL},
        {"{\"sub\":\"a\",\"aud\":\"imd\",\"exp\":1800000000,\"nbf\":1700000030}", NULL},
        {"{\"sub\":\"a\",\"aud\":\"imd\",\"exp\":1800000000,\"nbf\":1700000031}", "nbf: is still to come"},
        {"{\"sub\":\"a\",\"aud\":\"imd\",\"exp\":1800000000,\"nbf\":null}", "nbf: is not a time"},
        {"{\"sub\":\"a\",\"aud\":\"imd\",\"exp\":-5}", "exp: is past"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        expect(HS256, cases[i].claims, IM_JWT_HS256, cases[i].problem);
}

static void audience_and_user_are_checked(void **state)
{
    (void)state;
    static const struct {
        const char *claims, *problem;
    } cases[] = {
        {"{\"sub\":\"a\",\"exp\":1800000000}", "aud:"},
        {"{\"sub\":\"a\",\"exp\":1800000000,\"aud\":\"other\"}", "aud:"},
        {"{\"sub\":\"a\",\"exp\":1800000000,\"aud\":\"IMD\"}", "aud:"},
        {"{\"sub\":\"a\",\"exp\":1800000000,\"aud\":[]}", "aud:"},
        {"{\"sub\":\"a\",\"exp\":1800000000,\"aud\":{\"imd\":\"imd\"}}", "aud:"},
        {"{\"sub\":\"a\",\"exp\":1800000000,\"aud\":[1,\"other\",\"imd\"]}", NULL},
        {"{\"exp\":1800000000,\"aud\":\"imd\"}", "sub:"},
        {"{\"sub\":7,\"exp\":1800000000,\"aud\":\"imd\"}", "sub:"},
        {"{\"sub\":\"\",\"exp\":1800000000,\"aud\":\"imd\"}", "sub:"},
        {"{\"sub\":\"a b\",\"exp\":1800000000,\"aud\":\"imd\"}", "sub:"},
        {"{\"sub\":\"#g\",\"exp\":1800000000,\"aud\":\"imd\"}", "sub:"},
        {"{\"sub\":\"a\",\"sub\":\"b\",\"exp\":1800000000,\"aud\":\"imd\"}", "claims are not"},
        {"[\"a\"]", "claims are not"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        expect(HS256, cases[i].claims, IM_JWT_HS256, cases[i].problem);
}

static void what_is_not_three_parts_in_base64url_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {".",          "..",          "...",        "a.b",
                                      "a.b.c.d",    "e30.e30.",    ".e30.e30",   "e30=.e30.AA",
                                      "e3+.e30.AA", "e30 .e30.AA", "e31.e30.AA", "e30.e30.A"};
    struct im_jwt jwt;
    struct im_error error;
    struct im_keys keys = both_keys();
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(verify_with(im_str(bad[i]), &keys, &jwt, &error), IM_BAD_TOKEN);
    assert_int_equal(verify_with((struct im_str){0}, &keys, &jwt, &error), IM_BAD_TOKEN);
    assert_false(im_jwt_is(IM_STR("m0JUFvy9b1VSQHxyPlVEmzOE6oAhMDrhLVYnY5vFMdU")));
}

static void a_signature_in_other_bits_is_refused(void **state)
{
    (void)state;
    struct im_jwt jwt;
    struct im_error error;
    struct im_keys keys = both_keys();
    struct im_out token = token_of(HS256, CLAIMS, IM_JWT_HS256);
    char *copy = strndup(im_out_data(&token), token.len);
    for (size_t i = 0; i < token.len; i++) {
        copy[i] = copy[i] == 'A' ? 'B' : 'A';
        if (copy[i] != im_out_data(&token)[i])
            assert_int_equal(verify_with((struct im_str){copy, token.len}, &keys, &jwt, &error), IM_BAD_TOKEN);
        copy[i] = im_out_data(&token)[i];
    }
    for (size_t len = 0; len < token.len; len++)
        assert_int_equal(verify_with((struct im_str){copy, len}, &keys, &jwt, &error), IM_BAD_TOKEN);
    assert_int_equal(verify_with((struct im_str){copy, token.len}, &keys, &jwt, &error), IM_OK);
    free(copy);
    im_out_clear(&token);
}

static void a_token_that_is_too_long_is_not_looked_at(void **state)
{
    (void)state;
    struct im_jwt jwt;
    struct im_error error;
    struct im_keys keys = both_keys();
    char text[5000];
    memset(text, 'A', sizeof text);
    text[10] = text[20] = '.';
    assert_int_equal(verify_with((struct im_str){text, sizeof text}, &keys, &jwt, &error), IM_BAD_TOKEN);
}

static void a_key_of_the_configuration_names_algorithm_and_file(void **state)
{
    (void)state;
    enum im_jwt_alg alg;
    assert_string_equal(im_jwt_key_spec("HS256:keys/a:b", &alg), "keys/a:b");
    assert_int_equal(alg, IM_JWT_HS256);
    assert_string_equal(im_jwt_key_spec("EdDSA:/etc/k.pem", &alg), "/etc/k.pem");
    assert_int_equal(alg, IM_JWT_EDDSA);
    static const char *const bad[] = {"", "HS256", "HS256:", ":file", "hs256:file", "none:file", "RS256:file"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_null(im_jwt_key_spec(bad[i], &alg));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_good_token_tells_user_and_end),
        cmocka_unit_test(the_example_of_rfc_7515_verifies),
        cmocka_unit_test(the_example_of_rfc_8037_verifies),
        cmocka_unit_test(a_token_without_signature_is_refused),
        cmocka_unit_test(a_public_key_is_no_secret),
        cmocka_unit_test(the_header_does_not_choose_a_key_of_another_algorithm),
        cmocka_unit_test(times_are_checked_with_leeway),
        cmocka_unit_test(audience_and_user_are_checked),
        cmocka_unit_test(what_is_not_three_parts_in_base64url_is_refused),
        cmocka_unit_test(a_signature_in_other_bits_is_refused),
        cmocka_unit_test(a_token_that_is_too_long_is_not_looked_at),
        cmocka_unit_test(a_key_of_the_configuration_names_algorithm_and_file),
    };
    return cmocka_run_group_tests(tests, make_keys, NULL);
}
