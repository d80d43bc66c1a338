
/*
 * Copyright (C) The nginx-enroll authors
 */


/*
 * What is counted of a request, once, when its answer is decided or its
 * client has left.  No label holds what a client has chosen.
 */


#include "ngx_http_enroll_status.h"


static void ngx_http_enroll_count_request(ngx_http_enroll_request_t *er);
static void ngx_http_enroll_count_times(ngx_http_enroll_request_t *er);
static void ngx_http_enroll_count_key(ngx_http_enroll_request_t *er);
static void ngx_http_enroll_count_legacy(ngx_http_request_t *r,
    ngx_http_enroll_request_t *er);


static const struct {
    unsigned                       bit;
    ngx_str_t                      name;
} ngx_http_enroll_legacies[] = {
    { ENROLL_LEGACY_SHA1, ngx_string("sha1") },
    { ENROLL_LEGACY_MD5, ngx_string("md5") },
    { ENROLL_LEGACY_DES3, ngx_string("des3") },
    { ENROLL_LEGACY_DES, ngx_string("des") },
    { 0, ngx_null_string }
};


/* what a User-Agent has in it, in lower case, and whose that is */

static const struct {
    ngx_str_t                      text;
    ngx_str_t                      name;
} ngx_http_enroll_clients[] = {
    { ngx_string("libest"), ngx_string("libest") },
    { ngx_string("cisco est"), ngx_string("libest") },
    { ngx_string("cisco"), ngx_string("cisco") },
    { ngx_string("ndes"), ngx_string("windows") },
    { ngx_string("win32"), ngx_string("windows") },
    { ngx_string("windows"), ngx_string("windows") },
    { ngx_string("microsoft"), ngx_string("windows") },
    { ngx_string("cfnetwork"), ngx_string("apple") },
    { ngx_string("darwin"), ngx_string("apple") },
    { ngx_string("mdmclient"), ngx_string("apple") },
    { ngx_string("profiled"), ngx_string("apple") },
    { ngx_string("strongswan"), ngx_string("strongswan") },
    { ngx_string("certmonger"), ngx_string("certmonger") },
    { ngx_string("micromdm"), ngx_string("micromdm") },
    { ngx_string("go-http-client"), ngx_string("micromdm") },
    { ngx_string("java"), ngx_string("java") },
    { ngx_string("jscep"), ngx_string("java") },
    { ngx_string("curl"), ngx_string("curl") },
    { ngx_string(""), ngx_string("other") }
};


void
ngx_http_enroll_lap(ngx_http_enroll_request_t *er,
    ngx_http_enroll_time_e next)
{
    uint64_t  now;

    now = ngx_enroll_clock();

    er->spent[er->lap] += now - er->clock;
    er->laps |= (ngx_uint_t) 1 << er->lap;

    er->clock = now;
    er->lap = next;
}


void
ngx_http_enroll_count(ngx_http_request_t *r, ngx_http_enroll_request_t *er)
{
    ngx_http_enroll_count_request(er);

    if (er->step && er->intent != NGX_HTTP_ENROLL_ASK) {

        /* not what is answered at once, nor what a probe asks all the time */

        ngx_http_enroll_count_times(er);
    }

    if (er->told == ENROLL_OK || er->told == ENROLL_RENEWED) {
        ngx_http_enroll_count_key(er);
    }

    if (er->legacy_used) {
        ngx_http_enroll_count_legacy(r, er);
    }
}


static void
ngx_http_enroll_count_request(ngx_http_enroll_request_t *er)
{
    u_char                    *reason;
    ngx_str_t                  labels[NGX_HTTP_ENROLL_LABELS];
    ngx_http_enroll_series_t  *s;

    ngx_memzero(labels, sizeof(labels));

    labels[0] = er->protocol->name;

    if (er->operation.len) {
        labels[1] = er->operation;

    } else {
        ngx_str_set(&labels[1], "other");
    }

    if (er->ca) {
        labels[NGX_HTTP_ENROLL_LABEL_CA] = er->ca->name;
    }

    if (er->profile) {
        labels[3] = er->profile->name;
    }

    ngx_http_enroll_outcome_name(&labels[NGX_HTTP_ENROLL_LABEL_OUTCOME],
                                 er->told);

    reason = (u_char *) enroll_outcome(er->told)->reason;

    labels[5].data = reason;
    labels[5].len = ngx_strlen(reason);

    s = ngx_http_enroll_series(NGX_HTTP_ENROLL_COUNT_REQUESTS, labels);

    (void) ngx_atomic_fetch_add(ngx_http_enroll_series_values(s), 1);
}


static void
ngx_http_enroll_count_times(ngx_http_enroll_request_t *er)
{
    uint64_t                   total;
    ngx_str_t                  name;
    ngx_uint_t                 i;
    ngx_http_enroll_times_t   *times;
    ngx_http_enroll_series_t  *s;

    name = er->protocol->name;

    s = ngx_http_enroll_series(NGX_HTTP_ENROLL_COUNT_TIMES, &name);
    times = (ngx_http_enroll_times_t *) ngx_http_enroll_series_values(s);

    ngx_http_enroll_lap(er, er->lap);

    if (er->protocol->encode == NULL) {
        er->laps &= ~((ngx_uint_t) 1 << NGX_HTTP_ENROLL_TIME_ENCODE);
    }

    total = 0;

    for (i = 0; i < NGX_HTTP_ENROLL_TIMES; i++) {
        if (er->laps & ((ngx_uint_t) 1 << i)) {
            ngx_http_enroll_observe(&times->times[i], er->spent[i]);
            total += er->spent[i];
        }
    }

    ngx_http_enroll_observe(&times->total, total);
}


/* a size of RSA keys is the client's choice: only the usual ones are named */

static void
ngx_http_enroll_count_key(ngx_http_enroll_request_t *er)
{
    char                       text[ENROLL_KEY_TEXT];
    ngx_str_t                  labels[2];
    enroll_key_t              *key;
    ngx_http_enroll_series_t  *s;

    key = &er->csr->key;

    labels[0] = er->ca->name;

    if (key->kind == ENROLL_KEY_RSA && key->bits % 1024) {
        ngx_str_set(&labels[1], "rsa:other");

    } else {
        labels[1].len = enroll_key_text(key, text);
        labels[1].data = (u_char *) text;
    }

    s = ngx_http_enroll_series(NGX_HTTP_ENROLL_COUNT_KEYS, labels);

    (void) ngx_atomic_fetch_add(ngx_http_enroll_series_values(s), 1);
}


static void
ngx_http_enroll_count_legacy(ngx_http_request_t *r,
    ngx_http_enroll_request_t *er)
{
    ngx_str_t                 *agent, labels[2];
    ngx_uint_t                 i;
    ngx_http_enroll_legacy_t  *legacy;
    ngx_http_enroll_series_t  *s;

    ngx_str_set(&labels[1], "none");

    if (r->headers_in.user_agent) {
        agent = &r->headers_in.user_agent->value;

        for (i = 0; ngx_http_enroll_clients[i].text.len; i++) {
            if (ngx_strlcasestrn(agent->data, agent->data + agent->len,
                                 ngx_http_enroll_clients[i].text.data,
                                 ngx_http_enroll_clients[i].text.len - 1))
            {
                break;
            }
        }

        labels[1] = ngx_http_enroll_clients[i].name;
    }

    for (i = 0; ngx_http_enroll_legacies[i].bit; i++) {

        if ((er->legacy_used & ngx_http_enroll_legacies[i].bit) == 0) {
            continue;
        }

        labels[0] = ngx_http_enroll_legacies[i].name;

        s = ngx_http_enroll_series(NGX_HTTP_ENROLL_COUNT_LEGACY, labels);
        legacy = (ngx_http_enroll_legacy_t *) ngx_http_enroll_series_values(s);

        (void) ngx_atomic_fetch_add(&legacy->requests, 1);
        legacy->last = ngx_time();
    }
}


/* the store's */

void
ngx_http_enroll_count_redis(ngx_enroll_redis_event_e event, uint64_t ns)
{
    ngx_http_enroll_zone_t    *zone;
    ngx_http_enroll_worker_t  *worker;

    static ngx_uint_t  before;

    zone = ngx_http_enroll_zone;
    worker = ngx_http_enroll_worker;

    switch (event) {

    case NGX_ENROLL_REDIS_CONNECTED:
        worker->redis = 1;

        if (before) {
            (void) ngx_atomic_fetch_add(&zone->redis_reconnects, 1);
        }

        before = 1;
        break;

    case NGX_ENROLL_REDIS_NOT_CONNECTED:
        worker->redis = 0;              /* it may have turned unfit */
        (void) ngx_atomic_fetch_add(&zone->redis_connect_failures, 1);
        break;

    case NGX_ENROLL_REDIS_DISCONNECTED:
        worker->redis = 0;
        break;

    case NGX_ENROLL_REDIS_SENT:
        worker->commands++;
        break;

    case NGX_ENROLL_REDIS_ANSWERED:
        worker->commands--;
        ngx_http_enroll_observe(&zone->redis_times, ns);
        break;

    case NGX_ENROLL_REDIS_FAILED:
        worker->commands--;
        (void) ngx_atomic_fetch_add(&zone->redis_failures, 1);
        break;
    }
}


void
ngx_http_enroll_outcome_name(ngx_str_t *name, enroll_outcome_e outcome)
{
    const enroll_outcome_t  *row;

    static char  *classes[] = { NULL, "refused", "failed" };

    row = enroll_outcome(outcome);

    name->data = (u_char *) (classes[row->class] ? classes[row->class]
                                                 : row->reason);
    name->len = ngx_strlen(name->data);
}


void
ngx_http_enroll_totals(ngx_http_enroll_ca_t *ca,
    ngx_http_enroll_totals_t *totals)
{
    ngx_str_t                  labels[NGX_HTTP_ENROLL_LABELS], *name;
    ngx_uint_t                 i, n;
    ngx_http_enroll_zone_t    *zone;
    ngx_http_enroll_series_t  *s;

    ngx_memzero(totals, sizeof(ngx_http_enroll_totals_t));

    zone = ngx_http_enroll_zone;

    for (i = 0; i < zone->nslots; i++) {

        s = zone->slots[i];

        if (s == NULL || s->family != NGX_HTTP_ENROLL_COUNT_REQUESTS) {
            continue;
        }

        ngx_http_enroll_series_labels(s, labels);

        name = &labels[NGX_HTTP_ENROLL_LABEL_CA];

        if (name->len != ca->name.len
            || ngx_memcmp(name->data, ca->name.data, name->len) != 0)
        {
            continue;
        }

        n = *ngx_http_enroll_series_values(s);
        name = &labels[NGX_HTTP_ENROLL_LABEL_OUTCOME];

        if (ngx_strcmp(name->data, "issued") == 0) {
            totals->issued += n;

        } else if (ngx_strcmp(name->data, "renewed") == 0) {
            totals->renewed += n;
        }
    }
}
