#!/usr/bin/perl

# Copyright (C) The nginx-enroll authors

# Authentication by the certificate of the TLS handshake: whose it may be,
# what est_auth makes of it, and that nothing else passes for one.
#
# Conformance: EST-023 EST-028 EST-038 EST-040 EST-044 EST-046 EST-050
#   EST-103

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use Enroll;
use EnrollDER;

##############################################################################

my $t = Enroll->new;

$t->ca($_) for 'ca', 'factory', 'stranger';
$t->write('trusted.pem', join '', map { $t->read("$_.crt") }
    'ca', 'factory', 'stranger');
$t->users('users', dev1 => 'secret', dev2 => 'secret', dev3 => 'secret');
$t->conf(<<'CONF');
    enroll_redis unix:%%DIR%%/redis.sock;
    enroll_ca devices {
        certificate %%DIR%%/ca.crt;
        certificate_key %%DIR%%/ca.key;
    }

    est_basic_users %%DIR%%/users;
    est_repeat 0;

    server {
        listen 127.0.0.1:%%PORT_tls%% ssl;
        %%TLS%%
        ssl_verify_client optional;
        ssl_client_certificate %%DIR%%/trusted.pem;

        location /.well-known/est/ { est devices; }
        location /certificate/ { est devices; est_auth certificate; }
        location /basic/ { est devices; est_auth basic; }
        location /both/ { est devices; est_auth both; }
        location /none/ { est devices; est_auth none; enroll_names any; }
        location /factory/ {
            est devices;
            est_auth certificate;
            est_client_ca %%DIR%%/factory.crt;
        }
        location /unrecorded/ {
            est devices;
            est_auth certificate;
            est_unrecorded on;
        }
    }

    server {
        listen 127.0.0.1:%%PORT_loose%% ssl;
        %%TLS%%
        ssl_verify_client optional_no_ca;
        ssl_client_certificate %%DIR%%/ca.crt;

        location /certificate/ { est devices; est_auth certificate; }
        location /.well-known/est/ { est devices; }
    }
CONF
$t->run;

##############################################################################

for my $name ('dev1', 'dev2', 'dev3') {
    my $csr = $t->csr(name => $name, subject => "/CN=$name");
    $t->keep($name, $t->issued($t->est('simpleenroll', csr => $csr,
                                       user => "$name:secret")));
}
$t->client('unknown', 'ca', subject => '/CN=dev1');
$t->client('made', 'factory', subject => '/CN=dev1');
$t->client('odd', 'stranger', subject => '/CN=dev1');

my $csr = $t->csr(subject => '/CN=dev1');
my $crt = '/certificate/';

is(ask($crt, cert => 'dev1')->{status}, 200, 'a certificate of this CA');
is(ask('/.well-known/est/', cert => 'dev1')->{status}, 200, 'any: so');
is(ask('/.well-known/est/', user => 'dev1:secret')->{status}, 200, 'or so');
is(ask('/.well-known/est/', cert => 'dev1', user => 'dev1:wrong')->{status},
    200, 'a good certificate is enough for any');
$t->refused(ask('/.well-known/est/'), 401, 'authentication_required',
    'any: without either');
$t->refused(ask($crt), 403, 'client_certificate_required', 'without one');
$t->refused(ask($crt, user => 'dev1:secret'), 403,
    'client_certificate_required', 'a password is none');

# whose certificate

$t->refused(ask($crt, cert => 'odd'), 403, 'client_certificate_issuer',
    'a CA that the server trusts for others authenticates nobody here');
$t->refused(ask($crt, cert => 'made'), 403, 'client_certificate_issuer',
    'nor does a factory\'s that is not named here');
is(ask('/.well-known/est/', cert => 'odd')->{status}, 401,
    'where Basic is offered, it is asked for');
is(ask('/.well-known/est/', cert => 'odd', user => 'dev1:secret')->{status},
    200, 'a password helps then');
is(ask('/factory/', cert => 'made')->{status}, 200,
    'est_client_ca: a factory\'s');
is(ask('/factory/', cert => 'dev1')->{status}, 200, 'est_client_ca: and ours');
$t->refused(ask('/factory/', cert => 'odd'), 403, 'client_certificate_issuer',
    'est_client_ca: but no other');

# what the records say of it

$t->refused(ask($crt, cert => 'unknown'), 403, 'client_certificate_unrecorded',
    'ours, but not in the records');
is(ask('/unrecorded/', cert => 'unknown')->{status}, 200, 'est_unrecorded on');

my $serial = cert_fields(unpem($t->read('dev2.crt')))->{serial};
my $key = $t->record_key($serial);
$t->redis('HSET', $key, 'status', 'revoked');
$t->redis('ZADD', 'enroll:{devices}:revoked', time, $key =~ s/.*://r);
for my $location ($crt, '/.well-known/est/', '/unrecorded/') {
    for my $op ('simpleenroll', 'simplereenroll') {
        $t->refused(ask($location, cert => 'dev2', op => $op,
                csr => $t->csr(subject => '/CN=dev2')),
            403, 'client_certificate_revoked', "revoked: $location$op");
    }
}
$t->redis('ZREM', 'enroll:{devices}:revoked', $key =~ s/.*://r);
$t->refused(ask($crt, cert => 'dev2', csr => $t->csr(subject => '/CN=dev2')),
    403, 'client_certificate_revoked', 'revoked in its record alone');
$t->redis('HSET', $key, 'status', 'valid');
$t->redis('ZADD', 'enroll:{devices}:revoked', time, $key =~ s/.*://r);
$t->refused(ask($crt, cert => 'dev2', csr => $t->csr(subject => '/CN=dev2')),
    403, 'client_certificate_revoked', 'revoked in the list alone');
$t->redis('DEL', $t->record_key(
    cert_fields(unpem($t->read('dev3.crt')))->{serial}));
$t->refused(ask($crt, cert => 'dev3', csr => $t->csr(subject => '/CN=dev3')),
    403, 'client_certificate_unrecorded', 'its record is gone');

# basic, both, none

is(ask('/basic/', user => 'dev1:secret')->{status}, 200, 'basic: password');
$t->refused(ask('/basic/', cert => 'dev1'), 401, 'authentication_required',
    'basic: a certificate is not looked at');
is(ask('/both/', cert => 'dev1', user => 'dev1:secret')->{status}, 200,
    'both: both');
$t->refused(ask('/both/', cert => 'dev1'), 401, 'authentication_required',
    'both: a certificate alone');
$t->refused(ask('/both/', cert => 'dev1', user => 'dev1:wrong'), 401,
    'bad_password', 'both: a wrong password');
like(ask('/both/', user => 'dev1:secret')->{status}, qr/^40[13]$/,
    'both: a password alone');
$t->refused(ask('/both/', op => 'simplereenroll'), 401,
    'authentication_required', 'both: nothing, on simplereenroll');
is(ask('/none/')->{status}, 200, 'none: anybody');
is(ask('/none/', csr => $t->csr(subject => '/CN=x'))->{status}, 200,
    'none: as anything');

# headers prove nothing

my $pem = $t->read('dev1.crt') =~ s/\n/%0A/gr;
$t->refused(ask($crt, headers => [$_]), 403, 'client_certificate_required',
    substr $_, 0, 40)
    for "X-SSL-Client-Cert: $pem", "X-Forwarded-Client-Cert: Cert=\"$pem\"",
        'X-Remote-User: dev1', 'X-SSL-Client-Verify: SUCCESS',
        'X-SSL-Client-S-DN: CN=dev1', "Client-Cert: :$pem:";

# a server that lets unverified certificates in

$t->cert('selfmade', subject => '/O=Example/CN=ca');
for my $name ('selfmade', 'odd') {
    $t->refused(ask($crt, cert => $name, port => 'loose'), 403,
        'client_certificate_not_verified', "optional_no_ca: $name");
    is(ask('/.well-known/est/', cert => $name, port => 'loose')->{status}, 401,
        "optional_no_ca: $name, with Basic on offer");
    is($t->est('cacerts', cert => $name, port => 'loose')->{status}, 200,
        "optional_no_ca: $name may have cacerts");
}
is(ask($crt, cert => 'dev1', port => 'loose')->{status}, 200,
    'optional_no_ca: ours');

$t->done;

##############################################################################

sub ask {
    my ($prefix, %o) = @_;
    return $t->est(delete $o{op} // 'simpleenroll', prefix => $prefix,
                   csr => $csr, %o);
}
