#!/bin/sh
# Makes a certificate of your own for an example: FOLDER/certs/server.crt and server.key, for the NAMEs, good for a year.
# sh examples/make-certificate.sh FOLDER NAME...
set -eu
folder=$1/certs
shift
names=
for name in "$@"; do names="${names:+$names,}DNS:$name"; done
mkdir -p "$folder"
umask 077
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 365 -subj "/CN=$1" \
  -addext "subjectAltName=$names" -keyout "$folder/server.key" -out "$folder/server.crt" 2>/dev/null
echo "made $folder/server.crt for $*"
