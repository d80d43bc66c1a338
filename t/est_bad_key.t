#!/usr/bin/perl

# Copyright (C) The nginx-enroll authors

# Public keys that are malformed, weak or of a kind that is not taken (BAD-055
# to BAD-059).
#
# Conformance: EST-092 P10-007 P10-009 BAD-055 BAD-056 BAD-057 BAD-058
#   BAD-059

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Digest::SHA ();
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
    enroll_profile full { rsa_check full; }

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

        location /full/ {
            est devices profile=full;
            est_auth none;
            enroll_names any;
        }
    }
CONF
$t->run;
$t->key('k');
$t->key('rsa', 'rsa:2048');

my $conn = $t->connect;

is(ask()->{status}, 200, 'a request without anything odd');
my $state = $t->state;

##############################################################################

# keys

my $p256 = seq(oid('1.2.840.10045.2.1'), oid('1.2.840.10045.3.1.7'));
my $point = substr((kids(content(spki($t->dir('k.key')))))[1]{content}, 1);
my ($x, $y) = (substr($point, 1, 32), substr($point, 33, 32));

for (['infinity', "\0"], ['off the curve', "\4$x" . ~$y],
     ['x >= p', "\4" . "\xff" x 32 . $y],
     ['compressed, no such x', "\2" . "\xff" x 32],
     ['hybrid form', chr(6 + (ord(substr $y, -1) & 1)) . $x . $y],
     ['too short', substr $point, 0, 64], ['too long', "$point\0"],
     ['an unknown form', "\5$x$y"], ['empty', ''])
{
    bad("EC: $_->[0]", spki => seq($p256, bits($_->[1])));
}
bad("EC: $_->[0]", spki => seq(seq(oid('1.2.840.10045.2.1'), $_->[1]),
                               bits($point)))
    for ['implicit curve', null()], ['an unknown curve', oid('1.2.3.4')],
        ['a binary curve', oid('1.3.132.0.39')], ['no parameters', ''],
        ['secp160r1', oid('1.3.132.0.8')];

for my $o (['explicit parameters', 'P-256', 'ec_param_enc:explicit'],
           ['secp256k1', 'secp256k1'], ['secp224r1', 'secp224r1'],
           ['brainpoolP256r1', 'brainpoolP256r1'])
{
    my ($name, $curve, @enc) = @$o;
    my $file = $t->dir("$curve@enc.key" =~ tr/://dr);
    $t->openssl('genpkey', '-algorithm', 'EC', '-pkeyopt',
        "ec_paramgen_curve:$curve", (map { ('-pkeyopt', $_) } @enc),
        '-out', $file);
    bad("EC: $name", key => $file);
}

my $n = rsa_modulus();
my $e = integer(65537);
for (['modulus 0', integer(0), $e], ['modulus 1', integer(1), $e],
     ['even modulus', der(2, substr($n, 0, -1) . "\0"), $e],
     ['negative modulus', der(2, substr $n, 1), $e],
     ['512 bits', der(2, "\0" . "\xc5" x 64), $e],
     ['1024 bits', der(2, "\0" . "\xc5" x 128), $e],
     ['16384 bits and more', der(2, "\0" . "\xc5" x 2049), $e],
     ['65536 bits', der(2, "\0" . "\xc5" x 8192), $e],
     ['a modulus of small factors', der(2, "\0" . "\xff" x 256), $e],
     ['exponent 0', der(2, $n), integer(0)], ['exponent 1', der(2, $n),
     integer(1)], ['exponent 2', der(2, $n), integer(2)],
     ['exponent 3', der(2, $n), integer(3)],
     ['exponent 65536', der(2, $n), integer(65536)],
     ['negative exponent', der(2, $n), integer("\xff")],
     ['exponent of 2048 bits', der(2, $n), der(2, $n)],
     ['no exponent', der(2, $n), ''], ['three numbers', der(2, $n), $e . $e])
{
    my ($name, @parts) = @$_;
    bad("RSA: $name", name => 'rsa', spki => rsa_spki(@parts));
}
bad('RSA: parameters that are not NULL', name => 'rsa', spki => seq(
    seq(oid('1.2.840.113549.1.1.1'), integer(1)),
    (kids(content(spki($t->dir('rsa.key')))))[1]{whole}));
bad('RSA: not a SEQUENCE', name => 'rsa', spki => seq(
    seq(oid('1.2.840.113549.1.1.1'), null()), bits(integer(1))));

# a modulus that is a prime: nothing about it is secret, and signatures by it
# verify; where the profile looks for it

SKIP: {
    skip('no python3', 3) if !grep { -x "$_/python3" } split /:/, $ENV{PATH};

    my $csr = prime_csr();
    $t->refused(ask(der => $csr, prefix => '/full/'), 400, 'malformed_key',
        'a prime modulus');
    is(ask(der => $csr)->{status}, 200,
        'rsa_check quick, the default, does not look for it');
    is(ask(name => 'rsa', prefix => '/full/')->{status}, 200,
        'a good RSA key is taken');
    $state = $t->state;
}

for my $alg (['Ed25519', '1.3.101.112', 32], ['Ed448', '1.3.101.113', 57]) {
    my ($name, $oid, $size) = @$alg;
    bad("$name: a key of $_ octets",
        spki => seq(seq(oid($oid)), bits("\1" x $_)))
        for 0, $size - 1, $size + 1;
}
bad('X25519, which cannot sign', spki => seq(seq(oid('1.3.101.110')),
                                             bits("\1" x 32)));
bad('an unknown kind of key', spki => seq(seq(oid('1.2.3.4')), bits('x')));
bad('DSA', spki => seq(seq(oid('1.2.840.10040.4.1')), bits(integer(5))));
bad('an empty key', spki => seq());

# keys that are in use by this service

my $r = ask(key => $t->dir('ca.key'));
$t->refused($r, 400, 'key_reserved', 'the CA\'s own key');

is($t->state, $state, 'nothing of all this is left in Redis');

# what is odd, but not wrong

$r = ask(spki => seq($p256, bits(chr(2 + (ord(substr $y, -1) & 1)) . $x)));
is($r->{status}, 200, 'fine: a compressed point');

unlike($t->log, qr/[^\n\x20-\xff]/, 'no control character is in the log');

$conn->close;
$t->done;

##############################################################################

sub ask {
    my %o = (name => 'k', @_);
    my $csr = $o{der} ? { b64 => b64($o{der}) }
              : $o{key} ? { b64 => b64(forge_csr(%o)) } : $t->forge(%o);
    my $r = $conn->post('simpleenroll', csr => $csr, timeout => 5,
                        $o{prefix} ? (prefix => $o{prefix}) : ());
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

sub rsa_modulus {
    my $bits = (kids(content(spki($t->dir('rsa.key')))))[1]{content};
    return (kids(content(substr $bits, 1)))[0]{content};
}

# a request that is well signed by a key with a prime modulus
sub prime_csr {
    my ($p) = $t->openssl('prime', '-generate', '-bits', '2048', '-hex')
        =~ /([0-9A-F]{512})/;
    my $info = seq(integer(0), name(CN => 'prime'),
        rsa_spki(der(2, "\0" . pack 'H*', $p), integer(65537)), ctx(0));
    my $hash = seq(seq(oid('2.16.840.1.101.3.4.2.1'), null()),
                   der(4, Digest::SHA::sha256($info)));
    my $em = "\0\1" . "\xff" x (253 - length $hash) . "\0$hash";
    my ($rc, $s) = $t->command('python3', '-c',
        'import sys; p, m = (int(x, 16) for x in sys.argv[1:]);'
        . 'print("%0512x" % pow(m, pow(65537, -1, p - 1), p))',
        $p, unpack 'H*', $em);
    die "python3: $s" if $rc;
    $s =~ s/\s//g;
    return seq($info, seq(oid('1.2.840.113549.1.1.11'), null()),
               bits(pack 'H*', $s));
}

sub rsa_spki {
    return seq(seq(oid('1.2.840.113549.1.1.1'), null()), bits(seq(@_)));
}
