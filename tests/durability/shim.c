/* What a process does to the files below one folder, in the order in which it is done, and when its answers leave.
 *
 * Strategy: loaded before the C library (LD_PRELOAD), it stands in front of the calls that SQLite and Python make.
 * Each call on a watched file, and each send on a TCP connection, is performed and recorded under one lock, so that
 * the order of the record is the order of what happened. A sync has two records, because it covers what was written
 * before it began, and is worth nothing before it has ended. Where the test says so, a call fails instead: the n-th
 * from now on, and, if wanted, all that follow. What goes through memory maps (the -shm file) or stdio is not seen.
 *
 *   DURABILITY_FOLDER   the folder; symbolic links resolved
 *   DURABILITY_RECORD   the record, appended to; see shim.py for its form. None where nothing is to be recorded
 *   DURABILITY_FAULT    a file of `struct fault`, shared with the test. None where nothing is to fail
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

enum { OPENED = 1, WRITTEN, TRUNCATED, SYNC_BEGUN, SYNC_ENDED, UNLINKED, RENAMED, SENT };
enum { FAIL_WRITE = 1, FAIL_SYNC = 2, FAIL_TRUNCATE = 4, FAIL_OPEN = 8, FAIL_READ = 16, FAIL_UNLINK = 32 };

struct event {
    uint32_t kind, length; /* bytes that follow */
    uint64_t file;         /* inode; of what was sent: address << 16 | port of the peer */
    int64_t offset;        /* of a write; size after a truncation; number of a sync; bytes sent */
};

struct fault {
    uint32_t armed, calls, error, lasting; /* which calls (FAIL_*), with which errno, all further ones too */
    int32_t countdown;                     /* the n-th call from now on fails */
    uint32_t fired;                        /* how many have failed */
};

#define FILES 65536
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char folder[PATH_MAX];
static size_t folder_length;
static int record = -1;
static volatile struct fault *fault;
static uint64_t inode_of[FILES]; /* of each watched descriptor; 0: not watched */
static uint8_t may_fail[FILES];  /* all but the folders, which nobody writes */
static int64_t syncs;

#define REAL(name) ((__typeof__(&name))real(#name, &real_##name))
static void *real(const char *name, void **kept) {
    if (!*kept) *kept = dlsym(RTLD_NEXT, name);
    return *kept;
}
static void *real_write, *real_pwrite64, *real_pread64, *real_open64, *real_openat64, *real_close, *real_ftruncate64,
    *real_fsync, *real_fdatasync, *real_unlink, *real_rename, *real_send;

__attribute__((constructor)) static void begin(void) {
    const char *where = getenv("DURABILITY_FOLDER");
    const char *recorded = getenv("DURABILITY_RECORD");
    const char *controlled = getenv("DURABILITY_FAULT");
    if (!where) return;
    snprintf(folder, sizeof folder, "%s", where);
    folder_length = strlen(folder);
    if (recorded) record = REAL(open64)(recorded, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (controlled) {
        int control = REAL(open64)(controlled, O_RDWR | O_CLOEXEC);
        if (control < 0) abort();
        void *shared = mmap(NULL, sizeof(struct fault), PROT_READ | PROT_WRITE, MAP_SHARED, control, 0);
        if (shared == MAP_FAILED) abort();
        fault = shared;
        REAL(close)(control);
    }
}

static void whole(const void *data, size_t length) {
    const char *at = data;
    while (length) {
        ssize_t written = REAL(write)(record, at, length);
        if (written < 0 && errno == EINTR) continue;
        if (written <= 0) abort(); /* without a record nothing is shown */
        at += written;
        length -= (size_t)written;
    }
}

/* The lock is held. errno is the caller's. */
static void note(uint32_t kind, uint64_t file, int64_t offset, const void *data, size_t length) {
    if (record < 0) return;
    int kept = errno;
    char small[sizeof(struct event) + 8192];
    struct event event = {kind, (uint32_t)length, file, offset};
    memcpy(small, &event, sizeof event);
    if (length <= 8192) { /* one write: a process that is killed leaves a whole event, or none */
        if (length) memcpy(small + sizeof event, data, length);
        whole(small, sizeof event + length);
    } else {
        whole(&event, sizeof event);
        whole(data, length);
    }
    errno = kept;
}

static int is_watched(int descriptor) {
    return descriptor >= 0 && descriptor < FILES && inode_of[descriptor] != 0;
}

/* The lock is held. Whether this call is to fail; errno says how. */
static int fails(uint32_t call) {
    if (!fault || !fault->armed || !(fault->calls & call)) return 0;
    int turn = fault->countdown;
    if (turn > 0) fault->countdown = --turn;
    if (turn > 0 || (fault->fired && !fault->lasting)) return 0;
    fault->fired++;
    errno = (int)fault->error;
    return 1;
}

static int below(const char *path) {
    return folder_length && strncmp(path, folder, folder_length) == 0
        && (path[folder_length] == '/' || path[folder_length] == 0);
}

/* The whole path of what `path` names, which need not exist. */
static int resolved(const char *path, char *found) {
    char parent[PATH_MAX];
    const char *last = strrchr(path, '/');
    if (last) snprintf(parent, sizeof parent, "%.*s", (int)(last == path ? 1 : last - path), path);
    else snprintf(parent, sizeof parent, ".");
    char *real_parent = realpath(parent, NULL);
    if (!real_parent) return 0;
    int length = snprintf(found, PATH_MAX, "%s/%s", real_parent, last ? last + 1 : path);
    free(real_parent);
    return length < PATH_MAX;
}

static void opened(int descriptor) {
    if (descriptor < 0 || descriptor >= FILES || !folder_length) return;
    char link[64], path[PATH_MAX];
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length <= 0) return;
    path[length] = 0;
    struct stat status;
    if (!below(path) || fstat(descriptor, &status) < 0) return;
    inode_of[descriptor] = status.st_ino;
    may_fail[descriptor] = S_ISREG(status.st_mode);
    note(OPENED, status.st_ino, status.st_size, path, (size_t)length);
}

static int opening(int at, const char *path, int flags, mode_t mode) {
    int descriptor;
    pthread_mutex_lock(&lock);
    char found[PATH_MAX];
    int writing = (flags & O_ACCMODE) != O_RDONLY;
    if (folder_length && fault && fault->armed && writing && resolved(path, found) && below(found) && fails(FAIL_OPEN)) {
        descriptor = -1;
    } else {
        descriptor = at == AT_FDCWD ? REAL(open64)(path, flags, mode) : REAL(openat64)(at, path, flags, mode);
        int kept = errno;
        opened(descriptor);
        errno = kept;
    }
    pthread_mutex_unlock(&lock);
    return descriptor;
}

#define MODE(flags, last)                                   \
    mode_t mode = 0;                                        \
    if ((flags) & (O_CREAT | __O_TMPFILE)) {                \
        va_list given;                                      \
        va_start(given, last);                              \
        mode = va_arg(given, mode_t);                       \
        va_end(given);                                      \
    }

int open64(const char *path, int flags, ...) { MODE(flags, flags) return opening(AT_FDCWD, path, flags, mode); }
int open(const char *path, int flags, ...) { MODE(flags, flags) return opening(AT_FDCWD, path, flags, mode); }
int openat64(int at, const char *path, int flags, ...) { MODE(flags, flags) return opening(at, path, flags, mode); }
int openat(int at, const char *path, int flags, ...) { MODE(flags, flags) return opening(at, path, flags, mode); }

int close(int descriptor) {
    if (!is_watched(descriptor)) return REAL(close)(descriptor);
    pthread_mutex_lock(&lock);
    inode_of[descriptor] = 0;
    int result = REAL(close)(descriptor);
    pthread_mutex_unlock(&lock);
    return result;
}

ssize_t pwrite64(int descriptor, const void *data, size_t length, off64_t offset) {
    if (!is_watched(descriptor)) return REAL(pwrite64)(descriptor, data, length, offset);
    pthread_mutex_lock(&lock);
    ssize_t written;
    if (fails(FAIL_WRITE)) {
        int kept = errno; /* a disk that breaks has taken a part */
        ssize_t part = kept == EIO ? REAL(pwrite64)(descriptor, data, length / 2, offset) : 0;
        if (part > 0) note(WRITTEN, inode_of[descriptor], offset, data, (size_t)part);
        errno = kept;
        written = -1;
    } else {
        written = REAL(pwrite64)(descriptor, data, length, offset);
        if (written > 0) note(WRITTEN, inode_of[descriptor], offset, data, (size_t)written);
    }
    pthread_mutex_unlock(&lock);
    return written;
}
ssize_t pwrite(int descriptor, const void *data, size_t length, off_t offset) {
    return pwrite64(descriptor, data, length, offset);
}

ssize_t write(int descriptor, const void *data, size_t length) {
    if (!is_watched(descriptor)) return REAL(write)(descriptor, data, length);
    pthread_mutex_lock(&lock);
    ssize_t written = -1;
    if (!fails(FAIL_WRITE)) {
        written = REAL(write)(descriptor, data, length);
        off64_t end = lseek64(descriptor, 0, SEEK_CUR);
        if (written > 0) note(WRITTEN, inode_of[descriptor], end - written, data, (size_t)written);
    }
    pthread_mutex_unlock(&lock);
    return written;
}

ssize_t pread64(int descriptor, void *data, size_t length, off64_t offset) {
    if (is_watched(descriptor) && fault && fault->armed) {
        pthread_mutex_lock(&lock);
        int failed = fails(FAIL_READ);
        pthread_mutex_unlock(&lock);
        if (failed) return -1;
    }
    return REAL(pread64)(descriptor, data, length, offset);
}
ssize_t pread(int descriptor, void *data, size_t length, off_t offset) {
    return pread64(descriptor, data, length, offset);
}

int ftruncate64(int descriptor, off64_t length) {
    if (!is_watched(descriptor)) return REAL(ftruncate64)(descriptor, length);
    pthread_mutex_lock(&lock);
    int result = -1;
    if (!fails(FAIL_TRUNCATE)) {
        result = REAL(ftruncate64)(descriptor, length);
        if (result == 0) note(TRUNCATED, inode_of[descriptor], length, NULL, 0);
    }
    pthread_mutex_unlock(&lock);
    return result;
}
int ftruncate(int descriptor, off_t length) { return ftruncate64(descriptor, length); }

static int synced(int descriptor, int (*sync)(int)) {
    if (!is_watched(descriptor)) return sync(descriptor);
    pthread_mutex_lock(&lock);
    uint64_t inode = inode_of[descriptor];
    if (may_fail[descriptor] && fails(FAIL_SYNC)) {
        pthread_mutex_unlock(&lock);
        return -1;
    }
    int64_t number = ++syncs;
    note(SYNC_BEGUN, inode, number, NULL, 0);
    pthread_mutex_unlock(&lock);
    int result = sync(descriptor);
    pthread_mutex_lock(&lock);
    if (result == 0) note(SYNC_ENDED, inode, number, NULL, 0);
    pthread_mutex_unlock(&lock);
    return result;
}
int fsync(int descriptor) { return synced(descriptor, REAL(fsync)); }
int fdatasync(int descriptor) { return synced(descriptor, REAL(fdatasync)); }

int unlink(const char *path) {
    char found[PATH_MAX];
    if (!folder_length || !resolved(path, found) || !below(found)) return REAL(unlink)(path);
    pthread_mutex_lock(&lock);
    int result = -1;
    if (!fails(FAIL_UNLINK)) {
        result = REAL(unlink)(path);
        if (result == 0) note(UNLINKED, 0, 0, found, strlen(found));
    }
    pthread_mutex_unlock(&lock);
    return result;
}

int rename(const char *from, const char *to) {
    char source[PATH_MAX], target[PATH_MAX], both[2 * PATH_MAX];
    if (!folder_length || !resolved(from, source) || !resolved(to, target) || !below(target))
        return REAL(rename)(from, to);
    pthread_mutex_lock(&lock);
    int result = REAL(rename)(from, to);
    if (result == 0) {
        size_t first = strlen(source), second = strlen(target);
        memcpy(both, source, first + 1);
        memcpy(both + first + 1, target, second);
        note(RENAMED, 0, 0, both, first + 1 + second);
    }
    pthread_mutex_unlock(&lock);
    return result;
}

ssize_t send(int socket, const void *data, size_t length, int flags) {
    struct sockaddr_in peer;
    socklen_t size = sizeof peer;
    if (record < 0 || getpeername(socket, (struct sockaddr *)&peer, &size) < 0 || peer.sin_family != AF_INET)
        return REAL(send)(socket, data, length, flags);
    pthread_mutex_lock(&lock);
    ssize_t sent = REAL(send)(socket, data, length, flags);
    uint64_t whom = (uint64_t)ntohl(peer.sin_addr.s_addr) << 16 | ntohs(peer.sin_port);
    if (sent > 0) note(SENT, whom, sent, NULL, 0);
    pthread_mutex_unlock(&lock);
    return sent;
}
