
/*
 * Copyright (C) The nginx-enroll authors
 */


/*
 * What an EST location says of itself, beside what every location does.
 */


#include "ngx_http_est.h"


static void ngx_http_est_describe(ngx_http_request_t *r,
    ngx_http_enroll_request_t *er, ngx_http_enroll_page_t *page,
    ngx_http_enroll_part_e part);
static void ngx_http_est_describe_info(ngx_http_enroll_request_t *er,
    ngx_http_enroll_page_t *page, ngx_http_est_loc_conf_t *eslcf,
    ngx_uint_t tls, ngx_uint_t basic);
static void ngx_http_est_describe_settings(ngx_http_enroll_page_t *page,
    ngx_http_est_loc_conf_t *eslcf);
static void ngx_http_est_describe_examples(ngx_http_enroll_request_t *er,
    ngx_http_enroll_page_t *page, ngx_http_est_loc_conf_t *eslcf,
    ngx_uint_t tls, ngx_uint_t basic);
static void ngx_http_est_describe_strongswan(ngx_http_enroll_page_t *page,
    const char *key);


const ngx_http_enroll_pages_t  ngx_http_est_pages = {
    {
        ngx_string("est"),
        ngx_http_enroll_page_decode,
        NULL,                              /* open */
        NULL,                              /* authorize */
        NULL,                              /* reopen */
        NULL,                              /* encode */
        ngx_http_enroll_page_answer,
        ngx_http_enroll_page_free
    },

    NGX_HTTP_EST_REALM,
    1,                                     /* discovery is the root */
    0,                                     /* no RA */
    ngx_http_est_describe
};


ngx_int_t
ngx_http_est_page(ngx_http_request_t *r, ngx_http_enroll_request_t *er,
    ngx_http_est_loc_conf_t *eslcf)
{
    ngx_uint_t        auth;
    enroll_outcome_e  rc;

    if (ngx_http_enroll_page_kind(er) == NGX_HTTP_ENROLL_PAGE_CONFIGURATION
        && !eslcf->debug)
    {
        /* where anybody may enrol, not anybody may see this */

        auth = (eslcf->auth == NGX_HTTP_EST_AUTH_NONE) ? NGX_HTTP_EST_AUTH_ANY
                                                       : eslcf->auth;

        er->unrecorded = eslcf->unrecorded;

        rc = ngx_http_est_authenticate(r, er, eslcf, auth);

        if (rc != ENROLL_OK) {
            return ngx_http_enroll_end(r, er, rc);
        }
    }

    return ngx_http_enroll_page_start(r, er);
}


static void
ngx_http_est_describe(ngx_http_request_t *r, ngx_http_enroll_request_t *er,
    ngx_http_enroll_page_t *page, ngx_http_enroll_part_e part)
{
    ngx_uint_t                tls, basic;
    enroll_json_text_t       *json;
    ngx_http_est_loc_conf_t  *eslcf;

    json = &page->json;
    eslcf = ngx_http_get_module_loc_conf(r, ngx_http_est_module);

    /* whether the handshake asks for a certificate: no other counts */

    tls = (SSL_get_verify_mode(r->connection->ssl->connection)
           & SSL_VERIFY_PEER) != 0;

    basic = (eslcf->users != NULL
             && eslcf->auth != NGX_HTTP_EST_AUTH_CERTIFICATE
             && eslcf->auth != NGX_HTTP_EST_AUTH_NONE);

    switch (part) {

    case NGX_HTTP_ENROLL_PART_OPERATIONS:
        enroll_json_word(json, NULL, "cacerts");
        enroll_json_word(json, NULL, "csrattrs");
        enroll_json_word(json, NULL, "simpleenroll");

        if (tls) {
            enroll_json_word(json, NULL, "simplereenroll");
        }

        break;

    case NGX_HTTP_ENROLL_PART_CAPABILITIES:
        enroll_json_flag(json, "tls_client_auth", tls);
        enroll_json_flag(json, "http_basic_auth", basic);
        enroll_json_word(json, "proof_of_possession", "signature");
        enroll_json_word(json, "tls_unique", "if_present");
        break;

    case NGX_HTTP_ENROLL_PART_INFO:
        ngx_http_est_describe_info(er, page, eslcf, tls, basic);
        break;

    case NGX_HTTP_ENROLL_PART_SETTINGS:
        ngx_http_est_describe_settings(page, eslcf);
        break;

    default: /* NGX_HTTP_ENROLL_PART_EXAMPLES */
        ngx_http_est_describe_examples(er, page, eslcf, tls, basic);
        break;
    }
}


static void
ngx_http_est_describe_info(ngx_http_enroll_request_t *er,
    ngx_http_enroll_page_t *page, ngx_http_est_loc_conf_t *eslcf,
    ngx_uint_t tls, ngx_uint_t basic)
{
    enroll_json_text_t  *json;

    json = &page->json;

    enroll_json_array(json, "authentication");

    if (tls) {
        enroll_json_word(json, NULL, "tls_client_certificate");
    }

    if (basic) {
        enroll_json_word(json, NULL, "http_basic");
    }

    if (eslcf->auth == NGX_HTTP_EST_AUTH_NONE) {
        enroll_json_word(json, NULL, "none");
    }

    enroll_json_array_end(json);

    enroll_json_array(json, "security");
    enroll_json_word(json, NULL, "proof_of_possession");
    enroll_json_word(json, NULL, "tls_unique_if_present");
    enroll_json_word(json, NULL, "revocation_of_clients");

    if (!eslcf->unrecorded) {
        enroll_json_word(json, NULL, "recorded_clients_only");
    }

    if (er->elcf->names == NGX_HTTP_ENROLL_NAMES_IDENTITY) {
        enroll_json_word(json, NULL, "own_names_only");
    }

    if (er->elcf->approval) {
        enroll_json_word(json, NULL, "manual_approval");
    }

    enroll_json_array_end(json);

    enroll_json_object(json, "compatibility");
    ngx_http_enroll_page_client(page, "intune",
                                "Its clients enrol by SCEP, not by EST.");
    ngx_http_enroll_page_client(page, "ios",
                                "The system enrols by SCEP, not by EST.");
    ngx_http_enroll_page_client(page, "android",
                                (tls || basic) ? NULL
                                : "An app can give neither a password nor a "
                                  "certificate here.");
    enroll_json_object_end(json);
}


static void
ngx_http_est_describe_settings(ngx_http_enroll_page_t *page,
    ngx_http_est_loc_conf_t *eslcf)
{
    ngx_str_t           *word;
    ngx_uint_t           i;
    enroll_json_text_t  *json;

    json = &page->json;

    word = &ngx_http_est_auth[eslcf->auth].name;
    enroll_json_string(json, "auth", word->data, word->len);
    enroll_json_flag(json, "basic_users", eslcf->users != NULL);
    enroll_json_flag(json, "client_ca", eslcf->client_ca != NULL);
    enroll_json_flag(json, "unrecorded", eslcf->unrecorded);
    enroll_json_flag(json, "debug", eslcf->debug);
    enroll_json_number(json, "repeat_seconds", eslcf->repeat / 1000);

    if (eslcf->csrattrs == NULL) {
        enroll_json_word(json, "csrattrs", "auto");

    } else {
        enroll_json_array(json, "csrattrs");

        word = eslcf->csrattrs->elts;

        for (i = 0; i < eslcf->csrattrs->nelts; i++) {
            enroll_json_string(json, NULL, word[i].data, word[i].len);
        }

        enroll_json_array_end(json);
    }

    enroll_json_object(json, "content_types");

    enroll_json_array(json, "requests");

    for (i = 0; ngx_http_est_types[i]; i++) {
        enroll_json_word(json, NULL, ngx_http_est_types[i]);
    }

    enroll_json_array_end(json);

    enroll_json_array(json, "certificates");
    enroll_json_word(json, NULL,
                     "application/pkcs7-mime; smime-type=certs-only");
    enroll_json_word(json, NULL, "application/pkix-cert");
    enroll_json_word(json, NULL, "application/x-pem-file");
    enroll_json_array_end(json);

    enroll_json_word(json, "csrattrs", "application/csrattrs");

    enroll_json_object_end(json);
}


/*
 * Lines for a shell, in their order.  What differs from device to device is in
 * variables.
 */

static void
ngx_http_est_describe_examples(ngx_http_enroll_request_t *er,
    ngx_http_enroll_page_t *page, ngx_http_est_loc_conf_t *eslcf,
    ngx_uint_t tls, ngx_uint_t basic)
{
    ngx_str_t                   *url;
    const char                  *who;
    enroll_json_text_t          *json;
    ngx_http_enroll_page_key_t   key;

    json = &page->json;
    url = &page->url;

    ngx_http_enroll_page_key(er, &key);

    who = "";

    if (basic) {
        who = (eslcf->auth == NGX_HTTP_EST_AUTH_BOTH)
              ? " -u \"$DEVICE:$PASSWORD\" --cert \"$CERT\" --key \"$KEY\""
              : " -u \"$DEVICE:$PASSWORD\"";

    } else if (eslcf->auth != NGX_HTTP_EST_AUTH_NONE) {
        who = " --cert \"$CERT\" --key \"$KEY\"";
    }

    enroll_json_object(json, "variables");
    enroll_json_word(json, "DEVICE",
                     basic ? "the user, who is the device, too"
                           : "the name of the device");

    if (basic) {
        enroll_json_word(json, "PASSWORD", "the user's password");
    }

    if (!basic || eslcf->auth == NGX_HTTP_EST_AUTH_BOTH) {
        enroll_json_word(json, "CERT", "a file: a certificate that is "
                                       "accepted here");
        enroll_json_word(json, "KEY", "a file: its key");
    }

    enroll_json_word(json, "TLS_CA", "a file: who issued the certificate of "
                                     "this web server");
    enroll_json_object_end(json);

    enroll_json_array(json, "openssl");
    ngx_http_enroll_page_text(page, NULL,
                              "openssl req -new -newkey %s -nodes -keyout "
                              "device.key -subj \"/CN=$DEVICE\" -outform DER "
                              "-out device.der", key.openssl);
    enroll_json_word(json, NULL, "base64 device.der > device.csr");
    enroll_json_array_end(json);

    enroll_json_array(json, "curl");
    ngx_http_enroll_page_text(page, NULL,
                              "curl -fsS --cacert \"$TLS_CA\" -o ca.p7 "
                              "%V/cacerts", url);
    enroll_json_word(json, NULL,
                     "base64 -d ca.p7 | openssl pkcs7 -inform DER "
                     "-print_certs -out ca.crt");
    ngx_http_enroll_page_text(page, NULL,
                              "curl -fsS --cacert \"$TLS_CA\"%s -H "
                              "'Content-Type: application/pkcs10' "
                              "--data-binary @device.csr -o device.p7 "
                              "%V/simpleenroll", who, url);
    enroll_json_word(json, NULL,
                     "base64 -d device.p7 | openssl pkcs7 -inform DER "
                     "-print_certs -out device.crt");

    if (tls && key.tls) {
        ngx_http_enroll_page_text(page, NULL,
                              "curl -fsS --cacert \"$TLS_CA\"%s --cert "
                              "device.crt --key device.key -H "
                              "'Content-Type: application/pkcs10' -H "
                              "'Accept: application/x-pem-file' "
                              "--data-binary @device.csr -o renewed.crt "
                              "%V/simplereenroll",
                              (eslcf->auth == NGX_HTTP_EST_AUTH_BOTH)
                              ? " -u \"$DEVICE:$PASSWORD\"" : "", url);
    }

    enroll_json_array_end(json);

    if (basic && eslcf->auth != NGX_HTTP_EST_AUTH_BOTH && key.strongswan[0]) {
        ngx_http_est_describe_strongswan(page, (char *) key.strongswan);
    }
}


/* it puts the well-known path behind the URL itself, and knows no label */

static void
ngx_http_est_describe_strongswan(ngx_http_enroll_page_t *page,
    const char *key)
{
    size_t               n;
    ngx_str_t            url;
    enroll_json_text_t  *json;

    static const char  path[] = "/.well-known/est";

    json = &page->json;
    url = page->url;
    n = sizeof(path) - 1;

    if (url.len <= n || ngx_memcmp(url.data + url.len - n, path, n) != 0) {
        return;
    }

    url.len -= n;

    enroll_json_array(json, "strongswan");
    ngx_http_enroll_page_text(page, NULL,
                              "pki --gen %s --outform pem > device.key", key);
    enroll_json_word(json, NULL,
                     "pki --req --in device.key --type priv --dn "
                     "\"CN=$DEVICE\" > device.req");
    ngx_http_enroll_page_text(page, NULL,
                              "pki --estca --url %V --cacert \"$TLS_CA\" "
                              "--caout ca.pem --outform pem --force", &url);
    ngx_http_enroll_page_text(page, NULL,
                              "pki --est --url %V --in device.req --cacert "
                              "\"$TLS_CA\" $(printf -- ' --cacert %%s' "
                              "ca*.pem) --userpass \"$DEVICE:$PASSWORD\" "
                              "--outform pem > device.crt", &url);
    enroll_json_array_end(json);
}
