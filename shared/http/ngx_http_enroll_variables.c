
/*
 * Copyright (C) The nginx-enroll authors
 */


/*
 * Variables for log_format, map and templates.
 */


#include "ngx_http_enroll_status.h"


typedef enum {
    NGX_HTTP_ENROLL_VAR_CSR_SUBJECT = 0,
    NGX_HTTP_ENROLL_VAR_CSR_CN,
    NGX_HTTP_ENROLL_VAR_CSR_SAN,
    NGX_HTTP_ENROLL_VAR_CSR_KEY,
    NGX_HTTP_ENROLL_VAR_SERIAL,
    NGX_HTTP_ENROLL_VAR_SUBJECT,
    NGX_HTTP_ENROLL_VAR_NOT_AFTER,
    NGX_HTTP_ENROLL_VAR_CA,
    NGX_HTTP_ENROLL_VAR_PROFILE,
    NGX_HTTP_ENROLL_VAR_PROTOCOL,
    NGX_HTTP_ENROLL_VAR_OUTCOME,
    NGX_HTTP_ENROLL_VAR_REASON
} ngx_http_enroll_var_e;


static ngx_int_t ngx_http_enroll_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_enroll_variable_str(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_uint_t ngx_http_enroll_ours(ngx_http_request_t *r,
    ngx_http_enroll_request_t *er);
static void ngx_http_enroll_csr_text(ngx_pool_t *pool, ngx_str_t *text,
    enroll_csr_t *csr, ngx_http_enroll_var_e var);
static void ngx_http_enroll_issued_text(ngx_pool_t *pool, ngx_str_t *text,
    ngx_http_enroll_request_t *er, ngx_http_enroll_var_e var);


static ngx_http_variable_t  ngx_http_enroll_vars[] = {

    { ngx_string("enroll_protocol"), NULL, ngx_http_enroll_variable,
      NGX_HTTP_ENROLL_VAR_PROTOCOL, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("enroll_operation"), NULL, ngx_http_enroll_variable_str,
      offsetof(ngx_http_enroll_request_t, operation),
      NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("enroll_ca"), NULL, ngx_http_enroll_variable,
      NGX_HTTP_ENROLL_VAR_CA, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("enroll_profile"), NULL, ngx_http_enroll_variable,
      NGX_HTTP_ENROLL_VAR_PROFILE, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("enroll_outcome"), NULL, ngx_http_enroll_variable,
      NGX_HTTP_ENROLL_VAR_OUTCOME, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("enroll_reason"), NULL, ngx_http_enroll_variable,
      NGX_HTTP_ENROLL_VAR_REASON, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("enroll_serial"), NULL, ngx_http_enroll_variable,
      NGX_HTTP_ENROLL_VAR_SERIAL, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("enroll_subject"), NULL, ngx_http_enroll_variable,
      NGX_HTTP_ENROLL_VAR_SUBJECT, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("enroll_identity"), NULL, ngx_http_enroll_variable_str,
      offsetof(ngx_http_enroll_request_t, identity),
      NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("enroll_not_after"), NULL, ngx_http_enroll_variable,
      NGX_HTTP_ENROLL_VAR_NOT_AFTER, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("enroll_csr_subject"), NULL, ngx_http_enroll_variable,
      NGX_HTTP_ENROLL_VAR_CSR_SUBJECT, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("enroll_csr_cn"), NULL, ngx_http_enroll_variable,
      NGX_HTTP_ENROLL_VAR_CSR_CN, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("enroll_csr_san"), NULL, ngx_http_enroll_variable,
      NGX_HTTP_ENROLL_VAR_CSR_SAN, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("enroll_csr_key"), NULL, ngx_http_enroll_variable,
      NGX_HTTP_ENROLL_VAR_CSR_KEY, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("enroll_transaction_id"), NULL, ngx_http_enroll_variable_str,
      offsetof(ngx_http_enroll_request_t, id), NGX_HTTP_VAR_NOCACHEABLE, 0 },

      ngx_http_null_variable
};


ngx_int_t
ngx_http_enroll_add_variables(ngx_conf_t *cf)
{
    ngx_http_variable_t  *var, *v;

    for (v = ngx_http_enroll_vars; v->name.len; v++) {

        var = ngx_http_add_variable(cf, &v->name, v->flags);
        if (var == NULL) {
            return NGX_ERROR;
        }

        var->get_handler = v->get_handler;
        var->data = v->data;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_enroll_variable_str(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_str_t                  *text;
    ngx_http_enroll_request_t  *er;

    er = ngx_http_enroll_get(r);
    text = er ? (ngx_str_t *) ((char *) er + data) : NULL;

    if (text == NULL || text->len == 0) {
        v->not_found = 1;
        return NGX_OK;
    }

    v->len = text->len;
    v->valid = 1;
    v->no_cacheable = 0;
    v->not_found = 0;
    v->data = text->data;

    return NGX_OK;
}


static ngx_int_t
ngx_http_enroll_variable(ngx_http_request_t *r, ngx_http_variable_value_t *v,
    uintptr_t data)
{
    ngx_str_t                   text;
    ngx_http_enroll_var_e       var;
    const enroll_outcome_t     *outcome;
    ngx_http_enroll_request_t  *er;

    er = ngx_http_enroll_get(r);

    if (er == NULL) {
        v->not_found = 1;
        return NGX_OK;
    }

    var = (ngx_http_enroll_var_e) data;
    outcome = enroll_outcome(er->told);

    ngx_str_null(&text);

    switch (var) {

    case NGX_HTTP_ENROLL_VAR_PROTOCOL:
        text = er->protocol->name;
        break;

    case NGX_HTTP_ENROLL_VAR_CA:
        if (er->ca) {
            text = er->ca->name;
        }
        break;

    case NGX_HTTP_ENROLL_VAR_PROFILE:
        if (er->profile) {
            text = er->profile->name;
        }
        break;

    case NGX_HTTP_ENROLL_VAR_OUTCOME:
        if (!ngx_http_enroll_ours(r, er)) {
            break;
        }

        ngx_http_enroll_outcome_name(&text, er->told);
        break;

    case NGX_HTTP_ENROLL_VAR_REASON:
        if (!ngx_http_enroll_ours(r, er)) {
            break;
        }

        text.data = (u_char *) outcome->reason;
        text.len = ngx_strlen(text.data);
        break;

    case NGX_HTTP_ENROLL_VAR_SERIAL:
    case NGX_HTTP_ENROLL_VAR_SUBJECT:
    case NGX_HTTP_ENROLL_VAR_NOT_AFTER:

        /*
         * What was signed but not given out is nobody's certificate; a job
         * that outlived its request may be writing it right now.
         */

        if (outcome->class == ENROLL_CLASS_DONE && er->issued.der) {
            ngx_http_enroll_issued_text(r->pool, &text, er, var);
        }
        break;

    default:
        if (er->csr) {
            ngx_http_enroll_csr_text(r->pool, &text, er->csr, var);
        }
        break;
    }

    if (text.len == 0) {
        v->not_found = 1;
        return NGX_OK;
    }

    v->len = text.len;
    v->valid = 1;
    v->no_cacheable = 0;
    v->not_found = 0;
    v->data = text.data;

    return NGX_OK;
}


/* a rule in front of us may have answered, and that is no outcome of ours */

static ngx_uint_t
ngx_http_enroll_ours(ngx_http_request_t *r, ngx_http_enroll_request_t *er)
{
    return er->told != ENROLL_CLIENT_GONE
           || r->headers_out.status == NGX_HTTP_CLIENT_CLOSED_REQUEST;
}


static void
ngx_http_enroll_csr_text(ngx_pool_t *pool, ngx_str_t *text, enroll_csr_t *csr,
    ngx_http_enroll_var_e var)
{
    switch (var) {

    case NGX_HTTP_ENROLL_VAR_CSR_SUBJECT:
        ngx_http_enroll_text(pool, text, enroll_text_name(csr->subject));
        break;

    case NGX_HTTP_ENROLL_VAR_CSR_CN:
        ngx_http_enroll_text(pool, text, enroll_text_cn(csr->subject));
        break;

    case NGX_HTTP_ENROLL_VAR_CSR_SAN:
        ngx_http_enroll_text(pool, text, enroll_text_san(csr->san));
        break;

    case NGX_HTTP_ENROLL_VAR_CSR_KEY:
        text->data = ngx_pnalloc(pool, ENROLL_KEY_TEXT);

        if (text->data) {
            text->len = enroll_key_text(&csr->key, (char *) text->data);
        }
        break;

    default:
        break;
    }
}


static void
ngx_http_enroll_issued_text(ngx_pool_t *pool, ngx_str_t *text,
    ngx_http_enroll_request_t *er, ngx_http_enroll_var_e var)
{
    ngx_tm_t  tm;

    switch (var) {

    case NGX_HTTP_ENROLL_VAR_SERIAL:
        text->len = ngx_strlen(er->issued.serial);
        text->data = (u_char *) er->issued.serial;
        break;

    case NGX_HTTP_ENROLL_VAR_SUBJECT:
        *text = er->subject;
        break;

    default: /* NGX_HTTP_ENROLL_VAR_NOT_AFTER */

        text->data = ngx_pnalloc(pool, sizeof("2026-01-01T00:00:00Z"));

        if (text->data) {
            ngx_gmtime(er->issued.not_after, &tm);

            text->len = ngx_sprintf(text->data, "%4d-%02d-%02dT%02d:%02d:%02dZ",
                                    tm.ngx_tm_year, tm.ngx_tm_mon,
                                    tm.ngx_tm_mday, tm.ngx_tm_hour,
                                    tm.ngx_tm_min, tm.ngx_tm_sec)
                        - text->data;
        }
        break;
    }
}


ngx_int_t
ngx_http_enroll_text(ngx_pool_t *pool, ngx_str_t *text, char *s)
{
    ngx_str_null(text);

    if (s == NULL) {
        return NGX_OK;
    }

    text->data = ngx_pnalloc(pool, ngx_strlen(s));

    if (text->data) {
        text->len = ngx_strlen(s);
        ngx_memcpy(text->data, s, text->len);
    }

    OPENSSL_free(s);

    return text->data ? NGX_OK : NGX_ERROR;
}


/* the names of a subjectAltName extension, or of none, see enroll_text.h */

char *
ngx_http_enroll_san_text(X509_EXTENSION *ext, int *whole)
{
    char           *text;
    GENERAL_NAMES  *names;

    *whole = (ext == NULL);

    if (ext == NULL) {
        return NULL;
    }

    names = X509V3_EXT_d2i(ext);
    if (names == NULL) {
        return NULL;
    }

    text = enroll_text_san_whole(names, whole);

    GENERAL_NAMES_free(names);

    return text;
}


time_t
ngx_http_enroll_time(const ASN1_TIME *t)
{
    struct tm  tm;

    return (ASN1_TIME_to_tm(t, &tm) == 1) ? timegm(&tm) : 0;
}


ngx_int_t
ngx_http_enroll_hex(ngx_pool_t *pool, ngx_str_t *hex, u_char *data, size_t len)
{
    hex->data = ngx_pnalloc(pool, 2 * len);
    if (hex->data == NULL) {
        return NGX_ERROR;
    }

    hex->len = ngx_hex_dump(hex->data, data, len) - hex->data;

    return NGX_OK;
}


ngx_int_t
ngx_http_enroll_serial(ngx_pool_t *pool, ngx_str_t *text, const X509 *x)
{
    text->data = ngx_pnalloc(pool, ENROLL_SERIAL_TEXT);
    if (text->data == NULL) {
        return NGX_ERROR;
    }

    text->len = enroll_text_serial(X509_get0_serialNumber(x),
                                   (char *) text->data);
    return NGX_OK;
}
