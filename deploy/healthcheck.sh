#!/usr/bin/env bash
# Exit 0 when 127.0.0.1:PORT answers GET PATH with 200; without a PATH, when it takes connections.
# The image has no curl: bash opens the connection itself.
#
# Usage: healthcheck.sh PORT [PATH]
set -eu
port=$1
path=${2:-}

exec 3<>"/dev/tcp/127.0.0.1/$port"
[[ -n $path ]] || exit 0
printf 'GET %s HTTP/1.1\r\nHost: 127.0.0.1:%s\r\nConnection: close\r\n\r\n' "$path" "$port" >&3
read -r -t 2 _ status _ <&3
[[ $status == 200 ]]
