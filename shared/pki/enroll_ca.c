
/*
 * Copyright (C) The nginx-enroll authors
 */


#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "enroll_ca.h"
#include "enroll_text.h"


#define ENROLL_CA_RSA_MIN  2048


static void enroll_ca_error(char error[ENROLL_ERROR_TEXT], const X509 *x,
    const char *fmt, ...) __attribute__((format(printf, 3, 4)));
static const char *enroll_ca_reason(void);
static int enroll_ca_no_password(char *buf, int size, int rwflag, void *data);
static int enroll_ca_check(X509 *x, char error[ENROLL_ERROR_TEXT]);
static int enroll_ca_check_dates(X509 *x, time_t now,
    char error[ENROLL_ERROR_TEXT]);
static int enroll_ca_check_link(X509 *x, X509 *issuer,
    char error[ENROLL_ERROR_TEXT]);
static int enroll_ca_check_chain(const enroll_ca_t *ca, time_t now,
    char error[ENROLL_ERROR_TEXT]);
static int enroll_ca_check_others(const STACK_OF(X509) *certs,
    char error[ENROLL_ERROR_TEXT]);
static int enroll_ca_key_kind(enroll_ca_t *ca, char error[ENROLL_ERROR_TEXT]);
static int enroll_ca_make_aki(enroll_ca_t *ca);
static int enroll_ca_is_issuer(X509 *issuer, X509 *x, const X509 *hint);


/* the kinds of keys that a CA may have */

typedef struct {
    const char     *type;
    const char     *group;         /* of an EC key, as OpenSSL calls it */
    const EVP_MD *(*digest)(void);
    unsigned        cheap:1;
} enroll_ca_key_t;


/*
 * cheap: a signature is well below half a millisecond.  One with P-384 takes
 * 0.7 ms with OpenSSL 3.0, with ML-DSA its time varies.
 */

static const enroll_ca_key_t  enroll_ca_keys[] = {
    { "RSA",       NULL,         EVP_sha256, 0 },
    { "EC",        "prime256v1", EVP_sha256, 1 },
    { "EC",        "secp384r1",  EVP_sha384, 0 },
    { "EC",        "secp521r1",  EVP_sha512, 0 },
    { "ED25519",   NULL,         NULL,       1 },
    { "ED448",     NULL,         NULL,       0 },
    { "ML-DSA-44", NULL,         NULL,       0 },
    { "ML-DSA-65", NULL,         NULL,       0 },
    { "ML-DSA-87", NULL,         NULL,       0 },
    { NULL,        NULL,         NULL,       0 }
};


/* "CN=x": ..., and nothing left behind in OpenSSL's queue */

static void
enroll_ca_error(char error[ENROLL_ERROR_TEXT], const X509 *x, const char *fmt,
    ...)
{
    int      n;
    char    *name;
    va_list  args;

    n = 0;

    if (x) {
        name = enroll_text_name(X509_get_subject_name(x));
        n = snprintf(error, ENROLL_ERROR_TEXT, "\"%.128s\": ",
                     name ? name : "");
        OPENSSL_free(name);
    }

    va_start(args, fmt);
    (void) vsnprintf(error + n, (size_t) (ENROLL_ERROR_TEXT - n), fmt, args);
    va_end(args);

    ERR_clear_error();
}


static const char *
enroll_ca_reason(void)
{
    const char  *reason;

    reason = ERR_reason_error_string(ERR_peek_last_error());

    return reason ? reason : "no reason given";
}


/* without it OpenSSL asks at the terminal */

static int
enroll_ca_no_password(char *buf, int size, int rwflag, void *data)
{
    (void) buf;
    (void) size;
    (void) rwflag;
    (void) data;

    return -1;
}


STACK_OF(X509) *
enroll_certs_parse(const char *pem, size_t len, char error[ENROLL_ERROR_TEXT])
{
    BIO             *bio;
    X509            *x;
    unsigned long    e;
    STACK_OF(X509)  *certs;

    ERR_clear_error();

    bio = len <= INT_MAX ? BIO_new_mem_buf(pem, (int) len) : NULL;
    certs = sk_X509_new_null();

    if (bio == NULL || certs == NULL) {
        enroll_ca_error(error, NULL, "out of memory");
        goto failed;
    }

    for ( ;; ) {
        x = PEM_read_bio_X509(bio, NULL, enroll_ca_no_password, NULL);
        if (x == NULL) {
            break;
        }

        if (sk_X509_push(certs, x) <= 0) {
            X509_free(x);
            enroll_ca_error(error, NULL, "out of memory");
            goto failed;
        }
    }

    e = ERR_peek_last_error();

    if (ERR_GET_LIB(e) != ERR_LIB_PEM
        || ERR_GET_REASON(e) != PEM_R_NO_START_LINE)
    {
        enroll_ca_error(error, NULL, "certificate %d is malformed: %s",
                        sk_X509_num(certs) + 1, enroll_ca_reason());
        goto failed;
    }

    if (sk_X509_num(certs) == 0) {
        enroll_ca_error(error, NULL, "there is no PEM certificate");
        goto failed;
    }

    ERR_clear_error();
    BIO_free(bio);

    return certs;

failed:

    BIO_free(bio);
    sk_X509_pop_free(certs, X509_free);

    return NULL;
}


int
enroll_ca_init(enroll_ca_t *ca, time_t now, char error[ENROLL_ERROR_TEXT])
{
    if (!enroll_ca_check_chain(ca, now, error)
        || !enroll_ca_check_others(ca->previous, error)
        || !enroll_ca_check_others(ca->next, error)
        || !enroll_ca_key_kind(ca, error))
    {
        return 0;
    }

    if (!enroll_ca_make_aki(ca)) {
        enroll_ca_error(error, sk_X509_value(ca->chain, 0),
                        "the authority key identifier cannot be made: %s",
                        enroll_ca_reason());
        return 0;
    }

    if (ca->key == NULL) {
        return 1;
    }

    return enroll_ca_try(ca, error);
}


static int
enroll_ca_check_chain(const enroll_ca_t *ca, time_t now,
    char error[ENROLL_ERROR_TEXT])
{
    int    i, n, below;
    char  *name;
    long   pathlen;
    X509  *x;

    n = sk_X509_num(ca->chain);

    if (n < 1) {
        enroll_ca_error(error, NULL, "there is no certificate");
        return 0;
    }

    x = NULL;
    below = 0;

    for (i = 0; i < n; i++) {
        x = sk_X509_value(ca->chain, i);

        if (!enroll_ca_check(x, error)
            || !enroll_ca_check_dates(x, now, error))
        {
            return 0;
        }

        /* RFC 5280, section 4.2.1.9: self-issued ones do not count */

        pathlen = X509_get_pathlen(x);

        if (pathlen >= 0 && pathlen < below) {
            enroll_ca_error(error, x, "its basicConstraints allow %ld CA "
                            "below it, there are %d", pathlen, below);
            return 0;
        }

        if (!(X509_get_extension_flags(x) & EXFLAG_SI)) {
            below++;
        }

        if (i == n - 1) {
            break;
        }

        if (X509_self_signed(x, 1) == 1) {
            enroll_ca_error(error, x, "the certificate is self-signed, but "
                            "others follow it: remove them");
            return 0;
        }

        if (!enroll_ca_check_link(x, sk_X509_value(ca->chain, i + 1), error)) {
            return 0;
        }
    }

    if (X509_NAME_cmp(X509_get_subject_name(x), X509_get_issuer_name(x))
        != 0)
    {
        name = enroll_text_name(X509_get_issuer_name(x));
        enroll_ca_error(error, x, "the chain ends here, but the issuer "
                        "\"%.128s\" is missing: append it to the file",
                        name ? name : "");
        OPENSSL_free(name);
        return 0;
    }

    return enroll_ca_check_link(x, x, error);
}


static int
enroll_ca_check(X509 *x, char error[ENROLL_ERROR_TEXT])
{
    uint32_t  flags;

    flags = X509_get_extension_flags(x);

    if (flags & EXFLAG_INVALID) {
        enroll_ca_error(error, x, "the certificate's extensions are "
                        "malformed");
        return 0;
    }

    if (!(flags & EXFLAG_CA)) {
        enroll_ca_error(error, x, "the certificate is not a CA "
                        "(basicConstraints)");
        return 0;
    }

    /* RFC 5280, section 4.1.2.6 */

    if (X509_NAME_entry_count(X509_get_subject_name(x)) == 0) {
        enroll_ca_error(error, x, "the subject of a CA must not be empty");
        return 0;
    }

    /* all ones where there is no keyUsage */

    if (!(X509_get_key_usage(x) & KU_KEY_CERT_SIGN)) {
        enroll_ca_error(error, x, "the certificate may not sign certificates "
                        "(keyUsage lacks keyCertSign)");
        return 0;
    }

    return 1;
}


static int
enroll_ca_check_dates(X509 *x, time_t now, char error[ENROLL_ERROR_TEXT])
{
    BIO              *bio;
    int               early;
    char              text[32];
    const ASN1_TIME  *date;

    if (enroll_cert_dates(x, now) == ENROLL_OK) {
        return 1;
    }

    early = (ASN1_TIME_cmp_time_t(X509_get0_notBefore(x), now) == 1);
    date = early ? X509_get0_notBefore(x) : X509_get0_notAfter(x);

    text[0] = '\0';

    bio = BIO_new(BIO_s_mem());
    if (bio) {
        if (ASN1_TIME_print(bio, date) == 1) {
            (void) BIO_gets(bio, text, sizeof(text));
        }

        BIO_free(bio);
    }

    enroll_ca_error(error, x, "the certificate %s %s",
                    early ? "is not valid before" : "expired on",
                    text[0] != '\0' ? text : "a malformed date");
    return 0;
}


/* names, key identifiers, signature */

static int
enroll_ca_check_link(X509 *x, X509 *issuer, char error[ENROLL_ERROR_TEXT])
{
    int    rc;
    char  *of, *next;

    rc = X509_check_issued(issuer, x);

    if (rc == X509_V_ERR_SUBJECT_ISSUER_MISMATCH) {
        of = enroll_text_name(X509_get_issuer_name(x));
        next = enroll_text_name(X509_get_subject_name(issuer));
        enroll_ca_error(error, x, "the next certificate must be its issuer "
                        "\"%.96s\", not \"%.96s\"", of ? of : "",
                        next ? next : "");
        OPENSSL_free(of);
        OPENSSL_free(next);
        return 0;
    }

    if (rc == X509_V_OK
        && X509_verify(x, X509_get0_pubkey(issuer)) == 1)
    {
        return 1;
    }

    of = enroll_text_name(X509_get_subject_name(issuer));
    enroll_ca_error(error, x, "the certificate was not issued by the "
                    "\"%.128s\" in this file: %s", of ? of : "",
                    rc == X509_V_OK ? "its signature does not verify"
                                    : X509_verify_cert_error_string(rc));
    OPENSSL_free(of);

    return 0;
}


/*
 * Predecessors and successors: dates do not count.  A server must still
 * start when a certificate of its past, or of its future, is out of them.
 */

static int
enroll_ca_check_others(const STACK_OF(X509) *certs,
    char error[ENROLL_ERROR_TEXT])
{
    int  i;

    for (i = 0; i < sk_X509_num(certs); i++) {
        if (!enroll_ca_check(sk_X509_value(certs, i), error)) {
            return 0;
        }
    }

    return 1;
}


static int
enroll_ca_key_kind(enroll_ca_t *ca, char error[ENROLL_ERROR_TEXT])
{
    X509                   *x;
    char                    group[32];
    EVP_PKEY               *key;
    const enroll_ca_key_t  *kind;

    x = sk_X509_value(ca->chain, 0);

    key = X509_get0_pubkey(x);
    if (key == NULL) {
        enroll_ca_error(error, x, "OpenSSL cannot use its key: %s",
                        enroll_ca_reason());
        return 0;
    }

    group[0] = '\0';

    if (EVP_PKEY_is_a(key, "EC")) {
        (void) EVP_PKEY_get_group_name(key, group, sizeof(group), NULL);
    }

    for (kind = enroll_ca_keys; kind->type; kind++) {

        if (EVP_PKEY_is_a(key, kind->type)
            && (kind->group == NULL || strcmp(group, kind->group) == 0))
        {
            break;
        }
    }

    if (kind->type == NULL) {
        enroll_ca_error(error, x, "a CA key must be RSA, EC on P-256, P-384 "
                        "or P-521, Ed25519, Ed448 or ML-DSA");
        return 0;
    }

    if (EVP_PKEY_is_a(key, "RSA")
        && EVP_PKEY_get_bits(key) < ENROLL_CA_RSA_MIN)
    {
        enroll_ca_error(error, x, "the RSA key has %d bits, a CA needs %d",
                        EVP_PKEY_get_bits(key), ENROLL_CA_RSA_MIN);
        return 0;
    }

    ca->digest = kind->digest ? kind->digest() : NULL;
    ca->cheap = (kind->cheap && !ca->remote);

    return 1;
}


/*
 * RFC 5280, section 4.2.1.1: the CA's subject key identifier, or where it
 * has none, what method 1 of RFC 7093, section 2 makes of its key
 */

static int
enroll_ca_make_aki(enroll_ca_t *ca)
{
    X509                     *x;
    AUTHORITY_KEYID          *akid;
    unsigned char             md[EVP_MAX_MD_SIZE];
    const ASN1_BIT_STRING    *bits;
    const ASN1_OCTET_STRING  *skid;

    x = sk_X509_value(ca->chain, 0);

    akid = AUTHORITY_KEYID_new();
    if (akid == NULL) {
        return 0;
    }

    skid = X509_get0_subject_key_id(x);

    if (skid) {
        akid->keyid = ASN1_OCTET_STRING_dup(skid);

    } else {
        bits = X509_get0_pubkey_bitstr(x);

        if (EVP_Digest(ASN1_STRING_get0_data(bits),
                       (size_t) ASN1_STRING_length(bits), md, NULL,
                       EVP_sha256(), NULL)
            == 1)
        {
            akid->keyid = ASN1_OCTET_STRING_new();

            if (akid->keyid
                && !ASN1_OCTET_STRING_set(akid->keyid, md, ENROLL_KEYID_LEN))
            {
                ASN1_OCTET_STRING_free(akid->keyid);
                akid->keyid = NULL;
            }
        }
    }

    if (akid->keyid) {
        X509_EXTENSION_free(ca->aki);
        ca->aki = X509V3_EXT_i2d(NID_authority_key_identifier, 0, akid);
    }

    AUTHORITY_KEYID_free(akid);

    return ca->aki != NULL;
}


int
enroll_ca_try(const enroll_ca_t *ca, char error[ENROLL_ERROR_TEXT])
{
    int                         rc;
    X509                       *x;
    size_t                      len;
    EVP_PKEY                   *key;
    EVP_MD_CTX                 *ctx;
    unsigned char              *sig;

    static const unsigned char  text[] = "a trial signature";

    x = sk_X509_value(ca->chain, 0);
    key = X509_get0_pubkey(x);

    rc = 0;
    sig = NULL;

    ctx = EVP_MD_CTX_new();
    if (ctx == NULL) {
        enroll_ca_error(error, NULL, "out of memory");
        return 0;
    }

    /*
     * Some providers and engines do not tell the public part of a key: there
     * the trial signature decides alone.
     */

    if (!ca->remote && EVP_PKEY_eq(ca->key, key) != 1) {
        enroll_ca_error(error, x, "the key does not match the certificate");
        goto done;
    }

    if (EVP_DigestSignInit(ctx, NULL, ca->digest, NULL, ca->key) != 1
        || EVP_DigestSign(ctx, NULL, &len, text, sizeof(text)) != 1)
    {
        goto failed;
    }

    sig = OPENSSL_malloc(len);

    if (sig == NULL
        || EVP_DigestSign(ctx, sig, &len, text, sizeof(text)) != 1)
    {
        goto failed;
    }

    if (EVP_MD_CTX_reset(ctx) != 1
        || EVP_DigestVerifyInit(ctx, NULL, ca->digest, NULL, key) != 1
        || EVP_DigestVerify(ctx, sig, len, text, sizeof(text)) != 1)
    {
        enroll_ca_error(error, x, "the key does not match the certificate: "
                        "a trial signature does not verify");
        goto done;
    }

    rc = 1;
    goto done;

failed:

    enroll_ca_error(error, x, "the key cannot sign: %s", enroll_ca_reason());

done:

    EVP_MD_CTX_free(ctx);
    OPENSSL_free(sig);

    return rc;
}


void
enroll_ca_cleanup(enroll_ca_t *ca)
{
    sk_X509_pop_free(ca->chain, X509_free);
    sk_X509_pop_free(ca->previous, X509_free);
    sk_X509_pop_free(ca->next, X509_free);
    EVP_PKEY_free(ca->key);
    X509_EXTENSION_free(ca->aki);

    memset(ca, 0, sizeof(enroll_ca_t));
}


/*
 * X509_check_issued() compares names and key identifiers and looks whether
 * the issuer may sign certificates.
 */

static int
enroll_ca_is_issuer(X509 *issuer, X509 *x, const X509 *hint)
{
    if (X509_check_issued(issuer, x) != X509_V_OK) {
        return 0;
    }

    if (hint && X509_cmp(hint, issuer) == 0) {
        return 1;
    }

    return X509_verify(x, X509_get0_pubkey(issuer)) == 1;
}


X509 *
enroll_issuer_find(const STACK_OF(X509) *issuers, X509 *x, const X509 *hint)
{
    int    i;
    X509  *issuer;

    for (i = 0; i < sk_X509_num(issuers); i++) {
        issuer = sk_X509_value(issuers, i);

        if (enroll_ca_is_issuer(issuer, x, hint)) {
            return issuer;
        }
    }

    ERR_clear_error();

    return NULL;
}


X509 *
enroll_ca_issued(const enroll_ca_t *ca, X509 *x, const X509 *hint)
{
    X509  *issuer;

    issuer = sk_X509_value(ca->chain, 0);

    if (issuer && enroll_ca_is_issuer(issuer, x, hint)) {
        return issuer;
    }

    return enroll_issuer_find(ca->previous, x, hint);
}


enroll_outcome_e
enroll_ca_recheck(const enroll_ca_t *ca, const enroll_csr_t *csr,
    const unsigned char *der, size_t len, time_t now, X509 **x)
{
    X509                 *cert;
    const unsigned char  *p;

    *x = NULL;

    if (len > INT_MAX) {
        return ENROLL_STORE_TAMPERED;
    }

    p = der;
    cert = d2i_X509(NULL, &p, (long) len);

    if (cert == NULL
        || p != der + len
        || !enroll_csr_key_equal(csr, cert)
        || enroll_cert_dates(cert, now) != ENROLL_OK
        || enroll_ca_issued(ca, cert, NULL) == NULL)
    {
        X509_free(cert);
        ERR_clear_error();
        return ENROLL_STORE_TAMPERED;
    }

    *x = cert;

    return ENROLL_OK;
}


/* both ends belong to the validity (RFC 5280, section 4.1.2.5) */

enroll_outcome_e
enroll_cert_dates(const X509 *x, time_t now)
{
    int  before, after;

    /* -2 on malformed ones */

    before = ASN1_TIME_cmp_time_t(X509_get0_notBefore(x), now);
    after = ASN1_TIME_cmp_time_t(X509_get0_notAfter(x), now);

    if ((before == -1 || before == 0) && (after == 0 || after == 1)) {
        return ENROLL_OK;
    }

    return ENROLL_CERT_EXPIRED;
}
