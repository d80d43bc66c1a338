#!/usr/bin/perl

# Copyright (C) The nginx-enroll authors

# Measures: "make bench", or one part of it, "make bench BENCH='scep get'".
# What is measured, and how, is told in bench/README.md.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../t/lib", $FindBin::Bin;

use Time::HiRes qw(time sleep);

use Enroll;

my $TOP = "$FindBin::Bin/..";
my $LOAD = "$TOP/build/bench/load";
my $POOL = "$TOP/build/bench/rsa2048.pem";
my $ROUNDS = $ENV{BENCH_ROUNDS} || 5;
my $SCALE = $ENV{BENCH_SCALE} || 1;     # of the numbers of requests

# certificates for mutual TLS
my @devices = ('--devices', 64, '--enrol', '/ec/simpleenroll');

my @PARTS = (
    ['est-p256', \&est_p256], ['est-rsa', \&est_rsa],
    ['est-mtls', \&est_mtls], ['scep', \&scep], ['get', \&get],
    ['many', \&many], ['signing', \&signing], ['idle', \&idle],
    ['memory', \&memory],

    # only where they are named

    ['serve', \&serve],
);

my %wanted = map { $_ => 1 } @ARGV;
for my $name (sort keys %wanted) {
    die "no part \"$name\": there are ", join(' ', map { $_->[0] } @PARTS),
        "\n" if !grep { $_->[0] eq $name } @PARTS;
}

###############################################################################
# the servers

# nothing that was started stays behind

$SIG{$_} = sub { exit 1 } for qw(HUP INT TERM);

my $t = Enroll->new;
my %size;                           # of what the small GETs answer

$| = 1;
about();

if (!-e $POOL) {
    print "Making RSA keys, once: $POOL\n";
    system($LOAD, 'keys', "$POOL.new", 200, 2048) == 0 or exit 1;
    rename "$POOL.new", $POOL or die "$POOL: $!\n";
}

$t->ca('ec');
$t->ca('rsa', key => 'rsa:2048');
$t->ca('rsa4096', key => 'rsa:4096');
$t->ra('ra', 'rsa');
makers();
$t->users('users', device => 'secret');

$t->conf(conf(), workers => 2, main => main_conf());
configure();
$t->run;
sizes();

for my $part (@PARTS) {
    next if %wanted ? !$wanted{$part->[0]} : $part->[0] eq 'serve';
    $part->[1]->();
}

$t->stop;
$t->redis_stop;

# as ./quickstart has it, but that nothing is logged and connections last:
# what nginx's log costs is not ours
sub conf {
    my %text = map { $_ => 'x' x ($size{$_} || 1) }
               qw(cacerts csrattrs caps cacert);
    my $cas = join '', map { <<"CONF" } qw(ec rsa rsa4096);
    enroll_ca $_ {
        certificate %%DIR%%/$_.crt;
        certificate_key %%DIR%%/$_.key;
        ${\($_ eq 'rsa' ? 'ra_certificate %%DIR%%/ra.crt; '
                          . 'ra_certificate_key %%DIR%%/ra.key;' : '')}
    }
CONF

    my $est = join '', map { <<"CONF" } qw(ec rsa rsa4096);
        location /$_/ {
            est $_; enroll_names any; est_auth none;
            est_csrattrs 1.2.840.113549.1.9.7;
        }
        location /$_/basic/ {
            est $_; enroll_names any; est_auth basic;
            est_basic_users %%DIR%%/users;
        }
        location /$_/certificate/ {
            est $_; enroll_names any; est_auth certificate;
            est_client_ca %%DIR%%/client.crt;
        }
CONF

    return <<"CONF";
    access_log off;
    enroll_redis unix:%%DIR%%/redis.sock;
    $cas
    client_max_body_size 64k;
    keepalive_requests 1000000;
    keepalive_timeout 600s;

    server {
        listen 127.0.0.1:%%PORT_tls%% ssl backlog=4096;
        %%TLS%%
        ssl_verify_client optional;
        ssl_client_certificate %%DIR%%/client.crt;
        default_type text/plain;

        $est
        location = /cacerts { return 200 "$text{cacerts}"; }
        location = /csrattrs { return 200 "$text{csrattrs}"; }
    }

    server {
        listen 127.0.0.1:%%PORT_plain%% backlog=4096;
        default_type text/plain;

        location /scep { scep rsa; scep_challenge secret; }

        # a thousand devices at once, which have one address here

        location /fleet {
            scep rsa; scep_challenge secret; scep_failure_limit 2000;
        }
        location = /caps { return 200 "$text{caps}"; }
        location = /cacert { return 200 "$text{cacert}"; }
    }
CONF
}

# as many threads as processors: the keys are in files
sub main_conf {
    my $n = () = slurp('/proc/cpuinfo') =~ /^processor/mg;
    return "worker_rlimit_nofile 40000;\nthread_pool default threads=$n;";
}

# more connections than the tests need
sub configure {
    my ($node) = @_;
    $node ||= $t;
    my $file = "$node->{home}/nginx.conf";
    (my $text = $node->read($file))
        =~ s/worker_connections \d+/worker_connections 20000/;
    EnrollDER::spit($file, $text);
}

sub ok_ports { my ($tls) = @_; $t->port($tls ? 'tls' : 'plain') }

# certificates that devices have from their maker, and who is asked for them
sub makers {
    $t->ca('maker');
    $t->write('client.crt', $t->read('ec.crt') . $t->read('maker.crt'));
    $t->client("made$_", 'maker') for 1 .. 16;
    $t->write('makers.pem', join '',
              map { $t->read("made$_.key") . $t->read("made$_.crt") } 1 .. 16);
}

# what "return 200" has to be as large as
sub sizes {
    my %of = (cacerts => [1, '/ec/cacerts'], csrattrs => [1, '/ec/csrattrs'],
              caps => [0, '/scep?operation=GetCACaps'],
              cacert => [0, '/scep?operation=GetCACert']);

    for my $name (keys %of) {
        my ($tls, $path) = @{$of{$name}};
        my $r = load('get', $tls ? '--tls' : (), '--port', ok_ports($tls),
                     '--path', $path, '--requests', 1, '--connections', 1);
        $size{$name} = $r->{octets};
    }

    $t->conf(conf(), workers => 2, main => main_conf());
    configure();
    $t->stop;
    $t->start;
}

sub about {
    my ($cpu) = map { /: (.*)/ ? $1 : () }
                grep { /^model name/ } split /^/, slurp('/proc/cpuinfo');
    my ($n) = scalar(() = slurp('/proc/cpuinfo') =~ /^processor/mg);
    my ($os) = slurp('/etc/os-release') =~ /^PRETTY_NAME="(.*)"/m;
    my $openssl = $t->openssl('version');
    my (undef, $nginx) = $t->command(Enroll::nginx(), '-v');
    my ($load) = slurp('/proc/loadavg') =~ /^(\S+)/;

    printf "%s, %d x %s\n%s, %sload average before: %s\n\n", $os // '?', $n,
        $cpu // '?', $openssl =~ /^(OpenSSL \S+)/, $nginx =~ s/.*: //r, $load;
}

sub slurp {
    my ($file) = @_;
    local $/;
    open my $f, '<', $file or return '';
    return <$f> // '';
}

###############################################################################
# measuring

# one run of the generator: what it prints, as a hash
sub load {
    my (@args) = @_;
    open my $out, '-|', $LOAD, @args or die "$LOAD: $!\n";
    my %r = map { /^(\w+) (\S+)/ ? ($1, $2) : () } <$out>;
    close $out or die "load @args\n";
    return \%r;
}

# the same in the background; ended by finish()
sub background {
    my (@args) = @_;
    pipe my $in, my $end or die "pipe: $!\n";
    pipe my $from, my $to or die "pipe: $!\n";
    my $pid = fork // die "fork: $!\n";

    if (!$pid) {
        open STDIN, '<&', $in;
        open STDOUT, '>&', $to;
        close $_ for $in, $end, $from, $to;
        exec { $LOAD } $LOAD, @args or die "$LOAD: $!\n";
    }
    close $_ for $in, $to;
    readline $from;                             # "running"
    return { pid => $pid, out => $from, end => $end };
}

sub finish {
    my ($b) = @_;
    close $b->{end};
    my $out = $b->{out};
    my %r = map { /^(\w+) (\S+)/ ? ($1, $2) : () } <$out>;
    waitpid $b->{pid}, 0;
    return \%r;
}

sub server { ('--cpu', "nginx=$t->{pid}",
              '--cpu', "redis=$t->{nodes}[0]{redis}") }

sub count { my ($n) = @_; $n = int($n * $SCALE); $n < 16 ? 16 : $n }

sub median {
    my @v = sort { $a <=> $b } grep { defined } @_;
    return @v ? ($v[$#v / 2] + $v[@v / 2]) / 2 : 0;
}

# Alternating rounds.  Each case: { name, args, requests, limit }; what its
# CPU time is compared with: floor => a floor's name, or against => sub of
# the round's results that returns nanoseconds.  Prints the table.
sub rounds {
    my ($title, @cases) = @_;
    my %seen;

    for my $round (1 .. $ROUNDS) {
        my %this = map { $_->[0] => $_->[1] } floor();

        for my $c (@cases) {
            my $r = load(@{$c->{args}}, '--requests', count($c->{requests}),
                         $c->{cpu} ? @{$c->{cpu}} : server());
            $this{$c->{name}} = $r;
            $c->{total}{$_} += $r->{$_} || 0 for qw(good failed checked bad);

            push @{$seen{$c->{name}}{$_}}, $r->{$_} for qw(p50 p99);
            push @{$seen{$c->{name}}{rate}}, $r->{good} / $r->{seconds};
            push @{$seen{$c->{name}}{cpu}}, $r->{cpu_nginx};
            push @{$seen{$c->{name}}{redis}}, $r->{cpu_redis};

            my $base = $c->{against} ? $c->{against}->(\%this)
                     : $c->{floor} ? $this{$c->{floor}} : undef;
            push @{$seen{$c->{name}}{ratio}}, $r->{cpu_nginx} / $base
                if $base;
        }
        push @{$seen{floor}{$_}}, $this{$_} for grep { /^floor/ } keys %this;
    }

    printf "%s\n\n%-34s %8s %7s %6s %8s %8s %8s %6s\n", $title, 'case',
        'CPU us', 'x floor', 'limit', '/s', 'p50 ms', 'p99 ms', 'failed';

    for my $c (@cases) {
        my $s = $seen{$c->{name}};
        my $ratio = $s->{ratio} ? median(@{$s->{ratio}}) : undef;

        printf "%-34s %8.1f %7s %6s %8.0f %8.2f %8.2f %6d%s\n", $c->{name},
            median(@{$s->{cpu}}) / 1000,
            defined $ratio ? sprintf('%.2f', $ratio) : '-',
            $c->{limit} // '-', median(@{$s->{rate}}),
            1000 * median(@{$s->{p50}}), 1000 * median(@{$s->{p99}}),
            $c->{total}{failed},
            $c->{total}{bad} ? "  BAD ANSWERS: $c->{total}{bad}" : '';
    }

    printf "\nfloor: %s us%s\n\n",
        join(', ', map { sprintf '%s %.1f', s/floor_//r,
                         median(@{$seen{floor}{$_}}) / 1000 }
                   sort keys %{$seen{floor}}),
        join('', map { my $s = $seen{$_->{name}};
                         median(@{$s->{redis}}) > 1000 ? sprintf '; Redis in "%s" %.1f us',
                         $_->{name}, median(@{$s->{redis}}) / 1000 : () }
                   @cases);
    return \%seen;
}

sub floor {
    my $r = load_floor();
    return map { [$_ => $r->{$_}] } keys %$r;
}

sub load_floor {
    open my $out, '-|', $LOAD, 'floor', 0.6 or die "$LOAD: $!\n";
    return { map { split } <$out> };
}

###############################################################################
# the parts

sub est {
    my ($op, $path, @more) = @_;
    return [$op, '--tls', '--port', $t->port('tls'), '--path', $path,
            '--issuer', $t->dir(($path =~ m{^/(\w+)})[0] . '.crt'),
            '--warm', 64, @more];
}

sub est_p256 {
    rounds('EST, P-256, 16 kept connections',
        { name => 'simpleenroll, certificate', requests => 6000,
          floor => 'floor_p256', limit => '3.5',
          args => est('est', '/ec/certificate/simpleenroll', '--identities',
                      $t->dir('makers.pem')) },
        { name => 'simpleenroll, nobody in particular', requests => 6000,
          floor => 'floor_p256',
          args => est('est', '/ec/simpleenroll') },
        { name => 'simpleenroll, plain password', requests => 6000,
          floor => 'floor_p256',
          args => est('est', '/ec/basic/simpleenroll', '--user',
                      'device:secret') });
}

sub est_rsa {
    rounds('EST, RSA-2048, 16 kept connections',
        { name => 'simpleenroll', requests => 1500,
          floor => 'floor_rsa', limit => '1.35',
          args => est('est', '/rsa/simpleenroll', '--pool', $POOL) });
}

sub est_mtls {
    rounds('EST, P-256, 16 connections, each of one request, mutual TLS',
        { name => 'return 200', requests => 1500, floor => 'floor_p256',
          args => ['get', '--tls', '--port', $t->port('tls'), '--path',
                   '/csrattrs', '--new', @devices, '--warm', 64,
                   '--issuer', $t->dir('ec.crt')] },
        { name => 'simplereenroll, kept', requests => 3000,
          floor => 'floor_p256',
          args => est('reenroll', '/ec/certificate/simplereenroll',
                      '--devices', 1, '--enrol', '/ec/simpleenroll') },
        { name => 'simplereenroll, new (x: of both)', requests => 1500,
          limit => '1.0',
          against => sub {
              $_[0]{'return 200'}{cpu_nginx}
              + 1.1 * $_[0]{'simplereenroll, kept'}{cpu_nginx} },
          args => est('reenroll', '/ec/certificate/simplereenroll', '--new',
                      @devices) });
}

sub scep {
    my @scep = ('--pool', $POOL, '--challenge', 'secret', '--warm', 32);
    my $peer = peer();

    my $seen = rounds('SCEP, RSA-2048, 16 kept connections',
        { name => 'PKCSReq', requests => 1000, floor => 'floor_scep',
          limit => '1.3',
          args => ['scep', '--port', $t->port('plain'), '--path',
                   '/scep?operation=PKIOperation', '--issuer',
                   $t->dir('rsa.crt'), '--ra', $t->dir('ra.crt'), @scep] },
        $peer ? { name => 'PKCSReq, micromdm scepserver', requests => 500,
                  floor => 'floor_scep', cpu => ['--cpu', "nginx=$peer->{pid}"],
                  args => ['scep', '--port', $peer->{port}, '--path',
                           '/scep?operation=PKIOperation', '--issuer',
                           $peer->{ca}, '--ra', $peer->{ca}, @scep] } : ());

    if ($peer) {
        kill TERM => $peer->{pid};
        waitpid $peer->{pid}, 0;

        my ($our, $their) = map { median(@{$seen->{$_}{rate}}) }
            'PKCSReq', 'PKCSReq, micromdm scepserver';
        printf "good answers a second: %.2f x the peer's (at least 2.5)\n\n",
            $our / $their;
    }
}

# micromdm's scepserver, with a CA of RSA-2048, where Debian's "scep" is here
sub peer {
    return undef if !grep { -x "$_/scepserver" } split /:/, $ENV{PATH};

    my $port = $t->port('peer');
    my $depot = $t->dir("depot$port" . time);
    my ($rc, $out) = $t->command('scepserver', 'ca', '-init', '-depot', $depot,
                                 '-keySize', 2048);
    die "scepserver: $out" if $rc;

    my $pid = Enroll::spawn($t->dir('peer.log'), 'scepserver', '-depot',
        $depot, '-port', $port, '-challenge', 'secret');
    wait_for { IO::Socket::INET->new(PeerAddr => "127.0.0.1:$port") }
        or die 'scepserver: ', $t->read('peer.log');

    return { pid => $pid, port => $port, ca => "$depot/ca.pem" };
}

sub get {
    my @cases;

    for (['cacerts', 1, '/ec/cacerts', '/cacerts'],
         ['csrattrs', 1, '/ec/csrattrs', '/csrattrs'],
         ['GetCACaps', 0, '/scep?operation=GetCACaps', '/caps'],
         ['GetCACert', 0, '/scep?operation=GetCACert', '/cacert'])
    {
        my ($name, $tls, $ours, $plain) = @$_;
        my @to = ($tls ? '--tls' : (), '--port', ok_ports($tls),
                  '--warm', 500);
        my $same = "return 200, as large as $name";

        push @cases,
            { name => $same, requests => 20000,
              args => ['get', @to, '--path', $plain] },
            { name => $name, requests => 20000, limit => '1.25',
              against => sub { $_[0]{$same}{cpu_nginx} },
              args => ['get', @to, '--path', $ours] };
    }
    rounds('What is the same for all, 16 kept connections (x: of return 200)',
           @cases);
}

sub many {
    print "Many connections, kept\n\n";
    printf "%-34s %6s %8s %8s %8s %6s\n", 'case', 'conns', '/s', 'p50 ms',
        'p99 ms', 'failed';

    my @scep = ('scep', '--port', $t->port('plain'), '--path',
        '/fleet?operation=PKIOperation', '--issuer', $t->dir('rsa.crt'),
        '--ra', $t->dir('ra.crt'), '--pool', $POOL, '--challenge', 'secret');
    my $peer = peer();

    for (['EST, P-256', 128, 6000, @{est('est', '/ec/simpleenroll')}],
         ['EST, RSA-2048', 128, 3000,
          @{est('est', '/rsa/simpleenroll', '--pool', $POOL)}],
         ['SCEP, RSA-2048', 128, 1500, @scep],
         ['EST, P-256', 1000, 10000, @{est('est', '/ec/simpleenroll')}],
         ['EST, RSA-2048', 1000, 5000,
          @{est('est', '/rsa/simpleenroll', '--pool', $POOL)}],
         ['SCEP, RSA-2048', 1000, 3000, @scep],
         $peer ? ['micromdm scepserver', 1000, 2000, 'scep', '--port',
          $peer->{port}, '--path', '/scep?operation=PKIOperation', '--issuer',
          $peer->{ca}, '--ra', $peer->{ca}, @scep[9 .. $#scep]] : ())
    {
        my ($name, $conns, $n, @args) = @$_;
        my @r = map { load(@args, '--warm', 3 * $conns, '--connections', $conns,
                           '--requests', count($n)) }
                1 .. ($conns > 128 ? 1 : $ROUNDS);
        my $failed = 0;
        $failed += $_->{failed} for @r;
        printf "%-34s %6d %8.0f %8.2f %8.2f %6d\n", $name, $conns,
            median(map { $_->{good} / $_->{seconds} } @r),
            1000 * median(map { $_->{p50} } @r),
            1000 * median(map { $_->{p99} } @r), $failed;
    }
    print "\n";
    if ($peer) {
        kill TERM => $peer->{pid};
        waitpid $peer->{pid}, 0;
    }
}

# cacerts, while RSA-4096 signs on all processors; beside it a second nginx
# without the modules, which has nothing to wait for but the scheduler
sub signing {
    my $plain = plain('plain');
    my $file = $t->dir('pause');

    $t->stop;
    {
        local $ENV{LD_PRELOAD} = "$TOP/build/bench/pause.so";
        local $ENV{BENCH_PAUSE} = $file;
        $t->start;
    }

    my @probe = ('get', '--tls', '--connections', 1, '--pause', 1000,
                 '--requests', count(4000), '--warm', 20);
    my %at = ('cacerts' => [$t->port('tls'), '/ec/cacerts'],
              'return 200, a second nginx' => [$plain->port('tls'), '/ok']);
    my (%quiet, %busy);

    for my $pass (\%quiet, \%busy) {
        my $signing = $pass == \%busy ? background(
            @{est('est', '/rsa4096/simpleenroll')}, '--requests',
            count(24000)) : undef;

        # the handshakes of these connections are over

        if (open my $f, '+<', $file) {
            syswrite $f, "\0" x 32;
        }
        my %b = map { $_ => background(@probe, '--port', $at{$_}[0], '--path',
                                       $at{$_}[1]) } keys %at;
        $pass->{$_} = finish($b{$_}) for keys %b;

        if ($signing) {
            kill TERM => $signing->{pid};
            $pass->{signing} = finish($signing);
        }
    }

    printf "One request a millisecond, while RSA-4096 signs (%.0f/s)\n\n",
        $busy{signing}{good} / $busy{signing}{seconds};
    printf "%-34s %8s %8s %8s   %8s %8s %8s\n", 'case', 'p50 ms', 'p99 ms',
        'max ms', 'idle p50', 'idle p99', 'idle max';
    for my $name (sort keys %at) {
        printf "%-34s %8.2f %8.2f %8.2f   %8.2f %8.2f %8.2f\n", $name,
            map { 1000 * $_ } @{$busy{$name}}{qw(p50 p99 max)},
                              @{$quiet{$name}}{qw(p50 p99 max)};
    }
    printf "\np99 beside the second nginx's: %+.2f ms (at most 5)\n",
        1000 * ($busy{cacerts}{p99}
                - $busy{'return 200, a second nginx'}{p99});

    my ($wall, $cpu, $away, $above) = unpack 'Q4', slurp($file);
    printf "the event loop's longest pause, of %d: %.2f ms of CPU time "
           . "(below 2), %.2f ms by the clock\n\n", $away, $cpu / 1e6,
           $wall / 1e6;

    $plain->stop;
    $t->stop;
    $t->start;
}

# another nginx, without the modules
sub plain {
    my ($name) = @_;
    my $node = $t->node($name);

    $node->conf(<<"CONF", workers => 2, modules => [],
    access_log off;
    keepalive_requests 1000000;
    keepalive_timeout 600s;

    server {
        listen 127.0.0.1:%%PORT_tls%% ssl backlog=4096;
        %%TLS%%
        ssl_verify_client optional;
        ssl_client_certificate %%DIR%%/ec.crt;
        location = /ok { return 200 "${\('x' x $size{cacerts})}"; }
    }
CONF
        main => 'worker_rlimit_nofile 40000;');
    configure($node);
    return $node->start;
}

# the memory that workers hold, in KiB
sub rss {
    my ($node) = @_;
    my @kb = map { slurp("/proc/$_/status") =~ /^VmRSS:\s+(\d+)/m ? $1 : () }
             $node->workers;
    return @kb;
}

sub sum { my $n = 0; $n += $_ for @_; $n }

sub idle {
    my $plain = plain('idle');
    my $n = count(10000);

    $t->stop;
    $t->start;

    printf "%d idle connections, kept alive\n\n%-34s %14s\n", $n, 'case',
        'KiB each';

    for (['plain nginx, return 200', $plain, '/ok'],
         ['cacerts', $t, '/ec/cacerts'])
    {
        my ($name, $node, $path) = @$_;
        my @get = ('get', '--tls', '--port', $node->port('tls'), '--path',
                   $path);
        load(@get);
        my $before = sum(rss($node));
        my $b = background(@get, '--requests', $n, '--connections', $n,
                           '--hold');
        readline $b->{out};                     # "held"
        my $after = sum(rss($node));
        my $r = finish($b);
        printf "%-34s %14.2f%s\n", $name, ($after - $before) / $n,
            $r->{failed} ? "   $r->{failed} failed" : '';
    }
    print "\n";
    $plain->stop;
}

sub memory {
    my $all = $ENV{BENCH_ENROLMENTS} || count(60000);
    my $step = $all > 400000 ? 40000 : $all / 10 > 5000 ? int($all / 10) : 5000;
    my $done = 0;

    $t->stop;
    $t->start;

    print "Memory of the workers\n\n";
    printf "%12s   %s\n", 'enrolments', 'RSS in KiB';
    printf "%12d   %s\n", 0, join ' ', rss($t);

    while ($done < $all) {
        my $r = load(@{est('est', '/ec/simpleenroll')}, '--requests', $step);
        $done += $r->{good};
        die "$r->{failed} failed\n" if $r->{failed};
        printf "%12d   %s\n", $done, join ' ', rss($t);
        $t->redis('FLUSHALL');
    }
    print "\n";
}

# for a profiler, or a look by hand: the servers alone
sub serve {
    printf "directory %s\nmaster %d, workers %s, Redis %d\n", $t->dir,
        $t->{pid}, join(' ', grep { kill 0, $_ } $t->workers),
        $t->{nodes}[0]{redis};
    printf "%s=%d\n", $_, $t->port($_) for 'tls', 'plain';
    print "Until stdin ends.\n";
    1 while defined readline STDIN;
}
