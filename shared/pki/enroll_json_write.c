
/*
 * Copyright (C) The nginx-enroll authors
 */


#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <openssl/crypto.h>

#include "enroll_json.h"
#include "enroll_json_write.h"


static unsigned char *enroll_json_room(enroll_json_text_t *t, size_t len);
static void enroll_json_put(enroll_json_text_t *t, const char *text,
    size_t len);
static void enroll_json_name(enroll_json_text_t *t, const char *name);
static void enroll_json_begin(enroll_json_text_t *t, const char *name,
    const char *bracket);
static void enroll_json_end(enroll_json_text_t *t, const char *bracket);
static void enroll_json_plain(enroll_json_text_t *t, const char *name,
    const char *text);


/* where len octets more may be written, or NULL */

static unsigned char *
enroll_json_room(enroll_json_text_t *t, size_t len)
{
    size_t          size;
    unsigned char  *data;

    if (t->failed || len > ENROLL_JSON_WRITE_MAX - t->len) {
        t->failed = 1;
        return NULL;
    }

    if (len > t->size - t->len) {

        size = t->size ? t->size : 1024;

        while (size < t->len + len) {
            size *= 2;
        }

        data = OPENSSL_clear_realloc(t->data, t->size, size);

        if (data == NULL) {
            t->failed = 1;
            return NULL;
        }

        t->data = data;
        t->size = size;
    }

    return t->data + t->len;
}


static void
enroll_json_put(enroll_json_text_t *t, const char *text, size_t len)
{
    unsigned char  *p;

    p = enroll_json_room(t, len);

    if (p) {
        memcpy(p, text, len);
        t->len += len;
    }
}


static void
enroll_json_name(enroll_json_text_t *t, const char *name)
{
    if (t->comma) {
        enroll_json_put(t, ",", 1);
    }

    if (name) {
        enroll_json_put(t, "\"", 1);
        enroll_json_put(t, name, strlen(name));
        enroll_json_put(t, "\":", 2);
    }

    t->comma = 1;
}


static void
enroll_json_begin(enroll_json_text_t *t, const char *name,
    const char *bracket)
{
    enroll_json_name(t, name);
    enroll_json_put(t, bracket, 1);
    t->comma = 0;
}


static void
enroll_json_end(enroll_json_text_t *t, const char *bracket)
{
    enroll_json_put(t, bracket, 1);
    t->comma = 1;
}


void
enroll_json_object(enroll_json_text_t *t, const char *name)
{
    enroll_json_begin(t, name, "{");
}


void
enroll_json_object_end(enroll_json_text_t *t)
{
    enroll_json_end(t, "}");
}


void
enroll_json_array(enroll_json_text_t *t, const char *name)
{
    enroll_json_begin(t, name, "[");
}


void
enroll_json_array_end(enroll_json_text_t *t)
{
    enroll_json_end(t, "]");
}


void
enroll_json_string(enroll_json_text_t *t, const char *name,
    const unsigned char *text, size_t len)
{
    unsigned char  *p;

    enroll_json_name(t, name);
    enroll_json_put(t, "\"", 1);

    if (len > ENROLL_JSON_WRITE_MAX) {
        t->failed = 1;
        return;
    }

    p = enroll_json_room(t, ENROLL_JSON_ROOM(len));

    if (p && len) {
        t->len += enroll_json_escape(p, text, len);
    }

    enroll_json_put(t, "\"", 1);
}


void
enroll_json_word(enroll_json_text_t *t, const char *name, const char *word)
{
    enroll_json_string(t, name, (const unsigned char *) word, strlen(word));
}


static void
enroll_json_plain(enroll_json_text_t *t, const char *name, const char *text)
{
    enroll_json_name(t, name);
    enroll_json_put(t, text, strlen(text));
}


void
enroll_json_number(enroll_json_text_t *t, const char *name, int64_t number)
{
    char  text[32];

    (void) snprintf(text, sizeof(text), "%" PRId64, number);

    enroll_json_plain(t, name, text);
}


void
enroll_json_flag(enroll_json_text_t *t, const char *name, int flag)
{
    enroll_json_plain(t, name, flag ? "true" : "false");
}


void
enroll_json_time(enroll_json_text_t *t, const char *name, time_t when)
{
    char       text[64];
    struct tm  tm;

    if (gmtime_r(&when, &tm) == NULL
        || strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
    {
        t->failed = 1;
        return;
    }

    enroll_json_word(t, name, text);
}


void
enroll_json_free(enroll_json_text_t *t)
{
    OPENSSL_clear_free(t->data, t->size);
    memset(t, 0, sizeof(*t));
}
