#ifndef IM_CORE_DIALECT_HUMAN_H
#define IM_CORE_DIALECT_HUMAN_H

#include "core/dialect.h"

/* What the files of human mode share: its texts, its memory of what it has shown, its commands and its output. */

/* Texts (core/tbl/texts.def). */
enum im_human_text {
#define IM_TEXT(sym, en, zh) IM_TEXT_##sym,
#include "core/tbl/texts.def"
#undef IM_TEXT
    IM_TEXT_COUNT
};
#define IM_TEXT_NONE IM_TEXT_COUNT

const char *im_human_text(enum im_lang, enum im_human_text);
/* The format with its %1, %2 and %3 replaced by args, made safe for a terminal. */
void im_human_fill(struct im_out *, const char *format, const struct im_str args[3]);
#define IM_ARGS(...) ((const struct im_str[3]){__VA_ARGS__})
/* A request's id that says which text to show when it is done, and back; NONE: another id. */
struct im_str im_human_id(enum im_human_text);
enum im_human_text im_human_id_text(struct im_str id);
/* n in decimal; the view is into digits. */
struct im_str im_human_number(uint64_t n, char digits[24]);

/* Memory: what short forms refer to. Made when there is something to remember; bounded. */
#define IM_HUMAN_SEEN_MAX 32
#define IM_HUMAN_MORE_MAX 256

/* A conversation, or a user, whose name this link has shown or used. */
struct im_human_seen {
    uint64_t own, last; /* newest seqs seen there: of this user, and of others; 0: none */
    uint16_t text_len, key_len;
    char names[]; /* text, then key */
};

/* What /more asks for. */
struct im_human_more {
    enum im_op op; /* NONE: nothing */
    enum im_group_answer what;
    char *conv, *text; /* malloc'd or NULL. text: of the search; of members and groups the name to go on after */
    uint64_t at;       /* history: a seq; search: a pos; 0: not known yet */
    uint64_t limit;
};

struct im_human {
    char *self;                  /* key of who is logged in; malloc'd or NULL */
    struct im_human_seen **seen; /* newest first; room for IM_HUMAN_SEEN_MAX once there is one */
    size_t seen_count;
    bool receipts; /* show how far others have read */
    struct im_human_more *more;
};

struct im_human *im_human_of(struct im_link *); /* makes it when missing */
void im_human_free(struct im_human **);
/* The entry of this name, now the newest. Remembering one more may forget the oldest. */
struct im_human_seen *im_human_remember(struct im_link *, struct im_str text, struct im_str key);
void im_human_remember_name(struct im_link *, struct im_str name);
struct im_human_seen *im_human_find(const struct im_link *, struct im_str key); /* NULL: not seen */
struct im_str im_human_seen_text(const struct im_human_seen *);
/* Where others wrote last; NULL: nowhere yet. */
const struct im_human_seen *im_human_latest(const struct im_link *);
/* The names seen that begin with this (groups only if it begins with '#'): how many, and the one, or all of them with
 * commas between, in `out`. One that is `begin` itself counts alone. */
size_t im_human_complete(const struct im_link *, struct im_str begin, struct im_out *out);
/* What /more would go on with, as far as it is known when the request is made; conv and text may be absent. */
void im_human_ask_more(struct im_link *, enum im_op, enum im_group_answer, struct im_str conv, struct im_str text);
/* There is more, from `at` or after `text`; with neither, there is not. Says whether /more can show it. */
bool im_human_offer_more(struct im_link *, enum im_op, uint64_t at, struct im_str text);

/* Plain lines go there from now on. */
enum im_reason im_human_talk_to(struct im_link *, struct im_str name, struct im_error *);

/* Says something on the link's own account; empties out. */
void im_human_say(struct im_link *, struct im_out *out);
void im_human_say_text(struct im_link *, enum im_human_text, struct im_str arg);

/* One word of a line may name a command's argument. */
#define IM_HUMAN_WORDS_MAX 16
struct im_human_words {
    struct im_str v[IM_HUMAN_WORDS_MAX];
    struct im_str rest[IM_HUMAN_WORDS_MAX]; /* from v[i] to the end of the line */
    bool tab[IM_HUMAN_WORDS_MAX];           /* a TAB follows v[i] */
    size_t n;
};

/* A command being read. */
struct im_human_slash;
struct im_human_call {
    struct im_link *link;
    const struct im_human_slash *slash;
    struct im_human_words words;
    struct im_command *cmd;
    struct im_error *error;
};
struct im_human_slash {
    const char *name, *aliases, *arguments;
    size_t least;
    const char *help[IM_LANG_COUNT];
    enum im_reason (*run)(struct im_human_call *);
};
extern const struct im_human_slash im_human_slashes[];
extern const size_t im_human_slash_count;
/* By its name or another of its names; NULL: there is none. */
const struct im_human_slash *im_human_slash_find(struct im_str word);
/* The text says it all: it becomes the detail of IM_USAGE, and is shown alone. */
enum im_reason im_human_refuse(const struct im_link *, struct im_error *, enum im_human_text, struct im_str arg);
enum im_reason im_human_usage(const struct im_human_call *);

struct im_bytes *im_human_encode(struct im_link *, struct im_event *, bool own);

#endif
