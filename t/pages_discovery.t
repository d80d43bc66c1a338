#!/usr/bin/perl

# Copyright (C) The nginx-enroll authors

# Discovery: the root of an EST location, and "discovery" below one of SCEP,
# say what is served there and by which URL; no operation and no label is
# shadowed by a page.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use JSON::PP ();
use Test::More;

use Enroll;
use EnrollDER;

##############################################################################

my $t = Enroll->new;

$t->ca('ca', key => 'rsa:2048');
$t->ra('ra', 'ca');
$t->users('users', dev1 => 'secret');
$t->conf(<<'CONF');
    enroll_redis unix:%%DIR%%/redis.sock;
    enroll_ca devices {
        certificate %%DIR%%/ca.crt;
        certificate_key %%DIR%%/ca.key;
        ra_certificate %%DIR%%/ra.crt;
        ra_certificate_key %%DIR%%/ra.key;
    }
    enroll_ca info {
        certificate %%DIR%%/ca.crt;
        certificate_key %%DIR%%/ca.key;
    }
    est_basic_users %%DIR%%/users;
    scep_challenge secret;

    server {
        listen 127.0.0.1:%%PORT_tls%% ssl;
        %%TLS%%
        ssl_verify_client optional;
        ssl_client_certificate %%DIR%%/ca.crt;

        location = /.well-known/est { est devices; }
        location /.well-known/est/ { est devices; }
        location /api/v1/est/.well-known/est { est devices; }
        location ~ ^/\.well-known/est/(?<label>[^/]+)/[a-z]+$ { est $label; }

        location /off/ { est devices; enroll_pages off; }
        location /some/ { est devices; enroll_pages info; }
        location /none/ {
            est devices; est_auth none; enroll_names any;
        }
    }

    server {
        listen 127.0.0.1:%%PORT_mute%% ssl http2;
        %%TLS%%
        location /.well-known/est/ { est devices; est_auth basic; }
    }

    server {
        listen 127.0.0.1:%%PORT_plain%%;
        location /.well-known/est/ { est devices; }
        location /scep { scep devices; }
        location /off { scep devices; enroll_pages off; }
    }
CONF
$t->run;

my $root = 'https://127.0.0.1:' . $t->port('tls');
my $plain = 'http://127.0.0.1:' . $t->port('plain');

##############################################################################

# EST

my %all = (
    protocol => 'est', base_url => "$root/.well-known/est",
    operations => ['cacerts', 'csrattrs', 'simpleenroll', 'simplereenroll'],
    capabilities => {
        tls_client_auth => JSON::PP::true, http_basic_auth => JSON::PP::true,
        proof_of_possession => 'signature', tls_unique => 'if_present',
    },
);

for my $path ('/.well-known/est', '/.well-known/est/') {
    my $r = $t->curl("$root$path");
    is($r->{status}, 200, "$path: answered");
    is($r->{type}, 'application/json', "$path: JSON");
    is($r->{headers}{'cache-control'}, 'no-store', "$path: not to be kept");
    is($r->{headers}{'x-content-type-options'}, 'nosniff', "$path: nosniff");
    is_deeply(json($r), \%all, "$path: what it says");
}

for my $path ('', '/') {
    is_deeply(json($t->curl("$root/api/v1/est/.well-known/est$path")),
        { %all, base_url => "$root/api/v1/est/.well-known/est" },
        "below another prefix: $path");
}

my $mute = json($t->curl('https://127.0.0.1:' . $t->port('mute')
                         . '/.well-known/est/'));
is(join(' ', @{$mute->{operations}}), 'cacerts csrattrs simpleenroll',
    'nobody renews where TLS does not ask for a certificate');
ok(!$mute->{capabilities}{tls_client_auth}, 'and it says so');
ok(!json($t->curl("$root/none/"))->{capabilities}{http_basic_auth},
    'est_auth none: no password');

# SCEP

my $scep = json($t->curl("$plain/scep/discovery"));
is($scep->{base_url}, "$plain/scep", 'SCEP: its URL');
is(join(' ', @{$scep->{operations}}), 'GetCACaps GetCACert PKIOperation',
    'SCEP: operations');
is($scep->{capabilities}{challenge_password}, 'static', 'SCEP: challenge');
is(join("\n", @{$scep->{capabilities}{GetCACaps}}, ''),
    $t->curl("$plain/scep?operation=GetCACaps")->{body},
    'SCEP: the capabilities are those of GetCACaps');

# the URL is the one that the client asked, if nothing else is in it

sub base {
    my ($host) = @_;
    return json($t->curl('-H', "Host: $host",
                         "$root/.well-known/est"))->{base_url};
}

is(base('est.example.com:8443'), 'https://est.example.com:8443/.well-known/est',
    'the name and port that the client knows');
is(base($_), "$root/.well-known/est", "not: Host: $_")
    for 'a"b', "a'b", 'a$(id)', '<script>', 'a;b', 'a&b', '`id`';

is(json($t->curl("$plain/a%27%22%24%28id%29/../scep/discovery"))->{base_url},
    "$plain/scep", 'the path is nginx\'s');

# HTTP/1.0 without Host

my $raw = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
                                PeerPort => $t->port('plain'));
print $raw "GET /scep/discovery HTTP/1.0\r\n\r\n";
like(do { local $/; <$raw> }, qr{"base_url":"\Q$plain\E/scep"},
    'without a Host: the address');

# HTTP/2, whose host is in :authority

SKIP: {
    skip 'curl without HTTP/2', 1
        if ($t->command('curl', '-V'))[1] !~ /\bHTTP2\b/;
    my $base = 'https://localhost:' . $t->port('mute') . '/.well-known/est';
    is(json($t->curl('--http2', '--connect-to', '::127.0.0.1:', "$base/"))
         ->{base_url}, $base, 'HTTP/2');
}

# operations and labels come first

like($t->curl("$root/.well-known/est/devices/cacerts")->{body}, qr/^MI/,
    'a label');
like($t->curl("$root/.well-known/est/info/cacerts")->{body}, qr/^MI/,
    'a label that is called like a page');
is(json($t->curl("$root/.well-known/est/info/info"))->{base_url} // '',
    "$root/.well-known/est/info", 'and its own pages');
is($t->curl("$plain/scep/info?operation=GetCACaps")->{type}, 'text/plain',
    'SCEP: an operation, whatever the path');

# the denied twins

$t->refused($t->curl("$root$_"), 404, 'unknown_operation', "$_: none")
    for '/.well-known/est/discovery', '/.well-known/est/infox',
        '/.well-known/est/health/', '/.well-known/est/nosuch/x/info',
        '/api/v1/est/.well-known/established', '/off/', '/off/info',
        '/off/health', '/off/configuration', '/some/', '/some/health';
is($t->curl("$root/some/info")->{status}, 200, 'enroll_pages info');
$t->refused($t->curl("$plain$_"), 400, 'unknown_scep_operation', "$_: none")
    for '/scep', '/scep/', '/scep/x/info', '/scep/nosuch', '/off/discovery',
        '/off/info';
$t->refused($t->curl("$plain/.well-known/est/info"), 403, 'tls_required',
    'EST over clear text');
$t->refused($t->curl("$root/.well-known/est/nosuch/info"), 404, 'unknown_ca',
    'of a CA that there is not');

for my $method ('POST', 'PUT', 'DELETE') {
    my $r = $t->curl('-X', $method, "$root/.well-known/est/info");
    is("$r->{status} $r->{headers}{allow}", '405 GET, HEAD',
        "$method: refused");
}
my $r = $t->curl('-I', "$root/.well-known/est/info");
is($r->{status}, 200, 'HEAD');
unlike($r->{body}, qr/\{/, 'HEAD: no body');

my ($rc, $out) = $t->nginx_t('enroll_pages off info; server { }');
isnt($rc, 0, '"off" beside others') or diag($out);
is($t->state, '', 'nothing of this leaves anything in Redis');

$t->done;

##############################################################################

sub json {
    my ($r) = @_;
    my $json = eval { JSON::PP::decode_json($r->{body}) };
    diag("no JSON: $r->{status} $r->{body}") if !$json;
    return $json || {};
}
