
/*
 * Copyright (C) The nginx-enroll authors
 */


/*
 * hiredis's asynchronous context on nginx's event loop
 */


#ifndef _NGX_ENROLL_HIREDIS_H_INCLUDED_
#define _NGX_ENROLL_HIREDIS_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>

#include <hiredis/hiredis.h>
#include <hiredis/async.h>


/* what we read is small: octets not yet parsed, elements of a flat array */

#define NGX_ENROLL_HIREDIS_REPLY_MAX     (1024 * 1024)
#define NGX_ENROLL_HIREDIS_ELEMENTS_MAX  64


/*
 * The connection is of no more use, for the reason given: nginx closes it by
 * force, or the other side does, or speaks out of turn.  The owner has to
 * call redisAsyncFree().
 */

typedef void (*ngx_enroll_hiredis_close_pt)(redisAsyncContext *ac,
    const char *reason);


/*
 * To be called before any callback of the context is set; the context's
 * redisAsyncFree() undoes it.  The log must live as long as the context.
 */

ngx_int_t ngx_enroll_hiredis_attach(redisAsyncContext *ac, ngx_log_t *log,
    ngx_enroll_hiredis_close_pt close);


#endif /* _NGX_ENROLL_HIREDIS_H_INCLUDED_ */
