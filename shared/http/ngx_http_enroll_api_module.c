
/*
 * Copyright (C) The nginx-enroll authors
 */


/*
 * The API's directives.  A location says who guards it, or nginx does not
 * start.
 */


#include "ngx_http_enroll_api.h"


static void *ngx_http_enroll_api_create_loc_conf(ngx_conf_t *cf);
static char *ngx_http_enroll_api_merge_loc_conf(ngx_conf_t *cf, void *parent,
    void *child);
static char *ngx_http_enroll_api(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_enroll_api_parameter(ngx_conf_t *cf,
    ngx_http_enroll_api_loc_conf_t *alcf, ngx_str_t *value);
static char *ngx_http_enroll_api_allow(ngx_conf_t *cf,
    ngx_http_enroll_api_loc_conf_t *alcf, ngx_str_t *value);


static ngx_conf_enum_t  ngx_http_enroll_api_guards[] = {
    { ngx_string("certificate"), NGX_HTTP_ENROLL_API_CERTIFICATE },
    { ngx_string("basic"), NGX_HTTP_ENROLL_API_BASIC },
    { ngx_string("address"), NGX_HTTP_ENROLL_API_ADDRESS },
    { ngx_string("external"), NGX_HTTP_ENROLL_API_EXTERNAL },
    { ngx_null_string, 0 }
};


static ngx_command_t  ngx_http_enroll_api_commands[] = {

    { ngx_string("enroll_api"),
      NGX_HTTP_LOC_CONF|NGX_CONF_1MORE,
      ngx_http_enroll_api,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("enroll_api_users"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_enroll_users_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_enroll_api_loc_conf_t, users),
      NULL },

    { ngx_string("enroll_api_client_ca"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_enroll_certs_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_enroll_api_loc_conf_t, client_ca),
      NULL },

      ngx_null_command
};


static ngx_http_module_t  ngx_http_enroll_api_module_ctx = {
    NULL,                                  /* preconfiguration */
    NULL,                                  /* postconfiguration */

    NULL,                                  /* create main configuration */
    NULL,                                  /* init main configuration */

    NULL,                                  /* create server configuration */
    NULL,                                  /* merge server configuration */

    ngx_http_enroll_api_create_loc_conf,   /* create location configuration */
    ngx_http_enroll_api_merge_loc_conf     /* merge location configuration */
};


ngx_module_t  ngx_http_enroll_api_module = {
    NGX_MODULE_V1,
    &ngx_http_enroll_api_module_ctx,       /* module context */
    ngx_http_enroll_api_commands,          /* module directives */
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


static void *
ngx_http_enroll_api_create_loc_conf(ngx_conf_t *cf)
{
    ngx_http_enroll_api_loc_conf_t  *alcf;

    alcf = ngx_pcalloc(cf->pool, sizeof(ngx_http_enroll_api_loc_conf_t));
    if (alcf == NULL) {
        return NULL;
    }

    alcf->users = NGX_CONF_UNSET_PTR;
    alcf->client_ca = NGX_CONF_UNSET_PTR;

    return alcf;
}


static char *
ngx_http_enroll_api_merge_loc_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_http_enroll_api_loc_conf_t *prev = parent;
    ngx_http_enroll_api_loc_conf_t *conf = child;

    char                        *needed;
    ngx_http_enroll_endpoint_t  *endpoint;

    ngx_conf_merge_ptr_value(conf->users, prev->users, NULL);
    ngx_conf_merge_ptr_value(conf->client_ca, prev->client_ca, NULL);

    if (ngx_http_enroll_endpoint_inherit(cf, &prev->endpoint, &conf->endpoint,
                                         ngx_http_enroll_api_handler))
    {
        conf->guard = prev->guard;
        conf->form = prev->form;
        conf->unnamed = prev->unnamed;
        conf->lifetime = prev->lifetime;
        conf->allow = prev->allow;
    }

    endpoint = &conf->endpoint;

    if (endpoint->ca_value == NULL) {
        return NGX_CONF_OK;
    }

    needed = NULL;

    /*
     * The certificates of the location's CA itself would make each device
     * that was ever enrolled an administrator
     */

    if (conf->guard == NGX_HTTP_ENROLL_API_CERTIFICATE
        && conf->client_ca == NULL)
    {
        needed = "\"guard=certificate\" requires \"enroll_api_client_ca\"";

    } else if (conf->guard == NGX_HTTP_ENROLL_API_BASIC
               && conf->users == NULL)
    {
        needed = "\"guard=basic\" requires \"enroll_api_users\"";
    }

    if (needed) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0, "%s in %s:%ui", needed,
                      endpoint->file, endpoint->line);
        return NGX_CONF_ERROR;
    }

    return ngx_http_enroll_endpoint_init(cf, endpoint);
}


/*
 * "enroll_api [CA] guard=GUARD [allow=CIDR ...] [lifetime=TIME]
 * [ndes | ndes=utf-8]"
 */

static char *
ngx_http_enroll_api(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_enroll_api_loc_conf_t *alcf = conf;

    char                      *rv;
    ngx_str_t                 *value, ca;
    ngx_uint_t                 i;
    ngx_array_t               *saved, *args;
    ngx_http_core_loc_conf_t  *clcf;

    if (alcf->endpoint.ca_value) {
        return "is duplicate";
    }

    ngx_str_null(&ca);

    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {

        if (i == 1
            && ngx_strchr(value[i].data, '=') == NULL
            && ngx_strcmp(value[i].data, "ndes") != 0)
        {
            ca = value[i];
            continue;
        }

        rv = ngx_http_enroll_api_parameter(cf, alcf, &value[i]);

        if (rv != NGX_CONF_OK) {
            return rv;
        }
    }

    if (alcf->guard == NGX_HTTP_ENROLL_API_OPEN) {
        return "names no guard: \"guard=certificate\", \"guard=basic\", "
               "\"guard=address\" or \"guard=external\"";
    }

    if (alcf->guard == NGX_HTTP_ENROLL_API_ADDRESS && alcf->allow == NULL) {
        return "has \"guard=address\" and no \"allow=\"";
    }

    if (alcf->lifetime == 0) {
        alcf->lifetime = 3600 * 1000;
    }

    if (ca.len == 0) {
        alcf->unnamed = 1;
        ngx_str_set(&ca, "$arg_ca");
    }

    args = ngx_array_create(cf->pool, 2, sizeof(ngx_str_t));
    if (args == NULL) {
        return NGX_CONF_ERROR;
    }

    *(ngx_str_t *) ngx_array_push(args) = value[0];
    *(ngx_str_t *) ngx_array_push(args) = ca;

    saved = cf->args;
    cf->args = args;

    rv = ngx_http_enroll_endpoint(cf, &alcf->endpoint);

    cf->args = saved;

    if (rv != NGX_CONF_OK) {
        return rv;
    }

    if (alcf->form == NGX_HTTP_ENROLL_API_JSON && alcf->endpoint.prefix == 0) {
        return "is in a location that is not a prefix, what follows it is the "
               "operation";
    }

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);
    clcf->handler = ngx_http_enroll_api_handler;

    return NGX_CONF_OK;
}


static char *
ngx_http_enroll_api_parameter(ngx_conf_t *cf,
    ngx_http_enroll_api_loc_conf_t *alcf, ngx_str_t *value)
{
    ngx_int_t         n;
    ngx_str_t         s;
    ngx_conf_enum_t  *guard;

    if (ngx_strncmp(value->data, "guard=", 6) == 0
        && alcf->guard == NGX_HTTP_ENROLL_API_OPEN)
    {
        for (guard = ngx_http_enroll_api_guards; guard->name.len; guard++) {
            if (ngx_strcmp(value->data + 6, guard->name.data) == 0) {
                alcf->guard = guard->value;
                return NGX_CONF_OK;
            }
        }

    } else if (ngx_strncmp(value->data, "allow=", 6) == 0) {
        s.data = value->data + 6;
        s.len = value->len - 6;

        return ngx_http_enroll_api_allow(cf, alcf, &s);

    } else if (ngx_strncmp(value->data, "lifetime=", 9) == 0
               && alcf->lifetime == 0)
    {
        s.data = value->data + 9;
        s.len = value->len - 9;

        n = ngx_parse_time(&s, 1);

        if (n > 0 && n <= NGX_HTTP_ENROLL_API_LIFETIME) {
            alcf->lifetime = (ngx_msec_t) n * 1000;
            return NGX_CONF_OK;
        }

    } else if (ngx_strcmp(value->data, "ndes") == 0
               || ngx_strcmp(value->data, "ndes=utf-16le") == 0)
    {
        alcf->form = NGX_HTTP_ENROLL_API_NDES_UTF16;
        return NGX_CONF_OK;

    } else if (ngx_strcmp(value->data, "ndes=utf-8") == 0) {
        alcf->form = NGX_HTTP_ENROLL_API_NDES_UTF8;
        return NGX_CONF_OK;
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "invalid parameter \"%V\"",
                       value);

    return NGX_CONF_ERROR;
}


static char *
ngx_http_enroll_api_allow(ngx_conf_t *cf, ngx_http_enroll_api_loc_conf_t *alcf,
    ngx_str_t *value)
{
    ngx_int_t    rc;
    ngx_cidr_t  *cidr;

    if (alcf->allow == NULL) {
        alcf->allow = ngx_array_create(cf->pool, 4, sizeof(ngx_cidr_t));

        if (alcf->allow == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    cidr = ngx_array_push(alcf->allow);
    if (cidr == NULL) {
        return NGX_CONF_ERROR;
    }

    ngx_memzero(cidr, sizeof(ngx_cidr_t));

#if (NGX_HAVE_UNIX_DOMAIN)

    if (value->len == 5 && ngx_strcmp(value->data, "unix:") == 0) {
        cidr->family = AF_UNIX;
        return NGX_CONF_OK;
    }

#endif

    rc = ngx_ptocidr(value, cidr);

    if (rc == NGX_ERROR) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid network \"allow=%V\"", value);
        return NGX_CONF_ERROR;
    }

    if (rc == NGX_DONE) {
        ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                           "low address bits of \"allow=%V\" are meaningless",
                           value);
    }

    return NGX_CONF_OK;
}
