
/*
 * Copyright (C) The nginx-enroll authors
 */


/*
 * What the files of ngx_enroll_store*.c share: how a script is called
 */


#ifndef _NGX_ENROLL_STORE_INTERNAL_H_INCLUDED_
#define _NGX_ENROLL_STORE_INTERNAL_H_INCLUDED_


#include "ngx_enroll_store.h"
#include "ngx_enroll_script.h"


#define NGX_ENROLL_STORE_ARGS  96


/* the keys and arguments of a script, until they have been sent */

typedef struct {
    ngx_pool_t                   *pool;
    ngx_str_t                     base;   /* "PREFIX{ca}:" */
    ngx_str_t                     argv[NGX_ENROLL_STORE_ARGS];
    ngx_uint_t                    argc;
    ngx_uint_t                    nkeys;
    ngx_uint_t                    failed; /* no memory for some of them, or
                                             not fit for a key */
} ngx_enroll_store_args_t;


ngx_enroll_store_args_t *ngx_enroll_store_args(ngx_enroll_redis_t *redis,
    ngx_str_t *ca);

/* keys, which come first: id is hex, or empty */

void ngx_enroll_store_key(ngx_enroll_store_args_t *args, const char *name,
    ngx_str_t *id);

/* the key of any octets, by their digest */

void ngx_enroll_store_digest_key(ngx_enroll_store_args_t *args,
    const char *name, ngx_str_t *value);

/* arguments; hex and digest become a part of keys in the script */

void ngx_enroll_store_arg(ngx_enroll_store_args_t *args, ngx_str_t *value);
void ngx_enroll_store_hex(ngx_enroll_store_args_t *args, ngx_str_t *value);
void ngx_enroll_store_digest(ngx_enroll_store_args_t *args,
    ngx_str_t *value);
void ngx_enroll_store_word(ngx_enroll_store_args_t *args, const char *word);
void ngx_enroll_store_number(ngx_enroll_store_args_t *args, int64_t number);
void ngx_enroll_store_field(ngx_enroll_store_args_t *args, const char *name,
    ngx_str_t *value);

/* the last of the arguments, for scripts with NGX_ENROLL_LUA_AUDIT */

void ngx_enroll_store_audit(ngx_enroll_store_args_t *args,
    ngx_enroll_store_audit_t *audit);

/* sends and destroys args; NGX_DECLINED: the handler will not be called */

ngx_int_t ngx_enroll_store_send(ngx_enroll_store_args_t *args,
    ngx_enroll_redis_t *redis, ngx_enroll_script_t *script,
    ngx_enroll_store_handler_pt handler, void *data);


#endif /* _NGX_ENROLL_STORE_INTERNAL_H_INCLUDED_ */
