#!/usr/bin/perl

# Copyright (C) The nginx-enroll authors

# A certificate that is shorter-lived than est_repeat: it is sent again as
# long as it lasts, and whoever asks behind its end gets another one.

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

$t->ca('ca');
$t->users('users', dev1 => 'secret');
$t->conf(<<'CONF');
    enroll_redis unix:%%DIR%%/redis.sock timeout=8s;
    enroll_ca devices {
        certificate %%DIR%%/ca.crt;
        certificate_key %%DIR%%/ca.key;
    }
    enroll_profile short { validity 3s; backdate 0; }

    est_basic_users %%DIR%%/users;
    est_repeat 10m;

    server {
        listen 127.0.0.1:%%PORT_tls%% ssl;
        %%TLS%%
        location /.well-known/est/ { est devices; }
        location /short/ { est devices profile=short; }
    }
CONF
$t->run;

##############################################################################

my $csr = $t->csr;
my $long = $t->serial(ask('/.well-known/est/'));

# one for which Redis takes its time: it is recorded late

kill STOP => $t->{nodes}[0]{redis};
my $late = $t->csr;
my $conn = $t->connect;
$conn->send_post('simpleenroll', csr => $late, user => 'dev1:secret',
                 prefix => '/short/');
sleep 1.8;
kill CONT => $t->{nodes}[0]{redis};

my $first = $t->issued(ask('/short/'));
my $serial = cert_fields($first)->{serial};
my $recorded = cert_fields($t->issued($conn->response))->{serial};
is($t->serial(ask('/short/')), $serial, 'as long as it lasts, the same');

my (%seen, %seen_late);
wait_for {
    $seen{answer(ask('/short/'))}++;
    $seen_late{answer(ask('/short/', $late))}++;
    keys %seen > 1 && grep { !/\W/ && $_ ne $recorded } keys %seen_late;
} 12;

delete $seen{$serial};
is(join(' ', grep { /\W/ } keys %seen), '',
    'whenever it is asked again: a certificate');
cmp_ok(scalar(keys %seen), '>=', 1, 'behind its end: another one');
ok($seen_late{$recorded}, 'recorded late: the same at first');
is(join(' ', grep { /\W/ } keys %seen_late), '',
    'recorded late: a certificate');
cmp_ok(scalar(grep { !/\W/ } keys %seen_late), '>=', 2,
    'recorded late: another one behind its end');
is($t->serial(ask('/.well-known/est/')), $long,
    'one that lasts is sent again all the while');

$t->done;

##############################################################################

sub ask {
    my ($prefix, $request) = @_;
    return $t->est('simpleenroll', csr => $request // $csr,
                   prefix => $prefix, user => 'dev1:secret');
}

# the serial of what was issued, or the refusal
sub answer {
    my ($r) = @_;
    return $t->serial($r) if $r->{status} == 200;
    return "$r->{status}:" . ($r->{reason} // '');
}
