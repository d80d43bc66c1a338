#!/usr/bin/perl

# Copyright (C) The nginx-enroll authors

# The commands of docs/clients.md, as they stand there, on the server of that
# page.  Replaced are the two URLs, where nginx listens, and the Redis.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use Enroll;
use EnrollClients;
use EnrollDER;

##############################################################################

my $t = Enroll->new;
my $text = $t->read("$FindBin::Bin/../docs/clients.md");

my ($conf) = $text =~ /^```nginx main\nhttp \{\n((?s:.*?))^\}\n```$/m;
my (%sh, %file);
while ($text =~ /^```(\w+) (?!main)(\S+)\n((?s:.*?))^```$/mg) {
    my ($kind, $where, $block) = ($1, $2, $3);
    $where =~ /^([^:]+):(.+)$/ ? $file{$1}{$2} = $block : $sh{$where} = $block;
}

# its server: the TLS certificate is another CA's

$t->ca('ca', key => 'rsa:2048');
$t->ra('ra', 'ca');
$t->ca('tls-ca', key => 'rsa:2048');
$t->cert('web', issuer => 'tls-ca', key => 'rsa:2048', subject =>
    '/CN=localhost', ext => "subjectAltName=DNS:localhost,IP:127.0.0.1\n"
    . "subjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n");
$t->write("server.$_", $t->read("web.$_")) for 'crt', 'key';
$t->users('est.users', dev1 => 'a secret of dev1');

$conf =~ s{unix:/run/redis/redis\.sock}{unix:%%DIR%%/redis.sock};
$conf =~ s{127\.0\.0\.1:8443}{127.0.0.1:%%PORT_tls%%};
$conf =~ s{127\.0\.0\.1:8080}{127.0.0.1:%%PORT_plain%%};
$t->conf($conf)->run;

my $est = 'https://127.0.0.1:' . $t->port('tls');
my $scep = 'http://127.0.0.1:' . $t->port('plain');

##############################################################################

# [its commands, why they cannot be run, issued, renewed, protocol]

my $java = bouncycastle_lacks();
my %lacks = (
    'strongswan-est' => strongswan_lacks($t),
    'strongswan-scep' => strongswan_lacks($t),
    certmonger => certmonger_lacks(),
    scepclient => (grep { -x "$_/scepclient" } split /:/, $ENV{PATH})
                  ? '' : 'there is no scepclient',
    bouncycastle => $java,
);
my %renews = map { $_ => 1 }
                 qw(curl strongswan-est strongswan-scep certmonger);
my %answers = (curl => 'est', 'strongswan-est' => 'est',
               bouncycastle => 'est');

# what the page says can be run is

my @clients = grep { $_ ne 'env' } sort keys %sh;
is(join(' ', @clients), join(' ', sort 'curl', keys %lacks),
    'the clients of the page');

for my $client (@clients) {
    SKIP: {
        my $lacks = $lacks{$client} // '';
        skip($lacks, 5) if $lacks;
        my $daemon;

        if ($client eq 'certmonger' && !($daemon = certmonger_start($t))) {
            skip('certmonger\'s daemon does not run here', 5);
        }

        my ($issued, $renewed) = map { $t->count($_) } 'issued', 'renewed';
        my ($rc, $out) = run($client);
        is($rc, 0, "$client: the commands of the page") or diag($out);
        my @ok = $out =~ /^(\S+\.crt: OK)$/mg;
        is(scalar @ok, $renews{$client} ? 2 : 1,
            "$client: what it got verifies");
        is($t->count('issued') - $issued, 1, "$client: one is issued");
        is($t->count('renewed') - $renewed, $renews{$client} ? 1 : 0,
            "$client: and renewed, if it can");
        my ($e) = grep { $_->{event} eq 'issued' } reverse $t->audit;
        is("$e->{protocol} $e->{subject}",
            ($answers{$client} || 'scep') . ' CN=dev1',
            "$client: by its protocol");

        if ($daemon) {
            kill TERM => $daemon;
            Enroll::reap($daemon, 10);
        }
    }
}

# the texts that no test can run: well-formed, and with our URL

my ($plist) = $text =~ /^```xml\n((?s:.*?))^```$/m;
SKIP: {
    skip('no python3', 1) if !grep { -x "$_/python3" } split /:/, $ENV{PATH};
    my ($rc, $out) = $t->command('python3', '-c', <<'PY',
import plistlib, sys
p = plistlib.load(open(sys.argv[1], 'rb'))
c = p['PayloadContent'][0]['PayloadContent']
print(c['URL'], c['Subject'][0][0], c['Keysize'])
PY
        $t->write('a.mobileconfig', $plist));
    is("$rc $out", "0 http://scep.example.com/scep ['CN', 'dev1'] 2048\n",
        'the profile of Apple');
}

# the forms that these send are taken

my $r = $t->curl('-0', '-H', 'Host:',
    "$scep/scep/pkiclient.exe?operation=GetCACaps&message=DEVICES");
like($r->{body}, qr/^AES$/m, 'Cisco: /pkiclient.exe, HTTP/1.0, no Host');

$t->done;

##############################################################################

# the commands of a client, in a directory of its own
sub run {
    my ($client) = @_;
    my $dir = $t->dir($client);
    mkdir $dir;

    symlink $t->dir($_), "$dir/$_" for 'ca.crt', 'ra.crt', 'tls-ca.crt';
    $t->write("$client/dev1.password", "a secret of dev1\n");
    $t->write("$client/$_", $file{$client}{$_}) for keys %{$file{$client}};

    my $script = "cd $dir\n" . join "\n", @sh{'env', $client};
    $script =~ s{https://est\.example\.com}{$est}g;
    $script =~ s{http://scep\.example\.com}{$scep}g;

    return $t->command('timeout', 120, 'bash', '-e', '-o', 'pipefail',
                       $t->write("$client/script", $script));
}
