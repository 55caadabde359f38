# Runs in the sandbox when a command is over: packs into the outbox what it left to be kept. Arguments are paths of the
# workspace, as git matches them. Nothing here is trusted: links are not followed, and whoever reads the archive checks
# every name. One list says what was found, so that what does not fit can be said.
set -eu
umask 077
command -v tar >/dev/null || exit 67
own=$REGATTA_OUTBOX/own
trap 'rm -rf "$own"' EXIT
mkdir "$own"
: >"$REGATTA_OUTBOX/artifacts.list"

# told LETTERS: names from standard input into the list.
told() {
    sed -z "s|^|$1|" >>"$REGATTA_OUTBOX/artifacts.list"
}
# pack LETTER ARCHIVE: of the names in the file `found`, from here on, the regular files that are not too large.
pack() {
    [ -s "$own/found" ] || return 0
    xargs -0 -r sh -c 'find "$@" -prune -type f -size "-$0" -print0' "$((REGATTA_ARTIFACT_BYTES_MAX + 1))c" \
        <"$own/found" | sort -z >"$own/kept"
    xargs -0 -r sh -c 'find "$@" -prune -type f -size "+$0" -print0' "${REGATTA_ARTIFACT_BYTES_MAX}c" \
        <"$own/found" | sort -z | told "$1l"
    xargs -0 -r sh -c 'find "$@" -prune ! -type f ! -type d -print0' find <"$own/found" | sort -z | told "$1o"
    told "$1k" <"$own/kept"
    # Stopped where the archive grows too large, it holds what fits. What cannot be read is missing in it.
    (
        ulimit -S -f "$REGATTA_ARCHIVE_BLOCKS_MAX"
        xargs -0 -r tar -cf - <"$own/kept" >>"$REGATTA_OUTBOX/$2"
    ) || :
}

left=${REGATTA_ARTIFACTS:+${REGATTA_ARTIFACTS%/*}/$REGATTA_PHASE}
if [ -n "$left" ] && [ -d "$left" ] && [ ! -L "$left" ]; then
    cd "$left"
    chmod -R u+rwX . 2>/dev/null || :
    find . ! -type d -print0 >"$own/found"
    pack f artifacts.tar
fi
[ "$#" -gt 0 ] || exit 0
command -v git >/dev/null || exit 68
mkdir "$own/git" "$own/git/refs" "$own/git/objects"
echo 'ref: refs/heads/none' >"$own/git/HEAD"
printf '[core]\n\tbare = false\n\thooksPath = /dev/null\n\tfsmonitor = false\n\texcludesFile = /dev/null\n' >"$own/git/config"
export GIT_DIR="$own/git" GIT_WORK_TREE="$REGATTA_WORKSPACE" GIT_INDEX_FILE="$own/git/none"
cd "$REGATTA_WORKSPACE"
# To an empty index every file is an unknown one, whether it is ignored or not.
git ls-files -z --others -- "$@" | sed -z 's|^|./|' >"$own/found"
pack w workspace.tar
