#!/usr/bin/perl

# Copyright (C) The nginx-enroll authors

# What AddressSanitizer cannot see: the modules as they are installed, and
# the use of memory that nobody wrote to, OpenSSL's included.  A worker under
# valgrind's memcheck takes a short run of EST and SCEP, on its event loop and
# on the thread pool, and exits; nothing is read that is not initialised, and
# nothing is lost.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use Enroll;
use EnrollDER;
use EnrollSCEP;

##############################################################################

my $t = Enroll->new(need => ['valgrind']);

plan(skip_all => 'sanitizers and valgrind are not for one another')
    if ($ENV{TEST_NGINX_BINARY} // '') =~ /asan/;

my $nginx = Enroll::nginx();
my $top = "$FindBin::Bin/..";
($nginx) = grep { -x } map { "$_/$nginx" } split /:/, $ENV{PATH}
    if $nginx !~ m{/};

$ENV{TEST_NGINX_BINARY} = $t->write('nginx', <<"SH");
#!/bin/sh
exec valgrind --tool=memcheck --error-exitcode=99 --trace-children=yes \\
    --leak-check=full --show-leak-kinds=definite \\
    --errors-for-leak-kinds=definite --num-callers=40 --keep-debuginfo=yes \\
    --gen-suppressions=all --suppressions='$top/t/valgrind.supp' \\
    --log-file='@{[$t->dir]}/valgrind.%p' '$nginx' "\$@"
SH
chmod 0755, $ENV{TEST_NGINX_BINARY};

$t->ca('ca');
$t->ca('rsa', key => 'rsa:2048');
$t->ra('ra', 'rsa');
$t->users('users', dev1 => 'secret');
$t->conf(<<'CONF');
    enroll_redis unix:%%DIR%%/redis.sock timeout=30s;
    enroll_timeout 60s;
    enroll_ca devices {
        certificate %%DIR%%/ca.crt;
        certificate_key %%DIR%%/ca.key;
    }
    enroll_ca rsa {
        certificate %%DIR%%/rsa.crt;
        certificate_key %%DIR%%/rsa.key;
        ra_certificate %%DIR%%/ra.crt;
        ra_certificate_key %%DIR%%/ra.key;
    }
    enroll_profile templated {
        subject "CN=$enroll_csr_cn,OU=$enroll_csr_key,O=Example";
        san dns uri:urn:$enroll_csr_cn;
    }
    enroll_names any;
    scep_challenge secret;
    large_client_header_buffers 4 32k;

    server {
        listen 127.0.0.1:%%PORT_tls%% ssl;
        %%TLS%%
        ssl_verify_client optional;
        ssl_client_certificate %%DIR%%/ca.crt;
        location /.well-known/est/ {
            est devices;
            est_basic_users %%DIR%%/users;
        }
        location /rsa/ {
            est rsa profile=templated;
            est_basic_users %%DIR%%/users;
        }
    }
    server {
        listen 127.0.0.1:%%PORT_plain%%;
        location /scep { scep rsa; }
        location /manual { scep rsa; scep_challenge off;
                           enroll_approval manual; }
    }
CONF
$t->run;

my @slow = (args => ['-m', 90]);

##############################################################################

# EST

ok(wait_for(sub { $t->est('cacerts', @slow)->{status} eq '200' }, 120),
    'cacerts, as soon as it has begun');
is($t->est('csrattrs', @slow)->{status}, 204, 'csrattrs');

my $csr = $t->csr(name => 'dev1', san => 'DNS:dev1,IP:192.0.2.1');
my $r = $t->est('simpleenroll', csr => $csr, user => 'dev1:secret', @slow);
is($r->{status}, 200, 'simpleenroll');
my ($der) = certs_only(unbase64($r->{body}));
$t->keep('dev1', $der, 'dev1');

is($t->est('simpleenroll', csr => $csr, user => 'dev1:secret', @slow)->{status},
    200, 'again');
is($t->est('simplereenroll', csr => $csr, cert => 'dev1', @slow)->{status},
    200, 'simplereenroll');
is($t->est('simpleenroll', csr => $t->csr(key => 'rsa:2048'), prefix => '/rsa/',
           user => 'dev1:secret', @slow)->{status}, 200, 'by an RSA CA');
is($t->est('simpleenroll', csr => $csr, user => 'dev1:wrong', @slow)->{status},
    401, 'a wrong password');
is($t->est('simpleenroll', data => b64(substr $csr->{der}, 0, 99),
           user => 'dev1:secret', @slow)->{status}, 400, 'half a request');

##############################################################################

# SCEP

my $s = EnrollSCEP->new($t, ra => 'ra');
my $c = $s->client('dev2');
my $m = $s->request($c, challenge => 'secret');

$der = $s->issued($s->send($m), $m, 'PKCSReq');
$s->issued($s->send($m, get => 1), $m, 'again, by GET');
$m = $s->request($s->holder($c, $der), type => 17);
$s->issued($s->send($m), $m, 'RenewalReq');
$m = $s->request($s->client('dev3'), challenge => 'wrong');
is(($s->summary($s->send($m), $m))[0], 'FAILURE 2 challenge_unknown',
    'a wrong challenge');
$m = $s->request($c, challenge => 'secret');
substr($m->{der}, -20, 1) ^= "\x01";
like(($s->summary($s->send($m), $m))[0], qr/^FAILURE 1 /,
    'a broken signature');
$s->refused($s->send('x'), 400, 'malformed_message', 'what is no message');

$m = $s->request($s->client('dev4'));
is(($s->summary($s->send($m, path => '/manual'), $m))[0], 'PENDING',
    'what waits for approval');

##############################################################################

# the worker's exit, and what valgrind says of it

ok($t->stop, 'nginx ends gracefully');
is(scalar $t->workers, 1, 'one worker did it all');

for my $file (glob $t->dir('valgrind.*')) {
    my $log = $t->read($file);
    ok($log =~ /ERROR SUMMARY: 0 errors/, 'nothing was found') or diag($log);
}
$t->done;
