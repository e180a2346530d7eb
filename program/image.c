/*
 * The image: the memory of an interpreter that has started and loaded a plugin's modules. This runs when a binary is
 * built; what it writes becomes the binary's initialised data.
 *
 * An image consists of the variables of CPython and of what it has allocated. It must not depend on the process that it
 * was taken in: nothing in it may point to the stack, to what the C library has allocated, or to what the kernel has
 * mapped, and nothing may be of that process's environment. takes.py takes it twice and compares.
 */
#include "program.h"

#include <alloca.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

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

/* Read the modules from the file that standard input is. */
static void read_input(struct _frozen *modules)
{
    struct stat status;
    if (fstat(STDIN_FILENO, &status) < 0)
        die("standard input cannot be read");
    const size_t size = (size_t)status.st_size;
    char *const content = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE, STDIN_FILENO, 0);
    if (content == MAP_FAILED)
        die("standard input is not a file of modules");
    read_modules(modules, content, content + size);
    for (; modules->name != NULL; modules++)
        if (strcmp(modules->name, "__blocks__") == 0) /* no module, but what is known from another process */
            foretell_blocks(modules->code, (size_t)modules->size);
}

static PyObject *find_nothing(PyObject *self, PyObject *arguments)
{
    (void)self;
    (void)arguments;
    begin_module();
    Py_RETURN_NONE;
}

static PyMethodDef finding_nothing = {"find_spec", find_nothing, METH_VARARGS, NULL};

/*
 * Have blocks numbered by module, so that one more, or less, in a module changes no number of another's: whoever imports a
 * module asks this first where it is. (An audit hook would be told as well, but there is no way to take it out again.)
 */
static void watch_imports(PyObject *finders)
{
    PyObject *const finder = PyModule_New("watch"), *const function = PyCFunction_New(&finding_nothing, NULL);
    if (finder == NULL || function == NULL || PyObject_SetAttrString(finder, "find_spec", function) < 0
        || PyList_Insert(finders, 0, finder) < 0)
        die_of_exception("the watch of imports");
    Py_DECREF(function);
    Py_DECREF(finder);
}

/* Run code that is no module, and leave nothing of it. What is in a list HOT of it is hot. */
static void execute(const struct _frozen *module)
{
    PyObject *const code = read_code(module), *const globals = PyDict_New();
    PyObject *const result = globals == NULL ? NULL : PyEval_EvalCode(code, globals, globals);
    if (result == NULL)
        die_of_exception(module->name);
    PyObject *const hot = PyDict_GetItemString(globals, "HOT");
    for (Py_ssize_t at = 0; hot != NULL && at < PyList_GET_SIZE(hot); at++)
        mark_hot(PyList_GET_ITEM(hot, at));
    Py_DECREF(result);
    Py_DECREF(globals);
    Py_DECREF(code);
}

/* Load all modules but the program itself, of which only the code is read; then take out what they do not need any more. */
static void load(const struct _frozen *modules)
{
    PyObject *const finders = PySys_GetObject("meta_path");
    watch_imports(finders);
    for (; modules->name != NULL; modules++) {
        if (strcmp(modules->name, "__main__") == 0) {
            image.program = read_code(modules);
        } else if (strcmp(modules->name, "__unload__") == 0 || strcmp(modules->name, "__layout__") == 0) {
            execute(modules);
        } else if (strcmp(modules->name, "__blocks__") != 0) {
            PyObject *const module = PyImport_ImportModule(modules->name);
            if (module == NULL)
                die_of_exception(modules->name);
            Py_DECREF(module);
        }
    }
    PyList_SetSlice(finders, 0, 1, NULL);
    image.names = find_names();
    forget_modules();
}

static void write_part(uint64_t address, const void *content, size_t size)
{
    const uint64_t header[] = {address, size};
    if (fwrite(header, sizeof header, 1, stdout) != 1 || fwrite(content, size, 1, stdout) != 1)
        die("the image cannot be written");
}

static void write_range(struct range range)
{
    write_part((uintptr_t)range.start, range.start, (size_t)(range.end - range.start));
}

static _Noreturn __attribute__((noinline)) void take(void)
{
    struct _frozen *const modules = mmap(NULL, MODULES * sizeof(struct _frozen), PROT_READ | PROT_WRITE,
                                         MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (modules == MAP_FAILED)
        die("no memory for the modules");
    read_input(modules);
    configure_interpreter();
    /* The frames of Python are in memory of this kind, which would be mapped otherwise. */
    PyObject_SetArenaAllocator(&(PyObjectArenaAllocator){NULL, allocate_arena, free_arena});
    start_interpreter(modules);
    load(modules);
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
    write_part(0, blocks_seen().fates, blocks_seen().count);
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
