
/*
 * Copyright (C) The nginx-enroll authors
 */


/*
 * Bags of certificates, as EST and SCEP hand them out.
 */


#ifndef _ENROLL_BAG_H_INCLUDED_
#define _ENROLL_BAG_H_INCLUDED_


#include <stddef.h>
#include <openssl/x509.h>


/*
 * A certs-only SignedData (RFC 5272, section 4.1).  sorted: in ascending
 * order of their DER as a SET OF has them, without doubles; else in the
 * order given.  The DER is in *der (OPENSSL_free()), its length is returned;
 * 0 on failure.
 */

size_t enroll_bag(const STACK_OF(X509) *certs, int sorted,
    unsigned char **der);

/* the same of the DER of one certificate, and of others behind it or NULL */

size_t enroll_bag_leaf(const unsigned char *leaf, size_t len,
    const STACK_OF(X509) *chain, unsigned char **der);


#endif /* _ENROLL_BAG_H_INCLUDED_ */
