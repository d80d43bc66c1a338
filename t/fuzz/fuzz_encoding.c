
/*
 * Copyright (C) The nginx-enroll authors
 */


/* base64, PEM and DER as clients send them */


#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "enroll_encoding.h"


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


/* what was decoded, encoded and decoded anew, is the same */

static void
fuzz_round(const unsigned char *data, size_t len, size_t wrap)
{
    size_t          n, back;
    unsigned char  *text;

    text = malloc(enroll_base64_room(len, wrap));

    if (text) {
        n = enroll_base64_encode(text, data, len, wrap);

        if (enroll_base64_decode(text, &back, text, n) != ENROLL_OK
            || back != len
            || memcmp(text, data, len) != 0)
        {
            abort();
        }
    }

    free(text);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t             len, same_len;
    unsigned char     *out, *same;
    enroll_outcome_e   rc;

    out = malloc(size ? size : 1);
    same = malloc(size ? size : 1);

    if (out && same) {
        memcpy(same, data, size);

        rc = enroll_body_decode(out, &len, data, size);

        if (enroll_body_decode(same, &same_len, same, size) != rc) {
            abort();
        }

        if (rc == ENROLL_OK) {
            if (len == 0
                || len > size
                || len != same_len
                || memcmp(out, same, len) != 0)
            {
                abort();
            }

            fuzz_round(out, len, 0);
            fuzz_round(out, len, 64);
            fuzz_round(out, len, data[0] + 1u);
        }

        rc = enroll_base64_decode(out, &len, data, size);

        if (rc == ENROLL_OK && len > size / 4 * 3) {
            abort();
        }
    }

    free(same);
    free(out);

    return 0;
}
