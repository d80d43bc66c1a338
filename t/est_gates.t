#!/usr/bin/perl

# Copyright (C) The nginx-enroll authors

# What nginx itself does in front of a location: gates that hold, and that
# open nothing by themselves; if and limit_except inside of it; the address
# of the PROXY protocol.
#
# Conformance: HTTP-014

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
    log_format addr '$remote_addr $enroll_identity';
    log_format told '$status "$enroll_outcome" "$enroll_reason"';
    access_log %%HOME%%/told.log told;
    limit_req_zone $binary_remote_addr zone=one:1m rate=1r/m;

    enroll_redis unix:%%DIR%%/redis.sock;
    enroll_ca devices {
        certificate %%DIR%%/ca.crt;
        certificate_key %%DIR%%/ca.key;
    }
    est_basic_users %%DIR%%/users;
    limit_req_status 429;

    server {
        listen 127.0.0.1:%%PORT_tls%% ssl;
        %%TLS%%
        ssl_verify_client optional;
        ssl_client_certificate %%DIR%%/ca.crt;

        location = /yes { return 204; }
        location = /no { return 403; }

        location /request/ { auth_request /yes; est devices; }
        location /refused/ { auth_request /no; est devices; }
        location /self/ { auth_request /inner/cacerts; est devices; }
        location /inner/ { est devices; }

        location /limited/ { limit_req zone=one; est devices; }
        location /denied/ { deny all; est devices; }
        location /basic/ {
            auth_basic "gate"; auth_basic_user_file %%DIR%%/users;
            est devices;
        }
        location /any/ {
            satisfy any;
            allow 127.0.0.1;
            deny all;
            auth_request /yes;
            est devices;
        }

        location /if/ {
            if ($http_x = set) { set $x 1; }
            if ($http_x = stop) { return 403; }
            add_header X-Outer 1 always;
            est devices;
        }
        location /header/ {
            if ($http_x) { add_header X-Inner 1 always; }
            est devices;
        }
        location /except/ {
            limit_except POST { deny all; }
            est devices;
        }
        location /allowed/ {
            limit_except POST { allow 127.0.0.1; deny all; }
            est devices;
        }

        location /outer/ {
            est_auth certificate;
            location /outer/est/ { est devices; }
        }
        location /rewritten/ { rewrite ^/rewritten/(.*)$ /inner/$1 last; }
        location /always/ { add_header X-Mine 1 always; est devices; }
    }

    server {
        listen 127.0.0.1:%%PORT_proxied%% ssl proxy_protocol;
        %%TLS%%
        set_real_ip_from 127.0.0.1;
        real_ip_header proxy_protocol;
        access_log %%HOME%%/addr.log addr;
        location /.well-known/est/ { est devices; }
    }
CONF
$t->run;

##############################################################################

my $csr = $t->csr;

ok(enrols($_), "$_: enrols") for '/request/', '/any/', '/if/', '/header/',
    '/except/', '/allowed/', '/rewritten/', '/inner/', '/always/';

# gates hold

is(ask('/refused/')->{status}, 403, 'auth_request: refused');
is(ask('/denied/')->{status}, 403, 'deny: refused');
ok(enrols('/limited/'), 'limit_req: the first');
is(ask('/limited/')->{status}, 429, 'limit_req: the next');
is(get('/except/')->{status}, 403, 'limit_except: another method is denied');
is(get('/allowed/')->{status}, 200, 'limit_except: or allowed');
is(ask('/if/', headers => ['X: stop'])->{status}, 403, 'if: stopped');
ok(enrols('/if/', headers => ['X: set']), 'if: not stopped');
my $r = ask('/header/', headers => ['X: 1']);
is($r->{status}, 200, 'if: served inside of it');
is($r->{headers}{'x-inner'}, 1, 'if: with what stands there');
is(get('/header/', headers => ['X: 1'])->{status}, 200, 'if: cacerts as well');
is(ask('/self/')->{status}, 500, 'EST is nothing for a subrequest');

# an answer of theirs is no outcome of ours

my %gates = ('/denied/' => 403, '/refused/' => 403, '/limited/' => 429,
             '/basic/' => 401);
is(told($_, user => 'dev1:wrong'), "$gates{$_} \"-\" \"-\"", "$_: not logged")
    for sort keys %gates;
is(told('/if/', headers => ['X: stop']), '403 "-" "-"', 'if: not logged');
is(told('/basic/'), '200 "issued" "issued"', 'what is issued is');
is(told('/any/', user => ':'), '401 "refused" "bad_password"', 'and refused');

# but none of them says who asks

for my $prefix ('/request/', '/any/', '/if/', '/header/', '/allowed/',
    '/rewritten/')
{
    $t->refused(ask($prefix, user => undef), 401, 'authentication_required',
        "$prefix: nobody");
    $t->refused(ask($prefix, user => 'dev1:wrong'), 401, 'bad_password',
        "$prefix: a wrong password");
}
$t->refused(ask('/header/', user => undef, headers => ['X: 1']), 401,
    'authentication_required', 'inside of if: nobody');

# settings are inherited, est is not

$t->refused(ask('/outer/est/'), 403, 'client_certificate_required',
    'est_auth of the location around');
is(get('/outer/')->{status}, 404, 'the location around has no EST');

$r = ask('/always/', user => 'dev1:wrong');
is($r->{headers}{'x-mine'}, 1, 'add_header works for refusals');
is($r->{headers}{'x-enroll-reason'}, 'bad_password', 'beside ours');

# the PROXY protocol

my $c = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
                              PeerPort => $t->port('proxied'));
syswrite $c, "PROXY TCP4 192.0.2.7 192.0.2.1 1234 443\r\n";
IO::Socket::SSL->start_SSL($c, SSL_ca_file => $t->dir('server.crt'),
    SSL_verifycn_name => 'localhost', SSL_verifycn_scheme => 'http');
$c->blocking(0);
my $conn = bless { sock => $c, buf => '', o => {} }, 'EnrollConn';
is($conn->post('simpleenroll', csr => $csr, user => 'dev1:secret')->{status},
    200, 'behind the PROXY protocol');
ok(wait_for(sub { $t->log('addr') eq "192.0.2.7 dev1\n" }, 3),
    'the address is the client\'s') or diag($t->log('addr'));
$conn->close;

$t->done;

##############################################################################

sub ask {
    my ($prefix, %o) = @_;
    return $t->est('simpleenroll', prefix => $prefix, csr => $csr,
                   user => 'dev1:secret', %o);
}

sub enrols { my $r = ask(@_); return $r->{status} == 200 && $t->issued($r) }

# the line of a request in the log
sub told {
    my $n = length $t->log('told');
    ask(@_);
    wait_for { $n < length $t->log('told') } 5;
    return (split /\n/, $t->log('told'))[-1];
}

sub get {
    my ($prefix, %o) = @_;
    return $t->est('cacerts', prefix => $prefix, %o);
}
