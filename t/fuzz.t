#!/usr/bin/perl

# Copyright (C) The nginx-enroll authors

# The fuzzers take their kept corpus, with the beginnings of each of its files
# and damaged copies of it, under AddressSanitizer and
# UndefinedBehaviorSanitizer: what "make corpus" has built.  libFuzzer goes on
# from there: "make fuzz".
#
# Conformance: BAD-051

use strict;
use warnings;

use FindBin;
use Test::More;

chdir "$FindBin::Bin/.." or die "cannot chdir: $!";

for my $source (sort glob 't/fuzz/fuzz_*.c') {
    my ($name) = $source =~ m{fuzz_(\w+)\.c$};
    my @files = sort glob "t/fuzz/corpus/$name/*";
    my $program = "build/unit/fuzz_$name.asan";

    cmp_ok(scalar @files, '>', 0, "$name has a corpus");
    ok(-x $program, "$program is there: make corpus") or next;

    my $output = qx('$program' @files 2>&1 < /dev/null);
    is($?, 0, "$name takes it") or diag($output);
    is(scalar(() = $output =~ m{^t/fuzz/corpus/}mg), scalar @files,
        "$name: all of it");
}

done_testing();
