
/*
 * Copyright (C) The nginx-enroll authors
 */


#include "ngx_enroll_hiredis.h"

#if (NGX_ENROLL_HIREDIS_TLS)
#include <openssl/err.h>
#endif


typedef struct {
    redisAsyncContext            *ac;
    ngx_connection_t             *connection;
    ngx_enroll_hiredis_close_pt   close;
    unsigned                      writing:1;  /* hiredis is told to */
} ngx_enroll_hiredis_t;


#if (HIREDIS_MAJOR == 0)
typedef int     ngx_enroll_hiredis_size_t;
#else
typedef size_t  ngx_enroll_hiredis_size_t;
#endif


static void *ngx_enroll_hiredis_create_array(const redisReadTask *task,
    ngx_enroll_hiredis_size_t elements);
static void ngx_enroll_hiredis_handler(ngx_event_t *ev);
static const char *ngx_enroll_hiredis_check(ngx_enroll_hiredis_t *h,
    ngx_event_t *ev);
static void ngx_enroll_hiredis_clear_error(void);
static void ngx_enroll_hiredis_add_read(void *data);
static void ngx_enroll_hiredis_del_read(void *data);
static void ngx_enroll_hiredis_add_write(void *data);
static void ngx_enroll_hiredis_del_write(void *data);
static void ngx_enroll_hiredis_add_event(ngx_event_t *ev, ngx_int_t event);
static void ngx_enroll_hiredis_del_event(ngx_event_t *ev, ngx_int_t event);
static void ngx_enroll_hiredis_cleanup(void *data);


/* hiredis's own functions, but for arrays */

static redisReplyObjectFunctions   ngx_enroll_hiredis_functions;
static redisReplyObjectFunctions  *ngx_enroll_hiredis_default;


ngx_int_t
ngx_enroll_hiredis_attach(redisAsyncContext *ac, ngx_log_t *log,
    ngx_enroll_hiredis_close_pt close)
{
    ngx_connection_t      *c;
    ngx_enroll_hiredis_t  *h;

    h = ngx_alloc(sizeof(ngx_enroll_hiredis_t), log);
    if (h == NULL) {
        return NGX_ERROR;
    }

    c = ngx_get_connection(ac->c.fd, log);
    if (c == NULL) {
        ngx_free(h);
        return NGX_ERROR;
    }

    if (ngx_enroll_hiredis_default == NULL) {
        ngx_enroll_hiredis_default = ac->c.reader->fn;

        ngx_enroll_hiredis_functions = *ac->c.reader->fn;
        ngx_enroll_hiredis_functions.createArray =
                                              ngx_enroll_hiredis_create_array;
    }

    ac->c.reader->fn = &ngx_enroll_hiredis_functions;

    h->ac = ac;
    h->connection = c;
    h->close = close;
    h->writing = 0;

    c->data = h;
    c->number = ngx_atomic_fetch_add(ngx_connection_counter, 1);
    c->log_error = NGX_ERROR_ERR;

    c->read->handler = ngx_enroll_hiredis_handler;
    c->write->handler = ngx_enroll_hiredis_handler;
    c->read->log = log;
    c->write->log = log;

    ac->ev.data = h;
    ac->ev.addRead = ngx_enroll_hiredis_add_read;
    ac->ev.delRead = ngx_enroll_hiredis_del_read;
    ac->ev.addWrite = ngx_enroll_hiredis_add_write;
    ac->ev.delWrite = ngx_enroll_hiredis_del_write;
    ac->ev.cleanup = ngx_enroll_hiredis_cleanup;

    return NGX_OK;
}


/* no memory is given to an array for a length that is a mere claim */

static void *
ngx_enroll_hiredis_create_array(const redisReadTask *task,
    ngx_enroll_hiredis_size_t elements)
{
    if (task->parent || elements > NGX_ENROLL_HIREDIS_ELEMENTS_MAX) {
        return NULL;
    }

    return ngx_enroll_hiredis_default->createArray(task, elements);
}


static void
ngx_enroll_hiredis_handler(ngx_event_t *ev)
{
    const char            *reason;
    ngx_connection_t      *c;
    redisAsyncContext     *ac;
    ngx_enroll_hiredis_t  *h;

    c = ev->data;
    h = c->data;
    ac = h->ac;

    reason = ngx_enroll_hiredis_check(h, ev);

    if (reason) {
        h->close(ac, reason);
        return;
    }

    ngx_enroll_hiredis_clear_error();

    /* either call may free ac, h and c: nothing may be touched afterwards */

    if (ev->write) {
        h->writing = 1;
        redisAsyncHandleWrite(ac);

    } else {
        redisAsyncHandleRead(ac);
    }

    ngx_enroll_hiredis_clear_error();
}


static const char *
ngx_enroll_hiredis_check(ngx_enroll_hiredis_t *h, ngx_event_t *ev)
{
    redisAsyncContext  *ac;

    ac = h->ac;

    if (h->connection->close) {             /* worker_shutdown_timeout */
        return "closed at the worker's shutdown";
    }

    if (ev->write) {
        return NULL;
    }

    /* hiredis aborts the process on a reply that nobody has asked for */

    if (ac->replies.head == NULL) {
        return "closed by the server";
    }

    if (ac->c.reader->len > NGX_ENROLL_HIREDIS_REPLY_MAX) {
        return "a reply is too large";
    }

    return NULL;
}


static void
ngx_enroll_hiredis_clear_error(void)
{
#if (NGX_ENROLL_HIREDIS_TLS)

    /* hiredis neither clears the queue before it uses it nor afterwards */

    ERR_clear_error();

#endif
}


static void
ngx_enroll_hiredis_add_read(void *data)
{
    ngx_enroll_hiredis_t  *h = data;

    ngx_enroll_hiredis_add_event(h->connection->read, NGX_READ_EVENT);
}


static void
ngx_enroll_hiredis_del_read(void *data)
{
    ngx_enroll_hiredis_t  *h = data;

    ngx_enroll_hiredis_del_event(h->connection->read, NGX_READ_EVENT);
}


/*
 * A socket nearly always takes what there is to write: it is written at the
 * end of this turn of the event loop, all commands of the turn at once, and
 * epoll is asked only where something is left.
 */

static void
ngx_enroll_hiredis_add_write(void *data)
{
    ngx_event_t           *ev;
    ngx_enroll_hiredis_t  *h = data;

    ev = h->connection->write;

    if (h->writing || !(h->ac->c.flags & REDIS_CONNECTED)) {
        h->writing = 0;
        ngx_enroll_hiredis_add_event(ev, NGX_WRITE_EVENT);

    } else if (!ev->active) {
        ngx_post_event(ev, &ngx_posted_events);
    }
}


static void
ngx_enroll_hiredis_del_write(void *data)
{
    ngx_enroll_hiredis_t  *h = data;

    h->writing = 0;
    ngx_enroll_hiredis_del_event(h->connection->write, NGX_WRITE_EVENT);
}


static void
ngx_enroll_hiredis_add_event(ngx_event_t *ev, ngx_int_t event)
{
    if (ev->active) {
        return;
    }

    /* level-triggered: hiredis reads 16k at most a call */

    if (ngx_add_event(ev, event, NGX_LEVEL_EVENT) != NGX_OK) {
        ngx_log_error(NGX_LOG_ALERT, ev->log, 0,
                      "redis: could not add an event");
    }
}


static void
ngx_enroll_hiredis_del_event(ngx_event_t *ev, ngx_int_t event)
{
    if (!ev->active) {
        return;
    }

    /* the flags are those of the other direction, which may stay */

    if (ngx_del_event(ev, event, NGX_LEVEL_EVENT) != NGX_OK) {
        ngx_log_error(NGX_LOG_ALERT, ev->log, 0,
                      "redis: could not delete an event");
    }
}


static void
ngx_enroll_hiredis_cleanup(void *data)
{
    ngx_connection_t      *c;
    ngx_enroll_hiredis_t  *h;

    h = data;
    c = h->connection;

    ngx_memzero(&h->ac->ev, sizeof(h->ac->ev));

    ngx_enroll_hiredis_del_event(c->read, NGX_READ_EVENT);
    ngx_enroll_hiredis_del_event(c->write, NGX_WRITE_EVENT);

    c->shared = 1;                  /* the descriptor belongs to hiredis */
    ngx_close_connection(c);

    ngx_free(h);
}
