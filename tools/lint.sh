#!/bin/bash
# Copyright (C) The nginx-enroll authors

# clang-tidy (see .clang-tidy), cppcheck and gcc's -fanalyzer over all
# sources; ends with an error if one of them says anything.  Run by "make
# lint", which has configured build/nginx for the include paths.
#
# What they say depends on their version: it is Debian 12's that must be
# silent (clang-tidy 14, cppcheck 2.10, gcc 12).

set -euo pipefail
cd "$(dirname "$0")/.."

dirs=(shared/pki shared/store shared/http
      ngx_http_est_module ngx_http_scep_module)
status=0

for tool in clang-tidy cppcheck gcc; do
    command -v $tool > /dev/null \
        || { echo "lint: no $tool: apt install $tool" >&2; exit 1; }
done

sources() {
    find "${dirs[@]}" -name '*.c' | LC_ALL=C sort
}


# as nginx's Makefile compiles them, in build/nginx

flags=(-I objs)
for d in core event event/modules os/unix http http/modules http/v2; do
    flags+=(-I "src/$d")
done
flags+=("${dirs[@]/#/-I../../}")

# one source a process: clang-tidy 14 takes a va_list for uninitialized in the
# second one

tidy() {
    cd build/nginx
    clang-tidy --quiet "../../$1" -- "${@:2}" 2> /dev/null
}

analyze() {
    cd build/nginx
    gcc -c -o /dev/null -O1 -W -Wall -Wno-unused-parameter -Werror \
        -fanalyzer "${@:2}" "../../$1"
}

export -f tidy analyze

each() {
    sources | xargs -P "$(nproc)" -I '{}' \
        bash -c "$1"' "$@"' "$1" '{}' "${flags[@]}"
}


echo "cppcheck"

# no headers but ours; OpenSSL's macros that look like no C to it

sources | cppcheck --quiet --error-exitcode=1 --inline-suppr --std=c11 \
    --enable=warning,performance,portability \
    -D'STACK_OF(t)=struct stack_st_##t' -D'DEFINE_STACK_OF(t)=' \
    -D'static_ASN1_SEQUENCE_END(t)=' \
    -D'static_ASN1_SEQUENCE_END_ref(t, u)=' \
    -D'static_ASN1_ITEM_TEMPLATE_END(t)=' \
    -D'ASN1_EX_TEMPLATE_TYPE(a, b, c, d)=0' \
    "${dirs[@]/#/-I}" --file-list=- || status=1

echo "gcc -fanalyzer"
each analyze || status=1

echo "clang-tidy"
each tidy || status=1

exit $status
