/* Preloaded into a process, makes the n-th system call that changes or reads a folder fail, or ends the process there.
 *
 * Calls are counted over all threads from `strike_arm` to `strike_calm`. A write that is struck has written half of
 * its bytes before. FULL strikes everything that takes room from the n-th call on, as a disk does that has filled up;
 * BROKEN strikes the n-th call alone, whichever it is; KILL ends the process in place of the n-th call. These count what
 * changes something; UNREAD counts reads, and strikes the n-th alone.
 *
 * From `strike_trace` on nothing fails, and every change is told to a file: a line `OP OFFSET SIZES`, then a path, a
 * second path and data of those sizes. A change and its telling are one step among all threads. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { FULL, BROKEN, KILL, UNREAD };
enum { CHANGES, TAKES_ROOM, READS };

static char root[PATH_MAX];
static size_t length;
static long at, count, struck;
static int how;
static volatile int armed;
static int trace = -1;
static pthread_mutex_t step = PTHREAD_MUTEX_INITIALIZER;

void strike_arm(const char *folder, long n, int kind) {
    length = strlen(strncpy(root, folder, PATH_MAX - 1));
    at = n, how = kind, count = struck = 0;
    armed = 1;
}

/* Returns how many calls there were since `strike_arm` was called; `strike_hits` how many of them failed. */
long strike_calm(void) { armed = 0; return count; }
long strike_hits(void) { return struck; }

void strike_trace(const char *folder, int file) {
    strike_arm(folder, 0, BROKEN);
    trace = file;
}

static void tell(char op, long offset, const char *path, const char *other, const void *data, size_t size) {
    char head[128];
    if (trace < 0) return;
    size_t first = strlen(path), second = strlen(other);
    int length = snprintf(head, sizeof head, "%c %ld %zu %zu %zu\n", op, offset, first, second, size);
    syscall(SYS_write, trace, head, length);
    syscall(SYS_write, trace, path, first);
    syscall(SYS_write, trace, other, second);
    if (size) syscall(SYS_write, trace, data, size);
}

/* Something that was promised to somebody by then. */
void strike_promise(const char *what) {
    pthread_mutex_lock(&step);
    tell('!', 0, what, "", "", 0);
    pthread_mutex_unlock(&step);
}

/* Does CALL and tells of it, if it went well, with ON as the path. */
#define TOLD(CALL, OP, OFFSET, ON, OTHER, DATA, SIZE)                                                                  \
    pthread_mutex_lock(&step);                                                                                         \
    long done = CALL;                                                                                                  \
    if (done >= 0) tell(OP, OFFSET, ON, OTHER, DATA, SIZE);                                                            \
    pthread_mutex_unlock(&step);                                                                                       \
    return done

static int beneath(const char *path) {
    return strncmp(path, root, length) == 0 && (path[length] == '/' || path[length] == 0);
}

static int names(int folder, const char *path) {
    char link[64], real[PATH_MAX];
    if (!armed) return 0;
    if (path[0] == '/' || folder == AT_FDCWD) return beneath(path);
    snprintf(link, sizeof link, "/proc/self/fd/%d", folder);
    ssize_t got = readlink(link, real, sizeof real - 1);
    return got > 0 && (real[got] = 0, beneath(real));
}

static int holds(int file) {
    return names(file, "");
}

static const char *place(int file, char *path) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t got = readlink(link, path, PATH_MAX - 1);
    path[got < 0 ? 0 : got] = 0;
    return path;
}

/* Whether this call is to fail. */
static int strike(int what) {
    if ((how == UNREAD) != (what == READS)) return 0;
    long n = __sync_add_and_fetch(&count, 1);
    if (how == FULL ? !(what == TAKES_ROOM && n >= at) : n != at) return 0;
    __sync_add_and_fetch(&struck, 1);
    if (how == KILL) kill(getpid(), SIGKILL);
    errno = how == FULL ? ENOSPC : EIO;
    return 1;
}

#define REAL(result, name, ...)                                                                                        \
    static result (*real)(__VA_ARGS__);                                                                                \
    if (!real) real = (result (*)(__VA_ARGS__))dlsym(RTLD_NEXT, #name)

#define OPEN(name)                                                                                                     \
    int name(const char *path, int flags, ...) {                                                                       \
        REAL(int, name, const char *, int, ...);                                                                       \
        va_list rest;                                                                                                  \
        va_start(rest, flags);                                                                                         \
        mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, mode_t) : 0;                                        \
        va_end(rest);                                                                                                  \
        if (!names(AT_FDCWD, path)) return real(path, flags, mode);                                                    \
        if (strike(flags & O_CREAT ? TAKES_ROOM : CHANGES)) return -1;                                                 \
        if (trace < 0 || !(flags & (O_CREAT | O_TRUNC))) return real(path, flags, mode);                               \
        TOLD(real(path, flags, mode), 'c', flags & O_TRUNC ? 0 : -1, path, "", "", 0);                                 \
    }
OPEN(open)
OPEN(open64)

#define OPENAT(name)                                                                                                   \
    int name(int folder, const char *path, int flags, ...) {                                                           \
        REAL(int, name, int, const char *, int, ...);                                                                  \
        va_list rest;                                                                                                  \
        va_start(rest, flags);                                                                                         \
        mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, mode_t) : 0;                                        \
        va_end(rest);                                                                                                  \
        if (names(folder, path) && strike(flags & O_CREAT ? TAKES_ROOM : CHANGES)) return -1;                          \
        return real(folder, path, flags, mode);                                                                        \
    }
OPENAT(openat)
OPENAT(openat64)

/* The half is written before the call is counted, so that a kill leaves it behind; the rest follows if nothing
 * struck. */
ssize_t write(int file, const void *data, size_t size) {
    REAL(ssize_t, write, int, const void *, size_t);
    char path[PATH_MAX];
    if (!armed || !holds(file)) return real(file, data, size);
    if (trace >= 0) {
        off_t at = lseek(file, 0, SEEK_CUR);
        TOLD(real(file, data, size), 'w', at, place(file, path), "", data, done);
    }
    ssize_t half = real(file, data, size / 2);
    if (half < 0 || strike(TAKES_ROOM)) return -1;
    ssize_t rest = real(file, (const char *)data + half, size - half);
    return rest < 0 ? -1 : half + rest;
}

#define PWRITE(name, offset)                                                                                           \
    ssize_t name(int file, const void *data, size_t size, offset start) {                                              \
        REAL(ssize_t, name, int, const void *, size_t, offset);                                                        \
        char path[PATH_MAX];                                                                                           \
        if (!armed || !holds(file)) return real(file, data, size, start);                                              \
        if (trace >= 0) { TOLD(real(file, data, size, start), 'w', start, place(file, path), "", data, done); }        \
        ssize_t half = real(file, data, size / 2, start);                                                              \
        if (half < 0 || strike(TAKES_ROOM)) return -1;                                                                 \
        ssize_t rest = real(file, (const char *)data + half, size - half, start + half);                               \
        return rest < 0 ? -1 : half + rest;                                                                            \
    }
PWRITE(pwrite, off_t)
PWRITE(pwrite64, off64_t)

#define ON_FILE(name)                                                                                                  \
    int name(int file) {                                                                                               \
        REAL(int, name, int);                                                                                          \
        char path[PATH_MAX];                                                                                           \
        if (!armed || !holds(file)) return real(file);                                                                 \
        if (trace >= 0) { TOLD(real(file), 's', 0, place(file, path), "", "", 0); }                                    \
        return strike(CHANGES) ? -1 : real(file);                                                                      \
    }
ON_FILE(fsync)
ON_FILE(fdatasync)

#define RESIZE(name, offset)                                                                                           \
    int name(int file, offset size) {                                                                                  \
        REAL(int, name, int, offset);                                                                                  \
        char path[PATH_MAX];                                                                                           \
        if (!armed || !holds(file)) return real(file, size);                                                           \
        if (trace >= 0) { TOLD(real(file, size), 't', size, place(file, path), "", "", 0); }                           \
        return strike(CHANGES) ? -1 : real(file, size);                                                                \
    }
RESIZE(ftruncate, off_t)
RESIZE(ftruncate64, off64_t)

#define ON_PATH(name)                                                                                                  \
    int name(const char *path) {                                                                                       \
        REAL(int, name, const char *);                                                                                 \
        if (!names(AT_FDCWD, path)) return real(path);                                                                 \
        if (trace >= 0) { TOLD(real(path), 'u', 0, path, "", "", 0); }                                                 \
        return strike(CHANGES) ? -1 : real(path);                                                                      \
    }
ON_PATH(unlink)
ON_PATH(rmdir)

int unlinkat(int folder, const char *path, int flags) {
    REAL(int, unlinkat, int, const char *, int);
    return names(folder, path) && strike(CHANGES) ? -1 : real(folder, path, flags);
}

int mkdir(const char *path, mode_t mode) {
    REAL(int, mkdir, const char *, mode_t);
    if (!names(AT_FDCWD, path)) return real(path, mode);
    if (trace >= 0) { TOLD(real(path, mode), 'm', 0, path, "", "", 0); }
    return strike(TAKES_ROOM) ? -1 : real(path, mode);
}

#define TWO_PATHS(name, what, op)                                                                                      \
    int name(const char *from, const char *to) {                                                                       \
        REAL(int, name, const char *, const char *);                                                                   \
        if (!names(AT_FDCWD, to)) return real(from, to);                                                               \
        if (trace >= 0) { TOLD(real(from, to), op, 0, from, to, "", 0); }                                              \
        return strike(what) ? -1 : real(from, to);                                                                     \
    }
TWO_PATHS(rename, CHANGES, 'r')
TWO_PATHS(link, TAKES_ROOM, 'l')

int renameat(int from_folder, const char *from, int to_folder, const char *to) {
    REAL(int, renameat, int, const char *, int, const char *);
    return names(to_folder, to) && strike(CHANGES) ? -1 : real(from_folder, from, to_folder, to);
}

int linkat(int from_folder, const char *from, int to_folder, const char *to, int flags) {
    REAL(int, linkat, int, const char *, int, const char *, int);
    return names(to_folder, to) && strike(TAKES_ROOM) ? -1 : real(from_folder, from, to_folder, to, flags);
}

ssize_t read(int file, void *data, size_t size) {
    REAL(ssize_t, read, int, void *, size_t);
    return armed && holds(file) && strike(READS) ? -1 : real(file, data, size);
}

#define PREAD(name, offset)                                                                                            \
    ssize_t name(int file, void *data, size_t size, offset start) {                                                    \
        REAL(ssize_t, name, int, void *, size_t, offset);                                                              \
        return armed && holds(file) && strike(READS) ? -1 : real(file, data, size, start);                             \
    }
PREAD(pread, off_t)
PREAD(pread64, off64_t)

#define SENDFILE(name, offset)                                                                                         \
    ssize_t name(int to, int from, offset *start, size_t size) {                                                       \
        REAL(ssize_t, name, int, int, offset *, size_t);                                                               \
        return armed && holds(from) && strike(READS) ? -1 : real(to, from, start, size);                               \
    }
SENDFILE(sendfile, off_t)
SENDFILE(sendfile64, off64_t)
