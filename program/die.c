/* What a process, or the build, says when there will be no plugin. */
#include "program.h"

#include <stdio.h>
#include <stdlib.h>

/* Tell the operator on stderr and the container runtime on stdout, as an error of the CNI specification (code 5). */
void die(const char *reason)
{
    fprintf(stderr, "cannot start the interpreter: %s\n", reason);
    printf("{\"cniVersion\": \"1.1.0\", \"code\": 5, \"msg\": \"cannot start the plugin: ");
    for (const char *c = reason; *c; c++)
        putchar(*c < ' ' || *c == '"' || *c == '\\' ? '?' : *c);
    printf("\", \"details\": \"nothing was changed\"}\n");
    fflush(stdout);
    exit(1);
}
