#!/usr/bin/perl

# Copyright (C) The nginx-enroll authors

# A lost answer: who asks again for the same gets the same certificate,
# nobody else gets it, and what Redis says is checked first.
#
# Conformance: EST-105 EST-112 EST-116 HTTP-029 BAD-081 BAD-082 BAD-139

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use Enroll;
use EnrollDER;

##############################################################################

my $t = Enroll->new;

$t->ca($_) for 'ca', 'stranger';
$t->users('users', dev1 => 'secret', dev2 => 'secret');
$t->conf(<<'CONF');
    enroll_redis unix:%%DIR%%/redis.sock;
    enroll_ca devices {
        certificate %%DIR%%/ca.crt;
        certificate_key %%DIR%%/ca.key;
    }

    est_basic_users %%DIR%%/users;
    enroll_names any;

    server {
        listen 127.0.0.1:%%PORT_tls%% ssl;
        %%TLS%%
        ssl_verify_client optional;
        ssl_client_certificate %%DIR%%/ca.crt;

        location /.well-known/est/ { est devices; }
        location /other/ { est devices; }
        location /never/ { est devices; est_repeat 0; }
        location /brief/ { est devices; est_repeat 1s; }
    }
CONF
$t->run;

##############################################################################

my $csr = $t->csr(name => 'dev1', subject => '/CN=dev1', san => 'DNS:a.test');
my $r = ask($csr);
my $serial = $t->serial($r);
is($t->count('issued'), 1, 'issued');

# again, and as a client does that has built its request anew

is($t->serial(ask($csr)), $serial, 'the same request');
my $rebuilt = $t->csr(name => 'dev1', subject => '/CN=dev1',
                      san => 'DNS:a.test');
isnt($rebuilt->{der}, $csr->{der}, 'a request built anew is another');
is($t->serial(ask($rebuilt)), $serial, 'the same key and names');
is($t->issued(ask($csr)), $t->issued($r), 'octet by octet');
is($t->count('issued'), 1, 'counted once');
is(scalar($t->keys('enroll:{devices}:cert:*')), 1, 'recorded once');

# the denied twins: anything else is another certificate

my @others = (
    ['another key', $t->csr(subject => '/CN=dev1', san => 'DNS:a.test')],
    ['another SAN', $t->csr(name => 'dev1', subject => '/CN=dev1',
                            san => 'DNS:b.test')],
    ['no SAN', $t->csr(name => 'dev1', subject => '/CN=dev1')],
    ['another subject', $t->csr(name => 'dev1', subject => '/CN=dev',
                                san => 'DNS:a.test')],
    ['another user', $csr, user => 'dev2:secret'],
    ['another location', $csr, prefix => '/other/'],
);
my %seen = ($serial => 1);
for (@others) {
    my ($name, @o) = @$_;
    my $s = $t->serial(ask(@o));
    ok($s && !$seen{$s}++, $name);
}

isnt($t->serial(ask($csr, prefix => '/never/')),
    $t->serial(ask($csr, prefix => '/never/')), 'est_repeat 0: never');

my $brief = $t->serial(ask($csr, prefix => '/brief/'));
ok(wait_for(sub { $t->serial(ask($csr, prefix => '/brief/')) ne $brief }, 8),
    'est_repeat 1s: not for long');

# a renewal has its own

$t->keep('dev1', $t->issued($r));
my $renewed = $t->serial($t->est('simplereenroll', csr => $csr,
                                 cert => 'dev1'));
isnt($renewed, $serial, 'a renewal is no repetition of the first');
is($t->serial($t->est('simplereenroll', csr => $csr, cert => 'dev1')),
    $renewed, 'but one of itself');

# across a reload, and in many connections at once

ok($t->reload, 'reloaded');
is($t->serial(ask($csr)), $serial, 'the same after a reload');

my $many = $t->csr(subject => '/CN=many');
my $n = $t->count('issued');
my %serials = map { $t->serial($_) => 1 } $t->burst(
    (['simpleenroll', { csr => $many, user => 'dev1:secret' }]) x 20);
is(scalar(keys %serials), 1, 'twenty at once get one certificate');
is($t->count('issued'), $n + 1, 'and it is counted once');

# a certificate that is revoked is not sent again

for my $how ('record', 'list') {
    my $csr = $t->csr(subject => "/CN=$how");
    my $serial = $t->serial(ask($csr));
    my $key = $t->record_key($serial);
    is($t->serial(ask($csr)), $serial, "revoked in the $how: before that, again");
    $how eq 'record' ? $t->redis('HSET', $key, 'status', 'revoked')
        : $t->redis('ZADD', 'enroll:{devices}:revoked', time, $key =~ s/.*://r);
    my $other = $t->serial(ask($csr));
    ok($other && $other ne $serial, "revoked in the $how: another one then");
}

# a record that was tampered with is not handed out

my $victim = $t->csr(name => 'victim', subject => '/CN=victim');
my $key = $t->record_key($t->serial(ask($victim)));
my $foreign = forge_cert(key => $t->dir('stranger.key'),
    issuer_cert => unpem($t->read('stranger.crt')),
    subject => name(CN => 'victim'), subject_key => $t->dir('victim.key'));

for ([foreign => $foreign], ['of another key' => $t->issued($r)],
     [nonsense => 'nonsense'], [empty => ''])
{
    my ($name, $der) = @$_;
    my $file = $t->write('tampered', $der);
    system "redis-cli -s ${\$t->dir('redis.sock')} -x HSET '$key' cert"
           . " < $file > /dev/null";
    my $r = ask($victim);
    isnt($r->{status}, 200, "a certificate that is $name is not given out")
        or is(cert_fields($t->issued($r))->{spki}, csr_spki($victim->{der}));
    $t->refused($r, 503, length $der ? 'record_not_trusted' : $r->{reason},
        "$name: 503");
}

my $mine = $t->csr(subject => '/CN=mine');
$key = $t->record_key($t->serial(ask($mine)));
$t->redis('HSET', $key, 'requester', 'somebody');
$t->refused(ask($mine), 503, 'record_not_trusted',
    'a record of another requester: 503');

$t->done;

##############################################################################

sub ask {
    my ($csr, @o) = @_;
    return $t->est('simpleenroll', csr => $csr, user => 'dev1:secret', @o);
}
