
/*
 * Copyright (C) The nginx-enroll authors
 */


/* GetCACaps, and the "message" of a GET. */


#include "unit_make.h"

#include "enroll_scep.h"


static void
caps_are(unsigned legacy, unsigned caps, const char *want)
{
    char    text[ENROLL_SCEP_CAPS_LEN];
    size_t  len;

    len = enroll_scep_caps(text, legacy, caps);

    assert_int_equal(len, strlen(text));
    assert_string_equal(text, want);
}


static void
caps(void **state)
{
    (void) state;

    caps_are(0, 0,
             "AES\nPOSTPKIOperation\nSCEPStandard\nSHA-256\nSHA-384\n"
             "SHA-512\n");
    caps_are(0, ENROLL_SCEP_CAP_RENEWAL,
             "AES\nPOSTPKIOperation\nRenewal\nSCEPStandard\nSHA-256\n"
             "SHA-384\nSHA-512\n");
    caps_are(ENROLL_LEGACY_SHA1, ENROLL_SCEP_CAP_NEXT_CA,
             "AES\nGetNextCACert\nPOSTPKIOperation\nSCEPStandard\nSHA-1\n"
             "SHA-256\nSHA-384\nSHA-512\n");

    /* MD5 and single DES have no keyword */

    caps_are(ENROLL_LEGACY_SHA1|ENROLL_LEGACY_MD5|ENROLL_LEGACY_DES3
             |ENROLL_LEGACY_DES,
             ENROLL_SCEP_CAP_RENEWAL|ENROLL_SCEP_CAP_NEXT_CA,
             "AES\nDES3\nGetNextCACert\nPOSTPKIOperation\nRenewal\n"
             "SCEPStandard\nSHA-1\nSHA-256\nSHA-384\nSHA-512\n");
}


/* into a buffer of the size asked for, and in place */

static void
query_is(const char *in, enroll_outcome_e want, const char *out, size_t outlen)
{
    int             i;
    size_t          n, len;
    unsigned char  *room;

    len = strlen(in);

    for (i = 0; i < 2; i++) {
        room = malloc(len + 4);
        assert_non_null(room);

        if (i) {
            memcpy(room, in, len);
        }

        n = 0;

        assert_int_equal(enroll_scep_query_decode(room, &n,
                             i ? room : (const unsigned char *) in, len),
                         want);

        if (want == ENROLL_OK) {
            assert_int_equal(n, outlen);
            assert_memory_equal(room, out, outlen);
        }

        free(room);
    }
}


static void
query(void **state)
{
    size_t              i;

    /* "\xfb\xef\xff\xfe\x01" is ++//... in base64: "++///gE=" */

    static const char  *good[] = {
        "++///gE=",
        "++///gE",
        "%2B%2B%2F%2F%2FgE%3D",
        "%2b%2b%2f%2f%2fgE%3d",
        "  ///gE=",
        "%20%20///gE=",
        "+%2B/%2F/gE%3D",
        "++///%0AgE=%0A",
        "++///%0D%0AgE=%0D%0A",
        "++///\r\n\tgE=\n",
        "%2B+%2f//gE= ",
        "%2B%2B%2F%2F%2F%67%45"
    };

    static const char  *bad[] = {
        "--___gE=", "-_", "%", "%2", "%2g", "%zz", "++///gE%3", "%252B",
        "++///g%00E=", "++///gE==", "++///gE=A", "=++///gE", "++///gF=",
        "A", "AAAAA", "AA=", "AAA==", "AAAA=", "\x80", "%80", "A*AA",
        "++///gE=&x=y"
    };

    static const char  *empty[] = { "", "%0A", "\r\n", "\t" };

    (void) state;

    for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        query_is(good[i], ENROLL_OK, "\xfb\xef\xff\xfe\x01", 5);
    }

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        query_is(bad[i], ENROLL_BAD_ENCODING, NULL, 0);
    }

    for (i = 0; i < sizeof(empty) / sizeof(empty[0]); i++) {
        query_is(empty[i], ENROLL_EMPTY_BODY, NULL, 0);
    }

    query_is("MA", ENROLL_OK, "0", 1);
    query_is("MAA", ENROLL_OK, "0\0", 2);
    query_is("MAAA", ENROLL_OK, "0\0\0", 3);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(caps),
        cmocka_unit_test(query)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
