
/*
 * Copyright (C) The nginx-enroll authors
 */


/*
 * The making of a certificate (RFC 5280, section 4).
 */


#ifndef _ENROLL_ISSUE_H_INCLUDED_
#define _ENROLL_ISSUE_H_INCLUDED_


#include <stddef.h>
#include <time.h>
#include <openssl/x509.h>

#include "enroll_ca.h"
#include "enroll_csr.h"
#include "enroll_names.h"
#include "enroll_outcome.h"
#include "enroll_profile.h"
#include "enroll_text.h"


/* a certificate as octets, and what is asked about it */

typedef struct {
    unsigned char      *der;         /* OPENSSL_free(); NULL: none */
    size_t              len;
    char                serial[ENROLL_SERIAL_TEXT];
    time_t              not_before;
    time_t              not_after;
} enroll_cert_t;


/*
 * Makes and signs a certificate for the key of a verified request with the
 * names given: version 3, a random serial of 16 octets (127 bits, positive),
 * validity of the profile clipped to the issuer's, AKI, SKI, the profile's
 * extensions, nothing else.  Thread-safe; ca->cheap tells where to run it.
 * Returns ENROLL_OK and *cert, else ENROLL_SIGN_FAILED, whose cause is left
 * in OpenSSL's error queue, ENROLL_CA_EXPIRED, or ENROLL_KEY_NOT_ALLOWED
 * where the profile has no keyUsage that a key of this kind can have; *cert
 * has no octets then.
 */

enroll_outcome_e enroll_issue(const enroll_ca_t *ca,
    const enroll_profile_t *profile, const enroll_csr_t *csr,
    const enroll_names_t *names, time_t now, enroll_cert_t *cert);

/* the same of a certificate that there is, with a copy of its octets: 1 or 0 */

int enroll_cert_copy(enroll_cert_t *cert, const X509 *x,
    const unsigned char *der, size_t len);


#endif /* _ENROLL_ISSUE_H_INCLUDED_ */
