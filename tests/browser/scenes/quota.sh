# --cpus 2 --seed 7 --cgroup v1
cd /sys/fs/cgroup/cpu; mkdir a b
for group in a a b; do (echo 0 > $group/tasks; while :; do :; done) & done
echo 20000 > a/cpu.cfs_quota_us; echo 512 > b/cpu.shares
sleep 5; cat a/cpu.stat b/cpu.stat; top -b -n 1
echo -1 > a/cpu.cfs_quota_us; sleep 3; cat a/cpuacct.usage_percpu
kill %1 %2 %3; wait; rmdir a b; echo $?
