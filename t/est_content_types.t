#!/usr/bin/perl

# Copyright (C) The nginx-enroll authors

# A Content-Type is refused where it says plainly that the body is
# something else; the form of the type itself is read whole.
#
# Conformance: EST-085 HTTP-004 HTTP-005 BAD-013 BAD-014 BAD-015 BAD-038

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
        large_client_header_buffers 8 16k;

        location /.well-known/est/ {
            est devices;
            est_basic_users %%DIR%%/users;
        }
    }
CONF
$t->run;

##############################################################################

my $csr = $t->csr;

# taken, and what is wrong with the body is said

for my $type (undef, 'application/pkcs10', 'Application/PKCS10; name=x',
    'APPLICATION/PKCS10', 'application/pkcs10;', 'application/pkcs10 ; a="b;c"',
    'application/x-pem-file', 'application/pkcs7-mime',
    'application/pkcs7-mime; smime-type=CMC-request',
    'application/octet-stream', 'text/plain', 'text/plain; charset=utf-8',
    'application/x-www-form-urlencoded')
{
    my $name = $type // 'none';
    is(ask($type)->{status}, 200, "$name: taken");
    $t->refused(ask($type, '!bad!'), 400, 'bad_base64',
        "$name: a bad body is what is wrong");
}

# positively something else: refused before anybody asks for a password

for my $type ('application/json', 'multipart/form-data; boundary=x',
    'image/png', 'video/mp4', 'audio/ogg', 'text/html', 'TEXT/HTML; a=b',
    'application/xhtml+xml', 'application/ld+json')
{
    my $r = ask($type, undef, undef);
    $t->refused($r, 415, 'media_type', "$type: refused");
    like($r->{headers}{accept} // '', qr{application/pkcs10},
        "$type: Accept says what is taken");
}

# unlisted: it depends on the body

for my $type ('application/x-odd', 'application/pkcs10x', 'chemical/x-pdb',
    'pkcs10', '/', 'application/' . 'x' x 8000)
{
    my $name = length $type < 40 ? $type : 'a long one';
    is(ask($type)->{status}, 200, "$name: taken with a request");
    $t->refused(ask($type, '!bad!'), 415, 'media_type',
        "$name: refused with anything else");
}

# two of them are never "either one" by chance

my @seen = map {
    my $r = ask($_->[0], undef, 'dev1:secret', "Content-Type: $_->[1]");
    $r->{status}
} ['application/pkcs10', 'application/json'],
  ['application/pkcs10', 'application/json'];
is($seen[0], $seen[1], 'two types get the same answer every time');
isnt($seen[0], 500, 'and not one of ours');

# compressed bodies

for my $coding ('gzip', 'deflate', 'br', 'identity, gzip') {
    my $r = ask('application/pkcs10', undef, 'dev1:secret',
                "Content-Encoding: $coding");
    $t->refused($r, 415, 'content_encoding', "$coding: refused");
    is($r->{headers}{'accept-encoding'}, 'identity',
        "$coding: Accept-Encoding says what is taken");
}
is(ask('application/pkcs10', undef, 'dev1:secret',
       'Content-Encoding: identity')->{status}, 200, 'identity: taken');

# the reenrol twin

$t->refused($t->est('simplereenroll', csr => $csr, type => 'application/json'),
    415, 'media_type', 'simplereenroll: refused as well');

$t->done;

##############################################################################

sub ask {
    my ($type, $body, $user, @headers) = @_;
    $user = 'dev1:secret' if @_ < 3;
    return $t->est('simpleenroll', data => $body // $csr->{b64},
                   type => $type, user => $user, headers => \@headers);
}
