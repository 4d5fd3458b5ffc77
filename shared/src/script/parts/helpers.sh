#@Helpers
make_group helpers
work=$(mktemp -d "/tmp/$name.XXXXXX")
chmod 711 "$work"
