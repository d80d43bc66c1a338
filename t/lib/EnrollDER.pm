package EnrollDER;

# Copyright (C) The nginx-enroll authors

# DER by hand: a builder, a reader, and forgers of certification requests and
# certificates of which every field can be replaced by octets of one's own.
# No stock tool emits what a server has to refuse.
#
# All functions take and give octets.  Signatures are made by the openssl
# command line.

use strict;
use warnings;

use Exporter 'import';
use MIME::Base64 ();

our @EXPORT = qw(
    der seq set octets bits integer oid null bool ctx utf8 printable ia5 text
    rdn name kids content certs_only cert_fields csr_fields csr_spki
    extension san dns attribute extension_request challenge
    spki sign sigalg forge_csr forge_cert b64 pem unpem slurp
);

###############################################################################
# building

sub der {
    my ($tag, @parts) = @_;
    my $body = join '', @parts;
    my $n = length $body;

    return chr($tag) . chr($n) . $body if $n < 128;

    my $len = '';
    for (my $l = $n; $l; $l >>= 8) {
        $len = chr($l & 255) . $len;
    }
    return chr($tag) . chr(128 + length $len) . $len . $body;
}

sub seq       { der(0x30, @_) }
sub set       { der(0x31, @_) }
sub octets    { der(0x04, @_) }
sub bits      { der(0x03, "\0", @_) }
sub null      { der(0x05) }
sub bool      { der(0x01, $_[0] ? "\xff" : "\0") }
sub utf8      { der(0x0c, @_) }
sub printable { der(0x13, @_) }
sub ia5       { der(0x16, @_) }
sub text      { der(shift, @_) }

# [N] IMPLICIT, constructed
sub ctx       { my $n = shift; der(0xa0 + $n, @_) }

# a small number, or the content octets of any INTEGER
sub integer {
    my ($v) = @_;
    return der(0x02, $v) unless $v =~ /^\d+$/;

    my $s = '';
    do { $s = chr($v & 255) . $s; $v >>= 8 } while $v;
    $s = "\0$s" if ord($s) & 0x80;
    return der(0x02, $s);
}

sub oid {
    my ($first, $second, @arcs) = split /\./, shift;
    my $s = '';

    for my $arc ($first * 40 + $second, @arcs) {
        my $t = chr($arc & 127);
        while ($arc >>= 7) {
            $t = chr(128 | $arc & 127) . $t;
        }
        $s .= $t;
    }
    return der(0x06, $s);
}

my %TYPE = (
    CN => '2.5.4.3', C => '2.5.4.6', L => '2.5.4.7', ST => '2.5.4.8',
    O => '2.5.4.10', OU => '2.5.4.11', serialNumber => '2.5.4.5',
    emailAddress => '1.2.840.113549.1.9.1',
);

# one RDN of pairs (type, value); a value that is a reference is raw DER
sub rdn {
    my @ava;
    while (my ($type, $value) = splice @_, 0, 2) {
        push @ava, seq(oid($TYPE{$type} || $type),
                       ref $value ? $$value : utf8($value));
    }
    return set(@ava);
}

# a Name of single-valued RDNs
sub name {
    my @rdn;
    while (my ($type, $value) = splice @_, 0, 2) {
        push @rdn, rdn($type, $value);
    }
    return seq(@rdn);
}

sub extension {
    my ($oid, $value, $critical) = @_;
    return seq(oid($oid), $critical ? bool(1) : (), octets($value));
}

sub san { extension('2.5.29.17', seq(@_)) }
sub dns { der(0x82, @_) }

sub attribute {
    my ($oid, @values) = @_;
    return seq(oid($oid), set(@values));
}

sub extension_request { attribute('1.2.840.113549.1.9.14', seq(@_)) }
sub challenge         { attribute('1.2.840.113549.1.9.7', @_) }

###############################################################################
# reading

# the elements of a constructed content: { tag, content, whole }
sub kids {
    my ($s) = @_;
    my @kids;

    while (length $s) {
        my ($tag, $n) = unpack 'CC', $s;
        my $head = 2;

        if ($n & 0x80) {
            my $k = $n & 0x7f;
            $n = 0;
            $n = $n << 8 | $_ for unpack "x2 C$k", $s;
            $head += $k;
        }

        die "DER: an element is longer than its parent\n"
            if $head + $n > length $s;

        push @kids, { tag => $tag, content => substr($s, $head, $n),
                      whole => substr($s, 0, $head + $n) };
        $s = substr $s, $head + $n;
    }
    return @kids;
}

sub content { (kids(shift))[0]{content} }

# the certificates of a certs-only SignedData, which must be just that
sub certs_only {
    my ($der) = @_;
    my ($type, $body) = kids(content($der));
    die "no SignedData\n" if $type->{whole} ne oid('1.2.840.113549.1.7.2');

    my ($version, $digests, $encap, @rest) =
        kids((kids($body->{content}))[0]{content});

    die "version\n" if $version->{whole} ne integer(1);
    die "digestAlgorithms\n" if $digests->{whole} ne set();
    die "encapContentInfo\n"
        if $encap->{whole} ne seq(oid('1.2.840.113549.1.7.1'));
    die "no certificates\n" if $rest[0]{tag} != 0xa0;
    die "signerInfos\n" if $rest[-1]{whole} ne set();
    die "what is this?\n" if @rest != 2;

    return map { $_->{whole} } kids($rest[0]{content});
}

# { serial (hex), issuer, subject, spki, validity, version, exts => { OID in
# DER => { critical, value } } }
sub cert_fields {
    my ($der) = @_;
    my @f = kids((kids(content($der)))[0]{content});
    my %c;

    $c{version} = (shift @f)->{content} if $f[0]{tag} == 0xa0;
    $c{serial} = uc unpack 'H*', $f[0]{content};
    @c{qw(sigalg issuer validity subject spki)} = map { $_->{whole} } @f[1..5];
    @c{qw(not_before not_after)} =
        map { $_->{content} } kids($f[3]{content});

    for my $f (@f[6 .. $#f]) {
        next if $f->{tag} != 0xa3;
        for my $e (kids((kids($f->{content}))[0]{content})) {
            my @e = kids($e->{content});
            die "an extension twice\n" if $c{exts}{$e[0]{whole}};
            $c{exts}{$e[0]{whole}} =
                { critical => @e == 3, value => $e[-1]{content} };
            push @{$c{order}}, $e[0]{whole};
        }
    }
    return \%c;
}

# (CertificationRequestInfo, signatureAlgorithm, signature), whole
sub csr_fields { map { $_->{whole} } kids(content(shift)) }

sub csr_spki {
    my ($info) = csr_fields(shift);
    return (kids(content($info)))[2]{whole};
}

###############################################################################
# forging

my %spki;

sub slurp {
    my ($file) = @_;
    open my $f, '<:raw', $file or die "$file: $!\n";
    local $/;
    return scalar <$f>;
}

sub spit {
    my ($file, $data) = @_;
    open my $f, '>:raw', $file or die "$file: $!\n";
    print $f $data;
    close $f;
}

# the SubjectPublicKeyInfo of a private key's file, looked at once
sub spki {
    my ($key) = @_;
    my $spki = $spki{$key}
        //= `openssl pkey -in '$key' -pubout -outform DER 2>/dev/null`;
    die "$key: no key\n" if !length $spki;
    return $spki;
}

# the AlgorithmIdentifier of the usual signature for a key
# of a signature with SHA-256, or another digest
sub sigalg {
    my ($key, $digest) = @_;
    my $type = content((kids(content(spki($key))))[0]{whole});
    my ($rsa, $ec) = @{{ md5 => [4], sha1 => [5, '1'], sha224 => [14, '3.1'],
        sha256 => [11, '3.2'], sha384 => [12, '3.3'], sha512 => [13, '3.4'] }
        ->{$digest // 'sha256'}};

    return seq(oid("1.2.840.10045.4.$ec"))
        if index($type, oid('1.2.840.10045.2.1')) == 0;
    return seq(oid("1.2.840.113549.1.1.$rsa"), null())
        if index($type, oid('1.2.840.113549.1.1.1')) == 0;
    return seq($type);                          # EdDSA
}

sub sign {
    my ($key, $data, $digest) = @_;
    my $in = "$key.tbs";
    $digest ||= 'sha256';
    spit($in, $data);

    my $sig = content(sigalg($key)) =~ /^\x06\x03\x2b\x65/
        ? `openssl pkeyutl -sign -rawin -inkey '$key' -in '$in' 2>/dev/null`
        : `openssl dgst -$digest -sign '$key' '$in' 2>/dev/null`;
    unlink $in;
    die "$key: cannot sign\n" if !length $sig;
    return $sig;
}

# A CertificationRequest.  key => FILE signs; each of version, subject, spki,
# attrs (the whole [0]; or a list in "attributes"), info, sigalg, signature
# may be given as octets; digest for openssl dgst.
sub forge_csr {
    my (%o) = @_;

    my $info = $o{info} // seq(
        $o{version} // integer(0),
        $o{subject} // name(CN => 'forged'),
        $o{spki} // spki($o{key}),
        $o{attrs} // ctx(0, @{$o{attributes} || []}));

    return seq($info, $o{sigalg} // sigalg($o{key}, $o{digest}),
               $o{signature} // bits(sign($o{key}, $info, $o{digest})));
}

# A Certificate, version 3, of the key in subject_key, signed with key (of the
# certificate issuer_cert in DER, or of itself); from and till in seconds from
# now; exts are whole extensions.
sub forge_cert {
    my (%o) = @_;
    my $alg = sigalg($o{key});
    my $time = sub {
        my ($s, $m, $h, $D, $M, $Y) = gmtime(time() + shift);
        return der(0x18, sprintf '%04d%02d%02d%02d%02d%02dZ',
                   $Y + 1900, $M + 1, $D, $h, $m, $s) if $Y >= 150;
        return der(0x17, sprintf '%02d%02d%02d%02d%02d%02dZ',
                   $Y % 100, $M + 1, $D, $h, $m, $s);
    };
    my $subject = $o{subject} // name(CN => 'forged');

    my $tbs = seq(
        ctx(0, integer(2)),
        der(0x02, $o{serial} // chr(1 + int rand 126)
                                . join('', map { chr rand 256 } 1 .. 15)),
        $alg,
        $o{issuer} // ($o{issuer_cert}
                       ? cert_fields($o{issuer_cert})->{subject} : $subject),
        seq($time->($o{from} // -3600), $time->($o{till} // 86400)),
        $subject, spki($o{subject_key} // $o{key}),
        $o{exts} ? ctx(3, seq(@{$o{exts}})) : ());

    return seq($tbs, $alg, bits(sign($o{key}, $tbs)));
}

###############################################################################
# armour

# base64 in lines of 64
sub b64 {
    my ($der) = @_;
    my $s = MIME::Base64::encode_base64($der, '');
    $s =~ s/(.{1,64})/$1\n/g;
    return $s;
}

sub pem {
    my ($der, $label) = @_;
    $label ||= 'CERTIFICATE REQUEST';
    return "-----BEGIN $label-----\n" . b64($der) . "-----END $label-----\n";
}

# the first block
sub unpem {
    my ($pem) = @_;
    $pem =~ /-----BEGIN [^-]+-----\s+(.*?)-----END/s or die "no PEM\n";
    return MIME::Base64::decode_base64($1);
}

1;
