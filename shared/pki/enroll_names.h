
/*
 * Copyright (C) The nginx-enroll authors
 */


/*
 * The names that a certificate will carry: where they come from and who may
 * ask for them.
 */


#ifndef _ENROLL_NAMES_H_INCLUDED_
#define _ENROLL_NAMES_H_INCLUDED_


#include <stddef.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "enroll_csr.h"
#include "enroll_outcome.h"


typedef struct {
    X509_NAME          *subject;     /* may be empty, never NULL once made */
    X509_EXTENSION     *san;         /* subjectAltName, or NULL */
} enroll_names_t;


/* who asks, as far as names go; all of it borrowed */

typedef struct {
    const char         *user;        /* of Basic, or NULL */
    size_t              user_len;
    X509               *cert;        /* a factory certificate, or NULL */
} enroll_asker_t;


/* zero-filled is empty; frees the parts, not the struct */

void enroll_names_cleanup(enroll_names_t *names);

/*
 * The subject of a request, every value checked (valid text, no control
 * characters, length) and encoded anew as PrintableString, IA5String or
 * UTF8String: ENROLL_OK or ENROLL_BAD_SUBJECT.
 */

enroll_outcome_e enroll_names_subject_csr(enroll_names_t *names,
    const enroll_csr_t *csr);

/*
 * Adds one attribute to the subject.  The value is text of len octets of
 * UTF-8 and is never parsed as DN syntax.  more: it belongs to the RDN of
 * the attribute added before it.  An empty value adds nothing: where it was
 * the first of an RDN, the next one of that RDN is given without more.
 */

enroll_outcome_e enroll_names_subject_add(enroll_names_t *names,
    const ASN1_OBJECT *type, const char *value, size_t len, int more);

/*
 * The SAN: the names of the request's that are of the kinds given, and then
 * n more of a template.  A name of the request's of another kind is refused
 * (ENROLL_SAN_NOT_ALLOWED), but Microsoft's SID is dropped unless named.
 * All are checked for syntax (ENROLL_BAD_SAN).  The extension is critical
 * where the subject, which must have been made before, is empty;
 * ENROLL_NO_NAME where both are.
 */

typedef struct {
    unsigned            kind;        /* one of dns, ip, email, uri, upn */
    const char         *value;       /* empty: adds nothing */
    size_t              len;
} enroll_san_value_t;

enroll_outcome_e enroll_names_san(enroll_names_t *names,
    const enroll_csr_t *csr, unsigned kinds, const enroll_san_value_t *values,
    size_t n);

/* the subject and SAN of a certificate to renew, as they are encoded there */

enroll_outcome_e enroll_names_renew(enroll_names_t *names, const X509 *cert);

/*
 * Whether a request asks for the names of the certificate to renew: subjects
 * by X509_NAME_cmp(), SANs as sets (dNSName without regard to case).  subset:
 * fewer SANs will do.  ENROLL_OK, ENROLL_RENEWAL_SUBJECT or
 * ENROLL_RENEWAL_SAN.
 */

enroll_outcome_e enroll_names_renewal_check(const enroll_csr_t *csr,
    const X509 *cert, int subset);

/*
 * "enroll_names identity": every name is one that the asker has.  Names are
 * the subject's attributes but those that only describe a place or an
 * organisation (C, ST, L, O, OU, street, postalCode, businessCategory,
 * title), and every subjectAltName.  By user: the text of each is the user
 * (dNSName without regard to case).  By certificate: a SAN is one of the
 * certificate's, or its text is the CN; a subject attribute is one of the
 * certificate's of the same type, or the CN is the text of one of its SANs.
 * At least one name must be there.  ENROLL_OK or ENROLL_NAME_NOT_PERMITTED.
 */

enroll_outcome_e enroll_names_permitted(const enroll_names_t *names,
    const enroll_asker_t *asker);

/* SHA-256 over subject and SAN; 1 on success, else 0 */

int enroll_names_digest(const enroll_names_t *names, unsigned char *digest);


#endif /* _ENROLL_NAMES_H_INCLUDED_ */
