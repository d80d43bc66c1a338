
/*
 * Copyright (C) The nginx-enroll authors
 */


/*
 * The API: challenges are minted, listed, deleted, requests that wait for
 * approval are listed and decided, the audit is read.  It goes the way of any
 * request, with a question of its own to the store and nothing to sign.
 */


#include "ngx_http_enroll_api.h"

#include <openssl/rand.h>


static enroll_outcome_e ngx_http_enroll_api_form(ngx_http_request_t *r,
    ngx_http_enroll_request_t *er, ngx_http_enroll_api_t *api);
static enroll_outcome_e ngx_http_enroll_api_find(ngx_http_request_t *r,
    ngx_http_enroll_request_t *er, ngx_http_enroll_api_loc_conf_t *alcf);
static enroll_outcome_e ngx_http_enroll_api_operation(ngx_http_request_t *r,
    ngx_http_enroll_request_t *er, ngx_http_enroll_api_t *api);
static ngx_int_t ngx_http_enroll_api_ask(ngx_http_enroll_request_t *er);
static ngx_int_t ngx_http_enroll_api_mint(ngx_http_enroll_request_t *er,
    ngx_http_enroll_api_t *api);
static void ngx_http_enroll_api_answered(void *data,
    ngx_enroll_store_reply_t *reply);
static void ngx_http_enroll_api_free(ngx_http_enroll_request_t *er);


static const ngx_http_enroll_protocol_t  ngx_http_enroll_api_protocol = {
    ngx_string("api"),
    ngx_http_enroll_api_decode,
    NULL,                                  /* open */
    NULL,                                  /* authorize */
    NULL,                                  /* reopen */
    NULL,                                  /* encode */
    ngx_http_enroll_api_answer,
    ngx_http_enroll_api_free
};


static const struct {
    ngx_str_t                         name;
    ngx_str_t                         path;
    ngx_uint_t                        methods;
    ngx_http_enroll_api_operation_e   operation;
    ngx_uint_t                        write;
} ngx_http_enroll_api_operations[] = {

    { ngx_string("challenge_mint"), ngx_string("challenges"),
      NGX_HTTP_POST, NGX_HTTP_ENROLL_API_MINT, 1 },

    { ngx_string("challenge_list"), ngx_string("challenges"),
      NGX_HTTP_GET|NGX_HTTP_HEAD, NGX_HTTP_ENROLL_API_CHALLENGES, 0 },

    { ngx_string("challenge_delete"), ngx_string("challenges/"),
      NGX_HTTP_DELETE, NGX_HTTP_ENROLL_API_DELETE, 1 },

    { ngx_string("request_list"), ngx_string("requests"),
      NGX_HTTP_GET|NGX_HTTP_HEAD, NGX_HTTP_ENROLL_API_REQUESTS, 0 },

    { ngx_string("request_decide"), ngx_string("requests/"),
      NGX_HTTP_POST, NGX_HTTP_ENROLL_API_DECIDE, 1 },

    { ngx_string("audit_list"), ngx_string("audit"),
      NGX_HTTP_GET|NGX_HTTP_HEAD, NGX_HTTP_ENROLL_API_AUDIT, 0 },

    { ngx_null_string, ngx_null_string, 0, 0, 0 }
};


ngx_int_t
ngx_http_enroll_api_handler(ngx_http_request_t *r)
{
    enroll_outcome_e                 rc;
    ngx_http_enroll_api_t           *api;
    ngx_http_enroll_request_t       *er;
    ngx_http_enroll_api_loc_conf_t  *alcf;

    if (r != r->main) {
        return NGX_HTTP_NOT_FOUND;
    }

    alcf = ngx_http_get_module_loc_conf(r, ngx_http_enroll_api_module);

    er = ngx_http_enroll_create(r, &ngx_http_enroll_api_protocol,
                                &alcf->endpoint);
    if (er == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    api = ngx_pcalloc(er->pool, sizeof(ngx_http_enroll_api_t));
    if (api == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    api->conf = alcf;

    er->message = api;
    er->intent = NGX_HTTP_ENROLL_ASK;
    er->ask = ngx_http_enroll_api_ask;
    er->admin = 1;

    rc = ngx_http_enroll_api_form(r, er, api);

    if (rc != ENROLL_OK) {
        return ngx_http_enroll_end(r, er, rc);
    }

    return ngx_http_enroll_start(r, er);
}


static enroll_outcome_e
ngx_http_enroll_api_form(ngx_http_request_t *r, ngx_http_enroll_request_t *er,
    ngx_http_enroll_api_t *api)
{
    enroll_outcome_e  rc;

    rc = ngx_http_enroll_api_find(r, er, api->conf);

    if (rc == ENROLL_OK) {
        rc = ngx_http_enroll_api_guard(r, er, api);
    }

    if (rc == ENROLL_OK) {
        rc = ngx_http_enroll_api_operation(r, er, api);
    }

    if (rc == ENROLL_OK
        && r->headers_in.content_length_n > (off_t) er->elcf->max_body_size)
    {
        rc = ENROLL_TOO_LARGE;
    }

    return rc;
}


static enroll_outcome_e
ngx_http_enroll_api_find(ngx_http_request_t *r, ngx_http_enroll_request_t *er,
    ngx_http_enroll_api_loc_conf_t *alcf)
{
    ngx_str_t               name;
    enroll_outcome_e        rc;
    ngx_http_enroll_ca_t  **ca;

    rc = ngx_http_enroll_find(r, er);

    if (rc == ENROLL_NO_CA
        && alcf->unnamed
        && er->emcf->cas.nelts == 1
        && ngx_http_arg(r, (u_char *) "ca", 2, &name) != NGX_OK)
    {
        ca = er->emcf->cas.elts;
        er->ca = ca[0];

        return ENROLL_OK;
    }

    return rc;
}


static enroll_outcome_e
ngx_http_enroll_api_operation(ngx_http_request_t *r,
    ngx_http_enroll_request_t *er, ngx_http_enroll_api_t *api)
{
    ngx_str_t         rest;
    ngx_uint_t        i, seen;
    const ngx_str_t  *path;

    if (api->conf->form != NGX_HTTP_ENROLL_API_JSON) {

        api->operation = NGX_HTTP_ENROLL_API_NDES;
        ngx_str_set(&er->operation, "ndes");

        if (api->conf->endpoint.prefix) {
            ngx_http_enroll_rest(r, &api->conf->endpoint, &rest);

            if (rest.len) {
                return ENROLL_NO_OPERATION;
            }
        }

        return (r->method == NGX_HTTP_GET) ? ngx_http_enroll_api_write(r, api)
                                           : ENROLL_METHOD;
    }

    ngx_http_enroll_rest(r, &api->conf->endpoint, &rest);

    seen = 0;

    for (i = 0; ngx_http_enroll_api_operations[i].name.len; i++) {

        path = &ngx_http_enroll_api_operations[i].path;

        /* what ends with a slash has an id behind it */

        if (rest.len < path->len
            || ngx_memcmp(rest.data, path->data, path->len) != 0
            || (path->data[path->len - 1] != '/' && rest.len != path->len))
        {
            continue;
        }

        er->operation = ngx_http_enroll_api_operations[i].name;
        api->operation = ngx_http_enroll_api_operations[i].operation;
        seen = 1;

        if (!(r->method & ngx_http_enroll_api_operations[i].methods)) {
            continue;
        }

        api->id.data = rest.data + path->len;
        api->id.len = rest.len - path->len;

        if (api->operation == NGX_HTTP_ENROLL_API_DELETE
            && !ngx_http_enroll_api_id(&api->id, NGX_ENROLL_CHALLENGE_ID,
                                       NGX_ENROLL_CHALLENGE_ID))
        {
            return ENROLL_NO_ENTRY;
        }

        if (api->operation == NGX_HTTP_ENROLL_API_DECIDE
            && !ngx_http_enroll_api_id(&api->id, 1, NGX_ENROLL_DIGEST_HEX))
        {
            return ENROLL_NO_ENTRY;
        }

        return ngx_http_enroll_api_operations[i].write
               ? ngx_http_enroll_api_write(r, api) : ENROLL_OK;
    }

    return seen ? ENROLL_METHOD : ENROLL_NO_OPERATION;
}


/* the question to the store: as admit's own */

static ngx_int_t
ngx_http_enroll_api_ask(ngx_http_enroll_request_t *er)
{
    ngx_http_enroll_api_t *api = er->message;

    ngx_str_t                  *ca;
    ngx_enroll_redis_t         *redis;
    ngx_enroll_store_audit_t    audit;
    ngx_enroll_store_decide_t   decide;

    ca = &er->ca->name;
    redis = er->emcf->redis;

    switch (api->operation) {

    case NGX_HTTP_ENROLL_API_MINT:
    case NGX_HTTP_ENROLL_API_NDES:
        return ngx_http_enroll_api_mint(er, api);

    case NGX_HTTP_ENROLL_API_CHALLENGES:
        return ngx_enroll_store_challenge_list(redis, ca,
                                               ngx_http_enroll_api_answered,
                                               er);

    case NGX_HTTP_ENROLL_API_DELETE:
        ngx_http_enroll_audit(er, &audit);

        return ngx_enroll_store_challenge_delete(redis, ca, &api->id, &audit,
                                                 ngx_http_enroll_api_answered,
                                                 er);

    case NGX_HTTP_ENROLL_API_REQUESTS:
        return ngx_enroll_store_pending_list(redis, ca,
                                             ngx_http_enroll_api_answered,
                                             er);

    case NGX_HTTP_ENROLL_API_AUDIT:
        return ngx_enroll_store_audit_list(redis, ca, &api->since, api->limit,
                                           ngx_http_enroll_api_answered, er);

    default: /* NGX_HTTP_ENROLL_API_DECIDE */

        ngx_memzero(&decide, sizeof(ngx_enroll_store_decide_t));

        decide.ca = *ca;
        decide.id = api->id;
        decide.lifetime = er->elcf->pending;
        decide.by = er->identity;
        decide.approve = api->approve;
        decide.audit = &audit;

        ngx_http_enroll_audit(er, &audit);

        return ngx_enroll_store_pending_decide(redis, &decide,
                                               ngx_http_enroll_api_answered,
                                               er);
    }
}


/* only the digest is kept; the challenge itself is in the answer alone */

static ngx_int_t
ngx_http_enroll_api_mint(ngx_http_enroll_request_t *er,
    ngx_http_enroll_api_t *api)
{
    u_char                     random[NGX_HTTP_ENROLL_API_SECRET];
    u_char                     digest[ENROLL_DIGEST_LEN];
    ngx_enroll_store_audit_t   audit;

    if (RAND_priv_bytes(random, sizeof(random)) != 1) {
        return NGX_ERROR;
    }

    enroll_text_hex((char *) api->secret, random, sizeof(random));

    ngx_explicit_memzero(random, sizeof(random));

    if (EVP_Digest(api->secret, sizeof(api->secret), digest, NULL,
                   EVP_sha256(), NULL)
        != 1
        || ngx_http_enroll_hex(er->pool, &api->mint.digest, digest,
                               sizeof(digest))
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    api->mint.ca = er->ca->name;
    api->mint.by = er->identity;

    api->mint.audit = &audit;

    ngx_http_enroll_audit(er, &audit);

    audit.value[NGX_ENROLL_AUDIT_SUBJECT] = api->mint.subject;
    audit.value[NGX_ENROLL_AUDIT_SAN] = api->mint.san;
    audit.value[NGX_ENROLL_AUDIT_KEY_DIGEST] = api->mint.key_digest;
    audit.value[NGX_ENROLL_AUDIT_PROFILE] = api->mint.profile;
    audit.value[NGX_ENROLL_AUDIT_LABEL] = api->mint.label;

    api->id.data = api->mint.digest.data;
    api->id.len = NGX_ENROLL_CHALLENGE_ID;

    return ngx_enroll_store_challenge_mint(er->emcf->redis, &api->mint,
                                           ngx_http_enroll_api_answered, er);
}


static void
ngx_http_enroll_api_answered(void *data, ngx_enroll_store_reply_t *reply)
{
    ngx_http_enroll_request_t *er = data;

    ngx_int_t               rc;
    ngx_http_enroll_api_t  *api;

    api = er->message;
    rc = NGX_OK;

    switch (reply->result) {

    case NGX_ENROLL_STORE_MINTED:
        er->result = ENROLL_MINTED;
        rc = ngx_http_enroll_api_minted(er, reply->expires);
        break;

    case NGX_ENROLL_STORE_LISTED:
        er->result = ENROLL_SERVED;
        rc = ngx_http_enroll_api_list(er, reply);
        break;

    case NGX_ENROLL_STORE_DELETED:
        er->result = ENROLL_DELETED;
        rc = ngx_http_enroll_api_done(er);
        break;

    case NGX_ENROLL_STORE_DECIDED:
        er->result = ENROLL_DECIDED;
        rc = ngx_http_enroll_api_done(er);
        break;

    case NGX_ENROLL_STORE_UNKNOWN:
        er->result = ENROLL_NO_ENTRY;
        break;

    case NGX_ENROLL_STORE_CONFLICT:

        /* of two random digests that begin alike none has ever been seen */

        er->result = (api->operation == NGX_HTTP_ENROLL_API_DECIDE)
                     ? ENROLL_DECIDED_OTHERWISE : ENROLL_INTERNAL;
        break;

    case NGX_ENROLL_STORE_FULL:
        er->result = ENROLL_CHALLENGES_FULL;
        break;

    default:
        er->result = ENROLL_STORE_DOWN;
        break;
    }

    if (rc == NGX_DECLINED) {
        er->result = ENROLL_STORE_TAMPERED;

    } else if (rc != NGX_OK) {
        er->result = ENROLL_INTERNAL;
    }

    switch (er->result) {

    case ENROLL_MINTED:
    case ENROLL_DELETED:
    case ENROLL_DECIDED:

        /* who did it is to be found in the log as well */

        ngx_log_error(NGX_LOG_NOTICE, ngx_cycle->log, 0,
                      "api: %V%s \"%V\" of CA \"%V\" by \"%V\"",
                      &er->operation,
                      er->result != ENROLL_DECIDED ? ""
                      : api->approve ? " approve" : " deny",
                      &api->id, &er->ca->name, &er->identity);
        break;

    default:
        break;
    }

    ngx_http_enroll_resume(er);
}


static void
ngx_http_enroll_api_free(ngx_http_enroll_request_t *er)
{
    ngx_http_enroll_api_t *api = er->message;

    if (api == NULL) {
        return;
    }

    ngx_explicit_memzero(api->secret, sizeof(api->secret));

    if (api->body.len) {
        ngx_explicit_memzero(api->body.data, api->body.len);
    }
}
