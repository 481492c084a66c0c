#!/usr/bin/env bash
# Installs Muster on Debian 12: packages, account, program, units, udev rules. Run it again to bring everything up to date.
# It never touches /var/lib/muster (keys, journal) and never replaces a configuration that is there.
set -euo pipefail
umask 022 # whatever root's is: the services' accounts have to read the program

role=kiosk
dry=no
start=yes
prefix=/opt/muster
source=$(cd "$(dirname "$0")/.." && pwd)

usage() {
    cat <<'TEXT'
usage: sudo deploy/install.sh [--role kiosk|center] [--dry-run] [--no-start]

  --role kiosk    the station with its screen (default)
  --role center   the correction center's service
  --dry-run       say what would be done, do nothing
  --no-start      install and enable, but start nothing now
TEXT
}

say() { printf 'muster: %s\n' "$*"; }
fail() { printf 'muster: %s\n' "$*" >&2; exit 1; }

# Does it, or says that it would.
run() {
    if [ "$dry" = yes ]; then
        printf '  would run: %s\n' "$*"
    else
        "$@"
    fi
}

while [ $# -gt 0 ]; do
    case $1 in
        --role) [ $# -ge 2 ] || fail "--role needs kiosk or center."; role=$2; shift ;;
        --role=*) role=${1#--role=} ;;
        --dry-run) dry=yes ;;
        --no-start) start=no ;;
        -h | --help) usage; exit 0 ;;
        *) usage >&2; fail "there is no option $1." ;;
    esac
    shift
done
case $role in kiosk | center) ;; *) fail "--role is kiosk or center, not $role." ;; esac

check_system() {
    [ -r /etc/os-release ] || fail "this is no Debian: /etc/os-release is missing."
    # shellcheck source=/dev/null
    . /etc/os-release
    [ "${ID:-}" = debian ] || fail "this is ${PRETTY_NAME:-another system}; the script knows Debian 12."
    [ "${VERSION_ID:-0}" = 12 ] || say "note: written for Debian 12, this is ${PRETTY_NAME:-another version}."
    if [ "$dry" = no ] && [ "$(id -u)" != 0 ]; then
        fail "run it as root: sudo deploy/install.sh"
    fi
    for needed in setup.cfg muster.py requirements/run.lock deploy/muster-$role.service; do
        [ -e "$source/$needed" ] || fail "$source/$needed is missing; run the script out of a whole copy of Muster."
    done
}

install_packages() {
    packages=(python3 python3-venv ca-certificates rsync)
    if [ "$role" = kiosk ]; then
        packages+=(chromium cage fonts-noto-cjk libusb-1.0-0 v4l-utils udev systemd-timesyncd)
    fi
    say "packages: ${packages[*]}"
    missing=()
    for package in "${packages[@]}"; do
        dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'install ok installed' || missing+=("$package")
    done
    if [ ${#missing[@]} = 0 ]; then
        say "  all there."
        return
    fi
    run apt-get update -qq
    run env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}"
}

make_account() {
    name=$1
    if getent passwd "$name" >/dev/null; then
        say "account $name is there."
        return
    fi
    say "account $name"
    run useradd --system --user-group --home-dir /nonexistent --no-create-home --shell /usr/sbin/nologin "$name"
}

install_program() {
    say "program: $prefix"
    run install -d -m 0755 "$prefix" "$prefix/weights"
    run rsync -a --delete --exclude=/venv --exclude=/weights --exclude=/.git --exclude=/.venv --exclude=/var \
        --exclude='__pycache__' --exclude='*.egg-info' --chown=root:root --chmod=u=rwX,go=rX "$source/" "$prefix/"
    if [ ! -x "$prefix/venv/bin/python" ]; then
        run python3 -m venv "$prefix/venv"
    fi
    run "$prefix/venv/bin/python" -m pip install -q --disable-pip-version-check --only-binary :all: --require-hashes \
        -r "$prefix/requirements/run.lock"
    run "$prefix/venv/bin/python" -m pip install -q --disable-pip-version-check --no-deps --no-build-isolation \
        --no-index -e "$prefix"
    run env MUSTER_WEIGHTS="$prefix/weights" "$prefix/venv/bin/muster" weights fetch
    run chmod -R a+rX "$prefix/weights"
}

install_configuration() {
    say "configuration: /etc/muster"
    run install -d -m 0755 /etc/muster
    if [ "$role" = kiosk ]; then
        if [ -e /etc/muster/kiosk.toml ]; then
            say "  /etc/muster/kiosk.toml is there and stays."
        else
            run install -m 0640 -g muster "$source/docs/kiosk.toml" /etc/muster/kiosk.toml
            say "  edit /etc/muster/kiosk.toml: the center's address, camera, sensor."
        fi
        run install -m 0644 "$source/deploy/70-muster.rules" /etc/udev/rules.d/70-muster.rules
        if [ -d /run/udev ]; then
            run udevadm control --reload
            run udevadm trigger --subsystem-match=tty --subsystem-match=usb --subsystem-match=video4linux
        fi
    elif [ ! -e /etc/muster/center.env ]; then # a password of a database may come to stand in it
        run install -m 0600 /dev/null /etc/muster/center.env
    fi
}

install_units() {
    units=("muster-$role.service")
    if [ "$role" = kiosk ]; then
        units+=(muster-screen.service)
    fi
    for unit in "${units[@]}"; do
        say "unit $unit"
        run install -m 0644 "$source/deploy/$unit" "/etc/systemd/system/$unit"
    done
    if [ "$role" = kiosk ]; then
        run install -d -m 0755 /etc/systemd/journald.conf.d
        run install -m 0644 "$source/deploy/journald-muster.conf" /etc/systemd/journald.conf.d/muster.conf
    fi
    if [ ! -d /run/systemd/system ]; then
        say "systemd does not run here: the units are enabled, not started."
        run systemctl --root=/ enable "${units[@]}"
        return
    fi
    run systemctl daemon-reload
    run systemctl enable "${units[@]}"
    if [ "$start" = yes ]; then
        run systemctl restart "${units[@]}"
    fi
}

check_system
install_packages
make_account muster
if [ "$role" = kiosk ]; then
    run usermod -aG video,dialout,lp muster # as the unit says; `muster kiosk check` by hand needs them, too
    make_account muster-screen
fi
install_program
install_configuration
install_units
if [ "$dry" = yes ]; then
    say "nothing was changed."
elif [ "$role" = kiosk ]; then
    say "done. Next: edit /etc/muster/kiosk.toml, then"
    say "  sudo -u muster env MUSTER_WEIGHTS=$prefix/weights $prefix/venv/bin/muster kiosk check"
    say "  systemctl restart muster-kiosk, and compare the digits on its screen with the console's."
else
    say "done. Next: muster center add-site and add-staff; see docs/deploy.md."
fi
