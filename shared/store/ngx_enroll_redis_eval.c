
/*
 * Copyright (C) The nginx-enroll authors
 */


/*
 * Scripts on the connection.  A call lives until hiredis has called it back,
 * with NULL where the connection is lost; a call's timeout loses it, as the
 * replies behind a late one would be late too.
 */


#include "ngx_enroll_redis_internal.h"
#include "ngx_enroll_clock.h"

#include <ngx_sha1.h>


#define NGX_ENROLL_REDIS_FIXED_ARGS  3      /* command, script, nkeys */


typedef struct {
    /* the ident of an event's data comes after three pointers */

    ngx_enroll_redis_t           *redis;
    ngx_enroll_script_t          *script;
    void                         *data;
    ngx_socket_t                  ident;

    ngx_enroll_redis_handler_pt   handler;
    ngx_event_t                   timer;
    uint64_t                      sent;     /* ns */

    ngx_uint_t                    whole;    /* sent with the script's text */
    ngx_uint_t                    argc;
    const char                  **argv;
    size_t                       *len;
    u_char                        nkeys[NGX_INT_T_LEN];
} ngx_enroll_redis_call_t;


static ngx_enroll_redis_call_t *ngx_enroll_redis_call_create(
    ngx_enroll_redis_t *redis, ngx_uint_t nkeys, ngx_uint_t argc,
    ngx_str_t *argv);
static void ngx_enroll_redis_script_digest(ngx_enroll_script_t *script);
static ngx_int_t ngx_enroll_redis_call_send(ngx_enroll_redis_call_t *call);
static void ngx_enroll_redis_call_reply(redisAsyncContext *ac, void *r,
    void *data);
static ngx_int_t ngx_enroll_redis_call_error(ngx_enroll_redis_call_t *call,
    redisReply *reply);
static void ngx_enroll_redis_call_timeout(ngx_event_t *ev);


ngx_int_t
ngx_enroll_redis_eval(ngx_enroll_redis_t *redis, ngx_enroll_script_t *script,
    ngx_uint_t nkeys, ngx_uint_t argc, ngx_str_t *argv,
    ngx_enroll_redis_handler_pt handler, void *data)
{
    ngx_enroll_redis_call_t  *call;

    if (redis->state == NGX_ENROLL_REDIS_IDLE) {
        ngx_enroll_redis_connect(redis);
    }

    if (redis->ac == NULL) {
        return NGX_DECLINED;
    }

    call = ngx_enroll_redis_call_create(redis, nkeys, argc, argv);
    if (call == NULL) {
        return NGX_DECLINED;
    }

    call->script = script;
    call->handler = handler;
    call->data = data;

    if (script->sha1[0] == '\0') {
        ngx_enroll_redis_script_digest(script);
    }

    call->sent = ngx_enroll_clock();

    if (ngx_enroll_redis_call_send(call) != NGX_OK) {
        ngx_free(call);
        return NGX_DECLINED;
    }

    ngx_enroll_redis_tell(redis, NGX_ENROLL_REDIS_SENT, 0);

    /* not cancelable: an exiting worker waits for the answer */

    ngx_add_timer(&call->timer, redis->timeout);

    return NGX_OK;
}


static ngx_enroll_redis_call_t *
ngx_enroll_redis_call_create(ngx_enroll_redis_t *redis, ngx_uint_t nkeys,
    ngx_uint_t argc, ngx_str_t *argv)
{
    u_char                   *p;
    size_t                    size;
    ngx_uint_t                i, n;
    ngx_enroll_redis_call_t  *call;

    n = NGX_ENROLL_REDIS_FIXED_ARGS + argc;

    size = sizeof(ngx_enroll_redis_call_t)
           + n * (sizeof(const char *) + sizeof(size_t));

    for (i = 0; i < argc; i++) {
        size += argv[i].len;
    }

    call = ngx_alloc(size, redis->log);
    if (call == NULL) {
        return NULL;
    }

    ngx_memzero(call, sizeof(ngx_enroll_redis_call_t));

    call->redis = redis;
    call->ident = (ngx_socket_t) -1;

    call->timer.handler = ngx_enroll_redis_call_timeout;
    call->timer.data = call;
    call->timer.log = redis->log;

    call->argc = n;
    call->argv = (const char **) (call + 1);
    call->len = (size_t *) (call->argv + n);

    call->argv[2] = (const char *) call->nkeys;
    call->len[2] = ngx_sprintf(call->nkeys, "%ui", nkeys) - call->nkeys;

    p = (u_char *) (call->len + n);

    for (i = 0; i < argc; i++) {
        n = NGX_ENROLL_REDIS_FIXED_ARGS + i;

        call->argv[n] = (const char *) p;
        call->len[n] = argv[i].len;

        /* an empty one may have no data */

        if (argv[i].len) {
            p = ngx_cpymem(p, argv[i].data, argv[i].len);
        }
    }

    return call;
}


static void
ngx_enroll_redis_script_digest(ngx_enroll_script_t *script)
{
    u_char      digest[20];
    ngx_sha1_t  sha1;

    ngx_sha1_init(&sha1);
    ngx_sha1_update(&sha1, script->text, ngx_strlen(script->text));
    ngx_sha1_final(digest, &sha1);

    ngx_hex_dump(script->sha1, digest, sizeof(digest));
}


static ngx_int_t
ngx_enroll_redis_call_send(ngx_enroll_redis_call_t *call)
{
    if (call->whole) {
        call->argv[0] = "EVAL";
        call->argv[1] = call->script->text;
        call->len[1] = ngx_strlen(call->script->text);

    } else {
        call->argv[0] = "EVALSHA";
        call->argv[1] = (const char *) call->script->sha1;
        call->len[1] = sizeof(call->script->sha1);
    }

    call->len[0] = ngx_strlen(call->argv[0]);

    if (redisAsyncCommandArgv(call->redis->ac, ngx_enroll_redis_call_reply,
                              call, (int) call->argc, call->argv, call->len)
        != REDIS_OK)
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


static void
ngx_enroll_redis_call_reply(redisAsyncContext *ac, void *r, void *data)
{
    redisReply               *reply;
    ngx_enroll_redis_call_t  *call;

    reply = r;
    call = data;

    if (reply == NULL) {
        ngx_enroll_redis_lost(ac);

    } else if (reply->type == REDIS_REPLY_ERROR) {

        if (ngx_enroll_redis_call_error(call, reply) == NGX_AGAIN) {
            return;
        }

        reply = NULL;
    }

    if (call->timer.timer_set) {
        ngx_del_timer(&call->timer);
    }

    ngx_enroll_redis_tell(call->redis, reply ? NGX_ENROLL_REDIS_ANSWERED
                                             : NGX_ENROLL_REDIS_FAILED,
                          reply ? ngx_enroll_clock() - call->sent : 0);

    call->handler(call->data, reply);

    ngx_free(call);
}


static ngx_int_t
ngx_enroll_redis_call_error(ngx_enroll_redis_call_t *call, redisReply *reply)
{
    size_t               len;
    ngx_enroll_redis_t  *redis;

    redis = call->redis;

    if (!call->whole && ngx_strncmp(reply->str, "NOSCRIPT", 8) == 0) {
        call->whole = 1;

        if (ngx_enroll_redis_call_send(call) == NGX_OK) {
            return NGX_AGAIN;
        }
    }

    len = ngx_min((size_t) reply->len, NGX_ENROLL_REDIS_ERROR_LEN);

    ngx_log_error(NGX_LOG_ERR, redis->log, 0,
                  "redis %V: script \"%s\" failed: \"%*s\"",
                  &redis->address, call->script->name, len, reply->str);

    if (ngx_strncmp(reply->str, "READONLY ", 9) == 0
        || ngx_strncmp(reply->str, "MOVED ", 6) == 0
        || ngx_strncmp(reply->str, "LOADING ", 8) == 0
        || ngx_strncmp(reply->str, "MASTERDOWN ", 11) == 0)
    {
        /*
         * It was the master when it was connected to.  As if it had never
         * been: its other addresses are tried, and its name is looked up.
         */

        redis->state = NGX_ENROLL_REDIS_CONNECTING;

        ngx_enroll_redis_drop(redis, NGX_ENROLL_REDIS_UNFIT,
                              "it does not take what is to be kept");
    }

    return NGX_ERROR;
}


static void
ngx_enroll_redis_call_timeout(ngx_event_t *ev)
{
    ngx_enroll_redis_call_t  *call;

    call = ev->data;

    /* calls the handler */

    ngx_enroll_redis_drop(call->redis, NGX_ENROLL_REDIS_AWAY,
                          "script \"%s\" timed out", call->script->name);
}
