/*
 * A Plumbline binary: an interpreter that has been started, with the plugin's modules loaded, when the binary was built
 * (image.c). A process goes on from there.
 *
 * Nothing is unpacked, no file is opened, and no module is loaded. Neither the environment, nor the working directory,
 * nor what is installed has a say in what runs.
 */
#include "program.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct image image;

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

/*
 * The thread that the image was taken in is this one now. It has another identity, which is what a child has after
 * fork(2), so CPython is told that. The C library, which is new, knows nothing of the key by which CPython finds a thread's
 * state: the first key of a process has the same number in each, so this makes the one that CPython knows.
 */
static void adopt_thread(void)
{
    pthread_key_t key;
    if (pthread_key_create(&key, NULL) != 0 || pthread_setspecific(key, image.thread) != 0)
        die("no key for the thread's state");
    PyEval_RestoreThread(image.thread);
    image.thread->thread_id = PyThread_get_thread_ident();
    PyOS_BeforeFork(); /* takes locks that the other call lets go */
    PyOS_AfterFork_Child();
    if (PyGILState_GetThisThreadState() != image.thread)
        die("the thread's state is not found by its key");
}

/* Fill posix.environ, which os.environ is a view of. */
static void adopt_environment(void)
{
    for (char **variable = environ; *variable != NULL; variable++) {
        const char *const end = strchr(*variable, '=');
        if (end == NULL)
            continue;
        PyObject *const name = PyBytes_FromStringAndSize(*variable, end - *variable);
        PyObject *const value = PyBytes_FromString(end + 1);
        if (name == NULL || value == NULL || PyDict_SetDefault(image.environment, name, value) == NULL)
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

int main(int argc, char **argv)
{
    if (!image.is_taken)
        take_image(argc == 2 ? argv[1] : "");
    handle_crashes();
    if (*image.last == 0) /* if more than this page is missing, that is a crash */
        die("the file was not copied as a whole");
    adopt_thread();
    adopt_environment();
    signal(SIGPIPE, SIG_IGN); /* as the interpreter has it: a write fails with EPIPE, */
    signal(SIGXFSZ, SIG_IGN); /* and one beyond the limit of a file's size with EFBIG */
    if (PyEval_EvalCode(image.program, image.globals, image.globals) == NULL) {
        PyErr_Print();
        die("its code failed to start");
    }
    return 0; /* not reached: cni.skel ends the process */
}
