#!/usr/bin/perl

# Copyright (C) The nginx-enroll authors

# What follows the prefix must be exactly an operation; labels come from
# locations, and a mistyped one never meets the default CA.
#
# Conformance: EST-003 EST-004 EST-006 EST-007 EST-008 EST-009 EST-010
#   EST-011 EST-039 EST-082 HTTP-001 HTTP-003 HTTP-020 HTTP-021 BAD-017
#   BAD-018 BAD-019

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use Enroll;
use EnrollDER;

##############################################################################

my $t = Enroll->new;

$t->ca('a');
$t->ca('b');
$t->users('users', dev1 => 'secret');
$t->conf(<<'CONF');
    enroll_redis unix:%%DIR%%/redis.sock;
    enroll_ca a { certificate %%DIR%%/a.crt; certificate_key %%DIR%%/a.key; }
    enroll_ca b { certificate %%DIR%%/b.crt; certificate_key %%DIR%%/b.key; }
    enroll_profile short { validity 1d; }

    est_basic_users %%DIR%%/users;

    server {
        listen 127.0.0.1:%%PORT_tls%% ssl;
        listen 127.0.0.1:%%PORT_plain%%;
        %%TLS%%

        location /.well-known/est/ { est a; }
        location /.well-known/est/b/ { est b; }
        location /.well-known/est/b:2/ { est b; }
        location /api/v1/est/ { est b; }

        location ~ ^/re/(?<ca>[^/]+)/(?<prof>[^/]+)/[^/]+$ {
            est $ca profile=$prof;
        }

        location = /else { return 200 "else\n"; }
        location /.well-known/ { return 200 "well-known\n"; }
    }
CONF
$t->run;

##############################################################################

is(which('/.well-known/est/cacerts'), 'a', 'the default CA');
is(which('/.well-known/est/b/cacerts'), 'b', 'a label of its own location');
is(which('/.well-known/est/b:2/cacerts'), 'b', 'a label with a colon');
is(which('/.well-known/est/b%3A2/cacerts'), 'b', 'and percent-encoded');
is(which('/api/v1/est/cacerts'), 'b', 'a prefix of any kind');
is(which('/re/a/short/cacerts'), 'a', 'a label from a regex: a');
is(which('/re/b/short/cacerts'), 'b', 'a label from a regex: b');

# what the core decodes and merges means the same

is(which($_), 'a', $_) for '/.well-known/est/../est/cacerts',
    '//.well-known//est//cacerts', '/%2ewell-known/est/cacerts',
    '/.well-known/est%2fcacerts', '/.well-known/est/cac%65rts',
    '/.well-known/est/cacerts?x=/y';

# profile and CA by variables work for enrolment as well

my $csr = $t->csr;
my $r = $t->est('', url => url('/re/b/short/simpleenroll'), csr => $csr,
                user => 'dev1:secret');
my $der = $t->issued($r);
is(cert_fields($der)->{issuer},
    cert_fields(unpem($t->read('b.crt')))->{subject}, 'issued by b');
is(scalar($t->keys('enroll:{b}:cert:*')), 1, 'recorded with b');
is(($t->command('openssl', 'x509', '-in', $t->keep('short', $der),
        '-noout', '-checkend', 2 * 86400))[0], 1, 'by the short profile');

# the denied twins

my $state = $t->state;
for my $path ('/.well-known/est/nosuch/cacerts', '/.well-known/est/a/b/cacerts',
    '/.well-known/est/cacerts/',
    '/.well-known/est/CACERTS',
    '/.well-known/est/frobnicate', '/.well-known/est/cacertsx',
    '/.well-known/est/cacert', '/.well-known/est/b/x',
    '/.well-known/est/cacerts/cacerts', '/.well-known/est/' . 'x' x 4000,
    '/.well-known/est/%0d%0aSet-Cookie:x/cacerts', '/.well-known/est/*/cacerts',
    '/.well-known/est/{a}/cacerts', '/.well-known/est/cacerts%20',
    '/api/v1/est/x/cacerts', '/re/a/short/nosuch')
{
    $r = $t->est('', url => url($path));
    $t->refused($r, 404, 'unknown_operation', substr "$path: 404", 0, 60);
    ok(!$r->{headers}{'set-cookie'}, 'no header of the path\'s')
        if $path =~ /Cookie/;
}

$t->refused($t->est('', url => url('/re/nosuch/short/cacerts')), 404,
    'unknown_ca', 'a CA that there is not');
$t->refused($t->est('', url => url('/re/A/short/cacerts')), 404,
    'unknown_ca', 'names of CAs are compared octet by octet');
$t->refused($t->est('', url => url('/re/a/nosuch/simpleenroll'), csr => $csr,
    user => 'dev1:secret'), 404, 'unknown_profile',
    'a profile that there is not');
$t->refused($t->est('nosuch/simpleenroll', csr => $csr,
    user => 'dev1:secret'), 404, 'unknown_operation',
    'a mistyped label does not enrol');
$t->refused($t->est($_, csr => $csr, user => 'dev1:secret'), 404,
    'unknown_operation', "$_ is not offered") for 'fullcmc', 'serverkeygen';
is($t->state, $state, 'these leave nothing in Redis');

# methods

for my $method ('GET', 'HEAD', 'PUT', 'DELETE', 'OPTIONS', 'PROPFIND', 'FOOBAR')
{
    $r = $t->est('simpleenroll', method => $method,
                 args => $method eq 'HEAD' ? ['-I'] : []);
    is($r->{status}, 405, "$method: refused");
    is($r->{headers}{allow}, 'POST', "$method: Allow");
}
$t->refused($t->est('simplereenroll', method => 'GET'), 405,
    'method_not_allowed', 'GET: refused on simplereenroll');

# clear text

for my $op ('cacerts', 'csrattrs', 'simpleenroll') {
    $r = $t->est($op, scheme => 'http', port => 'plain', user => 'dev1:secret',
                 $op eq 'simpleenroll' ? (csr => $csr) : ());
    $t->refused($r, 403, 'tls_required', "$op over clear text: refused");
}

# what is not ours stays untouched

is($t->est('', url => url('/else'))->{body}, "else\n", 'another location');
is($t->est('', url => url('/.well-known/acme-challenge/x'))->{body},
    "well-known\n", 'another well-known name');
isnt($t->est('', url => url('/foo/.well-known/est/cacerts'))->{status}, 200,
    'the well-known path is at the root only');

$t->done;

##############################################################################

sub url { 'https://127.0.0.1:' . $t->port('tls') . shift }

# whose certificates are in the bag
sub which {
    my $r = $t->est('', url => url(shift));
    my ($der) = eval { $t->certs($r) } or return "$r->{status}";
    my ($name) = grep { $der eq unpem($t->read("$_.crt")) } 'a', 'b';
    return $name;
}
