
/*
 * Copyright (C) The nginx-enroll authors
 */


/*
 * The handshake: who we are, which database, and whether this Redis is fit
 * to keep what must not be forgotten.  Commands may follow at once: replies
 * come in order, and where one of these is bad the context is freed, so that
 * those behind it are never seen.
 */


#include "ngx_enroll_redis_internal.h"


static ngx_int_t ngx_enroll_redis_hello_send(ngx_enroll_redis_t *redis,
    redisCallbackFn *handler, ngx_uint_t argc, ngx_str_t *argv);
static void ngx_enroll_redis_hello_auth(redisAsyncContext *ac, void *r,
    void *data);
static void ngx_enroll_redis_hello_select(redisAsyncContext *ac, void *r,
    void *data);
static void ngx_enroll_redis_hello_info(redisAsyncContext *ac, void *r,
    void *data);
static ngx_enroll_redis_t *ngx_enroll_redis_hello_check(redisAsyncContext *ac,
    redisReply *reply, const char *command);
static ngx_int_t ngx_enroll_redis_hello_field(redisReply *reply,
    const char *name, ngx_str_t *value);
static ngx_uint_t ngx_enroll_redis_hello_is(ngx_str_t *value,
    const char *text);


ngx_int_t
ngx_enroll_redis_hello(ngx_enroll_redis_t *redis)
{
    u_char     db[NGX_INT_T_LEN];
    ngx_str_t  argv[3], *arg;

    if (redis->password.len) {
        arg = argv;

        ngx_str_set(arg, "AUTH");
        arg++;

        if (redis->user.len) {
            *arg++ = redis->user;
        }

        *arg++ = redis->password;

        if (ngx_enroll_redis_hello_send(redis, ngx_enroll_redis_hello_auth,
                                        arg - argv, argv)
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    if (redis->db) {
        ngx_str_set(&argv[0], "SELECT");
        argv[1].data = db;
        argv[1].len = ngx_sprintf(db, "%i", redis->db) - db;

        if (ngx_enroll_redis_hello_send(redis, ngx_enroll_redis_hello_select,
                                        2, argv)
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    ngx_str_set(&argv[0], "INFO");

    return ngx_enroll_redis_hello_send(redis, ngx_enroll_redis_hello_info,
                                       1, argv);
}


static ngx_int_t
ngx_enroll_redis_hello_send(ngx_enroll_redis_t *redis,
    redisCallbackFn *handler, ngx_uint_t argc, ngx_str_t *argv)
{
    size_t       len[3];
    ngx_uint_t   i;
    const char  *args[3];

    for (i = 0; i < argc; i++) {
        args[i] = (const char *) argv[i].data;
        len[i] = argv[i].len;
    }

    if (redisAsyncCommandArgv(redis->ac, handler, NULL, (int) argc, args, len)
        != REDIS_OK)
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


static void
ngx_enroll_redis_hello_auth(redisAsyncContext *ac, void *r, void *data)
{
    (void) ngx_enroll_redis_hello_check(ac, r, "AUTH");
}


static void
ngx_enroll_redis_hello_select(redisAsyncContext *ac, void *r, void *data)
{
    (void) ngx_enroll_redis_hello_check(ac, r, "SELECT");
}


static void
ngx_enroll_redis_hello_info(redisAsyncContext *ac, void *r, void *data)
{
    ngx_str_t            policy, role, loading, aof;
    redisReply          *reply;
    ngx_enroll_redis_t  *redis;

    reply = r;

    redis = ngx_enroll_redis_hello_check(ac, reply, "INFO");
    if (redis == NULL) {
        return;
    }

    if (ngx_enroll_redis_hello_field(reply, "maxmemory_policy", &policy)
        != NGX_OK
        || ngx_enroll_redis_hello_field(reply, "role", &role) != NGX_OK)
    {
        ngx_enroll_redis_drop(redis, NGX_ENROLL_REDIS_UNFIT,
                              "INFO does not tell \"maxmemory_policy\" and "
                              "\"role\", nothing is issued");
        return;
    }

    if (ngx_enroll_redis_hello_field(reply, "loading", &loading) == NGX_OK
        && !ngx_enroll_redis_hello_is(&loading, "0"))
    {
        ngx_enroll_redis_drop(redis, NGX_ENROLL_REDIS_AWAY,
                              "it is loading its data");
        return;
    }

    if (!ngx_enroll_redis_hello_is(&role, "master")) {
        ngx_enroll_redis_drop(redis, NGX_ENROLL_REDIS_UNFIT,
                              "its role is \"%V\", a master is needed", &role);
        return;
    }

    if (!ngx_enroll_redis_hello_is(&policy, "noeviction")) {
        ngx_enroll_redis_drop(redis, NGX_ENROLL_REDIS_UNFIT,
                              "\"maxmemory-policy\" is \"%V\": it may forget "
                              "certificates, nothing is issued until it is "
                              "set to \"noeviction\"", &policy);
        return;
    }

    ngx_enroll_redis_ready(redis);

    if (ngx_enroll_redis_hello_field(reply, "aof_enabled", &aof) == NGX_OK
        && ngx_enroll_redis_hello_is(&aof, "0"))
    {
        ngx_log_error(NGX_LOG_WARN, redis->log, 0,
                      "redis %V: \"appendonly\" is \"no\": what was issued "
                      "since its last snapshot is forgotten when it stops",
                      &redis->address);
    }
}


static ngx_enroll_redis_t *
ngx_enroll_redis_hello_check(redisAsyncContext *ac, redisReply *reply,
    const char *command)
{
    size_t       len;
    const char  *remedy;

    if (reply == NULL) {
        ngx_enroll_redis_lost(ac);
        return NULL;
    }

    if (reply->type == REDIS_REPLY_ERROR) {
        len = ngx_min((size_t) reply->len, NGX_ENROLL_REDIS_ERROR_LEN);
        remedy = "";

        if (ngx_strncmp(reply->str, "NOPERM", 6) == 0) {
            remedy = ", it has to be granted: whether this server may forget "
                     "certificates is not known without";

        } else if (ngx_strncmp(reply->str, "NOAUTH", 6) == 0) {
            remedy = ", \"password_file\" is needed";
        }

        ngx_enroll_redis_drop(ac->data, NGX_ENROLL_REDIS_REFUSED,
                              "%s failed: \"%*s\"%s",
                              command, len, reply->str, remedy);
        return NULL;
    }

    return ac->data;
}


static ngx_int_t
ngx_enroll_redis_hello_field(redisReply *reply, const char *name,
    ngx_str_t *value)
{
    size_t   len;
    u_char  *p, *last, *end;

    if (reply->type != REDIS_REPLY_STRING) {
        return NGX_DECLINED;
    }

    len = ngx_strlen(name);
    p = (u_char *) reply->str;
    last = p + reply->len;

    /* lines of "name:value" */

    while (p < last) {
        end = ngx_strlchr(p, last, '\n');
        if (end == NULL) {
            end = last;
        }

        if ((size_t) (end - p) > len && p[len] == ':'
            && ngx_strncmp(p, name, len) == 0)
        {
            value->data = p + len + 1;
            value->len = end - value->data;

            if (value->len && value->data[value->len - 1] == '\r') {
                value->len--;
            }

            return NGX_OK;
        }

        p = end + 1;
    }

    return NGX_DECLINED;
}


static ngx_uint_t
ngx_enroll_redis_hello_is(ngx_str_t *value, const char *text)
{
    return value->len == ngx_strlen(text)
           && ngx_strncmp(value->data, text, value->len) == 0;
}
