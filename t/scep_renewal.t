#!/usr/bin/perl

# Copyright (C) The nginx-enroll authors

# Renewal by the certificate that a client has, as 17 and as 19: which
# certificates, which names, and a challenge that is present.
#
# Conformance: SCEP-066 SCEP-070 SCEP-076 SCEP-077 SCEP-078 SCEP-079
#   SCEP-080 SCEP-081 DEV-001 BAD-129 BAD-130

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

$t->ca($_, key => 'rsa:2048', subject => '/O=Example/CN=ca')
    for qw(ca foreign old);
$t->conf(<<'CONF');
    enroll_redis unix:%%DIR%%/redis.sock;
    enroll_ca devices {
        certificate %%DIR%%/ca.crt;
        certificate_key %%DIR%%/ca.key;
        previous_certificate %%DIR%%/old.crt;
    }
    enroll_profile late { validity 20d; renew_before 10d; }
    enroll_profile copy { reenroll_identity copy; }
    scep_challenge secret;

    server {
        listen 127.0.0.1:%%PORT_plain%%;
        location /scep { scep devices; }
        location /late { scep devices profile=late; }
        location /unrecorded { scep devices; scep_unrecorded on; }
    }
CONF
$t->run;

my $s = EnrollSCEP->new($t, ra => 'ca');
my @san = (dns('dev1.example.com'), dns('b.example.com'), der(0x87, "\x0a\1\2\3"));
my $new = $t->key('new', 'rsa:2048');

##############################################################################

# each type, with a new key; the answer is for the old certificate

my $first = $s->client('dev1');
my $m = $s->request($first, challenge => 'secret', san => \@san);
my $der = $s->issued($s->send($m), $m, 'the first certificate');
my $dev = $s->holder($first, $der);

for my $type (17, 19) {
    my %o = (type => $type, san => \@san);
    my $got = renews($dev, { %o, csr_key => $new }, "$type: a new key");
    my $f = cert_fields($got);
    is($f->{spki}, spki($new), "$type: it is in the certificate");
    is($f->{subject}, cert_fields($der)->{subject}, "$type: the subject");
    is($f->{exts}{oid('2.5.29.17')}{value}, seq(@san), "$type: the SAN");
    isnt($f->{serial}, cert_fields($der)->{serial}, "$type: another serial");
    is($t->hash($t->record_key($f->{serial}))->{operation} // '',
        'PKIOperation', "$type: the record");

    renews($dev, { %o }, "$type: the old key");
    renews($dev, { %o, san => [reverse @san] }, "$type: the SAN in any order");
    renews($dev, { %o, csr_key => $new, challenge => 'secret' },
        "$type: a right challenge");
    refuses($dev, { %o, csr_key => $new, challenge => 'wrong' }, 2,
        'challenge_unknown', "$type: a wrong challenge");
    refuses($dev, { %o, san => [@san, dns('c.example.com')] }, 4,
        'renewal_san', "$type: one name more");
    refuses($dev, { %o, san => [dns('c.example.com')] }, 4, 'renewal_san',
        "$type: another name");

    for my $subject (name(CN => 'dev2'), name(CN => 'dev1x'), seq(),
        name(O => 'Example', CN => 'dev1'))
    {
        refuses($dev, { %o, subject => $subject }, 4, 'renewal_subject',
            "$type: another subject");
    }

    my ($info) = csr_fields(forge_csr(key => $new, subject => name(CN => 'dev1')));
    refuses($dev, { type => $type, csr => seq($info, sigalg($new),
                    bits(sign($first->{key}, $info))) }, 2,
        'envelope_not_opened',
        "$type: no proof of the new key, which could be a copied envelope");
}

# a subset of the names; the new certificate has the old one's

my $got = renews($dev, { type => 17, san => [$san[0]] }, 'a subset of the SAN');
ok(length $got, 'is a renewal');

##############################################################################

# by what is no certificate of ours, in good standing

my $ca_key = $t->dir('ca.key');
my %by = (key => $ca_key, issuer_cert => $s->der_of('ca'),
          subject_key => $first->{key}, subject => name(CN => 'dev1'));
my $eku = extension('2.5.29.37', seq(oid('1.3.6.1.5.5.7.3.2')));

for my $signer (
    ['unrecorded', { %by }, 'client_certificate_unrecorded'],
    ['expired', { %by, from => -9e6, till => -60 },
     'client_certificate_expired'],
    ['not yet valid', { %by, from => 3600, till => 9e6 },
     'client_certificate_expired'],
    ['CA:TRUE', { %by, exts => [extension('2.5.29.19', seq(bool(1)), 1)] },
     'client_certificate_not_verified'],
    ['by a namesake of the CA',
     { %by, key => $t->dir('foreign.key') }, 'renewal_issuer'])
{
    my ($name, $how, $reason) = @$signer;
    my $c = $s->holder($first, forge_cert(%$how));
    refuses($c, { type => 17 }, 4, $reason, "17: $name");

    # what is not ours is a first request, and may not be of another key
    refuses($c, { csr_key => $new },
        $reason eq 'renewal_issuer' ? (2, 'envelope_not_opened')
                                    : (4, $reason), "19: $name");
}

# certificates of this CA for another use, which no record knows: of a TLS
# server, of a responder of OCSP

my $server = extension('2.5.29.37', seq(oid('1.3.6.1.5.5.7.3.1')));
my $ocsp = extension('2.5.29.37', seq(oid('1.3.6.1.5.5.7.3.9')));
for my $ext ($server, $ocsp) {
    my $c = $s->holder($first, forge_cert(%by, exts => [$ext]));
    refuses($c, { type => $_ }, 4, 'client_certificate_unrecorded',
            "$_: one for another use") for 17, 19;
}

# what it asks for beside its names is not looked at

my @evil = (extension('2.5.29.19', seq(bool(1)), 1),
            extension('2.5.29.15', der(0x03, "\x01\x06"), 1), $ocsp);
for my $type (17, 19) {
    my $exts = cert_fields(renews($dev, { type => $type, attributes =>
        [extension_request(@evil)] }, "$type: asks to be a CA"))->{exts};
    is_deeply([map { $exts->{oid($_)}{value} // seq() }
               '2.5.29.19', '2.5.29.15', '2.5.29.37'],
        [seq(), der(0x03, "\x07\x80"), seq(oid('1.3.6.1.5.5.7.3.2'))],
        "$type: and gets what the profile has");
}

# a look-alike: the subject, issuer and serial of the real one

my $look = $s->holder($first, forge_cert(key => $first->{key},
    subject => name(CN => 'dev1'), issuer => cert_fields($der)->{issuer},
    serial => pack 'H*', cert_fields($der)->{serial}));
refuses($look, { type => 17 }, 4, 'renewal_issuer', '17: a look-alike');
refuses($look, {}, 2, 'challenge_required', '19: a look-alike');
refuses($first, { type => 17 }, 4, 'renewal_issuer', '17: self-signed');
refuses($first, { type => 17, challenge => 'secret' }, 4, 'renewal_issuer',
    '17: self-signed, with the challenge');

my $ca = { name => 'ca', key => $ca_key, cert => $s->der_of('ca') };
refuses($ca, { type => 17, subject => cert_fields($ca->{cert})->{subject} }, 4,
    'client_certificate_not_verified', '17: by the CA itself');

# revoked, in the record

my $r1 = EnrollSCEP::serial($der);
$t->redis('HSET', $t->record_key($r1), 'status', 'revoked');
refuses($dev, { type => $_, csr_key => $new, san => \@san }, 4,
    'client_certificate_revoked', "$_: revoked") for 17, 19;
refuses($dev, { type => 17, csr_key => $new, san => \@san,
                path => '/unrecorded' }, 4, 'client_certificate_revoked',
    'revoked, where records do not matter');
$t->redis('HSET', $t->record_key($r1), 'status', 'valid');
renews($dev, { type => 17, csr_key => $new, san => \@san }, 'and not revoked');

# unrecorded, where the location takes it; and of the CA's predecessor

my $unrecorded = $s->holder($first, forge_cert(%by));
renews($unrecorded, { type => 17, csr_key => $new, path => '/unrecorded' },
    'scep_unrecorded on');
my $previous = $s->holder($first, forge_cert(%by, key => $t->dir('old.key'),
    issuer_cert => $s->der_of('old')));
renews($previous, { type => 17, csr_key => $new, path => '/unrecorded' },
    'a certificate of the predecessor');

# of another profile; too early; and in time

refuses($dev, { type => 17, san => \@san, path => '/late' }, 4,
    qr/renewal_(?:profile|too_early)/, 'a certificate of another profile');

$m = $s->request($first, challenge => 'secret');
$der = $s->issued($s->send($m, path => '/late'), $m, 'of the profile late');
refuses($s->holder($first, $der), { type => 17, path => '/late' }, 4,
    'renewal_too_early', 'too early');

is($t->open_txns, '', 'no transaction is open');
$t->done;

##############################################################################

sub asked {
    my ($c, $o) = @_;
    my %o = %$o;
    my $path = delete $o{path} // '/scep';
    my $m = $s->request($c, %o);
    return ($s->send($m, path => $path), $m);
}

sub renews {
    my ($c, $o, $name) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    return $s->issued(asked($c, $o), $name);
}

sub refuses {
    my ($c, $o, $n, $reason, $name) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my ($got) = $s->summary(asked($c, $o));
    return like($got, qr/^FAILURE $n (?:$reason)$/, $name);
}
