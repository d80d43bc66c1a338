
/*
 * Copyright (C) The nginx-enroll authors
 */


#include <pthread.h>
#include <openssl/cms.h>

#include "enroll_encoding.h"
#include "unit_csr.h"


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


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        unit(requests_of_other_tools_are_read),
        unit(form_is_checked),
        unit(ber_is_verified_as_received),
        unit(subjects_are_checked),
        unit(wrapped_requests_are_taken),
        unit(cms_is_taken),
        unit(damaged_requests_do_no_harm),
        unit(keys_are_compared),
        unit(the_error_queue_is_left_alone),
        unit(threads_may_verify_at_once)
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
