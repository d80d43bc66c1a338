#!/usr/bin/perl

# Copyright (C) The nginx-enroll authors

# The example commands on the page "configuration" of EST locations are run
# as they stand there: openssl and curl, and strongSwan.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use JSON::PP ();
use Test::More;

use Enroll;
use EnrollDER;

##############################################################################

my $t = Enroll->new;

$t->ca('root', key => 'rsa:2048');
$t->ca('ca', issuer => 'root', key => 'rsa:2048');
$t->ca('factory');
$t->client('born', 'factory', subject => '/CN=dev1');
$t->cert('web', issuer => 'root', key => 'rsa:2048', subject => '/CN=localhost',
    ext => "subjectAltName=DNS:localhost,IP:127.0.0.1\n"
           . "subjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n");
$t->users('users', dev1 => 'secret $HOME "quoted"');
$t->conf(<<'CONF');
    enroll_redis unix:%%DIR%%/redis.sock;
    enroll_ca devices {
        certificate %%DIR%%/ca.crt;
        certificate_key %%DIR%%/ca.key;
    }
    enroll_profile rsa { keys rsa:3072; }
    enroll_profile ed { keys ed25519; }
    enroll_profile brain { keys ec:brainpoolP256r1; }
    enroll_profile p521 { keys ec:P-521 rsa:2048; }

    server {
        listen 127.0.0.1:%%PORT_tls%% ssl;
        ssl_certificate %%DIR%%/web.crt;
        ssl_certificate_key %%DIR%%/web.key;
        ssl_protocols TLSv1.2 TLSv1.3;
        ssl_verify_client optional;
        ssl_verify_depth 3;
        ssl_client_certificate %%DIR%%/both.crt;

        est_basic_users %%DIR%%/users;
        est_client_ca %%DIR%%/factory.crt;
        est_debug on;
        est_repeat 0;

        location /.well-known/est/ { est devices; }
        location /rsa/.well-known/est/ { est devices profile=rsa; }
        location /p521/.well-known/est/ { est devices profile=p521; }
        location /ed/ { est devices profile=ed; }
        location /brain/ { est devices profile=brain; }
        location /cert/ { est devices; est_auth certificate; }
        location /both/ { est devices; est_auth both; }
        location ~ "^/a'b \$x/(?<label>[a-z]+)/[a-z]+$" { est $label; }
    }
CONF
$t->write('both.crt', $t->read('root.crt') . $t->read('ca.crt')
                      . $t->read('factory.crt'));
$t->run;

$ENV{DEVICE} = 'dev1';
$ENV{PASSWORD} = 'secret $HOME "quoted"';
$ENV{TLS_CA} = $t->dir('root.crt');
$ENV{CERT} = $t->dir('born.crt');
$ENV{KEY} = $t->dir('born.key');

##############################################################################

# openssl and curl

my $n = 0;
for my $path ('/.well-known/est', '/rsa/.well-known/est', '/ed', '/brain',
    '/cert', '/both', '/a%27b%20%24x/devices')
{
    my $e = examples($path);
    my ($issued, $renewed) = ($t->count('issued'), $t->count('renewed'));

    run($path, openssl => @{$e->{openssl}});
    run($path, curl => @{$e->{curl}});

    is($t->count('issued') - $issued, 1, "$path: one is issued");

    # TLS 1.3 has no brainpool curve for a client to prove itself with

    my $renews = $path ne '/brain' ? 1 : 0;
    is($t->count('renewed') - $renewed, $renews, "$path: and renewed");

    for my $file ('device.crt', ('renewed.crt') x $renews) {
        like(($t->command('openssl', 'verify', '-CAfile', $t->dir('root.crt'),
                '-untrusted', $t->dir('run/ca.crt'),
                $t->dir("run/$file")))[1], qr/: OK$/, "$path: $file");
    }
}

# every variable that a command has is explained, and no other

for my $path ('/.well-known/est', '/cert', '/both') {
    my $e = examples($path);
    my $lines = join "\n", map { ref eq 'ARRAY' ? @$_ : () } values %$e;
    my %used = map { $_ => 1 } $lines =~ /\$([A-Z_]+)/g;
    is(join(' ', sort keys %used), join(' ', sort keys %{$e->{variables}}),
        "$path: variables");
}

# strongSwan

SKIP: {
    skip 'no pki --est', 1
        if ($t->command('pki', '--est', '--help'))[1] !~ /--est/;

    for my $path ('/.well-known/est', '/rsa/.well-known/est',
        '/p521/.well-known/est')
    {
        my $issued = $t->count('issued');
        run($path, strongswan => @{examples($path)->{strongswan}});
        is($t->count('issued') - $issued, 1, "$path: one is issued");
        like($t->read('run/device.crt'), qr/BEGIN CERTIFICATE/,
            "$path: it has it");
    }
    ok(!exists examples($_)->{strongswan}, "$_: not for it")
        for '/ed', '/cert', '/both';
}

$t->done;

##############################################################################

sub examples {
    my ($path) = @_;
    my $r = $t->curl('--cacert', $t->dir('root.crt'), 'https://127.0.0.1:'
                     . $t->port('tls') . "$path/configuration");
    my $json = eval { JSON::PP::decode_json($r->{body}) };
    diag("no JSON: $r->{status} $r->{body}") if !$json;
    return $json->{examples} || {};
}

# in a directory that is new for each location
sub run {
    my ($path, $who, @lines) = @_;
    my $dir = $t->dir('run');

    if ($who ne 'curl') {
        rename $dir, "$dir." . ++$n if -d $dir;
        mkdir $dir;
    }
    ok(scalar @lines, "$path, $who: commands");
    my ($rc, $out) = $t->command('sh', '-ec',
                                 join "\n", "cd $dir", @lines, '');
    is($rc, 0, "$path, $who: they work") or diag($out, join "\n", @lines);
}
