
/*
 * Copyright (C) The nginx-enroll authors
 */


/*
 * "enroll_profile NAME { … }": what is certified, and how.
 */


#include "ngx_http_enroll_core.h"
#include "ngx_http_enroll_names.h"


static char *ngx_http_enroll_profile_validity(ngx_conf_t *cf, void *post,
    void *data);
static char *ngx_http_enroll_profile_keys(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_enroll_profile_digest(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_enroll_profile_subject(ngx_conf_t *cf,
    ngx_command_t *cmd, void *conf);
static char *ngx_http_enroll_profile_san(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_enroll_profile_usage(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static ngx_http_enroll_profile_t *ngx_http_enroll_profile_create(
    ngx_conf_t *cf);
static char *ngx_http_enroll_profile_init(
    ngx_http_enroll_profile_t *profile);
static void ngx_http_enroll_profile_free(void *data);


static ngx_conf_enum_t  ngx_http_enroll_reenroll[] = {
    { ngx_string("match"), 0 },
    { ngx_string("copy"), 1 },
    { ngx_null_string, 0 }
};


static ngx_conf_enum_t  ngx_http_enroll_reenroll_profile[] = {
    { ngx_string("match"), 0 },
    { ngx_string("any"), 1 },
    { ngx_null_string, 0 }
};


static ngx_conf_enum_t  ngx_http_enroll_rsa_check[] = {
    { ngx_string("quick"), 0 },
    { ngx_string("full"), 1 },
    { ngx_null_string, 0 }
};


static ngx_conf_post_t  ngx_http_enroll_validity_post = {
    ngx_http_enroll_profile_validity
};


static ngx_command_t  ngx_http_enroll_profile_commands[] = {

    { ngx_string("validity"),
      NGX_CONF_TAKE1,
      ngx_conf_set_sec_slot,
      0,
      offsetof(ngx_http_enroll_profile_t, validity),
      &ngx_http_enroll_validity_post },

    { ngx_string("backdate"),
      NGX_CONF_TAKE1,
      ngx_conf_set_sec_slot,
      0,
      offsetof(ngx_http_enroll_profile_t, backdate),
      NULL },

    { ngx_string("renew_before"),
      NGX_CONF_TAKE1,
      ngx_conf_set_sec_slot,
      0,
      offsetof(ngx_http_enroll_profile_t, renew_before),
      NULL },

    { ngx_string("keys"),
      NGX_CONF_1MORE,
      ngx_http_enroll_profile_keys,
      0,
      0,
      NULL },

    { ngx_string("rsa_check"),
      NGX_CONF_TAKE1,
      ngx_conf_set_enum_slot,
      0,
      offsetof(ngx_http_enroll_profile_t, rsa_full),
      ngx_http_enroll_rsa_check },

    { ngx_string("digest"),
      NGX_CONF_TAKE1,
      ngx_http_enroll_profile_digest,
      0,
      0,
      NULL },

    { ngx_string("subject"),
      NGX_CONF_TAKE1,
      ngx_http_enroll_profile_subject,
      0,
      0,
      NULL },

    { ngx_string("san"),
      NGX_CONF_1MORE,
      ngx_http_enroll_profile_san,
      0,
      0,
      NULL },

    { ngx_string("key_usage"),
      NGX_CONF_1MORE,
      ngx_http_enroll_profile_usage,
      0,
      0,
      NULL },

    { ngx_string("extended_key_usage"),
      NGX_CONF_1MORE,
      ngx_http_enroll_profile_usage,
      0,
      offsetof(ngx_http_enroll_profile_t, pki.ext_key_usage),
      NULL },

    { ngx_string("reenroll_identity"),
      NGX_CONF_TAKE1,
      ngx_conf_set_enum_slot,
      0,
      offsetof(ngx_http_enroll_profile_t, renew_copy),
      ngx_http_enroll_reenroll },

    { ngx_string("reenroll_profile"),
      NGX_CONF_TAKE1,
      ngx_conf_set_enum_slot,
      0,
      offsetof(ngx_http_enroll_profile_t, renew_any),
      ngx_http_enroll_reenroll_profile },

      ngx_null_command
};


char *
ngx_http_enroll_profile_block(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_enroll_main_conf_t *emcf = conf;

    char                        *rv;
    ngx_str_t                   *value;
    ngx_http_enroll_profile_t   *profile, **pp;

    value = cf->args->elts;

    if (ngx_strcmp(value[1].data, "default") == 0) {
        return "\"default\" is the name of the built-in profile";
    }

    if (ngx_http_enroll_profile_by_name(emcf, &value[1])) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "duplicate profile \"%V\"", &value[1]);
        return NGX_CONF_ERROR;
    }

    pp = ngx_array_push(&emcf->profiles);
    if (pp == NULL) {
        return NGX_CONF_ERROR;
    }

    profile = ngx_http_enroll_profile_create(cf);
    if (profile == NULL) {
        return NGX_CONF_ERROR;
    }

    *pp = profile;
    profile->name = value[1];

    rv = ngx_http_enroll_block(cf, ngx_http_enroll_profile_commands, profile);

    if (rv != NGX_CONF_OK) {
        return rv;
    }

    return ngx_http_enroll_profile_init(profile);
}


static ngx_http_enroll_profile_t *
ngx_http_enroll_profile_create(ngx_conf_t *cf)
{
    ngx_pool_cleanup_t         *cln;
    ngx_http_enroll_profile_t  *profile;

    profile = ngx_pcalloc(cf->pool, sizeof(ngx_http_enroll_profile_t));
    cln = ngx_pool_cleanup_add(cf->pool, 0);

    if (profile == NULL || cln == NULL) {
        return NULL;
    }

    cln->handler = ngx_http_enroll_profile_free;
    cln->data = profile;

    profile->validity = NGX_CONF_UNSET;
    profile->backdate = NGX_CONF_UNSET;
    profile->renew_before = NGX_CONF_UNSET;
    profile->renew_copy = NGX_CONF_UNSET_UINT;
    profile->renew_any = NGX_CONF_UNSET_UINT;
    profile->rsa_full = NGX_CONF_UNSET_UINT;
    profile->san = NGX_CONF_UNSET_PTR;
    profile->subject = NGX_CONF_UNSET_PTR;

    return profile;
}


/* what was not configured is as in the built-in default profile */

static char *
ngx_http_enroll_profile_init(ngx_http_enroll_profile_t *profile)
{
    ngx_conf_init_value(profile->renew_before, 0);
    ngx_conf_init_uint_value(profile->renew_copy, 0);
    ngx_conf_init_uint_value(profile->renew_any, 0);
    ngx_conf_init_uint_value(profile->rsa_full, 0);
    ngx_conf_init_ptr_value(profile->san, NULL);
    ngx_conf_init_ptr_value(profile->subject, NULL);

    if (profile->validity != NGX_CONF_UNSET) {
        profile->pki.validity = profile->validity;
    }

    profile->pki.renew_before = profile->renew_before;
    profile->pki.renew_copy = profile->renew_copy;

    if (!enroll_profile_defaults(&profile->pki)) {
        return "could not be made";
    }

    /* zero is a value of these, and not the default */

    if (profile->backdate != NGX_CONF_UNSET) {
        profile->pki.backdate = profile->backdate;
    }

    if (profile->san_set) {
        profile->pki.san = profile->san_set & ~NGX_HTTP_ENROLL_SAN_SET;
    }

    return NGX_CONF_OK;
}


char *
ngx_http_enroll_profile_builtin(ngx_conf_t *cf,
    ngx_http_enroll_main_conf_t *emcf)
{
    emcf->profile = ngx_http_enroll_profile_create(cf);
    if (emcf->profile == NULL) {
        return NGX_CONF_ERROR;
    }

    ngx_str_set(&emcf->profile->name, "default");

    return ngx_http_enroll_profile_init(emcf->profile);
}


static char *
ngx_http_enroll_profile_validity(ngx_conf_t *cf, void *post, void *data)
{
    time_t *validity = data;

    return *validity ? NGX_CONF_OK : "must not be zero";
}


static char *
ngx_http_enroll_profile_keys(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_enroll_profile_t *profile = conf;

    const char  *error;
    ngx_str_t   *value;
    ngx_uint_t   i;

    if (profile->pki.keys.n) {
        return "is duplicate";
    }

    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {

        error = enroll_key_rules_add(&profile->pki.keys,
                                     (char *) value[i].data, value[i].len);
        if (error) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid key type \"%V\": %s",
                               &value[i], error);
            return NGX_CONF_ERROR;
        }
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_enroll_profile_digest(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_enroll_profile_t *profile = conf;

    ngx_str_t  *value;

    if (profile->pki.digest) {
        return "is duplicate";
    }

    value = cf->args->elts;

    profile->pki.digest = enroll_digest((char *) value[1].data, value[1].len);

    if (profile->pki.digest == NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid digest \"%V\", it must be \"sha256\", "
                           "\"sha384\" or \"sha512\"", &value[1]);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_enroll_profile_subject(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_enroll_profile_t *profile = conf;

    ngx_str_t  *value;

    if (profile->subject != NGX_CONF_UNSET_PTR) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (ngx_strcmp(value[1].data, "csr") == 0) {
        profile->subject = NULL;
        return NGX_CONF_OK;
    }

    return ngx_http_enroll_subject_compile(cf, &value[1], &profile->subject);
}


/* a kind of names to copy from the request, or "kind:value" to add one */

static char *
ngx_http_enroll_profile_san(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_enroll_profile_t *profile = conf;

    u_char                 *p;
    size_t                  len;
    unsigned                kind;
    ngx_str_t              *value, text;
    ngx_uint_t              i;
    ngx_http_enroll_san_t  *san;

    if (profile->san_set) {
        return "is duplicate";
    }

    value = cf->args->elts;
    profile->san_set = NGX_HTTP_ENROLL_SAN_SET;

    if (cf->args->nelts == 2 && ngx_strcmp(value[1].data, "none") == 0) {
        return NGX_CONF_OK;
    }

    for (i = 1; i < cf->args->nelts; i++) {

        p = ngx_strlchr(value[i].data, value[i].data + value[i].len, ':');
        len = p ? (size_t) (p - value[i].data) : value[i].len;

        kind = enroll_san_kind((char *) value[i].data, len);

        if (kind == 0
            || (p && (kind & (ENROLL_SAN_WILDCARD|ENROLL_SAN_SID))))
        {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid subjectAltName \"%V\", it must be "
                               "\"none\" alone, or \"dns\", \"ip\", "
                               "\"email\", \"uri\", \"upn\", each with a "
                               "\":value\" or without, or \"wildcard\" or "
                               "\"sid\"", &value[i]);
            return NGX_CONF_ERROR;
        }

        if (p == NULL) {
            profile->san_set |= kind;
            continue;
        }

        if (profile->san == NGX_CONF_UNSET_PTR) {
            profile->san = ngx_array_create(cf->pool, 2,
                                            sizeof(ngx_http_enroll_san_t));
            if (profile->san == NULL) {
                return NGX_CONF_ERROR;
            }
        }

        san = ngx_array_push(profile->san);
        if (san == NULL) {
            return NGX_CONF_ERROR;
        }

        san->kind = kind;

        text.data = p + 1;
        text.len = value[i].len - len - 1;

        if (ngx_http_enroll_compile(cf, &text, &san->value) != NGX_OK) {
            return NGX_CONF_ERROR;
        }
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_enroll_profile_usage(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_enroll_profile_t *profile = conf;

    size_t       bad;
    const char  *error, *words[64];
    ngx_str_t   *value;
    ngx_uint_t   i, extended;

    value = cf->args->elts;
    extended = (cmd->offset != 0);

    if (extended ? profile->pki.ext_key_usage != NULL
                 : (profile->pki.key_usage || profile->pki.key_usage_ec
                    || profile->pki.key_usage_sign))
    {
        return "is duplicate";
    }

    if (cf->args->nelts > 64) {
        return "has too many values";
    }

    for (i = 1; i < cf->args->nelts; i++) {
        words[i - 1] = (char *) value[i].data;
    }

    error = extended
            ? enroll_profile_ext_key_usage(&profile->pki, words, i - 1,
                                           &bad)
            : enroll_profile_key_usage(&profile->pki, words, i - 1, &bad);

    if (error && bad < i - 1) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid value \"%V\" in \"%V\": %s",
                           &value[bad + 1], &value[0], error);
        return NGX_CONF_ERROR;
    }

    if (error) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid \"%V\": %s", &value[0], error);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static void
ngx_http_enroll_profile_free(void *data)
{
    ngx_http_enroll_profile_t *profile = data;

    ngx_uint_t              i;
    ngx_http_enroll_rdn_t  *rdn;

    enroll_profile_cleanup(&profile->pki);

    if (profile->subject == NULL || profile->subject == NGX_CONF_UNSET_PTR) {
        return;
    }

    rdn = profile->subject->elts;

    for (i = 0; i < profile->subject->nelts; i++) {
        ASN1_OBJECT_free(rdn[i].type);
    }
}
