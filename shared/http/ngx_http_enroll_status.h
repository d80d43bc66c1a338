
/*
 * Copyright (C) The nginx-enroll authors
 */


/*
 * The figures of this node, in a zone that all workers share: what counts,
 * and what reads them
 */


#ifndef _NGX_HTTP_ENROLL_STATUS_H_INCLUDED_
#define _NGX_HTTP_ENROLL_STATUS_H_INCLUDED_


#include "ngx_http_enroll_core.h"
#include "ngx_enroll_clock.h"


#define NGX_HTTP_ENROLL_BUCKETS  18      /* the last one: whatever is longer */
#define NGX_HTTP_ENROLL_LABELS   6       /* of one series, at most */
#define NGX_HTTP_ENROLL_WORKERS  256     /* old ones included */


/* families of series: what has labels whose values are not known at start */

typedef enum {
    NGX_HTTP_ENROLL_COUNT_REQUESTS = 0,  /* protocol, operation, CA, profile,
                                            outcome, reason */
    NGX_HTTP_ENROLL_COUNT_TIMES,         /* protocol */
    NGX_HTTP_ENROLL_COUNT_KEYS,          /* CA, key */
    NGX_HTTP_ENROLL_COUNT_LEGACY,        /* algorithm, client */
    NGX_HTTP_ENROLL_COUNT_FAMILIES
} ngx_http_enroll_count_e;


/* in the order of the labels of REQUESTS */

#define NGX_HTTP_ENROLL_LABEL_CA       2
#define NGX_HTTP_ENROLL_LABEL_OUTCOME  4


typedef struct {
    ngx_atomic_t                   buckets[NGX_HTTP_ENROLL_BUCKETS];
    ngx_atomic_t                   sum;      /* ns */
} ngx_http_enroll_histogram_t;


typedef struct {
    ngx_http_enroll_histogram_t    times[NGX_HTTP_ENROLL_TIMES];
    ngx_http_enroll_histogram_t    total;
} ngx_http_enroll_times_t;


typedef struct {
    ngx_atomic_t                   requests;
    ngx_atomic_t                   last;     /* s since the epoch */
} ngx_http_enroll_legacy_t;


/*
 * A series is never changed once it can be found, but for its values, and
 * never removed.  Values and labels come behind it, each label with a NUL.
 */

typedef struct {
    ngx_uint_t                     family;
    uint32_t                       hash;
    uint32_t                       len;      /* of the labels */
} ngx_http_enroll_series_t;


#define ngx_http_enroll_series_values(s)                                      \
    ((ngx_atomic_t *) ((ngx_http_enroll_series_t *) (s) + 1))


typedef struct {
    ngx_atomic_t                   pid;      /* 0: nobody's */
    ngx_atomic_t                   jobs;     /* on the thread pool */
    ngx_atomic_t                   redis;    /* 1: connected */
    ngx_atomic_t                   commands; /* that Redis has to answer */
} ngx_http_enroll_worker_t;


typedef struct {
    ngx_slab_pool_t               *shpool;
    time_t                         start;
    ngx_atomic_t                   jobs_refused;
    ngx_atomic_t                   redis_reconnects;
    ngx_atomic_t                   redis_connect_failures;
    ngx_atomic_t                   redis_failures;
    ngx_http_enroll_histogram_t    redis_times;
    ngx_uint_t                     full;     /* no more series */
    ngx_uint_t                     nslots;   /* a power of two */
    ngx_uint_t                     nseries;
    ngx_http_enroll_series_t      *volatile *slots;
    ngx_http_enroll_worker_t       workers[NGX_HTTP_ENROLL_WORKERS];
} ngx_http_enroll_zone_t;


extern const uint64_t  ngx_http_enroll_bounds[NGX_HTTP_ENROLL_BUCKETS - 1];


/* ngx_http_enroll_status_zone.c */

ngx_int_t ngx_http_enroll_zone_add(ngx_conf_t *cf,
    ngx_http_enroll_main_conf_t *emcf);

/* the worker's own place; in init_process and exit_process */

void ngx_http_enroll_zone_enter(ngx_shm_zone_t *shm_zone);
void ngx_http_enroll_zone_leave(void);

/* in a worker, where anything is issued */

extern ngx_http_enroll_zone_t    *ngx_http_enroll_zone;
extern ngx_http_enroll_worker_t  *ngx_http_enroll_worker;

/* the sums over all workers that are alive */

void ngx_http_enroll_workers(ngx_http_enroll_worker_t *sum, ngx_uint_t *n);

/* made at first; where there is no room, the one of what did not fit */

ngx_http_enroll_series_t *ngx_http_enroll_series(
    ngx_http_enroll_count_e family, ngx_str_t *labels);

/* its labels */

void ngx_http_enroll_series_labels(ngx_http_enroll_series_t *s,
    ngx_str_t *labels);

void ngx_http_enroll_observe(ngx_http_enroll_histogram_t *h, uint64_t ns);


/* ngx_http_enroll_status_count.c */

void ngx_http_enroll_count_redis(ngx_enroll_redis_event_e event, uint64_t ns);

/* as $enroll_outcome has it */

void ngx_http_enroll_outcome_name(ngx_str_t *name, enroll_outcome_e outcome);


#endif /* _NGX_HTTP_ENROLL_STATUS_H_INCLUDED_ */
