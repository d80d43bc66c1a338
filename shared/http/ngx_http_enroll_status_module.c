
/*
 * Copyright (C) The nginx-enroll authors
 */


/*
 * The page of figures: who asks for it in which format.  The figures of the
 * cluster are asked from Redis, and waited for no longer than a moment.
 */


#include "ngx_http_enroll_status_page.h"


#define NGX_HTTP_ENROLL_STATUS_WAIT  1000    /* ms */


typedef struct {
    ngx_http_enroll_status_format_e    format;
} ngx_http_enroll_status_loc_conf_t;


/* one that waits for Redis; it outlives the HTTP request where that ends */

typedef struct ngx_http_enroll_status_s  ngx_http_enroll_status_t;

typedef struct {
    ngx_http_enroll_status_t          *status;
    ngx_http_enroll_status_totals_t   *totals;
} ngx_http_enroll_status_call_t;

struct ngx_http_enroll_status_s {
    ngx_pool_t                        *pool;
    ngx_http_request_t                *request;   /* NULL: answered or gone */
    ngx_http_enroll_main_conf_t       *emcf;
    ngx_http_enroll_status_format_e    format;
    ngx_http_enroll_status_totals_t   *totals;    /* of each CA */
    ngx_http_enroll_status_call_t     *calls;
    ngx_uint_t                         waiting;   /* calls */
    ngx_uint_t                         up;
    ngx_uint_t                         attached;  /* r->pool knows it */
    ngx_event_t                        deadline;
};


static ngx_int_t ngx_http_enroll_status_handler(ngx_http_request_t *r);
static ngx_http_enroll_status_t *ngx_http_enroll_status_create(
    ngx_http_request_t *r);
static ngx_http_enroll_status_format_e ngx_http_enroll_status_format(
    ngx_http_request_t *r, ngx_http_enroll_status_format_e format);
static void ngx_http_enroll_status_ask(ngx_http_enroll_status_t *status);
static void ngx_http_enroll_status_answered(void *data,
    ngx_enroll_store_reply_t *reply);
static void ngx_http_enroll_status_deadline(ngx_event_t *ev);
static void ngx_http_enroll_status_finish(ngx_http_enroll_status_t *status);
static ngx_int_t ngx_http_enroll_status_send(ngx_http_request_t *r,
    ngx_http_enroll_status_t *status);
static void ngx_http_enroll_status_detach(void *data);
static void *ngx_http_enroll_status_create_loc_conf(ngx_conf_t *cf);
static char *ngx_http_enroll_status_merge_loc_conf(ngx_conf_t *cf,
    void *parent, void *child);
static char *ngx_http_enroll_status(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);


static ngx_command_t  ngx_http_enroll_status_commands[] = {

    { ngx_string("enroll_status"),
      NGX_HTTP_LOC_CONF|NGX_CONF_NOARGS|NGX_CONF_TAKE1,
      ngx_http_enroll_status,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

      ngx_null_command
};


static ngx_http_module_t  ngx_http_enroll_status_module_ctx = {
    NULL,                                  /* preconfiguration */
    NULL,                                  /* postconfiguration */

    NULL,                                  /* create main configuration */
    NULL,                                  /* init main configuration */

    NULL,                                  /* create server configuration */
    NULL,                                  /* merge server configuration */

    ngx_http_enroll_status_create_loc_conf, /* create location configuration */
    ngx_http_enroll_status_merge_loc_conf  /* merge location configuration */
};


ngx_module_t  ngx_http_enroll_status_module = {
    NGX_MODULE_V1,
    &ngx_http_enroll_status_module_ctx,    /* module context */
    ngx_http_enroll_status_commands,       /* module directives */
    NGX_HTTP_MODULE,                       /* module type */
    NULL,                                  /* init master */
    NULL,                                  /* init module */
    NULL,                                  /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    NULL,                                  /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


/* in the order of ngx_http_enroll_status_format_e */

static const char  *ngx_http_enroll_status_types[] = {
    NULL,
    "text/plain; version=0.0.4; charset=utf-8",
    "application/openmetrics-text; version=1.0.0; charset=utf-8",
    "application/json"
};


static ngx_int_t
ngx_http_enroll_status_handler(ngx_http_request_t *r)
{
    ngx_int_t                  rc;
    ngx_http_enroll_status_t  *status;

    if (r != r->main) {
        return NGX_HTTP_NOT_FOUND;
    }

    if (!(r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD))) {
        return NGX_HTTP_NOT_ALLOWED;
    }

    rc = ngx_http_discard_request_body(r);

    if (rc != NGX_OK) {
        return rc;
    }

    status = ngx_http_enroll_status_create(r);
    if (status == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_http_enroll_status_ask(status);

    if (status->waiting == 0) {
        status->request = NULL;
        return ngx_http_enroll_status_send(r, status);
    }

    ngx_add_timer(&status->deadline, NGX_HTTP_ENROLL_STATUS_WAIT);

    if (!r->discard_body) {
        r->read_event_handler = ngx_http_test_reading;
    }

    r->main->count++;

    return NGX_DONE;
}


static ngx_http_enroll_status_t *
ngx_http_enroll_status_create(ngx_http_request_t *r)
{
    ngx_uint_t                          n;
    ngx_pool_t                         *pool;
    ngx_pool_cleanup_t                 *cln;
    ngx_http_enroll_status_t           *status;
    ngx_http_enroll_status_loc_conf_t  *slcf;

    cln = ngx_pool_cleanup_add(r->pool, 0);
    if (cln == NULL) {
        return NULL;
    }

    pool = ngx_create_pool(1024, ngx_cycle->log);
    if (pool == NULL) {
        return NULL;
    }

    status = ngx_pcalloc(pool, sizeof(ngx_http_enroll_status_t));
    if (status == NULL) {
        ngx_destroy_pool(pool);
        return NULL;
    }

    slcf = ngx_http_get_module_loc_conf(r, ngx_http_enroll_status_module);

    status->pool = pool;
    status->request = r;
    status->emcf = ngx_http_get_module_main_conf(r, ngx_http_enroll_module);
    status->format = ngx_http_enroll_status_format(r, slcf->format);
    status->attached = 1;

    status->deadline.handler = ngx_http_enroll_status_deadline;
    status->deadline.data = status;
    status->deadline.log = ngx_cycle->log;

    cln->handler = ngx_http_enroll_status_detach;
    cln->data = status;

    n = status->emcf->cas.nelts;

    status->totals = ngx_pcalloc(pool,
                                 (n + 1)
                                 * sizeof(ngx_http_enroll_status_totals_t));
    status->calls = ngx_pcalloc(pool,
                                (n + 1)
                                * sizeof(ngx_http_enroll_status_call_t));

    /* r's pool frees it now */

    return (status->totals && status->calls) ? status : NULL;
}


/* "?format=", else what Prometheus can read best, unless JSON is configured */

static ngx_http_enroll_status_format_e
ngx_http_enroll_status_format(ngx_http_request_t *r,
    ngx_http_enroll_status_format_e format)
{
    ngx_str_t  value, *accept;

    if (ngx_http_arg(r, (u_char *) "format", sizeof("format") - 1, &value)
        == NGX_OK)
    {
        if (value.len == sizeof("json") - 1
            && ngx_strncmp(value.data, "json", value.len) == 0)
        {
            return NGX_HTTP_ENROLL_STATUS_JSON;
        }

        if (value.len == sizeof("prometheus") - 1
            && ngx_strncmp(value.data, "prometheus", value.len) == 0)
        {
            return NGX_HTTP_ENROLL_STATUS_PROMETHEUS;
        }
    }

    if (format == NGX_HTTP_ENROLL_STATUS_JSON) {
        return format;
    }

    accept = ngx_http_enroll_header_in(r, "accept");

    return (accept
            && ngx_strlcasestrn(accept->data, accept->data + accept->len,
                                (u_char *) "application/openmetrics-text",
                                sizeof("application/openmetrics-text") - 2))
           ? NGX_HTTP_ENROLL_STATUS_OPENMETRICS : format;
}


static void
ngx_http_enroll_status_ask(ngx_http_enroll_status_t *status)
{
    ngx_uint_t                      i;
    ngx_http_enroll_ca_t          **ca;
    ngx_http_enroll_main_conf_t    *emcf;
    ngx_http_enroll_status_call_t  *call;

    emcf = status->emcf;

    if (emcf->endpoint == NULL) {
        return;
    }

    ca = emcf->cas.elts;

    for (i = 0; i < emcf->cas.nelts; i++) {

        call = &status->calls[i];
        call->status = status;
        call->totals = &status->totals[i];

        if (ngx_enroll_store_totals(emcf->redis, &ca[i]->name,
                                    ngx_http_enroll_status_answered, call)
            == NGX_OK)
        {
            status->waiting++;
        }
    }
}


static void
ngx_http_enroll_status_answered(void *data, ngx_enroll_store_reply_t *reply)
{
    ngx_http_enroll_status_call_t *call = data;

    ngx_http_enroll_status_t  *status;

    status = call->status;

    status->waiting--;

    if (reply->result == NGX_ENROLL_STORE_TOTALS) {
        status->up = 1;
        call->totals->known = 1;
        call->totals->totals = reply->totals;
    }

    if (status->waiting) {
        return;
    }

    if (status->request) {
        ngx_http_enroll_status_finish(status);

    } else if (!status->attached) {
        ngx_destroy_pool(status->pool);
    }
}


static void
ngx_http_enroll_status_deadline(ngx_event_t *ev)
{
    ngx_http_enroll_status_finish(ev->data);
}


static void
ngx_http_enroll_status_finish(ngx_http_enroll_status_t *status)
{
    ngx_connection_t    *c;
    ngx_http_request_t  *r;

    r = status->request;
    c = r->connection;

    status->request = NULL;

    if (status->deadline.timer_set) {
        ngx_del_timer(&status->deadline);
    }

    ngx_http_set_log_request(c->log, r);

    ngx_http_finalize_request(r, ngx_http_enroll_status_send(r, status));

    /* status may be no more */

    ngx_http_run_posted_requests(c);
}


static ngx_int_t
ngx_http_enroll_status_send(ngx_http_request_t *r,
    ngx_http_enroll_status_t *status)
{
    ngx_int_t                      rc;
    ngx_str_t                      body, value;
    ngx_http_enroll_status_text_t  t;

    ngx_memzero(&t, sizeof(ngx_http_enroll_status_text_t));

    t.pool = r->pool;
    t.format = status->format;

    ngx_http_enroll_status_page(&t, status->emcf, status->totals, status->up);

    ngx_str_set(&value, "no-store");

    if (t.failed
        || ngx_http_enroll_header(r, "Cache-Control", &value) != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    body.data = t.data;
    body.len = t.len;

    rc = ngx_http_enroll_send(r, NGX_HTTP_OK,
                              ngx_http_enroll_status_types[t.format], &body);

    return (rc == NGX_ERROR && !r->header_sent)
           ? NGX_HTTP_INTERNAL_SERVER_ERROR : rc;
}


/* the pool of the HTTP request goes */

static void
ngx_http_enroll_status_detach(void *data)
{
    ngx_http_enroll_status_t *status = data;

    status->request = NULL;
    status->attached = 0;

    if (status->deadline.timer_set) {
        ngx_del_timer(&status->deadline);
    }

    if (status->waiting == 0) {
        ngx_destroy_pool(status->pool);
    }
}


static void *
ngx_http_enroll_status_create_loc_conf(ngx_conf_t *cf)
{
    return ngx_pcalloc(cf->pool, sizeof(ngx_http_enroll_status_loc_conf_t));
}


/* "if" and "limit_except" */

static char *
ngx_http_enroll_status_merge_loc_conf(ngx_conf_t *cf, void *parent,
    void *child)
{
    ngx_http_enroll_status_loc_conf_t *prev = parent;
    ngx_http_enroll_status_loc_conf_t *conf = child;

    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    if (prev->format && clcf->noname && clcf->handler == NULL) {
        conf->format = prev->format;
        clcf->handler = ngx_http_enroll_status_handler;
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_enroll_status(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_enroll_status_loc_conf_t *slcf = conf;

    ngx_str_t                 *value;
    ngx_http_core_loc_conf_t  *clcf;

    if (slcf->format) {
        return "is duplicate";
    }

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    if (clcf->handler) {
        return "is in a location that has another handler";
    }

    slcf->format = NGX_HTTP_ENROLL_STATUS_PROMETHEUS;

    if (cf->args->nelts == 2) {

        value = cf->args->elts;

        if (ngx_strcmp(value[1].data, "json") == 0) {
            slcf->format = NGX_HTTP_ENROLL_STATUS_JSON;

        } else if (ngx_strcmp(value[1].data, "prometheus") != 0) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid parameter \"%V\"", &value[1]);
            return NGX_CONF_ERROR;
        }
    }

    clcf->handler = ngx_http_enroll_status_handler;

    return NGX_CONF_OK;
}
