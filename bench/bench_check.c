
/*
 * Copyright (C) The nginx-enroll authors
 */


/*
 * What came back: a certificate for the key that was asked with, signed by
 * the CA, in an answer to this very request.
 */


#define _GNU_SOURCE

#include <string.h>
#include <openssl/cms.h>
#include <openssl/pkcs7.h>

#include "bench.h"


static int bench_certificate(const bench_t *b, const bench_request_t *r,
    X509 *x, const char **why);
static X509 *bench_scep_certificate(const bench_t *b,
    const bench_request_t *r, const unsigned char *body, size_t len,
    const char **why);
static int bench_scep_attributes(const bench_request_t *r,
    CMS_SignerInfo *si);
static X509 *bench_certs_only(const unsigned char *der, size_t len);


/* pkiStatus, 2.16.840.1.113733.1.9.3, and a SET with "0" */

static const unsigned char  bench_success[] = {
    0x06, 0x0a, 0x60, 0x86, 0x48, 0x01, 0x86, 0xf8, 0x45, 0x01, 0x09, 0x03,
    0x31, 0x03, 0x13, 0x01, '0'
};


int
bench_check(const bench_t *b, const bench_sample_t *sample, const char **why)
{
    int    ok;
    X509  *x;

    *why = "no certificate in the answer";

    x = (b->op == BENCH_SCEP)
        ? bench_scep_certificate(b, sample->request, sample->body,
                                 sample->len, why)
        : bench_est_certificate(sample->body, sample->len);

    ok = x && bench_certificate(b, sample->request, x, why);

    X509_free(x);

    return ok;
}


static int
bench_certificate(const bench_t *b, const bench_request_t *r, X509 *x,
    const char **why)
{
    unsigned char  digest[BENCH_DIGEST];

    if (!bench_key_digest(X509_get_X509_PUBKEY(x), digest)
        || memcmp(digest, r->key, BENCH_DIGEST) != 0)
    {
        *why = "the certificate is for another key";
        return 0;
    }

    if (X509_verify(x, X509_get0_pubkey(b->issuer)) != 1) {
        *why = "the certificate is not signed by the CA";
        return 0;
    }

    return 1;
}


X509 *
bench_est_certificate(const unsigned char *body, size_t len)
{
    int              n, m;
    X509            *x;
    unsigned char   *der;
    EVP_ENCODE_CTX  *ctx;

    x = NULL;
    der = malloc(len + 1);
    ctx = EVP_ENCODE_CTX_new();

    if (der == NULL || ctx == NULL) {
        bench_fail("no memory");
    }

    EVP_DecodeInit(ctx);

    if (EVP_DecodeUpdate(ctx, der, &n, body, (int) len) >= 0
        && EVP_DecodeFinal(ctx, der + n, &m) == 1)
    {
        x = bench_certs_only(der, (size_t) (n + m));
    }

    EVP_ENCODE_CTX_free(ctx);
    free(der);

    return x;
}


/* the first certificate of a degenerate SignedData */

static X509 *
bench_certs_only(const unsigned char *der, size_t len)
{
    X509   *x;
    PKCS7  *p7;

    x = NULL;
    p7 = d2i_PKCS7(NULL, &der, (long) len);

    if (p7 && PKCS7_type_is_signed(p7) && p7->d.sign->cert) {
        x = sk_X509_value(p7->d.sign->cert, 0);
    }

    if (x) {
        X509_up_ref(x);
    }

    PKCS7_free(p7);

    return x;
}


int
bench_scep_success(const unsigned char *body, size_t len)
{
    return memmem(body, len, bench_success, sizeof(bench_success)) != NULL;
}


/* RFC 8894, section 3.3.2: signed by the RA, and enveloped to the client */

static X509 *
bench_scep_certificate(const bench_t *b, const bench_request_t *r,
    const unsigned char *body, size_t len, const char **why)
{
    BIO              *envelope, *out;
    X509             *x;
    long              n;
    char             *data;
    STACK_OF(X509)   *ra;
    CMS_ContentInfo  *cms, *inner;
    CMS_SignerInfo   *si;

    x = NULL;
    inner = NULL;
    ra = sk_X509_new_null();
    envelope = BIO_new(BIO_s_mem());
    out = BIO_new(BIO_s_mem());

    if (ra == NULL || envelope == NULL || out == NULL
        || !sk_X509_push(ra, b->ra))
    {
        bench_fail("no memory");
    }

    cms = d2i_CMS_ContentInfo(NULL, &body, (long) len);

    if (cms == NULL
        || CMS_verify(cms, ra, NULL, NULL, envelope,
                      CMS_NO_SIGNER_CERT_VERIFY|CMS_NOINTERN|CMS_BINARY)
           != 1)
    {
        *why = "the CertRep is not signed by the RA";
        goto done;
    }

    si = sk_CMS_SignerInfo_value(CMS_get0_SignerInfos(cms), 0);

    if (!bench_scep_attributes(r, si)) {
        *why = "the CertRep answers another request";
        goto done;
    }

    inner = d2i_CMS_bio(envelope, NULL);

    if (inner == NULL
        || CMS_decrypt(inner, r->who->key, r->who->cert, NULL, out,
                       CMS_BINARY)
           != 1)
    {
        *why = "the CertRep cannot be opened";
        goto done;
    }

    n = BIO_get_mem_data(out, &data);
    x = bench_certs_only((unsigned char *) data, (size_t) n);

done:

    CMS_ContentInfo_free(inner);
    CMS_ContentInfo_free(cms);
    BIO_free(out);
    BIO_free(envelope);
    sk_X509_free(ra);

    return x;
}


static int
bench_scep_attributes(const bench_request_t *r, CMS_SignerInfo *si)
{
    ASN1_OBJECT        *txn, *nonce;
    ASN1_OCTET_STRING  *value;
    int                 ok;

    txn = OBJ_txt2obj("2.16.840.1.113733.1.9.7", 1);
    nonce = OBJ_txt2obj("2.16.840.1.113733.1.9.6", 1);

    value = CMS_signed_get0_data_by_OBJ(si, txn, -3, V_ASN1_PRINTABLESTRING);

    ok = value
         && ASN1_STRING_length(value) == BENCH_TXN
         && memcmp(ASN1_STRING_get0_data(value), r->txn, BENCH_TXN) == 0;

    value = CMS_signed_get0_data_by_OBJ(si, nonce, -3, V_ASN1_OCTET_STRING);

    ok = ok && value
         && ASN1_STRING_length(value) == BENCH_NONCE
         && memcmp(ASN1_STRING_get0_data(value), r->nonce, BENCH_NONCE) == 0;

    ASN1_OBJECT_free(txn);
    ASN1_OBJECT_free(nonce);

    return ok;
}
