# Runs in the sandbox when the agent is gone: writes what changed against the base into the outbox. The work tree is
# hostile: its .git is never read, and git is told by our own configuration that there are no hooks, monitors, filters,
# drivers or submodules to run.
set -eu
umask 077
git_dir=$REGATTA_OUTBOX/repository
trap 'rm -rf "$git_dir"' EXIT
mkdir "$git_dir" "$git_dir/refs" "$git_dir/objects" "$git_dir/objects/info" "$git_dir/objects/pack"
printf '%s\n' "$REGATTA_BASE" >"$git_dir/HEAD"
printf '%s\n' "$REGATTA_OBJECTS" >"$git_dir/objects/info/alternates"
printf '%s' "$REGATTA_GIT_CONFIG" >"$git_dir/config"
export GIT_DIR="$git_dir" GIT_INDEX_FILE="$git_dir/index" GIT_OBJECT_DIRECTORY="$git_dir/objects"
export GIT_WORK_TREE="$REGATTA_WORKSPACE"
cd "$REGATTA_WORKSPACE"

take() {
    git update-index -z --add --remove --replace --stdin
}

# An index read from the base holds no times and sizes an agent could forge: every file is read.
git read-tree "$REGATTA_BASE"
git update-index -q --ignore-submodules --refresh >/dev/null || :

git diff-files -z --name-only --diff-filter=D --ignore-submodules=all >"$git_dir/removed"
if [ -s "$git_dir/removed" ]; then
    git update-index -z --force-remove --stdin <"$git_dir/removed"
fi
git diff-files -z --name-only --diff-filter=d --ignore-submodules=all >"$git_dir/changed"
if [ -s "$git_dir/changed" ]; then
    take <"$git_dir/changed"
fi
git ls-files -z --others --exclude-standard >"$git_dir/new"
if [ -s "$git_dir/new" ]; then
    # A repository inside the work tree is listed as `folder/`, which update-index leaves alone; its files are taken as
    # plain files, by going inside with it as the work tree of an empty index.
    inner='
        cd "$1" 2>/dev/null && [ -e .git ] || exit 0
        list=$GIT_DIR/new-$$
        GIT_WORK_TREE=. GIT_INDEX_FILE=$GIT_DIR/none git ls-files -z --others --exclude-standard >"$list"
        git update-index -z --add --remove --replace --stdin <"$list" 2>/dev/null
        grep -z "/\$" "$list" | xargs -0 -r -n 1 sh -c "$inner" inner
    '
    export inner
    take <"$git_dir/new" 2>"$git_dir/complaints" || { cat "$git_dir/complaints" >&2; exit 1; }
    if grep -qz '/$' "$git_dir/new"; then
        grep -z '/$' "$git_dir/new" | xargs -0 -r -n 1 sh -c "$inner" inner
    fi
fi

# Attributes of the base decide what is shown as text, not what the agent made of them. Renames are shown as a removal
# and an addition: exact to apply, and counted the same on every side.
export GIT_ATTR_SOURCE="$REGATTA_BASE"
compare() {
    git diff-index --cached --no-renames --no-ext-diff --no-textconv --ignore-submodules=all "$@" "$REGATTA_BASE"
}
# write FILE BYTES_MAX CODE ARGUMENTS: the comparison into FILE, or exit with CODE when it is larger.
write() {
    file=$REGATTA_OUTBOX/$1 bytes_max=$2 code=$3
    shift 3
    { compare "$@" && : >"$git_dir/whole"; } | head -c "$((bytes_max + 1))" >"$file"
    if [ "$(wc -c <"$file")" -gt "$bytes_max" ]; then
        rm -f "$file"
        exit "$code"
    fi
    [ -e "$git_dir/whole" ]
    rm -f "$git_dir/whole"
}
write diff.patch "$REGATTA_PATCH_BYTES_MAX" 65 --patch --binary --full-index
write numstat "$REGATTA_NUMSTAT_BYTES_MAX" 66 --numstat -z
