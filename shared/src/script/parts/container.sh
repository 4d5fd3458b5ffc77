#@Inside
inside='
set -eu
read -r pid _ </proc/self/stat
[ -z "$hostname" ] || "$busybox" hostname "$hostname"
[ -z "$loopback" ] || "$busybox" ip link set lo up
mount -t tmpfs -o "mode=755,$room" room "$dir/room"
mount --make-private "$dir/room"
mount --bind "$image" "$dir/image"
mkdir "$dir/room/upper" "$dir/room/work" "$dir/room/root"
[ -z "$ids" ] || chown "$ids:$ids" "$dir/room/upper"
root=$dir/room/root
layers=lowerdir=$dir/../tools:$dir/image,upperdir=$dir/room/upper,workdir=$dir/room/work
mount -t overlay -o "nosuid,$layers" root "$root"
mkdir -p "$root/proc" "$root/dev"
case $proc in
    new) mount -t proc -o nosuid,nodev,noexec proc "$root/proc" ;;
    *) mount --bind /proc "$root/proc" ;;
esac
mount -t tmpfs -o mode=755,size=64k dev "$root/dev"
for node in null zero full random urandom tty; do
    : >"$root/dev/$node"
    mount --bind "/dev/$node" "$root/dev/$node"
done
mkdir "$root/dev/pts"
mount -t devpts -o newinstance,ptmxmode=666,mode=620 devpts "$root/dev/pts"
ln -s pts/ptmx "$root/dev/ptmx"
cd "$root"
echo "$pid" >"$dir/pid.new"
mv "$dir/pid.new" "$dir/pid"
read -r _ <"$dir/gate"
set -- /.vitrine/busybox sh -c "$last" sh "$@"
[ -z "$ids" ] || set -- /.vitrine/busybox nsenter -U/proc/self/fd/9 -S 0 -G 0 "$@"
[ -n "$own_mounts" ] || exec chroot . "$@"
pivot_root . .vitrine/old
exec /.vitrine/busybox sh -c "$turn" sh "$@"
'
turn='
/.vitrine/busybox umount -l /.vitrine/old
exec "$@"
'
last='
echo begun >&8
exec 8>&- 9>&-
exec /.vitrine/busybox env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root "$@"
'
export busybox turn last
prepare() {
    mkdir "$work/$1" "$work/$1/room" "$work/$1/image"
    mkfifo "$work/$1/gate" "$work/$1/in"
}
#@Gate
born() {
    wait_for "$1/pid" "$1 was not born"
    pid=$(cat "$work/$1/pid")
    [ "$pid" = "$2" ] || move "$2" helpers
    [ -z "$holder" ] || kill "$holder"
    holder=
}
let_go() {
    echo >"$work/$1/gate"
    begun "$1"
}
