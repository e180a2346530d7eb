/*
 * A Plumbline binary: an interpreter that has been started, with the plugin's modules loaded, when the binary was built
 * (image.c). A process goes on from there.
 *
 * Nothing is unpacked, no file is opened, and no module is loaded. Neither the environment, nor the working directory,
 * nor what is installed has a say in what runs.
 */
#include "program.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct image image;

/* setns(2), which CPython has as os.setns from 3.12 on. cni/libc.py is what uses it. */
static PyObject *call_setns(PyObject *module, PyObject *arguments)
{
    int fd, type;
    (void)module;
    if (!PyArg_ParseTuple(arguments, "ii", &fd, &type))
        return NULL;
    if (setns(fd, type) < 0)
        return PyErr_SetFromErrno(PyExc_OSError);
    Py_RETURN_NONE;
}

static PyMethodDef methods[] = {{"setns", call_setns, METH_VARARGS, NULL}, {NULL, NULL, 0, NULL}};
static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, .m_name = "_plumbline", .m_size = -1, .m_methods = methods};

PyMODINIT_FUNC PyInit__plumbline(void)
{
    return PyModule_Create(&definition);
}

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
 * fork(2), so CPython is told that; but the C library, which is new, knows nothing of a key for thread-specific data.
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

int main(void)
{
    if (!image.is_taken)
        take_image();
    if (*image.last == 0) /* if more than this page is missing, the kernel sends SIGBUS */
        die("the file was not copied as a whole");
    adopt_thread();
    adopt_environment();
    signal(SIGPIPE, SIG_IGN); /* as the interpreter has it: a write fails with EPIPE */
    if (PyEval_EvalCode(image.program, image.globals, image.globals) == NULL) {
        PyErr_Print();
        die("its code failed to start");
    }
    return 0; /* not reached: cni.skel ends the process */
}
