#include "core/name.h"

#include <assert.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

#include "core/mem.h"

static enum im_reason bad(struct im_error *error, const char *what)
{
    return im_fail(error, IM_BAD_ID, "%s", what);
}

static bool allowed(utf8proc_int32_t point, bool first)
{
    if (point < 0x80)
        return (point >= 'a' && point <= 'z') || (point >= 'A' && point <= 'Z') || (point >= '0' && point <= '9') ||
               point == '.' || point == '_' || point == '-';
    const utf8proc_property_t *property = utf8proc_get_property(point);
    if (property->ignorable)
        return false; /* fillers and joiners: invisible, so two ids could look the same */
    switch (property->category) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
    case UTF8PROC_CATEGORY_ND:
        return true;
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_MC:
        return !first;
    default:
        return false;
    }
}

static enum im_reason check_points(struct im_str in, struct im_error *error)
{
    size_t points = 0;
    for (size_t i = 0; i < in.len; points++) {
        utf8proc_int32_t point;
        utf8proc_ssize_t n = utf8proc_iterate((const uint8_t *)in.p + i, (utf8proc_ssize_t)(in.len - i), &point);
        if (n <= 0)
            return bad(error, "the id is not valid UTF-8");
        if (points == IM_NAME_POINTS_MAX)
            return bad(error, "an id has at most 32 characters");
        if (!allowed(point, i == 0))
            return im_fail(error, IM_BAD_ID, "U+%04X is not allowed in an id", (unsigned)point);
        i += (size_t)n;
    }
    return points == 0 ? bad(error, "an id cannot be empty") : IM_OK;
}

/* Maps `in` and copies it to out; false if it does not fit. */
static bool map(struct im_str in, utf8proc_option_t options, char *out, size_t cap, uint16_t *len)
{
    utf8proc_uint8_t *mapped = NULL;
    utf8proc_ssize_t n = utf8proc_map((const uint8_t *)in.p, (utf8proc_ssize_t)in.len, &mapped,
                                      UTF8PROC_STABLE | UTF8PROC_COMPOSE | options);
    bool fits = n > 0 && (size_t)n < cap;
    if (fits) {
        memcpy(out, mapped, (size_t)n);
        out[n] = '\0';
        *len = (uint16_t)n;
    }
    free(mapped);
    return fits;
}

/* Most ids: there is nothing to compose, and to fold is to write in lower case. False: not such a one. */
static bool parse_ascii(struct im_str in, struct im_name *out)
{
    if (in.len == 0 || in.len > IM_NAME_POINTS_MAX)
        return false;
    char *key = out->bytes + in.len + 1;
    for (size_t i = 0; i < in.len; i++) {
        unsigned char c = (unsigned char)in.p[i];
        if (c >= 0x80 || !allowed(c, false))
            return false;
        out->bytes[i] = (char)c;
        key[i] = (char)(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
    }
    out->text_len = out->key_len = (uint16_t)in.len;
    out->bytes[in.len] = key[in.len] = '\0';
    return true;
}

enum im_reason im_name_parse(struct im_str in, struct im_name *out, struct im_error *error)
{
    if (parse_ascii(in, out))
        return IM_OK;
    if (in.len > 4 * IM_NAME_BYTES_MAX)
        return bad(error, "an id has at most 32 characters");
    if (in.len == 0)
        return bad(error, "an id cannot be empty");
    if (!im_str_utf8(in))
        return bad(error, "the id is not valid UTF-8");
    char nfc[4 * IM_NAME_BYTES_MAX * 3 + 1];
    uint16_t nfc_len;
    if (!map(in, 0, nfc, sizeof nfc, &nfc_len))
        return bad(error, "an id has at most 32 characters");
    struct im_str composed = {nfc, nfc_len};
    enum im_reason reason = check_points(composed, error);
    if (reason != IM_OK)
        return reason;
    /* A folded letter may have parts that fold again once composed; the second pass settles it. */
    char once[IM_KEY_BYTES_MAX + 1], key[IM_KEY_BYTES_MAX + 1];
    uint16_t once_len, key_len;
    if (!map(composed, UTF8PROC_CASEFOLD, once, sizeof once, &once_len) ||
        !map((struct im_str){once, once_len}, UTF8PROC_CASEFOLD, key, sizeof key, &key_len))
        return bad(error, "the id is too long");
    im_name_set(out, composed, (struct im_str){key, key_len});
    return IM_OK;
}

enum im_reason im_conv_parse(struct im_str in, struct im_name *out, struct im_error *error)
{
    if (!im_conv_is_group(in))
        return im_name_parse(in, out, error);
    enum im_reason reason = im_name_parse((struct im_str){in.p + 1, in.len - 1}, out, error);
    if (reason != IM_OK)
        return reason;
    memmove(out->bytes + out->text_len + 3, out->bytes + out->text_len + 1, (size_t)out->key_len + 1);
    memmove(out->bytes + 1, out->bytes, (size_t)out->text_len + 1);
    out->bytes[0] = out->bytes[out->text_len + 2] = '#';
    out->text_len++;
    out->key_len++;
    return IM_OK;
}

void im_name_set(struct im_name *out, struct im_str text, struct im_str key)
{
    assert(text.len <= IM_NAME_BYTES_MAX + 1 && key.len <= IM_KEY_BYTES_MAX + 1);
    out->text_len = (uint16_t)text.len;
    out->key_len = (uint16_t)key.len;
    char *at = out->bytes + text.len + 1;
    if (text.len > 0)
        memcpy(out->bytes, text.p, text.len);
    if (key.len > 0)
        memcpy(at, key.p, key.len);
    out->bytes[text.len] = at[key.len] = '\0';
}

static size_t used(const struct im_name *n)
{
    return offsetof(struct im_name, bytes) + n->text_len + 1 + n->key_len + 1;
}

struct im_name *im_name_dup(const struct im_name *n)
{
    return memcpy(im_alloc(used(n)), n, used(n));
}

void im_name_copy(struct im_name *out, const struct im_name *n)
{
    memcpy(out, n, used(n));
}
