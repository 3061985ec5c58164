#include "tools/imd/keys.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <sodium/utils.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/mem.h"

enum { FILE_MAX = 4096, SECRET_MIN = 32, POINT = 32 };

/* Between two lines; absent: they are not there. */
static struct im_str between(struct im_str all, const char *begin, const char *end)
{
    const char *from = memmem(all.p, all.len, begin, strlen(begin));
    if (!from)
        return (struct im_str){0};
    from += strlen(begin);
    const char *to = memmem(from, (size_t)(all.p + all.len - from), end, strlen(end));
    return to ? (struct im_str){from, (size_t)(to - from)} : (struct im_str){0};
}

/* An Ed25519 key is always this much DER around its 32 bytes (RFC 8410, 4). */
static enum im_reason read_pem(struct im_str base64, uint8_t point[POINT], struct im_error *error)
{
    static const uint8_t head[] = {0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00};
    uint8_t der[sizeof head + POINT];
    size_t len;
    if (sodium_base642bin(der, sizeof der, base64.p, base64.len, "\r\n\t ", &len, NULL,
                          sodium_base64_VARIANT_ORIGINAL) != 0 ||
        len != sizeof der || memcmp(der, head, sizeof head) != 0)
        return im_fail(error, IM_CONFIG, "is not the PEM form of an Ed25519 public key");
    memcpy(point, der + sizeof head, POINT);
    return IM_OK;
}

static enum im_reason read_public(struct im_str bytes, struct im_key *out, struct im_error *error)
{
    uint8_t point[POINT];
    struct im_str pem = between(bytes, "-----BEGIN PUBLIC KEY-----", "-----END PUBLIC KEY-----");
    if (pem.p) {
        enum im_reason reason = read_pem(pem, point, error);
        if (reason != IM_OK)
            return reason;
    } else if (memmem(bytes.p, bytes.len, "PRIVATE KEY-----", 16)) {
        return im_fail(error, IM_CONFIG, "is a private key; only the public one belongs here");
    } else if (bytes.len == sizeof point) {
        memcpy(point, bytes.p, sizeof point);
    } else {
        return im_fail(error, IM_CONFIG, "is neither a PEM public key nor the 32 bytes of one");
    }
    *out = (struct im_key){.alg = IM_JWT_EDDSA, .bytes = im_alloc(sizeof point), .len = sizeof point};
    memcpy(out->bytes, point, sizeof point);
    return IM_OK;
}

/* Editors and echo end a line; the system that signs does not count that. */
static struct im_str without_line_end(struct im_str s)
{
    size_t len = s.len;
    if (len > 0 && s.p[len - 1] == '\n')
        len--;
    if (len < s.len && len > 0 && s.p[len - 1] == '\r')
        len--;
    for (size_t i = 0; i < len; i++)
        if (!isprint((unsigned char)s.p[i]))
            return s;
    return (struct im_str){s.p, len};
}

static enum im_reason read_secret(struct im_str bytes, struct im_key *out, struct im_error *error)
{
    struct im_str secret = without_line_end(bytes);
    if (secret.len < SECRET_MIN)
        return im_fail(error, IM_CONFIG, "has %zu bytes; a secret needs %d or more", secret.len, SECRET_MIN);
    *out = (struct im_key){.alg = IM_JWT_HS256, .bytes = im_alloc(secret.len), .len = secret.len};
    memcpy(out->bytes, secret.p, secret.len);
    return IM_OK;
}

enum im_reason imd_key_read(enum im_jwt_alg alg, struct im_str bytes, struct im_key *out, struct im_error *error)
{
    return alg == IM_JWT_EDDSA ? read_public(bytes, out, error) : read_secret(bytes, out, error);
}

static ssize_t read_file(const char *base, const char *path, char *bytes, size_t cap)
{
    size_t len = 0;
    ssize_t n = -1;
    int dir = open(base, O_PATH | O_DIRECTORY | O_CLOEXEC);
    int fd = dir >= 0 ? openat(dir, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK) : -1;
    while (fd >= 0 && (n = read(fd, bytes + len, cap - len)) > 0)
        len += (size_t)n;
    int error = errno;
    if (fd >= 0)
        close(fd);
    if (dir >= 0)
        close(dir);
    errno = error;
    return n < 0 ? -1 : (ssize_t)len;
}

static enum im_reason load_key(enum im_jwt_alg alg, const char *base, const char *path, struct im_key *out,
                               struct im_error *error)
{
    char bytes[FILE_MAX + 1];
    struct im_error why = {0};
    ssize_t len = read_file(base, path, bytes, sizeof bytes);
    if (len < 0)
        return im_fail(error, IM_CONFIG, "%.160s: %s", path, strerror(errno));
    if (len > FILE_MAX)
        im_fail(&why, IM_CONFIG, "is too long for a key");
    else
        imd_key_read(alg, (struct im_str){bytes, (size_t)len}, out, &why);
    sodium_memzero(bytes, sizeof bytes);
    return why.reason == IM_OK ? IM_OK : im_fail(error, IM_CONFIG, "%.160s %s", path, why.detail);
}

enum im_reason imd_keys_load(const struct im_config *config, const char *base, struct im_keys *keys,
                             struct im_error *error)
{
    *keys = (struct im_keys){0};
    for (size_t i = 0; i < config->jwt_keys.n; i++) {
        enum im_jwt_alg alg;
        const char *path = im_jwt_key_spec(config->jwt_keys.v[i], &alg);
        enum im_reason reason = path ? load_key(alg, base, path, &keys->v[keys->count], error)
                                     : im_fail(error, IM_CONFIG, "must be HS256:FILE or EdDSA:FILE");
        if (reason != IM_OK) {
            imd_keys_clear(keys);
            return reason;
        }
        keys->count++;
    }
    return IM_OK;
}

void imd_keys_clear(struct im_keys *keys)
{
    for (size_t i = 0; i < keys->count; i++) {
        sodium_memzero(keys->v[i].bytes, keys->v[i].len);
        free(keys->v[i].bytes);
    }
    keys->count = 0;
}
