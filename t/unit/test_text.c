
/*
 * Copyright (C) The nginx-enroll authors
 */


/* Names and numbers as text: readable, bounded, without a trap in it. */


#include <stdio.h>

#include "unit_make.h"

#include "enroll_text.h"


static void
text_names(void **state)
{
    char       *name, *cn;
    size_t      i;
    X509_NAME  *subject;

    static const struct {
        const char  *value;
        size_t       len;
        const char  *name;
        const char  *cn;
    } t[] = {
        { BYTES("dev"), "CN=dev", "dev" },
        { BYTES("Zo\xc3\xab"), "CN=Zo\xc3\xab", "Zo\xc3\xab" },
        { BYTES("a,b"), "CN=a\\,b", "a,b" },
        { BYTES("a\nb\x7f"), "CN=a\\0Ab\\7F", "a\\0Ab\\7F" },
        { BYTES("a\0b"), "CN=a\\00b", "a\\00b" },
        { BYTES("a\xc2\x85z"), "CN=a\\C2\\85z", "a\\C2\\85z" },

        /* OpenSSL does not decode it either */

        { BYTES("a\xffz"), "CN=a\\FFz", NULL },
    };

    (void) state;

    for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
        subject = make_raw_name(NID_commonName, V_ASN1_UTF8STRING, t[i].value,
                                t[i].len);

        name = enroll_text_name(subject);
        cn = enroll_text_cn(subject);

        assert_string_equal(name, t[i].name);

        if (t[i].cn != NULL) {
            assert_string_equal(cn, t[i].cn);

        } else {
            assert_null(cn);
        }

        OPENSSL_free(name);
        OPENSSL_free(cn);
        X509_NAME_free(subject);
    }

    subject = make_name("CN=first", "O=Ex", "CN=last", NULL);

    name = enroll_text_name(subject);
    cn = enroll_text_cn(subject);
    assert_string_equal(name, "CN=last,O=Ex,CN=first");
    assert_string_equal(cn, "last");

    OPENSSL_free(name);
    OPENSSL_free(cn);
    X509_NAME_free(subject);

    subject = X509_NAME_new();
    assert_null(enroll_text_name(subject));
    assert_null(enroll_text_cn(subject));
    X509_NAME_free(subject);

    assert_null(enroll_text_name(NULL));
    assert_null(enroll_text_cn(NULL));
    assert_null(enroll_text_san(NULL));
}


static void
text_bounded(void **state)
{
    int             i;
    char           *value, *text;
    X509_NAME      *subject;
    GENERAL_NAMES  *san, *one;

    (void) state;

    value = make_repeat('\n', ENROLL_TEXT_MAX);
    subject = make_raw_name(NID_commonName, V_ASN1_UTF8STRING, value,
                            ENROLL_TEXT_MAX);

    text = enroll_text_cn(subject);
    assert_true(strlen(text) <= ENROLL_TEXT_MAX);
    assert_string_equal(text + strlen(text) - 4, " ...");
    OPENSSL_free(text);

    text = enroll_text_name(subject);
    assert_true(strlen(text) <= ENROLL_TEXT_MAX);
    OPENSSL_free(text);

    X509_NAME_free(subject);
    free(value);

    /* a list is cut behind a whole name, and says so */

    san = sk_GENERAL_NAME_new_null();

    for (i = 0; i < 1000; i++) {
        one = make_san("DNS:a.test");
        sk_GENERAL_NAME_push(san, sk_GENERAL_NAME_pop(one));
        GENERAL_NAMES_free(one);
    }

    text = enroll_text_san(san);
    assert_true(strlen(text) <= ENROLL_TEXT_MAX);
    assert_string_equal(text + strlen(text) - 14, "dns:a.test ...");

    OPENSSL_free(text);
    GENERAL_NAMES_free(san);
}


static void
text_whole(void **state)
{
    int             i, whole;
    char           *value, *text;
    X509_NAME      *subject;
    GENERAL_NAMES  *san;

    (void) state;

    static const char  *hidden[] = {
        "otherName:1.2.3.4;UTF8:x", "DNS:a.test,otherName:1.2.3.4;UTF8:x"
    };

    assert_null(enroll_text_name_whole(NULL, &whole));
    assert_int_equal(whole, 1);

    /* up to the last octet, "CN=" included */

    for (i = 0; i < 2; i++) {
        value = make_repeat('a', ENROLL_TEXT_MAX - 3 + i);
        subject = make_raw_name(NID_commonName, V_ASN1_UTF8STRING, value,
                                ENROLL_TEXT_MAX - 3 + i);

        text = enroll_text_name_whole(subject, &whole);
        assert_int_equal(whole, !i);
        assert_int_equal(strlen(text), ENROLL_TEXT_MAX);

        OPENSSL_free(text);
        X509_NAME_free(subject);
        free(value);
    }

    /* what only looks as if it were cut */

    subject = make_raw_name(NID_commonName, V_ASN1_UTF8STRING,
                            BYTES("a ..."));
    text = enroll_text_name_whole(subject, &whole);
    assert_int_equal(whole, 1);
    assert_string_equal(text, "CN=a ...");
    OPENSSL_free(text);
    X509_NAME_free(subject);

    san = make_san("DNS:a.test,IP:10.0.0.1");
    text = enroll_text_san_whole(san, &whole);
    assert_int_equal(whole, 1);
    OPENSSL_free(text);
    GENERAL_NAMES_free(san);

    for (i = 0; i < 2; i++) {
        san = make_san(hidden[i]);
        text = enroll_text_san_whole(san, &whole);
        assert_int_equal(whole, 0);
        OPENSSL_free(text);
        GENERAL_NAMES_free(san);
    }

    /* too long for any of it */

    value = make_repeat('a', ENROLL_TEXT_MAX);
    san = make_raw_san(GEN_DNS, value, ENROLL_TEXT_MAX);
    assert_null(enroll_text_san_whole(san, &whole));
    assert_int_equal(whole, 0);
    GENERAL_NAMES_free(san);
    free(value);
}


static void
text_san(void **state)
{
    char           *text;
    GENERAL_NAMES  *san;

    (void) state;

    san = make_san("DNS:a.test,IP:10.0.0.1,IP:2001:DB8::1,email:a@b.c,"
                   "URI:urn:a,RID:1.2.3.4,otherName:1.2.3.4;UTF8:x,"
                   "otherName:1.3.6.1.4.1.311.20.2.3;UTF8:u@b.c");

    text = enroll_text_san(san);
    assert_string_equal(text, "dns:a.test, ip:10.0.0.1, ip:2001:db8::1, "
                              "email:a@b.c, uri:urn:a, rid:1.2.3.4, "
                              "other:1.2.3.4, upn:u@b.c");
    OPENSSL_free(text);
    GENERAL_NAMES_free(san);

    /* one value never reads as two names */

    san = make_raw_san(GEN_DNS, BYTES("a, dns:admin\n"));
    text = enroll_text_san(san);
    assert_string_equal(text, "dns:a\\2C dns:admin\\0A");
    OPENSSL_free(text);
    GENERAL_NAMES_free(san);
}


static void
text_serial(void **state)
{
    char           text[ENROLL_SERIAL_TEXT];
    size_t         i;
    ASN1_INTEGER  *serial;

    static const struct {
        const char  *value;
        size_t       len;
        int          type;
        const char  *text;
    } t[] = {
        { BYTES("\x0a"), V_ASN1_INTEGER, "0A" },
        { BYTES("\x01\xff"), V_ASN1_INTEGER, "01FF" },
        { BYTES("\0"), V_ASN1_INTEGER, "00" },
        { BYTES("\x7f" "123456789012345678\xff"), V_ASN1_INTEGER,
          "7F313233343536373839303132333435363738FF" },
        { BYTES("\x7f" "1234567890123456789\xff"), V_ASN1_INTEGER, "" },
        { BYTES("\x01"), V_ASN1_NEG_INTEGER, "" },
    };

    (void) state;

    for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
        serial = ASN1_INTEGER_new();
        serial->type = t[i].type;
        ASN1_STRING_set(serial, t[i].value, (int) t[i].len);

        assert_int_equal(enroll_text_serial(serial, text), strlen(t[i].text));
        assert_string_equal(text, t[i].text);

        ASN1_INTEGER_free(serial);
    }

    assert_int_equal(enroll_text_serial(NULL, text), 0);
    assert_string_equal(text, "");
}


static void
text_length(void **state)
{
    (void) state;

    assert_int_equal(enroll_text_length((const unsigned char *) "", 0), 0);
    assert_int_equal(enroll_text_length((const unsigned char *)
                                        "a\xc3\xab\xe2\x82\xac", 6), 3);
    assert_int_equal(enroll_text_length((const unsigned char *)
                                        "a\xc3\xab\xe2\x82", 5), -1);
    assert_int_equal(enroll_text_length((const unsigned char *) "a\0b", 3),
                     -1);
    assert_int_equal(enroll_text_length((const unsigned char *)
                                        "\xf8\x88\x80\x80\x80", 5), -1);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(text_names),
        cmocka_unit_test(text_bounded),
        cmocka_unit_test(text_whole),
        cmocka_unit_test(text_san),
        cmocka_unit_test(text_serial),
        cmocka_unit_test(text_length),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
