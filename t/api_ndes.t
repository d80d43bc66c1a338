#!/usr/bin/perl

# Copyright (C) The nginx-enroll authors

# The page that device management scrapes for a challenge, as NDES has it.
#
# Conformance: DEV-022

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Digest::SHA qw(sha256_hex);
use Encode ();
use Test::More;

use Enroll;
use EnrollDER;

##############################################################################

my $t = Enroll->new;

$t->ca('ca');
$t->users('api.users', mdm => 'secret');
$t->conf(<<'CONF')->run;
    enroll_redis unix:%%DIR%%/redis.sock;
    enroll_ca devices {
        certificate %%DIR%%/ca.crt;
        certificate_key %%DIR%%/ca.key;
    }
    server {
        listen 127.0.0.1:%%PORT_tls%% ssl;
        %%TLS%%
        enroll_api_users %%DIR%%/api.users;

        location /certsrv/mscep_admin { enroll_api ndes guard=basic; }
        location = /exact {
            enroll_api devices guard=external ndes=utf-8 lifetime=90s;
        }
    }
CONF

##############################################################################

my $path = '/certsrv/mscep_admin/';
my %mdm = (user => 'mdm:secret');

my $r = $t->est('', prefix => $path, %mdm);
is($r->{status}, 200, 'the page');
is($r->{type}, 'text/html; charset=utf-16', 'its type');
is($r->{headers}{'cache-control'}, 'no-store', 'not to be kept');
is(substr($r->{body}, 0, 8), "\xff\xfe<\0H\0T\0", 'UTF-16LE, and a mark');
my $page = Encode::decode('UTF-16', $r->{body});

# as it is scraped

my ($challenge) = $page =~ /The enrollment challenge password is: <B> (\S*)/;
like($challenge, qr/^[0-9A-F]{32}$/, 'the challenge');
like($page, qr/> The enrollment challenge password is: <B> \w+ <\/B>/,
    'what is around it');
is((grep { /^[A-F0-9]{16}/ } split /\s+/, $page)[0], $challenge,
    'the first long word in hex');
like($page, qr/will expire within 60 minutes/, 'how long');
my ($print) = $page =~ /thumbprint \(hash value\) for the CA certificate is: <B>([ 0-9A-F]+)</;
my $der = $t->openssl('x509', '-in', $t->dir('ca.crt'), '-noout',
                      '-fingerprint', '-sha256');
(my $want = ($der =~ /=(\S+)/)[0]) =~ s/://g;
is($print =~ s/ //gr, $want, 'whose it is');

my ($key) = $t->keys('enroll:{devices}:challenge:*');
is($t->hash($key)->{digest}, sha256_hex($challenge), 'it is minted');
is($t->hash($key)->{by}, 'mdm', 'for whom');

isnt(scraped($t->est('', prefix => substr($path, 0, -1), %mdm)), $challenge,
    'another one, without the last slash');

# refused

my $before = $t->state;
for (['', 401], ['', 401, user => 'mdm:x'], ['x', 404, %mdm],
     ['', 405, %mdm, method => 'POST'], ['', 405, %mdm, args => ['-I']],
     ['', 403, %mdm, headers => ['Sec-Fetch-Site: cross-site']])
{
    my ($rest, $status, %o) = @$_;
    $r = $t->est($rest, prefix => $path, %o);
    is($r->{status}, $status, join ' ', 'asked with', $rest, map { ref $_ ? @$_ : $_ } %o);
}
is($t->state, $before, 'nothing is minted');

# UTF-8

$r = $t->est('', prefix => '/exact');
is($r->{type}, 'text/html; charset=utf-8', 'UTF-8, in an exact location');
like($r->{body}, qr/password is: <B> [0-9A-F]{32} <\/B>.*within 2 minutes/s,
    'the page');
unlike($t->log, qr/[0-9A-F]{32}/, 'no challenge is in the log');

$t->redis_stop;
$r = $t->est('', prefix => '/exact');
is($r->{status}, 503, 'Redis is away');

$t->done;

sub scraped { (Encode::decode('UTF-16', $_[0]{body}) =~ /<B> (\w{32})/)[0] }
