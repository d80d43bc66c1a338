package EnrollClients;

# Copyright (C) The nginx-enroll authors

# Clients of SCEP that others wrote, for the CAs of EnrollRA: what to start
# for a request, and what came of it.
#
#     strongSwan      pki --scep
#     scepclient      micromdm's
#     Bouncy Castle   t/java/ScepClient.java
#     certmonger      with a daemon of its own, see certmonger_start

use strict;
use warnings;

use Exporter 'import';
use FindBin;
use Digest::SHA ();
use Test::More;

use Enroll;
use EnrollDER;

our @EXPORT = qw(ras found strongswan strongswan_lacks scepclient
                 bouncycastle bouncycastle_lacks bouncycastle_compile
                 certmonger_lacks certmonger_start getcert);

my $CERTMONGER = '/usr/lib/certmonger';
my @JARS = map { "/usr/share/java/$_.jar" } qw(bcprov bcutil bcpkix);

# the names of the RAs of a CA: (who signs, who decrypts), but a CA itself
sub ras {
    my ($ca) = @_;
    return $ca eq 'rsa' ? () : $ca eq 'split' ? ('split-ra', 'split-enc')
           : "$ca-ra";
}

# the certificate in what a program wrote, or ''
sub found {
    my ($text) = @_;
    return ($text // '') =~ /BEGIN CERTIFICATE/ ? unpem($text) : '';
}

###############################################################################
# strongSwan

# why it cannot be used here
sub strongswan_lacks {
    my ($t) = @_;
    my (undef, $out) = $t->command('pki', '--scep', '--help');
    return $out =~ /--cacert-enc/ ? '' : 'there is no pki --scep';
}

# the command that enrols KEY.key at a URL
sub strongswan {
    my ($t, $url, $ca, $key, @more) = @_;
    my @ras = (ras($ca), $ca);
    my $enc = @ras == 3 ? $ras[1] : $ras[0];
    my @dn = (grep { $_ eq '--dn' } @more) ? ()
             : ('--dn', 'O=Example, CN=dev1');

    return ('timeout', 40, 'pki', '--scep', '--url', $url,
        '--in', $t->dir("$key.key"), @dn, '--san', 'dev1.example.com',
        '--cacert-sig', $t->dir("$ras[0].crt"),
        '--cacert-enc', $t->dir("$enc.crt"),
        '--cacert', $t->dir("$ca.crt"), '--outform', 'pem', @more);
}

###############################################################################
# scepclient

# The command that enrols, or renews what is there: NAME/key.pem,
# NAME/cert.pem.  It encrypts to all that GetCACert carries, unless it is told
# to which one, and takes answers of that one only: so not with two RAs.
sub scepclient {
    my ($t, $url, $ca, $name, @more) = @_;
    my ($ra) = ras($ca);
    mkdir $t->dir($name);

    return ('timeout', 20, 'scepclient', '-server-url', $url, '-cn', 'dev1',
        '-private-key', $t->dir("$name/key.pem"),
        '-certificate', $t->dir("$name/cert.pem"),
        $ra ? ('-ca-fingerprint',
               Digest::SHA::sha256_hex(unpem($t->read("$ra.crt")))) : (),
        @more);
}

###############################################################################
# Bouncy Castle

sub bouncycastle_lacks {
    my ($missing) = grep { !-e } @JARS;
    return "there is no $missing" if $missing;
    for my $program ('javac', 'java') {
        return "there is no $program"
            if !grep { -x "$_/$program" } split /:/, $ENV{PATH};
    }
    return '';
}

# what the compiler says; '' where all is well
sub bouncycastle_compile {
    my ($t) = @_;
    my ($rc, $out) = $t->command('javac', '-nowarn', '-cp', classes($t), '-d',
        $t->dir('classes'), "$FindBin::Bin/java/ScepClient.java");
    return $rc ? $out : '';
}

sub classes { join ':', @JARS, $_[0]->dir('classes') }

# Sends a message for each [URL, CA, key, options]; what came back, with der.
# key names KEY.key and KEY.crt.
sub bouncycastle {
    my ($t, @messages) = @_;
    my @lines;

    for my $i (0 .. $#messages) {
        my ($url, $ca, $key, $o) = @{$messages[$i]};
        my ($sig, $enc) = (ras($ca), $ca, $ca);
        $enc = $sig if $ca ne 'split';
        my %o = (%$o, key => $t->dir("$key.key"), cert => $t->dir("$key.crt"),
            url => $url, ra => $t->dir(($o->{ra} // $enc) . '.crt'),
            sig => $t->dir("$sig.crt"), issuer => $t->dir("$ca.crt"),
            subject => 'O=Example,CN=dev1', dns => 'dev1.example.com',
            out => $t->dir("out$i"));
        unlink $o{out};
        push @lines, join ' ', map { "$_=$o{$_}" } sort keys %o;
    }

    my $in = $t->write('messages', join '', map { "$_\n" } @lines);
    my ($rc, $out) = $t->command('timeout', 120, 'java', '-cp', classes($t),
        'ScepClient', $in);
    my @results = split /\n/, $out;
    diag($out) if $rc || @results != @lines;

    return map {
        my %r = map { split /=/, $_, 2 } split / /, $results[$_] // '';
        +{ %r, der => $t->read("out$_") };
    } 0 .. $#lines;
}

###############################################################################
# certmonger

sub certmonger_lacks {
    my ($missing) = grep { !-x } map { "$CERTMONGER/$_" }
                    'certmonger-session', 'scep-submit';
    return "there is no $missing" if $missing;
    return (grep { -x "$_/getcert" } split /:/, $ENV{PATH})
           ? '' : 'there is no getcert';
}

# A daemon that knows the CAs of certmonger, NAME => [URL, CA of EnrollRA]: its
# process, or undef where it does not run here.
sub certmonger_start {
    my ($t, %cas) = @_;

    # what it reads and writes, and where it listens

    $ENV{HOME} = $t->dir;
    for ('config', 'requests', 'cas', 'local_ca') {
        mkdir $t->dir($_);
        $ENV{'CERTMONGER_' . uc . '_DIR'} = $t->dir($_);
    }
    mkdir $ENV{CERTMONGER_TMPDIR} = $t->dir('tmp');

    # of an RSA CA alone it has to be told that it is the RA, too: it takes
    # the first certificate of two for that

    for my $name (keys %cas) {
        my ($url, $ca) = @{$cas{$name}};
        my $more = $ca eq 'rsa' ? ' -r ' . $t->dir('rsa.crt') . ' -N '
                                  . $t->dir('rsa.crt') : '';
        $t->write("cas/$name", "id=$name\nca_type=EXTERNAL\n"
            . "ca_external_helper=$CERTMONGER/scep-submit -u $url$more\n");
    }

    my $pid = Enroll::spawn($t->dir('certmonger.log'),
        "$CERTMONGER/certmonger-session", '-n', '-L', '-P',
        $t->dir('certmonger.sock'));
    $ENV{CERTMONGER_PVT_ADDRESS} = 'unix:path=' . $t->dir('certmonger.sock');

    return $pid
        if wait_for { (my ($rc) = getcert($t, 'list-cas'))[0] == 0 } 15;
    diag($t->read('certmonger.log'));
    return undef;
}

sub getcert {
    my ($t, @args) = @_;
    return $t->command('timeout', 40, 'getcert', @args);
}

1;
