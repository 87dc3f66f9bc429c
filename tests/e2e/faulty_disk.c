/* Loaded before libc (LD_PRELOAD): fsync and fdatasync of chosen files fail or take long.
 * The file named by FAULTS holds "fail <part of path>" or "slow <milliseconds> <part of path>";
 * it is read at each call, so that a test may change its mind while the server runs. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* 0: go on; -1: errno is set. */
static int fault(int fd)
{
    char order[256] = "", part[128] = "", link[64], path[PATH_MAX] = "";
    const char *name = getenv("FAULTS");
    int file, slow_ms = 0;
    ssize_t size;

    if (!name || (file = open(name, O_RDONLY | O_CLOEXEC)) < 0)
        return 0;
    size = read(file, order, sizeof order - 1);
    close(file);
    if (size <= 0)
        return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    if ((size = readlink(link, path, sizeof path - 1)) < 0)
        return 0;
    if (sscanf(order, "fail %127s", part) == 1 && strstr(path, part)) {
        errno = EIO;
        return -1;
    }
    if (sscanf(order, "slow %d %127s", &slow_ms, part) == 2 && strstr(path, part)) {
        struct timespec wait = {slow_ms / 1000, (slow_ms % 1000) * 1000000L};
        nanosleep(&wait, NULL);
    }
    return 0;
}

int fsync(int fd)
{
    static int (*real)(int);
    if (!real)
        real = (int (*)(int))dlsym(RTLD_NEXT, "fsync");
    return fault(fd) ? -1 : real(fd);
}

int fdatasync(int fd)
{
    static int (*real)(int);
    if (!real)
        real = (int (*)(int))dlsym(RTLD_NEXT, "fdatasync");
    return fault(fd) ? -1 : real(fd);
}
