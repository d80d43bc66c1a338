#!/usr/bin/perl

# Copyright (C) The nginx-enroll authors

# Bodies that are neither base64 nor DER nor PEM (BAD-029 to BAD-038).
#
# Conformance: EST-181 EST-182 BAD-029 BAD-031 BAD-032 BAD-033 BAD-034
#   BAD-035 BAD-036 BAD-037 BAD-038

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
$t->users('users', dev1 => 'secret');
$t->conf(<<'CONF');
    enroll_redis unix:%%DIR%%/redis.sock;
    enroll_ca devices {
        certificate %%DIR%%/ca.crt;
        certificate_key %%DIR%%/ca.key;
    }

    server {
        listen 127.0.0.1:%%PORT_tls%% ssl;
        %%TLS%%

        location /.well-known/est/ {
            est devices;
            est_basic_users %%DIR%%/users;
        }
    }
CONF
$t->run;

##############################################################################

# requests whose base64 ends without, with one and with two "="

my @line;
for my $n (1 .. 40) {
    my $csr = $t->forge(name => 'k', subject => name(CN => 'dev1',
                                                     O => 'x' x $n));
    my $pad = () = $csr->{b64} =~ /=/g;
    $line[$pad] //= $csr->{b64} =~ s/\n//gr;
    last if 3 == grep { defined } @line;
}

my $conn = $t->connect;
is(ask($line[$_])->{status}, 200, "good, with $_ padding characters")
    for 0 .. 2;
my $state = $t->state;
my $good = $line[2];

# nothing

refuses($_->[1], 'empty_body', $_->[0])
    for ['nothing', ''], ['spaces', '   '], ['white space', " \t\r\n\r\n"];

# not the alphabet

my %byte = (NUL => "\0", '0x80' => "\x80", '0xFF' => "\xff",
            map { $_ => $_ } qw(- _ . % ! * :), ',', "'", '"');
for my $name (sort keys %byte) {
    for my $at (0, 1, 100, length($good) - 4) {
        my $bad = $good;
        substr $bad, $at, 1, $byte{$name};
        refuses($bad, 'bad_base64', "$name at $at");
    }
}
refuses($good =~ tr{+/}{-_}r . '-_', 'bad_base64', 'the URL alphabet');
refuses("\xef\xbb\xbf$good", 'bad_base64', 'a byte order mark');
refuses(join('', map { "$_\0" } split //, $good), 'bad_base64', 'UTF-16LE');
refuses(join('', map { "\0$_" } split //, $good), 'bad_base64', 'UTF-16BE');
refuses($good =~ s/=/=3D/gr, 'bad_base64', 'quoted-printable');
refuses("csr=$good", 'bad_base64', 'a form\'s field');
refuses($good =~ s/\+/%2B/gr =~ s/=/%3D/gr, 'bad_base64',
    'percent-encoded');
refuses("--x\r\nContent-Type: application/pkcs10\r\n\r\n$good\r\n--x--\r\n",
    'bad_base64', 'multipart');
refuses("{\"csr\": \"$good\"}", 'bad_base64', 'JSON');
refuses("\f$good", 'bad_base64', 'a form feed is no white space');

# padding

my ($none, $one, $two) = @line;
refuses('=' x $_, 'bad_base64', 'only ' . '=' x $_) for 1 .. 4;
refuses($two =~ s/==$//r, 'bad_base64', 'none of two');
refuses($two =~ s/==$/=/r, 'bad_base64', 'one of two');
refuses("$two=", 'bad_base64', 'three of two');
refuses($one =~ s/=$//r, 'bad_base64', 'none of one');
refuses("$one=", 'bad_base64', 'two of one');
refuses("$none=", 'bad_base64', 'one of none');
refuses("$none====", 'bad_base64', 'four of none');
refuses(substr($none, 0, 40) . '=' . substr($none, 40), 'bad_base64',
    'in the middle');
refuses("$two$two", 'bad_base64', 'data after the padding');
refuses("${two}A", 'bad_base64', 'a character after the padding');
refuses("$two\n\n$none", 'bad_base64', 'two in a row');
refuses("${none}A", 'bad_base64', 'a character too many');
refuses(substr($none, 0, -1), 'bad_base64', 'a character too few');
refuses('A', 'bad_base64', 'one character');

# bits in the padding that must be zero

(my $dirty = $two) =~ s/([AQgw])==$/chr(1 + ord $1) . '=='/e;
refuses($dirty, 'bad_base64', 'bits behind the end, two') if $dirty ne $two;
($dirty = $one) =~ s/([AEIMQUYcgkosw048])=$/chr(1 + ord $1) . '='/e;
refuses($dirty, 'bad_base64', 'bits behind the end, one') if $dirty ne $one;

# good base64 of something else

refuses(b64($_->[1]), 'malformed_csr', $_->[0])
    for ['an octet', 'x'], ['text', 'hello world'], ['zeros', "\0" x 100],
        ['base64 once more', $good], ['PEM', pem('x')];

is($t->state, $state, 'nothing is left in Redis');

# in linear time

my $start = time;
is(ask(("\n" x 100_000) . $good)->{status}, 200, '100000 empty lines');
is(ask((' ' x 50_000) . $good . (' ' x 50_000))->{status}, 200, 'and spaces');
refuses('A' x 120_000, 'malformed_csr', 'a long line');
cmp_ok(time - $start, '<', 3, 'in little time');

is(ask($good)->{status}, 200, 'a good one goes on working');

$conn->close;
$t->done;

##############################################################################

sub ask {
    my ($body) = @_;
    my $r = $conn->post('simpleenroll', data => $body, user => 'dev1:secret');
    $conn = $t->connect
        if ($r->{headers}{connection} // 'close') eq 'close';
    return $r;
}

sub refuses {
    my ($body, $reason, $name) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    $t->refused(ask($body), 400, $reason, $name);
}
