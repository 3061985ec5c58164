#include <stdio.h>
#include <stdlib.h>

#include "core/dialect_human.h"
#include "core/mem.h"

/* The slash commands, one function for each that core/tbl/slash.def names. */

#define IM_SLASH(name, aliases, arguments, least, en, zh, function)                                                    \
    static enum im_reason run_##function(struct im_human_call *);
#include "core/tbl/slash.def"
#undef IM_SLASH

const struct im_human_slash im_human_slashes[] = {
#define IM_SLASH(name, aliases, arguments, least, en, zh, function)                                                    \
    {name, aliases, arguments, least, {en, zh}, run_##function},
#include "core/tbl/slash.def"
#undef IM_SLASH
};
const size_t im_human_slash_count = sizeof im_human_slashes / sizeof *im_human_slashes;

static bool listed(struct im_str word, const char *list)
{
    while (*list) {
        size_t len = strcspn(list, " ");
        if (im_str_eq(word, (struct im_str){list, len}))
            return true;
        list += len + (list[len] == ' ');
    }
    return false;
}

const struct im_human_slash *im_human_slash_find(struct im_str word)
{
    for (size_t i = 0; i < im_human_slash_count; i++)
        if (im_str_eq(word, im_str(im_human_slashes[i].name)) || listed(word, im_human_slashes[i].aliases))
            return &im_human_slashes[i];
    return NULL;
}

enum im_reason im_human_refuse(const struct im_link *link, struct im_error *error, enum im_human_text text,
                               struct im_str arg)
{
    struct im_out out = {0};
    im_human_fill(&out, im_human_text(link->lang, text), IM_ARGS(arg));
    im_fail(error, IM_USAGE, "%.*s", (int)out.len, im_out_data(&out));
    im_out_clear(&out);
    return IM_USAGE;
}

static enum im_reason refuse(const struct im_human_call *c, enum im_human_text text)
{
    return im_human_refuse(c->link, c->error, text, (struct im_str){0});
}

enum im_reason im_human_usage(const struct im_human_call *c)
{
    char text[128];
    snprintf(text, sizeof text, "/%s %s", c->slash->name, c->slash->arguments);
    return im_human_refuse(c->link, c->error, IM_TEXT_USAGE, im_str(text));
}

/* Asks the core; `done` is what to say when it has been done, unless the answer itself says more. */
static enum im_reason ask(struct im_human_call *c, enum im_op op, uint64_t have, enum im_human_text done)
{
    c->cmd->op = op;
    c->cmd->have |= have;
    c->cmd->id = im_human_id(done);
    return IM_OK;
}

/* What a command's views point into beside its line. */
struct memory {
    struct im_str users[IM_HUMAN_WORDS_MAX];
    char *kept[IM_HUMAN_WORDS_MAX];
    size_t count;
};

static void release(struct im_command *cmd)
{
    struct memory *m = cmd->memory;
    for (size_t i = 0; i < m->count; i++)
        free(m->kept[i]);
    free(m);
}

static struct memory *memory(struct im_human_call *c)
{
    if (c->cmd->memory == NULL) {
        c->cmd->memory = im_zalloc(sizeof(struct memory));
        c->cmd->release = release;
    }
    return c->cmd->memory;
}

static struct im_str keep(struct im_human_call *c, struct im_str prefix, struct im_str s)
{
    struct memory *m = memory(c);
    char *copy = im_alloc(prefix.len + s.len + 1);
    memcpy(copy, prefix.p, prefix.len);
    memcpy(copy + prefix.len, s.p, s.len);
    m->kept[m->count++] = copy;
    return (struct im_str){copy, prefix.len + s.len};
}

/* Words. */

static void drop_word(struct im_human_words *w, size_t at)
{
    w->n--;
    for (size_t i = at; i < w->n; i++) {
        w->v[i] = w->v[i + 1];
        w->rest[i] = w->rest[i + 1];
        w->tab[i] = w->tab[i + 1];
    }
}

/* A word as a name: one that ends in '*' or before a TAB is completed from the names seen. */
static enum im_reason name_word(struct im_human_call *c, size_t i, struct im_str *out)
{
    struct im_str word = c->words.v[i];
    bool star = word.p[word.len - 1] == '*';
    *out = word;
    if (!star && !c->words.tab[i])
        return IM_OK;
    struct im_out found = {0};
    struct im_str begin = {word.p, word.len - star};
    size_t n = im_human_complete(c->link, begin, &found);
    struct im_str list = {im_out_data(&found), found.len};
    enum im_reason reason = IM_OK;
    if (n == 1)
        *out = keep(c, IM_STR(""), list);
    else if (n > 1)
        reason = im_human_refuse(c->link, c->error, IM_TEXT_SEVERAL, list);
    else if (star)
        reason = im_human_refuse(c->link, c->error, IM_TEXT_NOT_SEEN, begin);
    im_out_clear(&found);
    return reason;
}

static bool number(struct im_str word, uint64_t *out)
{
    return im_str_u64(word, out) && *out <= INT64_MAX;
}

/* Takes a leading seq, if `least` words are left then. */
static bool take_seq(struct im_human_call *c, size_t least)
{
    if (c->words.n <= least || !number(c->words.v[0], &c->cmd->seq))
        return false;
    drop_word(&c->words, 0);
    c->cmd->have |= IM_BIT(seq);
    return true;
}

static enum im_reason on_or_off(struct im_human_call *c, bool *out)
{
    *out = im_str_eq(c->words.v[0], IM_STR("on"));
    return *out || im_str_eq(c->words.v[0], IM_STR("off")) ? IM_OK : im_human_usage(c);
}

static enum im_reason target_conv(struct im_human_call *c)
{
    if (c->link->target == NULL)
        return refuse(c, IM_TEXT_NO_TARGET);
    c->cmd->conv = im_name_text(c->link->target);
    c->cmd->have |= IM_BIT(conv);
    return IM_OK;
}

/* The message a command is about: a leading number, or the newest of one's own or of the others there. Who talks to
 * nobody yet talks from now on where somebody wrote last. */
static enum im_reason message_of(struct im_human_call *c, size_t least, bool own)
{
    const struct im_human_seen *latest = c->link->target || own ? NULL : im_human_latest(c->link);
    if (latest)
        im_human_talk_to(c->link, im_human_seen_text(latest), NULL);
    enum im_reason reason = target_conv(c);
    if (reason != IM_OK || take_seq(c, least))
        return reason;
    const struct im_human_seen *seen = im_human_find(c->link, im_name_key(c->link->target));
    c->cmd->seq = seen == NULL ? 0 : own ? seen->own : seen->last;
    c->cmd->have |= IM_BIT(seq);
    return c->cmd->seq > 0 ? IM_OK : refuse(c, IM_TEXT_NO_SEQ);
}

/* Takes the group out of the words: among the first `among` one that begins with '#', else whom one talks to. */
static enum im_reason take_group(struct im_human_call *c, size_t among)
{
    c->cmd->have |= IM_BIT(conv);
    for (size_t i = 0; i < among && i < c->words.n; i++)
        if (im_conv_is_group(c->words.v[i])) {
            enum im_reason reason = name_word(c, i, &c->cmd->conv);
            drop_word(&c->words, i);
            return reason;
        }
    if (c->link->target == NULL || !im_conv_is_group(im_name_text(c->link->target)))
        return refuse(c, IM_TEXT_NO_GROUP);
    return target_conv(c);
}

/* Takes the first word as a group's name, with or without its '#'. */
static enum im_reason take_named_group(struct im_human_call *c)
{
    struct im_str word = c->words.v[0];
    if (im_conv_is_group(word))
        return take_group(c, 1);
    c->cmd->conv = keep(c, IM_STR("#"), word);
    c->cmd->have |= IM_BIT(conv);
    drop_word(&c->words, 0);
    return IM_OK;
}

/* Coming in. */

static enum im_reason run_login(struct im_human_call *c)
{
    if (c->words.n == 0)
        return ask(c, IM_OP_LOGIN, 0, IM_TEXT_LOGIN_HOW);
    c->cmd->user = c->words.v[0];
    if (c->words.n > 1) {
        c->cmd->password = c->words.rest[1];
        c->cmd->have |= IM_BIT(password);
    }
    return ask(c, IM_OP_LOGIN, IM_BIT(user), IM_TEXT_NONE);
}

static enum im_reason run_register(struct im_human_call *c)
{
    c->cmd->user = c->words.v[0];
    c->cmd->password = c->words.v[1];
    if (c->words.n > 2) {
        c->cmd->invite = c->words.v[2];
        c->cmd->have |= IM_BIT(invite);
    }
    return ask(c, IM_OP_REGISTER, IM_BIT(user) | IM_BIT(password), IM_TEXT_NONE);
}

static enum im_reason run_token(struct im_human_call *c)
{
    c->cmd->token = c->words.v[0];
    return ask(c, IM_OP_LOGIN, IM_BIT(token), IM_TEXT_NONE);
}

static enum im_reason run_password(struct im_human_call *c)
{
    if (c->words.n > 1) {
        c->cmd->password = c->words.v[0];
        c->cmd->have |= IM_BIT(password);
    }
    c->cmd->fresh = c->words.v[c->words.n > 1];
    return ask(c, IM_OP_PASSWORD, IM_BIT(fresh), IM_TEXT_PASSWORD_DONE);
}

/* Messages. */

static enum im_reason run_to(struct im_human_call *c)
{
    struct im_str to;
    enum im_reason reason = name_word(c, 0, &to);
    if (reason == IM_OK && (reason = im_human_talk_to(c->link, to, c->error)) == IM_OK)
        im_human_say_text(c->link, IM_TEXT_TALKING, im_name_text(c->link->target));
    return reason;
}

static enum im_reason run_msg(struct im_human_call *c)
{
    c->cmd->text = c->words.rest[1];
    ask(c, IM_OP_SEND, IM_BIT(to) | IM_BIT(text), IM_TEXT_NONE);
    return name_word(c, 0, &c->cmd->to);
}

static enum im_reason send_there(struct im_human_call *c, struct im_str text)
{
    if (c->link->target == NULL)
        return refuse(c, IM_TEXT_NO_TARGET);
    c->cmd->to = im_name_text(c->link->target);
    c->cmd->to_name = c->link->target;
    c->cmd->text = text;
    return ask(c, IM_OP_SEND, IM_BIT(to) | IM_BIT(text), IM_TEXT_NONE);
}

static enum im_reason run_me(struct im_human_call *c)
{
    return send_there(c, keep(c, IM_STR("/me "), c->words.rest[0]));
}

static enum im_reason run_reply(struct im_human_call *c)
{
    enum im_reason reason = message_of(c, 1, false);
    if (reason != IM_OK)
        return reason;
    c->cmd->reply = c->cmd->seq;
    c->cmd->have = IM_BIT(reply);
    return send_there(c, c->words.rest[0]);
}

static enum im_reason run_edit(struct im_human_call *c)
{
    enum im_reason reason = message_of(c, 1, true);
    c->cmd->text = c->words.rest[0];
    ask(c, IM_OP_EDIT, IM_BIT(text), IM_TEXT_EDIT_DONE);
    return reason;
}

static enum im_reason run_delete(struct im_human_call *c)
{
    enum im_reason reason = message_of(c, 0, true);
    if (reason != IM_OK)
        return reason;
    if (c->words.n > 1 || (c->words.n == 1 && !im_str_eq(c->words.v[0], IM_STR("me"))))
        return im_human_usage(c);
    if (c->words.n == 1) {
        c->cmd->scope = c->words.v[0];
        c->cmd->have |= IM_BIT(scope);
    }
    return ask(c, IM_OP_DELETE, 0, IM_TEXT_DELETE_DONE);
}

static enum im_reason react(struct im_human_call *c, bool on)
{
    enum im_reason reason = message_of(c, 1, false);
    c->cmd->emoji = c->words.rest[0];
    c->cmd->on = on;
    ask(c, IM_OP_REACT, IM_BIT(emoji) | IM_BIT(on), on ? IM_TEXT_REACT_DONE : IM_TEXT_UNREACT_DONE);
    return reason;
}

static enum im_reason run_react(struct im_human_call *c)
{
    return react(c, true);
}

static enum im_reason run_unreact(struct im_human_call *c)
{
    return react(c, false);
}

static enum im_reason run_read(struct im_human_call *c)
{
    if (c->words.n > 0 && !take_seq(c, 0))
        return im_human_usage(c);
    if (!im_command_has(c->cmd, IM_F_seq))
        c->cmd->seq = INT64_MAX; /* a mark goes to the conversation's end at most */
    ask(c, IM_OP_READ, IM_BIT(seq), IM_TEXT_READ_DONE);
    return target_conv(c);
}

static enum im_reason run_receipts(struct im_human_call *c)
{
    bool on;
    enum im_reason reason = on_or_off(c, &on);
    if (reason != IM_OK)
        return reason;
    im_human_of(c->link)->receipts = on;
    im_human_say_text(c->link, on ? IM_TEXT_RECEIPTS_ON : IM_TEXT_RECEIPTS_OFF, IM_STR(""));
    return IM_OK;
}

/* Looking back. */

static enum im_reason run_history(struct im_human_call *c)
{
    enum { DEFAULT_COUNT = 20, MOST = 1000 };
    enum im_reason reason = target_conv(c);
    if (reason != IM_OK)
        return reason;
    c->cmd->limit = DEFAULT_COUNT;
    if (c->words.n > 0 && (!number(c->words.v[0], &c->cmd->limit) || c->cmd->limit < 1))
        return im_human_usage(c);
    if (c->cmd->limit > MOST)
        c->cmd->limit = MOST;
    im_human_ask_more(c->link, IM_OP_HISTORY, IM_GROUP_CHANGED, c->cmd->conv, (struct im_str){0});
    c->link->human->more->limit = c->cmd->limit;
    return ask(c, IM_OP_HISTORY, IM_BIT(limit), IM_TEXT_NONE);
}

static enum im_reason run_search(struct im_human_call *c)
{
    if (c->words.n > 1 && im_conv_is_group(c->words.v[0])) {
        enum im_reason reason = take_group(c, 1);
        if (reason != IM_OK)
            return reason;
    }
    c->cmd->text = c->words.rest[0];
    im_human_ask_more(c->link, IM_OP_SEARCH, IM_GROUP_CHANGED, c->cmd->conv, c->cmd->text);
    return ask(c, IM_OP_SEARCH, IM_BIT(text), IM_TEXT_NONE);
}

static enum im_reason run_conversations(struct im_human_call *c)
{
    return ask(c, IM_OP_CONVERSATIONS, 0, IM_TEXT_NONE);
}

static enum im_reason ask_group(struct im_human_call *c, const char *act, enum im_human_text done)
{
    c->cmd->act = im_str(act);
    return ask(c, IM_OP_GROUP, IM_BIT(act), done);
}

static enum im_reason more_of_group(struct im_human_call *c, const struct im_human_more *more)
{
    if (more->text == NULL)
        return refuse(c, IM_TEXT_NO_MORE);
    c->cmd->next = keep(c, IM_STR(""), im_str(more->text));
    c->cmd->have |= IM_BIT(next);
    return ask_group(c, more->what == IM_GROUP_MEMBERS ? "members" : "list", IM_TEXT_NONE);
}

static enum im_reason run_more(struct im_human_call *c)
{
    const struct im_human_more *more = c->link->human ? c->link->human->more : NULL;
    if (more && more->conv) {
        c->cmd->conv = keep(c, IM_STR(""), im_str(more->conv));
        c->cmd->have |= IM_BIT(conv);
    }
    if (more && more->op == IM_OP_GROUP)
        return more_of_group(c, more);
    if (more == NULL || more->at == 0)
        return refuse(c, IM_TEXT_NO_MORE);
    c->cmd->before = c->cmd->pos = more->at;
    c->cmd->limit = more->limit;
    if (more->op == IM_OP_HISTORY)
        return ask(c, IM_OP_HISTORY, IM_BIT(before) | IM_BIT(limit), IM_TEXT_NONE);
    c->cmd->text = keep(c, IM_STR(""), im_str(more->text));
    return ask(c, IM_OP_SEARCH, IM_BIT(text) | IM_BIT(pos), IM_TEXT_NONE);
}

/* Groups. */

static enum im_reason run_create(struct im_human_call *c)
{
    enum im_reason reason = take_named_group(c);
    if (reason != IM_OK)
        return reason;
    if (c->words.n > 0) {
        c->cmd->text = c->words.rest[0];
        c->cmd->have |= IM_BIT(text);
    }
    return ask_group(c, "create", IM_TEXT_TALKING);
}

static enum im_reason run_join(struct im_human_call *c)
{
    ask_group(c, "join", IM_TEXT_TALKING);
    return take_named_group(c);
}

static enum im_reason run_group(struct im_human_call *c)
{
    ask_group(c, c->slash->name, IM_TEXT_NONE);
    return take_group(c, 1);
}

static enum im_reason run_destroy(struct im_human_call *c)
{
    if (!im_conv_is_group(c->words.v[0]))
        return im_human_usage(c);
    ask_group(c, "delete", IM_TEXT_NONE);
    return take_group(c, 1);
}

/* What is done to a member: NAME, and the group before or after it. */
static enum im_reason do_to(struct im_human_call *c, const char *act, size_t words)
{
    enum im_reason reason = take_group(c, words + 1);
    if (reason != IM_OK)
        return reason;
    if (c->words.n < words)
        return im_human_usage(c);
    ask_group(c, act, IM_TEXT_NONE);
    c->cmd->have |= IM_BIT(user);
    return name_word(c, 0, &c->cmd->user);
}

static enum im_reason run_member(struct im_human_call *c)
{
    return do_to(c, c->slash->name, 1);
}

static enum im_reason run_role(struct im_human_call *c)
{
    enum im_reason reason = do_to(c, "role", 2);
    c->cmd->role = c->words.v[1];
    c->cmd->have |= IM_BIT(role);
    return reason;
}

static enum im_reason make_role(struct im_human_call *c, enum im_role role)
{
    c->cmd->role = im_str(im_role_info(role)->name);
    c->cmd->have |= IM_BIT(role);
    return do_to(c, "role", 1);
}

static enum im_reason run_op(struct im_human_call *c)
{
    return make_role(c, IM_ROLE_ADMIN);
}

static enum im_reason run_deop(struct im_human_call *c)
{
    return make_role(c, IM_ROLE_MEMBER);
}

static enum im_reason run_mute(struct im_human_call *c)
{
    return make_role(c, IM_ROLE_MUTED);
}

static enum im_reason run_topic(struct im_human_call *c)
{
    enum im_reason reason = take_group(c, 1);
    if (c->words.n == 0) {
        ask_group(c, "info", IM_TEXT_NONE);
    } else {
        c->cmd->text = c->words.rest[0];
        c->cmd->have |= IM_BIT(text);
        ask_group(c, "topic", IM_TEXT_NONE);
    }
    return reason;
}

static bool take_setting(struct im_human_call *c)
{
    struct im_human_words *w = &c->words;
    struct im_command *cmd = c->cmd;
    bool history = im_str_eq(w->v[0], IM_STR("history"));
    if (history && w->n > 1 && (im_str_eq(w->v[1], IM_STR("all")) || im_str_eq(w->v[1], IM_STR("joined")))) {
        cmd->past = w->v[1];
        cmd->have |= IM_BIT(past);
        drop_word(w, 0);
    } else if (!history && (im_str_eq(w->v[0], IM_STR("public")) || im_str_eq(w->v[0], IM_STR("private")))) {
        cmd->open = im_str_eq(w->v[0], IM_STR("public"));
        cmd->have |= IM_BIT(open);
    } else {
        return false;
    }
    drop_word(w, 0);
    return true;
}

static enum im_reason run_set(struct im_human_call *c)
{
    enum im_reason reason = take_group(c, 1);
    if (reason != IM_OK)
        return reason;
    do
        if (c->words.n == 0 || !take_setting(c))
            return im_human_usage(c);
    while (c->words.n > 0);
    return ask_group(c, "set", IM_TEXT_NONE);
}

static enum im_reason run_members(struct im_human_call *c)
{
    enum im_reason reason = take_group(c, 1);
    if (reason != IM_OK)
        return reason;
    im_human_ask_more(c->link, IM_OP_GROUP, IM_GROUP_MEMBERS, c->cmd->conv, (struct im_str){0});
    return ask_group(c, "members", IM_TEXT_NONE);
}

static enum im_reason run_groups(struct im_human_call *c)
{
    im_human_ask_more(c->link, IM_OP_GROUP, IM_GROUP_LIST, (struct im_str){0}, (struct im_str){0});
    return ask_group(c, "list", IM_TEXT_NONE);
}

/* People. */

static enum im_reason run_who(struct im_human_call *c)
{
    struct im_str *users = memory(c)->users;
    enum im_reason reason = IM_OK;
    if (c->words.n == 0 && c->link->target == NULL)
        return refuse(c, IM_TEXT_NOBODY);
    if (c->words.n == 0)
        users[0] = im_name_text(c->link->target);
    for (size_t i = 0; i < c->words.n && reason == IM_OK; i++)
        reason = name_word(c, i, &users[i]);
    c->cmd->users = users;
    c->cmd->users_count = c->words.n > 0 ? c->words.n : 1;
    ask(c, IM_OP_PRESENCE, IM_BIT(users), IM_TEXT_NONE);
    return reason;
}

static enum im_reason run_unwatch(struct im_human_call *c)
{
    c->cmd->users = memory(c)->users;
    c->cmd->users_count = 0;
    return ask(c, IM_OP_PRESENCE, IM_BIT(users), IM_TEXT_UNWATCH_DONE);
}

static enum im_reason be(struct im_human_call *c, enum im_presence state, enum im_human_text done)
{
    c->cmd->state = im_str(im_presence_name(state));
    c->cmd->text = c->words.n > 0 ? c->words.rest[0] : IM_STR("");
    return ask(c, IM_OP_PRESENCE, IM_BIT(state) | IM_BIT(text), done);
}

static enum im_reason run_away(struct im_human_call *c)
{
    return be(c, IM_AWAY, IM_TEXT_AWAY_DONE);
}

static enum im_reason run_back(struct im_human_call *c)
{
    c->words.n = 0;
    return be(c, IM_ONLINE, IM_TEXT_ONLINE_DONE);
}

static enum im_reason run_dnd(struct im_human_call *c)
{
    return be(c, IM_DND, IM_TEXT_DND_DONE);
}

static enum im_reason run_whois(struct im_human_call *c)
{
    ask(c, IM_OP_PROFILE, c->words.n > 0 ? IM_BIT(user) : 0, IM_TEXT_NONE);
    return c->words.n > 0 ? name_word(c, 0, &c->cmd->user) : IM_OK;
}

/* The rest of the line, where "-" stands for nothing. */
static struct im_str rest_or_none(const struct im_human_call *c)
{
    struct im_str rest = c->words.rest[0];
    return im_str_eq(rest, IM_STR("-")) ? IM_STR("") : rest;
}

static enum im_reason run_name(struct im_human_call *c)
{
    c->cmd->name = rest_or_none(c);
    return ask(c, IM_OP_PROFILE, IM_BIT(name), IM_TEXT_PROFILE_DONE);
}

static enum im_reason run_avatar(struct im_human_call *c)
{
    c->cmd->avatar = rest_or_none(c);
    return ask(c, IM_OP_PROFILE, IM_BIT(avatar), IM_TEXT_PROFILE_DONE);
}

static enum im_reason run_seen(struct im_human_call *c)
{
    ask(c, IM_OP_PROFILE, IM_BIT(seen), IM_TEXT_PROFILE_DONE);
    return on_or_off(c, &c->cmd->seen);
}

static enum im_reason block(struct im_human_call *c, bool on)
{
    c->cmd->on = on;
    ask(c, IM_OP_BLOCK, IM_BIT(user) | IM_BIT(on), on ? IM_TEXT_BLOCK_DONE : IM_TEXT_UNBLOCK_DONE);
    return name_word(c, 0, &c->cmd->user);
}

static enum im_reason run_block(struct im_human_call *c)
{
    return block(c, true);
}

static enum im_reason run_unblock(struct im_human_call *c)
{
    return block(c, false);
}

static enum im_reason run_blocked(struct im_human_call *c)
{
    return ask(c, IM_OP_BLOCK, 0, IM_TEXT_NONE);
}

static enum im_reason run_report(struct im_human_call *c)
{
    struct im_str name;
    enum im_reason reason = name_word(c, 0, &name);
    if (reason != IM_OK)
        return reason;
    drop_word(&c->words, 0);
    bool group = im_conv_is_group(name), message = take_seq(c, 1);
    c->cmd->user = c->cmd->conv = name;
    c->cmd->text = c->words.rest[0];
    return ask(c, IM_OP_REPORT, IM_BIT(text) | (group ? 0 : IM_BIT(user)) | (group || message ? IM_BIT(conv) : 0),
               IM_TEXT_NONE);
}

static enum im_reason run_devices(struct im_human_call *c)
{
    return ask(c, IM_OP_DEVICES, 0, IM_TEXT_NONE);
}

static enum im_reason run_forget(struct im_human_call *c)
{
    c->cmd->device = c->words.rest[0];
    c->cmd->forget = true;
    return ask(c, IM_OP_DEVICES, IM_BIT(device) | IM_BIT(forget), IM_TEXT_FORGET_DONE);
}

/* The session itself. */

static enum im_reason run_lang(struct im_human_call *c)
{
    if (im_str_eq(c->words.v[0], IM_STR("zh")))
        c->link->lang = IM_ZH;
    else if (im_str_eq(c->words.v[0], IM_STR("en")))
        c->link->lang = IM_EN;
    else
        return im_human_usage(c);
    im_human_say_text(c->link, IM_TEXT_LANG, IM_STR(""));
    return IM_OK;
}

static enum im_reason run_ping(struct im_human_call *c)
{
    return ask(c, IM_OP_PING, 0, IM_TEXT_PONG);
}

static enum im_reason run_quit(struct im_human_call *c)
{
    return ask(c, IM_OP_BYE, 0, IM_TEXT_NONE);
}

/* Columns of a text without wide characters. */
static int width(const char *s)
{
    int n = 0;
    for (; *s; s++)
        n += ((unsigned char)*s & 0xc0) != 0x80;
    return n;
}

static void put_help(struct im_out *out, const struct im_human_slash *s, enum im_lang lang)
{
    int pad = 28 - (int)strlen(s->name) - width(s->arguments);
    im_out_printf(out, "  /%s %s%*s %s", s->name, s->arguments, pad > 0 ? pad : 0, "", s->help[lang]);
}

static enum im_reason help_on(struct im_human_call *c, struct im_str word)
{
    struct im_out out = {0};
    if (word.p[0] == '/')
        word.p++, word.len--;
    const struct im_human_slash *s = im_human_slash_find(word);
    if (s == NULL)
        return im_fail(c->error, IM_BAD_COMMAND, "/help");
    put_help(&out, s, c->link->lang);
    if (s->aliases[0] != '\0')
        im_out_printf(&out, " (= /%s)", s->aliases);
    im_human_say(c->link, &out);
    return IM_OK;
}

static enum im_reason run_help(struct im_human_call *c)
{
    struct im_out out = {0};
    if (c->words.n > 0)
        return help_on(c, c->words.v[0]);
    im_out_printf(&out, "* %s", im_human_text(c->link->lang, IM_TEXT_COMMANDS));
    for (size_t i = 0; i < im_human_slash_count; i++) {
        im_out_char(&out, '\n');
        put_help(&out, &im_human_slashes[i], c->link->lang);
    }
    im_human_say(c->link, &out);
    return IM_OK;
}
