
/*
 * Copyright (C) The nginx-enroll authors
 */


/*
 * Who is asking.  Only what is established here counts: neither
 * $remote_user nor a request header nor the grant of another rule says
 * anything about a client.
 */


#include "ngx_http_enroll_core.h"


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


ngx_http_enroll_ca_t *
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
    er->proven = 1;
    er->cert = x;

    return NGX_OK;
}


ngx_int_t
ngx_http_enroll_address(ngx_pool_t *pool, struct sockaddr *sockaddr,
    socklen_t socklen, ngx_uint_t network, ngx_str_t *text)
{
    u_char               *p;
    const char           *suffix;
#if (NGX_HAVE_INET6)
    u_char               *a;
    struct sockaddr_in    sin;
    struct sockaddr_in6   sin6;
#endif

    suffix = "";

    p = ngx_pnalloc(pool, NGX_SOCKADDR_STRLEN + sizeof("/64") - 1);
    if (p == NULL) {
        return NGX_ERROR;
    }

#if (NGX_HAVE_INET6)

    if (sockaddr->sa_family == AF_INET6) {

        ngx_memcpy(&sin6, sockaddr, sizeof(struct sockaddr_in6));
        a = sin6.sin6_addr.s6_addr;

        if (IN6_IS_ADDR_V4MAPPED(&sin6.sin6_addr)) {

            ngx_memzero(&sin, sizeof(struct sockaddr_in));
            sin.sin_family = AF_INET;
            ngx_memcpy(&sin.sin_addr, a + 12, 4);

            sockaddr = (struct sockaddr *) &sin;
            socklen = sizeof(struct sockaddr_in);

        } else if (network) {

            ngx_memzero(a + 8, 8);
            suffix = "/64";

            sockaddr = (struct sockaddr *) &sin6;
        }
    }

#endif

    text->data = p;

    p += ngx_sock_ntop(sockaddr, socklen, p, NGX_SOCKADDR_STRLEN, 0);
    p = ngx_sprintf(p, "%s", suffix);

    text->len = p - text->data;

    return NGX_OK;
}
