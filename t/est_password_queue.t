#!/usr/bin/perl

# Copyright (C) The nginx-enroll authors

# Passwords whose hash is slow on purpose: those of strangers wait in a queue
# of their own, and delay nobody who needs none.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use Time::HiRes qw(sleep time);

use Enroll;
use EnrollDER;

##############################################################################

my $t = Enroll->new;

$t->ca('ca', key => 'rsa:2048');
$t->users('plain', dev1 => 'secret');
for my $name ('slow:2000000', 'brisk:100000') {
    my ($file, $rounds) = split /:/, $name;
    my $hash = crypt 'secret', "\$6\$rounds=$rounds\$saltsalt\$";
    plan(skip_all => 'no SHA-512 in crypt()') if ($hash // '') !~ /^\$6\$/;
    $t->write($file, "dev1:$hash\n");
}
$t->conf(<<'CONF');
    enroll_redis unix:%%DIR%%/redis.sock;
    enroll_ca devices {
        certificate %%DIR%%/ca.crt;
        certificate_key %%DIR%%/ca.key;
    }

    enroll_timeout 30s;
    est_repeat 0;
    log_format status '$status';

    server {
        listen 127.0.0.1:%%PORT_tls%% ssl;
        %%TLS%%
        ssl_verify_client optional;
        ssl_client_certificate %%DIR%%/ca.crt;

        location /.well-known/est/ {
            est devices;
            est_basic_users %%DIR%%/plain;
        }
        location /slow/ { est devices; est_basic_users %%DIR%%/slow; }
        location /brisk/ {
            est devices;
            est_basic_users %%DIR%%/brisk;
            access_log %%HOME%%/brisk.log status;
        }
        location /short/ {
            est devices;
            est_basic_users %%DIR%%/slow;
            enroll_timeout 300ms;
        }
    }
CONF
$t->run;

##############################################################################

my $csr = $t->csr(name => 'dev1', key => 'rsa:2048');
$t->keep('dev1', $t->issued($t->est('simpleenroll', csr => $csr,
                                    user => 'dev1:secret')));
my ($worker) = $t->workers;
my $fds = fds();

# strangers who ask and leave

for my $i (1 .. 50) {
    my $c = $t->connect;
    $c->send_post('simpleenroll', data => 'x', user => 'nobody:x',
                  prefix => '/slow/');
    sleep 0.004;
    $i % 2 ? $c->abort : $c->close;
}
my $begin = time;
is($t->est('simplereenroll', csr => $csr, cert => 'dev1')->{status}, 200,
    'who needs no password is served meanwhile');
cmp_ok(time - $begin, '<', 3, 'at once');

$begin = time;
is($t->est('simpleenroll', csr => $csr, user => 'dev1:secret')->{status}, 200,
    'a good password is, too, when its turn has come');
cmp_ok(time - $begin, '<', 5, 'those who left are not in front of it');
ok(wait_for(sub { fds() <= $fds + 2 }, 10), 'no descriptor is lost');

# those who stay get their answer, each its own, whoever leaves around them

my (@stay, @leave);
for my $i (1 .. 24) {
    my $c = $t->connect;
    my $user = $i % 2 ? 'dev1:secret' : $i % 4 ? 'dev1:wrong' : 'nobody:secret';
    $c->send_post('simpleenroll', csr => $csr, user => $user,
                  prefix => '/brisk/');
    $i % 3 ? push @stay, [$c, $i % 2 ? '200 ' : '401 bad_password']
           : push @leave, $c;
}
$begin = time;
my $r = $t->est('simplereenroll', csr => $csr, cert => 'dev1');
is($r->{status}, 200, 'a renewal passes those who wait');
cmp_ok(time - $begin, '<', 3, 'at once');
$leave[$_]->${\($_ % 2 ? 'abort' : 'close')} for 0 .. $#leave;

my @wrong = grep { $_->[0] ne $_->[1] }
    map { my $r = $_->[0]->response(timeout => 30);
          ["$r->{status} " . ($r->{reason} // ''), $_->[1]] } @stay;
is(join(', ', map { "$_->[0] for $_->[1]" } @wrong), '',
    'all who wait are answered, by their own password');

# whose time is up while it waits

my @short = map { $t->connect } 1 .. 8;
$_->send_post('simpleenroll', csr => $csr, user => 'dev1:secret',
              prefix => '/short/') for @short;
my %seen;
$seen{"$_->{status} " . ($_->{reason} // '')}++ for map { $_->response } @short;
is(join(' ', keys %seen), '503 timeout', 'a queue that is too long: told so');
$begin = time;
is(ask_brisk(), 200, 'it is gone from the queue then');
cmp_ok(time - $begin, '<', 5, 'which goes on');
ok(wait_for(sub { fds() <= $fds + @short + @stay + 2 }, 10),
    'no descriptor is lost here either');

# at quit those who wait are answered, those who left are not waited for

$_->[0]->close for @stay;
$_->close for @short;
my @last = map { $t->connect } 1 .. 12;
$_->send_post('simpleenroll', csr => $csr, user => 'dev1:secret',
              prefix => '/brisk/') for @last;
sleep 0.05;
$_->abort for splice @last, 0, 4;
$_->close for splice @last, 0, 2;
kill QUIT => $t->{pid};
is(join(' ', map { $_->response->{status} } @last), '200 ' x 5 . '200',
    'at quit: who waits is answered');
$_->close for @last;
ok($t->stop, 'at quit: and then it ends');

# all have left, and their hashes are still being made

$t->start;
for (1 .. 6) {
    my $c = $t->connect;
    $c->send_post('simpleenroll', csr => $csr, user => 'dev1:secret',
                  prefix => '/slow/');
    sleep 0.01;
    $c->abort;
}
ok($t->stop, 'at quit: nobody is left');

$t->done;

##############################################################################

sub ask_brisk {
    return $t->est('simpleenroll', csr => $csr, user => 'dev1:secret',
                   prefix => '/brisk/')->{status};
}

# open descriptors of the worker
sub fds {
    opendir my $d, "/proc/$worker/fd" or return 0;
    return scalar grep { !/^\./ } readdir $d;
}
