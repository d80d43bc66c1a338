
/*
 * Copyright (C) The nginx-enroll authors
 */


/*
 * What has to happen at once, in Lua: the verbs of those who mint challenges
 * and approve of requests.
 */


#include "ngx_enroll_script.h"


/* the index loses what has expired, a part at a time */

#define NGX_ENROLL_LUA_PRUNE                                                  \
    "local function prune(base)\n"                                            \
    "    local old = redis.call('ZRANGEBYSCORE', base .. 'idx:challenge',\n"  \
    "                           '-inf', num(now), 'LIMIT', 0, 1000)\n"        \
    "\n"                                                                      \
    "    if #old > 0 then\n"                                                  \
    "        redis.call('ZREM', base .. 'idx:challenge', unpack(old))\n"      \
    "        redis.call('ZREM', base .. 'challenges', unpack(old))\n"         \
    "    end\n"                                                               \
    "end\n"                                                                   \
    "\n"


/* netstrings: the fields of one entry after those of another */

#define NGX_ENROLL_LUA_LIST                                                   \
    "local function list(ids, key, check, names, most)\n"                     \
    "    local out, size, n = {}, 0, 0\n"                                     \
    "\n"                                                                      \
    "    for _, id in ipairs(ids) do\n"                                       \
    "        local h = redis.call('HMGET', key .. id, check[1],\n"            \
    "                             unpack(names))\n"                           \
    "\n"                                                                      \
    "        if h[1] and (not check[2] or h[1] == check[2]) then\n"           \
    "            h[1] = id\n"                                                 \
    "\n"                                                                      \
    "            local entry = {}\n"                                          \
    "\n"                                                                      \
    "            for i = 1, #names + 1 do\n"                                  \
    "                local v = h[i] or ''\n"                                  \
    "                entry[i] = #v .. ':' .. v .. ','\n"                      \
    "            end\n"                                                       \
    "\n"                                                                      \
    "            entry = table.concat(entry)\n"                               \
    "            size = size + #entry\n"                                      \
    "            n = n + 1\n"                                                 \
    "\n"                                                                      \
    "            if n > most or size > 200000 then\n"                         \
    "                break\n"                                                 \
    "            end\n"                                                       \
    "\n"                                                                      \
    "            out[n] = entry\n"                                            \
    "        end\n"                                                           \
    "    end\n"                                                               \
    "\n"                                                                      \
    "    return table.concat(out)\n"                                          \
    "end\n"                                                                   \
    "\n"


/*
 * keys:       "PREFIX{ca}:"
 * arguments:  id, digest, lifetime, uses, how many there may be, then fields
 *             and values; the audit
 */

ngx_enroll_script_t  ngx_enroll_script_mint = {
    "mint",

    NGX_ENROLL_LUA_CLOCK
    NGX_ENROLL_LUA_PRUNE
    NGX_ENROLL_LUA_AUDIT

    "local base, cid = KEYS[1], ARGV[1]\n"
    "local challenge = base .. 'challenge:' .. cid\n"
    "\n"
    "prune(base)\n"
    "\n"
    "if redis.call('ZCARD', base .. 'challenges') >= tonumber(ARGV[5]) then\n"
    "    return {'full'}\n"
    "end\n"
    "\n"
    "if redis.call('EXISTS', challenge) == 1 then\n"
    "    return {'conflict'}\n"
    "end\n"
    "\n"
    "local expires = num(now + ARGV[3])\n"
    "\n"
    "audit(base, 'challenge_minted', { 'challenge', cid })\n"
    "\n"
    "redis.call('HSET', challenge, 'digest', ARGV[2], 'created', num(now),\n"
    "           'expires', expires, 'uses', ARGV[4], unpack(ARGV, 6))\n"
    "redis.call('PEXPIRE', challenge, ARGV[3])\n"
    "\n"
    "redis.call('ZADD', base .. 'challenges', num(now), cid)\n"
    "redis.call('ZADD', base .. 'idx:challenge', expires, cid)\n"
    "\n"
    "return {'minted', expires}\n",

    { 0 }
};


/*
 * keys:       "PREFIX{ca}:"
 * arguments:  how many
 */

ngx_enroll_script_t  ngx_enroll_script_challenges = {
    "challenges",

    NGX_ENROLL_LUA_CLOCK
    NGX_ENROLL_LUA_PRUNE
    NGX_ENROLL_LUA_LIST

    "local base = KEYS[1]\n"
    "\n"
    "prune(base)\n"
    "\n"
    "local ids = redis.call('ZREVRANGE', base .. 'challenges', 0,\n"
    "                       ARGV[1] - 1)\n"
    "\n"
    "return {'listed', num(redis.call('ZCARD', base .. 'challenges')),\n"
    "        list(ids, base .. 'challenge:', {'digest'},\n"
    "             {'label', 'by', 'subject', 'san', 'key_digest', 'profile',\n"
    "              'address', 'uses', 'created', 'expires'},\n"
    "             tonumber(ARGV[1]))}\n",

    { 0 }
};


/* keys: counters, "PREFIX{ca}:" */

ngx_enroll_script_t  ngx_enroll_script_totals = {
    "totals",

    NGX_ENROLL_LUA_CLOCK

    "local counters, base = unpack(KEYS)\n"
    "local c = redis.call('HMGET', counters, 'issued', 'renewed', 'total')\n"
    "\n"
    "return {'totals', c[1] or '0', c[2] or '0', c[3] or '0',\n"
    "        num(redis.call('ZCOUNT', base .. 'idx:challenge', num(now),\n"
    "                       '+inf')),\n"
    "        num(redis.call('ZCOUNT', base .. 'pending', num(now), '+inf'))}\n",

    { 0 }
};


/*
 * keys:       "PREFIX{ca}:"
 * arguments:  id; the audit
 */

ngx_enroll_script_t  ngx_enroll_script_delete = {
    "delete",

    NGX_ENROLL_LUA_CLOCK
    NGX_ENROLL_LUA_CHALLENGE
    NGX_ENROLL_LUA_AUDIT

    "local base, cid = KEYS[1], ARGV[1]\n"
    "local c = redis.call('HMGET', base .. 'challenge:' .. cid, 'digest',\n"
    "                     'label')\n"
    "\n"
    "if not c[1] then\n"
    "    return {'unknown'}\n"
    "end\n"
    "\n"
    "audit(base, 'challenge_deleted', { 'challenge', cid, 'label', c[2] })\n"
    "forget(base, cid)\n"
    "\n"
    "return {'deleted'}\n",

    { 0 }
};


/*
 * keys:       "PREFIX{ca}:"
 * arguments:  how many
 */

ngx_enroll_script_t  ngx_enroll_script_pending = {
    "pending",

    NGX_ENROLL_LUA_CLOCK
    NGX_ENROLL_LUA_LIST

    "local base = KEYS[1]\n"
    "local pending = base .. 'pending'\n"
    "\n"
    "redis.call('ZREMRANGEBYSCORE', pending, '-inf', num(now))\n"
    "\n"
    "local ids = redis.call('ZREVRANGE', pending, 0, ARGV[1] - 1)\n"
    "\n"
    "return {'listed', num(redis.call('ZCARD', pending)),\n"
    "        list(ids, base .. 'request:', {'state', 'pending'},\n"
    "             {'subject', 'san', 'key', 'key_digest', 'requester',\n"
    "              'protocol', 'operation', 'location', 'profile', 'address',\n"
    "              'created', 'expires'},\n"
    "             tonumber(ARGV[1]))}\n",

    { 0 }
};


/*
 * keys:       "PREFIX{ca}:"
 * arguments:  transaction's id, decision, how long it is known, by whom; the
 *             audit
 *
 * A denied request has used its challenge, and what was stored of it is of no
 * more use.  One whose challenge was deleted can no more be approved.
 */

ngx_enroll_script_t  ngx_enroll_script_decide = {
    "decide",

    NGX_ENROLL_LUA_CLOCK
    NGX_ENROLL_LUA_CHALLENGE
    NGX_ENROLL_LUA_AUDIT

    "local base, id, decision, lifetime = KEYS[1], ARGV[1], ARGV[2], ARGV[3]\n"
    "local request = base .. 'request:' .. id\n"
    "local r = redis.call('HMGET', request, 'state', 'challenge', 'poll',\n"
    "                     'waits_location', 'waits_address', 'subject',\n"
    "                     'san', 'key', 'key_digest', 'requester')\n"
    "\n"
    "if not r[1] then\n"
    "    return {'unknown'}\n"
    "end\n"
    "\n"
    "if r[1] == decision then\n"
    "    return {'decided'}\n"
    "end\n"
    "\n"
    "if r[1] ~= 'pending' then\n"
    "    return {'conflict'}\n"
    "end\n"
    "\n"
    "if decision == 'approved' and r[2] ~= ''\n"
    "    and redis.call('EXISTS', base .. 'challenge:' .. r[2]) == 0\n"
    "then\n"
    "    return {'unknown'}\n"
    "end\n"
    "\n"
    "audit(base, decision, { 'transaction', id, 'challenge', r[2],\n"
    "                        'subject', r[6], 'san', r[7], 'key', r[8],\n"
    "                        'key_digest', r[9], 'requester', r[10] })\n"
    "\n"
    "redis.call('HSET', request, 'state', decision, 'decided', num(now),\n"
    "           'decided_by', ARGV[4], 'expires', num(now + lifetime))\n"
    "redis.call('PEXPIRE', request, lifetime)\n"
    "\n"
    "if r[3] ~= '' then\n"
    "    redis.call('PEXPIRE', base .. 'poll:' .. r[3], lifetime)\n"
    "end\n"
    "\n"
    "redis.call('ZREM', base .. 'pending', id)\n"
    "redis.call('ZREM', base .. 'waiting:location:' .. r[4], id)\n"
    "redis.call('ZREM', base .. 'waiting:address:' .. r[5], id)\n"
    "\n"
    "if decision == 'denied' then\n"
    "    redis.call('HDEL', request, 'stored')\n"
    "end\n"
    "\n"
    "if r[2] ~= '' then\n"
    "    if decision == 'approved' then\n"
    "        hold(base, r[2], id, tonumber(lifetime))\n"
    "    else\n"
    "        consume(base, r[2], id)\n"
    "    end\n"
    "end\n"
    "\n"
    "return {'decided'}\n",

    { 0 }
};
