# What runs, in Docker's columns but for those of which there is nothing to tell.
docker_ps() {
  for word in "$@"; do
    case $word in
    -a | --all) say "$W_ps_all" ;;
    -q | --quiet) every && return ;;
    *) die 125 "$W_unknown_flag" "$word" ;;
    esac
  done
  row='%-14s %-14s %-24s %-16s %s\n'
  # shellcheck disable=SC2059
  printf "$row" 'CONTAINER ID' IMAGE COMMAND STATUS NAMES
  for id in $(every); do
    # shellcheck disable=SC2059
    printf "$row" "$id" "$(cat "$state/$id/image")" "\"$(cut -c1-20 "$state/$id/command")\"" \
      "Up $(($(date +%s) - $(cat "$state/$id/since"))) seconds" "$(cat "$state/$id/name")"
  done
}

# used ID: its CPU time so far, in nanoseconds.
used() {
  if group_of cpuacct "$1" && [ "$dialect" = 1 ]; then
    cat "$group/cpuacct.usage"
  elif group_of cpu "$1" && [ "$dialect" = 2 ]; then
    while read -r used_key used_value; do
      [ "$used_key" = usage_usec ] && echo "${used_value}000" && return
    done <"$group/cpu.stat"
  fi
}

# centiseconds: since boot.
centiseconds() {
  read -r uptime _ </proc/uptime
  echo "${uptime%.*}${uptime#*.}"
}

docker_stats() {
  [ "${1:-}" = --no-stream ] || die 125 "$W_stats"
  shift
  stats_ids=
  for word in "$@"; do
    find_one "$word"
    stats_ids="$stats_ids $id"
  done
  [ $# -gt 0 ] || stats_ids=$(every)
  row='%-14s %-16s %8s  %-24s %s\n'
  # shellcheck disable=SC2059
  printf "$row" 'CONTAINER ID' NAME 'CPU %' 'MEM USAGE / LIMIT' PIDS
  for id in $stats_ids; do
    before=$(used "$id") since=$(centiseconds)
    sleep 1
    after=$(used "$id") until=$(centiseconds)
    cpu=--
    if [ -n "$before" ] && [ -n "$after" ]; then
      # Nanoseconds over hundredths of a second, in hundredths of a per cent.
      cpu=$(((after - before) / ((until - since) * 1000)))
      cpu=$((cpu / 100)).$((cpu % 100 / 10))$((cpu % 10))%
    fi
    memory='-- / --' pids=--
    if group_of memory "$id"; then
      if [ "$dialect" = 1 ]; then
        memory="$(cat "$group/memory.usage_in_bytes") / $(cat "$group/memory.limit_in_bytes")"
      else
        memory="$(cat "$group/memory.current") / $(cat "$group/memory.max")"
      fi
      # What v1 calls no limit.
      case $memory in *" / 9223372036854771712") memory="${memory% / *} / max" ;; esac
    fi
    group_of pids "$id" && pids=$(cat "$group/pids.current")
    # shellcheck disable=SC2059
    printf "$row" "$id" "$(cat "$state/$id/name")" "$cpu" "$memory" "$pids"
  done
}

docker_exec() {
  interactive= tty= envs=
  while [ $# -gt 0 ]; do
    case $1 in
    --interactive) interactive=1 ;;
    --tty) tty=1 ;;
    -i | -t | -it | -ti)
      case $1 in *i*) interactive=1 ;; esac
      case $1 in *t*) tty=1 ;; esac
      ;;
    -*) die 125 "$W_unknown_flag" "$1" ;;
    *) break ;;
    esac
    shift
  done
  [ $# -ge 2 ] || die 125 "$W_exec"
  find_one "$1"
  shift
  read -r pid _ <"$state/$id/pid"
  set -- env -i HOME=/root PATH=$docker_path "TERM=${TERM:-xterm}" "$@"
  for flag in --pid --mount --ipc --uts --cgroup; do
    case $(nsenter --help 2>&1) in *"$flag"*) set -- "$flag" "$@" ;; esac
  done
  say "$W_here"
  [ -n "$interactive" ] || exec </dev/null
  join || exit 125
  printf '+ exec %s\n' "$(quoted nsenter --target "$pid" "$@")" >&3
  exec nsenter --target "$pid" "$@" 3>&-
}

# end SIGNAL SECONDS NAME…: the signal, and after the seconds SIGKILL.
end() {
  signal=$1 patience=$2
  shift 2
  [ $# -gt 0 ] || die 125 "$W_no_name"
  for word in "$@"; do
    find_one "$word"
    read -r pid _ <"$state/$id/pid"
    [ "$signal" != KILL ] || : >"$state/$id/killed"
    step kill -s "$signal" "$pid"
    tries=$((patience * 10))
    while alive "$id"; do
      if [ "$tries" -le 0 ]; then
        say "$W_still" "$signal"
        : >"$state/$id/killed"
        step kill -s KILL "$pid"
        break
      fi
      tries=$((tries - 1))
      sleep 0.1
    done
    tries=50
    while [ -d "$state/$id" ] && [ "$tries" -gt 0 ]; do
      # Whoever started it removes what it had; if nobody is left, it is done here.
      every >/dev/null
      tries=$((tries - 1))
      sleep 0.1
    done
    echo "$word"
  done
}

docker_stop() {
  patience=10
  case ${1:-} in
  -t | --time | --timeout)
    whole "${2:-}" "$1" 10
    patience=$2
    shift 2
    ;;
  -*) die 125 "$W_unknown_flag" "$1" ;;
  esac
  end TERM "$patience" "$@"
}

case ${1:-} in
--inside) shift && inside "$@" ;;
--supervise)
  shift
  echo "$$ $(start_of $$)" >"$state/$id/supervisor"
  supervise "$@"
  exit "$status"
  ;;
run) shift && docker_run "$@" ;;
ps) shift && docker_ps "$@" ;;
container)
  case ${2:-} in
  ls | ps) shift 2 && docker_ps "$@" ;;
  run | exec | stop | kill | stats | logs) shift && exec "$self" "$@" ;;
  *) die 125 "$W_unknown" "docker container ${2:-}" ;;
  esac
  ;;
stats) shift && docker_stats "$@" ;;
exec) shift && docker_exec "$@" ;;
stop) shift && docker_stop "$@" ;;
kill) shift && end KILL 1 "$@" ;;
logs)
  [ $# = 2 ] || die 125 "$W_no_name"
  find_one "$2"
  [ -e "$state/$id/log" ] || die 125 "$W_no_log" "$2"
  cat "$state/$id/log"
  ;;
images)
  [ -x /usr/bin/busybox ] && say "$W_image_busybox"
  say "$W_image_own"
  ;;
'' | help | --help | -h) say "$W_help" ;;
*) die 125 "$W_unknown" "docker $1" ;;
esac
