
/*
 * Copyright (C) The nginx-enroll authors
 */


/*
 * The outer SignedData of a message (RFC 8894, section 3.2; RFC 5652,
 * section 5).
 */


#include <string.h>
#include <openssl/crypto.h>
#include <openssl/err.h>

#include "enroll_scep_signer.h"


#define ENROLL_SCEP_ATTRIBUTES   64

#define enroll_attr_count(a)  (sizeof(a) / sizeof((a)[0]))


typedef enum {
    ENROLL_SCEP_ATTR_TYPE = 0,
    ENROLL_SCEP_ATTR_TRANSACTION,
    ENROLL_SCEP_ATTR_NONCE,
    ENROLL_SCEP_ATTR_DIGEST,
    ENROLL_SCEP_ATTR_CONTENT,
    ENROLL_SCEP_ATTR_COUNT
} enroll_scep_attr_e;


typedef enum {
    ENROLL_SCEP_ABSENT = 0,
    ENROLL_SCEP_ONCE,
    ENROLL_SCEP_AMBIGUOUS            /* two attributes, or not one value */
} enroll_scep_seen_e;


struct enroll_scep_signed_s {
    enroll_tlv_t         content_type;
    enroll_tlv_t         content;        /* tag 0: absent */
    enroll_tlv_t         certs;          /* tag 0: absent */
    enroll_tlv_t         sid;
    enroll_tlv_t         digest_alg;
    enroll_tlv_t         attrs;
    enroll_tlv_t         sig_alg;
    enroll_tlv_t         signature;

    struct {
        enroll_scep_seen_e   seen;
        enroll_tlv_t         value;
    }                    attr[ENROLL_SCEP_ATTR_COUNT];

    enroll_tlv_t         cert;           /* the one of certs */
    unsigned             more:1;         /* something follows the message */
};


static int enroll_scep_take(enroll_scep_t *m, const unsigned char *ber,
    size_t len);
static int enroll_scep_signed(enroll_scep_signed_t *s,
    const unsigned char *der, size_t len);
static int enroll_scep_signer_info(enroll_scep_signed_t *s,
    const enroll_tlv_t *set);
static int enroll_scep_attributes(enroll_scep_signed_t *s);
static int enroll_scep_attribute(enroll_scep_signed_t *s,
    const enroll_tlv_t *attr);
static int enroll_scep_transaction(enroll_scep_t *m,
    const enroll_scep_signed_t *s);
static int enroll_scep_string(const enroll_tlv_t *value);
static enroll_outcome_e enroll_scep_check(enroll_scep_t *m,
    const enroll_scep_signed_t *s);
static enroll_outcome_e enroll_scep_check_digest(const enroll_scep_t *m,
    const enroll_scep_signed_t *s);
static enroll_outcome_e enroll_scep_check_type(enroll_scep_t *m,
    const enroll_scep_signed_t *s);


/* in the order of enroll_scep_attr_e */

static const struct {
    const char          *oid;
    size_t               len;
} enroll_scep_attrs[] = {
    { ENROLL_OID_MESSAGE_TYPE },
    { ENROLL_OID_TRANSACTION_ID },
    { ENROLL_OID_SENDER_NONCE },
    { ENROLL_OID_MESSAGE_DIGEST },
    { ENROLL_OID_CONTENT_TYPE }
};


enroll_outcome_e
enroll_scep_parse(enroll_scep_t **out, const unsigned char *der, size_t len,
    unsigned legacy)
{
    int             ok;
    enroll_scep_t  *m;

    *out = NULL;

    if (len == 0) {
        return ENROLL_EMPTY_BODY;
    }

    if (len > ENROLL_SCEP_SIZE) {
        return ENROLL_SCEP_MESSAGE;
    }

    m = OPENSSL_zalloc(sizeof(enroll_scep_t));
    if (m == NULL) {
        return ENROLL_INTERNAL;
    }

    m->mirror.digest = EVP_sha256();
    m->mirror.cipher = EVP_aes_128_cbc();
    m->legacy = legacy;

    m->outer = OPENSSL_zalloc(sizeof(enroll_scep_signed_t));
    if (m->outer == NULL) {
        enroll_scep_free(m);
        return ENROLL_INTERNAL;
    }

    ERR_set_mark();
    ok = enroll_scep_take(m, der, len);
    ERR_pop_to_mark();

    if (!ok) {
        enroll_scep_free(m);
        return ENROLL_SCEP_MESSAGE;
    }

    *out = m;

    return ENROLL_OK;
}


static int
enroll_scep_take(enroll_scep_t *m, const unsigned char *ber, size_t len)
{
    size_t                 n;
    enroll_der_writer_t    w;
    enroll_scep_signed_t  *s;

    s = m->outer;

    memset(&w, 0, sizeof(enroll_der_writer_t));

    /* the one and only copy, kept as long as m */

    n = enroll_der_from_ber(&w, ber, len);
    m->der = w.data;

    if (n == 0) {
        return 0;
    }

    s->more = (n != len);

    if (!enroll_scep_signed(s, w.data, w.len)
        || !enroll_scep_attributes(s)
        || !enroll_scep_transaction(m, s)
        || !enroll_scep_signer_find(&s->cert, m->signer_digest, &s->certs,
                                    &s->sid))
    {
        return 0;
    }

    /* also an answer to what is not verified is to be understood */

    (void) enroll_scep_digest_alg(&m->mirror.digest, &s->digest_alg,
                                  m->legacy);

    return 1;
}


/* what is left out of this is of no use here: versions, CRLs, digests */

static int
enroll_scep_signed(enroll_scep_signed_t *s, const unsigned char *der,
    size_t len)
{
    enroll_tlv_t         t, seq, encap;
    enroll_der_reader_t  r;

    r = enroll_der_reader(der, len);

    if (!enroll_der_get(&r, ENROLL_DER_SEQUENCE, &seq)) {
        return 0;
    }

    r = enroll_der_inside(&seq);

    if (!enroll_der_get(&r, ENROLL_DER_OID, &t)
        || !enroll_der_is(&t, ENROLL_OID_SIGNED)
        || !enroll_der_get(&r, ENROLL_DER_EXPLICIT, &t)
        || !enroll_der_end(&r))
    {
        return 0;
    }

    r = enroll_der_inside(&t);

    if (!enroll_der_get(&r, ENROLL_DER_SEQUENCE, &seq)
        || !enroll_der_end(&r))
    {
        return 0;
    }

    r = enroll_der_inside(&seq);

    if (!enroll_der_get(&r, ENROLL_DER_INTEGER, &t)
        || !enroll_der_get(&r, ENROLL_DER_SET, &t)
        || !enroll_der_get(&r, ENROLL_DER_SEQUENCE, &encap))
    {
        return 0;
    }

    (void) enroll_der_get(&r, ENROLL_DER_EXPLICIT, &s->certs);
    (void) enroll_der_get(&r, ENROLL_DER_EXPLICIT + 1, &t);

    if (!enroll_der_get(&r, ENROLL_DER_SET, &t)
        || !enroll_der_end(&r)
        || !enroll_scep_signer_info(s, &t))
    {
        return 0;
    }

    r = enroll_der_inside(&encap);

    if (!enroll_der_get(&r, ENROLL_DER_OID, &s->content_type)) {
        return 0;
    }

    if (enroll_der_end(&r)) {
        return 1;
    }

    if (!enroll_der_get(&r, ENROLL_DER_EXPLICIT, &t) || !enroll_der_end(&r)) {
        return 0;
    }

    r = enroll_der_inside(&t);

    return enroll_der_any(&r, &s->content) && enroll_der_end(&r);
}


/* one only: of two, who would be the one that asks? */

static int
enroll_scep_signer_info(enroll_scep_signed_t *s, const enroll_tlv_t *set)
{
    enroll_tlv_t         t;
    enroll_der_reader_t  r;

    r = enroll_der_inside(set);

    if (!enroll_der_get(&r, ENROLL_DER_SEQUENCE, &t) || !enroll_der_end(&r)) {
        return 0;
    }

    r = enroll_der_inside(&t);

    if (!enroll_der_get(&r, ENROLL_DER_INTEGER, &t)
        || !enroll_der_any(&r, &s->sid)
        || !enroll_der_get(&r, ENROLL_DER_SEQUENCE, &s->digest_alg)
        || !enroll_der_get(&r, ENROLL_DER_EXPLICIT, &s->attrs)
        || !enroll_der_get(&r, ENROLL_DER_SEQUENCE, &s->sig_alg)
        || !enroll_der_get(&r, ENROLL_DER_OCTETS, &s->signature))
    {
        return 0;
    }

    /* unsigned attributes are nobody's word */

    (void) enroll_der_get(&r, ENROLL_DER_EXPLICIT + 1, &t);

    return enroll_der_end(&r);
}


static int
enroll_scep_attributes(enroll_scep_signed_t *s)
{
    size_t               n;
    enroll_tlv_t         attr;
    enroll_der_reader_t  r;

    r = enroll_der_inside(&s->attrs);

    for (n = 0; !enroll_der_end(&r); n++) {
        if (n == ENROLL_SCEP_ATTRIBUTES
            || !enroll_der_get(&r, ENROLL_DER_SEQUENCE, &attr)
            || !enroll_scep_attribute(s, &attr))
        {
            return 0;
        }
    }

    return 1;
}


static int
enroll_scep_attribute(enroll_scep_signed_t *s, const enroll_tlv_t *attr)
{
    size_t               i;
    enroll_tlv_t         type, values;
    enroll_der_reader_t  r;

    r = enroll_der_inside(attr);

    if (!enroll_der_get(&r, ENROLL_DER_OID, &type)
        || !enroll_der_get(&r, ENROLL_DER_SET, &values)
        || !enroll_der_end(&r))
    {
        return 0;
    }

    for (i = 0; i < ENROLL_SCEP_ATTR_COUNT; i++) {
        if (enroll_der_is(&type, enroll_scep_attrs[i].oid,
                          enroll_scep_attrs[i].len))
        {
            break;
        }
    }

    if (i == ENROLL_SCEP_ATTR_COUNT) {
        return 1;
    }

    r = enroll_der_inside(&values);

    s->attr[i].seen = (s->attr[i].seen == ENROLL_SCEP_ABSENT
                       && enroll_der_any(&r, &s->attr[i].value)
                       && enroll_der_end(&r))
                      ? ENROLL_SCEP_ONCE : ENROLL_SCEP_AMBIGUOUS;

    return 1;
}


/* what is echoed, octet for octet */

static int
enroll_scep_transaction(enroll_scep_t *m, const enroll_scep_signed_t *s)
{
    const enroll_tlv_t  *id, *nonce;

    id = &s->attr[ENROLL_SCEP_ATTR_TRANSACTION].value;
    nonce = &s->attr[ENROLL_SCEP_ATTR_NONCE].value;

    if (s->attr[ENROLL_SCEP_ATTR_TRANSACTION].seen != ENROLL_SCEP_ONCE
        || s->attr[ENROLL_SCEP_ATTR_NONCE].seen != ENROLL_SCEP_ONCE
        || !enroll_scep_string(id)
        || id->len < 1
        || id->len > ENROLL_SCEP_TRANSACTION
        || nonce->tag != ENROLL_DER_OCTETS
        || nonce->len < 1
        || nonce->len > ENROLL_SCEP_NONCE)
    {
        return 0;
    }

    memcpy(m->transaction, id->data, id->len);
    m->transaction_len = id->len;
    m->transaction_type = id->tag;

    memcpy(m->nonce, nonce->data, nonce->len);
    m->nonce_len = nonce->len;

    return 1;
}


/*
 * RFC 8894 has PrintableString; UTF8String and IA5String are seen, and so
 * are characters that no PrintableString has
 */

static int
enroll_scep_string(const enroll_tlv_t *value)
{
    size_t  i;

    if (value->tag != ENROLL_DER_PRINTABLE
        && value->tag != ENROLL_DER_UTF8
        && value->tag != ENROLL_DER_IA5)
    {
        return 0;
    }

    for (i = 0; i < value->len; i++) {
        if (value->data[i] < 0x20 || value->data[i] > 0x7e) {
            return 0;
        }
    }

    return 1;
}


enroll_outcome_e
enroll_scep_verify(enroll_scep_t *m)
{
    enroll_outcome_e  rc;

    ERR_set_mark();
    rc = enroll_scep_check(m, m->outer);
    ERR_pop_to_mark();

    return rc;
}


/* nothing of the message has a meaning before its signature is verified */

static enroll_outcome_e
enroll_scep_check(enroll_scep_t *m, const enroll_scep_signed_t *s)
{
    enroll_outcome_e  rc;

    if (s->more) {
        return ENROLL_SCEP_MESSAGE;
    }

    rc = enroll_scep_signer(m, &s->cert);

    if (rc == ENROLL_OK) {
        rc = enroll_scep_digest_alg(&m->mirror.digest, &s->digest_alg,
                                    m->legacy);
    }

    if (rc == ENROLL_OK) {
        rc = enroll_scep_check_digest(m, s);
    }

    if (rc == ENROLL_OK) {
        rc = enroll_scep_signature(m, &s->sig_alg, &s->attrs, &s->signature);
    }

    if (rc == ENROLL_OK) {
        rc = enroll_scep_check_type(m, s);
    }

    if (rc != ENROLL_OK) {
        return rc;
    }

    m->content = s->content.data;
    m->content_len = s->content.len;

    return ENROLL_OK;
}


/* RFC 5652, section 11.1 and 11.2 */

static enroll_outcome_e
enroll_scep_check_digest(const enroll_scep_t *m,
    const enroll_scep_signed_t *s)
{
    unsigned             n;
    unsigned char        digest[EVP_MAX_MD_SIZE];
    const enroll_tlv_t  *type, *value;

    type = &s->attr[ENROLL_SCEP_ATTR_CONTENT].value;
    value = &s->attr[ENROLL_SCEP_ATTR_DIGEST].value;

    if (s->attr[ENROLL_SCEP_ATTR_CONTENT].seen == ENROLL_SCEP_ABSENT
        || s->attr[ENROLL_SCEP_ATTR_DIGEST].seen == ENROLL_SCEP_ABSENT)
    {
        return ENROLL_SCEP_ATTRIBUTE;
    }

    if (!enroll_der_is(&s->content_type, ENROLL_OID_DATA)
        || s->content.tag != ENROLL_DER_OCTETS
        || s->content.len == 0)
    {
        return ENROLL_SCEP_ENVELOPE;
    }

    if (s->attr[ENROLL_SCEP_ATTR_CONTENT].seen != ENROLL_SCEP_ONCE
        || s->attr[ENROLL_SCEP_ATTR_DIGEST].seen != ENROLL_SCEP_ONCE
        || type->tag != ENROLL_DER_OID
        || !enroll_der_is(type, ENROLL_OID_DATA)
        || value->tag != ENROLL_DER_OCTETS)
    {
        return ENROLL_SCEP_SIGNATURE;
    }

    if (EVP_Digest(s->content.data, s->content.len, digest, &n,
                   m->mirror.digest, NULL)
        != 1)
    {
        return ENROLL_INTERNAL;
    }

    return (value->len == n && CRYPTO_memcmp(value->data, digest, n) == 0)
           ? ENROLL_OK : ENROLL_SCEP_SIGNATURE;
}


/*
 * An exact list: a type that nobody thought of must not get to issuance by
 * the way of one that somebody did
 */

static enroll_outcome_e
enroll_scep_check_type(enroll_scep_t *m, const enroll_scep_signed_t *s)
{
    size_t               i;
    const enroll_tlv_t  *value;

    static const struct {
        int              type;
        const char      *text;
    } types[] = {
        { ENROLL_SCEP_RENEWAL_REQ, "17" },
        { ENROLL_SCEP_PKCS_REQ, "19" },
        { ENROLL_SCEP_CERT_POLL, "20" },
        { ENROLL_SCEP_GET_CERT, "21" },
        { ENROLL_SCEP_GET_CRL, "22" }
    };

    value = &s->attr[ENROLL_SCEP_ATTR_TYPE].value;

    if (s->attr[ENROLL_SCEP_ATTR_TYPE].seen != ENROLL_SCEP_ONCE
        || (value->tag != ENROLL_DER_PRINTABLE
            && value->tag != ENROLL_DER_UTF8
            && value->tag != ENROLL_DER_IA5))
    {
        return ENROLL_SCEP_ATTRIBUTE;
    }

    for (i = 0; i < enroll_attr_count(types); i++) {
        if (enroll_der_is(value, types[i].text, 2)) {
            m->type = types[i].type;
            return ENROLL_OK;
        }
    }

    return ENROLL_SCEP_TYPE;
}


void
enroll_scep_free(enroll_scep_t *m)
{
    if (m == NULL) {
        return;
    }

    enroll_csr_free(m->csr);
    X509_NAME_free(m->issuer);
    X509_NAME_free(m->subject);
    ASN1_INTEGER_free(m->serial);
    X509_free(m->signer);
    EVP_PKEY_free(m->pkey);
    OPENSSL_free(m->outer);
    OPENSSL_free(m->der);
    OPENSSL_free(m);
}
