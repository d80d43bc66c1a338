
/*
 * Copyright (C) The nginx-enroll authors
 */


/*
 * Certification requests.  The corpus was made by the tools that its files
 * are named after: keytool (RSA), strongSwan's pki (RSA), Python's
 * cryptography (P-384) and openssl (the others, in "wrapped" with
 * cms -sign -nodetach -stream, which is BER).
 */


#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <openssl/err.h>

#include "enroll_csr.h"


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


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

    EVP_PKEY_free(pkey);
    enroll_csr_free(csr);

    if (ERR_peek_error()) {
        abort();
    }

    return 0;
}
