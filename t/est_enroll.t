#!/usr/bin/perl

# Copyright (C) The nginx-enroll authors

# The whole road, once: a device asks by password, gets a certificate that
# is signed, recorded and counted, and renews it.
#
# Conformance: EST-002 EST-036 EST-069 EST-084 EST-087 EST-088 EST-089
#   EST-178 EST-185 PKIX-002 PKIX-006 PKIX-019 PKIX-032

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

        location /.well-known/est/ {
            est devices;
            est_basic_users %%DIR%%/users;
        }
    }
CONF
$t->run;

##############################################################################

# the first certificate

my $csr = $t->csr(name => 'dev1', subject => '/C=DE/O=Example/CN=dev1',
                  san => 'DNS:dev1');
my $before = time;
my $r = $t->est('simpleenroll', csr => $csr, user => 'dev1:secret');
my $after = time;

is($r->{status}, 200, 'enrolled');
is($r->{type}, 'application/pkcs7-mime; smime-type=certs-only', 'type');
is($r->{headers}{'content-transfer-encoding'}, 'base64',
    'Content-Transfer-Encoding, which old clients look for');
is($r->{headers}{'content-length'}, length $r->{body}, 'Content-Length');
ok(!$r->{headers}{'transfer-encoding'}, 'not chunked');
ok(!$r->{headers}{'set-cookie'}, 'no cookie');
ok(!$r->{reason}, 'no reason of refusal');
ok(length $r->{head} < 1024, 'the headers fit strongSwan\'s first KiB');
like($r->{body}, qr{^[A-Za-z0-9+/]+={0,2}\n$}, 'one line of base64');

my $der = $t->issued($r);
my $x = cert_fields($der);
$t->keep('dev1', $der);

is($x->{version}, integer(2), 'version 3');
is($x->{spki}, csr_spki($csr->{der}), 'the key is that of the request');
is($x->{issuer}, cert_fields(unpem($t->read('ca.crt')))->{subject},
    'the issuer is the CA, octet by octet');
is($x->{subject}, name(C => \printable('DE'), O => 'Example', CN => 'dev1'),
    'the subject');
like($t->x509($der, '-ext', 'subjectAltName'), qr/DNS:dev1\s*$/, 'the SAN');
cmp_ok(length $x->{serial}, '<=', 40, 'serial of at most 20 octets');
cmp_ok(length $x->{serial}, '>=', 30, 'and of many random ones');
cmp_ok(hex(substr $x->{serial}, 0, 2), '<', 128, 'and positive');

like(($t->command('openssl', 'verify', '-x509_strict', '-purpose',
        'sslclient', '-CAfile', $t->dir('ca.crt'), $t->dir('dev1.crt')))[1],
    qr/: OK$/, 'verifies strictly, as a TLS client');

my $text = $t->x509($der, '-text');
like($text, qr/Authority Key Identifier/, 'AKI');
like($text, qr/Subject Key Identifier/, 'SKI');
like($text, qr/Key Usage: critical\s+Digital Signature\n/, 'key usage');
like($text, qr/Extended Key Usage:\s+TLS Web Client Authentication\n/,
    'extended key usage');
unlike($text, qr/CA:TRUE/, 'no CA');

my $dates = $t->x509($der, '-dates', '-dateopt', 'iso_8601');
my ($from, $till) = map { epoch($_) } $dates =~ /=(\d.*)$/mg;
cmp_ok($from, '<=', $before, 'backdated');
cmp_ok($from, '>=', $before - 600, 'not by much');
cmp_ok($till, '>=', $before + 89 * 86400, 'for 90 days');
cmp_ok($till, '<=', $after + 90 * 86400 + 1, 'not longer');

# what Redis has of it

my $key = $t->record_key($x->{serial});
ok($key, 'there is a record') or diag(join ' ', $t->keys);

my $record = $t->hash($key);
is($record->{status}, 'valid', 'record: status');
like($record->{subject} // '', qr/CN ?= ?dev1/, 'record: subject');
like($record->{san} // '', qr/dev1/, 'record: SAN');
like($record->{requester} // '', qr/dev1/, 'record: requester');
is($record->{key}, 'ec:P-256', 'record: key');
is($record->{protocol}, 'est', 'record: protocol');
is($record->{operation}, 'simpleenroll', 'record: operation');
ok(defined $record->{profile}, 'record: profile');
is($record->{pop_link}, 'absent', 'record: no linking value');

my %all = map { $_ => 1 } $t->redis('HKEYS', $key);
ok($all{cert}, 'record: the certificate');
ok($all{not_after} || $all{notAfter}, 'record: its end');
cmp_ok($t->redis('TTL', $key), '>', 90 * 86400,
    'the record outlives the certificate');
is($t->redis('HSTRLEN', $key, 'cert'), length $der,
    'record: the certificate as it was sent');

is($t->count('issued'), 1, 'one is issued');
is($t->count('renewed'), 0, 'none is renewed');
is(scalar($t->keys('enroll:{devices}:cert:*')), 1, 'there is one record');
is(scalar(grep { !/^enroll:\{devices\}:/ } $t->keys), 0,
    'nothing is outside of the prefix');

# renewals by certificate, with the same key and with a new one

$r = $t->est('simplereenroll', csr => $csr, cert => 'dev1');
my $second = $t->issued($r);
is(cert_fields($second)->{subject}, $x->{subject}, 'renewed: same subject');
isnt(cert_fields($second)->{serial}, $x->{serial}, 'renewed: another serial');
is($t->count('renewed'), 1, 'one is renewed');

my $new = $t->csr(name => 'dev1b', subject => '/C=DE/O=Example/CN=dev1',
                  san => 'DNS:dev1');
$r = $t->est('simplereenroll', csr => $new, cert => 'dev1');
my $third = $t->issued($r);
is(cert_fields($third)->{spki}, csr_spki($new->{der}), 'rekeyed');
is(scalar($t->keys('enroll:{devices}:cert:*')), 3, 'there are three records');

# and the denied twins

my $state = $t->state;
$t->refused($t->est('simpleenroll', csr => $csr), 401,
    'authentication_required', 'nobody gets nothing');
$t->refused($t->est('simpleenroll', csr => $csr, user => 'dev1:wrong'), 401,
    'bad_password', 'a wrong password gets nothing');
$t->refused($t->est('simplereenroll', csr => $csr), 403,
    'client_certificate_required', 'no renewal without a certificate');
is($t->state, $state, 'refusals leave nothing in Redis');

$t->done;

##############################################################################

sub epoch {
    my ($s) = @_;
    my ($y, $m, $d, $h, $i, $sec) = $s =~ /(\d+)-(\d+)-(\d+) (\d+):(\d+):(\d+)/;
    require Time::Local;
    return Time::Local::timegm($sec, $i, $h, $d, $m - 1, $y);
}
