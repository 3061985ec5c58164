#include "tools/imd/job.h"

#include <assert.h>
#include <sodium/utils.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "core/mem.h"
#include "tools/imd/admin.h"
#include "tools/imd/log.h"
#include "tools/safe_json.h"

struct imd_job *imd_job_new(struct im_rpc_call *call)
{
    struct imd_job *job = im_zalloc(sizeof *job);
    job->imd = call->rpc->host;
    job->call = call;
    job->imd->jobs++;
    return job;
}

static void free_job(struct imd_job *job)
{
    job->imd->jobs--;
    if (job->hash.password.p) {
        sodium_memzero((char *)job->hash.password.p, job->hash.password.len);
        free((char *)job->hash.password.p);
    }
    im_out_clear(&job->value);
    im_out_clear(&job->before);
    json_decref(job->result);
    free(job->users.rows);
    free(job->text);
    free(job->own);
    free(job);
}

void imd_job_text(struct imd_job *job, struct im_str text)
{
    free(job->text);
    job->text = im_strndup(text.p, text.len);
}

void imd_job_end(struct imd_job *job, json_t *result)
{
    if (result == NULL) {
        result = job->result ? job->result : json_object();
        job->result = NULL;
    }
    im_rpc_result(job->call, result);
    free_job(job);
}

void imd_job_fail(struct imd_job *job, enum im_reason reason, const char *format, ...)
{
    char text[256];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    im_rpc_fail(job->call, reason, "%s", text);
    free_job(job);
}

/* Takes over what the step was given for the next one, or ends with its failure. */
static void go_on(struct imd_job *job, enum im_reason status)
{
    job->status = status;
    if (status == IM_OK || job->may_fail) {
        job->may_fail = false;
        job->next(job);
    } else {
        imd_job_fail(job, status, "%s", im_reason_info(status)->text[IM_EN]);
    }
}

static void op_done(struct im_store_op *op)
{
    go_on(op->owner, op->status);
}

void imd_job_run(struct imd_job *job, enum im_store_op_kind kind, void (*next)(struct imd_job *))
{
    job->next = next;
    job->op.head = (struct im_store_op){.kind = kind, .done = op_done, .owner = job};
    im_store_submit(job->imd->store, &job->op.head);
}

static void hashed(struct im_hash_job *hash)
{
    go_on(hash->owner, hash->status);
}

void imd_job_hash(struct imd_job *job, struct im_str password, void (*next)(struct imd_job *))
{
    struct im_hasher *hasher = imd_hasher_core(job->imd->hasher);
    job->next = next;
    job->hash.password = (struct im_str){im_strndup(password.p, password.len), password.len};
    job->hash.done = hashed;
    job->hash.owner = job;
    enum im_reason reason = hasher->submit(hasher, &job->hash);
    if (reason != IM_OK)
        imd_job_fail(job, reason, "%s", im_reason_info(reason)->text[IM_EN]);
}

static void appended(void *arg, enum im_reason status, const struct im_event *event)
{
    struct imd_job *job = arg;
    job->pos = event->msg.pos;
    job->seq = event->msg.seq;
    go_on(job, status);
}

void imd_job_append(struct imd_job *job, enum im_event_type type, const struct im_msg *msg,
                    void (*next)(struct imd_job *))
{
    struct im_msg m = *msg;
    m.ts_ms = imd_job_now_ms();
    job->next = next;
    im_core_append(job->imd->core, im_event_new(type, &m), appended, job);
}

void imd_job_find(struct imd_job *job, enum im_record_kind kind, struct im_str key, void (*next)(struct imd_job *))
{
    job->op.records = (struct im_store_records){.kind = kind, .key = key, .limit = 1};
    imd_job_run(job, IM_STORE_RECORDS, next);
}

void imd_job_put(struct imd_job *job, enum im_record_kind kind, struct im_str key, int64_t expires_ms,
                 void (*next)(struct imd_job *))
{
    job->op.put =
        (struct im_store_record_put){.record = {.kind = kind,
                                                .key = key,
                                                .value = {im_out_data(&job->value), job->value.len},
                                                .expires_ms = expires_ms},
                                     .check = true,
                                     .expect = {job->before.bytes ? im_out_data(&job->before) : NULL, job->before.len}};
    imd_job_run(job, IM_STORE_RECORD_PUT, next);
}

bool imd_job_user(struct imd_job *job, const char *arg)
{
    struct im_error error = {0};
    if (im_name_parse(im_rpc_string(job->call, arg), &job->name, &error) == IM_OK)
        return true;
    imd_job_fail(job, IM_BAD_ID, "%s: %s", arg, error.detail);
    return false;
}

bool imd_job_group(struct imd_job *job, const char *arg)
{
    struct im_error error = {0};
    if (im_conv_parse(im_rpc_string(job->call, arg), &job->name, &error) != IM_OK)
        imd_job_fail(job, IM_BAD_ID, "%s: %s", arg, error.detail);
    else if (!im_conv_is_group(im_name_key(&job->name)))
        imd_job_fail(job, IM_BAD_ID, "%s: the name of a group begins with '#' (which a shell wants quoted)", arg);
    else
        return true;
    return false;
}

static enum im_reason read_period(const struct im_rpc_call *call, const char *arg, uint64_t otherwise, uint64_t *ms,
                                  struct im_error *error)
{
    static const struct im_config_row row = {.type = IM_T_MS, .min = 1000, .max = 3153600000000};
    struct im_str text = im_rpc_string(call, arg);
    *ms = otherwise;
    return text.p ? im_config_set(&row, ms, text, error) : IM_OK;
}

bool imd_job_period(struct imd_job *job, const char *arg, uint64_t otherwise, uint64_t *ms)
{
    struct im_error error = {0};
    if (read_period(job->call, arg, otherwise, ms, &error) == IM_OK)
        return true;
    imd_job_fail(job, IM_BAD_FIELD, "%s: %s", arg, error.detail);
    return false;
}

bool imd_read_period(struct im_rpc_call *call, const char *arg, uint64_t otherwise, uint64_t *ms)
{
    struct im_error error = {0};
    if (read_period(call, arg, otherwise, ms, &error) == IM_OK)
        return true;
    im_rpc_fail(call, IM_BAD_FIELD, "%s: %s", arg, error.detail);
    return false;
}

int64_t imd_job_now_ms(void)
{
    return im_log_wall_ms();
}

void imd_job_time(json_t *object, const char *key, int64_t ms)
{
    char text[32];
    time_t seconds = (time_t)(ms / 1000);
    struct tm tm;
    if (ms <= 0 || gmtime_r(&seconds, &tm) == NULL) {
        json_object_set_new(object, key, json_null());
        return;
    }
    strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &tm);
    json_object_set_new(object, key, json_string(text));
}
