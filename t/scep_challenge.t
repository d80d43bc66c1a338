#!/usr/bin/perl

# Copyright (C) The nginx-enroll authors

# The challengePassword: one for all, from the configuration or a file, or
# none.
#
# Conformance: SCEP-026 SCEP-028 SCEP-063 SCEP-064 SCEP-065 DEV-017
#   BAD-127

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
$t->write('challenge', "from a file\nnot this\n");
my $ca = <<'CONF';
    enroll_redis unix:%%DIR%%/redis.sock;
    enroll_ca devices {
        certificate %%DIR%%/ca.crt;
        certificate_key %%DIR%%/ca.key;
    }
CONF
$t->conf("$ca" . <<'CONF');
    server {
        listen 127.0.0.1:%%PORT_plain%%;
        location /scep { scep devices; scep_challenge "Secret 1"; }
        location /file { scep devices; scep_challenge file:%%DIR%%/challenge; }
        location /off {
            scep devices;
            scep_challenge off;
            enroll_approval off;
        }
        location /utf8 { scep devices; scep_challenge "d\xc3\xbc\xc3\x9f"; }
        location /long { scep devices; scep_challenge LONG; }
    }

    server {
        listen 127.0.0.1:%%PORT_tls%% ssl;
        %%TLS%%
        location /scep { scep devices; scep_challenge "Secret 1"; }
    }
CONF
my $long = 'x' x 255;
$t->conf($t->{http} =~ s/LONG/$long/r =~ s/\\x(..)/chr hex $1/ger)->run;

my $s = EnrollSCEP->new($t, ra => 'ca');
my $c = $s->client('dev1');

##############################################################################

ok(enrols('/scep', 'Secret 1'), 'the challenge');
ok(enrols('/file', 'from a file'), 'the challenge of a file');
ok(enrols('/off', undef), 'off: none is needed');
ok(enrols('/off', 'anything'), 'off: and none is looked at');
ok(enrols('/long', $long), '255 octets');

# any type of string has the same meaning

for my $type ([UTF8String => 0x0c], [PrintableString => 0x13],
    [T61String => 0x14], [IA5String => 0x16])
{
    ok(enrols('/scep', \text($type->[1], 'Secret 1')), $type->[0]);
}
ok(enrols('/scep', \text(0x1e, wide('Secret 1', 2))), 'BMPString');
ok(enrols('/scep', \text(0x1c, wide('Secret 1', 4))), 'UniversalString');
ok(enrols('/utf8', \utf8("d\xc3\xbc\xc3\x9f")), 'UTF-8');
ok(enrols('/utf8', \text(0x1e, "\0d\0\xfc\0\xdf")), 'the same as BMPString');

##############################################################################

# and the wrong ones: nothing is recorded

my $n = () = $t->keys('*:cert:*');

refuses('/scep', undef, 'challenge_required', 'none');
refuses('/file', undef, 'challenge_required', 'none, from a file');
for my $wrong ('secret 1', 'Secret 1 ', ' Secret 1', 'Secret', 'Secret 11',
    'Secret 1Secret 1', 'off', 'one-time', 'not this', 'from a file')
{
    refuses('/scep', $wrong, 'challenge_unknown', "'$wrong'");
}
refuses('/file', $_, 'challenge_unknown', 'of a file: wrong')
    for 'not this', "file:" . $t->dir('challenge');
refuses('/scep', \utf8("Secret 1\0"), qr/challenge_unknown|malformed_attribute/,
    'a NUL behind it');
refuses('/long', 'x' x 254, 'challenge_unknown', '254 octets');
refuses('/scep', \printable(''), qr/challenge_required|malformed_attribute/,
    'empty');

# what is no string, or not one of them

for my $bad ([OCTETS => octets('Secret 1')], [BOOLEAN => bool(1)],
    [NULL => null()], [INTEGER => integer(1)], [SEQUENCE => seq()])
{
    refuses('/scep', \$bad->[1], qr/malformed_(?:attribute|csr)/, $bad->[0]);
}
refuses('/scep', \text(0x1e, "\0S\0"), 'envelope_not_opened',
    'a BMPString that is none: this is no request');
for my $bad (
    ['two values', challenge(utf8('Secret 1'), utf8('Secret 2'))],
    ['no value', challenge()],
    ['twice', challenge(utf8('Secret 1')), challenge(utf8('Secret 1'))])
{
    my ($name, @attributes) = @$bad;
    my $m = $s->request($c, attributes => \@attributes);
    $s->failed($s->send($m), $m, 2, 'malformed_attribute', $name);
}

refuses('/long', 'x' x 4000, qr/challenge_unknown|malformed_attribute/,
    'of 4000 octets');

# over TLS nothing is relaxed

for ([undef, 'FAILURE 2 challenge_required'], ['x', 'FAILURE 2 challenge_unknown'])
{
    my ($challenge, $expected) = @$_;
    is(over_tls($challenge), $expected, "over TLS: $expected");
}

my @now = $t->keys('*:cert:*');
is(scalar @now, $n, 'nothing was issued');
is(over_tls('Secret 1'), 'SUCCESS', 'over TLS, with the challenge');
is($t->open_txns, '', 'no transaction is open');
unlike($t->log . $t->state, qr/Secret 1|from a file/, 'it is nowhere');

##############################################################################

# what the configuration must say

for my $bad (
    ['', '"scep" requires "scep_challenge"'],
    ['scep_challenge off;', 'lets anybody enrol'],
    ['scep_challenge "";', 'has no password'],
    ["scep_challenge @{['x' x 256]};", 'has no password'],
    ['scep_challenge a; scep_challenge b;', 'is duplicate'],
    ['scep_challenge file:%%DIR%%/nosuch;', 'nosuch'])
{
    my ($line, $expected) = @$bad;
    my ($rc, $out) = $t->nginx_t($ca . "server { location / { scep devices; "
                                 . "$line } }");
    ok($rc && $out =~ /\[emerg\].*\Q$expected/s, "nginx -t: $expected")
        or diag($out);
}
for my $good ('scep_challenge x;', 'scep_challenge off; enroll_approval off;',
    'scep_challenge off; enroll_approval manual;', 'scep_challenge one-time;')
{
    my ($rc, $out) = $t->nginx_t($ca . "server { location / { scep devices; "
                                 . "$good } }");
    is($rc, 0, "nginx -t: $good") or diag($out);
}

$t->done;

##############################################################################

sub wide {
    my ($s, $n) = @_;
    return join '', map { "\0" x ($n - 1) . $_ } split //, $s;
}

sub over_tls {
    my $m = $s->request($c, challenge => shift);
    return ($s->summary($t->curl('--data-binary', '@' . $t->write('m.der',
        $m->{der}), 'https://127.0.0.1:' . $t->port('tls') . '/scep'), $m))[0];
}

sub enrols {
    my ($path, $challenge) = @_;
    my $m = $s->request($c, challenge => $challenge);
    my ($got) = $s->summary($s->send($m, path => $path), $m);
    return $got eq 'SUCCESS';
}

sub refuses {
    my ($path, $challenge, $reason, $name) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $m = $s->request($c, challenge => $challenge);
    my ($got) = $s->summary($s->send($m, path => $path), $m);
    return like($got, qr/^FAILURE 2 (?:$reason)$/, "refused: $name");
}
