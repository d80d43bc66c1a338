
/*
 * Copyright (C) The nginx-enroll authors
 */


#define _DEFAULT_SOURCE                  /* be64toh() */

#include <endian.h>
#include <stdint.h>
#include <string.h>
#include <openssl/asn1.h>
#include <openssl/objects.h>
#include <openssl/rsa.h>

#include "enroll_der.h"
#include "enroll_rsa.h"


#define enroll_rsa_count(a)  (sizeof(a) / sizeof((a)[0]))


/* a word, and what has room for two */

#ifdef __SIZEOF_INT128__
typedef uint64_t           enroll_rsa_word_t;
typedef unsigned __int128  enroll_rsa_wide_t;
#define enroll_rsa_host(n)  be64toh(n)
#else
typedef uint32_t           enroll_rsa_word_t;
typedef uint64_t           enroll_rsa_wide_t;
#define enroll_rsa_host(n)  be32toh(n)
#endif


static int enroll_rsa_integer(const unsigned char **p,
    const unsigned char *end, const unsigned char **data, size_t *len);
static enroll_rsa_word_t enroll_rsa_mod(const enroll_rsa_t *rsa,
    enroll_rsa_word_t m);
static int enroll_rsa_small_factor(const enroll_rsa_t *rsa);
static int enroll_rsa_roca(const enroll_rsa_t *rsa);
static int enroll_rsa_pss_mgf(enroll_rsa_pss_t *pss, const X509_ALGOR *alg);
static int enroll_rsa_pss_number(const ASN1_INTEGER *number, int otherwise,
    int max);


/* the odd primes below 752 (NIST SP 800-89, section 5.3.3) */

static const uint16_t  enroll_rsa_primes[] = {
    3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71,
    73, 79, 83, 89, 97, 101, 103, 107, 109, 113, 127, 131, 137, 139, 149, 151,
    157, 163, 167, 173, 179, 181, 191, 193, 197, 199, 211, 223, 227, 229, 233,
    239, 241, 251, 257, 263, 269, 271, 277, 281, 283, 293, 307, 311, 313, 317,
    331, 337, 347, 349, 353, 359, 367, 373, 379, 383, 389, 397, 401, 409, 419,
    421, 431, 433, 439, 443, 449, 457, 461, 463, 467, 479, 487, 491, 499, 503,
    509, 521, 523, 541, 547, 557, 563, 569, 571, 577, 587, 593, 599, 601, 607,
    613, 617, 619, 631, 641, 643, 647, 653, 659, 661, 673, 677, 683, 691, 701,
    709, 719, 727, 733, 739, 743, 751
};


/*
 * Infineon's key generator (ROCA, CVE-2017-15361) made primes that are powers
 * of 65537 modulo each of these, and so is their product.  The powers are the
 * subgroup of the order given.  A sound modulus passes for one of them once
 * in 2^27.
 */

static const struct {
    uint16_t  prime;
    uint16_t  order;
} enroll_rsa_roca_primes[] = {
    { 11, 2 }, { 13, 6 }, { 17, 8 }, { 19, 9 }, { 37, 3 }, { 53, 26 },
    { 61, 20 }, { 71, 35 }, { 73, 24 }, { 79, 13 }, { 97, 6 }, { 103, 51 },
    { 107, 53 }, { 109, 54 }, { 127, 42 }, { 151, 50 }, { 157, 78 }
};


int
enroll_rsa_parse(enroll_rsa_t *rsa, const unsigned char *der, size_t len)
{
    size_t                n;
    const unsigned char  *p, *end;

    end = der + len;

    if (enroll_der_next(&der, end, &p, &n) != ENROLL_DER_SEQUENCE
        || der != end)
    {
        return 0;
    }

    return enroll_rsa_integer(&p, end, &rsa->n, &rsa->n_len)
           && enroll_rsa_integer(&p, end, &rsa->e, &rsa->e_len)
           && p == end;
}


/* an INTEGER that is not negative, in the shortest form */

static int
enroll_rsa_integer(const unsigned char **p, const unsigned char *end,
    const unsigned char **data, size_t *len)
{
    size_t                n;
    const unsigned char  *q;

    if (enroll_der_next(p, end, &q, &n) != ENROLL_DER_INTEGER
        || n == 0
        || (q[0] & 0x80))
    {
        return 0;
    }

    if (q[0] == 0) {
        q++;
        n--;

        if (n && (q[0] & 0x80) == 0) {
            return 0;
        }
    }

    *data = q;
    *len = n;

    return 1;
}


int
enroll_rsa_check(const enroll_rsa_t *rsa)
{
    int            bits;
    unsigned char  top;

    /* sizes first: nothing below takes long on 16384 bits */

    if (rsa->n_len == 0 || rsa->n_len > ENROLL_RSA_MAX_BITS / 8) {
        return 0;
    }

    bits = (int) (rsa->n_len - 1) * 8;

    for (top = rsa->n[0]; top; top >>= 1) {
        bits++;
    }

    if (bits < ENROLL_RSA_MIN_BITS || (rsa->n[rsa->n_len - 1] & 1) == 0) {
        return 0;
    }

    /* 65537 <= e < 2^64: three octets at least, where 01 00 00 is even */

    if (rsa->e_len < 3
        || rsa->e_len > 8
        || (rsa->e[rsa->e_len - 1] & 1) == 0)
    {
        return 0;
    }

    if (enroll_rsa_small_factor(rsa) || enroll_rsa_roca(rsa)) {
        return 0;
    }

    return bits;
}


static enroll_rsa_word_t
enroll_rsa_mod(const enroll_rsa_t *rsa, enroll_rsa_word_t m)
{
    size_t             i;
    enroll_rsa_word_t  word;
    enroll_rsa_wide_t  r;

    r = 0;

    /* what does not fill a word comes first */

    for (i = 0; i < rsa->n_len % sizeof(enroll_rsa_word_t); i++) {
        r = r << 8 | rsa->n[i];
    }

    r %= m;

    for ( /* void */ ; i < rsa->n_len; i += sizeof(enroll_rsa_word_t)) {
        memcpy(&word, rsa->n + i, sizeof(enroll_rsa_word_t));

        r = (r << 8 * sizeof(enroll_rsa_word_t) | enroll_rsa_host(word)) % m;
    }

    return (enroll_rsa_word_t) r;
}


static int
enroll_rsa_small_factor(const enroll_rsa_t *rsa)
{
    size_t             i, first;
    enroll_rsa_word_t  product, rest;

    /* as many primes at once as fit into a product of one word */

    for (i = 0; i < enroll_rsa_count(enroll_rsa_primes); /* void */ ) {
        first = i;
        product = 1;

        while (i < enroll_rsa_count(enroll_rsa_primes)
               && product <= (enroll_rsa_word_t) -1 / enroll_rsa_primes[i])
        {
            product *= enroll_rsa_primes[i++];
        }

        rest = enroll_rsa_mod(rsa, product);

        while (first < i) {
            if (rest % enroll_rsa_primes[first++] == 0) {
                return 1;
            }
        }
    }

    return 0;
}


static int
enroll_rsa_roca(const enroll_rsa_t *rsa)
{
    size_t    i;
    uint32_t  p, rest, power, n;

    for (i = 0; i < enroll_rsa_count(enroll_rsa_roca_primes); i++) {
        p = enroll_rsa_roca_primes[i].prime;
        rest = enroll_rsa_mod(rsa, p);
        power = 1;

        for (n = enroll_rsa_roca_primes[i].order; n; n--) {
            power = power * rest % p;
        }

        /* the subgroup of an order is the only one: its elements are those */

        if (power != 1) {
            return 0;
        }
    }

    return 1;
}


int
enroll_rsa_prime(const enroll_rsa_t *rsa)
{
    int      prime;
    BN_CTX  *ctx;
    BIGNUM  *n, *e, *r;

    prime = 0;

    ctx = BN_CTX_new();
    n = BN_bin2bn(rsa->n, (int) rsa->n_len, NULL);
    e = BN_dup(n);
    r = BN_new();

    /* 2 ^ (n - 1) mod n is 1 where n is prime, and hardly ever else */

    if (ctx && n && e && r
        && BN_sub_word(e, 1)
        && BN_mod_exp_mont_word(r, 2, e, n, ctx, NULL))
    {
        prime = BN_is_one(r);
    }

    BN_free(r);
    BN_free(e);
    BN_free(n);
    BN_CTX_free(ctx);

    return prime;
}


int
enroll_rsa_pss(enroll_rsa_pss_t *pss, const X509_ALGOR *alg)
{
    int                   ok;
    const ASN1_TYPE      *type;
    RSA_PSS_PARAMS       *params;
    const unsigned char  *p;

    type = alg->parameter;

    if (type == NULL || type->type != V_ASN1_SEQUENCE) {
        return 0;
    }

    p = type->value.sequence->data;

    params = d2i_RSA_PSS_PARAMS(NULL, &p, type->value.sequence->length);
    if (params == NULL) {
        return 0;
    }

    pss->hash = params->hashAlgorithm
                ? OBJ_obj2nid(params->hashAlgorithm->algorithm) : NID_sha1;

    /* no key of ENROLL_RSA_MAX_BITS has room for a longer salt */

    pss->salt = enroll_rsa_pss_number(params->saltLength, 20,
                                      ENROLL_RSA_MAX_BITS / 8);

    ok = pss->salt >= 0
         && enroll_rsa_pss_number(params->trailerField, 1, 1) == 1
         && enroll_rsa_pss_mgf(pss, params->maskGenAlgorithm);

    RSA_PSS_PARAMS_free(params);

    return ok;
}


static int
enroll_rsa_pss_mgf(enroll_rsa_pss_t *pss, const X509_ALGOR *alg)
{
    X509_ALGOR           *hash;
    const unsigned char  *p;

    pss->mgf_hash = NID_sha1;

    if (alg == NULL) {
        return 1;
    }

    if (OBJ_obj2nid(alg->algorithm) != NID_mgf1
        || alg->parameter == NULL
        || alg->parameter->type != V_ASN1_SEQUENCE)
    {
        return 0;
    }

    p = alg->parameter->value.sequence->data;

    hash = d2i_X509_ALGOR(NULL, &p, alg->parameter->value.sequence->length);
    if (hash == NULL) {
        return 0;
    }

    pss->mgf_hash = OBJ_obj2nid(hash->algorithm);

    X509_ALGOR_free(hash);

    return 1;
}


static int
enroll_rsa_pss_number(const ASN1_INTEGER *number, int otherwise, int max)
{
    int64_t  value;

    if (number == NULL) {
        return otherwise;
    }

    if (ASN1_INTEGER_get_int64(&value, number) != 1
        || value < 0
        || value > max)
    {
        return -1;
    }

    return (int) value;
}
