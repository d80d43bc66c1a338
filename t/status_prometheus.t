#!/usr/bin/perl

# Copyright (C) The nginx-enroll authors

# Debian's Prometheus scrapes two nodes that share a Redis, takes the alert
# rules, and answers the queries of docs/monitoring.md and of the dashboard.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use JSON::PP;
use Test::More;
use Time::HiRes qw(sleep);

use Enroll;
use EnrollDER;
use EnrollMetrics;
use EnrollSCEP;

##############################################################################

my $t = Enroll->new(need => ['prometheus']);
my $b = $t->node('b');
my $top = "$FindBin::Bin/..";

$t->ca('ca', key => 'rsa:2048');
$t->ra('ra', 'ca');
my $conf = <<'CONF';
    enroll_redis unix:%%DIR%%/redis.sock;
    enroll_ca devices {
        certificate %%DIR%%/ca.crt;
        certificate_key %%DIR%%/ca.key;
        ra_certificate %%DIR%%/ra.crt;
        ra_certificate_key %%DIR%%/ra.key;
    }
    server {
        listen 127.0.0.1:%%PORT_tls%% ssl;
        listen 127.0.0.1:%%PORT_plain%%;
        %%TLS%%
        ssl_verify_client optional;
        ssl_client_certificate %%DIR%%/ca.crt;
        enroll_names any;
        location /.well-known/est/ { est devices; est_auth none; }
        location /scep { scep devices; scep_challenge secret; scep_legacy sha1; }
        location = /metrics { enroll_status; }
    }
CONF
$t->conf($conf)->run;
$b->conf($conf, workers => 2)->run;

my ($at, $at_b) = map { '127.0.0.1:' . $_->port('plain') } $t, $b;
my $port = $t->port('prometheus');
my $yml = $t->write('prometheus.yml', <<"YML");
global:
  scrape_interval: 1s
  scrape_timeout: 1s
  evaluation_interval: 1s
rule_files:
  - $top/docs/monitoring/alerts.yml
scrape_configs:
  - job_name: enroll
    static_configs:
      - targets: ["$at", "$at_b"]
YML
Enroll::spawn($t->dir('prometheus.log'), 'prometheus',
    "--config.file=$yml", '--storage.tsdb.path=' . $t->dir('tsdb'),
    "--web.listen-address=127.0.0.1:$port");

# an instant query: [{ metric => {...}, value => [at, "1"] }, ...]
sub query {
    my ($query) = @_;
    my $r = $t->curl('--data-urlencode', "query=$query",
        "http://127.0.0.1:$port/api/v1/query");
    my $a = eval { decode_json($r->{body} || '{}') } || {};
    diag("$query: ", $a->{error} // $r->{body}) if ($a->{status} // '') ne
        'success' && $r->{status} && $r->{status} == 400;
    return ($a->{status} // '') eq 'success' ? $a->{data}{result} : undef;
}

# each node is scraped at a time of its own
sub soon {
    my ($query, $value, $name) = @_;
    my $got;
    wait_for { ($got = value($query)) eq $value } 20;
    is($got, $value, $name);
}

sub value { my $r = query(@_); $r && @$r ? $r->[0]{value}[1] : 'none' }

##############################################################################

ok(wait_for(sub { value('count(up{job="enroll"} == 1)') eq '2' }, 60),
    'both nodes are scraped')
    or diag($t->read('prometheus.log'));

# three here, two there; one is renewed, one refused; SCEP, with SHA-1

my $s = EnrollSCEP->new($t, ra => 'ra');
my $c = $s->client('dev1');

for my $i (1 .. 5) {
    my $node = $i > 3 ? $b : $t;
    my $der = $t->issued($node->est('simpleenroll',
        csr => $t->csr(name => "e$i", subject => "/CN=e$i")));
    $t->keep("e$i", $der);
}
is($b->est('simplereenroll', csr => $t->csr(name => 'e1', subject => '/CN=e1'),
    cert => 'e1')->{status}, 200, 'renewed');
$b->est('simpleenroll', data => '!');
for my $challenge (qw(secret wrong)) {
    my $m = $s->request($c, challenge => $challenge, digest => 'sha1');
    $s->send($m);
}

is(scrape($_, path => '/metrics')->{r}{status}, 200, 'a page') for $t, $b;
ok(wait_for(sub { value('sum(enroll_requests_total{outcome="issued"})') eq '6'
                  && value('sum(enroll_requests_total{outcome="renewed"})') eq '1' },
    30), 'what is issued is seen') or diag(value('sum(enroll_requests_total)'));

# of nodes, and of the cluster

my $est = 'enroll_requests_total{protocol="est",outcome="issued"';
soon(qq($est,instance="$at"}), 3, 'of one node');
soon(qq($est,instance="$at_b"}), 2, 'of the other');
soon('max by (ca) (enroll_cluster_issued_total)', 6, 'of the cluster');
soon('min(enroll_cluster_issued_total)', 6, 'as either node knows');
soon('sum by (protocol) (enroll_requests_total{outcome="refused"})', 1,
    'refused');
soon('sum(enroll_request_duration_seconds_count{protocol="est"})', 7,
    'a histogram');
soon('sum(enroll_redis_connected_workers)', 3, 'three workers');
soon('count(enroll_build_info)', 2, 'two builds');

# OpenMetrics is what it asked for, and it knows what the figures are

my $meta = decode_json($t->curl('-G', '-d', 'metric=enroll_requests_total',
    "http://127.0.0.1:$port/api/v1/metadata")->{body})->{data};
$meta = $meta->{enroll_requests_total} // decode_json($t->curl('-G', '-d',
    'metric=enroll_requests',
    "http://127.0.0.1:$port/api/v1/metadata")->{body})->{data}{enroll_requests};
is($meta->[0]{type}, 'counter', 'it knows its type');
like($t->log('access') . $b->log('access'), qr{"GET /metrics HTTP/1.1" 200.*Prometheus},
    'as the access log says');

# every query of the text has an answer here, every one of the dashboard is one

my $doc = slurp("$top/docs/monitoring.md");
for my $query ($doc =~ /^```promql\n(.*?)\n```$/msg) {
    ok(wait_for(sub { @{query($query) || []} }, 20), $query);
}
my $dashboard = decode_json(slurp("$top/docs/monitoring/grafana.json"));
my @wrong;
for my $query (map { $_->{expr} } map { @{$_->{targets} || []} }
               @{$dashboard->{panels}})
{
    (my $q = $query) =~ s/\$__rate_interval/1m/g;
    $q =~ s/\$instance/.*/g;
    $q =~ s/\$ca/.*/g;
    my $r = query($q);
    push @wrong, $query if !$r
        || !@$r && $q !~ /outcome="failed"|ra\.\*/;
}
is(join("\n", @wrong), '', 'the dashboard is answered');

# the rules are taken, and one of them fires

my $rules = decode_json($t->curl("http://127.0.0.1:$port/api/v1/rules")->{body});
is(join(' ', map { $_->{health} } @{$rules->{data}{groups}[0]{rules}}),
    join(' ', ('ok') x @{$rules->{data}{groups}[0]{rules}}), 'the rules are well');
$t->redis_stop;
ok(wait_for(sub { value('count(ALERTS{alertname="EnrollRedisDown"})') eq '2' },
    30), 'Redis is down, as Prometheus sees it');
is(value('count(enroll_cluster_issued_total)'), 'none',
    'and the cluster is not told of');

$t->done;
