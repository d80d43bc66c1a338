#!/usr/bin/perl

# Copyright (C) The nginx-enroll authors

# The API: challenges are minted, listed and deleted, on two nodes; what it
# is told is read strictly, and what it answers is JSON.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Digest::SHA qw(sha256_hex);
use JSON::PP;
use Test::More;
use Time::Local qw(timegm);

use Enroll;
use EnrollDER;

##############################################################################

my $t = Enroll->new;
my $node = $t->node('b');

$t->ca($_) for qw(ca other);

my $conf = <<'CONF';
    enroll_redis unix:%%DIR%%/redis.sock;
    enroll_ca devices {
        certificate %%DIR%%/ca.crt;
        certificate_key %%DIR%%/ca.key;
    }
    enroll_ca others {
        certificate %%DIR%%/other.crt;
        certificate_key %%DIR%%/other.key;
    }
    enroll_profile gateway { validity 10d; }

    server {
        listen 127.0.0.1:%%PORT_tls%% ssl;
        %%TLS%%
        enroll_max_body_size 16k;

        location /api/ { enroll_api devices guard=address allow=127.0.0.1; }
        location /short { enroll_api devices guard=external lifetime=2m; }
        location /any/ { enroll_api $arg_ca guard=external; }
        location /unnamed/ { enroll_api guard=external; }
        location /if/ {
            enroll_api devices guard=address allow=10.0.0.1;
            if ($arg_x) { set $y 1; }
        }
    }
CONF
$t->conf($conf)->run;
$node->conf($conf)->start;

##############################################################################

# minted

my $start = time;
my $r = api($t, POST => 'challenges', {});
is($r->{status}, 201, 'minted');
is($r->{type}, 'application/json', 'JSON');
is($r->{headers}{'cache-control'}, 'no-store', 'not to be kept');
my $a = decode_json($r->{body});
is(join(' ', sort keys %$a), 'challenge expires id', 'its members');
like($a->{challenge}, qr/^[0-9A-F]{32}$/, '128 bits in upper-case hex');
is($a->{id}, substr(sha256_hex($a->{challenge}), 0, 16), 'its id');
cmp_ok(abs(epoch($a->{expires}) - $start - 3600), '<', 20, 'for an hour');

my $key = "enroll:{devices}:challenge:$a->{id}";
my $h = $t->hash($key);
is($h->{digest}, sha256_hex($a->{challenge}), 'the digest is kept');
is($h->{uses}, 1, 'for one use');
is($h->{by}, '127.0.0.1', 'by whom');
cmp_ok(abs($t->redis('TTL', $key) - 3600), '<', 20, 'as long as it lives');
unlike($t->state . $t->log . $node->log, qr/$a->{challenge}/i,
    'the challenge is nowhere');

my %all = (subject => 'CN=dev1', san => "DNS:d\xc3\xbc", profile => 'gateway',
           key_digest => 'AB' x 32, address => '2001:DB8:0::1', uses => 3,
           lifetime => 60, label => "a \"label\" \\ \xe2\x82\xac <b>");
$_ = decode_utf8($_) for @all{qw(san label)};
$r = api($t, POST => 'challenges', \%all);
is($r->{status}, 201, 'minted with all members') or diag($r->{body});
my $b = decode_json($r->{body});
isnt($b->{challenge}, $a->{challenge}, 'another one');

# listed, on the other node

my $list = listed($node, 'challenges');
is($list->{total}, 2, 'two challenges');
is($list->{challenges}[0]{id}, $b->{id}, 'the newest first');
my %got = %{$list->{challenges}[0]};
is($got{expires}, $b->{expires}, 'when it expires');
like($got{created}, qr/^20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ$/, 'since when');
is_deeply({ map { $_ => $got{$_} } keys %all, 'by' },
          { %all, key_digest => 'ab' x 32, address => '2001:db8::1',
            by => '127.0.0.1', lifetime => undef }, 'what it is bound to');
is(join(' ', sort keys %{$list->{challenges}[1]}), 'by created expires id uses',
    'what is not bound says so');
unlike(encode_json($list), qr/$a->{challenge}|digest":"[0-9a-f]{64}.*\Q$h->{digest}\E/,
    'never the challenge');

# deleted, once

$r = api($node, DELETE => "challenges/$b->{id}", '');
is("$r->{status} $r->{body}", qq(200 {"id":"$b->{id}","status":"deleted"}\n),
    'deleted');
failed(api($t, DELETE => "challenges/$b->{id}", ''), 404, 'no_such_entry',
    'no more there');
failed(api($t, DELETE => "challenges/$_", ''), 404, 'no_such_entry',
    "no id: $_") for '', 'x', 'a' x 15, 'A' x 16, 'a' x 17, '*' x 16,
                     'aaaaaaaa%2faaaaaaa';
is(listed($t, 'challenges')->{total}, 1, 'one is left');
like($node->log, qr/challenge_delete "$b->{id}" of CA "devices" by "127/,
    'it is in the log');

# in other locations

$r = api($t, POST => 'challenges', {}, prefix => '/short/');
$a = decode_json($r->{body});
cmp_ok(abs(epoch($a->{expires}) - time - 120), '<', 20, 'a shorter life');
is(api($t, POST => 'challenges?ca=others', {}, prefix => '/any/')->{status},
    201, 'the CA is named by the request');
is(listed($t, 'challenges?ca=others', prefix => '/unnamed/')->{total}, 1,
    'as where nothing else names it');
failed(api($t, GET => 'challenges', undef, prefix => $_), 404, 'unknown_ca',
    "$_: no CA named") for '/any/', '/unnamed/';
failed(api($t, GET => 'challenges?ca=x', undef, prefix => '/any/'), 404,
    'unknown_ca', 'an unknown CA');
failed(api($t, GET => 'challenges?x=1', undef, prefix => '/if/'), 403,
    'address_not_allowed', 'guarded within "if"');

# what is not there

failed(api($t, GET => $_), 404, 'unknown_operation', "no /api/$_")
    for '', 'x', 'challenge', 'challengesx', 'requestsx';
failed(api($t, PUT => 'challenges', {}), 405, 'method_not_allowed', 'PUT');
failed(api($t, GET => 'challenges/' . 'a' x 16), 405, 'method_not_allowed',
    'GET of one');
is($r = api($t, POST => 'requests', {})->{headers}{allow}, 'GET, HEAD',
    'what is allowed');
failed(api($t, POST => 'challenges', 'x' x 17000), 413, 'body_too_large',
    'too large');

# JSON, strictly

my $before = $t->state;
failed(api($t, POST => 'challenges', ''), 400, 'empty_body', 'nothing');
failed(api($t, POST => 'challenges', $_), 400, 'malformed_json',
    'no JSON: ' . substr $_, 0, 30)
    for '{', '[]', '"x"', '1', 'null', '{}{}', '{"label":"x",}', '{"label"}',
        '{"label":null}', '{"label":true}', '{"label":["x"]}',
        '{"label":{"x":1}}', '{"uses":1.0}', '{"uses":1e1}', '{"uses":-1}',
        '{"uses":01}', '{"uses":1000000000000000}', "{'label':'x'}",
        "{\"label\":\"\x01\"}", '{"label":"\\u0000"}', "{\"label\":\"\xff\"}",
        '{"label":"\\ud800"}', '{"label":"\\n"}', "\xef\xbb\xbf{}",
        '{"label":"x"} x', "{}\0", '{"label":"' . '[' x 10000;
my %bad = (
    '{"x":1}' => undef, '{"Label":"x"}' => undef, '{"uses":"1"}' => 'uses',
    '{"uses":0}' => 'uses', '{"uses":1001}' => 'uses',
    '{"uses":1,"uses":2}' => 'uses', '{"lifetime":0}' => 'lifetime',
    '{"lifetime":2592001}' => 'lifetime', '{"label":1}' => 'label',
    '{"label":"' . 'x' x 257 . '"}' => 'label', '{"subject":""}' => 'subject',
    '{"key_digest":"abc"}' => 'key_digest',
    '{"key_digest":"' . 'g' x 64 . '"}' => 'key_digest',
    '{"profile":"nope"}' => 'profile', '{"address":"10.0.0"}' => 'address',
    '{"address":"10.0.0.1:80"}' => 'address',
    '{"address":"10.0.0.0/8"}' => 'address',
);
for my $json (sort keys %bad) {
    my $name = substr $json, 0, 40;
    $r = api($t, POST => 'challenges', $json);
    failed($r, 400, 'bad_member', "bad member: $name");
    is(decode_json($r->{body})->{member}, $bad{$json}, "$name: its name");
}
is($t->state, $before, 'nothing was minted');

# the store's answers

$t->redis('HSET', "enroll:{devices}:challenge:$a->{id}", 'uses', 'x');
failed(api($t, GET => 'challenges'), 503, 'record_not_trusted',
    'a number that is none');
$t->redis('SET', 'enroll:{devices}:challenges', 'x');
failed(api($t, GET => 'challenges'), 503, 'store_unavailable',
    'a wrong type');
$t->redis('DEL', 'enroll:{devices}:challenges');

# clients that do not wait

for (1 .. 20) {
    my $c = $t->connect;
    $c->write("POST /api/challenges HTTP/1.1\r\nHost: localhost\r\n"
              . "Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}");
}
ok(wait_for(sub { listed($t, 'challenges')->{total} >= 0 }),
    'others are served');

$t->redis_stop;
$r = api($t, GET => 'challenges');
failed($r, 503, 'store_unavailable', 'Redis is away');
ok($r->{headers}{'retry-after'}, 'it may be asked again');

$t->done;

##############################################################################

sub api {
    my ($t, $method, $path, $data, %o) = @_;
    return $t->est($path, prefix => '/api/', method => $method,
        defined $data ? (data => ref $data ? encode_json($data) : $data,
                         type => 'application/json') : (), %o);
}

sub listed { decode_json(api($_[0], GET => $_[1], undef, @_[2 .. $#_])->{body}) }

sub failed {
    my ($r, $status, $reason, $name) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $e = eval { decode_json($r->{body}) } || {};
    return is(join(' ', $r->{status}, $r->{type} // '', $e->{error} // '',
                   ($e->{message} // '') =~ /^[A-Z].*\.$/ ? 'said' : ''),
              "$status application/json $reason said", $name);
}

sub epoch {
    my ($y, $mo, @rest) = $_[0] =~ /^(\d+)-(\d+)-(\d+)T(\d+):(\d+):(\d+)Z$/;
    return timegm(reverse(@rest), $mo - 1, $y);
}

sub decode_utf8 { my ($s) = @_; utf8::decode($s); $s }
