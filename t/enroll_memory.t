#!/usr/bin/perl

# Copyright (C) The nginx-enroll authors

# Thousands of requests, good and bad: the memory and the descriptors of a
# worker stay as they are.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use Enroll;
use EnrollDER;

##############################################################################

my $t = Enroll->new;

plan(skip_all => 'sanitizers keep memory')
    if ($ENV{TEST_NGINX_BINARY} // '') =~ /asan/ || $ENV{ASAN_OPTIONS};

$t->ca('ca');
$t->ca('rsa', key => 'rsa:2048');
$t->users('users', dev1 => 'secret');
$t->conf(<<'CONF');
    enroll_redis unix:%%DIR%%/redis.sock;
    enroll_ca devices {
        certificate %%DIR%%/ca.crt;
        certificate_key %%DIR%%/ca.key;
    }
    enroll_ca rsa {
        certificate %%DIR%%/rsa.crt;
        certificate_key %%DIR%%/rsa.key;
    }
    enroll_profile templated {
        subject "CN=$enroll_csr_cn,OU=$enroll_csr_key,O=Example";
        san dns ip uri:urn:$enroll_csr_cn;
    }
    enroll_names any;
    est_repeat 0;

    server {
        listen 127.0.0.1:%%PORT_tls%% ssl;
        %%TLS%%
        keepalive_requests 100000;
        location /.well-known/est/ { est devices; est_auth none; }
        location /rsa/ { est rsa profile=templated; est_auth none; }
        location /basic/ { est devices; est_basic_users %%DIR%%/users; }
        location /repeat/ { est devices; est_auth none; est_repeat 10m; }
    }
CONF
$t->run;

##############################################################################

my $csr = $t->csr(name => 'k', subject => '/O=Example/CN=dev1',
                  san => 'DNS:a.test,DNS:b.test,IP:10.0.0.1');
my $rsa = $t->csr(key => 'rsa:2048');
my $spoilt = $csr->{der};
substr $spoilt, -1, 1, substr($spoilt, -1) ^ "\1";
my @kinds = (
    [200, csr => $csr],
    [200, csr => $csr, prefix => '/rsa/'],
    [200, csr => $rsa, prefix => '/rsa/'],
    [200, csr => $csr, prefix => '/repeat/'],
    [200, csr => $csr, prefix => '/basic/', user => 'dev1:secret'],
    [401, csr => $csr, prefix => '/basic/', user => 'dev1:wrong'],
    [400, data => '!'], [400, data => ''],
    [400, data => b64($spoilt)],
    [400, data => b64(substr $csr->{der}, 0, 200)],
    [400, csr => $t->forge(name => 'k', attributes => [challenge(utf8('x'))])],
    [400, csr => $t->forge(name => 'k', subject => name(CN => "x\ny"))],
    [400, csr => $t->forge(name => 'k', attributes => [extension_request(
        san(dns('a.test'), dns("b\n")))])],
    [415, csr => $csr, type => 'application/json'],
);
my $worker = ($t->workers)[0];
my $conn = $t->connect;

rounds(20);
my ($memory, $fds) = (memory(), fds());
rounds(100);
my $grown = memory() - $memory;
cmp_ok($grown, '<', 600, "a thousand requests: $grown kB more")
    or note("$memory kB before");
is(fds(), $fds, 'no descriptor more');

# connections: each with a handshake

sub connections {
    for (1 .. shift) {
        my $c = $t->connect;
        $c->post('simpleenroll', csr => $csr);
        $c->close;
    }
}
connections(50);
$memory = memory();
connections(200);
$grown = memory() - $memory;
cmp_ok($grown, '<', 600, "two hundred connections: $grown kB more");
ok(wait_for(sub { fds() <= $fds }, 5), 'no descriptor more');

$conn->close;
$t->done;

##############################################################################

sub rounds {
    my %odd;
    for (1 .. shift) {
        for my $kind (@kinds) {
            my ($status, @o) = @$kind;
            my $r = $conn->post('simpleenroll', @o);
            $odd{"$r->{status} for $status"}++ if $r->{status} ne $status;
            $conn = $t->connect
                if ($r->{headers}{connection} // 'close') eq 'close';
        }
    }
    is(join(', ', %odd), '', 'each got its answer');
}

sub memory { $t->read("/proc/$worker/status") =~ /VmRSS:\s+(\d+)/ ? $1 : 0 }

sub fds { my @fds = glob "/proc/$worker/fd/*"; return scalar @fds }
