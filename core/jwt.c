#include "core/jwt.h"

#include <jansson.h>
#include <sodium/crypto_auth_hmacsha256.h>
#include <sodium/crypto_sign.h>
#include <sodium/utils.h>
#include <stdlib.h>

#include "core/mem.h"

_Static_assert(crypto_sign_PUBLICKEYBYTES == 32 && crypto_sign_BYTES == 64, "Ed25519 (RFC 8032)");

enum { TOKEN_MAX = 4096 };

static const char *const algorithms[] = {[IM_JWT_HS256] = "HS256", [IM_JWT_EDDSA] = "EdDSA"};

static bool find_algorithm(struct im_str name, enum im_jwt_alg *alg)
{
    for (size_t i = 0; i < sizeof algorithms / sizeof *algorithms; i++) {
        if (im_str_eq(name, im_str(algorithms[i]))) {
            *alg = (enum im_jwt_alg)i;
            return true;
        }
    }
    return false;
}

const char *im_jwt_key_spec(const char *spec, enum im_jwt_alg *alg)
{
    const char *colon = strchr(spec, ':');
    bool ok = colon && colon[1] != '\0' && find_algorithm((struct im_str){spec, (size_t)(colon - spec)}, alg);
    return ok ? colon + 1 : NULL;
}

/* The parts of a compact JWS (RFC 7515, 3.1), each still in base64url. */
struct parts {
    struct im_str header, payload, signature;
    struct im_str signed_part; /* header '.' payload */
};

bool im_jwt_is(struct im_str token)
{
    return token.len > 0 && memchr(token.p, '.', token.len) != NULL;
}

static bool split(struct im_str token, struct parts *out)
{
    const char *end = token.p + token.len;
    const char *first = memchr(token.p, '.', token.len);
    const char *second = first ? memchr(first + 1, '.', (size_t)(end - first - 1)) : NULL;
    if (!second || memchr(second + 1, '.', (size_t)(end - second - 1)))
        return false;
    out->header = (struct im_str){token.p, (size_t)(first - token.p)};
    out->payload = (struct im_str){first + 1, (size_t)(second - first - 1)};
    out->signature = (struct im_str){second + 1, (size_t)(end - second - 1)};
    out->signed_part = (struct im_str){token.p, (size_t)(second - token.p)};
    return true;
}

/* Strict base64url: no padding, no other characters, no bits left over. */
static bool decode(struct im_str in, uint8_t *out, size_t cap, size_t *len)
{
    return sodium_base642bin(out, cap, in.p, in.len, NULL, len, NULL, sodium_base64_VARIANT_URLSAFE_NO_PADDING) == 0;
}

/* NULL: not base64url of a JSON object. The caller's reference. */
static json_t *decode_object(struct im_str in)
{
    uint8_t bytes[TOKEN_MAX];
    size_t len;
    if (in.len == 0 || !decode(in, bytes, sizeof bytes, &len))
        return NULL;
    json_t *root = json_loadb((const char *)bytes, len, JSON_REJECT_DUPLICATES, NULL);
    if (json_is_object(root))
        return root;
    json_decref(root);
    return NULL;
}

static struct im_str text_of(const json_t *v)
{
    return json_is_string(v) ? (struct im_str){json_string_value(v), json_string_length(v)} : (struct im_str){0};
}

static bool says(const json_t *v, struct im_str text)
{
    return json_is_string(v) && im_str_eq(text_of(v), text);
}

static enum im_reason read_header(struct im_str header, enum im_jwt_alg *alg, struct im_error *error)
{
    enum im_reason reason = IM_OK;
    json_t *root = decode_object(header);
    if (root == NULL)
        reason = im_fail(error, IM_BAD_TOKEN, "the header is not base64url of a JSON object");
    else if (json_object_get(root, "crit")) /* RFC 7515, 4.1.11: we know no extensions */
        reason = im_fail(error, IM_BAD_TOKEN, "crit: names extensions that are not known here");
    else if (!find_algorithm(text_of(json_object_get(root, "alg")), alg))
        reason = im_fail(error, IM_BAD_TOKEN, "alg: is not HS256 or EdDSA");
    json_decref(root);
    return reason;
}

static bool hmac_ok(const struct im_key *key, struct im_str text, const uint8_t *signature, size_t len)
{
    crypto_auth_hmacsha256_state state;
    uint8_t mac[crypto_auth_hmacsha256_BYTES];
    if (len != sizeof mac)
        return false;
    crypto_auth_hmacsha256_init(&state, key->bytes, key->len);
    crypto_auth_hmacsha256_update(&state, (const uint8_t *)text.p, text.len);
    crypto_auth_hmacsha256_final(&state, mac);
    return sodium_memcmp(mac, signature, sizeof mac) == 0;
}

static bool key_signed(const struct im_key *key, struct im_str text, const uint8_t *signature, size_t len)
{
    if (key->alg == IM_JWT_HS256)
        return hmac_ok(key, text, signature, len);
    return key->len == crypto_sign_PUBLICKEYBYTES && len == crypto_sign_BYTES &&
           crypto_sign_verify_detached(signature, (const uint8_t *)text.p, text.len, key->bytes) == 0;
}

static enum im_reason check_signature(const struct parts *parts, const struct im_keys *keys, struct im_error *error)
{
    enum im_jwt_alg alg;
    uint8_t signature[crypto_sign_BYTES];
    size_t len;
    enum im_reason reason = read_header(parts->header, &alg, error);
    if (reason != IM_OK)
        return reason;
    if (!decode(parts->signature, signature, sizeof signature, &len))
        return im_fail(error, IM_BAD_TOKEN, "the signature is not base64url");
    for (size_t i = 0; i < keys->count; i++)
        if (keys->v[i].alg == alg && key_signed(&keys->v[i], parts->signed_part, signature, len))
            return IM_OK;
    return im_fail(error, IM_BAD_TOKEN, "the signature is of none of the keys");
}

/* A NumericDate (RFC 7519, 2), as milliseconds. */
static bool read_date(const json_t *v, int64_t *ms)
{
    const double most = 9e12; /* seconds; in milliseconds it fits */
    double seconds = json_number_value(v);
    if (!json_is_number(v) || !(seconds > -most && seconds < most))
        return false;
    *ms = (int64_t)(seconds * 1000);
    return true;
}

static bool names_audience(const json_t *aud, struct im_str audience)
{
    size_t i;
    json_t *one;
    if (says(aud, audience))
        return true;
    json_array_foreach((json_t *)aud, i, one)
    {
        if (says(one, audience))
            return true;
    }
    return false;
}

static enum im_reason check_times(const json_t *claims, int64_t now_ms, int64_t leeway_ms, struct im_jwt *out,
                                  struct im_error *error)
{
    const json_t *nbf = json_object_get(claims, "nbf");
    int64_t from_ms = 0;
    if (!read_date(json_object_get(claims, "exp"), &out->expires_ms))
        return im_fail(error, IM_BAD_TOKEN, "exp: is missing, or not a time");
    if (now_ms - leeway_ms >= out->expires_ms)
        return im_fail(error, IM_BAD_TOKEN, "exp: is past");
    if (nbf && !read_date(nbf, &from_ms))
        return im_fail(error, IM_BAD_TOKEN, "nbf: is not a time");
    if (nbf && now_ms + leeway_ms < from_ms)
        return im_fail(error, IM_BAD_TOKEN, "nbf: is still to come");
    return IM_OK;
}

static enum im_reason check_user(const json_t *sub, struct im_jwt *out, struct im_error *error)
{
    struct im_error why = {0};
    if (!json_is_string(sub))
        return im_fail(error, IM_BAD_TOKEN, "sub: is missing, or not a string");
    if (im_name_parse(text_of(sub), &out->user, &why) != IM_OK)
        return im_fail(error, IM_BAD_TOKEN, "sub: %.200s", why.detail);
    return IM_OK;
}

enum im_reason im_jwt_verify(struct im_str token, const struct im_keys *keys, struct im_str audience, int64_t now_ms,
                             int64_t leeway_ms, struct im_jwt *out, struct im_error *error)
{
    struct parts parts;
    if (token.len > TOKEN_MAX || !im_jwt_is(token) || !split(token, &parts))
        return im_fail(error, IM_BAD_TOKEN, "not three parts");
    enum im_reason reason = check_signature(&parts, keys, error);
    if (reason != IM_OK)
        return reason;
    json_t *claims = decode_object(parts.payload);
    if (claims == NULL)
        return im_fail(error, IM_BAD_TOKEN, "the claims are not base64url of a JSON object");
    reason = check_times(claims, now_ms, leeway_ms, out, error);
    if (reason == IM_OK && !names_audience(json_object_get(claims, "aud"), audience))
        reason = im_fail(error, IM_BAD_TOKEN, "aud: does not name \"%.*s\"", (int)audience.len, audience.p);
    if (reason == IM_OK)
        reason = check_user(json_object_get(claims, "sub"), out, error);
    json_decref(claims);
    return reason;
}
