/* What the parts of a binary know of one another. */
#ifndef PLUMBLINE_PROGRAM_H
#define PLUMBLINE_PROGRAM_H

#define PY_SSIZE_T_CLEAN
#define _GNU_SOURCE
#include <Python.h>

#include <stddef.h>

/* What a start continues from (image.c makes it, main.c resumes it). All of it is in the image itself. */
extern struct image {
    int is_taken;          /* 0 until the image is complete: also where memory comes from (libc.c) */
    PyThreadState *thread; /* of the only thread; it does not hold the interpreter's lock */
    PyObject *environment; /* posix.environ, empty */
    PyObject *program;     /* the code of __main__ */
    PyObject *globals;     /* the namespace of __main__ */
    const char *last;      /* the last byte of the file */
} image;

/* Start the interpreter, load the modules that standard input lists, and write the image to standard output. */
_Noreturn void take_image(void);

/* Tell why there is no plugin, and end the process. */
_Noreturn void die(const char *reason);

/* The part of the image that holds what was allocated. Its last byte is not zero. */
struct range {
    const char *start, *end;
};
struct range end_of_allocations(void);

#endif
