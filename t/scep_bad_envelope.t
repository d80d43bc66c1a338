#!/usr/bin/perl

# Copyright (C) The nginx-enroll authors

# Envelopes that are not what they should be.  From the private key on there is
# one answer, whatever it is that does not fit.
#
# Conformance: SCEP-031 SCEP-059 SCEP-060 BAD-106 BAD-118 BAD-119 BAD-120
#   BAD-121 BAD-122 BAD-123 BAD-124 BAD-125

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
my $c = $s->client('dev1');
my $other = $s->client('dev2');
my $ca = $s->der_of('ca');
my $p7 = '1.2.840.113549.1.7';
my $aes = '2.16.840.1.101.3.4.1.2';
my $iv = EnrollSCEP::random_octets(16);
my $csr = forge_csr(key => $c->{key}, subject => name(CN => 'dev1'),
                    attributes => [challenge(printable('secret'))]);

##############################################################################

# what does not matter

my $ski = cert_fields($ca)->{exts}{oid('2.5.29.14')}{value};

for my $good (
    ['as usual'],
    ['by subjectKeyIdentifier', rid => der(0x80, content($ski)),
     ktri_version => integer(2), env_version => integer(2)],
    (map { ["version $_", env_version => integer($_)] } 2, 9),
    ['unprotectedAttrs', unprotected => ctx(1,
        attribute('1.2.3.4', octets('x' x 5000)))],
    ['originatorInfo', originator => ctx(0, ctx(0, octets('x')))],
    ['rsaEncryption without NULL', key_alg => seq(oid('1.2.840.113549.1.1.1'))])
{
    my ($name, %o) = @$good;
    my ($r, $m) = asked(%o);
    $s->issued($r, $m, "taken: $name");
}
my $certs = $t->keys('*:cert:*');

##############################################################################

# before a private key is used

my @env = (2, 'malformed_envelope');
my @alg = (0, 'message_algorithm');
my $sha1 = EnrollSCEP::digest_alg('sha1');
my $mgf = oid('1.2.840.113549.1.1.8');

sub oaep { seq(oid('1.2.840.113549.1.1.7'), @_) }
sub cipher_alg { my $oid = shift; return (cipher_alg => seq(oid($oid), @_)) }

for my $bad (
    ['the request itself', @env, envelope => $csr],
    ['one octet', @env, envelope => '0'],
    ['a SignedData', @env, env_type => "$p7.2"],
    ['something behind it', @env, behind => "\0"],
    ['no recipient', @env, recipients => sub { set() }],
    ['two recipients', @env, recipients => sub { set($_[0], $_[0]) }],
    ['200 recipients', @env, recipients => sub { set(($_[0]) x 200) }],
    ['a KEK recipient', @env, recipients => sub { set(ctx(2, integer(4))) }],
    ['another recipient', @env, recipients => sub { set(ctx(4, oid('1.2.3'))) }],
    ['key agreement', @alg, recipients => sub { set(ctx(1, integer(3))) }],
    ['a password', @alg, recipients => sub { set(ctx(3, integer(0))) }],
    ['an unknown inner type', @env, inner_type => '1.2.3.4'],
    ['signedData inside', @env, inner_type => "$p7.2"],
    ['RSA-KEM', @alg, key_alg => seq(oid('1.2.840.113549.1.9.16.3.14'))],
    ['an unknown key transport', @alg, key_alg => seq(oid('1.2.3.4'))],
    ['RSA with parameters', @alg,
     key_alg => seq(oid('1.2.840.113549.1.1.1'), seq())],
    ['OAEP without parameters', @alg, key_alg => oaep()],
    ['OAEP of an unknown digest', @alg,
     key_alg => oaep(seq(ctx(0, seq(oid('1.2.3.4')))))],
    ['OAEP of MD5', @alg,
     key_alg => oaep(seq(ctx(0, EnrollSCEP::digest_alg('md5'))))],
    ['OAEP of another mask', @alg,
     key_alg => oaep(seq(ctx(1, seq(oid('1.2.3.4'), $sha1))))],
    ['OAEP of a mask of nothing', @alg, key_alg => oaep(seq(ctx(1, seq($mgf))))],
    ['OAEP with a label', @alg, key_alg => oaep(seq(ctx(2,
        seq(oid('1.2.840.113549.1.1.9'), octets('label')))))],
    (map { ["cipher $_->[0]", @alg, cipher_alg($_->[1], octets('x' x 8))] }
        ['DES', '1.3.14.3.2.7'], ['3DES', '1.2.840.113549.3.7'],
        ['RC2', '1.2.840.113549.3.2'], ['RC4', '1.2.840.113549.3.4'],
        ['ChaCha20-Poly1305', '1.2.840.113549.1.9.16.3.18'],
        ['AES-128-ECB', '2.16.840.1.101.3.4.1.1'], ['unknown', '1.2.3.4']),
    ['AES-GCM without AuthEnvelopedData', @alg,
     cipher_alg('2.16.840.1.101.3.4.1.6', seq(octets('x' x 12)))],
    ['no IV', @env, cipher_alg($aes)],
    ['an IV that is NULL', @env, cipher_alg($aes, null())],
    ['an IV that is an INTEGER', @env, cipher_alg($aes, integer(1))],
    (map { ["an IV of $_", @env, cipher_alg($aes, octets('x' x $_))] }
        0, 8, 15, 17, 5000))
{
    my ($name, $n, $reason, %o) = @$bad;
    my ($r, $m) = asked(%o);
    $s->failed($r, $m, $n, $reason, "refused: $name");
}

##############################################################################

# from there on

my %same;

for my $bad (
    ['for another', rid => EnrollSCEP::issuer_and_serial($other->{cert})],
    ['an unknown key identifier', rid => der(0x80, 'x' x 20)],
    ['encrypted to another key', ra => $other->{cert},
     rid => EnrollSCEP::issuer_and_serial($ca)],
    (map { ["an encryptedKey of $_", encrypted_key => 'x' x $_] }
        0, 1, 255, 256, 257, 5000),
    ['an encryptedKey of zeros', encrypted_key => "\0" x 256],
    (map { ["a key of $_", encrypted_key =>
            $s->rsa_encrypt($ca, 'k' x $_, undef)] } 0, 1, 15, 16, 17, 24, 200),
    ['PKCS #1 said, OAEP done',
     encrypted_key => $s->rsa_encrypt($ca, 'k' x 16, 'sha1')],
    ['OAEP said, PKCS #1 done', key_alg => oaep(seq())],
    ['no content', encrypted => ''],
    (map { ["a content of $_", ciphertext => 'x' x $_] } 0, 1, 15, 16, 17, 4096),
    ['bad padding', data => 'x' x 32, enc_args => ['-nopad']],
    ['padding of 17', data => "\x11" x 32, enc_args => ['-nopad']],
    ['the last block is cut off', cut => 16],
    ['nothing inside', data => ''],
    ['an octet', data => '0'],
    ['PEM', data => pem($csr)],
    ['two requests', data => $csr . $csr],
    ['something behind', data => "$csr\0\0"],
    ['an envelope', data => $s->envelope({ cipher => 'aes-128-cbc' },
                                         data => $csr)],
    ['IssuerAndSubject', data => seq(cert_fields($ca)->{subject},
                                     name(CN => 'dev1'))],
    ['a certificate', data => $c->{cert}],
    ["another's request", data => forge_csr(key => $other->{key},
        attributes => [challenge(printable('secret'))])])
{
    my ($name, %o) = @$bad;
    my ($r, $m) = asked(%o);
    $s->failed($r, $m, 2, 'envelope_not_opened', "not opened: $name");
    my $a = $s->open($r, $m);
    $same{join ' ', map { $_ // '' } @{$a}{qw(failinfo text digest)},
          length $r->{body}, $r->{head} =~ s/Date: .*//r}++;
}
is(scalar keys %same, 1, 'all of them alike') or diag(explain(\%same));

is(scalar $t->keys('*:cert:*'), $certs, 'nothing was issued');
is($t->open_txns, '', 'no transaction is open');
my ($r, $m) = asked();
$s->issued($r, $m, 'and the server serves on');
$t->done;

##############################################################################

sub asked {
    my (%o) = @_;
    my ($cut, $behind) = delete @o{qw(cut behind)};
    my $m = { cipher => 'aes-128-cbc' };
    $o{envelope} //= $s->envelope($m, data => $csr, %o);

    if ($cut) {
        my $key = EnrollSCEP::random_octets(16);
        my $text = $s->encrypt('aes-128-cbc', $key, $iv, $csr);
        $o{envelope} = $s->envelope($m, content_key => $key, iv => $iv,
                                    ciphertext => substr $text, 0, -$cut);
    }
    $o{envelope} .= $behind if defined $behind;
    my $new = $s->message($c, type => 19, envelope => $o{envelope});
    return ($s->send($new), $new);
}
