
/*
 * Copyright (C) The nginx-enroll authors
 */


/*
 * Certificates: those of clients and of the store as DER, those of a CA's
 * file as PEM, and the names in them as text.  The corpus was made with
 * openssl: a root with its key's identifier, an end entity with a name of
 * every kind, also alone as its encoded subject and SAN, one with string types
 * that are out of use, and the root as PEM.
 */


#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <openssl/ec.h>
#include <openssl/err.h>

#include "enroll_ca.h"
#include "enroll_names.h"
#include "enroll_san.h"
#include "enroll_text.h"


#define FUZZ_NOW  ((time_t) 1800000000)


int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


static enroll_ca_t    fuzz_ca;
static enroll_csr_t  *fuzz_csr;


/* a CA whose key nobody has: nothing is ever issued by it */

static X509 *
fuzz_root(EVP_PKEY *key)
{
    X509            *x;
    X509_NAME       *name;
    X509_EXTENSION  *ext;

    x = X509_new();
    name = X509_get_subject_name(x);

    X509_set_version(x, X509_VERSION_3);
    X509_NAME_add_entry_by_NID(name, NID_commonName, MBSTRING_UTF8,
                               (const unsigned char *) "Root", -1, -1, 0);
    X509_set_issuer_name(x, name);
    ASN1_TIME_adj(X509_getm_notBefore(x), FUZZ_NOW, 0, 0);
    ASN1_TIME_adj(X509_getm_notAfter(x), FUZZ_NOW, 1, 0);
    X509_set_pubkey(x, key);

    ext = X509V3_EXT_conf_nid(NULL, NULL, NID_basic_constraints,
                              "critical,CA:TRUE");
    X509_add_ext(x, ext, -1);
    X509_EXTENSION_free(ext);

    X509_sign(x, key, EVP_sha256());

    return x;
}


int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
    int             n;
    char            error[ENROLL_ERROR_TEXT];
    EVP_PKEY       *key;
    X509_REQ       *req;
    unsigned char  *der;

    (void) argc;
    (void) argv;

    key = EVP_EC_gen("P-256");

    fuzz_ca.chain = sk_X509_new_null();
    fuzz_ca.previous = sk_X509_new_null();
    sk_X509_push(fuzz_ca.chain, fuzz_root(key));
    sk_X509_push(fuzz_ca.previous, fuzz_root(key));

    if (!enroll_ca_init(&fuzz_ca, FUZZ_NOW, error)) {
        abort();
    }

    req = X509_REQ_new();
    X509_REQ_set_pubkey(req, key);
    X509_REQ_sign(req, key, EVP_sha256());

    der = NULL;
    n = i2d_X509_REQ(req, &der);

    if (enroll_csr_parse(&fuzz_csr, der, (size_t) n) != ENROLL_OK) {
        abort();
    }

    OPENSSL_free(der);
    X509_REQ_free(req);
    EVP_PKEY_free(key);

    return 0;
}


/* readable, bounded, and nothing in it that a log or a terminal would obey */

static void
fuzz_text(char *text)
{
    size_t  len;

    if (text == NULL) {
        return;
    }

    len = strlen(text);

    if (len == 0
        || len > ENROLL_TEXT_MAX
        || enroll_text_length((unsigned char *) text, len) < 0)
    {
        abort();
    }

    OPENSSL_free(text);
}


/* what a request with these names would get, and what it is worth */

static void
fuzz_names(X509 *x, X509_NAME *subject, GENERAL_NAMES *san)
{
    enroll_csr_t       csr;
    unsigned char      digest[ENROLL_DIGEST_LEN];
    enroll_asker_t     asker;
    enroll_names_t     names;
    enroll_outcome_e   rc;

    memset(&csr, 0, sizeof(csr));
    memset(&names, 0, sizeof(names));
    memset(&asker, 0, sizeof(asker));

    csr.subject = subject;
    csr.san = san;
    asker.cert = x;

    rc = enroll_names_subject_csr(&names, &csr);

    if ((rc == ENROLL_OK) != (names.subject != NULL)) {
        abort();
    }

    if (rc == ENROLL_OK) {
        rc = enroll_names_san(&names, &csr, ENROLL_SAN_DEFAULT, NULL, 0);

        if (rc != ENROLL_OK && names.san != NULL) {
            abort();
        }
    }

    if (rc == ENROLL_OK) {
        if (!enroll_names_digest(&names, digest)) {
            abort();
        }

        (void) enroll_names_permitted(&names, &asker);
    }

    if (x == NULL) {
        enroll_names_cleanup(&names);
        return;
    }

    rc = enroll_names_renewal_check(&csr, x, 0);

    /* one that asks for its own names gets them */

    if (rc == ENROLL_RENEWAL_SAN
        && san != NULL
        && sk_GENERAL_NAME_num(san) <= ENROLL_CSR_NAMES)
    {
        abort();
    }

    if (enroll_names_renew(&names, x) == ENROLL_OK
        && !enroll_names_digest(&names, digest))
    {
        abort();
    }

    enroll_names_cleanup(&names);
}


/* names alone, which a mutation hits more often than inside a certificate */

static void
fuzz_name(const uint8_t *data, size_t size)
{
    X509_NAME            *subject;
    GENERAL_NAMES        *san;
    const unsigned char  *p;

    p = data;
    subject = d2i_X509_NAME(NULL, &p, (long) size);

    p = data;
    san = d2i_GENERAL_NAMES(NULL, &p, (long) size);

    if (subject != NULL) {
        fuzz_text(enroll_text_name(subject));
        fuzz_text(enroll_text_cn(subject));
        fuzz_names(NULL, subject, NULL);
    }

    X509_NAME_free(subject);

    if (san != NULL) {
        subject = X509_NAME_new();
        fuzz_text(enroll_text_san(san));
        fuzz_names(NULL, subject, san);
        X509_NAME_free(subject);
    }

    GENERAL_NAMES_free(san);
    ERR_clear_error();
}


/* as the only certificate of a CA */

static void
fuzz_as_ca(X509 *x)
{
    char         error[ENROLL_ERROR_TEXT];
    enroll_ca_t  ca;

    memset(&ca, 0, sizeof(ca));
    memset(error, 'x', sizeof(error));

    ca.chain = sk_X509_new_null();
    sk_X509_push(ca.chain, x);
    X509_up_ref(x);

    if (enroll_ca_init(&ca, FUZZ_NOW, error)) {
        if (ca.aki == NULL || enroll_ca_issued(&ca, x, NULL) != x) {
            abort();
        }

    } else if (memchr(error, '\0', sizeof(error)) == NULL) {
        abort();
    }

    enroll_ca_cleanup(&ca);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char                  error[ENROLL_ERROR_TEXT];
    char                  serial[ENROLL_SERIAL_TEXT];
    X509                 *x;
    GENERAL_NAMES        *san;
    STACK_OF(X509)       *certs;
    const unsigned char  *p;

    if (enroll_ca_recheck(&fuzz_ca, fuzz_csr, data, size, FUZZ_NOW, &x)
        != ENROLL_STORE_TAMPERED
        || x != NULL
        || ERR_peek_error())
    {
        abort();
    }

    fuzz_name(data, size);

    p = data;
    x = d2i_X509(NULL, &p, (long) size);
    certs = NULL;

    if (x == NULL) {
        certs = enroll_certs_parse((const char *) data, size, error);

        if (ERR_peek_error() || sk_X509_num(certs) == 0) {
            abort();
        }

        if (certs != NULL) {
            x = sk_X509_delete(certs, 0);
        }
    }

    if (x == NULL) {
        ERR_clear_error();
        return 0;
    }

    if (enroll_ca_issued(&fuzz_ca, x, NULL) != NULL) {
        abort();
    }

    (void) enroll_cert_dates(x, FUZZ_NOW);

    fuzz_text(enroll_text_name(X509_get_subject_name(x)));
    fuzz_text(enroll_text_name(X509_get_issuer_name(x)));
    fuzz_text(enroll_text_cn(X509_get_subject_name(x)));

    if (enroll_text_serial(X509_get0_serialNumber(x), serial)
        != strlen(serial))
    {
        abort();
    }

    san = X509_get_ext_d2i(x, NID_subject_alt_name, NULL, NULL);

    fuzz_text(enroll_text_san(san));
    fuzz_names(x, X509_get_subject_name(x), san);
    fuzz_as_ca(x);

    GENERAL_NAMES_free(san);
    X509_free(x);
    sk_X509_pop_free(certs, X509_free);
    ERR_clear_error();

    return 0;
}
