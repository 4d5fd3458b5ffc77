# --cpus 3 --seed 11 --cgroup v2
unshare --pid --fork --mount-proc sh -c 'sleep 0.3 & ps -ef; cat /proc/self/mountinfo | wc -l; wait'
unshare -Uru sh -c 'hostname x; hostname; id -u'
for i in $(seq 40); do echo $i; done | grep -E '^(1|2)' | sort -rn | tail -3
mount -t tmpfs none /mnt; echo hello > /mnt/file; cat /mnt/*; umount /mnt
cat /proc/stat /proc/loadavg /proc/uptime
