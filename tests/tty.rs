//! `vitrine run -it` on a real terminal.

use crate::harness::command::run;
use crate::harness::pty::OnTerminal;

#[test]
fn a_shell_on_a_terminal() {
    let mut shell = OnTerminal::start(&["-it", "--", "sh"], 24, 80);
    shell.read_until("# ");
    assert!(!shell.is_cooked(), "our own terminal is raw while the container's does the work");
    shell.type_in("tty\r");
    shell.read_until("/dev/pts/0");
    shell.read_until("# ");
    shell.type_in("ps -o pid,comm\r");
    let ps = shell.read_until("# ");
    assert!(ps.contains("    1 sh"), "{ps:?}");
    shell.type_in("exit 3\r");
    let (status, shell) = shell.end();
    assert_eq!(status, Some(3));
    assert!(shell.is_cooked(), "the terminal is put back");
}

#[test]
fn the_window_size_follows() {
    let mut shell = OnTerminal::start(&["-it", "--", "sh"], 33, 101);
    shell.read_until("# ");
    shell.type_in("stty size\r");
    shell.read_until("33 101");
    shell.read_until("# ");
    shell.resize(40, 132);
    shell.type_in("stty size\r");
    shell.read_until("40 132");
}

#[test]
fn a_program_hears_of_the_window() {
    let script = "trap 'stty size; exit 4' WINCH; echo ready; while :; do sleep 0.05; done";
    let mut program = OnTerminal::start(&["-it", "--", "sh", "-c", script], 24, 80);
    program.read_until("ready");
    program.resize(50, 140);
    program.read_until("50 140");
    assert_eq!(program.end().0, Some(4));
}

#[test]
fn ctrl_c_ends_what_runs_and_not_the_shell() {
    let mut shell = OnTerminal::start(&["-it", "--", "sh"], 24, 80);
    shell.read_until("# ");
    shell.type_in("sleep 1000\r");
    shell.read_until("1000");
    std::thread::sleep(std::time::Duration::from_millis(300));
    shell.type_in("\x03");
    shell.read_until("# ");
    shell.type_in("echo status $?\r");
    shell.read_until("status 130");
    // Ctrl-D is for the line editor, which has the terminal when it has shown its prompt.
    shell.read_until("# ");
    shell.type_in("\x04");
    let (status, _) = shell.end();
    assert_eq!(status, Some(0));
}

#[test]
fn a_terminal_only_for_output() {
    // `-t` without `-i` needs no terminal of the caller's.
    let outcome = run(&["-t", "--", "tty"]);
    assert_eq!((outcome.status, outcome.out.as_str()), (0, "/dev/pts/0\r\n"), "{outcome:?}");
}

#[test]
fn everything_that_was_written_arrives() {
    let outcome = run(&["-t", "--", "seq", "20000"]);
    let lines: Vec<&str> = outcome.out.lines().collect();
    assert_eq!(lines.len(), 20_000);
    assert_eq!(lines.last(), Some(&"20000"));
}
