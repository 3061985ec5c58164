#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "core/config.h"
#include "core/dialect.h"
#include "core/mem.h"

/* Human mode: plain lines and slash commands, for people with netcat. Everything a peer wrote goes out through
 * im_out_safe(), so that it cannot steer the reader's terminal. */

enum text {
#define IM_TEXT(sym, en, zh) TEXT_##sym,
#include "core/tbl/texts.def"
#undef IM_TEXT
    TEXT_COUNT
};

static const char *const texts[TEXT_COUNT][IM_LANG_COUNT] = {
#define IM_TEXT(sym, en, zh) {en, zh},
#include "core/tbl/texts.def"
#undef IM_TEXT
};

/* What may be said in one line beside a command's name: up to WORDS_MAX words, the last taking the rest. */
#define WORDS_MAX 16

struct words {
    struct im_str v[WORDS_MAX];
    struct im_str rest[WORDS_MAX]; /* from v[i] to the end of the line */
    size_t n;
};

struct slash {
    const char *name, *aliases, *arguments;
    size_t least;
    const char *help[IM_LANG_COUNT];
    enum im_reason (*run)(struct im_link *, const struct words *, struct im_command *, struct im_error *);
};

#define IM_SLASH(name, aliases, arguments, least, en, zh, function)                                                    \
    static enum im_reason run_##function(struct im_link *, const struct words *, struct im_command *,                  \
                                         struct im_error *);
#include "core/tbl/slash.def"
#undef IM_SLASH

static const struct slash slashes[] = {
#define IM_SLASH(name, aliases, arguments, least, en, zh, function)                                                    \
    {name, aliases, arguments, least, {en, zh}, run_##function},
#include "core/tbl/slash.def"
#undef IM_SLASH
};
#define SLASH_COUNT (sizeof slashes / sizeof *slashes)

/* The text with its %s replaced by arg. */
static void fill(struct im_out *out, enum im_lang lang, enum text text, struct im_str arg)
{
    const char *format = texts[text][lang];
    const char *hole = strstr(format, "%s");
    if (hole == NULL) {
        im_out_str(out, format);
        return;
    }
    im_out_put(out, format, (size_t)(hole - format));
    im_out_safe(out, arg, false);
    im_out_str(out, hole + 2);
}

static void put_text(struct im_out *out, enum im_lang lang, enum text text, struct im_str arg)
{
    im_out_str(out, "* ");
    fill(out, lang, text, arg);
}

/* The text says it all: it becomes the detail of IM_USAGE, and is shown alone. */
static enum im_reason refuse(const struct im_link *link, struct im_error *error, enum text text, const char *arg)
{
    struct im_out out = {0};
    fill(&out, link->lang, text, im_str(arg));
    im_fail(error, IM_USAGE, "%.*s", (int)out.len, im_out_data(&out));
    im_out_clear(&out);
    return IM_USAGE;
}

/* Says something on the link's own account. */
static void say(struct im_link *link, struct im_out *out)
{
    struct im_event *e = im_event_notice(IM_OK, (struct im_str){im_out_data(out), out->len});
    im_out_clear(out);
    link->ops->send(link, e, false);
}

static void say_text(struct im_link *link, enum text text, struct im_str arg)
{
    struct im_out out = {0};
    put_text(&out, link->lang, text, arg);
    say(link, &out);
}

static bool blank(char c)
{
    return c == ' ' || c == '\t';
}

static struct im_str trim(struct im_str s)
{
    while (s.len > 0 && blank(s.p[0]))
        s.p++, s.len--;
    while (s.len > 0 && blank(s.p[s.len - 1]))
        s.len--;
    return s;
}

static void split(struct im_str line, struct words *words)
{
    words->n = 0;
    line = trim(line);
    while (line.len > 0 && words->n < WORDS_MAX) {
        size_t len = 0;
        while (len < line.len && !blank(line.p[len]))
            len++;
        words->rest[words->n] = line;
        words->v[words->n++] = (struct im_str){line.p, len};
        line = trim((struct im_str){line.p + len, line.len - len});
    }
}

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

static const struct slash *find_slash(struct im_str word)
{
    for (size_t i = 0; i < SLASH_COUNT; i++)
        if (im_str_eq(word, im_str(slashes[i].name)) || listed(word, slashes[i].aliases))
            return &slashes[i];
    return NULL;
}

static enum im_reason ask(struct im_command *cmd, enum im_op op, uint32_t have)
{
    cmd->op = op;
    cmd->have = have;
    return IM_OK;
}

static enum im_reason run_login(struct im_link *link, const struct words *w, struct im_command *cmd,
                                struct im_error *error)
{
    (void)link, (void)error;
    cmd->user = w->v[0];
    return ask(cmd, IM_OP_LOGIN, IM_BIT(user));
}

static enum im_reason run_to(struct im_link *link, const struct words *w, struct im_command *cmd,
                             struct im_error *error)
{
    (void)cmd;
    struct im_name name;
    enum im_reason reason = im_name_parse(w->v[0], &name, error);
    if (reason != IM_OK)
        return reason;
    if (link->target == NULL)
        link->target = im_alloc(sizeof *link->target);
    *link->target = name;
    say_text(link, TEXT_TALKING, im_name_text(&name));
    return IM_OK;
}

static enum im_reason run_msg(struct im_link *link, const struct words *w, struct im_command *cmd,
                              struct im_error *error)
{
    (void)link, (void)error;
    cmd->to = w->v[0];
    cmd->text = w->rest[1];
    return ask(cmd, IM_OP_SEND, IM_BIT(to) | IM_BIT(text));
}

static void release_memory(struct im_command *cmd)
{
    free(cmd->memory);
}

static enum im_reason run_who(struct im_link *link, const struct words *w, struct im_command *cmd,
                              struct im_error *error)
{
    size_t n = w->n > 0 ? w->n : 1;
    if (w->n == 0 && link->target == NULL)
        return refuse(link, error, TEXT_NOBODY, "");
    cmd->users = cmd->memory = im_alloc(n * sizeof *cmd->users);
    cmd->release = release_memory;
    cmd->users_count = n;
    for (size_t i = 0; i < n; i++)
        cmd->users[i] = w->n > 0 ? w->v[i] : im_name_text(link->target);
    return ask(cmd, IM_OP_PRESENCE, IM_BIT(users));
}

static enum im_reason run_history(struct im_link *link, const struct words *w, struct im_command *cmd,
                                  struct im_error *error)
{
    if (link->target == NULL)
        return refuse(link, error, TEXT_NO_TARGET, "");
    cmd->conv = im_name_text(link->target);
    cmd->limit = 20;
    if (w->n > 0 && (!im_str_u64(w->v[0], &cmd->limit) || cmd->limit < 1))
        return refuse(link, error, TEXT_USAGE, "/history [COUNT]");
    return ask(cmd, IM_OP_HISTORY, IM_BIT(conv) | IM_BIT(limit));
}

static enum im_reason run_conversations(struct im_link *link, const struct words *w, struct im_command *cmd,
                                        struct im_error *error)
{
    (void)link, (void)w, (void)error;
    return ask(cmd, IM_OP_CONVERSATIONS, 0);
}

static enum im_reason run_lang(struct im_link *link, const struct words *w, struct im_command *cmd,
                               struct im_error *error)
{
    (void)cmd;
    if (im_str_eq(w->v[0], IM_STR("zh")))
        link->lang = IM_ZH;
    else if (im_str_eq(w->v[0], IM_STR("en")))
        link->lang = IM_EN;
    else
        return refuse(link, error, TEXT_USAGE, "/lang en|zh");
    say_text(link, TEXT_LANG, IM_STR(""));
    return IM_OK;
}

static enum im_reason run_ping(struct im_link *link, const struct words *w, struct im_command *cmd,
                               struct im_error *error)
{
    (void)link, (void)w, (void)error;
    return ask(cmd, IM_OP_PING, 0);
}

static enum im_reason run_quit(struct im_link *link, const struct words *w, struct im_command *cmd,
                               struct im_error *error)
{
    (void)link, (void)w, (void)error;
    return ask(cmd, IM_OP_BYE, 0);
}

/* Columns of a text without wide characters. */
static int width(const char *s)
{
    int n = 0;
    for (; *s; s++)
        n += ((unsigned char)*s & 0xc0) != 0x80;
    return n;
}

static void put_help(struct im_out *out, const struct slash *s, enum im_lang lang)
{
    int pad = 24 - (int)strlen(s->name) - width(s->arguments);
    im_out_printf(out, "  /%s %s%*s %s", s->name, s->arguments, pad > 0 ? pad : 0, "", s->help[lang]);
}

static enum im_reason run_help(struct im_link *link, const struct words *w, struct im_command *cmd,
                               struct im_error *error)
{
    (void)cmd;
    struct im_out out = {0};
    if (w->n > 0) {
        struct im_str word = w->v[0];
        if (word.p[0] == '/')
            word.p++, word.len--;
        const struct slash *s = find_slash(word);
        if (s == NULL)
            return im_fail(error, IM_BAD_COMMAND, "/help");
        put_help(&out, s, link->lang);
        if (s->aliases[0] != '\0')
            im_out_printf(&out, " (= /%s)", s->aliases);
    } else {
        put_text(&out, link->lang, TEXT_COMMANDS, IM_STR(""));
        for (size_t i = 0; i < SLASH_COUNT; i++) {
            im_out_char(&out, '\n');
            put_help(&out, &slashes[i], link->lang);
        }
    }
    say(link, &out);
    return IM_OK;
}

static enum im_reason run_slash(struct im_link *link, struct im_str line, struct im_command *cmd,
                                struct im_error *error)
{
    struct words words;
    size_t len = 0;
    while (len < line.len && !blank(line.p[len]))
        len++;
    const struct slash *s = find_slash((struct im_str){line.p, len});
    if (s == NULL)
        return im_fail(error, IM_BAD_COMMAND, "/%.*s", (int)line.len, line.p);
    split((struct im_str){line.p + len, line.len - len}, &words);
    if (words.n < s->least) {
        char usage[128];
        snprintf(usage, sizeof usage, "/%s %s", s->name, s->arguments);
        return refuse(link, error, TEXT_USAGE, usage);
    }
    return s->run(link, &words, cmd, error);
}

static enum im_reason decode(struct im_link *link, struct im_str line, struct im_command *cmd, struct im_error *error)
{
    if (line.len > 0 && line.p[0] == '{') {
        link->dialect = &im_dialect_json;
        return im_dialect_json.decode(link, line, cmd, error);
    }
    cmd->id = IM_DIALECT_ID;
    if (!im_str_utf8(line) || memchr(line.p ? line.p : "", '\0', line.len))
        return im_fail(error, IM_BAD_UTF8, "%s", "");
    if (trim(line).len == 0)
        return IM_OK;
    bool slash = line.p[0] == '/';
    if (slash && !(line.len > 1 && line.p[1] == '/'))
        return run_slash(link, (struct im_str){line.p + 1, line.len - 1}, cmd, error);
    if (link->target == NULL)
        return refuse(link, error, TEXT_NO_TARGET, "");
    cmd->to = im_name_text(link->target);
    cmd->text = (struct im_str){line.p + slash, line.len - slash};
    return ask(cmd, IM_OP_SEND, IM_BIT(to) | IM_BIT(text));
}

static void put_time(struct im_out *out, int64_t ts_ms, const struct im_dialect_env *env, bool date)
{
    time_t local = (time_t)(ts_ms / 1000 + env->utc_offset_s);
    struct tm tm;
    char buffer[32];
    gmtime_r(&local, &tm);
    if (date)
        im_out_put(out, buffer, strftime(buffer, sizeof buffer, "%Y-%m-%d ", &tm));
    im_out_put(out, buffer, strftime(buffer, sizeof buffer, "%H:%M", &tm));
}

/* The lines after the first are indented, so that a text cannot pass for a message of somebody else. */
static void put_body(struct im_out *out, struct im_str body)
{
    while (body.len > 0) {
        const char *end = memchr(body.p, '\n', body.len);
        size_t len = end ? (size_t)(end - body.p) : body.len;
        im_out_safe(out, (struct im_str){body.p, len}, false);
        if (end == NULL)
            return;
        im_out_str(out, "\n      ");
        body = (struct im_str){body.p + len + 1, body.len - len - 1};
    }
}

static void put_line(struct im_out *out, const struct im_msg *m, bool own)
{
    im_out_char(out, ' ');
    im_out_safe(out, m->from, false);
    if (own) {
        im_out_str(out, " → ");
        im_out_safe(out, m->to, false);
    }
    im_out_str(out, ": ");
    if (m->mime.p == NULL) {
        put_body(out, m->body);
        return;
    }
    im_out_char(out, '[');
    im_out_safe(out, m->mime, false);
    im_out_printf(out, ", %zu]", m->body.len);
}

static void make_msg(struct im_out *out, const struct im_event *e, bool own, const void *env)
{
    put_time(out, e->msg.ts_ms, env, false);
    put_line(out, &e->msg, own);
}

static void put_history(struct im_out *out, const struct im_link *link, const struct im_reply *r)
{
    if (r->history.count == 0)
        put_text(out, link->lang, TEXT_NO_MESSAGES, IM_STR(""));
    for (size_t i = 0; i < r->history.count; i++) {
        const struct im_msg *m = &r->history.events[i]->msg;
        if (i > 0)
            im_out_char(out, '\n');
        put_time(out, m->ts_ms, link->env, true);
        put_line(out, m, false);
    }
}

static void put_conversations(struct im_out *out, const struct im_link *link, const struct im_reply *r)
{
    if (r->conversations.count == 0)
        put_text(out, link->lang, TEXT_NO_CONVERSATIONS, IM_STR(""));
    for (size_t i = 0; i < r->conversations.count; i++) {
        const struct im_conv_row *row = &r->conversations.rows[i];
        if (i > 0)
            im_out_char(out, '\n');
        im_out_str(out, "  ");
        im_out_safe(out, row->name, false);
        if (row->unread > 0) {
            struct im_out number = {0};
            im_out_u64(&number, row->unread);
            im_out_str(out, "  (");
            fill(out, link->lang, TEXT_UNREAD, (struct im_str){im_out_data(&number), number.len});
            im_out_char(out, ')');
            im_out_clear(&number);
        }
    }
}

static void put_presence(struct im_out *out, enum im_lang lang, const struct im_presence_row *row)
{
    put_text(out, lang, row->state == IM_ONLINE ? TEXT_IS_ONLINE : TEXT_IS_OFFLINE, row->user);
}

static void put_ok(struct im_out *out, const struct im_link *link, const struct im_reply *r)
{
    switch (r->op) {
    case IM_OP_LOGIN:
        put_text(out, link->lang, TEXT_WELCOME, r->login.user);
        break;
    case IM_OP_SEND:
        if (!r->send.online)
            put_text(out, link->lang, TEXT_AWAY, r->send.msg->msg.to);
        break;
    case IM_OP_HISTORY:
        put_history(out, link, r);
        break;
    case IM_OP_CONVERSATIONS:
        put_conversations(out, link, r);
        break;
    case IM_OP_PRESENCE:
        for (size_t i = 0; i < r->presence.count; i++) {
            if (i > 0)
                im_out_char(out, '\n');
            put_presence(out, link->lang, &r->presence.rows[i]);
        }
        break;
    case IM_OP_PING:
        put_text(out, link->lang, TEXT_PONG, IM_STR(""));
        break;
    default:
        break;
    }
}

static void put_reason(struct im_out *out, enum im_lang lang, const char *mark, enum im_reason reason,
                       struct im_str detail)
{
    im_out_str(out, mark);
    if (reason == IM_USAGE) {
        im_out_safe(out, detail, false);
        return;
    }
    im_out_str(out, im_reason_info(reason)->text[lang]);
    if (detail.len > 0) {
        im_out_str(out, " (");
        im_out_safe(out, detail, false);
        im_out_char(out, ')');
    }
}

static struct im_bytes *encode(struct im_link *link, struct im_event *e, bool own)
{
    struct im_out out = {0};
    switch (e->type) {
    case IM_EV_MSG:
        return im_dialect_cached(e, IM_FORM_HUMAN, own, make_msg, link->env);
    case IM_EV_OK:
        put_ok(&out, link, &e->reply);
        break;
    case IM_EV_ERR:
        put_reason(&out, link->lang, "! ", e->reply.err.reason, e->reply.err.detail);
        break;
    case IM_EV_NOTICE:
        if (e->notice.text.len > 0)
            im_out_put(&out, e->notice.text.p, e->notice.text.len);
        else
            put_reason(&out, link->lang, "* ", e->notice.reason, IM_STR(""));
        break;
    case IM_EV_PRESENCE:
        put_presence(&out, link->lang, &e->presence);
        break;
    case IM_EV_BYE:
        put_reason(&out, link->lang, "* ", e->bye.reason, IM_STR(""));
        break;
    case IM_EV_RESET:
        break;
    }
    if (out.len == 0) {
        im_out_clear(&out);
        return NULL;
    }
    return im_out_take(&out);
}

const struct im_dialect im_dialect_human = {"human", decode, encode};
