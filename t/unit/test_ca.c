
/*
 * Copyright (C) The nginx-enroll authors
 */


/* CAs: what is taken, what is said of the rest, and who issued what. */


#include <stdio.h>
#include <openssl/bio.h>
#include <openssl/pem.h>

#include "unit_make.h"

#include "enroll_ca.h"


static EVP_PKEY  *key_a;
static EVP_PKEY  *key_b;
static EVP_PKEY  *key_c;


static int
setup(void **state)
{
    (void) state;

    key_a = make_key("P-256");
    key_b = make_key("P-256");
    key_c = make_key("P-256");

    return key_a == NULL || key_b == NULL || key_c == NULL;
}


static int
teardown(void **state)
{
    (void) state;

    EVP_PKEY_free(key_a);
    EVP_PKEY_free(key_b);
    EVP_PKEY_free(key_c);

    return 0;
}


/* takes the certificates over, and one reference of the key */

static void
ca_of(enroll_ca_t *ca, EVP_PKEY *key, X509 *x, ...)
{
    va_list  args;

    memset(ca, 0, sizeof(enroll_ca_t));

    ca->chain = sk_X509_new_null();
    ca->key = key;

    if (key != NULL) {
        EVP_PKEY_up_ref(key);
    }

    va_start(args, x);

    for ( ; x != NULL; x = va_arg(args, X509 *)) {
        sk_X509_push(ca->chain, x);
    }

    va_end(args);
}


static STACK_OF(X509) *
list_of(X509 *x)
{
    STACK_OF(X509)  *list;

    list = sk_X509_new_null();
    sk_X509_push(list, x);

    return list;
}


/* with extensions and dates of its own */

static X509 *
cert_as(const char *cn, EVP_PKEY *key, X509 *issuer, EVP_PKEY *by, time_t from,
    time_t until, const char *const *exts)
{
    X509       *x;
    X509_NAME  *name;

    name = cn != NULL ? make_name(cn, NULL) : X509_NAME_new();
    x = make_cert(name, key, issuer, by, from, until, exts);
    X509_NAME_free(name);

    return x;
}


static void
accepted(enroll_ca_t *ca)
{
    char  error[ENROLL_ERROR_TEXT];

    error[0] = '\0';

    if (!enroll_ca_init(ca, MAKE_NOW, error)) {
        fail_msg("%s", error);
    }

    assert_int_equal(ERR_peek_error(), 0);
    enroll_ca_cleanup(ca);
}


static void
refused(enroll_ca_t *ca, const char *why)
{
    char  error[ENROLL_ERROR_TEXT];

    error[0] = '\0';

    assert_int_equal(enroll_ca_init(ca, MAKE_NOW, error), 0);

    if (strcmp(error, why) != 0) {
        fail_msg("\"%s\", not \"%s\"", error, why);
    }

    assert_int_equal(ERR_peek_error(), 0);
    enroll_ca_cleanup(ca);
}


static void
key_kinds(void **state)
{
    char           error[ENROLL_ERROR_TEXT];
    size_t         i;
    EVP_PKEY      *key;
    enroll_ca_t    ca;

    static const struct {
        const char  *kind;
        int          digest;
        int          cheap;
        int          ok;
    } t[] = {
        { "RSA-2048", NID_sha256, 0, 1 },
        { "P-256", NID_sha256, 1, 1 },
        { "P-384", NID_sha384, 0, 1 },
        { "P-521", NID_sha512, 0, 1 },
        { "ED25519", NID_undef, 1, 1 },
        { "ED448", NID_undef, 0, 1 },
        { "ML-DSA-44", NID_undef, 0, 1 },
        { "RSA-1024", NID_undef, 0, 0 },
        { "P-224", NID_undef, 0, 0 },
        { "secp256k1", NID_undef, 0, 0 },
    };

    (void) state;

    for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {

        key = make_key(t[i].kind);
        if (key == NULL) {
            ERR_clear_error();
            continue;
        }

        ca_of(&ca, key, make_ca("Root", key, NULL, key), NULL);

        if (enroll_ca_init(&ca, MAKE_NOW, error) != t[i].ok) {
            fail_msg("%s: %s", t[i].kind, error);
        }

        if (t[i].ok) {
            assert_int_equal(ca.digest != NULL ? EVP_MD_get_type(ca.digest)
                                               : NID_undef,
                             t[i].digest);
            assert_int_equal(ca.cheap, t[i].cheap);

            /* a key elsewhere may take any time */

            ca.remote = 1;
            assert_int_equal(enroll_ca_init(&ca, MAKE_NOW, error), 1);
            assert_int_equal(ca.cheap, 0);
        }

        enroll_ca_cleanup(&ca);
        EVP_PKEY_free(key);
    }

    key = make_key("RSA-1024");
    ca_of(&ca, key, make_ca("Root", key, NULL, key), NULL);
    refused(&ca, "\"CN=Root\": the RSA key has 1024 bits, a CA needs 2048");
    EVP_PKEY_free(key);
}


static void
chains(void **state)
{
    X509                     *root, *sub, *leaf;
    enroll_ca_t               ca;

    static const char *const  none[] = { NULL };

    static const char *const  plain[] = {
        "basicConstraints", "critical,CA:TRUE", NULL
    };

    static const char *const  narrow[] = {
        "basicConstraints", "critical,CA:TRUE,pathlen:0",
        "keyUsage", "critical,keyCertSign",
        NULL
    };

    static const char *const  usage[] = {
        "basicConstraints", "critical,CA:TRUE",
        "keyUsage", "critical,cRLSign",
        NULL
    };

    (void) state;

    ca_of(&ca, NULL, NULL);
    refused(&ca, "there is no certificate");

    /* one, two, three */

    root = make_ca("Root", key_a, NULL, key_a);
    ca_of(&ca, key_a, root, NULL);
    accepted(&ca);

    root = make_ca("Root", key_a, NULL, key_a);
    sub = make_ca("Sub", key_b, root, key_a);
    ca_of(&ca, key_b, sub, root, NULL);
    accepted(&ca);

    root = make_ca("Root", key_a, NULL, key_a);
    sub = make_ca("Sub", key_b, root, key_a);
    leaf = make_ca("Low", key_c, sub, key_b);
    ca_of(&ca, key_c, leaf, sub, root, NULL);
    accepted(&ca);

    /* without keyUsage, and without a key: that of an RA's issuer */

    ca_of(&ca, NULL, cert_as("CN=Root", key_a, NULL, key_a, MAKE_NOW,
                             MAKE_NOW, plain), NULL);
    accepted(&ca);

    /* the order and what is missing */

    root = make_ca("Root", key_a, NULL, key_a);
    sub = make_ca("Sub", key_b, root, key_a);
    X509_free(root);
    ca_of(&ca, key_b, sub, NULL);
    refused(&ca, "\"CN=Sub\": the chain ends here, but the issuer "
                 "\"CN=Root\" is missing: append it to the file");

    root = make_ca("Root", key_a, NULL, key_a);
    sub = make_ca("Sub", key_b, root, key_a);
    ca_of(&ca, key_a, root, sub, NULL);
    refused(&ca, "\"CN=Root\": the certificate is self-signed, but others "
                 "follow it: remove them");

    root = make_ca("Root", key_a, NULL, key_a);
    sub = make_ca("Sub", key_b, root, key_a);
    leaf = make_ca("Low", key_c, sub, key_b);
    X509_free(sub);
    ca_of(&ca, key_c, leaf, root, NULL);
    refused(&ca, "\"CN=Low\": the next certificate must be its issuer "
                 "\"CN=Sub\", not \"CN=Root\"");

    /* one of the same name with another key: told by its identifier ... */

    root = make_ca("Root", key_a, NULL, key_a);
    sub = cert_as("CN=Sub", key_b, root, key_a, MAKE_NOW, MAKE_NOW,
                  (const char *const []) {
                      "basicConstraints", "critical,CA:TRUE",
                      "authorityKeyIdentifier", "keyid", NULL });
    X509_free(root);
    ca_of(&ca, key_b, sub, make_ca("Root", key_c, NULL, key_c), NULL);
    refused(&ca, "\"CN=Sub\": the certificate was not issued by the "
                 "\"CN=Root\" in this file: authority and subject key "
                 "identifier mismatch");

    /* ... or by the signature */

    root = make_ca("Root", key_a, NULL, key_a);
    sub = make_ca("Sub", key_b, root, key_a);
    X509_free(root);
    ca_of(&ca, key_b, sub, make_ca("Root", key_c, NULL, key_c), NULL);
    refused(&ca, "\"CN=Sub\": the certificate was not issued by the "
                 "\"CN=Root\" in this file: its signature does not verify");

    ca_of(&ca, NULL, cert_as("CN=Root", key_a, NULL, key_b, MAKE_NOW,
                             MAKE_NOW, plain), NULL);
    refused(&ca, "\"CN=Root\": the certificate was not issued by the "
                 "\"CN=Root\" in this file: its signature does not verify");

    /* what a CA certificate says of itself */

    ca_of(&ca, key_a, cert_as("CN=Root", key_a, NULL, key_a, MAKE_NOW,
                              MAKE_NOW, none), NULL);
    refused(&ca, "\"CN=Root\": the certificate is not a CA "
                 "(basicConstraints)");

    ca_of(&ca, key_a, cert_as("CN=Root", key_a, NULL, key_a, MAKE_NOW,
                              MAKE_NOW, usage), NULL);
    refused(&ca, "\"CN=Root\": the certificate may not sign certificates "
                 "(keyUsage lacks keyCertSign)");

    ca_of(&ca, key_a, cert_as(NULL, key_a, NULL, key_a, MAKE_NOW, MAKE_NOW,
                              plain), NULL);
    refused(&ca, "\"\": the subject of a CA must not be empty");

    root = cert_as("CN=Root", key_a, NULL, key_a, MAKE_NOW, MAKE_NOW, narrow);
    ca_of(&ca, key_a, root, NULL);
    accepted(&ca);

    root = cert_as("CN=Root", key_a, NULL, key_a, MAKE_NOW, MAKE_NOW, narrow);
    sub = make_ca("Sub", key_b, root, key_a);
    ca_of(&ca, key_b, sub, root, NULL);
    refused(&ca, "\"CN=Root\": its basicConstraints allow 0 CA below it, "
                 "there are 1");

    /* also further up */

    root = cert_as("CN=Root", key_a, NULL, key_a, MAKE_NOW, MAKE_NOW, none);
    sub = make_ca("Sub", key_b, root, key_a);
    ca_of(&ca, key_b, sub, root, NULL);
    refused(&ca, "\"CN=Root\": the certificate is not a CA "
                 "(basicConstraints)");
}


static void
dates(void **state)
{
    X509                     *x;
    size_t                    i;
    enroll_ca_t               ca;

    static const char *const  plain[] = {
        "basicConstraints", "critical,CA:TRUE", NULL
    };

    static const struct {
        time_t            from;
        time_t            until;
        enroll_outcome_e  outcome;
    } t[] = {
        { MAKE_NOW, MAKE_NOW, ENROLL_OK },         /* both ends are inside */
        { MAKE_NOW - 1, MAKE_NOW + 1, ENROLL_OK },
        { MAKE_NOW + 1, MAKE_NOW + 2, ENROLL_CERT_EXPIRED },
        { MAKE_NOW - 2, MAKE_NOW - 1, ENROLL_CERT_EXPIRED },
    };

    (void) state;

    for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
        x = cert_as("CN=a", key_a, NULL, key_a, t[i].from, t[i].until, NULL);
        assert_int_equal(enroll_cert_dates(x, MAKE_NOW), t[i].outcome);
        X509_free(x);
    }

    x = cert_as("CN=a", key_a, NULL, key_a, MAKE_NOW, MAKE_NOW, NULL);
    ASN1_STRING_set(X509_getm_notAfter(x), "9913", -1);
    assert_int_equal(enroll_cert_dates(x, MAKE_NOW), ENROLL_CERT_EXPIRED);
    X509_free(x);

    ca_of(&ca, key_a, cert_as("CN=Old", key_a, NULL, key_a, 0, MAKE_NOW - 1,
                              plain), NULL);
    refused(&ca, "\"CN=Old\": the certificate expired on "
                 "Jan 15 07:59:59 2027 GMT");

    ca_of(&ca, key_a, cert_as("CN=New", key_a, NULL, key_a, MAKE_NOW + 1,
                              MAKE_NOW + 2, plain), NULL);
    refused(&ca, "\"CN=New\": the certificate is not valid before "
                 "Jan 15 08:00:01 2027 GMT");

    /* predecessors and successors are taken whatever their dates */

    ca_of(&ca, key_a, make_ca("Root", key_a, NULL, key_a), NULL);
    ca.previous = list_of(cert_as("CN=Old", key_b, NULL, key_b, 0, 1, plain));
    ca.next = list_of(cert_as("CN=New", key_c, NULL, key_c, MAKE_NOW + 1,
                              MAKE_NOW + 2, plain));
    accepted(&ca);

    /* but they are CAs */

    ca_of(&ca, key_a, make_ca("Root", key_a, NULL, key_a), NULL);
    ca.previous = list_of(cert_as("CN=Old", key_b, NULL, key_b, 0, 1, NULL));
    refused(&ca, "\"CN=Old\": the certificate is not a CA "
                 "(basicConstraints)");

    ca_of(&ca, key_a, make_ca("Root", key_a, NULL, key_a), NULL);
    ca.next = list_of(cert_as("CN=New", key_b, NULL, key_b, 0, 1, NULL));
    refused(&ca, "\"CN=New\": the certificate is not a CA "
                 "(basicConstraints)");
}


static void
key_fits(void **state)
{
    BIO          *bio;
    char          error[ENROLL_ERROR_TEXT];
    EVP_PKEY     *public;
    enroll_ca_t   ca;

    (void) state;

    ca_of(&ca, key_b, make_ca("Root", key_a, NULL, key_a), NULL);
    refused(&ca, "\"CN=Root\": the key does not match the certificate");

    ca_of(&ca, key_b, make_ca("Root", key_a, NULL, key_a), NULL);
    ca.remote = 1;
    refused(&ca, "\"CN=Root\": the key does not match the certificate: "
                 "a trial signature does not verify");

    /* a key without its private part */

    bio = BIO_new(BIO_s_mem());
    PEM_write_bio_PUBKEY(bio, key_a);
    public = PEM_read_bio_PUBKEY(bio, NULL, NULL, NULL);
    BIO_free(bio);

    ca_of(&ca, public, make_ca("Root", key_a, NULL, key_a), NULL);
    assert_int_equal(enroll_ca_init(&ca, MAKE_NOW, error), 0);
    assert_non_null(strstr(error, "\"CN=Root\": the key cannot sign: "));
    assert_int_equal(ERR_peek_error(), 0);
    enroll_ca_cleanup(&ca);
    EVP_PKEY_free(public);
}


static void
key_identifier(void **state)
{
    char                      error[ENROLL_ERROR_TEXT];
    X509                     *x;
    enroll_ca_t               ca;
    unsigned char             md[EVP_MAX_MD_SIZE];
    AUTHORITY_KEYID          *akid;
    const ASN1_BIT_STRING    *bits;

    static const char *const  plain[] = {
        "basicConstraints", "critical,CA:TRUE", NULL
    };

    (void) state;

    x = make_ca("Root", key_a, NULL, key_a);
    ca_of(&ca, key_a, x, NULL);
    assert_int_equal(enroll_ca_init(&ca, MAKE_NOW, error), 1);
    assert_int_equal(X509_EXTENSION_get_critical(ca.aki), 0);

    akid = X509V3_EXT_d2i(ca.aki);
    assert_int_equal(ASN1_OCTET_STRING_cmp(akid->keyid,
                                           X509_get0_subject_key_id(x)), 0);
    assert_null(akid->issuer);
    assert_null(akid->serial);
    AUTHORITY_KEYID_free(akid);
    enroll_ca_cleanup(&ca);

    /* one that has no identifier: SHA-256 of the key, cut */

    x = cert_as("CN=Root", key_a, NULL, key_a, MAKE_NOW, MAKE_NOW, plain);
    ca_of(&ca, key_a, x, NULL);
    assert_int_equal(enroll_ca_init(&ca, MAKE_NOW, error), 1);

    bits = X509_get0_pubkey_bitstr(x);
    EVP_Digest(ASN1_STRING_get0_data(bits),
               (size_t) ASN1_STRING_length(bits), md, NULL, EVP_sha256(),
               NULL);

    akid = X509V3_EXT_d2i(ca.aki);
    assert_int_equal(ASN1_STRING_length(akid->keyid), 20);
    assert_memory_equal(ASN1_STRING_get0_data(akid->keyid), md, 20);
    AUTHORITY_KEYID_free(akid);
    enroll_ca_cleanup(&ca);
}


static void
issuers(void **state)
{
    X509            *root, *old, *leaf, *stray, *found;
    enroll_ca_t      ca;

    (void) state;

    /* two of one name, as after a change of keys */

    root = make_ca("Root", key_a, NULL, key_a);
    old = make_ca("Root", key_b, NULL, key_b);

    ca_of(&ca, key_a, root, NULL);

    leaf = cert_as("CN=dev", key_c, root, key_a, MAKE_NOW, MAKE_NOW, NULL);
    stray = cert_as("CN=dev", key_c, old, key_b, MAKE_NOW, MAKE_NOW, NULL);

    assert_ptr_equal(enroll_ca_issued(&ca, leaf, NULL), root);
    assert_null(enroll_ca_issued(&ca, stray, NULL));
    assert_int_equal(ERR_peek_error(), 0);

    ca.previous = list_of(old);

    found = enroll_ca_issued(&ca, stray, NULL);
    assert_ptr_equal(found, old);
    assert_ptr_equal(enroll_ca_issued(&ca, leaf, NULL), root);

    /* the hint stands for the signature of its own issuer, not of others */

    assert_ptr_equal(enroll_issuer_find(ca.previous, leaf, old), old);
    assert_null(enroll_issuer_find(ca.previous, leaf, root));
    assert_null(enroll_issuer_find(ca.previous, leaf, NULL));
    assert_null(enroll_issuer_find(NULL, leaf, NULL));

    X509_free(leaf);
    X509_free(stray);

    /* nor for a name */

    stray = make_ca("Other", key_c, NULL, key_c);
    leaf = cert_as("CN=dev", key_c, stray, key_c, MAKE_NOW, MAKE_NOW, NULL);
    assert_null(enroll_ca_issued(&ca, leaf, root));

    X509_free(leaf);
    X509_free(stray);
    enroll_ca_cleanup(&ca);
}


/* an end entity of the same CA issues nothing, though its name is right */

static void
issuer_may_sign(void **state)
{
    X509                     *leaf, *fake;
    STACK_OF(X509)           *list;

    static const char *const  usage[] = {
        "keyUsage", "critical,digitalSignature", NULL
    };

    (void) state;

    fake = cert_as("CN=fake", key_a, NULL, key_a, MAKE_NOW, MAKE_NOW, usage);
    leaf = cert_as("CN=dev", key_c, fake, key_a, MAKE_NOW, MAKE_NOW, NULL);
    list = list_of(fake);

    assert_null(enroll_issuer_find(list, leaf, NULL));
    assert_null(enroll_issuer_find(list, leaf, fake));

    sk_X509_pop_free(list, X509_free);
    X509_free(leaf);
}


static void
recheck(void **state)
{
    int                  n;
    X509                *root, *old, *x, *out;
    size_t               len;
    X509_NAME           *name;
    enroll_ca_t          ca;
    enroll_csr_t        *csr;
    unsigned char       *der, *req, *more;
    size_t               i;

    static const struct {
        int               by;        /* 0: this CA, 1: its predecessor, 2: no */
        int               own_key;
        time_t            from;
        time_t            until;
        enroll_outcome_e  outcome;
    } t[] = {
        { 0, 1, MAKE_NOW, MAKE_NOW, ENROLL_OK },
        { 1, 1, MAKE_NOW, MAKE_NOW, ENROLL_OK },
        { 2, 1, MAKE_NOW, MAKE_NOW, ENROLL_STORE_TAMPERED },
        { 0, 0, MAKE_NOW, MAKE_NOW, ENROLL_STORE_TAMPERED },
        { 0, 1, MAKE_NOW - 2, MAKE_NOW - 1, ENROLL_STORE_TAMPERED },
        { 0, 1, MAKE_NOW + 1, MAKE_NOW + 2, ENROLL_STORE_TAMPERED },
    };

    (void) state;

    root = make_ca("Root", key_a, NULL, key_a);
    old = make_ca("Old", key_b, NULL, key_b);

    ca_of(&ca, key_a, root, NULL);
    ca.previous = list_of(old);

    name = make_name("CN=dev", NULL);
    len = make_request(&req, name, key_c, NULL);
    X509_NAME_free(name);
    assert_int_equal(enroll_csr_parse(&csr, req, len), ENROLL_OK);

    for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
        x = cert_as("CN=dev", t[i].own_key ? key_c : key_b,
                    t[i].by == 1 ? old : root,
                    t[i].by == 0 ? key_a : t[i].by == 1 ? key_b : key_c,
                    t[i].from, t[i].until, NULL);

        der = NULL;
        n = i2d_X509(x, &der);
        X509_free(x);

        assert_int_equal(enroll_ca_recheck(&ca, csr, der, (size_t) n,
                                           MAKE_NOW, &out),
                         t[i].outcome);
        assert_int_equal(out != NULL, t[i].outcome == ENROLL_OK);
        X509_free(out);

        /* cut short, and with something behind */

        assert_int_equal(enroll_ca_recheck(&ca, csr, der, (size_t) n - 1,
                                           MAKE_NOW, &out),
                         ENROLL_STORE_TAMPERED);
        assert_null(out);

        more = OPENSSL_zalloc((size_t) n + 1);
        memcpy(more, der, (size_t) n);
        assert_int_equal(enroll_ca_recheck(&ca, csr, more, (size_t) n + 1,
                                           MAKE_NOW, &out),
                         ENROLL_STORE_TAMPERED);
        assert_null(out);

        /* the signature's last octet */

        more[n - 1] ^= 1;
        assert_int_equal(enroll_ca_recheck(&ca, csr, more, (size_t) n,
                                           MAKE_NOW, &out),
                         ENROLL_STORE_TAMPERED);
        assert_null(out);

        OPENSSL_free(more);
        OPENSSL_free(der);
    }

    assert_int_equal(enroll_ca_recheck(&ca, csr, req, 0, MAKE_NOW, &out),
                     ENROLL_STORE_TAMPERED);
    assert_int_equal(ERR_peek_error(), 0);

    enroll_csr_free(csr);
    OPENSSL_free(req);
    enroll_ca_cleanup(&ca);
}


static char *
pem_of(BIO *bio, size_t *len)
{
    char  *data;

    *len = (size_t) BIO_get_mem_data(bio, &data);

    return data;
}


static void
pem(void **state)
{
    BIO             *bio;
    X509            *a, *b;
    char             error[ENROLL_ERROR_TEXT], *data;
    size_t           i, len;
    STACK_OF(X509)  *certs;

    static const struct {
        const char  *pem;
        const char  *error;
    } t[] = {
        { "", "there is no PEM certificate" },
        { "hello\n", "there is no PEM certificate" },
        { "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n",
          "certificate 1 is malformed: " },
        { "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n",
          "certificate 1 is malformed: " },
        { "-----BEGIN CERTIFICATE-----\nMAA=\n",
          "certificate 1 is malformed: " },

        /* nobody is asked for a password */

        { "-----BEGIN CERTIFICATE-----\nProc-Type: 4,ENCRYPTED\n"
          "DEK-Info: AES-128-CBC,00112233445566778899AABBCCDDEEFF\n\n"
          "MAAAAAAAAAAAAAAAAAAAAA==\n-----END CERTIFICATE-----\n",
          "certificate 1 is malformed: " },
    };

    (void) state;

    for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
        error[0] = '\0';
        assert_null(enroll_certs_parse(t[i].pem, strlen(t[i].pem), error));
        assert_memory_equal(error, t[i].error, strlen(t[i].error));
        assert_int_equal(ERR_peek_error(), 0);
    }

    /* two, with words and a key between them */

    a = make_ca("A", key_a, NULL, key_a);
    b = make_ca("B", key_b, NULL, key_b);

    bio = BIO_new(BIO_s_mem());
    BIO_puts(bio, "subject=A\n");
    PEM_write_bio_X509(bio, a);
    PEM_write_bio_PUBKEY(bio, key_a);
    BIO_puts(bio, "\nsubject=B\n");
    PEM_write_bio_X509(bio, b);

    data = pem_of(bio, &len);
    certs = enroll_certs_parse(data, len, error);

    assert_int_equal(sk_X509_num(certs), 2);
    assert_int_equal(X509_cmp(sk_X509_value(certs, 0), a), 0);
    assert_int_equal(X509_cmp(sk_X509_value(certs, 1), b), 0);
    assert_int_equal(ERR_peek_error(), 0);

    sk_X509_pop_free(certs, X509_free);

    BIO_puts(bio, "-----BEGIN CERTIFICATE-----\nMAA=\n"
                  "-----END CERTIFICATE-----\n");

    data = pem_of(bio, &len);
    assert_null(enroll_certs_parse(data, len, error));
    assert_memory_equal(error, "certificate 3 is malformed: ", 28);

    BIO_free(bio);
    X509_free(a);
    X509_free(b);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(key_kinds),
        cmocka_unit_test(chains),
        cmocka_unit_test(dates),
        cmocka_unit_test(key_fits),
        cmocka_unit_test(key_identifier),
        cmocka_unit_test(issuers),
        cmocka_unit_test(issuer_may_sign),
        cmocka_unit_test(recheck),
        cmocka_unit_test(pem),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
