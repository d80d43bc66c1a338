
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

#include "enroll_outcome.h"


/* kinds of subjectAltName, a set of bits; the words of the "san" directive */

#define ENROLL_SAN_DNS        0x0001    /* dns */
#define ENROLL_SAN_WILDCARD   0x0002    /* wildcard: "*." as left-most label */
#define ENROLL_SAN_IP         0x0004    /* ip */
#define ENROLL_SAN_EMAIL      0x0008    /* email */
#define ENROLL_SAN_URI        0x0010    /* uri */
#define ENROLL_SAN_UPN        0x0020    /* upn: Microsoft's otherName */
#define ENROLL_SAN_SID        0x0040    /* sid: Microsoft's tag: URI */

#define ENROLL_SAN_ALL        0x007f

#define ENROLL_SAN_DEFAULT                                                    \
    (ENROLL_SAN_DNS|ENROLL_SAN_IP|ENROLL_SAN_EMAIL|ENROLL_SAN_URI)


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


/* the bit of a kind's word, 0 for a word that is none */

unsigned enroll_san_kind(const char *word, size_t len);

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
