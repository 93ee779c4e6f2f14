/* Preloaded into the real server: makes calls on files fail, kills the process at one of them, and
 * moves the wall clock, on order.
 *
 * The orders are in a file that the test maps as well (faults.py, struct layout there). `after` calls
 * that match still succeed; then one fails, or all of them if `sticky`, or the process is killed
 * before or after it, or it answers 0 and is not made. A `part` with a `*` is a pattern for the whole path. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

enum { WRITE = 1, SYNC = 2, CREATE = 4, RENAME = 8, READ = 16 };
enum { UNLINK = 32, TRUNCATE = 64, MKDIR = 128, LINK = 256 };
enum { FAIL = 0, KILL_BEFORE = 1, KILL_AFTER = 2, LIE = 3 }; /* LIE: 0 without the call */

struct orders {
  int32_t armed;
  int32_t error;
  int32_t ops;
  int32_t sticky;
  int32_t action;
  int32_t unused;
  int64_t after;
  int64_t hits;
  int64_t clock_micros;
  char part[104]; /* of the path */
};

static volatile struct orders* orders;

__attribute__((constructor)) static void map_orders(void) {
  const char* path = getenv("FAULT_SHIM_ORDERS");
  if (path == NULL) return;
  const int fd = open(path, O_RDWR | O_CLOEXEC);
  if (fd < 0) abort();
  void* at = mmap(NULL, sizeof(struct orders), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (at == MAP_FAILED) abort();
  close(fd);
  orders = at;
}

enum verdict { GOES_ON, FAILS, DIES_AFTER, LIES };

static void die(void) {
  kill(getpid(), SIGKILL);
  for (;;) pause();
}

static enum verdict judge_path(const char* path) {
  char part[sizeof(orders->part)];
  for (size_t i = 0; i < sizeof(part); ++i) part[i] = orders->part[i];
  part[sizeof(part) - 1] = 0;
  const int matches =
      strchr(part, '*') != NULL ? fnmatch(part, path, 0) == 0 : strstr(path, part) != NULL;
  if (!matches) return GOES_ON;
  if (__sync_fetch_and_sub(&orders->after, 1) > 0) return GOES_ON;
  if (__sync_fetch_and_add(&orders->hits, 1) > 0 && !orders->sticky) return GOES_ON;
  if (orders->action == KILL_BEFORE) die();
  if (orders->action == KILL_AFTER) return DIES_AFTER;
  if (orders->action == LIE) return LIES;
  errno = orders->error;
  return FAILS;
}

static int ordered(int op) { return orders != NULL && orders->armed && (orders->ops & op) != 0; }

static enum verdict judge_name(int op, const char* path) {
  return ordered(op) ? judge_path(path) : GOES_ON;
}

static enum verdict judge(int op, int fd) {
  if (!ordered(op)) return GOES_ON;
  char name[32], path[4096];
  snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
  const ssize_t size = readlink(name, path, sizeof(path) - 1);
  if (size <= 0) return GOES_ON;
  path[size] = 0;
  return judge_path(path);
}

#define REAL(judged, name, ...)                                        \
  static __typeof__(&name) real;                                       \
  if (real == NULL) real = (__typeof__(&name))dlsym(RTLD_NEXT, #name); \
  const enum verdict told = (judged);                                  \
  if (told == FAILS) return -1;                                        \
  if (told == LIES) return 0;                                          \
  const __typeof__(name(__VA_ARGS__)) outcome = real(__VA_ARGS__);     \
  if (told == DIES_AFTER) die();                                       \
  return outcome

ssize_t write(int fd, const void* data, size_t size) {
  REAL(judge(WRITE, fd), write, fd, data, size);
}
ssize_t pwrite(int fd, const void* data, size_t size, off_t at) {
  REAL(judge(WRITE, fd), pwrite, fd, data, size, at);
}
ssize_t pwrite64(int fd, const void* data, size_t size, off64_t at) {
  REAL(judge(WRITE, fd), pwrite64, fd, data, size, at);
}
ssize_t pread(int fd, void* data, size_t size, off_t at) {
  REAL(judge(READ, fd), pread, fd, data, size, at);
}
ssize_t pread64(int fd, void* data, size_t size, off64_t at) {
  REAL(judge(READ, fd), pread64, fd, data, size, at);
}
int fsync(int fd) { REAL(judge(SYNC, fd), fsync, fd); }
int fdatasync(int fd) { REAL(judge(SYNC, fd), fdatasync, fd); }
int ftruncate(int fd, off_t size) { REAL(judge(TRUNCATE, fd), ftruncate, fd, size); }
int ftruncate64(int fd, off64_t size) { REAL(judge(TRUNCATE, fd), ftruncate64, fd, size); }
int open(const char* path, int flags, ...) {
  va_list more;
  va_start(more, flags);
  const mode_t mode = (flags & O_CREAT) != 0 ? va_arg(more, mode_t) : 0;
  va_end(more);
  REAL((flags & O_CREAT) != 0 ? judge_name(CREATE, path) : GOES_ON, open, path, flags, mode);
}
int open64(const char* path, int flags, ...) {
  va_list more;
  va_start(more, flags);
  const mode_t mode = (flags & O_CREAT) != 0 ? va_arg(more, mode_t) : 0;
  va_end(more);
  REAL((flags & O_CREAT) != 0 ? judge_name(CREATE, path) : GOES_ON, open64, path, flags, mode);
}
int rename(const char* from, const char* to) { REAL(judge_name(RENAME, to), rename, from, to); }
int link(const char* from, const char* to) { REAL(judge_name(LINK, to), link, from, to); }
int unlink(const char* path) { REAL(judge_name(UNLINK, path), unlink, path); }
int remove(const char* path) { REAL(judge_name(UNLINK, path), remove, path); }
int mkdir(const char* path, mode_t mode) { REAL(judge_name(MKDIR, path), mkdir, path, mode); }

static int real_clock(clockid_t id, struct timespec* now) {
  REAL(GOES_ON, clock_gettime, id, now);
}
int clock_gettime(clockid_t id, struct timespec* now) {
  const int outcome = real_clock(id, now);
  if (outcome != 0 || id != CLOCK_REALTIME || orders == NULL) return outcome;
  const int64_t micros = now->tv_sec * INT64_C(1000000) + now->tv_nsec / 1000 + orders->clock_micros;
  now->tv_sec = micros / 1000000;
  now->tv_nsec = micros % 1000000 * 1000;
  return 0;
}
