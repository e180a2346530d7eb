/*
 * The front of every Plumbline binary: start the program that lies behind it in the same file.
 *
 * The program is a folder (PyInstaller's). Unpacking it at every run would take longer than all the rest, so it is
 * unpacked once, into a folder that is named by the digest of its content, and started from there ever after:
 *
 *     <root>/                         0700, ours: /run/plumbline, or the first other place that will do
 *         lock                        held while somebody unpacks or sweeps
 *         host-device-<digest>/       the program; every process that runs from it holds a shared flock on the folder
 *         .new-<process>/             being unpacked; renamed when it is complete
 *
 * What follows the launcher in the file (integers in the byte order of the machine it was built for):
 *
 *     entries, sorted by path         struct entry, path, content; folders have no content
 *     struct footer                   the last bytes of the file
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#include "sha256.h"

#define MAGIC "plumbln1"
#define MODIFIED 1             /* every file's time, in seconds: a file that somebody wrote to has another */
#define LOCK_PATIENCE_S 60
#define TMPFS_MAGIC 0x01021994 /* linux/magic.h */

struct entry {
    uint64_t size;
    uint32_t mode;
    uint32_t path_length; /* the terminating zero included */
};

struct footer {
    char name[32];       /* of the plugin, and of the program in the folder */
    char digest[65];     /* SHA-256 of the entries, in hexadecimal */
    char padding[7];
    uint64_t length;     /* of the entries, in bytes */
    char magic[8];
};

static const uint8_t *payload;
static struct footer footer;
static char problem[PATH_MAX + 512]; /* why the last place did not do */

/* Note what failed, for the case that no place does; always false. */
static int failed(const char *format, ...)
{
    int number = errno;
    size_t used = strlen(problem);
    if (used > 0)
        used += (size_t)snprintf(problem + used, sizeof problem - used, "; ");
    va_list arguments;
    va_start(arguments, format);
    if (used < sizeof problem)
        used += (size_t)vsnprintf(problem + used, sizeof problem - used, format, arguments);
    va_end(arguments);
    if (used < sizeof problem)
        snprintf(problem + used, sizeof problem - used, ": %s", strerror(number));
    return 0;
}

/* Tell the operator on stderr and the container runtime on stdout, as an error of the CNI specification (code 5). */
static _Noreturn void die(const char *message)
{
    fprintf(stderr, "cannot start: %s (%s)\n", message, problem);
    printf("{\"cniVersion\": \"1.1.0\", \"code\": 5, \"msg\": \"cannot start the plugin: %s\", \"details\": \"", message);
    for (const char *c = problem; *c; c++)
        if (*c >= ' ' && *c != '"' && *c != '\\')
            putchar(*c);
    printf("\"}\n");
    fflush(stdout);
    exit(1);
}

/* Map the file that this process was started from and find what follows the launcher in it. */
static void find_payload(void)
{
    struct stat st;
    int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) < 0) {
        failed("/proc/self/exe");
        die("it cannot read its own file");
    }
    const uint8_t *file = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    close(fd);
    if (file == MAP_FAILED || (size_t)st.st_size < sizeof footer) {
        failed("/proc/self/exe");
        die("it cannot read its own file");
    }
    memcpy(&footer, file + st.st_size - sizeof footer, sizeof footer);
    if (memcmp(footer.magic, MAGIC, sizeof footer.magic) != 0 || footer.length > (uint64_t)st.st_size - sizeof footer) {
        errno = ENOEXEC;
        failed("no program behind the launcher");
        die("its file is damaged, copy it again");
    }
    payload = file + st.st_size - sizeof footer - footer.length;
}

/* One entry of the payload. Return its content and set what belongs to it; *next goes on to the following one. */
static const uint8_t *read_entry(const uint8_t **next, struct entry *entry, const char **path)
{
    memcpy(entry, *next, sizeof *entry);
    *path = (const char *)*next + sizeof *entry;
    const uint8_t *content = *next + sizeof *entry + entry->path_length;
    *next = content + entry->size;
    return content;
}

/* Is the unpacked folder as we left it? Owner, mode, size and time of each file tell of damage and of strangers. */
static int is_sound(int folder)
{
    struct stat st;
    if (fstat(folder, &st) < 0 || st.st_uid != geteuid() || (st.st_mode & 07777) != 0700)
        return 0;
    for (const uint8_t *next = payload; next < payload + footer.length;) {
        struct entry entry;
        const char *path;
        read_entry(&next, &entry, &path);
        if (fstatat(folder, path, &st, AT_SYMLINK_NOFOLLOW) < 0 || st.st_uid != geteuid() || st.st_mode != entry.mode)
            return 0;
        if (S_ISREG(entry.mode) && ((uint64_t)st.st_size != entry.size || st.st_mtime != MODIFIED))
            return 0;
    }
    return 1;
}

static int write_all(int fd, const uint8_t *data, uint64_t size)
{
    while (size > 0) {
        ssize_t written = write(fd, data, size);
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return 0;
        data += written;
        size -= (uint64_t)written;
    }
    return 1;
}

/* Write one file with its final mode and time. */
static int unpack_file(int folder, const char *path, const struct entry *entry, const uint8_t *content, int durable)
{
    const struct timespec times[2] = {{.tv_sec = MODIFIED}, {.tv_sec = MODIFIED}};
    int fd = openat(folder, path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return 0;
    int done = write_all(fd, content, entry->size) && fchmod(fd, entry->mode & 07777) == 0 && futimens(fd, times) == 0
               && (!durable || fsync(fd) == 0);
    int number = errno;
    close(fd);
    errno = number;
    return done;
}

static void remove_tree(int parent, const char *name)
{
    if (unlinkat(parent, name, 0) == 0 || errno == ENOENT)
        return;
    int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *folder = fd < 0 ? NULL : fdopendir(fd);
    if (folder == NULL)
        return;
    for (struct dirent *item; (item = readdir(folder)) != NULL;)
        if (strcmp(item->d_name, ".") != 0 && strcmp(item->d_name, "..") != 0)
            remove_tree(dirfd(folder), item->d_name);
    closedir(folder);
    unlinkat(parent, name, AT_REMOVEDIR);
}

/* Unpack everything beside the final place and rename it there: the folder is complete or not there. */
static int unpack(int root, const char *target)
{
    struct statfs fs;
    char fresh[32], digest[65];
    int durable = fstatfs(root, &fs) == 0 && fs.f_type != TMPFS_MAGIC;
    sha256_hex(payload, footer.length, digest);
    if (strcmp(digest, footer.digest) != 0) {
        errno = EILSEQ;
        failed("the digest of the program is wrong");
        die("its file is damaged, copy it again");
    }
    snprintf(fresh, sizeof fresh, ".new-%d", (int)getpid());
    remove_tree(root, fresh);
    if (mkdirat(root, fresh, 0700) < 0)
        return 0;
    int folder = openat(root, fresh, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    int done = folder >= 0 && fchmod(folder, 0700) == 0;
    for (const uint8_t *next = payload; done && next < payload + footer.length;) {
        struct entry entry;
        const char *path;
        const uint8_t *content = read_entry(&next, &entry, &path);
        if (S_ISDIR(entry.mode))
            done = mkdirat(folder, path, 0700) == 0 && fchmodat(folder, path, entry.mode & 07777, 0) == 0;
        else
            done = unpack_file(folder, path, &entry, content, durable);
    }
    done = done && (!durable || syncfs(folder) == 0);
    if (done && renameat(root, fresh, root, target) < 0) {
        /* Damaged or foreign: out of the way. Processes that run from it keep their open files. */
        remove_tree(root, target);
        done = renameat(root, fresh, root, target) == 0;
    }
    int number = errno;
    if (folder >= 0)
        close(folder);
    if (!done)
        remove_tree(root, fresh);
    errno = number;
    return done;
}

/* Remove what killed unpackers left, and other versions of this plugin that nobody runs from. The lock is held. */
static void sweep(int root, const char *target)
{
    size_t stem = strlen(footer.name);
    int copy = openat(root, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *folder = copy < 0 ? NULL : fdopendir(copy);
    if (folder == NULL)
        return;
    for (struct dirent *item; (item = readdir(folder)) != NULL;) {
        const char *name = item->d_name;
        int unfinished = strncmp(name, ".new-", 5) == 0;
        int other = strncmp(name, footer.name, stem) == 0 && name[stem] == '-' && strlen(name) == strlen(target)
                    && strcmp(name, target) != 0;
        if (!unfinished && !other)
            continue;
        int fd = openat(root, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0)
            remove_tree(root, name);
        if (fd >= 0)
            close(fd);
    }
    closedir(folder);
}

static int take_lock(int root)
{
    int fd = openat(root, "lock", O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    const struct timespec pause = {.tv_nsec = 10 * 1000 * 1000};
    for (int tries = 0; fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) < 0; tries++) {
        if ((errno != EWOULDBLOCK && errno != EINTR) || tries > LOCK_PATIENCE_S * 100) {
            close(fd);
            return -1;
        }
        nanosleep(&pause, NULL);
    }
    return fd;
}

/* Open the program's folder for use: a shared lock on it says so to whoever sweeps. -1 if it is not there or unsound. */
static int open_folder(int root, const char *target)
{
    struct stat held, named;
    int fd = openat(root, target, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    if (fd < 0)
        return -1;
    /* The second look: between opening and locking, somebody may have swept it away. */
    if (flock(fd, LOCK_SH | LOCK_NB) == 0 && fstat(fd, &held) == 0
        && fstatat(root, target, &named, AT_SYMLINK_NOFOLLOW) == 0 && held.st_ino == named.st_ino && is_sound(fd))
        return fd;
    close(fd);
    return -1;
}

/* Open a place for unpacked programs, made if it is missing; -1 if it will not do. */
static int open_root(const char *path)
{
    struct stat st;
    struct statvfs fs;
    if (mkdir(path, 0700) < 0 && errno != EEXIST) {
        failed("%s", path);
        return -1;
    }
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) < 0 || fstatvfs(fd, &fs) < 0) {
        failed("%s", path);
    } else if (st.st_uid != geteuid() || (st.st_mode & 077) != 0) {
        errno = EPERM;
        failed("%s is open to others", path);
    } else if ((fs.f_flag & (ST_NOEXEC | ST_RDONLY)) != 0) {
        errno = EACCES;
        failed("%s forbids execution or writing", path);
    } else {
        return fd;
    }
    if (fd >= 0)
        close(fd);
    return -1;
}

/* Become the program. The caller's settings for loaders and interpreters are not the program's business. */
static void start(const char *root, const char *target, int folder, char **argv)
{
    char program[PATH_MAX + 256], libraries[PATH_MAX + 256], number[16];
    snprintf(program, sizeof program, "%s/%s/%s", root, target, footer.name);
    snprintf(libraries, sizeof libraries, "%s/%s/_internal", root, target);
    snprintf(number, sizeof number, "%d", folder);
    unsetenv("LD_PRELOAD");
    unsetenv("LD_AUDIT");
    /* What PyInstaller's loader would set before executing itself a second time. hook.py takes all of it away again. */
    setenv("LD_LIBRARY_PATH", libraries, 1);
    setenv("_PYI_ARCHIVE_FILE", program, 1);
    setenv("_PYI_LINUX_PROCESS_NAME", footer.name, 1);
    setenv("_PYI_PARENT_PROCESS_LEVEL", "-1", 1);
    setenv("_PLUMBLINE_FOLDER", number, 1);
    execv(program, argv);
    failed("%s", program);
}

/* Start the program from this place, unpacking it first where needed; returns only if the place will not do. */
static void start_from(const char *path, char **argv)
{
    char target[sizeof footer.name + sizeof footer.digest + 1];
    int root = open_root(path);
    if (root < 0)
        return;
    snprintf(target, sizeof target, "%s-%s", footer.name, footer.digest);
    int folder = open_folder(root, target);
    if (folder < 0) {
        int lock = take_lock(root);
        if (lock < 0) {
            failed("%s/lock", path);
        } else {
            folder = open_folder(root, target); /* somebody else may have unpacked it while we waited */
            if (folder < 0) {
                sweep(root, target);
                if (!unpack(root, target))
                    failed("%s", path);
                else if ((folder = open_folder(root, target)) < 0)
                    failed("%s/%s was changed while it was unpacked", path, target);
            }
            close(lock);
        }
    }
    close(root);
    if (folder >= 0)
        start(path, target, folder, argv);
}

int main(int argc, char **argv)
{
    static const char *const places[] = {"/run/plumbline", "/var/lib/plumbline", "/dev/shm/plumbline", "/tmp/plumbline"};
    char path[PATH_MAX];
    (void)argc;
    find_payload();
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        if (geteuid() == 0)
            snprintf(path, sizeof path, "%s", places[i]);
        else
            snprintf(path, sizeof path, "%s-%u", places[i], (unsigned)geteuid());
        start_from(path, argv);
    }
    die("no folder to unpack it to");
}
