
/*
 * Copyright (C) The nginx-enroll authors
 */


/*
 * PKIOperation (RFC 8894, sections 3 and 4.3): from a pkiMessage to what is
 * wanted and by whom, and from an outcome to a CertRep.
 */


#include "ngx_http_scep.h"


static enroll_outcome_e ngx_http_scep_decode(ngx_http_enroll_request_t *er,
    ngx_str_t *body);
static enroll_outcome_e ngx_http_scep_message(ngx_http_request_t *r,
    ngx_http_enroll_request_t *er, ngx_str_t *body);
static ngx_int_t ngx_http_scep_address(ngx_http_request_t *r,
    ngx_http_enroll_request_t *er);
static enroll_outcome_e ngx_http_scep_note(ngx_http_request_t *r,
    ngx_http_enroll_request_t *er, enroll_scep_t *m);
static ngx_int_t ngx_http_scep_join(ngx_pool_t *pool, ngx_str_t *out,
    const char *word, ngx_str_t *location, enroll_scep_t *m);
static void ngx_http_scep_open(ngx_http_enroll_request_t *er);
static enroll_outcome_e ngx_http_scep_authorize(ngx_http_enroll_request_t *er);
static enroll_outcome_e ngx_http_scep_renewal(ngx_http_enroll_request_t *er,
    enroll_scep_t *m);
static enroll_outcome_e ngx_http_scep_first(ngx_http_enroll_request_t *er,
    enroll_scep_t *m);
static enroll_outcome_e ngx_http_scep_challenged(ngx_http_request_t *r,
    ngx_http_enroll_request_t *er, ngx_uint_t required);
static enroll_outcome_e ngx_http_scep_poll(ngx_http_enroll_request_t *er,
    enroll_scep_t *m);
static enroll_outcome_e ngx_http_scep_get_cert(ngx_http_enroll_request_t *er,
    enroll_scep_t *m);
static void ngx_http_scep_encode(ngx_http_enroll_request_t *er);
static ngx_int_t ngx_http_scep_answer(ngx_http_request_t *r,
    ngx_http_enroll_request_t *er);
static ngx_int_t ngx_http_scep_send_ca_certs(ngx_http_request_t *r,
    ngx_http_enroll_request_t *er);
static ngx_int_t ngx_http_scep_send_caps(ngx_http_request_t *r,
    ngx_http_enroll_request_t *er);
static ngx_int_t ngx_http_scep_send_next_ca(ngx_http_request_t *r,
    ngx_http_enroll_request_t *er);
static void ngx_http_scep_free(ngx_http_enroll_request_t *er);


const ngx_http_enroll_protocol_t  ngx_http_scep_protocol = {
    ngx_string("scep"),
    ngx_http_scep_decode,
    ngx_http_scep_open,
    ngx_http_scep_authorize,
    ngx_http_scep_encode,
    ngx_http_scep_answer,
    ngx_http_scep_free
};


/*
 * What the thread needs beside the message, and may not look for itself: the
 * location's configuration
 */

typedef struct {
    enroll_scep_t              *m;
    ngx_http_scep_loc_conf_t   *conf;
    enroll_ra_t                 ra;        /* without what is expired */
    STACK_OF(X509)             *issuers;   /* that a message may name */
} ngx_http_scep_ctx_t;


static enroll_outcome_e
ngx_http_scep_decode(ngx_http_enroll_request_t *er, ngx_str_t *body)
{
    enroll_outcome_e      rc;
    ngx_http_request_t   *r;
    ngx_http_scep_ctx_t  *ctx;

    r = er->request;

    ctx = ngx_pcalloc(er->pool, sizeof(ngx_http_scep_ctx_t));
    if (ctx == NULL) {
        return ENROLL_INTERNAL;
    }

    ctx->conf = ngx_http_get_module_loc_conf(r, ngx_http_scep_module);
    er->message = ctx;

    rc = ngx_http_scep_message(r, er, body);

    if (rc != ENROLL_OK) {
        return rc;
    }

    if (ngx_http_scep_address(r, er) != NGX_OK) {
        return ENROLL_INTERNAL;
    }

    rc = enroll_scep_parse(&ctx->m, body->data, body->len,
                           ngx_http_scep_legacy_bits(ctx->conf));

    if (rc != ENROLL_OK) {

        /* whose message it is, is not known: a certificate can be copied */

        return rc;
    }

    if (ngx_http_scep_note(r, er, ctx->m) != ENROLL_OK) {
        return ENROLL_INTERNAL;
    }

    /* nothing that is in it would change this answer */

    return (ctx->m->type == ENROLL_SCEP_GET_CRL) ? ENROLL_NO_CRL : ENROLL_OK;
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


/* failures are counted for the address, and for a signer that did sign */

static ngx_int_t
ngx_http_scep_address(ngx_http_request_t *r, ngx_http_enroll_request_t *er)
{
    u_char     *p;
    ngx_str_t  *address;

    address = &r->connection->addr_text;

    p = ngx_pnalloc(er->pool, sizeof("address ") - 1 + address->len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    er->fail_keys[0].data = p;
    er->fail_keys[0].len = ngx_sprintf(p, "address %V", address) - p;
    er->fail_n = 1;

    return NGX_OK;
}


/* what makes messages the same, and what failures are counted by */

static enroll_outcome_e
ngx_http_scep_note(ngx_http_request_t *r, ngx_http_enroll_request_t *er,
    enroll_scep_t *m)
{
    int                   i;
    X509                 *x;
    enroll_ra_t          *ra;
    enroll_ca_t          *ca;
    ngx_http_scep_ctx_t  *ctx;

    ctx = er->message;

    m->known = (enroll_ca_issued(&er->ca->pki, m->signer, NULL) != NULL);

    er->nonce.data = m->nonce;
    er->nonce.len = m->nonce_len;

    if (ngx_http_scep_join(er->pool, &er->context, "request", NULL, m)
        != NGX_OK
        || ngx_http_scep_join(er->pool, &er->poll, "poll",
                              &er->endpoint->location, m)
           != NGX_OK
        || ngx_http_enroll_hex(er->pool, &er->poll_key, m->signer_digest,
                               ENROLL_DIGEST_LEN)
           != NGX_OK)
    {
        return ENROLL_INTERNAL;
    }

    er->fail_keys[1] = er->poll_key;
    er->fail_n = 2;

    /* old RA certificates open messages until they expire */

    ra = &er->ca->ra;

    ctx->ra = *ra;
    ctx->ra.certs = sk_X509_new_null();
    ctx->ra.keys = ngx_palloc(er->pool, sk_X509_num(ra->certs)
                                        * sizeof(EVP_PKEY *));

    if (ctx->ra.certs == NULL || ctx->ra.keys == NULL) {
        return ENROLL_INTERNAL;
    }

    for (i = 0; i < sk_X509_num(ra->certs); i++) {

        x = sk_X509_value(ra->certs, i);

        if (enroll_cert_dates(x, er->now) == ENROLL_OK) {

            ctx->ra.keys[sk_X509_num(ctx->ra.certs)] = ra->keys[i];

            if (!sk_X509_push(ctx->ra.certs, x)) {
                return ENROLL_INTERNAL;
            }
        }
    }

    /* some clients name the RA for the issuer */

    ca = &er->ca->pki;

    ctx->issuers = sk_X509_dup(ra->certs);

    if (ctx->issuers == NULL
        || !sk_X509_push(ctx->issuers, ra->sign_cert)
        || !sk_X509_push(ctx->issuers, sk_X509_value(ca->chain, 0)))
    {
        return ENROLL_INTERNAL;
    }

    for (i = 0; i < sk_X509_num(ca->previous); i++) {
        if (!sk_X509_push(ctx->issuers, sk_X509_value(ca->previous, i))) {
            return ENROLL_INTERNAL;
        }
    }

    m->issuers = ctx->issuers;

    return ENROLL_OK;
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


/* on a thread */

static void
ngx_http_scep_open(ngx_http_enroll_request_t *er)
{
    ngx_http_scep_ctx_t  *ctx;

    ctx = er->message;

    er->result = enroll_scep_open(ctx->m, &ctx->ra,
                                  ngx_http_scep_legacy_bits(ctx->conf));
}


static enroll_outcome_e
ngx_http_scep_authorize(ngx_http_enroll_request_t *er)
{
    enroll_scep_t        *m;
    ngx_http_scep_ctx_t  *ctx;

    ctx = er->message;
    m = ctx->m;

    switch (m->type) {

    case ENROLL_SCEP_PKCS_REQ:
        er->csr = m->csr;
        return m->known ? ngx_http_scep_renewal(er, m)
                        : ngx_http_scep_first(er, m);

    case ENROLL_SCEP_RENEWAL_REQ:
        er->csr = m->csr;
        return m->known ? ngx_http_scep_renewal(er, m)
                        : ENROLL_RENEWAL_ISSUER;

    case ENROLL_SCEP_CERT_POLL:
        return ngx_http_scep_poll(er, m);

    case ENROLL_SCEP_GET_CERT:
        return ngx_http_scep_get_cert(er, m);

    default:
        return ENROLL_SCEP_TYPE;
    }
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

    return ngx_http_scep_challenged(er->request, er, 0);
}


/*
 * A first request is signed by a certificate that proves nothing but the key:
 * that must be the request's.  Its subject need not be.
 */

static enroll_outcome_e
ngx_http_scep_first(ngx_http_enroll_request_t *er, enroll_scep_t *m)
{
    ngx_str_t  hex;

    if (ngx_memcmp(m->signer_digest, m->csr->key_digest, ENROLL_DIGEST_LEN)
        != 0)
    {
        return ENROLL_KEY_MISMATCH;
    }

    hex = er->poll_key;

    er->requester.data = ngx_pnalloc(er->pool, sizeof("key:") - 1 + hex.len);
    if (er->requester.data == NULL) {
        return ENROLL_INTERNAL;
    }

    er->requester.len = ngx_sprintf(er->requester.data, "key:%V", &hex)
                        - er->requester.data;

    er->auth = NGX_HTTP_ENROLL_CHALLENGE;

    return ngx_http_scep_challenged(er->request, er, 1);
}


/* a challenge that is there must be right, whether one is required or not */

static enroll_outcome_e
ngx_http_scep_challenged(ngx_http_request_t *r, ngx_http_enroll_request_t *er,
    ngx_uint_t required)
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
        return CRYPTO_memcmp(digest, conf->secret, ENROLL_DIGEST_LEN) == 0
               ? ENROLL_OK : ENROLL_CHALLENGE_UNKNOWN;
    }

    /* one-time: the store knows */

    return ngx_http_enroll_hex(er->pool, &er->challenge, digest,
                               ENROLL_DIGEST_LEN)
           == NGX_OK ? ENROLL_OK : ENROLL_INTERNAL;
}


/* section 4.4: only the key that asked gets an answer */

static enroll_outcome_e
ngx_http_scep_poll(ngx_http_enroll_request_t *er, enroll_scep_t *m)
{
    er->intent = NGX_HTTP_ENROLL_POLL;
    er->auth = NGX_HTTP_ENROLL_CHALLENGE;

    return ENROLL_OK;
}


/* section 4.5: one's own certificate; any, for those whom the location lists */

static enroll_outcome_e
ngx_http_scep_get_cert(ngx_http_enroll_request_t *er, enroll_scep_t *m)
{
    int                   i;
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

    for (i = 0; i < sk_X509_num(ctx->conf->readers); i++) {
        if (X509_cmp(sk_X509_value(ctx->conf->readers, i), m->signer) == 0
            && enroll_cert_dates(m->signer, er->now) == ENROLL_OK)
        {
            ngx_str_null(&er->poll_key);
            break;
        }
    }

    return ENROLL_OK;
}


/*
 * On a thread.  Once the message could be taken apart, every refusal is a
 * signed CertRep; what is our own trouble stays an HTTP status.
 */

static void
ngx_http_scep_encode(ngx_http_enroll_request_t *er)
{
    int                      i;
    STACK_OF(X509)          *certs;
    enroll_outcome_e         rc;
    unsigned char           *der;
    enroll_challenge_t      *challenge;
    ngx_http_scep_ctx_t     *ctx;
    enroll_scep_answer_t     answer;
    const enroll_outcome_t  *outcome;

    ctx = er->message;
    er->result = ENROLL_OK;

    outcome = enroll_outcome(er->encoding);

    if (ctx == NULL || ctx->m == NULL
        || outcome->class == ENROLL_CLASS_FAILED
        || (outcome->class == ENROLL_CLASS_REFUSED && outcome->failinfo < 0))
    {
        return;
    }

    ngx_memzero(&answer, sizeof(enroll_scep_answer_t));

    certs = NULL;

    if (outcome->class == ENROLL_CLASS_REFUSED) {
        answer.status = ENROLL_SCEP_FAILURE;
        answer.failinfo = outcome->failinfo;
        answer.text = outcome->text;

    } else if (er->encoding == ENROLL_PENDING) {
        answer.status = ENROLL_SCEP_PENDING;

    } else {
        answer.status = ENROLL_SCEP_SUCCESS;

        certs = sk_X509_new_null();

        if (certs == NULL || !sk_X509_push(certs, er->issued)) {
            er->result = ENROLL_INTERNAL;
            goto done;
        }

        for (i = 0;
             ctx->conf->chain && i < sk_X509_num(er->ca->pki.chain);
             i++)
        {
            if (!sk_X509_push(certs, sk_X509_value(er->ca->pki.chain, i))) {
                er->result = ENROLL_INTERNAL;
                goto done;
            }
        }

        answer.certs = certs;

        if (er->csr && ctx->m->csr == NULL) {

            /* it was stored, and has what a CertPoll has not */

            challenge = &er->csr->challenge;
            answer.password = challenge->data;
            answer.password_len = challenge->len;
        }
    }

    rc = enroll_scep_reply(ctx->m, &er->ca->ra, &answer, &der,
                           &er->reply.len);

    if (rc != ENROLL_OK && answer.status == ENROLL_SCEP_SUCCESS
        && enroll_outcome(rc)->failinfo >= 0)
    {
        /* the answer cannot be encrypted; that much can be said */

        er->result = rc;

        ngx_memzero(&answer, sizeof(enroll_scep_answer_t));

        answer.status = ENROLL_SCEP_FAILURE;
        answer.failinfo = enroll_outcome(rc)->failinfo;
        answer.text = enroll_outcome(rc)->text;

        rc = enroll_scep_reply(ctx->m, &er->ca->ra, &answer, &der,
                               &er->reply.len);
    }

    if (rc == ENROLL_OK) {
        er->reply.data = der;

    } else {
        er->reply.len = 0;
        er->result = rc;
    }

done:

    sk_X509_free(certs);
}


static ngx_int_t
ngx_http_scep_answer(ngx_http_request_t *r, ngx_http_enroll_request_t *er)
{
    ngx_str_t  value;

    /* a thread that is busy with it is too late */

    if (er->reply.len && !er->busy) {

        /* a GET's answer is no more to be kept than a POST's */

        ngx_str_set(&value, "no-store");

        if (ngx_http_enroll_header(r, "Cache-Control", &value) != NGX_OK) {
            return NGX_ERROR;
        }

        return ngx_http_enroll_send(r, NGX_HTTP_OK,
                                    "application/x-pki-message", &er->reply);
    }

    if (er->outcome == ENROLL_SERVED) {

        if (er->operation.data == ngx_http_scep_get_ca_caps.data) {
            return ngx_http_scep_send_caps(r, er);
        }

        return (er->operation.data == ngx_http_scep_get_ca_cert.data)
               ? ngx_http_scep_send_ca_certs(r, er)
               : ngx_http_scep_send_next_ca(r, er);
    }

    if (er->outcome == ENROLL_METHOD) {

        if (er->operation.data == ngx_http_scep_pki_operation.data) {
            ngx_str_set(&value, "GET, POST");

        } else {
            ngx_str_set(&value, "GET, HEAD");
        }

        if (ngx_http_enroll_header(r, "Allow", &value) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return ngx_http_enroll_send_refusal(r, er);
}


static ngx_int_t
ngx_http_scep_send_caps(ngx_http_request_t *r, ngx_http_enroll_request_t *er)
{
    ngx_str_t                  body;
    ngx_uint_t                 caps;
    ngx_http_scep_loc_conf_t  *sclcf;

    sclcf = ngx_http_get_module_loc_conf(r, ngx_http_scep_module);

    body.data = ngx_pnalloc(r->pool, ENROLL_SCEP_CAPS_LEN);
    if (body.data == NULL) {
        return NGX_ERROR;
    }

    caps = ENROLL_SCEP_CAP_RENEWAL;

    if (er->ca->pki.next) {
        caps |= ENROLL_SCEP_CAP_NEXT_CA;
    }

    body.len = enroll_scep_caps((char *) body.data,
                                ngx_http_scep_legacy_bits(sclcf), caps);

    return ngx_http_enroll_send(r, NGX_HTTP_OK, "text/plain", &body);
}


/*
 * Section 4.2.1.  The order is kept: the RA's certificates, the issuing one,
 * its chain.  Some clients want no more than they need.
 */

static ngx_int_t
ngx_http_scep_send_ca_certs(ngx_http_request_t *r,
    ngx_http_enroll_request_t *er)
{
    int                        i, n;
    X509                      *ca, *enc;
    u_char                    *der;
    ngx_int_t                  rc;
    ngx_str_t                  body;
    const char                *type;
    STACK_OF(X509)            *certs;
    ngx_http_scep_loc_conf_t  *sclcf;

    sclcf = ngx_http_get_module_loc_conf(r, ngx_http_scep_module);

    rc = NGX_ERROR;
    der = NULL;

    ca = sk_X509_value(er->ca->pki.chain, 0);
    enc = sk_X509_value(er->ca->ra.certs, 0);

    certs = sk_X509_new_null();
    if (certs == NULL) {
        return NGX_ERROR;
    }

    if (sclcf->ca_certs != NGX_HTTP_SCEP_CERTS_ISSUER && enc != ca) {

        if (!sk_X509_push(certs, enc)
            || (er->ca->ra.sign_cert != enc
                && !sk_X509_push(certs, er->ca->ra.sign_cert)))
        {
            goto done;
        }
    }

    n = (sclcf->ca_certs == NGX_HTTP_SCEP_CERTS_CHAIN)
        ? sk_X509_num(er->ca->pki.chain) : 1;

    for (i = 0; i < n; i++) {
        if (!sk_X509_push(certs, sk_X509_value(er->ca->pki.chain, i))) {
            goto done;
        }
    }

    if (sk_X509_num(certs) == 1) {
        type = "application/x-x509-ca-cert";
        n = i2d_X509(ca, &der);
        body.len = (n > 0) ? n : 0;

    } else {
        type = "application/x-x509-ca-ra-cert";
        body.len = enroll_bag(certs, 0, &der);
    }

    if (body.len == 0) {
        goto done;
    }

    body.data = ngx_pnalloc(r->pool, body.len);
    if (body.data == NULL) {
        goto done;
    }

    ngx_memcpy(body.data, der, body.len);

    rc = ngx_http_enroll_send(r, NGX_HTTP_OK, type, &body);

done:

    OPENSSL_free(der);
    sk_X509_free(certs);

    return rc;
}


static ngx_int_t
ngx_http_scep_send_next_ca(ngx_http_request_t *r,
    ngx_http_enroll_request_t *er)
{
    ngx_http_scep_main_conf_t  *smcf;

    smcf = ngx_http_get_module_main_conf(r, ngx_http_scep_module);

    return ngx_http_enroll_send(r, NGX_HTTP_OK,
                                "application/x-x509-next-ca-cert",
                                &smcf->next_ca[er->ca->index]);
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
