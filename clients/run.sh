#!/usr/bin/env bash
# Opens our exports in the programs people use: Khronos validator, three.js in Chromium, Blender.
# Installs what is missing (npm packages here; Blender's Python module in a cache folder; Chromium
# and a few libraries by apt where we are root), then runs `pytest -m clients`.
#
#   PYTHON=.venv/bin/python bash clients/run.sh [pytest arguments]
#   RIGFACE_CLIENTS_CACHE=DIR   where Blender's environment is kept (default ~/.cache/rigface-clients)
#   CHROMIUM=/path/to/chromium  a browser other than Debian's
set -euo pipefail
cd "$(dirname "$0")/.."
python=${PYTHON:-.venv/bin/python}
cache=${RIGFACE_CLIENTS_CACHE:-$HOME/.cache/rigface-clients}
bpy_version=5.0.1

say() { echo "clients: $*"; }
fail() { say "$*" >&2; exit 1; }

# package=file: the file tells whether the package is needed
missing=()
need() { compgen -G "$2" >/dev/null || missing+=("$1"); }
[ -n "${CHROMIUM:-}" ] || need chromium '/usr/bin/chromium*'
command -v node >/dev/null || missing+=(nodejs)
command -v npm >/dev/null || missing+=(npm)
# What Blender's module links to, even without a window.
need libsm6 '/usr/lib/*/libSM.so.6'
need libxi6 '/usr/lib/*/libXi.so.6'
need libxfixes3 '/usr/lib/*/libXfixes.so.3'
need libxrender1 '/usr/lib/*/libXrender.so.1'
need libxkbcommon0 '/usr/lib/*/libxkbcommon.so.0'
need libgl1 '/usr/lib/*/libGL.so.1'
if [ "${#missing[@]}" -gt 0 ]; then
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        say "installing ${missing[*]}"
        export DEBIAN_FRONTEND=noninteractive
        apt-get update -qq
        apt-get install -qq -y --no-install-recommends "${missing[@]}" >/dev/null
    elif [ -e /etc/debian_version ]; then
        fail "missing ${missing[*]}; run: sudo apt-get install --no-install-recommends ${missing[*]}"
    else
        say "not a Debian: assuming that ${missing[*]} are there under other names"
    fi
fi

say "npm packages"
PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD=1 npm ci --prefix clients --no-audit --no-fund --silent
npm ci --prefix tools/web --no-audit --no-fund --silent

if ! "$cache/bpy-venv/bin/python" -c "import bpy; assert bpy.app.version_string.startswith('$bpy_version')" \
    2>/dev/null; then
    blender_python=$(command -v python3.11 || command -v "$python")
    "$blender_python" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' ||
        fail "Blender's module bpy $bpy_version needs Python 3.11; none found"
    say "Blender $bpy_version into $cache/bpy-venv (374 MB, once)"
    mkdir -p "$cache"
    rm -rf "$cache/bpy-venv"
    "$blender_python" -m venv "$cache/bpy-venv"
    "$cache/bpy-venv/bin/python" -m pip install --quiet --disable-pip-version-check \
        "bpy==$bpy_version"
fi

# In this run a client that is not there is a failure, not a skip.
RIGFACE_CLIENTS_REQUIRED=1 RIGFACE_CLIENTS_CACHE=$cache "$python" -m pytest -m clients -p no:xdist "$@"
