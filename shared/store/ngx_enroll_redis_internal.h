
/*
 * Copyright (C) The nginx-enroll authors
 */


/*
 * What the files of ngx_enroll_redis_*.c share
 */


#ifndef _NGX_ENROLL_REDIS_INTERNAL_H_INCLUDED_
#define _NGX_ENROLL_REDIS_INTERNAL_H_INCLUDED_


#include "ngx_enroll_hiredis.h"
#include "ngx_enroll_redis.h"


#define NGX_ENROLL_REDIS_ADDRS      16      /* of one name, at most */
#define NGX_ENROLL_REDIS_ERROR_LEN  256     /* of Redis's text in the log */


typedef enum {
    NGX_ENROLL_REDIS_STOPPED = 0,
    NGX_ENROLL_REDIS_IDLE,          /* may connect at once */
    NGX_ENROLL_REDIS_BACKOFF,       /* may not, until the timer is up */
    NGX_ENROLL_REDIS_RESOLVING,
    NGX_ENROLL_REDIS_CONNECTING,    /* up to the last reply of the handshake */
    NGX_ENROLL_REDIS_READY
} ngx_enroll_redis_state_e;


/* each trouble is told aloud once, until all is well again */

typedef enum {
    NGX_ENROLL_REDIS_AWAY = 1,      /* no connection */
    NGX_ENROLL_REDIS_REFUSED = 2,   /* AUTH, SELECT or INFO was not granted */
    NGX_ENROLL_REDIS_UNFIT = 4,     /* not a Redis to keep certificates in */
    NGX_ENROLL_REDIS_UNKNOWN = 8    /* its name could not be resolved again */
} ngx_enroll_redis_trouble_e;


typedef struct {
    ngx_str_t                   ca;             /* empty: the system's */
    ngx_str_t                   name;           /* a host's, or an address */
    ngx_str_t                   certificate;    /* ours, or empty */
    ngx_str_t                   certificate_key;
    void                       *ctx;            /* SSL_CTX */
} ngx_enroll_redis_tls_t;


struct ngx_enroll_redis_s {
    /* the ident of an event's data comes after three pointers */

    redisAsyncContext          *ac;
    ngx_log_t                  *log;
    void                       *ssl;            /* of ac, owned by it */
    ngx_socket_t                ident;

    ngx_enroll_redis_state_e    state;
    ngx_event_t                 timer;          /* of the state */
    ngx_msec_t                  since;          /* of being ready */
    ngx_uint_t                  current;        /* address */
    ngx_uint_t                  tried;          /* addresses in this round */
    ngx_uint_t                  failures;       /* rounds in a row */
    ngx_uint_t                  troubles;       /* told */
    long                        tls_result;     /* of a failed start */

    ngx_enroll_redis_watch_pt   watch;

    ngx_resolver_t             *resolver;
    ngx_msec_t                  resolver_timeout;
    ngx_resolver_ctx_t         *resolving;

    /* as configured */

    ngx_str_t                   address;
    ngx_str_t                   host;           /* of address, or empty */
    ngx_uint_t                  numeric;        /* not to be resolved */
    u_char                     *path;           /* of a unix socket, or NULL */
    ngx_uint_t                  port;
    ngx_str_t                   user;
    ngx_str_t                   password;
    ngx_int_t                   db;
    ngx_str_t                   prefix;
    ngx_msec_t                  timeout;
    ngx_enroll_redis_tls_t     *tls;            /* or NULL */

    ngx_uint_t                  naddrs;
    u_char                      addrs[NGX_ENROLL_REDIS_ADDRS]
                                     [NGX_SOCKADDR_STRLEN + 1];
};


/* ngx_enroll_redis.c */

void ngx_enroll_redis_tell(ngx_enroll_redis_t *redis,
    ngx_enroll_redis_event_e event, uint64_t ns);

void ngx_enroll_redis_connect(ngx_enroll_redis_t *redis);
void ngx_enroll_redis_ready(ngx_enroll_redis_t *redis);

/* in a reply's callback without a reply: hiredis is about to free ac */

void ngx_enroll_redis_lost(const redisAsyncContext *ac);

/* gives the connection up; what waits on it is called with NULL */

void ngx_enroll_redis_drop(ngx_enroll_redis_t *redis,
    ngx_enroll_redis_trouble_e trouble, const char *fmt, ...);

/* adds a numeric address; those beyond the last place are ignored */

void ngx_enroll_redis_add_addr(ngx_enroll_redis_t *redis,
    struct sockaddr *sockaddr, socklen_t socklen);


/* ngx_enroll_redis_hello.c: sends the handshake, whose end is "ready" */

ngx_int_t ngx_enroll_redis_hello(ngx_enroll_redis_t *redis);


/* ngx_enroll_redis_tls.c */

/* makes the context; logs and returns NGX_ERROR where that fails */

ngx_int_t ngx_enroll_redis_tls_init(ngx_conf_t *cf,
    ngx_enroll_redis_tls_t *tls);

/* begins with a new connection, before it is attached */

ngx_int_t ngx_enroll_redis_tls_start(ngx_enroll_redis_t *redis,
    redisAsyncContext *ac);

/* why the server's certificate was not accepted, or NULL */

const char *ngx_enroll_redis_tls_error(ngx_enroll_redis_t *redis);


#endif /* _NGX_ENROLL_REDIS_INTERNAL_H_INCLUDED_ */
