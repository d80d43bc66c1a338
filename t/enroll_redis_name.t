#!/usr/bin/perl

# Copyright (C) The nginx-enroll authors

# A Redis that has a name: it is looked up again while there is none, and one
# that cannot be looked up is told once.  An address is not looked up.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use Enroll;

##############################################################################

use IO::Socket::INET;

my $t = Enroll->new;

$t->ca('ca');
my $csr = $t->csr;
my $port = $t->port('redis');

my $dns = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Proto => 'udp')
    or die "no socket: $!\n";
my $resolver = '127.0.0.1:' . $dns->sockport;

my $pid = fork // die "fork: $!\n";
if (!$pid) {
    name_server();
    POSIX::_exit(0);
}

##############################################################################

# addresses

for my $address ("127.0.0.1:$port", "[::1]:$port") {
    start($address);
    ok(wait_for(sub { tries() >= 4 }, 10), "$address: tried again");
    $t->stop;
    is(asked(), 0, 'but not looked up');
}

# a name that is not known to the name server

start("localhost:$port");
ok(wait_for(sub { asked() >= 4 }, 10), 'a name is looked up at each retry');
is(scalar(() = $t->log =~ /\[warn\].*"localhost" could not be resolved/g), 1,
    'that it is not known is a warning once');
ok(wait_for(sub { $t->log =~ /\[info\].*"localhost" could not be resolved/ }),
    'and an information then');

$t->redis_start('--port', $port, '--bind', '127.0.0.1');
ok(wait_for(sub { served() }, 15), 'the addresses known before serve on');

# after all was well it is news again; then it is known

$t->redis_stop;
ok(wait_for(sub {
        (() = $t->log =~ /\[warn\].*"localhost" could not be resolved/g) == 2
    }, 15), 'after a good while it is told once more');

$t->write('known', '');
my $asked = asked();
ok(wait_for(sub { asked() > $asked + 1 }, 15), 'now it is known');
$t->redis_start;
ok(wait_for(sub { served() }, 15), 'and it is served by what was found');

kill KILL => $pid;
waitpid $pid, 0;
$t->done;

##############################################################################

sub start {
    my ($address) = @_;

    unlink $t->dir('asked'), $t->dir('error.log');
    $t->conf(<<"CONF");
    enroll_redis $address;
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
    $t->start;
}

sub served { $t->est('simpleenroll', csr => $csr)->{status} == 200 }

sub asked { length $t->read('asked') }

sub tries { scalar(() = $t->log =~ /redis \S+ \(\S+\): /g) }

# 127.0.0.1 where the file "known" is there, else NXDOMAIN

sub name_server {
    alarm 120;

    while (my $from = $dns->recv(my $query, 512)) {
        open my $f, '>>', $t->dir('asked') or return;
        print $f '.';
        close $f;

        my ($id) = unpack 'a2', $query;
        my $question = substr $query, 12;
        $dns->send(-e $t->dir('known')
            ? pack('a2 n5 a* n3 N n a4', $id, 0x8180, 1, 1, 0, 0, $question,
                   0xc00c, 1, 1, 1, 4, "\x7f\0\0\1")
            : pack('a2 n5 a*', $id, 0x8183, 1, 0, 0, 0, $question), 0, $from);
    }
}
