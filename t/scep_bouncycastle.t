#!/usr/bin/perl

# Copyright (C) The nginx-enroll authors

# Bouncy Castle, by a program that is compiled here: OAEP, BER in pieces,
# AES-GCM in AuthEnvelopedData, EC clients; the answers mirror the requests.
#
# Debian packages: default-jdk-headless (or another javac), libbcprov-java,
# libbcpkix-java.
#
# Conformance: SCEP-034 SCEP-050 SCEP-051 SCEP-057

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use Enroll;
use EnrollClients;
use EnrollDER;
use EnrollRA;

##############################################################################

my $t = Enroll->new;
my $lacks = bouncycastle_lacks();
plan(skip_all => $lacks) if $lacks;
is(bouncycastle_compile($t), '', 'the client compiles');

ra_files($t);
$t->conf(ra_cas() . <<'CONF' . ra_locations('') . "    }\n");
    scep_challenge secret;

    server {
        listen 127.0.0.1:%%PORT_plain%%;
        location /manual/ { scep ec; enroll_approval manual; }
        location /legacy/ { scep ec; scep_legacy sha1 des3; }
        location /api/ {
            enroll_api $arg_ca guard=address allow=127.0.0.1;
        }
CONF
$t->run;

# the identifiers that answers have

my %oid = (
    pkcs1 => '1.2.840.113549.1.1.1', oaep => '1.2.840.113549.1.1.7',
    AES128_CBC => '2.16.840.1.101.3.4.1.2',
    AES192_CBC => '2.16.840.1.101.3.4.1.22',
    AES256_CBC => '2.16.840.1.101.3.4.1.42',
    AES128_GCM => '2.16.840.1.101.3.4.1.6',
    AES256_GCM => '2.16.840.1.101.3.4.1.46',
    DES_EDE3_CBC => '1.2.840.113549.3.7',
    SHA1 => '1.3.14.3.2.26', SHA256 => '2.16.840.1.101.3.4.2.1',
    SHA384 => '2.16.840.1.101.3.4.2.2', SHA512 => '2.16.840.1.101.3.4.2.3',
);

# keys, with a certificate of their own making

$t->cert('dev-rsa', key => 'rsa:2048', subject => '/O=Example/CN=dev1');
$t->cert('dev-ec', subject => '/O=Example/CN=dev1');

##############################################################################

# enrolments: [CA, key, options, in words]

my @good;
for my $ca (@RAS) {
    push @good, [$ca, 'dev-rsa', {}, 'as usual'],
        [$ca, 'dev-rsa', { oaep => 'SHA-1' }, 'OAEP'],
        [$ca, 'dev-rsa', { ber => 1 }, 'BER'],
        [$ca, 'dev-rsa', { cipher => 'AES128_GCM' }, 'GCM'],
        [$ca, 'dev-ec', {}, 'an EC client'];
}
push @good,
    ['ec', 'dev-rsa', { oaep => 'SHA-256', cipher => 'AES256_GCM',
                        digest => 'SHA512' }, 'OAEP, GCM and SHA-512'],
    ['ec', 'dev-rsa', { oaep => 'SHA-512', ber => 1 }, 'OAEP and BER'],
    ['ec', 'dev-rsa', { ber => 1, cipher => 'AES256_GCM' }, 'GCM and BER'],
    ['ec', 'dev-rsa', { cipher => 'AES192_CBC', digest => 'SHA384' },
     'AES-192 and SHA-384'],
    ['ec', 'dev-ec', { cipher => 'AES256_CBC', digest => 'SHA512',
                       oaep => 'SHA-256', ber => 1 },
     'an EC client with OAEP and BER'],
    ['ec', 'dev-rsa', { at => 'legacy', cipher => 'DES_EDE3_CBC',
                        digest => 'SHA1' },
     'triple DES and SHA-1'];

my @answers = client(map { [@$_[0, 1], { challenge => 'secret', %{$_->[2]} }] }
                         @good);
my %had;
for my $i (0 .. $#good) {
    my ($ca, $key, $o, $name) = @{$good[$i]};
    my $ec = $key eq 'dev-ec';
    my %expected = (
        status => 0, recipient => $ec ? 'password' : 'key',
        cipher => $oid{$o->{cipher} // 'AES128_CBC'},
        digest => $oid{$o->{digest} // 'SHA256'},
        $ec ? () : (transport => $oid{$o->{oaep} ? 'oaep' : 'pkcs1'}),
    );
    my $der = $answers[$i]{der};
    is_deeply({ %{$answers[$i]}, der => 1 }, { %expected, der => 1 },
        "$ca, $name: mirrored");
    ra_checks($t, $ca, $der, $key, $name);
    $t->keep("$ca-$key", $der, $key) if $der && !$had{"$ca $key"}++;
}

# renewals, by both types, without the challenge; only a password can be the
# recipient of an answer to an EC client

my @renewals = map { ([$_, "$_-dev-rsa", { type => 17 }],
                      [$_, "$_-dev-rsa", { type => 19, oaep => 'SHA-1' }],
                      [$_, "$_-dev-ec", { type => 17, challenge => 'secret' }])
               } @RAS;
@answers = client(@renewals);
for my $i (0 .. $#renewals) {
    my ($ca, $key, $o) = @{$renewals[$i]};
    ra_checks($t, $ca, $answers[$i]{der}, $key,
        "renewal by $o->{type}, " . ($key =~ /(rsa|ec)$/)[0]);
}
is($t->count('renewed', $_), 3, "$_: three renewals") for @RAS;

# the denied twins, each with what there is no harm in telling

my $n = $t->count('issued', 'ec');
my %secret = (challenge => 'secret');
my @bad = (
    [['ec', 'dev-rsa', { challenge => 'wrong' }], 2, 'a wrong challenge'],
    [['ec', 'dev-rsa', {}], 2, 'no challenge'],
    [['ec', 'dev-ec', { challenge => 'wrong' }], 2,
     'a wrong challenge of an EC client'],
    [['ec', 'ec-dev-rsa', { type => 17, challenge => 'wrong' }], 2,
     'a renewal with a wrong challenge'],
    [['ec', 'ra-dev-rsa', { type => 17 }], 4,
     'a renewal of another CA\'s certificate'],
    [['ec', 'ec-dev-ec', { type => 17 }], 0,
     'an EC client that has nothing to encrypt to'],
    [['ec', 'dev-rsa', { %secret, cipher => 'DES_EDE3_CBC' }], 0,
     'triple DES'],
    [['ec', 'dev-rsa', { %secret, digest => 'SHA1' }], 0, 'SHA-1'],
    [['ec', 'dev-rsa', { %secret, ra => 'ra-ra' }], 2,
     'what is for another RA'],
    [['ec', 'dev-rsa', { %secret, ra => 'ra-ra', oaep => 'SHA-1' }], 2,
     'what is for another RA, by OAEP'],
    [['ec', 'dev-rsa', { type => 20, transaction => 'none' }], 4,
     'a poll of nothing'],
    [['ec', 'dev-rsa', { %secret, type => 18 }], 2, 'messageType 18'],
);
@answers = client(map { $_->[0] } @bad);
for my $i (0 .. $#bad) {
    is(($answers[$i]{status} // $answers[$i]{error}) . ' '
       . ($answers[$i]{fail} // '-'), "2 $bad[$i][1]", $bad[$i][2]);
}
is($t->count('issued', 'ec'), $n, 'nothing is issued for these');

# approval, with an RSA key and with an EC key, and only for the key that asked

my @ask = map { ['ec', "dev-$_", { %secret, at => 'manual',
                                   transaction => "wait-$_" }] } 'rsa', 'ec';
is_deeply([map { $_->{status} } client(@ask)], [3, 3], 'PENDING');
my @polls = map { [$_->[0], $_->[1], { %{$_->[2]}, type => 20 }] } @ask;
is_deeply([map { $_->{status} } client(@polls)], [3, 3], 'and polls wait');
is(ra_approve($t, 'ec', 'approve'), 2, 'two are approved');
my @other = map { ['ec', $_->[1] eq 'dev-ec' ? 'dev-rsa' : 'dev-ec', $_->[2]] }
            @polls;
is_deeply([map { $_->{fail} } client(@other)], [4, 4], 'not another key');
@answers = client(@polls);
ra_checks($t, 'ec', $answers[$_]{der}, $polls[$_][1], "CertPoll, $polls[$_][1]")
    for 0, 1;

$t->done;

##############################################################################

# sends a message for each [CA, key, options]; what came back, with der
sub client {
    my @answers = bouncycastle($t, map {
        my ($ca, $key, $o) = @$_;
        my %o = %$o;
        my $at = delete $o{at} // $ca;
        ['http://127.0.0.1:' . $t->port('plain') . "/$at/scep", $ca, $key, \%o]
    } @_);
    defined $_->{error} and diag($_->{error}) for @answers;
    return @answers;
}
