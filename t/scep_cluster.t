#!/usr/bin/perl

# Copyright (C) The nginx-enroll authors

# Two nginx with one Redis: what one has enrolled the other renews, and a
# device that has lost an answer gets the same certificate from the other.
#
# Conformance: SCEP-089

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use Time::HiRes ();

use Enroll;
use EnrollDER;
use EnrollSCEP;

##############################################################################

my $t = Enroll->new;

$t->ca('ca');
$t->ra('ra', 'ca');
my $conf = <<'CONF';
    enroll_redis unix:%%DIR%%/redis.sock;
    enroll_ca devices {
        certificate %%DIR%%/ca.crt;
        certificate_key %%DIR%%/ca.key;
        ra_certificate %%DIR%%/ra.crt;
        ra_certificate_key %%DIR%%/ra.key;
    }
    scep_challenge secret;

    server {
        listen 127.0.0.1:%%PORT_plain%%;
        location /scep { scep devices; }
        location /one { scep devices; scep_challenge one-time; }
        location /manual { scep devices; enroll_approval manual; }
        location /api/ { enroll_api devices guard=address allow=127.0.0.1; }
    }
CONF

my $b = $t->node('b');
$t->conf($conf);
$b->conf($conf);
$t->run;
$b->run;

my $s = EnrollSCEP->new($t, ra => 'ra');
my @nodes = ($t, $b);

##############################################################################

# enrolled on one, renewed on the other, and on the first again

my $dev = $s->client('dev1');
my $m = $s->request($dev, challenge => 'secret');
my $first = $s->issued($s->send($m), $m, 'enrolled on A');

my $new = $s->client('new', subject => name(CN => 'dev1'));
for (['B', $b], ['A', $t]) {
    my ($name, $node) = @$_;
    my $holder = $s->holder($dev, $first);
    my $m = $s->request($holder, type => 17, csr_key => $new->{key},
                        subject => name(CN => 'dev1'));
    my $der = $s->issued($s->send($m, node => $node), $m, "renewed on $name");
    isnt(cert_fields($der)->{serial}, cert_fields($first)->{serial},
        'another certificate');
    ($dev, $new, $first) = ($new, $dev, $der);
}
is($t->count('issued') . ' ' . $t->count('renewed'), '1 2', 'all are counted');
is(scalar($t->keys('enroll:{devices}:cert:*')), 3, 'three records');

# The device is gone before its answer is there: it asks the other node, with
# the same message, and with the same request in a new message.

for my $path ('/scep', '/one') {
    for my $i (0, 1) {
        my ($here, $there) = @nodes[$i, 1 - $i];
        my $n = $t->count('issued');
        my $c = $s->client("lost$i" . substr $path, 1);
        my $m = $s->request($c, challenge => $path eq '/one' ? mint($here)
                                                             : 'secret');

        my $conn = $s->start($m, path => $path, node => $here);
        close $conn;
        wait_for { $t->count('issued') > $n } 2;

        my $der = $s->issued($s->send($m, path => $path, node => $there), $m,
                             "$path, lost on $here->{name}: repeated");
        is($t->count('issued'), $n + 1, 'one certificate');

        my $again = $s->again($m, nonce => EnrollSCEP::random_octets(16));
        for my $node (@nodes) {
            is($s->issued($s->send($again, path => $path, node => $node),
                          $again, "and asked for anew on $node->{name}"),
                $der, 'the same certificate');
        }
        is($t->count('issued'), $n + 1, 'one certificate still');
    }
}

# the same message on both at the same moment

for my $round (1 .. 5) {
    my $n = $t->count('issued');
    my $c = $s->client("both$round");
    my $m = $s->request($c, challenge => 'secret');
    my @conns = map { $s->start($m, node => $_) } $t, $b, $t, $b;
    my %ders;
    $ders{$s->issued($s->response($_), $m, 'at the same moment')}++ for @conns;
    is(scalar(keys %ders), 1, 'one certificate in all answers');
    is($t->count('issued'), $n + 1, 'one certificate is issued');
}

# a one-time challenge is used up on both

my $once = mint($t);
my $n = $t->count('issued');
$m = $s->request($s->client('once1'), challenge => $once);
$s->issued($s->send($m, path => '/one'), $m, 'a challenge of one use, on A');
$m = $s->request($s->client('once2'), challenge => $once);
$s->failed($s->send($m, path => '/one', node => $b), $m, 2,
    'challenge_unknown', 'used up on B');
is($t->count('issued'), $n + 1, 'one certificate');

# asked on one, approved on the other, polled on both

my $c = $s->client('waits');
$m = $s->request($c, challenge => 'secret');
$s->waits($s->send($m, path => '/manual'), $m, 'PENDING on A');
my $poll = $s->poll($c, $m->{transaction});
$s->waits($s->send($poll, path => '/manual', node => $b), $poll,
    'CertPoll on B');
my ($id) = $b->curl(api($b, 'requests'))->{body} =~ /"id":"([^"]+)"/;
is($b->curl('-H', 'Content-Type: application/json', '-d',
    '{"decision":"approve"}', api($b, "requests/$id"))->{status}, 200,
    'approved on B');
my %got;
for my $node (@nodes) {
    my $poll = $s->poll($c, $m->{transaction});
    $got{$s->issued($s->send($poll, path => '/manual', node => $node), $poll,
                    "CertPoll on $node->{name}")}++;
}
is(scalar(keys %got), 1, 'the same certificate from both');

# one node gone

$t->stop;
$m = $s->request($s->holder($dev, $first), type => 17);
$s->issued($s->send($m, node => $b), $m, 'renewed on B while A is down');

is($t->open_txns, '', 'no transaction is left open');
$t->done;

##############################################################################

sub api {
    my ($node, $what) = @_;
    return 'http://127.0.0.1:' . $node->port('plain') . "/api/$what";
}

sub mint {
    my ($node) = @_;
    my $r = $node->curl('-H', 'Content-Type: application/json', '-d', '{}',
                        api($node, 'challenges'));
    return ($r->{body} =~ /"challenge":"(\w+)"/)[0]
           || die "no challenge: $r->{status} $r->{body}\n";
}
