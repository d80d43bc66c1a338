#!/usr/bin/perl

# Copyright (C) The nginx-enroll authors

# ssl_ocsp: whom a responder does not confirm is nobody here, also where
# error_page 495 brings him to a location with EST.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use Enroll;
use EnrollDER;

##############################################################################

my $t = Enroll->new;

$t->ca($_) for 'ca', 'factory';
$t->write('trusted.pem', $t->read('ca.crt') . $t->read('factory.crt'));
$t->users('users', dev1 => 'secret');

my @names = ('good', 'revoked', 'strange', 'later');
$t->client($_, 'factory', subject => '/CN=dev1') for @names;
responder('revoked');

$t->conf(<<'CONF');
    enroll_redis unix:%%DIR%%/redis.sock;
    enroll_ca devices {
        certificate %%DIR%%/ca.crt;
        certificate_key %%DIR%%/ca.key;
    }

    est_client_ca %%DIR%%/factory.crt;
    est_basic_users %%DIR%%/users;
    est_repeat 0;

    ssl_verify_client optional;
    ssl_client_certificate %%DIR%%/trusted.pem;
    ssl_ocsp leaf;
    ssl_ocsp_responder http://127.0.0.1:%%PORT_ocsp%%/;

    server {
        listen 127.0.0.1:%%PORT_tls%% ssl;
        %%TLS%%
        error_page 495 = @est;

        location /.well-known/est/ { est devices; est_auth certificate; }
        location @est { est devices; est_auth certificate; }
    }

    server {
        listen 127.0.0.1:%%PORT_any%% ssl;
        %%TLS%%
        error_page 495 = @est;

        location /.well-known/est/ { est devices; }
        location @est { est devices; }
    }

    server {
        listen 127.0.0.1:%%PORT_both%% ssl;
        %%TLS%%
        error_page 495 = @est;

        location /.well-known/est/ { est devices; est_auth both; }
        location @est { est devices; est_auth both; }
    }

    server {
        listen 127.0.0.1:%%PORT_plain%% ssl;
        %%TLS%%
        location /.well-known/est/ { est devices; est_auth certificate; }
    }
CONF

my (undef, $out) = $t->nginx_t($t->{http});
plan(skip_all => 'no ssl_ocsp') if $out =~ /unknown directive "ssl_ocsp/;
$t->run;

##############################################################################

my $csr = $t->csr(subject => '/CN=dev1');
my @both = (port => 'both', user => 'dev1:secret');

is(ask('good')->{status}, 200, 'confirmed: enrols');
is(ask('good', port => 'plain')->{status}, 200, 'without error_page as well');
is(ask('good', port => 'any')->{status}, 200, 'needs no password');
is(ask('good', @both)->{status}, 200, 'or one beside it');

my $state = $t->state;
for my $name ('revoked', 'strange') {
    for my $op ('simpleenroll', 'simplereenroll') {
        $t->refused(ask($name, op => $op), 403,
            'client_certificate_not_verified', "$name: $op");
    }
    is(ask($name, port => 'plain')->{status}, 400,
        "$name: without error_page nginx itself refuses");
    $t->refused(ask($name, port => 'any'), 401, 'authentication_required',
        "$name: where Basic is offered, it is asked for");
    $t->refused(ask($name, port => 'any', op => 'simplereenroll'), 403,
        'client_certificate_not_verified', "$name: but not for renewals");
    $t->refused(ask($name, @both), 403, 'client_certificate_not_verified',
        "$name: the password alone is not both");
    is($t->est('cacerts', cert => $name)->{status}, 200,
        "$name: may have cacerts");
}
is($t->state, $state, 'these leave nothing in Redis');
is(ask('revoked', port => 'any', user => 'dev1:secret')->{status}, 200,
    'a password helps, where it is enough');

# who was confirmed once is asked about again, in a resumed session as well

for my $version ('TLSv1_2', 'TLSv1_3') {
    my @o = (cert => 'later', version => $version);
    responder('revoked');
    my $c = $t->connect(@o);
    is($c->post('simpleenroll', csr => $csr)->{status}, 200,
        "$version: still confirmed");
    my $again = $t->connect(@o, session => $c);
    is($again->post('simpleenroll', csr => $csr)->{status}, 200,
        "$version: confirmed, in another connection");

    responder('revoked', 'later');
    $again = $t->connect(@o, session => $c);
    ok($again->reused, "$version: the session is resumed");
    $t->refused($again->post('simpleenroll', csr => $csr), 403,
        'client_certificate_not_verified', "$version: revoked meanwhile");
}

# nobody confirms

responder();
$t->refused(ask('good'), 403, 'client_certificate_not_verified',
    'without a responder nobody is confirmed');

$t->done;

##############################################################################

sub ask {
    my ($name, %o) = @_;
    return $t->est(delete $o{op} // 'simpleenroll', cert => $name,
                   csr => $csr, %o);
}

# Ends the responder, and starts one that has these revoked; "strange" is
# not known to it.
sub responder {
    my (@revoked) = @_;
    our $pid;
    my $port = $t->port('ocsp');

    if ($pid) {
        kill TERM => $pid;
        Enroll::reap($pid, 5);
    }
    return if !@revoked;

    my $index = '';
    for my $name (grep { $_ ne 'strange' } @names) {
        my $serial = cert_fields(unpem($t->read("$name.crt")))->{serial};
        my $bad = grep { $_ eq $name } @revoked;
        $index .= join("\t", $bad ? 'R' : 'V', '391231235959Z',
            $bad ? '250101000000Z' : '', uc $serial, 'unknown', "/CN=$name")
            . "\n";
    }
    $t->write('index.txt', $index);

    unlink $t->dir('ocsp.log');
    $pid = Enroll::spawn($t->dir('ocsp.log'), 'openssl', 'ocsp', '-index',
        $t->dir('index.txt'), '-port', $port, '-CA', $t->dir('factory.crt'),
        '-rsigner', $t->dir('factory.crt'), '-rkey', $t->dir('factory.key'),
        '-ignore_err');
    wait_for { $t->read('ocsp.log') =~ /waiting for OCSP client/ } 10
        or die "openssl ocsp does not start:\n", $t->read('ocsp.log');
}
