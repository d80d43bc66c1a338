
/*
 * Copyright (C) The nginx-enroll authors
 */


/*
 * HTTP Basic authentication (RFC 7617), by a password file of our own.
 */


#include "ngx_http_enroll_core.h"

#include <ngx_crypt.h>


static ngx_int_t ngx_http_enroll_hash(ngx_http_enroll_request_t *er);
static void ngx_http_enroll_password(ngx_http_enroll_request_t *er);


/* of this worker */

static ngx_uint_t   ngx_http_enroll_hashing;
static ngx_queue_t  ngx_http_enroll_hashes = {
    &ngx_http_enroll_hashes, &ngx_http_enroll_hashes
};


/*
 * The Authorization header: NGX_OK, user and password are noted, to be
 * checked on a thread; NGX_DECLINED where there is none, or one that cannot
 * be right.
 */

ngx_int_t
ngx_http_enroll_basic(ngx_http_request_t *r, ngx_http_enroll_request_t *er,
    ngx_array_t *users)
{
    u_char     *colon;
    ngx_str_t   encoded, decoded;

    if (r->headers_in.authorization == NULL) {
        return NGX_DECLINED;
    }

    encoded = r->headers_in.authorization->value;

    if (encoded.len < sizeof("Basic ") - 1 || encoded.len > 4096
        || ngx_strncasecmp(encoded.data, (u_char *) "Basic ",
                           sizeof("Basic ") - 1)
           != 0)
    {
        return NGX_DECLINED;
    }

    encoded.len -= sizeof("Basic ") - 1;
    encoded.data += sizeof("Basic ") - 1;

    while (encoded.len && encoded.data[0] == ' ') {
        encoded.len--;
        encoded.data++;
    }

    decoded.data = ngx_pnalloc(er->pool,
                               ngx_base64_decoded_length(encoded.len) + 1);
    if (decoded.data == NULL) {
        return NGX_ERROR;
    }

    if (encoded.len == 0 || ngx_decode_base64(&decoded, &encoded) != NGX_OK) {
        return NGX_DECLINED;
    }

    decoded.data[decoded.len] = '\0';

    /* RFC 7617, section 2: up to the first colon */

    colon = ngx_strlchr(decoded.data, decoded.data + decoded.len, ':');

    if (colon == NULL || ngx_strlen(decoded.data) != decoded.len) {
        ngx_explicit_memzero(decoded.data, decoded.len);
        return NGX_DECLINED;
    }

    er->user.data = decoded.data;
    er->user.len = colon - decoded.data;

    er->password.data = colon + 1;
    er->password.len = decoded.data + decoded.len - er->password.data;

    er->users = users;

    return NGX_OK;
}


/* the password's hash costs time on purpose: always on a thread */

ngx_int_t
ngx_http_enroll_check_password(ngx_http_enroll_request_t *er)
{
    if (er->users == NULL) {
        er->result = ENROLL_OK;
        return NGX_OK;
    }

    if (ngx_http_enroll_hashing >= (ngx_uint_t) ngx_ncpu) {

        /*
         * Anybody may ask for a hash: those of strangers must not fill the
         * queue that certificates are signed by
         */

        ngx_queue_insert_tail(&ngx_http_enroll_hashes, &er->queue);
        er->queued = 1;

        return NGX_AGAIN;
    }

    return ngx_http_enroll_hash(er);
}


static ngx_int_t
ngx_http_enroll_hash(ngx_http_enroll_request_t *er)
{
    ngx_int_t  rc;

    rc = ngx_http_enroll_job(er, ngx_http_enroll_password, 0);

    if (rc == NGX_AGAIN) {
        ngx_http_enroll_hashing++;
        er->hashing = 1;
    }

    return rc;
}


/* the next of those that wait, when one is done */

void
ngx_http_enroll_hashed(ngx_http_enroll_request_t *er)
{
    ngx_queue_t                *q;
    ngx_http_enroll_request_t  *next;

    if (!er->hashing) {
        return;
    }

    er->hashing = 0;
    ngx_http_enroll_hashing--;

    while (!ngx_queue_empty(&ngx_http_enroll_hashes)) {

        q = ngx_queue_head(&ngx_http_enroll_hashes);
        next = ngx_queue_data(q, ngx_http_enroll_request_t, queue);

        ngx_queue_remove(q);
        next->queued = 0;

        if (ngx_http_enroll_hash(next) == NGX_AGAIN) {
            break;
        }

        /* no room for it: nobody else would wake the one behind it */

        next->result = next->outcome;
        ngx_http_enroll_resume(next);
    }
}


/* on a thread: er->result */

static void
ngx_http_enroll_password(ngx_http_enroll_request_t *er)
{
    u_char                  *encrypted;
    ngx_int_t                rc;
    ngx_str_t                hash;
    ngx_pool_t              *pool;
    ngx_uint_t               i, known;
    ngx_http_enroll_user_t  *user;

    user = er->users->elts;
    er->result = ENROLL_BAD_PASSWORD;

    if (er->abandoned) {
        goto done;
    }

    /* an unknown user costs as much time as a known one */

    hash = user[0].hash;
    known = 0;

    for (i = 0; i < er->users->nelts; i++) {
        if (user[i].user.len == er->user.len
            && CRYPTO_memcmp(user[i].user.data, er->user.data, er->user.len)
               == 0)
        {
            hash = user[i].hash;
            known = 1;
            break;
        }
    }

    pool = ngx_create_pool(1024, ngx_cycle->log);

    if (pool == NULL) {
        er->result = ENROLL_INTERNAL;
        goto done;
    }

    rc = ngx_crypt(pool, er->password.data, hash.data, &encrypted);

    if (rc == NGX_OK && known
        && ngx_strlen(encrypted) == hash.len
        && CRYPTO_memcmp(encrypted, hash.data, hash.len) == 0)
    {
        er->result = ENROLL_OK;
    }

    /* {PLAIN} has the password in what was made of it */

    if (rc == NGX_OK) {
        ngx_explicit_memzero(encrypted, ngx_strlen(encrypted));
    }

    ngx_destroy_pool(pool);

done:

    ngx_explicit_memzero(er->password.data, er->password.len);
    er->password.len = 0;
}


/* the step behind the password */

ngx_int_t
ngx_http_enroll_identify(ngx_http_enroll_request_t *er)
{
    if (er->users == NULL) {
        return NGX_OK;
    }

    if (er->result != ENROLL_OK) {
        er->outcome = er->result;
        ngx_str_null(&er->user);
        return NGX_DONE;
    }

    er->proven = 1;

    if (er->auth == NGX_HTTP_ENROLL_CERTIFICATE) {

        /* both are demanded: the certificate is who it is */

        return NGX_OK;
    }

    er->requester.data = ngx_pnalloc(er->pool, sizeof("basic:") - 1
                                               + er->user.len);
    if (er->requester.data == NULL) {
        er->outcome = ENROLL_INTERNAL;
        return NGX_DONE;
    }

    er->requester.len = ngx_sprintf(er->requester.data, "basic:%V", &er->user)
                        - er->requester.data;

    er->auth = NGX_HTTP_ENROLL_BASIC;
    er->identity = er->user;

    return NGX_OK;
}
