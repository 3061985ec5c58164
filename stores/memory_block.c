#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "stores/memory.h"

/* What grows with the log comes from here: blocks, cut from pieces that the kernel may back with one large page each. A
 * new page of memory costs more than all else that is done with a message, and on a virtual machine many times that.
 * A large one costs less for each byte, but all at once: see doc/why/hot-path.md. Blocks that are empty again are used
 * again. */

enum {
    BLOCKS = IM_MEM_PIECE_BYTES / IM_MEM_BLOCK_BYTES,
    AHEAD = BLOCKS / 2, /* when so many of a piece are cut, it is time for the next one */
    WARM = BLOCKS,      /* so many empty ones keep their pages */
};

struct im_mem_empty {
    struct im_mem_empty *next;
};

/* The first one stays with small pages, so that a log with little in it takes little. */
static char *add_piece(struct im_mem_blocks *b)
{
    char *piece = im_mem_piece_take(b->ahead, b->pieces.count == 0);
    im_mem_list_add(&b->pieces, piece);
    b->cut = 0;
    return piece;
}

static void *pop(struct im_mem_empty **list)
{
    struct im_mem_empty *e = *list;
    if (e)
        *list = e->next;
    return e;
}

static void *cut(struct im_mem_blocks *b)
{
    char *piece = b->pieces.count > 0 && b->cut < BLOCKS ? b->pieces.items[b->pieces.count - 1] : add_piece(b);
    if (b->cut == AHEAD)
        im_mem_piece_ahead(&b->ahead);
    return piece + b->cut++ * IM_MEM_BLOCK_BYTES;
}

void *im_mem_block_take(struct im_mem_blocks *b)
{
    if (b->warm) {
        b->warm_count--;
        return pop(&b->warm);
    }
    return b->cold ? pop(&b->cold) : cut(b);
}

/* Its memory, but for the first page, which has the list. The piece has small pages from now on: or else the kernel
 * would make a large one of the rest some time, with all that was given back. */
static void let_go(void *block)
{
    size_t page = (size_t)getpagesize();
    madvise((char *)block - (uintptr_t)block % IM_MEM_PIECE_BYTES, IM_MEM_PIECE_BYTES, MADV_NOHUGEPAGE);
    madvise((char *)block + page, IM_MEM_BLOCK_BYTES - page, MADV_DONTNEED);
}

void im_mem_block_give(struct im_mem_blocks *b, void *block)
{
    if (b->ending)
        return;
    struct im_mem_empty *e = block, **list = b->warm_count < WARM ? &b->warm : &b->cold;
    if (list == &b->warm)
        b->warm_count++;
    else
        let_go(block);
    e->next = *list;
    *list = e;
}

void im_mem_blocks_end(struct im_mem_blocks *b)
{
    for (size_t i = 0; i < b->pieces.count; i++)
        im_mem_piece_give(b->pieces.items[i]);
    im_mem_ahead_end(&b->ahead);
    free(b->pieces.items);
    *b = (struct im_mem_blocks){0};
}
