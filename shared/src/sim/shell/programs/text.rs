//! Programs that turn text into text, and `test`.

use super::super::super::kernel::Kind;
use super::{Shell, fail, options, say};

/// What `echo` writes.
pub(in super::super) fn echo(args: &[String]) -> String {
    match args.split_first() {
        Some((first, rest)) if first == "-n" => rest.join(" "),
        _ => args.join(" ") + "\n",
    }
}

/// What `printf` writes: `%s`, `%d`, `%%`, and the usual signs behind `\`; the format is used again
/// while there are arguments.
pub(in super::super) fn printf(args: &[String]) -> String {
    let Some((format, args)) = args.split_first() else { return String::new() };
    let (mut text, mut args) = (String::new(), args.iter());
    loop {
        let before = args.len();
        let mut chars = format.chars();
        while let Some(c) = chars.next() {
            match c {
                '\\' => text.push(match chars.next() {
                    Some('n') => '\n',
                    Some('t') => '\t',
                    Some(c) => c,
                    None => '\\',
                }),
                '%' => match chars.next() {
                    Some('%') => text.push('%'),
                    Some('d') => text += args.next().map_or("0", |arg| arg),
                    _ => text += args.next().map_or("", |arg| arg),
                },
                c => text.push(c),
            }
        }
        if args.len() == 0 || args.len() == before {
            return text;
        }
    }
}

/// `test` and `[`.
pub(in super::super) fn test(shell: &Shell, args: &[String]) -> Result<bool, String> {
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    let n_not =
        words.iter().take_while(|word| **word == "!").count().min(words.len().saturating_sub(1));
    let words = &words[n_not..];
    let number = |word: &str| word.parse::<i64>().map_err(|_| format!("Illegal number: {word}"));
    let kind = |path: &str| shell.world.look(|kernel| kernel.kind(shell.proc, path)).ok();
    let is = match words[..] {
        [] => false,
        [one] => !one.is_empty(),
        ["-n", word] => !word.is_empty(),
        ["-z", word] => word.is_empty(),
        ["-e", path] => kind(path).is_some(),
        ["-f", path] => kind(path) == Some(Kind::File),
        ["-d", path] => kind(path) == Some(Kind::Directory),
        [a, "=", b] => a == b,
        [a, "!=", b] => a != b,
        [a, "-eq", b] => number(a)? == number(b)?,
        [a, "-ne", b] => number(a)? != number(b)?,
        [a, "-lt", b] => number(a)? < number(b)?,
        [a, "-le", b] => number(a)? <= number(b)?,
        [a, "-gt", b] => number(a)? > number(b)?,
        [a, "-ge", b] => number(a)? >= number(b)?,
        _ => return Err("unexpected operator".into()),
    };
    Ok(is != (n_not % 2 == 1))
}

/// The text of files, or of standard input.
pub(super) async fn input(shell: &Shell, name: &str, paths: &[&str]) -> Result<String, u8> {
    if paths.is_empty() {
        return Ok(shell.io.input.read_all(&shell.world).await);
    }
    let (mut all, mut status) = (String::new(), 0);
    for path in paths {
        match shell.world.look(|kernel| kernel.read(shell.proc, path)) {
            Ok(text) => all += &text,
            Err(errno) if matches!(name, "head" | "tail") => {
                let what = format!("cannot open '{path}' for reading: {errno}");
                status = fail(shell, name, &what).await;
            }
            Err(errno) => status = fail(shell, name, &format!("{path}: {errno}")).await,
        }
    }
    if status == 0 { Ok(all) } else { Err(status) }
}

/// How many lines `head` and `tail` were asked for, and the files.
fn lines_asked(args: &[String]) -> (usize, Vec<&str>) {
    let (mut count, mut paths, mut next) = (10, Vec::new(), false);
    for arg in args {
        let number = arg.trim_start_matches('-').trim_start_matches('n').parse();
        match (arg.as_str(), number) {
            ("-n", _) => next = true,
            (_, Ok(number)) if next || arg.starts_with('-') => (count, next) = (number, false),
            _ => paths.push(arg.as_str()),
        }
    }
    (count, paths)
}

pub(super) async fn head(shell: Shell, argv: Vec<String>) -> u8 {
    let (count, paths) = lines_asked(&argv[1..]);
    if paths.is_empty() {
        // No more is read than is asked for: whoever writes for ever is stopped by that.
        for _ in 0..count {
            let Some(line) = shell.io.input.read_line(&shell.world).await else { break };
            say(&shell, "head", &line).await;
        }
        return 0;
    }
    match input(&shell, "head", &paths).await {
        Ok(text) => {
            say(&shell, "head", &text.split_inclusive('\n').take(count).collect::<String>()).await
        }
        Err(status) => status,
    }
}

pub(super) async fn tail(shell: Shell, argv: Vec<String>) -> u8 {
    let (count, paths) = lines_asked(&argv[1..]);
    match input(&shell, "tail", &paths).await {
        Ok(text) => {
            let lines: Vec<&str> = text.split_inclusive('\n').collect();
            say(&shell, "tail", &lines[lines.len().saturating_sub(count)..].concat()).await
        }
        Err(status) => status,
    }
}

pub(super) async fn sort(shell: Shell, argv: Vec<String>) -> u8 {
    let (letters, paths) = options(&argv[1..]);
    let text = match input(&shell, "sort", &paths).await {
        Ok(text) => text,
        Err(status) => return status,
    };
    let mut lines: Vec<&str> = text.lines().collect();
    let number = |line: &str| {
        let digits: String = line.trim_start().chars().take_while(char::is_ascii_digit).collect();
        digits.parse::<u64>().unwrap_or(0)
    };
    if letters.contains(&'n') {
        lines.sort_by_key(|line| number(line))
    } else {
        lines.sort_unstable()
    }
    if letters.contains(&'r') {
        lines.reverse();
    }
    if letters.contains(&'u') {
        lines.dedup();
    }
    say(&shell, "sort", &lines.iter().flat_map(|line| [line, "\n"]).collect::<String>()).await
}

pub(super) async fn wc(shell: Shell, argv: Vec<String>) -> u8 {
    let (letters, paths) = options(&argv[1..]);
    let text = match input(&shell, "wc", &paths).await {
        Ok(text) => text,
        Err(status) => return status,
    };
    let counts =
        [('l', text.lines().count()), ('w', text.split_whitespace().count()), ('c', text.len())];
    let asked = |letter: char| letters.is_empty() || letters.contains(&letter);
    let asked: Vec<usize> =
        counts.into_iter().filter(|(letter, _)| asked(*letter)).map(|(_, count)| count).collect();
    // As wide as the size of the files; of a pipe nobody knows it before.
    let width = match (&asked[..], paths.is_empty()) {
        ([_], true) => 0,
        (_, true) => 7,
        ([_], false) if paths.len() == 1 => 0,
        _ => text.len().to_string().len(),
    };
    let numbers = asked.iter().map(|count| format!("{count:>width$}"));
    let counts: Vec<String> = numbers.chain(paths.iter().map(|path| (*path).to_owned())).collect();
    say(&shell, "wc", &(counts.join(" ") + "\n")).await
}

/// Whole numbers from one to another.
pub(super) async fn seq(shell: Shell, argv: Vec<String>) -> u8 {
    const MOST: i64 = 100_000;
    let numbers: Result<Vec<i64>, _> = argv[1..].iter().map(|word| word.parse()).collect();
    let (from, step, to) = match numbers.as_deref() {
        Ok([to]) => (1, 1, *to),
        Ok([from, to]) => (*from, 1, *to),
        Ok([from, step, to]) if *step != 0 => (*from, *step, *to),
        _ => return fail(&shell, "seq", "takes one to three whole numbers").await,
    };
    let inside = |at: &i64| if step > 0 { *at <= to } else { *at >= to };
    let all = std::iter::successors(Some(from), |at| at.checked_add(step)).take_while(inside);
    for number in all.take(usize::try_from(MOST).unwrap_or(0)) {
        let status = say(&shell, "seq", &format!("{number}\n")).await;
        if status != 0 {
            return status;
        }
    }
    0
}

/// `/bin/echo`, which says by its own name what it cannot write.
pub(super) async fn echo_program(shell: Shell, argv: Vec<String>) -> u8 {
    say(&shell, &argv[0], &echo(&argv[1..])).await
}

pub(super) async fn printf_program(shell: Shell, argv: Vec<String>) -> u8 {
    say(&shell, &argv[0], &printf(&argv[1..])).await
}

pub(super) async fn test_program(shell: Shell, argv: Vec<String>) -> u8 {
    match test(&shell, &argv[1..]) {
        Ok(is) => u8::from(!is),
        Err(what) => fail(&shell, "test", &what).await + 1,
    }
}

pub(super) async fn nothing(_: Shell, _: Vec<String>) -> u8 {
    0
}

pub(super) async fn failure(_: Shell, _: Vec<String>) -> u8 {
    1
}
