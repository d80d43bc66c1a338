
/*
 * Copyright (C) The nginx-enroll authors
 */


/*
 * What the API is told: JSON of the body, ids of the path, arguments.
 */


#include "ngx_http_enroll_api.h"
#include "enroll_json.h"


static enroll_outcome_e ngx_http_enroll_api_decode_mint(
    ngx_http_enroll_request_t *er, ngx_str_t *body);
static enroll_outcome_e ngx_http_enroll_api_decode_decision(
    ngx_http_enroll_api_t *api, ngx_str_t *body);
static enroll_outcome_e ngx_http_enroll_api_decode_audit(
    ngx_http_enroll_request_t *er, ngx_http_enroll_api_t *api);
static ngx_uint_t ngx_http_enroll_api_entry_id(ngx_str_t *id);


enroll_outcome_e
ngx_http_enroll_api_decode(ngx_http_enroll_request_t *er, ngx_str_t *body)
{
    ngx_http_enroll_api_t *api = er->message;

    /* the HTTP request and its URI may be gone when the store answers */

    if (api->id.len) {
        api->id.data = ngx_pstrdup(er->pool, &api->id);

        if (api->id.data == NULL) {
            return ENROLL_INTERNAL;
        }
    }

    api->mint.uses = 1;
    api->mint.lifetime = api->conf->lifetime;

    switch (api->operation) {

    case NGX_HTTP_ENROLL_API_MINT:
        return body->len ? ngx_http_enroll_api_decode_mint(er, body)
                         : ENROLL_EMPTY_BODY;

    case NGX_HTTP_ENROLL_API_DECIDE:
        return body->len ? ngx_http_enroll_api_decode_decision(api, body)
                         : ENROLL_EMPTY_BODY;

    case NGX_HTTP_ENROLL_API_AUDIT:
        return ngx_http_enroll_api_decode_audit(er, api);

    default:
        return ENROLL_OK;
    }
}


static enroll_outcome_e
ngx_http_enroll_api_decode_mint(ngx_http_enroll_request_t *er, ngx_str_t *body)
{
    ngx_http_enroll_api_t *api = er->message;

    ngx_str_t                *s;
    ngx_addr_t                addr;
    ngx_uint_t                i;
    enroll_outcome_e          rc;
    enroll_json_member_t     *m;
    ngx_enroll_store_mint_t  *mint;

    enroll_json_member_t  members[] = {
        { "subject", ENROLL_JSON_STRING, ENROLL_TEXT_MAX, NULL, 0, 0, 0 },
        { "san", ENROLL_JSON_STRING, ENROLL_TEXT_MAX, NULL, 0, 0, 0 },
        { "key_digest", ENROLL_JSON_STRING, 64, NULL, 0, 0, 0 },
        { "profile", ENROLL_JSON_STRING, 256, NULL, 0, 0, 0 },
        { "address", ENROLL_JSON_STRING, 64, NULL, 0, 0, 0 },
        { "label", ENROLL_JSON_STRING, 256, NULL, 0, 0, 0 },
        { "uses", ENROLL_JSON_NUMBER, NGX_ENROLL_STORE_USES, NULL, 0, 0, 0 },
        { "lifetime", ENROLL_JSON_NUMBER, NGX_HTTP_ENROLL_API_LIFETIME,
          NULL, 0, 0, 0 },
        { NULL, 0, 0, NULL, 0, 0, 0 }
    };

    mint = &api->mint;

    ngx_str_t  *values[] = {
        &mint->subject, &mint->san, &mint->key_digest, &mint->profile,
        &mint->address, &mint->label
    };

    rc = enroll_json_parse(body->data, body->len, members, &api->bad);

    if (rc != ENROLL_OK) {
        return rc;
    }

    for (i = 0; i < sizeof(values) / sizeof(values[0]); i++) {

        m = &members[i];
        s = values[i];

        s->data = m->data;
        s->len = m->len;

        /* an empty one would look as if it bound something */

        if (m->set && m->len == 0 && s != &mint->label) {
            api->bad = m->name;
            return ENROLL_BAD_MEMBER;
        }
    }

    s = &mint->key_digest;

    if (s->len) {
        ngx_strlow(s->data, s->data, s->len);

        if (!ngx_http_enroll_api_id(s, NGX_ENROLL_DIGEST_HEX,
                                    NGX_ENROLL_DIGEST_HEX))
        {
            api->bad = "key_digest";
        }
    }

    s = &mint->profile;

    if (s->len && ngx_http_enroll_profile_by_name(er->emcf, s) == NULL) {
        api->bad = "profile";
    }

    s = &mint->address;

    if (s->len) {

        /* as a connection's is written */

        if (ngx_parse_addr(er->pool, &addr, s->data, s->len) != NGX_OK) {
            api->bad = "address";

        } else if (ngx_http_enroll_address(er->pool, addr.sockaddr,
                                           addr.socklen, 0, s)
                   != NGX_OK)
        {
            return ENROLL_INTERNAL;
        }
    }

    m = &members[i++];

    if (m->set) {
        mint->uses = m->number;

        if (m->number == 0) {
            api->bad = m->name;
        }
    }

    m = &members[i];

    if (m->set) {
        mint->lifetime = (ngx_msec_t) m->number * 1000;

        if (m->number == 0) {
            api->bad = m->name;
        }
    }

    return api->bad ? ENROLL_BAD_MEMBER : ENROLL_OK;
}


static enroll_outcome_e
ngx_http_enroll_api_decode_decision(ngx_http_enroll_api_t *api,
    ngx_str_t *body)
{
    enroll_outcome_e  rc;

    enroll_json_member_t  members[] = {
        { "decision", ENROLL_JSON_STRING, 16, NULL, 0, 0, 0 },
        { NULL, 0, 0, NULL, 0, 0, 0 }
    };

    rc = enroll_json_parse(body->data, body->len, members, &api->bad);

    if (rc != ENROLL_OK) {
        return rc;
    }

    if (members[0].len == 7 && ngx_memcmp(members[0].data, "approve", 7) == 0)
    {
        api->approve = 1;
        return ENROLL_OK;
    }

    if (members[0].len == 4 && ngx_memcmp(members[0].data, "deny", 4) == 0) {
        return ENROLL_OK;
    }

    api->bad = members[0].name;

    return ENROLL_BAD_MEMBER;
}


/* "since=ID", "limit=NUMBER" */

static enroll_outcome_e
ngx_http_enroll_api_decode_audit(ngx_http_enroll_request_t *er,
    ngx_http_enroll_api_t *api)
{
    ngx_int_t            n;
    ngx_str_t            value;
    ngx_http_request_t  *r;

    r = er->request;

    api->limit = NGX_ENROLL_STORE_LIST;

    if (ngx_http_arg(r, (u_char *) "limit", sizeof("limit") - 1, &value)
        == NGX_OK)
    {
        n = ngx_atoi(value.data, value.len);

        if (n < 1 || n > NGX_HTTP_ENROLL_API_LIMIT) {
            api->bad = "limit";
            return ENROLL_BAD_ARGUMENT;
        }

        api->limit = n;
    }

    if (ngx_http_arg(r, (u_char *) "since", sizeof("since") - 1, &value)
        == NGX_OK
        && !(value.len == 1 && value.data[0] == '-'))
    {
        if (!ngx_http_enroll_api_entry_id(&value)) {
            api->bad = "since";
            return ENROLL_BAD_ARGUMENT;
        }

        api->since.len = value.len;
        api->since.data = ngx_pstrdup(er->pool, &value);

        if (api->since.data == NULL) {
            return ENROLL_INTERNAL;
        }
    }

    return ENROLL_OK;
}


/* "ms" or "ms-n", of no more digits than 64 bits have room for */

static ngx_uint_t
ngx_http_enroll_api_entry_id(ngx_str_t *id)
{
    size_t      i, digits;
    ngx_uint_t  dash;

    digits = 0;
    dash = 0;

    for (i = 0; i < id->len; i++) {

        if (id->data[i] == '-' && digits && !dash) {
            dash = 1;
            digits = 0;
            continue;
        }

        if (id->data[i] < '0' || id->data[i] > '9' || ++digits > 18) {
            return 0;
        }
    }

    return digits > 0;
}


ngx_uint_t
ngx_http_enroll_api_id(ngx_str_t *id, size_t min, size_t max)
{
    u_char  ch;
    size_t  i;

    if (id->len < min || id->len > max) {
        return 0;
    }

    for (i = 0; i < id->len; i++) {
        ch = id->data[i];

        if (!((ch >= '0' && ch <= '9') || (ch >= 'a' && ch <= 'f'))) {
            return 0;
        }
    }

    return 1;
}
