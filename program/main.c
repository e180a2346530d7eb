/*
 * A Plumbline binary: the interpreter, configured to know nothing but the modules that are frozen into this file.
 *
 * Nothing is unpacked, and no file is opened on the way to the first line of Python. Neither the environment, nor the
 * working directory, nor what is installed has a say in what runs.
 */
#define PY_SSIZE_T_CLEAN
#define _GNU_SOURCE
#include <Python.h>

#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23 /* linux/mman.h; younger than Debian 12's C library */
#endif

extern const struct _frozen plumbline_modules[]; /* in the file that freeze.py writes */

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
static _Noreturn void die(const char *reason)
{
    fprintf(stderr, "cannot start the interpreter: %s\n", reason);
    printf("{\"cniVersion\": \"1.1.0\", \"code\": 5, \"msg\": \"cannot start the plugin: ");
    for (const char *c = reason; *c; c++)
        putchar(*c < ' ' || *c == '"' || *c == '\\' ? '?' : *c);
    printf("\", \"details\": \"nothing was changed\"}\n");
    fflush(stdout);
    exit(1);
}

static void check(PyStatus status)
{
    if (PyStatus_Exception(status))
        die(status.err_msg != NULL ? status.err_msg : "no reason was given");
}

static void set(PyConfig *config, wchar_t **member, const wchar_t *value)
{
    check(PyConfig_SetString(config, member, value));
}

/*
 * Have all of the initialised data in memory by one call. The interpreter's objects lie there, and nearly each of the 300
 * pages is written to in the first milliseconds; copying them one by one, in a page fault each, takes 0.4 ms longer.
 */
static void populate_data(void)
{
    extern char __data_start, _edata;
    const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), start = (uintptr_t)&__data_start & ~(page - 1);
    madvise((void *)start, (uintptr_t)&_edata - start, MADV_POPULATE_WRITE); /* before Linux 5.14: no such advice */
}

/*
 * The time zone: the C library opens the file that TZ names, or /etc/localtime, when the module `time` is initialised.
 * No plugin has a use for it, so the interpreter starts without; what it executes gets the caller's.
 */
#define NO_TIME_ZONE ":" /* "" would be a file's name, too (glibc, time/tzset.c) */

static void restore_time_zone(const char *zone)
{
    PyObject *module = PyImport_ImportModule("posix"), *value = zone ? PyBytes_FromString(zone) : NULL;
    PyObject *environ = module ? PyObject_GetAttrString(module, "environ") : NULL;
    PyObject *name = PyBytes_FromString("TZ");
    if (environ == NULL || name == NULL || (zone != NULL && value == NULL)
        || (zone ? PyDict_SetItem(environ, name, value) : PyDict_DelItem(environ, name)) < 0)
        die("no memory for the environment");
    Py_DECREF(name);
    Py_XDECREF(value);
    Py_DECREF(environ);
    Py_DECREF(module);
}

int main(int argc, char **argv)
{
    const char *zone = getenv("TZ");
    if ((zone != NULL && (zone = strdup(zone)) == NULL) || setenv("TZ", NO_TIME_ZONE, 1) < 0)
        die("no memory for the environment");
    populate_data();
    PyPreConfig preconfig;
    PyPreConfig_InitIsolatedConfig(&preconfig);
    preconfig.utf8_mode = 1; /* file names and configurations are UTF-8, whatever the locale */
    check(Py_PreInitialize(&preconfig));

    PyImport_FrozenModules = plumbline_modules;
    PyConfig config;
    PyConfig_InitIsolatedConfig(&config);
    config.install_signal_handlers = 1;
    config.optimization_level = 2;
    config.pathconfig_warnings = 0;
    config.site_import = 0;
    config.write_bytecode = 0;
    config.module_search_paths_set = 1; /* to nothing */
    /* With all of these given, the interpreter does not look around for an installation. */
    set(&config, &config.program_name, L"/proc/self/exe");
    set(&config, &config.executable, L"/proc/self/exe");
    set(&config, &config.base_executable, L"/proc/self/exe");
    set(&config, &config.home, L"/dev/null");
    set(&config, &config.stdlib_dir, L"/dev/null");
    set(&config, &config.prefix, L"/dev/null");
    set(&config, &config.base_prefix, L"/dev/null");
    set(&config, &config.exec_prefix, L"/dev/null");
    set(&config, &config.base_exec_prefix, L"/dev/null");
    check(PyConfig_SetBytesArgv(&config, argc, argv));
    check(Py_InitializeFromConfig(&config));
    restore_time_zone(zone);

    /* A process of some milliseconds is over before there is garbage worth looking for. */
    PyGC_Disable();
    if (PyImport_ImportFrozenModule("__main__") != 1) {
        PyErr_Print();
        die("its code failed to start");
    }
    return 0; /* not reached: cni.skel ends the process */
}
