#!/usr/bin/perl

# Copyright (C) The nginx-enroll authors

# What fails is counted by the signer's key and by the address (of IPv6, its
# /64), and bounded, also where much is tried at once.
#
# Conformance: SCEP-099 BAD-132

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use Enroll;
use EnrollDER;
use EnrollSCEP;

##############################################################################

my $t = Enroll->new;

$t->ca('ca', key => 'rsa:2048');
$t->conf(<<'CONF');
    enroll_redis unix:%%DIR%%/redis.sock;
    enroll_ca devices {
        certificate %%DIR%%/ca.crt;
        certificate_key %%DIR%%/ca.key;
    }
    enroll_ca soon {
        certificate %%DIR%%/ca.crt;
        certificate_key %%DIR%%/ca.key;
    }
    enroll_ca others {
        certificate %%DIR%%/ca.crt;
        certificate_key %%DIR%%/ca.key;
    }
    scep_challenge secret;
    set_real_ip_from 127.0.0.1;
    real_ip_header X-Client;

    server {
        listen 127.0.0.1:%%PORT_plain%%;
        location /scep { scep devices; scep_failure_limit 3 10m; }
        location /soon { scep soon; scep_failure_limit 1 2s; }
        location /off { scep others; scep_failure_limit off; }
    }
CONF
$t->run;

my $s = EnrollSCEP->new($t, ra => 'ca');
my ($a, $b) = map { $s->client($_) } qw(dev1 dev2);

##############################################################################

# by the key: from an address of its own each time

$s->issued(asked($a, 'secret', 1), 'a good one');
$s->failed(asked($a, 'wrong', $_), 2, 'challenge_unknown', "failure $_")
    for 2 .. 4;
$s->failed(asked($a, 'secret', 5), 2, 'too_many_failures',
    'too many of the key: not even the right challenge');
$s->issued(asked($b, 'secret', 5), 'another key');

# by the address: with a key of its own each time

my @keys = map { $s->client("key$_", kind => 'ec:P-256') } 1 .. 3;
$s->failed(asked($_, 'wrong', 9), 2, 'challenge_unknown',
    "failure of $_->{name}") for @keys;
$s->failed(asked($b, 'secret', 9), 2, 'too_many_failures',
    'too many of the address');
$s->issued(asked($b, 'secret', 10), 'another address');

# a certificate can be copied: without its key nothing counts against it, but
# for the address that sends it, from which nothing more is verified

$s->failed(asked($b, 'secret', 20, flip => 1), 1, 'message_signature',
    "the other's certificate, signed by nobody: $_") for 1 .. 3;
$s->failed(asked($b, 'secret', 20, flip => 1), 2, 'too_many_failures',
    'too many of the address: the signature is not looked at');
$s->issued(asked($b, 'secret', 21), 'whose certificate it is');
$s->failed(asked($a, 'secret', 22, flip => 1), 2, 'too_many_failures',
    "a copy of a limited one's");

# IPv6: an address is its /64, and IPv4 in IPv6 is IPv4

@keys = map { $s->client("six$_", kind => 'ec:P-256') } 1 .. 3;
$s->failed(asked($keys[$_], 'wrong', "2001:db8:1:2:$_\::1"), 2,
    'challenge_unknown', "failure $_ of a /64") for 0 .. 2;
$s->failed(asked($b, 'secret', '2001:db8:1:2:ffff::9'), 2,
    'too_many_failures', 'too many of the /64');
$s->issued(asked($b, 'secret', '2001:db8:1:3::1'), 'another /64');
$s->failed(asked($b, 'secret', '::ffff:192.0.2.9'), 2, 'too_many_failures',
    'too many of an IPv4 address, written as one of IPv6');
$s->issued(asked($b, 'secret', '::ffff:192.0.2.10'), 'another one');

# polls of what there is not, as if transactions could be guessed

my $guesser = $s->client('guesser');
for my $n (1 .. 3) {
    my $m = $s->poll($guesser, "guess$n");
    $s->failed($s->response(start($m, 50, '/scep')), $m, 4, 'not_found',
        "a guess, $n");
}
my $guess = $s->poll($guesser, 'guess4');
$s->failed($s->response(start($guess, 50, '/scep')), $guess, 2,
    'too_many_failures', 'too many guesses');

# for a time

my @soon = (path => '/soon');
$s->failed(asked($a, 'wrong', 31, @soon), 2, 'challenge_unknown', 'one failure');
$s->failed(asked($a, 'secret', 31, @soon), 2, 'too_many_failures', 'is enough');
select undef, undef, undef, 2.2;
$s->issued(asked($a, 'secret', 32, @soon), 'the key again, after a time');
$s->issued(asked($b, 'secret', 31, @soon), 'the address again');

# At once, of one address: no more fail than the limit says, and what does not
# fail waits for its turn, and is served.

my @many = map { $s->client("many$_", kind => 'ec:P-256') } 1 .. 12;
my %got = at_once('wrong', 40, @many);
is_deeply(\%got, { 'FAILURE 2 challenge_unknown' => 3,
                   'FAILURE 2 too_many_failures' => 9 },
    'twelve wrong ones at once: three fail');
%got = at_once('secret', 41, @many);
is_deeply(\%got, { SUCCESS => 12 }, 'twelve good ones at once');
ok(wait_for(sub { !$t->keys('*:tries') }), 'no try is left');

# A failure before: two at a time

$s->failed(asked($b, 'wrong', 42), 2, 'challenge_unknown', 'a failure');
%got = at_once('secret', 42, @many);
is_deeply(\%got, { SUCCESS => 12 }, 'twelve good ones after it');

# what is not taken apart has no signer, and counts for nobody else

$s->send('x') for 1 .. 5;
$s->issued(asked($b, 'secret', 11), 'after noise');

# off

$s->failed(asked($a, 'wrong', 1, path => '/off'), 2, 'challenge_unknown',
    'off: wrong') for 1 .. 6;
$s->issued(asked($a, 'secret', 1, path => '/off'), 'off: never too many');

is(scalar(grep { $t->redis('TTL', $_) < 0 } $t->keys('*fail*')), 0,
    'the counters end');
$t->done;

##############################################################################

sub asked {
    my ($c, $challenge, $host, %o) = @_;
    my $path = delete $o{path};
    my $m = $s->request($c, challenge => $challenge, %o);
    return ($s->response(start($m, $host, $path)), $m);
}

# the host's last number, or the whole address
sub start {
    my ($m, $host, $path) = @_;
    $path //= '/scep';
    $host = "192.0.2.$host" if $host !~ /:/;
    return $s->start($m, raw =>
        "POST $path HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
        . "X-Client: $host\r\nContent-Length: "
        . length($m->{der}) . "\r\n\r\n$m->{der}");
}

sub at_once {
    my ($challenge, $host, @c) = @_;
    my @m = map { $s->request($_, challenge => $challenge) } @c;
    my @conns = map { start($_, $host) } @m;
    my %got;
    $got{($s->summary($s->response($conns[$_]), $m[$_],
                      password => $challenge))[0]}++ for 0 .. $#m;
    return %got;
}
