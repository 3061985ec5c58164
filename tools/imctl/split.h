#ifndef IM_TOOLS_IMCTL_SPLIT_H
#define IM_TOOLS_IMCTL_SPLIT_H

#include <stdbool.h>

#include "core/bytes.h"

/* A line's words, as shells part them: at spaces, unless '…', "…" or \ keep them together. */
struct split {
    char **words; /* without quotes; ends with NULL */
    int count;
    size_t last_at; /* where the last word begins in the line */
    bool open;      /* a quote is not closed, or a \ ends the line */
};

/* With `unfinished` a last word is there even if it is empty, as after a space: the one that is being typed. */
void split_line(struct split *, struct im_str line, bool unfinished);
void split_free(struct split *);
/* Writes a word so that it comes back as one; with `finished` false the quote that it may need stays open. */
void split_quote(struct im_out *, struct im_str word, bool finished);

#endif
