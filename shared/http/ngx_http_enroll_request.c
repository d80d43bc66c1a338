
/*
 * Copyright (C) The nginx-enroll authors
 */


/*
 * The way of a request: a table of steps, and a machine that takes the
 * request from one to the next.  A step says NGX_OK (go on), NGX_AGAIN (a
 * job, the store or a timer will resume with the step behind it, and leave
 * in er->result how it went) or NGX_DONE (er->outcome stands).
 *
 * The HTTP request may go away at any moment; what was signed is recorded
 * all the same, what was only admitted is released.
 */


#include "ngx_http_enroll_status.h"


static void ngx_http_enroll_body_ready(ngx_http_request_t *r);
static void ngx_http_enroll_run(ngx_http_enroll_request_t *er);
static void ngx_http_enroll_finish(ngx_http_enroll_request_t *er);
static ngx_int_t ngx_http_enroll_answer(ngx_http_request_t *r,
    ngx_http_enroll_request_t *er);
static void ngx_http_enroll_log(ngx_http_request_t *r,
    ngx_http_enroll_request_t *er);
static void ngx_http_enroll_log_serial(ngx_http_enroll_request_t *er);
static void ngx_http_enroll_deadline(ngx_event_t *ev);
static void ngx_http_enroll_detach(void *data);
static void ngx_http_enroll_destroy(ngx_http_enroll_request_t *er);
static void ngx_http_enroll_unwait(ngx_http_enroll_request_t *er);


ngx_http_enroll_request_t *
ngx_http_enroll_create(ngx_http_request_t *r,
    const ngx_http_enroll_protocol_t *protocol,
    ngx_http_enroll_endpoint_t *endpoint)
{
    ngx_pool_t                 *pool;
    ngx_pool_cleanup_t         *cln;
    ngx_http_enroll_request_t  *er;

    cln = ngx_pool_cleanup_add(r->pool, 0);
    if (cln == NULL) {
        return NULL;
    }

    /* the pool's log must outlive the connection's */

    pool = ngx_create_pool(1024, ngx_cycle->log);
    if (pool == NULL) {
        return NULL;
    }

    er = ngx_pcalloc(pool, sizeof(ngx_http_enroll_request_t));
    if (er == NULL) {
        ngx_destroy_pool(pool);
        return NULL;
    }

    er->pool = pool;
    er->request = r;
    er->protocol = protocol;
    er->endpoint = endpoint;
    er->emcf = ngx_http_get_module_main_conf(r, ngx_http_enroll_module);
    er->elcf = ngx_http_get_module_loc_conf(r, ngx_http_enroll_module);
    er->outcome = ENROLL_CLIENT_GONE;
    er->told = ENROLL_CLIENT_GONE;
    er->attached = 1;
    er->clock = ngx_enroll_clock();

    /* the connection may be gone when somebody wants to know */

    if (ngx_http_enroll_address(pool, r->connection->sockaddr,
                                r->connection->socklen, 0, &er->address)
        != NGX_OK)
    {
        ngx_destroy_pool(pool);
        return NULL;
    }

    cln->handler = ngx_http_enroll_detach;
    cln->data = er;

    ngx_http_set_ctx(r, er, ngx_http_enroll_module);

    return er;
}


/* also after an internal redirect, which clears the contexts */

ngx_http_enroll_request_t *
ngx_http_enroll_get(ngx_http_request_t *r)
{
    ngx_pool_cleanup_t         *cln;
    ngx_http_enroll_request_t  *er;

    r = r->main;

    er = ngx_http_get_module_ctx(r, ngx_http_enroll_module);

    if (er == NULL && (r->internal || r->filter_finalize)) {

        for (cln = r->pool->cleanup; cln; cln = cln->next) {
            if (cln->handler == ngx_http_enroll_detach) {
                er = cln->data;
                break;
            }
        }
    }

    return er;
}


ngx_int_t
ngx_http_enroll_end(ngx_http_request_t *r, ngx_http_enroll_request_t *er,
    enroll_outcome_e outcome)
{
    ngx_int_t  rc;

    if (r->headers_in.expect) {

        /*
         * A client that waits for "100 Continue" gets the answer instead;
         * whether its body follows all the same cannot be known
         */

        r->expect_tested = 1;
        r->keepalive = 0;
    }

    rc = ngx_http_discard_request_body(r);

    if (rc != NGX_OK) {
        return rc;
    }

    er->outcome = outcome;

    return ngx_http_enroll_answer(r, er);
}


/* once for each request, which is none of er's from here */

static ngx_int_t
ngx_http_enroll_answer(ngx_http_request_t *r, ngx_http_enroll_request_t *er)
{
    ngx_int_t  rc;

    er->request = NULL;

    ngx_http_enroll_log(r, er);
    ngx_http_enroll_audit_refused(er);

    rc = er->protocol->answer(r, er);

    er->told = er->outcome;

    ngx_http_enroll_count(r, er);

    return (rc == NGX_ERROR && !r->header_sent)
           ? NGX_HTTP_INTERNAL_SERVER_ERROR : rc;
}


ngx_int_t
ngx_http_enroll_start(ngx_http_request_t *r, ngx_http_enroll_request_t *er)
{
    ngx_int_t  rc;

    ngx_http_enroll_lap(er, NGX_HTTP_ENROLL_TIME_AUTHORISE);

    rc = ngx_http_read_client_request_body(r, ngx_http_enroll_body_ready);

    if (rc >= NGX_HTTP_SPECIAL_RESPONSE) {
        return rc;
    }

    return NGX_DONE;
}


static void
ngx_http_enroll_body_ready(ngx_http_request_t *r)
{
    ngx_http_enroll_request_t  *er;

    er = ngx_http_get_module_ctx(r, ngx_http_enroll_module);

    /* a client that goes away while we wait is noticed */

    r->read_event_handler = ngx_http_test_reading;

    /*
     * The bound of all that follows.  Not cancelable: it is what keeps an
     * exiting worker alive until the request has its answer.
     */

    er->deadline.handler = ngx_http_enroll_deadline;
    er->deadline.data = er;
    er->deadline.log = ngx_cycle->log;

    ngx_add_timer(&er->deadline, er->elcf->timeout);

    er->retry.handler = ngx_http_enroll_retry;
    er->retry.data = er;
    er->retry.log = ngx_cycle->log;

    er->now = ngx_time();

    /* how long the client took to send it is no time of ours */

    er->clock = ngx_enroll_clock();

    ngx_http_enroll_run(er);
}


/* for event handlers: a job is done, the store has answered, time is up */

void
ngx_http_enroll_resume(ngx_http_enroll_request_t *er)
{
    ngx_connection_t    *c;
    ngx_http_request_t  *r;

    r = er->request;

    if (r == NULL) {
        ngx_http_enroll_run(er);
        return;
    }

    c = r->connection;
    ngx_http_set_log_request(c->log, r);

    ngx_http_enroll_run(er);

    ngx_http_run_posted_requests(c);
}


static void
ngx_http_enroll_run(ngx_http_enroll_request_t *er)
{
    ngx_int_t                      rc;
    const ngx_http_enroll_step_t  *step;

    er->busy = 0;

    if (er->reopened) {
        er->csr = er->reopened;
        er->reopened = NULL;
    }

    ngx_http_enroll_hashed(er);

    for ( ;; ) {

        if (er->request == NULL && er->issued.der == NULL) {

            /* nobody waits and nothing is signed */

            break;
        }

        if (er->step == ngx_http_enroll_nsteps) {
            break;
        }

        step = &ngx_http_enroll_steps[er->step++];

        if (step->time != er->lap) {
            ngx_http_enroll_lap(er, step->time);
        }

        rc = step->run(er);

        /* what is left in the queue would be taken for a connection's */

        if (ERR_peek_error()) {
            ERR_clear_error();
        }

        if (rc == NGX_AGAIN) {
            er->busy = 1;
            return;
        }

        if (rc == NGX_DONE) {
            er->step = ngx_max(er->step, ngx_http_enroll_nsteps - 2);
        }
    }

    ngx_http_enroll_finish(er);
}


static void
ngx_http_enroll_finish(ngx_http_enroll_request_t *er)
{
    ngx_http_request_t  *r;

    if (er->deadline.timer_set) {
        ngx_del_timer(&er->deadline);
    }

    if (er->leased && !er->recorded) {
        ngx_http_enroll_release(er);
    }

    if (er->outcome == ENROLL_SIGN_FAILED) {
        er->ca->unusable = 1;
    }

    ngx_http_enroll_tried(er, enroll_outcome(er->outcome)->class
                              == ENROLL_CLASS_REFUSED);

    r = er->request;

    if (r) {
        ngx_http_finalize_request(r, ngx_http_enroll_answer(r, er));

        /* er may be no more */

        return;
    }

    if (er->recorded) {

        /* issued all the same: a repeat will get it */

        ngx_http_enroll_log_serial(er);
    }

    if (!er->attached) {
        ngx_http_enroll_destroy(er);
    }
}


static void
ngx_http_enroll_log_serial(ngx_http_enroll_request_t *er)
{
    ngx_log_error(NGX_LOG_NOTICE, ngx_cycle->log, 0,
                  "%V %V issued %s without an answer, CA \"%V\", "
                  "identity \"%V\"", &er->protocol->name, &er->operation,
                  er->issued.serial, &er->ca->name, &er->identity);
}


static void
ngx_http_enroll_deadline(ngx_event_t *ev)
{
    ngx_connection_t           *c;
    ngx_http_request_t         *r;
    ngx_http_enroll_request_t  *er;

    er = ev->data;

    ngx_http_enroll_unwait(er);

    r = er->request;

    if (r == NULL) {
        return;
    }

    /* er goes on without its request where a job or the store has it */

    er->outcome = ENROLL_TIMEOUT;

    c = r->connection;
    ngx_http_set_log_request(c->log, r);

    ngx_http_finalize_request(r, ngx_http_enroll_answer(r, er));
    ngx_http_run_posted_requests(c);
}


static void
ngx_http_enroll_log(ngx_http_request_t *r, ngx_http_enroll_request_t *er)
{
    ngx_str_t                none = ngx_null_string, *ca;
    const char              *cause;
    const enroll_outcome_t  *outcome;

    outcome = enroll_outcome(er->outcome);

    /* a job that outlived its request may be writing it right now */

    cause = (er->outcome == ENROLL_SIGN_FAILED) ? er->error : "";

    ca = er->ca ? &er->ca->name : &none;

    switch (outcome->class) {

    case ENROLL_CLASS_DONE:
        ngx_log_debug3(NGX_LOG_DEBUG_HTTP, r->connection->log, 0,
                       "enroll: %V %V %s", &er->protocol->name,
                       &er->operation, outcome->reason);
        break;

    case ENROLL_CLASS_REFUSED:
        ngx_log_error(NGX_LOG_INFO, r->connection->log, 0,
                      "%V %V refused: %s, CA \"%V\", identity \"%V\"",
                      &er->protocol->name, &er->operation, outcome->reason,
                      ca, &er->identity);
        break;

    case ENROLL_CLASS_FAILED:
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "%V %V failed: %s%s%s, CA \"%V\", identity \"%V\"",
                      &er->protocol->name, &er->operation, outcome->reason,
                      cause[0] ? " " : "", cause,
                      ca, &er->identity);
        break;
    }
}


/* the pool of the HTTP request goes: it is answered, or the client left */

static void
ngx_http_enroll_detach(void *data)
{
    ngx_http_enroll_request_t *er = data;

    ngx_http_request_t  *r;

    r = er->request;

    if (r && r->headers_out.status == NGX_HTTP_CLIENT_CLOSED_REQUEST
        && ngx_http_get_module_ctx(r, ngx_http_enroll_module) == er)
    {
        ngx_http_enroll_count(r, er);
    }

    er->request = NULL;
    er->attached = 0;

    ngx_http_enroll_unwait(er);

    if (!er->busy) {
        ngx_http_enroll_destroy(er);
    }
}


/* what waits for its turn, or to ask the store again, is in no other hands */

static void
ngx_http_enroll_unwait(ngx_http_enroll_request_t *er)
{
    er->abandoned = 1;

    if (er->retry.timer_set) {
        ngx_del_timer(&er->retry);
        er->busy = 0;
    }

    if (er->queued) {
        ngx_queue_remove(&er->queue);
        er->queued = 0;
        er->busy = 0;
    }
}


static void
ngx_http_enroll_destroy(ngx_http_enroll_request_t *er)
{
    if (er->tried) {
        ngx_http_enroll_tried(er, 0);
    }

    if (er->deadline.timer_set) {
        ngx_del_timer(&er->deadline);
    }

    if (er->password.len) {
        ngx_explicit_memzero(er->password.data, er->password.len);
    }

    X509_free(er->cert);
    OPENSSL_free(er->issued.der);

    OPENSSL_free(er->reply.data);

    if (er->protocol->free) {
        er->protocol->free(er);
    }

    enroll_csr_free(er->csr);
    enroll_names_cleanup(&er->names);

    ngx_destroy_pool(er->pool);
}
