/* What the parts of a binary know of one another. */
#ifndef PLUMBLINE_PROGRAM_H
#define PLUMBLINE_PROGRAM_H

#define PY_SSIZE_T_CLEAN
#define _GNU_SOURCE
#include <Python.h>

#include <stddef.h>

#define MODULES 512 /* of a plugin, at most, with one more that ends the table */

/* Where a plugin runs: the namespace of __main__, and posix.environ, which run() fills. */
struct names {
    PyObject *main, *environment;
};

/* What a start continues from (image.c makes it, main.c resumes it). All of it is in the image itself. */
extern struct image {
    int is_taken;          /* 0 until the image is complete: also where memory comes from (libc.c) */
    PyThreadState *thread; /* of the only thread; it does not hold the interpreter's lock */
    PyObject *program;     /* the code of __main__ */
    struct names names;
    const char *last;      /* the last byte of the file */
} image;

/* Read a table of modules from what modules.py has written, for each "NAME IS_PACKAGE SIZE\n" and its code. */
void read_modules(struct _frozen *modules, char *at, const char *end);

/* Make those choices that come before all else; how memory is allocated may be chosen afterwards. */
void configure_interpreter(void);

/* The interpreter knows these modules only: no environment variable, no file, no folder has a say. */
void start_interpreter(const struct _frozen *modules);

/* Let nothing be imported any more but what was loaded. */
void forget_modules(void);

PyObject *read_code(const struct _frozen *module);

/* Find where the plugin is to run, with an environment that is empty. */
struct names find_names(void);

/* Run a plugin with the environment and the signals of this process. */
_Noreturn void run(PyObject *program, struct names names);

/*
 * Start the interpreter, load the modules that standard input lists, and write the image to standard output.
 * displacement: how many bytes further than usual the stack, the C library's memory and what is mapped shall be.
 */
_Noreturn void take_image(const char *displacement);

/* Tell why there is no plugin (or image), and end the process. */
_Noreturn void die(const char *reason);

/* The same for an exception of Python, which is told on standard error. */
_Noreturn void die_of_exception(const char *where);

/*
 * Move the C library's memory and what is mapped from now on by so many bytes. An image must not point there: if it does,
 * it differs from one that was taken with another displacement, whether or not the kernel chooses addresses at random.
 */
void displace_memory(size_t bytes);

/*
 * What becomes of a block of memory until the image is taken. Most are freed; these are not in the image. Hot are those
 * that most processes touch, cold all others that stay. takes.py knows these numbers, and why two of them are bits.
 */
enum fate { COLD = 0, HOT = 1, FREED = 3 };

/* Tell the fates of the blocks that are allocated from now on, by their numbers; a byte for each. */
void foretell_blocks(const unsigned char *fates, size_t count);

/* The same, as it turned out. */
struct blocks {
    unsigned char *fates;
    size_t count;
};
struct blocks blocks_seen(void);

/* Number the blocks from here on as those of another module. */
void begin_module(void);

/* Note that the block of an object is hot, if it has one. */
void mark_hot(const void *object);

/* Allocate no more, and return the part of the image that holds what was allocated. Its last byte is not zero. */
struct range {
    const char *start, *end;
};
struct range close_allocations(void);

/* From now on answer for crashes of this process, as crash.c tells. */
void handle_crashes(void);

extern const char program_build[]; /* version, commit, CPython and C library, for a person (tables.c) */

#endif
