#!/usr/bin/perl

# Copyright (C) The nginx-enroll authors

# What waits for approval over SCEP: PENDING, approved, denied, expired; only
# the key that asked is answered, and only so many may wait.
#
# Conformance: EST-118 BAD-081 SCEP-065 SCEP-082 SCEP-083 SCEP-084
#   SCEP-085 SCEP-086 SCEP-087 SCEP-088 SCEP-089 SCEP-091 DEV-003 BAD-132

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

$t->ca('ca', key => 'rsa:2048');
$t->conf(<<'CONF');
    enroll_redis unix:%%DIR%%/redis.sock;
    enroll_ca devices {
        certificate %%DIR%%/ca.crt;
        certificate_key %%DIR%%/ca.key;
    }
    scep_challenge secret;
    enroll_approval manual;

    server {
        listen 127.0.0.1:%%PORT_plain%%;
        location /scep { scep devices; }
        location /other { scep devices; }
        location /few { scep devices; enroll_pending max=2; }
        location /apart {
            scep devices;
            enroll_pending per_address=1;
            set_real_ip_from 127.0.0.1;
            real_ip_header X-Client;
        }
        location /unseen { scep devices; enroll_approval off; }
        location /brief { scep devices; enroll_pending lifetime=1s; }
        location /open { scep devices; scep_challenge off; }
        location /once { scep devices; scep_challenge one-time; }
        location /api/ { enroll_api devices guard=address allow=127.0.0.1; }
    }
CONF
$t->run;

my $s = EnrollSCEP->new($t, ra => 'ca');
my ($c, $other) = map { $s->client($_) } qw(dev1 dev2);
my %o = (challenge => 'secret');

##############################################################################

# PENDING, and what the list says

my $m = $s->request($c, %o, san => [dns('dev1')]);
$s->waits($s->send($m), $m, 'PKCSReq');
$s->waits($s->send($m), $m, 'PKCSReq again');
my $poll = $s->poll($c, $m->{transaction});
$s->waits($s->send($poll), $poll, 'CertPoll');
$s->waits($s->send($poll), $poll, 'CertPoll again');
is(scalar $t->keys('*:cert:*'), 0, 'nothing is issued');

my @list = waiting();
is(scalar @list, 1, 'one waits');
is(join('|', @{$list[0]}{qw(subject san key protocol operation location)}),
    'CN=dev1|dns:dev1|rsa:2048|scep|PKIOperation|/scep', 'it is listed');

# who polls: another key; another transaction, location; whatever the subject

refuses($other, $m->{transaction}, 4, 'not_found', 'another key');
refuses($c, 'nosuch', 4, 'not_found', 'another transaction');
refuses($c, $m->{transaction}, 2, 'envelope_not_opened', 'another issuer',
    '/scep', data => seq(name(CN => 'nobody'), name(CN => 'dev1')));
refuses($c, $m->{transaction}, 4, 'not_found', 'another location', '/other');
$poll = $s->poll($c, $m->{transaction}, subject => name(CN => 'whoever'),
    more => [attribute('2.16.840.1.113733.1.9.6', octets('stale'))]);
$s->waits($s->send($poll), $poll, 'another subject, a stale recipientNonce');
refuses($c, $m->{transaction}, 2, 'envelope_not_opened', 'no subject', '/scep',
    data => seq(cert_fields($s->der_of('ca'))->{subject}));

# a second request in the transaction, while the first waits

my $second = $s->request($c, %o, transaction => $m->{transaction},
                         subject => name(CN => 'dev3'));
$s->failed($s->send($second), $second, 2, 'nonce_replayed',
    'another request in the same transaction');

# approved: by CertPoll, by PKCSReq, as often as asked

decide($list[0]{id}, 'approve');
$poll = $s->poll($c, $m->{transaction});
my $der = $s->issued($s->send($poll), $poll, 'approved: CertPoll');
is(length $der && cert_fields($der)->{spki}, spki($c->{key}), 'its key');
$poll = $s->poll($c, $m->{transaction});
is($s->issued($s->send($poll), $poll, 'CertPoll again'), $der, 'the same');
is($s->issued($s->send($m), $m, 'PKCSReq again'), $der, 'the same');
refuses($other, $m->{transaction}, 4, 'not_found', 'another key, still');
is(scalar $t->keys('*:cert:*'), 1, 'one certificate');

# approved, and asked for by PKCSReq

$m = $s->request($c, %o);
$s->waits($s->send($m), $m, 'another one');
decide((waiting())[0]{id}, 'approve');
isnt($s->issued($s->send($m), $m, 'approved: PKCSReq'), $der,
    'another certificate');

# denied: told by both

$m = $s->request($other, %o);
$s->waits($s->send($m), $m, 'one to be denied');
decide((waiting())[0]{id}, 'deny');
refuses($other, $m->{transaction}, 2, 'denied', 'denied: CertPoll');
$s->failed($s->send($m), $m, 2, 'denied', 'denied: PKCSReq');

# a wrong challenge does not wait, nor does a renewal

$m = $s->request($c, challenge => 'wrong');
$s->failed($s->send($m), $m, 2, 'challenge_unknown', 'a wrong challenge');
$m = $s->request($c);
$s->failed($s->send($m), $m, 2, 'challenge_required', 'no challenge');
is(scalar waiting(), 0, 'none waits');
$m = $s->request($s->holder($c, $der), type => 17, san => [dns('dev1')]);
$s->issued($s->send($m), $m, 'a renewal');

# what cannot be shown to the approver whole does not wait for one; without
# approval it is certified

my @long = map { dns("n$_." . 'x' x 50 . '.example.com') } 1 .. 80;
$m = $s->request($c, %o, san => \@long);
$s->failed($s->send($m), $m, 2, 'malformed_san', 'eighty long names');
my $whose = name(map { ('2.5.4.13' => $_ . 'x' x 200) } 10 .. 34);
$m = $s->request($c, %o, subject => $whose);
$s->failed($s->send($m), $m, 2, 'malformed_subject', 'long descriptions');
is(scalar waiting(), 0, 'none waits');
$m = $s->request($c, %o, subject => $whose, san => \@long);
$s->issued($s->send($m, path => '/unseen'), $m, 'without approval');

# without a challenge, to be looked at

$m = $s->request($c);
$s->waits($s->send($m, path => '/open'), $m, 'no challenge, where that is so');
decide((waiting())[0]{id}, 'approve');
$poll = $s->poll($c, $m->{transaction});
$s->issued($s->send($poll, path => '/open'), $poll, 'approved');

# an EC key: the answer is enveloped to the challenge of the request

my $ec = $s->client('ec1', kind => 'ec:P-256');
$m = $s->request($ec, %o);
$s->waits($s->send($m), $m, 'an EC key');
decide((waiting())[0]{id}, 'approve');
$poll = $s->poll($ec, $m->{transaction});
$s->issued($s->send($poll), $poll, 'approved: CertPoll', password => 'secret');

# a one-time challenge is held, then used

my $challenge = api('challenges', {})->{challenge};
$m = $s->request($c, challenge => $challenge);
$s->waits($s->send($m, path => '/once'), $m, 'a one-time challenge');
my $third = $s->request($other, challenge => $challenge);
$s->failed($s->send($third, path => '/once'), $third, 2, 'challenge_unknown',
    'it is held');
decide((waiting())[0]{id}, 'approve');
$poll = $s->poll($c, $m->{transaction});
$s->issued($s->send($poll, path => '/once'), $poll, 'approved');
$s->failed($s->send($third, path => '/once'), $third, 2, 'challenge_unknown',
    'it is used');

# how many, and how long

my @m = map { $s->request($c, %o) } 1 .. 3;
my @got = map { ($s->summary($s->send($_, path => '/few'), $_))[0] } @m;
is_deeply(\@got, ['PENDING', 'PENDING', 'FAILURE 2 too_many_pending'],
    'two may wait');
decide($_->{id}, 'deny') for waiting();
$s->waits($s->send($m[2], path => '/few'), $m[2], 'and another after them');
decide($_->{id}, 'deny') for waiting();

# from one address: of IPv6 its /64, and IPv4 in IPv6 is IPv4

for (['192.0.2.1', 'PENDING'], ['::ffff:192.0.2.1', 'FAILURE'],
     ['192.0.2.2', 'PENDING'], ['2001:db8::1', 'PENDING'],
     ['2001:db8:0:0:ffff::2', 'FAILURE'], ['2001:db8:0:1::2', 'PENDING'])
{
    my ($address, $want) = @$_;
    my $m = $s->request($c, %o);
    my $r = $s->response($s->start($m, raw =>
        "POST /apart HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
        . "X-Client: $address\r\nContent-Length: " . length($m->{der})
        . "\r\n\r\n$m->{der}"));
    is(($s->summary($r, $m))[0], $want eq 'PENDING' ? $want
        : 'FAILURE 2 too_many_pending', "one from an address: $address");
}
is(join(' ', sort map { $_->{address} } waiting()),
    '192.0.2.1 192.0.2.2 2001:db8:0:1::2 2001:db8::1',
    'the list has the addresses whole');
decide($_->{id}, 'deny') for waiting();

$m = $s->request($c, %o);
$s->waits($s->send($m, path => '/brief'), $m, 'for a second');
select undef, undef, undef, 1.3;
refuses($c, $m->{transaction}, 4, 'not_found', 'it is over', '/brief');
is(scalar waiting(), 0, 'none waits');
is($t->open_txns, '', 'no transaction is open');
$t->done;

##############################################################################

sub refuses {
    my ($c, $transaction, $n, $reason, $name, $path, %o) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $m = $o{data} ? $s->message($c, type => 20,
                                   transaction => $transaction, %o)
                     : $s->poll($c, $transaction);
    return $s->failed($s->send($m, path => $path), $m, $n, $reason,
        "CertPoll: $name");
}

sub api {
    my ($op, $data) = @_;
    return decode_json($t->curl('-H', 'Content-Type: application/json',
        $data ? ('-d', encode_json($data)) : (),
        'http://127.0.0.1:' . $t->port('plain') . "/api/$op")->{body});
}

sub waiting { return @{api('requests')->{requests}} }

sub decide {
    my ($id, $decision) = @_;
    return api("requests/$id", { decision => $decision });
}
