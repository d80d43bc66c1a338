#!/usr/bin/perl

# Copyright (C) The nginx-enroll authors

# The lines of base64 in answers: one, but 64 columns for libest, or as
# est_wrap says.
#
# Conformance: EST-184

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
$t->users('users', dev1 => 'secret');
$t->conf(<<'CONF');
    enroll_redis unix:%%DIR%%/redis.sock;
    enroll_ca devices {
        certificate %%DIR%%/ca.crt;
        certificate_key %%DIR%%/ca.key;
    }

    map $http_user_agent $columns {
        default  0;
        ~^wide   76;
        ~^odd    bogus;
        ~^off    off;
        ~^none   "";
    }

    server {
        listen 127.0.0.1:%%PORT_tls%% ssl;
        %%TLS%%
        est_basic_users %%DIR%%/users;
        est_csrattrs 1.2.3.4 1.2.3.5 1.2.3.6 1.2.3.7 1.2.3.8 1.2.3.9 1.2.3.10
                     1.2.3.11 1.2.3.12 1.2.3.13 1.2.3.14 1.2.3.15 1.2.3.16
                     1.2.3.17 1.2.3.18 1.2.3.19 1.2.3.20 1.2.3.21 1.2.3.22;

        location /.well-known/est/ { est devices; }
        location /64/ { est devices; est_wrap 64; }
        location /off/ { est devices; est_wrap off; }
        location /map/ { est devices; est_wrap $columns; }
    }
CONF
$t->run;

##############################################################################

my $csr = $t->csr;

is(widest('/.well-known/est/', 'curl/7'), 0, 'one line by default');
is(widest('/.well-known/est/', undef), 0, 'without a User-Agent as well');
is(widest('/.well-known/est/', 'libest 1.0'), 64, '64 columns for libest');
is(widest('/.well-known/est/', 'libest'), 64, 'whatever its version');
is(widest('/.well-known/est/', 'x libest 1.0'), 0,
    'but only where the name begins so');
is(widest('/64/', 'curl/7'), 64, 'est_wrap 64');
is(widest('/off/', 'libest 1.0'), 0, 'est_wrap off holds for libest too');
is(widest('/map/', 'wide'), 76, 'est_wrap by a variable');
is(widest('/map/', 'curl/7'), 0, 'est_wrap by a variable: 0');
is(widest('/map/', 'off'), 0, 'est_wrap by a variable: off');
is(widest('/map/', 'none'), 0, 'est_wrap by a variable: nothing');
is(widest('/map/', 'odd'), 0, 'est_wrap by a variable: no number');

# the command line of openssl reads what is wrapped

my $r = $t->est('cacerts', prefix => '/64/');
$t->write('body', $r->{body});
like(($t->command('sh', '-c', "openssl base64 -d -in ${\$t->dir('body')}"
        . ' | openssl pkcs7 -inform DER -print_certs'))[1],
    qr/BEGIN CERTIFICATE/, 'openssl base64 -d reads it');

$t->done;

##############################################################################

# of every operation: the columns if all but the last line are full, 0 for one
# line; and that it ends with LF
sub widest {
    my ($prefix, $agent) = @_;
    my %seen;
    my $header = defined $agent ? "User-Agent: $agent" : 'User-Agent:';

    for my $op ('cacerts', 'csrattrs', 'simpleenroll') {
        my $r = $t->est($op, prefix => $prefix, headers => [$header],
            $op eq 'simpleenroll' ? (csr => $csr, user => 'dev1:secret') : ());
        my $body = $r->{body};
        my @lines = split /\n/, $body, -1;

        return "$op: no LF at the end" if pop @lines ne '';
        return "$op: no base64" if !defined unbase64($body);
        my $last = pop @lines;
        my %width = map { length($_) => 1 } @lines;
        return "$op: uneven" if keys %width > 1 || %width
                                && length $last > (keys %width)[0];
        $seen{(keys %width)[0] // 0} = 1;
    }
    return join ' or ', sort keys %seen;
}
