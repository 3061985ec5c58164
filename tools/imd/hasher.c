#include "tools/imd/hasher.h"

#include <pthread.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/mem.h"
#include "core/thread.h"

_Static_assert(IM_HASH_TEXT_MAX >= crypto_pwhash_STRBYTES, "an encoded hash fits");

enum { HASH_BYTES = 32 };

struct cost {
    unsigned long long ops;
    size_t bytes;
};

struct queue {
    struct im_hash_job *first, **end;
};

struct imd_hasher {
    struct im_hasher hasher; /* first: what the core knows */
    void (*wake)(void *arg);
    void *wake_arg;
    pthread_mutex_t lock; /* of what follows */
    pthread_cond_t work;
    struct queue waiting, finished;
    size_t count, most; /* jobs here; most at a time */
    struct cost cost;
    bool stopping;
    size_t thread_count;
    pthread_t threads[];
};

static void queue_put(struct queue *q, struct im_hash_job *job)
{
    job->next = NULL;
    *q->end = job;
    q->end = &job->next;
}

static struct im_hash_job *queue_take(struct queue *q)
{
    struct im_hash_job *job = q->first;
    if (job && (q->first = job->next) == NULL)
        q->end = &q->first;
    return job;
}

/* The work itself: any thread, no lock. */

static enum im_reason make(struct im_hash_job *job, const struct cost *cost)
{
    const char *password = job->password.p ? job->password.p : "";
    return crypto_pwhash_str(job->encoded, password, job->password.len, cost->ops, cost->bytes) == 0 ? IM_OK
                                                                                                     : IM_SYSTEM;
}

struct parts {
    struct cost cost;
    unsigned char salt[crypto_pwhash_SALTBYTES], hash[HASH_BYTES];
};

static bool from_base64(const char *text, unsigned char *out, size_t size)
{
    size_t len;
    return sodium_base642bin(out, size, text, strlen(text), NULL, &len, NULL,
                             sodium_base64_VARIANT_ORIGINAL_NO_PADDING) == 0 &&
           len == size;
}

/* Takes what crypto_pwhash_str() makes apart. */
static bool decode(const char *encoded, struct parts *out)
{
    unsigned kib, passes;
    char salt[23], hash[44];
    int end = 0;
    if (sscanf(encoded, "$argon2id$v=19$m=%9u,t=%9u,p=1$%22[^$]$%43[^$]%n", &kib, &passes, salt, hash, &end) != 4 ||
        encoded[end] != '\0')
        return false;
    out->cost = (struct cost){passes, (size_t)kib * 1024};
    return from_base64(salt, out->salt, sizeof out->salt) && from_base64(hash, out->hash, sizeof out->hash);
}

/* crypto_pwhash_str_verify() cannot tell a wrong password from memory it did not get. For nobody's password (`encoded`
 * is empty) it is as much work as for somebody's. */
static enum im_reason compare(const struct im_hash_job *job, const struct cost *cost)
{
    unsigned char hash[HASH_BYTES];
    struct parts parts = {.cost = *cost};
    const char *password = job->password.p ? job->password.p : "";
    if (*job->encoded != '\0' && !decode(job->encoded, &parts)) /* made elsewhere */
        return crypto_pwhash_str_verify(job->encoded, password, job->password.len) == 0 ? IM_OK : IM_BAD_LOGIN;
    if (crypto_pwhash(hash, sizeof hash, password, job->password.len, parts.salt, parts.cost.ops, parts.cost.bytes,
                      crypto_pwhash_ALG_ARGON2ID13) != 0)
        return IM_SYSTEM;
    bool same = sodium_memcmp(hash, parts.hash, sizeof hash) == 0;
    return same && *job->encoded != '\0' ? IM_OK : IM_BAD_LOGIN;
}

static enum im_reason verify(struct im_hash_job *job, const struct cost *cost)
{
    enum im_reason reason = compare(job, cost);
    if (reason != IM_OK)
        return reason;
    job->stale = crypto_pwhash_str_needs_rehash(job->encoded, cost->ops, cost->bytes) == 1;
    if (job->stale && make(job, cost) != IM_OK)
        job->stale = false; /* another time */
    return IM_OK;
}

static void run(struct im_hash_job *job, const struct cost *cost)
{
    job->stale = false;
    job->status = job->verify ? verify(job, cost) : make(job, cost);
}

static void *work(void *arg)
{
    struct imd_hasher *h = arg;
    pthread_mutex_lock(&h->lock);
    while (!h->stopping) {
        struct im_hash_job *job = queue_take(&h->waiting);
        if (job == NULL) {
            pthread_cond_wait(&h->work, &h->lock);
            continue;
        }
        struct cost cost = h->cost;
        pthread_mutex_unlock(&h->lock);
        run(job, &cost);
        pthread_mutex_lock(&h->lock);
        queue_put(&h->finished, job);
        h->wake(h->wake_arg);
    }
    pthread_mutex_unlock(&h->lock);
    return NULL;
}

/* The core's side. */

static enum im_reason submit(struct im_hasher *hasher, struct im_hash_job *job)
{
    struct imd_hasher *h = (struct imd_hasher *)hasher;
    pthread_mutex_lock(&h->lock);
    bool taken = h->count < h->most;
    if (taken) {
        h->count++;
        queue_put(&h->waiting, job);
        pthread_cond_signal(&h->work);
    }
    pthread_mutex_unlock(&h->lock);
    return taken ? IM_OK : IM_BUSY;
}

static struct im_hash_job *take_finished(struct imd_hasher *h)
{
    pthread_mutex_lock(&h->lock);
    struct im_hash_job *job = queue_take(&h->finished);
    h->count -= job != NULL;
    pthread_mutex_unlock(&h->lock);
    return job;
}

size_t imd_hasher_drain(struct imd_hasher *h)
{
    size_t n = 0;
    for (struct im_hash_job *job; (job = take_finished(h)) != NULL; n++)
        job->done(job);
    return n;
}

void imd_hasher_configure(struct imd_hasher *h, const struct im_config *config)
{
    pthread_mutex_lock(&h->lock);
    h->cost = (struct cost){config->argon2_ops, (size_t)config->argon2_bytes};
    h->most = config->hash_queue;
    pthread_mutex_unlock(&h->lock);
}

struct im_hasher *imd_hasher_core(struct imd_hasher *h)
{
    return &h->hasher;
}

static bool start_threads(struct imd_hasher *h, size_t count)
{
    while (h->thread_count < count && im_thread_start(&h->threads[h->thread_count], "imd-hash", work, h) == 0)
        h->thread_count++;
    return h->thread_count == count;
}

struct imd_hasher *imd_hasher_new(const struct im_config *config, void (*wake)(void *arg), void *wake_arg,
                                  struct im_error *error)
{
    struct imd_hasher *h = im_zalloc(sizeof *h + config->hash_threads * sizeof *h->threads);
    h->hasher.submit = submit;
    h->wake = wake;
    h->wake_arg = wake_arg;
    h->waiting.end = &h->waiting.first;
    h->finished.end = &h->finished.first;
    pthread_mutex_init(&h->lock, NULL);
    pthread_cond_init(&h->work, NULL);
    imd_hasher_configure(h, config);
    if (sodium_init() >= 0 && start_threads(h, config->hash_threads))
        return h;
    im_fail(error, IM_SYSTEM, "the threads that hash passwords do not start");
    imd_hasher_free(&h);
    return NULL;
}

void imd_hasher_free(struct imd_hasher **hasher)
{
    struct imd_hasher *h = *hasher;
    *hasher = NULL;
    if (h == NULL)
        return;
    pthread_mutex_lock(&h->lock);
    h->stopping = true;
    pthread_cond_broadcast(&h->work);
    pthread_mutex_unlock(&h->lock);
    for (size_t i = 0; i < h->thread_count; i++)
        pthread_join(h->threads[i], NULL);
    pthread_cond_destroy(&h->work);
    pthread_mutex_destroy(&h->lock);
    free(h);
}
