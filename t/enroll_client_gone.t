#!/usr/bin/perl

# Copyright (C) The nginx-enroll authors

# Clients that go away, in every state of a request: nothing crashes,
# nothing leaks, nothing is left half done.
#
# Conformance: HTTP-023 BAD-025

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use Enroll;
use EnrollDER;

##############################################################################

my $t = Enroll->new;

$t->ca('ca', key => 'rsa:3072');
my $apr1 = $t->openssl('passwd', '-6', 'secret');
chomp $apr1;
$t->write('users', "dev1:$apr1\n");
$t->conf(<<'CONF');
    enroll_redis unix:%%DIR%%/redis.sock timeout=2s;
    enroll_ca devices {
        certificate %%DIR%%/ca.crt;
        certificate_key %%DIR%%/ca.key;
    }

    client_body_timeout 2s;

    server {
        listen 127.0.0.1:%%PORT_tls%% ssl http2;
        %%TLS%%
        enroll_timeout 3s;
        enroll_names any;

        location /.well-known/est/ { est devices; est_auth none; }
        location /basic/ { est devices; est_basic_users %%DIR%%/users; }
    }
CONF
$t->run;

##############################################################################

my @csr = map { $t->forge(name => 'k', subject => name(CN => "dev$_")) }
              1 .. 60;
my $good = $t->csr;
my $worker = ($t->workers)[0];
is(ask()->{status}, 200, 'a good request');
my $fds = fds();

my $post = "POST /.well-known/est/simpleenroll HTTP/1.1\r\nHost: x\r\n"
    . "Content-Type: application/pkcs10\r\n";

gone('in the middle of the headers', sub { $_[0]->write(substr $post, 0, 30) });
gone('behind the headers', sub {
    $_[0]->write("${post}Content-Length: 1000\r\n\r\n") });
gone('in the middle of the body', sub {
    $_[0]->write("${post}Content-Length: 1000\r\n\r\n" . 'A' x 500) });
gone('in the middle of a chunk', sub {
    $_[0]->write("${post}Transfer-Encoding: chunked\r\n\r\n100\r\nAAA") });
gone('while the password is checked', sub {
    $_[0]->send_post('simpleenroll', csr => $good, prefix => '/basic/',
                     user => 'dev1:secret') });
gone('while the certificate is signed', sub {
    my ($c, $i) = @_;
    $c->send_post('simpleenroll', csr => $csr[$i]) });
gone('behind two requests at once', sub {
    my ($c, $i) = @_;
    $c->send_post('simpleenroll', csr => $csr[20 + $i]);
    $c->send_post('simpleenroll', csr => $csr[20 + $i]) });

# while Redis is asked

kill STOP => $t->{nodes}[0]{redis};
gone('while Redis is asked', sub {
    my ($c, $i) = @_;
    $c->send_post('simpleenroll', csr => $csr[40 + $i]) }, 1);
kill CONT => $t->{nodes}[0]{redis};
ok(wait_for(sub { ask()->{status} == 200 }, 30), 'Redis goes on');

# HTTP/2: streams that are reset with their request on the way

for my $timeout ('0.001', '0.003', '0.01') {
    $t->est('simpleenroll', csr => $t->forge(name => 'k', subject => name(CN =>
        "h2-$timeout-$_")), args => ['--http2', '-m', $timeout]) for 1 .. 5;
}
is(ask()->{status}, 200, 'HTTP/2: after resets');

# an idle connection to the end of the test
my $idle = $t->connect;
$idle->write('POST /');

##############################################################################

ok(wait_for(sub { fds() <= $fds + 2 }, 10), 'no descriptor is lost')
    or diag("$fds before, ", fds(), ' after');
ok(Enroll::alive($worker), 'the worker is the one of the beginning');

# what was admitted is recorded or given back, and can be asked for again

wait_for { $t->open_txns eq '' } 8;
is($t->open_txns, '', 'no transaction stays open');
my @r = $t->burst(map { ['simpleenroll', { csr => $_ }] } @csr);
is(scalar(grep { $_->{status} eq '200' } @r), 60,
    'all who come again are served')
    or diag(join ' ', map { $_->{reason} // '' } @r);

my %recorded = map { uc s/.*://r => 1 } $t->keys('enroll:{devices}:cert:*');
is(scalar(grep { !$recorded{$t->serial($_)} } @r), 0, 'each is recorded');
is($t->count('issued'), scalar(keys %recorded), 'and counted');

$idle->abort;
$t->done;

##############################################################################

sub ask { $t->est('simpleenroll', csr => $good) }

# ten that leave in a state, half of them at once, half after a moment
sub gone {
    my ($name, $code, $wait) = @_;

    for my $way ('abort', 'close') {
        my @conns = map { $t->connect } 1 .. 10;
        $code->($conns[$_], $way eq 'abort' ? $_ : 10 + $_) for 0 .. 9;
        for my $i (0 .. 9) {
            Time::HiRes::sleep($i * 0.0005);
            $conns[$i]->$way;
        }
    }
    return if $wait;
    is(ask()->{status}, 200, $name);
}

# open descriptors of the worker
sub fds {
    opendir my $d, "/proc/$worker/fd" or return 0;
    return scalar grep { !/^\./ } readdir $d;
}
