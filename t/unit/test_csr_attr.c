
/*
 * Copyright (C) The nginx-enroll authors
 */


/* attributes of requests: challenges, extensions, alternative names */


#include "unit_csr.h"


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


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        unit(attributes_are_counted),
        unit(challenges_are_read),
        unit(bad_challenges_are_refused),
        unit(extension_requests_are_checked),
        unit(extension_values_are_checked),
        unit(alternative_names_are_checked)
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
