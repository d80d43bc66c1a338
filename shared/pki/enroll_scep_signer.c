
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


#define ENROLL_SCEP_RSA_BITS   2048

/* the signature is verified on the event loop, whoever it is from */

#define ENROLL_SCEP_RSA_MAX    4096
#define ENROLL_SCEP_CERTS      32


static X509 *enroll_scep_cert(const enroll_tlv_t *cert,
    const enroll_tlv_t *sid);
static int enroll_scep_cert_named(X509 *x, const enroll_tlv_t *sid);
static int enroll_scep_cert_serial(const enroll_tlv_t *cert,
    enroll_tlv_t *serial);
static int enroll_scep_signature_alg(const enroll_scep_t *m,
    const X509_ALGOR *alg, enroll_rsa_pss_t *pss);
static int enroll_scep_signature_pss(const X509_ALGOR *alg, int digest,
    enroll_rsa_pss_t *pss);
static int enroll_scep_verify_octets(const enroll_scep_t *m,
    const enroll_rsa_pss_t *pss, const enroll_tlv_t *signature,
    const enroll_der_writer_t *octets);


/* the certificate that the SignerInfo names, wherever in the bag it is */

int
enroll_scep_signer(enroll_scep_t *m, const enroll_tlv_t *certs,
    const enroll_tlv_t *sid)
{
    size_t               n;
    X509                *x;
    enroll_tlv_t         cert, found;
    enroll_der_reader_t  r;

    if (certs->tag == 0) {
        return 0;
    }

    memset(&found, 0, sizeof(enroll_tlv_t));
    r = enroll_der_inside(certs);

    for (n = 0; !enroll_der_end(&r); n++) {
        if (n == ENROLL_SCEP_CERTS || !enroll_der_any(&r, &cert)) {
            return 0;
        }

        /* attribute certificates and such have other tags */

        if (cert.tag != ENROLL_DER_SEQUENCE) {
            continue;
        }

        x = enroll_scep_cert(&cert, sid);
        if (x == NULL) {
            continue;
        }

        if (found.start == NULL) {
            m->signer = x;
            found = cert;
            continue;
        }

        X509_free(x);

        /* the same twice is one, two that look alike are none */

        if (cert.size != found.size
            || memcmp(cert.start, found.start, cert.size) != 0)
        {
            return 0;
        }
    }

    return m->signer && enroll_key_digest(m->signer, m->signer_digest);
}


static X509 *
enroll_scep_cert(const enroll_tlv_t *cert, const enroll_tlv_t *sid)
{
    int                   ok;
    X509                 *x;
    enroll_tlv_t          t, serial;
    enroll_der_reader_t   r;
    const unsigned char  *p;

    /* cheap things first: only what may be the one is decoded */

    if (sid->tag == ENROLL_DER_SEQUENCE) {
        r = enroll_der_inside(sid);

        if (!enroll_der_get(&r, ENROLL_DER_SEQUENCE, &t)
            || !enroll_der_get(&r, ENROLL_DER_INTEGER, &t)
            || !enroll_der_end(&r)
            || !enroll_scep_cert_serial(cert, &serial)
            || !enroll_der_is(&serial, (const char *) t.data, t.len))
        {
            return NULL;
        }

    } else if (sid->tag != ENROLL_DER_CONTEXT) {
        return NULL;
    }

    p = cert->start;

    x = d2i_X509(NULL, &p, (long) cert->size);
    if (x == NULL) {
        return NULL;
    }

    ok = p == cert->start + cert->size
         && enroll_scep_cert_named(x, sid);

    if (!ok) {
        X509_free(x);
        return NULL;
    }

    return x;
}


/* by issuer, the serial number has been compared, or by key identifier */

static int
enroll_scep_cert_named(X509 *x, const enroll_tlv_t *sid)
{
    int                       ok;
    X509_NAME                *issuer;
    enroll_tlv_t              t;
    enroll_der_reader_t       r;
    const unsigned char      *p;
    const ASN1_OCTET_STRING  *skid;

    if (sid->tag == ENROLL_DER_CONTEXT) {
        skid = X509_get0_subject_key_id(x);

        return skid
               && enroll_der_is(sid, (const char *) ASN1_STRING_get0_data(skid),
                                (size_t) ASN1_STRING_length(skid));
    }

    r = enroll_der_inside(sid);
    (void) enroll_der_any(&r, &t);

    p = t.start;

    issuer = d2i_X509_NAME(NULL, &p, (long) t.size);
    if (issuer == NULL) {
        return 0;
    }

    ok = X509_NAME_cmp(issuer, X509_get_issuer_name(x)) == 0;

    X509_NAME_free(issuer);

    return ok;
}


/* RFC 5280, section 4.1: [0] version, if any, comes before it */

static int
enroll_scep_cert_serial(const enroll_tlv_t *cert, enroll_tlv_t *serial)
{
    enroll_tlv_t         t;
    enroll_der_reader_t  r;

    r = enroll_der_inside(cert);

    if (!enroll_der_get(&r, ENROLL_DER_SEQUENCE, &t)) {
        return 0;
    }

    r = enroll_der_inside(&t);
    (void) enroll_der_get(&r, ENROLL_DER_EXPLICIT, &t);

    return enroll_der_get(&r, ENROLL_DER_INTEGER, serial);
}


/*
 * RSA and ECDSA: for others SCEP has neither a signature nor an envelope in
 * use.  The rules on keys are those for requests.
 */

enroll_outcome_e
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
        if (key->bits < ENROLL_SCEP_RSA_BITS
            || key->bits > ENROLL_SCEP_RSA_MAX)
        {
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
enroll_scep_verify(const enroll_scep_t *m, const enroll_tlv_t *sig_alg,
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
