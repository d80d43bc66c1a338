#!/usr/bin/perl

# Copyright (C) The nginx-enroll authors

# Who answers: the CA itself, an RA beside an RSA or a P-256 CA, two RAs, one
# to sign and one to decrypt, and RAs that were replaced or are expired.
#
# Conformance: SCEP-014 SCEP-072 SCEP-075 SCEP-097 DEV-012 BAD-126

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

$t->ca('rsa', key => 'rsa:2048');
$t->ca('ec');
$t->ra("ra-$_", $_) for qw(rsa ec);
$t->ra('sign', 'rsa', ext => <<'EXT');
basicConstraints=critical,CA:FALSE
keyUsage=critical,digitalSignature
EXT
$t->ra('both', 'rsa', ext => "keyUsage=digitalSignature,keyEncipherment\n");
$t->ca('able', key => 'rsa:2048', ext => <<'EXT');
basicConstraints=critical,CA:TRUE
keyUsage=critical,keyCertSign,cRLSign,digitalSignature,keyEncipherment
EXT
$t->ra('enc', 'rsa', ext => <<'EXT');
basicConstraints=critical,CA:FALSE
keyUsage=critical,keyEncipherment
EXT
for (['old', 9e6], ['expired', -60]) {
    my ($name, $till) = @$_;
    $t->keep($name, forge_cert(key => $t->dir('ec.key'),
        subject_key => $t->key($name, 'rsa:2048'),
        issuer_cert => unpem($t->read('ec.crt')), from => -9e6, till => $till,
        subject => name(CN => $name), exts => [
            extension('2.5.29.15', der(0x03, "\x05\xa0"), 1)]));
}

sub pair {
    my ($name, $what) = @_;
    return "${what}certificate %%DIR%%/$name.crt; "
           . "${what}certificate_key %%DIR%%/$name.key;";
}

my $head = <<'CONF';
    enroll_redis unix:%%DIR%%/redis.sock;
    scep_challenge secret;
CONF
my $cas = "enroll_ca alone { @{[pair('rsa', '')]} }\n"
    . "enroll_ca rsa { @{[pair('rsa', '')]} @{[pair('ra-rsa', 'ra_')]} }\n"
    . "enroll_ca ec { @{[pair('ec', '')]} @{[pair('ra-ec', 'ra_')]} "
    . "@{[pair('old', 'ra_')]} @{[pair('expired', 'ra_')]} }\n"
    . "enroll_ca split { @{[pair('rsa', '')]} @{[pair('sign', 'ra_')]} "
    . "@{[pair('enc', 'ra_encryption_')]} }\n";

$t->conf($head . $cas . <<'CONF')->run;
    server {
        listen 127.0.0.1:%%PORT_plain%%;
        location /alone { scep alone; }
        location /rsa { scep rsa; }
        location /ec { scep ec; }
        location /split { scep split; }
    }
CONF

my %s = map { ($_->[0] => EnrollSCEP->new($t, path => "/$_->[0]",
                 ra => $_->[1], signer => $_->[2] // $_->[1])) }
    ['alone', 'rsa'], ['rsa', 'ra-rsa'], ['ec', 'ra-ec'],
    ['split', 'enc', 'sign'];
my $c = $s{rsa}->client('dev1');

##############################################################################

my %issuer = (alone => 'rsa', rsa => 'rsa', ec => 'ec', split => 'rsa');
my %certs = (alone => ['rsa'], rsa => ['ra-rsa', 'rsa'], ec => ['ra-ec', 'ec'],
             split => ['enc', 'sign', 'rsa']);

for my $name (sort keys %s) {
    my $s = $s{$name};
    my $r = $t->curl('http://127.0.0.1:' . $t->port('plain')
                     . "/$name?operation=GetCACert");
    is_deeply($name eq 'alone' ? [$r->{body}] : [certs_only($r->{body})],
        [map { $s->der_of($_) } @{$certs{$name}}], "$name: GetCACert");

    my $m = $s->request($c, challenge => 'secret');
    r_issued($s, $m, $name, "$name: PKCSReq");
    $r = $s->send($m);
    is_deeply($s->open($r, $m)->{outer}, [$s->der_of($s->{signer})],
        "$name: the signer is in the answer");

    # renewal, and a refusal, by the same
    my $der = $s->issued($r, $m, "$name: again");
    $m = $s->request($s->holder($c, $der), type => 17);
    r_issued($s, $m, $name, "$name: RenewalReq");
    $m = $s->request($c, challenge => 'wrong');
    $s->failed($s->send($m), $m, 2, 'challenge_unknown', "$name: refused");

    # to the certificate that signs, where that is another
    my $other = $name eq 'split' ? 'sign' : $name eq 'ec' ? 'ec' : undef;
    next if !$other || $other eq 'ec';
    $m = $s->request($c, challenge => 'secret', ra => $s->der_of($other));
    $s->failed($s->send($m), $m, 2, 'envelope_not_opened',
        "$name: to the one that signs");
}

# a CA beside its RA decrypts nothing, nor does another CA's RA

my $m = $s{rsa}->request($c, challenge => 'secret', ra => $s{rsa}->der_of('rsa'));
$s{rsa}->failed($s{rsa}->send($m), $m, 2, 'envelope_not_opened',
    'to the CA beside its RA');
$m = $s{rsa}->request($c, challenge => 'secret', ra => $s{ec}->der_of('ra-ec'));
$s{rsa}->failed($s{rsa}->send($m), $m, 2, 'envelope_not_opened',
    "to another CA's RA");

# the RA of before still opens messages; the newest signs

$m = $s{ec}->request($c, challenge => 'secret', ra => $s{ec}->der_of('old'));
$s{ec}->issued($s{ec}->send($m), $m, 'to the RA of before');
$m = $s{ec}->request($c, challenge => 'secret', ra => $s{ec}->der_of('expired'));
$s{ec}->failed($s{ec}->send($m), $m, 2, 'envelope_not_opened',
    'to an RA that is expired');

##############################################################################

# what the configuration must have

for my $bad (
    ['an RA that may not decrypt', pair('rsa', '') . pair('sign', 'ra_')],
    ['an RA that may not sign', pair('rsa', '') . pair('enc', 'ra_')],
    ['two RAs that may both only sign', pair('rsa', '') . pair('sign', 'ra_')
        . pair('sign', 'ra_encryption_')],
    ['a P-256 CA without an RA', pair('ec', '')],
    ['an RA of another CA', pair('ec', '') . pair('ra-rsa', 'ra_')],
    ['an RA without a key', pair('ec', '') . 'ra_certificate %%DIR%%/ra-ec.crt;'],
    ['a key of another RA', pair('ec', '') . 'ra_certificate %%DIR%%/ra-ec.crt; '
        . 'ra_certificate_key %%DIR%%/old.key;'],
    ['a P-256 RA', pair('ec', '') . pair('ec', 'ra_')])
{
    my ($name, $ca) = @$bad;
    my ($rc, $out) = $t->nginx_t("$head enroll_ca x { $ca }\n"
                                 . 'server { location / { scep x; } }');
    ok($rc && $out =~ /\[emerg\]/, "nginx -t: $name") or diag($out);
}

# an RSA CA alone may do without, but it is told what clients look at

for (['rsa', pair('rsa', ''), 1], ['able', pair('able', ''), 0],
     ['rsa with an RA', pair('rsa', '') . pair('both', 'ra_'), 0])
{
    my ($name, $ca, $warns) = @$_;
    my ($rc, $out) = $t->nginx_t("$head enroll_ca x { $ca }\n"
                                 . 'server { location / { scep x; } }');
    is("$rc " . ($out =~ /\[warn\] .*answers SCEP itself/ ? 1 : 0),
        "0 $warns", "nginx -t, keyUsage: $name") or diag($out);
}

is($t->open_txns, '', 'no transaction is open');
$t->done;

##############################################################################

sub r_issued {
    my ($s, $m, $name, $what) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $der = $s->issued($s->send($m), $m, $what);
    $t->keep('leaf', $der) if length $der;
    like($t->openssl('verify', '-x509_strict', '-CAfile',
        $t->dir("$issuer{$name}.crt"), $t->dir('leaf.crt')), qr/: OK/,
        "$what: verifies");
}
