#@Helpers
make_group helpers
work=$(mktemp -d "/tmp/$name.XXXXXX")
chmod 711 "$work"
begun() {
    tries=0
    while [ ! -s "$work/$1/begun" ]; do
        tries=$((tries + 1))
        [ "$tries" -lt 1500 ] || { echo "$1 did not begin" >&2; exit 1; }
        sleep 0.02
    done
}
