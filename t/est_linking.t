#!/usr/bin/perl

# Copyright (C) The nginx-enroll authors

# challengePassword in EST links the request to the TLS connection (RFC
# 7030, section 3.5): verified where it is there, on TLS 1.2 only.
#
# Conformance: EST-016 EST-030 EST-053 EST-054 EST-055 EST-056 EST-061
#   EST-062 EST-063 EST-066 EST-067 EST-068 EST-069 EST-173 EST-175
#   BAD-068 BAD-071 BAD-076 BAD-077

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use Enroll;
use EnrollDER;

##############################################################################

my $t = Enroll->new;

$t->ca('ca');
$t->users('users', dev1 => 'secret');
$t->conf(<<'CONF');
    enroll_redis unix:%%DIR%%/redis.sock;
    enroll_ca devices {
        certificate %%DIR%%/ca.crt;
        certificate_key %%DIR%%/ca.key;
    }

    server {
        listen 127.0.0.1:%%PORT_tls%% ssl;
        %%TLS%%
        ssl_verify_client optional;
        ssl_client_certificate %%DIR%%/ca.crt;
        est_basic_users %%DIR%%/users;
        est_repeat 0;

        location /.well-known/est/ { est devices; }
    }
CONF
$t->run;

my $CHALLENGE = '1.2.840.113549.1.9.7';
my $LINKING = '1.2.840.113549.1.9.16.2.58';      # RFC 7894
my @v12 = (version => 'TLSv1_2');

##############################################################################

# TLS 1.2: the first Finished message of the handshake, the client's

my $c = $t->connect(@v12);
my $id = finished($c);
is(length $id, 16, 'tls-unique is 12 octets, 16 characters');

my $r = ask($c, attribute($CHALLENGE, printable($id)));
my $der = $t->issued($r);
ok(length $der, 'the right value, PrintableString');
is($t->hash($t->record_key(cert_fields($der)->{serial}))->{pop_link},
    'verified', 'the record says so');
is(ask($c, attribute($CHALLENGE, utf8($id)))->{status}, 200, 'UTF8String');
is(ask($c, attribute($LINKING, utf8($id)))->{status}, 200,
    'estIdentityLinking');
is(ask($c, attribute($CHALLENGE, printable($id)),
    attribute($LINKING, printable($id)))->{status}, 200, 'both of them');
is(ask($c)->{status}, 200, 'none is needed');

# the denied twins

my %wrong = (
    'another value' => 'AAAAAAAAAAAAAAAA',
    'one character more' => $id . 'A',
    'four characters more' => $id . 'AAAA',
    'one character less' => substr($id, 0, 15),
    'one character' => substr($id, 0, 1),
    'nothing' => '',
    'a LF behind it' => "$id\n",
    'the octets themselves' => MIME::Base64::decode_base64($id),
    'the server\'s Finished' => finished($c, 'peer'),
    'lower case' => lc $id eq $id ? uc $id : lc $id,
);
for my $name (sort keys %wrong) {
    bad($c, $name, attribute($CHALLENGE, utf8($wrong{$name})));
}
bad($c, 'the right one, and a wrong estIdentityLinking',
    attribute($CHALLENGE, utf8($id)), attribute($LINKING, utf8('x')));
bad($c, 'a wrong one, and the right estIdentityLinking',
    attribute($CHALLENGE, utf8('x')), attribute($LINKING, utf8($id)));
bad($c, 'as BMPString',
    attribute($CHALLENGE, text(0x1e, join '', map { "\0$_" } split //, $id)));

for (['an INTEGER', attribute($CHALLENGE, integer(1))],
     ['a BOOLEAN', attribute($CHALLENGE, bool(1))],
     ['a NULL', attribute($CHALLENGE, null())],
     ['no value', attribute($CHALLENGE)],
     ['two values', attribute($CHALLENGE, utf8($id), printable($id))],
     ['two attributes', attribute($CHALLENGE, utf8($id)),
                        attribute($CHALLENGE, utf8($id))],
     ['256 characters', attribute($CHALLENGE, utf8('x' x 256))],
     ['a NUL in it', attribute($CHALLENGE, utf8("$id\0"))])
{
    my ($name, @attributes) = @$_;
    my $r = ask($c, @attributes);
    like("$r->{status} $r->{reason}",
        qr/^400 (?:malformed_attribute|identity_linking)$/, $name);
}

# a value of one connection is worth nothing on another

my $other = $t->connect(@v12);
bad($other, 'another connection\'s value', attribute($CHALLENGE, utf8($id)));
is(ask($other, attribute($CHALLENGE, utf8(finished($other))))->{status}, 200,
    'its own is taken there');

# a resumed session: the server's Finished is the first one

my $again = $t->connect(@v12, session => $c);
ok($again->reused, 'resumed');
is(ask($again, attribute($CHALLENGE, utf8(finished($again, 'peer'))))->{status},
    200, 'resumed: the server\'s Finished');
bad($again, 'resumed: the client\'s Finished',
    attribute($CHALLENGE, utf8(finished($again))));
bad($again, 'resumed: the value of the first handshake',
    attribute($CHALLENGE, utf8($id)));

# by certificate, on simplereenroll

$t->keep('dev1', $der, 'k');
my $own = $t->connect(@v12, cert => 'dev1');
for (['the right value', finished($own), 200], ['a wrong one', 'x', 400]) {
    my ($name, $value, $status) = @$_;
    is(ask($own, attribute($CHALLENGE, utf8($value)))->{status}, $status,
        "renewal: $name");
}

# without extended master secret

my $no_ems = $t->connect(@v12, args => { SSL_create_ctx_callback =>
    sub { Net::SSLeay::CTX_set_options($_[0], 1) } });
bad($no_ems, 'without extended master secret',
    attribute($CHALLENGE, utf8(finished($no_ems))));

# TLS 1.3 has no tls-unique

my $v13 = $t->connect(version => 'TLSv1_3');
bad($v13, 'TLS 1.3: any value', attribute($CHALLENGE, utf8($id)));
bad($v13, 'TLS 1.3: what OpenSSL still gives as Finished',
    attribute($CHALLENGE, utf8(finished($v13))));
bad($v13, 'TLS 1.3: and the server\'s',
    attribute($CHALLENGE, utf8(finished($v13, 'peer'))));
bad($v13, 'TLS 1.3: nothing', attribute($CHALLENGE, utf8('')));
is(ask($v13)->{status}, 200, 'TLS 1.3: none is needed');

# no header supplies it

$r = $v13->post('simpleenroll', csr => csr(attribute($CHALLENGE, utf8($id))),
    user => 'dev1:secret', headers => ["X-TLS-Unique: $id"]);
$t->refused($r, 400, 'identity_linking', 'no header supplies it');

unlike($t->log, qr/\Q$id\E/, 'the value is not logged');

$_->close for $c, $other, $again, $own, $no_ems, $v13;
$t->done;

##############################################################################

sub finished {
    my ($c, $peer) = @_;
    my $ssl = $c->{sock}->_get_ssl_object;
    my $f = '';
    $peer ? Net::SSLeay::get_peer_finished($ssl, $f, 64)
          : Net::SSLeay::get_finished($ssl, $f, 64);
    return MIME::Base64::encode_base64($f, '');
}

sub csr {
    return $t->forge(name => 'k', subject => name(CN => 'dev1'),
                     attributes => [@_]);
}

sub ask {
    my ($c, @attributes) = @_;
    return $c->post('simpleenroll', csr => csr(@attributes),
                    user => 'dev1:secret');
}

sub bad {
    my ($c, $name, @attributes) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $r = ask($c, @attributes);

    # an empty or an odd value may be told to be malformed
    $r->{reason} = 'identity_linking'
        if $name =~ /nothing|LF|octets|BMPString/
           && ($r->{reason} // '') eq 'malformed_attribute';
    $t->refused($r, 400, 'identity_linking', $name);
}
