/*
 * A Plumbline binary without an image: each process starts the interpreter, which loads the plugin's modules as they are
 * imported. Slower, but nothing here depends on how CPython is made inside; to the caller it is the same.
 *
 * Nothing is unpacked, and no file is opened. Neither the environment, nor the working directory, nor what is installed
 * has a say in what runs.
 */
#include "program.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

extern char program_modules[]; /* frozen.py puts them at the end of the file, with a byte behind them that is not zero */
extern const char program_modules_end[];

/* The environment of the start. The C library would open the file that TZ names when `time` is initialised (run.c). */
static char *nothing[] = {"TZ=:", NULL};

/*
 * An interpreter refuses to start when standard input is a folder, but what there is to say of that is the plugin's to
 * say. So such a folder is put aside meanwhile; the interpreter's own sys.stdin, which no plugin uses, is missing then.
 */
static int put_folder_aside(void)
{
    struct stat status;
    if (fstat(STDIN_FILENO, &status) < 0 || !S_ISDIR(status.st_mode))
        return -1;
    const int folder = dup(STDIN_FILENO);
    if (folder < 0 || close(STDIN_FILENO) < 0)
        die("standard input cannot be put aside");
    return folder;
}

static void put_folder_back(int folder)
{
    if (folder >= 0 && (dup2(folder, STDIN_FILENO) < 0 || close(folder) < 0))
        die("standard input cannot be put back");
}

int main(void)
{
    static struct _frozen modules[MODULES];
    handle_crashes();
    if (*program_modules_end == 0) /* if more than this page is missing, that is a crash */
        die("the file was not copied as a whole");
    read_modules(modules, program_modules, program_modules_end);

    char **const variables = environ;
    environ = nothing;
    const int folder = put_folder_aside();
    configure_interpreter();
    start_interpreter(modules);
    put_folder_back(folder);
    environ = variables;

    /* A process of some milliseconds is over before there is garbage worth looking for. */
    PyGC_Disable();
    const struct _frozen *program = modules;
    while (strcmp(program->name, "__main__") != 0)
        program++;
    run(read_code(program), find_names());
}
