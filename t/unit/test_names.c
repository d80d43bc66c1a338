
/*
 * Copyright (C) The nginx-enroll authors
 */


/* Subjects, what a renewal keeps, and who may ask for which name. */

/*
 * Conformance: PKIX-007
 */


#include <stdio.h>
#include <stdlib.h>

#include "unit_make.h"

#include "enroll_names.h"
#include "enroll_san.h"
#include "enroll_text.h"


#define UPN  "otherName:1.3.6.1.4.1.311.20.2.3;UTF8:"
#define SID  "tag:microsoft.com,2022-09-14:sid:S-1-5-21-1-2-3-500"


static void
subject_values(void **state)
{
    size_t                  i;
    enroll_csr_t            csr;
    const ASN1_STRING      *made;
    enroll_names_t          names;
    enroll_outcome_e        outcome;

    /* text: what the certificate has, NULL where the request is refused */

    static const struct {
        int          nid;
        int          type;
        const char  *value;
        size_t       len;
        const char  *text;
        int          made;
    } t[] = {
        { NID_commonName, V_ASN1_UTF8STRING, BYTES("dev-1"), "dev-1",
          V_ASN1_UTF8STRING },
        { NID_commonName, V_ASN1_UTF8STRING, BYTES("Zo\xc3\xab"),
          "Zo\xc3\xab", V_ASN1_UTF8STRING },
        { NID_commonName, V_ASN1_PRINTABLESTRING, BYTES("a@b*"), "a@b*",
          V_ASN1_UTF8STRING },
        { NID_commonName, V_ASN1_T61STRING, BYTES("Zo\xeb"), "Zo\xc3\xab",
          V_ASN1_UTF8STRING },
        { NID_commonName, V_ASN1_BMPSTRING, BYTES("\0a\0\xeb"),
          "a\xc3\xab", V_ASN1_UTF8STRING },
        { NID_commonName, V_ASN1_UNIVERSALSTRING, BYTES("\0\0\0a"), "a",
          V_ASN1_UTF8STRING },
        { NID_commonName, V_ASN1_UTF8STRING, BYTES("a,O=b+C=DE"),
          "a,O=b+C=DE", V_ASN1_UTF8STRING },
        { NID_countryName, V_ASN1_UTF8STRING, BYTES("DE"), "DE",
          V_ASN1_PRINTABLESTRING },
        { NID_serialNumber, V_ASN1_UTF8STRING, BYTES("SN 1-2"), "SN 1-2",
          V_ASN1_PRINTABLESTRING },
        { NID_pkcs9_emailAddress, V_ASN1_UTF8STRING, BYTES("a@b.c"), "a@b.c",
          V_ASN1_IA5STRING },
        { NID_userId, V_ASN1_PRINTABLESTRING, BYTES("u1"), "u1",
          V_ASN1_UTF8STRING },

        { NID_commonName, V_ASN1_UTF8STRING, BYTES(""), NULL, 0 },
        { NID_userId, V_ASN1_UTF8STRING, BYTES(""), NULL, 0 },
        { NID_commonName, V_ASN1_UTF8STRING, BYTES("good.test\0.evil"), NULL,
          0 },
        { NID_commonName, V_ASN1_UTF8STRING, BYTES("a\nb"), NULL, 0 },
        { NID_commonName, V_ASN1_UTF8STRING, BYTES("a\x1b[1m"), NULL, 0 },
        { NID_commonName, V_ASN1_UTF8STRING, BYTES("a\x7f"), NULL, 0 },
        { NID_commonName, V_ASN1_UTF8STRING, BYTES("a\xc2\x85"), NULL, 0 },
        { NID_commonName, V_ASN1_T61STRING, BYTES("a\x9f"), NULL, 0 },
        { NID_commonName, V_ASN1_UTF8STRING, BYTES("a\xff"), NULL, 0 },
        { NID_commonName, V_ASN1_UTF8STRING, BYTES("\xc0\xaf"), NULL, 0 },
        { NID_commonName, V_ASN1_UTF8STRING, BYTES("\xed\xa0\x80"), NULL, 0 },
        { NID_commonName, V_ASN1_UTF8STRING, BYTES("\xf4\x90\x80\x80"), NULL,
          0 },
        { NID_commonName, V_ASN1_BMPSTRING, BYTES("\0a\0"), NULL, 0 },
        { NID_commonName, V_ASN1_UNIVERSALSTRING, BYTES("\0\0a"), NULL, 0 },
        { NID_commonName, V_ASN1_PRINTABLESTRING, BYTES("Zo\xeb"), NULL, 0 },
        { NID_commonName, V_ASN1_IA5STRING, BYTES("Zo\xeb"), NULL, 0 },
        { NID_commonName, V_ASN1_INTEGER, BYTES("\x01"), NULL, 0 },
        { NID_commonName, V_ASN1_OCTET_STRING, BYTES("a"), NULL, 0 },
        { NID_commonName, V_ASN1_UTCTIME, BYTES("270115080000Z"), NULL, 0 },
        { NID_countryName, V_ASN1_PRINTABLESTRING, BYTES("USA"), NULL, 0 },
        { NID_countryName, V_ASN1_PRINTABLESTRING, BYTES("U"), NULL, 0 },
        { NID_countryName, V_ASN1_PRINTABLESTRING, BYTES("U1"), NULL, 0 },
        { NID_serialNumber, V_ASN1_UTF8STRING, BYTES("SN_1"), NULL, 0 },
        { NID_pkcs9_emailAddress, V_ASN1_UTF8STRING, BYTES("\xc3\xab@b.c"),
          NULL, 0 },
    };

    (void) state;

    for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
        memset(&names, 0, sizeof(names));
        make_csr(&csr, make_raw_name(t[i].nid, t[i].type, t[i].value,
                                     t[i].len), NULL);

        outcome = enroll_names_subject_csr(&names, &csr);

        if (outcome != (t[i].text != NULL ? ENROLL_OK : ENROLL_BAD_SUBJECT)) {
            fail_msg("value %zu: %s", i, enroll_outcome(outcome)->reason);
        }

        if (t[i].text != NULL) {
            made = X509_NAME_ENTRY_get_data(X509_NAME_get_entry(names.subject,
                                                                0));
            assert_int_equal(ASN1_STRING_type(made), t[i].made);
            assert_int_equal(ASN1_STRING_length(made), strlen(t[i].text));
            assert_memory_equal(ASN1_STRING_get0_data(made), t[i].text,
                                strlen(t[i].text));

        } else {
            assert_null(names.subject);
        }

        enroll_names_cleanup(&names);
        make_csr_free(&csr);
    }

    assert_int_equal(ERR_peek_error(), 0);
}


static void
subject_length(void **state)
{
    char                *value;
    size_t               i;
    enroll_names_t       names;

    static const struct {
        int              nid;
        size_t           len;
        enroll_outcome_e outcome;
    } t[] = {
        { NID_commonName, 64, ENROLL_OK },
        { NID_commonName, 65, ENROLL_BAD_SUBJECT },
        { NID_localityName, 128, ENROLL_OK },
        { NID_localityName, 129, ENROLL_BAD_SUBJECT },
        { NID_userId, 256, ENROLL_OK },             /* not in OpenSSL's table */
        { NID_userId, 257, ENROLL_BAD_SUBJECT },
        { NID_domainComponent, 256, ENROLL_OK },    /* no bound there */
        { NID_domainComponent, 257, ENROLL_BAD_SUBJECT },
        { NID_commonName, 1024 * 1024, ENROLL_BAD_SUBJECT },
    };

    (void) state;

    for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
        memset(&names, 0, sizeof(names));
        value = make_repeat('a', t[i].len);

        assert_int_equal(enroll_names_subject_add(&names,
                                                  OBJ_nid2obj(t[i].nid),
                                                  value, t[i].len, 0),
                         t[i].outcome);

        free(value);
        enroll_names_cleanup(&names);
    }
}


/* a value is a value, whatever DN syntax is in it */

static void
subject_add_parses_nothing(void **state)
{
    int                  n;
    char                *text;
    enroll_names_t       names;
    const unsigned char *data;

    static const char    value[] = "x,O=Other";

    (void) state;

    memset(&names, 0, sizeof(names));

    assert_int_equal(enroll_names_subject_add(&names,
                                              OBJ_nid2obj(NID_commonName),
                                              BYTES(value), 0),
                     ENROLL_OK);
    assert_int_equal(enroll_names_subject_add(&names,
                                              OBJ_nid2obj(NID_localityName),
                                              "", 0, 0),
                     ENROLL_OK);
    assert_int_equal(enroll_names_subject_add(&names,
                                              OBJ_nid2obj(NID_serialNumber),
                                              "1", 1, 1),
                     ENROLL_OK);
    assert_int_equal(enroll_names_subject_add(&names,
                                              OBJ_nid2obj(NID_countryName),
                                              "DE\0", 3, 0),
                     ENROLL_BAD_SUBJECT);

    n = X509_NAME_entry_count(names.subject);
    assert_int_equal(n, 2);

    data = ASN1_STRING_get0_data(X509_NAME_ENTRY_get_data(
                                     X509_NAME_get_entry(names.subject, 0)));
    assert_string_equal((const char *) data, value);

    assert_int_equal(X509_NAME_ENTRY_set(X509_NAME_get_entry(names.subject,
                                                             1)),
                     0);

    text = enroll_text_name(names.subject);
    assert_string_equal(text, "serialNumber=1+CN=x\\,O=Other");
    OPENSSL_free(text);

    enroll_names_cleanup(&names);
}


static void
subject_structure_kept(void **state)
{
    int              i;
    enroll_csr_t     csr;
    enroll_names_t   names;

    (void) state;

    memset(&names, 0, sizeof(names));
    make_csr(&csr, make_name("C=DE", "O=Ex", "CN=a", "+serialNumber=1",
                             "OU=u", NULL), NULL);

    assert_int_equal(enroll_names_subject_csr(&names, &csr), ENROLL_OK);
    assert_int_equal(X509_NAME_entry_count(names.subject), 5);
    assert_int_equal(X509_NAME_cmp(names.subject, csr.subject), 0);

    for (i = 0; i < 5; i++) {
        assert_int_equal(X509_NAME_ENTRY_set(X509_NAME_get_entry(names.subject,
                                                                 i)),
                         X509_NAME_ENTRY_set(X509_NAME_get_entry(csr.subject,
                                                                 i)));
    }

    /* the second time replaces the first */

    X509_NAME_free(csr.subject);
    csr.subject = X509_NAME_new();

    assert_int_equal(enroll_names_subject_csr(&names, &csr), ENROLL_OK);
    assert_int_equal(X509_NAME_entry_count(names.subject), 0);

    for (i = 0; i < ENROLL_CSR_RDNS; i++) {
        X509_NAME_add_entry_by_NID(csr.subject, NID_organizationalUnitName,
                                   MBSTRING_UTF8,
                                   (const unsigned char *) "u", 1, -1, 0);
    }

    assert_int_equal(enroll_names_subject_csr(&names, &csr), ENROLL_OK);

    X509_NAME_add_entry_by_NID(csr.subject, NID_commonName, MBSTRING_UTF8,
                               (const unsigned char *) "u", 1, -1, 0);

    assert_int_equal(enroll_names_subject_csr(&names, &csr),
                     ENROLL_BAD_SUBJECT);

    enroll_names_cleanup(&names);
    make_csr_free(&csr);
}


/* a certificate that asks to be renewed, or is a factory's */

static EVP_PKEY  *cert_key;


static int
setup(void **state)
{
    (void) state;

    cert_key = make_key("P-256");

    return cert_key == NULL;
}


static int
teardown(void **state)
{
    (void) state;

    EVP_PKEY_free(cert_key);

    return 0;
}


static X509 *
cert_with(X509_NAME *subject, const char *san)
{
    X509        *x;
    const char  *exts[3];

    exts[0] = san != NULL ? "subjectAltName" : NULL;
    exts[1] = san;
    exts[2] = NULL;

    x = make_cert(subject, cert_key, NULL, cert_key, MAKE_NOW,
                  MAKE_NOW + MAKE_DAY, exts);

    X509_NAME_free(subject);

    return x;
}


static void
renewal_keeps_encoding(void **state)
{
    int              n;
    X509            *x;
    unsigned char   *old, *new;
    enroll_names_t   names;

    (void) state;

    /* a string type that is not made any more, and an odd criticality */

    x = cert_with(make_raw_name(NID_commonName, V_ASN1_T61STRING,
                                BYTES("Zo\xeb")),
                  "critical,DNS:A.test");

    memset(&names, 0, sizeof(names));
    old = NULL;
    new = NULL;

    assert_int_equal(enroll_names_renew(&names, x), ENROLL_OK);

    n = i2d_X509_NAME(X509_get_subject_name(x), &old);
    assert_int_equal(i2d_X509_NAME(names.subject, &new), n);
    assert_memory_equal(old, new, (size_t) n);

    OPENSSL_free(old);
    OPENSSL_free(new);
    old = NULL;
    new = NULL;

    n = i2d_X509_EXTENSION(X509_get_ext(x, 0), &old);
    assert_int_equal(i2d_X509_EXTENSION(names.san, &new), n);
    assert_memory_equal(old, new, (size_t) n);

    OPENSSL_free(old);
    OPENSSL_free(new);
    X509_free(x);

    /* what was there before is gone */

    x = cert_with(make_name("CN=b", NULL), NULL);

    assert_int_equal(enroll_names_renew(&names, x), ENROLL_OK);
    assert_null(names.san);
    X509_free(x);

    x = cert_with(X509_NAME_new(), NULL);

    assert_int_equal(enroll_names_renew(&names, x), ENROLL_NO_NAME);
    assert_null(names.subject);
    X509_free(x);
}


static void
renewal(void **state)
{
    size_t             i;
    X509              *x;
    enroll_csr_t       csr;
    enroll_outcome_e   outcome;

    static const struct {
        const char       *subject;
        const char       *san;            /* of the request */
        const char       *cert_san;
        int               subset;
        enroll_outcome_e  outcome;
    } t[] = {
        { "CN=dev", NULL, NULL, 0, ENROLL_OK },
        { "CN=DEV", NULL, NULL, 0, ENROLL_OK },     /* X.500 compares so */
        { "CN=dev2", NULL, NULL, 0, ENROLL_RENEWAL_SUBJECT },
        { "O=dev", NULL, NULL, 0, ENROLL_RENEWAL_SUBJECT },
        { "CN=dev", "DNS:a.test", "DNS:a.test", 0, ENROLL_OK },
        { "CN=dev", "DNS:A.Test", "DNS:a.test", 0, ENROLL_OK },
        { "CN=dev", "DNS:b.test,DNS:a.test", "DNS:a.test,DNS:b.test", 0,
          ENROLL_OK },
        { "CN=dev", "DNS:a.test,DNS:a.test", "DNS:a.test", 0, ENROLL_OK },
        { "CN=dev", NULL, "DNS:a.test", 0, ENROLL_RENEWAL_SAN },
        { "CN=dev", NULL, "DNS:a.test", 1, ENROLL_OK },
        { "CN=dev", "DNS:a.test", NULL, 0, ENROLL_RENEWAL_SAN },
        { "CN=dev", "DNS:a.test", NULL, 1, ENROLL_RENEWAL_SAN },
        { "CN=dev", "DNS:a.test", "DNS:a.test,DNS:b.test", 0,
          ENROLL_RENEWAL_SAN },
        { "CN=dev", "DNS:a.test", "DNS:a.test,DNS:b.test", 1, ENROLL_OK },
        { "CN=dev", "DNS:a.test,DNS:c.test", "DNS:a.test,DNS:b.test", 1,
          ENROLL_RENEWAL_SAN },
        { "CN=dev", "email:a@B.test", "email:a@b.test", 0, ENROLL_OK },
        { "CN=dev", "email:A@b.test", "email:a@b.test", 0,
          ENROLL_RENEWAL_SAN },
        { "CN=dev", "URI:urn:A", "URI:urn:a", 0, ENROLL_RENEWAL_SAN },
        { "CN=dev", "email:a.test", "DNS:a.test", 0, ENROLL_RENEWAL_SAN },
        { "CN=dev", "IP:10.0.0.1", "IP:10.0.0.1", 0, ENROLL_OK },
        { "CN=dev", "IP:10.0.0.2", "IP:10.0.0.1", 0, ENROLL_RENEWAL_SAN },
        { "CN=dev", UPN "u", UPN "u", 0, ENROLL_OK },
        { "CN=dev", UPN "v", UPN "u", 0, ENROLL_RENEWAL_SAN },
    };

    (void) state;

    for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
        x = cert_with(make_name("CN=dev", NULL), t[i].cert_san);
        make_csr(&csr, make_name(t[i].subject, NULL), t[i].san);

        outcome = enroll_names_renewal_check(&csr, x, t[i].subset);

        if (outcome != t[i].outcome) {
            fail_msg("row %zu: %s", i, enroll_outcome(outcome)->reason);
        }

        make_csr_free(&csr);
        X509_free(x);
    }

    /* a SID was dropped from the first request: it may be asked for again */

    x = cert_with(make_name("CN=a", NULL), NULL);
    make_csr(&csr, make_name("CN=a", NULL), NULL);
    csr.san = make_raw_san(GEN_URI, BYTES(SID));
    assert_int_equal(enroll_names_renewal_check(&csr, x, 0), ENROLL_OK);

    make_csr_free(&csr);
    X509_free(x);
}


static void
permitted(void **state)
{
    size_t             i;
    X509              *x;
    enroll_csr_t       csr;
    enroll_asker_t     asker;
    enroll_names_t     names;
    enroll_outcome_e   outcome;

    static const struct {
        const char  *name1;
        const char  *name2;
        const char  *san;
        const char  *user;
        const char  *cert_cn;
        const char  *cert_san;
        int          yes;
    } t[] = {

        /* by user */

        { "CN=dev", NULL, NULL, "dev", NULL, NULL, 1 },
        { "CN=dev", NULL, NULL, "dev2", NULL, NULL, 0 },
        { "CN=dev", NULL, NULL, "DEV", NULL, NULL, 0 },
        { "CN=dev", NULL, NULL, "", NULL, NULL, 0 },
        { "CN=dev", NULL, NULL, NULL, NULL, NULL, 0 },
        { "CN=dev", "O=Any", NULL, "dev", NULL, NULL, 1 },
        { "O=dev", "OU=dev", NULL, "dev", NULL, NULL, 0 },
        { "CN=dev", "serialNumber=1", NULL, "dev", NULL, NULL, 0 },
        { "CN=dev", "UID=dev", NULL, "dev", NULL, NULL, 1 },
        { "CN=dev", "CN=other", NULL, "dev", NULL, NULL, 0 },
        { "CN=a.test", NULL, "DNS:A.test", "a.test", NULL, NULL, 1 },
        { "O=Any", NULL, "DNS:A.test", "a.test", NULL, NULL, 1 },
        { "O=Any", NULL, "DNS:a.test,DNS:b.test", "a.test", NULL, NULL, 0 },
        { "O=Any", NULL, "IP:10.0.0.1", "10.0.0.1", NULL, NULL, 1 },
        { "O=Any", NULL, "IP:2001:DB8:0:0::1", "2001:db8::1", NULL, NULL, 1 },
        { "O=Any", NULL, "IP:10.0.0.1", "10.0.0.2", NULL, NULL, 0 },
        { "O=Any", NULL, "email:u@b.c", "u@b.c", NULL, NULL, 1 },
        { "O=Any", NULL, "email:u@b.c", "u@b.d", NULL, NULL, 0 },
        { "O=Any", NULL, "URI:urn:a", "urn:a", NULL, NULL, 1 },
        { "O=Any", NULL, "URI:urn:a", "urn:A", NULL, NULL, 0 },
        { "O=Any", NULL, UPN "u@b.c", "u@b.c", NULL, NULL, 1 },
        { "O=Any", NULL, UPN "u@b.c", "u", NULL, NULL, 0 },

        /* by certificate */

        { "CN=dev", NULL, NULL, NULL, "CN=dev", NULL, 1 },
        { "CN=dev", NULL, NULL, NULL, "CN=Dev", NULL, 0 },
        { "CN=dev", NULL, NULL, NULL, "serialNumber=dev", NULL, 0 },
        { "serialNumber=1", NULL, NULL, NULL, "serialNumber=1", NULL, 1 },
        { "serialNumber=1", NULL, NULL, NULL, "CN=1", NULL, 0 },
        { "CN=a.test", NULL, NULL, NULL, "CN=x", "DNS:A.test", 1 },
        { "CN=a.test", NULL, NULL, NULL, "CN=x", "DNS:b.test", 0 },
        { "UID=a.test", NULL, NULL, NULL, "CN=x", "DNS:a.test", 0 },
        { "CN=10.0.0.1", NULL, NULL, NULL, "CN=x", "IP:10.0.0.1", 1 },
        { "O=Any", NULL, "DNS:a.test", NULL, "CN=x", "DNS:A.test", 1 },
        { "O=Any", NULL, "DNS:a.test", NULL, "CN=A.test", NULL, 1 },
        { "O=Any", NULL, "DNS:a.test", NULL, "CN=b.test", NULL, 0 },
        { "O=Any", NULL, "DNS:a.test", NULL, "OU=a.test", NULL, 0 },
        { "O=Any", NULL, "DNS:a.test,DNS:c.test", NULL, "CN=a.test",
          "DNS:b.test", 0 },
        { "CN=dev", NULL, "DNS:b.test", NULL, "CN=dev", "DNS:b.test", 1 },
        { "CN=dev", "C=DE", NULL, NULL, "CN=dev", NULL, 1 },
        { "C=DE", "O=Any", NULL, NULL, "C=DE", NULL, 0 },

        /* by both together */

        { "CN=dev", NULL, "DNS:b.test", "dev", "CN=b.test", NULL, 1 },
        { "CN=dev", NULL, "DNS:c.test", "dev", "CN=b.test", NULL, 0 },
    };

    (void) state;

    for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
        memset(&names, 0, sizeof(names));
        make_csr(&csr, make_name(t[i].name1, t[i].name2, NULL), t[i].san);

        assert_int_equal(enroll_names_subject_csr(&names, &csr), ENROLL_OK);
        assert_int_equal(enroll_names_san(&names, &csr, ~0u, NULL, 0),
                         ENROLL_OK);

        x = NULL;

        if (t[i].cert_cn != NULL) {
            x = cert_with(make_name(t[i].cert_cn, NULL), t[i].cert_san);
        }

        asker.user = t[i].user;
        asker.user_len = t[i].user != NULL ? strlen(t[i].user) : 0;
        asker.cert = x;

        outcome = enroll_names_permitted(&names, &asker);

        if (outcome != (t[i].yes ? ENROLL_OK : ENROLL_NAME_NOT_PERMITTED)) {
            fail_msg("row %zu: %s", i, enroll_outcome(outcome)->reason);
        }

        X509_free(x);
        enroll_names_cleanup(&names);
        make_csr_free(&csr);
    }
}


/* a NUL in a factory certificate ends nothing */

static void
permitted_whole_values(void **state)
{
    X509            *x;
    enroll_asker_t   asker;
    enroll_names_t   names;

    (void) state;

    x = cert_with(make_raw_name(NID_commonName, V_ASN1_UTF8STRING,
                                BYTES("dev\0.evil")), NULL);

    memset(&asker, 0, sizeof(asker));
    asker.cert = x;

    names.san = NULL;
    names.subject = make_name("CN=dev", NULL);

    assert_int_equal(enroll_names_permitted(&names, &asker),
                     ENROLL_NAME_NOT_PERMITTED);

    asker.user = "dev\0x";
    asker.user_len = 5;

    assert_int_equal(enroll_names_permitted(&names, &asker),
                     ENROLL_NAME_NOT_PERMITTED);

    asker.user_len = 3;

    assert_int_equal(enroll_names_permitted(&names, &asker), ENROLL_OK);

    enroll_names_cleanup(&names);
    X509_free(x);
}


static void
digest(void **state)
{
    size_t           i, k;
    X509            *x;
    unsigned char    d[5][ENROLL_DIGEST_LEN];
    enroll_names_t   names;

    static const struct {
        const char  *subject;
        const char  *san;
    } t[] = {
        { "CN=a", NULL },
        { "CN=b", NULL },
        { "CN=a", "DNS:a.test" },
        { "CN=a", "DNS:b.test" },
        { "CN=a", "critical,DNS:a.test" },
    };

    (void) state;

    memset(&names, 0, sizeof(names));

    for (i = 0; i < 5; i++) {
        x = cert_with(make_name(t[i].subject, NULL), t[i].san);

        assert_int_equal(enroll_names_renew(&names, x), ENROLL_OK);
        assert_int_equal(enroll_names_digest(&names, d[i]), 1);

        for (k = 0; k < i; k++) {
            assert_memory_not_equal(d[i], d[k], ENROLL_DIGEST_LEN);
        }

        X509_free(x);
    }

    x = cert_with(make_name("CN=a", NULL), "critical,DNS:a.test");

    assert_int_equal(enroll_names_renew(&names, x), ENROLL_OK);
    assert_int_equal(enroll_names_digest(&names, d[0]), 1);
    assert_memory_equal(d[0], d[4], ENROLL_DIGEST_LEN);

    X509_free(x);
    enroll_names_cleanup(&names);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(subject_values),
        cmocka_unit_test(subject_length),
        cmocka_unit_test(subject_add_parses_nothing),
        cmocka_unit_test(subject_structure_kept),
        cmocka_unit_test(renewal_keeps_encoding),
        cmocka_unit_test(renewal),
        cmocka_unit_test(permitted),
        cmocka_unit_test(permitted_whole_values),
        cmocka_unit_test(digest),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
