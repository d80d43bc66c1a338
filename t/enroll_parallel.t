#!/usr/bin/perl

# Copyright (C) The nginx-enroll authors

# Many at once: as many certificates, serials, records and counts as there
# are requests, and one for the same request.
#
# Conformance: PKIX-004

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use Enroll;
use EnrollDER;

##############################################################################

my $t = Enroll->new;

$t->ca('ca');
my $conf = <<'CONF';
    enroll_redis unix:%%DIR%%/redis.sock timeout=20s;
    enroll_timeout 60s;
    enroll_ca devices {
        certificate %%DIR%%/ca.crt;
        certificate_key %%DIR%%/ca.key;
    }
    enroll_ca rsa {
        certificate %%DIR%%/rsa.crt;
        certificate_key %%DIR%%/rsa.key;
    }

    server {
        listen 127.0.0.1:%%PORT_tls%% ssl reuseport;
        %%TLS%%
        est_auth none;
        enroll_names any;

        location /.well-known/est/ { est devices; }
        location /rsa/ { est rsa; }
    }
CONF

$t->ca('rsa', key => 'rsa:2048');
my $b = $t->node('b');
$t->conf($conf, workers => 2);
$b->conf($conf, workers => 2);
$t->run;
$b->run;

##############################################################################

my @csr = map { $t->forge(name => 'k', subject => name(CN => "dev$_")) }
              1 .. 200;
my @r = $t->burst(map { ['simpleenroll', { csr => $_ }] } @csr);
my %serials = map { $t->serial($_) => 1 } @r;

is(scalar(grep { $_->{status} eq '200' } @r), 200, '200 enrolments at once');
is(scalar(keys %serials), 200, '200 distinct serials');
is(scalar($t->keys('enroll:{devices}:cert:*')), 200, '200 records');
is($t->count('issued'), 200, '200 on the counter');

my %subject;
for my $i (0 .. $#r) {
    $subject{$i} = 1
        if cert_fields($t->issued($r[$i]))->{subject}
           eq name(CN => 'dev' . ($i + 1));
}
is(scalar(keys %subject), 200, 'each got its own');

my @workers = $t->log =~ /#(\d+): \*\d+ (?:est|.*simpleenroll)/g;
my %seen = map { $_ => 1 } @workers;
note('workers seen: ', join ' ', keys %seen);

# through the thread pool

@r = $t->burst(map { ['simpleenroll', { csr => $_, prefix => '/rsa/' }] }
                   @csr[0 .. 99]);
%serials = map { $t->serial($_) => 1 } @r;
is(scalar(keys %serials), 100, 'by an RSA CA: 100 serials');
is($t->count('issued', 'rsa'), 100, 'by an RSA CA: 100 on its counter');

# the same request fifty times, at two nodes

for my $prefix ('/.well-known/est/', '/rsa/') {
    my $ca = $prefix eq '/rsa/' ? 'rsa' : 'devices';
    my $n = $t->count('issued', $ca);
    my $same = $t->csr(subject => '/CN=same');
    my @conns = map { ($t->connect, $b->connect) } 1 .. 25;

    $_->send_post('simpleenroll', csr => $same, prefix => $prefix) for @conns;
    my @r = map { $_->response } @conns;
    my %serials = map { $t->serial($_) => 1 } @r;
    is(scalar(grep { $_->{status} eq '200' } @r), 50,
        "$prefix: the same request fifty times: 200");
    is(scalar(keys %serials), 1, "$prefix: one certificate");
    is($t->count('issued', $ca), $n + 1, "$prefix: counted once");
    $_->close for @conns;
}

# nothing is left half done

is($t->open_txns, '', 'no transaction is open, every one ends some time');

$t->done;
