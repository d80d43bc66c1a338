
/*
 * Copyright (C) The nginx-enroll authors
 */


/*
 * The forms in which binary objects travel over HTTP: DER, base64 of any
 * line length (RFC 4648, section 4; RFC 8951, section 3), PEM, also squeezed
 * on one line.
 */


#ifndef _ENROLL_ENCODING_H_INCLUDED_
#define _ENROLL_ENCODING_H_INCLUDED_


#include <stddef.h>

#include "enroll_outcome.h"


/* room for the base64 of len octets in lines of wrap columns, with NUL */

#define enroll_base64_room(len, wrap)                                         \
    (((len) + 2) / 3 * 4 + ((wrap) ? ((len) + 2) / 3 * 4 / (wrap) : 0) + 2)


/*
 * Strict base64: the standard alphabet, canonical padding, everything
 * consumed; space, tab, CR and LF are skipped wherever they are.  Writes at
 * most len / 4 * 3 octets to out, which may be in itself.  Linear time.
 * Returns ENROLL_OK and *outlen, ENROLL_EMPTY_BODY where nothing but white
 * space is there, or ENROLL_BAD_ENCODING.
 */

enroll_outcome_e enroll_base64_decode(unsigned char *out, size_t *outlen,
    const unsigned char *in, size_t len);

/*
 * Base64 in lines of wrap columns (0: one line), each ended by LF.  Writes
 * at most enroll_base64_room(len, wrap) octets, returns the number written.
 */

size_t enroll_base64_encode(unsigned char *out, const unsigned char *in,
    size_t len, size_t wrap);

/*
 * Whatever a client sends for a DER object: the DER itself (first octet is
 * that of a SEQUENCE), base64, or one PEM block of any label whose BEGIN and
 * END agree, nothing but white space around it.  Decodes into out, which has
 * room for len octets.  Returns as enroll_base64_decode().
 */

enroll_outcome_e enroll_body_decode(unsigned char *out, size_t *outlen,
    const unsigned char *in, size_t len);


#endif /* _ENROLL_ENCODING_H_INCLUDED_ */
