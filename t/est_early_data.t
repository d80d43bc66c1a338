#!/usr/bin/perl

# Copyright (C) The nginx-enroll authors

# An enrolment is not taken as TLS early data, which can be sent again by
# anybody (RFC 8446, section 8).
#
# Conformance: EST-027 BAD-028

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use IO::Select;
use IO::Socket::INET;
use Test::More;

use Enroll;
use EnrollDER;

##############################################################################

my $t = Enroll->new;

$t->ca('ca');
$t->conf(<<'CONF');
    enroll_redis unix:%%DIR%%/redis.sock;
    enroll_ca devices {
        certificate %%DIR%%/ca.crt;
        certificate_key %%DIR%%/ca.key;
    }

    server {
        listen 127.0.0.1:%%PORT_tls%% ssl;
        %%TLS%%
        ssl_early_data on;
        lingering_close off;

        location /.well-known/est/ {
            est devices;
            est_auth none;
            enroll_names any;
        }
        location /early { return 200 "early $ssl_early_data.\n"; }
    }
CONF
$t->run;

##############################################################################

my $csr = $t->csr;
my $session = $t->dir('session');
my $get = "GET /early HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
my $post = "POST /.well-known/est/simpleenroll HTTP/1.1\r\nHost: x\r\n"
    . "Content-Type: application/pkcs10\r\nConnection: close\r\n"
    . 'Content-Length: ' . length($csr->{b64}) . "\r\n\r\n$csr->{b64}";

client($t->port('tls'), '-sess_out', $session);
ok(-s $session, 'a session');

like(client($t->port('tls'), '-sess_in', $session, '-early_data',
        $t->write('early', $get)),
    qr/Early data was accepted/, 'early data is taken here');

# The first flight alone, as somebody sends it again who has seen it pass: the
# handshake does not come to its end.

first_flight($post);
ok(wait_for(sub { $t->log('access') =~ /simpleenroll/ }, 20), 'it arrives');
like($t->log('access'), qr/simpleenroll HTTP\S+ 425 /,
    'an enrolment as early data: 425');
is(scalar($t->keys), 0, 'nothing is in Redis');

first_flight("GET /.well-known/est/cacerts HTTP/1.1\r\nHost: x\r\n\r\n");
ok(wait_for(sub { $t->log('access') =~ /cacerts HTTP\S+ 200 / }, 20),
    'cacerts may be');

is($t->est('simpleenroll', csr => $csr)->{status}, 200,
    'an enrolment in its time: 200');

$t->done;

##############################################################################

# s_client, with a request of no interest on stdin, so that it ends
sub client {
    my ($port, @o) = @_;
    return ($t->command('sh', '-c', 'in=$1; shift; exec timeout 10 "$@" <"$in"',
        'sh', $t->write('get', $get), 'openssl', 's_client', '-connect',
        "127.0.0.1:$port", '-tls1_3', '-CAfile', $t->dir('server.crt'),
        '-ign_eof', @o))[1];
}

# what a client sends before it has heard of the server, and no more
sub first_flight {
    my ($request) = @_;
    my $listen = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 1);
    my $early = $t->write('early', $request);
    my $pid = fork // die "fork: $!\n";

    if (!$pid) {
        client($listen->sockport, '-sess_in', $session, '-early_data', $early);
        POSIX::_exit(0);
    }

    my $c = $listen->accept;
    my $flight = '';
    while (IO::Select->new($c)->can_read(0.5)) {
        last if !sysread $c, $flight, 65536, length $flight;
    }
    our @held;
    push @held, my $s = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
                                              PeerPort => $t->port('tls'));
    syswrite $s, $flight;
    close $c;
    waitpid $pid, 0;
}
