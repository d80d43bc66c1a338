#!/usr/bin/perl

# Copyright (C) The nginx-enroll authors

# Messages of every kind, good and bad, over and over: the memory and the
# descriptors of the workers stay as they are.  bench/memory-scep is the same
# with 100,000 of them.
#
# Environment:
#     TEST_SCEP_OPERATIONS   how many PKIOperations, 3000 unless set; from
#                            20000 on of some 2000 messages, and held to less

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use Time::HiRes qw(time);

use Enroll;
use EnrollConn;
use EnrollDER;
use EnrollRA;
use EnrollSCEP;

##############################################################################

my $t = Enroll->new;

plan(skip_all => 'sanitizers keep memory')
    if ($ENV{TEST_NGINX_BINARY} // '') =~ /asan/ || $ENV{ASAN_OPTIONS};

my $operations = $ENV{TEST_SCEP_OPERATIONS} || 3000;
my $many = $operations >= 20_000;

ra_files($t);

# two threads: each keeps some memory of its own, until it has its fill

my %how = (workers => 2, main => 'thread_pool default threads=2;');
$t->conf(ra_cas() . <<'CONF' . ra_locations('') . "    }\n", %how);
    scep_challenge secret;
    scep_failure_limit off;
    scep_repeat 0;
    large_client_header_buffers 4 16k;

    server {
        listen 127.0.0.1:%%PORT_plain%%;
        location /repeat { scep rsa; scep_repeat 1h; }
        location /limited { scep ec; scep_failure_limit 10 1s; }
        location /legacy { scep ra; scep_legacy sha1 md5 des3 des; }
        location /once { scep ec; scep_challenge one-time; }
        location /manual {
            scep ec;
            enroll_approval manual;
            enroll_pending max=1000 per_address=1000;
        }
CONF
$t->run;

my %s = map { ($_ => EnrollSCEP->new($t, path => "/$_/",
    ra => $_ eq 'rsa' ? 'rsa' : $_ eq 'split' ? 'split-enc' : "$_-ra",
    signer => $_ eq 'rsa' ? 'rsa' : "$_-ra")) } @RAS;
my $c = $s{rsa}->client('dev');
my $ec = $s{rsa}->client('ec-dev', kind => 'ec:P-256');
my %secret = (challenge => 'secret');

##############################################################################

# The kinds: [CA, path if another, what is answered, a message].  What is
# answered: the pkiStatus, or the status of HTTP.

my $held = issue('ec', $c);
my @kinds = (
    map({ my $ca = $_;
          ([$ca, undef, 0, sub { $s{$ca}->request($c, %secret, @_) }]) } @RAS),
    map({ my @o = @$_;
          (['ec', undef, 0, sub { $s{ec}->request($c, %secret, @o, @_) }]) }
        [digest => 'sha384', cipher => 'aes-192-cbc'],
        [digest => 'sha512', cipher => 'aes-256-cbc', oaep => 'sha256'],
        [san => [map { dns("host$_.example.com") } 1 .. 20]]),
    ['rsa', '/repeat', 0, sub { $s{rsa}->request($c, %secret, @_) }],
    ['ra', '/legacy', 0, sub { $s{ra}->request($c, %secret, digest => 'md5',
                                 cipher => 'des-cbc', @_) }],
    ['ec', undef, 0, sub { $s{ec}->request($ec, %secret, @_) }],
    ['ec', undef, 0, sub { $s{ec}->request($s{ec}->holder($c, $held), @_,
                             type => 17, subject => name(CN => 'dev')) }],
    ['ec', undef, 0, sub { $s{ec}->get_cert($c, EnrollSCEP::serial($held),
                                            ca => 'ec') }],
    ['ra', undef, 0, sub { my $m = $s{ra}->request($c, %secret, @_);
        +{ %$m, der => EnrollSCEP::ber($m->{der}, 500, $c->{cert}) } }],
    ['ec', '/manual', 3, sub { $s{ec}->request($c, %secret, @_,
                                 subject => name(CN => 'waits')) }],

    # refused

    ['rsa', undef, 2, sub { $s{rsa}->request($c, challenge => 'wrong', @_) }],
    ['ec', undef, 2, sub { $s{ec}->request($c, @_) }],
    ['ec', '/once', 2, sub { $s{ec}->request($c, challenge => 'A' x 32, @_) }],
    ['ec', '/limited', 2, sub { $s{ec}->request($c, challenge => 'no', @_) }],
    ['ec', undef, 2, sub { $s{ec}->request($ec, @_) }],
    ['ec', undef, 2, sub { $s{ec}->poll($c, 'none', ca => 'ec') }],
    ['ec', undef, 2, sub { $s{ec}->get_cert($c, '01', ca => 'ec') }],
    ['ra', undef, 2, sub { $s{ra}->request($c, %secret, @_, digest => 'sha1') }],
    ['ra', undef, 2, sub { $s{ra}->request($c, %secret, @_, type => 18) }],
    ['ra', undef, 2, sub { $s{ra}->request($c, %secret, @_, flip => 1) }],
    ['rsa', undef, 2, sub { $s{rsa}->request($c, %secret, @_,
                              encrypted_key => 'x' x 256) }],
    ['rsa', undef, 2, sub { $s{rsa}->message($c, type => 19,
                              envelope => "\x30\x80" x 50) }],
    ['rsa', undef, 2, sub { $s{rsa}->request($c, %secret, @_,
                              san => [dns('*.example.com')]) }],
    ['rsa', undef, 400, sub { $s{rsa}->request($c, %secret, @_,
                                attrs => ctx(0)) }],
    ['rsa', undef, 400, sub { +{ der => "\x24\x80" x 3000 } }],
    ['rsa', undef, 400, sub { +{ der => EnrollSCEP::random_octets(3000) } }],
);

# as many messages of each kind as make some 2000, or one of each; by GET now
# and then

my @requests;
for my $n (1 .. ($many ? int(2000 / @kinds) : 1)) {
    for my $kind (@kinds) {
        my ($ca, $path, $expected, $make) = @$kind;
        my $m = $make->(subject => name(CN => "dev$n"));
        $path //= "/$ca/";
        push @requests, [$expected, $n % 8 == 3
            ? "GET $path?operation=PKIOperation&message="
              . EnrollSCEP::query($m->{der}) . " HTTP/1.1\r\nHost: x\r\n\r\n"
            : "POST $path HTTP/1.1\r\nHost: x\r\nContent-Length: "
              . length($m->{der}) . "\r\n\r\n$m->{der}"];
    }
}
note(scalar(@requests), ' messages of ', scalar(@kinds), ' kinds');

##############################################################################

my @conns = map { conn() } 1 .. 8;
my (%odd, @memory);
my $next = 0;

operations($operations / 10);
my $fds = fds();
for my $tenth (1 .. 10) {
    my $start = time;
    operations($operations / 10) if $tenth > 1;
    push @memory, memory();
    note(sprintf '%6d PKIOperations: %6d kB, %4d a second', $next, $memory[-1],
         $tenth > 1 ? $operations / 10 / (time - $start) : 0);
}

is(join(', ', map { "$_: $odd{$_}" } sort keys %odd), '',
    'each got its answer');
my ($early) = sort { $b <=> $a } @memory[0 .. 4];
my ($late) = sort { $b <=> $a } @memory[5 .. 9];
cmp_ok($late - $early, '<', $many ? $early / 50 : 600,
    "$next PKIOperations: the second half takes no more memory than the first")
    or diag("@memory");
cmp_ok(fds(), '<=', $fds, 'nor descriptors');

@conns = ();
$t->done;

##############################################################################

sub conn { EnrollConn->new(plain => 1, port => $t->port('plain')) }

sub issue {
    my ($ca, $c) = @_;
    my $m = $s{$ca}->request($c, %secret);
    return $s{$ca}->issued($s{$ca}->send($m), $m, 'a certificate to renew');
}

# the next so many, on all connections at once
sub operations {
    my ($left) = @_;

    while ($left > 0) {
        my @now = map { $requests[$next++ % @requests] } 1 .. @conns;
        $left -= @now;
        $conns[$_]->write($now[$_][1]) for 0 .. $#now;

        for my $i (0 .. $#now) {
            my $r = $conns[$i]->response;
            my $got = ($r->{status} // '') ne '200' ? $r->{status} // 'none'
                : $r->{body} =~ /\x86\xf8\x45\x01\x09\x03\x31\x03\x13\x01(\d)/
                ? $1 : 'no CertRep';
            $odd{"$got for $now[$i][0]"}++ if $got ne $now[$i][0];
            $conns[$i] = conn()
                if ($r->{headers}{connection} // 'close') eq 'close';
        }
    }
}

# of all workers

sub memory {
    my $sum = 0;
    $t->read("/proc/$_/status") =~ /VmRSS:\s+(\d+)/ and $sum += $1
        for $t->workers;
    return $sum;
}

sub fds { my @fds = map { glob "/proc/$_/fd/*" } $t->workers; scalar @fds }
