
/*
 * Copyright (C) The nginx-enroll authors
 */


/*
 * What the API lists: challenges, requests that wait, the audit.
 */


#include "ngx_http_enroll_api.h"


typedef enum {
    NGX_HTTP_ENROLL_API_TEXT = 0,
    NGX_HTTP_ENROLL_API_NUMBER,
    NGX_HTTP_ENROLL_API_TIME,      /* ms since the epoch */
    NGX_HTTP_ENROLL_API_ENTRY      /* "ms-n": which, and its time */
} ngx_http_enroll_api_kind_e;


static ngx_int_t ngx_http_enroll_api_field(enroll_json_text_t *t,
    const char *name, ngx_str_t *value, ngx_http_enroll_api_kind_e kind);


/* in the order of ngx_enroll_store_challenge_e and ..._pending_e */

static const char  *ngx_http_enroll_api_challenge[] = {
    "id", "label", "by", "subject", "san", "key_digest", "profile", "address",
    "uses", "created", "expires"
};

static const char  *ngx_http_enroll_api_request[] = {
    "id", "subject", "san", "key", "key_digest", "requester", "protocol",
    "operation", "location", "profile", "address", "created", "expires"
};


/* NGX_DECLINED: the store has what cannot be */

ngx_int_t
ngx_http_enroll_api_list(ngx_http_enroll_request_t *er,
    ngx_enroll_store_reply_t *reply)
{
    ngx_http_enroll_api_t *api = er->message;

    ngx_int_t                    rc;
    ngx_str_t                    list, last;
    ngx_str_t                    fields[NGX_ENROLL_AUDIT_FIELDS];
    ngx_uint_t                   i, n;
    const char                  *name, **names;
    enroll_json_text_t           t;
    ngx_http_enroll_api_kind_e   kinds[NGX_ENROLL_AUDIT_FIELDS];

    ngx_memzero(&t, sizeof(enroll_json_text_t));
    ngx_memzero(kinds, sizeof(kinds));

    switch (api->operation) {

    case NGX_HTTP_ENROLL_API_CHALLENGES:
        name = "challenges";
        names = ngx_http_enroll_api_challenge;
        n = NGX_ENROLL_CHALLENGE_FIELDS;
        kinds[NGX_ENROLL_CHALLENGE_USES] = NGX_HTTP_ENROLL_API_NUMBER;
        kinds[NGX_ENROLL_CHALLENGE_CREATED] = NGX_HTTP_ENROLL_API_TIME;
        kinds[NGX_ENROLL_CHALLENGE_EXPIRES] = NGX_HTTP_ENROLL_API_TIME;
        break;

    case NGX_HTTP_ENROLL_API_REQUESTS:
        name = "requests";
        names = ngx_http_enroll_api_request;
        n = NGX_ENROLL_PENDING_FIELDS;
        kinds[NGX_ENROLL_PENDING_CREATED] = NGX_HTTP_ENROLL_API_TIME;
        kinds[NGX_ENROLL_PENDING_EXPIRES] = NGX_HTTP_ENROLL_API_TIME;
        break;

    default: /* NGX_HTTP_ENROLL_API_AUDIT */
        name = "audit";
        names = ngx_enroll_audit_fields;
        n = NGX_ENROLL_AUDIT_FIELDS;
        kinds[NGX_ENROLL_AUDIT_ID] = NGX_HTTP_ENROLL_API_ENTRY;
        break;
    }

    enroll_json_object(&t, NULL);
    enroll_json_number(&t, "total", reply->total);
    enroll_json_array(&t, name);

    list = reply->list;
    last = api->since;

    while ((rc = ngx_enroll_store_next(&list, fields, n)) == NGX_OK) {

        enroll_json_object(&t, NULL);

        for (i = 0; i < n; i++) {
            if (ngx_http_enroll_api_field(&t, names[i], &fields[i], kinds[i])
                != NGX_OK)
            {
                enroll_json_free(&t);
                return NGX_DECLINED;
            }
        }

        enroll_json_object_end(&t);

        last = fields[0];
    }

    enroll_json_array_end(&t);

    if (rc == NGX_ERROR) {
        enroll_json_free(&t);
        return NGX_DECLINED;
    }

    if (api->operation == NGX_HTTP_ENROLL_API_AUDIT) {

        if (last.len == 0) {
            ngx_str_set(&last, "-");
        }

        enroll_json_string(&t, "next", last.data, last.len);
    }

    enroll_json_object_end(&t);

    return ngx_http_enroll_json(er->pool, &t, &api->body);
}


/* what has no value is left out */

static ngx_int_t
ngx_http_enroll_api_field(enroll_json_text_t *t, const char *name,
    ngx_str_t *value, ngx_http_enroll_api_kind_e kind)
{
    u_char     *dash;
    int64_t     number;
    ngx_str_t   ms;

    ms = *value;

    if (kind == NGX_HTTP_ENROLL_API_ENTRY) {

        dash = ngx_strlchr(ms.data, ms.data + ms.len, '-');

        if (dash == NULL) {
            return NGX_ERROR;
        }

        ms.len = dash - ms.data;
    }

    if (kind == NGX_HTTP_ENROLL_API_TEXT
        || kind == NGX_HTTP_ENROLL_API_ENTRY)
    {
        if (value->len) {
            enroll_json_string(t, name, value->data, value->len);
        }

        if (kind == NGX_HTTP_ENROLL_API_TEXT) {
            return NGX_OK;
        }

        name = "time";
    }

    number = ngx_atoof(ms.data, ms.len);

    if (number == NGX_ERROR) {
        return NGX_ERROR;
    }

    if (kind == NGX_HTTP_ENROLL_API_NUMBER) {
        enroll_json_number(t, name, number);

    } else {
        enroll_json_time(t, name, (time_t) (number / 1000));
    }

    return NGX_OK;
}
