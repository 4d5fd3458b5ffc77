#@UserNamespace
user_namespace() {
    unshare --user sleep 1000 </dev/null >/dev/null 2>&1 &
    holder=$!
    while [ "$(readlink "/proc/$holder/ns/user")" = "$(readlink /proc/self/ns/user)" ]; do
        sleep 0.01
    done
    echo "0 $1 65536" >"/proc/$holder/uid_map"
    echo "0 $1 65536" >"/proc/$holder/gid_map"
}
