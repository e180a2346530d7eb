/*
 * The C library as CPython sees it: link.py has CPython call these functions in place of those without `program_`.
 *
 * Until the image is taken, memory is a part of one array, at the same address in every process. From then on it comes
 * from the C library, whose own memory is not in the image; what is in the array is never given back.
 */
#include "program.h"

#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define ALIGNMENT ((size_t)16)   /* of what malloc() returns, in bytes */
#define LARGE ((size_t)65536)    /* a size from which on few are distinguished */
#define ARRAY ((size_t)(8 << 20))

/*
 * Its used part gets into the file; what is noted of it here does not, since nothing is taken from it any more then. The
 * size of each block, without itself, stands before it.
 */
static _Alignas(4096) char array[ARRAY];
static size_t used = ALIGNMENT - sizeof(size_t);
static void *freed[LARGE / ALIGNMENT + ARRAY / LARGE]; /* the blocks of each size, chained by their first word */

struct range close_allocations(void)
{
    array[used++] = 1;
    return (struct range){array, array + used};
}

static int is_in_array(const void *block)
{
    return (const char *)block >= array && (const char *)block < array + ARRAY;
}

static size_t *size_of(void *block)
{
    return (size_t *)block - 1;
}

static void **chain_of(size_t size)
{
    return &freed[size < LARGE ? size / ALIGNMENT : LARGE / ALIGNMENT + size / LARGE];
}

static void free_in_array(void *block)
{
    const size_t size = *size_of(block);
    memset(block, 0, size); /* nothing of what was there gets into the file, and calloc() need not clear it */
    void **const chain = chain_of(size);
    memcpy(block, chain, sizeof(void *));
    *chain = block;
}

/* Take the first block of the first chain that is long enough, and give back what is more than that. */
static void *take_freed(size_t size)
{
    for (void **chain = chain_of(size); chain < freed + sizeof freed / sizeof *freed; chain++) {
        void *const block = *chain;
        const size_t found = block == NULL ? 0 : *size_of(block);
        if (found < size)
            continue;
        memcpy(chain, block, sizeof(void *));
        memset(block, 0, sizeof(void *));
        if (found - size >= 2 * ALIGNMENT) {
            void *const rest = (char *)block + size + sizeof(size_t);
            *size_of(block) = size;
            *size_of(rest) = found - size - sizeof(size_t);
            free_in_array(rest);
        }
        return block;
    }
    return NULL;
}

static void *take_from_array(size_t size)
{
    if (size > ARRAY / 2)
        return NULL;
    /* The next block's size fits before its aligned start. */
    size = (size + sizeof(size_t) + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT - sizeof(size_t);
    void *block = take_freed(size);
    if (block == NULL && used + sizeof(size_t) + size < ARRAY) {
        block = array + used + sizeof(size_t);
        *size_of(block) = size;
        used += sizeof(size_t) + size;
    }
    return block;
}

void *program_malloc(size_t size)
{
    return image.is_taken ? malloc(size) : take_from_array(size);
}

void *program_calloc(size_t count, size_t size)
{
    if (image.is_taken)
        return calloc(count, size);
    if (size != 0 && count > SIZE_MAX / size)
        return NULL;
    return take_from_array(count * size);
}

void program_free(void *block)
{
    if (!is_in_array(block))
        free(block);
    else if (!image.is_taken)
        free_in_array(block);
}

void *program_realloc(void *block, size_t size)
{
    if (block == NULL)
        return program_malloc(size);
    if (!is_in_array(block))
        return realloc(block, size);
    const size_t before = *size_of(block);
    if (size <= before)
        return block;
    void *const other = program_malloc(size);
    if (other != NULL) {
        memcpy(other, block, before);
        program_free(block);
    }
    return other;
}

/* No thread of a process gets into the image. */
pthread_t program_pthread_self(void)
{
    return image.is_taken ? pthread_self() : 1;
}

void displace_memory(size_t bytes)
{
    if (bytes != 0
        && (malloc(bytes) == NULL || mmap(NULL, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED))
        die("no memory to be elsewhere");
}
