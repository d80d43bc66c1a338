#!/usr/bin/perl

# Copyright (C) The nginx-enroll authors

# Health: 200 where a certificate could be issued at this moment, 503 where
# Redis does not answer, or CA or RA have ended, and what of it; whether nginx
# lives is another question.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use JSON::PP ();
use Test::More;
use Time::HiRes ();

use Enroll;
use EnrollDER;

##############################################################################

my $t = Enroll->new;

# one CA and one RA that end while this runs

my @is_ca = (extension('2.5.29.19', seq(der(0x01, "\xff")), 1),
             extension('2.5.29.15', der(0x03, "\x01\x06"), 1));
my $life = 20;

$t->ca('ca', key => 'rsa:2048');
$t->ra('ra', 'ca');
$t->keep('brief', forge_cert(key => $t->key('brief', 'rsa:2048'),
    from => -3600, till => $life, subject => name(CN => 'brief'),
    exts => \@is_ca));
$t->keep('brief-ra', forge_cert(key => $t->dir('ca.key'),
    subject_key => $t->key('brief-ra', 'rsa:2048'), from => -3600,
    till => $life, issuer_cert => unpem($t->read('ca.crt')),
    subject => name(CN => 'brief-ra'),
    exts => [extension('2.5.29.15', der(0x03, "\x05\xa0"), 1)]));

my $end = time + $life;

$t->conf(<<'CONF');
    enroll_redis unix:%%DIR%%/redis.sock timeout=500ms;
    enroll_ca devices {
        certificate %%DIR%%/ca.crt;
        certificate_key %%DIR%%/ca.key;
        ra_certificate %%DIR%%/ra.crt;
        ra_certificate_key %%DIR%%/ra.key;
    }
    enroll_ca brief {
        certificate %%DIR%%/brief.crt;
        certificate_key %%DIR%%/brief.key;
    }
    enroll_ca ra {
        certificate %%DIR%%/ca.crt;
        certificate_key %%DIR%%/ca.key;
        ra_certificate %%DIR%%/brief-ra.crt;
        ra_certificate_key %%DIR%%/brief-ra.key;
    }
    scep_challenge secret;

    log_format health "$enroll_protocol|$enroll_operation|$enroll_reason|"
                      "$status";
    access_log %%HOME%%/health.log health;

    server {
        listen 127.0.0.1:%%PORT_tls%% ssl;
        listen 127.0.0.1:%%PORT_plain%%;
        %%TLS%%
        ssl_verify_client optional;
        ssl_client_certificate %%DIR%%/ca.crt;

        location /est/ { est devices; }
        location /brief/ { est brief; }
        location /scep/ { scep devices; }
        location /ra/ { scep ra; }
        location /ra-est/ { est ra; }
    }
CONF
$t->run;

##############################################################################

is(health('/brief/'), '200 ok: key ca redis', 'a CA that will end');
is(health('/ra/'), '200 ok: key ca ra redis', 'an RA that will end');
is(health('/est/'), '200 ok: key ca redis', 'EST: well');
is(health('/scep/'), '200 ok: key ca ra redis', 'SCEP: well');
is(health('/est/', '?live'), '200 alive: ', 'alive');
my $state = $t->state;

# Redis goes

$t->redis_stop;
ok(becomes(5, sub { health('/est/') =~ /^503/ }), 'Redis is stopped: 503');
is(health('/est/'), '503 failing: key ca', 'and it says what fails');
is(health('/scep/'), '503 failing: key ca ra', 'SCEP: the same');
my $r = get('/est/');
is($r->{reason}, 'store_unavailable', 'the reason');
is($r->{headers}{'retry-after'}, 5, 'Retry-After');
is($r->{headers}{'cache-control'}, 'no-store', 'not to be kept');
is(health('/est/', '?live'), '200 alive: ', 'alive all the same');
like(get('/est/', 'info')->{body}, qr/"status":"failing"/, 'info: failing');
like($t->log('health'), qr/^est\|health\|store_unavailable\|503$/m,
    'the variables');

# and comes back

$t->redis_start;
ok(becomes(15, sub { health('/est/') =~ /^200 ok/ }), 'it is back: 200');

# it stands still

kill STOP => $t->{redis};
my $start = Time::HiRes::time();
ok(becomes(5, sub { health('/est/') eq '503 failing: key ca' }),
    'it stands still: 503');
$start = Time::HiRes::time();
is(health('/scep/', '?live'), '200 alive: ', 'alive');
cmp_ok(Time::HiRes::time() - $start, '<', 1, 'at once');
kill CONT => $t->{redis};
ok(becomes(15, sub { health('/est/') =~ /^200 ok/ }), 'it goes on');

# who asks often does not have Redis asked as often

my $before = calls();
health('/est/') for 1 .. 30;
cmp_ok(calls() - $before, '<', 15, 'Redis is not asked each time');

# CA and RA end

wait_for { time > $end } $life + 5;
ok(becomes(5, sub { health('/brief/') eq '503 failing: key redis' }),
    'the CA has ended');
is(get('/brief/')->{reason}, 'ca_expired', 'the reason');
is(health('/ra/'), '503 failing: key ca redis', 'the RA has ended');
is(get('/ra/')->{reason}, 'ra_expired', 'the reason');
is(health('/ra-est/'), '200 ok: key ca redis', 'which EST does not need');
is(health('/est/'), '200 ok: key ca redis', 'the other CA is well');

is($t->state, $state, 'nothing of this leaves anything in Redis');
$t->done;

##############################################################################

sub get {
    my ($path, $page, $query) = @_;
    return $t->curl('https://127.0.0.1:' . $t->port('tls') . $path
                    . ($page // 'health') . ($query // ''));
}

# status, what it says, and the checks that are well
sub health {
    my ($path, $query) = @_;
    my $r = get($path, 'health', $query);
    my $json = eval { JSON::PP::decode_json($r->{body}) } || {};
    my $checks = $json->{checks} || {};
    return "$r->{status} " . ($json->{status} // $r->{body}) . ': '
           . join ' ', grep { ($checks->{$_} // '') eq 'ok' }
                            qw(key ca ra redis);
}

sub becomes {
    my ($seconds, $what) = @_;
    return wait_for { $what->() } $seconds;
}

sub calls {
    my ($n) = $t->redis('INFO', 'commandstats')
              =~ /cmdstat_evalsha:calls=(\d+)/;
    return $n // 0;
}
