#include "tools/safe_json.h"

#include <stdlib.h>

static size_t char_length(const char *p, size_t left)
{
    unsigned char c = (unsigned char)*p;
    size_t n = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
    return n < left ? n : left;
}

/* Writes a character that a terminal must not get as JSON's \u; all of these are in the basic plane. */
static void put_escape(struct im_out *out, const char *p, size_t n)
{
    const unsigned char *c = (const unsigned char *)p;
    unsigned point = n == 1 ? c[0] : n == 2 ? (c[0] & 0x1fu) << 6 : (c[0] & 0x0fu) << 12;
    if (n == 2)
        point |= c[1] & 0x3fu;
    else if (n == 3)
        point |= (c[1] & 0x3fu) << 6 | (c[2] & 0x3fu);
    im_out_printf(out, "\\u%04x", point);
}

/* JSON text has such characters inside strings only, so there they can be written otherwise. */
static void put_safe(struct im_out *out, const char *json, size_t left)
{
    while (left > 0) {
        size_t n = char_length(json, left);
        struct im_out safe = {0};
        if ((unsigned char)*json >= 0x7f)
            im_out_safe(&safe, (struct im_str){json, n}, false);
        if (safe.len == 0 || im_str_eq((struct im_str){im_out_data(&safe), safe.len}, (struct im_str){json, n}))
            im_out_put(out, json, n);
        else
            put_escape(out, json, n);
        im_out_clear(&safe);
        json += n;
        left -= n;
    }
}

void im_json_put(struct im_out *out, const json_t *value)
{
    char *json = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(15));
    if (json)
        put_safe(out, json, strlen(json));
    free(json);
}

json_t *im_json_text(struct im_str s)
{
    struct im_out safe = {0};
    im_out_safe(&safe, s, true);
    json_t *json = json_stringn(im_out_data(&safe), safe.len);
    im_out_clear(&safe);
    return json;
}

json_t *im_json_number(uint64_t n)
{
    return json_integer(n > INT64_MAX ? INT64_MAX : (json_int_t)n);
}

void im_json_set_text(json_t *object, const char *key, struct im_str s)
{
    json_object_set_new(object, key, s.p ? im_json_text(s) : json_null());
}

void im_json_set_number(json_t *object, const char *key, uint64_t n)
{
    json_object_set_new(object, key, im_json_number(n));
}
