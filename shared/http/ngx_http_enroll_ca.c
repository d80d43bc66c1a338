
/*
 * Copyright (C) The nginx-enroll authors
 */


/*
 * "enroll_ca NAME { … }": certificates and key of a certification authority,
 * read by the master at configuration time, so that root-only files stay
 * root-only and "nginx -t" proves them.
 */


#include "ngx_http_enroll.h"

#include <openssl/engine.h>
#include <openssl/store.h>
#include <openssl/ui.h>


typedef struct {
    ngx_str_t   *password;
    ngx_uint_t   asked;
} ngx_http_enroll_pass_t;


static char *ngx_http_enroll_ca_load(ngx_conf_t *cf, ngx_http_enroll_ca_t *ca);
static EVP_PKEY *ngx_http_enroll_key_load(ngx_conf_t *cf,
    ngx_http_enroll_ca_t *ca);
static EVP_PKEY *ngx_http_enroll_key_store(ngx_conf_t *cf, const char *uri,
    ngx_str_t *password);
static EVP_PKEY *ngx_http_enroll_key_engine(ngx_conf_t *cf, ngx_str_t *value);
static int ngx_http_enroll_pass(char *buf, int size, int rwflag, void *data);
static void ngx_http_enroll_ca_cleanup(void *data);


static ngx_command_t  ngx_http_enroll_ca_commands[] = {

    { ngx_string("certificate"),
      NGX_CONF_TAKE1,
      ngx_conf_set_str_slot,
      0,
      offsetof(ngx_http_enroll_ca_t, certificate),
      NULL },

    { ngx_string("certificate_key"),
      NGX_CONF_TAKE1,
      ngx_conf_set_str_slot,
      0,
      offsetof(ngx_http_enroll_ca_t, certificate_key),
      NULL },

    { ngx_string("password_file"),
      NGX_CONF_TAKE1,
      ngx_conf_set_str_slot,
      0,
      offsetof(ngx_http_enroll_ca_t, password_file),
      NULL },

    { ngx_string("previous_certificate"),
      NGX_CONF_TAKE1,
      ngx_conf_set_str_slot,
      0,
      offsetof(ngx_http_enroll_ca_t, previous_certificate),
      NULL },

    { ngx_string("next_certificate"),
      NGX_CONF_TAKE1,
      ngx_conf_set_str_slot,
      0,
      offsetof(ngx_http_enroll_ca_t, next_certificate),
      NULL },

      ngx_null_command
};


char *
ngx_http_enroll_ca_block(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_enroll_main_conf_t *emcf = conf;

    char                   *rv;
    u_char                  ch;
    ngx_str_t              *value;
    ngx_uint_t              i;
    ngx_http_enroll_ca_t   *ca, **cap;
    ngx_pool_cleanup_t     *cln;

    value = cf->args->elts;

    /* the name is part of Redis keys, where braces mean something */

    for (i = 0; i < value[1].len; i++) {
        ch = value[1].data[i];

        if (!((ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z')
              || (ch >= '0' && ch <= '9') || ch == '-' || ch == '_'
              || ch == '.'))
        {
            break;
        }
    }

    if (i == 0 || i < value[1].len || i > 64) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid CA name \"%V\": at most 64 letters, "
                           "digits, \"-\", \"_\" and \".\" are allowed",
                           &value[1]);
        return NGX_CONF_ERROR;
    }

    cap = emcf->cas.elts;

    for (i = 0; i < emcf->cas.nelts; i++) {
        if (cap[i]->name.len == value[1].len
            && ngx_strncmp(cap[i]->name.data, value[1].data, value[1].len)
               == 0)
        {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "duplicate CA \"%V\"", &value[1]);
            return NGX_CONF_ERROR;
        }
    }

    ca = ngx_pcalloc(cf->pool, sizeof(ngx_http_enroll_ca_t));
    cap = ngx_array_push(&emcf->cas);
    cln = ngx_pool_cleanup_add(cf->pool, 0);

    if (ca == NULL || cap == NULL || cln == NULL) {
        return NGX_CONF_ERROR;
    }

    *cap = ca;
    ca->name = value[1];
    ca->index = emcf->cas.nelts - 1;

    cln->handler = ngx_http_enroll_ca_cleanup;
    cln->data = ca;

    rv = ngx_http_enroll_block(cf, ngx_http_enroll_ca_commands, ca);

    if (rv != NGX_CONF_OK) {
        return rv;
    }

    return ngx_http_enroll_ca_load(cf, ca);
}


static char *
ngx_http_enroll_ca_load(ngx_conf_t *cf, ngx_http_enroll_ca_t *ca)
{
    char   error[ENROLL_ERROR_TEXT];

    if (ca->certificate.len == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "no \"certificate\" is defined for CA \"%V\"",
                           &ca->name);
        return NGX_CONF_ERROR;
    }

    if (ca->certificate_key.len == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "no \"certificate_key\" is defined for CA \"%V\"",
                           &ca->name);
        return NGX_CONF_ERROR;
    }

    ca->pki.chain = ngx_http_enroll_read_certs(cf, &ca->certificate);
    if (ca->pki.chain == NULL) {
        return NGX_CONF_ERROR;
    }

    if (ca->previous_certificate.len) {
        ca->pki.previous = ngx_http_enroll_read_certs(cf,
                                                  &ca->previous_certificate);
        if (ca->pki.previous == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    if (ca->next_certificate.len) {
        ca->pki.next = ngx_http_enroll_read_certs(cf, &ca->next_certificate);
        if (ca->pki.next == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    ca->pki.key = ngx_http_enroll_key_load(cf, ca);
    if (ca->pki.key == NULL) {
        return NGX_CONF_ERROR;
    }

    if (!enroll_ca_init(&ca->pki, ngx_time(), error)) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "CA \"%V\": %s",
                           &ca->name, error);
        return NGX_CONF_ERROR;
    }

    if (!enroll_key_digest(sk_X509_value(ca->pki.chain, 0), ca->key_digest)) {
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static EVP_PKEY *
ngx_http_enroll_key_load(ngx_conf_t *cf, ngx_http_enroll_ca_t *ca)
{
    char         *uri;
    EVP_PKEY     *pkey;
    ngx_str_t     key, *password;
    ngx_uint_t    i;
    ngx_array_t  *passwords;

    key = ca->certificate_key;

    if (ngx_strncmp(key.data, "engine:", sizeof("engine:") - 1) == 0) {
        ca->pki.remote = 1;
        return ngx_http_enroll_key_engine(cf, &key);
    }

    if (ngx_strncmp(key.data, "store:", sizeof("store:") - 1) == 0) {
        ca->pki.remote = 1;
        uri = (char *) key.data + sizeof("store:") - 1;

    } else {
        if (ngx_conf_full_name(cf->cycle, &key, 1) != NGX_OK) {
            return NULL;
        }

        uri = (char *) key.data;
    }

    password = NULL;
    passwords = NULL;

    if (ca->password_file.len) {
        passwords = ngx_ssl_read_password_file(cf, &ca->password_file);
        if (passwords == NULL) {
            return NULL;
        }

        password = passwords->elts;
    }

    pkey = NULL;

    for (i = 0; i == 0 || (passwords && i < passwords->nelts); i++) {

        ERR_clear_error();

        pkey = ngx_http_enroll_key_store(cf, uri,
                                         passwords ? &password[i] : NULL);
        if (pkey) {
            return pkey;
        }
    }

    /* a PIN may stand behind the "?" of a URI */

    ngx_ssl_error(NGX_LOG_EMERG, cf->log, 0,
                  "cannot load private key \"%*s\" of CA \"%V\"%s in %V:%ui",
                  strcspn(uri, "?"), uri, &ca->name,
                  ca->password_file.len ? ""
                      : " (an encrypted one needs \"password_file\")",
                  &cf->conf_file->file.name, cf->conf_file->line);

    return NULL;
}


static EVP_PKEY *
ngx_http_enroll_key_store(ngx_conf_t *cf, const char *uri, ngx_str_t *password)
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
        ngx_ssl_error(NGX_LOG_EMERG, cf->log, 0,
                      "cannot load key \"%*s\" of engine \"%s\" in %V:%ui",
                      strcspn((char *) id, "?"), id, name, &cf->conf_file->file.name,
                      cf->conf_file->line);
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


static void
ngx_http_enroll_ca_cleanup(void *data)
{
    ngx_http_enroll_ca_t *ca = data;

    enroll_ca_cleanup(&ca->pki);
}


STACK_OF(X509) *
ngx_http_enroll_read_certs(ngx_conf_t *cf, ngx_str_t *name)
{
    char             error[ENROLL_ERROR_TEXT];
    ngx_str_t        content;
    STACK_OF(X509)  *certs;

    if (ngx_http_enroll_read_file(cf, name, &content) != NGX_OK) {
        return NULL;
    }

    certs = enroll_certs_parse((char *) content.data, content.len, error);

    if (certs == NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "cannot read certificates from \"%V\": %s",
                           name, error);
    }

    return certs;
}


ngx_int_t
ngx_http_enroll_read_file(ngx_conf_t *cf, ngx_str_t *name, ngx_str_t *content)
{
    size_t           size;
    ssize_t          n;
    ngx_fd_t         fd;
    ngx_int_t        rc;
    ngx_file_info_t  fi;

    if (ngx_conf_full_name(cf->cycle, name, 1) != NGX_OK) {
        return NGX_ERROR;
    }

    fd = ngx_open_file(name->data, NGX_FILE_RDONLY, NGX_FILE_OPEN, 0);

    if (fd == NGX_INVALID_FILE) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           ngx_open_file_n " \"%V\" failed", name);
        return NGX_ERROR;
    }

    rc = NGX_ERROR;

    if (ngx_fd_info(fd, &fi) == NGX_FILE_ERROR) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           ngx_fd_info_n " \"%V\" failed", name);
        goto done;
    }

    size = (size_t) ngx_file_size(&fi);

    if (!ngx_is_file(&fi) || size > 16 * 1024 * 1024) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\" is not a file of at most 16M", name);
        goto done;
    }

    content->data = ngx_pnalloc(cf->pool, size + 1);
    if (content->data == NULL) {
        goto done;
    }

    n = ngx_read_fd(fd, content->data, size);

    if (n != (ssize_t) size) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, (n == -1) ? ngx_errno : 0,
                           ngx_read_fd_n " \"%V\" failed", name);
        goto done;
    }

    content->data[size] = '\0';
    content->len = size;

    rc = NGX_OK;

done:

    if (ngx_close_file(fd) == NGX_FILE_ERROR) {
        ngx_log_error(NGX_LOG_ALERT, cf->log, ngx_errno,
                      ngx_close_file_n " \"%V\" failed", name);
    }

    return rc;
}
