
/*
 * Copyright (C) The nginx-enroll authors
 */


/*
 * Work that may take long, on nginx's thread pool.  What runs there is
 * shared/pki and ngx_crypt(): it reads and writes the enrolment request, which
 * the event loop leaves alone meanwhile, and nothing of the HTTP request.
 */


#include "ngx_http_enroll_status.h"

#include <ngx_thread_pool.h>


typedef struct {
    ngx_http_enroll_request_t   *er;
    void                       (*work)(ngx_http_enroll_request_t *er);
} ngx_http_enroll_job_t;


static void ngx_http_enroll_job_run(void *data, ngx_log_t *log);
static void ngx_http_enroll_job_done(ngx_event_t *ev);


ngx_int_t
ngx_http_enroll_job(ngx_http_enroll_request_t *er,
    void (*work)(ngx_http_enroll_request_t *er), ngx_uint_t cheap)
{
    ngx_thread_task_t      *task;
    ngx_http_enroll_job_t  *job;

    if (cheap) {
        work(er);
        return NGX_OK;
    }

    task = ngx_thread_task_alloc(er->pool, sizeof(ngx_http_enroll_job_t));

    if (task == NULL) {
        er->outcome = ENROLL_INTERNAL;
        return NGX_DONE;
    }

    job = task->ctx;

    job->er = er;
    job->work = work;

    task->handler = ngx_http_enroll_job_run;
    task->event.handler = ngx_http_enroll_job_done;
    task->event.data = er;
    task->event.log = ngx_cycle->log;

    if (ngx_thread_task_post(er->emcf->thread_pool, task) != NGX_OK) {
        (void) ngx_atomic_fetch_add(&ngx_http_enroll_zone->jobs_refused, 1);

        er->outcome = ENROLL_BUSY;
        return NGX_DONE;
    }

    ngx_http_enroll_worker->jobs++;

    return NGX_AGAIN;
}


static void
ngx_http_enroll_job_run(void *data, ngx_log_t *log)
{
    ngx_http_enroll_job_t *job = data;

    job->work(job->er);

    ERR_clear_error();
}


static void
ngx_http_enroll_job_done(ngx_event_t *ev)
{
    ngx_http_enroll_worker->jobs--;

    ngx_http_enroll_resume(ev->data);
}
