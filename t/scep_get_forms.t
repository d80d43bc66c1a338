#!/usr/bin/perl

# Copyright (C) The nginx-enroll authors

# The message of a GET: base64 as clients damage it on its way, and what is
# none.
#
# Conformance: SCEP-001 SCEP-020 SCEP-021 SCEP-022 SCEP-025 SCEP-030
#   DEV-007 DEV-008 DEV-015 DEV-020 BAD-096 BAD-097 BAD-098 BAD-099
#   BAD-106

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
$t->conf(<<'CONF');
    enroll_redis unix:%%DIR%%/redis.sock;
    enroll_ca devices {
        certificate %%DIR%%/ca.crt;
        certificate_key %%DIR%%/ca.key;
    }
    scep_challenge secret;

    # the default, 8k, is enough for a message of 5 or 6 kB
    server {
        listen 127.0.0.1:%%PORT_plain%%;
        location /scep { scep devices; }
    }
CONF
$t->run;

my $s = EnrollSCEP->new($t, ra => 'ca');
my $c = $s->client('dev1');
my $m;

# one whose base64 has a plus, a slash and padding
do { $m = $s->request($c, challenge => 'secret') }
    until EnrollSCEP::b64($m->{der}) =~ m{^(?=.*\+)(?=.*/).*=$}s;

my $b64 = EnrollSCEP::b64($m->{der});
(my $one = $b64) =~ s/\n//g;
my $serial;

##############################################################################

# the same message each time, hence the same certificate

for my $form (
    ['percent-encoded', EnrollSCEP::query($m->{der})],
    ['percent-encoded in lower case', lc_escapes($one)],
    ['as it is', $one],
    ['only the plus escaped, lines by %0A', plus(escaped_lines($b64, '%0A'))],
    ['lines by %0D%0A', escaped_lines($b64, '%0D%0A')],
    ['lines by %0a, a last one too', escaped_lines($b64, '%0a') . '%0a'],
    ['a plus for a space: form encoding', spaces($one, '%20')],
    ['unpadded', $one =~ s/=+$//r],
    ['letters escaped', $one =~ s/([A-F])/sprintf '%%%02x', ord $1/ger])
{
    my ($name, $text) = @$form;
    my $der = $s->issued($s->send($m, get => $text), $m, $name);
    $serial //= EnrollSCEP::serial($der);
    is(EnrollSCEP::serial($der), $serial, "$name: the same certificate");
}

# HTTP/1.0 without Host; the order of the arguments

my $conn = $s->start($m, raw => 'GET /scep?operation=PKIOperation&message='
                                . EnrollSCEP::query($m->{der})
                                . " HTTP/1.0\r\n\r\n");
$s->issued($s->response($conn), $m, 'HTTP/1.0 without Host');

$conn = $s->start($m, raw => 'GET /scep/pkiclient.exe?message='
    . EnrollSCEP::query($m->{der})
    . "&operation=PKIOperation HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
$s->issued($s->response($conn), $m, 'message first');

##############################################################################

# what is no message; none is recorded

# nothing below changes it
my $state = join ' ', $t->keys('*:cert:*'), $t->keys('*:txn:*');

for my $bad (
    ['absent', undef, 'empty_body'],
    ['empty', '', 'empty_body'],
    ['base64url', $one =~ tr{+/}{-_}r, 'bad_base64'],
    ['a percent sign', '%', 'bad_base64'],
    ['half an escape', "$one%2", 'bad_base64'],
    ['no escape', "$one%zz", 'bad_base64'],
    ['escaped twice', EnrollSCEP::query($m->{der}) =~ s/%/%25/gr,
     'bad_base64'],
    ['NUL', "$one%00", 'bad_base64'],
    ['padding inside', substr($one, 0, 8) . '==' . substr($one, 8),
     'bad_base64'],
    ['no letter of it', "!$one", 'bad_base64'],
    ['cut off', substr($one, 0, 400), 'malformed_message'],
    ['no DER', 'AAAA', 'malformed_message'],
    ['a word', 'default', undef])
{
    my ($name, $text, $reason) = @$bad;
    my $r = $s->response($s->start($m, raw => 'GET /scep?operation=PKIOperation'
        . (defined $text ? "&message=$text" : '')
        . " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"));
    $reason //= $r->{reason} // 'none';
    $s->refused($r, 400, $reason, "no message: $name");
}

# BAD-096, BAD-098: operations and bodies that are none

for my $query ('', '?', '?operation', '?operation=', '?operation=foo',
    '?operation=PKIOperationX', '?operation=GetCACaps%00',
    '?operation=%2547etCACaps', '?operation=GetCACaps+', '?operation=%',
    '?operation=getcacaps', '?operation=' . '%47' x 500,
    '?operation=foo&operation=GetCACaps', '?operation=&operation=GetCACaps')
{
    my $r = $s->response($s->start($m,
        raw => "GET /scep$query HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"));
    $s->refused($r, 400, 'unknown_scep_operation', "no operation: '$query'");
}

# values may be percent-encoded, names are of any case, the first one counts

for my $query ('operation=%47etCACaps', 'operation=G%65tC%41C%61ps',
    'operation=%47%65%74%43%41%43%61%70%73', 'OPERATION=GetCACaps',
    'x=1&&operation=GetCACaps&message=%00', 'xoperation=x&operation=GetCACaps',
    'operation=GetCACaps&operation=PKIOperation',
    join('&', (map { "x$_=$_" } 1 .. 900), 'operation=GetCACaps'))
{
    my $r = $s->response($s->start($m,
        raw => "GET /scep?$query HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"));
    like("$r->{status} $r->{body}", qr/^200 .*SCEPStandard/s,
        'GetCACaps: ' . substr $query, 0, 50);
}
for my $query ('?operation=%50KI%4fperation&message=' . EnrollSCEP::query($m->{der}),
    '?operation=PKIOperation&message=' . EnrollSCEP::query($m->{der})
    . '&message=AAAA')
{
    my $conn = $s->start($m, raw => "GET /scep$query HTTP/1.0\r\n\r\n");
    $s->issued($s->response($conn), $m, 'PKIOperation: ' . substr $query, 0, 30);
}

for my $body (['empty', '', 'empty_body'], ['one octet', '0'],
    ['base64', $one], ['PEM', pem($m->{der}, 'PKCS7')],
    ['a form', 'operation=PKIOperation&message=' . $one],
    ['multipart', "--x\r\nContent-Disposition: form-data\r\n\r\n$m->{der}"],
    ['cut off', substr $m->{der}, 0, -1])
{
    my ($name, $data, $reason) = @$body;
    $s->refused($s->send($data), 400, $reason // 'malformed_message',
        "POST: $name");
}

# the message and something behind it can be answered

for my $tail ("\0", 'x', $m->{der}) {
    my $r = $s->send("$m->{der}$tail");
    $s->failed($r, $m, 2, 'malformed_message', 'something behind the message');
}

is($s->send($m, get => 'A' x 20000)->{status}, 414, 'too long for nginx');
is($s->send('x' x 200_000)->{status}, 413, 'a body that is too large');
for my $method ('PUT', 'DELETE', 'OPTIONS', 'HEAD') {
    my $r = $s->response($s->start($m, raw => "$method /scep?operation="
        . "PKIOperation&message=$one HTTP/1.1\r\nHost: x\r\n"
        . "Connection: close\r\n\r\n"));
    is("$r->{status} $r->{headers}{allow}", '405 GET, POST', $method);
}
is(join(' ', $t->keys('*:cert:*'), $t->keys('*:txn:*')), $state,
    'nothing came of it');

$t->done;

##############################################################################

sub lc_escapes { EnrollSCEP::query($m->{der}) =~ s/(%..)/lc $1/ger }
sub plus { $_[0] =~ s/\+/%2B/gr }
sub spaces { my ($s, $by) = @_; $s =~ s/\+/$by/g; return $s }
sub escaped_lines { my ($s, $by) = @_; $s =~ s/\n(?!\z)/$by/g; $s =~ s/\n//; $s }
