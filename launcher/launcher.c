/*
 * The front of every Plumbline binary: start the program that lies behind it in the same file.
 *
 * The program is a folder (PyInstaller's). Unpacking it at every run would take longer than all the rest, so it is
 * unpacked once, into a folder that is named by the digest of its content, and started from there ever after:
 *
 *     <root>/                         0700, ours: /run/plumbline, or the first other place that will do
 *         lock                        held while somebody unpacks or sweeps
 *         host-device-<digest>/       the program; every process that runs from it holds a shared flock on the folder
 *         .new/                       being unpacked; renamed when it is complete
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#include "failure.h"
#include "inflate.h"
#include "payload.h"
#include "sha256.h"

#define MODIFIED 1 /* every file's time, in seconds: a file that somebody wrote to has another */
#define LOCK_PATIENCE_S 60
#define OTHERS_GRACE_S 600 /* two versions in use by turns must not sweep each other away */
#define TMPFS_MAGIC 0x01021994 /* linux/magic.h */

static char target[sizeof footer.name + sizeof footer.digest]; /* the folder's name */

/* Is the unpacked folder as we left it? Owner, mode, size and time of each file tell of damage and of strangers. */
static int is_sound(int folder)
{
    struct stat st;
    struct entry entry;
    const char *path;
    uid_t owner = geteuid();
    if (fstat(folder, &st) < 0 || st.st_uid != owner || (st.st_mode & 07777) != 0700)
        return 0;
    for (const uint8_t *at = NULL; (at = next_entry(at, &entry, &path)) != NULL;) {
        if (fstatat(folder, path, &st, AT_SYMLINK_NOFOLLOW) < 0 || st.st_uid != owner || st.st_mode != entry.mode)
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
        if (written < 0 && errno != EINTR)
            return 0;
        if (written > 0) {
            data += written;
            size -= (uint64_t)written;
        }
    }
    return 1;
}

/* Write one file with its final mode and time. */
static int unpack_file(int folder, const char *path, const struct entry *entry, const uint8_t *packed, int durable)
{
    const struct timespec times[2] = {{.tv_sec = MODIFIED}, {.tv_sec = MODIFIED}};
    uint8_t *content = malloc(entry->size + 1);
    if (content == NULL)
        return 0;
    if (!inflate_to(content, entry->size, packed, entry->packed_size))
        die_of_damage(path);
    int fd = openat(folder, path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    int done = fd >= 0 && write_all(fd, content, entry->size) && fchmod(fd, entry->mode & 07777) == 0
               && futimens(fd, times) == 0 && (!durable || fsync(fd) == 0);
    int number = errno;
    free(content);
    if (fd >= 0)
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

static int fill(int folder, int durable)
{
    struct entry entry;
    const char *path;
    const uint8_t *packed = payload;
    for (const uint8_t *at = NULL; (at = next_entry(at, &entry, &path)) != NULL;) {
        if (S_ISDIR(entry.mode) ? mkdirat(folder, path, entry.mode & 07777) < 0
                                : !unpack_file(folder, path, &entry, packed, durable))
            return 0;
        packed += entry.packed_size;
    }
    return !durable || fsync(folder) == 0;
}

/* Unpack everything beside the final place and rename it there: the folder is complete or not there. The lock is held,
 * so that whatever lies in .new was left by a killed process. */
static int unpack(int root)
{
    struct statfs fs;
    char digest[65];
    /* What a power failure leaves on a disk could have the right size and time, and other content. */
    int durable = fstatfs(root, &fs) < 0 || fs.f_type != TMPFS_MAGIC;
    sha256_hex(payload, footer.length, digest);
    if (strcmp(digest, footer.digest) != 0)
        die_of_damage("the digest of the program is wrong");
    remove_tree(root, ".new");
    if (mkdirat(root, ".new", 0700) < 0)
        return 0;
    int folder = openat(root, ".new", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    int done = folder >= 0 && fill(folder, durable);
    if (done && renameat(root, ".new", root, target) < 0) {
        /* Damaged or foreign: out of the way. Processes that run from it keep their open files. */
        remove_tree(root, target);
        done = renameat(root, ".new", root, target) == 0;
    }
    done = done && (!durable || fsync(root) == 0);
    int number = errno;
    if (folder >= 0)
        close(folder);
    if (!done)
        remove_tree(root, ".new");
    errno = number;
    return done;
}

/* Remove other versions of this plugin that nobody runs from. The lock is held. */
static void sweep(int root)
{
    size_t stem = strlen(footer.name) + 1;
    struct stat st;
    int copy = openat(root, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *folder = copy < 0 ? NULL : fdopendir(copy);
    if (folder == NULL)
        return;
    for (struct dirent *item; (item = readdir(folder)) != NULL;) {
        const char *name = item->d_name;
        if (strncmp(name, target, stem) != 0 || strlen(name) != strlen(target) || strcmp(name, target) == 0)
            continue;
        int fd = openat(root, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fd >= 0 && fstat(fd, &st) == 0 && time(NULL) - st.st_mtime > OTHERS_GRACE_S
            && flock(fd, LOCK_EX | LOCK_NB) == 0)
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
static int open_folder(int root)
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
        note("%s", path);
        return -1;
    }
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) < 0 || fstatvfs(fd, &fs) < 0) {
        note("%s", path);
    } else if (st.st_uid != geteuid() || (st.st_mode & 077) != 0) {
        errno = EPERM;
        note("%s belongs to, or is open to, others", path);
    } else if ((fs.f_flag & (ST_NOEXEC | ST_RDONLY)) != 0) {
        errno = EACCES;
        note("%s forbids execution or writing", path);
    } else {
        return fd;
    }
    if (fd >= 0)
        close(fd);
    return -1;
}

/* The caller's settings for loaders and frozen programs are not the program's business. */
static void clean_environment(void)
{
    static const char *const foreign[] = {"LD_", "_PYI_", "PYINSTALLER_", "_PLUMBLINE_"};
    const char *libraries = getenv("LD_LIBRARY_PATH");
    char **kept = environ;
    for (char **variable = environ; *variable != NULL; variable++) {
        int is_foreign = 0;
        for (size_t i = 0; i < sizeof foreign / sizeof *foreign; i++)
            is_foreign |= strncmp(*variable, foreign[i], strlen(foreign[i])) == 0;
        if (!is_foreign)
            *kept++ = *variable;
    }
    *kept = NULL;
    if (libraries != NULL) /* for what the program executes in turn */
        setenv("_PLUMBLINE_LD_LIBRARY_PATH", libraries, 1);
}

/* Become the program; returns only if that fails. */
static void start(const char *root, int folder, char **argv)
{
    char program[2 * PATH_MAX], libraries[PATH_MAX + sizeof target], number[16];
    snprintf(libraries, sizeof libraries, "%s/%s", root, target);
    snprintf(program, sizeof program, "%s/%s", libraries, footer.name);
    snprintf(number, sizeof number, "%d", folder);
    /* What PyInstaller's loader would set before executing itself a second time. start.py takes it all away again. */
    setenv("LD_LIBRARY_PATH", libraries, 1);
    setenv("_PYI_ARCHIVE_FILE", program, 1);
    setenv("_PYI_LINUX_PROCESS_NAME", footer.name, 1);
    setenv("_PYI_PARENT_PROCESS_LEVEL", "-1", 1);
    setenv("_PLUMBLINE_FOLDER", number, 1);
    execv(program, argv);
    note("%s", program);
    close(folder);
}

/* Start the program from this place, unpacking it first where needed; returns only if the place will not do. */
static void start_from(const char *path, char **argv)
{
    int root = open_root(path);
    if (root < 0)
        return;
    int folder = open_folder(root);
    int lock = folder < 0 ? take_lock(root) : -1;
    if (lock >= 0) {
        folder = open_folder(root); /* somebody else may have unpacked it while we waited */
        if (folder < 0) {
            sweep(root);
            if (unpack(root))
                folder = open_folder(root);
        }
    }
    if (folder < 0)
        note("%s", path);
    close(lock);
    close(root);
    if (folder >= 0)
        start(path, folder, argv);
}

int main(int argc, char **argv)
{
    /* Memory first. The last is the folder of the binary, which allows execution for certain but may be read-only. */
    static const char *const places[] = {"/run/", "/var/lib/", "/dev/shm/", "/tmp/", ""};
    char path[PATH_MAX + 64], own[PATH_MAX] = "";
    (void)argc;
    clean_environment();
    find_payload();
    snprintf(target, sizeof target, "%s-%s", footer.name, footer.digest);
    ssize_t length = readlink("/proc/self/exe", own, sizeof own - 1);
    own[length < 0 ? 0 : length] = '\0';
    char *slash = strrchr(own, '/');
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        if (*places[i] == '\0' && slash != NULL)
            snprintf(path, sizeof path, "%.*s/.plumbline", (int)(slash - own), own);
        else
            snprintf(path, sizeof path, "%splumbline", places[i]);
        if (geteuid() != 0)
            snprintf(path + strlen(path), sizeof path - strlen(path), "-%u", (unsigned)geteuid());
        start_from(path, argv);
    }
    die("no folder to unpack it to");
}
