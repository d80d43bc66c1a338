
/*
 * Copyright (C) The nginx-enroll authors
 */


#include <string.h>
#include <openssl/crypto.h>
#include <openssl/err.h>

#include "enroll_bag.h"
#include "enroll_der.h"
#include "enroll_scep_alg.h"


static size_t enroll_bag_write(const unsigned char *leaf, size_t leaf_len,
    const STACK_OF(X509) *certs, int unique, unsigned char **der);
static void enroll_bag_certs(enroll_der_writer_t *w,
    const STACK_OF(X509) *certs, int unique);
static int enroll_bag_cmp(const X509 *const *one, const X509 *const *two);


size_t
enroll_bag(const STACK_OF(X509) *certs, int sorted, unsigned char **der)
{
    size_t           len;
    STACK_OF(X509)  *order;

    *der = NULL;

    if (sk_X509_num(certs) < 1) {
        return 0;
    }

    order = sk_X509_dup(certs);
    if (order == NULL) {
        return 0;
    }

    if (sorted) {
        (void) sk_X509_set_cmp_func(order, enroll_bag_cmp);
        sk_X509_sort(order);
    }

    len = enroll_bag_write(NULL, 0, order, sorted, der);

    sk_X509_free(order);

    return len;
}


size_t
enroll_bag_leaf(const unsigned char *leaf, size_t len,
    const STACK_OF(X509) *chain, unsigned char **der)
{
    *der = NULL;

    if (len == 0 && sk_X509_num(chain) < 1) {
        return 0;
    }

    return enroll_bag_write(leaf, len, chain, 0, der);
}


/*
 * By hand: OpenSSL's PKCS7 encodes each certificate, and decodes it, several
 * times, its CMS does not keep their order.
 *
 * RFC 5652, section 5.2: the content is absent.
 */

static size_t
enroll_bag_write(const unsigned char *leaf, size_t leaf_len,
    const STACK_OF(X509) *certs, int unique, unsigned char **der)
{
    size_t               outer, tagged, inner, mark;
    enroll_der_writer_t  w;

    memset(&w, 0, sizeof(enroll_der_writer_t));

    outer = enroll_der_open(&w, ENROLL_DER_SEQUENCE);
    enroll_der_add(&w, ENROLL_DER_OID, ENROLL_OID_SIGNED);
    tagged = enroll_der_open(&w, ENROLL_DER_EXPLICIT);
    inner = enroll_der_open(&w, ENROLL_DER_SEQUENCE);

    enroll_der_add(&w, ENROLL_DER_INTEGER, "\x01", 1);
    enroll_der_add(&w, ENROLL_DER_SET, NULL, 0);

    mark = enroll_der_open(&w, ENROLL_DER_SEQUENCE);
    enroll_der_add(&w, ENROLL_DER_OID, ENROLL_OID_DATA);
    enroll_der_close(&w, mark);

    mark = enroll_der_open(&w, ENROLL_DER_EXPLICIT);
    enroll_der_put(&w, leaf, leaf_len);
    enroll_bag_certs(&w, certs, unique);
    enroll_der_close(&w, mark);

    enroll_der_add(&w, ENROLL_DER_SET, NULL, 0);

    enroll_der_close(&w, inner);
    enroll_der_close(&w, tagged);
    enroll_der_close(&w, outer);

    if (w.failed) {
        enroll_der_cleanup(&w);
        ERR_clear_error();
        return 0;
    }

    *der = w.data;

    return w.len;
}


/* unique: none that is the same as the one before */

static void
enroll_bag_certs(enroll_der_writer_t *w, const STACK_OF(X509) *certs,
    int unique)
{
    int             i, n;
    size_t          last, mark;
    unsigned char  *der;

    last = w->len;

    for (i = 0; i < sk_X509_num(certs); i++) {
        mark = w->len;

        der = NULL;
        n = i2d_X509(sk_X509_value(certs, i), &der);
        enroll_der_take(w, der, n);

        if (w->failed) {
            return;
        }

        if (unique && i && w->len - mark == mark - last
            && memcmp(w->data + last, w->data + mark, mark - last) == 0)
        {
            w->len = mark;
            continue;
        }

        last = mark;
    }
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
