#!/usr/bin/perl

# Copyright (C) The nginx-enroll authors

# Octets that are no certification request (BAD-040 to BAD-049): cut off,
# changed, nested, over-long. Always a refusal, never an accident.
#
# Conformance: EST-124 EST-186 EST-187 P10-003 P10-005 BAD-040 BAD-041
#   BAD-042 BAD-043 BAD-044 BAD-045 BAD-046 BAD-047 BAD-048 BAD-049

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
$t->conf(<<'CONF', workers => 1);
    enroll_redis unix:%%DIR%%/redis.sock;
    enroll_ca devices {
        certificate %%DIR%%/ca.crt;
        certificate_key %%DIR%%/ca.key;
    }

    server {
        listen 127.0.0.1:%%PORT_tls%% ssl;
        %%TLS%%
        keepalive_requests 100000;
        client_body_buffer_size 128k;

        location /.well-known/est/ {
            est devices;
            est_auth none;
            enroll_names any;
        }
    }
CONF
$t->run;

##############################################################################

my $csr = $t->csr(name => 'k', san => 'DNS:dev1');
my $der = $csr->{der};
my $n = length $der;
my ($info, $alg, $sig) = csr_fields($der);
my $conn = $t->connect;
my $worker = ($t->workers)[0];

is(ask($der)->{status}, 200, 'the request itself');
my $state = $t->state;

# cut off after every octet; and with every octet changed

my %odd;
for my $i (1 .. $n - 1) {
    my $r = ask(substr $der, 0, $i);
    $odd{"$i: $r->{status} " . ($r->{reason} // '')} = 1
        if $r->{status} ne '400';
}
is(join(', ', sort keys %odd), '', "cut off at each of $n octets: 400");

my $issued = 0;
%odd = ();
for my $i (0 .. $n - 1) {
    for my $octet ("\0", "\x7f", "\x80", "\xff", substr($der, $i, 1) ^ "\1") {
        my $changed = $der;
        substr $changed, $i, 1, $octet;
        next if $changed eq $der;

        my $r = ask($changed);
        $issued++ if $r->{status} eq '200';
        $odd{"$i: $r->{status} " . ($r->{reason} // '')} = 1
            if $r->{status} ne '400';
    }
}
is(join(', ', sort keys %odd), '', 'each octet changed five times: 400');
is($issued, 0, 'a signature covers all of it');
is($t->state, $state, 'nothing is left in Redis');

# lengths and tags

my %bad = (
    'length of 4 octets, no content' => "\x30\x84\xff\xff\xff\xff",
    'length of 8 octets' => "\x30\x88" . "\xff" x 8,
    'length of 126 octets' => "\x30\xfe" . "\xff" x 126,
    'indefinite, no end' => "\x30\x80",
    'reserved length' => "\x30\xff",
    'empty SEQUENCE' => "\x30\0",
    'SEQUENCE of an empty one' => seq(seq()),
    'high tag' => "\x1f\x81\x81\x81\x01\0",
    'one octet' => "\x30",
    'ten octets fewer claimed' =>
        "\x30\x82" . pack('n', $n - 14) . substr($der, 4),
    'ten octets more claimed' =>
        "\x30\x82" . pack('n', $n + 6) . substr($der, 4),
    'an octet behind it' => "$der\0",
    'zeros behind it' => $der . "\0" x 10_000,
    'itself behind it' => "$der$der",
    'itself, twice inside' => seq($der, $der),
    'an element behind the signature' => seq($info, $alg, $sig, null()),
    'no signature' => seq($info, $alg),
    'no algorithm' => seq($info, $sig),
    'in another order' => seq($alg, $info, $sig),
    'a SET' => der(0x31, $info, $alg, $sig),
    'indefinite outer length' => "\x30\x80$info$alg$sig\0\0",
    'non-minimal outer length' =>
        "\x30\x84\0\0" . pack('n', $n - 4) . substr($der, 4),
);
for my $name (sort keys %bad) {
    my $r = ask($bad{$name});

    # BER that is read at all is read rightly
    if ($name =~ /^indefinite outer|^non-minimal/ && $r->{status} eq '200') {
        pass("$name: taken as what it is");
        next;
    }
    refused_($r, $name);
}

# nesting: bounded in depth and in time

my $time = time;
my $deep = '';
$deep = der(0x30, $deep) for 1 .. 10_000;
my $oid = oid('1.2.3.4');
for (['SEQUENCEs' => $deep], ['indefinite ones' => "\x30\x80" x 20_000],
     ['constructed strings' => "\x24\x80" x 20_000],
     ['in an extension' => forged(attributes =>
         [extension_request(extension('2.5.29.17', $deep))])],
     ['in an attribute' => forged(attributes => [attribute('1.2.3.4', $deep)])],
     ['in a name' => forged(subject => $deep)],
     ['in a key' => forged(spki => seq($deep, bits('x')))],
     ['in the algorithm' => forged(sigalg => seq($oid, $deep))])
{
    my ($name, $body) = @$_;
    my $r = ask($body);
    next if $name eq 'in an attribute' && $r->{status} eq '200';
    refused_($r, "10000 deep: $name");
}

# OIDs, INTEGERs, BIT STRINGs

my $spki = csr_spki($der);
my $point = (kids(content($spki)))[1]{content};
my $algorithm = (kids(content($spki)))[0]{whole};
my $version = integer(0);
for (['an OID of no octets' => spki => seq(seq(der(0x06)), bits('x'))],
     ['an OID that does not end' => spki => seq(seq(der(0x06, "\x2a\x86")),
                                                bits('x'))],
     ['an OID with a leading 0x80' => spki => seq(seq(der(0x06, "\x80\x01")),
                                                  bits('x'))],
     ['an OID of 10000 octets' => spki => seq(seq(der(0x06, "\x2a"
         . "\x81" x 9_998 . "\x01")), bits('x'))],
     ['an attribute of a long OID' => attributes => [seq(der(0x06, "\x2a"
         . "\x81" x 9_998), set(null()))]],
     ['an INTEGER of no octets' => version => der(0x02)],
     ['an INTEGER of 60000 octets' => version => der(0x02, "\1" x 60_000)],
     ['a version with a leading zero' => version => der(0x02, "\0\0")],
     ['8 unused bits' => spki => seq($algorithm, der(0x03, "\x08",
                                                     substr $point, 1))],
     ['255 unused bits' => spki => seq($algorithm, der(0x03, "\xff",
                                                       substr $point, 1))],
     ['an empty BIT STRING' => spki => seq($algorithm, der(0x03))],
     ['a key of no bits' => spki => seq($algorithm, bits(''))],
     ['unused bits in the signature' => signature => der(0x03, "\1",
         substr content($sig), 1)],
     ['a constructed BIT STRING' => spki => seq($algorithm,
         der(0x23, der(0x03, $point)))])
{
    my ($name, $field, $value) = @$_;
    my $r = ask(forged($field => $value));

    # of BER that is read, DER is made
    if ($name =~ /^a constructed/ && $r->{status} eq '200') {
        is(cert_fields($t->issued($r))->{spki}, $spki, "$name: made DER");
        $state = $t->state;
        next;
    }
    refused_($r, $name);
}
cmp_ok(time - $time, '<', 10, 'all that in little time');

# nothing happened

is($t->state, $state, 'nothing is left in Redis');
is(ask($der)->{status}, 200, 'a good one goes on working');
ok(Enroll::alive($worker), 'the worker is the one of the beginning');
is(scalar($t->workers), 1, 'and there was no other');

$conn->close;
$t->done;

##############################################################################

sub ask {
    my ($body) = @_;
    my $r = $conn->post('simpleenroll', data => $body, timeout => 5);
    $conn = $t->connect
        if ($r->{headers}{connection} // 'close') eq 'close';
    return $r;
}

sub forged { return $t->forge(name => 'k', @_)->{der} }

sub refused_ {
    my ($r, $name) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    $t->refused($r, 400, $r->{reason} // 'none', $name);
}
