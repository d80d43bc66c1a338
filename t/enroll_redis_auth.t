#!/usr/bin/perl

# Copyright (C) The nginx-enroll authors

# The ways to a Redis: Unix socket, IPv4, IPv6, a name, a database, a
# prefix, a user with only the rights that are needed.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use Enroll;
use EnrollDER;

##############################################################################

use IO::Socket::IP;

my $t = Enroll->new;

$t->ca('ca');
$t->write('password', "redis-secret\n");
$t->write('wrong', "wrong\n");
my $csr = $t->csr;
my $port = $t->port('redis');
my $v6 = IO::Socket::IP->new(LocalHost => '::1', Listen => 1) ? 1 : 0;

$t->redis_start('--port', $port, '--bind', '127.0.0.1', $v6 ? '::1' : ());

# the user of the reference, with the rights that stand there

my ($acl) = $t->read("$FindBin::Bin/../docs/directives.md")
    =~ /^    ACL SETUSER (enroll on >PASSWORD .*)$/m;
my @acl = split ' ', $acl =~ s/PASSWORD/redis-secret/r;
is($t->redis('ACL', 'SETUSER', @acl), 'OK', 'the ACL of the reference');
$t->redis('ACL', 'SETUSER', 'poor', 'on', '>redis-secret', '~other:*', '+@all');

##############################################################################

my $sock = 'unix:%%DIR%%/redis.sock';
my @user = ('user=enroll', 'password_file=%%DIR%%/password');

ok(works($sock), 'a Unix socket');
is(where(), 'enroll:', 'the default prefix');
ok(works('unix:redis.sock'), 'a Unix socket beside the configuration');
ok(works("127.0.0.1:$port"), 'IPv4');
ok(works("localhost:$port"), 'a name');
SKIP: {
    skip 'no IPv6 here', 1 if !$v6;
    ok(works("[::1]:$port"), 'IPv6');
}
ok(works($sock, 'prefix=test:'), 'a prefix');
is(where(), 'test:', 'it is used for every key');
ok(works($sock, 'db=3'), 'a database');
is($t->redis('DBSIZE'), 0, 'nothing is in the first one');
cmp_ok($t->redis('-n', 3, 'DBSIZE'), '>', 0, 'but in that one');
ok(works($sock, 'timeout=500ms'), 'a timeout');
ok(works($sock, @user), 'a user with a password');
is_deeply([forbidden()], [], 'every command of the scripts is granted');
for my $command (['FLUSHALL'], ['KEYS', '*'], ['CONFIG', 'GET', '*'],
    ['GET', 'other'])
{
    like($t->redis('--user', 'enroll', '--pass', 'redis-secret',
        '--no-auth-warning', @$command), qr/^NOPERM/, "@$command is not");
}
$t->redis('ACL', 'SETUSER', 'enroll', '~test:*');
ok(works($sock, @user, 'db=2', 'prefix=test:'), 'all together');

# the default user has a password

$t->redis('CONFIG', 'SET', 'requirepass', 'redis-secret');
$t->{nodes}[0]{redis_cli} = ['-a', 'redis-secret', '--no-auth-warning'];
ok(works($sock, 'password_file=%%DIR%%/password'), 'requirepass');

# the denied twins

fails('no password', qr/NOAUTH|uthentication/, $sock);
fails('a wrong password', qr/WRONGPASS|AUTH|denied/,
    $sock, 'password_file=%%DIR%%/wrong');
fails('a wrong password of a user', qr/WRONGPASS|AUTH|denied/,
    $sock, 'user=enroll', 'password_file=%%DIR%%/wrong');
fails('a user that there is not', qr/WRONGPASS|AUTH|denied/,
    $sock, 'user=nosuch', 'password_file=%%DIR%%/password');
fails('a user without the rights', qr/NOPERM|permission/i,
    $sock, 'user=poor', 'password_file=%%DIR%%/password');
fails('a database that there is not', qr/DB|database|index/i,
    $sock, 'password_file=%%DIR%%/password', 'db=99');
fails('another port', qr/refused/i, '127.0.0.1:' . $t->port('nobody'));
fails('another socket', qr/No such file/, 'unix:%%DIR%%/nosuch.sock');
fails('another socket there', qr{/\S+/nosuch\.sock\): No such file},
    'unix:nosuch.sock');

unlike($t->log, qr/redis-secret/, 'the password is not logged');

$t->done;

##############################################################################

sub ask {
    my ($address, @parameters) = @_;

    $t->redis('FLUSHALL');
    $t->conf(<<"CONF");
    enroll_redis $address @parameters;
    enroll_ca devices {
        certificate %%DIR%%/ca.crt;
        certificate_key %%DIR%%/ca.key;
    }

    server {
        listen 127.0.0.1:%%PORT_tls%% ssl;
        %%TLS%%
        enroll_timeout 2s;

        location /.well-known/est/ {
            est devices;
            est_auth none;
            enroll_names any;
        }
    }
CONF
    $t->start;
    return $t->est('simpleenroll', csr => $csr);
}

sub works {
    my $r = ask(@_);
    $t->stop;
    return length $t->issued($r);
}

sub fails {
    my ($name, $log, @o) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $seen = length $t->log;
    my $r = ask(@o);
    $t->stop;
    $t->refused($r, 503, $r->{reason} // 'none', "$name: 503");
    like(substr($t->log, $seen), $log, "$name: the log says why");
}

# the prefixes of all keys
sub where {
    my %prefix = map { s/\{.*//sr => 1 } $t->keys;
    return join ' ', sort keys %prefix;
}

# commands in the scripts that the ACL does not grant
sub forbidden {
    my $code = join '', map { $t->read($_) }
        glob "$FindBin::Bin/../shared/store/*.[ch]";
    my %used = map { lc $_ => 1 } $code =~ /redis\.p?call\('(\w+)'/g;
    my %granted;

    for (@acl) {
        my ($sign, $category, $name) = /^([-+])(@?)(.+)$/ or next;
        my @names = $category
            ? $t->redis('COMMAND', 'LIST', 'FILTERBY', 'ACLCAT', $name)
            : $name;
        $granted{$_} = $sign eq '+' for @names;
    }
    return 'none is found' if !%used;
    return grep { !$granted{$_} } sort keys %used;
}
