
/*
 * Copyright (C) The nginx-enroll authors
 */


/*
 * The zone: a hash table of series, found without a lock and made under the
 * zone's.  It stays over reloads.  What a worker has in hand at the moment
 * is kept by worker, lest one that is killed leave it counted for ever.
 */


#include "ngx_http_enroll_status.h"


#define NGX_HTTP_ENROLL_ZONE_NAME   "enroll_status"
#define NGX_HTTP_ENROLL_ZONE_KEY    512
#define NGX_HTTP_ENROLL_ZONE_SLOT   128     /* of the zone, for each slot */
#define NGX_HTTP_ENROLL_OTHER       "other"


static ngx_int_t ngx_http_enroll_zone_init(ngx_shm_zone_t *shm_zone,
    void *data);
static ngx_int_t ngx_http_enroll_zone_reserve(ngx_http_enroll_zone_t *zone);
static ngx_uint_t ngx_http_enroll_worker_alive(ngx_pid_t pid);
static u_char *ngx_http_enroll_series_key(u_char *p, u_char *last,
    ngx_http_enroll_count_e family, ngx_str_t *labels);
static ngx_http_enroll_series_t *ngx_http_enroll_series_find(
    ngx_http_enroll_zone_t *zone, ngx_http_enroll_count_e family,
    u_char *key, size_t len, uint32_t hash, ngx_uint_t *slot);
static ngx_http_enroll_series_t *ngx_http_enroll_series_make(
    ngx_http_enroll_zone_t *zone, ngx_http_enroll_count_e family,
    u_char *key, size_t len, uint32_t hash);
static ngx_http_enroll_series_t *ngx_http_enroll_series_other(
    ngx_http_enroll_zone_t *zone, ngx_http_enroll_count_e family,
    ngx_str_t *labels);


/* in the order of ngx_http_enroll_count_e */

static const struct {
    ngx_uint_t   labels;
    size_t       values;                     /* their size */
} ngx_http_enroll_families[NGX_HTTP_ENROLL_COUNT_FAMILIES] = {
    { 6, sizeof(ngx_atomic_t) },
    { 1, sizeof(ngx_http_enroll_times_t) },
    { 2, sizeof(ngx_atomic_t) },
    { 2, sizeof(ngx_http_enroll_legacy_t) }
};


/* ns */

const uint64_t  ngx_http_enroll_bounds[NGX_HTTP_ENROLL_BUCKETS - 1] = {
    50000, 100000, 250000, 500000,
    1000000, 2500000, 5000000,
    10000000, 25000000, 50000000,
    100000000, 250000000, 500000000,
    1000000000, 2500000000, 5000000000, 10000000000
};


/* of a process that has none in the zone */

static ngx_http_enroll_worker_t  ngx_http_enroll_worker_none;

ngx_http_enroll_zone_t    *ngx_http_enroll_zone;
ngx_http_enroll_worker_t  *ngx_http_enroll_worker =
    &ngx_http_enroll_worker_none;


ngx_int_t
ngx_http_enroll_zone_add(ngx_conf_t *cf, ngx_http_enroll_main_conf_t *emcf)
{
    size_t     size;
    ngx_str_t  name = ngx_string(NGX_HTTP_ENROLL_ZONE_NAME);

    ngx_conf_init_size_value(emcf->status_size, 256 * 1024);

    size = ngx_max(emcf->status_size, 16 * ngx_pagesize);

    emcf->status_zone = ngx_shared_memory_add(cf, &name, size,
                                              &ngx_http_enroll_module);
    if (emcf->status_zone == NULL) {
        return NGX_ERROR;
    }

    emcf->status_zone->init = ngx_http_enroll_zone_init;

    return NGX_OK;
}


static ngx_int_t
ngx_http_enroll_zone_init(ngx_shm_zone_t *shm_zone, void *data)
{
    ngx_slab_pool_t         *shpool;
    ngx_http_enroll_zone_t  *zone;

    if (data) {
        shm_zone->data = data;
        return NGX_OK;
    }

    shpool = (ngx_slab_pool_t *) shm_zone->shm.addr;

    if (shm_zone->shm.exists) {
        shm_zone->data = shpool->data;
        return NGX_OK;
    }

    zone = ngx_slab_calloc(shpool, sizeof(ngx_http_enroll_zone_t));
    if (zone == NULL) {
        return NGX_ERROR;
    }

    zone->shpool = shpool;
    zone->start = ngx_time();
    zone->nslots = 64;

    while (zone->nslots * NGX_HTTP_ENROLL_ZONE_SLOT < shm_zone->shm.size) {
        zone->nslots *= 2;
    }

    zone->slots = ngx_slab_calloc(shpool,
                            zone->nslots * sizeof(ngx_http_enroll_series_t *));
    if (zone->slots == NULL) {
        return NGX_ERROR;
    }

    if (ngx_http_enroll_zone_reserve(zone) != NGX_OK) {
        return NGX_ERROR;
    }

    shpool->log_nomem = 0;                  /* it is told by "other" */
    shpool->data = zone;
    shm_zone->data = zone;

    return NGX_OK;
}


/* what will not fit is counted by these */

static ngx_int_t
ngx_http_enroll_zone_reserve(ngx_http_enroll_zone_t *zone)
{
    ngx_str_t                 labels[NGX_HTTP_ENROLL_LABELS];
    ngx_uint_t                i;
    ngx_http_enroll_count_e   family;

    ngx_memzero(labels, sizeof(labels));

    for (family = 0; family < NGX_HTTP_ENROLL_COUNT_FAMILIES; family++) {

        for (i = 0; i < ENROLL_OUTCOME_COUNT; i++) {

            ngx_http_enroll_outcome_name(
                                   &labels[NGX_HTTP_ENROLL_LABEL_OUTCOME], i);

            if (ngx_http_enroll_series_other(zone, family, labels) == NULL) {
                return NGX_ERROR;
            }
        }
    }

    return NGX_OK;
}


/* old workers and new ones are there at the same time after a reload */

void
ngx_http_enroll_zone_enter(ngx_shm_zone_t *shm_zone)
{
    ngx_uint_t                 i;
    ngx_atomic_uint_t          pid;
    ngx_http_enroll_worker_t  *worker;

    ngx_http_enroll_zone = shm_zone->data;

    for (i = 0; i < NGX_HTTP_ENROLL_WORKERS; i++) {

        worker = &ngx_http_enroll_zone->workers[i];
        pid = worker->pid;

        if (pid && ngx_http_enroll_worker_alive((ngx_pid_t) pid)
            && (ngx_pid_t) pid != ngx_pid)
        {
            continue;
        }

        if (ngx_atomic_cmp_set(&worker->pid, pid, ngx_pid)) {
            worker->jobs = 0;
            worker->redis = 0;
            worker->commands = 0;
            ngx_http_enroll_worker = worker;
            return;
        }
    }
}


void
ngx_http_enroll_zone_leave(void)
{
    ngx_http_enroll_worker->pid = 0;
    ngx_http_enroll_worker = &ngx_http_enroll_worker_none;
}


void
ngx_http_enroll_workers(ngx_http_enroll_worker_t *sum, ngx_uint_t *n)
{
    ngx_uint_t                 i;
    ngx_http_enroll_worker_t  *worker;

    *n = 0;
    ngx_memzero((void *) sum, sizeof(ngx_http_enroll_worker_t));

    for (i = 0; i < NGX_HTTP_ENROLL_WORKERS; i++) {

        worker = &ngx_http_enroll_zone->workers[i];

        if (worker->pid
            && ngx_http_enroll_worker_alive((ngx_pid_t) worker->pid))
        {
            (*n)++;
            sum->jobs += worker->jobs;
            sum->redis += worker->redis;
            sum->commands += worker->commands;
        }
    }
}


static ngx_uint_t
ngx_http_enroll_worker_alive(ngx_pid_t pid)
{
    return kill(pid, 0) == 0 || ngx_errno == NGX_EPERM;
}


ngx_http_enroll_series_t *
ngx_http_enroll_series(ngx_http_enroll_count_e family, ngx_str_t *labels)
{
    u_char                    *last, key[NGX_HTTP_ENROLL_ZONE_KEY];
    size_t                     len;
    uint32_t                   hash;
    ngx_uint_t                 slot;
    ngx_http_enroll_zone_t    *zone;
    ngx_http_enroll_series_t  *s;

    zone = ngx_http_enroll_zone;
    last = ngx_http_enroll_series_key(key, key + sizeof(key), family, labels);

    if (last == NULL) {
        return ngx_http_enroll_series_other(zone, family, labels);
    }

    len = last - key;
    hash = ngx_murmur_hash2(key, len);

    s = ngx_http_enroll_series_find(zone, family, key, len, hash, &slot);

    if (s) {
        return s;
    }

    if (!zone->full) {
        ngx_shmtx_lock(&zone->shpool->mutex);
        s = ngx_http_enroll_series_make(zone, family, key, len, hash);
        ngx_shmtx_unlock(&zone->shpool->mutex);
    }

    return s ? s : ngx_http_enroll_series_other(zone, family, labels);
}


/* the labels, each with a NUL; NULL where they are too long */

static u_char *
ngx_http_enroll_series_key(u_char *p, u_char *last,
    ngx_http_enroll_count_e family, ngx_str_t *labels)
{
    ngx_uint_t  i;

    for (i = 0; i < ngx_http_enroll_families[family].labels; i++) {

        if (labels[i].len >= (size_t) (last - p)) {
            return NULL;
        }

        p = ngx_cpymem(p, labels[i].data, labels[i].len);
        *p++ = '\0';
    }

    return p;
}


/* the series, or NULL and the slot where it would be */

static ngx_http_enroll_series_t *
ngx_http_enroll_series_find(ngx_http_enroll_zone_t *zone,
    ngx_http_enroll_count_e family, u_char *key, size_t len, uint32_t hash,
    ngx_uint_t *slot)
{
    ngx_uint_t                 i;
    ngx_http_enroll_series_t  *s;

    /* there are always empty slots */

    for (i = hash & (zone->nslots - 1); ; i = (i + 1) & (zone->nslots - 1)) {

        s = zone->slots[i];

        if (s == NULL) {
            *slot = i;
            return NULL;
        }

        if (s->hash == hash && s->family == family && s->len == len
            && ngx_memcmp((u_char *) (s + 1)
                          + ngx_http_enroll_families[family].values, key, len)
               == 0)
        {
            return s;
        }
    }
}


static ngx_http_enroll_series_t *
ngx_http_enroll_series_make(ngx_http_enroll_zone_t *zone,
    ngx_http_enroll_count_e family, u_char *key, size_t len, uint32_t hash)
{
    size_t                     size;
    ngx_uint_t                 slot;
    ngx_http_enroll_series_t  *s;

    s = ngx_http_enroll_series_find(zone, family, key, len, hash, &slot);

    if (s || zone->full) {
        return s;
    }

    size = ngx_http_enroll_families[family].values;

    s = (zone->nseries < zone->nslots / 4 * 3)
        ? ngx_slab_calloc_locked(zone->shpool, sizeof(*s) + size + len) : NULL;

    if (s == NULL) {
        zone->full = 1;
        return NULL;
    }

    s->family = family;
    s->hash = hash;
    s->len = (uint32_t) len;

    ngx_memcpy((u_char *) (s + 1) + size, key, len);

    /* whoever finds it, finds all of it */

    ngx_memory_barrier();

    zone->slots[slot] = s;
    zone->nseries++;

    return s;
}


/* what there was no room for: how it ended is known all the same */

static ngx_http_enroll_series_t *
ngx_http_enroll_series_other(ngx_http_enroll_zone_t *zone,
    ngx_http_enroll_count_e family, ngx_str_t *labels)
{
    u_char                    *last, key[NGX_HTTP_ENROLL_ZONE_KEY];
    uint32_t                   hash;
    ngx_str_t                  other[NGX_HTTP_ENROLL_LABELS];
    ngx_uint_t                 i, slot;
    ngx_http_enroll_series_t  *s;

    for (i = 0; i < NGX_HTTP_ENROLL_LABELS; i++) {
        ngx_str_set(&other[i], NGX_HTTP_ENROLL_OTHER);
    }

    if (family == NGX_HTTP_ENROLL_COUNT_REQUESTS) {
        other[NGX_HTTP_ENROLL_LABEL_OUTCOME] =
                                         labels[NGX_HTTP_ENROLL_LABEL_OUTCOME];
    }

    last = ngx_http_enroll_series_key(key, key + sizeof(key), family, other);
    hash = ngx_murmur_hash2(key, last - key);

    s = ngx_http_enroll_series_find(zone, family, key, last - key, hash,
                                    &slot);

    return s ? s : ngx_http_enroll_series_make(zone, family, key, last - key,
                                               hash);
}


void
ngx_http_enroll_series_labels(ngx_http_enroll_series_t *s, ngx_str_t *labels)
{
    u_char      *p;
    ngx_uint_t   i, n;

    n = ngx_http_enroll_families[s->family].labels;
    p = (u_char *) (s + 1) + ngx_http_enroll_families[s->family].values;

    for (i = 0; i < n; i++) {
        labels[i].data = p;
        labels[i].len = ngx_strlen(p);

        p += labels[i].len + 1;
    }
}


void
ngx_http_enroll_observe(ngx_http_enroll_histogram_t *h, uint64_t ns)
{
    ngx_uint_t  i;

    for (i = 0; i < NGX_HTTP_ENROLL_BUCKETS - 1; i++) {
        if (ns <= ngx_http_enroll_bounds[i]) {
            break;
        }
    }

    (void) ngx_atomic_fetch_add(&h->buckets[i], 1);
    (void) ngx_atomic_fetch_add(&h->sum, ns);
}
