/*
 * The program behind the launcher, in the same file (integers in the byte order of the machine it was built for):
 *
 *     launcher
 *     contents        of the program's files, each compressed (raw DEFLATE)
 *     index           struct entry and path for each folder and file, sorted by path; the contents are in this order
 *     struct footer   the last bytes of the file
 */
#ifndef PLUMBLINE_PAYLOAD_H
#define PLUMBLINE_PAYLOAD_H

#include <fcntl.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "failure.h"

#define MAGIC "plumbln2"

struct entry {
    uint64_t size;
    uint64_t packed_size;
    uint32_t mode;
    uint32_t path_length; /* the terminating zero included */
};

struct footer {
    char name[32];   /* of the plugin, and of the program in the folder */
    char digest[65]; /* SHA-256 of contents and index, in hexadecimal */
    char padding[7];
    uint64_t index_length;
    uint64_t length; /* of contents and index */
    char magic[8];
};

static const uint8_t *payload; /* contents and index */
static struct footer footer;

/* Map the file that this process was started from and find what follows the launcher in it. */
static void find_payload(void)
{
    struct stat st;
    int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    const uint8_t *file = MAP_FAILED;
    if (fd >= 0 && fstat(fd, &st) == 0)
        file = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (file == MAP_FAILED) {
        note("/proc/self/exe");
        die("it cannot read its own file");
    }
    close(fd);
    size_t rest = (size_t)st.st_size - sizeof footer;
    memcpy(&footer, file + rest, sizeof footer);
    if (memcmp(footer.magic, MAGIC, sizeof footer.magic) != 0 || footer.length > rest
        || footer.index_length > footer.length)
        die_of_damage("no program behind the launcher");
    payload = file + rest - footer.length;
}

/* Go on to the next entry of the index, from NULL to the first; return NULL after the last. */
static const uint8_t *next_entry(const uint8_t *at, struct entry *entry, const char **path)
{
    const uint8_t *end = payload + footer.length;
    at = at == NULL ? end - footer.index_length : at + sizeof *entry + entry->path_length;
    if (at == end)
        return NULL;
    if ((size_t)(end - at) < sizeof *entry)
        die_of_damage("the index is cut off");
    memcpy(entry, at, sizeof *entry);
    *path = (const char *)at + sizeof *entry;
    if (entry->path_length == 0 || entry->path_length > (size_t)(end - at) - sizeof *entry
        || (*path)[entry->path_length - 1] != '\0')
        die_of_damage("the index is cut off");
    return at;
}

#endif
