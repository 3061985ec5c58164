#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/mem.h"
#include "stores/memory.h"

/* What blocks are cut from: pieces of the size of a large page, and on one where the kernel has it. Such a page comes
 * all at once, which may take milliseconds, and everybody who writes would wait; so while one piece is used, a thread
 * touches the next, when nobody else wants its core if the system lets it stand back so. A piece that is not ready when
 * it is needed is taken as it is. */

struct im_mem_ahead {
    pthread_t thread;
    pthread_mutex_t lock; /* all below */
    pthread_cond_t work;
    bool wanted, closing;
    char *piece; /* touched, and nobody's yet; or NULL */
};

/* At a multiple of its own size, as a large page has to be. NULL: there is none. */
static char *map_piece(int advice)
{
    char *p = mmap(NULL, 2 * IM_MEM_PIECE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED)
        return NULL;
    size_t before = -(uintptr_t)p % IM_MEM_PIECE_BYTES;
    if (before > 0)
        munmap(p, before);
    munmap(p + before + IM_MEM_PIECE_BYTES, IM_MEM_PIECE_BYTES - before);
    madvise(p + before, IM_MEM_PIECE_BYTES, advice);
    return p + before;
}

static char *touched_piece(void)
{
    char *p = map_piece(MADV_HUGEPAGE);
    size_t page = (size_t)getpagesize();
    for (size_t at = 0; p && at < IM_MEM_PIECE_BYTES; at += page)
        ((volatile char *)p)[at] = 0;
    return p;
}

static void *touch_forever(void *arg)
{
    struct im_mem_ahead *a = arg;
    pthread_setschedparam(pthread_self(), SCHED_IDLE, &(struct sched_param){0}); /* if it may */
    pthread_mutex_lock(&a->lock);
    while (!a->closing) {
        if (!a->wanted) {
            pthread_cond_wait(&a->work, &a->lock);
            continue;
        }
        pthread_mutex_unlock(&a->lock);
        char *piece = touched_piece();
        pthread_mutex_lock(&a->lock);
        a->piece = piece;
        a->wanted = false;
    }
    pthread_mutex_unlock(&a->lock);
    return NULL;
}

/* NULL: there is no thread to be had. Signals are the core thread's business. */
static struct im_mem_ahead *start(void)
{
    struct im_mem_ahead *a = im_zalloc(sizeof *a);
    sigset_t all, before;
    pthread_mutex_init(&a->lock, NULL);
    pthread_cond_init(&a->work, NULL);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int failure = pthread_create(&a->thread, NULL, touch_forever, a);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (failure == 0)
        return a;
    pthread_cond_destroy(&a->work);
    pthread_mutex_destroy(&a->lock);
    free(a);
    return NULL;
}

void im_mem_piece_ahead(struct im_mem_ahead **at)
{
    struct im_mem_ahead *a = *at ? *at : start();
    *at = a;
    if (a == NULL || pthread_mutex_trylock(&a->lock) != 0) /* who has it may be the one that nobody runs */
        return;
    if (a->piece == NULL && !a->wanted) {
        a->wanted = true;
        pthread_cond_signal(&a->work);
    }
    pthread_mutex_unlock(&a->lock);
}

static char *take_touched(struct im_mem_ahead *a)
{
    if (a == NULL || pthread_mutex_trylock(&a->lock) != 0)
        return NULL;
    char *piece = a->piece;
    a->piece = NULL;
    pthread_mutex_unlock(&a->lock);
    return piece;
}

char *im_mem_piece_take(struct im_mem_ahead *a, bool small_pages)
{
    char *piece = take_touched(a);
    if (piece == NULL)
        piece = map_piece(small_pages ? MADV_NOHUGEPAGE : MADV_HUGEPAGE);
    if (piece == NULL)
        im_no_memory(IM_MEM_PIECE_BYTES);
    return piece;
}

void im_mem_piece_give(char *piece)
{
    munmap(piece, IM_MEM_PIECE_BYTES);
}

void im_mem_ahead_end(struct im_mem_ahead **at)
{
    struct im_mem_ahead *a = *at;
    *at = NULL;
    if (a == NULL)
        return;
    pthread_mutex_lock(&a->lock);
    a->closing = true;
    pthread_cond_signal(&a->work);
    pthread_mutex_unlock(&a->lock);
    pthread_join(a->thread, NULL);
    if (a->piece)
        im_mem_piece_give(a->piece);
    pthread_cond_destroy(&a->work);
    pthread_mutex_destroy(&a->lock);
    free(a);
}
