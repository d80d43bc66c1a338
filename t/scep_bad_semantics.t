#!/usr/bin/perl

# Copyright (C) The nginx-enroll authors

# What is well-formed and must not get a certificate: types that nobody asked
# for, keys that are not the signer's, requests for a CA.
#
# Conformance: SCEP-037 SCEP-038 SCEP-047 SCEP-062 SCEP-068 DEV-001
#   BAD-128 BAD-131

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
$t->conf(<<'CONF');
    enroll_redis unix:%%DIR%%/redis.sock;
    enroll_ca devices {
        certificate %%DIR%%/ca.crt;
        certificate_key %%DIR%%/ca.key;
    }
    enroll_profile other { validity 10d; }
    scep_challenge secret;
    scep_failure_limit off;

    server {
        listen 127.0.0.1:%%PORT_plain%%;
        location /scep { scep devices; }
        location /open { scep devices; scep_challenge off; enroll_approval off; }
    }
CONF
$t->run;

my $s = EnrollSCEP->new($t, ra => 'ca');
my $c = $s->client('dev1');
my $other = $s->client('dev2');

##############################################################################

# no type but those of the list, with or without a challenge (CVE-2026-30836)

for my $type (0 .. 3, 4, 16, 18, 23, 24, 255) {
    for my $challenge (undef, 'secret') {
        refuses(2, 'message_type', "type $type", type => $type,
                challenge => $challenge);
        refuses(2, 'message_type', "type $type, no challenge needed",
                type => $type, path => '/open') if !$challenge;
    }
}
for my $challenge (undef, 'secret') {
    refuses(4, 'renewal_issuer', '17 by a key of nobody', type => 17,
            challenge => $challenge);
    refuses(2, $_ == 22 ? 'no_crl' : 'envelope_not_opened',
            "$_ around a request", type => $_, challenge => $challenge)
        for 20, 21, 22;
}
my $m = $s->poll($c, 'x');
$s->failed($s->send($m), $m, 4, 'not_found', 'CertPoll for nothing');
$m = $s->message($c, type => 19, data => seq(cert_fields($s->der_of('ca'))
                     ->{subject}, name(CN => 'dev1')));
$s->failed($s->send($m), $m, 2, 'envelope_not_opened', '19 around a CertPoll');
is(scalar $t->keys('*:cert:*'), 0, 'nothing was issued');

##############################################################################

# whose key it is: the signer's, the request's, its signature's

my %good = (challenge => 'secret');
ok(length $s->issued(asked(%good)), 'the good one');

refuses(2, 'envelope_not_opened', "another's key in the request", %good,
        csr_key => $other->{key});
refuses(2, 'envelope_not_opened', "another's request, signed by him", %good,
        csr => forge_csr(key => $other->{key},
                         attributes => [challenge(printable('secret'))]));

my ($info) = csr_fields(forge_csr(key => $c->{key},
    subject => name(CN => 'dev1'), attributes => [challenge(utf8('secret'))]));
refuses(1, 'proof_of_possession', 'signed by another key',
        csr => seq($info, sigalg($c->{key}), bits(sign($other->{key}, $info))));
refuses(1, 'proof_of_possession', 'a broken signature',
        csr => seq($info, sigalg($c->{key}), bits("\0" x 256)));
refuses(0, 'signature_algorithm', 'signed with MD5',
        csr => seq($info, seq(oid('1.2.840.113549.1.1.4'), null()),
                   bits(sign($c->{key}, $info, 'md5'))));
refuses(0, 'signature_algorithm', 'signed with SHA-1',
        csr => seq($info, seq(oid('1.2.840.113549.1.1.5'), null()),
                   bits(sign($c->{key}, $info, 'sha1'))));

# the key of the CA itself

my $ca = { name => 'ca', key => $t->dir('ca.key'),
           cert => forge_cert(key => $t->dir('ca.key')) };
$m = $s->request($ca, %good);
$s->failed($s->send($m), $m, 2, 'key_reserved', 'the key of the CA');

##############################################################################

# names and extensions that a request may not have

refuses(2, 'no_name', 'no subject at all', %good, subject => seq());
refuses(2, 'malformed_subject', 'a subject that is too long', %good,
        subject => name(CN => 'x' x 65_000));
for my $bad (
    ['NUL in the CN', 'malformed_subject', subject => name(CN => "dev1\0.example")],
    ['NUL in a dNSName', 'malformed_san', san => [dns("dev1\0.example.com")]],
    ['an empty dNSName', 'malformed_san', san => [dns('')]],
    ['an IP address of 5 octets', 'malformed_san', san => [der(0x87, 'x' x 5)]],
    ['a wildcard', 'san_not_allowed', san => [dns('*.example.com')]],
    ['an OID', 'san_not_allowed', san => [der(0x88, "\x2a\3")]])
{
    my ($name, $reason, @how) = @$bad;
    refuses(2, $reason, $name, %good, @how);
}

# a request for a CA gets what the profile has, if anything

my @evil = (
    extension('2.5.29.19', seq(bool(1)), 1),                # CA:TRUE
    extension('2.5.29.15', der(0x03, "\x01\x06"), 1),       # keyCertSign
    extension('2.5.29.37', seq(oid('1.3.6.1.5.5.7.3.9'))),  # OCSPSigning
    extension('1.3.6.1.4.1.311.25.2', octets('S-1-5-21')));
$m = $s->request($c, %good, attributes => [extension_request(@evil)]);
my $der = $s->issued($s->send($m), $m, 'a request for a CA');
if (length $der) {
    my $exts = cert_fields($der)->{exts};
    is($exts->{oid('2.5.29.19')}{value} // seq(), seq(), 'is of no CA');
    is($exts->{oid('2.5.29.15')}{value}, der(0x03, "\x07\x80"),
        'has the keyUsage of the profile');
    is($exts->{oid('2.5.29.37')}{value}, seq(oid('1.3.6.1.5.5.7.3.2')),
        'and its extKeyUsage');
    ok(!$exts->{oid('1.3.6.1.4.1.311.25.2')}, 'and no SID');
}
for my $bad (
    ['an extension twice', 'malformed_extension',
     extension_request(san(dns('a')), san(dns('b')))],
    ['extensionRequest twice', qr/malformed_\w+/,
     extension_request(san(dns('a'))), extension_request(san(dns('b')))],
    ['an extension that is none', qr/malformed_\w+/,
     extension_request(octets('x'))])
{
    my ($name, $reason, @attributes) = @$bad;
    refuses(2, $reason, $name, %good, attributes => \@attributes);
}

is(scalar $t->keys('*:cert:*'), 2, 'nothing else was issued');
is($t->open_txns, '', 'no transaction is open');
$t->done;

##############################################################################

sub asked {
    my (%o) = @_;
    my $path = delete $o{path} // '/scep';
    my $m = $s->request($c, %o);
    return ($s->send($m, path => $path), $m);
}

sub refuses {
    my ($n, $reason, $name, %o) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my ($got) = $s->summary(asked(%o));
    return like($got, qr/^FAILURE $n (?:$reason)$/, "refused: $name");
}
