#!/usr/bin/perl

# Copyright (C) The nginx-enroll authors

# The page "configuration" is for clients that have proved who they are, or
# for anybody where debugging is on; and in no case does it tell a secret, or
# where one is kept.

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
$t->ca('other');
$t->client('stranger', 'other');
$t->client('unknown', 'ca');
$t->users('my-users', dev1 => 'pa55word');
$t->write('my-challenge', "S3CRET\n");
$t->write('my-redis-password', "r3dis\n");
$t->redis_start('--requirepass', 'r3dis');
$t->{redis_cli} = ['--no-auth-warning', '-a', 'r3dis'];
$t->conf(<<'CONF');
    enroll_redis unix:%%DIR%%/redis.sock
                 password_file=%%DIR%%/my-redis-password;
    enroll_ca devices {
        certificate %%DIR%%/ca.crt;
        certificate_key %%DIR%%/ca.key;
        ra_certificate %%DIR%%/ra.crt;
        ra_certificate_key %%DIR%%/ra.key;
    }
    enroll_profile device { validity 30d; renew_before 10d; keys rsa:2048; }

    scep_challenge file:%%DIR%%/my-challenge;

    server {
        listen 127.0.0.1:%%PORT_tls%% ssl;
        listen 127.0.0.1:%%PORT_plain%%;
        %%TLS%%
        ssl_verify_client optional_no_ca;
        ssl_client_certificate %%DIR%%/ca.crt;

        location /est/ {
            est devices profile=device;
            est_basic_users %%DIR%%/my-users;
            est_csrattrs ec:P-384;
        }
        location /cert/ { est devices; est_auth certificate; }
        location /none/ { est devices; est_auth none; enroll_names any; }
        location /debug/ { est devices; est_debug on; }
        location /lax/ { est devices; est_unrecorded on; }
        location /scep/ { scep devices profile=device; }
        location /scep-static/ { scep devices; scep_challenge T0PS3CRET; }
        location /scep-debug/ {
            scep devices; scep_debug on; scep_challenge one-time;
        }
        location /scep-open/ {
            scep devices; scep_debug on; scep_challenge off;
            enroll_approval manual;
        }
    }
CONF
$t->run;

# a certificate of the records, by password

my $csr = $t->csr(name => 'dev1', key => 'rsa:2048', subject => '/CN=dev1');
my $der = $t->issued($t->est('', url => url('/est/simpleenroll'), csr => $csr,
                             user => 'dev1:pa55word'));
$t->keep('dev1', $der);

##############################################################################

# strangers

my $state = $t->state;

for my $case (
    ['/est', 401, 'authentication_required'],
    ['/est', 401, 'bad_password', user => 'dev1:wrong'],
    ['/est', 401, 'bad_password', user => 'nobody:pa55word'],
    ['/cert', 403, 'client_certificate_required'],
    ['/cert', 403, 'client_certificate_required', user => 'dev1:pa55word'],
    ['/cert', 403, 'client_certificate_not_verified', cert => 'stranger'],
    ['/cert', 403, 'client_certificate_unrecorded', cert => 'unknown'],
    ['/none', 403, 'client_certificate_required'],
    ['/scep', 403, 'client_certificate_required'],
    ['/scep', 403, 'client_certificate_not_verified', cert => 'stranger'],
    ['/scep', 403, 'client_certificate_unrecorded', cert => 'unknown'],
    ['/scep-static', 403, 'client_certificate_required'])
{
    my ($path, $status, $reason, @who) = @$case;
    my $r = ask($path, @who);
    my $name = join ' ', $path, @who, $reason;

    if ($status == 401) {
        is("$r->{status} $r->{reason} $r->{body}", "401 $reason ", $name);
        like($r->{headers}{'www-authenticate'}, qr/^Basic realm="/, $name);
    } else {
        $t->refused($r, $status, $reason, $name);
    }
    is($r->{headers}{'cache-control'}, 'no-store', 'not to be kept');
}

is($t->curl('http://127.0.0.1:' . $t->port('plain') . '/scep/configuration')
     ->{status}, 403, 'SCEP over clear text: nobody is known there');
is($t->state, $state, 'these leave nothing in Redis');

# who may see it

my @seen;
for my $case (['/est', user => 'dev1:pa55word'], ['/est', cert => 'dev1'],
    ['/cert', cert => 'dev1'], ['/none', cert => 'dev1'],
    ['/lax', cert => 'unknown'], ['/debug'], ['/scep', cert => 'dev1'],
    ['/scep-static', cert => 'dev1'], ['/scep-debug'], ['/scep-open'])
{
    my ($path, @who) = @$case;
    my $r = ask($path, @who);
    is($r->{status}, 200, join ' ', $path, @who);
    is($r->{type}, 'application/json', 'JSON');
    push @seen, $r->{body};
}

# no secret, nor where it is kept

for my $secret ('pa55word', 'S3CRET', 'T0PS3CRET', 'r3dis', 'my-users',
    'my-challenge', 'my-redis', $t->dir, '.key;', 'PRIVATE', 'redis.sock')
{
    is(join('', grep { index($_, $secret) >= 0 } @seen), '',
        "nowhere in it: " . ($secret eq $t->dir ? 'a path' : $secret));
}

# what it says

my $est = json(ask('/est', user => 'dev1:pa55word'))->{settings};
is_deeply([@{$est}{qw(profile default_validity_days renewal_threshold_days
                      auth approval names body_size)}],
    ['device', 30, 10, 'any', 'off', 'identity', 131072], 'EST: settings');
is_deeply($est->{keys}, ['rsa:2048'], 'EST: keys');
is_deeply($est->{csrattrs}, ['ec:P-384'], 'EST: csrattrs');
ok($est->{basic_users}, 'EST: there are users');
ok(grep({ $_ eq 'application/pkcs10' } @{$est->{content_types}{requests}}),
    'EST: content types');

my $scep = json(ask('/scep', cert => 'dev1'))->{settings};
ok($scep->{challenge_password_required}, 'SCEP: a challenge is required');
is_deeply([@{$scep}{qw(default_validity_days renewal_threshold_days
                       challenge_password ca_certs)}],
    [30, 10, 'static', 'ra'], 'SCEP: settings');
is($scep->{content_types}{PKIOperation}, 'application/x-pki-message',
    'SCEP: content types');
ok(!json(ask('/scep-open'))->{settings}{challenge_password_required},
    'SCEP: none is required');
is(json(ask('/scep-open'))->{settings}{approval}, 'manual',
    'SCEP: but somebody\'s approval');

# the revoked do not see it any more

$t->redis('HSET', $t->record_key(cert_fields($der)->{serial}), 'status',
          'revoked');
$t->redis('ZADD', 'enroll:{devices}:revoked', 1, cert_fields($der)->{serial});
$t->refused(ask($_, cert => 'dev1'), 403, 'client_certificate_revoked',
    "$_: revoked") for '/cert', '/scep';

# nor does anybody of whom Redis would have to say that it is not

$t->redis_stop;
ok(do { wait_for { ask('/cert', cert => 'dev1')->{status} == 503 } 5 },
    'Redis is away: 503');
is(ask('/est', user => 'dev1:pa55word')->{status}, 200,
    'by password it needs no records');

$t->done;

##############################################################################

sub url { 'https://127.0.0.1:' . $t->port('tls') . shift }

sub ask {
    my ($path, @who) = @_;
    return $t->est('', url => url("$path/configuration"), @who);
}

sub json {
    my ($r) = @_;
    return eval { JSON::PP::decode_json($r->{body}) }
           || do { diag("no JSON: $r->{status} $r->{body}"); {} };
}
