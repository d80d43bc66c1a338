#!/usr/bin/perl

# Copyright (C) The nginx-enroll authors

# One-time challenges, minted by the API: used, used up, bound, expired; a
# repeat burns nothing, and neither does an outage.
#
# Conformance: SCEP-063 SCEP-067 BAD-127

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Digest::SHA ();
use JSON::PP;
use Test::More;

use Enroll;
use EnrollDER;
use EnrollSCEP;

##############################################################################

my $t = Enroll->new;

$t->ca('ca', key => 'rsa:2048');
$t->conf(<<'CONF');
    enroll_redis unix:%%DIR%%/redis.sock timeout=1s;
    enroll_ca devices {
        certificate %%DIR%%/ca.crt;
        certificate_key %%DIR%%/ca.key;
    }
    enroll_profile gateway { validity 10d; }
    scep_challenge one-time;
    scep_failure_limit 1000 10m;

    server {
        listen 127.0.0.1:%%PORT_plain%% backlog=512;
        location /scep { scep devices; }
        location /gateway { scep devices profile=gateway; }
        location /api/ { enroll_api devices guard=address allow=127.0.0.1; }
    }
CONF
$t->run;

my $s = EnrollSCEP->new($t, ra => 'ca');
my $c = $s->client('dev1');
my $other = $s->client('dev2');

##############################################################################

# once

my $challenge = mint();
my $m = $s->request($c, challenge => $challenge);
my $r = $s->send($m);
my $serial = EnrollSCEP::serial($s->issued($r, $m, 'a minted challenge'));

is(EnrollSCEP::serial($s->issued($s->send($m), $m, 'the same message again')),
    $serial, 'is the same certificate');
my $again = $s->again($m, nonce => EnrollSCEP::random_octets(16));
is(EnrollSCEP::serial($s->issued($s->send($again), $again,
        'the same request in the same transaction')),
    $serial, 'is the same certificate');

refuses($c, { challenge => $challenge }, 'challenge_unknown',
    'used up: in another transaction');
refuses($other, { challenge => $challenge }, 'challenge_unknown',
    'used up: by another key');
refuses($c, {}, 'challenge_required', 'none');
refuses($c, { challenge => $_ }, 'challenge_unknown', "never minted: '$_'")
    for 'A' x 32, '0', lc mint(), mint() . ' ', substr mint(), 1;

is($t->hash($t->record_key($serial))->{challenge},
    substr(Digest::SHA::sha256_hex($challenge), 0, 16),
    'the record tells which');

# an EC key's answer is encrypted to it, which needs no stretching

my $ec = $s->client('ec1', kind => 'ec:P-256');
$challenge = mint();
$m = $s->request($ec, challenge => $challenge);
my ($got, $a) = $s->summary($s->send($m), $m, password => $challenge);
is("$got " . ($a->{rounds} // '-'), 'SUCCESS 1000', 'a random password');

# as often as minted for

$challenge = mint(uses => 2);
enrols($_, { challenge => $challenge }, "two uses: $_->{name}") for $c, $other;
refuses($c, { challenge => $challenge }, 'challenge_unknown', 'and no third');

##############################################################################

# bound, and a try that does not fit burns nothing

my $hex = Digest::SHA::sha256_hex(spki($c->{key}));
my %san = (san => [dns('dev1.example.com')]);

for my $bound (
    ['the subject', { subject => 'CN=dev1' }, {},
     { subject => name(CN => 'dev3') }],
    ['the encoded subject', { subject => 'CN=dev1,O=Example' },
     { subject => name(O => 'Example', CN => 'dev1') },
     { subject => name(CN => 'dev1', O => 'Example') }],
    ['the SAN', { san => 'dns:dev1.example.com' }, \%san,
     { san => [dns('dev1.example.com'), dns('dev3.example.com')] }],
    ['the profile', { profile => 'gateway' }, { path => '/gateway' }, {}],
    ['the address', { address => '127.0.0.1' }, {}, undef],
    ['all of it', { subject => 'CN=dev1', san => 'dns:dev1.example.com',
                    key_digest => $hex, address => '127.0.0.1' },
     \%san, {}])
{
    my ($name, $how, $right, $wrong) = @$bound;
    my $challenge = mint(%$how);
    refuses($c, { challenge => $challenge, %$wrong }, 'challenge_bound',
        "bound to $name: another") if $wrong;
    enrols($c, { challenge => $challenge, %$right }, "bound to $name");
}
$challenge = mint(key_digest => $hex);
refuses($other, { challenge => $challenge }, 'challenge_bound',
    'bound to the key: another');
enrols($c, { challenge => $challenge }, 'bound to the key');
$challenge = mint(address => '::ffff:127.0.0.1');
enrols($c, { challenge => $challenge }, 'bound to IPv4, written as IPv6');
$challenge = mint(address => '192.0.2.1');
refuses($c, { challenge => $challenge }, 'challenge_bound',
    'bound to another address');

# bound to names that are not all of those asked for, as far as text shows them

my @long = map { "n$_." . 'x' x 50 . '.example.com' } 1 .. 80;
my %long = (san => [map { dns($_) } @long]);
my $text = join ', ', map { "dns:$_" } @long;
$text = substr $text, 0, rindex(substr($text, 0, 4090), ',');
$challenge = mint(san => $text);
refuses($c, { challenge => $challenge, %long }, 'challenge_bound',
    'bound to the first of many names');
$challenge = mint(san => "$text ...");
refuses($c, { challenge => $challenge, %long }, 'challenge_bound',
    'bound to what a log shows of them');
$challenge = mint(subject => 'CN=dev1');
enrols($c, { challenge => $challenge, %long }, 'bound to nothing of them');

# a request that is refused for another reason burns nothing

$challenge = mint();
refuses($c, { challenge => $challenge, san => [der(0x88, "\x2a\x03")] },
    'san_not_allowed', 'a name that is not allowed');
enrols($c, { challenge => $challenge }, 'a refusal burns nothing');

# its time

$challenge = mint(lifetime => 1);
select undef, undef, undef, 1.2;
refuses($c, { challenge => $challenge }, 'challenge_unknown', 'expired');

# deleted

my $minted = api(POST => 'challenges', {});
api(DELETE => "challenges/$minted->{id}");
refuses($c, { challenge => $minted->{challenge} }, 'challenge_unknown',
    'deleted');

##############################################################################

# an outage does not strand the device

$challenge = mint();
$m = $s->request($c, challenge => $challenge);
$t->redis_stop;
$s->refused($s->send($m), 503, 'store_unavailable', 'Redis is away');
$t->redis_start;
ok(wait_for { ($s->summary($s->send($m), $m))[0] eq 'SUCCESS' },
    'and after it the same message is enough');

# all at once: one of them

$challenge = mint();
$m = $s->request($c, challenge => $challenge);
my @m = map {
    $s->again($m, transaction => "race$_", nonce => pack 'N4', $_, 0, 0, 1)
} 1 .. 100;
my @conns = map { $s->start($_) } @m;
my %got;
$got{($s->summary($s->response($conns[$_]), $m[$_]))[0]}++ for 0 .. $#m;
is_deeply(\%got, { SUCCESS => 1, 'FAILURE 2 challenge_unknown' => 99 },
    'a hundred at the same time, each in its transaction: one');

is($t->open_txns, '', 'no transaction is open');
unlike($t->state . $t->log, qr/$challenge/, 'a challenge is nowhere');
$t->done;

##############################################################################

sub api {
    my ($method, $op, $data) = @_;
    my $r = $t->curl('-X', $method, '-H', 'Content-Type: application/json',
        $data ? ('-d', encode_json($data)) : (),
        'http://127.0.0.1:' . $t->port('plain') . "/api/$op");
    return decode_json($r->{body});
}

sub mint { return api(POST => 'challenges', {@_})->{challenge} }

sub asked {
    my ($c, $o) = @_;
    my %o = %$o;
    my $path = delete $o{path} // '/scep';
    my $m = $s->request($c, %o);
    return ($s->send($m, path => $path), $m);
}

sub enrols {
    my ($c, $o, $name) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    return $s->issued(asked($c, $o), $name);
}

sub refuses {
    my ($c, $o, $reason, $name) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    return $s->failed(asked($c, $o), 2, $reason, $name);
}
