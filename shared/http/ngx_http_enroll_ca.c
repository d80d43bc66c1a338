
/*
 * Copyright (C) The nginx-enroll authors
 */


/*
 * "enroll_ca NAME { … }": certificates and key of a certification authority,
 * read by the master at configuration time, so that root-only files stay
 * root-only and "nginx -t" proves them.
 */


#include "ngx_http_enroll_core.h"



static char *ngx_http_enroll_ca_load(ngx_conf_t *cf, ngx_http_enroll_ca_t *ca);
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

    { ngx_string("ra_certificate"),
      NGX_CONF_TAKE1,
      ngx_conf_set_str_array_slot,
      0,
      offsetof(ngx_http_enroll_ca_t, ra_certificate),
      NULL },

    { ngx_string("ra_certificate_key"),
      NGX_CONF_TAKE1,
      ngx_conf_set_str_array_slot,
      0,
      offsetof(ngx_http_enroll_ca_t, ra_certificate_key),
      NULL },

    { ngx_string("ra_encryption_certificate"),
      NGX_CONF_TAKE1,
      ngx_conf_set_str_slot,
      0,
      offsetof(ngx_http_enroll_ca_t, ra_encryption_certificate),
      NULL },

    { ngx_string("ra_encryption_certificate_key"),
      NGX_CONF_TAKE1,
      ngx_conf_set_str_slot,
      0,
      offsetof(ngx_http_enroll_ca_t, ra_encryption_certificate_key),
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

    if (ngx_http_enroll_ca_by_name(emcf, &value[1])) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "duplicate CA \"%V\"", &value[1]);
        return NGX_CONF_ERROR;
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
    ca->ra_certificate = NGX_CONF_UNSET_PTR;
    ca->ra_certificate_key = NGX_CONF_UNSET_PTR;

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
    char        error[ENROLL_ERROR_TEXT];
    ngx_uint_t  remote;

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

    ca->pki.key = ngx_http_enroll_key_load(cf, &ca->certificate_key,
                                           &ca->password_file, &remote);
    if (ca->pki.key == NULL) {
        return NGX_CONF_ERROR;
    }

    ca->pki.remote = remote;

    if (!enroll_ca_init(&ca->pki, ngx_time(), error)) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "CA \"%V\": %s",
                           &ca->name, error);
        return NGX_CONF_ERROR;
    }

    if (!enroll_key_digest(sk_X509_value(ca->pki.chain, 0), ca->key_digest)) {
        return NGX_CONF_ERROR;
    }

    ngx_conf_init_ptr_value(ca->ra_certificate, NULL);
    ngx_conf_init_ptr_value(ca->ra_certificate_key, NULL);

    return (ngx_http_enroll_ra_load(cf, ca) == NGX_OK) ? NGX_CONF_OK
                                                       : NGX_CONF_ERROR;
}


static void
ngx_http_enroll_ca_cleanup(void *data)
{
    ngx_http_enroll_ca_t *ca = data;

    ngx_http_enroll_ra_cleanup(ca);
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
