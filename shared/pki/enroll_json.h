
/*
 * Copyright (C) The nginx-enroll authors
 */


/*
 * JSON (RFC 8259), as little of it as the API speaks: one object of strings
 * and whole numbers whose members are known beforehand, and text to be put
 * between quotes.
 */


#ifndef _ENROLL_JSON_H_INCLUDED_
#define _ENROLL_JSON_H_INCLUDED_


#include <stddef.h>
#include <stdint.h>

#include "enroll_outcome.h"


#define ENROLL_JSON_NUMBER_MAX  999999999999999    /* exact in any reader */


typedef enum {
    ENROLL_JSON_STRING = 0,
    ENROLL_JSON_NUMBER
} enroll_json_type_e;


typedef struct {
    const char          *name;
    enroll_json_type_e   type;
    size_t               max;      /* octets of a string, or a number */

    /* what was read */

    unsigned char       *data;     /* in the text that was parsed */
    size_t               len;
    int64_t              number;
    int                  set;
} enroll_json_member_t;


/*
 * Parses len octets at data, which are overwritten: strings are decoded in
 * place.  members ends with a NULL name.  ENROLL_OK; ENROLL_BAD_JSON;
 * ENROLL_BAD_MEMBER where one is not known, comes twice, or is of another
 * type or too large: *bad is then its name as it is known, or NULL.
 *
 * Strict: UTF-8 alone, no control characters in strings, \u0000 included, no
 * fractions, no negative numbers, nothing behind the object but white space.
 */

enroll_outcome_e enroll_json_parse(unsigned char *data, size_t len,
    enroll_json_member_t *members, const char **bad);

/*
 * Text as the inside of a JSON string: returns the length, at most
 * ENROLL_JSON_ROOM(len).  What is not UTF-8 becomes U+FFFD.
 */

#define ENROLL_JSON_ROOM(len)  ((len) * 6)

size_t enroll_json_escape(unsigned char *out, const unsigned char *text,
    size_t len);


#endif /* _ENROLL_JSON_H_INCLUDED_ */
