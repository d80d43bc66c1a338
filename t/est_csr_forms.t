#!/usr/bin/perl

# Copyright (C) The nginx-enroll authors

# Every form in which clients are known to send a certification request:
# DER, base64 of any line length, PEM also on one line, inside a PKCS #7.
#
# Conformance: EST-179 EST-180 EST-183 HTTP-022 BAD-030 BAD-036 BAD-039

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
$t->conf(<<'CONF');
    enroll_redis unix:%%DIR%%/redis.sock;
    enroll_ca devices {
        certificate %%DIR%%/ca.crt;
        certificate_key %%DIR%%/ca.key;
    }

    server {
        listen 127.0.0.1:%%PORT_tls%% ssl;
        %%TLS%%

        location /.well-known/est/ {
            est devices;
            est_basic_users %%DIR%%/users;
            est_repeat 0;
        }

        location /spooled/ {
            est devices;
            est_basic_users %%DIR%%/users;
            client_body_in_file_only clean;
        }

        location /small/ {
            est devices;
            est_basic_users %%DIR%%/users;
            client_body_buffer_size 1k;
        }
    }
CONF
$t->run;

##############################################################################

my $csr = $t->csr(name => 'dev1');
my $spki = csr_spki($csr->{der});
(my $line = $csr->{b64}) =~ s/\n//g;
my $conn = $t->connect;

ok(takes($csr->{b64}), 'base64 in lines of 64 (libest)');
ok(takes($line), 'base64 on one line (strongSwan)');
ok(takes("$line\n"), 'base64 on one line with a LF');
ok(takes(lines($line, 76, "\r\n")), 'base64 in CRLF lines of 76 (GlobalSign)');
ok(takes(lines($line, 1, "\r\n")), 'base64 in lines of one character');
ok(takes("\r\n\t $line \r\n\r\n"), 'white space around it');
ok(takes(("\n" x 5000) . $line), 'thousands of empty lines before it');
ok(takes($csr->{der}), 'DER');
ok(takes($csr->{pem}), 'PEM');
ok(takes(pem($csr->{der}, 'NEW CERTIFICATE REQUEST')), 'PEM of Netscape\'s');
ok(takes(crlf($csr->{pem})), 'PEM with CRLF');
ok(takes("\n\n$csr->{pem}\n\n"), 'PEM with empty lines around it');
ok(takes(join ' ', split /\n/, $csr->{pem}),
    'PEM squeezed on one line with spaces');
(my $joined = $csr->{pem}) =~ s/\n//g;
ok(takes($joined), 'PEM squeezed on one line without anything');
ok(takes($csr->{pem}, undef), 'without a Content-Type');
ok(takes($csr->{pem}, 'text/plain'),
    'under text/plain, as of DigiCert\'s curl');
ok(takes($csr->{pem}, 'application/x-www-form-urlencoded'),
    'under what curl says unasked');

# Content-Transfer-Encoding says nothing (RFC 8951)

for my $cte ('base64', 'binary', '7bit', 'quoted-printable', 'garbage') {
    ok(takes($csr->{b64}, 'application/pkcs10',
             "Content-Transfer-Encoding: $cte"),
        "base64 under Content-Transfer-Encoding: $cte");
}
ok(takes($csr->{der}, 'application/pkcs10',
         'Content-Transfer-Encoding: base64'),
    'DER under Content-Transfer-Encoding: base64');

# inside a PKCS #7

my $p7 = pkcs7($csr, 'dev1');
ok(takes($p7, 'application/pkcs7-mime'), 'in a PKCS #7, DER');
ok(takes(b64($p7), 'application/pkcs7-mime; smime-type=signed-data'),
    'in a PKCS #7, base64');
ok(takes(pem($p7, 'PKCS7')), 'in a PKCS #7, PEM');
ok(takes(b64($p7)), 'in a PKCS #7 under application/pkcs10');

# bodies in files, across the bounds of buffers

for my $prefix ('/spooled/', '/small/') {
    ok(takes($_, 'application/pkcs10', undef, $prefix),
        "$prefix: a body of " . length) for $csr->{b64}, $csr->{der},
            map { $line . "\n" x ($_ - length $line) } 1023, 1024, 1025, 2048;
}

# the denied twins

my $n = $t->count('issued');
(my $mixed = $csr->{pem}) =~ s/END CERTIFICATE/END NEW CERTIFICATE/;
refuses($mixed, 'bad_base64', 'PEM whose END is not that of its BEGIN');
refuses("$csr->{pem}$csr->{pem}", 'bad_base64', 'PEM twice');
refuses("Subject: me\n$csr->{pem}", 'bad_base64', 'PEM behind text');
refuses("$csr->{pem}trailer", 'bad_base64', 'text behind PEM');
refuses("-----BEGIN CERTIFICATE REQUEST-----\n", 'bad_base64', 'PEM cut off');
refuses(pem(unpem($t->read('ca.crt')), 'CERTIFICATE'), 'malformed_csr',
    'a certificate in place of a request');
refuses(b64(pkcs7({ der => 'nothing' }, 'dev1')), 'malformed_csr',
    'a PKCS #7 around something else');
is($t->count('issued'), $n, 'nothing is issued for these');

$conn->close;
$t->done;

##############################################################################

sub ask {
    my ($body, $type, $header, $prefix) = @_;
    my $r = $conn->post('simpleenroll', data => $body, type => $type,
        user => 'dev1:secret', headers => [$header // ()],
        prefix => $prefix // '/.well-known/est/');

    $conn = $t->connect if !$r->{status} || ($r->{headers}{connection} // '')
                                            eq 'close';
    return $r;
}

sub takes {
    my $r = ask(@_ > 1 ? @_ : (@_, 'application/pkcs10'));
    my $der = $t->issued($r);
    return $der && cert_fields($der)->{spki} eq $spki;
}

sub refuses {
    my ($body, $reason, $name) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    $t->refused(ask($body, 'application/pkcs10'), 400, $reason, $name);
}

sub lines { my ($s, $n, $end) = @_; $s =~ s/(.{1,$n})/$1$end/g; return $s }
sub crlf { my ($s) = @_; $s =~ s/\n/\r\n/g; return $s }

# a SignedData with any signer around it
sub pkcs7 {
    my ($csr) = @_;
    my $in = $t->write('p7.in', $csr->{der});
    $t->cert('signer') if !-e $t->dir('signer.crt');
    $t->openssl('cms', '-sign', '-binary', '-nodetach', '-in', $in, '-signer',
        $t->dir('signer.crt'), '-inkey', $t->dir('signer.key'), '-outform',
        'DER', '-out', $t->dir('p7.out'));
    return slurp($t->dir('p7.out'));
}
