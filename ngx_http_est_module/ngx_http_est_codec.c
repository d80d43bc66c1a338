
/*
 * Copyright (C) The nginx-enroll authors
 */


/*
 * EST on the wire: what clients send and what they can read.
 */


#include "ngx_http_est.h"


static enroll_outcome_e ngx_http_est_decode(ngx_http_enroll_request_t *er,
    ngx_str_t *body);
static enroll_outcome_e ngx_http_est_linking(ngx_connection_t *c,
    enroll_challenge_t *challenge);
static ngx_int_t ngx_http_est_answer(ngx_http_request_t *r,
    ngx_http_enroll_request_t *er);
static ngx_int_t ngx_http_est_send_certificate(ngx_http_request_t *r,
    ngx_http_enroll_request_t *er);
static ngx_int_t ngx_http_est_send_cacerts(ngx_http_request_t *r,
    ngx_http_enroll_request_t *er);
static ngx_int_t ngx_http_est_send_csrattrs(ngx_http_request_t *r,
    ngx_http_enroll_request_t *er);
static ngx_int_t ngx_http_est_send_base64(ngx_http_request_t *r,
    const char *type, ngx_http_est_payload_t *payload);
static ngx_int_t ngx_http_est_send_pem(ngx_http_request_t *r, ngx_str_t *leaf,
    STACK_OF(X509) *certs);
static ngx_int_t ngx_http_est_refuse(ngx_http_request_t *r,
    ngx_http_enroll_request_t *er);
static ngx_uint_t ngx_http_est_columns(ngx_http_request_t *r);
static ngx_int_t ngx_http_est_base64(ngx_pool_t *pool, ngx_str_t *text,
    ngx_str_t *der, ngx_uint_t columns);
static ngx_uint_t ngx_http_est_accepts(ngx_http_request_t *r,
    const char *type);
static ngx_uint_t ngx_http_est_lists(ngx_str_t *list, const char *type);


const ngx_http_enroll_protocol_t  ngx_http_est_protocol = {
    ngx_string("est"),
    ngx_http_est_decode,
    NULL,                                  /* open */
    NULL,                                  /* authorize */
    NULL,                                  /* reopen */
    NULL,                                  /* encode */
    ngx_http_est_answer,
    NULL                                   /* free */
};


const char  *ngx_http_est_types[] = {
    "application/pkcs10",
    "application/pkcs7-mime",
    "application/x-pem-file",
    "application/octet-stream",
    "application/x-www-form-urlencoded",    /* what curl sends unasked */
    "text/plain",
    NULL
};


/* beginnings, but those that end in a blank are whole */

static const char  *ngx_http_est_wrong_types[] = {
    "application/json ",
    "multipart/",
    "image/",
    "video/",
    "audio/",
    "text/html ",
    "application/xhtml+xml ",
    NULL
};


static enroll_outcome_e
ngx_http_est_decode(ngx_http_enroll_request_t *er, ngx_str_t *body)
{
    X509                *x;
    u_char               digest[ENROLL_DIGEST_LEN];
    enroll_outcome_e     rc;
    ngx_connection_t    *c;
    ngx_http_request_t  *r;

    r = er->request;
    c = r->connection;

    rc = body->len ? enroll_body_decode(body->data, &body->len, body->data,
                                        body->len)
                   : ENROLL_EMPTY_BODY;

    if (rc == ENROLL_OK) {
        rc = enroll_csr_parse(&er->csr, body->data, body->len);
    }

    if (rc == ENROLL_BAD_ENCODING || rc == ENROLL_BAD_CSR) {

        /* an unknown type is held against a body that is no request */

        if (ngx_http_est_media_type(r) == 0) {
            return ENROLL_MEDIA_TYPE;
        }
    }

    if (rc != ENROLL_OK) {
        return rc;
    }

    rc = ngx_http_est_linking(c, &er->csr->challenge);

    if (rc == ENROLL_OK) {
        rc = ngx_http_est_linking(c, &er->csr->linking);
    }

    if (rc != ENROLL_OK) {
        return rc;
    }

    er->linked = (er->csr->challenge.data != NULL
                  || er->csr->linking.data != NULL);

    /* nobody gets a certificate for the server's own key */

    x = SSL_get_certificate(c->ssl->connection);

    if (x && (!enroll_key_digest(x, digest)
              || ngx_memcmp(digest, er->csr->key_digest, ENROLL_DIGEST_LEN)
                 == 0))
    {
        return ENROLL_KEY_RESERVED;
    }

    return ENROLL_OK;
}


/*
 * RFC 7030, section 3.5: a challengePassword is the tls-unique of this very
 * connection, and where it is there, it must be right.  TLS 1.3 has none
 * (RFC 9266), and without the extended master secret it binds nothing.
 */

static enroll_outcome_e
ngx_http_est_linking(ngx_connection_t *c, enroll_challenge_t *challenge)
{
    SSL     *ssl;
    u_char   finished[EVP_MAX_MD_SIZE];
    u_char   text[enroll_base64_room(EVP_MAX_MD_SIZE, 0)];
    size_t   len;

    if (challenge->data == NULL) {
        return ENROLL_OK;
    }

    ssl = c->ssl->connection;

    if (challenge->type != V_ASN1_PRINTABLESTRING
        && challenge->type != V_ASN1_UTF8STRING)
    {
        return ENROLL_BAD_LINKING;
    }

    if (SSL_version(ssl) > TLS1_2_VERSION || SSL_get_extms_support(ssl) != 1) {
        return ENROLL_BAD_LINKING;
    }

    /* RFC 5929, section 3.1: the first Finished of the handshake */

    len = SSL_session_reused(ssl)
          ? SSL_get_finished(ssl, finished, sizeof(finished))
          : SSL_get_peer_finished(ssl, finished, sizeof(finished));

    if (len == 0 || len > sizeof(finished)) {
        return ENROLL_BAD_LINKING;
    }

    /* without the LF at its end */

    len = enroll_base64_encode(text, finished, len, 0) - 1;

    if (challenge->len != len
        || CRYPTO_memcmp(challenge->data, text, len) != 0)
    {
        return ENROLL_BAD_LINKING;
    }

    return ENROLL_OK;
}


static ngx_int_t
ngx_http_est_answer(ngx_http_request_t *r, ngx_http_enroll_request_t *er)
{
    ngx_str_t  none = ngx_null_string;

    switch (er->outcome) {

    case ENROLL_OK:
    case ENROLL_RENEWED:
    case ENROLL_REPEATED:
        return ngx_http_est_send_certificate(r, er);

    case ENROLL_SERVED:
        return (ngx_http_est_operation(&er->operation) == NGX_HTTP_EST_CACERTS)
               ? ngx_http_est_send_cacerts(r, er)
               : ngx_http_est_send_csrattrs(r, er);

    case ENROLL_NOTHING:
        return ngx_http_enroll_send(r, NGX_HTTP_NO_CONTENT, NULL, &none);

    default:
        return ngx_http_est_refuse(r, er);
    }
}


static ngx_int_t
ngx_http_est_send_certificate(ngx_http_request_t *r,
    ngx_http_enroll_request_t *er)
{
    u_char                  *der;
    size_t                   len;
    ngx_int_t                rc;
    ngx_str_t                leaf;
    ngx_http_est_payload_t   payload;

    leaf.data = er->issued.der;
    leaf.len = er->issued.len;

    if (ngx_http_est_accepts(r, "application/pkix-cert")) {
        return ngx_http_enroll_send(r, NGX_HTTP_OK, "application/pkix-cert",
                                    &leaf);
    }

    if (ngx_http_est_accepts(r, "application/x-pem-file")) {
        return ngx_http_est_send_pem(r, &leaf, NULL);
    }

    len = enroll_bag_leaf(leaf.data, leaf.len, NULL, &der);

    if (len == 0) {
        return NGX_ERROR;
    }

    ngx_memzero(&payload, sizeof(ngx_http_est_payload_t));

    payload.der.data = der;
    payload.der.len = len;

    rc = ngx_http_est_send_base64(r,
                              "application/pkcs7-mime; smime-type=certs-only",
                              &payload);
    OPENSSL_free(der);

    return rc;
}


static ngx_int_t
ngx_http_est_send_cacerts(ngx_http_request_t *r, ngx_http_enroll_request_t *er)
{
    u_char                    *p;
    ngx_int_t                  rc;
    ngx_str_t                  der;
    ngx_http_est_main_conf_t  *esmcf;

    if (ngx_http_est_accepts(r, "application/x-pem-file")) {
        return ngx_http_est_send_pem(r, NULL, er->ca->pki.chain);
    }

    if (ngx_http_est_accepts(r, "application/pkix-cert")) {

        p = NULL;
        rc = i2d_X509(sk_X509_value(er->ca->pki.chain, 0), &p);

        if (rc <= 0) {
            return NGX_ERROR;
        }

        der.len = rc;
        der.data = ngx_pnalloc(r->pool, der.len);

        if (der.data) {
            ngx_memcpy(der.data, p, der.len);
        }

        OPENSSL_free(p);

        return der.data ? ngx_http_enroll_send(r, NGX_HTTP_OK,
                                               "application/pkix-cert", &der)
                        : NGX_ERROR;
    }

    esmcf = ngx_http_get_module_main_conf(r, ngx_http_est_module);

    return ngx_http_est_send_base64(r, "application/pkcs7-mime",
                                    &esmcf->cacerts[er->ca->index]);
}


static ngx_int_t
ngx_http_est_send_csrattrs(ngx_http_request_t *r,
    ngx_http_enroll_request_t *er)
{
    ngx_http_est_payload_t    payload;
    ngx_http_est_loc_conf_t  *eslcf;

    eslcf = ngx_http_get_module_loc_conf(r, ngx_http_est_module);

    if (eslcf->attrs) {
        return ngx_http_est_send_base64(r, "application/csrattrs",
                                        eslcf->attrs);
    }

    /* the profile is the request's */

    ngx_memzero(&payload, sizeof(ngx_http_est_payload_t));

    switch (ngx_http_est_csrattrs(r->pool, eslcf, er->profile, &payload)) {

    case NGX_OK:
        return ngx_http_est_send_base64(r, "application/csrattrs", &payload);

    case NGX_DECLINED:
        er->outcome = ENROLL_NOTHING;
        return ngx_http_enroll_send(r, NGX_HTTP_NO_CONTENT, NULL,
                                    &payload.der);

    default:
        return NGX_ERROR;
    }
}


static ngx_int_t
ngx_http_est_send_base64(ngx_http_request_t *r, const char *type,
    ngx_http_est_payload_t *payload)
{
    ngx_str_t   body, value;
    ngx_uint_t  columns;

    /* RFC 8951 has receivers ignore it; older clients want to see it */

    ngx_str_set(&value, "base64");

    if (ngx_http_enroll_header(r, "Content-Transfer-Encoding", &value)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    columns = ngx_http_est_columns(r);

    if (columns == 0 && payload->line.len) {
        return ngx_http_enroll_send(r, NGX_HTTP_OK, type, &payload->line);
    }

    if (columns == NGX_HTTP_EST_LINE && payload->wrapped.len) {
        return ngx_http_enroll_send(r, NGX_HTTP_OK, type, &payload->wrapped);
    }

    if (ngx_http_est_base64(r->pool, &body, &payload->der, columns) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_http_enroll_send(r, NGX_HTTP_OK, type, &body);
}


/* of the DER of one certificate, or of all in the stack */

static ngx_int_t
ngx_http_est_send_pem(ngx_http_request_t *r, ngx_str_t *leaf,
    STACK_OF(X509) *certs)
{
    int         i;
    BIO        *bio;
    long        len;
    char       *data;
    ngx_int_t   rc;
    ngx_str_t   body;

    bio = BIO_new(BIO_s_mem());
    if (bio == NULL) {
        return NGX_ERROR;
    }

    rc = NGX_ERROR;

    if (leaf
        && PEM_write_bio(bio, PEM_STRING_X509, "", leaf->data,
                         (long) leaf->len)
           <= 0)
    {
        goto done;
    }

    for (i = 0; i < sk_X509_num(certs); i++) {
        if (!PEM_write_bio_X509(bio, sk_X509_value(certs, i))) {
            goto done;
        }
    }

    len = BIO_get_mem_data(bio, &data);

    body.len = len;
    body.data = ngx_pnalloc(r->pool, body.len);

    if (body.data == NULL) {
        goto done;
    }

    ngx_memcpy(body.data, data, body.len);

    rc = ngx_http_enroll_send(r, NGX_HTTP_OK, "application/x-pem-file", &body);

done:

    BIO_free(bio);

    return rc;
}


static ngx_int_t
ngx_http_est_refuse(ngx_http_request_t *r, ngx_http_enroll_request_t *er)
{
    ngx_int_t    n, rc;
    ngx_str_t    value;
    const char  *name;

    name = NULL;

    switch (er->outcome) {

    case ENROLL_UNAUTHORIZED:
    case ENROLL_BAD_PASSWORD:
        name = "WWW-Authenticate";
        ngx_str_set(&value, NGX_HTTP_EST_REALM);
        break;

    case ENROLL_METHOD:
        n = ngx_http_est_operation(&er->operation);
        name = "Allow";

        if (n == NGX_HTTP_EST_CACERTS || n == NGX_HTTP_EST_CSRATTRS) {
            ngx_str_set(&value, "GET, HEAD");

        } else {
            ngx_str_set(&value, "POST");
        }
        break;

    case ENROLL_MEDIA_TYPE:
        name = "Accept";
        ngx_str_set(&value, "application/pkcs10");
        break;

    case ENROLL_CODING:
        name = "Accept-Encoding";
        ngx_str_set(&value, "identity");
        break;

    default:
        break;
    }

    if (name) {
        rc = ngx_http_enroll_header(r, name, &value);

        if (rc != NGX_OK) {
            return rc;
        }
    }

    return ngx_http_enroll_send_refusal(r, er);
}


/*
 * The columns of base64, 0 for one line: as est_wrap says, else what the
 * client can read.  libest wants line breaks; strongSwan, which sends no
 * User-Agent, wants none.
 */

static ngx_uint_t
ngx_http_est_columns(ngx_http_request_t *r)
{
    ngx_int_t                 n;
    ngx_str_t                 value, *agent;
    ngx_http_est_loc_conf_t  *eslcf;

    eslcf = ngx_http_get_module_loc_conf(r, ngx_http_est_module);

    if (eslcf->wrap
        && ngx_http_complex_value(r, eslcf->wrap, &value) == NGX_OK
        && value.len)
    {
        if (value.len == 3 && ngx_strncmp(value.data, "off", 3) == 0) {
            return 0;
        }

        n = ngx_atoi(value.data, value.len);

        if (n == 0 || (n >= 4 && n <= 1024)) {
            return n;
        }

        ngx_log_error(NGX_LOG_WARN, r->connection->log, 0,
                      "invalid value \"%V\" of \"est_wrap\"", &value);
    }

    agent = r->headers_in.user_agent ? &r->headers_in.user_agent->value : NULL;

    if (agent && agent->len >= 6
        && ngx_strncasecmp(agent->data, (u_char *) "libest", 6) == 0)
    {
        return NGX_HTTP_EST_LINE;
    }

    return 0;
}


ngx_int_t
ngx_http_est_payload(ngx_pool_t *pool, ngx_http_est_payload_t *payload,
    u_char *der, size_t len)
{
    payload->der.data = ngx_pnalloc(pool, len);
    if (payload->der.data == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(payload->der.data, der, len);
    payload->der.len = len;

    if (ngx_http_est_base64(pool, &payload->line, &payload->der, 0) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_http_est_base64(pool, &payload->wrapped, &payload->der,
                               NGX_HTTP_EST_LINE);
}


static ngx_int_t
ngx_http_est_base64(ngx_pool_t *pool, ngx_str_t *text, ngx_str_t *der,
    ngx_uint_t columns)
{
    text->data = ngx_pnalloc(pool, enroll_base64_room(der->len, columns));
    if (text->data == NULL) {
        return NGX_ERROR;
    }

    text->len = enroll_base64_encode(text->data, der->data, der->len, columns);

    return NGX_OK;
}


ngx_int_t
ngx_http_est_media_type(ngx_http_request_t *r)
{
    u_char      *p;
    size_t       len, n;
    ngx_str_t   *type;
    ngx_uint_t   i;
    const char  *wrong;

    if (r->headers_in.content_type == NULL
        || r->headers_in.content_type->value.len == 0)
    {
        return 1;
    }

    type = &r->headers_in.content_type->value;

    p = ngx_strlchr(type->data, type->data + type->len, ';');
    len = p ? (size_t) (p - type->data) : type->len;

    while (len && (type->data[len - 1] == ' ' || type->data[len - 1] == '\t'))
    {
        len--;
    }

    for (i = 0; ngx_http_est_types[i]; i++) {
        if (ngx_strlen(ngx_http_est_types[i]) == len
            && ngx_strncasecmp(type->data, (u_char *) ngx_http_est_types[i],
                               len)
               == 0)
        {
            return 1;
        }
    }

    for (i = 0; ngx_http_est_wrong_types[i]; i++) {

        wrong = ngx_http_est_wrong_types[i];
        n = ngx_strlen(wrong);

        if (wrong[n - 1] == ' ') {
            n--;

            if (n != len) {
                continue;
            }
        }

        if (n <= len
            && ngx_strncasecmp(type->data, (u_char *) wrong, n) == 0)
        {
            return -1;
        }
    }

    if (len > 5
        && ngx_strncasecmp(type->data + len - 5, (u_char *) "+json", 5) == 0)
    {
        return -1;
    }

    return 0;
}


/* whether a media type stands in Accept, and the usual one does not */

static ngx_uint_t
ngx_http_est_accepts(ngx_http_request_t *r, const char *type)
{
    ngx_str_t  *accept;

    static const char  usual[] = "application/pkcs7-mime";

    accept = ngx_http_enroll_header_in(r, "accept");

    return accept && ngx_http_est_lists(accept, type)
           && !ngx_http_est_lists(accept, usual);
}


/* the list is split at commas, a type ends at its parameters */

static ngx_uint_t
ngx_http_est_lists(ngx_str_t *list, const char *type)
{
    u_char  *p, *last, *end, *comma;
    size_t   len;

    len = ngx_strlen(type);
    last = list->data + list->len;

    for (p = list->data; p < last; p = comma + 1) {

        comma = ngx_strlchr(p, last, ',');
        if (comma == NULL) {
            comma = last;
        }

        end = ngx_strlchr(p, comma, ';');
        if (end == NULL) {
            end = comma;
        }

        while (p < end && (*p == ' ' || *p == '\t')) { p++; }
        while (p < end && (end[-1] == ' ' || end[-1] == '\t')) { end--; }

        if ((size_t) (end - p) == len
            && ngx_strncasecmp(p, (u_char *) type, len) == 0)
        {
            return 1;
        }
    }

    return 0;
}
