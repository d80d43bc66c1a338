#!/usr/bin/perl

# Copyright (C) The nginx-enroll authors

# docs/monitoring.md, the alert rules and the dashboard name the metrics that
# the code has, with their labels; the rules fire when they should.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use JSON::PP;
use Test::More;

use Enroll;
use EnrollDER;

##############################################################################

my $top = "$FindBin::Bin/..";
my $doc = slurp("$top/docs/monitoring.md");
my $rules = slurp("$top/docs/monitoring/alerts.yml");
my $tests = slurp("$top/docs/monitoring/alerts_test.yml");
my $code = slurp("$top/shared/http/ngx_http_enroll_status_page.c");

##############################################################################

# the table: names, types and labels

my %suffix = (counter => '_total', info => '_info');
my %metric;
while ($code =~ /"(enroll_\w+)",\s*NGX_HTTP_ENROLL_METRIC_(\w+),\s*[^{}]*\{\s*([^}]*)\}/g) {
    my ($name, $type, $labels) = ($1, lc $2, $3);
    $metric{$name . ($suffix{$type} // '')} = "$type | "
        . join ', ', map { "`$_`" } $labels =~ /"(\w+)"/g;
}
cmp_ok(scalar(keys %metric), '>=', 24, 'the code has metrics');

my %said;
$said{$1} = $2 while $doc =~ /^\| `(enroll_\w+)` \| (\w+ \| [^|]*?) *\| \S/mg;
is_deeply(\%said, \%metric, 'the table is that of the code');

# reasons and clients that the text names

my $count = slurp("$top/shared/http/ngx_http_enroll_status_count.c");
my %client = map { $_ => 1 }
    $count =~ /ngx_string\("[^"]*"\),\s*ngx_string\("(\w+)"\)/g;
my ($clients) = $doc =~ /^(`client` is told .*?\n\n)/ms;
is(join(' ', sort grep { $_ ne 'none' } $clients =~ /(?<!^)`(\w+)`/g),
    join(' ', sort keys %client), 'the families of clients');
for my $step ($code =~ /^    ngx_string\("(\w+)"\)/mg) {
    like($doc, qr/^The times .*?`$step`/ms, "the step $step");
}

# what is asked for is there: its name, and its labels

my $dashboard = JSON::PP->new->decode(slurp("$top/docs/monitoring/grafana.json"));
my @panels = @{$dashboard->{panels}};
my %queries = (
    'alerts.yml' => [$rules =~ /^ +expr: (.+\n(?: {10,}.*\n)*)/mg],
    'monitoring.md' => [$doc =~ /^```promql\n(.*?)^```$/msg],
    'grafana.json' => [map { $_->{expr} } map { @{$_->{targets} || []} } @panels],
);
cmp_ok(scalar @{$queries{$$_[0]}}, '>=', $$_[1], "$$_[0] has queries")
    for ['alerts.yml', 10], ['monitoring.md', 8], ['grafana.json', 25];

my %asked;
for my $file (sort keys %queries) {
    my @wrong;
    for my $query (@{$queries{$file}}) {
        while ($query =~ /\b(enroll_\w+)(?:\{(.*?)\})?/g) {
            my ($name, $selector) = ($1, $2 // '');
            my $base = $name;
            $base =~ s/_(?:bucket|sum|count)$// if !$metric{$base};
            $asked{$base} = 1;
            if (!$metric{$base}) {
                push @wrong, $name;
                next;
            }
            for my $label ($selector =~ /(\w+)[=!]~?"/g) {
                push @wrong, "$name: $label" if $label ne 'instance'
                    && $metric{$base} !~ /`$label`/;
            }
            push @wrong, "$name of a histogram"
                if ($metric{$base} =~ /^histogram/) != ($base ne $name);
        }
        push @wrong, "no rate of a counter: $query"
            if $query =~ /^\s*\(*enroll_\w+_total(?!\w)/;
    }
    is("@wrong", '', "$file asks for what there is");
}
my @unused = grep { !$asked{$_} } sort keys %metric;
is("@unused", '', 'every metric is made use of');

# the dashboard: what an import needs

my %id;
$id{$_->{id}}++ for @panels;
is(scalar(keys %id), scalar @panels, 'panels have ids');
my (%cell, $over);
for my $p (@panels) {
    my $g = $p->{gridPos};
    for my $x ($g->{x} .. $g->{x} + $g->{w} - 1) {
        $over++ if $x > 23
            || grep { $cell{"$x/$_"}++ } $g->{y} .. $g->{y} + $g->{h} - 1;
    }
}
is($over // 0, 0, 'none is over another');
my %var = map { $_->{name} => 1 } @{$dashboard->{templating}{list}};
my %used = map { $_ => 1 }
    grep { !/^__/ } join(' ', @{$queries{'grafana.json'}}) =~ /\$(\w+)/g;
is(join(' ', sort keys %used), join(' ', grep { $_ ne 'datasource' } sort keys %var),
    'its variables');

# every alert is in the text and is tested

my @alerts = sort $rules =~ /^      - alert: (\w+)/mg;
is(join(' ', sort $doc =~ /^\| `(Enroll\w+)` \|/mg), "@alerts",
    'the alerts are in the text');
for my $alert (@alerts) {
    my ($fires) = $tests =~ /alertname: $alert\n\s+eval_time: \w+\n\s+exp_alerts:\n\s+- (exp_labels)/;
    ok($fires, "$alert is tested");
}

SKIP: {
    skip('no promtool', 2) if !grep { -x "$_/promtool" } split /:/, $ENV{PATH};
    for (['check', 'alerts.yml'], ['test', 'alerts_test.yml']) {
        my ($verb, $file) = @$_;
        my ($rc, $out) = Enroll->command('promtool', $verb, 'rules',
                                         "$top/docs/monitoring/$file");
        ok($rc == 0 && $out =~ /SUCCESS/, "promtool $verb rules $file")
            or diag($out);
    }
}

done_testing();
