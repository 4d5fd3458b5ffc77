#@Helpers
make_group helpers
work=$(mktemp -d "/tmp/$name.XXXXXX")
chmod 711 "$work"
wait_for() {
    tries=0
    while [ ! -s "$work/$1" ]; do
        tries=$((tries + 1))
        [ "$tries" -lt 1500 ] || { echo "$2" >&2; exit 1; }
        sleep 0.02
    done
}
begun() {
    wait_for "$1/begun" "$1 did not begin"
}
