#!/usr/bin/perl

# Copyright (C) The nginx-enroll authors

# Every example of nginx.conf in docs/ and README is what nginx takes.  The
# word behind "```nginx" tells where the example belongs.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Enroll;
use Test::More;

my $core = <<'END';
enroll_redis unix:redis.sock;
enroll_ca devices { certificate ca.crt; certificate_key ca.key; }
enroll_ca printers {
    certificate ca.crt; certificate_key ca.key;
    ra_certificate ra.crt; ra_certificate_key ra.key;
}
END

my $t = Enroll->new;

$t->ca($_) for qw(ca old next factory admins);
$t->openssl('ec', '-in', $t->dir('ca.key'), '-aes256', '-passout',
            'pass:secret', '-out', $t->dir('ca-encrypted.key'));
for my $name (qw(ra ra-enc)) {
    $t->client($name, 'ca', key => 'rsa:2048', subject => "/CN=$name",
               ext => "keyUsage=digitalSignature,keyEncipherment\n");
}
$t->client('helpdesk', 'ca', subject => '/CN=helpdesk');
$t->write('scep.challenge', "SECRET\n");
$t->write('ca.pass', "wrong\nsecret\n");
$t->write('est.users', "dev1:{PLAIN}secret\n");
$t->write('api.users', "admin:{PLAIN}secret\n");
$t->write('ticket.key', 'x' x 80);

for my $file (sort glob "$FindBin::Bin/../{README,docs/*}.md") {
    my ($name) = $file =~ m{([^/]+)$};
    my $text = $t->read($file);

    while ($text =~ /^```nginx(.*)\n((?s:.*?))^```$/mg) {
        my ($where, $example, $at) = ($1, $2, $-[0]);
        my $line = 1 + (substr($text, 0, $at) =~ tr/\n//);

        $where =~ s/\s//g;

        next if $example =~ /^load_module /;    # the harness has its own
        next if $where eq 'stream';     # a module that is not always there
        next if $where =~ m{:/};        # a file: docs_operations.t writes it

        my $http = in_http($where, $example);

        if (!defined $http) {
            fail("$name:$line says where its example belongs");
            next;
        }

        my ($status, $out) = $t->nginx_t($http);

        is($status, 0, "$name:$line is taken by nginx") or diag($out);
    }
}

$t->done;


sub in_http {
    my ($where, $example) = @_;

    if ($where eq 'main') {
        $example =~ s/^http \{\n(.*)^\}\n\z/$1/ms or return undef;
        return $example;
    }

    return ($example =~ /\b(?:est|scep) \w/ ? $core : '') . $example
        if $where eq 'http';
    return "enroll_ca example { $example }" if $where eq 'ca';
    return "enroll_profile example { $example }" if $where eq 'profile';
    return "$core server { $example }" if $where eq 'server';
    return "$core server { location / { $example } }" if $where eq 'location';
    return undef;
}
