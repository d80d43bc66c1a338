
/*
 * Copyright (C) The nginx-enroll authors
 */


/*
 * Enrollment over Secure Transport (RFC 7030, RFC 8951): configuration.
 */


#include "ngx_http_est.h"


static ngx_int_t ngx_http_est_preconfiguration(ngx_conf_t *cf);
static ngx_int_t ngx_http_est_postconfiguration(ngx_conf_t *cf);
static void *ngx_http_est_create_main_conf(ngx_conf_t *cf);
static char *ngx_http_est_init_main_conf(ngx_conf_t *cf, void *conf);
static void *ngx_http_est_create_loc_conf(ngx_conf_t *cf);
static char *ngx_http_est_merge_loc_conf(ngx_conf_t *cf, void *parent,
    void *child);
static char *ngx_http_est_endpoint_check(ngx_conf_t *cf,
    ngx_http_est_loc_conf_t *conf);
static char *ngx_http_est(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
static char *ngx_http_est_set_csrattrs(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);


/* in the order of NGX_HTTP_EST_AUTH_... */

ngx_conf_enum_t  ngx_http_est_auth[] = {
    { ngx_string("any"), NGX_HTTP_EST_AUTH_ANY },
    { ngx_string("certificate"), NGX_HTTP_EST_AUTH_CERTIFICATE },
    { ngx_string("basic"), NGX_HTTP_EST_AUTH_BASIC },
    { ngx_string("both"), NGX_HTTP_EST_AUTH_BOTH },
    { ngx_string("none"), NGX_HTTP_EST_AUTH_NONE },
    { ngx_null_string, 0 }
};


static ngx_command_t  ngx_http_est_commands[] = {

    { ngx_string("est"),
      NGX_HTTP_LOC_CONF|NGX_CONF_TAKE12,
      ngx_http_est,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("est_auth"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_enum_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_est_loc_conf_t, auth),
      ngx_http_est_auth },

    { ngx_string("est_basic_users"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_enroll_users_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_est_loc_conf_t, users),
      NULL },

    { ngx_string("est_client_ca"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_enroll_certs_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_est_loc_conf_t, client_ca),
      NULL },

    { ngx_string("est_unrecorded"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_est_loc_conf_t, unrecorded),
      NULL },

    { ngx_string("est_debug"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_est_loc_conf_t, debug),
      NULL },

    { ngx_string("est_repeat"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_msec_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_est_loc_conf_t, repeat),
      NULL },

    { ngx_string("est_wrap"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_set_complex_value_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_est_loc_conf_t, wrap),
      NULL },

    { ngx_string("est_csrattrs"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_1MORE,
      ngx_http_est_set_csrattrs,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

      ngx_null_command
};


static ngx_http_module_t  ngx_http_est_module_ctx = {
    ngx_http_est_preconfiguration,         /* preconfiguration */
    ngx_http_est_postconfiguration,        /* postconfiguration */

    ngx_http_est_create_main_conf,         /* create main configuration */
    ngx_http_est_init_main_conf,           /* init main configuration */

    NULL,                                  /* create server configuration */
    NULL,                                  /* merge server configuration */

    ngx_http_est_create_loc_conf,          /* create location configuration */
    ngx_http_est_merge_loc_conf            /* merge location configuration */
};


ngx_module_t  ngx_http_est_module = {
    NGX_MODULE_V1,
    &ngx_http_est_module_ctx,              /* module context */
    ngx_http_est_commands,                 /* module directives */
    NGX_HTTP_MODULE,                       /* module type */
    NULL,                                  /* init master */
    NULL,                                  /* init module */
    NULL,                                  /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    NULL,                                  /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


static ngx_int_t
ngx_http_est_preconfiguration(ngx_conf_t *cf)
{
    if (ngx_http_enroll_abi != NGX_HTTP_ENROLL_ABI) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "ngx_http_est_module and ngx_http_enroll_module are of "
                      "different builds");
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_est_postconfiguration(ngx_conf_t *cf)
{
    ngx_http_handler_pt        *h;
    ngx_http_core_main_conf_t  *cmcf;

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);

    h = ngx_array_push(&cmcf->phases[NGX_HTTP_ACCESS_PHASE].handlers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    *h = ngx_http_est_access_handler;

    return NGX_OK;
}


static void *
ngx_http_est_create_main_conf(ngx_conf_t *cf)
{
    return ngx_pcalloc(cf->pool, sizeof(ngx_http_est_main_conf_t));
}


/* what cacerts answers is made once: the CAs are loaded by now */

static char *
ngx_http_est_init_main_conf(ngx_conf_t *cf, void *conf)
{
    ngx_http_est_main_conf_t *esmcf = conf;

    u_char                        *der;
    size_t                         len;
    ngx_int_t                      rc;
    ngx_uint_t                     i, n;
    STACK_OF(X509)                *certs, *parts[3];
    ngx_http_enroll_ca_t         **ca;
    ngx_http_enroll_main_conf_t   *emcf;

    emcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_enroll_module);

    if (emcf->cas.nelts == 0) {
        return NGX_CONF_OK;
    }

    esmcf->cacerts = ngx_pcalloc(cf->pool, emcf->cas.nelts
                                           * sizeof(ngx_http_est_payload_t));
    if (esmcf->cacerts == NULL) {
        return NGX_CONF_ERROR;
    }

    ca = emcf->cas.elts;

    for (i = 0; i < emcf->cas.nelts; i++) {

        /* with predecessor and successor: RFC 7030, section 4.1.3 */

        parts[0] = ca[i]->pki.chain;
        parts[1] = ca[i]->pki.previous;
        parts[2] = ca[i]->pki.next;

        certs = sk_X509_new_null();
        if (certs == NULL) {
            return NGX_CONF_ERROR;
        }

        der = NULL;

        for (n = 0; n < 3; n++) {
            if (parts[n]
                && !X509_add_certs(certs, parts[n],
                                   X509_ADD_FLAG_DEFAULT
                                   |X509_ADD_FLAG_NO_DUP))
            {
                sk_X509_free(certs);
                return NGX_CONF_ERROR;
            }
        }

        len = enroll_bag(certs, 1, &der);
        sk_X509_free(certs);

        if (len == 0) {
            return NGX_CONF_ERROR;
        }

        rc = ngx_http_est_payload(cf->pool, &esmcf->cacerts[i], der, len);
        OPENSSL_free(der);

        if (rc != NGX_OK) {
            return NGX_CONF_ERROR;
        }
    }

    return NGX_CONF_OK;
}


static void *
ngx_http_est_create_loc_conf(ngx_conf_t *cf)
{
    ngx_http_est_loc_conf_t  *eslcf;

    /*
     * set by ngx_pcalloc():
     *
     *     eslcf->endpoint = { NULL };
     *     eslcf->named = 0;
     *     eslcf->attrs = NULL;
     */

    eslcf = ngx_pcalloc(cf->pool, sizeof(ngx_http_est_loc_conf_t));
    if (eslcf == NULL) {
        return NULL;
    }

    eslcf->auth = NGX_CONF_UNSET_UINT;
    eslcf->users = NGX_CONF_UNSET_PTR;
    eslcf->client_ca = NGX_CONF_UNSET_PTR;
    eslcf->unrecorded = NGX_CONF_UNSET;
    eslcf->debug = NGX_CONF_UNSET;
    eslcf->repeat = NGX_CONF_UNSET_MSEC;
    eslcf->csrattrs = NGX_CONF_UNSET_PTR;

    /* ngx_http_set_complex_value_slot() of 1.22 wants NULL */

    eslcf->wrap = NULL;

    return eslcf;
}


static char *
ngx_http_est_merge_loc_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_http_est_loc_conf_t *prev = parent;
    ngx_http_est_loc_conf_t *conf = child;

    ngx_conf_merge_uint_value(conf->auth, prev->auth, NGX_HTTP_EST_AUTH_ANY);
    ngx_conf_merge_ptr_value(conf->users, prev->users, NULL);
    ngx_conf_merge_ptr_value(conf->client_ca, prev->client_ca, NULL);
    ngx_conf_merge_value(conf->unrecorded, prev->unrecorded, 0);
    ngx_conf_merge_value(conf->debug, prev->debug, 0);
    ngx_conf_merge_msec_value(conf->repeat, prev->repeat, 600000);
    ngx_conf_merge_ptr_value(conf->csrattrs, prev->csrattrs, NULL);

    if (conf->wrap == NULL) {
        conf->wrap = prev->wrap;
    }

    if (ngx_http_enroll_endpoint_inherit(cf, &prev->endpoint, &conf->endpoint,
                                         ngx_http_est_handler))
    {
        conf->named = prev->named;
    }

    if (conf->endpoint.ca_value == NULL) {
        return NGX_CONF_OK;
    }

    return ngx_http_est_endpoint_check(cf, conf);
}


static char *
ngx_http_est_endpoint_check(ngx_conf_t *cf, ngx_http_est_loc_conf_t *conf)
{
    char                         *rv;
    ngx_int_t                     rc;
    ngx_uint_t                    i;
    ngx_http_enroll_ca_t        **ca;
    ngx_http_enroll_endpoint_t   *endpoint;
    ngx_http_enroll_loc_conf_t   *elcf;
    ngx_http_enroll_main_conf_t  *emcf;

    endpoint = &conf->endpoint;

    rv = ngx_http_enroll_endpoint_init(cf, endpoint);

    if (rv != NGX_CONF_OK) {
        return rv;
    }

    emcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_enroll_module);
    elcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_enroll_module);

    if (conf->auth == NGX_HTTP_EST_AUTH_NONE
        && elcf->names != NGX_HTTP_ENROLL_NAMES_ANY)
    {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"est_auth none\" identifies nobody and requires "
                      "\"enroll_names any\" in %s:%ui",
                      endpoint->file, endpoint->line);
        return NGX_CONF_ERROR;
    }

    if (conf->users == NULL
        && (conf->auth == NGX_HTTP_EST_AUTH_BASIC
            || conf->auth == NGX_HTTP_EST_AUTH_BOTH))
    {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"est_auth %V\" requires \"est_basic_users\" in %s:%ui",
                      &ngx_http_est_auth[conf->auth].name,
                      endpoint->file, endpoint->line);
        return NGX_CONF_ERROR;
    }

    /* RFC 7030, section 3.2.2: a label is not the name of an operation */

    ca = emcf->cas.elts;

    for (i = 0; i < emcf->cas.nelts; i++) {
        if ((endpoint->ca == NULL || endpoint->ca == ca[i])
            && ngx_http_est_operation(&ca[i]->name) != NGX_DECLINED)
        {
            ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                          "CA \"%V\" has the name of an EST operation, in "
                          "%s:%ui", &ca[i]->name, endpoint->file,
                          endpoint->line);
            return NGX_CONF_ERROR;
        }
    }

    if (endpoint->profile == NULL) {
        return NGX_CONF_OK;
    }

    conf->attrs = ngx_pcalloc(cf->pool, sizeof(ngx_http_est_payload_t));
    if (conf->attrs == NULL) {
        return NGX_CONF_ERROR;
    }

    rc = ngx_http_est_csrattrs(cf->pool, conf, endpoint->profile, conf->attrs);

    return (rc == NGX_ERROR) ? NGX_CONF_ERROR : NGX_CONF_OK;
}


static char *
ngx_http_est(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_est_loc_conf_t *eslcf = conf;

    char                      *rv;
    ngx_http_core_loc_conf_t  *clcf;

    rv = ngx_http_enroll_endpoint(cf, &eslcf->endpoint);

    if (rv != NGX_CONF_OK) {
        return rv;
    }

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

#if (NGX_PCRE)

    if (clcf->regex && clcf->name.data[clcf->name.len - 1] != '$') {

        /* "what follows the prefix" could be anything then */

        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "the regular expression of a location with \"est\" "
                           "must end with \"$\"");
        return NGX_CONF_ERROR;
    }

#endif

    clcf->handler = ngx_http_est_handler;
    eslcf->named = clcf->named;

    return NGX_CONF_OK;
}


/* "auto", "off", or what to ask for, word by word */

static char *
ngx_http_est_set_csrattrs(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_est_loc_conf_t *eslcf = conf;

    const char          *error;
    ngx_str_t           *value, *word;
    ngx_uint_t           i;
    enroll_csrattrs_t   *attrs;

    if (eslcf->csrattrs != NGX_CONF_UNSET_PTR) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (cf->args->nelts == 2 && ngx_strcmp(value[1].data, "auto") == 0) {
        eslcf->csrattrs = NULL;
        return NGX_CONF_OK;
    }

    eslcf->csrattrs = ngx_array_create(cf->pool, cf->args->nelts,
                                       sizeof(ngx_str_t));
    if (eslcf->csrattrs == NULL) {
        return NGX_CONF_ERROR;
    }

    if (cf->args->nelts == 2 && ngx_strcmp(value[1].data, "off") == 0) {
        return NGX_CONF_OK;
    }

    attrs = enroll_csrattrs_new();
    if (attrs == NULL) {
        return NGX_CONF_ERROR;
    }

    for (i = 1; i < cf->args->nelts; i++) {

        error = enroll_csrattrs_add(attrs, (char *) value[i].data,
                                    value[i].len);
        if (error) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid CSR attribute \"%V\": %s",
                               &value[i], error);
            enroll_csrattrs_free(attrs);
            return NGX_CONF_ERROR;
        }

        word = ngx_array_push(eslcf->csrattrs);
        *word = value[i];
    }

    enroll_csrattrs_free(attrs);

    return NGX_CONF_OK;
}
