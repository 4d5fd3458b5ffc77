//! Words and comments that a shell takes as what they are.

/// A text as one word of a shell line.
pub fn quote(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-./=:,+@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.into();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// A text as comment lines. Whatever could end one, or change how the text around it looks, is a
/// space.
pub fn comment(text: &str) -> String {
    let tame = |c: char| match c {
        '\u{200b}'..='\u{200f}'
        | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}'
        | '\u{feff}' => ' ',
        c if c.is_control() => ' ',
        c => c,
    };
    let line = |line: &str| {
        let line: String = line.chars().map(tame).collect();
        match line.trim_end() {
            "" => "#\n".to_string(),
            line => format!("# {line}\n"),
        }
    };
    text.split('\n').filter(|line| !line.is_empty()).map(line).collect()
}

/// `"$variable/path"`, as one word.
pub(super) fn below(variable: &str, path: &str) -> String {
    match quote(path) {
        plain if plain == path => format!("\"${variable}/{path}\""),
        quoted => format!("\"${variable}\"/{quoted}"),
    }
}

/// The line that writes a text and a newline to a file, which is a word already.
pub(super) fn write_line(text: &str, file: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || " ._:,=+-".contains(c);
    // Some shells' `echo` takes `-n` and `\c` for orders.
    let is_order = text.starts_with('-') && !text[1..].starts_with(|c: char| c.is_ascii_digit());
    if text.chars().all(plain) && !is_order && !text.is_empty() {
        let text = if text.contains(' ') { quote(text) } else { text.into() };
        return format!("echo {text} > {file}\n");
    }
    format!("printf '%s\\n' {} > {file}\n", quote(text))
}
