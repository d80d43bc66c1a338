
/*
 * Copyright (C) The nginx-enroll authors
 */


#include <string.h>
#include <arpa/inet.h>
#include <openssl/objects.h>

#include "enroll_san.h"
#include "enroll_text.h"


#define ENROLL_DNS_LEN     253      /* RFC 1035, section 2.3.4 */
#define ENROLL_LABEL_LEN   63
#define ENROLL_LOCAL_LEN   64       /* RFC 5321, section 4.5.3.1.1 */
#define ENROLL_URI_LEN     2048
#define ENROLL_UPN_LEN     256      /* characters */


static const char  enroll_san_sid[] = "tag:microsoft.com,2022-09-14:sid:";


static int enroll_san_alnum(unsigned char c);
static int enroll_san_same(const unsigned char *a, const unsigned char *b,
    size_t len);
static int enroll_san_prefix(const ASN1_STRING *string, const char *prefix);
static enroll_outcome_e enroll_san_check_dns(const ASN1_STRING *string,
    unsigned kinds);
static int enroll_san_host(const unsigned char *p, size_t len);
static int enroll_san_email(const unsigned char *p, size_t len);
static int enroll_san_uri(const unsigned char *p, size_t len);
static const ASN1_UTF8STRING *enroll_san_upn(const GENERAL_NAME *name);
static int enroll_san_equal(const GENERAL_NAME *a, const GENERAL_NAME *b);
static int enroll_san_equal_email(const ASN1_STRING *a, const ASN1_STRING *b);
static GENERAL_NAME *enroll_san_make_upn(const char *value, size_t len);
static GENERAL_NAME *enroll_san_make_ip(const char *value, size_t len);


static const struct {
    const char  *word;
    unsigned     kind;
} enroll_san_kinds[] = {
    { "dns",      ENROLL_SAN_DNS },
    { "wildcard", ENROLL_SAN_WILDCARD },
    { "ip",       ENROLL_SAN_IP },
    { "email",    ENROLL_SAN_EMAIL },
    { "uri",      ENROLL_SAN_URI },
    { "upn",      ENROLL_SAN_UPN },
    { "sid",      ENROLL_SAN_SID },
    { NULL,       0 }
};


unsigned
enroll_san_kind(const char *word, size_t len)
{
    size_t  i;

    for (i = 0; enroll_san_kinds[i].word; i++) {

        if (strlen(enroll_san_kinds[i].word) == len
            && memcmp(enroll_san_kinds[i].word, word, len) == 0)
        {
            return enroll_san_kinds[i].kind;
        }
    }

    return 0;
}


/* ASCII, whatever the locale */

static int
enroll_san_alnum(unsigned char c)
{
    return (c >= '0' && c <= '9')
           || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
}


/* ASCII letters without regard to case, everything else as it is */

static int
enroll_san_same(const unsigned char *a, const unsigned char *b, size_t len)
{
    size_t  i;

    for (i = 0; i < len; i++) {

        if (a[i] != b[i]
            && ((a[i] ^ b[i]) != 0x20
                || !enroll_san_alnum(a[i])
                || !enroll_san_alnum(b[i])))
        {
            return 0;
        }
    }

    return 1;
}


static int
enroll_san_prefix(const ASN1_STRING *string, const char *prefix)
{
    size_t  len;

    len = strlen(prefix);

    return (size_t) ASN1_STRING_length(string) >= len
           && enroll_san_same(ASN1_STRING_get0_data(string),
                              (const unsigned char *) prefix, len);
}


int
enroll_san_is_sid(const GENERAL_NAME *name)
{
    return name->type == GEN_URI
           && enroll_san_prefix(name->d.uniformResourceIdentifier,
                                enroll_san_sid);
}


enroll_outcome_e
enroll_san_check(const GENERAL_NAME *name, unsigned kinds)
{
    int                   ok;
    long                  chars;
    size_t                len;
    unsigned              kind;
    const ASN1_STRING    *string;
    const unsigned char  *p;

    string = NULL;

    switch (name->type) {

    case GEN_DNS:
        return enroll_san_check_dns(name->d.dNSName, kinds);

    case GEN_IPADD:
        kind = ENROLL_SAN_IP;
        string = name->d.iPAddress;
        break;

    case GEN_EMAIL:
        kind = ENROLL_SAN_EMAIL;
        string = name->d.rfc822Name;
        break;

    case GEN_URI:
        kind = enroll_san_is_sid(name) ? ENROLL_SAN_SID : ENROLL_SAN_URI;
        string = name->d.uniformResourceIdentifier;
        break;

    case GEN_OTHERNAME:
        if (OBJ_obj2nid(name->d.otherName->type_id) != NID_ms_upn) {
            return ENROLL_SAN_NOT_ALLOWED;
        }

        kind = ENROLL_SAN_UPN;
        string = enroll_san_upn(name);
        break;

    default:
        return ENROLL_SAN_NOT_ALLOWED;
    }

    if (!(kinds & kind)) {
        return ENROLL_SAN_NOT_ALLOWED;
    }

    if (string == NULL || ASN1_STRING_length(string) == 0) {
        return ENROLL_BAD_SAN;
    }

    p = ASN1_STRING_get0_data(string);
    len = (size_t) ASN1_STRING_length(string);

    switch (kind) {

    case ENROLL_SAN_IP:
        ok = (len == 4 || len == 16);
        break;

    case ENROLL_SAN_EMAIL:
        ok = enroll_san_email(p, len);
        break;

    case ENROLL_SAN_UPN:
        chars = enroll_text_length(p, len);
        ok = (chars > 0 && chars <= ENROLL_UPN_LEN);
        break;

    default: /* ENROLL_SAN_URI, ENROLL_SAN_SID */
        ok = enroll_san_uri(p, len);
        break;
    }

    return ok ? ENROLL_OK : ENROLL_BAD_SAN;
}


/* a wildcard is a whole left-most label (RFC 9525, section 6.3) */

static enroll_outcome_e
enroll_san_check_dns(const ASN1_STRING *string, unsigned kinds)
{
    size_t                len, skip;
    const unsigned char  *p;

    p = ASN1_STRING_get0_data(string);
    len = (size_t) ASN1_STRING_length(string);

    skip = (len > 2 && p[0] == '*' && p[1] == '.') ? 2 : 0;

    if (!(kinds & (skip != 0 ? ENROLL_SAN_WILDCARD : ENROLL_SAN_DNS))) {
        return ENROLL_SAN_NOT_ALLOWED;
    }

    if (len == 0
        || len > ENROLL_DNS_LEN
        || !enroll_san_host(p + skip, len - skip))
    {
        return ENROLL_BAD_SAN;
    }

    return ENROLL_OK;
}


/*
 * RFC 5280, section 4.2.1.6: the preferred name syntax of RFC 1034, section
 * 3.5, with digits first as RFC 1123, section 2.1 has it
 */

static int
enroll_san_host(const unsigned char *p, size_t len)
{
    size_t  i, start;

    if (len == 0 || len > ENROLL_DNS_LEN) {
        return 0;
    }

    start = 0;

    for (i = 0; i <= len; i++) {

        if (i < len && p[i] != '.') {
            if (!enroll_san_alnum(p[i]) && p[i] != '-') {
                return 0;
            }

            continue;
        }

        if (i == start
            || i - start > ENROLL_LABEL_LEN
            || p[start] == '-'
            || p[i - 1] == '-')
        {
            return 0;
        }

        start = i + 1;
    }

    return 1;
}


/* RFC 5280, section 4.2.1.6: a Mailbox of RFC 5321, here with a Dot-string */

static int
enroll_san_email(const unsigned char *p, size_t len)
{
    size_t                i;
    const unsigned char  *at;

    at = memchr(p, '@', len);

    if (at == NULL || at == p || at - p > ENROLL_LOCAL_LEN) {
        return 0;
    }

    for (i = 0; p + i < at; i++) {

        if (p[i] == '.') {
            if (i == 0 || p[i + 1] == '.' || p[i + 1] == '@') {
                return 0;
            }

            continue;
        }

        if (!enroll_san_alnum(p[i])
            && (p[i] == '\0' || strchr("!#$%&'*+-/=?^_`{|}~", p[i]) == NULL))
        {
            return 0;
        }
    }

    return enroll_san_host(at + 1, len - i - 1);
}


/*
 * RFC 5280, section 4.2.1.6: absolute (RFC 3986, section 3), with a scheme,
 * something after it and a host where it has an authority.  Schemes that
 * carry code for whoever shows the certificate are out.
 */

static int
enroll_san_uri(const unsigned char *p, size_t len)
{
    size_t                i, host;
    const unsigned char  *rest;

    if (len > ENROLL_URI_LEN) {
        return 0;
    }

    for (i = 0; i < len; i++) {
        if (p[i] <= ' ' || p[i] >= 0x7f || strchr("\"<>\\^`{|}", p[i])) {
            return 0;
        }
    }

    for (i = 0; i < len && p[i] != ':'; i++) {
        if (!enroll_san_alnum(p[i]) && strchr("+-.", p[i]) == NULL) {
            return 0;
        }
    }

    if (i == 0 || i + 1 >= len || (p[0] | 0x20) < 'a' || (p[0] | 0x20) > 'z') {
        return 0;
    }

    if ((i == 10 && enroll_san_same(p, (unsigned char *) "javascript", 10))
        || (i == 4 && enroll_san_same(p, (unsigned char *) "data", 4)))
    {
        return 0;
    }

    rest = p + i + 1;
    len -= i + 1;

    if (len < 2 || rest[0] != '/' || rest[1] != '/') {
        return 1;
    }

    host = 2;

    for (i = 2; i < len && strchr("/?#", rest[i]) == NULL; i++) {
        if (rest[i] == '@') {
            host = i + 1;
        }
    }

    return host < i && rest[host] != ':';
}


static const ASN1_UTF8STRING *
enroll_san_upn(const GENERAL_NAME *name)
{
    const ASN1_TYPE  *value;

    if (name->type != GEN_OTHERNAME
        || OBJ_obj2nid(name->d.otherName->type_id) != NID_ms_upn)
    {
        return NULL;
    }

    value = name->d.otherName->value;

    if (value == NULL || value->type != V_ASN1_UTF8STRING) {
        return NULL;
    }

    return value->value.utf8string;
}


GENERAL_NAME *
enroll_san_make(unsigned kind, const char *value, size_t len)
{
    int            type;
    GENERAL_NAME  *name;
    ASN1_STRING   *string;

    /* all are bounded far below; the length is an int to OpenSSL */

    if (len > 4 * ENROLL_URI_LEN) {
        return NULL;
    }

    switch (kind) {

    case ENROLL_SAN_DNS:
        type = GEN_DNS;
        break;

    case ENROLL_SAN_EMAIL:
        type = GEN_EMAIL;
        break;

    case ENROLL_SAN_URI:
        type = GEN_URI;
        break;

    case ENROLL_SAN_IP:
        return enroll_san_make_ip(value, len);

    case ENROLL_SAN_UPN:
        return enroll_san_make_upn(value, len);

    default:
        return NULL;
    }

    name = GENERAL_NAME_new();
    string = ASN1_IA5STRING_new();

    if (name == NULL
        || string == NULL
        || !ASN1_STRING_set(string, value, (int) len))
    {
        GENERAL_NAME_free(name);
        ASN1_IA5STRING_free(string);
        return NULL;
    }

    GENERAL_NAME_set0_value(name, type, string);

    return name;
}


static GENERAL_NAME *
enroll_san_make_upn(const char *value, size_t len)
{
    ASN1_TYPE        *type;
    ASN1_OBJECT      *object;
    GENERAL_NAME     *name;
    ASN1_UTF8STRING  *string;

    name = GENERAL_NAME_new();
    type = ASN1_TYPE_new();
    string = ASN1_UTF8STRING_new();
    object = OBJ_nid2obj(NID_ms_upn);

    if (name
        && type
        && string
        && ASN1_STRING_set(string, value, (int) len))
    {
        ASN1_TYPE_set(type, V_ASN1_UTF8STRING, string);

        if (GENERAL_NAME_set0_othername(name, object, type)) {
            return name;
        }

        string = NULL;
    }

    GENERAL_NAME_free(name);
    ASN1_TYPE_free(type);
    ASN1_UTF8STRING_free(string);

    return NULL;
}


static GENERAL_NAME *
enroll_san_make_ip(const char *value, size_t len)
{
    char                text[ENROLL_SAN_ADDRESS_TEXT];
    GENERAL_NAME       *name;
    ASN1_OCTET_STRING  *address;

    /* a2i_IPADDRESS() takes white space and signs too */

    if (len >= sizeof(text)) {
        return NULL;
    }

    memcpy(text, value, len);
    text[len] = '\0';

    if (strspn(text, "0123456789abcdefABCDEF.:") != len) {
        return NULL;
    }

    name = GENERAL_NAME_new();
    address = a2i_IPADDRESS(text);

    if (name == NULL || address == NULL) {
        GENERAL_NAME_free(name);
        ASN1_OCTET_STRING_free(address);
        return NULL;
    }

    GENERAL_NAME_set0_value(name, GEN_IPADD, address);

    return name;
}


static int
enroll_san_equal(const GENERAL_NAME *a, const GENERAL_NAME *b)
{
    const ASN1_STRING  *s, *t;

    if (a->type != b->type) {
        return 0;
    }

    switch (a->type) {

    case GEN_DNS:
        s = a->d.dNSName;
        t = b->d.dNSName;

        return ASN1_STRING_length(s) == ASN1_STRING_length(t)
               && enroll_san_same(ASN1_STRING_get0_data(s),
                                  ASN1_STRING_get0_data(t),
                                  (size_t) ASN1_STRING_length(s));

    case GEN_EMAIL:
        return enroll_san_equal_email(a->d.rfc822Name, b->d.rfc822Name);

    default:

        /* it takes no const in OpenSSL, but it changes nothing */

        return GENERAL_NAME_cmp((GENERAL_NAME *) a, (GENERAL_NAME *) b) == 0;
    }
}


/* the local part is the mail host's own affair (RFC 5280, section 7.5) */

static int
enroll_san_equal_email(const ASN1_STRING *a, const ASN1_STRING *b)
{
    size_t                len, local;
    const unsigned char  *p, *q, *at;

    p = ASN1_STRING_get0_data(a);
    q = ASN1_STRING_get0_data(b);
    len = (size_t) ASN1_STRING_length(a);

    if (len == 0 || len != (size_t) ASN1_STRING_length(b)) {
        return 0;
    }

    at = memchr(p, '@', len);
    local = at ? (size_t) (at - p) : len;

    return memcmp(p, q, local) == 0
           && enroll_san_same(p + local, q + local, len - local);
}


int
enroll_san_find(const GENERAL_NAMES *san, const GENERAL_NAME *name)
{
    int  i;

    for (i = 0; i < sk_GENERAL_NAME_num(san); i++) {
        if (enroll_san_equal(name, sk_GENERAL_NAME_value(san, i))) {
            return 1;
        }
    }

    return 0;
}


void
enroll_san_text(const GENERAL_NAME *name, enroll_san_text_t *text)
{
    int                 len;
    const ASN1_STRING  *string;

    text->data = NULL;
    text->len = 0;
    text->fold = (name->type == GEN_DNS);

    switch (name->type) {

    case GEN_DNS:
        string = name->d.dNSName;
        break;

    case GEN_EMAIL:
        string = name->d.rfc822Name;
        break;

    case GEN_URI:
        string = name->d.uniformResourceIdentifier;
        break;

    case GEN_OTHERNAME:
        string = enroll_san_upn(name);
        break;

    case GEN_IPADD:
        string = name->d.iPAddress;
        len = ASN1_STRING_length(string);

        if (len == 4 || len == 16) {
            text->data = inet_ntop(len == 4 ? AF_INET : AF_INET6,
                                   ASN1_STRING_get0_data(string), text->room,
                                   sizeof(text->room));
        }

        if (text->data) {
            text->len = strlen(text->data);
        }

        return;

    default:
        return;
    }

    if (string) {
        text->data = (const char *) ASN1_STRING_get0_data(string);
        text->len = (size_t) ASN1_STRING_length(string);
    }
}


int
enroll_san_text_is(const enroll_san_text_t *text, const char *data, size_t len)
{
    if (text->data == NULL || len == 0 || text->len != len) {
        return 0;
    }

    if (text->fold) {
        return enroll_san_same((const unsigned char *) text->data,
                               (const unsigned char *) data, len);
    }

    return memcmp(text->data, data, len) == 0;
}
