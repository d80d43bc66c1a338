#!/usr/bin/perl

# Copyright (C) The nginx-enroll authors

# est_client_ca names another CA of the same configuration: what that one's
# records say of its certificates holds here, too.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use Enroll;
use EnrollDER;

##############################################################################

my $t = Enroll->new;

$t->ca($_) for 'ca', 'birth', 'past', 'factory';
$t->write('birth.pem', join '', map { $t->read("$_.crt") }
    'birth', 'past', 'factory');
$t->write('trusted.pem', $t->read('birth.pem') . $t->read('ca.crt'));
$t->users('users', dev1 => 'secret');
$t->conf(<<'CONF');
    enroll_redis unix:%%DIR%%/redis.sock timeout=300ms;
    enroll_ca devices {
        certificate %%DIR%%/ca.crt;
        certificate_key %%DIR%%/ca.key;
    }
    enroll_ca birth {
        certificate %%DIR%%/birth.crt;
        certificate_key %%DIR%%/birth.key;
        previous_certificate %%DIR%%/past.crt;
    }

    est_basic_users %%DIR%%/users;
    est_client_ca %%DIR%%/birth.pem;

    server {
        listen 127.0.0.1:%%PORT_tls%% ssl;
        %%TLS%%
        ssl_verify_client optional;
        ssl_client_certificate %%DIR%%/trusted.pem;

        location /birth/ { est birth; est_repeat 0; }
        location /dev/ { est devices; est_auth certificate; }
        location /any/ { est devices; }
        location /both/ { est devices; est_auth both; }
        location /none/ { est devices; est_auth none; enroll_names any; }
        location /loose/ {
            est devices;
            est_auth certificate;
            est_unrecorded on;
        }
    }
CONF
$t->run;

##############################################################################

my $csr = $t->csr(subject => '/CN=dev1');
my %all = ('/dev/' => undef, '/any/' => undef, '/loose/' => undef,
           '/both/' => 'dev1:secret', '/none/' => undef);

# known and valid

born('good');
is(ask($_, 'good')->{status}, 200, "good: $_") for sort keys %all;

# revoked there

for my $how ('record', 'list', 'both') {
    my $name = "revoked-$how";
    my $key = born($name);
    my $first = $t->csr;

    is(ask('/dev/', $name, csr => $first)->{status}, 200, "$name: before that");
    $t->redis('HSET', $key, 'status', 'revoked') if $how ne 'list';
    $t->redis('ZADD', 'enroll:{birth}:revoked', time, $key =~ s/.*://r)
        if $how ne 'record';

    denied($name, 'client_certificate_revoked', sort keys %all);
    $t->refused(ask('/dev/', $name, csr => $first), 403,
        'client_certificate_revoked', "$name: what was issued is not repeated");
    is(ask('/birth/', $name, user => 'dev1:secret')->{reason},
        'client_certificate_revoked', "$name: nor at its own CA");
}

# not known there

$t->client('strange', 'birth', subject => '/CN=dev1');
$t->client('old', 'past', subject => '/CN=dev1');
$t->redis('DEL', born('forgotten'));
for my $name ('strange', 'old', 'forgotten') {
    denied($name, 'client_certificate_unrecorded',
        grep { $_ ne '/loose/' } sort keys %all);
    is(ask('/loose/', $name)->{status}, 200, "$name: est_unrecorded on");
}

# a record of the same serial at the CA of the location is nothing to it

my $key = born('twin');
my $other = $key =~ s/birth/devices/r;
$t->redis('HSET', $other, 'status', 'revoked');
is(ask('/dev/', 'twin')->{status}, 200, 'revoked at another CA: good');
$t->redis('DEL', $key);
$t->redis('HSET', $other, 'status', 'valid');
denied('twin', 'client_certificate_unrecorded', '/dev/');

# a CA without records

$t->client('made', 'factory', subject => '/CN=dev1');
is(ask('/dev/', 'made')->{status}, 200, 'a factory has no records');

# nobody can be asked

$t->redis_stop;
$t->refused(ask('/dev/', 'good'), 503, 'store_unavailable',
    'Redis is away: nobody enrols');
$t->refused(ask('/loose/', 'good'), 503, 'store_unavailable',
    'Redis is away: nor does est_unrecorded help');

$t->done;

##############################################################################

# a certificate of the CA "birth": the key of its record
sub born {
    my ($name) = @_;
    my $der = $t->issued($t->est('simpleenroll', prefix => '/birth/',
        user => 'dev1:secret', csr => $t->csr(name => $name)));
    $t->keep($name, $der);
    return $t->record_key(cert_fields($der)->{serial}, 'birth');
}

sub ask {
    my ($prefix, $name, %o) = @_;
    return $t->est('simpleenroll', prefix => $prefix, cert => $name,
        csr => $csr, defined $all{$prefix} ? (user => $all{$prefix}) : (), %o);
}

# refused, and nothing comes of it
sub denied {
    my ($name, $reason, @prefixes) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $state = $t->state;

    $t->refused(ask($_, $name), 403, $reason, "$name: $_") for @prefixes;
    is($t->state, $state, "$name: leaves nothing in Redis");
}
