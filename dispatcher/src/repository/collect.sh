# Runs in the sandbox when the agent is gone: writes what changed against the base into the outbox. The work tree is
# hostile: its .git is never read, and git is told by our own configuration that there are no hooks, monitors, filters,
# drivers or submodules to run. Every program started here is paid for by every attempt, so there are few.
set -eu
umask 077
own=$REGATTA_OUTBOX/repository
trap 'rm -rf "$own"' EXIT
mkdir "$own" "$own/refs" "$own/objects" "$own/objects/info" "$own/objects/pack"
printf '%s\n' "$REGATTA_BASE" >"$own/HEAD"
printf '%s\n' "$REGATTA_OBJECTS" >"$own/objects/info/alternates"
printf '%s' "$REGATTA_GIT_CONFIG" >"$own/config"
export GIT_DIR="$own" GIT_INDEX_FILE="$own/index" GIT_OBJECT_DIRECTORY="$own/objects"
export GIT_WORK_TREE="$REGATTA_WORKSPACE"
cd "$REGATTA_WORKSPACE"

differing() {
    git diff-files -z --name-only --ignore-submodules=all "$@"
}
take() {
    git update-index -z --add --remove --replace --stdin <"$1" 2>"$own/complaints"
}

# An index read from the base holds no times and sizes an agent could forge: every file is read.
git read-tree "$REGATTA_BASE"
git update-index -q --ignore-submodules --refresh >/dev/null || :
{ differing; git ls-files -z --others --exclude-standard; } >"$own/paths"
if [ ! -s "$own/paths" ]; then
    : >"$REGATTA_OUTBOX/diff.patch"
    : >"$REGATTA_OUTBOX/numstat"
    exit 0
fi

if ! take "$own/paths"; then
    # What the agent may not read itself it made unreadable; the modes that count are kept.
    chmod -R u+rwX . 2>/dev/null || :
    # Files that now lie behind a symbolic link are an error when they are taken; so they are removed first.
    differing --diff-filter=D | git update-index -z --force-remove --stdin
    { differing --diff-filter=d; git ls-files -z --others --exclude-standard; } >"$own/paths"
    take "$own/paths" || { cat "$own/complaints" >&2; exit 1; }
fi

# A repository inside the work tree is listed as `folder/`, which was complained about and left alone. Its files are
# taken as plain files, by going inside with it as the work tree of an empty index.
if [ -s "$own/complaints" ]; then
    inner='
        cd "$1" 2>/dev/null && [ -e .git ] || exit 0
        paths=$GIT_DIR/paths-$$
        GIT_WORK_TREE=. GIT_INDEX_FILE=$GIT_DIR/none git ls-files -z --others --exclude-standard >"$paths"
        git update-index -z --add --remove --replace --stdin <"$paths" 2>/dev/null
        grep -z "/\$" "$paths" | xargs -0 -r -n 1 sh -c "$inner" inner
    '
    export inner
    { grep -z '/$' "$own/paths" || :; } | xargs -0 -r -n 1 sh -c "$inner" inner
fi

# Two trees are compared with neither work tree nor index, so that attributes of the base decide what is shown as text
# (before git 2.41: the content alone), not what the agent made of them. Renames are shown as a removal and an addition:
# exact to apply, and counted the same on every side.
tree=$(git write-tree)
unset GIT_WORK_TREE
export GIT_ATTR_SOURCE="$REGATTA_BASE" GIT_INDEX_FILE="$own/none"
cd "$own/refs"
# compare FILE BLOCKS_MAX CODE ARGUMENTS: the comparison into FILE, or exit with CODE when it is larger.
compare() {
    file=$REGATTA_OUTBOX/$1 blocks_max=$2 code=$3 status=0
    shift 3
    (
        ulimit -S -f "$blocks_max"
        exec git --bare diff-tree -r --no-renames --no-ext-diff --no-textconv --ignore-submodules=all "$@" \
            "$REGATTA_BASE" "$tree" >"$file"
    ) || status=$?
    [ "$status" -eq 0 ] && return
    rm -f "$file"
    # 153: stopped by the signal for a file that grew too large.
    [ "$status" -eq 153 ] && exit "$code"
    exit "$status"
}
compare diff.patch "$REGATTA_PATCH_BLOCKS_MAX" 65 --patch --binary --full-index
compare numstat "$REGATTA_NUMSTAT_BLOCKS_MAX" 66 --numstat -z
