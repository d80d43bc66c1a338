
/*
 * Copyright (C) The nginx-enroll authors
 */


/* The envelopes of SCEP's messages: what is opened, what is refused. */


#include "unit_scep_usual.h"


static void
ciphers(void **state)
{
    size_t            i;
    scep_env_t        e = env_csr();
    scep_msg_t        msg = msg_csr();
    enroll_scep_t    *m;

    const struct {
        const EVP_CIPHER  *cipher;
        unsigned           legacy;
    } list[] = {
        { EVP_aes_128_cbc(), 0 },
        { EVP_aes_192_cbc(), 0 },
        { EVP_aes_256_cbc(), 0 },
        { EVP_aes_128_gcm(), 0 },
        { EVP_aes_192_gcm(), 0 },
        { EVP_aes_256_gcm(), 0 },
        { EVP_des_ede3_cbc(), ENROLL_LEGACY_DES3 },
        { EVP_des_cbc(), ENROLL_LEGACY_DES }     /* of the second provider */
    };

    (void) state;

    for (i = 0; i < 7 + (providers[1] != NULL); i++) {
        e.cipher = list[i].cipher;
        msg.content = scep_envelope(&e);

        assert_int_equal(take_legacy(&m, scep_message(&msg), 0,
                                     list[i].legacy),
                         ENROLL_OK);
        assert_ptr_equal(m->mirror.cipher, list[i].cipher);
        enroll_scep_free(m);

        if (list[i].legacy) {
            refused_legacy(&msg, ENROLL_SCEP_ALG, 1,
                           LEGACY_ALL & ~list[i].legacy);
        }
    }

    e.cipher = EVP_camellia_128_cbc();
    msg.content = scep_envelope(&e);
    refused_legacy(&msg, ENROLL_SCEP_ALG, 1, LEGACY_ALL);
    e.cipher = EVP_aes_128_cfb128();
    msg.content = scep_envelope(&e);
    refused_legacy(&msg, ENROLL_SCEP_ALG, 1, LEGACY_ALL);

    e.cipher = EVP_aes_128_cbc();
    e.cipher_alg = SEQ(OID("1.2.840.113549.3.2"), OCTETS(RAW("12345678")));
    msg.content = scep_envelope(&e);
    refused_legacy(&msg, ENROLL_SCEP_ALG, 1, LEGACY_ALL);
}


static void
ciphers_malformed(void **state)
{
    size_t      i;
    scep_env_t  e = env_csr();
    scep_msg_t  msg = msg_csr();

#define AES   OID("2.16.840.1.101.3.4.1.2")
#define GCM   OID("2.16.840.1.101.3.4.1.6")

    const der_t  cbc[] = {
        SEQ(AES), SEQ(AES, DER_NULL), SEQ(AES, OCTETS(NONE)),
        SEQ(AES, OCTETS(RAW("123456789012345"))),
        SEQ(AES, OCTETS(RAW("12345678901234567"))),
        SEQ(AES, TLV(0x02, RAW("1234567890123456"))),
        SEQ(AES, TLV(0x13, RAW("1234567890123456"))),
        SEQ(NONE)
    };

    const der_t  gcm[] = {
        SEQ(GCM), SEQ(GCM, DER_NULL), SEQ(GCM, SEQ(NONE)),
        SEQ(GCM, OCTETS(RAW("123456789012"))),
        SEQ(GCM, SEQ(OCTETS(RAW("12345678901")), TLV(0x02, RAW("\x10")))),
        SEQ(GCM, SEQ(OCTETS(RAW("123456789012")), TLV(0x02, RAW("\x04")))),
        SEQ(GCM, SEQ(OCTETS(RAW("123456789012")), TLV(0x02, RAW("\x11")))),
        SEQ(GCM, SEQ(OCTETS(RAW("123456789012")), TLV(0x02, RAW("\x10")),
                     DER_NULL)),
        SEQ(GCM, SEQ(OCTETS(RAW("123456789012")), OCTETS(RAW("\x10"))))
    };

    (void) state;

    for (i = 0; i < sizeof(cbc) / sizeof(cbc[0]); i++) {
        e.cipher_alg = cbc[i];
        msg.content = scep_envelope(&e);
        refused(&msg, ENROLL_SCEP_ENVELOPE, 1);
    }

    e.cipher = EVP_aes_128_gcm();

    for (i = 0; i < sizeof(gcm) / sizeof(gcm[0]); i++) {
        e.cipher_alg = gcm[i];
        msg.content = scep_envelope(&e);
        refused(&msg, ENROLL_SCEP_ENVELOPE, 1);
    }

    /* each in the other's envelope */

    e = env_csr();
    e.cipher_alg = SEQ(GCM, SEQ(OCTETS(RAW("123456789012")),
                                TLV(0x02, RAW("\x10"))));
    msg.content = scep_envelope(&e);
    refused(&msg, ENROLL_SCEP_ALG, 1);

    e = env_csr();
    e.cipher = EVP_aes_128_gcm();
    e.cipher_alg = SEQ(AES, OCTETS(RAW("1234567890123456")));
    msg.content = scep_envelope(&e);
    refused(&msg, ENROLL_SCEP_ALG, 1);
}


static void
key_transport(void **state)
{
    size_t          i;
    scep_env_t      e = env_csr();
    scep_msg_t      msg = msg_csr();
    enroll_scep_t  *m;

#define OAEP(...)  SEQ(OID("1.2.840.113549.1.1.7"), __VA_ARGS__)
#define MGF(...)   TLV(0xa1, SEQ(OID("1.2.840.113549.1.1.8"), __VA_ARGS__))
#define LABEL(...) TLV(0xa2, SEQ(OID("1.2.840.113549.1.1.9"), __VA_ARGS__))

    const EVP_MD  *mds[] = {
        EVP_sha1(), EVP_sha256(), EVP_sha384(), EVP_sha512()
    };

    const der_t    bad[] = {
        SEQ(OID("1.2.840.113549.1.1.7")),
        OAEP(DER_NULL),
        OAEP(SEQ(TLV(0xa0, scep_alg("1.2.3")))),
        OAEP(SEQ(TLV(0xa0, scep_md_alg(EVP_md5())))),
        OAEP(SEQ(MGF(scep_md_alg(EVP_md5())))),
        OAEP(SEQ(MGF(NONE))),
        OAEP(SEQ(TLV(0xa1, SEQ(OID("1.2.3"), scep_md_alg(EVP_sha1()))))),
        OAEP(SEQ(LABEL(OCTETS(RAW("x"))))),
        OAEP(SEQ(LABEL(NONE))),
        OAEP(SEQ(TLV(0xa4, DER_NULL))),
        SEQ(OID("1.2.840.113549.1.1.1"), OCTETS(RAW("x"))),
        scep_alg("1.2.840.113549.1.9.16.3.14"),
        scep_alg("1.2.840.113549.1.1.11"),
        scep_alg("1.2.3.4"),
        SEQ(NONE)
    };

    (void) state;

    for (i = 0; i < 4; i++) {
        e.oaep = mds[i];
        e.mgf = mds[(i + 1) % 4];
        msg.content = scep_envelope(&e);

        assert_int_equal(take(&m, &msg), ENROLL_OK);
        assert_ptr_equal(m->mirror.oaep, e.oaep);
        assert_ptr_equal(m->mirror.oaep_mgf, e.mgf);
        enroll_scep_free(m);
    }

    /* the defaults, as Windows has them, and an empty label */

    e.oaep = EVP_sha1();
    e.mgf = EVP_sha1();
    e.key_alg = OAEP(SEQ(NONE));
    msg.content = scep_envelope(&e);
    taken(&msg);
    e.key_alg = OAEP(SEQ(LABEL(OCTETS(NONE))));
    msg.content = scep_envelope(&e);
    taken(&msg);

    e = env_csr();
    e.key_alg = SEQ(OID("1.2.840.113549.1.1.1"));
    msg.content = scep_envelope(&e);
    taken(&msg);

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        e.key_alg = bad[i];
        msg.content = scep_envelope(&e);
        refused(&msg, ENROLL_SCEP_ALG, 1);
    }
}


static void
recipients(void **state)
{
    der_t       skid, one;
    size_t      i;
    scep_env_t  e = env_csr();
    scep_msg_t  msg = msg_csr();

    const der_t bad[] = {
        NONE,
        TLV(0xa2, DER_NULL),
        TLV(0xa4, OID_DATA, DER_NULL),
        DER_NULL,
        SEQ(NONE),
        SEQ(TLV(0x02, RAW("\0")), DER_NULL, DER_NULL, DER_NULL)
    };

    (void) state;

    e.to = old.cert;
    msg.content = scep_envelope(&e);
    taken(&msg);

    e.to = ra.cert;
    skid = TLV(0x80, { ASN1_STRING_get0_data(
                           X509_get0_subject_key_id(ra.cert)), 20 });
    e.rid = skid;
    msg.content = scep_envelope(&e);
    taken(&msg);

    e = env_csr();

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        e.recipients = bad[i];
        msg.content = scep_envelope(&e);
        refused(&msg, ENROLL_SCEP_ENVELOPE, 1);
    }

    one = SEQ(TLV(0x02, RAW("\0")), scep_issuer_serial(ra.cert),
              scep_alg("1.2.840.113549.1.1.1"),
              OCTETS(der_times(RAW("x"), 256)));

    e.recipients = CAT(one, one);
    msg.content = scep_envelope(&e);
    refused(&msg, ENROLL_SCEP_ENVELOPE, 1);
    e.recipients = der_times(one, 100);
    msg.content = scep_envelope(&e);
    refused(&msg, ENROLL_SCEP_ENVELOPE, 1);

    /* key agreement, and a password with any number of iterations */

    e.recipients = TLV(0xa1, DER_NULL);
    msg.content = scep_envelope(&e);
    refused(&msg, ENROLL_SCEP_ALG, 1);
    e.recipients = TLV(0xa3, DER_NULL);
    msg.content = scep_envelope(&e);
    refused(&msg, ENROLL_SCEP_ALG, 1);

    e = env_csr();
    e.inner_type = OID_SIGNED;
    msg.content = scep_envelope(&e);
    refused(&msg, ENROLL_SCEP_ENVELOPE, 1);
    e = env_csr();
    e.type = OID_AUTH_ENV;
    msg.content = scep_envelope(&e);
    refused(&msg, ENROLL_SCEP_ENVELOPE, 1);
    e.type = OID_SIGNED;
    msg.content = scep_envelope(&e);
    refused(&msg, ENROLL_SCEP_ENVELOPE, 1);
    e = env_csr();
    e.tail = RAW("\0");
    msg.content = scep_envelope(&e);
    refused(&msg, ENROLL_SCEP_ENVELOPE, 1);
}


/*
 * Whatever is wrong with key, padding or plaintext, there is one answer, and
 * nothing is left of what was read
 */

static void
one_refusal(void **state)
{
    der_t        key, csr, bent;
    size_t       i, n;
    scep_env_t   e, list[64];
    scep_msg_t   msg = msg_csr();

    (void) state;

    csr = scep_csr(dev.key, "device", "secret");
    n = 0;

#define CASE(...)                                                             \
    e = env(csr); __VA_ARGS__; list[n++] = e;                                 \
    e.oaep = EVP_sha256(); e.mgf = EVP_sha256(); list[n++] = e

    CASE(e.to = other.cert);
    CASE(e.to = other.cert; e.rid = scep_issuer_serial(ra.cert));
    CASE(e.rid = scep_issuer_serial(other.cert));
    CASE(e.rid = TLV(0x80, RAW("x")));
    CASE(e.key = scep_random(256); *(unsigned char *) e.key.data = 0);
    CASE(e.key = der_times(RAW("\0"), 256));
    CASE(e.key = der_times(RAW("\xff"), 256));
    CASE(e.key = scep_random(257));
    CASE(e.key = scep_random(1));
    CASE(e.key = NONE; e.key.data = (const unsigned char *) "");
    CASE(e.cek = scep_random(15));
    CASE(e.cek = scep_random(16));
    CASE(e.cek = scep_random(17));
    CASE(e.cek = scep_random(32));
    CASE(e.bad_padding = 1);
    CASE(e.encrypted = NONE);
    CASE(e.encrypted = TLV(0x80, NONE));
    CASE(e.encrypted = TLV(0x80, RAW("x")));
    CASE(e.encrypted = TLV(0x80, scep_random(15)));
    CASE(e.encrypted = TLV(0x80, scep_random(16)));
    CASE(e.plain = NONE);
    CASE(e.plain = scep_random(900));
    CASE(e.plain = CAT(csr, RAW("\0")));
    CASE(e.plain = CAT(csr, csr));
    CASE(e.plain = SEQ(csr));
    CASE(e.plain = RAW("-----BEGIN CERTIFICATE REQUEST-----\n"));
    CASE(e.plain = scep_issuer_serial(ra.cert));
    CASE(e.plain = scep_csr(other.key, "device", "secret"));

    assert_true(n <= 64);

    for (i = 0; i < n; i++) {
        msg.content = scep_envelope(&list[i]);
        refused(&msg, ENROLL_SCEP_DECRYPT, 1);
    }

    /* an AEAD that was touched */

    e = env(csr);
    e.cipher = EVP_aes_256_gcm();
    e.mac = OCTETS(scep_random(16));
    msg.content = scep_envelope(&e);
    refused(&msg, ENROLL_SCEP_DECRYPT, 1);
    e.mac = OCTETS(scep_random(12));
    msg.content = scep_envelope(&e);
    refused(&msg, ENROLL_SCEP_DECRYPT, 1);
    e.mac = OCTETS(NONE);
    msg.content = scep_envelope(&e);
    refused(&msg, ENROLL_SCEP_DECRYPT, 1);

    /*
     * a copy with each octet changed, signed anew by somebody else, who gets
     * to know nothing at all
     */

    e = env(csr);
    key = scep_envelope(&e);
    msg = message(key);
    msg.cert = other.cert;
    msg.key = other.key;
    refused(&msg, ENROLL_SCEP_DECRYPT, 1);

    for (i = key.len - csr.len; i < key.len; i += 7) {
        bent = der_copy(key.data, key.len);
        ((unsigned char *) bent.data)[i] ^= 0x01;
        msg.content = bent;
        refused(&msg, ENROLL_SCEP_DECRYPT, 1);
    }
}


/* a request for another key is that of somebody known, or none */

static void
another_key(void **state)
{
    size_t          i;
    der_t           csr, bent;
    scep_env_t      e;
    scep_msg_t      msg;
    enroll_scep_t     *m;
    enroll_outcome_e   rc;

    (void) state;

    csr = scep_csr(other.key, "device", NULL);
    e = env(csr);
    msg = (scep_msg_t) { .cert = dev.cert, .key = dev.key, .md = EVP_sha256(),
                         .content = scep_envelope(&e),
                         .type = PRINTABLE("17") };

    refused(&msg, ENROLL_SCEP_DECRYPT, 1);

    assert_int_equal(take_legacy(&m, scep_message(&msg), 1, 0), ENROLL_OK);
    assert_memory_not_equal(m->csr->key_digest, m->signer_digest, 32);
    enroll_scep_free(m);

    /* whatever is changed in it, all that is seen is that it is */

    for (i = 4; i < csr.len; i += 5) {
        bent = der_copy(csr.data, csr.len);
        ((unsigned char *) bent.data)[i] ^= 0x80;
        e = env(bent);
        msg.content = scep_envelope(&e);

        rc = take_legacy(&m, scep_message(&msg), 1, 0);

        assert_int_equal(rc, ENROLL_SCEP_DECRYPT);
        assert_null(m->csr);
        enroll_scep_free(m);
    }

    /* for one's own key the reasons are given */

    csr = scep_csr(dev.key, "device", "secret");
    bent = der_copy(csr.data, csr.len);
    ((unsigned char *) bent.data)[csr.len - 1] ^= 1;
    e = env(bent);
    msg.content = scep_envelope(&e);
    assert_int_equal(take(&m, &msg), ENROLL_OK);
    assert_int_equal(enroll_csr_verify(m->csr, 0), ENROLL_BAD_SIGNATURE);
    enroll_scep_free(m);

    bent = der_copy(csr.data, csr.len);
    ((unsigned char *) bent.data)[10] = 7;
    e = env(bent);
    msg.content = scep_envelope(&e);
    refused(&msg, ENROLL_BAD_CSR, 1);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test_teardown(ciphers, emptied),
        cmocka_unit_test_teardown(ciphers_malformed, emptied),
        cmocka_unit_test_teardown(key_transport, emptied),
        cmocka_unit_test_teardown(recipients, emptied),
        cmocka_unit_test_teardown(one_refusal, emptied),
        cmocka_unit_test_teardown(another_key, emptied)
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
