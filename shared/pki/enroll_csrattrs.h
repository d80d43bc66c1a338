
/*
 * Copyright (C) The nginx-enroll authors
 */


/*
 * CsrAttrs (RFC 8951, section 4; RFC 9908, section 3.2), built element by
 * element.
 */


#ifndef _ENROLL_CSRATTRS_H_INCLUDED_
#define _ENROLL_CSRATTRS_H_INCLUDED_


#include <stddef.h>

#include "enroll_key.h"


typedef struct enroll_csrattrs_s  enroll_csrattrs_t;

enroll_csrattrs_t *enroll_csrattrs_new(void);
void enroll_csrattrs_free(enroll_csrattrs_t *attrs);

/*
 * Adds a word: a name or dotted OID that OpenSSL knows
 * ("challengePassword", "ecdsa-with-SHA384", "1.3.6.1.1.1.1.22"), or a key
 * type with its parameter ("rsa:3072", "ec:P-384", "ed25519").  NULL, or a
 * static text that says what is wrong.
 */

const char *enroll_csrattrs_add(enroll_csrattrs_t *attrs, const char *word,
    size_t len);

/*
 * What the rules demand: the key type, where they leave no choice of it;
 * 1 on success, else 0
 */

int enroll_csrattrs_add_rules(enroll_csrattrs_t *attrs,
    const enroll_key_rules_t *rules);

/*
 * The DER in *der (OPENSSL_free()); its length, 0 where no element was added
 * or on failure
 */

size_t enroll_csrattrs_der(const enroll_csrattrs_t *attrs,
    unsigned char **der);


#endif /* _ENROLL_CSRATTRS_H_INCLUDED_ */
