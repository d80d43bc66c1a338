
/*
 * Copyright (C) The nginx-enroll authors
 */


/* What SCEP answers, read with OpenSSL's CMS and octet by octet. */


#include <openssl/bio.h>
#include <openssl/cms.h>
#include <openssl/pkcs7.h>

#include "unit_scep_usual.h"


#define SCEP_OID  "2.16.840.1.113733.1.9."


/* verified with the authority's certificate; *content is what is signed */

static CMS_ContentInfo *
verified(const unsigned char *der, size_t len, der_t *content)
{
    BIO                   *out;
    char                  *data;
    long                   n;
    STACK_OF(X509)        *certs;
    CMS_ContentInfo       *cms;
    const unsigned char   *p;

    p = der;
    cms = d2i_CMS_ContentInfo(NULL, &p, (long) len);
    assert_non_null(cms);
    assert_ptr_equal(p, der + len);

    certs = sk_X509_new_null();
    sk_X509_push(certs, authority.sign_cert);
    out = BIO_new(BIO_s_mem());

    assert_int_equal(CMS_verify(cms, certs, NULL, NULL, out,
                                CMS_NOINTERN|CMS_NO_SIGNER_CERT_VERIFY
                                |CMS_BINARY),
                     1);

    n = BIO_get_mem_data(out, &data);
    *content = n > 0 ? der_copy((unsigned char *) data, (size_t) n) : NONE;

    BIO_free(out);
    sk_X509_free(certs);

    return cms;
}


static CMS_SignerInfo *
signer(CMS_ContentInfo *cms)
{
    STACK_OF(CMS_SignerInfo)  *list;

    list = CMS_get0_SignerInfos(cms);
    assert_int_equal(sk_CMS_SignerInfo_num(list), 1);

    return sk_CMS_SignerInfo_value(list, 0);
}


/* NULL: the attribute is not there */

static void
attribute(CMS_ContentInfo *cms, const char *oid, int type, const void *want,
    size_t len)
{
    int              i;
    ASN1_OBJECT     *obj;
    ASN1_STRING     *value;
    CMS_SignerInfo  *si;

    si = signer(cms);
    obj = OBJ_txt2obj(oid, 1);
    i = CMS_signed_get_attr_by_OBJ(si, obj, -1);

    if (want == NULL) {
        assert_int_equal(i, -1);

    } else {
        value = CMS_signed_get0_data_by_OBJ(si, obj, -3, type);
        assert_non_null(value);
        assert_int_equal(ASN1_STRING_length(value), len);
        assert_memory_equal(ASN1_STRING_get0_data(value), want, len);
    }

    ASN1_OBJECT_free(obj);
}


static enroll_scep_t *
asked(scep_msg_t *msg, unsigned legacy)
{
    enroll_scep_t  *m;

    assert_int_equal(take_legacy(&m, scep_message(msg), 0, legacy),
                     ENROLL_OK);

    return m;
}


/* opens an answer with a key or a password; the bag in it */

static PKCS7 *
opened(der_t content, scep_id_t *id, const char *password)
{
    BIO                  *out;
    char                 *data;
    long                  n;
    PKCS7                *p7;
    CMS_ContentInfo      *cms;
    const unsigned char  *p;

    p = content.data;
    cms = d2i_CMS_ContentInfo(NULL, &p, (long) content.len);
    assert_non_null(cms);
    assert_ptr_equal(p, content.data + content.len);

    out = BIO_new(BIO_s_mem());

    if (password) {
        assert_int_equal(CMS_decrypt_set1_password(cms,
                             (unsigned char *) password,
                             (ossl_ssize_t) strlen(password)),
                         1);
        assert_int_equal(CMS_decrypt(cms, NULL, NULL, NULL, out, CMS_BINARY),
                         1);

    } else {
        assert_int_equal(CMS_decrypt(cms, id->key, id->cert, NULL, out,
                                     CMS_BINARY),
                         1);
    }

    n = BIO_get_mem_data(out, &data);
    p = (unsigned char *) data;
    p7 = d2i_PKCS7(NULL, &p, n);
    assert_non_null(p7);
    assert_ptr_equal(p, data + n);
    assert_true(PKCS7_type_is_signed(p7));
    assert_null(p7->d.sign->contents->d.ptr);
    assert_int_equal(sk_PKCS7_SIGNER_INFO_num(p7->d.sign->signer_info), 0);

    BIO_free(out);
    CMS_ContentInfo_free(cms);

    return p7;
}


static int
contains(der_t der, der_t what)
{
    size_t  i, n;

    n = 0;

    for (i = 0; i + what.len <= der.len; i++) {
        n += memcmp(der.data + i, what.data, what.len) == 0;
    }

    return (int) n;
}


static void
success(void **state)
{
    size_t                 i, len;
    der_t                  content;
    PKCS7                 *p7;
    scep_env_t             e;
    scep_msg_t             msg;
    unsigned char         *der;
    enroll_scep_t         *m;
    STACK_OF(X509)        *certs;
    CMS_ContentInfo       *cms;
    enroll_scep_answer_t   answer;

    const struct {
        const EVP_CIPHER  *cipher;
        const EVP_MD      *oaep;
        const EVP_MD      *mgf;
        const EVP_MD      *md;
        const char        *oid;
        unsigned           legacy;
    } list[] = {
        { EVP_aes_128_cbc(), NULL, NULL, EVP_sha256(),
          "2.16.840.1.101.3.4.1.2", 0 },
        { EVP_aes_192_cbc(), NULL, NULL, EVP_sha384(),
          "2.16.840.1.101.3.4.1.22", 0 },
        { EVP_aes_256_cbc(), EVP_sha256(), EVP_sha256(), EVP_sha512(),
          "2.16.840.1.101.3.4.1.42", 0 },
        { EVP_aes_128_gcm(), NULL, NULL, EVP_sha256(),
          "2.16.840.1.101.3.4.1.6", 0 },
        { EVP_aes_256_gcm(), EVP_sha1(), EVP_sha1(), EVP_sha256(),
          "2.16.840.1.101.3.4.1.46", 0 },
        { EVP_des_ede3_cbc(), NULL, NULL, EVP_sha1(),
          "1.2.840.113549.3.7", ENROLL_LEGACY_DES3|ENROLL_LEGACY_SHA1 },
        { EVP_des_cbc(), NULL, NULL, EVP_md5(),
          "1.3.14.3.2.7", ENROLL_LEGACY_DES|ENROLL_LEGACY_MD5 }
    };

    (void) state;

    /* in an order that is not that of DER */

    certs = sk_X509_new_null();
    sk_X509_push(certs, dev.cert);
    sk_X509_push(certs, ca.cert);
    sk_X509_push(certs, other.cert);

    for (i = 0; i < 6 + (providers[1] != NULL); i++) {
        e = env_csr();
        e.cipher = list[i].cipher;
        e.oaep = list[i].oaep;
        e.mgf = list[i].mgf;

        msg = message(scep_envelope(&e));
        msg.md = list[i].md;
        m = asked(&msg, list[i].legacy);

        answer = (enroll_scep_answer_t) { .status = ENROLL_SCEP_SUCCESS,
                                          .certs = certs };

        assert_int_equal(enroll_scep_reply(m, &authority, &answer, &der,
                                           &len),
                         ENROLL_OK);

        cms = verified(der, len, &content);

        attribute(cms, SCEP_OID "2", V_ASN1_PRINTABLESTRING, "3", 1);
        attribute(cms, SCEP_OID "3", V_ASN1_PRINTABLESTRING, "0", 1);
        attribute(cms, SCEP_OID "4", V_ASN1_PRINTABLESTRING, NULL, 0);
        attribute(cms, "1.3.6.1.5.5.7.24.1", V_ASN1_UTF8STRING, NULL, 0);
        attribute(cms, SCEP_OID "6", V_ASN1_OCTET_STRING, "0123456789abcdef",
                  16);
        attribute(cms, SCEP_OID "7", V_ASN1_PRINTABLESTRING,
                  "0123456789abcdef", 16);
        attribute(cms, "1.2.840.113549.1.9.5", V_ASN1_UTCTIME, NULL, 0);

        assert_int_equal(contains(content, OID(list[i].oid)), 1);
        assert_int_equal(contains(content, OID("1.2.840.113549.1.1.7")),
                         list[i].oaep != NULL);
        assert_int_equal(contains(content,
                                  list[i].cipher == EVP_aes_128_gcm()
                                  || list[i].cipher == EVP_aes_256_gcm()
                                  ? OID_AUTH_ENV : OID_ENVELOPED),
                         1);

        p7 = opened(content, &dev, NULL);
        assert_int_equal(sk_X509_num(p7->d.sign->cert), 3);
        assert_int_equal(X509_cmp(sk_X509_value(p7->d.sign->cert, 0),
                                  dev.cert), 0);
        assert_int_equal(X509_cmp(sk_X509_value(p7->d.sign->cert, 1),
                                  ca.cert), 0);
        assert_int_equal(X509_cmp(sk_X509_value(p7->d.sign->cert, 2),
                                  other.cert), 0);

        PKCS7_free(p7);
        CMS_ContentInfo_free(cms);
        OPENSSL_free(der);
        enroll_scep_free(m);
    }

    sk_X509_free(certs);
}


/* the SignerInfo as old clients want it, and a nonce of our own */

static void
shape(void **state)
{
    size_t                 i, len[2];
    der_t                  content, der[2];
    X509_ALGOR            *digest, *sig;
    scep_msg_t             msg = msg_csr();
    unsigned char         *out;
    ASN1_STRING           *nonce[2];
    ASN1_OBJECT           *oid;
    enroll_scep_t         *m;
    CMS_ContentInfo       *cms[2];
    enroll_scep_answer_t   answer = { .status = ENROLL_SCEP_PENDING };

    (void) state;

    msg.transaction = TLV(0x0c, RAW("abc*"));
    msg.nonce = OCTETS(RAW("12345678"));
    m = asked(&msg, 0);
    oid = OBJ_txt2obj(SCEP_OID "5", 1);

    for (i = 0; i < 2; i++) {
        assert_int_equal(enroll_scep_reply(m, &authority, &answer, &out,
                                           &len[i]),
                         ENROLL_OK);
        der[i] = der_copy(out, len[i]);
        OPENSSL_free(out);

        cms[i] = verified(der[i].data, der[i].len, &content);
        assert_int_equal(content.len, 0);

        nonce[i] = CMS_signed_get0_data_by_OBJ(signer(cms[i]), oid, -3,
                                               V_ASN1_OCTET_STRING);
        assert_non_null(nonce[i]);
        assert_int_equal(ASN1_STRING_length(nonce[i]), 16);

        attribute(cms[i], SCEP_OID "3", V_ASN1_PRINTABLESTRING, "3", 1);
        attribute(cms[i], SCEP_OID "6", V_ASN1_OCTET_STRING, "12345678", 8);
        attribute(cms[i], SCEP_OID "7", V_ASN1_UTF8STRING, "abc*", 4);
    }

    assert_int_not_equal(ASN1_STRING_cmp(nonce[0], nonce[1]), 0);

    CMS_SignerInfo_get0_algs(signer(cms[0]), NULL, NULL, &digest, &sig);
    assert_int_equal(OBJ_obj2nid(sig->algorithm), NID_rsaEncryption);
    assert_int_equal(sig->parameter->type, V_ASN1_NULL);
    assert_int_equal(OBJ_obj2nid(digest->algorithm), NID_sha256);

    /* empty, and there */

    assert_int_equal(contains(der[0], SEQ(OID_DATA, TLV(0xa0, OCTETS(NONE)))),
                     1);
    assert_int_equal(contains(der[0], scep_cert(ra.cert)), 1);

    /* in the very form that it would be encoded in */

    out = NULL;
    assert_int_equal(i2d_CMS_ContentInfo(cms[0], &out), len[0]);
    assert_memory_equal(out, der[0].data, len[0]);
    OPENSSL_free(out);

    ASN1_OBJECT_free(oid);
    CMS_ContentInfo_free(cms[0]);
    CMS_ContentInfo_free(cms[1]);
    enroll_scep_free(m);
}


static void
failure(void **state)
{
    int                    i;
    char                   digit;
    der_t                  content;
    size_t                 len;
    scep_msg_t             msg = msg_csr();
    unsigned char         *der;
    enroll_scep_t         *m;
    enroll_outcome_e       rc;
    CMS_ContentInfo       *cms;
    enroll_scep_answer_t   answer;

    const char            *text = "Nein, s\xc3\xbc\xc3\x9f.";

    (void) state;

    /* also where the message was refused half-way */

    msg.broken = 1;
    rc = take_legacy(&m, scep_message(&msg), 0, 0);
    assert_int_equal(rc, ENROLL_SCEP_SIGNATURE);
    assert_non_null(m);

    for (i = 0; i < 5; i++) {
        answer = (enroll_scep_answer_t) { .status = ENROLL_SCEP_FAILURE,
                                          .failinfo = i,
                                          .text = i ? text : NULL };

        assert_int_equal(enroll_scep_reply(m, &authority, &answer, &der,
                                           &len),
                         ENROLL_OK);

        cms = verified(der, len, &content);
        digit = (char) ('0' + i);

        assert_int_equal(content.len, 0);
        attribute(cms, SCEP_OID "3", V_ASN1_PRINTABLESTRING, "2", 1);
        attribute(cms, SCEP_OID "4", V_ASN1_PRINTABLESTRING, &digit, 1);
        attribute(cms, "1.3.6.1.5.5.7.24.1", V_ASN1_UTF8STRING,
                  i ? text : NULL, strlen(text));

        CMS_ContentInfo_free(cms);
        OPENSSL_free(der);
    }

    enroll_scep_free(m);
}


/* keys that cannot encrypt: RFC 8894, section 3.1 */

static void
password(void **state)
{
    int                    i;
    der_t                  content;
    size_t                 len;
    PKCS7                 *p7;
    scep_env_t             e;
    scep_msg_t             msg;
    unsigned char         *der;
    enroll_scep_t         *m;
    STACK_OF(X509)        *certs;
    CMS_ContentInfo       *cms;
    enroll_scep_answer_t   answer;

    (void) state;

    certs = sk_X509_new_null();
    sk_X509_push(certs, dev_ec.cert);

    for (i = 0; i < 3; i++) {
        e = env(scep_csr(dev_ec.key, "device", "secret"));
        e.cipher = i == 1 ? EVP_aes_256_gcm() : EVP_aes_256_cbc();

        msg = message(scep_envelope(&e));
        msg.cert = dev_ec.cert;
        msg.key = dev_ec.key;
        m = asked(&msg, 0);

        answer = (enroll_scep_answer_t) { .status = ENROLL_SCEP_SUCCESS,
                                          .certs = certs };

        if (i == 2) {
            answer.password = "another";
            answer.password_len = 7;
        }

        assert_int_equal(enroll_scep_reply(m, &authority, &answer, &der,
                                           &len),
                         ENROLL_OK);

        cms = verified(der, len, &content);
        assert_int_equal(contains(content, OID("2.16.840.1.101.3.4.1.42")),
                         2);

        p7 = opened(content, NULL, i == 2 ? "another" : "secret");
        assert_int_equal(sk_X509_num(p7->d.sign->cert), 1);

        PKCS7_free(p7);
        CMS_ContentInfo_free(cms);
        OPENSSL_free(der);
        enroll_scep_free(m);
    }

    /* a poll has no password of its own */

    e = env(SEQ(SEQ(NONE), SEQ(NONE)));
    msg.content = scep_envelope(&e);
    msg.type = PRINTABLE("20");
    m = asked(&msg, 0);

    answer = (enroll_scep_answer_t) { .status = ENROLL_SCEP_SUCCESS,
                                      .certs = certs };

    assert_int_equal(enroll_scep_reply(m, &authority, &answer, &der, &len),
                     ENROLL_SCEP_NO_ENVELOPE);
    assert_null(der);

    answer.password = "secret";
    answer.password_len = 6;
    assert_int_equal(enroll_scep_reply(m, &authority, &answer, &der, &len),
                     ENROLL_OK);
    OPENSSL_free(der);

    enroll_scep_free(m);
    sk_X509_free(certs);
}


static void
crl(void **state)
{
    der_t                  content;
    PKCS7                 *p7;
    size_t                 len;
    X509_CRL              *list;
    ASN1_TIME             *now;
    scep_env_t             e;
    scep_msg_t             msg;
    unsigned char         *der;
    enroll_scep_t         *m;
    CMS_ContentInfo       *cms;
    enroll_scep_answer_t   answer = { .status = ENROLL_SCEP_SUCCESS };

    (void) state;

    now = ASN1_TIME_adj(NULL, MAKE_NOW, 0, 0);
    list = X509_CRL_new();
    X509_CRL_set_version(list, X509_CRL_VERSION_2);
    X509_CRL_set_issuer_name(list, X509_get_subject_name(ca.cert));
    X509_CRL_set1_lastUpdate(list, now);
    X509_CRL_set1_nextUpdate(list, now);
    assert_true(X509_CRL_sign(list, ca.key, EVP_sha256()) > 0);

    e = env(scep_issuer_serial(ra.cert));
    msg = message(scep_envelope(&e));
    msg.type = PRINTABLE("22");
    m = asked(&msg, 0);

    answer.crl = list;

    assert_int_equal(enroll_scep_reply(m, &authority, &answer, &der, &len),
                     ENROLL_OK);

    cms = verified(der, len, &content);
    p7 = opened(content, &dev, NULL);
    assert_int_equal(sk_X509_num(p7->d.sign->cert), -1);
    assert_int_equal(sk_X509_CRL_num(p7->d.sign->crl), 1);
    assert_int_equal(X509_CRL_verify(sk_X509_CRL_value(p7->d.sign->crl, 0),
                                     ca.key), 1);

    PKCS7_free(p7);
    CMS_ContentInfo_free(cms);
    OPENSSL_free(der);
    enroll_scep_free(m);
    X509_CRL_free(list);
    ASN1_TIME_free(now);
}


/* RFC 8894, section 4.7.1 */

static void
next_ca(void **state)
{
    der_t                 content;
    size_t                len;
    PKCS7                *p7;
    unsigned char        *der;
    STACK_OF(X509)       *certs;
    CMS_ContentInfo      *cms;
    const unsigned char  *p;

    (void) state;

    certs = sk_X509_new_null();
    assert_int_equal(enroll_scep_next_ca(&authority, certs, &der, &len),
                     ENROLL_SIGN_FAILED);
    assert_null(der);

    sk_X509_push(certs, ca.cert);
    sk_X509_push(certs, other.cert);

    assert_int_equal(enroll_scep_next_ca(&authority, certs, &der, &len),
                     ENROLL_OK);

    cms = verified(der, len, &content);
    p = content.data;
    p7 = d2i_PKCS7(NULL, &p, (long) content.len);
    assert_non_null(p7);
    assert_ptr_equal(p, content.data + content.len);
    assert_int_equal(sk_X509_num(p7->d.sign->cert), 2);
    assert_int_equal(X509_cmp(sk_X509_value(p7->d.sign->cert, 0), ca.cert),
                     0);
    attribute(cms, SCEP_OID "2", V_ASN1_PRINTABLESTRING, NULL, 0);

    PKCS7_free(p7);
    CMS_ContentInfo_free(cms);
    OPENSSL_free(der);
    sk_X509_free(certs);
}


/* a requester's certificate that no verifier would take is good enough */

static void
odd_certificate(void **state)
{
    der_t                  content;
    size_t                 len;
    scep_msg_t             msg = msg_csr();
    X509_NAME             *name;
    unsigned char         *der;
    enroll_scep_t         *m;
    STACK_OF(X509)        *certs;
    CMS_ContentInfo       *cms;
    enroll_scep_answer_t   answer = { .status = ENROLL_SCEP_SUCCESS };

    const char            *exts[] = {
        "basicConstraints", "critical,CA:TRUE,pathlen:0",
        "basicConstraints", "CA:FALSE",
        "keyUsage", "digitalSignature",
        "keyUsage", "DER:04:01:00",
        "extendedKeyUsage", "critical,serverAuth",
        NULL
    };

    (void) state;

    name = make_name("CN=odd", NULL);
    certs = sk_X509_new_null();
    sk_X509_push(certs, ca.cert);
    answer.certs = certs;

    msg.cert = make_cert(name, dev.key, NULL, dev.key, 0, 1, exts);
    m = asked(&msg, 0);

    assert_int_equal(enroll_scep_reply(m, &authority, &answer, &der, &len),
                     ENROLL_OK);
    cms = verified(der, len, &content);
    assert_int_equal(contains(content, OID_ENVELOPED), 1);

    CMS_ContentInfo_free(cms);
    OPENSSL_free(der);
    enroll_scep_free(m);
    X509_free(msg.cert);
    X509_NAME_free(name);
    sk_X509_free(certs);
}


/* where an authority cannot do its part, there is nothing */

static void
unable(void **state)
{
    size_t                 len;
    scep_msg_t             msg = msg_csr();
    enroll_ra_t            bad;
    unsigned char         *der;
    enroll_scep_t         *m;
    STACK_OF(X509)        *none;
    enroll_scep_answer_t   answer = { .status = ENROLL_SCEP_SUCCESS };

    (void) state;

    m = asked(&msg, 0);
    none = sk_X509_new_null();

    answer.certs = none;
    assert_int_equal(enroll_scep_reply(m, &authority, &answer, &der, &len),
                     ENROLL_SIGN_FAILED);
    assert_null(der);

    bad = authority;
    bad.sign_key = m->pkey;
    answer.status = ENROLL_SCEP_PENDING;
    assert_int_equal(enroll_scep_reply(m, &bad, &answer, &der, &len),
                     ENROLL_SIGN_FAILED);
    assert_null(der);

    sk_X509_free(none);
    enroll_scep_free(m);

    /* nor is anything opened without a key, or with one of another kind */

    bad = authority;
    none = sk_X509_new_null();
    bad.certs = none;
    assert_int_equal(parsed(&m, X(scep_message(&msg)), 0), ENROLL_OK);
    assert_int_equal(enroll_scep_open(m, &bad), ENROLL_SCEP_DECRYPT);

    bad = authority;
    bad.keys = &ca.key;
    assert_int_equal(enroll_scep_open(m, &bad), ENROLL_SCEP_DECRYPT);

    sk_X509_free(none);
    enroll_scep_free(m);

    /* and nothing that was refused */

    msg.type = PRINTABLE("18");
    assert_int_equal(parsed(&m, X(scep_message(&msg)), 0),
                     ENROLL_SCEP_TYPE);
    assert_int_equal(m->type, 0);
    assert_int_equal(enroll_scep_open(m, &authority),
                     ENROLL_SCEP_ENVELOPE);
    assert_null(m->csr);
    enroll_scep_free(m);
}


/* an authority with an EC key to sign with, and another one to open with */

static void
split(void **state)
{
    size_t                 len;
    der_t                  content;
    scep_msg_t             msg = msg_csr();
    X509                  *cert;
    EVP_PKEY              *key;
    unsigned char         *der;
    enroll_scep_t         *m;
    CMS_ContentInfo       *cms;
    enroll_scep_answer_t   answer = { .status = ENROLL_SCEP_PENDING };

    (void) state;

    cert = authority.sign_cert;
    key = authority.sign_key;
    authority.sign_cert = ca.cert;
    authority.sign_key = ca.key;

    m = asked(&msg, 0);

    assert_int_equal(enroll_scep_reply(m, &authority, &answer, &der, &len),
                     ENROLL_OK);
    cms = verified(der, len, &content);

    CMS_ContentInfo_free(cms);
    OPENSSL_free(der);
    enroll_scep_free(m);

    authority.sign_cert = cert;
    authority.sign_key = key;
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test_teardown(success, emptied),
        cmocka_unit_test_teardown(shape, emptied),
        cmocka_unit_test_teardown(failure, emptied),
        cmocka_unit_test_teardown(password, emptied),
        cmocka_unit_test_teardown(crl, emptied),
        cmocka_unit_test_teardown(next_ca, emptied),
        cmocka_unit_test_teardown(odd_certificate, emptied),
        cmocka_unit_test_teardown(unable, emptied),
        cmocka_unit_test_teardown(split, emptied)
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
