#!/usr/bin/perl

# (C) The nginx-enroll authors

# Well-formed ASN.1 that is no acceptable certification request (BAD-052 to
# BAD-071): versions, attributes, signatures, keys, names, extensions.

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
$t->key('rsa', 'rsa:2048');

my $MS_REQUEST = '1.3.6.1.4.1.311.2.1.14';
my $REQUEST = '1.2.840.113549.1.9.14';
my $SAN = '2.5.29.17';
my $conn = $t->connect;

is(ask()->{status}, 200, 'a request without anything odd');
my $state = $t->state;

##############################################################################

# version and attributes

for (['version 1', version => integer(1)], ['version 2', version => integer(2)],
     ['version -1', version => integer("\xff")],
     ['version 2^64', version => integer("\1" . "\0" x 8)],
     ['no version', info => seq(name(CN => 'x'), spki($t->dir('k.key')), ctx(0))],
     ['attributes as [1]', attrs => ctx(1)],
     ['attributes as SET', attrs => set()],
     ['an attribute that is no SEQUENCE', attributes => [integer(1)]],
     ['an attribute without values', attributes => [attribute('1.2.3')]],
     ['an attribute whose values are no SET',
         attributes => [seq(oid('1.2.3'), seq(null()))]],
     ['an attribute of three parts',
         attributes => [seq(oid('1.2.3'), set(null()), null())]],
     ['1000 attributes',
         attributes => [map { attribute("1.2.3.$_", null()) } 1 .. 1000]])
{
    bad(@$_);
}
like(ask(info => seq(integer(0), name(CN => 'x'), spki($t->dir('k.key'))))
    ->{status}, qr/^(?:200|400)$/, 'no attributes at all: one or the other');
$state = $t->state;

# signatures

my $good = $t->forge(name => 'k');
my ($info, $alg, $sig) = csr_fields($good->{der});
my $ecdsa = sub { seq(oid("1.2.840.10045.4.$_[0]")) };
my $rsa = sub { seq(oid("1.2.840.113549.1.1.$_[0]"), null()) };
my $flipped = $sig;
substr $flipped, -1, 1, substr($sig, -1) ^ "\1";

bad('a flipped bit', signature => $flipped);
bad('an empty signature', signature => bits(''));
bad('a signature of 1 MB', signature => bits('x' x 1_000_000));
bad('a signature of nothing', signature => bits(seq(integer(0), integer(0))));
bad('another\'s signature', signature => (csr_fields(
    $t->forge(subject => name(CN => 'forged'))->{der}))[2]);
bad('RSA\'s algorithm, EC key', sigalg => $rsa->(11));
bad('ECDSA\'s algorithm, RSA key', name => 'rsa', sigalg => $ecdsa->('3.2'));
bad('no algorithm', sigalg => seq());
bad('id-alg-noSignature', sigalg => seq(oid('1.3.6.1.5.5.7.6.2'), null()));
bad('an unknown algorithm', sigalg => seq(oid('1.2.3.4')));
bad('SHA-1 with ECDSA', sigalg => $ecdsa->(1), digest => 'sha1');
bad('SHA-1 with RSA', name => 'rsa', sigalg => $rsa->(5), digest => 'sha1');
bad('MD5 with RSA', name => 'rsa', sigalg => $rsa->(4), digest => 'md5');
bad('MD2 with RSA', name => 'rsa', sigalg => $rsa->(2));
bad('RSA-PSS without parameters', name => 'rsa',
    sigalg => seq(oid('1.2.840.113549.1.1.10')));
bad("RSA-PSS with $_->[0]", name => 'rsa', sigalg => pss($_->[1]))
    for ['a salt of 10^9', ctx(2, integer("\x3b\x9a\xca\0"))],
        ['trailer 7', ctx(3, integer(7))],
        ['an unknown MGF', ctx(1, seq(oid('1.2.3')))];

# keys

my $p256 = seq(oid('1.2.840.10045.2.1'), oid('1.2.840.10045.3.1.7'));
my $point = substr content((kids(content(spki($t->dir('k.key')))))[1]{whole}), 1;
my ($x, $y) = (substr($point, 1, 32), substr($point, 33, 32));

for (['infinity', "\0"], ['off the curve', "\4$x" . ~$y],
     ['x >= p', "\4" . "\xff" x 32 . $y],
     ['compressed, no such x', "\2" . "\xff" x 32],
     ['hybrid form', chr(6 + (ord(substr $y, -1) & 1)) . $x . $y],
     ['too short', substr $point, 0, 64], ['too long', "$point\0"],
     ['an unknown form', "\5$x$y"], ['empty', ''])
{
    bad("EC: $_->[0]", spki => seq($p256, bits($_->[1])));
}
bad("EC: $_->[0]", spki => seq(seq(oid('1.2.840.10045.2.1'), $_->[1]),
                               bits($point)))
    for ['implicit curve', null()], ['an unknown curve', oid('1.2.3.4')],
        ['a binary curve', oid('1.3.132.0.39')], ['no parameters', ''],
        ['secp160r1', oid('1.3.132.0.8')];

for my $o (['explicit parameters', 'P-256', 'ec_param_enc:explicit'],
           ['secp256k1', 'secp256k1'], ['secp224r1', 'secp224r1'],
           ['brainpoolP256r1', 'brainpoolP256r1'])
{
    my ($name, $curve, @enc) = @$o;
    my $file = $t->dir("$curve@enc.key" =~ tr/://dr);
    $t->openssl('genpkey', '-algorithm', 'EC', '-pkeyopt',
        "ec_paramgen_curve:$curve", (map { ('-pkeyopt', $_) } @enc),
        '-out', $file);
    bad("EC: $name", key => $file);
}

my $n = rsa_modulus();
my $e = integer(65537);
for (['modulus 0', integer(0), $e], ['modulus 1', integer(1), $e],
     ['even modulus', der(2, substr($n, 0, -1) . "\0"), $e],
     ['negative modulus', der(2, substr $n, 1), $e],
     ['512 bits', der(2, "\0" . "\xc5" x 64), $e],
     ['1024 bits', der(2, "\0" . "\xc5" x 128), $e],
     ['16384 bits and more', der(2, "\0" . "\xc5" x 2049), $e],
     ['65536 bits', der(2, "\0" . "\xc5" x 8192), $e],
     ['a modulus of small factors', der(2, "\0" . "\xff" x 256), $e],
     ['exponent 0', der(2, $n), integer(0)], ['exponent 1', der(2, $n),
     integer(1)], ['exponent 2', der(2, $n), integer(2)],
     ['exponent 3', der(2, $n), integer(3)],
     ['exponent 65536', der(2, $n), integer(65536)],
     ['negative exponent', der(2, $n), integer("\xff")],
     ['exponent of 2048 bits', der(2, $n), der(2, $n)],
     ['no exponent', der(2, $n), ''], ['three numbers', der(2, $n), $e . $e])
{
    my ($name, @parts) = @$_;
    my $start = time;
    bad("RSA: $name", name => 'rsa', spki => rsa_spki(@parts));
}
bad('RSA: parameters that are not NULL', name => 'rsa', spki => seq(
    seq(oid('1.2.840.113549.1.1.1'), integer(1)),
    (kids(content(spki($t->dir('rsa.key')))))[1]{whole}));
bad('RSA: not a SEQUENCE', name => 'rsa', spki => seq(
    seq(oid('1.2.840.113549.1.1.1'), null()), bits(integer(1))));

for my $alg (['Ed25519', '1.3.101.112', 32], ['Ed448', '1.3.101.113', 57]) {
    my ($name, $oid, $size) = @$alg;
    bad("$name: a key of $_ octets", spki => seq(seq(oid($oid)), bits("\1" x $_)))
        for 0, $size - 1, $size + 1;
}
bad('X25519, which cannot sign', spki => seq(seq(oid('1.3.101.110')),
                                             bits("\1" x 32)));
bad('an unknown kind of key', spki => seq(seq(oid('1.2.3.4')), bits('x')));
bad('DSA', spki => seq(seq(oid('1.2.840.10040.4.1')), bits(integer(5))));
bad('an empty key', spki => seq());

# keys that are in use by this service

my $r = ask(key => $t->dir('ca.key'));
$t->refused($r, 400, 'key_reserved', 'the CA\'s own key');

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
     ['a PrintableString with @', name(CN => \printable('a@b'))],
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

# extensions and their request

my ($one, $two) = map { san(dns("$_.test")) } 'a', 'b';
my $kp = '2.5.29.15';
for (['two attributes', extension_request($one), extension_request($one)],
     ['of both OIDs', extension_request($one), attribute($MS_REQUEST, seq($two))],
     ['two values', attribute($REQUEST, seq($one), seq($two))],
     ['no value', attribute($REQUEST)],
     ['a value that is no SEQUENCE', attribute($REQUEST, integer(1))],
     ['an empty list', extension_request()],
     ['the same extension twice', extension_request($one, $two)],
     ['an empty extension', extension_request(extension($SAN, ''))],
     ['an extension that is no DER', extension_request(extension($SAN, 'x'))],
     ['octets behind an extension', extension_request(
         extension($SAN, seq(dns('a.test')) . "\0"))],
     ['critical as 01', extension_request(seq(oid($SAN), der(1, "\1"),
         octets(seq(dns('a.test')))))],
     ['critical as FALSE', extension_request(seq(oid($SAN), der(1, "\0"),
         octets(seq(dns('a.test')))))],
     ['no value in an extension', extension_request(seq(oid($SAN)))],
     ['1000 extensions', extension_request(map { extension("1.2.3.$_", null()) }
         1 .. 1000)],
     ['keyUsage of no bits', extension_request(extension($kp, bits('')))],
     ['keyUsage of 20 bits', extension_request(extension($kp,
         der(3, "\4\xff\xff\xf0")))],
     ['an empty EKU', extension_request(extension('2.5.29.37', seq()))],
     ['10000 EKUs', extension_request(extension('2.5.29.37',
         seq((oid('1.2.3.4')) x 10_000)))],
     ['pathLen -1', extension_request(extension('2.5.29.19',
         seq(bool(1), integer("\xff"))))],
     ['pathLen 2^70', extension_request(extension('2.5.29.19',
         seq(bool(1), integer("\x40" . "\0" x 8))))])
{
    my ($name, @attributes) = @$_;
    bad("extensions: $name", attributes => \@attributes);
}

# attributes with a meaning that is not given to them here

bad("$_->[0]", attributes => [$_->[1]])
    for ['changeSubjectName', attribute('1.3.6.1.5.5.7.7.36',
            seq(name(CN => 'other')))],
        ['an empty changeSubjectName', attribute('1.3.6.1.5.5.7.7.36', seq())],
        ['otpChallenge', attribute('1.2.840.113549.1.9.16.2.56', utf8('x'))],
        ['revocationChallenge',
            attribute('1.2.840.113549.1.9.16.2.57', utf8('x'))],
        ['challengePassword with %s%n', challenge(printable('%s%n'))],
        ['challengePassword of 70000', challenge(utf8($long))];

is($t->state, $state, 'nothing of all this is left in Redis');

##############################################################################

# what is odd, but not wrong

is(ask(@$_[1 .. $#$_])->{status}, 200, "fine: $_->[0]")
    for ['an unknown attribute', attributes => [attribute('1.2.3.4', null())]],
        ['SMIMECapabilities', attributes => [attribute('1.2.840.113549.1.9.15',
            seq())]],
        ['Microsoft\'s request', attributes => [attribute($MS_REQUEST,
            seq($one))]],
        ['a compressed point', spki => seq($p256,
            bits(chr(2 + (ord(substr $y, -1) & 1)) . $x))];

# a request for all that no device should have: nothing of it comes

my $evil = $t->forge(name => 'k', attributes => [extension_request(
    extension('2.5.29.19', seq(bool(1), integer(0)), 1),
    extension($kp, der(3, "\1\xfe"), 1),
    extension('2.5.29.37', seq(map { oid($_) } '2.5.29.37.0',
        '1.3.6.1.5.5.7.3.9', '1.3.6.1.5.5.7.3.28', '1.3.6.1.5.5.7.3.3')),
    extension('2.5.29.30', seq(ctx(0, seq(dns('x')))), 1),
    extension('2.5.29.31', seq(seq(ctx(0, ctx(0, der(0x86, 'http://evil/')))))),
    extension('1.3.6.1.5.5.7.1.1', seq(seq(oid('1.3.6.1.5.5.7.48.1'),
        der(0x86, 'http://evil/')))),
    extension('2.5.29.14', octets('x' x 20)),
    extension('2.5.29.32', seq(seq(oid('2.5.29.32.0')))),
    extension('1.3.6.1.5.5.7.1.24', seq(integer(5))),
    extension('2.5.29.56', null()),
    extension('2.16.840.1.113730.1.1', bits("\7")),
    extension('1.2.3.4.5', utf8('evil')), san(dns('good.test')))]);
$r = $conn->post('simpleenroll', csr => $evil);
if ($r->{status} eq '200') {
    my $c = cert_fields($t->issued($r));
    my $plain = cert_fields($t->issued(ask()));
    is_deeply([sort keys %{$c->{exts}}],
        [sort keys %{$plain->{exts}}, oid($SAN)], 'no extension but the SAN');
    for my $oid (grep { $_ ne oid($SAN) } keys %{$plain->{exts}}) {
        is_deeply($c->{exts}{$oid}, $plain->{exts}{$oid},
            'as the profile has it: ' . unpack 'H*', $oid);
    }
} else {
    like($r->{status}, qr/^4/, 'it is refused');
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

sub pss {
    return seq(oid('1.2.840.113549.1.1.10'), seq(
        ctx(0, seq(oid('2.16.840.1.101.3.4.2.1'))), @_));
}

sub rsa_modulus {
    my $bits = (kids(content(spki($t->dir('rsa.key')))))[1]{content};
    return (kids(content(substr $bits, 1)))[0]{content};
}

sub rsa_spki {
    return seq(seq(oid('1.2.840.113549.1.1.1'), null()), bits(seq(@_)));
}
