
/*
 * Copyright (C) The nginx-enroll authors
 */


/*
 * SCEP's pkiMessages (RFC 8894, section 3): SignedData around EnvelopedData
 * (RFC 5652), taken in three steps, and the answers to them.
 */


#ifndef _ENROLL_SCEP_H_INCLUDED_
#define _ENROLL_SCEP_H_INCLUDED_


#include <stddef.h>
#include <openssl/asn1.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

#include "enroll_csr.h"
#include "enroll_key.h"
#include "enroll_outcome.h"


#define ENROLL_SCEP_SIZE          (1024 * 1024)    /* of a message, at most */
#define ENROLL_SCEP_TRANSACTION   255
#define ENROLL_SCEP_NONCE         64
#define ENROLL_SCEP_OWN_NONCE     16

/* messageType (RFC 8894, section 3.2.1.2) */

#define ENROLL_SCEP_CERT_REP      3
#define ENROLL_SCEP_RENEWAL_REQ   17
#define ENROLL_SCEP_PKCS_REQ      19
#define ENROLL_SCEP_CERT_POLL     20
#define ENROLL_SCEP_GET_CERT      21
#define ENROLL_SCEP_GET_CRL       22

/* pkiStatus (section 3.2.1.3) */

#define ENROLL_SCEP_SUCCESS       0
#define ENROLL_SCEP_FAILURE       2
#define ENROLL_SCEP_PENDING       3

/* what is taken beside the usual algorithms, with those of a request */

#define ENROLL_LEGACY_DES3        0x0004
#define ENROLL_LEGACY_DES         0x0008

/* what GetCACaps lists beside what is always there, a set of bits */

#define ENROLL_SCEP_CAP_RENEWAL   0x0001
#define ENROLL_SCEP_CAP_NEXT_CA   0x0002

#define ENROLL_SCEP_CAPS_LEN      160

/*
 * Of PBKDF2, where a password encrypts an answer, with HMAC-SHA-1 as OpenSSL's
 * CMS has it.  Whoever has seen the answer can try passwords: each try, and
 * the answer, costs 20 ms of a processor of 2024, a second of a device's.
 * There is nothing to try of what is random.
 */

#define ENROLL_SCEP_ROUNDS        100000
#define ENROLL_SCEP_ROUNDS_RANDOM 1000


/*
 * Who answers: a registration authority or the CA itself, whose RSA
 * certificate and key are then all of these
 */

typedef struct {
    STACK_OF(X509)     *certs;       /* to open with, the newest first */
    EVP_PKEY          **keys;        /* of certs, in their order */
    X509               *sign_cert;
    EVP_PKEY           *sign_key;
} enroll_ra_t;


/* how the answer is made: as the request was */

typedef struct {
    const EVP_MD       *digest;      /* of the signature, never NULL */
    const EVP_CIPHER   *cipher;      /* of the content, never NULL */
    const EVP_MD       *oaep;        /* NULL: key transport by PKCS #1 v1.5 */
    const EVP_MD       *oaep_mgf;
} enroll_scep_mirror_t;


typedef struct enroll_scep_signed_s  enroll_scep_signed_t;


typedef struct {

    /* by enroll_scep_parse() */

    unsigned char          transaction[ENROLL_SCEP_TRANSACTION];
    size_t                 transaction_len;
    int                    transaction_type;    /* its V_ASN1_… */
    unsigned char          nonce[ENROLL_SCEP_NONCE];    /* senderNonce */
    size_t                 nonce_len;
    unsigned char          signer_digest[ENROLL_DIGEST_LEN];  /* of the SPKI
                                            of whoever is said to sign */
    enroll_scep_mirror_t   mirror;
    unsigned               legacy;

    /* by enroll_scep_verify() */

    int                    type;         /* messageType; 0: none served here */
    enroll_key_t           signer_key;

    /* by the caller, see enroll_scep_open() */

    unsigned               known:1;      /* an authority of ours issued it */
    const STACK_OF(X509)  *issuers;      /* whose subjects a 20, 21 or 22 may
                                            name; borrowed.  NULL: any */

    /* by enroll_scep_open(), as the type has them */

    enroll_csr_t          *csr;          /* 17, 19 */
    X509_NAME             *issuer;       /* 20, 21, 22 */
    X509_NAME             *subject;      /* 20 */
    ASN1_INTEGER          *serial;       /* 21, 22 */

    /* private */

    EVP_PKEY              *pkey;         /* of the signer */
    X509                  *signer;       /* NULL: not asked for yet */
    const unsigned char   *cert;         /* the same, in der */
    size_t                 cert_len;
    unsigned char         *der;          /* the message */
    enroll_scep_signed_t  *outer;        /* what it consists of */
    const unsigned char   *content;      /* pkcsPKIEnvelope, in der */
    size_t                 content_len;
} enroll_scep_t;


/*
 * Takes the outer SignedData of len octets, DER or BER, apart: one
 * SignerInfo, its attributes, the certificate that it names, which is in the
 * message.  That is enough to make a CertRep; nothing of it is true before
 * enroll_scep_verify() has said so.  No operation with any key, and no more
 * work than grows with len, which is bounded.  The octets need not outlive
 * the call.  legacy: algorithms that are taken beside the usual ones.
 *
 * Returns ENROLL_OK and *m, to be freed with enroll_scep_free(), or the
 * reason of refusal and NULL: the answer is the outcome's HTTP status.
 */

enroll_outcome_e enroll_scep_parse(enroll_scep_t **m,
    const unsigned char *der, size_t len, unsigned legacy);

/*
 * Verifies the signature of a message, over the attributes in the order
 * received or, where that is another one, in that of DER, by the key of the
 * certificate in the message; then the messageType.  Whose that certificate
 * is, is decided elsewhere.  For a pool thread: keys are RSA of up to 16384
 * bits, and EC.  Returns ENROLL_OK or the reason of refusal.
 */

enroll_outcome_e enroll_scep_verify(enroll_scep_t *m);

/*
 * Opens the pkcsPKIEnvelope of a message that enroll_scep_verify() returned
 * ENROLL_OK for.  All algorithms are looked at before a private key is
 * used.  From there on there is one refusal, ENROLL_SCEP_DECRYPT, until the
 * content has shown to be a request by the signer, lest the answers be an
 * oracle for what somebody else has sent:
 *
 * - where the request is for the signer's own key: once it is well-formed;
 * - where it is not a request for a certificate: once it is well-formed and
 *   names one of m->issuers, as nothing that is decrypted by chance does;
 * - where it is for another key and the caller has set m->known, that is,
 *   has found the signer's certificate to be issued by an authority that it
 *   renews for: once the request's own signature verifies;
 * - for another key without m->known: never.
 *
 * After it come those of enroll_csr_parse(), and ENROLL_SCEP_NO_ENVELOPE
 * where a signer whose key cannot encrypt left no challengePassword to
 * envelope the answer with.  The request's proof of possession is yet to be
 * verified, with enroll_csr_verify().
 *
 * The content may be BER; it is made DER, and what a request's signature
 * verifies over is DER, too (RFC 2986, section 4.2).
 */

enroll_outcome_e enroll_scep_open(enroll_scep_t *m, const enroll_ra_t *ra);

/*
 * Which of ENROLL_LEGACY_… the message and the request in it are made with;
 * all of that is known once it is opened
 */

unsigned enroll_scep_legacy(const enroll_scep_t *m);

/*
 * The signer's certificate, after enroll_scep_verify() has found it to be
 * one, or NULL.  It is decoded when it is asked for: that takes longer than
 * verifying the message, and one that a device made for itself says nothing.
 */

X509 *enroll_scep_signer_cert(enroll_scep_t *m);

/* 1 if one of these has the name of its issuer, else 0; this is fast */

int enroll_scep_signer_by(const enroll_scep_t *m,
    const STACK_OF(X509) *issuers);

/* wipes what was secret; NULL is taken */

void enroll_scep_free(enroll_scep_t *m);


typedef struct {
    int                    status;       /* ENROLL_SCEP_SUCCESS, … */
    int                    failinfo;     /* of FAILURE: 0 to 4 */
    const char            *text;         /* failInfoText, or NULL: none */
    const unsigned char   *leaf;         /* of SUCCESS: its DER, or NULL */
    size_t                 leaf_len;
    const STACK_OF(X509)  *certs;        /* behind it, or NULL: none */
    X509_CRL              *crl;          /* or this one alone */
    const char            *password;     /* NULL: m->csr's challenge */
    size_t                 password_len;
    unsigned               random:1;     /* it cannot be guessed: 128 bits */
} enroll_scep_answer_t;


/*
 * A CertRep in DER (*der, OPENSSL_free()).  The envelope of a SUCCESS is for
 * the signer's RSA key; for a key that cannot encrypt it is for the password
 * (RFC 8894, section 3.1), which is that of the request unless the answer
 * names another, as for a CertPoll.  ENROLL_OK, ENROLL_SCEP_NO_ENVELOPE, or
 * ENROLL_SIGN_FAILED where a key or OpenSSL did not do its part.
 */

enroll_outcome_e enroll_scep_reply(const enroll_scep_t *m,
    const enroll_ra_t *ra, const enroll_scep_answer_t *answer,
    unsigned char **der, size_t *len);

/*
 * The answer to GetNextCACert (RFC 8894, section 4.7.1): certs, in the order
 * given, in a SignedData by ra->sign_*.  ENROLL_OK or ENROLL_SIGN_FAILED.
 */

enroll_outcome_e enroll_scep_next_ca(const enroll_ra_t *ra,
    const STACK_OF(X509) *certs, unsigned char **der, size_t *len);

/*
 * The answer to GetCACaps, NUL-terminated, one keyword a line, each with LF;
 * returns its length.  legacy and caps: bits of ENROLL_LEGACY_… and
 * ENROLL_SCEP_CAP_….
 */

size_t enroll_scep_caps(char text[ENROLL_SCEP_CAPS_LEN], unsigned legacy,
    unsigned caps);

/*
 * The raw value of GET's "message", as clients send it: base64 (not
 * base64url) with or without padding, some or all of it percent-encoded, a
 * plus perhaps a space already, line ends anywhere.  out, which may be in,
 * has room for len + 4 octets.  ENROLL_OK and *outlen, ENROLL_EMPTY_BODY or
 * ENROLL_BAD_ENCODING.
 */

enroll_outcome_e enroll_scep_query_decode(unsigned char *out, size_t *outlen,
    const unsigned char *in, size_t len);


#endif /* _ENROLL_SCEP_H_INCLUDED_ */
