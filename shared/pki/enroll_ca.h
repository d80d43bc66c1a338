
/*
 * Copyright (C) The nginx-enroll authors
 */


/*
 * A certification authority: its certificates, its key, and what is made of
 * them once at start.
 */


#ifndef _ENROLL_CA_H_INCLUDED_
#define _ENROLL_CA_H_INCLUDED_


#include <stddef.h>
#include <time.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

#include "enroll_csr.h"
#include "enroll_outcome.h"


#define ENROLL_ERROR_TEXT   512
#define ENROLL_KEYID_LEN    20       /* RFC 7093, section 2, method 1 */


typedef struct {
    STACK_OF(X509)     *chain;       /* from the issuing one to the root */
    STACK_OF(X509)     *previous;    /* predecessors that may still renew */
    STACK_OF(X509)     *next;        /* successors and cross certificates */
    EVP_PKEY           *key;         /* of chain[0] */
    unsigned            remote:1;    /* the key is in a store or an engine */

    /* made by enroll_ca_init() */

    const EVP_MD       *digest;      /* the usual for the key; NULL: its own */
    X509_EXTENSION     *aki;
    unsigned            cheap:1;     /* may sign on the event loop */
} enroll_ca_t;


/*
 * The certificates of PEM text of len octets, in their order; NULL where
 * there is none or one is malformed, with a text in error.  Freed with
 * OSSL_STACK_OF_X509_free() or sk_X509_pop_free(x, X509_free).
 */

STACK_OF(X509) *enroll_certs_parse(const char *pem, size_t len,
    char error[ENROLL_ERROR_TEXT]);

/*
 * Checks chain (and, where set, key, previous and next) at the time now, and
 * makes the rest: the first certificate is a CA that may sign, inside its
 * dates, with a key that OpenSSL here can sign with (a trial signature is
 * made and verified) and that belongs to it; each is issued by the one
 * behind it, up to a self-signed one.  Returns 1, or 0 with a text that
 * names the certificate and the remedy.  On failure as on success the caller
 * calls enroll_ca_cleanup() in the end.
 */

int enroll_ca_init(enroll_ca_t *ca, time_t now,
    char error[ENROLL_ERROR_TEXT]);

/* a trial signature with the key: 1 if it verifies, else 0 with a text */

int enroll_ca_try(const enroll_ca_t *ca, char error[ENROLL_ERROR_TEXT]);

void enroll_ca_cleanup(enroll_ca_t *ca);

/*
 * Whether x was issued by one of the certificates, names and signature both:
 * that certificate, or NULL.  hint: a certificate that the signature is
 * known to be by (the TLS layer's verified chain), or NULL; where it equals
 * one of them, the signature is not verified once more.
 */

X509 *enroll_issuer_find(const STACK_OF(X509) *issuers, X509 *x,
    const X509 *hint);

/* the same over chain[0] and previous */

X509 *enroll_ca_issued(const enroll_ca_t *ca, X509 *x, const X509 *hint);

/*
 * A certificate read back from the store is trusted only if it is this CA's
 * (or its predecessor's), certifies the request's key and is inside its
 * dates: *x, to be freed, and ENROLL_OK, else ENROLL_STORE_TAMPERED.
 */

enroll_outcome_e enroll_ca_recheck(const enroll_ca_t *ca,
    const enroll_csr_t *csr, const unsigned char *der, size_t len, time_t now,
    X509 **x);

/* ENROLL_OK if x is inside its dates at now, else ENROLL_CERT_EXPIRED */

enroll_outcome_e enroll_cert_dates(const X509 *x, time_t now);


#endif /* _ENROLL_CA_H_INCLUDED_ */
