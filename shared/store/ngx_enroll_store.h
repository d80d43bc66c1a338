
/*
 * Copyright (C) The nginx-enroll authors
 */


/*
 * The store's verbs.  Each is one round trip and one script, atomic in Redis.
 * The store knows CAs by name, certificates as octets under a serial, and
 * requests as transactions under an opaque id.
 */


#ifndef _NGX_ENROLL_STORE_H_INCLUDED_
#define _NGX_ENROLL_STORE_H_INCLUDED_


#include "ngx_enroll_redis.h"


#define NGX_ENROLL_LEASE_LEN   32       /* hex digits of a random token */


typedef enum {
    NGX_ENROLL_STORE_DOWN = 0,    /* no answer: nothing is known */
    NGX_ENROLL_STORE_ADMITTED,    /* admit: go on, the lease is yours */
    NGX_ENROLL_STORE_WAIT,        /* admit: another has the lease, ask again */
    NGX_ENROLL_STORE_DONE,        /* admit: here is the certificate */
    NGX_ENROLL_STORE_REVOKED,     /* admit: the requester's certificate is */
    NGX_ENROLL_STORE_UNRECORDED,  /* admit: it is not known */
    NGX_ENROLL_STORE_RECORDED,    /* record: it is safe to give out */
    NGX_ENROLL_STORE_LOST,        /* record, release: the lease is not yours */
    NGX_ENROLL_STORE_RELEASED     /* release */
} ngx_enroll_store_e;


typedef struct {
    ngx_enroll_store_e   result;

    /* of DONE, valid during the handler's call only */

    ngx_str_t            cert;         /* DER */
    ngx_str_t            requester;    /* as it was recorded */
    ngx_str_t            profile;
} ngx_enroll_store_reply_t;


typedef void (*ngx_enroll_store_handler_pt)(void *data,
    ngx_enroll_store_reply_t *reply);


typedef struct {
    ngx_str_t            ca;
    ngx_str_t            id;           /* of the transaction, hex */
    ngx_str_t            lease;        /* NGX_ENROLL_LEASE_LEN */
    ngx_msec_t           lease_time;

    /* the serial of the requester's certificate, if it is this CA's */

    ngx_str_t            serial;       /* hex, or empty */
    unsigned             unrecorded:1; /* it need not be known */
} ngx_enroll_store_admit_t;


typedef struct {
    ngx_str_t            ca;
    ngx_str_t            id;
    ngx_str_t            lease;
    ngx_msec_t           repeat;       /* how long the answer is repeated; 0:
                                          not at all */

    ngx_str_t            serial;       /* hex */
    ngx_str_t            cert;         /* DER */
    ngx_str_t            subject;
    ngx_str_t            san;
    ngx_str_t            key;          /* "ec:P-256" */
    ngx_str_t            key_digest;   /* hex */
    ngx_str_t            requester;
    ngx_str_t            protocol;
    ngx_str_t            operation;
    ngx_str_t            profile;
    ngx_str_t            replaces;     /* the renewed one's serial, or empty */
    ngx_str_t            pop_link;     /* "verified" or "absent" */
    time_t               not_before;
    time_t               not_after;
    unsigned             renewal:1;
} ngx_enroll_store_record_t;


/*
 * Each: NGX_OK, and the handler will be called once, later, with data;
 * NGX_DECLINED where the store is away, the handler is not called then.
 * What is pointed to is copied before they return.
 *
 * admit: the requester's certificate is known and not revoked; the
 * transaction is new (a lease on it is taken), in work by another, or done.
 */

ngx_int_t ngx_enroll_store_admit(ngx_enroll_redis_t *redis,
    ngx_enroll_store_admit_t *admit, ngx_enroll_store_handler_pt handler,
    void *data);

/* record: only with the lease; certificate, transaction, counters, indexes */

ngx_int_t ngx_enroll_store_record(ngx_enroll_redis_t *redis,
    ngx_enroll_store_record_t *record, ngx_enroll_store_handler_pt handler,
    void *data);

/* release: gives the lease back, so that a repeat need not wait for its end */

ngx_int_t ngx_enroll_store_release(ngx_enroll_redis_t *redis, ngx_str_t *ca,
    ngx_str_t *id, ngx_str_t *lease, ngx_enroll_store_handler_pt handler,
    void *data);


#endif /* _NGX_ENROLL_STORE_H_INCLUDED_ */
