/*
 * A Plumbline binary: an interpreter that has been started, with the plugin's modules loaded, when the binary was built
 * (image.c). A process goes on from there.
 *
 * Nothing is unpacked, no file is opened, and no module is loaded. Neither the environment, nor the working directory,
 * nor what is installed has a say in what runs.
 */
#include "program.h"

#include <pthread.h>

struct image image;

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

int main(int argc, char **argv)
{
    if (!image.is_taken)
        take_image(argc == 2 ? argv[1] : "");
    handle_crashes();
    if (*image.last == 0) /* if more than this page is missing, that is a crash */
        die("the file was not copied as a whole");
    adopt_thread();
    run(image.program, image.names);
}
