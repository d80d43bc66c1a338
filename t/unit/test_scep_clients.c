
/*
 * Copyright (C) The nginx-enroll authors
 */


/*
 * Messages of clients that exist, kept in t/fuzz/corpus/scep (fuzz_scep.c
 * says by what they were made): each is taken, opened, and answered.
 */


#include <stdio.h>
#include <openssl/provider.h>

#include "unit_make.h"

#include "enroll_scep.h"
#include "enroll_text.h"
#include "unit_scep_ra.h"


#define LEGACY  (ENROLL_LEGACY_SHA1|ENROLL_LEGACY_DES)


typedef struct {
    const char          *file;
    const char          *cn;
    const char          *challenge;      /* NULL: none */
    int                  type;
    unsigned             legacy;
    int                  cipher;
    int                  digest;
    int                  oaep;           /* NID_undef: PKCS #1 v1.5 */
    int                  known;
} client_t;


static OSSL_PROVIDER  *providers[2];


static const client_t  clients[] = {
    { "strongswan.der", "strongswan", "5EC2E7", 19, 0,
      NID_aes_128_cbc, NID_sha256, NID_undef, 0 },
    { "strongswan-renewal.der", "strongswan", NULL, 17, 0,
      NID_aes_128_cbc, NID_sha256, NID_undef, 1 },
    { "scepclient.der", "scepclient", "5EC2E7", 19, LEGACY,
      NID_des_cbc, NID_sha1, NID_undef, 0 },
    { "bc-ber.der", "bouncycastle", "5EC2E7", 19, 0,
      NID_aes_128_cbc, NID_sha256, NID_undef, 0 },
    { "bc-oaep.der", "bouncycastle", "5EC2E7", 19, 0,
      NID_aes_128_cbc, NID_sha256, NID_sha256, 0 },
    { "bc-gcm.der", "bouncycastle", "5EC2E7", 19, 0,
      NID_aes_256_gcm, NID_sha256, NID_undef, 0 },
    { "bc-ec.der", "bouncycastle", "5EC2E7", 19, 0,
      NID_aes_128_cbc, NID_sha256, NID_undef, 0 }
};


static int
setup(void **state)
{
    (void) state;

    providers[0] = OSSL_PROVIDER_load(NULL, "default");
    providers[1] = OSSL_PROVIDER_load(NULL, "legacy");

    return 0;
}


static int
teardown(void **state)
{
    (void) state;

    OSSL_PROVIDER_unload(providers[0]);

    if (providers[1]) {
        OSSL_PROVIDER_unload(providers[1]);
    }

    return 0;
}


static size_t
slurp(const char *file, unsigned char *data, size_t size)
{
    char    path[256];
    FILE   *f;
    size_t  n;

    (void) snprintf(path, sizeof(path), "t/fuzz/corpus/scep/%s", file);

    f = fopen(path, "rb");

    if (f == NULL) {
        print_error("no %s here\n", path);
    }

    assert_non_null(f);
    n = fread(data, 1, size, f);
    fclose(f);

    return n;
}


static void
one(const client_t *c, const enroll_ra_t *ra)
{
    char                  *cn;
    size_t                 n, len;
    unsigned char          data[8192], *der;
    enroll_scep_t         *m;
    enroll_scep_answer_t   answer = { .status = ENROLL_SCEP_SUCCESS,
                                      .certs = ra->certs };

    n = slurp(c->file, data, sizeof(data));

    if (c->legacy) {
        assert_int_equal(enroll_scep_parse(&m, data, n, 0), ENROLL_OK);
        assert_int_equal(enroll_scep_verify(m), ENROLL_SCEP_ALG);
        enroll_scep_free(m);
    }

    assert_int_equal(enroll_scep_parse(&m, data, n, c->legacy), ENROLL_OK);
    assert_int_equal(enroll_scep_verify(m), ENROLL_OK);
    m->known = c->known ? 1 : 0;
    assert_int_equal(enroll_scep_open(m, ra), ENROLL_OK);

    assert_int_equal(m->type, c->type);
    assert_int_equal(EVP_MD_get_type(m->mirror.digest), c->digest);
    assert_int_equal(EVP_CIPHER_get_nid(m->mirror.cipher), c->cipher);
    assert_int_equal(m->mirror.oaep ? EVP_MD_get_type(m->mirror.oaep)
                                    : NID_undef,
                     c->oaep);
    assert_int_equal(enroll_csr_verify(m->csr, 0), ENROLL_OK);

    cn = enroll_text_cn(m->csr->subject);
    assert_string_equal(cn, c->cn);
    OPENSSL_free(cn);

    if (c->challenge) {
        assert_string_equal(m->csr->challenge.data, c->challenge);

    } else {
        assert_null(m->csr->challenge.data);
    }

    assert_int_equal(enroll_scep_reply(m, ra, &answer, &der, &len),
                     ENROLL_OK);

    OPENSSL_free(der);
    enroll_scep_free(m);

    assert_int_equal(ERR_peek_error(), 0);
}


static void
messages(void **state)
{
    size_t                i;
    EVP_PKEY             *key;
    enroll_ra_t           ra;
    const unsigned char  *p;

    (void) state;

    p = unit_ra_key;
    key = d2i_PrivateKey(EVP_PKEY_RSA, NULL, &p, sizeof(unit_ra_key));
    assert_non_null(key);

    p = unit_ra_cert;
    ra.sign_cert = d2i_X509(NULL, &p, sizeof(unit_ra_cert));
    assert_non_null(ra.sign_cert);

    ra.certs = sk_X509_new_null();
    sk_X509_push(ra.certs, ra.sign_cert);
    ra.keys = &key;
    ra.sign_key = key;

    for (i = 0; i < sizeof(clients) / sizeof(clients[0]); i++) {
        if (clients[i].cipher == NID_des_cbc && providers[1] == NULL) {
            continue;
        }

        one(&clients[i], &ra);
    }

    sk_X509_free(ra.certs);
    X509_free(ra.sign_cert);
    EVP_PKEY_free(key);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(messages)
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
