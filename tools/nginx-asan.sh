#!/bin/bash
# Copyright (C) The nginx-enroll authors

# Makes build/asan/nginx: the nginx of this Debian, from its source package,
# with our modules built in, under AddressSanitizer (each ngx_palloc() an
# allocation of its own) and, for our sources, UndefinedBehaviorSanitizer.
# The source is found by the machine's own apt sources, which stay as they
# are: lists and downloads are in build/asan/apt.

set -euo pipefail
cd "$(dirname "$0")/.."

top=build/asan
cc=${CC:-gcc}

fail() {
    echo "nginx-asan: $*" >&2
    exit 1
}

version=$(dpkg-query -W -f '${source:Version}' nginx 2> /dev/null) \
    || fail "no nginx to take the version from: apt install nginx"

# a user with neither root nor spaces in the way: relative paths throughout

if [ ! -e "$top/source-$version" ]; then

    command -v dpkg-source > /dev/null \
        || fail "dpkg-source is missing: apt install dpkg-dev"

    echo "nginx-asan: the source of nginx $version"

    rm -rf "$top"
    mkdir -p "$top/apt/lists/partial" "$top/apt/cache/archives/partial"

    apt-get indextargets --format \
        'deb-src $(REPO_URI) $(RELEASE) $(COMPONENT)' \
        'Created-By: Packages' 'Origin: Debian' \
        | sort -u > "$top/apt/sources.list"

    [ -s "$top/apt/sources.list" ] \
        || fail "apt knows no Debian source: apt-get update"

    # apt wants whole paths; a link keeps spaces out of them

    link=$(mktemp -d)
    trap 'rm -rf "$link"' EXIT
    ln -s "$PWD/$top" "$link/asan"

    cat > "$top/apt/apt.conf" << END
Dir::Etc::SourceList "$link/asan/apt/sources.list";
Dir::Etc::SourceParts "/dev/null";
Dir::State::Lists "$link/asan/apt/lists";
Dir::Cache "$link/asan/apt/cache";
APT::Sandbox::User "";
END

    # the exact revision, or the nearest one that the mirror still has

    (
        cd "$top"
        export APT_CONFIG=apt/apt.conf
        apt-get -q update

        for v in "$version" $(apt-cache showsrc --only-source nginx \
            | sed -n "s/^Version: \(${version%-*}-.*\)/\1/p" | sort -rVu)
        do
            apt-get -q source "nginx=$v" && exit 0
        done

        exit 1
    ) > "$top/apt.log" 2>&1 < /dev/null \
        || { tail -n 20 "$top/apt.log" >&2
             fail "apt-get source nginx=$version failed, see above"; }

    mv "$top"/nginx-*/ "$top/source"
    touch "$top/source-$version"
fi

echo "nginx-asan: configure and compile"

cd "$top/source"

# A thread of a pool says that it ends before it has: what OpenSSL keeps for
# it would be a leak at the worker's exit, at times

grep -q OPENSSL_thread_stop src/core/ngx_thread_pool.c \
|| sed -i 's/^    \*lock = 0;$/    OPENSSL_thread_stop();\n&/' \
    src/core/ngx_thread_pool.c

# the sanitizer has a crypt_r() of its own, and calls the library's behind it:
# that must be there

san="-fsanitize=address -fno-omit-frame-pointer"
ub="-fsanitize=undefined -fno-sanitize-recover=undefined"

# nginx's empty strings have no data, and are copied all the same

ub="$ub -fno-sanitize=nonnull-attribute"

rm -rf objs
ENROLL_HIREDIS=static ./configure --builddir=objs \
    --prefix=/usr/share/nginx --conf-path=/etc/nginx/nginx.conf \
    --error-log-path=stderr --http-log-path=/dev/null \
    --pid-path=/run/nginx.pid --lock-path=/run/nginx.lock \
    --with-debug --with-threads \
    --with-http_ssl_module --with-http_v2_module \
    --with-http_realip_module --with-http_auth_request_module \
    --with-http_stub_status_module \
    --with-cc="$cc" \
    --with-cc-opt="-O1 -g -DNGX_DEBUG_PALLOC=1 $san" \
    --with-ld-opt="$san -fsanitize=undefined -Wl,--no-as-needed -lcrypt" \
    --add-module=../../.. > ../configure.log 2>&1 \
|| { grep -A 9 ' error: ' ../configure.log >&2 \
     || tail -n 20 ../configure.log >&2; fail "configure failed"; }

# undefined behaviour is ours to answer for in our sources alone

cat > objs/sanitize.mk << END
include objs/Makefile
objs/addon/%.o: CFLAGS += $ub
END

MAKEFLAGS= make -s -j "$(nproc)" -f objs/sanitize.mk binary
cd ../../..

# nginx's own, at the exit of any worker

printf 'leak:%s\n' ngx_event_process_init ngx_regex_malloc > "$top/leaks"

cat > "$top/nginx" << 'END'
#!/bin/sh

dir=$(dirname "$0")
export LSAN_OPTIONS="suppressions='$dir/leaks':print_suppressions=0"

# "nginx -t" ends without giving back its configuration: that is no leak

case " $* " in
    *" -t "*) export ASAN_OPTIONS="${ASAN_OPTIONS:-}:detect_leaks=0" ;;
esac

exec "$dir/source/objs/nginx" "$@"
END

chmod 755 "$top/nginx"
echo "nginx-asan: $top/nginx"
