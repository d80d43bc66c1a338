#!/usr/bin/perl

# Copyright (C) The nginx-enroll authors

# A client certificate that ends while the body of the request is on its
# way: it was good in the handshake, and is not any more.
#
# Conformance: EST-103 BAD-010

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

$t->ca($_) for 'ca', 'factory';
$t->write('trusted.pem', $t->read('ca.crt') . $t->read('factory.crt'));
$t->users('users', dev1 => 'secret');
$t->conf(<<'CONF');
    enroll_redis unix:%%DIR%%/redis.sock;
    enroll_ca devices {
        certificate %%DIR%%/ca.crt;
        certificate_key %%DIR%%/ca.key;
    }
    enroll_profile short { validity 4s; backdate 0; }

    est_basic_users %%DIR%%/users;
    est_repeat 0;

    server {
        listen 127.0.0.1:%%PORT_tls%% ssl;
        %%TLS%%
        ssl_verify_client optional;
        ssl_client_certificate %%DIR%%/trusted.pem;

        location /.well-known/est/ { est devices; }
        location /short/ { est devices profile=short; }
        location /factory/ {
            est devices;
            est_auth certificate;
            est_client_ca %%DIR%%/factory.crt;
        }
        location /both/ {
            est devices;
            est_auth both;
            est_client_ca %%DIR%%/factory.crt;
        }
        location /none/ {
            est devices;
            est_auth none;
            est_client_ca %%DIR%%/factory.crt;
            enroll_names any;
        }
    }
CONF
$t->run;

##############################################################################

my $csr = $t->csr(name => 'dev1', subject => '/CN=dev1');
my @user = (user => 'dev1:secret');
$t->keep('long', $t->issued($t->est('simpleenroll', csr => $csr, @user)),
    'dev1');
$t->client('lasting', 'factory', subject => '/CN=dev1');

# two that end in a moment, one of ours and one of a factory's

my $end = time + 4;
$t->keep('ending', forge_cert(key => $t->dir('factory.key'), till => 4,
    from => -60, issuer_cert => unpem($t->read('factory.crt')),
    subject => name(CN => 'dev1'), subject_key => $t->dir('dev1.key')),
    'dev1');
$t->keep('short', $t->issued($t->est('simpleenroll', csr => $csr, @user,
    prefix => '/short/')), 'dev1');

my @drip = (
    # location, operation, certificate, password, reason
    ['/.well-known/est/', 'simpleenroll', 'long'],
    ['/.well-known/est/', 'simplereenroll', 'long'],
    ['/factory/', 'simpleenroll', 'lasting'],
    ['/both/', 'simpleenroll', 'lasting', 'dev1:secret'],
    ['/none/', 'simpleenroll', undef],
    ['/short/', 'simpleenroll', 'short', undef, 1],
    ['/short/', 'simplereenroll', 'short', undef, 1],
    ['/factory/', 'simpleenroll', 'ending', undef, 1],
    ['/both/', 'simpleenroll', 'ending', 'dev1:secret', 1],
    ['/none/', 'simpleenroll', 'ending', undef, 1],
);
my @conns = map { begin(@$_) } @drip;
cmp_ok(time, '<', $end, 'all began in time');
my $now = $t->est('simpleenroll', csr => $csr, cert => 'ending',
                  prefix => '/factory/');
is($now->{status}, 200, 'one that hurries enrols with it');

my $n = 10;
while (time < $end + 2.1) {
    $_->write(substr $csr->{b64}, $n, 1) for @conns;
    $n++;
    sleep 0.3;
}
my $issued = $t->count('issued') + $t->count('renewed');
$_->write(substr $csr->{b64}, $n) for @conns;

for my $i (0 .. $#drip) {
    my ($prefix, $op, $cert, undef, $ended) = @{$drip[$i]};
    my $r = $conns[$i]->response;
    my $name = join ' ', "$prefix$op:", $cert // 'nobody';

    if (!$ended) {
        is($r->{status}, 200, "$name is good to the last");
        next;
    }
    $t->refused($r, 403, 'client_certificate_expired', "$name has ended");
}
is($t->count('issued') + $t->count('renewed'), $issued + 5,
    'nothing else is issued');

$t->done;

##############################################################################

# a request of which all but the rest of the body is sent
sub begin {
    my ($prefix, $op, $cert, $user) = @_;
    my $c = $t->connect($cert ? (cert => $cert) : ());

    $c->write(join "\r\n", "POST $prefix$op HTTP/1.1", 'Host: localhost',
        'Content-Type: application/pkcs10',
        defined $user ? 'Authorization: Basic '
                        . MIME::Base64::encode_base64($user, '') : (),
        'Content-Length: ' . length $csr->{b64}, '',
        substr $csr->{b64}, 0, 10);
    return $c;
}
