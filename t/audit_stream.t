#!/usr/bin/perl

# Copyright (C) The nginx-enroll authors

# The audit in Redis: each change leaves one entry, in the same moment; a
# refusal leaves one where the client had proved who it is, and none where
# anybody could have asked.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Digest::SHA qw(sha256_hex);
use JSON::PP;
use Test::More;

use Enroll;
use EnrollDER;
use EnrollSCEP;

##############################################################################

my $t = Enroll->new;

$t->ca($_, key => 'rsa:2048') for qw(ca small);
$t->users('users', dev1 => 'secret-password', dev2 => 'another');
$t->write('static', "static-challenge\n");

$t->conf(<<'CONF', workers => 2);
    enroll_redis unix:%%DIR%%/redis.sock;
    enroll_ca devices {
        certificate %%DIR%%/ca.crt;
        certificate_key %%DIR%%/ca.key;
    }
    enroll_profile gateway { validity 10d; }

    server {
        listen 127.0.0.1:%%PORT_tls%% ssl;
        listen 127.0.0.1:%%PORT_plain%%;
        %%TLS%%
        ssl_verify_client optional;
        ssl_client_certificate %%DIR%%/ca.crt;
        scep_challenge one-time;
        est_basic_users %%DIR%%/users;
        enroll_api_users %%DIR%%/users;

        location /.well-known/est/ { est devices; }
        location /.well-known/est/wait/ {
            est devices profile=gateway;
            enroll_approval manual;
            enroll_pending per_address=2;
        }
        location /.well-known/est/anybody/ {
            est devices;
            est_auth none;
            enroll_names any;
        }
        location /scep { scep devices; }
        location /scep/static {
            scep devices;
            scep_challenge file:%%DIR%%/static;
        }
        location /scep/wait { scep devices; enroll_approval manual; }
        location /api/ { enroll_api devices guard=basic; }
    }
CONF
$t->run;

my $s = EnrollSCEP->new($t, ra => 'ca');
my $seen = 0;
my %user = (user => 'dev1:secret-password');

##############################################################################

# EST: issued, repeated, renewed

my $csr = $t->csr(name => 'dev1', san => 'DNS:dev1');
my %est = (protocol => 'est', operation => 'simpleenroll',
           location => '/.well-known/est/', profile => 'default',
           address => '127.0.0.1');
my %dev1 = (auth => 'basic', identity => 'dev1', requester => 'basic:dev1');

my $r = $t->est('simpleenroll', csr => $csr, %user);
my $der = $t->issued($r);
my $serial = uc cert_fields($der)->{serial};
my $digest = spki_digest('dev1');
entry('issued', 'a certificate', %est, %dev1, subject => 'CN=dev1',
    san => 'dns:dev1', key => 'ec:P-256', key_digest => $digest,
    serial => $serial, transaction => qr/^[0-9a-f]{64}$/);

is(uc $t->serial($t->est('simpleenroll', csr => $csr, %user)), $serial,
    'once more');
none('what is sent again');

$t->keep('dev1', $der);
my $new = $t->issued($t->est('simplereenroll', csr => $csr, cert => 'dev1'));
my $dev1_by_cert = 'certificate:' . sha256_hex($der);
my %cert = (auth => 'certificate', identity => 'CN=dev1',
            requester => $dev1_by_cert);
entry('renewed', 'a renewal', %est, %cert, operation => 'simplereenroll',
    subject => 'CN=dev1', san => 'dns:dev1', key => 'ec:P-256',
    key_digest => $digest, serial => uc cert_fields($new)->{serial},
    replaces => $serial, transaction => qr/./);

# EST: refused, to somebody

my $other = $t->csr(name => 'other', subject => '/CN=other');
$t->refused($t->est('simpleenroll', csr => $other, %user), 403,
    'name_not_permitted', 'a name of another');
entry('refused', 'it', %est, %dev1, reason => 'name_not_permitted',
    subject => 'CN=other', key => 'ec:P-256',
    key_digest => spki_digest('other'));
$t->refused($t->est('simplereenroll', csr => $other, cert => 'dev1'), 403,
    'renewal_subject', 'a renewal for another');
entry('refused', 'it', %est, %cert, operation => 'simplereenroll',
    reason => 'renewal_subject', subject => 'CN=other', key => 'ec:P-256',
    key_digest => spki_digest('other'), replaces => $serial);
$t->refused($t->est('simpleenroll', data => 'x', %user), 400, 'bad_base64',
    'no request');
entry('refused', 'it', %est, %dev1, reason => 'bad_base64');
$t->redis('ZADD', 'enroll:{devices}:revoked', 1, $serial);
$t->refused($t->est('simplereenroll', csr => $csr, cert => 'dev1'), 403,
    'client_certificate_revoked', 'a revoked one');
entry('refused', 'it', %est, %cert, operation => 'simplereenroll',
    reason => 'client_certificate_revoked', subject => 'CN=dev1',
    san => 'dns:dev1', key => 'ec:P-256', key_digest => $digest,
    replaces => $serial, transaction => qr/./);

$t->est('configuration', cert => 'dev1');
entry('refused', 'a page, to it', %est, %cert, operation => 'configuration',
    reason => 'client_certificate_revoked');
$t->est($_) for 'configuration', 'info', 'health', '';
none('pages that anybody may ask for, or be refused');

# EST: refused, to anybody

$t->refused($t->est('simpleenroll', csr => $csr, user => 'dev1:wrong'), 401,
    'bad_password', 'a wrong password');
$t->refused($t->est('simpleenroll', csr => $csr, user => 'nobody:x'), 401,
    'bad_password', 'an unknown user');
$t->refused($t->est('simpleenroll', csr => $csr), 401,
    'authentication_required', 'nobody');
$t->refused($t->est('simpleenroll', prefix => '/.well-known/est/anybody/',
    data => 'x'), 400, 'bad_base64', 'anybody');
$t->refused($t->est('simpleenroll', method => 'PUT', %user), 405,
    'method_not_allowed', 'before anybody is asked');
$t->est('cacerts');
none('what strangers ask');
$t->est('simpleenroll', csr => $other, prefix => '/.well-known/est/anybody/');
entry('issued', 'what anybody may have', %est, auth => 'none',
    location => '/.well-known/est/anybody/', requester => 'none',
    subject => 'CN=other', key => 'ec:P-256', serial => qr/^[0-9A-F]{30,}$/,
    key_digest => spki_digest('other'), transaction => qr/./);

# approval

my %wait = (prefix => '/.well-known/est/wait/', csr => $csr, %user);
my %waits = (%est, %dev1, location => '/.well-known/est/wait/',
             profile => 'gateway', subject => 'CN=dev1', san => 'dns:dev1',
             key => 'ec:P-256', key_digest => $digest);
is($t->est('simpleenroll', %wait)->{status}, 202, 'a request waits');
my $txn = entry('pending', 'it', %waits, transaction => qr/./)->{transaction};
$t->est('simpleenroll', %wait);
none('what waits on');
is(api(POST => "requests/$txn", { decision => 'approve' })->{status},
    'approved', 'approved');
my %api = (protocol => 'api', location => '/api/', auth => 'basic',
           by => 'dev2', address => '127.0.0.1');
entry('approved', 'the decision', %api, operation => 'request_decide',
    transaction => $txn, subject => 'CN=dev1', san => 'dns:dev1',
    key => 'ec:P-256', key_digest => $digest, requester => 'basic:dev1');
api(POST => "requests/$txn", { decision => 'approve' });
none('the same decision');
api(POST => "requests/$txn", { decision => 'deny' });
entry('refused', 'another one', %api, operation => 'request_decide',
    reason => 'decided_otherwise');
$t->issued($t->est('simpleenroll', %wait));
entry('issued', 'what was approved', %waits, transaction => $txn,
    serial => qr/./, by => 'dev2');

# challenges

my $minted = api(POST => 'challenges', { label => 'a router', uses => 2,
    subject => 'CN=r1' });
my %minted = (challenge => $minted->{id});
entry('challenge_minted', 'a challenge', %api, %minted, label => 'a router',
    operation => 'challenge_mint', subject => 'CN=r1');

my $c = $s->client('r1');
my %scep = (protocol => 'scep', operation => 'PKIOperation',
            location => '/scep', profile => 'default',
            address => '127.0.0.1', auth => 'challenge',
            requester => 'key:' . spki_digest('r1'));
my %r1 = (subject => 'CN=r1', key => 'rsa:2048',
          key_digest => spki_digest('r1'), transaction => qr/./);
my $m = $s->request($c, challenge => $minted->{challenge},
                    subject => name(CN => 'r2'));
$s->failed($s->send($m), $m, 2, 'challenge_bound', 'for another subject');
entry('refused', 'a challenge that is right', %scep, %r1,
    reason => 'challenge_bound', subject => 'CN=r2');
$m = $s->request($c, challenge => $minted->{challenge});
$der = $s->issued($s->send($m), $m, 'used');
entry('issued', 'with its use', %scep, %r1, %minted,
    serial => uc cert_fields($der)->{serial});
$m = $s->request($c, challenge => 'A' x 32);
$s->failed($s->send($m), $m, 2, 'challenge_unknown', 'a wrong one');
$m = $s->request($c);
$s->failed($s->send($m), $m, 2, 'challenge_required', 'none');
none('who has none, or a wrong one');
api(DELETE => "challenges/$minted->{id}");
entry('challenge_deleted', 'deleted', %api, %minted, label => 'a router',
    operation => 'challenge_delete');
api(DELETE => "challenges/$minted->{id}");
entry('refused', 'in vain', %api, operation => 'challenge_delete',
    reason => 'no_such_entry');

# SCEP: renewals, static challenges, polls

my $holder = $s->holder($c, $der);
$m = $s->request($holder, type => 17);
$new = $s->issued($s->send($m), $m, 'a renewal');
my %holder = (auth => 'certificate', identity => 'CN=r1',
              requester => 'certificate:' . sha256_hex($der));
$serial = uc cert_fields($der)->{serial};
entry('renewed', 'by certificate', %scep, %r1, %holder, replaces => $serial,
    serial => uc cert_fields($new)->{serial});
$m = $s->request($holder, type => 17, csr => 'x');
$s->failed($s->send($m), $m, 2, 'envelope_not_opened', 'no request in it');
entry('refused', 'by its signature', %scep, %holder, requester => undef,
    reason => 'envelope_not_opened');
$m = $s->request($c, type => 17, csr => 'x');
$s->failed($s->send($m), $m, 2, 'envelope_not_opened', 'by anybody');
$m = $s->request($holder, type => 17);
$s->failed($s->send($s->again($m, flip => 1)), $m, 1, 'message_signature',
    'a signature that is none');
none('whom nothing tells');

$m = $s->request($c, challenge => 'static-challenge',
                 san => [der(0x88, "\x2a\x03")]);
$s->failed($s->send($m, path => '/scep/static'), $m, 2, 'san_not_allowed',
    'a static challenge');
entry('refused', 'it', %scep, %r1, location => '/scep/static',
    transaction => undef, reason => 'san_not_allowed',
    san => qr/./);
$m = $s->request($c, challenge => 'wrong');
$s->failed($s->send($m, path => '/scep/static'), $m, 2, 'challenge_unknown',
    'a wrong one');
none('it');

$minted = api(POST => 'challenges', {});
%minted = (challenge => $minted->{id});
entry('challenge_minted', 'another', %api, %minted,
    operation => 'challenge_mint');
$m = $s->request($c, challenge => $minted->{challenge});
my $poll = $s->poll($c, $m->{transaction});
$s->waits($s->send($m, path => '/scep/wait'), $m, 'waits');
my %scep_wait = (%scep, %r1, location => '/scep/wait');
$txn = entry('pending', 'it', %scep_wait, %minted)->{transaction};
$s->waits($s->send($poll, path => '/scep/wait'), $poll, 'polled');
none('a poll');
api(POST => "requests/$txn", { decision => 'approve' });
$seen++;
$poll = $s->again($poll, nonce => EnrollSCEP::random_octets(16));
$s->issued($s->send($poll, path => '/scep/wait'), $poll, 'approved');
entry('issued', 'to the poll', %scep_wait, %minted, auth => 'key',
    transaction => $txn, serial => qr/./, by => 'dev2');
$m = $s->request($c);
$s->failed($s->send($m, path => '/scep/wait'), $m, 2, 'challenge_required',
    'no challenge, no waiting');
none('it');

# the serial that was asked for in vain

$m = $s->get_cert($holder, '7abcde');
$s->failed($s->send($m), $m, 4, 'not_found', 'no such certificate');
entry('refused', 'asked by one of ours', %scep, %holder, requester => undef,
    reason => 'not_found', serial => '7ABCDE');
$m = $s->get_cert($c, '7abcde');
$s->failed($s->send($m), $m, 4, 'not_found', 'nor for anybody');
none('who is anybody');

# the API: a page elsewhere is refused, and by its user's name

my $api = '/api/challenges';
$t->est('challenges', prefix => '/api/', data => '{}', type => 'text/plain',
    user => 'dev2:another');
$t->est('challenges', prefix => '/api/', user => 'dev2:wrong');
none('before the password is looked at, and a wrong one');
is($t->est('challenges', prefix => '/api/', data => '{', user =>
    'dev2:another', type => 'application/json')->{status}, 400, 'bad JSON');
entry('refused', 'it', %api, operation => 'challenge_mint',
    reason => 'malformed_json');

# what is long

my $long = $t->forge(name => 'dev1', subject => name(CN => 'dev1'),
    attributes => [extension_request(san(map { dns("h$_." . 'x' x 50 . '.com') }
                                             1 .. 30))]);
$t->est('simpleenroll', csr => $long, prefix => '/.well-known/est/anybody/');
my $e = ($t->audit)[-1];
is($e->{event}, 'issued', 'a certificate with many names');
is(length $e->{san}, 1024, 'its entry is bounded');
like($e->{san}, qr/^dns:h1\.x+\.com, .*\.\.\.$/, 'and says so');
$seen = $t->audit;

##############################################################################

# workers that are killed at any moment: no certificate is without its entry

my @csr = map { $t->forge(name => 'dev1', subject => name(CN => "k$_")) }
              1 .. 60;
for my $round (0 .. 2) {
    my @mine = map { $csr[$round * 20 + $_] } 0 .. 19;
    my @conns = map { $t->connect } @mine;
    my @alive = grep { Enroll::alive($_) } $t->workers;
    my $n = $t->workers;
    my $issued = $t->count('issued');

    $conns[$_]->send_post('simpleenroll', csr => $mine[$_],
        prefix => '/.well-known/est/anybody/') for 0 .. 19;
    wait_for { $t->count('issued') > $issued };
    kill KILL => @alive;
    $_->close for @conns;
    ok(wait_for(sub { $t->workers >= $n + 2 }, 10), 'new workers');
}
my %recorded = map { uc s/.*://r => 1 } $t->keys('enroll:{devices}:cert:*');
my %entries;
$entries{$_->{serial}}++
    for grep { $_->{event} =~ /^(?:issued|renewed)$/ } $t->audit;
cmp_ok(scalar(keys %recorded), '>', 10, 'some were issued');
is(join(' ', grep { ($entries{$_} // 0) != 1 } keys %recorded), '',
    'each has one entry');
is(join(' ', grep { !$recorded{$_} } keys %entries), '', 'and no other has');

# no secret

my $all = encode_json([$t->audit]);
unlike($all, qr/$_/i, 'no secret is in it')
    for 'secret-password', 'static-challenge', $minted->{challenge};

# off

$t->conf($t->{http} =~ s/(enroll_ca devices)/enroll_audit off;\n$1/r,
         workers => 2);
ok($t->reload, 'switched off');
$seen = $t->audit;
$t->issued($t->est('simpleenroll', csr => $other,
    prefix => '/.well-known/est/anybody/', args => ['-H', 'X: y']))
    for 1;
$t->est('simpleenroll', data => 'x', %user);
none('off');

# bounded

$t->conf($t->{http} =~ s/enroll_audit off/enroll_audit maxlen=100/r,
         workers => 2);
ok($t->reload, 'bounded');
my $conn = $t->connect;
$conn->post('simpleenroll', data => 'x', %user) for 1 .. 400;
$conn->close;
my @left = $t->audit;
cmp_ok(scalar @left, '>=', 100, 'what is to be kept is kept');
cmp_ok(scalar @left, '<', 300, 'and not much more');
is($left[-1]{reason}, 'bad_base64', 'the newest ones');

for my $wrong ('on', 'maxlen=0', 'maxlen=x', 'maxlen=-1', 'maxlen=') {
    my ($rc, $out) = $t->nginx_t("enroll_audit $wrong; #!");
    like($out, qr/invalid parameter "\Q$wrong\E" in .*:$t->{line}$/m,
        "enroll_audit $wrong");
}
like(($t->nginx_t("enroll_audit off;\nenroll_audit off; #!"))[1],
    qr/"enroll_audit" directive is duplicate/, 'twice');

$t->done(except => qr/exited on signal 9/);

##############################################################################

# the one new entry: its event and these fields, undef for none
sub entry {
    my ($event, $name, %want) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my @all;
    wait_for { (@all = $t->audit) > $seen } 5;
    is(scalar(@all) - $seen, 1, "$name: one entry");
    $seen = @all;

    my %e = %{$all[-1] || {}};
    delete $want{$_} for grep { !defined $want{$_} } keys %want;
    like(delete $e{id}, qr/^\d{13}-\d+$/, "$name: its id") if $event ne 'none';
    for my $field (grep { ref $want{$_} } keys %want) {
        $want{$field} = $e{$field}
            if defined $e{$field} && $e{$field} =~ $want{$field};
    }
    is_deeply(\%e, { %want, event => $event }, "$name: what it says")
        or diag(explain(\%e));
    return $all[-1] || {};
}

sub none {
    my ($name) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    select undef, undef, undef, 0.1;
    my @all = $t->audit;
    is(scalar @all, $seen, "$name: no entry") or diag(explain($all[-1]));
    $seen = @all;
}

sub spki_digest {
    my ($name) = @_;
    return sha256_hex(unpem($t->openssl('pkey', '-in', $t->dir("$name.key"),
                                        '-pubout')));
}

sub api {
    my ($method, $op, $data) = @_;
    my $r = $t->est($op, prefix => '/api/', method => $method,
        user => 'dev2:another', type => 'application/json',
        data => $data ? encode_json($data) : '');
    return decode_json($r->{body});
}
