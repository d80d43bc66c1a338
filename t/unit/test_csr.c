
/*
 * Copyright (C) The nginx-enroll authors
 */


#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <openssl/cms.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "enroll_csr.h"
#include "enroll_encoding.h"
#include "unit_der.h"


#define array_size(a)  (sizeof(a) / sizeof((a)[0]))


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


/*
 * By other hands, so that we agree with more than ourselves.  All values in
 * them are made up, the private keys are gone.
 *
 *   openssl 3.0    req -new -newkey ec -subj /C=DE/O=Example/CN=dev1
 *                  -addext subjectAltName=DNS:a.test,IP:10.0.0.1
 *                  -addext keyUsage=digitalSignature
 *   keytool 17     -certreq, RSA, -ext san=dns:java.test
 *   strongSwan 5.9 pki --req --san pki.test --password s3cret, RSA
 *   cryptography   CertificateSigningRequestBuilder, P-384, with
 *   48 for Python  challengePassword and four extensions
 */

static const char  openssl_csr[] =
    "MIIBITCBxwIBADAuMQswCQYDVQQGEwJERTEQMA4GA1UECgwHRXhhbXBsZTENMAsGA1UE"
    "AwwEZGV2MTBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABC/SlnyHQApaoY0/GaVGwcdh"
    "xncvAznVvBOppNdjYNtprBPin3iayURTg2EI7aDvKKv+ZmKTU/xbrN5RDOc6e+igNzA1"
    "BgkqhkiG9w0BCQ4xKDAmMBcGA1UdEQQQMA6CBmEudGVzdIcECgAAATALBgNVHQ8EBAMC"
    "B4AwCgYIKoZIzj0EAwIDSQAwRgIhAOSYtsI1vtwXueLSJLaxH6M4qTfrvPbRQxaxdnhy"
    "H9CrAiEA3ql+emDNntd3sMDdKZy6LW38naR0uPG8mk1MuxQxxvM=";

static const char  keytool_csr[] =
    "MIICvTCCAaUCAQAwMjELMAkGA1UEBhMCREUxEDAOBgNVBAoTB0V4YW1wbGUxETAPBgNV"
    "BAMTCGRldi1qYXZhMIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEA27gvoL5x"
    "4xJTG3n6MMXTzdCHMhNFWGL15hw2Ccuo5P/qe3kyoqE7+FiqlP9znlSbJEcZcqEXYwx7"
    "LCvcAYqFcywSCx2JkdgxJM16YZSYdeVYv/f+m5p1CkO97MqXKsGqp96HJ9xUEoJ26Yl4"
    "3Zptz7x2Tor4ZeQxmdv526bcCmUmTsTu4+a/31DQb8qoooTzVpoJ25lmhanOq466LLEy"
    "r2AX0psk1YNuJSXANbQSyP8C8StciL7TsmtlR6c6WGnLuAreYOpEIKobdHx84lpEVEC0"
    "8KYRR6OeUiHt6EvNdJI0Ui3IgQ+Ab6bLKmEpR0kE9+9Aq0Kn3S7wgMSuU62MJwIDAQAB"
    "oEYwRAYJKoZIhvcNAQkOMTcwNTAdBgNVHQ4EFgQUACGr4fO/Xr6UGoY7aThir3vWpX4w"
    "FAYDVR0RBA0wC4IJamF2YS50ZXN0MA0GCSqGSIb3DQEBCwUAA4IBAQDEAQ+CXetpVINS"
    "61LcccyWS1UmyvmOt3cF700RvyGdz5EfhAszJfeG+6vViE+v7j5q7aP0kZSnGEebgg2l"
    "+/YWD9c8rhPMs6nuv63XriH2k3EGzxWQi5S7PKfJzgpvIZlrUf4iEqkmOgjE1faQl3h1"
    "9gXbFmDEsnZcIXYVvTp3vp7ot2FF5lXBYFlT4mKrsdNNhFyWfzyooSLiMvhyyPsWPqhP"
    "1pEC3wLgI4v7tWsqOZWesnc6olXVzi+k09+1aBkH//ZWmXZrZOhe41GWEqCM+vdkEsfg"
    "OAQCR2125Ub4rJgR2PaWFJWC4dWRTD/2ZuT4p2W2vnXdeKL3thIo+YzT";

static const char  strongswan_csr[] =
    "MIICszCCAZsCAQAwMTELMAkGA1UEBhMCREUxEDAOBgNVBAoTB0V4YW1wbGUxEDAOBgNV"
    "BAMTB2Rldi1wa2kwggEiMA0GCSqGSIb3DQEBAQUAA4IBDwAwggEKAoIBAQCsy7ieCq59"
    "ClUGOSiKkY5vGA3g9HCfSx+WRONUWjRWwv1kDQJyqxM2xf7h4F0Aec0sIXQtZZo1Dlss"
    "Bg5N+IWzozU4pfyKloC3Y8V6hSMD8TW8Vrur+W10Jb9F2+r4IECLv11ErcZ3nn+tcl0S"
    "rTmQZdr/6mj4eh4J7sN3R3qWKpDae5bp9LwOTVX7pYcqnXYmon1xLtTjpkAey7eCm1Vb"
    "/yg29pqHFTgfEr6GgPiJGClrqhBFoM42PpKUW9LxEx0brXh9DusInAXt5gleSZa086Ag"
    "C2ZLIg03CtCukdb/6KHKkiJl9Iu4upO32PDMWiazl8YC1dqir9bvdUgoqBdlAgMBAAGg"
    "PTAkBgkqhkiG9w0BCQ4xFzAVMBMGA1UdEQQMMAqCCHBraS50ZXN0MBUGCSqGSIb3DQEJ"
    "BzEIDAZzM2NyZXQwDQYJKoZIhvcNAQELBQADggEBACQ79kvOR7r3I1+Ylqv1Isu4AV2G"
    "TbVwal/jj1p/ricm4i36xx0ZdB79pZekYaw/CRraBrFhE3+x7ZxZd7mHDPJk/sl9wJqT"
    "/R7mJFU1IIeQ4XeRs5MWp0kOc+rzcjV1vXUdyHJl3Dzkf85JkpSrB9ptnshPaLb7KGgp"
    "lP95pDpBxMI63Kad8p81UOAZjNO7faqo4ZMI0OynmHoxCfc2k9Glxjy6tstwjWu2/ypL"
    "uyU5rdY6jRHV6h7D88Gtu263SY29V4614NNHRRKPeZqi625IGtwxB1cLHkAjkoVZRc5O"
    "4UkPcOPoBBEBC7xb1yjQwKosaBMi2Tge77BnWYnrrFo=";

static const char  python_csr[] =
    "MIIBgzCCAQkCAQAwETEPMA0GA1UEAwwGZGV2LXB5MHYwEAYHKoZIzj0CAQYFK4EEACID"
    "YgAELPXcB1CSsuFA47BFn0BfrZcansT9cYWjn/+M9iDiIcSm9RhQnY/Ztj0rLgOoZtsI"
    "4O3mlCFQCVVDycFubyC7jwsYB/XvGVntW2Ed5UPt4WtQVvNckIpuenFI5RiVWe45oHkw"
    "FgYJKoZIhvcNAQkHMQkMB2h1bnRlcjIwXwYJKoZIhvcNAQkOMVIwUDAbBgNVHREBAf8E"
    "ETAPggdweS50ZXN0hwTAAAIBMA4GA1UdDwEB/wQEAwIHgDATBgNVHSUEDDAKBggrBgEF"
    "BQcDAjAMBgNVHRMBAf8EAjAAMAoGCCqGSM49BAMDA2gAMGUCMB+3uxztOPCY6sinqr44"
    "bm6IJSnWBSxqU7o4rZnCkMlCmFv+JihpSqDj62ZNdQLuSQIxALnb3wgZQ6NCWySGC4LR"
    "11U46ndGZmH37wBqJ8CMmLqcTU8BpS3XjbP24vTNJ7bRkw==";


static der_t
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


static der_t
der_spki(EVP_PKEY *pkey)
{
    int             len;
    unsigned char  *der;

    der = NULL;
    len = i2d_PUBKEY(pkey, &der);

    return der_take(der, len);
}


static der_t
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


static der_t
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

static enroll_outcome_e
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


static enroll_outcome_e
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


static void
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


static void
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


static void
requests_of_other_tools_are_read(void **state)
{
    char            text[ENROLL_KEY_TEXT], name[64];
    size_t          len;
    unsigned char   der[2048];
    enroll_csr_t   *csr;

    static const struct {
        const char  *csr;
        const char  *key;
        const char  *cn;
        const char  *dns;
        int          names;
        const char  *challenge;
    } rows[] = {
        { openssl_csr, "ec:P-256", "dev1", "a.test", 2, NULL },
        { keytool_csr, "rsa:2048", "dev-java", "java.test", 1, NULL },
        { strongswan_csr, "rsa:2048", "dev-pki", "pki.test", 1, "s3cret" },
        { python_csr, "ec:P-384", "dev-py", "py.test", 2, "hunter2" }
    };

    (void) state;

    for (size_t i = 0; i < array_size(rows); i++) {
        const ASN1_IA5STRING  *dns;

        assert_true(strlen(rows[i].csr) < sizeof(der));
        assert_int_equal(enroll_body_decode(der, &len,
                                            (const unsigned char *)
                                            rows[i].csr,
                                            strlen(rows[i].csr)), ENROLL_OK);

        assert_int_equal(parse(&csr, (der_t) { der, len }), ENROLL_OK);
        assert_int_equal(enroll_csr_verify(csr, 0), ENROLL_OK);

        enroll_key_text(&csr->key, text);
        assert_string_equal(text, rows[i].key);

        X509_NAME_get_text_by_NID(csr->subject, NID_commonName, name,
                                  sizeof(name));
        assert_string_equal(name, rows[i].cn);

        assert_non_null(csr->san);
        assert_int_equal(sk_GENERAL_NAME_num(csr->san), rows[i].names);

        dns = sk_GENERAL_NAME_value(csr->san, 0)->d.dNSName;
        assert_int_equal(ASN1_STRING_length(dns), strlen(rows[i].dns));
        assert_memory_equal(ASN1_STRING_get0_data(dns), rows[i].dns,
                            strlen(rows[i].dns));

        check_text(rows[i].challenge, &csr->challenge);
        check_text(NULL, &csr->linking);

        enroll_csr_free(csr);
    }
}


static void
every_kind_of_key_proves_possession(void **state)
{
    EVP_PKEY  *ml_dsa;

    (void) state;

    const row_t  rows[] = {
        { "P-256", CSR(.key = p256), ENROLL_OK },
        { "P-256, SHA-384", CSR(.alg = ECDSA("3"), .digest = "SHA384"),
          ENROLL_OK },
        { "P-384", CSR(p384, .alg = ECDSA("3"), .digest = "SHA384"),
          ENROLL_OK },
        { "P-384, SHA-512", CSR(p384, .alg = ECDSA("4"), .digest = "SHA512"),
          ENROLL_OK },
        { "RSA", CSR(rsa, .alg = RSA_SHA256), ENROLL_OK },
        { "RSA, SHA-512", CSR(rsa, .alg = RSA_WITH("13"), .digest = "SHA512"),
          ENROLL_OK },
        { "RSA, SHA3-256",
          CSR(rsa, .alg = SEQ(OID("2.16.840.1.101.3.4.3.14"), DER_NULL),
              .digest = "SHA3-256"), ENROLL_OK },
        { "Ed25519", CSR(ed25519, .alg = SEQ(OID("1.3.101.112"))),
          ENROLL_OK },
        { "Ed448", CSR(ed448, .alg = SEQ(OID("1.3.101.113"))), ENROLL_OK },
        { "ECDSA with NULL as some send it",
          CSR(.alg = SEQ(OID("1.2.840.10045.4.3.2"), DER_NULL)), ENROLL_OK },
        { "RSA without NULL",
          CSR(rsa, .alg = SEQ(OID("1.2.840.113549.1.1.11"))), ENROLL_OK }
    };

    check(rows, array_size(rows));

    ml_dsa = EVP_PKEY_Q_keygen(NULL, NULL, "ML-DSA-65");
    ERR_clear_error();

    if (ml_dsa == NULL) {
        print_message("no ML-DSA in this OpenSSL\n");
        return;
    }

    assert_int_equal(verify(CSR(ml_dsa,
                                .alg = SEQ(OID("2.16.840.1.101.3.4.3.18")))),
                     ENROLL_OK);
    assert_int_equal(verify(CSR(ml_dsa,
                                .alg = SEQ(OID("2.16.840.1.101.3.4.3.17")))),
                     ENROLL_BAD_SIGNATURE_ALG);

    EVP_PKEY_free(ml_dsa);
}


/* where OpenSSL has no ML-DSA, such a request is refused, not feared */

static void
unusable_keys_are_refused(void **state)
{
    der_t              spki;
    enroll_outcome_e   rc;

    (void) state;

    spki = SEQ(SEQ(OID("2.16.840.1.101.3.4.3.17")),
               BITS(der_times(RAW("\x07"), 1312)));

    rc = verify(CSR(.spki = spki,
                    .alg = SEQ(OID("2.16.840.1.101.3.4.3.17"))));

    assert_true(rc == ENROLL_BAD_SIGNATURE_ALG || rc == ENROLL_BAD_SIGNATURE);
}


static void
bad_signatures_are_refused(void **state)
{
    der_t           good, sig;
    recipe_t        recipe;
    unsigned char  *flipped;

    (void) state;

    recipe = (recipe_t) { .key = p256 };
    good = sign(&recipe, csr_info(&recipe));

    flipped = der_alloc(good.len);
    memcpy(flipped, good.data, good.len);
    flipped[good.len - 1] ^= 1;
    sig = (der_t) { flipped, good.len };

    const row_t  rows[] = {
        { "good", CSR(.signature = BITS(good)), ENROLL_OK },
        { "one bit flipped", CSR(.signature = BITS(sig)),
          ENROLL_BAD_SIGNATURE },
        { "of another request",
          CSR(.subject = SEQ(CN(UTF8("dev2"))), .signature = BITS(good)),
          ENROLL_BAD_SIGNATURE },
        { "of another key", CSR(.spki = der_spki(p384),
                                .alg = ECDSA_SHA256), ENROLL_BAD_SIGNATURE },
        { "empty", CSR(.signature = BITS(NONE)), ENROLL_BAD_SIGNATURE },
        { "without even the unused bits", CSR(.signature = TLV(0x03, NONE)),
          ENROLL_BAD_CSR },
        { "1 MB", CSR(.signature = BITS(der_times(RAW("A"), 1 << 20))),
          ENROLL_BAD_SIGNATURE },
        { "with unused bits", CSR(.signature = TLV(0x03, RAW("\x01"), good)),
          ENROLL_BAD_SIGNATURE },
        { "with 9 unused bits", CSR(.signature = TLV(0x03, RAW("\x09"), good)),
          ENROLL_BAD_CSR },
        { "an OCTET STRING", CSR(.signature = OCTETS(good)), ENROLL_BAD_CSR },
        { "trailing octet inside", CSR(.signature = BITS(good, RAW("\0"))),
          ENROLL_BAD_SIGNATURE },
        { "r = s = 0",
          CSR(.signature = BITS(SEQ(INTEGER("\0"), INTEGER("\0")))),
          ENROLL_BAD_SIGNATURE }
    };

    check(rows, array_size(rows));
}


static void
signature_algorithms_are_chosen(void **state)
{
    (void) state;

    const row_t  rows[] = {
        { "ECDSA, SHA-1",
          CSR(.alg = SEQ(OID("1.2.840.10045.4.1")), .digest = "SHA1"),
          ENROLL_BAD_SIGNATURE_ALG },
        { "ECDSA, SHA-224", CSR(.alg = ECDSA("1"), .digest = "SHA224"),
          ENROLL_BAD_SIGNATURE_ALG },
        { "RSA, MD5", CSR(rsa, .alg = RSA_WITH("4"), .digest = "MD5"),
          ENROLL_BAD_SIGNATURE_ALG },
        { "RSA, SHA-1", CSR(rsa, .alg = RSA_WITH("5"), .digest = "SHA1"),
          ENROLL_BAD_SIGNATURE_ALG },
        { "RSA, SHA-224", CSR(rsa, .alg = RSA_WITH("14"), .digest = "SHA224"),
          ENROLL_BAD_SIGNATURE_ALG },
        { "RSA without a digest", CSR(rsa, .alg = RSA_WITH("1")),
          ENROLL_BAD_SIGNATURE_ALG },
        { "ECDSA for an RSA key", CSR(rsa, .alg = ECDSA_SHA256),
          ENROLL_BAD_SIGNATURE_ALG },
        { "RSA for an EC key", CSR(.alg = RSA_SHA256),
          ENROLL_BAD_SIGNATURE_ALG },
        { "Ed448 for an Ed25519 key",
          CSR(ed25519, .alg = SEQ(OID("1.3.101.113"))),
          ENROLL_BAD_SIGNATURE_ALG },
        { "Ed25519 for an EC key", CSR(.alg = SEQ(OID("1.3.101.112"))),
          ENROLL_BAD_SIGNATURE_ALG },
        { "Ed25519 with NULL",
          CSR(ed25519, .alg = SEQ(OID("1.3.101.112"), DER_NULL)),
          ENROLL_BAD_SIGNATURE_ALG },
        { "ECDSA with parameters",
          CSR(.alg = SEQ(OID("1.2.840.10045.4.3.2"), OID("1.2.3"))),
          ENROLL_BAD_SIGNATURE_ALG },
        { "DSA, SHA-256", CSR(.alg = SEQ(OID("2.16.840.1.101.3.4.3.2"))),
          ENROLL_BAD_SIGNATURE_ALG },
        { "id-ecPublicKey", CSR(.alg = SEQ(OID("1.2.840.10045.2.1"))),
          ENROLL_BAD_SIGNATURE_ALG },
        { "id-alg-noSignature", CSR(.alg = SEQ(OID("1.3.6.1.5.5.7.6.2"))),
          ENROLL_BAD_SIGNATURE_ALG },
        { "SHA-256", CSR(.alg = SEQ(OID(SHA256))),
          ENROLL_BAD_SIGNATURE_ALG },
        { "nothing known", CSR(.alg = SEQ(OID("1.2.3.4"))),
          ENROLL_BAD_SIGNATURE_ALG }
    };

    check(rows, array_size(rows));
}


static void
old_digests_are_taken_where_they_are_named(void **state)
{
    enroll_csr_t      *csr;
    enroll_outcome_e   rc;

    (void) state;

    const struct {
        der_t      der;
        unsigned   legacy;
    } rows[] = {
        { CSR(.alg = SEQ(OID("1.2.840.10045.4.1")), .digest = "SHA1"),
          ENROLL_LEGACY_SHA1 },
        { CSR(rsa, .alg = RSA_WITH("5"), .digest = "SHA1"),
          ENROLL_LEGACY_SHA1 },
        { CSR(rsa, .alg = RSA_WITH("4"), .digest = "MD5"),
          ENROLL_LEGACY_MD5 },
        { CSR(rsa, .alg = RSA_WITH("14"), .digest = "SHA224"), 0 }
    };

    for (size_t i = 0; i < array_size(rows); i++) {
        assert_int_equal(parse(&csr, rows[i].der), ENROLL_OK);

        for (unsigned legacy = 0; legacy < 16; legacy++) {
            rc = enroll_csr_verify(csr, legacy);

            assert_int_equal(rc, (rows[i].legacy & legacy)
                                 ? ENROLL_OK : ENROLL_BAD_SIGNATURE_ALG);
        }

        enroll_csr_free(csr);
    }

    /* and are verified all the same */

    assert_int_equal(parse(&csr, CSR(rsa, .alg = RSA_WITH("5"),
                                     .digest = "SHA256")),
                     ENROLL_OK);
    assert_int_equal(enroll_csr_verify(csr, ENROLL_LEGACY_SHA1),
                     ENROLL_BAD_SIGNATURE);
    enroll_csr_free(csr);
}


#define PSS(...)         SEQ(OID("1.2.840.113549.1.1.10"), SEQ(__VA_ARGS__))
#define HASH(h)          TLV(0xa0, SEQ(OID(h)))
#define MGF(h)           TLV(0xa1, SEQ(OID("1.2.840.113549.1.1.8"),           \
                                       SEQ(OID(h))))
#define SALT(s)          TLV(0xa2, INTEGER(s))
#define TRAILER(s)       TLV(0xa3, INTEGER(s))
#define PSS_SHA256       PSS(HASH(SHA256), MGF(SHA256), SALT("\x20"))


/* an RSA key that says which parameters it is for (RFC 4055, section 1.2) */

static der_t
pss_spki(der_t alg)
{
    der_t  spki;

    /* the same key, under another algorithm: its bit string is at the end */

    spki = der_spki(rsa);

    return SEQ(alg, { spki.data + 4 + 15, spki.len - 4 - 15 });
}


static void
pss_parameters_are_bounded(void **state)
{
    der_t  any, sha256, salt64;

    (void) state;

    any = pss_spki(SEQ(OID("1.2.840.113549.1.1.10")));
    sha256 = pss_spki(PSS_SHA256);
    salt64 = pss_spki(PSS(HASH(SHA256), MGF(SHA256), SALT("\x40")));

    const row_t  rows[] = {
        { "SHA-256", CSR(rsa, .alg = PSS_SHA256, .salt = 32), ENROLL_OK },
        { "SHA-256, hash with NULL",
          CSR(rsa, .alg = PSS(TLV(0xa0, SEQ(OID(SHA256), DER_NULL)),
                              MGF(SHA256), SALT("\x20")), .salt = 32),
          ENROLL_OK },
        { "longest salt",
          CSR(rsa, .alg = PSS(HASH(SHA256), MGF(SHA256), SALT("\0\xde")),
              .salt = 222), ENROLL_OK },
        { "trailer 1 in full",
          CSR(rsa, .alg = PSS(HASH(SHA256), MGF(SHA256), SALT("\x20"),
                              TRAILER("\1")), .salt = 32), ENROLL_OK },

        { "no parameters",
          CSR(rsa, .alg = SEQ(OID("1.2.840.113549.1.1.10")), .salt = 32),
          ENROLL_BAD_SIGNATURE_ALG },
        { "NULL",
          CSR(rsa, .alg = SEQ(OID("1.2.840.113549.1.1.10"), DER_NULL),
              .salt = 32), ENROLL_BAD_SIGNATURE_ALG },
        { "defaults are SHA-1",
          CSR(rsa, .alg = PSS(NONE), .digest = "SHA1", .salt = 20),
          ENROLL_BAD_SIGNATURE_ALG },
        { "MGF1 with SHA-1",
          CSR(rsa, .alg = PSS(HASH(SHA256), SALT("\x20")), .salt = 32),
          ENROLL_BAD_SIGNATURE_ALG },
        { "SHA-1 with MGF1 of SHA-256",
          CSR(rsa, .alg = PSS(HASH(SHA1), MGF(SHA256), SALT("\x20")),
              .salt = 32), ENROLL_BAD_SIGNATURE_ALG },
        { "unknown hash",
          CSR(rsa, .alg = PSS(HASH("1.2.3.4"), MGF(SHA256), SALT("\x20")),
              .salt = 32), ENROLL_BAD_SIGNATURE_ALG },
        { "unknown MGF",
          CSR(rsa, .alg = PSS(HASH(SHA256),
                              TLV(0xa1, SEQ(OID("1.2.3"), SEQ(OID(SHA256)))),
                              SALT("\x20")), .salt = 32),
          ENROLL_BAD_SIGNATURE_ALG },
        { "MGF1 without a hash",
          CSR(rsa, .alg = PSS(HASH(SHA256),
                              TLV(0xa1, SEQ(OID("1.2.840.113549.1.1.8"))),
                              SALT("\x20")), .salt = 32),
          ENROLL_BAD_SIGNATURE_ALG },
        { "MGF1 with NULL",
          CSR(rsa, .alg = PSS(HASH(SHA256),
                              TLV(0xa1, SEQ(OID("1.2.840.113549.1.1.8"),
                                            DER_NULL)),
                              SALT("\x20")), .salt = 32),
          ENROLL_BAD_SIGNATURE_ALG },
        { "MGF1 of garbage",
          CSR(rsa, .alg = PSS(HASH(SHA256),
                              TLV(0xa1, SEQ(OID("1.2.840.113549.1.1.8"),
                                            SEQ(INTEGER("\0")))),
                              SALT("\x20")), .salt = 32),
          ENROLL_BAD_SIGNATURE_ALG },
        { "salt of 10^9",
          CSR(rsa, .alg = PSS(HASH(SHA256), MGF(SHA256),
                              SALT("\x3b\x9a\xca\x00")), .salt = 32),
          ENROLL_BAD_SIGNATURE_ALG },
        { "salt of 2^70",
          CSR(rsa, .alg = PSS(HASH(SHA256), MGF(SHA256),
                              SALT("\x40\0\0\0\0\0\0\0\0")), .salt = 32),
          ENROLL_BAD_SIGNATURE_ALG },
        { "negative salt",
          CSR(rsa, .alg = PSS(HASH(SHA256), MGF(SHA256), SALT("\xff")),
              .salt = 32), ENROLL_BAD_SIGNATURE_ALG },
        { "salt as long as the modulus, and one",
          CSR(rsa, .alg = PSS(HASH(SHA256), MGF(SHA256), SALT("\x01\x01")),
              .salt = 32), ENROLL_BAD_SIGNATURE_ALG },
        { "another salt than the signature's",
          CSR(rsa, .alg = PSS(HASH(SHA256), MGF(SHA256), SALT("\x21")),
              .salt = 32), ENROLL_BAD_SIGNATURE },
        { "trailer 7",
          CSR(rsa, .alg = PSS(HASH(SHA256), MGF(SHA256), SALT("\x20"),
                              TRAILER("\7")), .salt = 32),
          ENROLL_BAD_SIGNATURE_ALG },
        { "a field that is none",
          CSR(rsa, .alg = PSS(HASH(SHA256), MGF(SHA256), SALT("\x20"),
                              TLV(0xa4, INTEGER("\1"))), .salt = 32),
          ENROLL_BAD_SIGNATURE_ALG },
        { "PSS for an EC key", CSR(.alg = PSS_SHA256),
          ENROLL_BAD_SIGNATURE_ALG },
        { "PKCS #1 called PSS", CSR(rsa, .alg = PSS_SHA256),
          ENROLL_BAD_SIGNATURE },
        { "PSS called PKCS #1", CSR(rsa, .alg = RSA_SHA256, .salt = 32),
          ENROLL_BAD_SIGNATURE },

        { "a key for PSS",
          CSR(rsa, .spki = any, .alg = PSS_SHA256, .salt = 32), ENROLL_OK },
        { "a key for PSS, signing PKCS #1",
          CSR(rsa, .spki = any, .alg = RSA_SHA256),
          ENROLL_BAD_SIGNATURE_ALG },
        { "a key for SHA-256",
          CSR(rsa, .spki = sha256, .alg = PSS_SHA256, .salt = 32),
          ENROLL_OK },
        { "a key for SHA-256, signing with SHA-384",
          CSR(rsa, .spki = sha256,
              .alg = PSS(HASH(SHA384), MGF(SHA384), SALT("\x20")),
              .digest = "SHA384", .salt = 32), ENROLL_BAD_SIGNATURE_ALG },
        { "a key for SHA-256, signing with SHA-384 in MGF1",
          CSR(rsa, .spki = sha256,
              .alg = PSS(HASH(SHA256), MGF(SHA384), SALT("\x20")),
              .salt = 32), ENROLL_BAD_SIGNATURE_ALG },
        { "a key for SHA-256, signing with SHA-384 but in MGF1",
          CSR(rsa, .spki = sha256,
              .alg = PSS(HASH(SHA384), MGF(SHA256), SALT("\x20")),
              .digest = "SHA384", .salt = 32), ENROLL_BAD_SIGNATURE_ALG },
        { "a key for a longer salt",
          CSR(rsa, .spki = salt64, .alg = PSS_SHA256, .salt = 32),
          ENROLL_BAD_SIGNATURE_ALG }
    };

    check(rows, array_size(rows));
}


static void
form_is_checked(void **state)
{
    der_t  good, info, sig;

    (void) state;

    good = CSR(.key = p256);

    /* 4 octets of header, then the parts */

    recipe_t  recipe = { .key = p256 };

    info = csr_info(&recipe);
    sig = BITS(sign(&recipe, info));

    const row_t  rows[] = {
        { "good", good, ENROLL_OK },
        { "empty", NONE, ENROLL_EMPTY_BODY },
        { "a zero behind", CAT(good, RAW("\0")), ENROLL_BAD_CSR },
        { "a line end behind", CAT(good, RAW("\n")), ENROLL_BAD_CSR },
        { "1 MB of zeros behind", CAT(good, der_times(RAW("\0"), 1 << 20)),
          ENROLL_BAD_CSR },
        { "two requests", CAT(good, good), ENROLL_BAD_CSR },
        { "something behind the signature",
          SEQ(info, ECDSA_SHA256, sig, DER_NULL), ENROLL_BAD_CSR },
        { "no signature", SEQ(info, ECDSA_SHA256), ENROLL_BAD_CSR },
        { "a SET", SET(info, ECDSA_SHA256, sig), ENROLL_BAD_CSR },
        { "only a SEQUENCE", RAW("\x30\x00"), ENROLL_BAD_CSR },
        { "half a SEQUENCE", RAW("\x30"), ENROLL_BAD_CSR },
        { "length of 4 GB", RAW("\x30\x84\xff\xff\xff\xff"), ENROLL_BAD_CSR },
        { "length of 2^64 - 1",
          RAW("\x30\x88\xff\xff\xff\xff\xff\xff\xff\xff"), ENROLL_BAD_CSR },
        { "indefinite without end", RAW("\x30\x80"), ENROLL_BAD_CSR },
        { "reserved length", RAW("\x30\xff"), ENROLL_BAD_CSR },
        { "high tag", RAW("\x1f\x81\x81\x81\x81\x81\x81\x81\x81\x81\x01\x00"),
          ENROLL_BAD_CSR },
        { "10 000 SEQUENCEs, each in the one before",
          der_times(RAW("\x30\x82\x7f\xff"), 10000), ENROLL_BAD_CSR },
        { "10 000 of indefinite length", der_times(RAW("\x30\x80"), 10000),
          ENROLL_BAD_CSR },
        { "10 000 in an attribute",
          WITH(ATTR("1.2.3", der_times(RAW("\x30\x80"), 10000),
                    der_times(RAW("\0\0"), 10000))), ENROLL_OK },

        { "version 1", CSR(.version = INTEGER("\1")), ENROLL_BAD_CSR },
        { "version 2", CSR(.version = INTEGER("\2")), ENROLL_BAD_CSR },
        { "version -1", CSR(.version = INTEGER("\xff")), ENROLL_BAD_CSR },
        { "version 256", CSR(.version = INTEGER("\1\0")), ENROLL_BAD_CSR },
        { "version 2^64", CSR(.version = INTEGER("\1\0\0\0\0\0\0\0\0")),
          ENROLL_BAD_CSR },
        { "version 00 00", CSR(.version = INTEGER("\0\0")), ENROLL_BAD_CSR },
        { "version of 1 MB",
          CSR(.version = TLV(0x02, RAW("\1"),
                             der_times(RAW("\0"), 1 << 20))),
          ENROLL_BAD_CSR },
        { "version without octets", CSR(.version = RAW("\x02\x00")),
          ENROLL_BAD_CSR },
        { "no version", CSR(.version = NONE), ENROLL_BAD_CSR },
        { "version is a BOOLEAN", CSR(.version = RAW("\1\1\0")),
          ENROLL_BAD_CSR },

        { "key without octets",
          CSR(.spki = SEQ(SEQ(OID("1.3.101.112")), BITS(NONE))),
          ENROLL_BAD_KEY },
        { "key with unused bits",
          CSR(.spki = SEQ(SEQ(OID("1.3.101.112")),
                          TLV(0x03, RAW("\1"), der_times(RAW("\2"), 32)))),
          ENROLL_BAD_KEY },
        { "key with 8 unused bits",
          CSR(.spki = SEQ(SEQ(OID("1.3.101.112")),
                          TLV(0x03, RAW("\x08"), der_times(RAW("\2"), 32)))),
          ENROLL_BAD_CSR },
        { "key that is an OCTET STRING",
          CSR(.spki = SEQ(SEQ(OID("1.3.101.112")),
                          OCTETS(der_times(RAW("\2"), 32)))),
          ENROLL_BAD_CSR },
        { "key of a kind unknown",
          CSR(.spki = SEQ(SEQ(OID("1.2.3")), BITS(RAW("\2")))),
          ENROLL_KEY_NOT_ALLOWED },
        { "key off its curve",
          CSR(.spki = SEQ(SEQ(OID("1.2.840.10045.2.1"),
                              OID("1.2.840.10045.3.1.7")),
                          BITS(RAW("\4"), der_times(RAW("\2"), 64)))),
          ENROLL_BAD_KEY },
        { "SubjectPublicKeyInfo empty", CSR(.spki = SEQ(NONE)),
          ENROLL_BAD_CSR },
        { "OID of no octets", CSR(.spki = SEQ(SEQ(RAW("\x06\x00")),
                                              BITS(RAW("\2")))),
          ENROLL_BAD_CSR },
        { "OID that does not end",
          CSR(.spki = SEQ(SEQ(RAW("\x06\x02\x2a\x86")), BITS(RAW("\2")))),
          ENROLL_BAD_CSR },
        { "OID with a needless 80",
          CSR(.spki = SEQ(SEQ(RAW("\x06\x03\x2a\x80\x01")),
                          BITS(RAW("\2")))), ENROLL_BAD_CSR }
    };

    check(rows, array_size(rows));
}


/* what is signed is what was received, be it BER */

static void
ber_is_verified_as_received(void **state)
{
    der_t     info, ber;
    recipe_t  recipe;

    (void) state;

    recipe = (recipe_t) { .key = p256 };
    info = csr_info(&recipe);

    ber = CAT(RAW("\x30\x80"), recipe.version, recipe.subject, recipe.spki,
              recipe.attrs, RAW("\0\0"));

    const row_t  rows[] = {
        { "outer length indefinite",
          CAT(RAW("\x30\x80"), info, recipe.alg, BITS(sign(&recipe, info)),
              RAW("\0\0")), ENROLL_OK },
        { "inner length indefinite",
          SEQ(ber, recipe.alg, BITS(sign(&recipe, ber))), ENROLL_OK },
        { "signed as DER, sent as BER",
          SEQ(ber, recipe.alg, BITS(sign(&recipe, info))),
          ENROLL_BAD_SIGNATURE }
    };

    check(rows, array_size(rows));
}


static void
subjects_are_checked(void **state)
{
    der_t  long_value, value, o, o2;

    (void) state;

    value = der_times(RAW("a"), 1024);
    long_value = der_times(RAW("a"), 1025);

    /* in the order of their DER: the first is shorter */

    o = AVA("2.5.4.10", UTF8("a"));
    o2 = AVA("2.5.4.10", UTF8("bb"));

    const row_t  rows[] = {
        { "empty", NAMED(NONE), ENROLL_OK },
        { "several", NAMED(SET(o), CN(PRINTABLE("dev1"))), ENROLL_OK },
        { "two CNs", NAMED(CN(UTF8("a")), CN(UTF8("b"))), ENROLL_OK },
        { "two in one RDN", NAMED(SET(o, o2), CN(UTF8("a"))), ENROLL_OK },
        { "two RDNs of two", NAMED(SET(o, o2), SET(o, o2)), ENROLL_OK },
        { "BMPString", NAMED(CN(TLV(0x1e, RAW("\0a")))), ENROLL_OK },
        { "1024 octets", NAMED(CN(TLV(0x0c, value))), ENROLL_OK },
        { "32 RDNs", NAMED(der_times(SET(o), 32)), ENROLL_OK },

        { "1025 octets", NAMED(CN(TLV(0x0c, long_value))),
          ENROLL_BAD_SUBJECT },
        { "33 RDNs", NAMED(der_times(SET(o), 33)), ENROLL_BAD_SUBJECT },
        { "33 in one RDN", NAMED(SET(der_times(o, 33))), ENROLL_BAD_SUBJECT },
        { "10 000 RDNs", NAMED(der_times(SET(o), 10000)),
          ENROLL_BAD_SUBJECT },
        { "no octets", NAMED(CN(UTF8(""))), ENROLL_BAD_SUBJECT },
        { "empty RDN", NAMED(SET(NONE)), ENROLL_BAD_SUBJECT },
        { "empty RDN among others",
          NAMED(SET(o), SET(NONE), CN(UTF8("a"))), ENROLL_BAD_SUBJECT },
        { "empty RDN at the end", NAMED(SET(o), SET(NONE)),
          ENROLL_BAD_SUBJECT },
        { "set not in the order of DER", NAMED(SET(o2, o)),
          ENROLL_BAD_SUBJECT },
        { "length not in the shortest form",
          NAMED(SET(AVA("2.5.4.3", RAW("\x0c\x81\x01" "a")))),
          ENROLL_BAD_SUBJECT },
        { "indefinite length",
          NAMED(CAT(RAW("\x31\x80"), o, RAW("\0\0"))), ENROLL_BAD_SUBJECT },
        { "constructed string",
          NAMED(CN(TLV(0x2c, UTF8("a"), UTF8("b")))), ENROLL_BAD_SUBJECT },
        { "OID of 64 octets",
          NAMED(SET(SEQ(TLV(0x06, der_times(RAW("\x81"), 63), RAW("\1")),
                        UTF8("a")))), ENROLL_OK },
        { "OID of 65 octets",
          NAMED(SET(SEQ(TLV(0x06, der_times(RAW("\x81"), 64), RAW("\1")),
                        UTF8("a")))), ENROLL_BAD_SUBJECT },

        { "no value", NAMED(SET(AVA("2.5.4.3", NONE))), ENROLL_BAD_CSR },
        { "two values", NAMED(SET(AVA("2.5.4.3", UTF8("a"), UTF8("b")))),
          ENROLL_BAD_CSR },
        { "an INTEGER", NAMED(CN(INTEGER("\1"))), ENROLL_BAD_CSR },
        { "BMPString of odd length", NAMED(CN(TLV(0x1e, RAW("\0ab")))),
          ENROLL_BAD_CSR },
        { "not a set", NAMED(o), ENROLL_BAD_CSR },
        { "not a sequence", CSR(.subject = SET(CN(UTF8("a")))),
          ENROLL_BAD_CSR },
        { "a string", CSR(.subject = UTF8("CN=a")), ENROLL_BAD_CSR }
    };

    check(rows, array_size(rows));
}


static void
attributes_are_counted(void **state)
{
    der_t  unknown;

    (void) state;

    unknown = ATTR("1.2.3.4", UTF8("x"));

    const row_t  rows[] = {
        { "none, in an empty set", WITH(NONE), ENROLL_OK },
        { "left out", CSR(.attrs = NONE), ENROLL_OK },
        { "tagged [1]", CSR(.attrs = TLV(0xa1, unknown)), ENROLL_BAD_CSR },
        { "an untagged SET", CSR(.attrs = SET(unknown)), ENROLL_BAD_CSR },
        { "twice", CSR(.attrs = CAT(ATTRS(NONE), ATTRS(NONE))),
          ENROLL_BAD_CSR },
        { "unknown", WITH(unknown), ENROLL_OK },
        { "unknown, several times", WITH(der_times(unknown, 3)), ENROLL_OK },
        { "unknown, several values",
          WITH(ATTR("1.2.3.4", UTF8("x"), DER_NULL, SEQ(NONE))), ENROLL_OK },
        { "unordered",
          WITH(ATTR(CHALLENGE, UTF8("secret")), unknown), ENROLL_OK },
        { "32", WITH(der_times(unknown, 32)), ENROLL_OK },
        { "33", WITH(der_times(unknown, 33)), ENROLL_BAD_ATTRIBUTE },
        { "10 000", WITH(der_times(unknown, 10000)), ENROLL_BAD_ATTRIBUTE },
        { "unknown without a value", WITH(ATTR("1.2.3.4", NONE)),
          ENROLL_BAD_ATTRIBUTE },
        { "value is no set", WITH(SEQ(OID("1.2.3.4"), UTF8("x"))),
          ENROLL_BAD_CSR },
        { "no values at all", WITH(SEQ(OID("1.2.3.4"))), ENROLL_BAD_CSR },
        { "OID of 64 octets",
          WITH(SEQ(TLV(0x06, der_times(RAW("\x81"), 63), RAW("\1")),
                   SET(UTF8("x")))), ENROLL_OK },
        { "OID of 10 000 octets",
          WITH(SEQ(TLV(0x06, der_times(RAW("\x81"), 9999), RAW("\1")),
                   SET(UTF8("x")))), ENROLL_BAD_ATTRIBUTE },
        { "SMIMECapabilities",
          WITH(ATTR("1.2.840.113549.1.9.15", SEQ(NONE))), ENROLL_OK },
        { "SMIMECapabilities, garbage",
          WITH(ATTR("1.2.840.113549.1.9.15", INTEGER("\1"))), ENROLL_OK },

        { "changeSubjectName", WITH(ATTR(NAME_CHANGE, SEQ(NONE))),
          ENROLL_NAME_CHANGE },
        { "changeSubjectName, two values",
          WITH(ATTR(NAME_CHANGE, SEQ(NONE), SEQ(SEQ(NONE)))),
          ENROLL_NAME_CHANGE },
        { "changeSubjectName without a value", WITH(ATTR(NAME_CHANGE, NONE)),
          ENROLL_BAD_ATTRIBUTE },
        { "otpChallenge", WITH(ATTR(OTP, UTF8("123456"))),
          ENROLL_BAD_ATTRIBUTE },
        { "revocationChallenge", WITH(ATTR(REVOCATION, UTF8("secret"))),
          ENROLL_BAD_ATTRIBUTE }
    };

    check(rows, array_size(rows));
}


static void
challenges_are_read(void **state)
{
    enroll_csr_t              *csr;
    const enroll_challenge_t  *own, *other;

    (void) state;

    const struct {
        const char  *name;
        der_t        value;
        int          type;
        const char  *text;
    } rows[] = {
        { "PrintableString", PRINTABLE("ABC123"), V_ASN1_PRINTABLESTRING,
          "ABC123" },
        { "PrintableString as it should not be", PRINTABLE("a_b*@%s%n"),
          V_ASN1_PRINTABLESTRING, "a_b*@%s%n" },
        { "UTF8String", UTF8("p\xc3\xa4ss"), V_ASN1_UTF8STRING,
          "p\xc3\xa4ss" },
        { "IA5String", TLV(0x16, RAW("a@b")), V_ASN1_IA5STRING, "a@b" },
        { "TeletexString", TLV(0x14, RAW("p\xe4ss")), V_ASN1_TELETEXSTRING,
          "p\xc3\xa4ss" },
        { "BMPString", TLV(0x1e, RAW("\0p\0\xe4 \xac")), V_ASN1_BMPSTRING,
          "p\xc3\xa4\xe2\x82\xac" },
        { "one octet", UTF8("x"), V_ASN1_UTF8STRING, "x" },
        { "an empty one", PRINTABLE(""), V_ASN1_PRINTABLESTRING, "" }
    };

    for (size_t i = 0; i < array_size(rows); i++) {
        for (int linking = 0; linking < 2; linking++) {
            if (parse(&csr, WITH(ATTR(linking ? LINKING : CHALLENGE,
                                      rows[i].value))) != ENROLL_OK)
            {
                fail_msg("%s", rows[i].name);
            }

            own = linking ? &csr->linking : &csr->challenge;
            other = linking ? &csr->challenge : &csr->linking;

            check_text(rows[i].text, own);
            check_text(NULL, other);
            assert_int_equal(own->type, rows[i].type);

            /* the value is wiped from where it came, but not from there */

            assert_int_equal(enroll_csr_verify(csr, 0), ENROLL_OK);

            enroll_csr_free(csr);
        }
    }

    assert_int_equal(parse(&csr, WITH(ATTR(CHALLENGE, UTF8("a")),
                                      ATTR(LINKING, UTF8("b")))), ENROLL_OK);
    check_text("a", &csr->challenge);
    check_text("b", &csr->linking);
    enroll_csr_free(csr);
}


static void
bad_challenges_are_refused(void **state)
{
    enroll_outcome_e  rc;

    static const char *oids[] = { CHALLENGE, LINKING };

    (void) state;

    for (size_t i = 0; i < array_size(oids); i++) {
        const char  *oid = oids[i];

        const row_t  rows[] = {
            { "255 octets", ATTR(oid, TLV(0x0c, der_times(RAW("a"), 255))),
              ENROLL_OK },
            { "255 characters of BMPString",
              ATTR(oid, TLV(0x1e, der_times(RAW("\0a"), 255))), ENROLL_OK },
            { "256 octets", ATTR(oid, TLV(0x0c, der_times(RAW("a"), 256))),
              ENROLL_BAD_ATTRIBUTE },
            { "256 characters of BMPString",
              ATTR(oid, TLV(0x1e, der_times(RAW("\0a"), 256))),
              ENROLL_BAD_ATTRIBUTE },
            { "255 characters that grow",
              ATTR(oid, TLV(0x14, der_times(RAW("\xe4"), 255))),
              ENROLL_BAD_ATTRIBUTE },
            { "64 KB", ATTR(oid, TLV(0x0c, der_times(RAW("a"), 1 << 16))),
              ENROLL_BAD_ATTRIBUTE },
            { "no value", ATTR(oid, NONE), ENROLL_BAD_ATTRIBUTE },
            { "two values", ATTR(oid, UTF8("a"), UTF8("b")),
              ENROLL_BAD_ATTRIBUTE },
            { "twice", CAT(ATTR(oid, UTF8("a")), ATTR(oid, UTF8("b"))),
              ENROLL_BAD_ATTRIBUTE },
            { "twice, the first empty",
              CAT(ATTR(oid, UTF8("")), ATTR(oid, UTF8("b"))),
              ENROLL_BAD_ATTRIBUTE },
            { "NUL", ATTR(oid, UTF8("a\0b")), ENROLL_BAD_ATTRIBUTE },
            { "NUL in a BMPString", ATTR(oid, TLV(0x1e, RAW("\0a\0\0"))),
              ENROLL_BAD_ATTRIBUTE },
            { "BOOLEAN", ATTR(oid, RAW("\1\1\xff")), ENROLL_BAD_ATTRIBUTE },
            { "NULL", ATTR(oid, DER_NULL), ENROLL_BAD_ATTRIBUTE },
            { "INTEGER", ATTR(oid, INTEGER("\1")), ENROLL_BAD_ATTRIBUTE },
            { "OCTET STRING", ATTR(oid, OCTETS(RAW("a"))),
              ENROLL_BAD_ATTRIBUTE },
            { "SEQUENCE", ATTR(oid, SEQ(UTF8("a"))), ENROLL_BAD_ATTRIBUTE },
            { "OBJECT IDENTIFIER", ATTR(oid, OID("1.2.3")),
              ENROLL_BAD_ATTRIBUTE },
            { "context tag", ATTR(oid, TLV(0x80, RAW("a"))),
              ENROLL_BAD_ATTRIBUTE },
            { "VisibleString", ATTR(oid, TLV(0x1a, RAW("a"))),
              ENROLL_BAD_ATTRIBUTE },
            { "bad UTF-8", ATTR(oid, UTF8("a\xff")), ENROLL_BAD_ATTRIBUTE },
            { "overlong UTF-8", ATTR(oid, UTF8("\xc0\xaf")),
              ENROLL_BAD_ATTRIBUTE },
            { "Latin-1 in a PrintableString", ATTR(oid, PRINTABLE("\xe4")),
              ENROLL_BAD_ATTRIBUTE },
            { "Latin-1 in an IA5String", ATTR(oid, TLV(0x16, RAW("\xe4"))),
              ENROLL_BAD_ATTRIBUTE }
        };

        for (size_t n = 0; n < array_size(rows); n++) {
            rc = verify(WITH(rows[n].der));

            if (rc != rows[n].outcome) {
                fail_msg("%s: %s", rows[n].name, enroll_outcome(rc)->reason);
            }
        }
    }

    /* OpenSSL's decoder does not take it for a value at all */

    assert_int_equal(verify(WITH(ATTR(CHALLENGE,
                                      TLV(0x1e, RAW("\0ab"))))),
                     ENROLL_BAD_CSR);
}


static void
extension_requests_are_checked(void **state)
{
    der_t  san, exts;

    (void) state;

    san = EXT(SAN, SEQ(DNS("a.test")));
    exts = SEQ(san);

    const row_t  rows[] = {
        { "standard", WITH(ATTR(EXTENSIONS, exts)), ENROLL_OK },
        { "Microsoft's", WITH(ATTR(EXTENSIONS_MS, exts)), ENROLL_OK },
        { "critical", ASKING(CRITICAL(SAN, SEQ(DNS("a.test")))), ENROLL_OK },

        { "two attributes",
          WITH(ATTR(EXTENSIONS, exts), ATTR(EXTENSIONS, exts)),
          ENROLL_BAD_ATTRIBUTE },
        { "both OIDs",
          WITH(ATTR(EXTENSIONS, exts), ATTR(EXTENSIONS_MS, exts)),
          ENROLL_BAD_ATTRIBUTE },
        { "both OIDs, the other way",
          WITH(ATTR(EXTENSIONS_MS, exts), ATTR(EXTENSIONS, exts)),
          ENROLL_BAD_ATTRIBUTE },
        { "two values", WITH(ATTR(EXTENSIONS, exts, exts)),
          ENROLL_BAD_ATTRIBUTE },
        { "no value", WITH(ATTR(EXTENSIONS, NONE)), ENROLL_BAD_ATTRIBUTE },
        { "no value, Microsoft's", WITH(ATTR(EXTENSIONS_MS, NONE)),
          ENROLL_BAD_ATTRIBUTE },
        { "not a SEQUENCE", WITH(ATTR(EXTENSIONS, SET(san))),
          ENROLL_BAD_EXTENSION },
        { "an OCTET STRING", WITH(ATTR(EXTENSIONS, OCTETS(exts))),
          ENROLL_BAD_EXTENSION },
        { "empty list", ASKING(NONE), ENROLL_BAD_EXTENSION },
        { "list of no extensions", ASKING(INTEGER("\1")),
          ENROLL_BAD_EXTENSION },
        { "the same twice", ASKING(san, EXT(SAN, SEQ(DNS("b.test")))),
          ENROLL_BAD_EXTENSION },
        { "the same twice, unknown",
          ASKING(EXT("1.2.3", DER_NULL), san, EXT("1.2.3", DER_NULL)),
          ENROLL_BAD_EXTENSION },
        { "1 000", ASKING(der_times(EXT("1.2.3", DER_NULL), 1000)),
          ENROLL_BAD_EXTENSION },
        { "no value", ASKING(SEQ(OID(SAN))), ENROLL_BAD_EXTENSION },
        { "something behind the value",
          ASKING(SEQ(OID(SAN), OCTETS(SEQ(DNS("a"))), DER_NULL)),
          ENROLL_BAD_EXTENSION },
        { "critical = 01",
          ASKING(SEQ(OID(SAN), RAW("\1\1\1"), OCTETS(SEQ(DNS("a"))))),
          ENROLL_BAD_EXTENSION },
        { "critical = FALSE, encoded",
          ASKING(SEQ(OID(SAN), RAW("\1\1\0"), OCTETS(SEQ(DNS("a"))))),
          ENROLL_BAD_EXTENSION },
        { "critical of two octets",
          ASKING(SEQ(OID(SAN), RAW("\1\2\xff\xff"), OCTETS(SEQ(DNS("a"))))),
          ENROLL_BAD_EXTENSION },
        { "length not in the shortest form",
          ASKING(SEQ(OID("1.2.3"), RAW("\x04\x81\x02\x05\x00"))),
          ENROLL_BAD_EXTENSION },
        { "indefinite length",
          ASKING(CAT(RAW("\x30\x80"), OID("1.2.3"), OCTETS(DER_NULL),
                     RAW("\0\0"))), ENROLL_BAD_EXTENSION },
        { "constructed OCTET STRING",
          ASKING(SEQ(OID("1.2.3"), TLV(0x24, OCTETS(DER_NULL)))),
          ENROLL_BAD_EXTENSION },
        { "OID of 64 octets",
          ASKING(SEQ(TLV(0x06, der_times(RAW("\x81"), 63), RAW("\1")),
                     OCTETS(DER_NULL))), ENROLL_OK },
        { "OID of 65 octets",
          ASKING(SEQ(TLV(0x06, der_times(RAW("\x81"), 64), RAW("\1")),
                     OCTETS(DER_NULL))), ENROLL_BAD_EXTENSION }
    };

    check(rows, array_size(rows));
}


static void
extension_values_are_checked(void **state)
{
    (void) state;

    const row_t  rows[] = {
        { "keyUsage", ASKING(EXT(KEY_USAGE, RAW("\3\2\7\x80"))), ENROLL_OK },
        { "keyUsage, 8 bits", ASKING(EXT(KEY_USAGE, RAW("\3\2\0\xff"))),
          ENROLL_OK },
        { "keyUsage, empty", ASKING(EXT(KEY_USAGE, RAW("\3\1\0"))),
          ENROLL_BAD_EXTENSION },
        { "keyUsage, no bit set", ASKING(EXT(KEY_USAGE, RAW("\3\2\7\0"))),
          ENROLL_BAD_EXTENSION },
        { "keyUsage, 9 bits", ASKING(EXT(KEY_USAGE, RAW("\3\3\7\x80\x80"))),
          ENROLL_BAD_EXTENSION },
        { "keyUsage, 20 bits",
          ASKING(EXT(KEY_USAGE, RAW("\3\4\4\x80\x80\x10"))),
          ENROLL_BAD_EXTENSION },
        { "keyUsage, unused bits set",
          ASKING(EXT(KEY_USAGE, RAW("\3\2\7\xc0"))), ENROLL_BAD_EXTENSION },
        { "keyUsage, 8 unused bits",
          ASKING(EXT(KEY_USAGE, RAW("\3\2\x08\x80"))), ENROLL_BAD_EXTENSION },
        { "keyUsage, without the unused bits",
          ASKING(EXT(KEY_USAGE, RAW("\3\0"))), ENROLL_BAD_EXTENSION },
        { "keyUsage, trailing",
          ASKING(EXT(KEY_USAGE, RAW("\3\2\7\x80\0"))), ENROLL_BAD_EXTENSION },
        { "keyUsage, an INTEGER", ASKING(EXT(KEY_USAGE, INTEGER("\1"))),
          ENROLL_BAD_EXTENSION },
        { "keyUsage, constructed",
          ASKING(EXT(KEY_USAGE, TLV(0x23, RAW("\3\2\7\x80")))),
          ENROLL_BAD_EXTENSION },

        { "extKeyUsage", ASKING(EXT(EXT_KEY_USAGE, SEQ(CLIENT_AUTH))),
          ENROLL_OK },
        { "extKeyUsage, 32",
          ASKING(EXT(EXT_KEY_USAGE, SEQ(der_times(CLIENT_AUTH, 32)))),
          ENROLL_OK },
        { "extKeyUsage, 33",
          ASKING(EXT(EXT_KEY_USAGE, SEQ(der_times(CLIENT_AUTH, 33)))),
          ENROLL_BAD_EXTENSION },
        { "extKeyUsage, 10 000",
          ASKING(EXT(EXT_KEY_USAGE, SEQ(der_times(CLIENT_AUTH, 10000)))),
          ENROLL_BAD_EXTENSION },
        { "extKeyUsage, empty", ASKING(EXT(EXT_KEY_USAGE, SEQ(NONE))),
          ENROLL_BAD_EXTENSION },
        { "extKeyUsage of text", ASKING(EXT(EXT_KEY_USAGE, SEQ(UTF8("a")))),
          ENROLL_BAD_EXTENSION },
        { "extKeyUsage, OID of 64 octets",
          ASKING(EXT(EXT_KEY_USAGE,
                     SEQ(TLV(0x06, der_times(RAW("\x81"), 63), RAW("\1"))))),
          ENROLL_OK },
        { "extKeyUsage, OID of 65 octets",
          ASKING(EXT(EXT_KEY_USAGE,
                     SEQ(TLV(0x06, der_times(RAW("\x81"), 64), RAW("\1"))))),
          ENROLL_BAD_EXTENSION },
        { "extKeyUsage, trailing",
          ASKING(EXT(EXT_KEY_USAGE, SEQ(CLIENT_AUTH), RAW("\0"))),
          ENROLL_BAD_EXTENSION },

        { "basicConstraints, empty", ASKING(EXT(BASIC, SEQ(NONE))),
          ENROLL_OK },
        { "basicConstraints, CA is ignored",
          ASKING(CRITICAL(BASIC, SEQ(RAW("\1\1\xff"), INTEGER("\0")))),
          ENROLL_OK },
        { "basicConstraints, CA = 01",
          ASKING(EXT(BASIC, SEQ(RAW("\1\1\1")))), ENROLL_BAD_EXTENSION },
        { "basicConstraints, CA = FALSE, encoded",
          ASKING(EXT(BASIC, SEQ(RAW("\1\1\0")))), ENROLL_BAD_EXTENSION },
        { "basicConstraints, pathLen 255",
          ASKING(EXT(BASIC, SEQ(RAW("\1\1\xff"), INTEGER("\0\xff")))),
          ENROLL_OK },
        { "basicConstraints, pathLen 256",
          ASKING(EXT(BASIC, SEQ(RAW("\1\1\xff"), INTEGER("\1\0")))),
          ENROLL_BAD_EXTENSION },
        { "basicConstraints, pathLen -1",
          ASKING(EXT(BASIC, SEQ(RAW("\1\1\xff"), INTEGER("\xff")))),
          ENROLL_BAD_EXTENSION },
        { "basicConstraints, pathLen 2^70",
          ASKING(EXT(BASIC, SEQ(RAW("\1\1\xff"),
                                INTEGER("\x40\0\0\0\0\0\0\0\0")))),
          ENROLL_BAD_EXTENSION },
        { "basicConstraints, garbage", ASKING(EXT(BASIC, SEQ(UTF8("a")))),
          ENROLL_BAD_EXTENSION },

        { "others are ignored",
          ASKING(CRITICAL("2.5.29.30", SEQ(NONE)),
                 EXT("2.5.29.35", SEQ(TLV(0x80, RAW("ski")))),
                 EXT("2.5.29.14", OCTETS(RAW("ski"))),
                 EXT("2.5.29.31", SEQ(NONE)),
                 EXT("1.3.6.1.5.5.7.1.1", SEQ(NONE)),
                 EXT("1.3.6.1.5.5.7.1.24", SEQ(INTEGER("\5"))),
                 CRITICAL("1.2.3.4", DER_NULL)), ENROLL_OK },
        { "unknown, high tag",
          ASKING(EXT("1.2.3", RAW("\xbf\x81\x01\x00"))), ENROLL_OK },
        { "unknown, empty", ASKING(EXT("1.2.3", NONE)),
          ENROLL_BAD_EXTENSION },
        { "unknown, one octet", ASKING(EXT("1.2.3", RAW("\5"))),
          ENROLL_BAD_EXTENSION },
        { "unknown, text", ASKING(EXT("1.2.3", RAW("text"))),
          ENROLL_BAD_EXTENSION },
        { "unknown, two elements", ASKING(EXT("1.2.3", DER_NULL, DER_NULL)),
          ENROLL_BAD_EXTENSION },
        { "unknown, trailing octet", ASKING(EXT("1.2.3", DER_NULL,
                                                RAW("\0"))),
          ENROLL_BAD_EXTENSION },
        { "unknown, cut short", ASKING(EXT("1.2.3", RAW("\x0c\x05" "abc"))),
          ENROLL_BAD_EXTENSION },
        { "unknown, indefinite", ASKING(EXT("1.2.3", RAW("\x30\x80\0\0"))),
          ENROLL_BAD_EXTENSION },
        { "unknown, length not in the shortest form",
          ASKING(EXT("1.2.3", RAW("\x0c\x81\x01" "a"))),
          ENROLL_BAD_EXTENSION },
        { "unknown, end of contents", ASKING(EXT("1.2.3", RAW("\0\0"))),
          ENROLL_BAD_EXTENSION }
    };

    check(rows, array_size(rows));
}


static void
alternative_names_are_checked(void **state)
{
    (void) state;

    const row_t  rows[] = {
        { "one", ASKING(EXT(SAN, SEQ(DNS("a.test")))), ENROLL_OK },
        { "of every kind",
          ASKING(EXT(SAN, SEQ(TLV(0xa0, OID("1.3.6.1.4.1.311.20.2.3"),
                                  TLV(0xa0, UTF8("u@a.test"))),
                              TLV(0x81, RAW("u@a.test")), DNS("a.test"),
                              TLV(0xa4, SEQ(CN(UTF8("a")))),
                              TLV(0x86, RAW("urn:a")),
                              TLV(0x87, RAW("\x0a\0\0\1")),
                              TLV(0x88, RAW("\x2a\3"))))), ENROLL_OK },
        { "100", ASKING(EXT(SAN, SEQ(der_times(DNS("a.test"), 100)))),
          ENROLL_OK },
        { "101", ASKING(EXT(SAN, SEQ(der_times(DNS("a.test"), 101)))),
          ENROLL_BAD_SAN },
        { "10 000", ASKING(EXT(SAN, SEQ(der_times(DNS("a.test"), 10000)))),
          ENROLL_BAD_SAN },
        { "none", ASKING(EXT(SAN, SEQ(NONE))), ENROLL_BAD_SAN },
        { "no octets", ASKING(EXT(SAN, NONE)), ENROLL_BAD_SAN },
        { "trailing octet", ASKING(EXT(SAN, SEQ(DNS("a")), RAW("\0"))),
          ENROLL_BAD_SAN },
        { "a SET", ASKING(EXT(SAN, SET(DNS("a")))), ENROLL_BAD_SAN },
        { "a name alone", ASKING(EXT(SAN, DNS("a"))), ENROLL_BAD_SAN },
        { "tag [9]", ASKING(EXT(SAN, SEQ(TLV(0x89, RAW("a"))))),
          ENROLL_BAD_SAN },
        { "a universal tag", ASKING(EXT(SAN, SEQ(UTF8("a")))),
          ENROLL_BAD_SAN },
        { "otherName without a value",
          ASKING(EXT(SAN, SEQ(TLV(0xa0, OID("1.2.3"))))), ENROLL_BAD_SAN },
        { "length not in the shortest form",
          ASKING(EXT(SAN, SEQ(RAW("\x82\x81\x01" "a")))), ENROLL_BAD_SAN },
        { "constructed string",
          ASKING(EXT(SAN, SEQ(TLV(0xa2, TLV(0x16, RAW("a")))))),
          ENROLL_BAD_SAN },
        { "cut short", ASKING(EXT(SAN, RAW("\x30\x03\x82\x05" "a"))),
          ENROLL_BAD_SAN }
    };

    check(rows, array_size(rows));
}


#define SIGNED(content)  SEQ(OID("1.2.840.113549.1.7.2"), TLV(0xa0, content))
#define DATA             OID("1.2.840.113549.1.7.1")
#define V1               INTEGER("\1")
#define WRAPPED(c)       SEQ(DATA, TLV(0xa0, c))


static void
wrapped_requests_are_taken(void **state)
{
    der_t  csr, ber;

    (void) state;

    csr = CSR(.key = p256);

    ber = CAT(RAW("\x24\x80"), OCTETS({ csr.data, 20 }),
              OCTETS({ csr.data + 20, csr.len - 20 }), RAW("\0\0"));

    const row_t  rows[] = {
        { "without signers",
          SIGNED(SEQ(V1, SET(NONE), WRAPPED(OCTETS(csr)), SET(NONE))),
          ENROLL_OK },
        { "with things that are not looked at",
          SIGNED(SEQ(V1, SET(SEQ(OID(SHA256))), WRAPPED(OCTETS(csr)),
                     TLV(0xa0, SEQ(RAW("\1\1\1"))), TLV(0xa1, SEQ(NONE)),
                     SET(SEQ(V1, UTF8("signer"))))), ENROLL_OK },
        { "in BER",
          CAT(RAW("\x30\x80"), OID("1.2.840.113549.1.7.2"),
              RAW("\xa0\x80\x30\x80"), V1, SET(NONE), RAW("\x30\x80"), DATA,
              RAW("\xa0\x80"), ber, RAW("\0\0\0\0"), SET(NONE),
              RAW("\0\0\0\0\0\0")), ENROLL_OK },

        { "trailing octet",
          CAT(SIGNED(SEQ(V1, SET(NONE), WRAPPED(OCTETS(csr)), SET(NONE))),
              RAW("\0")), ENROLL_BAD_CSR },
        { "trailing octet inside",
          SIGNED(SEQ(V1, SET(NONE), WRAPPED(OCTETS(csr, RAW("\0"))),
                     SET(NONE))), ENROLL_BAD_CSR },
        { "wrapped twice",
          SIGNED(SEQ(V1, SET(NONE),
                     WRAPPED(OCTETS(SIGNED(SEQ(V1, SET(NONE),
                                               WRAPPED(OCTETS(csr)),
                                               SET(NONE))))),
                     SET(NONE))), ENROLL_BAD_CSR },
        { "not an OCTET STRING",
          SIGNED(SEQ(V1, SET(NONE), WRAPPED(csr), SET(NONE))),
          ENROLL_BAD_CSR },
        { "another type of content",
          SIGNED(SEQ(V1, SET(NONE),
                     SEQ(OID("1.3.6.1.5.5.7.12.2"), TLV(0xa0, OCTETS(csr))),
                     SET(NONE))), ENROLL_BAD_CSR },
        { "EnvelopedData by its type",
          SEQ(OID("1.2.840.113549.1.7.3"),
              TLV(0xa0, SEQ(V1, SET(NONE), WRAPPED(OCTETS(csr)),
                            SET(NONE)))), ENROLL_BAD_CSR },
        { "no content", SIGNED(SEQ(V1, SET(NONE), SEQ(DATA), SET(NONE))),
          ENROLL_BAD_CSR },
        { "empty content",
          SIGNED(SEQ(V1, SET(NONE), WRAPPED(OCTETS(NONE)), SET(NONE))),
          ENROLL_BAD_CSR },
        { "no signers", SIGNED(SEQ(V1, SET(NONE), WRAPPED(OCTETS(csr)))),
          ENROLL_BAD_CSR },
        { "plain data", SEQ(DATA, TLV(0xa0, OCTETS(csr))), ENROLL_BAD_CSR },
        { "only a type", SEQ(OID("1.2.840.113549.1.7.2")), ENROLL_BAD_CSR },
        { "a type cut short", RAW("\x30\x02\x06\x09"), ENROLL_BAD_CSR },
        { "a bad version inside",
          SIGNED(SEQ(V1, SET(NONE),
                     WRAPPED(OCTETS(CSR(.version = INTEGER("\1")))),
                     SET(NONE))), ENROLL_BAD_CSR }
    };

    check(rows, array_size(rows));
}


static X509 *
certificate(EVP_PKEY *pkey)
{
    X509  *x;

    x = X509_new();
    assert_non_null(x);
    assert_int_equal(X509_set_pubkey(x, pkey), 1);

    return x;
}


/* as OpenSSL's CMS makes it, streamed, which is BER, and not */

static void
cms_is_taken(void **state)
{
    int               len;
    BIO              *in, *out;
    char             *p;
    X509             *x;
    der_t             csr;
    CMS_ContentInfo  *cms;

    static const unsigned  flags[] = {
        CMS_BINARY, CMS_BINARY|CMS_STREAM, CMS_BINARY|CMS_NOATTR
    };

    (void) state;

    csr = CSR(.attrs = ATTRS(ATTR(CHALLENGE, UTF8("secret"))));

    x = certificate(p256);
    X509_gmtime_adj(X509_getm_notBefore(x), 0);
    X509_gmtime_adj(X509_getm_notAfter(x), 3600);
    assert_int_not_equal(X509_sign(x, p256, EVP_sha256()), 0);

    for (size_t i = 0; i < array_size(flags); i++) {
        in = BIO_new_mem_buf(csr.data, (int) csr.len);
        out = BIO_new(BIO_s_mem());

        cms = CMS_sign(x, p256, NULL, in, flags[i]);
        assert_non_null(cms);
        assert_int_equal(i2d_CMS_bio_stream(out, cms, in, (int) flags[i]),
                         1);

        len = (int) BIO_get_mem_data(out, &p);
        assert_int_equal(verify(der_copy((unsigned char *) p, (size_t) len)),
                         ENROLL_OK);

        CMS_ContentInfo_free(cms);
        BIO_free(out);
        BIO_free(in);
    }

    X509_free(x);
}


/* a request cut short anywhere, or with any octet changed */

static void
damaged_requests_do_no_harm(void **state)
{
    der_t              der;
    size_t             taken;
    enroll_csr_t      *csr;
    unsigned char     *p;
    enroll_outcome_e   rc;

    static const unsigned char  values[] = { 0x00, 0x7f, 0x80, 0xff };

    (void) state;

    const der_t  good[] = {
        WITH(ATTR(CHALLENGE, UTF8("secret")),
             ATTR(EXTENSIONS,
                  SEQ(EXT(SAN, SEQ(DNS("a.test"), TLV(0x87, RAW("\1\2\3\4")))),
                      CRITICAL(KEY_USAGE, RAW("\3\2\7\x80")),
                      EXT(EXT_KEY_USAGE, SEQ(CLIENT_AUTH)),
                      EXT(BASIC, SEQ(NONE)), EXT("1.2.3", DER_NULL)))),
        CSR(rsa, .alg = PSS_SHA256, .salt = 32),
        SIGNED(SEQ(V1, SET(NONE), WRAPPED(OCTETS(CSR(.key = p256))), SET(NONE)))
    };

    for (size_t i = 0; i < array_size(good); i++) {
        der = good[i];
        assert_int_equal(verify(der), ENROLL_OK);

        for (size_t len = 0; len < der.len; len++) {
            rc = parse(&csr, (der_t) { der.data, len });

            assert_null(csr);
            assert_true(rc == ENROLL_BAD_CSR
                        || (len == 0 && rc == ENROLL_EMPTY_BODY));

            rc = parse(&csr, CAT(der, { der.data, len + 1 }));

            assert_null(csr);
            assert_int_equal(rc, ENROLL_BAD_CSR);
            der_used -= der.len + len + 1;
        }

        p = malloc(der.len);
        assert_non_null(p);
        memcpy(p, der.data, der.len);

        taken = 0;

        for (size_t n = 0; n < der.len; n++) {
            for (size_t v = 0; v < array_size(values) + 8; v++) {

                p[n] = (v < 8) ? (unsigned char) (der.data[n] ^ 1u << v)
                               : values[v - 8];

                if (p[n] == der.data[n]) {
                    continue;
                }

                rc = enroll_csr_parse(&csr, p, der.len);

                if (rc == ENROLL_OK && enroll_csr_verify(csr, 0) == ENROLL_OK) {
                    taken++;
                }

                enroll_csr_free(csr);
            }

            p[n] = der.data[n];
        }

        free(p);

        /* all of it is signed, but the wrapping */

        if (i < 2) {
            assert_int_equal(taken, 0);
        }
    }

    assert_int_equal(ERR_peek_error(), 0);
}


static void
keys_are_compared(void **state)
{
    X509           *own, *other, *rsa_x;
    enroll_csr_t   *csr;
    unsigned char   digest[ENROLL_DIGEST_LEN], spki[ENROLL_DIGEST_LEN];
    EVP_PKEY       *second;
    der_t           der;

    (void) state;

    second = EVP_EC_gen("P-256");
    own = certificate(p256);
    other = certificate(second);
    rsa_x = certificate(rsa);

    assert_int_equal(parse(&csr, CSR(.key = p256)), ENROLL_OK);

    assert_int_equal(enroll_csr_key_equal(csr, own), 1);
    assert_int_equal(enroll_csr_key_equal(csr, other), 0);
    assert_int_equal(enroll_csr_key_equal(csr, rsa_x), 0);

    /* the digest is that of the octets, as anybody would compute it */

    der = der_spki(p256);
    assert_int_equal(EVP_Digest(der.data, der.len, spki, NULL, EVP_sha256(),
                                NULL), 1);
    assert_memory_equal(csr->key_digest, spki, ENROLL_DIGEST_LEN);

    assert_int_equal(enroll_key_digest(own, digest), 1);
    assert_memory_equal(csr->key_digest, digest, ENROLL_DIGEST_LEN);

    assert_int_equal(enroll_key_digest(other, digest), 1);
    assert_memory_not_equal(csr->key_digest, digest, ENROLL_DIGEST_LEN);

    enroll_csr_free(csr);

    /* the same bits under another algorithm are another key */

    assert_int_equal(parse(&csr,
                           CSR(rsa, .alg = PSS_SHA256, .salt = 32,
                               .spki = pss_spki(SEQ(OID("1.2.840.113549.1.1"
                                                        ".10"))))),
                     ENROLL_OK);
    assert_int_equal(enroll_csr_key_equal(csr, rsa_x), 0);
    enroll_csr_free(csr);

    assert_int_equal(parse(&csr, CSR(rsa, .alg = RSA_SHA256)), ENROLL_OK);
    assert_int_equal(enroll_csr_key_equal(csr, rsa_x), 1);
    assert_int_equal(enroll_key_digest(rsa_x, digest), 1);
    assert_memory_equal(csr->key_digest, digest, ENROLL_DIGEST_LEN);
    enroll_csr_free(csr);

    X509_free(rsa_x);
    X509_free(other);
    X509_free(own);
    EVP_PKEY_free(second);
}


/* an error of somebody else's is neither lost nor taken for ours */

static void
the_error_queue_is_left_alone(void **state)
{
    enroll_csr_t   *csr;
    unsigned long   error;

    (void) state;

    ERR_raise(ERR_LIB_USER, 1);
    error = ERR_peek_error();

    assert_int_equal(enroll_csr_parse(&csr, (unsigned char *) "\x30\x01\x02",
                                      3), ENROLL_BAD_CSR);
    assert_null(csr);

    assert_int_equal(ERR_get_error(), error);
    assert_int_equal(ERR_peek_error(), 0);
}


static void *
verify_many(void *data)
{
    int            i;
    enroll_csr_t  *csr = data;

    for (i = 0; i < 20; i++) {
        if (enroll_csr_verify(csr, 0) != ENROLL_OK) {
            return data;
        }
    }

    return NULL;
}


static void
threads_may_verify_at_once(void **state)
{
    void          *failed;
    pthread_t      threads[4];
    enroll_csr_t  *csr;

    (void) state;

    assert_int_equal(parse(&csr, CSR(.key = p256)), ENROLL_OK);

    for (size_t i = 0; i < array_size(threads); i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, verify_many, csr),
                         0);
    }

    for (size_t i = 0; i < array_size(threads); i++) {
        assert_int_equal(pthread_join(threads[i], &failed), 0);
        assert_null(failed);
    }

    enroll_csr_free(csr);
    enroll_csr_free(NULL);
}


static int
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


static int
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


static int
empty_arena(void **state)
{
    (void) state;

    der_reset();

    return 0;
}


#define unit(f)          cmocka_unit_test_teardown(f, empty_arena)


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        unit(requests_of_other_tools_are_read),
        unit(every_kind_of_key_proves_possession),
        unit(unusable_keys_are_refused),
        unit(bad_signatures_are_refused),
        unit(signature_algorithms_are_chosen),
        unit(old_digests_are_taken_where_they_are_named),
        unit(pss_parameters_are_bounded),
        unit(form_is_checked),
        unit(ber_is_verified_as_received),
        unit(subjects_are_checked),
        unit(attributes_are_counted),
        unit(challenges_are_read),
        unit(bad_challenges_are_refused),
        unit(extension_requests_are_checked),
        unit(extension_values_are_checked),
        unit(alternative_names_are_checked),
        unit(wrapped_requests_are_taken),
        unit(cms_is_taken),
        unit(damaged_requests_do_no_harm),
        unit(keys_are_compared),
        unit(the_error_queue_is_left_alone),
        unit(threads_may_verify_at_once)
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
