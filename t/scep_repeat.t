#!/usr/bin/perl

# Copyright (C) The nginx-enroll authors

# The same message again, also at the same time and on another node; nonces
# and transactions that are taken over.
#
# Conformance: SCEP-043 SCEP-090 SCEP-091 BAD-111 BAD-135

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Digest::SHA ();
use Test::More;

use Enroll;
use EnrollDER;
use EnrollSCEP;

##############################################################################

my $t = Enroll->new;
my $node = $t->node('b');

$t->ca('ca', key => 'rsa:2048');
my $conf = <<'CONF';
    enroll_redis unix:%%DIR%%/redis.sock;
    enroll_ca devices {
        certificate %%DIR%%/ca.crt;
        certificate_key %%DIR%%/ca.key;
    }
    scep_challenge secret;

    server {
        listen 127.0.0.1:%%PORT_plain%% backlog=512;
        location /scep { scep devices; }
        location /b/ { scep devices; }
        location /short { scep devices; scep_repeat 1s; }
    }
CONF
$t->conf($conf, workers => 2)->run;
$node->conf($conf)->start;

my $s = EnrollSCEP->new($t, ra => 'ca');
my $c = $s->client('dev1');
my $other = $s->client('dev2');
my %o = (challenge => 'secret');

##############################################################################

# one after another

my $m = $s->request($c, %o);
my $r = $s->send($m);
my $serial = serial($r, $m, 'a message');
my $a = $s->open($r, $m);

for my $n ($t, $node) {
    my $r = $s->send($m, node => $n);
    is(serial($r, $m, "again, on $n->{name}"), $serial, 'the same certificate');
    isnt($s->open($r, $m)->{nonce}, $a->{nonce}, 'a fresh senderNonce');
}
is(scalar $t->keys('*:cert:*'), 1, 'one record');

# the same request, in the same transaction, another nonce or digest or type

my $again = $s->again($m, nonce => EnrollSCEP::random_octets(8));
is(serial($s->send($again), $again, 'another nonce'), $serial,
    'the same certificate');
$again = $s->message($c, type => 19, transaction => $m->{transaction},
    data => forge_csr(key => $c->{key}, subject => name(CN => 'dev1'),
                      attributes => [challenge(printable('secret'))]));
is(serial($s->send($again), $again, 'enveloped anew'), $serial,
    'RSA PKCS #1 signs alike: the same request, the same certificate');

# another request in the same transaction, and another transaction

$again = $s->request($c, %o, transaction => $m->{transaction},
                     subject => name(CN => 'dev1', O => 'Example'));
isnt(serial($s->send($again), $again, 'another request, same transactionID'),
    $serial, 'another certificate');
$again = $s->request($c, %o);
isnt(serial($s->send($again), $again, 'another transaction'), $serial,
    'another certificate');
$again = $s->request($other, %o, transaction => $m->{transaction});
isnt(serial($s->send($again), $again, 'another key, same transactionID'),
    $serial, 'another certificate');

# a nonce in another transaction

$again = $s->request($c, %o, nonce => $m->{nonce});
$s->failed($s->send($again, node => $_), $again, 2, 'nonce_replayed',
    'its nonce in another transaction') for $t, $node;
$again = $s->request($other, %o, nonce => $m->{nonce});
$s->failed($s->send($again), $again, 2, 'nonce_replayed',
    'its nonce by another client');
is(serial($s->send($m), $m, 'the first again'), $serial, 'undisturbed');

# what is not the same: changed on the way

my $bad = $s->again($m, flip => 1);
$s->failed($s->send($bad), $bad, 1, 'message_signature', 'a broken copy');
$bad = $s->again({ %$m, client => $other }, nonce => 'x' x 16);
$s->failed($s->send($bad), $bad, 2, 'envelope_not_opened',
    'its envelope, signed by another');

# revoked: not handed out again

$t->redis('HSET', $t->record_key($serial), 'status', 'revoked');
isnt(serial($s->send($m), $m, 'revoked meanwhile'), $serial,
    'another certificate');

# after scep_repeat

$m = $s->request($c, %o);
$serial = serial($s->send($m, path => '/short'), $m, 'scep_repeat 1s');
is(serial($s->send($m, path => '/short'), $m, 'within'), $serial,
    'the same certificate');
select undef, undef, undef, 1.2;
isnt(serial($s->send($m, path => '/short'), $m, 'after it'), $serial,
    'another certificate');

##############################################################################

# fifty at once to two nodes

my %before = map { ($_ => 1) } $t->keys('*:cert:*');
my ($key) = grep { $t->redis('TYPE', $_) eq 'hash' }
                 $t->keys('enroll:{devices}:*count*');
my $total = $t->redis('HGET', $key, 'total');

$m = $s->request($c, %o);
my @conns = map { $s->start($m, node => $_ % 2 ? $node : $t) } 1 .. 50;
my @answers = map { $s->response($_) } @conns;
my %status;
$status{$_->{status} . ' ' . ($_->{type} // '')}++ for @answers;
is_deeply(\%status, { '200 application/x-pki-message' => 50 },
    'fifty at once: fifty answers');

my %serials;
for my $i (0 .. 49) {
    my ($got, $a) = $s->summary($answers[$i], $m);
    $serials{$got . ' ' . ($a && $a->{certs}
        ? Digest::SHA::sha256_hex($a->{certs}[0]) : 'none')}++;
}
is(scalar keys %serials, 1, 'fifty times the same certificate')
    or diag(explain(\%serials));
like((keys %serials)[0], qr/^SUCCESS [0-9a-f]{64}$/, 'it is one');
is(scalar(grep { !$before{$_} } $t->keys('*:cert:*')), 1, 'one record');
is($t->redis('HGET', $key, 'total'), $total + 1, 'counted once');
is($t->open_txns, '', 'no transaction is open');

$t->done;

##############################################################################

sub serial {
    my ($r, $m, $name) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    return EnrollSCEP::serial($s->issued($r, $m, $name));
}
