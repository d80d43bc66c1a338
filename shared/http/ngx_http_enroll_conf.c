
/*
 * Copyright (C) The nginx-enroll authors
 */


/*
 * What the directives of several modules have in common: blocks, the names
 * of CA and profile in a location, password files.
 */


#include "ngx_http_enroll_core.h"


typedef struct {
    ngx_command_t   *commands;
    void            *conf;
} ngx_http_enroll_block_t;


static char *ngx_http_enroll_block_command(ngx_conf_t *cf,
    ngx_command_t *dummy, void *conf);
static ngx_array_t *ngx_http_enroll_read_users(ngx_conf_t *cf,
    ngx_str_t *name);
static void ngx_http_enroll_certs_free(void *data);
static char *ngx_http_enroll_endpoint_error(ngx_conf_t *cf,
    ngx_http_enroll_endpoint_t *endpoint, const char *what, ngx_str_t *name);


/* parses a block whose directives are those of a table, set in conf */

char *
ngx_http_enroll_block(ngx_conf_t *cf, ngx_command_t *commands, void *conf)
{
    char                     *rv;
    ngx_conf_t                save;
    ngx_http_enroll_block_t   block;

    block.commands = commands;
    block.conf = conf;

    save = *cf;
    cf->handler = ngx_http_enroll_block_command;

    /* cppcheck-suppress autoVariables; *cf is as before when we return */
    cf->handler_conf = (char *) &block;

    rv = ngx_conf_parse(cf, NULL);

    *cf = save;

    return rv;
}


static char *
ngx_http_enroll_block_command(ngx_conf_t *cf, ngx_command_t *dummy, void *conf)
{
    ngx_http_enroll_block_t *block = (ngx_http_enroll_block_t *) conf;

    char           *rv;
    ngx_str_t      *value;
    ngx_command_t  *cmd;

    value = cf->args->elts;

    for (cmd = block->commands; cmd->name.len; cmd++) {

        if (cmd->name.len != value[0].len
            || ngx_strcmp(cmd->name.data, value[0].data) != 0)
        {
            continue;
        }

        if (cf->args->nelts < 2
            || ((cmd->type & NGX_CONF_TAKE1) && cf->args->nelts != 2))
        {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid number of arguments in \"%V\" "
                               "directive", &value[0]);
            return NGX_CONF_ERROR;
        }

        rv = cmd->set(cf, cmd, block->conf);

        if (rv == NGX_CONF_OK || rv == NGX_CONF_ERROR) {
            return rv;
        }

        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "\"%V\" directive %s",
                           &value[0], rv);
        return NGX_CONF_ERROR;
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "unknown directive \"%V\"",
                       &value[0]);

    return NGX_CONF_ERROR;
}


ngx_int_t
ngx_http_enroll_compile(ngx_conf_t *cf, ngx_str_t *text,
    ngx_http_complex_value_t *value)
{
    ngx_http_compile_complex_value_t  ccv;

    ngx_memzero(&ccv, sizeof(ngx_http_compile_complex_value_t));

    ccv.cf = cf;
    ccv.value = text;
    ccv.complex_value = value;

    return ngx_http_compile_complex_value(&ccv);
}


/* "PROTOCOL CA [profile=NAME]" */

char *
ngx_http_enroll_endpoint(ngx_conf_t *cf, ngx_http_enroll_endpoint_t *endpoint)
{
    ngx_str_t                 *value, profile;
    ngx_uint_t                 i;
    ngx_http_core_loc_conf_t  *clcf;

    if (endpoint->ca_value) {
        return "is duplicate";
    }

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    if (clcf->handler) {
        return "is in a location that has another handler";
    }

    value = cf->args->elts;

    ngx_str_null(&profile);

    for (i = 2; i < cf->args->nelts; i++) {

        if (value[i].len > 8
            && ngx_strncmp(value[i].data, "profile=", 8) == 0
            && profile.len == 0)
        {
            profile.data = value[i].data + 8;
            profile.len = value[i].len - 8;
            continue;
        }

        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid parameter \"%V\"", &value[i]);
        return NGX_CONF_ERROR;
    }

    endpoint->ca_value = ngx_palloc(cf->pool,
                                    sizeof(ngx_http_complex_value_t));

    if (endpoint->ca_value == NULL
        || ngx_http_enroll_compile(cf, &value[1], endpoint->ca_value)
           != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    if (profile.len) {
        endpoint->profile_value = ngx_palloc(cf->pool,
                                             sizeof(ngx_http_complex_value_t));

        if (endpoint->profile_value == NULL
            || ngx_http_enroll_compile(cf, &profile, endpoint->profile_value)
               != NGX_OK)
        {
            return NGX_CONF_ERROR;
        }
    }

    /*
     * "if" and "limit_except" inherit the whole of this, where the core's
     * own name of the location would be lost
     */

    endpoint->location = clcf->name;

#if (NGX_PCRE)
    if (clcf->regex == NULL && !clcf->exact_match && !clcf->named)
#else
    if (!clcf->exact_match && !clcf->named)
#endif
    {
        endpoint->prefix = clcf->name.len;
    }

    endpoint->file = cf->conf_file->file.name.data;
    endpoint->line = cf->conf_file->line;

    return NGX_CONF_OK;
}


ngx_uint_t
ngx_http_enroll_endpoint_inherit(ngx_conf_t *cf,
    ngx_http_enroll_endpoint_t *prev, ngx_http_enroll_endpoint_t *endpoint,
    ngx_http_handler_pt handler)
{
    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    if (prev->ca_value == NULL || !clcf->noname || clcf->handler) {
        return 0;
    }

    *endpoint = *prev;
    clcf->handler = handler;

    return 1;
}


/* resolves constant names: all of http {} has been read */

char *
ngx_http_enroll_endpoint_init(ngx_conf_t *cf,
    ngx_http_enroll_endpoint_t *endpoint)
{
    ngx_str_t                    *name;
    ngx_http_enroll_main_conf_t  *emcf;

    emcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_enroll_module);

    if (emcf->endpoint == NULL) {
        emcf->endpoint = endpoint;
    }

    if (endpoint->ca_value->lengths == NULL) {

        name = &endpoint->ca_value->value;
        endpoint->ca = ngx_http_enroll_ca_by_name(emcf, name);

        if (endpoint->ca == NULL) {
            return ngx_http_enroll_endpoint_error(cf, endpoint, "CA", name);
        }
    }

    if (endpoint->profile_value == NULL) {
        endpoint->profile = emcf->profile;
        return NGX_CONF_OK;
    }

    if (endpoint->profile_value->lengths == NULL) {

        name = &endpoint->profile_value->value;
        endpoint->profile = ngx_http_enroll_profile_by_name(emcf, name);

        if (endpoint->profile == NULL) {
            return ngx_http_enroll_endpoint_error(cf, endpoint, "profile",
                                                  name);
        }
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_enroll_endpoint_error(ngx_conf_t *cf,
    ngx_http_enroll_endpoint_t *endpoint, const char *what, ngx_str_t *name)
{
    ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                  "unknown %s \"%V\", no \"enroll_%s %V\" is defined in %s:%ui",
                  what, name, what[0] == 'C' ? "ca" : "profile", name,
                  endpoint->file, endpoint->line);

    return NGX_CONF_ERROR;
}


ngx_http_enroll_ca_t *
ngx_http_enroll_ca_by_name(ngx_http_enroll_main_conf_t *emcf, ngx_str_t *name)
{
    ngx_uint_t              i;
    ngx_http_enroll_ca_t  **ca;

    ca = emcf->cas.elts;

    for (i = 0; i < emcf->cas.nelts; i++) {
        if (ca[i]->name.len == name->len
            && ngx_memcmp(ca[i]->name.data, name->data, name->len) == 0)
        {
            return ca[i];
        }
    }

    return NULL;
}


ngx_http_enroll_profile_t *
ngx_http_enroll_profile_by_name(ngx_http_enroll_main_conf_t *emcf,
    ngx_str_t *name)
{
    ngx_uint_t                   i;
    ngx_http_enroll_profile_t  **profile;

    profile = emcf->profiles.elts;

    for (i = 0; i < emcf->profiles.nelts; i++) {
        if (profile[i]->name.len == name->len
            && ngx_memcmp(profile[i]->name.data, name->data, name->len) == 0)
        {
            return profile[i];
        }
    }

    return NULL;
}


enroll_outcome_e
ngx_http_enroll_find(ngx_http_request_t *r, ngx_http_enroll_request_t *er)
{
    ngx_str_t                    name;
    ngx_http_enroll_endpoint_t  *endpoint;

    endpoint = er->endpoint;

    er->ca = endpoint->ca;
    er->profile = endpoint->profile;

    if (er->ca == NULL) {

        if (ngx_http_complex_value(r, endpoint->ca_value, &name) != NGX_OK) {
            return ENROLL_INTERNAL;
        }

        er->ca = ngx_http_enroll_ca_by_name(er->emcf, &name);

        if (er->ca == NULL) {
            return ENROLL_NO_CA;
        }
    }

    if (er->profile == NULL) {

        if (ngx_http_complex_value(r, endpoint->profile_value, &name)
            != NGX_OK)
        {
            return ENROLL_INTERNAL;
        }

        er->profile = ngx_http_enroll_profile_by_name(er->emcf, &name);

        if (er->profile == NULL) {
            return ENROLL_NO_PROFILE;
        }
    }

    return ENROLL_OK;
}


/*
 * What follows the prefix of the location, or, in a regex or an exact one,
 * the last slash: exactly that must be the operation, so that a mistyped
 * label never meets another CA.
 */

void
ngx_http_enroll_rest(ngx_http_request_t *r,
    ngx_http_enroll_endpoint_t *endpoint, ngx_str_t *rest)
{
    u_char  *p, *last;

    p = r->uri.data;
    last = p + r->uri.len;

    if (endpoint->prefix == 0) {

        for (p = last; p > r->uri.data && p[-1] != '/'; p--) { /* void */ }

    } else if (endpoint->prefix <= r->uri.len) {

        p += endpoint->prefix;

        if (p[-1] != '/') {

            /* "location /est" is a prefix of "/established", too */

            if (p < last && *p == '/') {
                p++;

            } else {
                p = last;
            }
        }

    } else {
        p = last;
    }

    rest->data = p;
    rest->len = last - p;
}


/*
 * A password file as auth_basic has it, "user:hash" or "user:hash:comment"
 * in a line, but read once, at start
 */

static ngx_array_t *
ngx_http_enroll_read_users(ngx_conf_t *cf, ngx_str_t *name)
{
    u_char                  *p, *last, *eol, *colon, *end;
    ngx_str_t                content;
    ngx_uint_t               line;
    ngx_array_t             *users;
    ngx_http_enroll_user_t  *user;

    if (ngx_http_enroll_read_file(cf, name, &content) != NGX_OK) {
        return NULL;
    }

    users = ngx_array_create(cf->pool, 16, sizeof(ngx_http_enroll_user_t));
    if (users == NULL) {
        return NULL;
    }

    last = content.data + content.len;
    line = 0;

    for (p = content.data; p < last; p = eol + 1) {

        line++;

        eol = ngx_strlchr(p, last, LF);
        if (eol == NULL) {
            eol = last;
        }

        end = eol;

        if (end > p && end[-1] == CR) {
            end--;
        }

        if (p == end || *p == '#') {
            continue;
        }

        colon = ngx_strlchr(p, end, ':');

        if (colon == NULL || colon + 1 == end || colon[1] == ':') {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "no \"user:hash\" in line %ui of \"%V\"",
                               line, name);
            return NULL;
        }

        user = ngx_array_push(users);
        if (user == NULL) {
            return NULL;
        }

        user->user.data = p;
        user->user.len = colon - p;

        user->hash.data = colon + 1;
        colon = ngx_strlchr(user->hash.data, end, ':');

        if (colon) {
            end = colon;
        }

        user->hash.len = end - user->hash.data;
        *end = '\0';
    }

    if (users->nelts == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "no users in \"%V\"", name);
        return NULL;
    }

    return users;
}


/* directives that name a file: of users, of certificates */

char *
ngx_http_enroll_users_slot(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    char  *p = conf;

    ngx_str_t     *value;
    ngx_array_t  **users;

    users = (ngx_array_t **) (p + cmd->offset);

    if (*users != NGX_CONF_UNSET_PTR) {
        return "is duplicate";
    }

    value = cf->args->elts;

    *users = ngx_http_enroll_read_users(cf, &value[1]);

    return *users ? NGX_CONF_OK : NGX_CONF_ERROR;
}


char *
ngx_http_enroll_certs_slot(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    char  *p = conf;

    ngx_str_t            *value;
    STACK_OF(X509)      **certs;
    ngx_pool_cleanup_t   *cln;

    certs = (STACK_OF(X509) **) (p + cmd->offset);

    if (*certs != NGX_CONF_UNSET_PTR) {
        return "is duplicate";
    }

    cln = ngx_pool_cleanup_add(cf->pool, 0);
    if (cln == NULL) {
        return NGX_CONF_ERROR;
    }

    value = cf->args->elts;

    *certs = ngx_http_enroll_read_certs(cf, &value[1]);
    if (*certs == NULL) {
        return NGX_CONF_ERROR;
    }

    cln->handler = ngx_http_enroll_certs_free;
    cln->data = *certs;

    return NGX_CONF_OK;
}


static void
ngx_http_enroll_certs_free(void *data)
{
    sk_X509_pop_free((STACK_OF(X509) *) data, X509_free);
}
