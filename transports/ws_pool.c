#include "transports/ws_pool.h"

#include <assert.h>
#include <stdlib.h>

#include "core/mem.h"
#include "transports/ws_deflate.h"

enum { BUFFER_MIN_BYTES = 256 };

struct im_ws_pool *im_ws_pool_new(void)
{
    struct im_ws_pool *pool = im_zalloc(sizeof *pool);
    pool->refs = 1;
    return pool;
}

struct im_ws_pool *im_ws_pool_hold(struct im_ws_pool *pool)
{
    pool->refs++;
    return pool;
}

bool im_ws_pool_drop(struct im_ws_pool **at)
{
    struct im_ws_pool *pool = *at;
    *at = NULL;
    if (--pool->refs > 0)
        return false;
    im_ws_deflate_clear(pool);
    free(pool->spare.p);
    im_out_clear(&pool->frame);
    free(pool);
    return true;
}

void im_ws_buffer_borrow(struct im_ws_pool *pool, struct im_ws_buffer *b)
{
    assert(!b->p);
    *b = pool->spare;
    pool->spare = (struct im_ws_buffer){0};
}

void im_ws_buffer_return(struct im_ws_pool *pool, struct im_ws_buffer *b)
{
    if (b->cap <= IM_WS_SPARE_BYTES && b->cap > pool->spare.cap) {
        struct im_ws_buffer smaller = pool->spare;
        pool->spare = (struct im_ws_buffer){.p = b->p, .cap = b->cap};
        *b = smaller;
    }
    free(b->p);
    *b = (struct im_ws_buffer){0};
}

void im_ws_buffer_reserve(struct im_ws_buffer *b, size_t more, size_t most)
{
    size_t need = b->len + more, cap = b->cap ? b->cap : BUFFER_MIN_BYTES;
    if (need <= b->cap)
        return;
    while (cap < need)
        cap *= 2;
    if (cap > most)
        cap = most > need ? most : need;
    b->p = im_realloc(b->p, cap);
    b->cap = cap;
}

void im_ws_buffer_settle(struct im_ws_pool *pool, struct im_ws_buffer *b)
{
    if (b->cap / 2 <= b->len + BUFFER_MIN_BYTES)
        return;
    struct im_ws_buffer fit = {0};
    if (b->len > 0) {
        im_ws_buffer_reserve(&fit, b->len, b->len);
        memcpy(fit.p, b->p, b->len);
        fit.len = b->len;
    }
    im_ws_buffer_return(pool, b);
    *b = fit;
}
