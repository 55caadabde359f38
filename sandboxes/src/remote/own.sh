# Runs in a copy of a sandbox before anybody uses it: ends what ran in the one it is a copy of, forgets that one's commands,
# and says whose the copy is. Then it tells where it is and what it is. May be run again after it broke off.
set -eu
umask 077
base=$1
kept=$2
tries=0
while [ "$tries" -lt 200 ]; do
    tries=$((tries + 1))
    found=
    for process in /proc/[0-9]*; do
        # A process may be gone by now, or be another user's.
        if { tr '\0' '\n' <"$process/environ" | grep -q '^REGATTA_SANDBOX='; } 2>/dev/null ||
            { tr '\0' '\n' <"$process/cmdline" | grep -qxF "$base/runner.pl"; } 2>/dev/null; then
            kill -KILL "${process#/proc/}" 2>/dev/null && found=yes
        fi
    done
    [ -n "$found" ] || break
done
cd "$base"
chmod -R u+rwx execs
rm -rf execs
mkdir execs
rm -f created later
# As when it was made: whatever changes from here on is later than this.
: >created
: >later
tries=0
until [ -n "$(find later -newercc created)" ] || [ "$tries" -gt 200 ]; do
    tries=$((tries + 1))
    touch later
done
printf '%s' "$kept" >spec.json.new
mv spec.json.new spec.json
printf '%s\n' "$base"
cat spec.json
