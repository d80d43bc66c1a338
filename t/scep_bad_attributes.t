#!/usr/bin/perl

# Copyright (C) The nginx-enroll authors

# The attributes of a message, one by one: absent, twice, of another type, too
# long, and what must not be taken for a number.
#
# Conformance: BAD-050 SCEP-027 SCEP-033 SCEP-036 SCEP-037 SCEP-044
#   SCEP-045 SCEP-046 SCEP-095 SCEP-098 DEV-004 BAD-112 BAD-113 BAD-114
#   BAD-115 BAD-116 BAD-117

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
    scep_failure_limit off;

    server {
        listen 127.0.0.1:%%PORT_plain%%;
        location /scep { scep devices; }
    }
CONF
$t->run;

my $s = EnrollSCEP->new($t, ra => 'ca');
my $c = $s->client('dev1');
my $base = $s->request($c, challenge => 'secret');
my $scep = '2.16.840.1.113733.1.9';
my ($type, $nonce, $id) = map { "$scep.$_" } 2, 5, 7;

##############################################################################

# transactionID: echoed octet for octet

for my $good ('1', '9' x 77, 'x' x 255, 'aB+/=' x 6, '../../etc', '*', '{devices}',
    'a b', "'\"<>&;`\$(id)", '%00%0d%0a', 'enroll:{devices}:cert:1')
{
    my $m = $s->request($c, challenge => 'secret', transaction => $good);
    $s->issued($s->send($m), $m, 'transactionID: ' . substr $good, 0, 40);
}
for my $good ([UTF8String => 0x0c], [IA5String => 0x16]) {
    my ($name, $tag) = @$good;
    my $m = $s->again($base, attr => { transactionID => attribute($id,
        text($tag, $base->{transaction})) });
    $s->issued($s->send($m), $m, "transactionID: $name", id_tag => $tag);
}
is(scalar(grep { !/^enroll:\{devices\}:[a-z]+[\w:]*$/ } $t->keys), 0,
    'the keys in Redis are our own')
    or diag(grep { !/^enroll:\{devices\}:[a-z]+[\w:]*$/ } $t->keys);

my @ids = (
    ['absent', []], ['twice', [(attribute($id, printable('1'))) x 2]],
    ['two values', attribute($id, printable('1'), printable('2'))],
    ['no value', attribute($id)],
    map({ [$_->[0], attribute($id, $_->[1])] }
        ['empty', printable('')], ['of 256', printable('x' x 256)],
        ['of 100000', printable('x' x 100_000)],
        ['an OCTET STRING', octets('1')], ['an INTEGER', integer(1)],
        ['a BMPString', text(0x1e, "\0001")], ['NULL', null()],
        ['a T61String', text(0x14, '1')], ['a SEQUENCE', seq(printable('1'))],
        ['with NUL', printable("1\0")], ['with CR LF', printable("1\r\nX: y")],
        ['with DEL', printable("\x7f")], ['of Latin-1', utf8("\xfc")]));
no_answer('transactionID', transactionID => @ids);

# senderNonce: 1 to 64 octets

for my $n (1, 8, 15, 16, 17, 64) {
    my $m = $s->request($c, challenge => 'secret',
                        nonce => EnrollSCEP::random_octets($n));
    $s->issued($s->send($m), $m, "senderNonce of $n octets");
}
no_answer('senderNonce', senderNonce =>
    ['absent', []], ['twice', [map { attribute($nonce, octets($_)) } 1, 2]],
    ['two values', attribute($nonce, octets('a'), octets('b'))],
    ['no value', attribute($nonce)],
    map({ [$_->[0], attribute($nonce, $_->[1])] }
        ['empty', octets('')], ['of 65 octets', octets('x' x 65)],
        ['of 100000 octets', octets('x' x 100_000)],
        ['a PrintableString', printable('x' x 16)],
        ['an INTEGER', integer(1)]));

##############################################################################

# messageType: an exact list

for my $tag (0x13, 0x0c, 0x16) {
    my $m = $s->again($base, attr => { messageType =>
        attribute($type, text($tag, '19')) });
    $s->issued($s->send($m), $m, sprintf 'messageType 19, tag 0x%02x', $tag);
}
my $certs = $t->keys('*:cert:*');

for my $bad ('', '19 ', ' 19', '+19', '-19', '019', '0x13', '1900', "19\0",
    "19\n", '0', '1', '2', '3', '18', '23', '99', '4294967315',
    '18446744073709551635', '1' x 10_000, '19,17', 'PKCSReq')
{
    type_refused(attribute($type, printable($bad)), 'message_type',
        'messageType "' . (substr($bad, 0, 25) =~ s/\W/./gr) . '"');
}
for my $bad (['absent', []], ['twice', [map { attribute($type, printable($_)) }
                                            19, 17]],
    ['two values', attribute($type, printable('19'), printable('17'))],
    ['the same twice', attribute($type, (printable('19')) x 2)],
    ['no value', attribute($type)],
    ['an INTEGER', attribute($type, integer(19))],
    ['an OCTET STRING', attribute($type, octets('19'))],
    ['a BMPString', attribute($type, text(0x1e, "\0001\0009"))])
{
    type_refused($bad->[1], 'malformed_scep_attribute',
        "messageType: $bad->[0]");
}

# the right envelope, of another type

for my $other (17, 20, 21, 22) {
    my $m = $s->again($base, attr => { messageType =>
        attribute($type, printable($other)) });
    $s->failed($s->send($m), $m, $other == 17 ? (4, 'renewal_issuer')
                                 : $other == 22 ? (2, 'no_crl')
                                                : (2, 'envelope_not_opened'),
        "a request as $other");
}

##############################################################################

# what a request should not have is not looked at

for my $more (
    ['pkiStatus', attribute("$scep.3", printable('0'))],
    ['failInfo', attribute("$scep.4", printable('2'))],
    ['recipientNonce', attribute("$scep.6", octets('x' x 16))],
    ['a failInfoText that is no UTF-8',
     attribute('1.3.6.1.5.5.7.24.1', utf8("\xff\xfe"))],
    map({ ["signingTime $_->[0]", attribute('1.2.840.113549.1.9.5', $_->[1])] }
        ['of 1950', text(0x17, '500101000000Z')],
        ['of 9999', text(0x18, '99991231235959Z')],
        ['that is none', octets('now')]),
    ['signingTime twice', map { attribute('1.2.840.113549.1.9.5',
                                          text(0x17, "${_}0101000000Z")) } 10, 20],
    ['an unknown attribute', attribute('1.2.3.4', octets('x' x 5000))],
    ['50 attributes', map { attribute("1.2.3.$_", null()) } 1 .. 50])
{
    my ($name, @more) = @$more;
    my $m = $s->again($base, more => \@more);
    $s->issued($s->send($m), $m, "not looked at: $name");
}
no_answer('', extra => ['100 attributes', [map { attribute("1.2.3.$_", null()) }
                                               1 .. 100]]);

# an answer is no question

my $m = $s->request($c, challenge => 'secret');
my $r = $s->send($m);
$s->issued($r, $m, 'a request');
my $back = { transaction => $m->{transaction}, digest => 'sha256',
             nonce => $s->open($r, $m)->{nonce},
             client => { cert => $s->der_of('ca') } };
$s->failed($s->send($r->{body}), $back, 2, 'message_type',
    'its answer, sent back');

is(scalar $t->keys('*:cert:*'), $certs + 1, 'nothing else was issued');
is($t->open_txns, '', 'no transaction is open');
unlike($t->log, qr/^X: y/m, 'error.log has no line of a client');
$t->done;

##############################################################################

sub no_answer {
    my ($what, $attr, @bad) = @_;
    for my $bad (@bad) {
        my $m = $s->again($base, attr => { $attr => $bad->[1] });
        $s->refused($s->send($m), 400, 'malformed_message',
            "no answer: $what $bad->[0]");
    }
}

sub type_refused {
    my ($attr, $reason, $name) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $m = $s->again($base, attr => { messageType => $attr });
    return $s->failed($s->send($m), $m, 2, $reason, $name);
}
