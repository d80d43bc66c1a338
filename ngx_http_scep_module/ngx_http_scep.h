
/*
 * Copyright (C) The nginx-enroll authors
 */


#ifndef _NGX_HTTP_SCEP_H_INCLUDED_
#define _NGX_HTTP_SCEP_H_INCLUDED_


#include "ngx_http_enroll_pages.h"


#define NGX_HTTP_SCEP_CHALLENGE_OFF       0
#define NGX_HTTP_SCEP_CHALLENGE_STATIC    1
#define NGX_HTTP_SCEP_CHALLENGE_ONE_TIME  2

#define NGX_HTTP_SCEP_CERTS_RA            0
#define NGX_HTTP_SCEP_CERTS_ISSUER        1
#define NGX_HTTP_SCEP_CERTS_CHAIN         2


typedef struct {
    ngx_str_t                    *next_ca;    /* by the index of the CA: the
                                                 answer to GetNextCACert */
} ngx_http_scep_main_conf_t;


typedef struct {
    ngx_http_enroll_endpoint_t    endpoint;
    ngx_uint_t                    ca_certs;
    ngx_uint_t                    challenge;
    u_char                        secret[ENROLL_DIGEST_LEN];  /* its digest */
    ngx_uint_t                    legacy;         /* shifted, see below */
    ngx_flag_t                    unrecorded;
    ngx_flag_t                    debug;
    ngx_flag_t                    chain;
    ngx_msec_t                    repeat;
    ngx_uint_t                    failures;       /* 0: any number */
    ngx_msec_t                    failures_time;
    STACK_OF(X509)               *readers;
} ngx_http_scep_loc_conf_t;


/*
 * What the threads need beside the message, and may not look for themselves:
 * the location's configuration
 */

typedef struct {
    enroll_scep_t                *m;
    ngx_http_scep_loc_conf_t     *conf;
    enroll_ra_t                   ra;         /* without what is expired */
    STACK_OF(X509)               *issuers;    /* that a message may name */
    ngx_http_enroll_ca_t         *reader_ca;  /* of ours; or NULL */
    unsigned                      reader:1;   /* may read any certificate */
} ngx_http_scep_ctx_t;


/* the lowest bit of a bitmask in a configuration is nginx's own */

#define ngx_http_scep_legacy_bits(conf)  ((unsigned) (conf)->legacy >> 1)


ngx_int_t ngx_http_scep_handler(ngx_http_request_t *r);

/*
 * The authority as it is now, to ctx->ra: ENROLL_OK, or why it can neither
 * open nor sign: ENROLL_RA_EXPIRED, ENROLL_CA_EXPIRED
 */

enroll_outcome_e ngx_http_scep_ra(ngx_http_enroll_request_t *er,
    ngx_http_scep_ctx_t *ctx);

/* of the protocol, see ngx_http_enroll_protocol_t */

enroll_outcome_e ngx_http_scep_authorize(ngx_http_enroll_request_t *er);
void ngx_http_scep_reopen(ngx_http_enroll_request_t *er);
void ngx_http_scep_encode(ngx_http_enroll_request_t *er);
ngx_int_t ngx_http_scep_answer(ngx_http_request_t *r,
    ngx_http_enroll_request_t *er);


/* what GetCACaps answers, of at most ENROLL_SCEP_CAPS_LEN; its length */

size_t ngx_http_scep_caps(ngx_http_enroll_request_t *er,
    ngx_http_scep_loc_conf_t *sclcf, u_char *text);

/* what a location says of itself */

ngx_int_t ngx_http_scep_page(ngx_http_request_t *r,
    ngx_http_enroll_request_t *er, ngx_http_scep_loc_conf_t *sclcf);


extern const ngx_http_enroll_pages_t     ngx_http_scep_pages;
extern const ngx_http_enroll_protocol_t  ngx_http_scep_protocol;

/* the words of scep_ca_certs and scep_legacy */

extern ngx_conf_enum_t     ngx_http_scep_ca_certs[];
extern ngx_conf_bitmask_t  ngx_http_scep_legacy_names[];

extern ngx_str_t  ngx_http_scep_get_ca_caps;
extern ngx_str_t  ngx_http_scep_get_ca_cert;
extern ngx_str_t  ngx_http_scep_get_next_ca_cert;
extern ngx_str_t  ngx_http_scep_pki_operation;

extern ngx_module_t  ngx_http_scep_module;


#endif /* _NGX_HTTP_SCEP_H_INCLUDED_ */
