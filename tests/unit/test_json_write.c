#include <jansson.h>
#include <stdlib.h>

#include "core/config.h"
#include "core/dialect.h"
#include "core/mem.h"
#include "tests/unit/unit.h"

/* What im.v1 says of events made here; each message is also held against core/tbl/shapes.def. */

enum shape_kind { DURABLE, PASSING, REPLY, ERR, PART };

static const struct shape {
    enum shape_kind kind;
    const char *name, *always, *maybe;
} shapes[] = {
#define IM_SHAPE(kind, name, always, maybe, help) {kind, name, always, maybe},
#include "core/tbl/shapes.def"
#undef IM_SHAPE
};

static const struct said {
    const char *key, *name, *type, *of;
} said[] = {
#define IM_SAID(key, name, type, of, help) {#key, name, #type, of},
#include "core/tbl/said.def"
#undef IM_SAID
};

static bool conforms(json_t *value, const char *type, const char *of);

/* Counts in *known the members of `object` that the keys name. */
static bool has_members(json_t *object, const char *keys, bool always, size_t *known)
{
    while (*keys) {
        size_t n = strcspn(keys, " ");
        const struct said *s = said;
        while (strlen(s->key) != n || memcmp(s->key, keys, n) != 0)
            assert_true(++s < said + sizeof said / sizeof *said);
        json_t *value = json_object_get(object, s->name);
        *known += value != NULL;
        if (value ? !conforms(value, s->type, s->of) : always)
            return false;
        keys += n + (keys[n] != '\0');
    }
    return true;
}

/* Has it all that the shape needs, and nothing that it does not know? */
static bool has_shape(json_t *object, const struct shape *shape)
{
    size_t known = (json_object_get(object, "op") != NULL) + (json_object_get(object, "id") != NULL);
    return json_is_object(object) && has_members(object, shape->always, true, &known) &&
           has_members(object, shape->maybe, false, &known) && known == json_object_size(object);
}

static bool is_a(json_t *object, enum shape_kind least, enum shape_kind most, const char *name)
{
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        if (shapes[i].kind >= least && shapes[i].kind <= most && strcmp(shapes[i].name, name) == 0 &&
            has_shape(object, &shapes[i]))
            return true;
    return false;
}

static bool is_part(json_t *value, const char *name)
{
    if (strcmp(name, "shown") == 0)
        return is_a(value, DURABLE, DURABLE, "msg") || is_a(value, DURABLE, DURABLE, "member");
    if (strcmp(name, "limits") == 0)
        return json_is_object(value);
    return is_a(value, PART, PART, name);
}

static bool are_parts(json_t *array, const char *name)
{
    size_t i;
    json_t *value;
    json_array_foreach(array, i, value)
    {
        if (!is_part(value, name))
            return false;
    }
    return json_is_array(array);
}

static bool conforms(json_t *value, const char *type, const char *of)
{
    if (strcmp(type, "NUM") == 0 || strcmp(type, "MS") == 0)
        return json_is_integer(value) && json_integer_value(value) >= 0;
    if (strcmp(type, "BOOL") == 0)
        return json_is_boolean(value);
    if (strcmp(type, "TRUE") == 0)
        return json_is_true(value);
    if (strcmp(type, "STRS") == 0)
        return json_is_array(value);
    if (strcmp(type, "LIST") == 0)
        return are_parts(value, of);
    if (strcmp(type, "ONE") == 0)
        return is_part(value, of);
    if (strcmp(type, "WORD") == 0)
        return json_is_string(value) && strstr(of, json_string_value(value));
    return json_is_string(value);
}

/* What the event is for its reader, and an end to it. */
static char *said_of(struct im_event *e, bool own)
{
    struct im_link link = {.dialect = &im_dialect_json};
    struct im_bytes *b = im_dialect_json.encode(&link, e, own);
    char *text = im_strndup((const char *)b->data, b->len);
    im_bytes_drop(&b);
    json_error_t error;
    json_t *object = json_loads(text, JSON_REJECT_DUPLICATES, &error);
    const char *op = json_string_value(json_object_get(object, "op"));
    if (op && strcmp(op, "ok") == 0 ? !is_a(object, REPLY, REPLY, im_op_name(e->reply.op))
                                    : !op || !is_a(object, DURABLE, ERR, op))
        fail_msg("not as in shapes.def: %s", text);
    json_decref(object);
    return text;
}

static void assert_says(struct im_event *e, bool own, const char *text)
{
    char *heard = said_of(e, own);
    assert_string_equal(heard, text);
    free(heard);
}

static void assert_says_once(struct im_event *e, const char *text)
{
    assert_says(e, false, text);
    im_event_drop(&e);
}

static void assert_answers(const struct im_reply *r, const char *text)
{
    assert_says_once(im_event_reply(r), text);
}

static struct im_msg direct(void)
{
    return (struct im_msg){.kind = IM_CONV_DIRECT,
                           .pos = 9,
                           .seq = 4,
                           .ts_ms = 1700000000000,
                           .from = IM_STR("ann"),
                           .from_key = IM_STR("ann"),
                           .to = IM_STR("bob"),
                           .to_key = IM_STR("bob")};
}

static struct im_msg grouped(void)
{
    struct im_msg m = direct();
    m.kind = IM_CONV_GROUP;
    m.to = IM_STR("#三班");
    m.to_key = m.to;
    return m;
}

#define TO_BOB   "\"seq\":4,\"pos\":\"9\",\"from\":\"ann\",\"to\":\"bob\",\"ts\":1700000000000"
#define TO_GROUP "\"conv\":\"#三班\",\"seq\":4,\"pos\":\"9\",\"from\":\"ann\",\"to\":\"#三班\",\"ts\":1700000000000"

static void a_direct_conversation_is_named_by_the_other_side(void **state)
{
    (void)state;
    struct im_msg m = direct();
    m.body = IM_STR("hi");
    struct im_event *e = im_event_new(IM_EV_MSG, &m);
    assert_says(e, false, "{\"op\":\"msg\",\"conv\":\"ann\"," TO_BOB ",\"text\":\"hi\"}");
    assert_says(e, true, "{\"op\":\"msg\",\"conv\":\"bob\"," TO_BOB ",\"text\":\"hi\"}");
    assert_says(e, false, "{\"op\":\"msg\",\"conv\":\"ann\"," TO_BOB ",\"text\":\"hi\"}");
    im_event_drop(&e);
    m.body = IM_STR("hello");
    m.ref = 3;
    e = im_event_new(IM_EV_EDIT, &m);
    assert_says(e, false, "{\"op\":\"edit\",\"conv\":\"ann\"," TO_BOB ",\"ref\":3,\"text\":\"hello\"}");
    assert_says(e, true, "{\"op\":\"edit\",\"conv\":\"bob\"," TO_BOB ",\"ref\":3,\"text\":\"hello\"}");
    im_event_drop(&e);
}

static void a_group_is_the_same_to_all(void **state)
{
    (void)state;
    struct im_msg m = grouped();
    m.body = IM_STR("@bob @所有人");
    m.mentions = IM_STR("bob 翠花 *");
    m.cid = IM_STR("c\"1");
    m.ref = 2;
    m.bot = true;
    struct im_event *e = im_event_new(IM_EV_MSG, &m);
    static const char text[] = "{\"op\":\"msg\"," TO_GROUP ",\"text\":\"@bob @所有人\",\"cid\":\"c\\\"1\",\"reply\":2,"
                               "\"mentions\":[\"bob\",\"翠花\",\"*\"],\"bot\":true}";
    assert_says(e, false, text);
    assert_says(e, true, text);
    im_event_drop(&e);
}

static void a_message_as_it_stands_now(void **state)
{
    (void)state;
    struct im_msg m = direct();
    m.body = IM_STR("{}");
    m.mime = IM_STR("application/json");
    m.edited_ms = 1700000000500;
    m.reactions = IM_STR("👍 12 1\n❤ 1 0");
    assert_says_once(im_event_new(IM_EV_MSG, &m),
                     "{\"op\":\"msg\",\"conv\":\"ann\"," TO_BOB
                     ",\"body\":\"{}\",\"mime\":\"application/json\",\"edited\":1700000000500,\"reactions\":["
                     "{\"emoji\":\"👍\",\"count\":12,\"mine\":true},{\"emoji\":\"❤\",\"count\":1}]}");
    m = direct();
    m.deleted = true;
    assert_says_once(im_event_new(IM_EV_MSG, &m),
                     "{\"op\":\"msg\",\"conv\":\"ann\"," TO_BOB ",\"text\":\"\",\"deleted\":true}");
    m.ref = 1;
    assert_says_once(im_event_new(IM_EV_EDIT, &m),
                     "{\"op\":\"edit\",\"conv\":\"ann\"," TO_BOB ",\"ref\":1,\"text\":\"\",\"deleted\":true}");
}

static void what_is_done_to_messages(void **state)
{
    (void)state;
    struct im_msg m = grouped();
    m.ref = 3;
    m.cid = IM_STR("c");
    assert_says_once(im_event_new(IM_EV_DELETE, &m),
                     "{\"op\":\"delete\"," TO_GROUP ",\"ref\":3,\"for\":\"all\",\"cid\":\"c\"}");
    m.body = IM_STR("👍");
    m.on = true;
    m.cid = (struct im_str){0};
    assert_says_once(im_event_new(IM_EV_REACT, &m),
                     "{\"op\":\"react\"," TO_GROUP ",\"ref\":3,\"emoji\":\"👍\",\"on\":true}");
    m.on = false;
    assert_says_once(im_event_new(IM_EV_REACT, &m),
                     "{\"op\":\"react\"," TO_GROUP ",\"ref\":3,\"emoji\":\"👍\",\"on\":false}");
}

static void the_own_log_tells_no_seq(void **state)
{
    (void)state;
    struct im_msg m = direct();
    m.kind = IM_CONV_SELF;
    m.ref = 3;
    static const char text[] = "{\"op\":\"delete\",\"conv\":\"bob\",\"pos\":\"9\",\"from\":\"ann\",\"to\":\"bob\","
                               "\"ts\":1700000000000,\"ref\":3,\"for\":\"me\"}";
    struct im_event *e = im_event_new(IM_EV_DELETE, &m);
    assert_says(e, true, text);
    assert_says(e, false, text);
    assert_answers(&(struct im_reply){.op = IM_OP_DELETE, .id = IM_STR("1"), .send = {.msg = e}},
                   "{\"op\":\"ok\",\"id\":1,\"conv\":\"bob\",\"pos\":\"9\",\"ts\":1700000000000}");
}

static void changes_of_a_group_say_what_they_changed(void **state)
{
    (void)state;
    static const struct {
        enum im_change change;
        const char *user, *body;
        enum im_role role;
        unsigned settings;
        const char *text;
    } rows[] = {
        {IM_CHANGE_CREATE, NULL, "作业", IM_ROLE_OWNER, IM_GROUP_PUBLIC,
         "\"do\":\"create\",\"role\":\"owner\",\"topic\":\"作业\",\"public\":true,\"history\":\"joined\""},
        {IM_CHANGE_CREATE, NULL, NULL, IM_ROLE_OWNER, 0,
         "\"do\":\"create\",\"role\":\"owner\",\"public\":false,\"history\":\"joined\""},
        {IM_CHANGE_JOIN, NULL, NULL, IM_ROLE_MEMBER, 0, "\"do\":\"join\",\"role\":\"member\""},
        {IM_CHANGE_LEAVE, NULL, NULL, IM_ROLE_NONE, 0, "\"do\":\"leave\",\"role\":\"none\""},
        {IM_CHANGE_INVITE, "bob", NULL, IM_ROLE_INVITED, 0, "\"do\":\"invite\",\"user\":\"bob\",\"role\":\"invited\""},
        {IM_CHANGE_KICK, "bob", NULL, IM_ROLE_NONE, 0, "\"do\":\"kick\",\"user\":\"bob\",\"role\":\"none\""},
        {IM_CHANGE_BAN, "bob", NULL, IM_ROLE_BANNED, 0, "\"do\":\"ban\",\"user\":\"bob\",\"role\":\"banned\""},
        {IM_CHANGE_UNBAN, "bob", NULL, IM_ROLE_NONE, 0, "\"do\":\"unban\",\"user\":\"bob\",\"role\":\"none\""},
        {IM_CHANGE_ROLE, "bob", NULL, IM_ROLE_ADMIN, 0, "\"do\":\"role\",\"user\":\"bob\",\"role\":\"admin\""},
        {IM_CHANGE_TOPIC, NULL, "考试", IM_ROLE_OWNER, 0, "\"do\":\"topic\",\"topic\":\"考试\""},
        {IM_CHANGE_TOPIC, NULL, NULL, IM_ROLE_OWNER, 0, "\"do\":\"topic\",\"topic\":\"\""},
        {IM_CHANGE_SET, NULL, NULL, IM_ROLE_OWNER, IM_GROUP_PAST,
         "\"do\":\"set\",\"public\":false,\"history\":\"all\""},
        {IM_CHANGE_DESTROY, NULL, NULL, IM_ROLE_OWNER, 0, "\"do\":\"delete\""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct im_msg m = grouped();
        char text[400];
        m.change = rows[i].change;
        m.user = m.user_key = im_str(rows[i].user);
        m.body = im_str(rows[i].body);
        m.role = rows[i].role;
        m.settings = rows[i].settings;
        snprintf(text, sizeof text, "{\"op\":\"member\"," TO_GROUP ",%s}", rows[i].text);
        assert_says_once(im_event_new(IM_EV_MEMBER, &m), text);
    }
}

static void what_passes(void **state)
{
    (void)state;
    assert_says_once(im_event_receipt(IM_CONV_DIRECT, IM_STR("bob"), IM_STR("bob"), 7, 0),
                     "{\"op\":\"receipt\",\"conv\":\"bob\",\"user\":\"bob\",\"received\":7}");
    assert_says_once(im_event_receipt(IM_CONV_GROUP, IM_STR("#g"), IM_STR("bob"), 7, 5),
                     "{\"op\":\"receipt\",\"conv\":\"#g\",\"user\":\"bob\",\"received\":7,\"read\":5}");
    assert_says_once(im_event_typing(IM_STR("#g"), IM_STR("bob"), true, 6000),
                     "{\"op\":\"typing\",\"conv\":\"#g\",\"user\":\"bob\",\"on\":true,\"for\":6000}");
    assert_says_once(im_event_typing(IM_STR("bob"), IM_STR("bob"), false, 0),
                     "{\"op\":\"typing\",\"conv\":\"bob\",\"user\":\"bob\",\"on\":false}");
    assert_says_once(im_event_presence(&(struct im_presence_row){
                         .user = IM_STR("bob"), .state = IM_OFFLINE, .seen_ms = 1700000000000}),
                     "{\"op\":\"presence\",\"user\":\"bob\",\"state\":\"offline\",\"seen\":1700000000000}");
    assert_says_once(
        im_event_presence(&(struct im_presence_row){.user = IM_STR("bob"), .state = IM_DND, .text = IM_STR("在上课")}),
        "{\"op\":\"presence\",\"user\":\"bob\",\"state\":\"dnd\",\"text\":\"在上课\"}");
    assert_says_once(im_event_presence(&(struct im_presence_row){.user = IM_STR("#g"), .online = 12}),
                     "{\"op\":\"presence\",\"conv\":\"#g\",\"online\":12}");
    assert_says_once(im_event_reset(5), "{\"op\":\"reset\",\"pos\":\"5\"}");
    assert_says_once(im_event_notice(IM_OK, IM_STR("hi")), "{\"op\":\"notice\",\"code\":200,\"text\":\"hi\"}");
    assert_says_once(im_event_notice(IM_STORE_FULL, IM_STR("")),
                     "{\"op\":\"notice\",\"code\":507,\"name\":\"store_full\",\"text\":\"The disk is full; nothing can "
                     "be stored now.\"}");
    assert_says_once(im_event_bye(IM_REPLACED, false, 0),
                     "{\"op\":\"bye\",\"code\":409,\"name\":\"replaced\",\"text\":\"This device signed in again "
                     "elsewhere.\",\"reconnect\":false}");
    assert_says_once(im_event_bye(IM_DRAIN, true, 0),
                     "{\"op\":\"bye\",\"code\":503,\"name\":\"drain\",\"text\":\"The server is restarting; please come "
                     "back.\",\"reconnect\":true,\"after\":0}");
}

static void refusals(void **state)
{
    (void)state;
    assert_says_once(im_event_err(IM_OP_SEND, IM_STR("\"x\""), IM_BUSY, IM_STR("why"), 500),
                     "{\"op\":\"err\",\"id\":\"x\",\"code\":503,\"name\":\"busy\",\"text\":\"The server is busy; try "
                     "again.\",\"detail\":\"why\",\"retry\":true,\"after\":500}");
    assert_says_once(
        im_event_err(IM_OP_SEND, (struct im_str){0}, IM_MUTED, IM_STR(""), 0),
        "{\"op\":\"err\",\"code\":403,\"name\":\"muted\",\"text\":\"You are muted here.\",\"retry\":false}");
}

static void hello_tells_how_to_log_in_and_the_limits(void **state)
{
    (void)state;
    struct im_config *config = im_config_new();
    struct im_reply r = {.op = IM_OP_HELLO, .hello = {.epoch = IM_STR("ab"), .config = config}};
    static const struct {
        enum im_auth_mode mode;
        enum im_register registration;
        const char *text;
    } rows[] = {
        {IM_AUTH_OPEN, IM_REGISTRATION_OFF,
         "{\"op\":\"ok\",\"v\":1,\"epoch\":\"ab\",\"auth\":[\"open\",\"password\",\"token\"],\"register\":\"off\","
         "\"limits\":{\"message\":65536,"},
        {IM_AUTH_PASSWORD, IM_REGISTRATION_INVITE,
         "{\"op\":\"ok\",\"v\":1,\"epoch\":\"ab\",\"auth\":[\"password\",\"token\"],\"register\":\"invite\","},
        {IM_AUTH_TOKEN, IM_REGISTRATION_ON,
         "{\"op\":\"ok\",\"v\":1,\"epoch\":\"ab\",\"auth\":[\"token\"],\"register\":\"off\","},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        config->auth_mode = rows[i].mode;
        config->auth_register = rows[i].registration;
        struct im_event *e = im_event_reply(&r);
        char *text = said_of(e, false);
        assert_memory_equal(text, rows[i].text, strlen(rows[i].text));
        assert_non_null(strstr(text, ",\"edit\":86400000,\"delete\":0},\"ping\":30000}"));
        free(text);
        im_event_drop(&e);
    }
    im_config_free(&config);
}

static void a_login_may_bring_a_token(void **state)
{
    (void)state;
    struct im_reply r = {
        .op = IM_OP_LOGIN, .id = IM_STR("1"), .login = {.user = IM_STR("ann"), .session = 5, .pos = 17}};
    assert_answers(&r, "{\"op\":\"ok\",\"id\":1,\"user\":\"ann\",\"session\":\"5\",\"pos\":\"17\"}");
    r.op = IM_OP_REGISTER;
    r.login.token = IM_STR("secret");
    assert_answers(&r,
                   "{\"op\":\"ok\",\"id\":1,\"user\":\"ann\",\"session\":\"5\",\"pos\":\"17\",\"token\":\"secret\"}");
    r.login.expires_ms = 1700000000000;
    assert_answers(&r, "{\"op\":\"ok\",\"id\":1,\"user\":\"ann\",\"session\":\"5\",\"pos\":\"17\","
                       "\"token\":\"secret\",\"expires\":1700000000000}");
}

static void what_was_committed_is_answered(void **state)
{
    (void)state;
    struct im_msg m = direct();
    struct im_event *e = im_event_new(IM_EV_MSG, &m);
    assert_answers(&(struct im_reply){.op = IM_OP_SEND, .send = {.msg = im_event_hold(e), .online = true}},
                   "{\"op\":\"ok\",\"conv\":\"bob\",\"seq\":4,\"pos\":\"9\",\"ts\":1700000000000,\"online\":true}");
    assert_answers(&(struct im_reply){.op = IM_OP_EDIT, .send = {.msg = e, .dup = true}},
                   "{\"op\":\"ok\",\"conv\":\"bob\",\"seq\":4,\"pos\":\"9\",\"ts\":1700000000000,\"dup\":true}");
    m = grouped();
    m.pos = m.seq = 0;
    e = im_event_new(IM_EV_MEMBER, &m);
    assert_answers(&(struct im_reply){.op = IM_OP_GROUP, .group = {.msg = e}},
                   "{\"op\":\"ok\",\"conv\":\"#三班\",\"same\":true}");
}

/* An array of one event, as answers own them. */
static struct im_event **one_event(const struct im_msg *m, enum im_event_type type)
{
    struct im_event **events = im_alloc(sizeof *events);
    events[0] = im_event_new(type, m);
    return events;
}

static void lists_show_each_message_to_its_reader(void **state)
{
    (void)state;
    struct im_msg m = direct();
    m.body = IM_STR("hi");
    struct im_reply r = {.op = IM_OP_HISTORY,
                         .self = IM_STR("ann"),
                         .history = {.conv = IM_STR("bob"), .events = one_event(&m, IM_EV_MSG), .count = 1}};
    assert_answers(&r, "{\"op\":\"ok\",\"conv\":\"bob\",\"messages\":[{\"op\":\"msg\",\"conv\":\"bob\"," TO_BOB
                       ",\"text\":\"hi\"}],\"more\":false}");
    struct im_hit *hits = im_zalloc(sizeof *hits);
    *hits = (struct im_hit){.events = one_event(&m, IM_EV_MSG), .count = 1};
    assert_answers(
        &(struct im_reply){.op = IM_OP_SEARCH, .self = IM_STR("bob"), .search = {.hits = hits, .count = 1, .next = 9}},
        "{\"op\":\"ok\",\"results\":[{\"messages\":[{\"op\":\"msg\",\"conv\":\"ann\"," TO_BOB
        ",\"text\":\"hi\"}],\"at\":0}],\"next\":\"9\"}");
    assert_answers(&(struct im_reply){.op = IM_OP_SEARCH}, "{\"op\":\"ok\",\"results\":[]}");
}

static void conversations_tell_people_from_groups(void **state)
{
    (void)state;
    struct im_msg m = grouped();
    m.change = IM_CHANGE_JOIN;
    m.role = IM_ROLE_MEMBER;
    struct im_conv_row *rows = im_zalloc(2 * sizeof *rows);
    rows[0] = (struct im_conv_row){.name = IM_STR("#三班"),
                                   .last = im_event_new(IM_EV_MEMBER, &m),
                                   .last_seq = 4,
                                   .unread = 2,
                                   .read_seq = 1,
                                   .mention_seq = 3,
                                   .role = IM_ROLE_ADMIN,
                                   .members = 30,
                                   .topic = IM_STR("")};
    rows[1] = (struct im_conv_row){.name = IM_STR("bob"), .last_seq = 7, .peer_read = 5, .peer_received = 6};
    assert_answers(&(struct im_reply){.op = IM_OP_CONVERSATIONS,
                                      .self = IM_STR("ann"),
                                      .conversations = {.rows = rows, .count = 2}},
                   "{\"op\":\"ok\",\"conversations\":[{\"conv\":\"#三班\",\"last\":{\"op\":\"member\"," TO_GROUP
                   ",\"do\":\"join\",\"role\":\"member\"},\"seq\":4,\"unread\":2,\"read\":1,\"mention\":3,"
                   "\"role\":\"admin\",\"members\":30,\"topic\":\"\"},"
                   "{\"conv\":\"bob\",\"seq\":7,\"unread\":0,\"read\":0,\"peer\":{\"read\":5,\"received\":6}}]}");
}

static void groups_are_shown(void **state)
{
    (void)state;
    struct im_group_row *group = im_zalloc(sizeof *group);
    *group = (struct im_group_row){.name = IM_STR("#g"),
                                   .topic = IM_STR("x"),
                                   .settings = IM_GROUP_PUBLIC | IM_GROUP_PAST,
                                   .members = 3,
                                   .online = 2,
                                   .role = IM_ROLE_NONE,
                                   .created_ms = 1700000000000};
    struct im_reply r = {.op = IM_OP_GROUP, .group = {.what = IM_GROUP_INFO, .groups = group, .count = 1}};
    assert_answers(&r, "{\"op\":\"ok\",\"conv\":\"#g\",\"topic\":\"x\",\"public\":true,\"history\":\"all\","
                       "\"role\":\"none\",\"members\":3,\"online\":2,\"created\":1700000000000}");
    group = im_zalloc(sizeof *group);
    *group = (struct im_group_row){.name = IM_STR("#g"), .topic = IM_STR(""), .members = 3};
    r = (struct im_reply){.op = IM_OP_GROUP,
                          .group = {.what = IM_GROUP_LIST, .groups = group, .count = 1, .more = true}};
    assert_answers(&r, "{\"op\":\"ok\",\"groups\":[{\"conv\":\"#g\",\"topic\":\"\",\"members\":3}],\"next\":\"#g\"}");
    struct im_member_row *members = im_zalloc(2 * sizeof *members);
    members[0] = (struct im_member_row){.name = IM_STR("ann"), .role = IM_ROLE_OWNER, .online = true};
    members[1] = (struct im_member_row){.name = IM_STR("bob"), .role = IM_ROLE_BANNED};
    r = (struct im_reply){
        .op = IM_OP_GROUP,
        .group = {.what = IM_GROUP_MEMBERS, .conv = IM_STR("#g"), .members = members, .count = 2, .more = true}};
    assert_answers(&r,
                   "{\"op\":\"ok\",\"conv\":\"#g\",\"members\":[{\"user\":\"ann\",\"role\":\"owner\",\"online\":true},"
                   "{\"user\":\"bob\",\"role\":\"banned\",\"online\":false}],\"next\":\"bob\"}");
    r = (struct im_reply){.op = IM_OP_GROUP, .group = {.what = IM_GROUP_LIST}};
    assert_answers(&r, "{\"op\":\"ok\",\"groups\":[]}");
}

static void people_are_shown(void **state)
{
    (void)state;
    struct im_presence_row *rows = im_zalloc(2 * sizeof *rows);
    rows[0] = (struct im_presence_row){.user = IM_STR("bob"), .state = IM_AWAY, .text = IM_STR("午饭")};
    rows[1] = (struct im_presence_row){.user = IM_STR("#g"), .online = 3};
    assert_answers(&(struct im_reply){.op = IM_OP_PRESENCE, .presence = {.rows = rows, .count = 2}},
                   "{\"op\":\"ok\",\"users\":[{\"user\":\"bob\",\"state\":\"away\",\"text\":\"午饭\"},"
                   "{\"conv\":\"#g\",\"online\":3}]}");
    assert_answers(&(struct im_reply){.op = IM_OP_PRESENCE}, "{\"op\":\"ok\"}");
    struct im_profile *profile = im_zalloc(sizeof *profile);
    *profile = (struct im_profile){.user = IM_STR("bob"),
                                   .name = IM_STR("Bob"),
                                   .avatar = IM_STR("🐟"),
                                   .bot = true,
                                   .presence = {.state = IM_OFFLINE, .seen_ms = 1700000000000}};
    assert_answers(&(struct im_reply){.op = IM_OP_PROFILE, .profile = {profile}},
                   "{\"op\":\"ok\",\"user\":\"bob\",\"name\":\"Bob\",\"avatar\":\"🐟\",\"bot\":true,"
                   "\"state\":\"offline\",\"seen\":1700000000000}");
    struct im_str *users = im_zalloc(2 * sizeof *users);
    users[0] = IM_STR("bob");
    users[1] = IM_STR("翠花");
    assert_answers(&(struct im_reply){.op = IM_OP_BLOCK, .block = {.users = users, .count = 2, .list = true}},
                   "{\"op\":\"ok\",\"users\":[\"bob\",\"翠花\"]}");
    assert_answers(&(struct im_reply){.op = IM_OP_BLOCK, .block = {.list = true}}, "{\"op\":\"ok\",\"users\":[]}");
    assert_answers(&(struct im_reply){.op = IM_OP_BLOCK}, "{\"op\":\"ok\"}");
}

static void the_rest_is_short(void **state)
{
    (void)state;
    struct im_device_row *rows = im_zalloc(2 * sizeof *rows);
    rows[0] =
        (struct im_device_row){.name = IM_STR("laptop"), .seen_ms = 1700000000000, .online = true, .current = true};
    rows[1] = (struct im_device_row){.name = IM_STR("")};
    assert_answers(&(struct im_reply){.op = IM_OP_DEVICES, .devices = {.rows = rows, .count = 2, .list = true}},
                   "{\"op\":\"ok\",\"devices\":[{\"device\":\"laptop\",\"seen\":1700000000000,\"online\":true,"
                   "\"current\":true},{\"device\":\"\",\"seen\":0,\"online\":false,\"current\":false}]}");
    assert_answers(&(struct im_reply){.op = IM_OP_DEVICES}, "{\"op\":\"ok\"}");
    assert_answers(&(struct im_reply){.op = IM_OP_REPORT, .report = {IM_STR("r1")}},
                   "{\"op\":\"ok\",\"ticket\":\"r1\"}");
    static const enum im_op plain[] = {IM_OP_PASSWORD, IM_OP_ACK, IM_OP_READ, IM_OP_TYPING, IM_OP_PING, IM_OP_BYE};
    for (size_t i = 0; i < sizeof plain / sizeof *plain; i++)
        assert_answers(&(struct im_reply){.op = plain[i], .id = IM_STR("-3")}, "{\"op\":\"ok\",\"id\":-3}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_direct_conversation_is_named_by_the_other_side),
        cmocka_unit_test(a_group_is_the_same_to_all),
        cmocka_unit_test(a_message_as_it_stands_now),
        cmocka_unit_test(what_is_done_to_messages),
        cmocka_unit_test(the_own_log_tells_no_seq),
        cmocka_unit_test(changes_of_a_group_say_what_they_changed),
        cmocka_unit_test(what_passes),
        cmocka_unit_test(refusals),
        cmocka_unit_test(hello_tells_how_to_log_in_and_the_limits),
        cmocka_unit_test(a_login_may_bring_a_token),
        cmocka_unit_test(what_was_committed_is_answered),
        cmocka_unit_test(lists_show_each_message_to_its_reader),
        cmocka_unit_test(conversations_tell_people_from_groups),
        cmocka_unit_test(groups_are_shown),
        cmocka_unit_test(people_are_shown),
        cmocka_unit_test(the_rest_is_short),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
