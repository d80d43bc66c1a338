#!/usr/bin/perl

# Copyright (C) The nginx-enroll authors

# Twenty reloads under load: no enrolment fails, every certificate is
# recorded.
#
# Conformance: HTTP-024 BAD-144

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use Enroll;
use EnrollDER;

##############################################################################

my $t = Enroll->new;

$t->ca('ca', key => 'rsa:2048');
my $conf = <<'CONF';
    enroll_redis unix:%%DIR%%/redis.sock;
    enroll_ca devices {
        certificate %%DIR%%/ca.crt;
        certificate_key %%DIR%%/ca.key;
    }

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
$t->conf($conf, workers => 2);
$t->run;

##############################################################################

my @csr = map { $t->forge(name => 'k', subject => name(CN => "dev$_"))->{b64} }
              1 .. 400;

# clients: each enrols on connections of its own until it is told to end, and
# writes down what it got

my (@client, $ended);
for my $n (0, 1) {
    my $pid = fork // die "fork: $!\n";
    if (!$pid) {
        my @got;
        for my $i (0 .. 199) {
            last if -e $t->dir('end');
            my $r = eval {
                my $c = $t->connect;
                $c->post('simpleenroll', data => $csr[$i * 2 + $n]);
            } || { status => "error: $@" };
            push @got, $r->{status} eq '200' ? $t->serial($r)
                : join ' ', $r->{status}, $r->{reason} // $r->{end} // '-',
                            'failed';
            Time::HiRes::sleep(0.005);
        }
        $t->write("got$n", join "\n", @got);
        POSIX::_exit(0);
    }
    push @client, $pid;
}

my $reloads = 0;
for (1 .. 20) {
    $reloads++ if $t->reload;
}
is($reloads, 20, 'twenty reloads');
$t->write('end', '');
Enroll::reap($_, 30) for @client;

my @got = map { split /\n/, $t->read("got$_") } 0, 1;
my @failed = grep { / failed/ } @got;
cmp_ok(scalar @got, '>=', 40, 'there was load: ' . @got . ' enrolments');
is(join(', ', @failed), '', 'no enrolment failed');

my %recorded = map { uc s/.*://r => 1 } $t->keys('enroll:{devices}:cert:*');
is(scalar(grep { !$recorded{$_} } @got), 0, 'each is recorded');
is($t->count('issued'), scalar(keys %recorded), 'and counted');

ok(wait_for(sub { 2 == grep { Enroll::alive($_) } $t->workers }, 15),
    'the old workers are gone');

# a reload with a mistake changes nothing

$t->conf($conf =~ s/ca\.key/nosuch.key/r, workers => 2);
ok(!$t->reload, 'a reload with a mistake is refused');
is($t->est('simpleenroll', csr => $t->csr)->{status}, 200, 'service goes on');
$t->conf($conf, workers => 2);

# quit in the middle of enrolments: each is answered, or its connection closed

my @conns = map { $t->connect } 1 .. 20;
$conns[$_]->send_post('simpleenroll', data => $csr[399 - $_]) for 0 .. 19;
kill QUIT => $t->{pid};
my @r = map { $_->response } @conns;
is(join(' ', grep { !/^200$|^$/ } map { $_->{status} } @r), '',
    'told to quit: enrolled or closed');
cmp_ok(scalar(grep { $_->{status} eq '200' } @r), '>', 0, 'some were enrolled');
%recorded = map { uc s/.*://r => 1 } $t->keys('enroll:{devices}:cert:*');
is(scalar(grep { $_->{status} eq '200' && !$recorded{$t->serial($_)} } @r), 0,
    'and each of these is recorded');
$_->close for @conns;

$t->done(emerg => 1);
