#!/usr/bin/perl

# Copyright (C) The nginx-enroll authors

# Subjects and subjectAltNames that are malformed, too many, or of a kind that
# is not taken (BAD-060 to BAD-063).
#
# Conformance: EST-091 PKIX-022 PKIX-033 PKIX-034 PKIX-035 P10-010
#   BAD-060 BAD-061 BAD-062 BAD-063

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use Enroll;
use EnrollDER;

##############################################################################

my $t = Enroll->new;

$t->ca('ca');
$t->conf(<<'CONF');
    enroll_redis unix:%%DIR%%/redis.sock;
    enroll_ca devices {
        certificate %%DIR%%/ca.crt;
        certificate_key %%DIR%%/ca.key;
    }

    server {
        listen 127.0.0.1:%%PORT_tls%% ssl;
        %%TLS%%
        client_body_buffer_size 128k;
        enroll_max_body_size 4m;
        client_max_body_size 4m;
        keepalive_requests 10000;

        location /.well-known/est/ {
            est devices;
            est_auth none;
            enroll_names any;
        }
    }
CONF
$t->run;
$t->key('k');

my $conn = $t->connect;

is(ask()->{status}, 200, 'a request without anything odd');
my $state = $t->state;

##############################################################################

# names

my $long = 'x' x 70_000;
for (['an empty RDN', seq(set())], ['no SEQUENCE', set()],
     ['an AVA without a value', seq(set(seq(oid('2.5.4.3'))))],
     ['1000 RDNs', name(map { (CN => "x$_") } 1 .. 1000)],
     ['an RDN of 1000 values', seq(rdn(map { (CN => "x$_") } 1 .. 1000))],
     ['a CN of 65 characters', name(CN => 'x' x 65)],
     ['a CN of 70000', name(CN => $long)], ['a CN of none', name(CN => '')],
     ['an O of 65', name(CN => 'x', O => 'x' x 65)],
     ['C=USA', name(CN => 'x', C => \printable('USA'))],
     ['C=D', name(CN => 'x', C => \printable('D'))],
     ['a NUL', name(CN => "good.test\0.evil.test")],
     ['a LF', name(CN => "x\ny")], ['an ESC', name(CN => "x\e[31m")],
     ['invalid UTF-8', name(CN => "\xff\xfe")],
     ['overlong UTF-8', name(CN => "\xc0\xaf")],
     ['a surrogate', name(CN => "\xed\xa0\x80")],
     ['an odd BMPString', name(CN => \text(0x1e, "\0x\0"))],
     ['a UniversalString of 3', name(CN => \text(0x1c, "\0\0x"))],
     ['an INTEGER', name(CN => \integer(5))],
     ['a SEQUENCE', name(CN => \seq())],
     ['an IA5String with 0x80', name(CN => \ia5("\x80"))])
{
    bad("subject: $_->[0]", subject => $_->[1]);
}
bad('neither subject nor SAN', subject => name());

# subjectAltName

for (['a NUL', dns("good.test\0.evil.test")], ['a LF', dns("a\nb")],
     ['a quote', dns('a"b')], ['an ESC', dns("\e[1m")],
     ['a space', dns('a b')], ['a label of 64', dns(('x' x 64) . '.test')],
     ['a name of 254', dns(join '.', ('x' x 50) x 5)],
     ['a leading dot', dns('.test')], ['two dots', dns('a..b')],
     ['a star', dns('*')], ['a star inside', dns('a.*.b')],
     ['a partial star', dns('w*.test')], ['a wildcard', dns('*.test')],
     ['8 bit', dns("\xc3\xa9.test")], ['an empty one', dns('')],
     ['no name at all', ''],
     ['1000 names', join '', map { dns("a$_.test") } 1 .. 1000],
     (map { ["an address of $_", der(0x87, "\1" x $_)] } 0, 3, 5, 8, 17, 32),
     ['an otherName without a value', der(0xa0, oid('1.2.3.4'))],
     ['an unknown otherName', der(0xa0, oid('1.2.3.4'), ctx(0, utf8('x')))],
     ['a UPN', der(0xa0, oid('1.3.6.1.4.1.311.20.2.3'),
                   ctx(0, utf8('u@x.test')))],
     ['an x400Address', der(0xa3, seq())], ['an ediPartyName', der(0xa5,
         ctx(1, utf8('x')))], ['a registeredID', der(0x88, "\x2a\3\4")],
     ['a directoryName', der(0xa4, name(CN => 'x'))],
     ['a URI without a scheme', der(0x86, 'foo')],
     ['a URI with a LF', der(0x86, "http://a/\nb")],
     ['javascript', der(0x86, 'javascript:alert(1)')],
     ['a URI of 70000', der(0x86, "http://$long/")],
     ['mail without @', der(0x81, 'foo')], ['mail with 8 bit',
         der(0x81, "\xc3\xa9\@x.test")], ['mail with a LF',
         der(0x81, "a\@b.test\nc")], ['an unknown kind', der(0x89, 'x')])
{
    bad("SAN: $_->[0]", attributes => [extension_request(san($_->[1]))]);
}

is($t->state, $state, 'nothing of all this is left in Redis');

# old string types are not copied as they are

for (['PrintableString', printable('a@b')],
     ['BMPString', text(0x1e, "\0a\0@\0b")],
     ['IA5String', ia5('a@b')])
{
    my ($name, $value) = @$_;
    my $r = ask(subject => name(CN => \$value));
    is(cert_fields($t->issued($r))->{subject}, name(CN => 'a@b'),
        "$name with \@: becomes UTF8String") if $r->{status} ne '400';
}

unlike($t->log, qr/[^\n\x20-\xff]/, 'no control character is in the log');

$conn->close;
$t->done;

##############################################################################

sub ask {
    my %o = (name => 'k', @_);
    my $csr = $o{key} ? { b64 => b64(forge_csr(%o)) } : $t->forge(%o);
    my $r = $conn->post('simpleenroll', csr => $csr, timeout => 5);
    $conn = $t->connect
        if ($r->{headers}{connection} // 'close') eq 'close';
    return $r;
}

sub bad {
    my ($name, @o) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $r = ask(@o);
    $t->refused($r, 400, $r->{reason} // 'none', $name);
}
