//! Two clocks of the kernel: monotonic time, and the CPU time of any process.

/// Reads a process's CPU time by PID; a parameter, so that tests can stand without it.
pub(crate) type CpuClock = fn(u32) -> Option<u64>;

/// Clock ticks of `/proc/PID/stat` in a second (`USER_HZ`, 100 in every Linux ABI we build for).
const TICKS_PER_SEC: u64 = 100;

/// Nanoseconds of `CLOCK_MONOTONIC`.
pub(crate) fn monotonic_nsec() -> u64 {
    read(libc::CLOCK_MONOTONIC).unwrap_or(0)
}

/// CPU time of a process and all its threads, also those that have ended, in nanoseconds.
///
/// `/proc/PID/schedstat` has the same resolution but tells of the first thread only: of a process
/// that spins in its second thread it shows nothing. This clock needs no descriptor.
pub(crate) fn process_cpu_nsec(pid: u32) -> Option<u64> {
    // `make_process_cpuclock(pid, CPUCLOCK_SCHED)` of linux/posix-timers.h.
    const CPUCLOCK_SCHED: i32 = 2;
    let pid = i32::try_from(pid).ok()?;
    read((!pid << 3) | CPUCLOCK_SCHED)
}

/// Clock ticks as nanoseconds.
pub(crate) fn ticks_nsec(ticks: u64) -> u64 {
    ticks.saturating_mul(1_000_000_000 / TICKS_PER_SEC)
}

/// CPU time used in some elapsed time, in thousandths of one CPU.
pub(crate) fn permille(cpu_nsec: u64, elapsed_nsec: u64) -> u32 {
    let permille = u128::from(cpu_nsec) * 1_000 / u128::from(elapsed_nsec.max(1));
    u32::try_from(permille).unwrap_or(u32::MAX)
}

fn read(clock: libc::clockid_t) -> Option<u64> {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the kernel writes one timespec to the address of a live one, and nothing else.
    if unsafe { libc::clock_gettime(clock, &raw mut time) } != 0 {
        return None;
    }
    let sec = u64::try_from(time.tv_sec).ok()?;
    sec.checked_mul(1_000_000_000)?.checked_add(u64::try_from(time.tv_nsec).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_thread_counts() {
        let before = process_cpu_nsec(std::process::id()).unwrap();
        let spin = || {
            let end = monotonic_nsec() + 60_000_000;
            while monotonic_nsec() < end {}
        };
        std::thread::spawn(spin).join().unwrap();
        let used = process_cpu_nsec(std::process::id()).unwrap() - before;
        assert!(used > 15_000_000, "{used} ns of CPU in 60 ms of spinning");
    }

    #[test]
    fn no_process_no_time() {
        assert_eq!(process_cpu_nsec(u32::MAX), None);
        assert_eq!(process_cpu_nsec(4_194_304), None, "PID_MAX_LIMIT is never a PID");
    }

    #[test]
    fn thousandths_of_a_cpu() {
        assert_eq!(permille(20_000_000, 100_000_000), 200);
        assert_eq!(permille(5, 0), 5_000);
        assert_eq!(permille(u64::MAX, 0), u32::MAX);
    }
}
