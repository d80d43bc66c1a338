package Enroll;

# Copyright (C) The nginx-enroll authors

# The harness of the tests: each test has its own temporary directory, its
# own ports on 127.0.0.1, its own CAs, its own Redis and its own nginx.
#
#     my $t = Enroll->new;                  # skips where a client is absent
#     $t->ca('ca');                         # ca.crt, ca.key
#     $t->conf(<<'EOF_');                   # what stands in http {}
#         enroll_redis unix:%%DIR%%/redis.sock;
#         enroll_ca devices { certificate %%DIR%%/ca.crt; … }
#         server { listen 127.0.0.1:%%PORT_tls%% ssl; %%TLS%% … }
#     EOF_
#     $t->run;
#     my $r = $t->est('simpleenroll', csr => $t->csr(subject => '/CN=x'),
#                     user => 'dev1:secret');
#     is($r->{status}, 200, '…');
#     $t->done;               # stops all, looks at the logs, done_testing
#
# Debian packages: nginx, curl, openssl, redis-server, redis-tools,
# libio-socket-ssl-perl, libnet-ssleay-perl; strongswan-pki, softhsm2 and
# python3 for single tests.
#
# Environment:
#     TEST_NGINX_BINARY    the nginx to test, else the one of PATH
#     TEST_NGINX_STATIC    1: the modules are compiled in
#     TEST_ENROLL_MODULES  directory of the modules' .so, default build/
#     TEST_NGINX_LEAVE     1: the temporary directory stays
#     TEST_NGINX_CATLOG    1: a failed test prints its error.log
#     TEST_NGINX_DEBUG     1: error_log at debug

use strict;
use warnings;

use Cwd ();
use Exporter 'import';
use File::Basename ();
use File::Temp ();
use IO::Socket::INET;
use IO::Socket::SSL ();
use JSON::PP ();
use MIME::Base64 ();
use POSIX ();
use Test::More;
use Time::HiRes qw(time sleep);

use EnrollDER;
use EnrollConn;
use parent 'EnrollMake';

our @EXPORT = qw(wait_for need unbase64);

my $TOP = File::Basename::dirname(Cwd::abs_path(__FILE__)) . '/../..';
my $SELF = $$;
my @live;                       # every child that must not outlive the test

$ENV{PATH} .= ':/usr/sbin:/sbin';
$SIG{PIPE} = 'IGNORE';

###############################################################################
# the test

# need => [programs] beside the usual ones
sub new {
    my ($class, %o) = @_;

    need('openssl', 'curl', 'redis-server', 'redis-cli', @{$o{need} || []});

    my $dir = File::Temp::tempdir('/tmp/enroll-XXXXXXXX',
                                  CLEANUP => !$ENV{TEST_NGINX_LEAVE});
    chmod 0755, $dir;

    my $self = bless {
        dir => $dir, home => $dir, name => 'a', port => {}, nodes => [],
    }, $class;
    $self->{nodes} = [$self];

    $self->write('req.cnf', "[req]\ndistinguished_name=dn\n[dn]\n");
    $self->self_signed('server', '/CN=localhost', <<'EXT');
subjectAltName=DNS:localhost,IP:127.0.0.1
basicConstraints=critical,CA:TRUE
EXT
    return $self;
}

# another nginx with the same files and the same Redis
sub node {
    my ($self, $name) = @_;
    my $home = "$self->{dir}/$name";
    mkdir $home or die "$home: $!\n";

    my $node = bless { %$self, home => $home, name => $name, port => {},
                       pid => undef, http => undef }, ref $self;
    push @{$self->{nodes}}, $node;
    return $node;
}

sub need {
    for my $program (@_) {
        next if grep { -x "$_/$program" } split /:/, $ENV{PATH};
        plan(skip_all => "no $program");
    }
}

sub dir  { my ($self, $file) = @_; "$self->{dir}/" . ($file // '') }

sub read {
    my ($self, $file) = @_;
    $file = $self->dir($file) if $file !~ m{^/};
    return -e $file ? slurp($file) : '';
}

sub write {
    my ($self, $file, $data) = @_;
    EnrollDER::spit($self->dir($file), $data);
    return $self->dir($file);
}

# a free port of a name, the same one all through the test; from below the
# range from which the kernel takes ports for connections
sub port {
    my ($self, $name) = @_;

    for (1 .. 200) {
        last if $self->{port}{$name};
        my $port = 10000 + int rand 20000;
        my $s = IO::Socket::INET->new(LocalAddr => '127.0.0.1',
                                      LocalPort => $port, Listen => 1);
        $self->{port}{$name} = $port
            if $s && !grep { $port == $_ }
                      map { values %{$_->{port}} } @{$self->{nodes}};
    }
    return $self->{port}{$name} || die "no free port\n";
}

# polls until the code says true, at most so many seconds
sub wait_for(&;$) {
    my ($code, $seconds) = @_;
    my $end = time + ($seconds || 10);
    my $pause = 0.005;

    for (1 .. 100000) {
        my $v = $code->();
        return $v if $v;
        return 0 if time > $end;
        sleep $pause;
        $pause *= 1.5 if $pause < 0.1;
    }
    return 0;
}

# runs a program without a shell: (exit status, stdout and stderr)
sub command {
    my ($self, @argv) = @_;
    my $pid = open(my $out, '-|') // die "fork: $!\n";

    if (!$pid) {
        open STDERR, '>&', \*STDOUT;
        open STDIN, '<', '/dev/null';
        exec { $argv[0] } @argv or POSIX::_exit(127);
    }

    local $/;
    my $text = <$out> // '';
    close $out;
    return ($? >> 8, $text);
}

sub openssl {
    my ($self, @argv) = @_;
    my ($rc, $out) = $self->command('openssl', @argv);
    die "openssl @argv: $out" if $rc;
    return $out;
}

###############################################################################
# nginx

# The configuration: what stands in http {}.  workers => N; main => text in
# front of events {}.
sub conf {
    my ($self, $http, %o) = @_;

    $self->{http} = $http;
    $self->{workers} = $o{workers} || 1;
    EnrollDER::spit("$self->{home}/nginx.conf", $self->conf_text($http, %o));
    return $self;
}

sub conf_text {
    my ($self, $http, %o) = @_;

    my $user = $> == 0 ? 'user root;' : '';
    my $modules = $ENV{TEST_ENROLL_MODULES} || "$TOP/build";
    my $load = $ENV{TEST_NGINX_STATIC} ? '' : join "\n",
        map { "load_module $modules/ngx_http_${_}_module.so;" }
            $o{modules} ? @{$o{modules}} : qw(enroll est scep);
    my $level = $ENV{TEST_NGINX_DEBUG} ? 'debug' : 'info';
    my $main = $o{main} || '';

    return $self->expand(<<"CONF");
$user
$load
daemon off;
worker_processes ${\($o{workers} || 1)};
pid %%HOME%%/nginx.pid;
error_log %%HOME%%/error.log $level;
worker_shutdown_timeout 10s;
$main
events { worker_connections 2048; }
http {
    client_body_temp_path %%HOME%%/client_body;
    proxy_temp_path %%HOME%%/proxy;
    fastcgi_temp_path %%HOME%%/fastcgi;
    uwsgi_temp_path %%HOME%%/uwsgi;
    scgi_temp_path %%HOME%%/scgi;
    access_log %%HOME%%/access.log combined;
$http
}
CONF
}

sub expand {
    my ($self, $text) = @_;

    # a server certificate, sessions that can be resumed
    my $tls = "ssl_certificate %%DIR%%/server.crt; "
              . "ssl_certificate_key %%DIR%%/server.key; "
              . "ssl_protocols TLSv1.2 TLSv1.3; "
              . "ssl_session_cache shared:TLS:1m;";

    $text =~ s/%%TLS%%/$tls/g;
    $text =~ s/%%DIR%%/$self->{dir}/g;
    $text =~ s/%%HOME%%/$self->{home}/g;
    $text =~ s/%%PORT_(\w+)%%/$self->port($1)/ge;
    return $text;
}

sub nginx { $ENV{TEST_NGINX_BINARY} || 'nginx' }

sub nginx_args {
    my ($self, $conf, $log) = @_;
    my $home = $self->{home};
    return (nginx(), '-p', "$home/", '-c', "$home/" . ($conf || 'nginx.conf'),
            '-e', "$home/" . ($log || 'error.log'));
}

# "nginx -t" of a configuration: (exit status, output).  Where a line of it
# ends with "#!", the number of that line is in {line}.
sub nginx_t {
    my ($self, $http, %o) = @_;
    my $text = $self->conf_text($http, %o);
    my @lines = split /\n/, $text;

    ($self->{line}) = grep { $lines[$_ - 1] =~ /#!/ } 1 .. @lines;
    $text =~ s{/error\.log}{/test.log};
    EnrollDER::spit("$self->{home}/test.conf", $text);

    return $self->command($self->nginx_args('test.conf', 'test.log'), '-t');
}

# starts Redis, unless it runs or the configuration has no redis.sock
sub run {
    my ($self) = @_;

    $self->redis_start
        if $self->{http} =~ m{redis\.sock} && !$self->redis_runs;
    return $self->start;
}

sub start {
    my ($self) = @_;
    my $home = $self->{home};

    my $before = $self->workers;

    $self->{pid} = spawn("$home/stderr", $self->nginx_args);
    wait_for { $self->workers >= $before + $self->{workers}
               || !alive($self->{pid}) } 15;

    if (!alive($self->{pid})) {
        $self->{pid} = undef;
        die "nginx does not start:\n", slurp("$home/stderr"), $self->log;
    }
    return $self;
}

# the pids of all workers there ever were
sub workers {
    my ($self) = @_;
    my @pids = $self->log =~ /start worker process (\d+)/g;
    return @pids;                       # their number, in a scalar context
}

# returns when the new workers serve, and the old ones accept no more; false
# where the configuration was refused
sub reload {
    my ($self) = @_;
    my @before = grep { alive($_) } $self->workers;
    my $n = $self->workers;
    my $emerg = () = $self->log =~ /\[emerg\]/g;

    kill HUP => $self->{pid};
    wait_for { $self->workers >= $n + $self->{workers}
               || (() = $self->log =~ /\[emerg\]/g) > $emerg } 15;
    return 0 if $self->workers < $n + $self->{workers};

    return wait_for {
        my $log = $self->log;
        !grep { alive($_) && $log !~ / $_#\d+: gracefully shutting down/ }
            @before;
    } 15;
}

# gracefully; 1 if the master has gone with status 0
sub stop {
    my ($self, $signal) = @_;
    my $pid = delete $self->{pid} or return 1;

    kill $signal || 'QUIT', $pid;
    return 1 if defined(my $status = reap($pid, 20)) && $? == 0;

    if (alive($pid)) {
        diag("nginx does not end");
        kill KILL => $_ for $self->workers, $pid;
        reap($pid, 5);
    }
    return 0;
}

sub log {
    my ($self, $name) = @_;
    my $file = "$self->{home}/" . ($name || 'error') . '.log';
    return -e $file ? slurp($file) : '';
}

sub spawn {
    my ($output, @argv) = @_;
    my $pid = fork // die "fork: $!\n";

    if (!$pid) {
        open STDIN, '<', '/dev/null';
        open STDOUT, '>>', $output;
        open STDERR, '>>', $output;
        setpgrp;
        exec { $argv[0] } @argv or POSIX::_exit(127);
    }
    push @live, $pid;
    return $pid;
}

# is there such a process, other than as a zombie?  Reaps it, if ours.
sub alive {
    my ($pid) = @_;
    return 0 if !$pid;
    waitpid $pid, POSIX::WNOHANG() if grep { $_ == $pid } @live;
    return 0 if !kill 0, $pid;
    open my $f, '<', "/proc/$pid/stat" or return 0;
    return (<$f> // '') !~ /^\d+ \(.*\) Z/;
}

sub reap {
    my ($pid, $seconds) = @_;
    my $status;
    wait_for {
        my $r = waitpid $pid, POSIX::WNOHANG();
        $status = $? if $r == $pid;
        $r != 0;
    } $seconds;
    $? = $status // 0;
    return $status;
}

###############################################################################
# the end

# Stops everything and looks at what it left behind.  emerg => 1: [emerg] was
# provoked; except => RE: lines that are not ours.
sub done {
    my ($self, %o) = @_;

    for my $node (@{$self->{nodes}}) {
        my $name = $node->{name} eq 'a' ? '' : " ($node->{name})";
        my $log = "$node->{home}/error.log";

        if ($node->{pid}) {
            ok($node->stop, "nginx ends gracefully$name");
        }

        wait_for { !grep { alive($_) } $node->workers } 5;
        is(join(' ', grep { alive($_) } $node->workers), '',
           "no worker is left$name");

        my $bad = $o{emerg} ? qr/\[alert\]/ : qr/\[(?:alert|emerg)\]/;
        my @lines = split /^/m,
            $node->log . $node->read("$node->{home}/stderr");
        @lines = grep { $_ !~ $o{except} } @lines if $o{except};
        is(join('', grep { /$bad|exited on signal|Sanitizer|runtime error:/ }
                         @lines), '', "nothing alarming is in error.log$name");
        my ($at) = grep { $lines[$_] =~ /Sanitizer|runtime error:/ }
                        0 .. $#lines;
        diag(grep { defined } @lines[$at .. $at + 40]) if defined $at;
    }

    $self->redis_stop;

    if ($ENV{TEST_NGINX_CATLOG} && !Test::More->builder->is_passing) {
        diag($_->log) for @{$self->{nodes}};
    }
    done_testing();
}

END {
    my $status = $?;
    if ($$ == $SELF) {
        for my $pid (@live) {
            next if !alive($pid);
            kill KILL => -$pid;
            reap($pid, 2);
        }
    }
    $? = $status;
}

###############################################################################
# Redis

# Without a fsync() of its own, which on a busy disk keeps what is appended in
# memory for a while: what is recorded must survive a redis_stop().
sub redis_args {
    my ($self) = @_;
    return ('--unixsocket', $self->dir('redis.sock'), '--port', 0,
            '--appendonly', 'yes', '--appendfsync', 'no',
            '--save', '', '--dir', $self->dir,
            '--logfile', $self->dir('redis.log'),
            @{$self->{redis_args} || []});
}

# arguments beyond the usual ones; they are kept for the next start
sub redis_start {
    my ($self, @args) = @_;
    my $root = $self->{nodes}[0];
    $root->{redis_args} = \@args if @args;

    $root->{redis} = spawn($self->dir('redis.out'), 'redis-server',
                           $root->redis_args);
    wait_for { -S $self->dir('redis.sock')
               && ($self->command(redis_cli($self), 'PING'))[1]
                  =~ /PONG|NOAUTH|NOPERM/ } 10
        or die "redis-server does not start:\n", $self->read('redis.log');
    return $self;
}

sub redis_runs { my ($self) = @_; alive($self->{nodes}[0]{redis}) }

# KILL unless told otherwise
sub redis_stop {
    my ($self, $signal) = @_;
    my $pid = delete $self->{nodes}[0]{redis} or return;

    kill $signal || 'KILL', $pid;
    reap($pid, 10);
    unlink $self->dir('redis.sock');
}

sub redis_cli {
    my ($self) = @_;
    my $o = $self->{nodes}[0]{redis_cli} || [];
    return ('redis-cli', '--raw', '-s', $self->dir('redis.sock'), @$o);
}

# a command: its answer without the final LF, or the lines of it
sub redis {
    my ($self, @command) = @_;
    my (undef, $out) = $self->command(redis_cli($self), @command);
    return split /\n/, $out if wantarray;
    chomp $out;
    return $out;
}

sub keys {
    my ($self, $pattern) = @_;
    my @keys = sort $self->redis('--scan', '--pattern', $pattern // '*');
    return @keys;
}

# a hash of a hash
sub hash {
    my ($self, $key, @fields) = @_;
    my %h;
    for my $field ($self->redis('HKEYS', $key)) {
        $h{$field} = $self->redis('HGET', $key, $field);
    }
    return \%h;
}

# the key of a certificate's record, by the hex of its serial
sub record_key {
    my ($self, $serial, $ca) = @_;
    my ($key) = grep { /:cert:\Q$serial\E$/i }
                     $self->keys('enroll:{' . ($ca || 'devices') . '}:cert:*');
    return $key;
}

sub count {
    my ($self, $field, $ca) = @_;
    return $self->redis('HGET', 'enroll:{' . ($ca || 'devices') . '}:counters',
                        $field) || 0;
}

# the entries of the audit, in their order: hashes with the event and the rest
sub audit {
    my ($self, $ca) = @_;
    return $self->audit_of('enroll:{' . ($ca || 'devices') . '}:audit');
}

sub audit_of {
    my ($self, $key) = @_;
    my $json = $self->redis('EVAL', <<'LUA', 1, $key);
local out = {}
for _, e in ipairs(redis.call('XRANGE', KEYS[1], '-', '+')) do
    local h = { id = e[1] }
    for i = 1, #e[2], 2 do h[e[2][i]] = e[2][i + 1] end
    out[#out + 1] = h
end
return #out > 0 and cjson.encode(out) or '[]'
LUA
    return @{JSON::PP->new->utf8->decode($json)};
}

# All that Redis holds, but the audit and what time alone changes: to be
# compared before and after a refusal.
sub state {
    my ($self) = @_;
    return $self->redis('EVAL', <<'LUA', 0);
local out = {}
local keys = redis.call('KEYS', '*')
table.sort(keys)
for _, k in ipairs(keys) do
    local t = redis.call('TYPE', k).ok
    out[#out + 1] = k
    if t == 'hash' then
        local h = redis.call('HGETALL', k)
        local f = {}
        for i = 1, #h, 2 do f[#f + 1] = h[i] .. '=' .. h[i + 1] end
        table.sort(f)
        out[#out + 1] = table.concat(f, ' ')
    elseif t == 'string' then
        out[#out + 1] = redis.call('GET', k)
    elseif t == 'zset' then
        out[#out + 1] = tostring(redis.call('ZCARD', k))
    elseif t == 'stream' then
        out[#out] = nil
    end
end
return table.concat(out, '\n')
LUA
}

# the transactions that are in work, and those that would stay for ever
sub open_txns {
    my ($self) = @_;
    return $self->redis('EVAL', <<'LUA', 0);
local out = {}
for _, k in ipairs(redis.call('KEYS', '*:txn:*')) do
    if redis.call('HGET', k, 'state') ~= 'done' or redis.call('TTL', k) < 0 then
        out[#out + 1] = k
    end
end
return table.concat(out, ' ')
LUA
}

###############################################################################
# asking

# An EST operation by curl.  Returned: { status, headers (names in lower
# case), head, body, type, reason, exit (curl's) }.
#
#     csr => csr()'s        a POST of its base64
#     data => octets        a POST of these
#     type                  Content-Type; undef: none
#     user => 'u:p', cert => NAME, headers => ['A: b'], args => [curl's]
#     port (a name, "tls"), prefix, scheme, method, url
sub est {
    my ($self, $op, %o) = @_;
    $o{data} = $o{csr}{b64} if $o{csr};

    my $url = $o{url} // sprintf '%s://127.0.0.1:%d%s%s', $o{scheme} || 'https',
        $self->port($o{port} || 'tls'), $o{prefix} // '/.well-known/est/', $op;
    my @args = ('-X', $o{method}) x defined $o{method};

    if (defined $o{data}) {
        my $type = exists $o{type} ? $o{type} : 'application/pkcs10';
        push @args,
            '-H', defined $type ? "Content-Type: $type" : 'Content-Type:',
            '--data-binary', '@' . $self->write('curl.in', $o{data});
    }
    push @args, '--cert', $self->dir("$o{cert}.crt"),
        '--key', $self->dir("$o{cert}.key") if $o{cert};
    push @args, '-u', $o{user} if defined $o{user};
    push @args, map { ('-H', $_) } @{$o{headers} || []};

    return $self->curl(@args, @{$o{args} || []}, $url);
}

sub curl {
    my ($self, @args) = @_;
    my ($head, $body) = map { $self->dir("curl.$_") } qw(head body);
    unlink $head, $body;

    my ($exit) = $self->command('curl', '-sS', '-m', 15, '--path-as-is',
        '--cacert', $self->dir('server.crt'), '-D', $head, '-o', $body, @args);
    return EnrollConn::parsed($self->read($head), $self->read($body),
                              exit => $exit);
}

# a TLS connection of one's own, see EnrollConn
sub connect {
    my ($self, %o) = @_;
    return EnrollConn->new(%o, port => $self->port($o{port} || 'tls'),
        ca => $self->dir('server.crt'),
        $o{cert} ? (crt => $self->dir("$o{cert}.crt"),
                    key => $self->dir("$o{cert}.key")) : ());
}

# As many requests at once: every connection stands and has sent its request
# before the first answer is read.  Each request is [op, options of post].
sub burst {
    my ($self, @requests) = @_;
    my @conns = map { $self->connect(%{$_->[2] || {}}) } @requests;

    for my $i (0 .. $#requests) {
        $conns[$i]->send_post($requests[$i][0], %{$requests[$i][1]});
    }
    return map { $_->response } @conns;
}

# base64 of an answer as octets; undef where it is none
sub unbase64 {
    my ($text) = @_;
    (my $s = $text) =~ s/\s+//g;
    return undef if length $s == 0 || length($s) % 4
                    || $s !~ m{^[A-Za-z0-9+/]+={0,2}$};
    return MIME::Base64::decode_base64($s);
}

# the certificates in an answer, each as DER; dies where it is no certs-only
sub certs {
    my ($self, $r) = @_;
    my $der = unbase64($r->{body});
    die "status $r->{status}, no base64: $r->{body}\n" if !defined $der;
    return certs_only($der);
}

# the one certificate of an enrolment; '' with a note where there is none
sub issued {
    my ($self, $r) = @_;
    my @certs = eval { $self->certs($r) };
    return $certs[0] if @certs == 1 && $r->{status} == 200;

    diag('no certificate: ', $r->{status} || 'no answer', ' ',
         $r->{reason} // '', ' ', substr $r->{body} // '', 0, 100);
    return '';
}

sub serial {
    my ($self, $r) = @_;
    my $der = $self->issued($r);
    return length $der ? cert_fields($der)->{serial} : '';
}

# a refusal has this status and this reason, and the form of a refusal
sub refused {
    my ($self, $r, $status, $reason, $name) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $h = $r->{headers};
    my $as = sprintf '%s %s', $r->{status} || 'none', $r->{reason} // '-';
    my @wrong;

    push @wrong, 'body' if $status == 401 ? length $r->{body}
        : $r->{body} !~ /^[A-Z#0-9][^\n<>]{5,300}\.\n?$/;
    push @wrong, 'type'
        if $status != 401 && ($r->{type} // '') !~ m{^text/plain(;|$)};
    push @wrong, 'WWW-Authenticate'
        if ($status == 401) != (($h->{'www-authenticate'} // '')
                                =~ /^Basic realm="/);
    push @wrong, 'Retry-After'
        if $status == 503 && ($h->{'retry-after'} // '') !~ /^[1-9]\d*$/;

    return is("$as @wrong", "$status $reason ", $name);
}

1;
