#!/usr/bin/perl

# Copyright (C) The nginx-enroll authors

# The log_format of docs/variables.md: each line is JSON, whatever was asked,
# and no password or challenge is in it, nor anywhere else.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use JSON::PP;
use MIME::Base64 qw(encode_base64);
use Test::More;

use Enroll;
use EnrollDER;
use EnrollSCEP;

##############################################################################

my $t = Enroll->new;

my ($format) = $t->read("$FindBin::Bin/../docs/variables.md")
    =~ /^```nginx http\n(log_format (\w+) (?s:.*?))^```$/m;
my ($name) = $format =~ /^log_format (\w+) /;
my @members = $format =~ /"(\w+)":/g;

my %secret = (password => 'Xu8vorlaeti', static => 'Qa5zaekoowie');

$t->ca('ca', key => 'rsa:2048');
$t->users('users', dev1 => $secret{password});
$t->write('challenge', "$secret{static}\n");

$t->conf(<<"CONF");
    $format
    access_log %%HOME%%/audit.log $name;

    enroll_redis unix:%%DIR%%/redis.sock;
    enroll_ca devices {
        certificate %%DIR%%/ca.crt;
        certificate_key %%DIR%%/ca.key;
    }

    server {
        listen 127.0.0.1:%%PORT_tls%% ssl;
        listen 127.0.0.1:%%PORT_plain%%;
        %%TLS%%
        ssl_verify_client optional;
        ssl_client_certificate %%DIR%%/ca.crt;
        est_basic_users %%DIR%%/users;
        scep_challenge file:%%DIR%%/challenge;

        location /.well-known/est/ { est devices; enroll_names any; }
        location /scep { scep devices; }
        location /scep/once { scep devices; scep_challenge one-time; }
        location /scep/wait { scep devices; enroll_approval manual; }
        location /api/ {
            enroll_api devices guard=basic;
            enroll_api_users %%DIR%%/users;
        }
        location /metrics { enroll_status; access_log off; }
        location /open { scep devices; scep_debug on; access_log off; }
    }
CONF
$t->run;

my $s = EnrollSCEP->new($t, ra => 'ca');
my @answers;
my %user = (user => "dev1:$secret{password}");

##############################################################################

# EST: a success, a refusal, a stranger

my $csr = $t->csr(name => 'dev1', san => 'DNS:dev1');
my $r = est('simpleenroll', csr => $csr, %user);
my $der = $t->issued($r);
my $line = line('issued');
is_deeply({ map { $_ => $line->{$_} } qw(client method status protocol
                operation ca profile reason identity serial subject
                csr_subject csr_cn csr_san csr_key) },
    { client => '127.0.0.1', method => 'POST', status => 200,
      protocol => 'est', operation => 'simpleenroll', ca => 'devices',
      profile => 'default', reason => 'issued', identity => 'dev1',
      serial => uc cert_fields($der)->{serial}, subject => 'CN=dev1',
      csr_subject => 'CN=dev1', csr_cn => 'dev1', csr_san => 'dns:dev1',
      csr_key => 'ec:P-256' }, 'a certificate');
is(join(' ', sort keys %$line), join(' ', sort @members), 'all members');
my ($entry) = $t->audit;
is("$entry->{serial} $entry->{transaction}",
    "$line->{serial} $line->{transaction_id}", 'as in the audit');

$t->keep('dev1', $der);
est('simplereenroll', csr => $csr, cert => 'dev1');
is(line('renewed')->{identity}, 'CN=dev1', 'renewed');
est('simpleenroll', data => 'x', %user);
is(line('refused')->{reason}, 'bad_base64', 'refused');
est('simpleenroll', csr => $csr, user => "dev1:$secret{password}x");
$line = line('refused');
is("$line->{reason} $line->{identity}", 'bad_password ', 'a stranger');
est('cacerts');
is(line('served')->{operation}, 'cacerts', 'served');

# SCEP

my $c = $s->client('dev2');
my $m = $s->request($c, challenge => $secret{static});
$der = $s->issued(scep($m), $m, 'SCEP');
$line = line('issued');
is("$line->{protocol} $line->{operation} $line->{serial}",
    'scep PKIOperation ' . uc cert_fields($der)->{serial}, 'its line');
$m = $s->request($s->holder($c, $der), type => 17);
$s->issued(scep($m), $m, 'SCEP, a renewal');
is(line('renewed')->{identity}, 'CN=dev2', 'its line');
$m = $s->request($c, challenge => "$secret{static}x");
$s->failed(scep($m), $m, 2, 'challenge_unknown', 'SCEP, refused');
is(line('refused')->{reason}, 'challenge_unknown', 'its line');
$m = $s->request($c, challenge => $secret{static}, san => [der(0x88, "\x2a")]);
$s->failed(scep($m, get => 1), $m, 2, 'san_not_allowed', 'SCEP by GET');
is(line('refused')->{method}, 'GET', 'its line');
$m = $s->request($c, challenge => $secret{static}, transaction => 'w');
$s->waits(scep($m, path => '/scep/wait'), $m, 'SCEP, waiting');
is(line('pending')->{status}, 200, 'its line');

# the API

$r = api(POST => 'challenges', {});
pop @answers;                           # the one that tells it
$secret{minted} = decode_json($r->{body})->{challenge};
is(line('minted')->{operation}, 'challenge_mint', 'a challenge');
$m = $s->request($c, challenge => $secret{minted}, transaction => 'o');
$s->issued(scep($m, path => '/scep/once'), $m, 'used');
is(line('issued')->{outcome}, 'issued', 'its line');
$m = $s->request($c, challenge => $secret{minted}, transaction => 'p');
$s->failed(scep($m, path => '/scep/once'), $m, 2, 'challenge_unknown',
    'used up');
line('refused');
my ($id) = api(GET => 'requests')->{body} =~ /"id":"(\w+)"/;
line('served');
api(POST => "requests/$id", { decision => 'approve' });
line('decided');
my $poll = $s->poll($c, 'w');
$s->issued(scep($poll, path => '/scep/wait'), $poll, 'approved');
line('issued');
api(GET => 'audit?limit=1000');
api(GET => 'challenges');
line('served') for 1;

# what is meant to break a line

for my $evil (
    [[utf8 => "a\"b\\c\n\t\x01\x7f"], 'quotes and control characters'],
    [[utf8 => "\xe2\x80\xa8\xc2\x85"], 'separators of lines'],
    [[t61 => "\xfc\xff\x80"], 'Latin-1'],
    [[bmp => "\0\"\0\\\x20\x28\xd8\x3d"], 'UTF-16'],
    [[ia5 => '","outcome":"issued'], 'what looks like a member'])
{
    my ($value, $what) = @$evil;
    my %tag = (utf8 => 0x0c, t61 => 0x14, bmp => 0x1e, ia5 => 0x16);
    my $subject = seq(set(seq(oid('2.5.4.3'), der($tag{$value->[0]},
                                                  $value->[1]))));
    $r = est('simpleenroll', %user, csr => $t->forge(name => 'dev1',
        subject => $subject));
    is(line($r->{status} == 200 ? 'issued' : 'refused')->{status},
        $r->{status}, "$what: $r->{status}");
}
for my $raw ("GET /.well-known/est/\"\xff\xfe HTTP/1.1",
             "POST /.well-known/est/%ff%22%0a HTTP/1.1",
             "\xff\"\x01 / HTTP/1.1", "GET /%zz HTTP/1.1",
             "GET /scep?operation=%22\xff HTTP/1.1")
{
    my $conn = $t->connect;
    $conn->write("$raw\r\nHost: \"x\xff\r\nUser-Agent: \"\xff\r\n"
                 . "Content-Length: 0\r\n\r\n");
    $r = $conn->response;
    push @answers, $r;
    $conn->close;
    line(undef);
}

##############################################################################

# the secrets, as they are and as they travel, are nowhere

my $plain = 'http://127.0.0.1:' . $t->port('plain');
my %place = (
    figures => $t->curl("$plain/metrics")->{body}
               . $t->curl("$plain/metrics?format=json")->{body},
    pages => join('', map { $t->curl("$plain/open/$_")->{body} }
                      '', 'info', 'health', 'configuration')
             . $t->est('configuration', %user)->{body},
);
ok($t->stop, 'nginx ends');
$place{$_} = $t->log($_) for qw(audit access error);
$place{stderr} = $t->read("$t->{home}/stderr");
$place{redis} = $t->state;
$place{'the audit'} = encode_json([$t->audit]);
$place{answers} = join "\n", map { $_->{head} . $_->{body} } @answers;

cmp_ok(length $place{$_}, '>', 500, "$_ is there")
    for qw(audit redis answers figures pages), 'the audit';

for my $which (sort keys %secret) {
    my $s = $secret{$which};
    for my $form ($s, encode_base64("dev1:$s", ''), unpack('H*', $s),
                  encode_base64($s, '') =~ s/..=*$//r)
    {
        is(join(' ', grep { index(lc $place{$_}, lc $form) >= 0 }
                     sort keys %place), '', "$which: $form is nowhere");
    }
}

$t->done;

##############################################################################

sub est {
    my $r = $t->est(@_);
    push @answers, $r;
    return $r;
}

sub scep {
    my $r = $s->send(@_);
    push @answers, $r;
    return $r;
}

sub api {
    my ($method, $op, $data) = @_;
    return est($op, prefix => '/api/', method => $method, %user,
        $data ? (data => encode_json($data), type => 'application/json') : ());
}

# the last line, which is JSON and of this outcome
sub line {
    my ($outcome) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $n = @answers + ($secret{minted} ? 1 : 0);
    my @lines;
    wait_for { (@lines = split /\n/, $t->log('audit')) >= $n };
    my $e = eval { JSON::PP->new->utf8->decode($lines[-1] // '') };
    is(ref $e, 'HASH', 'a line of JSON') or diag("$lines[-1]: $@");
    $e ||= {};
    is($e->{outcome}, $outcome, "of outcome $outcome") if defined $outcome;
    return $e;
}
