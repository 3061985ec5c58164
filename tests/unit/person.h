#ifndef IM_TESTS_PERSON_H
#define IM_TESTS_PERSON_H

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/dialect_human.h"
#include "core/mem.h"
#include "tests/unit/unit.h"

/* A link in human mode without a core behind it: what is typed becomes a command to look at, and what the link is given
 * to send becomes text. */

struct person {
    struct im_link link;
    struct im_out out; /* what was said since the last look */
    char *heard;
    struct im_command cmd;
    char *asked;
};

static void person_send(struct im_link *link, struct im_event *e, bool own)
{
    struct person *p = (struct person *)link;
    struct im_bytes *b = link->dialect->encode(link, e, own);
    if (b) {
        im_out_put(&p->out, b->data, b->len);
        im_out_char(&p->out, '\n');
    }
    im_bytes_drop(&b);
    im_event_drop(&e);
}

static const struct im_link_ops person_ops = {.send = person_send};
static const struct im_dialect_env person_env;

static inline int person_new(void **state)
{
    struct person *p = im_zalloc(sizeof *p);
    p->link.ops = &person_ops;
    p->link.dialect = &im_dialect_human;
    p->link.env = &person_env;
    *state = p;
    return 0;
}

static inline int person_free(void **state)
{
    struct person *p = *state;
    im_command_clear(&p->cmd);
    im_link_clear(&p->link);
    im_out_clear(&p->out);
    free(p->heard);
    free(p->asked);
    free(p);
    return 0;
}

#define person_test(name) cmocka_unit_test_setup_teardown(name, person_new, person_free)

static inline const char *person_heard(struct person *p)
{
    free(p->heard);
    p->heard = im_strndup(im_out_data(&p->out), p->out.len);
    im_out_clear(&p->out);
    return p->heard;
}

static inline void person_put_str(struct im_out *out, const char *name, struct im_str s)
{
    im_out_printf(out, " %s=", name);
    im_out_put(out, s.p, s.len);
}

static inline void person_put_strs(struct im_out *out, const char *name, const struct im_str *v, size_t n)
{
    im_out_printf(out, " %s=", name);
    for (size_t i = 0; i < n; i++) {
        if (i > 0)
            im_out_char(out, ',');
        im_out_put(out, v[i].p, v[i].len);
    }
}

/* The command as text: "send to=b text=hi", its fields in the order of their table. */
static inline void person_put_command(struct im_out *out, const struct im_command *c)
{
    im_out_str(out, im_op_name(c->op));
#define STR(member, name)  person_put_str(out, name, c->member)
#define U64(member, name)  im_out_printf(out, " %s=%" PRIu64, name, c->member)
#define POS(member, name)  U64(member, name)
#define BOOL(member, name) im_out_printf(out, " %s=%s", name, c->member ? "true" : "false")
#define STRS(member, name) person_put_strs(out, name, c->member, c->member##_count)
#define IM_FIELD(member, name, type, max)                                                                              \
    if (im_command_has(c, IM_F_##member))                                                                              \
        type(member, name);
#include "core/tbl/fields.def"
#undef IM_FIELD
#undef STR
#undef U64
#undef POS
#undef BOOL
#undef STRS
}

/* What a line asks for, as text; or the refusal, as it is shown. */
static inline const char *person_ask(struct person *p, const char *line)
{
    struct im_error error = {0};
    struct im_out out = {0};
    char *copy = im_strndup(line, strlen(line)); /* of exactly its size, for the sanitizers */
    im_command_clear(&p->cmd);
    enum im_reason reason = p->link.dialect->decode(&p->link, (struct im_str){copy, strlen(line)}, &p->cmd, &error);
    if (reason == IM_OK) {
        person_put_command(&out, &p->cmd);
    } else {
        struct im_event *e = im_event_err(p->cmd.op, p->cmd.id, reason, im_str(error.detail), 0);
        struct im_bytes *b = p->link.dialect->encode(&p->link, e, false);
        im_out_put(&out, b->data, b->len);
        im_bytes_drop(&b);
        im_event_drop(&e);
    }
    free(copy);
    free(p->asked);
    p->asked = im_strndup(im_out_data(&out), out.len);
    im_out_clear(&out);
    return p->asked;
}

/* The answer to what was asked last. */
static inline void person_answer(struct person *p, struct im_reply r)
{
    r.op = p->cmd.op;
    r.id = p->cmd.id;
    person_send(&p->link, im_event_reply(&r), false);
}

#define assert_asks(person, line, text) assert_string_equal(person_ask(person, line), text)
#define assert_hears(person, text)      assert_string_equal(person_heard(person), text)
#define assert_hears_part(person, part)                                                                                \
    do {                                                                                                               \
        const char *heard_ = person_heard(person);                                                                     \
        if (strstr(heard_, part) == NULL)                                                                              \
            fail_msg("heard: %s", heard_);                                                                             \
    } while (0)

/* Messages at 22:13 of 2023-11-14. */
#define PERSON_TS 1700000000000

static inline struct im_event *direct_msg(const char *from, const char *to, uint64_t seq, const char *text)
{
    return im_event_new(IM_EV_MSG, &(struct im_msg){.kind = IM_CONV_DIRECT,
                                                    .seq = seq,
                                                    .ts_ms = PERSON_TS,
                                                    .from = im_str(from),
                                                    .from_key = im_str(from),
                                                    .to = im_str(to),
                                                    .to_key = im_str(to),
                                                    .body = im_str(text)});
}

#endif
