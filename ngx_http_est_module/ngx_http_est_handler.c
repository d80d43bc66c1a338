
/*
 * Copyright (C) The nginx-enroll authors
 */


/*
 * The operations of EST: which it is, and who may ask for it.
 */


#include "ngx_http_est.h"


#define NGX_HTTP_EST_WELL_KNOWN   "/.well-known/est/"


static enroll_outcome_e ngx_http_est_form(ngx_http_request_t *r,
    ngx_http_enroll_request_t *er, ngx_http_est_loc_conf_t *eslcf);


static const struct {
    ngx_str_t    name;
    ngx_uint_t   methods;
} ngx_http_est_operations[] = {
    { ngx_string("cacerts"), NGX_HTTP_GET|NGX_HTTP_HEAD },
    { ngx_string("csrattrs"), NGX_HTTP_GET|NGX_HTTP_HEAD },
    { ngx_string("simpleenroll"), NGX_HTTP_POST },
    { ngx_string("simplereenroll"), NGX_HTTP_POST }
};


/* ngx_http_est_operation_e, or NGX_DECLINED */

ngx_int_t
ngx_http_est_operation(ngx_str_t *name)
{
    ngx_int_t         i;
    const ngx_str_t  *op;

    for (i = 0; i <= NGX_HTTP_EST_SIMPLEREENROLL; i++) {

        op = &ngx_http_est_operations[i].name;

        if (op->len == name->len
            && ngx_memcmp(op->data, name->data, name->len) == 0)
        {
            return i;
        }
    }

    return NGX_DECLINED;
}


/*
 * Before auth_basic and its like: a wrong path, method or type is told as
 * such, whoever asks.  Grants nothing: what other rules say is their matter,
 * and the content handler decides for itself.
 */

ngx_int_t
ngx_http_est_access_handler(ngx_http_request_t *r)
{
    enroll_outcome_e            rc;
    ngx_http_est_loc_conf_t    *eslcf;
    ngx_http_enroll_request_t  *er;

    eslcf = ngx_http_get_module_loc_conf(r, ngx_http_est_module);

    if (eslcf->endpoint.ca_value == NULL) {
        return NGX_DECLINED;
    }

    er = ngx_http_enroll_create(r, &ngx_http_est_protocol, &eslcf->endpoint);
    if (er == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    rc = ngx_http_est_form(r, er, eslcf);

    if (rc == ENROLL_OK) {
        return NGX_DECLINED;
    }

    ngx_http_finalize_request(r, ngx_http_enroll_end(r, er, rc));

    return NGX_DONE;
}


static enroll_outcome_e
ngx_http_est_form(ngx_http_request_t *r, ngx_http_enroll_request_t *er,
    ngx_http_est_loc_conf_t *eslcf)
{
    ngx_int_t          n;
    ngx_str_t          rest, *coding;
    ngx_uint_t         methods;
    ngx_connection_t  *c;
    enroll_outcome_e   rc;

    c = r->connection;

    if (c->ssl == NULL) {
        return ENROLL_NO_TLS;
    }

    if (eslcf->named) {

        /* the location's name says nothing of the URI */

        if (r->uri.len < sizeof(NGX_HTTP_EST_WELL_KNOWN) - 1
            || ngx_strncmp(r->uri.data, NGX_HTTP_EST_WELL_KNOWN,
                           sizeof(NGX_HTTP_EST_WELL_KNOWN) - 1)
               != 0)
        {
            return ENROLL_NO_OPERATION;
        }

        rest.data = r->uri.data + sizeof(NGX_HTTP_EST_WELL_KNOWN) - 1;
        rest.len = r->uri.len - (sizeof(NGX_HTTP_EST_WELL_KNOWN) - 1);

    } else {
        ngx_http_enroll_rest(r, er->endpoint, &rest);
    }

    methods = NGX_HTTP_GET|NGX_HTTP_HEAD;

    n = ngx_http_est_operation(&rest);

    if (n != NGX_DECLINED) {
        er->operation = ngx_http_est_operations[n].name;
        methods = ngx_http_est_operations[n].methods;

    } else {

        switch (ngx_http_enroll_page(r, er, &ngx_http_est_pages, &rest)) {

        case NGX_OK:
            break;

        case NGX_DECLINED:
            return ENROLL_NO_OPERATION;

        default:
            return ENROLL_INTERNAL;
        }
    }

    rc = ngx_http_enroll_find(r, er);

    if (rc != ENROLL_OK) {
        return rc;
    }

    if (!(r->method & methods)) {
        return ENROLL_METHOD;
    }

    if (r->method != NGX_HTTP_POST) {
        return ENROLL_OK;
    }

    /* RFC 8446, section 8: what came early may have been replayed */

    if (!SSL_is_init_finished(c->ssl->connection)) {
        return ENROLL_EARLY_DATA;
    }

    if (r->headers_in.content_length_n > (off_t) er->elcf->max_body_size) {
        return ENROLL_TOO_LARGE;
    }

    coding = ngx_http_enroll_header_in(r, "content-encoding");

    if (coding && coding->len
        && (coding->len != sizeof("identity") - 1
            || ngx_strncasecmp(coding->data, (u_char *) "identity",
                               coding->len)
               != 0))
    {
        return ENROLL_CODING;
    }

    if (ngx_http_est_media_type(r) < 0) {
        return ENROLL_MEDIA_TYPE;
    }

    return ENROLL_OK;
}


ngx_int_t
ngx_http_est_handler(ngx_http_request_t *r)
{
    enroll_outcome_e            rc;
    ngx_http_est_loc_conf_t    *eslcf;
    ngx_http_enroll_request_t  *er;

    er = ngx_http_get_module_ctx(r, ngx_http_enroll_module);

    if (er == NULL || er->ca == NULL) {

        /* a subrequest: it was not looked at, and is none of ours */

        return NGX_HTTP_NOT_FOUND;
    }

    eslcf = ngx_http_get_module_loc_conf(r, ngx_http_est_module);

    if (er->protocol == &ngx_http_est_pages.protocol) {
        return ngx_http_est_page(r, er, eslcf);
    }

    switch (ngx_http_est_operation(&er->operation)) {

    case NGX_HTTP_EST_CACERTS:
        return ngx_http_enroll_end(r, er, ENROLL_SERVED);

    case NGX_HTTP_EST_CSRATTRS:
        rc = (eslcf->attrs && eslcf->attrs->der.len == 0) ? ENROLL_NOTHING
                                                          : ENROLL_SERVED;
        return ngx_http_enroll_end(r, er, rc);

    default: /* simpleenroll, simplereenroll */
        break;
    }

    er->repeat = eslcf->repeat;
    er->unrecorded = eslcf->unrecorded;

    rc = ngx_http_est_authenticate(r, er, eslcf, eslcf->auth);

    if (rc != ENROLL_OK) {
        return ngx_http_enroll_end(r, er, rc);
    }

    return ngx_http_enroll_start(r, er);
}


enroll_outcome_e
ngx_http_est_authenticate(ngx_http_request_t *r, ngx_http_enroll_request_t *er,
    ngx_http_est_loc_conf_t *eslcf, ngx_uint_t auth)
{
    ngx_uint_t        reenroll;
    enroll_outcome_e  rc;

    reenroll = (ngx_http_est_operation(&er->operation)
                == NGX_HTTP_EST_SIMPLEREENROLL);

    rc = ENROLL_NO_CLIENT_CERT;

    if (auth != NGX_HTTP_EST_AUTH_BASIC || reenroll) {
        rc = ngx_http_enroll_certificate(r, er, eslcf->client_ca);
    }

    if (rc == ENROLL_INTERNAL) {
        return rc;
    }

    if (reenroll && rc == ENROLL_OK && !er->renewal) {
        return ENROLL_RENEWAL_ISSUER;
    }

    switch (auth) {

    case NGX_HTTP_EST_AUTH_CERTIFICATE:
        return rc;

    case NGX_HTTP_EST_AUTH_NONE:
        if (reenroll) {
            return rc;
        }

        if (rc != ENROLL_OK) {
            ngx_str_set(&er->requester, "none");
        }

        return ENROLL_OK;

    case NGX_HTTP_EST_AUTH_ANY:
        if (rc == ENROLL_OK || reenroll || eslcf->users == NULL) {
            return rc;
        }
        break;

    case NGX_HTTP_EST_AUTH_BASIC:
        if (reenroll && rc != ENROLL_OK) {
            return rc;
        }
        break;

    default: /* NGX_HTTP_EST_AUTH_BOTH */
        if (rc != ENROLL_OK && r->headers_in.authorization) {
            return rc;
        }

        if (rc != ENROLL_OK) {
            return ENROLL_UNAUTHORIZED;
        }
        break;
    }

    switch (ngx_http_enroll_basic(r, er, eslcf->users)) {

    case NGX_OK:
        return ENROLL_OK;

    case NGX_DECLINED:
        return ENROLL_UNAUTHORIZED;

    default:
        return ENROLL_INTERNAL;
    }
}


ngx_int_t
ngx_http_est_csrattrs(ngx_pool_t *pool, ngx_http_est_loc_conf_t *eslcf,
    ngx_http_enroll_profile_t *profile, ngx_http_est_payload_t *payload)
{
    u_char             *der;
    size_t              len;
    ngx_int_t           rc;
    ngx_str_t          *word;
    ngx_uint_t          i;
    enroll_csrattrs_t  *attrs;

    rc = NGX_ERROR;

    attrs = enroll_csrattrs_new();
    if (attrs == NULL) {
        return NGX_ERROR;
    }

    if (eslcf->csrattrs == NULL) {
        if (!enroll_csrattrs_add_rules(attrs, &profile->pki.keys)) {
            goto done;
        }

    } else {
        word = eslcf->csrattrs->elts;

        for (i = 0; i < eslcf->csrattrs->nelts; i++) {
            if (enroll_csrattrs_add(attrs, (char *) word[i].data, word[i].len))
            {
                goto done;
            }
        }
    }

    der = NULL;
    len = enroll_csrattrs_der(attrs, &der);

    if (len == 0) {
        rc = NGX_DECLINED;
        goto done;
    }

    rc = ngx_http_est_payload(pool, payload, der, len);

    OPENSSL_free(der);

done:

    enroll_csrattrs_free(attrs);

    return rc;
}
