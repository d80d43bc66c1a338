#!/usr/bin/perl

# Copyright (C) The nginx-enroll authors

# A flood of messages, of which none can be decrypted: what the threads cannot
# take is told to come again, and nothing else waits for them.
#
# Conformance: SCEP-099

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use IO::Select;
use Test::More;

use Enroll;
use EnrollDER;
use EnrollSCEP;

##############################################################################

my $t = Enroll->new;

$t->ca('ca', key => 'rsa:4096');
$t->conf(<<'CONF', main => 'thread_pool few threads=1 max_queue=20;');
    enroll_redis unix:%%DIR%%/redis.sock;
    enroll_ca devices {
        certificate %%DIR%%/ca.crt;
        certificate_key %%DIR%%/ca.key;
    }
    enroll_thread_pool few;
    scep_challenge secret;
    scep_failure_limit off;

    server {
        listen 127.0.0.1:%%PORT_plain%% backlog=512;
        location /scep { scep devices; }
        location /other { return 200 "other\n"; }
    }
CONF
$t->run;

my $s = EnrollSCEP->new($t, ra => 'ca');
my $c = $s->client('dev1');
my $good = $s->request($c, challenge => 'secret');
my @flood = map {
    $s->request($c, challenge => 'secret', encrypted_key => 'x' x 512)
} 1 .. 40;

##############################################################################

my @conns = map { $s->start($_) } @flood;
my $r = $t->curl('http://127.0.0.1:' . $t->port('plain') . '/other');
my $answered = () = IO::Select->new(@conns)->can_read(0);
is($r->{body}, "other\n", 'another location answers');
cmp_ok($answered, '<', @flood, 'while they are in work');

my %got;
for my $i (0 .. $#flood) {
    my $r = $s->response($conns[$i]);
    my ($got) = $s->summary($r, $flood[$i]);
    $got .= ' ' . ($r->{headers}{'retry-after'} // '') =~ /^[1-9]\d*$/
        if $r->{status} eq '503';
    $got{$got}++;
}
cmp_ok($got{'FAILURE 2 envelope_not_opened'}, '>', 0, 'some are refused');
cmp_ok($got{'503 busy 1'}, '>', 0, 'some are told to come again');
is(scalar keys %got, 2, 'and no more') or diag(explain(\%got));

ok(wait_for(sub { ($s->summary($s->send($good), $good))[0] eq 'SUCCESS' }),
    'a device enrols after it');
is($t->open_txns, '', 'no transaction is open');
$t->done;
