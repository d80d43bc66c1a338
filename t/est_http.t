#!/usr/bin/perl

# Copyright (C) The nginx-enroll authors

# EST over the ways of HTTP: chunked and slow bodies, keep-alive after a
# refusal, HTTP/1.0 and HTTP/2, limits, smuggled requests.
#
# Conformance: EST-012 EST-013 EST-034 EST-106 HTTP-006 HTTP-008 HTTP-009
#   HTTP-010 HTTP-017 HTTP-018 BAD-003 BAD-004 BAD-005 BAD-006 BAD-007
#   BAD-009 BAD-011 BAD-016 BAD-021 BAD-022

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

    est_basic_users %%DIR%%/users;
    client_body_timeout 2s;

    server {
        listen 127.0.0.1:%%PORT_tls%% ssl http2;
        %%TLS%%

        location /.well-known/est/ { est devices; }
        location /small/ { est devices; enroll_max_body_size 1k; }
        location /core/ { est devices; client_max_body_size 1k; }
    }
CONF
$t->run;

##############################################################################

my $csr = $t->csr;
my $body = $csr->{b64};
my @auth = ('Authorization: Basic ' . MIME::Base64::encode_base64(
    'dev1:secret', ''), 'Content-Type: application/pkcs10');
my $first = $t->issued($t->est('simpleenroll', csr => $csr,
                               user => 'dev1:secret'));

# every version of HTTP

for my $version ('1.0', '1.1', '2') {
    my @o = (args => ["--http$version"]);
    my $r = $t->est('simpleenroll', csr => $csr, user => 'dev1:secret', @o);
    is($t->issued($r), $first, "HTTP/$version: the same answer");
    is($r->{type}, 'application/pkcs7-mime; smime-type=certs-only',
        "HTTP/$version: type");
    is($r->{headers}{'content-length'}, length $r->{body},
        "HTTP/$version: Content-Length");
    is($t->est('cacerts', @o)->{status}, 200, "HTTP/$version: cacerts");
    $t->refused($t->est('simpleenroll', csr => $csr, user => 'dev1:x', @o),
        401, 'bad_password', "HTTP/$version: refused");
    $t->refused($t->est('simpleenroll', data => '!', user => 'dev1:secret',
        @o), 400, 'bad_base64', "HTTP/$version: bad body");
    $t->refused($t->est('simpleenroll', data => '', user => 'dev1:secret',
        @o), 400, 'empty_body', "HTTP/$version: empty body");
}

# forms of a body

my $c = $t->connect;
is(send_($c, chunked($body, 100))->{status}, 200, 'chunked');
is(send_($c, chunked($body, 1))->{status}, 200, 'in chunks of one octet');
$t->refused(send_($c, chunked('', 1)), 400, 'empty_body', 'chunked, empty');

$c->write(head("Content-Length: ${\length $body}", 'Expect: 100-continue'));
my $r = $c->response;
is($r->{status}, 100, 'Expect: 100-continue: go on');
$c->write($body);
is($c->response->{status}, 200, 'Expect: 100-continue: and done');

$c->write(head("Content-Length: ${\length $body}", 'Expect: 100-continue',
               'Content-Encoding: gzip'));
$r = $c->response;
is($r->{status}, 415, 'a refusal comes without a 100');
$c->close;

$c = $t->connect;
$c->write(head("Content-Length: ${\length $body}"));
for my $part ($body =~ /(.{1,120})/gs) {
    $c->write($part);
}
is($c->response->{status}, 200, 'in several records');

$c->write("POST /.well-known/est/simpleenroll HTTP/1.1\r\nHost: x\r\n"
          . join("\r\n", @auth) . "\r\n\r\n");
$r = $c->response;
like($r->{status}, qr/^(?:400|411)$/, 'neither length nor chunks');
$c->close;

# keep-alive, and what stands behind a refusal

for my $case (
    ['401', 'simpleenroll', $body, 'Authorization: Basic eDp5', 401],
    ['400', 'simpleenroll', '!' x 500, $auth[0], 400],
    ['404', 'nosuch', $body, $auth[0], 404],
    ['405', 'cacerts', $body, $auth[0], 405],
    ['415', 'simpleenroll', $body, "$auth[0]\r\nContent-Encoding: gzip", 415])
{
    my ($name, $op, $data, $header, $status) = @$case;
    my $c = $t->connect;
    $c->write("POST /.well-known/est/$op HTTP/1.1\r\nHost: x\r\n$header\r\n"
        . 'Content-Length: ' . length($data) . "\r\n\r\n$data"
        . "GET /.well-known/est/cacerts HTTP/1.1\r\nHost: x\r\n\r\n");
    is($c->response->{status}, $status, "behind $name: the refusal");
    $r = $c->response;
    ok($r->{status} eq '200' || $r->{end} eq 'closed',
        "behind $name: the next is answered, or the connection closed")
        or diag(explain($r));
    $c->close;
}

# a body that looks like a request is none; what follows asks for itself

my $n = $t->count('issued');
my $other = $t->csr(subject => '/CN=dev1', san => 'DNS:dev1');
my $inner = "POST /.well-known/est/simpleenroll HTTP/1.1\r\nHost: x\r\n"
    . "Content-Type: application/pkcs10\r\nContent-Length: "
    . length($other->{b64}) . "\r\n\r\n$other->{b64}";
$c = $t->connect;
$c->write(head('Content-Length: ' . length $inner) . $inner);
is($c->response->{status}, 400, 'a request in a body is a bad body');
$c->close;

$c = $t->connect;
$c->write(head('Content-Length: ' . length $body) . $body . $inner);
is($c->response->{status}, 200, 'a request behind a body: the first');
$r = $c->response;
$t->refused($r, 401, 'authentication_required',
    'the second has no part in the password of the first');
is($t->count('issued'), $n, 'nothing is issued for it');
$c->close;

# framing that the core refuses

for my $framing (["Content-Length: 5\r\nContent-Length: 6", 400],
    ['Content-Length: -1', 400], ['Content-Length: 0x10', 400],
    ["Content-Length: 5\r\nTransfer-Encoding: chunked", 400],
    ['Transfer-Encoding: xchunked', 501])
{
    my ($header, $status) = @$framing;
    my $c = $t->connect;
    $c->write(head($header) . 'hello');
    is($c->response->{status}, $status, $header =~ s/\r\n/, /r);
    $c->close;
}

# limits

for my $prefix ('/small/', '/core/') {
    is($t->est('simpleenroll', prefix => $prefix, csr => $csr,
        user => 'dev1:secret')->{status}, 200, "$prefix: a small body");
    $r = $t->est('simpleenroll', prefix => $prefix, data => 'A' x 1025,
        user => 'dev1:secret');
    is($r->{status}, 413, "$prefix: an octet too many");
    $r = $t->est('simpleenroll', prefix => $prefix, data => 'A' x 200000,
        user => 'dev1:secret', headers => ['Transfer-Encoding: chunked'],
        args => ['--http1.1']);
    is($r->{status}, 413, "$prefix: chunked, far too many");
}
$t->refused($t->est('simpleenroll', prefix => '/small/', data => 'A' x 1025,
    user => 'dev1:secret'), 413, 'body_too_large', 'ours has its reason');
is_deeply([glob $t->dir('client_body/*')], [], 'no temporary file is left');

# a body that does not come

$c = $t->connect;
$c->write(head('Content-Length: 5000') . 'A' x 100);
$r = $c->response(timeout => 8);
ok($r->{status} eq '408' || $r->{end} eq 'closed', 'a body that stops');
$c->close;

# bodies where there should be none

for my $method ('GET', 'HEAD') {
    my $c = $t->connect;
    $c->write("$method /.well-known/est/cacerts HTTP/1.1\r\nHost: x\r\n"
        . "Content-Length: 100000\r\n\r\n" . 'x' x 100000
        . "GET /.well-known/est/cacerts HTTP/1.1\r\nHost: x\r\n\r\n");
    is($c->response(head => $method eq 'HEAD')->{status}, 200,
        "$method with a body");
    is($c->response->{status}, 200, "$method with a body: the next");
    $c->close;
}

# ten at once in one connection, one of them bad

$c = $t->connect;
$c->write(join '', map { $_ == 5 ? head('Content-Length: 1') . '!'
    : head('Content-Length: ' . length $body) . $body } 1 .. 10);
my @got = map { $c->response->{status} } 1 .. 10;
like("@got", qr/^200 200 200 200 400(?: 200){0,5} *$/, 'ten pipelined')
    or diag("@got");
$c->close;

$t->done;

##############################################################################

sub head {
    return join "\r\n", 'POST /.well-known/est/simpleenroll HTTP/1.1',
        'Host: x', @auth, @_, '', '';
}

sub send_ {
    my ($c, $data) = @_;
    $c->write(head('Transfer-Encoding: chunked') . $data);
    return $c->response;
}

sub chunked {
    my ($s, $n) = @_;
    return join('', map { sprintf "%x\r\n%s\r\n", length, $_ }
                        $s =~ /(.{1,$n})/gs) . "0\r\n\r\n";
}
