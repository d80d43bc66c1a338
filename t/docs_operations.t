#!/usr/bin/perl

# Copyright (C) The nginx-enroll authors

# The cluster of docs/operations.md, from the text of that page: its files are
# written and its commands are run as they stand there, in their order, on
# machines that are directories.  What is replaced:
#
#     10.0.0.N          127.x.y.N, which is this machine as well
#     listen PORT       listen that machine's address, PORT + 20000; and what
#                       leaves the balancer has its address
#     /etc, /var, /run  below the machine's directory
#     apt-get, make,    that it is installed and built is taken for done;
#     systemctl, scp    processes and copies of this test's own

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Cwd ();
use Test::More;
use Time::HiRes qw(sleep);

use Enroll;
use EnrollDER;

##############################################################################

my $t = Enroll->new(need => [qw(bash pki redis-check-rdb)]);
my $modules = Cwd::abs_path($ENV{TEST_ENROLL_MODULES}
                            || "$FindBin::Bin/../build");
my ($stream) = grep { -e } map { "$_/ngx_stream_module.so" }
                   '/usr/lib/nginx/modules', '/usr/lib64/nginx/modules';

plan(skip_all => 'no libnginx-mod-stream') if !$stream;

my %n = (balancer => 1, 'redis-1' => 10, 'node-1' => 11, 'node-2' => 12,
         'redis-2' => 20, ca => 99);
my $net = join '.', 127, 10 + int rand 200, 1 + int rand 250;
my $nginx = join '', grep { -x } map { "$_/nginx" } '/usr/sbin';
my @machines = sort keys %n;

for my $machine (@machines) {
    for my $dir (qw(etc etc/nginx etc/redis var var/lib var/lib/redis var/log
                    var/log/nginx var/log/redis run run/redis tmp))
    {
        mkdir $t->dir($machine) if !-d $t->dir($machine);
        mkdir $t->dir("$machine/$dir") or die "$dir: $!\n";
    }
}
shims();

##############################################################################

# the page

my $text = $t->read("$FindBin::Bin/../docs/operations.md");
my (%blocks, @sections, $section);

while ($text =~ /^(?:##+ ([^\n]+)\n|```(\w+) (\S[^\n]*)\n((?s:.*?))^```$)/mg) {
    if (defined $1) {
        $section = $1;
        push @sections, $section;
        next;
    }
    push @{$blocks{$section}}, { kind => $2, where => [split ' ', $3],
                                 text => $4 };
}

my @steps = grep { /^\d\. / } @sections;
is(scalar @steps, 6, 'the page has its steps');
follow($_) for @steps[0 .. 4];

# each step has done what it is for

ok(-s $t->dir("node-2/etc/nginx/ca.key"), 'the nodes have the keys');
is((stat $t->dir('node-1/etc/nginx/ca.key'))[2] & 077, 0, 'for their owner');
ok(!-e $t->dir('node-1/etc/nginx/operator.password'), 'and no others');
ok(!-e $t->dir('redis-1/etc/redis/ca.key'), 'nor has Redis');
ok(wait_for(sub { redis('redis-2', 'INFO', 'replication')
                  =~ /master_link_status:up/ }, 20), 'the replica follows');

# a device over EST, a device over SCEP, by the commands of the page

device('the cluster');
my $log = join '', map { $t->read("$_/var/log/nginx/enroll.json") }
                       'node-1', 'node-2';
is(scalar(() = $log =~ /"client":"\Q$net.99"/g),
    scalar(() = $log =~ /"protocol":"(?:est|api)"/g),
    'who asks is known through the balancer');

# the records are on both Redis, and the figures on each node

ok(wait_for(sub { records('redis-2') == records('redis-1') }, 10),
    'the replica has the records');
my $metrics = $t->curl('--interface', "$net.99",
    "http://$net.12:29080/metrics")->{body};
like($metrics, qr/^enroll_redis_up 1$/m, 'the page of figures');

##############################################################################

# a node is taken out, and comes back

my @out = blocks('Taking a node out');
run_block($out[0]);
ok(!pid('node-1', 'nginx'), 'node-1 is stopped');
device('with one node');
run_block($out[1]);
ok(pid('node-1', 'nginx'), 'node-1 is back');

# it dies

killed('node-1', 'nginx');
ok(wait_for(sub { !pid('node-1', 'nginx') }), 'node-1 is dead');
device('with a dead node');
unlink $t->dir('node-1/run/nginx.pid');
run_block($out[1]);

# upgrades

my %before = map { $_ => pid($_, 'nginx') } 'node-1', 'node-2';
my @upgrade = blocks('Upgrades');
run_block($upgrade[0]);
isnt(pid('node-1', 'nginx'), $before{'node-1'}, 'a restart');
device('after it');
run_block($upgrade[1]);
isnt(pid('node-2', 'nginx'), $before{'node-2'}, 'an exchange of the binary');
ok(wait_for(sub { !Enroll::alive($before{'node-2'}) }, 15), 'the old one ends');
run_block($out[0]);
device('by the exchanged one');
run_block($out[1]);

# a backup

ok(wait_for(sub { records('redis-2') == records('redis-1') }, 10),
    'the replica has all of it');
my $records = records('redis-2');
follow('Backup');
$t->write('dump.rdb', slurp($t->dir('redis-2/var/backups/enroll.rdb')));
$t->redis_start('--appendonly', 'no');
is(scalar(my @k = $t->keys('enroll:{devices}:cert:*')), $records,
    'a backup has each record');
$t->redis('CONFIG', 'SET', 'appendonly', 'yes');
ok(wait_for(sub { my $i = $t->redis('INFO', 'persistence');
                  $i =~ /aof_enabled:1/ && $i =~ /aof_rewrite_in_progress:0/
                  && $i =~ /aof_rewrite_scheduled:0/ }), 'and is written');
$t->redis_stop('TERM');
$t->redis_start('--appendonly', 'yes');
is(scalar(@k = $t->keys('enroll:{devices}:cert:*')), $records,
    'as it is after a start with the log');
$t->redis_stop;

# the Redis fails

killed('redis-1', 'redis');
ok(wait_for(sub { !pid('redis-1', 'redis') }), 'redis-1 is gone');
my ($rc, $out) = run_text('ca', blocks('6. A device'));
isnt($rc, 0, 'nobody enrols');
like($out, qr/503|cannot record/, 'for now');
($rc, $out) = run_text('ca', { text => <<'END' });
curl --fail-with-body --cacert enroll/ca.crt \
    https://est.example.com/.well-known/est/cacerts
END
is($rc, 0, 'the CA\'s certificates are there') or diag($out);
follow('Failing over');
device('after the fail-over');
is(records('redis-2'), $records + 2, 'on the records of before');

##############################################################################

# roll-over: the RA

follow('Of the registration authority');
($rc, $out) = run_text('ca', { text => <<'END' });
cd enroll
pki --scepca --url http://scep.example.com/scep --outform pem --force \
    --caout got-ca.crt --raout got-ra.crt
openssl x509 -in got-ra.crt -noout -subject
END
like($out, qr/Example RA 2$/m, 'the new RA is advertised');
device('by the new RA', 'ra.crt' => 'ra2.crt');

# the CA

my @ca = blocks('Of the CA');
run_block($_) for splice @ca, 0, 2;
($rc, $out) = run_text('ca', { text => <<'END' });
curl --fail-with-body --cacert enroll/ca.crt \
    https://est.example.com/.well-known/est/cacerts \
    | base64 -d | openssl pkcs7 -inform DER -print_certs
END
like($out, qr/Example Devices 2$/m, 'the successor is announced');
device('meanwhile', 'ra.crt' => 'ra2.crt');
$t->write("ca/enroll/old.$_", $t->read("ca/enroll/dev1.$_"))
    for qw(key csr crt);

run_block($_) for @ca;
device('by the new CA', 'ra.crt' => 'ra3.crt',
    'cacert ca.crt --cacert-enc' => 'cacert ca2.crt --cacert-enc',
    'CAfile ca.crt' => 'CAfile ca2.crt');

($rc, $out) = run_text('ca', { text => <<'END' });
cd enroll
curl --fail-with-body --cacert ca.crt --cert old.crt --key old.key \
    --header 'Content-Type: application/pkcs10' --data-binary @old.csr \
    https://est.example.com/.well-known/est/simplereenroll | base64 -d \
    | openssl pkcs7 -inform DER -print_certs -out renewed.crt
openssl verify -CAfile ca2.crt renewed.crt
END
is($rc, 0, 'a certificate of the old CA is renewed by the new one')
    or diag($out);

# the end

for my $machine (grep { !/redis|ca$/ } @machines) {
    $out = $t->read("$machine/var/log/nginx/error.log");
    is(join('', grep { /\[(?:alert|emerg)\]|Sanitizer|runtime error:/
                       && !/LeakSanitizer|\bleaked in/ }
                     split /^/m, $out), '', "$machine: nothing alarming")
}
my ($secret) = $t->read('ca/enroll/dev1.password') =~ /(\S+)/;
unlike(join('', map { $t->read("$_/var/log/nginx/enroll.json"),
                      $t->read("$_/var/log/nginx/error.log") } @machines),
    qr/\Q$secret/, 'no password is in a log');

done_testing();

END {
    my $status = $?;
    killed($_, 'nginx', 'redis') for @machines;
    $? = $status;
}

##############################################################################

sub blocks { @{$blocks{$_[0]} || die "no section $_[0]\n"} }

sub follow {
    my ($section) = @_;
    run_block($_) for blocks($section);
}

# writes a file, or runs commands, on each machine that it is for
sub run_block {
    my ($block) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;

    for my $where (@{$block->{where}}) {
        my ($machine, $file) = split /:/, $where;

        if ($file) {
            $t->write("$machine$file", localized($machine, $block->{text}));
            next;
        }

        my @workers = children(pid($machine, 'nginx'));
        my ($rc, $out) = run_text($machine, $block);

        # it returns before the old workers have ended

        wait_for { !grep { Enroll::alive($_) } @workers } 20
            if $block->{text} =~ /nginx -s reload/;
        my ($first) = $block->{text} =~ /^(?!umask|cd |mkdir|#|\n)(.*)$/m;
        is($rc, 0, "$machine: $first") or diag($out);
    }
}

sub run_text {
    my ($machine, @blocks) = @_;
    my $script = $t->write("$machine/script", join "\n",
        map { "cd \"\$ROOT\"\n" . localized($machine, $_->{text}) } @blocks);

    local $ENV{PATH} = $t->dir('shims') . ":$ENV{PATH}";
    local $ENV{ROOT} = $t->dir($machine);
    local $ENV{CURL_HOME} = $t->dir('shims');
    return $t->command('bash', '-e', '-o', 'pipefail', $script);
}

sub localized {
    my ($machine, $text) = @_;
    my $root = $t->dir($machine);
    my $here = "$net.$n{$machine}";

    # the addresses, also as they are written in an expression

    $text =~ s{\b10(\\?)\.0\1\.0\1\.(?=\d)}
              {join "$1.", split(/\./, $net), ''}ge;
    $text =~ s{^( *listen )(\d+)}{"$1$here:" . ($2 + 20000)}gme;
    $text =~ s{(\Q$net\E\.\d+:)(443|80)\b}{$1 . ($2 + 20000)}ge;
    $text =~ s{http://scep\.example\.com}{http://$net.1:20080}g;

    $text =~ s{^( *proxy_protocol on;)}{$1 proxy_bind $here;}m;

    # files; not those of a machine that something is copied to

    $text =~ s{(?<![:\w/.])/(?=(?:etc|var|run)/)}{$root/}g;
    $text =~ s!^http \{$!http {
    client_body_temp_path $root/tmp/body; proxy_temp_path $root/tmp/proxy;
    fastcgi_temp_path $root/tmp/f; uwsgi_temp_path $root/tmp/u;
    scgi_temp_path $root/tmp/s;!m;

    # the modules that are under test

    $text =~ s{^load_module modules/ngx_stream_module\.so}{load_module $stream}m;
    $ENV{TEST_NGINX_STATIC}
        ? $text =~ s{^load_module modules/ngx_http_.*\n}{}gm
        : $text =~ s{^load_module modules/}{load_module $modules/}gm;

    # one processor is enough

    $text =~ s{^worker_processes auto}{worker_processes 1}m;
    $text =~ s{^user www-data;\n}{}m if $> != 0;
    return $text;
}

# what a machine has and this one must not touch
sub shims {
    mkdir $t->dir('shims');
    my $dir = $t->dir;
    my $bin = Enroll::nginx();
    ($bin) = grep { -x } map { "$_/$bin" } split /:/, $ENV{PATH}
        if $bin !~ m{/};

    my %shim = (
        'apt-get' => 'exit 0', make => 'exit 0', chown => 'exit 0',
        nginx => <<"END",
# nginx that becomes a daemon, or sends a signal, leaves what it has allocated;
# an exchange of the binary forgets this
export ASAN_OPTIONS=detect_leaks=0
case \$ROOT in */balancer) bin=$nginx ;; *) bin=$bin ;; esac
exec \$bin -p \$ROOT/ -c \$ROOT/etc/nginx/nginx.conf \\
    -e \$ROOT/var/log/nginx/error.log "\$@"
END
        scp => <<"END",
for last; do :; done
to=$dir\${last#*@}
to=\$(echo "\$to" | sed 's/:/\\//')
while [ \$# -gt 1 ]; do cp -p "\$1" "\$to" || exit 1; shift; done
END
        systemctl => <<'END',
gone() { for i in $(seq 200); do kill -0 $1 2> /dev/null || return 0; sleep 0.1; done; }
case "$1 $2" in
    "restart redis-server")
        redis-server $ROOT/etc/redis/redis.conf || exit 1
        for i in $(seq 100); do
            grep -q 'Ready to accept\|MASTER <-> REPLICA' \
                $ROOT/var/log/redis/redis-server.log && exit 0
            sleep 0.1
        done
        exit 1 ;;
    "stop nginx"|"restart nginx")
        if [ -s $ROOT/run/nginx.pid ]; then
            pid=$(cat $ROOT/run/nginx.pid)
            kill -QUIT $pid && gone $pid
        fi
        [ $1 = stop ] || exec nginx ;;
    "start nginx")
        exec nginx ;;
    *)
        echo "systemctl $*"; exit 1 ;;
esac
END
    );
    for my $name (keys %shim) {
        $t->write("shims/$name", "#!/bin/sh\n$shim{$name}\n");
        chmod 0755, $t->dir("shims/$name");
    }
    $t->write('shims/.curlrc', "silent\nshow-error\nmax-time = 15\n"
        . "interface = $net.99\n"
        . "connect-to = \"est.example.com:443:$net.1:20443\"\n");
}

sub pid {
    my ($machine, $what) = @_;
    my $file = $what eq 'nginx' ? 'nginx.pid' : 'redis/redis-server.pid';
    my ($pid) = $t->read("$machine/run/$file") =~ /(\d+)/;
    return $pid && Enroll::alive($pid) ? $pid : 0;
}

# the master first, or it would start other workers; and whatever still writes
# there, such as what an exchanged one has left
sub killed {
    my ($machine, @what) = @_;

    for my $what (@what) {
        my $pid = pid($machine, $what) or next;
        my @children = children($pid);
        kill KILL => $_ for $pid, @children, children($pid);
    }
    return if !grep { $_ eq 'nginx' } @what;

    my $log = $t->dir("$machine/var/log/nginx/error.log");
    for my $fd (glob '/proc/[0-9]*/fd/2') {
        my ($pid) = $fd =~ /(\d+)/;
        kill KILL => $pid if (readlink($fd) // '') eq $log;
    }
}

sub children {
    my ($pid) = @_;
    my @pids;
    return if !$pid;
    for my $dir (glob '/proc/[0-9]*') {
        open my $f, '<', "$dir/stat" or next;
        push @pids, $1 if (<$f> // '') =~ /^(\d+) \(.*\) \w $pid /;
    }
    return @pids;
}

sub redis {
    my ($machine, @command) = @_;
    my ($password) = $t->read('ca/enroll/operator.password') =~ /(\S+)/;
    my (undef, $out) = $t->command('redis-cli', '--raw', '--no-auth-warning',
        '-h', "$net.$n{$machine}", '--user', 'operator', '--pass', $password,
        @command);
    return $out;
}

sub records {
    my ($machine) = @_;
    return scalar(() = redis($machine, '--scan', '--pattern',
                             'enroll:{devices}:cert:*') =~ /:cert:/g);
}

# both devices by the commands of the page: two certificates more
sub device {
    my ($when, %instead) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $redis = pid('redis-1', 'redis') ? 'redis-1' : 'redis-2';
    my $before = records($redis);

    for my $block (blocks('6. A device')) {
        my $text = $block->{text};
        $text =~ s/\Q$_\E/$instead{$_}/g for sort keys %instead;
        my ($rc, $out) = run_text('ca', { text => $text });
        my ($device) = $text =~ /CN=(dev\d)/;
        is($rc, 0, "$when: $device enrols") or diag($out);
        like($out, qr/^$device\.crt: OK$/m, "$when: its certificate verifies");
    }
    is(records($redis), $before + 2, "$when: both are recorded");
}
