
/*
 * Copyright (C) The nginx-enroll authors
 */


#include <string.h>
#include <arpa/inet.h>
#include <openssl/asn1.h>
#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/objects.h>

#include "enroll_text.h"


/* RFC 2253 without ESC_MSB, so that UTF-8 stays readable */

#define ENROLL_TEXT_FLAGS  (XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB)


typedef struct {
    size_t   len;
    char     data[ENROLL_TEXT_MAX + 1];
    unsigned full:1;
    unsigned hidden:1;           /* something cannot be shown */
} enroll_text_t;


static size_t enroll_text_char(const unsigned char *p, size_t len);
static void enroll_text_raw(enroll_text_t *text, const void *data, size_t len);
static void enroll_text_add(enroll_text_t *text, const unsigned char *p,
    size_t len, const char *escaped);
static void enroll_text_object(enroll_text_t *text, const char *kind,
    const ASN1_OBJECT *object);
static void enroll_text_general(enroll_text_t *text, const GENERAL_NAME *name);
static void enroll_text_address(enroll_text_t *text,
    const ASN1_OCTET_STRING *address);
static void enroll_text_init(enroll_text_t *text);
static char *enroll_text_done(enroll_text_t *text, int *whole);


/*
 * The octets of the character at p; 0 where it is a control character or no
 * UTF-8.  UTF8_getc() refuses overlong forms, but takes what lies beyond
 * Unicode.
 */

static size_t
enroll_text_char(const unsigned char *p, size_t len)
{
    int            n;
    unsigned long  c;

    n = UTF8_getc(p, len > 4 ? 4 : (int) len, &c);

    if (n <= 0
        || c < 0x20
        || (c >= 0x7f && c <= 0x9f)
        || (c >= 0xd800 && c <= 0xdfff)
        || c > 0x10ffff)
    {
        return 0;
    }

    return (size_t) n;
}


long
enroll_text_length(const unsigned char *text, size_t len)
{
    long    chars;
    size_t  n;

    for (chars = 0; len != 0; chars++) {

        n = enroll_text_char(text, len);
        if (n == 0) {
            return -1;
        }

        text += n;
        len -= n;
    }

    return chars;
}


/* all or nothing: text is never cut inside a character or an escape */

static void
enroll_text_raw(enroll_text_t *text, const void *data, size_t len)
{
    if (text->full || len > ENROLL_TEXT_MAX - text->len) {
        text->full = 1;
        return;
    }

    memcpy(text->data + text->len, data, len);
    text->len += len;
}


/* control characters, octets that are no UTF-8 and those named as "\0A" */

static void
enroll_text_add(enroll_text_t *text, const unsigned char *p, size_t len,
    const char *escaped)
{
    char    hex[3];
    size_t  n;

    while (len != 0 && !text->full) {

        n = enroll_text_char(p, len);

        if (n == 0 || (n == 1 && strchr(escaped, *p))) {
            hex[0] = '\\';
            enroll_text_hex(hex + 1, p, 1);
            enroll_text_raw(text, hex, 3);
            n = 1;

        } else {
            enroll_text_raw(text, p, n);
        }

        p += n;
        len -= n;
    }
}


static void
enroll_text_init(enroll_text_t *text)
{
    text->len = 0;
    text->full = 0;
    text->hidden = 0;
}


static char *
enroll_text_done(enroll_text_t *text, int *whole)
{
    char  *s;

    *whole = !text->full && !text->hidden;

    if (text->len == 0) {
        return NULL;
    }

    if (text->full) {

        /* lest it be taken for the whole: no name ends in these */

        if (text->len > ENROLL_TEXT_MAX - 4) {
            text->len = ENROLL_TEXT_MAX - 4;

            while (text->len && (text->data[text->len] & 0xc0) == 0x80) {
                text->len--;
            }
        }

        memcpy(text->data + text->len, " ...", 4);
        text->len += 4;
    }

    s = OPENSSL_strndup(text->data, text->len);

    if (s == NULL) {
        *whole = 0;
    }

    return s;
}


char *
enroll_text_name(const X509_NAME *name)
{
    int  whole;

    return enroll_text_name_whole(name, &whole);
}


char *
enroll_text_name_whole(const X509_NAME *name, int *whole)
{
    BIO            *bio;
    char           *data;
    long            len;
    enroll_text_t   text;

    *whole = (name == NULL);

    if (name == NULL) {
        return NULL;
    }

    bio = BIO_new(BIO_s_mem());
    if (bio == NULL) {
        return NULL;
    }

    enroll_text_init(&text);

    if (X509_NAME_print_ex(bio, name, 0, ENROLL_TEXT_FLAGS) >= 0) {
        len = BIO_get_mem_data(bio, &data);

        if (len > 0) {

            /* what is said to be UTF-8 was copied without a look at it */

            enroll_text_add(&text, (unsigned char *) data, (size_t) len, "");
        }

    } else {
        ERR_clear_error();
        text.hidden = 1;
    }

    BIO_free(bio);

    return enroll_text_done(&text, whole);
}


char *
enroll_text_cn(const X509_NAME *name)
{
    int             i, last, len, whole;
    unsigned char  *utf8;
    enroll_text_t   text;

    if (name == NULL) {
        return NULL;
    }

    last = -1;

    for ( ;; ) {
        i = X509_NAME_get_index_by_NID(name, NID_commonName, last);
        if (i < 0) {
            break;
        }

        last = i;
    }

    if (last < 0) {
        return NULL;
    }

    len = ASN1_STRING_to_UTF8(&utf8,
              X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, last)));
    if (len < 0) {
        ERR_clear_error();
        return NULL;
    }

    enroll_text_init(&text);
    enroll_text_add(&text, utf8, (size_t) len, "");

    OPENSSL_free(utf8);

    return enroll_text_done(&text, &whole);
}


char *
enroll_text_san(const GENERAL_NAMES *san)
{
    int  whole;

    return enroll_text_san_whole(san, &whole);
}


char *
enroll_text_san_whole(const GENERAL_NAMES *san, int *whole)
{
    int            i;
    size_t         len;
    enroll_text_t  text;

    enroll_text_init(&text);

    for (i = 0; i < sk_GENERAL_NAME_num(san); i++) {

        len = text.len;

        if (i != 0) {
            enroll_text_raw(&text, ", ", 2);
        }

        enroll_text_general(&text, sk_GENERAL_NAME_value(san, i));

        if (text.full) {

            /* half a name is another name */

            text.len = len;
            break;
        }
    }

    return enroll_text_done(&text, whole);
}


static void
enroll_text_general(enroll_text_t *text, const GENERAL_NAME *name)
{
    int                 whole;
    char               *dn;
    const char         *kind;
    const ASN1_TYPE    *value;
    const ASN1_STRING  *string;

    string = NULL;

    switch (name->type) {

    case GEN_DNS:
        kind = "dns:";
        string = name->d.dNSName;
        break;

    case GEN_EMAIL:
        kind = "email:";
        string = name->d.rfc822Name;
        break;

    case GEN_URI:
        kind = "uri:";
        string = name->d.uniformResourceIdentifier;
        break;

    case GEN_IPADD:
        enroll_text_address(text, name->d.iPAddress);
        return;

    case GEN_OTHERNAME:
        value = name->d.otherName->value;

        if (OBJ_obj2nid(name->d.otherName->type_id) != NID_ms_upn
            || value == NULL
            || value->type != V_ASN1_UTF8STRING)
        {
            enroll_text_object(text, "other:", name->d.otherName->type_id);
            text->hidden = 1;
            return;
        }

        kind = "upn:";
        string = value->value.utf8string;
        break;

    case GEN_RID:
        enroll_text_object(text, "rid:", name->d.registeredID);
        return;

    case GEN_DIRNAME:
        enroll_text_raw(text, "dirname:", 8);

        dn = enroll_text_name_whole(name->d.directoryName, &whole);

        if (!whole) {
            text->hidden = 1;
        }

        if (dn) {
            enroll_text_add(text, (unsigned char *) dn, strlen(dn), ",");
            OPENSSL_free(dn);
        }

        return;

    default:
        kind = name->type == GEN_X400 ? "x400:" : "ediparty:";
        text->hidden = 1;
        break;
    }

    enroll_text_raw(text, kind, strlen(kind));

    if (string) {

        /* a comma escaped: one value must not read as two names */

        enroll_text_add(text, ASN1_STRING_get0_data(string),
                        (size_t) ASN1_STRING_length(string), ",");
    }
}


static void
enroll_text_address(enroll_text_t *text, const ASN1_OCTET_STRING *address)
{
    int                   len;
    char                  out[INET6_ADDRSTRLEN];
    const unsigned char  *p;

    p = ASN1_STRING_get0_data(address);
    len = ASN1_STRING_length(address);

    enroll_text_raw(text, "ip:", 3);

    if ((len == 4 || len == 16)
        && inet_ntop(len == 4 ? AF_INET : AF_INET6, p, out, sizeof(out))
           != NULL)
    {
        enroll_text_raw(text, out, strlen(out));

    } else {
        text->hidden = 1;
    }
}


static void
enroll_text_object(enroll_text_t *text, const char *kind,
    const ASN1_OBJECT *object)
{
    int   len;
    char  oid[128];

    enroll_text_raw(text, kind, strlen(kind));

    len = OBJ_obj2txt(oid, sizeof(oid), object, 1);

    if (len > 0 && len < (int) sizeof(oid)) {
        enroll_text_raw(text, oid, (size_t) len);

    } else {
        text->hidden = 1;
    }
}


size_t
enroll_text_serial(const ASN1_INTEGER *serial, char *text)
{
    int                   len;
    const unsigned char  *p;

    text[0] = '\0';

    if (serial == NULL || ASN1_STRING_type(serial) != V_ASN1_INTEGER) {
        return 0;
    }

    p = ASN1_STRING_get0_data(serial);
    len = ASN1_STRING_length(serial);

    if (len < 1 || len > (ENROLL_SERIAL_TEXT - 1) / 2) {
        return 0;
    }

    enroll_text_hex(text, p, (size_t) len);

    text[len * 2] = '\0';

    return (size_t) len * 2;
}


void
enroll_text_hex(char *text, const unsigned char *data, size_t len)
{
    size_t  i;

    static const char  digits[] = "0123456789ABCDEF";

    for (i = 0; i < len; i++) {
        text[i * 2] = digits[data[i] >> 4];
        text[i * 2 + 1] = digits[data[i] & 0xf];
    }
}
