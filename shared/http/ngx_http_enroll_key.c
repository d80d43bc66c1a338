
/*
 * Copyright (C) The nginx-enroll authors
 */


/*
 * Private keys, from wherever they are kept.
 */


#include "ngx_http_enroll_core.h"

#include <openssl/engine.h>
#include <openssl/store.h>
#include <openssl/ui.h>


typedef struct {
    ngx_str_t   *password;
    ngx_uint_t   asked;
} ngx_http_enroll_pass_t;


static size_t ngx_http_enroll_key_shown(const char *uri);
static EVP_PKEY *ngx_http_enroll_key_store(const char *uri,
    ngx_str_t *password);
static EVP_PKEY *ngx_http_enroll_key_engine(ngx_conf_t *cf, ngx_str_t *value);
static int ngx_http_enroll_pass(char *buf, int size, int rwflag, void *data);


/*
 * A private key from a file, "store:URI" or "engine:NAME:ID"; file is
 * one of passwords, or empty.  remote is set where the key stays in a token.
 * NULL after having logged.
 */

EVP_PKEY *
ngx_http_enroll_key_load(ngx_conf_t *cf, ngx_str_t *name, ngx_str_t *file,
    ngx_uint_t *remote)
{
    char         *uri;
    EVP_PKEY     *pkey;
    ngx_str_t     key, *password;
    const char   *reason;
    ngx_uint_t    i;
    ngx_array_t  *passwords;

    key = *name;
    *remote = 0;

    if (ngx_strncmp(key.data, "engine:", sizeof("engine:") - 1) == 0) {
        *remote = 1;
        return ngx_http_enroll_key_engine(cf, &key);
    }

    if (ngx_strncmp(key.data, "store:", sizeof("store:") - 1) == 0) {
        *remote = 1;
        uri = (char *) key.data + sizeof("store:") - 1;

    } else {
        if (ngx_conf_full_name(cf->cycle, &key, 1) != NGX_OK) {
            return NULL;
        }

        uri = (char *) key.data;
    }

    password = NULL;
    passwords = NULL;

    if (file->len) {
        passwords = ngx_ssl_read_password_file(cf, file);
        if (passwords == NULL) {
            return NULL;
        }

        if (passwords->nelts == 0) {
            passwords = NULL;

        } else {
            password = passwords->elts;
        }
    }

    pkey = NULL;

    for (i = 0; i == 0 || (passwords && i < passwords->nelts); i++) {

        ERR_clear_error();

        pkey = ngx_http_enroll_key_store(uri, passwords ? &password[i]
                                                        : NULL);
        if (pkey) {
            return pkey;
        }
    }

    /* no more of OpenSSL's words: they may quote the URI, with its PIN */

    reason = ERR_reason_error_string(ERR_peek_last_error());

    ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                  "cannot load private key \"%*s\" (%s)%s in %V:%ui",
                  ngx_http_enroll_key_shown(uri), uri,
                  reason ? reason : "nothing there",
                  file->len ? ""
                      : " (an encrypted one needs \"password_file\")",
                  &cf->conf_file->file.name, cf->conf_file->line);

    return NULL;
}


/* as much of a URI as has no PIN */

static size_t
ngx_http_enroll_key_shown(const char *uri)
{
    char    *pin;
    size_t   len;

    len = strcspn(uri, "?");
    pin = strstr(uri, "pin-");

    return (pin && (size_t) (pin - uri) < len) ? (size_t) (pin - uri) : len;
}


static EVP_PKEY *
ngx_http_enroll_key_store(const char *uri, ngx_str_t *password)
{
    EVP_PKEY                *pkey;
    UI_METHOD               *ui;
    OSSL_STORE_CTX          *store;
    OSSL_STORE_INFO         *info;
    ngx_http_enroll_pass_t   pass;

    pkey = NULL;
    store = NULL;

    pass.password = password;
    pass.asked = 0;

    /* without a method of ours OpenSSL would ask at the terminal */

    ui = UI_UTIL_wrap_read_pem_callback(ngx_http_enroll_pass, 0);
    if (ui == NULL) {
        return NULL;
    }

    store = OSSL_STORE_open(uri, ui, &pass, NULL, NULL);
    if (store == NULL) {
        goto done;
    }

    if (OSSL_STORE_expect(store, OSSL_STORE_INFO_PKEY) != 1) {
        goto done;
    }

    while (pkey == NULL && !OSSL_STORE_eof(store)) {

        info = OSSL_STORE_load(store);

        if (info == NULL) {
            if (OSSL_STORE_error(store)) {
                break;
            }

            continue;
        }

        if (OSSL_STORE_INFO_get_type(info) == OSSL_STORE_INFO_PKEY) {
            pkey = OSSL_STORE_INFO_get1_PKEY(info);
        }

        OSSL_STORE_INFO_free(info);
    }

done:

    OSSL_STORE_close(store);
    UI_destroy_method(ui);

    return pkey;
}


static EVP_PKEY *
ngx_http_enroll_key_engine(ngx_conf_t *cf, ngx_str_t *value)
{
#ifndef OPENSSL_NO_ENGINE

    u_char    *name, *id;
    ENGINE    *engine;
    EVP_PKEY  *pkey;

    /* engine:NAME:ID */

    name = ngx_pnalloc(cf->temp_pool, value->len + 1);
    if (name == NULL) {
        return NULL;
    }

    ngx_cpystrn(name, value->data, value->len + 1);
    name += sizeof("engine:") - 1;

    id = (u_char *) ngx_strchr(name, ':');

    if (id == NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid engine key \"%V\", it must be "
                           "\"engine:NAME:ID\"", value);
        return NULL;
    }

    *id++ = '\0';

    engine = ENGINE_by_id((char *) name);

    if (engine == NULL) {
        ngx_ssl_error(NGX_LOG_EMERG, cf->log, 0,
                      "ENGINE_by_id(\"%s\") failed in %V:%ui", name,
                      &cf->conf_file->file.name, cf->conf_file->line);
        return NULL;
    }

    pkey = NULL;

    if (ENGINE_init(engine)) {
        pkey = ENGINE_load_private_key(engine, (char *) id, NULL, NULL);
        ENGINE_finish(engine);
    }

    ENGINE_free(engine);

    if (pkey == NULL) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "cannot load key \"%*s\" of engine \"%s\" in %V:%ui",
                      ngx_http_enroll_key_shown((char *) id), id, name,
                      &cf->conf_file->file.name, cf->conf_file->line);
    }

    return pkey;

#else

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "loading \"%V\" is not possible: this OpenSSL has no "
                       "engines, use \"store:\"", value);
    return NULL;

#endif
}


static int
ngx_http_enroll_pass(char *buf, int size, int rwflag, void *data)
{
    ngx_http_enroll_pass_t *pass = data;

    /* asked again means that the password was wrong */

    if (rwflag || pass->password == NULL || pass->asked++
        || pass->password->len > (size_t) size)
    {
        return -1;
    }

    ngx_memcpy(buf, pass->password->data, pass->password->len);

    return pass->password->len;
}
