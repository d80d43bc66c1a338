#!/usr/bin/perl

# Copyright (C) The nginx-enroll authors

# TLS sessions that are kept or resumed outlive the certificate that was
# verified in them; and clients whose certificate was not.
#
# Conformance: EST-022 EST-025

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use Enroll;
use EnrollDER;

##############################################################################

my $t = Enroll->new;

$t->ca($_) for 'ca', 'stranger';
$t->users('users', dev1 => 'secret');
$t->client('odd', 'stranger');
$t->conf(<<'CONF');
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

        location /unrecorded/ {
            est devices;
            est_auth certificate;
            est_unrecorded on;
        }
    }

    # clients whose certificate cannot be verified have a location of their
    # own, where they are nobody

    server {
        listen 127.0.0.1:%%PORT_recipe%% ssl;
        %%TLS%%
        ssl_verify_client optional;
        ssl_client_certificate %%DIR%%/ca.crt;
        error_page 495 = @est;

        location /.well-known/est/ {
            est devices;
            est_unrecorded on;
            est_basic_users %%DIR%%/users;
        }

        location @est {
            est devices;
            est_basic_users %%DIR%%/users;
        }
    }
CONF
$t->run;

##############################################################################

my $csr = $t->csr(subject => '/CN=dev1');
# sessions that are kept or resumed outlive the certificate

my $end = int(time) + 5;
$t->keep('short', forge_cert(key => $t->dir('ca.key'), till => $end - time,
    issuer_cert => unpem($t->read('ca.crt')), subject => name(CN => 'dev1'),
    subject_key => $t->key('short')));

my %kept;
for my $version ('TLSv1_2', 'TLSv1_3') {
    my @o = (cert => 'short', version => $version);
    my $kept = $kept{$version} = $t->connect(@o);
    is(post($kept)->{status}, 200, "$version: a certificate of few seconds");
    my $again = $t->connect(@o, session => $kept);
    is(post($again)->{status}, 200, "$version: a resumed session");
    ok($again->reused, "$version: it was resumed");
    $again->close;
}

wait_for { time > $end + 1 } 10;

for my $version (sort keys %kept) {
    my $kept = $kept{$version};
    $t->refused(post($kept), 403, 'client_certificate_expired',
        "$version: a kept connection, after its end");
    my $late = $t->connect(cert => 'short', version => $version,
                           session => $kept);
    my $r = post($late);

    # a full handshake is refused by nginx
    $late->reused
        ? $t->refused($r, 403, 'client_certificate_expired',
                      "$version: a resumed session, after its end")
        : is($r->{status}, 400, "$version: a full handshake, after its end");
    $_->close for $kept, $late;
}

# the location of those whose certificate cannot be verified

my @expired = (port => 'recipe', cert => 'short');
for my $o ([port => 'recipe', cert => 'odd'], \@expired) {
    my $name = $o->[3];
    is($t->est('cacerts', @$o)->{status}, 200, "$name: cacerts");
    $t->refused($t->est('simpleenroll', csr => $csr, @$o), 401,
        'authentication_required', "$name: nobody");
    is($t->est('simpleenroll', csr => $csr, @$o, user => 'dev1:secret')
        ->{status}, 200, "$name: a password helps");
    $t->refused($t->est('simplereenroll', csr => $csr, @$o), 403,
        'client_certificate_not_verified', "$name: renews nothing");
    $t->refused($t->est('nosuch', @$o), 404, 'unknown_operation',
        "$name: no such operation");
}
is($t->est('cacerts', port => 'recipe')->{status}, 200,
    'no certificate: cacerts');

# one session is not another's: a session of the one server, whose client was
# verified, at the other, which trusts the same

my $verified = $t->connect(cert => 'odd', port => 'recipe');
my $r = $verified->post('simpleenroll', csr => $csr);
$t->refused($r, 401, 'authentication_required', 'not verified: nobody');
my $resumed = $t->connect(cert => 'odd', port => 'recipe',
                          session => $verified);
$r = $resumed->post('simpleenroll', csr => $csr);
$t->refused($r, 401, 'authentication_required',
    'not verified, and resumed: still nobody');
$_->close for $verified, $resumed;

$t->done;

##############################################################################

sub post {
    return shift->post('simpleenroll', prefix => '/unrecorded/', csr => $csr);
}
