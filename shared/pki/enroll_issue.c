
/*
 * Copyright (C) The nginx-enroll authors
 */


#include <limits.h>
#include <openssl/crypto.h>
#include <openssl/rand.h>

#include "enroll_issue.h"


#define ENROLL_SERIAL_LEN  16


static int enroll_issue_serial(X509 *x);
static int enroll_issue_validity(X509 *x, const X509 *issuer,
    const enroll_profile_t *profile, time_t now);
static int enroll_issue_key(X509 *x, const enroll_csr_t *csr);
static int enroll_issue_skid(X509 *x, const enroll_csr_t *csr);
static int enroll_issue_extension(X509 *x, X509_EXTENSION *ext);
static int enroll_issue_key_usage(const enroll_profile_t *profile,
    const enroll_key_t *key, X509_EXTENSION **ext);


enroll_outcome_e
enroll_issue(const enroll_ca_t *ca, const enroll_profile_t *profile,
    const enroll_csr_t *csr, const enroll_names_t *names, time_t now, X509 **x,
    unsigned char **der, size_t *len)
{
    int              n;
    X509            *cert, *issuer;
    const EVP_MD    *digest;
    X509_EXTENSION  *key_usage;

    *x = NULL;
    *der = NULL;
    *len = 0;

    issuer = sk_X509_value(ca->chain, 0);

    if (enroll_cert_dates(issuer, now) != ENROLL_OK) {
        return ENROLL_CA_EXPIRED;
    }

    if (!enroll_issue_key_usage(profile, &csr->key, &key_usage)) {
        return ENROLL_KEY_NOT_ALLOWED;
    }

    digest = ca->digest;

    if (digest && profile->digest) {
        digest = profile->digest;
    }

    cert = X509_new();
    if (cert == NULL) {
        goto failed;
    }

    if (!X509_set_version(cert, X509_VERSION_3)
        || !enroll_issue_serial(cert)
        || !X509_set_issuer_name(cert, X509_get_subject_name(issuer))
        || !enroll_issue_validity(cert, issuer, profile, now)
        || !X509_set_subject_name(cert, names->subject)
        || !enroll_issue_key(cert, csr)
        || !enroll_issue_extension(cert, profile->basic)
        || !enroll_issue_extension(cert, key_usage)
        || !enroll_issue_extension(cert, profile->ext_key_usage)
        || !enroll_issue_skid(cert, csr)
        || !enroll_issue_extension(cert, ca->aki)
        || !enroll_issue_extension(cert, names->san))
    {
        goto failed;
    }

    if (X509_sign(cert, ca->key, digest) <= 0) {
        goto failed;
    }

    n = i2d_X509(cert, der);
    if (n <= 0) {
        goto failed;
    }

    *x = cert;
    *len = (size_t) n;

    return ENROLL_OK;

failed:

    X509_free(cert);

    return ENROLL_SIGN_FAILED;
}


/*
 * RFC 5280, section 4.1.2.2: positive, and unique without coordination.  The
 * first octet is not zero, so that all serials are of one length.
 */

static int
enroll_issue_serial(X509 *x)
{
    unsigned char  serial[ENROLL_SERIAL_LEN];

    do {
        if (RAND_bytes(serial, sizeof(serial)) != 1) {
            return 0;
        }

        serial[0] &= 0x7f;

    } while (serial[0] == 0);

    return ASN1_STRING_set(X509_get_serialNumber(x), serial, sizeof(serial));
}


/*
 * Inside the issuer's dates.  ASN1_TIME_adj() and ASN1_TIME_normalize()
 * choose UTCTime through 2049 (RFC 5280, section 4.1.2.5).
 */

static int
enroll_issue_validity(X509 *x, const X509 *issuer,
    const enroll_profile_t *profile, time_t now)
{
    time_t            before, after;
    ASN1_TIME        *not_before, *not_after;
    const ASN1_TIME  *limit;

    before = now - profile->backdate;
    after = now + profile->validity;

    not_before = X509_getm_notBefore(x);
    not_after = X509_getm_notAfter(x);

    limit = X509_get0_notBefore(issuer);

    if (ASN1_TIME_cmp_time_t(limit, before) > 0) {

        if (!ASN1_STRING_copy(not_before, limit)
            || !ASN1_TIME_normalize(not_before))
        {
            return 0;
        }

    } else if (ASN1_TIME_adj(not_before, before, 0, 0) == NULL) {
        return 0;
    }

    limit = X509_get0_notAfter(issuer);

    if (ASN1_TIME_cmp_time_t(limit, after) < 0) {
        return ASN1_STRING_copy(not_after, limit)
               && ASN1_TIME_normalize(not_after);
    }

    return ASN1_TIME_adj(not_after, after, 0, 0) != NULL;
}


/*
 * The key's octets go from the request to the certificate as they are:
 * decoding them costs more than the signature.  They were looked at, and
 * used, when the request was verified.
 */

static int
enroll_issue_key(X509 *x, const enroll_csr_t *csr)
{
    X509_ALGOR     *alg;
    X509_PUBKEY    *pubkey;
    unsigned char  *bits;

    if (csr->spki_bits_len > INT_MAX) {
        return 0;
    }

    bits = OPENSSL_memdup(csr->spki_bits, csr->spki_bits_len);
    if (bits == NULL) {
        return 0;
    }

    pubkey = X509_get_X509_PUBKEY(x);

    if (!X509_PUBKEY_set0_param(pubkey, OBJ_nid2obj(NID_undef), V_ASN1_UNDEF,
                                NULL, bits, (int) csr->spki_bits_len))
    {
        OPENSSL_free(bits);
        return 0;
    }

    return X509_PUBKEY_get0_param(NULL, NULL, NULL, &alg, pubkey)
           && X509_ALGOR_copy(alg, csr->spki_alg);
}


/*
 * RFC 7093, section 2, method 1: the leftmost 160 bits of the SHA-256 over
 * the key's bit string.  Encoded by hand: this is on the way of every
 * certificate.
 */

static int
enroll_issue_skid(X509 *x, const enroll_csr_t *csr)
{
    int                 rc;
    X509_EXTENSION     *ext;
    unsigned char       value[2 + EVP_MAX_MD_SIZE];
    ASN1_OCTET_STRING  *string;

    if (EVP_Digest(csr->spki_bits, csr->spki_bits_len, value + 2, NULL,
                   EVP_sha256(), NULL)
        != 1)
    {
        return 0;
    }

    value[0] = V_ASN1_OCTET_STRING;
    value[1] = ENROLL_KEYID_LEN;

    string = ASN1_OCTET_STRING_new();
    if (string == NULL) {
        return 0;
    }

    ext = NULL;
    rc = 0;

    if (ASN1_OCTET_STRING_set(string, value, 2 + ENROLL_KEYID_LEN)) {
        ext = X509_EXTENSION_create_by_NID(NULL, NID_subject_key_identifier,
                                           0, string);
    }

    if (ext) {
        rc = X509_add_ext(x, ext, -1);
    }

    X509_EXTENSION_free(ext);
    ASN1_OCTET_STRING_free(string);

    return rc;
}


/* none is fine */

static int
enroll_issue_extension(X509 *x, X509_EXTENSION *ext)
{
    return ext == NULL || X509_add_ext(x, ext, -1);
}


/*
 * A profile has no keyUsage at all, or one for the key's kind; to leave it out
 * for one kind alone would allow that kind everything.
 */

static int
enroll_issue_key_usage(const enroll_profile_t *profile,
    const enroll_key_t *key, X509_EXTENSION **ext)
{
    switch (key->kind) {

    case ENROLL_KEY_RSA:
        *ext = profile->key_usage;
        break;

    case ENROLL_KEY_EC:
        *ext = profile->key_usage_ec;
        break;

    default:
        *ext = profile->key_usage_sign;
        break;
    }

    return *ext != NULL
           || (profile->key_usage == NULL && profile->key_usage_ec == NULL);
}
