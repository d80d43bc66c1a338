
/*
 * Copyright (C) The nginx-enroll authors
 */


/*
 * What has to happen at once, in Lua.  Each script returns an array that
 * begins with a word.  Time is Redis's own.
 */


#include "ngx_enroll_script.h"


/*
 * keys:       transaction, revoked, "PREFIX{ca}:cert:"
 * arguments:  lease, lease time, requester's serial or "", need not be known
 *
 * The name of a recorded certificate is known only when the transaction has
 * been read: its key has the hash tag of the third, to which it is appended.
 */

ngx_enroll_script_t  ngx_enroll_script_admit = {
    "admit",

    "local txn, revoked, certs = KEYS[1], KEYS[2], KEYS[3]\n"
    "local lease, time, serial = ARGV[1], ARGV[2], ARGV[3]\n"
    "\n"
    "if serial ~= '' then\n"
    "    local status = redis.call('HGET', certs .. serial, 'status')\n"
    "\n"
    "    if status == 'revoked'\n"
    "        or redis.call('ZSCORE', revoked, serial)\n"
    "    then\n"
    "        return {'revoked'}\n"
    "    end\n"
    "\n"
    "    if not status and ARGV[4] ~= '1' then\n"
    "        return {'unrecorded'}\n"
    "    end\n"
    "end\n"
    "\n"
    "local t = redis.call('HMGET', txn, 'state', 'lease', 'serial')\n"
    "\n"
    "if t[1] == 'admitted' and t[2] ~= lease then\n"
    "    return {'wait'}\n"
    "end\n"
    "\n"
    "if t[1] == 'done' and t[3]\n"
    "    and not redis.call('ZSCORE', revoked, t[3])\n"
    "then\n"
    "    local c = redis.call('HMGET', certs .. t[3],\n"
    "                         'status', 'cert', 'requester', 'profile')\n"
    "\n"
    "    if c[1] == 'valid' then\n"
    "        return {'done', c[2], c[3], c[4]}\n"
    "    end\n"
    "end\n"
    "\n"
    "if t[1] and t[1] ~= 'admitted' and t[1] ~= 'done' then\n"
    "    return {'unknown state', t[1]}\n"
    "end\n"
    "\n"
    "redis.call('DEL', txn)\n"
    "redis.call('HSET', txn, 'state', 'admitted', 'lease', lease)\n"
    "redis.call('PEXPIRE', txn, time)\n"
    "\n"
    "return {'admitted'}\n",

    { 0 }
};


/*
 * keys:       transaction, certificate, index by expiry, index by requester,
 *             counters
 * arguments:  lease, how long to repeat, serial, notAfter, counter, then the
 *             certificate's fields and values
 */

ngx_enroll_script_t  ngx_enroll_script_record = {
    "record",

    "local txn, cert, expiry, identity, counters = unpack(KEYS)\n"
    "local lease, repeated, serial = ARGV[1], ARGV[2], ARGV[3]\n"
    "local not_after = tonumber(ARGV[4])\n"
    "local kept = 30 * 86400\n"
    "\n"
    "local t = redis.call('HMGET', txn, 'state', 'lease')\n"
    "\n"
    "if t[1] ~= 'admitted' or t[2] ~= lease then\n"
    "    return {'lost'}\n"
    "end\n"
    "\n"
    "if redis.call('EXISTS', cert) == 1 then\n"
    "    return {'lost'}\n"
    "end\n"
    "\n"
    "local time = redis.call('TIME')\n"
    "local now = tonumber(time[1])\n"
    "local ms = math.floor(tonumber(time[2]) / 1000)\n"
    "\n"
    "redis.call('HSET', cert, 'status', 'valid',\n"
    "           'recorded', time[1] .. string.format('%03d', ms),\n"
    "           unpack(ARGV, 6))\n"
    "redis.call('EXPIREAT', cert, not_after + kept)\n"
    "\n"
    "if repeated == '0' then\n"
    "    redis.call('DEL', txn)\n"
    "else\n"
    "    redis.call('HSET', txn, 'state', 'done', 'serial', serial)\n"
    "    redis.call('PEXPIRE', txn, repeated)\n"
    "end\n"
    "\n"
    "redis.call('HINCRBY', counters, ARGV[5], 1)\n"
    "redis.call('HINCRBY', counters, 'total', 1)\n"
    "\n"
    "redis.call('ZADD', expiry, not_after, serial)\n"
    "\n"
    "local old = redis.call('ZRANGEBYSCORE', expiry, '-inf', now - kept,\n"
    "                       'LIMIT', 0, 100)\n"
    "if #old > 0 then\n"
    "    redis.call('ZREM', expiry, unpack(old))\n"
    "end\n"
    "\n"
    "redis.call('ZREMRANGEBYSCORE', identity, '-inf', '(' .. now)\n"
    "redis.call('ZADD', identity, not_after, serial)\n"
    "\n"
    "local last = redis.call('ZREVRANGE', identity, 0, 0, 'WITHSCORES')\n"
    "redis.call('EXPIREAT', identity, last[2])\n"
    "\n"
    "return {'recorded'}\n",

    { 0 }
};


/*
 * keys:       transaction
 * arguments:  lease
 */

ngx_enroll_script_t  ngx_enroll_script_release = {
    "release",

    "local t = redis.call('HMGET', KEYS[1], 'state', 'lease')\n"
    "\n"
    "if t[1] ~= 'admitted' or t[2] ~= ARGV[1] then\n"
    "    return {'lost'}\n"
    "end\n"
    "\n"
    "redis.call('DEL', KEYS[1])\n"
    "\n"
    "return {'released'}\n",

    { 0 }
};
