
/*
 * Copyright (C) The nginx-enroll authors
 */


/*
 * The scripts of the store's verbs
 */


#ifndef _NGX_ENROLL_SCRIPT_H_INCLUDED_
#define _NGX_ENROLL_SCRIPT_H_INCLUDED_


#include "ngx_enroll_redis.h"


/*
 * What several scripts begin with.  Redis's time in ms; a number as it is to
 * be sent; a key that lives so long at least.
 */

#define NGX_ENROLL_LUA_CLOCK                                                  \
    "local clock = redis.call('TIME')\n"                                      \
    "local now = clock[1] * 1000 + math.floor(clock[2] / 1000)\n"             \
    "\n"                                                                      \
    "local function num(n)\n"                                                 \
    "    return string.format('%.0f', n)\n"                                   \
    "end\n"                                                                   \
    "\n"                                                                      \
    "local function keep(key, ms)\n"                                          \
    "    if redis.call('PTTL', key) < tonumber(ms) then\n"                    \
    "        redis.call('PEXPIRE', key, ms)\n"                                \
    "    end\n"                                                               \
    "end\n"                                                                   \
    "\n"


/*
 * A use of a challenge, held for a transaction up to a time; taken for good;
 * the challenge, gone.
 */

#define NGX_ENROLL_LUA_CHALLENGE                                              \
    "local function hold(base, cid, id, ms)\n"                                \
    "    local held = base .. 'held:' .. cid\n"                               \
    "    local score = redis.call('ZSCORE', held, id)\n"                      \
    "\n"                                                                      \
    "    if not score or tonumber(score) < now + ms then\n"                   \
    "        redis.call('ZADD', held, num(now + ms), id)\n"                   \
    "    end\n"                                                               \
    "\n"                                                                      \
    "    keep(held, ms)\n"                                                    \
    "    keep(base .. 'challenge:' .. cid, ms)\n"                             \
    "end\n"                                                                   \
    "\n"                                                                      \
    "local function forget(base, cid)\n"                                      \
    "    redis.call('DEL', base .. 'challenge:' .. cid,\n"                    \
    "               base .. 'held:' .. cid)\n"                                \
    "    redis.call('ZREM', base .. 'challenges', cid)\n"                     \
    "    redis.call('ZREM', base .. 'idx:challenge', cid)\n"                  \
    "end\n"                                                                   \
    "\n"                                                                      \
    "local function consume(base, cid, id)\n"                                 \
    "    local key = base .. 'challenge:' .. cid\n"                           \
    "\n"                                                                      \
    "    redis.call('ZREM', base .. 'held:' .. cid, id)\n"                    \
    "\n"                                                                      \
    "    if redis.call('EXISTS', key) == 1\n"                                 \
    "        and redis.call('HINCRBY', key, 'uses', -1) < 1\n"                \
    "    then\n"                                                              \
    "        forget(base, cid)\n"                                             \
    "    end\n"                                                               \
    "end\n"                                                                   \
    "\n"


/*
 * The entry of the audit ends the arguments: fields and values, how many these
 * are, and how many entries there may be, 0: none is written.  More fields are
 * a script's own.  It goes before what a script changes: where it cannot be
 * written, nothing is.
 */

#define NGX_ENROLL_LUA_AUDIT                                                  \
    "local entries, entry = table.remove(ARGV), {}\n"                         \
    "\n"                                                                      \
    "for i = tonumber(table.remove(ARGV)), 1, -1 do\n"                        \
    "    entry[i] = table.remove(ARGV)\n"                                     \
    "end\n"                                                                   \
    "\n"                                                                      \
    "local function audit(base, event, more)\n"                               \
    "    if entries == '0' then\n"                                            \
    "        return\n"                                                        \
    "    end\n"                                                               \
    "\n"                                                                      \
    "    for i = 1, #more, 2 do\n"                                            \
    "        if more[i + 1] and more[i + 1] ~= '' then\n"                     \
    "            entry[#entry + 1] = more[i]\n"                               \
    "            entry[#entry + 1] = more[i + 1]\n"                           \
    "        end\n"                                                           \
    "    end\n"                                                               \
    "\n"                                                                      \
    "    redis.call('XADD', base .. 'audit', 'MAXLEN', '~', entries, '*',\n"  \
    "               'event', event, unpack(entry))\n"                         \
    "end\n"                                                                   \
    "\n"


/*
 * Whether the challenge that a request holds was deleted meanwhile; the lease
 * on a transaction that was approved: the request outlives it.
 */

#define NGX_ENROLL_LUA_LEASE                                                  \
    "local function deleted(base, cid)\n"                                     \
    "    return cid ~= ''\n"                                                  \
    "        and redis.call('EXISTS', base .. 'challenge:' .. cid) == 0\n"    \
    "end\n"                                                                   \
    "\n"                                                                      \
    "local function lease_approved(base, id, lease, ms, cid)\n"               \
    "    local txn = base .. 'txn:' .. id\n"                                  \
    "\n"                                                                      \
    "    redis.call('DEL', txn)\n"                                            \
    "    redis.call('HSET', txn, 'state', 'admitted', 'lease', lease,\n"      \
    "               'request', '1', 'challenge', cid)\n"                      \
    "    redis.call('PEXPIRE', txn, ms)\n"                                    \
    "\n"                                                                      \
    "    if cid ~= '' then\n"                                                 \
    "        hold(base, cid, id, tonumber(ms))\n"                             \
    "    end\n"                                                               \
    "end\n"                                                                   \
    "\n"


extern ngx_enroll_script_t  ngx_enroll_script_admit;
extern ngx_enroll_script_t  ngx_enroll_script_record;
extern ngx_enroll_script_t  ngx_enroll_script_release;
extern ngx_enroll_script_t  ngx_enroll_script_poll;
extern ngx_enroll_script_t  ngx_enroll_script_lookup;
extern ngx_enroll_script_t  ngx_enroll_script_failures;
extern ngx_enroll_script_t  ngx_enroll_script_mint;
extern ngx_enroll_script_t  ngx_enroll_script_challenges;
extern ngx_enroll_script_t  ngx_enroll_script_delete;
extern ngx_enroll_script_t  ngx_enroll_script_pending;
extern ngx_enroll_script_t  ngx_enroll_script_decide;
extern ngx_enroll_script_t  ngx_enroll_script_refused;
extern ngx_enroll_script_t  ngx_enroll_script_audit;
extern ngx_enroll_script_t  ngx_enroll_script_totals;


#endif /* _NGX_ENROLL_SCRIPT_H_INCLUDED_ */
