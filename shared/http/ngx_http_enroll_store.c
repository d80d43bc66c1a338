
/*
 * Copyright (C) The nginx-enroll authors
 */


/*
 * The steps that ask the store: admit, record, release.
 */


#include "ngx_http_enroll.h"

#include <openssl/rand.h>


#define NGX_HTTP_ENROLL_WAIT_MIN   20     /* ms between two questions */
#define NGX_HTTP_ENROLL_WAIT_MAX   320


static ngx_int_t ngx_http_enroll_transaction(ngx_http_enroll_request_t *er);
static int ngx_http_enroll_digest_add(EVP_MD_CTX *md, const void *data,
    size_t len);
static void ngx_http_enroll_admitted(void *data,
    ngx_enroll_store_reply_t *reply);
static void ngx_http_enroll_repeat(ngx_http_enroll_request_t *er,
    ngx_enroll_store_reply_t *reply);
static void ngx_http_enroll_retry(ngx_event_t *ev);
static void ngx_http_enroll_recorded(void *data,
    ngx_enroll_store_reply_t *reply);
static void ngx_http_enroll_released(void *data,
    ngx_enroll_store_reply_t *reply);


ngx_int_t
ngx_http_enroll_admit(ngx_http_enroll_request_t *er)
{
    ngx_enroll_store_admit_t  admit;

    if (er->id.len == 0 && ngx_http_enroll_transaction(er) != NGX_OK) {
        er->outcome = ENROLL_INTERNAL;
        return NGX_DONE;
    }

    ngx_memzero(&admit, sizeof(ngx_enroll_store_admit_t));

    admit.ca = er->ca->name;
    admit.id = er->id;
    admit.lease = er->lease;
    admit.unrecorded = er->unrecorded;

    /* no request of the lease's holder lives longer than this */

    admit.lease_time = er->elcf->timeout
                       + 2 * ngx_enroll_redis_timeout(er->emcf->redis);

    if (er->renewal
        && ngx_http_enroll_serial(er->pool, &admit.serial, er->cert)
           != NGX_OK)
    {
        er->outcome = ENROLL_INTERNAL;
        return NGX_DONE;
    }

    if (ngx_enroll_store_admit(er->emcf->redis, &admit,
                               ngx_http_enroll_admitted, er)
        != NGX_OK)
    {
        er->outcome = ENROLL_STORE_DOWN;
        return NGX_DONE;
    }

    return NGX_AGAIN;
}


/*
 * The same identity asking the same location with the same key for the same
 * names is one transaction; its id is the same on every node.
 */

static ngx_int_t
ngx_http_enroll_transaction(ngx_http_enroll_request_t *er)
{
    int          ok;
    u_char       digest[ENROLL_DIGEST_LEN], random[NGX_ENROLL_LEASE_LEN / 2];
    EVP_MD_CTX  *md;

    if (RAND_bytes(random, sizeof(random)) != 1
        || ngx_http_enroll_hex(er->pool, &er->lease, random, sizeof(random))
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (er->repeat == 0) {
        er->id = er->lease;
        return NGX_OK;
    }

    if (!enroll_names_digest(&er->names, digest)) {
        return NGX_ERROR;
    }

    md = EVP_MD_CTX_new();
    if (md == NULL) {
        return NGX_ERROR;
    }

    ok = EVP_DigestInit_ex(md, EVP_sha256(), NULL) == 1
         && ngx_http_enroll_digest_add(md, er->protocol->name.data,
                                       er->protocol->name.len)
         && ngx_http_enroll_digest_add(md, er->endpoint->location.data,
                                       er->endpoint->location.len)
         && ngx_http_enroll_digest_add(md, er->ca->name.data,
                                       er->ca->name.len)
         && ngx_http_enroll_digest_add(md, er->profile->name.data,
                                       er->profile->name.len)
         && ngx_http_enroll_digest_add(md, er->requester.data,
                                       er->requester.len)
         && ngx_http_enroll_digest_add(md, er->csr->key_digest,
                                       ENROLL_DIGEST_LEN)
         && ngx_http_enroll_digest_add(md, digest, ENROLL_DIGEST_LEN)
         && EVP_DigestFinal_ex(md, digest, NULL) == 1;

    EVP_MD_CTX_free(md);

    if (!ok) {
        return NGX_ERROR;
    }

    return ngx_http_enroll_hex(er->pool, &er->id, digest, ENROLL_DIGEST_LEN);
}


static int
ngx_http_enroll_digest_add(EVP_MD_CTX *md, const void *data, size_t len)
{
    uint32_t  n;

    /* with its length, so that no two lists of values look the same */

    n = htonl((uint32_t) len);

    return EVP_DigestUpdate(md, &n, sizeof(n)) == 1
           && EVP_DigestUpdate(md, data, len) == 1;
}


static void
ngx_http_enroll_admitted(void *data, ngx_enroll_store_reply_t *reply)
{
    ngx_http_enroll_request_t *er = data;

    er->result = ENROLL_STORE_DOWN;

    switch (reply->result) {

    case NGX_ENROLL_STORE_ADMITTED:
        er->leased = 1;
        er->result = ENROLL_OK;
        break;

    case NGX_ENROLL_STORE_WAIT:

        /* another request of the same transaction is in work, anywhere */

        if (er->request == NULL) {
            break;
        }

        er->wait = er->wait ? ngx_min(er->wait * 2, NGX_HTTP_ENROLL_WAIT_MAX)
                            : NGX_HTTP_ENROLL_WAIT_MIN;

        er->retry.handler = ngx_http_enroll_retry;
        er->retry.data = er;
        er->retry.log = ngx_cycle->log;

        ngx_add_timer(&er->retry, er->wait);
        return;

    case NGX_ENROLL_STORE_DONE:
        ngx_http_enroll_repeat(er, reply);
        break;

    case NGX_ENROLL_STORE_REVOKED:
        er->result = ENROLL_CERT_REVOKED;
        break;

    case NGX_ENROLL_STORE_UNRECORDED:
        er->result = ENROLL_CERT_UNRECORDED;
        break;

    default:
        break;
    }

    ngx_http_enroll_resume(er);
}


/* what Redis says is a certificate of ours is believed only after a look */

static void
ngx_http_enroll_repeat(ngx_http_enroll_request_t *er,
    ngx_enroll_store_reply_t *reply)
{
    if (reply->requester.len != er->requester.len
        || ngx_memcmp(reply->requester.data, er->requester.data,
                      er->requester.len)
           != 0)
    {
        er->result = ENROLL_STORE_TAMPERED;
        return;
    }

    er->result = enroll_ca_recheck(&er->ca->pki, er->csr, reply->cert.data,
                                   reply->cert.len, er->now, &er->issued);

    if (er->result != ENROLL_OK) {
        return;
    }

    er->certificate.data = OPENSSL_memdup(reply->cert.data, reply->cert.len);

    if (er->certificate.data == NULL) {
        er->result = ENROLL_INTERNAL;
        return;
    }

    er->certificate.len = reply->cert.len;
    er->result = ENROLL_REPEATED;
}


static void
ngx_http_enroll_retry(ngx_event_t *ev)
{
    ngx_http_enroll_request_t *er = ev->data;

    /* back to admit */

    er->step--;

    ngx_http_enroll_resume(er);
}


ngx_int_t
ngx_http_enroll_record(ngx_http_enroll_request_t *er)
{
    char                       text[ENROLL_KEY_TEXT];
    ngx_enroll_store_record_t  record;

    ngx_memzero(&record, sizeof(ngx_enroll_store_record_t));

    record.ca = er->ca->name;
    record.id = er->id;
    record.lease = er->lease;
    record.repeat = er->repeat;
    record.cert = er->certificate;
    record.requester = er->requester;
    record.protocol = er->protocol->name;
    record.operation = er->operation;
    record.profile = er->profile->name;
    record.renewal = er->renewal;
    record.not_before = ngx_http_enroll_time(X509_get0_notBefore(er->issued));
    record.not_after = ngx_http_enroll_time(X509_get0_notAfter(er->issued));

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
                         ngx_http_enroll_san_text(er->names.san));

    if (ngx_http_enroll_serial(er->pool, &record.serial, er->issued) != NGX_OK
        || ngx_http_enroll_hex(er->pool, &record.key_digest,
                               er->csr->key_digest, ENROLL_DIGEST_LEN)
           != NGX_OK
        || (er->renewal
            && ngx_http_enroll_serial(er->pool, &record.replaces, er->cert)
               != NGX_OK))
    {
        er->outcome = ENROLL_INTERNAL;
        return NGX_DONE;
    }

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
