
/*
 * Copyright (C) The nginx-enroll authors
 */


/*
 * What the files of the core share and no protocol needs: the machine and its
 * steps, the audit, figures, bodies, blocks of the configuration
 */


#ifndef _NGX_HTTP_ENROLL_CORE_H_INCLUDED_
#define _NGX_HTTP_ENROLL_CORE_H_INCLUDED_


#include "ngx_http_enroll.h"


/* of one CA, by this node, since its zone began */

typedef struct {
    ngx_uint_t                    issued;
    ngx_uint_t                    renewed;
} ngx_http_enroll_totals_t;


/* the machine */

typedef struct {
    ngx_int_t                         (*run)(ngx_http_enroll_request_t *er);
    ngx_http_enroll_time_e              time;
} ngx_http_enroll_step_t;

extern const ngx_http_enroll_step_t     ngx_http_enroll_steps[];
extern const ngx_uint_t                 ngx_http_enroll_nsteps;

void ngx_http_enroll_resume(ngx_http_enroll_request_t *er);
ngx_int_t ngx_http_enroll_body(ngx_http_request_t *r,
    ngx_http_enroll_request_t *er, ngx_str_t *body);

/*
 * Runs work(er) on the thread pool, or here and now where it is cheap:
 * NGX_OK: it is done; NGX_AGAIN: ngx_http_enroll_resume() follows;
 * NGX_DONE: no room, er->outcome is set
 */

ngx_int_t ngx_http_enroll_job(ngx_http_enroll_request_t *er,
    void (*work)(ngx_http_enroll_request_t *er), ngx_uint_t cheap);

/* figures: the time from the lap before, a request that has its answer */

void ngx_http_enroll_lap(ngx_http_enroll_request_t *er,
    ngx_http_enroll_time_e next);
void ngx_http_enroll_count(ngx_http_request_t *r,
    ngx_http_enroll_request_t *er);
void ngx_http_enroll_totals(ngx_http_enroll_ca_t *ca,
    ngx_http_enroll_totals_t *totals);

/* steps from admit on */

ngx_int_t ngx_http_enroll_limit(ngx_http_enroll_request_t *er);
void ngx_http_enroll_tried(ngx_http_enroll_request_t *er, ngx_uint_t failed);
ngx_int_t ngx_http_enroll_requester(ngx_http_enroll_request_t *er);
ngx_int_t ngx_http_enroll_lease(ngx_http_enroll_request_t *er);
ngx_msec_t ngx_http_enroll_lease_time(ngx_http_enroll_request_t *er);
ngx_int_t ngx_http_enroll_again(ngx_http_enroll_request_t *er);
void ngx_http_enroll_retry(ngx_event_t *ev);
ngx_int_t ngx_http_enroll_admit(ngx_http_enroll_request_t *er);
ngx_int_t ngx_http_enroll_reopen(ngx_http_enroll_request_t *er);
ngx_int_t ngx_http_enroll_approved(ngx_http_enroll_request_t *er);
ngx_int_t ngx_http_enroll_record(ngx_http_enroll_request_t *er);
void ngx_http_enroll_release(ngx_http_enroll_request_t *er);

/* who is asking: passwords */

ngx_int_t ngx_http_enroll_check_password(ngx_http_enroll_request_t *er);
void ngx_http_enroll_hashed(ngx_http_enroll_request_t *er);
ngx_int_t ngx_http_enroll_identify(ngx_http_enroll_request_t *er);

/* what the audit says of it */

void ngx_http_enroll_audit(ngx_http_enroll_request_t *er,
    ngx_enroll_store_audit_t *audit);
void ngx_http_enroll_audit_refused(ngx_http_enroll_request_t *er);

/* subject and SAN as the profile has them */

enroll_outcome_e ngx_http_enroll_names(ngx_http_request_t *r,
    ngx_http_enroll_request_t *er);

/* the request that variables tell of, or NULL */

ngx_http_enroll_request_t *ngx_http_enroll_get(ngx_http_request_t *r);

/* JSON as a body, in the pool, with an LF at its end; json is freed */

ngx_int_t ngx_http_enroll_json(ngx_pool_t *pool, enroll_json_text_t *json,
    ngx_str_t *body);
ngx_int_t ngx_http_enroll_refusal_headers(ngx_http_request_t *r,
    const enroll_outcome_t *outcome);
ngx_int_t ngx_http_enroll_retry_after(ngx_http_request_t *r,
    const enroll_outcome_t *outcome);

/* text, into a pool; s is freed, NULL gives an empty string */

ngx_int_t ngx_http_enroll_text(ngx_pool_t *pool, ngx_str_t *text, char *s);
char *ngx_http_enroll_san_text(X509_EXTENSION *ext, int *whole);
time_t ngx_http_enroll_time(const ASN1_TIME *t);

/* configuration */

char *ngx_http_enroll_ca_block(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
ngx_int_t ngx_http_enroll_ra_load(ngx_conf_t *cf, ngx_http_enroll_ca_t *ca);
void ngx_http_enroll_ra_cleanup(ngx_http_enroll_ca_t *ca);
char *ngx_http_enroll_profile_block(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_enroll_block(ngx_conf_t *cf, ngx_command_t *commands,
    void *conf);
char *ngx_http_enroll_profile_builtin(ngx_conf_t *cf,
    ngx_http_enroll_main_conf_t *emcf);
ngx_int_t ngx_http_enroll_add_variables(ngx_conf_t *cf);
ngx_int_t ngx_http_enroll_compile(ngx_conf_t *cf, ngx_str_t *text,
    ngx_http_complex_value_t *value);
ngx_http_enroll_ca_t *ngx_http_enroll_ca_by_name(
    ngx_http_enroll_main_conf_t *emcf, ngx_str_t *name);
ngx_http_enroll_profile_t *ngx_http_enroll_profile_by_name(
    ngx_http_enroll_main_conf_t *emcf, ngx_str_t *name);
EVP_PKEY *ngx_http_enroll_key_load(ngx_conf_t *cf, ngx_str_t *name,
    ngx_str_t *file, ngx_uint_t *remote);
STACK_OF(X509) *ngx_http_enroll_read_certs(ngx_conf_t *cf, ngx_str_t *name);


#endif /* _NGX_HTTP_ENROLL_CORE_H_INCLUDED_ */
