
/*
 * Copyright (C) The nginx-enroll authors
 */


/*
 * Private to shared/pki: who signed a message, and whether they did.
 */


#ifndef _ENROLL_SCEP_SIGNER_H_INCLUDED_
#define _ENROLL_SCEP_SIGNER_H_INCLUDED_


#include "enroll_scep_alg.h"


/*
 * The certificate among certs that sid names, and the digest of its
 * SubjectPublicKeyInfo: 1, or 0 where there is none or more than one
 */

int enroll_scep_signer_find(enroll_tlv_t *cert, unsigned char *digest,
    const enroll_tlv_t *certs, const enroll_tlv_t *sid);

/* the issuer and the serial number of m->cert, as they are in it: 1 or 0 */

int enroll_scep_signer_id(enroll_tlv_t *issuer, enroll_tlv_t *serial,
    const enroll_scep_t *m);

/*
 * Sets m->cert, m->signer_key and m->pkey: ENROLL_OK, ENROLL_SCEP_MESSAGE
 * where it is no certificate, or ENROLL_SCEP_ALG
 */

enroll_outcome_e enroll_scep_signer(enroll_scep_t *m,
    const enroll_tlv_t *cert);

/*
 * The signature with m->pkey and m->mirror.digest: ENROLL_OK,
 * ENROLL_SCEP_ALG or ENROLL_SCEP_SIGNATURE
 */

enroll_outcome_e enroll_scep_signature(const enroll_scep_t *m,
    const enroll_tlv_t *alg, const enroll_tlv_t *attrs,
    const enroll_tlv_t *signature);


#endif /* _ENROLL_SCEP_SIGNER_H_INCLUDED_ */
