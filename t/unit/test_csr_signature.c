
/*
 * Copyright (C) The nginx-enroll authors
 */


/* proof of possession: keys, algorithms and digests of requests */


#include "unit_csr.h"


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


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        unit(every_kind_of_key_proves_possession),
        unit(unusable_keys_are_refused),
        unit(bad_signatures_are_refused),
        unit(signature_algorithms_are_chosen),
        unit(old_digests_are_taken_where_they_are_named),
        unit(pss_parameters_are_bounded)
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
