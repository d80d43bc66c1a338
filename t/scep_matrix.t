#!/usr/bin/perl

# Copyright (C) The nginx-enroll authors

# Clients, set-ups (an RSA CA alone, with an RA; a P-256 CA with an RA, with
# two), and the ways to be let in or not: challenges, approval, an answer that
# is lost between two nginx, a Redis that is away.
#
# Conformance: SCEP-097

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use JSON::PP;
use Test::More;

use Enroll;
use EnrollClients;
use EnrollDER;
use EnrollRA;
use EnrollSCEP;

##############################################################################

# Each row is a device, which asks at up to four times:
#
#     1  at first; of what is asked of "lost", the answer never arrives
#     2  after approval, and when the network is well
#     3  while Redis is away
#     4  when it is back
#
# "+": it has its certificate then, "-": it has none, " ": it does not ask.
# It asks by the same request each time.

my @rows = (
    # device                    where      with what           1234
    ['a static challenge',      'static',  'secret',          '+   '],
    ['a wrong one',             'static',  'wrong',           '-   '],
    ['a one-time challenge',    'once',    'minted',          '+   '],
    ['one that is used',        'once-b',  'used',            ' -  '],
    ['one for another name',    'once',    'minted for dev2', '-   '],
    ['one never minted',        'once',    'A' x 32,          '-   '],
    ['approved',                'approve', 'secret',          '-+  '],
    ['denied',                  'deny',    'secret',          '--  '],
    ['the first answer lost',   'lost',    'minted',          '-+  '],
    ['Redis away',              'once',    'minted',          '  -+'],
    ['no challenge',            'once-b',  undef,             '-   '],
);

# where that is: the node, or what is in front of both, and the location
my %where = (
    static => ['a', 'static'], once => ['a', 'once'], 'once-b' => ['b', 'once'],
    approve => ['a', 'approve'], deny => ['b', 'deny'],
    lost => ['balancer', 'once'],
);

# what scepclient knows; the others do without
my %legacy = (scepclient => '/legacy');

# The slow ones are with each set-up in a test of their own.
my %clients = (
    openssl => { lacks => '', cas => \@RAS, enrol => \&by_openssl,
                 subject => 'CN=dev1' },
    strongSwan => { lacks => \&strongswan_lacks, cas => \@RAS,
                    enrol => \&by_strongswan, subject => 'CN=dev1,O=Example' },
    scepclient => { lacks => sub { have('scepclient') },
                    cas => ['ra'], enrol => \&by_scepclient,
                    subject => 'CN=dev1,OU=MDM,O=scep-client,C=US' },
    'Bouncy Castle' => { lacks => \&bouncycastle_lacks, cas => ['split'],
                         enrol => \&by_bouncycastle,
                         subject => 'CN=dev1,O=Example' },
    certmonger => { lacks => \&certmonger_lacks, cas => ['ec'],
                    enrol => \&by_certmonger, subject => 'O=Example,CN=dev1' },
);

##############################################################################

my $t = Enroll->new;
my $b = $t->node('b');
ra_files($t);

my $conf = ra_cas() =~ s/redis\.sock/redis.sock timeout=1s/r . <<'CONF';
    scep_challenge secret;
    scep_failure_limit off;
    large_client_header_buffers 4 16k;

    server {
        listen 127.0.0.1:%%PORT_plain%%;
        location /api/ {
            enroll_api $arg_ca guard=address allow=127.0.0.1;
        }
CONF
for my $path ('', '/legacy') {
    my $old = $path ? 'scep_legacy des sha1;' : '';
    $conf .= ra_locations($old, "$path/static")
             . ra_locations("$old scep_challenge one-time;", "$path/once")
             . ra_locations("$old enroll_approval manual;", "$path/$_")
             for 'approve', 'deny';
}
$conf =~ s/^(        location (\S+) .*\n)(?=(?:.*\n)*        location \2 )//mg;
$conf .= "    }\n";

# While there is a file "lossy", what is in front of both passes messages to
# the first node, has no room for its answers, and hangs up; after it, it
# passes them to the second one.

my ($port_a, $port_b) = map { $_->port('plain') } $t, $b;
$t->conf($conf)->run;
$b->conf($conf . <<"CONF")->start;
    server {
        listen 127.0.0.1:%%PORT_balancer%%;

        location / {
            set \$lossy \$arg_operation;
            if (-f %%DIR%%/lossy) { set \$lossy "\$arg_operation!"; }
            if (\$lossy = PKIOperation!) { rewrite ^ /lost last; }
            proxy_pass http://127.0.0.1:$port_b;
        }
        location = /lost {
            internal;
            proxy_buffer_size 100;
            proxy_buffers 8 100;
            proxy_busy_buffers_size 200;
            proxy_pass http://127.0.0.1:$port_a\$request_uri;
            error_page 502 = \@hang_up;
        }
        location \@hang_up { return 444; }
    }
CONF

my %url = (a => $port_a, b => $port_b, balancer => $b->port('balancer'));
$_ = "http://127.0.0.1:$_" for values %url;

##############################################################################

my (%done, $daemon);

for my $client (sort keys %clients) {
    my $c = $clients{$client};
    my $lacks = ref $c->{lacks} ? $c->{lacks}->($t) : $c->{lacks};
  SKIP: {
        skip("$client: $lacks", 1) if $lacks;
        row_by_row($client, $c);
    }
}

if ($daemon) {
    kill TERM => $daemon;
    Enroll::reap($daemon, 10);
}
is($t->open_txns, '', 'no transaction is open');
$t->done;

##############################################################################

# all rows with all set-ups, a time after the other

sub row_by_row {
    my ($client, $c) = @_;
    my (@requests, %minted);
    my %issued = map { $_ => $t->count('issued', $_) } @RAS;

    for my $ca (@{$c->{cas}}) {
        for my $row (@rows) {
            my ($name, $where, $challenge, $times) = @$row;
            my ($node, $path) = @{$where{$where}};

            if (($challenge // '') eq 'used') {
                $challenge = $minted{$ca};
            } elsif (($challenge // '') =~ /^minted(?: for (\w+))?$/) {
                my $name = $1 // 'dev1';
                $challenge = mint($ca, $c->{subject} =~ s/dev1/$name/r);
                $minted{$ca} //= $challenge;
            }
            $path = ($legacy{$client} // '') . "/$path/$ca/scep";
            push @requests, { row => $name, ca => $ca, times => $times,
                node => $node, path => $path, url => "$url{$node}$path",
                where => $where, challenge => $challenge,
                name => join('-', $client, $ca, scalar @requests) =~ tr/ //dr,
                key => "$client-$name" =~ tr/ /-/r };
        }
    }
    for my $time (1 .. 4) {
        $t->write('lossy', '') if $time == 1;
        decide($_) for $time == 2 ? @{$c->{cas}} : ();
        unlink $t->dir('lossy') if $time == 2;
        $t->redis_stop if $time == 3;
        if ($time == 4) {
            $t->redis_start;
            for my $node ($t, $b) {
                wait_for { $node->curl($url{$node->{name}}
                           . "/api/challenges?ca=rsa")->{status} eq '200' };
            }
        }

        my @now = grep { substr($_->{times}, $time - 1, 1) ne ' ' } @requests;
        my @ders = $c->{enrol}->(@now);
        for my $i (0 .. $#now) {
            my ($r, $der) = ($now[$i], $ders[$i]);
            $r->{asked} = 1;
            if (substr($r->{times}, $time - 1, 1) eq '+') {
                ra_checks($t, $r->{ca}, $der, $r->{key},
                          "$client: $r->{row}");
            } else {
                is($der, '', "$client: $r->{row}, $r->{ca}: not at time $time");
            }
        }
        issued($client, $c, \%issued, 1 + grep({ $_->[3] =~ /^\+/ } @rows),
               'the lost answer had a certificate') if $time == 1;
    }

    issued($client, $c, \%issued, scalar(grep { $_->[3] =~ /\+/ } @rows),
           'nothing else is issued');
}

# so many certificates with each set-up
sub issued {
    my ($client, $c, $before, $n, $name) = @_;
    my $is = sub { join ' ', map { $t->count('issued', $_) - $before->{$_} }
                                 @{$c->{cas}} };
    my $expected = join ' ', ($n) x @{$c->{cas}};
    wait_for { $is->() eq $expected } 2;
    is($is->(), $expected, "$client: $name");
}

sub api {
    my ($ca, $op, $data) = @_;
    return decode_json($t->curl($data
        ? ('-H', 'Content-Type: application/json', '-d', encode_json($data))
        : (), "$url{a}/api/$op?ca=$ca")->{body});
}

sub mint {
    my ($ca, $subject) = @_;
    return api($ca, 'challenges', { subject => $subject })->{challenge};
}

sub decide {
    my ($ca) = @_;
    for my $r (@{api($ca, 'requests')->{requests}}) {
        my ($what) = $r->{location} =~ m{/(approve|deny)/};
        api($ca, "requests/$r->{id}", { decision => $what });
    }
}

sub have {
    my ($program) = @_;
    return (grep { -x "$_/$program" } split /:/, $ENV{PATH}) ? ''
           : "there is no $program";
}

##############################################################################

# How each client asks, all requests at once: the certificates, or ''.

sub by_openssl {
    my @conns = map {
        my $r = $_;
        my $s = $r->{s} //= EnrollSCEP->new($t,
            ra => (ras($r->{ca}), $r->{ca})[$r->{ca} eq 'split' ? 1 : 0],
            signer => (ras($r->{ca}), $r->{ca})[0], path => $r->{path},
            port => $r->{node} eq 'balancer' ? 'balancer' : 'plain');
        $r->{m} //= $s->request($s->client($r->{key}), subject =>
            name(CN => 'dev1'), challenge => $r->{challenge});
        $s->start($r->{m}, node => $r->{node} eq 'a' ? $t : $b);
    } @_;
    return map {
        my $r = $_[$_];
        my $answer = $r->{s}->response($conns[$_]);
        my $a = $r->{s}->open($answer, $r->{m});
        $a && $a->{certs} && !@{$a->{wrong}} ? $a->{certs}[0] : '';
    } 0 .. $#_;
}

sub by_strongswan {
    $t->key($_->{key}, 'rsa:2048') for @_;
    return processes(sub {
        my ($r) = @_;
        return strongswan($t, @{$r}{qw(url ca key)}, '--interval', 1,
            '--maxpolltime', 1, defined $r->{challenge}
            ? ('--password', $r->{challenge}) : ());
    }, sub { found($t->read("$_[0]{name}.out")) }, @_);
}

# it sleeps for 30 seconds where it has to wait: it is cut off, and asks again
sub by_scepclient {
    for (@_) {
        mkdir $t->dir($_->{name});
        $t->openssl('rsa', '-traditional', '-in', $t->key($_->{key}, 'rsa:2048'),
            '-out', $t->dir("$_->{name}/key.pem")) if !$_->{asked};
    }
    return processes(sub {
        my ($r) = @_;
        return scepclient($t, @{$r}{qw(url ca name)},
            defined $r->{challenge} ? ('-challenge', $r->{challenge}) : ());
    }, sub { found($t->read("$_[0]{name}/cert.pem")) }, @_);
}

sub processes {
    my ($command, $result, @requests) = @_;
    my @pids = map {
        unlink $t->dir("$_->{name}.out");
        Enroll::spawn($t->dir("$_->{name}.out"), $command->($_));
    } @requests;
    for my $i (0 .. $#pids) {
        wait_for {
            $t->read("$requests[$i]{name}.out") =~ /sleeping for/
                ? kill TERM => $pids[$i] : 0;
            !Enroll::alive($pids[$i]);
        } 60;
    }
    return map { $result->($_) } @requests;
}

# what waits is asked for by CertPoll
sub by_bouncycastle {
    if (!$done{bouncycastle}++) {
        is(bouncycastle_compile($t), '', 'the client of Bouncy Castle');
    }
    for (@_) {
        $t->cert($_->{key}, key => 'rsa:2048', subject => '/O=Example/CN=dev1')
            if !-e $t->dir("$_->{key}.crt");
    }
    return map { $_->{der} // '' } bouncycastle($t, map {
        [@{$_}{qw(url ca key)}, { transaction => $_->{name},
            type => $_->{asked} && $_->{where} =~ /approve|deny/ ? 20 : 19,
            defined $_->{challenge} ? (challenge => $_->{challenge}) : () }]
    } @_);
}

# until each is in another state than before
sub by_certmonger {
    my @requests = @_;

    $daemon //= certmonger_start($t, map {
        my $where = $_;
        my ($node, $path) = @{$where{$where}};
        ("$where-ec" => ["$url{$node}/$path/ec/scep", 'ec']);
    } keys %where) or return ('no daemon') x @requests;

    for my $r (@requests) {
        my ($rc, $out) = $r->{asked}
            ? getcert($t, 'resubmit', '-i', $r->{key})
            : getcert($t, 'request', '-c', "$r->{where}-$r->{ca}",
                '-I', $r->{key}, '-k', $t->dir("$r->{key}.key"),
                '-f', $t->dir("$r->{key}.pem"), '-N', 'CN=dev1,O=Example',
                defined $r->{challenge} ? ('-L', $r->{challenge}) : ());
        diag($out) if $rc;
    }

    wait_for {
        my (undef, $list) = getcert($t, 'list');
        my %state = $list =~ /^Request ID '(\S+?)':\n\s+status: (\w+)/mg;
        $_->{now} = $state{$_->{key}} // '' for @requests;
        !grep { $_->{now} eq ($_->{state} // '')
                || $_->{now} !~ /^(?:MONITORING|CA_\w+)$/ } @requests;
    } 60 or diag(map { "$_->{row}, $_->{ca}: $_->{now}\n" } @requests);
    $_->{state} = $_->{now} for @requests;
    return map { found($t->read("$_->{key}.pem")) } @requests;
}
