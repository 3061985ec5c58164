#include <stdlib.h>

#include "core/dialect_human.h"
#include "core/mem.h"

/* What a link in human mode remembers, so that people may write less. */

struct im_human *im_human_of(struct im_link *link)
{
    if (link->human == NULL)
        link->human = im_zalloc(sizeof *link->human);
    return link->human;
}

enum im_reason im_human_talk_to(struct im_link *link, struct im_str to, struct im_error *error)
{
    struct im_name name;
    enum im_reason reason = im_conv_parse(to, &name, error);
    if (reason != IM_OK)
        return reason;
    free(link->target);
    link->target = im_name_dup(&name);
    return IM_OK;
}

static void more_free(struct im_human_more **more)
{
    if (*more) {
        free((*more)->conv);
        free((*more)->text);
    }
    free(*more);
    *more = NULL;
}

void im_human_free(struct im_human **human)
{
    struct im_human *h = *human;
    *human = NULL;
    if (h == NULL)
        return;
    for (size_t i = 0; i < h->seen_count; i++)
        free(h->seen[i]);
    free(h->seen);
    free(h->self);
    more_free(&h->more);
    free(h);
}

struct im_str im_human_seen_text(const struct im_human_seen *s)
{
    return (struct im_str){s->names, s->text_len};
}

static struct im_str seen_key(const struct im_human_seen *s)
{
    return (struct im_str){s->names + s->text_len, s->key_len};
}

static size_t find(const struct im_human *h, struct im_str key)
{
    size_t i = 0;
    while (i < h->seen_count && !im_str_eq(seen_key(h->seen[i]), key))
        i++;
    return i;
}

struct im_human_seen *im_human_find(const struct im_link *link, struct im_str key)
{
    if (link->human == NULL)
        return NULL;
    size_t i = find(link->human, key);
    return i < link->human->seen_count ? link->human->seen[i] : NULL;
}

const struct im_human_seen *im_human_latest(const struct im_link *link)
{
    const struct im_human *h = link->human;
    for (size_t i = 0; h && i < h->seen_count; i++)
        if (h->seen[i]->last > 0)
            return h->seen[i];
    return NULL;
}

static struct im_human_seen *seen_new(struct im_str text, struct im_str key)
{
    struct im_human_seen *s = im_zalloc(sizeof *s + text.len + key.len);
    s->text_len = (uint16_t)text.len;
    s->key_len = (uint16_t)key.len;
    memcpy(s->names, text.p, text.len);
    memcpy(s->names + text.len, key.p, key.len);
    return s;
}

struct im_human_seen *im_human_remember(struct im_link *link, struct im_str text, struct im_str key)
{
    if (text.len == 0 || text.len > IM_NAME_BYTES_MAX + 1 || key.len == 0 || key.len > IM_KEY_BYTES_MAX + 1)
        return NULL;
    struct im_human *h = im_human_of(link);
    if (h->seen == NULL)
        h->seen = im_alloc(IM_HUMAN_SEEN_MAX * sizeof(struct im_human_seen *));
    size_t i = find(h, key);
    struct im_human_seen *s = i < h->seen_count ? h->seen[i] : seen_new(text, key);
    if (i == h->seen_count && i < IM_HUMAN_SEEN_MAX)
        h->seen_count++;
    else if (i == h->seen_count)
        free(h->seen[--i]);
    memmove(h->seen + 1, h->seen, i * sizeof *h->seen);
    return h->seen[0] = s;
}

void im_human_remember_name(struct im_link *link, struct im_str name)
{
    struct im_name parsed;
    if (im_conv_parse(name, &parsed, NULL) == IM_OK)
        im_human_remember(link, im_name_text(&parsed), im_name_key(&parsed));
}

/* The key that keys of names which begin with this begin with. False: no name does. */
static bool key_of_beginning(struct im_str begin, struct im_name *out)
{
    if (begin.len == 0 || im_str_eq(begin, IM_STR("#"))) {
        im_name_set(out, IM_STR(""), begin);
        return true;
    }
    return im_conv_parse(begin, out, NULL) == IM_OK;
}

static bool begins(struct im_str key, struct im_str begin)
{
    return im_conv_is_group(key) == im_conv_is_group(begin) && key.len >= begin.len &&
           memcmp(key.p, begin.p, begin.len) == 0;
}

size_t im_human_complete(const struct im_link *link, struct im_str begin, struct im_out *out)
{
    enum { LIST_MAX = 120 }; /* fits into an error's detail */
    struct im_name name;
    size_t n = 0;
    if (link->human == NULL || !key_of_beginning(begin, &name))
        return 0;
    for (size_t i = 0; i < link->human->seen_count; i++) {
        const struct im_human_seen *s = link->human->seen[i];
        if (im_str_eq(seen_key(s), im_name_key(&name))) {
            im_out_clear(out);
            im_out_put(out, im_human_seen_text(s).p, im_human_seen_text(s).len);
            return 1;
        }
        if (!begins(seen_key(s), im_name_key(&name)))
            continue;
        if (n++ > 0)
            im_out_str(out, ", ");
        if (out->len + s->text_len > LIST_MAX && n > 1) {
            im_out_str(out, "…");
            return n;
        }
        im_out_put(out, im_human_seen_text(s).p, im_human_seen_text(s).len);
    }
    return n;
}

void im_human_ask_more(struct im_link *link, enum im_op op, enum im_group_answer what, struct im_str conv,
                       struct im_str text)
{
    struct im_human *h = im_human_of(link);
    more_free(&h->more);
    if (conv.len > IM_HUMAN_MORE_MAX || text.len > IM_HUMAN_MORE_MAX)
        return;
    h->more = im_zalloc(sizeof *h->more);
    h->more->op = op;
    h->more->what = what;
    h->more->conv = conv.p ? im_strndup(conv.p, conv.len) : NULL;
    h->more->text = text.p ? im_strndup(text.p, text.len) : NULL;
}

bool im_human_offer_more(struct im_link *link, enum im_op op, uint64_t at, struct im_str text)
{
    struct im_human_more *more = link->human ? link->human->more : NULL;
    if (more == NULL || more->op != op)
        return false;
    if (at == 0 && text.p == NULL) {
        more_free(&link->human->more);
        return false;
    }
    more->at = at;
    if (text.p) {
        free(more->text);
        more->text = im_strndup(text.p, text.len);
    }
    return true;
}
