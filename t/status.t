#!/usr/bin/perl

# Copyright (C) The nginx-enroll authors

# What enroll_status counts, and in which forms it says so.
#
# Conformance: DEV-006

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use Enroll;
use EnrollDER;
use EnrollMetrics;

##############################################################################

my $t = Enroll->new(need => ['python3']);

$t->ca('ca', key => 'rsa:2048');
$t->ra('ra', 'ca');
$t->users('users', dev1 => 'secret');
my $conf = <<'CONF';
    enroll_redis unix:%%DIR%%/redis.sock;
    enroll_ca devices {
        certificate %%DIR%%/ca.crt;
        certificate_key %%DIR%%/ca.key;
        ra_certificate %%DIR%%/ra.crt;
        ra_certificate_key %%DIR%%/ra.key;
    }
    enroll_ca other.ca {
        certificate %%DIR%%/ca.crt;
        certificate_key %%DIR%%/ca.key;
    }
    enroll_profile 'a "b" \\ c' { }

    server {
        listen 127.0.0.1:%%PORT_tls%% ssl;
        listen 127.0.0.1:%%PORT_plain%%;
        %%TLS%%
        ssl_verify_client optional;
        ssl_client_certificate %%DIR%%/ca.crt;
        est_basic_users %%DIR%%/users;
        enroll_names any;

        location /.well-known/est/ { est devices; }
        location /closed/ { est devices; deny all; }
        location /moved/ { est devices; deny all; error_page 403 = /est2/nosuch; }
        location /est2/ { est devices; }
        location /odd/ { est devices 'profile=a "b" \\ c'; }
        location /scep { scep devices; scep_challenge secret; }

        location = /status { enroll_status; }
        location = /json { enroll_status json; }
        location = /shut { enroll_status; allow 127.0.0.2; deny all; }
        location = /limited {
            enroll_status prometheus;
            limit_except GET { deny all; }
        }
    }
CONF
$t->conf($conf, workers => 2)->run;

my @user = (user => 'dev1:secret');

# requests counted by their labels
sub requests { sum(scrape($t), 'enroll_requests_total', @_) // 0 }

##############################################################################

# nothing has happened yet

my $page = scrape($t);
is($page->{r}{status}, 200, 'a page');
is($page->{r}{headers}{'content-type'},
    'text/plain; version=0.0.4; charset=utf-8', 'its type');
is($page->{r}{headers}{'cache-control'}, 'no-store', 'it is not kept');
is(sum($page, 'enroll_requests_total'), undef, 'no requests');
like($page->{text}, qr/^enroll_build_info\{version="\d+\.\d+\.\d+"\} 1$/m,
    'the version');
is(sum($page, 'enroll_workers'), 2, 'two workers');
cmp_ok(abs(sum($page, 'enroll_start_time_seconds') - time), '<', 60,
    'when it began');

# issued, repeated, renewed

my $csr = $t->csr(name => 'dev1', subject => '/CN=dev1');
$t->keep('dev1', $t->issued($t->est('simpleenroll', csr => $csr, @user)));
$t->est('simpleenroll', csr => $csr, @user);
$t->est('simplereenroll', csr => $csr, cert => 'dev1');
$t->est('simpleenroll', csr => $t->csr(subject => '/CN=r', key => 'rsa:2048'),
    @user);
$t->est('simpleenroll', csr => $t->csr(subject => '/CN=o', key => 'rsa:2056'),
    @user);

my %est = (protocol => 'est', ca => 'devices', profile => 'default');
$page = scrape($t);
is(sum($page, 'enroll_requests_total', %est, operation => 'simpleenroll',
    outcome => 'issued', reason => 'issued'), 3, 'issued');
is(sum($page, 'enroll_requests_total', %est, operation => 'simpleenroll',
    outcome => 'repeated'), 1, 'repeated');
is(sum($page, 'enroll_requests_total', %est, operation => 'simplereenroll',
    outcome => 'renewed'), 1, 'renewed');
is(sum($page, 'enroll_issued_keys_total', ca => 'devices', key => $$_[0]),
    $$_[1], "keys: $$_[0]") for ['ec:P-256', 2], ['rsa:2048', 1],
                                ['rsa:other', 1];
is(sum($page, 'enroll_issued_keys_total'), 4, 'keys: no others');

# served, refused, failed

$t->est('cacerts') for 1 .. 3;
is(requests(%est, operation => 'cacerts', outcome => 'served'), 3, 'served');
$t->est('simpleenroll', csr => $csr, user => 'dev1:wrong');
is(requests(outcome => 'refused', reason => 'bad_password'), 1, 'refused');
$t->est('x"y{z}');
is(requests(operation => 'other', reason => 'unknown_operation'), 1,
    'what is no operation is "other"');
$t->est('cacerts', prefix => '/odd/');
is(requests(profile => 'a \"b\" \\\\ c'), 1, 'a name with quotes');
$t->curl('http://127.0.0.1:' . $t->port('plain') . '/scep?operation=GetCACaps');
is(requests(protocol => 'scep', operation => 'GetCACaps'), 1, 'SCEP');

# what another rule answers is no outcome of ours; each request counts once

my $before = requests();
is($t->est('simpleenroll', csr => $csr, @user, prefix => '/closed/')->{status},
    403, 'a rule in front of us');
is(requests(), $before, 'is not counted');
is($t->est('cacerts', prefix => '/moved/', url => 'https://127.0.0.1:'
    . $t->port('tls') . '/moved/cacerts')->{status}, 404, 'a redirect');
is(requests(), $before + 1, 'is counted once');

# a client that leaves

my $gone = requests(reason => 'client_gone');
kill STOP => $t->{redis};
my $conn = $t->connect;
$conn->send_post('simpleenroll', csr => $t->csr(subject => '/CN=g'), @user);
select undef, undef, undef, 0.3;
$conn->close;
select undef, undef, undef, 0.3;
kill CONT => $t->{redis};
ok(wait_for(sub { $gone + 1 == requests(reason => 'client_gone') }, 10),
    'a client that left is counted');

# times

$page = scrape($t);
for my $step (qw(authorise decode admit sign record)) {
    my %l = (protocol => 'est', step => $step);
    my $n = sum($page, 'enroll_step_duration_seconds_count', %l);
    cmp_ok($n, '>=', 4, "times: $step");
    cmp_ok(sum($page, 'enroll_step_duration_seconds_sum', %l), '<', 60,
        "times: $step, sum");
    is(sum($page, 'enroll_step_duration_seconds_bucket', %l, le => '+Inf'), $n,
        "times: $step, the last bucket");
}
is(sum($page, 'enroll_step_duration_seconds_count', step => 'sign'), 4,
    'times: signed');
is(sum($page, 'enroll_step_duration_seconds_count', step => 'encode'), undef,
    'times: EST has no encoding');
my @all = map { $_->[2] } grep { $_->[0] =~ /^enroll_request_\w+_bucket$/ }
    @{$page->{samples}};
is("@all", join(' ', sort { $a <=> $b } @all), 'buckets are cumulative');
cmp_ok(sum($page, 'enroll_request_duration_seconds_sum'), '<=',
    1.01 * sum($page, 'enroll_step_duration_seconds_sum')
    + 0.001, 'times: the total is the sum');

# Redis

is(sum($page, 'enroll_redis_up'), 1, 'Redis is up');
is(sum($page, 'enroll_redis_connected_workers'), 2, 'for both workers');
cmp_ok(sum($page, 'enroll_redis_command_duration_seconds_count'), '>', 8,
    'commands are timed');
ok(defined sum($page, "enroll_$_"), $_) for qw(redis_commands_in_flight
    redis_command_failures_total redis_reconnects_total
    redis_connect_failures_total thread_pool_jobs thread_pool_refused_total);

# certificates

is(sum($page, 'enroll_certificate_expiry_timestamp_seconds', kind => 'ca',
    ca => 'devices'), ends('ca'), 'the end of the CA');
is(sum($page, 'enroll_certificate_expiry_timestamp_seconds', kind => 'ra',
    serial => cert_fields(unpem($t->read('ra.crt')))->{serial}), ends('ra'),
    'the end of the RA');
is(sum($page, 'enroll_certificate_expiry_timestamp_seconds', kind => 'ra',
    ca => 'other.ca'), undef, 'a CA that is its own RA has none');

# OpenMetrics

my $om = scrape($t, accept => 'application/openmetrics-text;version=1.0.0;'
                              . 'q=0.5,text/plain;version=0.0.4;q=0.3');
is($om->{r}{headers}{'content-type'},
    'application/openmetrics-text; version=1.0.0; charset=utf-8',
    'OpenMetrics by Accept');
like($om->{text}, qr/\n# EOF\n\z/, 'with an end');
like($om->{text}, qr/^# TYPE enroll_requests counter$/m, 'a family of counters');
like($om->{text}, qr/^# TYPE enroll_build info$/m, 'an info');
like($om->{text}, qr/^# UNIT enroll_step_duration_seconds seconds$/m, 'a unit');
is(join(' ', map { "$_->[0]" } grep { $_->[0] !~ /_redis_|_start_/ }
        @{$om->{samples}}),
    join(' ', map { "$_->[0]" } grep { $_->[0] !~ /_redis_|_start_/ }
        @{$page->{samples}}), 'the same samples');
unlike($page->{text}, qr/# (EOF|UNIT)/, 'which the older format has not');
like($page->{text}, qr/^# TYPE enroll_requests_total counter$/m,
    'where counters are named in full');

# the older format by Prometheus's own tool, OpenMetrics by a strict reader

SKIP: {
    skip('no promtool', 1) if !grep { -x "$_/promtool" } split /:/, $ENV{PATH};
    my (undef, $out) = $t->command('sh', '-c',
        'promtool check metrics < "$0" && echo good',
        $t->write('page.txt', $page->{text}));
    is($out, "good\n", 'promtool check metrics');
}

SKIP: {
    my $python = '/usr/bin/python3';        # Debian's own, which has it
    my ($none) = $t->command($python, '-c', 'import prometheus_client');
    skip('no python3-prometheus-client', 1) if $none;
    my (undef, $out) = $t->command($python, '-c', <<'PY',
import sys
from prometheus_client.openmetrics.parser import text_string_to_metric_families
f = {m.name: m for m in text_string_to_metric_families(open(sys.argv[1]).read())}
print(f['enroll_requests'].type, f['enroll_request_duration_seconds'].unit)
PY
        $t->write('page.om', $om->{text}));
    is($out, "counter seconds\n", 'OpenMetrics is well-formed');
}

# JSON

for (['/json', 'by the directive'], ['/status?format=json', 'by argument']) {
    my ($path, $how) = @$_;
    my $r = scrape($t, path => $path)->{r};
    is($r->{headers}{'content-type'}, 'application/json', "JSON $how");
    is(($t->command('python3', '-c', <<'PY',
import json, sys
d = json.load(open(sys.argv[1]))
r = [x for x in d['enroll_requests_total'] if x['outcome'] == 'issued']
h = d['enroll_step_duration_seconds'][0]
print(r[0]['ca'], r[0]['value'], h['buckets']['+Inf'] == h['count'],
      [x['profile'] for x in d['enroll_requests_total'] if '"' in x['profile']])
PY
        $t->write('page.json', $r->{body})))[1],
        qq(devices 3 True ['a "b" \\\\ c']\n), 'is what a reader reads');
}
is(scrape($t, path => '/json?format=prometheus')->{r}{headers}{'content-type'},
    'text/plain; version=0.0.4; charset=utf-8', 'and back by argument');

# methods, access

my $head = scrape($t, args => ['-I'])->{r};
is($head->{status}, 200, 'HEAD');
cmp_ok($head->{headers}{'content-length'}, '>', 1000, 'HEAD has a length');
is(scrape($t, args => ['-d', 'x'])->{r}{status}, 405, 'POST');
is(scrape($t, args => ['-X', 'DELETE'])->{r}{status}, 405, 'DELETE');
is(scrape($t, path => '/shut')->{r}{status}, 403, 'allow and deny are nginx\'s');
is(scrape($t, path => '/limited')->{r}{status}, 200, 'limit_except');
is(scrape($t, path => '/limited', args => ['-d', 'x'])->{r}{status}, 403,
    'limit_except: others');

# secrets, and what clients say, are not there

unlike($page->{text} . $om->{text}, qr/secret|dev1|x"y|x\\"y|wrong/,
    'nothing of a client');

# figures stay over a reload, and of workers that are killed none is left

$before = requests();
ok($t->reload, 'reload');
is(requests(), $before, 'the figures are still there');
my ($pid) = grep { kill 0, $_ } reverse $t->workers;
my $n = $t->workers;
kill KILL => $pid;
wait_for(sub { $t->workers > $n }, 10);
wait_for(sub { $page = scrape($t);
           2 == sum($page, 'enroll_redis_connected_workers') }, 10);
is(sum($page, 'enroll_workers'), 2, 'a worker that was killed is none');
is(requests(), $before, 'its figures are');

# a zone of another size is a new one

$t->conf("enroll_status_zone 1m;\n$conf", workers => 2);
ok($t->reload, 'reload with another size');
is(requests(), 0, 'the figures begin anew');

# where nothing is issued there is a page, too

my $b = $t->node('b');
$b->conf(<<'CONF')->run;
    server {
        listen 127.0.0.1:%%PORT_plain%%;
        location = /status { enroll_status; }
    }
CONF
$page = scrape($b);
is("$page->{r}{status} " . @{$page->{samples}}, '200 1', 'the version alone');
like(scrape($b, path => '/status?format=json')->{text} =~ s/\s+//gr,
    qr/^\{"enroll_build_info":\[\{"version":"[\d.]+","value":1\}\]\}$/,
    'as JSON');

# the conf

for (['enroll_status xml', 'invalid parameter "xml"'],
     ['enroll_status; enroll_status', 'is duplicate'],
     ['est devices; enroll_status', 'another handler'])
{
    my ($bad, $error) = @$_;
    my ($rc, $out) = $t->nginx_t(
        $conf =~ s/\{ enroll_status; \}/{ $bad; }/r);
    ok($rc && $out =~ /\Q$error\E/, "nginx -t: $bad") or diag($out);
}
my ($rc, $out) = $t->nginx_t("enroll_status_zone 60k;\n$conf");
ok($rc && $out =~ /enroll_status_zone|must be/, 'nginx -t: a zone too small');
($rc) = $t->nginx_t('server { listen 127.0.0.1:8080;
                              location / { enroll_status; } }');
is($rc, 0, 'nginx -t: where nothing is issued');

$t->done(except => qr/exited on signal 9/);

##############################################################################

sub ends {
    my ($name) = @_;
    my ($rc, $date) = $t->command('openssl', 'x509', '-in', $t->dir("$name.crt"),
        '-noout', '-enddate');
    (my $text = $date) =~ s/^notAfter=|\n//g;
    my ($rc2, $s) = $t->command('date', '-d', $text, '+%s');
    chomp $s;
    return $s;
}
