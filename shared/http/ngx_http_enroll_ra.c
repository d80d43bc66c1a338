
/*
 * Copyright (C) The nginx-enroll authors
 */


/*
 * The registration authority of a CA (RFC 8894, section 2.1.2): certificates
 * and keys to decrypt requests and to sign answers with.
 */


#include "ngx_http_enroll_core.h"


static X509 *ngx_http_enroll_ra_cert(ngx_conf_t *cf, ngx_http_enroll_ca_t *ca,
    ngx_str_t *name, uint32_t usage);
static EVP_PKEY *ngx_http_enroll_ra_key(ngx_conf_t *cf,
    ngx_http_enroll_ca_t *ca, ngx_str_t *name, X509 *x);
static ngx_int_t ngx_http_enroll_ra_add(ngx_http_enroll_ca_t *ca, X509 *x,
    EVP_PKEY *pkey);
static ngx_int_t ngx_http_enroll_ra_split(ngx_conf_t *cf,
    ngx_http_enroll_ca_t *ca);
static ngx_int_t ngx_http_enroll_ra_own(ngx_conf_t *cf,
    ngx_http_enroll_ca_t *ca);


/*
 * Fills in ca->ra: from ra_certificate and its like, else from the CA itself,
 * where its key is RSA.  Without either ca->ra.sign_key stays NULL.
 */

ngx_int_t
ngx_http_enroll_ra_load(ngx_conf_t *cf, ngx_http_enroll_ca_t *ca)
{
    X509        *x;
    EVP_PKEY    *pkey;
    ngx_str_t   *certs, *keys;
    ngx_uint_t   i, split;

    split = (ca->ra_encryption_certificate.len != 0);

    if (split != (ca->ra_encryption_certificate_key.len != 0)
        || (ca->ra_certificate == NULL) != (ca->ra_certificate_key == NULL)
        || (ca->ra_certificate
            && ca->ra_certificate->nelts != ca->ra_certificate_key->nelts))
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "each RA certificate of CA \"%V\" needs its key, "
                           "and each key its certificate", &ca->name);
        return NGX_ERROR;
    }

    if (ca->ra_certificate == NULL) {

        if (split) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "\"ra_encryption_certificate\" of CA \"%V\" "
                               "needs \"ra_certificate\" to sign with",
                               &ca->name);
            return NGX_ERROR;
        }

        return ngx_http_enroll_ra_own(cf, ca);
    }

    ca->ra.certs = sk_X509_new_null();
    ca->ra.keys = ngx_pcalloc(cf->pool, (ca->ra_certificate->nelts + 1)
                                        * sizeof(EVP_PKEY *));

    if (ca->ra.certs == NULL || ca->ra.keys == NULL) {
        return NGX_ERROR;
    }

    certs = ca->ra_certificate->elts;
    keys = ca->ra_certificate_key->elts;

    if (split && ca->ra_certificate->nelts > 1) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "CA \"%V\" has more than one \"ra_certificate\" "
                           "beside \"ra_encryption_certificate\"", &ca->name);
        return NGX_ERROR;
    }

    for (i = 0; i < ca->ra_certificate->nelts; i++) {

        x = ngx_http_enroll_ra_cert(cf, ca, &certs[i],
                                    split ? KU_DIGITAL_SIGNATURE
                                          : KU_DIGITAL_SIGNATURE
                                            |KU_KEY_ENCIPHERMENT);
        if (x == NULL) {
            return NGX_ERROR;
        }

        pkey = ngx_http_enroll_ra_key(cf, ca, &keys[i], x);

        if (pkey == NULL) {
            X509_free(x);
            return NGX_ERROR;
        }

        if (split) {
            ca->ra.sign_cert = x;
            ca->ra.sign_key = pkey;
            break;
        }

        if (enroll_cert_dates(x, ngx_time()) != ENROLL_OK) {
            ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                               "the RA certificate \"%V\" is expired and opens "
                               "nothing any more", &certs[i]);
            X509_free(x);
            EVP_PKEY_free(pkey);
            continue;
        }

        if (ngx_http_enroll_ra_add(ca, x, pkey) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    if (split) {
        return ngx_http_enroll_ra_split(cf, ca);
    }

    if (sk_X509_num(ca->ra.certs) == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "all RA certificates of CA \"%V\" are expired",
                           &ca->name);
        return NGX_ERROR;
    }

    ca->ra.sign_cert = sk_X509_value(ca->ra.certs, 0);
    ca->ra.sign_key = ca->ra.keys[0];

    X509_up_ref(ca->ra.sign_cert);
    EVP_PKEY_up_ref(ca->ra.sign_key);

    return NGX_OK;
}


/* one to sign, which is loaded, and one to decrypt */

static ngx_int_t
ngx_http_enroll_ra_split(ngx_conf_t *cf, ngx_http_enroll_ca_t *ca)
{
    X509      *x;
    EVP_PKEY  *pkey;

    x = ngx_http_enroll_ra_cert(cf, ca, &ca->ra_encryption_certificate,
                                KU_KEY_ENCIPHERMENT);
    if (x == NULL) {
        return NGX_ERROR;
    }

    pkey = ngx_http_enroll_ra_key(cf, ca, &ca->ra_encryption_certificate_key,
                                  x);
    if (pkey == NULL) {
        X509_free(x);
        return NGX_ERROR;
    }

    if (enroll_cert_dates(x, ngx_time()) != ENROLL_OK
        || enroll_cert_dates(ca->ra.sign_cert, ngx_time()) != ENROLL_OK)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "an RA certificate of CA \"%V\" is expired",
                           &ca->name);
        X509_free(x);
        EVP_PKEY_free(pkey);
        return NGX_ERROR;
    }

    return ngx_http_enroll_ra_add(ca, x, pkey);
}


/* the CA is its own RA, where it can be */

static ngx_int_t
ngx_http_enroll_ra_own(ngx_conf_t *cf, ngx_http_enroll_ca_t *ca)
{
    X509  *x;

    if (EVP_PKEY_get_base_id(ca->pki.key) != EVP_PKEY_RSA) {
        return NGX_OK;
    }

    x = sk_X509_value(ca->pki.chain, 0);

    ca->ra.certs = sk_X509_new_null();
    ca->ra.keys = ngx_pcalloc(cf->pool, sizeof(EVP_PKEY *));

    if (ca->ra.certs == NULL || ca->ra.keys == NULL
        || !X509_up_ref(x))
    {
        return NGX_ERROR;
    }

    EVP_PKEY_up_ref(ca->pki.key);

    if (ngx_http_enroll_ra_add(ca, x, ca->pki.key) != NGX_OK) {
        return NGX_ERROR;
    }

    X509_up_ref(x);
    EVP_PKEY_up_ref(ca->pki.key);

    ca->ra.sign_cert = x;
    ca->ra.sign_key = ca->pki.key;

    return NGX_OK;
}


static X509 *
ngx_http_enroll_ra_cert(ngx_conf_t *cf, ngx_http_enroll_ca_t *ca,
    ngx_str_t *name, uint32_t usage)
{
    X509            *x;
    STACK_OF(X509)  *certs;

    certs = ngx_http_enroll_read_certs(cf, name);
    if (certs == NULL) {
        return NULL;
    }

    x = sk_X509_shift(certs);
    sk_X509_pop_free(certs, X509_free);

    if (!enroll_issuer_find(ca->pki.chain, x, NULL)) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "the RA certificate \"%V\" was not issued by "
                           "CA \"%V\"", name, &ca->name);
        X509_free(x);
        return NULL;
    }

    /* without the extension all bits are set */

    if ((X509_get_key_usage(x) & usage) != usage) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "the keyUsage of the RA certificate \"%V\" has "
                           "no %s",
                           name,
                           (X509_get_key_usage(x) & usage
                                                  & KU_DIGITAL_SIGNATURE)
                           ? "keyEncipherment" : "digitalSignature");
        X509_free(x);
        return NULL;
    }

    return x;
}


static EVP_PKEY *
ngx_http_enroll_ra_key(ngx_conf_t *cf, ngx_http_enroll_ca_t *ca,
    ngx_str_t *name, X509 *x)
{
    EVP_PKEY    *pkey;
    ngx_uint_t   remote;
    const char  *error;

    pkey = ngx_http_enroll_key_load(cf, name, &ca->password_file, &remote);
    if (pkey == NULL) {
        return NULL;
    }

    error = NULL;

    if (X509_check_private_key(x, pkey) != 1) {
        error = "does not belong to its certificate";

    } else if (EVP_PKEY_get_base_id(pkey) != EVP_PKEY_RSA
               || EVP_PKEY_get_bits(pkey) < 2048)
    {
        error = "is not RSA of 2048 bits or more";
    }

    if (error) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "an RA key of CA \"%V\" %s", &ca->name, error);
        EVP_PKEY_free(pkey);
        return NULL;
    }

    return pkey;
}


/* keeps the newest first: it is the one that is advertised */

static ngx_int_t
ngx_http_enroll_ra_add(ngx_http_enroll_ca_t *ca, X509 *x, EVP_PKEY *pkey)
{
    int  i, n;

    n = sk_X509_num(ca->ra.certs);

    for (i = 0; i < n; i++) {
        if (ASN1_TIME_compare(X509_get0_notBefore(x),
                      X509_get0_notBefore(sk_X509_value(ca->ra.certs, i)))
            > 0)
        {
            break;
        }
    }

    if (!sk_X509_insert(ca->ra.certs, x, i)) {
        X509_free(x);
        EVP_PKEY_free(pkey);
        return NGX_ERROR;
    }

    ngx_memmove(&ca->ra.keys[i + 1], &ca->ra.keys[i],
                (n - i) * sizeof(EVP_PKEY *));

    ca->ra.keys[i] = pkey;

    return NGX_OK;
}


void
ngx_http_enroll_ra_cleanup(ngx_http_enroll_ca_t *ca)
{
    int  i;

    for (i = 0; ca->ra.certs && i < sk_X509_num(ca->ra.certs); i++) {
        EVP_PKEY_free(ca->ra.keys[i]);
    }

    sk_X509_pop_free(ca->ra.certs, X509_free);
    X509_free(ca->ra.sign_cert);
    EVP_PKEY_free(ca->ra.sign_key);
}
