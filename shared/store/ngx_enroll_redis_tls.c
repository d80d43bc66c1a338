
/*
 * Copyright (C) The nginx-enroll authors
 */


/*
 * TLS towards Redis: the certificate and its name are always verified.  Own
 * code up to the SSL object, as hiredis never checks a name.
 */


#include "ngx_enroll_redis_internal.h"

#if (NGX_ENROLL_HIREDIS_TLS)

#include <hiredis/hiredis_ssl.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <openssl/err.h>


static ngx_int_t ngx_enroll_redis_tls_trust(ngx_conf_t *cf,
    ngx_enroll_redis_tls_t *tls);
static ngx_int_t ngx_enroll_redis_tls_certificate(ngx_conf_t *cf,
    ngx_enroll_redis_tls_t *tls);
static ngx_int_t ngx_enroll_redis_tls_name(ngx_conf_t *cf,
    ngx_enroll_redis_tls_t *tls);
static void ngx_enroll_redis_tls_cleanup(void *data);
static int ngx_enroll_redis_tls_no_password(char *buf, int size, int rwflag,
    void *data);


ngx_int_t
ngx_enroll_redis_tls_init(ngx_conf_t *cf, ngx_enroll_redis_tls_t *tls)
{
    SSL_CTX             *ctx;
    ngx_pool_cleanup_t  *cln;

    cln = ngx_pool_cleanup_add(cf->pool, 0);
    if (cln == NULL) {
        return NGX_ERROR;
    }

    ctx = SSL_CTX_new(TLS_client_method());
    if (ctx == NULL) {
        ngx_ssl_error(NGX_LOG_EMERG, cf->log, 0, "SSL_CTX_new() failed");
        return NGX_ERROR;
    }

    cln->handler = ngx_enroll_redis_tls_cleanup;
    cln->data = ctx;
    tls->ctx = ctx;

    if (SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) != 1) {
        ngx_ssl_error(NGX_LOG_EMERG, cf->log, 0,
                      "SSL_CTX_set_min_proto_version() failed");
        return NGX_ERROR;
    }

    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_default_passwd_cb(ctx, ngx_enroll_redis_tls_no_password);

    if (ngx_enroll_redis_tls_trust(cf, tls) != NGX_OK
        || ngx_enroll_redis_tls_certificate(cf, tls) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_enroll_redis_tls_name(cf, tls);
}


static ngx_int_t
ngx_enroll_redis_tls_trust(ngx_conf_t *cf, ngx_enroll_redis_tls_t *tls)
{
    if (tls->ca.len == 0) {

        if (SSL_CTX_set_default_verify_paths(tls->ctx) != 1) {
            ngx_ssl_error(NGX_LOG_EMERG, cf->log, 0,
                          "SSL_CTX_set_default_verify_paths() failed");
            return NGX_ERROR;
        }

        return NGX_OK;
    }

    if (ngx_conf_full_name(cf->cycle, &tls->ca, 1) != NGX_OK) {
        return NGX_ERROR;
    }

    if (SSL_CTX_load_verify_locations(tls->ctx, (char *) tls->ca.data, NULL)
        != 1)
    {
        ngx_ssl_error(NGX_LOG_EMERG, cf->log, 0,
                      "SSL_CTX_load_verify_locations(\"%V\") failed", &tls->ca);
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_enroll_redis_tls_certificate(ngx_conf_t *cf, ngx_enroll_redis_tls_t *tls)
{
    if (tls->certificate.len == 0) {
        return NGX_OK;
    }

    if (ngx_conf_full_name(cf->cycle, &tls->certificate, 1) != NGX_OK
        || ngx_conf_full_name(cf->cycle, &tls->certificate_key, 1) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (SSL_CTX_use_certificate_chain_file(tls->ctx,
                                           (char *) tls->certificate.data)
        != 1)
    {
        ngx_ssl_error(NGX_LOG_EMERG, cf->log, 0,
                      "SSL_CTX_use_certificate_chain_file(\"%V\") failed",
                      &tls->certificate);
        return NGX_ERROR;
    }

    if (SSL_CTX_use_PrivateKey_file(tls->ctx,
                                    (char *) tls->certificate_key.data,
                                    SSL_FILETYPE_PEM)
        != 1)
    {
        ngx_ssl_error(NGX_LOG_EMERG, cf->log, 0,
                      "SSL_CTX_use_PrivateKey_file(\"%V\") failed",
                      &tls->certificate_key);
        return NGX_ERROR;
    }

    return NGX_OK;
}


/* one set of parameters in the context serves every connection */

static ngx_int_t
ngx_enroll_redis_tls_name(ngx_conf_t *cf, ngx_enroll_redis_tls_t *tls)
{
    u_char             *name;
    X509_VERIFY_PARAM  *param;

    /* "[::1]" is an address; OpenSSL wants it bare, and NUL-terminated */

    if (tls->name.len > 2 && tls->name.data[0] == '[') {
        tls->name.data++;
        tls->name.len -= 2;
    }

    name = ngx_pnalloc(cf->pool, tls->name.len + 1);
    if (name == NULL) {
        return NGX_ERROR;
    }

    (void) ngx_cpystrn(name, tls->name.data, tls->name.len + 1);
    tls->name.data = name;

    param = SSL_CTX_get0_param(tls->ctx);

    if (X509_VERIFY_PARAM_set1_ip_asc(param, (char *) name) == 1) {
        tls->name.len = 0;                      /* nothing for SNI */
        return NGX_OK;
    }

    ERR_clear_error();

    X509_VERIFY_PARAM_set_hostflags(param,
                                    X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);

    if (X509_VERIFY_PARAM_set1_host(param, (char *) name, tls->name.len) != 1)
    {
        ngx_ssl_error(NGX_LOG_EMERG, cf->log, 0,
                      "X509_VERIFY_PARAM_set1_host(\"%V\") failed", &tls->name);
        return NGX_ERROR;
    }

    return NGX_OK;
}


ngx_int_t
ngx_enroll_redis_tls_start(ngx_enroll_redis_t *redis, redisAsyncContext *ac)
{
    SSL                     *ssl;
    ngx_enroll_redis_tls_t  *tls;

    tls = redis->tls;

    ssl = SSL_new(tls->ctx);
    if (ssl == NULL) {
        ngx_ssl_error(NGX_LOG_ALERT, redis->log, 0, "SSL_new() failed");
        return NGX_ERROR;
    }

    if (tls->name.len
        && SSL_set_tlsext_host_name(ssl, (char *) tls->name.data) != 1)
    {
        ngx_ssl_error(NGX_LOG_ALERT, redis->log, 0,
                      "SSL_set_tlsext_host_name() failed");
        SSL_free(ssl);
        return NGX_ERROR;
    }

    ERR_clear_error();

    if (redisInitiateSSL(&ac->c, ssl) != REDIS_OK) {
        ERR_clear_error();
        redis->tls_result = SSL_get_verify_result(ssl);
        SSL_free(ssl);
        return NGX_ERROR;
    }

    ERR_clear_error();

    redis->ssl = ssl;

    return NGX_OK;
}


const char *
ngx_enroll_redis_tls_error(ngx_enroll_redis_t *redis)
{
    long  rc;

    rc = redis->ssl ? SSL_get_verify_result(redis->ssl) : redis->tls_result;

    redis->tls_result = X509_V_OK;

    return (rc == X509_V_OK) ? NULL : X509_verify_cert_error_string(rc);
}


static void
ngx_enroll_redis_tls_cleanup(void *data)
{
    SSL_CTX  *ctx = data;

    SSL_CTX_free(ctx);
}


static int
ngx_enroll_redis_tls_no_password(char *buf, int size, int rwflag, void *data)
{
    /* there is no terminal to ask at when the configuration is reloaded */

    return -1;
}


#else


ngx_int_t
ngx_enroll_redis_tls_init(ngx_conf_t *cf, ngx_enroll_redis_tls_t *tls)
{
    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "\"tls\" requires hiredis 1.0 or later with its SSL "
                       "library; this build has %d.%d.%d",
                       HIREDIS_MAJOR, HIREDIS_MINOR, HIREDIS_PATCH);
    return NGX_ERROR;
}


ngx_int_t
ngx_enroll_redis_tls_start(ngx_enroll_redis_t *redis, redisAsyncContext *ac)
{
    return NGX_ERROR;
}


const char *
ngx_enroll_redis_tls_error(ngx_enroll_redis_t *redis)
{
    return NULL;
}


#endif
