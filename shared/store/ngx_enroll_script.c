
/*
 * Copyright (C) The nginx-enroll authors
 */


/*
 * What has to happen at once, in Lua: the verbs that a request calls.  Each
 * script returns an array that begins with a word.  Time is Redis's own.
 *
 * Some names of keys are known only when others have been read: they are made
 * of "PREFIX{ca}:", which is among the keys and has their hash tag.
 */


#include "ngx_enroll_script.h"


/*
 * keys:       transaction, revoked, "PREFIX{ca}:"
 * arguments:  1 transaction's id, lease, lease time,
 *             4 requester's serial or "", need not be known,
 *             6 nonce's digest or "", its time,
 *             8 challenge's digest or "",
 *             9 subject, SAN, key, key digest, profile, address,
 *             15 needs approval; if so: lifetime, how many may wait at the
 *             location and the address, digests of poll id (or ""), location,
 *             address; 22 the stored fields and values; the audit
 */

ngx_enroll_script_t  ngx_enroll_script_admit = {
    "admit",

    NGX_ENROLL_LUA_CLOCK
    NGX_ENROLL_LUA_CHALLENGE
    NGX_ENROLL_LUA_LEASE
    NGX_ENROLL_LUA_AUDIT

    "local txn, revoked, base = unpack(KEYS)\n"
    "local id, lease, time, serial = ARGV[1], ARGV[2], ARGV[3], ARGV[4]\n"
    "local nonce, hash, approval = ARGV[6], ARGV[8], ARGV[15] == '1'\n"
    "local asked = { unpack(ARGV, 9, 14) }\n"
    "\n"
    "if serial ~= '' then\n"
    "    local old = redis.call('HMGET', base .. 'cert:' .. serial,\n"
    "                           'status', 'profile')\n"
    "    local status = old[1]\n"
    "\n"
    "    if status == 'revoked'\n"
    "        or redis.call('ZSCORE', revoked, serial)\n"
    "    then\n"
    "        return {'revoked'}\n"
    "    end\n"
    "\n"
    "    if not status and ARGV[5] ~= '1' then\n"
    "        return {'unrecorded'}\n"
    "    end\n"
    "\n"
    "    if status and ARGV[13] ~= '' and old[2] ~= ARGV[13] then\n"
    "        return {'other profile'}\n"
    "    end\n"
    "end\n"
    "\n"
    "local function known()\n"
    "    if nonce ~= '' then\n"
    "        redis.call('SET', base .. 'nonce:' .. nonce, id, 'PX', ARGV[7])\n"
    "    end\n"
    "end\n"
    "\n"
    "if nonce ~= '' then\n"
    "    local seen = redis.call('GET', base .. 'nonce:' .. nonce)\n"
    "\n"
    "    if seen and seen ~= id then\n"
    "        return {'replayed'}\n"
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
    "    local c = redis.call('HMGET', base .. 'cert:' .. t[3],\n"
    "                         'status', 'cert', 'requester', 'profile',\n"
    "                         'key_digest')\n"
    "\n"
    "    if c[1] == 'valid' then\n"
    "        known()\n"
    "        return {'done', c[2], c[3], c[4], c[5]}\n"
    "    end\n"
    "end\n"
    "\n"
    "if t[1] and t[1] ~= 'admitted' and t[1] ~= 'done' then\n"
    "    return {'unknown state', t[1]}\n"
    "end\n"
    "\n"
    "if approval then\n"
    "    local r = redis.call('HMGET', base .. 'request:' .. id,\n"
    "                         'state', 'challenge')\n"
    "\n"
    "    if r[1] == 'denied' then\n"
    "        return {'denied'}\n"
    "    end\n"
    "\n"
    "    if r[1] and deleted(base, r[2]) then\n"
    "        return {'challenge unknown'}\n"
    "    end\n"
    "\n"
    "    if r[1] == 'pending' then\n"
    "        known()\n"
    "        return {'pending'}\n"
    "    end\n"
    "\n"
    "    if r[1] == 'approved' then\n"
    "        known()\n"
    "        lease_approved(base, id, lease, time, r[2])\n"
    "        return {'admitted'}\n"
    "    end\n"
    "\n"
    "    if r[1] then\n"
    "        return {'unknown state', r[1]}\n"
    "    end\n"
    "end\n"
    "\n"
    "local cid = string.sub(hash, 1, 16)\n"
    "\n"
    "if hash ~= '' then\n"
    "    local held = base .. 'held:' .. cid\n"
    "    local c = redis.call('HMGET', base .. 'challenge:' .. cid,\n"
    "                         'digest', 'expires', 'uses', 'subject', 'san',\n"
    "                         'key', 'key_digest', 'profile', 'address')\n"
    "\n"
    "    if c[1] ~= hash or tonumber(c[2]) <= now then\n"
    "        return {'challenge unknown'}\n"
    "    end\n"
    "\n"
    "    redis.call('ZREMRANGEBYSCORE', held, '-inf', num(now))\n"
    "    redis.call('ZREM', held, id)\n"
    "\n"
    "    if redis.call('ZCARD', held) >= tonumber(c[3]) then\n"
    "        return {'challenge unknown'}\n"
    "    end\n"
    "\n"
    "    for i = 1, 6 do\n"
    "        if c[i + 3] and c[i + 3] ~= '' and c[i + 3] ~= asked[i] then\n"
    "            return {'challenge bound'}\n"
    "        end\n"
    "    end\n"
    "end\n"
    "\n"
    "if not approval then\n"
    "    redis.call('DEL', txn)\n"
    "    redis.call('HSET', txn, 'state', 'admitted', 'lease', lease,\n"
    "               'challenge', cid)\n"
    "    redis.call('PEXPIRE', txn, time)\n"
    "\n"
    "    if cid ~= '' then\n"
    "        hold(base, cid, id, tonumber(time))\n"
    "    end\n"
    "\n"
    "    known()\n"
    "    return {'admitted'}\n"
    "end\n"
    "\n"
    "local lifetime, poll = ARGV[16], base .. 'poll:' .. ARGV[19]\n"
    "local expires = num(now + lifetime)\n"
    "local waits = { base .. 'waiting:location:' .. ARGV[20],\n"
    "                base .. 'waiting:address:' .. ARGV[21] }\n"
    "\n"
    "if ARGV[19] ~= '' then\n"
    "    local other = redis.call('GET', poll)\n"
    "\n"
    "    if other and other ~= id then\n"
    "        local state = redis.call('HGET', base .. 'request:' .. other,\n"
    "                                 'state')\n"
    "\n"
    "        if state and state ~= 'denied' then\n"
    "            return {'replayed'}\n"
    "        end\n"
    "    end\n"
    "end\n"
    "\n"
    "for i = 1, 2 do\n"
    "    redis.call('ZREMRANGEBYSCORE', waits[i], '-inf', num(now))\n"
    "\n"
    "    if redis.call('ZCARD', waits[i]) >= tonumber(ARGV[16 + i]) then\n"
    "        return {'full'}\n"
    "    end\n"
    "end\n"
    "\n"
    "audit(base, 'pending', { 'challenge', cid })\n"
    "\n"
    "for i = 1, 2 do\n"
    "    redis.call('ZADD', waits[i], expires, id)\n"
    "    keep(waits[i], lifetime)\n"
    "end\n"
    "\n"
    "local request = base .. 'request:' .. id\n"
    "\n"
    "redis.call('HSET', request, 'state', 'pending', 'challenge', cid,\n"
    "           'poll', ARGV[19], 'waits_location', ARGV[20],\n"
    "           'waits_address', ARGV[21], 'created', num(now),\n"
    "           'expires', expires, 'subject', asked[1], 'san', asked[2],\n"
    "           'key', asked[3], 'key_digest', asked[4], 'profile', asked[5],\n"
    "           'address', asked[6], unpack(ARGV, 22))\n"
    "redis.call('PEXPIRE', request, lifetime)\n"
    "\n"
    "redis.call('ZREMRANGEBYSCORE', base .. 'pending', '-inf', num(now))\n"
    "redis.call('ZADD', base .. 'pending', expires, id)\n"
    "\n"
    "if ARGV[19] ~= '' then\n"
    "    redis.call('SET', poll, id, 'PX', lifetime)\n"
    "end\n"
    "\n"
    "if cid ~= '' then\n"
    "    hold(base, cid, id, tonumber(lifetime))\n"
    "end\n"
    "\n"
    "known()\n"
    "return {'pending'}\n",

    { 0 }
};


/*
 * keys:       transaction, certificate, index by expiry, index by requester,
 *             counters, "PREFIX{ca}:"
 * arguments:  lease, how long to repeat, serial, notAfter, counter,
 *             transaction's id, then the certificate's fields and values;
 *             the audit
 */

ngx_enroll_script_t  ngx_enroll_script_record = {
    "record",

    NGX_ENROLL_LUA_CLOCK
    NGX_ENROLL_LUA_CHALLENGE
    NGX_ENROLL_LUA_AUDIT

    "local txn, cert, expiry, identity, counters, base = unpack(KEYS)\n"
    "local lease, repeated, serial = ARGV[1], ARGV[2], ARGV[3]\n"
    "local not_after = tonumber(ARGV[4])\n"
    "local id = ARGV[6]\n"
    "local kept = 30 * 86400\n"
    "\n"
    "local t = redis.call('HMGET', txn, 'state', 'lease', 'challenge',\n"
    "                     'request')\n"
    "\n"
    "if t[1] ~= 'admitted' or t[2] ~= lease then\n"
    "    return {'lost'}\n"
    "end\n"
    "\n"
    "if redis.call('EXISTS', cert) == 1 then\n"
    "    return {'lost'}\n"
    "end\n"
    "\n"
    "local cid = t[3] or ''\n"
    "\n"
    "if cid ~= ''\n"
    "    and not redis.call('ZSCORE', base .. 'held:' .. cid, id)\n"
    "then\n"
    "    return {'lost'}\n"
    "end\n"
    "\n"
    "local request = base .. 'request:' .. id\n"
    "local r = {}\n"
    "\n"
    "if t[4] then\n"
    "    r = redis.call('HMGET', request, 'poll', 'decided_by', 'stored')\n"
    "end\n"
    "\n"
    "audit(base, ARGV[5], { 'challenge', cid, 'by', r[2] or '' })\n"
    "\n"
    "redis.call('HSET', cert, 'status', 'valid', 'recorded', num(now),\n"
    "           unpack(ARGV, 7))\n"
    "redis.call('EXPIREAT', cert, not_after + kept)\n"
    "\n"
    "if cid ~= '' then\n"
    "    redis.call('HSET', cert, 'challenge', cid)\n"
    "    consume(base, cid, id)\n"
    "end\n"
    "\n"
    "if t[4] then\n"
    "    if r[2] then\n"
    "        redis.call('HSET', cert, 'approved_by', r[2])\n"
    "    end\n"
    "\n"
    "    if r[1] and r[1] ~= '' then\n"
    "        keep(base .. 'poll:' .. r[1], repeated)\n"
    "    end\n"
    "\n"
    "    if r[3] then\n"
    "        redis.call('HSET', txn, 'stored', r[3])\n"
    "    end\n"
    "\n"
    "    redis.call('DEL', request)\n"
    "end\n"
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
    "local seconds = tonumber(clock[1])\n"
    "local old = redis.call('ZRANGEBYSCORE', expiry, '-inf', seconds - kept,\n"
    "                       'LIMIT', 0, 100)\n"
    "if #old > 0 then\n"
    "    redis.call('ZREM', expiry, unpack(old))\n"
    "end\n"
    "\n"
    "redis.call('ZREMRANGEBYSCORE', identity, '-inf', '(' .. seconds)\n"
    "redis.call('ZADD', identity, not_after, serial)\n"
    "\n"
    "local last = redis.call('ZREVRANGE', identity, 0, 0, 'WITHSCORES')\n"
    "redis.call('EXPIREAT', identity, last[2])\n"
    "\n"
    "return {'recorded'}\n",

    { 0 }
};


/*
 * keys:       transaction, "PREFIX{ca}:"
 * arguments:  lease, transaction's id
 *
 * What was approved keeps its use of a challenge.
 */

ngx_enroll_script_t  ngx_enroll_script_release = {
    "release",

    "local txn, base = unpack(KEYS)\n"
    "local t = redis.call('HMGET', txn, 'state', 'lease', 'challenge',\n"
    "                     'request')\n"
    "\n"
    "if t[1] ~= 'admitted' or t[2] ~= ARGV[1] then\n"
    "    return {'lost'}\n"
    "end\n"
    "\n"
    "if t[3] and t[3] ~= '' and not t[4] then\n"
    "    redis.call('ZREM', base .. 'held:' .. t[3], ARGV[2])\n"
    "end\n"
    "\n"
    "redis.call('DEL', txn)\n"
    "\n"
    "return {'released'}\n",

    { 0 }
};
