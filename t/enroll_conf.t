#!/usr/bin/perl

# Copyright (C) The nginx-enroll authors

# Mistakes in the configuration: nginx -t refuses each, with the file, the
# line and the reason.
#
# Conformance: PKIX-031 PKIX-036 BAD-141

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use Enroll;
use EnrollDER;

##############################################################################

my $t = Enroll->new;

# good CAs, and every kind of bad one

$t->ca('root');
$t->ca('sub', issuer => 'root');
$t->ca('ca');
$t->ca('rsa', key => 'rsa:2048');
$t->write('lone.crt', pem(unpem($t->read('sub.crt')), 'CERTIFICATE'));
$t->write('broken.crt', $t->read('sub.crt') . $t->read('ca.crt'));
$t->cert('leaf', ext => "basicConstraints=critical,CA:FALSE\n");
$t->cert('nosign', ext => "basicConstraints=critical,CA:TRUE\n"
                          . "keyUsage=critical,digitalSignature\n");
my @ca = (extension('2.5.29.19', seq(bool(1)), 1),
          extension('2.5.29.15', bits("\x06"), 1),
          extension('2.5.29.14', octets('x' x 20)));
$t->keep('expired', forge_cert(key => $t->key('expired'), from => -7200,
    till => -3600, exts => \@ca, subject => name(CN => 'expired')));
$t->keep('future', forge_cert(key => $t->key('future'), from => 3600,
    till => 7200, exts => \@ca, subject => name(CN => 'future')));
$t->openssl('pkey', '-in', $t->dir('ca.key'), '-aes256', '-passout',
    'pass:secret', '-out', $t->dir('locked.key'));
$t->write('pass', "secret\n");
$t->write('wrong', "wrong\n");
$t->write('empty', '');
$t->write('blank', "\n");
$t->write('text', "hello\n");
$t->users('users', dev1 => 'secret');
$t->users('factory', x => 'y');

##############################################################################

# what is good

good('a CA', '');
good('a CA with its chain', ca('sub'));
good('an RSA CA', ca('rsa'));
good('a locked key', block(cert('ca'), key('locked'),
    'password_file %%DIR%%/pass;'));
good('roll-over', block(cert('ca'), key('ca'),
    'previous_certificate %%DIR%%/rsa.crt;',
    'next_certificate %%DIR%%/rsa.crt;'));
good('a profile', <<'P');
    enroll_profile full {
        validity 90d;
        backdate 5m;
        renew_before 30d;
        keys rsa:2048-4096 ec:P-256,P-384 ed25519;
        digest sha384;
        subject "CN=$enroll_csr_cn,O=Example";
        san dns ip email uri upn wildcard sid;
        key_usage digitalSignature keyEncipherment;
        extended_key_usage clientAuth serverAuth 1.3.6.1.5.5.7.3.17;
        reenroll_identity copy;
    }
P

# CAs

my $C = qr/enroll_ca|certificate|key/;
bad('no certificate', block(key('ca')), qr/certificate/);
bad('no key', block(cert('ca')), qr/certificate_key/);
bad('no such certificate', block(cert('nosuch'), key('ca')), qr/nosuch\.crt/);
bad('no such key', block(cert('ca'), key('nosuch')), qr/nosuch\.key/);
bad('a certificate that is empty', block('certificate %%DIR%%/empty;',
    key('ca')), qr/empty/);
bad('a certificate that is text', block('certificate %%DIR%%/text;',
    key('ca')), qr/text/);
bad('a key that is text', block(cert('ca'),
    'certificate_key %%DIR%%/text;'), qr/text/);
bad('a key of another certificate', block(cert('ca'), key('rsa')),
    qr/match|belong/);
bad('a certificate that is no CA', ca('leaf'), qr/CA/);
bad('a CA that may not sign', ca('nosign'), qr/sign|keyUsage|key usage/i);
bad('an expired CA', ca('expired'), qr/expired|valid/);
bad('a future CA', ca('future'), qr/not yet|valid/);
bad('a missing chain link', block('certificate %%DIR%%/lone.crt;', key('sub')),
    qr/chain|issue/);
bad('a wrong chain link', block('certificate %%DIR%%/broken.crt;', key('sub')),
    qr/chain|issue|follow/);
bad('a locked key without a password', block(cert('ca'), key('locked')),
    qr/locked\.key/);
bad('a locked key with a wrong password', block(cert('ca'), key('locked'),
    'password_file %%DIR%%/wrong;'), qr/locked\.key/);
bad('no such password file', block(cert('ca'), key('locked'),
    'password_file %%DIR%%/nosuch;'), qr/nosuch/);
bad('no such engine', block(cert('ca'), 'certificate_key engine:nosuch:1;'),
    qr/engine|nosuch/);
bad('no such store', block(cert('ca'), 'certificate_key store:file:/nosuch;'),
    qr/nosuch/);
bad('a bad previous certificate', block(cert('ca'), key('ca'),
    'previous_certificate %%DIR%%/text;'), qr/text/);
bad('a bad next certificate', block(cert('ca'), key('ca'),
    'next_certificate %%DIR%%/nosuch.crt;'), qr/nosuch/);
bad('certificate twice', block(cert('ca'), cert('ca'), key('ca')),
    qr/duplicate/);
line('an unknown directive', "enroll_ca x {\n nonsense 1; #!\n}",
    qr/unknown directive|nonsense/);
bad('the same CA twice', ca('ca') . ca('ca'), qr/duplicate|already|twice/);
bad('a CA without a name', 'enroll_ca { }', qr/enroll_ca/);

# profiles

for (['validity', 'validity x'], ['validity 0', 'validity 0'],
     ['backdate', 'backdate -1'], ['renew_before', 'renew_before soon'],
     ['keys', 'keys dsa:1024'], ['a size of a key', 'keys rsa:1'],
     ['a range of sizes', 'keys rsa:4096-2048'], ['a curve', 'keys ec:P-999'],
     ['digest', 'digest md5'], ['digest sha1', 'digest sha1'],
     ['a kind of SAN', 'san fax'], ['key usage', 'key_usage fly'],
     ['keyCertSign', 'key_usage keyCertSign'],
     ['key usage twice', 'key_usage digitalSignature digitalSignature'],
     ['key_usage twice', 'key_usage keyAgreement; key_usage keyAgreement'],
     ['extended key usage', 'extended_key_usage flying'],
     ['extended key usage twice', 'extended_key_usage clientAuth clientAuth'],
     ['a subject', 'subject "nonsense"'], ['a type', 'subject "XX=1"'],
     ['an empty type', 'subject "=1"'],
     ['reenroll_identity', 'reenroll_identity maybe'],
     ['no argument', 'validity'], ['an unknown word', 'nonsense 1'])
{
    my ($name, $directive) = @$_;
    line("profile: $name", "enroll_profile p {\n $directive; #!\n}",
        qr/\[emerg\]/);
}
my ($rc, $out) = test("enroll_profile p { subject CN=\$nosuch; }\n");
ok($rc && $out =~ /unknown "nosuch" variable/, 'profile: an unknown variable')
    or diag($out);
for (['key_usage', 'fly'], ['key_usage', 'keyCertSign'],
     ['extended_key_usage', 'flying'])
{
    my ($directive, $word) = @$_;
    line("profile: $directive names $word",
        "enroll_profile p {\n $directive"
            . ($directive =~ /ext/ ? ' clientAuth' : ' digitalSignature')
            . " $word; #!\n}", qr/"$word" in "$directive"/);
}
bad('the same profile twice', 'enroll_profile p { } enroll_profile p { }',
    qr/duplicate|already|twice/);

# Redis

for (['no address', 'enroll_redis'], ['a port', 'enroll_redis 127.0.0.1:99999'],
     ['an empty path', 'enroll_redis unix:'],
     ['an unknown parameter', 'enroll_redis 127.0.0.1:6379 nonsense=1'],
     ['a timeout', 'enroll_redis 127.0.0.1:6379 timeout=x'],
     ['a timeout of 0', 'enroll_redis 127.0.0.1:6379 timeout=0'],
     ['a database', 'enroll_redis 127.0.0.1:6379 db=x'],
     ['a path too long', 'enroll_redis unix:' . 'x' x 120],
     ['a path that grows too long', 'enroll_redis unix:' . 'x' x 100],
     ['a password file', 'enroll_redis 127.0.0.1:6379 password_file=/nosuch'],
     ['an empty password file',
      'enroll_redis 127.0.0.1:6379 password_file=%%DIR%%/empty'],
     ['a password file of a blank line',
      'enroll_redis 127.0.0.1:6379 password_file=%%DIR%%/blank'],
     ['a name that does not resolve', 'enroll_redis nosuch.invalid:6379'],
     ['twice', "enroll_redis 127.0.0.1:6379;\nenroll_redis 127.0.0.1:6379"])
{
    my ($name, $directive) = @$_;
    line("redis: $name", "$directive; #!", qr/\[emerg\]/, redis => '');
}
bad('no enroll_redis', '', qr/enroll_redis/, redis => '');
bad('no such pool', 'enroll_thread_pool nosuch;', qr/nosuch/);

# locations

for (['no CA', 'est'], ['a CA that there is not', 'est nosuch'],
     ['a profile that there is not', 'est devices profile=nosuch'],
     ['an unknown parameter', 'est devices nonsense=1'],
     ['twice', 'est devices; est devices'],
     ['est_auth', 'est devices; est_auth maybe'],
     ['no such user file', 'est devices; est_basic_users /nosuch'],
     ['no such client CA', 'est devices; est_client_ca /nosuch'],
     ['a bad client CA', 'est devices; est_client_ca %%DIR%%/text'],
     ['enroll_names', 'est devices; enroll_names some'],
     ['est_unrecorded', 'est devices; est_unrecorded maybe'],
     ['est_repeat', 'est devices; est_repeat x'],
     ['est_csrattrs', 'est devices; est_csrattrs nonsense'],
     ['enroll_max_body_size', 'est devices; enroll_max_body_size x'],
     ['enroll_timeout', 'est devices; enroll_timeout x'],
     ['none for identities', 'est devices; est_auth none'],
     ['basic without users', 'est devices; est_auth basic'],
     ['both without users', 'est devices; est_auth both'],
     ['scep without a CA', 'scep'],
     ['scep with an unknown CA', 'scep nosuch'],
     ['est and scep', 'est devices; scep devices'])
{
    my ($name, $directives) = @$_;
    bad("location: $name", '', qr/\[emerg\]/, location => $directives);
}
for ('est $nosuch', 'est devices; est_wrap $nosuch') {
    my ($rc, $out) = test('', location => $_);
    ok($rc && $out =~ /unknown "nosuch" variable/, "location: $_")
        or diag($out);
}
good('none for any', '', location => 'est devices; est_auth none; '
    . 'enroll_names any;');
for my $op ('', '(cacerts|simpleenroll)', '.*$|x', '[a-z]+$/') {
    line("location: a regular expression with the end open: $op",
        regex('~', $op), qr/must end with "\$"/);
}
line('location: the same without regard to case', regex('~*', ''),
    qr/must end with "\$"/);
good("location: $_", regex(split / /))
    for '~ [a-z]+$', '~* (cacerts|simpleenroll)$';
line('est outside of a location', 'est devices; #!', qr/not allowed here/);
line('enroll_ca in a server', "server { enroll_ca x { }\n #!\n }",
    qr/not allowed here/, anywhere => 1);

$t->done;

##############################################################################

sub cert { "certificate %%DIR%%/$_[0].crt;" }
sub key { "certificate_key %%DIR%%/$_[0].key;" }
sub block { 'enroll_ca other { ' . join(' ', @_) . " }\n" }
sub regex {
    my ($how, $end) = @_;
    return "server {\n location $how \"^/x/$end\" {\n est devices; #!\n}\n}";
}
sub ca { block(cert($_[0]), key($_[0])) }

sub test {
    my ($http, %o) = @_;
    my $redis = $o{redis} // 'enroll_redis unix:%%DIR%%/redis.sock;';
    my $location = $o{location} // 'est devices;';
    $location .= ';' if $location !~ /;$/;

    return $t->nginx_t(<<"CONF");
    $http
    $redis
    enroll_ca devices {
        certificate %%DIR%%/ca.crt;
        certificate_key %%DIR%%/ca.key;
    }
    server {
        listen 127.0.0.1:%%PORT_tls%% ssl;
        %%TLS%%
        location /.well-known/est/ { $location }
    }
CONF
}

sub good {
    my ($name, $http, %o) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my ($rc, $out) = test($http, %o);
    ok($rc == 0, "good: $name") or diag($out);
}

# refused, for this reason, with the file and a line
sub bad {
    my ($name, $http, $reason, %o) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my ($rc, $out) = test($http, %o);
    my ($emerg) = $out =~ /(\[emerg\].*)/;
    $emerg //= '';
    (my $text = $emerg) =~ s/ in \S+test\.conf:\d+.*//;
    ok($rc && $text =~ $reason && $emerg =~ /test\.conf:\d+/, $name)
        or diag("rc $rc: $out");
}

# and that line is the one with #!
sub line {
    my ($name, $http, $reason, %o) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my ($rc, $out) = test($http, %o);
    my ($emerg) = $out =~ /(\[emerg\].*)/;
    my $line = $o{anywhere} ? qr/\d+/ : $t->{line};
    ok($rc && ($emerg // '') =~ $reason && $emerg =~ /test\.conf:$line\b/,
        $name)
        or diag("rc $rc, line $t->{line}: $out");
}
