#!/usr/bin/perl

# Copyright (C) The nginx-enroll authors

# cacerts: whom it is open to, what is in the bag, and in what form.
#
# Conformance: EST-001 EST-024 EST-025 EST-070 EST-071 EST-072 EST-073
#   EST-074 EST-075 EST-076 EST-077 EST-080 EST-081 EST-083 HTTP-001
#   HTTP-002 HTTP-016 BAD-020 BAD-026

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use Enroll;
use EnrollDER;

##############################################################################

my $t = Enroll->new;

# a two-tier CA, a CA that is rolled over, and a stranger

$t->ca('root');
$t->ca('sub', issuer => 'root');
$t->ca('old', subject => '/CN=devices');
$t->ca('new', subject => '/CN=devices');
$t->ca('next', subject => '/CN=devices 2');
$t->ca('stranger');
$t->client('foreign', 'stranger');
$t->conf(<<'CONF');
    enroll_redis unix:%%DIR%%/redis.sock;

    enroll_ca two {
        certificate %%DIR%%/sub.crt;
        certificate_key %%DIR%%/sub.key;
    }

    enroll_ca rolled {
        certificate %%DIR%%/new.crt;
        certificate_key %%DIR%%/new.key;
        previous_certificate %%DIR%%/old.crt;
        next_certificate %%DIR%%/next.crt;
    }

    gzip on;
    gzip_types *;
    gzip_min_length 1;

    server {
        listen 127.0.0.1:%%PORT_tls%% ssl;
        %%TLS%%
        ssl_verify_client optional_no_ca;
        ssl_client_certificate %%DIR%%/root.crt;

        location /.well-known/est/ { est two; }
        location /.well-known/est/rolled/ { est rolled; }
        location /.well-known/est/closed/ { est two; est_auth certificate; }
    }
CONF
$t->run;

##############################################################################

my $r = $t->est('cacerts');
is($r->{status}, 200, 'open to all');
is($r->{type}, 'application/pkcs7-mime', 'type');
is($r->{headers}{'content-transfer-encoding'}, 'base64',
    'Content-Transfer-Encoding');
is($r->{headers}{'content-length'}, length $r->{body}, 'Content-Length');

my @bag = $t->certs($r);
my ($sub, $root) = map { unpem($t->read("$_.crt")) } 'sub', 'root';
is_deeply([sort @bag], [sort $sub, $root],
    'the issuing certificate and its root, each once');
is_deeply(\@bag, [sort { $a cmp $b } @bag], 'in the order of DER');

# a certificate issued by the CA verifies by the bag

$t->write('bag.pem', join '', map { pem($_, 'CERTIFICATE') } @bag);
$t->client('leaf', 'sub');
like(($t->command('openssl', 'verify', '-CAfile', $t->dir('root.crt'),
        '-untrusted', $t->dir('bag.pem'), $t->dir('leaf.crt')))[1],
    qr/: OK/, 'the bag completes the chain');

# roll-over

@bag = $t->certs($t->est('cacerts', prefix => '/.well-known/est/rolled/'));
my %in = map { $_ => 1 } @bag;
ok($in{unpem($t->read('new.crt'))}, 'the current certificate');
ok($in{unpem($t->read('next.crt'))}, 'the next one');
ok($in{unpem($t->read('old.crt'))}, 'the previous one');
is(scalar @bag, 3, 'and no other');

# whoever asks, however

is($t->est('cacerts', cert => 'foreign')->{status}, 200,
    'a client with a foreign certificate may ask');
is($t->est('cacerts', user => 'nobody:wrong')->{status}, 200,
    'a wrong password does not matter');
is($t->est('cacerts', prefix => '/.well-known/est/closed/')->{status}, 200,
    'est_auth is about enrolment only');

my $body = $r->{body};
for my $header ('Accept: text/html', 'Range: bytes=0-3', 'If-None-Match: *',
    'If-Modified-Since: Fri, 01 Jan 2100 00:00:00 GMT',
    'Accept-Encoding: gzip')
{
    $r = $t->est('cacerts', headers => [$header]);
    is($r->{status}, 200, "$header: 200");
    is($r->{body}, $body, "$header: the whole body");
    ok(!$r->{headers}{'content-encoding'}, "$header: not encoded");
}

is($t->est('cacerts?x=1')->{body}, $body, 'arguments do not matter');

# HEAD

my $c = $t->connect;
$c->write("HEAD /.well-known/est/cacerts HTTP/1.1\r\nHost: x\r\n\r\n");
$r = $c->response(head => 1);
is($r->{status}, 200, 'HEAD: 200');
is($r->{headers}{'content-length'}, length $body, 'HEAD: length of the body');
$c->write("GET /.well-known/est/cacerts HTTP/1.1\r\nHost: x\r\n\r\n");
is($c->response->{body}, $body, 'HEAD: no body, the connection goes on');
$c->close;

# the denied twins

for my $method ('POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS', 'PROPFIND') {
    $r = $t->est('cacerts', method => $method);
    $t->refused($r, 405, 'method_not_allowed', "$method: refused");
    is($r->{headers}{allow}, 'GET, HEAD', "$method: Allow");
}

$t->done;
