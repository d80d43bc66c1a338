
/*
 * Copyright (C) The nginx-enroll authors
 */


/*
 * Private to shared/pki: the algorithms and object identifiers of SCEP's
 * messages.
 */


#ifndef _ENROLL_SCEP_ALG_H_INCLUDED_
#define _ENROLL_SCEP_ALG_H_INCLUDED_


#include <stddef.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

#include "enroll_scep.h"
#include "enroll_der.h"


#define ENROLL_SCEP_IV    16
#define ENROLL_SCEP_TAG   16


/* with the length in octets, for enroll_der_add() and enroll_der_is() */

#define ENROLL_OID_DATA                                                       \
    "\x2a\x86\x48\x86\xf7\x0d\x01\x07\x01", 9
#define ENROLL_OID_SIGNED                                                     \
    "\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02", 9
#define ENROLL_OID_ENVELOPED                                                  \
    "\x2a\x86\x48\x86\xf7\x0d\x01\x07\x03", 9
#define ENROLL_OID_AUTH_ENVELOPED                                             \
    "\x2a\x86\x48\x86\xf7\x0d\x01\x09\x10\x01\x17", 11
#define ENROLL_OID_CONTENT_TYPE                                               \
    "\x2a\x86\x48\x86\xf7\x0d\x01\x09\x03", 9
#define ENROLL_OID_MESSAGE_DIGEST                                             \
    "\x2a\x86\x48\x86\xf7\x0d\x01\x09\x04", 9

/* RFC 8894, section 3.2.1 */

#define ENROLL_OID_MESSAGE_TYPE                                               \
    "\x60\x86\x48\x01\x86\xf8\x45\x01\x09\x02", 10
#define ENROLL_OID_PKI_STATUS                                                 \
    "\x60\x86\x48\x01\x86\xf8\x45\x01\x09\x03", 10
#define ENROLL_OID_FAIL_INFO                                                  \
    "\x60\x86\x48\x01\x86\xf8\x45\x01\x09\x04", 10
#define ENROLL_OID_SENDER_NONCE                                               \
    "\x60\x86\x48\x01\x86\xf8\x45\x01\x09\x05", 10
#define ENROLL_OID_RECIPIENT_NONCE                                            \
    "\x60\x86\x48\x01\x86\xf8\x45\x01\x09\x06", 10
#define ENROLL_OID_TRANSACTION_ID                                             \
    "\x60\x86\x48\x01\x86\xf8\x45\x01\x09\x07", 10
#define ENROLL_OID_FAIL_INFO_TEXT                                             \
    "\x2b\x06\x01\x05\x05\x07\x18\x01", 8


typedef struct {
    const EVP_CIPHER     *cipher;
    unsigned              aead:1;
    unsigned char         iv[ENROLL_SCEP_IV];
    size_t                iv_len;
    size_t                tag_len;       /* of an AEAD */
} enroll_scep_cipher_t;


/* 1 if the octets of an element's contents are those given, else 0 */

int enroll_der_is(const enroll_tlv_t *t, const char *data, size_t len);

int enroll_der_same(const enroll_tlv_t *one, const enroll_tlv_t *two);

/* a Name, or NULL */

X509_NAME *enroll_scep_name(const enroll_tlv_t *t);

/*
 * Each is for an AlgorithmIdentifier, and refuses with ENROLL_SCEP_ALG what
 * is unknown, not allowed or not in OpenSSL, and what has other parameters
 * than it should
 */

enroll_outcome_e enroll_scep_digest_alg(const EVP_MD **digest,
    const enroll_tlv_t *alg, unsigned legacy);

/* ENROLL_SCEP_ENVELOPE, too: an IV that is none */

enroll_outcome_e enroll_scep_cipher_alg(enroll_scep_cipher_t *cipher,
    const enroll_tlv_t *alg, unsigned legacy);

/* *oaep is NULL for PKCS #1 v1.5 */

enroll_outcome_e enroll_scep_transport_alg(const EVP_MD **oaep,
    const EVP_MD **mgf, const enroll_tlv_t *alg);

/* 1 if the signer's key can encrypt, else 0 */

int enroll_scep_can_encrypt(const enroll_scep_t *m);


#endif /* _ENROLL_SCEP_ALG_H_INCLUDED_ */
