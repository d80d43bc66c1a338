
/*
 * Copyright (C) The nginx-enroll authors
 */


#include <limits.h>
#include <string.h>
#include <openssl/asn1.h>
#include <openssl/asn1t.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/objects.h>
#include <openssl/x509.h>

#include "enroll_csr.h"
#include "enroll_csr_attr.h"
#include "enroll_der.h"
#include "enroll_rsa.h"


#define ENROLL_CSR_VALUE_LEN  1024    /* octets of a subject's attribute */


/* X509_PUBKEY, but that the key in it is not decoded */

typedef struct {
    X509_ALGOR                *alg;
    ASN1_BIT_STRING           *bits;
} enroll_spki_t;


/* X509_REQ_INFO, likewise */

typedef struct {
    ASN1_ENCODING              enc;
    ASN1_INTEGER              *version;
    X509_NAME                 *subject;
    enroll_spki_t             *spki;
    STACK_OF(X509_ATTRIBUTE)  *attributes;
} enroll_pkcs10_info_t;


struct enroll_pkcs10_s {
    enroll_pkcs10_info_t      *info;
    X509_ALGOR                *alg;
    ASN1_BIT_STRING           *signature;
};


/*
 * A SignedData, but that certificates and signers, which nobody asked for,
 * are not decoded
 */

typedef struct {
    ASN1_OBJECT               *type;
    ASN1_TYPE                 *content;
} enroll_content_t;


typedef struct {
    ASN1_INTEGER              *version;
    STACK_OF(X509_ALGOR)      *digests;
    enroll_content_t          *content;
    STACK_OF(ASN1_TYPE)       *certs;
    STACK_OF(ASN1_TYPE)       *crls;
    STACK_OF(ASN1_TYPE)       *signers;
} enroll_signed_t;


typedef struct {
    ASN1_OBJECT               *type;
    enroll_signed_t           *content;
} enroll_pkcs7_t;


static int enroll_csr_wrapped(const unsigned char *der, size_t len);
static enroll_outcome_e enroll_csr_unwrap(enroll_csr_t **csr,
    const unsigned char *der, size_t len);
static enroll_outcome_e enroll_csr_pkcs10(enroll_csr_t *csr,
    const unsigned char *der, size_t len);
static enroll_outcome_e enroll_csr_subject(X509_NAME *subject);
static int enroll_csr_subject_der(X509_NAME *subject);
static int enroll_csr_subject_plain(const unsigned char *der, size_t len);
static int enroll_csr_digest(unsigned char *der, int len,
    unsigned char *digest);
static enroll_outcome_e enroll_csr_signature_alg(const enroll_csr_t *csr,
    unsigned legacy);
static int enroll_csr_signature_pss(const enroll_csr_t *csr, unsigned legacy);
static int enroll_csr_signature_digest(int nid, unsigned legacy);


ASN1_SEQUENCE(enroll_spki_t) = {
    ASN1_SIMPLE(enroll_spki_t, alg, X509_ALGOR),
    ASN1_SIMPLE(enroll_spki_t, bits, ASN1_BIT_STRING)
} static_ASN1_SEQUENCE_END(enroll_spki_t)

/* RFC 2986 has attributes always, some clients leave out an empty set */

ASN1_SEQUENCE_enc(enroll_pkcs10_info_t, enc, NULL) = {
    ASN1_SIMPLE(enroll_pkcs10_info_t, version, ASN1_INTEGER),
    ASN1_SIMPLE(enroll_pkcs10_info_t, subject, X509_NAME),
    ASN1_SIMPLE(enroll_pkcs10_info_t, spki, enroll_spki_t),
    ASN1_IMP_SET_OF_OPT(enroll_pkcs10_info_t, attributes, X509_ATTRIBUTE, 0)
} static_ASN1_SEQUENCE_END_ref(enroll_pkcs10_info_t, enroll_pkcs10_info_t)

ASN1_SEQUENCE(enroll_pkcs10_t) = {
    ASN1_SIMPLE(enroll_pkcs10_t, info, enroll_pkcs10_info_t),
    ASN1_SIMPLE(enroll_pkcs10_t, alg, X509_ALGOR),
    ASN1_SIMPLE(enroll_pkcs10_t, signature, ASN1_BIT_STRING)
} static_ASN1_SEQUENCE_END(enroll_pkcs10_t)

ASN1_SEQUENCE(enroll_content_t) = {
    ASN1_SIMPLE(enroll_content_t, type, ASN1_OBJECT),
    ASN1_EXP_OPT(enroll_content_t, content, ASN1_ANY, 0)
} static_ASN1_SEQUENCE_END(enroll_content_t)

ASN1_SEQUENCE(enroll_signed_t) = {
    ASN1_SIMPLE(enroll_signed_t, version, ASN1_INTEGER),
    ASN1_SET_OF(enroll_signed_t, digests, X509_ALGOR),
    ASN1_SIMPLE(enroll_signed_t, content, enroll_content_t),
    ASN1_IMP_SET_OF_OPT(enroll_signed_t, certs, ASN1_ANY, 0),
    ASN1_IMP_SET_OF_OPT(enroll_signed_t, crls, ASN1_ANY, 1),
    ASN1_SET_OF(enroll_signed_t, signers, ASN1_ANY)
} static_ASN1_SEQUENCE_END(enroll_signed_t)

ASN1_SEQUENCE(enroll_pkcs7_t) = {
    ASN1_SIMPLE(enroll_pkcs7_t, type, ASN1_OBJECT),
    ASN1_EXP(enroll_pkcs7_t, content, enroll_signed_t, 0)
} static_ASN1_SEQUENCE_END(enroll_pkcs7_t)


enroll_outcome_e
enroll_csr_parse(enroll_csr_t **csr, const unsigned char *der, size_t len)
{
    enroll_outcome_e  rc;

    *csr = NULL;

    if (len == 0) {
        return ENROLL_EMPTY_BODY;
    }

    if (len > INT_MAX) {
        return ENROLL_BAD_CSR;
    }

    /* what OpenSSL says of it must not stay in the thread's error queue */

    ERR_set_mark();
    rc = enroll_csr_wrapped(der, len) ? enroll_csr_unwrap(csr, der, len)
                                      : enroll_csr_decode(csr, der, len);
    ERR_pop_to_mark();

    if (rc == ENROLL_OK) {
        rc = enroll_csr_check(*csr);

        if (rc != ENROLL_OK) {
            enroll_csr_free(*csr);
            *csr = NULL;
        }
    }

    return rc;
}


enroll_outcome_e
enroll_csr_decode(enroll_csr_t **out, const unsigned char *der, size_t len)
{
    enroll_csr_t      *csr;
    enroll_outcome_e   rc;

    *out = NULL;

    if (len > INT_MAX) {
        return ENROLL_BAD_CSR;
    }

    csr = OPENSSL_zalloc(sizeof(enroll_csr_t));
    if (csr == NULL) {
        return ENROLL_INTERNAL;
    }

    ERR_set_mark();
    rc = enroll_csr_pkcs10(csr, der, len);
    ERR_pop_to_mark();

    if (rc != ENROLL_OK) {
        enroll_csr_free(csr);
        return rc;
    }

    *out = csr;

    return ENROLL_OK;
}


static enroll_outcome_e
enroll_csr_pkcs10(enroll_csr_t *csr, const unsigned char *der, size_t len)
{
    int                    n;
    enroll_spki_t         *spki;
    unsigned char         *spki_der;
    enroll_outcome_e       rc;
    const unsigned char   *p;
    enroll_pkcs10_info_t  *info;

    p = der;

    csr->pkcs10 = (enroll_pkcs10_t *)
                      ASN1_item_d2i(NULL, &p, (long) len,
                                    ASN1_ITEM_rptr(enroll_pkcs10_t));

    if (csr->pkcs10 == NULL || p != der + len) {
        return ENROLL_BAD_CSR;
    }

    info = csr->pkcs10->info;
    spki = info->spki;

    /* every key is a whole number of octets */

    if (spki->bits->length <= 0 || (spki->bits->flags & 0x07)) {
        return ENROLL_BAD_KEY;
    }

    csr->subject = info->subject;
    csr->spki_alg = spki->alg;
    csr->spki_bits = spki->bits->data;
    csr->spki_bits_len = (size_t) spki->bits->length;

    rc = enroll_key_inspect(&csr->key, csr->spki_alg, csr->spki_bits,
                            csr->spki_bits_len);
    if (rc != ENROLL_OK) {
        return rc;
    }

    spki_der = NULL;

    n = ASN1_item_i2d((const ASN1_VALUE *) spki, &spki_der,
                      ASN1_ITEM_rptr(enroll_spki_t));

    return enroll_csr_digest(spki_der, n, csr->key_digest) ? ENROLL_OK
                                                           : ENROLL_INTERNAL;
}


enroll_outcome_e
enroll_csr_check(enroll_csr_t *csr)
{
    int64_t                version;
    enroll_outcome_e       rc;
    enroll_pkcs10_info_t  *info;

    info = csr->pkcs10->info;

    ERR_set_mark();

    if (ASN1_INTEGER_get_int64(&version, info->version) != 1 || version != 0) {
        rc = ENROLL_BAD_CSR;

    } else {
        rc = enroll_csr_subject(csr->subject);
    }

    if (rc == ENROLL_OK) {
        rc = enroll_csr_attributes(csr, info->attributes);
    }

    ERR_pop_to_mark();

    return rc;
}


/* whether the first thing in the outer SEQUENCE is an OBJECT IDENTIFIER */

static int
enroll_csr_wrapped(const unsigned char *der, size_t len)
{
    int                   tag, class;
    long                  n;
    const unsigned char  *p;

    p = der;

    return !(ASN1_get_object(&p, &n, &tag, &class, (long) len) & 0x80)
           && tag == V_ASN1_SEQUENCE
           && p < der + len
           && *p == ENROLL_DER_OID;
}


static enroll_outcome_e
enroll_csr_unwrap(enroll_csr_t **csr, const unsigned char *der, size_t len)
{
    enroll_pkcs7_t          *pkcs7;
    enroll_outcome_e         rc;
    const ASN1_STRING       *string;
    const unsigned char     *p;
    const enroll_content_t  *content;

    p = der;

    pkcs7 = (enroll_pkcs7_t *) ASN1_item_d2i(NULL, &p, (long) len,
                                             ASN1_ITEM_rptr(enroll_pkcs7_t));
    if (pkcs7 == NULL) {
        return ENROLL_BAD_CSR;
    }

    rc = ENROLL_BAD_CSR;
    content = pkcs7->content->content;

    if (p == der + len
        && OBJ_obj2nid(pkcs7->type) == NID_pkcs7_signed
        && OBJ_obj2nid(content->type) == NID_pkcs7_data
        && content->content
        && content->content->type == V_ASN1_OCTET_STRING)
    {
        string = content->content->value.octet_string;

        rc = enroll_csr_decode(csr, ASN1_STRING_get0_data(string),
                               (size_t) ASN1_STRING_length(string));
    }

    ASN1_item_free((ASN1_VALUE *) pkcs7, ASN1_ITEM_rptr(enroll_pkcs7_t));

    return rc;
}


/*
 * The form only.  What the values may say is looked at where a certificate's
 * subject is made of them.
 */

static enroll_outcome_e
enroll_csr_subject(X509_NAME *subject)
{
    int                     i, n, len;
    const X509_NAME_ENTRY  *entry;

    n = X509_NAME_entry_count(subject);

    if (n > ENROLL_CSR_RDNS) {
        return ENROLL_BAD_SUBJECT;
    }

    for (i = 0; i < n; i++) {
        entry = X509_NAME_get_entry(subject, i);
        len = ASN1_STRING_length(X509_NAME_ENTRY_get_data(entry));

        if (len < 1
            || len > ENROLL_CSR_VALUE_LEN
            || OBJ_length(X509_NAME_ENTRY_get_object(entry)) > ENROLL_OID_LEN)
        {
            return ENROLL_BAD_SUBJECT;
        }
    }

    return enroll_csr_subject_der(subject) ? ENROLL_OK : ENROLL_BAD_SUBJECT;
}


/*
 * OpenSSL's decoder forgets empty RDNs and takes BER, but keeps the octets:
 * they are to be those of the same entries put together anew.
 */

static int
enroll_csr_subject_der(X509_NAME *subject)
{
    int                     i, n, set, last, same;
    size_t                  len, anew_len;
    X509_NAME              *anew;
    const unsigned char    *der, *anew_der;
    const X509_NAME_ENTRY  *entry;

    if (X509_NAME_get0_der(subject, &der, &len) != 1) {
        return 0;
    }

    if (enroll_csr_subject_plain(der, len)) {
        return 1;
    }

    anew = X509_NAME_new();
    if (anew == NULL) {
        return 0;
    }

    n = X509_NAME_entry_count(subject);
    last = -1;

    for (i = 0; i < n; i++) {
        entry = X509_NAME_get_entry(subject, i);
        set = X509_NAME_ENTRY_set(entry);

        /* 0 begins an RDN, -1 adds to the one before */

        if (X509_NAME_add_entry(anew, entry, -1, (set == last) ? -1 : 0) != 1)
        {
            break;
        }

        last = set;
    }

    same = i == n
           && X509_NAME_get0_der(anew, &anew_der, &anew_len) == 1
           && len == anew_len
           && memcmp(der, anew_der, len) == 0;

    X509_NAME_free(anew);

    return same;
}


/*
 * 1 if the name is DER as it stands, which is seen faster: one attribute an
 * RDN, with a string of a usual type.  Others may be DER as well.
 */

static int
enroll_csr_subject_plain(const unsigned char *der, size_t len)
{
    enroll_tlv_t         name, rdn, pair, t;
    enroll_der_reader_t  r, set, seq;

    r = enroll_der_reader(der, len);

    if (!enroll_der_get(&r, ENROLL_DER_SEQUENCE, &name)
        || !enroll_der_end(&r))
    {
        return 0;
    }

    r = enroll_der_inside(&name);

    while (!enroll_der_end(&r)) {

        if (!enroll_der_get(&r, ENROLL_DER_SET, &rdn)) {
            return 0;
        }

        set = enroll_der_inside(&rdn);

        if (!enroll_der_get(&set, ENROLL_DER_SEQUENCE, &pair)
            || !enroll_der_end(&set))
        {
            return 0;
        }

        seq = enroll_der_inside(&pair);

        if (!enroll_der_get(&seq, ENROLL_DER_OID, &t)
            || !enroll_der_any(&seq, &t)
            || (t.tag != ENROLL_DER_UTF8
                && t.tag != ENROLL_DER_PRINTABLE
                && t.tag != ENROLL_DER_IA5)
            || !enroll_der_end(&seq))
        {
            return 0;
        }
    }

    return 1;
}


/* of a key's DER as it was just made, which is freed */

static int
enroll_csr_digest(unsigned char *der, int len, unsigned char *digest)
{
    int  ok;

    if (len <= 0) {
        return 0;
    }

    ok = EVP_Digest(der, (size_t) len, digest, NULL, EVP_sha256(), NULL);

    OPENSSL_free(der);

    return ok == 1;
}


enroll_outcome_e
enroll_csr_verify(const enroll_csr_t *csr, unsigned legacy)
{
    int                     ok;
    EVP_PKEY               *pkey;
    enroll_outcome_e        rc;
    const enroll_pkcs10_t  *pkcs10;

    pkcs10 = csr->pkcs10;

    ERR_set_mark();

    rc = enroll_csr_signature_alg(csr, legacy);

    if (rc == ENROLL_OK) {
        pkey = enroll_key_build(&csr->key, csr->spki_bits, csr->spki_bits_len);

        if (pkey == NULL) {
            rc = ENROLL_BAD_KEY;

        } else {
            ok = ASN1_item_verify(ASN1_ITEM_rptr(enroll_pkcs10_info_t),
                                  pkcs10->alg, pkcs10->signature,
                                  pkcs10->info, pkey);

            rc = (ok == 1) ? ENROLL_OK : ENROLL_BAD_SIGNATURE;

            EVP_PKEY_free(pkey);
        }
    }

    ERR_pop_to_mark();

    return rc;
}


/* whether the algorithm is one for such keys, and with a sound digest */

static enroll_outcome_e
enroll_csr_signature_alg(const enroll_csr_t *csr, unsigned legacy)
{
    int                ok, sig_nid, key_nid, digest, type;
    const X509_ALGOR  *alg;

    alg = csr->pkcs10->alg;
    type = alg->parameter ? alg->parameter->type : V_ASN1_UNDEF;

    sig_nid = OBJ_obj2nid(alg->algorithm);

    if (OBJ_find_sigid_algs(sig_nid, &digest, &key_nid) != 1) {
        return ENROLL_BAD_SIGNATURE_ALG;
    }

    if (sig_nid == NID_rsassaPss) {
        ok = enroll_csr_signature_pss(csr, legacy);

    } else if (OBJ_obj2nid(csr->spki_alg->algorithm) != key_nid) {
        ok = 0;

    } else if (csr->key.kind == ENROLL_KEY_RSA
               || csr->key.kind == ENROLL_KEY_EC)
    {
        /* RFC 5758, section 3.2, has none for ECDSA; some send NULL */

        ok = enroll_csr_signature_digest(digest, legacy)
             && (type == V_ASN1_UNDEF || type == V_ASN1_NULL);

    } else {
        ok = digest == NID_undef && type == V_ASN1_UNDEF;
    }

    return ok ? ENROLL_OK : ENROLL_BAD_SIGNATURE_ALG;
}


static int
enroll_csr_signature_pss(const enroll_csr_t *csr, unsigned legacy)
{
    enroll_rsa_pss_t  sig, key;

    if (csr->key.kind != ENROLL_KEY_RSA
        || !enroll_rsa_pss(&sig, csr->pkcs10->alg)
        || !enroll_csr_signature_digest(sig.hash, legacy)
        || !enroll_csr_signature_digest(sig.mgf_hash, legacy)
        || sig.salt > csr->key.bits / 8)
    {
        return 0;
    }

    /* the key may say which parameters are its own (RFC 4055, section 3.3) */

    if (OBJ_obj2nid(csr->spki_alg->algorithm) == NID_rsaEncryption
        || csr->spki_alg->parameter == NULL)
    {
        return 1;
    }

    return enroll_rsa_pss(&key, csr->spki_alg)
           && sig.hash == key.hash
           && sig.mgf_hash == key.mgf_hash
           && sig.salt >= key.salt;
}


unsigned
enroll_csr_legacy(const enroll_csr_t *csr)
{
    int                sig_nid, digest;
    enroll_rsa_pss_t   pss;

    sig_nid = OBJ_obj2nid(csr->pkcs10->alg->algorithm);

    if (OBJ_find_sigid_algs(sig_nid, &digest, NULL) != 1) {
        return 0;
    }

    if (sig_nid == NID_rsassaPss) {
        digest = enroll_rsa_pss(&pss, csr->pkcs10->alg) ? pss.hash : NID_undef;
    }

    switch (digest) {

    case NID_sha1:
        return ENROLL_LEGACY_SHA1;

    case NID_md5:
        return ENROLL_LEGACY_MD5;

    default:
        return 0;
    }
}


static int
enroll_csr_signature_digest(int nid, unsigned legacy)
{
    switch (nid) {

    case NID_sha256:
    case NID_sha384:
    case NID_sha512:
    case NID_sha3_256:
    case NID_sha3_384:
    case NID_sha3_512:
        return 1;

    case NID_sha1:
        return (legacy & ENROLL_LEGACY_SHA1) != 0;

    case NID_md5:
        return (legacy & ENROLL_LEGACY_MD5) != 0;

    default:
        return 0;
    }
}


int
enroll_csr_prime(const enroll_csr_t *csr)
{
    enroll_rsa_t  rsa;

    return csr->key.kind == ENROLL_KEY_RSA
           && enroll_rsa_parse(&rsa, csr->spki_bits, csr->spki_bits_len)
           && enroll_rsa_prime(&rsa);
}


int
enroll_csr_key_equal(const enroll_csr_t *csr, const X509 *x)
{
    int                   len;
    X509_ALGOR           *alg;
    X509_PUBKEY          *pubkey;
    const unsigned char  *bits;

    pubkey = X509_get_X509_PUBKEY(x);

    return pubkey
           && X509_PUBKEY_get0_param(NULL, &bits, &len, &alg, pubkey) == 1
           && (size_t) len == csr->spki_bits_len
           && memcmp(bits, csr->spki_bits, csr->spki_bits_len) == 0
           && X509_ALGOR_cmp(alg, csr->spki_alg) == 0;
}


int
enroll_key_digest(const X509 *x, unsigned char *digest)
{
    int             len;
    unsigned char  *der;

    der = NULL;

    /* 0 where there is none */

    len = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(x), &der);

    return enroll_csr_digest(der, len, digest);
}


void
enroll_csr_free(enroll_csr_t *csr)
{
    enroll_pkcs10_info_t  *info;

    if (csr == NULL) {
        return;
    }

    OPENSSL_clear_free(csr->challenge.data, csr->challenge.len);
    OPENSSL_clear_free(csr->linking.data, csr->linking.len);

    GENERAL_NAMES_free(csr->san);

    if (csr->pkcs10) {
        info = csr->pkcs10->info;

        /* the octets received have the challenges in them */

        OPENSSL_cleanse(info->enc.enc, (size_t) info->enc.len);

        ASN1_item_free((ASN1_VALUE *) csr->pkcs10,
                       ASN1_ITEM_rptr(enroll_pkcs10_t));
    }

    OPENSSL_free(csr);
}
