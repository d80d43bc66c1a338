#!/usr/bin/perl

# Copyright (C) The nginx-enroll authors

# GetCert gives a client its own certificate, others only to those whom the
# location lists; GetCRL is refused in words.
#
# Conformance: SCEP-092 SCEP-094 BAD-133 BAD-134

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

$t->ca('ca', key => 'rsa:2048');
$t->ca('ca2', key => 'rsa:2048');
$t->cert('helpdesk', key => 'rsa:2048', subject => '/CN=helpdesk');
$t->client('desk', 'ca', key => 'rsa:2048');
$t->client('desk2', 'ca2', key => 'rsa:2048');
$t->write('readers.crt', join '', map { $t->read("$_.crt") }
                              qw(helpdesk desk desk2));
$t->conf(<<'CONF');
    enroll_redis unix:%%DIR%%/redis.sock;
    enroll_ca devices {
        certificate %%DIR%%/ca.crt;
        certificate_key %%DIR%%/ca.key;
    }
    enroll_ca others {
        certificate %%DIR%%/ca2.crt;
        certificate_key %%DIR%%/ca2.key;
    }
    scep_challenge secret;
    scep_failure_limit off;

    server {
        listen 127.0.0.1:%%PORT_plain%%;
        location /scep { scep devices; }
        location /readers {
            scep devices;
            scep_get_cert_clients %%DIR%%/readers.crt;
        }
    }
CONF
$t->run;

my $s = EnrollSCEP->new($t, ra => 'ca');
my ($c, $other) = map { $s->client($_) } qw(dev1 dev2);
my $helpdesk = { name => 'helpdesk', key => $t->dir('helpdesk.key'),
                 cert => $s->der_of('helpdesk') };

my $m = $s->request($c, challenge => 'secret');
my $der = $s->issued($s->send($m), $m, 'a certificate');
my $serial = EnrollSCEP::serial($der);
my $dev = $s->holder($c, $der);

##############################################################################

for my $by (['the certificate itself', $dev], ['the key alone', $c]) {
    my ($name, $who) = @$by;
    my $m = $s->get_cert($who, $serial);
    is($s->issued($s->send($m), $m, "GetCert by $name"), $der, 'it is that');
}
$m = $s->get_cert($dev, $serial, transaction => 'constant');
is($s->issued($s->send($m), $m, 'in a transaction of a constant name'), $der,
    'it is that');
$m = $s->get_cert($helpdesk, $serial);
is($s->issued($s->send($m, path => '/readers'), $m, 'one who is listed'), $der,
    'it is that');

# An answer to an EC key is encrypted to the password of a request: GetCert
# has none, nor has a renewal without a challenge.

my $ec = $s->client('ec1', kind => 'ec:P-256');
$m = $s->request($ec, challenge => 'secret');
my ($got, $a) = $s->summary($s->send($m), $m, password => 'secret');
is("$got " . ($a->{rounds} // '-'), 'SUCCESS 100000',
    'an EC key: encrypted to a password that somebody chose');
my $held = $s->holder($ec, $a->{certs}[0]);
for my $who ($ec, $held) {
    $m = $s->get_cert($who, EnrollSCEP::serial($held->{cert}));
    $s->failed($s->send($m), $m, 0, 'no_answer_envelope',
        'an EC key: GetCert cannot be answered');
}
$m = $s->request($held, type => 17);
$s->failed($s->send($m), $m, 0, 'no_answer_envelope',
    'an EC key: nor a renewal without a challenge');
$m = $s->request($held, type => 17, challenge => 'secret');
$s->issued($s->send($m), $m, 'an EC key: a renewal with one',
    password => 'secret');
$m = $s->get_cert($helpdesk, EnrollSCEP::serial($held->{cert}));
is($s->issued($s->send($m, path => '/readers'), $m, 'by one with an RSA key'),
    $held->{cert}, 'it is that');

# others

refuses($other, $serial, "another's");
refuses($helpdesk, $serial, 'one who is listed elsewhere');
refuses($other, $serial, 'one who is not listed', path => '/readers');
refuses($s->holder($helpdesk, forge_cert(key => $helpdesk->{key},
    subject => name(CN => 'helpdesk'))), $serial,
    'a look-alike with the key of one who is listed', path => '/readers');

# those who are listed, and are of a CA here: until they are revoked there

for my $desk (['desk', 'devices'], ['desk2', 'others']) {
    my ($name, $ca) = @$desk;
    my $who = { name => $name, key => $t->dir("$name.key"),
                cert => $s->der_of($name) };
    my $reads = sub {
        my $m = $s->get_cert($who, $serial, transaction => "by $name");
        return ($s->send($m, path => '/readers'), $m);
    };
    is($s->issued($reads->(), "listed, of $ca, no record"), $der, 'it is that');

    my $key = "enroll:{$ca}:cert:" . EnrollSCEP::serial($who->{cert});
    my $status = sub { $t->redis('HSET', $key, 'status', @_,
        map { ($_, 'x') } qw(cert requester profile key_digest)) };
    $status->('valid');
    is($s->issued($reads->(), "listed, of $ca, valid"), $der, 'it is that');
    $status->('revoked');
    $s->failed($reads->(), 4, 'client_certificate_revoked',
        "listed, of $ca, revoked");
    $t->redis('DEL', $key);
}

# what there is not

refuses($dev, $_, "serial $_") for '00', '01', '80', 'FF', '0080',
    $serial x 3, '7F' x 16, '7F' x 500;
refuses($dev, cert_fields($s->der_of('ca'))->{serial}, "the CA's own");
refuses($helpdesk, '7F' x 16, 'a listed one: no such', path => '/readers');

# what does not name this authority could be anything, decrypted by chance

for my $issuer (name(CN => 'nobody'), seq()) {
    my $m = $s->get_cert($dev, $serial, issuer => $issuer);
    $s->failed($s->send($m), $m, 2, 'envelope_not_opened', 'another issuer');
}

# what is no IssuerAndSerialNumber

my $issuer = cert_fields($s->der_of('ca'))->{subject};
for my $bad (
    ['empty', seq()], ['no serial', seq($issuer)],
    ['an OCTET STRING', seq($issuer, octets('1'))],
    ['three', seq($issuer, integer(1), integer(1))],
    ['something behind', seq($issuer, integer(1)) . "\0"],
    ['a subject', seq($issuer, name(CN => 'dev1'))],
    ['a request', forge_csr(key => $c->{key})])
{
    my ($name, $data) = @$bad;
    my $m = $s->message($dev, type => 21, data => $data);
    $s->failed($s->send($m), $m, 2, 'envelope_not_opened',
        "malformed: $name");

    # GetCRL is refused unopened

    $m = $s->message($dev, type => 22, data => $data);
    $s->failed($s->send($m), $m, 2, 'no_crl', "GetCRL, malformed: $name");
}

# GetCRL, whatever is in it

$m = $s->get_cert($dev, $serial, type => 22);
$s->failed($s->send($m), $m, 2, 'no_crl', 'GetCRL');
$m = $s->message($dev, type => 22, data => 'x');
$s->failed($s->send($m), $m, 2, 'no_crl', 'GetCRL, malformed');

is(scalar $t->keys('*:cert:*'), 3, 'nothing else was issued');
is($t->open_txns, '', 'no transaction is open');
$t->done;

##############################################################################

sub refuses {
    my ($c, $serial, $name, %o) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my @path = $o{path} ? (path => delete $o{path}) : ();
    my $m = $s->get_cert($c, $serial, %o);
    return $s->failed($s->send($m, @path), $m, 4, 'not_found',
        "refused: $name");
}
