
/*
 * Copyright (C) The nginx-enroll authors
 */


/*
 * What the API answers: JSON, and the page of NDES that is scraped for a
 * challenge.
 */


#include "ngx_http_enroll_api.h"


static ngx_int_t ngx_http_enroll_api_page(ngx_http_enroll_request_t *er,
    ngx_http_enroll_api_t *api);
static ngx_int_t ngx_http_enroll_api_error(ngx_http_request_t *r,
    ngx_http_enroll_request_t *er, ngx_str_t *body);
static ngx_int_t ngx_http_enroll_api_headers(ngx_http_request_t *r,
    ngx_http_enroll_request_t *er);


ngx_int_t
ngx_http_enroll_api_minted(ngx_http_enroll_request_t *er, int64_t expires)
{
    ngx_http_enroll_api_t *api = er->message;

    enroll_json_text_t  json;

    if (api->operation == NGX_HTTP_ENROLL_API_NDES) {
        return ngx_http_enroll_api_page(er, api);
    }

    ngx_memzero(&json, sizeof(enroll_json_text_t));

    enroll_json_object(&json, NULL);
    enroll_json_string(&json, "challenge", api->secret, sizeof(api->secret));
    enroll_json_string(&json, "id", api->id.data, api->id.len);
    enroll_json_time(&json, "expires", (time_t) (expires / 1000));
    enroll_json_object_end(&json);

    return ngx_http_enroll_json(er->pool, &json, &api->body);
}


/*
 * As NDES writes it, with the digest that OpenSSL calls a fingerprint: what
 * looks for a password finds no other word so long.
 */

static ngx_int_t
ngx_http_enroll_api_page(ngx_http_enroll_request_t *er,
    ngx_http_enroll_api_t *api)
{
    u_char      *p, *last, *page, digest[EVP_MAX_MD_SIZE];
    size_t       size;
    unsigned     n, i;
    ngx_str_t    secret;
    const char  *charset;

    static const char  head[] =
        "<HTML><Head><Meta HTTP-Equiv=\"Content-Type\" "
        "Content=\"text/html; charset=%s\">"
        "<Title>Network Device Enrollment Service</Title></Head><Body>\n"
        "<P> Network Device Enrollment Service allows you to obtain "
        "certificates for routers or other network devices using the Simple "
        "Certificate Enrollment Protocol (SCEP). </P>\n"
        "<P> To complete certificate enrollment for your network device you "
        "will need the following information: </P>\n"
        "<P> The thumbprint (hash value) for the CA certificate is: <B>";

    static const char  tail[] =
        " </B> </P>\n"
        "<P> The enrollment challenge password is: <B> %V </B> </P>\n"
        "<P> This password can be used only once and will expire within %M "
        "minutes. </P>\n"
        "<P> Each enrollment requires a new challenge password. </P>\n"
        "</Body></HTML>\n";

    if (X509_digest(sk_X509_value(er->ca->pki.chain, 0), EVP_sha256(), digest,
                    &n)
        != 1)
    {
        return NGX_ERROR;
    }

    charset = (api->conf->form == NGX_HTTP_ENROLL_API_NDES_UTF8)
              ? "utf-8" : "utf-16";

    secret.data = api->secret;
    secret.len = sizeof(api->secret);

    size = sizeof(head) + sizeof(tail) + 3 * EVP_MAX_MD_SIZE + secret.len + 64;

    page = ngx_pnalloc(er->pool, size);
    if (page == NULL) {
        return NGX_ERROR;
    }

    p = ngx_sprintf(page, head, charset);

    for (i = 0; i < n; i++) {
        p = ngx_sprintf(p, "%s%02Xd", i % 4 ? "" : " ", (u_int) digest[i]);
    }

    last = ngx_sprintf(p, tail, &secret,
                       (api->mint.lifetime + 59999) / 60000);

    if (api->conf->form == NGX_HTTP_ENROLL_API_NDES_UTF8) {
        api->body.data = page;
        api->body.len = last - page;

        return NGX_OK;
    }

    /* with a byte order mark, as some readers take no mark for big-endian */

    api->body.data = ngx_pnalloc(er->pool, 2 + 2 * (last - page));

    if (api->body.data == NULL) {
        ngx_explicit_memzero(page, last - page);
        return NGX_ERROR;
    }

    p = api->body.data;

    *p++ = 0xff;
    *p++ = 0xfe;

    for (i = 0; i < (size_t) (last - page); i++) {
        *p++ = page[i];
        *p++ = 0;
    }

    api->body.len = p - api->body.data;

    ngx_explicit_memzero(page, last - page);

    return NGX_OK;
}


/* of what was deleted or decided */

ngx_int_t
ngx_http_enroll_api_done(ngx_http_enroll_request_t *er)
{
    ngx_http_enroll_api_t *api = er->message;

    const char          *status;
    enroll_json_text_t   json;

    if (api->operation == NGX_HTTP_ENROLL_API_DELETE) {
        status = "deleted";

    } else {
        status = api->approve ? "approved" : "denied";
    }

    ngx_memzero(&json, sizeof(enroll_json_text_t));

    enroll_json_object(&json, NULL);
    enroll_json_string(&json, "id", api->id.data, api->id.len);
    enroll_json_word(&json, "status", status);
    enroll_json_object_end(&json);

    return ngx_http_enroll_json(er->pool, &json, &api->body);
}


ngx_int_t
ngx_http_enroll_api_answer(ngx_http_request_t *r,
    ngx_http_enroll_request_t *er)
{
    ngx_str_t                body;
    const char              *type;
    ngx_http_enroll_api_t   *api;
    const enroll_outcome_t  *outcome;

    outcome = enroll_outcome(er->outcome);
    api = er->message;

    if (ngx_http_enroll_api_headers(r, er) != NGX_OK) {
        return NGX_ERROR;
    }

    type = "application/json";

    if (outcome->class != ENROLL_CLASS_DONE) {

        if (ngx_http_enroll_api_error(r, er, &body) != NGX_OK) {
            return NGX_ERROR;
        }

        return ngx_http_enroll_send(r, outcome->http, type, &body);
    }

    if (api->operation == NGX_HTTP_ENROLL_API_NDES) {

        type = (api->conf->form == NGX_HTTP_ENROLL_API_NDES_UTF8)
               ? "text/html; charset=utf-8" : "text/html; charset=utf-16";

        /* NDES says nothing of having made anything */

        return ngx_http_enroll_send(r, NGX_HTTP_OK, type, &api->body);
    }

    return ngx_http_enroll_send(r, outcome->http, type, &api->body);
}


static ngx_int_t
ngx_http_enroll_api_error(ngx_http_request_t *r, ngx_http_enroll_request_t *er,
    ngx_str_t *body)
{
    enroll_json_text_t       json;
    ngx_http_enroll_api_t   *api;
    const enroll_outcome_t  *outcome;

    outcome = enroll_outcome(er->outcome);
    api = er->message;

    ngx_memzero(&json, sizeof(enroll_json_text_t));

    enroll_json_object(&json, NULL);
    enroll_json_word(&json, "error", outcome->reason);
    enroll_json_word(&json, "message", outcome->text);

    if (api->bad) {
        enroll_json_word(&json, "member", api->bad);
    }

    enroll_json_object_end(&json);

    return ngx_http_enroll_json(r->pool, &json, body);
}


static ngx_int_t
ngx_http_enroll_api_headers(ngx_http_request_t *r,
    ngx_http_enroll_request_t *er)
{
    ngx_str_t                value;
    const char              *name;
    ngx_http_enroll_api_t   *api;
    const enroll_outcome_t  *outcome;

    ngx_str_set(&value, "no-store");

    if (ngx_http_enroll_header(r, "Cache-Control", &value) != NGX_OK) {
        return NGX_ERROR;
    }

    api = er->message;
    outcome = enroll_outcome(er->outcome);

    switch (outcome->http) {

    case NGX_HTTP_UNAUTHORIZED:
        name = "WWW-Authenticate";
        ngx_str_set(&value, "Basic realm=\"enroll\", charset=\"UTF-8\"");
        break;

    case NGX_HTTP_NOT_ALLOWED:
        name = "Allow";

        switch (api->operation) {

        case NGX_HTTP_ENROLL_API_MINT:
        case NGX_HTTP_ENROLL_API_CHALLENGES:
            ngx_str_set(&value, "GET, HEAD, POST");
            break;

        case NGX_HTTP_ENROLL_API_DELETE:
            ngx_str_set(&value, "DELETE");
            break;

        case NGX_HTTP_ENROLL_API_REQUESTS:
        case NGX_HTTP_ENROLL_API_AUDIT:
            ngx_str_set(&value, "GET, HEAD");
            break;

        case NGX_HTTP_ENROLL_API_DECIDE:
            ngx_str_set(&value, "POST");
            break;

        default: /* NGX_HTTP_ENROLL_API_NDES */
            ngx_str_set(&value, "GET");
            break;
        }

        break;

    default:
        return ngx_http_enroll_retry_after(r, outcome);
    }

    return ngx_http_enroll_header(r, name, &value);
}
