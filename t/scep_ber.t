#!/usr/bin/perl

# Copyright (C) The nginx-enroll authors

# BER: indefinite lengths and strings in pieces are taken, within bounds of
# depth and size.
#
# Conformance: SCEP-051 BAD-106 BAD-123

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
    scep_challenge secret;
    scep_failure_limit off;

    server {
        listen 127.0.0.1:%%PORT_plain%%;
        location /scep { scep devices; enroll_max_body_size 512k; }
    }
CONF
$t->run;

my $s = EnrollSCEP->new($t, ra => 'ca');
my $c = $s->client('dev1');
my $base = $s->request($c, challenge => 'secret');
my $cert = $c->{cert};

##############################################################################

for my $piece (1, 7, 1000, 100_000) {
    my $outer = { %$base, der => EnrollSCEP::ber($base->{der}, $piece, $cert) };
    $s->issued($s->send($outer), $outer, "the SignedData, in pieces of $piece");

    my $envelope = EnrollSCEP::ber($base->{envelope}, $piece, '');
    my $m = $s->again({ %$base, envelope => $envelope });
    $s->issued($s->send($m), $m, "the envelope, in pieces of $piece");

    $m->{der} = EnrollSCEP::ber($m->{der}, $piece, $cert);
    $s->issued($s->send($m), $m, "both, in pieces of $piece");
    $s->issued($s->send($m, get => 1), $m, 'by GET') if $piece == 1000;
}

# lengths that are longer than they need be

my ($type, $rest) = kids(content($base->{der}));
my $m = { %$base, der => "\x30\x84" . pack('N', length content($base->{der}))
                         . content($base->{der}) };
$s->issued($s->send($m), $m, 'a length of 4 octets');

# pieces of pieces, and none at all

my $envelope = $base->{envelope};
for my $nest (1, 3) {
    my $string = octets($envelope);
    $string = "\x24\x80$string\0\0" for 1 .. $nest;
    my $m = $s->again($base, encap => seq(oid('1.2.840.113549.1.7.1'),
                                          ctx(0, $string)));
    $s->issued($s->send($m), $m, "pieces in pieces: $nest");
}
$m = $s->again($base, encap => seq(oid('1.2.840.113549.1.7.1'), ctx(0,
    "\x24\x80" . octets('') . octets($envelope) . octets('') . "\0\0")));
$s->issued($s->send($m), $m, 'empty pieces');
is(scalar $t->keys('*:cert:*'), 1, 'all of them the same request');

# what is enveloped; a request's signature is over DER whatever is sent

my $csr = forge_csr(key => $c->{key}, subject => name(CN => 'dev1'),
    attributes => [challenge(printable('secret')),
                   extension_request(san(dns('dev1.example')))]);
my ($info, @alg) = map { $_->{whole} } kids(content($csr));
for my $ber (
    ['all of it', EnrollSCEP::ber($csr, 5, '')],
    ['the outside', "\x30\x80$info" . join('', @alg) . "\0\0"],
    ['the info', seq(EnrollSCEP::ber($info, 5, ''), @alg)],
    ['a length of 4 octets', "\x30\x84" . pack('N', length content($csr))
                             . content($csr)])
{
    my ($name, $data) = @$ber;
    my $m = $s->request($c, csr => $data);
    my $der = $s->issued($s->send($m), $m, "a request in BER: $name");
    ok(index($der, 'dev1.example') > 0, 'with the names asked for');
}
my $der = $s->issued($s->send($base), $base, 'the first one');
my $ca = cert_fields($s->der_of('ca'))->{subject};
$m = $s->message($c, type => 21, data => EnrollSCEP::ber(
    seq($ca, der(0x02, pack 'H*', EnrollSCEP::serial($der))), 5, ''));
is($s->issued($s->send($m), $m, 'IssuerAndSerialNumber in BER'), $der, 'is it');
$m = $s->poll($c, $base->{transaction}, data => EnrollSCEP::ber(
    seq($ca, name(CN => 'dev1')), 5, ''));
$s->failed($s->send($m), $m, 4, 'not_found', 'IssuerAndSubject in BER');

for my $bad (
    ['cut off', substr EnrollSCEP::ber($csr, 5, ''), 0, -2],
    ['something behind', EnrollSCEP::ber($csr, 5, '') . "\0\0"],
    ['beginnings', "\x30\x80" x 10_000],
    ['too deep', ("\x30\x80" x 200) . ("\0\0" x 200)])
{
    my ($name, $data) = @$bad;
    my $m = $s->request($c, csr => $data);
    $s->failed($s->send($m), $m, 2, 'envelope_not_opened',
        "a request of no BER: $name");
}
my $certs = $t->keys('*:cert:*');

##############################################################################

# what is no BER, or too deep

my $ber = EnrollSCEP::ber($base->{der}, 100, $cert);
for my $bad (
    ['cut off', substr $ber, 0, -2],
    ['cut in the middle', substr $ber, 0, length($ber) / 2],
    ['only a beginning', "\x30\x80"],
    ['beginnings', "\x30\x80" x 100],
    ['very many beginnings', "\x30\x80" x 200_000],
    ['strings in strings', ("\x24\x80" x 1000) . ("\0\0" x 1000)],
    ['SETs in SETs', ("\x31\x80" x 200) . ("\0\0" x 200)],
    ['only ends', "\0\0" x 1000],
    ['an indefinite primitive', "\x30\x80\x04\x80\0\0\0\0"],
    ['a length beyond the end', "\x30\x84\x7f\xff\xff\xff" . $base->{der}],
    ['a length of 8 octets', "\x30\x88" . "\xff" x 8 . $base->{der}],
    ['a reserved length', "\x30\xff" . $base->{der}],
    ['a long tag', "\x3f\xff\xff\xff\xff\x7f\x80\0\0"],
    ['many small pieces', "\x24\x80" . "\x04\0" x 200_000 . "\0\0"])
{
    my ($name, $der) = @$bad;
    $s->refused($s->send($der), 400, 'malformed_message', "no BER: $name");
}
for my $bad (['cut off', substr EnrollSCEP::ber($envelope, 9, ''), 0, -2],
    ['beginnings', "\x30\x80" x 10_000],
    ['strings in strings', ("\x24\x80" x 1000) . ("\0\0" x 1000)])
{
    my ($name, $envelope) = @$bad;
    my $m = $s->again({ %$base, envelope => $envelope });
    $s->failed($s->send($m), $m, 2, 'malformed_envelope',
        "an envelope of no BER: $name");
}
$m = { %$base, der => "$ber\0\0" };
$s->failed($s->send($m), $m, 2, 'malformed_message', 'ends behind the end');
is($s->send("\x30\x80" x 300_000)->{status}, 413, 'too large');

is(scalar $t->keys('*:cert:*'), $certs, 'nothing else was issued');
is($t->open_txns, '', 'no transaction is open');
$t->done;
