#include "core/dialect_human.h"
#include "core/suggest.h"

/* Human mode: plain lines and slash commands, for people with netcat. Everything a peer wrote goes out through
 * im_out_safe(), so that it cannot steer the reader's terminal. */

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

static size_t word_len(struct im_str s)
{
    size_t len = 0;
    while (len < s.len && !blank(s.p[len]))
        len++;
    return len;
}

static void split(struct im_str line, struct im_human_words *w)
{
    w->n = 0;
    for (size_t len = 0; w->n < IM_HUMAN_WORDS_MAX; line.p += len, line.len -= len) {
        while (line.len > 0 && blank(line.p[0]))
            line.p++, line.len--;
        if ((len = word_len(line)) == 0)
            return;
        w->v[w->n] = (struct im_str){line.p, len};
        w->rest[w->n] = trim(line);
        w->tab[w->n++] = len < line.len && line.p[len] == '\t';
    }
}

static enum im_reason unknown(const struct im_link *link, struct im_str line, struct im_error *error)
{
    struct im_suggest suggest = {.word = {line.p, word_len(line)}};
    for (size_t i = 0; i < im_human_slash_count; i++)
        im_suggest_offer(&suggest, im_str(im_human_slashes[i].name));
    struct im_str best = im_suggest_best(&suggest);
    if (best.p)
        return im_human_refuse(link, error, IM_TEXT_MEANT, best);
    return im_fail(error, IM_BAD_COMMAND, "/%.*s", (int)line.len, line.p);
}

/* The bounds that the table of fields sets for everybody. */
static enum im_reason check_bounds(const struct im_command *cmd, struct im_error *error)
{
#define STR(member, name, max)                                                                                         \
    if (im_command_has(cmd, IM_F_##member) && cmd->member.len > (max))                                                 \
        return im_fail(error, IM_TOO_LONG, "%s: at most %llu bytes", name, (unsigned long long)(max));
#define U64(member, name, max)
#define POS(member, name, max)
#define BOOL(member, name, max)
#define STRS(member, name, max)
#define IM_FIELD(member, name, type, max) type(member, name, max)
#include "core/tbl/fields.def"
#undef IM_FIELD
#undef STR
#undef U64
#undef POS
#undef BOOL
#undef STRS
    return IM_OK;
}

static enum im_reason run_slash(struct im_link *link, struct im_str line, struct im_command *cmd,
                                struct im_error *error)
{
    size_t len = word_len(line);
    struct im_human_call call = {.link = link, .cmd = cmd, .error = error};
    call.slash = im_human_slash_find((struct im_str){line.p, len});
    if (call.slash == NULL)
        return unknown(link, line, error);
    split((struct im_str){line.p + len, line.len - len}, &call.words);
    if (call.words.n < call.slash->least)
        return im_human_usage(&call);
    enum im_reason reason = call.slash->run(&call);
    return reason == IM_OK ? check_bounds(cmd, error) : reason;
}

static enum im_reason decode(struct im_link *link, struct im_str line, struct im_command *cmd, struct im_error *error)
{
    if (line.len > 0 && line.p[0] == '{') {
        link->dialect = &im_dialect_json;
        im_human_free(&link->human);
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
        return im_human_refuse(link, error, IM_TEXT_NO_TARGET, IM_STR(""));
    cmd->op = IM_OP_SEND;
    cmd->have = IM_BIT(to) | IM_BIT(text);
    cmd->to = im_name_text(link->target);
    cmd->to_name = link->target;
    cmd->text = (struct im_str){line.p + slash, line.len - slash};
    return IM_OK;
}

const struct im_dialect im_dialect_human = {"human", decode, im_human_encode, NULL};
