#!/usr/bin/perl

# Copyright (C) The nginx-enroll authors

# The page "info": what strangers may know of a location, and which managed
# devices can enrol there.

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

$t->ca('root', key => 'rsa:2048');
$t->ca('ca', key => 'rsa:2048', issuer => 'root',
    subject => '/O=Quote " and \\\\ and <b>/CN=ca');
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
    enroll_profile narrow { keys rsa:3072 ec:P-256,P-384 ed25519; }
    enroll_profile ec { keys ec:P-384; }
    est_basic_users %%DIR%%/users;
    scep_challenge secret;

    server {
        listen 127.0.0.1:%%PORT_tls%% ssl;
        %%TLS%%
        ssl_verify_client optional;
        ssl_client_certificate %%DIR%%/ca.crt;

        location /est/ {
            est devices profile=narrow;
            enroll_max_body_size 64k;
        }
        location /wait/ {
            est devices; est_auth certificate; server_tokens off;
            enroll_approval manual;
            enroll_pending max=50 per_address=2 lifetime=1d;
        }
        location /scep/ {
            scep devices; scep_challenge off; enroll_approval off;
        }
    }

    server {
        listen 127.0.0.1:%%PORT_plain%%;
        location /static/ { scep devices; scep_legacy sha1 des3; }
        location /off/ {
            scep devices; scep_challenge off; enroll_approval off;
        }
        location /chain/ {
            scep devices; scep_challenge off; enroll_approval off;
            scep_ca_certs chain;
        }
        location /bag/ {
            scep devices; scep_challenge off; enroll_approval off;
            scep_chain on;
        }
        location /issuer/ { scep devices; scep_ca_certs issuer; }
        location /ec/ { scep devices profile=ec; }
    }
CONF
$t->run;

##############################################################################

my $i = est('/est/info');

is($i->{protocol}, 'est', 'protocol');
is($i->{status}, 'ok', 'status');
like($i->{version}, qr/^\d+\.\d+\.\d+$/, 'version');
like($i->{base_url}, qr{/est$}, 'URL');
is(scalar @{$i->{operations}}, 4, 'operations');
is(join(' ', @{$i->{authentication}}), 'tls_client_certificate http_basic',
    'authentication');
is(join(' ', @{$i->{keys}}), 'rsa:3072 ec:P-256 ec:P-384 ed25519',
    'the keys of the profile');
is($i->{limits}{body_size}, 65536, 'the limit of the body');
ok(!exists $i->{limits}{pending}, 'nothing waits here');
like($i->{ca}{subject}, qr/Quote \\" and \\\\ and \\<b\\>/,
    'the CA\'s subject, escaped as names are, and as JSON');
like($i->{ca}{not_after}, qr/^20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ$/, 'its end');
my $print = $t->openssl('x509', '-in', $t->dir('ca.crt'), '-noout',
                        '-fingerprint', '-sha256');
$print =~ s/.*=|[:\n]//g;
is(uc $i->{ca}{sha256}, $print, 'its fingerprint');
ok(!exists $i->{ra}, 'EST has no RA');
ok(grep({ $_ eq 'own_names_only' } @{$i->{security}}), 'security: names');
is_deeply([map { $i->{compatibility}{$_}{compatible} ? 1 : 0 }
               'intune', 'ios', 'android'], [0, 0, 1], 'who knows EST');

is_deeply($i->{statistics}, { issued => 0, renewed => 0 }, 'none yet');

my $csr = $t->csr(name => 'dev1', subject => '/CN=dev1');
$t->keep('dev1', $t->issued($t->est('', csr => $csr, user => 'dev1:secret',
    url => 'https://127.0.0.1:' . $t->port('tls') . '/est/simpleenroll')));
$t->issued($t->est('', csr => $csr, cert => 'dev1',
    url => 'https://127.0.0.1:' . $t->port('tls') . '/est/simplereenroll'));
is_deeply(est('/est/info')->{statistics}, { issued => 1, renewed => 1 },
    'issued and renewed');

$i = est('/wait/info');
ok(!exists $i->{version}, 'server_tokens off: no version');
is(join(' ', @{$i->{authentication}}), 'tls_client_certificate',
    'est_auth certificate');
is_deeply([@{$i->{limits}}{'pending', 'pending_per_address',
                           'pending_seconds'}], [50, 2, 86400],
    'how many may wait');

# SCEP

$i = scep('/static/info');
is(join(' ', @{$i->{authentication}}),
    'challenge_password certificate_to_renew', 'SCEP: authentication');
is(join(' ', @{$i->{legacy_algorithms}}), 'sha1 des3', 'SCEP: legacy');
like($i->{ra}{subject}, qr/CN=ra/, 'SCEP: the RA');

# who can enrol where, and why not

for my $case (
    ['/static', 'intune', qr/challenges of its own/], ['/static', 'ios'],
    ['/static', 'android'],
    ['/off', 'intune'], ['/off', 'ios'],
    ['/chain', 'intune', qr/scep_ca_certs/], ['/chain', 'ios'],
    ['/bag', 'intune', qr/scep_chain/],
    ['/issuer', 'ios', qr/scep_ca_certs/],
    ['/ec', 'ios', qr/RSA/], ['/ec', 'android', qr/RSA/],
    ['/ec', 'intune', qr/RSA/])
{
    my ($path, $who, $why) = @$case;
    my $c = scep("$path/info")->{compatibility}{$who};

    if ($why) {
        ok(!$c->{compatible}, "$path, $who: no");
        like($c->{reason}, $why, "$path, $who: why");
    } else {
        is_deeply($c, { compatible => JSON::PP::true }, "$path, $who: yes");
    }
}

like(est('/scep/info')->{compatibility}{intune}{reason}, qr/ssl_verify_client/,
    'TLS that asks for a certificate, and Windows');

$t->done;

##############################################################################

sub est { get('https://127.0.0.1:' . $t->port('tls') . shift) }
sub scep { get('http://127.0.0.1:' . $t->port('plain') . shift) }

sub get {
    my $r = $t->curl(shift);
    return eval { JSON::PP::decode_json($r->{body}) }
           || do { diag("no JSON: $r->{status} $r->{body}"); {} };
}
