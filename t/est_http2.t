#!/usr/bin/perl

# Copyright (C) The nginx-enroll authors

# EST over HTTP/2, frame by frame: bodies in many frames, streams that are
# reset, lengths that do not agree (BAD-023, BAD-024).
#
# Conformance: BAD-023 BAD-024

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use Enroll;
use EnrollDER;

##############################################################################

my $t = Enroll->new;

$t->ca('ca', key => 'rsa:2048');
$t->conf(<<'CONF');
    enroll_redis unix:%%DIR%%/redis.sock;
    enroll_ca devices {
        certificate %%DIR%%/ca.crt;
        certificate_key %%DIR%%/ca.key;
    }

    server {
        listen 127.0.0.1:%%PORT_tls%% ssl http2;
        %%TLS%%
        keepalive_requests 10000;
        location /.well-known/est/ {
            est devices;
            est_auth none;
            enroll_names any;
        }
    }
CONF
$t->run;

##############################################################################

my ($DATA, $HEADERS, $RST, $SETTINGS, $PING) = (0, 1, 3, 4, 6);
my ($END, $END_HEADERS, $PADDED) = (1, 4, 8);

my @csr = map { $t->forge(name => 'k', subject => name(CN => "dev$_"))->{b64} }
              1 .. 60;
my $body = $csr[0];
my $c = h2();

# bodies of every shape

my %shape = (
    'one frame' => [[$DATA, $END, $body]],
    'a frame for each octet' => [map({ [$DATA, 0, $_] } split //, $body),
                                 [$DATA, $END, '']],
    'padding' => [[$DATA, $PADDED, "\x64$body" . "\0" x 100],
                  [$DATA, $END, '']],
    'empty frames' => [([$DATA, 0, '']) x 5, [$DATA, 0, $body],
                       ([$DATA, 0, '']) x 5, [$DATA, $END, '']],
);
for my $name (sort keys %shape) {
    is(status($c, post($c, $shape{$name})), 200, "$name: enrolled");
    is(status($c, post($c, $shape{$name}, 'content-length', length $body)), 200,
        "$name, with its length: enrolled");
}

# nginx knows no trailers: the connection ends, or it is enrolled

like(status($c, post($c, [[$DATA, 0, $body], [$HEADERS, $END | $END_HEADERS,
    field('x-t', '1')]])), qr/^(?:200|reset|)$/, 'trailers');
$c = h2();

# the denied twins

for (['too short a length', length($body) - 1],
     ['too long a length', length($body) + 1],
     ['a length of none', 'x'])
{
    my ($name, $length) = @$_;
    isnt(status($c, post($c, $shape{'one frame'}, 'content-length', $length)),
        200, "$name: not enrolled");
    $c = h2();
}
is(status($c, post($c, [[$DATA, $END, '']])), 400, 'an empty body: 400');
is(status($c, post($c, [], 'x', 'y', $END)), 400, 'no body at all: 400');
is(status($c, post($c, [[$DATA, $END, '!']])), 400, 'a bad body: 400');

# many streams at once, in one connection

my @ids = map { post($c, [[$DATA, $END, $_]]) } @csr[1 .. 20];
is(join(' ', map { status($c, $_) } @ids), join(' ', (200) x 20),
    'twenty streams at once: enrolled');

# streams that are reset: in front of their body, in it, behind it

my $n = $t->count('issued');
for my $round (1 .. 4) {
    my $c = h2();
    for my $i (1 .. 25) {
        my $csr = $csr[20 + $i];
        my $id = post($c, [[$DATA, 0, substr $csr, 0, 80 * ($round - 1)],
            $round == 4 ? [$DATA, $END, substr $csr, 240] : ()]);
        frame($c, $RST, 0, $id, pack 'N', 8);
    }
    frame($c, $PING, 0, 0, 'pingpong');
    my ($pong) = frames($c, sub { $_[0]{type} == $PING || $_[0]{type} == 7 });
    ok($pong, "reset in state $round: the connection is answered, or ended");
    $c->abort if $round % 2;
}
is($t->est('cacerts')->{status}, 200, 'others are served');
wait_for { $t->open_txns eq '' } 5;
is($t->open_txns, '', 'no transaction is open');
cmp_ok($t->count('issued') - $n, '<=', 25, 'no more than were complete');
is(scalar($t->keys('enroll:{devices}:cert:*')), $t->count('issued'),
    'records and counter agree');

# the end of a connection with streams on the way

$c = h2();
post($c, [[$DATA, $END, $_]]) for @csr[46 .. 59];
$c->abort;
$c = h2();
is(status($c, post($c, [[$DATA, $END, $body]])), 200, 'a good one');

$c->close;
$t->done;

##############################################################################

sub h2 {
    my $c = $t->connect(args => { SSL_alpn_protocols => ['h2'] });
    $c->write("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    frame($c, $SETTINGS, 0, 0, '');
    $c->{next} = 1;
    return $c;
}

sub frame {
    my ($c, $type, $flags, $id, $data) = @_;
    return $c->write(pack('CnCCN', length($data) >> 16, length($data) & 0xffff,
                          $type, $flags, $id) . $data);
}

# a literal, never indexed
sub field {
    my $s = '';
    while (my ($name, $value) = splice @_, 0, 2) {
        $s .= "\x10" . chr(length $name) . $name . chr(length $value) . $value;
    }
    return $s;
}

# a request of the frames given: the number of its stream
sub post {
    my ($c, $frames, $name, $value, $flags) = @_;
    my $id = $c->{next};
    $c->{next} += 2;
    frame($c, $HEADERS, $END_HEADERS | ($flags // 0), $id, field(
        ':method', 'POST', ':scheme', 'https', ':authority', 'x',
        ':path', '/.well-known/est/simpleenroll',
        'content-type', 'application/pkcs10',
        defined $name ? ($name, $value) : ()));
    frame($c, $_->[0], $_->[1], $id, $_->[2]) for @$frames;
    return $id;
}

# reads frames until one is as wanted: the last one read
sub frames {
    my ($c, $want) = @_;
    my $end = Time::HiRes::time() + 10;

    for (1 .. 10000) {
        if (length $c->{buf} >= 9) {
            my ($h, $l, $type, $flags, $id) = unpack 'CnCCN', $c->{buf};
            my $length = $h << 16 | $l;
            if (length $c->{buf} >= 9 + $length) {
                my $data = substr $c->{buf}, 9, $length;
                substr $c->{buf}, 0, 9 + $length, '';
                my $f = { type => $type, flags => $flags, id => $id,
                          data => $data };
                frame($c, $SETTINGS, 1, 0, '')
                    if $type == $SETTINGS && !($flags & 1);
                push @{$c->{seen}{$id}}, $f;
                return $f if $want->($f);
                next;
            }
        }
        return undef if !$c->fill($end);
    }
    return undef;
}

# the status of a stream's answer: "reset", or "" where there is none
sub status {
    my ($c, $id) = @_;
    my %code = (0x88 => 200, 0x89 => 204, 0x8c => 400, 0x8d => 404);

    my $done = sub {
        my ($f) = @_;
        return $f->{type} == 7 || $f->{id} == $id
            && ($f->{type} == $RST || $f->{flags} & $END);
    };
    my ($last) = grep { $done->($_) } @{$c->{seen}{$id} || []};
    $last //= frames($c, $done) or return '';

    my ($head) = grep { $_->{type} == $HEADERS } @{$c->{seen}{$id} || []};
    return 'reset' if !$head;

    # indexed, or a literal value for an indexed name; perhaps behind an
    # update of the table's size
    (my $data = $head->{data}) =~ s/^[\x20-\x3f]//;
    return $code{ord $data} if $code{ord $data};
    return $1 if $data =~ /^[\x08\x48]\x03(\d{3})/;
    return 'other';
}
