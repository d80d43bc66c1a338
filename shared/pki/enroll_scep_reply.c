
/*
 * Copyright (C) The nginx-enroll authors
 */


/*
 * CertRep (RFC 8894, section 3.3.2) and what else a registration authority
 * signs.  The SignedData is written element by element: OpenSSL would add a
 * signingTime of its own.
 */


#include <string.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/objects.h>
#include <openssl/rand.h>

#include "enroll_bag.h"
#include "enroll_scep_seal.h"


static void enroll_scep_answer_attrs(enroll_der_writer_t *attrs,
    const enroll_scep_t *m, const enroll_scep_answer_t *answer);
static enroll_outcome_e enroll_scep_sign(const enroll_ra_t *ra,
    const EVP_MD *md, const enroll_der_writer_t *content,
    const enroll_der_writer_t *attrs, unsigned char **der, size_t *len);
static void enroll_scep_signer_info_put(enroll_der_writer_t *w,
    const enroll_ra_t *ra, const EVP_MD *md,
    const enroll_der_writer_t *content, const enroll_der_writer_t *more);
static void enroll_scep_signed_attrs(enroll_der_writer_t *w,
    const EVP_MD *md, const enroll_der_writer_t *content,
    const enroll_der_writer_t *more);
static void enroll_scep_issuer_put(enroll_der_writer_t *w, const X509 *x);
static void enroll_scep_signature(enroll_der_writer_t *w,
    const enroll_ra_t *ra, const EVP_MD *md,
    const enroll_der_writer_t *attrs);
static void enroll_scep_attr(enroll_der_writer_t *w, int tag,
    const void *data, size_t len, const char *oid, size_t oid_len);
static void enroll_scep_number(enroll_der_writer_t *w, int value,
    const char *oid, size_t oid_len);
static void enroll_scep_digest_put(enroll_der_writer_t *w, const EVP_MD *md);


enroll_outcome_e
enroll_scep_reply(const enroll_scep_t *m, const enroll_ra_t *ra,
    const enroll_scep_answer_t *answer, unsigned char **der, size_t *len)
{
    enroll_outcome_e     rc;
    enroll_der_writer_t  content, attrs;

    *der = NULL;
    *len = 0;

    memset(&content, 0, sizeof(enroll_der_writer_t));
    memset(&attrs, 0, sizeof(enroll_der_writer_t));

    ERR_set_mark();

    rc = ENROLL_OK;

    /* an empty content otherwise: certmonger knows no absent one */

    if (answer->status == ENROLL_SCEP_SUCCESS) {
        rc = enroll_scep_seal(&content, m, answer);
    }

    if (rc == ENROLL_OK) {
        enroll_scep_answer_attrs(&attrs, m, answer);

        rc = enroll_scep_sign(ra, m->mirror.digest, &content, &attrs, der,
                              len);
    }

    enroll_der_cleanup(&content);
    enroll_der_cleanup(&attrs);

    ERR_pop_to_mark();

    return rc;
}


/* RFC 8894, section 3.2.1 */

static void
enroll_scep_answer_attrs(enroll_der_writer_t *attrs, const enroll_scep_t *m,
    const enroll_scep_answer_t *answer)
{
    unsigned char  nonce[ENROLL_SCEP_OWN_NONCE];

    if (RAND_bytes(nonce, sizeof(nonce)) != 1) {
        attrs->failed = 1;
        return;
    }

    enroll_scep_number(attrs, ENROLL_SCEP_CERT_REP, ENROLL_OID_MESSAGE_TYPE);
    enroll_scep_number(attrs, answer->status, ENROLL_OID_PKI_STATUS);

    if (answer->status == ENROLL_SCEP_FAILURE) {
        enroll_scep_number(attrs, answer->failinfo, ENROLL_OID_FAIL_INFO);

        if (answer->text) {
            enroll_scep_attr(attrs, ENROLL_DER_UTF8, answer->text,
                             strlen(answer->text), ENROLL_OID_FAIL_INFO_TEXT);
        }
    }

    enroll_scep_attr(attrs, m->transaction_type, m->transaction,
                     m->transaction_len, ENROLL_OID_TRANSACTION_ID);
    enroll_scep_attr(attrs, ENROLL_DER_OCTETS, nonce, sizeof(nonce),
                     ENROLL_OID_SENDER_NONCE);
    enroll_scep_attr(attrs, ENROLL_DER_OCTETS, m->nonce, m->nonce_len,
                     ENROLL_OID_RECIPIENT_NONCE);
}


enroll_outcome_e
enroll_scep_next_ca(const enroll_ra_t *ra, const STACK_OF(X509) *certs,
    unsigned char **der, size_t *len)
{
    size_t                n;
    unsigned char        *bag;
    enroll_outcome_e      rc;
    enroll_der_writer_t   content, none;

    *der = NULL;
    *len = 0;

    memset(&content, 0, sizeof(enroll_der_writer_t));
    memset(&none, 0, sizeof(enroll_der_writer_t));

    ERR_set_mark();

    n = enroll_bag(certs, 0, &bag);
    enroll_der_take(&content, bag, (int) n);

    rc = enroll_scep_sign(ra, EVP_sha256(), &content, &none, der, len);

    enroll_der_cleanup(&content);

    ERR_pop_to_mark();

    return rc;
}


/* RFC 5652, section 5.1 */

static enroll_outcome_e
enroll_scep_sign(const enroll_ra_t *ra, const EVP_MD *md,
    const enroll_der_writer_t *content, const enroll_der_writer_t *attrs,
    unsigned char **der, size_t *len)
{
    int                  n;
    size_t               outer, tagged, inner, mark, octets;
    unsigned char       *cert;
    enroll_der_writer_t  w;

    if (content->failed || attrs->failed) {
        return ENROLL_SIGN_FAILED;
    }

    memset(&w, 0, sizeof(enroll_der_writer_t));

    cert = NULL;
    n = i2d_X509(ra->sign_cert, &cert);

    outer = enroll_der_open(&w, ENROLL_DER_SEQUENCE);
    enroll_der_add(&w, ENROLL_DER_OID, ENROLL_OID_SIGNED);
    tagged = enroll_der_open(&w, ENROLL_DER_EXPLICIT);
    inner = enroll_der_open(&w, ENROLL_DER_SEQUENCE);

    enroll_der_add(&w, ENROLL_DER_INTEGER, "\x01", 1);

    mark = enroll_der_open(&w, ENROLL_DER_SET);
    enroll_scep_digest_put(&w, md);
    enroll_der_close(&w, mark);

    mark = enroll_der_open(&w, ENROLL_DER_SEQUENCE);
    enroll_der_add(&w, ENROLL_DER_OID, ENROLL_OID_DATA);
    octets = enroll_der_open(&w, ENROLL_DER_EXPLICIT);
    enroll_der_add(&w, ENROLL_DER_OCTETS, content->data, content->len);
    enroll_der_close(&w, octets);
    enroll_der_close(&w, mark);

    mark = enroll_der_open(&w, ENROLL_DER_EXPLICIT);
    enroll_der_take(&w, cert, n);
    enroll_der_close(&w, mark);

    mark = enroll_der_open(&w, ENROLL_DER_SET);
    enroll_scep_signer_info_put(&w, ra, md, content, attrs);
    enroll_der_close(&w, mark);

    enroll_der_close(&w, inner);
    enroll_der_close(&w, tagged);
    enroll_der_close(&w, outer);

    if (w.failed) {
        enroll_der_cleanup(&w);
        return ENROLL_SIGN_FAILED;
    }

    *der = w.data;
    *len = w.len;

    return ENROLL_OK;
}


/* RFC 5652, section 5.3 */

static void
enroll_scep_signer_info_put(enroll_der_writer_t *w, const enroll_ra_t *ra,
    const EVP_MD *md, const enroll_der_writer_t *content,
    const enroll_der_writer_t *more)
{
    size_t                mark;
    enroll_der_writer_t   attrs;

    memset(&attrs, 0, sizeof(enroll_der_writer_t));

    enroll_scep_signed_attrs(&attrs, md, content, more);

    if (attrs.failed) {
        w->failed = 1;
        enroll_der_cleanup(&attrs);
        return;
    }

    mark = enroll_der_open(w, ENROLL_DER_SEQUENCE);

    enroll_der_add(w, ENROLL_DER_INTEGER, "\x01", 1);
    enroll_scep_issuer_put(w, ra->sign_cert);
    enroll_scep_digest_put(w, md);
    enroll_der_add(w, ENROLL_DER_EXPLICIT, attrs.data, attrs.len);
    enroll_scep_signature(w, ra, md, &attrs);

    enroll_der_close(w, mark);

    enroll_der_cleanup(&attrs);
}


static void
enroll_scep_signed_attrs(enroll_der_writer_t *w, const EVP_MD *md,
    const enroll_der_writer_t *content, const enroll_der_writer_t *more)
{
    unsigned       n;
    unsigned char  digest[EVP_MAX_MD_SIZE];

    if (EVP_Digest(content->data ? (const void *) content->data : "",
                   content->len, digest, &n, md, NULL)
        != 1)
    {
        w->failed = 1;
        return;
    }

    enroll_scep_attr(w, ENROLL_DER_OID, ENROLL_OID_DATA,
                     ENROLL_OID_CONTENT_TYPE);
    enroll_scep_attr(w, ENROLL_DER_OCTETS, digest, n,
                     ENROLL_OID_MESSAGE_DIGEST);
    enroll_der_put(w, more->data, more->len);

    enroll_der_sort(w, 0);
}


/*
 * The algorithm, and the signature.  For RSA it is plain rsaEncryption (RFC
 * 3370, section 3.2): strongSwan and Cisco know no other.
 */

static void
enroll_scep_signature(enroll_der_writer_t *w, const enroll_ra_t *ra,
    const EVP_MD *md, const enroll_der_writer_t *attrs)
{
    int                   nid, rsa, n;
    size_t                len;
    X509_ALGOR           *alg;
    EVP_MD_CTX           *ctx;
    unsigned char        *der, *signature;
    enroll_der_writer_t   tbs;

    memset(&tbs, 0, sizeof(enroll_der_writer_t));

    der = NULL;
    signature = NULL;

    alg = X509_ALGOR_new();
    ctx = EVP_MD_CTX_new();
    rsa = EVP_PKEY_is_a(ra->sign_key, "RSA");
    nid = NID_rsaEncryption;

    enroll_der_add(&tbs, ENROLL_DER_SET, attrs->data, attrs->len);

    if (alg == NULL
        || ctx == NULL
        || tbs.failed
        || (!rsa
            && OBJ_find_sigid_by_algs(&nid, EVP_MD_get_type(md),
                                      EVP_PKEY_get_base_id(ra->sign_key))
               != 1)
        || X509_ALGOR_set0(alg, OBJ_nid2obj(nid),
                           rsa ? V_ASN1_NULL : V_ASN1_UNDEF, NULL)
           != 1
        || EVP_DigestSignInit(ctx, NULL, md, NULL, ra->sign_key) != 1
        || EVP_DigestSign(ctx, NULL, &len, tbs.data, tbs.len) != 1)
    {
        w->failed = 1;
        goto done;
    }

    signature = OPENSSL_malloc(len);

    if (signature == NULL
        || EVP_DigestSign(ctx, signature, &len, tbs.data, tbs.len) != 1)
    {
        w->failed = 1;
        goto done;
    }

    n = i2d_X509_ALGOR(alg, &der);

    enroll_der_take(w, der, n);
    enroll_der_add(w, ENROLL_DER_OCTETS, signature, len);

done:

    OPENSSL_free(signature);
    enroll_der_cleanup(&tbs);
    EVP_MD_CTX_free(ctx);
    X509_ALGOR_free(alg);
}


static void
enroll_scep_attr(enroll_der_writer_t *w, int tag, const void *data,
    size_t len, const char *oid, size_t oid_len)
{
    size_t  mark, set;

    mark = enroll_der_open(w, ENROLL_DER_SEQUENCE);
    enroll_der_add(w, ENROLL_DER_OID, oid, oid_len);
    set = enroll_der_open(w, ENROLL_DER_SET);
    enroll_der_add(w, tag, data, len);
    enroll_der_close(w, set);
    enroll_der_close(w, mark);
}


/* numbers are text here, and all of ours have one digit */

static void
enroll_scep_number(enroll_der_writer_t *w, int value, const char *oid,
    size_t oid_len)
{
    char  digit;

    digit = (char) ('0' + value);

    enroll_scep_attr(w, ENROLL_DER_PRINTABLE, &digit, 1, oid, oid_len);
}


static void
enroll_scep_digest_put(enroll_der_writer_t *w, const EVP_MD *md)
{
    int             n;
    X509_ALGOR     *alg;
    unsigned char  *der;

    alg = X509_ALGOR_new();
    if (alg == NULL) {
        w->failed = 1;
        return;
    }

    X509_ALGOR_set_md(alg, md);

    der = NULL;
    n = i2d_X509_ALGOR(alg, &der);

    enroll_der_take(w, der, n);

    X509_ALGOR_free(alg);
}


/* RFC 5652, section 10.2.4 */

static void
enroll_scep_issuer_put(enroll_der_writer_t *w, const X509 *x)
{
    int             n;
    size_t          mark;
    unsigned char  *der;

    mark = enroll_der_open(w, ENROLL_DER_SEQUENCE);

    der = NULL;
    n = i2d_X509_NAME(X509_get_issuer_name(x), &der);
    enroll_der_take(w, der, n);

    der = NULL;
    n = i2d_ASN1_INTEGER(X509_get0_serialNumber(x), &der);
    enroll_der_take(w, der, n);

    enroll_der_close(w, mark);
}
