
/*
 * Copyright (C) The nginx-enroll authors
 */


#include <stdio.h>
#include <string.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/objects.h>
#include <openssl/param_build.h>

#include "enroll_key.h"
#include "enroll_rsa.h"


#define ENROLL_KEY_CHEAP_RSA  4096    /* bits */

#define enroll_key_count(a)  (sizeof(a) / sizeof((a)[0]))


typedef struct {
    int                 nid;
    int                 bits;
    const char         *word;
} enroll_key_curve_t;


/* keys that are one string of octets, without parameters */

typedef struct {
    enroll_key_kind_e   kind;
    size_t              len;
    const char         *word;
    const char         *name;        /* OpenSSL's */
    size_t              oid_len;
    const char         *oid;         /* with tag and length */
} enroll_key_raw_t;


static const char *enroll_key_rules_rsa(enroll_key_rules_t *rules,
    const char *p, const char *end);
static const char *enroll_key_rules_ec(enroll_key_rules_t *rules,
    const char *p, const char *end);
static const char *enroll_key_rules_raw(enroll_key_rules_t *rules,
    const char *word, size_t len);
static const char *enroll_key_rules_push(enroll_key_rules_t *rules,
    enroll_key_kind_e kind, int min, int max, int nid);
static const char *enroll_key_rules_bits(const char *p, const char *end,
    int *bits);
static int enroll_key_supported(const char *name, const char *group);
static enroll_outcome_e enroll_key_inspect_rsa(enroll_key_t *key,
    const unsigned char *bits, size_t len);
static enroll_outcome_e enroll_key_inspect_ec(enroll_key_t *key,
    const ASN1_TYPE *group, const unsigned char *bits, size_t len);
static int enroll_key_point(const enroll_key_curve_t *curve,
    const unsigned char *bits, size_t len);
static enroll_outcome_e enroll_key_inspect_raw(enroll_key_t *key,
    const X509_ALGOR *alg, size_t len);
static const enroll_key_curve_t *enroll_key_curve(int nid);
static const enroll_key_raw_t *enroll_key_raw(enroll_key_kind_e kind);
static EVP_PKEY *enroll_key_build_rsa(const unsigned char *bits, size_t len);
static EVP_PKEY *enroll_key_build_ec(const enroll_key_t *key,
    const unsigned char *bits, size_t len);
static void enroll_key_groups(void);
static EVP_PKEY *enroll_key_fromdata(const char *name, int parts,
    OSSL_PARAM *params);


static const enroll_key_curve_t  enroll_key_curves[] = {
    { NID_X9_62_prime256v1, 256, "P-256" },
    { NID_secp384r1, 384, "P-384" },
    { NID_secp521r1, 521, "P-521" },
    { NID_brainpoolP256r1, 256, "brainpoolP256r1" },
    { NID_brainpoolP384r1, 384, "brainpoolP384r1" },
    { NID_brainpoolP512r1, 512, "brainpoolP512r1" }
};


static EVP_PKEY     *enroll_key_group[enroll_key_count(enroll_key_curves)];
static CRYPTO_ONCE   enroll_key_groups_once = CRYPTO_ONCE_STATIC_INIT;


/*
 * RFC 8410, section 3; RFC 9881, section 2.  By the octets of their OIDs,
 * since OpenSSL before 3.5 has no number for ML-DSA.
 */

static const enroll_key_raw_t  enroll_key_raws[] = {
    { ENROLL_KEY_ED25519, 32, "ed25519", "ED25519",
      5, "\x06\x03\x2b\x65\x70" },
    { ENROLL_KEY_ED448, 57, "ed448", "ED448",
      5, "\x06\x03\x2b\x65\x71" },
    { ENROLL_KEY_ML_DSA_44, 1312, "ml-dsa-44", "ML-DSA-44",
      11, "\x06\x09\x60\x86\x48\x01\x65\x03\x04\x03\x11" },
    { ENROLL_KEY_ML_DSA_65, 1952, "ml-dsa-65", "ML-DSA-65",
      11, "\x06\x09\x60\x86\x48\x01\x65\x03\x04\x03\x12" },
    { ENROLL_KEY_ML_DSA_87, 2592, "ml-dsa-87", "ML-DSA-87",
      11, "\x06\x09\x60\x86\x48\x01\x65\x03\x04\x03\x13" }
};


const char *
enroll_key_rules_add(enroll_key_rules_t *rules, const char *word, size_t len)
{
    if (len > 4 && memcmp(word, "rsa:", 4) == 0) {
        return enroll_key_rules_rsa(rules, word + 4, word + len);
    }

    if (len > 3 && memcmp(word, "ec:", 3) == 0) {
        return enroll_key_rules_ec(rules, word + 3, word + len);
    }

    return enroll_key_rules_raw(rules, word, len);
}


static const char *
enroll_key_rules_rsa(enroll_key_rules_t *rules, const char *p,
    const char *end)
{
    int          min, max;
    const char  *dash, *error;

    dash = memchr(p, '-', (size_t) (end - p));

    error = enroll_key_rules_bits(p, dash ? dash : end, &min);
    if (error) {
        return error;
    }

    max = min;

    if (dash) {
        error = enroll_key_rules_bits(dash + 1, end, &max);
        if (error) {
            return error;
        }
    }

    if (min > max) {
        return "the smaller size comes first";
    }

    return enroll_key_rules_push(rules, ENROLL_KEY_RSA, min, max, 0);
}


static const char *
enroll_key_rules_bits(const char *p, const char *end, int *bits)
{
    int  n;

    /* no more digits than the greatest size has, so that nothing overflows */

    if (p == end || end - p > 5) {
        return "RSA sizes are 1024 to 16384 bits";
    }

    for (n = 0; p < end; p++) {
        if (*p < '0' || *p > '9') {
            return "an RSA size is a number or two, like 2048-4096";
        }

        n = n * 10 + (*p - '0');
    }

    if (n < ENROLL_RSA_MIN_BITS || n > ENROLL_RSA_MAX_BITS) {
        return "RSA sizes are 1024 to 16384 bits";
    }

    *bits = n;

    return NULL;
}


static const char *
enroll_key_rules_ec(enroll_key_rules_t *rules, const char *p, const char *end)
{
    size_t                     i, len;
    const char                *comma, *error;
    const enroll_key_curve_t  *curve;

    for ( ;; ) {
        comma = memchr(p, ',', (size_t) (end - p));
        len = (size_t) ((comma ? comma : end) - p);
        curve = NULL;

        for (i = 0; i < enroll_key_count(enroll_key_curves); i++) {
            if (strlen(enroll_key_curves[i].word) == len
                && memcmp(enroll_key_curves[i].word, p, len) == 0)
            {
                curve = &enroll_key_curves[i];
            }
        }

        if (curve == NULL) {
            return "unknown curve, P-256, P-384, P-521, brainpoolP256r1, "
                   "brainpoolP384r1 and brainpoolP512r1 are known";
        }

        if (!enroll_key_supported("EC", curve->word)) {
            return "this OpenSSL cannot use the curve";
        }

        error = enroll_key_rules_push(rules, ENROLL_KEY_EC, 0, 0, curve->nid);

        if (error || comma == NULL) {
            return error;
        }

        p = comma + 1;
    }
}


static const char *
enroll_key_rules_raw(enroll_key_rules_t *rules, const char *word, size_t len)
{
    size_t                   i;
    const enroll_key_raw_t  *raw;

    for (i = 0; i < enroll_key_count(enroll_key_raws); i++) {
        raw = &enroll_key_raws[i];

        if (strlen(raw->word) != len || memcmp(raw->word, word, len) != 0) {
            continue;
        }

        if (!enroll_key_supported(raw->name, NULL)) {
            return "this OpenSSL cannot use such keys";
        }

        return enroll_key_rules_push(rules, raw->kind, 0, 0, 0);
    }

    return "unknown kind of key, rsa:2048-4096, ec:P-256,P-384, ed25519, "
           "ed448, ml-dsa-44, ml-dsa-65 and ml-dsa-87 are known";
}


static const char *
enroll_key_rules_push(enroll_key_rules_t *rules, enroll_key_kind_e kind,
    int min, int max, int nid)
{
    if (rules->n == ENROLL_KEY_RULES) {
        return "too many kinds of keys";
    }

    rules->rule[rules->n].kind = kind;
    rules->rule[rules->n].min = min;
    rules->rule[rules->n].max = max;
    rules->rule[rules->n].nid = nid;
    rules->n++;

    return NULL;
}


/* the surest way to know is to make one; this is for the configuration only */

static int
enroll_key_supported(const char *name, const char *group)
{
    EVP_PKEY  *pkey;

    ERR_set_mark();

    pkey = group ? EVP_PKEY_Q_keygen(NULL, NULL, name, group)
                 : EVP_PKEY_Q_keygen(NULL, NULL, name);

    EVP_PKEY_free(pkey);

    ERR_pop_to_mark();

    return pkey != NULL;
}


int
enroll_key_allowed(const enroll_key_rules_t *rules, const enroll_key_t *key)
{
    size_t  i;

    for (i = 0; i < rules->n; i++) {

        if (rules->rule[i].kind != key->kind) {
            continue;
        }

        switch (key->kind) {

        case ENROLL_KEY_RSA:
            if (key->bits >= rules->rule[i].min
                && key->bits <= rules->rule[i].max)
            {
                return 1;
            }

            break;

        case ENROLL_KEY_EC:
            if (key->nid == rules->rule[i].nid) {
                return 1;
            }

            break;

        default:
            return 1;
        }
    }

    return 0;
}


ASN1_OBJECT *
enroll_key_oid(const char *word)
{
    size_t                i;
    const unsigned char  *p;

    for (i = 0; i < enroll_key_count(enroll_key_raws); i++) {

        if (strcmp(word, enroll_key_raws[i].word) == 0) {
            p = (const unsigned char *) enroll_key_raws[i].oid;

            return d2i_ASN1_OBJECT(NULL, &p, (long) enroll_key_raws[i].oid_len);
        }
    }

    return NULL;
}


enroll_outcome_e
enroll_key_inspect(enroll_key_t *key, const X509_ALGOR *alg,
    const unsigned char *bits, size_t len)
{
    int               ok;
    enroll_rsa_pss_t  pss;

    memset(key, 0, sizeof(enroll_key_t));

    switch (OBJ_obj2nid(alg->algorithm)) {

    case NID_rsaEncryption:

        /* RFC 3279, section 2.3.1 */

        if (alg->parameter == NULL || alg->parameter->type != V_ASN1_NULL) {
            return ENROLL_BAD_KEY;
        }

        return enroll_key_inspect_rsa(key, bits, len);

    case NID_rsassaPss:

        /* RFC 4055, section 1.2: parameters are there or not */

        if (alg->parameter) {
            ERR_set_mark();
            ok = enroll_rsa_pss(&pss, alg);
            ERR_pop_to_mark();

            if (!ok) {
                return ENROLL_BAD_KEY;
            }
        }

        return enroll_key_inspect_rsa(key, bits, len);

    case NID_X9_62_id_ecPublicKey:
        return enroll_key_inspect_ec(key, alg->parameter, bits, len);

    default:
        return enroll_key_inspect_raw(key, alg, len);
    }
}


static enroll_outcome_e
enroll_key_inspect_rsa(enroll_key_t *key, const unsigned char *bits,
    size_t len)
{
    enroll_rsa_t  rsa;

    if (!enroll_rsa_parse(&rsa, bits, len)) {
        return ENROLL_BAD_KEY;
    }

    key->kind = ENROLL_KEY_RSA;
    key->bits = enroll_rsa_check(&rsa);
    key->e_len = (int) rsa.e_len;

    return key->bits ? ENROLL_OK : ENROLL_BAD_KEY;
}


static enroll_outcome_e
enroll_key_inspect_ec(enroll_key_t *key, const ASN1_TYPE *group,
    const unsigned char *bits, size_t len)
{
    const enroll_key_curve_t  *curve;

    /* RFC 5480, section 2.1.1: implicitCurve and specifiedCurve are out */

    if (group == NULL || group->type != V_ASN1_OBJECT) {
        return ENROLL_BAD_KEY;
    }

    curve = enroll_key_curve(OBJ_obj2nid(group->value.object));
    if (curve == NULL) {
        return ENROLL_KEY_NOT_ALLOWED;
    }

    if (!enroll_key_point(curve, bits, len)) {
        return ENROLL_BAD_KEY;
    }

    key->kind = ENROLL_KEY_EC;
    key->bits = curve->bits;
    key->nid = curve->nid;

    return ENROLL_OK;
}


/*
 * RFC 5480, section 2.2: compressed or not, but not the hybrid form, nor the
 * point at infinity, which OpenSSL takes for a public key
 */

static int
enroll_key_point(const enroll_key_curve_t *curve, const unsigned char *bits,
    size_t len)
{
    size_t  field;

    field = ((size_t) curve->bits + 7) / 8;

    if (len == 0) {
        return 0;
    }

    switch (bits[0]) {

    case POINT_CONVERSION_COMPRESSED:
    case POINT_CONVERSION_COMPRESSED + 1:
        return len == 1 + field;

    case POINT_CONVERSION_UNCOMPRESSED:
        return len == 1 + 2 * field;

    default:
        return 0;
    }
}


static enroll_outcome_e
enroll_key_inspect_raw(enroll_key_t *key, const X509_ALGOR *alg, size_t len)
{
    size_t                   i;
    const enroll_key_raw_t  *raw;

    for (i = 0; i < enroll_key_count(enroll_key_raws); i++) {
        raw = &enroll_key_raws[i];

        if (OBJ_length(alg->algorithm) != raw->oid_len - 2
            || memcmp(OBJ_get0_data(alg->algorithm), raw->oid + 2,
                      raw->oid_len - 2)
               != 0)
        {
            continue;
        }

        if (alg->parameter || len != raw->len) {
            return ENROLL_BAD_KEY;
        }

        key->kind = raw->kind;

        return ENROLL_OK;
    }

    return ENROLL_KEY_NOT_ALLOWED;
}


static const enroll_key_curve_t *
enroll_key_curve(int nid)
{
    size_t  i;

    for (i = 0; i < enroll_key_count(enroll_key_curves); i++) {
        if (enroll_key_curves[i].nid == nid) {
            return &enroll_key_curves[i];
        }
    }

    return NULL;
}


static const enroll_key_raw_t *
enroll_key_raw(enroll_key_kind_e kind)
{
    size_t  i;

    for (i = 0; i < enroll_key_count(enroll_key_raws); i++) {
        if (enroll_key_raws[i].kind == kind) {
            return &enroll_key_raws[i];
        }
    }

    return NULL;
}


EVP_PKEY *
enroll_key_build(const enroll_key_t *key, const unsigned char *bits,
    size_t len)
{
    EVP_PKEY                *pkey;
    const enroll_key_raw_t  *raw;

    ERR_set_mark();

    switch (key->kind) {

    case ENROLL_KEY_RSA:
        pkey = enroll_key_build_rsa(bits, len);
        break;

    case ENROLL_KEY_EC:
        pkey = enroll_key_build_ec(key, bits, len);
        break;

    default:
        raw = enroll_key_raw(key->kind);
        pkey = raw ? EVP_PKEY_new_raw_public_key_ex(NULL, raw->name, NULL,
                                                    bits, len)
                   : NULL;
    }

    ERR_pop_to_mark();

    return pkey;
}


static EVP_PKEY *
enroll_key_build_rsa(const unsigned char *bits, size_t len)
{
    BIGNUM          *n, *e;
    EVP_PKEY        *pkey;
    OSSL_PARAM      *params;
    enroll_rsa_t     rsa;
    OSSL_PARAM_BLD  *bld;

    if (!enroll_rsa_parse(&rsa, bits, len)) {
        return NULL;
    }

    pkey = NULL;
    params = NULL;

    n = BN_bin2bn(rsa.n, (int) rsa.n_len, NULL);
    e = BN_bin2bn(rsa.e, (int) rsa.e_len, NULL);
    bld = OSSL_PARAM_BLD_new();

    if (n && e && bld
        && OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_N, n) == 1
        && OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_E, e) == 1)
    {
        params = OSSL_PARAM_BLD_to_param(bld);
    }

    if (params) {
        pkey = enroll_key_fromdata("RSA", EVP_PKEY_PUBLIC_KEY, params);
    }

    OSSL_PARAM_free(params);
    OSSL_PARAM_BLD_free(bld);
    BN_free(e);
    BN_free(n);

    return pkey;
}


static EVP_PKEY *
enroll_key_build_ec(const enroll_key_t *key, const unsigned char *bits,
    size_t len)
{
    EVP_PKEY                  *pkey;
    const enroll_key_curve_t  *curve;

    curve = enroll_key_curve(key->nid);

    if (curve == NULL
        || !enroll_key_point(curve, bits, len)
        || CRYPTO_THREAD_run_once(&enroll_key_groups_once, enroll_key_groups)
           != 1)
    {
        return NULL;
    }

    pkey = EVP_PKEY_dup(enroll_key_group[curve - enroll_key_curves]);

    if (pkey && EVP_PKEY_set1_encoded_public_key(pkey, bits, len) != 1) {
        EVP_PKEY_free(pkey);
        pkey = NULL;
    }

    return pkey;
}


/*
 * Keys of curves alone, to be copied: to make a curve of its name takes four
 * times as long.  They stay until enroll_key_end().
 */

static void
enroll_key_groups(void)
{
    size_t      i;
    OSSL_PARAM  params[2];

    params[1] = OSSL_PARAM_construct_end();

    for (i = 0; i < enroll_key_count(enroll_key_curves); i++) {

        /* it is not written to */

        params[0] = OSSL_PARAM_construct_utf8_string(
                                           OSSL_PKEY_PARAM_GROUP_NAME,
                                           (char *) enroll_key_curves[i].word,
                                           0);

        enroll_key_group[i] = enroll_key_fromdata("EC",
                                                  EVP_PKEY_KEY_PARAMETERS,
                                                  params);
    }
}


void
enroll_key_end(void)
{
    size_t  i;

    for (i = 0; i < enroll_key_count(enroll_key_curves); i++) {
        EVP_PKEY_free(enroll_key_group[i]);
        enroll_key_group[i] = NULL;
    }
}


static EVP_PKEY *
enroll_key_fromdata(const char *name, int parts, OSSL_PARAM *params)
{
    EVP_PKEY      *pkey;
    EVP_PKEY_CTX  *ctx;

    pkey = NULL;

    ctx = EVP_PKEY_CTX_new_from_name(NULL, name, NULL);

    if (ctx == NULL
        || EVP_PKEY_fromdata_init(ctx) != 1
        || EVP_PKEY_fromdata(ctx, &pkey, parts, params) != 1)
    {
        pkey = NULL;
    }

    EVP_PKEY_CTX_free(ctx);

    return pkey;
}


/*
 * Below a quarter of a millisecond with OpenSSL 3.0, where P-384 and P-521
 * take twice that.  RSA of 2048 bits takes a fourth of what P-256 does, but
 * exponents may be as long as they like.  ML-DSA is not worth a look at its
 * sizes.
 */

int
enroll_key_cheap(const enroll_key_t *key)
{
    return (key->kind == ENROLL_KEY_EC && key->nid == NID_X9_62_prime256v1)
           || (key->kind == ENROLL_KEY_RSA
               && key->bits <= ENROLL_KEY_CHEAP_RSA
               && key->e_len <= 3)
           || key->kind == ENROLL_KEY_ED25519
           || key->kind == ENROLL_KEY_ED448;
}


size_t
enroll_key_text(const enroll_key_t *key, char *text)
{
    int                        n;
    const enroll_key_raw_t    *raw;
    const enroll_key_curve_t  *curve;

    switch (key->kind) {

    case ENROLL_KEY_RSA:
        n = snprintf(text, ENROLL_KEY_TEXT, "rsa:%d", key->bits);
        break;

    case ENROLL_KEY_EC:
        curve = enroll_key_curve(key->nid);
        n = snprintf(text, ENROLL_KEY_TEXT, "ec:%s",
                     curve ? curve->word : "unknown");
        break;

    default:
        raw = enroll_key_raw(key->kind);
        n = snprintf(text, ENROLL_KEY_TEXT, "%s", raw ? raw->word : "unknown");
    }

    return (size_t) n;
}


size_t
enroll_key_rule_text(const enroll_key_rules_t *rules, size_t i, char *text)
{
    enroll_key_t  key;

    if (rules->rule[i].kind == ENROLL_KEY_RSA
        && rules->rule[i].min != rules->rule[i].max)
    {
        return (size_t) snprintf(text, ENROLL_KEY_TEXT, "rsa:%d-%d",
                                 rules->rule[i].min, rules->rule[i].max);
    }

    memset(&key, 0, sizeof(enroll_key_t));

    key.kind = rules->rule[i].kind;
    key.bits = rules->rule[i].max;
    key.nid = rules->rule[i].nid;

    return enroll_key_text(&key, text);
}
