#!/usr/bin/perl

# Copyright (C) The nginx-enroll authors

# Health, where the CA's key is in a module that may lose it: once it has not
# signed it is failing, until it signs again or is found to do so.  The module
# is an OpenSSL engine made here, whose keys are gone while a file is there.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use Enroll;

##############################################################################

my $t = Enroll->new(need => ['cc']);

$t->write('flaky.c', <<'C');
#define OPENSSL_SUPPRESS_DEPRECATED
#include <stdio.h>
#include <unistd.h>
#include <openssl/engine.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

static char         gone[4096];
static RSA_METHOD  *meth;

static int
sign(int len, const unsigned char *from, unsigned char *to, RSA *rsa, int pad)
{
    if (access(gone, F_OK) == 0) {
        return -1;
    }
    return RSA_meth_get_priv_enc(RSA_PKCS1_OpenSSL())(len, from, to, rsa, pad);
}

static EVP_PKEY *
load(ENGINE *e, const char *id, UI_METHOD *ui, void *data)
{
    RSA       *rsa;
    FILE      *f = fopen(id, "r");
    EVP_PKEY  *pkey = EVP_PKEY_new();

    snprintf(gone, sizeof(gone), "%s.gone", id);
    rsa = f ? PEM_read_RSAPrivateKey(f, NULL, NULL, NULL) : NULL;
    if (f) fclose(f);
    if (rsa == NULL) return NULL;
    RSA_set_method(rsa, meth);
    EVP_PKEY_assign_RSA(pkey, rsa);
    return pkey;
}

static int
destroy(ENGINE *e)
{
    RSA_meth_free(meth);
    return 1;
}

static int
bind(ENGINE *e, const char *id)
{
    meth = RSA_meth_dup(RSA_PKCS1_OpenSSL());

    return meth && RSA_meth_set_priv_enc(meth, sign)
           && ENGINE_set_id(e, "flaky") && ENGINE_set_name(e, "flaky")
           && ENGINE_set_load_privkey_function(e, load)
           && ENGINE_set_destroy_function(e, destroy);
}

IMPLEMENT_DYNAMIC_BIND_FN(bind)
IMPLEMENT_DYNAMIC_CHECK_FN()
C

my ($rc, $out) = $t->command('cc', '-shared', '-fPIC', '-o',
    $t->dir('flaky.so'), $t->dir('flaky.c'), '-lcrypto');
plan(skip_all => "no engine can be made here: $out") if $rc;

$ENV{OPENSSL_ENGINES} = $t->dir;
$t->ca('ca', key => 'rsa:2048');
$t->conf(<<'CONF', main => 'env OPENSSL_ENGINES;');
    enroll_redis unix:%%DIR%%/redis.sock;
    enroll_ca devices {
        certificate %%DIR%%/ca.crt;
        certificate_key engine:flaky:%%DIR%%/ca.key;
    }

    server {
        listen 127.0.0.1:%%PORT_tls%% ssl;
        %%TLS%%
        location /.well-known/est/ {
            est devices;
            est_auth none;
            enroll_names any;
        }
    }
CONF
$t->run;

##############################################################################

my $gone = $t->dir('ca.key.gone');

is(enrol(), '200 ', 'it signs');
is(health(), '200 ok', 'well');

# gone: nobody knows until somebody asks for a certificate

$t->write('ca.key.gone', '');
is(health(), '200 ok', 'it is gone, and nobody has asked');
is(enrol(), '503 signing_failed', 'it does not sign');
is(health(), '503 failing', 'now it is known');
is($t->est('health')->{reason}, 'signing_failed', 'and why');
like($t->est('info')->{body}, qr/"status":"failing"/, 'info: the same');
sleep 2;
is(health(), '503 failing', 'it is tried again, in vain');

# back: found by trying, without an enrolment

unlink $gone;
ok(do { wait_for { health() eq '200 ok' } 10 }, 'it is back, and found to be');
is(enrol(), '200 ', 'it signs');

# or by an enrolment, which is sooner

$t->write('ca.key.gone', '');
is(enrol(), '503 signing_failed', 'gone once more');
is(health(), '503 failing', 'known');
unlink $gone;
is(enrol(), '200 ', 'back: it signs');
is(health(), '200 ok', 'known at once');

# a worker that begins while it is gone

$t->write('ca.key.gone', '');
my $workers = $t->workers;
kill TERM => ($t->workers)[-1];
wait_for { $t->workers > $workers } 10;
is(health(), '503 failing', 'a worker that has never signed');
unlink $gone;
ok(do { wait_for { health() eq '200 ok' } 10 }, 'back: it can');

$t->done(except => qr/\[emerg\].*cannot sign in a worker process/);

##############################################################################

my $n;
sub enrol {
    my $r = $t->est('simpleenroll', csr => $t->csr(name => 'k',
                    subject => '/CN=dev' . ++$n));
    return "$r->{status} " . ($r->{reason} // '');
}

sub health {
    my $r = $t->est('health');
    my ($status) = $r->{body} =~ /"status":"(\w+)"/;
    my ($key) = $r->{body} =~ /"key":"(\w+)"/;
    return "$r->{status} " . ($status eq $key ? $status : "$status, $key");
}
