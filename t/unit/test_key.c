
/*
 * Copyright (C) The nginx-enroll authors
 */

/*
 * Conformance: P10-009
 */


#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <openssl/bn.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

#include "enroll_key.h"
#include "unit_der.h"


#define RSA         SEQ(OID("1.2.840.113549.1.1.1"), DER_NULL)
#define EC(curve)   SEQ(OID("1.2.840.10045.2.1"), OID(curve))
#define ED25519     SEQ(OID("1.3.101.112"))
#define ED448       SEQ(OID("1.3.101.113"))
#define ML_DSA(n)   SEQ(OID("2.16.840.1.101.3.4.3." n))

#define P256        "1.2.840.10045.3.1.7"
#define P384        "1.3.132.0.34"
#define P521        "1.3.132.0.35"

#define E65537      der_integer(65537)

#define array_size(a)  (sizeof(a) / sizeof((a)[0]))


typedef struct {
    const char        *name;
    der_t              alg;
    der_t              bits;
    enroll_outcome_e   outcome;
} inspect_t;


static EVP_PKEY  *rsa_key;      /* 2048 bits */
static BIGNUM    *rsa_n;


static der_t
der_bn(const BIGNUM *n)
{
    der_t           der;
    unsigned char  *p;

    /* a zero in front, as for a negative number it has to be */

    der.len = (size_t) BN_num_bits(n) / 8 + 1;
    p = der_alloc(der.len);
    der.data = p;
    assert_int_equal(BN_bn2binpad(n, p, (int) der.len), (int) der.len);

    return TLV(0x02, der);
}


static der_t
der_integer(uint64_t value)
{
    der_t    der;
    BIGNUM  *n;

    n = BN_new();
    assert_int_equal(BN_set_word(n, value), 1);
    der = der_bn(n);
    BN_free(n);

    return der;
}


static der_t
der_modulus(const BIGNUM *n)
{
    return SEQ(der_bn(n), E65537);
}


/* the contents of the bit string of a key that OpenSSL has made */

static der_t
der_bits(EVP_PKEY *pkey)
{
    int                   len;
    X509_PUBKEY          *pubkey;
    const unsigned char  *bits;
    der_t                 der;

    pubkey = NULL;
    assert_int_equal(X509_PUBKEY_set(&pubkey, pkey), 1);
    assert_int_equal(X509_PUBKEY_get0_param(NULL, &bits, &len, NULL, pubkey),
                     1);
    der = der_copy(bits, (size_t) len);
    X509_PUBKEY_free(pubkey);

    return der;
}


static X509_ALGOR *
algorithm(der_t der)
{
    X509_ALGOR           *alg;
    const unsigned char  *p;

    p = der.data;
    alg = d2i_X509_ALGOR(NULL, &p, (long) der.len);
    assert_non_null(alg);

    return alg;
}


/* the octets of the key stand in memory of just their size */

static enroll_outcome_e
inspect(enroll_key_t *key, der_t alg_der, der_t bits)
{
    X509_ALGOR        *alg;
    unsigned char     *p;
    enroll_outcome_e   rc;

    p = malloc(bits.len ? bits.len : 1);
    assert_non_null(p);
    memcpy(p, bits.data, bits.len);

    alg = algorithm(alg_der);
    rc = enroll_key_inspect(key, alg, p, bits.len);

    X509_ALGOR_free(alg);
    free(p);

    /* nothing is left for the thread's next user of OpenSSL */

    assert_int_equal(ERR_peek_error(), 0);

    return rc;
}


static EVP_PKEY *
build(const enroll_key_t *key, der_t bits)
{
    EVP_PKEY  *pkey;

    pkey = enroll_key_build(key, bits.data, bits.len);

    assert_int_equal(ERR_peek_error(), 0);

    return pkey;
}


static void
check(const inspect_t *rows, size_t n)
{
    enroll_key_t      key;
    enroll_outcome_e  rc;

    for (size_t i = 0; i < n; i++) {
        rc = inspect(&key, rows[i].alg, rows[i].bits);

        if (rc != rows[i].outcome) {
            fail_msg("%s: %s", rows[i].name, enroll_outcome(rc)->reason);
        }
    }
}


/* a random odd number without factors below 1000 */

static BIGNUM *
rough(int bits)
{
    BIGNUM  *n;
    int      ok;

    n = BN_new();
    assert_int_equal(BN_rand(n, bits, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ODD),
                     1);

    do {
        assert_int_equal(BN_add_word(n, 2), 1);
        ok = 1;

        for (BN_ULONG p = 3; ok && p < 1000; p += 2) {
            ok = BN_mod_word(n, p) != 0;
        }

    } while (!ok);

    return n;
}


/*
 * As Infineon's generator leaves it: a power of 65537 modulo the product of
 * the first 39 primes
 */

static BIGNUM *
roca(int bits)
{
    int      ok;
    BIGNUM  *m, *n, *k, *g;
    BN_CTX  *ctx;

    ctx = BN_CTX_new();
    m = BN_new();
    n = BN_new();
    k = BN_new();
    g = BN_new();

    BN_one(m);
    BN_set_word(g, 65537);

    for (BN_ULONG p = 2, primes = 0; primes < 39; p++) {
        ok = 1;

        for (BN_ULONG d = 2; ok && d < p; d++) {
            ok = p % d != 0;
        }

        if (ok) {
            BN_mul_word(m, p);
            primes++;
        }
    }

    do {
        BN_rand(k, 128, BN_RAND_TOP_ANY, BN_RAND_BOTTOM_ANY);
        BN_mod_exp(n, g, k, m, ctx);
        BN_rand(k, bits - BN_num_bits(m), BN_RAND_TOP_TWO,
                BN_RAND_BOTTOM_ANY);
        BN_mul(k, k, m, ctx);
        BN_add(n, n, k);

        ok = 1;

        for (BN_ULONG p = 3; ok && p < 1000; p += 2) {
            ok = BN_mod_word(n, p) != 0;
        }

    } while (!ok);

    BN_free(g);
    BN_free(k);
    BN_free(m);
    BN_CTX_free(ctx);

    return n;
}


static void
rsa_keys_are_inspected(void **state)
{
    enroll_key_t  key;

    const inspect_t  rows[] = {
        { "2048 bits", RSA, der_modulus(rsa_n), ENROLL_OK },
        { "id-RSASSA-PSS", SEQ(OID("1.2.840.113549.1.1.10")),
          der_modulus(rsa_n), ENROLL_OK },
        { "id-RSASSA-PSS with parameters",
          SEQ(OID("1.2.840.113549.1.1.10"),
              SEQ(TLV(0xa0, SEQ(OID("2.16.840.1.101.3.4.2.1"))))),
          der_modulus(rsa_n), ENROLL_OK },
        { "id-RSASSA-PSS with a salt of 0",
          SEQ(OID("1.2.840.113549.1.1.10"),
              SEQ(TLV(0xa2, der_integer(0)))),
          der_modulus(rsa_n), ENROLL_OK },
        { "id-RSASSA-PSS with NULL",
          SEQ(OID("1.2.840.113549.1.1.10"), DER_NULL),
          der_modulus(rsa_n), ENROLL_BAD_KEY },
        { "id-RSASSA-PSS with trailer 7",
          SEQ(OID("1.2.840.113549.1.1.10"),
              SEQ(TLV(0xa3, der_integer(7)))),
          der_modulus(rsa_n), ENROLL_BAD_KEY },
        { "no parameters", SEQ(OID("1.2.840.113549.1.1.1")),
          der_modulus(rsa_n), ENROLL_BAD_KEY },
        { "parameters that are not NULL",
          SEQ(OID("1.2.840.113549.1.1.1"), OID("1.2.3")),
          der_modulus(rsa_n), ENROLL_BAD_KEY },
        { "id-RSAES-OAEP", SEQ(OID("1.2.840.113549.1.1.7")),
          der_modulus(rsa_n), ENROLL_KEY_NOT_ALLOWED },

        { "empty", RSA, NONE, ENROLL_BAD_KEY },
        { "empty SEQUENCE", RSA, SEQ(NONE), ENROLL_BAD_KEY },
        { "SET", RSA, SET(der_bn(rsa_n), E65537), ENROLL_BAD_KEY },
        { "no exponent", RSA, SEQ(der_bn(rsa_n)), ENROLL_BAD_KEY },
        { "a third number", RSA, SEQ(der_bn(rsa_n), E65537, E65537),
          ENROLL_BAD_KEY },
        { "trailing octet", RSA, CAT(der_modulus(rsa_n), RAW("\0")),
          ENROLL_BAD_KEY },
        { "indefinite length", RSA,
          CAT(RAW("\x30\x80"), der_bn(rsa_n), E65537, RAW("\0\0")),
          ENROLL_BAD_KEY },
        { "length not in the shortest form", RSA,
          SEQ(der_bn(rsa_n), RAW("\x02\x81\x03\x01\x00\x01")),
          ENROLL_BAD_KEY },
        { "length beyond the end", RSA,
          SEQ(der_bn(rsa_n), RAW("\x02\x7f\x01\x00\x01")), ENROLL_BAD_KEY },
        { "length of 2^64 - 1", RSA,
          RAW("\x30\x88\xff\xff\xff\xff\xff\xff\xff\xff"), ENROLL_BAD_KEY },
        { "exponent with a needless zero", RSA,
          SEQ(der_bn(rsa_n), RAW("\x02\x04\x00\x01\x00\x01")),
          ENROLL_BAD_KEY },
        { "exponent without octets", RSA,
          SEQ(der_bn(rsa_n), RAW("\x02\x00")), ENROLL_BAD_KEY },
        { "exponent is an OCTET STRING", RSA,
          SEQ(der_bn(rsa_n), RAW("\x04\x03\x01\x00\x01")), ENROLL_BAD_KEY },

        { "e = 0", RSA, SEQ(der_bn(rsa_n), der_integer(0)), ENROLL_BAD_KEY },
        { "e = 1", RSA, SEQ(der_bn(rsa_n), der_integer(1)), ENROLL_BAD_KEY },
        { "e = 2", RSA, SEQ(der_bn(rsa_n), der_integer(2)), ENROLL_BAD_KEY },
        { "e = 3", RSA, SEQ(der_bn(rsa_n), der_integer(3)), ENROLL_BAD_KEY },
        { "e = 65535", RSA, SEQ(der_bn(rsa_n), der_integer(65535)),
          ENROLL_BAD_KEY },
        { "e = 65536", RSA, SEQ(der_bn(rsa_n), der_integer(65536)),
          ENROLL_BAD_KEY },
        { "e = 65538", RSA, SEQ(der_bn(rsa_n), der_integer(65538)),
          ENROLL_BAD_KEY },
        { "e = 65539", RSA, SEQ(der_bn(rsa_n), der_integer(65539)),
          ENROLL_OK },
        { "e = 2^64 - 1", RSA, SEQ(der_bn(rsa_n), der_integer(UINT64_MAX)),
          ENROLL_OK },
        { "e = 2^64 + 1", RSA,
          SEQ(der_bn(rsa_n), RAW("\x02\x09\x01\0\0\0\0\0\0\0\x01")),
          ENROLL_BAD_KEY },
        { "e = -1", RSA, SEQ(der_bn(rsa_n), RAW("\x02\x01\xff")),
          ENROLL_BAD_KEY },
        { "e = n", RSA, SEQ(der_bn(rsa_n), der_bn(rsa_n)), ENROLL_BAD_KEY },

        { "n = 0", RSA, SEQ(der_integer(0), E65537), ENROLL_BAD_KEY },
        { "n = 1", RSA, SEQ(der_integer(1), E65537), ENROLL_BAD_KEY },
        { "n = -1", RSA, SEQ(RAW("\x02\x01\xff"), E65537), ENROLL_BAD_KEY },
        { "n negative", RSA,
          SEQ(TLV(0x02, { der_bn(rsa_n).data + 5, 256 }), E65537),
          ENROLL_BAD_KEY }
    };

    (void) state;

    check(rows, array_size(rows));

    assert_int_equal(inspect(&key, RSA, der_modulus(rsa_n)), ENROLL_OK);
    assert_int_equal(key.kind, ENROLL_KEY_RSA);
    assert_int_equal(key.bits, 2048);
}


static void
weak_moduli_are_refused(void **state)
{
    BIGNUM        *n;
    enroll_key_t   key;

    static const int  bad_bits[] = { 512, 1023, 16385, 16392, 65536 };
    static const int  good_bits[] = { 1024, 1025, 1031, 3072, 4097, 16384 };
    static const int  bad_factors[] = { 3, 5, 7, 167, 173, 743, 751 };
    static const int  good_factors[] = { 757, 65537 };

    (void) state;

    for (size_t i = 0; i < array_size(bad_bits); i++) {
        n = rough(bad_bits[i]);
        assert_int_equal(inspect(&key, RSA, der_modulus(n)), ENROLL_BAD_KEY);
        BN_free(n);
    }

    for (size_t i = 0; i < array_size(good_bits); i++) {
        n = rough(good_bits[i]);
        assert_int_equal(inspect(&key, RSA, der_modulus(n)), ENROLL_OK);
        assert_int_equal(key.bits, good_bits[i]);

        BN_sub_word(n, 1);
        assert_int_equal(inspect(&key, RSA, der_modulus(n)), ENROLL_BAD_KEY);
        BN_free(n);
    }

    for (size_t i = 0; i < array_size(bad_factors); i++) {
        n = rough(2040);
        BN_mul_word(n, (BN_ULONG) bad_factors[i]);
        assert_int_equal(inspect(&key, RSA, der_modulus(n)), ENROLL_BAD_KEY);
        BN_free(n);
    }

    for (size_t i = 0; i < array_size(good_factors); i++) {
        n = rough(2040);
        BN_mul_word(n, (BN_ULONG) good_factors[i]);
        assert_int_equal(inspect(&key, RSA, der_modulus(n)), ENROLL_OK);
        BN_free(n);
    }

    for (int i = 0; i < 20; i++) {
        n = roca(2048);
        assert_int_equal(inspect(&key, RSA, der_modulus(n)), ENROLL_BAD_KEY);
        BN_free(n);
    }
}


static void
ec_keys_are_inspected(void **state)
{
    der_t      full, half;
    EVP_PKEY  *pkey;

    (void) state;

    pkey = EVP_EC_gen("P-256");
    full = der_bits(pkey);
    EVP_PKEY_free(pkey);
    assert_int_equal(full.len, 65);

    half = CAT(full.data[64] & 1 ? RAW("\x03") : RAW("\x02"),
               { full.data + 1, 32 });

    const inspect_t  rows[] = {
        { "uncompressed", EC(P256), full, ENROLL_OK },
        { "compressed", EC(P256), half, ENROLL_OK },
        { "hybrid", EC(P256),
          CAT(full.data[64] & 1 ? RAW("\x07") : RAW("\x06"),
              { full.data + 1, 64 }), ENROLL_BAD_KEY },
        { "infinity", EC(P256), RAW("\x00"), ENROLL_BAD_KEY },
        { "infinity at full length", EC(P256),
          CAT(RAW("\x00"), { full.data + 1, 64 }), ENROLL_BAD_KEY },
        { "empty", EC(P256), NONE, ENROLL_BAD_KEY },
        { "only the form", EC(P256), RAW("\x04"), ENROLL_BAD_KEY },
        { "one octet short", EC(P256), { full.data, 64 }, ENROLL_BAD_KEY },
        { "one octet more", EC(P256), CAT(full, RAW("\0")), ENROLL_BAD_KEY },
        { "compressed at full length", EC(P256),
          CAT(RAW("\x02"), { full.data + 1, 64 }), ENROLL_BAD_KEY },
        { "uncompressed at half length", EC(P256),
          CAT(RAW("\x04"), { full.data + 1, 32 }), ENROLL_BAD_KEY },
        { "form 5", EC(P256), CAT(RAW("\x05"), { full.data + 1, 64 }),
          ENROLL_BAD_KEY },
        { "a P-256 point for P-384", EC(P384), full, ENROLL_BAD_KEY },

        { "no parameters", SEQ(OID("1.2.840.10045.2.1")), full,
          ENROLL_BAD_KEY },
        { "implicitCurve", SEQ(OID("1.2.840.10045.2.1"), DER_NULL), full,
          ENROLL_BAD_KEY },
        { "specifiedCurve",
          SEQ(OID("1.2.840.10045.2.1"), SEQ(der_integer(1))), full,
          ENROLL_BAD_KEY },
        { "secp256k1", EC("1.3.132.0.10"), full, ENROLL_KEY_NOT_ALLOWED },
        { "P-224", EC("1.3.132.0.33"), full, ENROLL_KEY_NOT_ALLOWED },
        { "secp112r1", EC("1.3.132.0.6"), full, ENROLL_KEY_NOT_ALLOWED },
        { "sect571r1", EC("1.3.132.0.39"), full, ENROLL_KEY_NOT_ALLOWED },
        { "a curve that nobody knows", EC("1.2.3.4"), full,
          ENROLL_KEY_NOT_ALLOWED }
    };

    check(rows, array_size(rows));
}


static void
other_keys_are_inspected(void **state)
{
    der_t  x;

    (void) state;

    x = der_times(RAW("\x09"), 4096);

    const inspect_t  rows[] = {
        { "Ed25519", ED25519, { x.data, 32 }, ENROLL_OK },
        { "Ed25519, no octets", ED25519, NONE, ENROLL_BAD_KEY },
        { "Ed25519, 31 octets", ED25519, { x.data, 31 }, ENROLL_BAD_KEY },
        { "Ed25519, 33 octets", ED25519, { x.data, 33 }, ENROLL_BAD_KEY },
        { "Ed25519 with NULL", SEQ(OID("1.3.101.112"), DER_NULL),
          { x.data, 32 }, ENROLL_BAD_KEY },
        { "Ed448", ED448, { x.data, 57 }, ENROLL_OK },
        { "Ed448, 56 octets", ED448, { x.data, 56 }, ENROLL_BAD_KEY },
        { "ML-DSA-44", ML_DSA("17"), { x.data, 1312 }, ENROLL_OK },
        { "ML-DSA-65", ML_DSA("18"), { x.data, 1952 }, ENROLL_OK },
        { "ML-DSA-87", ML_DSA("19"), { x.data, 2592 }, ENROLL_OK },
        { "ML-DSA-65 of another length", ML_DSA("18"), { x.data, 1312 },
          ENROLL_BAD_KEY },
        { "ML-DSA-44 with NULL",
          SEQ(OID("2.16.840.1.101.3.4.3.17"), DER_NULL), { x.data, 1312 },
          ENROLL_BAD_KEY },

        { "X25519 cannot sign", SEQ(OID("1.3.101.110")), { x.data, 32 },
          ENROLL_KEY_NOT_ALLOWED },
        { "X448", SEQ(OID("1.3.101.111")), { x.data, 56 },
          ENROLL_KEY_NOT_ALLOWED },
        { "SLH-DSA-SHA2-128s", ML_DSA("20"), { x.data, 32 },
          ENROLL_KEY_NOT_ALLOWED },
        { "DSA", SEQ(OID("1.2.840.10040.4.1"), SEQ(NONE)), RAW("\2\1\1"),
          ENROLL_KEY_NOT_ALLOWED },
        { "DH", SEQ(OID("1.2.840.10046.2.1"), SEQ(NONE)), RAW("\2\1\1"),
          ENROLL_KEY_NOT_ALLOWED },
        { "nothing known", SEQ(OID("1.2.3.4.5")), { x.data, 32 },
          ENROLL_KEY_NOT_ALLOWED }
    };

    check(rows, array_size(rows));
}


/* what is built is what OpenSSL's own decoder makes of the key */

static void
keys_are_built(void **state)
{
    char           text[ENROLL_KEY_TEXT];
    der_t          bits;
    EVP_PKEY      *pkey, *built;
    enroll_key_t   key;

    const struct {
        const char  *text;
        const char  *name;
        const char  *group;
        der_t        alg;
        int          cheap;
    } rows[] = {
        { "rsa:2048", "RSA", NULL, RSA, 1 },
        { "ec:P-256", "EC", "P-256", EC(P256), 1 },
        { "ec:P-384", "EC", "P-384", EC(P384), 0 },
        { "ec:P-521", "EC", "P-521", EC(P521), 0 },
        { "ec:brainpoolP256r1", "EC", "brainpoolP256r1",
          EC("1.3.36.3.3.2.8.1.1.7"), 0 },
        { "ec:brainpoolP384r1", "EC", "brainpoolP384r1",
          EC("1.3.36.3.3.2.8.1.1.11"), 0 },
        { "ec:brainpoolP512r1", "EC", "brainpoolP512r1",
          EC("1.3.36.3.3.2.8.1.1.13"), 0 },
        { "ed25519", "ED25519", NULL, ED25519, 1 },
        { "ed448", "ED448", NULL, ED448, 1 },
        { "ml-dsa-44", "ML-DSA-44", NULL, ML_DSA("17"), 0 },
        { "ml-dsa-65", "ML-DSA-65", NULL, ML_DSA("18"), 0 },
        { "ml-dsa-87", "ML-DSA-87", NULL, ML_DSA("19"), 0 }
    };

    (void) state;

    for (size_t i = 0; i < array_size(rows); i++) {

        if (strcmp(rows[i].name, "RSA") == 0) {
            pkey = rsa_key;
            EVP_PKEY_up_ref(pkey);

        } else if (rows[i].group) {
            pkey = EVP_EC_gen(rows[i].group);

        } else {
            pkey = EVP_PKEY_Q_keygen(NULL, NULL, rows[i].name);
            ERR_clear_error();
        }

        if (pkey == NULL) {
            assert_int_equal(strncmp(rows[i].name, "ML-DSA", 6), 0);
            print_message("%s: not in this OpenSSL\n", rows[i].name);
            continue;
        }

        bits = der_bits(pkey);

        assert_int_equal(inspect(&key, rows[i].alg, bits), ENROLL_OK);
        assert_int_equal(enroll_key_text(&key, text), strlen(rows[i].text));
        assert_string_equal(text, rows[i].text);
        assert_int_equal(enroll_key_cheap(&key), rows[i].cheap);

        built = build(&key, bits);
        assert_non_null(built);
        assert_int_equal(EVP_PKEY_eq(built, pkey), 1);

        EVP_PKEY_free(built);
        EVP_PKEY_free(pkey);
    }
}


static void
compressed_points_are_built(void **state)
{
    der_t          full, half;
    EVP_PKEY      *pkey, *built;
    enroll_key_t   key;

    (void) state;

    pkey = EVP_EC_gen("P-256");
    full = der_bits(pkey);
    half = CAT(full.data[64] & 1 ? RAW("\x03") : RAW("\x02"),
               { full.data + 1, 32 });

    assert_int_equal(inspect(&key, EC(P256), half), ENROLL_OK);

    built = build(&key, half);
    assert_non_null(built);
    assert_int_equal(EVP_PKEY_eq(built, pkey), 1);

    EVP_PKEY_free(built);
    EVP_PKEY_free(pkey);
}


static void
points_off_the_curve_are_not_built(void **state)
{
    der_t           full, five, beyond, no_root;
    EVP_PKEY       *pkey;
    enroll_key_t    key;
    unsigned char  *off;

    /* p + 5, which is 5 to who forgets to look */

    static const char  p5[] =
        "\xff\xff\xff\xff\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00"
        "\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x04";

    (void) state;

    pkey = EVP_EC_gen("P-256");
    full = der_bits(pkey);
    EVP_PKEY_free(pkey);

    assert_int_equal(inspect(&key, EC(P256), full), ENROLL_OK);

    off = der_alloc(65);
    memcpy(off, full.data, 65);
    off[64] ^= 1;

    assert_null(build(&key, (der_t) { off, 65 }));

    five = CAT(RAW("\x02"), der_times(RAW("\0"), 31), RAW("\x05"));
    pkey = build(&key, five);
    assert_non_null(pkey);
    EVP_PKEY_free(pkey);

    beyond = CAT(RAW("\x02"), { (const unsigned char *) p5, 32 });
    assert_null(build(&key, beyond));

    /* y^2 = x^3 - 3x + b has no root for x = 4 */

    no_root = CAT(RAW("\x02"), der_times(RAW("\0"), 31), RAW("\x04"));
    assert_null(build(&key, no_root));

    /* nor may what was not inspected do harm */

    assert_null(build(&key, NONE));
    assert_null(build(&key, RAW("\x00")));

    key.kind = ENROLL_KEY_RSA;
    assert_null(build(&key, NONE));
    assert_null(build(&key, RAW("\x30\x03\x02\x01\x03")));

    key.kind = ENROLL_KEY_ED25519;
    assert_null(build(&key, RAW("short")));
}


static void
rules_are_read(void **state)
{
    static const char *good[] = {
        "rsa:2048-4096", "rsa:3072", "rsa:1024-1024", "rsa:1024-16384",
        "ec:P-256", "ec:P-256,P-384", "ec:P-521",
        "ec:brainpoolP256r1,brainpoolP384r1,brainpoolP512r1", "ed25519",
        "ed448"
    };

    static const char *bad[] = {
        "", "rsa", "rsa:", "rsa:-", "rsa:2048-", "rsa:-2048", "rsa:1023",
        "rsa:16385", "rsa:2048-16385", "rsa:4096-2048", "rsa:2048-4096-8192",
        "rsa:0x800", "rsa:20a8", "rsa:+2048", "rsa: 2048", "rsa:99999999999",
        "rsa:2048,3072", "RSA:2048", "ec", "ec:", "ec:,", "ec:P-256,",
        "ec:,P-256", "ec:P-256,,P-384", "ec:P-2", "ec:P-2566", "ec:p-256",
        "ec:secp256k1", "ed2551", "ed25519 ", "ed255190", "x25519", "dsa",
        "ml-dsa", "ml-dsa-45"
    };

    enroll_key_rules_t  rules;

    (void) state;

    for (size_t i = 0; i < array_size(good); i++) {
        memset(&rules, 0, sizeof(rules));

        if (enroll_key_rules_add(&rules, good[i], strlen(good[i]))) {
            fail_msg("%s", good[i]);
        }

        assert_true(rules.n > 0);
    }

    for (size_t i = 0; i < array_size(bad); i++) {
        char  *word;

        memset(&rules, 0, sizeof(rules));

        /* without a NUL behind it */

        word = malloc(strlen(bad[i]) ? strlen(bad[i]) : 1);
        assert_non_null(word);
        memcpy(word, bad[i], strlen(bad[i]));

        if (enroll_key_rules_add(&rules, word, strlen(bad[i])) == NULL) {
            fail_msg("%s", bad[i]);
        }

        free(word);
    }

    memset(&rules, 0, sizeof(rules));

    for (size_t i = 0; i < ENROLL_KEY_RULES; i++) {
        assert_null(enroll_key_rules_add(&rules, "rsa:2048", 8));
    }

    assert_non_null(enroll_key_rules_add(&rules, "rsa:2048", 8));
    assert_non_null(enroll_key_rules_add(&rules, "ec:P-256", 8));
    assert_int_equal(rules.n, ENROLL_KEY_RULES);
}


/* what OpenSSL cannot use is no rule */

static void
ml_dsa_needs_openssl(void **state)
{
    EVP_PKEY            *pkey;
    const char          *error;
    enroll_key_rules_t   rules;

    (void) state;

    memset(&rules, 0, sizeof(rules));

    error = enroll_key_rules_add(&rules, "ml-dsa-65", 9);
    assert_int_equal(ERR_peek_error(), 0);

    pkey = EVP_PKEY_Q_keygen(NULL, NULL, "ML-DSA-65");
    ERR_clear_error();

    assert_int_equal(error == NULL, pkey != NULL);

    EVP_PKEY_free(pkey);
}


/* an RSA key that takes long to verify with is for a thread */

static void
large_keys_are_not_cheap(void **state)
{
    static const struct {
        enroll_key_t  key;
        int           cheap;
    } rows[] = {
        { { ENROLL_KEY_RSA, 2048, 0, 3 }, 1 },
        { { ENROLL_KEY_RSA, 4096, 0, 3 }, 1 },
        { { ENROLL_KEY_RSA, 4097, 0, 3 }, 0 },
        { { ENROLL_KEY_RSA, 16384, 0, 3 }, 0 },
        { { ENROLL_KEY_RSA, 2048, 0, 4 }, 0 },
        { { ENROLL_KEY_RSA, 2048, 0, 8 }, 0 }
    };

    (void) state;

    for (size_t i = 0; i < array_size(rows); i++) {
        if (enroll_key_cheap(&rows[i].key) != rows[i].cheap) {
            fail_msg("row %zu", i);
        }
    }
}


static void
rules_are_kept(void **state)
{
    enroll_key_rules_t  rules;

    static const struct {
        enroll_key_t  key;
        int           allowed;
    } rows[] = {
        { { ENROLL_KEY_RSA, 2047, 0, 0 }, 0 },
        { { ENROLL_KEY_RSA, 2048, 0, 0 }, 1 },
        { { ENROLL_KEY_RSA, 3072, 0, 0 }, 1 },
        { { ENROLL_KEY_RSA, 3073, 0, 0 }, 0 },
        { { ENROLL_KEY_RSA, 4096, 0, 0 }, 1 },
        { { ENROLL_KEY_RSA, 8192, 0, 0 }, 0 },
        { { ENROLL_KEY_EC, 256, NID_X9_62_prime256v1, 0 }, 1 },
        { { ENROLL_KEY_EC, 521, NID_secp521r1, 0 }, 1 },
        { { ENROLL_KEY_EC, 384, NID_secp384r1, 0 }, 0 },
        { { ENROLL_KEY_EC, 256, NID_brainpoolP256r1, 0 }, 0 },
        { { ENROLL_KEY_ED25519, 0, 0, 0 }, 1 },
        { { ENROLL_KEY_ED448, 0, 0, 0 }, 0 },
        { { ENROLL_KEY_ML_DSA_65, 0, 0, 0 }, 0 }
    };

    (void) state;

    memset(&rules, 0, sizeof(rules));

    for (size_t i = 0; i < array_size(rows); i++) {
        assert_int_equal(enroll_key_allowed(&rules, &rows[i].key), 0);
    }

    assert_null(enroll_key_rules_add(&rules, "rsa:2048-3072", 13));
    assert_null(enroll_key_rules_add(&rules, "rsa:4096", 8));
    assert_null(enroll_key_rules_add(&rules, "ec:P-256,P-521", 14));
    assert_null(enroll_key_rules_add(&rules, "ed25519", 7));

    for (size_t i = 0; i < array_size(rows); i++) {
        if (enroll_key_allowed(&rules, &rows[i].key) != rows[i].allowed) {
            fail_msg("row %zu", i);
        }
    }
}


/* each rule as the word that it came from */

static void
rules_are_told(void **state)
{
    char                      text[ENROLL_KEY_TEXT];
    enroll_key_rules_t        rules;
    static const char *const  words[] = {
        "rsa:2048-16384", "rsa:3072", "ec:P-256", "ec:brainpoolP512r1",
        "ed25519", "ed448"
    };

    (void) state;

    memset(&rules, 0, sizeof(rules));

    for (size_t i = 0; i < array_size(words); i++) {
        assert_null(enroll_key_rules_add(&rules, words[i], strlen(words[i])));
        assert_int_equal(enroll_key_rule_text(&rules, i, text),
                         strlen(words[i]));
        assert_string_equal(text, words[i]);
    }
}


static int
setup(void **state)
{
    (void) state;

    rsa_key = EVP_RSA_gen(2048);

    return rsa_key == NULL
           || EVP_PKEY_get_bn_param(rsa_key, "n", &rsa_n) != 1;
}


static int
teardown(void **state)
{
    (void) state;

    BN_free(rsa_n);
    EVP_PKEY_free(rsa_key);
    der_reset();

    return 0;
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(rsa_keys_are_inspected),
        cmocka_unit_test(weak_moduli_are_refused),
        cmocka_unit_test(ec_keys_are_inspected),
        cmocka_unit_test(other_keys_are_inspected),
        cmocka_unit_test(keys_are_built),
        cmocka_unit_test(compressed_points_are_built),
        cmocka_unit_test(points_off_the_curve_are_not_built),
        cmocka_unit_test(rules_are_read),
        cmocka_unit_test(ml_dsa_needs_openssl),
        cmocka_unit_test(large_keys_are_not_cheap),
        cmocka_unit_test(rules_are_kept),
        cmocka_unit_test(rules_are_told)
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
