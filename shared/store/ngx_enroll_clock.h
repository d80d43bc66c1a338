
/*
 * Copyright (C) The nginx-enroll authors
 */


#ifndef _NGX_ENROLL_CLOCK_H_INCLUDED_
#define _NGX_ENROLL_CLOCK_H_INCLUDED_


#include <stdint.h>
#include <time.h>


/* ns, monotonic; nginx's own clock is one of ms and of the last event */

static inline uint64_t
ngx_enroll_clock(void)
{
    struct timespec  ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);

    return (uint64_t) ts.tv_sec * 1000000000 + ts.tv_nsec;
}


#endif /* _NGX_ENROLL_CLOCK_H_INCLUDED_ */
