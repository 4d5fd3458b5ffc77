# --cpus 8 --seed 3 --cgroup v2
cd /sys/fs/cgroup; echo +cpu +memory +pids > cgroup.subtree_control
for i in 1 2 3 4 5 6; do mkdir g$i; echo "${i}0000 50000" > g$i/cpu.max; echo ${i}00 > g$i/cpu.weight; done
for i in 1 2 3 4 5 6; do sh -c "echo 0 > g$i/cgroup.procs; stress -c 5 -t 8" & done
sleep 2; stress -m 2 --vm-bytes 100M -t 2; wait
for i in 1 2 3 4 5 6; do grep -E 'usage|throttled' g$i/cpu.stat; done
