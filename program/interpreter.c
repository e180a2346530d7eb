/*
 * The interpreter, started with nothing but the modules of a plugin: by the build for an image (image.c), by each process
 * in a binary without one (frozen.c).
 */
#include "program.h"

#include <marshal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * The seed of the hashes of strings. Those in an image were made with it, so every process has the same. Who knows it
 * might find names that collide, to make a dictionary slow; a configuration is small.
 */
#define HASH_SEED 1

/*
 * So often in a row nobody asks for memory who takes a no for an answer. CPython 3.11 does not when it enters the handler
 * of an exception and has no memory for the number of the instruction: it tries again for ever (exception_unwind in
 * Python/ceval.c).
 */
#define REFUSALS 100000

extern const struct _frozen *_PyImport_FrozenBootstrap; /* tables.c, as CPython's Python/frozen.c */

static const struct _frozen no_modules[1];

static void check(PyStatus status)
{
    if (PyStatus_Exception(status))
        die(status.err_msg != NULL ? status.err_msg : "no reason was given");
}

static void set(PyConfig *config, wchar_t **member, const wchar_t *value)
{
    check(PyConfig_SetString(config, member, value));
}

void read_modules(struct _frozen *modules, char *at, const char *end)
{
    for (const struct _frozen *const last = modules + MODULES - 1; at < end; modules++) {
        if (modules == last)
            die("there are more modules than MODULES (program.h)");
        char *const name = strsep(&at, " "), *const is_package = strsep(&at, " "), *const length = strsep(&at, "\n");
        modules->name = name;
        modules->is_package = atoi(is_package);
        modules->code = (const unsigned char *)at;
        modules->size = atoi(length);
        at += modules->size;
    }
}

void forget_modules(void)
{
    PyImport_FrozenModules = _PyImport_FrozenBootstrap = no_modules;
}

void die_of_exception(const char *where)
{
    PyErr_Print();
    die(where);
}

static PyMemAllocatorEx objects; /* what has CPython's objects allocated */

static void *allocate_object(void *context, size_t size)
{
    static int refusals;
    void *const object = objects.malloc(context, size);
    refusals = object == NULL ? refusals + 1 : 0;
    if (refusals == REFUSALS) {
        fputs("there is no memory left, not even to go on from an error\n", stderr);
        abort(); /* which is a crash (crash.c) */
    }
    return object;
}

void configure_interpreter(void)
{
    PyPreConfig preconfig;
    PyPreConfig_InitIsolatedConfig(&preconfig);
    preconfig.allocator = PYMEM_ALLOCATOR_MALLOC;
    preconfig.utf8_mode = 1; /* file names and configurations are UTF-8, whatever the locale */
    check(Py_PreInitialize(&preconfig));

    PyMem_GetAllocator(PYMEM_DOMAIN_OBJ, &objects);
    PyMem_SetAllocator(PYMEM_DOMAIN_OBJ, &(PyMemAllocatorEx){
        objects.ctx, allocate_object, objects.calloc, objects.realloc, objects.free});
}

void start_interpreter(const struct _frozen *modules)
{
    PyImport_FrozenModules = _PyImport_FrozenBootstrap = modules;
    PyConfig config;
    PyConfig_InitIsolatedConfig(&config);
    config.use_hash_seed = 1;
    config.hash_seed = HASH_SEED;
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
    check(Py_InitializeFromConfig(&config));
    PyConfig_Clear(&config);
}

PyObject *read_code(const struct _frozen *module)
{
    PyObject *const code = PyMarshal_ReadObjectFromString((const char *)module->code, module->size);
    if (code == NULL)
        die_of_exception(module->name);
    return code;
}

struct names find_names(void)
{
    PyObject *const main = PyImport_AddModule("__main__"), *const posix = PyImport_ImportModule("posix");
    PyObject *const environment = posix == NULL ? NULL : PyObject_GetAttrString(posix, "environ");
    if (main == NULL || environment == NULL)
        die_of_exception("the main program and its environment");
    PyDict_Clear(environment);
    return (struct names){PyModule_GetDict(main), environment};
}
