
/*
 * Copyright (C) The nginx-enroll authors
 */


#include <string.h>
#include <openssl/crypto.h>
#include <openssl/objects.h>
#include <openssl/rsa.h>

#include "enroll_scep_alg.h"


#define ENROLL_GCM_NONCE   12            /* RFC 5084, section 3.2 */
#define ENROLL_GCM_TAG     12            /* the default there */

#define enroll_alg_count(a)  (sizeof(a) / sizeof((a)[0]))


static const EVP_MD *enroll_scep_md(int nid, unsigned legacy);
static X509_ALGOR *enroll_scep_alg(const unsigned char *der, size_t len);
static int enroll_scep_no_params(const X509_ALGOR *alg);
static int enroll_scep_gcm(enroll_scep_cipher_t *cipher,
    const X509_ALGOR *alg);
static int enroll_scep_oaep(const EVP_MD **oaep, const EVP_MD **mgf,
    const X509_ALGOR *alg);
static const EVP_MD *enroll_scep_oaep_md(const X509_ALGOR *alg);


static const struct {
    int                  nid;
    unsigned             legacy;
    const EVP_MD      *(*md)(void);
} enroll_scep_mds[] = {
    { NID_sha256, 0, EVP_sha256 },
    { NID_sha384, 0, EVP_sha384 },
    { NID_sha512, 0, EVP_sha512 },
    { NID_sha1, ENROLL_LEGACY_SHA1, EVP_sha1 },
    { NID_md5, ENROLL_LEGACY_MD5, EVP_md5 }
};


static const struct {
    int                  nid;
    unsigned             legacy;
    unsigned             aead;
    const EVP_CIPHER  *(*cipher)(void);
} enroll_scep_ciphers[] = {
    { NID_aes_128_cbc, 0, 0, EVP_aes_128_cbc },
    { NID_aes_192_cbc, 0, 0, EVP_aes_192_cbc },
    { NID_aes_256_cbc, 0, 0, EVP_aes_256_cbc },
    { NID_aes_128_gcm, 0, 1, EVP_aes_128_gcm },
    { NID_aes_192_gcm, 0, 1, EVP_aes_192_gcm },
    { NID_aes_256_gcm, 0, 1, EVP_aes_256_gcm },
    { NID_des_ede3_cbc, ENROLL_LEGACY_DES3, 0, EVP_des_ede3_cbc },
    { NID_des_cbc, ENROLL_LEGACY_DES, 0, EVP_des_cbc }
};


int
enroll_der_is(const enroll_tlv_t *t, const char *data, size_t len)
{
    return t->len == len && memcmp(t->data, data, len) == 0;
}


int
enroll_der_same(const enroll_tlv_t *one, const enroll_tlv_t *two)
{
    return one->len == two->len && memcmp(one->data, two->data, one->len) == 0;
}


X509_NAME *
enroll_scep_name(const enroll_tlv_t *t)
{
    X509_NAME            *name;
    const unsigned char  *p;

    if (t->tag != ENROLL_DER_SEQUENCE) {
        return NULL;
    }

    p = t->start;

    name = d2i_X509_NAME(NULL, &p, (long) t->size);

    if (name && p != t->start + t->size) {
        X509_NAME_free(name);
        return NULL;
    }

    return name;
}


/* OpenSSL lists what the providers at hand may not have: hence the fetch */

static const EVP_MD *
enroll_scep_md(int nid, unsigned legacy)
{
    size_t         i;
    EVP_MD        *fetched;
    const EVP_MD  *md;

    for (i = 0; i < enroll_alg_count(enroll_scep_mds); i++) {
        if (enroll_scep_mds[i].nid != nid) {
            continue;
        }

        if (enroll_scep_mds[i].legacy & ~legacy) {
            return NULL;
        }

        md = enroll_scep_mds[i].md();

        fetched = EVP_MD_fetch(NULL, EVP_MD_get0_name(md), NULL);
        if (fetched == NULL) {
            return NULL;
        }

        EVP_MD_free(fetched);

        return md;
    }

    return NULL;
}


unsigned
enroll_scep_legacy(const enroll_scep_t *m)
{
    int       digest, cipher;
    size_t    i;
    unsigned  legacy;

    legacy = m->csr ? enroll_csr_legacy(m->csr) : 0;
    digest = EVP_MD_get_type(m->mirror.digest);
    cipher = EVP_CIPHER_get_nid(m->mirror.cipher);

    for (i = 0; i < enroll_alg_count(enroll_scep_mds); i++) {
        if (enroll_scep_mds[i].nid == digest) {
            legacy |= enroll_scep_mds[i].legacy;
        }
    }

    for (i = 0; i < enroll_alg_count(enroll_scep_ciphers); i++) {
        if (enroll_scep_ciphers[i].nid == cipher) {
            legacy |= enroll_scep_ciphers[i].legacy;
        }
    }

    return legacy;
}


static X509_ALGOR *
enroll_scep_alg(const unsigned char *der, size_t len)
{
    X509_ALGOR           *alg;
    const unsigned char  *p;

    p = der;

    alg = d2i_X509_ALGOR(NULL, &p, (long) len);

    if (alg && p != der + len) {
        X509_ALGOR_free(alg);
        return NULL;
    }

    return alg;
}


static int
enroll_scep_no_params(const X509_ALGOR *alg)
{
    return alg->parameter == NULL || alg->parameter->type == V_ASN1_NULL;
}


enroll_outcome_e
enroll_scep_digest_alg(const EVP_MD **digest, const enroll_tlv_t *tlv,
    unsigned legacy)
{
    X509_ALGOR    *alg;
    const EVP_MD  *md;

    alg = enroll_scep_alg(tlv->start, tlv->size);
    if (alg == NULL) {
        return ENROLL_SCEP_ALG;
    }

    md = enroll_scep_no_params(alg)
         ? enroll_scep_md(OBJ_obj2nid(alg->algorithm), legacy) : NULL;

    X509_ALGOR_free(alg);

    if (md == NULL) {
        return ENROLL_SCEP_ALG;
    }

    *digest = md;

    return ENROLL_OK;
}


enroll_outcome_e
enroll_scep_cipher_alg(enroll_scep_cipher_t *cipher, const enroll_tlv_t *tlv,
    unsigned legacy)
{
    int                 nid;
    size_t              i, n;
    EVP_CIPHER         *fetched;
    X509_ALGOR         *alg;
    enroll_outcome_e    rc;
    const ASN1_STRING  *iv;

    alg = enroll_scep_alg(tlv->start, tlv->size);
    if (alg == NULL) {
        return ENROLL_SCEP_ENVELOPE;
    }

    rc = ENROLL_SCEP_ALG;
    nid = OBJ_obj2nid(alg->algorithm);
    n = enroll_alg_count(enroll_scep_ciphers);

    for (i = 0; i < n && enroll_scep_ciphers[i].nid != nid; i++) {
        /* void */
    }

    if (i == n || (enroll_scep_ciphers[i].legacy & ~legacy)) {
        goto done;
    }

    cipher->cipher = enroll_scep_ciphers[i].cipher();
    cipher->aead = enroll_scep_ciphers[i].aead;

    fetched = EVP_CIPHER_fetch(NULL, EVP_CIPHER_get0_name(cipher->cipher),
                               NULL);
    if (fetched == NULL) {
        goto done;
    }

    EVP_CIPHER_free(fetched);

    rc = ENROLL_SCEP_ENVELOPE;

    if (cipher->aead) {
        rc = enroll_scep_gcm(cipher, alg) ? ENROLL_OK : ENROLL_SCEP_ENVELOPE;
        goto done;
    }

    if (alg->parameter == NULL
        || alg->parameter->type != V_ASN1_OCTET_STRING)
    {
        goto done;
    }

    iv = alg->parameter->value.octet_string;

    if (ASN1_STRING_length(iv) != EVP_CIPHER_get_iv_length(cipher->cipher)) {
        goto done;
    }

    cipher->iv_len = (size_t) ASN1_STRING_length(iv);
    memcpy(cipher->iv, ASN1_STRING_get0_data(iv), cipher->iv_len);

    rc = ENROLL_OK;

done:

    X509_ALGOR_free(alg);

    return rc;
}


/* GCMParameters (RFC 5084, section 3.2) */

static int
enroll_scep_gcm(enroll_scep_cipher_t *cipher, const X509_ALGOR *alg)
{
    enroll_tlv_t          seq, nonce, tag;
    const ASN1_STRING    *params;
    enroll_der_reader_t   r;

    if (alg->parameter == NULL || alg->parameter->type != V_ASN1_SEQUENCE) {
        return 0;
    }

    params = alg->parameter->value.sequence;

    r = enroll_der_reader(ASN1_STRING_get0_data(params),
                          (size_t) ASN1_STRING_length(params));

    if (!enroll_der_get(&r, ENROLL_DER_SEQUENCE, &seq) || !enroll_der_end(&r))
    {
        return 0;
    }

    r = enroll_der_inside(&seq);

    if (!enroll_der_get(&r, ENROLL_DER_OCTETS, &nonce)
        || nonce.len != ENROLL_GCM_NONCE)
    {
        return 0;
    }

    cipher->tag_len = ENROLL_GCM_TAG;

    if (!enroll_der_end(&r)) {
        if (!enroll_der_get(&r, ENROLL_DER_INTEGER, &tag)
            || tag.len != 1
            || tag.data[0] < ENROLL_GCM_TAG
            || tag.data[0] > ENROLL_SCEP_TAG
            || !enroll_der_end(&r))
        {
            return 0;
        }

        cipher->tag_len = tag.data[0];
    }

    cipher->iv_len = nonce.len;
    memcpy(cipher->iv, nonce.data, nonce.len);

    return 1;
}


enroll_outcome_e
enroll_scep_transport_alg(const EVP_MD **oaep, const EVP_MD **mgf,
    const enroll_tlv_t *tlv)
{
    X509_ALGOR        *alg;
    enroll_outcome_e   rc;

    *oaep = NULL;
    *mgf = NULL;

    alg = enroll_scep_alg(tlv->start, tlv->size);
    if (alg == NULL) {
        return ENROLL_SCEP_ALG;
    }

    switch (OBJ_obj2nid(alg->algorithm)) {

    case NID_rsaEncryption:
        rc = enroll_scep_no_params(alg) ? ENROLL_OK : ENROLL_SCEP_ALG;
        break;

    case NID_rsaesOaep:
        rc = enroll_scep_oaep(oaep, mgf, alg) ? ENROLL_OK : ENROLL_SCEP_ALG;
        break;

    default:
        rc = ENROLL_SCEP_ALG;
    }

    X509_ALGOR_free(alg);

    return rc;
}


/* RSAES-OAEP-params (RFC 8017, appendix A.2.1), without a label */

static int
enroll_scep_oaep(const EVP_MD **oaep, const EVP_MD **mgf,
    const X509_ALGOR *alg)
{
    int                   ok;
    X509_ALGOR           *hash;
    const ASN1_TYPE      *type, *label;
    RSA_OAEP_PARAMS      *params;
    const unsigned char  *p, *end;

    type = alg->parameter;

    if (type == NULL || type->type != V_ASN1_SEQUENCE) {
        return 0;
    }

    p = type->value.sequence->data;
    end = p + type->value.sequence->length;

    params = d2i_RSA_OAEP_PARAMS(NULL, &p, end - p);
    if (params == NULL) {
        return 0;
    }

    ok = 0;

    *oaep = enroll_scep_oaep_md(params->hashFunc);
    *mgf = EVP_sha1();

    if (p != end || *oaep == NULL) {
        goto done;
    }

    if (params->maskGenFunc) {
        type = params->maskGenFunc->parameter;

        if (OBJ_obj2nid(params->maskGenFunc->algorithm) != NID_mgf1
            || type == NULL
            || type->type != V_ASN1_SEQUENCE)
        {
            goto done;
        }

        hash = enroll_scep_alg(type->value.sequence->data,
                               (size_t) type->value.sequence->length);
        if (hash == NULL) {
            goto done;
        }

        *mgf = enroll_scep_oaep_md(hash);

        X509_ALGOR_free(hash);

        if (*mgf == NULL) {
            goto done;
        }
    }

    if (params->pSourceFunc) {
        label = params->pSourceFunc->parameter;

        if (OBJ_obj2nid(params->pSourceFunc->algorithm) != NID_pSpecified
            || label == NULL
            || label->type != V_ASN1_OCTET_STRING
            || ASN1_STRING_length(label->value.octet_string) != 0)
        {
            goto done;
        }
    }

    ok = 1;

done:

    RSA_OAEP_PARAMS_free(params);

    return ok;
}


/* SHA-1 is the default, and nothing here depends on collisions */

static const EVP_MD *
enroll_scep_oaep_md(const X509_ALGOR *alg)
{
    if (alg == NULL) {
        return EVP_sha1();
    }

    return enroll_scep_no_params(alg)
           ? enroll_scep_md(OBJ_obj2nid(alg->algorithm), ENROLL_LEGACY_SHA1)
           : NULL;
}


int
enroll_scep_can_encrypt(const enroll_scep_t *m)
{
    return m->signer_key.kind == ENROLL_KEY_RSA;
}
