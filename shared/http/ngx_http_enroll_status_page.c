
/*
 * Copyright (C) The nginx-enroll authors
 */


/*
 * What the page has on it.  docs/monitoring.md says what each figure means.
 */


#include "ngx_http_enroll_status_page.h"


static void ngx_http_enroll_page_node(ngx_http_enroll_status_text_t *t);
static void ngx_http_enroll_page_values(ngx_http_enroll_status_text_t *t,
    const ngx_http_enroll_metric_t *metric, ngx_http_enroll_count_e family,
    ngx_uint_t n);
static void ngx_http_enroll_page_times(ngx_http_enroll_status_text_t *t);
static void ngx_http_enroll_page_redis(ngx_http_enroll_status_text_t *t,
    ngx_http_enroll_worker_t *sum, ngx_uint_t up);
static void ngx_http_enroll_page_certs(ngx_http_enroll_status_text_t *t,
    ngx_http_enroll_ca_t *ca);
static void ngx_http_enroll_page_expiry(ngx_http_enroll_status_text_t *t,
    ngx_http_enroll_ca_t *ca, const char *kind, const STACK_OF(X509) *certs,
    int from, int to);
static void ngx_http_enroll_page_cluster(ngx_http_enroll_status_text_t *t,
    ngx_http_enroll_main_conf_t *emcf,
    ngx_http_enroll_status_totals_t *totals);


static const ngx_http_enroll_metric_t  ngx_http_enroll_build = {
    "enroll_build", NGX_HTTP_ENROLL_METRIC_INFO, NULL,
    { "version" },
    "The version of the modules"
};


static const ngx_http_enroll_metric_t  ngx_http_enroll_start_time = {
    "enroll_start_time_seconds", NGX_HTTP_ENROLL_METRIC_GAUGE, "seconds",
    { NULL },
    "When the figures of this node began"
};


static const ngx_http_enroll_metric_t  ngx_http_enroll_worker_processes = {
    "enroll_workers", NGX_HTTP_ENROLL_METRIC_GAUGE, NULL,
    { NULL },
    "Worker processes, those that are about to end included"
};


static const ngx_http_enroll_metric_t  ngx_http_enroll_requests = {
    "enroll_requests", NGX_HTTP_ENROLL_METRIC_COUNTER, NULL,
    { "protocol", "operation", "ca", "profile", "outcome", "reason" },
    "Requests that were answered, or whose client left"
};


static const ngx_http_enroll_metric_t  ngx_http_enroll_request_duration = {
    "enroll_request_duration_seconds", NGX_HTTP_ENROLL_METRIC_HISTOGRAM,
    "seconds",
    { "protocol" },
    "From the body of a request to its answer"
};


static const ngx_http_enroll_metric_t  ngx_http_enroll_step_duration = {
    "enroll_step_duration_seconds", NGX_HTTP_ENROLL_METRIC_HISTOGRAM,
    "seconds",
    { "protocol", "step" },
    "What each step of a request took, waiting included"
};


static const ngx_http_enroll_metric_t  ngx_http_enroll_issued_keys = {
    "enroll_issued_keys", NGX_HTTP_ENROLL_METRIC_COUNTER, NULL,
    { "ca", "key" },
    "Certificates issued or renewed, by type and size of key"
};


static const ngx_http_enroll_metric_t  ngx_http_enroll_legacy_requests = {
    "enroll_legacy_requests", NGX_HTTP_ENROLL_METRIC_COUNTER, NULL,
    { "algorithm", "client" },
    "Requests that made use of an old algorithm"
};


static const ngx_http_enroll_metric_t  ngx_http_enroll_legacy_last_seen = {
    "enroll_legacy_last_seen_timestamp_seconds", NGX_HTTP_ENROLL_METRIC_GAUGE,
    "seconds",
    { "algorithm", "client" },
    "When an old algorithm was last made use of"
};


static const ngx_http_enroll_metric_t  ngx_http_enroll_pool_jobs = {
    "enroll_thread_pool_jobs", NGX_HTTP_ENROLL_METRIC_GAUGE, NULL,
    { NULL },
    "Jobs on the thread pool that are not done"
};


static const ngx_http_enroll_metric_t  ngx_http_enroll_pool_refused = {
    "enroll_thread_pool_refused", NGX_HTTP_ENROLL_METRIC_COUNTER, NULL,
    { NULL },
    "Jobs for which the thread pool had no room"
};


static const ngx_http_enroll_metric_t  ngx_http_enroll_zone_full = {
    "enroll_status_zone_full", NGX_HTTP_ENROLL_METRIC_GAUGE, NULL,
    { NULL },
    "1: what is new is counted under other, enroll_status_zone is too small"
};


static const ngx_http_enroll_metric_t  ngx_http_enroll_redis_up = {
    "enroll_redis_up", NGX_HTTP_ENROLL_METRIC_GAUGE, NULL,
    { NULL },
    "1: Redis answered when this page was asked for"
};


static const ngx_http_enroll_metric_t  ngx_http_enroll_redis_workers = {
    "enroll_redis_connected_workers", NGX_HTTP_ENROLL_METRIC_GAUGE, NULL,
    { NULL },
    "Workers that are connected to Redis"
};


static const ngx_http_enroll_metric_t  ngx_http_enroll_redis_commands = {
    "enroll_redis_commands_in_flight", NGX_HTTP_ENROLL_METRIC_GAUGE, NULL,
    { NULL },
    "Commands that Redis has yet to answer"
};


static const ngx_http_enroll_metric_t  ngx_http_enroll_redis_duration = {
    "enroll_redis_command_duration_seconds",
    NGX_HTTP_ENROLL_METRIC_HISTOGRAM, "seconds",
    { NULL },
    "The round trip of a command"
};


static const ngx_http_enroll_metric_t  ngx_http_enroll_redis_failed = {
    "enroll_redis_command_failures", NGX_HTTP_ENROLL_METRIC_COUNTER, NULL,
    { NULL },
    "Commands that got no answer, or an error"
};


static const ngx_http_enroll_metric_t  ngx_http_enroll_redis_reconnected = {
    "enroll_redis_reconnects", NGX_HTTP_ENROLL_METRIC_COUNTER, NULL,
    { NULL },
    "Connections to Redis that a worker made again"
};


static const ngx_http_enroll_metric_t  ngx_http_enroll_redis_unconnected = {
    "enroll_redis_connect_failures", NGX_HTTP_ENROLL_METRIC_COUNTER, NULL,
    { NULL },
    "Tries to connect to Redis that came to nothing"
};


static const ngx_http_enroll_metric_t  ngx_http_enroll_expiry = {
    "enroll_certificate_expiry_timestamp_seconds",
    NGX_HTTP_ENROLL_METRIC_GAUGE, "seconds",
    { "ca", "kind", "serial" },
    "When a certificate of an authority ends"
};


/* of all nodes, from Redis: in the order of ngx_enroll_store_totals_t */

static const ngx_http_enroll_metric_t  ngx_http_enroll_cluster[] = {

    { "enroll_cluster_issued", NGX_HTTP_ENROLL_METRIC_COUNTER, NULL,
      { "ca" },
      "First certificates that all nodes have recorded" },

    { "enroll_cluster_renewed", NGX_HTTP_ENROLL_METRIC_COUNTER, NULL,
      { "ca" },
      "Renewed certificates that all nodes have recorded" },

    { "enroll_cluster_certificates", NGX_HTTP_ENROLL_METRIC_COUNTER, NULL,
      { "ca" },
      "Certificates that all nodes have recorded" },

    { "enroll_cluster_challenges", NGX_HTTP_ENROLL_METRIC_GAUGE, NULL,
      { "ca" },
      "One-time challenges that may still be used" },

    { "enroll_cluster_waiting_approvals", NGX_HTTP_ENROLL_METRIC_GAUGE, NULL,
      { "ca" },
      "Requests that wait for approval" }
};


/* in the order of ngx_http_enroll_time_e */

static ngx_str_t  ngx_http_enroll_step_names[NGX_HTTP_ENROLL_TIMES] = {
    ngx_string("authorise"),
    ngx_string("decode"),
    ngx_string("admit"),
    ngx_string("sign"),
    ngx_string("record"),
    ngx_string("encode")
};


void
ngx_http_enroll_status_page(ngx_http_enroll_status_text_t *t,
    ngx_http_enroll_main_conf_t *emcf,
    ngx_http_enroll_status_totals_t *totals, ngx_uint_t up)
{
    ngx_str_t                  version = ngx_string(NGX_HTTP_ENROLL_VERSION);
    ngx_uint_t                 i, n;
    ngx_http_enroll_ca_t     **ca;
    ngx_http_enroll_worker_t   sum;

    ngx_http_enroll_metric(t, &ngx_http_enroll_build, &version, 1);

    if (emcf->endpoint) {

        ngx_http_enroll_workers(&sum, &n);

        ngx_http_enroll_metric(t, &ngx_http_enroll_worker_processes, NULL, n);
        ngx_http_enroll_metric(t, &ngx_http_enroll_pool_jobs, NULL, sum.jobs);

        ngx_http_enroll_page_node(t);
        ngx_http_enroll_page_times(t);
        ngx_http_enroll_page_redis(t, &sum, up);
    }

    ca = emcf->cas.elts;

    for (i = 0; i < emcf->cas.nelts; i++) {
        ngx_http_enroll_page_certs(t, ca[i]);
    }

    ngx_http_enroll_page_cluster(t, emcf, totals);

    ngx_http_enroll_metric_end(t);
}


static void
ngx_http_enroll_page_node(ngx_http_enroll_status_text_t *t)
{
    ngx_http_enroll_zone_t  *zone;

    zone = ngx_http_enroll_zone;

    ngx_http_enroll_metric(t, &ngx_http_enroll_start_time, NULL, zone->start);
    ngx_http_enroll_metric(t, &ngx_http_enroll_zone_full, NULL, zone->full);
    ngx_http_enroll_metric(t, &ngx_http_enroll_pool_refused, NULL,
                           zone->jobs_refused);

    ngx_http_enroll_page_values(t, &ngx_http_enroll_requests,
                                NGX_HTTP_ENROLL_COUNT_REQUESTS, 0);
    ngx_http_enroll_page_values(t, &ngx_http_enroll_issued_keys,
                                NGX_HTTP_ENROLL_COUNT_KEYS, 0);
    ngx_http_enroll_page_values(t, &ngx_http_enroll_legacy_requests,
                                NGX_HTTP_ENROLL_COUNT_LEGACY, 0);
    ngx_http_enroll_page_values(t, &ngx_http_enroll_legacy_last_seen,
                                NGX_HTTP_ENROLL_COUNT_LEGACY, 1);
}


/* the nth value of each series; 0: what is reserved for what does not fit */

static void
ngx_http_enroll_page_values(ngx_http_enroll_status_text_t *t,
    const ngx_http_enroll_metric_t *metric, ngx_http_enroll_count_e family,
    ngx_uint_t n)
{
    ngx_str_t                  labels[NGX_HTTP_ENROLL_LABELS];
    ngx_uint_t                 i, value;
    ngx_http_enroll_series_t  *s;

    for (i = 0; i < ngx_http_enroll_zone->nslots; i++) {

        s = ngx_http_enroll_zone->slots[i];

        if (s == NULL || s->family != family) {
            continue;
        }

        value = ngx_http_enroll_series_values(s)[n];

        if (value) {
            ngx_http_enroll_series_labels(s, labels);
            ngx_http_enroll_metric(t, metric, labels, value);
        }
    }
}


static void
ngx_http_enroll_page_times(ngx_http_enroll_status_text_t *t)
{
    ngx_str_t                  labels[NGX_HTTP_ENROLL_LABELS];
    ngx_uint_t                 i, k, total;
    ngx_http_enroll_times_t   *times;
    ngx_http_enroll_series_t  *s;

    for (total = 0; total < 2; total++) {

        for (i = 0; i < ngx_http_enroll_zone->nslots; i++) {

            s = ngx_http_enroll_zone->slots[i];

            if (s == NULL || s->family != NGX_HTTP_ENROLL_COUNT_TIMES) {
                continue;
            }

            times = (ngx_http_enroll_times_t *)
                        ngx_http_enroll_series_values(s);

            if (times->total.sum == 0) {
                continue;
            }

            ngx_http_enroll_series_labels(s, labels);

            if (total) {
                ngx_http_enroll_metric_histogram(t,
                                             &ngx_http_enroll_request_duration,
                                             labels, &times->total);
                continue;
            }

            for (k = 0; k < NGX_HTTP_ENROLL_TIMES; k++) {

                if (times->times[k].sum == 0) {
                    continue;
                }

                labels[1] = ngx_http_enroll_step_names[k];

                ngx_http_enroll_metric_histogram(t,
                                                &ngx_http_enroll_step_duration,
                                                labels, &times->times[k]);
            }
        }
    }
}


static void
ngx_http_enroll_page_redis(ngx_http_enroll_status_text_t *t,
    ngx_http_enroll_worker_t *sum, ngx_uint_t up)
{
    ngx_http_enroll_zone_t  *zone;

    zone = ngx_http_enroll_zone;

    ngx_http_enroll_metric(t, &ngx_http_enroll_redis_up, NULL, up);
    ngx_http_enroll_metric(t, &ngx_http_enroll_redis_workers, NULL,
                           sum->redis);
    ngx_http_enroll_metric(t, &ngx_http_enroll_redis_commands, NULL,
                           sum->commands);
    ngx_http_enroll_metric_histogram(t, &ngx_http_enroll_redis_duration, NULL,
                                     &zone->redis_times);
    ngx_http_enroll_metric(t, &ngx_http_enroll_redis_failed, NULL,
                           zone->redis_failures);
    ngx_http_enroll_metric(t, &ngx_http_enroll_redis_reconnected, NULL,
                           zone->redis_reconnects);
    ngx_http_enroll_metric(t, &ngx_http_enroll_redis_unconnected, NULL,
                           zone->redis_connect_failures);
}


static void
ngx_http_enroll_page_certs(ngx_http_enroll_status_text_t *t,
    ngx_http_enroll_ca_t *ca)
{
    int              n;
    STACK_OF(X509)  *signer;

    n = sk_X509_num(ca->pki.chain);

    ngx_http_enroll_page_expiry(t, ca, "ca", ca->pki.chain, 0, 1);
    ngx_http_enroll_page_expiry(t, ca, "chain", ca->pki.chain, 1, n);
    ngx_http_enroll_page_expiry(t, ca, "next", ca->pki.next, 0,
                                sk_X509_num(ca->pki.next));

    if (ca->ra_certificate == NULL) {
        return;
    }

    n = sk_X509_num(ca->ra.certs);

    if (ca->ra_encryption_certificate.len == 0) {
        ngx_http_enroll_page_expiry(t, ca, "ra", ca->ra.certs, 0, n);
        return;
    }

    ngx_http_enroll_page_expiry(t, ca, "ra_encryption", ca->ra.certs, 0, n);

    signer = sk_X509_new_null();

    if (signer && sk_X509_push(signer, ca->ra.sign_cert)) {
        ngx_http_enroll_page_expiry(t, ca, "ra_signing", signer, 0, 1);
    }

    sk_X509_free(signer);
}


static void
ngx_http_enroll_page_expiry(ngx_http_enroll_status_text_t *t,
    ngx_http_enroll_ca_t *ca, const char *kind, const STACK_OF(X509) *certs,
    int from, int to)
{
    int         i, k;
    char        serial[ENROLL_SERIAL_TEXT];
    X509       *x;
    ngx_str_t   labels[3];

    labels[0] = ca->name;
    labels[1].data = (u_char *) kind;
    labels[1].len = ngx_strlen(kind);
    labels[2].data = (u_char *) serial;

    for (i = from; i < to; i++) {

        x = sk_X509_value(certs, i);

        /* two issuers may have made one serial: no series may come twice */

        for (k = from; k < i; k++) {
            if (ASN1_INTEGER_cmp(X509_get0_serialNumber(x),
                            X509_get0_serialNumber(sk_X509_value(certs, k)))
                == 0)
            {
                break;
            }
        }

        if (k == i) {
            labels[2].len = enroll_text_serial(X509_get0_serialNumber(x),
                                               serial);

            ngx_http_enroll_metric(t, &ngx_http_enroll_expiry, labels,
                            ngx_http_enroll_time(X509_get0_notAfter(x)));
        }
    }
}


static void
ngx_http_enroll_page_cluster(ngx_http_enroll_status_text_t *t,
    ngx_http_enroll_main_conf_t *emcf,
    ngx_http_enroll_status_totals_t *totals)
{
    ngx_uint_t              i, k;
    ngx_http_enroll_ca_t  **ca;

    ca = emcf->cas.elts;

    for (k = 0; k < sizeof(ngx_http_enroll_cluster)
                    / sizeof(ngx_http_enroll_cluster[0]); k++)
    {
        for (i = 0; i < emcf->cas.nelts; i++) {
            if (totals[i].known) {
                ngx_http_enroll_metric(t, &ngx_http_enroll_cluster[k],
                                       &ca[i]->name,
                                       ((ngx_uint_t *) &totals[i].totals)[k]);
            }
        }
    }
}
