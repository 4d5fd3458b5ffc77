//! `grep`.

use super::pattern::Pattern;
use super::{Shell, fail, options, say};

/// Lines in which a pattern is: `-E` extended, `-i`, `-v`, `-x`, `-c`, `-l`, `-n`, `-o`, `-q`, `-h`, `-s`.
pub(super) async fn grep(shell: Shell, argv: Vec<String>) -> u8 {
    let (letters, words) = options(&argv[1..]);
    let has = |letter| letters.contains(&letter);
    let Some((text, paths)) = words.split_first() else {
        fail(&shell, "grep", "no pattern").await;
        return 2;
    };
    let Some(pattern) = Pattern::new(text, has('E'), has('i')) else {
        fail(&shell, "grep", &format!("no pattern of the simulator's: {text}")).await;
        return 2;
    };
    let fits = |line: &str| pattern.is_in(line, has('x')) != has('v');
    let named = paths.len() > 1 && !has('h');
    let (mut found, mut failed) = (false, false);
    for path in if paths.is_empty() { &[""] } else { paths } {
        let read = shell.world.look(|kernel| kernel.read(shell.proc, path));
        let text = match read {
            _ if path.is_empty() => shell.io.input.read_all(&shell.world).await,
            Ok(text) => text,
            Err(errno) => {
                failed = true;
                if !has('s') {
                    fail(&shell, "grep", &format!("{path}: {errno}")).await;
                }
                continue;
            }
        };
        let lines = text.lines().enumerate().filter(|(_, line)| fits(line));
        let lines: Vec<(usize, &str)> = lines.collect();
        found |= !lines.is_empty();
        let name = if named { format!("{path}:") } else { String::new() };
        let shown = if has('q') {
            String::new()
        } else if has('l') {
            if lines.is_empty() { String::new() } else { format!("{path}\n") }
        } else if has('c') {
            format!("{name}{}\n", lines.len())
        } else {
            let head =
                |at: usize| if has('n') { format!("{name}{}:", at + 1) } else { name.clone() };
            let line = |(at, line): &(usize, &str)| match has('o') {
                false => format!("{}{line}\n", head(*at)),
                true => {
                    let part = |part: &String| format!("{}{part}\n", head(*at));
                    parts(&pattern, line).iter().map(part).collect()
                }
            };
            lines.iter().map(line).collect()
        };
        let status = say(&shell, "grep", &shown).await;
        if status != 0 {
            return status;
        }
    }
    if failed && !(found && has('q')) { 2 } else { u8::from(!found) }
}

/// Every place of a pattern in a line.
fn parts(pattern: &Pattern, line: &str) -> Vec<String> {
    /// Longer lines are looked at no further.
    const MOST: usize = 4_096;
    let chars: Vec<char> = line.chars().take(MOST).collect();
    let line: String = chars.iter().collect();
    let (mut all, mut at) = (Vec::new(), 0);
    while let Some((from, to)) = pattern.find(&line, at) {
        if to > from {
            all.push(chars[from..to].iter().collect());
        }
        at = to.max(from + 1);
    }
    all
}
