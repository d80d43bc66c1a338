
/*
 * Copyright (C) The nginx-enroll authors
 */


/* Who takes part in the tests of SCEP, and what they usually do. */


#ifndef _UNIT_SCEP_USUAL_H_INCLUDED_
#define _UNIT_SCEP_USUAL_H_INCLUDED_


#include <openssl/provider.h>

#include "unit_scep.h"


#define LEGACY_ALL  (ENROLL_LEGACY_SHA1|ENROLL_LEGACY_MD5                     \
                     |ENROLL_LEGACY_DES3|ENROLL_LEGACY_DES)

#define X(d)  (d).data, (d).len


static scep_id_t    ca, ra, old, other, dev, dev_ec;
static EVP_PKEY    *ra_keys[2];
static enroll_ra_t  authority;

static OSSL_PROVIDER  *providers[2];     /* the second one may not be here */


MAKE void
identity(scep_id_t *id, const char *kind, const char *cn, scep_id_t *issuer)
{
    X509_NAME                *name;

    static const char *const  exts[] = {
        "keyUsage", "critical,digitalSignature,keyEncipherment",
        "subjectKeyIdentifier", "hash",
        NULL
    };

    id->key = make_key(kind);
    assert_non_null(id->key);

    name = X509_NAME_new();
    X509_NAME_add_entry_by_NID(name, NID_commonName, MBSTRING_UTF8,
                               (const unsigned char *) cn, -1, -1, 0);

    id->cert = make_cert(name, id->key, issuer ? issuer->cert : NULL,
                         issuer ? issuer->key : id->key, MAKE_NOW - MAKE_DAY,
                         MAKE_NOW + MAKE_DAY, exts);

    X509_NAME_free(name);
}


MAKE int
setup(void **state)
{
    (void) state;

    /* as nginx would for "scep_legacy" */

    providers[0] = OSSL_PROVIDER_load(NULL, "default");
    providers[1] = OSSL_PROVIDER_load(NULL, "legacy");

    ca.key = make_key("P-256");
    ca.cert = make_ca("CA", ca.key, NULL, ca.key);

    identity(&ra, "RSA-2048", "RA", &ca);
    identity(&old, "RSA-2048", "RA", &ca);
    identity(&other, "RSA-2048", "RA", &ca);
    identity(&dev, "RSA-2048", "device", NULL);
    identity(&dev_ec, "P-256", "device", NULL);

    authority.certs = sk_X509_new_null();
    sk_X509_push(authority.certs, ra.cert);
    sk_X509_push(authority.certs, old.cert);
    ra_keys[0] = ra.key;
    ra_keys[1] = old.key;
    authority.keys = ra_keys;
    authority.sign_cert = ra.cert;
    authority.sign_key = ra.key;

    return 0;
}


MAKE void
forget(scep_id_t *id)
{
    EVP_PKEY_free(id->key);
    X509_free(id->cert);
}


MAKE int
teardown(void **state)
{
    (void) state;

    sk_X509_free(authority.certs);
    forget(&ca);
    forget(&ra);
    forget(&old);
    forget(&other);
    forget(&dev);
    forget(&dev_ec);

    OSSL_PROVIDER_unload(providers[0]);

    if (providers[1]) {
        OSSL_PROVIDER_unload(providers[1]);
    }

    return 0;
}


MAKE int
emptied(void **state)
{
    (void) state;

    der_reset();
    assert_int_equal(ERR_peek_error(), 0);

    return 0;
}


/* the usual envelope and message, for a test to change */

MAKE scep_env_t
env(der_t plain)
{
    return (scep_env_t) {
        .to = ra.cert, .cipher = EVP_aes_128_cbc(), .plain = plain
    };
}


MAKE scep_env_t
env_csr(void)
{
    return env(scep_csr(dev.key, "device", "secret"));
}


MAKE scep_msg_t
message(der_t content)
{
    return (scep_msg_t) {
        .cert = dev.cert, .key = dev.key, .md = EVP_sha256(),
        .content = content
    };
}


MAKE scep_msg_t
msg_csr(void)
{
    scep_env_t  e = env_csr();

    return message(scep_envelope(&e));
}


/* what needs no private key; *m is there for the caller to free */

MAKE enroll_outcome_e
parsed(enroll_scep_t **m, const unsigned char *der, size_t len,
    unsigned legacy)
{
    enroll_outcome_e  rc;

    rc = enroll_scep_parse(m, der, len, legacy);
    assert_int_equal(*m != NULL, rc == ENROLL_OK);

    if (rc == ENROLL_OK) {
        assert_null((*m)->signer);
        assert_int_equal((*m)->type, 0);
        assert_in_range((*m)->transaction_len, 1, ENROLL_SCEP_TRANSACTION);
        assert_in_range((*m)->nonce_len, 1, ENROLL_SCEP_NONCE);
        assert_non_null((*m)->mirror.digest);
        assert_non_null((*m)->mirror.cipher);

        rc = enroll_scep_verify(*m);
    }

    return rc;
}


/* all steps */

MAKE enroll_outcome_e
take_legacy(enroll_scep_t **m, der_t der, int known, unsigned legacy)
{
    enroll_outcome_e  rc;

    rc = parsed(m, der.data, der.len, legacy);

    if (rc == ENROLL_OK) {
        (*m)->known = known;
        rc = enroll_scep_open(*m, &authority);
    }

    assert_int_equal(ERR_peek_error(), 0);

    return rc;
}


MAKE enroll_outcome_e
take(enroll_scep_t **m, const scep_msg_t *msg)
{
    return take_legacy(m, scep_message(msg), 0, 0);
}


/* the outcome, and whether somebody can be told */

MAKE void
refused_legacy(const scep_msg_t *msg, enroll_outcome_e want, int told,
    unsigned legacy)
{
    enroll_scep_t     *m;
    enroll_outcome_e   rc;

    rc = take_legacy(&m, scep_message(msg), 0, legacy);

    if (rc != want) {
        print_error("%s instead of %s\n", enroll_outcome(rc)->reason,
                    enroll_outcome(want)->reason);
    }

    assert_int_equal(rc, want);
    assert_int_equal(m != NULL, told);

    if (m) {
        assert_null(m->csr);
        assert_null(m->issuer);
    }

    enroll_scep_free(m);
}


MAKE void
refused(const scep_msg_t *msg, enroll_outcome_e want, int told)
{
    refused_legacy(msg, want, told, 0);
}


MAKE void
taken_legacy(const scep_msg_t *msg, unsigned legacy)
{
    enroll_scep_t     *m;
    enroll_outcome_e   rc;

    rc = take_legacy(&m, scep_message(msg), 0, legacy);

    if (rc != ENROLL_OK) {
        print_error("%s\n", enroll_outcome(rc)->reason);
    }

    assert_int_equal(rc, ENROLL_OK);
    assert_non_null(m);

    enroll_scep_free(m);
}


MAKE void
taken(const scep_msg_t *msg)
{
    taken_legacy(msg, 0);
}


#endif /* _UNIT_SCEP_USUAL_H_INCLUDED_ */
