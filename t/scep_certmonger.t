#!/usr/bin/perl

# Copyright (C) The nginx-enroll authors

# certmonger, with a daemon of its own: it enrols, renews with the same key
# and with a new one, waits for approval, and is refused; all of it by GET.
#
# Conformance: SCEP-020 SCEP-081

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use Enroll;
use EnrollClients;
use EnrollDER;
use EnrollRA;

##############################################################################

my $lacks = certmonger_lacks();
plan(skip_all => $lacks) if $lacks;

my $t = Enroll->new;

ra_files($t);
$t->conf(ra_cas() . <<'CONF' . ra_locations('') . "    }\n");
    scep_challenge secret;

    server {
        listen 127.0.0.1:%%PORT_plain%%;
        location /manual/ { scep ec; enroll_approval manual; }
        location /api/ {
            enroll_api $arg_ca guard=address allow=127.0.0.1;
        }
CONF
$t->run;
my $url = 'http://127.0.0.1:' . $t->port('plain');

my $daemon = certmonger_start($t, map {
    $_ => ["$url/$_/scep", $_ eq 'manual' ? 'ec' : $_]
} @RAS, 'manual');
if (!$daemon) {
    $t->stop;
    plan(skip_all => 'certmonger\'s daemon does not run here');
}

for my $ca ('ra', 'ec', 'split') {
    is(wait_for { (getcert($t, 'list-cas', '-c', $ca))[1] =~ /SHA1/ }, 1,
        "$ca: GetCACert");
}

##############################################################################

for my $ca (@RAS) {
    my $dev = "$ca-dev";
    my ($first, $out) = request($ca, $dev, 'secret');
    my $cert = ra_checks($t, $ca, $first, $dev, 'PKCSReq');
    if (!$cert->{serial}) {
        diag($out);
        next;
    }
    like($t->x509($first, '-subject', '-ext', 'subjectAltName'),
        qr/O ?= ?Example\n.*DNS:dev1\.example\.com$/s,
        "$ca: subject and subjectAltName");

    # the same key, then a new one; it signs with what it has

    my ($same) = renew($dev, 'resubmit');
    isnt(ra_checks($t, $ca, $same, $dev, 'resubmit')->{serial} // '',
        $cert->{serial}, "$ca: another certificate");
    my ($new) = renew($dev, 'rekey');
    isnt(ra_checks($t, $ca, $new, $dev, 'rekey')->{spki} // '', $cert->{spki},
        "$ca: another key");
    is($t->count('renewed', $ca), 2, "$ca: two renewals");

    # the denied twin

    my $n = $t->count('issued', $ca);
    my ($bad, $text) = request($ca, "$ca-bad", 'wrong');
    is($bad, '', "$ca: a wrong challenge");
    like($text, qr/CA_REJECTED/, "$ca: and it knows why");
    is($t->count('issued', $ca), $n, "$ca: nothing is issued for it");
}

# PENDING, with the message that it polls with

my $n = $t->count('issued', 'ec');
my ($none, $text) = request('manual', 'wait', 'secret', 5);
is($none, '', 'manual approval: no certificate yet');
like($text, qr/CA_WORKING/, 'it knows that it has to wait');
is(poll('wait'), 1, 'CertPoll: it waits');
is(ra_approve($t, 'ec', 'approve'), 1, 'it is approved');
is(poll('wait'), 0, 'CertPoll: it is there');
my ($der) = renew('wait', 'resubmit');
ra_checks($t, 'ec', $der, 'wait', 'approved');
is($t->count('issued', 'ec'), $n + 1, 'one certificate');

my @asked = $t->log('access') =~ /"(\w+) \S+\?operation=PKIOperation/g;
is(join(' ', grep { $_ ne 'GET' } @asked), '', 'all of it by GET');
cmp_ok(scalar @asked, '>', 15, 'all of it');

kill TERM => $daemon;
Enroll::reap($daemon, 10);
$t->done;

##############################################################################

# a new certificate, or '', and what getcert says
sub request {
    my ($ca, $name, $challenge, $wait) = @_;
    my ($key, $crt) = map { $t->dir("$name.$_") } 'key', 'pem';

    my (undef, $out) = getcert($t, 'request', '-c', $ca, '-I', $name,
        '-k', $key, '-f', $crt, '-N', 'CN=dev1,O=Example',
        '-D', 'dev1.example.com', '-L', $challenge, '-v', '-w',
        '--wait-timeout', $wait // 30);
    return (has($name), $out . (getcert($t, 'list', '-i', $name))[1]);
}

sub renew {
    my ($name, $how) = @_;
    my $had = has($name);
    my (undef, $out) = getcert($t, $how, '-i', $name, '-v', '-w',
                               '--wait-timeout', 30);
    my $has = has($name);
    diag($out) if $had eq $has;
    return $has ne $had ? $has : '';
}

sub has {
    my ($name) = @_;
    my $pem = $t->read("$name.pem");
    return length $pem ? unpem($pem) : '';
}

# its helper with the daemon's own CertPoll: the exit status
sub poll {
    my ($name) = @_;
    my ($request) = grep { /^id=\Q$name\E$/m }
                    map { $t->read($_) } glob $t->dir('requests/*');
    my ($message) = ($request // '')
        =~ /^scep_gic=(-----BEGIN.*?\n -----END[^\n]*\n)/ms or return -1;
    $message =~ s/^ //mg;

    my ($rc, $out) = $t->command('timeout', 20, '/usr/lib/certmonger/scep-submit', '-u',
        "$url/manual/scep", '-r', $t->dir('ec-ra.crt'),
        '-N', $t->dir('ec.crt'), '-g', $t->write('gic.pem', $message));
    diag($out) if $rc > 1;
    return $rc;
}
