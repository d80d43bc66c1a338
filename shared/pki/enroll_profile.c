
/*
 * Copyright (C) The nginx-enroll authors
 */


#include <string.h>
#include <openssl/err.h>
#include <openssl/objects.h>
#include <openssl/x509v3.h>

#include "enroll_profile.h"
#include "enroll_san.h"


#define ENROLL_DAY                86400

/* bits of keyUsage as they are numbered in RFC 5280, section 4.2.1.3 */

#define ENROLL_KU_SIGNATURE       0x0001
#define ENROLL_KU_NON_REPUDIATION 0x0002
#define ENROLL_KU_KEY_ENCIPHER    0x0004
#define ENROLL_KU_DATA_ENCIPHER   0x0008
#define ENROLL_KU_AGREEMENT       0x0010
#define ENROLL_KU_ENCIPHER_ONLY   0x0080
#define ENROLL_KU_DECIPHER_ONLY   0x0100
#define ENROLL_KU_BITS            9

/* RFC 3279, sections 2.3.1 and 2.3.5; RFC 8410, section 5; RFC 9881 */

#define ENROLL_KU_SIGN                                                        \
    (ENROLL_KU_SIGNATURE|ENROLL_KU_NON_REPUDIATION)

#define ENROLL_KU_RSA                                                         \
    (ENROLL_KU_SIGN|ENROLL_KU_KEY_ENCIPHER|ENROLL_KU_DATA_ENCIPHER)

#define ENROLL_KU_EC                                                          \
    (ENROLL_KU_SIGN|ENROLL_KU_AGREEMENT|ENROLL_KU_ENCIPHER_ONLY               \
     |ENROLL_KU_DECIPHER_ONLY)


static int enroll_profile_default_keys(enroll_key_rules_t *keys);
static int enroll_profile_key_usage_make(X509_EXTENSION **ext, unsigned bits);


static const struct {
    const char  *word;
    unsigned     bit;
} enroll_profile_usages[] = {
    { "digitalSignature",  ENROLL_KU_SIGNATURE },
    { "nonRepudiation",    ENROLL_KU_NON_REPUDIATION },
    { "contentCommitment", ENROLL_KU_NON_REPUDIATION },
    { "keyEncipherment",   ENROLL_KU_KEY_ENCIPHER },
    { "dataEncipherment",  ENROLL_KU_DATA_ENCIPHER },
    { "keyAgreement",      ENROLL_KU_AGREEMENT },
    { "encipherOnly",      ENROLL_KU_ENCIPHER_ONLY },
    { "decipherOnly",      ENROLL_KU_DECIPHER_ONLY },
    { NULL,                0 }
};


int
enroll_profile_defaults(enroll_profile_t *profile)
{
    size_t                     bad;
    BASIC_CONSTRAINTS         *basic;

    static const char *const   key_usage[] = { "digitalSignature" };
    static const char *const   ext_key_usage[] = { "clientAuth" };

    if (profile->validity == 0) {
        profile->validity = 90 * ENROLL_DAY;
    }

    if (profile->backdate == 0) {
        profile->backdate = 300;
    }

    if (profile->san == 0) {
        profile->san = ENROLL_SAN_DEFAULT;
    }

    if (profile->keys.n == 0
        && !enroll_profile_default_keys(&profile->keys))
    {
        return 0;
    }

    if (profile->key_usage == NULL
        && profile->key_usage_ec == NULL
        && enroll_profile_key_usage(profile, key_usage, 1, &bad))
    {
        return 0;
    }

    if (profile->ext_key_usage == NULL
        && enroll_profile_ext_key_usage(profile, ext_key_usage, 1, &bad))
    {
        return 0;
    }

    if (profile->basic) {
        return 1;
    }

    /* cA is false by default, so that this is an empty SEQUENCE */

    basic = BASIC_CONSTRAINTS_new();
    if (basic == NULL) {
        return 0;
    }

    profile->basic = X509V3_EXT_i2d(NID_basic_constraints, 1, basic);

    BASIC_CONSTRAINTS_free(basic);

    return profile->basic != NULL;
}


static int
enroll_profile_default_keys(enroll_key_rules_t *keys)
{
    const char *const        *word;

    static const char *const  words[] = {
        "rsa:2048-4096", "ec:P-256,P-384,P-521", "ed25519", "ed448", NULL
    };

    static const char *const  newer[] = {
        "ml-dsa-44", "ml-dsa-65", "ml-dsa-87", NULL
    };

    for (word = words; *word; word++) {
        if (enroll_key_rules_add(keys, *word, strlen(*word))) {
            return 0;
        }
    }

    /* OpenSSL has ML-DSA since 3.5; where it has not, these add nothing */

    for (word = newer; *word; word++) {
        (void) enroll_key_rules_add(keys, *word, strlen(*word));
    }

    return 1;
}


void
enroll_profile_cleanup(enroll_profile_t *profile)
{
    X509_EXTENSION_free(profile->basic);
    X509_EXTENSION_free(profile->key_usage);
    X509_EXTENSION_free(profile->key_usage_ec);
    X509_EXTENSION_free(profile->key_usage_sign);
    X509_EXTENSION_free(profile->ext_key_usage);

    memset(profile, 0, sizeof(enroll_profile_t));
}


const char *
enroll_profile_key_usage(enroll_profile_t *profile, const char *const *words,
    size_t n, size_t *bad)
{
    size_t    i, k;
    unsigned  bits;

    bits = 0;

    for (i = 0; i < n; i++) {
        *bad = i;

        /* RFC 5280, section 4.2.1.3: these go with cA alone */

        if (strcmp(words[i], "keyCertSign") == 0
            || strcmp(words[i], "cRLSign") == 0)
        {
            return "keyCertSign and cRLSign are for CAs only";
        }

        for (k = 0; enroll_profile_usages[k].word; k++) {
            if (strcmp(words[i], enroll_profile_usages[k].word) == 0) {
                break;
            }
        }

        if (enroll_profile_usages[k].word == NULL) {
            return "it is not known";
        }

        if (bits & enroll_profile_usages[k].bit) {
            return "it is repeated";
        }

        bits |= enroll_profile_usages[k].bit;
    }

    *bad = n;

    if (bits == 0) {
        return "at least one key usage is needed";
    }

    if (bits & (ENROLL_KU_ENCIPHER_ONLY|ENROLL_KU_DECIPHER_ONLY)
        && !(bits & ENROLL_KU_AGREEMENT))
    {
        return "encipherOnly and decipherOnly need keyAgreement";
    }

    /* RFC 3279, section 2.3.3 */

    if (bits & ENROLL_KU_ENCIPHER_ONLY && bits & ENROLL_KU_DECIPHER_ONLY) {
        return "encipherOnly and decipherOnly exclude each other";
    }

    if (!enroll_profile_key_usage_make(&profile->key_usage,
                                       bits & ENROLL_KU_RSA)
        || !enroll_profile_key_usage_make(&profile->key_usage_ec,
                                          bits & ENROLL_KU_EC)
        || !enroll_profile_key_usage_make(&profile->key_usage_sign,
                                          bits & ENROLL_KU_SIGN))
    {
        return "out of memory";
    }

    return NULL;
}


/* NULL where nothing is left: keys of that kind cannot be certified */

static int
enroll_profile_key_usage_make(X509_EXTENSION **ext, unsigned bits)
{
    int               i;
    ASN1_BIT_STRING  *string;

    X509_EXTENSION_free(*ext);
    *ext = NULL;

    if (bits == 0) {
        return 1;
    }

    string = ASN1_BIT_STRING_new();
    if (string == NULL) {
        return 0;
    }

    for (i = 0; i < ENROLL_KU_BITS; i++) {
        if (bits & (1u << i) && !ASN1_BIT_STRING_set_bit(string, i, 1)) {
            ASN1_BIT_STRING_free(string);
            return 0;
        }
    }

    *ext = X509V3_EXT_i2d(NID_key_usage, 1, string);

    ASN1_BIT_STRING_free(string);

    return *ext != NULL;
}


const char *
enroll_profile_ext_key_usage(enroll_profile_t *profile,
    const char *const *words, size_t n, size_t *bad)
{
    int                  k;
    size_t               i;
    const char          *error;
    ASN1_OBJECT         *object;
    EXTENDED_KEY_USAGE  *usage;

    *bad = n;

    if (n == 0) {
        return "at least one extended key usage is needed";
    }

    usage = sk_ASN1_OBJECT_new_null();
    if (usage == NULL) {
        return "out of memory";
    }

    error = NULL;

    for (i = 0; i < n; i++) {

        object = OBJ_txt2obj(words[i], 0);
        if (object == NULL || OBJ_length(object) == 0) {
            error = "it is not known";
            *bad = i;
            goto failed;
        }

        for (k = 0; k < sk_ASN1_OBJECT_num(usage); k++) {
            if (OBJ_cmp(object, sk_ASN1_OBJECT_value(usage, k)) == 0) {
                error = "it is repeated";
                *bad = i;
                goto failed;
            }
        }

        if (sk_ASN1_OBJECT_push(usage, object) <= 0) {
            error = "out of memory";
            goto failed;
        }
    }

    X509_EXTENSION_free(profile->ext_key_usage);

    /* RFC 5280, section 4.2.1.12 leaves it to the issuer: not critical */

    profile->ext_key_usage = X509V3_EXT_i2d(NID_ext_key_usage, 0, usage);

    if (profile->ext_key_usage == NULL) {
        error = "out of memory";
    }

    object = NULL;

failed:

    ASN1_OBJECT_free(object);
    sk_ASN1_OBJECT_pop_free(usage, ASN1_OBJECT_free);

    if (error) {
        ERR_clear_error();
    }

    return error;
}


const EVP_MD *
enroll_digest(const char *word, size_t len)
{
    if (len != 6) {
        return NULL;
    }

    if (memcmp(word, "sha256", 6) == 0) {
        return EVP_sha256();
    }

    if (memcmp(word, "sha384", 6) == 0) {
        return EVP_sha384();
    }

    if (memcmp(word, "sha512", 6) == 0) {
        return EVP_sha512();
    }

    return NULL;
}
