#!/usr/bin/perl

# Copyright (C) The nginx-enroll authors

# The variables: each has its value in a log, whatever the outcome, and
# what comes from outside is escaped there.
#
# Conformance: HTTP-027

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use Enroll;
use EnrollDER;

##############################################################################

my $t = Enroll->new(need => ['python3']);

my @vars = qw(protocol operation ca profile outcome reason serial subject
    identity not_after csr_subject csr_cn csr_san csr_key transaction_id);
my $json = join ',', '"status":"$status"',
    map { "\"$_\":\"\$enroll_$_\"" } @vars;

$t->ca('ca', key => 'rsa:2048');
$t->users('users', dev1 => 'secret');
$t->conf(<<"CONF");
    log_format audit escape=json '{$json}';
    access_log %%HOME%%/audit.log audit;

    map \$enroll_outcome \$loud { default 0; issued 1; renewed 1; }
    log_format plain '\$enroll_operation \$enroll_csr_cn';

    enroll_redis unix:%%DIR%%/redis.sock;
    enroll_ca devices {
        certificate %%DIR%%/ca.crt;
        certificate_key %%DIR%%/ca.key;
    }
    enroll_profile short { validity 1d; }

    server {
        listen 127.0.0.1:%%PORT_tls%% ssl;
        listen 127.0.0.1:%%PORT_plain%%;
        %%TLS%%
        ssl_verify_client optional;
        ssl_client_certificate %%DIR%%/ca.crt;
        est_basic_users %%DIR%%/users;
        enroll_names any;

        location /.well-known/est/ { est devices profile=short; }
        location /default/ { est devices; }
        location /loud/ {
            est devices;
            access_log %%HOME%%/loud.log plain if=\$loud;
        }
        location /scep { scep devices; scep_challenge secret; }
        location /else { return 200 "else\\n"; }
    }
CONF
$t->run;

##############################################################################

my $csr = $t->csr(name => 'dev1', subject => '/O=Example/CN=dev1',
                  san => 'DNS:a.test,IP:10.0.0.1');
my @user = (user => 'dev1:secret');

my $r = $t->est('simpleenroll', csr => $csr, @user);
my $der = $t->issued($r);
my $v = last_line();
$t->keep('dev1', $der);

is($v->{status}, '200', 'issued: status');
is($v->{protocol}, 'est', 'issued: protocol');
is($v->{operation}, 'simpleenroll', 'issued: operation');
is($v->{ca}, 'devices', 'issued: CA');
is($v->{profile}, 'short', 'issued: profile');
is($v->{outcome}, 'issued', 'issued: outcome');
is($v->{reason}, 'issued', 'issued: reason');
is($v->{serial}, cert_fields($der)->{serial}, 'issued: serial');
like($v->{subject}, qr/CN=dev1/, 'issued: subject');
is($v->{identity}, 'dev1', 'issued: identity');
like($v->{not_after}, qr/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/, 'issued: end');
like($v->{csr_subject}, qr/CN=dev1.*O=Example|O=Example.*CN=dev1/,
    'issued: subject of the request');
is($v->{csr_cn}, 'dev1', 'issued: CN of the request');
is($v->{csr_san}, 'dns:a.test, ip:10.0.0.1', 'issued: SAN of the request');
is($v->{csr_key}, 'ec:P-256', 'issued: key of the request');
ok($t->redis('EXISTS', "enroll:{devices}:txn:$v->{transaction_id}"),
    'issued: transaction');

$t->est('simpleenroll', csr => $csr, @user);
my $again = last_line();
is($again->{outcome}, 'repeated', 'again: outcome');
is($again->{$_}, $v->{$_}, "again: the same $_")
    for qw(serial subject not_after transaction_id);

$r = $t->est('simplereenroll', csr => $csr, cert => 'dev1');
$v = last_line();
is($v->{outcome}, 'renewed', 'renewed: outcome');
is($v->{serial}, $t->serial($r), 'renewed: serial');
like($v->{identity}, qr/CN=dev1/, 'renewed: identity');

# refused

$t->est('simpleenroll', csr => $csr, user => 'dev1:wrong');
$v = last_line();
is($v->{status}, '401', 'bad password: status');
is($v->{outcome}, 'refused', 'bad password: outcome');
is($v->{reason}, 'bad_password', 'bad password: reason');
is($v->{identity}, '', 'bad password: nobody is identified');
is($v->{$_}, '', "bad password: no $_")
    for qw(serial subject not_after csr_subject csr_key transaction_id);

$t->est('simpleenroll', data => '!', @user, prefix => '/default/');
$v = last_line();
is($v->{profile}, 'default', 'bad body: profile');
is($v->{reason}, 'bad_base64', 'bad body: reason');
is($v->{identity}, 'dev1', 'bad body: identity');

$t->est('simpleenroll', csr => $t->csr(key => 'rsa:1024', subject => '/CN=y'),
        @user);
$v = last_line();
is($v->{reason}, 'key_not_allowed', 'bad key: reason');
is($v->{csr_key}, 'rsa:1024', 'bad key: what it is');
is($v->{serial}, '', 'bad key: no serial');

$t->est('nosuch');
is(last_line()->{reason}, 'unknown_operation', 'no such operation');
$t->est('cacerts', scheme => 'http', port => 'plain');
is(last_line()->{reason}, 'tls_required', 'no TLS');

# served

$t->est('cacerts');
$v = last_line();
is("$v->{operation} $v->{outcome} $v->{reason}", 'cacerts served served',
    'cacerts');
$t->est('csrattrs');
$v = last_line();
is("$v->{operation} $v->{outcome} $v->{reason}",
    'csrattrs nothing_to_say nothing_to_say', 'csrattrs');
$t->est('scep?operation=GetCACaps', prefix => '/');
$v = last_line();
is("$v->{protocol} $v->{operation} $v->{outcome}", 'scep GetCACaps served',
    'SCEP');
$t->est('else', prefix => '/');
$v = last_line();
is(join('', map { $v->{$_} } @vars), '', 'elsewhere: all are empty');

# failed

$t->redis_stop;
$t->est('simpleenroll', csr => $t->csr(subject => '/CN=z'), @user);
$v = last_line();
is("$v->{status} $v->{outcome}", '503 failed', 'Redis is away: failed');
$t->redis_start;
wait_for { $t->est('simpleenroll', csr => $csr, @user)->{status} == 200 } 15;

# in map, in access_log if=

$t->est('simpleenroll', csr => $t->csr(subject => '/CN=loud'), @user,
    prefix => '/loud/');
$t->est('cacerts', prefix => '/loud/');
is($t->log('loud'), "simpleenroll loud\n", 'in a map, for access_log if=');

# what comes from outside

for my $cn ("x\ny", "x\"y", "x\e[31m", "x\\y", "x\0y", "\xff") {
    my $n = () = $t->log('audit') =~ /\n/g;
    $t->est('simpleenroll', csr => $t->forge(name => 'k',
        subject => name(CN => $cn)), @user, prefix => '/default/');
    wait_for { $n + 1 == (() = $t->log('audit') =~ /\n/g) } 3;
    is((() = $t->log('audit') =~ /\n/g) - $n, 1, 'one line for each');
}
unlike($t->log('audit') . $t->log, qr/[^\n\x20-\xff]/, 'no control characters');
is(($t->command('python3', '-c', <<'PY', "$t->{home}/audit.log"))[1], "ok\n",
import json, sys
for l in open(sys.argv[1], encoding='utf-8', errors='replace'): json.loads(l)
print('ok')
PY
    'every line is JSON');

$t->done;

##############################################################################

# the last line of the log, when it is there
sub last_line {
    our $seen;
    wait_for { length $t->log('audit') > ($seen // 0) } 5;
    my $log = $t->log('audit');
    $seen = length $log;
    my ($line) = $log =~ /([^\n]*)\n\z/;
    my %v = $line =~ /"(\w+)":"((?:[^"\\]|\\.)*)"/g;
    return \%v;
}
