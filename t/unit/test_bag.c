
/*
 * Copyright (C) The nginx-enroll authors
 */


/* Certs-only bags and CSR attributes, octet by octet. */


#include <stdio.h>
#include <openssl/pkcs7.h>

#include "unit_make.h"

#include "enroll_bag.h"
#include "enroll_csrattrs.h"


static EVP_PKEY  *key;


static int
setup(void **state)
{
    (void) state;

    key = make_key("P-256");

    return key == NULL;
}


static int
teardown(void **state)
{
    (void) state;

    EVP_PKEY_free(key);

    return 0;
}


static PKCS7 *
decode(unsigned char *der, size_t len)
{
    PKCS7                *p7;
    const unsigned char  *p;

    p = der;
    p7 = d2i_PKCS7(NULL, &p, (long) len);

    assert_non_null(p7);
    assert_ptr_equal(p, der + len);
    assert_true(PKCS7_type_is_signed(p7));

    return p7;
}


/* RFC 7030, section 4.1.3; RFC 5272, section 4.1; RFC 5652, section 5 */

static void
bag_shape(void **state)
{
    int                         n;
    X509                       *x;
    size_t                      len;
    unsigned char              *der, *cert, *again;
    STACK_OF(X509)             *certs;

    /* all but the outer lengths, which are two octets long here */

    static const unsigned char  head[] = {
        0x30, 0x82, 0, 0,
        0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x02,
        0xa0, 0x82, 0, 0,
        0x30, 0x82, 0, 0,
        0x02, 0x01, 0x01,
        0x31, 0x00,
        0x30, 0x0b,
        0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x01,
        0xa0, 0x82
    };

    (void) state;

    certs = sk_X509_new_null();
    x = make_ca("A", key, NULL, key);
    sk_X509_push(certs, x);

    cert = NULL;
    n = i2d_X509(x, &cert);

    len = enroll_bag(certs, 1, &der);

    assert_int_equal(len, sizeof(head) + 2 + (size_t) n + 2);

    assert_int_equal(der[2] << 8 | der[3], len - 4);
    assert_int_equal(der[17] << 8 | der[18], len - 19);
    assert_int_equal(der[21] << 8 | der[22], len - 23);

    memset(der + 2, 0, 2);
    memset(der + 17, 0, 2);
    memset(der + 21, 0, 2);

    assert_memory_equal(der, head, sizeof(head));
    assert_int_equal(der[sizeof(head)] << 8 | der[sizeof(head) + 1], n);
    assert_memory_equal(der + sizeof(head) + 2, cert, (size_t) n);
    assert_memory_equal(der + len - 2, "\x31\x00", 2);

    OPENSSL_free(der);

    /* and of octets, with and without others behind them */

    len = enroll_bag_leaf(cert, (size_t) n, NULL, &again);
    assert_int_equal(len, sizeof(head) + 2 + (size_t) n + 2);
    assert_memory_equal(again + sizeof(head) + 2, cert, (size_t) n);
    assert_memory_equal(again + len - 2, "\x31\x00", 2);
    OPENSSL_free(again);

    len = enroll_bag_leaf(cert, (size_t) n, certs, &again);
    assert_int_equal(len, sizeof(head) + 2 + 2 * (size_t) n + 2);
    assert_memory_equal(again + sizeof(head) + 2, cert, (size_t) n);
    assert_memory_equal(again + sizeof(head) + 2 + n, cert, (size_t) n);
    OPENSSL_free(again);

    OPENSSL_free(cert);
    sk_X509_pop_free(certs, X509_free);
}


static void
bag_order(void **state)
{
    int              i, k, n, m;
    PKCS7           *p7;
    size_t           len;
    unsigned char   *der, *a, *b;
    STACK_OF(X509)  *certs, *bag;

    (void) state;

    certs = sk_X509_new_null();

    for (i = 0; i < 8; i++) {

        /* of unlike lengths, the longest first */

        sk_X509_push(certs, make_ca(&"longer-name"[i], key, NULL, key));
    }

    X509_up_ref(sk_X509_value(certs, 3));
    sk_X509_push(certs, sk_X509_value(certs, 3));

    /* as given, doubles and all */

    len = enroll_bag(certs, 0, &der);
    p7 = decode(der, len);
    bag = p7->d.sign->cert;

    assert_int_equal(sk_X509_num(bag), 9);

    for (i = 0; i < 9; i++) {
        assert_int_equal(X509_cmp(sk_X509_value(bag, i),
                                  sk_X509_value(certs, i)), 0);
    }

    PKCS7_free(p7);
    OPENSSL_free(der);

    /* as a SET OF has them */

    len = enroll_bag(certs, 1, &der);
    p7 = decode(der, len);
    bag = p7->d.sign->cert;

    assert_int_equal(sk_X509_num(bag), 8);

    for (i = 1; i < 8; i++) {
        a = NULL;
        b = NULL;
        n = i2d_X509(sk_X509_value(bag, i - 1), &a);
        m = i2d_X509(sk_X509_value(bag, i), &b);

        assert_true(memcmp(a, b, (size_t) (n < m ? n : m)) < 0);

        OPENSSL_free(a);
        OPENSSL_free(b);
    }

    for (i = 0; i < 8; i++) {
        for (k = 0; k < 8; k++) {
            if (X509_cmp(sk_X509_value(bag, k), sk_X509_value(certs, i)) == 0)
            {
                break;
            }
        }

        assert_int_not_equal(k, 8);
    }

    PKCS7_free(p7);
    OPENSSL_free(der);

    /* the caller's list is as it was */

    assert_int_equal(sk_X509_num(certs), 9);
    assert_ptr_equal(sk_X509_value(certs, 3), sk_X509_value(certs, 8));

    sk_X509_pop_free(certs, X509_free);
}


static void
bag_empty(void **state)
{
    unsigned char   *der;
    STACK_OF(X509)  *certs;

    (void) state;

    certs = sk_X509_new_null();

    assert_int_equal(enroll_bag(certs, 1, &der), 0);
    assert_null(der);
    assert_int_equal(enroll_bag(NULL, 0, &der), 0);
    assert_null(der);
    assert_int_equal(enroll_bag_leaf(NULL, 0, certs, &der), 0);
    assert_null(der);
    assert_int_equal(enroll_bag_leaf(NULL, 0, NULL, &der), 0);
    assert_null(der);

    sk_X509_free(certs);
}


static void
attrs_are(const enroll_csrattrs_t *attrs, const char *base64)
{
    size_t          len;
    unsigned char   text[512], *der;

    len = enroll_csrattrs_der(attrs, &der);
    assert_true(len > 0 && len < 256);

    EVP_EncodeBlock(text, der, (int) len);
    assert_string_equal((char *) text, base64);

    OPENSSL_free(der);
}


/* the corrected example of RFC 9908 */

static void
csrattrs_example(void **state)
{
    size_t                    i;
    enroll_csrattrs_t        *attrs;

    static const char *const  words[] = {
        "challengePassword", "ec:P-384", "1.3.6.1.1.1.1.22",
        "ecdsa-with-SHA384"
    };

    (void) state;

    attrs = enroll_csrattrs_new();

    for (i = 0; i < 4; i++) {
        assert_null(enroll_csrattrs_add(attrs, words[i], strlen(words[i])));
    }

    attrs_are(attrs, "MDIGCSqGSIb3DQEJBzASBgcqhkjOPQIBMQcGBSuBBAAiBgcrBgEBAQEW"
                     "BggqhkjOPQQDAw==");

    enroll_csrattrs_free(attrs);
}


static void
csrattrs_words(void **state)
{
    size_t              i, len;
    const char         *error;
    unsigned char      *der;
    enroll_csrattrs_t  *attrs;

#define UNKNOWN  "it is neither an attribute, nor an OID, nor a key type"
#define CURVE    "the curve of \"ec:\" is P-256, P-384 or P-521"
#define SIZE     "the size in \"rsa:\" is one number of bits, 1024 to 16384"

    static const struct {
        const char  *word;
        const char  *der;
        size_t       len;
        const char  *error;
    } t[] = {
        { "rsa:3072", "\x30\x13\x30\x11\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01"
          "\x01\x01\x31\x04\x02\x02\x0c\x00", 21, NULL },
        { "ec:P-256", "\x30\x17\x30\x15\x06\x07\x2a\x86\x48\xce\x3d\x02\x01"
          "\x31\x0a\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07", 25, NULL },
        { "ed25519", "\x30\x05\x06\x03\x2b\x65\x70", 7, NULL },
        { "ed448", "\x30\x05\x06\x03\x2b\x65\x71", 7, NULL },
        { "ml-dsa-44", "\x30\x0b\x06\x09\x60\x86\x48\x01\x65\x03\x04\x03\x11",
          13, NULL },
        { "ml-dsa-87", "\x30\x0b\x06\x09\x60\x86\x48\x01\x65\x03\x04\x03\x13",
          13, NULL },
        { "1.2.3", "\x30\x04\x06\x02\x2a\x03", 6, NULL },
        { "", NULL, 0, UNKNOWN },
        { "nonsense", NULL, 0, UNKNOWN },
        { "1.2.x", NULL, 0, UNKNOWN },
        { "9.9.9", NULL, 0, UNKNOWN },
        { "undefined", NULL, 0, UNKNOWN },
        { "ec:P-192", NULL, 0, CURVE },
        { "ec:", NULL, 0, CURVE },
        { "ec:P-256,P-384", NULL, 0, CURVE },
        { "rsa:512", NULL, 0, SIZE },
        { "rsa:16385", NULL, 0, SIZE },
        { "rsa:", NULL, 0, SIZE },
        { "rsa:+2048", NULL, 0, SIZE },
        { "rsa:2048-4096", NULL, 0, SIZE },
        { "rsa:99999999999999999999", NULL, 0, SIZE },
    };

    (void) state;

    for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
        attrs = enroll_csrattrs_new();

        error = enroll_csrattrs_add(attrs, t[i].word, strlen(t[i].word));
        len = enroll_csrattrs_der(attrs, &der);

        if (t[i].error != NULL) {
            assert_non_null(error);
            assert_string_equal(error, t[i].error);
            assert_int_equal(len, 0);
            assert_null(der);

        } else {
            assert_null(error);
            assert_int_equal(len, t[i].len);
            assert_memory_equal(der, t[i].der, len);

            error = enroll_csrattrs_add(attrs, t[i].word, strlen(t[i].word));
            assert_string_equal(error, "it is repeated");
        }

        OPENSSL_free(der);
        enroll_csrattrs_free(attrs);
    }

    /* a length, not a terminator, ends a word */

    attrs = enroll_csrattrs_new();
    assert_null(enroll_csrattrs_add(attrs, "1.2.3.4", 5));
    attrs_are(attrs, "MAQGAioD");
    assert_non_null(enroll_csrattrs_add(attrs, "CN\0", 3));
    enroll_csrattrs_free(attrs);

    enroll_csrattrs_free(NULL);

    assert_int_equal(ERR_peek_error(), 0);
}


/* the key type is told where the profile leaves no choice of it */

static void
csrattrs_rules(void **state)
{
    size_t               i;
    unsigned char       *der;
    enroll_csrattrs_t   *attrs;
    enroll_key_rules_t   rules;

    static const struct {
        const char  *rule;
        const char  *also;
        const char  *base64;
    } t[] = {
        { "rsa:3072-4096", NULL, "MBMwEQYJKoZIhvcNAQEBMQQCAgwA" },
        { "ec:P-256", NULL, "MBcwFQYHKoZIzj0CATEKBggqhkjOPQMBBw==" },
        { "ed25519", NULL, "MAUGAytlcA==" },
        { "ed448", NULL, "MAUGAytlcQ==" },
        { "ec:P-256,P-384", NULL, NULL },
        { "rsa:2048-4096", "ec:P-256", NULL },
        { "ed25519", "ed448", NULL },
    };

    (void) state;

    for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
        memset(&rules, 0, sizeof(rules));
        attrs = enroll_csrattrs_new();

        assert_null(enroll_key_rules_add(&rules, t[i].rule,
                                         strlen(t[i].rule)));

        if (t[i].also != NULL) {
            assert_null(enroll_key_rules_add(&rules, t[i].also,
                                             strlen(t[i].also)));
        }

        /* the second time adds nothing */

        assert_int_equal(enroll_csrattrs_add_rules(attrs, &rules), 1);
        assert_int_equal(enroll_csrattrs_add_rules(attrs, &rules), 1);

        if (t[i].base64 != NULL) {
            attrs_are(attrs, t[i].base64);

        } else {
            assert_int_equal(enroll_csrattrs_der(attrs, &der), 0);
        }

        enroll_csrattrs_free(attrs);
    }
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(bag_shape),
        cmocka_unit_test(bag_order),
        cmocka_unit_test(bag_empty),
        cmocka_unit_test(csrattrs_example),
        cmocka_unit_test(csrattrs_words),
        cmocka_unit_test(csrattrs_rules),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
