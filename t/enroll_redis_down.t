#!/usr/bin/perl

# Copyright (C) The nginx-enroll authors

# Redis is away: refusals within the timeout, what needs no records still
# answers, nothing leaves that is not recorded, and service resumes by itself.
#
# Conformance: HTTP-013 HTTP-025 BAD-138

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use Enroll;
use EnrollDER;

##############################################################################

use Time::HiRes qw(time);

my $t = Enroll->new;

$t->ca('ca');
$t->conf(<<'CONF', workers => 2);
    enroll_redis unix:%%DIR%%/redis.sock timeout=1s;
    enroll_ca devices {
        certificate %%DIR%%/ca.crt;
        certificate_key %%DIR%%/ca.key;
    }

    server {
        listen 127.0.0.1:%%PORT_tls%% ssl;
        %%TLS%%
        enroll_timeout 3s;
        est_csrattrs 1.2.3.4;

        location /.well-known/est/ {
            est devices;
            est_auth none;
            enroll_names any;
        }

        location /other { return 200 "other\n"; }
    }
CONF

##############################################################################

# started without Redis

$t->start;

my $csr = $t->csr;
my $start = time;
$t->refused(ask(), 503, 'store_unavailable', 'without Redis: 503');
cmp_ok(time - $start, '<', 4, 'within the timeout');
is($t->est('cacerts')->{status}, 200, 'cacerts answers');
is($t->est('csrattrs')->{status}, 200, 'csrattrs answers');
$t->refused($t->est('simpleenroll', data => '!'), 400, 'bad_base64',
    'what is wrong with a request is said');

$t->redis_start;
ok(wait_for(sub { ask()->{status} == 200 }, 30), 'Redis comes: service begins');

# it stands still: nobody waits longer than the timeout, nothing else waits

kill STOP => $t->{nodes}[0]{redis};
$start = time;
my $c = $t->connect;
$c->send_post('simpleenroll', csr => fresh());
my $o = $t->est('other', prefix => '/');
is($o->{body}, "other\n", 'Redis stands still: other locations answer');
cmp_ok(time - $start, '<', 0.9, 'at once');
my $r = $c->response;
$t->refused($r, 503, $r->{reason} // 'none', 'an enrolment does not');
cmp_ok(time - $start, '<', 5, 'but within the timeout');
$c->close;
kill CONT => $t->{nodes}[0]{redis};
ok(wait_for(sub { ask()->{status} == 200 }, 30), 'it goes on: so do we');

# killed in the middle of load, twice

my %held;
my %status;
for my $round (1, 2) {
    my @conn = map { $t->connect } 1 .. 30;
    my @csr = map { fresh() } @conn;
    my $half = time;

    $conn[$_]->send_post('simpleenroll', csr => $csr[$_]) for 0 .. 19;
    $t->redis_stop('KILL');
    $conn[$_]->send_post('simpleenroll', csr => $csr[$_]) for 20 .. 29;

    for my $c (@conn) {
        my $r = $c->response(timeout => 8);
        $status{$r->{status} || $r->{end}}++;
        $held{$t->serial($r)} = 1 if $r->{status} eq '200';
        $t->refused($r, 503, $r->{reason} // 'none',
                    'a refusal with Retry-After')
            if $r->{status} eq '503' && $status{503} == 1;
        $c->close;
    }
    cmp_ok(time - $half, '<', 8, "round $round: all are answered in time");

    $t->redis_start;
    ok(wait_for(sub { ask()->{status} == 200 }, 30),
        "round $round: service resumes by itself");
}
is(join(' ', grep { !/^(?:200|503)$/ } sort keys %status), '',
    'each was enrolled or refused');
ok($status{503}, 'some were refused');

my %recorded = map { uc s/.*://r => 1 } $t->keys('enroll:{devices}:cert:*');
is(join(' ', grep { !$recorded{$_} } keys %held), '',
    'no certificate was handed out that is not in Redis');

# connections cut by Redis itself, scripts forgotten

$t->redis('CLIENT', 'KILL', 'TYPE', 'normal');
ok(wait_for(sub { ask()->{status} == 200 }, 30), 'CLIENT KILL');
$t->redis('SCRIPT', 'FLUSH');
is($t->est('simpleenroll', csr => fresh())->{status}, 200,
    'SCRIPT FLUSH is not noticed');

# a Redis that answers what it should not

$t->redis('DEL', $_) for grep { /:(?:txn|idx)/ } $t->keys;
$t->redis('SET', 'enroll:{devices}:counters', 'a string');
$r = $t->est('simpleenroll', csr => fresh());
isnt($r->{status}, 200, 'a key of the wrong type: nothing is handed out');
$t->refused($r, 503, $r->{reason} // 'none', 'but a 503');
$t->redis('DEL', 'enroll:{devices}:counters');
is($t->est('simpleenroll', csr => fresh())->{status}, 200, 'mended');

$t->done;

##############################################################################

sub ask { $t->est('simpleenroll', csr => $csr) }

# one more key is not needed for one more certificate
sub fresh {
    our $n;
    return $t->forge(name => 'k', subject => name(CN => 'dev' . ++$n));
}
