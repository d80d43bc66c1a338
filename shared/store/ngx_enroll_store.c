
/*
 * Copyright (C) The nginx-enroll authors
 */


/*
 * The verbs of a request
 */


#include "ngx_enroll_store_internal.h"


static void ngx_enroll_store_approval(ngx_enroll_store_args_t *args,
    ngx_enroll_store_admit_t *admit);


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
    ngx_enroll_store_key(args, "", &none);

    ngx_enroll_store_hex(args, &admit->id);
    ngx_enroll_store_arg(args, &admit->lease);
    ngx_enroll_store_number(args, admit->lease_time);
    ngx_enroll_store_hex(args, &admit->serial);
    ngx_enroll_store_number(args, admit->unrecorded);

    ngx_enroll_store_digest(args, &admit->nonce);
    ngx_enroll_store_number(args, admit->nonce_time);
    ngx_enroll_store_hex(args, &admit->challenge);

    ngx_enroll_store_arg(args, &admit->subject);
    ngx_enroll_store_arg(args, &admit->san);
    ngx_enroll_store_arg(args, &admit->key);
    ngx_enroll_store_arg(args, &admit->key_digest);
    ngx_enroll_store_arg(args, &admit->profile);
    ngx_enroll_store_arg(args, &admit->address);

    if (admit->challenge.len
        && admit->challenge.len != NGX_ENROLL_DIGEST_HEX)
    {
        args->failed = 1;
    }

    if (admit->approval) {
        ngx_enroll_store_approval(args, admit);

    } else {
        ngx_enroll_store_number(args, 0);
    }

    ngx_enroll_store_audit(args, admit->approval ? admit->approval->audit
                                                 : NULL);

    return ngx_enroll_store_send(args, redis, &ngx_enroll_script_admit,
                                 handler, data);
}


static void
ngx_enroll_store_approval(ngx_enroll_store_args_t *args,
    ngx_enroll_store_admit_t *admit)
{
    ngx_enroll_store_approval_t  *approval;

    approval = admit->approval;

    ngx_enroll_store_number(args, 1);
    ngx_enroll_store_number(args, approval->lifetime);
    ngx_enroll_store_number(args, approval->per_location);
    ngx_enroll_store_number(args, approval->per_address);
    ngx_enroll_store_digest(args, &approval->poll);
    ngx_enroll_store_digest(args, &approval->location);
    ngx_enroll_store_digest(args, &approval->network);

    ngx_enroll_store_field(args, "stored", &approval->stored);
    ngx_enroll_store_field(args, "requester", &approval->requester);
    ngx_enroll_store_field(args, "protocol", &approval->protocol);
    ngx_enroll_store_field(args, "operation", &approval->operation);
    ngx_enroll_store_field(args, "location", &approval->location);

    if (approval->lifetime == 0) {
        args->failed = 1;
    }
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
    ngx_enroll_store_digest_key(args, "idx:identity:", &record->requester);
    ngx_enroll_store_key(args, "counters", &none);
    ngx_enroll_store_key(args, "", &none);

    ngx_enroll_store_arg(args, &record->lease);
    ngx_enroll_store_number(args, record->repeat);
    ngx_enroll_store_arg(args, &record->serial);
    ngx_enroll_store_number(args, record->not_after);
    ngx_enroll_store_word(args, record->renewal ? "renewed" : "issued");
    ngx_enroll_store_hex(args, &record->id);

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

    ngx_enroll_store_audit(args, record->audit);

    return ngx_enroll_store_send(args, redis, &ngx_enroll_script_record,
                                 handler, data);
}


ngx_int_t
ngx_enroll_store_release(ngx_enroll_redis_t *redis, ngx_str_t *ca,
    ngx_str_t *id, ngx_str_t *lease, ngx_enroll_store_handler_pt handler,
    void *data)
{
    ngx_str_t                 none = ngx_null_string;
    ngx_enroll_store_args_t  *args;

    args = ngx_enroll_store_args(redis, ca);
    if (args == NULL) {
        return NGX_DECLINED;
    }

    ngx_enroll_store_key(args, "txn:", id);
    ngx_enroll_store_key(args, "", &none);

    ngx_enroll_store_arg(args, lease);
    ngx_enroll_store_hex(args, id);

    return ngx_enroll_store_send(args, redis, &ngx_enroll_script_release,
                                 handler, data);
}


ngx_int_t
ngx_enroll_store_poll(ngx_enroll_redis_t *redis,
    ngx_enroll_store_poll_t *poll, ngx_enroll_store_handler_pt handler,
    void *data)
{
    ngx_str_t                 none = ngx_null_string;
    ngx_enroll_store_args_t  *args;

    args = ngx_enroll_store_args(redis, &poll->ca);
    if (args == NULL) {
        return NGX_DECLINED;
    }

    ngx_enroll_store_key(args, "", &none);

    ngx_enroll_store_digest(args, &poll->poll);
    ngx_enroll_store_arg(args, &poll->key_digest);
    ngx_enroll_store_arg(args, &poll->lease);
    ngx_enroll_store_number(args, poll->lease_time);

    return ngx_enroll_store_send(args, redis, &ngx_enroll_script_poll,
                                 handler, data);
}


ngx_int_t
ngx_enroll_store_lookup(ngx_enroll_redis_t *redis, ngx_str_t *ca,
    ngx_str_t *serial, ngx_enroll_store_handler_pt handler, void *data)
{
    ngx_str_t                 none = ngx_null_string;
    ngx_enroll_store_args_t  *args;

    args = ngx_enroll_store_args(redis, ca);
    if (args == NULL) {
        return NGX_DECLINED;
    }

    ngx_enroll_store_key(args, "cert:", serial);
    ngx_enroll_store_key(args, "revoked", &none);

    ngx_enroll_store_hex(args, serial);

    return ngx_enroll_store_send(args, redis, &ngx_enroll_script_lookup,
                                 handler, data);
}


ngx_int_t
ngx_enroll_store_failures(ngx_enroll_redis_t *redis,
    ngx_enroll_store_failures_t *failures,
    ngx_enroll_store_handler_pt handler, void *data)
{
    ngx_uint_t                i;
    ngx_enroll_store_args_t  *args;

    args = ngx_enroll_store_args(redis, &failures->ca);
    if (args == NULL) {
        return NGX_DECLINED;
    }

    for (i = 0; i < failures->nkeys; i++) {
        ngx_enroll_store_digest_key(args, "fail:", &failures->keys[i]);
    }

    ngx_enroll_store_word(args, failures->over ? "over" : "try");
    ngx_enroll_store_number(args, failures->window);
    ngx_enroll_store_number(args, failures->limit);
    ngx_enroll_store_arg(args, &failures->id);
    ngx_enroll_store_number(args, failures->time);
    ngx_enroll_store_number(args, failures->failed);

    return ngx_enroll_store_send(args, redis, &ngx_enroll_script_failures,
                                 handler, data);
}
