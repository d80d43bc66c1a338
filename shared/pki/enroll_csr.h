
/*
 * Copyright (C) The nginx-enroll authors
 */


/*
 * PKCS #10 certification requests (RFC 2986), parsed once, over the octets
 * received.
 */


#ifndef _ENROLL_CSR_H_INCLUDED_
#define _ENROLL_CSR_H_INCLUDED_


#include <stddef.h>
#include <openssl/asn1.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "enroll_key.h"
#include "enroll_outcome.h"


#define ENROLL_DIGEST_LEN      32       /* SHA-256 */
#define ENROLL_CSR_ATTRIBUTES  32       /* at most, in one request */
#define ENROLL_CSR_EXTENSIONS  32
#define ENROLL_CSR_RDNS        32       /* attributes of the subject */
#define ENROLL_CSR_NAMES       100      /* subjectAltName */
#define ENROLL_CHALLENGE_LEN   255      /* RFC 2985, section 5.4.1 */

/* digests that enroll_csr_verify() may take, a set of bits */

#define ENROLL_LEGACY_SHA1     0x0001
#define ENROLL_LEGACY_MD5      0x0002


typedef struct enroll_pkcs10_s  enroll_pkcs10_t;


/*
 * A value of challengePassword or estIdentityLinking.  The protocol says
 * what it means: a channel binding in EST, a secret in SCEP.
 */

typedef struct {
    char               *data;    /* UTF-8, without NUL octets, perhaps
                                    empty; NULL: not there */
    size_t              len;
    int                 type;    /* V_ASN1_PRINTABLESTRING, … */
} enroll_challenge_t;


typedef struct {
    enroll_pkcs10_t    *pkcs10;          /* as received */
    X509_NAME          *subject;         /* of pkcs10 */
    const X509_ALGOR   *spki_alg;        /* of pkcs10 */
    const unsigned char *spki_bits;      /* of pkcs10 */
    size_t              spki_bits_len;
    GENERAL_NAMES      *san;             /* or NULL */
    enroll_key_t        key;
    unsigned char       key_digest[ENROLL_DIGEST_LEN];  /* of the SPKI's DER */
    enroll_challenge_t  challenge;       /* challengePassword */
    enroll_challenge_t  linking;         /* estIdentityLinking, RFC 7894 */
} enroll_csr_t;


/*
 * Parses one CertificationRequest of len octets; nothing may follow it.  The
 * octets need not outlive the call.  Also taken: a PKCS #7 SignedData (DER
 * or BER) whose content is the request; its own signatures are not looked
 * at, they identify nobody.
 *
 * Checks the form of everything: version 0, subject (well-formed, bounded
 * in number and length), key (enroll_key_inspect()), attributes (each once,
 * each with its number of values), requested extensions (strict DER, each
 * once; both OIDs of extensionRequest, but one request only), what is known
 * of their values.  Attributes that would change the meaning of the request
 * and that nothing here implements (changeSubjectName, otpChallenge,
 * revocationChallenge) are refused, unknown ones ignored.
 *
 * Returns ENROLL_OK and *csr, to be freed with enroll_csr_free(), or the
 * reason of refusal.
 */

enroll_outcome_e enroll_csr_parse(enroll_csr_t **csr,
    const unsigned char *der, size_t len);

/*
 * Its two halves, of a request alone, for whoever has to verify the signature
 * before it may be told what is wrong: the form and the key, that is, what
 * enroll_csr_verify() needs; then all else, after which *csr is still there
 */

enroll_outcome_e enroll_csr_decode(enroll_csr_t **csr,
    const unsigned char *der, size_t len);
enroll_outcome_e enroll_csr_check(enroll_csr_t *csr);

/*
 * Proof of possession: the signature over the octets received, by the
 * request's own key, with an accepted algorithm (SHA-256 and stronger, or
 * legacy, fit for the key).  Thread-safe; enroll_key_cheap() tells where to
 * run it.
 * Returns ENROLL_OK, ENROLL_BAD_SIGNATURE, ENROLL_BAD_SIGNATURE_ALG or
 * ENROLL_BAD_KEY.
 */

enroll_outcome_e enroll_csr_verify(const enroll_csr_t *csr,
    unsigned legacy);

/* which of ENROLL_LEGACY_… the signature is made with, 0 for any other */

unsigned enroll_csr_legacy(const enroll_csr_t *csr);

/*
 * 1 if the request's key is RSA with a modulus that is a prime, which is no
 * secret at all; for a thread, it costs milliseconds
 */

int enroll_csr_prime(const enroll_csr_t *csr);

/* 1 if x certifies the key of the request, else 0 */

int enroll_csr_key_equal(const enroll_csr_t *csr, const X509 *x);

/*
 * The SHA-256 of a certificate's SubjectPublicKeyInfo, as key_digest;
 * 1 on success, else 0
 */

int enroll_key_digest(const X509 *x, unsigned char *digest);

/* wipes the challenges; NULL is taken */

void enroll_csr_free(enroll_csr_t *csr);


#endif /* _ENROLL_CSR_H_INCLUDED_ */
