
/*
 * Copyright (C) The nginx-enroll authors
 */


/*
 * The verbs of those who mint challenges and approve of requests
 */


#include "ngx_enroll_store_internal.h"


static ngx_int_t ngx_enroll_store_list(ngx_enroll_redis_t *redis,
    ngx_str_t *ca, ngx_enroll_script_t *script,
    ngx_enroll_store_handler_pt handler, void *data);


ngx_int_t
ngx_enroll_store_challenge_mint(ngx_enroll_redis_t *redis,
    ngx_enroll_store_mint_t *mint, ngx_enroll_store_handler_pt handler,
    void *data)
{
    ngx_str_t                 id, none = ngx_null_string;
    ngx_enroll_store_args_t  *args;

    if (mint->digest.len != NGX_ENROLL_DIGEST_HEX
        || mint->lifetime == 0
        || mint->uses == 0 || mint->uses > NGX_ENROLL_STORE_USES)
    {
        return NGX_DECLINED;
    }

    args = ngx_enroll_store_args(redis, &mint->ca);
    if (args == NULL) {
        return NGX_DECLINED;
    }

    id.data = mint->digest.data;
    id.len = NGX_ENROLL_CHALLENGE_ID;

    ngx_enroll_store_key(args, "", &none);

    ngx_enroll_store_hex(args, &id);
    ngx_enroll_store_hex(args, &mint->digest);
    ngx_enroll_store_number(args, mint->lifetime);
    ngx_enroll_store_number(args, mint->uses);
    ngx_enroll_store_number(args, NGX_ENROLL_STORE_CHALLENGES);

    ngx_enroll_store_field(args, "label", &mint->label);
    ngx_enroll_store_field(args, "by", &mint->by);
    ngx_enroll_store_field(args, "subject", &mint->subject);
    ngx_enroll_store_field(args, "san", &mint->san);
    ngx_enroll_store_field(args, "key_digest", &mint->key_digest);
    ngx_enroll_store_field(args, "profile", &mint->profile);
    ngx_enroll_store_field(args, "address", &mint->address);

    ngx_enroll_store_audit(args, mint->audit);

    return ngx_enroll_store_send(args, redis, &ngx_enroll_script_mint,
                                 handler, data);
}


ngx_int_t
ngx_enroll_store_challenge_list(ngx_enroll_redis_t *redis, ngx_str_t *ca,
    ngx_enroll_store_handler_pt handler, void *data)
{
    return ngx_enroll_store_list(redis, ca, &ngx_enroll_script_challenges,
                                 handler, data);
}


ngx_int_t
ngx_enroll_store_pending_list(ngx_enroll_redis_t *redis, ngx_str_t *ca,
    ngx_enroll_store_handler_pt handler, void *data)
{
    return ngx_enroll_store_list(redis, ca, &ngx_enroll_script_pending,
                                 handler, data);
}


static ngx_int_t
ngx_enroll_store_list(ngx_enroll_redis_t *redis, ngx_str_t *ca,
    ngx_enroll_script_t *script, ngx_enroll_store_handler_pt handler,
    void *data)
{
    ngx_str_t                 none = ngx_null_string;
    ngx_enroll_store_args_t  *args;

    args = ngx_enroll_store_args(redis, ca);
    if (args == NULL) {
        return NGX_DECLINED;
    }

    ngx_enroll_store_key(args, "", &none);

    ngx_enroll_store_number(args, NGX_ENROLL_STORE_LIST);

    return ngx_enroll_store_send(args, redis, script, handler, data);
}


ngx_int_t
ngx_enroll_store_challenge_delete(ngx_enroll_redis_t *redis, ngx_str_t *ca,
    ngx_str_t *id, ngx_enroll_store_audit_t *audit,
    ngx_enroll_store_handler_pt handler, void *data)
{
    ngx_str_t                 none = ngx_null_string;
    ngx_enroll_store_args_t  *args;

    args = ngx_enroll_store_args(redis, ca);
    if (args == NULL) {
        return NGX_DECLINED;
    }

    ngx_enroll_store_key(args, "", &none);

    ngx_enroll_store_hex(args, id);

    ngx_enroll_store_audit(args, audit);

    return ngx_enroll_store_send(args, redis, &ngx_enroll_script_delete,
                                 handler, data);
}


ngx_int_t
ngx_enroll_store_pending_decide(ngx_enroll_redis_t *redis,
    ngx_enroll_store_decide_t *decide, ngx_enroll_store_handler_pt handler,
    void *data)
{
    ngx_str_t                 none = ngx_null_string;
    ngx_enroll_store_args_t  *args;

    if (decide->lifetime == 0) {
        return NGX_DECLINED;
    }

    args = ngx_enroll_store_args(redis, &decide->ca);
    if (args == NULL) {
        return NGX_DECLINED;
    }

    ngx_enroll_store_key(args, "", &none);

    ngx_enroll_store_hex(args, &decide->id);
    ngx_enroll_store_word(args, decide->approve ? "approved" : "denied");
    ngx_enroll_store_number(args, decide->lifetime);
    ngx_enroll_store_arg(args, &decide->by);

    ngx_enroll_store_audit(args, decide->audit);

    return ngx_enroll_store_send(args, redis, &ngx_enroll_script_decide,
                                 handler, data);
}


ngx_int_t
ngx_enroll_store_totals(ngx_enroll_redis_t *redis, ngx_str_t *ca,
    ngx_enroll_store_handler_pt handler, void *data)
{
    ngx_str_t                 none = ngx_null_string;
    ngx_enroll_store_args_t  *args;

    args = ngx_enroll_store_args(redis, ca);
    if (args == NULL) {
        return NGX_DECLINED;
    }

    ngx_enroll_store_key(args, "counters", &none);
    ngx_enroll_store_key(args, "", &none);

    return ngx_enroll_store_send(args, redis, &ngx_enroll_script_totals,
                                 handler, data);
}


/* netstrings, one for each field */

ngx_int_t
ngx_enroll_store_next(ngx_str_t *list, ngx_str_t *fields, ngx_uint_t n)
{
    u_char      *p, *last, *colon;
    ngx_int_t    len;
    ngx_uint_t   i;

    if (list->len == 0) {
        return NGX_DONE;
    }

    p = list->data;
    last = list->data + list->len;

    for (i = 0; i < n; i++) {

        colon = ngx_strlchr(p, ngx_min(last, p + NGX_INT_T_LEN), ':');
        if (colon == NULL) {
            return NGX_ERROR;
        }

        len = ngx_atoi(p, colon - p);
        p = colon + 1;

        if (len == NGX_ERROR || len >= last - p || p[len] != ',') {
            return NGX_ERROR;
        }

        fields[i].data = p;
        fields[i].len = len;

        p += len + 1;
    }

    list->data = p;
    list->len = last - p;

    return NGX_OK;
}
