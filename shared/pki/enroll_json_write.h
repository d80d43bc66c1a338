
/*
 * Copyright (C) The nginx-enroll authors
 */


/*
 * JSON (RFC 8259) as it is written: nested objects and arrays, member by
 * member, into memory that grows.
 */


#ifndef _ENROLL_JSON_WRITE_H_INCLUDED_
#define _ENROLL_JSON_WRITE_H_INCLUDED_


#include <stddef.h>
#include <stdint.h>
#include <time.h>


#define ENROLL_JSON_WRITE_MAX  (1024 * 1024)


/* all zero to begin with */

typedef struct {
    unsigned char   *data;
    size_t           len;
    size_t           size;
    unsigned         comma:1;      /* before what comes next */
    unsigned         failed:1;     /* no memory, or too long: to be looked at
                                      in the end */
} enroll_json_text_t;


/*
 * The name is NULL in an array and of what is outermost; it is not escaped.
 * Text is: what is not UTF-8 in it becomes U+FFFD.
 */

void enroll_json_object(enroll_json_text_t *t, const char *name);
void enroll_json_object_end(enroll_json_text_t *t);
void enroll_json_array(enroll_json_text_t *t, const char *name);
void enroll_json_array_end(enroll_json_text_t *t);
void enroll_json_string(enroll_json_text_t *t, const char *name,
    const unsigned char *text, size_t len);
void enroll_json_word(enroll_json_text_t *t, const char *name,
    const char *word);
void enroll_json_number(enroll_json_text_t *t, const char *name,
    int64_t number);
void enroll_json_flag(enroll_json_text_t *t, const char *name, int flag);

/* "2026-12-31T23:59:59Z" */

void enroll_json_time(enroll_json_text_t *t, const char *name, time_t when);

/* wipes it: there may be a challenge in it */

void enroll_json_free(enroll_json_text_t *t);


#endif /* _ENROLL_JSON_WRITE_H_INCLUDED_ */
