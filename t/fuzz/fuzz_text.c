
/*
 * Copyright (C) The nginx-enroll authors
 */


/*
 * Text: of templates, which clients fill in, and words of the configuration.
 * The first octet says what the rest is: 'n', the value of a subject's
 * attribute; 's', that of a subjectAltName, whose kind the next octet says;
 * 'k', keys; 'a', csrattrs; 'u', keyUsage and extKeyUsage; 'j', what is
 * written as JSON.
 */


#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <openssl/err.h>

#include "enroll_csrattrs.h"
#include "enroll_json.h"
#include "enroll_json_write.h"
#include "enroll_names.h"
#include "enroll_profile.h"
#include "enroll_san.h"
#include "enroll_text.h"


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


static void
fuzz_attribute(const char *text, size_t len)
{
    char              *name;
    size_t             i;
    enroll_names_t     names;

    static const int   types[] = {
        NID_commonName, NID_countryName, NID_serialNumber,
        NID_pkcs9_emailAddress, NID_domainComponent
    };

    memset(&names, 0, sizeof(enroll_names_t));

    for (i = 0; i < sizeof(types) / sizeof(types[0]); i++) {

        if (enroll_names_subject_add(&names, OBJ_nid2obj(types[i]), text, len,
                                     0)
            == ENROLL_OK
            && len
            && enroll_text_length((const unsigned char *) text, len) < 0)
        {
            abort();
        }
    }

    if (names.subject) {
        name = enroll_text_name(names.subject);

        if (name && strlen(name) > ENROLL_TEXT_MAX) {
            abort();
        }

        OPENSSL_free(name);
    }

    enroll_names_cleanup(&names);
}


/* what is made of text is well-formed or refused, and says the same text */

static void
fuzz_san(unsigned kind, const char *text, size_t len)
{
    GENERAL_NAME       *name;
    enroll_san_text_t   again;

    name = enroll_san_make(kind, text, len);

    if (name == NULL) {
        return;
    }

    if (enroll_san_check(name, kind) == ENROLL_OK) {
        enroll_san_text(name, &again);

        if (again.data == NULL
            || (kind != ENROLL_SAN_IP
                && !enroll_san_text_is(&again, text, len)))
        {
            abort();
        }
    }

    (void) enroll_san_is_sid(name);

    GENERAL_NAME_free(name);
}


static void
fuzz_words(const char *text, size_t len)
{
    char               *copy, *p;
    size_t              n, bad;
    const char         *words[16];
    enroll_profile_t    profile;

    copy = malloc(len + 1);
    if (copy == NULL) {
        return;
    }

    memcpy(copy, text, len);
    copy[len] = '\0';

    n = 0;

    for (p = strtok(copy, " "); p && n < 16; p = strtok(NULL, " ")) {
        words[n++] = p;
    }

    memset(&profile, 0, sizeof(enroll_profile_t));

    if ((enroll_profile_key_usage(&profile, words, n, &bad) && bad > n)
        || (enroll_profile_ext_key_usage(&profile, words, n, &bad)
            && bad > n))
    {
        abort();
    }

    enroll_profile_cleanup(&profile);
    free(copy);
}


static void
fuzz_csrattrs(const char *text, size_t len)
{
    size_t                n;
    unsigned char        *der;
    const char           *end, *p;
    enroll_csrattrs_t    *attrs;
    const unsigned char  *q;
    ASN1_SEQUENCE_ANY    *seq;

    attrs = enroll_csrattrs_new();
    if (attrs == NULL) {
        return;
    }

    for (p = text, end = text + len; p < end; p += n + 1) {
        for (n = 0; n < (size_t) (end - p) && p[n] != ' '; n++) {
            /* void */
        }

        (void) enroll_csrattrs_add(attrs, p, n);
    }

    n = enroll_csrattrs_der(attrs, &der);

    if (n) {
        q = der;
        seq = d2i_ASN1_SEQUENCE_ANY(NULL, &q, (long) n);

        if (seq == NULL || q != der + n) {
            abort();
        }

        sk_ASN1_TYPE_pop_free(seq, ASN1_TYPE_free);
        OPENSSL_free(der);
    }

    enroll_csrattrs_free(attrs);
}


/* what is written can be read, unless it has control characters */

static void
fuzz_json(const uint8_t *text, size_t len)
{
    const char             *bad;
    enroll_json_text_t      json;
    enroll_json_member_t    members[] = {
        { "s", ENROLL_JSON_STRING, SIZE_MAX, NULL, 0, 0, 0 },
        { NULL, 0, 0, NULL, 0, 0, 0 }
    };

    memset(&json, 0, sizeof(enroll_json_text_t));

    enroll_json_object(&json, NULL);
    enroll_json_string(&json, "s", text, len);
    enroll_json_object_end(&json);

    if (!json.failed
        && enroll_json_parse(json.data, json.len, members, &bad) != ENROLL_OK
        && enroll_text_length(text, len) >= 0)
    {
        abort();
    }

    enroll_json_free(&json);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t               len;
    const char          *text;
    enroll_key_rules_t   rules;

    static const unsigned  kinds[] = {
        ENROLL_SAN_DNS, ENROLL_SAN_IP, ENROLL_SAN_EMAIL, ENROLL_SAN_URI,
        ENROLL_SAN_UPN
    };

    if (size < 2) {
        return 0;
    }

    text = (const char *) data + 1;
    len = size - 1;

    switch (data[0]) {

    case 'n':
        fuzz_attribute(text, len);
        break;

    case 's':
        fuzz_san(kinds[data[1] % 5], text + 1, len - 1);
        break;

    case 'k':
        memset(&rules, 0, sizeof(enroll_key_rules_t));

        if (enroll_key_rules_add(&rules, text, len) == NULL
            && (rules.n < 1 || rules.n > ENROLL_KEY_RULES))
        {
            abort();
        }

        break;

    case 'a':
        fuzz_csrattrs(text, len);
        break;

    case 'u':
        fuzz_words(text, len);
        break;

    case 'j':
        fuzz_json(data + 1, len);
        break;
    }

    ERR_clear_error();

    return 0;
}
