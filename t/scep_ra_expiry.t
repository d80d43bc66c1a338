#!/usr/bin/perl

# Copyright (C) The nginx-enroll authors

# An RA certificate that ends while nginx runs: it is advertised no more, opens
# nothing and signs nothing.  Another one takes its place, or there is a word.
#
# Conformance: BAD-126

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
my $left = 12;                  # seconds until the short ones end

$t->ca('ec');
my @ras = qw(short old sign enc);
$t->key($_, 'rsa:2048') for @ras;
my %usage = (sign => "\x07\x80", enc => "\x05\x20");
my %till = (old => 9e6, enc => 9e6);
my $end = time + $left;
for my $name (@ras) {
    $t->keep($name, forge_cert(key => $t->dir('ec.key'),
        subject_key => $t->dir("$name.key"), subject => name(CN => $name),
        issuer_cert => unpem($t->read('ec.crt')),
        from => $name eq 'old' ? -9e6 : -60, till => $till{$name} // $end - time,
        exts => [extension('2.5.29.15',
                           der(0x03, $usage{$name} // "\x05\xa0"), 1)]));
}

sub pair {
    my ($name, $what) = @_;
    return "${what}certificate %%DIR%%/$name.crt; "
           . "${what}certificate_key %%DIR%%/$name.key;";
}

my $ca = pair('ec', '');
$t->conf(<<"CONF")->run;
    enroll_redis unix:%%DIR%%/redis.sock;
    scep_challenge secret;
    scep_failure_limit off;

    enroll_ca one { $ca @{[pair('short', 'ra_')]} next_certificate %%DIR%%/ec.crt; }
    enroll_ca two { $ca @{[pair('short', 'ra_')]} @{[pair('old', 'ra_')]} }
    enroll_ca split { $ca @{[pair('sign', 'ra_')]}
                      @{[pair('enc', 'ra_encryption_')]} }
    server {
        listen 127.0.0.1:%%PORT_plain%%;
        location /one { scep one; }
        location /one/issuer { scep one; scep_ca_certs issuer; }
        location /two { scep two; }
        location /split { scep split; }
    }
CONF

my %s = map { ($_->[0] => EnrollSCEP->new($t, path => "/$_->[0]",
                 ra => $_->[1], signer => $_->[2] // $_->[1])) }
    ['one', 'short'], ['two', 'short'], ['split', 'enc', 'sign'];
my $c = $s{one}->client('dev1');

##############################################################################

my %before = (one => [qw(short ec)], two => [qw(short ec)],
              split => [qw(enc sign ec)]);
for my $name (sort keys %s) {
    certs($name, @{$before{$name}});
    my $m = $s{$name}->request($c, challenge => 'secret');
    $s{$name}->issued($s{$name}->send($m), $m, "$name: while it is valid");
}
is(ask('one', 'GetNextCACert')->{status}, 200, 'one: GetNextCACert');

ok((wait_for { time > $end + 1 } $left + 5), 'the time comes');

##############################################################################

# where there is no other

for my $name (qw(one split)) {
    my $s = $s{$name};
    my $m = $s->request($c, challenge => 'secret');
    $s->refused($s->send($m), 503, 'ra_expired', "$name: PKIOperation");
    $s->refused(ask($name, 'GetCACert'), 503, 'ra_expired', "$name: GetCACert");
    is(ask($name, 'GetCACaps')->{status}, 200, "$name: GetCACaps");
    like($t->log, qr/\[error\] .*scep PKIOperation failed: ra_expired, CA "$name"/,
        "$name: the error log says so");
}
$s{one}->refused(ask('one', 'GetNextCACert'), 503, 'ra_expired',
    'one: GetNextCACert');
is(ask('one/issuer', 'GetCACert')->{body}, $s{one}->der_of('ec'),
    'the CA alone, where no more is asked for');

# where there is

my $s = $s{two}->with(ra => 'old');
certs('two', qw(old ec));
my $m = $s->request($c, challenge => 'secret');
my $r = $s->send($m);
$s->issued($r, $m, 'two: the one of before opens and signs');
is_deeply($s->open($r, $m)->{outer}, [$s->der_of('old')], 'and is in the answer');
$m = $s->request($c, challenge => 'secret', ra => $s->der_of('short'));
$s->failed($s->send($m), $m, 2, 'envelope_not_opened',
    'two: to the one that has ended');

is($t->open_txns, '', 'no transaction is open');
$t->done;

##############################################################################

sub ask {
    my ($path, $operation) = @_;
    return $t->curl('http://127.0.0.1:' . $t->port('plain')
                    . "/$path?operation=$operation");
}

sub certs {
    my ($name, @certs) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    return is_deeply([certs_only(ask($name, 'GetCACert')->{body})],
        [map { $s{one}->der_of($_) } @certs], "$name: GetCACert: @certs");
}
