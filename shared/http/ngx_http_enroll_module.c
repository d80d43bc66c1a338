
/*
 * Copyright (C) The nginx-enroll authors
 */


/*
 * The core that the protocol modules share: configuration and life cycle.
 */


#include "ngx_http_enroll_pages.h"
#include "ngx_http_enroll_status.h"


static void *ngx_http_enroll_create_main_conf(ngx_conf_t *cf);
static char *ngx_http_enroll_init_main_conf(ngx_conf_t *cf, void *conf);
static void *ngx_http_enroll_create_loc_conf(ngx_conf_t *cf);
static char *ngx_http_enroll_merge_loc_conf(ngx_conf_t *cf, void *parent,
    void *child);
static ngx_int_t ngx_http_enroll_postconfiguration(ngx_conf_t *cf);
static ngx_int_t ngx_http_enroll_init_process(ngx_cycle_t *cycle);
static void ngx_http_enroll_exit_process(ngx_cycle_t *cycle);
static char *ngx_http_enroll_redis(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_enroll_thread_pool(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_enroll_audit_slot(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_enroll_pending(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);


ngx_uint_t  ngx_http_enroll_abi = NGX_HTTP_ENROLL_ABI;


static ngx_conf_enum_t  ngx_http_enroll_names_values[] = {
    { ngx_string("identity"), NGX_HTTP_ENROLL_NAMES_IDENTITY },
    { ngx_string("any"), NGX_HTTP_ENROLL_NAMES_ANY },
    { ngx_null_string, 0 }
};


static ngx_conf_enum_t  ngx_http_enroll_approval_values[] = {
    { ngx_string("off"), 0 },
    { ngx_string("manual"), 1 },
    { ngx_null_string, 0 }
};


static ngx_conf_num_bounds_t  ngx_http_enroll_status_size = {
    ngx_conf_check_num_bounds, 65536, 1024 * 1024 * 1024
};


static ngx_conf_bitmask_t  ngx_http_enroll_pages_values[] = {
    { ngx_string("discovery"), NGX_HTTP_ENROLL_PAGE_DISCOVERY },
    { ngx_string("info"), NGX_HTTP_ENROLL_PAGE_INFO },
    { ngx_string("health"), NGX_HTTP_ENROLL_PAGE_HEALTH },
    { ngx_string("configuration"), NGX_HTTP_ENROLL_PAGE_CONFIGURATION },
    { ngx_string("off"), NGX_HTTP_ENROLL_PAGE_OFF },
    { ngx_null_string, 0 }
};


static ngx_command_t  ngx_http_enroll_commands[] = {

    { ngx_string("enroll_ca"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_BLOCK|NGX_CONF_TAKE1,
      ngx_http_enroll_ca_block,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("enroll_profile"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_BLOCK|NGX_CONF_TAKE1,
      ngx_http_enroll_profile_block,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("enroll_redis"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_1MORE,
      ngx_http_enroll_redis,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("enroll_thread_pool"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_http_enroll_thread_pool,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("enroll_status_zone"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_size_slot,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_http_enroll_main_conf_t, status_size),
      &ngx_http_enroll_status_size },

    { ngx_string("enroll_audit"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_http_enroll_audit_slot,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("enroll_names"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_enum_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_enroll_loc_conf_t, names),
      ngx_http_enroll_names_values },

    { ngx_string("enroll_max_body_size"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_size_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_enroll_loc_conf_t, max_body_size),
      NULL },

    { ngx_string("enroll_timeout"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_msec_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_enroll_loc_conf_t, timeout),
      NULL },

    { ngx_string("enroll_approval"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_enum_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_enroll_loc_conf_t, approval),
      ngx_http_enroll_approval_values },

    { ngx_string("enroll_pending"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_1MORE,
      ngx_http_enroll_pending,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("enroll_pages"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_1MORE,
      ngx_conf_set_bitmask_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_enroll_loc_conf_t, pages),
      ngx_http_enroll_pages_values },

      ngx_null_command
};


static ngx_http_module_t  ngx_http_enroll_module_ctx = {
    ngx_http_enroll_add_variables,         /* preconfiguration */
    ngx_http_enroll_postconfiguration,     /* postconfiguration */

    ngx_http_enroll_create_main_conf,      /* create main configuration */
    ngx_http_enroll_init_main_conf,        /* init main configuration */

    NULL,                                  /* create server configuration */
    NULL,                                  /* merge server configuration */

    ngx_http_enroll_create_loc_conf,       /* create location configuration */
    ngx_http_enroll_merge_loc_conf         /* merge location configuration */
};


ngx_module_t  ngx_http_enroll_module = {
    NGX_MODULE_V1,
    &ngx_http_enroll_module_ctx,           /* module context */
    ngx_http_enroll_commands,              /* module directives */
    NGX_HTTP_MODULE,                       /* module type */
    NULL,                                  /* init master */
    NULL,                                  /* init module */
    ngx_http_enroll_init_process,          /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    ngx_http_enroll_exit_process,          /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


static void *
ngx_http_enroll_create_main_conf(ngx_conf_t *cf)
{
    ngx_http_enroll_main_conf_t  *emcf;

    emcf = ngx_pcalloc(cf->pool, sizeof(ngx_http_enroll_main_conf_t));
    if (emcf == NULL) {
        return NULL;
    }

    emcf->audit = NGX_CONF_UNSET_UINT;

    if (ngx_array_init(&emcf->cas, cf->pool, 4,
                       sizeof(ngx_http_enroll_ca_t *))
        != NGX_OK)
    {
        return NULL;
    }

    if (ngx_array_init(&emcf->profiles, cf->pool, 4,
                       sizeof(ngx_http_enroll_profile_t *))
        != NGX_OK)
    {
        return NULL;
    }

    emcf->status_size = NGX_CONF_UNSET_SIZE;

    return emcf;
}


static char *
ngx_http_enroll_init_main_conf(ngx_conf_t *cf, void *conf)
{
    ngx_http_enroll_main_conf_t *emcf = conf;

    ngx_conf_init_uint_value(emcf->audit, 100000);

    return ngx_http_enroll_profile_builtin(cf, emcf);
}


static void *
ngx_http_enroll_create_loc_conf(ngx_conf_t *cf)
{
    ngx_http_enroll_loc_conf_t  *elcf;

    elcf = ngx_pcalloc(cf->pool, sizeof(ngx_http_enroll_loc_conf_t));
    if (elcf == NULL) {
        return NULL;
    }

    elcf->names = NGX_CONF_UNSET_UINT;
    elcf->max_body_size = NGX_CONF_UNSET_SIZE;
    elcf->timeout = NGX_CONF_UNSET_MSEC;
    elcf->approval = NGX_CONF_UNSET_UINT;
    elcf->pending = NGX_CONF_UNSET_MSEC;
    elcf->pending_max = NGX_CONF_UNSET_UINT;
    elcf->pending_per_address = NGX_CONF_UNSET_UINT;

    return elcf;
}


static char *
ngx_http_enroll_merge_loc_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_http_enroll_loc_conf_t *prev = parent;
    ngx_http_enroll_loc_conf_t *conf = child;

    ngx_conf_merge_uint_value(conf->names, prev->names,
                              NGX_HTTP_ENROLL_NAMES_IDENTITY);
    ngx_conf_merge_size_value(conf->max_body_size, prev->max_body_size,
                              128 * 1024);
    ngx_conf_merge_msec_value(conf->timeout, prev->timeout, 10000);

    conf->approval_set = (conf->approval != NGX_CONF_UNSET_UINT
                          || prev->approval_set);

    ngx_conf_merge_uint_value(conf->approval, prev->approval, 0);
    ngx_conf_merge_msec_value(conf->pending, prev->pending,
                              7 * 24 * 3600 * 1000);
    ngx_conf_merge_uint_value(conf->pending_max, prev->pending_max, 1000);
    ngx_conf_merge_uint_value(conf->pending_per_address,
                              prev->pending_per_address, 10);

    ngx_conf_merge_bitmask_value(conf->pages, prev->pages,
                                 (NGX_CONF_BITMASK_SET
                                  |NGX_HTTP_ENROLL_PAGE_ALL));

    if ((conf->pages & NGX_HTTP_ENROLL_PAGE_OFF)
        && (conf->pages & NGX_HTTP_ENROLL_PAGE_ALL))
    {
        return "\"enroll_pages off\" takes no other word";
    }

    if (conf->timeout == 0) {
        return "\"enroll_timeout\" must not be zero";
    }

    return NGX_CONF_OK;
}


/*
 * The protocol modules' locations are merged by now and have said whether
 * anything is issued here.
 */

static ngx_int_t
ngx_http_enroll_postconfiguration(ngx_conf_t *cf)
{
    ngx_http_core_loc_conf_t     *clcf;
    ngx_http_enroll_main_conf_t  *emcf;

    emcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_enroll_module);

    /* a password that was tried in vain, say; workers would inherit it */

    ERR_clear_error();

    if (emcf->endpoint == NULL) {
        return NGX_OK;
    }

    if (emcf->redis == NULL) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "no \"enroll_redis\" is defined, and nothing may be "
                      "issued unrecorded by the location in %s:%ui",
                      emcf->endpoint->file, emcf->endpoint->line);
        return NGX_ERROR;
    }

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    if (clcf->resolver) {
        ngx_enroll_redis_resolver(emcf->redis, clcf->resolver,
                                  clcf->resolver_timeout);
    }

    if (emcf->thread_pool == NULL) {
        emcf->thread_pool = ngx_thread_pool_add(cf, NULL);

        if (emcf->thread_pool == NULL) {
            return NGX_ERROR;
        }
    }

    return ngx_http_enroll_zone_add(cf, emcf);
}


static ngx_int_t
ngx_http_enroll_init_process(ngx_cycle_t *cycle)
{
    char                           error[ENROLL_ERROR_TEXT];
    ngx_uint_t                     i;
    ngx_http_enroll_ca_t         **ca;
    ngx_http_enroll_main_conf_t   *emcf;

    if (ngx_process != NGX_PROCESS_WORKER
        && ngx_process != NGX_PROCESS_SINGLE)
    {
        return NGX_OK;
    }

    emcf = ngx_http_cycle_get_module_main_conf(cycle, ngx_http_enroll_module);

    if (emcf == NULL || emcf->endpoint == NULL) {
        return NGX_OK;
    }

    /*
     * A PKCS #11 module opens its token again after the fork, as the worker's
     * user: what "nginx -t" proved as root may fail here.
     */

    ca = emcf->cas.elts;

    for (i = 0; i < emcf->cas.nelts; i++) {
        if (ca[i]->pki.remote && !enroll_ca_try(&ca[i]->pki, error)) {
            ca[i]->unusable = 1;

            ngx_log_error(NGX_LOG_EMERG, cycle->log, 0,
                          "CA \"%V\" cannot sign in a worker process: %s",
                          &ca[i]->name, error);
        }
    }

    ERR_clear_error();

    ngx_http_enroll_zone_enter(emcf->status_zone);

    ngx_enroll_redis_watch(emcf->redis, ngx_http_enroll_count_redis);

    ngx_enroll_redis_start(emcf->redis, cycle);

    return NGX_OK;
}


static void
ngx_http_enroll_exit_process(ngx_cycle_t *cycle)
{
    ngx_http_enroll_main_conf_t  *emcf;

    emcf = ngx_http_cycle_get_module_main_conf(cycle, ngx_http_enroll_module);

    if (emcf && emcf->endpoint) {
        ngx_enroll_redis_stop(emcf->redis);
        ngx_http_enroll_zone_leave();

        /* the pool's threads have ended */

        enroll_key_end();
    }
}


static char *
ngx_http_enroll_redis(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_enroll_main_conf_t *emcf = conf;

    if (emcf->redis) {
        return "is duplicate";
    }

    return ngx_enroll_redis_conf(cf, &emcf->redis);
}


static char *
ngx_http_enroll_thread_pool(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_enroll_main_conf_t *emcf = conf;

    ngx_str_t  *value;

    if (emcf->thread_pool) {
        return "is duplicate";
    }

    value = cf->args->elts;

    emcf->thread_pool = ngx_thread_pool_add(cf, &value[1]);

    return emcf->thread_pool ? NGX_CONF_OK : NGX_CONF_ERROR;
}


/* "off", "maxlen=NUMBER" */

static char *
ngx_http_enroll_audit_slot(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_enroll_main_conf_t *emcf = conf;

    ngx_int_t   n;
    ngx_str_t  *value;

    if (emcf->audit != NGX_CONF_UNSET_UINT) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (ngx_strcmp(value[1].data, "off") == 0) {
        emcf->audit = 0;
        return NGX_CONF_OK;
    }

    if (ngx_strncmp(value[1].data, "maxlen=", 7) == 0) {
        n = ngx_atoi(value[1].data + 7, value[1].len - 7);

        if (n > 0) {
            emcf->audit = n;
            return NGX_CONF_OK;
        }
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "invalid parameter \"%V\"",
                       &value[1]);

    return NGX_CONF_ERROR;
}


/* "lifetime=TIME", "max=NUMBER", "per_address=NUMBER" */

static char *
ngx_http_enroll_pending(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_enroll_loc_conf_t *elcf = conf;

    ngx_int_t    n;
    ngx_str_t   *value, s;
    ngx_uint_t   i;

    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {

        if (ngx_strncmp(value[i].data, "lifetime=", 9) == 0) {
            s.data = value[i].data + 9;
            s.len = value[i].len - 9;

            n = ngx_parse_time(&s, 0);

            if (n > 0) {
                elcf->pending = n;
                continue;
            }

        } else if (ngx_strncmp(value[i].data, "max=", 4) == 0) {
            n = ngx_atoi(value[i].data + 4, value[i].len - 4);

            if (n > 0) {
                elcf->pending_max = n;
                continue;
            }

        } else if (ngx_strncmp(value[i].data, "per_address=", 12) == 0) {
            n = ngx_atoi(value[i].data + 12, value[i].len - 12);

            if (n > 0) {
                elcf->pending_per_address = n;
                continue;
            }
        }

        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid parameter \"%V\"", &value[i]);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}
