
/*
 * Copyright (C) The nginx-enroll authors
 */


/*
 * The load generator: messages made before the clock starts, connections
 * that send them, and answers that are looked at after it has stopped.
 */


#ifndef _BENCH_H_INCLUDED_
#define _BENCH_H_INCLUDED_


#include <stddef.h>
#include <stdint.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>


#define BENCH_DIGEST   32            /* SHA-256 of a SubjectPublicKeyInfo */
#define BENCH_NONCE    16
#define BENCH_TXN      32            /* hexadecimal digits */
#define BENCH_PIDS     8
#define BENCH_SAMPLES  256           /* answers that are kept, at most */


typedef enum {
    BENCH_GET = 0,
    BENCH_EST,
    BENCH_REENROLL,
    BENCH_SCEP
} bench_op_e;


/* a key, and for SCEP and mutual TLS its certificate */

typedef struct {
    EVP_PKEY         *key;
    X509             *cert;
} bench_identity_t;


typedef struct {
    char             *data;          /* HTTP, header and body */
    size_t            len;
    bench_identity_t *who;           /* SCEP: the signer; else of TLS */
    unsigned char     key[BENCH_DIGEST];
    char              txn[BENCH_TXN + 1];
    unsigned char     nonce[BENCH_NONCE];
} bench_request_t;


typedef struct {
    bench_request_t  *request;
    unsigned char    *body;
    size_t            len;
} bench_sample_t;


typedef struct {
    const char       *name;
    int               pid;
} bench_pid_t;


typedef struct {
    bench_op_e        op;
    int               port;
    int               tls;
    int               fresh;         /* a new connection for each request */
    int               rsa;           /* keys of the pool, else P-256 */
    int               hold;          /* connections stay until stdin ends */
    long              pause;         /* microseconds before a request */
    size_t            connections;
    size_t            requests;
    size_t            warm;          /* of them, before the clock starts */
    size_t            ndevices;
    const char       *path;
    const char       *enrol;         /* path for the devices' own */
    const char       *user;          /* user:password */
    const char       *challenge;
    X509             *issuer;
    X509             *ra;
    bench_pid_t       pids[BENCH_PIDS];
    size_t            npids;

    bench_identity_t *pool;          /* RSA keys */
    size_t            npool;
    bench_identity_t *devices;
} bench_t;


typedef struct {
    uint64_t         *latency;       /* of good answers, in nanoseconds */
    size_t            good;
    size_t            failed;
    size_t            refused;       /* of failed: answered, but not so */
    size_t            connects;
    size_t            octets;        /* of the last body */
    uint64_t          elapsed;
    uint64_t          cpu[BENCH_PIDS];
    bench_sample_t    samples[BENCH_SAMPLES];
    size_t            nsamples;
} bench_result_t;


/* a message on stderr, and exit */

void bench_fail(const char *format, ...)
    __attribute__((format(printf, 1, 2), noreturn));

uint64_t bench_clock(void);


/* bench_message.c */

/* keys and certificates of a PEM file, one after the other */

bench_identity_t *bench_pool_read(const char *file, size_t *n);
void bench_pool_make(const char *file, size_t n, int bits);

/* so many requests, on all processors; none is like another */

bench_request_t *bench_requests(const bench_t *b, size_t n);
void bench_requests_free(bench_request_t *requests, size_t n);

int bench_key_digest(X509_PUBKEY *key, unsigned char *digest);


/* bench_client.c */

/* sends n requests by the connections of b, in a loop until all are done */

void bench_run(const bench_t *b, bench_request_t *requests, size_t n,
    bench_result_t *result);

/* closes the connections, which are kept from one bench_run() to the next */

void bench_run_end(void);


/* bench_check.c */

/* 1 if the answer's certificate is what was asked for, else 0 and why */

int bench_check(const bench_t *b, const bench_sample_t *sample,
    const char **why);

/* the certificate of an EST answer, or NULL */

X509 *bench_est_certificate(const unsigned char *body, size_t len);

/* whether a CertRep says SUCCESS; it is not opened */

int bench_scep_success(const unsigned char *body, size_t len);


/* bench_floor.c */

/* the bare operations, for so many seconds; prints what each costs */

void bench_floor(double seconds);


#endif /* _BENCH_H_INCLUDED_ */
