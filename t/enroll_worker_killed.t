#!/usr/bin/perl

# Copyright (C) The nginx-enroll authors

# A worker is killed in the middle of load: nothing that a client holds is
# unrecorded, and who asks again is served.
#
# Conformance: BAD-144

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use Enroll;
use EnrollDER;

##############################################################################

my $t = Enroll->new;

$t->ca('ca', key => 'rsa:2048');
$t->conf(<<'CONF', workers => 2);
    enroll_redis unix:%%DIR%%/redis.sock;
    enroll_ca devices {
        certificate %%DIR%%/ca.crt;
        certificate_key %%DIR%%/ca.key;
    }

    server {
        listen 127.0.0.1:%%PORT_tls%% ssl;
        %%TLS%%
        enroll_timeout 3s;
        location /.well-known/est/ {
            est devices;
            est_auth none;
            enroll_names any;
        }
    }
CONF
$t->run;

##############################################################################

my @csr = map { $t->forge(name => 'k', subject => name(CN => "dev$_")) }
              1 .. 60;
my %held;

for my $round (0 .. 2) {
    my @mine = map { $csr[$round * 20 + $_] } 0 .. 19;
    my @conns = map { $t->connect } @mine;
    my @alive = grep { Enroll::alive($_) } $t->workers;
    my $n = $t->workers;

    $conns[$_]->send_post('simpleenroll', csr => $mine[$_]) for 0 .. 19;
    kill KILL => $alive[0];

    my @r = map { $_->response(timeout => 10) } @conns;
    $_->close for @conns;
    is(join(' ', grep { !/^(?:200|503|)$/ } map { $_->{status} } @r), '',
        "round $round: each was enrolled, refused or cut off");
    $held{$t->serial($_)} = 1 for grep { $_->{status} eq '200' } @r;

    ok(wait_for(sub { $t->workers > $n }, 10), "round $round: a new worker");
}

my %recorded = map { uc s/.*://r => 1 } $t->keys('enroll:{devices}:cert:*');
is(join(' ', grep { !$recorded{$_} } keys %held), '',
    'what a client holds is recorded');

# what the killed ones had in work ends by itself

my %left = map { $_ => $csr[$_] } 0 .. $#csr;
wait_for {
    for my $i (sort keys %left) {
        my $r = $t->est('simpleenroll', csr => $left{$i});
        delete $left{$i} if $r->{status} == 200;
    }
    !%left;
} 40;
is(scalar(keys %left), 0, 'all who ask again are served');
is(scalar($t->keys('enroll:{devices}:cert:*')), $t->count('issued'),
    'records and counter agree');

$t->done(except => qr/exited on signal 9/);
