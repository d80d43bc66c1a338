#!/usr/bin/perl

# Copyright (C) The nginx-enroll authors

# Two nginx with one Redis: enrolments alternate between them, and both see
# the same records.
#
# Conformance: PKIX-004

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
$t->users('users', dev1 => 'secret');
my $conf = <<'CONF';
    enroll_redis unix:%%DIR%%/redis.sock;
    enroll_ca devices {
        certificate %%DIR%%/ca.crt;
        certificate_key %%DIR%%/ca.key;
    }

    server {
        listen 127.0.0.1:%%PORT_tls%% ssl;
        %%TLS%%
        ssl_verify_client optional;
        ssl_client_certificate %%DIR%%/ca.crt;

        location /.well-known/est/ {
            est devices;
            est_basic_users %%DIR%%/users;
            enroll_names any;
        }
    }
CONF

my $b = $t->node('b');
$t->conf($conf);
$b->conf($conf);
$t->run;
$b->run;

##############################################################################

# enrolments alternate

my %serials;
for my $i (1 .. 20) {
    my $node = $i % 2 ? $t : $b;
    my $csr = $t->forge(name => 'k', subject => name(CN => "dev$i"));
    my $der = $t->issued($node->est('simpleenroll', csr => $csr,
                                    user => 'dev1:secret'));
    $t->keep("dev$i", $der, 'k');
    $serials{cert_fields($der)->{serial}}++;
}
is(scalar(keys %serials), 20, 'twenty serials');
is(scalar($t->keys('enroll:{devices}:cert:*')), 20, 'twenty records');
is($t->count('issued'), 20, 'twenty on the counter');

# a lost answer is found by the other node

my $csr = $t->forge(name => 'k', subject => name(CN => 'dev1'));
is($t->serial($b->est('simpleenroll', csr => $csr, user => 'dev1:secret')),
    cert_fields(unpem($t->read('dev1.crt')))->{serial},
    'what one issued the other repeats');
is($t->count('issued'), 20, 'it is not counted again');

# what one issued the other knows as a client, and renews

is($b->est('simplereenroll', csr => $csr, cert => 'dev1')->{status}, 200,
    'what one issued the other renews');
is($t->est('simplereenroll', csr => $t->forge(name => 'k', subject =>
    name(CN => 'dev2')), cert => 'dev2')->{status}, 200, 'and the reverse');

# a revocation is seen by both at once

$t->redis('HSET', $t->record_key(
    cert_fields(unpem($t->read('dev3.crt')))->{serial}), 'status', 'revoked');
$csr = $t->forge(name => 'k', subject => name(CN => 'dev3'));
$t->refused($_->est('simplereenroll', csr => $csr, cert => 'dev3'), 403,
    'client_certificate_revoked', "revoked at $_->{name}") for $t, $b;

# the same request at both at once

my $many = $t->csr(subject => '/CN=many');
my @conns = map { ($t->connect, $b->connect) } 1 .. 10;
$_->send_post('simpleenroll', csr => $many, user => 'dev1:secret') for @conns;
my %many = map { $t->serial($_->response) => 1 } @conns;
is(scalar(keys %many), 1, 'the same request at both at once: one certificate');
$_->close for @conns;

# one goes away, the other goes on

ok($b->stop, 'one node stops');
is($t->est('simpleenroll', csr => $t->csr, user => 'dev1:secret')->{status},
    200, 'the other goes on');

$t->done;
