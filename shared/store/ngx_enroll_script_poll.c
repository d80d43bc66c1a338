
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
 * arguments:  "try" or "over"; window, limit; the try's id, its time; over:
 *             how many of the keys count a failure
 *
 * Tries under way count as if they failed, so that no more can fail than the
 * limit says; where only they stand in the way, the next one waits for them.
 */

ngx_enroll_script_t  ngx_enroll_script_failures = {
    "failures",

    NGX_ENROLL_LUA_CLOCK

    "local what, window, limit = ARGV[1], ARGV[2], tonumber(ARGV[3])\n"
    "local id, time, wait = ARGV[4], ARGV[5], false\n"
    "\n"
    "if what == 'over' then\n"
    "    for i, key in ipairs(KEYS) do\n"
    "        redis.call('ZREM', key .. ':tries', id)\n"
    "\n"
    "        if i <= tonumber(ARGV[6]) then\n"
    "            redis.call('INCR', key)\n"
    "\n"
    "            if redis.call('PTTL', key) < 0 then\n"
    "                redis.call('PEXPIRE', key, window)\n"
    "            end\n"
    "        end\n"
    "    end\n"
    "\n"
    "    return {'below'}\n"
    "end\n"
    "\n"
    "for _, key in ipairs(KEYS) do\n"
    "    local tries = key .. ':tries'\n"
    "    local n = tonumber(redis.call('GET', key) or '0')\n"
    "\n"
    "    if n >= limit then\n"
    "        return {'limited'}\n"
    "    end\n"
    "\n"
    "    redis.call('ZREMRANGEBYSCORE', tries, '-inf', num(now))\n"
    "    wait = wait or n + redis.call('ZCARD', tries) >= limit\n"
    "end\n"
    "\n"
    "if wait then\n"
    "    return {'wait'}\n"
    "end\n"
    "\n"
    "for _, key in ipairs(KEYS) do\n"
    "    redis.call('ZADD', key .. ':tries', num(now + time), id)\n"
    "    keep(key .. ':tries', time)\n"
    "end\n"
    "\n"
    "return {'below'}\n",

    { 0 }
};
