#!/usr/bin/perl

# Copyright (C) The nginx-enroll authors

# Every certificate that was ever issued is in a log: in the access log of
# the request that it answered, else in error.log.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use Time::HiRes qw(sleep);

use Enroll;
use EnrollDER;

##############################################################################

my $t = Enroll->new;

$t->ca('ca', key => 'rsa:4096');
$t->conf(<<'CONF', main => 'thread_pool small threads=1 max_queue=500;');
    log_format audit '$status $enroll_outcome $enroll_serial';
    access_log %%HOME%%/audit.log audit;

    enroll_redis unix:%%DIR%%/redis.sock;
    enroll_ca devices {
        certificate %%DIR%%/ca.crt;
        certificate_key %%DIR%%/ca.key;
    }
    enroll_thread_pool small;

    server {
        listen 127.0.0.1:%%PORT_tls%% ssl;
        %%TLS%%
        location /.well-known/est/ {
            est devices;
            est_auth none;
            enroll_names any;
        }
    }
CONF
$t->run;

##############################################################################

my @csr = map { $t->forge(name => 'k', subject => name(CN => "dev$_")) }
              1 .. 40;
my $n = 0;

# clients that leave at any moment, until each case was seen a few times

for my $round (1 .. 10) {
    for my $csr (@csr) {
        my $c = $t->connect;
        $c->send_post('simpleenroll', csr => $csr);
        sleep 0.001 * ($n++ % 20);
        $n % 2 ? $c->abort : $c->close;
    }
    wait_for { $t->open_txns eq '' } 8;
    last if unanswered() >= 3 && answered() >= 3;

    # others, lest what was issued is sent again
    @csr = map { $t->forge(name => 'k', subject => name(CN => "r$round-$_")) }
               1 .. 40 if $round < 10;
}
is($t->open_txns, '', 'no transaction stays open');
cmp_ok(unanswered(), '>=', 1, 'some left before their answer')
    or diag("$n requests");

# in many at once, of which half leave

my @conns = map { $t->connect } 1 .. 30;
$conns[$_]->send_post('simpleenroll', csr => $t->forge(name => 'k',
    subject => name(CN => "many$_"))) for 0 .. 29;
$conns[$_]->abort for grep { $_ % 2 } 0 .. 29;
my @got = map { $t->serial($conns[$_]->response) } grep { !($_ % 2) } 0 .. 29;
is(scalar(grep { length } @got), 15, 'who stays gets a certificate');
wait_for { $t->open_txns eq '' } 8;
$_->close for @conns;
ok($t->stop, 'nginx ends');

##############################################################################

my @recorded = map { lc s/.*://r } $t->keys('enroll:{devices}:cert:*');
my %logged;
$logged{lc $_}++ for answers(), losses();

is($t->count('issued'), scalar @recorded, 'each is recorded');
is(join(' ', grep { !$logged{$_} } @recorded), '', 'each is in a log');
is(join(' ', grep { $logged{$_} > 1 } keys %logged), '', 'once');
my %recorded = map { $_ => 1 } @recorded;
is(join(' ', grep { !$recorded{$_} } keys %logged), '', 'and no other');

# the two logs are for what they say

my %answer = map { lc $_ => 1 } answers();
is(scalar(grep { !$answer{lc $_} } @got), 0,
    'what was received is in the access log');
my ($line) = $t->log =~ /(.* without an answer.*)/;
like($line, qr/\[notice\] .*est simpleenroll issued [0-9a-f]+ without an answer/i,
    'the line in error.log names the operation');
like($line, qr/CA "devices"/, 'and the CA');
unlike($t->log('audit'), qr/^499 .*[0-9a-f]{16}/m,
    'a request without an answer has no certificate in the access log');

$t->done;

##############################################################################

sub answers {
    return $t->log('audit') =~ /^200 (?:issued|repeated) ([0-9a-f]+)$/img;
}

sub losses { return $t->log =~ / issued ([0-9a-f]+) without an answer/ig }

sub answered   { return scalar(my @l = answers()) }
sub unanswered { return scalar(my @l = losses()) }
