
/*
 * Copyright (C) The nginx-enroll authors
 */


#include <string.h>
#include <openssl/crypto.h>

#include "enroll_scep_envelope.h"


static enroll_outcome_e enroll_scep_content_info(enroll_tlv_t *inner,
    const enroll_der_writer_t *der, int *aead);
static enroll_outcome_e enroll_scep_recipient(enroll_scep_envelope_t *e,
    const enroll_tlv_t *set);
static enroll_outcome_e enroll_scep_encrypted(enroll_scep_envelope_t *e,
    const enroll_tlv_t *info, int aead, unsigned legacy);
static int enroll_scep_authenticated(enroll_scep_envelope_t *e,
    enroll_der_reader_t *r);


enroll_outcome_e
enroll_scep_envelope(enroll_scep_envelope_t *e, const unsigned char *ber,
    size_t len, unsigned legacy)
{
    int                  aead;
    size_t               n;
    enroll_tlv_t         t, recipients, info;
    enroll_outcome_e     rc;
    enroll_der_reader_t  r;

    memset(e, 0, sizeof(enroll_scep_envelope_t));

    n = enroll_der_from_ber(&e->der, ber, len);

    if (n == 0 || n != len) {
        return ENROLL_SCEP_ENVELOPE;
    }

    rc = enroll_scep_content_info(&t, &e->der, &aead);
    if (rc != ENROLL_OK) {
        return rc;
    }

    r = enroll_der_inside(&t);

    if (!enroll_der_get(&r, ENROLL_DER_INTEGER, &t)) {
        return ENROLL_SCEP_ENVELOPE;
    }

    /* originatorInfo is for key agreement */

    (void) enroll_der_get(&r, ENROLL_DER_EXPLICIT, &t);

    if (!enroll_der_get(&r, ENROLL_DER_SET, &recipients)
        || !enroll_der_get(&r, ENROLL_DER_SEQUENCE, &info))
    {
        return ENROLL_SCEP_ENVELOPE;
    }

    if (aead) {
        if (!enroll_scep_authenticated(e, &r)) {
            return ENROLL_SCEP_ENVELOPE;
        }

        (void) enroll_der_get(&r, ENROLL_DER_EXPLICIT + 2, &t);

    } else {
        (void) enroll_der_get(&r, ENROLL_DER_EXPLICIT + 1, &t);
    }

    if (!enroll_der_end(&r)) {
        return ENROLL_SCEP_ENVELOPE;
    }

    rc = enroll_scep_recipient(e, &recipients);
    if (rc != ENROLL_OK) {
        return rc;
    }

    return enroll_scep_encrypted(e, &info, aead, legacy);
}


static enroll_outcome_e
enroll_scep_content_info(enroll_tlv_t *inner, const enroll_der_writer_t *der,
    int *aead)
{
    enroll_tlv_t         t;
    enroll_der_reader_t  r;

    r = enroll_der_reader(der->data, der->len);

    if (!enroll_der_get(&r, ENROLL_DER_SEQUENCE, &t)) {
        return ENROLL_SCEP_ENVELOPE;
    }

    r = enroll_der_inside(&t);

    if (!enroll_der_get(&r, ENROLL_DER_OID, &t)) {
        return ENROLL_SCEP_ENVELOPE;
    }

    *aead = enroll_der_is(&t, ENROLL_OID_AUTH_ENVELOPED);

    if ((!*aead && !enroll_der_is(&t, ENROLL_OID_ENVELOPED))
        || !enroll_der_get(&r, ENROLL_DER_EXPLICIT, &t)
        || !enroll_der_end(&r))
    {
        return ENROLL_SCEP_ENVELOPE;
    }

    r = enroll_der_inside(&t);

    return enroll_der_get(&r, ENROLL_DER_SEQUENCE, inner)
           && enroll_der_end(&r)
           ? ENROLL_OK : ENROLL_SCEP_ENVELOPE;
}


/*
 * RFC 5652, section 6.2.1.  One recipient: a private-key operation for each
 * of many would be theirs to choose.
 */

static enroll_outcome_e
enroll_scep_recipient(enroll_scep_envelope_t *e, const enroll_tlv_t *set)
{
    enroll_tlv_t         t, alg;
    enroll_der_reader_t  r;

    r = enroll_der_inside(set);

    if (!enroll_der_any(&r, &t) || !enroll_der_end(&r)) {
        return ENROLL_SCEP_ENVELOPE;
    }

    switch (t.tag) {

    case ENROLL_DER_SEQUENCE:
        break;

    case ENROLL_DER_EXPLICIT + 1:    /* key agreement */
    case ENROLL_DER_EXPLICIT + 3:    /* a password: which one, of whom? */
        return ENROLL_SCEP_ALG;

    default:
        return ENROLL_SCEP_ENVELOPE;
    }

    r = enroll_der_inside(&t);

    if (!enroll_der_get(&r, ENROLL_DER_INTEGER, &t)
        || !enroll_der_any(&r, &e->rid)
        || (e->rid.tag != ENROLL_DER_SEQUENCE
            && e->rid.tag != ENROLL_DER_CONTEXT)
        || !enroll_der_get(&r, ENROLL_DER_SEQUENCE, &alg)
        || !enroll_der_get(&r, ENROLL_DER_OCTETS, &e->key)
        || !enroll_der_end(&r))
    {
        return ENROLL_SCEP_ENVELOPE;
    }

    return enroll_scep_transport_alg(&e->oaep, &e->oaep_mgf, &alg);
}


/* EncryptedContentInfo (RFC 5652, section 6.1) */

static enroll_outcome_e
enroll_scep_encrypted(enroll_scep_envelope_t *e, const enroll_tlv_t *info,
    int aead, unsigned legacy)
{
    enroll_tlv_t         t, alg, content;
    enroll_outcome_e     rc;
    enroll_der_reader_t  r, pieces;

    r = enroll_der_inside(info);

    if (!enroll_der_get(&r, ENROLL_DER_OID, &t)
        || !enroll_der_is(&t, ENROLL_OID_DATA)
        || !enroll_der_get(&r, ENROLL_DER_SEQUENCE, &alg))
    {
        return ENROLL_SCEP_ENVELOPE;
    }

    if (enroll_der_get(&r, ENROLL_DER_CONTEXT, &content)) {
        enroll_der_put(&e->content, content.data, content.len);

    } else if (enroll_der_get(&r, ENROLL_DER_EXPLICIT, &content)) {

        /* in pieces: [0] IMPLICIT hides that it is a string */

        pieces = enroll_der_inside(&content);

        while (!enroll_der_end(&pieces)) {
            if (!enroll_der_get(&pieces, ENROLL_DER_OCTETS, &t)) {
                return ENROLL_SCEP_ENVELOPE;
            }

            enroll_der_put(&e->content, t.data, t.len);
        }
    }

    if (!enroll_der_end(&r)) {
        return ENROLL_SCEP_ENVELOPE;
    }

    if (e->content.failed || e->aad.failed) {
        return ENROLL_INTERNAL;
    }

    rc = enroll_scep_cipher_alg(&e->cipher, &alg, legacy);

    if (rc == ENROLL_OK && e->cipher.aead != (unsigned) aead) {
        return ENROLL_SCEP_ALG;
    }

    return rc;
}


/* RFC 5083, section 2.2: the attributes are sealed as a SET OF */

static int
enroll_scep_authenticated(enroll_scep_envelope_t *e, enroll_der_reader_t *r)
{
    enroll_tlv_t  t;

    if (enroll_der_get(r, ENROLL_DER_EXPLICIT + 1, &t)) {
        enroll_der_add(&e->aad, ENROLL_DER_SET, t.data, t.len);
    }

    return enroll_der_get(r, ENROLL_DER_OCTETS, &e->mac);
}


void
enroll_scep_envelope_cleanup(enroll_scep_envelope_t *e)
{
    enroll_der_cleanup(&e->aad);
    enroll_der_cleanup(&e->content);
    enroll_der_cleanup(&e->der);
}
