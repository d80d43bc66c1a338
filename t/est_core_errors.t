#!/usr/bin/perl

# Copyright (C) The nginx-enroll authors

# Errors that nginx makes before a location is chosen come as text too, with a
# reason, by the error_page of the sample in docs/est.md and of quickstart.
#
# Conformance: EST-121 HTTP-007 BAD-001 BAD-002 BAD-012 BAD-020

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use Enroll;
use EnrollDER;

##############################################################################

my $t = Enroll->new;

# the recipe, and the table of its reasons

my $doc = $t->read("$FindBin::Bin/../docs/est.md");
my $quickstart = $t->read("$FindBin::Bin/../quickstart");
my ($page) = $doc =~ m{^( +error_page .*?^        \}\n)}ms;
my ($maps) = $doc =~ m{^( +map "\$status .*?^    \}\n.*?^    \}\n)}ms;
my ($table) = $doc =~ /^### Refusals of nginx itself\n(.*)/ms;
my %row = map { $_->[0] => $_ } map { [split / \| /] }
    $table =~ /^\| (`.*) \|$/mg;
my %text = $maps =~ /^        (\w+)\s+"(.*)";$/mg;

ok(index($quickstart, $page) >= 0, 'quickstart has the same error_page');
ok(index($quickstart, $maps) >= 0, 'quickstart has the same maps');
$text{internal_error} = delete $text{default};
is_deeply({map { s/`//gr => $row{$_}[2] } keys %row}, \%text,
    'the table has the reasons of the maps');

$t->ca('ca');
$t->ca('stranger');
$t->client('odd', 'stranger');
$t->conf(<<'CONF' =~ s/#page\n/$page/r =~ s/#maps\n/$maps/r);
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

#page
        location /busy { return 503; }
        location /broken { return 500; }
        location /.well-known/est/ {
            est devices;
            est_auth none;
            enroll_names any;
        }
    }
#maps
CONF
$t->run;

##############################################################################

my $good = "GET /.well-known/est/cacerts HTTP/1.1\r\nHost: x\r\n\r\n";
is(raw($good)->{status}, 200, 'a good request');

my $post = "POST /.well-known/est/simpleenroll HTTP/1.1\r\nHost: x\r\n";
for (['no request line', "foo\r\n\r\n", 400, 'bad_request'],
     ['a percent sign', "GET /%zz HTTP/1.1\r\nHost: x\r\n\r\n", 400,
         'bad_request'],
     ['a NUL', "GET /%00 HTTP/1.1\r\nHost: x\r\n\r\n", 400, 'bad_request'],
     ['no Host', "GET /.well-known/est/cacerts HTTP/1.1\r\n\r\n", 400,
         'bad_request'],
     ['HTTP/3.7', "GET / HTTP/3.7\r\nHost: x\r\n\r\n", 505, 'http_version'],
     ['a long URI', 'GET /' . 'x' x 9000 . " HTTP/1.1\r\nHost: x\r\n\r\n", 414,
         'uri_too_long'],
     ['a long header', "GET / HTTP/1.1\r\nHost: x\r\nX: " . 'x' x 9000
         . "\r\n\r\n", 400, 'bad_request'],
     ['TRACE', "TRACE / HTTP/1.1\r\nHost: x\r\n\r\n", 405,
         'method_not_allowed'],
     ['a lower case method', "foo / HTTP/1.1\r\nHost: x\r\n\r\n", 400,
         'bad_request'],
     ['two lengths', "${post}Content-Length: 5\r\nContent-Length: 5\r\n\r\n",
         400, 'bad_request'],
     ['an unknown coding', "${post}Transfer-Encoding: x\r\n\r\n", 501,
         'not_implemented'],
     ['a bad chunk', "${post}Transfer-Encoding: chunked\r\n\r\nzz\r\n", 400,
         'bad_request'],
     ['a large body', "${post}Content-Length: 5000\r\n\r\n", 413,
         'body_too_large'],
     ['a limit', "GET /busy HTTP/1.1\r\nHost: x\r\n\r\n", 503, 'unavailable'],
     ['a failure', "GET /broken HTTP/1.1\r\nHost: x\r\n\r\n", 500,
         'internal_error'])
{
    my ($name, $request, $status, $reason) = @$_;
    as_text(raw($request), $status, $reason, $name);
}

# a client certificate that nginx refuses; clear text on the TLS port

as_text($t->est('cacerts', cert => 'odd'), 400,
    'client_certificate_not_verified', 'a foreign certificate');
as_text($t->est('cacerts', scheme => 'http'), 400, 'tls_required',
    'clear text');

# our own refusals keep their status, their sentence and their reason

$t->refused($t->est('simpleenroll', data => '!'), 400, 'bad_base64',
    'a refusal of ours is not overwritten');
my $r = $t->est('simpleenroll', method => 'GET');
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

# status, reason and sentence as the table has them
sub as_text {
    my ($r, $status, $reason, $name) = @_;
    my $row = $row{"`$reason`"};
    is($r->{status}, $status, "$name: $status");
    is($r->{type}, 'text/plain', "$name: text/plain");
    is($r->{headers}{'x-enroll-reason'}, $reason, "$name: $reason");
    is($r->{body}, "$row->[2]\n", "$name: the sentence");
    is($row->[1], $status, "$name: the status in the table");
}
