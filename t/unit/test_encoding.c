
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

#include "enroll_encoding.h"


#define BODY(s)  (s), sizeof(s) - 1


typedef struct {
    const char        *name;
    const char        *in;
    size_t             len;
    enroll_outcome_e   outcome;
    const char        *out;
    size_t             out_len;
} decode_t;


typedef enroll_outcome_e (*decoder_pt)(unsigned char *out, size_t *outlen,
    const unsigned char *in, size_t len);


/*
 * Every input stands in memory of just its size, so that a sanitizer sees a
 * read or write beyond it, and is decoded apart from the output and in place.
 */

static void
check(decoder_pt decode, const decode_t *row)
{
    size_t             outlen;
    unsigned char     *in, *out;
    enroll_outcome_e   rc;

    for (int in_place = 0; in_place < 2; in_place++) {
        in = malloc(row->len ? row->len : 1);
        assert_non_null(in);
        memcpy(in, row->in, row->len);

        out = in_place ? in : malloc(row->len ? row->len : 1);
        assert_non_null(out);

        outlen = 0;
        rc = decode(out, &outlen, in, row->len);

        if (rc != row->outcome) {
            fail_msg("%s: %s", row->name, enroll_outcome(rc)->reason);
        }

        if (rc == ENROLL_OK
            && (outlen != row->out_len
                || memcmp(out, row->out, outlen) != 0))
        {
            fail_msg("%s: other octets", row->name);
        }

        if (!in_place) {
            free(out);
        }

        free(in);
    }
}


static void
base64_is_decoded(void **state)
{
    static const decode_t  rows[] = {

        /* RFC 4648, section 10 */

        { "f", BODY("Zg=="), ENROLL_OK, BODY("f") },
        { "fo", BODY("Zm8="), ENROLL_OK, BODY("fo") },
        { "foo", BODY("Zm9v"), ENROLL_OK, BODY("foo") },
        { "foob", BODY("Zm9vYg=="), ENROLL_OK, BODY("foob") },
        { "fooba", BODY("Zm9vYmE="), ENROLL_OK, BODY("fooba") },
        { "foobar", BODY("Zm9vYmFy"), ENROLL_OK, BODY("foobar") },

        { "all ones", BODY("////"), ENROLL_OK, BODY("\xff\xff\xff") },
        { "plus", BODY("++++"), ENROLL_OK, BODY("\xfb\xef\xbe") },
        { "zeros", BODY("AAA="), ENROLL_OK, BODY("\0\0") },

        { "final LF", BODY("Zm9v\n"), ENROLL_OK, BODY("foo") },
        { "final CRLF", BODY("Zm9v\r\n"), ENROLL_OK, BODY("foo") },
        { "space in front", BODY(" \t\r\nZm9v"), ENROLL_OK, BODY("foo") },
        { "one character a line", BODY("Z\r\nm\r\n9\r\nv\r\n"), ENROLL_OK,
          BODY("foo") },
        { "space in the padding", BODY("Zg=\n= "), ENROLL_OK, BODY("f") }
    };

    (void) state;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        check(enroll_base64_decode, &rows[i]);
        check(enroll_body_decode, &rows[i]);
    }
}


static void
bad_base64_is_refused(void **state)
{
    static const decode_t  rows[] = {
        { "nothing", BODY(""), ENROLL_EMPTY_BODY, BODY("") },
        { "only space", BODY(" \t\r\n"), ENROLL_EMPTY_BODY, BODY("") },

        { "only =", BODY("="), ENROLL_BAD_ENCODING, BODY("") },
        { "only ====", BODY("===="), ENROLL_BAD_ENCODING, BODY("") },
        { "no padding", BODY("Zg"), ENROLL_BAD_ENCODING, BODY("") },
        { "one pad of two", BODY("Zg="), ENROLL_BAD_ENCODING, BODY("") },
        { "three pads", BODY("Zg==="), ENROLL_BAD_ENCODING, BODY("") },
        { "two pads for one", BODY("Zm8=="), ENROLL_BAD_ENCODING, BODY("") },
        { "a pad for none", BODY("Zm9v="), ENROLL_BAD_ENCODING, BODY("") },
        { "four pads for none", BODY("Zm9v===="), ENROLL_BAD_ENCODING,
          BODY("") },
        { "= in the middle", BODY("Zm=v"), ENROLL_BAD_ENCODING, BODY("") },
        { "data after padding", BODY("Zg==Zg=="), ENROLL_BAD_ENCODING,
          BODY("") },
        { "length 1 of 4", BODY("Z"), ENROLL_BAD_ENCODING, BODY("") },
        { "length 5 of 8", BODY("Zm9vY"), ENROLL_BAD_ENCODING, BODY("") },
        { "one octet and pads", BODY("Z==="), ENROLL_BAD_ENCODING, BODY("") },

        { "pad bits of two", BODY("Zh=="), ENROLL_BAD_ENCODING, BODY("") },
        { "pad bits of one", BODY("Zm9="), ENROLL_BAD_ENCODING, BODY("") },

        { "base64url -", BODY("Zm9-"), ENROLL_BAD_ENCODING, BODY("") },
        { "base64url _", BODY("Zm9_"), ENROLL_BAD_ENCODING, BODY("") },
        { "percent", BODY("Zm9%2B"), ENROLL_BAD_ENCODING, BODY("") },
        { "quoted-printable", BODY("Zg=3D=3D"), ENROLL_BAD_ENCODING,
          BODY("") },
        { "form data", BODY("csr=Zm9v"), ENROLL_BAD_ENCODING, BODY("") },
        { "NUL behind", BODY("Zm9v\0"), ENROLL_BAD_ENCODING, BODY("") },
        { "BOM", BODY("\xef\xbb\xbfZm9v"), ENROLL_BAD_ENCODING, BODY("") },
        { "UTF-16LE", BODY("Z\0m\0" "9\0v\0"), ENROLL_BAD_ENCODING,
          BODY("") },
        { "vertical tab", BODY("Zm9v\v"), ENROLL_BAD_ENCODING, BODY("") },
        { "form feed", BODY("Zm9v\f"), ENROLL_BAD_ENCODING, BODY("") },
        { "no-break space", BODY("Zm9v\xa0"), ENROLL_BAD_ENCODING, BODY("") }
    };

    (void) state;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        check(enroll_base64_decode, &rows[i]);
        check(enroll_body_decode, &rows[i]);
    }
}


/* each of the 256 octets is one of 64, a pad, white space or refused */

static void
every_octet_is_judged(void **state)
{
    size_t             outlen;
    unsigned char      in[5], out[5];
    enroll_outcome_e   rc, expected;

    static const char  alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

    (void) state;

    for (int c = 0; c < 256; c++) {
        memcpy(in, "AAAA", 4);
        in[1] = (unsigned char) c;

        expected = c && strchr(alphabet, c) ? ENROLL_OK : ENROLL_BAD_ENCODING;

        rc = enroll_base64_decode(out, &outlen, in, 4);
        assert_int_equal(rc, expected);

        if (rc == ENROLL_OK) {
            unsigned  v = (unsigned) (strchr(alphabet, c) - alphabet);

            assert_int_equal(out[0] << 4 | out[1] >> 4, v);
        }

        memcpy(in, "AAAA", 4);
        in[4] = (unsigned char) c;

        expected = c && strchr(" \t\r\n", c) ? ENROLL_OK
                                             : ENROLL_BAD_ENCODING;

        assert_int_equal(enroll_base64_decode(out, &outlen, in, 5), expected);
    }
}


#define BEGIN  "-----BEGIN CERTIFICATE REQUEST-----"
#define END    "-----END CERTIFICATE REQUEST-----"


static void
bodies_are_decoded(void **state)
{
    static const decode_t  rows[] = {
        { "DER", BODY("\x30\x03\x02\x01\x00"), ENROLL_OK,
          BODY("\x30\x03\x02\x01\x00") },
        { "DER with NUL behind", BODY("\x30\x00\x00"), ENROLL_OK,
          BODY("\x30\x00\x00") },

        { "PEM", BODY(BEGIN "\nZm9v\nYmFy\n" END "\n"), ENROLL_OK,
          BODY("foobar") },
        { "PEM, CRLF", BODY(BEGIN "\r\nZm9v\r\nYmFy\r\n" END "\r\n"),
          ENROLL_OK, BODY("foobar") },
        { "PEM on one line", BODY(BEGIN " Zm9v YmFy " END), ENROLL_OK,
          BODY("foobar") },
        { "PEM without line ends", BODY(BEGIN "Zm9vYmFy" END), ENROLL_OK,
          BODY("foobar") },
        { "PEM, space around", BODY("\n \t" BEGIN "\nZm8=\n" END "\n\n "),
          ENROLL_OK, BODY("fo") },
        { "PEM, old label",
          BODY("-----BEGIN NEW CERTIFICATE REQUEST-----\nZm9v\n"
               "-----END NEW CERTIFICATE REQUEST-----\n"),
          ENROLL_OK, BODY("foo") },
        { "PEM, PKCS #7",
          BODY("-----BEGIN PKCS7-----\nZm9v\n-----END PKCS7-----\n"),
          ENROLL_OK, BODY("foo") },

        { "text in front", BODY("CSR:\n" BEGIN "\nZm9v\n" END "\n"),
          ENROLL_BAD_ENCODING, BODY("") },
        { "BOM in front", BODY("\xef\xbb\xbf" BEGIN "\nZm9v\n" END "\n"),
          ENROLL_BAD_ENCODING, BODY("") },
        { "text behind", BODY(BEGIN "\nZm9v\n" END "\nx"),
          ENROLL_BAD_ENCODING, BODY("") },
        { "NUL behind", BODY(BEGIN "\nZm9v\n" END "\n\0"),
          ENROLL_BAD_ENCODING, BODY("") },
        { "two blocks",
          BODY(BEGIN "\nZm9v\n" END "\n" BEGIN "\nZm9v\n" END "\n"),
          ENROLL_BAD_ENCODING, BODY("") },
        { "other label at the end",
          BODY(BEGIN "\nZm9v\n-----END CERTIFICATE-----\n"),
          ENROLL_BAD_ENCODING, BODY("") },
        { "longer label at the end",
          BODY(BEGIN "\nZm9v\n-----END CERTIFICATE REQUESTS-----\n"),
          ENROLL_BAD_ENCODING, BODY("") },
        { "no end", BODY(BEGIN "\nZm9v\n"), ENROLL_BAD_ENCODING, BODY("") },
        { "half an end", BODY(BEGIN "\nZm9v\n-----END CERTIFICATE REQ"),
          ENROLL_BAD_ENCODING, BODY("") },
        { "end without dashes",
          BODY(BEGIN "\nZm9v\n-----END CERTIFICATE REQUEST--"),
          ENROLL_BAD_ENCODING, BODY("") },
        { "only a beginning", BODY(BEGIN), ENROLL_BAD_ENCODING, BODY("") },
        { "half a beginning", BODY("-----BEGIN CERT"), ENROLL_BAD_ENCODING,
          BODY("") },
        { "one dash", BODY("-"), ENROLL_BAD_ENCODING, BODY("") },
        { "no label", BODY("-----BEGIN -----\nZm9v\n-----END -----\n"),
          ENROLL_BAD_ENCODING, BODY("") },
        { "control characters in the label",
          BODY("-----BEGIN A\nB-----\nZm9v\n-----END A\nB-----\n"),
          ENROLL_BAD_ENCODING, BODY("") },
        { "headers in the block",
          BODY(BEGIN "\nProc-Type: 4,ENCRYPTED\n\nZm9v\n" END "\n"),
          ENROLL_BAD_ENCODING, BODY("") },
        { "bad base64 in the block", BODY(BEGIN "\nZm9\n" END "\n"),
          ENROLL_BAD_ENCODING, BODY("") },
        { "nothing in the block", BODY(BEGIN "\n" END "\n"),
          ENROLL_EMPTY_BODY, BODY("") }
    };

    (void) state;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        check(enroll_body_decode, &rows[i]);
    }
}


/* lines of the width asked for, room that suffices, and the way back */

static void
base64_is_encoded(void **state)
{
    size_t          n, room, outlen, column;
    unsigned char   in[200], *out, *back;

    static const size_t  wraps[] = { 0, 1, 3, 4, 64, 76, 1000 };

    (void) state;

    for (size_t i = 0; i < sizeof(in); i++) {
        in[i] = (unsigned char) (i * 151 + 7);
    }

    for (size_t len = 0; len <= sizeof(in); len++) {
        for (size_t w = 0; w < sizeof(wraps) / sizeof(wraps[0]); w++) {
            room = enroll_base64_room(len, wraps[w]);
            out = malloc(room);
            assert_non_null(out);

            n = enroll_base64_encode(out, in, len, wraps[w]);
            assert_true(n < room);
            assert_int_equal(out[n], '\0');

            if (len == 0) {
                assert_int_equal(n, 0);
                free(out);
                continue;
            }

            assert_int_equal(out[n - 1], '\n');

            column = 0;

            for (size_t i = 0; i < n; i++) {
                if (out[i] != '\n') {
                    column++;
                    continue;
                }

                if (i + 1 < n) {
                    assert_int_equal(column, wraps[w]);

                } else {
                    assert_true(column > 0);
                    assert_true(wraps[w] == 0 || column <= wraps[w]);
                }

                column = 0;
            }

            back = malloc(n);
            assert_non_null(back);
            assert_int_equal(enroll_base64_decode(back, &outlen, out, n),
                             ENROLL_OK);
            assert_int_equal(outlen, len);
            assert_memory_equal(back, in, len);

            free(back);
            free(out);
        }
    }
}


static void
known_text_is_encoded(void **state)
{
    unsigned char  out[32];

    (void) state;

    assert_int_equal(enroll_base64_encode(out, (unsigned char *) "foobar", 6,
                                          4), 10);
    assert_string_equal((char *) out, "Zm9v\nYmFy\n");

    assert_int_equal(enroll_base64_encode(out, (unsigned char *) "fo", 2, 0),
                     5);
    assert_string_equal((char *) out, "Zm8=\n");

    /* an empty CsrAttrs (RFC 8951) */

    assert_int_equal(enroll_base64_encode(out, (unsigned char *) "\x30", 2,
                                          0), 5);
    assert_string_equal((char *) out, "MAA=\n");
}


/* a body of blank lines is read once */

static void
blank_lines_take_linear_time(void **state)
{
    size_t          outlen, len;
    unsigned char  *in;

    (void) state;

    len = 4 * 1024 * 1024;

    in = malloc(len);
    assert_non_null(in);
    memset(in, '\n', len);
    memcpy(in + len - 4, "Zm9v", 4);

    assert_int_equal(enroll_body_decode(in, &outlen, in, len), ENROLL_OK);
    assert_int_equal(outlen, 3);
    assert_memory_equal(in, "foo", 3);

    free(in);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(base64_is_decoded),
        cmocka_unit_test(bad_base64_is_refused),
        cmocka_unit_test(every_octet_is_judged),
        cmocka_unit_test(bodies_are_decoded),
        cmocka_unit_test(base64_is_encoded),
        cmocka_unit_test(known_text_is_encoded),
        cmocka_unit_test(blank_lines_take_linear_time)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
