
/*
 * Copyright (C) The nginx-enroll authors
 */


/*
 * Keys, names, certificates and requests for the unit tests, made with
 * OpenSSL alone.  Whatever fails here ends the test.
 */


#ifndef _UNIT_MAKE_H_INCLUDED_
#define _UNIT_MAKE_H_INCLUDED_


#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/objects.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "enroll_csr.h"


#define MAKE      __attribute__((unused)) static

#define MAKE_NOW  ((time_t) 1800000000)     /* Jan 15 08:00:00 2027 GMT */
#define MAKE_DAY  ((time_t) 86400)

/* a string with NULs in it, and its length */

#define BYTES(s)  (s), sizeof(s) - 1


/* a key that says what its signatures are like: by PSS, with SHA-256 */

MAKE EVP_PKEY *
make_pss_key(int bits)
{
    EVP_PKEY      *key;
    EVP_PKEY_CTX  *ctx;

    key = NULL;
    ctx = EVP_PKEY_CTX_new_from_name(NULL, "RSA-PSS", NULL);

    assert_int_equal(EVP_PKEY_keygen_init(ctx), 1);
    assert_int_equal(EVP_PKEY_CTX_set_rsa_keygen_bits(ctx, bits), 1);
    assert_int_equal(EVP_PKEY_CTX_set_rsa_pss_keygen_md(ctx, EVP_sha256()), 1);
    assert_int_equal(EVP_PKEY_CTX_set_rsa_pss_keygen_mgf1_md(ctx,
                                                             EVP_sha256()),
                     1);
    assert_int_equal(EVP_PKEY_CTX_set_rsa_pss_keygen_saltlen(ctx, 32), 1);
    assert_int_equal(EVP_PKEY_keygen(ctx, &key), 1);

    EVP_PKEY_CTX_free(ctx);

    return key;
}


/*
 * "P-256", "RSA-2048", "PSS-2048", "ED25519", "ML-DSA-44": NULL where OpenSSL
 * has none
 */

MAKE EVP_PKEY *
make_key(const char *kind)
{
    if (strncmp(kind, "RSA-", 4) == 0) {
        return EVP_RSA_gen((unsigned) atoi(kind + 4));
    }

    if (strncmp(kind, "PSS-", 4) == 0) {
        return make_pss_key(atoi(kind + 4));
    }

    if (strncmp(kind, "ED", 2) == 0 || strncmp(kind, "ML-", 3) == 0) {
        return EVP_PKEY_Q_keygen(NULL, NULL, kind);
    }

    return EVP_EC_gen(kind);
}


/*
 * "CN=a", "O=b" and so on, up to NULL; "+CN=a" belongs to the RDN before it
 */

MAKE X509_NAME *
make_name(const char *first, ...)
{
    int          more;
    char         type[32];
    va_list      args;
    X509_NAME   *name;
    const char  *p, *value;

    name = X509_NAME_new();
    assert_non_null(name);

    va_start(args, first);

    for (p = first; p != NULL; p = va_arg(args, const char *)) {
        more = (*p == '+');
        p += more;

        value = strchr(p, '=');
        assert_non_null(value);
        assert_true((size_t) (value - p) < sizeof(type));

        memcpy(type, p, (size_t) (value - p));
        type[value - p] = '\0';

        assert_int_equal(X509_NAME_add_entry_by_txt(name, type, MBSTRING_UTF8,
                                            (const unsigned char *) value + 1,
                                            -1, -1, more ? -1 : 0),
                         1);
    }

    va_end(args);

    return name;
}


/* in OpenSSL's own words: "DNS:a,IP:10.0.0.1" */

MAKE GENERAL_NAMES *
make_san(const char *words)
{
    GENERAL_NAMES   *san;
    X509_EXTENSION  *ext;

    ext = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, words);
    assert_non_null(ext);

    san = X509V3_EXT_d2i(ext);
    assert_non_null(san);

    X509_EXTENSION_free(ext);

    return san;
}


/*
 * A certificate for key, signed by the issuer's: itself where issuer is NULL.
 * exts: pairs of an extension's name and its value in OpenSSL's own words,
 * up to NULL.
 */

MAKE X509 *
make_cert(X509_NAME *subject, EVP_PKEY *key, X509 *issuer, EVP_PKEY *by,
    time_t from, time_t until, const char *const *exts)
{
    int              pure;
    X509            *x;
    X509V3_CTX       ctx;
    X509_EXTENSION  *ext;
    static long      serial = 1;

    x = X509_new();
    assert_non_null(x);

    X509_set_version(x, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(x), serial++);
    X509_set_subject_name(x, subject);
    X509_set_issuer_name(x, issuer != NULL ? X509_get_subject_name(issuer)
                                           : subject);
    ASN1_TIME_adj(X509_getm_notBefore(x), from, 0, 0);
    ASN1_TIME_adj(X509_getm_notAfter(x), until, 0, 0);
    assert_int_equal(X509_set_pubkey(x, key), 1);

    X509V3_set_ctx(&ctx, issuer != NULL ? issuer : x, x, NULL, NULL, 0);

    for ( ; exts != NULL && *exts != NULL; exts += 2) {
        ext = X509V3_EXT_conf(NULL, &ctx, exts[0], exts[1]);
        assert_non_null(ext);
        assert_int_equal(X509_add_ext(x, ext, -1), 1);
        X509_EXTENSION_free(ext);
    }

    pure = (EVP_PKEY_get_base_id(by) == EVP_PKEY_ED25519
            || EVP_PKEY_get_base_id(by) == EVP_PKEY_ED448
            || EVP_PKEY_is_a(by, "ML-DSA-44"));

    assert_true(X509_sign(x, by, pure ? NULL : EVP_sha256()) > 0);

    return x;
}


/* the usual CA: a year old, nine to go */

MAKE X509 *
make_ca(const char *cn, EVP_PKEY *key, X509 *issuer, EVP_PKEY *by)
{
    X509                     *x;
    X509_NAME                *name;

    static const char *const  exts[] = {
        "basicConstraints", "critical,CA:TRUE",
        "keyUsage", "critical,keyCertSign,cRLSign",
        "subjectKeyIdentifier", "hash",
        NULL
    };

    name = X509_NAME_new();
    X509_NAME_add_entry_by_NID(name, NID_commonName, MBSTRING_UTF8,
                               (const unsigned char *) cn, -1, -1, 0);

    x = make_cert(name, key, issuer, by, MAKE_NOW - 365 * MAKE_DAY,
                  MAKE_NOW + 9 * 365 * MAKE_DAY, exts);

    X509_NAME_free(name);

    return x;
}


/* the DER of a request; san is in OpenSSL's own words, or NULL */

MAKE size_t
make_request(unsigned char **der, X509_NAME *subject, EVP_PKEY *key,
    const char *san)
{
    int                        n, pure;
    X509_REQ                  *req;
    X509_EXTENSION            *ext;
    STACK_OF(X509_EXTENSION)  *exts;

    req = X509_REQ_new();
    assert_non_null(req);

    X509_REQ_set_version(req, X509_REQ_VERSION_1);
    X509_REQ_set_subject_name(req, subject);
    assert_int_equal(X509_REQ_set_pubkey(req, key), 1);

    if (san != NULL) {
        ext = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, san);
        assert_non_null(ext);

        exts = sk_X509_EXTENSION_new_null();
        sk_X509_EXTENSION_push(exts, ext);
        assert_int_equal(X509_REQ_add_extensions(req, exts), 1);
        sk_X509_EXTENSION_pop_free(exts, X509_EXTENSION_free);
    }

    pure = (EVP_PKEY_get_base_id(key) == EVP_PKEY_ED25519
            || EVP_PKEY_get_base_id(key) == EVP_PKEY_ED448
            || EVP_PKEY_is_a(key, "ML-DSA-44"));

    assert_true(X509_REQ_sign(req, key, pure ? NULL : EVP_sha256()) > 0);

    *der = NULL;
    n = i2d_X509_REQ(req, der);
    assert_true(n > 0);

    X509_REQ_free(req);

    return (size_t) n;
}


MAKE char *
make_repeat(char c, size_t n)
{
    char  *s;

    s = malloc(n + 1);
    assert_non_null(s);

    memset(s, c, n);
    s[n] = '\0';

    return s;
}


/* one attribute with a value of whatever type and octets */

MAKE X509_NAME *
make_raw_name(int nid, int type, const char *value, size_t len)
{
    X509_NAME        *name;
    X509_NAME_ENTRY  *entry;

    name = X509_NAME_new();
    entry = X509_NAME_ENTRY_create_by_NID(NULL, nid, V_ASN1_UTF8STRING,
                                          (const unsigned char *) "x", 1);
    assert_non_null(entry);

    assert_int_equal(X509_NAME_add_entry(name, entry, -1, 0), 1);
    X509_NAME_ENTRY_free(entry);

    entry = X509_NAME_get_entry(name, 0);
    X509_NAME_ENTRY_get_data(entry)->type = type;
    assert_int_equal(ASN1_STRING_set(X509_NAME_ENTRY_get_data(entry), value,
                                     (int) len),
                     1);

    return name;
}


/* a subjectAltName of one name of a kind with any octets */

MAKE GENERAL_NAMES *
make_raw_san(int type, const char *value, size_t len)
{
    ASN1_STRING    *string;
    GENERAL_NAME   *name;
    GENERAL_NAMES  *san;

    san = sk_GENERAL_NAME_new_null();

    name = GENERAL_NAME_new();
    string = ASN1_STRING_type_new(type == GEN_IPADD ? V_ASN1_OCTET_STRING
                                                    : V_ASN1_IA5STRING);
    assert_int_equal(ASN1_STRING_set(string, value, (int) len), 1);

    GENERAL_NAME_set0_value(name, type, string);
    sk_GENERAL_NAME_push(san, name);

    return san;
}


/* a request as far as names go, in OpenSSL's own words; takes subject over */

MAKE void
make_csr(enroll_csr_t *csr, X509_NAME *subject, const char *san)
{
    memset(csr, 0, sizeof(enroll_csr_t));

    csr->subject = subject;
    csr->san = san != NULL ? make_san(san) : NULL;
}


MAKE void
make_csr_free(enroll_csr_t *csr)
{
    X509_NAME_free(csr->subject);
    GENERAL_NAMES_free(csr->san);
}


#endif /* _UNIT_MAKE_H_INCLUDED_ */
