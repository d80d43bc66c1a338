#!/usr/bin/perl

# Copyright (C) The nginx-enroll authors

# More requests than the threads can take: those over the queue are told to
# come again, all others are served.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use Enroll;
use EnrollDER;
use EnrollMetrics;

##############################################################################

my $t = Enroll->new;

$t->ca('ca', key => 'rsa:4096');
chomp(my $hash = $t->openssl('passwd', '-6', 'secret'));
$t->write('users', "dev1:$hash\n");
$t->conf(<<'CONF', main => 'thread_pool few threads=1 max_queue=2;');
    enroll_redis unix:%%DIR%%/redis.sock;
    enroll_ca devices {
        certificate %%DIR%%/ca.crt;
        certificate_key %%DIR%%/ca.key;
    }
    enroll_thread_pool few;
    enroll_names any;

    server {
        listen 127.0.0.1:%%PORT_tls%% ssl;
        listen 127.0.0.1:%%PORT_plain%%;
        %%TLS%%
        location /.well-known/est/ { est devices; est_auth none; }
        location /basic/ { est devices; est_basic_users %%DIR%%/users; }
        location = /status { enroll_status; }
        location /other { return 200 "other\n"; }
    }
CONF
$t->run;

##############################################################################

my $refused = 0;
my @csr = map { $t->forge(name => 'k', subject => name(CN => "dev$_")) }
              1 .. 60;

for my $prefix ('/.well-known/est/', '/basic/') {
    my @o = (prefix => $prefix, user => 'dev1:secret');
    my @r = $t->burst(map { ['simpleenroll', { csr => $_, @o }] } @csr);
    my @ok = grep { $_->{status} eq '200' } @r;
    my @busy = grep { $_->{status} ne '200' } @r;

    cmp_ok(scalar @ok, '>', 0, "$prefix: some are served");
    cmp_ok(scalar @busy, '>', 0, "$prefix: some are not");
    $refused += @busy;
    my $bad = 0;
    for (@busy) {
        $bad++ if $_->{status} ne '503' || $_->{reason} ne 'busy'
                  || ($_->{headers}{'retry-after'} // '') !~ /^[1-9]\d*$/;
    }
    is($bad, 0, "$prefix: these are told to come again");
    is($t->est('other', prefix => '/')->{body}, "other\n",
        "$prefix: another location answers");

    # they do come again
    my $left = @busy;
    my @again = grep { $r[$_]{status} ne '200' } 0 .. $#r;
    for (1 .. 200) {
        last if !@again;
        my $r = $t->est('simpleenroll', csr => $csr[$again[0]], @o);
        shift @again if $r->{status} == 200;
        $refused++ if $r->{status} == 503;
    }
    is(scalar @again, 0, "$prefix: and are served then");
}

is($t->count('issued'), 120, 'each once at either location');
my $page = scrape($t);
is(sum($page, 'enroll_thread_pool_refused_total'), $refused,
    'what there was no room for is counted');
is(sum($page, 'enroll_requests_total', outcome => 'failed', reason => 'busy'),
    $refused, 'by its reason, too');
is(sum($page, 'enroll_thread_pool_jobs'), 0, 'no job is left');

# three signatures take some milliseconds: all is ready before they begin
my $n = 0;
ok(wait_for(sub {
    my @more = map { $t->forge(name => 'k', subject => name(CN => "more$_")) }
                   $n + 1 .. $n + 3;
    my ($look, @c) = map { $t->connect } 0 .. @more;
    $n += @more;

    $c[$_]->send_post('simpleenroll', csr => $more[$_]) for 0 .. $#c;
    $look->write("GET /status HTTP/1.1\r\nHost: localhost\r\n\r\n");
    my $page = $look->response->{body};
    $_->response for @c;
    $page =~ /^enroll_thread_pool_jobs [1-9]/m;
}, 30), 'jobs in hand are seen');

is($t->open_txns, '', 'no transaction is open');

$t->done;
