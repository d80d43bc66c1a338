
/*
 * Copyright (C) The nginx-enroll authors
 */


/*
 * The use of a private key on an envelope.  Whoever wants to read what
 * another has sent may sign it anew and send it again with changes, and
 * learn from how it is refused (Bleichenbacher, Vaudenay): from here to the
 * content there is one way to fail, and no shorter way to it.
 */


#include <limits.h>
#include <string.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>

#include "enroll_scep_envelope.h"


static unsigned enroll_scep_find(const enroll_scep_envelope_t *e,
    const enroll_ra_t *ra, int *index);
static int enroll_scep_is_for(const enroll_tlv_t *rid, const X509 *x);
static unsigned enroll_scep_unwrap(const enroll_scep_envelope_t *e,
    EVP_PKEY *pkey, unsigned char *key, size_t key_len);
static unsigned enroll_scep_content(const enroll_scep_envelope_t *e,
    const unsigned char *key, unsigned char *out, size_t *len);
static unsigned enroll_scep_padding(const unsigned char *out, size_t len,
    size_t block, size_t *plain);


int
enroll_scep_decrypt(const enroll_scep_envelope_t *e, const enroll_ra_t *ra,
    unsigned char **out, size_t *size, size_t *len)
{
    int            index;
    size_t         key_len;
    unsigned       good;
    unsigned char  key[EVP_MAX_KEY_LENGTH];

    *len = 0;
    *size = e->content.len + EVP_MAX_BLOCK_LENGTH;
    *out = OPENSSL_zalloc(*size);

    if (*out == NULL || sk_X509_num(ra->certs) < 1) {
        return 0;
    }

    key_len = (size_t) EVP_CIPHER_get_key_length(e->cipher.cipher);

    ERR_set_mark();

    /* not ours: the work is done all the same */

    good = enroll_scep_find(e, ra, &index);
    good &= enroll_scep_unwrap(e, ra->keys[index], key, key_len);
    good &= enroll_scep_content(e, key, *out, len);

    ERR_pop_to_mark();

    OPENSSL_cleanse(key, sizeof(key));

    return (int) good;
}


static unsigned
enroll_scep_find(const enroll_scep_envelope_t *e, const enroll_ra_t *ra,
    int *index)
{
    int  i;

    for (i = 0; i < sk_X509_num(ra->certs); i++) {
        if (enroll_scep_is_for(&e->rid, sk_X509_value(ra->certs, i))) {
            *index = i;
            return 1;
        }
    }

    *index = 0;

    return 0;
}


static int
enroll_scep_is_for(const enroll_tlv_t *rid, const X509 *x)
{
    int                       ok;
    X509_NAME                *issuer;
    ASN1_INTEGER             *serial;
    enroll_tlv_t              t, n;
    enroll_der_reader_t       r;
    const unsigned char      *p;
    const ASN1_OCTET_STRING  *skid;

    if (rid->tag == ENROLL_DER_CONTEXT) {
        skid = X509_get0_subject_key_id((X509 *) x);

        return skid
               && enroll_der_is(rid, (const char *) ASN1_STRING_get0_data(skid),
                                (size_t) ASN1_STRING_length(skid));
    }

    r = enroll_der_inside(rid);

    if (!enroll_der_get(&r, ENROLL_DER_SEQUENCE, &t)
        || !enroll_der_get(&r, ENROLL_DER_INTEGER, &n)
        || !enroll_der_end(&r))
    {
        return 0;
    }

    issuer = enroll_scep_name(&t);

    p = n.start;
    serial = d2i_ASN1_INTEGER(NULL, &p, (long) n.size);

    ok = issuer
         && serial
         && X509_NAME_cmp(issuer, X509_get_issuer_name(x)) == 0
         && ASN1_INTEGER_cmp(serial, X509_get0_serialNumber(x)) == 0;

    X509_NAME_free(issuer);
    ASN1_INTEGER_free(serial);

    return ok;
}


/*
 * RFC 3218, section 2.3: a random key takes the place of one that is not
 * there, before anybody knows whether it will be needed
 */

static unsigned
enroll_scep_unwrap(const enroll_scep_envelope_t *e, EVP_PKEY *pkey,
    unsigned char *key, size_t key_len)
{
    int             size, ok;
    size_t          i, len;
    unsigned        good, mask;
    unsigned char  *room;
    EVP_PKEY_CTX   *ctx;

    if (RAND_priv_bytes(key, (int) key_len) != 1) {
        return 0;
    }

    good = 0;
    room = NULL;

    ctx = EVP_PKEY_CTX_new(pkey, NULL);
    size = EVP_PKEY_get_size(pkey);

    if (ctx == NULL
        || !EVP_PKEY_is_a(pkey, "RSA")
        || size < (int) key_len
        || EVP_PKEY_decrypt_init(ctx) != 1)
    {
        goto done;
    }

    if (e->oaep) {
        ok = EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_OAEP_PADDING) == 1
             && EVP_PKEY_CTX_set_rsa_oaep_md(ctx, e->oaep) == 1
             && EVP_PKEY_CTX_set_rsa_mgf1_md(ctx, e->oaep_mgf) == 1;

    } else {
        ok = EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PADDING) == 1;
    }

    room = OPENSSL_zalloc((size_t) size);

    if (!ok || room == NULL) {
        goto done;
    }

    len = (size_t) size;
    ok = EVP_PKEY_decrypt(ctx, room, &len, e->key.data, e->key.len);

    /* from 3.2 on OpenSSL, too, has random octets for bad padding */

    good = (unsigned) (ok == 1) & (unsigned) (len == key_len);
    mask = 0u - good;

    for (i = 0; i < key_len; i++) {
        key[i] = (unsigned char) ((room[i] & mask) | (key[i] & ~mask));
    }

done:

    OPENSSL_clear_free(room, (size_t) (size > 0 ? size : 0));
    EVP_PKEY_CTX_free(ctx);

    return good;
}


static unsigned
enroll_scep_content(const enroll_scep_envelope_t *e, const unsigned char *key,
    unsigned char *out, size_t *len)
{
    int                          n, m, ok;
    size_t                       block;
    EVP_CIPHER_CTX              *ctx;
    const enroll_scep_cipher_t  *c;

    c = &e->cipher;
    block = (size_t) EVP_CIPHER_get_block_size(c->cipher);

    if (e->content.len == 0
        || e->content.len > INT_MAX
        || e->content.len % block
        || (c->aead && e->mac.len != c->tag_len))
    {
        return 0;
    }

    n = 0;
    m = 0;
    ctx = EVP_CIPHER_CTX_new();

    ok = ctx
         && EVP_DecryptInit_ex(ctx, c->cipher, NULL, NULL, NULL) == 1
         && (!c->aead
             || (EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_IVLEN,
                                     (int) c->iv_len, NULL)
                 == 1
                 && EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG,
                                        (int) c->tag_len,
                                        (void *) e->mac.data)
                    == 1))
         && EVP_DecryptInit_ex(ctx, NULL, NULL, key, c->iv) == 1
         && EVP_CIPHER_CTX_set_padding(ctx, 0) == 1
         && (e->aad.len == 0
             || EVP_DecryptUpdate(ctx, NULL, &n, e->aad.data,
                                  (int) e->aad.len)
                == 1)
         && EVP_DecryptUpdate(ctx, out, &n, e->content.data,
                              (int) e->content.len)
            == 1
         && EVP_DecryptFinal_ex(ctx, out + n, &m) == 1;

    EVP_CIPHER_CTX_free(ctx);

    if (!ok) {
        return 0;
    }

    *len = (size_t) n + (size_t) m;

    return c->aead ? 1 : enroll_scep_padding(out, *len, block, len);
}


/* RFC 5652, section 6.3, without a branch on what is found */

static unsigned
enroll_scep_padding(const unsigned char *out, size_t len, size_t block,
    size_t *plain)
{
    size_t    i;
    unsigned  n, bad;

    n = out[len - 1];

    bad = (unsigned) (n == 0) | (unsigned) (n > block);

    for (i = 1; i <= block; i++) {
        bad |= (0u - (unsigned) (i <= n)) & (out[len - i] ^ n);
    }

    bad = (unsigned) (bad != 0);

    *plain = len - (n & (bad - 1));

    return bad ^ 1;
}
