#!/usr/bin/perl

# Copyright (C) The nginx-enroll authors

# GetNextCACert: there and advertised only while there is a next certificate.
#
# Conformance: SCEP-007 SCEP-016 SCEP-017 BAD-126

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use Enroll;
use EnrollDER;
use EnrollSCEP;

##############################################################################

my $t = Enroll->new;

$t->ca($_, key => 'rsa:2048') for qw(ca next);
$t->ca('ec');
$t->ra('ra', 'ec');
$t->conf(<<'CONF');
    enroll_redis unix:%%DIR%%/redis.sock;
    enroll_ca devices {
        certificate %%DIR%%/ca.crt;
        certificate_key %%DIR%%/ca.key;
        next_certificate %%DIR%%/next.crt;
    }
    enroll_ca ec {
        certificate %%DIR%%/ec.crt;
        certificate_key %%DIR%%/ec.key;
        ra_certificate %%DIR%%/ra.crt;
        ra_certificate_key %%DIR%%/ra.key;
        next_certificate %%DIR%%/next.crt;
    }
    enroll_ca last {
        certificate %%DIR%%/ca.crt;
        certificate_key %%DIR%%/ca.key;
    }
    scep_challenge secret;

    server {
        listen 127.0.0.1:%%PORT_plain%%;
        location /scep { scep devices; }
        location /ec { scep ec; }
        location /last { scep last; }
    }
CONF
$t->run;

##############################################################################

for my $who (['scep', 'ca', 'ca'], ['ec', 'ra', 'ec']) {
    my ($path, $signer, $ca) = @$who;
    my $r = ask($path, 'GetNextCACert');

    is($r->{status}, 200, "$path: GetNextCACert");
    is($r->{type}, 'application/x-x509-next-ca-cert', "$path: type");
    is($r->{headers}{'content-length'}, length $r->{body}, "$path: length");

    my $in = $t->write('next.p7', $r->{body});
    my ($rc, $out) = $t->command('openssl', 'cms', '-verify', '-binary',
        '-inform', 'DER', '-in', $in, '-CAfile', $t->dir("$ca.crt"),
        '-purpose', 'any', '-certfile', $t->dir("$signer.crt"), '-nointern',
        '-out', $t->dir('inner.p7'));
    is($rc, 0, "$path: signed by the $signer") or diag($out);
    is_deeply([certs_only($t->read('inner.p7'))], [unpem($t->read('next.crt'))],
        "$path: the next certificate");

    # broken on the way
    substr($r->{body}, -1) ^= "\x01";
    $t->write('next.p7', $r->{body});
    ($rc) = $t->command('openssl', 'cms', '-verify', '-binary', '-inform',
        'DER', '-in', $in, '-CAfile', $t->dir("$ca.crt"), '-purpose', 'any',
        '-certfile', $t->dir("$signer.crt"), '-nointern', '-out', '/dev/null');
    isnt($rc, 0, "$path: a broken copy does not verify");
    like(ask($path, 'GetCACaps')->{body}, qr/^GetNextCACert$/m,
        "$path: advertised");
}

my $r = ask('last', 'GetNextCACert');
$t->refused($r, 404, 'no_next_ca', 'none');
unlike(ask('last', 'GetCACaps')->{body}, qr/GetNextCACert/, 'not advertised');
is(ask('scep', 'GetNextCACert&message=x')->{status}, 200, 'with a message');

# it opens no messages before its time

my $s = EnrollSCEP->new($t, ra => 'next', path => '/scep')->with(signer => 'ca');
my $c = $s->client('dev1');
my $m = $s->request($c, challenge => 'secret');
$s->failed($s->send($m), $m, 2, 'envelope_not_opened', 'to the next CA');
is($t->curl('-X', 'POST', '-d', 'x', 'http://127.0.0.1:' . $t->port('plain')
            . '/scep?operation=GetNextCACert')->{status}, 405, 'POST');

$t->done;

##############################################################################

sub ask {
    my ($path, $operation) = @_;
    return $t->curl('http://127.0.0.1:' . $t->port('plain')
                    . "/$path?operation=$operation");
}
