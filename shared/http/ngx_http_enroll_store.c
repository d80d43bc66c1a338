
/*
 * Copyright (C) The nginx-enroll authors
 */


/*
 * What the store is told, and asked on the side: failures, requesters of
 * other CAs, certificates.
 */


#include "ngx_http_enroll_core.h"


static void ngx_http_enroll_limited(void *data,
    ngx_enroll_store_reply_t *reply);
static ngx_int_t ngx_http_enroll_failures(ngx_http_enroll_request_t *er,
    ngx_uint_t over, ngx_enroll_store_handler_pt handler, void *data);
static void ngx_http_enroll_requested(void *data,
    ngx_enroll_store_reply_t *reply);
static void ngx_http_enroll_recorded(void *data,
    ngx_enroll_store_reply_t *reply);
static void ngx_http_enroll_released(void *data,
    ngx_enroll_store_reply_t *reply);


/* whoever has failed too often is not listened to for a while */

ngx_int_t
ngx_http_enroll_limit(ngx_http_enroll_request_t *er)
{
    er->result = ENROLL_OK;

    if (er->fail_n == 0 || er->failures == 0) {
        return NGX_OK;
    }

    if (ngx_http_enroll_lease(er) != NGX_OK) {
        er->outcome = ENROLL_INTERNAL;
        return NGX_DONE;
    }

    if (ngx_http_enroll_failures(er, 0, ngx_http_enroll_limited, er)
        == NGX_OK)
    {
        return NGX_AGAIN;
    }

    er->outcome = ENROLL_STORE_DOWN;

    return NGX_DONE;
}


static void
ngx_http_enroll_limited(void *data, ngx_enroll_store_reply_t *reply)
{
    ngx_http_enroll_request_t *er = data;

    switch (reply->result) {

    case NGX_ENROLL_STORE_BELOW:
        er->result = ENROLL_OK;
        er->tried = 1;
        er->wait = 0;
        break;

    case NGX_ENROLL_STORE_WAIT:

        /* for those under way: should they fail, it would be one too many */

        if (ngx_http_enroll_again(er) == NGX_OK) {
            return;
        }

        er->result = ENROLL_CLIENT_GONE;
        er->fail_count = 0;
        break;

    case NGX_ENROLL_STORE_LIMITED:
        er->result = ENROLL_TOO_MANY_FAILURES;

        /* it counts the tries that are listened to */

        er->fail_count = 0;
        break;

    default:

        /* the try may be noted all the same, and would stand in the way */

        er->result = ENROLL_STORE_DOWN;
        er->tried = 1;
        break;
    }

    ngx_http_enroll_resume(er);
}


/* the end of a try, or a failure before it; nobody waits for the answer */

void
ngx_http_enroll_tried(ngx_http_enroll_request_t *er, ngx_uint_t failed)
{
    if (!failed) {
        er->fail_count = 0;
    }

    if (er->failures && (er->tried || er->fail_count)) {
        (void) ngx_http_enroll_failures(er, 1, ngx_http_enroll_released, NULL);
    }

    er->tried = 0;
    er->fail_count = 0;
}


static ngx_int_t
ngx_http_enroll_failures(ngx_http_enroll_request_t *er, ngx_uint_t over,
    ngx_enroll_store_handler_pt handler, void *data)
{
    ngx_uint_t                   i;
    ngx_enroll_store_failures_t  failures;

    ngx_memzero(&failures, sizeof(ngx_enroll_store_failures_t));

    failures.over = over;
    failures.failed = er->fail_count;
    failures.ca = er->ca->name;
    failures.window = er->failures_time;
    failures.limit = er->failures;
    failures.id = er->lease;
    failures.time = ngx_http_enroll_lease_time(er);
    failures.nkeys = er->fail_n;

    for (i = 0; i < failures.nkeys; i++) {
        failures.keys[i] = er->fail_keys[i];
    }

    return ngx_enroll_store_failures(er->emcf->redis, &failures, handler,
                                     data);
}


/* a client of another CA of ours: that one's records know of it */

ngx_int_t
ngx_http_enroll_requester(ngx_http_enroll_request_t *er)
{
    ngx_int_t  rc;
    ngx_str_t  serial;

    er->result = ENROLL_OK;

    if (er->cert_ca == NULL) {
        return NGX_OK;
    }

    rc = ngx_http_enroll_serial(er->pool, &serial, er->cert);

    if (rc == NGX_OK) {
        rc = ngx_enroll_store_lookup(er->emcf->redis, &er->cert_ca->name,
                                     &serial, ngx_http_enroll_requested, er);
    }

    if (rc == NGX_OK) {
        return NGX_AGAIN;
    }

    er->outcome = (rc == NGX_DECLINED) ? ENROLL_STORE_DOWN : ENROLL_INTERNAL;

    return NGX_DONE;
}


static void
ngx_http_enroll_requested(void *data, ngx_enroll_store_reply_t *reply)
{
    ngx_http_enroll_request_t *er = data;

    switch (reply->result) {

    case NGX_ENROLL_STORE_FOUND:
        er->result = (reply->status.len == sizeof("valid") - 1
                      && ngx_strncmp(reply->status.data, "valid",
                                     sizeof("valid") - 1)
                         == 0)
                     ? ENROLL_OK : ENROLL_CERT_REVOKED;
        break;

    case NGX_ENROLL_STORE_UNKNOWN:
        er->result = er->unrecorded ? ENROLL_OK : ENROLL_CERT_UNRECORDED;
        break;

    default:
        er->result = ENROLL_STORE_DOWN;
        break;
    }

    ngx_http_enroll_resume(er);
}


ngx_int_t
ngx_http_enroll_record(ngx_http_enroll_request_t *er)
{
    int                        whole;
    char                       text[ENROLL_KEY_TEXT];
    int64_t                    left;
    ngx_time_t                *tp;
    ngx_enroll_store_audit_t   audit;
    ngx_enroll_store_record_t  record;

    er->ca->unusable = 0;

    ngx_memzero(&record, sizeof(ngx_enroll_store_record_t));

    record.ca = er->ca->name;
    record.id = er->id;
    record.lease = er->lease;
    record.repeat = er->repeat;
    record.cert.data = er->issued.der;
    record.cert.len = er->issued.len;
    record.serial.data = (u_char *) er->issued.serial;
    record.serial.len = ngx_strlen(er->issued.serial);
    record.requester = er->requester;
    record.protocol = er->protocol->name;
    record.operation = er->operation;
    record.profile = er->profile->name;
    record.renewal = er->renewal;
    record.not_before = er->issued.not_before;
    record.not_after = er->issued.not_after;

    /* a certificate that has ended is of no use to whoever lost it */

    tp = ngx_timeofday();
    left = (int64_t) (record.not_after - tp->sec) * 1000 - tp->msec;

    if (record.repeat && (int64_t) record.repeat > left) {
        record.repeat = (left > 0) ? (ngx_msec_t) left : 1;
    }

    record.key.data = (u_char *) text;
    record.key.len = enroll_key_text(&er->csr->key, text);

    if (er->linked) {
        ngx_str_set(&record.pop_link, "verified");

    } else {
        ngx_str_set(&record.pop_link, "absent");
    }

    ngx_http_enroll_text(er->pool, &record.subject,
                         enroll_text_name(er->names.subject));
    ngx_http_enroll_text(er->pool, &record.san,
                         ngx_http_enroll_san_text(er->names.san, &whole));

    er->subject = record.subject;

    if (ngx_http_enroll_hex(er->pool, &record.key_digest, er->csr->key_digest,
                            ENROLL_DIGEST_LEN)
        != NGX_OK
        || (er->renewal
            && ngx_http_enroll_serial(er->pool, &record.replaces, er->cert)
               != NGX_OK))
    {
        er->outcome = ENROLL_INTERNAL;
        return NGX_DONE;
    }

    ngx_http_enroll_audit(er, &audit);

    audit.value[NGX_ENROLL_AUDIT_SUBJECT] = record.subject;
    audit.value[NGX_ENROLL_AUDIT_SAN] = record.san;
    audit.value[NGX_ENROLL_AUDIT_KEY] = record.key;
    audit.value[NGX_ENROLL_AUDIT_KEY_DIGEST] = record.key_digest;
    audit.value[NGX_ENROLL_AUDIT_SERIAL] = record.serial;
    audit.value[NGX_ENROLL_AUDIT_REPLACES] = record.replaces;

    record.audit = &audit;

    if (ngx_enroll_store_record(er->emcf->redis, &record,
                                ngx_http_enroll_recorded, er)
        != NGX_OK)
    {
        er->outcome = ENROLL_STORE_DOWN;
        return NGX_DONE;
    }

    return NGX_AGAIN;
}


static void
ngx_http_enroll_recorded(void *data, ngx_enroll_store_reply_t *reply)
{
    ngx_http_enroll_request_t *er = data;

    switch (reply->result) {

    case NGX_ENROLL_STORE_RECORDED:
        er->recorded = 1;
        er->result = ENROLL_OK;
        break;

    case NGX_ENROLL_STORE_LOST:
        er->result = ENROLL_STORE_LOST;
        er->leased = 0;
        break;

    default:

        /*
         * Whether it is recorded is not known.  The certificate is not given
         * out; if it is there, a repeat gets it, else the lease ends.
         */

        er->result = ENROLL_STORE_DOWN;
        er->leased = 0;
        break;
    }

    ngx_http_enroll_resume(er);
}


/* nobody waits for the answer: a lease that is not given back just ends */

void
ngx_http_enroll_release(ngx_http_enroll_request_t *er)
{
    er->leased = 0;

    (void) ngx_enroll_store_release(er->emcf->redis, &er->ca->name, &er->id,
                                    &er->lease, ngx_http_enroll_released,
                                    NULL);
}


static void
ngx_http_enroll_released(void *data, ngx_enroll_store_reply_t *reply)
{
    /* void */
}
