
/*
 * Copyright (C) The nginx-enroll authors
 */


#include <string.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/pkcs7.h>

#include "enroll_bag.h"


static int enroll_bag_cmp(const X509 *const *one, const X509 *const *two);
static int enroll_bag_fill(PKCS7 *p7, const STACK_OF(X509) *certs, int unique);


/*
 * OpenSSL's PKCS7 keeps the order of certificates, its CMS does not: here
 * both are wanted.
 */

size_t
enroll_bag(const STACK_OF(X509) *certs, int sorted, unsigned char **der)
{
    int              n;
    PKCS7           *p7;
    STACK_OF(X509)  *order;

    n = 0;
    *der = NULL;

    if (sk_X509_num(certs) < 1) {
        return 0;
    }

    p7 = PKCS7_new();
    order = sk_X509_dup(certs);

    if (p7 == NULL || order == NULL) {
        goto done;
    }

    if (sorted) {
        (void) sk_X509_set_cmp_func(order, enroll_bag_cmp);
        sk_X509_sort(order);
    }

    if (!PKCS7_set_type(p7, NID_pkcs7_signed)) {
        goto done;
    }

    /*
     * RFC 5652, section 5.2: the content is absent, where
     * PKCS7_content_new() would put an empty one
     */

    p7->d.sign->contents->type = OBJ_nid2obj(NID_pkcs7_data);

    if (enroll_bag_fill(p7, order, sorted)) {
        n = i2d_PKCS7(p7, der);
    }

done:

    if (n <= 0) {
        n = 0;
        ERR_clear_error();
    }

    PKCS7_free(p7);
    sk_X509_free(order);

    return (size_t) n;
}


static int
enroll_bag_fill(PKCS7 *p7, const STACK_OF(X509) *certs, int unique)
{
    int    i;
    X509  *x, *last;

    last = NULL;

    for (i = 0; i < sk_X509_num(certs); i++) {
        x = sk_X509_value(certs, i);

        if (unique
            && last
            && enroll_bag_cmp((const X509 *const *) &last,
                              (const X509 *const *) &x)
               == 0)
        {
            continue;
        }

        if (!PKCS7_add_certificate(p7, x)) {
            return 0;
        }

        last = x;
    }

    return 1;
}


/*
 * X.690, section 11.6.  The shorter encoding would be padded, but no DER is a
 * prefix of another.
 */

static int
enroll_bag_cmp(const X509 *const *one, const X509 *const *two)
{
    int             n, m, rc;
    unsigned char  *a, *b;

    a = NULL;
    b = NULL;

    n = i2d_X509(*one, &a);
    m = i2d_X509(*two, &b);

    if (n > 0 && m > 0) {
        rc = memcmp(a, b, (size_t) (n < m ? n : m));

    } else {

        /* unlike, so that none is taken for a double of the other */

        rc = *one < *two ? -1 : 1;
    }

    OPENSSL_free(a);
    OPENSSL_free(b);

    return rc;
}
