package EnrollMetrics;

# Copyright (C) The nginx-enroll authors

# The page of enroll_status, read back.

use strict;
use warnings;

use Exporter 'import';

our @EXPORT = qw(scrape sum);

# What is at a path: { text => the page, r => curl's answer, samples =>
# [[name, {labels}, value], ...] }.  accept => of the request; args => [curl's]
sub scrape {
    my ($t, %o) = @_;
    my $r = $t->curl('-H', 'Accept: ' . ($o{accept} // '*/*'),
        @{$o{args} || []}, sprintf 'http://127.0.0.1:%d%s',
        $t->port($o{port} || 'plain'), $o{path} // '/status');

    my @samples;
    for (split /\n/, $r->{body}) {
        my ($name, $labels, $value) = /^(\w+)(?:\{(.*)\})? (\S+)$/ or next;
        my %l;
        $l{$1} = $2
            while ($labels // '') =~ /(\w+)="((?:[^"\\]|\\.)*)"/g;
        push @samples, [$name, \%l, $value];
    }
    return { text => $r->{body}, r => $r, samples => \@samples };
}

# the sum of the samples of a name that have these labels; undef where there
# is none
sub sum {
    my ($page, $name, %labels) = @_;
    my $sum;
    for my $s (@{$page->{samples}}) {
        next if $s->[0] ne $name
                || grep { ($s->[1]{$_} // '') ne $labels{$_} } keys %labels;
        $sum += $s->[2];
    }
    return $sum;
}

1;
