#!/usr/bin/perl

# Copyright (C) The nginx-enroll authors

# What a CA says of itself over SCEP: GetCACaps and GetCACert.
#
# Conformance: SCEP-001 SCEP-002 SCEP-011 SCEP-012 SCEP-013 SCEP-015
#   SCEP-025 SCEP-052 DEV-010 DEV-011 BAD-099

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
$t->ca('rsa', key => 'rsa:2048');
$t->ra('ra', 'root');
$t->ra('ra2', 'sub');
$t->conf(<<'CONF');
    enroll_redis unix:%%DIR%%/redis.sock;
    enroll_ca one {
        certificate %%DIR%%/root.crt;
        certificate_key %%DIR%%/root.key;
        ra_certificate %%DIR%%/ra.crt;
        ra_certificate_key %%DIR%%/ra.key;
    }
    enroll_ca two {
        certificate %%DIR%%/sub.crt;
        certificate_key %%DIR%%/sub.key;
        ra_certificate %%DIR%%/ra2.crt;
        ra_certificate_key %%DIR%%/ra2.key;
    }
    enroll_ca own {
        certificate %%DIR%%/rsa.crt;
        certificate_key %%DIR%%/rsa.key;
    }
    scep_challenge secret;

    server {
        listen 127.0.0.1:%%PORT_plain%%;
        location /scep { scep one; }
        location /two/scep { scep two; }
        location /issuer/scep { scep two; scep_ca_certs issuer; }
        location /chain/scep { scep two; scep_ca_certs chain; }
        location /own/scep { scep own; }
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
is($r->{type}, 'application/x-x509-ca-ra-cert', 'GetCACert: type');
is_deeply([certs_only($r->{body})], [unpem($t->read('ra.crt')), $root],
    'GetCACert: the RA first, then the issuing certificate');

$r = ask('GetCACert', '/two/scep');
is($r->{status}, 200, 'GetCACert of an intermediate');
is_deeply([certs_only($r->{body})],
    [unpem($t->read('ra2.crt')), unpem($t->read('sub.crt'))],
    'without the root');

# what it carries is settable; one certificate alone comes as itself

for (['issuer', 'sub'], ['chain', 'ra2', 'sub', 'root'], ['own', 'rsa']) {
    my ($what, @names) = @$_;
    my @expected = map { unpem($t->read("$_.crt")) } @names;
    my $r = ask('GetCACert', "/$what/scep");

    if (@names == 1) {
        is($r->{type}, 'application/x-x509-ca-cert', "$what: type");
        is($r->{body}, $expected[0], "$what: the certificate itself");
    } else {
        is($r->{type}, 'application/x-x509-ca-ra-cert', "$what: type");
        is_deeply([certs_only($r->{body})], \@expected, "$what: in order");
    }
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
