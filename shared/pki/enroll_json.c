
/*
 * Copyright (C) The nginx-enroll authors
 */


#include "enroll_json.h"

#include <string.h>


typedef struct {
    unsigned char         *p;
    unsigned char         *last;
} enroll_json_reader_t;


static void enroll_json_space(enroll_json_reader_t *r);
static int enroll_json_char(enroll_json_reader_t *r, unsigned char ch);
static int enroll_json_string(enroll_json_reader_t *r, unsigned char **data,
    size_t *len);
static int enroll_json_unescape(enroll_json_reader_t *r, unsigned char **out);
static long enroll_json_hex(enroll_json_reader_t *r);
static unsigned char *enroll_json_utf8(unsigned char *out, unsigned long code);
static size_t enroll_json_sequence(const unsigned char *p,
    const unsigned char *last);
static int enroll_json_number(enroll_json_reader_t *r, int64_t *number);
static int enroll_json_value(enroll_json_reader_t *r,
    enroll_json_member_t *value);
static int enroll_json_store(enroll_json_member_t *members,
    const enroll_json_member_t *value, const unsigned char *name, size_t len,
    const char **bad);


enroll_outcome_e
enroll_json_parse(unsigned char *data, size_t len,
    enroll_json_member_t *members, const char **bad)
{
    int                    good;
    size_t                 n;
    unsigned char         *name;
    enroll_json_member_t   value, *m;
    enroll_json_reader_t   r;

    r.p = data;
    r.last = data + len;

    *bad = NULL;
    good = 1;

    for (m = members; m->name; m++) {
        m->data = NULL;
        m->len = 0;
        m->number = 0;
        m->set = 0;
    }

    if (!enroll_json_char(&r, '{')) {
        return ENROLL_BAD_JSON;
    }

    if (!enroll_json_char(&r, '}')) {

        do {
            enroll_json_space(&r);

            if (!enroll_json_string(&r, &name, &n)
                || !enroll_json_char(&r, ':')
                || !enroll_json_value(&r, &value))
            {
                return ENROLL_BAD_JSON;
            }

            /* that it is no JSON at all is told first */

            if (good) {
                good = enroll_json_store(members, &value, name, n, bad);
            }

        } while (enroll_json_char(&r, ','));

        if (!enroll_json_char(&r, '}')) {
            return ENROLL_BAD_JSON;
        }
    }

    enroll_json_space(&r);

    if (r.p != r.last) {
        return ENROLL_BAD_JSON;
    }

    return good ? ENROLL_OK : ENROLL_BAD_MEMBER;
}


static int
enroll_json_store(enroll_json_member_t *members,
    const enroll_json_member_t *value, const unsigned char *name, size_t len,
    const char **bad)
{
    enroll_json_member_t  *m;

    for (m = members; m->name; m++) {

        if (strlen(m->name) != len || memcmp(m->name, name, len) != 0) {
            continue;
        }

        if (m->set
            || m->type != value->type
            || (m->type == ENROLL_JSON_STRING && value->len > m->max)
            || (m->type == ENROLL_JSON_NUMBER
                && (uint64_t) value->number > m->max))
        {
            *bad = m->name;
            return 0;
        }

        m->set = 1;
        m->data = value->data;
        m->len = value->len;
        m->number = value->number;

        return 1;
    }

    return 0;
}


static int
enroll_json_value(enroll_json_reader_t *r, enroll_json_member_t *value)
{
    enroll_json_space(r);

    value->data = NULL;
    value->len = 0;
    value->number = 0;

    if (r->p < r->last && *r->p == '"') {
        value->type = ENROLL_JSON_STRING;
        return enroll_json_string(r, &value->data, &value->len);
    }

    value->type = ENROLL_JSON_NUMBER;

    return enroll_json_number(r, &value->number);
}


static void
enroll_json_space(enroll_json_reader_t *r)
{
    while (r->p < r->last
           && (*r->p == ' ' || *r->p == '\t' || *r->p == '\n'
               || *r->p == '\r'))
    {
        r->p++;
    }
}


static int
enroll_json_char(enroll_json_reader_t *r, unsigned char ch)
{
    enroll_json_space(r);

    if (r->p == r->last || *r->p != ch) {
        return 0;
    }

    r->p++;

    return 1;
}


/* what is decoded is never longer than what it was */

static int
enroll_json_string(enroll_json_reader_t *r, unsigned char **data, size_t *len)
{
    size_t          n;
    unsigned char  *out;

    if (r->p == r->last || *r->p != '"') {
        return 0;
    }

    r->p++;

    *data = r->p;
    out = r->p;

    for ( ;; ) {

        if (r->p == r->last || *r->p < 0x20 || *r->p == 0x7f) {
            return 0;
        }

        if (*r->p == '"') {
            r->p++;
            *len = out - *data;
            return 1;
        }

        if (*r->p == '\\') {
            r->p++;

            if (!enroll_json_unescape(r, &out)) {
                return 0;
            }

            continue;
        }

        n = enroll_json_sequence(r->p, r->last);

        if (n == 0) {
            return 0;
        }

        memmove(out, r->p, n);

        out += n;
        r->p += n;
    }
}


static int
enroll_json_unescape(enroll_json_reader_t *r, unsigned char **out)
{
    long           code, low;
    unsigned char  ch;

    if (r->p == r->last) {
        return 0;
    }

    ch = *r->p++;

    if (ch == '"' || ch == '\\' || ch == '/') {
        *(*out)++ = ch;
        return 1;
    }

    /* \b, \f, \n, \r, \t are control characters, and none is wanted */

    if (ch != 'u') {
        return 0;
    }

    code = enroll_json_hex(r);

    if (code < 0x20 || (code >= 0x7f && code < 0xa0)
        || (code >= 0xdc00 && code < 0xe000))
    {
        return 0;
    }

    if (code >= 0xd800 && code < 0xdc00) {

        if (r->last - r->p < 2 || r->p[0] != '\\' || r->p[1] != 'u') {
            return 0;
        }

        r->p += 2;
        low = enroll_json_hex(r);

        if (low < 0xdc00 || low >= 0xe000) {
            return 0;
        }

        code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
    }

    *out = enroll_json_utf8(*out, code);

    return 1;
}


static long
enroll_json_hex(enroll_json_reader_t *r)
{
    int            i;
    long           code;
    unsigned char  ch;

    if (r->last - r->p < 4) {
        return -1;
    }

    code = 0;

    for (i = 0; i < 4; i++) {

        ch = *r->p++;

        if (ch >= '0' && ch <= '9') {
            ch -= '0';

        } else if (ch >= 'a' && ch <= 'f') {
            ch -= 'a' - 10;

        } else if (ch >= 'A' && ch <= 'F') {
            ch -= 'A' - 10;

        } else {
            return -1;
        }

        code = code * 16 + ch;
    }

    return code;
}


static unsigned char *
enroll_json_utf8(unsigned char *out, unsigned long code)
{
    if (code < 0x80) {
        *out++ = (unsigned char) code;
        return out;
    }

    if (code < 0x800) {
        *out++ = (unsigned char) (0xc0 | code >> 6);

    } else {

        if (code < 0x10000) {
            *out++ = (unsigned char) (0xe0 | code >> 12);

        } else {
            *out++ = (unsigned char) (0xf0 | code >> 18);
            *out++ = (unsigned char) (0x80 | (code >> 12 & 0x3f));
        }

        *out++ = (unsigned char) (0x80 | (code >> 6 & 0x3f));
    }

    *out++ = (unsigned char) (0x80 | (code & 0x3f));

    return out;
}


/* the length of the UTF-8 sequence at p (RFC 3629), 0 where there is none */

static size_t
enroll_json_sequence(const unsigned char *p, const unsigned char *last)
{
    size_t         i, n;
    unsigned char  low, high;

    low = 0x80;
    high = 0xbf;

    if (*p < 0x80) {
        return 1;

    } else if (*p >= 0xc2 && *p <= 0xdf) {
        n = 2;

        if (*p == 0xc2) {
            low = 0xa0;             /* the C1 control characters */
        }

    } else if (*p >= 0xe0 && *p <= 0xef) {
        n = 3;

        if (*p == 0xe0) {
            low = 0xa0;

        } else if (*p == 0xed) {
            high = 0x9f;
        }

    } else if (*p >= 0xf0 && *p <= 0xf4) {
        n = 4;

        if (*p == 0xf0) {
            low = 0x90;

        } else if (*p == 0xf4) {
            high = 0x8f;
        }

    } else {
        return 0;
    }

    if ((size_t) (last - p) < n || p[1] < low || p[1] > high) {
        return 0;
    }

    for (i = 2; i < n; i++) {
        if (p[i] < 0x80 || p[i] > 0xbf) {
            return 0;
        }
    }

    return n;
}


static int
enroll_json_number(enroll_json_reader_t *r, int64_t *number)
{
    unsigned char  *start;

    start = r->p;
    *number = 0;

    while (r->p < r->last && *r->p >= '0' && *r->p <= '9') {

        *number = *number * 10 + (*r->p++ - '0');

        if (*number > ENROLL_JSON_NUMBER_MAX) {
            return 0;
        }
    }

    return r->p != start && (*start != '0' || r->p - start == 1);
}


size_t
enroll_json_escape(unsigned char *out, const unsigned char *text, size_t len)
{
    size_t                n;
    unsigned char        *p;
    const unsigned char  *last;

    static const char  hex[] = "0123456789abcdef";

    p = out;
    last = text + len;

    while (text < last) {

        n = enroll_json_sequence(text, last);

        if (n == 0) {
            *p++ = 0xef;
            *p++ = 0xbf;
            *p++ = 0xbd;
            text++;

        } else if (*text < 0x20 || *text == 0x7f) {
            *p++ = '\\';
            *p++ = 'u';
            *p++ = '0';
            *p++ = '0';
            *p++ = hex[*text >> 4];
            *p++ = hex[*text & 0xf];
            text++;

        } else {

            if (*text == '"' || *text == '\\') {
                *p++ = '\\';
            }

            memcpy(p, text, n);
            p += n;
            text += n;
        }
    }

    return p - out;
}
