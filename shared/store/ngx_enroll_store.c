
/*
 * Copyright (C) The nginx-enroll authors
 */


#include "ngx_enroll_store.h"
#include "ngx_enroll_script.h"

#include <hiredis/hiredis.h>
#include <openssl/evp.h>


#define NGX_ENROLL_STORE_POOL  4096
#define NGX_ENROLL_STORE_ARGS  64


typedef struct {
    ngx_str_t                     name;
    ngx_enroll_store_e            result;
} ngx_enroll_store_word_t;


typedef struct {
    ngx_enroll_script_t          *script;
    ngx_enroll_store_handler_pt   handler;
    void                         *data;
} ngx_enroll_store_call_t;


/* the keys and arguments of a script, until they have been sent */

typedef struct {
    ngx_pool_t                   *pool;
    ngx_str_t                     base;   /* "PREFIX{ca}:" */
    ngx_str_t                     argv[NGX_ENROLL_STORE_ARGS];
    ngx_uint_t                    argc;
    ngx_uint_t                    nkeys;
    ngx_uint_t                    failed; /* no memory for some of them */
} ngx_enroll_store_args_t;


static ngx_enroll_store_args_t *ngx_enroll_store_args(
    ngx_enroll_redis_t *redis, ngx_str_t *ca);
static void ngx_enroll_store_key(ngx_enroll_store_args_t *args,
    const char *name, ngx_str_t *id);
static void ngx_enroll_store_identity(ngx_enroll_store_args_t *args,
    ngx_str_t *requester);
static void ngx_enroll_store_arg(ngx_enroll_store_args_t *args,
    ngx_str_t *value);
static void ngx_enroll_store_word(ngx_enroll_store_args_t *args,
    const char *word);
static void ngx_enroll_store_number(ngx_enroll_store_args_t *args,
    int64_t number);
static void ngx_enroll_store_field(ngx_enroll_store_args_t *args,
    const char *name, ngx_str_t *value);
static ngx_int_t ngx_enroll_store_send(ngx_enroll_store_args_t *args,
    ngx_enroll_redis_t *redis, ngx_enroll_script_t *script,
    ngx_enroll_store_handler_pt handler, void *data);
static void ngx_enroll_store_answer(void *data, struct redisReply *reply);
static ngx_enroll_store_e ngx_enroll_store_result(struct redisReply *reply);
static ngx_int_t ngx_enroll_store_string(struct redisReply *reply,
    ngx_uint_t n, ngx_str_t *value);


/* what the scripts' arrays begin with */

static ngx_enroll_store_word_t  ngx_enroll_store_words[] = {

    { ngx_string("admitted"), NGX_ENROLL_STORE_ADMITTED },
    { ngx_string("wait"), NGX_ENROLL_STORE_WAIT },
    { ngx_string("done"), NGX_ENROLL_STORE_DONE },
    { ngx_string("revoked"), NGX_ENROLL_STORE_REVOKED },
    { ngx_string("unrecorded"), NGX_ENROLL_STORE_UNRECORDED },
    { ngx_string("recorded"), NGX_ENROLL_STORE_RECORDED },
    { ngx_string("lost"), NGX_ENROLL_STORE_LOST },
    { ngx_string("released"), NGX_ENROLL_STORE_RELEASED },
    { ngx_null_string, NGX_ENROLL_STORE_DOWN }
};


ngx_int_t
ngx_enroll_store_admit(ngx_enroll_redis_t *redis,
    ngx_enroll_store_admit_t *admit, ngx_enroll_store_handler_pt handler,
    void *data)
{
    ngx_str_t                 none = ngx_null_string;
    ngx_enroll_store_args_t  *args;

    args = ngx_enroll_store_args(redis, &admit->ca);
    if (args == NULL) {
        return NGX_DECLINED;
    }

    ngx_enroll_store_key(args, "txn:", &admit->id);
    ngx_enroll_store_key(args, "revoked", &none);
    ngx_enroll_store_key(args, "cert:", &none);

    ngx_enroll_store_arg(args, &admit->lease);
    ngx_enroll_store_number(args, admit->lease_time);
    ngx_enroll_store_arg(args, &admit->serial);
    ngx_enroll_store_number(args, admit->unrecorded);

    return ngx_enroll_store_send(args, redis, &ngx_enroll_script_admit,
                                 handler, data);
}


ngx_int_t
ngx_enroll_store_record(ngx_enroll_redis_t *redis,
    ngx_enroll_store_record_t *record, ngx_enroll_store_handler_pt handler,
    void *data)
{
    ngx_str_t                 none = ngx_null_string;
    ngx_enroll_store_args_t  *args;

    args = ngx_enroll_store_args(redis, &record->ca);
    if (args == NULL) {
        return NGX_DECLINED;
    }

    ngx_enroll_store_key(args, "txn:", &record->id);
    ngx_enroll_store_key(args, "cert:", &record->serial);
    ngx_enroll_store_key(args, "idx:expiry", &none);
    ngx_enroll_store_identity(args, &record->requester);
    ngx_enroll_store_key(args, "counters", &none);

    ngx_enroll_store_arg(args, &record->lease);
    ngx_enroll_store_number(args, record->repeat);
    ngx_enroll_store_arg(args, &record->serial);
    ngx_enroll_store_number(args, record->not_after);
    ngx_enroll_store_word(args, record->renewal ? "renewed" : "issued");

    ngx_enroll_store_field(args, "cert", &record->cert);
    ngx_enroll_store_field(args, "subject", &record->subject);
    ngx_enroll_store_field(args, "san", &record->san);
    ngx_enroll_store_field(args, "key", &record->key);
    ngx_enroll_store_field(args, "key_digest", &record->key_digest);
    ngx_enroll_store_field(args, "requester", &record->requester);
    ngx_enroll_store_field(args, "protocol", &record->protocol);
    ngx_enroll_store_field(args, "operation", &record->operation);
    ngx_enroll_store_field(args, "profile", &record->profile);
    ngx_enroll_store_field(args, "replaces", &record->replaces);
    ngx_enroll_store_field(args, "pop_link", &record->pop_link);

    ngx_enroll_store_word(args, "not_before");
    ngx_enroll_store_number(args, record->not_before);
    ngx_enroll_store_word(args, "not_after");
    ngx_enroll_store_number(args, record->not_after);

    return ngx_enroll_store_send(args, redis, &ngx_enroll_script_record,
                                 handler, data);
}


ngx_int_t
ngx_enroll_store_release(ngx_enroll_redis_t *redis, ngx_str_t *ca,
    ngx_str_t *id, ngx_str_t *lease, ngx_enroll_store_handler_pt handler,
    void *data)
{
    ngx_enroll_store_args_t  *args;

    args = ngx_enroll_store_args(redis, ca);
    if (args == NULL) {
        return NGX_DECLINED;
    }

    ngx_enroll_store_key(args, "txn:", id);

    ngx_enroll_store_arg(args, lease);

    return ngx_enroll_store_send(args, redis, &ngx_enroll_script_release,
                                 handler, data);
}


static ngx_enroll_store_args_t *
ngx_enroll_store_args(ngx_enroll_redis_t *redis, ngx_str_t *ca)
{
    u_char                   *p;
    ngx_str_t                *prefix;
    ngx_pool_t               *pool;
    ngx_enroll_store_args_t  *args;

    prefix = ngx_enroll_redis_prefix(redis);

    pool = ngx_create_pool(NGX_ENROLL_STORE_POOL, ngx_cycle->log);
    if (pool == NULL) {
        return NULL;
    }

    args = ngx_pcalloc(pool, sizeof(ngx_enroll_store_args_t));
    p = ngx_pnalloc(pool, prefix->len + ca->len + sizeof("{}:") - 1);

    if (args == NULL || p == NULL) {
        ngx_destroy_pool(pool);
        return NULL;
    }

    args->pool = pool;
    args->base.data = p;
    args->base.len = ngx_sprintf(p, "%V{%V}:", prefix, ca) - p;

    return args;
}


static void
ngx_enroll_store_key(ngx_enroll_store_args_t *args, const char *name,
    ngx_str_t *id)
{
    u_char     *p;
    ngx_str_t   key;

    p = ngx_pnalloc(args->pool, args->base.len + ngx_strlen(name) + id->len);
    if (p == NULL) {
        args->failed = 1;
        return;
    }

    key.data = p;
    key.len = ngx_sprintf(p, "%V%s%V", &args->base, name, id) - p;

    ngx_enroll_store_arg(args, &key);

    args->nkeys++;
}


/* a requester's name may be long, and is nobody's business in a key */

static void
ngx_enroll_store_identity(ngx_enroll_store_args_t *args, ngx_str_t *requester)
{
    u_char        hex[2 * EVP_MAX_MD_SIZE], digest[EVP_MAX_MD_SIZE];
    ngx_str_t     id;
    unsigned int  len;

    if (EVP_Digest(requester->data, requester->len, digest, &len,
                   EVP_sha256(), NULL)
        != 1)
    {
        args->failed = 1;
        return;
    }

    id.data = hex;
    id.len = ngx_hex_dump(hex, digest, len) - hex;

    ngx_enroll_store_key(args, "idx:identity:", &id);
}


static void
ngx_enroll_store_arg(ngx_enroll_store_args_t *args, ngx_str_t *value)
{
    if (args->argc == NGX_ENROLL_STORE_ARGS) {
        args->failed = 1;
        return;
    }

    args->argv[args->argc++] = *value;
}


static void
ngx_enroll_store_word(ngx_enroll_store_args_t *args, const char *word)
{
    ngx_str_t  value;

    value.data = (u_char *) word;
    value.len = ngx_strlen(word);

    ngx_enroll_store_arg(args, &value);
}


static void
ngx_enroll_store_number(ngx_enroll_store_args_t *args, int64_t number)
{
    ngx_str_t  value;

    value.data = ngx_pnalloc(args->pool, NGX_INT64_LEN);
    if (value.data == NULL) {
        args->failed = 1;
        return;
    }

    value.len = ngx_sprintf(value.data, "%L", number) - value.data;

    ngx_enroll_store_arg(args, &value);
}


static void
ngx_enroll_store_field(ngx_enroll_store_args_t *args, const char *name,
    ngx_str_t *value)
{
    ngx_enroll_store_word(args, name);
    ngx_enroll_store_arg(args, value);
}


static ngx_int_t
ngx_enroll_store_send(ngx_enroll_store_args_t *args, ngx_enroll_redis_t *redis,
    ngx_enroll_script_t *script, ngx_enroll_store_handler_pt handler,
    void *data)
{
    ngx_int_t                 rc;
    ngx_enroll_store_call_t  *call;

    rc = NGX_DECLINED;

    call = ngx_alloc(sizeof(ngx_enroll_store_call_t), ngx_cycle->log);

    if (call) {
        call->script = script;
        call->handler = handler;
        call->data = data;

        if (!args->failed) {
            rc = ngx_enroll_redis_eval(redis, script, args->nkeys, args->argc,
                                       args->argv, ngx_enroll_store_answer,
                                       call);
        }

        if (rc != NGX_OK) {
            ngx_free(call);
        }
    }

    ngx_destroy_pool(args->pool);

    return rc;
}


static void
ngx_enroll_store_answer(void *data, struct redisReply *reply)
{
    ngx_enroll_store_call_t   *call;
    ngx_enroll_store_reply_t   r;

    call = data;

    ngx_memzero(&r, sizeof(ngx_enroll_store_reply_t));

    if (reply) {
        r.result = ngx_enroll_store_result(reply);

        if (r.result == NGX_ENROLL_STORE_DONE
            && (ngx_enroll_store_string(reply, 1, &r.cert) != NGX_OK
                || ngx_enroll_store_string(reply, 2, &r.requester) != NGX_OK
                || ngx_enroll_store_string(reply, 3, &r.profile) != NGX_OK
                || r.cert.len == 0))
        {
            ngx_memzero(&r, sizeof(ngx_enroll_store_reply_t));
        }

        if (r.result == NGX_ENROLL_STORE_DOWN) {
            ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                          "redis: script \"%s\" answered what is not "
                          "understood", call->script->name);
        }
    }

    call->handler(call->data, &r);

    ngx_free(call);
}


static ngx_enroll_store_e
ngx_enroll_store_result(struct redisReply *reply)
{
    ngx_str_t                 word;
    ngx_enroll_store_word_t  *w;

    if (ngx_enroll_store_string(reply, 0, &word) == NGX_OK) {

        for (w = ngx_enroll_store_words; w->name.len; w++) {
            if (word.len == w->name.len
                && ngx_memcmp(word.data, w->name.data, word.len) == 0)
            {
                return w->result;
            }
        }
    }

    return NGX_ENROLL_STORE_DOWN;
}


static ngx_int_t
ngx_enroll_store_string(struct redisReply *reply, ngx_uint_t n,
    ngx_str_t *value)
{
    redisReply  *element;

    if (reply->type != REDIS_REPLY_ARRAY || n >= reply->elements) {
        return NGX_ERROR;
    }

    element = reply->element[n];

    if (element->type != REDIS_REPLY_STRING) {
        return NGX_ERROR;
    }

    value->data = (u_char *) element->str;
    value->len = element->len;

    return NGX_OK;
}
