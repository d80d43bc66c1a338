
/*
 * Copyright (C) The nginx-enroll authors
 */


/* subjectAltName: what is taken from a request or a template. */

/*
 * Conformance: PKIX-011 PKIX-023
 */


#include <stdio.h>

#include "unit_make.h"

#include "enroll_names.h"
#include "enroll_san.h"
#include "enroll_text.h"


#define UPN  "otherName:1.3.6.1.4.1.311.20.2.3;UTF8:"
#define SID  "tag:microsoft.com,2022-09-14:sid:S-1-5-21-1-2-3-500"


static void
san_syntax(void **state)
{
    size_t               i;
    enroll_csr_t         csr;
    enroll_names_t       names;
    enroll_outcome_e     outcome;

#define L63  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

    static const struct {
        int               type;
        const char       *value;
        size_t            len;
        enroll_outcome_e  outcome;
    } t[] = {
        { GEN_DNS, BYTES("dev-1.example.com"), ENROLL_OK },
        { GEN_DNS, BYTES("localhost"), ENROLL_OK },
        { GEN_DNS, BYTES("xn--zo-jka.example"), ENROLL_OK },
        { GEN_DNS, BYTES(L63 ".test"), ENROLL_OK },
        { GEN_DNS, BYTES(L63 "." L63 "." L63 "."
                         "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
                         "aaaaaaaa"), ENROLL_OK },
        { GEN_DNS, BYTES(L63 "." L63 "." L63 "."
                         "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
                         "aaaaaaaaa"), ENROLL_BAD_SAN },
        { GEN_DNS, BYTES("a" L63 ".test"), ENROLL_BAD_SAN },
        { GEN_DNS, BYTES(""), ENROLL_BAD_SAN },
        { GEN_DNS, BYTES("."), ENROLL_BAD_SAN },
        { GEN_DNS, BYTES(".a.test"), ENROLL_BAD_SAN },
        { GEN_DNS, BYTES("a.test."), ENROLL_BAD_SAN },
        { GEN_DNS, BYTES("a..test"), ENROLL_BAD_SAN },
        { GEN_DNS, BYTES("-a.test"), ENROLL_BAD_SAN },
        { GEN_DNS, BYTES("a-.test"), ENROLL_BAD_SAN },
        { GEN_DNS, BYTES("a_b.test"), ENROLL_BAD_SAN },
        { GEN_DNS, BYTES("a b.test"), ENROLL_BAD_SAN },
        { GEN_DNS, BYTES("a\0b.test"), ENROLL_BAD_SAN },
        { GEN_DNS, BYTES("a.test\n"), ENROLL_BAD_SAN },
        { GEN_DNS, BYTES("a\".test"), ENROLL_BAD_SAN },
        { GEN_DNS, BYTES("a\x1b.test"), ENROLL_BAD_SAN },
        { GEN_DNS, BYTES("zo\xc3\xab.test"), ENROLL_BAD_SAN },
        { GEN_DNS, BYTES("*"), ENROLL_BAD_SAN },
        { GEN_DNS, BYTES("*."), ENROLL_BAD_SAN },
        { GEN_DNS, BYTES("a.*.b"), ENROLL_BAD_SAN },
        { GEN_DNS, BYTES("w*.a.test"), ENROLL_BAD_SAN },
        { GEN_DNS, BYTES("*.a.test"), ENROLL_SAN_NOT_ALLOWED },

        { GEN_IPADD, BYTES("\x0a\0\0\1"), ENROLL_OK },
        { GEN_IPADD, BYTES("0123456789abcdef"), ENROLL_OK },
        { GEN_IPADD, BYTES(""), ENROLL_BAD_SAN },
        { GEN_IPADD, BYTES("\x0a\0\0"), ENROLL_BAD_SAN },
        { GEN_IPADD, BYTES("\x0a\0\0\0\1"), ENROLL_BAD_SAN },
        { GEN_IPADD, BYTES("\x0a\0\0\0\xff\0\0\0"), ENROLL_BAD_SAN },
        { GEN_IPADD, BYTES("0123456789abcdefg"), ENROLL_BAD_SAN },

        { GEN_EMAIL, BYTES("a.b+c@example.com"), ENROLL_OK },
        { GEN_EMAIL, BYTES("a"), ENROLL_BAD_SAN },
        { GEN_EMAIL, BYTES("@b.c"), ENROLL_BAD_SAN },
        { GEN_EMAIL, BYTES("a@"), ENROLL_BAD_SAN },
        { GEN_EMAIL, BYTES("a@b@c"), ENROLL_BAD_SAN },
        { GEN_EMAIL, BYTES(".a@b.c"), ENROLL_BAD_SAN },
        { GEN_EMAIL, BYTES("a.@b.c"), ENROLL_BAD_SAN },
        { GEN_EMAIL, BYTES("a..b@b.c"), ENROLL_BAD_SAN },
        { GEN_EMAIL, BYTES("a b@b.c"), ENROLL_BAD_SAN },
        { GEN_EMAIL, BYTES("a\0@b.c"), ENROLL_BAD_SAN },
        { GEN_EMAIL, BYTES("\xc3\xab@b.c"), ENROLL_BAD_SAN },
        { GEN_EMAIL, BYTES("Zo <a@b.c>"), ENROLL_BAD_SAN },

        { GEN_URI, BYTES("urn:uuid:1-2"), ENROLL_OK },
        { GEN_URI, BYTES("https://a.test/x?y#z"), ENROLL_OK },
        { GEN_URI, BYTES("spiffe://td/w"), ENROLL_OK },
        { GEN_URI, BYTES("https://u@a.test:1"), ENROLL_OK },
        { GEN_URI, BYTES("data1:x"), ENROLL_OK },
        { GEN_URI, BYTES("/x"), ENROLL_BAD_SAN },
        { GEN_URI, BYTES("a.test"), ENROLL_BAD_SAN },
        { GEN_URI, BYTES(":x"), ENROLL_BAD_SAN },
        { GEN_URI, BYTES("1a:x"), ENROLL_BAD_SAN },
        { GEN_URI, BYTES("a_b:x"), ENROLL_BAD_SAN },
        { GEN_URI, BYTES("urn:"), ENROLL_BAD_SAN },
        { GEN_URI, BYTES("https:///x"), ENROLL_BAD_SAN },
        { GEN_URI, BYTES("https://"), ENROLL_BAD_SAN },
        { GEN_URI, BYTES("https://u@/x"), ENROLL_BAD_SAN },
        { GEN_URI, BYTES("https://:1/x"), ENROLL_BAD_SAN },
        { GEN_URI, BYTES("urn:a b"), ENROLL_BAD_SAN },
        { GEN_URI, BYTES("urn:a\"b"), ENROLL_BAD_SAN },
        { GEN_URI, BYTES("urn:<b>"), ENROLL_BAD_SAN },
        { GEN_URI, BYTES("urn:a\0b"), ENROLL_BAD_SAN },
        { GEN_URI, BYTES("urn:\xc3\xab"), ENROLL_BAD_SAN },
        { GEN_URI, BYTES("javascript:alert(1)"), ENROLL_BAD_SAN },
        { GEN_URI, BYTES("JavaScript:alert(1)"), ENROLL_BAD_SAN },
        { GEN_URI, BYTES("data:text/html,x"), ENROLL_BAD_SAN },
    };

    (void) state;

    for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
        memset(&names, 0, sizeof(names));
        make_csr(&csr, make_name("CN=a", NULL), NULL);
        csr.san = make_raw_san(t[i].type, t[i].value, t[i].len);

        names.subject = make_name("CN=a", NULL);
        outcome = enroll_names_san(&names, &csr, ENROLL_SAN_DEFAULT, NULL, 0);

        if (outcome != t[i].outcome) {
            fail_msg("\"%s\": %s, not %s", t[i].value,
                     enroll_outcome(outcome)->reason,
                     enroll_outcome(t[i].outcome)->reason);
        }

        if (outcome == ENROLL_OK) {
            assert_non_null(names.san);

        } else {
            assert_null(names.san);
        }

        enroll_names_cleanup(&names);
        make_csr_free(&csr);
    }
}


static void
san_kinds(void **state)
{
    char                *text;
    size_t               i;
    enroll_csr_t         csr;
    GENERAL_NAMES       *san;
    enroll_names_t       names;
    enroll_outcome_e     outcome;

    /* text: what the certificate has, NULL for no extension */

    static const struct {
        const char       *san;
        unsigned          kinds;
        enroll_outcome_e  outcome;
        const char       *text;
    } t[] = {
        { "DNS:a.test,IP:::1", ENROLL_SAN_DEFAULT, ENROLL_OK,
          "dns:a.test, ip:::1" },
        { "DNS:a.test", ENROLL_SAN_IP, ENROLL_SAN_NOT_ALLOWED, NULL },
        { "DNS:a.test", ENROLL_SAN_WILDCARD, ENROLL_SAN_NOT_ALLOWED, NULL },
        { "DNS:*.a.test", ENROLL_SAN_DNS, ENROLL_SAN_NOT_ALLOWED, NULL },
        { "DNS:*.a.test", ENROLL_SAN_WILDCARD, ENROLL_OK, "dns:*.a.test" },
        { "DNS:*.*.a.test", ENROLL_SAN_WILDCARD, ENROLL_BAD_SAN, NULL },
        { "IP:10.0.0.1", ENROLL_SAN_DNS, ENROLL_SAN_NOT_ALLOWED, NULL },
        { "email:a@b.c", ENROLL_SAN_DNS, ENROLL_SAN_NOT_ALLOWED, NULL },
        { "URI:urn:a:b", ENROLL_SAN_DNS, ENROLL_SAN_NOT_ALLOWED, NULL },
        { UPN "u@a.test", ENROLL_SAN_DEFAULT, ENROLL_SAN_NOT_ALLOWED, NULL },
        { UPN "u@a.test", ENROLL_SAN_UPN, ENROLL_OK, "upn:u@a.test" },
        { "otherName:1.3.6.1.4.1.311.20.2.3;IA5:u", ENROLL_SAN_UPN,
          ENROLL_BAD_SAN, NULL },
        { "otherName:1.2.3.4;UTF8:u", ~0u, ENROLL_SAN_NOT_ALLOWED, NULL },
        { "RID:1.2.3.4", ~0u, ENROLL_SAN_NOT_ALLOWED, NULL },
    };

    (void) state;

    for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
        memset(&names, 0, sizeof(names));

        make_csr(&csr, make_name("CN=a", NULL), t[i].san);

        names.subject = make_name("CN=a", NULL);
        outcome = enroll_names_san(&names, &csr, t[i].kinds, NULL, 0);

        if (outcome != t[i].outcome) {
            fail_msg("\"%s\": %s", t[i].san, enroll_outcome(outcome)->reason);
        }

        if (t[i].text != NULL) {
            san = X509V3_EXT_d2i(names.san);
            text = enroll_text_san(san);
            assert_string_equal(text, t[i].text);
            OPENSSL_free(text);
            GENERAL_NAMES_free(san);

        } else {
            assert_null(names.san);
        }

        enroll_names_cleanup(&names);
        make_csr_free(&csr);
    }
}


/* dropped, not refused: Windows puts it in whether it is wanted or not */

static void
san_sid(void **state)
{
    char                *text;
    size_t               i;
    enroll_csr_t         csr;
    GENERAL_NAMES       *san;
    enroll_names_t       names;

    static const struct {
        const char  *sid;
        const char  *other;
        unsigned     kinds;
        const char  *text;
    } t[] = {
        { SID, "DNS:a.test", ENROLL_SAN_DEFAULT, "dns:a.test" },
        { SID, NULL, ENROLL_SAN_DEFAULT, NULL },
        { "TAG:Microsoft.com,2022-09-14:SID:S-1-5", NULL, ENROLL_SAN_DEFAULT,
          NULL },
        { SID, NULL, ENROLL_SAN_SID,
          "uri:tag:microsoft.com\\2C2022-09-14:sid:S-1-5-21-1-2-3-500" },
        { "tag:microsoft.com:x", NULL, ENROLL_SAN_DEFAULT,
          "uri:tag:microsoft.com:x" },
    };

    (void) state;

    for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
        memset(&names, 0, sizeof(names));
        make_csr(&csr, make_name("CN=a", NULL), NULL);
        csr.san = make_raw_san(GEN_URI, t[i].sid, strlen(t[i].sid));

        if (t[i].other != NULL) {
            san = make_san(t[i].other);
            sk_GENERAL_NAME_push(csr.san, sk_GENERAL_NAME_pop(san));
            GENERAL_NAMES_free(san);
        }

        names.subject = make_name("CN=a", NULL);

        assert_int_equal(enroll_names_san(&names, &csr, t[i].kinds, NULL, 0),
                         ENROLL_OK);

        if (t[i].text != NULL) {
            assert_non_null(names.san);

            san = X509V3_EXT_d2i(names.san);
            text = enroll_text_san(san);
            assert_string_equal(text, t[i].text);
            OPENSSL_free(text);
            GENERAL_NAMES_free(san);

        } else {
            assert_null(names.san);
        }

        enroll_names_cleanup(&names);
        make_csr_free(&csr);
    }
}


static void
san_template(void **state)
{
    char                *text;
    size_t               i;
    enroll_csr_t         csr;
    GENERAL_NAMES       *san;
    enroll_names_t       names;
    enroll_outcome_e     outcome;
    enroll_san_value_t   value;

    static const struct {
        unsigned          kind;
        const char       *value;
        size_t            len;
        unsigned          kinds;
        enroll_outcome_e  outcome;
        const char       *text;
    } t[] = {
        { ENROLL_SAN_DNS, BYTES("b.test"), 0, ENROLL_OK, "dns:b.test" },
        { ENROLL_SAN_DNS, BYTES(""), 0, ENROLL_OK, NULL },
        { ENROLL_SAN_DNS, BYTES("*.b.test"), ENROLL_SAN_DNS,
          ENROLL_SAN_NOT_ALLOWED, NULL },
        { ENROLL_SAN_DNS, BYTES("*.b.test"), ENROLL_SAN_WILDCARD, ENROLL_OK,
          "dns:*.b.test" },
        { ENROLL_SAN_DNS, BYTES("b\0.test"), 0, ENROLL_BAD_SAN, NULL },
        { ENROLL_SAN_IP, BYTES("10.0.0.1"), 0, ENROLL_OK, "ip:10.0.0.1" },
        { ENROLL_SAN_IP, BYTES("2001:DB8:0::1"), 0, ENROLL_OK,
          "ip:2001:db8::1" },
        { ENROLL_SAN_IP, BYTES("10.0.0.256"), 0, ENROLL_BAD_SAN, NULL },
        { ENROLL_SAN_IP, BYTES(" 10.0.0.1"), 0, ENROLL_BAD_SAN, NULL },
        { ENROLL_SAN_IP, BYTES("10.0.0.1\0"), 0, ENROLL_BAD_SAN, NULL },
        { ENROLL_SAN_IP, BYTES("10.0.0.0/8"), 0, ENROLL_BAD_SAN, NULL },
        { ENROLL_SAN_IP, BYTES("b.test"), 0, ENROLL_BAD_SAN, NULL },
        { ENROLL_SAN_EMAIL, BYTES("a@b.c"), 0, ENROLL_OK, "email:a@b.c" },
        { ENROLL_SAN_EMAIL, BYTES("a"), 0, ENROLL_BAD_SAN, NULL },
        { ENROLL_SAN_URI, BYTES("urn:a:b"), 0, ENROLL_OK, "uri:urn:a:b" },
        { ENROLL_SAN_URI, BYTES(SID), ENROLL_SAN_URI, ENROLL_SAN_NOT_ALLOWED,
          NULL },
        { ENROLL_SAN_UPN, BYTES("zo\xc3\xab@b.c"), 0, ENROLL_OK,
          "upn:zo\xc3\xab@b.c" },
        { ENROLL_SAN_UPN, BYTES("zo\xeb@b.c"), 0, ENROLL_BAD_SAN, NULL },
        { ENROLL_SAN_WILDCARD, BYTES("*.b.test"), ~0u, ENROLL_BAD_SAN, NULL },
    };

    (void) state;

    for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
        memset(&names, 0, sizeof(names));
        make_csr(&csr, make_name("CN=a", NULL), NULL);

        value.kind = t[i].kind;
        value.value = t[i].value;
        value.len = t[i].len;

        names.subject = make_name("CN=a", NULL);
        outcome = enroll_names_san(&names, &csr, t[i].kinds, &value, 1);

        if (outcome != t[i].outcome) {
            fail_msg("\"%s\": %s", t[i].value,
                     enroll_outcome(outcome)->reason);
        }

        if (t[i].text != NULL) {
            san = X509V3_EXT_d2i(names.san);
            text = enroll_text_san(san);
            assert_string_equal(text, t[i].text);
            OPENSSL_free(text);
            GENERAL_NAMES_free(san);

        } else {
            assert_null(names.san);
        }

        enroll_names_cleanup(&names);
        make_csr_free(&csr);
    }
}


/* the request's names come first, and a template repeats none of them */

static void
san_merge(void **state)
{
    char                     *text;
    enroll_csr_t              csr;
    GENERAL_NAMES            *san;
    enroll_names_t            names;

    static enroll_san_value_t values[] = {
        { ENROLL_SAN_DNS, "A.Test", 6 },
        { ENROLL_SAN_DNS, "b.test", 6 },
        { ENROLL_SAN_DNS, "b.test", 6 },
    };

    (void) state;

    memset(&names, 0, sizeof(names));
    make_csr(&csr, make_name("CN=a", NULL), "IP:10.0.0.1,DNS:a.test");
    names.subject = make_name("CN=a", NULL);

    assert_int_equal(enroll_names_san(&names, &csr, ENROLL_SAN_DEFAULT,
                                      values, 3),
                     ENROLL_OK);

    san = X509V3_EXT_d2i(names.san);
    text = enroll_text_san(san);
    assert_string_equal(text, "ip:10.0.0.1, dns:a.test, dns:b.test");

    OPENSSL_free(text);
    GENERAL_NAMES_free(san);
    enroll_names_cleanup(&names);
    make_csr_free(&csr);
}


/* RFC 5280, section 4.2.1.6 */

static void
san_critical_without_subject(void **state)
{
    size_t               i;
    X509_NAME           *subject;
    enroll_csr_t         csr;
    enroll_names_t       names;

    static const struct {
        int               subject;
        const char       *san;
        enroll_outcome_e  outcome;
        int               critical;
    } t[] = {
        { 1, "DNS:a.test", ENROLL_OK, 0 },
        { 0, "DNS:a.test", ENROLL_OK, 1 },
        { 1, NULL, ENROLL_OK, -1 },
        { 0, NULL, ENROLL_NO_NAME, -1 },
    };

    (void) state;

    for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
        memset(&names, 0, sizeof(names));

        subject = t[i].subject ? make_name("CN=a", NULL) : X509_NAME_new();
        make_csr(&csr, subject, t[i].san);

        assert_int_equal(enroll_names_subject_csr(&names, &csr), ENROLL_OK);
        assert_int_equal(enroll_names_san(&names, &csr, ENROLL_SAN_DEFAULT,
                                          NULL, 0),
                         t[i].outcome);
        assert_int_equal(names.san != NULL
                             ? X509_EXTENSION_get_critical(names.san) : -1,
                         t[i].critical);

        enroll_names_cleanup(&names);
        make_csr_free(&csr);
    }
}


static void
san_number(void **state)
{
    int                  i;
    enroll_csr_t         csr;
    GENERAL_NAMES       *one;
    enroll_names_t       names;
    enroll_san_value_t   value;

    (void) state;

    value.kind = ENROLL_SAN_DNS;
    value.value = "b.test";
    value.len = 6;

    memset(&names, 0, sizeof(names));
    make_csr(&csr, make_name("CN=a", NULL), NULL);
    names.subject = make_name("CN=a", NULL);

    /* an extension is there, but with no name in it */

    csr.san = sk_GENERAL_NAME_new_null();
    assert_int_equal(enroll_names_san(&names, &csr, ENROLL_SAN_DEFAULT, NULL,
                                      0),
                     ENROLL_BAD_SAN);

    for (i = 0; i < ENROLL_CSR_NAMES; i++) {
        one = make_san("DNS:a.test");
        sk_GENERAL_NAME_push(csr.san, sk_GENERAL_NAME_pop(one));
        GENERAL_NAMES_free(one);
    }

    assert_int_equal(enroll_names_san(&names, &csr, ENROLL_SAN_DEFAULT, NULL,
                                      0),
                     ENROLL_OK);
    assert_int_equal(enroll_names_san(&names, &csr, ENROLL_SAN_DEFAULT, &value,
                                      1),
                     ENROLL_BAD_SAN);

    one = make_san("DNS:a.test");
    sk_GENERAL_NAME_push(csr.san, sk_GENERAL_NAME_pop(one));
    GENERAL_NAMES_free(one);

    assert_int_equal(enroll_names_san(&names, &csr, ENROLL_SAN_DEFAULT, NULL,
                                      0),
                     ENROLL_BAD_SAN);

    enroll_names_cleanup(&names);
    make_csr_free(&csr);
}


static void
san_words(void **state)
{
    (void) state;

    assert_int_equal(enroll_san_kind(BYTES("dns")), ENROLL_SAN_DNS);
    assert_int_equal(enroll_san_kind(BYTES("wildcard")), ENROLL_SAN_WILDCARD);
    assert_int_equal(enroll_san_kind(BYTES("ip")), ENROLL_SAN_IP);
    assert_int_equal(enroll_san_kind(BYTES("email")), ENROLL_SAN_EMAIL);
    assert_int_equal(enroll_san_kind(BYTES("uri")), ENROLL_SAN_URI);
    assert_int_equal(enroll_san_kind(BYTES("upn")), ENROLL_SAN_UPN);
    assert_int_equal(enroll_san_kind(BYTES("sid")), ENROLL_SAN_SID);
    assert_int_equal(enroll_san_kind(BYTES("DNS")), 0);
    assert_int_equal(enroll_san_kind(BYTES("dnsx")), 0);
    assert_int_equal(enroll_san_kind("dnsx", 3), ENROLL_SAN_DNS);
    assert_int_equal(enroll_san_kind("", 0), 0);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(san_syntax),
        cmocka_unit_test(san_kinds),
        cmocka_unit_test(san_sid),
        cmocka_unit_test(san_template),
        cmocka_unit_test(san_merge),
        cmocka_unit_test(san_critical_without_subject),
        cmocka_unit_test(san_number),
        cmocka_unit_test(san_words),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
