
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


/*
 * Makes and signs a certificate for the key of a verified request with the
 * names given: version 3, a random serial of 16 octets (127 bits, positive),
 * validity of the profile clipped to the issuer's, AKI, SKI, the profile's
 * extensions, nothing else.  Thread-safe; ca->cheap tells where to run it.
 * Returns ENROLL_OK, *x (to be freed) and its DER (*der, OPENSSL_free()),
 * else ENROLL_SIGN_FAILED, whose cause is left in OpenSSL's error queue,
 * ENROLL_CA_EXPIRED, or ENROLL_KEY_NOT_ALLOWED where the profile has no
 * keyUsage that a key of this kind can have.  *x is as it was made: its key
 * was never decoded, X509_get0_pubkey() has none.
 */

enroll_outcome_e enroll_issue(const enroll_ca_t *ca,
    const enroll_profile_t *profile, const enroll_csr_t *csr,
    const enroll_names_t *names, time_t now, X509 **x, unsigned char **der,
    size_t *len);


#endif /* _ENROLL_ISSUE_H_INCLUDED_ */
