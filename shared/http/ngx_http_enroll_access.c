
/*
 * Copyright (C) The nginx-enroll authors
 */


/*
 * Who is asking.  Only what is established here counts: neither
 * $remote_user nor a request header nor the grant of another rule says
 * anything about a client.
 */


#include "ngx_http_enroll.h"

#include <ngx_crypt.h>


static ngx_http_enroll_ca_t *ngx_http_enroll_ca_of(
    ngx_http_enroll_main_conf_t *emcf, X509 *x, X509 *issuer);


/*
 * The certificate that nginx verified in the handshake, or in the one that
 * this session was resumed from: ENROLL_OK, and er->cert, er->renewal,
 * er->identity, er->requester are set; else why it does not count.  issuers:
 * those that are accepted beside the CA of the location, or NULL.
 */

enroll_outcome_e
ngx_http_enroll_certificate(ngx_http_request_t *r,
    ngx_http_enroll_request_t *er, STACK_OF(X509) *issuers)
{
    SSL               *ssl;
    X509              *x, *issuer;
    const char        *ocsp;
    STACK_OF(X509)    *chain;
    enroll_outcome_e   rc;

    ssl = r->connection->ssl->connection;

    /* the verify result is good, too, where there is no certificate */

    x = SSL_get1_peer_certificate(ssl);

    if (x == NULL) {
        return ENROLL_NO_CLIENT_CERT;
    }

    rc = ENROLL_CERT_NOT_VERIFIED;

    /*
     * "error_page 495" brings clients here whom nginx refused, by OCSP perhaps.
     * A CA's own certificate is nobody's who enrols.
     */

    if (SSL_get_verify_result(ssl) != X509_V_OK
        || ngx_ssl_ocsp_get_status(r->connection, &ocsp) != NGX_OK
        || X509_get_extension_flags(x) & EXFLAG_CA)
    {
        goto failed;
    }

    /* a resumed session has no chain: the signature is verified then */

    chain = SSL_get0_verified_chain(ssl);
    issuer = (chain && sk_X509_num(chain) > 1) ? sk_X509_value(chain, 1)
                                               : NULL;

    rc = ENROLL_CERT_ISSUER;

    if (enroll_ca_issued(&er->ca->pki, x, issuer)) {
        er->renewal = 1;

    } else if (issuers == NULL || !enroll_issuer_find(issuers, x, issuer)) {
        goto failed;

    } else {
        er->cert_ca = ngx_http_enroll_ca_of(er->emcf, x, issuer);
    }

    /* kept connections and sessions outlive the handshake's look at these */

    rc = enroll_cert_dates(x, ngx_time());

    if (rc != ENROLL_OK) {
        goto failed;
    }

    if (ngx_http_enroll_is(er, x) != NGX_OK) {
        rc = ENROLL_INTERNAL;
        goto failed;
    }

    X509_free(x);
    ERR_clear_error();

    return ENROLL_OK;

failed:

    er->renewal = 0;
    X509_free(x);
    ERR_clear_error();

    return rc;
}


/* the CA of this configuration that issued x, or NULL */

static ngx_http_enroll_ca_t *
ngx_http_enroll_ca_of(ngx_http_enroll_main_conf_t *emcf, X509 *x,
    X509 *issuer)
{
    ngx_uint_t              i;
    ngx_http_enroll_ca_t  **ca;

    ca = emcf->cas.elts;

    for (i = 0; i < emcf->cas.nelts; i++) {
        if (enroll_ca_issued(&ca[i]->pki, x, issuer)) {
            return ca[i];
        }
    }

    return NULL;
}


/* the asker is whoever x was issued to */

ngx_int_t
ngx_http_enroll_is(ngx_http_enroll_request_t *er, X509 *x)
{
    u_char     digest[EVP_MAX_MD_SIZE];
    unsigned   n;
    ngx_str_t  hex;

    if (X509_digest(x, EVP_sha256(), digest, &n) != 1
        || ngx_http_enroll_hex(er->pool, &hex, digest, n) != NGX_OK)
    {
        return NGX_ERROR;
    }

    er->requester.data = ngx_pnalloc(er->pool, sizeof("certificate:") - 1
                                               + hex.len);
    if (er->requester.data == NULL || !X509_up_ref(x)) {
        return NGX_ERROR;
    }

    er->requester.len = ngx_sprintf(er->requester.data, "certificate:%V", &hex)
                        - er->requester.data;

    ngx_http_enroll_text(er->pool, &er->identity,
                         enroll_text_name(X509_get_subject_name(x)));

    er->auth = NGX_HTTP_ENROLL_CERTIFICATE;
    er->cert = x;

    return NGX_OK;
}


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


/* on a thread: er->result */

void
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
