#!/usr/bin/perl

# Copyright (C) The nginx-enroll authors

# What was approved over SCEP, and whose answer was lost: a CertPoll gets it
# again, from any node, for RSA and EC keys, and for no other key.  What is
# kept for that in Redis shows no challenge, and ends.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use JSON::PP;
use Test::More;

use Enroll;
use EnrollDER;
use EnrollSCEP;

##############################################################################

my $t = Enroll->new;
my $b = $t->node('b');

$t->ca('ca');
$t->ra('ra', 'ca');
$t->ra('new', 'ca');

sub conf { return <<"CONF" }
    enroll_redis unix:%%DIR%%/redis.sock;
    enroll_ca devices {
        certificate %%DIR%%/ca.crt;
        certificate_key %%DIR%%/ca.key;
        ra_certificate %%DIR%%/$_[0].crt;
        ra_certificate_key %%DIR%%/$_[0].key;
    }
    scep_challenge correct-horse;
    scep_failure_limit off;
    enroll_approval manual;

    server {
        listen 127.0.0.1:%%PORT_plain%%;
        location /scep { scep devices; }
        location /brief { scep devices; scep_repeat 60s; }
        location /never { scep devices; scep_repeat 0; }
        location /once { scep devices; scep_challenge one-time; }
        location /wait { scep devices; enroll_pending lifetime=1s; }
        location /api/ { enroll_api devices guard=address allow=127.0.0.1; }
    }
CONF
$t->conf(conf('ra'))->run;
$b->conf(conf('ra'))->run;

my $s = EnrollSCEP->new($t, ra => 'ra');
my %o = (challenge => 'correct-horse');
my %password = (password => 'correct-horse');

##############################################################################

# the answer to the first CertPoll is lost

for my $kind ('rsa:2048', 'ec:P-256') {
    my %with = $kind =~ /^ec/ ? %password : ();
    my $c = $s->client("dev $kind", kind => $kind);
    my $m = waits($c, '/scep', %o);
    clean("$kind: what waits");
    approve();
    clean("$kind: what is approved");

    my $poll = $s->poll($c, $m->{transaction});
    my $n = $t->count('issued');
    close $s->start($poll);
    wait_for { $t->count('issued') > $n } 2;
    clean("$kind: what is issued");

    my %der;
    for my $node ($b, $t, $b) {
        my $poll = $s->poll($c, $m->{transaction});
        $der{$s->issued($s->send($poll, node => $node), $poll,
                        "$kind: CertPoll again, on $node->{name}", %with)}++;
    }
    is(scalar(keys %der), 1, "$kind: the same certificate");
    is($t->count('issued'), $n + 1, "$kind: one is issued");

    my $other = $s->client("other $kind", kind => $kind);
    for my $node ($t, $b) {
        my $poll = $s->poll($other, $m->{transaction});
        $s->failed($s->send($poll, node => $node), $poll, 4, 'not_found',
            "$kind: another key gets nothing");
    }
}

# for as long as scep_repeat says, and then nothing of it is left

$t->redis('FLUSHALL');
my $ec = $s->client('ec', kind => 'ec:P-256');
my $m = waits($ec, '/brief', %o);
approve();
polled($ec, $m, '/brief', "$_ time", %password) for 'the first', 'a second';
my @left = $t->keys('*:txn:*');
is(scalar(grep { $t->redis('PTTL', $_) !~ /^[1-5]?\d{1,4}$/ } @left), 0,
    'a time that ends');
$t->redis('PEXPIRE', $_, 1) for @left;
ok(wait_for(sub { !$t->keys('*:txn:*') }), 'it is over');
gone($ec, $m, '/brief', 'and it is not known any more');
is(stored(), '', 'nothing is stored any more');

$m = waits($ec, '/never', %o);
approve();
polled($ec, $m, '/never', 'without repeats', %password);
gone($ec, $m, '/never', 'once is all');
is(stored(), '', 'nothing is stored any more');

# what is denied, or not decided, is not kept

$m = waits($ec, '/scep', %o);
isnt(stored(), '', 'while it waits there is what came');
decide((waiting())[0]{id}, 'deny');
is(stored(), '', 'denied: it is no more there');

$m = waits($ec, '/wait', %o);
ok(wait_for(sub { stored() eq '' }), 'not decided in time: it is no more there');

##############################################################################

# a challenge that is deleted is the end of what holds it

for my $approved (0, 1) {
    my $what = $approved ? 'approved' : 'waiting';
    my $minted = api(POST => 'challenges', {});
    my $c = $s->client("once$approved");
    my $m = waits($c, '/once', challenge => $minted->{challenge});
    approve() if $approved;
    is(api(DELETE => "challenges/$minted->{id}")->{status}, 'deleted',
        "$what: the challenge is deleted");

    my $poll = $s->poll($c, $m->{transaction});
    $s->failed($s->send($poll, path => '/once'), $poll, 2, 'challenge_unknown',
        "$what: CertPoll");
    $s->failed($s->send($m, path => '/once'), $m, 2, 'challenge_unknown',
        "$what: PKCSReq");
    decide($_->{id}, 'deny') for waiting();
}

##############################################################################

# what Redis hands back is looked at as when it came

my $c = $s->client('dev');
$m = waits($c, '/scep', %o);
my $key = request_key();
my $whole = $s->again($m)->{der};
approve();

my $foreign = $s->request($s->client('foreign'), %o,
                          transaction => $m->{transaction});
my $other = $s->request($c, %o);
my $renewal = $s->request($c, %o, type => 17, transaction => $m->{transaction});
for (['octets', 'x'], ['half of it', substr $whole, 0, 500],
     ['a request of another key', $foreign->{der}],
     ['one of another transaction', $other->{der}],
     ['one of another type', $renewal->{der}],
     ['one that is not signed', $s->again($m, flip => 1)->{der}])
{
    my ($name, $der) = @$_;
    put($key, $der);
    my $poll = $s->poll($c, $m->{transaction});
    $s->refused($s->send($poll), 503, 'record_not_trusted', "stored: $name");
}
put($key, $m->{der});

# the RA's key that it was for has gone

$b->stop;
$b->conf(conf('new'))->start;
my $n = $s->with(ra => 'new', signer => 'new');
my $poll = $n->poll($c, $m->{transaction});
$n->failed($n->send($poll, node => $b), $poll, 4, 'not_found',
    'another RA cannot read it');
polled($c, $m, '/scep', 'the one that it was for can');

is($t->open_txns, '', 'no transaction is open');
$t->done;

##############################################################################

sub waits {
    my ($c, $path, @o) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $m = $s->request($c, @o);
    $s->waits($s->send($m, path => $path), $m, "$c->{name} waits, $path");
    return $m;
}

sub polled {
    my ($c, $m, $path, $name, %o) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $poll = $s->poll($c, $m->{transaction});
    return $s->issued($s->send($poll, path => $path), $poll, $name, %o);
}

sub gone {
    my ($c, $m, $path, $name) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $poll = $s->poll($c, $m->{transaction});
    return $s->failed($s->send($poll, path => $path), $poll, 4, 'not_found',
        $name);
}

# the challenge is in no value, nor in error.log
sub clean {
    my ($name) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    return unlike($t->state . $t->log . $b->log, qr/correct-horse/,
        "$name shows no challenge");
}

# the keys that hold what came
sub stored {
    return join ' ', grep { $t->redis('HEXISTS', $_, 'stored') eq '1' }
        $t->keys('*:request:*'), $t->keys('*:txn:*');
}

sub request_key { return (grep { $t->redis('HGET', $_, 'state') eq 'pending' }
                               $t->keys('*:request:*'))[0] }

sub put {
    my ($key, $der) = @_;
    $t->redis('EVAL', <<'LUA', 1, $key, unpack 'H*', $der);
local s = string.gsub(ARGV[1], '..', function (h)
    return string.char(tonumber(h, 16))
end)
return redis.call('HSET', KEYS[1], 'stored', s)
LUA
}

sub api {
    my ($method, $op, $data) = @_;
    return decode_json($t->curl('-X', $method,
        '-H', 'Content-Type: application/json',
        $data ? ('-d', encode_json($data)) : (),
        'http://127.0.0.1:' . $t->port('plain') . "/api/$op")->{body});
}

sub waiting { return @{api(GET => 'requests')->{requests}} }

sub decide {
    my ($id, $decision) = @_;
    return api(POST => "requests/$id", { decision => $decision });
}

sub approve { return decide((waiting())[0]{id}, 'approve') }
