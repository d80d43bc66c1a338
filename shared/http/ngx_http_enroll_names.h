
/*
 * Copyright (C) The nginx-enroll authors
 */


#ifndef _NGX_HTTP_ENROLL_NAMES_H_INCLUDED_
#define _NGX_HTTP_ENROLL_NAMES_H_INCLUDED_


#include "ngx_http_enroll.h"


/* one attribute of a subject template; the value is never parsed again */

typedef struct {
    ASN1_OBJECT                *type;
    ngx_uint_t                  more;      /* in the RDN of the one before */
    ngx_http_complex_value_t    value;
} ngx_http_enroll_rdn_t;


/* one name of a SAN template */

typedef struct {
    unsigned                    kind;
    ngx_http_complex_value_t    value;
} ngx_http_enroll_san_t;


/* the template "CN=$x,O=Example" split into attributes; text is NUL-ended */

char *ngx_http_enroll_subject_compile(ngx_conf_t *cf, ngx_str_t *text,
    ngx_array_t **subject);


#endif /* _NGX_HTTP_ENROLL_NAMES_H_INCLUDED_ */
