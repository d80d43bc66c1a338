
/*
 * Copyright (C) The nginx-enroll authors
 */


/*
 * What has to happen at once, in Lua: polls, look-ups, failures.
 */


#include "ngx_enroll_script.h"


/*
 * keys:       "PREFIX{ca}:"
 * arguments:  poll id's digest, asker's key digest, lease, lease time
 */

ngx_enroll_script_t  ngx_enroll_script_poll = {
    "poll",

    NGX_ENROLL_LUA_CLOCK
    NGX_ENROLL_LUA_CHALLENGE
    NGX_ENROLL_LUA_LEASE

    "local base = KEYS[1]\n"
    "local asker, lease, time = ARGV[2], ARGV[3], ARGV[4]\n"
    "local id = redis.call('GET', base .. 'poll:' .. ARGV[1])\n"
    "\n"
    "if not id then\n"
    "    return {'unknown'}\n"
    "end\n"
    "\n"
    "local t = redis.call('HMGET', base .. 'txn:' .. id,\n"
    "                     'state', 'lease', 'serial', 'stored')\n"
    "\n"
    "if t[1] == 'done' then\n"
    "    local c = redis.call('HMGET', base .. 'cert:' .. t[3],\n"
    "                         'status', 'cert', 'requester', 'profile',\n"
    "                         'key_digest')\n"
    "\n"
    "    if c[1] == 'valid' and c[5] == asker\n"
    "        and not redis.call('ZSCORE', base .. 'revoked', t[3])\n"
    "    then\n"
    "        return {'done', c[2], c[3], c[4], c[5], t[4] or ''}\n"
    "    end\n"
    "end\n"
    "\n"
    "local r = redis.call('HMGET', base .. 'request:' .. id,\n"
    "                     'state', 'key_digest', 'stored', 'requester',\n"
    "                     'profile', 'challenge')\n"
    "\n"
    "if not r[1] or r[2] ~= asker then\n"
    "    return {'unknown'}\n"
    "end\n"
    "\n"
    "if r[1] == 'denied' then\n"
    "    return {r[1]}\n"
    "end\n"
    "\n"
    "if deleted(base, r[6]) then\n"
    "    return {'challenge unknown'}\n"
    "end\n"
    "\n"
    "if r[1] == 'pending' then\n"
    "    return {r[1]}\n"
    "end\n"
    "\n"
    "if r[1] ~= 'approved' then\n"
    "    return {'unknown state', r[1]}\n"
    "end\n"
    "\n"
    "if t[1] == 'admitted' and t[2] ~= lease then\n"
    "    return {'wait'}\n"
    "end\n"
    "\n"
    "lease_approved(base, id, lease, time, r[6])\n"
    "\n"
    "return {'admitted', r[3], r[4], r[5], r[2], id}\n",

    { 0 }
};


/*
 * keys:       certificate, revoked
 * arguments:  serial
 */

ngx_enroll_script_t  ngx_enroll_script_lookup = {
    "lookup",

    "local c = redis.call('HMGET', KEYS[1], 'cert', 'requester', 'profile',\n"
    "                     'key_digest', 'status')\n"
    "\n"
    "if not c[1] then\n"
    "    return {'unknown'}\n"
    "end\n"
    "\n"
    "if redis.call('ZSCORE', KEYS[2], ARGV[1]) then\n"
    "    c[5] = 'revoked'\n"
    "end\n"
    "\n"
    "return {'found', c[1], c[2], c[3], c[4], c[5]}\n",

    { 0 }
};


/*
 * keys:       the counters
 * arguments:  window, limit, whether to count
 */

ngx_enroll_script_t  ngx_enroll_script_failures = {
    "failures",

    "local window, limit = ARGV[1], tonumber(ARGV[2])\n"
    "local limited = false\n"
    "\n"
    "for i, key in ipairs(KEYS) do\n"
    "    local n\n"
    "\n"
    "    if ARGV[3] == '1' then\n"
    "        n = redis.call('INCR', key)\n"
    "\n"
    "        if redis.call('PTTL', key) < 0 then\n"
    "            redis.call('PEXPIRE', key, window)\n"
    "        end\n"
    "    else\n"
    "        n = tonumber(redis.call('GET', key) or '0')\n"
    "    end\n"
    "\n"
    "    limited = limited or n >= limit\n"
    "end\n"
    "\n"
    "return { limited and 'limited' or 'below' }\n",

    { 0 }
};
