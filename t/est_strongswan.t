#!/usr/bin/perl

# Copyright (C) The nginx-enroll authors

# strongSwan: pki --estca and pki --est enrol, enrol again and are refused.
#
# Conformance: EST-020

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use Enroll;
use EnrollDER;

##############################################################################

my $t = Enroll->new(need => ['pki']);

# its TLS needs a plugin that has the curves
if (($t->command('pki', '--est', '--help'))[1] !~ /--est/) {
    plan(skip_all => 'pki has no --est');
}

$t->ca('root', key => 'rsa:2048');
$t->ca('ca', issuer => 'root', key => 'rsa:2048');
$t->cert('web', issuer => 'root', key => 'rsa:2048', subject => '/CN=localhost',
    ext => "subjectAltName=DNS:localhost,IP:127.0.0.1\n"
           . "subjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n");
$t->users('users', dev1 => 'secret');
$t->conf(<<'CONF');
    enroll_redis unix:%%DIR%%/redis.sock;
    enroll_ca devices {
        certificate %%DIR%%/ca.crt;
        certificate_key %%DIR%%/ca.key;
    }

    server {
        listen 127.0.0.1:%%PORT_tls%% ssl;
        ssl_certificate %%DIR%%/web.crt;
        ssl_certificate_key %%DIR%%/web.key;
        ssl_protocols TLSv1.2 TLSv1.3;
        ssl_verify_client optional;
        ssl_client_certificate %%DIR%%/ca.crt;
        ssl_verify_depth 3;
        est_repeat 0;

        location /.well-known/est/ {
            est devices;
            est_basic_users %%DIR%%/users;
        }
        location /pre/.well-known/est/ {
            est devices;
            est_basic_users %%DIR%%/users;
        }
    }
CONF
$t->run;
my $url = 'https://127.0.0.1:' . $t->port('tls');

##############################################################################

# the CA's certificates

my @ca = ('--cacert', $t->dir('root.crt'));
my ($rc, $out) = $t->command('pki', '--estca', '--url', $url, @ca,
    '--caout', $t->dir('est.ca'), '--outform', 'pem', '--force');
is($rc, 0, 'pki --estca') or diag($out);
my @got = glob $t->dir('est*ca*');
is(scalar @got, 2, 'pki --estca: the CA and the root') or diag($out);

# the first certificate, by password

my $csr = $t->csr(name => 'dev1', key => 'rsa:2048', subject => '/CN=dev1',
                  san => 'DNS:dev1');
$t->write('dev1.req', $csr->{der});
my @issuer = (@ca, '--cacert', $t->write('issuer.crt',
    pem(unpem($t->read('ca.crt')), 'CERTIFICATE')));

my $got = est($url, '--userpass', 'dev1:secret');
like($got, qr/BEGIN CERTIFICATE/, 'pki --est by password');
my $der = unpem($got);
$t->keep('dev1', $der);
is(cert_fields($der)->{spki}, csr_spki($csr->{der}), 'of its key');
ok($t->record_key(cert_fields($der)->{serial}), 'recorded');
like(($t->command('openssl', 'verify', '-x509_strict', '-CAfile',
    $t->dir('root.crt'), '-untrusted', $t->dir('issuer.crt'),
    $t->dir('dev1.crt')))[1], qr/: OK$/, 'verifies');

like(est("$url/pre", '--userpass', 'dev1:secret'),
    qr/BEGIN CERTIFICATE/, 'below a prefix');

# the next one, by certificate

my @old = ('--cert', $t->dir('dev1.crt'), '--key', $t->dir('dev1.key'));
$got = est($url, @old);
like($got, qr/BEGIN CERTIFICATE/, 'pki --est by certificate');
my $new = unpem($got);
isnt(cert_fields($new)->{serial}, cert_fields($der)->{serial}, 'another one');
is($t->count('renewed'), 1, 'a renewal');

# the denied twins

my $n = $t->count('issued');
unlike(est($url, '--userpass', 'dev1:wrong'),
    qr/BEGIN CERTIFICATE/, 'a wrong password');
unlike(est($url), qr/BEGIN CERTIFICATE/, 'no password');
$t->write('dev1.req', $t->csr(name => 'dev1', subject => '/CN=dev2')->{der});
unlike(est($url, '--userpass', 'dev1:secret'),
    qr/BEGIN CERTIFICATE/, 'another\'s name');
unlike(est($url, @old), qr/BEGIN CERTIFICATE/,
    'another\'s name, by certificate');
is($t->count('issued'), $n, 'nothing is issued for these');

$t->done;

##############################################################################

sub est {
    my ($url, @o) = @_;
    my (undef, $out) = $t->command('pki', '--est', '--url', $url, '--in',
        $t->dir('dev1.req'), @issuer, '--outform', 'pem', @o);
    return $out;
}
