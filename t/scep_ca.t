#!/usr/bin/perl

# Copyright (C) The nginx-enroll authors

# What a CA says of itself over SCEP: GetCACaps and GetCACert.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use Enroll;
use EnrollDER;

##############################################################################

my $t = Enroll->new;

$t->ca('root');
$t->ca('sub', issuer => 'root');
$t->conf(<<'CONF');
    enroll_redis unix:%%DIR%%/redis.sock;
    enroll_ca one {
        certificate %%DIR%%/root.crt;
        certificate_key %%DIR%%/root.key;
    }
    enroll_ca two {
        certificate %%DIR%%/sub.crt;
        certificate_key %%DIR%%/sub.key;
    }

    server {
        listen 127.0.0.1:%%PORT_plain%%;
        location /scep { scep one; }
        location /two/scep { scep two; }
        location ~ ^/label/(?<ca>[^/]+)/scep$ { scep $ca; }
    }
CONF
$t->run;

##############################################################################

my $r = ask('GetCACaps');
is($r->{status}, 200, 'GetCACaps');
like($r->{type}, qr{^text/plain}, 'GetCACaps: text/plain');
my @caps = split /\r?\n/, $r->{body}, -1;
pop @caps if @caps && $caps[-1] eq '';
is(scalar(grep { !/^[A-Za-z0-9-]+$/ } @caps), 0, 'GetCACaps: no blank line');
is(scalar(grep { /^(?:DES|MD5|DES3)/i } @caps), 0, 'GetCACaps: nothing weak');
is($r->{headers}{'content-length'}, length $r->{body}, 'GetCACaps: length');

my $root = unpem($t->read('root.crt'));
$r = ask('GetCACert');
is($r->{status}, 200, 'GetCACert');
if ($r->{type} eq 'application/x-x509-ca-cert') {
    is($r->{body}, $root, 'GetCACert: the certificate itself');
} else {
    is($r->{type}, 'application/x-x509-ca-ra-cert', 'GetCACert: type');
    is((certs_only($r->{body}))[0], $root, 'GetCACert: in a bag');
}

$r = ask('GetCACert', '/two/scep');
is($r->{status}, 200, 'GetCACert of an intermediate');
if ($r->{type} eq 'application/x-x509-ca-cert') {
    is($r->{body}, unpem($t->read('sub.crt')), 'the issuing certificate');
} else {
    is($r->{type}, 'application/x-x509-ca-ra-cert', 'type');
    is((certs_only($r->{body}))[0], unpem($t->read('sub.crt')),
        'the issuing certificate is the first');
}

is(ask('GetCACaps', '/scep', '&message=x')->{status}, 200, 'with a message');
is(ask('GetCACert', '/scep/pkiclient.exe')->{status}, 200,
    'with Cisco\'s program');
is(ask('GetCACaps', '/label/two/scep')->{status}, 200, 'a label');
is($t->curl('--http1.0', '-H', 'Host:', url('/scep?operation=GetCACaps'))
    ->{status}, 200, 'HTTP/1.0 without Host');
is($t->curl('-I', url('/scep?operation=GetCACaps'))->{status}, 200, 'HEAD');

# the denied twins

$t->refused(ask('GetCACaps', '/label/nosuch/scep'), 404, 'unknown_ca',
    'a CA that there is not');
for my $query ('', '?operation=', '?operation=Nonsense', '?operation=getcacaps',
    '?operation=GetCACapsX', '?x=GetCACaps')
{
    my $r = $t->curl(url("/scep$query"));
    like($r->{status}, qr/^40[04]$/, "no such operation: $query");
    like($r->{type}, qr{^text/plain}, 'text/plain');
}
for my $method ('POST', 'PUT', 'DELETE') {
    is($t->curl('-X', $method, url('/scep?operation=GetCACaps'))->{status}, 405,
        "$method: refused");
}

$t->done;

##############################################################################

sub url { 'http://127.0.0.1:' . $t->port('plain') . shift }

sub ask {
    my ($operation, $path, $more) = @_;
    return $t->curl(url(($path // '/scep') . "?operation=$operation"
                        . ($more // '')));
}
