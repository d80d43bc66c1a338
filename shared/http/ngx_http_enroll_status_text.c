
/*
 * Copyright (C) The nginx-enroll authors
 */


/*
 * Figures as text: Prometheus's format, OpenMetrics, and JSON with the same
 * names.
 */


#include "ngx_http_enroll_status_page.h"
#include "enroll_json.h"


#define NGX_HTTP_ENROLL_STATUS_SIZE  16384
#define NGX_HTTP_ENROLL_STATUS_LINE  128       /* of a number or a name */


static void ngx_http_enroll_metric_begin(ngx_http_enroll_status_text_t *t,
    const ngx_http_enroll_metric_t *metric);
static void ngx_http_enroll_metric_close(ngx_http_enroll_status_text_t *t);
static void ngx_http_enroll_metric_meta(ngx_http_enroll_status_text_t *t,
    const char *what, const char *value);
static void ngx_http_enroll_metric_sample(ngx_http_enroll_status_text_t *t,
    const char *suffix, ngx_str_t *labels, const char *le);
static void ngx_http_enroll_metric_labels(ngx_http_enroll_status_text_t *t,
    ngx_str_t *labels, const char *le);
static void ngx_http_enroll_metric_json(ngx_http_enroll_status_text_t *t,
    ngx_str_t *labels);
static void ngx_http_enroll_metric_value(ngx_http_enroll_status_text_t *t,
    ngx_str_t *value);
static void ngx_http_enroll_put(ngx_http_enroll_status_text_t *t,
    const char *fmt, ...);
static u_char *ngx_http_enroll_room(ngx_http_enroll_status_text_t *t,
    size_t len);


/* in the order of ngx_http_enroll_metric_e; INFO is known to OpenMetrics */

static const struct {
    const char  *type;
    const char  *old;
    const char  *suffix;
} ngx_http_enroll_metric_types[] = {
    { "counter", "counter", "_total" },
    { "gauge", "gauge", "" },
    { "histogram", "histogram", "" },
    { "info", "gauge", "_info" }
};


/* ngx_http_enroll_bounds in seconds, as Prometheus writes them itself */

static const char  *ngx_http_enroll_les[NGX_HTTP_ENROLL_BUCKETS] = {
    "5e-05", "0.0001", "0.00025", "0.0005", "0.001", "0.0025", "0.005",
    "0.01", "0.025", "0.05", "0.1", "0.25", "0.5", "1.0", "2.5", "5.0",
    "10.0", "+Inf"
};


void
ngx_http_enroll_metric(ngx_http_enroll_status_text_t *t,
    const ngx_http_enroll_metric_t *metric, ngx_str_t *labels,
    uint64_t value)
{
    ngx_http_enroll_metric_begin(t, metric);

    if (t->format == NGX_HTTP_ENROLL_STATUS_JSON) {
        ngx_http_enroll_metric_json(t, labels);
        ngx_http_enroll_put(t, "\"value\":%uL}", value);
        return;
    }

    ngx_http_enroll_metric_sample(t,
                            ngx_http_enroll_metric_types[metric->type].suffix,
                            labels, NULL);
    ngx_http_enroll_put(t, " %uL\n", value);
}


/* the count is that of the buckets, whatever is added meanwhile */

void
ngx_http_enroll_metric_histogram(ngx_http_enroll_status_text_t *t,
    const ngx_http_enroll_metric_t *metric, ngx_str_t *labels,
    ngx_http_enroll_histogram_t *h)
{
    uint64_t    count, sum;
    ngx_uint_t  i, json;

    ngx_http_enroll_metric_begin(t, metric);

    json = (t->format == NGX_HTTP_ENROLL_STATUS_JSON);

    if (json) {
        ngx_http_enroll_metric_json(t, labels);
        ngx_http_enroll_put(t, "\"buckets\":{");
    }

    count = 0;

    for (i = 0; i < NGX_HTTP_ENROLL_BUCKETS; i++) {

        count += h->buckets[i];

        if (json) {
            ngx_http_enroll_put(t, "%s\"%s\":%uL", i ? "," : "",
                                ngx_http_enroll_les[i], count);
            continue;
        }

        ngx_http_enroll_metric_sample(t, "_bucket", labels,
                                      ngx_http_enroll_les[i]);
        ngx_http_enroll_put(t, " %uL\n", count);
    }

    sum = h->sum;

    if (json) {
        ngx_http_enroll_put(t, "},\"sum\":%uL.%09uL,\"count\":%uL}",
                            sum / 1000000000, sum % 1000000000, count);
        return;
    }

    ngx_http_enroll_metric_sample(t, "_sum", labels, NULL);
    ngx_http_enroll_put(t, " %uL.%09uL\n", sum / 1000000000,
                        sum % 1000000000);

    ngx_http_enroll_metric_sample(t, "_count", labels, NULL);
    ngx_http_enroll_put(t, " %uL\n", count);
}


void
ngx_http_enroll_metric_end(ngx_http_enroll_status_text_t *t)
{
    ngx_http_enroll_metric_close(t);

    if (t->format == NGX_HTTP_ENROLL_STATUS_JSON) {
        ngx_http_enroll_put(t, t->len ? "\n}\n" : "{}\n");

    } else if (t->format == NGX_HTTP_ENROLL_STATUS_OPENMETRICS) {
        ngx_http_enroll_put(t, "# EOF\n");
    }
}


static void
ngx_http_enroll_metric_begin(ngx_http_enroll_status_text_t *t,
    const ngx_http_enroll_metric_t *metric)
{
    ngx_uint_t  type;

    if (t->metric == metric) {

        if (t->format == NGX_HTTP_ENROLL_STATUS_JSON) {
            ngx_http_enroll_put(t, ",");
        }

        return;
    }

    ngx_http_enroll_metric_close(t);

    t->metric = metric;
    type = metric->type;

    if (t->format == NGX_HTTP_ENROLL_STATUS_JSON) {
        ngx_http_enroll_put(t, "%s\n\"%s%s\":[", t->len ? "," : "{",
                            metric->name,
                            ngx_http_enroll_metric_types[type].suffix);
        return;
    }

    ngx_http_enroll_metric_meta(t, "HELP", metric->help);

    if (t->format == NGX_HTTP_ENROLL_STATUS_PROMETHEUS) {
        ngx_http_enroll_metric_meta(t, "TYPE",
                                    ngx_http_enroll_metric_types[type].old);
        return;
    }

    ngx_http_enroll_metric_meta(t, "TYPE",
                                ngx_http_enroll_metric_types[type].type);

    if (metric->unit) {
        ngx_http_enroll_metric_meta(t, "UNIT", metric->unit);
    }
}


static void
ngx_http_enroll_metric_close(ngx_http_enroll_status_text_t *t)
{
    if (t->metric && t->format == NGX_HTTP_ENROLL_STATUS_JSON) {
        ngx_http_enroll_put(t, "]");
    }
}


/* OpenMetrics names the family, the older format its samples */

static void
ngx_http_enroll_metric_meta(ngx_http_enroll_status_text_t *t,
    const char *what, const char *value)
{
    const char  *suffix;

    suffix = ngx_http_enroll_metric_types[t->metric->type].suffix;

    if (t->format == NGX_HTTP_ENROLL_STATUS_OPENMETRICS) {
        suffix = "";
    }

    ngx_http_enroll_put(t, "# %s %s%s ", what, t->metric->name, suffix);
    ngx_http_enroll_put(t, "%s\n", value);
}


static void
ngx_http_enroll_metric_sample(ngx_http_enroll_status_text_t *t,
    const char *suffix, ngx_str_t *labels, const char *le)
{
    ngx_http_enroll_put(t, "%s%s", t->metric->name, suffix);

    ngx_http_enroll_metric_labels(t, labels, le);
}


static void
ngx_http_enroll_metric_labels(ngx_http_enroll_status_text_t *t,
    ngx_str_t *labels, const char *le)
{
    ngx_uint_t           i;
    const char          *comma;
    const char  * const *names;

    names = t->metric->labels;

    if (names[0] == NULL && le == NULL) {
        return;
    }

    comma = "{";

    for (i = 0; names[i]; i++) {
        ngx_http_enroll_put(t, "%s%s=\"", comma, names[i]);
        ngx_http_enroll_metric_value(t, &labels[i]);
        ngx_http_enroll_put(t, "\"");

        comma = ",";
    }

    if (le) {
        ngx_http_enroll_put(t, "%sle=\"%s\"", comma, le);
    }

    ngx_http_enroll_put(t, "}");
}


/* a name of the configuration may be anything */

static void
ngx_http_enroll_metric_value(ngx_http_enroll_status_text_t *t,
    ngx_str_t *value)
{
    u_char  *p;
    size_t   i;

    p = ngx_http_enroll_room(t, 2 * value->len);
    if (p == NULL) {
        return;
    }

    for (i = 0; i < value->len; i++) {

        switch (value->data[i]) {

        case '\\':
        case '"':
            *p++ = '\\';
            *p++ = value->data[i];
            break;

        case '\n':
            *p++ = '\\';
            *p++ = 'n';
            break;

        default:
            *p++ = value->data[i];
        }
    }

    t->len = p - t->data;
}


/* an object's labels, up to where its value goes */

static void
ngx_http_enroll_metric_json(ngx_http_enroll_status_text_t *t,
    ngx_str_t *labels)
{
    u_char      *p;
    ngx_uint_t   i;

    ngx_http_enroll_put(t, "\n{");

    for (i = 0; t->metric->labels[i]; i++) {

        ngx_http_enroll_put(t, "\"%s\":\"", t->metric->labels[i]);

        p = ngx_http_enroll_room(t, ENROLL_JSON_ROOM(labels[i].len));
        if (p == NULL) {
            return;
        }

        t->len += enroll_json_escape(p, labels[i].data, labels[i].len);

        ngx_http_enroll_put(t, "\",");
    }
}


/* texts of the code and numbers: NGX_HTTP_ENROLL_STATUS_LINE at most */

static void
ngx_http_enroll_put(ngx_http_enroll_status_text_t *t, const char *fmt, ...)
{
    u_char   *p;
    va_list   args;

    p = ngx_http_enroll_room(t, NGX_HTTP_ENROLL_STATUS_LINE);
    if (p == NULL) {
        return;
    }

    va_start(args, fmt);
    p = ngx_vslprintf(p, p + NGX_HTTP_ENROLL_STATUS_LINE, fmt, args);
    va_end(args);

    t->len = p - t->data;
}


static u_char *
ngx_http_enroll_room(ngx_http_enroll_status_text_t *t, size_t len)
{
    u_char  *p;
    size_t   size;

    if (t->failed) {
        return NULL;
    }

    if (t->size - t->len >= len) {
        return t->data + t->len;
    }

    size = t->size ? t->size : NGX_HTTP_ENROLL_STATUS_SIZE;

    while (size - t->len < len) {
        size *= 2;
    }

    p = ngx_palloc(t->pool, size);
    if (p == NULL) {
        t->failed = 1;
        return NULL;
    }

    if (t->data) {
        ngx_memcpy(p, t->data, t->len);
        ngx_pfree(t->pool, t->data);
    }

    t->data = p;
    t->size = size;

    return p + t->len;
}
