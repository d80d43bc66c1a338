
/*
 * Copyright (C) The nginx-enroll authors
 */


/*
 * To be preloaded into nginx: measures how long its event loop is away from
 * epoll_wait(), by the clock and in CPU time of its thread.  The file that
 * BENCH_PAUSE names gets the longest of each, in nanoseconds, and how often
 * it was away for longer than 2 ms of CPU time.
 */


#define _GNU_SOURCE

#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>


typedef struct {
    uint64_t  wall;
    uint64_t  cpu;
    uint64_t  away;
    uint64_t  above;
} pause_t;


static pause_t           *pause_max;
static _Thread_local uint64_t  pause_wall, pause_cpu;
static int (*pause_wait)(int, struct epoll_event *, int, int);


static uint64_t
pause_clock(clockid_t id)
{
    struct timespec  ts;

    clock_gettime(id, &ts);

    return (uint64_t) ts.tv_sec * 1000000000 + (uint64_t) ts.tv_nsec;
}


/* nginx clears its environment later on */

static void __attribute__((constructor))
pause_init(void)
{
    int          fd;
    const char  *name;

    pause_wait = (int (*)(int, struct epoll_event *, int, int))
                     dlsym(RTLD_NEXT, "epoll_wait");

    name = getenv("BENCH_PAUSE");
    if (name == NULL) {
        return;
    }

    fd = open(name, O_RDWR|O_CREAT, 0600);

    if (fd == -1 || ftruncate(fd, sizeof(pause_t)) == -1) {
        return;
    }

    pause_max = mmap(NULL, sizeof(pause_t), PROT_READ|PROT_WRITE, MAP_SHARED,
                     fd, 0);
    close(fd);

    if (pause_max == MAP_FAILED) {
        pause_max = NULL;
    }
}


static void
pause_raise(uint64_t *max, uint64_t n)
{
    uint64_t  old;

    old = __atomic_load_n(max, __ATOMIC_RELAXED);

    while (n > old
           && !__atomic_compare_exchange_n(max, &old, n, 0, __ATOMIC_RELAXED,
                                           __ATOMIC_RELAXED))
    { /* void */ }
}


int
epoll_wait(int ep, struct epoll_event *events, int n, int timeout)
{
    int       rc;
    uint64_t  wall, cpu;

    if (pause_max && pause_wall) {
        wall = pause_clock(CLOCK_MONOTONIC) - pause_wall;
        cpu = pause_clock(CLOCK_THREAD_CPUTIME_ID) - pause_cpu;

        pause_raise(&pause_max->wall, wall);
        pause_raise(&pause_max->cpu, cpu);

        __atomic_add_fetch(&pause_max->away, 1, __ATOMIC_RELAXED);

        if (cpu > 2000000) {
            __atomic_add_fetch(&pause_max->above, 1, __ATOMIC_RELAXED);
        }
    }

    rc = pause_wait(ep, events, n, timeout);

    if (pause_max) {
        pause_wall = pause_clock(CLOCK_MONOTONIC);
        pause_cpu = pause_clock(CLOCK_THREAD_CPUTIME_ID);
    }

    return rc;
}
