/* Preloaded into the real server: makes calls on files fail, and moves the wall clock, on order.
 *
 * The orders are in a file that the test maps as well (faults.py, struct layout there). `after` calls
 * that match still succeed; then one fails, or all of them if `sticky`. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
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

struct orders {
  int32_t armed;
  int32_t error;
  int32_t ops;
  int32_t sticky;
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

static int fails_at(int op, const char* path) {
  char part[sizeof(orders->part)];
  for (size_t i = 0; i < sizeof(part); ++i) part[i] = orders->part[i];
  part[sizeof(part) - 1] = 0;
  if (strstr(path, part) == NULL) return 0;
  if (__sync_fetch_and_sub(&orders->after, 1) > 0) return 0;
  if (__sync_fetch_and_add(&orders->hits, 1) > 0 && !orders->sticky) return 0;
  (void)op;
  errno = orders->error;
  return 1;
}

static int ordered(int op) { return orders != NULL && orders->armed && (orders->ops & op) != 0; }

static int fails(int op, int fd) {
  if (!ordered(op)) return 0;
  char name[32], path[4096];
  snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
  const ssize_t size = readlink(name, path, sizeof(path) - 1);
  if (size <= 0) return 0;
  path[size] = 0;
  return fails_at(op, path);
}

#define REAL(name, ...)                                             \
  static __typeof__(&name) real;                                    \
  if (real == NULL) real = (__typeof__(&name))dlsym(RTLD_NEXT, #name); \
  return real(__VA_ARGS__)

ssize_t write(int fd, const void* data, size_t size) {
  if (fails(WRITE, fd)) return -1;
  REAL(write, fd, data, size);
}
ssize_t pwrite(int fd, const void* data, size_t size, off_t at) {
  if (fails(WRITE, fd)) return -1;
  REAL(pwrite, fd, data, size, at);
}
ssize_t pwrite64(int fd, const void* data, size_t size, off64_t at) {
  if (fails(WRITE, fd)) return -1;
  REAL(pwrite64, fd, data, size, at);
}
ssize_t pread(int fd, void* data, size_t size, off_t at) {
  if (fails(READ, fd)) return -1;
  REAL(pread, fd, data, size, at);
}
ssize_t pread64(int fd, void* data, size_t size, off64_t at) {
  if (fails(READ, fd)) return -1;
  REAL(pread64, fd, data, size, at);
}
int fsync(int fd) {
  if (fails(SYNC, fd)) return -1;
  REAL(fsync, fd);
}
int fdatasync(int fd) {
  if (fails(SYNC, fd)) return -1;
  REAL(fdatasync, fd);
}
int open(const char* path, int flags, ...) {
  va_list more;
  va_start(more, flags);
  const mode_t mode = (flags & O_CREAT) != 0 ? va_arg(more, mode_t) : 0;
  va_end(more);
  if ((flags & O_CREAT) != 0 && ordered(CREATE) && fails_at(CREATE, path)) return -1;
  REAL(open, path, flags, mode);
}
int open64(const char* path, int flags, ...) {
  va_list more;
  va_start(more, flags);
  const mode_t mode = (flags & O_CREAT) != 0 ? va_arg(more, mode_t) : 0;
  va_end(more);
  if ((flags & O_CREAT) != 0 && ordered(CREATE) && fails_at(CREATE, path)) return -1;
  REAL(open64, path, flags, mode);
}
int rename(const char* from, const char* to) {
  if (ordered(RENAME) && fails_at(RENAME, to)) return -1;
  REAL(rename, from, to);
}

static int real_clock(clockid_t id, struct timespec* now) {
  REAL(clock_gettime, id, now);
}
int clock_gettime(clockid_t id, struct timespec* now) {
  const int outcome = real_clock(id, now);
  if (outcome != 0 || id != CLOCK_REALTIME || orders == NULL) return outcome;
  const int64_t micros = now->tv_sec * INT64_C(1000000) + now->tv_nsec / 1000 + orders->clock_micros;
  now->tv_sec = micros / 1000000;
  now->tv_nsec = micros % 1000000 * 1000;
  return 0;
}
