#!/usr/bin/perl

# Copyright (C) The nginx-enroll authors

# The reference and the code name the same directives and variables, and
# the reasons of refusal.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use Enroll;
use EnrollDER;

##############################################################################

my $top = "$FindBin::Bin/..";
my %doc;
$doc{s{.*/}{}r} = slurp($_) for glob "$top/docs/*.md";
my $code = join '', map { slurp($_) } glob "$top/*/*.c $top/shared/*/*.[ch]";
my $all = join "\n", values %doc;

##############################################################################

# directives: every entry of an ngx_command_t table has a section

my (%in_code, %in_docs);
while ($code =~ /ngx_command_t\s+\w+\[\]\s*=\s*\{(.*?)ngx_null_command/gs) {
    my $table = $1;
    $in_code{$1} = 1 while $table =~ /\{\s*ngx_string\("(\w+)"\)/g;
}
cmp_ok(scalar(keys %in_code), '>=', 20, 'the code has directives');

while ($all =~ /^#+ ([a-z_]+)\n\n((?:\*\*.*\n|\n)*)/mg) {
    my ($name, $head) = ($1, $2);
    next if $head !~ /^\*\*Syntax:\*\*/;
    ok(!$in_docs{$name}++, "$name has one section");
    like($head, qr/^\*\*Syntax:\*\* +`\Q$name\E\b/m, "$name: Syntax");
    like($head, qr/^\*\*Default:\*\* +\S/m, "$name: Default");
    like($head, qr/^\*\*Context:\*\* +\S/m, "$name: Context");
}
is(join(' ', grep { !$in_docs{$_} } sort keys %in_code), '',
    'every directive of the code is in the reference');
is(join(' ', grep { !$in_code{$_} } sort keys %in_docs), '',
    'every directive of the reference is in the code');

# where the code says NGX_CONF_FLAG, the reference says on | off

while ($code =~ /ngx_string\("(\w+)"\),\s*([A-Z_0-9|\s]+),/g) {
    my ($name, $flags) = ($1, $2);
    next if !$in_docs{$name} || $flags !~ /NGX_CONF_FLAG/;
    like($all, qr/^\*\*Syntax:\*\* +`$name on \| off;`/m, "$name: on | off");
}

# contexts, as far as flags say them

my %context = (MAIN => 'http', SRV => 'server', LOC => 'location');
my $FLAGS = qr/(?:NGX_HTTP_\w+|NGX_CONF_\w+|[|\s])+/;
while ($code =~ /ngx_string\("(\w+)"\),\s*($FLAGS),/g) {
    my ($name, $flags) = ($1, $2);
    next if !$in_docs{$name};
    my ($line) = $all =~ /^#+ $name\n\n(?:.*\n)*?\*\*Context:\*\* +(.*?)\s*$/m;
    my %said = map { $_ => 1 } split /,\s*/, $line // '';
    for (sort keys %context) {
        my $has = $flags =~ /NGX_HTTP_${_}_CONF(?!_)/ ? 1 : 0;
        is($said{$context{$_}} ? 1 : 0, $has, "$name: context $context{$_}");
    }
}

# variables

my (%var_code, %var_docs);
$var_code{$1} = 1
    while $code =~ /\{\s*ngx_string\("(enroll_\w+)"\),\s*NULL,\s*ngx_http_/g;
$var_docs{$1} = 1 while $doc{'variables.md'} =~ /^\| `\$(enroll_\w+)`/mg;
cmp_ok(scalar(keys %var_code), '>=', 15, 'the code has variables');
is(join(' ', grep { !$var_docs{$_} } sort keys %var_code), '',
    'every variable of the code is in the reference');
is(join(' ', grep { !$var_code{$_} } sort keys %var_docs), '',
    'every variable of the reference is in the code');

# no example or sentence names one that there is not

my %used;
$used{$1} = 1 while $all =~ /\$(enroll_[a-z_]+)\b/g;
is(join(' ', grep { !$var_code{$_} && !/_$/ } sort keys %used), '',
    'no other variable is spoken of');
%used = ();
$used{$1} = 1
    while $all =~ /^\s*((?:enroll|est|scep)_[a-z_]+)\s[^|;]*[;{]\s*$/mg;
is(join(' ', grep { !$in_code{$_} } sort keys %used), '',
    'no other directive is used');

# reasons of refusal: status and sentence as in the table of outcomes; those
# of SCEP alone are in a page of their own

my $h = slurp("$top/shared/pki/enroll_outcome.h");
my $rows = 0;
my $STRINGS = qr/(?:\s*\\?\s*"[^"]*")+/;
while ($h =~ /X\(\w+,\s*(REFUSED|FAILED),\s*(\d+),.*?"(\w+)",($STRINGS)/gs) {
    my ($status, $reason, $text) = ($2, $3, $4);
    $text = join '', $text =~ /"([^"]*)"/g;
    $rows++;
    ok($all =~ /^\| `$reason` \| $status \| \Q$text\E \|/m,
        "reason $reason is documented, with its status and its sentence");
}
cmp_ok($rows, '>', 30, 'there are reasons');

done_testing();
