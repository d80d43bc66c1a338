
/*
 * Copyright (C) The nginx-enroll authors
 */


/* The outer half of SCEP's messages: what is taken, what is refused. */


#include <openssl/bio.h>
#include <openssl/cms.h>

#include "unit_scep_usual.h"


static void
request(void **state)
{
    int             type;
    scep_msg_t      msg = msg_csr();
    enroll_scep_t  *m;

    (void) state;

    for (type = 17; type <= 19; type += 2) {
        msg.type = type == 17 ? PRINTABLE("17") : PRINTABLE("19");

        assert_int_equal(take(&m, &msg), ENROLL_OK);

        assert_int_equal(m->type, type);
        assert_int_equal(m->transaction_len, 16);
        assert_int_equal(m->transaction_type, V_ASN1_PRINTABLESTRING);
        assert_memory_equal(m->transaction, "0123456789abcdef", 16);
        assert_int_equal(m->nonce_len, 16);
        assert_int_equal(X509_cmp(enroll_scep_signer_cert(m), dev.cert), 0);
        assert_int_equal(m->signer_key.kind, ENROLL_KEY_RSA);
        assert_int_equal(m->signer_key.bits, 2048);
        assert_memory_equal(m->signer_digest, m->csr->key_digest, 32);
        assert_string_equal(m->csr->challenge.data, "secret");
        assert_int_equal(enroll_csr_verify(m->csr, 0), ENROLL_OK);
        assert_ptr_equal(m->mirror.digest, EVP_sha256());
        assert_ptr_equal(m->mirror.cipher, EVP_aes_128_cbc());
        assert_null(m->mirror.oaep);
        assert_null(m->issuer);
        assert_null(m->serial);

        enroll_scep_free(m);
    }

    enroll_scep_free(NULL);
}


static der_t
name_der(const X509_NAME *name)
{
    int             n;
    unsigned char  *der;

    der = NULL;
    n = i2d_X509_NAME(name, &der);

    return der_take(der, n);
}


static void
queries(void **state)
{
    der_t           names, serial;
    size_t          i;
    scep_env_t      e;
    scep_msg_t      msg;
    enroll_scep_t  *m;

    const char     *types[] = { "17", "19", "20", "21", "22" };

    (void) state;

    names = SEQ(name_der(X509_get_subject_name(ca.cert)),
                name_der(X509_get_subject_name(dev.cert)));
    serial = scep_issuer_serial(ra.cert);

    e = env(names);
    msg = (scep_msg_t) { .cert = dev.cert, .key = dev.key, .md = EVP_sha256(),
                         .content = scep_envelope(&e),
                         .type = PRINTABLE("20") };

    assert_int_equal(take(&m, &msg), ENROLL_OK);
    assert_int_equal(m->type, ENROLL_SCEP_CERT_POLL);
    assert_int_equal(X509_NAME_cmp(m->issuer,
                                   X509_get_subject_name(ca.cert)), 0);
    assert_int_equal(X509_NAME_cmp(m->subject,
                                   X509_get_subject_name(dev.cert)), 0);
    assert_null(m->csr);
    enroll_scep_free(m);

    for (i = 0; i < 5; i++) {
        if (i != 2) {
            msg.type = PRINTABLE(types[i]);
            refused_legacy(&msg, ENROLL_SCEP_DECRYPT, 1, 0);
        }
    }

    e.plain = serial;
    msg.content = scep_envelope(&e);

    for (i = 3; i < 5; i++) {
        msg.type = PRINTABLE(types[i]);
        assert_int_equal(take(&m, &msg), ENROLL_OK);
        assert_int_equal(m->type, 18 + i);
        assert_int_equal(ASN1_INTEGER_cmp(m->serial,
                                          X509_get0_serialNumber(ra.cert)), 0);
        assert_int_equal(X509_NAME_cmp(m->issuer,
                                       X509_get_subject_name(ca.cert)), 0);
        enroll_scep_free(m);
    }

    for (i = 0; i < 3; i++) {
        msg.type = PRINTABLE(types[i]);
        refused(&msg, ENROLL_SCEP_DECRYPT, 1);
    }

    msg = msg_csr();

    for (i = 2; i < 5; i++) {
        msg.type = PRINTABLE(types[i]);
        refused(&msg, ENROLL_SCEP_DECRYPT, 1);
    }
}


/* RFC 8894, section 3.2.1.2: an exact list (CVE-2026-30836) */

static void
message_type(void **state)
{
    size_t              i;
    scep_msg_t          msg = msg_csr();

    static const char  *bad[] = {
        "18", "0", "1", "2", "3", "16", "23", "99", "", "1", "9", "19 ",
        " 19", "+19", "-19", "019", "0x13", "1900", "4294967315", "nineteen"
    };

    (void) state;

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        msg.type = PRINTABLE(bad[i]);
        refused(&msg, ENROLL_SCEP_TYPE, 1);
    }

    msg.type = TLV(0x13, RAW("19\0"));
    refused(&msg, ENROLL_SCEP_TYPE, 1);
    msg.type = TLV(0x13, der_times(RAW("1"), 10000));
    refused(&msg, ENROLL_SCEP_TYPE, 1);

    msg.type = TLV(0x0c, RAW("19"));
    taken(&msg);
    msg.type = TLV(0x16, RAW("19"));
    taken(&msg);

    /* no string, two values, two attributes, none */

    msg.type = TLV(0x02, RAW("\x13"));
    refused(&msg, ENROLL_SCEP_ATTRIBUTE, 1);
    msg.type = OCTETS(RAW("19"));
    refused(&msg, ENROLL_SCEP_ATTRIBUTE, 1);
    msg.type = TLV(0x1e, RAW("\0001\0009"));
    refused(&msg, ENROLL_SCEP_ATTRIBUTE, 1);
    msg.type = CAT(PRINTABLE("19"), PRINTABLE("19"));
    refused(&msg, ENROLL_SCEP_ATTRIBUTE, 1);

    msg.type = PRINTABLE("19");
    msg.more = ATTR(OID_SCEP("2"), PRINTABLE("17"));
    refused(&msg, ENROLL_SCEP_ATTRIBUTE, 1);

    msg.more = NONE;
    msg.type = NONE;
    refused(&msg, ENROLL_SCEP_ATTRIBUTE, 1);
}


static void
transaction_id(void **state)
{
    size_t          i;
    scep_msg_t      msg = msg_csr();
    enroll_scep_t  *m;

    const der_t     bad[] = {
        NONE, PRINTABLE(""), OCTETS(RAW("abc")), TLV(0x02, RAW("\x01")),
        TLV(0x1e, RAW("\0a")), DER_NULL, TLV(0x01, RAW("\xff")),
        CAT(PRINTABLE("a"), PRINTABLE("b")),
        TLV(0x13, RAW("a\0b")), TLV(0x13, RAW("a\r\nb")),
        TLV(0x0c, RAW("\xc3\xa4")), TLV(0x13, RAW("\x7f")),
        TLV(0x13, der_times(RAW("x"), 256)),
        TLV(0x13, der_times(RAW("x"), 10000))
    };

    const der_t     good[] = {
        PRINTABLE("x"), PRINTABLE("*{x}../ a"), TLV(0x0c, RAW("abc")),
        TLV(0x16, RAW("abc")), PRINTABLE("kd+/SGk="),
        TLV(0x13, der_times(RAW("7"), 77)),
        TLV(0x13, der_times(RAW("x"), 255))
    };

    (void) state;

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        msg.transaction = bad[i];
        refused(&msg, ENROLL_SCEP_MESSAGE, 0);
    }

    for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        msg.transaction = good[i];
        assert_int_equal(take(&m, &msg), ENROLL_OK);
        assert_int_equal(m->transaction_type, good[i].data[0]);
        assert_memory_equal(m->transaction,
                            good[i].data + good[i].len - m->transaction_len,
                            m->transaction_len);
        enroll_scep_free(m);
    }

    msg.transaction = PRINTABLE("a");
    msg.more = ATTR(OID_SCEP("7"), PRINTABLE("a"));
    refused(&msg, ENROLL_SCEP_MESSAGE, 0);
}


static void
sender_nonce(void **state)
{
    size_t          i;
    scep_msg_t      msg = msg_csr();
    enroll_scep_t  *m;

    const der_t     bad[] = {
        NONE, OCTETS(NONE), PRINTABLE("0123456789abcdef"),
        CAT(OCTETS(RAW("a")), OCTETS(RAW("b"))),
        OCTETS(der_times(RAW("x"), 65)), OCTETS(der_times(RAW("x"), 50000))
    };

    const size_t    lens[] = { 1, 8, 15, 16, 17, 32, 64 };

    (void) state;

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        msg.nonce = bad[i];
        refused(&msg, ENROLL_SCEP_MESSAGE, 0);
    }

    for (i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
        msg.nonce = OCTETS(der_times(RAW("n"), lens[i]));
        assert_int_equal(take(&m, &msg), ENROLL_OK);
        assert_int_equal(m->nonce_len, lens[i]);
        assert_memory_equal(m->nonce, msg.nonce.data + 2, lens[i]);
        enroll_scep_free(m);
    }

    msg.more = ATTR(OID_SCEP("5"), OCTETS(RAW("0123456789abcdef")));
    refused(&msg, ENROLL_SCEP_MESSAGE, 0);
}


/* contentType, messageDigest, and what else there is among attributes */

static void
attributes(void **state)
{
    der_t       type, digest;
    scep_msg_t  msg = msg_csr();

    (void) state;

    type = OID("1.2.840.113549.1.9.3");
    digest = OID("1.2.840.113549.1.9.4");

    msg.content_type = NONE;
    refused(&msg, ENROLL_SCEP_ATTRIBUTE, 1);
    msg.content_type = OID_SIGNED;
    refused(&msg, ENROLL_SCEP_SIGNATURE, 1);
    msg.content_type = OCTETS(RAW("x"));
    refused(&msg, ENROLL_SCEP_SIGNATURE, 1);

    msg = msg_csr();
    msg.more = ATTR(type, OID_DATA);
    refused(&msg, ENROLL_SCEP_SIGNATURE, 1);

    msg = msg_csr();
    msg.digest = NONE;
    refused(&msg, ENROLL_SCEP_ATTRIBUTE, 1);
    msg.digest = OCTETS(NONE);
    refused(&msg, ENROLL_SCEP_SIGNATURE, 1);
    msg.digest = OCTETS(der_times(RAW("x"), 32));
    refused(&msg, ENROLL_SCEP_SIGNATURE, 1);
    msg.digest = OCTETS(der_times(RAW("x"), 100000));
    refused(&msg, ENROLL_SCEP_SIGNATURE, 1);
    msg.digest = TLV(0x13, der_times(RAW("x"), 32));
    refused(&msg, ENROLL_SCEP_SIGNATURE, 1);

    msg = msg_csr();
    msg.more = ATTR(digest, OCTETS(der_times(RAW("x"), 32)));
    refused(&msg, ENROLL_SCEP_SIGNATURE, 1);

    /* others, known or not, mean nothing in a request */

    msg.more = CAT(ATTR(OID_SCEP("3"), PRINTABLE("0")),
                   ATTR(OID_SCEP("4"), PRINTABLE("2")),
                   ATTR(OID_SCEP("6"), OCTETS(RAW("abc"))),
                   ATTR(OID("1.3.6.1.5.5.7.24.1"), TLV(0x0c, RAW("\xff"))),
                   ATTR(OID("1.2.840.113549.1.9.5"), TLV(0x17, RAW("x"))));
    taken(&msg);

    msg.more = SEQ(OID("1.2.3"), SET(NONE));
    taken(&msg);

    msg.more = der_times(ATTR(OID("1.2.3"), PRINTABLE("x")), 60);
    refused(&msg, ENROLL_SCEP_MESSAGE, 0);
    msg.more = SEQ(OID("1.2.3"));
    refused(&msg, ENROLL_SCEP_MESSAGE, 0);
    msg.more = SEQ(OID("1.2.3"), SET(NONE), DER_NULL);
    refused(&msg, ENROLL_SCEP_MESSAGE, 0);
    msg.more = PRINTABLE("x");
    refused(&msg, ENROLL_SCEP_MESSAGE, 0);

    /* unsigned ones do not count */

    msg = msg_csr();
    msg.transaction = NONE;
    msg.unsigned_attrs = TLV(0xa1, ATTR(OID_SCEP("7"), PRINTABLE("a")));
    refused(&msg, ENROLL_SCEP_MESSAGE, 0);

    msg = msg_csr();
    msg.unsigned_attrs = TLV(0xa1, ATTR(OID_SCEP("7"), PRINTABLE("a")));
    taken(&msg);

    msg.attrs = NONE;
    refused(&msg, ENROLL_SCEP_MESSAGE, 0);
    msg.attrs = TLV(0xa0, NONE);
    refused(&msg, ENROLL_SCEP_MESSAGE, 0);
}


static void
signed_data(void **state)
{
    der_t       good, inner;
    size_t      i;
    scep_msg_t  msg = msg_csr();

    (void) state;

    good = scep_message(&msg);

    msg.tail = RAW("\0");
    refused(&msg, ENROLL_SCEP_MESSAGE, 1);
    msg.tail = good;
    refused(&msg, ENROLL_SCEP_MESSAGE, 1);

    msg = msg_csr();
    msg.outer_type = OID_ENVELOPED;
    refused(&msg, ENROLL_SCEP_MESSAGE, 0);
    msg.outer_type = OID_DATA;
    refused(&msg, ENROLL_SCEP_MESSAGE, 0);
    msg.outer_type = OID("1.2.840.113549.1.9.16.1.9");
    refused(&msg, ENROLL_SCEP_MESSAGE, 0);

    msg = msg_csr();
    msg.more_signers = SEQ(TLV(0x02, RAW("\x01")));
    refused(&msg, ENROLL_SCEP_MESSAGE, 0);
    msg.more_signers = der_times(SEQ(TLV(0x02, RAW("\x01"))), 1000);
    refused(&msg, ENROLL_SCEP_MESSAGE, 0);

    msg = msg_csr();
    msg.broken = 1;
    refused(&msg, ENROLL_SCEP_SIGNATURE, 1);

    msg = msg_csr();
    msg.crls = TLV(0xa1, der_times(SEQ(RAW("\x05\x00")), 100));
    taken(&msg);

    /* the content */

    msg = msg_csr();
    msg.econtent = NONE;
    refused(&msg, ENROLL_SCEP_ENVELOPE, 1);
    msg.econtent = TLV(0xa0, OCTETS(NONE));
    refused(&msg, ENROLL_SCEP_ENVELOPE, 1);
    msg.econtent = TLV(0xa0, msg.content);
    refused(&msg, ENROLL_SCEP_ENVELOPE, 1);
    msg.econtent = TLV(0xa0, NONE);
    refused(&msg, ENROLL_SCEP_MESSAGE, 0);

    inner = msg.content;
    msg = msg_csr();
    msg.econtent_type = OID_SIGNED;
    refused(&msg, ENROLL_SCEP_ENVELOPE, 1);

    msg = msg_csr();
    msg.content = inner;
    msg.econtent = TLV(0xa0, TLV(0x24, OCTETS({ X(inner) })));
    taken(&msg);

    /* without an envelope at all (RFC 8894, section 3.1) */

    msg = msg_csr();
    msg.content = scep_csr(dev.key, "device", "secret");
    refused(&msg, ENROLL_SCEP_ENVELOPE, 1);
    msg.content = good;
    refused(&msg, ENROLL_SCEP_ENVELOPE, 1);
    msg.content = RAW("x");
    refused(&msg, ENROLL_SCEP_ENVELOPE, 1);

    /* anything at all */

    {
        enroll_scep_t  *m;

        assert_int_equal(parsed(&m, (const unsigned char *) "", 0, 0),
                         ENROLL_EMPTY_BODY);
        assert_null(m);

        for (i = 0; i < 64; i++) {
            inner = scep_random(i * 7 + 1);
            assert_int_equal(parsed(&m, X(inner), 0), ENROLL_SCEP_MESSAGE);
            assert_null(m);
        }

        inner = TLV(0x30, der_times(RAW("\0"), ENROLL_SCEP_SIZE));
        assert_int_equal(parsed(&m, X(inner), 0), ENROLL_SCEP_MESSAGE);
    }
}


/* RFC 5652, section 5.4, and those who do otherwise */

static void
unsorted(void **state)
{
    scep_msg_t  msg = msg_csr();

    (void) state;

    msg.unsorted = 1;
    taken(&msg);
    msg.unsorted = 2;
    taken(&msg);
    msg.broken = 1;
    refused(&msg, ENROLL_SCEP_SIGNATURE, 1);
}


static void
signer_certificate(void **state)
{
    int          i;
    der_t        one, alike;
    X509        *x;
    X509_NAME   *name;
    scep_msg_t   msg = msg_csr();
    scep_id_t    plain;

    const char  *odd[] = {
        "subjectKeyIdentifier", "hash",
        "authorityKeyIdentifier", "critical,keyid:always",
        NULL
    };

    (void) state;

    one = scep_cert(dev.cert);

    msg.certs = TLV(0xa0, scep_cert(ca.cert), scep_cert(ra.cert), one);
    taken(&msg);
    msg.certs = TLV(0xa0, one, one);
    taken(&msg);
    msg.certs = TLV(0xa0, TLV(0xa2, DER_NULL), TLV(0xa3, OID_DATA),
                    SEQ(DER_NULL), one);
    taken(&msg);

    msg.certs = NONE;
    refused(&msg, ENROLL_SCEP_MESSAGE, 0);
    msg.certs = TLV(0xa0, NONE);
    refused(&msg, ENROLL_SCEP_MESSAGE, 0);
    msg.certs = TLV(0xa0, scep_cert(ca.cert));
    refused(&msg, ENROLL_SCEP_MESSAGE, 0);
    msg.certs = TLV(0xa0, der_times(scep_cert(ca.cert), 33), one);
    refused(&msg, ENROLL_SCEP_MESSAGE, 0);

    /* the same name and number, another key: whose is the message? */

    x = X509_dup(dev.cert);
    X509_set_pubkey(x, other.key);
    X509_sign(x, other.key, EVP_sha256());
    alike = scep_cert(x);
    X509_free(x);

    msg.certs = TLV(0xa0, alike, one);
    refused(&msg, ENROLL_SCEP_MESSAGE, 0);
    msg.certs = TLV(0xa0, alike);
    refused(&msg, ENROLL_SCEP_SIGNATURE, 1);

    /* by key identifier */

    msg = msg_csr();
    msg.sid = TLV(0x80, { ASN1_STRING_get0_data(
                              X509_get0_subject_key_id(dev.cert)), 20 });
    taken(&msg);
    msg.sid = TLV(0x80, RAW("01234567890123456789"));
    refused(&msg, ENROLL_SCEP_MESSAGE, 0);
    msg.sid = TLV(0x80, NONE);
    refused(&msg, ENROLL_SCEP_MESSAGE, 0);
    msg.sid = scep_issuer_serial(ca.cert);
    refused(&msg, ENROLL_SCEP_MESSAGE, 0);
    msg.sid = SEQ(SEQ(NONE), TLV(0x02, RAW("\x01")));
    refused(&msg, ENROLL_SCEP_MESSAGE, 0);
    msg.sid = DER_NULL;
    refused(&msg, ENROLL_SCEP_MESSAGE, 0);

    /* Windows' critical AKI, dates before any clock, no extension at all */

    plain.key = dev.key;
    name = make_name("CN=x", NULL);

    for (i = 0; i < 2; i++) {
        plain.cert = make_cert(name, dev.key, NULL, dev.key, 0, MAKE_DAY,
                               i ? odd : NULL);
        msg = msg_csr();
        msg.cert = plain.cert;
        taken(&msg);
        X509_free(plain.cert);
    }

    X509_NAME_free(name);
}


static void
signer_keys(void **state)
{
    size_t         i;
    scep_id_t      id;
    scep_env_t     e;
    scep_msg_t     msg;
    enroll_scep_t *m;

    static const char  *good[] = {
        "P-256", "P-384", "P-521", "RSA-3072", "RSA-4608"
    };
    static const char  *bad[] = { "RSA-1024", "P-224", "secp256k1" };

    (void) state;

    for (i = 0; i < 5; i++) {
        identity(&id, good[i], "device", NULL);
        e = env(scep_csr(id.key, "device", "secret"));
        msg = (scep_msg_t) { .cert = id.cert, .key = id.key,
                             .md = EVP_sha256(),
                             .content = scep_envelope(&e) };
        taken(&msg);

        if (i == 0) {
            /* with nothing to envelope the answer to */

            e.plain = scep_csr(id.key, "device", NULL);
            msg.content = scep_envelope(&e);
            assert_int_equal(take(&m, &msg), ENROLL_SCEP_NO_ENVELOPE);
            assert_non_null(m);
            enroll_scep_free(m);

            e.plain = scep_csr(id.key, "device", "secret");
            msg.content = scep_envelope(&e);
            msg.broken = 1;
            refused(&msg, ENROLL_SCEP_SIGNATURE, 1);
        }

        forget(&id);
    }

    for (i = 0; i < 3; i++) {
        identity(&id, bad[i], "device", NULL);
        e = env(scep_csr(id.key, "device", "secret"));
        msg = (scep_msg_t) { .cert = id.cert, .key = id.key,
                             .md = EVP_sha256(),
                             .content = scep_envelope(&e) };
        refused_legacy(&msg, ENROLL_SCEP_ALG, 1, LEGACY_ALL);
        forget(&id);
    }

    /* a key that does not sign as the algorithm says */

    msg = msg_csr();
    msg.sig_alg = SEQ(OID("1.2.840.10045.4.3.2"));
    refused(&msg, ENROLL_SCEP_ALG, 1);

    e = env(scep_csr(dev_ec.key, "device", "secret"));
    msg = (scep_msg_t) { .cert = dev_ec.cert, .key = dev_ec.key,
                         .md = EVP_sha256(), .content = scep_envelope(&e) };
    msg.sig_alg = scep_alg("1.2.840.113549.1.1.11");
    refused(&msg, ENROLL_SCEP_ALG, 1);
    msg.sig_alg = scep_alg("1.2.840.113549.1.1.1");
    refused(&msg, ENROLL_SCEP_ALG, 1);
}


static void
digests(void **state)
{
    scep_msg_t      msg = msg_csr();
    enroll_scep_t  *m;

    (void) state;

    msg.md = EVP_sha384();
    taken(&msg);
    msg.sig_alg = scep_alg("1.2.840.113549.1.1.12");
    taken(&msg);
    msg.sig_alg = scep_alg("1.2.840.113549.1.1.11");
    refused(&msg, ENROLL_SCEP_ALG, 1);
    msg.sig_alg = SEQ(OID("1.2.840.113549.1.1.12"), OCTETS(RAW("x")));
    refused(&msg, ENROLL_SCEP_ALG, 1);

    msg = msg_csr();
    msg.md = EVP_sha512();
    assert_int_equal(take(&m, &msg), ENROLL_OK);
    assert_ptr_equal(m->mirror.digest, EVP_sha512());
    enroll_scep_free(m);

    msg.md = EVP_sha1();
    refused_legacy(&msg, ENROLL_SCEP_ALG, 1, LEGACY_ALL & ~ENROLL_LEGACY_SHA1);
    taken_legacy(&msg, ENROLL_LEGACY_SHA1);

    msg.md = EVP_md5();
    refused_legacy(&msg, ENROLL_SCEP_ALG, 1, LEGACY_ALL & ~ENROLL_LEGACY_MD5);
    taken_legacy(&msg, ENROLL_LEGACY_MD5);

    /* refused with a digest that is not */

    assert_int_equal(take(&m, &msg), ENROLL_SCEP_ALG);
    assert_ptr_equal(m->mirror.digest, EVP_sha256());
    enroll_scep_free(m);

    msg.md = EVP_sha224();
    refused_legacy(&msg, ENROLL_SCEP_ALG, 1, LEGACY_ALL);
    msg.md = EVP_sha3_256();
    refused_legacy(&msg, ENROLL_SCEP_ALG, 1, LEGACY_ALL);

    msg = msg_csr();
    msg.digest_alg = scep_alg("1.2.3.4");
    refused_legacy(&msg, ENROLL_SCEP_ALG, 1, LEGACY_ALL);
    msg.digest_alg = SEQ(OID("2.16.840.1.101.3.4.2.1"));
    taken(&msg);
    msg.digest_alg = SEQ(OID("2.16.840.1.101.3.4.2.1"), OCTETS(RAW("x")));
    refused(&msg, ENROLL_SCEP_ALG, 1);
    msg.digest_alg = SEQ(NONE);
    refused(&msg, ENROLL_SCEP_ALG, 1);

    /* RSASSA-PSS */

    msg = msg_csr();
    msg.pss = 1;
    taken(&msg);
    msg.sig_alg = SEQ(OID("1.2.840.113549.1.1.10"), SEQ(NONE));
    refused_legacy(&msg, ENROLL_SCEP_ALG, 1, LEGACY_ALL);
    msg.sig_alg = SEQ(OID("1.2.840.113549.1.1.10"));
    refused_legacy(&msg, ENROLL_SCEP_ALG, 1, LEGACY_ALL);
    msg.sig_alg = NONE;
    refused(&msg, ENROLL_SCEP_MESSAGE, 0);
}


static void
ber(void **state)
{
    int             i;
    der_t           der, deep;
    scep_env_t      e = env_csr();
    scep_msg_t      msg;
    enroll_scep_t  *m;

    (void) state;

    for (i = 0; i < 2; i++) {
        e.cipher = i ? EVP_aes_128_gcm() : EVP_aes_128_cbc();
        msg = message(scep_ber(scep_envelope(&e)));
        der = scep_ber(scep_message(&msg));

        assert_int_equal(take_legacy(&m, der, 0, 0), ENROLL_OK);
        assert_int_equal(X509_cmp(enroll_scep_signer_cert(m), dev.cert), 0);
        enroll_scep_free(m);

        /* the end of contents missing */

        for (size_t n = 1; n <= 8; n++) {
            assert_int_not_equal(take_legacy(&m, (der_t) { der.data,
                                                           der.len - n },
                                             0, 0),
                                 ENROLL_OK);
            enroll_scep_free(m);
        }
    }

    /* depth, number, pieces */

    msg = message(scep_envelope(&e));
    deep = SEQ(NONE);

    for (i = 0; i < 20; i++) {
        deep = SEQ(deep);
    }

    msg.crls = TLV(0xa1, deep);
    taken(&msg);

    for (i = 0; i < 20000; i++) {
        deep = i < 10 ? SEQ(deep) : deep;
    }

    msg.crls = TLV(0xa1, deep);
    refused(&msg, ENROLL_SCEP_MESSAGE, 0);

    msg.crls = der_times(RAW("\x30\x80"), 200000);
    refused(&msg, ENROLL_SCEP_MESSAGE, 0);
    msg.crls = TLV(0xa1, der_times(RAW("\x05\x00"), 70000));
    refused(&msg, ENROLL_SCEP_MESSAGE, 0);

    e = env_csr();
    e.encrypted = TLV(0xa0, der_times(OCTETS(RAW("x")), 10000));
    msg = message(scep_envelope(&e));
    refused(&msg, ENROLL_SCEP_DECRYPT, 1);
    e.encrypted = TLV(0xa0, DER_NULL);
    msg = message(scep_envelope(&e));
    refused(&msg, ENROLL_SCEP_ENVELOPE, 1);

    /* no tags of several octets, no primitive without an end */

    msg.crls = TLV(0xa1, RAW("\x1f\x81\x01\x00"));
    refused(&msg, ENROLL_SCEP_MESSAGE, 0);
    msg.crls = TLV(0xa1, RAW("\x04\x80\x00\x00"));
    refused(&msg, ENROLL_SCEP_MESSAGE, 0);
    msg.crls = TLV(0xa1, RAW("\x00\x00"));
    refused(&msg, ENROLL_SCEP_MESSAGE, 0);
    msg.crls = TLV(0xa1, RAW("\x04\x85\0\0\0\0\0"));
    refused(&msg, ENROLL_SCEP_MESSAGE, 0);
    msg.crls = TLV(0xa1, RAW("\x24\x04\x13\x02xy"));
    refused(&msg, ENROLL_SCEP_MESSAGE, 0);

    /* lengths longer than need be are BER, too */

    msg = msg_csr();
    msg.nonce = RAW("\x04\x84\x00\x00\x00\x01n");
    assert_int_equal(parsed(&m, X(scep_message(&msg)), 0),
                     ENROLL_SCEP_SIGNATURE);
    assert_int_equal(m->nonce_len, 1);
    enroll_scep_free(m);
}


/* the same by OpenSSL's own CMS, DER and streamed */

static der_t
cms_message(unsigned flags, const EVP_CIPHER *cipher)
{
    BIO              *in, *out;
    char             *data;
    long              n;
    der_t             csr, der;
    unsigned char    *env;
    CMS_ContentInfo  *cms;
    CMS_SignerInfo   *si;
    STACK_OF(X509)   *to;

    csr = scep_csr(dev.key, "device", "secret");
    to = sk_X509_new_null();
    sk_X509_push(to, ra.cert);

    in = BIO_new_mem_buf(csr.data, (int) csr.len);
    cms = CMS_encrypt(to, in, cipher, CMS_BINARY | (flags & CMS_STREAM));
    assert_non_null(cms);
    out = BIO_new(BIO_s_mem());
    assert_int_equal(i2d_CMS_bio_stream(out, cms, in,
                                        CMS_BINARY | (int) flags), 1);
    n = BIO_get_mem_data(out, &data);
    env = (unsigned char *) der_copy((unsigned char *) data, (size_t) n).data;
    BIO_free(in);
    BIO_free(out);
    CMS_ContentInfo_free(cms);
    sk_X509_free(to);

    in = BIO_new_mem_buf(env, (int) n);
    cms = CMS_sign(NULL, NULL, NULL, in, CMS_BINARY | CMS_PARTIAL
                                         | CMS_STREAM);
    assert_non_null(cms);
    si = CMS_add1_signer(cms, dev.cert, dev.key, EVP_sha256(),
                         CMS_BINARY | CMS_PARTIAL);
    assert_non_null(si);

    assert_int_equal(CMS_signed_add1_attr_by_txt(si,
                         "2.16.840.1.113733.1.9.2", V_ASN1_PRINTABLESTRING,
                         "19", 2), 1);
    assert_int_equal(CMS_signed_add1_attr_by_txt(si,
                         "2.16.840.1.113733.1.9.5", V_ASN1_OCTET_STRING,
                         "0123456789abcdef", 16), 1);
    assert_int_equal(CMS_signed_add1_attr_by_txt(si,
                         "2.16.840.1.113733.1.9.7", V_ASN1_PRINTABLESTRING,
                         "abc", 3), 1);

    out = BIO_new(BIO_s_mem());

    if (flags & CMS_STREAM) {
        assert_int_equal(i2d_CMS_bio_stream(out, cms, in,
                                            CMS_BINARY | CMS_STREAM), 1);

    } else {
        assert_int_equal(CMS_final(cms, in, NULL, CMS_BINARY), 1);
        assert_int_equal(i2d_CMS_bio(out, cms), 1);
    }

    n = BIO_get_mem_data(out, &data);
    der = der_copy((unsigned char *) data, (size_t) n);

    BIO_free(in);
    BIO_free(out);
    CMS_ContentInfo_free(cms);

    return der;
}


static void
by_openssl(void **state)
{
    int             i;
    der_t           der;
    enroll_scep_t  *m;

    (void) state;

    for (i = 0; i < 4; i++) {
        der = cms_message(i & 1 ? CMS_STREAM : 0,
                          i & 2 ? EVP_aes_256_gcm() : EVP_aes_256_cbc());
        assert_int_equal(take_legacy(&m, der, 0, 0), ENROLL_OK);
        assert_int_equal(m->transaction_len, 3);
        assert_string_equal(m->csr->challenge.data, "secret");
        enroll_scep_free(m);
    }
}


/* nothing that is cut off or changed is taken */

static void
damaged(void **state)
{
    der_t           der, bent;
    size_t          i;
    scep_msg_t      msg = msg_csr();
    enroll_scep_t  *m;

    (void) state;

    der = scep_message(&msg);

    for (i = 0; i < der.len; i++) {
        bent = der_copy(der.data, i);
        assert_int_not_equal(parsed(&m, X(bent), 0), ENROLL_OK);
        assert_null(m);
    }

    for (i = 0; i < der.len * 8; i += 3) {
        bent = der_copy(der.data, der.len);
        ((unsigned char *) bent.data)[i / 8] ^= (unsigned char) (1 << i % 8);
        (void) take_legacy(&m, bent, 0, 0);

        /* of what is not signed, only what means nothing may differ */

        if (m && m->csr) {
            assert_memory_equal(m->signer_digest, m->csr->key_digest, 32);
            assert_memory_equal(m->transaction, "0123456789abcdef", 16);
            assert_string_equal(m->csr->challenge.data, "secret");
        }

        enroll_scep_free(m);
        der_used -= bent.len;
    }
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test_teardown(request, emptied),
        cmocka_unit_test_teardown(queries, emptied),
        cmocka_unit_test_teardown(message_type, emptied),
        cmocka_unit_test_teardown(transaction_id, emptied),
        cmocka_unit_test_teardown(sender_nonce, emptied),
        cmocka_unit_test_teardown(attributes, emptied),
        cmocka_unit_test_teardown(signed_data, emptied),
        cmocka_unit_test_teardown(unsorted, emptied),
        cmocka_unit_test_teardown(signer_certificate, emptied),
        cmocka_unit_test_teardown(signer_keys, emptied),
        cmocka_unit_test_teardown(digests, emptied),
        cmocka_unit_test_teardown(ber, emptied),
        cmocka_unit_test_teardown(by_openssl, emptied),
        cmocka_unit_test_teardown(damaged, emptied)
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
