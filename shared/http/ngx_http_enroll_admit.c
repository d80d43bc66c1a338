
/*
 * Copyright (C) The nginx-enroll authors
 */


/*
 * Admission: what the request wants is asked of the store, in one question.
 */


#include "ngx_http_enroll_core.h"

#include <openssl/rand.h>


#define NGX_HTTP_ENROLL_WAIT_MIN   20     /* ms between two questions */
#define NGX_HTTP_ENROLL_WAIT_MAX   320


static ngx_int_t ngx_http_enroll_ask_admit(ngx_http_enroll_request_t *er);
static ngx_int_t ngx_http_enroll_ask_names(ngx_http_enroll_request_t *er,
    ngx_enroll_store_admit_t *admit);
static ngx_int_t ngx_http_enroll_ask_poll(ngx_http_enroll_request_t *er);
static ngx_int_t ngx_http_enroll_transaction(ngx_http_enroll_request_t *er);
static int ngx_http_enroll_digest_add(EVP_MD_CTX *md, const void *data,
    size_t len);
static void ngx_http_enroll_admitted(void *data,
    ngx_enroll_store_reply_t *reply);
static enroll_outcome_e ngx_http_enroll_store_outcome(
    ngx_enroll_store_e result);
static enroll_outcome_e ngx_http_enroll_repeat(ngx_http_enroll_request_t *er,
    ngx_enroll_store_reply_t *reply);
static enroll_outcome_e ngx_http_enroll_found(ngx_http_enroll_request_t *er,
    ngx_enroll_store_reply_t *reply);
static ngx_int_t ngx_http_enroll_keep(ngx_http_enroll_request_t *er, X509 *x,
    ngx_str_t *cert);
static enroll_outcome_e ngx_http_enroll_stored(ngx_http_enroll_request_t *er,
    ngx_enroll_store_reply_t *reply);


/* asks the store for what the request wants */

ngx_int_t
ngx_http_enroll_admit(ngx_http_enroll_request_t *er)
{
    ngx_int_t  rc;

    switch (er->intent) {

    case NGX_HTTP_ENROLL_POLL:
        rc = ngx_http_enroll_ask_poll(er);
        break;

    case NGX_HTTP_ENROLL_LOOKUP:
        rc = ngx_enroll_store_lookup(er->emcf->redis, &er->ca->name,
                                     &er->number, ngx_http_enroll_admitted,
                                     er);
        break;

    case NGX_HTTP_ENROLL_ASK:
        rc = er->ask(er);
        break;

    default: /* NGX_HTTP_ENROLL_ISSUE */
        rc = ngx_http_enroll_ask_admit(er);
        break;
    }

    if (rc == NGX_OK) {
        return NGX_AGAIN;
    }

    if (rc != NGX_DONE) {
        er->outcome = (rc == NGX_DECLINED) ? ENROLL_STORE_DOWN
                                           : ENROLL_INTERNAL;
    }

    return NGX_DONE;
}


static ngx_int_t
ngx_http_enroll_ask_admit(ngx_http_enroll_request_t *er)
{
    char                          text[ENROLL_KEY_TEXT];
    ngx_int_t                     rc;
    ngx_connection_t             *c;
    ngx_enroll_store_admit_t      admit;
    ngx_enroll_store_audit_t      audit;
    ngx_http_enroll_loc_conf_t   *elcf;
    ngx_enroll_store_approval_t   approval;

    c = er->request->connection;
    elcf = er->elcf;

    if (er->id.len == 0 && ngx_http_enroll_transaction(er) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_memzero(&admit, sizeof(ngx_enroll_store_admit_t));

    admit.ca = er->ca->name;
    admit.id = er->id;
    admit.lease = er->lease;
    admit.lease_time = ngx_http_enroll_lease_time(er);
    admit.unrecorded = er->unrecorded;
    admit.address = er->address;

    /* without repeats no two messages are one transaction */

    if (er->id.data != er->lease.data) {
        admit.nonce = er->nonce;
    }

    admit.nonce_time = er->repeat + admit.lease_time;
    admit.challenge = er->challenge;

    if (!er->renewal || !er->profile->renew_any) {
        admit.profile = er->profile->name;
    }

    if (er->renewal) {
        if (ngx_http_enroll_serial(er->pool, &admit.serial, er->cert)
            != NGX_OK)
        {
            return NGX_ERROR;
        }

    } else if (elcf->approval) {

        ngx_memzero(&approval, sizeof(ngx_enroll_store_approval_t));

        approval.requester = er->requester;
        approval.protocol = er->protocol->name;
        approval.operation = er->operation;
        approval.location = er->endpoint->location;
        approval.poll = er->poll;
        approval.stored = er->stored;
        approval.lifetime = elcf->pending;
        approval.per_location = elcf->pending_max;
        approval.per_address = elcf->pending_per_address;

        if (ngx_http_enroll_address(er->pool, c->sockaddr, c->socklen, 1,
                                    &approval.network)
            != NGX_OK)
        {
            return NGX_ERROR;
        }

        admit.approval = &approval;
    }

    if (er->challenge.len || admit.approval) {

        admit.key.data = (u_char *) text;
        admit.key.len = enroll_key_text(&er->csr->key, text);

        rc = ngx_http_enroll_ask_names(er, &admit);

        if (rc != NGX_OK) {
            return rc;
        }

        if (ngx_http_enroll_hex(er->pool, &admit.key_digest,
                                er->csr->key_digest, ENROLL_DIGEST_LEN)
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    if (admit.approval) {

        ngx_http_enroll_audit(er, &audit);

        audit.value[NGX_ENROLL_AUDIT_SUBJECT] = admit.subject;
        audit.value[NGX_ENROLL_AUDIT_SAN] = admit.san;
        audit.value[NGX_ENROLL_AUDIT_KEY] = admit.key;
        audit.value[NGX_ENROLL_AUDIT_KEY_DIGEST] = admit.key_digest;

        approval.audit = &audit;
    }

    return ngx_enroll_store_admit(er->emcf->redis, &admit,
                                  ngx_http_enroll_admitted, er);
}


/*
 * An approver decides by what is to be seen: what cannot be shown whole is not
 * shown at all.  Nor is it what a challenge is bound to, which is a text.
 */

static ngx_int_t
ngx_http_enroll_ask_names(ngx_http_enroll_request_t *er,
    ngx_enroll_store_admit_t *admit)
{
    int  subject, san;

    if (ngx_http_enroll_text(er->pool, &admit->subject,
                             enroll_text_name_whole(er->names.subject,
                                                    &subject))
        != NGX_OK
        || ngx_http_enroll_text(er->pool, &admit->san,
                                ngx_http_enroll_san_text(er->names.san, &san))
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (admit->approval && !(subject && san)) {
        er->outcome = subject ? ENROLL_BAD_SAN : ENROLL_BAD_SUBJECT;
        return NGX_DONE;
    }

    if (!subject) {
        ngx_str_null(&admit->subject);
    }

    if (!san) {
        ngx_str_null(&admit->san);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_enroll_ask_poll(ngx_http_enroll_request_t *er)
{
    ngx_enroll_store_poll_t  poll;

    if (ngx_http_enroll_lease(er) != NGX_OK) {
        return NGX_ERROR;
    }

    poll.ca = er->ca->name;
    poll.poll = er->poll;
    poll.key_digest = er->poll_key;
    poll.lease = er->lease;
    poll.lease_time = ngx_http_enroll_lease_time(er);

    return ngx_enroll_store_poll(er->emcf->redis, &poll,
                                 ngx_http_enroll_admitted, er);
}


/* no request of the lease's holder lives longer than this */

ngx_msec_t
ngx_http_enroll_lease_time(ngx_http_enroll_request_t *er)
{
    return er->elcf->timeout + 2 * ngx_enroll_redis_timeout(er->emcf->redis);
}


ngx_int_t
ngx_http_enroll_lease(ngx_http_enroll_request_t *er)
{
    u_char  random[NGX_ENROLL_LEASE_LEN / 2];

    if (er->lease.len) {
        return NGX_OK;
    }

    if (RAND_bytes(random, sizeof(random)) != 1) {
        return NGX_ERROR;
    }

    return ngx_http_enroll_hex(er->pool, &er->lease, random, sizeof(random));
}


/*
 * The same identity asking the same location with the same key for the same
 * names is one transaction; its id is the same on every node.
 */

static ngx_int_t
ngx_http_enroll_transaction(ngx_http_enroll_request_t *er)
{
    int          ok;
    u_char       digest[ENROLL_DIGEST_LEN];
    EVP_MD_CTX  *md;

    if (ngx_http_enroll_lease(er) != NGX_OK) {
        return NGX_ERROR;
    }

    if (er->repeat == 0 && !er->elcf->approval) {
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
         && ngx_http_enroll_digest_add(md, er->context.data,
                                       er->context.len)
         && ngx_http_enroll_digest_add(md, er->challenge.data,
                                       er->challenge.len)
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

    switch (reply->result) {

    case NGX_ENROLL_STORE_ADMITTED:
    case NGX_ENROLL_STORE_CHALLENGE_BOUND:
    case NGX_ENROLL_STORE_FULL:

        /* a challenge was looked at before, and is right */

        if (er->challenge.len) {
            er->proven = 1;
        }

        break;

    default:
        break;
    }

    switch (reply->result) {

    case NGX_ENROLL_STORE_ADMITTED:
        er->leased = 1;
        er->result = (er->intent == NGX_HTTP_ENROLL_POLL)
                     ? ngx_http_enroll_stored(er, reply) : ENROLL_OK;
        break;

    case NGX_ENROLL_STORE_WAIT:

        /* another request of the same transaction is in work, anywhere */

        if (ngx_http_enroll_again(er) == NGX_OK) {
            return;
        }

        er->result = ENROLL_CLIENT_GONE;
        break;

    case NGX_ENROLL_STORE_DONE:
        er->result = ngx_http_enroll_repeat(er, reply);
        break;

    case NGX_ENROLL_STORE_FOUND:
        er->result = ngx_http_enroll_found(er, reply);
        break;

    default:
        er->result = ngx_http_enroll_store_outcome(reply->result);
        break;
    }

    ngx_http_enroll_resume(er);
}


static enroll_outcome_e
ngx_http_enroll_store_outcome(ngx_enroll_store_e result)
{
    switch (result) {

    case NGX_ENROLL_STORE_REVOKED:
        return ENROLL_CERT_REVOKED;

    case NGX_ENROLL_STORE_UNRECORDED:
        return ENROLL_CERT_UNRECORDED;

    case NGX_ENROLL_STORE_PROFILE:
        return ENROLL_RENEWAL_PROFILE;

    case NGX_ENROLL_STORE_REPLAYED:
        return ENROLL_REPLAYED;

    case NGX_ENROLL_STORE_CHALLENGE_UNKNOWN:
        return ENROLL_CHALLENGE_UNKNOWN;

    case NGX_ENROLL_STORE_CHALLENGE_BOUND:
        return ENROLL_CHALLENGE_BOUND;

    case NGX_ENROLL_STORE_PENDING:
        return ENROLL_PENDING;

    case NGX_ENROLL_STORE_FULL:
        return ENROLL_TOO_MANY_PENDING;

    case NGX_ENROLL_STORE_DENIED:
        return ENROLL_DENIED;

    case NGX_ENROLL_STORE_UNKNOWN:
        return ENROLL_NOT_FOUND;

    default:
        return ENROLL_STORE_DOWN;
    }
}


/* what Redis says is a certificate of ours is believed only after a look */

static enroll_outcome_e
ngx_http_enroll_repeat(ngx_http_enroll_request_t *er,
    ngx_enroll_store_reply_t *reply)
{
    X509              *x;
    enroll_outcome_e   rc;

    if (er->intent == NGX_HTTP_ENROLL_POLL) {

        /* the script has compared the keys; so does this */

        rc = ngx_http_enroll_found(er, reply);

        if (rc != ENROLL_FOUND) {
            return rc;
        }

        er->stored.len = reply->stored.len;
        er->stored.data = ngx_pstrdup(er->pool, &reply->stored);

        return er->stored.data ? ENROLL_REPEATED : ENROLL_INTERNAL;
    }

    if (reply->requester.len != er->requester.len
        || ngx_memcmp(reply->requester.data, er->requester.data,
                      er->requester.len)
           != 0)
    {
        return ENROLL_STORE_TAMPERED;
    }

    rc = enroll_ca_recheck(&er->ca->pki, er->csr, reply->cert.data,
                           reply->cert.len, er->now, &x);

    if (rc == ENROLL_OK) {
        rc = ngx_http_enroll_keep(er, x, &reply->cert) == NGX_OK
             ? ENROLL_REPEATED : ENROLL_INTERNAL;
    }

    X509_free(x);

    return rc;
}


/*
 * A certificate that was asked for by name, or by the key it is for: whether
 * the asker may have it is the protocol's to say
 */

static enroll_outcome_e
ngx_http_enroll_found(ngx_http_enroll_request_t *er,
    ngx_enroll_store_reply_t *reply)
{
    X509                 *x;
    u_char                digest[ENROLL_DIGEST_LEN];
    ngx_str_t             hex;
    enroll_outcome_e      rc;
    const unsigned char  *p;

    p = reply->cert.data;

    x = d2i_X509(NULL, &p, reply->cert.len);

    if (x == NULL || p != reply->cert.data + reply->cert.len
        || !enroll_ca_issued(&er->ca->pki, x, NULL)
        || !enroll_key_digest(x, digest)
        || ngx_http_enroll_hex(er->pool, &hex, digest, ENROLL_DIGEST_LEN)
           != NGX_OK)
    {
        rc = ENROLL_STORE_TAMPERED;

    } else if (er->poll_key.len
               && (er->poll_key.len != hex.len
                   || ngx_memcmp(er->poll_key.data, hex.data, hex.len) != 0))
    {
        rc = ENROLL_NOT_FOUND;

    } else {
        rc = ngx_http_enroll_keep(er, x, &reply->cert) == NGX_OK
             ? ENROLL_FOUND : ENROLL_INTERNAL;
    }

    X509_free(x);

    return rc;
}


static ngx_int_t
ngx_http_enroll_keep(ngx_http_enroll_request_t *er, X509 *x, ngx_str_t *cert)
{
    ngx_http_enroll_text(er->pool, &er->subject,
                         enroll_text_name(X509_get_subject_name(x)));

    return enroll_cert_copy(&er->issued, x, cert->data, cert->len)
           ? NGX_OK : NGX_ERROR;
}


/* the request that waited: all steps will look at it again */

static enroll_outcome_e
ngx_http_enroll_stored(ngx_http_enroll_request_t *er,
    ngx_enroll_store_reply_t *reply)
{
    er->id.len = reply->id.len;
    er->id.data = ngx_pstrdup(er->pool, &reply->id);

    er->requester.len = reply->requester.len;
    er->requester.data = ngx_pstrdup(er->pool, &reply->requester);

    er->stored.len = reply->stored.len;
    er->stored.data = ngx_pstrdup(er->pool, &reply->stored);

    if (er->id.data == NULL || er->requester.data == NULL
        || er->stored.data == NULL)
    {
        return ENROLL_INTERNAL;
    }

    /* what was approved was approved for its profile */

    if (reply->profile.len != er->profile->name.len
        || ngx_memcmp(reply->profile.data, er->profile->name.data,
                      reply->profile.len)
           != 0)
    {
        return ENROLL_NOT_FOUND;
    }

    return ENROLL_OK;
}


ngx_int_t
ngx_http_enroll_reopen(ngx_http_enroll_request_t *er)
{
    if (er->intent != NGX_HTTP_ENROLL_POLL) {
        return NGX_OK;
    }

    return ngx_http_enroll_job(er, er->protocol->reopen, 0);
}


ngx_int_t
ngx_http_enroll_approved(ngx_http_enroll_request_t *er)
{
    if (er->result == ENROLL_OK && er->csr
        && !enroll_key_allowed(&er->profile->pki.keys, &er->csr->key))
    {
        er->result = ENROLL_KEY_NOT_ALLOWED;
    }

    if (er->result != ENROLL_OK) {
        er->outcome = er->result;
        return NGX_DONE;
    }

    return NGX_OK;
}


/* the step that waits for the store will be run again, after a while */

ngx_int_t
ngx_http_enroll_again(ngx_http_enroll_request_t *er)
{
    if (er->request == NULL) {
        return NGX_DECLINED;
    }

    er->wait = er->wait ? ngx_min(er->wait * 2, NGX_HTTP_ENROLL_WAIT_MAX)
                        : NGX_HTTP_ENROLL_WAIT_MIN;

    ngx_add_timer(&er->retry, er->wait);

    return NGX_OK;
}


void
ngx_http_enroll_retry(ngx_event_t *ev)
{
    ngx_http_enroll_request_t *er = ev->data;

    er->step--;

    ngx_http_enroll_resume(er);
}
