
/*
 * Copyright (C) The nginx-enroll authors
 */


/*
 * The API of those who mint challenges and approve of requests: what its
 * files share
 */


#ifndef _NGX_HTTP_ENROLL_API_H_INCLUDED_
#define _NGX_HTTP_ENROLL_API_H_INCLUDED_


#include "ngx_http_enroll_core.h"


#define NGX_HTTP_ENROLL_API_SECRET    16              /* octets, random */
#define NGX_HTTP_ENROLL_API_LIFETIME  (30 * 24 * 3600)   /* s, at most */
#define NGX_HTTP_ENROLL_API_LIMIT     1000            /* entries, at most */


typedef enum {
    NGX_HTTP_ENROLL_API_OPEN = 0,      /* none was named: refused at start */
    NGX_HTTP_ENROLL_API_CERTIFICATE,
    NGX_HTTP_ENROLL_API_BASIC,
    NGX_HTTP_ENROLL_API_ADDRESS,
    NGX_HTTP_ENROLL_API_EXTERNAL
} ngx_http_enroll_api_guard_e;


typedef enum {
    NGX_HTTP_ENROLL_API_JSON = 0,
    NGX_HTTP_ENROLL_API_NDES_UTF16,
    NGX_HTTP_ENROLL_API_NDES_UTF8
} ngx_http_enroll_api_form_e;


typedef enum {
    NGX_HTTP_ENROLL_API_MINT = 0,
    NGX_HTTP_ENROLL_API_CHALLENGES,
    NGX_HTTP_ENROLL_API_DELETE,
    NGX_HTTP_ENROLL_API_REQUESTS,
    NGX_HTTP_ENROLL_API_DECIDE,
    NGX_HTTP_ENROLL_API_AUDIT,
    NGX_HTTP_ENROLL_API_NDES
} ngx_http_enroll_api_operation_e;


typedef struct {
    ngx_http_enroll_endpoint_t        endpoint;
    ngx_http_enroll_api_guard_e       guard;
    ngx_http_enroll_api_form_e        form;
    ngx_uint_t                        unnamed;   /* CA: by "?ca=" alone */
    ngx_msec_t                        lifetime;  /* of a challenge */
    ngx_array_t                      *allow;     /* of ngx_cidr_t, or NULL */
    ngx_array_t                      *users;     /* ngx_http_enroll_user_t */
    STACK_OF(X509)                   *client_ca;
} ngx_http_enroll_api_loc_conf_t;


/* er->message */

typedef struct {
    ngx_http_enroll_api_loc_conf_t   *conf;
    ngx_http_enroll_api_operation_e   operation;
    ngx_str_t                         id;        /* of what it is about */
    ngx_enroll_store_mint_t           mint;
    ngx_uint_t                        approve;
    ngx_str_t                         since;     /* of the audit */
    ngx_uint_t                        limit;
    const char                       *bad;       /* a member's name, or NULL */

    /* the challenge, in hex, until the answer is out */

    u_char                            secret[2 * NGX_HTTP_ENROLL_API_SECRET];

    ngx_str_t                         body;      /* of the answer */
} ngx_http_enroll_api_t;


extern ngx_module_t  ngx_http_enroll_api_module;


/* ngx_http_enroll_api_guard.c: may this client ask, may its page? */

enroll_outcome_e ngx_http_enroll_api_guard(ngx_http_request_t *r,
    ngx_http_enroll_request_t *er, ngx_http_enroll_api_t *api);
enroll_outcome_e ngx_http_enroll_api_write(ngx_http_request_t *r,
    ngx_http_enroll_api_t *api);

/*
 * ngx_http_enroll_api_decode.c: what is asked; whether an id may be one, of
 * so many lower-case hex digits
 */

enroll_outcome_e ngx_http_enroll_api_decode(ngx_http_enroll_request_t *er,
    ngx_str_t *body);
ngx_uint_t ngx_http_enroll_api_id(ngx_str_t *id, size_t min, size_t max);

/* ngx_http_enroll_api.c */

ngx_int_t ngx_http_enroll_api_handler(ngx_http_request_t *r);

/* ngx_http_enroll_api_answer.c: bodies, into api->body */

ngx_int_t ngx_http_enroll_api_minted(ngx_http_enroll_request_t *er,
    int64_t expires);
ngx_int_t ngx_http_enroll_api_done(ngx_http_enroll_request_t *er);
ngx_int_t ngx_http_enroll_api_answer(ngx_http_request_t *r,
    ngx_http_enroll_request_t *er);

/* ngx_http_enroll_api_list.c: lists, into api->body */

ngx_int_t ngx_http_enroll_api_list(ngx_http_enroll_request_t *er,
    ngx_enroll_store_reply_t *reply);


#endif /* _NGX_HTTP_ENROLL_API_H_INCLUDED_ */
