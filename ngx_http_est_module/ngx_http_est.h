
/*
 * Copyright (C) The nginx-enroll authors
 */


#ifndef _NGX_HTTP_EST_H_INCLUDED_
#define _NGX_HTTP_EST_H_INCLUDED_


#include "ngx_http_enroll_pages.h"


#define NGX_HTTP_EST_AUTH_ANY           0
#define NGX_HTTP_EST_AUTH_CERTIFICATE   1
#define NGX_HTTP_EST_AUTH_BASIC         2
#define NGX_HTTP_EST_AUTH_BOTH          3
#define NGX_HTTP_EST_AUTH_NONE          4

#define NGX_HTTP_EST_REALM              "Basic realm=\"EST\""

#define NGX_HTTP_EST_LINE               64    /* columns, for old clients */


typedef enum {
    NGX_HTTP_EST_CACERTS = 0,
    NGX_HTTP_EST_CSRATTRS,
    NGX_HTTP_EST_SIMPLEENROLL,
    NGX_HTTP_EST_SIMPLEREENROLL
} ngx_http_est_operation_e;


/* a DER object and its two usual base64 forms */

typedef struct {
    ngx_str_t                     der;
    ngx_str_t                     line;       /* in one line */
    ngx_str_t                     wrapped;    /* in lines of 64 columns */
} ngx_http_est_payload_t;


typedef struct {
    ngx_http_est_payload_t       *cacerts;    /* by the index of the CA */
} ngx_http_est_main_conf_t;


typedef struct {
    ngx_http_enroll_endpoint_t    endpoint;
    ngx_uint_t                    named;      /* "location @name" */
    ngx_uint_t                    auth;
    ngx_array_t                  *users;      /* of ngx_http_enroll_user_t */
    STACK_OF(X509)               *client_ca;
    ngx_flag_t                    unrecorded;
    ngx_flag_t                    debug;
    ngx_msec_t                    repeat;
    ngx_http_complex_value_t     *wrap;
    ngx_array_t                  *csrattrs;   /* of ngx_str_t, or NULL: auto */
    ngx_http_est_payload_t       *attrs;      /* where they are constant */
} ngx_http_est_loc_conf_t;


/* the words of est_auth */

extern ngx_conf_enum_t  ngx_http_est_auth[];

/* handler */

ngx_int_t ngx_http_est_access_handler(ngx_http_request_t *r);
ngx_int_t ngx_http_est_handler(ngx_http_request_t *r);
ngx_int_t ngx_http_est_operation(ngx_str_t *name);

/*
 * The one place that decides whether the asker is somebody: ENROLL_OK with
 * a certificate accepted, or a password noted for the check on a thread, or
 * where nobody in particular may ask.  auth: as est_auth has it
 */

enroll_outcome_e ngx_http_est_authenticate(ngx_http_request_t *r,
    ngx_http_enroll_request_t *er, ngx_http_est_loc_conf_t *eslcf,
    ngx_uint_t auth);

/*
 * The CsrAttrs of a location for a profile: NGX_OK, NGX_DECLINED where there
 * is nothing to say, NGX_ERROR; what is allocated is of the pool
 */

ngx_int_t ngx_http_est_csrattrs(ngx_pool_t *pool,
    ngx_http_est_loc_conf_t *eslcf, ngx_http_enroll_profile_t *profile,
    ngx_http_est_payload_t *payload);

/* pages */

extern const ngx_http_enroll_pages_t  ngx_http_est_pages;

ngx_int_t ngx_http_est_page(ngx_http_request_t *r,
    ngx_http_enroll_request_t *er, ngx_http_est_loc_conf_t *eslcf);

/* codec */

extern const char  *ngx_http_est_types[];      /* of requests; NULL ends it */

extern const ngx_http_enroll_protocol_t  ngx_http_est_protocol;

ngx_int_t ngx_http_est_payload(ngx_pool_t *pool,
    ngx_http_est_payload_t *payload, u_char *der, size_t len);

/*
 * 1: a type that a request may have, 0: one that is not known, -1: one that
 * is plainly something else
 */

ngx_int_t ngx_http_est_media_type(ngx_http_request_t *r);


extern ngx_module_t  ngx_http_est_module;


#endif /* _NGX_HTTP_EST_H_INCLUDED_ */
