# What vitrine does where systemd is PID 1, told in libtest's words. Run by vitrine-tests.service,
# which is not delegated. PATH and VITRINE_DATA are set.
exec >/dev/ttyS0 2>&1
echo @@ begin systemd
n_ok=0 n_bad=0
# check NAME COMMAND…: one test.
check() {
  name=$1
  shift
  if said=$("$@" 2>&1); then n_ok=$((n_ok + 1)); echo "test $name ... ok"
  else n_bad=$((n_bad + 1)); echo "test $name ... FAILED"; echo "$*: $said"; fi
}
# within SECONDS COMMAND…: sooner or later.
within() {
  left=$(($1 * 5))
  shift
  until "$@"; do [ $left -gt 0 ] || return 1; left=$((left - 1)); sleep 0.2; done
}
slice=/sys/fs/cgroup/system.slice
nothing_left() { [ -z "$(find /sys/fs/cgroup -name 'vitrine*.scope' -o -name vitrine)" ]; }
is_gone() { [ ! -e "$1" ]; }
cpu_max() { [ "$(cat "$1"/vitrine/*-*/cpu.max)" = '20000 100000' ]; }
# Its program runs, and not its birth only.
throttled() { grep -qs '^sh$' $(sed 's|.*|/proc/&/comm|' "$1"/vitrine/*-*/cgroup.procs) && [ "$(sed -n 's/^nr_throttled //p' "$1"/vitrine/*-*/cpu.stat)" -gt 5 ]; }
killed() { for pid in $(cat "$1"/vitrine/*-*/cgroup.procs); do kill -9 "$pid"; done; }

check pid_1_is_systemd test "$(cat /proc/1/comm)" = systemd
check this_unit_is_not_delegated grep -q '^0::/system.slice/vitrine-tests.service$' /proc/self/cgroup

vitrine serve --listen 127.0.0.1:0 >/tmp/url 2>/tmp/log &
pid=$!
scope=$slice/vitrine-$pid.scope
check serve_starts within 60 grep -q token /tmp/url
check serve_has_a_scope grep -q "/vitrine-$pid.scope/vitrine-launcher" /proc/$pid/cgroup
check the_scope_is_delegated test "$(systemctl show -p Delegate vitrine-$pid.scope)" = Delegate=yes
check it_hands_out_controllers grep -q 'cpu.*memory.*pids' $scope/cgroup.subtree_control
kill $pid
wait $pid
check serve_ends_well test $? = 0
check its_scope_goes within 20 is_gone $scope
check serve_leaves_nothing nothing_left

loop='while : ; do : ; done'
vitrine run --cpu-quota 20000 --cpu-period 100000 -- sh -c "$loop" &
pid=$!
scope=$slice/vitrine-$pid.scope
check run_is_below_its_scope within 30 cpu_max $scope
check its_quota_holds within 30 throttled $scope
check it_is_killed killed $scope
wait $pid
check the_scope_of_run_goes within 20 is_gone $scope
check run_leaves_nothing nothing_left

systemctl start vitrine-delegated.service
unit=$slice/vitrine-delegated.service
check a_delegated_unit_is_used_itself within 30 cpu_max $unit
check the_units_quota_holds within 30 throttled $unit
check no_scope_beside_it is_gone $slice/vitrine-*.scope
check the_units_loop_is_killed killed $unit
check the_unit_goes within 20 is_gone $unit
check the_unit_leaves_nothing nothing_left

if [ $n_bad = 0 ]; then echo "test result: ok. $n_ok passed; 0 failed;"; status=0
else cat /tmp/log; echo "test result: FAILED. $n_ok passed; $n_bad failed;"; status=101; fi
echo "@@ end systemd $status"
reboot -f
