
/*
 * Copyright (C) The nginx-enroll authors
 */


#include <string.h>
#include <openssl/asn1.h>
#include <openssl/asn1t.h>
#include <openssl/crypto.h>
#include <openssl/objects.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "enroll_csr_attr.h"
#include "enroll_der.h"


#define ENROLL_KEY_USAGE_BITS   8
#define ENROLL_EXT_KEY_USAGES   32
#define ENROLL_PATHLEN          255

#define enroll_attr_count(a)  (sizeof(a) / sizeof((a)[0]))


/* X509_EXTENSION, but that critical is seen as it is encoded */

typedef struct {
    ASN1_OBJECT        *type;
    ASN1_BOOLEAN        critical;
    ASN1_OCTET_STRING  *value;
} enroll_ext_t;

DEFINE_STACK_OF(enroll_ext_t)

typedef STACK_OF(enroll_ext_t)  enroll_exts_t;


/* both OIDs of extensionRequest are one kind, so that only one may come */

typedef enum {
    ENROLL_ATTR_CHALLENGE = 0,
    ENROLL_ATTR_LINKING,
    ENROLL_ATTR_EXTENSIONS,
    ENROLL_ATTR_NAME_CHANGE,
    ENROLL_ATTR_UNSUPPORTED,
    ENROLL_ATTR_UNKNOWN
} enroll_attr_kind_e;


static enroll_attr_kind_e enroll_csr_attr_kind(const ASN1_OBJECT *type);
static enroll_outcome_e enroll_csr_challenge(enroll_challenge_t *challenge,
    ASN1_TYPE *value);
static enroll_outcome_e enroll_csr_extensions(enroll_csr_t *csr,
    const ASN1_TYPE *value);
static enroll_outcome_e enroll_csr_extensions_check(enroll_csr_t *csr,
    const enroll_exts_t *exts);
static enroll_outcome_e enroll_csr_extension(enroll_csr_t *csr,
    const enroll_ext_t *ext);
static enroll_outcome_e enroll_csr_san(enroll_csr_t *csr,
    const unsigned char *data, size_t len);
static int enroll_csr_key_usage(const unsigned char *data, size_t len);
static int enroll_csr_ext_key_usage(const unsigned char *data, size_t len);
static int enroll_csr_basic(const unsigned char *data, size_t len);
static int enroll_csr_element(const unsigned char *data, size_t len);
static int enroll_csr_list(const unsigned char *data, size_t len, int max);
static void *enroll_csr_strict(const ASN1_ITEM *it, const unsigned char *data,
    size_t len);


/* the templates of OpenSSL's macros, which look like no other code */

ASN1_SEQUENCE(enroll_ext_t) = {
    ASN1_SIMPLE(enroll_ext_t, type, ASN1_OBJECT),
    ASN1_OPT(enroll_ext_t, critical, ASN1_FBOOLEAN),
    ASN1_SIMPLE(enroll_ext_t, value, ASN1_OCTET_STRING)
} static_ASN1_SEQUENCE_END(enroll_ext_t)

ASN1_ITEM_TEMPLATE(enroll_exts_t) =
    ASN1_EX_TEMPLATE_TYPE(ASN1_TFLG_SEQUENCE_OF, 0, enroll_exts_t,
                          enroll_ext_t)
static_ASN1_ITEM_TEMPLATE_END(enroll_exts_t)


static const struct {
    enroll_attr_kind_e   kind;
    int                  len;
    const char          *oid;
} enroll_csr_attrs[] = {

    /* challengePassword, 1.2.840.113549.1.9.7 (RFC 2985, 5.4.1) */

    { ENROLL_ATTR_CHALLENGE, 9, "\x2a\x86\x48\x86\xf7\x0d\x01\x09\x07" },

    /* extensionRequest, 1.2.840.113549.1.9.14 (RFC 2985, 5.4.2) */

    { ENROLL_ATTR_EXTENSIONS, 9, "\x2a\x86\x48\x86\xf7\x0d\x01\x09\x0e" },

    /* Microsoft's, 1.3.6.1.4.1.311.2.1.14 */

    { ENROLL_ATTR_EXTENSIONS, 10,
      "\x2b\x06\x01\x04\x01\x82\x37\x02\x01\x0e" },

    /* otpChallenge, 1.2.840.113549.1.9.16.2.56 (RFC 7894) */

    { ENROLL_ATTR_UNSUPPORTED, 11,
      "\x2a\x86\x48\x86\xf7\x0d\x01\x09\x10\x02\x38" },

    /* revocationChallenge, 1.2.840.113549.1.9.16.2.57 (RFC 7894) */

    { ENROLL_ATTR_UNSUPPORTED, 11,
      "\x2a\x86\x48\x86\xf7\x0d\x01\x09\x10\x02\x39" },

    /* estIdentityLinking, 1.2.840.113549.1.9.16.2.58 (RFC 7894) */

    { ENROLL_ATTR_LINKING, 11,
      "\x2a\x86\x48\x86\xf7\x0d\x01\x09\x10\x02\x3a" },

    /* changeSubjectName, 1.3.6.1.5.5.7.7.36 (RFC 6402, 2.8) */

    { ENROLL_ATTR_NAME_CHANGE, 8, "\x2b\x06\x01\x05\x05\x07\x07\x24" }
};


enroll_outcome_e
enroll_csr_attributes(enroll_csr_t *csr, const STACK_OF(X509_ATTRIBUTE) *attrs)
{
    int                  i, n;
    unsigned             seen;
    ASN1_TYPE           *value;
    ASN1_OBJECT         *type;
    X509_ATTRIBUTE      *attr;
    enroll_outcome_e     rc;
    enroll_attr_kind_e   kind;

    n = sk_X509_ATTRIBUTE_num(attrs);

    if (n > ENROLL_CSR_ATTRIBUTES) {
        return ENROLL_BAD_ATTRIBUTE;
    }

    seen = 0;

    for (i = 0; i < n; i++) {
        attr = sk_X509_ATTRIBUTE_value(attrs, i);
        type = X509_ATTRIBUTE_get0_object(attr);

        if (OBJ_length(type) > ENROLL_OID_LEN
            || X509_ATTRIBUTE_count(attr) < 1)
        {
            return ENROLL_BAD_ATTRIBUTE;
        }

        kind = enroll_csr_attr_kind(type);

        /* Windows sends some of its own several times */

        if (kind == ENROLL_ATTR_UNKNOWN) {
            continue;
        }

        if (kind == ENROLL_ATTR_NAME_CHANGE) {
            return ENROLL_NAME_CHANGE;
        }

        if (kind == ENROLL_ATTR_UNSUPPORTED
            || (seen & 1u << kind)
            || X509_ATTRIBUTE_count(attr) != 1)
        {
            return ENROLL_BAD_ATTRIBUTE;
        }

        seen |= 1u << kind;
        value = X509_ATTRIBUTE_get0_type(attr, 0);

        switch (kind) {

        case ENROLL_ATTR_CHALLENGE:
            rc = enroll_csr_challenge(&csr->challenge, value);
            break;

        case ENROLL_ATTR_LINKING:
            rc = enroll_csr_challenge(&csr->linking, value);
            break;

        default: /* ENROLL_ATTR_EXTENSIONS */
            rc = enroll_csr_extensions(csr, value);
        }

        if (rc != ENROLL_OK) {
            return rc;
        }
    }

    return ENROLL_OK;
}


static enroll_attr_kind_e
enroll_csr_attr_kind(const ASN1_OBJECT *type)
{
    size_t                i, len;
    const unsigned char  *oid;

    oid = OBJ_get0_data(type);
    len = OBJ_length(type);

    for (i = 0; i < enroll_attr_count(enroll_csr_attrs); i++) {
        if ((size_t) enroll_csr_attrs[i].len == len
            && memcmp(enroll_csr_attrs[i].oid, oid, len) == 0)
        {
            return enroll_csr_attrs[i].kind;
        }
    }

    return ENROLL_ATTR_UNKNOWN;
}


static enroll_outcome_e
enroll_csr_challenge(enroll_challenge_t *challenge, ASN1_TYPE *value)
{
    int              i, len;
    ASN1_STRING     *string;
    unsigned char   *text;

    string = value->value.asn1_string;

    switch (value->type) {

    case V_ASN1_PRINTABLESTRING:
    case V_ASN1_IA5STRING:

        /*
         * Clients put what they like into a PrintableString; octets beyond
         * ASCII would become Latin-1, which nobody means.
         */

        for (i = 0; i < string->length; i++) {
            if (string->data[i] & 0x80) {
                return ENROLL_BAD_ATTRIBUTE;
            }
        }

        break;

    case V_ASN1_UTF8STRING:
    case V_ASN1_TELETEXSTRING:
    case V_ASN1_BMPSTRING:
    case V_ASN1_UNIVERSALSTRING:
        break;

    default:
        return ENROLL_BAD_ATTRIBUTE;
    }

    /* what is one octet of UTF-8 is four in a UniversalString */

    if (string->length > 4 * ENROLL_CHALLENGE_LEN) {
        return ENROLL_BAD_ATTRIBUTE;
    }

    text = NULL;

    len = ASN1_STRING_to_UTF8(&text, string);
    if (len < 0) {
        return ENROLL_BAD_ATTRIBUTE;
    }

    OPENSSL_cleanse(string->data, (size_t) string->length);

    /* an empty one is there, too: the protocol says what to make of it */

    if (len > ENROLL_CHALLENGE_LEN
        || memchr(text, '\0', (size_t) len))
    {
        OPENSSL_clear_free(text, (size_t) len);
        return ENROLL_BAD_ATTRIBUTE;
    }

    challenge->data = (char *) text;
    challenge->len = (size_t) len;
    challenge->type = value->type;

    return ENROLL_OK;
}


static enroll_outcome_e
enroll_csr_extensions(enroll_csr_t *csr, const ASN1_TYPE *value)
{
    size_t                len;
    enroll_exts_t        *exts;
    enroll_outcome_e      rc;
    const unsigned char  *data;

    if (value->type != V_ASN1_SEQUENCE) {
        return ENROLL_BAD_EXTENSION;
    }

    data = value->value.sequence->data;
    len = (size_t) value->value.sequence->length;

    if (!enroll_csr_list(data, len, ENROLL_CSR_EXTENSIONS)) {
        return ENROLL_BAD_EXTENSION;
    }

    exts = enroll_csr_strict(ASN1_ITEM_rptr(enroll_exts_t), data, len);
    if (exts == NULL) {
        return ENROLL_BAD_EXTENSION;
    }

    rc = enroll_csr_extensions_check(csr, exts);

    ASN1_item_free((ASN1_VALUE *) exts, ASN1_ITEM_rptr(enroll_exts_t));

    return rc;
}


static enroll_outcome_e
enroll_csr_extensions_check(enroll_csr_t *csr, const enroll_exts_t *exts)
{
    int                  i, j, n;
    enroll_outcome_e     rc;
    const enroll_ext_t  *ext;

    n = sk_enroll_ext_t_num(exts);

    for (i = 0; i < n; i++) {
        ext = sk_enroll_ext_t_value(exts, i);

        /* the one true octet of DER (X.690, section 11.1) */

        if (OBJ_length(ext->type) > ENROLL_OID_LEN
            || (ext->critical && ext->critical != 0xff))
        {
            return ENROLL_BAD_EXTENSION;
        }

        for (j = 0; j < i; j++) {
            if (OBJ_cmp(sk_enroll_ext_t_value(exts, j)->type, ext->type)
                == 0)
            {
                return ENROLL_BAD_EXTENSION;
            }
        }

        rc = enroll_csr_extension(csr, ext);
        if (rc != ENROLL_OK) {
            return rc;
        }
    }

    return ENROLL_OK;
}


/*
 * Only the SAN is ever used.  The rest is what a client would like, which
 * the profile decides on; it must make sense all the same.
 */

static enroll_outcome_e
enroll_csr_extension(enroll_csr_t *csr, const enroll_ext_t *ext)
{
    int                   ok;
    size_t                len;
    const unsigned char  *data;

    data = ext->value->data;
    len = (size_t) ext->value->length;

    switch (OBJ_obj2nid(ext->type)) {

    case NID_subject_alt_name:
        return enroll_csr_san(csr, data, len);

    case NID_key_usage:
        ok = enroll_csr_key_usage(data, len);
        break;

    case NID_ext_key_usage:
        ok = enroll_csr_ext_key_usage(data, len);
        break;

    case NID_basic_constraints:
        ok = enroll_csr_basic(data, len);
        break;

    default:
        ok = enroll_csr_element(data, len);
    }

    return ok ? ENROLL_OK : ENROLL_BAD_EXTENSION;
}


static enroll_outcome_e
enroll_csr_san(enroll_csr_t *csr, const unsigned char *data, size_t len)
{
    /* RFC 5280, section 4.2.1.6: SIZE (1..MAX) */

    if (!enroll_csr_list(data, len, ENROLL_CSR_NAMES)) {
        return ENROLL_BAD_SAN;
    }

    csr->san = enroll_csr_strict(ASN1_ITEM_rptr(GENERAL_NAMES), data, len);

    return csr->san ? ENROLL_OK : ENROLL_BAD_SAN;
}


/* RFC 5280, section 4.2.1.3: at least one bit is set */

static int
enroll_csr_key_usage(const unsigned char *data, size_t len)
{
    int               ok;
    ASN1_BIT_STRING  *usage;

    usage = enroll_csr_strict(ASN1_ITEM_rptr(ASN1_BIT_STRING), data, len);
    if (usage == NULL) {
        return 0;
    }

    ok = usage->length * 8 <= ENROLL_KEY_USAGE_BITS
         && usage->length > 0
         && usage->data[0] != 0;

    ASN1_BIT_STRING_free(usage);

    return ok;
}


/* section 4.2.1.12: SIZE (1..MAX) */

static int
enroll_csr_ext_key_usage(const unsigned char *data, size_t len)
{
    int                  i, ok;
    EXTENDED_KEY_USAGE  *usage;

    if (!enroll_csr_list(data, len, ENROLL_EXT_KEY_USAGES)) {
        return 0;
    }

    usage = enroll_csr_strict(ASN1_ITEM_rptr(EXTENDED_KEY_USAGE), data, len);
    if (usage == NULL) {
        return 0;
    }

    ok = 1;

    for (i = 0; ok && i < sk_ASN1_OBJECT_num(usage); i++) {
        ok = OBJ_length(sk_ASN1_OBJECT_value(usage, i)) <= ENROLL_OID_LEN;
    }

    EXTENDED_KEY_USAGE_free(usage);

    return ok;
}


/* section 4.2.1.9 */

static int
enroll_csr_basic(const unsigned char *data, size_t len)
{
    int                 ok;
    int64_t             pathlen;
    BASIC_CONSTRAINTS  *basic;

    basic = enroll_csr_strict(ASN1_ITEM_rptr(BASIC_CONSTRAINTS), data, len);
    if (basic == NULL) {
        return 0;
    }

    ok = basic->ca == 0 || basic->ca == 0xff;

    if (ok && basic->pathlen) {
        ok = ASN1_INTEGER_get_int64(&pathlen, basic->pathlen) == 1
             && pathlen >= 0
             && pathlen <= ENROLL_PATHLEN;
    }

    BASIC_CONSTRAINTS_free(basic);

    return ok;
}


static int
enroll_csr_element(const unsigned char *data, size_t len)
{
    size_t                n;
    const unsigned char  *p, *end;

    end = data + len;

    return enroll_der_next(&data, end, &p, &n) != 0 && data == end;
}


/*
 * A SEQUENCE of 1 to max elements, counted before memory is spent on each
 */

static int
enroll_csr_list(const unsigned char *data, size_t len, int max)
{
    int                   i;
    size_t                n;
    const unsigned char  *p, *q, *end;

    end = data + len;

    if (enroll_der_next(&data, end, &p, &n) != ENROLL_DER_SEQUENCE
        || data != end)
    {
        return 0;
    }

    for (i = 0; p < end; i++) {
        if (i == max || enroll_der_next(&p, end, &q, &n) == 0) {
            return 0;
        }
    }

    return i > 0;
}


/*
 * Decodes what is encoded as OpenSSL would encode it, to the last octet.
 * That takes care of all that its decoder lets pass: BER, an encoded
 * DEFAULT, bits set in the unused ones, anything behind the end.
 */

static void *
enroll_csr_strict(const ASN1_ITEM *it, const unsigned char *data, size_t len)
{
    int                   n, same;
    ASN1_VALUE           *value;
    unsigned char        *der;
    const unsigned char  *p;

    p = data;

    value = ASN1_item_d2i(NULL, &p, (long) len, it);
    if (value == NULL) {
        return NULL;
    }

    der = NULL;
    n = ASN1_item_i2d(value, &der, it);

    same = n > 0 && (size_t) n == len && memcmp(der, data, len) == 0;

    OPENSSL_free(der);

    if (!same) {
        ASN1_item_free(value, it);
        return NULL;
    }

    return value;
}
