#!/usr/bin/perl

# Copyright (C) The nginx-enroll authors

# The load generator of bench/: its requests are answered, its answers are
# what was asked for, and it tells those that are not.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use Enroll;

##############################################################################

my $load = "$FindBin::Bin/../build/bench/load";

if (!-x $load) {
    fail('build/bench/load is there: make bench-tools');
    done_testing();
    exit;
}

my $t = Enroll->new;

$t->ca($_, key => 'rsa:2048') for 'ca', 'other';
$t->ra('ra', 'ca');
$t->users('users', dev1 => 'secret');
$t->conf(<<'CONF');
    enroll_redis unix:%%DIR%%/redis.sock;
    enroll_ca devices {
        certificate %%DIR%%/ca.crt;
        certificate_key %%DIR%%/ca.key;
        ra_certificate %%DIR%%/ra.crt;
        ra_certificate_key %%DIR%%/ra.key;
    }
    enroll_names any;
    scep_challenge secret;

    server {
        listen 127.0.0.1:%%PORT_tls%% ssl;
        %%TLS%%
        ssl_verify_client optional;
        ssl_client_certificate %%DIR%%/ca.crt;
        location /.well-known/est/ {
            est devices;
            est_basic_users %%DIR%%/users;
        }
    }

    server {
        listen 127.0.0.1:%%PORT_plain%%;
        location /scep { scep devices; }
    }
CONF
$t->run;

my @est = ('--tls', '--port', $t->port('tls'), '--connections', 4,
           '--issuer', $t->dir('ca.crt'), '--path');
my @basic = ('--user', 'dev1:secret');
my @scep = ('scep', '--port', $t->port('plain'), '--connections', 4,
            '--path', '/scep?operation=PKIOperation', '--ra',
            $t->dir('ra.crt'), '--issuer', $t->dir('ca.crt'));
my $est = '/.well-known/est';

$t->command($load, 'keys', $t->dir('pool.pem'), 3, 2048);
my @pool = ('--pool', $t->dir('pool.pem'));

##############################################################################

my $r = load('est', @est, "$est/simpleenroll", @basic, '--requests', 200,
             '--warm', 20, '--cpu', "nginx=$t->{pid}");
answers($r, 200, 'EST, P-256');
is($t->count('issued'), 220, 'each is another certificate');
is($r->{connects}, 0, 'connections are kept, from before the clock starts');
cmp_ok($r->{cpu_nginx}, '>', 10000, 'CPU time of the server');
cmp_ok($r->{p50}, '>', 0, 'latency');
cmp_ok($r->{p50}, '<=', $r->{p99}, 'its percentiles');

answers(load('est', @est, "$est/simpleenroll", @basic, @pool, '--requests',
             20), 20, 'EST, RSA');

$r = load('reenroll', @est, "$est/simplereenroll", @basic, '--devices', 4,
          '--enrol', "$est/simpleenroll", '--new', '--requests', 20);
answers($r, 20, 'renewals by mutual TLS');
is($r->{connects}, 20, 'a connection each');
is($t->count('renewed'), 20, 'they are renewals');

$r = load(@scep, @pool, '--challenge', 'secret', '--requests', 30);
answers($r, 30, 'SCEP');

$r = load('get', @est, "$est/cacerts", '--requests', 50);
is("$r->{good} $r->{failed}", '50 0', 'cacerts');
cmp_ok($r->{octets}, '>', 500, 'is not empty');

# and the denied twins

$r = load('est', @est, "$est/simpleenroll", '--user', 'dev1:wrong',
          '--requests', 8);
is("$r->{good} $r->{failed} $r->{refused}", '0 8 8', 'EST: refusals');

$r = load(@scep, @pool, '--challenge', 'wrong', '--requests', 4);
is("$r->{good} $r->{failed} $r->{refused}", '0 4 4',
    'SCEP: refusals, which come with status 200');

$r = load('est', @est, "$est/simpleenroll", @basic, '--issuer',
          $t->dir('other.crt'), '--requests', 8);
is("$r->{good} $r->{checked} $r->{bad}", '8 8 8', 'EST: of another CA');

$r = load(@scep, @pool, '--challenge', 'secret', '--issuer',
          $t->dir('other.crt'), '--requests', 4);
is("$r->{good} $r->{checked} $r->{bad}", '4 4 4', 'SCEP: of another CA');

# the bare operations

my (undef, $floor) = $t->command($load, 'floor', 0.1);
like($floor, qr/^floor_p256 \d+\nfloor_rsa \d+\nfloor_scep \d+\n$/,
    'the bare operations');

$t->done;

##############################################################################

sub load {
    my (undef, $out) = $t->command($load, @_);
    my %r = $out =~ /^(\w+) (\d[\d.]*)$/mg;
    return \%r;
}

sub answers {
    my ($r, $n, $name) = @_;
    is(join(' ', map { $_ // '-' } @$r{qw(good failed bad)}), "$n 0 0",
        "$name: all are good");
    cmp_ok($r->{checked} // 0, '>=', $n < 100 ? $n : 100,
        "$name: and looked at");
}
