
/*
 * Copyright (C) The nginx-enroll authors
 */


#define _DEFAULT_SOURCE                  /* timegm() */

#include <limits.h>
#include <string.h>
#include <openssl/asn1t.h>
#include <openssl/crypto.h>
#include <openssl/rand.h>

#include "enroll_der.h"
#include "enroll_issue.h"


#define ENROLL_SERIAL_LEN  16


/*
 * TBSCertificate (RFC 5280, section 4.1.2): what is before the algorithm, and
 * what is behind it, are octets.  Signing fills in the algorithm.
 */

typedef struct {
    ASN1_TYPE         *head;
    X509_ALGOR        *alg;
    ASN1_TYPE         *rest;
} enroll_tbs_t;


static int enroll_issue_head(enroll_der_writer_t *w, enroll_cert_t *cert);
static void enroll_issue_rest(enroll_der_writer_t *w, const enroll_ca_t *ca,
    const enroll_profile_t *profile, const enroll_csr_t *csr,
    const enroll_names_t *names, X509_EXTENSION *key_usage, time_t now,
    enroll_cert_t *cert);
static int enroll_issue_sign(const enroll_ca_t *ca, const EVP_MD *digest,
    const enroll_der_writer_t *head, const enroll_der_writer_t *rest,
    enroll_cert_t *cert);
static ASN1_TYPE *enroll_issue_octets(const enroll_der_writer_t *w);
static void enroll_issue_name(enroll_der_writer_t *w, const X509_NAME *name);
static time_t enroll_issue_time(enroll_der_writer_t *w, time_t t,
    const ASN1_TIME *limit);
static void enroll_issue_key(enroll_der_writer_t *w, const enroll_csr_t *csr);
static void enroll_issue_skid(enroll_der_writer_t *w,
    const enroll_csr_t *csr);
static void enroll_issue_extension(enroll_der_writer_t *w,
    X509_EXTENSION *ext);
static int enroll_issue_key_usage(const enroll_profile_t *profile,
    const enroll_key_t *key, X509_EXTENSION **ext);


ASN1_SEQUENCE(enroll_tbs_t) = {
    ASN1_SIMPLE(enroll_tbs_t, head, ASN1_ANY),
    ASN1_SIMPLE(enroll_tbs_t, alg, X509_ALGOR),
    ASN1_SIMPLE(enroll_tbs_t, rest, ASN1_ANY)
} static_ASN1_SEQUENCE_END(enroll_tbs_t)


/*
 * Put together by hand: OpenSSL's X509 is copied, encoded and taken apart
 * several times on the way.
 */

enroll_outcome_e
enroll_issue(const enroll_ca_t *ca, const enroll_profile_t *profile,
    const enroll_csr_t *csr, const enroll_names_t *names, time_t now,
    enroll_cert_t *cert)
{
    int                   ok;
    const EVP_MD         *digest;
    X509_EXTENSION       *key_usage;
    enroll_der_writer_t   head, rest;

    memset(cert, 0, sizeof(enroll_cert_t));

    if (enroll_cert_dates(sk_X509_value(ca->chain, 0), now) != ENROLL_OK) {
        return ENROLL_CA_EXPIRED;
    }

    if (!enroll_issue_key_usage(profile, &csr->key, &key_usage)) {
        return ENROLL_KEY_NOT_ALLOWED;
    }

    digest = ca->digest;

    if (digest && profile->digest) {
        digest = profile->digest;
    }

    memset(&head, 0, sizeof(enroll_der_writer_t));
    memset(&rest, 0, sizeof(enroll_der_writer_t));

    enroll_issue_rest(&rest, ca, profile, csr, names, key_usage, now, cert);

    ok = enroll_issue_head(&head, cert)
         && !head.failed
         && !rest.failed
         && enroll_issue_sign(ca, digest, &head, &rest, cert);

    enroll_der_cleanup(&head);
    enroll_der_cleanup(&rest);

    return ok ? ENROLL_OK : ENROLL_SIGN_FAILED;
}


int
enroll_cert_copy(enroll_cert_t *cert, const X509 *x, const unsigned char *der,
    size_t len)
{
    struct tm  before, after;

    memset(cert, 0, sizeof(enroll_cert_t));

    if (ASN1_TIME_to_tm(X509_get0_notBefore(x), &before) != 1
        || ASN1_TIME_to_tm(X509_get0_notAfter(x), &after) != 1)
    {
        return 0;
    }

    cert->not_before = timegm(&before);
    cert->not_after = timegm(&after);

    (void) enroll_text_serial(X509_get0_serialNumber(x), cert->serial);

    cert->der = OPENSSL_memdup(der, len);
    cert->len = len;

    return cert->der != NULL;
}


/*
 * The version and the serial number (RFC 5280, section 4.1.2.2): positive,
 * and unique without coordination.  The first octet is not zero, so that all
 * serials are of one length.
 */

static int
enroll_issue_head(enroll_der_writer_t *w, enroll_cert_t *cert)
{
    unsigned char  serial[ENROLL_SERIAL_LEN];

    static const unsigned char  version[] = { 0x02, 0x01, X509_VERSION_3 };

    do {
        if (RAND_bytes(serial, sizeof(serial)) != 1) {
            return 0;
        }

        serial[0] &= 0x7f;

    } while (serial[0] == 0);

    enroll_text_hex(cert->serial, serial, sizeof(serial));

    cert->serial[2 * sizeof(serial)] = '\0';

    enroll_der_add(w, ENROLL_DER_EXPLICIT, version, sizeof(version));
    enroll_der_add(w, ENROLL_DER_INTEGER, serial, sizeof(serial));

    return 1;
}


/* issuer, validity, subject, key and extensions */

static void
enroll_issue_rest(enroll_der_writer_t *w, const enroll_ca_t *ca,
    const enroll_profile_t *profile, const enroll_csr_t *csr,
    const enroll_names_t *names, X509_EXTENSION *key_usage, time_t now,
    enroll_cert_t *cert)
{
    X509    *issuer;
    size_t   outer, mark;

    issuer = sk_X509_value(ca->chain, 0);

    enroll_issue_name(w, X509_get_subject_name(issuer));

    /* inside the issuer's dates */

    mark = enroll_der_open(w, ENROLL_DER_SEQUENCE);

    cert->not_before = now - profile->backdate;
    cert->not_before = enroll_issue_time(w, cert->not_before,
              ASN1_TIME_cmp_time_t(X509_get0_notBefore(issuer),
                                   cert->not_before)
              > 0 ? X509_get0_notBefore(issuer) : NULL);

    cert->not_after = now + profile->validity;
    cert->not_after = enroll_issue_time(w, cert->not_after,
              ASN1_TIME_cmp_time_t(X509_get0_notAfter(issuer),
                                   cert->not_after)
              < 0 ? X509_get0_notAfter(issuer) : NULL);

    enroll_der_close(w, mark);

    enroll_issue_name(w, names->subject);
    enroll_issue_key(w, csr);

    outer = enroll_der_open(w, ENROLL_DER_EXPLICIT + 3);
    mark = enroll_der_open(w, ENROLL_DER_SEQUENCE);

    enroll_issue_extension(w, profile->basic);
    enroll_issue_extension(w, key_usage);
    enroll_issue_extension(w, profile->ext_key_usage);
    enroll_issue_skid(w, csr);
    enroll_issue_extension(w, ca->aki);
    enroll_issue_extension(w, names->san);

    enroll_der_close(w, mark);
    enroll_der_close(w, outer);
}


static int
enroll_issue_sign(const enroll_ca_t *ca, const EVP_MD *digest,
    const enroll_der_writer_t *head, const enroll_der_writer_t *rest,
    enroll_cert_t *cert)
{
    int                   ok, n;
    size_t                outer;
    unsigned char        *der;
    enroll_tbs_t          tbs;
    ASN1_BIT_STRING      *signature;
    enroll_der_writer_t   w;

    memset(&w, 0, sizeof(enroll_der_writer_t));

    tbs.head = enroll_issue_octets(head);
    tbs.alg = X509_ALGOR_new();
    tbs.rest = enroll_issue_octets(rest);

    signature = ASN1_BIT_STRING_new();

    ok = tbs.head && tbs.alg && tbs.rest && signature
         && ASN1_item_sign(ASN1_ITEM_rptr(enroll_tbs_t), tbs.alg, NULL,
                           signature, &tbs, ca->key, digest)
            > 0;

    if (ok) {
        outer = enroll_der_open(&w, ENROLL_DER_SEQUENCE);

        der = NULL;
        n = ASN1_item_i2d((ASN1_VALUE *) &tbs, &der,
                          ASN1_ITEM_rptr(enroll_tbs_t));
        enroll_der_take(&w, der, n);

        der = NULL;
        n = i2d_X509_ALGOR(tbs.alg, &der);
        enroll_der_take(&w, der, n);

        der = NULL;
        n = i2d_ASN1_BIT_STRING(signature, &der);
        enroll_der_take(&w, der, n);

        enroll_der_close(&w, outer);

        ok = !w.failed;
    }

    if (ok) {
        cert->der = w.data;
        cert->len = w.len;

    } else {
        enroll_der_cleanup(&w);
    }

    ASN1_BIT_STRING_free(signature);
    ASN1_TYPE_free(tbs.rest);
    X509_ALGOR_free(tbs.alg);
    ASN1_TYPE_free(tbs.head);

    return ok;
}


/* elements that are encoded as they are, without another around them */

static ASN1_TYPE *
enroll_issue_octets(const enroll_der_writer_t *w)
{
    ASN1_TYPE    *type;
    ASN1_STRING  *string;

    type = ASN1_TYPE_new();
    string = ASN1_STRING_type_new(V_ASN1_OTHER);

    if (type == NULL || string == NULL || w->len > INT_MAX
        || !ASN1_STRING_set(string, w->data, (int) w->len))
    {
        ASN1_STRING_free(string);
        ASN1_TYPE_free(type);
        return NULL;
    }

    ASN1_TYPE_set(type, V_ASN1_OTHER, string);

    return type;
}


static void
enroll_issue_name(enroll_der_writer_t *w, const X509_NAME *name)
{
    size_t                len;
    const unsigned char  *der;

    if (X509_NAME_get0_der(name, &der, &len) != 1) {
        w->failed = 1;
        return;
    }

    enroll_der_put(w, der, len);
}


/*
 * The limit, where there is one, else t; what was written is returned.
 * ASN1_TIME_adj() and ASN1_TIME_normalize() choose UTCTime through 2049
 * (RFC 5280, section 4.1.2.5).
 */

static time_t
enroll_issue_time(enroll_der_writer_t *w, time_t t, const ASN1_TIME *limit)
{
    int             ok;
    struct tm       tm;
    ASN1_TIME      *time;

    if (limit == NULL) {
        time = ASN1_TIME_adj(NULL, t, 0, 0);
        ok = time != NULL;

    } else {
        time = ASN1_STRING_dup(limit);
        ok = time
             && ASN1_TIME_normalize(time)
             && ASN1_TIME_to_tm(time, &tm);
        t = ok ? timegm(&tm) : 0;
    }

    if (ok) {
        enroll_der_add(w, ASN1_STRING_type(time), ASN1_STRING_get0_data(time),
                       (size_t) ASN1_STRING_length(time));

    } else {
        w->failed = 1;
    }

    ASN1_STRING_free(time);

    return t;
}


/*
 * The key's octets go from the request to the certificate as they are:
 * decoding them costs more than the signature.  They were looked at, and
 * used, when the request was verified.
 */

static void
enroll_issue_key(enroll_der_writer_t *w, const enroll_csr_t *csr)
{
    int             n;
    size_t          outer, mark;
    unsigned char  *der;

    outer = enroll_der_open(w, ENROLL_DER_SEQUENCE);

    der = NULL;
    n = i2d_X509_ALGOR(csr->spki_alg, &der);
    enroll_der_take(w, der, n);

    mark = enroll_der_open(w, ENROLL_DER_BITS);
    enroll_der_put(w, "", 1);
    enroll_der_put(w, csr->spki_bits, csr->spki_bits_len);
    enroll_der_close(w, mark);

    enroll_der_close(w, outer);
}


/*
 * RFC 7093, section 2, method 1: the leftmost 160 bits of the SHA-256 over
 * the key's bit string
 */

static void
enroll_issue_skid(enroll_der_writer_t *w, const enroll_csr_t *csr)
{
    size_t         mark;
    unsigned char  value[2 + EVP_MAX_MD_SIZE];

    static const unsigned char  oid[] = { 0x55, 0x1d, 0x0e };

    if (EVP_Digest(csr->spki_bits, csr->spki_bits_len, value + 2, NULL,
                   EVP_sha256(), NULL)
        != 1)
    {
        w->failed = 1;
        return;
    }

    value[0] = V_ASN1_OCTET_STRING;
    value[1] = ENROLL_KEYID_LEN;

    mark = enroll_der_open(w, ENROLL_DER_SEQUENCE);
    enroll_der_add(w, ENROLL_DER_OID, oid, sizeof(oid));
    enroll_der_add(w, ENROLL_DER_OCTETS, value, 2 + ENROLL_KEYID_LEN);
    enroll_der_close(w, mark);
}


/* none is fine */

static void
enroll_issue_extension(enroll_der_writer_t *w, X509_EXTENSION *ext)
{
    int             n;
    unsigned char  *der;

    if (ext) {
        der = NULL;
        n = i2d_X509_EXTENSION(ext, &der);
        enroll_der_take(w, der, n);
    }
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
