#include "tools/imctl/split.h"

#include <stdlib.h>
#include <string.h>

#include "core/mem.h"

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static void add_word(struct split *s, const char *word, size_t len)
{
    s->words = im_realloc(s->words, ((size_t)s->count + 2) * sizeof *s->words);
    s->words[s->count++] = im_strndup(word, len);
    s->words[s->count] = NULL;
}

/* Reads one word from *at into out, without its quotes; *open says whether something is not closed. */
static void read_word(struct im_str line, size_t *at, struct im_out *out, bool *open)
{
    char quote = '\0';
    bool escaped = false;
    for (; *at < line.len && (quote || escaped || !is_space(line.p[*at])); ++*at) {
        char c = line.p[*at];
        if (escaped || (quote ? c != quote : c != '\'' && c != '"')) {
            bool escapes = !escaped && c == '\\' && quote != '\'';
            escaped = escapes;
            if (!escapes)
                im_out_char(out, c);
        } else {
            quote = quote ? '\0' : c;
        }
    }
    *open = quote || escaped;
}

void split_line(struct split *s, struct im_str line, bool unfinished)
{
    *s = (struct split){0};
    for (size_t at = 0; at < line.len;) {
        struct im_out word = {0};
        if (is_space(line.p[at])) {
            at++;
            continue;
        }
        s->last_at = at;
        read_word(line, &at, &word, &s->open);
        add_word(s, im_out_data(&word), word.len);
        im_out_clear(&word);
    }
    if (unfinished && (s->count == 0 || (!s->open && is_space(line.p[line.len - 1])))) {
        s->last_at = line.len;
        add_word(s, "", 0);
    }
}

void split_free(struct split *s)
{
    for (int i = 0; i < s->count; i++)
        free(s->words[i]);
    free(s->words);
    *s = (struct split){0};
}

void split_quote(struct im_out *out, struct im_str word, bool finished)
{
    bool plain = word.len > 0 || !finished;
    for (size_t i = 0; i < word.len; i++)
        plain = plain && !is_space(word.p[i]) && !strchr("'\"\\", word.p[i]);
    if (plain) {
        im_out_put(out, word.p, word.len);
        return;
    }
    im_out_char(out, '\'');
    for (size_t i = 0; i < word.len; i++) {
        if (word.p[i] == '\'')
            im_out_str(out, "'\\'");
        im_out_char(out, word.p[i]);
    }
    im_out_str(out, finished ? "'" : "");
}
