#!/usr/bin/perl

# Copyright (C) The nginx-enroll authors

# The limit_req of docs/security.md: it bounds the guesses at passwords, and
# nothing else.
#
# Conformance: EST-052

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use Enroll;
use EnrollDER;

##############################################################################

my $t = Enroll->new;

my ($example) = $t->read("$FindBin::Bin/../docs/security.md")
    =~ /^```nginx http\n(.*?)^```$/ms;
ok($example =~ s/10r\/m/1r\/m/, 'there is an example');
ok($example =~ s/127\.0\.0\.1:8443 ssl;/127.0.0.1:%%PORT_tls%% ssl;
    ssl_verify_client optional;
    ssl_client_certificate ca.crt;/, 'with a server');

$t->ca('ca');
$t->users('est.users', dev1 => 'secret');
$t->conf(<<"CONF");
    enroll_redis unix:%%DIR%%/redis.sock;
    enroll_ca devices { certificate ca.crt; certificate_key ca.key; }
    $example
CONF
$t->run;

##############################################################################

my $csr = $t->csr(name => 'dev1');
my $der = $t->issued($t->est('simpleenroll', csr => $csr,
                             user => 'dev1:secret'));
$t->keep('dev1', $der, 'dev1');

my %seen;
$seen{ask()}++ for 1 .. 20;
cmp_ok($seen{'401 bad_password'}, '>=', 10, 'guesses are answered');
cmp_ok($seen{'503 '}, '>=', 8, 'up to the limit');
is(keys %seen, 2, 'in no other way') or diag(explain(\%seen));

is($t->est('simpleenroll', csr => $csr, user => 'dev1:secret')->{status}, 503,
    'the right password is over the limit as well');
$t->refused($t->est('simpleenroll', csr => $csr), 401,
    'authentication_required', 'without a password there is no limit');
is($t->est('cacerts')->{status}, 200, 'nor for cacerts');
for (1 .. 3) {
    is($t->est('simplereenroll', csr => $csr, cert => 'dev1')->{status}, 200,
        'nor for renewals by certificate');
}

$t->done;

##############################################################################

sub ask {
    my $r = $t->est('simpleenroll', csr => $csr, user => 'dev1:guess');
    return "$r->{status} " . ($r->{reason} // '');
}
