
/*
 * Copyright (C) The nginx-enroll authors
 */


/*
 * What the audit says of a request.  What is asked for is in it as text; the
 * request itself, which may have a challenge in it, never is.
 */


#include "ngx_http_enroll_core.h"


static ngx_int_t ngx_http_enroll_audit_asked(ngx_http_enroll_request_t *er,
    ngx_enroll_store_audit_t *audit);
static void ngx_http_enroll_audit_noted(void *data,
    ngx_enroll_store_reply_t *reply);


/* who asks, from where, and for what; the names are the caller's */

void
ngx_http_enroll_audit(ngx_http_enroll_request_t *er,
    ngx_enroll_store_audit_t *audit)
{
    static ngx_str_t  auth[] = {
        ngx_string("none"), ngx_string("basic"), ngx_string("certificate"),
        ngx_string("challenge")
    };

    ngx_memzero(audit, sizeof(ngx_enroll_store_audit_t));

    audit->entries = er->emcf->audit;

    audit->value[NGX_ENROLL_AUDIT_PROTOCOL] = er->protocol->name;
    audit->value[NGX_ENROLL_AUDIT_OPERATION] = er->operation;
    audit->value[NGX_ENROLL_AUDIT_LOCATION] = er->endpoint->location;
    audit->value[NGX_ENROLL_AUDIT_ADDRESS] = er->address;
    audit->value[NGX_ENROLL_AUDIT_TRANSACTION] = er->id;

    if (er->admin) {

        /* nothing is asked for, somebody has a hand in it */

        audit->value[NGX_ENROLL_AUDIT_AUTH] = auth[er->auth];
        audit->value[NGX_ENROLL_AUDIT_BY] = er->identity;
        return;
    }

    audit->value[NGX_ENROLL_AUDIT_IDENTITY] = er->identity;
    audit->value[NGX_ENROLL_AUDIT_REQUESTER] = er->requester;

    if (er->profile) {
        audit->value[NGX_ENROLL_AUDIT_PROFILE] = er->profile->name;
    }

    if (er->intent == NGX_HTTP_ENROLL_POLL) {

        /* the request that waited has an entry that says how it was asked */

        ngx_str_set(&audit->value[NGX_ENROLL_AUDIT_AUTH], "key");

    } else if (er->auth == NGX_HTTP_ENROLL_CHALLENGE
               && er->challenge.len == 0 && !er->proven)
    {
        audit->value[NGX_ENROLL_AUDIT_AUTH] = auth[NGX_HTTP_ENROLL_NOBODY];

    } else {
        audit->value[NGX_ENROLL_AUDIT_AUTH] = auth[er->auth];
    }
}


/*
 * Of whoever has proved who it is, so that strangers write nothing.  Nobody
 * waits for the answer: it is in the log as well.
 */

void
ngx_http_enroll_audit_refused(ngx_http_enroll_request_t *er)
{
    ngx_str_t                 *reason;
    ngx_enroll_store_audit_t   audit;
    const enroll_outcome_t    *outcome;

    outcome = enroll_outcome(er->outcome);

    if (outcome->class != ENROLL_CLASS_REFUSED
        || er->ca == NULL || er->emcf->audit == 0
        || (!er->proven && er->signer == NULL))
    {
        return;
    }

    ngx_http_enroll_audit(er, &audit);

    if (!er->proven) {

        /* who has signed is known, what was asked for may not be */

        ngx_str_set(&audit.value[NGX_ENROLL_AUDIT_AUTH], "certificate");
        ngx_http_enroll_text(er->pool,
                        &audit.value[NGX_ENROLL_AUDIT_IDENTITY],
                        enroll_text_name(X509_get_subject_name(er->signer)));
    }

    reason = &audit.value[NGX_ENROLL_AUDIT_REASON];
    reason->data = (u_char *) outcome->reason;
    reason->len = ngx_strlen(outcome->reason);

    audit.value[NGX_ENROLL_AUDIT_SERIAL] = er->number;

    if (er->csr && ngx_http_enroll_audit_asked(er, &audit) != NGX_OK) {
        return;
    }

    (void) ngx_enroll_store_refused(er->emcf->redis, &er->ca->name, &audit,
                                    ngx_http_enroll_audit_noted, NULL);
}


static ngx_int_t
ngx_http_enroll_audit_asked(ngx_http_enroll_request_t *er,
    ngx_enroll_store_audit_t *audit)
{
    ngx_str_t  *key;

    ngx_http_enroll_text(er->pool, &audit->value[NGX_ENROLL_AUDIT_SUBJECT],
                         enroll_text_name(er->csr->subject));
    ngx_http_enroll_text(er->pool, &audit->value[NGX_ENROLL_AUDIT_SAN],
                         enroll_text_san(er->csr->san));

    key = &audit->value[NGX_ENROLL_AUDIT_KEY];

    key->data = ngx_pnalloc(er->pool, ENROLL_KEY_TEXT);
    if (key->data == NULL) {
        return NGX_ERROR;
    }

    key->len = enroll_key_text(&er->csr->key, (char *) key->data);

    if (er->renewal && er->cert
        && ngx_http_enroll_serial(er->pool,
                                  &audit->value[NGX_ENROLL_AUDIT_REPLACES],
                                  er->cert)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_http_enroll_hex(er->pool,
                               &audit->value[NGX_ENROLL_AUDIT_KEY_DIGEST],
                               er->csr->key_digest, ENROLL_DIGEST_LEN);
}


static void
ngx_http_enroll_audit_noted(void *data, ngx_enroll_store_reply_t *reply)
{
    /* void */
}
