/* Prints the JSON Schema of im.v1 (doc/im.v1.schema.json), made from the tables of core/tbl: what clients ask
 * (request-OP), what is answered (reply-OP, err), and what happens (event-OP). */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/command.h"
#include "core/group.h"
#include "core/reason.h"

/* Small schemas */

static json_t *text(const char *s)
{
    return json_string(s);
}

static json_t *ref(const char *kind, const char *name)
{
    return json_pack("{s:o}", "$ref", json_sprintf("#/$defs/%s-%s", kind, name));
}

static json_t *one_of(json_t *names)
{
    return json_pack("{s:o}", "enum", names);
}

/* "a|b|c" */
static json_t *words(const char *s)
{
    json_t *array = json_array();
    while (*s) {
        size_t n = strcspn(s, "|");
        json_array_append_new(array, json_stringn(s, n));
        s += n + (s[n] != '\0');
    }
    return array;
}

static json_t *role_names(enum im_role first)
{
    json_t *array = json_array();
    for (enum im_role i = first; i < IM_ROLE_COUNT; i++)
        json_array_append_new(array, text(im_role_info(i)->name));
    return array;
}

static json_t *change_names(void)
{
    json_t *array = json_array();
    for (enum im_change i = 0; i < IM_CHANGE_COUNT; i++)
        json_array_append_new(array, text(im_change_info(i)->name));
    return array;
}

static json_t *reason_names(void)
{
    json_t *array = json_array();
    for (enum im_reason i = IM_OK + 1; i < IM_REASON_COUNT; i++)
        json_array_append_new(array, text(im_reason_info(i)->name));
    return array;
}

/* Objects */

static json_t *object(const char *op, const char *help)
{
    json_t *o = json_object();
    if (*help)
        json_object_set_new(o, "description", text(help));
    json_object_set_new(o, "type", text("object"));
    json_object_set_new(o, "properties", json_object());
    json_object_set_new(o, "required", json_array());
    if (op) {
        json_object_set_new(json_object_get(o, "properties"), "op", json_pack("{s:s}", "const", op));
        json_array_append_new(json_object_get(o, "required"), text("op"));
    }
    return o;
}

static void add_member(json_t *o, const char *name, json_t *schema, bool always)
{
    json_object_set_new(json_object_get(o, "properties"), name, schema);
    if (always)
        json_array_append_new(json_object_get(o, "required"), text(name));
}

static void add_id(json_t *o)
{
    add_member(o, "id", json_pack("{s:[s,s],s:i}", "type", "integer", "string", "maxLength", 64), false);
}

/* A second definition of the same name makes both of them alternatives. */
static void define(json_t *defs, const char *kind, const char *name, json_t *o)
{
    char key[64];
    snprintf(key, sizeof key, "%s-%s", kind, name);
    json_t *there = json_object_get(defs, key);
    json_t *any = json_object_get(there, "anyOf");
    if (any) {
        json_array_append_new(any, o);
    } else if (there) {
        json_t *both = json_pack("{s:[O,o]}", "anyOf", there, o);
        json_object_set_new(defs, key, both);
    } else {
        json_object_set_new(defs, key, o);
    }
}

/* What clients ask */

enum field_type { FIELD_STR, FIELD_U64, FIELD_POS, FIELD_BOOL, FIELD_STRS };

static const struct {
    const char *name;
    enum field_type type;
    uint64_t max;
} fields[IM_FIELD_COUNT] = {
#define IM_FIELD(member, name, type, max) {name, FIELD_##type, max},
#include "core/tbl/fields.def"
#undef IM_FIELD
};

/* A string of which only some values make sense. */
static json_t *field_words(enum im_field f)
{
    json_t *names;
    switch (f) {
    case IM_F_act:
        names = change_names();
        json_array_append_new(names, text("info"));
        json_array_append_new(names, text("members"));
        json_array_append_new(names, text("list"));
        return names;
    case IM_F_role:
        return role_names(IM_ROLE_MUTED);
    case IM_F_scope:
        return words("all|me");
    case IM_F_past:
        return words("all|joined");
    case IM_F_state:
        return words("online|away|dnd");
    default:
        return NULL;
    }
}

/* Bounds are in bytes: a string of so many characters has at least as many bytes. */
static json_t *field_schema(enum im_field f)
{
    json_int_t max = (json_int_t)fields[f].max;
    json_t *known = field_words(f);
    if (known)
        return one_of(known);
    switch (fields[f].type) {
    case FIELD_STR:
        return json_pack("{s:s,s:I}", "type", "string", "maxLength", max);
    case FIELD_U64:
        return json_pack("{s:s,s:i,s:I}", "type", "integer", "minimum", 0, "maximum", max);
    case FIELD_STRS:
        return json_pack("{s:s,s:I,s:{s:s}}", "type", "array", "maxItems", max, "items", "type", "string");
    case FIELD_POS:
        return json_pack("{s:s,s:s}", "type", "string", "pattern", "^[0-9]{1,19}$");
    case FIELD_BOOL:
        return json_pack("{s:s}", "type", "boolean");
    }
    return NULL;
}

static void define_request(json_t *defs, const char *op, uint64_t required, uint64_t optional)
{
    json_t *o = object(op, "");
    add_id(o);
    for (enum im_field f = 0; f < IM_FIELD_COUNT; f++)
        if ((required | optional) >> f & 1)
            add_member(o, fields[f].name, ref("field", fields[f].name), required >> f & 1);
    define(defs, "request", op, o);
}

/* What the server says */

struct said {
    const char *key, *name, *type, *of, *help;
};
static const struct said said[] = {
#define IM_SAID(key, name, type, of, help) {#key, name, #type, of, help},
#include "core/tbl/said.def"
#undef IM_SAID
};

static const struct said *said_find(const char *key, size_t len)
{
    for (size_t i = 0; i < sizeof said / sizeof *said; i++)
        if (strlen(said[i].key) == len && memcmp(said[i].key, key, len) == 0)
            return &said[i];
    fprintf(stderr, "gen_schema: shapes.def names '%.*s', which said.def has not\n", (int)len, key);
    exit(1);
}

/* The schemas of types that need nothing else. */
static const struct {
    const char *type, *schema;
} plain[] = {
    {"STR", "{\"type\":\"string\"}"},
    {"USER", "{\"type\":\"string\",\"minLength\":1,\"maxLength\":32}"},
    {"CONV", "{\"type\":\"string\",\"minLength\":1,\"maxLength\":33}"},
    {"NUM", "{\"type\":\"integer\",\"minimum\":0}"},
    {"MS", "{\"type\":\"integer\",\"minimum\":0}"},
    {"POS", "{\"type\":\"string\",\"pattern\":\"^[0-9]{1,19}$\"}"},
    {"BOOL", "{\"type\":\"boolean\"}"},
    {"TRUE", "{\"const\":true}"},
    {"STRS", "{\"type\":\"array\",\"items\":{\"type\":\"string\"}}"},
};

static json_t *typed(const char *type, const char *of)
{
    for (size_t i = 0; i < sizeof plain / sizeof *plain; i++)
        if (strcmp(plain[i].type, type) == 0)
            return json_loads(plain[i].schema, 0, NULL);
    switch (*type) {
    case 'W': /* WORD */
        return one_of(words(of));
    case 'R': /* ROLE, REASON */
        return one_of(strcmp(type, "ROLE") == 0 ? role_names(IM_ROLE_NONE) : reason_names());
    case 'C': /* CHANGE */
        return one_of(change_names());
    case 'O': /* ONE */
        return ref("part", of);
    case 'L': /* LIST */
        return json_pack("{s:s,s:o}", "type", "array", "items", ref("part", of));
    }
    fprintf(stderr, "gen_schema: said.def has the unknown type %s\n", type);
    exit(1);
}

static void add_members(json_t *o, const char *keys, bool always)
{
    while (*keys) {
        size_t n = strcspn(keys, " ");
        const struct said *s = said_find(keys, n);
        add_member(o, s->name, ref("said", s->key), always);
        keys += n + (keys[n] != '\0');
    }
}

enum shape_kind { DURABLE, PASSING, REPLY, ERR, PART };

static void define_shape(json_t *defs, enum shape_kind kind, const char *name, const char *always, const char *maybe,
                         const char *help)
{
    static const char *const kinds[] = {"event", "event", "reply", "reply", "part"};
    json_t *o = object(kind == REPLY ? "ok" : kind == PART ? NULL : name, help);
    if (kind == REPLY || kind == ERR)
        add_id(o);
    add_members(o, always, true);
    add_members(o, maybe, false);
    if (kind == DURABLE)
        json_object_set_new(o, "$comment", text("durable"));
    define(defs, kinds[kind], name, o);
}

static void define_parts(json_t *defs)
{
    for (enum im_field f = 0; f < IM_FIELD_COUNT; f++)
        define(defs, "field", fields[f].name, field_schema(f));
    for (size_t i = 0; i < sizeof said / sizeof *said; i++) {
        json_t *schema = typed(said[i].type, said[i].of);
        json_object_set_new(schema, "description", text(said[i].help));
        define(defs, "said", said[i].key, schema);
    }
    json_t *limits = object(NULL, "The bounds that this server sets.");
#define IM_LIMIT(name, value, help)                                                                                    \
    add_member(limits, name, json_pack("{s:s,s:i,s:s}", "type", "integer", "minimum", 0, "description", help), true);
#include "core/tbl/limits.def"
#undef IM_LIMIT
    define(defs, "part", "limits", limits);
    define(defs, "part", "shown", ref("event", "msg"));
    define(defs, "part", "shown", ref("event", "member"));
}

/* All definitions of a kind, as one. */
static json_t *any_of(json_t *defs, const char *kind)
{
    const char *key;
    json_t *value, *array = json_array();
    size_t n = strlen(kind);
    json_object_foreach(defs, key, value)
    {
        if (strncmp(key, kind, n) == 0 && key[n] == '-')
            json_array_append_new(array, ref(kind, key + n + 1));
    }
    return json_pack("{s:o}", "anyOf", array);
}

/* Each on a line of its own. */
static void print_members(json_t *object)
{
    const char *key, *before = "";
    json_t *value;
    json_object_foreach(object, key, value)
    {
        printf("%s\"%s\": ", before, key);
        json_dumpf(value, stdout, JSON_ENCODE_ANY | JSON_COMPACT);
        before = ",\n";
    }
    puts("");
}

int main(void)
{
    json_t *defs = json_object();
#define IM_OP(sym, name, who, required, optional, handler) define_request(defs, name, required, optional);
#include "core/tbl/ops.def"
#undef IM_OP
#define IM_SHAPE(kind, name, always, maybe, help) define_shape(defs, kind, name, always, maybe, help);
#include "core/tbl/shapes.def"
#undef IM_SHAPE
    define_parts(defs);
    json_t *head = json_pack(
        "{s:s,s:s,s:s,s:o}", "$schema", "https://json-schema.org/draft/2020-12/schema", "title", "im.v1", "description",
        "Messages of im.v1: requests of clients, replies (reply-OP is the ok of that op; reply-err is for all) and "
        "events. Unknown members are to be ignored. Bounds of strings are in bytes. Generated from core/tbl.",
        "anyOf", json_pack("[o,o,o]", any_of(defs, "request"), any_of(defs, "reply"), any_of(defs, "event")));
    puts("{");
    print_members(head);
    puts(",\"$defs\": {");
    print_members(defs);
    puts("}\n}");
    json_decref(head);
    json_decref(defs);
    return fflush(stdout) ? 1 : 0;
}
