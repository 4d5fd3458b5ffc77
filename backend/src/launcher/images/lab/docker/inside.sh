# inside WORD…: PID 1 of the new namespaces, until it becomes the program.
inside() {
  # /proc is still the machine's, so this is the PID there.
  read -r outer _ </proc/self/stat
  exec 4>"$state/$id/ready"
  echo "$outer $(start_of "$outer")" >"$state/$id/pid"
  root=$state/$id/root
  step hostname "$host" || exit 125
  if [ "$kind" = busybox ]; then
    busybox_root
  else
    own_root
  fi || exit 125
  step mount -t proc proc "$root/proc" || exit 125
  step mount --rbind /dev "$root/dev" || exit 125
  while read -r inside_group; do
    inside_place=${inside_group%/docker/*}
    [ "$kind" = own ] || mkdir -p "$root$inside_place"
    if [ -e "$inside_group/tasks" ]; then
      step mount -t cgroup -o "ro,${inside_place##*/}" cgroup "$root$inside_place"
    else
      step mount -t cgroup2 -o ro cgroup2 "$root$inside_place"
    fi || say "$W_no_groups_inside"
  done <"$state/$id/groups"
  # The old root comes to lie on top of the new one, and goes.
  step cd "$root" && step pivot_root . . && step umount -l . && step cd / || exit 125
  PATH=$docker_path
  cd "$dir" || { echo 127 >&4; exit 127; }
  program "$1"
  eval "set -- HOME=/root HOSTNAME='$host' PATH=$docker_path $envs \"\$@\""
  [ -z "$tty" ] || set -- TERM="${TERM:-xterm}" "$@"
  printf '+ exec %s\n' "$(quoted env -i "$@")" >&3
  echo 0 >&4
  exec env -i "$@" 3>&- 4>&-
}

# A fresh tmpfs with one program in it, and that one's names.
busybox_root() {
  step mount -t tmpfs -o mode=755,size=64m tmpfs "$root" || return 1
  (step cd "$root" && step mkdir -p bin dev etc proc root sys/fs/cgroup tmp usr var) || return 1
  chmod 1777 "$root/tmp"
  step cp /usr/bin/busybox "$root/bin/busybox" || return 1
  step chroot "$root" /bin/busybox --install -s /bin || return 1
  put root:x:0:0:root:/root:/bin/sh "$root/etc/passwd" && put root:x:0: "$root/etc/group"
}

# The machine's own files, which nobody can change from in there. (They are an overlay already, and
# the kernel refuses a second one on top: EINVAL.)
own_root() {
  step mount --rbind / "$root" || return 1
  step mount -o remount,bind,ro,nosuid,nodev "$root" || return 1
  for own_place in tmp run; do
    step mount -t tmpfs -o mode=1777,size=64m tmpfs "$root/$own_place" || return 1
  done
}

# program WORD: dies unless it is there and can be executed.
program() {
  case $1 in
  */*) program_all=$1 ;;
  *) program_all=$(echo "$docker_path" | sed "s|:|/$1 |g; s|\$|/$1|") ;;
  esac
  for program_path in $program_all; do
    [ -e "$program_path" ] || continue
    [ -x "$program_path" ] && [ ! -d "$program_path" ] && return
    echo 126 >&4
    die 126 "$W_not_executable" "$1"
  done
  echo 127 >&4
  die 127 "$W_not_found" "$1"
}
