
/*
 * Copyright (C) The nginx-enroll authors
 */


/*
 * What a location says of itself, as JSON: what it serves, whether it is well,
 * how it is set up.  The core tells of CA, profile, store and limits; a
 * protocol adds what is its own.
 */


#ifndef _NGX_HTTP_ENROLL_PAGES_H_INCLUDED_
#define _NGX_HTTP_ENROLL_PAGES_H_INCLUDED_


#include "ngx_http_enroll.h"


/* as "enroll_pages" names them, a set of bits; the lowest is nginx's own */

#define NGX_HTTP_ENROLL_PAGE_DISCOVERY      0x0002
#define NGX_HTTP_ENROLL_PAGE_INFO           0x0004
#define NGX_HTTP_ENROLL_PAGE_HEALTH         0x0008
#define NGX_HTTP_ENROLL_PAGE_CONFIGURATION  0x0010
#define NGX_HTTP_ENROLL_PAGE_ALL            0x001e
#define NGX_HTTP_ENROLL_PAGE_OFF            0x0020


/* where a protocol is asked for its own */

typedef enum {
    NGX_HTTP_ENROLL_PART_OPERATIONS = 0,   /* elements of an array */
    NGX_HTTP_ENROLL_PART_CAPABILITIES,     /* members of an object, and below */
    NGX_HTTP_ENROLL_PART_INFO,
    NGX_HTTP_ENROLL_PART_SETTINGS,
    NGX_HTTP_ENROLL_PART_EXAMPLES
} ngx_http_enroll_part_e;


typedef struct ngx_http_enroll_page_s  ngx_http_enroll_page_t;


typedef struct {
    ngx_http_enroll_protocol_t     protocol;   /* for the way of a request */
    const char                    *realm;      /* of a 401 */
    ngx_uint_t                     root;       /* discovery is the location's
                                                  root, not "discovery" */
    ngx_uint_t                     ra;         /* the RA has to be valid */
    void                         (*describe)(ngx_http_request_t *r,
                                       ngx_http_enroll_request_t *er,
                                       ngx_http_enroll_page_t *page,
                                       ngx_http_enroll_part_e part);
} ngx_http_enroll_pages_t;


/* er->message */

struct ngx_http_enroll_page_s {
    const ngx_http_enroll_pages_t  *pages;
    ngx_uint_t                      kind;
    ngx_str_t                       url;       /* of the location, without a
                                                  slash at its end */
    enroll_json_text_t              json;
    unsigned                        live:1;    /* health: that we answer */
    unsigned                        trial:1;   /* the key is tried again */
    unsigned                        redis:1;   /* it has answered */
};


/*
 * Whether the request is for a page that this location has; rest is what
 * follows the location's prefix.  NGX_OK: er is that page's from here, and
 * er->operation its name; NGX_DECLINED; NGX_ERROR
 */

ngx_int_t ngx_http_enroll_page(ngx_http_request_t *r,
    ngx_http_enroll_request_t *er, const ngx_http_enroll_pages_t *pages,
    ngx_str_t *rest);

/*
 * Answers, once the protocol has let the client have the page; er->ca and
 * er->profile are set.  Returns what a content handler returns.
 */

ngx_int_t ngx_http_enroll_page_start(ngx_http_request_t *r,
    ngx_http_enroll_request_t *er);

#define ngx_http_enroll_page_kind(er)                                         \
    (((ngx_http_enroll_page_t *) (er)->message)->kind)

/* for the table of ngx_http_enroll_pages_t */

enroll_outcome_e ngx_http_enroll_page_decode(ngx_http_enroll_request_t *er,
    ngx_str_t *body);
ngx_int_t ngx_http_enroll_page_answer(ngx_http_request_t *r,
    ngx_http_enroll_request_t *er);
void ngx_http_enroll_page_free(ngx_http_enroll_request_t *er);

/*
 * What keeps the location from issuing at the moment, the first of it, or
 * ENROLL_OK
 */

enroll_outcome_e ngx_http_enroll_page_trouble(ngx_http_enroll_request_t *er,
    ngx_http_enroll_page_t *page);

/* whether the RA is inside its dates: what decrypts, and what signs */

ngx_uint_t ngx_http_enroll_page_ra(ngx_http_enroll_request_t *er);

/* a string of a format, to page->json, of at most some 4k */

void ngx_http_enroll_page_text(ngx_http_enroll_page_t *page, const char *name,
    const char *fmt, ...);

/* how a command asks for a key that the profile takes */

typedef struct {
    u_char                          openssl[64];     /* behind -newkey */
    u_char                          strongswan[64];  /* behind --gen, or
                                                        empty */
    ngx_uint_t                      tls;             /* clients can renew */
} ngx_http_enroll_page_key_t;


void ngx_http_enroll_page_key(ngx_http_enroll_request_t *er,
    ngx_http_enroll_page_key_t *key);

/* the smallest RSA key of at least so many bits that is taken, or 0 */

ngx_uint_t ngx_http_enroll_page_rsa(ngx_http_enroll_request_t *er,
    ngx_uint_t bits);

/* what a kind of client can do here: "no" is a text, or NULL where it can */

void ngx_http_enroll_page_client(ngx_http_enroll_page_t *page,
    const char *name, const char *no);


#endif /* _NGX_HTTP_ENROLL_PAGES_H_INCLUDED_ */
