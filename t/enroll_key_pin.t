#!/usr/bin/perl

# Copyright (C) The nginx-enroll authors

# The PIN in the URI of a key: whatever is wrong with the key, it is printed
# by nginx -t nowhere.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use Enroll;
use EnrollDER;

##############################################################################

my $t = Enroll->new;

$t->ca('ca', key => 'rsa:2048');
$t->ra('ra', 'ca');
$t->write('pass', "secret\n");

my $pin = 'SECRET-4711';
my $uri = 'pkcs11:token=tok;object=obj;type=private';
my @keys = (
    "store:$uri?pin-value=$pin",
    "store:$uri?module-name=x&pin-value=$pin",
    "store:$uri;pin-value=$pin",
    "store:pkcs11:pin-value=$pin;token=tok",
    "store:pkcs11:?pin-value=$pin",
    "store:file:/nosuch?pin-value=$pin",
    "store:nosuch:token=tok?pin-value=$pin",
    "engine:nosuch:$uri?pin-value=$pin",
    "engine:nosuch:$uri;pin-value=$pin",
    "engine:dynamic:$uri?pin-value=$pin",
    "engine:dynamic:$uri;pin-value=$pin",
    "engine:dynamic:pin-value=$pin",

    # the words in front are forgotten

    "$uri?pin-value=$pin",
    "$uri;pin-value=$pin",
    "engine:$uri?pin-value=$pin",
    "engine:$uri;pin-value=$pin",
    "store:?pin-value=$pin",
);

for my $key (@keys) {
    (my $name = $key) =~ s/\Q$pin\E/.../;
    my ($rc, $out) = test("certificate_key \"$key\";");
    hidden($name, $rc, $out);

    hidden("$name, with a password", test("certificate_key \"$key\"; "
        . 'password_file %%DIR%%/pass;'));
    hidden("$name, of an RA", test('certificate_key %%DIR%%/ca.key; '
        . "ra_certificate %%DIR%%/ra.crt; ra_certificate_key \"$key\";"));
}

# what is no secret is told

my (undef, $out) = test("certificate_key \"store:$uri?pin-value=$pin\";");
like($out, qr/"(?:store:)?\Q$uri\E/, 'the key is named');
like($out, qr/cannot load/, 'and what is wrong with it');
my ($rc, $text) = test('certificate_key %%DIR%%/ca.key; '
    . 'ra_certificate %%DIR%%/ra.crt; ra_certificate_key %%DIR%%/ra.key;');
is($rc, 0, 'good keys are taken') or diag($text);

$t->done;

##############################################################################

sub test {
    my ($directives) = @_;
    unlink $t->dir('test.log');
    return $t->nginx_t(<<"CONF");
    enroll_redis unix:%%DIR%%/redis.sock;
    enroll_ca devices { certificate %%DIR%%/ca.crt; $directives }
CONF
}

sub hidden {
    my ($name, $rc, $all) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;

    # what an engine prints by itself is not ours to keep back

    my $out = join '', grep { /nginx: |\[\w+\] / } split /^/m, $all;
    $out .= $t->read('test.log');
    ok($rc && $out =~ /\[emerg\].*test\.conf:\d+/ && index($out, $pin) < 0
       && $out !~ /\b4711\b|Sanitizer/, $name)
        or diag("rc $rc: $out");
}
