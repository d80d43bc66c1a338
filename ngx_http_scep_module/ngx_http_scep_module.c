
/*
 * Copyright (C) The nginx-enroll authors
 */


/*
 * Simple Certificate Enrolment Protocol (RFC 8894): what a CA says of itself,
 * GetCACaps and GetCACert.
 */


#include "ngx_http_enroll.h"


typedef struct {
    ngx_http_enroll_endpoint_t    endpoint;
} ngx_http_scep_loc_conf_t;


static enroll_outcome_e ngx_http_scep_decode(ngx_http_enroll_request_t *er,
    ngx_str_t *body);
static ngx_int_t ngx_http_scep_answer(ngx_http_request_t *r,
    ngx_http_enroll_request_t *er);
static ngx_int_t ngx_http_scep_send_ca_cert(ngx_http_request_t *r,
    ngx_http_enroll_request_t *er);
static ngx_int_t ngx_http_scep_handler(ngx_http_request_t *r);
static ngx_int_t ngx_http_scep_preconfiguration(ngx_conf_t *cf);
static void *ngx_http_scep_create_loc_conf(ngx_conf_t *cf);
static char *ngx_http_scep_merge_loc_conf(ngx_conf_t *cf, void *parent,
    void *child);
static char *ngx_http_scep(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);


static const ngx_http_enroll_protocol_t  ngx_http_scep_protocol = {
    ngx_string("scep"),
    ngx_http_scep_decode,
    NULL,                                  /* open */
    NULL,                                  /* authorize */
    NULL,                                  /* encode */
    ngx_http_scep_answer,
    NULL                                   /* free */
};


static ngx_str_t  ngx_http_scep_ca_caps = ngx_string("GetCACaps");
static ngx_str_t  ngx_http_scep_ca_cert = ngx_string("GetCACert");


static ngx_command_t  ngx_http_scep_commands[] = {

    { ngx_string("scep"),
      NGX_HTTP_LOC_CONF|NGX_CONF_TAKE12,
      ngx_http_scep,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

      ngx_null_command
};


static ngx_http_module_t  ngx_http_scep_module_ctx = {
    ngx_http_scep_preconfiguration,        /* preconfiguration */
    NULL,                                  /* postconfiguration */

    NULL,                                  /* create main configuration */
    NULL,                                  /* init main configuration */

    NULL,                                  /* create server configuration */
    NULL,                                  /* merge server configuration */

    ngx_http_scep_create_loc_conf,         /* create location configuration */
    ngx_http_scep_merge_loc_conf           /* merge location configuration */
};


ngx_module_t  ngx_http_scep_module = {
    NGX_MODULE_V1,
    &ngx_http_scep_module_ctx,             /* module context */
    ngx_http_scep_commands,                /* module directives */
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


static ngx_int_t
ngx_http_scep_handler(ngx_http_request_t *r)
{
    ngx_str_t                   operation;
    enroll_outcome_e            rc;
    ngx_http_scep_loc_conf_t   *sclcf;
    ngx_http_enroll_request_t  *er;

    if (r != r->main) {
        return NGX_HTTP_NOT_FOUND;
    }

    sclcf = ngx_http_get_module_loc_conf(r, ngx_http_scep_module);

    er = ngx_http_enroll_create(r, &ngx_http_scep_protocol, &sclcf->endpoint);
    if (er == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    rc = ngx_http_enroll_find(r, er);

    if (rc != ENROLL_OK) {
        return ngx_http_enroll_end(r, er, rc);
    }

    if (ngx_http_arg(r, (u_char *) "operation", sizeof("operation") - 1,
                     &operation)
        != NGX_OK)
    {
        return ngx_http_enroll_end(r, er, ENROLL_NO_OPERATION);
    }

    if (operation.len == ngx_http_scep_ca_caps.len
        && ngx_strncmp(operation.data, ngx_http_scep_ca_caps.data,
                       operation.len)
           == 0)
    {
        er->operation = ngx_http_scep_ca_caps;

    } else if (operation.len == ngx_http_scep_ca_cert.len
               && ngx_strncmp(operation.data, ngx_http_scep_ca_cert.data,
                              operation.len)
                  == 0)
    {
        er->operation = ngx_http_scep_ca_cert;

    } else {
        return ngx_http_enroll_end(r, er, ENROLL_NO_OPERATION);
    }

    if (!(r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD))) {
        return ngx_http_enroll_end(r, er, ENROLL_METHOD);
    }

    return ngx_http_enroll_end(r, er, ENROLL_SERVED);
}


/* no operation of those served has a body that means anything */

static enroll_outcome_e
ngx_http_scep_decode(ngx_http_enroll_request_t *er, ngx_str_t *body)
{
    return ENROLL_NO_OPERATION;
}


static ngx_int_t
ngx_http_scep_answer(ngx_http_request_t *r, ngx_http_enroll_request_t *er)
{
    ngx_str_t  value;

    if (er->outcome != ENROLL_SERVED) {

        if (er->outcome == ENROLL_METHOD) {
            ngx_str_set(&value, "GET, HEAD");

            if (ngx_http_enroll_header(r, "Allow", &value) != NGX_OK) {
                return NGX_ERROR;
            }
        }

        return ngx_http_enroll_send_refusal(r, er);
    }

    if (er->operation.data == ngx_http_scep_ca_cert.data) {
        return ngx_http_scep_send_ca_cert(r, er);
    }

    /*
     * RFC 8894, section 3.5.2: a capability is listed where it is there to
     * be used, and none is without PKIOperation
     */

    ngx_str_null(&value);

    return ngx_http_enroll_send(r, NGX_HTTP_OK, "text/plain", &value);
}


/* RFC 8894, section 4.2.1 */

static ngx_int_t
ngx_http_scep_send_ca_cert(ngx_http_request_t *r,
    ngx_http_enroll_request_t *er)
{
    int              n;
    u_char          *der;
    size_t           len;
    ngx_str_t        body;
    const char      *type;
    STACK_OF(X509)  *chain;

    der = NULL;
    chain = er->ca->pki.chain;

    if (sk_X509_num(chain) == 1) {
        type = "application/x-x509-ca-cert";
        n = i2d_X509(sk_X509_value(chain, 0), &der);
        len = (n > 0) ? n : 0;

    } else {
        type = "application/x-x509-ca-ra-cert";
        len = enroll_bag(chain, 0, &der);
    }

    if (len == 0) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    body.len = len;
    body.data = ngx_pnalloc(r->pool, len);

    if (body.data) {
        ngx_memcpy(body.data, der, len);
    }

    OPENSSL_free(der);

    if (body.data == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_enroll_send(r, NGX_HTTP_OK, type, &body);
}


static ngx_int_t
ngx_http_scep_preconfiguration(ngx_conf_t *cf)
{
    if (ngx_http_enroll_abi != NGX_HTTP_ENROLL_ABI) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "ngx_http_scep_module and ngx_http_enroll_module are of "
                      "different builds");
        return NGX_ERROR;
    }

    return NGX_OK;
}


static void *
ngx_http_scep_create_loc_conf(ngx_conf_t *cf)
{
    return ngx_pcalloc(cf->pool, sizeof(ngx_http_scep_loc_conf_t));
}


static char *
ngx_http_scep_merge_loc_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_http_scep_loc_conf_t *prev = parent;
    ngx_http_scep_loc_conf_t *conf = child;

    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    if (prev->endpoint.ca_value && clcf->noname && clcf->handler == NULL) {

        /* "if" and "limit_except" */

        conf->endpoint = prev->endpoint;
        clcf->handler = ngx_http_scep_handler;
    }

    if (conf->endpoint.ca_value == NULL) {
        return NGX_CONF_OK;
    }

    return ngx_http_enroll_endpoint_init(cf, &conf->endpoint);
}


static char *
ngx_http_scep(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_scep_loc_conf_t *sclcf = conf;

    char                      *rv;
    ngx_http_core_loc_conf_t  *clcf;

    rv = ngx_http_enroll_endpoint(cf, &sclcf->endpoint);

    if (rv != NGX_CONF_OK) {
        return rv;
    }

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);
    clcf->handler = ngx_http_scep_handler;

    return NGX_CONF_OK;
}
