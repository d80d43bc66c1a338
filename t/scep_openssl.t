#!/usr/bin/perl

# Copyright (C) The nginx-enroll authors

# SCEP with OpenSSL alone: openssl req, cms -encrypt, CMS_sign() (for signed
# attributes, which the command line cannot make); the answers are read by cms
# -verify, cms -decrypt and pkcs7.  Then one of each kind of damage.
#
# Conformance: SCEP-017 SCEP-034 SCEP-049 SCEP-057 SCEP-072 SCEP-092
#   BAD-121

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use Enroll;
use EnrollDER;
use EnrollRA;

##############################################################################

my $t = Enroll->new(need => ['cc']);
my ($rc, $out) = $t->command('cc', '-o', $t->dir('scep_sign'),
    "$FindBin::Bin/openssl/scep_sign.c", '-lcrypto');
plan(skip_all => "no libcrypto to compile with: $out") if $rc;

ra_files($t);
$t->ca('next', key => 'rsa:2048');
my $cas = ra_cas();
$cas =~ s/(    enroll_ca \w+ \{\n)/$1        next_certificate %%DIR%%\/next.crt;\n/g;
$t->conf($cas . <<'CONF' . ra_locations('') . "    }\n")->run;
    scep_challenge secret;
    scep_failure_limit off;

    server {
        listen 127.0.0.1:%%PORT_plain%%;
CONF

$t->cert($_, key => 'rsa:2048', subject => '/O=Example/CN=dev1')
    for 'dev', 'other';
$t->cert('ec-dev', subject => '/O=Example/CN=dev1');
my %text = (
    0 => 'badAlg', 1 => 'badMessageCheck', 2 => 'badRequest', 4 => 'badCertId');
my $n = 0;

##############################################################################

# each message type with each set-up

for my $ca (@RAS) {
    my $first = enrolled($ca, 'dev', "$ca: PKCSReq");
    $t->keep("$ca-held", $first, 'dev');
    my $serial = cert_fields($first)->{serial};

    my $new = enrolled($ca, 'other', "$ca: RenewalReq", type => 17,
        csr => csr('other'), key => 'dev', cert => "$ca-held");
    isnt($new && cert_fields($new)->{serial}, $serial,
        "$ca: another certificate");
    my $ec = enrolled($ca, 'ec-dev', "$ca: an EC key, by the challenge");
    is(enrolled($ca, 'dev', "$ca: GetCert", type => 21,
        data => issuer_and_serial($ca, $serial)), $first,
        "$ca: the certificate that was named");

    refused($ca, 4, "$ca: GetCert of none", type => 21,
        data => issuer_and_serial($ca, '01'));
    refused($ca, 2, "$ca: GetCRL", type => 22,
        data => issuer_and_serial($ca, $serial));
    refused($ca, 4, "$ca: CertPoll of nothing", type => 20,
        data => seq(ca_name($ca), ca_name($ca)));
    refused($ca, 2, "$ca: a wrong challenge", csr => csr('dev', 'wrong'));

    # GetNextCACert: signed by who answers here

    $t->write('next.p7', $t->curl(url($ca) . '?operation=GetNextCACert')
                         ->{body});
    $t->openssl('cms', '-verify', '-binary', '-inform', 'DER', '-in',
        $t->dir('next.p7'), '-CAfile', $t->dir("$ca.crt"), '-purpose', 'any',
        '-nointern', '-certfile', $t->dir(signer($ca) . '.crt'),
        '-out', $t->dir('next.inner'));
    is(pem_of($t->openssl('pkcs7', '-inform', 'DER', '-in',
        $t->dir('next.inner'), '-print_certs')), pem_of($t->read('next.crt')),
        "$ca: GetNextCACert");
}

# what the command line can do beside that

for my $how (['-aes192'], ['-aes256'], ['-aes128', 'oaep'], ['-aes256', 'oaep',
    'sha256'], ['-aes-128-gcm'], ['-aes-256-gcm', 'oaep'])
{
    my ($cipher, $oaep, $md) = @$how;
    enrolled('split', 'dev', join(' ', 'split:', map { $_ // () } @$how),
        cipher => $cipher, keyopt => [$oaep ? 'rsa_padding_mode:oaep' : (),
            $md ? ("rsa_oaep_md:$md", "rsa_mgf1_md:$md") : ()]);
}
enrolled('ec', 'dev', "ec: $_", digest => $_) for 'sha384', 'sha512';

##############################################################################

# damage, before it is signed: what is encrypted, to whom, how

my $issued = $t->count('issued', 'ec');
my @to = ('-recip', $t->dir('ec-ra.crt'));

for my $bad (
    [2, 'to another recipient', recipient => ['-recip', $t->dir('other.crt')]],
    [2, 'to another CA', recipient => ['-recip', $t->dir('rsa.crt')]],
    [2, 'to two recipients', recipient => [@to, '-recip',
                                           $t->dir('other.crt')]],
    [2, 'to a recipient and a password', recipient => [@to, '-pwri_password',
                                                       'x']],
    [0, 'to a password', recipient => ['-pwri_password', 'x']],
    [0, 'to an EC key', recipient => ['-recip', $t->dir('ec-dev.crt')]],
    [2, 'to a secret key', recipient => ['-secretkey', '0' x 32,
                                         '-secretkeyid', '01']],
    [0, 'triple DES', cipher => '-des3'],
    [0, 'SHA-1', digest => 'sha1'], [0, 'MD5', digest => 'md5'],
    [0, 'SHA-224', digest => 'sha224'],
    [2, 'text', data => "hello\n"], [2, 'nothing', data => ''],
    [2, "another's request", csr => csr('other')],
    [2, 'a request and more', data => $t->read(csr('dev')) . "\0"],
    [2, 'half a request', data => substr $t->read(csr('dev')), 0, 200],
    [1, 'a request with a broken signature', data => broken(csr('dev'), -1)],
    [2, 'a ciphertext that is cut off', cut => -20],
    [2, 'a ciphertext with a broken end', flip => -3],
    [2, 'type 18', type => 18], [2, 'type 3', type => 3],
    [4, 'type 17, self-signed', type => 17])
{
    my ($fail, $name, %o) = @$bad;
    refused('ec', $fail, "ec: $name", %o);
}

# and after: one octet in each part of the message

my $good = message('ec', 'dev');
my %part = (
    'the ciphertext' => index($good, "\x80\x82") + 400,
    'the recipient' => index($good, seq(oid('1.2.840.113549.1.1.1'), null())) + 60,
    'transactionID' => rindex($good, sprintf 'openssl-%03d', $n),
    'messageType' => rindex($good, printable('19')) + 3,
    'senderNonce' => rindex($good, 'nonce-') + 8,
    'messageDigest' => rindex($good, oid('1.2.840.113549.1.9.4')) + 20,
    'the signature' => length($good) - 20);
for my $part (sort keys %part) {
    my $bad = $good;
    substr($bad, $part{$part}, 1) ^= "\x01";
    my $a = answer('ec', 'dev', $bad);
    is("$a->{status} " . ($a->{fail} // ''), '2 1', "ec: an octet of $part");
}
for my $bad (['the last octet is missing', substr $good, 0, -1],
    ['half of it', substr $good, 0, length($good) / 2],
    ['the OID of SignedData', broken_at($good, 12)], ['a Name for it',
     ca_name('ec')], ['base64', b64($good)])
{
    my ($name, $der) = @$bad;
    $t->refused(post('ec', $der), 400, 'malformed_message', "ec: $name");
}
my $a = answer('ec', 'dev', "$good\0");
is("$a->{status} $a->{fail}", '2 2', 'ec: an octet behind it');

is($t->count('issued', 'ec'), $issued, 'nothing is issued for these');
$a = answer('ec', 'dev', $good);
is($a->{status}, 0, 'and the message itself is a good one');
$t->done;

##############################################################################

sub url { 'http://127.0.0.1:' . $t->port('plain') . "/$_[0]/scep" }

sub signer { my ($ca) = @_; $ca eq 'rsa' ? 'rsa' : "$ca-ra" }
sub opener { my ($ca) = @_; $ca eq 'split' ? 'split-enc' : signer($ca) }

sub ca_name { cert_fields(unpem($t->read("$_[0].crt")))->{subject} }

sub issuer_and_serial {
    my ($ca, $serial) = @_;
    return seq(ca_name($ca), der(0x02, pack 'H*', $serial));
}

# the file of a request by openssl req
sub csr {
    my ($key, $challenge) = @_;
    my $file = $t->dir(join '-', $key, $challenge // 'secret', 'csr');
    my $cnf = $t->write('csr.cnf', <<"CNF");
[req]
prompt = no
distinguished_name = dn
attributes = attributes
[dn]
O = Example
CN = dev1
[attributes]
challengePassword = @{[$challenge // 'secret']}
CNF
    $t->openssl('req', '-new', '-key', $t->dir("$key.key"), '-config', $cnf,
        '-outform', 'DER', '-out', $file) if !-e $file;
    return $file;
}

sub broken { my ($file, $at) = @_; broken_at($t->read($file), $at) }
sub broken_at { my ($s, $at) = @_; substr($s, $at, 1) ^= "\x01"; $s }

# A message: key (and cert) who signs, type, digest; csr (a file) or data;
# cipher, keyopt, recipient; cut or flip the envelope.
sub message {
    my ($ca, $key, %o) = @_;
    my $to = $o{recipient} // ['-recip', $t->dir(opener($ca) . '.crt'),
                               map { ('-keyopt', $_) } @{$o{keyopt} || []}];
    my $in = defined $o{data} ? $t->write('inner', $o{data})
             : $o{csr} // csr($key);
    my @key = ($o{key} // $key, $o{cert} // $o{key} // $key);

    $t->openssl('cms', '-encrypt', '-binary', '-outform', 'DER', '-in', $in,
        '-out', $t->dir('envelope'), $o{cipher} // '-aes128', @$to);
    $t->write('envelope', substr $t->read('envelope'), 0, $o{cut}) if $o{cut};
    $t->write('envelope', broken_at($t->read('envelope'), $o{flip}))
        if $o{flip};

    my ($rc, $out) = $t->command('sh', '-c', 'exec "$@" < "$0" > "$0.signed"',
        $t->dir('envelope'), $t->dir('scep_sign'), $t->dir("$key[0].key"),
        $t->dir("$key[1].crt"), $o{digest} // 'sha256', $o{type} // 19,
        sprintf('openssl-%03d', ++$n), sprintf('nonce-%09d', $n));
    die "scep_sign: $out" if $rc;
    return $t->read('envelope.signed');
}

sub post {
    my ($ca, $der) = @_;
    return $t->curl('-H', 'Content-Type: application/x-pki-message',
        '--data-binary', '@' . $t->write('post', $der),
        url($ca) . '?operation=PKIOperation');
}

# What came back { status, fail, certs }, verified and decrypted by openssl:
# with the key, or the challenge, as it is for.
sub answer {
    my ($ca, $key, $der) = @_;
    my $r = post($ca, $der);
    return { status => "HTTP $r->{status}" }
        if ($r->{type} // '') ne 'application/x-pki-message';

    my $in = $t->write('answer', $r->{body});
    my @in = ('-inform', 'DER', '-in', $in);
    my ($rc, $out) = $t->command('openssl', 'cms', '-verify', '-binary', @in,
        '-CAfile', $t->dir("$ca.crt"), '-purpose', 'any', '-nointern',
        '-certfile', $t->dir(signer($ca) . '.crt'),
        '-out', $t->dir('answer.env'));
    return { status => "unverified: $out" } if $rc;

    my $print = $t->openssl('cms', '-cmsout', '-print', '-noout', @in);
    my %v = $print =~ /\(2\.16\.840\.1\.113733\.1\.9\.(\d)\)
                       \s+(?:value\.)?set:\s+\w+:(\S*)/xg;
    my $a = { status => $v{3}, fail => $v{4}, type => $v{2} };
    return $a if ($v{3} // '') ne '0';

    my @with = $key =~ /^ec/ ? ('-pwri_password', 'secret')
        : ('-inkey', $t->dir("$key.key"));
    ($rc, $out) = $t->command('openssl', 'cms', '-decrypt', '-binary',
        '-inform', 'DER', '-in', $t->dir('answer.env'), @with,
        '-out', $t->dir('answer.p7'));
    return { status => "undecrypted: $out" } if $rc;
    $a->{certs} = [certs_in($t->openssl('pkcs7', '-inform', 'DER', '-in',
        $t->dir('answer.p7'), '-print_certs'))];
    return $a;
}

sub certs_in {
    return map { unpem($_) }
        $_[0] =~ /(-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----)/sg;
}

sub pem_of { join ' ', map { unpack 'H*', $_ } certs_in($_[0]) }

# a SUCCESS with one certificate, which is returned; '' without
sub enrolled {
    my ($ca, $key, $name, %o) = @_;
    my $a = answer($ca, $o{key} // $key, message($ca, $key, %o));
    my @certs = @{$a->{certs} || []};
    is("$a->{status}, " . @certs, '0, 1', $name);
    ra_checks($t, $ca, $certs[0], $key, $name);
    return $certs[0] // '';
}

sub refused {
    my ($ca, $fail, $name, %o) = @_;
    my $a = answer($ca, 'dev', message($ca, 'dev', %o));
    is("$a->{status} " . ($text{$a->{fail} // ''} // ''), "2 $text{$fail}",
        "refused: $name");
}
