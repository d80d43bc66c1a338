
/*
 * Copyright (C) The nginx-enroll authors
 */


/*
 * Who may use the API, and whether it was a page of another origin that made
 * the browser ask.
 */


#include "ngx_http_enroll_api.h"


static enroll_outcome_e ngx_http_enroll_api_certificate(ngx_http_request_t *r,
    ngx_http_enroll_request_t *er, ngx_http_enroll_api_loc_conf_t *alcf);
static ngx_uint_t ngx_http_enroll_api_same_origin(ngx_http_request_t *r);
static ngx_uint_t ngx_http_enroll_api_origin(ngx_http_request_t *r,
    ngx_str_t *origin);
static ngx_uint_t ngx_http_enroll_api_is(ngx_str_t *text, const char *word);


/*
 * ENROLL_OK, and er->identity says who it is; a password is only noted, to
 * be checked on a thread
 */

enroll_outcome_e
ngx_http_enroll_api_guard(ngx_http_request_t *r, ngx_http_enroll_request_t *er,
    ngx_http_enroll_api_t *api)
{
    ngx_connection_t                *c;
    ngx_http_enroll_api_loc_conf_t  *alcf;

    c = r->connection;
    alcf = api->conf;

    if (alcf->allow && ngx_cidr_match(c->sockaddr, alcf->allow) != NGX_OK) {
        return ENROLL_ADDRESS_NOT_ALLOWED;
    }

    /* RFC 8446, section 8: what came early may have been replayed */

    if (c->ssl && !SSL_is_init_finished(c->ssl->connection)) {
        return ENROLL_EARLY_DATA;
    }

    switch (alcf->guard) {

    case NGX_HTTP_ENROLL_API_CERTIFICATE:
        return c->ssl ? ngx_http_enroll_api_certificate(r, er, alcf)
                      : ENROLL_NO_TLS;

    case NGX_HTTP_ENROLL_API_BASIC:

        if (c->ssl == NULL) {
            return ENROLL_NO_TLS;
        }

        switch (ngx_http_enroll_basic(r, er, alcf->users)) {

        case NGX_OK:
            return ENROLL_OK;

        case NGX_DECLINED:
            return ENROLL_UNAUTHORIZED;

        default:
            return ENROLL_INTERNAL;
        }

    case NGX_HTTP_ENROLL_API_ADDRESS:
    case NGX_HTTP_ENROLL_API_EXTERNAL:

        er->identity = er->address;

        return ENROLL_OK;

    default: /* NGX_HTTP_ENROLL_API_OPEN */
        return ENROLL_INTERNAL;
    }
}


static enroll_outcome_e
ngx_http_enroll_api_certificate(ngx_http_request_t *r,
    ngx_http_enroll_request_t *er, ngx_http_enroll_api_loc_conf_t *alcf)
{
    enroll_outcome_e  rc;

    rc = ngx_http_enroll_certificate(r, er, alcf->client_ca);

    if (rc != ENROLL_OK) {
        return rc;
    }

    if (er->renewal) {

        /* a device of this CA, and no administrator unless the list says so */

        if (enroll_issuer_find(alcf->client_ca, er->cert, NULL) == NULL) {
            ERR_clear_error();
            return ENROLL_CERT_ISSUER;
        }

        er->renewal = 0;
        er->cert_ca = er->ca;
    }

    /* of a CA here: its record may be missing, but not say "revoked" */

    er->unrecorded = 1;

    return ENROLL_OK;
}


/* what changes something; a form of another origin cannot send JSON */

enroll_outcome_e
ngx_http_enroll_api_write(ngx_http_request_t *r, ngx_http_enroll_api_t *api)
{
    u_char     *p;
    ngx_str_t   type;

    if (!ngx_http_enroll_api_same_origin(r)) {
        return ENROLL_CROSS_ORIGIN;
    }

    if (api->operation == NGX_HTTP_ENROLL_API_NDES) {
        return ENROLL_OK;
    }

    if (r->headers_in.content_type == NULL) {
        return ENROLL_JSON_REQUIRED;
    }

    type = r->headers_in.content_type->value;

    p = ngx_strlchr(type.data, type.data + type.len, ';');

    if (p) {
        type.len = p - type.data;
    }

    while (type.len
           && (type.data[type.len - 1] == ' '
               || type.data[type.len - 1] == '\t'))
    {
        type.len--;
    }

    return ngx_http_enroll_api_is(&type, "application/json")
           ? ENROLL_OK : ENROLL_JSON_REQUIRED;
}


static ngx_uint_t
ngx_http_enroll_api_same_origin(ngx_http_request_t *r)
{
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    part = &r->headers_in.headers.part;
    h = part->elts;

    for (i = 0; /* void */ ; i++) {

        if (i >= part->nelts) {
            if (part->next == NULL) {
                return 1;
            }

            part = part->next;
            h = part->elts;
            i = 0;
        }

        if (ngx_http_enroll_api_is(&h[i].key, "Sec-Fetch-Site")) {

            if (!ngx_http_enroll_api_is(&h[i].value, "same-origin")
                && !ngx_http_enroll_api_is(&h[i].value, "none"))
            {
                return 0;
            }

        } else if (ngx_http_enroll_api_is(&h[i].key, "Origin")
                   && !ngx_http_enroll_api_origin(r, &h[i].value))
        {
            return 0;
        }
    }
}


/* scheme, host and port are those that were asked */

static ngx_uint_t
ngx_http_enroll_api_origin(ngx_http_request_t *r, ngx_str_t *origin)
{
    size_t       n;
    ngx_str_t    host, asked;
    const char  *scheme, *port;

    if (r->headers_in.host == NULL) {
        return 0;
    }

    if (r->connection->ssl) {
        scheme = "https://";
        port = ":443";

    } else {
        scheme = "http://";
        port = ":80";
    }

    n = ngx_strlen(scheme);

    if (origin->len <= n
        || ngx_strncasecmp(origin->data, (u_char *) scheme, n) != 0)
    {
        return 0;
    }

    host.data = origin->data + n;
    host.len = origin->len - n;

    /* a browser leaves the usual port out, another client may not */

    asked = r->headers_in.host->value;
    n = ngx_strlen(port);

    if (asked.len > n
        && ngx_memcmp(asked.data + asked.len - n, port, n) == 0)
    {
        asked.len -= n;
    }

    if (host.len > n && ngx_memcmp(host.data + host.len - n, port, n) == 0) {
        host.len -= n;
    }

    return host.len == asked.len
           && ngx_strncasecmp(host.data, asked.data, host.len) == 0;
}


static ngx_uint_t
ngx_http_enroll_api_is(ngx_str_t *text, const char *word)
{
    return text->len == ngx_strlen(word)
           && ngx_strncasecmp(text->data, (u_char *) word, text->len) == 0;
}
