
/*
 * Copyright (C) The nginx-enroll authors
 */


/*
 * What the protocol modules may know of the core.  The three modules are one
 * build: NGX_HTTP_ENROLL_ABI, made of the sizes of what they share, is
 * compared at start.
 */


#ifndef _NGX_HTTP_ENROLL_H_INCLUDED_
#define _NGX_HTTP_ENROLL_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include <openssl/evp.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "enroll_bag.h"
#include "enroll_ca.h"
#include "enroll_csr.h"
#include "enroll_csrattrs.h"
#include "enroll_encoding.h"
#include "enroll_issue.h"
#include "enroll_json_write.h"
#include "enroll_names.h"
#include "enroll_outcome.h"
#include "enroll_profile.h"
#include "enroll_san.h"
#include "enroll_scep.h"
#include "enroll_text.h"

#include "ngx_enroll_store.h"


/* what must be the same in three files that are loaded apart */

#define NGX_HTTP_ENROLL_ABI                                                   \
    (((((sizeof(ngx_http_enroll_request_t) * 4099                             \
         + sizeof(ngx_http_enroll_protocol_t)) * 4099                         \
        + sizeof(ngx_http_enroll_endpoint_t)) * 4099                          \
       + sizeof(ngx_http_enroll_ca_t)) * 4099                                 \
      + sizeof(ngx_http_enroll_profile_t)) * 4099                             \
     + sizeof(ngx_http_enroll_loc_conf_t))

#define NGX_HTTP_ENROLL_VERSION   "0.1.0"

#define NGX_HTTP_ENROLL_SAN_SET   0x8000     /* "san" was given */


typedef struct ngx_http_enroll_request_s  ngx_http_enroll_request_t;


typedef struct {
    ngx_str_t                     name;
    ngx_uint_t                    index;      /* among the CAs */
    enroll_ca_t                   pki;
    u_char                        key_digest[ENROLL_DIGEST_LEN];
    enroll_ra_t                   ra;         /* sign_key NULL: none */

    /* of this worker: the key did not sign; when it was tried again */

    ngx_uint_t                    unusable;
    ngx_msec_t                    tried;

    /* as configured */

    ngx_str_t                     certificate;
    ngx_str_t                     certificate_key;
    ngx_str_t                     password_file;
    ngx_str_t                     previous_certificate;
    ngx_str_t                     next_certificate;
    ngx_array_t                  *ra_certificate;        /* of ngx_str_t */
    ngx_array_t                  *ra_certificate_key;
    ngx_str_t                     ra_encryption_certificate;
    ngx_str_t                     ra_encryption_certificate_key;
} ngx_http_enroll_ca_t;


typedef struct {
    ngx_str_t                     name;
    enroll_profile_t              pki;
    ngx_array_t                  *subject;    /* of ngx_http_enroll_rdn_t;
                                                 NULL: the request's */
    ngx_array_t                  *san;        /* of ngx_http_enroll_san_t */

    /* as configured */

    time_t                        validity;
    time_t                        backdate;
    time_t                        renew_before;
    ngx_uint_t                    renew_copy;
    ngx_uint_t                    renew_any;  /* certificates of any profile */
    ngx_uint_t                    rsa_full;   /* also whether it is prime */
    ngx_uint_t                    san_set;
} ngx_http_enroll_profile_t;


typedef struct {
    ngx_array_t                   cas;        /* ngx_http_enroll_ca_t * */
    ngx_array_t                   profiles;   /* ngx_http_enroll_profile_t * */
    ngx_http_enroll_profile_t    *profile;    /* the built-in one */
    ngx_enroll_redis_t           *redis;
    ngx_thread_pool_t            *thread_pool;
    ngx_uint_t                    audit;      /* entries kept; 0: none */
    struct ngx_http_enroll_endpoint_s  *endpoint;   /* the first location
                                                       that issues */
    ngx_shm_zone_t               *status_zone;        /* NULL: no endpoint */
    size_t                        status_size;
} ngx_http_enroll_main_conf_t;


#define NGX_HTTP_ENROLL_NAMES_IDENTITY   0
#define NGX_HTTP_ENROLL_NAMES_ANY        1


typedef struct {
    ngx_uint_t                    names;
    size_t                        max_body_size;
    ngx_msec_t                    timeout;
    ngx_uint_t                    approval;   /* 1: "manual" */
    ngx_uint_t                    approval_set;
    ngx_msec_t                    pending;    /* how long a request waits */
    ngx_uint_t                    pending_max;
    ngx_uint_t                    pending_per_address;
    ngx_uint_t                    pages;      /* NGX_HTTP_ENROLL_PAGE_... */
} ngx_http_enroll_loc_conf_t;


/* "est CA [profile=NAME]" and its like, in a location */

typedef struct ngx_http_enroll_endpoint_s {
    ngx_http_complex_value_t     *ca_value;   /* NULL: not in this location */
    ngx_http_complex_value_t     *profile_value;
    ngx_http_enroll_ca_t         *ca;         /* where the name is constant */
    ngx_http_enroll_profile_t    *profile;
    ngx_str_t                     location;   /* its name */
    ngx_uint_t                    prefix;     /* length of the URI to skip;
                                                 0: up to the last slash */
    u_char                       *file;       /* of the directive */
    ngx_uint_t                    line;
} ngx_http_enroll_endpoint_t;


/* one line of a password file */

typedef struct {
    ngx_str_t                     user;
    ngx_str_t                     hash;       /* NUL-terminated */
} ngx_http_enroll_user_t;


/* a protocol: what it makes of a request and of an outcome */

typedef struct {
    ngx_str_t                     name;

    /*
     * The steps that are a protocol's own; each gives ENROLL_OK or the reason
     * of refusal.  decode, on the event loop: body, of er->pool, to er->csr
     * or er->message.  open, on a thread, into er->result: what takes keys to
     * know.  authorize, on the event loop: who asks, where open had to tell.
     * reopen, on a thread: er->stored, what decode left there of a request
     * that then waited, to er->reopened; its key is to be the poller's.
     * encode, on a thread: er->encoding to er->reply.  All but decode may be
     * NULL.
     */

    enroll_outcome_e            (*decode)(ngx_http_enroll_request_t *er,
                                    ngx_str_t *body);
    void                        (*open)(ngx_http_enroll_request_t *er);
    enroll_outcome_e            (*authorize)(ngx_http_enroll_request_t *er);
    void                        (*reopen)(ngx_http_enroll_request_t *er);
    void                        (*encode)(ngx_http_enroll_request_t *er);

    /*
     * sends the answer to er->outcome: header and body, by
     * ngx_http_enroll_send(); returns as the output filters do
     */

    ngx_int_t                   (*answer)(ngx_http_request_t *r,
                                    ngx_http_enroll_request_t *er);

    /* frees er->message; may be NULL */

    void                        (*free)(ngx_http_enroll_request_t *er);
} ngx_http_enroll_protocol_t;


/* what is wanted */

typedef enum {
    NGX_HTTP_ENROLL_ISSUE = 0,    /* a certificate for er->csr */
    NGX_HTTP_ENROLL_POLL,         /* what has become of er->poll */
    NGX_HTTP_ENROLL_LOOKUP,       /* the certificate er->number */
    NGX_HTTP_ENROLL_ASK           /* nothing to issue: what er->ask() asks */
} ngx_http_enroll_intent_e;


typedef enum {
    NGX_HTTP_ENROLL_NOBODY = 0,
    NGX_HTTP_ENROLL_BASIC,
    NGX_HTTP_ENROLL_CERTIFICATE,
    NGX_HTTP_ENROLL_CHALLENGE
} ngx_http_enroll_auth_e;


/* what the time of a request is spent on */

typedef enum {
    NGX_HTTP_ENROLL_TIME_AUTHORISE = 0,
    NGX_HTTP_ENROLL_TIME_DECODE,
    NGX_HTTP_ENROLL_TIME_ADMIT,
    NGX_HTTP_ENROLL_TIME_SIGN,
    NGX_HTTP_ENROLL_TIME_RECORD,
    NGX_HTTP_ENROLL_TIME_ENCODE,
    NGX_HTTP_ENROLL_TIMES
} ngx_http_enroll_time_e;


/*
 * The request, as it travels.  It has a pool of its own and outlives the
 * HTTP request where a job or the store still has it.  Each step fills in
 * its own part.
 */

struct ngx_http_enroll_request_s {
    ngx_pool_t                         *pool;
    ngx_http_request_t                 *request;  /* NULL: answered or gone */
    const ngx_http_enroll_protocol_t   *protocol;
    ngx_http_enroll_main_conf_t        *emcf;
    ngx_http_enroll_loc_conf_t         *elcf;
    ngx_http_enroll_endpoint_t         *endpoint;
    ngx_http_enroll_ca_t               *ca;
    ngx_http_enroll_profile_t          *profile;
    ngx_str_t                           operation;
    enroll_outcome_e                    outcome;
    enroll_outcome_e                    encoding;     /* what encode is to say:
                                                         outcome may change */
    enroll_outcome_e                    told;         /* when answered */

    /* set by the protocol's module */

    ngx_http_enroll_intent_e            intent;
    ngx_int_t                         (*ask)(ngx_http_enroll_request_t *er);
                                                   /* returns as the store's
                                                      verbs do, or NGX_DONE:
                                                      the outcome stands */
    ngx_msec_t                          repeat;
    ngx_str_t                           context;      /* part of what makes
                                                         requests the same */
    ngx_str_t                           nonce;        /* any octets */
    ngx_str_t                           challenge;    /* one-time: its digest
                                                         in hex */
    ngx_str_t                           poll;         /* any octets */
    ngx_str_t                           poll_key;     /* of who asks: digest
                                                         in hex */
    ngx_str_t                           stored;       /* any octets: of poll,
                                                         for reopen */
    ngx_str_t                           number;       /* a serial, in hex */

    /*
     * At the limit of any of these nothing is opened; failures are counted
     * for the first fail_count of them, that is, for whom it is proven to be
     */

    ngx_str_t                           fail_keys[2];
    ngx_uint_t                          fail_n;
    ngx_uint_t                          fail_count;
    ngx_uint_t                          failures;     /* 0: any number */
    ngx_msec_t                          failures_time;
    ngx_uint_t                          legacy;       /* digests in CSRs,
                                                         ENROLL_LEGACY_… */
    unsigned                            tried:1;      /* and not over yet */
    unsigned                            unrecorded:1;
    unsigned                            linked:1;     /* PoP was linked */

    /* access */

    ngx_http_enroll_auth_e              auth;
    ngx_str_t                           identity;     /* of the asker */
    ngx_str_t                           requester;    /* the same, unique */
    ngx_str_t                           user;         /* by password */
    X509                               *cert;         /* the asker's */
    ngx_http_enroll_ca_t               *cert_ca;      /* another of ours that
                                                         issued cert */
    ngx_str_t                           address;
    X509                               *signer;       /* one of ours, of a
                                                         message that open may
                                                         have failed at; the
                                                         protocol's */
    unsigned                            proven:1;     /* by a certificate, a
                                                         password, a challenge
                                                         that is right */
    unsigned                            admin:1;      /* asks the API */
    unsigned                            renewal:1;    /* cert is this CA's */
    unsigned                            subset:1;     /* fewer SANs will do */

    /* of ngx_http_enroll_user_t; NULL: no password is to be checked */

    ngx_array_t                        *users;
    ngx_str_t                           password;

    /* decode, open, check */

    void                               *message;      /* the protocol's */
    enroll_csr_t                       *csr;          /* set by no thread:
                                                         logs may read it
                                                         meanwhile */
    enroll_csr_t                       *reopened;     /* csr, once the job is
                                                         done */
    enroll_names_t                      names;
    time_t                              now;

    /* admit, sign, record */

    ngx_str_t                           id;
    ngx_str_t                           lease;
    enroll_cert_t                       issued;       /* now or before */
    ngx_str_t                           subject;      /* its own */

    /* encode */

    ngx_str_t                           reply;        /* to be freed by
                                                         OPENSSL_free() */

    /* the machine */

    ngx_uint_t                          step;
    enroll_outcome_e                    result;       /* of a job */
    char                                error[128];   /* OpenSSL's, of a job */
    ngx_queue_t                         queue;        /* for a hash */
    ngx_atomic_t                        abandoned;    /* a hash is of no use */
    ngx_event_t                         deadline;
    ngx_event_t                         retry;
    ngx_msec_t                          wait;
    unsigned                            attached:1;   /* r->pool knows it */
    unsigned                            busy:1;       /* a job or the store
                                                         will come back */
    unsigned                            queued:1;
    unsigned                            hashing:1;
    unsigned                            leased:1;
    unsigned                            recorded:1;
    unsigned                            checked:1;    /* names are made */

    /* for the figures */

    unsigned                            legacy_used;  /* ENROLL_LEGACY_… */
    uint64_t                            clock;        /* ns, of the last lap */
    uint64_t                            spent[NGX_HTTP_ENROLL_TIMES];
    ngx_http_enroll_time_e              lap;          /* what it is spent on */
    ngx_uint_t                          laps;         /* a set of bits */
};


/* configuration */

char *ngx_http_enroll_endpoint(ngx_conf_t *cf,
    ngx_http_enroll_endpoint_t *endpoint);
char *ngx_http_enroll_endpoint_init(ngx_conf_t *cf,
    ngx_http_enroll_endpoint_t *endpoint);

/*
 * For merging: "if" and "limit_except" have the endpoint of what they are in,
 * and its handler.  1 if this is one of them, else 0.
 */

ngx_uint_t ngx_http_enroll_endpoint_inherit(ngx_conf_t *cf,
    ngx_http_enroll_endpoint_t *prev, ngx_http_enroll_endpoint_t *endpoint,
    ngx_http_handler_pt handler);
ngx_int_t ngx_http_enroll_read_file(ngx_conf_t *cf, ngx_str_t *name,
    ngx_str_t *content);
char *ngx_http_enroll_users_slot(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_enroll_certs_slot(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

/*
 * The CA and profile that the location names for this request: ENROLL_OK and
 * er->ca, er->profile, else ENROLL_NO_CA, ENROLL_NO_PROFILE
 */

enroll_outcome_e ngx_http_enroll_find(ngx_http_request_t *r,
    ngx_http_enroll_request_t *er);

/* what follows the location's prefix in the URI; len 0 where nothing does */

void ngx_http_enroll_rest(ngx_http_request_t *r,
    ngx_http_enroll_endpoint_t *endpoint, ngx_str_t *rest);

/* the request's life */

ngx_http_enroll_request_t *ngx_http_enroll_create(ngx_http_request_t *r,
    const ngx_http_enroll_protocol_t *protocol,
    ngx_http_enroll_endpoint_t *endpoint);

/*
 * Ends the request here and now with an outcome, which goes to the log and to
 * the client.  Returns what a content handler returns.
 */

ngx_int_t ngx_http_enroll_end(ngx_http_request_t *r,
    ngx_http_enroll_request_t *er, enroll_outcome_e outcome);

/*
 * Reads the body and takes the request through all further steps.  Returns
 * what a content handler returns.
 */

ngx_int_t ngx_http_enroll_start(ngx_http_request_t *r,
    ngx_http_enroll_request_t *er);

/* who is asking */

enroll_outcome_e ngx_http_enroll_certificate(ngx_http_request_t *r,
    ngx_http_enroll_request_t *er, STACK_OF(X509) *issuers);
ngx_int_t ngx_http_enroll_is(ngx_http_enroll_request_t *er, X509 *x);

/*
 * The CA of this configuration that issued x, or NULL; issuer: who did, where
 * that is known, else signatures are verified
 */

ngx_http_enroll_ca_t *ngx_http_enroll_ca_of(ngx_http_enroll_main_conf_t *emcf,
    X509 *x, X509 *issuer);
ngx_int_t ngx_http_enroll_basic(ngx_http_request_t *r,
    ngx_http_enroll_request_t *er, ngx_array_t *users);

/*
 * The text of an address, where IPv4 in IPv6 is IPv4; with network, that by
 * which it is counted: whoever has one IPv6 address has a /64 of them
 */

ngx_int_t ngx_http_enroll_address(ngx_pool_t *pool, struct sockaddr *sockaddr,
    socklen_t socklen, ngx_uint_t network, ngx_str_t *text);

/* the first header of a request that has this name, in lower case, or NULL */

ngx_str_t *ngx_http_enroll_header_in(ngx_http_request_t *r, const char *name);

/* answers */

ngx_int_t ngx_http_enroll_header(ngx_http_request_t *r, const char *name,
    ngx_str_t *value);
ngx_int_t ngx_http_enroll_send(ngx_http_request_t *r, ngx_uint_t status,
    const char *type, ngx_str_t *body);
ngx_int_t ngx_http_enroll_send_refusal(ngx_http_request_t *r,
    ngx_http_enroll_request_t *er);

/* lower-case hex, of a pool; a certificate's serial, in upper-case hex */

ngx_int_t ngx_http_enroll_hex(ngx_pool_t *pool, ngx_str_t *hex, u_char *data,
    size_t len);
ngx_int_t ngx_http_enroll_serial(ngx_pool_t *pool, ngx_str_t *text,
    const X509 *x);


extern ngx_module_t  ngx_http_enroll_module;
extern ngx_uint_t    ngx_http_enroll_abi;


#endif /* _NGX_HTTP_ENROLL_H_INCLUDED_ */
