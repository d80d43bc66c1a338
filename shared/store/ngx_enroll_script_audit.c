
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


/*
 * keys:       "PREFIX{ca}:"
 * arguments:  where to begin, how many, then the fields' names; "id" is the
 *             entry's own
 */

ngx_enroll_script_t  ngx_enroll_script_audit = {
    "audit",

    "local stream, start, most = KEYS[1] .. 'audit', ARGV[1], ARGV[2] + 0\n"
    "local out, size, full = {}, 0, false\n"
    "\n"
    "repeat\n"
    "    local part = redis.call('XRANGE', stream, start, '+', 'COUNT',\n"
    "                            math.min(100, most - #out))\n"
    "\n"
    "    for _, e in ipairs(part) do\n"
    "        local h, entry = { id = e[1] }, {}\n"
    "\n"
    "        for i = 1, #e[2], 2 do\n"
    "            h[e[2][i]] = e[2][i + 1]\n"
    "        end\n"
    "\n"
    "        for i = 3, #ARGV do\n"
    "            local v = h[ARGV[i]] or ''\n"
    "            entry[i - 2] = #v .. ':' .. v .. ','\n"
    "        end\n"
    "\n"
    "        entry = table.concat(entry)\n"
    "        size = size + #entry\n"
    "        full = full or #out > 0 and size > 200000\n"
    "\n"
    "        if not full then\n"
    "            out[#out + 1] = entry\n"
    "            start = '(' .. e[1]\n"
    "        end\n"
    "    end\n"
    "until full or #part == 0 or #out == most\n"
    "\n"
    "return {'listed', string.format('%.0f', redis.call('XLEN', stream)),\n"
    "        table.concat(out)}\n",

    { 0 }
};
