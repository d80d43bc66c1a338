
/*
 * Copyright (C) The nginx-enroll authors
 */


/* The parts of SCEP that are text: GetCACaps, and GET's "message". */


#include <string.h>

#include "enroll_encoding.h"
#include "enroll_scep.h"


#define enroll_caps_count(a)  (sizeof(a) / sizeof((a)[0]))


static int enroll_scep_hex(int c);


/*
 * RFC 8894, section 3.5.2.  SHA-384 is in no RFC, but strongSwan wants it.
 * What SCEPStandard implies is listed for clients that are older.
 */

static const struct {
    unsigned     legacy;
    unsigned     caps;
    const char  *text;
} enroll_scep_keywords[] = {
    { 0, 0, "AES\n" },
    { ENROLL_LEGACY_DES3, 0, "DES3\n" },
    { 0, ENROLL_SCEP_CAP_NEXT_CA, "GetNextCACert\n" },
    { 0, 0, "POSTPKIOperation\n" },
    { 0, ENROLL_SCEP_CAP_RENEWAL, "Renewal\n" },
    { 0, 0, "SCEPStandard\n" },
    { ENROLL_LEGACY_SHA1, 0, "SHA-1\n" },
    { 0, 0, "SHA-256\n" },
    { 0, 0, "SHA-384\n" },
    { 0, 0, "SHA-512\n" }
};


size_t
enroll_scep_caps(char text[ENROLL_SCEP_CAPS_LEN], unsigned legacy,
    unsigned caps)
{
    size_t  i, n, len;

    len = 0;

    for (i = 0; i < enroll_caps_count(enroll_scep_keywords); i++) {
        if ((enroll_scep_keywords[i].legacy & ~legacy)
            || (enroll_scep_keywords[i].caps & ~caps))
        {
            continue;
        }

        n = strlen(enroll_scep_keywords[i].text);

        memcpy(text + len, enroll_scep_keywords[i].text, n);
        len += n;
    }

    text[len] = '\0';

    return len;
}


enroll_outcome_e
enroll_scep_query_decode(unsigned char *out, size_t *outlen,
    const unsigned char *in, size_t len)
{
    int                   c, high, low;
    size_t                n, chars;
    const unsigned char  *end;

    n = 0;
    chars = 0;
    end = in + len;

    while (in < end) {
        c = *in++;

        if (c == '%') {
            if (end - in < 2) {
                return ENROLL_BAD_ENCODING;
            }

            high = enroll_scep_hex(in[0]);
            low = enroll_scep_hex(in[1]);

            if (high < 0 || low < 0) {
                return ENROLL_BAD_ENCODING;
            }

            c = high << 4 | low;
            in += 2;
        }

        switch (c) {

        case '\r':
        case '\n':
        case '\t':
            continue;

        case ' ':

            /* a plus once, unless no plus can be there any more */

            if (n != chars) {
                continue;
            }

            c = '+';
            chars++;
            break;

        case '=':
            break;

        default:
            chars++;
        }

        out[n++] = (unsigned char) c;
    }

    /* the padding is there whole, or not at all */

    if (n == chars) {
        while (n % 4) {
            out[n++] = '=';
        }
    }

    return enroll_base64_decode(out, outlen, out, n);
}


static int
enroll_scep_hex(int c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }

    c |= 0x20;

    return (c >= 'a' && c <= 'f') ? c - 'a' + 10 : -1;
}
