
/*
 * Copyright (C) The nginx-enroll authors
 */


/*
 * The scripts of the store's verbs
 */


#ifndef _NGX_ENROLL_SCRIPT_H_INCLUDED_
#define _NGX_ENROLL_SCRIPT_H_INCLUDED_


#include "ngx_enroll_redis.h"


extern ngx_enroll_script_t  ngx_enroll_script_admit;
extern ngx_enroll_script_t  ngx_enroll_script_record;
extern ngx_enroll_script_t  ngx_enroll_script_release;


#endif /* _NGX_ENROLL_SCRIPT_H_INCLUDED_ */
