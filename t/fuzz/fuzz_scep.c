
/*
 * Copyright (C) The nginx-enroll authors
 */


/*
 * SCEP's messages, outside and inside.  The first octet says what the rest
 * is: 'e', the envelope of a signed message; 'c', the content of one; 'b',
 * BER; 'q', the query string of a GET; any other is that of a message as it
 * arrives.
 *
 * The corpus was made by the tools that its files are named after:
 * strongSwan's pki --scep (the renewal with PSS), micromdm's scepclient
 * (DES and SHA-1), and Bouncy Castle (which writes BER; with OAEP, with
 * AES-GCM, and signed by a P-256 key).
 */


#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <openssl/bio.h>
#include <openssl/cms.h>
#include <openssl/err.h>
#include <openssl/provider.h>

#include "enroll_scep.h"
#include "enroll_der.h"
#include "../unit/unit_scep_ra.h"


#define FUZZ_LEGACY  (ENROLL_LEGACY_SHA1|ENROLL_LEGACY_MD5                    \
                      |ENROLL_LEGACY_DES3|ENROLL_LEGACY_DES)


int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


static EVP_PKEY     *key;
static enroll_ra_t   ra;

/* kept, as what they hold would be a leak, and not static, as it would not */

OSSL_PROVIDER       *fuzz_providers[2];


int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
    const unsigned char  *p;

    (void) argc;
    (void) argv;

    fuzz_providers[0] = OSSL_PROVIDER_load(NULL, "default");
    fuzz_providers[1] = OSSL_PROVIDER_load(NULL, "legacy");

    p = unit_ra_key;
    key = d2i_PrivateKey(EVP_PKEY_RSA, NULL, &p, sizeof(unit_ra_key));
    p = unit_ra_cert;
    ra.sign_cert = d2i_X509(NULL, &p, sizeof(unit_ra_cert));

    if (key == NULL || ra.sign_cert == NULL) {
        abort();
    }

    ra.certs = sk_X509_new_null();
    sk_X509_push(ra.certs, ra.sign_cert);
    ra.keys = &key;
    ra.sign_key = key;

    ERR_clear_error();

    return 0;
}


/* with either outcome, there must be an answer to it */

static void
fuzz_answer(const enroll_scep_t *m, enroll_outcome_e rc)
{
    size_t                 len;
    unsigned char         *der;
    enroll_scep_answer_t   answer = { 0 };

    if (m->transaction_len < 1
        || m->transaction_len > ENROLL_SCEP_TRANSACTION
        || m->nonce_len < 1
        || m->nonce_len > ENROLL_SCEP_NONCE)
    {
        abort();
    }

    if (rc != ENROLL_OK) {
        answer.status = ENROLL_SCEP_FAILURE;
        answer.failinfo = enroll_outcome(rc)->failinfo;
        answer.text = enroll_outcome(rc)->text;

    } else {
        answer.status = ENROLL_SCEP_SUCCESS;
        answer.certs = ra.certs;
        answer.password = "secret";
        answer.password_len = 6;
    }

    if (enroll_scep_reply(m, &ra, &answer, &der, &len) != ENROLL_OK) {
        abort();
    }

    OPENSSL_free(der);
}


/* what the signer wrote can be anything, too: let it be the rest */

static void
fuzz_envelope(const uint8_t *data, size_t size)
{
    int                    type;
    enroll_scep_t         *m;

    static const int       types[] = {
        ENROLL_SCEP_RENEWAL_REQ, ENROLL_SCEP_PKCS_REQ, ENROLL_SCEP_CERT_POLL,
        ENROLL_SCEP_GET_CERT, ENROLL_SCEP_GET_CRL
    };

    if (size < 1) {
        return;
    }

    type = types[data[0] % 5];

    m = OPENSSL_zalloc(sizeof(enroll_scep_t));
    if (m == NULL) {
        return;
    }

    m->type = type;
    m->known = data[0] & 0x80 ? 1 : 0;
    m->content = data + 1;
    m->content_len = size - 1;
    m->mirror.digest = EVP_sha256();
    m->mirror.cipher = EVP_aes_128_cbc();

    m->legacy = FUZZ_LEGACY;

    (void) enroll_scep_open(m, &ra);

    enroll_scep_free(m);
}


/* the first octet goes through as it is */

static void
fuzz_content(const uint8_t *data, size_t size)
{
    int               n;
    BIO              *bio;
    uint8_t          *all;
    unsigned char    *der;
    CMS_ContentInfo  *cms;

    if (size < 1) {
        return;
    }

    bio = BIO_new_mem_buf(data + 1, (int) size - 1);
    cms = CMS_encrypt(ra.certs, bio, EVP_aes_128_gcm(), CMS_BINARY);
    der = NULL;
    n = i2d_CMS_ContentInfo(cms, &der);
    all = malloc((size_t) n + 1);

    if (n > 0 && all) {
        all[0] = data[0];
        memcpy(all + 1, der, (size_t) n);
        fuzz_envelope(all, (size_t) n + 1);
    }

    free(all);
    OPENSSL_free(der);
    CMS_ContentInfo_free(cms);
    BIO_free(bio);
}


/* BER made DER is DER, and stays what it is */

static void
fuzz_ber(const uint8_t *data, size_t size)
{
    size_t                n;
    enroll_tlv_t          t;
    enroll_der_writer_t   once, twice;
    enroll_der_reader_t   r;

    memset(&once, 0, sizeof(enroll_der_writer_t));
    memset(&twice, 0, sizeof(enroll_der_writer_t));

    n = enroll_der_from_ber(&once, data, size);

    if (n > size) {
        abort();
    }

    if (n) {
        r = enroll_der_reader(once.data, once.len);

        if (!enroll_der_any(&r, &t)
            || !enroll_der_end(&r)
            || enroll_der_from_ber(&twice, once.data, once.len) != once.len
            || twice.len != once.len
            || memcmp(twice.data, once.data, once.len) != 0)
        {
            abort();
        }
    }

    enroll_der_cleanup(&once);
    enroll_der_cleanup(&twice);
}


static void
fuzz_query(const uint8_t *data, size_t size)
{
    size_t          len;
    unsigned char  *out;

    out = malloc(size + 4);
    if (out == NULL) {
        return;
    }

    if (enroll_scep_query_decode(out, &len, data, size) == ENROLL_OK
        && len > size)
    {
        abort();
    }

    free(out);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    enroll_scep_t     *m;
    enroll_outcome_e   rc;

    if (size < 1) {
        return 0;
    }

    switch (data[0]) {

    case 'e':
        fuzz_envelope(data + 1, size - 1);
        break;

    case 'c':
        fuzz_content(data + 1, size - 1);
        break;

    case 'b':
        fuzz_ber(data + 1, size - 1);
        break;

    case 'q':
        fuzz_query(data + 1, size - 1);
        break;

    default:
        rc = enroll_scep_parse(&m, data, size, FUZZ_LEGACY);

        if (rc == ENROLL_OK) {
            rc = enroll_scep_verify(m);

            if (rc == ENROLL_OK) {
                rc = enroll_scep_open(m, &ra);
            }

            fuzz_answer(m, rc);
            enroll_scep_free(m);
        }
    }

    if (ERR_peek_error()) {
        abort();
    }

    return 0;
}
