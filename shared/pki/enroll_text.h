
/*
 * Copyright (C) The nginx-enroll authors
 */


/*
 * Names and numbers as text, for logs and variables.  Everything returned is
 * NUL-terminated UTF-8 without control characters (they are escaped), bounded
 * to ENROLL_TEXT_MAX octets and freed with OPENSSL_free(); NULL when out of
 * memory or where there is nothing to show.
 */


#ifndef _ENROLL_TEXT_H_INCLUDED_
#define _ENROLL_TEXT_H_INCLUDED_


#include <stddef.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>


#define ENROLL_TEXT_MAX      4096
#define ENROLL_SERIAL_TEXT   41         /* 20 octets in hex, and NUL */


char *enroll_text_name(const X509_NAME *name);        /* RFC 2253 */
char *enroll_text_cn(const X509_NAME *name);          /* the last CN */
char *enroll_text_san(const GENERAL_NAMES *san);      /* "dns:a, ip:10.0.0.1" */

/*
 * The same, for whoever decides by the text: *whole is 0 where it is not all
 * of it, for want of room or memory, or as no text can show it
 */

char *enroll_text_name_whole(const X509_NAME *name, int *whole);
char *enroll_text_san_whole(const GENERAL_NAMES *san, int *whole);

/*
 * upper-case hex without leading zeros beyond whole octets, at most
 * ENROLL_SERIAL_TEXT octets with NUL; returns the length without it, 0 and
 * empty text for what no CA may use (RFC 5280, section 4.1.2.2: negative,
 * more than 20 octets), lest it be taken for another's
 */

size_t enroll_text_serial(const ASN1_INTEGER *serial, char *text);

/* upper-case hex: 2 * len digits, without NUL */

void enroll_text_hex(char *text, const unsigned char *data, size_t len);

/*
 * The number of characters of len octets of UTF-8; -1 where they are not
 * strict UTF-8 (RFC 3629) or have a control character in them
 */

long enroll_text_length(const unsigned char *text, size_t len);


#endif /* _ENROLL_TEXT_H_INCLUDED_ */
