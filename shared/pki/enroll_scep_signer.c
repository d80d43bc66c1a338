
/*
 * Copyright (C) The nginx-enroll authors
 */


#include <string.h>
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


static int enroll_scep_cert(enroll_scep_cert_t *c, const enroll_tlv_t *cert);
static void enroll_scep_cert_skid(enroll_tlv_t *skid, const enroll_tlv_t *exts);
static int enroll_scep_cert_issuer(const enroll_tlv_t *cert_issuer,
    const enroll_tlv_t *issuer);
static enroll_outcome_e enroll_scep_signer_key(enroll_scep_t *m);
static int enroll_scep_signature_alg(const enroll_scep_t *m,
    const X509_ALGOR *alg, enroll_rsa_pss_t *pss);
static int enroll_scep_signature_pss(const X509_ALGOR *alg, int digest,
    enroll_rsa_pss_t *pss);
static int enroll_scep_verify_octets(const enroll_scep_t *m,
    const enroll_rsa_pss_t *pss, const enroll_tlv_t *signature,
    const enroll_der_writer_t *octets);


/*
 * The certificate that the SignerInfo names, wherever in the bag it is.  This
 * runs on the event loop: OpenSSL's decoder, to which keys are what takes
 * time, is not asked.
 */

int
enroll_scep_signer_cert(enroll_tlv_t *found, unsigned char *digest,
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


enroll_outcome_e
enroll_scep_signer(enroll_scep_t *m, const enroll_tlv_t *cert)
{
    const unsigned char  *p;

    p = cert->start;

    m->signer = d2i_X509(NULL, &p, (long) cert->size);

    if (m->signer == NULL || p != cert->start + cert->size) {
        return ENROLL_SCEP_MESSAGE;
    }

    return enroll_scep_signer_key(m);
}


/*
 * RSA and ECDSA: for others SCEP has neither a signature nor an envelope in
 * use.  The rules on keys are those for requests.
 */

static enroll_outcome_e
enroll_scep_signer_key(enroll_scep_t *m)
{
    int                   len, nid;
    X509_ALGOR           *alg;
    X509_PUBKEY          *pubkey;
    enroll_key_t         *key;
    const unsigned char  *bits;

    key = &m->signer_key;
    pubkey = X509_get_X509_PUBKEY(m->signer);

    if (pubkey == NULL
        || X509_PUBKEY_get0_param(NULL, &bits, &len, &alg, pubkey) != 1
        || len <= 0
        || enroll_key_inspect(key, alg, bits, (size_t) len) != ENROLL_OK)
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

    m->pkey = enroll_key_build(key, bits, (size_t) len);

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
