
/*
 * Copyright (C) The nginx-enroll authors
 */


/*
 * Public keys: a SubjectPublicKeyInfo, which OpenSSL's own decoder never
 * sees.  The corpus was made with openssl pkey -pubout.
 */


#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <openssl/err.h>
#include <openssl/x509.h>

#include "enroll_key.h"
#include "enroll_rsa.h"


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


/* what is built has what was said of it, and has it in OpenSSL's view, too */

static void
fuzz_build(const enroll_key_t *key, const unsigned char *bits, size_t len)
{
    EVP_PKEY  *pkey;

    pkey = enroll_key_build(key, bits, len);

    if (pkey == NULL) {

        /* a point is looked at as late as this */

        if (key->kind == ENROLL_KEY_RSA) {
            abort();
        }

        return;
    }

    if (key->bits && EVP_PKEY_get_bits(pkey) != key->bits) {
        abort();
    }

    EVP_PKEY_free(pkey);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int                    n;
    char                   text[ENROLL_KEY_TEXT];
    X509_ALGOR            *alg;
    X509_PUBKEY           *spki;
    enroll_key_t           key;
    enroll_rsa_t           rsa;
    enroll_rsa_pss_t       pss;
    const unsigned char   *p, *bits;

    /* as it stands in a key's bit string */

    if (enroll_rsa_parse(&rsa, data, size)) {
        if (rsa.n < data || rsa.n + rsa.n_len > data + size
            || rsa.e < data || rsa.e + rsa.e_len > data + size)
        {
            abort();
        }

        n = enroll_rsa_check(&rsa);

        if (n && (size_t) n > rsa.n_len * 8) {
            abort();
        }
    }

    p = data;
    spki = d2i_X509_PUBKEY(NULL, &p, (long) size);

    if (spki == NULL
        || !X509_PUBKEY_get0_param(NULL, &bits, &n, &alg, spki))
    {
        X509_PUBKEY_free(spki);
        ERR_clear_error();
        return 0;
    }

    (void) enroll_rsa_pss(&pss, alg);

    /* OpenSSL's decoder has looked at it all the same */

    ERR_clear_error();

    if (enroll_key_inspect(&key, alg, bits, (size_t) n) == ENROLL_OK) {

        if (enroll_key_text(&key, text) != strlen(text)) {
            abort();
        }

        fuzz_build(&key, bits, (size_t) n);
    }

    X509_PUBKEY_free(spki);

    if (ERR_peek_error()) {
        abort();
    }

    return 0;
}
