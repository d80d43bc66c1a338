
/*
 * Copyright (C) The nginx-enroll authors
 */


/*
 * What is sent: certification requests, SCEP's pkiMessages, and HTTP around
 * them, made on all processors before the clock starts.
 */


#define _GNU_SOURCE

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <openssl/cms.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#include "bench.h"


typedef struct {
    const bench_t     *b;
    bench_request_t   *requests;
    size_t             first;
    size_t             n;
    size_t             step;
} bench_work_t;


typedef struct {
    bench_identity_t  *pool;
    size_t             first;
    size_t             n;
    size_t             step;
    int                bits;
} bench_keys_t;


static X509 *bench_self_signed(EVP_PKEY *key);
static void *bench_keys_run(void *data);
static void *bench_requests_run(void *data);
static void bench_request(const bench_t *b, bench_request_t *r, size_t i);
static X509_REQ *bench_csr(const bench_t *b, EVP_PKEY *key, X509 *like,
    size_t i);
static unsigned char *bench_scep(const bench_t *b, bench_request_t *r,
    X509_REQ *csr, int *len);
static void bench_attribute(CMS_SignerInfo *si, const char *oid, int type,
    const void *data, size_t len);
static void bench_http(const bench_t *b, bench_request_t *r,
    const char *type, const void *body, size_t len);
static void bench_hex(char *out, const unsigned char *in, size_t len);


static size_t
bench_processors(void)
{
    long  n;

    n = sysconf(_SC_NPROCESSORS_ONLN);

    return (n < 1) ? 1 : (n > 64) ? 64 : (size_t) n;
}


static void
bench_threads(void *(*run)(void *), void *work, size_t size, size_t n)
{
    size_t     i;
    pthread_t  threads[64];

    for (i = 0; i < n; i++) {
        if (pthread_create(&threads[i], NULL, run, (char *) work + i * size)) {
            bench_fail("no thread");
        }
    }

    for (i = 0; i < n; i++) {
        pthread_join(threads[i], NULL);
    }
}


/* keys */

void
bench_pool_make(const char *file, size_t n, int bits)
{
    FILE              *f;
    size_t             i, threads;
    bench_keys_t       work[64];
    bench_identity_t  *pool;

    pool = calloc(n, sizeof(bench_identity_t));
    threads = bench_processors();

    if (pool == NULL) {
        bench_fail("no memory");
    }

    for (i = 0; i < threads; i++) {
        work[i] = (bench_keys_t) { pool, i, n, threads, bits };
    }

    bench_threads(bench_keys_run, work, sizeof(bench_keys_t), threads);

    f = fopen(file, "w");
    if (f == NULL) {
        bench_fail("cannot write \"%s\"", file);
    }

    for (i = 0; i < n; i++) {
        if (!PEM_write_PrivateKey(f, pool[i].key, NULL, NULL, 0, NULL, NULL)
            || !PEM_write_X509(f, pool[i].cert))
        {
            bench_fail("cannot write \"%s\"", file);
        }

        EVP_PKEY_free(pool[i].key);
        X509_free(pool[i].cert);
    }

    if (fclose(f) != 0) {
        bench_fail("cannot write \"%s\"", file);
    }

    free(pool);
}


static void *
bench_keys_run(void *data)
{
    size_t         i;
    bench_keys_t  *work = data;

    for (i = work->first; i < work->n; i += work->step) {
        work->pool[i].key = EVP_RSA_gen((unsigned) work->bits);

        if (work->pool[i].key == NULL) {
            bench_fail("no RSA key");
        }

        work->pool[i].cert = bench_self_signed(work->pool[i].key);
    }

    return NULL;
}


/* what signs a first request of SCEP (RFC 8894, section 2.3) */

static X509 *
bench_self_signed(EVP_PKEY *key)
{
    X509           *x;
    X509_NAME      *name;
    unsigned char   serial[8];
    BIGNUM         *bn;

    x = X509_new();

    if (x == NULL || RAND_bytes(serial, sizeof(serial)) != 1) {
        bench_fail("no certificate");
    }

    serial[0] = (serial[0] & 0x7f) | 0x40;
    bn = BN_bin2bn(serial, sizeof(serial), NULL);
    BN_to_ASN1_INTEGER(bn, X509_get_serialNumber(x));
    BN_free(bn);

    name = X509_get_subject_name(x);

    if (!X509_set_version(x, X509_VERSION_3)
        || !X509_NAME_add_entry_by_NID(name, NID_commonName, MBSTRING_ASC,
                                       (unsigned char *) "device", -1, -1, 0)
        || !X509_set_issuer_name(x, name)
        || !X509_gmtime_adj(X509_getm_notBefore(x), -3600)
        || !X509_gmtime_adj(X509_getm_notAfter(x), 365 * 86400)
        || !X509_set_pubkey(x, key)
        || !X509_sign(x, key, EVP_sha256()))
    {
        bench_fail("no certificate");
    }

    return x;
}


bench_identity_t *
bench_pool_read(const char *file, size_t *n)
{
    FILE              *f;
    EVP_PKEY          *key;
    bench_identity_t  *pool;

    f = fopen(file, "r");
    if (f == NULL) {
        bench_fail("cannot read \"%s\"", file);
    }

    pool = NULL;
    *n = 0;

    while ((key = PEM_read_PrivateKey(f, NULL, NULL, NULL)) != NULL) {
        pool = realloc(pool, (*n + 1) * sizeof(bench_identity_t));

        if (pool == NULL) {
            bench_fail("no memory");
        }

        pool[*n].key = key;
        pool[*n].cert = PEM_read_X509(f, NULL, NULL, NULL);

        if (pool[(*n)++].cert == NULL) {
            bench_fail("a key without a certificate in \"%s\"", file);
        }
    }

    fclose(f);

    if (*n == 0) {
        bench_fail("no keys in \"%s\"", file);
    }

    return pool;
}


int
bench_key_digest(X509_PUBKEY *key, unsigned char *digest)
{
    int             n, ok;
    unsigned char  *der;

    der = NULL;
    n = i2d_X509_PUBKEY(key, &der);

    ok = n > 0 && EVP_Digest(der, (size_t) n, digest, NULL, EVP_sha256(),
                             NULL);
    OPENSSL_free(der);

    return ok;
}


/* requests */

bench_request_t *
bench_requests(const bench_t *b, size_t n)
{
    size_t            i, threads;
    bench_work_t      work[64];
    bench_request_t  *requests;

    requests = calloc(n, sizeof(bench_request_t));
    threads = bench_processors();

    if (requests == NULL) {
        bench_fail("no memory");
    }

    for (i = 0; i < threads; i++) {
        work[i] = (bench_work_t) { b, requests, i, n, threads };
    }

    bench_threads(bench_requests_run, work, sizeof(bench_work_t), threads);

    return requests;
}


void
bench_requests_free(bench_request_t *requests, size_t n)
{
    while (n) {
        free(requests[--n].data);
    }

    free(requests);
}


static void *
bench_requests_run(void *data)
{
    size_t         i;
    bench_work_t  *work = data;

    for (i = work->first; i < work->n; i += work->step) {
        bench_request(work->b, &work->requests[i], i);
    }

    return NULL;
}


static void
bench_request(const bench_t *b, bench_request_t *r, size_t i)
{
    int             n;
    char           *text;
    EVP_PKEY       *key;
    X509_REQ       *csr;
    unsigned char  *der;

    if (b->devices) {
        r->who = &b->devices[i % b->ndevices];
    }

    if (b->op == BENCH_GET) {
        bench_http(b, r, NULL, NULL, 0);
        return;
    }

    if (b->rsa) {
        key = b->pool[i % b->npool].key;
        EVP_PKEY_up_ref(key);

    } else {
        key = EVP_EC_gen("P-256");
    }

    if (key == NULL) {
        bench_fail("no key");
    }

    csr = bench_csr(b, key, b->op == BENCH_REENROLL ? r->who->cert : NULL, i);

    if (!bench_key_digest(X509_REQ_get_X509_PUBKEY(csr), r->key)) {
        bench_fail("no digest");
    }

    if (b->op == BENCH_SCEP) {
        r->who = &b->pool[i % b->npool];
        der = bench_scep(b, r, csr, &n);
        bench_http(b, r, "application/x-pki-message", der, (size_t) n);

    } else {
        der = NULL;
        n = i2d_X509_REQ(csr, &der);
        text = malloc((size_t) n * 4 / 3 + 8);

        if (n <= 0 || text == NULL) {
            bench_fail("no request");
        }

        n = EVP_EncodeBlock((unsigned char *) text, der, n);
        bench_http(b, r, "application/pkcs10", text, (size_t) n);
        free(text);
    }

    OPENSSL_free(der);
    X509_REQ_free(csr);
    EVP_PKEY_free(key);
}


/* like: the certificate to renew, whose names are kept */

static X509_REQ *
bench_csr(const bench_t *b, EVP_PKEY *key, X509 *like, size_t i)
{
    int                        ok;
    char                       cn[64], san[80];
    X509_REQ                  *csr;
    X509_NAME                 *name;
    X509_EXTENSION            *ext;
    STACK_OF(X509_EXTENSION)  *exts;
    unsigned char              random[8];

    if (RAND_bytes(random, sizeof(random)) != 1) {
        bench_fail("no random numbers");
    }

    memcpy(cn, "device-", 7);
    bench_hex(cn + 7, random, sizeof(random));
    snprintf(cn + 23, sizeof(cn) - 23, "-%zu", i);
    snprintf(san, sizeof(san), "DNS:%s", cn);

    csr = X509_REQ_new();
    exts = NULL;
    ext = NULL;

    if (like) {
        name = X509_NAME_dup(X509_get_subject_name(like));
        ext = X509_get_ext(like, X509_get_ext_by_NID(like,
                                                     NID_subject_alt_name,
                                                     -1));
        ext = ext ? X509_EXTENSION_dup(ext) : NULL;

    } else {
        name = X509_NAME_new();
        X509_NAME_add_entry_by_NID(name, NID_organizationName, MBSTRING_ASC,
                                   (unsigned char *) "Example", -1, -1, 0);
        X509_NAME_add_entry_by_NID(name, NID_commonName, MBSTRING_ASC,
                                   (unsigned char *) cn, -1, -1, 0);
        ext = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, san);
    }

    ok = csr && name && ext
         && X509_REQ_set_subject_name(csr, name)
         && X509_REQ_set_pubkey(csr, key)
         && X509v3_add_ext(&exts, ext, -1)
         && X509_REQ_add_extensions(csr, exts)
         && (b->challenge == NULL
             || X509_REQ_add1_attr_by_NID(csr, NID_pkcs9_challengePassword,
                                          MBSTRING_ASC,
                                          (unsigned char *) b->challenge, -1))
         && X509_REQ_sign(csr, key, EVP_sha256());

    if (!ok) {
        bench_fail("no certification request");
    }

    sk_X509_EXTENSION_pop_free(exts, X509_EXTENSION_free);
    X509_EXTENSION_free(ext);
    X509_NAME_free(name);

    return csr;
}


/* a PKCSReq (RFC 8894, section 3.3.1): AES-128-CBC and SHA-256 */

static unsigned char *
bench_scep(const bench_t *b, bench_request_t *r, X509_REQ *csr, int *len)
{
    BIO              *in;
    unsigned char    *der, random[BENCH_TXN / 2];
    CMS_SignerInfo   *si;
    STACK_OF(X509)   *to;
    CMS_ContentInfo  *cms;

    to = sk_X509_new_null();
    in = BIO_new(BIO_s_mem());

    if (to == NULL || in == NULL || !sk_X509_push(to, b->ra)
        || i2d_X509_REQ_bio(in, csr) != 1
        || RAND_bytes(random, sizeof(random)) != 1
        || RAND_bytes(r->nonce, sizeof(r->nonce)) != 1)
    {
        bench_fail("no message");
    }

    bench_hex(r->txn, random, sizeof(random));

    cms = CMS_encrypt(to, in, EVP_aes_128_cbc(), CMS_BINARY);
    BIO_free(in);
    sk_X509_free(to);

    in = BIO_new(BIO_s_mem());

    if (cms == NULL || in == NULL || i2d_CMS_bio(in, cms) != 1) {
        bench_fail("no envelope");
    }

    CMS_ContentInfo_free(cms);

    cms = CMS_sign(NULL, NULL, NULL, NULL, CMS_PARTIAL|CMS_BINARY);

    si = cms ? CMS_add1_signer(cms, r->who->cert, r->who->key, EVP_sha256(),
                               CMS_BINARY|CMS_NOSMIMECAP)
             : NULL;
    if (si == NULL) {
        bench_fail("no signer");
    }

    bench_attribute(si, "2.16.840.1.113733.1.9.2", V_ASN1_PRINTABLESTRING,
                    "19", 2);
    bench_attribute(si, "2.16.840.1.113733.1.9.5", V_ASN1_OCTET_STRING,
                    r->nonce, BENCH_NONCE);
    bench_attribute(si, "2.16.840.1.113733.1.9.7", V_ASN1_PRINTABLESTRING,
                    r->txn, BENCH_TXN);

    der = NULL;

    if (CMS_final(cms, in, NULL, CMS_BINARY) != 1
        || (*len = i2d_CMS_ContentInfo(cms, &der)) <= 0)
    {
        bench_fail("no message");
    }

    BIO_free(in);
    CMS_ContentInfo_free(cms);

    return der;
}


static void
bench_attribute(CMS_SignerInfo *si, const char *oid, int type,
    const void *data, size_t len)
{
    if (CMS_signed_add1_attr_by_txt(si, oid, type, data, (int) len) != 1) {
        bench_fail("no attribute");
    }
}


static void
bench_http(const bench_t *b, bench_request_t *r, const char *type,
    const void *body, size_t len)
{
    int    n;
    char   auth[512], basic[400];

    auth[0] = '\0';

    if (b->user) {
        if (strlen(b->user) > 256) {
            bench_fail("user and password are too long");
        }

        EVP_EncodeBlock((unsigned char *) basic,
                        (const unsigned char *) b->user,
                        (int) strlen(b->user));
        snprintf(auth, sizeof(auth), "Authorization: Basic %s\r\n", basic);
    }

    if (type) {
        n = asprintf(&r->data,
                     "POST %s HTTP/1.1\r\nHost: localhost\r\n%s"
                     "Content-Type: %s\r\nContent-Length: %zu\r\n\r\n",
                     b->path, auth, type, len);
    } else {
        n = asprintf(&r->data, "GET %s HTTP/1.1\r\nHost: localhost\r\n%s\r\n",
                     b->path, auth);
    }

    if (n < 0) {
        bench_fail("no memory");
    }

    r->len = (size_t) n + len;
    r->data = realloc(r->data, r->len + 1);

    if (r->data == NULL) {
        bench_fail("no memory");
    }

    if (len) {
        memcpy(r->data + n, body, len);
    }
}


static void
bench_hex(char *out, const unsigned char *in, size_t len)
{
    while (len--) {
        out += sprintf(out, "%02X", *in++);
    }
}
