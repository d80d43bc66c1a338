
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


#define NGX_ENROLL_LEASE_LEN          32   /* hex digits of a random token */
#define NGX_ENROLL_DIGEST_HEX         64   /* of a SHA-256 */
#define NGX_ENROLL_CHALLENGE_ID       16   /* the first ones of its digest */
#define NGX_ENROLL_STORE_FAIL_KEYS    4    /* in one command */
#define NGX_ENROLL_STORE_LIST         100  /* the longest list */
#define NGX_ENROLL_STORE_USES         1000 /* of a challenge, at most */
#define NGX_ENROLL_STORE_CHALLENGES   100000    /* of a CA at a time */


typedef enum {
    NGX_ENROLL_STORE_DOWN = 0,    /* no answer: nothing is known */
    NGX_ENROLL_STORE_ADMITTED,    /* admit, poll: go on, the lease is yours */
    NGX_ENROLL_STORE_WAIT,        /* admit, poll: another has the lease, ask
                                     again; failures: so many are tried */
    NGX_ENROLL_STORE_DONE,        /* admit, poll: here is the certificate */
    NGX_ENROLL_STORE_REVOKED,     /* admit: the requester's certificate is */
    NGX_ENROLL_STORE_UNRECORDED,  /* admit: it is not known */
    NGX_ENROLL_STORE_PROFILE,     /* admit: it is of another profile */
    NGX_ENROLL_STORE_RECORDED,    /* record: it is safe to give out */
    NGX_ENROLL_STORE_LOST,        /* record, release: the lease is not yours */
    NGX_ENROLL_STORE_RELEASED,    /* release */

    NGX_ENROLL_STORE_REPLAYED,    /* admit: the nonce was another request's,
                                     or the poll id is */
    NGX_ENROLL_STORE_CHALLENGE_UNKNOWN,   /* admit, poll: or expired, used up,
                                             deleted */
    NGX_ENROLL_STORE_CHALLENGE_BOUND,     /* admit: to something else */
    NGX_ENROLL_STORE_PENDING,     /* admit, poll: it waits for approval */
    NGX_ENROLL_STORE_FULL,        /* admit: too many wait; mint: too many */
    NGX_ENROLL_STORE_DENIED,      /* admit, poll */
    NGX_ENROLL_STORE_UNKNOWN,     /* poll, lookup, delete, decide */
    NGX_ENROLL_STORE_FOUND,       /* lookup */
    NGX_ENROLL_STORE_MINTED,      /* mint */
    NGX_ENROLL_STORE_LISTED,      /* both lists */
    NGX_ENROLL_STORE_DECIDED,     /* decide: also the same decision again */
    NGX_ENROLL_STORE_CONFLICT,    /* decide: it was decided otherwise; mint:
                                     there is one of this id */
    NGX_ENROLL_STORE_DELETED,     /* delete */
    NGX_ENROLL_STORE_BELOW,       /* failures: none has reached the limit, a
                                     try is reserved */
    NGX_ENROLL_STORE_LIMITED,     /* failures: one has */
    NGX_ENROLL_STORE_NOTED,       /* refused */
    NGX_ENROLL_STORE_TOTALS       /* totals */
} ngx_enroll_store_e;


/* of one CA, by all nodes, since Redis began to count */

typedef struct {
    ngx_uint_t           issued;
    ngx_uint_t           renewed;
    ngx_uint_t           total;
    ngx_uint_t           challenges;   /* that may still be used */
    ngx_uint_t           waiting;      /* for approval */
} ngx_enroll_store_totals_t;


/* all but the result is valid during the handler's call only */

typedef struct {
    ngx_enroll_store_e   result;

    /* of DONE and FOUND, as they were recorded */

    ngx_str_t            cert;         /* DER */
    ngx_str_t            requester;    /* also of ADMITTED by poll */
    ngx_str_t            profile;      /* also of ADMITTED by poll */
    ngx_str_t            key_digest;   /* hex; also of ADMITTED by poll */
    ngx_str_t            status;       /* of FOUND: "valid", "revoked" */

    /* of ADMITTED by poll, stored also of DONE by it */

    ngx_str_t            stored;       /* as it was given to admit */
    ngx_str_t            id;           /* of the transaction, hex; to be
                                          recorded or released by */

    /* of MINTED */

    int64_t              expires;      /* ms since the epoch */

    /* of LISTED */

    ngx_uint_t           total;        /* how many there are, listed or not */
    ngx_str_t            list;         /* for ngx_enroll_store_next() */

    ngx_enroll_store_totals_t  totals; /* of TOTALS */
} ngx_enroll_store_reply_t;


typedef void (*ngx_enroll_store_handler_pt)(void *data,
    ngx_enroll_store_reply_t *reply);


/* the fields of an entry of the audit, as ngx_enroll_audit_fields has them */

typedef enum {
    NGX_ENROLL_AUDIT_ID = 0,           /* "ms-n": when it was written */
    NGX_ENROLL_AUDIT_EVENT,            /* the verb's */
    NGX_ENROLL_AUDIT_REASON,           /* of what was refused */
    NGX_ENROLL_AUDIT_PROTOCOL,
    NGX_ENROLL_AUDIT_OPERATION,
    NGX_ENROLL_AUDIT_LOCATION,
    NGX_ENROLL_AUDIT_PROFILE,
    NGX_ENROLL_AUDIT_AUTH,
    NGX_ENROLL_AUDIT_IDENTITY,
    NGX_ENROLL_AUDIT_REQUESTER,
    NGX_ENROLL_AUDIT_ADDRESS,
    NGX_ENROLL_AUDIT_SUBJECT,
    NGX_ENROLL_AUDIT_SAN,
    NGX_ENROLL_AUDIT_KEY,
    NGX_ENROLL_AUDIT_KEY_DIGEST,
    NGX_ENROLL_AUDIT_SERIAL,
    NGX_ENROLL_AUDIT_REPLACES,
    NGX_ENROLL_AUDIT_TRANSACTION,
    NGX_ENROLL_AUDIT_CHALLENGE,        /* its id; the verb's */
    NGX_ENROLL_AUDIT_LABEL,
    NGX_ENROLL_AUDIT_BY,               /* who minted, deleted, decided */
    NGX_ENROLL_AUDIT_FIELDS
} ngx_enroll_store_audit_e;


extern const char  *ngx_enroll_audit_fields[];


/*
 * What a verb that changes something writes into the audit with it.  Empty
 * values are left out, long ones cut.
 */

typedef struct {
    ngx_uint_t           entries;      /* about so many are kept; 0: this
                                          one is not written */
    ngx_str_t            value[NGX_ENROLL_AUDIT_FIELDS];
} ngx_enroll_store_audit_t;


/* what an approver sees, and what is issued from once it is approved */

typedef struct {
    ngx_str_t            requester;
    ngx_str_t            protocol;
    ngx_str_t            operation;
    ngx_str_t            location;
    ngx_str_t            poll;         /* any octets, or empty: what poll will
                                          ask for */
    ngx_str_t            stored;       /* any octets: what poll will get, until
                                          record's repeat is over */
    ngx_msec_t           lifetime;     /* of the waiting */
    ngx_uint_t           per_location; /* how many may wait */
    ngx_uint_t           per_address;
    ngx_str_t            network;      /* what the address is counted by */
    ngx_enroll_store_audit_t  *audit;  /* of the waiting */
} ngx_enroll_store_approval_t;


typedef struct {
    ngx_str_t            ca;
    ngx_str_t            id;           /* of the transaction, hex */
    ngx_str_t            lease;        /* NGX_ENROLL_LEASE_LEN */
    ngx_msec_t           lease_time;

    /* the serial of the requester's certificate, if it is this CA's */

    ngx_str_t            serial;       /* hex, or empty */
    unsigned             unrecorded:1; /* it need not be known */

    /* all of what follows may be left out */

    ngx_str_t            nonce;        /* any octets */
    ngx_msec_t           nonce_time;   /* how long it is known again */

    ngx_str_t            challenge;    /* SHA-256 in hex, lower-case */
    ngx_enroll_store_approval_t  *approval;   /* NULL: none is asked for */

    /*
     * What is asked for: to be compared with what the challenge is bound to,
     * to be seen by an approver.  As text; record has the same ones.
     */

    ngx_str_t            subject;
    ngx_str_t            san;
    ngx_str_t            key;          /* "ec:P-256" */
    ngx_str_t            key_digest;   /* hex */
    ngx_str_t            profile;      /* empty: that of the requester's
                                          certificate may be any */
    ngx_str_t            address;      /* where it comes from */
} ngx_enroll_store_admit_t;


typedef struct {
    ngx_str_t            ca;
    ngx_str_t            poll;         /* as approval.poll was */
    ngx_str_t            key_digest;   /* hex, of who asks; not the request's
                                          key: UNKNOWN */
    ngx_str_t            lease;
    ngx_msec_t           lease_time;
} ngx_enroll_store_poll_t;


typedef struct {
    ngx_str_t            ca;
    ngx_str_t            digest;       /* SHA-256 in hex, lower-case */
    ngx_msec_t           lifetime;
    ngx_uint_t           uses;         /* 1 to NGX_ENROLL_STORE_USES */
    ngx_str_t            label;        /* for people */
    ngx_str_t            by;           /* whom it was minted by */

    /* bindings, empty: to none; the text must be that of admit */

    ngx_str_t            subject;
    ngx_str_t            san;
    ngx_str_t            key_digest;
    ngx_str_t            profile;
    ngx_str_t            address;

    ngx_enroll_store_audit_t  *audit;
} ngx_enroll_store_mint_t;


typedef struct {
    ngx_str_t            ca;
    ngx_str_t            id;           /* of the transaction */
    ngx_msec_t           lifetime;     /* how long the decision is known */
    ngx_str_t            by;
    unsigned             approve:1;    /* else it is denied */
    ngx_enroll_store_audit_t  *audit;
} ngx_enroll_store_decide_t;


typedef struct {
    ngx_str_t            ca;
    ngx_str_t            keys[NGX_ENROLL_STORE_FAIL_KEYS];  /* any octets */
    ngx_uint_t           nkeys;
    ngx_msec_t           window;       /* begins with the first failure */
    ngx_uint_t           limit;
    ngx_str_t            id;           /* of the try */
    ngx_msec_t           time;         /* what is not over then is */
    unsigned             over:1;       /* else it begins */
    ngx_uint_t           failed;       /* over: as a failure of so many of the
                                          keys, the first ones */
} ngx_enroll_store_failures_t;


/* the fields of the lists, in their order */

typedef enum {
    NGX_ENROLL_CHALLENGE_FIELD_ID = 0,
    NGX_ENROLL_CHALLENGE_LABEL,
    NGX_ENROLL_CHALLENGE_BY,
    NGX_ENROLL_CHALLENGE_SUBJECT,
    NGX_ENROLL_CHALLENGE_SAN,
    NGX_ENROLL_CHALLENGE_KEY_DIGEST,
    NGX_ENROLL_CHALLENGE_PROFILE,
    NGX_ENROLL_CHALLENGE_ADDRESS,
    NGX_ENROLL_CHALLENGE_USES,         /* left */
    NGX_ENROLL_CHALLENGE_CREATED,      /* ms since the epoch */
    NGX_ENROLL_CHALLENGE_EXPIRES,
    NGX_ENROLL_CHALLENGE_FIELDS
} ngx_enroll_store_challenge_e;


typedef enum {
    NGX_ENROLL_PENDING_ID = 0,
    NGX_ENROLL_PENDING_SUBJECT,
    NGX_ENROLL_PENDING_SAN,
    NGX_ENROLL_PENDING_KEY,
    NGX_ENROLL_PENDING_KEY_DIGEST,
    NGX_ENROLL_PENDING_REQUESTER,
    NGX_ENROLL_PENDING_PROTOCOL,
    NGX_ENROLL_PENDING_OPERATION,
    NGX_ENROLL_PENDING_LOCATION,
    NGX_ENROLL_PENDING_PROFILE,
    NGX_ENROLL_PENDING_ADDRESS,
    NGX_ENROLL_PENDING_CREATED,        /* ms since the epoch */
    NGX_ENROLL_PENDING_EXPIRES,
    NGX_ENROLL_PENDING_FIELDS
} ngx_enroll_store_pending_e;


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
    ngx_enroll_store_audit_t  *audit;
} ngx_enroll_store_record_t;


/*
 * Each: NGX_OK, and the handler will be called once, later, with data;
 * NGX_DECLINED where the store is away, the handler is not called then.
 * What is pointed to is copied before they return.  What changes something
 * writes its audit in the same moment.
 *
 * admit: the requester's certificate is known and not revoked; the
 * transaction is new (a lease on it is taken), in work by another, or done.
 * Then the nonce; then the challenge, one use of which is reserved until
 * record takes it, release gives it back or the lease ends.  With approval a
 * new transaction waits for its approver, and keeps the use meanwhile.
 */

ngx_int_t ngx_enroll_store_admit(ngx_enroll_redis_t *redis,
    ngx_enroll_store_admit_t *admit, ngx_enroll_store_handler_pt handler,
    void *data);

/* record: only with the lease; certificate, transaction, counters, indexes */

ngx_int_t ngx_enroll_store_record(ngx_enroll_redis_t *redis,
    ngx_enroll_store_record_t *record, ngx_enroll_store_handler_pt handler,
    void *data);

/*
 * release: gives the lease back, so that a repeat need not wait for its end;
 * what was approved stays approved
 */

ngx_int_t ngx_enroll_store_release(ngx_enroll_redis_t *redis, ngx_str_t *ca,
    ngx_str_t *id, ngx_str_t *lease, ngx_enroll_store_handler_pt handler,
    void *data);

/* poll: what has become of a request that waited */

ngx_int_t ngx_enroll_store_poll(ngx_enroll_redis_t *redis,
    ngx_enroll_store_poll_t *poll, ngx_enroll_store_handler_pt handler,
    void *data);

/* lookup: a certificate by its serial (hex), FOUND or UNKNOWN */

ngx_int_t ngx_enroll_store_lookup(ngx_enroll_redis_t *redis, ngx_str_t *ca,
    ngx_str_t *serial, ngx_enroll_store_handler_pt handler, void *data);

/*
 * failures: a try is BELOW (and counts until it is over), LIMITED, or has to
 * WAIT for others of the same keys
 */

ngx_int_t ngx_enroll_store_failures(ngx_enroll_redis_t *redis,
    ngx_enroll_store_failures_t *failures,
    ngx_enroll_store_handler_pt handler, void *data);

/* mint: a one-time challenge, by its digest: MINTED, FULL, CONFLICT */

ngx_int_t ngx_enroll_store_challenge_mint(ngx_enroll_redis_t *redis,
    ngx_enroll_store_mint_t *mint, ngx_enroll_store_handler_pt handler,
    void *data);

/* lists: LISTED, the newest first, NGX_ENROLL_STORE_LIST at most */

ngx_int_t ngx_enroll_store_challenge_list(ngx_enroll_redis_t *redis,
    ngx_str_t *ca, ngx_enroll_store_handler_pt handler, void *data);
ngx_int_t ngx_enroll_store_pending_list(ngx_enroll_redis_t *redis,
    ngx_str_t *ca, ngx_enroll_store_handler_pt handler, void *data);

/* delete: by NGX_ENROLL_CHALLENGE_ID hex digits: DELETED, UNKNOWN */

ngx_int_t ngx_enroll_store_challenge_delete(ngx_enroll_redis_t *redis,
    ngx_str_t *ca, ngx_str_t *id, ngx_enroll_store_audit_t *audit,
    ngx_enroll_store_handler_pt handler, void *data);

/* decide: DECIDED, UNKNOWN, CONFLICT */

ngx_int_t ngx_enroll_store_pending_decide(ngx_enroll_redis_t *redis,
    ngx_enroll_store_decide_t *decide, ngx_enroll_store_handler_pt handler,
    void *data);

/* refused: an entry of the audit, and nothing else: NOTED */

ngx_int_t ngx_enroll_store_refused(ngx_enroll_redis_t *redis, ngx_str_t *ca,
    ngx_enroll_store_audit_t *audit, ngx_enroll_store_handler_pt handler,
    void *data);

/* totals: TOTALS */

ngx_int_t ngx_enroll_store_totals(ngx_enroll_redis_t *redis, ngx_str_t *ca,
    ngx_enroll_store_handler_pt handler, void *data);

/*
 * audit_list: LISTED, the oldest first: limit entries at most, fewer where they
 * are long.  since: an entry's id, those behind it; ms since the epoch, those
 * from then on; empty, all.
 */

ngx_int_t ngx_enroll_store_audit_list(ngx_enroll_redis_t *redis, ngx_str_t *ca,
    ngx_str_t *since, ngx_uint_t limit, ngx_enroll_store_handler_pt handler,
    void *data);

/*
 * The next entry of reply->list, which shrinks: n fields; NGX_DONE at its
 * end, NGX_ERROR where it is no list of such entries.
 */

ngx_int_t ngx_enroll_store_next(ngx_str_t *list, ngx_str_t *fields,
    ngx_uint_t n);


#endif /* _NGX_ENROLL_STORE_H_INCLUDED_ */
