
/*
 * Copyright (C) The nginx-enroll authors
 */


/* what the API is told, and text that it repeats */


#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "enroll_json.h"


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


/* a string between quotes again is taken again, and is the same */

static void
fuzz_round(const unsigned char *text, size_t len)
{
    size_t                 n;
    const char            *bad;
    unsigned char         *json;
    enroll_json_member_t   members[] = {
        { "s", ENROLL_JSON_STRING, SIZE_MAX, NULL, 0, 0, 0 },
        { NULL, 0, 0, NULL, 0, 0, 0 }
    };

    json = malloc(ENROLL_JSON_ROOM(len) + 8);

    if (json) {
        memcpy(json, "{\"s\":\"", 6);
        n = 6 + enroll_json_escape(json + 6, text, len);
        memcpy(json + n, "\"}", 2);

        if (enroll_json_parse(json, n + 2, members, &bad) != ENROLL_OK
            || members[0].len != len
            || memcmp(members[0].data, text, len) != 0)
        {
            abort();
        }
    }

    free(json);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t                 i;
    const char            *bad;
    unsigned char         *copy, *out;
    enroll_json_member_t   members[] = {
        { "s", ENROLL_JSON_STRING, SIZE_MAX, NULL, 0, 0, 0 },
        { "t", ENROLL_JSON_STRING, 4, NULL, 0, 0, 0 },
        { "n", ENROLL_JSON_NUMBER, 100, NULL, 0, 0, 0 },
        { NULL, 0, 0, NULL, 0, 0, 0 }
    };

    copy = malloc(size ? size : 1);
    out = malloc(ENROLL_JSON_ROOM(size) + 1);

    if (copy && out) {
        memcpy(copy, data, size);

        if (enroll_json_parse(copy, size, members, &bad) == ENROLL_OK) {

            for (i = 0; i < 2; i++) {
                if (members[i].set) {
                    fuzz_round(members[i].data, members[i].len);
                }
            }

            if (members[2].number < 0 || members[2].number > 100
                || members[1].len > 4)
            {
                abort();
            }
        }

        if (enroll_json_escape(out, data, size) > ENROLL_JSON_ROOM(size)) {
            abort();
        }
    }

    free(out);
    free(copy);

    return 0;
}
