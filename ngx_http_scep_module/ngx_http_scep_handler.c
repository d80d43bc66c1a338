
/*
 * Copyright (C) The nginx-enroll authors
 */


/*
 * The operations of SCEP (RFC 8894, section 4), and what a CA says of itself.
 */


#include "ngx_http_scep.h"


/* the longest is GetNextCACert, each of its characters percent-encoded */

#define NGX_HTTP_SCEP_OPERATION  (3 * (sizeof("GetNextCACert") - 1))


static ngx_int_t ngx_http_scep_find_page(ngx_http_request_t *r,
    ngx_http_enroll_request_t *er);
static ngx_int_t ngx_http_scep_operation(ngx_http_request_t *r,
    ngx_http_enroll_request_t *er);


ngx_str_t  ngx_http_scep_get_ca_caps = ngx_string("GetCACaps");
ngx_str_t  ngx_http_scep_get_ca_cert = ngx_string("GetCACert");
ngx_str_t  ngx_http_scep_get_next_ca_cert = ngx_string("GetNextCACert");
ngx_str_t  ngx_http_scep_pki_operation = ngx_string("PKIOperation");


ngx_int_t
ngx_http_scep_handler(ngx_http_request_t *r)
{
    enroll_outcome_e            rc;
    ngx_http_scep_ctx_t        *ctx;
    ngx_http_scep_loc_conf_t   *sclcf;
    ngx_http_scep_main_conf_t  *smcf;
    ngx_http_enroll_request_t  *er;

    if (r != r->main) {
        return NGX_HTTP_NOT_FOUND;
    }

    sclcf = ngx_http_get_module_loc_conf(r, ngx_http_scep_module);

    er = ngx_http_enroll_create(r, &ngx_http_scep_protocol, &sclcf->endpoint);
    if (er == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (ngx_http_scep_find_page(r, er) == NGX_ERROR) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    rc = ngx_http_enroll_find(r, er);

    if (rc != ENROLL_OK) {
        return ngx_http_enroll_end(r, er, rc);
    }

    if (er->ca->ra.sign_key == NULL) {

        /* named by a variable: "nginx -t" could not know */

        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "CA \"%V\" has no RSA key and no \"ra_certificate\"",
                      &er->ca->name);
        return ngx_http_enroll_end(r, er, ENROLL_NO_CA);
    }

    if (er->protocol == &ngx_http_scep_pages.protocol) {
        return ngx_http_scep_page(r, er, sclcf);
    }

    if (ngx_http_scep_operation(r, er) != NGX_OK) {
        return ngx_http_enroll_end(r, er, ENROLL_SCEP_OPERATION);
    }

    ctx = ngx_pcalloc(er->pool, sizeof(ngx_http_scep_ctx_t));
    if (ctx == NULL) {
        return ngx_http_enroll_end(r, er, ENROLL_INTERNAL);
    }

    ctx->conf = sclcf;
    er->message = ctx;

    rc = ngx_http_scep_ra(er, ctx);

    if (rc == ENROLL_INTERNAL) {
        return ngx_http_enroll_end(r, er, rc);
    }

    if (er->operation.data == ngx_http_scep_pki_operation.data) {

        if (!(r->method & (NGX_HTTP_GET|NGX_HTTP_POST))) {
            return ngx_http_enroll_end(r, er, ENROLL_METHOD);
        }

        if (r->headers_in.content_length_n > (off_t) er->elcf->max_body_size) {
            return ngx_http_enroll_end(r, er, ENROLL_TOO_LARGE);
        }

        if (rc != ENROLL_OK) {
            return ngx_http_enroll_end(r, er, rc);
        }

        er->repeat = sclcf->repeat;
        er->unrecorded = sclcf->unrecorded;
        er->legacy = ngx_http_scep_legacy_bits(sclcf);
        er->failures = sclcf->failures;
        er->failures_time = sclcf->failures_time;

        return ngx_http_enroll_start(r, er);
    }

    if (!(r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD))) {
        return ngx_http_enroll_end(r, er, ENROLL_METHOD);
    }

    if (er->operation.data == ngx_http_scep_get_ca_cert.data
        && rc == ENROLL_RA_EXPIRED
        && sclcf->ca_certs != NGX_HTTP_SCEP_CERTS_ISSUER)
    {
        /* without an RA's certificate clients would encrypt to the CA */

        return ngx_http_enroll_end(r, er, rc);
    }

    if (er->operation.data == ngx_http_scep_get_next_ca_cert.data) {
        smcf = ngx_http_get_module_main_conf(r, ngx_http_scep_module);

        if (smcf->next_ca[er->ca->index].len == 0) {
            return ngx_http_enroll_end(r, er, ENROLL_NO_NEXT_CA);
        }

        /* it was signed when the configuration was read */

        if (enroll_cert_dates(er->ca->ra.sign_cert, ngx_time()) != ENROLL_OK)
        {
            return ngx_http_enroll_end(r, er, rc ? rc : ENROLL_RA_EXPIRED);
        }
    }

    return ngx_http_enroll_end(r, er, ENROLL_SERVED);
}


/* what has no operation is none of SCEP's, unless it is a POST */

static ngx_int_t
ngx_http_scep_find_page(ngx_http_request_t *r, ngx_http_enroll_request_t *er)
{
    ngx_str_t  value;

    if (!(r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD))
        || ngx_http_arg(r, (u_char *) "operation", sizeof("operation") - 1,
                        &value)
           == NGX_OK)
    {
        return NGX_DECLINED;
    }

    ngx_http_enroll_rest(r, er->endpoint, &value);

    return ngx_http_enroll_page(r, er, &ngx_http_scep_pages, &value);
}


/*
 * RFC 8894, section 4.1; a POST without a word is a PKIOperation.  Of two
 * operations the first one counts, as of two messages.
 */

static ngx_int_t
ngx_http_scep_operation(ngx_http_request_t *r, ngx_http_enroll_request_t *er)
{
    u_char      *src, *dst, name[NGX_HTTP_SCEP_OPERATION];
    size_t       len;
    ngx_str_t    value;
    ngx_uint_t   i;

    static ngx_str_t  *operations[] = {
        &ngx_http_scep_get_ca_caps,
        &ngx_http_scep_get_ca_cert,
        &ngx_http_scep_get_next_ca_cert,
        &ngx_http_scep_pki_operation
    };

    if (ngx_http_arg(r, (u_char *) "operation", sizeof("operation") - 1,
                     &value)
        != NGX_OK)
    {
        if (r->method == NGX_HTTP_POST) {
            er->operation = ngx_http_scep_pki_operation;
            return NGX_OK;
        }

        return NGX_DECLINED;
    }

    if (value.len > NGX_HTTP_SCEP_OPERATION) {
        return NGX_DECLINED;
    }

    src = value.data;
    dst = name;

    ngx_unescape_uri(&dst, &src, value.len, 0);

    len = dst - name;

    for (i = 0; i < sizeof(operations) / sizeof(operations[0]); i++) {

        if (operations[i]->len == len
            && ngx_memcmp(operations[i]->data, name, len) == 0)
        {
            er->operation = *operations[i];
            return NGX_OK;
        }
    }

    return NGX_DECLINED;
}
