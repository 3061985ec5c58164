#ifndef IM_TESTS_CONFORM_SPEECH_H
#define IM_TESTS_CONFORM_SPEECH_H

#include "tests/conform/peer.h"

/* How a client speaks over a connection: the least that a test needs of each transport's protocol. */

enum heard_kind { HEARD_TEXT, HEARD_CLOSE, HEARD_PING };

struct heard {
    enum heard_kind kind;
    char *text; /* malloc'd, NUL-terminated */
    size_t len;
    unsigned code; /* of a close */
};

struct speech {
    void (*greet)(struct peer *);
    bool (*greeted)(struct peer *); /* takes the server's greeting; true when it is all there, or there is none */
    void (*say)(struct peer *, const char *text, size_t len);
    bool (*hear)(struct peer *, struct heard *); /* takes the next thing that is there; false: not all there yet */
    void (*say_close)(struct peer *);
    bool frames; /* messages have frames, and closing says why */
};

extern const struct speech speech_line, speech_websocket, speech_classroom;

#endif
