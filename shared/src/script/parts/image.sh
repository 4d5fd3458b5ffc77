#@BusyboxImage
busybox_image() {
    image=$work/busybox$1
    [ ! -d "$image" ] || return 0
    for dir in bin dev etc proc root sys tmp; do mkdir -p "$image/$dir"; done
    cp "$busybox" "$image/bin/busybox"
    chroot "$image" /bin/busybox --install -s /bin
    echo 'root:x:0:0:root:/root:/bin/sh' >"$image/etc/passwd"
    [ -z "$1" ] || chown -R "$1:$1" "$image"
}
