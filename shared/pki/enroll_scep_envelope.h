
/*
 * Copyright (C) The nginx-enroll authors
 */


/*
 * Private to shared/pki: the pkcsPKIEnvelope, as it is received.
 */


#ifndef _ENROLL_SCEP_ENVELOPE_H_INCLUDED_
#define _ENROLL_SCEP_ENVELOPE_H_INCLUDED_


#include <stddef.h>
#include <openssl/evp.h>

#include "enroll_scep_alg.h"


typedef struct {
    enroll_tlv_t           rid;          /* of the one recipient */
    enroll_tlv_t           key;          /* encrypted for it */
    const EVP_MD          *oaep;         /* NULL: PKCS #1 v1.5 */
    const EVP_MD          *oaep_mgf;
    enroll_scep_cipher_t   cipher;
    enroll_tlv_t           mac;          /* of an AEAD */
    enroll_der_writer_t    aad;
    enroll_der_writer_t    content;      /* encrypted */
    enroll_der_writer_t    der;          /* what the others point into */
} enroll_scep_envelope_t;


/*
 * Takes EnvelopedData (RFC 5652, section 6) or AuthEnvelopedData (RFC 5083)
 * apart, DER or BER, and looks at all algorithms; no key is used.  ENROLL_OK,
 * ENROLL_SCEP_ENVELOPE or ENROLL_SCEP_ALG; cleaned up by the caller in any
 * case.
 */

enroll_outcome_e enroll_scep_envelope(enroll_scep_envelope_t *e,
    const unsigned char *ber, size_t len, unsigned legacy);

void enroll_scep_envelope_cleanup(enroll_scep_envelope_t *e);

/*
 * Decrypts it: the octets (OPENSSL_clear_free(*out, *size)) of which len are
 * plaintext, and 1; or 0, whatever is wrong
 */

int enroll_scep_decrypt(const enroll_scep_envelope_t *e,
    const enroll_ra_t *ra, unsigned char **out, size_t *size, size_t *len);


#endif /* _ENROLL_SCEP_ENVELOPE_H_INCLUDED_ */
