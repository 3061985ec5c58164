#include "tools/imd/rpc.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/config.h"
#include "core/mem.h"
#include "core/suggest.h"
#include "tools/safe_json.h"

/* JSON-RPC 2.0, 5.1 */
enum {
    PARSE_ERROR = -32700,
    INVALID_REQUEST = -32600,
    METHOD_NOT_FOUND = -32601,
    INVALID_PARAMS = -32602,
    REFUSED = -32000, /* ours: error.data.name says why */
};

/* Encoding. */

static struct im_bytes *encode(json_t *message)
{
    struct im_out out = {0};
    im_json_put(&out, message);
    im_out_char(&out, '\n');
    json_decref(message);
    return im_out_take(&out);
}

static struct im_bytes *encode_error(json_t *id, int code, enum im_reason reason, const char *name, const char *message)
{
    json_t *error = json_pack("{s:i, s:o, s:{s:s, s:i, s:b}}", "code", code, "message", im_json_text(im_str(message)),
                              "data", "name", name, "status", (int)im_reason_info(reason)->code, "retry",
                              (int)im_reason_info(reason)->retry);
    return encode(json_pack("{s:s, s:O?, s:o}", "jsonrpc", "2.0", "id", id, "error", error));
}

struct im_bytes *im_rpc_refusal(enum im_reason reason, const char *message)
{
    json_t *null = json_null();
    return encode_error(null, REFUSED, reason, im_reason_name(reason), message);
}

/* The end of a call. */

static void end(struct im_rpc_call *call, enum im_reason reason, struct im_bytes *bytes)
{
    if (call->rpc->audit && (call->audited || call->command->access == IM_RPC_WRITE))
        call->rpc->audit(call, reason);
    if (!call->sink.answer || !call->id)
        im_bytes_drop(&bytes);
    if (call->sink.answer)
        call->sink.answer(call->sink.arg, bytes);
    if (call->over)
        *call->over = true;
    json_decref(call->args);
    json_decref(call->id);
    free(call);
}

void im_rpc_abandon(struct im_rpc_call *call)
{
    call->sink = (struct im_rpc_sink){0};
    if (call->stop)
        call->stop(call);
}

void im_rpc_result(struct im_rpc_call *call, json_t *result)
{
    end(call, IM_OK, encode(json_pack("{s:s, s:O?, s:o}", "jsonrpc", "2.0", "id", call->id, "result", result)));
}

void im_rpc_fail(struct im_rpc_call *call, enum im_reason reason, const char *format, ...)
{
    char *message = NULL;
    va_list args;
    va_start(args, format);
    int n = vasprintf(&message, format, args);
    va_end(args);
    const char *name = im_reason_name(reason);
    end(call, reason,
        encode_error(call->id, REFUSED, reason, name, n < 0 ? im_reason_info(reason)->text[IM_EN] : message));
    free(message);
}

/* Streams. */

bool im_rpc_stream(struct im_rpc_call *call, void (*stop)(struct im_rpc_call *))
{
    if (!call->id || !call->sink.item) {
        im_rpc_fail(call, IM_BAD_FIELD, "%s sends a stream, and nobody would hear it", call->command->name);
        return false;
    }
    call->stop = stop;
    return true;
}

bool im_rpc_item(struct im_rpc_call *call, json_t *item)
{
    if (!call->sink.item) {
        json_decref(item);
        return false;
    }
    return call->sink.item(call->sink.arg,
                           encode(json_pack("{s:s, s:s, s:{s:O, s:o}}", "jsonrpc", "2.0", "method", call->command->name,
                                            "params", "id", call->id, "item", item)));
}

void im_rpc_stop(struct im_rpc_call *call)
{
    call->stop(call);
}

/* Who did what. */

void im_rpc_put_call(const struct im_rpc_call *call, struct im_out *out)
{
    im_out_str(out, call->command->name);
    for (const struct im_rpc_arg *arg = call->command->args; arg->name; arg++) {
        const json_t *value = json_object_get(call->args, arg->name);
        if (!value || arg->type == IM_RPC_SECRET)
            continue;
        im_out_printf(out, " %s=", arg->name);
        if (arg->type == IM_RPC_PRIVATE)
            im_out_printf(out, "(%zu bytes)", json_string_length(value));
        else if (json_is_integer(value))
            im_out_printf(out, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
        else
            im_out_put(out, json_string_value(value), json_string_length(value));
    }
}

/* Arguments. */

struct im_str im_rpc_string(const struct im_rpc_call *call, const char *name)
{
    const json_t *value = json_object_get(call->args, name);
    return (struct im_str){json_string_value(value), json_string_length(value)};
}

bool im_rpc_uint(const struct im_rpc_call *call, const char *name, uint64_t *out)
{
    const json_t *value = json_object_get(call->args, name);
    if (!value)
        return false;
    *out = (uint64_t)json_integer_value(value);
    return true;
}

static bool is_choice(const char *choices, struct im_str value)
{
    for (unsigned i = 0;; i++) {
        struct im_str choice = im_choice(choices, i);
        if (!choice.p)
            return false;
        if (im_str_eq(choice, value))
            return true;
    }
}

static bool check_arg(const struct im_rpc_arg *arg, const json_t *value, char problem[200])
{
    struct im_str text = {json_string_value(value), json_string_length(value)};
    if (im_rpc_is_number(arg->type) && !(json_is_integer(value) && json_integer_value(value) >= 0))
        snprintf(problem, 200, "%s must be a whole number", arg->name);
    else if (!im_rpc_is_number(arg->type) && !json_is_string(value))
        snprintf(problem, 200, "%s must be a string", arg->name);
    else if (arg->choices && !is_choice(arg->choices, text))
        snprintf(problem, 200, "%s must be one of %s, not \"%.60s\"", arg->name, arg->choices, text.p);
    else
        return true;
    return false;
}

static const struct im_rpc_arg *find_arg(const struct im_rpc_command *command, const char *name)
{
    for (const struct im_rpc_arg *arg = command->args; arg->name; arg++)
        if (strcmp(arg->name, name) == 0)
            return arg;
    return NULL;
}

static bool args_by_position(const struct im_rpc_command *command, json_t *params, json_t *args, char problem[200])
{
    const struct im_rpc_arg *arg = command->args;
    size_t i;
    json_t *value;
    json_array_foreach(params, i, value)
    {
        if (!arg->name) {
            snprintf(problem, 200, "%s takes at most %zu arguments, not %zu", command->name,
                     (size_t)(arg - command->args), json_array_size(params));
            return false;
        }
        json_object_set(args, (arg++)->name, value);
    }
    return true;
}

/* Collects params into args by name, and holds them against the table. */
static bool read_args(const struct im_rpc_command *command, json_t *params, json_t *args, char problem[200])
{
    if (json_is_array(params)) {
        if (!args_by_position(command, params, args, problem))
            return false;
    } else if (params) {
        json_object_update(args, params);
    }
    const char *name;
    json_t *value;
    json_object_foreach(args, name, value)
    {
        const struct im_rpc_arg *arg = find_arg(command, name);
        if (!arg) {
            snprintf(problem, 200, "%s takes no \"%.60s\"", command->name, name);
            return false;
        }
        if (!check_arg(arg, value, problem))
            return false;
    }
    for (const struct im_rpc_arg *arg = command->args; arg->name; arg++) {
        if (arg->required && !json_object_get(args, arg->name)) {
            snprintf(problem, 200, "%s needs %s", command->name, arg->name);
            return false;
        }
    }
    return true;
}

/* Requests. */

const struct im_rpc_command *im_rpc_next(const struct im_rpc *rpc, struct im_rpc_place *at)
{
    const struct im_rpc_command *table;
    while ((table = rpc->tables[at->table]) && !table[at->row].name)
        *at = (struct im_rpc_place){.table = at->table + 1};
    return table ? &table[at->row++] : NULL;
}

const struct im_rpc_command *im_rpc_find(const struct im_rpc *rpc, struct im_str name)
{
    struct im_rpc_place at = {0};
    for (const struct im_rpc_command *c; (c = im_rpc_next(rpc, &at));)
        if (im_str_eq(im_str(c->name), name))
            return c;
    return NULL;
}

struct request {
    json_t *root, *id, *params;
    struct im_str method;
    int code; /* of the error, 0: none */
    const char *name;
    char problem[200];
};

static void bad(struct request *q, int code, const char *name, const char *problem)
{
    q->code = code;
    q->name = name;
    if (problem)
        snprintf(q->problem, sizeof q->problem, "%s", problem);
}

static bool valid_id(const json_t *id)
{
    return json_is_string(id) || json_is_number(id) || json_is_null(id);
}

static void parse_request(struct request *q, struct im_str line)
{
    json_error_t error;
    q->root = json_loadb(line.p ? line.p : "", line.len, JSON_REJECT_DUPLICATES, &error);
    if (!q->root) {
        bad(q, PARSE_ERROR, "parse_error", error.text);
        return;
    }
    const json_t *method = json_object_get(q->root, "method");
    const char *version = json_string_value(json_object_get(q->root, "jsonrpc"));
    json_t *id = json_object_get(q->root, "id");
    q->params = json_object_get(q->root, "params");
    if (!id || valid_id(id))
        q->id = id;
    q->method = (struct im_str){json_string_value(method), json_string_length(method)};
    if (json_is_array(q->root))
        bad(q, INVALID_REQUEST, "bad_request", "batches are not accepted: one request per line");
    else if (!version || strcmp(version, "2.0") != 0)
        bad(q, INVALID_REQUEST, "bad_request", "\"jsonrpc\" must be \"2.0\"");
    else if (id && !q->id)
        bad(q, INVALID_REQUEST, "bad_request", "\"id\" must be a string or a number");
    else if (!q->method.p)
        bad(q, INVALID_REQUEST, "bad_request", "\"method\" must be a string");
    else if (q->params && !json_is_array(q->params) && !json_is_object(q->params))
        bad(q, INVALID_PARAMS, "bad_params", "\"params\" must be an object or an array");
}

static void unknown_command(const struct im_rpc *rpc, struct request *q)
{
    struct im_suggest near = {.word = q->method};
    struct im_rpc_place at = {0};
    for (const struct im_rpc_command *c; (c = im_rpc_next(rpc, &at));)
        im_suggest_offer(&near, im_str(c->name));
    struct im_str best = im_suggest_best(&near);
    bad(q, METHOD_NOT_FOUND, "unknown_command", NULL);
    int n = snprintf(q->problem, sizeof q->problem, "no command \"%.60s\"", q->method.p);
    if (best.p)
        snprintf(q->problem + n, sizeof q->problem - (size_t)n, "; did you mean \"%.*s\"?", (int)best.len, best.p);
}

static void refuse(struct request *q, const struct im_rpc_sink *sink)
{
    json_t *null = json_null();
    /* What cannot be told from a notification is answered all the same: id null (JSON-RPC 2.0, 5). */
    bool silent = q->root && json_is_object(q->root) && !json_object_get(q->root, "id") && q->code != INVALID_REQUEST;
    if (!silent)
        sink->answer(sink->arg, encode_error(q->id ? q->id : null, q->code, IM_BAD_FIELD, q->name, q->problem));
}

/* Runs a command; returns the call if it goes on. */
static struct im_rpc_call *run(struct im_rpc_call *call)
{
    bool over = false;
    if (call->command->access != IM_RPC_READ && !call->peer.may_write) {
        im_rpc_fail(call, IM_FORBIDDEN, "%s %s, and this socket is for reading only how the server is",
                    call->command->name,
                    call->command->access == IM_RPC_WRITE ? "changes something" : "shows what people do");
        return NULL;
    }
    call->over = &over;
    call->command->run(call);
    if (over)
        return NULL;
    call->over = NULL;
    return call;
}

struct im_rpc_call *im_rpc_line(const struct im_rpc *rpc, struct im_str line, struct im_rpc_peer peer,
                                const struct im_rpc_sink *sink)
{
    struct request q = {0};
    struct im_rpc_call *call = NULL;
    parse_request(&q, line);
    const struct im_rpc_command *command = q.code ? NULL : im_rpc_find(rpc, q.method);
    json_t *args = json_object();
    if (!q.code && !command)
        unknown_command(rpc, &q);
    if (!q.code && !read_args(command, q.params, args, q.problem))
        bad(&q, INVALID_PARAMS, "bad_params", NULL);
    if (q.code) {
        refuse(&q, sink);
        json_decref(args);
    } else {
        call = im_alloc(sizeof *call);
        *call = (struct im_rpc_call){
            .rpc = rpc, .command = command, .peer = peer, .args = args, .id = json_incref(q.id), .sink = *sink};
    }
    json_decref(q.root);
    return call ? run(call) : NULL;
}
