
/*
 * Copyright (C) The nginx-enroll authors
 */


#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "enroll_json.h"


#define MEMBERS                                                               \
    {                                                                         \
        { "s", ENROLL_JSON_STRING, 8, NULL, 0, 0, 0 },                        \
        { "t", ENROLL_JSON_STRING, 8, NULL, 0, 0, 0 },                        \
        { "n", ENROLL_JSON_NUMBER, 100, NULL, 0, 0, 0 },                      \
        { NULL, 0, 0, NULL, 0, 0, 0 }                                         \
    }


typedef struct {
    const char        *in;
    enroll_outcome_e   outcome;
    const char        *bad;
    const char        *s;
    const char        *t;
    long               n;
} json_t;


/* the input stands in memory of just its size */

static void
check(const json_t *row, size_t len)
{
    unsigned char         *in;
    const char            *bad;
    enroll_outcome_e       rc;
    enroll_json_member_t   members[] = MEMBERS;

    in = malloc(len ? len : 1);
    assert_non_null(in);
    memcpy(in, row->in, len);

    rc = enroll_json_parse(in, len, members, &bad);

    if (rc != row->outcome) {
        fail_msg("%s: %s", row->in, enroll_outcome(rc)->reason);
    }

    if (row->bad || bad) {
        assert_non_null(row->bad);
        assert_non_null(bad);
        assert_string_equal(bad, row->bad);
    }

    if (rc == ENROLL_OK) {
        assert_int_equal(members[0].set, row->s != NULL);
        assert_int_equal(members[1].set, row->t != NULL);
        assert_int_equal(members[2].set, row->n >= 0);

        if (row->s) {
            assert_int_equal(members[0].len, strlen(row->s));
            assert_memory_equal(members[0].data, row->s, members[0].len);
        }

        if (row->t) {
            assert_int_equal(members[1].len, strlen(row->t));
            assert_memory_equal(members[1].data, row->t, members[1].len);
        }

        if (row->n >= 0) {
            assert_int_equal(members[2].number, row->n);
        }
    }

    free(in);
}


static void
test_good(void **state)
{
    size_t  i;

    static const json_t  rows[] = {
        { "{}", ENROLL_OK, NULL, NULL, NULL, -1 },
        { " \t\r\n{ } \n", ENROLL_OK, NULL, NULL, NULL, -1 },
        { "{\"s\":\"\"}", ENROLL_OK, NULL, "", NULL, -1 },
        { "{\"s\":\"abc\",\"t\":\"d\",\"n\":7}", ENROLL_OK, NULL, "abc", "d",
          7 },
        { " { \"n\" : 0 , \"s\" : \"a\" } ", ENROLL_OK, NULL, "a", NULL, 0 },
        { "{\"n\":100}", ENROLL_OK, NULL, NULL, NULL, 100 },
        { "{\"s\":\"\\\"\\\\\\/\"}", ENROLL_OK, NULL, "\"\\/", NULL, -1 },
        { "{\"s\":\"\\u0041\\u00e9\"}", ENROLL_OK, NULL, "A\xc3\xa9", NULL,
          -1 },
        { "{\"s\":\"\\u20AC\"}", ENROLL_OK, NULL, "\xe2\x82\xac", NULL, -1 },
        { "{\"s\":\"\\ud83d\\ude00x\"}", ENROLL_OK, NULL,
          "\xf0\x9f\x98\x80x", NULL, -1 },
        { "{\"\\u0073\":\"x\"}", ENROLL_OK, NULL, "x", NULL, -1 },
        { "{\"s\":\"\xc3\xa9\xe2\x82\xac\"}", ENROLL_OK, NULL,
          "\xc3\xa9\xe2\x82\xac", NULL, -1 },
        { "{\"s\":\"\xf4\x8f\xbf\xbf\"}", ENROLL_OK, NULL,
          "\xf4\x8f\xbf\xbf", NULL, -1 },
        { "{\"s\":\"12345678\"}", ENROLL_OK, NULL, "12345678", NULL, -1 }
    };

    (void) state;

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        check(&rows[i], strlen(rows[i].in));
    }
}


static void
test_member(void **state)
{
    size_t  i;

    static const json_t  rows[] = {
        { "{\"x\":\"a\"}", ENROLL_BAD_MEMBER, NULL, NULL, NULL, -1 },
        { "{\"S\":\"a\"}", ENROLL_BAD_MEMBER, NULL, NULL, NULL, -1 },
        { "{\"\":\"a\"}", ENROLL_BAD_MEMBER, NULL, NULL, NULL, -1 },
        { "{\"s\":\"a\",\"s\":\"a\"}", ENROLL_BAD_MEMBER, "s", NULL, NULL,
          -1 },
        { "{\"s\":1}", ENROLL_BAD_MEMBER, "s", NULL, NULL, -1 },
        { "{\"n\":\"1\"}", ENROLL_BAD_MEMBER, "n", NULL, NULL, -1 },
        { "{\"n\":101}", ENROLL_BAD_MEMBER, "n", NULL, NULL, -1 },
        { "{\"s\":\"123456789\"}", ENROLL_BAD_MEMBER, "s", NULL, NULL, -1 },

        /* the first one is told */

        { "{\"s\":1,\"n\":\"x\"}", ENROLL_BAD_MEMBER, "s", NULL, NULL, -1 }
    };

    (void) state;

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        check(&rows[i], strlen(rows[i].in));
    }
}


static void
test_malformed(void **state)
{
    size_t   i, len;
    json_t   row = { NULL, ENROLL_BAD_JSON, NULL, NULL, NULL, -1 };

    static const char  whole[] = "{\"s\":\"a\\u00e9\xc3\xa9\",\"n\":7}";

    static const char  *rows[] = {
        "", " ", "[]", "\"s\"", "1", "null", "{,}", "{\"s\"}", "{\"s\":}",
        "{\"s\":\"a\",}", "{\"s\":\"a\" \"n\":1}", "{\"s\":\"a\"}}",
        "{\"s\":\"a\"} x", "{s:\"a\"}", "{'s':'a'}", "{\"s\":\"a\";}",
        "{\"s\":null}", "{\"s\":true}", "{\"s\":[\"a\"]}",
        "{\"s\":{\"s\":\"a\"}}", "{1:2}", "{\"n\":}", "{\"n\":-1}",
        "{\"n\":+1}", "{\"n\":01}", "{\"n\":00}", "{\"n\":1.0}",
        "{\"n\":1e2}", "{\"n\":.5}", "{\"n\":0x1}", "{\"n\":1 1}",
        "{\"n\":1000000000000000}", "{\"n\":18446744073709551617}",
        "{\"n\":99999999999999999999999999999999}",
        "{\"s\":\"\n\"}", "{\"s\":\"\x7f\"}", "{\"s\":\"\\n\"}",
        "{\"s\":\"\\x\"}", "{\"s\":\"\\u0000\"}", "{\"s\":\"\\u001f\"}",
        "{\"s\":\"\\u007f\"}", "{\"s\":\"\\u009f\"}", "{\"s\":\"\\u12\"}",
        "{\"s\":\"\\u12g4\"}", "{\"s\":\"\\ud800\"}",
        "{\"s\":\"\\ud800\\u0041\"}", "{\"s\":\"\\udc00\"}",
        "{\"s\":\"\\ud800x\\udc00\"}", "{\"s\":\"\x80\"}",
        "{\"s\":\"\xc3\"}", "{\"s\":\"\xc0\x80\"}", "{\"s\":\"\xc2\x80\"}",
        "{\"s\":\"\xe0\x80\x80\"}", "{\"s\":\"\xed\xa0\x80\"}",
        "{\"s\":\"\xf0\x80\x80\x80\"}", "{\"s\":\"\xf4\x90\x80\x80\"}",
        "{\"s\":\"\xf5\x80\x80\x80\"}", "{\"s\":\"\xff\"}",
        "\xef\xbb\xbf{}"
    };

    (void) state;

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        row.in = rows[i];
        check(&row, strlen(row.in));
    }

    /* cut short anywhere; with something behind it */

    for (len = 0; len < sizeof(whole) - 1; len++) {
        row.in = whole;
        check(&row, len);
    }

    row.in = whole;
    check(&row, sizeof(whole));
}


static void
test_escape(void **state)
{
    size_t         i, len;
    unsigned char  out[64];

    static const struct {
        const char  *in;
        const char  *out;
    } rows[] = {
        { "", "" },
        { "abc", "abc" },
        { "a\"b\\c/", "a\\\"b\\\\c/" },
        { "\x01\n\x1f\x7f", "\\u0001\\u000a\\u001f\\u007f" },
        { "\xc3\xa9\xe2\x82\xac", "\xc3\xa9\xe2\x82\xac" },
        { "\xff" "a\xc3", "\xef\xbf\xbd" "a\xef\xbf\xbd" },
        { "\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd" }
    };

    (void) state;

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        len = enroll_json_escape(out, (const unsigned char *) rows[i].in,
                                 strlen(rows[i].in));

        assert_true(len <= ENROLL_JSON_ROOM(strlen(rows[i].in)));
        assert_int_equal(len, strlen(rows[i].out));
        assert_memory_equal(out, rows[i].out, len);
    }
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_good),
        cmocka_unit_test(test_member),
        cmocka_unit_test(test_malformed),
        cmocka_unit_test(test_escape)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
