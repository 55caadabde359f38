# Runs in a fresh sandbox on another machine: makes our folder from an archive, whole or not at all. Of several that try,
# one succeeds, and all say what there is: where it is, then its specification.
set -eu
umask 077
archive=$1
unique=$2
base=$HOME/regatta
fresh=$HOME/.regatta-$unique
for program in perl tar find git; do
    command -v "$program" >/dev/null || { echo "$program" >&2; exit 69; }
done
if ! [ -e "$base/spec.json" ]; then
    mkdir "$fresh"
    cd "$fresh"
    tar -x -p --no-same-owner --delay-directory-restore -f "$archive"
    chmod 700 work
    # Later than everything copied; and from the next tick of the clock on, whatever changes is later still.
    : >created
    tries=0
    while sleep 0.02; : >later; [ -z "$(find later -newercc created)" ] && [ "$tries" -lt 50 ]; do
        tries=$((tries + 1))
    done
    # Fails when another one was faster.
    mv -T "$fresh" "$base" 2>/dev/null || { chmod -R u+rwx "$fresh"; rm -rf "$fresh"; }
fi
rm -f "$archive"
printf '%s\n' "$base"
cat "$base/spec.json"
