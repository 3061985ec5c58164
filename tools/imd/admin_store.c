#include "tools/imd/admin.h"
#include "tools/imd/job.h"
#include "tools/safe_json.h"

/* The store as a whole: copying it while it is in use, and looking at all of it. */

static void cared(struct imd_job *job)
{
    const struct im_store_care *care = &job->op.care;
    if (job->status != IM_OK) {
        imd_job_fail(job, job->status, "%s", *care->problem ? care->problem : im_reason_info(job->status)->text[IM_EN]);
        return;
    }
    json_t *result = json_object();
    if (care->path)
        im_json_set_text(result, "file", im_str(care->path));
    im_json_set_text(result, "store", IM_STR("ok"));
    im_json_set_number(result, "events", care->events);
    im_json_set_number(result, "bytes", care->bytes);
    imd_job_end(job, result);
}

static void care(struct im_rpc_call *call, enum im_store_op_kind kind, const char *path)
{
    struct imd_job *job = imd_job_new(call);
    job->op.care = (struct im_store_care){.path = path, .stop = &job->imd->stop_care};
    job->may_fail = true; /* and says itself how */
    imd_job_run(job, kind, cared);
}

static void backup(struct im_rpc_call *call)
{
    struct im_str file = im_rpc_string(call, "file");
    if (file.len == 0 || memchr(file.p, '\0', file.len))
        im_rpc_fail(call, IM_BAD_FIELD, "file: is not the name of a file");
    else
        care(call, IM_STORE_BACKUP, file.p);
}

static void store_check(struct im_rpc_call *call)
{
    care(call, IM_STORE_CHECK, NULL);
}

const struct im_rpc_command imd_store_commands[] = {
    {
        .name = "backup",
        .section = IM_RPC_DATA,
        .access = IM_RPC_WRITE,
        .args = {{"file", IM_RPC_FILE, true, NULL, "A new file, where the server itself may write."}},
        .help = "Copy the store as it is now into one file, while it is in use, and look whether the copy is sound. "
                "There is no file if it is not. Put back with imd --restore FILE.",
        .example = "backup /var/lib/imd/imd-2026-11-23.db",
        .show = "fields",
        .patient = true,
        .run = backup,
    },
    {
        .name = "store.check",
        .section = IM_RPC_DATA,
        .help = "Look at all of the store, whether it is sound. The server goes on meanwhile.",
        .example = "store check",
        .show = "fields",
        .patient = true,
        .run = store_check,
    },
    {.name = NULL},
};
