
/*
 * Copyright (C) The nginx-enroll authors
 */


/*
 * Certification requests, and the certificates that are made for them.  The
 * corpus was made by the tools that its files are named after: keytool (RSA),
 * strongSwan's pki (RSA), Python's cryptography (P-384) and openssl (the
 * others, in "wrapped" with cms -sign -nodetach -stream, which is BER).
 */


#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <openssl/ec.h>
#include <openssl/err.h>

#include "enroll_ca.h"
#include "enroll_issue.h"
#include "enroll_names.h"
#include "enroll_san.h"
#include "enroll_text.h"


#define FUZZ_NOW  ((time_t) 1800000000)


int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


static enroll_ca_t       fuzz_ca;
static enroll_profile_t  fuzz_profile;


int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
    X509       *x;
    X509_NAME  *name;

    (void) argc;
    (void) argv;

    x = X509_new();
    fuzz_ca.key = EVP_EC_gen("P-256");
    fuzz_ca.digest = EVP_sha256();
    fuzz_ca.chain = sk_X509_new_null();
    sk_X509_push(fuzz_ca.chain, x);

    name = X509_get_subject_name(x);
    X509_NAME_add_entry_by_NID(name, NID_commonName, MBSTRING_UTF8,
                               (const unsigned char *) "Root", -1, -1, 0);
    ASN1_TIME_adj(X509_getm_notBefore(x), FUZZ_NOW, 0, 0);
    ASN1_TIME_adj(X509_getm_notAfter(x), FUZZ_NOW, 1000, 0);

    fuzz_ca.aki = X509V3_EXT_conf_nid(NULL, NULL, NID_info_access,
                                      "OCSP;URI:http://aki.test");

    if (fuzz_ca.aki == NULL || !enroll_profile_defaults(&fuzz_profile)) {
        abort();
    }

    return 0;
}


/* what is signed is what was asked for, and a certificate */

static void
fuzz_signed(const enroll_csr_t *csr, const unsigned char *der, size_t len)
{
    int                   i, nid;
    X509                 *x;
    const unsigned char  *p;

    p = der;
    x = d2i_X509(NULL, &p, (long) len);

    if (x == NULL
        || p != der + len
        || X509_get_version(x) != X509_VERSION_3
        || !enroll_csr_key_equal(csr, x)
        || ASN1_INTEGER_get(X509_get0_serialNumber(x)) == 0)
    {
        abort();
    }

    /* nothing that was asked for is in it but the names */

    for (i = 0; i < X509_get_ext_count(x); i++) {
        nid = OBJ_obj2nid(X509_EXTENSION_get_object(X509_get_ext(x, i)));

        switch (nid) {
        case NID_info_access:
        case NID_subject_key_identifier:
        case NID_basic_constraints:
        case NID_key_usage:
        case NID_ext_key_usage:
        case NID_subject_alt_name:
            break;
        default:
            abort();
        }
    }

    /* of a key that OpenSSL does not take, it says no more */

    if (X509_get0_pubkey(x) && X509_check_ca(x)) {
        abort();
    }

    X509_free(x);
}


/* with the names asked for, and text of theirs in a template */

static void
fuzz_issue(const enroll_csr_t *csr)
{
    char                *cn;
    size_t               n;
    ASN1_OBJECT         *type;
    enroll_cert_t        cert;
    enroll_names_t       names;
    enroll_outcome_e     rc;
    enroll_san_value_t   value;

    memset(&names, 0, sizeof(enroll_names_t));

    n = 0;
    cn = enroll_text_cn(csr->subject);

    rc = enroll_names_subject_csr(&names, csr);

    if (rc == ENROLL_OK && cn) {
        type = OBJ_nid2obj(NID_organizationalUnitName);
        rc = enroll_names_subject_add(&names, type, cn, strlen(cn), 0);

        value.kind = strlen(cn) % 2 ? ENROLL_SAN_DNS : ENROLL_SAN_URI;
        value.value = cn;
        value.len = strlen(cn);
        n = 1;
    }

    if (rc == ENROLL_OK) {
        rc = enroll_names_san(&names, csr, ENROLL_SAN_DEFAULT, &value, n);
    }

    if (rc == ENROLL_OK) {
        rc = enroll_issue(&fuzz_ca, &fuzz_profile, csr, &names, FUZZ_NOW,
                          &cert);

        if (rc == ENROLL_OK) {
            fuzz_signed(csr, cert.der, cert.len);
            OPENSSL_free(cert.der);

        } else if (rc != ENROLL_KEY_NOT_ALLOWED) {
            abort();
        }
    }

    OPENSSL_free(cn);
    enroll_names_cleanup(&names);
    ERR_clear_error();
}


static void
fuzz_challenge(const enroll_challenge_t *challenge)
{
    if (challenge->data == NULL) {
        return;
    }

    if (challenge->len > ENROLL_CHALLENGE_LEN
        || memchr(challenge->data, '\0', challenge->len))
    {
        abort();
    }
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int                n;
    char               text[ENROLL_KEY_TEXT];
    EVP_PKEY          *pkey;
    enroll_csr_t      *csr, *again;
    enroll_outcome_e   rc;

    rc = enroll_csr_parse(&csr, data, size);

    if ((rc == ENROLL_OK) != (csr != NULL) || ERR_peek_error()) {
        abort();
    }

    if (csr == NULL) {
        return 0;
    }

    if (X509_NAME_entry_count(csr->subject) > ENROLL_CSR_RDNS) {
        abort();
    }

    if (csr->san) {
        n = sk_GENERAL_NAME_num(csr->san);

        if (n < 1 || n > ENROLL_CSR_NAMES) {
            abort();
        }
    }

    fuzz_challenge(&csr->challenge);
    fuzz_challenge(&csr->linking);

    if (enroll_key_text(&csr->key, text) != strlen(text)) {
        abort();
    }

    pkey = enroll_key_build(&csr->key, csr->spki_bits, csr->spki_bits_len);

    rc = enroll_csr_verify(csr, 0);

    if (rc == ENROLL_OK && pkey == NULL) {
        abort();
    }

    /* and nothing may follow what was taken */

    if (rc == ENROLL_OK) {
        uint8_t  *more;

        more = malloc(size + 1);

        if (more) {
            memcpy(more, data, size);
            more[size] = 0;

            if (enroll_csr_parse(&again, more, size + 1) == ENROLL_OK) {
                abort();
            }

            free(more);
        }
    }

    /* the proof of possession is not for a fuzzer to give */

    fuzz_issue(csr);

    EVP_PKEY_free(pkey);
    enroll_csr_free(csr);

    if (ERR_peek_error()) {
        abort();
    }

    return 0;
}
