#!/usr/bin/perl

# Copyright (C) The nginx-enroll authors

# The unit tests of shared/pki: what "make unit" has built, each program
# once as it is and once under AddressSanitizer and UndefinedBehaviorSanitizer.

use strict;
use warnings;

use FindBin;
use Test::More;

chdir "$FindBin::Bin/.." or die "cannot chdir: $!";

$ENV{CMOCKA_MESSAGE_OUTPUT} = 'TAP';

my @programs = map { m{t/unit/(\w+)\.c$} ? ($1, "$1.asan") : () }
               sort glob 't/unit/test_*.c';

plan skip_all => 'no unit tests' unless @programs;
plan tests => scalar @programs;

run($_) for @programs;


# A program's TAP becomes a subtest; its exit status and its plan count, too:
# a crash after the last "ok" is a failure.

sub run {
    my ($program) = @_;

    subtest $program => sub {
        my $path = "build/unit/$program";

        unless (-x $path) {
            fail("$path is there: make unit");
            return;
        }

        my $output = qx('$path' 2>&1 < /dev/null);
        my $status = $?;
        my ($planned, $seen) = (0, 0);

        for my $line (split /\n/, $output) {

            if ($line =~ /^1\.\.(\d+)/) {
                $planned += $1;

            } elsif ($line =~ /^(not )?ok \d+ (?:- )?(.*)/) {
                my ($not, $name) = ($1, $2);
                $seen++;

                if ($name =~ /^#?\s*SKIP\s*(.*)/i) {
                    SKIP: { skip $1, 1 }

                } else {
                    ok(!$not, $name);
                }
            }
        }

        is($status, 0, 'exit status');
        cmp_ok($planned, '>', 0, 'a plan');
        is($seen, $planned, 'all that was planned was run');

        diag($output)
            unless $status == 0 && $planned && $seen == $planned;
    };
}
