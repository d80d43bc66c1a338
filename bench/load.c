
/*
 * Copyright (C) The nginx-enroll authors
 */


/*
 * A load generator for EST and SCEP.  See usage() and bench/README.md.
 */


#define _GNU_SOURCE

#include <dirent.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/provider.h>

#include "bench.h"


static void bench_enrol_devices(bench_t *b);
static uint64_t bench_pid_cpu(int pid);
static int bench_pid_parent(int pid);
static void bench_report(const bench_t *b, bench_result_t *result);
static X509 *bench_read_cert(const char *file);


static void
usage(FILE *out)
{
    fputs(
"load keys FILE COUNT BITS     a file of RSA keys, for --pool\n"
"load floor SECONDS            the bare operations, CPU time in nanoseconds\n"
"load get|est|reenroll|scep [OPTION...]\n"
"\n"
"  --port N             on 127.0.0.1\n"
"  --tls                the rest are over plain HTTP\n"
"  --path PATH          of the request, with its query\n"
"  --requests N         how many; default 1000\n"
"  --warm N             so many more before the clock starts\n"
"  --connections N      at once; default 16\n"
"  --new                a new connection for each request, else kept ones\n"
"  --pause N            microseconds before each request\n"
"  --hold               in the end: print \"held\", keep all connections\n"
"                       open, and wait for the end of stdin\n"
"  --pool FILE          RSA keys, for requests; else a new P-256 key each\n"
"  --user NAME:PASSWORD HTTP Basic\n"
"  --identities FILE    mutual TLS, with these keys and certificates\n"
"  --devices N          mutual TLS, with so many certificates, which are\n"
"  --enrol PATH         got before by simpleenroll\n"
"  --issuer FILE        the CA's certificate, that answers are checked with\n"
"  --ra FILE            SCEP: who opens the request and signs the answer\n"
"  --challenge TEXT     SCEP: the challengePassword\n"
"  --cpu NAME=PID       CPU time of this process and its children\n", out);
}


void
bench_fail(const char *format, ...)
{
    va_list  args;

    va_start(args, format);
    fputs("load: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);

    ERR_print_errors_fp(stderr);

    exit(1);
}


uint64_t
bench_clock(void)
{
    struct timespec  ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);

    return (uint64_t) ts.tv_sec * 1000000000 + (uint64_t) ts.tv_nsec;
}


static void
bench_options(bench_t *b, int argc, char **argv)
{
    int    c;
    char  *p;

    static const struct option  options[] = {
        { "port", 1, NULL, 'p' },
        { "tls", 0, NULL, 't' },
        { "path", 1, NULL, 'P' },
        { "requests", 1, NULL, 'n' },
        { "warm", 1, NULL, 'w' },
        { "connections", 1, NULL, 'c' },
        { "new", 0, NULL, 'N' },
        { "pause", 1, NULL, 's' },
        { "hold", 0, NULL, 'h' },
        { "pool", 1, NULL, 'k' },
        { "user", 1, NULL, 'u' },
        { "identities", 1, NULL, 'I' },
        { "devices", 1, NULL, 'd' },
        { "enrol", 1, NULL, 'e' },
        { "issuer", 1, NULL, 'i' },
        { "ra", 1, NULL, 'r' },
        { "challenge", 1, NULL, 'C' },
        { "cpu", 1, NULL, 'U' },
        { NULL, 0, NULL, 0 }
    };

    b->requests = 1000;
    b->connections = 16;

    while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {

        switch (c) {
        case 'p': b->port = atoi(optarg); break;
        case 't': b->tls = 1; break;
        case 'P': b->path = optarg; break;
        case 'n': b->requests = strtoul(optarg, NULL, 10); break;
        case 'w': b->warm = strtoul(optarg, NULL, 10); break;
        case 'c': b->connections = strtoul(optarg, NULL, 10); break;
        case 'N': b->fresh = 1; break;
        case 's': b->pause = atol(optarg); break;
        case 'h': b->hold = 1; break;
        case 'k':
            b->pool = bench_pool_read(optarg, &b->npool);
            b->rsa = 1;
            break;
        case 'u': b->user = optarg; break;
        case 'I': b->devices = bench_pool_read(optarg, &b->ndevices); break;
        case 'd': b->ndevices = strtoul(optarg, NULL, 10); break;
        case 'e': b->enrol = optarg; break;
        case 'i': b->issuer = bench_read_cert(optarg); break;
        case 'r': b->ra = bench_read_cert(optarg); break;
        case 'C': b->challenge = optarg; break;

        case 'U':
            p = strchr(optarg, '=');

            if (p == NULL || b->npids == BENCH_PIDS) {
                bench_fail("--cpu is NAME=PID, and no more than %d of them",
                           BENCH_PIDS);
            }

            *p = '\0';
            b->pids[b->npids].name = optarg;
            b->pids[b->npids++].pid = atoi(p + 1);
            break;

        default:
            usage(stderr);
            exit(2);
        }
    }

    if (b->port == 0 || b->path == NULL || b->requests == 0
        || b->connections == 0)
    {
        bench_fail("--port and --path are needed");
    }

    if (b->op != BENCH_GET && b->issuer == NULL) {
        bench_fail("--issuer is needed");
    }

    if (b->op == BENCH_SCEP && (b->ra == NULL || b->pool == NULL)) {
        bench_fail("scep needs --ra and --pool");
    }

    if (b->op == BENCH_REENROLL && b->ndevices == 0) {
        bench_fail("reenroll needs --devices");
    }

    if (b->ndevices && !b->devices && (b->enrol == NULL || b->issuer == NULL)) {
        bench_fail("--devices needs --enrol and --issuer");
    }

    if (b->pause && b->connections > 1) {
        bench_fail("--pause is for one connection");
    }
}


int
main(int argc, char **argv)
{
    bench_t           b;
    size_t            i;
    uint64_t          before[BENCH_PIDS];
    bench_result_t    warm, result;
    bench_request_t  *requests;

    memset(&b, 0, sizeof(bench_t));
    memset(&warm, 0, sizeof(bench_result_t));
    memset(&result, 0, sizeof(bench_result_t));

    /* the peer answers with single DES */

    OSSL_PROVIDER_load(NULL, "default");
    OSSL_PROVIDER_load(NULL, "legacy");
    ERR_clear_error();

    if (argc == 5 && strcmp(argv[1], "keys") == 0) {
        bench_pool_make(argv[2], strtoul(argv[3], NULL, 10), atoi(argv[4]));
        return 0;
    }

    if (argc == 3 && strcmp(argv[1], "floor") == 0) {
        bench_floor(atof(argv[2]));
        return 0;
    }

    if (argc > 1 && strcmp(argv[1], "get") == 0) {
        b.op = BENCH_GET;

    } else if (argc > 1 && strcmp(argv[1], "est") == 0) {
        b.op = BENCH_EST;

    } else if (argc > 1 && strcmp(argv[1], "reenroll") == 0) {
        b.op = BENCH_REENROLL;

    } else if (argc > 1 && strcmp(argv[1], "scep") == 0) {
        b.op = BENCH_SCEP;

    } else {
        usage(stderr);
        return 2;
    }

    bench_options(&b, argc - 1, argv + 1);

    if (b.ndevices && b.devices == NULL) {
        bench_enrol_devices(&b);
    }

    result.latency = calloc(b.requests, sizeof(uint64_t));

    if (result.latency == NULL) {
        bench_fail("no memory");
    }

    requests = bench_requests(&b, b.warm + b.requests);

    if (b.warm) {
        bench_run(&b, requests, b.warm, &warm);
    }

    puts("running");
    fflush(stdout);

    for (i = 0; i < b.npids; i++) {
        before[i] = bench_pid_cpu(b.pids[i].pid);
    }

    bench_run(&b, requests + b.warm, b.requests, &result);

    /* what the server has yet to clean up is of these requests, too */

    usleep(20000);

    for (i = 0; i < b.npids; i++) {
        result.cpu[i] = bench_pid_cpu(b.pids[i].pid) - before[i];
    }

    if (b.hold) {
        puts("held");
        fflush(stdout);

        while (getchar() != EOF) { /* void */ }
    }

    bench_report(&b, &result);

    return 0;
}


/* devices that have a certificate each, for mutual TLS */

static void
bench_enrol_devices(bench_t *b)
{
    size_t            i;
    bench_t           enrol;
    bench_result_t    result;
    bench_sample_t   *s;
    bench_request_t  *requests;

    if (b->ndevices > BENCH_SAMPLES) {
        bench_fail("no more than %d devices", BENCH_SAMPLES);
    }

    enrol = *b;
    enrol.op = BENCH_EST;
    enrol.path = b->enrol;
    enrol.ndevices = 0;
    enrol.devices = NULL;

    /* keys of their own, which have to be known here */

    enrol.npool = b->ndevices;
    enrol.pool = calloc(b->ndevices, sizeof(bench_identity_t));
    enrol.rsa = 1;

    if (enrol.pool == NULL) {
        bench_fail("no memory");
    }

    for (i = 0; i < enrol.npool; i++) {
        enrol.pool[i].key = EVP_EC_gen("P-256");
    }

    memset(&result, 0, sizeof(bench_result_t));
    requests = bench_requests(&enrol, b->ndevices);

    for (i = 0; i < b->ndevices; i++) {
        requests[i].who = &enrol.pool[i];
    }

    /* whose certificates they do not have yet: no mutual TLS */

    bench_run(&enrol, requests, b->ndevices, &result);

    if (result.nsamples != b->ndevices) {
        bench_fail("only %zu of %zu devices could be enrolled",
                   result.nsamples, b->ndevices);
    }

    for (i = 0; i < result.nsamples; i++) {
        s = &result.samples[i];

        s->request->who->cert = bench_est_certificate(s->body, s->len);

        if (s->request->who->cert == NULL) {
            bench_fail("no certificate for a device");
        }

        free(s->body);
    }

    bench_run_end();
    bench_requests_free(requests, b->ndevices);

    b->devices = enrol.pool;
}


/* of a process and its children, with their threads, in nanoseconds */

static uint64_t
bench_pid_cpu(int pid)
{
    DIR              *dir;
    int               child;
    uint64_t          cpu;
    clockid_t         clock;
    struct dirent    *entry;
    struct timespec   ts;

    if (clock_getcpuclockid(pid, &clock) != 0
        || clock_gettime(clock, &ts) != 0)
    {
        return 0;
    }

    cpu = (uint64_t) ts.tv_sec * 1000000000 + (uint64_t) ts.tv_nsec;

    dir = opendir("/proc");

    while (dir && (entry = readdir(dir)) != NULL) {
        child = atoi(entry->d_name);

        if (child && bench_pid_parent(child) == pid) {
            cpu += bench_pid_cpu(child);
        }
    }

    if (dir) {
        closedir(dir);
    }

    return cpu;
}


static int
bench_pid_parent(int pid)
{
    int    parent;
    char   name[64], text[512], *p;
    FILE  *f;

    snprintf(name, sizeof(name), "/proc/%d/stat", pid);

    f = fopen(name, "r");
    if (f == NULL) {
        return 0;
    }

    parent = 0;

    if (fgets(text, sizeof(text), f)) {
        p = strrchr(text, ')');
        parent = p ? atoi(p + 4) : 0;
    }

    fclose(f);

    return parent;
}


static int
bench_latency_cmp(const void *one, const void *two)
{
    uint64_t  a = *(const uint64_t *) one, b = *(const uint64_t *) two;

    return (a > b) - (a < b);
}


static void
bench_report(const bench_t *b, bench_result_t *result)
{
    size_t       i, bad;
    const char  *why;

    bad = 0;

    if (b->op != BENCH_GET) {
        for (i = 0; i < result->nsamples; i++) {
            if (!bench_check(b, &result->samples[i], &why)) {
                if (bad++ == 0) {
                    fprintf(stderr, "load: %s\n", why);
                    ERR_print_errors_fp(stderr);
                }
            }
        }
    }

    printf("good %zu\nfailed %zu\nrefused %zu\nconnects %zu\n"
           "seconds %.6f\noctets %zu\n",
           result->good, result->failed, result->refused, result->connects,
           (double) result->elapsed / 1e9, result->octets);

    if (b->op != BENCH_GET) {
        printf("checked %zu\nbad %zu\n", result->nsamples, bad);
    }

    if (result->good) {
        qsort(result->latency, result->good, sizeof(uint64_t),
              bench_latency_cmp);

        printf("p50 %.6f\np99 %.6f\nmax %.6f\n",
               (double) result->latency[result->good / 2] / 1e9,
               (double) result->latency[result->good * 99 / 100] / 1e9,
               (double) result->latency[result->good - 1] / 1e9);

        for (i = 0; i < b->npids; i++) {
            printf("cpu_%s %.0f\n", b->pids[i].name,
                   (double) result->cpu[i] / (double) result->good);
        }
    }
}


static X509 *
bench_read_cert(const char *file)
{
    FILE  *f;
    X509  *x;

    f = fopen(file, "r");
    x = f ? PEM_read_X509(f, NULL, NULL, NULL) : NULL;

    if (x == NULL) {
        bench_fail("no certificate in \"%s\"", file);
    }

    fclose(f);

    return x;
}
