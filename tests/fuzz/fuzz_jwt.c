#include <assert.h>
#include <sodium.h>
#include <string.h>

#include "core/bytes.h"
#include "core/jwt.h"

/* A byte chooses: the input is a token as it came; or it is claims or a header that somebody with the key has signed
 * (the check of the signature would let nothing else through). What is accepted keeps what is promised. */

#define NOW 1700000000000

static uint8_t secret[32] = {1};

static void put_base64(struct im_out *out, struct im_str s)
{
    char text[8192];
    sodium_bin2base64(text, sizeof text, (const uint8_t *)s.p, s.len, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    im_out_str(out, text);
}

static void make(struct im_out *out, struct im_str header, struct im_str claims)
{
    uint8_t mac[32];
    put_base64(out, header);
    im_out_char(out, '.');
    put_base64(out, claims);
    crypto_auth_hmacsha256(mac, (const uint8_t *)im_out_data(out), out->len, secret);
    im_out_char(out, '.');
    put_base64(out, (struct im_str){(const char *)mac, sizeof mac});
}

static void judge(struct im_str token)
{
    uint8_t public_key[32] = {2};
    const struct im_keys keys = {.count = 2,
                                 .v = {{IM_JWT_HS256, secret, sizeof secret}, {IM_JWT_EDDSA, public_key, 32}}};
    struct im_jwt jwt;
    struct im_error error = {0};
    enum im_reason reason = im_jwt_verify(token, &keys, IM_STR("imd"), NOW, 30000, &jwt, &error);
    if (reason == IM_OK) {
        struct im_name again;
        assert(jwt.expires_ms > NOW - 30000);
        assert(im_name_parse(im_name_text(&jwt.user), &again, NULL) == IM_OK);
        assert(im_str_eq(im_name_key(&again), im_name_key(&jwt.user)));
    } else {
        assert(reason == IM_BAD_TOKEN && error.detail[0] != '\0');
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct im_out out = {0};
    if (size == 0 || size > 5000)
        return 0;
    struct im_str input = {(const char *)data + 1, size - 1};
    if (data[0] % 3 == 0)
        im_out_put(&out, input.p, input.len);
    else if (data[0] % 3 == 1)
        make(&out, IM_STR("{\"alg\":\"HS256\"}"), input);
    else
        make(&out, input, IM_STR("{\"sub\":\"a\",\"aud\":\"imd\",\"exp\":1800000000}"));
    judge((struct im_str){im_out_data(&out), out.len});
    im_out_clear(&out);
    return 0;
}
