#!/usr/bin/perl

# Copyright (C) The nginx-enroll authors

# Requested extensions that are malformed, doubled, or that no device should
# have (BAD-064 to BAD-071).
#
# Conformance: EST-090 EST-093 EST-099 PKIX-014 PKIX-018 PKIX-019
#   PKIX-024 PKIX-025 PKIX-035 P10-004 P10-006 BAD-064 BAD-065 BAD-066
#   BAD-067 BAD-068 BAD-069 BAD-071

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
$t->conf(<<'CONF');
    enroll_redis unix:%%DIR%%/redis.sock;
    enroll_ca devices {
        certificate %%DIR%%/ca.crt;
        certificate_key %%DIR%%/ca.key;
    }

    server {
        listen 127.0.0.1:%%PORT_tls%% ssl;
        %%TLS%%
        client_body_buffer_size 128k;
        enroll_max_body_size 4m;
        client_max_body_size 4m;
        keepalive_requests 10000;

        location /.well-known/est/ {
            est devices;
            est_auth none;
            enroll_names any;
        }
    }
CONF
$t->run;
$t->key('k');

my $MS_REQUEST = '1.3.6.1.4.1.311.2.1.14';
my $REQUEST = '1.2.840.113549.1.9.14';
my $SAN = '2.5.29.17';
my $conn = $t->connect;

is(ask()->{status}, 200, 'a request without anything odd');
my $state = $t->state;

##############################################################################

# extensions and their request

my ($one, $two) = map { san(dns("$_.test")) } 'a', 'b';
my $kp = '2.5.29.15';
for (['two attributes', extension_request($one), extension_request($one)],
     ['of both OIDs', extension_request($one),
                       attribute($MS_REQUEST, seq($two))],
     ['two values', attribute($REQUEST, seq($one), seq($two))],
     ['no value', attribute($REQUEST)],
     ['a value that is no SEQUENCE', attribute($REQUEST, integer(1))],
     ['an empty list', extension_request()],
     ['the same extension twice', extension_request($one, $two)],
     ['an empty extension', extension_request(extension($SAN, ''))],
     ['an extension that is no DER', extension_request(extension($SAN, 'x'))],
     ['octets behind an extension', extension_request(
         extension($SAN, seq(dns('a.test')) . "\0"))],
     ['critical as 01', extension_request(seq(oid($SAN), der(1, "\1"),
         octets(seq(dns('a.test')))))],
     ['critical as FALSE', extension_request(seq(oid($SAN), der(1, "\0"),
         octets(seq(dns('a.test')))))],
     ['no value in an extension', extension_request(seq(oid($SAN)))],
     ['1000 extensions', extension_request(map { extension("1.2.3.$_", null()) }
         1 .. 1000)],
     ['keyUsage of no bits', extension_request(extension($kp, bits('')))],
     ['keyUsage of 20 bits', extension_request(extension($kp,
         der(3, "\4\xff\xff\xf0")))],
     ['an empty EKU', extension_request(extension('2.5.29.37', seq()))],
     ['10000 EKUs', extension_request(extension('2.5.29.37',
         seq((oid('1.2.3.4')) x 10_000)))],
     ['pathLen -1', extension_request(extension('2.5.29.19',
         seq(bool(1), integer("\xff"))))],
     ['pathLen 2^70', extension_request(extension('2.5.29.19',
         seq(bool(1), integer("\x40" . "\0" x 8))))])
{
    my ($name, @attributes) = @$_;
    bad("extensions: $name", attributes => \@attributes);
}

# attributes with a meaning that is not given to them here

$t->refused(ask(attributes => [$_->[1]]), 403, 'name_change', $_->[0])
    for ['changeSubjectName', attribute('1.3.6.1.5.5.7.7.36',
            seq(name(CN => 'other')))],
        ['an empty one', attribute('1.3.6.1.5.5.7.7.36', seq())];
bad("$_->[0]", attributes => [$_->[1]])
    for ['otpChallenge', attribute('1.2.840.113549.1.9.16.2.56', utf8('x'))],
        ['revocationChallenge',
            attribute('1.2.840.113549.1.9.16.2.57', utf8('x'))],
        ['challengePassword with %s%n', challenge(printable('%s%n'))],
        ['challengePassword of 70000', challenge(utf8('x' x 70_000))];

is($t->state, $state, 'nothing of all this is left in Redis');

my $r = ask(attributes => [attribute($MS_REQUEST, seq($one))]);
is($r->{status}, 200, 'Microsoft\'s request is one as well');

# RFC 7030, section 4.2.1: what the key is for does not bind its first signature

is(ask(attributes => [extension_request(
       extension($kp, der(3, "\5\x20"), 1))])->{status}, 200,
    'a key that is to encrypt only signs its request');

# a request for all that no device should have: nothing of it comes

my $evil = $t->forge(name => 'k', attributes => [extension_request(
    extension('2.5.29.19', seq(bool(1), integer(0)), 1),
    extension($kp, der(3, "\1\xfe"), 1),
    extension('2.5.29.37', seq(map { oid($_) } '2.5.29.37.0',
        '1.3.6.1.5.5.7.3.9', '1.3.6.1.5.5.7.3.28', '1.3.6.1.5.5.7.3.3')),
    extension('2.5.29.30', seq(ctx(0, seq(dns('x')))), 1),
    extension('2.5.29.31', seq(seq(ctx(0, ctx(0, der(0x86, 'http://evil/')))))),
    extension('1.3.6.1.5.5.7.1.1', seq(seq(oid('1.3.6.1.5.5.7.48.1'),
        der(0x86, 'http://evil/')))),
    extension('2.5.29.14', octets('x' x 20)),
    extension('2.5.29.32', seq(seq(oid('2.5.29.32.0')))),
    extension('1.3.6.1.5.5.7.1.24', seq(integer(5))),
    extension('2.5.29.56', null()),
    extension('2.16.840.1.113730.1.1', bits("\7")),
    extension('1.2.3.4.5', utf8('evil')), san(dns('good.test')))]);
$r = $conn->post('simpleenroll', csr => $evil);
if ($r->{status} eq '200') {
    my $c = cert_fields($t->issued($r));
    my $plain = cert_fields($t->issued(ask()));
    is_deeply([sort keys %{$c->{exts}}],
        [sort keys %{$plain->{exts}}, oid($SAN)], 'no extension but the SAN');
    for my $oid (grep { $_ ne oid($SAN) } keys %{$plain->{exts}}) {
        is_deeply($c->{exts}{$oid}, $plain->{exts}{$oid},
            'as the profile has it: ' . unpack 'H*', $oid);
    }
} else {
    like($r->{status}, qr/^4/, 'it is refused');
}

unlike($t->log, qr/[^\n\x20-\xff]/, 'no control character is in the log');

$conn->close;
$t->done;

##############################################################################

sub ask {
    my %o = (name => 'k', @_);
    my $csr = $o{key} ? { b64 => b64(forge_csr(%o)) } : $t->forge(%o);
    my $r = $conn->post('simpleenroll', csr => $csr, timeout => 5);
    $conn = $t->connect
        if ($r->{headers}{connection} // 'close') eq 'close';
    return $r;
}

sub bad {
    my ($name, @o) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $r = ask(@o);
    $t->refused($r, 400, $r->{reason} // 'none', $name);
}
