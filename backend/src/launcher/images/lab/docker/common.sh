set -u
umask 022

self=/usr/bin/docker
state=/run/docker
groups=/sys/fs/cgroup
docker_path=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
# Words go to descriptor 3: of a container in the background, 1 and 2 are its own.
(: >&3) 2>/dev/null || exec 3>&2

# say FORMAT WORD…: a line of words.
say() {
  say_format=$1
  shift
  # shellcheck disable=SC2059
  printf "docker: $say_format\n" "$@" >&3
}

# die STATUS FORMAT WORD…
die() {
  die_status=$1
  shift
  say "$@"
  exit "$die_status"
}

# quoted WORD…: as one would type them.
quoted() {
  quoted_line=
  for quoted_word in "$@"; do
    case $quoted_word in
    '' | *[!a-zA-Z0-9_./:=,@%+-]*)
      quoted_word="'$(printf %s "$quoted_word" | sed "s/'/'\\\\''/g")'"
      ;;
    esac
    quoted_line="$quoted_line${quoted_line:+ }$quoted_word"
  done
  printf %s "$quoted_line"
}

# step WORD…: what is shown is what is run.
step() {
  printf '+ %s\n' "$(quoted "$@")" >&3
  "$@"
}

# put TEXT FILE: the same for what is written into a file.
put() {
  printf '+ echo %s > %s\n' "$(quoted "$1")" "$2" >&3
  # Not the shell's own echo: some of them know one error only.
  env echo "$1" 2>&3 >"$2"
}

# may_mount: has this shell CAP_SYS_ADMIN (bit 21) in its user namespace?
may_mount() {
  while read -r may_field may_value; do
    [ "$may_field" = CapEff: ] && return "$((!(0x${may_value#????????} >> 21 & 1)))"
  done </proc/self/status
  return 1
}

# home CONTROLLER: where its groups are, and in which dialect: sets `base` and `dialect`.
home() {
  dialect=1 base=$groups/$1
  [ -e "$base/tasks" ] && return
  for base in "$groups" "$groups/unified"; do
    dialect=2
    [ -e "$base/cgroup.subtree_control" ] || continue
    case " $(cat "$base/cgroup.subtree_control") " in *" $1 "*) return ;; esac
  done
  return 1
}

# group_of CONTROLLER ID: sets `group` as well.
group_of() {
  home "$1" && group=$base/docker/$2
}

# alive ID: does its first process run, and is it still the same one?
alive() {
  [ -s "$state/$1/pid" ] || return 1
  read -r alive_pid alive_start <"$state/$1/pid"
  [ "$(start_of "$alive_pid")" = "$alive_start" ]
}

# start_of PID: field 22 of its stat, in clock ticks; with the PID its identity.
start_of() {
  { read -r start_stat <"/proc/$1/stat"; } 2>/dev/null || return 1
  # The name, in parentheses, may have blanks in it.
  # shellcheck disable=SC2086
  set -- ${start_stat##*) }
  echo "${20}"
}

# every: the ids of the containers that there are; what a killed one left is removed first.
every() {
  for every_dir in "$state"/*/supervisor; do
    [ -e "$every_dir" ] || continue
    every_id=${every_dir%/supervisor}
    every_id=${every_id##*/}
    if alive "$every_id"; then
      echo "$every_id"
    else
      read -r every_pid every_start <"$every_dir"
      [ "$(start_of "${every_pid:-0}")" = "${every_start:-}" ] || remove "$every_id" quietly
    fi
  done
}

# find NAME|ID: sets `id`; the first digits of an id are enough.
find_one() {
  id=
  for find_id in $(every); do
    case $find_id in "$1"*) id=$find_id ;; esac
    [ "$(cat "$state/$find_id/name")" = "$1" ] && id=$find_id && return
  done
  [ -n "$id" ] || die 125 "$W_no_such" "$1"
}

# remove ID [quietly]: its groups, once nobody is in them, and what is known of it.
remove() {
  remove_all=
  while read -r remove_group; do
    [ -d "$remove_group" ] && remove_all="$remove_all $remove_group"
  done 2>/dev/null <"$state/$1/groups"
  # shellcheck disable=SC2086
  if [ -n "$remove_all" ]; then
    [ "${2:-}" = quietly ] || printf '+ rmdir%s\n' "$remove_all" >&3
    remove_tries=0
    # Who has just died is still in there for a moment.
    until rmdir $remove_all 2>/dev/null; do
      remove_left=
      for remove_group in $remove_all; do
        [ -d "$remove_group" ] && remove_left="$remove_left $remove_group"
      done
      remove_all=$remove_left
      [ -n "$remove_all" ] || break
      remove_tries=$((remove_tries + 1))
      [ "$remove_tries" -le 40 ] || { say "$W_stays" "$remove_all"; break; }
      sleep 0.05
    done
  fi
  rm -rf "${state:?}/$1"
}
