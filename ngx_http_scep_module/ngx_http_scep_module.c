
/*
 * Copyright (C) The nginx-enroll authors
 */


/*
 * Simple Certificate Enrolment Protocol (RFC 8894): configuration.
 */


#include "ngx_http_scep.h"

#include <openssl/provider.h>


static ngx_int_t ngx_http_scep_preconfiguration(ngx_conf_t *cf);
static void *ngx_http_scep_create_main_conf(ngx_conf_t *cf);
static char *ngx_http_scep_init_main_conf(ngx_conf_t *cf, void *conf);
static void *ngx_http_scep_create_loc_conf(ngx_conf_t *cf);
static char *ngx_http_scep_merge_loc_conf(ngx_conf_t *cf, void *parent,
    void *child);
static char *ngx_http_scep_endpoint_check(ngx_conf_t *cf,
    ngx_http_scep_loc_conf_t *conf);
static ngx_int_t ngx_http_scep_legacy_provider(void);
static char *ngx_http_scep(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
static char *ngx_http_scep_challenge(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_scep_legacy(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_scep_failure_limit(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);


/* in the order of NGX_HTTP_SCEP_CERTS_... */

ngx_conf_enum_t  ngx_http_scep_ca_certs[] = {
    { ngx_string("ra"), NGX_HTTP_SCEP_CERTS_RA },
    { ngx_string("issuer"), NGX_HTTP_SCEP_CERTS_ISSUER },
    { ngx_string("chain"), NGX_HTTP_SCEP_CERTS_CHAIN },
    { ngx_null_string, 0 }
};


ngx_conf_bitmask_t  ngx_http_scep_legacy_names[] = {
    { ngx_string("sha1"), ENROLL_LEGACY_SHA1 << 1 },
    { ngx_string("md5"), ENROLL_LEGACY_MD5 << 1 },
    { ngx_string("des3"), ENROLL_LEGACY_DES3 << 1 },
    { ngx_string("des"), ENROLL_LEGACY_DES << 1 },
    { ngx_string("off"), NGX_CONF_BITMASK_SET },
    { ngx_null_string, 0 }
};


static ngx_command_t  ngx_http_scep_commands[] = {

    { ngx_string("scep"),
      NGX_HTTP_LOC_CONF|NGX_CONF_TAKE12,
      ngx_http_scep,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("scep_challenge"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_scep_challenge,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("scep_ca_certs"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_enum_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_scep_loc_conf_t, ca_certs),
      ngx_http_scep_ca_certs },

    { ngx_string("scep_legacy"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_1MORE,
      ngx_http_scep_legacy,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_scep_loc_conf_t, legacy),
      ngx_http_scep_legacy_names },

    { ngx_string("scep_unrecorded"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_scep_loc_conf_t, unrecorded),
      NULL },

    { ngx_string("scep_debug"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_scep_loc_conf_t, debug),
      NULL },

    { ngx_string("scep_chain"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_scep_loc_conf_t, chain),
      NULL },

    { ngx_string("scep_repeat"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_msec_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_scep_loc_conf_t, repeat),
      NULL },

    { ngx_string("scep_failure_limit"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE12,
      ngx_http_scep_failure_limit,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("scep_get_cert_clients"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_enroll_certs_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_scep_loc_conf_t, readers),
      NULL },

      ngx_null_command
};


static ngx_http_module_t  ngx_http_scep_module_ctx = {
    ngx_http_scep_preconfiguration,        /* preconfiguration */
    NULL,                                  /* postconfiguration */

    ngx_http_scep_create_main_conf,        /* create main configuration */
    ngx_http_scep_init_main_conf,          /* init main configuration */

    NULL,                                  /* create server configuration */
    NULL,                                  /* merge server configuration */

    ngx_http_scep_create_loc_conf,         /* create location configuration */
    ngx_http_scep_merge_loc_conf           /* merge location configuration */
};


ngx_module_t  ngx_http_scep_module = {
    NGX_MODULE_V1,
    &ngx_http_scep_module_ctx,             /* module context */
    ngx_http_scep_commands,                /* module directives */
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
ngx_http_scep_preconfiguration(ngx_conf_t *cf)
{
    if (ngx_http_enroll_abi != NGX_HTTP_ENROLL_ABI) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "ngx_http_scep_module and ngx_http_enroll_module are of "
                      "different builds");
        return NGX_ERROR;
    }

    return NGX_OK;
}


static void *
ngx_http_scep_create_main_conf(ngx_conf_t *cf)
{
    return ngx_pcalloc(cf->pool, sizeof(ngx_http_scep_main_conf_t));
}


/* what GetNextCACert answers is signed once, here */

static char *
ngx_http_scep_init_main_conf(ngx_conf_t *cf, void *conf)
{
    ngx_http_scep_main_conf_t *smcf = conf;

    size_t                         len;
    ngx_uint_t                     i;
    unsigned char                 *der;
    ngx_http_enroll_ca_t         **ca;
    ngx_http_enroll_main_conf_t   *emcf;

    emcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_enroll_module);

    smcf->next_ca = ngx_pcalloc(cf->pool, (emcf->cas.nelts + 1)
                                          * sizeof(ngx_str_t));
    if (smcf->next_ca == NULL) {
        return NGX_CONF_ERROR;
    }

    ca = emcf->cas.elts;

    for (i = 0; i < emcf->cas.nelts; i++) {

        if (ca[i]->pki.next == NULL || ca[i]->ra.sign_key == NULL) {
            continue;
        }

        if (enroll_scep_next_ca(&ca[i]->ra, ca[i]->pki.next, &der, &len)
            != ENROLL_OK)
        {
            ngx_ssl_error(NGX_LOG_EMERG, cf->log, 0,
                          "cannot sign the next certificate of CA \"%V\"",
                          &ca[i]->name);
            return NGX_CONF_ERROR;
        }

        smcf->next_ca[i].data = ngx_pnalloc(cf->pool, len);

        if (smcf->next_ca[i].data) {
            ngx_memcpy(smcf->next_ca[i].data, der, len);
            smcf->next_ca[i].len = len;
        }

        OPENSSL_free(der);

        if (smcf->next_ca[i].len == 0) {
            return NGX_CONF_ERROR;
        }
    }

    return NGX_CONF_OK;
}


static void *
ngx_http_scep_create_loc_conf(ngx_conf_t *cf)
{
    ngx_http_scep_loc_conf_t  *sclcf;

    /*
     * set by ngx_pcalloc():
     *
     *     sclcf->endpoint = { NULL };
     *     sclcf->secret = { 0 };
     *     sclcf->legacy = 0;
     */

    sclcf = ngx_pcalloc(cf->pool, sizeof(ngx_http_scep_loc_conf_t));
    if (sclcf == NULL) {
        return NULL;
    }

    sclcf->ca_certs = NGX_CONF_UNSET_UINT;
    sclcf->challenge = NGX_CONF_UNSET_UINT;
    sclcf->unrecorded = NGX_CONF_UNSET;
    sclcf->debug = NGX_CONF_UNSET;
    sclcf->chain = NGX_CONF_UNSET;
    sclcf->repeat = NGX_CONF_UNSET_MSEC;
    sclcf->failures = NGX_CONF_UNSET_UINT;
    sclcf->failures_time = NGX_CONF_UNSET_MSEC;
    sclcf->readers = NGX_CONF_UNSET_PTR;

    return sclcf;
}


static char *
ngx_http_scep_merge_loc_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_http_scep_loc_conf_t *prev = parent;
    ngx_http_scep_loc_conf_t *conf = child;

    if (conf->challenge == NGX_CONF_UNSET_UINT) {
        conf->challenge = prev->challenge;
        ngx_memcpy(conf->secret, prev->secret, ENROLL_DIGEST_LEN);
    }

    ngx_conf_merge_uint_value(conf->ca_certs, prev->ca_certs,
                              NGX_HTTP_SCEP_CERTS_RA);
    ngx_conf_merge_bitmask_value(conf->legacy, prev->legacy,
                                 NGX_CONF_BITMASK_SET);
    ngx_conf_merge_value(conf->unrecorded, prev->unrecorded, 0);
    ngx_conf_merge_value(conf->debug, prev->debug, 0);
    ngx_conf_merge_value(conf->chain, prev->chain, 0);
    ngx_conf_merge_msec_value(conf->repeat, prev->repeat, 600000);
    ngx_conf_merge_uint_value(conf->failures, prev->failures, 100);
    ngx_conf_merge_msec_value(conf->failures_time, prev->failures_time,
                              600000);
    ngx_conf_merge_ptr_value(conf->readers, prev->readers, NULL);

    (void) ngx_http_enroll_endpoint_inherit(cf, &prev->endpoint,
                                            &conf->endpoint,
                                            ngx_http_scep_handler);

    if (conf->endpoint.ca_value == NULL) {
        return NGX_CONF_OK;
    }

    return ngx_http_scep_endpoint_check(cf, conf);
}


static char *
ngx_http_scep_endpoint_check(ngx_conf_t *cf, ngx_http_scep_loc_conf_t *conf)
{
    char                        *rv;
    uint32_t                     usage;
    const char                  *error;
    ngx_http_enroll_endpoint_t  *endpoint;
    ngx_http_enroll_loc_conf_t  *elcf;

    endpoint = &conf->endpoint;

    rv = ngx_http_enroll_endpoint_init(cf, endpoint);

    if (rv != NGX_CONF_OK) {
        return rv;
    }

    elcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_enroll_module);

    error = NULL;

    if (conf->challenge == NGX_CONF_UNSET_UINT) {
        error = "\"scep\" requires \"scep_challenge\"";

    } else if (conf->challenge == NGX_HTTP_SCEP_CHALLENGE_OFF
               && !elcf->approval && !elcf->approval_set)
    {
        error = "\"scep_challenge off\" lets anybody enrol, and requires "
                "\"enroll_approval manual\", or \"enroll_approval off\" where "
                "that is meant";

    } else if (endpoint->ca && endpoint->ca->ra.sign_key == NULL) {
        error = "\"scep\" requires \"ra_certificate\" in the CA, whose own "
                "key is not RSA";

    } else if ((ngx_http_scep_legacy_bits(conf) & ENROLL_LEGACY_DES)
               && ngx_http_scep_legacy_provider() != NGX_OK)
    {
        error = "\"scep_legacy des\" requires OpenSSL's legacy provider";
    }

    if (error) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0, "%s in %s:%ui", error,
                      endpoint->file, endpoint->line);
        return NGX_CONF_ERROR;
    }

    /* clients choose by keyUsage whom they encrypt to, and whom they believe */

    usage = KU_DIGITAL_SIGNATURE|KU_KEY_ENCIPHERMENT;

    if (endpoint->ca && endpoint->ca->ra_certificate == NULL
        && (X509_get_key_usage(endpoint->ca->ra.sign_cert) & usage) != usage)
    {
        ngx_log_error(NGX_LOG_WARN, cf->log, 0,
                      "CA \"%V\" answers SCEP itself, and its keyUsage has not "
                      "both digitalSignature and keyEncipherment: some clients "
                      "need \"ra_certificate\" then, in %s:%ui",
                      &endpoint->ca->name, endpoint->file, endpoint->line);
    }

    return NGX_CONF_OK;
}


/*
 * Once in a process, and for all its life, whatever is reloaded: as soon as
 * one provider was asked for by name, the default one is there only as long as
 * it is asked for, too.
 */

static ngx_int_t
ngx_http_scep_legacy_provider(void)
{
    ngx_uint_t             i;

    static OSSL_PROVIDER  *providers[2];
    static const char     *names[] = { "default", "legacy" };

    for (i = 0; i < 2; i++) {
        if (providers[i] == NULL) {
            providers[i] = OSSL_PROVIDER_load(NULL, names[i]);
        }

        if (providers[i] == NULL) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static char *
ngx_http_scep(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_scep_loc_conf_t *sclcf = conf;

    char                      *rv;
    ngx_http_core_loc_conf_t  *clcf;

    rv = ngx_http_enroll_endpoint(cf, &sclcf->endpoint);

    if (rv != NGX_CONF_OK) {
        return rv;
    }

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);
    clcf->handler = ngx_http_scep_handler;

    return NGX_CONF_OK;
}


/* "off", "one-time", "file:PATH", or the password itself: its digest stays */

static char *
ngx_http_scep_challenge(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_scep_loc_conf_t *sclcf = conf;

    u_char     *p;
    ngx_str_t  *value, file, secret;

    if (sclcf->challenge != NGX_CONF_UNSET_UINT) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (ngx_strcmp(value[1].data, "off") == 0) {
        sclcf->challenge = NGX_HTTP_SCEP_CHALLENGE_OFF;
        return NGX_CONF_OK;
    }

    if (ngx_strcmp(value[1].data, "one-time") == 0) {
        sclcf->challenge = NGX_HTTP_SCEP_CHALLENGE_ONE_TIME;
        return NGX_CONF_OK;
    }

    secret = value[1];

    if (ngx_strncmp(secret.data, "file:", sizeof("file:") - 1) == 0) {

        file.data = secret.data + sizeof("file:") - 1;
        file.len = secret.len - (sizeof("file:") - 1);

        if (ngx_http_enroll_read_file(cf, &file, &secret) != NGX_OK) {
            return NGX_CONF_ERROR;
        }

        p = secret.data;

        while (p < secret.data + secret.len && *p != LF && *p != CR) { p++; }

        ngx_memzero(p, secret.data + secret.len - p);
        secret.len = p - secret.data;
    }

    if (secret.len == 0 || secret.len > ENROLL_CHALLENGE_LEN) {
        return "has no password of 1 to 255 octets";
    }

    sclcf->challenge = NGX_HTTP_SCEP_CHALLENGE_STATIC;

    if (EVP_Digest(secret.data, secret.len, sclcf->secret, NULL, EVP_sha256(),
                   NULL)
        != 1)
    {
        return NGX_CONF_ERROR;
    }

    ngx_explicit_memzero(secret.data, secret.len);

    return NGX_CONF_OK;
}


/* "off", or the names of what is taken: of one location, in one directive */

static char *
ngx_http_scep_legacy(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_scep_loc_conf_t *sclcf = conf;

    char  *rv;

    if (sclcf->legacy) {
        return "is duplicate";
    }

    rv = ngx_conf_set_bitmask_slot(cf, cmd, conf);

    if (rv != NGX_CONF_OK) {
        return rv;
    }

    if ((sclcf->legacy & NGX_CONF_BITMASK_SET) && cf->args->nelts != 2) {
        return "has \"off\" beside other words";
    }

    return NGX_CONF_OK;
}


/* "off", or how many in how long */

static char *
ngx_http_scep_failure_limit(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_scep_loc_conf_t *sclcf = conf;

    ngx_int_t   n, time;
    ngx_str_t  *value;

    if (sclcf->failures != NGX_CONF_UNSET_UINT) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (cf->args->nelts == 2 && ngx_strcmp(value[1].data, "off") == 0) {
        sclcf->failures = 0;
        return NGX_CONF_OK;
    }

    n = ngx_atoi(value[1].data, value[1].len);
    time = (cf->args->nelts == 3) ? ngx_parse_time(&value[2], 0) : 600000;

    if (n <= 0 || time <= 0) {
        return "must be \"off\" or \"NUMBER [TIME]\"";
    }

    sclcf->failures = n;
    sclcf->failures_time = time;

    return NGX_CONF_OK;
}
