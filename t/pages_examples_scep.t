#!/usr/bin/perl

# Copyright (C) The nginx-enroll authors

# The example commands on the page "configuration" of SCEP locations are run
# as they stand there: curl and openssl, strongSwan, certmonger with a daemon
# of its own.  What it says for Apple's devices and Intune is well-formed.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use JSON::PP ();
use Test::More;

use Enroll;
use EnrollDER;
use EnrollRA;

##############################################################################

my $t = Enroll->new;

ra_files($t);
$t->conf(ra_cas() . <<'CONF' . ra_locations('') . "    }\n");
    scep_challenge 'a secret "quoted"';
    scep_debug on;
    enroll_profile big { keys rsa:3072; validity 10d; }
    enroll_profile ec { keys ec:P-256; }

    server {
        listen 127.0.0.1:%%PORT_plain%%;
        location /chain/ { scep ra; scep_ca_certs chain; }
        location /big/ { scep ra profile=big; }
        location /issuer/ { scep ra; scep_ca_certs issuer; }
        location /only-ec/ { scep ra profile=ec; }
        location /open/ {
            scep ra; scep_challenge off; enroll_approval off;
        }
CONF
$t->run;
my $url = 'http://127.0.0.1:' . $t->port('plain');

$ENV{DEVICE} = 'dev1';
$ENV{CHALLENGE} = 'a secret "quoted"';

##############################################################################

# curl and openssl

my $n = 0;
for my $ca (@RAS, 'chain', 'open', 'issuer', 'only-ec') {
    my $e = examples($ca);

    fresh();
    run($ca, curl => @{$e->{curl}});
    my $out = run($ca, openssl => @{$e->{openssl}});
    like($out, qr/sha256 Fingerprint=/i, "$ca: a fingerprint to compare");
    is($t->read("run$n/ca.crt") =~ /BEGIN/, 1, "$ca: certificates");
    is(!!grep({ $_ eq 'CHALLENGE' } keys %{$e->{variables}}), $ca ne 'open',
        "$ca: whether a challenge is needed");
}
for my $client ('strongswan', 'certmonger', 'apple', 'intune') {
    ok(!exists examples('only-ec')->{$client}, "no RSA key, no $client");
    ok(!exists examples('issuer')->{$client}, "no RA to be had, no $client");
}

# strongSwan

SKIP: {
    my (undef, $help) = $t->command('pki', '--scep', '--help');
    skip 'no pki --scep', 1 if $help !~ /--cacert-enc/;

    for my $ca (@RAS, 'big', 'open') {
        fresh();
        run($ca, strongswan => @{examples($ca)->{strongswan}});
        my $name = grep({ $_ eq $ca } @RAS) ? $ca : 'ra';
        my $pem = $t->read("run$n/device.crt");
        ra_checks($t, $name, $pem && unpem($pem), "run$n/device",
            "$ca: strongSwan");
    }
}

# certmonger

SKIP: {
    my $daemon = certmonger() or skip 'no certmonger', 1;

    for my $ca (@RAS, 'open') {
        fresh();
        my $e = examples($ca);

        # one name for two locations of one CA would be one CA to it
        my @lines = map { s/ -c ra / -c open / if $ca eq 'open'; $_ }
                    @{$e->{certmonger}};
        my $out = run($ca, certmonger => @lines);
        my $name = grep({ $_ eq $ca } @RAS) ? $ca : 'ra';
        my $pem = $t->read("run$n/device.crt");
        ra_checks($t, $name, $pem && unpem($pem), "run$n/device",
            "$ca: certmonger") or diag($out);
    }
    kill TERM => $daemon;
    Enroll::reap($daemon, 10);
}

# Apple and Intune

my $e = examples('ra');
for my $pattern (qr{<key>URL</key><string>\Q$url\E/ra/</string>},
    qr{<key>Keysize</key><integer>2048</integer>},
    qr{<string>com\.apple\.security\.scep</string>},
    qr{<key>Challenge</key>}, qr{<string>[0-9a-f]{8}(-[0-9a-f]{4}){3}-})
{
    like($e->{apple}, $pattern, "Apple: $pattern");
}
unlike(examples('open')->{apple}, qr/<key>Challenge/, 'Apple: no challenge');
unlike($e->{apple}, qr/a secret/, 'Apple: a placeholder for the challenge');

SKIP: {
    my ($rc) = $t->command('python3', '-c', 'import plistlib');
    skip 'no python3', 1 if $rc;
    my ($status, $out) = $t->command('python3', '-c', <<'PY',
import plistlib, sys
p = plistlib.load(open(sys.argv[1], 'rb'))
c = p['PayloadContent'][0]['PayloadContent']
print(c['URL'], c['Name'], c['Subject'], c['Key Usage'])
PY
        $t->write('scep.mobileconfig', $e->{apple}));
    is($out, "$url/ra/ ra [[['CN', 'DEVICE']]] 5\n",
        'Apple: a property list that is one');
}

my $intune = $e->{intune};
is_deeply($intune->{scepServerUrls}, ["$url/ra/"], 'Intune: URL');
is($intune->{keySize}, 'size2048', 'Intune: key');
is($intune->{certificateValidityPeriodValue}, 90, 'Intune: validity');

$t->done;

##############################################################################

sub examples {
    my ($path) = @_;
    my $r = $t->curl("$url/$path/configuration");
    my $json = eval { JSON::PP::decode_json($r->{body}) };
    diag("no JSON: $r->{status} $r->{body}") if !$json;
    return $json->{examples} || {};
}

sub fresh {
    mkdir $t->dir('run' . ++$n);
}

sub run {
    my ($path, $who, @lines) = @_;
    my $dir = $t->dir("run$n");

    ok(scalar @lines, "$path, $who: commands");
    my ($rc, $out) = $t->command('timeout', 60, 'sh', '-ec',
                                 join "\n", "cd $dir", @lines, '');
    is($rc, 0, "$path, $who: they work") or diag($out, join "\n", @lines);
    return $out;
}

# its daemon, or nothing
sub certmonger {
    my $program = '/usr/lib/certmonger/certmonger-session';
    return if !-x $program;

    $ENV{HOME} = $t->dir;
    for ('config', 'requests', 'cas', 'local_ca') {
        mkdir $t->dir($_);
        $ENV{'CERTMONGER_' . uc . '_DIR'} = $t->dir($_);
    }
    mkdir $ENV{CERTMONGER_TMPDIR} = $t->dir('tmp');

    my $pid = Enroll::spawn($t->dir('certmonger.log'), $program, '-n', '-L',
                            '-P', $t->dir('certmonger.sock'));
    $ENV{CERTMONGER_PVT_ADDRESS} = 'unix:path=' . $t->dir('certmonger.sock');

    return $pid if wait_for {
        ($t->command('timeout', 10, 'getcert', 'list-cas'))[0] == 0
    } 15;
    diag($t->read('certmonger.log'));
    return;
}
