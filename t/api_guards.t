#!/usr/bin/perl

# Copyright (C) The nginx-enroll authors

# The API's guards: who is let in, and who is not; and that no page of
# another origin uses it by way of an administrator's browser.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use JSON::PP;
use Test::More;

use Enroll;
use EnrollDER;

##############################################################################

my $t = Enroll->new;

$t->ca($_) for qw(ca admins strangers);
$t->client('admin', 'admins');
$t->client('device', 'ca');
$t->client('stranger', 'strangers');
$t->write('all.crt', join '', map { $t->read("$_.crt") } qw(ca admins));
$t->users('api.users', admin => 'secret');

my $core = <<'CONF';
    enroll_redis unix:%%DIR%%/redis.sock;
    enroll_ca devices {
        certificate %%DIR%%/ca.crt;
        certificate_key %%DIR%%/ca.key;
    }
CONF
my $api = <<'CONF';
        enroll_api_users %%DIR%%/api.users;
        enroll_api_client_ca %%DIR%%/admins.crt;

        location /certificate/ { enroll_api devices guard=certificate; }
        location /both/ {
            enroll_api devices guard=certificate allow=10.0.0.0/8;
        }
        location /all/ {
            enroll_api devices guard=certificate;
            enroll_api_client_ca %%DIR%%/all.crt;
        }
        location /basic/ { enroll_api devices guard=basic; }
        location /in/ {
            enroll_api devices guard=address allow=10.0.0.0/8 allow=127.0.0.0/8
                       allow=::1 allow=unix:;
        }
        location /out/ {
            enroll_api devices guard=address allow=10.0.0.0/8 allow=127.0.0.2;
        }
        location /external/ {
            enroll_api devices guard=external;
            auth_basic api;
            auth_basic_user_file %%DIR%%/api.users;
        }
CONF
$t->conf(<<"CONF")->run;
$core
    server {
        listen 127.0.0.1:%%PORT_tls%% ssl;
        listen 127.0.0.1:%%PORT_plain%%;
        listen 127.0.0.1:%%PORT_two%% ssl http2;
        %%TLS%%
        ssl_verify_client optional;
        ssl_client_certificate %%DIR%%/all.crt;
$api
    }
    server {
        listen 127.0.0.1:%%PORT_lax%% ssl;
        %%TLS%%
        ssl_verify_client optional_no_ca;
$api
    }
CONF

##############################################################################

# a certificate

my $empty = $t->state;
allowed('certificate', cert => 'admin');
denied('certificate', 403, 'client_certificate_required');
denied('certificate', 403, 'client_certificate_required',
       user => 'admin:secret');
denied('certificate', 403, 'client_certificate_issuer', cert => 'device');
allowed('all', cert => 'device');
allowed('all', cert => 'admin');
my ($serial) = $t->openssl('x509', '-in', $t->dir('device.crt'), '-noout',
                           '-serial') =~ /=(\w+)/;
$t->redis('HSET', "enroll:{devices}:cert:$serial", 'status', 'revoked',
          map { ($_, 'x') } qw(cert requester profile key_digest));
denied('all', 403, 'client_certificate_revoked', cert => 'device');
denied('certificate', 403, 'client_certificate_not_verified', port => 'lax',
       cert => $_) for qw(stranger admin);
denied('certificate', 403, 'tls_required', port => 'plain', scheme => 'http');
denied('both', 403, 'address_not_allowed', cert => 'admin');
allowed('certificate', cert => 'admin');
is($t->hash(key())->{by}, 'CN=admin', 'whose certificate it was is kept');

# a password

allowed('basic', user => 'admin:secret');
is($t->hash(key())->{by}, 'admin', 'whose password it was is kept');
for my $user ('admin:wrong', 'admin:', 'nobody:secret', ':secret', 'admin',
              'Admin:secret')
{
    my $r = denied('basic', 401, 'bad_password', user => "$user"
                   . ($user =~ /:/ ? '' : ':'));
    like($r->{headers}{'www-authenticate'}, qr/^Basic realm="/, 'asked for it');
}
denied('basic', 401, 'authentication_required');
denied('basic', 401, 'authentication_required', cert => 'admin');
denied('basic', 401, 'authentication_required',
       headers => ['Authorization: Bearer x']);
denied('basic', 403, 'tls_required', port => 'plain', scheme => 'http',
       user => 'admin:secret');

# an address

allowed('in');
allowed('in', port => 'plain', scheme => 'http');
denied('out', 403, 'address_not_allowed');
denied('out', 403, 'address_not_allowed', user => 'admin:secret',
       headers => ['X-Forwarded-For: 10.0.0.1', 'X-Real-IP: 10.0.0.1']);

# a rule of nginx

allowed('external', user => 'admin:secret');
is(ask('external')->{status}, 401, 'external: auth_basic guards');
is(ask('external', user => 'admin:x')->{status}, 401, 'external: it does');

##############################################################################

# pages of other origins

my $origin = 'https://127.0.0.1:' . $t->port('tls');
my @in = (path => 'in');
allowed('in', headers => [$_])
    for "Origin: $origin", 'Sec-Fetch-Site: same-origin',
        'Sec-Fetch-Site: none';
allowed('in', headers => ["Origin: $origin", 'Sec-Fetch-Site: same-origin']);
allowed('in', headers => ['Host: api.example', "Origin: https://$_"])
    for 'api.example', 'API.example', 'api.example:443';
my @two = (port => 'two', args => ['--http2']);
allowed('in', @two,
        headers => ['Origin: https://127.0.0.1:' . $t->port('two')]);
denied('in', 403, 'cross_origin', @two, headers => ["Origin: $origin"]);
denied('in', 403, 'cross_origin', headers => [$_])
    for 'Origin: https://evil.example', 'Origin: null', 'Origin: https://',
        'Origin: http' . substr($origin, 5), "Origin: $origin.evil.example",
        "Origin: ${origin}0", 'Origin: https://127.0.0.1', "Origin: x$origin",
        'Sec-Fetch-Site: cross-site', 'Sec-Fetch-Site: same-site',
        'Sec-Fetch-Site;';
denied('in', 403, 'cross_origin',
       headers => ["Origin: $origin", 'Sec-Fetch-Site: cross-site']);
denied('in', 403, 'cross_origin',
       headers => ["Origin: $origin", 'Origin: https://evil.example']);
is($t->est('challenges', prefix => '/in/',
           headers => ['Sec-Fetch-Site: cross-site'])->{status}, 200,
    'what only reads is the browser\'s matter');

my $id = substr key(), -16;
for my $type (undef, 'text/plain', 'application/x-www-form-urlencoded',
              'application/jsonx', 'multipart/form-data', '')
{
    my $name = $type // 'none';
    denied('in', 415, 'json_required', type => $type);
    is($t->est("challenges/$id", prefix => '/in/', method => 'DELETE',
               data => '', type => $type)->{status}, 415, "DELETE with $name");
}
allowed('in', type => $_)
    for 'application/json; charset=utf-8', 'Application/JSON ;x=y';

##############################################################################

# a configuration without a guard, or with half of one

for (['enroll_api devices;', qr/names no guard/],
     ['enroll_api;', qr/invalid number of arguments/],
     ['enroll_api devices guard=none;', qr/invalid parameter "guard=none"/],
     ['enroll_api devices guard=address;', qr/no "allow="/],
     ['enroll_api devices guard=address allow=x;', qr/invalid network/],
     ['enroll_api devices guard=basic;', qr/requires "enroll_api_users"/],
     ['enroll_api devices guard=certificate;',
      qr/requires "enroll_api_client_ca"/],
     ['enroll_api devices guard=external guard=address;',
      qr/invalid parameter "guard=address"/],
     ['enroll_api devices guard=external lifetime=0;',
      qr/invalid parameter "lifetime=0"/],
     ['enroll_api devices guard=external lifetime=31d;',
      qr/invalid parameter "lifetime=31d"/],
     ['enroll_api devices guard=external other;', qr/invalid parameter "other/],
     ['enroll_api nobody guard=external;', qr/unknown CA "nobody"/],
     ['enroll_api devices guard=external; enroll_api devices guard=external;',
      qr/is duplicate/],
     ['enroll_api devices guard=external; return 204;', undef])
{
    my ($text, $error) = @$_;
    my ($rc, $out) = $t->nginx_t("$core server { location /x/ {\n$text #!\n} }");
    is($rc, $error ? 1 : 0, "$text: " . ($error ? 'refused' : 'taken'));
    like($out, qr/$error.* in \S+test\.conf:$t->{line}\b/s, "$text: why, where")
        if $error;
}
my ($rc, $out) = $t->nginx_t(
    "$core server { location = /x {\nenroll_api devices guard=external; #!\n} }");
like($out, qr/not a prefix.* in \S+:$t->{line}\b/, 'an exact location');
is($rc, 1, 'an exact location is refused');

$t->done(emerg => 1);

##############################################################################

sub ask {
    my ($path, %o) = @_;
    return $t->est('challenges', prefix => "/$path/", data => '{}',
                   type => 'application/json', %o);
}

sub called {
    my ($path, %o) = @_;
    return join ' ', $path,
        map { "$_=" . (ref $o{$_} ? "@{$o{$_}}" : $o{$_} // 'none') }
            sort keys %o;
}

sub key { ($t->keys('enroll:{devices}:challenge:*'))[0] }

# the one challenge that there is, is the last one
sub allowed {
    my ($path, %o) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    $t->redis('FLUSHALL');
    my $r = ask($path, %o);
    is($r->{status}, 201, called($path, %o) . ': allowed') or diag($r->{body});
    return $r;
}

sub denied {
    my ($path, $status, $reason, %o) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $before = $t->state;
    my $r = ask($path, %o);
    my $e = eval { decode_json($r->{body}) } || {};
    is("$r->{status} " . ($e->{error} // '-'), "$status $reason",
        called($path, %o) . ': denied');
    is($t->state, $before, 'nothing is minted');
    return $r;
}
