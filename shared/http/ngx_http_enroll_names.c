
/*
 * Copyright (C) The nginx-enroll authors
 */


/*
 * Subject and subjectAltName templates.  They are split into typed fields at
 * configuration time; what a variable expands to is a value and nothing else.
 */


#include "ngx_http_enroll_core.h"
#include "ngx_http_enroll_names.h"


static enroll_outcome_e ngx_http_enroll_subject(ngx_http_request_t *r,
    ngx_http_enroll_request_t *er);


/*
 * type=value, separated by "," or, within one RDN, by "+"; a backslash takes
 * the next character literally (RFC 4514, section 2.4, without hex pairs)
 */

char *
ngx_http_enroll_subject_compile(ngx_conf_t *cf, ngx_str_t *text,
    ngx_array_t **subject)
{
    u_char                 *p, *last, *dst, ch;
    ngx_str_t               type, value;
    ngx_uint_t              more;
    ngx_http_enroll_rdn_t  *rdn;

    *subject = ngx_array_create(cf->pool, 4, sizeof(ngx_http_enroll_rdn_t));
    if (*subject == NULL) {
        return NGX_CONF_ERROR;
    }

    p = text->data;
    last = p + text->len;
    more = 0;

    for ( ;; ) {

        while (p < last && *p == ' ') { p++; }

        type.data = p;

        while (p < last && *p != '=' && *p != ',' && *p != '+') { p++; }

        if (p == last || *p != '=' || p == type.data) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid subject \"%V\", it must be \"csr\" or "
                               "\"TYPE=VALUE,...\"", text);
            return NGX_CONF_ERROR;
        }

        /* the "=" makes room for the NUL */

        type.len = p++ - type.data;

        value.data = ngx_pnalloc(cf->pool, last - p + 1);
        if (value.data == NULL) {
            return NGX_CONF_ERROR;
        }

        dst = value.data;
        ch = '\0';

        while (p < last) {

            ch = *p++;

            if (ch == ',' || ch == '+') {
                break;
            }

            if (ch == '\\' && p < last) {
                ch = *p++;
            }

            *dst++ = ch;
            ch = '\0';
        }

        *dst = '\0';
        value.len = dst - value.data;

        rdn = ngx_array_push(*subject);
        if (rdn == NULL) {
            return NGX_CONF_ERROR;
        }

        ngx_memzero(rdn, sizeof(ngx_http_enroll_rdn_t));

        rdn->more = more;

        type.data[type.len] = '\0';

        rdn->type = OBJ_txt2obj((char *) type.data, 0);

        if (rdn->type == NULL) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "unknown attribute type \"%V\" in a subject",
                               &type);
            return NGX_CONF_ERROR;
        }

        if (ngx_http_enroll_compile(cf, &value, &rdn->value) != NGX_OK) {
            return NGX_CONF_ERROR;
        }

        if (ch == '\0') {
            return NGX_CONF_OK;
        }

        more = (ch == '+');
    }
}


/*
 * The names to certify, as far as they do not come from a certificate to
 * renew: those of the request, or of the profile's templates
 */

enroll_outcome_e
ngx_http_enroll_names(ngx_http_request_t *r, ngx_http_enroll_request_t *er)
{
    ngx_str_t                value;
    ngx_uint_t               i, n;
    enroll_outcome_e         rc;
    enroll_san_value_t      *values;
    ngx_http_enroll_san_t   *san;

    rc = ngx_http_enroll_subject(r, er);

    if (rc != ENROLL_OK) {
        return rc;
    }

    values = NULL;
    n = 0;

    if (er->profile->san) {
        san = er->profile->san->elts;
        n = er->profile->san->nelts;

        values = ngx_palloc(er->pool, n * sizeof(enroll_san_value_t));
        if (values == NULL) {
            return ENROLL_INTERNAL;
        }

        for (i = 0; i < n; i++) {
            if (ngx_http_complex_value(r, &san[i].value, &value) != NGX_OK) {
                return ENROLL_INTERNAL;
            }

            values[i].kind = san[i].kind;
            values[i].value = (char *) value.data;
            values[i].len = value.len;
        }
    }

    return enroll_names_san(&er->names, er->csr, er->profile->pki.san, values,
                            n);
}


static enroll_outcome_e
ngx_http_enroll_subject(ngx_http_request_t *r, ngx_http_enroll_request_t *er)
{
    ngx_str_t               value;
    ngx_uint_t              i, more;
    enroll_outcome_e        rc;
    ngx_http_enroll_rdn_t  *rdn;

    if (er->profile->subject == NULL) {
        return enroll_names_subject_csr(&er->names, er->csr);
    }

    er->names.subject = X509_NAME_new();
    if (er->names.subject == NULL) {
        return ENROLL_INTERNAL;
    }

    rdn = er->profile->subject->elts;
    more = 0;

    for (i = 0; i < er->profile->subject->nelts; i++) {

        if (ngx_http_complex_value(r, &rdn[i].value, &value) != NGX_OK) {
            return ENROLL_INTERNAL;
        }

        /* the first of an RDN may be empty, the second is the first then */

        if (!rdn[i].more) {
            more = 0;
        }

        rc = enroll_names_subject_add(&er->names, rdn[i].type,
                                      (char *) value.data, value.len, more);
        if (rc != ENROLL_OK) {
            return rc;
        }

        if (value.len) {
            more = 1;
        }
    }

    return ENROLL_OK;
}
