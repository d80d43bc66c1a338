#!/usr/bin/perl

# Copyright (C) The nginx-enroll authors

# enroll_status while Redis is away, while it hangs, and with a client that
# does not wait; and in a zone that is full.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use Time::HiRes qw(time sleep);

use Enroll;
use EnrollDER;
use EnrollMetrics;

##############################################################################

my $t = Enroll->new;

my $profiles = join "\n", map { "enroll_profile p$_ { }" } 1 .. 600;

$t->ca('ca');
$t->conf(<<"CONF" =~ s/\\\$/\$/gr)->run;
    enroll_redis unix:%%DIR%%/redis.sock timeout=5s;
    enroll_ca devices {
        certificate %%DIR%%/ca.crt;
        certificate_key %%DIR%%/ca.key;
    }
    enroll_ca second {
        certificate %%DIR%%/ca.crt;
        certificate_key %%DIR%%/ca.key;
    }
    enroll_status_zone 64k;
    $profiles

    server {
        listen 127.0.0.1:%%PORT_tls%% ssl;
        listen 127.0.0.1:%%PORT_plain%%;
        %%TLS%%
        enroll_names any;
        location /est/ { est devices profile=\\\$arg_p; est_auth none; }
        location = /status { enroll_status; }
    }
CONF

sub enrol { $t->est('simpleenroll?p=p1', prefix => '/est/',
                    csr => $t->csr(subject => "/CN=$_[0]")) }

##############################################################################

is(enrol('one')->{status}, 200, 'issued');
my $page = scrape($t);
is(sum($page, 'enroll_redis_up'), 1, 'Redis is up');
is(sum($page, 'enroll_cluster_issued_total', ca => 'devices'), 1,
    'the cluster: issued');
is(sum($page, 'enroll_cluster_certificates_total', ca => 'second'), 0,
    'the cluster: another CA');

# it hangs: the page waits for a second

kill STOP => $t->{redis};
my $start = time;
$page = scrape($t);
my $took = time - $start;
is($page->{r}{status}, 200, 'Redis hangs: a page');
cmp_ok($took, '>', 0.8, 'not at once');
cmp_ok($took, '<', 4, 'but soon');
is(sum($page, 'enroll_redis_up'), 0, 'Redis is not up');
is(sum($page, 'enroll_redis_connected_workers'), 1, 'though connected');
is(sum($page, 'enroll_redis_commands_in_flight'), 2, 'two wait for it');
is(sum($page, 'enroll_cluster_issued_total'), undef, 'nothing of the cluster');
is(sum($page, 'enroll_requests_total', outcome => 'issued'), 1, 'the node has');

# a client that does not wait

is($t->curl('-m', 0.3, 'http://127.0.0.1:' . $t->port('plain')
    . '/status')->{exit}, 28, 'a client leaves');
kill CONT => $t->{redis};
ok(wait_for(sub { sum(scrape($t), 'enroll_redis_up') == 1 }, 10), 'up again');
is(sum(scrape($t), 'enroll_redis_commands_in_flight'), 0, 'nothing waits');

# it is away: a page at once

$t->redis_stop;
ok(wait_for(sub { 0 == sum(scrape($t), 'enroll_redis_connected_workers') },
    10), 'Redis is away');
$start = time;
$page = scrape($t);
cmp_ok(time - $start, '<', 0.8, 'at once');
is(sum($page, 'enroll_redis_up'), 0, 'it is not up');
is(sum($page, 'enroll_cluster_issued_total'), undef, 'nothing of the cluster');
ok(defined sum($page, 'enroll_certificate_expiry_timestamp_seconds'),
    'all else is there');
enrol('two');
is(sum(scrape($t), 'enroll_requests_total', reason => 'store_unavailable',
    outcome => 'failed'), 1, 'failed');
ok(wait_for(sub { sum(scrape($t), 'enroll_redis_connect_failures_total') },
    10), 'tries are counted');

$t->redis_start;
ok(wait_for(sub { sum(scrape($t), 'enroll_redis_up') == 1 }, 15), 'up again');
is(sum(scrape($t), 'enroll_redis_reconnects_total'), 1, 'connected again');

# it is no master any more: it is left, though it could be connected to

$t->redis('REPLICAOF', '127.0.0.1', 1);
enrol('three');
ok(wait_for(sub { 0 == sum(scrape($t), 'enroll_redis_connected_workers') },
    5), 'a replica: nobody is connected');
$t->redis('REPLICAOF', 'NO', 'ONE');
ok(wait_for(sub { sum(scrape($t), 'enroll_redis_connected_workers') }, 30),
    'a master again: connected');

# the zone is full: what is new is "other", nothing is lost

my $before = sum(scrape($t), 'enroll_requests_total');
my $conn = $t->connect;
for my $p (1 .. 600) {
    $conn->write("GET /est/cacerts?p=p$p HTTP/1.1\r\nHost: localhost\r\n\r\n");
}
$conn->response for 1 .. 600;
$conn->close;
$page = scrape($t);
is(sum($page, 'enroll_status_zone_full'), 1, 'the zone is full');
is(sum($page, 'enroll_requests_total', outcome => 'served'), 600,
    'each is counted');
my $other = sum($page, 'enroll_requests_total', outcome => 'served',
    profile => 'other', operation => 'other', ca => 'other');
cmp_ok($other, '>', 50, 'some as others');
cmp_ok($other, '<', 500, 'not all');
is(enrol('three')->{status}, 200, 'issued');
is(sum(scrape($t), 'enroll_requests_total', outcome => 'issued'), 2,
    'what was known before is counted as before');

$t->done(except => qr/exited on signal 9/);
