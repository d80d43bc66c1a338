#!/usr/bin/perl

# Copyright (C) The nginx-enroll authors

# est_auth both: the certificate says who it is, and the password of another
# adds nothing to that.
#
# Conformance: EST-038

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
$t->users('users', dev1 => 'one', dev2 => 'two');
$t->client('dev1', 'factory', subject => '/CN=dev1');
$t->client('named', 'factory', subject => '/CN=dev1', san => 'DNS:also.test');
$t->conf(<<'CONF');
    log_format who '$status "$enroll_identity"';

    enroll_redis unix:%%DIR%%/redis.sock;
    enroll_ca devices {
        certificate %%DIR%%/ca.crt;
        certificate_key %%DIR%%/ca.key;
    }

    est_basic_users %%DIR%%/users;
    est_client_ca %%DIR%%/factory.crt;

    server {
        listen 127.0.0.1:%%PORT_tls%% ssl;
        %%TLS%%
        ssl_verify_client optional;
        ssl_client_certificate %%DIR%%/trusted.pem;
        access_log %%HOME%%/who.log who;

        location /.well-known/est/ { est devices; est_auth both; }
        location /basic/ { est devices; est_auth basic; }
    }
CONF
$t->run;

##############################################################################

my @one = (user => 'dev1:one');
my @two = (user => 'dev2:two');

for (['its own password', @one], ['another\'s password', @two]) {
    my ($name, @user) = @$_;
    is(ask('/CN=dev1', undef, @user)->{status}, 200, "$name: its CN");
    is(ask('/CN=dev1', 'DNS:dev1', @user)->{status}, 200,
        "$name: its CN as a SAN");
    is(ask('/CN=dev1', 'DNS:also.test', @user, cert => 'named')->{status}, 200,
        "$name: its SAN");

    denied("$name: the other's SAN", '/CN=dev1', 'DNS:dev2', @user);
    denied("$name: the other's CN", '/CN=dev2', undef, @user);
    denied("$name: both names", '/CN=dev1', 'DNS:dev1,DNS:dev2', @user);
    denied("$name: all of the other", '/CN=dev2', 'DNS:dev2', @user);
    denied("$name: another's SAN", '/CN=dev1', 'DNS:also.test', @user);
}

# the password is demanded all the same, and good where it is who it is

$t->refused(ask('/CN=dev1', undef, user => 'dev2:one'), 401, 'bad_password',
    'the password must be right');
is(ask('/CN=dev2', 'DNS:dev2', @two, prefix => '/basic/')->{status}, 200,
    'basic: the names of the password');
denied('basic: not those of the certificate', '/CN=dev1', undef, @two,
    prefix => '/basic/');

is(join(' ', sort { $a cmp $b } keys %{{ map { $_ => 1 }
    grep { /^200/ } split /\n/, $t->log('who') }}),
    '200 "CN=dev1" 200 "dev2"', 'the log names the certificate');

$t->done;

##############################################################################

sub ask {
    my ($subject, $san, %o) = @_;
    return $t->est('simpleenroll', cert => 'dev1', %o,
                   csr => $t->csr(name => 'k', subject => $subject,
                                  san => $san));
}

sub denied {
    my ($name, @o) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $state = $t->state;
    $t->refused(ask(@o), 403, 'name_not_permitted', $name);
    is($t->state, $state, "$name: leaves nothing");
}
