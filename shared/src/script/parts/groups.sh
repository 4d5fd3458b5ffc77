#@Groups
make_group() {
    for dir in $all; do new_directory "$dir/$1"; done
}
remove_group() {
    for dir in $all; do rmdir "$dir/$1"; done
}
move() {
    for dir in $all; do echo "$1" >"$dir/$2/cgroup.procs"; done
}
#@Enter
enter() {
    for dir in $all; do echo 0 >"$dir/$1/cgroup.procs"; done
}
#@EndGroup
end_group() {
    tries=0
    while [ "$tries" -lt 200 ]; do
        left=
        for dir in $all; do
            dir=$dir${1:+/$1}
            [ -d "$dir" ] || continue
            left=$dir
            thaw "$dir"
            inside_it=$(find "$dir" -name cgroup.procs -exec cat {} + | grep -vx 0) || :
            [ -z "$inside_it" ] || kill -9 $inside_it || :
            find "$dir" -depth -type d -exec rmdir {} \; || :
        done 2>/dev/null
        [ -n "$left" ] || return 0
        tries=$((tries + 1))
        sleep 0.02
    done
    echo "$left is still there" >&2
    return 1
}

#@CleanUp
work=
holder=
clean_up() {
    status=$?
    trap '' EXIT INT TERM HUP
    set +e
    [ -z "$holder" ] || kill "$holder"
    end_group root
    end_group ''
    wait 2>/dev/null
    if [ -n "$work" ]; then
        grep " $work/" /proc/mounts | while read -r _ dir _; do umount -l "$dir"; done 2>/dev/null
        grep -q " $work/" /proc/mounts || rm -rf "$work"
    fi
    exit "$status"
}
trap clean_up EXIT
trap 'exit 130' INT TERM HUP

#@Own
for dir in $all; do new_directory "$dir"; done
make_group root
