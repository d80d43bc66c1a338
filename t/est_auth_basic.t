#!/usr/bin/perl

# Copyright (C) The nginx-enroll authors

# Basic authentication is established by the module itself, from its own
# list of users.
#
# Conformance: EST-035 EST-037 EST-041 EST-051 HTTP-011 HTTP-026

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
my %hash = map { my ($o, $p) = @$_;
                 chomp(my $h = $t->openssl('passwd', $o, $p));
                 $o => $h } ['-apr1', 'one'], ['-6', 'two'], ['-5', 'three'];
$t->write('users', <<"USERS");
# a comment

dev1:{PLAIN}secret
apr1:$hash{-apr1}
sha512:$hash{-6}
sha256:$hash{-5}
ssha:{SSHA}${\ssha('four', 'salt')}
empty:{PLAIN}
commented:{PLAIN}secret:a comment
:{PLAIN}one-time
d\x{c3}\x{a9}v:{PLAIN}secret
USERS
$t->users('others', dev2 => 'other');
$t->conf(<<'CONF');
    enroll_redis unix:%%DIR%%/redis.sock;
    enroll_ca devices {
        certificate %%DIR%%/ca.crt;
        certificate_key %%DIR%%/ca.key;
    }

    server {
        listen 127.0.0.1:%%PORT_tls%% ssl;
        %%TLS%%
        enroll_names any;

        location /.well-known/est/ {
            est devices;
            est_basic_users %%DIR%%/users;
        }

        location /others/ { est devices; est_basic_users %%DIR%%/others; }
        location /none/ { est devices; }

        # the gates of nginx in front open nothing by themselves

        location /satisfy/ {
            est devices;
            est_basic_users %%DIR%%/users;
            satisfy any;
            allow 127.0.0.1;
            deny all;
            auth_basic "gate";
            auth_basic_user_file %%DIR%%/others;
        }

        location /gate/ {
            est devices;
            est_basic_users %%DIR%%/users;
            auth_basic "gate";
            auth_basic_user_file %%DIR%%/others;
        }

        location /denied/ {
            est devices;
            est_basic_users %%DIR%%/users;
            deny all;
        }
    }
CONF
$t->run;

##############################################################################

my $csr = $t->csr(subject => '/CN=device');

for my $user ('dev1:secret', 'apr1:one', 'sha512:two', 'sha256:three',
    'ssha:four', 'commented:secret', "d\x{c3}\x{a9}v:secret", ':one-time')
{
    is(ask($user)->{status}, 200, "$user: taken");
}

my $r = ask('dev1:wrong');
$t->refused($r, 401, 'bad_password', 'wrong password');
like($r->{headers}{'www-authenticate'}, qr/^Basic realm="[^"]+"/, 'a realm');

$t->refused(ask($_), 401, 'bad_password', "$_: refused")
    for 'dev1:', 'dev1:secre', 'dev1:secretx', 'nobody:secret', 'DEV1:secret',
        'dev1 :secret', 'apr1:two', 'sha512:one', 'empty:x', ':', ':wrong',
        'dev1:{PLAIN}secret', "apr1:$hash{-apr1}", '#:x', 'dev1:secret:x';

$t->refused(ask(undef), 401, 'authentication_required', 'nobody');

# per location

is(ask('dev2:other', '/others/')->{status}, 200, 'the other list');
$t->refused(ask('dev1:secret', '/others/'), 401, 'bad_password',
    'a user of one list is none of another');
$t->refused(ask('dev1:secret', '/none/'), 403, 'client_certificate_required',
    'no list: Basic is not offered');
$t->refused(ask(undef, '/none/'), 403, 'client_certificate_required',
    'no list, nobody');

# another rule's grant is not an identity

is(ask('dev1:secret', '/satisfy/')->{status}, 200,
    'satisfy any: our own user by our own list');
$t->refused(ask('dev1:wrong', '/satisfy/'), 401, 'bad_password',
    'satisfy any: a wrong password from an allowed address');
$t->refused(ask(undef, '/satisfy/'), 401, 'authentication_required',
    'satisfy any: the address is not an identity');
$t->refused(ask('dev2:other', '/satisfy/'), 401, 'bad_password',
    'satisfy any: auth_basic\'s user is not ours');
$t->refused(ask('dev2:other', '/gate/'), 401, 'bad_password',
    'behind auth_basic: its user is not ours');
is(ask('dev1:secret', '/gate/')->{status}, 401, 'the gate itself still stands');
is(ask('dev1:secret', '/denied/')->{status}, 403, 'deny still denies');

# simplereenroll is not for passwords

$r = $t->est('simplereenroll', csr => $csr, user => 'dev1:secret');
$t->refused($r, 403, 'client_certificate_required', 'no renewal by password');
$r = $t->est('simplereenroll', csr => $csr, user => 'dev1:wrong');
$t->refused($r, 403, 'client_certificate_required',
    'and no way of guessing there');

# nothing is looked at before the password is right

my $state = $t->state;
for my $data ('', '!garbage!', $csr->{b64}) {
    $r = $t->est('simpleenroll', data => $data, user => 'dev1:wrong');
    $t->refused($r, 401, 'bad_password', 'whatever the body: 401');
}
is($t->state, $state, 'nothing is left in Redis');
unlike($t->log . $t->log('access'), qr/one-time|secret|ZGV2MTpz/,
    'no password is logged');

$t->done;

##############################################################################

sub ask {
    my ($user, $prefix) = @_;
    return $t->est('simpleenroll', csr => $csr, user => $user,
                   prefix => $prefix // '/.well-known/est/');
}

sub ssha {
    my ($password, $salt) = @_;
    require Digest::SHA;
    my $s = MIME::Base64::encode_base64(
        Digest::SHA::sha1($password . $salt) . $salt, '');
    return $s;
}
