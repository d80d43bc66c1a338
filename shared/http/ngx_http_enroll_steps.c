
/*
 * Copyright (C) The nginx-enroll authors
 */


/*
 * The steps of a request, in their order, and those that are not a file of
 * their own.  What a step may return is told in ngx_http_enroll_request.c.
 */


#include "ngx_http_enroll_core.h"


static ngx_int_t ngx_http_enroll_step_decode(ngx_http_enroll_request_t *er);
static ngx_int_t ngx_http_enroll_step_open(ngx_http_enroll_request_t *er);
static ngx_int_t ngx_http_enroll_step_authorize(ngx_http_enroll_request_t *er);
static ngx_int_t ngx_http_enroll_step_verify(ngx_http_enroll_request_t *er);
static ngx_int_t ngx_http_enroll_step_check(ngx_http_enroll_request_t *er);
static ngx_int_t ngx_http_enroll_step_sign(ngx_http_enroll_request_t *er);
static ngx_int_t ngx_http_enroll_step_result(ngx_http_enroll_request_t *er);
static ngx_int_t ngx_http_enroll_step_done(ngx_http_enroll_request_t *er);
static ngx_int_t ngx_http_enroll_step_encode(ngx_http_enroll_request_t *er);
static void ngx_http_enroll_work_verify(ngx_http_enroll_request_t *er);
static void ngx_http_enroll_work_sign(ngx_http_enroll_request_t *er);


const ngx_http_enroll_step_t  ngx_http_enroll_steps[] = {

    { ngx_http_enroll_check_password, NGX_HTTP_ENROLL_TIME_AUTHORISE },
    { ngx_http_enroll_identify, NGX_HTTP_ENROLL_TIME_AUTHORISE },

    { ngx_http_enroll_step_decode, NGX_HTTP_ENROLL_TIME_DECODE },

    { ngx_http_enroll_limit, NGX_HTTP_ENROLL_TIME_AUTHORISE },
    { ngx_http_enroll_step_result, NGX_HTTP_ENROLL_TIME_AUTHORISE },

    { ngx_http_enroll_step_open, NGX_HTTP_ENROLL_TIME_DECODE },

    { ngx_http_enroll_step_authorize, NGX_HTTP_ENROLL_TIME_AUTHORISE },
    { ngx_http_enroll_step_verify, NGX_HTTP_ENROLL_TIME_AUTHORISE },
    { ngx_http_enroll_step_check, NGX_HTTP_ENROLL_TIME_AUTHORISE },
    { ngx_http_enroll_requester, NGX_HTTP_ENROLL_TIME_AUTHORISE },
    { ngx_http_enroll_step_result, NGX_HTTP_ENROLL_TIME_AUTHORISE },

    { ngx_http_enroll_admit, NGX_HTTP_ENROLL_TIME_ADMIT },
    { ngx_http_enroll_step_result, NGX_HTTP_ENROLL_TIME_ADMIT },

    /* of what was stored, by poll */

    { ngx_http_enroll_reopen, NGX_HTTP_ENROLL_TIME_DECODE },
    { ngx_http_enroll_approved, NGX_HTTP_ENROLL_TIME_AUTHORISE },
    { ngx_http_enroll_step_verify, NGX_HTTP_ENROLL_TIME_AUTHORISE },
    { ngx_http_enroll_step_check, NGX_HTTP_ENROLL_TIME_AUTHORISE },

    { ngx_http_enroll_step_sign, NGX_HTTP_ENROLL_TIME_SIGN },
    { ngx_http_enroll_step_result, NGX_HTTP_ENROLL_TIME_SIGN },

    { ngx_http_enroll_record, NGX_HTTP_ENROLL_TIME_RECORD },
    { ngx_http_enroll_step_result, NGX_HTTP_ENROLL_TIME_RECORD },
    { ngx_http_enroll_step_done, NGX_HTTP_ENROLL_TIME_RECORD },

    /* of every outcome, and the last two */

    { ngx_http_enroll_step_encode, NGX_HTTP_ENROLL_TIME_ENCODE },
    { ngx_http_enroll_step_result, NGX_HTTP_ENROLL_TIME_ENCODE }
};


const ngx_uint_t  ngx_http_enroll_nsteps =
    sizeof(ngx_http_enroll_steps) / sizeof(ngx_http_enroll_steps[0]);


static ngx_int_t
ngx_http_enroll_step_decode(ngx_http_enroll_request_t *er)
{
    ngx_str_t         body;
    enroll_outcome_e  rc;

    switch (ngx_http_enroll_body(er->request, er, &body)) {

    case NGX_OK:
        rc = er->protocol->decode(er, &body);
        break;

    case NGX_DECLINED:
        rc = ENROLL_TOO_LARGE;
        break;

    default:
        rc = ENROLL_INTERNAL;
    }

    if (rc != ENROLL_OK) {
        er->outcome = rc;
        return NGX_DONE;
    }

    return NGX_OK;
}


/* what only a private key can read */

static ngx_int_t
ngx_http_enroll_step_open(ngx_http_enroll_request_t *er)
{
    if (er->protocol->open == NULL) {
        er->result = ENROLL_OK;
        return NGX_OK;
    }

    return ngx_http_enroll_job(er, er->protocol->open, 0);
}


static ngx_int_t
ngx_http_enroll_step_authorize(ngx_http_enroll_request_t *er)
{
    enroll_outcome_e  rc;

    rc = er->result;

    if (rc == ENROLL_OK && er->protocol->authorize) {
        rc = er->protocol->authorize(er);
    }

    if (rc == ENROLL_OK && er->csr == NULL
        && er->intent == NGX_HTTP_ENROLL_ISSUE)
    {
        rc = ENROLL_INTERNAL;
    }

    if (rc == ENROLL_OK && er->csr) {

        /* what is cheap to refuse goes before any signature is verified */

        if (!enroll_key_allowed(&er->profile->pki.keys, &er->csr->key)) {
            rc = ENROLL_KEY_NOT_ALLOWED;

        } else if (ngx_memcmp(er->csr->key_digest, er->ca->key_digest,
                              ENROLL_DIGEST_LEN)
                   == 0)
        {
            rc = ENROLL_KEY_RESERVED;
        }
    }

    if (rc != ENROLL_OK) {
        er->outcome = rc;
        return NGX_DONE;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_enroll_step_verify(ngx_http_enroll_request_t *er)
{
    ngx_uint_t  cheap;

    if (er->csr == NULL || er->checked) {
        er->result = ENROLL_OK;
        return NGX_OK;
    }

    cheap = enroll_key_cheap(&er->csr->key)
            && !(er->profile->rsa_full && er->csr->key.kind == ENROLL_KEY_RSA);

    return ngx_http_enroll_job(er, ngx_http_enroll_work_verify, cheap);
}


static void
ngx_http_enroll_work_verify(ngx_http_enroll_request_t *er)
{
    er->result = enroll_csr_verify(er->csr, er->legacy);

    if (er->result == ENROLL_OK && er->profile->rsa_full
        && enroll_csr_prime(er->csr))
    {
        er->result = ENROLL_BAD_KEY;
    }
}


/* may these names be certified for whom it is that asks? */

static ngx_int_t
ngx_http_enroll_step_check(ngx_http_enroll_request_t *er)
{
    enroll_asker_t     asker;
    enroll_outcome_e   rc;
    enroll_profile_t  *profile;

    rc = er->result;

    if (rc != ENROLL_OK || er->csr == NULL || er->checked) {
        goto done;
    }

    er->checked = 1;
    profile = &er->profile->pki;

    if (er->cert) {

        /* it may have ended while the body came */

        rc = enroll_cert_dates(er->cert, er->now);

        if (rc != ENROLL_OK) {
            goto done;
        }
    }

    if (er->renewal) {

        if (profile->renew_before
            && er->now < ngx_http_enroll_time(X509_get0_notAfter(er->cert))
                         - profile->renew_before)
        {
            rc = ENROLL_RENEWAL_EARLY;
            goto done;
        }

        if (!profile->renew_copy) {
            rc = enroll_names_renewal_check(er->csr, er->cert, er->subset);

            if (rc != ENROLL_OK) {
                goto done;
            }
        }

        rc = enroll_names_renew(&er->names, er->cert);

        if (rc == ENROLL_OK && er->subset && !profile->renew_copy) {

            /* those of the old names that are asked for again */

            X509_EXTENSION_free(er->names.san);
            er->names.san = NULL;

            rc = enroll_names_san(&er->names, er->csr, ENROLL_SAN_ALL, NULL,
                                  0);
        }

        goto done;
    }

    rc = ngx_http_enroll_names(er->request, er);

    if (rc == ENROLL_OK
        && er->elcf->names == NGX_HTTP_ENROLL_NAMES_IDENTITY
        && er->auth != NGX_HTTP_ENROLL_CHALLENGE)
    {
        /* where both were demanded, the certificate is who it is */

        asker.user = er->cert ? NULL : (char *) er->user.data;
        asker.user_len = er->user.len;
        asker.cert = er->cert;

        rc = enroll_names_permitted(&er->names, &asker);
    }

done:

    if (rc != ENROLL_OK) {
        er->outcome = rc;
        return NGX_DONE;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_enroll_step_sign(ngx_http_enroll_request_t *er)
{
    return ngx_http_enroll_job(er, ngx_http_enroll_work_sign,
                               er->ca->pki.cheap);
}


static void
ngx_http_enroll_work_sign(ngx_http_enroll_request_t *er)
{
    er->result = enroll_issue(&er->ca->pki, &er->profile->pki, er->csr,
                              &er->names, er->now, &er->issued);

    if (er->result == ENROLL_SIGN_FAILED) {
        ERR_error_string_n(ERR_peek_last_error(), er->error,
                           sizeof(er->error));
    }
}


static ngx_int_t
ngx_http_enroll_step_result(ngx_http_enroll_request_t *er)
{
    if (er->result != ENROLL_OK) {
        er->outcome = er->result;
        return NGX_DONE;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_enroll_step_done(ngx_http_enroll_request_t *er)
{
    er->outcome = er->renewal ? ENROLL_RENEWED : ENROLL_OK;

    return NGX_DONE;
}


/* the answer, where a private key signs it */

static ngx_int_t
ngx_http_enroll_step_encode(ngx_http_enroll_request_t *er)
{
    ngx_int_t  rc;

    er->encoding = er->outcome;

    if (er->request == NULL || er->protocol->encode == NULL) {
        er->result = ENROLL_OK;
        return NGX_OK;
    }

    rc = ngx_http_enroll_job(er, er->protocol->encode, 0);

    if (rc == NGX_DONE) {
        er->result = er->outcome;
    }

    return rc;
}
