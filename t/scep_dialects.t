#!/usr/bin/perl

# Copyright (C) The nginx-enroll authors

# How devices talk: each transcript is one dialect, from the first question to
# the renewal.
#
# Conformance: DEV-007 DEV-016

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
$t->ra('ra', 'ca');
$t->conf(<<'CONF');
    enroll_redis unix:%%DIR%%/redis.sock;
    enroll_ca devices {
        certificate %%DIR%%/ca.crt;
        certificate_key %%DIR%%/ca.key;
        ra_certificate %%DIR%%/ra.crt;
        ra_certificate_key %%DIR%%/ra.key;
    }
    scep_challenge 0123456789ABCDEF;
    large_client_header_buffers 4 16k;

    server {
        listen 127.0.0.1:%%PORT_plain%%;
        location /certsrv/mscep/mscep.dll { scep devices; }
        location /scep { scep devices; }
        location /old { scep devices; scep_legacy sha1 md5 des3 des; }
    }
CONF
$t->run;

my $s = EnrollSCEP->new($t, ra => 'ra');
my $secret = '0123456789ABCDEF';
my %key_usage = (attributes => [extension_request(
    extension('2.5.29.15', der(0x03, "\x05\xa0"), 1))]);

##############################################################################

# Windows: OAEP, mscep.dll, message=default, a signer with a critical
# authorityKeyIdentifier, attributes of Microsoft's own, a PrintableString

my $c = $s->client('win', subject => name(CN => 'SCEP Protocol Certificate'),
    exts => [extension('2.5.29.35', seq(der(0x80, 'k' x 20)), 1)]);
my $path = '/certsrv/mscep/mscep.dll/pkiclient.exe';
asks($path, 'default', 'Windows');
my %how = (digest => 'sha256', cipher => 'aes-256-cbc', oaep => 'sha1',
    transaction => uc unpack('H*', 'k' x 20), attributes => [
        attribute('1.3.6.1.4.1.311.13.2.3', ia5('10.0.19045.2')),
        attribute('1.3.6.1.4.1.311.21.20', seq(integer(5), utf8('host'),
                                               utf8('user'), utf8('x.exe'))),
        attribute('1.3.6.1.4.1.311.13.2.2', seq(integer(1), text(0x1e, "\0x"),
                                                bits('')))]);
my $m = $s->request($c, challenge => $secret, %how);
my $der = $s->issued($s->send($m, path => $path,
    content_type => 'application/x-pki-message'), $m, 'Windows: PKCSReq');
$m = $s->request($s->holder($c, $der), %how, type => 17,
    csr_key => $t->key('win2', 'rsa:2048'), transaction => 'B' x 40);
$s->issued($s->send($m, path => $path), $m, 'Windows: RenewalReq');
wrong('Windows', $c, '/certsrv/mscep/mscep.dll', %how);

# iOS: BER, a nonce of 8 octets on old ones, base64 as it is in the query

$c = $s->client('ios');
asks('/scep', 'CAIdentifier', 'iOS');
$m = $s->request($c, challenge => $secret, nonce => 'octets 8',
                 transaction => 'a' x 40, %key_usage);
$m->{der} = EnrollSCEP::ber($m->{der}, 1024, $c->{cert});
$s->issued($s->send($m), $m, 'iOS: POST in BER');
$s->issued($s->send($m, get => raw64($m)), $m, 'iOS: again, by GET');
wrong('iOS', $c, '/scep', nonce => 'octets 8');

# macOS: by GET, though POST is there; AES-128, SHA-256

$c = $s->client('macos');
asks('/scep', '', 'macOS');
$m = $s->request($c, challenge => $secret);
$s->issued($s->send($m, get => raw64($m) =~ s/\+/%20/gr), $m,
    'macOS: GET, a plus became a space');

# Cisco: HTTP/1.0, no Host, /pkiclient.exe, DES and MD5, a subject other than
# the signer's; the answer is lost; PKCSReq by the old certificate renews

$c = $s->client('cisco', subject => name('1.2.840.113549.1.9.2' => 'r1.lan'));
my $cisco = '/old/pkiclient.exe';
asks($cisco, 'TRUSTPOINT', 'Cisco', 'HTTP/1.0');
for my $how ({ digest => 'md5', cipher => 'des-cbc' },
             { digest => 'sha1', cipher => 'des-ede3-cbc' }, {})
{
    my $name = 'Cisco: ' . join ' ', map { $_ // '-' } @{$how}{qw(digest cipher)};
    my %o = (%$how, subject => name(serialNumber => 'FTX1', CN => 'r1.lan'));
    my $m = $s->request($c, %o, challenge => $secret);
    my $get = "GET $cisco?operation=PKIOperation&message="
              . EnrollSCEP::query($m->{der}) . " HTTP/1.0\r\n\r\n";
    close $s->start($m, raw => $get);               # nobody reads the answer
    my $der = $s->issued($s->response($s->start($m, raw => $get)), $m, $name);
    $m = $s->request($s->holder($c, $der), %o);
    isnt($s->issued($s->send($m, path => $cisco), $m, "$name: 19 renews"),
        $der, 'another certificate');
    wrong($name, $c, $cisco, %o);
}

# Android, by Bouncy Castle: BER in pieces, a UTF8String, SHA-512, AES-256

$c = $s->client('android');
$m = $s->request($c, challenge => \utf8($secret), digest => 'sha512',
                 cipher => 'aes-256-cbc', transaction => 'Zm9v+/8=');
my $ber = $s->again({ %$m, envelope => EnrollSCEP::ber($m->{envelope}, 1000, '') });
$ber->{der} = EnrollSCEP::ber($ber->{der}, 1000, $c->{cert});
$s->issued($s->send($ber, content_type => 'application/octet-stream'), $ber,
    'Android: BER');
wrong('Android', $c, '/scep', digest => 'sha512');

# printers: plain HTTP, 3DES and SHA-1, a transactionID of 77 digits, one
# constant transaction for GetCert

$c = $s->client('printer');
$m = $s->request($c, challenge => $secret, digest => 'sha1',
                 cipher => 'des-ede3-cbc', transaction => '7' x 77);
$der = $s->issued($s->send($m, path => '/old', get => 1), $m, 'printer: GET');
for (1, 2) {
    my $m = $s->get_cert($s->holder($c, $der), EnrollSCEP::serial($der),
        transaction => 'SCEP', digest => 'sha1', cipher => 'des-ede3-cbc');
    is($s->issued($s->send($m, path => '/old'), $m, 'printer: GetCert'), $der,
        'its certificate');
}
$m = $s->request($c, challenge => $secret, digest => 'sha1',
                 cipher => 'des-ede3-cbc');
$s->failed($s->send($m), $m, 0, 'message_algorithm',
    'printer: not where the location names nothing', digest => 'sha256');

is($t->open_txns, '', 'no transaction is open');
$t->done;

##############################################################################

sub raw64 { EnrollSCEP::b64($_[0]{der}) =~ s/\n//gr }

# GetCACaps and GetCACert, as they are asked first
sub asks {
    my ($path, $message, $name, $http) = @_;
    for my $ask ([GetCACaps => 'text/plain'],
                 [GetCACert => 'application/x-x509-ca-ra-cert'])
    {
        my $r = $s->response($s->start('', raw => "GET $path?operation=$ask->[0]"
            . "&message=$message " . ($http // "HTTP/1.1\r\nHost: x\r\nConnection: "
            . 'close') . "\r\n\r\n"));
        is("$r->{status} $r->{type}", "200 $ask->[1]", "$name: $ask->[0]");
    }
}

sub wrong {
    my ($name, $c, $path, %o) = @_;
    delete $o{transaction};
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $m = $s->request($c, %o, challenge => 'WRONG');
    return $s->failed($s->send($m, path => $path), $m, 2, 'challenge_unknown',
        "$name: a wrong challenge");
}
