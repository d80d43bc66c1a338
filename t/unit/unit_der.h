
/*
 * Copyright (C) The nginx-enroll authors
 */


/*
 * DER put together by hand, so that a test can say exactly what is wrong
 * with it.  All of it lives in one arena that der_reset() empties.
 *
 *     SEQ(OID("1.2.3"), TLV(0x04, RAW("\x05\x00")))
 */


#ifndef _UNIT_DER_H_INCLUDED_
#define _UNIT_DER_H_INCLUDED_


#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <openssl/crypto.h>
#include <openssl/objects.h>


#define DER_ARENA   (16 * 1024 * 1024)


typedef struct {
    const unsigned char  *data;         /* NULL ends a list */
    size_t                len;
} der_t;


/* NONE is an element that is left out */

#define NONE        ((der_t) { (const unsigned char *) "", 0 })
#define RAW(s)      ((der_t) { (const unsigned char *) (s), sizeof(s) - 1 })
#define TEXT(s)     ((der_t) { (const unsigned char *) (s), strlen(s) })

#define CAT(...)    der_join((der_t[]) { __VA_ARGS__, { NULL, 0 } })
#define TLV(t, ...) der_wrap(t, CAT(__VA_ARGS__))
#define SEQ(...)    TLV(0x30, __VA_ARGS__)
#define SET(...)    TLV(0x31, __VA_ARGS__)
#define OCTETS(...) TLV(0x04, __VA_ARGS__)
#define BITS(...)   TLV(0x03, RAW("\0"), __VA_ARGS__)
#define OID(s)      der_oid(s)

#define DER_NULL    RAW("\x05\x00")


static unsigned char  *der_arena;
static size_t          der_used;


static inline unsigned char *
der_alloc(size_t len)
{
    unsigned char  *p;

    if (der_arena == NULL) {
        der_arena = malloc(DER_ARENA);
    }

    if (der_arena == NULL || len > DER_ARENA - der_used) {
        abort();
    }

    p = der_arena + der_used;
    der_used += len;

    return p;
}


static inline void
der_reset(void)
{
    free(der_arena);
    der_arena = NULL;
    der_used = 0;
}


static inline der_t
der_copy(const unsigned char *data, size_t len)
{
    unsigned char  *p;

    p = der_alloc(len);
    memcpy(p, data, len);

    return (der_t) { p, len };
}


static inline der_t
der_join(const der_t *parts)
{
    size_t          i, len;
    unsigned char  *p;

    len = 0;

    for (i = 0; parts[i].data; i++) {
        len += parts[i].len;
    }

    p = der_alloc(len);
    len = 0;

    for (i = 0; parts[i].data; i++) {
        memcpy(p + len, parts[i].data, parts[i].len);
        len += parts[i].len;
    }

    return (der_t) { p, len };
}


static inline der_t
der_wrap(int tag, der_t content)
{
    int             n;
    size_t          len;
    unsigned char   head[8];

    head[0] = (unsigned char) tag;

    if (content.len < 0x80) {
        head[1] = (unsigned char) content.len;
        n = 2;

    } else {
        n = 2;

        for (len = content.len; len; len >>= 8) {
            n++;
        }

        head[1] = (unsigned char) (0x80 | (n - 2));

        len = content.len;

        for (int i = n - 1; i > 1; i--) {
            head[i] = (unsigned char) len;
            len >>= 8;
        }
    }

    return CAT({ head, (size_t) n }, content);
}


/* n times the same */

static inline der_t
der_times(der_t part, size_t n)
{
    size_t          i;
    unsigned char  *p;

    p = der_alloc(part.len * n);

    for (i = 0; i < n; i++) {
        memcpy(p + i * part.len, part.data, part.len);
    }

    return (der_t) { p, part.len * n };
}


static inline der_t
der_oid(const char *text)
{
    der_t         der;
    ASN1_OBJECT  *oid;

    oid = OBJ_txt2obj(text, 1);
    if (oid == NULL) {
        abort();
    }

    der = TLV(0x06, { OBJ_get0_data(oid), OBJ_length(oid) });

    ASN1_OBJECT_free(oid);

    return der;
}


/* what an i2d function of OpenSSL's has returned */

static inline der_t
der_take(unsigned char *data, int len)
{
    der_t  der;

    if (len <= 0) {
        abort();
    }

    der = der_copy(data, (size_t) len);
    OPENSSL_free(data);

    return der;
}


#endif /* _UNIT_DER_H_INCLUDED_ */
