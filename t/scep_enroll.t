#!/usr/bin/perl

# Copyright (C) The nginx-enroll authors

# The whole road of SCEP, once: PKCSReq by POST and by GET, the certificate,
# its record, and an answer that mirrors the algorithms of the request.
#
# Conformance: SCEP-019 SCEP-023 SCEP-024 SCEP-029 SCEP-035 SCEP-039
#   SCEP-040 SCEP-042 SCEP-050 SCEP-052 SCEP-053 SCEP-056 SCEP-057
#   SCEP-058 SCEP-061 SCEP-067 SCEP-068 SCEP-069 SCEP-071 SCEP-075 DEV-014
#   DEV-018 BAD-108

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use Enroll;
use EnrollDER;
use EnrollSCEP;

##############################################################################

my $t = Enroll->new;

$t->ca('ca', key => 'rsa:2048');
$t->ra('ra', 'ca');
$t->conf(<<'CONF');
    enroll_redis unix:%%DIR%%/redis.sock;
    enroll_ca devices {
        certificate %%DIR%%/ca.crt;
        certificate_key %%DIR%%/ca.key;
        ra_certificate %%DIR%%/ra.crt;
        ra_certificate_key %%DIR%%/ra.key;
    }
    scep_challenge secret;
    large_client_header_buffers 4 32k;

    log_format scep "$enroll_protocol|$enroll_operation|$enroll_outcome|"
                    "$enroll_serial|$enroll_csr_key|$enroll_identity";
    access_log %%HOME%%/scep.log scep;

    server {
        listen 127.0.0.1:%%PORT_plain%%;
        location /scep { scep devices; }
        location /chain { scep devices; scep_chain on; }
    }
CONF
$t->run;

my $s = EnrollSCEP->new($t, ra => 'ra');
my $c = $s->client('dev1');

##############################################################################

# by POST

my $m = $s->request($c, challenge => 'secret', san => [dns('dev1')]);
my $r = $s->send($m);
my $der = $s->issued($r, $m, 'PKCSReq by POST');
my $cert = cert_fields($der);

is($r->{headers}{'content-length'}, length $r->{body}, 'Content-Length');
is($r->{headers}{'cache-control'}, 'no-store', 'not to be kept');
is($cert->{spki}, spki($c->{key}), 'the key of the request');
is($cert->{subject}, name(CN => 'dev1'), 'its subject');
is($cert->{exts}{oid('2.5.29.17')}{value}, seq(dns('dev1')), 'its name');
ok(!grep({ index($_, 'secret') >= 0 } $der, $t->state, $t->log,
         $t->log('scep')), 'the challenge is nowhere');

$t->keep('leaf', $der);
like($t->openssl('verify', '-x509_strict', '-purpose', 'sslclient', '-CAfile',
                 $t->dir('ca.crt'), $t->dir('leaf.crt')), qr/: OK/,
    'OpenSSL is strict, and content');

my $a = $s->open($r, $m);
is($a->{sig_alg}, seq(oid('1.2.840.113549.1.1.1'), null()),
    'signatureAlgorithm is rsaEncryption, as old clients need it');
is_deeply($a->{outer}, [$s->der_of('ra')], 'the RA is in the answer');
is($a->{sid}, EnrollSCEP::issuer_and_serial($s->der_of('ra')), 'and named');

# recorded and counted

my $record = $t->hash($t->record_key($cert->{serial}));
is($record->{status}, 'valid', 'the record: status');
is($record->{protocol}, 'scep', 'the record: protocol');
ok(length $record->{cert}, 'the record: the certificate');
my ($counters) = grep { $t->redis('TYPE', $_) eq 'hash' }
                      $t->keys('enroll:{devices}:*count*');
is($t->redis('HGET', $counters, 'total'), 1, 'counted');
like($t->log('scep'), qr/^scep\|PKIOperation\|issued\|$cert->{serial}\|rsa:2048\|/m,
    'the variables');
is($t->open_txns, '', 'no transaction is open');

# by GET, in another transaction: another certificate

$m = $s->request($c, challenge => 'secret');
$der = $s->issued($s->send($m, get => 1), $m, 'PKCSReq by GET');
isnt(EnrollSCEP::serial($der), $cert->{serial}, 'another certificate');

# forms of POST

for my $form (
    ['no operation', query => ''],
    ['application/octet-stream', content_type => 'application/octet-stream'],
    ['JSON, they say', content_type => 'application/json'],
    ['/pkiclient.exe', path => '/scep/pkiclient.exe'])
{
    my ($name, @how) = @$form;
    my $m = $s->request($c, challenge => 'secret');
    $s->issued($s->send($m, @how), $m, "POST: $name");
}

$m = $s->request($c, challenge => 'secret');
$r = $t->curl('-H', 'Transfer-Encoding: chunked', '--data-binary',
    '@' . $t->write('m.der', $m->{der}),
    'http://127.0.0.1:' . $t->port('plain') . '/scep?operation=PKIOperation');
$s->issued($r, $m, 'POST: chunked');

# the chain, where the location says so

$m = $s->request($c, challenge => 'secret');
$a = $s->open($s->send($m, path => '/chain'), $m);
is_deeply([@{$a->{certs} || []}[1 .. 9]], [$s->der_of('ca'), (undef) x 8],
    'scep_chain: the leaf, then the CA');

# digest, cipher and key transport of the answer are those of the request

for my $how (
    [sha256 => 'aes-128-cbc'], [sha384 => 'aes-192-cbc'],
    [sha512 => 'aes-256-cbc'], [sha256 => 'aes-256-cbc', 'sha1'],
    [sha256 => 'aes-128-cbc', 'sha256'], [sha512 => 'aes-256-cbc', 'sha512'])
{
    my ($digest, $cipher, $oaep) = @$how;
    my $name = join ' ', $digest, $cipher, $oaep ? "OAEP $oaep" : 'PKCS #1';
    my $m = $s->request($c, challenge => 'secret', digest => $digest,
                        cipher => $cipher, oaep => $oaep);
    my $r = $s->send($m);
    my $a = $s->open($r, $m);

    $s->issued($r, $m, $name);
    is($a->{cipher}, $cipher, "$name: the cipher");
    is(bare($a->{key_alg} // ''), bare(EnrollSCEP::key_alg($oaep)),
        "$name: the key transport");
}

# AES-GCM, where the request came as AuthEnvelopedData

my $csr = forge_csr(key => $c->{key}, subject => name(CN => 'dev1'),
                    attributes => [challenge(utf8('secret'))]);
$t->openssl('cms', '-encrypt', '-binary', '-aes-128-gcm', '-outform', 'DER',
    '-in', $t->write('gcm.in', $csr), '-out', $t->dir('gcm.p7'), '-recip',
    $t->dir('ra.crt'));
$m = $s->message($c, type => 19, envelope => $t->read('gcm.p7'));
$r = $s->send($m);
$s->issued($r, $m, 'AES-128-GCM');
is($s->open($r, $m)->{env_type}, oid('1.2.840.113549.1.9.16.1.23'),
    'AES-128-GCM: the answer is AuthEnvelopedData');
my $broken = $t->read('gcm.p7');
substr($broken, -1) ^= "\x01";
$m = $s->message($c, type => 19, envelope => $broken);
$s->failed($s->send($m), $m, 2, 'envelope_not_opened', 'a broken tag');

# refusals mirror what they can, and show no certificate

$m = $s->request($c, challenge => 'wrong', digest => 'sha512');
$s->failed($s->send($m), $m, 2, 'challenge_unknown', 'SHA-512: refused alike');

# its signer may be anything, as long as it has the key of the request

for my $signer (
    ['from 1970 to 1971', from => -1.7e9, till => -1.65e9],
    ['of another subject', subject => name(CN => 'IOS-Self-Signed')],
    ['of an issuer that is not itself', issuer => name(CN => 'nobody')],
    ['with critical extensions',
     exts => [extension('2.5.29.35', seq(der(0x80, 'x' x 20)), 1),
              extension('1.2.3.4.5', null(), 1)]])
{
    my ($name, %o) = @$signer;
    my $c = $s->client('dev1', %o);
    my $m = $s->request($c, challenge => 'secret');
    $s->issued($s->send($m), $m, "a signer $name");
}

# an EC key, whose answer is enveloped to the challenge

my $ec = $s->client('ec1', kind => 'ec:P-256');
$m = $s->request($ec, challenge => 'secret');
$r = $s->send($m);
$der = $s->issued($r, $m, 'an EC key', password => 'secret');
is($der && cert_fields($der)->{spki}, spki($ec->{key}), 'its certificate');
$m = $s->request($ec);
$s->failed($s->send($m), $m, 0, 'no_answer_envelope',
    'an EC key without a challenge');

is($t->open_txns, '', 'no transaction is open');
$t->done;

##############################################################################

# the OIDs of an AlgorithmIdentifier: NULL parameters are as good as none
sub bare { join ' ', map { unpack 'H*', $_ } $_[0] =~ /\x06[\x03-\x0b][^\x05\x06\x30\xa0\xa1]+/g }
