//! Programs that pass on a part of what they read: `cut`, `tr`, `uniq`, `tee`; and `yes`, `cmp`.

use super::text::input;
use super::{Shell, fail, options, say};

/// `-d` and `-f`, or `-c`: lists of numbers and ranges.
pub(super) async fn cut(shell: Shell, argv: Vec<String>) -> u8 {
    let (mut delimiter, mut fields, mut chars, mut paths) = ('\t', None, None, Vec::new());
    let mut args = argv[1..].iter();
    while let Some(arg) = args.next() {
        let (flag, value) = arg.split_at(arg.char_indices().nth(2).map_or(arg.len(), |(at, _)| at));
        let mut value = || match value {
            "" => args.next().map_or("", String::as_str),
            value => value,
        };
        match flag {
            "-d" => delimiter = value().chars().next().unwrap_or('\t'),
            "-f" => fields = Some(value()),
            "-c" => chars = Some(value()),
            _ => paths.push(arg.as_str()),
        }
    }
    let Some(asked) = fields.or(chars) else {
        return fail(&shell, "cut", "you must specify a list of bytes, characters, or fields")
            .await;
    };
    let Some(ranges) = ranges(asked) else {
        return fail(&shell, "cut", "invalid field value").await;
    };
    let wanted = |at: usize| ranges.iter().any(|(from, to)| (*from..=*to).contains(&(at + 1)));
    let text = match input(&shell, "cut", &paths).await {
        Ok(text) => text,
        Err(status) => return status,
    };
    let line = |line: &str| match fields {
        None => line.chars().enumerate().filter(|(at, _)| wanted(*at)).map(|(_, c)| c).collect(),
        Some(_) if !line.contains(delimiter) => line.to_owned(),
        Some(_) => {
            let parts = line.split(delimiter).enumerate().filter(|(at, _)| wanted(*at));
            let parts: Vec<&str> = parts.map(|(_, part)| part).collect();
            parts.join(&delimiter.to_string())
        }
    };
    say(&shell, "cut", &text.lines().map(|it| line(it) + "\n").collect::<String>()).await
}

/// `1,3-5,7-`
fn ranges(list: &str) -> Option<Vec<(usize, usize)>> {
    let number = |text: &str| text.parse::<usize>().ok().filter(|number| *number > 0);
    let range = |part: &str| match part.split_once('-') {
        None => number(part).map(|at| (at, at)),
        Some(("", to)) => number(to).map(|to| (1, to)),
        Some((from, "")) => number(from).map(|from| (from, usize::MAX)),
        Some((from, to)) => Some((number(from)?, number(to)?)),
    };
    list.split(',').map(range).collect()
}

/// One set of characters into another, `-d` away with them, `-s` one of many in a row.
pub(super) async fn tr(shell: Shell, argv: Vec<String>) -> u8 {
    let (letters, words) = options(&argv[1..]);
    let (delete, squeeze) = (letters.contains(&'d'), letters.contains(&'s'));
    let Some(from) = words.first().map(|set| characters(set)) else {
        return fail(&shell, "tr", "missing operand").await;
    };
    let to = words.get(1).map(|set| characters(set)).unwrap_or_default();
    if to.is_empty() && !delete && !squeeze {
        return fail(&shell, "tr", &format!("missing operand after '{}'", words[0])).await;
    }
    let one = |c: char| match from.iter().position(|own| *own == c) {
        Some(_) if delete => None,
        Some(at) => to.get(at).or(to.last()).copied().or(Some(c)),
        None => Some(c),
    };
    let set = if to.is_empty() { &from } else { &to };
    while let Some(line) = shell.io.input.read_some(&shell.world).await {
        let mut text = String::new();
        for c in line.chars().filter_map(one) {
            if !(squeeze && text.ends_with(c) && set.contains(&c)) {
                text.push(c);
            }
        }
        let status = say(&shell, "tr", &text).await;
        if status != 0 {
            return status;
        }
    }
    0
}

/// `a-z`, `\n`, `\0`; no classes.
fn characters(set: &str) -> Vec<char> {
    let mut plain = Vec::new();
    let mut chars = set.chars();
    while let Some(c) = chars.next() {
        plain.push(match c {
            '\\' => match chars.next() {
                Some('n') => '\n',
                Some('t') => '\t',
                Some('0') => '\0',
                Some(c) => c,
                None => '\\',
            },
            c => c,
        });
    }
    let mut all = Vec::new();
    let mut at = 0;
    while at < plain.len() {
        match plain[at..] {
            [from, '-', to, ..] if from <= to => {
                all.extend((from..=to).take(256));
                at += 3;
            }
            _ => {
                all.push(plain[at]);
                at += 1;
            }
        }
    }
    all
}

/// Lines that are the same as the one before are told once; `-c` how often.
pub(super) async fn uniq(shell: Shell, argv: Vec<String>) -> u8 {
    let (letters, paths) = options(&argv[1..]);
    let text = match input(&shell, "uniq", &paths).await {
        Ok(text) => text,
        Err(status) => return status,
    };
    let mut all: Vec<(&str, usize)> = Vec::new();
    for line in text.lines() {
        match all.last_mut() {
            Some((last, count)) if *last == line => *count += 1,
            _ => all.push((line, 1)),
        }
    }
    let line = |(line, count): &(&str, usize)| match letters.contains(&'c') {
        true => format!("{count:>7} {line}\n"),
        false => format!("{line}\n"),
    };
    say(&shell, "uniq", &all.iter().map(line).collect::<String>()).await
}

/// To standard output and to files.
pub(super) async fn tee(shell: Shell, argv: Vec<String>) -> u8 {
    let (letters, paths) = options(&argv[1..]);
    let mut status = 0;
    for path in &paths {
        let append = letters.contains(&'a');
        if let Err(errno) = shell.world.act(|kernel| kernel.create(shell.proc, path, append)) {
            status = fail(&shell, "tee", &format!("{path}: {errno}")).await;
        }
    }
    while let Some(line) = shell.io.input.read_some(&shell.world).await {
        status = status.max(say(&shell, "tee", &line).await);
        for path in &paths {
            let written = shell.world.act(|kernel| kernel.write(shell.proc, path, &line, true));
            if let Err(errno) = written {
                status = fail(&shell, "tee", &format!("{path}: {errno}")).await;
            }
        }
    }
    status
}

/// A line for ever; as many as somebody reads.
pub(super) async fn yes(shell: Shell, argv: Vec<String>) -> u8 {
    let line = if argv.len() > 1 { argv[1..].join(" ") } else { "y".into() } + "\n";
    let many = line.repeat(64);
    loop {
        let status = say(&shell, "yes", &many).await;
        if status != 0 {
            return status;
        }
        shell.world.work(shell.proc, 1_000_000).await;
    }
}

/// Are two files the same? `-` is standard input.
pub(super) async fn cmp(shell: Shell, argv: Vec<String>) -> u8 {
    let (letters, paths) = options(&argv[1..]);
    let [one, other] = paths[..] else {
        return fail(&shell, "cmp", "takes two files").await;
    };
    let mut texts = Vec::new();
    for path in [one, other] {
        let read = shell.world.look(|kernel| kernel.read(shell.proc, path));
        match if path == "-" { Ok(shell.io.input.read_all(&shell.world).await) } else { read } {
            Ok(text) => texts.push(text),
            Err(errno) => {
                fail(&shell, "cmp", &format!("{path}: {errno}")).await;
                return 2;
            }
        }
    }
    if texts[0] == texts[1] {
        return 0;
    }
    let same = texts[0].bytes().zip(texts[1].bytes()).take_while(|(a, b)| a == b).count();
    let line = texts[0].bytes().take(same).filter(|byte| *byte == b'\n').count() + 1;
    if !letters.contains(&'s') {
        let what = format!("{one} {other} differ: byte {}, line {line}\n", same + 1);
        say(&shell, "cmp", &what).await;
    }
    1
}
