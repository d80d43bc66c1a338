#!/usr/bin/perl

# Copyright (C) The nginx-enroll authors

# ./quickstart, in a directory of its own: one device over EST, one over SCEP
# with a challenge that the API made for it, what the server that it leaves
# behind answers, and the commands of README.
#
# Conformance: SCEP-030

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use Enroll;
use EnrollDER;

##############################################################################

plan(skip_all => 'it takes the nginx of the system')
    if $ENV{TEST_NGINX_BINARY} || $ENV{TEST_ENROLL_MODULES};

my $t = Enroll->new(need => ['bash', 'pki', 'make']);
my $top = "$FindBin::Bin/..";

my ($missing) = $t->command('bash', '-c', ". $top/tools/packages.sh; "
    . 'for p in $packages_build $packages_run; do '
    . 'package_installed $p || exit 1; done');
plan(skip_all => 'it would install packages') if $missing;

# the checkout, with another run/

my $dir = $t->dir('checkout');
mkdir $dir;
for (grep { !m{/run$} } glob "$top/*") {
    my ($name) = m{([^/]+)$};
    symlink $_, "$dir/$name" if $name ne 'quickstart';
}
$t->write('checkout/quickstart', $t->read("$top/quickstart"));
$ENV{ENROLL_HTTPS_PORT} = $t->port('tls');
$ENV{ENROLL_HTTP_PORT} = $t->port('plain');

##############################################################################

my ($rc, $out) = quickstart();
is($rc, 0, 'quickstart') or diag($out);

my %cert = map { $_ => cert_fields(unpem($t->read("checkout/run/$_.crt"))) }
               'device', 'scep-device';
is($cert{device}{subject}, name(CN => 'device-1'), 'the device of EST');
is($cert{'scep-device'}{subject}, name(CN => 'device-2'),
    'the device of SCEP');
is($cert{'scep-device'}{exts}{oid('2.5.29.17')}{value},
    seq(dns('device-2.example.com')), 'its name');
like($out, qr/^  \$ SCEP_CHALLENGE=\$\(curl .*"subject": "CN=device-2"/ms,
    'how the challenge is made is shown');
like($out, qr/^  \$ pki --scep .*--password "\$SCEP_CHALLENGE"/ms,
    'and how it is used');
my ($record) = grep { /\Q$cert{'scep-device'}{serial}\E$/i }
                   redis('--scan', '--pattern', '*:cert:*');
isnt(redis('HGET', $record // 'x', 'challenge'), '',
    'it was enrolled with a minted challenge');
is((stat $t->dir("checkout/run/$_"))[2] & 0077, 0, "$_ is its owner's alone")
    for 'env', 'ca.key', 'ra.key', 'api.password', 'api.users';

# what is nginx's own to refuse comes as text, over plain HTTP as well

for my $bad ([400, 'bad_request', '/%zz'], [414, 'uri_too_long', '/scep?'
    . 'x' x 20_000], [405, 'method_not_allowed', '/', '-X', 'TRACE'],
    [413, 'body_too_large', '/', '-d', 'x' x 70_000])
{
    my ($status, $reason, $path, @args) = @$bad;
    my $r = $t->curl(@args, 'http://127.0.0.1:' . $t->port('plain') . $path);
    $t->refused($r, $status, $reason, "over HTTP: $reason");
}
my $r = $t->curl('http://127.0.0.1:' . $t->port('tls') . '/');
$t->refused($r, 400, 'tls_required', 'over TLS: tls_required');

# README's commands, with the server that runs

my ($by_hand) = $t->read("$top/README.md")
    =~ /^## Trying it by hand\n(.*?)^## /ms;
my $script = $t->write('checkout/by-hand', join "\n", 'set -e',
    $by_hand =~ /^```sh\n(.*?)^```$/msg);
($rc, $out) = $t->command('bash', '-c', "cd $dir && . ./by-hand");
is($rc, 0, 'README, by hand') or diag($out);
for (['device', 2], ['renewed', 2], ['device-3', 3], ['device-4', 4]) {
    my ($name, $n) = @$_;
    like(($t->command('openssl', 'x509', '-in', "$dir/$name.crt", '-noout',
        '-subject'))[1], qr/CN ?= ?device-$n$/m, "README: $name.crt");
}

# once more, while it runs: the CA stays

my $ca = $t->read('checkout/run/ca.crt');
($rc, $out) = quickstart();
is($rc, 0, 'quickstart again') or diag($out);
is($t->read('checkout/run/ca.crt'), $ca, 'with the same CA');
is(unpem($t->read('checkout/run/scep-device.crt'))
   eq ($cert{'scep-device'}{whole} // ''), '', 'and another certificate');

($rc, $out) = quickstart('stop');
is("$rc $out", "0 nginx is stopped.\nRedis is stopped.\n", 'quickstart stop');
($rc, $out) = quickstart('stop');
is("$rc $out", '0 ', 'there is nothing to stop');

$t->done;

##############################################################################

END {
    my $status = $?;
    quickstart('stop') if $dir;
    $? = $status;
}

sub quickstart { $t->command('bash', "$dir/quickstart", @_) }

sub redis {
    my (undef, $out) = $t->command('redis-cli', '--raw', '-s',
                                   "$dir/run/redis.sock", @_);
    return wantarray ? split /\n/, $out : $out =~ s/\n$//r;
}
