#!/usr/bin/perl

# Copyright (C) The nginx-enroll authors

# The scripts of the store, as Redis runs them: nonces, challenges, approval,
# polls, failures.  Their text is taken from the sources.
#
# Conformance: BAD-083

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use Enroll;
use EnrollDER;

##############################################################################

my $t = Enroll->new;
$t->redis_start;

my (%macro, %script);
for my $file (glob "$FindBin::Bin/../shared/store/ngx_enroll_script*.[hc]") {
    my $text = slurp($file);
    $macro{$1} = strings($2)
        while $text =~ /^#define (NGX_ENROLL_LUA_\w+)\s*\\\n((?:\s*"(?:[^"\\]|\\.)*"\s*\\?\n)+)/mg;
}
for my $file (glob "$FindBin::Bin/../shared/store/ngx_enroll_script*.c") {
    my $text = slurp($file);
    while ($text =~ /^ngx_enroll_script_t\s+\w+ = \{\s*"(\w+)",\s*(.*?),\s*\{ 0 \}/msg) {
        my ($name, $body) = ($1, $2);
        $body =~ s/(NGX_ENROLL_LUA_\w+)/'"' . quoted($macro{$1}) . '"'/ge;
        $script{$name} = strings($body);
    }
}
cmp_ok(scalar(keys %script), '>=', 13, 'the scripts are found');

my $p = 'e{ca}:';
my ($h1, $h2) = ('a1' x 32, 'b2' x 32);
my $id = 0;

##############################################################################

# a nonce

is(totals(), '0 0 0 0 0', 'totals of nothing');

my %n = (nonce => 'n1');
is(admit(id => 1, %n), 'admitted', 'a new nonce');
is(record(id => 1), 'recorded', 'recorded');
like(admit(id => 1, %n), qr/^done\nDER1\nbob\np\nkd/, 'the same one again');
is(admit(id => 2, %n), 'replayed', 'in another transaction');
cmp_ok(redis('PTTL', "${p}nonce:n1"), '>', 0, 'it is forgotten in time');

# a challenge

is(mint($h1, 1), 'minted', 'a challenge');
is(mint($h1, 1), 'conflict', 'the same one again');
is(admit(id => 3, challenge => $h2), 'challenge unknown', 'another');
is(admit(id => 3, challenge => substr($h1, 0, 16) . 'c3' x 24),
    'challenge unknown', 'one that begins alike');
is(admit(id => 3, challenge => $h1), 'admitted', 'reserved');
is(admit(id => 4, challenge => $h1), 'challenge unknown', 'by one alone');
is(release(id => 3), 'released', 'given back');
is(admit(id => 4, challenge => $h1), 'admitted', 'for another');
is(record(id => 4), 'recorded', 'used');
is(hash("${p}cert:4")->{challenge}, substr($h1, 0, 16), 'its id is kept');
like(admit(id => 4, challenge => $h1), qr/^done\n/, 'the same request again');
is(admit(id => 5, challenge => $h1), 'challenge unknown', 'used up');
is(join(' ', $t->keys("${p}challenge*"), $t->keys("${p}held*"),
        $t->keys("${p}idx:challenge")), '', 'nothing of it is left');

mint($h1, 1);
is(admit(id => 6, challenge => $h1, time => 50), 'admitted', 'reserved');
ok(wait_for(sub { admit(id => 7, challenge => $h1, lease => 'l7')
                  eq 'admitted' }),
    'a reservation ends with its lease');
is(record(id => 6), 'lost', 'and is not taken afterwards');
redis('DEL', "${p}challenge:" . substr($h1, 0, 16));
is(release(id => 7, lease => 'l7'), 'released', 'given back');

mint($h1, 2);
admit(id => $_, challenge => $h1) for 8, 9;
is(admit(id => 10, challenge => $h1), 'challenge unknown', 'two uses');
is(record(id => 8), 'recorded', 'the first');
is(admit(id => 10, challenge => $h1), 'challenge unknown', 'one and one');
is(delete_($h1), 'deleted', 'deleted');
is(record(id => 9), 'lost', 'while it was held: not issued');
is(delete_($h1), 'unknown', 'deleted once');

for my $bound ([subject => 'CN=a'], [san => 'DNS:a'], [key_digest => 'kd'],
               [profile => 'p'], [address => '10.0.0.1'])
{
    mint($h1, 1, @$bound);
    my @other = ($bound->[0], 'x');
    is(admit(id => 20, challenge => $h1, @other), 'challenge bound',
        "bound by $bound->[0]");
    is(admit(id => 20, challenge => $h1), 'admitted', 'the one it is bound to');
    release(id => 20);
    delete_($h1);
}

mint($h1, 1, lifetime => 50);
ok(wait_for(sub { admit(id => 21, challenge => $h1, time => 1)
                  eq 'challenge unknown' }), 'it expires');

mint($h1, 1, label => "a\n\xc3\xbc:,b");
mint($h2, 3);
my ($word, $total, $list) = list('challenges');
is("$word $total", 'listed 2', 'the list');
my @l = entries($list, 11);
is($l[1][0] . $l[1][1], substr($h1, 0, 16) . "a\n\xc3\xbc:,b", 'an entry');
is($l[0][8], 3, 'the newest first');
is(totals(), '3 0 3 2 0', 'totals: recorded and challenges');
delete_($_) for $h1, $h2;
(undef, $total, $list) = list('challenges');
is("$total/$list", "0/\n", 'an empty list');

# approval

my %a = (approval => 1, poll => 'p1');
is(admit(id => 30, %a), 'pending', 'it waits');
is(admit(id => 30, %a), 'pending', 'it still does');
is(poll('p1'), 'pending', 'as its poll says');
is(poll('p1', key_digest => 'other'), 'unknown', 'not to another key');
is(poll('p2'), 'unknown', 'another poll');
is(admit(id => 31, %a), 'replayed', 'the same poll id for another');
is(admit(id => 31, %a, poll => 'p2'), 'pending', 'the second');
is(admit(id => 32, %a, poll => 'p3'), 'full', 'no third from there');
is(admit(id => 32, %a, poll => 'p3', address => '10.0.0.2'), 'pending',
    'from elsewhere');
is(admit(id => 33, %a, poll => 'p4', address => '10.0.0.3'), 'full',
    'the location is full');
($word, $total, $list) = list('pending');
is("$word $total", 'listed 3', 'the list');
@l = entries($list, 13);
is($l[0][0], 32, 'the newest first');
is($l[2][1], 'CN=a', 'its subject');
is(totals(), '3 0 3 0 3', 'totals: those that wait');

is(decide(30, 'approved'), 'decided', 'approved');
is(decide(30, 'approved'), 'decided', 'again');
is(decide(30, 'denied'), 'conflict', 'not otherwise');
is(decide(31, 'denied'), 'decided', 'denied');
is(decide(99, 'denied'), 'unknown', 'an unknown one');
is(hash("${p}request:31")->{stored}, undef, 'what is denied is not kept');
is(admit(id => 31, %a, poll => 'p2'), 'denied', 'it is told');
is(poll('p2'), 'denied', 'to the poll, too');
is(admit(id => 34, %a, poll => 'p2', address => '10.0.0.4'), 'pending',
    'a denied one does not keep its poll id');
is(poll('p2'), 'pending', 'which is the new one\'s');
is(decide(34, 'denied'), 'decided', 'denied as well');
is(poll('p1', key_digest => 'other'), 'unknown', 'approved: not to another');
is(poll('p1'), "admitted\nMESSAGE\nbob\np\nkd\n30", 'the poll gets the lease');
is(poll('p1', lease => 'l2'), 'wait', 'another waits');
is(admit(id => 30, %a, lease => 'l2'), 'wait', 'the request, too');
is(release(id => 30), 'released', 'it went wrong');
is(admit(id => 30, %a, lease => 'l2'), 'admitted', 'it is still approved');
is(record(id => 30, lease => 'l2'), 'recorded', 'recorded');
is(hash("${p}cert:30")->{approved_by}, 'admin', 'by whom is kept');
is(poll('p1'), "done\nDER30\nbob\np\nkd\nMESSAGE",
    'the poll gets it, and what was stored');
is(join(' ', $t->keys("${p}request:30")), '', 'the request is gone');
is(poll('p1', key_digest => 'other'), 'unknown', 'another does not');
like(admit(id => 30, %a), qr/^done\n/, 'the repeated request, too');
is(admit(id => 33, %a, poll => 'p4'), 'pending', 'there is room again');

# approval and a challenge

redis('FLUSHALL');
mint($h1, 1);
%a = (approval => 1, poll => 'p1', challenge => $h1);
is(admit(id => 40, %a, time => 10), 'pending', 'it waits with its challenge');
is(admit(id => 41, %a, poll => 'p2'), 'challenge unknown', 'which it holds');
decide(40, 'approved');
like(poll('p1'), qr/^admitted/, 'approved');
is(release(id => 40), 'released', 'released');
is(admit(id => 41, %a, poll => 'p2'), 'challenge unknown', 'it still holds it');
like(poll('p1'), qr/^admitted/, 'again');
is(record(id => 40), 'recorded', 'recorded');
is(join(' ', $t->keys("${p}challenge*"), $t->keys("${p}held*"),
        $t->keys("${p}request*"), $t->keys("${p}waiting*")), '', 'used');

mint($h1, 1);
admit(id => 42, %a, poll => 'p3');
decide(42, 'denied');
is(admit(id => 43, %a, poll => 'p4'), 'challenge unknown', 'denied: used');
mint($h1, 1);
admit(id => 44, %a, poll => 'p5', lifetime => 50);
ok(wait_for(sub { poll('p5') eq 'unknown' }), 'what waits too long is gone');
is(admit(id => 45, %a, poll => 'p6'), 'pending', 'its challenge is free');
is((list('pending'))[1], 1, 'it is no more listed');

mint($h2, 1, lifetime => 5000);
admit(id => 46, %a, challenge => $h2, poll => 'p7', address => '10.0.0.9');
decide(46, 'approved');
cmp_ok(redis('PTTL', "${p}challenge:" . substr $h2, 0, 16), '>', 10000,
    'the challenge lives as long as its request');
like(poll('p7'), qr/^admitted/, 'approved');
release(id => 46);
delete_($h2);
is(poll('p7'), 'challenge unknown', 'approved, then it was deleted: a poll');
is(admit(id => 46, %a, challenge => $h2, poll => 'p7'), 'challenge unknown', 'and a request');
is(record(id => 46), 'lost', 'nobody has a lease');

mint($h2, 1);
admit(id => 47, %a, challenge => $h2, poll => 'p8', address => '10.0.0.8');
delete_($h2);
is(poll('p8'), 'challenge unknown', 'waiting, then it was deleted: a poll');
is(admit(id => 47, %a, challenge => $h2, poll => 'p8'), 'challenge unknown', 'and a request');
is(decide(47, 'approved'), 'unknown', 'it can no more be approved');
is(decide(47, 'denied'), 'decided', 'but denied');
is(poll('p8'), 'denied', 'which is told');

# revoked, and asked for again while the first is still known

%a = (approval => 1, poll => 'p9');
admit(id => 48, %a);
decide(48, 'approved');
poll('p9');
record(id => 48);
redis('ZADD', "${p}revoked", 1, 48);
is(poll('p9'), 'unknown', 'a revoked one is not given out');
is(admit(id => 48, %a), 'pending', 'it may be asked for again');
is(poll('p9'), 'pending', 'and waits');
decide(48, 'denied');

# look-up, failures

is(evalr('lookup', [$p . 'cert:40', $p . 'revoked'], 40),
    "found\nDER40\nbob\np\nkd\nvalid", 'by serial');
redis('ZADD', "${p}revoked", 1, 40);
like(evalr('lookup', [$p . 'cert:40', $p . 'revoked'], 40), qr/revoked$/,
    'revoked');
is(poll('p1'), 'unknown', 'a revoked one is not given out');
is(evalr('lookup', [$p . 'cert:f', $p . 'revoked'], 'f'), 'unknown', 'none');

my @both = ('{f}1', '{f}2');
is(failures('try', \@both, 't1'), 'below', 'no failures');
is(failures('try', ['{f}1'], 't2'), 'below', 'two tries');
is(failures('try', ['{f}2', '{f}1'], 't3'), 'wait', 'a third waits');
is(redis('ZCARD', '{f}2:tries'), 1, 'and reserves nothing');
failures('over', ['{f}1'], 't2');
is(failures('try', \@both, 't3'), 'below', 'until one is over');
failures('failed', \@both, 't1');
is(failures('try', \@both, 't4'), 'wait', 'one has failed, one is tried');
failures('failed', \@both, 't3');
is(failures('try', ['{f}3', '{f}1'], 't4'), 'limited', 'two have failed');
evalr('failures', \@both, 'over', 300, 2, 't5', 300, 1);
is(redis('MGET', @both), "3\n2", 'a failure of the first key alone');
is(redis('EXISTS', '{f}3:tries'), 0, 'nothing is reserved');
ok(wait_for(sub { failures('try', ['{f}1'], 't4') eq 'below' }),
    'the window ends');
failures('try', ['{f}4'], $_) for 't5', 't6';
is(failures('try', ['{f}4'], 't7'), 'wait', 'two that get lost');
ok(wait_for(sub { failures('try', ['{f}4'], 't7') eq 'below' }),
    'their time ends');

# the audit: each change leaves one entry

redis('FLUSHALL');
my %who = (audit => { address => '10.0.0.1', subject => 'CN=a' });
my $cid = substr $h1, 0, 16;
mint($h1, 1, label => 'x');
is(noted(), "1 challenge_minted challenge=$cid", 'minted');
mint($h1, 1);
is(noted(), "1 challenge_minted challenge=$cid", 'in vain');
%a = (approval => 1, poll => 'p1', challenge => $h1, %who);
admit(id => 60, %a);
is(noted(), "2 pending address=10.0.0.1 challenge=$cid subject=CN=a", 'waits');
admit(id => 60, %a);
decide(60, 'approved');
is(noted(), "3 approved by=admin challenge=$cid key=ec:P-256 key_digest=kd "
    . 'requester=bob san=DNS:a subject=CN=a transaction=60', 'approved');
decide(60, 'approved');
decide(60, 'denied');
admit(id => 60, %a);
record(id => 60, lease => 'other', %who);
release(id => 60);
poll('p1');
record(id => 60, %who);
is(noted(), "4 issued address=10.0.0.1 by=admin challenge=$cid subject=CN=a",
    'issued, after what changes nothing');
record(id => 60, %who);
poll('p1');
is(noted(), "4 issued address=10.0.0.1 by=admin challenge=$cid subject=CN=a",
    'once');
mint($h2, 1, label => 'y');
delete_($h2);
delete_($h2);
is(noted(), '6 challenge_deleted challenge=' . substr($h2, 0, 16)
    . ' label=y', 'deleted, once');
admit(id => 61, approval => 1, poll => 'p2');
decide(61, 'denied');
like(noted(), qr/^8 denied /, 'denied');
is(evalr('refused', [$p], audit(audit => { reason => 'x' })), 'noted',
    'refused');
is(noted(), '9 refused reason=x', 'as an entry');
is(evalr('refused', [$p], audit(entries => 0)), 'noted', 'switched off');
admit(id => 62, entries => 0);
record(id => 62, entries => 0);
like(noted(), qr/^9 /, 'no entry');
evalr('refused', [$p], audit(entries => 50, audit => { reason => 'y' x 50 }))
    for 1 .. 500;
cmp_ok(redis('XLEN', "${p}audit"), '<', 200, 'their number is bounded');
cmp_ok(redis('XLEN', "${p}audit"), '>=', 50, 'by what was said');

# where there can be no entry, there is no certificate

redis('SET', "${p}audit", 'x');
admit(id => 63);
like(record(id => 63), qr/WRONGTYPE/, 'a record without its entry is an error');
is(join(' ', $t->keys("${p}cert:63"), redis('HGET', "${p}txn:63", 'state')),
    'admitted', 'and no record');
redis('DEL', "${p}audit");

# every key of a request ends

is(join(' ', grep { redis('PTTL', $_) == -1 && !/(?:counters|revoked|pending|:challenges|idx:challenge|idx:expiry|:audit)$/ }
             $t->keys), '', 'replay keys end');

# what is of another type

redis('SET', "${p}request:50", 'x');
like(admit(id => 50, %a), qr/WRONGTYPE/, 'a wrong type is an error');

$t->done;

##############################################################################

sub strings {
    my ($c) = @_;
    my $s = join '', $c =~ /"((?:[^"\\]|\\.)*)"/g;
    $s =~ s/\\n/\n/g;
    $s =~ s/\\(.)/$1/g;
    return $s;
}

sub quoted { my ($s) = @_; $s =~ s/(["\\])/\\$1/g; $s =~ s/\n/\\n/g; $s }

sub redis { scalar $t->redis(@_) }
sub hash { $t->hash(@_) }

sub evalr {
    my ($name, $keys, @args) = @_;
    return redis('EVAL', $script{$name}, scalar @$keys, @$keys, @args);
}

sub admit {
    my %o = (lease => 'l1', time => 60000, nonce => '', challenge => '',
             subject => 'CN=a', san => 'DNS:a', key => 'ec:P-256',
             key_digest => 'kd', profile => 'p', address => '10.0.0.1',
             lifetime => 60000, @_);
    return evalr('admit', ["${p}txn:$o{id}", "${p}revoked", $p], $o{id},
        @o{qw(lease time)}, '', 0, $o{nonce}, 60000,
        @o{qw(challenge subject san key key_digest profile address)},
        $o{approval} ? (1, $o{lifetime}, 3, 2, @o{qw(poll)}, 'loc',
                        $o{address}, requester => 'bob', protocol => 'scep',
                        stored => 'MESSAGE') : 0, audit(%o));
}

sub record {
    my %o = (lease => 'l1', @_);
    return evalr('record', ["${p}txn:$o{id}", "${p}cert:$o{id}",
        "${p}idx:expiry", "${p}idx:identity:x", "${p}counters", $p],
        $o{lease}, 60000, $o{id}, time + 1000, 'issued', $o{id},
        cert => "DER$o{id}", requester => 'bob', profile => 'p',
        key_digest => 'kd', audit(%o));
}

# the end of the arguments: fields and values, their number, how many entries
sub audit {
    my %o = @_;
    my @fields = %{$o{audit} || {}};
    return (@fields, scalar @fields, $o{entries} // 1000);
}

sub release {
    my %o = (lease => 'l1', @_);
    return evalr('release', ["${p}txn:$o{id}", $p], $o{lease}, $o{id});
}

sub mint {
    my ($digest, $uses, %o) = @_;
    return (split /\n/, evalr('mint', [$p], substr($digest, 0, 16), $digest,
        delete $o{lifetime} || 60000, $uses, 1000, %o, audit()))[0];
}

sub failures {
    my ($what, $keys, $id) = @_;
    return evalr('failures', $keys, $what eq 'try' ? 'try' : 'over', 300, 2,
                 $id, 300, $what eq 'failed' ? scalar @$keys : 0);
}

sub delete_ { evalr('delete', [$p], substr($_[0], 0, 16), audit()) }

sub poll {
    my ($poll, %o) = (@_);
    return evalr('poll', [$p], $poll, $o{key_digest} // 'kd',
                 $o{lease} // 'l1', 60000);
}

sub decide { evalr('decide', [$p], @_, 60000, 'admin', audit(audit =>
    { by => 'admin' })) }

# event and the rest of the last entry, as text
sub noted {
    my @e = $t->audit_of("${p}audit") or return '';
    my %e = %{$e[-1]};
    return join ' ', scalar(@e), delete $e{event},
        map { "$_=$e{$_}" } grep { $_ ne 'id' } sort keys %e;
}

sub totals {
    my ($word, @n) = split /\n/, evalr('totals', ["${p}counters", $p]);
    return "@n";
}

sub list { split /\n/, evalr($_[0], [$p], 100) . "\n", 3 }

sub entries {
    my ($list, $n) = @_;
    my (@all, @one);
    while ($list =~ /\G(\d+):/gc) {
        push @one, substr $list, pos($list), $1;
        pos($list) += $1 + 1;
        push @all, [splice @one] if @one == $n;
    }
    return @all;
}
