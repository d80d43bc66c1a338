#!/bin/bash
# Copyright (C) The nginx-enroll authors

# cppcheck and clang-tidy over all sources, as far as they are there.  Run by
# "make lint", which has configured build/nginx for the include paths.

set -euo pipefail
cd "$(dirname "$0")/.."

dirs=(shared/pki shared/store shared/http
      ngx_http_est_module ngx_http_scep_module)
found=no
status=0

sources() {
    find "${dirs[@]}" -name '*.c' | LC_ALL=C sort
}


if command -v cppcheck > /dev/null; then
    found=yes
    echo "cppcheck"

    # OpenSSL's macros that look like no C; pointers to locals that nginx's
    # parser takes while a block is read

    sources | cppcheck --quiet --error-exitcode=1 --inline-suppr --std=c11 \
        --enable=warning,performance,portability \
        --suppress=missingInclude --suppress=autoVariables \
        -D'STACK_OF(t)=struct stack_st_##t' -D'DEFINE_STACK_OF(t)=' \
        -D'static_ASN1_SEQUENCE_END(t)=' \
        -D'static_ASN1_SEQUENCE_END_ref(t, u)=' \
        -D'static_ASN1_ITEM_TEMPLATE_END(t)=' \
        -D'ASN1_EX_TEMPLATE_TYPE(a, b, c, d)=0' \
        "${dirs[@]/#/-I}" --file-list=- || status=1
fi

if command -v clang-tidy > /dev/null; then
    found=yes
    echo "clang-tidy"

    # off: what nginx's own style is made of, and what is wrong too often

    checks='-*,bugprone-*,clang-analyzer-*'
    for c in bugprone-easily-swappable-parameters \
             bugprone-reserved-identifier \
             bugprone-assignment-in-if-condition \
             bugprone-narrowing-conversions \
             bugprone-implicit-widening-of-multiplication-result \
             bugprone-macro-parentheses \
             bugprone-branch-clone \
             bugprone-multi-level-implicit-pointer-conversion \
             clang-analyzer-valist.Uninitialized \
             clang-analyzer-optin.performance.Padding \
             clang-analyzer-security.insecureAPI.DeprecatedOrUnsafeBufferHandling
    do
        checks="$checks,-$c"
    done

    # as nginx's Makefile compiles them

    includes=(-I objs)
    for d in core event event/modules event/quic os/unix \
             http http/modules http/v2
    do
        includes+=(-I "src/$d")
    done

    tidy() {
        cd build/nginx
        clang-tidy --quiet --warnings-as-errors='*' --checks="$checks" \
            "../../$1" -- "${includes[@]}" "${dirs[@]/#/-I../../}" \
            2> /dev/null
    }

    while read -r file; do
        (tidy "$file") || status=1
    done < <(sources)
fi

[ $found = yes ] || echo "neither cppcheck nor clang-tidy is here" >&2
exit $status
