#!/usr/bin/perl

# Copyright (C) The nginx-enroll authors

# csrattrs: what enrolment demands is announced, what it does not demand is
# not; 204 where there is nothing to say.
#
# Conformance: EST-149 EST-150 EST-151 EST-152 EST-153 EST-155 EST-157
#   EST-159 EST-163 EST-164 HTTP-015

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use Enroll;
use EnrollDER;

##############################################################################

my $t = Enroll->new;

$t->ca('ca');
$t->conf(<<'CONF');
    enroll_redis unix:%%DIR%%/redis.sock;
    enroll_ca devices {
        certificate %%DIR%%/ca.crt;
        certificate_key %%DIR%%/ca.key;
    }

    enroll_profile p384 { keys ec:P-384; }
    enroll_profile rsa { keys rsa:3072; }

    server {
        listen 127.0.0.1:%%PORT_tls%% ssl;
        %%TLS%%

        location /.well-known/est/ { est devices; }
        location /.well-known/est/off/ {
            est devices profile=p384;
            est_csrattrs off;
        }
        location /.well-known/est/p384/ {
            est devices profile=p384;
            est_csrattrs auto;
        }
        location /.well-known/est/rsa/ { est devices profile=rsa; }
        location /.well-known/est/words/ {
            est devices;
            est_csrattrs challengePassword ec:P-384 1.3.6.1.1.1.1.22
                         ecdsa-with-SHA384;
        }
    }
CONF
$t->run;

##############################################################################

for my $label ('', 'off/') {
    my $r = ask($label);
    is($r->{status}, 204, "/$label: nothing to say");
    is($r->{body}, '', "/$label: no body");
    ok(!$r->{type}, "/$label: no type");
}

my $r = ask('p384/');
is($r->{status}, 200, 'p384: 200');
is($r->{type}, 'application/csrattrs', 'p384: type');
is($r->{headers}{'content-length'}, length $r->{body}, 'p384: length');

my $ec = seq(oid('1.2.840.10045.2.1'), set(oid('1.3.132.0.34')));
my @attrs = map { $_->{whole} } kids(content(unbase64($r->{body})));
ok(scalar(grep { $_ eq $ec } @attrs), 'p384: the curve, as an attribute')
    or diag($r->{body});

$r = ask('rsa/');
is($r->{status}, 200, 'rsa: 200, auto is the default');
@attrs = map { $_->{whole} } kids(content(unbase64($r->{body}) // seq()));
my $rsa = seq(oid('1.2.840.113549.1.1.1'), set(integer(3072)));
ok(scalar(grep { $_ eq $rsa } @attrs), 'rsa: the size, as an attribute')
    or diag($r->{body});

# the corrected example of RFC 9908, in whatever order its words are given

$r = ask('words/');
is($r->{status}, 200, 'words: 200');
is_deeply(
    [map { unpack 'H*', $_->{whole} } kids(content(unbase64($r->{body})))],
    [map { unpack 'H*', $_ } oid('1.2.840.113549.1.9.7'), $ec,
        oid('1.3.6.1.1.1.1.22'), oid('1.2.840.10045.4.3.3')],
    'words: in the order given');
is(ask('words/')->{body} =~ s/\s//gr,
    'MDIGCSqGSIb3DQEJBzASBgcqhkjOPQIBMQcGBSuBBAAiBgcrBgEBAQEWBggqhkjOPQQDAw==',
    'words: the example of RFC 9908');

# HEAD, and the denied twins

my $c = $t->connect;
for my $label ('', 'words/') {
    $c->write("HEAD /.well-known/est/${label}csrattrs HTTP/1.1\r\n"
              . "Host: x\r\n\r\n");
    is($c->response(head => 1)->{status}, $label ? 200 : 204,
        "/$label: HEAD");
}
$c->close;

$r = ask('words/', method => 'POST');
$t->refused($r, 405, 'method_not_allowed', 'POST: refused');
is($r->{headers}{allow}, 'GET, HEAD', 'POST: Allow');

$t->done;

##############################################################################

sub ask {
    my ($label, @more) = @_;
    return $t->est('csrattrs', prefix => "/.well-known/est/$label", @more);
}
