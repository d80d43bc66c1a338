
/*
 * Copyright (C) The nginx-enroll authors
 */


/*
 * Private to shared/pki: one element of strict DER at a time, for the places
 * where OpenSSL's templates would take too much or cost too much.
 */


#ifndef _ENROLL_DER_H_INCLUDED_
#define _ENROLL_DER_H_INCLUDED_


#include <stddef.h>
#include <openssl/asn1.h>
#include <openssl/err.h>


#define ENROLL_DER_INTEGER    0x02
#define ENROLL_DER_OID        0x06
#define ENROLL_DER_SEQUENCE   0x30


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


#endif /* _ENROLL_DER_H_INCLUDED_ */
