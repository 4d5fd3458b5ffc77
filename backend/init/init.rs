//! PID 1 of a machine, and of a container with `--init`.
//!
//! Without arguments it waits for orphans and reaps them until it is killed: it holds a machine's
//! namespaces open. With arguments it starts them as its child, passes signals on to the child,
//! reaps everything, and exits as the child did (128 + n for signal n).
//!
//! No standard library, no allocation, no libc: a few system calls and nothing to leak.

#![no_std]
#![no_main]

use core::arch::{asm, global_asm};

#[cfg(not(target_arch = "x86_64"))]
compile_error!("PID 1 knows the system calls of x86_64 only; add a `call` for this architecture");

// The kernel enters with the stack pointer at argc; a function would already have moved it.
global_asm!(".globl _start", "_start:", "mov rdi, rsp", "and rsp, -16", "call {main}", "ud2", main = sym main);

const SYS_RT_SIGPROCMASK: usize = 14;
const SYS_FORK: usize = 57;
const SYS_EXECVE: usize = 59;
const SYS_WAIT4: usize = 61;
const SYS_KILL: usize = 62;
const SYS_RT_SIGTIMEDWAIT: usize = 128;
const SYS_PRCTL: usize = 157;
const SYS_EXIT_GROUP: usize = 231;
const SYS_WRITE: usize = 1;

const SIGCHLD: isize = 17;
const SI_KERNEL: i32 = 0x80;
const WNOHANG: usize = 1;
const PR_SET_DUMPABLE: usize = 4;
const PR_SET_NAME: usize = 15;
const SIG_BLOCK: usize = 0;
const SIG_SETMASK: usize = 2;

/// A system call with up to four arguments.
fn call(number: usize, a: usize, b: usize, c: usize, d: usize) -> isize {
    let result;
    // SAFETY: the register protocol of x86_64; every pointer passed here is to memory of this
    // function's caller that outlives the call.
    unsafe {
        asm!("syscall", inlateout("rax") number as isize => result, in("rdi") a, in("rsi") b,
             in("rdx") c, in("r10") d, lateout("rcx") _, lateout("r11") _);
    }
    result
}

fn exit(status: i32) -> ! {
    loop {
        call(SYS_EXIT_GROUP, status as usize, 0, 0, 0);
    }
}

extern "C" fn main(stack: *const usize) -> ! {
    call(SYS_PRCTL, PR_SET_DUMPABLE, 0, 0, 0);
    // Else `ps` would show the name of the memfd that it was executed from.
    call(SYS_PRCTL, PR_SET_NAME, c"init".as_ptr() as usize, 0, 0);
    let all: u64 = u64::MAX;
    let mask = &raw const all as usize;
    // Blocked, a signal waits for rt_sigtimedwait even in PID 1, which else ignores most.
    call(SYS_RT_SIGPROCMASK, SIG_BLOCK, mask, 0, 8);
    // SAFETY: `stack` is where the kernel put argc, then argv, a null, then envp, a null.
    let (argc, argv) = unsafe { (*stack, stack.add(1)) };
    // SAFETY: as above.
    let child = if argc > 1 { start(unsafe { argv.add(1) }, unsafe { argv.add(argc + 1) }) } else { 0 };
    loop {
        // `siginfo_t`: the third int is si_code.
        let mut info = [0i32; 32];
        let signal = call(SYS_RT_SIGTIMEDWAIT, mask, info.as_mut_ptr() as usize, 0, 8);
        if signal == SIGCHLD {
            reap(child);
        } else if signal > 0 && child > 0 && info[2] != SI_KERNEL {
            // What the terminal sends (Ctrl-C) the child has heard itself, in the same group.
            call(SYS_KILL, child as usize, signal as usize, 0, 0);
        }
    }
}

/// Starts the program named by `argv` with no signal blocked, and gives its PID.
fn start(argv: *const usize, envp: *const usize) -> isize {
    let child = call(SYS_FORK, 0, 0, 0, 0);
    if child == 0 {
        let none: u64 = 0;
        call(SYS_RT_SIGPROCMASK, SIG_SETMASK, &raw const none as usize, 0, 8);
        // SAFETY: argv[0] is a C string; the launcher has put a full path there.
        let path = unsafe { *argv };
        let error = call(SYS_EXECVE, path, argv as usize, envp as usize, 0);
        let text = b"init: the program cannot be executed\n";
        call(SYS_WRITE, 2, text.as_ptr() as usize, text.len(), 0);
        // As a shell: 127 when it is not there (ENOENT), 126 when it cannot be executed.
        exit(if error == -2 { 127 } else { 126 });
    }
    if child < 0 {
        exit(126);
    }
    child
}

/// Reaps whatever has ended; when that is the program itself, exits as it did.
fn reap(child: isize) {
    loop {
        let mut status: i32 = 0;
        let ended = call(SYS_WAIT4, usize::MAX, &raw mut status as usize, WNOHANG, 0);
        if ended <= 0 {
            return;
        }
        if ended == child {
            let signal = status & 0x7f;
            exit(if signal == 0 { (status >> 8) & 0xff } else { 128 + signal });
        }
    }
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo) -> ! {
    exit(125)
}
