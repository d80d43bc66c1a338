#!/usr/bin/perl

# Copyright (C) The nginx-enroll authors

# A replica becomes the master, and the master its replica: enrolments fail,
# and nothing is issued, until the name leads to the new one; then all goes on,
# with the records there were.  With a Redis by itself, and in cluster mode.
#
# Conformance: BAD-140

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use Enroll;
use EnrollDER;

##############################################################################

use IO::Socket::INET;

my @ip = qw(127.0.0.1 127.0.0.2);

IO::Socket::INET->new(LocalAddr => $ip[1], Listen => 1)
    or plan(skip_all => "no $ip[1]");

for my $mode ('plain', 'cluster') {
    subtest $mode => sub { failover($mode) };
}
done_testing();

##############################################################################

sub failover {
    my ($mode) = @_;
    my $t = Enroll->new;
    $t->ca('ca');
    my $port = $t->port('redis');

    my $dns = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Proto => 'udp')
        or die "no socket: $!\n";
    my $resolver = '127.0.0.1:' . $dns->sockport;
    $t->write('address', $ip[0]);

    my $pid = fork // die "fork: $!\n";
    if (!$pid) {
        name_server($t, $dns);
        POSIX::_exit(0);
    }

    my @redis = map { server($t, $mode, $_) } @ip;
    follow($t, $mode);

    $t->conf(<<"CONF")->start;
    enroll_redis localhost:$port;
    resolver $resolver ipv6=off;
    resolver_timeout 1s;
    enroll_ca devices {
        certificate %%DIR%%/ca.crt;
        certificate_key %%DIR%%/ca.key;
    }

    server {
        listen 127.0.0.1:%%PORT_tls%% ssl;
        %%TLS%%
        enroll_timeout 2s;

        location /.well-known/est/ {
            est devices;
            est_auth none;
            enroll_names any;
        }
    }
CONF

    my ($first, $second) = map { $t->csr(subject => "/CN=$_") } 1, 2;
    my $r;
    ok(wait_for(sub {
            $r = $t->est('simpleenroll', csr => $first);
            $r->{status} == 200;
        }, 20), 'enrolled') or diag($t->log);
    my $serial = $t->serial($r);
    ok(wait_for(sub { records($t, $ip[1]) == 1 }), 'the replica has it');

    # the name still leads to the old one

    promote($t, $mode);
    for (1 .. 3) {
        $t->refused($t->est('simpleenroll', csr => $second), 503,
            'store_unavailable', 'there is no master where the name leads');
    }
    like($t->log, $mode eq 'plain' ? qr/READONLY/ : qr/MOVED/,
        'as the old one says');
    is(records($t, $_), 1, 'nothing is recorded') for @ip;

    # now to the new one

    $t->write('address.new', $ip[1]);
    rename $t->dir('address.new'), $t->dir('address');
    ok(wait_for(sub {
            $t->est('simpleenroll', csr => $second)->{status} == 200;
        }, 20), 'the name leads to the new one: enrolled');
    like($t->log, qr/connected to localhost:$port \(\Q$ip[1]\E\)/,
        'the connection is to it');
    is(records($t, $ip[1]), 2, 'it is recorded there');
    is($t->serial($t->est('simpleenroll', csr => $first)), $serial,
        'what the old one had recorded is known');

    $t->stop;
    unlike($t->log, qr/\[(?:alert|emerg)\]/, 'nothing alarming is in error.log');
    for (@redis, $pid) {
        kill KILL => $_;
        waitpid $_, 0;
    }
}

sub server {
    my ($t, $mode, $ip) = @_;
    my $port = $t->port('redis');
    my $dir = $t->dir("redis-$ip");
    mkdir $dir;

    my $pid = Enroll::spawn("$dir.out", 'redis-server', '--port', $port,
        '--bind', $ip, '--dir', $dir, '--appendonly', 'yes', '--save', '',
        '--repl-diskless-sync-delay', 0,
        $mode eq 'cluster'
            ? ('--cluster-enabled', 'yes', '--cluster-node-timeout', 2000,
               '--cluster-announce-ip', $ip) : ());
    wait_for { (cli($t, $ip, 'PING'))[0] eq 'PONG' } 10
        or die "no redis-server at $ip\n", $t->read("$dir.out");
    return $pid;
}

# the second follows the first
sub follow {
    my ($t, $mode) = @_;
    my $port = $t->port('redis');

    if ($mode eq 'plain') {
        cli($t, $ip[1], 'REPLICAOF', $ip[0], $port);

    } else {
        cli($t, $ip[0], qw(CLUSTER ADDSLOTSRANGE 0 16383));
        cli($t, $ip[1], 'CLUSTER', 'MEET', $ip[0], $port);
        my ($id) = cli($t, $ip[0], qw(CLUSTER MYID));
        wait_for { (cli($t, $ip[1], 'CLUSTER', 'REPLICATE', $id))[0] eq 'OK' }
            20 or die "no replica of the cluster\n";
    }
    wait_for {
        my $info = join "\n", cli($t, $ip[1], 'INFO', 'replication');
        $info =~ /role:slave/ && $info =~ /master_link_status:up/;
    } 20 or die "the replica does not follow\n";
}

sub promote {
    my ($t, $mode) = @_;

    if ($mode eq 'plain') {
        cli($t, $ip[1], qw(REPLICAOF NO ONE));
        cli($t, $ip[0], 'REPLICAOF', $ip[1], $t->port('redis'));

    } else {
        cli($t, $ip[1], qw(CLUSTER FAILOVER));
    }
    wait_for {
        my $info = join "\n", cli($t, $ip[0], 'INFO', 'replication');
        $info =~ /role:slave/ && $info =~ /master_link_status:up/;
    } 20 or die "the old one does not follow\n";
}

sub records {
    my ($t, $ip) = @_;
    return scalar grep { /:cert:/ } cli($t, $ip, 'KEYS', '*');
}

sub cli {
    my ($t, $ip, @command) = @_;
    my (undef, $out) = $t->command('redis-cli', '--raw', '-h', $ip, '-p',
                                   $t->port('redis'), @command);
    return map { s/\r$//r } split /\n/, $out || "\n";
}

# whatever is asked for: what the file says
sub name_server {
    my ($t, $dns) = @_;
    alarm 120;

    while (my $from = $dns->recv(my $query, 512)) {
        my ($id) = unpack 'a2', $query;
        $dns->send(pack('a2 n5 a* n3 N n a4', $id, 0x8180, 1, 1, 0, 0,
            substr($query, 12), 0xc00c, 1, 1, 1, 4,
            IO::Socket::INET::inet_aton($t->read('address'))), 0, $from);
    }
}
