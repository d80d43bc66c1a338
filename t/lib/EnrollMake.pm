package EnrollMake;

# Copyright (C) The nginx-enroll authors

# What Enroll makes in a test's directory: keys, certificates, requests and
# password files.

use strict;
use warnings;

use EnrollDER;

# a private key: "ec:P-256", "rsa:2048", "ed25519", "ed448", "rsa-pss:2048",
# "ml-dsa-65"
sub key {
    my ($self, $name, $spec) = @_;
    my $file = $self->dir("$name.key");
    return $file if -e $file;

    my ($kind, $size) = split /:/, $spec // 'ec:P-256';
    my @o = $kind eq 'ec' ? ('EC', '-pkeyopt', "ec_paramgen_curve:$size")
        : $kind eq 'rsa' ? ('RSA', '-pkeyopt', "rsa_keygen_bits:$size")
        : $kind eq 'rsa-pss' ? ('RSA-PSS', '-pkeyopt', "rsa_keygen_bits:$size")
        : uc $kind;
    $self->openssl('genpkey', '-algorithm', @o, '-out', $file);
    return $file;
}

# The certificate NAME.crt with its key NAME.key.  key, subject, issuer (a
# name; self-signed without), days, ext (text in openssl's syntax).
sub cert {
    my ($self, $name, %o) = @_;
    $self->key($name, $o{key});

    my $cnf = $self->write("$name.cnf",
        "[req]\ndistinguished_name=dn\n[dn]\n[x]\n" . ($o{ext} // ''));
    my $issuer = $o{issuer};

    $self->openssl('req', '-x509', '-new', '-key', $self->dir("$name.key"),
        '-subj', $o{subject} // "/CN=$name", '-days', $o{days} // 3650,
        '-config', $cnf, '-extensions', 'x', '-out', $self->dir("$name.crt"),
        $o{digest} ? "-$o{digest}" : (),
        $issuer ? ('-CA', $self->dir("$issuer.crt"),
                   '-CAkey', $self->dir("$issuer.key")) : ());
    return $self->dir("$name.crt");
}

sub self_signed {
    my ($self, $name, $subject, $ext) = @_;
    return $self->cert($name, subject => $subject, ext => $ext);
}

# a CA; the chain behind an intermediate is in its file as well
sub ca {
    my ($self, $name, %o) = @_;
    my $id = $o{issuer} ? "authorityKeyIdentifier=keyid\n" : '';

    $self->cert($name, %o, subject => $o{subject} // "/O=Example/CN=$name",
                ext => $o{ext} // <<"EXT");
basicConstraints=critical,CA:TRUE
keyUsage=critical,keyCertSign,cRLSign
subjectKeyIdentifier=hash
$id
EXT
    $self->write("$name.crt", $self->read("$name.crt")
                              . $self->read("$o{issuer}.crt")) if $o{issuer};
    return $self->dir("$name.crt");
}

# the certificate of a registration authority, NAME.crt
sub ra {
    my ($self, $name, $issuer, %o) = @_;
    return $self->cert($name, days => 365, subject => "/O=Example/CN=$name",
        key => 'rsa:2048', %o, issuer => $issuer, ext => $o{ext} // <<"EXT");
basicConstraints=critical,CA:FALSE
keyUsage=critical,digitalSignature,keyEncipherment
subjectKeyIdentifier=hash
authorityKeyIdentifier=keyid
EXT
}

# a client's certificate by a CA that is not under test
sub client {
    my ($self, $name, $issuer, %o) = @_;
    my $san = $o{san} ? "subjectAltName=$o{san}\n" : '';
    return $self->cert($name, days => 365, %o, issuer => $issuer,
        ext => $o{ext} // <<"EXT");
basicConstraints=CA:FALSE
keyUsage=critical,digitalSignature
extendedKeyUsage=clientAuth
subjectKeyIdentifier=hash
authorityKeyIdentifier=keyid
$san
EXT
}

# keeps the DER of a certificate as NAME.crt; its key is KEY.key
sub keep {
    my ($self, $name, $der, $key) = @_;
    $self->write("$name.crt", pem($der, 'CERTIFICATE'));
    $self->write("$name.key", $self->read("$key.key")) if $key && $key ne $name;
    return $self->dir("$name.crt");
}

# what openssl x509 says of a certificate's DER
sub x509 {
    my ($self, $der, @args) = @_;
    my $file = $self->write('look.crt', pem($der, 'CERTIFICATE'));
    return $self->openssl('x509', '-in', $file, '-noout', @args);
}

# A certification request: { der, b64, pem, key, name }.  key is a kind of
# key, name the name of its file (which may exist already); subject, san,
# ext => [openssl's -addext], digest.
sub csr {
    my ($self, %o) = @_;
    my $name = $o{name} // 'csr' . ++$self->{nodes}[0]{csr};
    my $key = $self->key($name, $o{key});
    my $out = "$key.req";

    $self->openssl('req', '-new', '-key', $key, '-config',
        $self->dir('req.cnf'), '-subj', $o{subject} // '/CN=dev1', '-utf8',
        $o{san} ? ('-addext', "subjectAltName=$o{san}") : (),
        (map { ('-addext', $_) } @{$o{ext} || []}),
        $o{digest} ? "-$o{digest}" : (), @{$o{args} || []},
        '-outform', 'DER', '-out', $out);

    return as_csr(slurp($out), $key, $name);
}

# the same of a request made by hand
sub as_csr {
    my ($der, $key, $name) = @_;
    return { der => $der, b64 => b64($der), pem => pem($der), key => $key,
             name => $name };
}

# a request of EnrollDER's: the key is made where there is none
sub forge {
    my ($self, %o) = @_;
    my $name = delete $o{name} // 'csr' . ++$self->{nodes}[0]{csr};
    my $key = $self->key($name, delete $o{kind});
    return as_csr(forge_csr(key => $key, %o), $key, $name);
}

# a password file
sub users {
    my ($self, $file, %users) = @_;
    return $self->write($file, join '',
        map { "$_:{PLAIN}$users{$_}\n" } sort keys %users);
}

1;
