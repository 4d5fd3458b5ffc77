#@Unified
mounted() {
    while read -r _ dir type _; do
        case $type in cgroup2) echo "$dir/$name"; return ;; esac
    done </proc/mounts
}
cgroup=$(mounted)
all=$cgroup

#@HandOut
hand_out() {
    for controller in cpu cpuset memory pids io; do
        case " $(cat "$1/cgroup.controllers") " in
            *" $controller "*) echo "+$controller" >"$1/cgroup.subtree_control" ;;
        esac
    done
}
new_directory() {
    hand_out "${1%/*}"
    mkdir "$1"
}
thaw() {
    :
}
