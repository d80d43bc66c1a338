#!/usr/bin/perl

# Copyright (C) The nginx-enroll authors

# What an asker may name: by default only itself.
#
# Conformance: EST-047 PKIX-012 PKIX-021 HTTP-012

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
$t->users('users', dev1 => 'secret');
$t->conf(<<'CONF');
    enroll_redis unix:%%DIR%%/redis.sock;
    enroll_ca devices {
        certificate %%DIR%%/ca.crt;
        certificate_key %%DIR%%/ca.key;
    }

    enroll_profile templated { subject "CN=$enroll_csr_cn,O=Example"; }
    enroll_profile fixed { subject "CN=$enroll_identity"; san none; }

    est_basic_users %%DIR%%/users;

    server {
        listen 127.0.0.1:%%PORT_tls%% ssl;
        %%TLS%%
        ssl_verify_client optional;
        ssl_client_certificate %%DIR%%/factory.crt;

        location /.well-known/est/ { est devices; }
        location /identity/ { est devices; enroll_names identity; }
        location /any/ { est devices; enroll_names any; }
        location /templated/ { est devices profile=templated; }
        location /factory/ {
            est devices;
            est_client_ca %%DIR%%/factory.crt;
        }
    }
CONF
$t->run;
$t->key('k');

##############################################################################

# by Basic: the user's name

my @user = (user => 'dev1:secret');

for my $location ('/.well-known/est/', '/identity/', '/templated/') {
    yes($location, '/CN=dev1', undef, @user);
    no_($location, '/CN=dev2', undef, @user);
}

my $l = '/.well-known/est/';
yes($l, '/C=DE/ST=x/L=y/O=Any/OU=Other/CN=dev1', undef, @user);
yes($l, '/CN=dev1', 'DNS:dev1', @user);
yes($l, '/CN=dev1', 'DNS:DEV1', @user);
yes($l, '/', 'DNS:dev1', @user);
yes($l, '/serialNumber=dev1', undef, @user);
no_($l, '/CN=dev1', 'DNS:dev2', @user);
no_($l, '/CN=dev1', 'DNS:dev1,DNS:dev2', @user);
no_($l, '/CN=dev1', 'IP:10.0.0.1', @user);
no_($l, '/CN=dev1', 'email:dev1@example.com', @user);
no_($l, '/CN=dev1', 'URI:urn:dev1', @user);
no_($l, '/', 'DNS:dev2', @user);
no_($l, '/CN=dev1/CN=dev2', undef, @user);
no_($l, '/CN=dev2/CN=dev1', undef, @user);
no_($l, '/CN=dev1/serialNumber=dev2', undef, @user);
no_($l, '/CN=dev1/UID=admin', undef, @user);
no_($l, '/CN=dev1/emailAddress=admin@example.com', undef, @user);
no_($l, '/CN=DEV1', undef, @user);
no_($l, '/CN=dev1 ', undef, @user);
no_($l, '/CN=dev', undef, @user);
no_($l, '/CN=dev11', undef, @user);
no_($l, '/O=dev1', undef, @user);
no_($l, '/CN=dev2+O=dev1', undef, @user, args => ['-multivalue-rdn']);
no_('/templated/', '/CN=dev1,O=Other', undef, @user);

# by a factory certificate: its names

$t->client('made', 'factory',
    subject => '/O=Factory/CN=device7/serialNumber=S7',
    san => 'DNS:device7.factory.test,URI:urn:dev:7');
my @made = (cert => 'made');
$l = '/factory/';

yes($l, '/CN=device7', undef, @made);
yes($l, '/O=Elsewhere/CN=device7', 'DNS:device7.factory.test', @made);
yes($l, '/CN=device7', 'DNS:Device7.Factory.test,URI:urn:dev:7', @made);
yes($l, '/CN=device7.factory.test', undef, @made);
yes($l, '/CN=device7/serialNumber=S7', undef, @made);
yes($l, '/CN=device7', 'DNS:device7', @made);
no_($l, '/CN=device8', undef, @made);
no_($l, '/CN=Factory', undef, @made);
no_($l, '/CN=device7/serialNumber=S8', undef, @made);
no_($l, '/CN=device7', 'DNS:other.test', @made);
no_($l, '/CN=device7', 'DNS:device7.factory.test,DNS:other.test', @made);
no_($l, '/CN=device7', 'URI:urn:dev:8', @made);
no_($l, '/O=Factory', undef, @made);
no_($l, '/CN=dev1', undef, @made);

# any: a registrar, a shared password

yes('/any/', '/CN=anybody', 'DNS:any.test', @user);
yes('/any/', '/CN=dev2', undef, @user);

$t->done;

##############################################################################

sub ask {
    my ($prefix, $subject, $san, %o) = @_;
    my $csr = $t->csr(name => 'k', subject => $subject, san => $san,
                      args => delete $o{args});
    return $t->est('simpleenroll', prefix => $prefix, csr => $csr, %o);
}

sub yes {
    my ($prefix, $subject, $san, @o) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $r = ask(@_);
    is("$r->{status} " . ($r->{reason} // ''), '200 ',
        "$prefix $o[1]: may be $subject " . ($san // ''));
}

sub no_ {
    my ($prefix, $subject, $san, @o) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    $t->refused(ask(@_), 403, 'name_not_permitted',
        "$prefix $o[1]: may not be $subject " . ($san // ''));
}
