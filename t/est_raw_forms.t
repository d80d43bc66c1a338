#!/usr/bin/perl

# Copyright (C) The nginx-enroll authors

# The certificate alone as DER or PEM, for clients that ask so by Accept.
#
# Conformance: EST-123 HTTP-019

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
        }
    }
CONF
$t->run;

##############################################################################

# est_repeat: every answer has the same certificate

my $csr = $t->csr;
my $der = $t->issued(ask());
like($t->x509($der, '-subject'), qr/dev1/, 'certs-only is the default');

for my $accept ('application/pkix-cert', 'APPLICATION/PKIX-CERT',
    'application/pkix-cert, */*', 'application/pkix-cert;q=0.9')
{
    my $r = ask($accept);
    is($r->{type}, 'application/pkix-cert', "$accept: type");
    is($r->{body}, $der, "$accept: the DER");
    is($r->{headers}{'content-length'}, length $der, "$accept: length");
    isnt($r->{headers}{'content-transfer-encoding'} // '', 'base64',
        "$accept: not said to be base64");
}

my $r = ask('application/x-pem-file');
is($r->{type}, 'application/x-pem-file', 'PEM: type');
is($r->{body}, pem($der, 'CERTIFICATE'), 'PEM: in lines of 64');

# what else is in Accept does not matter, and is never a 406

for my $accept ('*/*', 'text/html', 'application/pkcs7-mime', 'application/*',
    'application/pkix-certificate', 'x-application/pkix-cert', '', ',;=',
    'application/json;x="application/pkix-cert"')
{
    $r = ask($accept);
    is($r->{type}, 'application/pkcs7-mime; smime-type=certs-only',
        "Accept: $accept: certs-only");
    is($t->issued($r), $der, "Accept: $accept: the certificate");
}

# a refusal is text whatever Accept says

$t->refused($t->est('simpleenroll', data => '!', user => 'dev1:secret',
    headers => ['Accept: application/pkix-cert']), 400, 'bad_base64',
    'a refusal is text');

$t->done;

##############################################################################

sub ask {
    my ($accept) = @_;
    my $header = !defined $accept ? 'X-None: 1'
        : length $accept ? "Accept: $accept" : 'Accept;';
    return $t->est('simpleenroll', csr => $csr, user => 'dev1:secret',
                   headers => [$header]);
}
