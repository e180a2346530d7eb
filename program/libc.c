/*
 * The C library as CPython sees it: link.py has CPython call these functions in place of those without `program_`.
 *
 * Until the image is taken, memory is a part of one array, at the same address in every process. From then on it comes
 * from the C library, whose own memory is not in the image; what is in the array is never given back.
 *
 * Most of what is allocated until then is given back before: what Python needs to load a module, and what modules need to
 * make their classes. The image would be full of holes. So the same is done once before, to see which blocks do not stay
 * (takes.py), and these come from other memory then. Should one of them stay after all, the build fails.
 *
 * Of those that stay, a process touches some, and has each page of them copied. These are known from before as well
 * (layout.py), and are taken from the first part of the array, downwards from where the cold ones begin: the image begins
 * with the last of them.
 */
#include "program.h"

#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define ALIGNMENT ((size_t)16)          /* of what malloc() returns, in bytes */
#define PAGE 4096                       /* elf.py */
#define LARGE ((size_t)65536)           /* a size from which on few are distinguished */
#define ARRAY ((size_t)(8 << 20))
#define HOT_PART ((size_t)(2 << 20))    /* of the array */
#define OTHER ((size_t)(32 << 20))
#define BLOCKS ((size_t)(16 << 20))     /* how many numbers there are */
#define OF_A_MODULE ((size_t)(1 << 14)) /* how many of them a module has, unless it needs more */
#define ASIDE ((void *)0x2000000000) /* where other memory is: where a block was, CPython keeps in lists of free ones */

/* What stands before each block. */
struct header {
    uint32_t size;   /* of the block, without this */
    uint32_t number; /* grows with each block, and with each module */
};

/* The used part of the array gets into the file; what is noted of it here does not, since nothing is taken from it then. */
static _Alignas(PAGE) char array[ARRAY];
static struct region {
    char *start;
    size_t used, size;
    uint32_t *numbers; /* of the block that starts at each ALIGNMENT, and one more: 0 where none does */
    void *freed[LARGE / ALIGNMENT + ARRAY / LARGE]; /* the blocks of each size, chained by their first word */
} hot, cold, passing; /* the first of them is used from its end on */
static struct blocks seen;      /* of this process */
static struct {
    const unsigned char *fates;
    size_t count;
} foretold;                     /* of the process before */

void foretell_blocks(const unsigned char *fates, size_t count)
{
    foretold.fates = fates;
    foretold.count = count;
}

struct blocks blocks_seen(void)
{
    return seen;
}

static void *mapped(void *at, size_t size)
{
    const int flags = MAP_PRIVATE | MAP_ANONYMOUS | (at == NULL ? 0 : MAP_FIXED_NOREPLACE);
    void *const memory = mmap(at, size, PROT_READ | PROT_WRITE, flags, -1, 0);
    if (memory == MAP_FAILED || (at != NULL && memory != at))
        die("no memory to take an image");
    return memory;
}

struct range close_allocations(void)
{
    cold.start[cold.used++] = 1;
    char *const first = cold.start - hot.used;
    return (struct range){first - (uintptr_t)first % PAGE, cold.start + cold.used};
}

static int is_in_array(const void *block)
{
    return (const char *)block >= array && (const char *)block < array + ARRAY;
}

static struct region *region_of(const void *block)
{
    if (is_in_array(block))
        return (const char *)block < cold.start ? &hot : &cold;
    return (const char *)block >= passing.start && (const char *)block < passing.start + OTHER ? &passing : NULL;
}

static struct header *header_of(void *block)
{
    return (struct header *)block - 1;
}

static uint32_t *number_at(const struct region *region, const void *place)
{
    return &region->numbers[(size_t)((const char *)place - region->start) / ALIGNMENT];
}

static void **chain_of(struct region *region, size_t size)
{
    return &region->freed[size < LARGE ? size / ALIGNMENT : LARGE / ALIGNMENT + size / LARGE];
}

static void give_back(struct region *region, void *block)
{
    const size_t size = header_of(block)->size;
    memset(block, 0, size); /* nothing of what was there gets into the file, and calloc() need not clear it */
    void **const chain = chain_of(region, size);
    memcpy(block, chain, sizeof(void *));
    *chain = block;
}

/* Take the first block of the first chain that is long enough, and give back what is more than that. */
static void *take_freed(struct region *region, size_t size)
{
    void **const end = region->freed + sizeof region->freed / sizeof region->freed[0];
    for (void **chain = chain_of(region, size); chain < end; chain++) {
        void *const block = *chain;
        const size_t found = block == NULL ? 0 : header_of(block)->size;
        if (found < size)
            continue;
        memcpy(chain, block, sizeof(void *));
        memset(block, 0, sizeof(void *));
        if (found - size >= 2 * ALIGNMENT) {
            void *const rest = (char *)block + size + sizeof(struct header);
            header_of(block)->size = (uint32_t)size;
            header_of(rest)->size = (uint32_t)(found - size - sizeof(struct header));
            give_back(region, rest);
        }
        return block;
    }
    return NULL;
}

/* Take a block from where there was none yet. */
static void *take_new(struct region *region, size_t size)
{
    const size_t whole = sizeof(struct header) + size;
    if (region->used + whole >= region->size)
        return NULL;
    char *const start = region == &hot ? hot.start + hot.size - hot.used - whole : region->start + region->used;
    region->used += whole;
    ((struct header *)start)->size = (uint32_t)size;
    return start + sizeof(struct header);
}

static struct region empty(char *start, size_t size)
{
    uint32_t *const numbers = mapped(NULL, size / ALIGNMENT * sizeof *numbers);
    return (struct region){.start = start, .used = ALIGNMENT - sizeof(struct header), .size = size, .numbers = numbers};
}

static void begin(void)
{
    hot = empty(array, HOT_PART);
    cold = empty(array + HOT_PART, ARRAY - HOT_PART);
    passing = empty(mapped(ASIDE, OTHER), OTHER);
    seen.fates = mapped(NULL, BLOCKS);
}

/* As long as nothing is known, everything is aside: it would be too much for the array, and nobody wants that image. */
static struct region *region_for(uint32_t number)
{
    const enum fate fate = foretold.count == 0 ? FREED : number < foretold.count ? foretold.fates[number] : COLD;
    return fate == FREED ? &passing : fate == HOT ? &hot : &cold;
}

static void *take(size_t size)
{
    if (cold.start == NULL)
        begin();
    if (size > ARRAY / 2 || seen.count >= BLOCKS)
        return NULL;
    const uint32_t number = (uint32_t)seen.count++;
    struct region *const region = region_for(number);
    /* The next block's header fits before its aligned start. */
    size = (size + sizeof(struct header) + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT - sizeof(struct header);
    void *block = take_freed(region, size);
    if (block == NULL)
        block = take_new(region, size);
    if (block == NULL)
        return NULL;
    header_of(block)->number = number;
    *number_at(region, block) = number + 1;
    return block;
}

void begin_module(void)
{
    seen.count = (seen.count / OF_A_MODULE + 1) * OF_A_MODULE;
}

void mark_hot(const void *object)
{
    const struct region *const region = region_of(object);
    if (region == NULL) /* a variable of CPython */
        return;
    const char *start = object;
    while (*number_at(region, start) == 0)
        start -= ALIGNMENT;
    seen.fates[*number_at(region, start) - 1] = HOT;
}

void *program_malloc(size_t size)
{
    return image.is_taken ? malloc(size) : take(size);
}

void *program_calloc(size_t count, size_t size)
{
    if (image.is_taken)
        return calloc(count, size);
    if (size != 0 && count > SIZE_MAX / size)
        return NULL;
    return take(count * size);
}

void program_free(void *block)
{
    if (image.is_taken) {
        if (!is_in_array(block))
            free(block);
        return;
    }
    struct region *const region = region_of(block);
    if (region == NULL) {
        free(block);
        return;
    }
    seen.fates[header_of(block)->number] = FREED;
    *number_at(region, block) = 0;
    give_back(region, block);
}

void *program_realloc(void *block, size_t size)
{
    if (block == NULL)
        return program_malloc(size);
    if (image.is_taken ? !is_in_array(block) : region_of(block) == NULL)
        return realloc(block, size);
    const size_t before = header_of(block)->size;
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
