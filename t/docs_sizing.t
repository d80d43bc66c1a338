#!/usr/bin/perl

# Copyright (C) The nginx-enroll authors

# What docs/operations.md says of the memory that a certificate takes in
# Redis is what it takes, within a quarter.
#
#     TEST_SIZING=1000 prove -v t/docs_sizing.t     # so many, not 300

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use Enroll;
use EnrollDER;

##############################################################################

my $t = Enroll->new;
my $text = $t->read("$FindBin::Bin/../docs/operations.md");
my %said;
for (['memory', 'memory'], ['audit', 'of it the audit entry'],
     ['aof', 'log on disk'])
{
    my ($what, $begins) = @$_;
    my ($p256, $rsa) = $text =~ /^\| \Q$begins\E[^|]*\| ([\d.]+) kB \| ([\d.]+) kB \|$/m
        or die "operations.md says nothing of: $begins\n";
    @said{"$what ec:P-256", "$what rsa:2048"} = ($p256, $rsa);
}

$t->ca('ca', key => 'rsa:2048');
$t->conf(<<'CONF');
    enroll_redis unix:%%DIR%%/redis.sock;
    enroll_ca devices {
        certificate %%DIR%%/ca.crt;
        certificate_key %%DIR%%/ca.key;
    }

    server {
        listen 127.0.0.1:%%PORT_tls%% ssl;
        %%TLS%%
        keepalive_requests 10000;
        location /.well-known/est/ {
            est devices;
            est_auth none;
            enroll_names any;
        }
    }
CONF
$t->redis_start('--auto-aof-rewrite-percentage', 0);
$t->start;

##############################################################################

my $n = $ENV{TEST_SIZING} || 300;

for my $kind ('ec:P-256', 'rsa:2048') {
    my @csr = map { $t->forge(name => $kind =~ s/\W/-/gr, kind => $kind,
        subject => name(O => 'Example', CN => "device-$_"),
        attributes => [extension_request(san(dns("device-$_.example.com")))])
    } 0 .. $n;

    # a fresh Redis, which knows the scripts

    $t->redis_stop;
    unlink glob $t->dir('appendonlydir/*');
    $t->redis_start;
    wait_for { $t->est('simpleenroll', csr => $csr[0])->{status} == 200 };
    $t->redis('DEL', $t->keys);

    my ($memory, $aof) = (used(), disk());
    my $conn = $t->connect;
    my $ok = grep { $_->{status} == 200 }
             map { $conn->post('simpleenroll', csr => $_) } @csr[1 .. $n];
    is($ok, $n, "$n certificates, $kind");
    $conn->close;

    my %is = (memory => used() - $memory, aof => disk() - $aof,
              audit => $t->redis('MEMORY', 'USAGE', 'enroll:{devices}:audit',
                                 'SAMPLES', 0));
    for my $what (sort keys %is) {
        my $each = $is{$what} / $n / 1000;
        my $said = $said{"$what $kind"};
        note(sprintf '%s, %s: %.2f kB each', $kind, $what, $each);
        cmp_ok(abs($each - $said), '<=', $said / 4,
            sprintf "%s, %s: %.2f kB each, as was said", $kind, $what, $each);
    }
}

$t->done;

##############################################################################

sub used {
    my ($used) = $t->redis('INFO', 'memory') =~ /^used_memory:(\d+)/m;
    return $used;
}

# everysec: what is written is in the files at once
sub disk {
    my $sum = 0;
    $sum += -s for glob $t->dir('appendonlydir/*.incr.aof');
    return $sum;
}
