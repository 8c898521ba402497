#!/usr/bin/env bash
# Makes the virtual environment that the lock file describes. Usage: setup.sh PYTHON VENV
# On Debian, the `venv` module and the few system tools are installed with apt where they are missing.
set -euo pipefail
python=$1
venv=$2

apt_install() {
    if ! command -v apt-get >/dev/null; then
        echo "setup: please install: $*" >&2
        exit 1
    fi
    local sudo=""
    [ "$(id -u)" = 0 ] || sudo=sudo
    echo "setup: installing $*"
    $sudo apt-get update -qq
    DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}

command -v "$python" >/dev/null || apt_install python3
"$python" - <<'PY' || { echo "setup: Python 3.11 or newer is needed" >&2; exit 1; }
import sys
sys.exit(sys.version_info < (3, 11))
PY
"$python" -c 'import ensurepip, venv' 2>/dev/null || apt_install python3-venv
# `ip` gives a Ray cluster a network namespace of its own, since Ray listens on every address.
command -v ip >/dev/null || [ -x /usr/sbin/ip ] || [ "$(id -u)" != 0 ] || apt_install iproute2

[ -x "$venv/bin/python" ] || "$python" -m venv "$venv"
echo "setup: installing the locked packages into $venv (once; about a minute)"
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
# The checkout itself, so that `tidegate` is a command and every package is importable from anywhere.
echo "$PWD" > "$("$venv/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/tidegate-checkout.pth"
cat > "$venv/bin/tidegate" <<SH
#!$PWD/$venv/bin/python
import sys
from tidegate.cli.main import main
sys.exit(main())
SH
chmod +x "$venv/bin/tidegate"
# What the engine says in machine code is compiled when it is first imported, so that no broker waits for it.
"$venv/bin/python" -c 'import placement.engine'
touch "$venv/.locked"
