#!/usr/bin/perl

# Copyright (C) The nginx-enroll authors

# The API and what waits for approval: listed, approved and denied on another
# node than the one that was asked.
#
# Conformance: EST-108 EST-109 EST-110 EST-111 EST-113 EST-114 EST-115
#   EST-117

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use JSON::PP;
use Test::More;

use Enroll;
use EnrollDER;

##############################################################################

my $t = Enroll->new;
my $node = $t->node('b');

$t->ca('ca');
$t->users('est.users', dev1 => 'secret', dev2 => 'secret', dev3 => 'secret');

my $conf = <<'CONF';
    enroll_redis unix:%%DIR%%/redis.sock;
    enroll_ca devices {
        certificate %%DIR%%/ca.crt;
        certificate_key %%DIR%%/ca.key;
    }
    server {
        listen 127.0.0.1:%%PORT_tls%% ssl;
        %%TLS%%
        enroll_approval manual;

        location /.well-known/est/ {
            est devices;
            est_basic_users %%DIR%%/est.users;
        }
        location /api/ { enroll_api devices guard=address allow=127.0.0.1; }
    }
CONF
$t->conf($conf)->run;
$node->conf($conf)->start;

##############################################################################

my %csr = map { ($_ => $t->csr(subject => "/CN=$_", san => "DNS:$_")) }
          qw(dev1 dev2);
for (1, 2) {
    my $r = enroll('dev1');
    is($r->{status}, 202, "$_: it waits");
    like($r->{headers}{'retry-after'} // '', qr/^[1-9]\d*$/,
        "$_: and is told how long");
    like($r->{type} // '', qr{^text/plain(?:;|$)}, "$_: in text");
}
is(enroll('dev2')->{status}, 202, 'so does another');

my $list = decode_json(api($node, 'requests')->{body});
is($list->{total}, 2, 'two wait');
my %r = map { ($_->{subject} => $_) } @{$list->{requests}};
is(join(' ', sort keys %r), 'CN=dev1 CN=dev2', 'they are listed');
my %d = %{$r{'CN=dev1'}};
is(join('|', @d{qw(san key requester protocol operation location address)}),
    'dns:dev1|ec:P-256|basic:dev1|est|simpleenroll|/.well-known/est/|127.0.0.1',
    'what is asked, and by whom');
like($d{key_digest}, qr/^[0-9a-f]{64}$/, 'its key');
like($d{id}, qr/^[0-9a-f]{64}$/, 'its id');

# decided

my $r = decide('dev1', 'approve');
is("$r->{status} $r->{body}", qq(200 {"id":"$d{id}","status":"approved"}\n),
    'approved');
is(decide('dev2', 'deny')->{status}, 200, 'denied');
is(decide('dev1', 'approve')->{status}, 200, 'approved again');
failed(decide('dev1', 'deny'), 409, 'decided_otherwise', 'but not denied');
failed(decide('dev2', 'approve'), 409, 'decided_otherwise', 'nor approved');
is(decode_json(api($t, 'requests')->{body})->{total}, 0, 'none waits');

my $dn = cert_fields($t->issued(enroll('dev1')));
ok($dn, 'the approved one is issued');
$r = enroll('dev2');
is("$r->{status} $r->{reason}", '403 denied', 'the other one is refused');
my $record = $t->hash(($t->keys('enroll:{devices}:cert:*'))[0]);
is($record->{approved_by}, '127.0.0.1', 'by whom is recorded');
like($node->log, qr/request_decide approve "$d{id}" of CA "devices" by "127/,
    'it is in the log');
failed(decide('dev1', 'approve'), 404, 'no_such_entry', 'issued: no more there');

# what cannot be decided

failed(api($t, "requests/$_", data => '{"decision":"deny"}'), 404,
    'no_such_entry', "no id: $_") for 'a', 'a' x 64, 'a' x 65, 'x', '';
for my $json ('{}', '{"decision":"maybe"}', '{"decision":1}',
              '{"decision":"deny","x":1}', '{"decision":"approve "}',
              '{"decision":"Approve"}')
{
    failed(api($t, "requests/$d{id}", data => $json), 400, 'bad_member', $json);
}
failed(api($t, "requests/$d{id}", data => ''), 400, 'empty_body', 'nothing');
failed(api($t, "requests/$d{id}"), 405, 'method_not_allowed', 'GET');

$t->done;

##############################################################################

sub enroll { $t->est('simpleenroll', csr => $csr{$_[0]}, user => "$_[0]:secret") }

sub api {
    my ($t, $path, %o) = @_;
    return $t->est($path, prefix => '/api/', type => 'application/json', %o);
}

sub decide {
    my ($who, $decision) = @_;
    return api($node, "requests/$r{\"CN=$who\"}{id}",
               data => encode_json({ decision => $decision }));
}

sub failed {
    my ($r, $status, $reason, $name) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $e = eval { decode_json($r->{body}) } || {};
    return is("$r->{status} " . ($e->{error} // '-'), "$status $reason", $name);
}
