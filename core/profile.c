#include "core/profile.h"

#include <jansson.h>

static struct im_str text(const json_t *root, const char *key)
{
    const json_t *v = json_object_get(root, key);
    return json_is_string(v) ? (struct im_str){json_string_value(v), json_string_length(v)} : (struct im_str){0};
}

void im_profile_read(struct im_str value, struct im_profile_value *out)
{
    json_t *root = value.p ? json_loadb(value.p, value.len, 0, NULL) : NULL;
    *out = (struct im_profile_value){
        .name = text(root, "name"),
        .avatar = text(root, "avatar"),
        .hide_seen = json_is_true(json_object_get(root, "hide_seen")),
        .memory = root,
    };
}

void im_profile_clear(struct im_profile_value *p)
{
    json_decref(p->memory);
    p->memory = NULL;
}

static void member(struct im_out *out, const char *key, struct im_str s)
{
    if (s.len == 0)
        return;
    im_out_str(out, key);
    im_out_json(out, s);
    im_out_char(out, ',');
}

void im_profile_write(const struct im_profile_value *p, struct im_out *out)
{
    im_out_char(out, '{');
    member(out, "\"name\":", p->name);
    member(out, "\"avatar\":", p->avatar);
    im_out_str(out, p->hide_seen ? "\"hide_seen\":true}" : "\"hide_seen\":false}");
}
