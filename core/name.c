#include "core/name.h"

#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

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

enum im_reason im_name_parse(struct im_str in, struct im_name *out, struct im_error *error)
{
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
    memcpy(out->text, nfc, (size_t)nfc_len + 1);
    out->text_len = nfc_len;
    /* A folded letter may have parts that fold again once composed; the second pass settles it. */
    char once[IM_KEY_BYTES_MAX + 1];
    uint16_t once_len;
    if (!map(composed, UTF8PROC_CASEFOLD, once, sizeof once, &once_len) ||
        !map((struct im_str){once, once_len}, UTF8PROC_CASEFOLD, out->key, sizeof out->key - 1, &out->key_len))
        return bad(error, "the id is too long");
    return IM_OK;
}

enum im_reason im_conv_parse(struct im_str in, struct im_name *out, struct im_error *error)
{
    if (!im_conv_is_group(in))
        return im_name_parse(in, out, error);
    enum im_reason reason = im_name_parse((struct im_str){in.p + 1, in.len - 1}, out, error);
    if (reason != IM_OK)
        return reason;
    memmove(out->text + 1, out->text, (size_t)out->text_len++ + 1);
    memmove(out->key + 1, out->key, (size_t)out->key_len++ + 1);
    out->text[0] = out->key[0] = '#';
    return IM_OK;
}
