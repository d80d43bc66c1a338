#!/usr/bin/perl

# Copyright (C) The nginx-enroll authors

# Errors that nginx makes before a location is chosen come as text too, by
# the error_page of the sample configuration.

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
$t->ca('stranger');
$t->client('odd', 'stranger');
$t->conf(<<'CONF');
    enroll_redis unix:%%DIR%%/redis.sock;
    enroll_ca devices {
        certificate %%DIR%%/ca.crt;
        certificate_key %%DIR%%/ca.key;
    }

    server {
        listen 127.0.0.1:%%PORT_tls%% ssl;
        %%TLS%%
        ssl_verify_client optional;
        ssl_client_certificate %%DIR%%/ca.crt;
        client_max_body_size 1k;

        error_page 400 405 413 414 494 495 496 497 500 501 503 505 /error;

        location = /error {
            internal;
            default_type text/plain;
            return 200 "The request could not be served.\n";
        }

        location /.well-known/est/ {
            est devices;
            est_auth none;
            enroll_names any;
        }
    }
CONF
$t->run;

##############################################################################

my $good = "GET /.well-known/est/cacerts HTTP/1.1\r\nHost: x\r\n\r\n";
is(raw($good)->{status}, 200, 'a good request');

my $post = "POST /.well-known/est/simpleenroll HTTP/1.1\r\nHost: x\r\n";
for (['no request line', "foo\r\n\r\n", 400],
     ['a percent sign', "GET /%zz HTTP/1.1\r\nHost: x\r\n\r\n", 400],
     ['a NUL', "GET /%00 HTTP/1.1\r\nHost: x\r\n\r\n", 400],
     ['no Host', "GET /.well-known/est/cacerts HTTP/1.1\r\n\r\n", 400],
     ['HTTP/3.7', "GET / HTTP/3.7\r\nHost: x\r\n\r\n", 505],
     ['a long URI', 'GET /' . 'x' x 9000 . " HTTP/1.1\r\nHost: x\r\n\r\n", 414],
     ['a long header', "GET / HTTP/1.1\r\nHost: x\r\nX: " . 'x' x 9000
         . "\r\n\r\n", 400],
     ['TRACE', "TRACE / HTTP/1.1\r\nHost: x\r\n\r\n", 405],
     ['a lower case method', "foo / HTTP/1.1\r\nHost: x\r\n\r\n", 400],
     ['two lengths', "${post}Content-Length: 5\r\nContent-Length: 5\r\n\r\n",
         400],
     ['an unknown coding', "${post}Transfer-Encoding: x\r\n\r\n", 501],
     ['a bad chunk', "${post}Transfer-Encoding: chunked\r\n\r\nzz\r\n", 400],
     ['a large body', "${post}Content-Length: 5000\r\n\r\n", 413])
{
    my ($name, $request, $status) = @$_;
    my $r = raw($request);
    is($r->{status}, $status, "$name: $status");
    is($r->{type}, 'text/plain', "$name: text/plain");
    unlike($r->{body}, qr/</, "$name: no HTML");
}

# a client certificate that nginx refuses; clear text on the TLS port

my $r = $t->est('cacerts', cert => 'odd');
is($r->{status}, 400, 'a foreign certificate');
is($r->{type}, 'text/plain', 'a foreign certificate: text/plain');

$r = $t->est('cacerts', scheme => 'http');
is($r->{status}, 400, 'clear text');
is($r->{type}, 'text/plain', 'clear text: text/plain');

# our own refusals keep their status, their sentence and their reason

$t->refused($t->est('simpleenroll', data => '!'), 400, 'bad_base64',
    'a refusal of ours is not overwritten');
$r = $t->est('simpleenroll', method => 'GET');
$t->refused($r, 405, 'method_not_allowed', 'nor is a wrong method');
is($r->{headers}{allow}, 'POST', 'Allow is still there');

# bytes that are no HTTP at all

srand 1;
for my $n (1, 2, 100, 65536) {
    my $c = $t->connect;
    $c->write(join '', map { chr rand 256 } 1 .. $n);
    $c->write("\r\n\r\n");
    my $r = $c->response(timeout => 3);
    ok($r->{status} eq '' || $r->{status} =~ /^4/, "$n random octets");
    $c->close;
}

is(raw($good)->{status}, 200, 'a good request goes on working');

$t->done;

##############################################################################

sub raw {
    my ($request) = @_;
    my $c = $t->connect;
    $c->write($request);
    my $r = $c->response(timeout => 5);
    $c->close;
    return $r;
}
