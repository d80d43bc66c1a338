
/*
 * Copyright (C) The nginx-enroll authors
 */


/*
 * The page of figures: what its files share
 */


#ifndef _NGX_HTTP_ENROLL_STATUS_PAGE_H_INCLUDED_
#define _NGX_HTTP_ENROLL_STATUS_PAGE_H_INCLUDED_


#include "ngx_http_enroll_status.h"


typedef enum {
    NGX_HTTP_ENROLL_STATUS_OFF = 0,
    NGX_HTTP_ENROLL_STATUS_PROMETHEUS,
    NGX_HTTP_ENROLL_STATUS_OPENMETRICS,
    NGX_HTTP_ENROLL_STATUS_JSON
} ngx_http_enroll_status_format_e;


typedef enum {
    NGX_HTTP_ENROLL_METRIC_COUNTER = 0,
    NGX_HTTP_ENROLL_METRIC_GAUGE,
    NGX_HTTP_ENROLL_METRIC_HISTOGRAM,
    NGX_HTTP_ENROLL_METRIC_INFO
} ngx_http_enroll_metric_e;


typedef struct {
    const char                        *name;    /* without "_total" */
    ngx_http_enroll_metric_e           type;
    const char                        *unit;    /* its end, or NULL */
    const char                        *labels[NGX_HTTP_ENROLL_LABELS + 1];
    const char                        *help;
} ngx_http_enroll_metric_t;


/* the page as it grows */

typedef struct {
    ngx_pool_t                        *pool;
    ngx_http_enroll_status_format_e    format;
    const ngx_http_enroll_metric_t    *metric;  /* whose samples are written */
    u_char                            *data;
    size_t                             len;
    size_t                             size;
    ngx_uint_t                         failed;
} ngx_http_enroll_status_text_t;


/* what Redis said of a CA */

typedef struct {
    ngx_uint_t                         known;
    ngx_enroll_store_totals_t          totals;
} ngx_http_enroll_status_totals_t;


/* ngx_http_enroll_status_text.c: samples, those of one metric in a row */

void ngx_http_enroll_metric(ngx_http_enroll_status_text_t *t,
    const ngx_http_enroll_metric_t *metric, ngx_str_t *labels,
    uint64_t value);
void ngx_http_enroll_metric_histogram(ngx_http_enroll_status_text_t *t,
    const ngx_http_enroll_metric_t *metric, ngx_str_t *labels,
    ngx_http_enroll_histogram_t *h);
void ngx_http_enroll_metric_end(ngx_http_enroll_status_text_t *t);

/*
 * ngx_http_enroll_status_page.c: all of them.  totals: of each CA; up:
 * whether Redis answered
 */

void ngx_http_enroll_status_page(ngx_http_enroll_status_text_t *t,
    ngx_http_enroll_main_conf_t *emcf,
    ngx_http_enroll_status_totals_t *totals, ngx_uint_t up);


#endif /* _NGX_HTTP_ENROLL_STATUS_PAGE_H_INCLUDED_ */
