#!/usr/bin/perl

# Copyright (C) The nginx-enroll authors

# The audit through the API: in order, a part at a time, of one CA, on any
# node; what it is asked with is read strictly, and its guards are those of
# the rest.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use JSON::PP;
use Test::More;
use Time::HiRes qw(time);
use Time::Local qw(timegm);

use Enroll;
use EnrollDER;

##############################################################################

my $t = Enroll->new;
my $node = $t->node('b');

$t->ca($_) for qw(ca other admins);
$t->client('admin', 'admins');
$t->client('device', 'ca');
$t->users('users', dev1 => 'secret');

my $conf = <<'CONF';
    enroll_redis unix:%%DIR%%/redis.sock;
    enroll_ca devices {
        certificate %%DIR%%/ca.crt;
        certificate_key %%DIR%%/ca.key;
    }
    enroll_ca others {
        certificate %%DIR%%/other.crt;
        certificate_key %%DIR%%/other.key;
    }

    server {
        listen 127.0.0.1:%%PORT_tls%% ssl;
        %%TLS%%
        ssl_verify_client optional_no_ca;
        ssl_client_certificate %%DIR%%/admins.crt;
        est_basic_users %%DIR%%/users;

        location /.well-known/est/ { est devices; }
        location /api/ { enroll_api devices guard=address allow=127.0.0.1; }
        location /any/ { enroll_api guard=external; }
        location /closed/ { enroll_api devices guard=address allow=10.0.0.1; }
        location /admin/ {
            enroll_api devices guard=certificate;
            enroll_api_client_ca %%DIR%%/admins.crt;
        }
        location /users/ {
            enroll_api devices guard=basic;
            enroll_api_users %%DIR%%/users;
        }
    }
CONF
$t->conf($conf)->run;
$node->conf($conf)->start;

my %user = (user => 'dev1:secret');

##############################################################################

# nothing yet

my $r = audit($t, '');
is("$r->{status} $r->{type} $r->{body}",
    "200 application/json {\"total\":0,\"audit\":[],\"next\":\"-\"}\n",
    'an empty list');
is($r->{headers}{'cache-control'}, 'no-store', 'not to be kept');
is(audit($t, '?since=-')->{body}, $r->{body}, 'from its "next"');

# one entry, as the other node has it

my $serial = uc $t->serial($t->est('simpleenroll', %user, csr => $t->csr(
    name => 'dev1', subject => "/O=A \"b\" \\\\ \xc3\xbc/CN=dev1",
    san => 'DNS:dev1')));
my $list = listed($node, '');
is($list->{total}, 1, 'one entry');
my %e = %{$list->{audit}[0]};
my ($key) = $t->audit;
is($e{id}, $key->{id}, 'its id');
is($list->{next}, $e{id}, 'which is the next');
like($e{time}, qr/^20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ$/, 'its time');
cmp_ok(abs(epoch($e{time}) - time), '<', 20, 'is now');
is(epoch($e{time}), int($e{id} =~ s/-.*//r / 1000), 'the one of the id');
my $subject = "CN=dev1,O=A \\\"b\\\" \\\\ \xc3\xbc";
utf8::decode($subject);
is_deeply({ %e, id => 1, time => 1, requester => 1, transaction => 1,
            key_digest => 1 },
    { id => 1, time => 1, event => 'issued', protocol => 'est',
      operation => 'simpleenroll', location => '/.well-known/est/',
      profile => 'default', auth => 'basic', identity => 'dev1',
      requester => 1, address => '127.0.0.1', subject => $subject,
      san => 'dns:dev1', key => 'ec:P-256', key_digest => 1,
      serial => $serial, transaction => 1 }, 'what it says')
    or diag(explain(\%e));

# many, a part at a time

my $conn = $t->connect;
$conn->post('simpleenroll', data => "x$_", %user) for 1 .. 249;
$conn->close;
ok(wait_for(sub { listed($t, '')->{total} == 250 }), '250 entries');
$list = listed($t, '');
is(scalar @{$list->{audit}}, 100, 'a hundred at a time');
my @ids = map { $_->{id} } @{$list->{audit}};
my $next = $list->{next};
for (1 .. 3) {
    $list = listed($t, "?since=$next");
    push @ids, map { $_->{id} } @{$list->{audit}};
    isnt($list->{next}, $next, 'the next') if @{$list->{audit}};
    $next = $list->{next};
}
is(join(' ', @ids), join(' ', map { $_->{id} } $t->audit),
    'all of them, in their order');
is_deeply(listed($t, "?since=$next"), { total => 250, audit => [],
    next => $next }, 'and nothing behind them');
is(scalar @{listed($t, '?limit=1000')->{audit}}, 250, 'all at once');
is(listed($t, '?limit=1')->{next}, $ids[0], 'one alone');
is(listed($t, "?limit=1&since=$ids[0]")->{next}, $ids[1], 'and the one behind');
my ($ms) = $ids[0] =~ /^(\d+)/;
is(listed($t, "?since=$ms&limit=1")->{next}, $ids[0], 'since a time');
is(listed($t, '?since=0-0&limit=1')->{next}, $ids[0], 'since ever');
is(listed($t, '?since=999999999999999999-1')->{next}, '999999999999999999-1',
    'since far ahead');

# long ones: fewer at a time, and none is lost

my $san = join ',', map { "DNS:h$_." . 'x' x 60 . '.example.com' } 1 .. 14;
my $long = $t->csr(name => 'long', subject => '/CN=long', san => $san);
$conn = $t->connect;
$conn->post('simpleenroll', csr => $long, %user) for 1 .. 200;
$conn->close;
ok(wait_for(sub { listed($t, "?since=$next&limit=1")->{total} == 450 }), '200 more');
my $n = 0;
my $parts = 0;
for (1 .. 5) {
    $list = listed($t, "?since=$next&limit=1000");
    $next = $list->{next};
    $n += @{$list->{audit}};
    $parts++ if @{$list->{audit}};
}
is($n, 200, 'all are read');
cmp_ok($parts, '>', 1, 'in more than one part');

# of another CA

is(listed($t, '?ca=others', prefix => '/any/')->{total}, 0, 'another CA');
is(listed($t, '?ca=devices&limit=1', prefix => '/any/')->{total}, 450, 'this');
failed($t->est('audit', prefix => '/any/'), 404, 'unknown_ca', 'none named');

# what is asked for

for my $wrong ('since=', 'since=x', 'since=1-', 'since=-1', 'since=1-2-3',
    'since=1.5', 'since=' . '1' x 19, 'since=1-' . '1' x 19, 'since=%31',
    'since=(1-1', 'since=1%20', 'since=+', 'since=--')
{
    $r = audit($t, "?$wrong");
    failed($r, 400, 'bad_argument', $wrong);
    is(decode_json($r->{body})->{member}, 'since', "$wrong: which");
}
for my $wrong ('limit=', 'limit=0', 'limit=1001', 'limit=-1', 'limit=x',
    'limit=1x', 'limit=99999999999999999999')
{
    failed(audit($t, "?$wrong"), 400, 'bad_argument', $wrong);
}

# guards and methods

failed(audit($t, '', prefix => '/closed/'), 403, 'address_not_allowed',
    'by address');
failed(audit($t, '', prefix => '/users/'), 401, 'authentication_required',
    'by nobody');
failed(audit($t, '', prefix => '/users/', user => 'dev1:x'), 401,
    'bad_password', 'by a wrong password');
is(audit($t, '', prefix => '/users/', %user)->{status}, 200, 'by password');
failed(audit($t, '', prefix => '/admin/'), 403,
    'client_certificate_required', 'without a certificate');
is(audit($t, '', prefix => '/admin/', cert => 'device')->{status}, 403,
    'with that of a device');
is(audit($t, '', prefix => '/admin/', cert => 'admin')->{status}, 200,
    'of an administrator');
$r = audit($t, '', method => 'POST', data => '{}');
failed($r, 405, 'method_not_allowed', 'POST');
is($r->{headers}{allow}, 'GET, HEAD', 'what is allowed');
failed(audit($t, '', method => 'DELETE'), 405, 'method_not_allowed', 'DELETE');
failed($t->est('audit/1-1', prefix => '/api/'), 404, 'unknown_operation',
    'no single entry');
is($t->est('audit', prefix => '/api/', args => ['-I'])->{status}, 200, 'HEAD');

# what Redis holds and nobody has written

$t->redis('SET', 'enroll:{others}:audit', 'x');
failed(audit($t, '?ca=others', prefix => '/any/'), 503, 'store_unavailable',
    'a wrong type');
$t->redis('XADD', 'enroll:{devices}:audit', '*', 'event', "\xff\x01<x>",
    'other', 'x');
$list = listed($t, "?since=$next");
is(join(' ', sort keys %{$list->{audit}[-1]}), 'event id time',
    'an entry of fields that are not known');
is($list->{audit}[-1]{event}, "\x{fffd}\x01<x>", 'as text');

$t->redis_stop;
failed(audit($t, ''), 503, 'store_unavailable', 'Redis is away');

$t->done;

##############################################################################

sub audit {
    my ($t, $query, %o) = @_;
    return $t->est("audit$query", prefix => '/api/',
        $o{data} ? (type => 'application/json') : (), %o);
}

sub listed { decode_json(audit(@_)->{body}) }

sub failed {
    my ($r, $status, $reason, $name) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $e = eval { decode_json($r->{body}) } || {};
    return is(join(' ', $r->{status}, $r->{type} // '', $e->{error} // ''),
              "$status application/json $reason", $name);
}

sub epoch {
    my ($y, $mo, @rest) = $_[0] =~ /^(\d+)-(\d+)-(\d+)T(\d+):(\d+):(\d+)Z$/;
    return timegm(reverse(@rest), $mo - 1, $y);
}
