#!/usr/bin/perl

# Copyright (C) The nginx-enroll authors

# What is known of the clients of SCEP: one test for each fact, named by it.
# The clients that there are as packages are in scep_strongswan.t,
# scep_certmonger.t, scep_scepclient.t and scep_bouncycastle.t.
#
# Conformance: SCEP-003 SCEP-004 SCEP-008 SCEP-010 SCEP-012 SCEP-013
#   SCEP-015 SCEP-021 SCEP-024 SCEP-026 SCEP-040 SCEP-041 SCEP-042
#   SCEP-043 SCEP-044 SCEP-056 SCEP-071 SCEP-073 SCEP-074 SCEP-096 DEV-002
#   DEV-011 DEV-013 DEV-019 BAD-100

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Digest::SHA qw(sha256_hex);
use JSON::PP;
use Test::More;

use Enroll;
use EnrollDER;
use EnrollRA;
use EnrollSCEP;

##############################################################################

my $t = Enroll->new;
ra_files($t);

# three certificates, in an order that is not that of DER

my @split = map { "split$_" } '-enc', '-ra', '';
$t->ra('split-enc', 'split', ext => <<'EXT')
basicConstraints=critical,CA:FALSE
keyUsage=critical,keyEncipherment
EXT
    until "@{[ders(@split)]}" ne "@{[sort { $a cmp $b } ders(@split)]}";

$t->conf(ra_cas() . <<'CONF' . ra_locations('') . "    }\n")->run;
    scep_challenge secret;
    scep_failure_limit off;
    large_client_header_buffers 4 16k;

    server {
        listen 127.0.0.1:%%PORT_plain%%;
        location /issuer/ { scep split; scep_ca_certs issuer; }
        location /chain/ { scep split; scep_ca_certs chain; }
        location /leaf-and-chain/ { scep ra; scep_chain on; }
        location /legacy/ { scep ra; scep_legacy sha1 md5 des3 des; }
        location /once/ { scep ra; scep_challenge one-time; }
        location /manual/ { scep ra; enroll_approval manual; }
        location /several { scep $arg_message; }
        location /api/ { enroll_api $arg_ca guard=address allow=127.0.0.1; }
        location /certsrv/mscep_admin/ {
            enroll_api ra guard=address allow=127.0.0.1 ndes;
        }
CONF

my $base = 'http://127.0.0.1:' . $t->port('plain');
my $s = EnrollSCEP->new($t, ra => 'ra-ra', path => '/ra/scep', ca => 'ra');
my $split = EnrollSCEP->new($t, ra => 'split-enc', signer => 'split-ra',
                            path => '/split/scep');
my $c = $s->client('dev1');
my %secret = (challenge => 'secret');

##############################################################################

fact('GetCACert says truly which form it is: a certificate, or certs-only '
     . 'with a dedicated RSA RA first (certmonger, Apple)', sub {
    my $r = get('rsa/scep?operation=GetCACert');
    is($r->{type}, 'application/x-x509-ca-cert', 'a CA alone');
    is($r->{body}, (ders('rsa'))[0], 'is one certificate in DER');
    $r = get('ec/scep?operation=GetCACert');
    is($r->{type}, 'application/x-x509-ca-ra-cert', 'an RA and a CA');
    is_deeply([certs_only($r->{body})], [ders('ec-ra', 'ec')], 'RA first');
    like($t->x509((certs_only($r->{body}))[0], '-ext', 'keyUsage'),
        qr/Digital Signature, Key Encipherment/, 'for both uses');
});

fact('What GetCACert carries is settable: issuer only, RA and issuer, chain '
     . '(Windows, macOS, Intune)', sub {
    is(get('issuer/scep?operation=GetCACert')->{body}, (ders('split'))[0],
        'the issuer');
    is(certs_only(get("$_/scep?operation=GetCACert")->{body}), 3, $_)
        for 'split', 'chain';
});

fact('Certificates keep the order they are given, which DER would sort', sub {
    is_deeply([certs_only(get('split/scep?operation=GetCACert')->{body})],
        [ders(@split)], 'who decrypts, who signs, the CA');
});

fact('The leaf alone is in a CertRep, since Apple takes the first; the chain '
     . 'is a switch (Cisco VPN wants it, Juniper does not)', sub {
    my $m = $s->request($c, %secret);
    my $a = $s->open($s->send($m), $m);
    is(@{$a->{certs}}, 1, 'the leaf');
    $m = $s->request($c, %secret);
    my $b = $s->open($s->send($m, path => '/leaf-and-chain/'), $m);
    is_deeply([@{$b->{certs}}[1 .. $#{$b->{certs}}]], [ders('ra')],
        'and the CA behind it');
});

fact('Key transport, cipher and digest of the answer are those of the request: '
     . 'OAEP for Windows, PKCS #1 v1.5 for strongSwan, Cisco, jscep', sub {
    for my $oaep (undef, 'sha1', 'sha256') {
        my $m = $s->request($c, %secret, oaep => $oaep, digest => 'sha512',
                            cipher => 'aes-256-cbc');
        my $a = $s->open($s->send($m), $m);
        is("$a->{digest} $a->{cipher} "
           . ($a->{key_alg} =~ /^..\Q${\oid('1.2.840.113549.1.1.7')}/s),
           'sha512 aes-256-cbc ' . !!$oaep, $oaep // 'PKCS #1');
    }
});

fact("A CertRep's signatureAlgorithm is plain rsaEncryption (strongSwan 5.9.8, "
     . 'Cisco)', sub {
    for my $digest ('sha256', 'sha512') {
        my $m = $s->request($c, %secret, digest => $digest);
        is($s->open($s->send($m), $m)->{sig_alg},
            seq(oid('1.2.840.113549.1.1.1'), null()), $digest);
    }
});

fact('GetCACaps is text/plain, lists SHA-384, and has no blank line, which '
     . 'would match everything (strongSwan)', sub {
    my $r = get('ra/scep?operation=GetCACaps');
    like($r->{type}, qr{^text/plain}, 'type');
    is(join(' ', sort split /\n/, $r->{body}),
        'AES POSTPKIOperation Renewal SCEPStandard SHA-256 SHA-384 SHA-512',
        'what is enforced, and no more');
    like($r->{body}, qr/^(?:[A-Za-z0-9-]+\n)+\z/, 'each in a line');
});

fact('PENDING and FAILURE have an empty eContent, not a missing one '
     . '(certmonger)', sub {
    for (['/manual/', 'secret', 3], ['/ra/', 'wrong', 2]) {
        my ($path, $challenge, $status) = @$_;
        my $m = $s->request($c, challenge => $challenge,
                            subject => name(CN => 'waits'));
        my $a = $s->open($s->send($m, path => $path), $m);
        is("$a->{status} '" . ($a->{content} // 'missing') . "'",
            "$status ''", $path);
    }
});

fact('PKIOperation comes by GET though POST is advertised, percent-encoded, '
     . 'raw, with %0A in it, or with a plus that is a space; a URL of 3.6 kB '
     . '(certmonger, Cisco, macOS)', sub {
    my $m;
    do { $m = $s->request($c, %secret) }
        until EnrollSCEP::b64($m->{der}) =~ m{^(?=.*\+)(?=.*/)}s;
    my $lines = EnrollSCEP::b64($m->{der});
    (my $raw = $lines) =~ s/\n//g;
    cmp_ok(length $raw, '>', 3000, 'as long as it is');
    for ([1, 'percent-encoded'], [$raw, 'raw'], [$raw =~ s/\+/%20/gr, 'spaces'],
         [$lines =~ s/\n/%0A/gr =~ s/\+/%2B/gr, '%0A'])
    {
        $s->issued($s->send($m, get => $_->[0]), $m, $_->[1]);
    }
});

fact('Cisco: HTTP/1.0 without Host, MD5 and single DES, the trustpoint as '
     . 'message, /pkiclient.exe behind; message=default (Windows), message=0 '
     . '(certmonger), or no message', sub {
    my $m = $s->request($c, %secret, digest => 'md5', cipher => 'des-cbc');
    $s->issued($s->response($s->start($m, raw => 'GET /legacy/pkiclient.exe'
        . '?operation=PKIOperation&message=' . EnrollSCEP::query($m->{der})
        . " HTTP/1.0\r\n\r\n")), $m, 'Cisco');
    for my $message ('&message=TP-1', '&message=default', '&message=0', '',
                     '&message=')
    {
        is(get("ra/pkiclient.exe?operation=$_$message")->{status}, 200,
            "$_$message") for 'GetCACaps', 'GetCACert';
    }
    $m = $s->request($c, %secret, digest => 'md5', cipher => 'des-cbc');
    $s->failed($s->send($m), $m, 0, 'message_algorithm',
        'not where the location does not name it', digest => 'sha256');
});

fact('One of several CAs is named by message or ca_id, where the location says '
     . 'so', sub {
    is(get("several?operation=GetCACert&message=$_")->{status}, 200, $_)
        for 'rsa', 'ec';
    for my $bad ('nosuch', '..%2frsa', 'rsa%0d%0aX:%20y', 'x' x 10_000) {
        my $r = get("several?operation=GetCACert&message=$bad");
        $t->refused($r, 404, 'unknown_ca', 'none: ' . substr $bad, 0, 20);
        is($r->{headers}{x}, undef, 'no header of the client');
    }
    is(get('ra/scep?operation=GetCACert&message=' . 'x' x 10_000)->{status},
        200, 'elsewhere it is not looked at');
});

fact('A POST has no Content-Type (strongSwan, sscep), or '
     . 'application/octet-stream (scepclient)', sub {
    for my $type (undef, 'application/octet-stream', 'text/html') {
        my $m = $s->request($c, %secret);
        $s->issued($s->send($m, content_type => $type), $m, $type // 'none');
    }
});

fact("micromdm's scepclient sends single DES with SHA-1 only: taken with the "
     . 'legacy switch', sub {
    my $m = $s->request($c, %secret, digest => 'sha1', cipher => 'des-cbc');
    $s->issued($s->send($m, path => '/legacy/'), $m, 'scep_legacy');
    $s->failed($s->send($m), $m, 0, 'message_algorithm', 'without',
        digest => 'sha256');
});

fact('BER, of indefinite length and in pieces, is taken within bounds (Apple, '
     . 'jscep, Bouncy Castle)', sub {
    my $m = $s->request($c, %secret);
    $m = $s->again({ %$m, envelope =>
        EnrollSCEP::ber($m->{envelope}, 1000, '') });
    $m->{der} = EnrollSCEP::ber($m->{der}, 1000, $c->{cert});
    $s->issued($s->send($m), $m, 'both layers');
    $s->refused($s->send("\x24\x80" x 2000 . "\0\0" x 2000), 400,
        'malformed_message', 'too deep');
});

fact("strongSwan's CSR attributes, and others' signed attributes, are in no "
     . 'DER order: signatures are checked over what was received', sub {
    my @attributes = sort { $b cmp $a } challenge(utf8('secret')),
        extension_request(san(dns('dev1.example.com')));
    isnt("@attributes", "@{[sort @attributes]}", 'in no order');
    my $csr = forge_csr(key => $c->{key}, subject => name(CN => 'dev1'),
                        attributes => \@attributes);
    my $m = $s->request($c, csr => $csr);
    $s->issued($s->send($m), $m, 'in the CSR');
    $m = $s->again($m, unsorted => 1);
    $s->issued($s->send($m), $m, 'in the message');
});

fact("Windows' self-signed certificate has a critical authorityKeyIdentifier",
sub {
    my $c = $s->client('dev1', exts => [
        extension('2.5.29.35', seq(der(0x80, 'k' x 20)), 1)]);
    my $m = $s->request($c, %secret);
    $s->issued($s->send($m), $m, 'it is read leniently');
});

fact('Minted challenges are upper-case hex ("_" breaks PrintableString), and '
     . 'any type of string is compared by content', sub {
    like(mint(), qr/^[0-9A-F]{32}$/, 'minted');
    for my $tag (0x0c, 0x13, 0x14, 0x16, 0x1e) {
        my $text = mint();
        $text =~ s/(.)/\0$1/g if $tag == 0x1e;
        my $m = $s->request($c, challenge => \text($tag, $text));
        $s->issued($s->send($m, path => '/once/'), $m, sprintf 'tag %02x', $tag);
    }
});

fact('Nonces are of 8 octets (old iOS), of 1 to 64; the answer has a fresh one '
     . 'of 16 (MikroTik, certmonger) and echoes the other', sub {
    my %fresh;
    for my $length (1, 8, 16, 64) {
        my $m = $s->request($c, %secret,
                            nonce => EnrollSCEP::random_octets($length));
        for (1, 2) {
            my $a = $s->open($s->send($m), $m);
            is_deeply([length $a->{nonce}, $a->{recipient}], [16, $m->{nonce}],
                "of $length");
            $fresh{$a->{nonce}}++;
        }
    }
    is(scalar keys %fresh, 8, 'fresh');
});

fact('transactionIDs are 77 digits (certmonger), base64 (scepclient), or one '
     . 'constant for GetCert, repeat when a key is renewed, and never are an '
     . 'idempotency key alone', sub {
    for my $id ('7' x 77, 'aGVsbG8+/w==') {
        my $m = $s->request($c, %secret, transaction => $id);
        my $first = $s->issued($s->send($m), $m, "of $id");
        is($s->open($s->send($m), $m)->{transaction}, $id, 'echoed');

        $m = $s->request($s->holder($c, $first), type => 17,
                         transaction => $id);
        isnt($s->issued($s->send($m), $m, 'the renewal in it'), $first,
            'another certificate');
        $m = $s->request($c, %secret, transaction => $id,
                         subject => name(CN => 'dev9'));
        isnt($s->issued($s->send($m), $m, 'another request in it'), $first,
            'another certificate');
        for (1, 2) {
            $m = $s->get_cert($c, EnrollSCEP::serial($first), ca => 'ra',
                              transaction => 'constant');
            is($s->issued($s->send($m), $m, 'GetCert'), $first,
                'the certificate');
        }
    }
});

fact('A device that lost the answer asks again with the same message: the same '
     . 'certificate, and the challenge is not burnt twice (Cisco, Apple)', sub {
    my $challenge = mint();
    my $m = $s->request($c, challenge => $challenge);
    my $der = $s->issued($s->send($m, path => '/once/'), $m, 'at first');
    my $new = $s->again($m, nonce => EnrollSCEP::random_octets(16));
    is($s->issued($s->send($_, path => '/once/'), $_, 'again'), $der,
        'the same') for $m, $new;
    $m = $s->request($c, challenge => $challenge);
    $s->failed($s->send($m, path => '/once/'), $m, 2, 'challenge_unknown',
        'in another transaction');
});

fact('Renewal comes as 17 (strongSwan), as 19 by the old certificate '
     . '(certmonger, sscep), and with the challenge, which must be right', sub {
    my $m = $s->request($c, %secret);
    my $dev = $s->holder($c, $s->issued($s->send($m), $m, 'at first'));
    for my $type (17, 19) {
        for my $challenge (undef, 'secret') {
            my $m = $s->request($dev, type => $type, challenge => $challenge);
            $s->issued($s->send($m), $m, "by $type " . ($challenge // ''));
        }
        my $m = $s->request($dev, type => $type, challenge => 'wrong');
        $s->failed($s->send($m), $m, 2, 'challenge_unknown', "by $type, wrong");
    }
    is($t->count('renewed', 'ra') > 3, 1, 'they are renewals');
});

fact("Cisco's request has a subject other than its signer's; the keys must be "
     . 'equal', sub {
    my $c = $s->client('dev1', subject => name(CN => 'router.example.com'));
    my $m = $s->request($c, %secret, subject => name(serialNumber => 'FTX1'));
    $s->issued($s->send($m), $m, 'another subject');
    $m = $s->request($c, %secret, csr_key => $t->key('dev2', 'rsa:2048'));
    $s->failed($s->send($m), $m, 2, 'envelope_not_opened', 'another key');
});

fact('FIPS clients refuse an answer that is signed with the key that decrypts: '
     . 'the two can be apart', sub {
    my $m = $split->request($c, %secret);
    $split->issued($split->send($m), $m, 'one decrypts, the other signs');
    $m = $split->request($c, %secret, ra => (ders('split-ra'))[0]);
    $split->failed($split->send($m), $m, 2, 'envelope_not_opened',
        'who signs does not decrypt');
});

fact('A refusal is a signed CertRep with failInfo and failInfoText, never an '
     . 'HTTP 500', sub {
    for (['wrong', 2, 'challenge_unknown'], [undef, 2, 'challenge_required'],
         ['secret', 1, 'message_signature', flip => 1],
         ['secret', 0, 'message_algorithm', cipher => 'des-ede3-cbc'],
         ['secret', 2, 'envelope_not_opened', ciphertext => 'x' x 64],
         ['secret', 4, 'renewal_issuer', type => 17],
         ['secret', 2, 'message_type', type => 18])
    {
        my ($challenge, $fail, $reason, @how) = @$_;
        my $m = $s->request($c, challenge => $challenge, @how);
        $s->failed($s->send($m), $m, $fail, $reason, $reason);
    }
    unlike($t->log('access'), qr/" 500 /, 'no HTTP 500');
});

fact("Windows' client breaks where TLS asks for a certificate, and printers "
     . 'speak plain HTTP: the samples have a server of their own for SCEP', sub {
    for my $file ('quickstart', 'docs/scep.md') {
        my ($server) = grep { /^\s+scep \w+/m }
            split /^ +server \{/m, $t->read("$FindBin::Bin/../$file")
                                   =~ s/^## Waiting.*//msr;
        ok($server && $server !~ /ssl_verify_client/, $file);
    }
});

fact("MDMs scrape NDES's page for a challenge", sub {
    my $page = get('certsrv/mscep_admin/')->{body};
    $page =~ s/\0//g;
    my ($challenge) = $page =~ /challenge password is: <B> (\S+) <\/B>/;
    my $m = $s->request($c, challenge => $challenge);
    $s->issued($s->send($m, path => '/once/'), $m, 'which enrols a device');
});

is($t->open_txns, '', 'no transaction is open');
$t->done;

##############################################################################

sub fact {
    my ($what, $test) = @_;
    return subtest($what => $test);
}

sub ders { map { unpem($t->read("$_.crt")) } @_ }

sub get { $t->curl("$base/$_[0]") }

sub mint {
    return decode_json($t->curl('-H', 'Content-Type: application/json', '-d',
        '{}', "$base/api/challenges?ca=ra")->{body})->{challenge};
}
