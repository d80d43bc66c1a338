#!/usr/bin/perl

# Copyright (C) The nginx-enroll authors

# Keys of every kind, of clients and of CAs: in files, locked, in a store.
#
# Conformance: HTTP-026 BAD-059

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use Enroll;
use EnrollDER;

##############################################################################

my $t = Enroll->new;

# CAs

my %ca = (p256 => 'ec:P-256', p384 => 'ec:P-384', rsa => 'rsa:2048',
          ed25519 => 'ed25519', ed448 => 'ed448');
my $ml_dsa = eval { $t->key('try', 'ml-dsa-44'); 1 };
$ca{mldsa} = 'ml-dsa-44' if $ml_dsa;
$t->ca($_, key => $ca{$_}) for sort keys %ca;

# the RSA one's key behind a password, the first of them a wrong one; and
# addressed as a store

$t->ca('locked', key => 'rsa:2048');
$t->openssl('pkey', '-in', $t->dir('locked.key'), '-aes256', '-passout',
    'pass:secret', '-out', $t->dir('locked.pem'));
$t->write('pass', "wrong\nsecret\n");
$ca{locked} = 'rsa:2048, locked';
$t->ca('store');
$ca{store} = 'in a store';

my $blocks = join '', map {
    my $key = $_ eq 'locked' ? '%%DIR%%/locked.pem; password_file %%DIR%%/pass'
        : $_ eq 'store' ? 'store:file:%%DIR%%/store.key' : "%%DIR%%/$_.key";
    "    enroll_ca $_ { certificate %%DIR%%/$_.crt; certificate_key $key; }\n"
} sort keys %ca;

$t->conf(<<"CONF", main => 'thread_pool signers threads=2;', workers => 2);
    enroll_redis unix:%%DIR%%/redis.sock;
$blocks
    enroll_thread_pool signers;
    enroll_profile few { keys rsa:3072-4096 ec:P-384 ed25519; }

    est_auth none;
    enroll_names any;

    server {
        listen 127.0.0.1:%%PORT_tls%% ssl;
        %%TLS%%
        location ~ ^/few/[a-z]+\$ { est p256 profile=few; }
        location ~ ^/(?<ca>[a-z0-9]+)/[a-z]+\$ { est \$ca; }
    }
CONF
$t->run;

##############################################################################

# by CAs of every kind

for my $ca (sort keys %ca) {
    my $csr = $t->csr(name => 'k', subject => "/CN=$ca");
    my $r = $t->est('simpleenroll', prefix => "/$ca/", csr => $csr);
    $t->keep('issued', $t->issued($r));
    like(($t->command('openssl', 'verify', '-x509_strict', '-CAfile',
            $t->dir("$ca.crt"), $t->dir('issued.crt')))[1],
        qr/: OK$/, "by a CA: $ca{$ca}");
}

# of clients of every kind

my %client = (
    'rsa:2048' => 'rsa:2048', 'rsa:3072' => 'rsa:3072',
    'ec:P-256' => 'ec:P-256', 'ec:P-384' => 'ec:P-384',
    'ec:P-521' => 'ec:P-521', 'ed25519' => 'ed25519', 'ed448' => 'ed448',
    $ml_dsa ? map { ($_ => $_) } 'ml-dsa-44', 'ml-dsa-65', 'ml-dsa-87' : (),
);
for my $kind (sort keys %client) {
    my $csr = $t->csr(key => $kind, name => $kind =~ tr/://dr);
    my $r = $t->est('simpleenroll', prefix => '/p256/', csr => $csr);
    my $der = $t->issued($r);
    is(cert_fields($der)->{spki}, csr_spki($csr->{der}), "of a client: $kind");
    is($t->hash($t->record_key(cert_fields($der)->{serial}, 'p256'))->{key},
        $client{$kind}, "of a client: $kind, in the record");

    # and with its signature spoilt
    my $bad = $csr->{der};
    substr $bad, -1, 1, substr($bad, -1) ^ "\1";
    $r = $t->est('simpleenroll', prefix => '/p256/', data => b64($bad));
    is($r->{status}, 400, "of a client: $kind, a bad signature");
}

# RSA with a signature of PSS, by every digest

for my $digest ('sha256', 'sha384', 'sha512') {
    my $csr = $t->csr(name => 'rsa2048', digest => $digest, args =>
        ['-sigopt', 'rsa_padding_mode:pss',
         '-sigopt', 'rsa_pss_saltlen:digest']);
    is($t->est('simpleenroll', prefix => '/p256/', csr => $csr)->{status}, 200,
        "a signature of RSA-PSS with $digest");
    $csr = $t->csr(name => 'rsa2048', digest => $digest);
    is($t->est('simpleenroll', prefix => '/p256/', csr => $csr)->{status}, 200,
        "a signature of RSA with $digest");
    $csr = $t->csr(name => 'ecP-256', digest => $digest);
    is($t->est('simpleenroll', prefix => '/p256/', csr => $csr)->{status}, 200,
        "a signature of ECDSA with $digest");
}

# a key that says which parameters of PSS are its own

$t->openssl('genpkey', '-algorithm', 'RSA-PSS', '-pkeyopt',
    'rsa_keygen_bits:2048', '-pkeyopt', 'rsa_pss_keygen_md:sha256', '-pkeyopt',
    'rsa_pss_keygen_mgf1_md:sha256', '-pkeyopt', 'rsa_pss_keygen_saltlen:32',
    '-out', $t->dir('pss.key'));
{
    my $csr = $t->csr(name => 'pss');
    my $der = $t->issued($t->est('simpleenroll', prefix => '/p256/',
                                 csr => $csr));
    is(length $der ? cert_fields($der)->{spki} : '', csr_spki($csr->{der}),
        'of a client: RSA-PSS with parameters');
}

# the denied twins

for (['rsa2048', 400], ['rsa3072', 200], ['ecP-256', 400], ['ecP-384', 200],
     ['ed25519', 200], ['ed448', 400])
{
    my ($name, $status) = @$_;
    my $r = $t->est('simpleenroll', prefix => '/few/',
                    csr => $t->csr(name => $name));
    is($r->{status}, $status, "where few kinds are taken: $name $status");
    is($r->{reason}, 'key_not_allowed', "$name: why") if $status == 400;
}
$t->refused($t->est('simpleenroll', prefix => '/p256/',
    csr => $t->csr(key => 'rsa:1024')), 400, 'key_not_allowed', 'rsa:1024');

# the service's own keys are nobody else's

for my $ca ('p256', 'rsa') {
    my $csr = $t->csr(name => $ca, subject => '/CN=thief');
    my $r = $t->est('simpleenroll', prefix => "/$ca/", csr => $csr);
    $t->refused($r, 400, 'key_reserved', "the key of the CA: $ca");
}

# what it does not say

unlike($t->log, qr/PRIVATE|secret/, 'nothing secret is in the log');

$t->done;
