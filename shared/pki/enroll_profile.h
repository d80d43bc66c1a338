
/*
 * Copyright (C) The nginx-enroll authors
 */


/*
 * Profiles: what a certificate says beside names and key, and for which keys.
 */


#ifndef _ENROLL_PROFILE_H_INCLUDED_
#define _ENROLL_PROFILE_H_INCLUDED_


#include <stddef.h>
#include <time.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

#include "enroll_key.h"


typedef struct {
    time_t              validity;       /* seconds */
    time_t              backdate;
    time_t              renew_before;   /* 0: at any time */
    enroll_key_rules_t  keys;
    const EVP_MD       *digest;         /* NULL: the usual for the CA's key */
    unsigned            san;            /* kinds copied from the request */
    unsigned            renew_copy:1;   /* "reenroll_identity copy" */

    /* extensions, made once; NULL: none */

    X509_EXTENSION     *basic;          /* basicConstraints, no CA */
    X509_EXTENSION     *key_usage;      /* for RSA keys */
    X509_EXTENSION     *key_usage_ec;   /* without what only RSA can do */
    X509_EXTENSION     *key_usage_sign; /* and without key agreement */
    X509_EXTENSION     *ext_key_usage;
} enroll_profile_t;


/*
 * The built-in default: 90 days, backdated 5 minutes, rsa:2048-4096,
 * ec:P-256,P-384,P-521, ed25519, ed448 and ML-DSA where OpenSSL has it;
 * digitalSignature, clientAuth, the default SAN kinds.  The parts that are
 * set already (not zero) are kept; those made are freed with
 * enroll_profile_cleanup().  1 on success, else 0.
 */

int enroll_profile_defaults(enroll_profile_t *profile);

void enroll_profile_cleanup(enroll_profile_t *profile);

/*
 * keyUsage from n words of RFC 5280 (digitalSignature, nonRepudiation or
 * contentCommitment, keyEncipherment, dataEncipherment, keyAgreement,
 * encipherOnly, decipherOnly); extKeyUsage from n names or dotted OIDs.
 * NULL, or a static text: an unknown or a repeated word, or one that no end
 * entity may have (keyCertSign, cRLSign).  words are NUL-terminated; *bad is
 * the one at fault, n where it is none alone.
 */

const char *enroll_profile_key_usage(enroll_profile_t *profile,
    const char *const *words, size_t n, size_t *bad);
const char *enroll_profile_ext_key_usage(enroll_profile_t *profile,
    const char *const *words, size_t n, size_t *bad);

/* "sha256", "sha384", "sha512": NULL for any other word */

const EVP_MD *enroll_digest(const char *word, size_t len);


#endif /* _ENROLL_PROFILE_H_INCLUDED_ */
