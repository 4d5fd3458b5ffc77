#@Joined
joined() {
    pid=
    tries=0
    while [ -z "$pid" ] && [ "$tries" -lt 100 ] && kill -0 "$1" 2>/dev/null; do
        pid=$(cat "/proc/$1/task/$1/children" 2>/dev/null) || :
        pid=${pid% }
        tries=$((tries + 1))
        sleep 0.02
    done
    move "$1" helpers 2>/dev/null || :
}
