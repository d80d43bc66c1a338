
/*
 * Copyright (C) The nginx-enroll authors
 */


/*
 * Private to shared/pki: what only RSA has.
 */


#ifndef _ENROLL_RSA_H_INCLUDED_
#define _ENROLL_RSA_H_INCLUDED_


#include <stddef.h>
#include <openssl/x509.h>


#define ENROLL_RSA_MIN_BITS   1024
#define ENROLL_RSA_MAX_BITS   16384


/* an RSAPublicKey (RFC 8017, appendix A.1.1), big endian, no leading zeros */

typedef struct {
    const unsigned char  *n;
    size_t                n_len;
    const unsigned char  *e;
    size_t                e_len;
} enroll_rsa_t;


/* RSASSA-PSS-params (RFC 8017, appendix A.2.3) with its defaults */

typedef struct {
    int                   hash;       /* NID */
    int                   mgf_hash;
    int                   salt;
} enroll_rsa_pss_t;


/* 1 if the octets are one RSAPublicKey in DER, else 0 */

int enroll_rsa_parse(enroll_rsa_t *rsa, const unsigned char *der, size_t len);

/* the bits of the modulus, or 0 if the key is weak by itself */

int enroll_rsa_check(const enroll_rsa_t *rsa);

/*
 * 1 if the modulus is almost surely a prime: a Fermat test, which costs as
 * much as three signatures
 */

int enroll_rsa_prime(const enroll_rsa_t *rsa);

/* 1 and *pss, or 0 if the parameters are malformed or not for MGF1 */

int enroll_rsa_pss(enroll_rsa_pss_t *pss, const X509_ALGOR *alg);


#endif /* _ENROLL_RSA_H_INCLUDED_ */
