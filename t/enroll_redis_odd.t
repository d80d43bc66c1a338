#!/usr/bin/perl

# Copyright (C) The nginx-enroll authors

# A Redis, or something in its place, that answers what it should not: 503
# in time, and nothing is handed out.
#
# Conformance: HTTP-028 BAD-138

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use Enroll;
use EnrollDER;

##############################################################################

use IO::Select;
use IO::Socket::INET;
use IO::Socket::UNIX;
use Time::HiRes qw(time);

my $t = Enroll->new;

$t->ca('ca');
$t->redis_start;
$t->conf(<<'CONF');
    enroll_redis 127.0.0.1:%%PORT_proxy%% timeout=500ms;
    enroll_ca devices {
        certificate %%DIR%%/ca.crt;
        certificate_key %%DIR%%/ca.key;
    }

    server {
        listen 127.0.0.1:%%PORT_tls%% ssl;
        %%TLS%%
        enroll_timeout 2s;

        location /.well-known/est/ {
            est devices;
            est_auth none;
            enroll_names any;
        }
    }
CONF

# between nginx and Redis: hands on all, but answers scripts as the file "say"
# has it, where there is one

my $proxy = fork // die "fork: $!\n";
if (!$proxy) {
    proxy();
    POSIX::_exit(0);
}
$t->start;

##############################################################################

ok(wait_for(sub { ask('first')->{status} == 200 }, 10), 'through the proxy');

my $big = 'x' x 70_000;
my %say = (
    'LOADING' => "-LOADING Redis is loading the dataset in memory\r\n",
    'READONLY' => "-READONLY You can't write against a read only replica.\r\n",
    'MOVED' => "-MOVED 3999 127.0.0.1:6381\r\n",
    'NOAUTH' => "-NOAUTH Authentication required.\r\n",
    'OOM' => "-OOM command not allowed\r\n",
    'NOSCRIPT, always' => "-NOSCRIPT No matching script.\r\n",
    'an error of no words' => "-\r\n",
    'nil' => "\$-1\r\n", 'a nil array' => "*-1\r\n",
    'an empty array' => "*0\r\n", 'an array of nil' => "*1\r\n\$-1\r\n",
    'an integer' => ":1\r\n", 'a status' => "+OK\r\n",
    'an empty string' => "\$0\r\n\r\n", 'a string' => "\$2\r\nhi\r\n",
    'an unknown word' => "*1\r\n\$5\r\nhello\r\n",
    'done, and no more' => "*1\r\n\$4\r\ndone\r\n",
    'done, with integers' => "*4\r\n\$4\r\ndone\r\n:1\r\n:2\r\n:3\r\n",
    'done, with nonsense' => "*4\r\n\$4\r\ndone\r\n\$3\r\nxyz\r\n\$0\r\n\r\n"
        . "\$0\r\n\r\n",
    'done, with much nonsense' => "*4\r\n\$4\r\ndone\r\n\$70000\r\n$big\r\n"
        . "\$0\r\n\r\n\$0\r\n\r\n",
    'recorded at once' => "*1\r\n\$8\r\nrecorded\r\n",
    'lost' => "*1\r\n\$4\r\nlost\r\n",
    'waiting for ever' => "*1\r\n\$4\r\nwait\r\n",
    'deep arrays' => ("*1\r\n" x 1000) . ":1\r\n",
    'a bulk of 600 MB' => "\$629145600\r\nx",
    'an array of 2^31' => "*2147483648\r\n",
    'no protocol at all' => "HTTP/1.1 400 Bad Request\r\n\r\n",
    'half an answer' => "*1\r\n\$8\r\nadm",
    'nothing' => '',
    'the end' => 'CLOSE',
);

for my $name (sort keys %say) {
    $t->write('say.new', $say{$name});
    rename $t->dir('say.new'), $t->dir('say');

    my $start = time;
    my $n = $t->count('issued');
    my $r = ask($name);
    $t->refused($r, 503, $r->{reason} // 'none', "$name: 503");
    cmp_ok(time - $start, '<', 4, "$name: in time");
    is($t->count('issued'), $n, "$name: nothing is issued");
    is($t->est('cacerts')->{status}, 200, "$name: cacerts answers");

    unlink $t->dir('say');
    ok(wait_for(sub { ask($name)->{status} == 200 }, 30),
        "$name: over, and it is enrolled");
}

# admitted rightly, and only the record is answered oddly: the certificate is
# in Redis or not, but not in a client's hands unless it is

for my $name ('LOADING', 'nil', 'lost', 'the end', 'nothing',
              'waiting for ever', 'recorded at once')
{
    $t->write('say.new', $say{$name});
    $t->write('after', 1);
    rename $t->dir('say.new'), $t->dir('say');

    my $r = ask("later $name");
    if ($name ne 'recorded at once') {
        $t->refused($r, 503, $r->{reason} // 'none', "record, $name: 503");
    }
    unlink $t->dir($_) for 'say', 'after';
    ok(wait_for(sub { ask("later $name")->{status} == 200 }, 30),
        "record, $name: over, and it is enrolled");
}

kill KILL => $proxy;
waitpid $proxy, 0;
$t->done;

##############################################################################

# another name for each: nothing is answered from memory
sub ask {
    my ($name) = @_;
    our %csr;
    $csr{$name} //= $t->forge(name => 'k',
        subject => name(CN => substr $name, 0, 60));
    return $t->est('simpleenroll', csr => $csr{$name});
}

sub proxy {
    $SIG{ALRM} = 'DEFAULT';
    alarm 240;

    my $listen = IO::Socket::INET->new(LocalAddr => '127.0.0.1',
        LocalPort => $t->port('proxy'), Listen => 16, ReuseAddr => 1) or return;
    my $select = IO::Select->new($listen);
    my (%peer, %redis, %evals);

    my $drop = sub {
        my @both = grep { defined } $_[0], $peer{$_[0]};
        for my $s (@both) {
            $select->remove($s);
            delete $peer{$s};
            close $s;
        }
    };

    for (;;) {
        for my $s ($select->can_read) {
            if ($s == $listen) {
                my $c = $listen->accept or next;
                my $r = IO::Socket::UNIX->new(Peer => $t->dir('redis.sock'))
                    or next;
                @peer{$c, $r} = ($r, $c);
                $redis{$r} = 1;
                $select->add($c, $r);
                next;
            }

            next if !$peer{$s};
            my $n = sysread $s, my $data, 262144;
            $drop->($s), next if !$n;

            if (!$redis{$s} && $data =~ /EVAL/i && -e $t->dir('say')
                && !(-e $t->dir('after') && $data !~ /BEGIN|\x30\x82/
                     && !$evals{$s}++))
            {
                my $say = $t->read('say');
                $say eq 'CLOSE' ? $drop->($s) : syswrite $s, $say;
                next;
            }
            syswrite $peer{$s}, $data or $drop->($s);
        }
    }
}
