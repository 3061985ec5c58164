#include <time.h>

#include "core/bytes.h"
#include "tools/imd/log.h"

static const char *const levels[] = {"error", "warn", "info", "debug"};

const char *im_log_level_name(enum im_log_level level)
{
    return levels[level];
}

void im_log_put_time(struct im_out *out, int64_t wall_ms)
{
    time_t seconds = (time_t)(wall_ms / 1000);
    struct tm tm;
    gmtime_r(&seconds, &tm);
    char text[40];
    strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &tm);
    im_out_printf(out, "%s.%03dZ", text, (int)(wall_ms % 1000));
}

/* A long value loses its end, at a character's boundary. */
static struct im_str bounded(struct im_str s, bool *cut)
{
    *cut = s.len > IM_LOG_VALUE_MAX;
    if (!*cut)
        return s;
    size_t n = IM_LOG_VALUE_MAX;
    while (n > IM_LOG_VALUE_MAX - 4 && ((unsigned char)s.p[n] & 0xc0) == 0x80)
        n--;
    return (struct im_str){s.p, n};
}

static bool needs_quotes(struct im_str s)
{
    for (size_t i = 0; i < s.len; i++)
        if ((unsigned char)s.p[i] <= ' ' || s.p[i] == '"' || s.p[i] == '=' || s.p[i] == '\\' || s.p[i] == 0x7f)
            return true;
    return s.len == 0;
}

/* Quotes and backslashes escaped, and what could steer a terminal. */
static void put_escaped(struct im_out *out, struct im_str s)
{
    size_t start = 0;
    for (size_t i = 0; i < s.len; i++) {
        if (s.p[i] != '"' && s.p[i] != '\\')
            continue;
        im_out_safe(out, (struct im_str){s.p + start, i - start}, false);
        im_out_char(out, '\\');
        im_out_char(out, s.p[i]);
        start = i + 1;
    }
    im_out_safe(out, (struct im_str){s.p + start, s.len - start}, false);
}

static void put_word(struct im_out *out, struct im_str value)
{
    bool cut;
    struct im_str s = bounded(value, &cut);
    bool quotes = needs_quotes(s);
    if (quotes)
        im_out_char(out, '"');
    put_escaped(out, s);
    if (cut)
        im_out_str(out, "…");
    if (quotes)
        im_out_char(out, '"');
}

static void put_json(struct im_out *out, struct im_str value)
{
    bool cut;
    struct im_str s = bounded(value, &cut);
    struct im_out safe = {0};
    im_out_safe(&safe, s, false);
    if (cut)
        im_out_str(&safe, "…");
    im_out_json(out, (struct im_str){im_out_data(&safe), safe.len});
    im_out_clear(&safe);
}

static void put_fields(struct im_out *out, const struct im_kv *fields)
{
    for (; fields->key; fields++) {
        im_out_printf(out, " %s=", fields->key);
        if (fields->is_num)
            im_out_i64(out, fields->num);
        else
            put_word(out, fields->str);
    }
}

static void put_json_fields(struct im_out *out, const struct im_kv *fields)
{
    for (; fields->key; fields++) {
        im_out_char(out, ',');
        put_json(out, im_str(fields->key));
        im_out_char(out, ':');
        if (fields->is_num)
            im_out_i64(out, fields->num);
        else if (fields->str.p)
            put_json(out, fields->str);
        else
            im_out_str(out, "null");
    }
}

/* The journal's names are of upper-case letters; ours begin with IMD_ so that they are never taken for its own. */
static void put_journal_field(struct im_out *out, const struct im_kv *field)
{
    bool cut = false;
    im_out_str(out, "\nIMD_");
    for (const char *p = field->key; *p; p++)
        im_out_char(out, *p >= 'a' && *p <= 'z' ? *p & ~0x20 : *p);
    im_out_char(out, '=');
    if (field->is_num)
        im_out_i64(out, field->num);
    else
        im_out_safe(out, bounded(field->str, &cut), false);
    if (cut)
        im_out_str(out, "…");
}

static void put_journal(struct im_out *out, enum im_log_level level, const char *subsystem, const char *event,
                        const struct im_kv *fields)
{
    static const char priorities[] = {'3', '4', '6', '7'}; /* syslog(3) */
    im_out_printf(out, "MESSAGE=%s: ", subsystem);
    im_out_safe(out, im_str(event), false);
    put_fields(out, fields);
    im_out_printf(out, "\nPRIORITY=%c\nSYSLOG_IDENTIFIER=imd", priorities[level]);
    put_journal_field(out, &IM_KS("subsystem", subsystem));
    put_journal_field(out, &IM_KS("event", event));
    for (; fields->key; fields++)
        put_journal_field(out, fields);
}

void im_log_format(struct im_out *out, enum im_log_format format, int64_t wall_ms, enum im_log_level level,
                   const char *subsystem, const char *event, const struct im_kv *fields)
{
    switch (format) {
    case IM_LOG_TEXT:
        im_log_put_time(out, wall_ms);
        im_out_printf(out, " %-5s %s: ", levels[level], subsystem);
        im_out_safe(out, im_str(event), false);
        put_fields(out, fields);
        break;
    case IM_LOG_LOGFMT:
        im_out_str(out, "ts=");
        im_log_put_time(out, wall_ms);
        im_out_printf(out, " level=%s sub=%s event=", levels[level], subsystem);
        put_word(out, im_str(event));
        put_fields(out, fields);
        break;
    case IM_LOG_JSON:
        im_out_str(out, "{\"ts\":\"");
        im_log_put_time(out, wall_ms);
        im_out_printf(out, "\",\"level\":\"%s\",\"sub\":", levels[level]);
        put_json(out, im_str(subsystem));
        im_out_str(out, ",\"event\":");
        put_json(out, im_str(event));
        put_json_fields(out, fields);
        im_out_char(out, '}');
        break;
    case IM_LOG_JOURNALD:
        put_journal(out, level, subsystem, event, fields);
        break;
    }
    im_out_char(out, '\n');
}
