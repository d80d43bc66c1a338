#!/usr/bin/perl

# Copyright (C) The nginx-enroll authors

# enroll_status and SCEP: the use of old algorithms by client, the time that
# an answer takes to be made, and what waits.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use Enroll;
use EnrollDER;
use EnrollMetrics;
use EnrollSCEP;

##############################################################################

my $t = Enroll->new;

$t->ca('ca', key => 'rsa:2048');
$t->conf(<<'CONF')->run;
    enroll_redis unix:%%DIR%%/redis.sock;
    enroll_ca devices {
        certificate %%DIR%%/ca.crt;
        certificate_key %%DIR%%/ca.key;
    }
    scep_challenge secret;
    scep_failure_limit off;

    server {
        listen 127.0.0.1:%%PORT_plain%%;
        location /scep { scep devices; }
        location /old { scep devices; scep_legacy sha1 des3; }
        location /wait { scep devices; enroll_approval manual; }
        location /api/ { enroll_api devices guard=address allow=127.0.0.1; }
        location = /status { enroll_status; }
    }
CONF

my $s = EnrollSCEP->new($t, ra => 'ca');
my $c = $s->client('dev1');

# one message of a User-Agent
sub from {
    my ($agent, %o) = @_;
    my $path = delete $o{path} // '/old';
    my $m = $s->request($c, challenge => 'secret', %o);
    my $file = $t->write('message', $m->{der});
    return $t->curl(defined $agent ? ('-A', $agent) : ('-H', 'User-Agent:'),
        '-H', 'Content-Type: application/x-pki-message', '--data-binary',
        "\@$file", 'http://127.0.0.1:' . $t->port('plain') . $path);
}

sub legacy { sum(scrape($t), 'enroll_legacy_requests_total', @_) // 0 }

##############################################################################

# nothing old, nothing counted

from('curl/8', path => '/scep');
is(legacy(), 0, 'of today');
is(from('curl/8', digest => 'sha1', path => '/scep')->{status}, 200,
    'a digest that is not taken');
is(legacy(), 0, 'is no use of it');

# old ones, by client

my %agents = (
    'Mozilla/4.0 (compatible; Win32; NDES client 10.0.19041.1/vb)' => 'windows',
    'profiled/1.0 CFNetwork/1410.1 Darwin/22.6.0' => 'apple',
    'Cisco PKI' => 'cisco',
    'Cisco EST client 1.0' => 'libest',
    'certmonger' => 'certmonger',
    'Go-http-client/1.1' => 'micromdm',
    'Java/17.0.1' => 'java',
    'curl/7.88.1' => 'curl',
    "x\"} 1 \\ evil" => 'other',
);
my $start = time;
for my $agent (sort keys %agents) {
    my $client = $agents{$agent};
    from($agent, digest => 'sha1', cipher => 'des-ede3-cbc');
    is(legacy(algorithm => 'sha1', client => $client), 1, "sha1: $client");
    is(legacy(algorithm => 'des3', client => $client), 1, "des3: $client");
}
from(undef, digest => 'sha1');
is(legacy(algorithm => 'sha1', client => 'none'), 1, 'no User-Agent');
is(legacy(algorithm => 'des3', client => 'none'), 0, 'one of both');
from('curl/8', csr_digest => 'sha1', digest => 'sha256');
is(legacy(algorithm => 'sha1', client => 'curl'), 2, 'of the request within');
is(legacy(), 2 * keys(%agents) + 2, 'each once');

my $page = scrape($t);
cmp_ok(sum($page, 'enroll_legacy_last_seen_timestamp_seconds',
    algorithm => 'sha1', client => 'apple'), '>=', $start, 'when it was seen');
unlike($page->{text}, qr/evil|Mozilla|Darwin/, 'no word of a client is there');

# steps

for my $step (qw(authorise decode admit sign record encode)) {
    cmp_ok(sum($page, 'enroll_step_duration_seconds_count', protocol => 'scep',
        step => $step), '>', 5, "times: $step");
}

# what waits, and what may still be used

my $m = $s->request($c, challenge => 'secret', san => [dns('a')]);
$s->waits($s->send($m, path => '/wait'), $m, 'it waits');
for (1 .. 3) {
    is($t->curl('-H', 'Content-Type: application/json', '-d', '{}',
        'http://127.0.0.1:' . $t->port('plain') . '/api/challenges')->{status},
        201, 'a challenge');
}
$page = scrape($t);
is(sum($page, 'enroll_request_duration_seconds_count', protocol => 'api'),
    undef, 'the API is not timed');
is($t->curl('http://127.0.0.1:' . $t->port('plain') . '/scep/health')->{status},
    200, 'a probe');
is(sum(scrape($t), 'enroll_request_duration_seconds_count'),
    sum($page, 'enroll_request_duration_seconds_count'), 'nor is a probe');
is(sum($page, 'enroll_requests_total', outcome => 'pending'), 1, 'pending');
is(sum($page, 'enroll_requests_total', protocol => 'api',
    operation => 'challenge_mint', outcome => 'minted'), 3, 'minted');
is(sum($page, 'enroll_cluster_waiting_approvals', ca => 'devices'), 1,
    'one request waits');
is(sum($page, 'enroll_cluster_challenges', ca => 'devices'), 3,
    'three challenges');
is(sum($page, 'enroll_cluster_issued_total'),
    sum($page, 'enroll_requests_total', outcome => 'issued'),
    'the cluster has what its one node has');

$t->done;
