
/*
 * Copyright (C) The nginx-enroll authors
 */


/*
 * The life of the connection.  It is lost in one of two ways: hiredis finds
 * out and frees its context, after it has called us, or we free it.  Either
 * way ngx_enroll_redis_gone() comes first and unlinks the context, so that
 * what is called back meanwhile sees no connection, and not a dying one.
 */


#include "ngx_enroll_redis_internal.h"


#define NGX_ENROLL_REDIS_DELAY      100     /* ms, doubled up to ... */
#define NGX_ENROLL_REDIS_DELAY_MAX  5000
#define NGX_ENROLL_REDIS_STABLE     1000    /* if lost sooner, a delay */


static void ngx_enroll_redis_timer_handler(ngx_event_t *ev);
static ngx_int_t ngx_enroll_redis_resolve(ngx_enroll_redis_t *redis);
static void ngx_enroll_redis_resolved(ngx_resolver_ctx_t *ctx);
static void ngx_enroll_redis_open(ngx_enroll_redis_t *redis);
static redisAsyncContext *ngx_enroll_redis_context(ngx_enroll_redis_t *redis);
static ngx_int_t ngx_enroll_redis_setup(ngx_enroll_redis_t *redis,
    redisAsyncContext *ac);
static void ngx_enroll_redis_connected(const redisAsyncContext *ac,
    int status);
static void ngx_enroll_redis_disconnected(const redisAsyncContext *ac,
    int status);
static void ngx_enroll_redis_close(redisAsyncContext *ac, const char *reason);
static void ngx_enroll_redis_gone(ngx_enroll_redis_t *redis,
    ngx_enroll_redis_trouble_e trouble, u_char *text, size_t len);
static ngx_uint_t ngx_enroll_redis_level(ngx_enroll_redis_t *redis,
    ngx_enroll_redis_trouble_e trouble);
static void ngx_enroll_redis_retry(ngx_enroll_redis_t *redis);
static u_char *ngx_enroll_redis_addr(ngx_enroll_redis_t *redis);


void
ngx_enroll_redis_resolver(ngx_enroll_redis_t *redis, ngx_resolver_t *resolver,
    ngx_msec_t timeout)
{
    redis->resolver = resolver;
    redis->resolver_timeout = timeout;
}


void
ngx_enroll_redis_watch(ngx_enroll_redis_t *redis,
    ngx_enroll_redis_watch_pt watch)
{
    redis->watch = watch;
}


void
ngx_enroll_redis_tell(ngx_enroll_redis_t *redis,
    ngx_enroll_redis_event_e event, uint64_t ns)
{
    if (redis->watch) {
        redis->watch(event, ns);
    }
}


ngx_str_t *
ngx_enroll_redis_prefix(ngx_enroll_redis_t *redis)
{
    return &redis->prefix;
}


ngx_msec_t
ngx_enroll_redis_timeout(ngx_enroll_redis_t *redis)
{
    return redis->timeout;
}


void
ngx_enroll_redis_start(ngx_enroll_redis_t *redis, ngx_cycle_t *cycle)
{
    redis->log = cycle->log;
    redis->ident = (ngx_socket_t) -1;

    redis->timer.handler = ngx_enroll_redis_timer_handler;
    redis->timer.data = redis;
    redis->timer.log = redis->log;
    redis->timer.cancelable = 1;

    redis->state = NGX_ENROLL_REDIS_IDLE;

    ngx_enroll_redis_connect(redis);
}


void
ngx_enroll_redis_stop(ngx_enroll_redis_t *redis)
{
    redisAsyncContext  *ac;

    redis->state = NGX_ENROLL_REDIS_STOPPED;

    if (redis->timer.timer_set) {
        ngx_del_timer(&redis->timer);
    }

    if (redis->resolving) {
        ngx_resolve_name_done(redis->resolving);
        redis->resolving = NULL;
    }

    ac = redis->ac;

    if (ac) {
        redis->ac = NULL;
        redis->ssl = NULL;
        ac->data = NULL;

        redisAsyncFree(ac);
    }
}


static void
ngx_enroll_redis_timer_handler(ngx_event_t *ev)
{
    ngx_enroll_redis_t  *redis;

    redis = ev->data;

    if (redis->ac) {
        ngx_enroll_redis_drop(redis, NGX_ENROLL_REDIS_AWAY,
                              "timed out while connecting");
        return;
    }

    redis->state = NGX_ENROLL_REDIS_IDLE;

    ngx_enroll_redis_connect(redis);
}


void
ngx_enroll_redis_connect(ngx_enroll_redis_t *redis)
{
    if (redis->timer.timer_set) {
        ngx_del_timer(&redis->timer);
    }

    if (redis->failures && redis->tried == 0
        && redis->host.len && !redis->numeric
        && redis->resolver && redis->resolver->connections.nelts
        && ngx_enroll_redis_resolve(redis) == NGX_OK)
    {
        return;
    }

    ngx_enroll_redis_open(redis);
}


static ngx_int_t
ngx_enroll_redis_resolve(ngx_enroll_redis_t *redis)
{
    ngx_resolver_ctx_t  *ctx;

    ctx = ngx_resolve_start(redis->resolver, NULL);
    if (ctx == NULL || ctx == NGX_NO_RESOLVER) {
        return NGX_ERROR;
    }

    ctx->name = redis->host;
    ctx->handler = ngx_enroll_redis_resolved;
    ctx->data = redis;
    ctx->timeout = redis->resolver_timeout;
    ctx->cancelable = 1;

    redis->resolving = ctx;
    redis->state = NGX_ENROLL_REDIS_RESOLVING;

    /* may call the handler at once */

    if (ngx_resolve_name(ctx) != NGX_OK) {
        redis->resolving = NULL;
        return NGX_ERROR;
    }

    return NGX_OK;
}


static void
ngx_enroll_redis_resolved(ngx_resolver_ctx_t *ctx)
{
    ngx_uint_t           i, level;
    ngx_enroll_redis_t  *redis;

    redis = ctx->data;

    if (ctx->state) {
        level = (redis->troubles & NGX_ENROLL_REDIS_UNKNOWN) ? NGX_LOG_INFO
                                                             : NGX_LOG_WARN;
        redis->troubles |= NGX_ENROLL_REDIS_UNKNOWN;

        ngx_log_error(level, redis->log, 0,
                      "redis: \"%V\" could not be resolved (%i: %s), the "
                      "addresses known before serve on", &ctx->name,
                      ctx->state, ngx_resolver_strerror(ctx->state));

    } else {
        redis->naddrs = 0;
        redis->current = 0;

        for (i = 0; i < ctx->naddrs; i++) {
            ngx_enroll_redis_add_addr(redis, ctx->addrs[i].sockaddr,
                                      ctx->addrs[i].socklen);
        }
    }

    redis->resolving = NULL;
    ngx_resolve_name_done(ctx);

    ngx_enroll_redis_open(redis);
}


void
ngx_enroll_redis_add_addr(ngx_enroll_redis_t *redis, struct sockaddr *sockaddr,
    socklen_t socklen)
{
    u_char  *text;
    size_t   len;

    if (redis->naddrs == NGX_ENROLL_REDIS_ADDRS) {
        return;
    }

    text = redis->addrs[redis->naddrs++];

    len = ngx_sock_ntop(sockaddr, socklen, text, NGX_SOCKADDR_STRLEN, 0);
    text[len] = '\0';
}


static void
ngx_enroll_redis_open(ngx_enroll_redis_t *redis)
{
    redisAsyncContext  *ac;

    ac = ngx_enroll_redis_context(redis);

    if (ac == NULL) {
        ngx_enroll_redis_drop(redis, NGX_ENROLL_REDIS_AWAY, "no memory");
        return;
    }

    redis->ac = ac;
    redis->state = NGX_ENROLL_REDIS_CONNECTING;
    ac->data = redis;

    if (ac->err || ngx_enroll_redis_setup(redis, ac) != NGX_OK) {
        ngx_enroll_redis_drop(redis, NGX_ENROLL_REDIS_AWAY, "%s",
                              ac->c.err ? ac->c.errstr : "no resources");
        return;
    }

    ngx_add_timer(&redis->timer, redis->timeout);
}


static redisAsyncContext *
ngx_enroll_redis_context(ngx_enroll_redis_t *redis)
{
    if (redis->path) {
        return redisAsyncConnectUnix((char *) redis->path);
    }

    /* a numeric address: a name would be looked up here and now */

    return redisAsyncConnect((char *) redis->addrs[redis->current],
                             (int) redis->port);
}


static ngx_int_t
ngx_enroll_redis_setup(ngx_enroll_redis_t *redis, redisAsyncContext *ac)
{
    if (redis->path == NULL && redisEnableKeepAlive(&ac->c) != REDIS_OK) {
        return NGX_ERROR;
    }

    if (redis->tls && ngx_enroll_redis_tls_start(redis, ac) != NGX_OK) {
        return NGX_ERROR;
    }

    if (ngx_enroll_hiredis_attach(ac, redis->log, ngx_enroll_redis_close)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    redisAsyncSetDisconnectCallback(ac, ngx_enroll_redis_disconnected);
    redisAsyncSetConnectCallback(ac, ngx_enroll_redis_connected);

    return ngx_enroll_redis_hello(redis);
}


static void
ngx_enroll_redis_connected(const redisAsyncContext *ac, int status)
{
    /* ac must not be freed here, hiredis does it after a failure */

    if (status != REDIS_OK) {
        ngx_enroll_redis_lost(ac);
    }
}


static void
ngx_enroll_redis_disconnected(const redisAsyncContext *ac, int status)
{
    ngx_enroll_redis_lost(ac);
}


void
ngx_enroll_redis_lost(const redisAsyncContext *ac)
{
    const char          *text;
    ngx_enroll_redis_t  *redis;

    redis = ac->data;

    if (redis == NULL) {
        return;
    }

    text = ac->c.err ? ac->c.errstr : "disconnected";

    ngx_enroll_redis_gone(redis, NGX_ENROLL_REDIS_AWAY, (u_char *) text,
                          ngx_strlen(text));
}


static void
ngx_enroll_redis_close(redisAsyncContext *ac, const char *reason)
{
    ngx_enroll_redis_drop(ac->data, NGX_ENROLL_REDIS_AWAY, "%s", reason);
}


void
ngx_enroll_redis_ready(ngx_enroll_redis_t *redis)
{
    ngx_del_timer(&redis->timer);

    redis->state = NGX_ENROLL_REDIS_READY;
    redis->since = ngx_current_msec;
    redis->tried = 0;
    redis->failures = 0;
    redis->troubles = 0;

    ngx_enroll_redis_tell(redis, NGX_ENROLL_REDIS_CONNECTED, 0);

    ngx_log_error(NGX_LOG_NOTICE, redis->log, 0, "redis connected to %V (%s)",
                  &redis->address, ngx_enroll_redis_addr(redis));
}


void
ngx_enroll_redis_drop(ngx_enroll_redis_t *redis,
    ngx_enroll_redis_trouble_e trouble, const char *fmt, ...)
{
    u_char             *p, text[NGX_ENROLL_REDIS_ERROR_LEN * 2];
    va_list             args;
    redisAsyncContext  *ac;

    ac = redis->ac;

    va_start(args, fmt);
    p = ngx_vslprintf(text, text + sizeof(text), fmt, args);
    va_end(args);

    ngx_enroll_redis_gone(redis, trouble, text, p - text);

    if (ac) {
        redisAsyncFree(ac);
    }
}


static void
ngx_enroll_redis_gone(ngx_enroll_redis_t *redis,
    ngx_enroll_redis_trouble_e trouble, u_char *text, size_t len)
{
    ngx_uint_t   level;
    const char  *verify;

    ngx_enroll_redis_tell(redis, redis->state == NGX_ENROLL_REDIS_READY
                                 ? NGX_ENROLL_REDIS_DISCONNECTED
                                 : NGX_ENROLL_REDIS_NOT_CONNECTED, 0);

    level = ngx_enroll_redis_level(redis, trouble);
    verify = redis->tls ? ngx_enroll_redis_tls_error(redis) : NULL;

    if (verify) {
        ngx_log_error(level, redis->log, 0,
                      "redis %V (%s): its certificate is not accepted: %s",
                      &redis->address, ngx_enroll_redis_addr(redis), verify);

    } else {
        ngx_log_error(level, redis->log, 0, "redis %V (%s): %*s",
                      &redis->address, ngx_enroll_redis_addr(redis), len,
                      text);
    }

    if (redis->ac) {
        redis->ac->data = NULL;
        redis->ac = NULL;
        redis->ssl = NULL;
    }

    ngx_enroll_redis_retry(redis);
}


static ngx_uint_t
ngx_enroll_redis_level(ngx_enroll_redis_t *redis,
    ngx_enroll_redis_trouble_e trouble)
{
    if (trouble == NGX_ENROLL_REDIS_AWAY
        && redis->state != NGX_ENROLL_REDIS_READY
        && redis->tried + 1 < redis->naddrs)
    {
        return NGX_LOG_INFO;        /* another address may do */
    }

    if (redis->troubles & trouble) {
        return NGX_LOG_INFO;
    }

    redis->troubles |= trouble;

    return NGX_LOG_ERR;
}


static void
ngx_enroll_redis_retry(ngx_enroll_redis_t *redis)
{
    ngx_msec_t  delay;

    delay = 0;

    if (redis->state == NGX_ENROLL_REDIS_READY) {

        if (ngx_current_msec - redis->since < NGX_ENROLL_REDIS_STABLE) {
            delay = NGX_ENROLL_REDIS_DELAY;
        }

    } else {
        redis->current = (redis->current + 1) % redis->naddrs;

        if (++redis->tried >= redis->naddrs) {
            redis->tried = 0;

            delay = ngx_min(NGX_ENROLL_REDIS_DELAY
                            << ngx_min(redis->failures, 6),
                            NGX_ENROLL_REDIS_DELAY_MAX);
            redis->failures++;
        }
    }

    if (delay) {
        delay = delay / 2 + ngx_random() % (delay / 2 + 1);
    }

    redis->state = delay ? NGX_ENROLL_REDIS_BACKOFF : NGX_ENROLL_REDIS_IDLE;

    if (redis->timer.timer_set) {
        ngx_del_timer(&redis->timer);
    }

    if (ngx_exiting || ngx_terminate || ngx_quit) {
        return;
    }

    ngx_add_timer(&redis->timer, delay);
}


static u_char *
ngx_enroll_redis_addr(ngx_enroll_redis_t *redis)
{
    return redis->path ? redis->path : redis->addrs[redis->current];
}
