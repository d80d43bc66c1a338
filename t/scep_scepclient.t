#!/usr/bin/perl

# Copyright (C) The nginx-enroll authors

# micromdm's scepclient, which knows single DES and SHA-1 only: it enrols,
# renews by PKCSReq with the certificate that it has, and is refused where the
# location does not name what it uses.

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

my $t = Enroll->new(need => ['scepclient']);

ra_files($t);
$t->conf(ra_cas() . <<'CONF' . ra_locations('scep_legacy des sha1;') . "    }\n");
    scep_challenge secret;

    server {
        listen 127.0.0.1:%%PORT_plain%%;
        location /modern/ { scep rsa; }
        location /des/ { scep rsa; scep_legacy des; }
        location /sha1/ { scep rsa; scep_legacy sha1; }
CONF
$t->run;

##############################################################################

for my $ca (grep { $_ ne 'split' } @RAS) {
    my $der = enrols($ca, "$ca-dev", 'secret');
    my $cert = ra_checks($t, $ca, $der, "$ca-dev", 'PKCSReq');
    like($der && $t->x509($der, '-subject', '-nameopt', 'RFC2253'),
        qr/CN=dev1,OU=MDM,O=scep-client,C=US$/, "$ca: the subject");

    # it signs with its certificate once it has one; without the challenge too

    my $new = enrols($ca, "$ca-dev", 'secret');
    isnt(ra_checks($t, $ca, $new, "$ca-dev", 'renewed')->{serial} // '',
        $cert->{serial}, "$ca: another certificate");
    $new = enrols($ca, "$ca-dev", undef);
    ra_checks($t, $ca, $new, "$ca-dev", 'renewed without the challenge');
    is($t->count('renewed', $ca), 2, "$ca: two renewals");

    # the denied twins

    my $n = $t->count('issued', $ca);
    is(enrols($ca, "$ca-bad", 'wrong'), '', "$ca: a wrong challenge");
    is(enrols($ca, "$ca-bad", undef), '', "$ca: no challenge");
    is(enrols($ca, "$ca-dev", 'wrong'), '',
        "$ca: a renewal with a wrong challenge");
    is($t->count('issued', $ca), $n, "$ca: nothing is issued for these");
}

my $n = $t->count('issued', 'rsa');
is(enrols($_, "$_-dev", 'secret'), '', "not in a location that is $_")
    for 'modern', 'des', 'sha1';
is($t->count('issued', 'rsa'), $n, 'nothing is issued there');

$t->done;

##############################################################################

# the certificate, or ''; the one it has, NAME/cert.pem, is replaced by a new
# one
sub enrols {
    my ($path, $name, $challenge) = @_;
    my $url = 'http://127.0.0.1:' . $t->port('plain') . "/$path/scep";
    my $ca = (grep { $_ eq $path } @RAS) ? $path : 'rsa';
    unlink $t->dir("$name/csr.pem");    # else it asks with this one again
    my $had = $t->read("$name/cert.pem");

    $t->command(scepclient($t, $url, $ca, $name,
        defined $challenge ? ('-challenge', $challenge) : ()));

    $t->write("$name.key", $t->read("$name/key.pem"));
    my $has = $t->read("$name/cert.pem");
    return $has ne $had ? unpem($has) : '';
}
