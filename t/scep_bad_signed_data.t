#!/usr/bin/perl

# Copyright (C) The nginx-enroll authors

# Messages whose SignedData or signed attributes are not what they should be
# (the signature, the signer, the digests), each beside one that is good.
#
# Conformance: SCEP-027 SCEP-031 SCEP-032 SCEP-033 SCEP-048 SCEP-049
#   BAD-101 BAD-102 BAD-103 BAD-104 BAD-105 BAD-106 BAD-107 BAD-108
#   BAD-109 BAD-110 BAD-111 BAD-135

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
        location /scep { scep devices; }
    }
CONF
$t->run;

my $s = EnrollSCEP->new($t, ra => 'ca');
my $ski = extension('2.5.29.14', octets('k' x 20));
my $c = $s->client('dev1', exts => [$ski]);
my $other = $s->client('dev2');
my $base = $s->request($c, challenge => 'secret');
my $p7 = '1.2.840.113549.1.7';
my $crt = $c->{cert};

##############################################################################

# good ones: what does not matter

for my $good (
    ['as usual'],
    ['attributes in no order', unsorted => 1],
    ['attributes in no order, signed in order', unsorted => 1, sorts => 1],
    ['other certificates around', certs => ctx(0, $other->{cert},
        $s->der_of('ca'), $crt)],
    ['its certificate twice', certs => ctx(0, $crt, $crt)],
    ['an attribute certificate beside it', certs => ctx(0, ctx(1, seq()), $crt)],
    ['garbage beside it', certs => ctx(0, seq(octets('x')), $crt)],
    ['by subjectKeyIdentifier', sid => der(0x80, 'k' x 20),
     version => integer(3)],
    ['CRLs', crls => ctx(1, seq(octets('x' x 1000)), ctx(1, seq()))],
    ['no digestAlgorithms', digest_algs => set()],
    ['many digestAlgorithms', digest_algs => set(map {
        EnrollSCEP::digest_alg('sha384') } 1 .. 1000)],
    ['SHA-256 without NULL', digest_alg => seq(oid('2.16.840.1.101.3.4.2.1'))],
    ['sha256WithRSAEncryption', sig_alg => seq(oid('1.2.840.113549.1.1.11'),
                                               null())],
    ['unsigned attributes', unsigned => ctx(1, map {
        attribute('1.2.3.4', octets('x' x 1000)) } 1 .. 30)],
    ['another transactionID, unsigned', unsigned => ctx(1,
        attribute('2.16.840.1.113733.1.9.7', printable('other')))],
    ['countersignatures in countersignatures', unsigned => nested(3)])
{
    my ($name, %o) = @$good;
    my $m = $s->again($base, %o);
    $s->issued($s->send($m), $m, "taken: $name");
}
my $certs = $t->keys('*:cert:*');
is($certs, 1, 'all of them the same request: one certificate');

# the signer's own certificate is only for its key

for my $how (['signed with MD5', digest => 'md5'],
    ['with NUL and LF in its name', subject => name(CN => "x\0y\nX: z")],
    ['of a CA', exts => [extension('2.5.29.19', seq(bool(1)), 1)]])
{
    my ($name, %o) = @$how;
    my $m = $s->request(odd_signer(%o), challenge => 'secret');
    $s->issued($s->send($m), $m, "taken: a signer $name");
    $certs++;
}
unlike($t->log, qr/^X: z/m, 'error.log has no line of a client');

##############################################################################

# a CertRep, for what there is a signer to tell of

my $x = EnrollSCEP::random_octets(16);
my $md = '1.2.840.113549.1.9.4';
my @sig = (1, 'message_signature');
my @alg = (0, 'message_algorithm');
my @env = (2, 'malformed_envelope');

for my $bad (
    ['a bit of the signature', @sig, flip => 1],
    ['an empty signature', @sig, signature => ''],
    ['by another key', @sig, key => $other->{key}],
    ['a long signature', @sig, signature => 'x' x 5000],
    ['another messageDigest', @sig,
     attr => { messageDigest => attribute($md, octets('x' x 32)) }],
    ['an empty messageDigest', @sig,
     attr => { messageDigest => attribute($md, octets('')) }],
    ['messageDigest twice', @sig, more => [attribute($md, octets('x' x 32))]],
    ['a contentType that is not data', @sig, type_attr => "$p7.2"],
    ['a garbled certificate', 2, 'malformed_message',
     certs => ctx(0, seq(content($crt), null()))],
    ['no messageDigest', 2, 'malformed_scep_attribute',
     attr => { messageDigest => [] }],
    ['no contentType', 2, 'malformed_scep_attribute',
     attr => { contentType => [] }],
    ['an unknown digest', @alg, digest_alg => seq(oid('1.2.3.4'), null())],
    ['SHA-3', @alg, digest_alg => seq(oid('2.16.840.1.101.3.4.2.8'), null())],
    ['SHA-1', @alg, digest => 'sha1', reply => 'sha256'],
    ['MD5', @alg, digest => 'md5', reply => 'sha256'],
    ['SHA-224', @alg, digest => 'sha224', reply => 'sha256'],
    ['SHA-1 said, SHA-256 done', @alg,
     digest_alg => EnrollSCEP::digest_alg('sha1')],
    ['a digest with parameters', @alg,
     digest_alg => seq(oid('2.16.840.1.101.3.4.2.1'), octets('x'))],
    ['ecdsa-with-SHA256 by RSA', @alg, sig_alg => EnrollSCEP::ecdsa_alg('sha256')],
    ['sha1WithRSAEncryption', @alg,
     sig_alg => seq(oid('1.2.840.113549.1.1.5'), null())],
    ['DSA', @alg, sig_alg => seq(oid('1.2.840.10040.4.3'))],
    ['PSS without parameters', @alg,
     sig_alg => seq(oid('1.2.840.113549.1.1.10'))],
    ['an unknown signature', @alg, sig_alg => seq(oid('1.2.3.4'))],
    ['no content', @env, encap => seq(oid("$p7.1"))],
    ['an empty content', @env, encap => seq(oid("$p7.1"), ctx(0, octets('')))],
    ['a content that is no OCTET STRING', @env,
     encap => seq(oid("$p7.1"), ctx(0, seq(octets('x'))))],
    ['a content of type envelopedData', @env,
     encap => seq(oid("$p7.3"), ctx(0, octets($base->{envelope})))])
{
    my ($name, $n, $reason, %o) = @$bad;
    my $reply = delete $o{reply};
    my $m = $s->again($base, %o);
    $s->failed($s->send($m), $m, $n, $reason, "refused: $name",
        digest => $reply // 'sha256');
}

# the signer's key

for my $bad (['rsa:1024'], ['ed25519'], ['ec:P-224'], ['rsa-pss:2048']) {
    my $c = $s->client("bad-$bad->[0]" =~ tr/:/-/r, kind => $bad->[0]);
    my $m = $s->again({ %$base, client => $c }, sig_alg => seq(oid('1.2.3.4')),
                      $bad->[0] =~ /rsa/ ? () : (signature => 'x' x 64));
    $s->failed($s->send($m), $m, @alg, "refused: a signer with $bad->[0]");
}

##############################################################################

# an HTTP status, for what there is nobody to tell of

my $name = cert_fields($crt)->{issuer};
my $serial = der(0x02, pack 'H*', cert_fields($crt)->{serial});

for my $bad (
    (map { ["ContentInfo of $p7.$_", outer => "$p7.$_"] } 1, 3, 5, 6),
    ['an unknown ContentInfo', outer => '1.2.3.4'],
    ['an empty SignedData', signed => seq()],
    ['no content', der => seq(oid("$p7.2"))],
    ['a content of another tag', der => seq(oid("$p7.2"), ctx(1, seq()))],
    ['a content that is NULL', der => seq(oid("$p7.2"), ctx(0, null()))],
    ['countersignatures without end', unsigned => nested(200)],
    ['a SignedData that is none', signed => octets('x')],
    ['no SignerInfo', signer_infos => sub { set() }],
    ['two SignerInfos', signer_infos => sub { set($_[0], $_[0]) }],
    ['a good and a broken SignerInfo',
     signer_infos => sub { set($_[0], seq(integer(1))) }],
    ['many SignerInfos', signer_infos => sub { set(map { $_[0] } 1 .. 100) }],
    ['no certificates', certs => ''],
    ['an empty bag', certs => ctx(0)],
    ['only others', certs => ctx(0, $other->{cert}, $s->der_of('ca'))],
    ['very many certificates', certs => ctx(0, ($other->{cert}) x 100, $crt)],
    ['another serial', sid => seq($name, integer(1))],
    ['a negative serial', sid => seq($name, der(0x02, "\xff"))],
    ['a long serial', sid => seq($name, der(0x02, "\x7f" x 5000))],
    ['another issuer', sid => seq(name(CN => 'x'), $serial)],
    ['an empty issuer', sid => seq(seq(), $serial)],
    ['another key identifier', sid => der(0x80, 'x' x 20)],
    ['an empty key identifier', sid => der(0x80, '')],
    ['a sid that is none', sid => octets('x')],
    ['no attributes', attrs => ''],
    ['an empty SET of attributes', attrs => ctx(0)],
    ['attributes only unsigned', attrs => '', unsigned => ctx(1,
        attribute('2.16.840.1.113733.1.9.7', printable('1')),
        attribute('2.16.840.1.113733.1.9.5', octets($x)))])
{
    my ($name, %o) = @$bad;
    my $m = $o{der} // $s->again($base, %o);
    $s->refused($s->send($m), 400, 'malformed_message', "no answer: $name");
}

is(scalar $t->keys('*:cert:*'), $certs, 'nothing was issued');
is($t->open_txns, '', 'no transaction is open');
$t->done;

##############################################################################

sub nested {
    my ($depth) = @_;
    my $set = '';
    $set = ctx(1, attribute('1.2.840.113549.1.9.6', seq(integer(1), $set)))
        for 1 .. $depth;
    return $set;
}

# with a certificate that is signed otherwise than it says, or names much
sub odd_signer {
    my (%o) = @_;
    my $digest = delete $o{digest} or return $s->client('dev1', %o);
    my $c = $s->client('dev1', %o);
    my ($tbs) = kids(content($c->{cert}));
    return { %$c, cert => seq($tbs->{whole}, seq(
        oid('1.2.840.113549.1.1.4'), null()),
        bits(sign($c->{key}, $tbs->{whole}, $digest))) };
}
