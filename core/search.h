#ifndef IM_CORE_SEARCH_H
#define IM_CORE_SEARCH_H

#include "core/bytes.h"

/* What search finds, alike for every store. A text is a sequence of terms: a word of letters and digits, case-folded;
 * and, in scripts written without spaces (Han, kana, Hangul, Thai …), every pair of neighbouring characters, and the
 * last character of a run by itself: each character is the beginning of some term. A query finds a text that has each
 * of the query's terms, those of one run of characters next to each other, and its last word as a beginning: "开会"
 * finds 今天下午开会吗, "meet" finds "Meeting". A single such character finds texts that have it anywhere; emoji are
 * such. Width and composition (NFKC) and the accents of Latin, Greek and Cyrillic letters make no difference; what
 * cannot be seen is left out. */

#define IM_SEARCH_TEXT_MAX   65536 /* bytes of a text that are looked at */
#define IM_SEARCH_TERM_MAX   128   /* bytes of a term; what a longer word has beyond them counts for nothing */
#define IM_SEARCH_WANTED_MAX 32    /* terms of a query; further ones count for nothing */

/* For an index. Calls each() for every term in order; `at` counts terms. Stops when each() returns false. text is valid
 * UTF-8 (anything else has no terms). A term holds letters, marks and digits only: no quote, no space. */
void im_search_terms(struct im_str text, bool (*each)(void *arg, struct im_str term, size_t at), void *arg);

/* For asking an index: every term that a text must have to match the query, in order. prefix: any term that begins with
 * these bytes will do; else only this one. follows: it comes right after the one before, at `at` + 1 (so that 开会吗 is
 * 开会, then 会吗 that follows). An index without `at` may leave that out, and ask im_search_match() about what it
 * finds. */
struct im_search_want {
    struct im_str term;
    bool prefix, follows;
};
void im_search_wants(struct im_str query, bool (*each)(void *arg, const struct im_search_want *), void *arg);

/* Does the text match the query? A query without any term matches nothing. */
bool im_search_match(struct im_str text, struct im_str query);

/* What a character is to a search. */
enum im_char {
    IM_CHAR_OTHER, /* between words */
    IM_CHAR_WORD,  /* part of a word */
    IM_CHAR_ALONE, /* of a script written without spaces */
    IM_CHAR_MARK,  /* belongs to the character before it */
};
enum im_char im_char(int32_t point);

#endif
