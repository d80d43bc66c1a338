/*
 * Copyright (C) The nginx-enroll authors
 *
 * What "openssl cms -sign" has no option for: signed attributes.  It makes a
 * pkiMessage of an envelope, by OpenSSL's CMS functions alone.
 *
 *     scep_sign KEY CERT DIGEST TYPE TRANSACTION NONCE < ENVELOPE > MESSAGE
 */

#include <openssl/cms.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>


static void *
need(void *p)
{
    if (p == NULL) {
        ERR_print_errors_fp(stderr);
        exit(1);
    }

    return p;
}


static void
attribute(CMS_SignerInfo *si, const char *oid, int type, const char *value)
{
    if (CMS_signed_add1_attr_by_txt(si, oid, type, value, strlen(value))
        != 1)
    {
        need(NULL);
    }
}


int
main(int argc, char **argv)
{
    BIO              *in, *out;
    X509             *cert;
    EVP_PKEY         *key;
    const EVP_MD     *md;
    CMS_SignerInfo   *si;
    CMS_ContentInfo  *cms;

    if (argc != 7) {
        fprintf(stderr, "scep_sign KEY CERT DIGEST TYPE TRANSACTION NONCE\n");
        return 2;
    }

    in = need(BIO_new_file(argv[1], "r"));
    key = need(PEM_read_bio_PrivateKey(in, NULL, NULL, NULL));
    BIO_free(in);

    in = need(BIO_new_file(argv[2], "r"));
    cert = need(PEM_read_bio_X509(in, NULL, NULL, NULL));
    BIO_free(in);

    md = need((void *) EVP_get_digestbyname(argv[3]));

    in = need(BIO_new_fp(stdin, BIO_NOCLOSE));
    out = need(BIO_new_fp(stdout, BIO_NOCLOSE));

    cms = need(CMS_sign(NULL, NULL, NULL, NULL, CMS_PARTIAL|CMS_BINARY));
    si = need(CMS_add1_signer(cms, cert, key, md, CMS_NOSMIMECAP));

    attribute(si, "2.16.840.1.113733.1.9.2", V_ASN1_PRINTABLESTRING, argv[4]);
    attribute(si, "2.16.840.1.113733.1.9.7", V_ASN1_PRINTABLESTRING, argv[5]);
    attribute(si, "2.16.840.1.113733.1.9.5", V_ASN1_OCTET_STRING, argv[6]);

    if (CMS_final(cms, in, NULL, CMS_BINARY) != 1
        || i2d_CMS_bio(out, cms) != 1)
    {
        need(NULL);
    }

    BIO_free(in);
    BIO_free(out);
    CMS_ContentInfo_free(cms);
    EVP_PKEY_free(key);
    X509_free(cert);

    return 0;
}
