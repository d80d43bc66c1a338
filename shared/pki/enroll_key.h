
/*
 * Copyright (C) The nginx-enroll authors
 */


/*
 * Public keys in requests: which kind and size they are, whether a profile
 * takes them, and an EVP_PKEY made from their raw parts.  The
 * SubjectPublicKeyInfo is never given to OpenSSL's decoders, which cost more
 * than the signature they are wanted for.
 */


#ifndef _ENROLL_KEY_H_INCLUDED_
#define _ENROLL_KEY_H_INCLUDED_


#include <stddef.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

#include "enroll_outcome.h"


#define ENROLL_KEY_RULES   32
#define ENROLL_KEY_TEXT    32


typedef enum {
    ENROLL_KEY_RSA = 0,
    ENROLL_KEY_EC,
    ENROLL_KEY_ED25519,
    ENROLL_KEY_ED448,
    ENROLL_KEY_ML_DSA_44,
    ENROLL_KEY_ML_DSA_65,
    ENROLL_KEY_ML_DSA_87
} enroll_key_kind_e;


typedef struct {
    enroll_key_kind_e   kind;
    int                 bits;    /* of the modulus or the curve, else 0 */
    int                 nid;     /* of the curve, else 0 */
    int                 e_len;   /* RSA: octets of the exponent, else 0 */
} enroll_key_t;


typedef struct {
    struct {
        enroll_key_kind_e   kind;
        int                 min;     /* RSA: bits */
        int                 max;
        int                 nid;     /* EC: the curve */
    }                    rule[ENROLL_KEY_RULES];
    size_t               n;
} enroll_key_rules_t;


/*
 * Adds one word of the "keys" directive to the rules: "rsa:2048-4096",
 * "rsa:3072", "ec:P-256,P-384", "ed25519", "ed448", "ml-dsa-44",
 * "ml-dsa-65", "ml-dsa-87".  RSA is 1024 to 16384 bits.  Returns NULL, or a
 * static text that says what is wrong: a word it does not know, or a kind
 * that the OpenSSL at hand cannot use.
 */

const char *enroll_key_rules_add(enroll_key_rules_t *rules, const char *word,
    size_t len);

/*
 * The rule i as a word: "rsa:2048-4096", "ec:P-256", "ed25519"; writes at most
 * ENROLL_KEY_TEXT octets with the final NUL, returns the length without it
 */

size_t enroll_key_rule_text(const enroll_key_rules_t *rules, size_t i,
    char *text);

/* 1 if the rules take the key, else 0 */

int enroll_key_allowed(const enroll_key_rules_t *rules,
    const enroll_key_t *key);

/*
 * The algorithm of the keys that have no parameter, by their word, to be freed
 * with ASN1_OBJECT_free(); NULL for any other word
 */

ASN1_OBJECT *enroll_key_oid(const char *word);

/*
 * Looks at a SubjectPublicKeyInfo: alg is its algorithm, bits its bit string
 * of len octets.  Fills in key.  Cheap: no key is built.  Refuses what is
 * malformed or weak by itself whatever a profile says (even or tiny moduli,
 * exponents below 65537 or above 2^64, moduli with small factors or the ROCA
 * fingerprint, explicit or unknown curves, hybrid points, the point at
 * infinity, wrong parameters or lengths): ENROLL_BAD_KEY, or
 * ENROLL_KEY_NOT_ALLOWED for an algorithm or a curve it does not know.
 */

enroll_outcome_e enroll_key_inspect(enroll_key_t *key, const X509_ALGOR *alg,
    const unsigned char *bits, size_t len);

/*
 * Builds the public key from its raw parts; the caller frees it with
 * EVP_PKEY_free().  The point of an EC key is checked to be on its curve.
 * Parameters of id-RSASSA-PSS bind signatures, not the key: it has none.
 * Returns NULL for a key that is not valid.
 */

EVP_PKEY *enroll_key_build(const enroll_key_t *key,
    const unsigned char *bits, size_t len);

/*
 * 1 if an operation with the key's public part is cheap enough for the event
 * loop, 0 if it belongs on a pool thread
 */

int enroll_key_cheap(const enroll_key_t *key);

/* frees what is kept for all keys; none may be looked at afterwards */

void enroll_key_end(void);

/*
 * "rsa:2048", "ec:P-256", "ed25519", …: writes at most ENROLL_KEY_TEXT
 * octets with the final NUL, returns the length without it
 */

size_t enroll_key_text(const enroll_key_t *key, char *text);


#endif /* _ENROLL_KEY_H_INCLUDED_ */
