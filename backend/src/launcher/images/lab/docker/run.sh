# bytes TEXT: sets `bytes`, of a number with b, k, m or g behind it.
bytes() {
  bytes_number=${1%[bBkKmMgG]}
  case $bytes_number in '' | *[!0-9]* | ??????????????*) die 125 "$W_bad_value" "$2" "$1" 64m ;; esac
  case $1 in
  *[kK]) bytes=$((bytes_number << 10)) ;;
  *[mM]) bytes=$((bytes_number << 20)) ;;
  *[gG]) bytes=$((bytes_number << 30)) ;;
  *) bytes=$bytes_number ;;
  esac
}

# whole TEXT FLAG EXAMPLE: dies unless it is a whole number.
whole() {
  case $1 in '' | *[!0-9]* | ??????????????*) die 125 "$W_bad_value" "$2" "$1" "$3" ;; esac
}

# cpus TEXT: sets `quota`, in microseconds of a period of 100000.
cpus() {
  case $1 in '' | . | *[!0-9.]* | *.*.* | ?????????*) die 125 "$W_bad_value" --cpus "$1" 0.5 ;; esac
  cpus_whole=${1%%.*} cpus_part=00000
  case $1 in *.*) cpus_part=${1#*.}00000 ;; esac
  # Ten and more digits would be octal with a zero in front.
  cpus_part=1${cpus_part%"${cpus_part#?????}"}
  quota=$((${cpus_whole:-0} * 100000 + cpus_part - 100000))
}

# options WORD…: reads those of `docker run`; sets `shift_by`, how many words they were.
options() {
  interactive= tty= detach= name= host= period= quota= shares= cpuset= memory= pids= envs= dir=/
  options_all=$#
  while [ $# -gt 0 ]; do
    flag=$1
    case $flag in
    --) shift && break ;;
    --interactive) interactive=1 && shift && continue ;;
    --tty) tty=1 && shift && continue ;;
    --detach) detach=1 && shift && continue ;;
    # All of them are removed when they end.
    --rm) shift && continue ;;
    --*=*) value=${flag#*=} flag=${flag%%=*} && shift ;;
    -[itd] | -[itd][itd] | -[itd][itd][itd])
      case $flag in *i*) interactive=1 ;; esac
      case $flag in *t*) tty=1 ;; esac
      case $flag in *d*) detach=1 ;; esac
      shift && continue
      ;;
    --name | --hostname | -h | --cpu-period | --cpu-quota | --cpus | --cpu-shares | -c | --cpuset-cpus | --memory | -m | --pids-limit | --env | -e | --workdir | -w | --network | --net)
      [ $# -ge 2 ] || die 125 "$W_no_value" "$flag"
      value=$2 && shift 2
      ;;
    -*) value= && shift ;;
    *) break ;;
    esac
    case $flag in
    --name)
      case $value in '' | [!a-zA-Z0-9]* | *[!a-zA-Z0-9_.-]*) die 125 "$W_bad_value" "$flag" "$value" loop ;; esac
      name=$value
      ;;
    --hostname | -h) host=$value ;;
    --cpu-period) whole "$value" "$flag" 100000 && period=$value ;;
    --cpu-quota) whole "${value#-}" "$flag" 20000 && quota=$value ;;
    --cpus) cpus "$value" ;;
    --cpu-shares | -c) whole "$value" "$flag" 512 && shares=$value ;;
    --cpuset-cpus)
      case $value in '' | *[!0-9,-]*) die 125 "$W_bad_value" "$flag" "$value" 0 ;; esac
      cpuset=$value
      ;;
    --memory | -m)
      bytes "$value" "$flag"
      # Docker's own least; the root is a tmpfs, and counts.
      [ "$bytes" -ge 6291456 ] || die 125 "$W_small" "$value"
      memory=$bytes
      ;;
    --pids-limit) whole "$value" "$flag" 50 && pids=$value ;;
    --env | -e)
      case $value in
      [a-zA-Z_]*=*) envs="$envs '$(printf %s "$value" | sed "s/'/'\\\\''/g")'" ;;
      *) die 125 "$W_bad_value" "$flag" "$value" A=b ;;
      esac
      ;;
    --workdir | -w) dir=$value ;;
    --network | --net) [ "$value" = host ] || die 125 "$W_network" "$flag=$value" ;;
    -p | --publish | -P | --publish-all) die 125 "$W_network" "$flag" ;;
    *) die 125 "$W_unknown_flag" "$flag" ;;
    esac
  done
  shift_by=$((options_all - $#))
}

# What is asked for, as controllers: a limit that cannot be kept is refused, not passed over.
controllers() {
  wanted=
  [ -n "$period$quota$shares" ] && wanted="$wanted cpu"
  [ -n "$memory" ] && wanted="$wanted memory"
  [ -n "$pids" ] && wanted="$wanted pids"
  [ -n "$cpuset" ] && wanted="$wanted cpuset"
  for controller in $wanted; do
    home "$controller" || die 125 "$W_no_controller" "$controller" "$groups"
  done
  # Beside these, the groups in which `docker stats` reads; a new cpuset of v1 is empty.
  for controller in cpu cpuacct memory pids; do
    case " $wanted " in *" $controller "*) continue ;; esac
    home "$controller" && wanted="$wanted $controller"
  done
}

# One group in each hierarchy that has one of the controllers.
make_groups() {
  for controller in $wanted; do
    group_of "$controller" "$id"
    if [ ! -d "$base/docker" ]; then
      step mkdir -p "$base/docker" || return 1
      if [ "$dialect$controller" = 1cpuset ]; then
        put "$(cat "$base/cpuset.cpus")" "$base/docker/cpuset.cpus" || return 1
        put "$(cat "$base/cpuset.mems")" "$base/docker/cpuset.mems" || return 1
      fi
    fi
    if [ "$dialect" = 2 ]; then
      case " $(cat "$base/docker/cgroup.subtree_control") " in
      *" $controller "*) ;;
      *) put "+$controller" "$base/docker/cgroup.subtree_control" || return 1 ;;
      esac
    fi
    # Several controllers may be one hierarchy.
    [ -d "$group" ] && continue
    echo "$group" >>"$state/$id/groups"
    step mkdir "$group" || return 1
    if [ "$dialect$controller" = 1cpuset ]; then
      put "$(cat "$base/docker/cpuset.mems")" "$group/cpuset.mems" || return 1
    fi
  done
}

# weight SHARES: of v2, as container runtimes turn them since 2025 (runc 1.3.2, crun 1.23).
weight() {
  awk -v shares="$1" 'BEGIN {
    if (shares <= 2) { print 1; exit }
    if (shares >= 262144) { print 10000; exit }
    log2 = log(shares) / log(2)
    weight = 10 ^ ((log2 * log2 + 125 * log2) / 612 - 7 / 34)
    # Upwards; the logarithm of a power of two may be a little more than it should be.
    whole = int(weight + 0.999999)
    print whole
  }'
}

set_limits() {
  if [ -n "$period$quota" ] && group_of cpu "$id"; then
    if [ "$dialect" = 1 ]; then
      [ -z "$period" ] || put "$period" "$group/cpu.cfs_period_us" || return 1
      [ -z "$quota" ] || put "$quota" "$group/cpu.cfs_quota_us" || return 1
    else
      case ${quota:-max} in -* | 0) set_quota=max ;; *) set_quota=${quota:-max} ;; esac
      put "$set_quota ${period:-100000}" "$group/cpu.max" || return 1
    fi
  fi
  if [ -n "$shares" ] && group_of cpu "$id"; then
    if [ "$dialect" = 1 ]; then
      put "$shares" "$group/cpu.shares" || return 1
    else
      put "$(weight "$shares")" "$group/cpu.weight" || return 1
    fi
  fi
  if [ -n "$memory" ] && group_of memory "$id"; then
    file=memory.max
    [ "$dialect" = 1 ] && file=memory.limit_in_bytes
    put "$memory" "$group/$file" || return 1
  fi
  if [ -n "$pids" ] && group_of pids "$id"; then
    put "$pids" "$group/pids.max" || return 1
  fi
  if [ -n "$cpuset" ] && group_of cpuset "$id"; then
    put "$cpuset" "$group/cpuset.cpus" || return 1
  fi
}

# Whoever calls this goes into the groups of a container: 0 is the writer itself.
join() {
  while read -r join_group; do
    join_file=$join_group/tasks
    [ -e "$join_file" ] || join_file=$join_group/cgroup.procs
    printf '+ echo 0 > %s\n' "$join_file" >&3
    echo 0 >"$join_file" || return 1
  done <"$state/$id/groups"
}

docker_run() {
  options "$@"
  shift "$shift_by"
  [ $# -gt 0 ] || die 125 "$W_no_image"
  image=$1
  shift
  case $image in *[!a-zA-Z0-9./:@_-]*) die 125 "$W_bad_image" "$image" ;; esac
  may_mount || die 125 "$W_strict"
  [ -z "$tty" ] || [ -n "$detach" ] || [ -t 0 ] || die 125 "$W_no_terminal"
  [ -z "$tty$interactive" ] || [ -z "$detach" ] || die 125 "$W_detached_terminal"
  say "$W_here"
  kind=own
  case $image in
  busybox | busybox:* | docker.io/busybox* | library/busybox*)
    if [ -x /usr/bin/busybox ]; then
      kind=busybox
      [ $# -gt 0 ] || set -- sh
      case $1 in
      bash | /bin/bash)
        say "$W_no_bash" "$1"
        shift
        set -- /bin/sh "$@"
        ;;
      esac
    fi
    ;;
  esac
  if [ "$kind" = own ]; then
    [ $# -gt 0 ] || die 125 "$W_no_command" "$image"
    say "$W_own_root" "$image"
  fi
  every >/dev/null
  controllers
  id=$(tr -d - </proc/sys/kernel/random/uuid)
  id=${id%"${id#????????????}"}
  name=${name:-$id}
  for other in $(every); do
    [ "$(cat "$state/$other/name")" != "$name" ] || die 125 "$W_name_taken" "$name" "$other"
  done
  mkdir -p "$state/$id/root" || exit 125
  : >"$state/$id/groups"
  echo "$name" >"$state/$id/name"
  echo "$image" >"$state/$id/image"
  quoted "$@" >"$state/$id/command"
  date +%s >"$state/$id/since"
  echo "$$ $(start_of $$)" >"$state/$id/supervisor"
  # Ctrl-C is for the program; here, what was made is removed when that has ended.
  trap : INT QUIT HUP TERM
  if ! make_groups || ! set_limits; then
    say "$W_refused"
    remove "$id"
    exit 125
  fi
  export id kind dir envs tty detach
  export host="${host:-$id}"
  if [ -n "$detach" ]; then
    setsid "$self" --supervise "$@" </dev/null >"$state/$id/log" 2>&1 &
    await_start $!
    echo "$id"
    exit 0
  fi
  if [ -z "$interactive" ]; then
    supervise "$@" </dev/null
  else
    supervise "$@"
  fi
  exit "$status"
}

# supervise WORD…: from its birth to the removal of what it had; sets `status`.
supervise() {
  (join && begin "$@")
  status=$?
  started=$(cat "$state/$id/ready" 2>/dev/null)
  # Some versions of unshare tell of SIGKILL as of a failure of its own.
  if out_of_memory; then
    say "$W_out_of_memory" && status=137
  elif [ -e "$state/$id/killed" ]; then
    status=137
  fi
  remove "$id" ${detach:+quietly}
  case $started in
  '') say "$W_not_started" && status=125 ;;
  126 | 127) status=$started ;;
  esac
}

# out_of_memory: has the kernel killed somebody in its group?
out_of_memory() {
  group_of memory "$id" || return 1
  [ -e "$group/memory.events" ] && grep -q 'oom_kill [1-9]' "$group/memory.events" && return
  [ -e "$group/memory.oom_control" ] && grep -q 'oom_kill [1-9]' "$group/memory.oom_control"
}

begin() {
  set -- "$self" --inside "$@"
  begin_cgroup=
  # A machine without groups may not make a cgroup namespace: there is nothing of its own to show.
  [ ! -s "$state/$id/groups" ] || begin_cgroup=--cgroup
  for begin_flag in $begin_cgroup --ipc --uts --mount --fork --pid; do
    case $(unshare --help 2>&1) in
    *"$begin_flag"*) set -- "$begin_flag" "$@" ;;
    *) say "$W_no_flag" "$begin_flag" ;;
    esac
  done
  printf '+ exec %s\n' "$(quoted unshare "$@")" >&3
  exec unshare "$@"
}

# await_start PID: until the program of one in the background runs, or has failed to.
await_start() {
  while [ ! -s "$state/$id/ready" ]; do
    # Both of it are gone.
    [ -d "$state/$id" ] && kill -0 "$1" 2>/dev/null || break
    sleep 0.05
  done
  await_said=$(cat "$state/$id/ready" 2>/dev/null)
  case $await_said in
  126 | 127) wait "$1"; exit "$await_said" ;;
  '') wait "$1"; exit $? ;;
  esac
}
