#!/usr/bin/perl

# Copyright (C) The nginx-enroll authors

# Well-formed ASN.1 that is no acceptable certification request (BAD-052 to
# BAD-054): versions, attributes, signatures.
#
# Conformance: EST-014 EST-086 EST-107 EST-120 P10-001 P10-002 P10-008
#   BAD-052 BAD-053 BAD-054 BAD-070

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
$t->key('rsa', 'rsa:2048');

my $conn = $t->connect;

is(ask()->{status}, 200, 'a request without anything odd');
my $state = $t->state;

##############################################################################

# version and attributes

for (['version 1', version => integer(1)], ['version 2', version => integer(2)],
     ['version -1', version => integer("\xff")],
     ['version 2^64', version => integer("\1" . "\0" x 8)],
     ['no version', info => seq(name(CN => 'x'), spki($t->dir('k.key')),
                                 ctx(0))],
     ['attributes as [1]', attrs => ctx(1)],
     ['attributes as SET', attrs => set()],
     ['an attribute that is no SEQUENCE', attributes => [integer(1)]],
     ['an attribute without values', attributes => [attribute('1.2.3')]],
     ['an attribute whose values are no SET',
         attributes => [seq(oid('1.2.3'), seq(null()))]],
     ['an attribute of three parts',
         attributes => [seq(oid('1.2.3'), set(null()), null())]],
     ['1000 attributes',
         attributes => [map { attribute("1.2.3.$_", null()) } 1 .. 1000]])
{
    bad(@$_);
}
like(ask(info => seq(integer(0), name(CN => 'x'), spki($t->dir('k.key'))))
    ->{status}, qr/^(?:200|400)$/, 'no attributes at all: one or the other');
$state = $t->state;

# signatures

my $good = $t->forge(name => 'k');
my ($info, $alg, $sig) = csr_fields($good->{der});
my $ecdsa = sub { seq(oid("1.2.840.10045.4.$_[0]")) };
my $rsa = sub { seq(oid("1.2.840.113549.1.1.$_[0]"), null()) };
my $flipped = $sig;
substr $flipped, -1, 1, substr($sig, -1) ^ "\1";

bad('a flipped bit', signature => $flipped);
bad('an empty signature', signature => bits(''));
bad('a signature of 1 MB', signature => bits('x' x 1_000_000));
bad('a signature of nothing', signature => bits(seq(integer(0), integer(0))));
bad('another\'s signature', signature => (csr_fields(
    $t->forge(subject => name(CN => 'forged'))->{der}))[2]);
bad('RSA\'s algorithm, EC key', sigalg => $rsa->(11));
bad('ECDSA\'s algorithm, RSA key', name => 'rsa', sigalg => $ecdsa->('3.2'));
bad('no algorithm', sigalg => seq());
bad('id-alg-noSignature', sigalg => seq(oid('1.3.6.1.5.5.7.6.2'), null()));
bad('an unknown algorithm', sigalg => seq(oid('1.2.3.4')));
bad('SHA-1 with ECDSA', sigalg => $ecdsa->(1), digest => 'sha1');
bad('SHA-1 with RSA', name => 'rsa', sigalg => $rsa->(5), digest => 'sha1');
bad('MD5 with RSA', name => 'rsa', sigalg => $rsa->(4), digest => 'md5');
bad('MD2 with RSA', name => 'rsa', sigalg => $rsa->(2));
bad('RSA-PSS without parameters', name => 'rsa',
    sigalg => seq(oid('1.2.840.113549.1.1.10')));
bad("RSA-PSS with $_->[0]", name => 'rsa', sigalg => pss($_->[1]))
    for ['a salt of 10^9', ctx(2, integer("\x3b\x9a\xca\0"))],
        ['trailer 7', ctx(3, integer(7))],
        ['an unknown MGF', ctx(1, seq(oid('1.2.3')))];

is($t->state, $state, 'nothing of all this is left in Redis');

# what is odd, but not wrong

is(ask(@$_[1 .. $#$_])->{status}, 200, "fine: $_->[0]")
    for ['an unknown attribute', attributes => [attribute('1.2.3.4', null())]],
        ['SMIMECapabilities', attributes => [attribute('1.2.840.113549.1.9.15',
            seq())]],
        ['no attributes', attributes => []];

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

sub pss {
    return seq(oid('1.2.840.113549.1.1.10'), seq(
        ctx(0, seq(oid('2.16.840.1.101.3.4.2.1'))), @_));
}
