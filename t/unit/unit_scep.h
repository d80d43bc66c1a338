
/*
 * Copyright (C) The nginx-enroll authors
 */


/*
 * SCEP's messages put together by hand: what a test does not say is as an
 * ordinary client has it.  A der_t without data is "as usual", NONE is
 * "left out".
 */


#ifndef _UNIT_SCEP_H_INCLUDED_
#define _UNIT_SCEP_H_INCLUDED_


#include <openssl/rand.h>

#include "unit_make.h"
#include "unit_der.h"

#include "enroll_scep.h"


#define OID_DATA       OID("1.2.840.113549.1.7.1")
#define OID_SIGNED     OID("1.2.840.113549.1.7.2")
#define OID_ENVELOPED  OID("1.2.840.113549.1.7.3")
#define OID_AUTH_ENV   OID("1.2.840.113549.1.9.16.1.23")
#define OID_SCEP(n)    OID("2.16.840.1.113733.1.9." n)

#define PRINTABLE(s)   TLV(0x13, TEXT(s))
#define ATTR(oid, ...) SEQ(oid, SET(__VA_ARGS__))

#define USUAL(d, ...)  ((d).data ? (d) : (__VA_ARGS__))


typedef struct {
    EVP_PKEY          *key;
    X509              *cert;
} scep_id_t;


typedef struct {
    X509              *to;
    const EVP_CIPHER  *cipher;
    const EVP_MD      *oaep;         /* NULL: PKCS #1 v1.5 */
    const EVP_MD      *mgf;
    der_t              plain;

    int                bad_padding;  /* of CBC */
    der_t              cek;          /* what is encrypted for the recipient */
    der_t              key;          /* encryptedKey */
    der_t              rid;
    der_t              key_alg;
    der_t              recipients;   /* contents of the SET */
    der_t              cipher_alg;
    der_t              encrypted;    /* the element [0] */
    der_t              inner_type;
    der_t              type;
    der_t              mac;
    der_t              tail;         /* after the message */
} scep_env_t;


typedef struct {
    X509              *cert;
    EVP_PKEY          *key;
    const EVP_MD      *md;
    int                pss;
    int                unsorted;     /* 1: signed so, 2: signed sorted */
    int                broken;       /* the signature */

    /* values of attributes, whole elements */

    der_t              type;
    der_t              transaction;
    der_t              nonce;
    der_t              content_type;
    der_t              digest;
    der_t              more;         /* attributes */

    der_t              content;      /* octets of the envelope */
    der_t              econtent;     /* the element [0] */
    der_t              econtent_type;
    der_t              certs;        /* the element [0] */
    der_t              crls;
    der_t              sid;
    der_t              digest_alg;
    der_t              sig_alg;
    der_t              attrs;        /* the element [0] */
    der_t              unsigned_attrs;
    der_t              more_signers;
    der_t              outer_type;
    der_t              tail;
} scep_msg_t;


MAKE der_t
scep_alg(const char *oid)
{
    return SEQ(OID(oid), DER_NULL);
}


MAKE der_t
scep_md_alg(const EVP_MD *md)
{
    char  oid[64];

    OBJ_obj2txt(oid, sizeof(oid), OBJ_nid2obj(EVP_MD_get_type(md)), 1);

    return scep_alg(oid);
}


MAKE der_t
scep_cert(const X509 *x)
{
    int             n;
    unsigned char  *der;

    der = NULL;
    n = i2d_X509(x, &der);

    return der_take(der, n);
}


MAKE der_t
scep_issuer_serial(const X509 *x)
{
    int             n;
    der_t           name;
    unsigned char  *der;

    der = NULL;
    n = i2d_X509_NAME(X509_get_issuer_name(x), &der);
    name = der_take(der, n);

    der = NULL;
    n = i2d_ASN1_INTEGER(X509_get0_serialNumber(x), &der);

    return SEQ(name, der_take(der, n));
}


MAKE der_t
scep_random(size_t len)
{
    unsigned char  *p;

    p = der_alloc(len);
    assert_int_equal(RAND_bytes(p, (int) len), 1);

    return (der_t) { p, len };
}


/* OAEP or PKCS #1 v1.5 */

MAKE der_t
scep_wrap(const scep_env_t *e, der_t cek)
{
    size_t          len;
    EVP_PKEY       *key;
    EVP_PKEY_CTX   *ctx;
    unsigned char   out[1024];

    key = X509_get0_pubkey(e->to);
    ctx = EVP_PKEY_CTX_new(key, NULL);

    assert_int_equal(EVP_PKEY_encrypt_init(ctx), 1);

    if (e->oaep != NULL) {
        EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_OAEP_PADDING);
        EVP_PKEY_CTX_set_rsa_oaep_md(ctx, e->oaep);
        EVP_PKEY_CTX_set_rsa_mgf1_md(ctx, e->mgf);
    }

    len = sizeof(out);
    assert_int_equal(EVP_PKEY_encrypt(ctx, out, &len, cek.data, cek.len), 1);

    EVP_PKEY_CTX_free(ctx);

    return der_copy(out, len);
}


MAKE der_t
scep_key_alg(const scep_env_t *e)
{
    if (e->oaep == NULL) {
        return scep_alg("1.2.840.113549.1.1.1");
    }

    return SEQ(OID("1.2.840.113549.1.1.7"),
               SEQ(TLV(0xa0, scep_md_alg(e->oaep)),
                   TLV(0xa1, SEQ(OID("1.2.840.113549.1.1.8"),
                                 scep_md_alg(e->mgf)))));
}


MAKE der_t
scep_envelope(const scep_env_t *e)
{
    int              n, m, gcm;
    char             oid[64];
    der_t            cek, iv, plain, key, info, ktri, encrypted, mac, alg;
    size_t           block, pad;
    unsigned char   *out, tag[16], fill[32];
    EVP_CIPHER_CTX  *ctx;

    gcm = EVP_CIPHER_get_mode(e->cipher) == EVP_CIPH_GCM_MODE;

    cek = scep_random((size_t) EVP_CIPHER_get_key_length(e->cipher));
    iv = scep_random((size_t) EVP_CIPHER_get_iv_length(e->cipher));
    plain = e->plain;

    if (!gcm) {
        block = (size_t) EVP_CIPHER_get_block_size(e->cipher);
        pad = block - plain.len % block;
        memset(fill, (int) pad, sizeof(fill));
        fill[pad - 1] ^= e->bad_padding ? 0x55 : 0;
        plain = CAT(plain, { fill, pad });
    }

    out = der_alloc(plain.len + 32);
    ctx = EVP_CIPHER_CTX_new();

    assert_int_equal(EVP_EncryptInit_ex(ctx, e->cipher, NULL, cek.data,
                                        iv.data), 1);
    EVP_CIPHER_CTX_set_padding(ctx, 0);
    assert_int_equal(EVP_EncryptUpdate(ctx, out, &n, plain.data,
                                       (int) plain.len), 1);
    assert_int_equal(EVP_EncryptFinal_ex(ctx, out + n, &m), 1);

    if (gcm) {
        EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, 16, tag);
    }

    EVP_CIPHER_CTX_free(ctx);

    key = USUAL(e->key, scep_wrap(e, USUAL(e->cek, cek)));

    ktri = SEQ(TLV(0x02, RAW("\0")),
               USUAL(e->rid, scep_issuer_serial(e->to)),
               USUAL(e->key_alg, scep_key_alg(e)),
               OCTETS(key));

    OBJ_obj2txt(oid, sizeof(oid), OBJ_nid2obj(EVP_CIPHER_get_nid(e->cipher)),
                1);

    alg = gcm ? SEQ(OID(oid), SEQ(OCTETS(iv), TLV(0x02, RAW("\x10"))))
              : SEQ(OID(oid), OCTETS(iv));

    encrypted = USUAL(e->encrypted,
                      TLV(0x80, { out, (size_t) n + (size_t) m }));
    mac = gcm ? USUAL(e->mac, OCTETS({ tag, 16 })) : NONE;

    info = SEQ(TLV(0x02, RAW("\0")),
               SET(USUAL(e->recipients, ktri)),
               SEQ(USUAL(e->inner_type, OID_DATA),
                   USUAL(e->cipher_alg, alg), encrypted),
               mac);

    return CAT(SEQ(USUAL(e->type, gcm ? OID_AUTH_ENV : OID_ENVELOPED),
                   TLV(0xa0, info)),
               USUAL(e->tail, NONE));
}


MAKE int
scep_attr_cmp(const void *one, const void *two)
{
    const der_t  *a = one, *b = two;

    return memcmp(a->data, b->data, a->len < b->len ? a->len : b->len);
}


MAKE der_t
scep_sign(const scep_msg_t *m, der_t tbs)
{
    size_t          len;
    EVP_MD_CTX     *ctx;
    EVP_PKEY_CTX   *pctx;
    unsigned char   sig[1024];

    ctx = EVP_MD_CTX_new();
    assert_int_equal(EVP_DigestSignInit(ctx, &pctx, m->md, NULL, m->key), 1);

    if (m->pss) {
        EVP_PKEY_CTX_set_rsa_padding(pctx, RSA_PKCS1_PSS_PADDING);
        EVP_PKEY_CTX_set_rsa_pss_saltlen(pctx, 32);
    }

    len = sizeof(sig);
    assert_int_equal(EVP_DigestSign(ctx, sig, &len, tbs.data, tbs.len), 1);
    EVP_MD_CTX_free(ctx);

    sig[len / 2] ^= m->broken ? 1 : 0;

    return der_copy(sig, len);
}


MAKE der_t
scep_sig_alg(const scep_msg_t *m)
{
    int    nid;
    char   oid[64];
    der_t  md;

    md = scep_md_alg(m->md);

    if (m->pss) {
        return SEQ(OID("1.2.840.113549.1.1.10"),
                   SEQ(TLV(0xa0, md),
                       TLV(0xa1, SEQ(OID("1.2.840.113549.1.1.8"), md)),
                       TLV(0xa2, TLV(0x02, RAW("\x20")))));
    }

    if (EVP_PKEY_is_a(m->key, "RSA")) {
        return scep_alg("1.2.840.113549.1.1.1");
    }

    assert_int_equal(OBJ_find_sigid_by_algs(&nid, EVP_MD_get_type(m->md),
                                            EVP_PKEY_get_base_id(m->key)), 1);
    OBJ_obj2txt(oid, sizeof(oid), OBJ_nid2obj(nid), 1);

    return SEQ(OID(oid));
}


MAKE der_t
scep_message(const scep_msg_t *m)
{
    size_t         i, n;
    der_t          attr[6], list[7], attrs, sorted, digest, signer;
    unsigned       len;
    unsigned char  md[EVP_MAX_MD_SIZE];

    assert_int_equal(EVP_Digest(m->content.data, m->content.len, md, &len,
                                m->md, NULL), 1);
    digest = USUAL(m->digest, OCTETS({ md, len }));

    n = 0;

#define ADD(o, v, ...)                                                        \
    if (USUAL(v, __VA_ARGS__).len) {                                          \
        attr[n++] = ATTR(o, USUAL(v, __VA_ARGS__));                           \
    }

    ADD(OID_SCEP("7"), m->transaction, PRINTABLE("0123456789abcdef"))
    ADD(OID("1.2.840.113549.1.9.4"), digest, NONE)
    ADD(OID_SCEP("2"), m->type, PRINTABLE("19"))
    ADD(OID("1.2.840.113549.1.9.3"), m->content_type, OID_DATA)
    ADD(OID_SCEP("5"), m->nonce, OCTETS(RAW("0123456789abcdef")))

#undef ADD

    memset(list, 0, sizeof(list));
    memcpy(list, attr, n * sizeof(der_t));
    attrs = CAT(der_join(list), USUAL(m->more, NONE));

    qsort(attr, n, sizeof(der_t), scep_attr_cmp);

    for (i = 0; i < n; i++) {
        list[i] = attr[i];
    }

    sorted = CAT(der_join(list), USUAL(m->more, NONE));

    signer = SEQ(TLV(0x02, RAW("\x01")),
                 USUAL(m->sid, scep_issuer_serial(m->cert)),
                 USUAL(m->digest_alg, scep_md_alg(m->md)),
                 USUAL(m->attrs,
                       TLV(0xa0, m->unsorted ? attrs : sorted)),
                 USUAL(m->sig_alg, scep_sig_alg(m)),
                 OCTETS(scep_sign(m, SET(m->unsorted == 1 ? attrs : sorted))),
                 USUAL(m->unsigned_attrs, NONE));

    return CAT(SEQ(USUAL(m->outer_type, OID_SIGNED),
                   TLV(0xa0,
                       SEQ(TLV(0x02, RAW("\x01")),
                           SET(USUAL(m->digest_alg, scep_md_alg(m->md))),
                           SEQ(USUAL(m->econtent_type, OID_DATA),
                               USUAL(m->econtent,
                                     TLV(0xa0, OCTETS(m->content)))),
                           USUAL(m->certs, TLV(0xa0, scep_cert(m->cert))),
                           USUAL(m->crls, NONE),
                           SET(signer, USUAL(m->more_signers, NONE))))),
               USUAL(m->tail, NONE));
}


/* PKCS #10 with a challengePassword, where there is one */

MAKE der_t
scep_csr(EVP_PKEY *key, const char *cn, const char *challenge)
{
    int             n;
    X509_REQ       *req;
    X509_NAME      *name;
    unsigned char  *der;

    req = X509_REQ_new();
    name = X509_NAME_new();

    X509_NAME_add_entry_by_NID(name, NID_commonName, MBSTRING_UTF8,
                               (const unsigned char *) cn, -1, -1, 0);
    X509_REQ_set_subject_name(req, name);
    X509_REQ_set_pubkey(req, key);

    if (challenge != NULL) {
        X509_REQ_add1_attr_by_NID(req, NID_pkcs9_challengePassword,
                                  MBSTRING_UTF8,
                                  (const unsigned char *) challenge, -1);
    }

    assert_true(X509_REQ_sign(req, key, EVP_sha256()) > 0);

    der = NULL;
    n = i2d_X509_REQ(req, &der);

    X509_NAME_free(name);
    X509_REQ_free(req);

    return der_take(der, n);
}


/*
 * BER that means the same: indefinite lengths, and OCTET STRINGs of more
 * than 32 octets in pieces; [0] as well, where it has a primitive one
 */

MAKE der_t
scep_ber(der_t der)
{
    int                   tag;
    der_t                 out;
    size_t                n, len;
    const unsigned char  *p, *end, *start;

    out = NONE;
    end = der.data + der.len;

    for (p = der.data; p < end; p += len) {
        start = p;
        tag = *p++;
        len = *p++;

        if (len & 0x80) {
            n = len & 0x7f;

            for (len = 0; n; n--) {
                len = len << 8 | *p++;
            }
        }

        if (tag & 0x20) {
            out = CAT(out, { start, 1 }, RAW("\x80"),
                      scep_ber((der_t) { p, len }), RAW("\0\0"));

        } else if ((tag == 0x04 || tag == 0x80) && len > 32) {
            out = CAT(out, tag == 0x04 ? RAW("\x24\x80") : RAW("\xa0\x80"),
                      OCTETS({ p, 7 }), TLV(0x24, OCTETS({ p + 7, 9 })),
                      OCTETS({ p + 16, len - 16 }), RAW("\0\0"));

        } else {
            out = CAT(out, { start, (size_t) (p - start) + len });
        }
    }

    return out;
}


#endif /* _UNIT_SCEP_H_INCLUDED_ */
