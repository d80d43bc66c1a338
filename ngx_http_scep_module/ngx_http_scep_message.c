
/*
 * Copyright (C) The nginx-enroll authors
 */


/*
 * PKIOperation (RFC 8894, sections 3 and 4.3): a pkiMessage, from the body or
 * the query to what is in it.
 */


#include "ngx_http_scep.h"


static enroll_outcome_e ngx_http_scep_decode(ngx_http_enroll_request_t *er,
    ngx_str_t *body);
static enroll_outcome_e ngx_http_scep_message(ngx_http_request_t *r,
    ngx_http_enroll_request_t *er, ngx_str_t *body);
static ngx_int_t ngx_http_scep_address(ngx_http_request_t *r,
    ngx_http_enroll_request_t *er);
static ngx_int_t ngx_http_scep_issuers(ngx_http_enroll_request_t *er,
    ngx_http_scep_ctx_t *ctx);
static void ngx_http_scep_open(ngx_http_enroll_request_t *er);
static void ngx_http_scep_free(ngx_http_enroll_request_t *er);


const ngx_http_enroll_protocol_t  ngx_http_scep_protocol = {
    ngx_string("scep"),
    ngx_http_scep_decode,
    ngx_http_scep_open,
    ngx_http_scep_authorize,
    ngx_http_scep_reopen,
    ngx_http_scep_encode,
    ngx_http_scep_answer,
    ngx_http_scep_free
};


static enroll_outcome_e
ngx_http_scep_decode(ngx_http_enroll_request_t *er, ngx_str_t *body)
{
    enroll_outcome_e      rc;
    ngx_http_request_t   *r;
    ngx_http_scep_ctx_t  *ctx;

    r = er->request;
    ctx = er->message;

    rc = ngx_http_scep_message(r, er, body);

    if (rc != ENROLL_OK) {
        return rc;
    }

    if (ngx_http_scep_address(r, er) != NGX_OK) {
        return ENROLL_INTERNAL;
    }

    rc = enroll_scep_parse(&ctx->m, body->data, body->len,
                           ngx_http_scep_legacy_bits(ctx->conf));

    if (ctx->m == NULL) {
        return rc;
    }

    er->legacy_used = enroll_scep_legacy(ctx->m);

    /* at the limit the one who signed is not listened to, nor is a copy */

    if (ngx_http_enroll_hex(er->pool, &er->fail_keys[1],
                            ctx->m->signer_digest, ENROLL_DIGEST_LEN)
        != NGX_OK)
    {
        return ENROLL_INTERNAL;
    }

    er->fail_n = 2;

    /*
     * Should it have to wait, it is stored as it came: the challenge that it
     * may hold is no more open in Redis than it was on the wire, and any node
     * can read it again.
     */

    er->stored = *body;

    return (ngx_http_scep_issuers(er, ctx) == NGX_OK) ? ENROLL_OK
                                                      : ENROLL_INTERNAL;
}


/* POST has the message as it is, GET in the query */

static enroll_outcome_e
ngx_http_scep_message(ngx_http_request_t *r, ngx_http_enroll_request_t *er,
    ngx_str_t *body)
{
    ngx_str_t  value;

    if (r->method == NGX_HTTP_POST) {
        return body->len ? ENROLL_OK : ENROLL_EMPTY_BODY;
    }

    if (ngx_http_arg(r, (u_char *) "message", sizeof("message") - 1, &value)
        != NGX_OK)
    {
        return ENROLL_EMPTY_BODY;
    }

    body->data = ngx_pnalloc(er->pool, value.len + 4);
    if (body->data == NULL) {
        return ENROLL_INTERNAL;
    }

    return enroll_scep_query_decode(body->data, &body->len, value.data,
                                    value.len);
}


static ngx_int_t
ngx_http_scep_address(ngx_http_request_t *r, ngx_http_enroll_request_t *er)
{
    u_char            *p;
    ngx_str_t          network;
    ngx_connection_t  *c;

    c = r->connection;

    if (ngx_http_enroll_address(er->pool, c->sockaddr, c->socklen, 1, &network)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    p = ngx_pnalloc(er->pool, sizeof("address ") - 1 + network.len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    er->fail_keys[0].data = p;
    er->fail_keys[0].len = ngx_sprintf(p, "address %V", &network) - p;
    er->fail_n = 1;
    er->fail_count = 1;

    return NGX_OK;
}


enroll_outcome_e
ngx_http_scep_ra(ngx_http_enroll_request_t *er, ngx_http_scep_ctx_t *ctx)
{
    int           i, n;
    X509         *x;
    enroll_ra_t  *ra;

    ra = &er->ca->ra;
    n = sk_X509_num(ra->certs);

    ctx->ra.certs = sk_X509_new_reserve(NULL, n);
    ctx->ra.keys = ngx_palloc(er->pool, n * sizeof(EVP_PKEY *));

    if (ctx->ra.certs == NULL || ctx->ra.keys == NULL) {
        return ENROLL_INTERNAL;
    }

    /* old ones open messages until they expire */

    for (i = 0; i < n; i++) {

        x = sk_X509_value(ra->certs, i);

        if (enroll_cert_dates(x, ngx_time()) == ENROLL_OK) {
            ctx->ra.keys[sk_X509_num(ctx->ra.certs)] = ra->keys[i];
            (void) sk_X509_push(ctx->ra.certs, x);
        }
    }

    if (sk_X509_num(ctx->ra.certs)) {

        if (ra->sign_cert != sk_X509_value(ra->certs, 0)) {

            /* another one than those that decrypt */

            ctx->ra.sign_cert = ra->sign_cert;
            ctx->ra.sign_key = ra->sign_key;

        } else {
            ctx->ra.sign_cert = sk_X509_value(ctx->ra.certs, 0);
            ctx->ra.sign_key = ctx->ra.keys[0];
        }

        if (enroll_cert_dates(ctx->ra.sign_cert, ngx_time()) == ENROLL_OK) {
            return ENROLL_OK;
        }
    }

    return (ra->sign_cert == sk_X509_value(er->ca->pki.chain, 0))
           ? ENROLL_CA_EXPIRED : ENROLL_RA_EXPIRED;
}


/* some clients name the RA for the issuer */

static ngx_int_t
ngx_http_scep_issuers(ngx_http_enroll_request_t *er, ngx_http_scep_ctx_t *ctx)
{
    int           i;
    enroll_ca_t  *ca;

    ca = &er->ca->pki;

    ctx->issuers = sk_X509_dup(er->ca->ra.certs);

    if (ctx->issuers == NULL
        || !sk_X509_push(ctx->issuers, er->ca->ra.sign_cert)
        || !sk_X509_push(ctx->issuers, sk_X509_value(ca->chain, 0)))
    {
        return NGX_ERROR;
    }

    for (i = 0; i < sk_X509_num(ca->previous); i++) {
        if (!sk_X509_push(ctx->issuers, sk_X509_value(ca->previous, i))) {
            return NGX_ERROR;
        }
    }

    ctx->m->issuers = ctx->issuers;

    return NGX_OK;
}


/*
 * On a thread.  A certificate can be copied: failures are counted against a
 * signer that did sign, and only then is the rest looked at.
 */

static void
ngx_http_scep_open(ngx_http_enroll_request_t *er)
{
    int                   i;
    X509                 *signer;
    enroll_ca_t          *ca;
    enroll_scep_t        *m;
    STACK_OF(X509)       *readers;
    ngx_http_scep_ctx_t  *ctx;

    ctx = er->message;
    m = ctx->m;

    er->result = enroll_scep_verify(m);

    if (er->result != ENROLL_OK) {
        return;
    }

    er->fail_count = 2;

    if (m->type == ENROLL_SCEP_GET_CRL) {

        /* nothing that is in it would change this answer */

        er->result = ENROLL_NO_CRL;
        return;
    }

    ca = &er->ca->pki;

    signer = (enroll_scep_signer_by(m, ca->chain)
              || enroll_scep_signer_by(m, ca->previous))
             ? enroll_scep_signer_cert(m) : NULL;

    m->known = (signer && enroll_ca_issued(ca, signer, NULL) != NULL);
    er->signer = m->known ? signer : NULL;

    readers = (m->type == ENROLL_SCEP_GET_CERT) ? ctx->conf->readers : NULL;

    for (i = 0; i < sk_X509_num(readers); i++) {
        signer = enroll_scep_signer_cert(m);

        if (signer && X509_cmp(sk_X509_value(readers, i), signer) == 0) {
            ctx->reader = 1;
            ctx->reader_ca = ngx_http_enroll_ca_of(er->emcf, signer, NULL);
            break;
        }
    }

    er->result = enroll_scep_open(m, &ctx->ra);
}


/*
 * On a thread: the message that waited.  It is looked at as when it came, and
 * must be of the key and the transaction that the CertPoll is of.
 */

void
ngx_http_scep_reopen(ngx_http_enroll_request_t *er)
{
    enroll_scep_t        *m, *poll;
    ngx_http_scep_ctx_t  *ctx;

    ctx = er->message;
    poll = ctx->m;

    er->result = enroll_scep_parse(&m, er->stored.data, er->stored.len,
                                   ngx_http_scep_legacy_bits(ctx->conf));

    if (er->result != ENROLL_OK
        || enroll_scep_verify(m) != ENROLL_OK
        || m->type != ENROLL_SCEP_PKCS_REQ
        || ngx_memcmp(m->signer_digest, poll->signer_digest,
                      ENROLL_DIGEST_LEN)
           != 0
        || m->transaction_len != poll->transaction_len
        || ngx_memcmp(m->transaction, poll->transaction, m->transaction_len)
           != 0)
    {
        er->result = ENROLL_STORE_TAMPERED;

    } else if (enroll_scep_open(m, &er->ca->ra) != ENROLL_OK) {

        /* the key it was for has gone: the client has to ask anew */

        er->result = ENROLL_NOT_FOUND;

    } else {
        er->reopened = m->csr;
        m->csr = NULL;
    }

    enroll_scep_free(m);
}


static void
ngx_http_scep_free(ngx_http_enroll_request_t *er)
{
    ngx_http_scep_ctx_t  *ctx;

    ctx = er->message;

    if (ctx == NULL) {
        return;
    }

    if (ctx->m && er->csr == ctx->m->csr) {
        er->csr = NULL;
    }

    enroll_scep_free(ctx->m);
    sk_X509_free(ctx->ra.certs);
    sk_X509_free(ctx->issuers);
}
