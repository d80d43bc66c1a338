#!/usr/bin/perl

# Copyright (C) The nginx-enroll authors

# Credentials that are malformed, foreign or made up (BAD-072 to BAD-075).
#
# Conformance: EST-042 EST-044 BAD-012 BAD-013 BAD-072 BAD-073 BAD-074
#   BAD-075

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use Enroll;
use EnrollDER;

##############################################################################

my $t = Enroll->new;

$t->ca($_) for 'ca', 'factory';
$t->users('users', dev1 => 'secret', '*' => 'star');
$t->conf(<<'CONF');
    enroll_redis unix:%%DIR%%/redis.sock;
    enroll_ca devices {
        certificate %%DIR%%/ca.crt;
        certificate_key %%DIR%%/ca.key;
    }

    server {
        listen 127.0.0.1:%%PORT_tls%% ssl;
        %%TLS%%
        ssl_verify_client optional_no_ca;
        ssl_client_certificate %%DIR%%/factory.crt;
        large_client_header_buffers 4 128k;
        enroll_names any;

        location /.well-known/est/ {
            est devices;
            est_basic_users %%DIR%%/users;
        }

        location /certificate/ {
            est devices;
            est_client_ca %%DIR%%/factory.crt;
        }
    }
CONF
$t->run;

##############################################################################

my $csr = $t->csr;
my $good = MIME::Base64::encode_base64('dev1:secret', '');
my $conn = $t->connect;

is(ask("Basic $good")->{status}, 200, 'good credentials');
is(ask("basic $good")->{status}, 200, 'in lower case');
is(ask("BASIC   $good")->{status}, 200, 'in capitals, with spaces');
my $state = $t->state;

my $b = sub { 'Basic ' . MIME::Base64::encode_base64($_[0], '') };
my %bad = (
    'empty' => '', 'Basic' => 'Basic', 'Basic and a space' => 'Basic ',
    'no base64' => 'Basic !!!', 'half base64' => 'Basic Zg',
    'no colon' => $b->('foo'),
    'a NUL in the password' => $b->("dev1:secret\0x"),
    'a NUL in the user' => $b->("dev1\0:secret"),
    'Bearer' => "Bearer $good", 'Digest' => 'Digest username="dev1"',
    'Basicx' => "Basicx $good", 'no scheme' => $good,
    'the URL alphabet' => 'Basic ' . ($b->("\xff\xfe\xfd:x") =~ tr{+/}{-_}r),
    '100 kB' => 'Basic ' . 'A' x 100_000, '100 kB of user' => $b->('x' x 70_000
        . ':y'), '70 kB of password' => $b->('dev1:' . 'x' x 70_000),
    'a path as user' => $b->('../../etc/passwd:x'),
    'CRLF in the user' => $b->("dev1\r\nX-Evil: 1:secret"),
    'a control character' => $b->("dev1\e[31m:secret"),
    'default, the user of Redis' => $b->('default:'),
    'a comment\'s sign' => $b->('#:'), 'a space before' => $b->(' dev1:secret'),
);
for my $name (sort keys %bad) {
    my $r = ask($bad{$name});
    my $reason = $r->{reason} // 'none';
    $reason = 'bad_password' if $reason ne 'authentication_required';
    $t->refused($r, 401, $reason, $name);
    ok(!$r->{headers}{'x-evil'}, "$name: no header of it") if $name =~ /CRLF/;
}

$conn->write("POST /.well-known/est/simpleenroll HTTP/1.1\r\nHost: x\r\n"
    . "Authorization: Basic $good\r\nAuthorization: Basic eDp5\r\n"
    . "Content-Length: ${\length $csr->{b64}}\r\n\r\n$csr->{b64}");
is($conn->response->{status}, 400, 'two Authorization headers');
$conn->close;

is($t->state, $state, 'nothing is left in Redis');
is(scalar(grep { !/^enroll:\{devices\}:/ } $t->keys), 0,
    'no key is outside of the prefix');
unlike($t->log, qr/[^\n\x20-\xff]/, 'no control character is in the log');

# many wrong ones, then a right one

$conn = $t->connect;
my %status;
$status{ask($b->("dev1:wrong$_"))->{status}}++ for 1 .. 100;
is_deeply([grep { !/^(?:401|429|503)$/ } keys %status], [],
    'a hundred wrong passwords');
$conn->close;
$conn = $t->connect;

##############################################################################

# client certificates; the server lets them in, the module looks

my $factory = unpem($t->read('factory.crt'));
my %ext = (
    eku => extension('2.5.29.37', seq(oid('1.3.6.1.5.5.7.3.2'))),
    server => extension('2.5.29.37', seq(oid('1.3.6.1.5.5.7.3.1'))),
    odd => extension('1.2.3.4', null(), 1),
    ca => extension('2.5.29.19', seq(bool(1)), 1),
);
my @client = (
    ['good', 200, exts => [$ext{eku}]],
    ['expired', 400, from => -7200, till => -3600],
    ['future', 400, from => 3600, till => 7200],
    ['server\'s EKU only', 400, exts => [$ext{server}]],
    ['an unknown critical extension', 400, exts => [$ext{odd}]],
    ['by nobody we know', 403, key => $t->key('nobody'),
        issuer => name(CN => 'nobody')],
    ['self-signed in the factory\'s name', 403, key => $t->key('client'),
        issuer_cert => undef, subject => name(O => 'Example', CN => 'factory')],
    ['in the factory\'s name, by another key', [400, 403],
        key => $t->key('self')],
);
for (@client) {
    my ($name, $status, %o) = @$_;
    my $der = forge_cert(subject_key => $t->key('client'),
        key => $t->dir('factory.key'), subject => name(CN => 'dev1'),
        issuer_cert => $factory, %o);
    $t->keep('client', $der, 'client');

    my $r = $t->est('simpleenroll', prefix => '/certificate/', csr => $csr,
                    cert => 'client');
    my ($low, $high) = ref $status ? @$status : ($status, $status);
    ok($r->{status} eq $low || $r->{status} eq $high, "certificate: $name")
        or diag("$r->{status} ", $r->{reason} // '-');
}

# a certificate that is a CA names itself, not those below it

$t->client('below', 'factory', subject => '/CN=below');
my $leaf = forge_cert(subject_key => $t->key('leaf'),
    key => $t->dir('below.key'),
    issuer_cert => unpem($t->read('below.crt')), subject => name(CN => 'dev1'));
$t->keep('leaf', $leaf, 'leaf');
$t->write('leaf.crt', $t->read('leaf.crt') . $t->read('below.crt'));
isnt($t->est('simpleenroll', prefix => '/certificate/', csr => $csr,
    cert => 'leaf')->{status}, 200, 'a device\'s certificate issues nothing');

# headers

for my $header ('X-SSL-Client-Cert: good', 'X-Forwarded-Client-Cert: By=x',
    'X-Remote-User: dev1', 'X-Forwarded-User: dev1', 'Remote-User: dev1',
    'SSL_CLIENT_VERIFY: SUCCESS', 'SSL-Client-Verify: SUCCESS')
{
    $t->refused($t->est('simpleenroll', csr => $csr, headers => [$header]),
        401, 'authentication_required', "$header: no credential");
}

is(ask("Basic $good")->{status}, 200, 'good credentials go on working');

$conn->close;

# nginx says so, without any module, of a client certificate whose signature
# is wrong, under optional_no_ca
$t->done(except => qr/ignoring stale global SSL error/);

##############################################################################

sub ask {
    my ($authorization) = @_;
    my $r = $conn->post('simpleenroll', csr => $csr,
                        headers => ["Authorization: $authorization"]);
    $conn = $t->connect
        if ($r->{headers}{connection} // 'close') eq 'close';
    return $r;
}
