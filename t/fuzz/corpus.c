
/*
 * Copyright (C) The nginx-enroll authors
 */


/*
 * In libFuzzer's place, for any compiler: a fuzzer takes the files that its
 * arguments name, and every beginning of each that ends at a power of two.
 */


#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>


#define CORPUS_FILE  65536


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

        printf("%s\n", argv[i]);
        fflush(stdout);
    }

    return 0;
}
