
/*
 * Copyright (C) The nginx-enroll authors
 */


/*
 * What a SCEP location says of itself, beside what every location does.
 */


#include "ngx_http_scep.h"


static void ngx_http_scep_describe(ngx_http_request_t *r,
    ngx_http_enroll_request_t *er, ngx_http_enroll_page_t *page,
    ngx_http_enroll_part_e part);
static void ngx_http_scep_describe_caps(ngx_http_enroll_request_t *er,
    ngx_http_enroll_page_t *page, ngx_http_scep_loc_conf_t *sclcf);
static void ngx_http_scep_describe_info(ngx_http_request_t *r,
    ngx_http_enroll_request_t *er, ngx_http_enroll_page_t *page,
    ngx_http_scep_loc_conf_t *sclcf);
static const char *ngx_http_scep_no_client(ngx_http_enroll_request_t *er,
    ngx_http_scep_loc_conf_t *sclcf);
static const char *ngx_http_scep_no_intune(ngx_http_request_t *r,
    ngx_http_enroll_request_t *er, ngx_http_scep_loc_conf_t *sclcf);
static ngx_uint_t ngx_http_scep_key_bits(ngx_http_enroll_request_t *er);
static void ngx_http_scep_describe_legacy(ngx_http_enroll_page_t *page,
    ngx_http_scep_loc_conf_t *sclcf);
static void ngx_http_scep_describe_settings(ngx_http_enroll_page_t *page,
    ngx_http_scep_loc_conf_t *sclcf);
static void ngx_http_scep_describe_examples(ngx_http_enroll_request_t *er,
    ngx_http_enroll_page_t *page, ngx_http_scep_loc_conf_t *sclcf);
static void ngx_http_scep_describe_strongswan(ngx_http_enroll_request_t *er,
    ngx_http_enroll_page_t *page, ngx_uint_t bits, ngx_uint_t challenge);
static void ngx_http_scep_describe_apple(ngx_http_enroll_request_t *er,
    ngx_http_enroll_page_t *page, ngx_uint_t bits, ngx_uint_t challenge);
static void ngx_http_scep_describe_intune(ngx_http_enroll_request_t *er,
    ngx_http_enroll_page_t *page, ngx_uint_t bits);


const ngx_http_enroll_pages_t  ngx_http_scep_pages = {
    {
        ngx_string("scep"),
        ngx_http_enroll_page_decode,
        NULL,                              /* open */
        NULL,                              /* authorize */
        NULL,                              /* reopen */
        NULL,                              /* encode */
        ngx_http_enroll_page_answer,
        ngx_http_enroll_page_free
    },

    "Basic realm=\"SCEP\"",
    0,                                     /* the root is SCEP's own */
    1,                                     /* the RA must be valid */
    ngx_http_scep_describe
};


/* in the order of NGX_HTTP_SCEP_CHALLENGE_... */

static const char  *ngx_http_scep_challenge_words[] = {
    "off", "static", "one-time"
};


ngx_int_t
ngx_http_scep_page(ngx_http_request_t *r, ngx_http_enroll_request_t *er,
    ngx_http_scep_loc_conf_t *sclcf)
{
    enroll_outcome_e  rc;

    if (ngx_http_enroll_page_kind(er) == NGX_HTTP_ENROLL_PAGE_CONFIGURATION
        && !sclcf->debug)
    {
        er->unrecorded = sclcf->unrecorded;

        rc = r->connection->ssl ? ngx_http_enroll_certificate(r, er, NULL)
                                : ENROLL_NO_CLIENT_CERT;

        if (rc != ENROLL_OK) {
            return ngx_http_enroll_end(r, er, rc);
        }
    }

    return ngx_http_enroll_page_start(r, er);
}


static void
ngx_http_scep_describe(ngx_http_request_t *r, ngx_http_enroll_request_t *er,
    ngx_http_enroll_page_t *page, ngx_http_enroll_part_e part)
{
    enroll_json_text_t         *json;
    ngx_http_scep_loc_conf_t   *sclcf;
    ngx_http_scep_main_conf_t  *smcf;

    json = &page->json;

    sclcf = ngx_http_get_module_loc_conf(r, ngx_http_scep_module);
    smcf = ngx_http_get_module_main_conf(r, ngx_http_scep_module);

    switch (part) {

    case NGX_HTTP_ENROLL_PART_OPERATIONS:
        enroll_json_word(json, NULL, "GetCACaps");
        enroll_json_word(json, NULL, "GetCACert");

        if (smcf->next_ca[er->ca->index].len) {
            enroll_json_word(json, NULL, "GetNextCACert");
        }

        enroll_json_word(json, NULL, "PKIOperation");
        break;

    case NGX_HTTP_ENROLL_PART_CAPABILITIES:
        enroll_json_flag(json, "tls_client_auth", 0);
        enroll_json_flag(json, "http_basic_auth", 0);
        enroll_json_word(json, "proof_of_possession", "signature");
        enroll_json_word(json, "challenge_password",
                         ngx_http_scep_challenge_words[sclcf->challenge]);
        ngx_http_scep_describe_caps(er, page, sclcf);
        break;

    case NGX_HTTP_ENROLL_PART_INFO:
        ngx_http_scep_describe_info(r, er, page, sclcf);
        break;

    case NGX_HTTP_ENROLL_PART_SETTINGS:
        ngx_http_scep_describe_settings(page, sclcf);
        break;

    default: /* NGX_HTTP_ENROLL_PART_EXAMPLES */
        ngx_http_scep_describe_examples(er, page, sclcf);
        break;
    }
}


/* the lines of GetCACaps */

static void
ngx_http_scep_describe_caps(ngx_http_enroll_request_t *er,
    ngx_http_enroll_page_t *page, ngx_http_scep_loc_conf_t *sclcf)
{
    u_char               text[ENROLL_SCEP_CAPS_LEN], *p, *lf, *last;
    enroll_json_text_t  *json;

    json = &page->json;

    enroll_json_array(json, "GetCACaps");

    last = text + ngx_http_scep_caps(er, sclcf, text);

    for (p = text; p < last; p = lf + 1) {

        lf = ngx_strlchr(p, last, LF);

        if (lf == NULL) {
            lf = last;
        }

        enroll_json_string(json, NULL, p, lf - p);
    }

    enroll_json_array_end(json);
}


static void
ngx_http_scep_describe_info(ngx_http_request_t *r,
    ngx_http_enroll_request_t *er, ngx_http_enroll_page_t *page,
    ngx_http_scep_loc_conf_t *sclcf)
{
    const char          *no;
    enroll_json_text_t  *json;

    json = &page->json;

    enroll_json_array(json, "authentication");

    if (sclcf->challenge == NGX_HTTP_SCEP_CHALLENGE_STATIC) {
        enroll_json_word(json, NULL, "challenge_password");

    } else if (sclcf->challenge == NGX_HTTP_SCEP_CHALLENGE_ONE_TIME) {
        enroll_json_word(json, NULL, "one_time_challenge_password");

    } else if (!er->elcf->approval) {
        enroll_json_word(json, NULL, "none");
    }

    enroll_json_word(json, NULL, "certificate_to_renew");
    enroll_json_array_end(json);

    enroll_json_array(json, "security");
    enroll_json_word(json, NULL, "proof_of_possession");
    enroll_json_word(json, NULL, "signed_messages");
    enroll_json_word(json, NULL, "replayed_nonces_refused");
    enroll_json_word(json, NULL, "revocation_of_clients");

    if (!sclcf->unrecorded) {
        enroll_json_word(json, NULL, "recorded_clients_only");
    }

    if (sclcf->failures) {
        enroll_json_word(json, NULL, "failure_limit");
    }

    if (er->elcf->approval) {
        enroll_json_word(json, NULL, "manual_approval");
    }

    enroll_json_array_end(json);

    ngx_http_scep_describe_legacy(page, sclcf);

    no = ngx_http_scep_no_client(er, sclcf);

    enroll_json_object(json, "compatibility");
    ngx_http_enroll_page_client(page, "intune",
                                no ? no
                                : ngx_http_scep_no_intune(r, er, sclcf));
    ngx_http_enroll_page_client(page, "ios", no);
    ngx_http_enroll_page_client(page, "android", no);
    enroll_json_object_end(json);
}


/* what no client of the managed devices can do with */

static const char *
ngx_http_scep_no_client(ngx_http_enroll_request_t *er,
    ngx_http_scep_loc_conf_t *sclcf)
{
    if (ngx_http_scep_key_bits(er) == 0) {
        return "Its keys are RSA of 2048 or 4096 bits, and the profile takes "
               "neither.";
    }

    if (sclcf->ca_certs == NGX_HTTP_SCEP_CERTS_ISSUER
        && sk_X509_value(er->ca->ra.certs, 0)
           != sk_X509_value(er->ca->pki.chain, 0))
    {
        return "GetCACert does not carry the certificate to encrypt for: see "
               "scep_ca_certs.";
    }

    return NULL;
}


static const char *
ngx_http_scep_no_intune(ngx_http_request_t *r, ngx_http_enroll_request_t *er,
    ngx_http_scep_loc_conf_t *sclcf)
{
    ngx_connection_t  *c;

    c = r->connection;

    if (sclcf->challenge != NGX_HTTP_SCEP_CHALLENGE_OFF) {
        return "It sends challenges of its own, which this location does not "
               "take.";
    }

    if (sclcf->ca_certs == NGX_HTTP_SCEP_CERTS_CHAIN
        && sk_X509_num(er->ca->pki.chain) > 1)
    {
        return "Its clients fail where GetCACert carries the whole chain: see "
               "scep_ca_certs.";
    }

    if (sclcf->chain) {
        return "Its clients want the certificate alone in the answer: see "
               "scep_chain.";
    }

    if (c->ssl
        && (SSL_get_verify_mode(c->ssl->connection) & SSL_VERIFY_PEER))
    {
        return "Windows fails where TLS asks for a client certificate: see "
               "ssl_verify_client.";
    }

    return NULL;
}


/* the RSA key that managed devices can make, or 0 */

static ngx_uint_t
ngx_http_scep_key_bits(ngx_http_enroll_request_t *er)
{
    enroll_key_t  key;

    key.kind = ENROLL_KEY_RSA;
    key.nid = 0;

    for (key.bits = 2048; key.bits <= 4096; key.bits += 2048) {
        if (enroll_key_allowed(&er->profile->pki.keys, &key)) {
            return key.bits;
        }
    }

    return 0;
}


static void
ngx_http_scep_describe_legacy(ngx_http_enroll_page_t *page,
    ngx_http_scep_loc_conf_t *sclcf)
{
    ngx_uint_t           legacy;
    ngx_conf_bitmask_t  *mask;

    legacy = sclcf->legacy & ~NGX_CONF_BITMASK_SET;

    enroll_json_array(&page->json, "legacy_algorithms");

    for (mask = ngx_http_scep_legacy_names; mask->name.len; mask++) {
        if (legacy & mask->mask) {
            enroll_json_string(&page->json, NULL, mask->name.data,
                               mask->name.len);
        }
    }

    enroll_json_array_end(&page->json);
}


static void
ngx_http_scep_describe_settings(ngx_http_enroll_page_t *page,
    ngx_http_scep_loc_conf_t *sclcf)
{
    ngx_str_t           *word;
    enroll_json_text_t  *json;

    json = &page->json;
    word = &ngx_http_scep_ca_certs[sclcf->ca_certs].name;

    enroll_json_flag(json, "challenge_password_required",
                     sclcf->challenge != NGX_HTTP_SCEP_CHALLENGE_OFF);
    enroll_json_word(json, "challenge_password",
                     ngx_http_scep_challenge_words[sclcf->challenge]);
    enroll_json_string(json, "ca_certs", word->data, word->len);
    enroll_json_flag(json, "chain", sclcf->chain);
    ngx_http_scep_describe_legacy(page, sclcf);
    enroll_json_flag(json, "unrecorded", sclcf->unrecorded);
    enroll_json_flag(json, "debug", sclcf->debug);
    enroll_json_number(json, "repeat_seconds", sclcf->repeat / 1000);
    enroll_json_number(json, "failure_limit", sclcf->failures);
    enroll_json_number(json, "failure_limit_seconds",
                       sclcf->failures_time / 1000);
    enroll_json_flag(json, "get_cert_clients", sclcf->readers != NULL);

    enroll_json_object(json, "content_types");
    enroll_json_word(json, "PKIOperation", "application/x-pki-message");
    enroll_json_word(json, "GetCACaps", "text/plain");
    enroll_json_array(json, "GetCACert");
    enroll_json_word(json, NULL, "application/x-x509-ca-cert");
    enroll_json_word(json, NULL, "application/x-x509-ca-ra-cert");
    enroll_json_array_end(json);
    enroll_json_object_end(json);
}


/*
 * Lines for a shell, in their order.  What differs from device to device is in
 * variables.
 */

static void
ngx_http_scep_describe_examples(ngx_http_enroll_request_t *er,
    ngx_http_enroll_page_t *page, ngx_http_scep_loc_conf_t *sclcf)
{
    X509                *ca, *enc;
    ngx_str_t           *url, *name;
    ngx_uint_t           bits, bag, challenge;
    enroll_json_text_t  *json;

    json = &page->json;
    url = &page->url;
    name = &er->ca->name;

    ca = sk_X509_value(er->ca->pki.chain, 0);
    enc = sk_X509_value(er->ca->ra.certs, 0);

    /* as GetCACert has it */

    bag = (sclcf->ca_certs != NGX_HTTP_SCEP_CERTS_ISSUER && enc != ca)
          || (sclcf->ca_certs == NGX_HTTP_SCEP_CERTS_CHAIN
              && sk_X509_num(er->ca->pki.chain) > 1);

    challenge = (sclcf->challenge != NGX_HTTP_SCEP_CHALLENGE_OFF);

    enroll_json_object(json, "variables");
    enroll_json_word(json, "DEVICE", "the name of the device");

    if (challenge) {
        enroll_json_word(json, "CHALLENGE", "its challenge password");
    }

    enroll_json_object_end(json);

    enroll_json_array(json, "curl");
    ngx_http_enroll_page_text(page, NULL,
                              "curl -fsS '%V?operation=GetCACaps'", url);
    ngx_http_enroll_page_text(page, NULL,
                              "curl -fsS -o ca.der "
                              "'%V?operation=GetCACert'", url);
    enroll_json_array_end(json);

    enroll_json_array(json, "openssl");
    enroll_json_word(json, NULL,
                     bag ? "openssl pkcs7 -inform DER -in ca.der -print_certs "
                           "-out ca.crt"
                         : "openssl x509 -inform DER -in ca.der -out ca.crt");
    enroll_json_word(json, NULL,
                     "openssl x509 -in ca.crt -noout -subject -fingerprint "
                     "-sha256");
    enroll_json_array_end(json);

    bits = ngx_http_enroll_page_rsa(er, 2048);

    if (bits == 0
        || (sclcf->ca_certs == NGX_HTTP_SCEP_CERTS_ISSUER && enc != ca))
    {
        /* see ngx_http_scep_no_client() */

        return;
    }

    ngx_http_scep_describe_strongswan(er, page, bits, challenge);

    enroll_json_array(json, "certmonger");

    if (enc == ca) {
        ngx_http_enroll_page_text(page, NULL,
                              "curl -fsS '%V?operation=GetCACert' | openssl "
                              "x509 -inform DER -out \"$PWD/ca.pem\"", url);
    }

    ngx_http_enroll_page_text(page, NULL,
                              "getcert add-scep-ca -c %V -u %V%s", name, url,
                              enc == ca ? " -r \"$PWD/ca.pem\" -N "
                                          "\"$PWD/ca.pem\"" : "");
    ngx_http_enroll_page_text(page, NULL,
                              "getcert request -c %V -G rsa -g %ui -k "
                              "\"$PWD/device.key\" -f \"$PWD/device.crt\" -N "
                              "\"CN=$DEVICE\"%s -w -v", name, bits,
                              challenge ? " -L \"$CHALLENGE\"" : "");
    enroll_json_array_end(json);

    bits = ngx_http_scep_key_bits(er);

    if (bits) {
        ngx_http_scep_describe_apple(er, page, bits, challenge);
        ngx_http_scep_describe_intune(er, page, bits);
    }
}


static void
ngx_http_scep_describe_strongswan(ngx_http_enroll_request_t *er,
    ngx_http_enroll_page_t *page, ngx_uint_t bits, ngx_uint_t challenge)
{
    X509                *ca, *enc;
    ngx_str_t            decrypts, signs;
    const char          *certs;
    enroll_json_text_t  *json;

    json = &page->json;

    ca = sk_X509_value(er->ca->pki.chain, 0);
    enc = sk_X509_value(er->ca->ra.certs, 0);

    enroll_json_array(json, "strongswan");
    ngx_http_enroll_page_text(page, NULL,
                              "pki --gen --type rsa --size %ui --outform pem "
                              "> device.key", bits);
    ngx_http_enroll_page_text(page, NULL,
                              "pki --scepca --url %V --caout ca.pem --raout "
                              "ra.pem --outform pem --force", &page->url);

    certs = (enc == ca) ? "--cacert-enc ca.pem --cacert-sig ca.pem"
                        : "--cacert-enc ra.pem --cacert-sig ra.pem";

    if (enc != er->ca->ra.sign_cert) {

        /* which file has which of two is its own matter */

        if (ngx_http_enroll_serial(er->pool, &decrypts, enc) != NGX_OK
            || ngx_http_enroll_serial(er->pool, &signs, er->ca->ra.sign_cert)
               != NGX_OK)
        {
            json->failed = 1;
            return;
        }

        ngx_http_enroll_page_text(page, NULL,
                              "for f in ra*.pem; do case $(openssl x509 -in "
                              "$f -noout -serial) in serial=%V) enc=$f;; "
                              "serial=%V) sig=$f;; esac; done", &decrypts,
                              &signs);

        certs = "--cacert-enc \"$enc\" --cacert-sig \"$sig\"";
    }

    ngx_http_enroll_page_text(page, NULL,
                              "pki --scep --url %V --in device.key --dn "
                              "\"CN=$DEVICE\"%s %s --cacert ca.pem --outform "
                              "pem > device.crt", &page->url,
                              challenge ? " --password \"$CHALLENGE\"" : "",
                              certs);
    enroll_json_array_end(json);
}


/* the URL and the CA's name have nothing in them that XML knows */

static void
ngx_http_scep_describe_apple(ngx_http_enroll_request_t *er,
    ngx_http_enroll_page_t *page, ngx_uint_t bits, ngx_uint_t challenge)
{
    u_char  hex[2 * ENROLL_DIGEST_LEN], uuid[2][sizeof("-") * 5 + 32], *p;
    size_t  i, n;

    /* the same for a CA wherever it is served */

    (void) ngx_hex_dump(hex, er->ca->key_digest, ENROLL_DIGEST_LEN);

    for (i = 0; i < 2; i++) {

        p = uuid[i];

        for (n = 0; n < 32; n++) {

            if (n == 8 || n == 12 || n == 16 || n == 20) {
                *p++ = '-';
            }

            *p++ = hex[i * 32 + n];
        }

        *p = '\0';
    }

    ngx_http_enroll_page_text(page, "apple",
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
        "<plist version=\"1.0\"><dict>\n"
        "<key>PayloadType</key><string>Configuration</string>\n"
        "<key>PayloadVersion</key><integer>1</integer>\n"
        "<key>PayloadIdentifier</key><string>enroll.%V</string>\n"
        "<key>PayloadUUID</key><string>%s</string>\n"
        "<key>PayloadDisplayName</key><string>%V</string>\n"
        "<key>PayloadContent</key><array><dict>\n"
        "<key>PayloadType</key>"
        "<string>com.apple.security.scep</string>\n"
        "<key>PayloadVersion</key><integer>1</integer>\n"
        "<key>PayloadIdentifier</key><string>enroll.%V.scep</string>\n"
        "<key>PayloadUUID</key><string>%s</string>\n"
        "<key>PayloadContent</key><dict>\n"
        "<key>URL</key><string>%V</string>\n"
        "<key>Name</key><string>%V</string>\n"
        "<key>Subject</key><array><array><array><string>CN</string>"
        "<string>DEVICE</string></array></array></array>\n"
        "%s"
        "<key>Key Type</key><string>RSA</string>\n"
        "<key>Keysize</key><integer>%ui</integer>\n"
        "<key>Key Usage</key><integer>5</integer>\n"
        "</dict></dict></array></dict></plist>\n",
        &er->ca->name, uuid[0], &er->ca->name, &er->ca->name, uuid[1],
        &page->url, &er->ca->name,
        challenge ? "<key>Challenge</key><string>CHALLENGE</string>\n" : "",
        bits);
}


/* as the Graph API takes it; the root is a profile of its own there */

static void
ngx_http_scep_describe_intune(ngx_http_enroll_request_t *er,
    ngx_http_enroll_page_t *page, ngx_uint_t bits)
{
    time_t               days;
    enroll_json_text_t  *json;

    json = &page->json;

    days = er->profile->pki.validity / 86400;

    enroll_json_object(json, "intune");
    enroll_json_word(json, "@odata.type",
                     "#microsoft.graph.windows81SCEPCertificateProfile");
    ngx_http_enroll_page_text(page, "displayName", "%V", &er->ca->name);

    enroll_json_array(json, "scepServerUrls");
    enroll_json_string(json, NULL, page->url.data, page->url.len);
    enroll_json_array_end(json);

    enroll_json_word(json, "subjectNameFormatString", "CN={{DeviceName}}");
    enroll_json_word(json, "subjectNameFormat", "custom");
    enroll_json_word(json, "keyUsage", "keyEncipherment,digitalSignature");
    enroll_json_word(json, "keySize", bits == 2048 ? "size2048" : "size4096");
    enroll_json_word(json, "hashAlgorithm", "sha2");
    enroll_json_word(json, "certificateValidityPeriodScale", "days");
    enroll_json_number(json, "certificateValidityPeriodValue",
                       ngx_max(days, 1));
    enroll_json_number(json, "renewalThresholdPercentage", 20);
    enroll_json_object_end(json);
}
