
/*
 * Copyright (C) The nginx-enroll authors
 */


#include <string.h>
#include <openssl/asn1t.h>
#include <openssl/crypto.h>
#include <openssl/objects.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>

#include "enroll_rsa.h"
#include "enroll_scep_signer.h"


#define ENROLL_SCEP_RSA_BITS   2048      /* at least */
#define ENROLL_SCEP_CERTS      32

#define ENROLL_OID_SKID   "\x55\x1d\x0e", 3


/* what is looked at in a certificate before it is decoded */

typedef struct {
    enroll_tlv_t           serial;
    enroll_tlv_t           issuer;
    enroll_tlv_t           spki;
    enroll_tlv_t           skid;         /* tag 0: none */
} enroll_scep_cert_t;


/* X509, but that the key in it is not decoded */

typedef struct {
    X509_ALGOR                *alg;
    ASN1_BIT_STRING           *bits;
} enroll_scep_spki_t;


typedef struct {
    ASN1_INTEGER              *version;
    ASN1_INTEGER              *serial;
    X509_ALGOR                *alg;
    X509_NAME                 *issuer;
    X509_VAL                  *validity;
    X509_NAME                 *subject;
    enroll_scep_spki_t        *spki;
    ASN1_BIT_STRING           *issuer_id;
    ASN1_BIT_STRING           *subject_id;
    STACK_OF(X509_EXTENSION)  *exts;
} enroll_scep_tbs_t;


typedef struct {
    enroll_scep_tbs_t         *tbs;
    X509_ALGOR                *alg;
    ASN1_BIT_STRING           *signature;
} enroll_scep_signer_t;


static int enroll_scep_cert(enroll_scep_cert_t *c, const enroll_tlv_t *cert);
static void enroll_scep_cert_skid(enroll_tlv_t *skid, const enroll_tlv_t *exts);
static int enroll_scep_cert_issuer(const enroll_tlv_t *cert_issuer,
    const enroll_tlv_t *issuer);
static enroll_outcome_e enroll_scep_signer_key(enroll_scep_t *m,
    const enroll_scep_spki_t *spki);
static int enroll_scep_signature_alg(const enroll_scep_t *m,
    const X509_ALGOR *alg, enroll_rsa_pss_t *pss);
static int enroll_scep_signature_pss(const X509_ALGOR *alg, int digest,
    enroll_rsa_pss_t *pss);
static int enroll_scep_verify_octets(const enroll_scep_t *m,
    const enroll_rsa_pss_t *pss, const enroll_tlv_t *signature,
    const enroll_der_writer_t *octets);


ASN1_SEQUENCE(enroll_scep_spki_t) = {
    ASN1_SIMPLE(enroll_scep_spki_t, alg, X509_ALGOR),
    ASN1_SIMPLE(enroll_scep_spki_t, bits, ASN1_BIT_STRING)
} static_ASN1_SEQUENCE_END(enroll_scep_spki_t)

ASN1_SEQUENCE(enroll_scep_tbs_t) = {
    ASN1_EXP_OPT(enroll_scep_tbs_t, version, ASN1_INTEGER, 0),
    ASN1_SIMPLE(enroll_scep_tbs_t, serial, ASN1_INTEGER),
    ASN1_SIMPLE(enroll_scep_tbs_t, alg, X509_ALGOR),
    ASN1_SIMPLE(enroll_scep_tbs_t, issuer, X509_NAME),
    ASN1_SIMPLE(enroll_scep_tbs_t, validity, X509_VAL),
    ASN1_SIMPLE(enroll_scep_tbs_t, subject, X509_NAME),
    ASN1_SIMPLE(enroll_scep_tbs_t, spki, enroll_scep_spki_t),
    ASN1_IMP_OPT(enroll_scep_tbs_t, issuer_id, ASN1_BIT_STRING, 1),
    ASN1_IMP_OPT(enroll_scep_tbs_t, subject_id, ASN1_BIT_STRING, 2),
    ASN1_EXP_SEQUENCE_OF_OPT(enroll_scep_tbs_t, exts, X509_EXTENSION, 3)
} static_ASN1_SEQUENCE_END(enroll_scep_tbs_t)

ASN1_SEQUENCE(enroll_scep_signer_t) = {
    ASN1_SIMPLE(enroll_scep_signer_t, tbs, enroll_scep_tbs_t),
    ASN1_SIMPLE(enroll_scep_signer_t, alg, X509_ALGOR),
    ASN1_SIMPLE(enroll_scep_signer_t, signature, ASN1_BIT_STRING)
} static_ASN1_SEQUENCE_END(enroll_scep_signer_t)


/*
 * The certificate that the SignerInfo names, wherever in the bag it is.  This
 * runs on the event loop: OpenSSL's decoder, to which keys are what takes
 * time, is not asked.
 */

int
enroll_scep_signer_find(enroll_tlv_t *found, unsigned char *digest,
    const enroll_tlv_t *certs, const enroll_tlv_t *sid)
{
    size_t               n;
    enroll_tlv_t         cert, issuer, serial, spki;
    enroll_scep_cert_t   c;
    enroll_der_reader_t  r;

    memset(found, 0, sizeof(enroll_tlv_t));
    memset(&spki, 0, sizeof(enroll_tlv_t));

    if (certs->tag == 0) {
        return 0;
    }

    if (sid->tag == ENROLL_DER_SEQUENCE) {
        r = enroll_der_inside(sid);

        if (!enroll_der_get(&r, ENROLL_DER_SEQUENCE, &issuer)
            || !enroll_der_get(&r, ENROLL_DER_INTEGER, &serial)
            || !enroll_der_end(&r))
        {
            return 0;
        }

    } else if (sid->tag != ENROLL_DER_CONTEXT) {
        return 0;
    }

    r = enroll_der_inside(certs);

    for (n = 0; !enroll_der_end(&r); n++) {
        if (n == ENROLL_SCEP_CERTS || !enroll_der_any(&r, &cert)) {
            return 0;
        }

        /* attribute certificates and such have other tags */

        if (cert.tag != ENROLL_DER_SEQUENCE || !enroll_scep_cert(&c, &cert)) {
            continue;
        }

        if (sid->tag == ENROLL_DER_CONTEXT) {
            if (c.skid.tag == 0 || !enroll_der_same(&c.skid, sid)) {
                continue;
            }

        } else if (!enroll_der_same(&c.serial, &serial)
                   || !enroll_scep_cert_issuer(&c.issuer, &issuer))
        {
            continue;
        }

        /* the same twice is one, two that look alike are none */

        if (found->tag
            && (cert.size != found->size
                || memcmp(cert.start, found->start, cert.size) != 0))
        {
            return 0;
        }

        *found = cert;
        spki = c.spki;
    }

    return found->tag
           && EVP_Digest(spki.start, spki.size, digest, NULL, EVP_sha256(),
                         NULL)
              == 1;
}


/* RFC 5280, section 4.1 */

static int
enroll_scep_cert(enroll_scep_cert_t *c, const enroll_tlv_t *cert)
{
    enroll_tlv_t         t;
    enroll_der_reader_t  r;

    memset(&c->skid, 0, sizeof(enroll_tlv_t));

    r = enroll_der_inside(cert);

    if (!enroll_der_get(&r, ENROLL_DER_SEQUENCE, &t)) {
        return 0;
    }

    r = enroll_der_inside(&t);

    (void) enroll_der_get(&r, ENROLL_DER_EXPLICIT, &t);      /* version */

    if (!enroll_der_get(&r, ENROLL_DER_INTEGER, &c->serial)
        || !enroll_der_get(&r, ENROLL_DER_SEQUENCE, &t)
        || !enroll_der_get(&r, ENROLL_DER_SEQUENCE, &c->issuer)
        || !enroll_der_get(&r, ENROLL_DER_SEQUENCE, &t)
        || !enroll_der_get(&r, ENROLL_DER_SEQUENCE, &t)
        || !enroll_der_get(&r, ENROLL_DER_SEQUENCE, &c->spki))
    {
        return 0;
    }

    (void) enroll_der_get(&r, ENROLL_DER_CONTEXT + 1, &t);   /* unique */
    (void) enroll_der_get(&r, ENROLL_DER_CONTEXT + 2, &t);   /* IDs */

    if (enroll_der_get(&r, ENROLL_DER_EXPLICIT + 3, &t)) {
        enroll_scep_cert_skid(&c->skid, &t);
    }

    return 1;
}


static void
enroll_scep_cert_skid(enroll_tlv_t *skid, const enroll_tlv_t *exts)
{
    enroll_tlv_t         t, oid;
    enroll_der_reader_t  r, ext;

    r = enroll_der_inside(exts);

    if (!enroll_der_get(&r, ENROLL_DER_SEQUENCE, &t)) {
        return;
    }

    r = enroll_der_inside(&t);

    while (enroll_der_get(&r, ENROLL_DER_SEQUENCE, &t)) {
        ext = enroll_der_inside(&t);

        if (!enroll_der_get(&ext, ENROLL_DER_OID, &oid)
            || !enroll_der_is(&oid, ENROLL_OID_SKID))
        {
            continue;
        }

        (void) enroll_der_get(&ext, ENROLL_DER_BOOLEAN, &t);

        if (enroll_der_get(&ext, ENROLL_DER_OCTETS, &t)) {
            ext = enroll_der_inside(&t);
            (void) enroll_der_get(&ext, ENROLL_DER_OCTETS, skid);
        }

        return;
    }
}


/* some write the issuer in other letters than the certificate has it in */

static int
enroll_scep_cert_issuer(const enroll_tlv_t *cert_issuer,
    const enroll_tlv_t *issuer)
{
    int         ok;
    X509_NAME  *one, *two;

    if (enroll_der_same(cert_issuer, issuer)) {
        return 1;
    }

    one = enroll_scep_name(cert_issuer);
    two = enroll_scep_name(issuer);

    ok = one && two && X509_NAME_cmp(one, two) == 0;

    X509_NAME_free(one);
    X509_NAME_free(two);

    return ok;
}


int
enroll_scep_signer_id(enroll_tlv_t *issuer, enroll_tlv_t *serial,
    const enroll_scep_t *m)
{
    enroll_tlv_t         cert;
    enroll_scep_cert_t   c;
    enroll_der_reader_t  r;

    if (m->cert == NULL) {
        return 0;
    }

    r = enroll_der_reader(m->cert, m->cert_len);

    if (!enroll_der_any(&r, &cert) || !enroll_scep_cert(&c, &cert)) {
        return 0;
    }

    *issuer = c.issuer;
    *serial = c.serial;

    return 1;
}


int
enroll_scep_signer_by(const enroll_scep_t *m, const STACK_OF(X509) *issuers)
{
    int            i, found;
    X509          *x;
    X509_NAME     *name;
    enroll_tlv_t   issuer, serial;

    if (!enroll_scep_signer_id(&issuer, &serial, m)) {
        return 0;
    }

    name = enroll_scep_name(&issuer);
    found = 0;

    for (i = 0; name && i < sk_X509_num(issuers); i++) {
        x = sk_X509_value(issuers, i);

        if (X509_NAME_cmp(X509_get_subject_name(x), name) == 0) {
            found = 1;
            break;
        }
    }

    X509_NAME_free(name);

    return found;
}


X509 *
enroll_scep_signer_cert(enroll_scep_t *m)
{
    const unsigned char  *p;

    if (m->signer == NULL && m->cert) {
        p = m->cert;

        ERR_set_mark();
        m->signer = d2i_X509(NULL, &p, (long) m->cert_len);
        ERR_pop_to_mark();
    }

    return m->signer;
}


enroll_outcome_e
enroll_scep_signer(enroll_scep_t *m, const enroll_tlv_t *cert)
{
    enroll_outcome_e       rc;
    const unsigned char   *p;
    enroll_scep_signer_t  *x;

    p = cert->start;

    x = (enroll_scep_signer_t *)
            ASN1_item_d2i(NULL, &p, (long) cert->size,
                          ASN1_ITEM_rptr(enroll_scep_signer_t));

    if (x == NULL || p != cert->start + cert->size) {
        rc = ENROLL_SCEP_MESSAGE;

    } else {
        m->cert = cert->start;
        m->cert_len = cert->size;

        rc = enroll_scep_signer_key(m, x->tbs->spki);
    }

    ASN1_item_free((ASN1_VALUE *) x, ASN1_ITEM_rptr(enroll_scep_signer_t));

    return rc;
}


/*
 * RSA and ECDSA: for others SCEP has neither a signature nor an envelope in
 * use.  The rules on keys are those for requests.
 */

static enroll_outcome_e
enroll_scep_signer_key(enroll_scep_t *m, const enroll_scep_spki_t *spki)
{
    int                   nid;
    size_t                len;
    enroll_key_t         *key;
    const X509_ALGOR     *alg;
    const unsigned char  *bits;

    key = &m->signer_key;
    alg = spki->alg;
    bits = spki->bits->data;
    len = (size_t) spki->bits->length;

    if (spki->bits->length <= 0
        || (spki->bits->flags & 0x07)
        || enroll_key_inspect(key, alg, bits, len) != ENROLL_OK)
    {
        return ENROLL_SCEP_ALG;
    }

    nid = OBJ_obj2nid(alg->algorithm);

    if (nid == NID_rsaEncryption) {
        if (key->bits < ENROLL_SCEP_RSA_BITS) {
            return ENROLL_SCEP_ALG;
        }

    } else if (nid != NID_X9_62_id_ecPublicKey
               || (key->nid != NID_X9_62_prime256v1
                   && key->nid != NID_secp384r1
                   && key->nid != NID_secp521r1))
    {
        return ENROLL_SCEP_ALG;
    }

    m->pkey = enroll_key_build(key, bits, len);

    return m->pkey ? ENROLL_OK : ENROLL_SCEP_ALG;
}


enroll_outcome_e
enroll_scep_signature(const enroll_scep_t *m, const enroll_tlv_t *sig_alg,
    const enroll_tlv_t *attrs, const enroll_tlv_t *signature)
{
    int                    ok;
    X509_ALGOR            *alg;
    enroll_rsa_pss_t       pss;
    enroll_outcome_e       rc;
    enroll_der_writer_t    octets;
    const unsigned char   *p;

    p = sig_alg->start;

    alg = d2i_X509_ALGOR(NULL, &p, (long) sig_alg->size);
    if (alg == NULL) {
        return ENROLL_SCEP_ALG;
    }

    memset(&octets, 0, sizeof(enroll_der_writer_t));
    pss.hash = NID_undef;

    if (!enroll_scep_signature_alg(m, alg, &pss)) {
        rc = ENROLL_SCEP_ALG;
        goto done;
    }

    /*
     * RFC 5652, section 5.4: over the attributes as a SET OF.  Some clients
     * do not sort it, and sign what they send; others sort only what they
     * sign.
     */

    enroll_der_add(&octets, ENROLL_DER_SET, attrs->data, attrs->len);

    ok = enroll_scep_verify_octets(m, &pss, signature, &octets);

    if (!ok) {
        enroll_der_sort(&octets, octets.len - attrs->len);

        if (!octets.failed
            && memcmp(octets.data + octets.len - attrs->len, attrs->data,
                      attrs->len)
               != 0)
        {
            ok = enroll_scep_verify_octets(m, &pss, signature, &octets);
        }
    }

    rc = ok ? ENROLL_OK : ENROLL_SCEP_SIGNATURE;

done:

    enroll_der_cleanup(&octets);
    X509_ALGOR_free(alg);

    return rc;
}


/* one for the signer's key, with the SignerInfo's digest */

static int
enroll_scep_signature_alg(const enroll_scep_t *m, const X509_ALGOR *alg,
    enroll_rsa_pss_t *pss)
{
    int  nid, digest, sig_digest, sig_key;

    nid = OBJ_obj2nid(alg->algorithm);
    digest = EVP_MD_get_type(m->mirror.digest);

    if (nid == NID_rsassaPss) {
        return m->signer_key.kind == ENROLL_KEY_RSA
               && enroll_scep_signature_pss(alg, digest, pss);
    }

    if (alg->parameter && alg->parameter->type != V_ASN1_NULL) {
        return 0;
    }

    /* RFC 3370, section 3.2: the key's algorithm says as much */

    if (nid == NID_rsaEncryption) {
        return m->signer_key.kind == ENROLL_KEY_RSA;
    }

    return OBJ_find_sigid_algs(nid, &sig_digest, &sig_key) == 1
           && sig_digest == digest
           && sig_key == (m->signer_key.kind == ENROLL_KEY_RSA
                          ? NID_rsaEncryption : NID_X9_62_id_ecPublicKey);
}


static int
enroll_scep_signature_pss(const X509_ALGOR *alg, int digest,
    enroll_rsa_pss_t *pss)
{
    return enroll_rsa_pss(pss, alg)
           && pss->hash == digest
           && pss->mgf_hash == digest;
}


static int
enroll_scep_verify_octets(const enroll_scep_t *m, const enroll_rsa_pss_t *pss,
    const enroll_tlv_t *signature, const enroll_der_writer_t *octets)
{
    int            ok;
    EVP_MD_CTX    *ctx;
    EVP_PKEY_CTX  *pctx;

    if (octets->failed) {
        return 0;
    }

    ctx = EVP_MD_CTX_new();

    ok = ctx
         && EVP_DigestVerifyInit(ctx, &pctx, m->mirror.digest, NULL, m->pkey)
            == 1;

    if (ok && pss->hash != NID_undef) {
        ok = EVP_PKEY_CTX_set_rsa_padding(pctx, RSA_PKCS1_PSS_PADDING) == 1
             && EVP_PKEY_CTX_set_rsa_mgf1_md(pctx, m->mirror.digest) == 1
             && EVP_PKEY_CTX_set_rsa_pss_saltlen(pctx, pss->salt) == 1;
    }

    ok = ok
         && EVP_DigestVerify(ctx, signature->data, signature->len,
                             octets->data, octets->len)
            == 1;

    EVP_MD_CTX_free(ctx);

    return ok;
}
