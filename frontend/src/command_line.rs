//! A command line as a person types it, parted into words as a shell would: no expansion at all.

/// The words; `None` when there is none, or a quote is not closed.
pub(crate) fn split(line: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote: Option<char> = None;
    let mut letters = line.chars();
    while let Some(letter) = letters.next() {
        match (quote, letter) {
            (None, ' ' | '\t') => words.extend(word.take()),
            (None, '\'' | '"') => {
                quote = Some(letter);
                word.get_or_insert_default();
            }
            (Some(open), _) if letter == open => quote = None,
            (None | Some('"'), '\\') => word.get_or_insert_default().push(letters.next()?),
            _ => word.get_or_insert_default().push(letter),
        }
    }
    words.extend(word);
    (quote.is_none() && !words.is_empty()).then_some(words)
}

#[cfg(test)]
mod tests {
    use super::split;

    #[test]
    fn words_are_parted_as_a_shell_does() {
        for (line, words) in [
            ("/bin/sh", &["/bin/sh"][..]),
            ("  top  -b\t-n 1 ", &["top", "-b", "-n", "1"]),
            ("sh -c 'echo \"$$\"; id'", &["sh", "-c", "echo \"$$\"; id"]),
            (r#"echo "a \"b\" c" d\ e"#, &["echo", "a \"b\" c", "d e"]),
            ("echo '' x", &["echo", "", "x"]),
        ] {
            let words: Vec<String> = words.iter().map(ToString::to_string).collect();
            assert_eq!(split(line), Some(words), "{line}");
        }
    }

    #[test]
    fn nothing_and_an_open_quote_are_no_command() {
        for line in ["", "  ", "sh -c 'x", "echo \"", "echo \\"] {
            assert_eq!(split(line), None, "{line}");
        }
    }
}
