
/*
 * Copyright (C) The nginx-enroll authors
 */


/*
 * One name of a subjectAltName: syntax, comparison, text.
 */


#ifndef _ENROLL_SAN_H_INCLUDED_
#define _ENROLL_SAN_H_INCLUDED_


#include <stddef.h>
#include <openssl/x509v3.h>

#include "enroll_names.h"
#include "enroll_outcome.h"


#define ENROLL_SAN_ADDRESS_TEXT   46    /* INET6_ADDRSTRLEN */


/*
 * The text of a name: in the name itself, or of an address in room.  data is
 * NULL where the kind has no text.
 */

typedef struct {
    const char         *data;
    size_t              len;
    unsigned            fold:1;         /* letter case does not count */
    char                room[ENROLL_SAN_ADDRESS_TEXT];
} enroll_san_text_t;


/*
 * Whether a name is of one of the kinds given and well-formed: ENROLL_OK,
 * ENROLL_SAN_NOT_ALLOWED or ENROLL_BAD_SAN
 */

enroll_outcome_e enroll_san_check(const GENERAL_NAME *name, unsigned kinds);

/* 1 if it is the URI in which Microsoft puts a SID, else 0 */

int enroll_san_is_sid(const GENERAL_NAME *name);

/*
 * A name from text, to be freed with GENERAL_NAME_free() and yet to be
 * checked; NULL where the text is not of the kind, or out of memory
 */

GENERAL_NAME *enroll_san_make(unsigned kind, const char *value, size_t len);

/*
 * 1 if it is among them, else 0; the domains of dNSName and rfc822Name
 * without regard to case
 */

int enroll_san_find(const GENERAL_NAMES *san, const GENERAL_NAME *name);

void enroll_san_text(const GENERAL_NAME *name, enroll_san_text_t *text);

/* 1 if both texts are the same, as the first one's kind has it, else 0 */

int enroll_san_text_is(const enroll_san_text_t *text, const char *data,
    size_t len);


#endif /* _ENROLL_SAN_H_INCLUDED_ */
