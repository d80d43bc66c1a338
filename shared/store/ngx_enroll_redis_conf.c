
/*
 * Copyright (C) The nginx-enroll authors
 */


/*
 * The arguments of "enroll_redis"
 */


#include "ngx_enroll_redis_internal.h"


#define NGX_ENROLL_REDIS_PORT     6379
#define NGX_ENROLL_REDIS_TIMEOUT  2000


static ngx_int_t ngx_enroll_redis_conf_address(ngx_conf_t *cf,
    ngx_enroll_redis_t *redis, ngx_str_t *value);
static ngx_int_t ngx_enroll_redis_conf_param(ngx_conf_t *cf,
    ngx_enroll_redis_t *redis, ngx_enroll_redis_tls_t *tls,
    ngx_str_t *value);
static ngx_uint_t ngx_enroll_redis_conf_is(ngx_str_t *arg, const char *name,
    ngx_str_t *value);
static ngx_int_t ngx_enroll_redis_conf_prefix(ngx_str_t *prefix);
static ngx_int_t ngx_enroll_redis_conf_password(ngx_conf_t *cf,
    ngx_enroll_redis_t *redis, ngx_str_t *file);
static void ngx_enroll_redis_conf_wipe(void *data);
static char *ngx_enroll_redis_conf_tls(ngx_conf_t *cf,
    ngx_enroll_redis_t *redis, ngx_enroll_redis_tls_t *tls);


char *
ngx_enroll_redis_conf(ngx_conf_t *cf, ngx_enroll_redis_t **rp)
{
    ngx_str_t               *value;
    ngx_uint_t               i;
    ngx_enroll_redis_t      *redis;
    ngx_enroll_redis_tls_t  *tls;

    redis = ngx_pcalloc(cf->pool, sizeof(ngx_enroll_redis_t));
    if (redis == NULL) {
        return NGX_CONF_ERROR;
    }

    tls = ngx_pcalloc(cf->pool, sizeof(ngx_enroll_redis_tls_t));
    if (tls == NULL) {
        return NGX_CONF_ERROR;
    }

    redis->timeout = NGX_ENROLL_REDIS_TIMEOUT;
    ngx_str_set(&redis->prefix, "enroll:");

    value = cf->args->elts;

    for (i = 2; i < cf->args->nelts; i++) {
        if (ngx_enroll_redis_conf_param(cf, redis, tls, &value[i]) != NGX_OK) {
            return NGX_CONF_ERROR;
        }
    }

    if (redis->user.len && redis->password.len == 0) {
        return "has \"user\" without \"password_file\"";
    }

    if (ngx_enroll_redis_conf_address(cf, redis, &value[1]) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    *rp = redis;

    return ngx_enroll_redis_conf_tls(cf, redis, tls);
}


static ngx_int_t
ngx_enroll_redis_conf_address(ngx_conf_t *cf, ngx_enroll_redis_t *redis,
    ngx_str_t *value)
{
    ngx_url_t           u;
    ngx_uint_t          i;
#if (NGX_HAVE_UNIX_DOMAIN)
    struct sockaddr_un  saun;
#endif

    ngx_memzero(&u, sizeof(ngx_url_t));

    u.url = *value;
    u.default_port = NGX_ENROLL_REDIS_PORT;

    if (ngx_parse_url(cf->pool, &u) != NGX_OK) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "%s in \"%V\" of the \"enroll_redis\" directive",
                           u.err ? u.err : "no memory", value);
        return NGX_ERROR;
    }

    redis->address = *value;
    redis->port = u.port;

#if (NGX_HAVE_UNIX_DOMAIN)

    if (u.family == AF_UNIX) {

        if (ngx_conf_full_name(cf->cycle, &u.host, 1) != NGX_OK) {
            return NGX_ERROR;
        }

        if (u.host.len >= sizeof(saun.sun_path)) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "too long path in the unix domain socket "
                               "\"%V\" of the \"enroll_redis\" directive",
                               &u.host);
            return NGX_ERROR;
        }

        redis->path = u.host.data;
        redis->naddrs = 1;

        return NGX_OK;
    }

#endif

    redis->host = u.host;
    redis->numeric = (u.host.data[0] == '['
                      || ngx_inet_addr(u.host.data, u.host.len)
                         != INADDR_NONE);

    for (i = 0; i < u.naddrs; i++) {
        ngx_enroll_redis_add_addr(redis, u.addrs[i].sockaddr,
                                  u.addrs[i].socklen);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_enroll_redis_conf_param(ngx_conf_t *cf, ngx_enroll_redis_t *redis,
    ngx_enroll_redis_tls_t *tls, ngx_str_t *arg)
{
    ngx_str_t  value;

    if (ngx_enroll_redis_conf_is(arg, "user=", &value)) {
        redis->user = value;

        if (value.len) {
            return NGX_OK;
        }

    } else if (ngx_enroll_redis_conf_is(arg, "password_file=", &value)) {

        if (value.len) {
            return ngx_enroll_redis_conf_password(cf, redis, &value);
        }

    } else if (ngx_enroll_redis_conf_is(arg, "db=", &value)) {
        redis->db = ngx_atoi(value.data, value.len);

        if (redis->db != NGX_ERROR) {
            return NGX_OK;
        }

    } else if (ngx_enroll_redis_conf_is(arg, "prefix=", &value)) {
        redis->prefix = value;

        if (ngx_enroll_redis_conf_prefix(&value) == NGX_OK) {
            return NGX_OK;
        }

    } else if (ngx_enroll_redis_conf_is(arg, "timeout=", &value)) {
        redis->timeout = ngx_parse_time(&value, 0);

        if (redis->timeout != (ngx_msec_t) NGX_ERROR && redis->timeout != 0) {
            return NGX_OK;
        }

    } else if (ngx_enroll_redis_conf_is(arg, "tls_ca=", &tls->ca)) {

        if (tls->ca.len) {
            return NGX_OK;
        }

    } else if (ngx_enroll_redis_conf_is(arg, "tls_name=", &tls->name)) {

        if (tls->name.len) {
            return NGX_OK;
        }

    } else if (ngx_enroll_redis_conf_is(arg, "tls_certificate=",
                                        &tls->certificate))
    {
        if (tls->certificate.len) {
            return NGX_OK;
        }

    } else if (ngx_enroll_redis_conf_is(arg, "tls_certificate_key=",
                                        &tls->certificate_key))
    {
        if (tls->certificate_key.len) {
            return NGX_OK;
        }

    } else if (arg->len == 3 && ngx_strncmp(arg->data, "tls", 3) == 0) {
        redis->tls = tls;
        return NGX_OK;
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "invalid parameter \"%V\"", arg);

    return NGX_ERROR;
}


static ngx_uint_t
ngx_enroll_redis_conf_is(ngx_str_t *arg, const char *name, ngx_str_t *value)
{
    size_t  len;

    len = ngx_strlen(name);

    if (arg->len < len || ngx_strncmp(arg->data, name, len) != 0) {
        return 0;
    }

    value->data = arg->data + len;
    value->len = arg->len - len;

    return 1;
}


static ngx_int_t
ngx_enroll_redis_conf_prefix(ngx_str_t *prefix)
{
    u_char      ch;
    ngx_uint_t  i;

    for (i = 0; i < prefix->len; i++) {
        ch = prefix->data[i];

        /* braces would take the place of the hash tag, which is the CA */

        if (ch <= ' ' || ch >= 0x7f || ch == '{' || ch == '}') {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_enroll_redis_conf_password(ngx_conf_t *cf, ngx_enroll_redis_t *redis,
    ngx_str_t *file)
{
    ngx_str_t           *password;
    ngx_array_t         *lines;
    ngx_pool_cleanup_t  *cln;

    /* wiped at the end of the configuration */

    lines = ngx_ssl_read_password_file(cf, file);
    if (lines == NULL) {
        return NGX_ERROR;
    }

    password = lines->elts;

    if (password->len == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "no password in \"%V\"", file);
        return NGX_ERROR;
    }

    cln = ngx_pool_cleanup_add(cf->pool, sizeof(ngx_str_t));
    if (cln == NULL) {
        return NGX_ERROR;
    }

    redis->password.data = ngx_pstrdup(cf->pool, password);
    if (redis->password.data == NULL) {
        return NGX_ERROR;
    }

    redis->password.len = password->len;

    *(ngx_str_t *) cln->data = redis->password;
    cln->handler = ngx_enroll_redis_conf_wipe;

    return NGX_OK;
}


static void
ngx_enroll_redis_conf_wipe(void *data)
{
    ngx_str_t  *password = data;

    ngx_explicit_memzero(password->data, password->len);
}


static char *
ngx_enroll_redis_conf_tls(ngx_conf_t *cf, ngx_enroll_redis_t *redis,
    ngx_enroll_redis_tls_t *tls)
{
    if (redis->tls == NULL) {

        if (tls->ca.len || tls->name.len || tls->certificate.len
            || tls->certificate_key.len)
        {
            return "has \"tls_...\" parameters without \"tls\"";
        }

        return NGX_CONF_OK;
    }

    if (redis->path) {
        return "has \"tls\" with a unix socket";
    }

    if ((tls->certificate.len == 0) != (tls->certificate_key.len == 0)) {
        return "has one of \"tls_certificate\" and \"tls_certificate_key\" "
               "without the other";
    }

    if (tls->name.len == 0) {
        tls->name = redis->host;
    }

    if (ngx_enroll_redis_tls_init(cf, tls) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}
