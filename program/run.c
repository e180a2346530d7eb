/* What every process does with an interpreter: it gives it what is the process's own, and runs the plugin. */
#include "program.h"

#include <malloc.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define HEAP (4 << 20) /* bytes: more than what the kernel's answers and a configuration are read into, 1 MiB each */

/*
 * Have the C library ask the kernel for memory once, and keep it. Left alone, it maps large blocks one by one, gives memory
 * back as soon as it can, and makes each thread a heap of its own: in a process of some milliseconds these are system calls
 * and page faults for nothing. What is not touched takes no memory.
 */
static void keep_one_heap(void)
{
    mallopt(M_MMAP_THRESHOLD, HEAP);
    mallopt(M_TRIM_THRESHOLD, HEAP);
    mallopt(M_TOP_PAD, HEAP);
    mallopt(M_ARENA_MAX, 1);
}

/* Fill posix.environ, which os.environ is a view of. */
static void adopt_environment(PyObject *environment)
{
    for (char **variable = environ; *variable != NULL; variable++) {
        const char *const end = strchr(*variable, '=');
        if (end == NULL)
            continue;
        PyObject *const name = PyBytes_FromStringAndSize(*variable, end - *variable);
        PyObject *const value = PyBytes_FromString(end + 1);
        if (name == NULL || value == NULL || PyDict_SetDefault(environment, name, value) == NULL)
            die("no memory for the environment");
        Py_DECREF(name);
        Py_DECREF(value);
    }
    /*
     * The C library opens the file that TZ names, or /etc/localtime, when it is asked what time it is. No plugin has a
     * use for it; what a plugin executes gets the caller's TZ, out of posix.environ. A TZ that is empty would be a
     * file's name, too (glibc, time/tzset.c).
     */
    if (setenv("TZ", ":", 1) < 0)
        die("no memory for the environment");
}

void run(PyObject *program, struct names names)
{
    keep_one_heap();
    adopt_environment(names.environment);
    signal(SIGPIPE, SIG_IGN); /* as the interpreter has it: a write fails with EPIPE, */
    signal(SIGXFSZ, SIG_IGN); /* and one beyond the limit of a file's size with EFBIG */
    if (PyEval_EvalCode(program, names.main, names.main) == NULL)
        die_of_exception("its code failed to start");
    exit(0); /* not reached: cni.skel ends the process */
}
