
/*
 * Copyright (C) The nginx-enroll authors
 */


/*
 * Certification requests put together by hand: a test says only what matters
 * to it.
 */


#ifndef _UNIT_CSR_H_INCLUDED_
#define _UNIT_CSR_H_INCLUDED_


#include "unit_der.h"
#include "unit_make.h"


#define array_size(a)    (sizeof(a) / sizeof((a)[0]))


/* attributes, extensions and algorithms as they are to be */

#define CHALLENGE        "1.2.840.113549.1.9.7"
#define EXTENSIONS       "1.2.840.113549.1.9.14"
#define EXTENSIONS_MS    "1.3.6.1.4.1.311.2.1.14"
#define OTP              "1.2.840.113549.1.9.16.2.56"
#define REVOCATION       "1.2.840.113549.1.9.16.2.57"
#define LINKING          "1.2.840.113549.1.9.16.2.58"
#define NAME_CHANGE      "1.3.6.1.5.5.7.7.36"

#define SAN              "2.5.29.17"
#define KEY_USAGE        "2.5.29.15"
#define EXT_KEY_USAGE    "2.5.29.37"
#define BASIC            "2.5.29.19"
#define CLIENT_AUTH      OID("1.3.6.1.5.5.7.3.2")

#define ECDSA(n)         SEQ(OID("1.2.840.10045.4.3." n))
#define ECDSA_SHA256     ECDSA("2")
#define RSA_WITH(n)      SEQ(OID("1.2.840.113549.1.1." n), DER_NULL)
#define RSA_SHA256       RSA_WITH("11")
#define SHA256           "2.16.840.1.101.3.4.2.1"
#define SHA384           "2.16.840.1.101.3.4.2.2"
#define SHA1             "1.3.14.3.2.26"

#define PSS(...)         SEQ(OID("1.2.840.113549.1.1.10"), SEQ(__VA_ARGS__))
#define HASH(h)          TLV(0xa0, SEQ(OID(h)))
#define MGF(h)           TLV(0xa1, SEQ(OID("1.2.840.113549.1.1.8"),           \
                                       SEQ(OID(h))))
#define SALT(s)          TLV(0xa2, INTEGER(s))
#define TRAILER(s)       TLV(0xa3, INTEGER(s))
#define PSS_SHA256       PSS(HASH(SHA256), MGF(SHA256), SALT("\x20"))

#define INTEGER(s)       TLV(0x02, RAW(s))
#define UTF8(s)          TLV(0x0c, RAW(s))
#define PRINTABLE(s)     TLV(0x13, RAW(s))
#define DNS(s)           TLV(0x82, RAW(s))

#define ATTRS(...)       TLV(0xa0, __VA_ARGS__)
#define ATTR(oid, ...)   SEQ(OID(oid), SET(__VA_ARGS__))
#define EXT(oid, ...)    SEQ(OID(oid), OCTETS(__VA_ARGS__))
#define CRITICAL(o, ...) SEQ(OID(o), RAW("\x01\x01\xff"), OCTETS(__VA_ARGS__))

#define AVA(oid, ...)    SEQ(OID(oid), __VA_ARGS__)
#define CN(...)          SET(AVA("2.5.4.3", __VA_ARGS__))


/* a request, of which a test says only what matters to it */

typedef struct {
    EVP_PKEY          *key;          /* P-256 */
    der_t              version;      /* 0 */
    der_t              subject;      /* CN=dev1 */
    der_t              spki;         /* of key */
    der_t              attrs;        /* an empty set */
    der_t              alg;          /* ecdsa-with-SHA256 */
    der_t              signature;    /* a good one, by digest */
    const char        *digest;       /* SHA256 */
    int                salt;         /* of RSA-PSS; 0: PKCS #1 */
} recipe_t;


typedef struct {
    const char        *name;
    der_t              der;
    enroll_outcome_e   outcome;
} row_t;


static EVP_PKEY  *p256, *p384, *rsa, *ed25519, *ed448;


MAKE der_t
sign(const recipe_t *recipe, der_t info)
{
    size_t          len;
    EVP_MD_CTX     *ctx;
    EVP_PKEY_CTX   *pctx;
    const char     *digest;
    unsigned char   sig[8192];

    digest = recipe->digest;

    if (digest == NULL
        && !EVP_PKEY_is_a(recipe->key, "ED25519")
        && !EVP_PKEY_is_a(recipe->key, "ED448")
        && strncmp(EVP_PKEY_get0_type_name(recipe->key), "ML-DSA", 6) != 0)
    {
        digest = "SHA256";
    }

    ctx = EVP_MD_CTX_new();
    assert_non_null(ctx);
    assert_int_equal(EVP_DigestSignInit_ex(ctx, &pctx, digest, NULL, NULL,
                                           recipe->key, NULL), 1);

    if (recipe->salt) {
        assert_int_equal(EVP_PKEY_CTX_set_rsa_padding(pctx,
                                                      RSA_PKCS1_PSS_PADDING),
                         1);
        assert_int_equal(EVP_PKEY_CTX_set_rsa_pss_saltlen(pctx,
                                                          recipe->salt), 1);
    }

    len = sizeof(sig);
    assert_int_equal(EVP_DigestSign(ctx, sig, &len, info.data, info.len), 1);
    EVP_MD_CTX_free(ctx);

    return der_copy(sig, len);
}


MAKE der_t
der_spki(EVP_PKEY *pkey)
{
    int             len;
    unsigned char  *der;

    der = NULL;
    len = i2d_PUBKEY(pkey, &der);

    return der_take(der, len);
}


/* an RSA key that says which parameters it is for (RFC 4055, section 1.2) */

MAKE der_t
pss_spki(der_t alg)
{
    der_t  spki;

    /* the same key, under another algorithm: its bit string is at the end */

    spki = der_spki(rsa);

    return SEQ(alg, { spki.data + 4 + 15, spki.len - 4 - 15 });
}


MAKE der_t
csr_info(recipe_t *recipe)
{
    if (recipe->key == NULL) {
        recipe->key = p256;
    }

    if (recipe->version.data == NULL) {
        recipe->version = INTEGER("\0");
    }

    if (recipe->subject.data == NULL) {
        recipe->subject = SEQ(CN(UTF8("dev1")));
    }

    if (recipe->spki.data == NULL) {
        recipe->spki = der_spki(recipe->key);
    }

    if (recipe->attrs.data == NULL) {
        recipe->attrs = ATTRS(NONE);
    }

    if (recipe->alg.data == NULL) {
        recipe->alg = ECDSA_SHA256;
    }

    return SEQ(recipe->version, recipe->subject, recipe->spki, recipe->attrs);
}


MAKE der_t
csr_make(recipe_t recipe)
{
    der_t  info;

    info = csr_info(&recipe);

    if (recipe.signature.data == NULL) {
        recipe.signature = BITS(sign(&recipe, info));
    }

    return SEQ(info, recipe.alg, recipe.signature);
}

#define CSR(...)         csr_make((recipe_t) { __VA_ARGS__ })
#define WITH(...)        CSR(.attrs = ATTRS(__VA_ARGS__))
#define ASKING(...)      WITH(ATTR(EXTENSIONS, SEQ(__VA_ARGS__)))
#define NAMED(...)       CSR(.subject = SEQ(__VA_ARGS__))


/*
 * The input stands in memory of just its size, and is gone before the result
 * is used.
 */

MAKE enroll_outcome_e
parse(enroll_csr_t **csr, der_t der)
{
    unsigned char     *p;
    enroll_outcome_e   rc;

    p = malloc(der.len ? der.len : 1);
    assert_non_null(p);
    memcpy(p, der.data, der.len);

    rc = enroll_csr_parse(csr, p, der.len);

    free(p);

    assert_int_equal(rc == ENROLL_OK, *csr != NULL);
    assert_int_equal(ERR_peek_error(), 0);

    return rc;
}


MAKE enroll_outcome_e
verify(der_t der)
{
    enroll_csr_t      *csr;
    enroll_outcome_e   rc;

    rc = parse(&csr, der);

    if (rc == ENROLL_OK) {
        rc = enroll_csr_verify(csr, 0);
        assert_int_equal(ERR_peek_error(), 0);
    }

    enroll_csr_free(csr);

    return rc;
}


MAKE void
check(const row_t *rows, size_t n)
{
    enroll_outcome_e  rc;

    for (size_t i = 0; i < n; i++) {
        rc = verify(rows[i].der);

        if (rc != rows[i].outcome) {
            fail_msg("%s: %s", rows[i].name, enroll_outcome(rc)->reason);
        }
    }
}


MAKE void
check_text(const char *expected, const enroll_challenge_t *challenge)
{
    if (expected == NULL) {
        assert_null(challenge->data);
        return;
    }

    assert_non_null(challenge->data);
    assert_int_equal(challenge->len, strlen(expected));
    assert_memory_equal(challenge->data, expected, challenge->len);
}


MAKE int
setup(void **state)
{
    (void) state;

    p256 = EVP_EC_gen("P-256");
    p384 = EVP_EC_gen("P-384");
    rsa = EVP_RSA_gen(2048);
    ed25519 = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    ed448 = EVP_PKEY_Q_keygen(NULL, NULL, "ED448");

    return p256 == NULL || p384 == NULL || rsa == NULL || ed25519 == NULL
           || ed448 == NULL;
}


MAKE int
teardown(void **state)
{
    (void) state;

    EVP_PKEY_free(ed448);
    EVP_PKEY_free(ed25519);
    EVP_PKEY_free(rsa);
    EVP_PKEY_free(p384);
    EVP_PKEY_free(p256);

    return 0;
}


MAKE int
empty_arena(void **state)
{
    (void) state;

    der_reset();

    return 0;
}


#define unit(f)          cmocka_unit_test_teardown(f, empty_arena)


#endif /* _UNIT_CSR_H_INCLUDED_ */
