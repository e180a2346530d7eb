/* What is said when the program cannot be started. */
#ifndef PLUMBLINE_FAILURE_H
#define PLUMBLINE_FAILURE_H

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char problem[PATH_MAX + 512]; /* what failed so far */

/* Note what failed, with the reason in errno, for the case that nothing else works either. */
static void note(const char *format, ...)
{
    const char *reason = strerror(errno);
    size_t used = strlen(problem);
    if (used > 0)
        used += (size_t)snprintf(problem + used, sizeof problem - used, "; ");
    va_list arguments;
    va_start(arguments, format);
    if (used < sizeof problem)
        used += (size_t)vsnprintf(problem + used, sizeof problem - used, format, arguments);
    va_end(arguments);
    if (used < sizeof problem)
        snprintf(problem + used, sizeof problem - used, ": %s", reason);
}

/* Tell the operator on stderr and the container runtime on stdout, as an error of the CNI specification (code 5). */
static _Noreturn void die(const char *message)
{
    fprintf(stderr, "cannot start: %s (%s)\n", message, problem);
    printf("{\"cniVersion\": \"1.1.0\", \"code\": 5, \"msg\": \"cannot start the plugin: %s\", \"details\": \"", message);
    for (const char *c = problem; *c; c++)
        if ((unsigned char)*c >= ' ' && (unsigned char)*c < 127 && *c != '"' && *c != '\\')
            putchar(*c);
    printf("\"}\n");
    fflush(stdout);
    exit(1);
}

static _Noreturn void die_of_damage(const char *what)
{
    errno = EILSEQ;
    note("%s", what);
    die("its file is damaged, copy it again");
}

#endif
