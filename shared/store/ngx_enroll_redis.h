
/*
 * Copyright (C) The nginx-enroll authors
 */


/*
 * Redis on nginx's event loop: one asynchronous, pipelined connection a
 * worker, made anew with back-off when it is lost.
 */


#ifndef _NGX_ENROLL_REDIS_H_INCLUDED_
#define _NGX_ENROLL_REDIS_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>


typedef struct ngx_enroll_redis_s  ngx_enroll_redis_t;


/*
 * A reply as the store's verbs read it.  Valid during the handler's call
 * only.  Where nothing came in time, or the connection was lost, or Redis
 * answered with an error, the handler is called with NULL: the reason is in
 * the log already.
 */

struct redisReply;

typedef void (*ngx_enroll_redis_handler_pt)(void *data,
    struct redisReply *reply);


/* a Lua script, static; its SHA-1 is computed once */

typedef struct {
    const char   *name;           /* for the log */
    const char   *text;
    u_char        sha1[40];
} ngx_enroll_script_t;


/*
 * Parses the arguments of "enroll_redis" (cf->args) into *redis, created in
 * cf->pool: NGX_CONF_OK, NGX_CONF_ERROR after having logged, or a text.
 */

char *ngx_enroll_redis_conf(ngx_conf_t *cf, ngx_enroll_redis_t **redis);

/* what happens, for those who count it; ns: of ANSWERED */

typedef enum {
    NGX_ENROLL_REDIS_CONNECTED = 0,
    NGX_ENROLL_REDIS_NOT_CONNECTED,    /* a try that came to nothing */
    NGX_ENROLL_REDIS_DISCONNECTED,
    NGX_ENROLL_REDIS_SENT,             /* a command; then one of these: */
    NGX_ENROLL_REDIS_ANSWERED,
    NGX_ENROLL_REDIS_FAILED
} ngx_enroll_redis_event_e;


typedef void (*ngx_enroll_redis_watch_pt)(ngx_enroll_redis_event_e event,
    uint64_t ns);

void ngx_enroll_redis_watch(ngx_enroll_redis_t *redis,
    ngx_enroll_redis_watch_pt watch);

/*
 * The resolver to look up a host name again after start; may have no
 * servers, the addresses found at start then serve on
 */

void ngx_enroll_redis_resolver(ngx_enroll_redis_t *redis,
    ngx_resolver_t *resolver, ngx_msec_t timeout);

/* in init_process and exit_process of a worker */

void ngx_enroll_redis_start(ngx_enroll_redis_t *redis, ngx_cycle_t *cycle);
void ngx_enroll_redis_stop(ngx_enroll_redis_t *redis);

/*
 * Runs a script with nkeys keys and then arguments, argc in all; they are
 * copied before it returns.  By EVALSHA, and by EVAL where Redis does not
 * know the script.  NGX_OK: the handler will be called, once, never before
 * this returns.  NGX_DECLINED: Redis is away or not fit, nothing was sent.
 */

ngx_int_t ngx_enroll_redis_eval(ngx_enroll_redis_t *redis,
    ngx_enroll_script_t *script, ngx_uint_t nkeys, ngx_uint_t argc,
    ngx_str_t *argv, ngx_enroll_redis_handler_pt handler, void *data);

/* "PREFIX", to begin every key with */

ngx_str_t *ngx_enroll_redis_prefix(ngx_enroll_redis_t *redis);

/* the bound of one command's time */

ngx_msec_t ngx_enroll_redis_timeout(ngx_enroll_redis_t *redis);


#endif /* _NGX_ENROLL_REDIS_H_INCLUDED_ */
