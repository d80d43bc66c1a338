
/*
 * Copyright (C) The nginx-enroll authors
 */


#include <stdlib.h>
#include <string.h>
#include <openssl/asn1.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/objects.h>
#include <openssl/x509.h>

#include "enroll_csrattrs.h"
#include "enroll_rsa.h"


#define ENROLL_WORD_LEN   128


struct enroll_csrattrs_s {
    ASN1_SEQUENCE_ANY  *elements;
};


static const char *enroll_csrattrs_word(const char *word,
    ASN1_TYPE **element);
static ASN1_TYPE *enroll_csrattrs_oid(const char *word);
static ASN1_TYPE *enroll_csrattrs_ec(int curve);
static ASN1_TYPE *enroll_csrattrs_rsa(long bits);
static ASN1_TYPE *enroll_csrattrs_attribute(X509_ATTRIBUTE *attribute);
static int enroll_csrattrs_has(const enroll_csrattrs_t *attrs,
    const ASN1_TYPE *element);


enroll_csrattrs_t *
enroll_csrattrs_new(void)
{
    enroll_csrattrs_t  *attrs;

    attrs = OPENSSL_zalloc(sizeof(enroll_csrattrs_t));
    if (attrs == NULL) {
        return NULL;
    }

    attrs->elements = sk_ASN1_TYPE_new_null();
    if (attrs->elements == NULL) {
        OPENSSL_free(attrs);
        return NULL;
    }

    return attrs;
}


void
enroll_csrattrs_free(enroll_csrattrs_t *attrs)
{
    if (attrs == NULL) {
        return;
    }

    sk_ASN1_TYPE_pop_free(attrs->elements, ASN1_TYPE_free);
    OPENSSL_free(attrs);
}


const char *
enroll_csrattrs_add(enroll_csrattrs_t *attrs, const char *word, size_t len)
{
    char         text[ENROLL_WORD_LEN];
    ASN1_TYPE   *element;
    const char  *error;

    if (len == 0 || len >= sizeof(text) || memchr(word, '\0', len)) {
        return "it is neither an attribute, nor an OID, nor a key type";
    }

    memcpy(text, word, len);
    text[len] = '\0';

    error = enroll_csrattrs_word(text, &element);
    if (error) {
        ERR_clear_error();
        return error;
    }

    if (enroll_csrattrs_has(attrs, element)) {
        ASN1_TYPE_free(element);
        return "it is repeated";
    }

    if (sk_ASN1_TYPE_push(attrs->elements, element) <= 0) {
        ASN1_TYPE_free(element);
        return "out of memory";
    }

    return NULL;
}


static const char *
enroll_csrattrs_word(const char *word, ASN1_TYPE **element)
{
    int     nid;
    char   *end;
    long    bits;

    if (strncmp(word, "ec:", 3) == 0) {

        nid = EC_curve_nist2nid(word + 3);

        if (nid != NID_X9_62_prime256v1
            && nid != NID_secp384r1
            && nid != NID_secp521r1)
        {
            return "the curve of \"ec:\" is P-256, P-384 or P-521";
        }

        *element = enroll_csrattrs_ec(nid);

    } else if (strncmp(word, "rsa:", 4) == 0) {

        bits = strtol(word + 4, &end, 10);

        if (word[4] < '0' || word[4] > '9' || *end != '\0'
            || bits < ENROLL_RSA_MIN_BITS || bits > ENROLL_RSA_MAX_BITS)
        {
            return "the size in \"rsa:\" is one number of bits, 1024 to "
                   "16384";
        }

        *element = enroll_csrattrs_rsa(bits);

    } else {

        *element = enroll_csrattrs_oid(word);
        if (*element == NULL) {
            return "it is neither an attribute, nor an OID, nor a key type";
        }
    }

    return *element ? NULL : "out of memory";
}


static ASN1_TYPE *
enroll_csrattrs_oid(const char *word)
{
    ASN1_TYPE    *element;
    ASN1_OBJECT  *object;

    object = enroll_key_oid(word);
    if (object == NULL) {
        object = OBJ_txt2obj(word, 0);
    }

    if (object == NULL || OBJ_length(object) == 0) {
        ASN1_OBJECT_free(object);
        return NULL;
    }

    element = ASN1_TYPE_new();
    if (element == NULL) {
        ASN1_OBJECT_free(object);
        return NULL;
    }

    ASN1_TYPE_set(element, V_ASN1_OBJECT, object);

    return element;
}


static ASN1_TYPE *
enroll_csrattrs_ec(int curve)
{
    return enroll_csrattrs_attribute(
               X509_ATTRIBUTE_create(NID_X9_62_id_ecPublicKey, V_ASN1_OBJECT,
                                     OBJ_nid2obj(curve)));
}


static ASN1_TYPE *
enroll_csrattrs_rsa(long bits)
{
    ASN1_INTEGER    *size;
    X509_ATTRIBUTE  *attribute;

    size = ASN1_INTEGER_new();
    if (size == NULL) {
        return NULL;
    }

    attribute = NULL;

    if (ASN1_INTEGER_set(size, bits)) {
        attribute = X509_ATTRIBUTE_create(NID_rsaEncryption, V_ASN1_INTEGER,
                                          size);
    }

    /* it owns the value from then on */

    if (attribute == NULL) {
        ASN1_INTEGER_free(size);
        return NULL;
    }

    return enroll_csrattrs_attribute(attribute);
}


/* frees the attribute, its DER is the element */

static ASN1_TYPE *
enroll_csrattrs_attribute(X509_ATTRIBUTE *attribute)
{
    int             n;
    ASN1_TYPE      *element;
    ASN1_STRING    *string;
    unsigned char  *der;

    if (attribute == NULL) {
        return NULL;
    }

    der = NULL;
    n = i2d_X509_ATTRIBUTE(attribute, &der);

    X509_ATTRIBUTE_free(attribute);

    if (n <= 0) {
        return NULL;
    }

    element = ASN1_TYPE_new();
    string = ASN1_STRING_type_new(V_ASN1_SEQUENCE);

    if (element == NULL || string == NULL) {
        ASN1_TYPE_free(element);
        ASN1_STRING_free(string);
        OPENSSL_free(der);
        return NULL;
    }

    ASN1_STRING_set0(string, der, n);
    ASN1_TYPE_set(element, V_ASN1_SEQUENCE, string);

    return element;
}


static int
enroll_csrattrs_has(const enroll_csrattrs_t *attrs, const ASN1_TYPE *element)
{
    int  i;

    for (i = 0; i < sk_ASN1_TYPE_num(attrs->elements); i++) {
        if (ASN1_TYPE_cmp(sk_ASN1_TYPE_value(attrs->elements, i), element)
            == 0)
        {
            return 1;
        }
    }

    return 0;
}


/*
 * RFC 9908, section 3.2 has one attribute for the key type.  Where the rules
 * leave a choice, several of them would read as a demand for all.
 */

int
enroll_csrattrs_add_rules(enroll_csrattrs_t *attrs,
    const enroll_key_rules_t *rules)
{
    char           word[ENROLL_KEY_TEXT];
    ASN1_TYPE     *element;
    enroll_key_t   key;

    if (rules->n != 1) {
        return 1;
    }

    switch (rules->rule[0].kind) {

    case ENROLL_KEY_RSA:
        element = enroll_csrattrs_rsa(rules->rule[0].min);
        break;

    case ENROLL_KEY_EC:
        element = enroll_csrattrs_ec(rules->rule[0].nid);
        break;

    default:
        key.kind = rules->rule[0].kind;

        (void) enroll_key_text(&key, word);
        element = enroll_csrattrs_oid(word);
    }

    if (element == NULL) {
        ERR_clear_error();
        return 0;
    }

    /* an operator may have named it, too */

    if (enroll_csrattrs_has(attrs, element)) {
        ASN1_TYPE_free(element);
        return 1;
    }

    if (sk_ASN1_TYPE_push(attrs->elements, element) <= 0) {
        ASN1_TYPE_free(element);
        return 0;
    }

    return 1;
}


size_t
enroll_csrattrs_der(const enroll_csrattrs_t *attrs, unsigned char **der)
{
    int  n;

    *der = NULL;

    if (sk_ASN1_TYPE_num(attrs->elements) == 0) {
        return 0;
    }

    n = i2d_ASN1_SEQUENCE_ANY(attrs->elements, der);

    if (n <= 0) {
        ERR_clear_error();
        return 0;
    }

    return (size_t) n;
}
