
/*
 * Copyright (C) The nginx-enroll authors
 */


/*
 * Private to shared/pki: strict DER read and written element by element, for
 * the places where OpenSSL's templates would take too much or cost too much,
 * and BER made DER.
 */


#ifndef _ENROLL_DER_H_INCLUDED_
#define _ENROLL_DER_H_INCLUDED_


#include <stddef.h>
#include <string.h>
#include <openssl/asn1.h>
#include <openssl/err.h>


#define ENROLL_DER_BOOLEAN      0x01
#define ENROLL_DER_INTEGER      0x02
#define ENROLL_DER_BITS         0x03
#define ENROLL_DER_OCTETS       0x04
#define ENROLL_DER_OID          0x06
#define ENROLL_DER_UTF8         0x0c
#define ENROLL_DER_PRINTABLE    0x13
#define ENROLL_DER_IA5          0x16
#define ENROLL_DER_SEQUENCE     0x30
#define ENROLL_DER_SET          0x31
#define ENROLL_DER_CONTEXT      0x80     /* [0], primitive */
#define ENROLL_DER_EXPLICIT     0xa0     /* [0], constructed */

#define ENROLL_DER_SORT         64       /* elements of a SET OF, at most */


/*
 * Moves *p behind the element that it points to and returns the element's
 * first octet; its contents are in *data and *len.  Returns 0 where the
 * element does not end before end, or its length is not in the shortest
 * definite form.
 */

static inline int
enroll_der_next(const unsigned char **p, const unsigned char *end,
    const unsigned char **data, size_t *len)
{
    int                   rc, tag, class, constructed;
    long                  n;
    const unsigned char  *start, *q;

    start = *p;
    q = start;

    ERR_set_mark();
    rc = ASN1_get_object(&q, &n, &tag, &class, end - start);
    ERR_pop_to_mark();

    /* 0x80 is an error, 0x01 the indefinite form */

    if (rc & 0x81) {
        return 0;
    }

    constructed = (rc & V_ASN1_CONSTRUCTED) ? 1 : 0;

    if (q - start + n != ASN1_object_size(constructed, (int) n, tag)) {
        return 0;
    }

    *p = q + n;
    *data = q;
    *len = (size_t) n;

    return *start;
}


/* one element: data and len are its contents, start and size all of it */

typedef struct {
    int                   tag;           /* its first octet; 0: none */
    const unsigned char  *data;
    size_t                len;
    const unsigned char  *start;
    size_t                size;
} enroll_tlv_t;


/* the contents of an element, as they are read one after the other */

typedef struct {
    const unsigned char  *p;
    const unsigned char  *end;
} enroll_der_reader_t;


static inline enroll_der_reader_t
enroll_der_reader(const unsigned char *data, size_t len)
{
    enroll_der_reader_t  r;

    r.p = data;
    r.end = data + len;

    return r;
}


static inline enroll_der_reader_t
enroll_der_inside(const enroll_tlv_t *t)
{
    return enroll_der_reader(t->data, t->len);
}


/* the next element, of any tag: 1, or 0 where there is none or a bad one */

static inline int
enroll_der_any(enroll_der_reader_t *r, enroll_tlv_t *t)
{
    t->start = r->p;
    t->data = r->p;
    t->len = 0;
    t->tag = r->p < r->end
             ? enroll_der_next(&r->p, r->end, &t->data, &t->len) : 0;
    t->size = (size_t) (r->p - t->start);

    return t->tag != 0;
}


/* the next element, if it has the tag: 1; else 0, and it stays the next */

static inline int
enroll_der_get(enroll_der_reader_t *r, int tag, enroll_tlv_t *t)
{
    if (r->p == r->end || *r->p != tag) {
        memset(t, 0, sizeof(enroll_tlv_t));
        return 0;
    }

    return enroll_der_any(r, t);
}


static inline int
enroll_der_end(const enroll_der_reader_t *r)
{
    return r->p == r->end;
}


/*
 * Octets that grow.  After a failure nothing is written any more; failed
 * needs to be looked at once, in the end.
 */

typedef struct {
    unsigned char        *data;
    size_t                len;
    size_t                size;
    unsigned              failed:1;
} enroll_der_writer_t;


/* zero-filled is empty; wipes and frees */

void enroll_der_cleanup(enroll_der_writer_t *w);

void enroll_der_put(enroll_der_writer_t *w, const void *data, size_t len);

/* an element around what is written between the two calls */

size_t enroll_der_open(enroll_der_writer_t *w, int tag);
void enroll_der_close(enroll_der_writer_t *w, size_t mark);

/* an element with its contents */

void enroll_der_add(enroll_der_writer_t *w, int tag, const void *data,
    size_t len);

/* what an i2d function made: n octets of its, freed here; n < 1 is failure */

void enroll_der_take(enroll_der_writer_t *w, unsigned char *data, int n);

/*
 * Puts the elements written since mark, a writer's len, in the order of a
 * SET OF (X.690, section 11.6)
 */

void enroll_der_sort(enroll_der_writer_t *w, size_t mark);

/*
 * Writes the first element of len octets of BER as DER, but for the order of
 * SETs and the values of primitive elements: lengths definite and minimal,
 * strings in one piece.  Bounded in depth, number of elements and size.
 * Returns the octets read, or 0.
 */

size_t enroll_der_from_ber(enroll_der_writer_t *w, const unsigned char *ber,
    size_t len);


#endif /* _ENROLL_DER_H_INCLUDED_ */
