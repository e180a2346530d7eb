/*
 * A crash in C, or of CPython itself: the operator gets the stack on stderr, the container runtime an error object on
 * stdout, if nothing has been written there, and the exit status of an error.
 *
 * What is here is of the process, and in no image. A handler calls what may be called at any moment only: what it
 * writes is prepared, and what tells the stack is what CPython's faulthandler calls.
 */
#include "program.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

/* Of a handler, in bytes, since the thread's may be what is used up. The processor's state takes up to 11 KiB of it. */
#define STACK ((size_t)32768)

#define CRASH(number, words) \
    {number, words " (" #number ")", \
     "{\"cniVersion\": \"1.1.0\", \"code\": 999, \"msg\": \"the plugin crashed: " words " (" #number ")\", " \
     "\"details\": \"this is a fault of the plugin or of the machine, and its stack is on standard error; what had been " \
     "done stays as it is, on record: DEL gives it back\"}\n"}

static const struct crash {
    int number;
    const char *name, *document;
} crashes[] = {
    CRASH(SIGSEGV, "segmentation fault"),
    CRASH(SIGBUS, "bus error, as when the binary is damaged or cannot be read"),
    CRASH(SIGFPE, "arithmetic error"),
    CRASH(SIGILL, "illegal instruction"),
    CRASH(SIGABRT, "aborted"),
    CRASH(SIGTRAP, "trap"),
    CRASH(SIGSYS, "a system call is forbidden"),
};
#define CRASHES (sizeof crashes / sizeof *crashes)

/* How many threads there may be beside the main one for all of them to stand still while a stack is told. */
#define THREADS 8

/* How often they are looked at, in ms, until they do: one may be ending. */
#define PATIENCE 100

static atomic_int has_answered;       /* something was written to standard output */
static _Atomic pid_t crashed;         /* the thread that did so first */
static _Atomic pid_t beside[THREADS]; /* the threads that there are, without the main one */
static atomic_int standing;           /* how many stand still */

const char *_Py_DumpTracebackThreads(int fd, PyInterpreterState *interpreter, PyThreadState *thread);

static void put(int fd, const char *text)
{
    for (size_t left = strlen(text); left != 0;) {
        const ssize_t written = write(fd, text, left);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return;
        text += written;
        left -= (size_t)written;
    }
}

static void put_number(int fd, const char *before, unsigned long number, unsigned base)
{
    char digits[24], *first = digits + sizeof digits - 1;
    *first = 0;
    do
        *--first = "0123456789abcdef"[number % base];
    while ((number /= base) != 0);
    put(fd, before);
    put(fd, first);
}

static unsigned long instruction(const ucontext_t *context)
{
#if defined __x86_64__
    return (unsigned long)context->uc_mcontext.gregs[REG_RIP];
#elif defined __aarch64__
    return context->uc_mcontext.pc;
#else
    return (void)context, 0;
#endif
}

static void tell(const struct crash *crash, const siginfo_t *info, const void *context)
{
    put(STDERR_FILENO, program_invocation_short_name);
    put(STDERR_FILENO, " crashed: ");
    put(STDERR_FILENO, crash->name);
    if (info->si_code > 0) { /* it comes of what the thread did */
        put_number(STDERR_FILENO, " by the instruction at 0x", instruction(context), 16);
        put_number(STDERR_FILENO, ", address 0x", (unsigned long)info->si_addr, 16);
    } else if (info->si_pid != getpid()) {
        put_number(STDERR_FILENO, ", sent by process ", (unsigned long)info->si_pid, 10);
    }
    put(STDERR_FILENO, "\nPlumbline ");
    put(STDERR_FILENO, program_build);
    put(STDERR_FILENO, "\n");
    const char *const error = _Py_DumpTracebackThreads(STDERR_FILENO, NULL, NULL);
    put(STDERR_FILENO, error == NULL ? "" : error);
    put(STDERR_FILENO, error == NULL ? "" : "\n");
}

static void stand_still(void)
{
    standing++;
    for (;;)
        pause(); /* until the one that crashed has told, and ends us all */
}

/* Who tells the stacks goes through a list of threads, out of which one takes itself when it ends. */
static void stop_others(pid_t thread)
{
    const pid_t process = getpid();
    int others = thread != process && tgkill(process, process, SIGSEGV) == 0;
    for (size_t i = 0; i < THREADS; i++)
        others += beside[i] != 0 && beside[i] != thread && tgkill(process, beside[i], SIGSEGV) == 0;
    for (int i = 0; i < PATIENCE && standing < others; i++)
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
}

static void handle(int number, siginfo_t *info, void *context)
{
    const pid_t thread = gettid();
    pid_t first = 0;
    if (!atomic_compare_exchange_strong(&crashed, &first, thread)) {
        if (first != thread)
            stand_still();
        put(STDERR_FILENO, "\nand crashed again, since its memory is damaged\n");
        _exit(1);
    }
    const struct crash *crash = crashes;
    while (crash->number != number)
        crash++;
    if (!has_answered) /* before the stack, which damaged memory may not let us tell */
        put(STDOUT_FILENO, crash->document);
    stop_others(thread);
    tell(crash, info, context);
    _exit(1);
}

static void use_stack(void *stack)
{
    sigaltstack(&(stack_t){.ss_sp = stack, .ss_size = STACK}, NULL);
}

/* What a plugin executes has none of it: exec(3) takes handlers away. */
void handle_crashes(void)
{
    static _Alignas(16) char stack[STACK];
    use_stack(stack);
    /* SA_NODEFER: a handler may crash, too. */
    const struct sigaction action = {.sa_sigaction = handle, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER};
    sigset_t signals;
    sigemptyset(&signals);
    for (size_t i = 0; i < CRASHES; i++) {
        sigaction(crashes[i].number, &action, NULL);
        sigaddset(&signals, crashes[i].number);
    }
    sigprocmask(SIG_UNBLOCK, &signals, NULL); /* a caller may have blocked some */
}

/* The write(2) of CPython: what is on standard output is not followed by another document. */
ssize_t program_write(int fd, const void *data, size_t size)
{
    if (fd == STDOUT_FILENO && size != 0)
        has_answered = 1;
    return write(fd, data, size);
}

struct beginning {
    void *(*function)(void *);
    void *argument;
};

static void *begin(void *beginning)
{
    const struct beginning copy = *(struct beginning *)beginning;
    _Alignas(16) char stack[STACK];
    free(beginning);
    use_stack(stack);
    size_t place = 0;
    for (pid_t nobody = 0; place < THREADS; place++, nobody = 0)
        if (atomic_compare_exchange_strong(&beside[place], &nobody, gettid()))
            break;
    if (crashed != 0) /* nobody has seen us there */
        stand_still();
    void *const result = copy.function(copy.argument);
    if (place < THREADS)
        beside[place] = 0;
    return result;
}

/* The pthread_create(3) of CPython: each thread has a stack for its crash. */
int program_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*function)(void *), void *argument)
{
    struct beginning *const beginning = malloc(sizeof *beginning);
    if (beginning == NULL)
        return EAGAIN;
    *beginning = (struct beginning){function, argument};
    const int error = pthread_create(thread, attributes, begin, beginning);
    if (error != 0)
        free(beginning);
    return error;
}
