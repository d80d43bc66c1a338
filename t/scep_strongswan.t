#!/usr/bin/perl

# Copyright (C) The nginx-enroll authors

# strongSwan: pki --scepca, and pki --scep that enrols, renews by RenewalReq
# and by PKCSReq, polls, and is refused.
#
# Conformance: SCEP-061 SCEP-076 SCEP-083 DEV-020

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

my $t = Enroll->new;
my $lacks = strongswan_lacks($t);
plan(skip_all => $lacks) if $lacks;

ra_files($t);
my $manual = ra_locations('enroll_approval manual;', '/manual');
$t->conf(ra_cas() . <<'CONF' . ra_locations('') . "$manual    }\n");
    scep_challenge secret;

    server {
        listen 127.0.0.1:%%PORT_plain%%;
        location /api/ {
            enroll_api $arg_ca guard=address allow=127.0.0.1;
        }
CONF
$t->run;

# it fetches by a plugin, which may be missing

my ($rc, $out) = scepca('ra');
if ($rc && $out =~ /no capable fetcher|unable to fetch/) {
    $t->stop;
    plan(skip_all => 'pki has no plugin to fetch with');
}

$t->key($_, 'rsa:2048') for 'old', 'new', 'other', 'bad';
my @password = ('--password', 'secret');
my $by_19 = $t->write('strongswan.conf', <<'CONF');
pki {
    scep {
        renewal_via_pkcs_req = yes
    }
}
CONF

##############################################################################

for my $ca (@RAS) {
    ($rc, $out) = scepca($ca);
    is($rc, 0, "$ca: pki --scepca") or diag($out);
    is(unpem($t->read("$ca.cacert")), unpem($t->read("$ca.crt")),
        "$ca: the CA");
    is_deeply(
        [sort map { unpem($t->read($_)) } glob $t->dir("$ca*.racert")],
        [sort map { unpem($t->read("$_.crt")) } ras($ca)], "$ca: its RAs");

    my $first = scep($ca, $ca, 'old', @password);
    my $cert = ra_checks($t, $ca, $first, 'old', 'PKCSReq');
    next if !$first;
    $t->keep("$ca-old", $first, 'old');
    like($t->x509($first, '-subject', '-ext', 'subjectAltName'),
        qr/O ?= ?Example, CN ?= ?dev1\n.*DNS:dev1\.example\.com$/s,
        "$ca: subject and subjectAltName");

    # 17, without the challenge and with it

    my $new = scep($ca, $ca, 'new', with("$ca-old"));
    isnt(ra_checks($t, $ca, $new, 'new', 'RenewalReq')->{serial} // '',
        $cert->{serial}, "$ca: another certificate");
    $t->keep("$ca-new", $new, 'new');
    ok(scep($ca, $ca, 'other', with("$ca-old"), @password),
        "$ca: with the challenge");

    # 19, signed with the certificate

    {
        local $ENV{STRONGSWAN_CONF} = $by_19;
        ra_checks($t, $ca, scep($ca, $ca, 'other', with("$ca-new")), 'other',
            'PKCSReq of a certificate');
    }
    is($t->count('renewed', $ca), 3, "$ca: three renewals");

    ra_checks($t, $ca, scep($ca, $ca, 'other', @password, '--digest',
        'sha512'), 'other', 'SHA-512');

    # the denied twins

    my $n = $t->count('issued', $ca);
    is(scep($ca, $ca, 'bad', @$_[1 .. $#$_]), '', "$ca: $_->[0]") for
        ['a wrong challenge', '--password', 'wrong'],
        ['no challenge'],
        ['a renewal with a wrong challenge', with("$ca-old"), '--password',
         'wrong'],
        ['a renewal with another subject', with("$ca-old"), '--dn',
         'O=Example, CN=dev2'],
        ['SHA-1', @password, '--digest', 'sha1'],
        ['triple DES', @password, '--cipher', 'des3'];
    is(scep($ca, $ca, 'bad', with('ra-old')), '',
        "$ca: a renewal of another CA's certificate") if $ca eq 'ec';
    is($t->count('issued', $ca), $n, "$ca: nothing is issued for these");
}

# PENDING; its CertPoll names as the issuer whom it encrypts to: the CA or RA

my %issued = map { $_ => $t->count('issued', $_) } @RAS;
for my $decision ('approve', 'deny') {
    my %pid;
    for my $ca (@RAS) {
        $t->key("$ca-$decision", 'rsa:2048');
        $pid{$ca} = Enroll::spawn($t->dir("$ca-$decision.pem"),
            command("manual/$ca", $ca, "$ca-$decision", @password,
                    '--interval', 1, '--maxpolltime', 20));
    }
    for my $ca (@RAS) {
        is(wait_for { ra_approve($t, $ca, $decision) }, 1,
            "$ca, $decision: it waits");
    }
    for my $ca (@RAS) {
        Enroll::reap($pid{$ca}, 30);
        my $der = found($t->read("$ca-$decision.pem"));

        if ($decision eq 'approve') {
            ra_checks($t, $ca, $der, "$ca-$decision", 'CertPoll');
        } else {
            is($der, '', "$ca: denied");
            is($t->count('issued', $ca), $issued{$ca} + 1,
                "$ca: nothing is issued");
        }
    }
}

is(scep('manual/rsa', 'rsa', 'bad', @password, '--interval', 1,
    '--maxpolltime', 2), '', 'nobody decides');
is(ra_approve($t, 'rsa', 'deny'), 1, 'it goes on waiting');

$t->done;

##############################################################################

sub url { 'http://127.0.0.1:' . $t->port('plain') . "/$_[0]/scep" }

sub scepca {
    my ($ca) = @_;
    return $t->command('pki', '--scepca', '--url', url($ca),
        '--caout', $t->dir("$ca.cacert"), '--raout', $t->dir("$ca.racert"),
        '--outform', 'pem', '--force');
}

# the options that renew a certificate
sub with {
    my ($name) = @_;
    return ('--cert', $t->dir("$name.crt"), '--key', $t->dir("$name.key"));
}

sub command {
    my ($path, @more) = @_;
    return strongswan($t, url($path), @more);
}

# the certificate, or ''
sub scep {
    my (undef, $out) = $t->command(command(@_));
    return found($out);
}
