# Copyright (C) The nginx-enroll authors

# Debian packages, for quickstart and check; to be sourced by bash.
#
#   need_packages WHAT...   installs those that are missing, as root or
#                           through sudo; returns 1, and says why, otherwise
#
# Debian starts the services of what it installs.  Nothing here wants them,
# so nginx, redis-server, certmonger and prometheus are kept from starting
# where they are installed now; a service that is on this machine already is
# left alone.

packages_build="nginx nginx-dev gcc make libc6-dev libhiredis-dev libssl-dev"
packages_run="redis-server openssl curl ca-certificates strongswan-pki
              libstrongswan-standard-plugins libstrongswan-extra-plugins"
packages_test="libcmocka-dev perl libio-socket-ssl-perl python3
              libnginx-mod-stream
              softhsm2 libengine-pkcs11-openssl valgrind"

packages_lint="clang-tidy cppcheck"

# clients of SCEP, and readers of figures, without which their tests are
# skipped: not every release of Debian has each of them

packages_clients=("scep" "certmonger"
                  "default-jdk-headless libbcprov-java libbcpkix-java"
                  "prometheus" "python3-prometheus-client")


# the lines that root runs; $@: the packages

packages_install='
set -e
export DEBIAN_FRONTEND=noninteractive
policy=/usr/sbin/policy-rc.d

if [ ! -e $policy ]; then
    trap "rm -f $policy" EXIT
    trap "exit 1" HUP INT TERM
    {
        echo "#!/bin/sh"
        echo "case \" \$* \" in"
        for p in "$@"; do
            case $p in
                nginx|redis-server|certmonger|prometheus)
                    echo "*\" $p \"*|*\" $p.service \"*) exit 101 ;;" ;;
            esac
        done
        echo "esac"
    } > $policy
    chmod 755 $policy
fi

apt-get -q -o DPkg::Lock::Timeout=120 update \
    || echo "Some of the package lists are not up to date."
apt-get -q -y -o DPkg::Lock::Timeout=120 -o Dpkg::Use-Pty=0 \
    install --no-install-recommends "$@"
'


package_installed() {
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2> /dev/null)" \
        = installed ]
}


need_packages() {
    local p missing=() root=()

    if ! command -v apt-get > /dev/null; then
        echo "There is no apt-get here: this script knows Debian alone." \
             "README.md says what to build with by hand." >&2
        return 1
    fi

    for p in "$@"; do
        package_installed "$p" || missing+=("$p")
    done

    if [ ${#missing[@]} = 0 ]; then
        echo "Nothing is missing."
        return 0
    fi

    echo "To install: ${missing[*]}"

    if [ "$(id -u)" != 0 ]; then
        if ! command -v sudo > /dev/null; then
            echo "Neither root nor sudo: install them as root, by" \
                 "apt-get install ${missing[*]}" >&2
            return 1
        fi
        root=(sudo)
    fi

    mkdir -p build

    # errors are shown, the rest is for the one who looks for them

    "${root[@]}" sh -c "$packages_install" sh "${missing[@]}" \
        > build/packages.log 2>&1 < /dev/null \
    || {
        tail -n 20 build/packages.log >&2
        echo "(all of it in build/packages.log)" >&2
        return 1
    }
}
