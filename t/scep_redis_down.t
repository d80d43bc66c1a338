#!/usr/bin/perl

# Copyright (C) The nginx-enroll authors

# Redis is away: an outage is no refusal, and what needs no Redis is answered.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use Enroll;
use EnrollDER;
use EnrollSCEP;

##############################################################################

my $t = Enroll->new;

$t->ca('ca', key => 'rsa:2048');
$t->conf(<<'CONF');
    enroll_redis unix:%%DIR%%/redis.sock timeout=1s;
    enroll_ca devices {
        certificate %%DIR%%/ca.crt;
        certificate_key %%DIR%%/ca.key;
    }
    scep_challenge secret;

    server {
        listen 127.0.0.1:%%PORT_plain%%;
        location /scep { scep devices; }
        location /manual { scep devices; enroll_approval manual; }
        location /few { scep devices; scep_failure_limit 3; }
    }
CONF
$t->run;

my $s = EnrollSCEP->new($t, ra => 'ca');
my $c = $s->client('dev1');
my $m = $s->request($c, challenge => 'secret');
my $der = $s->issued($s->send($m), $m, 'a certificate, while Redis is there');

##############################################################################

$t->redis_stop;

for my $down (
    ['PKCSReq', $s->request($c, challenge => 'secret')],
    ['the same again', $m],
    ['RenewalReq', $s->request($s->holder($c, $der), type => 17)],
    ['CertPoll', $s->poll($c, 'x')],
    ['GetCert', $s->get_cert($c, EnrollSCEP::serial($der))])
{
    my ($name, $m) = @$down;
    for my $get (0, 1) {
        next if $get && length $m->{der} > 4000;
        $s->refused($s->send($m, get => $get), 503, 'store_unavailable', $name);
    }
    like($s->send($m)->{headers}{'retry-after'} // '', qr/^[1-9]\d*$/,
        "$name: Retry-After");
}
$s->refused($s->send($m, path => '/manual'), 503, 'store_unavailable',
    'where requests wait for approval');
$s->refused($s->send('x'), 400, 'malformed_message', 'what is no message');

for my $op (qw(GetCACaps GetCACert)) {
    my $r = $t->curl('http://127.0.0.1:' . $t->port('plain')
                     . "/scep?operation=$op");
    is($r->{status}, 200, "$op is answered");
}

##############################################################################

$t->redis_start;
ok(wait_for { ($s->summary($s->send($m), $m))[0] eq 'SUCCESS' },
    'Redis is back');
is($s->issued($s->send($m), $m, 'the same message'), $der,
    'the same certificate');
is(scalar $t->keys('*:cert:*'), 1, 'nothing was issued without a record');
is($t->open_txns, '', 'no transaction is open');

##############################################################################

# It hangs, and hears of what was tried when nobody waits for it any more:
# that stands in nobody's way.

$_ = $s->request($s->client("few$_"), challenge => 'secret')
    for my @few = 1 .. 4;
my $last = pop @few;
kill STOP => $t->{redis};
my @conns = map { $s->start($_, path => '/few') } @few;
$s->refused($s->response($_), 503, 'store_unavailable', 'Redis hangs')
    for @conns;
kill CONT => $t->{redis};
ok(wait_for(sub { !$t->keys('*:tries') }), 'no try is left');
ok(wait_for(sub { ($s->summary($s->send($last, path => '/few'), $last))[0]
    eq 'SUCCESS' }), 'and the next one is served');
$t->done;
