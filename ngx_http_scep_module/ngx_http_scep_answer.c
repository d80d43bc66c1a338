
/*
 * Copyright (C) The nginx-enroll authors
 */


/*
 * The answers: an outcome as a CertRep (RFC 8894, section 3.3), and what a CA
 * says of itself.
 */


#include "ngx_http_scep.h"


static ngx_int_t ngx_http_scep_send_ca_certs(ngx_http_request_t *r,
    ngx_http_enroll_request_t *er);
static ngx_int_t ngx_http_scep_send_caps(ngx_http_request_t *r,
    ngx_http_enroll_request_t *er);
static ngx_int_t ngx_http_scep_send_next_ca(ngx_http_request_t *r,
    ngx_http_enroll_request_t *er);


/*
 * On a thread.  Once the message could be taken apart, every refusal is a
 * signed CertRep; what is our own trouble stays an HTTP status.
 */

void
ngx_http_scep_encode(ngx_http_enroll_request_t *er)
{
    enroll_outcome_e         rc;
    unsigned char           *der;
    enroll_csr_t            *csr;
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

    if (outcome->class == ENROLL_CLASS_REFUSED) {
        answer.status = ENROLL_SCEP_FAILURE;
        answer.failinfo = outcome->failinfo;
        answer.text = outcome->text;

    } else if (er->encoding == ENROLL_PENDING) {
        answer.status = ENROLL_SCEP_PENDING;

    } else {
        answer.status = ENROLL_SCEP_SUCCESS;

        answer.leaf = er->issued.der;
        answer.leaf_len = er->issued.len;

        if (ctx->conf->chain) {
            answer.certs = er->ca->pki.chain;
        }

        /* what is minted is: a static one is somebody's choice */

        answer.random = (ctx->conf->challenge
                         == NGX_HTTP_SCEP_CHALLENGE_ONE_TIME);

        if (er->encoding == ENROLL_REPEATED && er->csr == NULL) {

            /* a CertPoll, again; all but the password is there without */

            ngx_http_scep_reopen(er);
            er->result = ENROLL_OK;
        }

        csr = er->csr ? er->csr : er->reopened;

        if (csr && ctx->m->csr == NULL) {

            /* it was stored, and has what a CertPoll has not */

            answer.password = csr->challenge.data;
            answer.password_len = csr->challenge.len;
        }
    }

    rc = enroll_scep_reply(ctx->m, &ctx->ra, &answer, &der,
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

        rc = enroll_scep_reply(ctx->m, &ctx->ra, &answer, &der,
                               &er->reply.len);
    }

    if (rc == ENROLL_OK) {
        er->reply.data = der;

    } else {
        er->reply.len = 0;
        er->result = rc;
    }
}


ngx_int_t
ngx_http_scep_answer(ngx_http_request_t *r, ngx_http_enroll_request_t *er)
{
    ngx_str_t  value;

    /* a thread that is busy with it is too late */

    if (!er->busy && er->reply.len) {

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
    ngx_http_scep_loc_conf_t  *sclcf;

    sclcf = ngx_http_get_module_loc_conf(r, ngx_http_scep_module);

    body.data = ngx_pnalloc(r->pool, ENROLL_SCEP_CAPS_LEN);
    if (body.data == NULL) {
        return NGX_ERROR;
    }

    body.len = ngx_http_scep_caps(er, sclcf, body.data);

    return ngx_http_enroll_send(r, NGX_HTTP_OK, "text/plain", &body);
}


size_t
ngx_http_scep_caps(ngx_http_enroll_request_t *er,
    ngx_http_scep_loc_conf_t *sclcf, u_char *text)
{
    ngx_uint_t  caps;

    caps = ENROLL_SCEP_CAP_RENEWAL;

    if (er->ca->pki.next) {
        caps |= ENROLL_SCEP_CAP_NEXT_CA;
    }

    return enroll_scep_caps((char *) text, ngx_http_scep_legacy_bits(sclcf),
                            caps);
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
    X509                      *ca, *enc, *sign;
    u_char                    *der;
    ngx_int_t                  rc;
    ngx_str_t                  body;
    const char                *type;
    STACK_OF(X509)            *certs;
    ngx_http_scep_ctx_t       *ctx;

    ctx = er->message;

    rc = NGX_ERROR;
    der = NULL;

    ca = sk_X509_value(er->ca->pki.chain, 0);
    enc = sk_X509_value(ctx->ra.certs, 0);
    sign = ctx->ra.sign_cert;

    certs = sk_X509_new_null();
    if (certs == NULL) {
        return NGX_ERROR;
    }

    if (ctx->conf->ca_certs != NGX_HTTP_SCEP_CERTS_ISSUER
        && er->ca->ra.sign_cert != ca)
    {
        if (!sk_X509_push(certs, enc)
            || (sign != enc && !sk_X509_push(certs, sign)))
        {
            goto done;
        }
    }

    n = (ctx->conf->ca_certs == NGX_HTTP_SCEP_CERTS_CHAIN)
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
