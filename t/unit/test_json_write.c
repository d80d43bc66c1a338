
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

#include "enroll_json_write.h"


static void
written(enroll_json_text_t *t, const char *text)
{
    assert_false(t->failed);
    assert_int_equal(t->len, strlen(text));
    assert_memory_equal(t->data, text, t->len);
    enroll_json_free(t);
    assert_null(t->data);
}


/* commas stand between members, at every depth, and nowhere else */

static void
members_are_nested(void **state)
{
    enroll_json_text_t  t = { 0 };

    (void) state;

    enroll_json_object(&t, NULL);
    enroll_json_object(&t, "a");
    enroll_json_object_end(&t);
    enroll_json_array(&t, "b");
    enroll_json_word(&t, NULL, "x");
    enroll_json_number(&t, NULL, -7);
    enroll_json_array(&t, NULL);
    enroll_json_array_end(&t);
    enroll_json_object(&t, NULL);
    enroll_json_flag(&t, "y", 1);
    enroll_json_object_end(&t);
    enroll_json_array_end(&t);
    enroll_json_flag(&t, "c", 0);
    enroll_json_time(&t, "d", 1798761599);
    enroll_json_number(&t, "e", 999999999999999);
    enroll_json_object_end(&t);

    written(&t, "{\"a\":{},\"b\":[\"x\",-7,[],{\"y\":true}],\"c\":false,"
                "\"d\":\"2026-12-31T23:59:59Z\",\"e\":999999999999999}");
}


static void
text_is_escaped(void **state)
{
    enroll_json_text_t  t = { 0 };

    (void) state;

    enroll_json_array(&t, NULL);
    enroll_json_string(&t, NULL, (const unsigned char *) "\"\\\n\0\xff</", 7);
    enroll_json_string(&t, NULL, NULL, 0);
    enroll_json_array_end(&t);

    written(&t, "[\"\\\"\\\\\\u000a\\u0000\xef\xbf\xbd</\",\"\"]");
}


/* it grows, up to a bound, and what failed once has failed for good */

static void
length_is_bounded(void **state)
{
    size_t               i;
    enroll_json_text_t   t = { 0 };
    static char          text[5001];

    (void) state;

    memset(text, 'a', sizeof(text) - 1);
    enroll_json_array(&t, NULL);

    for (i = 0; i < 100; i++) {
        enroll_json_word(&t, NULL, text);
    }

    enroll_json_array_end(&t);
    assert_false(t.failed);
    assert_int_equal(t.len, 100 * (5000 + 3) + 1);

    for (i = 0; i < 1000; i++) {
        enroll_json_word(&t, NULL, text);
    }

    assert_true(t.failed);
    assert_true(t.len <= ENROLL_JSON_WRITE_MAX);

    enroll_json_free(&t);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(members_are_nested),
        cmocka_unit_test(text_is_escaped),
        cmocka_unit_test(length_is_bounded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
