#!/usr/bin/perl

# Copyright (C) The nginx-enroll authors

# The algorithms of old clients: taken where the location names them, alone,
# and refused elsewhere.
#
# Conformance: SCEP-003 SCEP-004 SCEP-005 SCEP-006 SCEP-007 SCEP-054
#   SCEP-055 SCEP-056 DEV-005 DEV-006 DEV-009 DEV-019

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
my $conf = <<'CONF';
    enroll_redis unix:%%DIR%%/redis.sock;
    enroll_ca devices {
        certificate %%DIR%%/ca.crt;
        certificate_key %%DIR%%/ca.key;
    }
    scep_challenge secret;
    scep_failure_limit off;

    server {
        listen 127.0.0.1:%%PORT_plain%%;
        location /none { scep devices; }
        location /sha1 { scep devices; scep_legacy sha1; }
        location /md5 { scep devices; scep_legacy md5; }
        location /des3 { scep devices; scep_legacy des3; }
        location /des { scep devices; scep_legacy des; }
        location /all {
            scep devices;
            scep_legacy sha1 md5 des3 des;
            location /all/within { scep devices; }
            location /all/off { scep devices; scep_legacy off; }
        }
    }
CONF
my ($rc) = $t->command('openssl', 'list', '-provider', 'legacy', '-providers');
plan(skip_all => 'no legacy provider') if $rc;
$t->conf($conf)->run;

my $s = EnrollSCEP->new($t, ra => 'ca');
my $c = $s->client('dev1');

##############################################################################

my @algorithms = (
    [none => sha256 => 'aes-128-cbc'], [sha1 => sha1 => 'aes-128-cbc'],
    [md5 => md5 => 'aes-128-cbc'], [des3 => sha256 => 'des-ede3-cbc'],
    [des => sha256 => 'des-cbc'], [all => sha1 => 'des-cbc'],
    [all => md5 => 'des-cbc'], [all => sha1 => 'des-ede3-cbc']);

for my $how (@algorithms) {
    my ($needs, $digest, $cipher) = @$how;
    my %how = (challenge => 'secret', digest => $digest, cipher => $cipher);

    for my $where (qw(none sha1 md5 des3 des all all/within all/off)) {
        my $m = $s->request($c, %how);
        my $r = $s->send($m, path => "/$where");
        my $name = "scep_legacy $where: $digest $cipher";

        if ($where =~ m{^all(/within)?$} || $where eq $needs || $needs eq 'none') {
            $s->issued($r, $m, $name);
            is($s->open($r, $m)->{cipher}, $cipher, 'the answer is alike');
            next;
        }

        # a digest that is not taken is not used for the answer either
        my $known = $digest eq 'sha256' || $digest eq $where;
        $s->failed($r, $m, 0, 'message_algorithm', "$name: refused",
            digest => $known ? $digest : 'sha256');
    }
}

# the request in the message may be signed with what the message may be

for my $digest (qw(sha1 md5)) {
    for my $where (qw(none sha1 md5 des3 all all/off)) {
        my $m = $s->request($c, challenge => 'secret', csr_digest => $digest);
        my $r = $s->send($m, path => "/$where");
        my $name = "scep_legacy $where: a request signed with $digest";
        if ($where eq 'all' || $where eq $digest) {
            $s->issued($r, $m, $name);
        } else {
            $s->failed($r, $m, 0, 'signature_algorithm', "$name: refused");
        }
    }
}

# a renewal with a new key, where the request's signature is the only proof

my $m = $s->request($c, challenge => 'secret');
my $dev = $s->holder($c, $s->issued($s->send($m, path => '/none'), $m, 'usual'));
for my $where (qw(none sha1)) {
    my $m = $s->request($dev, type => 17, csr_digest => 'sha1',
                        csr_key => $t->key("new-$where", 'rsa:2048'));
    my $r = $s->send($m, path => "/$where");
    $where eq 'none'
        ? $s->failed($r, $m, 2, 'envelope_not_opened', "$where: renewal, refused")
        : $s->issued($r, $m, "$where: renewal with SHA-1");
}

# what they say of it

my %caps = (none => '', sha1 => 'SHA-1', md5 => '', des3 => 'DES3', des => '',
            'all/off' => '');
for my $where (sort keys %caps) {
    my $r = $t->curl('http://127.0.0.1:' . $t->port('plain')
                     . "/$where?operation=GetCACaps");
    is(join(' ', $r->{body} =~ /^(DES3|SHA-1|DES|MD5)$/mg), $caps{$where},
        "scep_legacy $where: GetCACaps");
    like($r->{body}, qr/^(?:[A-Za-z0-9-]+\n)+\z/, 'in lines, none of them blank');
    is(scalar(grep { $r->{body} =~ /^\Q$_\E$/m } qw(AES POSTPKIOperation Renewal
        SCEPStandard SHA-256 SHA-512)), 6, 'beside the usual');
}

for my $bad ('rc4', 'none', 'sha1 sha1 nothing', 'off sha1', 'sha1 off',
             'sha1; scep_legacy md5')
{
    my ($rc, $out) = $t->nginx_t($conf =~ s/scep_legacy sha1;/scep_legacy $bad;/r);
    ok($rc && $out =~ /\[emerg\]/, "nginx -t: scep_legacy $bad");
}

is($t->open_txns, '', 'no transaction is open');
$t->done;
