
/*
 * Copyright (C) The nginx-enroll authors
 */


/* Profiles, and the certificates that are made by them. */

/*
 * Conformance: PKIX-001 PKIX-002 PKIX-003 PKIX-005 PKIX-008 PKIX-010
 *   PKIX-011 PKIX-013 PKIX-015 PKIX-016 PKIX-017 PKIX-018 PKIX-030
 */


#include <stdio.h>

#include "unit_make.h"

#include "enroll_issue.h"
#include "enroll_san.h"


/* a CA, a profile and a request, as they meet at enroll_issue() */

typedef struct {
    EVP_PKEY             *ca_key;
    EVP_PKEY             *key;
    enroll_ca_t           ca;
    enroll_profile_t      profile;
    enroll_csr_t         *csr;
    enroll_names_t        names;

    enroll_cert_t         cert;
    X509                 *x;             /* of cert, as others read it */
} order_t;


static void
order_init(order_t *order, const char *ca_kind, const char *kind)
{
    char            error[ENROLL_ERROR_TEXT];
    size_t          len;
    X509_NAME      *name;
    unsigned char  *der;

    memset(order, 0, sizeof(order_t));

    order->ca_key = make_key(ca_kind);
    order->key = make_key(kind);

    EVP_PKEY_up_ref(order->ca_key);
    order->ca.key = order->ca_key;
    order->ca.chain = sk_X509_new_null();
    sk_X509_push(order->ca.chain, make_ca("Root", order->ca_key, NULL,
                                          order->ca_key));
    assert_int_equal(enroll_ca_init(&order->ca, MAKE_NOW, error), 1);

    assert_int_equal(enroll_profile_defaults(&order->profile), 1);

    name = make_name("O=Ex", "CN=dev", NULL);
    len = make_request(&der, name, order->key, "DNS:a.test");
    X509_NAME_free(name);

    assert_int_equal(enroll_csr_parse(&order->csr, der, len), ENROLL_OK);
    OPENSSL_free(der);

    assert_int_equal(enroll_csr_verify(order->csr, 0), ENROLL_OK);
    assert_int_equal(enroll_names_subject_csr(&order->names, order->csr),
                     ENROLL_OK);
    assert_int_equal(enroll_names_san(&order->names, order->csr,
                                      order->profile.san, NULL, 0),
                     ENROLL_OK);
}


static enroll_outcome_e
order_issue(order_t *order, time_t now)
{
    char                  serial[ENROLL_SERIAL_TEXT];
    enroll_cert_t         copy;
    enroll_outcome_e      rc;
    const unsigned char  *p;

    X509_free(order->x);
    OPENSSL_free(order->cert.der);

    order->x = NULL;

    rc = enroll_issue(&order->ca, &order->profile, order->csr, &order->names,
                      now, &order->cert);

    if (rc != ENROLL_OK) {
        assert_null(order->cert.der);
        return rc;
    }

    p = order->cert.der;
    order->x = d2i_X509(NULL, &p, (long) order->cert.len);

    assert_non_null(order->x);
    assert_ptr_equal(p, order->cert.der + order->cert.len);

    /* what is told about it is what is in it */

    enroll_text_serial(X509_get0_serialNumber(order->x), serial);
    assert_string_equal(order->cert.serial, serial);

    assert_int_equal(enroll_cert_copy(&copy, order->x, order->cert.der,
                                      order->cert.len), 1);
    assert_string_equal(copy.serial, serial);
    assert_int_equal(copy.not_before, order->cert.not_before);
    assert_int_equal(copy.not_after, order->cert.not_after);
    assert_int_equal(copy.len, order->cert.len);
    assert_memory_equal(copy.der, order->cert.der, copy.len);
    OPENSSL_free(copy.der);

    assert_int_equal(ASN1_TIME_cmp_time_t(X509_get0_notBefore(order->x),
                                          order->cert.not_before), 0);
    assert_int_equal(ASN1_TIME_cmp_time_t(X509_get0_notAfter(order->x),
                                          order->cert.not_after), 0);

    return ENROLL_OK;
}


static void
order_done(order_t *order)
{
    X509_free(order->x);
    OPENSSL_free(order->cert.der);
    enroll_names_cleanup(&order->names);
    enroll_csr_free(order->csr);
    enroll_profile_cleanup(&order->profile);
    enroll_ca_cleanup(&order->ca);
    EVP_PKEY_free(order->ca_key);
    EVP_PKEY_free(order->key);
}


/* what a relying party makes of it: "openssl verify -x509_strict" */

static void
order_verify(order_t *order, time_t now)
{
    X509                 *x;
    X509_STORE           *store;
    X509_STORE_CTX       *ctx;
    const unsigned char  *p;

    p = order->cert.der;
    x = d2i_X509(NULL, &p, (long) order->cert.len);
    assert_non_null(x);
    assert_ptr_equal(p, order->cert.der + order->cert.len);

    store = X509_STORE_new();
    ctx = X509_STORE_CTX_new();

    X509_STORE_add_cert(store, sk_X509_value(order->ca.chain, 0));
    assert_int_equal(X509_STORE_CTX_init(ctx, store, x, NULL), 1);

    X509_STORE_CTX_set_flags(ctx, X509_V_FLAG_X509_STRICT);
    X509_STORE_CTX_set_time(ctx, 0, now);

    if (X509_verify_cert(ctx) != 1) {
        fail_msg("%s",
                 X509_verify_cert_error_string(X509_STORE_CTX_get_error(ctx)));
    }

    X509_STORE_CTX_free(ctx);
    X509_STORE_free(store);
    X509_free(x);
}


static void
all_kinds_of_keys(void **state)
{
    size_t                    i, k;
    X509                     *x;
    EVP_PKEY                 *key;
    order_t                   order;
    const unsigned char      *p;

    static const char *const  kinds[] = {
        "RSA-2048", "P-256", "P-384", "P-521", "ED25519", "ED448", "ML-DSA-44"
    };

    (void) state;

    for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {

        /* any CA with some key, some CA with any key */

        for (k = 0; k < 2; k++) {

            key = make_key(kinds[i]);
            EVP_PKEY_free(key);

            if (key == NULL) {
                ERR_clear_error();
                continue;
            }

            order_init(&order, k ? kinds[i] : "P-256",
                       k ? "P-256" : kinds[i]);

            assert_int_equal(order_issue(&order, MAKE_NOW), ENROLL_OK);
            order_verify(&order, MAKE_NOW);

            p = order.cert.der;
            x = d2i_X509(NULL, &p, (long) order.cert.len);

            assert_int_equal(EVP_PKEY_eq(X509_get0_pubkey(x), order.key), 1);
            assert_int_equal(enroll_csr_key_equal(order.csr, x), 1);
            assert_int_equal(enroll_csr_key_equal(order.csr, order.x), 1);

            X509_free(x);
            order_done(&order);
        }
    }

    assert_int_equal(ERR_peek_error(), 0);
}


/* RFC 4055, section 3.3: what the key says of its signatures stays with it */

static void
key_with_parameters(void **state)
{
    order_t            order;
    const X509_ALGOR  *alg;

    (void) state;

    order_init(&order, "P-256", "PSS-2048");

    alg = order.csr->spki_alg;
    assert_non_null(alg->parameter);
    assert_int_equal(alg->parameter->type, V_ASN1_SEQUENCE);

    assert_int_equal(order_issue(&order, MAKE_NOW), ENROLL_OK);
    order_verify(&order, MAKE_NOW);

    assert_int_equal(enroll_csr_key_equal(order.csr, order.x), 1);

    order_done(&order);

    assert_int_equal(ERR_peek_error(), 0);
}


/* PKIX-001 to PKIX-017: every field of one certificate */

static void
fields(void **state)
{
    int                         i, crit;
    X509                       *x, *ca;
    order_t                     order;
    X509_EXTENSION             *ext;
    unsigned char               md[EVP_MAX_MD_SIZE];
    AUTHORITY_KEYID            *akid;
    BASIC_CONSTRAINTS          *basic;
    const X509_ALGOR           *inner, *outer;
    const ASN1_OCTET_STRING    *value;

    static const struct {
        int  nid;
        int  critical;
    } exts[] = {
        { NID_basic_constraints, 1 },
        { NID_key_usage, 1 },
        { NID_ext_key_usage, 0 },
        { NID_subject_key_identifier, 0 },
        { NID_authority_key_identifier, 0 },
        { NID_subject_alt_name, 0 },
    };

    (void) state;

    order_init(&order, "P-256", "P-256");
    assert_int_equal(order_issue(&order, MAKE_NOW), ENROLL_OK);

    x = order.x;
    ca = sk_X509_value(order.ca.chain, 0);

    assert_int_equal(X509_get_version(x), X509_VERSION_3);
    assert_int_equal(X509_NAME_cmp(X509_get_issuer_name(x),
                                   X509_get_subject_name(ca)), 0);
    assert_int_equal(X509_NAME_cmp(X509_get_subject_name(x),
                                   order.names.subject), 0);

    X509_get0_signature(NULL, &outer, x);
    inner = X509_get0_tbs_sigalg(x);
    assert_int_equal(X509_ALGOR_cmp(inner, outer), 0);
    assert_int_equal(OBJ_obj2nid(inner->algorithm), NID_ecdsa_with_SHA256);
    assert_null(inner->parameter);

    assert_int_equal(X509_get_ext_count(x), 6);

    for (i = 0; i < 6; i++) {
        ext = X509_get_ext(x, i);
        assert_int_equal(OBJ_obj2nid(X509_EXTENSION_get_object(ext)),
                         exts[i].nid);
        assert_int_equal(X509_EXTENSION_get_critical(ext), exts[i].critical);
    }

    /* DER leaves the default of cA out */

    value = X509_EXTENSION_get_data(X509_get_ext(x, 0));
    assert_int_equal(ASN1_STRING_length(value), 2);
    assert_memory_equal(ASN1_STRING_get0_data(value), "\x30\x00", 2);

    basic = X509_get_ext_d2i(x, NID_basic_constraints, &crit, NULL);
    assert_int_equal(basic->ca, 0);
    BASIC_CONSTRAINTS_free(basic);

    assert_int_equal(X509_get_key_usage(x), KU_DIGITAL_SIGNATURE);
    assert_int_equal(X509_get_extended_key_usage(x), XKU_SSL_CLIENT);

    EVP_Digest(order.csr->spki_bits, order.csr->spki_bits_len, md, NULL,
               EVP_sha256(), NULL);

    value = X509_get0_subject_key_id(x);
    assert_int_equal(ASN1_STRING_length(value), 20);
    assert_memory_equal(ASN1_STRING_get0_data(value), md, 20);

    akid = X509_get_ext_d2i(x, NID_authority_key_identifier, &crit, NULL);
    assert_int_equal(ASN1_OCTET_STRING_cmp(akid->keyid,
                                           X509_get0_subject_key_id(ca)), 0);
    assert_null(akid->issuer);
    AUTHORITY_KEYID_free(akid);

    order_done(&order);
}


static void
serials(void **state)
{
    int                  i, k, len;
    order_t              order;
    unsigned char        seen[200][16];
    const ASN1_INTEGER  *serial;

    (void) state;

    order_init(&order, "P-256", "P-256");

    for (i = 0; i < 200; i++) {
        assert_int_equal(order_issue(&order, MAKE_NOW), ENROLL_OK);

        serial = X509_get0_serialNumber(order.x);
        len = ASN1_STRING_length(serial);

        assert_int_equal(ASN1_STRING_type(serial), V_ASN1_INTEGER);
        assert_int_equal(len, 16);

        memcpy(seen[i], ASN1_STRING_get0_data(serial), 16);
        assert_true(seen[i][0] > 0 && seen[i][0] < 0x80);

        for (k = 0; k < i; k++) {
            assert_memory_not_equal(seen[i], seen[k], 16);
        }
    }

    order_done(&order);
}


static void
date_is(const ASN1_TIME *date, time_t t, int type)
{
    assert_int_equal(ASN1_TIME_cmp_time_t(date, t), 0);
    assert_int_equal(ASN1_STRING_type(date), type);
}


static void
validity(void **state)
{
    X509     *ca;
    time_t    from, until, y2050;
    order_t   order;

    (void) state;

    y2050 = 2524608000;
    from = MAKE_NOW - 365 * MAKE_DAY;
    until = MAKE_NOW + 9 * 365 * MAKE_DAY;

    order_init(&order, "P-256", "P-256");
    ca = sk_X509_value(order.ca.chain, 0);

    assert_int_equal(order_issue(&order, MAKE_NOW), ENROLL_OK);
    date_is(X509_get0_notBefore(order.x), MAKE_NOW - 300, V_ASN1_UTCTIME);
    date_is(X509_get0_notAfter(order.x), MAKE_NOW + 90 * MAKE_DAY,
            V_ASN1_UTCTIME);

    /* clipped on both sides */

    assert_int_equal(order_issue(&order, from + 299), ENROLL_OK);
    date_is(X509_get0_notBefore(order.x), from, V_ASN1_UTCTIME);

    assert_int_equal(order_issue(&order, from + 301), ENROLL_OK);
    date_is(X509_get0_notBefore(order.x), from + 1, V_ASN1_UTCTIME);

    order.profile.validity = until - MAKE_NOW - 1;
    assert_int_equal(order_issue(&order, MAKE_NOW), ENROLL_OK);
    date_is(X509_get0_notAfter(order.x), until - 1, V_ASN1_UTCTIME);

    order.profile.validity = until - MAKE_NOW + 1;
    assert_int_equal(order_issue(&order, MAKE_NOW), ENROLL_OK);
    date_is(X509_get0_notAfter(order.x), until, V_ASN1_UTCTIME);

    /* longer than there are years */

    order.profile.validity = (time_t) 1 << 48;
    assert_int_equal(order_issue(&order, MAKE_NOW), ENROLL_OK);
    date_is(X509_get0_notAfter(order.x), until, V_ASN1_UTCTIME);

    /* the CA's dates include both ends */

    assert_int_equal(order_issue(&order, until), ENROLL_OK);
    assert_int_equal(order_issue(&order, until + 1), ENROLL_CA_EXPIRED);
    assert_null(order.x);
    assert_null(order.cert.der);
    assert_int_equal(order_issue(&order, from), ENROLL_OK);
    assert_int_equal(order_issue(&order, from - 1), ENROLL_CA_EXPIRED);

    /* RFC 5280, section 4.1.2.5: UTCTime through 2049 */

    ASN1_TIME_set_string(X509_getm_notAfter(ca), "99991231235959Z");

    order.profile.validity = y2050 - MAKE_NOW - 1;
    assert_int_equal(order_issue(&order, MAKE_NOW), ENROLL_OK);
    date_is(X509_get0_notAfter(order.x), y2050 - 1, V_ASN1_UTCTIME);

    order.profile.validity = y2050 - MAKE_NOW;
    assert_int_equal(order_issue(&order, MAKE_NOW), ENROLL_OK);
    date_is(X509_get0_notAfter(order.x), y2050, V_ASN1_GENERALIZEDTIME);

    order.profile.validity = (time_t) 1 << 48;
    assert_int_equal(order_issue(&order, MAKE_NOW), ENROLL_OK);
    assert_string_equal((const char *) ASN1_STRING_get0_data(
                                           X509_get0_notAfter(order.x)),
                        "99991231235959Z");

    /* a CA whose dates have the wrong type passes them on in the right one */

    ASN1_TIME_set_string(X509_getm_notAfter(ca), "20300101000000Z");
    assert_int_equal(order_issue(&order, MAKE_NOW), ENROLL_OK);
    assert_string_equal((const char *) ASN1_STRING_get0_data(
                                           X509_get0_notAfter(order.x)),
                        "300101000000Z");
    assert_int_equal(ASN1_STRING_type(X509_get0_notAfter(order.x)),
                     V_ASN1_UTCTIME);

    order_done(&order);
}


static void
without_subject_or_san(void **state)
{
    order_t  order;

    (void) state;

    order_init(&order, "P-256", "P-256");

    X509_EXTENSION_free(order.names.san);
    order.names.san = NULL;

    assert_int_equal(order_issue(&order, MAKE_NOW), ENROLL_OK);
    assert_int_equal(X509_get_ext_count(order.x), 5);
    order_verify(&order, MAKE_NOW);

    X509_NAME_free(order.names.subject);
    order.names.subject = X509_NAME_new();

    assert_int_equal(enroll_names_san(&order.names, order.csr,
                                      ENROLL_SAN_DEFAULT, NULL, 0),
                     ENROLL_OK);
    assert_int_equal(order_issue(&order, MAKE_NOW), ENROLL_OK);
    assert_int_equal(X509_EXTENSION_get_critical(X509_get_ext(order.x, 5)),
                     1);
    order_verify(&order, MAKE_NOW);

    order_done(&order);
}


static void
digests(void **state)
{
    size_t   i;
    order_t  order;

    static const struct {
        const char  *ca;
        const char  *digest;
        int          nid;
    } t[] = {
        { "P-256", NULL, NID_ecdsa_with_SHA256 },
        { "P-384", NULL, NID_ecdsa_with_SHA384 },
        { "P-256", "sha512", NID_ecdsa_with_SHA512 },
        { "RSA-2048", NULL, NID_sha256WithRSAEncryption },
        { "RSA-2048", "sha384", NID_sha384WithRSAEncryption },
        { "ED25519", NULL, NID_ED25519 },
        { "ED25519", "sha256", NID_ED25519 },       /* it has its own */
    };

    (void) state;

    for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
        order_init(&order, t[i].ca, "P-256");

        if (t[i].digest != NULL) {
            order.profile.digest = enroll_digest(t[i].digest, 6);
            assert_non_null(order.profile.digest);
        }

        assert_int_equal(order_issue(&order, MAKE_NOW), ENROLL_OK);
        assert_int_equal(X509_get_signature_nid(order.x), t[i].nid);
        order_verify(&order, MAKE_NOW);

        order_done(&order);
    }

    assert_ptr_equal(enroll_digest("sha256", 6), EVP_sha256());
    assert_ptr_equal(enroll_digest("sha384", 6), EVP_sha384());
    assert_ptr_equal(enroll_digest("sha512", 6), EVP_sha512());
    assert_null(enroll_digest("sha1", 4));
    assert_null(enroll_digest("md5256", 6));
    assert_null(enroll_digest("SHA256", 6));
    assert_null(enroll_digest("sha256x", 7));
    assert_null(enroll_digest("", 0));
}


static void
failures(void **state)
{
    order_t  order;

    (void) state;

    /* Ed25519 takes no digest */

    order_init(&order, "ED25519", "P-256");
    order.ca.digest = EVP_sha256();

    assert_int_equal(order_issue(&order, MAKE_NOW), ENROLL_SIGN_FAILED);
    assert_null(order.x);
    assert_null(order.cert.der);

    /* the cause is for the log */

    assert_int_not_equal(ERR_peek_last_error(), 0);
    ERR_clear_error();

    order_done(&order);
}


static uint32_t
usage_of(X509_EXTENSION *ext)
{
    uint32_t          bits;
    ASN1_BIT_STRING  *string;

    if (ext == NULL) {
        return 0;
    }

    assert_int_equal(X509_EXTENSION_get_critical(ext), 1);

    string = X509V3_EXT_d2i(ext);
    bits = ASN1_STRING_get0_data(string)[0];

    if (ASN1_STRING_length(string) > 1) {
        bits |= (uint32_t) ASN1_STRING_get0_data(string)[1] << 8;
    }

    ASN1_BIT_STRING_free(string);

    return bits;
}


/* RFC 3279, RFC 8410: what each kind of key can be used for */

static void
key_usage(void **state)
{
    size_t             i, n, bad;
    const char        *error, *words[10];
    enroll_profile_t   profile;

    static const struct {
        const char  *words[9];
        uint32_t     rsa;
        uint32_t     ec;
        uint32_t     sign;
        const char  *error;
        size_t       bad;
    } t[] = {
        { { "digitalSignature" }, KU_DIGITAL_SIGNATURE, KU_DIGITAL_SIGNATURE,
          KU_DIGITAL_SIGNATURE, NULL, 0 },
        { { "digitalSignature", "keyEncipherment" },
          KU_DIGITAL_SIGNATURE|KU_KEY_ENCIPHERMENT, KU_DIGITAL_SIGNATURE,
          KU_DIGITAL_SIGNATURE, NULL, 0 },
        { { "nonRepudiation" }, KU_NON_REPUDIATION, KU_NON_REPUDIATION,
          KU_NON_REPUDIATION, NULL, 0 },
        { { "contentCommitment" }, KU_NON_REPUDIATION, KU_NON_REPUDIATION,
          KU_NON_REPUDIATION, NULL, 0 },
        { { "keyEncipherment", "dataEncipherment" },
          KU_KEY_ENCIPHERMENT|KU_DATA_ENCIPHERMENT, 0, 0, NULL, 0 },
        { { "keyAgreement", "decipherOnly" }, 0,
          KU_KEY_AGREEMENT|KU_DECIPHER_ONLY, 0, NULL, 0 },
        { { "keyAgreement", "encipherOnly", "digitalSignature" },
          KU_DIGITAL_SIGNATURE,
          KU_DIGITAL_SIGNATURE|KU_KEY_AGREEMENT|KU_ENCIPHER_ONLY,
          KU_DIGITAL_SIGNATURE, NULL, 0 },

        { { NULL }, 0, 0, 0, "at least one key usage is needed", 0 },
        { { "digitalsignature" }, 0, 0, 0, "it is not known", 0 },
        { { "digitalSignature", "digitalSignature" }, 0, 0, 0,
          "it is repeated", 1 },
        { { "nonRepudiation", "contentCommitment" }, 0, 0, 0,
          "it is repeated", 1 },
        { { "digitalSignature", "keyCertSign" }, 0, 0, 0,
          "keyCertSign and cRLSign are for CAs only", 1 },
        { { "cRLSign", "foo" }, 0, 0, 0,
          "keyCertSign and cRLSign are for CAs only", 0 },
        { { "digitalSignature", "encipherOnly" }, 0, 0, 0,
          "encipherOnly and decipherOnly need keyAgreement", 2 },
        { { "keyAgreement", "encipherOnly", "decipherOnly" }, 0, 0, 0,
          "encipherOnly and decipherOnly exclude each other", 3 },
    };

    (void) state;

    memset(&profile, 0, sizeof(profile));

    for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
        for (n = 0; t[i].words[n] != NULL; n++) {
            words[n] = t[i].words[n];
        }

        error = enroll_profile_key_usage(&profile, words, n, &bad);

        if (t[i].error != NULL) {
            assert_non_null(error);
            assert_string_equal(error, t[i].error);
            assert_int_equal(bad, t[i].bad);
            continue;
        }

        assert_null(error);
        assert_int_equal(usage_of(profile.key_usage), t[i].rsa);
        assert_int_equal(usage_of(profile.key_usage_ec), t[i].ec);
        assert_int_equal(usage_of(profile.key_usage_sign), t[i].sign);
    }

    enroll_profile_cleanup(&profile);
}


/* a key that can be used for nothing of it gets no certificate for all */

static void
key_usage_by_key(void **state)
{
    size_t                    i, bad;
    order_t                   order;

    static const char *const  encipher[] = { "keyEncipherment" };
    static const char *const  agree[] = { "keyAgreement" };

    static const struct {
        const char         *kind;
        const char *const  *words;
        enroll_outcome_e    outcome;
    } t[] = {
        { "RSA-2048", encipher, ENROLL_OK },
        { "P-256", encipher, ENROLL_KEY_NOT_ALLOWED },
        { "ED25519", encipher, ENROLL_KEY_NOT_ALLOWED },
        { "RSA-2048", agree, ENROLL_KEY_NOT_ALLOWED },
        { "P-256", agree, ENROLL_OK },
        { "ED25519", agree, ENROLL_KEY_NOT_ALLOWED },
    };

    (void) state;

    for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
        order_init(&order, "P-256", t[i].kind);

        assert_null(enroll_profile_key_usage(&order.profile, t[i].words, 1,
                                             &bad));
        assert_int_equal(order_issue(&order, MAKE_NOW), t[i].outcome);

        order_done(&order);
    }

    /* none at all is another matter */

    order_init(&order, "P-256", "P-256");

    X509_EXTENSION_free(order.profile.key_usage);
    X509_EXTENSION_free(order.profile.key_usage_ec);
    X509_EXTENSION_free(order.profile.key_usage_sign);
    order.profile.key_usage = NULL;
    order.profile.key_usage_ec = NULL;
    order.profile.key_usage_sign = NULL;

    assert_int_equal(order_issue(&order, MAKE_NOW), ENROLL_OK);
    assert_int_equal(X509_get_ext_count(order.x), 5);
    assert_int_equal(X509_get_ext_by_NID(order.x, NID_key_usage, -1), -1);

    order_done(&order);
}


static void
ext_key_usage(void **state)
{
    size_t                    bad;
    enroll_profile_t          profile;
    EXTENDED_KEY_USAGE       *usage;

    static const char *const  good[] = {
        "serverAuth", "1.3.6.1.5.5.7.3.2", "1.2.3.4.5"
    };

    static const char *const  twice[] = { "clientAuth", "1.3.6.1.5.5.7.3.2" };
    static const char *const  unknown[] = { "clientAuth", "clientauth" };

    (void) state;

    memset(&profile, 0, sizeof(profile));

    assert_null(enroll_profile_ext_key_usage(&profile, good, 1, &bad));
    assert_null(enroll_profile_ext_key_usage(&profile, good, 3, &bad));
    assert_int_equal(X509_EXTENSION_get_critical(profile.ext_key_usage), 0);

    usage = X509V3_EXT_d2i(profile.ext_key_usage);
    assert_int_equal(sk_ASN1_OBJECT_num(usage), 3);
    assert_int_equal(OBJ_obj2nid(sk_ASN1_OBJECT_value(usage, 0)),
                     NID_server_auth);
    assert_int_equal(OBJ_obj2nid(sk_ASN1_OBJECT_value(usage, 1)),
                     NID_client_auth);
    EXTENDED_KEY_USAGE_free(usage);

    assert_string_equal(enroll_profile_ext_key_usage(&profile, twice, 2, &bad),
                        "it is repeated");
    assert_int_equal(bad, 1);
    assert_string_equal(enroll_profile_ext_key_usage(&profile, unknown, 2, &bad),
                        "it is not known");
    assert_int_equal(bad, 1);
    assert_string_equal(enroll_profile_ext_key_usage(&profile, good, 0, &bad),
                        "at least one extended key usage is needed");
    assert_int_equal(bad, 0);
    assert_int_equal(ERR_peek_error(), 0);

    /* a mistake leaves what was there */

    usage = X509V3_EXT_d2i(profile.ext_key_usage);
    assert_int_equal(sk_ASN1_OBJECT_num(usage), 3);
    EXTENDED_KEY_USAGE_free(usage);

    enroll_profile_cleanup(&profile);
}


static void
defaults(void **state)
{
    size_t                    bad;
    enroll_key_t              key;
    X509_EXTENSION           *basic;
    enroll_profile_t          profile;

    static const char *const  words[] = { "keyAgreement" };

    (void) state;

    memset(&profile, 0, sizeof(profile));

    assert_int_equal(enroll_profile_defaults(&profile), 1);
    assert_int_equal(profile.validity, 90 * MAKE_DAY);
    assert_int_equal(profile.backdate, 300);
    assert_int_equal(profile.renew_before, 0);
    assert_int_equal(profile.renew_copy, 0);
    assert_int_equal(profile.san, ENROLL_SAN_DEFAULT);
    assert_null(profile.digest);
    assert_int_equal(usage_of(profile.key_usage), KU_DIGITAL_SIGNATURE);
    assert_non_null(profile.ext_key_usage);

    memset(&key, 0, sizeof(key));
    key.kind = ENROLL_KEY_RSA;
    key.bits = 2048;
    assert_int_equal(enroll_key_allowed(&profile.keys, &key), 1);

    key.bits = 1024;
    assert_int_equal(enroll_key_allowed(&profile.keys, &key), 0);

    key.bits = 8192;
    assert_int_equal(enroll_key_allowed(&profile.keys, &key), 0);

    key.kind = ENROLL_KEY_ED25519;
    key.bits = 0;
    assert_int_equal(enroll_key_allowed(&profile.keys, &key), 1);

    /* once more changes nothing */

    basic = profile.basic;
    assert_int_equal(enroll_profile_defaults(&profile), 1);
    assert_ptr_equal(profile.basic, basic);

    enroll_profile_cleanup(&profile);

    /* what is set stays */

    profile.validity = 60;
    profile.backdate = 1;
    profile.san = ENROLL_SAN_IP;
    assert_null(enroll_profile_key_usage(&profile, words, 1, &bad));
    assert_null(enroll_key_rules_add(&profile.keys, "ec:P-256", 8));
    assert_int_equal(enroll_profile_defaults(&profile), 1);
    assert_int_equal(profile.validity, 60);
    assert_int_equal(profile.backdate, 1);
    assert_int_equal(profile.san, ENROLL_SAN_IP);
    assert_int_equal(profile.keys.n, 1);
    assert_null(profile.key_usage);
    assert_int_equal(usage_of(profile.key_usage_ec), KU_KEY_AGREEMENT);

    enroll_profile_cleanup(&profile);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(all_kinds_of_keys),
        cmocka_unit_test(key_with_parameters),
        cmocka_unit_test(fields),
        cmocka_unit_test(serials),
        cmocka_unit_test(validity),
        cmocka_unit_test(without_subject_or_san),
        cmocka_unit_test(digests),
        cmocka_unit_test(failures),
        cmocka_unit_test(key_usage),
        cmocka_unit_test(key_usage_by_key),
        cmocka_unit_test(ext_key_usage),
        cmocka_unit_test(defaults),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
