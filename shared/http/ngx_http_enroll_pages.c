
/*
 * Copyright (C) The nginx-enroll authors
 */


/*
 * The way of a page: which it is, whether the location is well, and how it
 * is sent or refused.
 */


#include "ngx_http_enroll_core.h"
#include "ngx_http_enroll_pages.h"


#define NGX_HTTP_ENROLL_PAGE_FRESH  1000   /* ms for which an answer of Redis
                                              is told to whoever asks */


static ngx_uint_t ngx_http_enroll_page_find(ngx_http_request_t *r,
    ngx_http_enroll_request_t *er, const ngx_http_enroll_pages_t *pages,
    ngx_str_t *rest, ngx_str_t *path);
static ngx_uint_t ngx_http_enroll_page_root(ngx_http_request_t *r,
    ngx_http_enroll_request_t *er, ngx_str_t *rest);
static ngx_int_t ngx_http_enroll_page_url(ngx_http_request_t *r,
    ngx_http_enroll_request_t *er, ngx_http_enroll_page_t *page,
    ngx_str_t *path);
static ngx_uint_t ngx_http_enroll_page_host(ngx_str_t *host);
static ngx_int_t ngx_http_enroll_page_ask(ngx_http_enroll_request_t *er);
static void ngx_http_enroll_page_try(ngx_http_enroll_request_t *er);
static void ngx_http_enroll_page_asked(void *data,
    ngx_enroll_store_reply_t *reply);
static void ngx_http_enroll_page_redis(ngx_http_enroll_page_t *page,
    ngx_uint_t up);
static enroll_outcome_e ngx_http_enroll_page_outcome(
    ngx_http_enroll_request_t *er, ngx_http_enroll_page_t *page);


static const struct {
    ngx_str_t    name;
    ngx_uint_t   kind;
} ngx_http_enroll_page_names[] = {
    { ngx_string("discovery"), NGX_HTTP_ENROLL_PAGE_DISCOVERY },
    { ngx_string("info"), NGX_HTTP_ENROLL_PAGE_INFO },
    { ngx_string("health"), NGX_HTTP_ENROLL_PAGE_HEALTH },
    { ngx_string("configuration"), NGX_HTTP_ENROLL_PAGE_CONFIGURATION },
    { ngx_null_string, 0 }
};


/* of this worker: strangers must not have Redis asked as often as they like */

static ngx_msec_t  ngx_http_enroll_page_when;
static ngx_uint_t  ngx_http_enroll_page_known;
static ngx_uint_t  ngx_http_enroll_page_up;


ngx_int_t
ngx_http_enroll_page(ngx_http_request_t *r, ngx_http_enroll_request_t *er,
    const ngx_http_enroll_pages_t *pages, ngx_str_t *rest)
{
    ngx_str_t                path;
    ngx_uint_t               kind;
    ngx_http_enroll_page_t  *page;

    kind = ngx_http_enroll_page_find(r, er, pages, rest, &path);

    if (!(er->elcf->pages & kind)
        || (er->elcf->pages & NGX_HTTP_ENROLL_PAGE_OFF))
    {
        return NGX_DECLINED;
    }

    page = ngx_pcalloc(er->pool, sizeof(ngx_http_enroll_page_t));
    if (page == NULL) {
        return NGX_ERROR;
    }

    page->pages = pages;
    page->kind = kind;
    page->live = (kind == NGX_HTTP_ENROLL_PAGE_HEALTH
                  && r->args.len == sizeof("live") - 1
                  && ngx_strncmp(r->args.data, "live", sizeof("live") - 1)
                     == 0);

    er->message = page;
    er->protocol = &pages->protocol;

    for (kind = 0; ngx_http_enroll_page_names[kind].kind != page->kind; kind++)
    {
        /* void */
    }

    er->operation = ngx_http_enroll_page_names[kind].name;

    return ngx_http_enroll_page_url(r, er, page, &path);
}


/* the page's kind, or 0, and the path of the location */

static ngx_uint_t
ngx_http_enroll_page_find(ngx_http_request_t *r,
    ngx_http_enroll_request_t *er, const ngx_http_enroll_pages_t *pages,
    ngx_str_t *rest, ngx_str_t *path)
{
    ngx_uint_t  i;

    path->data = r->uri.data;
    path->len = rest->data - r->uri.data;

    for (i = pages->root; ngx_http_enroll_page_names[i].kind; i++) {

        if (ngx_http_enroll_page_names[i].name.len == rest->len
            && ngx_memcmp(ngx_http_enroll_page_names[i].name.data, rest->data,
                          rest->len)
               == 0)
        {
            return ngx_http_enroll_page_names[i].kind;
        }
    }

    if (!pages->root || !ngx_http_enroll_page_root(r, er, rest)) {
        return 0;
    }

    *path = r->uri;

    return NGX_HTTP_ENROLL_PAGE_DISCOVERY;
}


/* with its slash or without: and "/est" is no root of "/established" */

static ngx_uint_t
ngx_http_enroll_page_root(ngx_http_request_t *r, ngx_http_enroll_request_t *er,
    ngx_str_t *rest)
{
    ngx_str_t  *location;

    if (er->endpoint->prefix == 0) {

        /* an exact location is its own root, a regex or a name has none */

        location = &er->endpoint->location;

        return r->uri.len == location->len
               && ngx_memcmp(r->uri.data, location->data, location->len) == 0;
    }

    return rest->len == 0
           && (r->uri.len == er->endpoint->prefix
               || (r->uri.len == er->endpoint->prefix + 1
                   && r->uri.data[er->endpoint->prefix] == '/'));
}


/*
 * "https://HOST[:PORT]/PATH", as the client asked for it.  In a URL that is
 * made here there is nothing that a shell, XML or JSON knows: clients copy
 * from it.
 */

static ngx_int_t
ngx_http_enroll_page_url(ngx_http_request_t *r, ngx_http_enroll_request_t *er,
    ngx_http_enroll_page_t *page, ngx_str_t *path)
{
    u_char     *p, ch, addr[NGX_SOCKADDR_STRLEN];
    size_t      i, n;
    ngx_str_t   host;

    ngx_str_null(&host);

    if (r->headers_in.host) {
        host = r->headers_in.host->value;
    }

    if (!ngx_http_enroll_page_host(&host)) {

        host.data = addr;
        host.len = sizeof(addr);

        if (ngx_connection_local_sockaddr(r->connection, &host, 1) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    n = path->len;

    if (page->pages->root || er->endpoint->prefix < n) {

        /* else the slash is what brings a request to the location */

        while (n && path->data[n - 1] == '/') { n--; }
    }

    p = ngx_pnalloc(er->pool, sizeof("https://") + host.len + 3 * n);
    if (p == NULL) {
        return NGX_ERROR;
    }

    page->url.data = p;

    p = ngx_sprintf(p, "%s://%V", r->connection->ssl ? "https" : "http",
                    &host);

    for (i = 0; i < n; i++) {
        ch = path->data[i];

        if ((ch >= '0' && ch <= '9') || (ch >= 'A' && ch <= 'Z')
            || (ch >= 'a' && ch <= 'z')
            || ch == '/' || ch == '-' || ch == '_' || ch == '.' || ch == ':')
        {
            *p++ = ch;

        } else {
            *p++ = '%';
            enroll_text_hex((char *) p, &ch, 1);
            p += 2;
        }
    }

    page->url.len = p - page->url.data;

    return NGX_OK;
}


static ngx_uint_t
ngx_http_enroll_page_host(ngx_str_t *host)
{
    u_char  ch;
    size_t  i;

    for (i = 0; i < host->len; i++) {
        ch = host->data[i];

        if (!((ch >= '0' && ch <= '9') || (ch >= 'A' && ch <= 'Z')
              || (ch >= 'a' && ch <= 'z') || ch == '-' || ch == '_'
              || ch == '.' || ch == ':' || ch == '[' || ch == ']'))
        {
            return 0;
        }
    }

    return host->len > 0 && host->len < 256 + sizeof(":65535");
}


ngx_int_t
ngx_http_enroll_page_start(ngx_http_request_t *r,
    ngx_http_enroll_request_t *er)
{
    ngx_http_enroll_page_t  *page;

    page = er->message;

    if (page->kind == NGX_HTTP_ENROLL_PAGE_DISCOVERY || page->live) {
        return ngx_http_enroll_end(r, er, ENROLL_SERVED);
    }

    if (er->renewal) {

        /* what is revoked in the records opens no page either */

        er->renewal = 0;
        er->cert_ca = er->ca;
    }

    er->intent = NGX_HTTP_ENROLL_ASK;
    er->ask = ngx_http_enroll_page_ask;

    return ngx_http_enroll_start(r, er);
}


enroll_outcome_e
ngx_http_enroll_page_decode(ngx_http_enroll_request_t *er, ngx_str_t *body)
{
    return ENROLL_OK;
}


/* the key where it did not sign, then Redis for a record that there is not */

static ngx_int_t
ngx_http_enroll_page_ask(ngx_http_enroll_request_t *er)
{
    ngx_int_t                rc;
    ngx_str_t                serial = ngx_string("00");
    ngx_http_enroll_page_t  *page;

    page = er->message;

    if (page->kind == NGX_HTTP_ENROLL_PAGE_CONFIGURATION) {
        er->outcome = ENROLL_SERVED;
        return NGX_DONE;
    }

    if (page->trial) {

        if (er->result == ENROLL_OK) {
            er->ca->unusable = 0;
        }

    } else if (er->ca->unusable
               && ngx_current_msec - er->ca->tried
                  >= NGX_HTTP_ENROLL_PAGE_FRESH)
    {
        er->ca->tried = ngx_current_msec;
        page->trial = 1;

        rc = ngx_http_enroll_job(er, ngx_http_enroll_page_try, 0);

        if (rc == NGX_AGAIN) {

            /* this step once more */

            er->step--;
            return NGX_OK;
        }

        return rc;
    }

    if (ngx_http_enroll_page_known
        && ngx_current_msec - ngx_http_enroll_page_when
           < NGX_HTTP_ENROLL_PAGE_FRESH)
    {
        page->redis = ngx_http_enroll_page_up;

    } else if (ngx_enroll_store_lookup(er->emcf->redis, &er->ca->name, &serial,
                                       ngx_http_enroll_page_asked, er)
               == NGX_OK)
    {
        return NGX_OK;

    } else {
        ngx_http_enroll_page_redis(page, 0);
    }

    er->outcome = ngx_http_enroll_page_outcome(er, page);

    return NGX_DONE;
}


/* on a thread: er->result */

static void
ngx_http_enroll_page_try(ngx_http_enroll_request_t *er)
{
    char  error[ENROLL_ERROR_TEXT];

    er->result = enroll_ca_try(&er->ca->pki, error) ? ENROLL_OK
                                                    : ENROLL_SIGN_FAILED;
}


static void
ngx_http_enroll_page_asked(void *data, ngx_enroll_store_reply_t *reply)
{
    ngx_http_enroll_request_t *er = data;

    ngx_http_enroll_page_redis(er->message,
                               reply->result == NGX_ENROLL_STORE_UNKNOWN
                               || reply->result == NGX_ENROLL_STORE_FOUND);

    er->result = ngx_http_enroll_page_outcome(er, er->message);

    ngx_http_enroll_resume(er);
}


static void
ngx_http_enroll_page_redis(ngx_http_enroll_page_t *page, ngx_uint_t up)
{
    page->redis = up ? 1 : 0;

    ngx_http_enroll_page_up = up;
    ngx_http_enroll_page_known = 1;
    ngx_http_enroll_page_when = ngx_current_msec;
}


static enroll_outcome_e
ngx_http_enroll_page_outcome(ngx_http_enroll_request_t *er,
    ngx_http_enroll_page_t *page)
{
    enroll_outcome_e  rc;

    rc = (page->kind == NGX_HTTP_ENROLL_PAGE_HEALTH)
         ? ngx_http_enroll_page_trouble(er, page) : ENROLL_OK;

    return (rc == ENROLL_OK) ? ENROLL_SERVED : rc;
}


enroll_outcome_e
ngx_http_enroll_page_trouble(ngx_http_enroll_request_t *er,
    ngx_http_enroll_page_t *page)
{
    if (er->ca->unusable) {
        return ENROLL_SIGN_FAILED;
    }

    if (enroll_cert_dates(sk_X509_value(er->ca->pki.chain, 0), ngx_time())
        != ENROLL_OK)
    {
        return ENROLL_CA_EXPIRED;
    }

    if (page->pages->ra && !ngx_http_enroll_page_ra(er)) {
        return ENROLL_RA_EXPIRED;
    }

    return page->redis ? ENROLL_OK : ENROLL_STORE_DOWN;
}


ngx_uint_t
ngx_http_enroll_page_ra(ngx_http_enroll_request_t *er)
{
    enroll_ra_t  *ra;

    ra = &er->ca->ra;

    return enroll_cert_dates(sk_X509_value(ra->certs, 0), ngx_time())
           == ENROLL_OK
           && enroll_cert_dates(ra->sign_cert, ngx_time()) == ENROLL_OK;
}


void
ngx_http_enroll_page_free(ngx_http_enroll_request_t *er)
{
    ngx_http_enroll_page_t *page = er->message;

    enroll_json_free(&page->json);
}
