
/*
 * Copyright (C) The nginx-enroll authors
 */


/*
 * Private to shared/pki: the attributes of a certification request.
 */


#ifndef _ENROLL_CSR_ATTR_H_INCLUDED_
#define _ENROLL_CSR_ATTR_H_INCLUDED_


#include <openssl/x509.h>

#include "enroll_csr.h"
#include "enroll_outcome.h"


#define ENROLL_OID_LEN   64      /* octets; more name nothing in use */


/*
 * Checks all of them and fills in san, challenge and linking.  The values of
 * the latter are wiped from attrs.
 */

enroll_outcome_e enroll_csr_attributes(enroll_csr_t *csr,
    const STACK_OF(X509_ATTRIBUTE) *attrs);


#endif /* _ENROLL_CSR_ATTR_H_INCLUDED_ */
