
/*
 * Copyright (C) The nginx-enroll authors
 */


#include <string.h>

#include "enroll_der.h"
#include "enroll_encoding.h"


#define ENROLL_BASE64_BAD     0xff
#define ENROLL_BASE64_SPACE   0xfe
#define ENROLL_BASE64_PAD     0xfd

#define ENROLL_PEM_BEGIN      "-----BEGIN "
#define ENROLL_PEM_END        "-----END "
#define ENROLL_PEM_DASHES     "-----"


static int enroll_pem_text(const unsigned char **p, const unsigned char *end,
    const char *text, size_t len);
static const unsigned char *enroll_pem_skip(const unsigned char *p,
    const unsigned char *end);


#define XX  ENROLL_BASE64_BAD
#define SP  ENROLL_BASE64_SPACE
#define PD  ENROLL_BASE64_PAD

static const unsigned char  enroll_base64_values[256] = {
    XX, XX, XX, XX, XX, XX, XX, XX, XX, SP, SP, XX, XX, SP, XX, XX,
    XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX,
    SP, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, 62, XX, XX, XX, 63,
    52, 53, 54, 55, 56, 57, 58, 59, 60, 61, XX, XX, XX, PD, XX, XX,
    XX,  0,  1,  2,  3,  4,  5,  6,  7,  8,  9, 10, 11, 12, 13, 14,
    15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, XX, XX, XX, XX, XX,
    XX, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40,
    41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51, XX, XX, XX, XX, XX,
    XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX,
    XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX,
    XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX,
    XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX,
    XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX,
    XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX,
    XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX,
    XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX
};

#undef XX
#undef SP
#undef PD


static const char  enroll_base64_alphabet[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";


enroll_outcome_e
enroll_base64_decode(unsigned char *out, size_t *outlen,
    const unsigned char *in, size_t len)
{
    size_t                chars, pads;
    unsigned              bits;
    unsigned char         value, *p;
    const unsigned char  *end;

    p = out;
    end = in + len;
    bits = 0;
    chars = 0;
    pads = 0;

    for ( /* void */ ; in < end; in++) {
        value = enroll_base64_values[*in];

        if (value == ENROLL_BASE64_SPACE) {
            continue;
        }

        if (value == ENROLL_BASE64_PAD) {
            pads++;
            continue;
        }

        if (value == ENROLL_BASE64_BAD || pads) {
            return ENROLL_BAD_ENCODING;
        }

        bits = bits << 6 | value;

        if (++chars % 4 == 0) {
            *p++ = (unsigned char) (bits >> 16);
            *p++ = (unsigned char) (bits >> 8);
            *p++ = (unsigned char) bits;
            bits = 0;
        }
    }

    if (chars == 0 && pads == 0) {
        return ENROLL_EMPTY_BODY;
    }

    /* the bits that padding leaves over are zero (RFC 4648, section 3.5) */

    switch (chars % 4) {

    case 0:
        if (pads) {
            return ENROLL_BAD_ENCODING;
        }

        break;

    case 2:
        if (pads != 2 || (bits & 0x0f)) {
            return ENROLL_BAD_ENCODING;
        }

        *p++ = (unsigned char) (bits >> 4);
        break;

    case 3:
        if (pads != 1 || (bits & 0x03)) {
            return ENROLL_BAD_ENCODING;
        }

        *p++ = (unsigned char) (bits >> 10);
        *p++ = (unsigned char) (bits >> 2);
        break;

    default:
        return ENROLL_BAD_ENCODING;
    }

    *outlen = (size_t) (p - out);

    return ENROLL_OK;
}


size_t
enroll_base64_encode(unsigned char *out, const unsigned char *in, size_t len,
    size_t wrap)
{
    size_t          i, n, column;
    unsigned        bits;
    unsigned char  *p;

    p = out;
    column = 0;

    for ( /* void */ ; len; in += n, len -= n) {
        n = (len < 3) ? len : 3;

        bits = (unsigned) in[0] << 16;

        if (n > 1) {
            bits |= (unsigned) in[1] << 8;
        }

        if (n > 2) {
            bits |= in[2];
        }

        for (i = 0; i < 4; i++) {
            *p++ = (i <= n) ? (unsigned char)
                              enroll_base64_alphabet[bits >> 18 & 0x3f] : '=';
            bits <<= 6;

            if (++column == wrap) {
                *p++ = '\n';
                column = 0;
            }
        }
    }

    if (column) {
        *p++ = '\n';
    }

    *p = '\0';

    return (size_t) (p - out);
}


enroll_outcome_e
enroll_body_decode(unsigned char *out, size_t *outlen,
    const unsigned char *in, size_t len)
{
    size_t                label_len;
    const unsigned char  *end, *label, *text, *text_end;

    /* no base64 of a SEQUENCE begins with the '0' that the octet is */

    if (len && in[0] == ENROLL_DER_SEQUENCE) {
        memmove(out, in, len);
        *outlen = len;
        return ENROLL_OK;
    }

    end = in + len;
    in = enroll_pem_skip(in, end);

    if (in == end || *in != '-') {
        return enroll_base64_decode(out, outlen, in, (size_t) (end - in));
    }

    /* RFC 7468, with white space of any kind and amount */

    if (!enroll_pem_text(&in, end, ENROLL_PEM_BEGIN,
                         sizeof(ENROLL_PEM_BEGIN) - 1))
    {
        return ENROLL_BAD_ENCODING;
    }

    label = in;

    while (in < end && *in >= ' ' && *in < 0x7f && *in != '-') {
        in++;
    }

    label_len = (size_t) (in - label);

    if (label_len == 0
        || !enroll_pem_text(&in, end, ENROLL_PEM_DASHES,
                            sizeof(ENROLL_PEM_DASHES) - 1))
    {
        return ENROLL_BAD_ENCODING;
    }

    /* base64 has no dash */

    text = in;

    text_end = memchr(text, '-', (size_t) (end - text));
    if (text_end == NULL) {
        return ENROLL_BAD_ENCODING;
    }

    in = text_end;

    if (!enroll_pem_text(&in, end, ENROLL_PEM_END, sizeof(ENROLL_PEM_END) - 1)
        || !enroll_pem_text(&in, end, (const char *) label, label_len)
        || !enroll_pem_text(&in, end, ENROLL_PEM_DASHES,
                            sizeof(ENROLL_PEM_DASHES) - 1)
        || enroll_pem_skip(in, end) != end)
    {
        return ENROLL_BAD_ENCODING;
    }

    return enroll_base64_decode(out, outlen, text,
                                (size_t) (text_end - text));
}


static int
enroll_pem_text(const unsigned char **p, const unsigned char *end,
    const char *text, size_t len)
{
    if ((size_t) (end - *p) < len || memcmp(*p, text, len) != 0) {
        return 0;
    }

    *p += len;

    return 1;
}


static const unsigned char *
enroll_pem_skip(const unsigned char *p, const unsigned char *end)
{
    while (p < end && enroll_base64_values[*p] == ENROLL_BASE64_SPACE) {
        p++;
    }

    return p;
}
