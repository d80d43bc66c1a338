
/*
 * Copyright (C) The nginx-enroll authors
 */


#include <string.h>
#include <openssl/bio.h>
#include <openssl/cms.h>
#include <openssl/crypto.h>
#include <openssl/objects.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>

#include "enroll_bag.h"
#include "enroll_scep_seal.h"
#include "enroll_scep_signer.h"


static void enroll_scep_bag(enroll_der_writer_t *w,
    const enroll_scep_answer_t *answer);
static int enroll_scep_envelop(enroll_der_writer_t *w,
    const enroll_scep_t *m, const enroll_scep_answer_t *answer,
    const enroll_der_writer_t *bag);
static int enroll_scep_envelop_usual(enroll_der_writer_t *w,
    const enroll_scep_t *m, const enroll_der_writer_t *bag);
static int enroll_scep_encrypt(enroll_der_writer_t *w, const EVP_CIPHER *cipher,
    const unsigned char *key, const unsigned char *iv,
    const enroll_der_writer_t *bag);
static int enroll_scep_wrap(enroll_der_writer_t *w, EVP_PKEY *pkey,
    const unsigned char *key, size_t len);
static int enroll_scep_to_key(CMS_ContentInfo *cms, const enroll_scep_t *m);
static int enroll_scep_to_password(CMS_ContentInfo *cms,
    const enroll_scep_answer_t *answer, const EVP_CIPHER *cipher);
static const EVP_CIPHER *enroll_scep_no_aead(const EVP_CIPHER *cipher);


enroll_outcome_e
enroll_scep_seal(enroll_der_writer_t *w, const enroll_scep_t *m,
    const enroll_scep_answer_t *answer)
{
    int                   ok;
    enroll_scep_answer_t  a;
    enroll_der_writer_t   bag;

    a = *answer;

    if (a.password == NULL && m->csr) {
        a.password = m->csr->challenge.data;
        a.password_len = m->csr->challenge.len;
    }

    if (!enroll_scep_can_encrypt(m)
        && (a.password == NULL || a.password_len == 0))
    {
        return ENROLL_SCEP_NO_ENVELOPE;
    }

    memset(&bag, 0, sizeof(enroll_der_writer_t));

    enroll_scep_bag(&bag, &a);

    ok = !bag.failed && enroll_scep_envelop(w, m, &a, &bag);

    enroll_der_cleanup(&bag);

    return ok ? ENROLL_OK : ENROLL_SIGN_FAILED;
}


/*
 * RFC 8894, section 3.4: a degenerate SignedData.  The order of certificates
 * is kept, since clients take the first one for theirs.
 */

static void
enroll_scep_bag(enroll_der_writer_t *w, const enroll_scep_answer_t *answer)
{
    int             n;
    size_t          outer, tagged, inner, mark;
    unsigned char  *der;

    der = NULL;

    if (answer->crl == NULL) {
        n = (int) enroll_bag_leaf(answer->leaf, answer->leaf_len,
                                  answer->certs, &der);
        enroll_der_take(w, der, n);
        return;
    }

    n = i2d_X509_CRL(answer->crl, &der);

    outer = enroll_der_open(w, ENROLL_DER_SEQUENCE);
    enroll_der_add(w, ENROLL_DER_OID, ENROLL_OID_SIGNED);
    tagged = enroll_der_open(w, ENROLL_DER_EXPLICIT);
    inner = enroll_der_open(w, ENROLL_DER_SEQUENCE);

    enroll_der_add(w, ENROLL_DER_INTEGER, "\x01", 1);
    enroll_der_add(w, ENROLL_DER_SET, NULL, 0);

    mark = enroll_der_open(w, ENROLL_DER_SEQUENCE);
    enroll_der_add(w, ENROLL_DER_OID, ENROLL_OID_DATA);
    enroll_der_close(w, mark);

    mark = enroll_der_open(w, ENROLL_DER_EXPLICIT + 1);
    enroll_der_take(w, der, n);
    enroll_der_close(w, mark);

    enroll_der_add(w, ENROLL_DER_SET, NULL, 0);

    enroll_der_close(w, inner);
    enroll_der_close(w, tagged);
    enroll_der_close(w, outer);
}


static int
enroll_scep_envelop(enroll_der_writer_t *w, const enroll_scep_t *m,
    const enroll_scep_answer_t *answer, const enroll_der_writer_t *bag)
{
    int                ok, n;
    BIO               *bio;
    unsigned char     *der;
    CMS_ContentInfo   *cms;
    const EVP_CIPHER  *cipher;

    if (enroll_scep_can_encrypt(m)
        && m->mirror.oaep == NULL
        && EVP_CIPHER_get_mode(m->mirror.cipher) == EVP_CIPH_CBC_MODE)
    {
        return enroll_scep_envelop_usual(w, m, bag);
    }

    der = NULL;

    /* a password recipient's own encryption is CBC, so all of it is */

    cipher = enroll_scep_can_encrypt(m)
             ? m->mirror.cipher : enroll_scep_no_aead(m->mirror.cipher);

    cms = CMS_encrypt(NULL, NULL, cipher, CMS_PARTIAL|CMS_BINARY);
    bio = BIO_new_mem_buf(bag->data, (int) bag->len);

    ok = cms
         && bio
         && (enroll_scep_can_encrypt(m)
             ? enroll_scep_to_key(cms, m)
             : enroll_scep_to_password(cms, answer, cipher))
         && CMS_final(cms, bio, NULL, CMS_BINARY) == 1;

    if (ok) {
        n = i2d_CMS_ContentInfo(cms, &der);
        enroll_der_take(w, der, n);
    }

    BIO_free(bio);
    CMS_ContentInfo_free(cms);

    return ok && !w->failed;
}


/*
 * RFC 5652, section 6.1, as nearly every client has it: PKCS #1 v1.5 and CBC.
 * By hand, since OpenSSL wants a certificate whose key it has decoded.
 */

static int
enroll_scep_envelop_usual(enroll_der_writer_t *w, const enroll_scep_t *m,
    const enroll_der_writer_t *bag)
{
    int                ok;
    size_t             outer, tagged, inner, set, info, mark;
    enroll_tlv_t       issuer, serial;
    EVP_CIPHER_CTX    *ctx;
    unsigned char      key[EVP_MAX_KEY_LENGTH], iv[EVP_MAX_IV_LENGTH];
    const EVP_CIPHER  *cipher;

    cipher = m->mirror.cipher;

    /* DES keys have parity */

    ctx = EVP_CIPHER_CTX_new();

    ok = ctx
         && EVP_EncryptInit_ex(ctx, cipher, NULL, NULL, NULL) == 1
         && EVP_CIPHER_CTX_rand_key(ctx, key) == 1
         && RAND_bytes(iv, EVP_CIPHER_get_iv_length(cipher)) == 1
         && enroll_scep_signer_id(&issuer, &serial, m);

    EVP_CIPHER_CTX_free(ctx);

    if (!ok) {
        return 0;
    }

    outer = enroll_der_open(w, ENROLL_DER_SEQUENCE);
    enroll_der_add(w, ENROLL_DER_OID, ENROLL_OID_ENVELOPED);
    tagged = enroll_der_open(w, ENROLL_DER_EXPLICIT);
    inner = enroll_der_open(w, ENROLL_DER_SEQUENCE);
    enroll_der_add(w, ENROLL_DER_INTEGER, "\0", 1);

    set = enroll_der_open(w, ENROLL_DER_SET);
    info = enroll_der_open(w, ENROLL_DER_SEQUENCE);
    enroll_der_add(w, ENROLL_DER_INTEGER, "\0", 1);

    mark = enroll_der_open(w, ENROLL_DER_SEQUENCE);
    enroll_der_put(w, issuer.start, issuer.size);
    enroll_der_put(w, serial.start, serial.size);
    enroll_der_close(w, mark);

    ok = enroll_scep_wrap(w, m->pkey, key,
                          (size_t) EVP_CIPHER_get_key_length(cipher));

    enroll_der_close(w, info);
    enroll_der_close(w, set);

    ok = ok && enroll_scep_encrypt(w, cipher, key, iv, bag);

    enroll_der_close(w, inner);
    enroll_der_close(w, tagged);
    enroll_der_close(w, outer);

    OPENSSL_cleanse(key, sizeof(key));

    return ok && !w->failed;
}


/* EncryptedContentInfo */

static int
enroll_scep_encrypt(enroll_der_writer_t *w, const EVP_CIPHER *cipher,
    const unsigned char *key, const unsigned char *iv,
    const enroll_der_writer_t *bag)
{
    int                 ok, n, rest;
    size_t              outer, mark;
    unsigned char      *out;
    EVP_CIPHER_CTX     *ctx;
    const ASN1_OBJECT  *oid;

    ctx = EVP_CIPHER_CTX_new();
    out = OPENSSL_malloc(bag->len + EVP_MAX_BLOCK_LENGTH);
    oid = OBJ_nid2obj(EVP_CIPHER_get_nid(cipher));

    ok = ctx && out && oid
         && EVP_EncryptInit_ex(ctx, cipher, NULL, key, iv) == 1
         && EVP_EncryptUpdate(ctx, out, &n, bag->data, (int) bag->len) == 1
         && EVP_EncryptFinal_ex(ctx, out + n, &rest) == 1;

    if (ok) {
        outer = enroll_der_open(w, ENROLL_DER_SEQUENCE);
        enroll_der_add(w, ENROLL_DER_OID, ENROLL_OID_DATA);

        mark = enroll_der_open(w, ENROLL_DER_SEQUENCE);
        enroll_der_add(w, ENROLL_DER_OID, OBJ_get0_data(oid),
                       OBJ_length(oid));
        enroll_der_add(w, ENROLL_DER_OCTETS, iv,
                       (size_t) EVP_CIPHER_get_iv_length(cipher));
        enroll_der_close(w, mark);

        enroll_der_add(w, ENROLL_DER_CONTEXT, out, (size_t) n + (size_t) rest);
        enroll_der_close(w, outer);
    }

    OPENSSL_free(out);
    EVP_CIPHER_CTX_free(ctx);

    return ok;
}


/* keyEncryptionAlgorithm and encryptedKey: RFC 3370, section 4.2.1 */

static int
enroll_scep_wrap(enroll_der_writer_t *w, EVP_PKEY *pkey,
    const unsigned char *key, size_t len)
{
    int             ok;
    size_t          n;
    EVP_PKEY_CTX   *ctx;
    unsigned char  *out;

    static const unsigned char  alg[] = {
        0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01,
        0x05, 0x00
    };

    n = (size_t) EVP_PKEY_get_size(pkey);

    ctx = EVP_PKEY_CTX_new(pkey, NULL);
    out = OPENSSL_malloc(n);

    ok = ctx && out
         && EVP_PKEY_encrypt_init(ctx) == 1
         && EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PADDING) == 1
         && EVP_PKEY_encrypt(ctx, out, &n, key, len) == 1;

    if (ok) {
        enroll_der_add(w, ENROLL_DER_SEQUENCE, alg, sizeof(alg));
        enroll_der_add(w, ENROLL_DER_OCTETS, out, n);
    }

    OPENSSL_free(out);
    EVP_PKEY_CTX_free(ctx);

    return ok;
}


/* RFC 5652, section 6.2.1; RFC 3560 for OAEP */

static int
enroll_scep_to_key(CMS_ContentInfo *cms, const enroll_scep_t *m)
{
    X509                 *x;
    EVP_PKEY_CTX         *ctx;
    CMS_RecipientInfo    *ri;
    const unsigned char  *p;

    p = m->cert;

    x = m->cert ? d2i_X509(NULL, &p, (long) m->cert_len) : NULL;
    ri = x ? CMS_add1_recipient_cert(cms, x, CMS_KEY_PARAM) : NULL;

    X509_free(x);

    if (ri == NULL) {
        return 0;
    }

    if (m->mirror.oaep == NULL) {
        return 1;
    }

    ctx = CMS_RecipientInfo_get0_pkey_ctx(ri);

    return ctx
           && EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_OAEP_PADDING) == 1
           && EVP_PKEY_CTX_set_rsa_oaep_md(ctx, m->mirror.oaep) == 1
           && EVP_PKEY_CTX_set_rsa_mgf1_md(ctx, m->mirror.oaep_mgf) == 1;
}


/* RFC 5652, section 6.2.4; RFC 3211 */

static int
enroll_scep_to_password(CMS_ContentInfo *cms,
    const enroll_scep_answer_t *answer, const EVP_CIPHER *cipher)
{
    int      rounds;
    char    *copy;
    size_t   len;

    rounds = answer->random ? ENROLL_SCEP_ROUNDS_RANDOM : ENROLL_SCEP_ROUNDS;
    len = answer->password_len;

    copy = OPENSSL_strndup(answer->password, len);
    if (copy == NULL) {
        return 0;
    }

    if (CMS_add0_recipient_password(cms, rounds,
                                    NID_id_alg_PWRI_KEK, NID_id_pbkdf2,
                                    (unsigned char *) copy, (ossl_ssize_t) len,
                                    cipher)
        == NULL)
    {
        OPENSSL_clear_free(copy, len);
        return 0;
    }

    return 1;
}


static const EVP_CIPHER *
enroll_scep_no_aead(const EVP_CIPHER *cipher)
{
    switch (EVP_CIPHER_get_nid(cipher)) {

    case NID_aes_128_gcm:
        return EVP_aes_128_cbc();

    case NID_aes_192_gcm:
        return EVP_aes_192_cbc();

    case NID_aes_256_gcm:
        return EVP_aes_256_cbc();

    default:
        return cipher;
    }
}
