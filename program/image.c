/*
 * The image: the memory of an interpreter that has started and loaded a plugin's modules. This runs when a binary is
 * built; what it writes becomes the binary's initialised data.
 *
 * An image consists of the variables of CPython and of what it has allocated. It must not depend on the process that it
 * was taken in: nothing in it may point to the stack, to what the C library has allocated, or to what the kernel has
 * mapped, and nothing may be of that process's environment. image.py takes it twice and compares.
 */
#include "program.h"

#include <alloca.h>
#include <marshal.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/*
 * The seed of the hashes of strings. Those in the image were made with it, so every process has the same. Who knows it
 * might find names that collide, to make a dictionary slow; a configuration is small.
 */
#define HASH_SEED 1

#define MODULES 512

extern const struct _frozen *_PyImport_FrozenBootstrap; /* tables.c, as CPython's Python/frozen.c */
extern char __start_plumbline_data[], __stop_plumbline_data[]; /* of the linker */

void *program_malloc(size_t size); /* libc.c */
void program_free(void *block);

static void *allocate_arena(void *context, size_t size)
{
    (void)context;
    return program_malloc(size);
}

static void free_arena(void *context, void *arena, size_t size)
{
    (void)context;
    (void)size;
    program_free(arena);
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

static _Noreturn void die_of_exception(const char *where)
{
    PyErr_Print();
    die(where);
}

/* Read the modules from the file that standard input is: for each "NAME IS_PACKAGE SIZE\n" and its code. */
static void read_modules(struct _frozen *modules)
{
    struct stat status;
    if (fstat(STDIN_FILENO, &status) < 0)
        die("standard input cannot be read");
    const size_t size = (size_t)status.st_size;
    char *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE, STDIN_FILENO, 0);
    if (at == MAP_FAILED)
        die("standard input is not a file of modules");
    const struct _frozen *const last = modules + MODULES - 1;
    for (const char *const end = at + size; at < end; modules++) {
        if (modules == last)
            die("there are more modules than MODULES (image.c)");
        char *const name = strsep(&at, " "), *const is_package = strsep(&at, " "), *const length = strsep(&at, "\n");
        modules->name = name;
        modules->is_package = atoi(is_package);
        modules->code = (const unsigned char *)at;
        modules->size = atoi(length);
        at += modules->size;
    }
}

/* The interpreter knows these modules only: no environment variable, no file, no folder has a say. */
static void start_interpreter(const struct _frozen *modules)
{
    PyPreConfig preconfig;
    PyPreConfig_InitIsolatedConfig(&preconfig);
    preconfig.allocator = PYMEM_ALLOCATOR_MALLOC;
    preconfig.utf8_mode = 1; /* file names and configurations are UTF-8, whatever the locale */
    check(Py_PreInitialize(&preconfig));

    /* The frames of Python are in memory of this kind, which would be mapped otherwise. */
    PyObjectArenaAllocator arenas = {NULL, allocate_arena, free_arena};
    PyObject_SetArenaAllocator(&arenas);

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

/* Run code that is no module, and leave nothing of it. */
static void run(const struct _frozen *code)
{
    PyObject *const program = PyMarshal_ReadObjectFromString((const char *)code->code, code->size);
    PyObject *const globals = PyDict_New();
    PyObject *const result = program == NULL || globals == NULL ? NULL : PyEval_EvalCode(program, globals, globals);
    if (result == NULL)
        die_of_exception(code->name);
    Py_DECREF(result);
    Py_DECREF(globals);
    Py_DECREF(program);
}

/* Load all modules but the program itself, of which only the code is read; then take out what they do not need any more. */
static void load(const struct _frozen *modules)
{
    for (; modules->name != NULL; modules++) {
        if (strcmp(modules->name, "__main__") == 0) {
            image.program = PyMarshal_ReadObjectFromString((const char *)modules->code, modules->size);
        } else if (strcmp(modules->name, "__unload__") == 0) {
            run(modules);
        } else {
            PyObject *const module = PyImport_ImportModule(modules->name);
            if (module == NULL)
                die_of_exception(modules->name);
            Py_DECREF(module);
        }
    }
    PyObject *const main = PyImport_AddModule("__main__"), *const posix = PyImport_ImportModule("posix");
    if (main == NULL || posix == NULL || image.program == NULL)
        die_of_exception("__main__");
    image.globals = PyModule_GetDict(main);
    image.environment = PyObject_GetAttrString(posix, "environ");
    if (image.environment == NULL)
        die_of_exception("posix.environ");
    PyDict_Clear(image.environment);
}

static void write_range(struct range range)
{
    const uint64_t header[] = {(uintptr_t)range.start, (uint64_t)(range.end - range.start)};
    if (fwrite(header, sizeof header, 1, stdout) != 1 || fwrite(range.start, header[1], 1, stdout) != 1)
        die("the image cannot be written");
}

static _Noreturn __attribute__((noinline)) void take(void)
{
    static const struct _frozen none[1];
    struct _frozen *const modules = mmap(NULL, MODULES * sizeof none[0], PROT_READ | PROT_WRITE,
                                         MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (modules == MAP_FAILED)
        die("no memory for the modules");
    read_modules(modules);
    start_interpreter(modules);
    load(modules);
    PyImport_FrozenModules = _PyImport_FrozenBootstrap = none;
    PyGC_Collect();
    /* A process of some milliseconds is over before there is garbage worth looking for. */
    PyGC_Disable();

    image.thread = PyThreadState_Get();
    image.thread->thread_id = 0; /* these are of this process, and set in the next (main.c) */
    image.thread->native_thread_id = 0;
    memset(image.thread->datastack_top, 0, /* frames that have ended point to the stack */
           (size_t)((char *)image.thread->datastack_limit - (char *)image.thread->datastack_top));
    PyEval_SaveThread();
    if (dup(STDIN_FILENO) != STDERR_FILENO + 1)
        die("a module has left a file open");
    const struct range allocated = close_allocations();
    image.last = allocated.end - 1;
    image.is_taken = 1;
    write_range((struct range){__start_plumbline_data, __stop_plumbline_data});
    write_range(allocated);
    if (fflush(stdout) != 0)
        die("the image cannot be written");
    _exit(0);
}

void take_image(const char *displacement)
{
    for (int number = 1; number < NSIG; number++) /* _signal keeps what it finds, and a caller may ignore some */
        signal(number, SIG_DFL);
    const size_t bytes = strtoul(displacement, NULL, 10);
    displace_memory(bytes);
    *(volatile char *)alloca(bytes + 1) = 0;
    take();
}
