#!/usr/bin/perl

# Copyright (C) The nginx-enroll authors

# A Redis that may forget revocations is refused for issuance; one that
# forgets at a restart is warned of.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use Enroll;
use EnrollDER;

##############################################################################

my $t = Enroll->new;

$t->ca('ca');
$t->conf(<<'CONF');
    enroll_redis unix:%%DIR%%/redis.sock;
    enroll_ca devices {
        certificate %%DIR%%/ca.crt;
        certificate_key %%DIR%%/ca.key;
    }

    server {
        listen 127.0.0.1:%%PORT_tls%% ssl;
        %%TLS%%

        location /.well-known/est/ {
            est devices;
            est_auth none;
            enroll_names any;
        }
    }
CONF

##############################################################################

my $csr = $t->csr;

for my $policy ('allkeys-lru', 'volatile-ttl', 'volatile-lru', 'allkeys-random')
{
    $t->redis_start('--maxmemory', '100mb', '--maxmemory-policy', $policy);
    $t->start;
    $t->refused(ask(), 503, 'store_unavailable', "$policy: nothing is issued");
    like($t->log, qr/\[(?:error|crit|warn)\].*(?:maxmemory|noeviction)/,
        "$policy: the log says why");
    is($t->est('cacerts')->{status}, 200, "$policy: cacerts answers");
    is(scalar($t->keys), 0, "$policy: Redis is not touched");
    ok($t->stop, "$policy: stopped");
    $t->redis_stop;
    unlink "$t->{home}/error.log" if $policy ne 'allkeys-random';
}

# put right while we run

$t->redis_start('--maxmemory', '100mb', '--maxmemory-policy', 'allkeys-lru');
$t->start;
is(ask()->{status}, 503, 'refused at first');
$t->redis('CONFIG', 'SET', 'maxmemory-policy', 'noeviction');
$t->redis('CLIENT', 'KILL', 'TYPE', 'normal');
ok(wait_for(sub { ask()->{status} == 200 }, 40), 'taken when put right');
unlike($t->log, qr/appendonly/, 'no warning of appendonly here');
ok($t->stop, 'stopped');
$t->redis_stop;

# without a file

$t->redis_start('--appendonly', 'no', '--maxmemory-policy', 'noeviction');
$t->start;
ok(wait_for(sub { ask()->{status} == 200 }, 30), 'appendonly no: is taken');
like($t->log, qr/\[warn\].*append/, 'appendonly no: with a warning');
ok($t->stop, 'stopped');
$t->redis_stop;

# full: nothing is lost, nothing is handed out

$t->redis_start('--appendonly', 'yes', '--maxmemory', '1',
                '--maxmemory-policy', 'noeviction');
$t->start;
my $r = $t->est('simpleenroll', csr => $t->csr);
isnt($r->{status}, 200, 'out of memory: nothing is handed out');
$t->refused($r, 503, $r->{reason} // 'none', 'but a 503');

$t->done;

##############################################################################

sub ask { $t->est('simpleenroll', csr => $csr) }
