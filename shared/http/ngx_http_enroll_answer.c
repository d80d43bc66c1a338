
/*
 * Copyright (C) The nginx-enroll authors
 */


/*
 * Bodies in, answers out.
 */


#include "ngx_http_enroll_core.h"


/*
 * The request body in one piece, in er->pool: NGX_OK, NGX_DECLINED where it
 * is larger than enroll_max_body_size.  The chain may have any number of
 * buffers, in memory or in a file.
 */

ngx_int_t
ngx_http_enroll_body(ngx_http_request_t *r, ngx_http_enroll_request_t *er,
    ngx_str_t *body)
{
    off_t         size;
    u_char       *p;
    size_t        n;
    ssize_t       rc;
    ngx_buf_t    *b;
    ngx_chain_t  *cl;

    size = 0;

    if (r->request_body) {
        for (cl = r->request_body->bufs; cl; cl = cl->next) {
            size += ngx_buf_size(cl->buf);
        }
    }

    if (size > (off_t) er->elcf->max_body_size) {
        return NGX_DECLINED;
    }

    body->len = (size_t) size;
    body->data = ngx_pnalloc(er->pool, body->len + 1);

    if (body->data == NULL) {
        return NGX_ERROR;
    }

    if (size == 0) {
        return NGX_OK;
    }

    p = body->data;

    for (cl = r->request_body->bufs; cl; cl = cl->next) {

        b = cl->buf;

        if (ngx_buf_in_memory(b)) {
            p = ngx_cpymem(p, b->pos, b->last - b->pos);
            continue;
        }

        if (!b->in_file) {
            continue;
        }

        n = (size_t) (b->file_last - b->file_pos);
        rc = ngx_read_file(b->file, p, n, b->file_pos);

        if (rc != (ssize_t) n) {
            ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                          "could not read the request body back from \"%V\"",
                          &b->file->name);
            return NGX_ERROR;
        }

        p += n;
    }

    return NGX_OK;
}


ngx_str_t *
ngx_http_enroll_header_in(ngx_http_request_t *r, const char *name)
{
    size_t            len;
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    len = ngx_strlen(name);
    part = &r->headers_in.headers.part;
    h = part->elts;

    for (i = 0; /* void */ ; i++) {

        if (i >= part->nelts) {
            if (part->next == NULL) {
                return NULL;
            }

            part = part->next;
            h = part->elts;
            i = 0;
        }

        if (h[i].key.len == len
            && ngx_strncmp(h[i].lowcase_key, name, len) == 0)
        {
            return &h[i].value;
        }
    }
}


ngx_int_t
ngx_http_enroll_header(ngx_http_request_t *r, const char *name,
    ngx_str_t *value)
{
    ngx_table_elt_t  *h;

    h = ngx_list_push(&r->headers_out.headers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    h->hash = 1;
    h->key.data = (u_char *) name;
    h->key.len = ngx_strlen(name);
    h->value = *value;
#if (nginx_version >= 1023000)
    h->next = NULL;
#endif

    return NGX_OK;
}


/*
 * Header and body in one go, with a Content-Length: some clients cannot
 * read chunks.  Nothing may change the body: it is what was signed.
 */

ngx_int_t
ngx_http_enroll_send(ngx_http_request_t *r, ngx_uint_t status,
    const char *type, ngx_str_t *body)
{
    ngx_int_t    rc;
    ngx_buf_t   *b;
    ngx_chain_t  out;

    r->headers_out.status = status;
    r->headers_out.content_length_n = body->len;

    if (type) {
        r->headers_out.content_type.data = (u_char *) type;
        r->headers_out.content_type.len = ngx_strlen(type);
        r->headers_out.content_type_len = r->headers_out.content_type.len;
        r->headers_out.content_type_lowcase = NULL;
    }

    r->disable_not_modified = 1;
    r->allow_ranges = 0;

#if (NGX_HTTP_GZIP)
    r->gzip_tested = 1;
    r->gzip_ok = 0;
#endif

    if (body->len == 0) {
        r->header_only = 1;
    }

    rc = ngx_http_send_header(r);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return rc;
    }

    b = ngx_calloc_buf(r->pool);
    if (b == NULL) {
        return NGX_ERROR;
    }

    b->pos = body->data;
    b->last = body->data + body->len;
    b->memory = 1;
    b->last_buf = (r == r->main) ? 1 : 0;
    b->last_in_chain = 1;

    out.buf = b;
    out.next = NULL;

    return ngx_http_output_filter(r, &out);
}


ngx_int_t
ngx_http_enroll_json(ngx_pool_t *pool, enroll_json_text_t *json,
    ngx_str_t *body)
{
    u_char  *p;

    p = json->failed ? NULL : ngx_pnalloc(pool, json->len + 1);

    if (p) {
        body->data = p;
        p = ngx_cpymem(p, json->data, json->len);
        *p++ = LF;
        body->len = p - body->data;
    }

    enroll_json_free(json);

    return p ? NGX_OK : NGX_ERROR;
}


/*
 * A refusal, or that it takes time: the sentence as text, the reason's id in
 * a header.  The body of a 401 is empty, some clients cannot do with another.
 */

ngx_int_t
ngx_http_enroll_send_refusal(ngx_http_request_t *r,
    ngx_http_enroll_request_t *er)
{
    ngx_str_t                body;
    const enroll_outcome_t  *outcome;

    outcome = enroll_outcome(er->outcome);

    if (ngx_http_enroll_refusal_headers(r, outcome) != NGX_OK) {
        return NGX_ERROR;
    }

    if (outcome->http == NGX_HTTP_UNAUTHORIZED) {
        ngx_str_null(&body);
        return ngx_http_enroll_send(r, outcome->http, NULL, &body);
    }

    body.len = ngx_strlen(outcome->text) + 1;
    body.data = ngx_pnalloc(r->pool, body.len);

    if (body.data == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(body.data, outcome->text, body.len - 1);
    body.data[body.len - 1] = LF;

    return ngx_http_enroll_send(r, outcome->http, "text/plain", &body);
}


/* the reason, and when to try again */

ngx_int_t
ngx_http_enroll_refusal_headers(ngx_http_request_t *r,
    const enroll_outcome_t *outcome)
{
    ngx_str_t  value;

    value.data = (u_char *) outcome->reason;
    value.len = ngx_strlen(value.data);

    if (ngx_http_enroll_header(r, "X-Enroll-Reason", &value) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_http_enroll_retry_after(r, outcome);
}


ngx_int_t
ngx_http_enroll_retry_after(ngx_http_request_t *r,
    const enroll_outcome_t *outcome)
{
    ngx_str_t  value;

    switch (outcome->http) {

    case NGX_HTTP_SERVICE_UNAVAILABLE:
        ngx_str_set(&value, "5");
        break;

    case NGX_HTTP_ACCEPTED:
    case NGX_HTTP_TOO_MANY_REQUESTS:
        ngx_str_set(&value, "60");
        break;

    default:
        return NGX_OK;
    }

    return ngx_http_enroll_header(r, "Retry-After", &value);
}
