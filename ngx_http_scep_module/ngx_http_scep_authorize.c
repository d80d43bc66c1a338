
/*
 * Copyright (C) The nginx-enroll authors
 */


/*
 * Who asks in a message that is opened, and whether they may (RFC 8894,
 * sections 2.3 to 2.5 and 4.3 to 4.5).
 */


#include "ngx_http_scep.h"


static ngx_int_t ngx_http_scep_note(ngx_http_enroll_request_t *er,
    enroll_scep_t *m);
static ngx_int_t ngx_http_scep_join(ngx_pool_t *pool, ngx_str_t *out,
    const char *word, ngx_str_t *location, enroll_scep_t *m);
static enroll_outcome_e ngx_http_scep_renewal(ngx_http_enroll_request_t *er,
    enroll_scep_t *m);
static enroll_outcome_e ngx_http_scep_first(ngx_http_enroll_request_t *er);
static enroll_outcome_e ngx_http_scep_challenged(ngx_http_enroll_request_t *er,
    ngx_uint_t required);
static enroll_outcome_e ngx_http_scep_poll(ngx_http_enroll_request_t *er);
static enroll_outcome_e ngx_http_scep_get_cert(ngx_http_enroll_request_t *er,
    enroll_scep_t *m);


enroll_outcome_e
ngx_http_scep_authorize(ngx_http_enroll_request_t *er)
{
    enroll_scep_t        *m;
    ngx_http_scep_ctx_t  *ctx;

    ctx = er->message;
    m = ctx->m;

    if (ngx_http_scep_note(er, m) != NGX_OK) {
        return ENROLL_INTERNAL;
    }

    er->legacy_used = enroll_scep_legacy(m) & er->legacy;

    switch (m->type) {

    case ENROLL_SCEP_PKCS_REQ:
        er->csr = m->csr;
        return m->known ? ngx_http_scep_renewal(er, m)
                        : ngx_http_scep_first(er);

    case ENROLL_SCEP_RENEWAL_REQ:
        er->csr = m->csr;
        return m->known ? ngx_http_scep_renewal(er, m)
                        : ENROLL_RENEWAL_ISSUER;

    case ENROLL_SCEP_CERT_POLL:
        return ngx_http_scep_poll(er);

    case ENROLL_SCEP_GET_CERT:
        return ngx_http_scep_get_cert(er, m);

    default:
        return ENROLL_SCEP_TYPE;
    }
}


/* what makes messages the same */

static ngx_int_t
ngx_http_scep_note(ngx_http_enroll_request_t *er, enroll_scep_t *m)
{
    er->nonce.data = m->nonce;
    er->nonce.len = m->nonce_len;

    er->poll_key = er->fail_keys[1];

    if (ngx_http_scep_join(er->pool, &er->context, "request", NULL, m)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_http_scep_join(er->pool, &er->poll, "poll",
                              &er->endpoint->location, m);
}


/*
 * transactionID and signer, with lengths; a transactionID alone says little:
 * some are derived from the key, some are always the same
 */

static ngx_int_t
ngx_http_scep_join(ngx_pool_t *pool, ngx_str_t *out, const char *word,
    ngx_str_t *location, enroll_scep_t *m)
{
    u_char     *p;
    ngx_str_t   none = ngx_null_string;

    if (location == NULL) {
        location = &none;
    }

    p = ngx_pnalloc(pool, 64 + location->len + m->transaction_len
                          + ENROLL_DIGEST_LEN);
    if (p == NULL) {
        return NGX_ERROR;
    }

    out->data = p;

    p = ngx_sprintf(p, "%s %uz:%V %uz:", word, location->len, location,
                    m->transaction_len);
    p = ngx_cpymem(p, m->transaction, m->transaction_len);
    p = ngx_cpymem(p, m->signer_digest, ENROLL_DIGEST_LEN);

    out->len = p - out->data;

    return NGX_OK;
}


/* RFC 8894, section 2.4: by a certificate of ours, which is proof enough */

static enroll_outcome_e
ngx_http_scep_renewal(ngx_http_enroll_request_t *er, enroll_scep_t *m)
{
    enroll_outcome_e  rc;

    if (X509_get_extension_flags(m->signer) & EXFLAG_CA) {
        return ENROLL_CERT_NOT_VERIFIED;
    }

    rc = enroll_cert_dates(m->signer, er->now);

    if (rc != ENROLL_OK) {
        return rc;
    }

    if (ngx_http_enroll_is(er, m->signer) != NGX_OK) {
        return ENROLL_INTERNAL;
    }

    er->renewal = 1;
    er->subset = 1;

    return ngx_http_scep_challenged(er, 0);
}


/*
 * A first request is signed by a certificate that proves nothing but the key:
 * that is the request's, or enroll_scep_open() had not opened it.  Its
 * subject need not be.
 */

static enroll_outcome_e
ngx_http_scep_first(ngx_http_enroll_request_t *er)
{
    er->requester.data = ngx_pnalloc(er->pool, sizeof("key:") - 1
                                               + er->poll_key.len);
    if (er->requester.data == NULL) {
        return ENROLL_INTERNAL;
    }

    er->requester.len = ngx_sprintf(er->requester.data, "key:%V",
                                    &er->poll_key)
                        - er->requester.data;

    er->auth = NGX_HTTP_ENROLL_CHALLENGE;

    return ngx_http_scep_challenged(er, 1);
}


/* a challenge that is there must be right, whether one is required or not */

static enroll_outcome_e
ngx_http_scep_challenged(ngx_http_enroll_request_t *er, ngx_uint_t required)
{
    u_char                     digest[ENROLL_DIGEST_LEN];
    enroll_challenge_t        *challenge;
    ngx_http_scep_ctx_t       *ctx;
    ngx_http_scep_loc_conf_t  *conf;

    ctx = er->message;
    conf = ctx->conf;

    challenge = &er->csr->challenge;

    if (conf->challenge == NGX_HTTP_SCEP_CHALLENGE_OFF) {
        return ENROLL_OK;
    }

    if (challenge->len == 0) {
        return required ? ENROLL_CHALLENGE_REQUIRED : ENROLL_OK;
    }

    if (EVP_Digest(challenge->data, challenge->len, digest, NULL, EVP_sha256(),
                   NULL)
        != 1)
    {
        return ENROLL_INTERNAL;
    }

    if (conf->challenge == NGX_HTTP_SCEP_CHALLENGE_STATIC) {
        if (CRYPTO_memcmp(digest, conf->secret, ENROLL_DIGEST_LEN) != 0) {
            return ENROLL_CHALLENGE_UNKNOWN;
        }

        er->proven = 1;

        return ENROLL_OK;
    }

    /* one-time: the store knows */

    return ngx_http_enroll_hex(er->pool, &er->challenge, digest,
                               ENROLL_DIGEST_LEN)
           == NGX_OK ? ENROLL_OK : ENROLL_INTERNAL;
}


/* section 4.4: only the key that asked gets an answer */

static enroll_outcome_e
ngx_http_scep_poll(ngx_http_enroll_request_t *er)
{
    er->intent = NGX_HTTP_ENROLL_POLL;
    er->auth = NGX_HTTP_ENROLL_CHALLENGE;

    return ENROLL_OK;
}


/* section 4.5: one's own certificate; any, for those whom the location lists */

static enroll_outcome_e
ngx_http_scep_get_cert(ngx_http_enroll_request_t *er, enroll_scep_t *m)
{
    ngx_http_scep_ctx_t  *ctx;

    ctx = er->message;

    er->number.data = ngx_pnalloc(er->pool, ENROLL_SERIAL_TEXT);
    if (er->number.data == NULL) {
        return ENROLL_INTERNAL;
    }

    er->number.len = enroll_text_serial(m->serial, (char *) er->number.data);

    if (er->number.len == 0) {
        return ENROLL_NOT_FOUND;
    }

    er->intent = NGX_HTTP_ENROLL_LOOKUP;

    if (ctx->reader && enroll_cert_dates(m->signer, er->now) == ENROLL_OK) {

        if (ngx_http_enroll_is(er, m->signer) != NGX_OK) {
            return ENROLL_INTERNAL;
        }

        /* of a CA here: its record may be missing, but not say "revoked" */

        er->cert_ca = ctx->reader_ca;
        er->unrecorded = 1;

        ngx_str_null(&er->poll_key);
    }

    return ENROLL_OK;
}
