
/*
 * Copyright (C) The nginx-enroll authors
 */


#include <stdlib.h>
#include <string.h>
#include <openssl/crypto.h>

#include "enroll_der.h"


#define ENROLL_DER_HEAD       5          /* a tag and a length of 24 bits */
#define ENROLL_DER_MAX        (16 * 1024 * 1024 - 1)
#define ENROLL_DER_CHUNK      1024

#define ENROLL_BER_DEPTH      32
#define ENROLL_BER_ELEMENTS   65536

#define ENROLL_BER_CONSTRUCTED   0x20
#define ENROLL_BER_LONG_TAG      0x1f
#define ENROLL_BER_INDEFINITE    0x80


typedef struct {
    enroll_der_writer_t   *w;
    const unsigned char   *p;
    size_t                 elements;
} enroll_ber_t;


typedef struct {
    int                    tag;
    int                    indefinite;
    const unsigned char   *end;          /* of the contents, or of all */
} enroll_ber_head_t;


static size_t enroll_der_head(unsigned char *head, int tag, size_t len);
static int enroll_der_cmp(const void *one, const void *two);
static int enroll_ber_element(enroll_ber_t *ber, const unsigned char *end,
    int depth);
static int enroll_ber_head(enroll_ber_t *ber, const unsigned char *end,
    enroll_ber_head_t *head);
static int enroll_ber_more(enroll_ber_t *ber, const enroll_ber_head_t *head);
static int enroll_ber_segments(enroll_ber_t *ber,
    const enroll_ber_head_t *head, int depth);
static int enroll_ber_is_string(int tag);


void
enroll_der_cleanup(enroll_der_writer_t *w)
{
    OPENSSL_clear_free(w->data, w->size);
    memset(w, 0, sizeof(enroll_der_writer_t));
}


void
enroll_der_put(enroll_der_writer_t *w, const void *data, size_t len)
{
    size_t          size;
    unsigned char  *p;

    if (w->failed || len == 0) {
        return;
    }

    if (len > ENROLL_DER_MAX - w->len) {
        w->failed = 1;
        return;
    }

    if (len > w->size - w->len) {
        size = 2 * (w->len + len) + ENROLL_DER_CHUNK;

        p = OPENSSL_clear_realloc(w->data, w->size, size);
        if (p == NULL) {
            w->failed = 1;
            return;
        }

        w->data = p;
        w->size = size;
    }

    memcpy(w->data + w->len, data, len);
    w->len += len;
}


/* room for the longest header is left, and closed up in the end */

size_t
enroll_der_open(enroll_der_writer_t *w, int tag)
{
    size_t         mark;
    unsigned char  head[ENROLL_DER_HEAD] = { 0 };

    mark = w->len;
    head[0] = (unsigned char) tag;

    enroll_der_put(w, head, ENROLL_DER_HEAD);

    return mark;
}


void
enroll_der_close(enroll_der_writer_t *w, size_t mark)
{
    size_t         n, len;
    unsigned char  head[ENROLL_DER_HEAD];

    if (w->failed) {
        return;
    }

    len = w->len - mark - ENROLL_DER_HEAD;
    n = enroll_der_head(head, w->data[mark], len);

    memmove(w->data + mark + n, w->data + mark + ENROLL_DER_HEAD, len);
    memcpy(w->data + mark, head, n);

    w->len = mark + n + len;
}


static size_t
enroll_der_head(unsigned char *head, int tag, size_t len)
{
    size_t  i, n;

    head[0] = (unsigned char) tag;

    if (len < 0x80) {
        head[1] = (unsigned char) len;
        return 2;
    }

    n = (len < 0x100) ? 1 : (len < 0x10000) ? 2 : 3;

    head[1] = (unsigned char) (0x80 | n);

    for (i = n; i; i--) {
        head[1 + i] = (unsigned char) len;
        len >>= 8;
    }

    return 2 + n;
}


void
enroll_der_add(enroll_der_writer_t *w, int tag, const void *data, size_t len)
{
    size_t  mark;

    mark = enroll_der_open(w, tag);
    enroll_der_put(w, data, len);
    enroll_der_close(w, mark);
}


void
enroll_der_take(enroll_der_writer_t *w, unsigned char *data, int n)
{
    if (n < 1) {
        w->failed = 1;
        return;
    }

    enroll_der_put(w, data, (size_t) n);
    OPENSSL_free(data);
}


void
enroll_der_sort(enroll_der_writer_t *w, size_t mark)
{
    size_t               i, n, len;
    unsigned char       *sorted, *p;
    enroll_tlv_t         tlv[ENROLL_DER_SORT];
    enroll_der_reader_t  r;

    if (w->failed || w->len == mark) {
        return;
    }

    len = w->len - mark;
    r = enroll_der_reader(w->data + mark, len);

    for (n = 0; !enroll_der_end(&r); n++) {
        if (n == ENROLL_DER_SORT || !enroll_der_any(&r, &tlv[n])) {
            w->failed = 1;
            return;
        }
    }

    qsort(tlv, n, sizeof(enroll_tlv_t), enroll_der_cmp);

    sorted = OPENSSL_malloc(len);
    if (sorted == NULL) {
        w->failed = 1;
        return;
    }

    p = sorted;

    for (i = 0; i < n; i++) {
        memcpy(p, tlv[i].start, tlv[i].size);
        p += tlv[i].size;
    }

    memcpy(w->data + mark, sorted, len);
    OPENSSL_free(sorted);
}


/* no DER is the beginning of another */

static int
enroll_der_cmp(const void *one, const void *two)
{
    const enroll_tlv_t  *a = one, *b = two;

    return memcmp(a->start, b->start, a->size < b->size ? a->size : b->size);
}


size_t
enroll_der_from_ber(enroll_der_writer_t *w, const unsigned char *ber,
    size_t len)
{
    enroll_ber_t  ctx;

    ctx.w = w;
    ctx.p = ber;
    ctx.elements = 0;

    if (!enroll_ber_element(&ctx, ber + len, ENROLL_BER_DEPTH) || w->failed) {
        return 0;
    }

    return (size_t) (ctx.p - ber);
}


/* NOLINTBEGIN(misc-no-recursion): these two go no deeper than depth */

static int
enroll_ber_element(enroll_ber_t *ber, const unsigned char *end, int depth)
{
    int                rc;
    size_t             mark;
    enroll_ber_head_t  head;

    if (depth == 0 || !enroll_ber_head(ber, end, &head)) {
        return 0;
    }

    if (!(head.tag & ENROLL_BER_CONSTRUCTED)) {
        enroll_der_add(ber->w, head.tag, ber->p,
                       (size_t) (head.end - ber->p));
        ber->p = head.end;

        return !ber->w->failed;
    }

    /* X.690, section 10.2: DER has strings in one piece */

    if (enroll_ber_is_string(head.tag)) {
        mark = enroll_der_open(ber->w, head.tag & ~ENROLL_BER_CONSTRUCTED);

        if (!enroll_ber_segments(ber, &head, depth)) {
            return 0;
        }

        enroll_der_close(ber->w, mark);

        return !ber->w->failed;
    }

    mark = enroll_der_open(ber->w, head.tag);

    for ( ;; ) {
        rc = enroll_ber_more(ber, &head);

        if (rc <= 0) {
            break;
        }

        if (!enroll_ber_element(ber, head.end, depth - 1)) {
            return 0;
        }
    }

    enroll_der_close(ber->w, mark);

    return rc == 0 && !ber->w->failed;
}


static int
enroll_ber_head(enroll_ber_t *ber, const unsigned char *end,
    enroll_ber_head_t *head)
{
    int     n;
    size_t  len;

    if (++ber->elements > ENROLL_BER_ELEMENTS || end - ber->p < 2) {
        return 0;
    }

    head->tag = *ber->p++;
    n = *ber->p++;

    /* 0 would be the end of contents that have none */

    if (head->tag == 0
        || (head->tag & ENROLL_BER_LONG_TAG) == ENROLL_BER_LONG_TAG)
    {
        return 0;
    }

    head->indefinite = (n == ENROLL_BER_INDEFINITE);
    head->end = end;

    if (head->indefinite) {
        return (head->tag & ENROLL_BER_CONSTRUCTED) != 0;
    }

    len = (size_t) n;

    if (n & ENROLL_BER_INDEFINITE) {
        n &= ~ENROLL_BER_INDEFINITE;

        if (n > 4 || end - ber->p < n) {
            return 0;
        }

        for (len = 0; n; n--) {
            len = len << 8 | *ber->p++;
        }
    }

    if (len > (size_t) (end - ber->p)) {
        return 0;
    }

    head->end = ber->p + len;

    return 1;
}


/* 1: something is left in it, 0: nothing, and p is behind it; -1: error */

static int
enroll_ber_more(enroll_ber_t *ber, const enroll_ber_head_t *head)
{
    if (!head->indefinite) {
        return ber->p < head->end;
    }

    if (head->end - ber->p < 2) {
        return -1;
    }

    if (ber->p[0] == 0 && ber->p[1] == 0) {
        ber->p += 2;
        return 0;
    }

    return 1;
}


/*
 * X.690, section 8.21.6: the pieces of a string of whatever type are OCTET
 * STRINGs; some give them the string's own type
 */

static int
enroll_ber_segments(enroll_ber_t *ber, const enroll_ber_head_t *string,
    int depth)
{
    int                rc, tag;
    enroll_ber_head_t  head;

    if (depth == 0) {
        return 0;
    }

    for ( ;; ) {
        rc = enroll_ber_more(ber, string);

        if (rc <= 0) {
            return rc == 0;
        }

        if (!enroll_ber_head(ber, string->end, &head)) {
            return 0;
        }

        tag = head.tag & ~ENROLL_BER_CONSTRUCTED;

        if (tag != ENROLL_DER_OCTETS
            && tag != (string->tag & ~ENROLL_BER_CONSTRUCTED))
        {
            return 0;
        }

        if (head.tag & ENROLL_BER_CONSTRUCTED) {
            if (!enroll_ber_segments(ber, &head, depth - 1)) {
                return 0;
            }

            continue;
        }

        enroll_der_put(ber->w, ber->p, (size_t) (head.end - ber->p));
        ber->p = head.end;
    }
}

/* NOLINTEND(misc-no-recursion) */


static int
enroll_ber_is_string(int tag)
{
    switch (tag & ~ENROLL_BER_CONSTRUCTED) {

    case V_ASN1_OCTET_STRING:
    case V_ASN1_UTF8STRING:
    case V_ASN1_NUMERICSTRING:
    case V_ASN1_PRINTABLESTRING:
    case V_ASN1_T61STRING:
    case V_ASN1_IA5STRING:
    case V_ASN1_VISIBLESTRING:
    case V_ASN1_UNIVERSALSTRING:
    case V_ASN1_BMPSTRING:
        return 1;

    default:
        return 0;
    }
}
