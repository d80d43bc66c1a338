#!/usr/bin/perl

# Copyright (C) The nginx-enroll authors

# A CA whose key is in a PKCS #11 token: by the engine of libp11, or by
# pkcs11-provider as a store, whichever is there.
#
# Conformance: BAD-142

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use Enroll;
use EnrollDER;

##############################################################################

my ($softhsm) = grep { -e } '/usr/lib/softhsm/libsofthsm2.so',
    glob '/usr/lib/*/softhsm/libsofthsm2.so';
plan(skip_all => 'no softhsm2') if !$softhsm;

# Debian: softhsm2, and libengine-pkcs11-openssl or pkcs11-provider
my $t = Enroll->new(need => ['softhsm2-util']);
my ($engine) = glob(($ENV{OPENSSL_ENGINES} || '/usr/lib/*/engines-3')
                    . '/pkcs11.so');
my ($provider) = glob '/usr/lib/*/ossl-modules/pkcs11.so';
plan(skip_all => 'neither the engine nor the provider of PKCS #11')
    if !$engine && !$provider;

##############################################################################

mkdir $t->dir('tokens');
$ENV{SOFTHSM2_CONF} = $t->write('softhsm2.conf',
    'directories.tokendir = ' . $t->dir('tokens') . "\n");
$ENV{PKCS11_MODULE_PATH} = $softhsm;
$ENV{PKCS11_PROVIDER_MODULE} = $softhsm;
$ENV{OPENSSL_CONF} = $t->write('openssl.cnf', <<"CNF") if $provider;
openssl_conf = init
[init]
providers = providers
[providers]
default = default
pkcs11 = pkcs11
[default]
activate = 1
[pkcs11]
module = $provider
pkcs11-module-path = $softhsm
activate = 1
CNF

my ($rc, $out) = $t->command('softhsm2-util', '--init-token', '--free',
    '--label', 'ca', '--pin', '1234', '--so-pin', '1234');
BAIL_OUT("softhsm2-util: $out") if $rc;

my %ca = (ec => 'ec:P-256', rsa => 'rsa:2048');
my $id = 0;
for my $name (sort keys %ca) {
    $t->ca($name, key => $ca{$name});
    $id++;
    ($rc, $out) = $t->command('softhsm2-util', '--import',
        $t->dir("$name.key"), '--token', 'ca', '--label', $name, '--id',
        "a$id", '--pin', '1234');
    BAIL_OUT("softhsm2-util: $out") if $rc;
    unlink $t->dir("$name.key");
}

my @kinds = (($engine ? 'engine:pkcs11:pkcs11:' : ()),
             ($provider ? 'store:pkcs11:' : ()));
my $n = 0;
for my $kind (@kinds) {
    my $key = sub { "$kind" . "token=ca;object=$_[0];type=private"
                    . ($_[1] // '?pin-value=1234') };
    my $conf = sub { <<"CONF" };
    enroll_redis unix:%%DIR%%/redis.sock;
    enroll_ca ec {
        certificate %%DIR%%/ec.crt;
        certificate_key "${\$key->('ec', @_)}";
    }
    enroll_ca rsa {
        certificate %%DIR%%/rsa.crt;
        certificate_key "${\$key->('rsa', @_)}";
    }

    server {
        listen 127.0.0.1:%%PORT_tls%% ssl;
        %%TLS%%
        est_auth none;
        enroll_names any;
        location /ec/ { est ec; }
        location /rsa/ { est rsa; }
    }
CONF
    my $env = join '', map { "env $_;\n" } 'SOFTHSM2_CONF', 'OPENSSL_CONF',
        'PKCS11_MODULE_PATH', 'PKCS11_PROVIDER_MODULE', 'OPENSSL_ENGINES';

    $t->conf($conf->(), main => $env, workers => 2);
    $t->run;

    for my $name (sort keys %ca) {
        my @csr = map { $t->forge(name => 'k',
            subject => name(CN => 'dev' . ++$n)) } 1 .. 20;
        my @r = $t->burst(map { ['simpleenroll',
            { csr => $_, prefix => "/$name/" }] } @csr);
        my $ok = grep {
            $t->keep('issued', $t->issued($_));
            ($t->command('openssl', 'verify', '-x509_strict', '-CAfile',
                $t->dir("$name.crt"), $t->dir('issued.crt')))[1] =~ /: OK$/;
        } @r;
        is($ok, 20, "$kind $name: twenty at once, all verify");
    }

    ok($t->reload, "$kind a reload");
    is($t->est('simpleenroll', prefix => '/ec/', csr => $t->csr)->{status}, 200,
        "$kind a reload, and on");
    ok($t->stop, "$kind stopped");

    # the denied twins

    for (['a wrong PIN', '?pin-value=9999'], ['no PIN', '']) {
        my ($name, $pin) = @$_;
        ($rc, $out) = $t->nginx_t($conf->($pin), main => $env);
        ok($rc && $out =~ /\[emerg\].*(?:key|token)/, "$kind $name")
            or diag($out);
        unlike($out, qr/\[emerg\].*9999/, "$kind $name: it is not shown");
    }
    ($rc, $out) = $t->nginx_t($conf->() =~ s/object=ec/object=rsa/r,
                              main => $env);
    ok($rc && $out =~ /\[emerg\]/, "$kind another certificate's key")
        or diag($out);
    unlike($t->log . $out, qr/1234/, "$kind the PIN is not in the log");
}

$t->done;
