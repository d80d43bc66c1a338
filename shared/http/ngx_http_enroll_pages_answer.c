
/*
 * Copyright (C) The nginx-enroll authors
 */


/*
 * What the pages say that every protocol has.
 */


#include "ngx_http_enroll_core.h"
#include "ngx_http_enroll_pages.h"


#define NGX_HTTP_ENROLL_PAGE_TEXT  4096


static ngx_int_t ngx_http_enroll_page_refuse(ngx_http_request_t *r,
    ngx_http_enroll_request_t *er, ngx_http_enroll_page_t *page);
static void ngx_http_enroll_page_write(ngx_http_request_t *r,
    ngx_http_enroll_request_t *er, ngx_http_enroll_page_t *page);
static void ngx_http_enroll_page_info(ngx_http_request_t *r,
    ngx_http_enroll_request_t *er, ngx_http_enroll_page_t *page);
static void ngx_http_enroll_page_health(ngx_http_enroll_request_t *er,
    ngx_http_enroll_page_t *page);
static void ngx_http_enroll_page_configuration(ngx_http_request_t *r,
    ngx_http_enroll_request_t *er, ngx_http_enroll_page_t *page);
static void ngx_http_enroll_page_operations(ngx_http_request_t *r,
    ngx_http_enroll_request_t *er, ngx_http_enroll_page_t *page);
static void ngx_http_enroll_page_keys(ngx_http_enroll_request_t *er,
    ngx_http_enroll_page_t *page);
static void ngx_http_enroll_page_certificate(ngx_http_enroll_page_t *page,
    const char *name, X509 *x);
static void ngx_http_enroll_page_limits(ngx_http_enroll_request_t *er,
    ngx_http_enroll_page_t *page);
static void ngx_http_enroll_page_check(ngx_http_enroll_page_t *page,
    const char *name, ngx_uint_t ok);


ngx_int_t
ngx_http_enroll_page_answer(ngx_http_request_t *r,
    ngx_http_enroll_request_t *er)
{
    ngx_str_t                value, body;
    ngx_http_enroll_page_t  *page;
    const enroll_outcome_t  *outcome;

    page = er->message;
    outcome = enroll_outcome(er->outcome);

    ngx_str_set(&value, "no-store");

    if (ngx_http_enroll_header(r, "Cache-Control", &value) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_str_set(&value, "nosniff");

    if (ngx_http_enroll_header(r, "X-Content-Type-Options", &value) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (er->outcome != ENROLL_SERVED
        && (page->kind != NGX_HTTP_ENROLL_PAGE_HEALTH
            || outcome->http != NGX_HTTP_SERVICE_UNAVAILABLE))
    {
        return ngx_http_enroll_page_refuse(r, er, page);
    }

    if (er->outcome != ENROLL_SERVED
        && ngx_http_enroll_refusal_headers(r, outcome) != NGX_OK)
    {
        return NGX_ERROR;
    }

    ngx_http_enroll_page_write(r, er, page);

    if (ngx_http_enroll_json(r->pool, &page->json, &body) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_http_enroll_send(r, outcome->http, "application/json", &body);
}


static ngx_int_t
ngx_http_enroll_page_refuse(ngx_http_request_t *r,
    ngx_http_enroll_request_t *er, ngx_http_enroll_page_t *page)
{
    ngx_str_t    value;
    const char  *name;

    name = NULL;

    switch (er->outcome) {

    case ENROLL_METHOD:
        name = "Allow";
        ngx_str_set(&value, "GET, HEAD");
        break;

    case ENROLL_UNAUTHORIZED:
    case ENROLL_BAD_PASSWORD:
        name = "WWW-Authenticate";
        value.data = (u_char *) page->pages->realm;
        value.len = ngx_strlen(value.data);
        break;

    default:
        break;
    }

    if (name && ngx_http_enroll_header(r, name, &value) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_http_enroll_send_refusal(r, er);
}


static void
ngx_http_enroll_page_write(ngx_http_request_t *r,
    ngx_http_enroll_request_t *er, ngx_http_enroll_page_t *page)
{
    enroll_json_text_t  *json;

    json = &page->json;

    enroll_json_object(json, NULL);

    enroll_json_string(json, "protocol", er->protocol->name.data,
                       er->protocol->name.len);

    switch (page->kind) {

    case NGX_HTTP_ENROLL_PAGE_DISCOVERY:
        ngx_http_enroll_page_operations(r, er, page);

        enroll_json_object(json, "capabilities");
        page->pages->describe(r, er, page, NGX_HTTP_ENROLL_PART_CAPABILITIES);
        enroll_json_object_end(json);
        break;

    case NGX_HTTP_ENROLL_PAGE_INFO:
        ngx_http_enroll_page_info(r, er, page);
        break;

    case NGX_HTTP_ENROLL_PAGE_HEALTH:
        ngx_http_enroll_page_health(er, page);
        break;

    default: /* NGX_HTTP_ENROLL_PAGE_CONFIGURATION */
        ngx_http_enroll_page_configuration(r, er, page);
        break;
    }

    enroll_json_object_end(json);
}


static void
ngx_http_enroll_page_info(ngx_http_request_t *r,
    ngx_http_enroll_request_t *er, ngx_http_enroll_page_t *page)
{
    X509                      *ca, *ra;
    enroll_json_text_t        *json;
    ngx_http_enroll_totals_t   totals;
    ngx_http_core_loc_conf_t  *clcf;

    json = &page->json;

    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

    if (clcf->server_tokens != NGX_HTTP_SERVER_TOKENS_OFF) {
        enroll_json_word(json, "version", NGX_HTTP_ENROLL_VERSION);
    }

    enroll_json_word(json, "status",
                     ngx_http_enroll_page_trouble(er, page) == ENROLL_OK
                     ? "ok" : "failing");

    ngx_http_enroll_page_operations(r, er, page);

    ca = sk_X509_value(er->ca->pki.chain, 0);
    ngx_http_enroll_page_certificate(page, "ca", ca);

    ra = page->pages->ra ? sk_X509_value(er->ca->ra.certs, 0) : ca;

    if (ra != ca) {
        ngx_http_enroll_page_certificate(page, "ra", ra);
    }

    enroll_json_array(json, "keys");
    ngx_http_enroll_page_keys(er, page);
    enroll_json_array_end(json);

    enroll_json_object(json, "limits");
    ngx_http_enroll_page_limits(er, page);
    enroll_json_object_end(json);

    /* of this node, for all its locations */

    ngx_http_enroll_totals(er->ca, &totals);

    enroll_json_object(json, "statistics");
    enroll_json_number(json, "issued", totals.issued);
    enroll_json_number(json, "renewed", totals.renewed);
    enroll_json_object_end(json);

    page->pages->describe(r, er, page, NGX_HTTP_ENROLL_PART_INFO);
}


static void
ngx_http_enroll_page_health(ngx_http_enroll_request_t *er,
    ngx_http_enroll_page_t *page)
{
    X509                *ca;
    enroll_json_text_t  *json;

    json = &page->json;

    enroll_json_word(json, "status",
                     page->live ? "alive"
                     : er->outcome == ENROLL_SERVED ? "ok" : "failing");

    if (page->live) {
        return;
    }

    ca = sk_X509_value(er->ca->pki.chain, 0);

    enroll_json_object(json, "checks");

    ngx_http_enroll_page_check(page, "key", !er->ca->unusable);

    ngx_http_enroll_page_check(page, "ca",
                               enroll_cert_dates(ca, ngx_time())
                               == ENROLL_OK);

    if (page->pages->ra) {
        ngx_http_enroll_page_check(page, "ra", ngx_http_enroll_page_ra(er));
    }

    ngx_http_enroll_page_check(page, "redis", page->redis);

    enroll_json_object_end(json);
}


static void
ngx_http_enroll_page_check(ngx_http_enroll_page_t *page, const char *name,
    ngx_uint_t ok)
{
    enroll_json_word(&page->json, name, ok ? "ok" : "failing");
}


static void
ngx_http_enroll_page_configuration(ngx_http_request_t *r,
    ngx_http_enroll_request_t *er, ngx_http_enroll_page_t *page)
{
    enroll_profile_t    *profile;
    enroll_json_text_t  *json;

    json = &page->json;
    profile = &er->profile->pki;

    ngx_http_enroll_page_operations(r, er, page);

    enroll_json_object(json, "settings");

    enroll_json_string(json, "profile", er->profile->name.data,
                       er->profile->name.len);

    enroll_json_number(json, "default_validity_days",
                       profile->validity / 86400);
    enroll_json_number(json, "default_validity_seconds", profile->validity);

    /* with 0, at any time */

    enroll_json_number(json, "renewal_threshold_days",
                       profile->renew_before / 86400);
    enroll_json_number(json, "backdate_seconds", profile->backdate);

    enroll_json_array(json, "keys");
    ngx_http_enroll_page_keys(er, page);
    enroll_json_array_end(json);

    enroll_json_word(json, "digest",
                     profile->digest ? EVP_MD_get0_name(profile->digest)
                     : er->ca->pki.digest
                       ? EVP_MD_get0_name(er->ca->pki.digest) : "of the key");

    enroll_json_word(json, "rsa_check",
                     er->profile->rsa_full ? "full" : "quick");
    enroll_json_word(json, "subject",
                     er->profile->subject ? "template" : "csr");
    enroll_json_word(json, "reenroll_identity",
                     profile->renew_copy ? "copy" : "match");
    enroll_json_word(json, "reenroll_profile",
                     er->profile->renew_any ? "any" : "match");
    enroll_json_word(json, "names",
                     er->elcf->names == NGX_HTTP_ENROLL_NAMES_ANY
                     ? "any" : "identity");
    enroll_json_word(json, "approval",
                     er->elcf->approval ? "manual" : "off");

    ngx_http_enroll_page_limits(er, page);

    page->pages->describe(r, er, page, NGX_HTTP_ENROLL_PART_SETTINGS);

    enroll_json_object_end(json);

    enroll_json_object(json, "examples");
    page->pages->describe(r, er, page, NGX_HTTP_ENROLL_PART_EXAMPLES);
    enroll_json_object_end(json);
}


static void
ngx_http_enroll_page_operations(ngx_http_request_t *r,
    ngx_http_enroll_request_t *er, ngx_http_enroll_page_t *page)
{
    enroll_json_text_t  *json;

    json = &page->json;

    enroll_json_string(json, "base_url", page->url.data, page->url.len);

    enroll_json_array(json, "operations");
    page->pages->describe(r, er, page, NGX_HTTP_ENROLL_PART_OPERATIONS);
    enroll_json_array_end(json);
}


static void
ngx_http_enroll_page_limits(ngx_http_enroll_request_t *er,
    ngx_http_enroll_page_t *page)
{
    enroll_json_text_t          *json;
    ngx_http_enroll_loc_conf_t  *elcf;

    json = &page->json;
    elcf = er->elcf;

    enroll_json_number(json, "body_size", elcf->max_body_size);
    enroll_json_number(json, "timeout_seconds", (elcf->timeout + 999) / 1000);

    if (elcf->approval) {
        enroll_json_number(json, "pending", elcf->pending_max);
        enroll_json_number(json, "pending_per_address",
                           elcf->pending_per_address);
        enroll_json_number(json, "pending_seconds", elcf->pending / 1000);
    }
}


static void
ngx_http_enroll_page_keys(ngx_http_enroll_request_t *er,
    ngx_http_enroll_page_t *page)
{
    char                 text[ENROLL_KEY_TEXT];
    size_t               i;
    enroll_key_rules_t  *rules;

    rules = &er->profile->pki.keys;

    for (i = 0; i < rules->n; i++) {
        (void) enroll_key_rule_text(rules, i, text);
        enroll_json_word(&page->json, NULL, text);
    }
}


static void
ngx_http_enroll_page_certificate(ngx_http_enroll_page_t *page,
    const char *name, X509 *x)
{
    char                *subject;
    u_char               digest[EVP_MAX_MD_SIZE], hex[2 * EVP_MAX_MD_SIZE];
    unsigned             n;
    enroll_json_text_t  *json;

    json = &page->json;

    enroll_json_object(json, name);

    subject = enroll_text_name(X509_get_subject_name(x));
    enroll_json_word(json, "subject", subject ? subject : "");
    OPENSSL_free(subject);

    enroll_json_time(json, "not_before",
                     ngx_http_enroll_time(X509_get0_notBefore(x)));
    enroll_json_time(json, "not_after",
                     ngx_http_enroll_time(X509_get0_notAfter(x)));

    if (X509_digest(x, EVP_sha256(), digest, &n) == 1) {
        enroll_json_string(json, "sha256", hex,
                           ngx_hex_dump(hex, digest, n) - hex);
    }

    enroll_json_object_end(json);
}


void
ngx_http_enroll_page_client(ngx_http_enroll_page_t *page, const char *name,
    const char *no)
{
    enroll_json_text_t  *json;

    json = &page->json;

    enroll_json_object(json, name);
    enroll_json_flag(json, "compatible", no == NULL);

    if (no) {
        enroll_json_word(json, "reason", no);
    }

    enroll_json_object_end(json);
}


void
ngx_http_enroll_page_text(ngx_http_enroll_page_t *page, const char *name,
    const char *fmt, ...)
{
    u_char   *p, text[NGX_HTTP_ENROLL_PAGE_TEXT];
    va_list   args;

    va_start(args, fmt);
    p = ngx_vslprintf(text, text + sizeof(text), fmt, args);
    va_end(args);

    if (p == text + sizeof(text)) {

        /* half a command is worse than none */

        page->json.failed = 1;
        return;
    }

    enroll_json_string(&page->json, name, text, p - text);
}


/* elliptic where that is taken, on a curve that TLS 1.3 knows */

void
ngx_http_enroll_page_key(ngx_http_enroll_request_t *er,
    ngx_http_enroll_page_key_t *key)
{
    char                 text[ENROLL_KEY_TEXT];
    size_t               i, best, rank, least;
    enroll_key_rules_t  *rules;

    rules = &er->profile->pki.keys;
    best = 0;
    least = 5;

    for (i = 0; i < rules->n; i++) {

        switch (rules->rule[i].kind) {

        case ENROLL_KEY_RSA:
            rank = 2;
            break;

        case ENROLL_KEY_EC:
            rank = (rules->rule[i].nid == NID_X9_62_prime256v1) ? 0
                   : (rules->rule[i].nid == NID_secp384r1
                      || rules->rule[i].nid == NID_secp521r1) ? 1 : 4;
            break;

        default:
            rank = 3;
            break;
        }

        if (rank < least) {
            least = rank;
            best = i;
        }
    }

    key->tls = (least < 4);

    (void) enroll_key_rule_text(rules, best, text);

    key->strongswan[0] = '\0';

    switch (rules->rule[best].kind) {

    case ENROLL_KEY_RSA:
        i = ngx_max(rules->rule[best].min,
                    ngx_min(2048, rules->rule[best].max));

        *ngx_sprintf(key->openssl, "rsa:%uz", i) = '\0';
        *ngx_sprintf(key->strongswan, "--type rsa --size %uz", i) = '\0';
        break;

    case ENROLL_KEY_EC:
        *ngx_sprintf(key->openssl, "ec -pkeyopt ec_paramgen_curve:%s",
                     text + sizeof("ec:") - 1) = '\0';

        switch (rules->rule[best].nid) {

        case NID_X9_62_prime256v1:
            i = 256;
            break;

        case NID_secp384r1:
            i = 384;
            break;

        case NID_secp521r1:
            i = 521;
            break;

        default:
            return;
        }

        *ngx_sprintf(key->strongswan, "--type ecdsa --size %uz", i) = '\0';
        break;

    default:
        *ngx_sprintf(key->openssl, "%s", text) = '\0';

        if (rules->rule[best].kind == ENROLL_KEY_ED25519
            || rules->rule[best].kind == ENROLL_KEY_ED448)
        {
            *ngx_sprintf(key->strongswan, "--type %s", text) = '\0';
        }

        break;
    }
}


ngx_uint_t
ngx_http_enroll_page_rsa(ngx_http_enroll_request_t *er, ngx_uint_t bits)
{
    size_t               i;
    ngx_uint_t           n, least;
    enroll_key_rules_t  *rules;

    rules = &er->profile->pki.keys;
    least = 0;

    for (i = 0; i < rules->n; i++) {

        if (rules->rule[i].kind != ENROLL_KEY_RSA
            || (ngx_uint_t) rules->rule[i].max < bits)
        {
            continue;
        }

        n = ngx_max((ngx_uint_t) rules->rule[i].min, bits);

        if (least == 0 || n < least) {
            least = n;
        }
    }

    return least;
}
