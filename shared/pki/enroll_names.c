
/*
 * Copyright (C) The nginx-enroll authors
 */


#include <string.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/objects.h>

#include "enroll_names.h"
#include "enroll_san.h"
#include "enroll_text.h"


#define ENROLL_VALUE_LEN   256      /* characters of one attribute's value */

/* string types of names (RFC 5280, appendix A.1, and what is in use) */

#define ENROLL_VALUE_TYPES                                                    \
    (B_ASN1_DIRECTORYSTRING|B_ASN1_IA5STRING|B_ASN1_NUMERICSTRING             \
     |B_ASN1_VISIBLESTRING)

/* those of them that are ASCII, which OpenSSL takes for Latin-1 */

#define ENROLL_VALUE_ASCII                                                    \
    (B_ASN1_PRINTABLESTRING|B_ASN1_IA5STRING|B_ASN1_NUMERICSTRING             \
     |B_ASN1_VISIBLESTRING)


/* the asker, made ready for comparison */

typedef struct {
    const enroll_asker_t   *asker;
    const X509_NAME        *subject;
    GENERAL_NAMES          *san;
} enroll_names_asker_t;


static unsigned char *enroll_names_value(const ASN1_STRING *value, size_t *len);
static int enroll_names_add(X509_NAME *name, const ASN1_OBJECT *type,
    const unsigned char *value, size_t len, int more);
static int enroll_names_san_csr(GENERAL_NAMES *san, const enroll_csr_t *csr,
    unsigned kinds, enroll_outcome_e *outcome);
static int enroll_names_san_values(GENERAL_NAMES *san, GENERAL_NAMES *own,
    unsigned kinds, const enroll_san_value_t *values, size_t n,
    enroll_outcome_e *outcome);
static int enroll_names_cert_san(const X509 *cert, GENERAL_NAMES **san);
static int enroll_names_describes(const ASN1_OBJECT *type);
static int enroll_names_attribute_permitted(const enroll_names_asker_t *has,
    const ASN1_OBJECT *type, const char *value, size_t len);
static int enroll_names_san_permitted(const enroll_names_asker_t *has,
    const GENERAL_NAME *name);
static int enroll_names_all_permitted(const enroll_names_t *names,
    const GENERAL_NAMES *san, const enroll_names_asker_t *has);


void
enroll_names_cleanup(enroll_names_t *names)
{
    X509_NAME_free(names->subject);
    X509_EXTENSION_free(names->san);

    names->subject = NULL;
    names->san = NULL;
}


enroll_outcome_e
enroll_names_subject_csr(enroll_names_t *names, const enroll_csr_t *csr)
{
    int                     i, n, rc, set, last;
    size_t                  len;
    X509_NAME              *name;
    unsigned char          *value;
    const X509_NAME_ENTRY  *entry;

    n = X509_NAME_entry_count(csr->subject);

    name = X509_NAME_new();
    if (name == NULL || n > ENROLL_CSR_RDNS) {
        goto failed;
    }

    last = -1;

    for (i = 0; i < n; i++) {
        entry = X509_NAME_get_entry(csr->subject, i);
        set = X509_NAME_ENTRY_set(entry);

        value = enroll_names_value(X509_NAME_ENTRY_get_data(entry), &len);
        if (value == NULL) {
            goto failed;
        }

        rc = enroll_names_add(name, X509_NAME_ENTRY_get_object(entry), value,
                              len, set == last);
        OPENSSL_free(value);

        if (!rc) {
            goto failed;
        }

        last = set;
    }

    X509_NAME_free(names->subject);
    names->subject = name;

    return ENROLL_OK;

failed:

    X509_NAME_free(name);
    ERR_clear_error();

    return ENROLL_BAD_SUBJECT;
}


/* the value in UTF-8, to be freed with OPENSSL_free(), or NULL */

static unsigned char *
enroll_names_value(const ASN1_STRING *value, size_t *len)
{
    int             n;
    unsigned char  *utf8;
    unsigned long   type;

    type = ASN1_tag2bit(ASN1_STRING_type(value));

    if (!(type & ENROLL_VALUE_TYPES)) {
        return NULL;
    }

    n = ASN1_STRING_to_UTF8(&utf8, value);
    if (n < 0) {
        return NULL;
    }

    /* an octet above 0x7f becomes two */

    if (type & ENROLL_VALUE_ASCII && n != ASN1_STRING_length(value)) {
        OPENSSL_free(utf8);
        return NULL;
    }

    *len = (size_t) n;

    return utf8;
}


/*
 * OpenSSL's table of strings has the upper bounds of RFC 5280, appendix A.1
 * and the string type of each attribute; MBSTRING_UTF8 applies it.
 */

static int
enroll_names_add(X509_NAME *name, const ASN1_OBJECT *type,
    const unsigned char *value, size_t len, int more)
{
    int   i;
    long  chars;

    if (len > 4 * ENROLL_VALUE_LEN) {
        return 0;
    }

    chars = enroll_text_length(value, len);

    if (chars < 1
        || chars > ENROLL_VALUE_LEN
        || X509_NAME_entry_count(name) >= ENROLL_CSR_RDNS)
    {
        return 0;
    }

    /* ISO 3166 codes: two letters, not any two characters */

    if (OBJ_obj2nid(type) == NID_countryName) {
        for (i = 0; i < (int) len; i++) {
            if ((value[i] | 0x20) < 'a' || (value[i] | 0x20) > 'z') {
                return 0;
            }
        }
    }

    return X509_NAME_add_entry_by_OBJ(name, type, MBSTRING_UTF8, value,
                                      (int) len, -1, more ? -1 : 0);
}


enroll_outcome_e
enroll_names_subject_add(enroll_names_t *names, const ASN1_OBJECT *type,
    const char *value, size_t len, int more)
{
    if (names->subject == NULL) {
        names->subject = X509_NAME_new();
        if (names->subject == NULL) {
            return ENROLL_BAD_SUBJECT;
        }
    }

    if (len == 0) {
        return ENROLL_OK;
    }

    if (!enroll_names_add(names->subject, type, (const unsigned char *) value,
                          len, more))
    {
        ERR_clear_error();
        return ENROLL_BAD_SUBJECT;
    }

    return ENROLL_OK;
}


enroll_outcome_e
enroll_names_san(enroll_names_t *names, const enroll_csr_t *csr,
    unsigned kinds, const enroll_san_value_t *values, size_t n)
{
    int                empty;
    GENERAL_NAMES     *san, *own;
    enroll_outcome_e   outcome;

    X509_EXTENSION_free(names->san);
    names->san = NULL;

    empty = (X509_NAME_entry_count(names->subject) == 0);

    /* san borrows its names from the request and from own */

    san = sk_GENERAL_NAME_new_null();
    own = sk_GENERAL_NAME_new_null();

    if (san == NULL || own == NULL) {
        outcome = ENROLL_INTERNAL;
        goto done;
    }

    if (!enroll_names_san_csr(san, csr, kinds, &outcome)
        || !enroll_names_san_values(san, own, kinds, values, n, &outcome))
    {
        goto done;
    }

    outcome = ENROLL_OK;

    if (sk_GENERAL_NAME_num(san) == 0) {
        if (empty) {
            outcome = ENROLL_NO_NAME;
        }

        goto done;
    }

    /* critical where it is all the name there is (RFC 5280, 4.1.2.6) */

    names->san = X509V3_EXT_i2d(NID_subject_alt_name, empty, san);

    if (names->san == NULL) {
        outcome = ENROLL_INTERNAL;
    }

done:

    sk_GENERAL_NAME_free(san);
    sk_GENERAL_NAME_pop_free(own, GENERAL_NAME_free);

    if (outcome != ENROLL_OK) {
        ERR_clear_error();
    }

    return outcome;
}


static int
enroll_names_san_csr(GENERAL_NAMES *san, const enroll_csr_t *csr,
    unsigned kinds, enroll_outcome_e *outcome)
{
    int            i, n;
    GENERAL_NAME  *name;

    if (csr->san == NULL) {
        return 1;
    }

    n = sk_GENERAL_NAME_num(csr->san);

    if (n < 1 || n > ENROLL_CSR_NAMES) {
        *outcome = ENROLL_BAD_SAN;
        return 0;
    }

    for (i = 0; i < n; i++) {
        name = sk_GENERAL_NAME_value(csr->san, i);

        /*
         * Windows adds it unasked, and Active Directory logs in whom it
         * names: nobody may have it by mere request, yet the request is fine.
         */

        if (enroll_san_is_sid(name) && !(kinds & ENROLL_SAN_SID)) {
            continue;
        }

        *outcome = enroll_san_check(name, kinds);
        if (*outcome != ENROLL_OK) {
            return 0;
        }

        if (sk_GENERAL_NAME_push(san, name) <= 0) {
            *outcome = ENROLL_INTERNAL;
            return 0;
        }
    }

    return 1;
}


/*
 * The template's kind is permitted by its being there, but its value may come
 * from the client: a wildcard or a SID in it needs to be named all the same.
 */

static int
enroll_names_san_values(GENERAL_NAMES *san, GENERAL_NAMES *own,
    unsigned kinds, const enroll_san_value_t *values, size_t n,
    enroll_outcome_e *outcome)
{
    size_t         i;
    GENERAL_NAME  *name;

    for (i = 0; i < n; i++) {

        if (values[i].len == 0) {
            continue;
        }

        if (sk_GENERAL_NAME_num(san) >= ENROLL_CSR_NAMES) {
            *outcome = ENROLL_BAD_SAN;
            return 0;
        }

        name = enroll_san_make(values[i].kind, values[i].value,
                               values[i].len);
        if (name == NULL) {
            *outcome = ENROLL_BAD_SAN;
            return 0;
        }

        if (sk_GENERAL_NAME_push(own, name) <= 0) {
            GENERAL_NAME_free(name);
            *outcome = ENROLL_INTERNAL;
            return 0;
        }

        *outcome = enroll_san_check(name, values[i].kind
                                          | (kinds & (ENROLL_SAN_WILDCARD
                                                      |ENROLL_SAN_SID)));
        if (*outcome != ENROLL_OK) {
            return 0;
        }

        if (enroll_san_find(san, name)) {
            continue;
        }

        if (sk_GENERAL_NAME_push(san, name) <= 0) {
            *outcome = ENROLL_INTERNAL;
            return 0;
        }
    }

    return 1;
}


enroll_outcome_e
enroll_names_renew(enroll_names_t *names, const X509 *cert)
{
    int              i;
    X509_NAME       *subject;
    X509_EXTENSION  *san;

    enroll_names_cleanup(names);

    subject = X509_get_subject_name(cert);
    i = X509_get_ext_by_NID(cert, NID_subject_alt_name, -1);

    if (i < 0 && X509_NAME_entry_count(subject) == 0) {
        return ENROLL_NO_NAME;
    }

    names->subject = X509_NAME_dup(subject);
    if (names->subject == NULL) {
        goto failed;
    }

    if (i < 0) {
        return ENROLL_OK;
    }

    san = X509_get_ext(cert, i);

    names->san = X509_EXTENSION_dup(san);
    if (names->san == NULL) {
        goto failed;
    }

    return ENROLL_OK;

failed:

    enroll_names_cleanup(names);
    ERR_clear_error();

    return ENROLL_INTERNAL;
}


/* 0 where there are several or they are malformed; *san NULL for none */

static int
enroll_names_cert_san(const X509 *cert, GENERAL_NAMES **san)
{
    int  critical;

    *san = X509_get_ext_d2i(cert, NID_subject_alt_name, &critical, NULL);

    if (*san == NULL && critical != -1) {
        ERR_clear_error();
        return 0;
    }

    return 1;
}


enroll_outcome_e
enroll_names_renewal_check(const enroll_csr_t *csr, const X509 *cert,
    int subset)
{
    int                i;
    GENERAL_NAME      *name;
    GENERAL_NAMES     *san;
    enroll_outcome_e   outcome;

    if (X509_NAME_cmp(csr->subject, X509_get_subject_name(cert)) != 0) {
        ERR_clear_error();
        return ENROLL_RENEWAL_SUBJECT;
    }

    /* a bound on the comparisons: no certificate of ours has more */

    if (sk_GENERAL_NAME_num(csr->san) > ENROLL_CSR_NAMES
        || !enroll_names_cert_san(cert, &san))
    {
        return ENROLL_RENEWAL_SAN;
    }

    outcome = ENROLL_RENEWAL_SAN;

    for (i = 0; i < sk_GENERAL_NAME_num(csr->san); i++) {
        name = sk_GENERAL_NAME_value(csr->san, i);

        /* it was dropped from the first request, too */

        if (!enroll_san_find(san, name) && !enroll_san_is_sid(name)) {
            goto done;
        }
    }

    for (i = 0; !subset && i < sk_GENERAL_NAME_num(san); i++) {
        if (!enroll_san_find(csr->san, sk_GENERAL_NAME_value(san, i))) {
            goto done;
        }
    }

    outcome = ENROLL_OK;

done:

    GENERAL_NAMES_free(san);

    return outcome;
}


enroll_outcome_e
enroll_names_permitted(const enroll_names_t *names,
    const enroll_asker_t *asker)
{
    int                    rc;
    GENERAL_NAMES         *san;
    enroll_names_asker_t   has;

    san = NULL;
    has.asker = asker;
    has.subject = NULL;
    has.san = NULL;

    if (asker->cert) {
        has.subject = X509_get_subject_name(asker->cert);

        if (!enroll_names_cert_san(asker->cert, &has.san)) {
            return ENROLL_NAME_NOT_PERMITTED;
        }
    }

    rc = 0;

    if (names->san) {
        san = X509V3_EXT_d2i(names->san);
    }

    if (names->san == NULL || san) {
        rc = enroll_names_all_permitted(names, san, &has);
    }

    GENERAL_NAMES_free(has.san);
    GENERAL_NAMES_free(san);

    if (!rc) {
        ERR_clear_error();
        return ENROLL_NAME_NOT_PERMITTED;
    }

    return ENROLL_OK;
}


static int
enroll_names_all_permitted(const enroll_names_t *names,
    const GENERAL_NAMES *san, const enroll_names_asker_t *has)
{
    int                     i, rc, count;
    size_t                  len;
    unsigned char          *value;
    const ASN1_OBJECT      *type;
    const X509_NAME_ENTRY  *entry;

    count = 0;

    for (i = 0; i < X509_NAME_entry_count(names->subject); i++) {
        entry = X509_NAME_get_entry(names->subject, i);
        type = X509_NAME_ENTRY_get_object(entry);

        if (enroll_names_describes(type)) {
            continue;
        }

        value = enroll_names_value(X509_NAME_ENTRY_get_data(entry), &len);
        if (value == NULL) {
            return 0;
        }

        rc = enroll_names_attribute_permitted(has, type, (char *) value, len);
        OPENSSL_free(value);

        if (!rc) {
            return 0;
        }

        count++;
    }

    for (i = 0; i < sk_GENERAL_NAME_num(san); i++) {

        if (!enroll_names_san_permitted(has, sk_GENERAL_NAME_value(san, i))) {
            return 0;
        }

        count++;
    }

    return count != 0;
}


/* a place or an organisation: no one is identified by it */

static int
enroll_names_describes(const ASN1_OBJECT *type)
{
    switch (OBJ_obj2nid(type)) {

    case NID_countryName:
    case NID_stateOrProvinceName:
    case NID_localityName:
    case NID_organizationName:
    case NID_organizationalUnitName:
    case NID_streetAddress:
    case NID_postalCode:
    case NID_businessCategory:
    case NID_title:
        return 1;

    default:
        return 0;
    }
}


static int
enroll_names_attribute_permitted(const enroll_names_asker_t *has,
    const ASN1_OBJECT *type, const char *value, size_t len)
{
    int                i, same;
    size_t             n;
    unsigned char     *text;
    enroll_san_text_t  san;
    X509_NAME_ENTRY   *entry;

    if (has->asker->user
        && has->asker->user_len == len
        && memcmp(has->asker->user, value, len) == 0)
    {
        return 1;
    }

    if (has->subject == NULL) {
        return 0;
    }

    i = -1;

    for ( ;; ) {
        i = X509_NAME_get_index_by_OBJ(has->subject, type, i);
        if (i < 0) {
            break;
        }

        entry = X509_NAME_get_entry(has->subject, i);

        text = enroll_names_value(X509_NAME_ENTRY_get_data(entry), &n);
        if (text == NULL) {
            continue;
        }

        same = (n == len && memcmp(text, value, len) == 0);
        OPENSSL_free(text);

        if (same) {
            return 1;
        }
    }

    if (OBJ_obj2nid(type) != NID_commonName) {
        return 0;
    }

    for (i = 0; i < sk_GENERAL_NAME_num(has->san); i++) {
        enroll_san_text(sk_GENERAL_NAME_value(has->san, i), &san);

        if (enroll_san_text_is(&san, value, len)) {
            return 1;
        }
    }

    return 0;
}


static int
enroll_names_san_permitted(const enroll_names_asker_t *has,
    const GENERAL_NAME *name)
{
    int                i, same;
    size_t             n;
    unsigned char     *cn;
    enroll_san_text_t  text;
    X509_NAME_ENTRY   *entry;

    enroll_san_text(name, &text);

    if (has->asker->user
        && enroll_san_text_is(&text, has->asker->user, has->asker->user_len))
    {
        return 1;
    }

    if (has->subject == NULL) {
        return 0;
    }

    if (enroll_san_find(has->san, name)) {
        return 1;
    }

    i = -1;

    for ( ;; ) {
        i = X509_NAME_get_index_by_NID(has->subject, NID_commonName, i);
        if (i < 0) {
            return 0;
        }

        entry = X509_NAME_get_entry(has->subject, i);

        cn = enroll_names_value(X509_NAME_ENTRY_get_data(entry), &n);
        if (cn == NULL) {
            continue;
        }

        same = enroll_san_text_is(&text, (char *) cn, n);
        OPENSSL_free(cn);

        if (same) {
            return 1;
        }
    }
}


int
enroll_names_digest(const enroll_names_t *names, unsigned char *digest)
{
    int             rc, subject, san;
    EVP_MD_CTX     *ctx;
    unsigned char  *subject_der, *san_der;

    rc = 0;
    san = 0;
    subject_der = NULL;
    san_der = NULL;

    ctx = EVP_MD_CTX_new();
    subject = i2d_X509_NAME(names->subject, &subject_der);

    if (names->san) {
        san = i2d_X509_EXTENSION(names->san, &san_der);
    }

    /* DER tells its own length: no separator is needed */

    if (ctx
        && subject > 0
        && san >= 0
        && EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) == 1
        && EVP_DigestUpdate(ctx, subject_der, (size_t) subject) == 1
        && EVP_DigestUpdate(ctx, san_der, (size_t) san) == 1
        && EVP_DigestFinal_ex(ctx, digest, NULL) == 1)
    {
        rc = 1;

    } else {
        ERR_clear_error();
    }

    EVP_MD_CTX_free(ctx);
    OPENSSL_free(subject_der);
    OPENSSL_free(san_der);

    return rc;
}
