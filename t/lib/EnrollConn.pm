package EnrollConn;

# Copyright (C) The nginx-enroll authors

# A TLS connection on which a test writes what it likes and reads HTTP/1.1
# answers, each within a bound of time.

use strict;
use warnings;

use Errno ();
use IO::Select;
use IO::Socket::INET;
use IO::Socket::SSL;
use MIME::Base64 ();
use Socket qw(SOL_SOCKET SO_LINGER);
use Time::HiRes qw(time);

# port, ca; crt and key (files); plain => 1; version ("TLSv1_2"); session =>
# a connection whose session is resumed; args => { IO::Socket::SSL's }
sub new {
    my ($class, %o) = @_;
    my $sock;

    if ($o{plain}) {
        $sock = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
            PeerPort => $o{port}, Timeout => 5) or die "connect: $!\n";

    } else {
        $sock = IO::Socket::SSL->new(
            PeerAddr => '127.0.0.1', PeerPort => $o{port}, Timeout => 5,
            SSL_ca_file => $o{ca}, SSL_verifycn_name => 'localhost',
            SSL_hostname => 'localhost',
            SSL_verifycn_scheme => 'http',
            $o{crt} ? (SSL_cert_file => $o{crt}, SSL_key_file => $o{key}) : (),
            $o{version} ? (SSL_version => $o{version}) : (),
            $o{session} ? (SSL_reuse_ctx => $o{session}{sock})
                        : (SSL_session_cache_size => 8),
            SSL_session_key => "test:$o{port}",
            %{$o{args} || {}},
        ) or die "TLS: $SSL_ERROR\n";
    }

    $sock->blocking(0);
    return bless { sock => $sock, buf => '', o => \%o }, $class;
}

sub reused {
    my ($self) = @_;
    return Net::SSLeay::session_reused($self->{sock}->_get_ssl_object);
}

# 1, or 0 where the peer takes no more
sub write {
    my ($self, $data, $timeout) = @_;
    my $end = time + ($timeout || 10);

    while (length $data) {
        my $n = syswrite $self->{sock}, $data, 16384;
        if (defined $n) {
            substr $data, 0, $n, '';
            next;
        }
        return 0 if !$!{EAGAIN} || time > $end;
        my $s = IO::Select->new($self->{sock});
        ($SSL_ERROR || 0) == SSL_WANT_READ ? $s->can_read(0.1)
                                           : $s->can_write(0.1);
    }
    return 1;
}

# more octets into the buffer: their number, 0 at the end, undef at the
# deadline
sub fill {
    my ($self, $end) = @_;

    for (1 .. 100000) {
        my $n = sysread $self->{sock}, $self->{buf}, 16384, length $self->{buf};
        return $n if defined $n;
        return 0 if !$!{EAGAIN};
        my $left = $end - time;
        return undef if $left <= 0;
        IO::Select->new($self->{sock})->can_read($left);
    }
    return undef;
}

sub send_post {
    my ($self, $op, %o) = @_;
    my $data = $o{csr} ? $o{csr}{b64} : $o{data} // '';
    my $prefix = $o{prefix} // '/.well-known/est/';
    my @headers = @{$o{headers} || []};

    push @headers, 'Authorization: Basic '
                   . MIME::Base64::encode_base64($o{user}, '')
        if defined $o{user};
    push @headers, 'Content-Type: ' . ($o{type} // 'application/pkcs10')
        if !exists $o{type} || defined $o{type};

    return $self->write(join "\r\n", "POST $prefix$op HTTP/1.1",
        'Host: localhost', @headers, 'Content-Length: ' . length $data, '',
        $data);
}

# a POST and its answer
sub post {
    my ($self, $op, %o) = @_;
    $self->send_post($op, %o);
    return $self->response(timeout => $o{timeout});
}

# one answer; head => 1: without a body.  {status} is '' where none came,
# {end} says "closed" or "timeout" then.
sub response {
    my ($self, %o) = @_;
    my $end = time + ($o{timeout} || 15);
    my $why = '';

    while ($self->{buf} !~ /\r\n\r\n/) {
        my $n = $self->fill($end);
        $why = defined $n ? 'closed' : 'timeout' and last if !$n;
    }

    if ($self->{buf} !~ s/^(.*?\r\n)\r\n//s) {
        return { status => '', body => $self->{buf}, headers => {}, head => '',
                 end => $why };
    }

    my $r = parsed($1, '');
    my $length = $r->{headers}{'content-length'};

    return $r if $o{head} || $r->{status} =~ /^(?:1..|204|304)$/;
    return { %$r, end => 'no length' } if !defined $length;

    while (length $self->{buf} < $length) {
        my $n = $self->fill($end);
        $r->{end} = defined $n ? 'closed' : 'timeout' and last if !$n;
    }
    $r->{body} = substr $self->{buf}, 0, $length, '';
    return $r;
}

# has the peer closed, within so many seconds?
sub closed {
    my ($self, $timeout) = @_;
    my $end = time + ($timeout || 5);

    for (1 .. 100000) {
        my $n = $self->fill($end);
        return $n // -1 ? 0 : 1 if !$n;
    }
    return 0;
}

sub close {
    my ($self) = @_;
    $self->{sock}->close if $self->{sock};
    $self->{sock} = undef;
}

# a RST instead of an orderly end
sub abort {
    my ($self) = @_;
    my $sock = $self->{sock} or return;
    setsockopt $sock, SOL_SOCKET, SO_LINGER, pack 'II', 1, 0;
    $self->{o}{plain} ? $sock->close
                      : $sock->close(SSL_no_shutdown => 1, SSL_ctx_free => 1);
    $self->{sock} = undef;
}

sub parsed {
    my ($head, $body, %more) = @_;
    my @blocks = split /\r\n\r\n/, $head;
    my ($line, @lines) = split /\r\n/, $blocks[-1] // '';
    my %h;

    for (@lines) {
        my ($name, $value) = /^([^:]+):\s*(.*?)\s*$/ or next;
        $name = lc $name;
        $h{$name} = defined $h{$name} ? "$h{$name}, $value" : $value;
    }

    my ($status) = ($line // '') =~ m{^HTTP/\S+ (\d+)};
    return { status => $status // '', headers => \%h, head => $head,
             body => $body, type => $h{'content-type'},
             reason => $h{'x-enroll-reason'}, %more };
}

1;
