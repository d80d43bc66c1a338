
/*
 * Copyright (C) The nginx-enroll authors
 */


/*
 * Private to shared/pki: the pkcsPKIEnvelope of an answer.
 */


#ifndef _ENROLL_SCEP_SEAL_H_INCLUDED_
#define _ENROLL_SCEP_SEAL_H_INCLUDED_


#include "enroll_scep_alg.h"


/*
 * The certificates or the CRL of an answer, enveloped as the request was.
 * ENROLL_OK, ENROLL_SCEP_NO_ENVELOPE or ENROLL_SIGN_FAILED.
 */

enroll_outcome_e enroll_scep_seal(enroll_der_writer_t *w,
    const enroll_scep_t *m, const enroll_scep_answer_t *answer);


#endif /* _ENROLL_SCEP_SEAL_H_INCLUDED_ */
