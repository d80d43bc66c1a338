
/*
 * Copyright (C) The nginx-enroll authors
 */


/*
 * The floor: what an enrolment cannot do without, by OpenSSL alone, with keys
 * that are ready and digests that are fetched.  On every processor at once,
 * as the server has it, and in CPU time of the threads.
 */


#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <openssl/rsa.h>

#include "bench.h"


#define BENCH_TBS  600               /* octets that are signed */


typedef struct {
    EVP_PKEY       *key;
    EVP_MD         *md;
    unsigned char   sig[512];
    size_t          sig_len;
    unsigned char   wrapped[512];
    size_t          wrapped_len;
} bench_ops_t;


typedef struct {
    const char     *name;
    void          (*run)(const bench_ops_t *ops);
    bench_ops_t     ops;
} bench_case_t;


typedef struct {
    bench_case_t   *c;
    double          seconds;
    double          cpu;             /* of one run, in nanoseconds */
} bench_thread_t;


static const unsigned char  bench_tbs[BENCH_TBS];


static void
bench_sign(const bench_ops_t *ops, unsigned char *sig, size_t *len)
{
    EVP_MD_CTX  *ctx;

    ctx = EVP_MD_CTX_new();
    *len = 512;

    if (EVP_DigestSignInit(ctx, NULL, ops->md, NULL, ops->key) != 1
        || EVP_DigestSign(ctx, sig, len, bench_tbs, BENCH_TBS) != 1)
    {
        bench_fail("no signature");
    }

    EVP_MD_CTX_free(ctx);
}


static void
bench_verify(const bench_ops_t *ops)
{
    EVP_MD_CTX  *ctx;

    ctx = EVP_MD_CTX_new();

    if (EVP_DigestVerifyInit(ctx, NULL, ops->md, NULL, ops->key) != 1
        || EVP_DigestVerify(ctx, ops->sig, ops->sig_len, bench_tbs, BENCH_TBS)
           != 1)
    {
        bench_fail("no verification");
    }

    EVP_MD_CTX_free(ctx);
}


static void
bench_encrypt(const bench_ops_t *ops, unsigned char *out, size_t *len)
{
    EVP_PKEY_CTX  *ctx;

    ctx = EVP_PKEY_CTX_new(ops->key, NULL);
    *len = 512;

    if (EVP_PKEY_encrypt_init(ctx) != 1
        || EVP_PKEY_encrypt(ctx, out, len, bench_tbs, 16) != 1)
    {
        bench_fail("no encryption");
    }

    EVP_PKEY_CTX_free(ctx);
}


static void
bench_decrypt(const bench_ops_t *ops)
{
    size_t         len;
    EVP_PKEY_CTX  *ctx;
    unsigned char  out[512];

    ctx = EVP_PKEY_CTX_new(ops->key, NULL);
    len = sizeof(out);

    if (EVP_PKEY_decrypt_init(ctx) != 1
        || EVP_PKEY_decrypt(ctx, out, &len, ops->wrapped, ops->wrapped_len)
           != 1)
    {
        bench_fail("no decryption");
    }

    EVP_PKEY_CTX_free(ctx);
}


static void
bench_floor_est(const bench_ops_t *ops)
{
    size_t         len;
    unsigned char  sig[512];

    bench_sign(ops, sig, &len);
    bench_verify(ops);
}


/*
 * Decryption of the request, signatures of the certificate and of the answer;
 * verification of the message and of the request in it, encryption to the
 * client
 */

static void
bench_floor_scep(const bench_ops_t *ops)
{
    size_t         len;
    unsigned char  out[512];

    bench_verify(ops);
    bench_decrypt(ops);
    bench_verify(ops);
    bench_sign(ops, out, &len);
    bench_encrypt(ops, out, &len);
    bench_sign(ops, out, &len);
}


static double
bench_cpu(void)
{
    struct timespec  ts;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);

    return (double) ts.tv_sec * 1e9 + (double) ts.tv_nsec;
}


static void *
bench_floor_run(void *data)
{
    int              i;
    size_t           n;
    double           start, now;
    bench_thread_t  *t = data;

    n = 0;
    start = bench_cpu();

    do {
        for (i = 0; i < 8; i++) {
            t->c->run(&t->c->ops);
        }

        n += 8;
        now = bench_cpu();

    } while (now - start < t->seconds * 1e9);

    t->cpu = (now - start) / (double) n;

    return NULL;
}


void
bench_floor(double seconds)
{
    long            n, j;
    double          sum;
    size_t          i;
    pthread_t       threads[64];
    bench_ops_t    *ops;
    bench_thread_t  work[64];

    bench_case_t  cases[] = {
        { .name = "p256", .run = bench_floor_est },
        { .name = "rsa", .run = bench_floor_est },
        { .name = "scep", .run = bench_floor_scep }
    };

    n = sysconf(_SC_NPROCESSORS_ONLN);
    n = (n < 1) ? 1 : (n > 64) ? 64 : n;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        ops = &cases[i].ops;

        ops->md = EVP_MD_fetch(NULL, "SHA256", NULL);
        ops->key = i ? EVP_RSA_gen(2048) : EVP_EC_gen("P-256");

        if (ops->md == NULL || ops->key == NULL) {
            bench_fail("no key");
        }

        bench_sign(ops, ops->sig, &ops->sig_len);

        if (i) {
            bench_encrypt(ops, ops->wrapped, &ops->wrapped_len);
        }

        for (j = 0; j < n; j++) {
            work[j].c = &cases[i];
            work[j].seconds = seconds / 3;

            if (pthread_create(&threads[j], NULL, bench_floor_run, &work[j]))
            {
                bench_fail("no thread");
            }
        }

        sum = 0;

        for (j = 0; j < n; j++) {
            pthread_join(threads[j], NULL);
            sum += work[j].cpu;
        }

        printf("floor_%s %.0f\n", cases[i].name, sum / (double) n);

        EVP_PKEY_free(ops->key);
        EVP_MD_free(ops->md);
    }
}
