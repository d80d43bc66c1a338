#!/usr/bin/perl

# Copyright (C) The nginx-enroll authors

# Renewal: the names of the certificate that is renewed stay, by comparison
# or by copy, also across the roll-over of the CA.
#
# Conformance: EST-045 EST-095 EST-096 EST-100 EST-102 BAD-078 BAD-079
#   BAD-080

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use Enroll;
use EnrollDER;

##############################################################################

my $t = Enroll->new;

$t->ca($_) for 'ca', 'next', 'factory';
$t->write('trusted.pem', join '', map { $t->read("$_.crt") }
    'ca', 'next', 'factory');
$t->users('users', dev1 => 'secret');

my $conf = <<'CONF';
    enroll_redis unix:%%DIR%%/redis.sock;
    enroll_ca devices {
        certificate %%DIR%%/CURRENT.crt;
        certificate_key %%DIR%%/CURRENT.key;
        PREVIOUS
    }

    enroll_profile copy { reenroll_identity copy; reenroll_profile any; }
    enroll_profile late { renew_before 30d; reenroll_profile any; }
    enroll_profile soon { validity 20d; renew_before 30d; }
    enroll_profile other { validity 30d; }

    est_basic_users %%DIR%%/users;
    enroll_names any;
    est_repeat 0;

    server {
        listen 127.0.0.1:%%PORT_tls%% ssl;
        %%TLS%%
        ssl_verify_client optional;
        ssl_client_certificate %%DIR%%/trusted.pem;
        est_client_ca %%DIR%%/factory.crt;

        location /.well-known/est/ { est devices; }
        location /copy/ { est devices profile=copy; }
        location /late/ { est devices profile=late; }
        location /soon/ { est devices profile=soon; }
        location /other/ { est devices profile=other; }
    }
CONF
$t->conf($conf =~ s/CURRENT/ca/gr =~ s/PREVIOUS//r);
$t->run;

##############################################################################

my $subject = '/O=Example/CN=dev1';
my $san = 'DNS:a.test,DNS:b.test,IP:10.0.0.1';
my $first = $t->csr(name => 'dev1', subject => $subject, san => $san);
my $old = enrol('dev1', $first, user => 'dev1:secret');
my $csr = $t->csr(name => 'bare', subject => '/CN=bare');
enrol('bare', $csr, user => 'dev1:secret');

# match

for my $op ('simplereenroll', 'simpleenroll') {
    my $n = $t->count('renewed');

    same($op, $subject, $san, 'the same names');
    same($op, $subject, 'IP:10.0.0.1,DNS:b.test,DNS:a.test',
        'the SAN in another order');
    same($op, $subject, 'DNS:A.test,DNS:b.TEST,IP:10.0.0.1',
        'dNSNames in another case');
    is($t->count('renewed'), $n + 3, "$op: counted as renewals");

    other($op, '/O=Example/CN=dev2', $san, 'renewal_subject', 'another CN');
    other($op, '/CN=dev1', $san, 'renewal_subject', 'an RDN less');
    other($op, '/CN=dev1/O=Example', $san, 'renewal_subject', 'another order');
    other($op, "$subject/OU=x", $san, 'renewal_subject', 'an RDN more');
    other($op, '/O=Example,CN=dev1', $san, 'renewal_subject',
        'what only prints alike');
    other($op, '/O=Example+CN=dev1', $san, 'renewal_subject',
        'one RDN of two values', '-multivalue-rdn');
    other($op, '/', $san, 'renewal_subject', 'no subject');
    other($op, $subject, undef, 'renewal_san', 'no SAN');
    other($op, $subject, "$san,DNS:c.test", 'renewal_san', 'a SAN more');
    other($op, $subject, 'DNS:a.test,IP:10.0.0.1', 'renewal_san',
        'a SAN less');
    other($op, $subject, 'DNS:a.test,DNS:b.test,IP:10.0.0.2', 'renewal_san',
        'another address');
}

$t->refused($t->est('simplereenroll', cert => 'bare',
    csr => $t->csr(name => 'bare', subject => '/CN=bare', san => 'DNS:a.test')),
    403, 'renewal_san', 'a SAN where there was none');
$t->refused($t->est('simplereenroll', cert => 'bare', csr => $first), 403,
    'renewal_subject', 'the names of another device');

# the old encoding stays, whatever that of the request

my $printable = $t->forge(name => 'dev1',
    subject => name(O => \printable('Example'), CN => \printable('dev1')),
    attributes => [extension_request(san(dns('b.test'), dns('a.test'),
                                         der(0x87, "\x0a\0\0\1")))]);
my $new = $t->issued($t->est('simplereenroll', cert => 'dev1',
                             csr => $printable));
is(cert_fields($new)->{subject}, cert_fields($old)->{subject},
    'the subject, octet by octet');
is(cert_fields($new)->{exts}{oid('2.5.29.17')}{value},
    cert_fields($old)->{exts}{oid('2.5.29.17')}{value},
    'the SAN, octet by octet');
is($t->hash($t->record_key(cert_fields($new)->{serial}))->{replaces} // '',
    $t->record_key(cert_fields($old)->{serial}) =~ s/.*://r,
    'the record says what it replaces');

# copy

for my $names (['/CN=whatever', 'DNS:x.test'], ['/', undef], [$subject, $san]) {
    my $csr = $t->csr(name => 'copied', subject => $names->[0],
                      san => $names->[1]);
    my $new = cert_fields($t->issued($t->est('simplereenroll', csr => $csr,
        cert => 'dev1', prefix => '/copy/')));
    is($new->{subject}, cert_fields($old)->{subject}, 'copy: the old subject');
    is($new->{exts}{oid('2.5.29.17')}{value},
        cert_fields($old)->{exts}{oid('2.5.29.17')}{value},
        'copy: the old SAN');
    is($new->{spki}, csr_spki($csr->{der}), 'copy: the new key');
}

# whose certificate can be renewed, and when

$t->client('made', 'factory', subject => '/CN=dev1');
$t->refused($t->est('simplereenroll', cert => 'made',
    csr => $t->csr(subject => '/CN=dev1')), 403, 'renewal_issuer',
    'a factory certificate is nothing to renew');
is($t->est('simpleenroll', cert => 'made',
    csr => $t->csr(subject => '/CN=dev1'))->{status}, 200, 'but to begin with');

$t->refused($t->est('simplereenroll', cert => 'dev1', csr => $first,
    prefix => '/late/'), 403, 'renewal_too_early', 'renew_before: too early');
$t->refused($t->est('simpleenroll', cert => 'dev1', csr => $first,
    prefix => '/late/'), 403, 'renewal_too_early',
    'renew_before: too early by simpleenroll as well');
enrol('soon', $t->csr(name => 'soon', subject => '/CN=s'),
    user => 'dev1:secret', prefix => '/soon/');
is($t->est('simplereenroll', cert => 'soon', prefix => '/soon/',
    csr => $t->csr(subject => '/CN=s'))->{status}, 200,
    'renew_before: in time');

# a certificate of another profile is nothing to renew, unless the profile
# says so

for my $op ('simplereenroll', 'simpleenroll') {
    $t->refused($t->est($op, cert => 'dev1', csr => $first,
        prefix => '/other/'), 403, 'renewal_profile', "$op: another profile");
}

# the CA is rolled over: certificates of its predecessor are renewed by it

$t->conf($conf =~ s/CURRENT/next/gr
    =~ s/PREVIOUS/previous_certificate %%DIR%%\/ca.crt;/r);
ok($t->reload, 'reloaded with the next CA');
$new = $t->issued($t->est('simplereenroll', cert => 'dev1', csr => $first));
is(cert_fields($new)->{issuer},
    cert_fields(unpem($t->read('next.crt')))->{subject},
    'a certificate of the predecessor is renewed by the new CA');
$t->conf($conf =~ s/CURRENT/next/gr =~ s/PREVIOUS//r);
ok($t->reload, 'reloaded without the predecessor');
isnt($t->est('simplereenroll', cert => 'dev1', csr => $first)->{status}, 200,
    'a predecessor that is not named renews nothing');

$t->done;

##############################################################################

sub enrol {
    my ($name, $csr, @o) = @_;
    my $der = $t->issued($t->est('simpleenroll', csr => $csr, @o));
    $t->keep($name, $der);
    return $der;
}

sub renew {
    my ($op, $subject, $san, @args) = @_;
    my $csr = $t->csr(name => 'renewal', subject => $subject, san => $san,
                      args => \@args);
    return $t->est($op, csr => $csr, cert => 'dev1');
}

sub same {
    my ($op, $subject, $san, $name) = @_;
    my $der = $t->issued(renew($op, $subject, $san));
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    ok($der && cert_fields($der)->{subject} eq cert_fields($old)->{subject},
        "$op: $name");
}

sub other {
    my ($op, $subject, $san, $reason, $name, @args) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    $t->refused(renew($op, $subject, $san, @args), 403, $reason,
        "$op: $name");
}
