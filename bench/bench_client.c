
/*
 * Copyright (C) The nginx-enroll authors
 */


/*
 * The connections: one thread, epoll, and each connection sends its next
 * request when it has the answer to the one before.
 */


#define _GNU_SOURCE

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"


#define BENCH_BUFFER  65536
#define BENCH_WAIT    30             /* seconds without any answer: the end */


typedef enum {
    BENCH_OFF = 0,
    BENCH_CONNECT,
    BENCH_HANDSHAKE,
    BENCH_WRITE,
    BENCH_READ
} bench_state_e;


typedef struct {
    int               fd;
    bench_state_e     state;
    SSL              *ssl;
    bench_request_t  *request;
    uint64_t          start;
    size_t            sent;
    char             *in;
    size_t            len;
    int               used;          /* it has answered before */
    int               last;          /* "Connection: close" */
} bench_conn_t;


typedef struct {
    const bench_t    *b;
    bench_result_t   *result;
    SSL_CTX          *tls;
    int               epoll;
    bench_conn_t     *conns;
    bench_request_t  *requests;
    size_t            n;
    size_t            next;
    size_t            done;
    size_t            good;
    size_t            every;         /* which answers are kept */
} bench_loop_t;


typedef struct {
    int               status;
    const char       *body;
    size_t            len;
    int               close;
} bench_answer_t;


static void bench_connect(bench_loop_t *l, bench_conn_t *c);
static void bench_close(bench_conn_t *c);
static void bench_next(bench_loop_t *l, bench_conn_t *c);
static void bench_drive(bench_loop_t *l, bench_conn_t *c);
static int bench_step(bench_loop_t *l, bench_conn_t *c);
static int bench_io(bench_conn_t *c, ssize_t n);
static void bench_answered(bench_loop_t *l, bench_conn_t *c,
    bench_answer_t *a);
static void bench_lost(bench_loop_t *l, bench_conn_t *c);
static int bench_parse(bench_conn_t *c, bench_answer_t *a);
static int bench_chunks(char *p, const char *end, size_t *len);


static volatile sig_atomic_t  bench_stop;

/* they live from the warm-up until the end of the run */

static bench_conn_t          *bench_conns;
static size_t                 bench_nconns;
static SSL_CTX               *bench_tls;
static int                    bench_epoll = -1;


static void
bench_signal(int signo)
{
    bench_stop = signo;
}


void
bench_run(const bench_t *b, bench_request_t *requests, size_t n,
    bench_result_t *result)
{
    int                 i, nevents;
    size_t              k;
    uint64_t            start;
    bench_loop_t        l;
    struct epoll_event  events[256];

    signal(SIGPIPE, SIG_IGN);
    signal(SIGTERM, bench_signal);

    if (bench_tls == NULL) {
        bench_tls = SSL_CTX_new(TLS_client_method());
        bench_epoll = epoll_create1(0);

        if (bench_tls == NULL || bench_epoll == -1) {
            bench_fail("no memory");
        }

        SSL_CTX_set_session_cache_mode(bench_tls, SSL_SESS_CACHE_OFF);
        SSL_CTX_set_mode(bench_tls, SSL_MODE_RELEASE_BUFFERS);
    }

    if (bench_conns == NULL) {
        bench_nconns = b->connections;
        bench_conns = calloc(bench_nconns, sizeof(bench_conn_t));

        if (bench_conns == NULL) {
            bench_fail("no memory");
        }
    }

    memset(&l, 0, sizeof(bench_loop_t));

    l.b = b;
    l.result = result;
    l.tls = bench_tls;
    l.epoll = bench_epoll;
    l.conns = bench_conns;
    l.requests = requests;
    l.n = n;
    l.every = n / BENCH_SAMPLES + 1;

    start = bench_clock();

    for (k = 0; k < b->connections; k++) {
        bench_next(&l, &l.conns[k]);
        bench_drive(&l, &l.conns[k]);
    }

    while (l.done < n && !bench_stop) {

        nevents = epoll_wait(l.epoll, events, 256, BENCH_WAIT * 1000);

        if (nevents == 0) {
            fprintf(stderr, "load: no answer in %d s\n", BENCH_WAIT);
            result->failed += n - l.done;
            break;
        }

        for (i = 0; i < nevents; i++) {
            bench_drive(&l, events[i].data.ptr);
        }
    }

    result->elapsed = bench_clock() - start;
    result->good = l.good;
}


void
bench_run_end(void)
{
    size_t  k;

    for (k = 0; k < bench_nconns; k++) {
        bench_close(&bench_conns[k]);
        free(bench_conns[k].in);
    }

    free(bench_conns);
    bench_conns = NULL;
}


static void
bench_next(bench_loop_t *l, bench_conn_t *c)
{
    struct timespec  ts;

    if (l->b->fresh || c->last) {
        bench_close(c);
    }

    if (l->next == l->n || bench_stop) {
        c->request = NULL;
        return;
    }

    c->request = &l->requests[l->next++];
    c->sent = 0;
    c->len = 0;

    if (l->b->pause) {
        ts.tv_sec = l->b->pause / 1000000;
        ts.tv_nsec = l->b->pause % 1000000 * 1000;
        nanosleep(&ts, NULL);
    }

    c->start = bench_clock();

    if (c->state == BENCH_OFF) {
        bench_connect(l, c);
        return;
    }

    c->state = BENCH_WRITE;
}


static void
bench_connect(bench_loop_t *l, bench_conn_t *c)
{
    int                 one;
    struct sockaddr_in  sin;
    struct epoll_event  ev;

    memset(&sin, 0, sizeof(struct sockaddr_in));
    sin.sin_family = AF_INET;
    sin.sin_port = htons((uint16_t) l->b->port);
    sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);

    c->fd = socket(AF_INET, SOCK_STREAM|SOCK_NONBLOCK, 0);

    if (c->fd == -1) {
        bench_fail("socket(): %s", strerror(errno));
    }

    one = 1;
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));

    if (connect(c->fd, (struct sockaddr *) &sin, sizeof(sin)) == -1
        && errno != EINPROGRESS)
    {
        bench_fail("connect(): %s", strerror(errno));
    }

    l->result->connects++;

    c->state = BENCH_CONNECT;
    c->used = 0;
    c->last = 0;

    if (c->in == NULL) {
        c->in = malloc(BENCH_BUFFER);

        if (c->in == NULL) {
            bench_fail("no memory");
        }
    }

    if (l->b->tls) {
        c->ssl = SSL_new(l->tls);

        if (c->ssl == NULL || !SSL_set_fd(c->ssl, c->fd)) {
            bench_fail("no TLS");
        }

        if (c->request->who && c->request->who->cert
            && (!SSL_use_certificate(c->ssl, c->request->who->cert)
                || !SSL_use_PrivateKey(c->ssl, c->request->who->key)))
        {
            bench_fail("no client certificate");
        }

        SSL_set_connect_state(c->ssl);
    }

    ev.events = EPOLLIN|EPOLLOUT|EPOLLRDHUP|EPOLLET;
    ev.data.ptr = c;

    if (epoll_ctl(l->epoll, EPOLL_CTL_ADD, c->fd, &ev) == -1) {
        bench_fail("epoll_ctl(): %s", strerror(errno));
    }
}


static void
bench_close(bench_conn_t *c)
{
    if (c->state == BENCH_OFF) {
        return;
    }

    if (c->ssl) {
        SSL_set_quiet_shutdown(c->ssl, 1);
        SSL_free(c->ssl);
        c->ssl = NULL;
    }

    close(c->fd);
    c->state = BENCH_OFF;
}


/* as far as it goes without waiting */

static void
bench_drive(bench_loop_t *l, bench_conn_t *c)
{
    while (c->request && bench_step(l, c)) { /* void */ }
}


/* 1: it went on, 0: it waits or has ended */

static int
bench_step(bench_loop_t *l, bench_conn_t *c)
{
    int             err, rc;
    ssize_t         n;
    socklen_t       len;
    bench_answer_t  answer;

    switch (c->state) {

    case BENCH_CONNECT:
        len = sizeof(err);

        if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &err, &len) == -1 || err) {
            bench_lost(l, c);
            return 0;
        }

        c->state = c->ssl ? BENCH_HANDSHAKE : BENCH_WRITE;
        return 1;

    case BENCH_HANDSHAKE:
        rc = SSL_do_handshake(c->ssl);

        if (rc == 1) {
            c->state = BENCH_WRITE;
            return 1;
        }

        if (bench_io(c, rc) != 0) {
            bench_lost(l, c);
        }

        return 0;

    case BENCH_WRITE:
        n = c->ssl ? SSL_write(c->ssl, c->request->data + c->sent,
                               (int) (c->request->len - c->sent))
                   : send(c->fd, c->request->data + c->sent,
                          c->request->len - c->sent, 0);
        if (n > 0) {
            c->sent += (size_t) n;

            if (c->sent == c->request->len) {
                c->state = BENCH_READ;
            }

            return 1;
        }

        if (bench_io(c, n) != 0) {
            bench_lost(l, c);
        }

        return 0;

    case BENCH_READ:
        n = c->ssl ? SSL_read(c->ssl, c->in + c->len,
                              (int) (BENCH_BUFFER - 1 - c->len))
                   : recv(c->fd, c->in + c->len, BENCH_BUFFER - 1 - c->len, 0);

        if (n <= 0) {
            if (n == 0 && c->ssl == NULL) {
                bench_lost(l, c);

            } else if (bench_io(c, n) != 0) {
                bench_lost(l, c);
            }

            return 0;
        }

        c->len += (size_t) n;
        c->in[c->len] = '\0';

        rc = bench_parse(c, &answer);

        if (rc == 0) {
            return c->len < BENCH_BUFFER - 1;
        }

        if (rc < 0) {
            bench_lost(l, c);
            return 0;
        }

        bench_answered(l, c, &answer);

        /* a new connection is waited for */

        return c->state == BENCH_WRITE;

    default: /* BENCH_OFF */
        return 0;
    }
}


/* 0 where the connection has to wait, -1 where it is lost */

static int
bench_io(bench_conn_t *c, ssize_t n)
{
    int  err;

    if (c->ssl == NULL) {
        return (errno == EAGAIN) ? 0 : -1;
    }

    err = SSL_get_error(c->ssl, (int) n);

    return (err == SSL_ERROR_WANT_READ || err == SSL_ERROR_WANT_WRITE) ? 0
                                                                       : -1;
}


static void
bench_answered(bench_loop_t *l, bench_conn_t *c, bench_answer_t *a)
{
    uint64_t         now;
    bench_sample_t  *s;
    bench_result_t  *result;

    now = bench_clock();
    result = l->result;

    if (a->status != 200
        || (l->b->op == BENCH_SCEP
            && !bench_scep_success((unsigned char *) a->body, a->len)))
    {
        if (result->failed++ == 0) {
            fprintf(stderr, "load: refused: %.*s\n",
                    a->status == 200 ? 15 : (int) (c->len < 600 ? c->len : 600),
                    c->in);
        }

        result->refused++;

    } else {
        if (result->latency) {
            result->latency[l->good] = now - c->start;
        }

        result->octets = a->len;

        if (l->good++ % l->every == 0 && result->nsamples < BENCH_SAMPLES) {
            s = &result->samples[result->nsamples++];
            s->request = c->request;
            s->len = a->len;
            s->body = malloc(a->len + 1);

            if (s->body == NULL) {
                bench_fail("no memory");
            }

            memcpy(s->body, a->body, a->len);
        }
    }

    l->done++;
    c->used = 1;
    c->last = a->close;

    bench_next(l, c);
}


/* a kept connection that ends before it answers was idle for the server */

static void
bench_lost(bench_loop_t *l, bench_conn_t *c)
{
    int               again;
    bench_request_t  *request;

    again = c->used && c->len == 0;
    request = c->request;

    bench_close(c);

    if (again) {
        c->sent = 0;
        c->request = request;
        bench_connect(l, c);
        return;
    }

    if (l->result->failed++ == 0) {
        fprintf(stderr, "load: a connection was lost\n");
    }

    l->done++;
    bench_next(l, c);
}


/* 1 and *a, 0: it is not whole yet, -1: this is no HTTP */

static int
bench_parse(bench_conn_t *c, bench_answer_t *a)
{
    int      chunked;
    char    *p, *end, *body;
    size_t   len, known;

    body = memmem(c->in, c->len, "\r\n\r\n", 4);

    if (body == NULL) {
        return 0;
    }

    if (c->len < 12 || memcmp(c->in, "HTTP/1.1 ", 9) != 0) {
        return -1;
    }

    a->status = atoi(c->in + 9);
    a->close = 0;
    chunked = 0;
    known = 0;
    len = 0;

    for (p = c->in; p < body; p = end) {
        p = memmem(p, (size_t) (body + 2 - p), "\r\n", 2);

        if (p == NULL || p == body) {
            break;
        }

        p += 2;
        end = memmem(p, (size_t) (body + 2 - p), "\r\n", 2);

        if (strncasecmp(p, "Content-Length:", 15) == 0) {
            len = strtoul(p + 15, NULL, 10);
            known = 1;

        } else if (strncasecmp(p, "Connection: close", 17) == 0) {
            a->close = 1;

        } else if (strncasecmp(p, "Transfer-Encoding: chunked", 26) == 0) {
            chunked = 1;
        }
    }

    body += 4;
    a->body = body;

    if (chunked) {
        if (!bench_chunks(body, c->in + c->len, &a->len)) {
            return 0;
        }

        return 1;
    }

    if (!known) {
        return -1;
    }

    a->len = len;

    return (size_t) (c->in + c->len - body) >= len;
}


/*
 * 1 and the length where all chunks are there, which are then put together
 * in place
 */

static int
bench_chunks(char *p, const char *end, size_t *len)
{
    int      pass;
    char    *q, *out, *data;
    size_t   n;

    for (pass = 0; pass < 2; pass++) {
        out = p;
        q = p;

        for ( ;; ) {
            data = memmem(q, (size_t) (end - q), "\r\n", 2);

            if (data == NULL) {
                return 0;
            }

            n = strtoul(q, NULL, 16);
            data += 2;

            if ((size_t) (end - data) < n + 2) {
                return 0;
            }

            if (n == 0) {
                break;
            }

            if (pass) {
                memmove(out, data, n);
            }

            out += n;
            q = data + n + 2;
        }

        *len = (size_t) (out - p);
    }

    return 1;
}
