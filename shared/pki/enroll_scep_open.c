
/*
 * Copyright (C) The nginx-enroll authors
 */


/*
 * What is in the envelope of a message (RFC 8894, section 3.3), and when it
 * may be spoken of.
 */


#include <string.h>
#include <openssl/crypto.h>
#include <openssl/err.h>

#include "enroll_scep_envelope.h"


static enroll_outcome_e enroll_scep_open_ber(enroll_scep_t *m,
    const unsigned char *data, size_t len);
static enroll_outcome_e enroll_scep_open_content(enroll_scep_t *m,
    const unsigned char *data, size_t len);
static void enroll_scep_forget(enroll_scep_t *m);
static enroll_outcome_e enroll_scep_open_csr(enroll_scep_t *m,
    const unsigned char *data, size_t len);
static enroll_outcome_e enroll_scep_open_poll(enroll_scep_t *m,
    const enroll_tlv_t *issuer, const enroll_tlv_t *subject);
static enroll_outcome_e enroll_scep_open_serial(enroll_scep_t *m,
    const enroll_tlv_t *issuer, const enroll_tlv_t *serial);
static int enroll_scep_names_us(const enroll_scep_t *m);


enroll_outcome_e
enroll_scep_open(enroll_scep_t *m, const enroll_ra_t *ra)
{
    size_t                   size, len;
    unsigned char           *data;
    enroll_outcome_e         rc;
    enroll_scep_envelope_t   e;

    if (m->content == NULL) {
        return ENROLL_SCEP_ENVELOPE;
    }

    ERR_set_mark();

    rc = enroll_scep_envelope(&e, m->content, m->content_len, m->legacy);

    if (rc == ENROLL_OK) {
        m->mirror.cipher = e.cipher.cipher;
        m->mirror.oaep = e.oaep;
        m->mirror.oaep_mgf = e.oaep_mgf;

        rc = enroll_scep_decrypt(&e, ra, &data, &size, &len)
             ? enroll_scep_open_ber(m, data, len) : ENROLL_SCEP_DECRYPT;

        OPENSSL_clear_free(data, size);

        if (rc != ENROLL_OK) {
            enroll_scep_forget(m);
        }
    }

    enroll_scep_envelope_cleanup(&e);

    ERR_pop_to_mark();

    return rc;
}


/* whatever the client's encoder makes of it */

static enroll_outcome_e
enroll_scep_open_ber(enroll_scep_t *m, const unsigned char *data, size_t len)
{
    size_t               n;
    enroll_outcome_e     rc;
    enroll_der_writer_t  w;

    memset(&w, 0, sizeof(enroll_der_writer_t));

    n = enroll_der_from_ber(&w, data, len);

    rc = (n != 0 && n == len) ? enroll_scep_open_content(m, w.data, w.len)
                              : ENROLL_SCEP_DECRYPT;

    enroll_der_cleanup(&w);

    return rc;
}


static enroll_outcome_e
enroll_scep_open_content(enroll_scep_t *m, const unsigned char *data,
    size_t len)
{
    enroll_tlv_t         seq, one, two;
    enroll_der_reader_t  r;

    r = enroll_der_reader(data, len);

    if (!enroll_der_get(&r, ENROLL_DER_SEQUENCE, &seq) || !enroll_der_end(&r))
    {
        return ENROLL_SCEP_DECRYPT;
    }

    if (m->type == ENROLL_SCEP_PKCS_REQ || m->type == ENROLL_SCEP_RENEWAL_REQ)
    {
        return enroll_scep_open_csr(m, data, len);
    }

    r = enroll_der_inside(&seq);

    if (!enroll_der_get(&r, ENROLL_DER_SEQUENCE, &one)
        || !enroll_der_any(&r, &two)
        || !enroll_der_end(&r))
    {
        return ENROLL_SCEP_DECRYPT;
    }

    return (m->type == ENROLL_SCEP_CERT_POLL)
           ? enroll_scep_open_poll(m, &one, &two)
           : enroll_scep_open_serial(m, &one, &two);
}


/* half an answer is none */

static void
enroll_scep_forget(enroll_scep_t *m)
{
    enroll_csr_free(m->csr);
    X509_NAME_free(m->issuer);
    X509_NAME_free(m->subject);
    ASN1_INTEGER_free(m->serial);

    m->csr = NULL;
    m->issuer = NULL;
    m->subject = NULL;
    m->serial = NULL;
}


static enroll_outcome_e
enroll_scep_open_csr(enroll_scep_t *m, const unsigned char *data, size_t len)
{
    enroll_outcome_e  rc;

    if (enroll_csr_decode(&m->csr, data, len) != ENROLL_OK) {
        return ENROLL_SCEP_DECRYPT;
    }

    /*
     * The signer of a copy cannot have the key that is in it.  Who holds a
     * certificate of ours could ask about a copy as if for a renewal, but
     * could not make the request's own signature.
     */

    if (memcmp(m->csr->key_digest, m->signer_digest, ENROLL_DIGEST_LEN) != 0
        && (!m->known || enroll_csr_verify(m->csr, m->legacy) != ENROLL_OK))
    {
        return ENROLL_SCEP_DECRYPT;
    }

    rc = enroll_csr_check(m->csr);

    /* RFC 8894, section 3.1: refused before anything is issued */

    if (rc == ENROLL_OK
        && !enroll_scep_can_encrypt(m)
        && m->csr->challenge.len == 0)
    {
        return ENROLL_SCEP_NO_ENVELOPE;
    }

    return rc;
}


/* IssuerAndSubject (RFC 8894, section 3.3.3) */

static enroll_outcome_e
enroll_scep_open_poll(enroll_scep_t *m, const enroll_tlv_t *issuer,
    const enroll_tlv_t *subject)
{
    m->issuer = enroll_scep_name(issuer);
    m->subject = enroll_scep_name(subject);

    return enroll_scep_names_us(m) && m->subject ? ENROLL_OK
                                                 : ENROLL_SCEP_DECRYPT;
}


/* IssuerAndSerialNumber (sections 3.3.4 and 3.3.5) */

static enroll_outcome_e
enroll_scep_open_serial(enroll_scep_t *m, const enroll_tlv_t *issuer,
    const enroll_tlv_t *serial)
{
    const unsigned char  *p;

    if (serial->tag != ENROLL_DER_INTEGER) {
        return ENROLL_SCEP_DECRYPT;
    }

    p = serial->start;

    m->issuer = enroll_scep_name(issuer);
    m->serial = d2i_ASN1_INTEGER(NULL, &p, (long) serial->size);

    return enroll_scep_names_us(m) && m->serial ? ENROLL_OK
                                                : ENROLL_SCEP_DECRYPT;
}


static int
enroll_scep_names_us(const enroll_scep_t *m)
{
    int  i;

    if (m->issuer == NULL) {
        return 0;
    }

    if (m->issuers == NULL) {
        return 1;
    }

    for (i = 0; i < sk_X509_num(m->issuers); i++) {
        if (X509_NAME_cmp(X509_get_subject_name(sk_X509_value(m->issuers, i)),
                          m->issuer)
            == 0)
        {
            return 1;
        }
    }

    return 0;
}
