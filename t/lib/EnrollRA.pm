package EnrollRA;

# Copyright (C) The nginx-enroll authors

# The ways a CA can do SCEP, each in a location of its own:
#
#     /rsa/     an RSA CA that answers itself
#     /ra/      an RSA CA with a registration authority
#     /ec/      a P-256 CA with a registration authority
#     /split/   a P-256 CA with one RA to sign and one to decrypt
#
#     ra_files($t);                  # the certificates: NAME.crt, NAME-ra.crt,
#                                    # split-enc.crt
#     $t->conf(ra_cas() . ' server { ' . ra_locations('scep_legacy …;') . ' }');

use strict;
use warnings;

use Exporter 'import';
use Test::More;

use EnrollDER;

our @EXPORT = qw(ra_files ra_cas ra_locations ra_checks ra_approve @RAS);

our @RAS = ('rsa', 'ra', 'ec', 'split');

my %NAME = (
    rsa => 'an RSA CA', ra => 'an RSA CA and an RA',
    ec => 'a P-256 CA and an RA', split => 'a P-256 CA and two RAs',
);

sub ra_files {
    my ($t) = @_;

    $t->ca('rsa', key => 'rsa:2048');
    $t->ca('ra', key => 'rsa:2048');
    $t->ca('ec');
    $t->ca('split');
    $t->ra("$_-ra", $_) for 'ra', 'ec';

    for (['split-ra', 'digitalSignature'], ['split-enc', 'keyEncipherment']) {
        my ($name, $usage) = @$_;
        $t->ra($name, 'split', ext => <<"EXT");
basicConstraints=critical,CA:FALSE
keyUsage=critical,$usage
subjectKeyIdentifier=hash
authorityKeyIdentifier=keyid
EXT
    }
}

# the blocks enroll_ca and the Redis
sub ra_cas {
    my $conf = "    enroll_redis unix:%%DIR%%/redis.sock;\n";

    for my $ca (@RAS) {
        $conf .= "    enroll_ca $ca {\n" . file('certificate', $ca);
        $conf .= file('ra_certificate', "$ca-ra") if $ca ne 'rsa';
        $conf .= file('ra_encryption_certificate', 'split-enc')
            if $ca eq 'split';
        $conf .= "    }\n";
    }
    return $conf;
}

sub file {
    my ($directive, $name) = @_;
    return "        $directive %%DIR%%/$name.crt;\n"
           . "        ${directive}_key %%DIR%%/$name.key;\n";
}

# a location for each, with directives more, below a path
sub ra_locations {
    my ($more, $path) = @_;
    $path //= '';
    return join '', map {
        "        location $path/$_/ { scep $_; $more }\n"
    } @RAS;
}

# The certificate that a client got verifies, is of its key and is recorded.
# Returned: its fields.
sub ra_checks {
    my ($t, $ca, $der, $key, $name) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $at = "$name, $NAME{$ca}";

    if (!$der) {
        fail("$at: a certificate");
        return {};
    }

    my $cert = cert_fields($der);
    my $leaf = $t->keep('leaf', $der);
    my ($rc) = $t->command('openssl', 'verify', '-x509_strict', '-CAfile',
                           $t->dir("$ca.crt"), $leaf);
    my $spki = unpem($t->openssl('pkey', '-in', $t->dir("$key.key"),
                                 '-pubout'));
    my $record = $t->record_key($cert->{serial}, $ca) // '';

    ok(!$rc && $cert->{spki} eq $spki && $record,
       "$at: it verifies, is of the key, and recorded")
        or diag("verify: $rc, record: $record");
    return $cert;
}

# lets in what waits, by the API in the location /api/; the number of requests
sub ra_approve {
    my ($t, $ca, $decision) = @_;
    my $api = 'http://127.0.0.1:' . $t->port('plain') . '/api/requests';
    my @ids = $t->curl("$api?ca=$ca")->{body} =~ /"id":"([^"]+)"/g;

    for my $id (@ids) {
        my $r = $t->curl('-H', 'Content-Type: application/json',
            '--data-binary', "{\"decision\":\"$decision\"}",
            "$api/$id?ca=$ca");
        diag("$r->{status} $r->{body}") if $r->{status} != 200;
    }
    return scalar @ids;
}

1;
