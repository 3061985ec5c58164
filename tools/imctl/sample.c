#include "tools/imctl/sample.h"

#include <stdint.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>

#include "core/bytes.h"
#include "tools/imctl/run.h"

const struct sample_column sample_columns[] = {
    {"time", NULL, "TIME", 8},
    {"users", NULL, "USERS", 6},
    {"sessions", NULL, "SESSIONS", 8},
    {"commands", "commands_total", "CMD/s", 7},
    {"events", "events_appended_total", "EVENT/s", 7},
    {"delivered", "events_delivered_total", "DELIV/s", 7},
    {"commits", "store_commits_total", "COMMIT/s", 8},
    {"bytes_received", "bytes_received_total", "IN-B/s", 7},
    {"bytes_sent", "bytes_sent_total", "OUT-B/s", 7},
    {"accepted", "connections_accepted_total", "ACCEPT/s", 8},
    {"logins", "logins_total", "LOGIN/s", 7},
    {"refused", "refused_total", "REFUSE/s", 8},
    {"fell_behind", "sessions_fell_behind_total", "BEHIND/s", 8},
    {"dropped", "ephemeral_dropped_total", "DROP/s", 7},
    {0},
};

double sample_now_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

void sample_drop(struct sample *s)
{
    json_decref(s->online);
    json_decref(s->counters);
    *s = (struct sample){0};
}

int sample_take(struct client *client, struct sample *s)
{
    int status;
    sample_drop(s);
    s->online = run_ask(client, "online", json_object(), &status);
    if (status == EX_OK)
        s->counters = run_ask(client, "counters", json_object(), &status);
    s->at_s = sample_now_s();
    if (status != EX_OK)
        sample_drop(s);
    return status;
}

/* A counter, or the sum of one that is counted by reason. */
static double count(const json_t *counters, const char *name)
{
    json_t *counter = json_object_get(counters, name), *part;
    double sum = json_number_value(counter);
    const char *key;
    json_object_foreach(counter, key, part)
    {
        sum += json_number_value(part);
    }
    return sum;
}

bool sample_restarted(const struct sample *now, const struct sample *before)
{
    for (const struct sample_column *c = sample_columns; c->name; c++)
        if (c->counter && count(now->counters, c->counter) < count(before->counters, c->counter))
            return true;
    return false;
}

static json_t *utc_now(void)
{
    char text[32];
    time_t now = time(NULL);
    struct tm parts;
    strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &parts));
    return json_string(text);
}

json_t *sample_rates(const struct sample *now, const struct sample *before)
{
    json_t *row = json_object();
    double elapsed = now->at_s - before->at_s;
    for (const struct sample_column *c = sample_columns; c->name; c++) {
        if (c->counter && elapsed > 0) {
            double rate = (count(now->counters, c->counter) - count(before->counters, c->counter)) / elapsed;
            json_object_set_new(row, c->name, json_real((double)(int64_t)(rate * 10 + 0.5) / 10));
        } else if (strcmp(c->name, "time") == 0) {
            json_object_set_new(row, c->name, utc_now());
        } else {
            json_object_set(row, c->name, json_object_get(now->online, c->name));
        }
    }
    return row;
}
