#ifndef IM_CORE_MENTION_H
#define IM_CORE_MENTION_H

#include "core/str.h"

/* Finds who is mentioned: those a client named (ids separated by spaces, "*" is everybody), and every @name in the
 * text, where the longest beginning of what follows the '@' that is a member counts, as long as it does not end in the
 * middle of a word: @小明你好 is 小明, "@bob." is bob, @bobby is not. '@' inside a word (an address) is none. At most
 * IM_MENTIONS_MAX, each once, the named ones first. member() gets a key and gives the member's id, which is copied at
 * once, or an absent string; of a text it is asked a bounded number of times. all: "*", "@all" and "@所有人" count,
 * too. Returns a malloc'd list as struct im_msg has it, or NULL. */
char *im_mentions(struct im_str text, struct im_str named, bool all,
                  struct im_str (*member)(void *arg, struct im_str key), void *arg);

#endif
