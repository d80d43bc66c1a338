package EnrollSCEP;

# Copyright (C) The nginx-enroll authors

# SCEP by hand: pkiMessages of which every field can be replaced, left out or
# repeated, and a reader of CertReps.  The structure is EnrollDER's, the
# cryptography is the openssl command line's.
#
#     my $s = EnrollSCEP->new($t, ra => 'ra');    # of http://…PORT_plain…/scep
#     my $c = $s->client('dev1');                 # an RSA key, self-signed
#     my $m = $s->request($c, challenge => 'secret');
#     my $r = $s->send($m);
#     my $der = $s->issued($r, $m, 'a certificate');
#     $s->failed($r, $m, 2, 'challenge_unknown', 'a refusal');

use strict;
use warnings;

use Digest::MD5 ();
use Digest::SHA ();
use File::Basename qw(dirname);
use IO::Socket::INET;
use MIME::Base64 ();
use Test::More;

use EnrollConn;
use EnrollDER;

my $PKCS7 = '1.2.840.113549.1.7';
my $PKCS9 = '1.2.840.113549.1.9';
my $SCEP = '2.16.840.1.113733.1.9';

my %ATTR = (
    contentType => "$PKCS9.3", messageDigest => "$PKCS9.4",
    signingTime => "$PKCS9.5",
    messageType => "$SCEP.2", pkiStatus => "$SCEP.3", failInfo => "$SCEP.4",
    senderNonce => "$SCEP.5", recipientNonce => "$SCEP.6",
    transactionID => "$SCEP.7", failInfoText => '1.3.6.1.5.5.7.24.1',
);

my %DIGEST = (
    md5 => '1.2.840.113549.2.5', sha1 => '1.3.14.3.2.26',
    sha224 => '2.16.840.1.101.3.4.2.4',
    sha256 => '2.16.840.1.101.3.4.2.1', sha384 => '2.16.840.1.101.3.4.2.2',
    sha512 => '2.16.840.1.101.3.4.2.3',
);

# OID, octets of the key, of the IV
my %CIPHER = (
    'aes-128-cbc' => ['2.16.840.1.101.3.4.1.2', 16, 16],
    'aes-192-cbc' => ['2.16.840.1.101.3.4.1.22', 24, 16],
    'aes-256-cbc' => ['2.16.840.1.101.3.4.1.42', 32, 16],
    'aes-128-gcm' => ['2.16.840.1.101.3.4.1.6', 16, 12],
    'des-ede3-cbc' => ['1.2.840.113549.3.7', 24, 8],
    'des-cbc' => ['1.3.14.3.2.7', 8, 8],
);

my %SEEN;                       # senderNonces, and in which answer
my %REASON;                     # by the sentence of a refusal
my @LEGACY = qw(-provider default -provider legacy);

###############################################################################

# ra: the name of the certificate to encrypt to; signer: of the one that signs
# answers, if another; port, path
sub new {
    my ($class, $t, %o) = @_;
    return bless { t => $t, port => 'plain', path => '/scep', n => 0,
                   signer => $o{ra}, %o }, $class;
}

# the same with other settings
sub with {
    my ($self, %o) = @_;
    return bless { %$self, $o{ra} ? (signer => $o{ra}) : (), %o }, ref $self;
}

sub der_of {
    my ($self, $name) = @_;
    return unpem($self->{t}->read("$name.crt"));
}

# A client { name, key, cert } with a certificate of its own making; the
# options are those of forge_cert, and kind, the key's.
sub client {
    my ($self, $name, %o) = @_;
    my $kind = delete $o{kind} // 'rsa:2048';
    my $key = $self->{t}->key($name, $kind);
    my $cert = forge_cert(key => $key, subject => name(CN => $name), %o);
    return { name => $name, key => $key, cert => $cert };
}

# a client with the certificate that it has been given
sub holder {
    my ($self, $client, $der) = @_;
    return { %$client, cert => $der };
}

sub random_octets {
    my ($n) = @_;
    return join '', map { chr int rand 256 } 1 .. $n;
}

###############################################################################
# making

# A PKCSReq or, with type => 17, a RenewalReq.  Of the request: challenge
# (text, or a reference to the value's DER), subject, san (its names), csr_key,
# csr_digest (the message's), attributes, csr (octets).  The rest is message's.
sub request {
    my ($self, $client, %o) = @_;
    my @attributes = @{delete $o{attributes} || []};
    my ($challenge, $san) = delete @o{qw(challenge san)};

    unshift @attributes, challenge(ref $challenge ? $$challenge
                                   : printable($challenge))
        if defined $challenge;
    push @attributes, extension_request(san(@$san)) if $san;

    my $csr = delete $o{csr} // forge_csr(
        key => delete $o{csr_key} // $client->{key},
        subject => delete $o{subject} // name(CN => $client->{name}),
        digest => delete $o{csr_digest} // $o{digest},
        attributes => \@attributes, %{delete $o{forge} || {}});

    return $self->message($client, type => 19, data => $csr, %o);
}

sub poll {
    my ($self, $client, $transaction, %o) = @_;
    my $ca = cert_fields($self->der_of($o{ca} // 'ca'));
    return $self->message($client, type => 20, transaction => $transaction,
        data => seq($ca->{subject}, $o{subject}
                                    // name(CN => $client->{name})), %o);
}

# GetCert, or GetCRL with type => 22
sub get_cert {
    my ($self, $client, $serial, %o) = @_;
    my $ca = cert_fields($self->der_of($o{ca} // 'ca'));
    return $self->message($client, type => 21,
        data => seq($o{issuer} // $ca->{subject},
                    der(0x02, pack 'H*', $serial)), %o);
}

# A pkiMessage { der, transaction, nonce, client, digest, cipher, oaep }.
#
#     type, transaction, nonce, data, digest, cipher, oaep (a digest)
#     attr => { NAME => attribute's DER, or [several], or [] }, more => [DER]
#     unsorted => 1; envelope => octets of the content; and what signed_data
#     and envelope take
sub message {
    my ($self, $client, %o) = @_;

    my $m = {
        client => $client, type => $o{type},
        transaction => $o{transaction} // sprintf('%032d', ++$self->{n})
                       . unpack('H*', random_octets(4)),
        nonce => $o{nonce} // random_octets(16),
        digest => $o{digest} // 'sha256', cipher => $o{cipher} // 'aes-128-cbc',
        oaep => $o{oaep},
    };
    my $content = $m->{envelope} = exists $o{envelope} ? $o{envelope}
                                   : $self->envelope($m, %o);
    $m->{der} = signed_data($m, $content // '', %o);
    return $m;
}

# the same message signed anew, with other options
sub again {
    my ($self, $m, %o) = @_;
    my %new = (%$m, %o);
    $new{der} = signed_data(\%new, $new{envelope}, %o);
    return \%new;
}

# Options: encap, digest_algs, certs, crls, version, sid, digest_alg, sig_alg,
# signature, unsigned, signer_infos, signed (the whole SignedData), outer
# (the OID); flip => 1 breaks the signature
sub signed_data {
    my ($m, $content, %o) = @_;
    my $client = $m->{client};
    my $alg = $o{digest_alg} // digest_alg($m->{digest});
    my $key = $o{key} // $client->{key};

    my %attr = (
        contentType => attribute($ATTR{contentType},
                                 oid($o{type_attr} // "$PKCS7.1")),
        messageDigest => attribute($ATTR{messageDigest},
                                   octets(digest($m->{digest}, $content))),
        transactionID => attribute($ATTR{transactionID},
                                   printable($m->{transaction})),
        messageType => attribute($ATTR{messageType}, printable($m->{type})),
        senderNonce => attribute($ATTR{senderNonce}, octets($m->{nonce})),
        %{$o{attr} || {}});
    my @attrs = map { ref $attr{$_} ? @{$attr{$_}} : $attr{$_} }
                    sort keys %attr;
    push @attrs, @{$o{more} || []};
    @attrs = sort @attrs if !$o{unsorted};

    my $signature = $o{signature}
        // sign($key, set($o{sorts} ? sort @attrs : @attrs), $m->{digest});
    substr($signature, 40, 1) ^= "\x01" if $o{flip};

    my $info = seq(
        $o{version} // integer(1),
        $o{sid} // issuer_and_serial($client->{cert}),
        $alg,
        exists $o{attrs} ? $o{attrs} : ctx(0, @attrs),
        $o{sig_alg} // (content(sigalg($key)) =~ /^\Q${\oid('1.2.840.113549.1.1.11')}/
                        ? seq(oid('1.2.840.113549.1.1.1'), null())
                        : ecdsa_alg($m->{digest})),
        octets($signature),
        $o{unsigned} // '');

    my $signed = $o{signed} // seq(
        integer(1),
        $o{digest_algs} // set($alg),
        $o{encap} // seq(oid("$PKCS7.1"), ctx(0, octets($content))),
        $o{certs} // ctx(0, $client->{cert}),
        $o{crls} // '',
        $o{signer_infos} ? $o{signer_infos}->($info) : set($info));

    return seq(oid($o{outer} // "$PKCS7.2"), ctx(0, $signed));
}

# Options: data, content_key, iv, ra (DER), rid, key_alg, encrypted_key,
# recipients (the whole SET), env_version, originator, inner_type, cipher_alg,
# ciphertext (octets), encrypted ([0], whole), unprotected, env_type
sub envelope {
    my ($self, $m, %o) = @_;
    my ($oid, $klen, $ivlen) = @{$CIPHER{$m->{cipher}}};
    my $ra = $o{ra} // $self->der_of($self->{ra});
    my $key = $o{content_key} // random_octets($klen);
    my $iv = $o{iv} // random_octets($ivlen);

    my $ktri = seq(
        $o{ktri_version} // integer(0),
        $o{rid} // issuer_and_serial($ra),
        $o{key_alg} // key_alg($m->{oaep}),
        octets($o{encrypted_key}
               // $self->rsa_encrypt($ra, $key, $m->{oaep})));

    my $encrypted = $o{ciphertext}
        // $self->encrypt($m->{cipher}, $key, $iv, $o{data}, $o{enc_args});

    return seq(oid($o{env_type} // "$PKCS7.3"), ctx(0, seq(
        $o{env_version} // integer(0),
        $o{originator} // '',
        $o{recipients} ? $o{recipients}->($ktri) : set($ktri),
        seq(oid($o{inner_type} // "$PKCS7.1"),
            $o{cipher_alg} // seq(oid($oid), octets($iv)),
            $o{encrypted} // der(0x80, $encrypted)),
        $o{unprotected} // '')));
}

sub digest_alg { seq(oid($DIGEST{$_[0]}), null()) }

sub ecdsa_alg {
    my ($digest) = @_;
    my %n = (sha1 => '1', sha256 => '3.2', sha384 => '3.3', sha512 => '3.4');
    return seq(oid("1.2.840.10045.4.$n{$digest}"));
}

sub key_alg {
    my ($oaep) = @_;
    return seq(oid('1.2.840.113549.1.1.1'), null()) if !$oaep;
    return seq(oid('1.2.840.113549.1.1.7'), seq()) if $oaep eq 'sha1';

    my $hash = digest_alg($oaep);
    return seq(oid('1.2.840.113549.1.1.7'), seq(
        ctx(0, $hash), ctx(1, seq(oid('1.2.840.113549.1.1.8'), $hash))));
}

sub issuer_and_serial {
    my ($cert) = @_;
    my $c = cert_fields($cert);
    return seq($c->{issuer}, der(0x02, pack 'H*', $c->{serial}));
}

sub digest {
    my ($name, $data) = @_;
    return Digest::MD5::md5($data) if $name eq 'md5';
    $name =~ /^sha(\d+)$/ or die "digest $name\n";
    return Digest::SHA->new($1)->add($data)->digest;
}

sub rsa_encrypt {
    my ($self, $cert, $data, $oaep) = @_;
    my $t = $self->{t};
    my @pad = $oaep ? ('rsa_padding_mode:oaep', "rsa_oaep_md:$oaep",
                       "rsa_mgf1_md:$oaep") : ('rsa_padding_mode:pkcs1');
    $t->openssl('pkeyutl', '-encrypt', '-pubin', '-inkey',
        $self->public($cert), (map { ('-pkeyopt', $_) } @pad),
        '-in', $t->write('rsa.in', $data), '-out', $t->dir('rsa.out'));
    return slurp($t->dir('rsa.out'));
}

sub encrypt {
    my ($self, $cipher, $key, $iv, $data, $args) = @_;
    my $t = $self->{t};
    $t->openssl('enc', "-$cipher", '-K', unpack('H*', $key), '-iv',
        unpack('H*', $iv), '-in', $t->write('enc.in', $data),
        '-out', $t->dir('enc.out'), @{$args || []},
        $cipher eq 'des-cbc' ? @LEGACY : ());
    return slurp($t->dir('enc.out'));
}

# the file of a certificate's public key
sub public {
    my ($self, $cert) = @_;
    my $name = Digest::SHA::sha1_hex($cert) . '.pub';
    my $t = $self->{t};
    $t->write($name, pem(cert_fields($cert)->{spki}, 'PUBLIC KEY'))
        if !-e $t->dir($name);
    return $t->dir($name);
}

# DER as BER: indefinite lengths, OCTET STRINGs in pieces of so many octets;
# an element that
# is equal to $keep stays as it is
sub ber {
    my ($der, $piece, $keep) = @_;
    return join '', map {
        my $e = $_;
        $keep && $e->{whole} eq $keep ? $e->{whole}
        : $e->{tag} & 0x20
            ? chr($e->{tag}) . "\x80" . ber($e->{content}, $piece, $keep) . "\0\0"
        : ($e->{tag} == 0x04 || $e->{tag} == 0x80) && length $e->{content} > $piece
            ? ($e->{tag} == 0x04 ? "\x24" : "\xa0") . "\x80"
              . join('', map { octets($_) } unpack "(a$piece)*", $e->{content})
              . "\0\0"
        : $e->{whole};
    } kids($der);
}

###############################################################################
# asking

# POST, or GET with get => 1 (percent-encoded) or get => text of "message"
sub send {
    my ($self, $m, %o) = @_;
    return $self->response($self->start($m, %o));
}

# sends, and returns the connection
sub start {
    my ($self, $m, %o) = @_;
    my $path = $o{path} // $self->{path};
    my $der = ref $m ? $m->{der} : $m;
    my $node = $o{node} || $self->{t};

    my $conn = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
        PeerPort => $node->port($self->{port}), Timeout => 10)
        or die "connect: $!\n";
    $conn->autoflush(1);

    my ($head, $body) = ("Host: localhost\r\nConnection: close\r\n", '');

    if ($o{get}) {
        my $text = $o{get} eq '1' ? query($der) : $o{get};
        $head = "GET $path?operation=PKIOperation&message=$text HTTP/1.1\r\n"
                . $head;
    } else {
        $body = $der;
        $head = 'POST ' . $path . ($o{query} // '?operation=PKIOperation')
                . " HTTP/1.1\r\n$head"
                . 'Content-Length: ' . length($body) . "\r\n";
        $head .= "Content-Type: $o{content_type}\r\n" if $o{content_type};
    }

    print $conn $o{raw} ? $o{raw} : "$head\r\n$body";
    return $conn;
}

sub response {
    my ($self, $conn) = @_;
    my $all = '';
    eval {
        local $SIG{ALRM} = sub { die "no answer\n" };
        alarm 20;
        local $/;
        $all = <$conn> // '';
        alarm 0;
    };
    alarm 0;
    my ($head, $body) = split /\r\n\r\n/, $all, 2;
    return EnrollConn::parsed(($head // '') . "\r\n\r\n", $body // '');
}

sub query {
    my ($der) = @_;
    my $s = MIME::Base64::encode_base64($der, '');
    $s =~ s/([+\/=])/sprintf '%%%02X', ord $1/ge;
    return $s;
}

###############################################################################
# reading

# A CertRep as { status, failinfo, text, transaction, nonce, recipient, type,
# digest, sig_alg, cipher, key_alg, rid, content, certs, outer (certificates),
# rounds (of PBKDF2, of one for a password), wrong (what is not as it has to
# be) }; undef where it is none.
sub open {
    my ($self, $r, $m, %o) = @_;
    return undef if ($r->{status} // '') ne '200'
                    || ($r->{type} // '') ne 'application/x-pki-message';

    my %a = (wrong => []);
    my ($outer, $body) = kids(content($r->{body}));
    push @{$a{wrong}}, 'outer' if $outer->{whole} ne oid("$PKCS7.2");

    my (undef, $algs, $encap, @rest) = kids(content($body->{content}));
    my ($set) = grep { $_->{tag} == 0x31 } @rest;
    my ($certs) = grep { $_->{tag} == 0xa0 } @rest;
    $a{outer} = [map { $_->{whole} } kids($certs ? $certs->{content} : '')];

    my (undef, $sid, $alg, $attrs, $sig_alg, $sig) =
        kids(content($set->{content}));
    @a{qw(sid sig_alg)} = ($sid->{whole}, $sig_alg->{whole});
    my $digest = (kids($alg->{content}))[0]{whole};
    ($a{digest}) = grep { oid($DIGEST{$_}) eq $digest } keys %DIGEST;

    my @encap = kids($encap->{content});
    $a{content} = @encap == 2 ? content($encap[1]{content}) : undef;
    push @{$a{wrong}}, 'eContent' if !defined $a{content};

    my @order = map { $_->{whole} } kids($attrs->{content});
    push @{$a{wrong}}, 'order' if "@order" ne join ' ', sort @order;

    my %oid = reverse map { ($_ => oid($ATTR{$_})) } keys %ATTR;
    my %v;
    for my $attr (kids($attrs->{content})) {
        my ($type, $values) = kids($attr->{content});
        my $name = $oid{$type->{whole}} // 'unknown';
        push @{$a{wrong}}, "$name twice" if exists $v{$name};
        $v{$name} = (kids($values->{content}))[0];
    }
    $a{attrs} = \%v;

    my %tags = (messageType => 0x13, pkiStatus => 0x13, failInfo => 0x13,
                transactionID => $o{id_tag} // 0x13, senderNonce => 0x04,
                recipientNonce => 0x04, failInfoText => 0x0c);
    for my $name (sort keys %tags) {
        push @{$a{wrong}}, "type of $name"
            if $v{$name} && $v{$name}{tag} != $tags{$name};
    }
    @a{qw(type status failinfo transaction nonce recipient text)} =
        map { $v{$_} ? $v{$_}{content} : undef }
            qw(messageType pkiStatus failInfo transactionID senderNonce
               recipientNonce failInfoText);

    push @{$a{wrong}}, 'messageDigest' if !$a{digest} || !defined $a{content}
        || $v{messageDigest}{content} ne digest($a{digest}, $a{content});
    push @{$a{wrong}}, 'signature'
        if !$self->verify($self->der_of($o{signer} // $self->{signer}),
                          $a{digest}, set($attrs->{content}), $sig->{content});
    push @{$a{wrong}}, 'messageType' if ($a{type} // '') ne '3';
    push @{$a{wrong}}, 'transactionID'
        if ($a{transaction} // '') ne $m->{transaction};
    push @{$a{wrong}}, 'recipientNonce'
        if ($a{recipient} // '') ne $m->{nonce};
    push @{$a{wrong}}, 'senderNonce'
        if length($a{nonce} // '') != 16 || $a{nonce} eq $m->{nonce}
           || ($SEEN{$a{nonce}} //= $r->{body}) ne $r->{body};

    if (($a{status} // '') eq '0') {
        eval { $self->open_envelope(\%a, $m, %o); 1 }
            or push @{$a{wrong}}, "envelope: $@";
    } else {
        push @{$a{wrong}}, 'content' if ($a{content} // 'x') ne '';
    }
    push @{$a{wrong}}, 'failInfo'
        if defined $a{failinfo} != (($a{status} // '') eq '2');
    return \%a;
}

sub verify {
    my ($self, $cert, $digest, $data, $signature) = @_;
    my $t = $self->{t};
    my ($rc) = $t->command('openssl', 'dgst', '-' . ($digest // 'sha256'),
        '-verify', $self->public($cert),
        '-signature', $t->write('rep.sig', $signature),
        $t->write('rep.tbs', $data));
    return $rc == 0;
}

# what is in the answer's envelope, by the client's key, or a password
sub open_envelope {
    my ($self, $a, $m, %o) = @_;
    my ($t, $c) = ($self->{t}, $m->{client});
    my ($type, $body) = kids(content($a->{content}));
    my ($version, $recipients, $info) = kids(content($body->{content}));
    my @recipients = kids($recipients->{content});
    die "recipients\n" if @recipients != 1;

    my @ri = kids($recipients[0]{content});
    my @info = kids($info->{content});
    my $cipher = (kids($info[1]{content}))[0]{whole};
    ($a->{cipher}) = grep { oid($CIPHER{$_}[0]) eq $cipher } keys %CIPHER;
    $a->{env_type} = $type->{whole};
    $a->{recipient_tag} = $recipients[0]{tag};
    my @with = ('-pwri_password', $o{password} // '');

    if ($recipients[0]{tag} == 0xa3) {
        my (undef, $params) = kids($ri[1]{content});
        my (undef, $rounds) = kids($params->{content});
        $a->{rounds} = unpack 'N', substr "\0\0\0\0$rounds->{content}", -4;
    }

    if ($recipients[0]{tag} == 0x30) {
        $a->{rid} = $ri[1]{whole};
        $a->{key_alg} = $ri[2]{whole};
        die "rid\n" if $a->{rid} ne issuer_and_serial($c->{cert});
        @with = ('-inkey', $c->{key}, '-recip',
                 $t->write('me.crt', pem($c->{cert}, 'CERTIFICATE')));
    }
    my $in = $t->write('rep.p7', $a->{content});
    $t->openssl('cms', '-decrypt', '-binary', '-inform', 'DER', '-in', $in,
        '-out', $t->dir('rep.out'), @with,
        ($a->{cipher} // '') eq 'des-cbc' ? @LEGACY : ());
    $a->{certs} = [certs_only(slurp($t->dir('rep.out')))];
}

###############################################################################
# judging: each is one test

# what an answer says, in a word or two, and what is wrong with it
sub summary {
    my ($self, $r, $m, %o) = @_;
    my $a = $self->open($r, $m, %o);
    return (($r->{status} || 'no answer') . ' ' . ($r->{reason} // '-'), undef)
        if !$a;

    my $status = { 0 => 'SUCCESS', 2 => 'FAILURE', 3 => 'PENDING' }
                 ->{$a->{status} // ''} // 'no status';
    $status .= " $a->{failinfo}" if defined $a->{failinfo};
    my @wrong = @{$a->{wrong}};
    push @wrong, 'digest' if ($a->{digest} // '') ne ($o{digest}
                                                      // $m->{digest});

    # what the client is told, as the documentation has it
    my $reason = $status !~ /^FAILURE/ ? '' : ' ' . reason($a->{text} // '');
    return (join(' ', "$status$reason", @wrong), $a);
}

sub reason {
    my ($text) = @_;
    my $docs = dirname(__FILE__) . '/../../docs';

    if (!%REASON) {
        for my $file ('est.md', 'scep.md') {
            my $text = slurp("$docs/$file");
            $REASON{$2} = $1 while $text =~ /^\| `(\w+)` \| \d+ \| ([^|]+?) \|/mg;
        }
    }
    return $REASON{$text} // 'unknown';
}

# F(n): a signed CertRep with pkiStatus FAILURE and this failInfo
sub failed {
    my ($self, $r, $m, $n, $reason, $name, %o) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my ($got) = $self->summary($r, $m, %o);
    return is($got, "FAILURE $n $reason", $name);
}

sub waits {
    my ($self, $r, $m, $name, %o) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my ($got) = $self->summary($r, $m, %o);
    return is($got, 'PENDING', $name);
}

# a SUCCESS with one certificate, which is returned; '' without
sub issued {
    my ($self, $r, $m, $name, %o) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my ($got, $a) = $self->summary($r, $m, %o);
    my $n = $a && $a->{certs} ? @{$a->{certs}} : 0;
    is("$got, $n", 'SUCCESS, 1', $name);
    return $n ? $a->{certs}[0] : '';
}

# an HTTP status instead of a CertRep
sub refused {
    my ($self, $r, $status, $reason, $name) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    return $self->{t}->refused($r, $status, $reason, $name);
}

sub serial {
    my ($der) = @_;
    return length $der ? cert_fields($der)->{serial} : 'none';
}

1;
