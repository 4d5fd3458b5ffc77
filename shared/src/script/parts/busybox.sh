unshare --cgroup true || { echo 'the unshare of util-linux is needed' >&2; exit 1; }

#@Busybox
busybox=
for dir in /bin /usr/bin /usr/local/bin /sbin /usr/sbin; do
    [ -n "$busybox" ] || [ ! -x "$dir/busybox" ] || busybox=$dir/busybox
done
[ -n "$busybox" ] || { echo 'busybox is needed' >&2; exit 1; }
mkdir -p "$work/tools/.vitrine/old"
cp "$busybox" "$work/tools/.vitrine/busybox"
chroot "$work/tools" /.vitrine/busybox true || { echo 'busybox must be a static one' >&2; exit 1; }
