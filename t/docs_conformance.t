#!/usr/bin/perl

# Copyright (C) The nginx-enroll authors

# docs/conformance.md and the tests are in step: a test that the table names
# for an ID names that ID, and one that names an ID is in the table for it.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use EnrollDER;

##############################################################################

my $top = "$FindBin::Bin/..";
my $ID = qr/(?:EST|CMC|SCEP|DEV|PKIX|CRL|OCSP|P10|HTTP|BAD)-\d{3}/;
my %table;                              # ID => { file => 1 }
my $rows = 0;

for my $line (split /\n/, slurp("$top/docs/conformance.md")) {
    next if $line !~ /^\| ($ID) \| ([^|]+) \| ([^|]+) \|$/;
    my ($id, $shown) = ($1, $3);

    $rows++;
    ok(!$table{$id}, "$id has one row");
    $table{$id} = {};

    if ($shown =~ /^`/) {
        for my $file (split /, /, $shown) {
            my ($name) = $file =~ m{^`(t/[\w/.]+)`$}
                or fail("$id: $file"), next;
            my $text = -e "$top/$name" ? slurp("$top/$name") : '';
            ok($text =~ /\b$id\b/, "$name is there, and names $id");
            $table{$id}{$name} = 1;
        }

    } else {
        like($shown, qr{^(?:n/a: \w.+|not yet(?:: \w.+)?)$},
            "$id: the reason, or \"not yet\"");
    }
}
cmp_ok($rows, '>=', 300, 'there is a table');

# the other way round; "BAD-040 to BAD-049" is all of them

for my $path (glob("$top/t/*.t"), glob("$top/t/unit/*.c")) {
    my ($name) = $path =~ m{(t/(?:unit/)?[^/]+)$};
    my $text = slurp($path);
    next if $name eq 't/docs_conformance.t';

    my %named = map { $_ => 1 } $text =~ /\b($ID)\b/g;
    is(join(' ', grep { !$table{$_}{$name} } sort keys %named), '',
        "the table knows what $name names");
}

done_testing();
