
/*
 * Copyright (C) The nginx-enroll authors
 */


/*
 * The audit: a stream of what has changed, and of what was refused to those
 * who had proved who they are.  Each entry is bounded, and so is their number:
 * nobody fills Redis by it.
 */


#include "ngx_enroll_store_internal.h"


#define NGX_ENROLL_STORE_AUDIT_VALUE  1024


static ngx_str_t ngx_enroll_store_audit_value(ngx_enroll_store_args_t *args,
    ngx_str_t *value);


const char  *ngx_enroll_audit_fields[] = {
    "id", "event", "reason", "protocol", "operation", "location", "profile",
    "auth", "identity", "requester", "address", "subject", "san", "key",
    "key_digest", "serial", "replaces", "transaction", "challenge", "label",
    "by"
};


void
ngx_enroll_store_audit(ngx_enroll_store_args_t *args,
    ngx_enroll_store_audit_t *audit)
{
    ngx_str_t   value;
    ngx_uint_t  i, before;

    if (audit == NULL || audit->entries == 0) {
        ngx_enroll_store_number(args, 0);
        ngx_enroll_store_number(args, 0);
        return;
    }

    before = args->argc;

    for (i = NGX_ENROLL_AUDIT_REASON; i < NGX_ENROLL_AUDIT_FIELDS; i++) {

        if (audit->value[i].len) {
            value = ngx_enroll_store_audit_value(args, &audit->value[i]);
            ngx_enroll_store_field(args, ngx_enroll_audit_fields[i], &value);
        }
    }

    ngx_enroll_store_number(args, args->argc - before);
    ngx_enroll_store_number(args, audit->entries);
}


/* the beginning of what is too long, up to the end of a character */

static ngx_str_t
ngx_enroll_store_audit_value(ngx_enroll_store_args_t *args, ngx_str_t *value)
{
    size_t     n;
    ngx_str_t  cut;

    if (value->len <= NGX_ENROLL_STORE_AUDIT_VALUE) {
        return *value;
    }

    n = NGX_ENROLL_STORE_AUDIT_VALUE - (sizeof("...") - 1);

    while (n && (value->data[n] & 0xc0) == 0x80) {
        n--;
    }

    cut.data = ngx_pnalloc(args->pool, NGX_ENROLL_STORE_AUDIT_VALUE);

    if (cut.data == NULL) {
        args->failed = 1;
        ngx_str_null(&cut);
        return cut;
    }

    cut.len = ngx_cpymem(ngx_cpymem(cut.data, value->data, n), "...",
                         sizeof("...") - 1)
              - cut.data;

    return cut;
}


ngx_int_t
ngx_enroll_store_refused(ngx_enroll_redis_t *redis, ngx_str_t *ca,
    ngx_enroll_store_audit_t *audit, ngx_enroll_store_handler_pt handler,
    void *data)
{
    ngx_str_t                 none = ngx_null_string;
    ngx_enroll_store_args_t  *args;

    args = ngx_enroll_store_args(redis, ca);
    if (args == NULL) {
        return NGX_DECLINED;
    }

    ngx_enroll_store_key(args, "", &none);

    ngx_enroll_store_audit(args, audit);

    return ngx_enroll_store_send(args, redis, &ngx_enroll_script_refused,
                                 handler, data);
}


ngx_int_t
ngx_enroll_store_audit_list(ngx_enroll_redis_t *redis, ngx_str_t *ca,
    ngx_str_t *since, ngx_uint_t limit, ngx_enroll_store_handler_pt handler,
    void *data)
{
    ngx_str_t                 start, none = ngx_null_string;
    ngx_uint_t                i;
    ngx_enroll_store_args_t  *args;

    args = ngx_enroll_store_args(redis, ca);
    if (args == NULL) {
        return NGX_DECLINED;
    }

    ngx_enroll_store_key(args, "", &none);

    if (since->len == 0) {
        ngx_enroll_store_word(args, "-");

    } else if (ngx_strlchr(since->data, since->data + since->len, '-')) {

        start.data = ngx_pnalloc(args->pool, since->len + 1);

        if (start.data) {
            start.len = ngx_sprintf(start.data, "(%V", since) - start.data;
            ngx_enroll_store_arg(args, &start);

        } else {
            args->failed = 1;
        }

    } else {
        ngx_enroll_store_arg(args, since);
    }

    ngx_enroll_store_number(args, limit);

    for (i = 0; i < NGX_ENROLL_AUDIT_FIELDS; i++) {
        ngx_enroll_store_word(args, ngx_enroll_audit_fields[i]);
    }

    return ngx_enroll_store_send(args, redis, &ngx_enroll_script_audit,
                                 handler, data);
}
