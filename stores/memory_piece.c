#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/mem.h"
#include "core/thread.h"
#include "stores/memory.h"

/* What blocks are cut from: pieces of the size of a large page, and on one where the kernel has it. Such a page comes
 * all at once, which may take milliseconds, and everybody who writes would wait; so while one piece is used, a thread
 * touches the next, when nobody else wants its core if the system lets it stand back so. A piece that is not ready when
 * it is needed is taken as it is. */

struct im_mem_ahead {
    pthread_t thread;
    sem_t asked;
    atomic_bool working;   /* from the asking on */
    _Atomic(char *) piece; /* touched, and nobody's yet; or NULL */
    atomic_bool closing;
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

static bool is_asked(struct im_mem_ahead *a)
{
    while (sem_wait(&a->asked) != 0)
        ;
    return !atomic_load(&a->closing);
}

static void *touch_forever(void *arg)
{
    struct im_mem_ahead *a = arg;
    pthread_setschedparam(pthread_self(), SCHED_IDLE, &(struct sched_param){0}); /* if it may */
    while (is_asked(a)) {
        atomic_store(&a->piece, touched_piece());
        atomic_store(&a->working, false);
    }
    return NULL;
}

/* NULL: there is no thread to be had. */
static struct im_mem_ahead *start(void)
{
    struct im_mem_ahead *a = im_zalloc(sizeof *a);
    sem_init(&a->asked, 0, 0);
    if (im_thread_start(&a->thread, "imd-memory", touch_forever, a) == 0)
        return a;
    sem_destroy(&a->asked);
    free(a);
    return NULL;
}

void im_mem_piece_ahead(struct im_mem_ahead **at)
{
    struct im_mem_ahead *a = *at ? *at : start();
    *at = a;
    if (a == NULL || atomic_load(&a->working) || atomic_load(&a->piece))
        return;
    atomic_store(&a->working, true);
    sem_post(&a->asked);
}

char *im_mem_piece_take(struct im_mem_ahead *a, bool small_pages)
{
    char *piece = a ? atomic_exchange(&a->piece, NULL) : NULL;
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
    atomic_store(&a->closing, true);
    sem_post(&a->asked);
    pthread_join(a->thread, NULL);
    if (a->piece)
        im_mem_piece_give(a->piece);
    sem_destroy(&a->asked);
    free(a);
}
