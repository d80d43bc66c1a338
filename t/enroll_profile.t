#!/usr/bin/perl

# Copyright (C) The nginx-enroll authors

# Profiles: how long, what for, and under which names.
#
# Conformance: PKIX-033

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use Enroll;
use EnrollDER;

##############################################################################

my $t = Enroll->new;

my @exts = (extension('2.5.29.19', seq(bool(1)), 1),
            extension('2.5.29.15', bits("\x06"), 1),
            extension('2.5.29.14', octets('x' x 20)));
$t->keep('ca', forge_cert(key => $t->key('ca'), till => 1e9, from => -1e7,
    subject => name(CN => 'ca'), exts => \@exts));
$t->keep('brief', forge_cert(key => $t->key('brief'), till => 7200,
    from => -60, subject => name(CN => 'brief'), exts => \@exts));
$t->conf(<<'CONF');
    enroll_redis unix:%%DIR%%/redis.sock;
    enroll_ca devices {
        certificate %%DIR%%/ca.crt;
        certificate_key %%DIR%%/ca.key;
    }
    enroll_ca brief {
        certificate %%DIR%%/brief.crt;
        certificate_key %%DIR%%/brief.key;
    }

    enroll_profile times { validity 10d; backdate 1h; }
    enroll_profile uses {
        key_usage digitalSignature keyEncipherment;
        extended_key_usage clientAuth serverAuth 1.3.6.1.5.5.7.3.17;
        digest sha384;
    }
    enroll_profile subject { subject "CN=$enroll_csr_cn,OU=Devices,O=Example"; }
    enroll_profile parts {
        subject "CN=$enroll_csr_cn+serialNumber=42,O=a\,b,OU=$arg_ou";
        san none;
    }
    enroll_profile named {
        san dns dns:$enroll_csr_cn.example.com uri:urn:dev:$enroll_csr_cn
            dns:$arg_dns;
    }
    enroll_profile addresses { san ip; }
    enroll_profile windows { san dns upn sid wildcard; }
    enroll_profile p256 { keys ec:P-256; }

    est_auth none;
    enroll_names any;
    est_repeat 0;

    server {
        listen 127.0.0.1:%%PORT_tls%% ssl;
        %%TLS%%

        location ~ ^/(?<profile>[a-z0-9]+)/[a-z]+$ {
            est devices profile=$profile;
        }
        location ^~ /brief/ { est brief; }
        location ^~ /default/ { est devices; }
    }
CONF
$t->run;
$t->key('k');
$t->key('rsa', 'rsa:2048');

##############################################################################

# times

my $text = dates('times');
cmp_ok($text->{from}, '<=', time - 3590, 'backdate 1h');
cmp_ok($text->{from}, '>=', time - 3660, 'not more');
cmp_ok(abs($text->{till} - time - 10 * 86400), '<', 60, 'validity 10d');
$text = dates('brief');
cmp_ok($text->{till}, '<=', time + 7200, 'never longer than the CA');
my $brief = cert_fields(unpem($t->read('brief.crt')));
cmp_ok($text->{from}, '>=', time - 70, 'nor earlier');

# uses

my $der = $t->issued(ask('uses', name => 'rsa'));
$text = $t->x509($der, '-text');
like($text, qr/Key Usage: critical\s+Digital Signature, Key Encipherment\n/,
    'key usage');
like($text,
    qr/TLS Web Client Authentication, TLS Web Server Authentication, \S/,
    'extended key usage, by name and OID');
like($text, qr/ecdsa-with-SHA384/, 'digest');
like($t->x509($t->issued(ask('uses')), '-text'),
    qr/Key Usage: critical\s+Digital Signature\n/,
    'an EC key enciphers no keys');
like($t->x509($t->issued(ask('default')), '-text'), qr/ecdsa-with-SHA256/,
    'the default digest');
is(cert_fields($t->issued(ask('times')))->{version}, integer(2), 'version 3');

# subjects: a value stays a value

is(subject('subject', '/CN=x'), name(CN => 'x', OU => 'Devices',
    O => 'Example'), 'a template');
for my $cn ('x,O=Other', 'x+O=Other', 'x/O=Other', 'x\\', '"x"', '#0500',
    'CN=y', ' x', '$arg_ou', '%41', "\xc3\xa9")
{
    my $csr = $t->forge(name => 'k', subject => name(CN => $cn));
    my $der = $t->issued(post('subject', $csr));
    is(cert_fields($der)->{subject}, name(CN => $cn, OU => 'Devices',
        O => 'Example'), "a CN of $cn stays one CN");
}
is(subject('parts', '/CN=x', '?ou=Unit'),
    seq(rdn(CN => 'x', serialNumber => \printable('42')), rdn(O => 'a,b'),
        rdn(OU => 'Unit')), 'parts, escapes, a variable');
is(subject('parts', '/CN=x'),
    seq(rdn(CN => 'x', serialNumber => \printable('42')), rdn(O => 'a,b')),
    'an empty value leaves its attribute out');
is(subject('subject', '/O=None'), name(OU => 'Devices', O => 'Example'),
    'a CN that is not there is left out');
$t->refused(post('subject', $t->forge(name => 'k',
    subject => name(CN => 'x' x 65))), 400, 'malformed_subject',
    'a value that is too long');

# SANs

is(sans('named', 'DNS:a.test'),
    'DNS:a.test, DNS:x.example.com, URI:urn:dev:x', 'named');
is(sans('named', undef, '?dns=b.test'),
    'DNS:x.example.com, URI:urn:dev:x, DNS:b.test', 'named, by a variable');
is(sans('addresses', 'IP:10.0.0.1,IP:::1'),
    'IP Address:10.0.0.1, IP Address:0:0:0:0:0:0:0:1', 'ip');
is(sans('default', 'DNS:a.test,IP:10.0.0.1,email:a@b.test,URI:http://c.test/'),
    'DNS:a.test, IP Address:10.0.0.1, email:a@b.test, URI:http://c.test/',
    'the default kinds');
like(sans('windows', 'DNS:*.test,otherName:msUPN;UTF8:u@x.test'),
    qr/DNS:\*\.test, othername: UPN/, 'wildcard and upn');

$t->refused(ask('addresses', san => 'DNS:a.test'), 400, 'san_not_allowed',
    'ip: a dNSName is refused');
$t->refused(ask('parts', san => 'DNS:a.test'), 400, 'san_not_allowed',
    'none: any is refused');
$t->refused(ask('default', san => 'DNS:*.test'), 400, 'san_not_allowed',
    'a wildcard is none of the default');
$t->refused(ask('named', query => '?dns=a_b%20c'), 400, 'malformed_san',
    'a template\'s value is checked, too');

# Microsoft's SID: dropped, unless it is named

my $tag = 'tag:microsoft.com,2022-09-14:sid:S-1-5-21-1-2-3-500';
my $sid = [extension_request(san(dns('a.test'), der(0x86, $tag)))];
for (['default', 0], ['windows', 1]) {
    my ($profile, $in) = @$_;
    my $der = $t->issued(post($profile, $t->forge(name => 'k',
        attributes => $sid)));
    my $san = cert_fields($der)->{exts}{oid('2.5.29.17')}{value};
    is(index($san, $tag) >= 0 ? 1 : 0, $in, "$profile: SID in the SAN: $in");
    ok(index($san, 'a.test') >= 0, "$profile: and the rest");
}
my $ext = [extension_request(extension('1.3.6.1.4.1.311.25.2', seq(ctx(0,
    oid('1.3.6.1.4.1.311.25.2.1'), ctx(0, octets('S-1-5-21-500'))))))];
my $c = cert_fields($t->issued(post('windows', $t->forge(name => 'k',
    attributes => $ext))));
ok(!$c->{exts}{oid('1.3.6.1.4.1.311.25.2')}, 'its extension is never copied');

# criticality: of the subject, not of the request

$c = cert_fields($t->issued(ask('default', subject => '/',
                                san => 'DNS:a.test')));
is($c->{subject}, name(), 'an empty subject');
ok($c->{exts}{oid('2.5.29.17')}{critical}, 'makes the SAN critical');
$c = cert_fields($t->issued(post('default', $t->forge(name => 'k',
    attributes => [extension_request(extension('2.5.29.17',
        seq(dns('a.test')), 1))]))));
ok(!$c->{exts}{oid('2.5.29.17')}{critical}, 'a subject does not');

# keys

$t->refused(ask('p256', name => 'rsa'), 400, 'key_not_allowed', 'keys');

$t->done;

##############################################################################

sub post {
    my ($profile, $csr, $query) = @_;
    return $t->est('simpleenroll' . ($query // ''), prefix => "/$profile/",
                   csr => $csr);
}

sub ask {
    my ($profile, %o) = @_;
    my $query = delete $o{query};
    return post($profile, $t->csr(name => 'k', subject => '/CN=x', %o), $query);
}

sub subject {
    my ($profile, $subject, $query) = @_;
    my $der = $t->issued(ask($profile, subject => $subject, query => $query));
    return $der && cert_fields($der)->{subject};
}

sub sans {
    my ($profile, $san, $query) = @_;
    my $der = $t->issued(ask($profile, san => $san, query => $query))
        or return '';
    my ($line) = $t->x509($der, '-ext', 'subjectAltName')
        =~ /Alternative Name:[^\n]*\n\s+(.*?)\s*$/;
    return $line;
}

sub dates {
    my ($profile) = @_;
    require Time::Local;
    my @t = map {
        my ($y, $m, $d, $h, $i, $s) =
            /^(?:20)?(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/;
        Time::Local::timegm($s, $i, $h, $d, $m - 1, 2000 + $y);
    } @{cert_fields($t->issued(ask($profile)))}{'not_before', 'not_after'};
    return { from => $t[0], till => $t[1] };
}
