
/*
 * Copyright (C) The nginx-enroll authors
 */


/*
 * In libFuzzer's place, for any compiler: a fuzzer takes the files that its
 * arguments name, every beginning of each that ends at a power of two, and
 * some hundred damaged copies of it, the same ones in each run.
 */


#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>


#define CORPUS_FILE     65536
#define CORPUS_COPIES   500
#define CORPUS_DAMAGES  4            /* at most, in one copy */


int LLVMFuzzerInitialize(int *argc, char ***argv) __attribute__((weak));
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


/* of its own size, so that the sanitizer sees what is read behind it */

static void
corpus_input(const uint8_t *data, size_t size)
{
    size_t    i;
    uint8_t  *copy;

    copy = malloc(size ? size : 1);

    if (copy == NULL) {
        abort();
    }

    for (i = 0; i < size; i++) {
        copy[i] = data[i];
    }

    (void) LLVMFuzzerTestOneInput(copy, size);

    free(copy);
}


/* xorshift: what it gives is the same everywhere */

static uint32_t
corpus_random(uint32_t below)
{
    static uint32_t  x = 2463534242;

    x ^= x << 13;
    x ^= x >> 17;
    x ^= x << 5;

    return x % below;
}


/* size is below CORPUS_FILE; so is what is returned */

static size_t
corpus_damage(uint8_t *data, size_t size)
{
    size_t  at, n;

    static const uint8_t  odd[] = { 0x00, 0x01, 0x30, 0x7f, 0x80, 0x84, 0xff };

    at = corpus_random((uint32_t) size);
    n = 1 + corpus_random(16);

    switch (corpus_random(5)) {

    case 0:
        data[at] ^= (uint8_t) (1 << corpus_random(8));
        break;

    case 1:
        data[at] = odd[corpus_random(sizeof(odd))];
        break;

    case 2:
        data[at]++;
        break;

    case 3:                              /* some are gone */
        if (at + n < size) {
            memmove(data + at, data + at + n, size - at - n);
            size -= n;
        }
        break;

    default:                             /* some come twice */
        if (at + n < size && size + n < CORPUS_FILE) {
            memmove(data + at + n, data + at, size - at);
            size += n;
        }
        break;
    }

    return size;
}


static void
corpus_copies(const uint8_t *data, size_t size)
{
    size_t           len;
    uint32_t         i, n;

    static uint8_t   copy[CORPUS_FILE];

    if (size == 0 || size == CORPUS_FILE) {
        return;
    }

    for (i = 0; i < CORPUS_COPIES; i++) {

        memcpy(copy, data, size);
        len = size;

        for (n = corpus_random(CORPUS_DAMAGES) + 1; n; n--) {
            len = corpus_damage(copy, len);
        }

        corpus_input(copy, len);
    }
}


int
main(int argc, char **argv)
{
    int              i;
    FILE            *file;
    size_t           n, size;

    static uint8_t   data[CORPUS_FILE];

    if (LLVMFuzzerInitialize) {
        (void) LLVMFuzzerInitialize(&argc, &argv);
    }

    for (i = 1; i < argc; i++) {
        file = fopen(argv[i], "rb");

        if (file == NULL) {
            perror(argv[i]);
            return 1;
        }

        size = fread(data, 1, CORPUS_FILE, file);
        fclose(file);

        corpus_input(data, size);

        for (n = 0; n < size; n = n ? n * 2 : 1) {
            corpus_input(data, n);
        }

        corpus_copies(data, size);

        printf("%s\n", argv[i]);
        fflush(stdout);
    }

    return 0;
}
