
/*
 * Copyright (C) The nginx-enroll authors
 */


/*
 * How a verb becomes a call of a script, and its array a reply.  What is not
 * understood is no answer: nothing is known then.
 */


#include "ngx_enroll_store_internal.h"

#include <hiredis/hiredis.h>
#include <openssl/evp.h>


#define NGX_ENROLL_STORE_POOL  4096


typedef struct {
    ngx_str_t                     name;
    ngx_enroll_store_e            result;
} ngx_enroll_store_word_t;


typedef struct {
    ngx_enroll_script_t          *script;
    ngx_enroll_store_handler_pt   handler;
    void                         *data;
} ngx_enroll_store_call_t;


static ngx_int_t ngx_enroll_store_sha256(ngx_str_t *value, u_char *hex);
static ngx_int_t ngx_enroll_store_is_hex(ngx_str_t *value);
static void ngx_enroll_store_answer(void *data, struct redisReply *reply);
static ngx_int_t ngx_enroll_store_values(ngx_enroll_store_call_t *call,
    struct redisReply *reply, ngx_enroll_store_reply_t *r);
static ngx_enroll_store_e ngx_enroll_store_result(struct redisReply *reply);
static ngx_int_t ngx_enroll_store_totals_values(struct redisReply *reply,
    ngx_enroll_store_totals_t *totals);
static ngx_int_t ngx_enroll_store_count(struct redisReply *reply,
    ngx_uint_t n, ngx_uint_t *count);
static ngx_int_t ngx_enroll_store_string(struct redisReply *reply,
    ngx_uint_t n, ngx_str_t *value);


/* what the scripts' arrays begin with */

static ngx_enroll_store_word_t  ngx_enroll_store_words[] = {

    { ngx_string("admitted"), NGX_ENROLL_STORE_ADMITTED },
    { ngx_string("wait"), NGX_ENROLL_STORE_WAIT },
    { ngx_string("done"), NGX_ENROLL_STORE_DONE },
    { ngx_string("revoked"), NGX_ENROLL_STORE_REVOKED },
    { ngx_string("unrecorded"), NGX_ENROLL_STORE_UNRECORDED },
    { ngx_string("other profile"), NGX_ENROLL_STORE_PROFILE },
    { ngx_string("recorded"), NGX_ENROLL_STORE_RECORDED },
    { ngx_string("lost"), NGX_ENROLL_STORE_LOST },
    { ngx_string("released"), NGX_ENROLL_STORE_RELEASED },
    { ngx_string("replayed"), NGX_ENROLL_STORE_REPLAYED },
    { ngx_string("challenge unknown"), NGX_ENROLL_STORE_CHALLENGE_UNKNOWN },
    { ngx_string("challenge bound"), NGX_ENROLL_STORE_CHALLENGE_BOUND },
    { ngx_string("pending"), NGX_ENROLL_STORE_PENDING },
    { ngx_string("full"), NGX_ENROLL_STORE_FULL },
    { ngx_string("denied"), NGX_ENROLL_STORE_DENIED },
    { ngx_string("unknown"), NGX_ENROLL_STORE_UNKNOWN },
    { ngx_string("found"), NGX_ENROLL_STORE_FOUND },
    { ngx_string("minted"), NGX_ENROLL_STORE_MINTED },
    { ngx_string("listed"), NGX_ENROLL_STORE_LISTED },
    { ngx_string("decided"), NGX_ENROLL_STORE_DECIDED },
    { ngx_string("conflict"), NGX_ENROLL_STORE_CONFLICT },
    { ngx_string("deleted"), NGX_ENROLL_STORE_DELETED },
    { ngx_string("below"), NGX_ENROLL_STORE_BELOW },
    { ngx_string("limited"), NGX_ENROLL_STORE_LIMITED },
    { ngx_string("noted"), NGX_ENROLL_STORE_NOTED },
    { ngx_string("totals"), NGX_ENROLL_STORE_TOTALS },
    { ngx_null_string, NGX_ENROLL_STORE_DOWN }
};


ngx_enroll_store_args_t *
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


void
ngx_enroll_store_key(ngx_enroll_store_args_t *args, const char *name,
    ngx_str_t *id)
{
    u_char     *p;
    ngx_str_t   key;

    if (ngx_enroll_store_is_hex(id) != NGX_OK) {
        args->failed = 1;
        return;
    }

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


/* what may be long, or anybody's choice, or nobody's business, in a key */

void
ngx_enroll_store_digest_key(ngx_enroll_store_args_t *args, const char *name,
    ngx_str_t *value)
{
    u_char     hex[NGX_ENROLL_DIGEST_HEX];
    ngx_str_t  id;

    id.data = hex;
    id.len = sizeof(hex);

    if (ngx_enroll_store_sha256(value, hex) != NGX_OK) {
        args->failed = 1;
        return;
    }

    ngx_enroll_store_key(args, name, &id);
}


/* an empty one stays empty: there is none */

void
ngx_enroll_store_digest(ngx_enroll_store_args_t *args, ngx_str_t *value)
{
    ngx_str_t  id;

    id.data = NULL;
    id.len = 0;

    if (value->len) {
        id.len = NGX_ENROLL_DIGEST_HEX;
        id.data = ngx_pnalloc(args->pool, id.len);

        if (id.data == NULL
            || ngx_enroll_store_sha256(value, id.data) != NGX_OK)
        {
            args->failed = 1;
            return;
        }
    }

    ngx_enroll_store_arg(args, &id);
}


static ngx_int_t
ngx_enroll_store_sha256(ngx_str_t *value, u_char *hex)
{
    u_char        digest[EVP_MAX_MD_SIZE];
    unsigned int  len;

    if (EVP_Digest(value->data, value->len, digest, &len, EVP_sha256(), NULL)
        != 1)
    {
        return NGX_ERROR;
    }

    ngx_hex_dump(hex, digest, len);

    return NGX_OK;
}


void
ngx_enroll_store_hex(ngx_enroll_store_args_t *args, ngx_str_t *value)
{
    if (ngx_enroll_store_is_hex(value) != NGX_OK) {
        args->failed = 1;
        return;
    }

    ngx_enroll_store_arg(args, value);
}


static ngx_int_t
ngx_enroll_store_is_hex(ngx_str_t *value)
{
    u_char  ch;
    size_t  i;

    if (value->len > NGX_ENROLL_DIGEST_HEX) {
        return NGX_ERROR;
    }

    for (i = 0; i < value->len; i++) {

        ch = value->data[i];

        if (!((ch >= '0' && ch <= '9') || (ch >= 'a' && ch <= 'f')
              || (ch >= 'A' && ch <= 'F')))
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


void
ngx_enroll_store_arg(ngx_enroll_store_args_t *args, ngx_str_t *value)
{
    if (args->argc == NGX_ENROLL_STORE_ARGS) {
        args->failed = 1;
        return;
    }

    args->argv[args->argc++] = *value;
}


void
ngx_enroll_store_word(ngx_enroll_store_args_t *args, const char *word)
{
    ngx_str_t  value;

    value.data = (u_char *) word;
    value.len = ngx_strlen(word);

    ngx_enroll_store_arg(args, &value);
}


void
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


void
ngx_enroll_store_field(ngx_enroll_store_args_t *args, const char *name,
    ngx_str_t *value)
{
    ngx_enroll_store_word(args, name);
    ngx_enroll_store_arg(args, value);
}


ngx_int_t
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

        if (ngx_enroll_store_values(call, reply, &r) != NGX_OK) {
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


/* what stands behind the word */

static ngx_int_t
ngx_enroll_store_values(ngx_enroll_store_call_t *call,
    struct redisReply *reply, ngx_enroll_store_reply_t *r)
{
    ngx_str_t  number;

    switch (r->result) {

    case NGX_ENROLL_STORE_FOUND:

        if (ngx_enroll_store_string(reply, 5, &r->status) != NGX_OK) {
            return NGX_ERROR;
        }

        /* fall through */

    case NGX_ENROLL_STORE_DONE:

        if (call->script == &ngx_enroll_script_poll
            && ngx_enroll_store_string(reply, 5, &r->stored) != NGX_OK)
        {
            return NGX_ERROR;
        }

        if (ngx_enroll_store_string(reply, 1, &r->cert) != NGX_OK
            || ngx_enroll_store_string(reply, 2, &r->requester) != NGX_OK
            || ngx_enroll_store_string(reply, 3, &r->profile) != NGX_OK
            || ngx_enroll_store_string(reply, 4, &r->key_digest) != NGX_OK
            || r->cert.len == 0)
        {
            return NGX_ERROR;
        }

        return NGX_OK;

    case NGX_ENROLL_STORE_ADMITTED:

        if (call->script != &ngx_enroll_script_poll) {
            return NGX_OK;
        }

        if (ngx_enroll_store_string(reply, 1, &r->stored) != NGX_OK
            || ngx_enroll_store_string(reply, 2, &r->requester) != NGX_OK
            || ngx_enroll_store_string(reply, 3, &r->profile) != NGX_OK
            || ngx_enroll_store_string(reply, 4, &r->key_digest) != NGX_OK
            || ngx_enroll_store_string(reply, 5, &r->id) != NGX_OK
            || r->stored.len == 0
            || r->id.len == 0)
        {
            return NGX_ERROR;
        }

        return NGX_OK;

    case NGX_ENROLL_STORE_MINTED:

        if (ngx_enroll_store_string(reply, 1, &number) != NGX_OK) {
            return NGX_ERROR;
        }

        r->expires = ngx_atoof(number.data, number.len);

        return r->expires == NGX_ERROR ? NGX_ERROR : NGX_OK;

    case NGX_ENROLL_STORE_LISTED:

        if (ngx_enroll_store_count(reply, 1, &r->total) != NGX_OK
            || ngx_enroll_store_string(reply, 2, &r->list) != NGX_OK)
        {
            return NGX_ERROR;
        }

        return NGX_OK;

    case NGX_ENROLL_STORE_TOTALS:

        return ngx_enroll_store_totals_values(reply, &r->totals);

    default:
        return NGX_OK;
    }
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
ngx_enroll_store_totals_values(struct redisReply *reply,
    ngx_enroll_store_totals_t *totals)
{
    if (ngx_enroll_store_count(reply, 1, &totals->issued) != NGX_OK
        || ngx_enroll_store_count(reply, 2, &totals->renewed) != NGX_OK
        || ngx_enroll_store_count(reply, 3, &totals->total) != NGX_OK
        || ngx_enroll_store_count(reply, 4, &totals->challenges) != NGX_OK
        || ngx_enroll_store_count(reply, 5, &totals->waiting) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_enroll_store_count(struct redisReply *reply, ngx_uint_t n,
    ngx_uint_t *count)
{
    ngx_int_t  i;
    ngx_str_t  number;

    if (ngx_enroll_store_string(reply, n, &number) != NGX_OK) {
        return NGX_ERROR;
    }

    i = ngx_atoi(number.data, number.len);

    if (i == NGX_ERROR) {
        return NGX_ERROR;
    }

    *count = (ngx_uint_t) i;

    return NGX_OK;
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
