#include "core/dialect_human.h"

static const char *const texts[IM_TEXT_COUNT][IM_LANG_COUNT] = {
#define IM_TEXT(sym, en, zh) {en, zh},
#include "core/tbl/texts.def"
#undef IM_TEXT
};

static const char *const ids[IM_TEXT_COUNT] = {
#define IM_TEXT(sym, en, zh) "\"" #sym "\"",
#include "core/tbl/texts.def"
#undef IM_TEXT
};

const char *im_human_text(enum im_lang lang, enum im_human_text text)
{
    return texts[text][lang];
}

struct im_str im_human_id(enum im_human_text text)
{
    return text == IM_TEXT_NONE ? IM_DIALECT_ID : im_str(ids[text]);
}

enum im_human_text im_human_id_text(struct im_str id)
{
    for (enum im_human_text i = 0; i < IM_TEXT_COUNT; i++)
        if (im_str_eq(id, im_str(ids[i])))
            return i;
    return IM_TEXT_NONE;
}

void im_human_fill(struct im_out *out, const char *format, const struct im_str args[3])
{
    const char *hole;
    while ((hole = strchr(format, '%')) && hole[1] >= '1' && hole[1] <= '3') {
        im_out_put(out, format, (size_t)(hole - format));
        im_out_safe(out, args[hole[1] - '1'], false);
        format = hole + 2;
    }
    im_out_str(out, format);
}

struct im_str im_human_number(uint64_t n, char digits[24])
{
    char *p = digits + 24;
    do
        *--p = (char)('0' + n % 10);
    while ((n /= 10) > 0);
    return (struct im_str){p, (size_t)(digits + 24 - p)};
}

void im_human_say(struct im_link *link, struct im_out *out)
{
    struct im_event *e = im_event_notice(IM_OK, (struct im_str){im_out_data(out), out->len});
    im_out_clear(out);
    link->ops->send(link, e, false);
}

void im_human_say_text(struct im_link *link, enum im_human_text text, struct im_str arg)
{
    struct im_out out = {0};
    im_out_str(&out, "* ");
    im_human_fill(&out, im_human_text(link->lang, text), IM_ARGS(arg));
    im_human_say(link, &out);
}
