
/*
 * Copyright (C) The nginx-enroll authors
 */


/*
 * What has to happen at once, in Lua: entries of the audit alone.
 */


#include "ngx_enroll_script.h"


/*
 * keys:       "PREFIX{ca}:"
 * arguments:  the audit
 */

ngx_enroll_script_t  ngx_enroll_script_refused = {
    "refused",

    NGX_ENROLL_LUA_AUDIT

    "audit(KEYS[1], 'refused', {})\n"
    "\n"
    "return {'noted'}\n",

    { 0 }
};
